"""The files that PlexSync keeps itself: no export, backup or report replaces one of them."""

import os
import re
from pathlib import Path

from plexsync.rules.servers.errors import Unusable

# By their names in the data folder: databases, journals of writes, logs, locks, and what processes tell each other. A copy
# that you have made there has another name.
OWN = re.compile(
    r"plexsync\.db(-wal|-shm|-journal)?|plexsync\.(toml|moved-).*|plexsync-schema-.*|review\.db.*|journal(\.\d+)?"
    r"|(plexsync|worker)\.log(\.\d+)?|.*\.lock|hang\.txt|folder|(answer|status|provider-secrets)\.json"
)


def check_target(target: Path, folder: Path | None, settings: Path) -> None:
    """Raise Unusable if the target is a file of the data folder that PlexSync keeps itself, or the settings file.

    A link to one of them counts as it. `folder` is None if no data folder is known.
    """
    real, is_settings = Path(os.path.realpath(target)), os.path.realpath(target) == os.path.realpath(settings)
    is_inside = folder is not None and real.is_relative_to(os.path.realpath(folder))
    if is_settings or (is_inside and OWN.fullmatch(real.name)):
        raise Unusable(f"{target} is a file that PlexSync works with: name another file")

"""What is kept of the plugin's settings in Stash, for the time when Stash can't be asked.

No secret is kept, only that there was one.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from validation.config import SECRETS, PlexSyncConfig
from validation.sources import NOT_FROM_STASH, is_emptied


@dataclass(frozen=True)
class Kept:
    """What Stash said last: settings with their values, and the names of those whose values are not kept."""

    values: Mapping[str, object] = field(default_factory=dict)
    withheld: tuple[str, ...] = ()


def written(plugin_settings: Mapping[str, object]) -> str:
    """The text to keep; only what is a setting, and was set, gets into it."""
    stored = {
        name: value
        for name, value in sorted(plugin_settings.items())
        if name in PlexSyncConfig.model_fields
        and name not in NOT_FROM_STASH
        and value is not None
        and not is_emptied(value)
    }
    hidden = {name: value for name, value in stored.items() if name not in SECRETS}
    return json.dumps({"given": hidden, "withheld": [name for name in stored if name in SECRETS]})


def read(text: str) -> Kept | None:
    """What was kept; None when nothing was, or nothing that can be read."""
    try:
        document = json.loads(text)
        return Kept(dict(document["given"]), tuple(map(str, document["withheld"])))
    except (ValueError, KeyError, TypeError, RecursionError):
        return None

"""The target of an export: a file that only its owner can read, or standard output."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from plexsync.rules.servers.errors import Unusable
from plexsync.store.files.files import create, hidden_beside
from plexsync.store.files.own_files import check_target


@contextmanager
def output(target: str, *, replace: bool, folder: Path, settings: Path) -> Iterator[TextIO]:
    """Open the target: standard output for `-`, else a file of mode 0600 that gets its name when it is complete.

    It is no file that PlexSync works with, of its data folder or its settings. Raises Unusable.
    """
    if target == "-":
        yield sys.stdout
        return
    path = Path(target)
    # Unlike the methods of Path, these raise nothing for unreadable folders: opening reports the error.
    if not target or os.path.isdir(path):  # noqa: PTH112
        raise Unusable(f"{target} is a folder: name a file" if target else "name a file, or - for standard output")
    if os.path.exists(path) and not replace:  # noqa: PTH110
        raise Unusable(f"{path} exists already: name another file, or replace it with --force")
    check_target(path, folder, settings)
    try:
        with hidden_beside(path) as hidden:
            with os.fdopen(create(hidden), "w", encoding="utf-8") as out:
                yield out
                out.flush()
                os.fsync(out.fileno())
            hidden.replace(path)
    except OSError as error:
        raise Unusable(f"{path} can't be written: {error.strerror}") from error

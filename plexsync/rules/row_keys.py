"""The key of a row of the queue as you write it: `7` is scene 7, `tag:12` is tag 12."""

import re

from plexsync.rules.job import KINDS, Kind
from plexsync.rules.records import LAST_ID


def written(kind: str, id: int) -> str:
    """The key of a row as you write it: `7` is scene 7, `tag:12` is tag 12."""
    return str(id) if kind == Kind.SCENE else f"{kind}:{id}"


def key_of(text: str) -> tuple[str, int] | None:
    """Parse a key in the format of `written`; None if it is not a key."""
    matched = re.fullmatch(r"(?:([a-z]+):)?([0-9]{1,19})", text)
    if not matched or not 1 <= int(matched[2]) <= LAST_ID or (kind := matched[1] or "scene") not in KINDS:
        return None
    return kind, int(matched[2])

"""Which pictures Plex can show, and what is remembered of those it shows.

Stash's own stand-ins, where no picture was given, are drawings (SVG); what is no JPEG, PNG or WebP is none for Plex.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from plexsync.rules.item import PICTURES, Item
from plexsync.rules.plan_records import Memory, Pushing

# Plex answers 500 to more.
LARGEST = 10_000_000
# Stash tells in whole seconds when a thing changed. So long after such a moment it may have changed once more within it.
SAME_MOMENT = 2.0


def kind_of(content: bytes) -> str:
    """What the bytes are, by how they begin: `jpeg`, `png`, `webp`, `drawing`, or '' for anything else (a video, a page)."""
    if content.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "webp"
    start = content[:200].lstrip().lower()
    return "drawing" if start.startswith((b"<svg", b"<?xml")) else ""


def may_be_early(changed: str, date: str) -> bool:
    """Whether what was read at `date` (of that answer) may be older than what `changed` last, since both are one moment.

    Both by Stash's clock. Where they can't be understood they tell nothing, and no more is asked than that.
    """
    try:
        moment = datetime.fromisoformat(changed)
        read = parsedate_to_datetime(date)
    except ValueError:
        return False
    seconds = (read.replace(tzinfo=UTC) - (moment if moment.tzinfo else moment.replace(tzinfo=UTC))).total_seconds()
    return abs(seconds) <= SAME_MOMENT


def asked_for(wanted: Mapping[str, object], memory: Memory, pushing: Sequence[Pushing]) -> list[str]:
    """The pictures of an item of which it has to be known which one is shown."""
    return [
        name
        for name in PICTURES
        if wanted.get(name) or (name in wanted and name in memory) or any(name in push.fields for push in pushing)
    ]


def known_by_place(item: Item, name: str, memory: Memory) -> str | None:
    """The key of the picture that an item shows, if it is still shown at the address that is remembered; '' for none."""
    place = item.pictures.get(name, "")
    if not place:
        return ""
    past = memory.get(name)
    return next((key for key, where in past.ours.items() if where == place), None) if past else None


def placed(memory: Memory, item: Item) -> Memory:
    """The memory with the addresses of the pictures as they were just read, so that they need not be asked for again."""
    pictures = {
        name: replace(past, ours={str(past.left.value): item.pictures[name]})
        for name in PICTURES
        if (past := memory.get(name)) and item.pictures.get(name) and past.left.value == item.scalars.get(name)
    }
    return {**memory, **pictures} if pictures else memory

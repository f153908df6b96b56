"""The memory of an item's fields: their spelling, and whether a field is still as the last push left it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from plexsync.rules.item import LISTS, PICTURES, Item, beside_whom, field_key
from plexsync.rules.plan_records import Memory, Pushing, Remembered, Undone
from plexsync.rules.values import Held, Value, matches, same_value

OfField = TypeVar("OfField")


def named_fields(values: Mapping[str, Value], memory: Memory, pushing: Sequence[Pushing]) -> dict[str, None]:
    """Every field with a value, a memory or a push, in a stable order: Stash's spelling comes first."""
    return dict.fromkeys([*values, *memory, *(name for push in pushing for name in push.fields)])


def spelled_as_in_stash(
    values: Mapping[str, Value], memory: Memory, pushing: Sequence[Pushing]
) -> tuple[Memory, Sequence[Pushing]]:
    """The memory and the pushes, with fields beside cast members renamed to Stash's present spelling of the names."""
    names = named_fields(values, memory, pushing)
    if not any(map(beside_whom, names)):
        return memory, pushing
    spelt: dict[str, str] = {}
    for name in names:
        spelt.setdefault(field_key(name), name)

    def renamed(fields: Mapping[str, OfField]) -> dict[str, OfField]:
        anew: dict[str, OfField] = {}
        for name, content in fields.items():
            # If two spellings collide, the first one wins: it has the value from before PlexSync.
            anew.setdefault(spelt[field_key(name)], content)
        return anew

    return renamed(memory), [replace(push, fields=renamed(push.fields)) for push in pushing]


def put(memory: dict[str, Remembered], name: str, remembered: Remembered | None) -> None:
    """Set the memory of a field, or remove it if there is none."""
    if remembered is None:
        memory.pop(name, None)
    else:
        memory[name] = remembered


def said_value(remembered: Remembered | None) -> Value | None:
    """The value that Stash had at the last push of the field, or None."""
    return remembered.said if remembered else None


def is_released(name: str, remembered: Remembered) -> bool:
    """Whether nothing of PlexSync's is left in the field."""
    if name in LISTS:
        return not remembered.ours and not remembered.adopted and remembered.left.locked == remembered.found.locked
    return matches(name, remembered.left, remembered.found)


def released(remembered: Remembered, now: Held) -> Remembered:
    """The memory of a field that PlexSync no longer owns: its present value belongs to Plex."""
    return replace(remembered, left=now, found=now, ours={}, adopted=(), before=None)


def is_as_left(name: str, now: Held, remembered: Remembered) -> bool:
    """Whether Plex has the value that PlexSync left, and PlexSync's lock is still there."""
    return same_value(name, now.value, remembered.left.value) and (now.locked or not remembered.left.locked)


def is_untouched(name: str, now: Held, remembered: Remembered) -> bool:
    """Whether Plex has the value that PlexSync left, and no lock was added."""
    return same_value(name, now.value, remembered.left.value) and (remembered.left.locked or not now.locked)


def undone(memory: Memory) -> Undone:
    """How the item was taken back, by its memory."""
    return next((remembered.undone for remembered in memory.values() if remembered.undone), "")


def last_stamp(memory: Memory) -> int:
    """The item's stamp when any of its fields was last read; 0 if unknown."""
    return max((max(remembered.stamp, remembered.item_stamp) for remembered in memory.values()), default=0)


def is_older(item: Item, memory: Memory) -> bool:
    """Whether the item in Plex is older than the last push that was read back: Plex was restored."""
    return 0 < item.stamp < last_stamp(memory)


def stamped(memory: Memory, stamp: int) -> dict[str, Remembered]:
    """The memory of an item of which a field was read at this stamp."""
    return {
        name: replace(remembered, item_stamp=stamp)
        if stamp > max(remembered.stamp, remembered.item_stamp)
        else remembered
        for name, remembered in memory.items()
    }


def placed(memory: Memory, item: Item) -> Memory:
    """The memory with the pictures' present addresses, so that the pictures need not be requested again."""
    pictures = {
        name: replace(past, ours={str(past.left.value): item.pictures[name]})
        for name in PICTURES
        if (past := memory.get(name)) and item.pictures.get(name) and past.left.value == item.scalars.get(name)
    }
    return {**memory, **pictures} if pictures else memory

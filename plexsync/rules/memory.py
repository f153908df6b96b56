"""What is remembered of the fields of one item: spelling of its fields, and whether a field still is as it was left."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from plexsync.rules.item import LISTS, field_key
from plexsync.rules.plan_records import Memory, Pushing, Remembered
from plexsync.rules.values import Held, Value, matches, same_value

OfField = TypeVar("OfField")


def named_fields(values: Mapping[str, Value], memory: Memory, pushing: Sequence[Pushing]) -> dict[str, None]:
    """Every field that anything is known of, in a stable order: first as Stash spells it."""
    return dict.fromkeys([*values, *memory, *(name for push in pushing for name in push.fields)])


def spelled_as_in_stash(
    values: Mapping[str, Value], memory: Memory, pushing: Sequence[Pushing]
) -> tuple[Memory, Sequence[Pushing]]:
    """What is known and under way, beside each member of the cast under the spelling that Stash has for the name now."""
    spelt: dict[str, str] = {}
    for name in named_fields(values, memory, pushing):
        spelt.setdefault(field_key(name), name)

    def renamed(fields: Mapping[str, OfField]) -> dict[str, OfField]:
        anew: dict[str, OfField] = {}
        for name, content in fields.items():
            # Of two spellings the one that was known first knows what was there before us.
            anew.setdefault(spelt[field_key(name)], content)
        return anew

    return renamed(memory), [replace(push, fields=renamed(push.fields)) for push in pushing]


def put(memory: dict[str, Remembered], name: str, remembered: Remembered | None) -> None:
    if remembered is None:
        memory.pop(name, None)
    else:
        memory[name] = remembered


def said_value(remembered: Remembered | None) -> Value | None:
    return remembered.said if remembered else None


def is_released(name: str, remembered: Remembered) -> bool:
    """Whether nothing of ours is left in the field."""
    if name in LISTS:
        return not remembered.ours and not remembered.adopted and remembered.left.locked == remembered.found.locked
    return matches(name, remembered.left, remembered.found)


def released(remembered: Remembered, now: Held) -> Remembered:
    """From now on the field is as Plex has it, and nobody's but Plex's."""
    return replace(remembered, left=now, found=now, ours={}, adopted=(), before=None)


def is_as_left(name: str, now: Held, remembered: Remembered) -> bool:
    """Whether Plex has what we left, and no lock of ours is gone."""
    return same_value(name, now.value, remembered.left.value) and (now.locked or not remembered.left.locked)


def is_untouched(name: str, now: Held, remembered: Remembered) -> bool:
    """Whether Plex has what we left, under the lock that we left or none."""
    return same_value(name, now.value, remembered.left.value) and (remembered.left.locked or not now.locked)

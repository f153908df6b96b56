"""What is remembered of the collections of items, after one of the collections got another name in Plex.

Plex shows the new name on every item of the collection, so nothing that is remembered under the old name is gone.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from plexsync.rules.merge.plan_records import Memory, Pushing, Remembered, Sending
from plexsync.rules.merge.values import Held, Value
from plexsync.rules.words.text import fold

FIELD = "collection"


def added_names(memory: Memory, pushing: Iterable[Pushing]) -> set[str]:
    """The names of collections that PlexSync has added to an item, as Plex spells them, or was about to add."""
    names = set(memory[FIELD].ours.values()) if FIELD in memory else set()
    return names.union(*(push.fields[FIELD].adds for push in pushing if FIELD in push.fields))


def mentioning(names: Iterable[str]) -> Callable[[bytes], bool]:
    """A quick test of a stored document: False means that it has none of these folded names in its collections.

    A document in plain ASCII has a name in some case and spacing, if at all. Others are not tested.
    """
    field = f'"{FIELD}"'.encode()
    words = [max(filter(str.isalnum, name.split()), key=len, default="").encode() for name in names]

    def may_mention(document: bytes) -> bool:
        if field not in document:
            return False
        if not document.isascii():
            return True
        lower = document.lower()
        return any(word in lower for word in words)

    return may_mention


def renamed_memory(memory: Memory, names: Mapping[str, str]) -> Memory:
    """The memory of an item after collections were renamed: `names` has the new names by the old ones, folded.

    Of an item that was undone, what Stash said then stays: the undo lasts until Stash says something else.
    """
    if FIELD not in memory:
        return memory
    return {**memory, FIELD: _rename_in_memory(memory[FIELD], _renaming(names))}


def renamed_pushing(pushing: Pushing, names: Mapping[str, str]) -> Pushing:
    """A push of unknown result after collections were renamed."""
    if FIELD not in pushing.fields:
        return pushing
    return replace(pushing, fields={**pushing.fields, FIELD: _sending(pushing.fields[FIELD], _renaming(names))})


def _renaming(names: Mapping[str, str]) -> Callable[[Value], Value]:
    def renamed(value: Value) -> Value:
        if isinstance(value, str):
            return names.get(fold(value), value)
        spellings: dict[str, str] = {}
        for name in value:
            now = names.get(fold(name), name)
            spellings.setdefault(fold(now), now)
        return tuple(spellings.values())

    return renamed


def _rename_in_memory(remembered: Remembered, renamed: Callable[[Value], Value]) -> Remembered:
    drift = remembered.drift
    if drift and drift.replaced:
        drift = replace(drift, replaced=_rename_in_field(drift.replaced, renamed))
    entry = replace(
        remembered,
        left=_rename_in_field(remembered.left, renamed),
        found=_rename_in_field(remembered.found, renamed),
        ours={_name(mine, renamed): _name(spelling, renamed) for mine, spelling in remembered.ours.items()},
        adopted=_names(remembered.adopted, renamed),
        drift=drift,
    )
    if remembered.undone:
        return entry
    before = remembered.before if remembered.before is None else renamed(remembered.before)
    return replace(entry, said=renamed(remembered.said), before=before)


def _sending(sending: Sending, renamed: Callable[[Value], Value]) -> Sending:
    return replace(
        sending,
        said=sending.said if sending.said is None or sending.undone else renamed(sending.said),
        sent=_rename_in_field(sending.sent, renamed),
        found=_rename_in_field(sending.found, renamed),
        before=_rename_in_field(sending.before, renamed),
        adds=_names(sending.adds, renamed),
        removes=_names(sending.removes, renamed),
        was=_rename_in_memory(sending.was, renamed) if sending.was else None,
        adopts=_names(sending.adopts, renamed),
    )


def _rename_in_field(held: Held, renamed: Callable[[Value], Value]) -> Held:
    return replace(held, value=renamed(held.value))


def _names(names: tuple[str, ...], renamed: Callable[[Value], Value]) -> tuple[str, ...]:
    return tuple(renamed(names))


def _name(name: str, renamed: Callable[[Value], Value]) -> str:
    return str(renamed(name))

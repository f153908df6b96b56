"""List fields, member by member: which names to add, which to remove, and which members belong to PlexSync.

A member that was in Plex before PlexSync wrote the list is never removed, unless you took such members over
(`Policy.take_over`). A member that someone removes in Plex stays away.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from plexsync.rules.item import Item, beside_whom
from plexsync.rules.merge.plan_records import Change, Decision, Memory, Note, Remembered, Sending
from plexsync.rules.merge.values import Held, Value, alike_text, joined_names, name_keys, without_names
from plexsync.rules.words.text import fold


def list_decision(
    name: str,
    names: tuple[str, ...],
    now: Held,
    remembered: Remembered | None,
    *,
    take_over: bool = False,
    adopt_all: bool = False,
) -> Decision:
    """The decision for a list field: the members to add and to remove, the lock, and what to remember.

    `take_over`: members that were there before PlexSync belong to it from now on; `adopt_all`: all that are there now.
    """
    if not names and (remembered is None or _is_for_undo(remembered)):
        return Decision(remembered)
    remembered = with_members_left(remembered, now)
    original = remembered.found if remembered else now
    adopts: tuple[str, ...] = ()
    if names and adopt_all:
        adopts = without_names(now.value, tuple(remembered.ours.values()) if remembered else ())
    elif names and take_over:
        adopts = _adoptable(now, original, remembered)
    # Names that are missing in Plex are added if they are new in Stash since the last push; at first, and when PlexSync's
    # lock is gone, all of them are.
    adds = missing = without_names(names, member_keys(now, remembered))
    has_lock = remembered is not None and not is_lock_gone(remembered, now)
    if remembered and has_lock:
        adds = without_names(missing, name_keys(remembered.said))
    if remembered and remembered.away and not adopt_all:
        adds = without_names(adds, remembered.away)
    removes = removed_members(names, now, remembered, adopts)
    lock = bool(names) or original.locked
    # If Plex ignored a lock once, the lock is not sent again until something else is sent.
    settled = lock == now.locked or (bool(names) and has_lock)
    note = _list_note(name, now, remembered, without_names(missing, adds)) if remembered else None
    if not adds and not removes and settled:
        return Decision(_list_memory(names, now, original, remembered, adopts), note=note)
    sent = Held((*without_names(now.value, removes), *adds), lock)
    return sending_list(remembered, Sending(names or None, sent, original, now, adds, removes, adopts=adopts), note)


def sending_list(remembered: Remembered | None, sending: Sending, note: Note | None = None) -> Decision:
    """The decision to add and remove the members of a list that this says, under its lock.

    The lock is always sent: Plex locks every list that an edit touches, unless the edit says otherwise.
    """
    adds, removes, sent = sending.adds, sending.removes, sending.sent
    change = Change(sent.value if adds or removes else None, sent.locked, adds, removes)
    return Decision(remembered, change, sending, note)


def born_list(names: tuple[str, ...], now: Held) -> Remembered:
    """The memory of a list of an item that has asked PlexSync since it is there: its members are PlexSync's.

    In a list that you have locked since, only those that Stash has.
    """
    wanted = name_keys(names)
    members = tuple(name for name in now.value if not now.locked or fold(name) in wanted)
    return Remembered((), now, Held((), locked=False), owned_names(members, names))


def _list_memory(
    names: tuple[str, ...], now: Held, original: Held, remembered: Remembered | None, adopts: tuple[str, ...]
) -> Remembered | None:
    """The memory of a list that needs no edit."""
    if not names:
        return emptied_list(remembered, now) if remembered else None
    updated = replace(remembered, said=names) if remembered else Remembered(names, now, original)
    if not adopts:
        return updated
    return replace(
        updated, ours={**updated.ours, **owned_names(adopts, names)}, adopted=joined_names(updated.adopted, adopts)
    )


def _list_note(name: str, now: Held, remembered: Remembered, away: tuple[str, ...]) -> Note | None:
    """The note about a list. `away`: the names that Stash has, and that stay away from Plex."""
    if is_lock_gone(remembered, now) and not remembered.away:
        return Note(name, "reverted", "Plex no longer has our lock; what Stash says is added again")
    was_there = remembered.ours or remembered.away or name_keys(remembered.said) & name_keys(remembered.left.value)
    if away and not was_there:
        return Note(name, "kept", f"Plex did not take them, and has the list as it was: {', '.join(away)}")
    if away:
        return Note(name, "person", f"taken away in Plex since they were written; they stay away: {', '.join(away)}")
    return None


def removed_members(
    names: tuple[str, ...], now: Held, remembered: Remembered | None, adopts: tuple[str, ...] = ()
) -> tuple[str, ...]:
    """The members, as Plex spells them, that PlexSync added or adopts now and that Stash no longer has."""
    members = {**(remembered.ours if remembered else {}), **owned_names(adopts, names)}
    if not members:
        return ()
    wanted = name_keys(names)
    staying = wanted | {fold(spelling) for mine, spelling in members.items() if fold(mine) in wanted}
    going = {fold(spelling) for spelling in members.values()} - staying
    return tuple(name for name in now.value if fold(name) in going)


def member_keys(now: Held, remembered: Remembered | None) -> frozenset[str]:
    """The keys of the members in Plex, both by Plex's names and by the names that PlexSync sent."""
    present = name_keys(now.value)
    if remembered is None:
        return present
    return present | {fold(mine) for mine, spelling in remembered.ours.items() if fold(spelling) in present}


def with_members_left(remembered: Remembered | None, now: Held) -> Remembered | None:
    """The memory without members that someone removed.

    While PlexSync's lock is gone, Plex itself removed them, and they still belong to PlexSync.
    """
    if remembered is None or is_lock_gone(remembered, now):
        return remembered
    present = name_keys(now.value)
    members = {mine: spelling for mine, spelling in remembered.ours.items() if fold(spelling) in present}
    # A taken-over member that the last push left in Plex is missing: you removed it, and an undo does not restore it.
    # If it comes back, it is yours, and no longer counts as there before PlexSync.
    away = name_keys(remembered.left.value) - present
    adopted = tuple(name for name in remembered.adopted if fold(name) not in away)
    original = replace(remembered.found, value=without_names(remembered.found.value, away))
    if (members, adopted, original) == (remembered.ours, remembered.adopted, remembered.found):
        return remembered
    return replace(remembered, ours=members, adopted=adopted, found=original)


def is_lock_gone(remembered: Remembered, now: Held) -> bool:
    """Whether the lock of the last push is no longer set in Plex."""
    return remembered.left.locked and not now.locked


def _adoptable(now: Held, original: Held, remembered: Remembered | None) -> tuple[str, ...]:
    """The members that were there before PlexSync, are still there, and never belonged to PlexSync.

    A member that PlexSync removed and that is back is yours.
    """
    members = name_keys((*remembered.ours.values(), *remembered.adopted)) if remembered else frozenset()
    before = name_keys(original.value) - members
    return tuple(name for name in now.value if fold(name) in before)


def owned_names(adopts: Sequence[str], names: Sequence[str]) -> dict[str, str]:
    """Adopted members by their name in Stash: a name that Plex cut maps to the full name."""
    return {next((name for name in names if alike_text(spelling, name)), spelling): spelling for spelling in adopts}


def without_adopted(remembered: Remembered) -> Remembered:
    """The memory as if the taken-over members had never belonged to PlexSync."""
    adopted = name_keys(remembered.adopted)
    return replace(
        remembered,
        ours={mine: spelling for mine, spelling in remembered.ours.items() if fold(spelling) not in adopted},
    )


def still_adopted(remembered: Remembered | None, sent: Sending, now: Held) -> tuple[str, ...]:
    """The members taken over earlier, without those that you removed after the last push."""
    if remembered is None:
        return ()
    away = name_keys(remembered.left.value) - name_keys(now.value) - name_keys(sent.removes)
    return tuple(name for name in remembered.adopted if fold(name) not in away)


def emptied_list(remembered: Remembered, now: Held) -> Remembered | None:
    """The memory of a list that is empty in Stash: only the taken-over members, so that an undo can restore them."""
    if not remembered.adopted:
        return None
    return replace(remembered, said=(), left=Held(now.value, remembered.found.locked), ours={})


def _is_for_undo(remembered: Remembered) -> bool:
    """Whether the memory of a list holds only taken-over members."""
    return (
        bool(remembered.adopted)
        and not remembered.ours
        and not remembered.said
        and remembered.left.locked == remembered.found.locked
    )


# --- fields shown beside a cast member come and go with that member ---------------------------------------------------


def cast_after(item: Item, steps: Mapping[str, Decision]) -> frozenset[str]:
    """The keys of the members that the cast will have after these steps."""
    change = steps["actor"].change if "actor" in steps else None
    return name_keys(item.lists.get("actor", ()) if change is None or change.value is None else change.value)


def beside_cast(values: Mapping[str, Value], memory: Memory) -> dict[str, Value]:
    """The values to show beside the cast; '' for members that Stash no longer has."""
    wanted = {name: about for name in values if (about := beside_whom(name))}
    on = {role for role, _ in wanted.values()}
    gone = (name for name in memory if (about := beside_whom(name)) and about[0] in on and name not in wanted)
    return {**dict.fromkeys(gone, ""), **{name: values[name] for name in wanted}}


def is_outside_cast(name: str, cast: Collection[str]) -> bool:
    """Whether a field is shown beside someone who is not in the cast."""
    about = beside_whom(name)
    return about is not None and fold(about[1]) not in cast

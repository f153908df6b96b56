"""The result of a push whose end is unknown, found field by field from the present item."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from plexsync.rules.item import LISTS, PICTURES, Item
from plexsync.rules.list_members import still_adopted
from plexsync.rules.memory import arrived_members, learnt_list, learnt_scalar, released, said_value
from plexsync.rules.plan_records import Memory, Pushing, Remembered, Sending
from plexsync.rules.text import fold
from plexsync.rules.values import (
    Held,
    Value,
    alike_value,
    held,
    joined_names,
    matches,
    name_keys,
    names_present,
    same_value,
    without_names,
)


def resolved_field(
    name: str, values: Mapping[str, Value], item: Item, memory: Memory, pushing: Sequence[Pushing]
) -> Remembered | None:
    """The memory of a field after its unfinished pushes are resolved."""
    remembered = memory.get(name)
    sendings = [push.fields[name] for push in pushing if name in push.fields]
    now = held(item, name)
    if not sendings:
        return remembered
    if remembered and matches(name, now, remembered.left):
        return _after_repair(name, remembered, sendings, now)
    if remembered and name in PICTURES and any(_is_half_back(sent, now) for sent in sendings):
        return replace(remembered, left=now)
    for sent in reversed(sendings):
        if _landed(name, sent, now):
            return _still_undone(remembered, _as_settled(remembered, sent, now), now)
    if name in LISTS:
        return _still_undone(remembered, _after_partial_push(remembered, sendings, now), now)
    if remembered and remembered.undone:
        return remembered
    for sent in reversed(sendings):
        if (
            sent.said is not None
            and not sent.undone
            and _is_edited_since(name, sent, remembered, now, values.get(name, sent.said))
        ):
            return Remembered(sent.said, sent.sent, sent.found)
    return remembered


def _is_half_back(sent: Sending, now: Held) -> bool:
    """Whether a picture was restored, which locks it, but the edit that removes that lock did not get through."""
    was_moved = sent.sent.value != sent.before.value
    return was_moved and now.value == sent.sent.value and now.locked and not sent.sent.locked


def _still_undone(remembered: Remembered | None, learnt: Remembered | None, now: Held) -> Remembered | None:
    """The memory after a push that was under way when the field was undone: its changes have to be taken back too."""
    if remembered is None or not remembered.undone:
        return learnt
    if learnt is None:
        return released(remembered, now)
    return replace(learnt, before=None).undo(remembered.said, remembered.undone)


def _after_repair(name: str, remembered: Remembered, sendings: Sequence[Sending], now: Held) -> Remembered:
    """The memory of a field that is as last read back. Only a list can have been changed and repaired since then."""
    if name not in LISTS:
        return remembered
    repairs = [sent for sent in sendings if matches(name, now, sent.sent) and not matches(name, now, sent.before)]
    members, adopted = dict(remembered.ours), remembered.adopted
    for sent in repairs:
        members |= arrived_members(sent, now)
        adopted = joined_names(adopted, _adopted_and_removed(sent, now))
    return (
        remembered
        if (members, adopted) == (remembered.ours, remembered.adopted)
        else replace(remembered, ours=members, adopted=adopted)
    )


def _landed(name: str, sent: Sending, now: Held) -> bool:
    """Whether Plex has what the push sent, in whatever spelling."""
    if matches(name, now, sent.sent):
        return True
    return alike_value(name, now.value, sent.sent.value) and not matches(name, now, sent.before)


def _as_settled(remembered: Remembered | None, sent: Sending, now: Held) -> Remembered | None:
    """The memory as if the push had been read back, with the lock that was sent."""
    result = Held(now.value, sent.sent.locked)
    if isinstance(now.value, tuple):
        return learnt_list(remembered, sent, result)
    return learnt_scalar(sent, result)


def _is_edited_since(name: str, sent: Sending, remembered: Remembered | None, now: Held, value: Value | None) -> bool:
    """Whether you edited the field after the push was planned; then the push counts as finished first.

    Only if Stash still has the pushed value, and no later push changed the memory.
    """
    if sent.said != value or said_value(sent.was) != said_value(remembered):
        return False
    return (
        now.locked
        and not same_value(name, now.value, sent.before.value)
        and not alike_value(name, now.value, sent.sent.value)
    )


def _after_partial_push(remembered: Remembered | None, sendings: Sequence[Sending], now: Held) -> Remembered | None:
    """The memory of a list that pushes changed in part, or that others changed since, found member by member."""
    learnt = remembered
    for sent in sendings:
        arrived, removed, adopted_away = (
            _new_members(remembered, sent, now),
            _removed_since(remembered, sent, now),
            _adopted_and_removed(sent, now),
        )
        if arrived or removed or adopted_away:
            before = name_keys(sent.before.value)
            previous = learnt.said if learnt else tuple(name for name in sent.said or () if fold(name) in before)
            members = {**(learnt.ours if learnt else {}), **arrived}
            result, original = Held(now.value, sent.sent.locked), learnt.found if learnt else sent.found
            adopted = joined_names(still_adopted(learnt, sent, now), adopted_away)
            learnt = Remembered(
                without_names((*previous, *arrived), removed), result, original, members, adopted=adopted
            )
    return learnt


def _new_members(remembered: Remembered | None, sent: Sending, now: Held) -> dict[str, str]:
    """PlexSync's members that a push can have added and that were missing at the last read."""
    before = name_keys(remembered.left.value) if remembered else frozenset[str]()
    return {name: spelling for name, spelling in arrived_members(sent, now).items() if fold(spelling) not in before}


def _adopted_and_removed(sent: Sending, now: Held) -> tuple[str, ...]:
    """The members that a push adopted only to remove them, and that are gone."""
    return without_names(names_present(sent.adopts, sent.removes), name_keys(now.value))


def _removed_since(remembered: Remembered | None, sent: Sending, now: Held) -> tuple[str, ...]:
    """The planned removals that are gone and were there at the last read, by PlexSync's names and by Plex's."""
    if remembered is None:
        return ()
    gone = (name_keys(sent.removes) - name_keys(now.value)) & name_keys(remembered.left.value)
    return tuple(gone | {fold(name) for name, spelling in remembered.ours.items() if fold(spelling) in gone})

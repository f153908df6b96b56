"""Taking an item back (docs/undo.md): restoring its values from before PlexSync, or releasing its locks.

The memory of such an item is `undone` as long as Stash's values stay as they were at that moment.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from itertools import chain

from plexsync.rules.item import FIELDS, LIST_FIELDS, Item, is_lockless, is_of_person
from plexsync.rules.merge.drift import still_kept
from plexsync.rules.merge.list_members import (
    cast_after,
    is_lock_gone,
    is_outside_cast,
    member_keys,
    removed_members,
    sending_list,
    with_members_left,
    without_adopted,
)
from plexsync.rules.merge.memory import give_up, is_released, is_untouched, restoring, spelled_as_in_stash, undo_mode
from plexsync.rules.merge.plan_records import Change, Decision, Memory, Note, Plan, Pushing, Remembered, Sending
from plexsync.rules.merge.run_values import EarlierValue
from plexsync.rules.merge.taken_back import TakenBack
from plexsync.rules.merge.values import (
    Held,
    Value,
    empty_value,
    held_field,
    matches,
    matches_sent,
    name_keys,
    same_value,
    without_names,
)
from plexsync.rules.words.text import fold

CHANGED = "changed in Plex since it was written; left alone"


def undo(
    memory: Memory, pushing: Sequence[Pushing], values: Mapping[str, Value], on: Collection[str], mode: TakenBack
) -> Memory:
    """The memory of an item to take back: every field is undone, and `said` is Stash's present value.

    `values` should have every field, disabled ones too; a scene that is gone has none. Fields that are `on` and have no
    memory are recorded too, so that they are not written either.
    """
    memory, pushing = spelled_as_in_stash(values, memory, pushing)
    sent = {name: empty_value(name) for push in pushing for name in push.fields}
    marked: dict[str, Remembered] = {}
    for name in dict.fromkeys((*FIELDS, *memory, *sent, *values)):
        if remembered := memory.get(name):
            marked[name] = remembered.undo(values.get(name, remembered.said), mode)
        elif name in on or name in sent:
            empty = Held(empty_value(name), locked=False)
            marked[name] = Remembered(values.get(name, empty.value), empty, empty, undone=mode)
    return marked


def undo_again(
    memory: Memory, pushing: Sequence[Pushing], values: Mapping[str, Value], on: Collection[str], mode: TakenBack
) -> Memory:
    """The same of an item that was undone before: what is restored stays."""
    backs = {name: remembered.back for name, remembered in memory.items() if remembered.undone and remembered.back}
    marked = undo(memory, pushing, values, on, mode)
    return {name: replace(entry, back=backs.get(name)) for name, entry in marked.items()}


def undo_run(
    memory: Memory,
    pushing: Sequence[Pushing],
    values: Mapping[str, Value],
    on: Collection[str],
    earlier: Mapping[str, EarlierValue],
) -> Memory:
    """The same of an item of which only the writes of one run are taken back. `earlier`: what its fields had before."""
    forgotten = {
        name: Remembered(values.get(name, empty_value(name)), before.after, before.after)
        for name, before in earlier.items()
        if before.after
    }
    marked = undo({**memory, **forgotten}, pushing, values, on, TakenBack.UNDO)
    return {name: _marked_for_run(name, entry, earlier.get(name)) for name, entry in marked.items()}


def _marked_for_run(name: str, marked: Remembered, earlier: EarlierValue | None) -> Remembered:
    if earlier is None:
        return replace(marked, back=marked.left)
    if earlier.is_own or name in LIST_FIELDS:
        return replace(marked, back=earlier.held)
    return replace(marked, found=earlier.held)


def away_since(remembered: Remembered, item: Item, fixed: tuple[str, ...], pushing: Sequence[Pushing]) -> Remembered:
    """The memory of an item's labels with those of its `fixed` names that someone removed in Plex: they stay away.

    One that is there again does not. A memory of nothing else than such names begins with what is there now.
    """
    now, nothing = held_field(item, "label"), Held((), locked=False)
    if remembered.left == nothing == remembered.found and not (
        remembered.ours or remembered.drift or remembered.undone
    ):
        remembered = replace(remembered, left=now, found=now)
    away = name_keys(remembered.away)
    if not is_lock_gone(remembered, now):
        by_us = [sent.removes for push in pushing if (sent := push.fields.get("label"))]
        gone = name_keys(remembered.said) - name_keys(tuple(chain.from_iterable(by_us)))
        # While it is undone, it may say what was never written.
        away |= gone & name_keys((*remembered.ours, *remembered.left.value)) if remembered.undone else gone
    away -= member_keys(now, remembered)
    return replace(remembered, away=tuple(name for name in fixed if fold(name) in away))


def is_undone(memory: Memory, values: Mapping[str, Value]) -> bool:
    """Whether an item stays taken back: it was undone, and `values` are what Stash had then.

    An item taken back only because its scene was gone in Stash is synced again as soon as there is a scene (`values`).
    """
    mode = undo_mode(memory)
    if not mode or (mode == TakenBack.GONE and values):
        return False
    spelt, _ = spelled_as_in_stash(values, memory, ())
    return not any(_is_news(value, spelt[name].said) for name, value in values.items() if name in spelt)


def is_taken_back(memory: Memory) -> bool:
    """Whether an undone item has nothing of PlexSync's left, as far as is known."""
    return bool(undo_mode(memory)) and not ours_in(memory)


def ours_in(memory: Memory) -> list[str]:
    """The fields of an undone item that still have something of PlexSync's, as far as is known."""
    return [name for name, remembered in memory.items() if not is_released(name, remembered)]


def begun_anew(memory: Memory) -> Memory:
    """The memory of an item to sync again, whatever was undone before. What still belongs to PlexSync in it stays so."""
    return {name: fresh for name, remembered in memory.items() if (fresh := _resume_field(name, remembered))}


def shows_our_hand(item: Item, memory: Memory, pushing: Sequence[Pushing]) -> bool:
    """Whether the item has a value that PlexSync left or sent, under the lock that came with it: it is the known item."""
    left = [(name, remembered.left) for name, remembered in memory.items() if not is_lockless(name)]
    sent = [(name, sending.sent) for push in pushing for name, sending in push.fields.items() if not is_lockless(name)]
    expectations = [expected for name, expected in left if matches(name, held_field(item, name), expected)]
    expectations += [expected for name, expected in sent if matches_sent(name, held_field(item, name), expected)]
    return any(expected.locked and expected.value for expected in expectations)


def _is_news(value: Value, previous: Value) -> bool:
    return name_keys(value) != name_keys(previous) if isinstance(value, tuple) else value != previous


def _resume_field(name: str, remembered: Remembered) -> Remembered | None:
    if not remembered.undone:
        return remembered
    if is_released(name, remembered):
        return still_kept(name, None, remembered)
    if name in LIST_FIELDS:
        # Stash's members at the undo may never have been added; PlexSync's own members were.
        return replace(remembered, said=tuple(remembered.ours), undone=TakenBack.NO, before=None, back=None)
    return replace(remembered, undone=TakenBack.NO, back=None)


def take_back_plan(values: Mapping[str, Value], item: Item, memory: Memory, resolved: Memory) -> Plan:
    """The plan that leaves nothing of PlexSync's in the item, disabled fields included."""
    mode = undo_mode(memory)
    marked = {name: replace(remembered, undone=remembered.undone or mode) for name, remembered in resolved.items()}
    new = {name: value for name, value in values.items() if name not in marked}
    marked |= {
        name: Remembered(value, held_field(item, name), held_field(item, name), undone=mode)
        for name, value in new.items()
    }
    steps = {name: _undo_decision(name, held_field(item, name), remembered) for name, remembered in marked.items()}
    cast = cast_after(item, steps)
    for name in [name for name in steps if is_outside_cast(name, cast)]:
        # The field goes with the cast member that it is shown beside.
        steps[name] = Decision(give_up(marked[name], Held("", locked=False)))
    return Plan(
        edit={name: step.change for name, step in steps.items() if step.change},
        memory={name: step.memory for name, step in steps.items() if step.memory},
        sending={name: replace(step.sending, was=marked[name]) for name, step in steps.items() if step.sending},
        notes=tuple(step.note for step in steps.values() if step.note),
    )


def _undo_decision(name: str, now: Held, remembered: Remembered) -> Decision:
    """The decision for a field that is taken back. A value that you set since then stays."""
    if remembered.back:
        return _back_to_before_run(name, now, remembered, remembered.back)
    if is_released(name, remembered):
        return Decision(remembered)
    if isinstance(now.value, tuple):
        return _undo_list(name, now, remembered)
    original = remembered.found
    if not is_untouched(name, now, remembered):
        differs = not same_value(name, now.value, original.value)
        note = Note(name, "person", CHANGED) if differs else None
        return Decision(give_up(remembered, now), note=note)
    if remembered.undone == TakenBack.RELEASE or is_of_person(name):
        lock = _lock_taken_off(name, now, remembered)
        change = None if lock is None else Change(None, lock)
    else:
        change = restoring(name, now, original)
    if change is None:
        return Decision(give_up(remembered, now))
    value = now.value if change.value is None else change.value
    sent = Held(value, now.locked if change.lock is None else change.lock)
    return Decision(remembered, change, Sending(remembered.said, sent, original, now, undone=remembered.undone))


def _back_to_before_run(name: str, now: Held, remembered: Remembered, back: Held) -> Decision:
    """The decision for a field that becomes what it was before a run. A value that you set since then stays."""
    if isinstance(now.value, tuple):
        return _list_before_run(now, remembered, back)
    if not is_untouched(name, now, remembered):
        was_meant = not matches(name, remembered.left, back) and not same_value(name, now.value, back.value)
        return Decision(remembered, note=Note(name, "person", CHANGED) if was_meant else None)
    change = None if is_of_person(name) else restoring(name, now, back)
    if change is None:
        return Decision(remembered)
    sent = Held(now.value if change.value is None else change.value, now.locked if change.lock is None else change.lock)
    return Decision(remembered, change, Sending(remembered.said, sent, remembered.found, now, undone=remembered.undone))


def _list_before_run(now: Held, remembered: Remembered, back: Held) -> Decision:
    """The decision for a list that becomes what it was before a run: what was added since goes, what was removed returns."""
    current = with_members_left(remembered, now) or remembered
    removes = removed_members(tuple(back.value), now, current)
    adds = without_names(back.value, name_keys(now.value) | name_keys(remembered.left.value))
    lock = back.locked if now.locked == remembered.left.locked else now.locked
    if not removes and not adds and lock == now.locked:
        return Decision(current)
    sent = Held((*without_names(now.value, removes), *adds), lock)
    sending = Sending(remembered.said, sent, current.found, now, adds, removes, undone=remembered.undone)
    return sending_list(current, sending)


def _undo_list(name: str, now: Held, remembered: Remembered) -> Decision:
    """The decision for a list that is taken back: PlexSync's members and its lock are removed.

    Members and locks that others added or removed stay as they are. Members that were taken over from before PlexSync
    are restored.
    """
    original = remembered.found
    release = remembered.undone == TakenBack.RELEASE
    current = with_members_left(remembered, now) or remembered
    removes = () if release else removed_members((), now, without_adopted(current))
    # Restore only what PlexSync removed. What the last push left and is missing now, others removed.
    adds = () if release else without_names(current.adopted, name_keys(now.value) | name_keys(remembered.left.value))
    if release:
        lock = now.locked and _lock_taken_off(name, now, remembered) is None
    else:
        lock = original.locked if now.locked == remembered.left.locked else now.locked
    if not removes and not adds and lock == now.locked:
        return Decision(give_up(remembered, now))
    sent = Held((*without_names(now.value, removes), *adds), lock)
    return sending_list(current, Sending(remembered.said, sent, original, now, adds, removes, undone=remembered.undone))


def _lock_taken_off(name: str, now: Held, remembered: Remembered) -> bool | None:
    """The lock to send if the value stays: off if the lock is PlexSync's, else none."""
    is_ours = remembered.left.locked and not remembered.found.locked
    return False if is_ours and now.locked and not is_lockless(name) else None

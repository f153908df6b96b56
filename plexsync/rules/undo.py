"""Taking an item back (docs/undo.md): its values before PlexSync are restored, or its locks released.

The memory of such an item is `undone`, for as long as Stash says what it said at that moment.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from plexsync.rules.cast import cast_after, is_outside_cast
from plexsync.rules.item import FIELDS, LISTS, Item, is_lockless, is_of_person
from plexsync.rules.list_members import removed_members, with_members_left, without_adopted
from plexsync.rules.memory import is_as_left, is_released, is_untouched, released, spelled_as_in_stash
from plexsync.rules.plan_records import Change, Decision, Memory, Note, Plan, Pushing, Remembered, Sending, Undone
from plexsync.rules.values import Held, Value, empty_value, held, matches, name_keys, same_value, without_names


def undo(
    memory: Memory, pushing: Sequence[Pushing], values: Mapping[str, Value], on: Collection[str], mode: Undone
) -> Memory:
    """The memory of an item that is to be taken back: every field is undone, and `said` is what Stash says now.

    `values` should have every field, also those that are switched off; a scene that is gone has none. Fields that are `on`
    and of which nothing is remembered are noted too: of them nothing is to be written either.
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


def undone(memory: Memory) -> Undone:
    """How our hand was taken off an item, by what is remembered of it."""
    return next((remembered.undone for remembered in memory.values() if remembered.undone), "")


def is_undone(memory: Memory, values: Mapping[str, Value]) -> bool:
    """Whether an item stays as it was before us: it was taken back, and `values` are what Stash said then.

    What was taken back only because Stash had lost its scene is brought in step as soon as there is one (`values`).
    """
    mode = undone(memory)
    if not mode or (mode == "gone" and values):
        return False
    spelt, _ = spelled_as_in_stash(values, memory, ())
    return not any(_is_news(value, spelt[name].said) for name, value in values.items() if name in spelt)


def is_taken_back(memory: Memory) -> bool:
    """Whether nothing of ours is left in an item that was undone, as far as we know."""
    return bool(undone(memory)) and not ours_in(memory)


def ours_in(memory: Memory) -> list[str]:
    """The fields of an item that was undone in which something of ours is left, as far as we know."""
    return [name for name, remembered in memory.items() if not is_released(name, remembered)]


def begun_anew(memory: Memory) -> Memory:
    """The memory of an item that is to be kept in step, whatever was undone before; what is still ours in it stays ours."""
    return {name: fresh for name, remembered in memory.items() if (fresh := _resumed(name, remembered))}


def shows_our_hand(item: Item, memory: Memory, pushing: Sequence[Pushing]) -> bool:
    """Whether a value that we left or sent stands there under the lock that came with it: it is the item that we know."""
    lefts = [(name, remembered.left) for name, remembered in memory.items()]
    lefts += [(name, sent.sent) for push in pushing for name, sent in push.fields.items()]
    return any(
        expected.locked and expected.value and not is_lockless(name) and matches(name, held(item, name), expected)
        for name, expected in lefts
    )


def _is_news(value: Value, previous: Value) -> bool:
    return name_keys(value) != name_keys(previous) if isinstance(value, tuple) else value != previous


def _resumed(name: str, remembered: Remembered) -> Remembered | None:
    if not remembered.undone:
        return remembered
    if is_released(name, remembered):
        return None
    if name in LISTS:
        # What Stash said at the undo may never have been added; members of ours were.
        return replace(remembered, said=tuple(remembered.ours), undone="", before=None)
    return replace(remembered, undone="")


def with_earlier_value(name: str, remembered: Remembered, now: Held) -> Remembered:
    """Where what we left still stands, what Stash said at an undo is news; what a person has put there instead is kept."""
    if remembered.before is None:
        return remembered
    return replace(
        remembered, said=remembered.before if is_as_left(name, now, remembered) else remembered.said, before=None
    )


def take_back_plan(values: Mapping[str, Value], item: Item, memory: Memory, resolved: Memory) -> Plan:
    """What to do so that nothing of ours is left in the item, also in fields that are switched off."""
    mode = undone(memory)
    marked = {name: replace(remembered, undone=remembered.undone or mode) for name, remembered in resolved.items()}
    new = {name: value for name, value in values.items() if name not in marked}
    marked |= {name: Remembered(value, held(item, name), held(item, name), undone=mode) for name, value in new.items()}
    steps = {name: _undo_decision(name, held(item, name), remembered) for name, remembered in marked.items()}
    cast = cast_after(item, steps)
    for name in [name for name in steps if is_outside_cast(name, cast)]:
        # It goes with the member that it is shown beside.
        steps[name] = Decision(released(marked[name], Held("", locked=False)))
    return Plan(
        edit={name: step.change for name, step in steps.items() if step.change},
        memory={name: step.memory for name, step in steps.items() if step.memory},
        sending={name: replace(step.sending, was=marked[name]) for name, step in steps.items() if step.sending},
        notes=tuple(step.note for step in steps.values() if step.note),
    )


def _undo_decision(name: str, now: Held, remembered: Remembered) -> Decision:
    """A field of which nothing of ours is to be left; what a person has put there since stays."""
    if is_released(name, remembered):
        return Decision(remembered)
    if isinstance(now.value, tuple):
        return _undo_list(name, now, remembered)
    original = remembered.found
    if not is_untouched(name, now, remembered):
        kept = not same_value(name, now.value, original.value)
        note = Note(name, "person", "changed in Plex since it was written; left alone") if kept else None
        return Decision(released(remembered, now), note=note)
    if remembered.undone == "release" or is_of_person(name):
        value, lock = None, _lock_taken_off(name, now, remembered)
    else:
        # A title never becomes empty.
        unchanged = same_value(name, now.value, original.value) or (name == "title" and not original.value)
        value = None if unchanged else original.value
        lock = None if is_lockless(name) or now.locked == original.locked else original.locked
    if value is None and lock is None:
        return Decision(released(remembered, now))
    sent = Held(now.value if value is None else value, now.locked if lock is None else lock)
    return Decision(
        remembered, Change(value, lock), Sending(remembered.said, sent, original, now, undone=remembered.undone)
    )


def _undo_list(name: str, now: Held, remembered: Remembered) -> Decision:
    """Our members go, and our lock; the members and the lock that others have put there or taken off stay so.

    What was there before us and was taken over comes back.
    """
    original = remembered.found
    release = remembered.undone == "release"
    current = with_members_left(remembered, now) or remembered
    removes = () if release else removed_members((), now, without_adopted(current))
    # Only what we took away comes back: what we had left, others have taken away since.
    adds = () if release else without_names(current.adopted, name_keys(now.value) | name_keys(remembered.left.value))
    if release:
        lock = now.locked and _lock_taken_off(name, now, remembered) is None
    else:
        lock = original.locked if now.locked == remembered.left.locked else now.locked
    if not removes and not adds and lock == now.locked:
        return Decision(released(remembered, now))
    target = (*without_names(now.value, removes), *adds)
    # The lock always goes along: Plex locks a list that is touched unless it is told otherwise.
    change = Change(target if removes or adds else None, lock, adds, removes)
    return Decision(
        current,
        change,
        Sending(remembered.said, Held(target, lock), original, now, adds, removes, undone=remembered.undone),
    )


def _lock_taken_off(name: str, now: Held, remembered: Remembered) -> bool | None:
    """The lock to send when the value stays: off if it is ours, else none at all."""
    is_ours = remembered.left.locked and not remembered.found.locked
    return False if is_ours and now.locked and not is_lockless(name) else None

"""The three-way difference: what we last said, what Plex has now, what Stash says now.

`plan` first finds out what became of pushes whose end is unknown, then decides field by field by the two tables of
docs/fields.md, and `learn` turns a push that was read back into memory. Nothing that we did not write is ever cleared.

An item whose memory is `undone` is taken back instead (docs/undo.md), for as long as Stash says what it said then.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, TypeVar

from plexsync.rules.item import FIELDS, LISTS, PICTURES, Item, beside_whom, field_key, is_lockless, is_of_person
from plexsync.rules.text import composed, fold

Value = str | tuple[str, ...]

OfField = TypeVar("OfField")

# How our hand was taken off an item: its values put back ("undo"), left there ("release"), or put back since Stash has no
# such scene any more ("gone"). '' while it is kept in step.
Undone = Literal["", "undo", "release", "gone"]

# A shorter text counts as ours, cut by Plex, from this length on; below, a person has shortened it.
LEAST_CUT = 64


@dataclass(frozen=True)
class Held:
    """A field in Plex: its value and whether it is locked. Scalars are texts, lists tuples of names in Plex's order."""

    value: Value
    locked: bool


@dataclass(frozen=True)
class Remembered:
    """What we know of one field of one item: what we said, what was read back, what was there before us.

    `ours` (lists only) maps each name we added to the name Plex read back for it. `adopted` (lists only) are names that
    were there before us and were taken over since: they are in `ours` as long as they are there, and come back by an undo.
    While `undone`, nothing is written but what puts `found` back; once that is done, or somebody else's value stands
    there, `left` and `found` are what Plex had. `before` is what was said before it was undone, if Stash said something else
    by then, which nobody has written.
    """

    said: Value
    left: Held
    found: Held
    ours: Mapping[str, str] = field(default_factory=dict)
    undone: Undone = ""
    adopted: tuple[str, ...] = ()
    before: Value | None = None

    def undo(self, desired: Value, mode: Undone) -> "Remembered":
        """The same, undone while Stash says this."""
        before = self.said if self.before is None else self.before
        return replace(self, said=desired, undone=mode, before=None if before == desired else before)


Memory = Mapping[str, Remembered]  # by field name of plexsync.rules.item.FIELDS


@dataclass(frozen=True)
class Sending:
    """What one push is about to do to one field. `said` None: we take our hand off (restore or forget after it).

    `sent` is the value and lock that go out (for a lock-only edit: the value already there); `before` is what Plex had
    when the plan was made; `adds` and `removes` are the names a list edit adds and takes away; `was` is what was
    remembered of the field then; `undone` if the push takes something back; `adopts` are the names in Plex that are ours
    from this push on, although they were there before us.
    """

    said: Value | None
    sent: Held
    found: Held
    before: Held
    adds: tuple[str, ...] = ()
    removes: tuple[str, ...] = ()
    was: Remembered | None = None
    undone: Undone = ""
    adopts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Pushing:
    """A push whose end may be unknown: it may still take effect until `until` (UTC ms), the end of its total deadline."""

    fields: Mapping[str, Sending]
    until: int


@dataclass(frozen=True)
class Change:
    """One field of an edit. `value` None leaves the value alone (lock only). `lock` None leaves the lock alone.

    For lists `value` is the complete wanted list (right under a Plex that adds and one that replaces) and `removes` the
    names to take away explicitly; `adds` are the names that are new.
    """

    value: Value | None
    lock: bool | None = None
    adds: tuple[str, ...] = ()
    removes: tuple[str, ...] = ()


Edit = Mapping[str, Change]


@dataclass(frozen=True)
class Note:
    """Something a person may want to know about one field: what was kept, cut, dropped, and why."""

    field: str
    reason: Literal["kept", "cut", "dropped", "person", "reverted"]
    text: str


@dataclass(frozen=True)
class Plan:
    """What to do with one item for one scene.

    `edit` empty: nothing to send. `memory` is what to remember now whatever becomes of the push (resolved pushes, fields
    that were already right, forgotten fields). `sending` is saved before the edit goes out and turned into memory by
    `learn` once the item was read back.
    """

    edit: Edit
    memory: Memory
    sending: Mapping[str, Sending]
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True)
class Policy:
    """Who wins where both sides have spoken.

    `conflict`: Stash changed a field that a person had edited in Plex. `first_push`: Plex has a locked value of its own
    in a field that we never wrote. `take_over`: this once Stash gets such fields, and the members of lists that were there
    before us are ours from now on.
    """

    conflict: Literal["stash", "plex"] = "stash"
    first_push: Literal["keep", "stash"] = "keep"
    take_over: bool = False


@dataclass(frozen=True)
class Learnt:
    """What a push that was read back has taught.

    `again` holds the removals that did not take, to be sent alone; afterwards `learn` may be asked once more, with this
    memory, the same sending and the item as it is then.
    """

    memory: Memory
    again: Edit
    notes: tuple[Note, ...] = ()


def plan(
    values: Mapping[str, Value], item: Item, memory: Memory, pushing: Sequence[Pushing], policy: Policy | None = None
) -> Plan:
    """What to do so that the item shows `values` (by field; a field that is not there is switched off).

    `memory` and `pushing` (oldest first) are those of this scene and item. A field that is switched off keeps its value,
    lock and memory in Plex; what became of its pushes is found out all the same.
    """
    memory, pushing = _spelt_as(values, memory, pushing)
    resolved = {
        name: remembered
        for name in _named(values, memory, pushing)
        if (remembered := _resolved(name, values, item, memory, pushing))
    }
    if is_undone(memory, values):
        return _taking_back(values, item, memory, resolved)
    resolved = {name: _spoken(name, entry, held(item, name)) for name, entry in begun_anew(resolved).items()}
    steps: dict[str, _Step] = {}
    for name, value in values.items():
        if (value or name != "title") and not beside_whom(name):
            steps[name] = _step(name, value, held(item, name), resolved.get(name), policy or Policy())
    cast = _cast_after(item, steps)
    for name in [name for name in resolved if _is_nobodys(name, cast | _keys(item.lists.get("actor", ())))]:
        del resolved[name]
    for name, value in _beside_cast(values, resolved).items():
        if not _is_nobodys(name, cast):
            steps[name] = _step(name, value, held(item, name), resolved.get(name), policy or Policy())
    sending = {name: replace(step.sending, was=resolved.get(name)) for name, step in steps.items() if step.sending}
    for name, step in steps.items():
        _put(resolved, name, step.memory)
    return Plan(
        edit={name: step.change for name, step in steps.items() if step.change},
        memory=resolved,
        sending=sending,
        notes=tuple(step.note for step in steps.values() if step.note),
    )


def _spelt_as(
    values: Mapping[str, Value], memory: Memory, pushing: Sequence[Pushing]
) -> tuple[Memory, Sequence[Pushing]]:
    """What is known and under way, beside each member of the cast under the spelling that Stash has for the name now."""
    spelt: dict[str, str] = {}
    for name in _named(values, memory, pushing):
        spelt.setdefault(field_key(name), name)

    def renamed(fields: Mapping[str, OfField]) -> dict[str, OfField]:
        anew: dict[str, OfField] = {}
        for name, content in fields.items():
            # Of two spellings the one that was known first knows what was there before us.
            anew.setdefault(spelt[field_key(name)], content)
        return anew

    return renamed(memory), [replace(push, fields=renamed(push.fields)) for push in pushing]


def _cast_after(item: Item, steps: Mapping[str, "_Step"]) -> frozenset[str]:
    """The keys of the members that the cast will have."""
    change = steps["actor"].change if "actor" in steps else None
    return _keys(item.lists.get("actor", ()) if change is None or change.value is None else change.value)


def _beside_cast(values: Mapping[str, Value], memory: Memory) -> dict[str, Value]:
    """What is to be shown beside the cast: nothing beside those whom Stash does not have any more."""
    wanted = {name: about for name in values if (about := beside_whom(name))}
    on = {role for role, _ in wanted.values()}
    gone = (name for name in memory if (about := beside_whom(name)) and about[0] in on and name not in wanted)
    return {**dict.fromkeys(gone, ""), **{name: values[name] for name in wanted}}


def _is_nobodys(name: str, cast: Collection[str]) -> bool:
    """Whether a field is shown beside somebody who is not in the cast."""
    about = beside_whom(name)
    return about is not None and fold(about[1]) not in cast


def learn(memory: Memory, sending: Mapping[str, Sending], item: Item) -> Learnt:
    """What is known after a push was answered well and the item was read back as `item`."""
    updated = dict(memory)
    again: dict[str, Change] = {}
    notes: list[Note] = []
    for name, sent in sending.items():
        now = held(item, name)
        if name in LISTS:
            learnt = _list_learnt(memory.get(name), sent, now)
            if stubborn := _present(sent.removes, now.value):
                again[name] = Change(None, sent.sent.locked, removes=stubborn)
        else:
            learnt = _scalar_learnt(sent, _left(name, sent, now))
        _put(updated, name, learnt)
        if _was_ignored(sent, now):
            notes.append(Note(name, "reverted", "Plex answered well but did not take the value"))
    return Learnt(updated, again, tuple(notes))


def _left(name: str, sent: Sending, now: Held) -> Held:
    """What a push left: what was read back, unless somebody had put another value there, and no lock, within that moment.

    Over a person's value that Plex did not give up nothing is left anew: it stays the person's.
    """
    accepted = _alike(name, now.value, sent.sent.value)
    if sent.was and now.locked and not accepted and _was_ignored(sent, now):
        return sent.was.left
    is_ours = now.locked or not sent.sent.locked or accepted
    return now if is_ours or _same(name, now.value, sent.before.value) else sent.sent


def held(item: Item, name: str) -> Held:
    """A field of an item: its value and whether a hand is on it."""
    value: Value = item.lists.get(name, ()) if name in LISTS else item.value(name)
    return Held(value, item.locked(name))


# --- taking back -----------------------------------------------------------------------------------------------------


def undo(
    memory: Memory, pushing: Sequence[Pushing], values: Mapping[str, Value], on: Collection[str], mode: Undone
) -> Memory:
    """The memory of an item that is to be taken back: every field is undone, and `said` is what Stash says now.

    `values` should have every field, also those that are switched off; a scene that is gone has none. Fields that are `on`
    and of which nothing is remembered are noted too: of them nothing is to be written either.
    """
    memory, pushing = _spelt_as(values, memory, pushing)
    sent = {name: _nothing(name) for push in pushing for name in push.fields}
    marked: dict[str, Remembered] = {}
    for name in dict.fromkeys((*FIELDS, *memory, *sent, *values)):
        if remembered := memory.get(name):
            marked[name] = remembered.undo(values.get(name, remembered.said), mode)
        elif name in on or name in sent:
            empty = Held(_nothing(name), locked=False)
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
    spelt, _ = _spelt_as(values, memory, ())
    return not any(_is_news(value, spelt[name].said) for name, value in values.items() if name in spelt)


def is_taken_back(memory: Memory) -> bool:
    """Whether nothing of ours is left in an item that was undone, as far as we know."""
    return bool(undone(memory)) and not ours_in(memory)


def ours_in(memory: Memory) -> list[str]:
    """The fields of an item that was undone in which something of ours is left, as far as we know."""
    return [name for name, remembered in memory.items() if not _is_let_go(name, remembered)]


def begun_anew(memory: Memory) -> Memory:
    """The memory of an item that is to be kept in step, whatever was undone before; what is still ours in it stays ours."""
    return {name: fresh for name, remembered in memory.items() if (fresh := _begun_anew(name, remembered))}


def shows_our_hand(item: Item, memory: Memory, pushing: Sequence[Pushing]) -> bool:
    """Whether a value that we left or sent stands there under the lock that came with it: it is the item that we know."""
    lefts = [(name, remembered.left) for name, remembered in memory.items()]
    lefts += [(name, sent.sent) for push in pushing for name, sent in push.fields.items()]
    return any(
        expected.locked and expected.value and not is_lockless(name) and _exactly(name, held(item, name), expected)
        for name, expected in lefts
    )


def _nothing(name: str) -> Value:
    return () if name in LISTS else ""


def _is_news(value: Value, previous: Value) -> bool:
    return _keys(value) != _keys(previous) if isinstance(value, tuple) else value != previous


def _is_let_go(name: str, remembered: Remembered) -> bool:
    """Whether nothing of ours is left in the field."""
    if name in LISTS:
        return not remembered.ours and not remembered.adopted and remembered.left.locked == remembered.found.locked
    return _exactly(name, remembered.left, remembered.found)


def _let_go(remembered: Remembered, now: Held) -> Remembered:
    """From now on the field is as Plex has it, and nobody's but Plex's."""
    return replace(remembered, left=now, found=now, ours={}, adopted=(), before=None)


def _begun_anew(name: str, remembered: Remembered) -> Remembered | None:
    if not remembered.undone:
        return remembered
    if _is_let_go(name, remembered):
        return None
    if name in LISTS:
        # What Stash said at the undo may never have been added; members of ours were.
        return replace(remembered, said=tuple(remembered.ours), undone="", before=None)
    return replace(remembered, undone="")


def _spoken(name: str, remembered: Remembered, now: Held) -> Remembered:
    """Where what we left still stands, what Stash said at an undo is news; what a person has put there instead is kept."""
    if remembered.before is None:
        return remembered
    return replace(
        remembered, said=remembered.before if _as_left(name, now, remembered) else remembered.said, before=None
    )


def _taking_back(values: Mapping[str, Value], item: Item, memory: Memory, resolved: Memory) -> Plan:
    """What to do so that nothing of ours is left in the item, also in fields that are switched off."""
    mode = undone(memory)
    marked = {name: replace(remembered, undone=remembered.undone or mode) for name, remembered in resolved.items()}
    new = {name: value for name, value in values.items() if name not in marked}
    marked |= {name: Remembered(value, held(item, name), held(item, name), undone=mode) for name, value in new.items()}
    steps = {name: _back_step(name, held(item, name), remembered) for name, remembered in marked.items()}
    cast = _cast_after(item, steps)
    for name in [name for name in steps if _is_nobodys(name, cast)]:
        # It goes with the member that it is shown beside.
        steps[name] = _Step(_let_go(marked[name], Held("", locked=False)))
    return Plan(
        edit={name: step.change for name, step in steps.items() if step.change},
        memory={name: step.memory for name, step in steps.items() if step.memory},
        sending={name: replace(step.sending, was=marked[name]) for name, step in steps.items() if step.sending},
        notes=tuple(step.note for step in steps.values() if step.note),
    )


# --- what became of pushes whose end is unknown ----------------------------------------------------------------------


def _named(values: Mapping[str, Value], memory: Memory, pushing: Sequence[Pushing]) -> dict[str, None]:
    """Every field that anything is known of, in a stable order: first as Stash spells it."""
    return dict.fromkeys([*values, *memory, *(name for push in pushing for name in push.fields)])


def _resolved(
    name: str, values: Mapping[str, Value], item: Item, memory: Memory, pushing: Sequence[Pushing]
) -> Remembered | None:
    """What is known of a field once its unfinished pushes are taken into account."""
    remembered = memory.get(name)
    sendings = [push.fields[name] for push in pushing if name in push.fields]
    now = held(item, name)
    if not sendings:
        return remembered
    if remembered and _exactly(name, now, remembered.left):
        return _with_repaired(name, remembered, sendings, now)
    if remembered and name in PICTURES and any(_is_half_back(sent, now) for sent in sendings):
        return replace(remembered, left=now)
    for sent in reversed(sendings):
        if _landed(name, sent, now):
            return _still_undone(remembered, _as_settled(remembered, sent, now), now)
    if name in LISTS:
        return _still_undone(remembered, _with_members(remembered, sendings, now), now)
    if remembered and remembered.undone:
        return remembered
    for sent in reversed(sendings):
        if (
            sent.said is not None
            and not sent.undone
            and _edited_since(name, sent, remembered, now, values.get(name, sent.said))
        ):
            return Remembered(sent.said, sent.sent, sent.found)
    return remembered


def _is_half_back(sent: Sending, now: Held) -> bool:
    """Whether a picture was put back, which locks it, and the edit that takes that lock off has not come through."""
    was_moved = sent.sent.value != sent.before.value
    return was_moved and now.value == sent.sent.value and now.locked and not sent.sent.locked


def _still_undone(remembered: Remembered | None, learnt: Remembered | None, now: Held) -> Remembered | None:
    """What was learnt of a push that was on its way when the field was undone: it is to be taken back as well."""
    if remembered is None or not remembered.undone:
        return learnt
    if learnt is None:
        return _let_go(remembered, now)
    return replace(learnt, before=None).undo(remembered.said, remembered.undone)


def _with_repaired(name: str, remembered: Remembered, sendings: Sequence[Sending], now: Held) -> Remembered:
    """The memory of a field that is as it was last read back: only a list can have been changed and repaired since."""
    if name not in LISTS:
        return remembered
    repairs = [sent for sent in sendings if _exactly(name, now, sent.sent) and not _exactly(name, now, sent.before)]
    members, adopted = dict(remembered.ours), remembered.adopted
    for sent in repairs:
        members |= _brought(sent, now)
        adopted = _joined(adopted, _taken(sent, now))
    return (
        remembered
        if (members, adopted) == (remembered.ours, remembered.adopted)
        else replace(remembered, ours=members, adopted=adopted)
    )


def _landed(name: str, sent: Sending, now: Held) -> bool:
    """Whether what Plex has is what the push sent, however Plex has spelt it."""
    if _exactly(name, now, sent.sent):
        return True
    return _alike(name, now.value, sent.sent.value) and not _exactly(name, now, sent.before)


def _as_settled(remembered: Remembered | None, sent: Sending, now: Held) -> Remembered | None:
    """The memory as if the push had been read back, with the lock that was sent."""
    result = Held(now.value, sent.sent.locked)
    if isinstance(now.value, tuple):
        return _list_learnt(remembered, sent, result)
    return _scalar_learnt(sent, result)


def _scalar_learnt(sent: Sending, result: Held) -> Remembered | None:
    """A single value after a push that left it so."""
    if sent.said is None:
        return None
    return Remembered(sent.said, result, result if sent.undone else sent.found, undone=sent.undone)


def _edited_since(name: str, sent: Sending, remembered: Remembered | None, now: Held, value: Value | None) -> bool:
    """Whether a person's hand is on the field since the push was planned: then it is as if the push had settled first.

    Only while Stash still says what was pushed, and no later push has taught us more.
    """
    if sent.said != value or _said(sent.was) != _said(remembered):
        return False
    return now.locked and not _same(name, now.value, sent.before.value) and not _alike(name, now.value, sent.sent.value)


def _with_members(remembered: Remembered | None, sendings: Sequence[Sending], now: Held) -> Remembered | None:
    """The memory of a list that pushes have changed in part, or that others have changed since: member by member."""
    learnt = remembered
    for sent in sendings:
        arrived, removed, adopted_away = _came(remembered, sent, now), _went(remembered, sent, now), _taken(sent, now)
        if arrived or removed or adopted_away:
            before = _keys(sent.before.value)
            previous = learnt.said if learnt else tuple(name for name in sent.said or () if fold(name) in before)
            members = {**(learnt.ours if learnt else {}), **arrived}
            result, original = Held(now.value, sent.sent.locked), learnt.found if learnt else sent.found
            adopted = _joined(_still_adopted(learnt, sent, now), adopted_away)
            learnt = Remembered(_without((*previous, *arrived), removed), result, original, members, adopted=adopted)
    return learnt


def _came(remembered: Remembered | None, sent: Sending, now: Held) -> dict[str, str]:
    """The members of ours that a push can have brought and that were not there when we last looked."""
    before = _keys(remembered.left.value) if remembered else frozenset[str]()
    return {name: spelling for name, spelling in _brought(sent, now).items() if fold(spelling) not in before}


def _taken(sent: Sending, now: Held) -> tuple[str, ...]:
    """The members that a push adopted only to take them away, and that are gone."""
    return _without(_present(sent.adopts, sent.removes), _keys(now.value))


def _still_adopted(remembered: Remembered | None, sent: Sending, now: Held) -> tuple[str, ...]:
    """What was taken over before, without what a person has taken away from what we left."""
    if remembered is None:
        return ()
    away = _keys(remembered.left.value) - _keys(now.value) - _keys(sent.removes)
    return tuple(name for name in remembered.adopted if fold(name) not in away)


def _went(remembered: Remembered | None, sent: Sending, now: Held) -> tuple[str, ...]:
    """The planned removals that are gone and were there when we last looked, under our own names and Plex's."""
    if remembered is None:
        return ()
    gone = (_keys(sent.removes) - _keys(now.value)) & _keys(remembered.left.value)
    return tuple(gone | {fold(name) for name, spelling in remembered.ours.items() if fold(spelling) in gone})


# --- deciding a field ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Step:
    """What is decided for one field: what to remember at once, and what to send."""

    memory: Remembered | None
    change: Change | None = None
    sending: Sending | None = None
    note: Note | None = None


def _step(name: str, value: Value, now: Held, remembered: Remembered | None, policy: Policy) -> _Step:
    if isinstance(value, tuple):
        return _list_step(name, value, now, remembered, take_over=policy.take_over)
    if not value:
        return _emptied(name, now, remembered)
    if remembered is None:
        return _first(name, value, now, policy)
    return _later(name, value, now, remembered, policy)


def _emptied(name: str, now: Held, remembered: Remembered | None) -> _Step:
    """Stash has nothing: what we wrote and nobody touched gives way to what was there before us; then it is forgotten."""
    if remembered is None or not _stands(name, now, remembered):
        return _Step(None)
    if is_of_person(name):
        # Other items show it too: it stays, and stays ours.
        return _Step(remembered)
    original = remembered.found
    value = None if _same(name, now.value, original.value) else original.value
    lock = None if is_lockless(name) or now.locked == original.locked else original.locked
    if value is None and lock is None:
        return _Step(None)
    return _Step(remembered, Change(value, lock), Sending(None, original, original, now))


def _first(name: str, value: str, now: Held, policy: Policy) -> _Step:
    stash_wins = policy.take_over or policy.first_push == "stash"
    if _same(name, now.value, value) or not now.value or not now.locked or stash_wins:
        return _written(name, value, now, now, None)
    return _Step(None, note=Note(name, "kept", "Plex has a locked value that is not ours; it is kept"))


def _later(name: str, value: str, now: Held, remembered: Remembered, policy: Policy) -> _Step:
    news = value != remembered.said
    as_left = _as_left(name, now, remembered)
    if as_left and not news:
        return _Step(remembered)
    if name in PICTURES and now.locked and not news and now.value == value:
        # Plex was slow to show it. The key is that of our bytes, so it is nobody else's.
        return _Step(replace(remembered, left=now))
    if as_left or (news and now.locked and policy.conflict == "stash"):
        return _written(name, value, now, remembered.found, remembered)
    if not now.locked:
        note = Note(name, "reverted", "Plex no longer has what we wrote, or no lock on it; it is written again")
        return replace(_written(name, value, now, remembered.found, remembered), note=note)
    if news:
        return _Step(remembered, note=Note(name, "kept", "Stash has changed, but an edit made in Plex is kept"))
    return _Step(remembered, note=Note(name, "person", "edited in Plex since it was written; left alone"))


def _as_left(name: str, now: Held, remembered: Remembered) -> bool:
    """Whether Plex has what we left, and no lock of ours is gone."""
    return _same(name, now.value, remembered.left.value) and (now.locked or not remembered.left.locked)


def _stands(name: str, now: Held, remembered: Remembered) -> bool:
    """Whether Plex has what we left, under the lock that we left or none."""
    return _same(name, now.value, remembered.left.value) and (remembered.left.locked or not now.locked)


def _written(name: str, value: str, now: Held, original: Held, remembered: Remembered | None) -> _Step:
    """Write and lock; only lock what has the value already; only remember what has both."""
    value_is_there = _same(name, now.value, value)
    if value_is_there and now.locked:
        return _Step(Remembered(value, now, original))
    change = Change(None if value_is_there else value, None if is_lockless(name) else True)
    sent = Held(now.value if value_is_there else value, True)
    return _Step(remembered, change, Sending(value, sent, original, now))


def _back_step(name: str, now: Held, remembered: Remembered) -> _Step:
    """A field of which nothing of ours is to be left; what a person has put there since stays."""
    if _is_let_go(name, remembered):
        return _Step(remembered)
    if isinstance(now.value, tuple):
        return _list_back(name, now, remembered)
    original = remembered.found
    if not _stands(name, now, remembered):
        kept = not _same(name, now.value, original.value)
        note = Note(name, "person", "changed in Plex since it was written; left alone") if kept else None
        return _Step(_let_go(remembered, now), note=note)
    if remembered.undone == "release" or is_of_person(name):
        value, lock = None, _lock_taken_off(name, now, remembered)
    else:
        # A title never becomes empty.
        unchanged = _same(name, now.value, original.value) or (name == "title" and not original.value)
        value = None if unchanged else original.value
        lock = None if is_lockless(name) or now.locked == original.locked else original.locked
    if value is None and lock is None:
        return _Step(_let_go(remembered, now))
    sent = Held(now.value if value is None else value, now.locked if lock is None else lock)
    return _Step(
        remembered, Change(value, lock), Sending(remembered.said, sent, original, now, undone=remembered.undone)
    )


def _list_back(name: str, now: Held, remembered: Remembered) -> _Step:
    """Our members go, and our lock; the members and the lock that others have put there or taken off stay so.

    What was there before us and was taken over comes back.
    """
    original = remembered.found
    release = remembered.undone == "release"
    current = _looked_at(remembered, now) or remembered
    removes = () if release else _removed((), now, _without_adopted(current))
    # Only what we took away comes back: what we had left, others have taken away since.
    adds = () if release else _without(current.adopted, _keys(now.value) | _keys(remembered.left.value))
    if release:
        lock = now.locked and _lock_taken_off(name, now, remembered) is None
    else:
        lock = original.locked if now.locked == remembered.left.locked else now.locked
    if not removes and not adds and lock == now.locked:
        return _Step(_let_go(remembered, now))
    target = (*_without(now.value, removes), *adds)
    # The lock always goes along: Plex locks a list that is touched unless it is told otherwise.
    change = Change(target if removes or adds else None, lock, adds, removes)
    return _Step(
        current,
        change,
        Sending(remembered.said, Held(target, lock), original, now, adds, removes, undone=remembered.undone),
    )


def _lock_taken_off(name: str, now: Held, remembered: Remembered) -> bool | None:
    """The lock to send when the value stays: off if it is ours, else none at all."""
    is_ours = remembered.left.locked and not remembered.found.locked
    return False if is_ours and now.locked and not is_lockless(name) else None


def _list_step(
    name: str, names: tuple[str, ...], now: Held, remembered: Remembered | None, *, take_over: bool
) -> _Step:
    if not names and (remembered is None or _is_for_undo(remembered)):
        return _Step(remembered)
    remembered = _looked_at(remembered, now)
    original = remembered.found if remembered else now
    adopts = _adoptable(now, original, remembered) if take_over and names else ()
    adds, removes = _added(names, now, remembered), _removed(names, now, remembered, adopts)
    target = (*_without(now.value, removes), *adds)
    lock = bool(names) or original.locked
    moved = bool(adds or removes)
    # A lock that Plex did not take once is not asked for again until something else is sent.
    settled = lock == now.locked or (bool(names) and remembered is not None and not _lock_gone(remembered, now))
    if not moved and settled:
        return _Step(
            _list_memory(names, now, original, remembered, adopts), note=_list_note(name, names, now, remembered)
        )
    # The lock always goes along: Plex locks a list that is touched unless it is told otherwise.
    change = Change(target if moved else None, lock, adds, removes)
    sending = Sending(names or None, Held(target, lock), original, now, adds, removes, adopts=adopts)
    return _Step(remembered, change, sending, _list_note(name, names, now, remembered))


def _list_memory(
    names: tuple[str, ...], now: Held, original: Held, remembered: Remembered | None, adopts: tuple[str, ...]
) -> Remembered | None:
    """What is remembered of a list that needs nothing sent."""
    if not names:
        return _emptied_list(remembered, now) if remembered else None
    updated = replace(remembered, said=names) if remembered else Remembered(names, now, original)
    if not adopts:
        return updated
    return replace(updated, ours={**updated.ours, **_as_ours(adopts, names)}, adopted=_joined(updated.adopted, adopts))


def _emptied_list(remembered: Remembered, now: Held) -> Remembered | None:
    """Of a list that Stash has nothing for, only what was taken over is remembered, so that an undo can bring it back."""
    if not remembered.adopted:
        return None
    return replace(remembered, said=(), left=Held(now.value, remembered.found.locked), ours={})


def _is_for_undo(remembered: Remembered) -> bool:
    """Whether nothing of ours is left in a list but the knowledge of what was taken over."""
    return (
        bool(remembered.adopted)
        and not remembered.ours
        and not remembered.said
        and remembered.left.locked == remembered.found.locked
    )


def _adoptable(now: Held, original: Held, remembered: Remembered | None) -> tuple[str, ...]:
    """The members that were there before us, still are, and never were ours: what we took away and is back is a person's."""
    members = _keys((*remembered.ours.values(), *remembered.adopted)) if remembered else frozenset()
    before = _keys(original.value) - members
    return tuple(name for name in now.value if fold(name) in before)


def _as_ours(adopts: Sequence[str], names: Sequence[str]) -> dict[str, str]:
    """Members that are adopted, by the name that we have for each: what Plex has cut is the wanted name it was cut from."""
    return {next((name for name in names if _alike_text(spelling, name)), spelling): spelling for spelling in adopts}


def _without_adopted(remembered: Remembered) -> Remembered:
    """The memory as if what was taken over had never been ours."""
    kept = _keys(remembered.adopted)
    return replace(
        remembered, ours={mine: spelling for mine, spelling in remembered.ours.items() if fold(spelling) not in kept}
    )


def _list_note(name: str, names: tuple[str, ...], now: Held, remembered: Remembered | None) -> Note | None:
    if remembered is None:
        return None
    if _lock_gone(remembered, now):
        return Note(name, "reverted", "Plex no longer has our lock; what Stash says is added again")
    away = _without(_without(names, _there(now, remembered)), _added(names, now, remembered))
    if away:
        return Note(name, "person", f"taken away in Plex since they were written; they stay away: {', '.join(away)}")
    return None


def _there(now: Held, remembered: Remembered | None) -> frozenset[str]:
    """The keys of the members that Plex has, under the names that Plex and we know them by."""
    present = _keys(now.value)
    if remembered is None:
        return present
    return present | {fold(mine) for mine, spelling in remembered.ours.items() if fold(spelling) in present}


def _looked_at(remembered: Remembered | None, now: Held) -> Remembered | None:
    """The memory without members that somebody took away; while our lock is gone, Plex did, and they stay ours."""
    if remembered is None or _lock_gone(remembered, now):
        return remembered
    present = _keys(now.value)
    members = {mine: spelling for mine, spelling in remembered.ours.items() if fold(spelling) in present}
    # What was taken over and is not there although we left it: a person took it away, and an undo leaves it so. Should it
    # come back, it is that person's and no more what was there before us.
    away = _keys(remembered.left.value) - present
    adopted = tuple(name for name in remembered.adopted if fold(name) not in away)
    original = replace(remembered.found, value=_without(remembered.found.value, away))
    if (members, adopted, original) == (remembered.ours, remembered.adopted, remembered.found):
        return remembered
    return replace(remembered, ours=members, adopted=adopted, found=original)


def _lock_gone(remembered: Remembered, now: Held) -> bool:
    return remembered.left.locked and not now.locked


def _added(names: tuple[str, ...], now: Held, remembered: Remembered | None) -> tuple[str, ...]:
    """What Stash has said since we last spoke and Plex does not have; all of it at first and when our lock is gone."""
    missing = _without(names, _there(now, remembered))
    return missing if remembered is None or _lock_gone(remembered, now) else _without(missing, _keys(remembered.said))


def _removed(
    names: tuple[str, ...], now: Held, remembered: Remembered | None, adopts: tuple[str, ...] = ()
) -> tuple[str, ...]:
    """The members that we added, or adopt now, and Stash no longer has, as Plex spells them."""
    members = {**(remembered.ours if remembered else {}), **_as_ours(adopts, names)}
    wanted = _keys(names)
    kept = wanted | {fold(spelling) for mine, spelling in members.items() if fold(mine) in wanted}
    going = {fold(spelling) for spelling in members.values()} - kept
    return tuple(name for name in now.value if fold(name) in going)


# --- learning a list -------------------------------------------------------------------------------------------------


def _list_learnt(remembered: Remembered | None, sent: Sending, now: Held) -> Remembered | None:
    """A list after a push: what we had added and is still there, and what this push added."""
    present = _keys(now.value)
    members = (
        {mine: spelling for mine, spelling in remembered.ours.items() if fold(spelling) in present}
        if remembered
        else {}
    )
    members |= _brought(sent, now)
    members |= _as_ours(_present(sent.adopts, now.value), sent.said or ())
    adopted = _joined(_still_adopted(remembered, sent, now), _present(sent.adopts, (*now.value, *sent.removes)))
    if sent.undone and sent.was:
        adopted = _joined(adopted, sent.was.adopted)
    learnt = Remembered(sent.said or (), now, sent.found, members, sent.undone, adopted)
    if sent.undone:
        left_over = replace(_without_adopted(learnt), adopted=_without(adopted, present))
        return left_over if sent.undone != "release" and left_over.ours else _let_go(learnt, now)
    if sent.said is None and not members:
        return _emptied_list(learnt, now)
    return learnt


def _brought(sent: Sending, now: Held) -> dict[str, str]:
    """The members of ours that a push has brought, or brought back (a list travels whole), if they are there."""
    present = _keys(now.value) & _keys(sent.sent.value)
    was = _without_adopted(sent.was) if sent.was and sent.undone else sent.was
    back = {mine: spelling for mine, spelling in was.ours.items() if fold(spelling) in present} if was else {}
    # What an undo brings back was there before us.
    return back if sent.undone else back | _read_back(sent, now)


def _read_back(sent: Sending, now: Held) -> dict[str, str]:
    """The names that a push added and the names Plex gave them; what was there before the push is nobody's but Plex's."""
    new = {fold(name): name for name in _without(now.value, _keys(sent.before.value))}
    pairs = {
        mine: new.get(fold(mine)) or next((spelling for spelling in new.values() if _alike_text(spelling, mine)), "")
        for mine in sent.adds
    }
    return {mine: spelling for mine, spelling in pairs.items() if spelling}


# --- comparing -------------------------------------------------------------------------------------------------------


def _said(remembered: Remembered | None) -> Value | None:
    return remembered.said if remembered else None


def _put(memory: dict[str, Remembered], name: str, remembered: Remembered | None) -> None:
    if remembered is None:
        memory.pop(name, None)
    else:
        memory[name] = remembered


def _exactly(name: str, a: Held, b: Held) -> bool:
    return a.locked == b.locked and _same(name, a.value, b.value)


def _same(name: str, a: Value, b: Value) -> bool:
    """Whether two values are the same: texts up to their Unicode form, ratings as numbers, lists as sets of names."""
    if isinstance(a, tuple) or isinstance(b, tuple):
        return _keys(a) == _keys(b)
    if name == "userRating":
        return _rating(a) == _rating(b)
    return composed(a) == composed(b)


def _alike(name: str, in_plex: Value, sent: Value) -> bool:
    """Whether a value of Plex can be what came of ours."""
    if isinstance(in_plex, tuple) or isinstance(sent, tuple):
        return _alike_lists(in_plex, sent)
    return _same(name, in_plex, sent) or _alike_text(in_plex, sent)


def _alike_lists(in_plex: Value, sent: Value) -> bool:
    odd_theirs, odd_ours = _without(in_plex, _keys(sent)), _without(sent, _keys(in_plex))
    return all(any(_alike_text(a, b) for b in odd_ours) for a in odd_theirs) and all(
        any(_alike_text(a, b) for a in in_plex) for b in odd_ours
    )


def _alike_text(in_plex: str, sent: str) -> bool:
    # A text that Plex has cut inside a character ends in what can't be read.
    a, b = fold(in_plex).rstrip("\ufffd"), fold(sent)
    return a == b or (len(a) >= LEAST_CUT and b.startswith(a))


def _rating(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _keys(names: Value) -> frozenset[str]:
    """The keys of a list's names."""
    return frozenset(fold(name) for name in names)


def _without(names: Value, gone: Sequence[str] | frozenset[str]) -> tuple[str, ...]:
    keys = {fold(name) for name in gone}
    return tuple(name for name in names if fold(name) not in keys)


def _joined(names: tuple[str, ...], more: tuple[str, ...]) -> tuple[str, ...]:
    """The names, and those of `more` that are not among them."""
    return (*names, *_without(more, _keys(names)))


def _present(names: Sequence[str], now: Value) -> tuple[str, ...]:
    present = _keys(now)
    return tuple(name for name in names if fold(name) in present)


def _was_ignored(sent: Sending, now: Held) -> bool:
    """Whether Plex has after a push exactly what it had before, although the push would have changed it."""
    if isinstance(now.value, tuple):
        return bool(sent.adds) and not _read_back(sent, now)
    return sent.said is not None and now.value == sent.before.value != sent.sent.value

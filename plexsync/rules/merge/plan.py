"""The three-way difference between what PlexSync wrote last, what Plex has, and what Stash says.

`plan` first resolves pushes whose end is unknown, then decides field by field by the two tables of docs/fields.md.
`learn` turns a push that was read back into memory. PlexSync never clears what it did not write.

An item whose memory is `undone` is taken back instead (docs/undo.md), as long as Stash's values stay as they were then.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from plexsync.rules.collections.renamed_members import (
    cast_that_stays_away,
    item_after_renames,
    memory_after_renames,
    renamed_members,
)
from plexsync.rules.item import (
    LIST_FIELDS,
    NEVER_EMPTY,
    PICTURES,
    Item,
    beside_whom,
    is_lockless,
    is_of_person,
    is_provided,
)
from plexsync.rules.merge.drift import all_still_kept, is_bare, kept_fields, still_kept
from plexsync.rules.merge.journal_entries import is_marked
from plexsync.rules.merge.list_members import (
    beside_cast,
    born_list,
    cast_after,
    is_outside_cast,
    list_decision,
    still_adopted,
)
from plexsync.rules.merge.memory import (
    arrived_members,
    give_up,
    is_as_left,
    is_released,
    is_untouched,
    learnt_list,
    learnt_scalar,
    named_fields,
    put,
    restoring,
    spelled_as_in_stash,
    stamp_fields,
    undo_mode,
)
from plexsync.rules.merge.plan_records import Change, Decision, Memory, Note, Plan, Policy, Pushing, Remembered, Sending
from plexsync.rules.merge.provenance import Provenance, recover
from plexsync.rules.merge.taken_back import TakenBack
from plexsync.rules.merge.undo import away_since, begun_anew, is_undone, take_back_plan
from plexsync.rules.merge.values import (
    Held,
    Value,
    alike_value,
    held_field,
    joined_names,
    matches,
    name_keys,
    names_present,
    same_value,
    without_names,
)
from plexsync.rules.words.text import fold

KEPT = "you keep what Plex has, until plexsync drift --unkeep"


def plan(
    values: Mapping[str, Value],
    item: Item,
    memory: Memory,
    pushing: Sequence[Pushing],
    policy: Policy | None = None,
    provenance: Provenance | None = None,
    plain_names: Mapping[str, str] | None = None,
) -> Plan:
    """The plan by which the item shows `values` (by field; a field that is missing is disabled).

    `memory` and `pushing` (oldest first) belong to this scene and item. A disabled field keeps its value, lock and
    memory in Plex; its unfinished pushes are resolved all the same. With a `provenance`, the database or the item may be
    from an older moment, and the memory is first brought up to date. `plain_names`: the name in Stash of each cast
    member that is shown by another one.
    """
    plain_names = plain_names or {}
    # A push that was planned on a newer item is not in this one: Plex was restored.
    pushing = [push for push in pushing if not 0 < item.stamp < push.stamp]
    memory, pushing = spelled_as_in_stash(values, memory, pushing)
    if provenance is None:
        return _plan(values, item, memory, pushing, policy or Policy(), plain_names)
    decided = frozenset[str]() if undo_mode(memory) else kept_fields(memory)
    to_sync = {name: value for name, value in values.items() if name not in decided}
    result = recover(to_sync, item, memory, pushing, provenance)
    recalled = all_still_kept(result.memory, memory)
    return result.finish(_plan(values, item, recalled, result.pushing, policy or Policy(), plain_names))


def _plan(
    values: Mapping[str, Value],
    item: Item,
    memory: Memory,
    pushing: Sequence[Pushing],
    policy: Policy,
    plain_names: Mapping[str, str],
) -> Plan:
    names = named_fields(values, memory, pushing)
    resolved: dict[str, Remembered] = {}
    for name in names:
        remembered = memory.get(name)
        if pushing:
            # A field still follows Plex if it did.
            remembered = still_kept(name, _resolved_field(name, values, item, memory, pushing), remembered)
        if remembered:
            resolved[name] = remembered
    if policy.fixed_labels and "label" in resolved:
        resolved["label"] = away_since(resolved["label"], item, policy.fixed_labels, pushing)
    if undo_mode(memory) and is_undone(memory, values):
        return take_back_plan(values, item, memory, resolved)
    resolved = _to_sync(values, item, resolved, plain_names)
    if policy.fixed_labels and "label" in resolved:
        resolved["label"] = away_since(resolved["label"], item, policy.fixed_labels, pushing)
    decided = kept_fields(resolved)
    steps: dict[str, Decision] = {}
    beside = {name for name in names if beside_whom(name)}
    for name, value in values.items():
        if (value or name != "title") and name not in beside and name not in decided:
            steps[name] = _field_decision(name, value, held_field(item, name), resolved.get(name), policy)
    cast_step = steps.get("actor")
    renamed = renamed_members(cast_step, plain_names) if cast_step and cast_step.change else {}
    if beside or renamed:
        item, resolved = item_after_renames(item, renamed), memory_after_renames(resolved, renamed)
        cast, decided = cast_after(item, steps), kept_fields(resolved)
        for name in [name for name in resolved if is_outside_cast(name, cast | name_keys(item.lists.get("actor", ())))]:
            del resolved[name]
        for name, value in beside_cast(values, resolved).items():
            if not is_outside_cast(name, cast) and name not in decided:
                steps[name] = _field_decision(name, value, held_field(item, name), resolved.get(name), policy)
    if policy.asked:
        steps = {
            name: _without_lock(name, step, held_field(item, name), resolved.get(name)) if is_provided(name) else step
            for name, step in steps.items()
        }
    if pushing:
        emptied = {name: step for name, step in steps.items() if not values.get(name) and name in memory}
        steps |= {name: _while_pushing(name, step, memory[name], pushing) for name, step in emptied.items()}
    return _as_plan(values, item, memory, resolved, steps, renamed)


def _while_pushing(name: str, step: Decision, before: Remembered, pushing: Sequence[Pushing]) -> Decision:
    """The decision for an emptied field, by which a value that was given up is known while an older push may arrive."""
    if name in LIST_FIELDS or step.memory or step.change or not is_released(name, before):
        return step
    if not any(name in push.fields for push in pushing):
        return step
    return replace(step, memory=replace(before, undone=TakenBack.NO, before=None))


def _as_plan(
    values: Mapping[str, Value],
    item: Item,
    memory: Memory,
    resolved: dict[str, Remembered],
    steps: Mapping[str, Decision],
    renamed: Mapping[str, str],
) -> Plan:
    """The plan of these decisions. `resolved` is the memory before them."""
    sending = {
        name: replace(step.sending, was=earlier) if (earlier := resolved.get(name)) else step.sending
        for name, step in steps.items()
        if step.sending
    }
    for name, step in steps.items():
        put(resolved, name, step.memory)
    # What this look learnt of the last push was left there at this stamp.
    resolved = {
        name: entry
        if (earlier := memory.get(name)) and entry.left == earlier.left
        else replace(entry, stamp=item.stamp)
        for name, entry in resolved.items()
    }
    if resolved != memory:
        resolved = stamp_fields(resolved, item.stamp)
    decided = kept_fields(resolved)
    notes = [step.note for step in steps.values() if step.note]
    notes += [Note(name, "decided", KEPT) for name in values if name in decided]
    return Plan(
        edit={name: step.change for name, step in steps.items() if step.change},
        memory=resolved,
        sending=sending,
        notes=tuple(notes),
        renamed=renamed,
    )


def _to_sync(
    values: Mapping[str, Value], item: Item, resolved: dict[str, Remembered], plain_names: Mapping[str, str]
) -> dict[str, Remembered]:
    """The memory of an item to sync: whatever was undone before, with earlier values, and with those who stay away."""
    if undo_mode(resolved):
        resolved = dict(begun_anew(resolved))
    decided = kept_fields(resolved)
    earlier = {name: entry for name, entry in resolved.items() if entry.before is not None and name in values}
    for name, entry in earlier.items():
        if name not in decided:
            # The value from before the undo, or to which a restore of Plex has set the field, if the field still has what
            # PlexSync left: then Stash's value at the undo counts as new. Any other value there is yours and stays.
            before = entry.before if is_as_left(name, held_field(item, name), entry) else None
            resolved[name] = replace(entry, said=entry.said if before is None else before, before=None)
    cast, actor = values.get("actor", ""), resolved.get("actor")
    if not plain_names or actor is None or set(cast) <= set(actor.said):
        return resolved
    return cast_that_stays_away(resolved, cast, item, plain_names)


def _field_decision(name: str, value: Value, now: Held, remembered: Remembered | None, policy: Policy) -> Decision:
    if remembered and remembered.drift:
        replaced = remembered.drift.replaced
        # A value that was set since you decided to replace that one is not meant.
        if value and replaced and same_value(name, now.value, replaced.value):
            return _given_up_field(name, value, now, remembered)
        if replaced:
            remembered = None if is_bare(name, remembered) else replace(remembered, drift=None)
    if isinstance(value, tuple):
        if policy.born and now.value and remembered is None and is_provided(name):
            remembered = born_list(value, now)
        return list_decision(name, value, now, remembered, take_over=policy.take_over)
    if not value:
        return _emptied_field(name, now, remembered)
    if remembered is None:
        return _new_field(name, value, now, policy)
    return _known_field(name, value, now, remembered, policy)


def _given_up_field(name: str, value: Value, now: Held, remembered: Remembered) -> Decision:
    """The decision for a field of which you take Stash's value: what is in Plex counts as PlexSync's own.

    The request stays until the push was read back.
    """
    if isinstance(value, tuple):
        adopted = replace(remembered, said=names_present(remembered.said, now.value), drift=None)
        step = list_decision(name, value, now, adopted, adopt_all=True)
    else:
        step = _write(name, value, now, now if is_bare(name, remembered) else remembered.found, remembered)
    return replace(step, memory=remembered, note=None) if step.sending else step


def _emptied_field(name: str, now: Held, remembered: Remembered | None) -> Decision:
    """The decision for a field that is empty in Stash.

    A value that PlexSync wrote and that is untouched is replaced by the original value, and the field is then
    forgotten.
    """
    if remembered is None or not is_untouched(name, now, remembered):
        return Decision(None)
    if is_of_person(name):
        # Other items show it too, so it stays, and still belongs to PlexSync.
        return Decision(remembered)
    original = remembered.found
    change = restoring(name, now, original)
    return Decision(remembered, change, Sending(None, original, original, now)) if change else Decision(None)


def _new_field(name: str, value: str, now: Held, policy: Policy) -> Decision:
    if policy.born and is_provided(name) and same_value(name, now.value, value) and not now.locked:
        return Decision(Remembered(value, now, now if name in NEVER_EMPTY else Held("", locked=False)))
    stash_wins = policy.take_over or policy.first_push == "stash"
    if same_value(name, now.value, value) or not now.value or not now.locked or stash_wins:
        return _write(name, value, now, now, None)
    # Plex writes names with single blanks.
    if name != "summary" and same_value(name, now.value, " ".join(value.split())):
        return Decision(Remembered(value, now, now))
    return Decision(None, note=Note(name, "kept", "locked in Plex before the first sync; it stays until you decide"))


def _known_field(name: str, value: str, now: Held, remembered: Remembered, policy: Policy) -> Decision:
    news = value != remembered.said
    as_left = is_as_left(name, now, remembered)
    if as_left and not news:
        return Decision(remembered)
    if name in PICTURES and now.locked and not news and now.value == value:
        # Plex was slow to show it. The key is that of the bytes that PlexSync sent, so nobody else set it.
        return Decision(replace(remembered, left=now))
    is_edit = news and not is_marked(name, value, remembered.outlived)
    if as_left or (is_edit and now.locked and policy.conflict == "stash"):
        return _write(name, value, now, remembered.found, remembered)
    if not now.locked:
        note = Note(name, "reverted", "Plex no longer has what we wrote, or no lock on it; it is written again")
        return replace(_write(name, value, now, remembered.found, remembered), note=note)
    if news:
        return Decision(remembered, note=Note(name, "kept", "Stash has changed, but an edit made in Plex is kept"))
    return Decision(remembered, note=Note(name, "person", "edited in Plex since it was written; left alone"))


def _write(name: str, value: str, now: Held, original: Held, remembered: Remembered | None) -> Decision:
    """Write and lock the value; only lock it if it is there already; only remember it if it is locked too."""
    value_is_there = same_value(name, now.value, value)
    if value_is_there and now.locked:
        return Decision(Remembered(value, now, original))
    change = Change(None if value_is_there else value, None if is_lockless(name) else True)
    sent = Held(now.value if value_is_there else value, True)
    return Decision(remembered, change, Sending(value, sent, original, now))


def _without_lock(name: str, step: Decision, now: Held, remembered: Remembered | None) -> Decision:
    """The decision for a field that Plex asks for. PlexSync's lock is taken off, and yours stays."""
    change, sending, memory = step.change, step.sending, step.memory
    has_our_lock = now.locked and remembered is not None and remembered.left.locked and not remembered.found.locked
    if now.locked and not has_our_lock:
        return replace(step, sending=replace(sending, found=replace(sending.found, locked=True))) if sending else step
    if change is None or sending is None:
        if not now.locked or memory is None or not same_value(name, now.value, memory.left.value):
            return step
        unlocked = Sending(memory.said, Held(now.value, locked=False), memory.found, now)
        return replace(step, change=Change(None, lock=False), sending=unlocked)
    if not change.lock:
        return step
    sending = replace(sending, sent=replace(sending.sent, locked=False))
    if change.value is None and not change.removes and not now.locked:
        is_list = name in LIST_FIELDS
        return Decision(
            learnt_list(remembered, sending, now) if is_list else learnt_scalar(sending, now), note=step.note
        )
    return replace(step, change=replace(change, lock=False), sending=sending)


# --- the result of a push whose end is unknown ------------------------------------------------------------------------


def _resolved_field(
    name: str, values: Mapping[str, Value], item: Item, memory: Memory, pushing: Sequence[Pushing]
) -> Remembered | None:
    """The memory of a field after its unfinished pushes are resolved."""
    remembered = memory.get(name)
    sendings = [push.fields[name] for push in pushing if name in push.fields]
    now = held_field(item, name)
    if not sendings:
        return remembered
    if remembered and matches(name, now, remembered.left):
        return _after_repair(name, remembered, sendings, now)
    if remembered and name in PICTURES and any(_is_half_back(sent, now) for sent in sendings):
        return replace(remembered, left=now)
    for sent in reversed(sendings):
        is_alike = alike_value(name, now.value, sent.sent.value)
        if matches(name, now, sent.sent) or (is_alike and not matches(name, now, sent.before)):
            # It arrived, in whatever spelling: as if it had been read back, with the lock that was sent.
            result = Held(now.value, sent.sent.locked)
            learnt = learnt_list(remembered, sent, result) if name in LIST_FIELDS else learnt_scalar(sent, result)
            return _still_undone(remembered, learnt, now)
    if name in LIST_FIELDS:
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
        return give_up(remembered, now)
    if learnt.undone and learnt.back and remembered.back:
        return learnt
    marked = replace(learnt, before=None).undo(remembered.said, remembered.undone)
    return replace(marked, back=learnt.left if remembered.back == remembered.left else remembered.back)


def _after_repair(name: str, remembered: Remembered, sendings: Sequence[Sending], now: Held) -> Remembered:
    """The memory of a field that is as last read back. Only a list can have been changed and repaired since then."""
    if name not in LIST_FIELDS:
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


def _is_edited_since(name: str, sent: Sending, remembered: Remembered | None, now: Held, value: Value | None) -> bool:
    """Whether you edited the field after the push was planned; then the push counts as finished first.

    Only if Stash still has the pushed value, and no later push changed the memory.
    """
    if sent.said != value or (sent.was and sent.was.said) != (remembered and remembered.said):
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

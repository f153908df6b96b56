"""The memory of an item's fields: their spelling, and whether a field is still as the last push left it.

After a push the item is read again, and what it shows becomes memory (`learn`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from plexsync.rules.item import LIST_FIELDS, LISTS, NEVER_EMPTY, PICTURES, Item, beside_whom, field_key, is_lockless
from plexsync.rules.merge.drift import still_kept
from plexsync.rules.merge.list_members import emptied_list, owned_names, still_adopted, without_adopted
from plexsync.rules.merge.plan_records import Change, Learnt, Memory, Pushing, Remembered, Sending
from plexsync.rules.merge.taken_back import TakenBack
from plexsync.rules.merge.values import (
    LEAST_CUT,
    Held,
    Value,
    alike_text,
    alike_value,
    held_field,
    is_spelling,
    joined_names,
    matches,
    name_keys,
    names_present,
    same_value,
    without_names,
)
from plexsync.rules.words.text import fold

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


def is_released(name: str, remembered: Remembered) -> bool:
    """Whether nothing of PlexSync's is left in the field."""
    if name in LIST_FIELDS:
        return not remembered.ours and not remembered.adopted and remembered.left.locked == remembered.found.locked
    return matches(name, remembered.left, remembered.found)


def give_up(remembered: Remembered, now: Held) -> Remembered:
    """The memory of a field that PlexSync no longer owns: its present value belongs to Plex."""
    return replace(remembered, left=now, found=now, ours={}, adopted=(), before=None, back=None)


def is_as_left(name: str, now: Held, remembered: Remembered) -> bool:
    """Whether Plex has the value that PlexSync left, and PlexSync's lock is still there."""
    return same_value(name, now.value, remembered.left.value) and (now.locked or not remembered.left.locked)


def is_untouched(name: str, now: Held, remembered: Remembered) -> bool:
    """Whether Plex has the value that PlexSync left, and no lock was added."""
    return same_value(name, now.value, remembered.left.value) and (remembered.left.locked or not now.locked)


def restoring(name: str, now: Held, original: Held) -> Change | None:
    """The change that restores a single value; None if nothing is to be restored."""
    unchanged = same_value(name, now.value, original.value) or (name in NEVER_EMPTY and not original.value)
    value = None if unchanged else original.value
    lock = None if is_lockless(name) or now.locked == original.locked else original.locked
    return None if value is None and lock is None else Change(value, lock)


def undo_mode(memory: Memory) -> TakenBack:
    """How the item was taken back, by its memory."""
    return next((remembered.undone for remembered in memory.values() if remembered.undone), TakenBack.NO)


def last_stamp(memory: Memory) -> int:
    """The item's stamp when any of its fields was last read; 0 if unknown."""
    return max((max(remembered.stamp, remembered.item_stamp) for remembered in memory.values()), default=0)


def is_older(item: Item, memory: Memory) -> bool:
    """Whether the item in Plex is older than the last push that was read back: Plex was restored."""
    return 0 < item.stamp < last_stamp(memory)


def stamp_fields(memory: Memory, stamp: int) -> dict[str, Remembered]:
    """The memory of an item of which a field was read at this stamp."""
    return {
        name: replace(remembered, item_stamp=stamp)
        if stamp > max(remembered.stamp, remembered.item_stamp)
        else remembered
        for name, remembered in memory.items()
    }


def with_addresses(memory: Memory, item: Item) -> Memory:
    """The memory with the pictures' present addresses, so that the pictures need not be requested again."""
    pictures = {
        name: replace(past, ours={str(past.left.value): item.pictures[name]})
        for name in PICTURES
        if (past := memory.get(name)) and item.pictures.get(name) and past.left.value == item.scalars.get(name)
    }
    return {**memory, **pictures} if pictures else memory


def learn(memory: Memory, sending: Mapping[str, Sending], item: Item) -> Learnt:
    """The memory after a successful push, with the item read back as `item`."""
    updated = dict(memory)
    again: dict[str, Change] = {}
    read = {name: held_field(item, name) for name in sending}
    for name, sent in sending.items():
        now = read[name]
        if name in LIST_FIELDS:
            learnt = learnt_list(memory.get(name), sent, now, item.stamp)
            if stubborn := names_present(sent.removes, now.value):
                again[name] = Change(None, sent.sent.locked, removes=stubborn)
        else:
            is_ours = now.locked or not sent.sent.locked or alike_value(name, now.value, sent.sent.value)
            # Someone may have set another unlocked value in between.
            result = now if is_ours or same_value(name, now.value, sent.before.value) else sent.sent
            learnt = learnt_scalar(sent, result, item.stamp if result is now else 0)
        earlier = memory.get(name)
        put(updated, name, still_kept(name, learnt, earlier) if earlier and (earlier.drift or earlier.away) else learnt)
    # What Plex has now as it was left there was read at this stamp.
    updated = {
        name: replace(entry, stamp=item.stamp)
        if entry.stamp != item.stamp and matches(name, read.get(name) or held_field(item, name), entry.left)
        else entry
        for name, entry in updated.items()
    }
    return Learnt(stamp_fields(updated, item.stamp), again, untaken_fields(sending, read), read)


def untaken_fields(sending: Mapping[str, Sending], read: Mapping[str, Held]) -> tuple[str, ...]:
    """The fields of a push that Plex answered well, and of which it still has exactly what it had before.

    A Plex that took another part of the push does take edits. Then a lock, a list of which it never took a name, or what
    is shown beside a cast member, is something that it takes from nobody: no later push would change that.
    """
    took = any(not matches(name, read[name], sent.before) for name, sent in sending.items())
    return tuple(
        name
        for name, sent in sending.items()
        if (is_untaken(name, sent, read[name]) and not (took and _may_take_none(name, sent)))
        or (not took and _lacks_lock(name, sent, read[name]))
    )


def is_untaken(name: str, sent: Sending, now: Held) -> bool:
    """Whether Plex still has the value from before a push that should have changed it: it does not write the new one so."""
    if name in LIST_FIELDS and name not in LISTS:
        # A list of keys, which have no other spelling.
        return bool(names_present(sent.removes, now.value)) or len(names_present(sent.adds, now.value)) < len(sent.adds)
    before, value = sent.before.value, sent.sent.value
    if same_value(name, value, before) or not same_value(name, now.value, before):
        return False
    return not is_spelling(name, now.value, value) and not _is_cut_again(sent, now)


def _is_cut_again(sent: Sending, now: Held) -> bool:
    """Whether Plex may have cut a text to the one from before: not if that was a whole text of PlexSync's."""
    if isinstance(now.value, tuple) or isinstance(sent.sent.value, tuple):
        return False
    was = sent.was
    was_whole = was is not None and was.left.value == now.value and len(was.said) <= len(now.value)
    return not was_whole and len(now.value) >= LEAST_CUT and alike_text(now.value, sent.sent.value)


def _may_take_none(name: str, sent: Sending) -> bool:
    if name in PICTURES:
        # The one from before may not be there any more.
        return sent.said is None or bool(sent.undone)
    return beside_whom(name) is not None or (name in LISTS and not (sent.was and sent.was.ours))


def _lacks_lock(name: str, sent: Sending, now: Held) -> bool:
    # A server may lock no lists by an edit.
    return not is_lockless(name) and name not in LIST_FIELDS and now.locked == sent.before.locked != sent.sent.locked


def learnt_scalar(sent: Sending, result: Held, stamp: int = 0) -> Remembered | None:
    """The memory of a single value after a push with this result, which was read at this stamp (0: it was not read)."""
    if sent.said is None:
        return None
    if sent.undone and sent.was and sent.was.back:
        is_back = alike_value("", result.value, sent.sent.value)
        return replace(
            sent.was, left=result, before=sent.was.back.value, back=result if is_back else sent.was.back, stamp=stamp
        )
    original = result if sent.undone else sent.found
    return Remembered(sent.said, result, original, undone=sent.undone, stamp=stamp)


def learnt_list(remembered: Remembered | None, sent: Sending, now: Held, stamp: int = 0) -> Remembered | None:
    """The memory of a list after a push: earlier additions that are still there, and the additions of this push.

    `stamp` is that at which the list was read (0: not known).
    """
    present = name_keys(now.value)
    members = (
        {mine: spelling for mine, spelling in remembered.ours.items() if fold(spelling) in present}
        if remembered
        else {}
    )
    members |= arrived_members(sent, now)
    members |= owned_names(names_present(sent.adopts, now.value), sent.said or ())
    adopted = joined_names(
        still_adopted(remembered, sent, now), names_present(sent.adopts, (*now.value, *sent.removes))
    )
    if sent.undone and sent.was and sent.was.back:
        own = {name: name for name in names_present(without_names(sent.adds, sent.was.adopted), now.value)}
        adopted = without_names(sent.was.adopted, sent.adds)
        return replace(sent.was, left=now, ours={**members, **own}, adopted=adopted, back=now, stamp=stamp)
    if sent.undone and sent.was:
        adopted = joined_names(adopted, sent.was.adopted)
    learnt = Remembered(sent.said or (), now, sent.found, members, sent.undone, adopted, stamp=stamp)
    if sent.undone:
        left_over = replace(without_adopted(learnt), adopted=without_names(adopted, present))
        return left_over if sent.undone != TakenBack.RELEASE and left_over.ours else give_up(learnt, now)
    if sent.said is None and not members:
        return emptied_list(replace(learnt, stamp=0), now)
    return learnt


def arrived_members(sent: Sending, now: Held) -> dict[str, str]:
    """PlexSync's members that a push added, or restored (a list is sent complete), as far as they are there."""
    present = name_keys(now.value) & name_keys(sent.sent.value)
    was = without_adopted(sent.was) if sent.was and sent.undone else sent.was
    back = {mine: spelling for mine, spelling in was.ours.items() if fold(spelling) in present} if was else {}
    # Members that an undo restores were there before PlexSync.
    return back if sent.undone else back | names_read_back(sent, now)


def names_read_back(sent: Sending, now: Held) -> dict[str, str]:
    """The names that a push added, with Plex's spellings. A name that was there before the push belongs to Plex."""
    before = name_keys(sent.before.value)
    new = {key: name for name in now.value if (key := fold(name)) not in before}
    pairs = {
        mine: new.get(fold(mine)) or next((spelling for spelling in new.values() if alike_text(spelling, mine)), "")
        for mine in sent.adds
    }
    return {mine: spelling for mine, spelling in pairs.items() if spelling}

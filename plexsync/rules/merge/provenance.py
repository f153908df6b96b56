"""Whose a value is after a restore: of Plex, or of PlexSync's database.

A value that was once PlexSync's proves nothing alone, because you may have set it back. It counts as PlexSync's only with
evidence:

- The database is older than the journal. Then the pushes that it does not know are replayed from the journal, in hashes.
- The item in Plex is older than PlexSync's last push of the field, by the item's stamp. Then nobody has edited the field
  since, and a value that was PlexSync's at any time, or was there before PlexSync, is not an edit of yours.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from plexsync.rules.item import LISTS, PICTURES, SCALARS, Item
from plexsync.rules.merge.journal_entries import (
    FieldTrace,
    JournalEntry,
    hashes_of,
    name_hashes,
    trace_name,
    value_marks,
)
from plexsync.rules.merge.list_members import owned_names
from plexsync.rules.merge.memory import is_as_left, last_stamp, put, stamp_fields
from plexsync.rules.merge.plan_records import Memory, Plan, Pushing, Remembered, RestoreDecisions
from plexsync.rules.merge.values import Held, Value, held_field, matches, name_keys, same_value, without_names
from plexsync.rules.record_class import record
from plexsync.rules.words.text import fold


@record
class Provenance:
    """What the journal knows about one item: its entries, oldest first.

    `after`: the database has lost what is above this number; None if it has lost nothing.
    """

    entries: tuple[JournalEntry, ...] = ()
    after: int | None = None

    def of(self, item: Item) -> "Provenance":
        """Only the entries that can be about this item: another one may have had its key.

        As with a memory (`plexsync.rules.match.origin.is_of`), other files are believed if the item shows a title or a
        summary that PlexSync left or sent there while it had them: then its files were swapped.
        """
        present = [entry for entry in self.entries if entry.is_in_library_of(item)]
        proven = {(entry.number, entry.salt) for entry in present if entry.is_shown_by(item)}
        swapped = {file for entry in present if (entry.number, entry.salt) in proven for file in entry.files}
        return replace(
            self, entries=tuple(entry for entry in present if entry.agrees(item) or swapped.intersection(entry.files))
        )

    @property
    def pushed_fields(self) -> frozenset[str]:
        """The names of the fields in the pushes that the journal has."""
        return frozenset(name for entry in self.entries if entry.kind == "sent" for name in entry.fields)


@record
class FieldHistory:
    """The pushes of one field, oldest first, as (entry before sending, entry after the read-back or None)."""

    name: str
    pushes: tuple[tuple[JournalEntry, JournalEntry | None], ...] = ()

    @property
    def stamp(self) -> int:
        """The item's stamp at the last read-back of the field; 0 if unknown."""
        return max((read.stamp for _, read in self.pushes if read), default=0)

    def above(self, number: int) -> "FieldHistory":
        """The pushes with a higher number."""
        return replace(self, pushes=tuple(push for push in self.pushes if push[0].number > number))

    def until(self, stamp: int) -> "FieldHistory":
        """The pushes up to this stamp of the item, in the order of its stamps, which a restore of Plex sets back.

        A push that was not read back belongs to the one before it.
        """
        stamps: list[int] = []
        for _, read in self.pushes:
            stamps.append(read.stamp if read else stamps[-1] if stamps else 0)
        order = sorted(range(len(stamps)), key=lambda number: stamps[number])
        return replace(self, pushes=tuple(self.pushes[number] for number in order if stamps[number] <= stamp))

    def traces(self) -> list[tuple[FieldTrace, FieldTrace | None, JournalEntry]]:
        """Per push: the field as sent, as read back (None if not), and the entry with the salt."""
        traces = []
        for sent, read in self.pushes:
            own = trace_name(self.name, sent.salt)
            # A single value that Plex took as it was sent has no trace of its own.
            read_trace = (read.fields.get(own) or replace(sent.fields[own], adds=())) if read else None
            traces.append((sent.fields[own], read_trace, sent))
        return traces

    def was_own(self, value: str) -> bool:
        """Whether a single value was PlexSync's at any time."""
        return any(
            not sent.ended and set(hashes_of(self.name, value, entry.salt)) & {*sent.values, *(read or sent).values}
            for sent, read, entry in self.traces()
        )

    def marks(self) -> tuple[str, ...]:
        """The marks of the single values that were sent at any time."""
        marks = [mark for sent, _, entry in self.traces() for mark in value_marks(sent.values, entry.salt)]
        return tuple(dict.fromkeys(marks))

    def was_added(self, member: str) -> bool:
        """Whether PlexSync added this name to the list at any time."""
        return any(
            set(name_hashes((member,), entry.salt)) & {*sent.adds, *(read.adds if read else ())}
            for sent, read, entry in self.traces()
        )


def history_of(name: str, entries: Sequence[JournalEntry]) -> FieldHistory:
    """The pushes of a field."""
    # Hashes with another salt can't be compared with those that were sent.
    reads = {(entry.number, entry.salt): entry for entry in entries if entry.kind == "read"}
    sent = [entry for entry in entries if entry.kind == "sent" and trace_name(name, entry.salt) in entry.fields]
    return FieldHistory(name, tuple((entry, _read_of(name, reads.get((entry.number, entry.salt)))) for entry in sent))


def _read_of(name: str, read: JournalEntry | None) -> JournalEntry | None:
    """The read-back of a push if the field was read back with it. A picture that was left out may still arrive, or never."""
    if read is None:
        return None
    trace = read.fields.get(trace_name(name, read.salt))
    return None if trace and trace.ended else read


# Stands for a text of which only the hash is known. No field of Plex or Stash can hold it.
UNKNOWN = "\0"


@dataclass
class Recovered:
    """The memory after a restore, the pushes that are still unresolved, and the fields that were decided by evidence.

    `set_back` holds the real memory of single values that are written again because Plex is older. It stays as it is until
    they are: if you edit the item before that, its stamp is new, and your value is yours.
    """

    memory: dict[str, Remembered]
    pushing: Sequence[Pushing]
    set_back: dict[str, Remembered | None] = field(default_factory=dict)
    own: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    recalled: dict[str, Remembered] = field(default_factory=dict)

    @property
    def fields(self) -> RestoreDecisions:
        """The fields that were decided."""
        return RestoreDecisions(tuple(self.own), tuple(self.kept), self.recalled)

    def end_pushes(self, name: str) -> None:
        """Take a field out of the unresolved pushes."""
        self.pushing = [
            replace(push, fields={field: sent for field, sent in push.fields.items() if field != name})
            for push in self.pushing
        ]

    def finish(self, planned: Plan) -> Plan:
        """The plan that was made on this memory, with the memory that is to be saved now."""
        memory, sending = dict(planned.memory), dict(planned.sending)
        for name, remembered in self.set_back.items():
            put(memory, name, remembered)
            if name in sending:
                sending[name] = replace(sending[name], was=remembered)
        return replace(planned, memory=memory, sending=sending, recovery=self.fields)


def recover(
    values: Mapping[str, Value],
    item: Item,
    memory: Memory,
    pushing: Sequence[Pushing],
    provenance: Provenance,
) -> Recovered:
    """The memory that the database would have without the loss, and that an item from an older moment needs."""
    result = Recovered(dict(memory), pushing)
    entries = provenance.of(item).entries
    names = dict.fromkeys([*values, *memory, *(name for push in pushing for name in push.fields)])
    # The evidence is used once, so it has to decide about a picture that can't be read from Stash now, too.
    names |= dict.fromkeys(name for name in PICTURES if name in item.scalars)
    histories = {name: history_of(name, entries) for name in names} if entries else {}
    if provenance.after is not None:
        for name, history in histories.items():
            _replay(name, values.get(name), item, history.above(provenance.after), result)
        result.memory = stamp_fields(result.memory, item.stamp)
    if 0 < item.stamp < max([last_stamp(result.memory), *(history.stamp for history in histories.values())]):
        for name in names:
            history = histories.get(name) or FieldHistory(name)
            last = max(result.memory[name].stamp if name in result.memory else 0, history.stamp)
            if item.stamp <= last:
                _set_back(name, values.get(name), item, history, result)
    return result


# --- the database is older -------------------------------------------------------------------------------------------


def _replay(name: str, value: Value | None, item: Item, history: FieldHistory, result: Recovered) -> None:
    """Bring the memory of a field up to the last push that arrived."""
    remembered, now = result.memory.get(name), held_field(item, name)
    if name in LISTS:
        names = value if isinstance(value, tuple) else ()
        state = _replayed_list(names, now, remembered, history, is_older=item.stamp < history.stamp)
        saved = [push.fields[name].sent for push in result.pushing if name in push.fields]
        if name == "collection" and state.is_renamed and any(matches(name, now, sent) for sent in saved):
            # The saved push has the names as they are now, and tells whose they are.
            return
        stamp = history.stamp if state.is_read else item.stamp
        replayed = state.replay(names, remembered, stamp) if state.moved else None
    elif value is None and name in (*SCALARS, *PICTURES):
        replayed = _replayed_unread(name, item, remembered, history)
    else:
        replayed = _replayed_value(value, now, remembered, history, item.stamp)
    if replayed is None:
        return
    recalled = replayed.memory
    put(result.memory, name, recalled)
    put(result.recalled, name, recalled)
    # An older push that ended unknown as far as the database knows has ended before this one.
    result.end_pushes(name)
    if recalled is None or not now.value:
        return
    if name in LISTS:
        if recalled.ours:
            result.own.append(name)
    elif is_as_left(name, now, recalled):
        result.own.append(name)
    elif now.locked:
        result.kept.append(name)


@record
class Replayed:
    """The memory after a replay; None if PlexSync had given the field up."""

    memory: Remembered | None


def _replayed_value(
    value: Value | None, now: Held, remembered: Remembered | None, history: FieldHistory, stamp: int
) -> Replayed | None:
    """The memory of a single value after the last push that was read back, or whose value is there. None if none was."""
    for sent, read, entry in reversed(history.traces()):
        hashes = set(hashes_of(history.name, now.value, entry.salt))
        is_shown = bool(hashes & {*sent.values, *(read or sent).values})
        if not read and not is_shown and not _is_edited_since(value, now, remembered, sent, history, entry.salt):
            # The push never arrived, as far as can be told.
            continue
        if sent.ended:
            return Replayed(None)
        is_news = value is None or not set(hashes_of(history.name, value, entry.salt)) <= {*sent.values}
        in_stash = UNKNOWN if is_news or value is None else value
        in_plex = now.value if is_shown else in_stash
        original = remembered.found if remembered else Held("", locked=False)
        return Replayed(
            Remembered(in_stash, Held(in_plex, sent.locked), original, stamp=history.stamp if read else stamp)
        )
    return None


def _replayed_unread(name: str, item: Item, remembered: Remembered | None, history: FieldHistory) -> Replayed | None:
    """The memory of a single value that is not known in Stash now: a disabled field, or a picture that can't be read.

    None if no push arrived. If Plex does not show what was sent last, the value there counts as yours: nothing tells
    whether Stash still has the one that was sent.
    """
    if name in PICTURES and name not in item.scalars:
        return None
    now = held_field(item, name)
    replayed = _replayed_value(now.value, now, remembered, history, item.stamp)
    is_yours = replayed is not None and replayed.memory is not None and replayed.memory.said == UNKNOWN
    return Replayed(None) if is_yours else replayed


def _is_edited_since(
    value: Value | None,
    now: Held,
    remembered: Remembered | None,
    sent: FieldTrace,
    history: FieldHistory,
    salt: bytes,
) -> bool:
    """Whether you edited the field after a push of unknown result; then the push counts as finished first.

    Only if Stash still has the pushed value.
    """
    if value is None or not now.locked or not set(hashes_of(history.name, value, salt)) <= {*sent.values}:
        return False
    is_earlier = remembered is not None and same_value(history.name, now.value, remembered.left.value)
    return not is_earlier and not history.was_own(str(now.value))


@dataclass
class _ListState:
    """A list while its pushes are replayed. Sets hold keys of names (`fold`); `names` are the names known by their hash.

    `in_stash` and `in_plex` are the names at the last push, `own` those of PlexSync then, `ever_own` those at any time.
    `is_renamed`: nobody knows any name that PlexSync had there at the last push.
    """

    names: dict[str, str]
    now: Held
    locked: bool
    own: set[str] = field(default_factory=set)
    in_stash: set[str] = field(default_factory=set)
    in_plex: set[str] = field(default_factory=set)
    ever_own: set[str] = field(default_factory=set)
    is_renamed: bool = False
    moved: bool = False
    is_read: bool = False
    is_older: bool = False
    ended: bool = False

    def push(self, sent: FieldTrace, read: FieldTrace | None, salt: bytes, *, whole: bool = False) -> None:
        """Replay one push, if it arrived. `whole`: one that was not read back did only if all of it is there."""
        by_hash = dict(zip(name_hashes(self.names, salt), self.names, strict=True))
        present = name_keys(self.now.value)
        adds, removes = _keys(sent.adds, by_hash), _keys(sent.removes, by_hash)
        self.ever_own |= adds
        effect = adds & present if sent.adds else set(sent.removes)
        arrived = bool(effect) and not removes & present and not (whole and adds - present)
        if not read and not arrived:
            return
        # If a member of PlexSync is missing, the list was edited since, and is as Plex has it now; unless Plex is older.
        is_whole = read is not None and set(read.adds) <= set(name_hashes(self.now.value, salt))
        is_as_read = read is not None and (self.is_older or is_whole)
        self.moved, self.ended, self.is_read = True, sent.ended, is_as_read
        self.in_stash, self.locked = _keys(sent.values, by_hash), sent.locked
        self.own = _keys(read.adds, by_hash) if read else (self.own - removes) | (adds & present)
        self.is_renamed = read is not None and bool(read.adds) and not self.own
        self.in_plex = _keys(read.values, by_hash) if read and is_as_read else set(present)

    def replay(self, names: tuple[str, ...], remembered: Remembered | None, stamp: int) -> Replayed:
        """The memory at the end."""
        if self.ended and not self.own:
            return Replayed(None)
        present = [name for key, name in self.names.items() if key in self.own]
        mine = {spelling: name for name, spelling in remembered.ours.items()} if remembered else {}
        members = {mine.get(spelling, name): spelling for name, spelling in owned_names(present, names).items()}
        original = (
            remembered.found
            if remembered
            else Held(without_names(self.now.value, frozenset(self.ever_own)), locked=False)
        )
        in_stash = () if self.ended else tuple(self.names[key] for key in self.names if key in self.in_stash)
        in_plex = tuple(self.names[key] for key in self.names if key in self.in_plex)
        adopted = remembered.adopted if remembered else ()
        return Replayed(
            Remembered(in_stash, Held(in_plex, self.locked), original, members, adopted=adopted, stamp=stamp)
        )


def _replayed_list(
    names: tuple[str, ...],
    now: Held,
    remembered: Remembered | None,
    history: FieldHistory,
    *,
    is_older: bool = False,
    whole: bool = False,
) -> _ListState:
    """The list after the pushes that arrived. `whole`: see `_ListState.push`."""
    if remembered is None:
        state = _ListState({fold(name): name for name in (*names, *now.value)}, now, now.locked, is_older=is_older)
    else:
        past = (*remembered.ours.values(), *remembered.left.value, *remembered.said)
        state = _ListState(
            {fold(name): name for name in (*past, *names, *now.value)},
            now,
            remembered.left.locked,
            own=set(name_keys(tuple(remembered.ours.values()))),
            in_stash=set(name_keys(remembered.said)),
            in_plex=set(name_keys(remembered.left.value)),
            is_older=is_older,
        )
    for sent, read, entry in history.traces():
        state.push(sent, read, entry.salt, whole=whole)
    return state


def _keys(hashes: Sequence[str], by_hash: Mapping[str, str]) -> set[str]:
    return {by_hash[text] for text in hashes if text in by_hash}


# --- Plex is older ---------------------------------------------------------------------------------------------------


def _set_back(name: str, value: Value | None, item: Item, history: FieldHistory, result: Recovered) -> None:
    """Decide whose the value of a field is that is older than the last push of this field."""
    remembered, now, earlier = result.memory.get(name), held_field(item, name), history.until(item.stamp)
    is_later = remembered is not None and item.stamp < remembered.stamp
    if is_later:
        # What was sent after that is not in the item any more.
        result.end_pushes(name)
    if name in LISTS:
        recalled = _list_set_back(
            now, remembered, history, earlier, value if isinstance(value, tuple) else (), left_later=is_later
        )
    else:
        recalled = _value_set_back(name, value, item, earlier, result, sent=history.marks())
    if recalled is not None and recalled != remembered:
        result.memory[name] = recalled
        result.own.append(name)
        if name not in LISTS and not recalled.undone and value is not None and value != now.value:
            result.set_back[name] = remembered


def _value_set_back(
    name: str, value: Value | None, item: Item, history: FieldHistory, result: Recovered, *, sent: tuple[str, ...]
) -> Remembered | None:
    """The memory by which a single value from an older moment is replaced; None if it stays as it is.

    `sent` are the marks of all that was sent, also after that moment.
    """
    remembered, now = result.memory.get(name), held_field(item, name)
    if not now.locked:
        return None
    if remembered and is_as_left(name, now, remembered):
        # The lock of a value that was taken back is back.
        is_back = bool(remembered.undone) and not remembered.left.locked and history.was_own(str(now.value))
        return replace(remembered, left=now) if is_back else None
    is_known = name not in PICTURES or name in item.scalars
    if remembered is None:
        # Given up since, and there again.
        if not is_known or not history.was_own(str(now.value)):
            return None
        return Remembered(UNKNOWN, now, Held("", locked=False), before=now.value if value is None else None)
    if value is None and not remembered.undone and not is_known:
        return None
    earlier = [remembered.said, remembered.found.value, *([] if remembered.before is None else [remembered.before])]
    if not any(same_value(name, now.value, old) for old in earlier) and not history.was_own(str(now.value)):
        if value is not None or remembered.undone:
            result.kept.append(name)
        if not remembered.undone:
            # Stash may be restored as well, now or later, to what it had at any moment: that is no edit.
            result.memory[name] = replace(remembered, outlived=sent)
        return None
    if value is None and not remembered.undone:
        # The evidence is gone once another field is written, so it is kept until Stash's value is known.
        return replace(remembered, left=now, before=now.value)
    is_written = not remembered.undone and value != now.value
    return replace(remembered, said=UNKNOWN if is_written else remembered.said, left=now)


def _list_set_back(
    now: Held,
    remembered: Remembered | None,
    history: FieldHistory,
    earlier: FieldHistory,
    names: tuple[str, ...],
    *,
    left_later: bool,
) -> Remembered | None:
    """The memory of a list that is from an older moment.

    `earlier` is the history up to that moment. Members of PlexSync that are back belong to it. Members that the last
    push left are missing because of the restore (`left_later`: it was after that moment), so they are added again.
    """
    state = _replayed_list((), now, None, earlier, whole=True)
    own = state.own
    if remembered is None:
        back = [name for name in now.value if fold(name) in own]
        original = Held(without_names(now.value, back), locked=False)
        return Remembered(tuple(owned_names(back, names)), now, original, owned_names(back, names)) if back else None
    at_push, adopted = name_keys(remembered.left.value), name_keys(remembered.adopted)
    gone = at_push - name_keys(now.value) if left_later else frozenset[str]()
    gone |= {fold(name) for name, spelling in remembered.ours.items() if fold(spelling) in gone}
    mine = name_keys(tuple(remembered.ours.values()))
    back = [
        name
        for name in now.value
        if (key := fold(name)) not in mine and (key in own or (key in adopted and key not in at_push))
    ]
    # What PlexSync added only after that moment was there by another hand.
    later = {fold(name) for name in remembered.ours.values() if history.was_added(name)} - own
    members = {name: spelling for name, spelling in remembered.ours.items() if fold(spelling) not in later}
    # The lock of a list that was taken back is back as well.
    is_back = bool(remembered.undone) and state.moved and not state.ended
    locked = now.locked if is_back else remembered.left.locked
    if not gone and not back and len(members) == len(remembered.ours) and locked == remembered.left.locked:
        return remembered
    return replace(
        remembered,
        said=without_names(remembered.said, gone),
        left=Held(now.value, locked),
        ours={**members, **owned_names(back, names)},
    )

"""Drift: fields of an item that you edited in Plex, and your decisions about them.

*Keep*: the field follows Plex until you take that back, also after a later edit in Stash. *Take Stash's*: once, the value
that you saw in Plex counts as PlexSync's own, so that Stash's value replaces it. A decision is stored in the memory of
its field, so it ends when the memory is believed no more.
"""

from collections.abc import Mapping
from dataclasses import replace

from plexsync.rules.item import LIST_FIELDS, Item
from plexsync.rules.merge.plan_records import DriftChoice, Memory, Note, Plan, Remembered
from plexsync.rules.merge.values import Held, Value, empty_value, held_field, name_keys, without_names
from plexsync.rules.record_class import record
from plexsync.rules.words.text import fold


@record
class DriftField:
    """A field whose value in Plex is yours. `since` (UTC ms): when you decided to keep it; None while undecided.

    `in_stash` is None if Stash's value is not written there: the field is switched off, or Stash has none. `in_plex` is
    None if it is not known now. Taking Stash's value would add and remove the names in `adds` and `removes`. `before`: it
    was locked there before PlexSync's first sync, so only your decision ends that; else you edited it since.
    """

    name: str
    in_plex: Held | None
    in_stash: Value | None
    since: int | None = None
    adds: tuple[str, ...] = ()
    removes: tuple[str, ...] = ()
    before: bool = False

    @property
    def is_kept(self) -> bool:
        """Whether you decided to keep it."""
        return self.since is not None


def drift_of(values: Mapping[str, Value], item: Item, plan: Plan) -> tuple[DriftField, ...]:
    """The fields of an item that you edited in Plex, by its plan: those that you keep, and those to decide about."""
    decided = kept_fields(plan.memory)
    open_fields = [note.field for note in plan.notes if is_drift(note) and note.field not in decided]
    names = [*dict.fromkeys(open_fields), *(name for name in plan.memory if name in decided)]
    return tuple(_drift_field(name, values, item, plan.memory.get(name)) for name in names)


def is_drift(note: Note) -> bool:
    """Whether a note of a plan is about a value of yours that Stash's value would replace."""
    # A list that is kept was never taken by Plex.
    return note.reason == "person" or (note.reason == "kept" and note.field not in LIST_FIELDS)


def _drift_field(name: str, values: Mapping[str, Value], item: Item, remembered: Remembered | None) -> DriftField:
    now, value = held_field(item, name), values.get(name)
    since = remembered.drift.at if remembered and _is_kept(remembered) and remembered.drift else None
    before = remembered is None or is_bare(name, remembered)
    if not isinstance(value, tuple):
        return DriftField(name, now, value or None, since, before=before)
    # PlexSync's names that Plex has in a spelling of its own, and Plex's spellings of names that Stash has, are no change.
    spellings = {fold(name): fold(spelling) for name, spelling in remembered.ours.items()} if remembered else {}
    present, wanted = name_keys(now.value), name_keys(value)
    adds = without_names(value, present | {name for name, spelling in spellings.items() if spelling in present})
    removes = without_names(now.value, wanted | {spelling for name, spelling in spellings.items() if name in wanted})
    return DriftField(name, now, value, since, adds, removes, before)


# --- decisions -------------------------------------------------------------------------------------------------------


def keep(memory: Memory, name: str, value: Value, *, now: int) -> Memory:
    """The memory in which a field follows Plex from now on. `value` is Stash's."""
    remembered = memory.get(name) or bare(name, value)
    return {**memory, name: replace(remembered, drift=DriftChoice(now))}


def take(memory: Memory, name: str, value: Value, in_plex: Held, *, now: int) -> Memory:
    """The memory in which this value in Plex is to be replaced by Stash's, once. `value` is Stash's."""
    remembered = memory.get(name) or bare(name, value)
    return {**memory, name: replace(remembered, drift=DriftChoice(now, in_plex))}


def unkeep(memory: Memory, name: str, value: Value | None) -> Memory:
    """The memory in which a field no longer follows Plex. Only an edit in Stash after now counts as new.

    `value` is Stash's; None if it is not known now.
    """
    remembered = memory.get(name)
    if remembered is None or not _is_kept(remembered):
        return memory
    if is_bare(name, remembered):
        return {field: other for field, other in memory.items() if field != name}
    ended = replace(remembered, drift=None, said=remembered.said if value is None else value)
    return {**memory, name: ended}


def kept_fields(memory: Memory) -> frozenset[str]:
    """The fields that follow Plex."""
    return frozenset(name for name, entry in memory.items() if entry.drift and entry.drift.replaced is None)


def _is_kept(remembered: Remembered) -> bool:
    return remembered.drift is not None and remembered.drift.replaced is None


def bare(name: str, value: Value, choice: DriftChoice | None = None) -> Remembered:
    """The memory of a field that PlexSync never wrote: it holds only a decision."""
    nothing = Held(empty_value(name), locked=False)
    return Remembered(value, nothing, nothing, drift=choice)


def is_bare(name: str, remembered: Remembered) -> bool:
    """Whether the memory of a field holds only a decision."""
    nothing = Held(empty_value(name), locked=False)
    return remembered.left == nothing == remembered.found and not remembered.ours and not remembered.adopted


def still_kept(name: str, remembered: Remembered | None, earlier: Remembered | None) -> Remembered | None:
    """The memory of a field after something was learnt about it: it still follows Plex if it did, and names stay away."""
    if earlier is None:
        return remembered
    if earlier.away:
        remembered = replace(remembered or bare(name, ()), away=earlier.away)
    if not _is_kept(earlier):
        return remembered
    return replace(remembered or bare(name, earlier.said), drift=earlier.drift)


def all_still_kept(memory: Memory, earlier: Memory) -> Memory:
    """The memory of an item after something was learnt about it, as `still_kept`."""
    lasting = [name for name, entry in earlier.items() if entry.away or entry.drift]
    decided = {name: still_kept(name, memory.get(name), earlier[name]) for name in lasting}
    return {**memory, **{name: remembered for name, remembered in decided.items() if remembered}}

"""Lists the fields that you edited in Plex, and carries out your decisions about them (`plexsync.rules.drift`).

Scenes are found by what their last look found, and by the marks of kept fields; what is shown is read from both servers.
A decision is saved only if nothing else was learnt about the scene meanwhile, and a running attempt loses the scene, since
it was planned without it.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from plexsync.engine.gates import Gates
from plexsync.engine.tickets import READS
from plexsync.flows.scenes.inspection import Looker
from plexsync.flows.scenes.inspection_records import Inspection, Target, mark_kept
from plexsync.rules.drift import DriftField, keep, kept_fields, take, unkeep
from plexsync.rules.item import field_key
from plexsync.rules.job import Kind, State, Why
from plexsync.rules.neighbours import Clock
from plexsync.rules.plan_records import Memory
from plexsync.rules.status_words import kept_in, kept_word
from plexsync.rules.text import fold
from plexsync.rules.values import held
from plexsync.store.database import Database, Reader, Writer

BATCH = 50
PAGE = 500
# So often a scene is looked at again because something was learnt about it meanwhile.
LOOKS = 3
# From so many scenes on, decisions use the slow lane.
CROWD = 100

Progress = Callable[[int, int], None]


class DriftAnswer(StrEnum):
    """A decision about fields that you edited in Plex."""

    KEEP = "keep"
    TAKE = "take"
    UNKEEP = "unkeep"


@dataclass(frozen=True)
class DriftFilter:
    """Which fields are meant: those with these names, in this item and library; empty for any.

    `kept_only`: those that you keep; `open_only`: those that you have not decided about.
    """

    fields: tuple[str, ...] = ()
    library: str = ""
    item: str = ""
    kept_only: bool = False
    open_only: bool = False

    def picks(self, entry: "DriftEntry") -> tuple[DriftField, ...]:
        """The fields of an item that are meant."""
        if (self.item and self.item != entry.key) or (self.library and fold(self.library) != fold(entry.library)):
            return ()
        wanted = {field_key(name) for name in self.fields}
        return tuple(
            drifted
            for drifted in entry.fields
            if (not wanted or field_key(drifted.name) in wanted)
            and not (self.open_only if drifted.is_kept else self.kept_only)
        )

    def narrowed(self, entry: "DriftEntry") -> "DriftEntry":
        """The item with only the fields that are meant."""
        return replace(entry, fields=self.picks(entry))

    def taking(self, answer: DriftAnswer, *, named: bool) -> "DriftFilter":
        """The same for a decision. A field that you keep is taken from Stash only if you name it and its scene (`named`)."""
        return replace(self, open_only=answer is DriftAnswer.TAKE and not (named and self.fields))


@dataclass(frozen=True)
class DriftEntry:
    """One item of a scene with the fields that you edited in Plex.

    `since` (UTC ms): when a look first found it so. `rests`: the scene is undone or ignored, so that nothing is written.
    """

    id: int
    title: str
    key: str
    library: str
    fields: tuple[DriftField, ...]
    since: int | None = None
    rests: bool = False


@dataclass(frozen=True)
class DriftPage:
    """Some scenes with drift. `after` is the last scene that was looked at; None if there are no more.

    `edited` counts the scenes in which the last look noticed edits, `kept` those with a field that you keep.
    """

    entries: tuple[DriftEntry, ...]
    after: int | None
    edited: int
    kept: int


@dataclass
class Decided:
    """The number of fields decided about, their scenes; and the scenes with nothing of the kind, or that are worked on."""

    fields: int = 0
    scenes: list[int] = field(default_factory=list)
    untouched: list[int] = field(default_factory=list)
    busy: list[int] = field(default_factory=list)
    remaining: int = 0
    """The scenes that were not looked at, because it was stopped."""


def drift_page(
    store: Database, looker: Looker, gates: Gates, wanted: DriftFilter, *, after: int = 0, limit: int = BATCH
) -> DriftPage:
    """A page of up to `limit` scenes above `after`. Raises NeighbourError if a server can't be asked."""
    with store.reading() as db:
        ids = drifted_scenes(db, after=after, limit=limit + 1, kept_only=wanted.kept_only)
        edited, kept = db.standings.count_kept(), db.notes.count_kept()
    more = ids[limit - 1] if len(ids) > limit else None
    entries = list(drift_now(store, looker, gates, ids[:limit])) if ids else []
    return DriftPage(tuple(entry for entry in map(wanted.narrowed, entries) if entry.fields), more, edited, kept)


def drifted_scenes(db: Reader, *, after: int, limit: int, kept_only: bool = False) -> list[int]:
    """Up to `limit` scenes above `after` that may have drift, by number."""
    ids = set(db.notes.kept_scenes(after=after, limit=limit))
    if not kept_only:
        ids |= set(db.standings.kept(after=after, limit=limit))
    return sorted(ids)[:limit]


def candidates(db: Reader, answer: DriftAnswer) -> list[int]:
    """All scenes that may have fields for this decision, by number."""
    listing = db.notes.kept_scenes if answer is DriftAnswer.UNKEEP else db.standings.kept
    ids: list[int] = []
    while page := listing(after=ids[-1] if ids else 0, limit=PAGE):
        ids += page
    return ids


def drift_now(store: Database, looker: Looker, gates: Gates, ids: Sequence[int]) -> Iterator[DriftEntry]:
    """The drift of these scenes, read from both servers. Raises NeighbourError."""
    for start in range(0, len(ids), BATCH):
        gates.enter(*READS)
        sights = looker.look(ids[start : start + BATCH])
        with store.reading() as db:
            entries = entries_of(db, sights)
        yield from entries


def drift_known(db: Reader, ids: Sequence[int]) -> list[DriftEntry]:
    """The kept fields of these scenes as the database knows them: without the values that both servers have now."""
    names = {row.key: row.title for row in db.sections.all()}
    memories = db.memories.of(ids)
    entries = {entry.key: entry.section for entry in db.index.entries(sorted({key for _, key in memories}))}
    return [
        DriftEntry(id, "", key, names.get(entries.get(key, ""), ""), _kept_known(memory))
        for (id, key), memory in sorted(memories.items())
        if kept_fields(memory)
    ]


def _kept_known(memory: Memory) -> tuple[DriftField, ...]:
    return tuple(
        DriftField(name, None, None, remembered.drift.at)
        for name, remembered in memory.items()
        if remembered.drift and remembered.drift.replaced is None
    )


def entries_of(db: Reader, sights: Sequence[Inspection]) -> list[DriftEntry]:
    """The items of these inspections with drift. Of undone and ignored scenes, only what you keep counts.

    What you keep is listed as long as it is remembered, also for items to which a scene leads no longer.
    """
    names = {row.key: row.title for row in db.sections.all()}
    rows = db.jobs.of(Kind.SCENE, [sight.id for sight in sights])
    entries = []
    for sight in sorted(sights, key=lambda each: each.id):
        rests = bool(sight.undone) or (sight.id in rows and rows[sight.id].state is State.IGNORED)
        standing = db.standings.find(sight.id)
        for target in sight.targets:
            fields = tuple(drifted for drifted in target.drift if drifted.is_kept or not rests)
            title = sight.scene.title if sight.scene else ""
            library = names.get(target.item.section, "")
            if fields:
                since = standing.since if standing and kept_in(standing.word) else None
                entries.append(DriftEntry(sight.id, title, target.item.key, library, fields, since, rests))
    targets = {(sight.id, target.item.key) for sight in sights for target in sight.targets}
    titles = {sight.id: sight.scene.title for sight in sights if sight.scene}
    keeping = drift_known(db, db.notes.kept_among(sight.id for sight in sights))
    entries += [replace(kept, title=titles.get(kept.id, "")) for kept in keeping if (kept.id, kept.key) not in targets]
    return sorted(entries, key=lambda entry: entry.id)


# --- decisions -------------------------------------------------------------------------------------------------------


def decide(
    store: Database,
    looker: Looker,
    gates: Gates,
    clock: Clock,
    ids: Sequence[int],
    answer: DriftAnswer,
    wanted: DriftFilter,
    progress: Progress = lambda _done, _total: None,
    stopping: Callable[[], bool] = lambda: False,
) -> Decided:
    """Carry out a decision about the fields of these scenes. Raises NeighbourError; what was decided by then stays so.

    Repeating the call is harmless.
    """
    decided, order = Decided(), DriftOrder(answer, wanted, behind=len(ids) > CROWD)
    for start in range(0, len(ids), BATCH):
        if stopping():
            decided.remaining = len(ids) - start
            break
        todo: Sequence[int] = ids[start : start + BATCH]
        for _ in range(LOOKS):
            if todo:
                todo = _decide_some(store, looker, gates, clock, todo, order, decided)
        decided.busy += todo
        progress(min(start + BATCH, len(ids)), len(ids))
    return decided


@dataclass(frozen=True)
class DriftOrder:
    """A decision, the fields that it is about, and whether its scenes are to be synced behind all edits."""

    answer: DriftAnswer
    filter: DriftFilter
    behind: bool = False


def _decide_some(
    store: Database,
    looker: Looker,
    gates: Gates,
    clock: Clock,
    ids: Sequence[int],
    order: DriftOrder,
    decided: Decided,
) -> list[int]:
    """Look at these scenes and save the decision. Returns those of which something was learnt meanwhile."""
    gates.enter(*READS)
    with store.reading() as db:
        before = _known(db, ids)
    sights = {sight.id: sight for sight in looker.look(ids)}
    again = []
    with store.writing() as tx:
        now_known = _known(tx, ids)
        entries = entries_of(tx, list(sights.values()))
        for id in ids:
            sight = sights[id]
            if now_known[id] != before[id] or any(target.was_lost for target in sight.targets):
                again.append(id)
                continue
            own = [entry for entry in entries if entry.id == id]
            count = _answered(tx, looker, sight, own, order, now=clock.now())
            if not count:
                decided.untouched.append(id)
                continue
            decided.fields += count
            decided.scenes.append(id)
            tx.jobs.wrest(Kind.SCENE, id, now=clock.now())
            if order.answer is not DriftAnswer.KEEP:
                tx.jobs.want(Kind.SCENE, id, Why.USER, clock.now(), behind=order.behind)
    return again


def _known(db: Reader, ids: Sequence[int]) -> dict[int, object]:
    """What is remembered about each of these scenes."""
    memories, pushings = db.memories.of(ids), db.pushings.of(ids)
    return {
        id: (
            {key: memory for (scene, key), memory in memories.items() if scene == id},
            {key: pushing for (scene, key), pushing in pushings.items() if scene == id},
        )
        for id in ids
    }


def _answered(
    tx: Writer, looker: Looker, sight: Inspection, entries: Sequence[DriftEntry], order: DriftOrder, *, now: int
) -> int:
    """Save the decision about one scene; returns the number of fields."""
    if order.answer is DriftAnswer.UNKEEP:
        return _unkept(tx, sight, order.filter, now=now)
    chosen = {entry.key: order.filter.picks(entry) for entry in entries if not entry.rests}
    targets, count = [], 0
    for target in sight.targets:
        memory, some = _with_answer(target, chosen.get(target.item.key, ()), order.answer, now)
        count += some
        targets.append(replace(target, plan=replace(target.plan, memory=memory)) if some else target)
    if count:
        looker.save(tx, [replace(sight, targets=tuple(targets))], now=now)
        _restand(tx, sight.id, targets, now=now)
    return count


def _with_answer(target: Target, fields: Sequence[DriftField], answer: DriftAnswer, now: int) -> tuple[Memory, int]:
    """The memory of an item with the decision about these fields, and their number."""
    memory, count = target.plan.memory, 0
    for drifted in fields:
        if drifted.in_stash is None or (drifted.is_kept and answer is DriftAnswer.KEEP):
            continue
        count += 1
        if answer is DriftAnswer.KEEP:
            memory = keep(memory, drifted.name, drifted.in_stash, now=now)
        else:
            memory = take(memory, drifted.name, drifted.in_stash, held(target.item, drifted.name), now=now)
    return memory, count


def _unkept(tx: Writer, sight: Inspection, wanted: DriftFilter, *, now: int) -> int:
    """End what you keep of one scene, also on items to which it no longer leads; returns the number of fields."""
    wishes = {} if sight.undone else {target.item.key: target.wanted.values for target in sight.targets}
    count, saved = 0, []
    for entry in drift_known(tx, [sight.id]):
        memory = tx.memories.of([sight.id])[sight.id, entry.key]
        fields = wanted.picks(entry)
        for drifted in fields:
            memory = unkeep(memory, drifted.name, wishes.get(entry.key, {}).get(drifted.name))
        if fields:
            count += len(fields)
            tx.memories.rewrite(sight.id, entry.key, memory)
            saved.append((sight.id, entry.key, memory))
    mark_kept(tx, saved, now=now)
    standing = tx.standings.find(sight.id)
    if count and not sight.undone and (standing is None or standing.word == "in step"):
        tx.standings.save({sight.id: kept_word(count)}, now=now)
    return count


def _restand(tx: Writer, id: int, targets: Collection[Target], *, now: int) -> None:
    """Save how many fields a scene has left to decide about: the next look would find the same."""
    standing = tx.standings.find(id)
    undecided = sum(
        not drifted.is_kept and not _is_answered(target.plan.memory, drifted.name)
        for target in targets
        for drifted in target.drift
    )
    if standing is not None and kept_in(standing.word):
        tx.standings.save({id: kept_word(undecided)}, now=now)


def _is_answered(memory: Memory, name: str) -> bool:
    return name in memory and memory[name].drift is not None

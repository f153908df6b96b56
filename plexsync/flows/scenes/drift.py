"""Lists the fields that you edited in Plex, and carries out your decisions about them (`plexsync.rules.merge.drift`).

Scenes are found by what their last look found, and by the marks of kept fields; what is shown is read from both servers.
A decision is saved only if nothing else was learnt about the scene meanwhile, and a running attempt loses the scene, since
it was planned without it.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Generic, TypeVar

from plexsync.engine.flow import Observation
from plexsync.engine.gates import Gates
from plexsync.engine.tickets import READS
from plexsync.engine.undo import Progress, quiet
from plexsync.flows.scenes.inspection import Inspector
from plexsync.flows.scenes.inspection_records import Inspection, PlannedObject, Target, mark_kept
from plexsync.rules.item import field_key
from plexsync.rules.merge.drift import DriftField, keep, kept_fields, take, unkeep
from plexsync.rules.merge.plan_records import Memory
from plexsync.rules.merge.values import held_field
from plexsync.rules.queue.job import Kind, State, Why
from plexsync.rules.record_class import record
from plexsync.rules.servers.neighbours import Clock
from plexsync.rules.words.status_words import kept_in, kept_word
from plexsync.rules.words.text import fold
from plexsync.store.database import Database, Reader, Writer

BATCH = 50
PAGE = 500
# From so many scenes on, decisions use the slow lane.
CROWD = 100

F = TypeVar("F", bound=Observation)


class DriftAnswer(StrEnum):
    """A decision about fields that you edited in Plex."""

    KEEP = "keep"
    TAKE = "take"
    UNKEEP = "unkeep"


@record
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
        return self.picks_among(entry.fields)

    def picks_among(self, fields: Iterable[DriftField]) -> tuple[DriftField, ...]:
        """Those of these fields that are meant."""
        wanted = {field_key(name) for name in self.fields}
        return tuple(
            drifted
            for drifted in fields
            if (not wanted or field_key(drifted.name) in wanted)
            and not (self.open_only if drifted.is_kept else self.kept_only)
        )

    def narrow(self, entry: "DriftEntry") -> "DriftEntry":
        """The item with only the fields that are meant."""
        return replace(entry, fields=self.picks(entry))

    def taking(self, answer: DriftAnswer, *, named: bool) -> "DriftFilter":
        """The same for a decision. A field that you keep is taken from Stash only if you name it and its scene (`named`)."""
        return replace(self, open_only=answer is DriftAnswer.TAKE and not (named and self.fields))


@record
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


@record
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
    """The names of the fields decided about, by subject; the subjects with nothing of the kind, or that are worked on.

    `remaining` counts those that were not looked at, because it was stopped.
    """

    parts: dict[int, tuple[str, ...]] = field(default_factory=dict)
    untouched: list[int] = field(default_factory=list)
    busy: list[int] = field(default_factory=list)
    remaining: int = 0

    @property
    def fields(self) -> int:
        """The number of fields decided about."""
        return sum(map(len, self.parts.values()))

    @property
    def scenes(self) -> list[int]:
        """The subjects decided about."""
        return list(self.parts)


def drift_page(inspector: Inspector, wanted: DriftFilter, *, after: int = 0, limit: int = BATCH) -> DriftPage:
    """A page of up to `limit` scenes above `after`. Raises NeighbourError if a server can't be asked."""
    with inspector.store.reading() as db:
        ids = drifted_scenes(db, after=after, limit=limit + 1, kept_only=wanted.kept_only)
        edited, decided = db.standings.count_kept(), db.notes.count_kept()
    more = ids[limit - 1] if len(ids) > limit else None
    entries = list(drift_now(inspector, ids[:limit])) if ids else []
    return DriftPage(tuple(entry for entry in map(wanted.narrow, entries) if entry.fields), more, edited, decided)


def drifted_scenes(db: Reader, *, after: int, limit: int, kept_only: bool = False) -> list[int]:
    """Up to `limit` scenes above `after` that may have drift, by number."""
    ids = set(db.notes.kept_scenes(after=after, limit=limit))
    if not kept_only:
        ids |= set(db.standings.list_kept(after=after, limit=limit))
    return sorted(ids)[:limit]


def candidates(db: Reader, answer: DriftAnswer) -> list[int]:
    """All scenes that may have fields for this decision, by number."""
    listing = db.notes.kept_scenes if answer is DriftAnswer.UNKEEP else db.standings.list_kept
    ids: list[int] = []
    while page := listing(after=ids[-1] if ids else 0, limit=PAGE):
        ids += page
    return ids


def drift_now(inspector: Inspector, ids: Sequence[int]) -> Iterator[DriftEntry]:
    """The drift of these scenes, read from both servers. Raises NeighbourError."""
    for inspections in inspector.look_at_each(ids):
        with inspector.store.reading() as db:
            entries = entries_of(db, inspections)
        yield from entries


def drift_known(db: Reader, ids: Sequence[int]) -> list[DriftEntry]:
    """The kept fields of these scenes as the database knows them: without the values that both servers have now."""
    names = {row.key: row.title for row in db.sections.all()}
    memories = db.memories.of(ids)
    entries = {entry.key: entry.section for entry in db.index.entries(sorted({key for _, key in memories}))}
    return [
        DriftEntry(
            id,
            "",
            key,
            names.get(entries.get(key, ""), ""),
            tuple(
                DriftField(name, None, None, remembered.drift.at)
                for name, remembered in memory.items()
                if remembered.drift and remembered.drift.replaced is None
            ),
        )
        for (id, key), memory in sorted(memories.items())
        if kept_fields(memory)
    ]


def entries_of(db: Reader, inspections: Sequence[Inspection]) -> list[DriftEntry]:
    """The items of these inspections with drift. Of undone and ignored scenes, only what you keep counts.

    What you keep is listed as long as it is remembered, also for items to which a scene leads no longer.
    """
    names = {row.key: row.title for row in db.sections.all()}
    rows = db.jobs.of(Kind.SCENE, [inspection.id for inspection in inspections])
    entries = []
    for inspection in sorted(inspections, key=lambda each: each.id):
        rests = bool(inspection.undone) or (inspection.id in rows and rows[inspection.id].state is State.IGNORED)
        standing = db.standings.find(inspection.id)
        for target in inspection.targets:
            fields = tuple(drifted for drifted in target.drift if drifted.is_kept or not rests)
            title = inspection.scene.title if inspection.scene else ""
            library = names.get(target.item.section, "")
            if fields:
                since = standing.since if standing and kept_in(standing.word) else None
                entries.append(DriftEntry(inspection.id, title, target.item.key, library, fields, since, rests))
    targets = {(inspection.id, target.item.key) for inspection in inspections for target in inspection.targets}
    titles = {inspection.id: inspection.scene.title for inspection in inspections if inspection.scene}
    keeping = drift_known(db, db.notes.kept_among(inspection.id for inspection in inspections))
    entries += [
        replace(unlisted, title=titles.get(unlisted.id, ""))
        for unlisted in keeping
        if (unlisted.id, unlisted.key) not in targets
    ]
    return sorted(entries, key=lambda entry: entry.id)


# --- decisions -------------------------------------------------------------------------------------------------------


class Decisions(ABC, Generic[F]):
    """Carries out decisions about fields.

    `looks`: so often one is looked at before it counts as being worked on. From more than `crowd` on, they are queued
    behind all edits.
    """

    kind: str
    looks = 1
    crowd = CROWD

    def __init__(self, store: Database, look: Callable[[list[int]], Sequence[F]], gates: Gates, clock: Clock) -> None:
        self._store = store
        self._look = look
        self._gates = gates
        self._clock = clock

    @abstractmethod
    def all_known(self, db: Reader, ids: Sequence[int]) -> Mapping[int, object]:
        """What is remembered about each of these."""

    @abstractmethod
    def save_answer(
        self, tx: Writer, findings: Sequence[F], answer: DriftAnswer, wanted: DriftFilter, *, now: int
    ) -> dict[int, tuple[str, ...] | None]:
        """Save the decision about these; returns the names of the fields by id, None if it can't be made now."""

    def decide(
        self,
        ids: Sequence[int],
        answer: DriftAnswer,
        wanted: DriftFilter,
        progress: Progress = quiet,
        stopping: Callable[[], bool] = lambda: False,
    ) -> Decided:
        """Carry out a decision about the fields of these. Raises NeighbourError; what was decided by then stays so.

        Repeating the call is harmless.
        """
        decided = Decided()
        for start in range(0, len(ids), BATCH):
            if stopping():
                decided.remaining = len(ids) - start
                break
            todo = list(ids[start : start + BATCH])
            for _ in range(self.looks):
                if todo:
                    todo = self._decide_some(todo, answer, wanted, decided, behind=len(ids) > self.crowd)
            decided.busy += todo
            progress(min(start + BATCH, len(ids)), len(ids))
        return decided

    def _decide_some(
        self, ids: list[int], answer: DriftAnswer, wanted: DriftFilter, decided: Decided, *, behind: bool
    ) -> list[int]:
        """Look at these and save the decision. Returns those of which something was learnt meanwhile."""
        self._gates.enter(*READS)
        with self._store.reading() as db:
            before = self.all_known(db, ids)
        findings = self._look(ids)
        with self._store.writing() as tx:
            known, now = self.all_known(tx, ids), self._clock.now()
            same = [finding for finding in findings if known.get(finding.id) == before.get(finding.id)]
            answers = self.save_answer(tx, same, answer, wanted, now=now)
            decided.untouched += [id for id in ids if answers.get(id) == ()]
            for id, names in answers.items():
                if names:
                    decided.parts[id] = names
                    tx.jobs.wrest(self.kind, id, now=now)
                    if answer is not DriftAnswer.KEEP:
                        tx.jobs.want(self.kind, id, Why.USER, now, behind=behind)
        return [id for id in ids if answers.get(id) is None]


class SceneDecisions(Decisions[Inspection]):
    """Decisions about the fields of scenes."""

    kind = Kind.SCENE.value
    looks = 3

    def __init__(self, inspector: Inspector) -> None:
        super().__init__(inspector.store, inspector.look, inspector.gates, inspector.clock)
        self._inspector = inspector

    def all_known(self, db: Reader, ids: Sequence[int]) -> Mapping[int, object]:
        """The memories and the unfinished pushes of each of these scenes."""
        parts = (db.memories.of(ids), db.pushings.of(ids))
        return {id: [{pair: value for pair, value in part.items() if pair[0] == id} for part in parts] for id in ids}

    def save_answer(
        self, tx: Writer, findings: Sequence[Inspection], answer: DriftAnswer, wanted: DriftFilter, *, now: int
    ) -> dict[int, tuple[str, ...] | None]:
        """Save the decision about these scenes. None for those whose memory the journal has to complete first."""
        fields = {
            (entry.id, entry.key): () if entry.rests else wanted.picks(entry) for entry in entries_of(tx, findings)
        }
        answers: dict[int, tuple[str, ...] | None] = {}
        for inspection in findings:
            if any(target.was_lost for target in inspection.targets):
                answers[inspection.id] = None
            elif answer is DriftAnswer.UNKEEP:
                answers[inspection.id] = _unkept(tx, inspection, wanted, now=now)
            else:
                both = [
                    with_answer(target, fields.get((inspection.id, target.item.key), ()), answer, now)
                    for target in inspection.targets
                ]
                targets = [
                    replace(target, plan=replace(target.plan, memory=memory)) if names else target
                    for target, (memory, names) in zip(inspection.targets, both, strict=True)
                ]
                answers[inspection.id] = tuple(name for _, names in both for name in names)
                if answers[inspection.id]:
                    self._inspector.save(tx, [replace(inspection, targets=tuple(targets))], now=now)
                    _restand(tx, inspection.id, targets, now=now)
        return answers


def with_answer(
    target: PlannedObject, fields: Iterable[DriftField], answer: DriftAnswer, now: int
) -> tuple[Memory, tuple[str, ...]]:
    """The memory of an object with the decision about these fields, and the names of those that it concerns."""
    memory, names = target.plan.memory, list[str]()
    for drifted in fields:
        name, value = drifted.name, drifted.in_stash
        if answer is DriftAnswer.UNKEEP and drifted.is_kept:
            memory = unkeep(memory, name, target.wanted.values.get(name))
        elif answer is DriftAnswer.KEEP and value is not None and not drifted.is_kept:
            memory = keep(memory, name, value, now=now)
        elif answer is DriftAnswer.TAKE and value is not None:
            memory = take(memory, name, value, held_field(target.item, name), now=now)
        else:
            continue
        names.append(name)
    return memory, tuple(names)


def _unkept(tx: Writer, inspection: Inspection, wanted: DriftFilter, *, now: int) -> tuple[str, ...]:
    """End what you keep of one scene, also on items to which it no longer leads; returns the names of the fields."""
    wishes = {} if inspection.undone else {target.item.key: target.wanted.values for target in inspection.targets}
    names, saved = list[str](), []
    for entry in drift_known(tx, [inspection.id]):
        memory = tx.memories.of([inspection.id])[inspection.id, entry.key]
        fields = wanted.picks(entry)
        for drifted in fields:
            memory = unkeep(memory, drifted.name, wishes.get(entry.key, {}).get(drifted.name))
        if fields:
            names += [drifted.name for drifted in fields]
            tx.memories.rewrite(inspection.id, entry.key, memory)
            saved.append((inspection.id, entry.key, memory))
    if saved:
        mark_kept(tx, saved, now=now)
    standing = tx.standings.find(inspection.id)
    if names and not inspection.undone and (standing is None or standing.word == "in step"):
        tx.standings.save({inspection.id: kept_word(len(names))}, now=now)
    return tuple(names)


def _restand(tx: Writer, id: int, targets: Collection[Target], *, now: int) -> None:
    """Save how many fields a scene has left to decide about: the next look would find the same."""
    standing = tx.standings.find(id)
    undecided = sum(
        not drifted.is_kept and not (drifted.name in target.plan.memory and target.plan.memory[drifted.name].drift)
        for target in targets
        for drifted in target.drift
    )
    if standing is not None and kept_in(standing.word):
        tx.standings.save({id: kept_word(undecided)}, now=now)

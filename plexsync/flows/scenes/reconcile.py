"""The full comparison of both servers. It queues exactly the scenes that differ.

It finds what no hook or timestamp shows: edits while PlexSync was down, merges, moved folders, restored backups, drift
in Plex. It inspects every scene with the engine's code, but writes to neither server: what differs is queued as a
sweep.

It goes by id, a batch at a time, and saves its position after each. After a kill, or when a server goes down, the next
comparison continues from there. Its memory use does not grow with the library.
"""

import json
import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import islice

from plexsync.engine.tickets import READ_STASH, READS
from plexsync.engine.undo import Progress, quiet
from plexsync.engine.watching import asked_pages
from plexsync.flows.scenes.comparison_report import COUNTS, ComparisonReport, save_report
from plexsync.flows.scenes.inspection import Inspector
from plexsync.flows.scenes.inspection_records import Inspection, Observe, save_names
from plexsync.flows.scenes.scene_identity import remember_scenes, renew_bindings
from plexsync.flows.scenes.undo import end_undone
from plexsync.flows.scenes.verbs import changed_since
from plexsync.rules.queue.job import DAY, NOT_SHOWN, Absent, Dead, Gone, Kind, NotShown, OutOfScope, State, Why
from plexsync.rules.queue.note_keys import (
    ASKED_SETTINGS,
    CHANGED,
    CURSOR,
    IN_USE,
    LAST_RECONCILE,
    LAST_RUN,
    STASH_TAKEN,
    WISHES,
)
from plexsync.rules.queue.setting_question import read
from plexsync.rules.record_class import record
from plexsync.rules.records import LAST_ID, JobRow
from plexsync.rules.servers.errors import NeighbourError
from plexsync.rules.words.status_words import BY_MARK, KEPT, SceneStatus, kept_word
from plexsync.rules.words.text import fold
from plexsync.store.database import Writer

log = logging.getLogger("PlexSync.reconcile")

# The states of rows that do not notice by themselves, or not soon, that their scene is gone from Stash.
LEAVING = (State.IDLE, State.ABSENT, State.OUTSIDE)
# An interrupted comparison older than this starts anew.
OLDEST = DAY
# The stored findings of scenes for which nothing has to be done.
SETTLED = ("in step", "person", "undone", "released")
# The number of scenes inspected together: their items are one request to Plex.
BATCH = 100
PAGE = 500
LOST = 500


def note_compared(tx: Writer, wishes: str, in_use: str) -> None:
    """Note that Plex was compared with these settings. Nothing waits for your yes any more."""
    tx.notes.save(WISHES, wishes)
    tx.notes.save(IN_USE, in_use)
    tx.notes.save(ASKED_SETTINGS, "")


class UnknownLibrary(Exception):
    """No library in use has that name. The message lists those in use."""


@record
class ComparisonScope:
    """The scenes to compare: the named ones, those changed in Stash since a time, or those with an item in a library."""

    scenes: tuple[int, ...] = ()
    since: datetime | None = None
    library: str = ""


class Reconciler:
    """Compares one Stash with one Plex.

    `settings` represents all settings that affect the result of a comparison. `wishes` represents those of them that
    affect what is queued, and `in_use` each of them. `waits`: these two are changed and wait for a yes, so it compares with
    those before. `observing` are told the inspected scenes, in the transaction that saves them.
    """

    def __init__(
        self, inspector: Inspector, *, settings: str = "", wishes: str = "", in_use: str = "", waits: bool = False
    ) -> None:
        self._inspector, self._indexer, self._losses = inspector, inspector.indexer, inspector.losses
        self._store, self._stash, self._gates, self._clock = (
            inspector.store,
            inspector.stash,
            inspector.gates,
            inspector.clock,
        )
        self._settings = settings
        self._wishes, self._in_use, self._waits = wishes, in_use, waits
        self.observing: list[Observe] = []

    def note_wishes(self) -> None:
        """Schedule a full comparison if the settings differ from those of the last one. A worker calls this at its start.

        The first worker on a database only stores the settings.
        """
        with self._store.reading() as db:
            noted, prints = db.notes.text(WISHES), db.notes.text(IN_USE)
            question = read(db.notes.text(ASKED_SETTINGS))
        if question and question.wishes != self._wishes:
            with self._store.writing() as tx:
                tx.notes.save(ASKED_SETTINGS, "")
        if noted not in (CHANGED, self._wishes, ""):
            log.info("settings that decide what is synced have changed: a full comparison is due")
            with self._store.writing() as tx:
                tx.notes.save(WISHES, CHANGED)
        elif noted != CHANGED and (noted, prints) != (self._wishes, self._in_use):
            with self._store.writing() as tx:
                note_compared(tx, self._wishes, self._in_use)

    def reconcile(
        self,
        progress: Progress = quiet,
        *,
        stopping: Callable[[], bool] = lambda: False,
        anew: bool = False,
    ) -> ComparisonReport:
        """Compare all scenes. Raises NeighbourError if a server is down; what was found by then stays queued.

        Continues an interrupted comparison, unless `anew`.
        """
        self._enter()
        self._inspector.identity.check_again(self._gates)
        self._inspector.recovery.check(again=True)
        report = self._resume_or_begin(anew=anew)
        total = self._gates.ask(READ_STASH, self._stash.newest, of_all=True)[Kind.SCENE].count
        before = self._indexer.wanted
        self._indexer.freshen(force=not report.after)
        report.wanted += self._indexer.wanted - before
        last = report.after
        for page in asked_pages(self._gates, READ_STASH, self._stash.walk(after=last, page=PAGE), of_all=True):
            for start in range(0, len(page), BATCH):
                if stopping():
                    return report
                self._enter()
                scenes = page[start : start + BATCH]
                inspections = self._with_items(self._inspector.look_at(scenes))
                upto, present = scenes[-1].id, {scene.id for scene in scenes}
                self._losses.ensure_range(present, after=last, upto=upto)
                with self._store.writing() as tx:
                    self._compare(tx, inspections, report)
                    rows = tx.jobs.ids(Kind.SCENE, after=last, upto=upto)
                    tx.standings.drop(present, after=last, upto=upto)
                    self._want_gone(tx, [id for id, state in rows if id not in present and state in LEAVING], report)
                    tx.notes.save(CURSOR, report.position(self._settings, upto))
                last = upto
                progress(report.scenes, total)
        self._end(report, last)
        log.info("reconcile: %d scenes, %s, %d queued", report.scenes, dict(report.standing), report.wanted)
        return report

    def reconcile_some(
        self, scope: ComparisonScope, progress: Progress = quiet, *, stopping: Callable[[], bool] = lambda: False
    ) -> ComparisonReport:
        """Compare the scenes of a scope. Raises NeighbourError if a server is down, and UnknownLibrary."""
        self._enter()
        self._inspector.identity.check_again(self._gates)
        with self._store.reading() as db:
            report = ComparisonReport(began=db.notes.number(LAST_RUN) or 0)
        before = self._indexer.wanted
        self._indexer.freshen(force=True)
        report.wanted += self._indexer.wanted - before
        for inspections in map(self._with_items, self._inspections(scope)):
            with self._store.writing() as tx:
                self._compare(tx, inspections, report)
                self._want_gone(
                    tx, [inspection.id for inspection in inspections if isinstance(inspection.outcome, Gone)], report
                )
            progress(report.scenes, len(scope.scenes))
            if stopping():
                return report
            self._enter()
        with self._store.reading() as db:
            report.items = db.index.count()
        report.complete = True
        return report

    def try_reconcile(self, *, stopping: Callable[[], bool] = lambda: False) -> bool:
        """As `reconcile`, for the schedule: if a server is down, a later call tries again. True if it was complete."""
        try:
            return self.reconcile(stopping=stopping).complete
        except NeighbourError as error:
            log.info("reconcile put off: %s", error)
            return False

    def _enter(self) -> None:
        """Pass both gates, or raise Unavailable with the reason one is closed."""
        self._gates.enter(*READS)

    # --- position ----------------------------------------------------------------------------------------------------

    def _resume_or_begin(self, *, anew: bool) -> ComparisonReport:
        """The report of an interrupted comparison that is still valid, else an empty report that starts now."""
        now = self._clock.now()
        with self._store.reading() as db:
            noted = "" if anew else db.notes.text(CURSOR)
        try:
            progress = json.loads(noted) if noted else {}
            began, after = progress["began"], progress["after"]
            if progress["settings"] == self._settings and 0 <= now - began <= OLDEST:
                standing = Counter(progress["standing"])
                return ComparisonReport(
                    progress["scenes"],
                    standing,
                    progress["wanted"],
                    progress["gone"],
                    began=began,
                    after=after,
                    **{name: progress.get(name, 0) for name in COUNTS},
                )
        except (ValueError, KeyError, TypeError):
            pass  # Nothing was interrupted, or the position is unreadable.
        return ComparisonReport(began=now)

    def _end(self, report: ComparisonReport, last: int) -> None:
        """Finish the comparison: no scenes follow the last one of Stash, and every item was compared."""
        self._losses.ensure_range((), after=last)
        while lost := self._rows_beyond(last):
            with self._store.writing() as tx:
                self._want_gone(tx, lost, report)
            last = lost[-1]
        with self._store.writing() as tx:
            tx.standings.drop((), after=last)
            tx.notes.save(LAST_RUN, str(report.began))
            tx.notes.save(LAST_RECONCILE, str(self._clock.now()))
            tx.notes.save(CURSOR, "")
            if not self._waits:
                note_compared(tx, self._wishes, self._in_use)
            if (tx.notes.number(STASH_TAKEN) or 0) <= report.began:
                tx.notes.save(STASH_TAKEN, "")
        self._losses.follow(compared=report.began, present=report.scenes)
        with self._store.reading() as db:
            report.items, report.without_scene = db.index.count(), db.index.count_unpaired(report.began)
        report.complete, report.ended = True, self._clock.now()
        with self._store.writing() as tx:
            save_report(tx, report)

    # --- scope -------------------------------------------------------------------------------------------------------

    def _inspections(self, scope: ComparisonScope) -> Iterator[list[Inspection]]:
        if scope.library:
            yield from self._in_library(scope.library)
        elif scope.since is not None:
            yield from self._inspect_ids(changed_since(self._stash, self._gates, scope.since))
        else:
            yield from self._inspect_ids(scope.scenes)

    def _inspect_ids(self, ids: Sequence[int]) -> Iterator[list[Inspection]]:
        for start in range(0, len(ids), BATCH):
            yield self._inspector.look(ids[start : start + BATCH])

    def _in_library(self, title: str) -> Iterator[list[Inspection]]:
        with self._store.reading() as db:
            sections = db.sections.all()
        keys = {row.key for row in sections if fold(row.title) == fold(title)}
        if not keys:
            titles = ", ".join(row.title for row in sections)
            raise UnknownLibrary(f"no library in use is named {title}; there are: {titles}")
        for page in asked_pages(self._gates, READ_STASH, self._stash.walk(page=PAGE), of_all=True):
            there_too = self._inspector.matcher.may_be_in(page, keys)
            for start in range(0, len(there_too), BATCH):
                yield self._inspector.look_at(there_too[start : start + BATCH])

    def _with_items(self, inspections: Sequence[Inspection]) -> list[Inspection]:
        """Add the items of scenes out of scope from the index, without a request to Plex."""
        outside = [
            inspection.scene
            for inspection in inspections
            if isinstance(inspection.outcome, OutOfScope) and inspection.scene
        ]
        keys = self._inspector.matcher.led_to(outside) if outside else {}
        return [replace(each, keys=keys[each.id]) if each.id in keys else each for each in inspections]

    # --- findings ----------------------------------------------------------------------------------------------------

    def _compare(self, tx: Writer, inspections: Sequence[Inspection], report: ComparisonReport) -> None:
        now = self._clock.now()
        inspections = [inspection for inspection in inspections if not isinstance(inspection.outcome, Gone)]
        standings = {inspection.id: stands(inspection) for inspection in inspections}
        others = remember_scenes(
            tx, (inspection.scene for inspection in inspections if inspection.scene is not None), now=now
        )
        renew_bindings(tx, inspections)
        tx.index.pair(
            {inspection.id: inspection.keys for inspection in inspections if inspection.keys}, run=report.began
        )
        rows = tx.jobs.of(Kind.SCENE, standings)
        news, served = dict[int, str](), list[tuple[str, int]]()
        for inspection in inspections:
            standing = standings[inspection.id]
            report.count(inspection, standing)
            row = rows.get(inspection.id)
            # In Plex, or need not be: no longer waits for a scan.
            if row is not None and row.state is State.ABSENT and (inspection.targets or standing == "outside"):
                served.append((Kind.SCENE, inspection.id))
            if inspection.id in others and row is not None and row.state in (State.DEAD, State.DROPPED):
                # Another scene died or was dropped under this id.
                tx.jobs.want(Kind.SCENE, inspection.id, Why.EDIT, now, behind=True)
                report.wanted += 1
                continue
            if self._news(row, inspection, settled=standing in SETTLED):
                news[inspection.id] = inspection.desired
                report.wanted += 1
        report.wanted += tx.jobs.wake(served, now=now)
        tx.jobs.want_all(Kind.SCENE, news, Why.COMPARE, now)
        in_plex = {
            inspection.id: kept_word(inspection.kept_fields)
            for inspection in inspections
            if standings.get(inspection.id) == KEPT
        }
        tx.standings.save({**standings, **in_plex}, now=now)
        # If a scene that was undone is in sync, nothing is left to write that would end its undo.
        end_undone(tx, [id for id, standing in standings.items() if standing in ("in step", KEPT)])
        save_names(tx, inspections, now=now)
        for observe in self.observing:
            observe(tx, inspections, now)
        self._recover(tx, inspections, report, now)

    def _recover(self, tx: Writer, inspections: Sequence[Inspection], report: ComparisonReport, now: int) -> None:
        """Count what evidence of a restore decided, and save the memories that the journal has completed."""
        recovery = self._inspector.recovery
        is_first = recovery.is_unproven(tx)
        report.recovered += sum(inspection.has_recovered for inspection in inspections)
        report.kept += sum(inspection.has_kept for inspection in inspections)
        report.undecidable += sum(is_first and inspection.is_undecidable for inspection in inspections)
        if completed := recovery.with_memory(tx, inspections):
            self._inspector.save(tx, completed, now=now)
            recovery.has_learnt(tx, completed)

    def _news(self, row: JobRow | None, inspection: Inspection, *, settled: bool) -> bool:
        """Whether the queue must learn of it. A queued, running or absent row finds out by itself.

        `settled`: nothing has to be done, which is news only for a scene that was out of scope, or is back in Stash.
        """
        out = inspection.outcome.error if isinstance(inspection.outcome, OutOfScope) else ""
        if row is not None and row.state is State.OUTSIDE:
            return out != row.error
        if row is not None and row.state is State.GONE:
            return True
        if settled:
            return False
        if row is None or row.state is State.IDLE:
            return True
        if out and row.state is State.DROPPED:
            # You dropped the scene, so it is left alone.
            return False
        compared = row.desired or (row.state is State.DEAD and row.cls != "poison")
        return (
            row.state in (State.DEAD, State.DROPPED) and bool(compared) and inspection.desired not in ("", row.desired)
        )

    def _rows_beyond(self, last: int) -> list[int]:
        """The next rows that are not gone and whose ids are above all of Stash's."""
        with self._store.reading() as db:
            rows = db.jobs.ids(Kind.SCENE, after=last, upto=LAST_ID)
            return list(islice((id for id, state in rows if state in LEAVING), LOST))

    def _want_gone(self, tx: Writer, ids: Sequence[int], report: ComparisonReport) -> None:
        now = self._clock.now()
        for id in ids:
            row = tx.jobs.find(Kind.SCENE, id)
            if row is not None and row.state in LEAVING:
                tx.jobs.want(Kind.SCENE, id, Why.EDIT, now)
                report.wanted += 1
        report.gone += len(ids)


def stands(inspection: Inspection) -> str:
    """The status of a scene in one word."""
    if isinstance(inspection.outcome, Absent):
        return "absent"
    if isinstance(inspection.outcome, OutOfScope):
        return "outside"
    if isinstance(inspection.outcome, Dead):
        return inspection.outcome.cls
    if isinstance(inspection.outcome, NotShown):
        return NOT_SHOWN
    if inspection.outcome is not None or inspection.error is not None:
        return "failed"
    if any(target.plan.edit for target in inspection.targets):
        return "differs"
    if inspection.undone:
        return BY_MARK.get(inspection.undone, SceneStatus.UNDONE).finding
    if any(note.reason in ("person", "kept") for target in inspection.targets for note in target.plan.notes):
        return KEPT
    return "in step"

"""The scene flow: keeps movies in Plex in sync with scenes in Stash (`plexsync.engine.flow.Flow`).

It connects the engine with the inspection, the push and the writes.
"""

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from itertools import chain

from plexsync.engine.flow import Canary, ChangeNotice
from plexsync.engine.tickets import READ_PLEX, READ_STASH, WRITE_PLEX, Closed, Gate, Ticket
from plexsync.flows.scenes.canaries import LockCanaries
from plexsync.flows.scenes.inspection import Inspector
from plexsync.flows.scenes.inspection_records import Inspection, Observe
from plexsync.flows.scenes.push import (
    PATIENCE,
    PICTURE_REQUESTS,
    Asks,
    SceneJournal,
    ScenePushFlow,
    SceneWrite,
    left_alone,
    record_left_out,
)
from plexsync.flows.scenes.rules import names_of_pictures
from plexsync.flows.scenes.scan_requests import Scans
from plexsync.flows.scenes.scene_identity import remember_scenes, renew_bindings
from plexsync.flows.scenes.undo import SceneUndo
from plexsync.rules.item import PICTURES
from plexsync.rules.merge.plan_records import Pushing
from plexsync.rules.queue.job import NOT_SHOWN, Absent, Dead, Done, Gone, Job, Kind, NotShown, Outcome, State
from plexsync.rules.queue.note_keys import JOURNALLED
from plexsync.rules.scene import Scene
from plexsync.rules.servers.errors import Neighbour, Unavailable
from plexsync.store.database import Writer


class SceneFlow(SceneUndo, ScenePushFlow):
    """Keeps scenes in sync. `scans` requests scans for files that are not in Plex, if that is enabled.

    `observing` are told the inspected scenes, in the transaction that saves them, for what else depends on their items.
    `asks` tells Plex to ask for values, in libraries that do so.
    """

    reads_ahead = True

    def __init__(
        self,
        inspector: Inspector,
        *,
        max_retries: int,
        scans: Scans | None = None,
        observing: Sequence[Observe] = (),
        asks: Asks | None = None,
    ) -> None:
        super().__init__(inspector)
        self._asks = asks
        self._store, self._stash, self._gates = inspector.store, inspector.stash, inspector.gates
        self._pictures, self._patience = inspector.pictures, min(PATIENCE, max_retries)
        self._locks = LockCanaries(inspector.store, inspector.plex, inspector.gates)
        self._scans = scans
        self._observing = observing
        self.journal = SceneJournal()
        self.requests = PICTURE_REQUESTS if inspector.pictured else 1

    # --- inspection --------------------------------------------------------------------------------------------------

    def affected_ids(self, notice: ChangeNotice) -> Collection[int]:
        """The scenes that show the object, and those that did at their last inspection.

        Stash lists no scenes for an object that was deleted or removed from them.
        """
        kind = Kind(notice.kind)
        now = self._gates.ask(READ_STASH, partial(self._stash.showing, kind, notice.id))
        with self._store.reading() as db:
            return {*now, *db.scene_names.scenes_showing(kind, notice.id)}

    def look(self, ids: Sequence[int]) -> Sequence[Inspection]:
        """Inspect the scenes, their items, and what would have to change."""
        inspections = self._inspector.look(ids)
        return [left_alone(self._asks, each) for each in inspections] if self._asks else inspections

    def end_batch(self, findings: Sequence[Inspection]) -> None:
        """Request scans for the folders of scenes that are not in Plex yet, if that is enabled."""
        if self._scans is not None:
            self._scans.want(
                inspection.scene
                for inspection in findings
                if inspection.scene and isinstance(inspection.outcome, Absent)
            )

    # --- push --------------------------------------------------------------------------------------------------------

    def save(
        self, tx: Writer, findings: Sequence[tuple[Job, Inspection]], *, now: int, until: int
    ) -> Mapping[str, Sequence[SceneWrite]]:
        """Save names, shown objects and the findings of the inspection, and an entry for each edit."""
        inspections = [inspection for _, inspection in findings]
        gone = {each.id for each in inspections if each.error is None and isinstance(each.outcome or each.ends, Gone)}
        remember_scenes(
            tx, (each.scene or Scene(each.id) for each in inspections if each.scene or each.id in gone), now=now
        )
        if any(inspection.bound for inspection in inspections):
            renew_bindings(tx, inspections)
        tx.index.contest({each.id: each.keys for each in inspections if each.candidates})
        for id in gone:
            tx.pictures.forget(id)
            tx.notes.end_take_over(id)
        to_work = [
            (job, inspection) for job, inspection in findings if inspection.outcome is None and inspection.error is None
        ]
        self._inspector.save(tx, [inspection for _, inspection in to_work], now=now)
        if marked := tx.memories.marks([inspection.id for _, inspection in to_work if not inspection.undone]):
            # They are synced again, also on the items that they no longer lead to.
            tx.memories.begin_anew(sorted(marked))
        self._inspector.recovery.has_learnt(tx, [inspection for _, inspection in to_work])
        for _, inspection in to_work:
            if any(target.wanted.notes for target in inspection.targets):
                _save_picture_notes(tx, inspection, now)
        everything = self._writes(tx, to_work, until)
        for number, write in enumerate(everything, start=tx.notes.take_numbers(JOURNALLED, len(everything))):
            write.entry_number = number
        writes: dict[str, list[SceneWrite]] = {job.token: [] for job, _ in to_work}
        for write in everything:
            writes[write.job.token].append(write)
        for observe in self._observing:
            observe(tx, inspections, now)
        return writes

    def will_send(self, writes: Sequence[SceneWrite]) -> None:
        """Record what is about to be sent in the journal of writes, which outlives the database."""
        self._inspector.recovery.will_send(
            [
                (write.entry_number, write.inspection.id, write.target.item, write.target.plan.sending)
                for write in writes
            ]
        )

    @staticmethod
    def _writes(tx: Writer, to_work: Sequence[tuple[Job, Inspection]], until: int) -> list[SceneWrite]:
        pushes = [
            (job, inspection, target)
            for job, inspection in to_work
            for target in inspection.targets
            if target.plan.edit
        ]
        numbers = tx.pushings.add_all(
            (inspection.id, target.item.key, Pushing(target.plan.sending, until, stamp=target.item.stamp))
            for _, inspection, target in pushes
        )
        return [
            SceneWrite(
                job=job,
                key=target.item.key,
                desired=inspection.desired,
                inspection=inspection,
                target=target,
                number=number,
                pictured=inspection.scene or Scene(inspection.id),
                undone=inspection.undone,
                memory=target.plan.memory,
            )
            for (job, inspection, target), number in zip(pushes, numbers, strict=True)
        ]

    def read_back(self, writes: Sequence[SceneWrite]) -> None:
        """Read the items as they are now."""
        super().read_back(writes)
        self._inspector.recovery.was_read(
            [
                (
                    write.entry_number,
                    write.inspection.id,
                    write.target.item,
                    write.target.plan.sending,
                    write.refused,
                    write.memory,
                    write.stamp,
                )
                for write in writes
                if isinstance(write.outcome, Done) and write.memory is not None
            ]
        )

    def canaries(
        self, gate: Gate, limit: int, *, ticket: Ticket, but: int | None = None, key: str = ""
    ) -> list[Canary]:
        """Locks that PlexSync holds, sent again; items that it has written to, read; scenes in sync, read."""
        if gate == WRITE_PLEX:
            return self._locks.locks_again(limit, ticket=ticket, but=but, key=key)
        if gate == READ_PLEX:
            return self._locks.locked_items_again(limit, but=but, key=key)
        if gate != READ_STASH:
            return []
        with self._store.reading() as db:
            rows = db.jobs.in_state(State.IDLE, limit=limit + 1, after=(self.kind, 0))
        ids = [row.id for row in rows if row.kind == self.kind and row.id != but]
        return [lambda: bool(self._stash.scenes(ids))] if ids else []

    # --- settlement --------------------------------------------------------------------------------------------------

    def complete(self, tx: Writer, finding: Inspection) -> None:
        """End the take-over, if there was one."""
        if finding.take_over:
            tx.notes.end_take_over(finding.id, finding.take_over)

    def save_outcomes(self, tx: Writer, outcomes: Mapping[int, Outcome], *, now: int) -> None:
        """Save the status with the time since when it holds, because a row that is inspected again starts anew each time."""
        words: dict[int, str] = {}
        for id, outcome in outcomes.items():
            match outcome:
                case Done():
                    words[id] = outcome.rests or outcome.found or "in step"
                case Absent():
                    words[id] = "absent"
                case Dead():
                    words[id] = outcome.cls
                case NotShown():
                    words[id] = NOT_SHOWN
                case Gone():
                    tx.standings.drop((), after=id - 1, upto=id)
        tx.standings.save(words, now=now)
        undone = [id for id, end in outcomes.items() if isinstance(end, Gone) or (isinstance(end, Done) and end.rests)]
        for id in tx.notes.ignored_once_undone(undone) if undone else ():
            tx.notes.end_held_ignore(id)
            tx.jobs.ignore(self.kind, id, now=now)

    def existing(self, ids: Sequence[int]) -> Collection[int]:
        """The scenes among these that Stash has."""
        if isinstance(closed := self._gates.admit(READ_STASH), Closed):
            raise Unavailable(Neighbour.STASH, closed.reason, sent=False)
        return self._inspector.losses.existing(ids)

    def forget(self, tx: Writer, id: int, *, gone: bool) -> None:
        """Forget what is remembered about the items of a scene that is gone from Stash. Pushes for other scenes stay."""
        tx.notes.end_take_over(id)
        if gone:
            tx.notes.end_kept([id])
            tx.memories.forget([id])
            tx.pushings.forget([id])
            tx.bindings.forget_scenes([id])


def _save_picture_notes(tx: Writer, inspection: Inspection, now: int) -> None:
    """Record the pictures that can't be written, and forget earlier refusals: a picture that differs is sent again now."""
    notes = {note for target in inspection.targets for note in target.wanted.notes if note.field in PICTURES}
    for note in sorted(notes, key=lambda note: note.field):
        if note.reason == "refused":
            names = (names_of_pictures(target.profile).get(note.field, ()) for target in inspection.targets)
            tx.pictures.refuse(inspection.id, {note.field, *chain.from_iterable(names)}, "")
        elif not inspection.undone:
            record_left_out(tx, inspection.id, note.field, note.text, now=now)

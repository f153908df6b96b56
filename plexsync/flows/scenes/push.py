"""Sending the edits of one batch: one PUT per changed item, read back together, closed together.

What is about to be sent was saved before, and stays saved while its end is unknown, so a kill at any instant leaves enough
to tell afterwards whose value stands in Plex. A failed write is the job's own fault only by the evidence of other writes.
"""

import logging
import math
from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from functools import partial

from plexsync.engine.gates import READ, WRITE, Gates
from plexsync.engine.rules import WorkRules
from plexsync.flows.scenes.artwork import PictureChanged, Pictures
from plexsync.flows.scenes.inspection import Looker, Sight, Target, desired
from plexsync.rules.errors import (
    NO_MEMORY,
    Barred,
    LocalFault,
    Missing,
    Neighbour,
    NeighbourError,
    Refused,
    Throttled,
    Unavailable,
)
from plexsync.rules.item import PICTURES, Item
from plexsync.rules.job import Dead, Done, Gone, Job, Kind, Later, Outcome, State, Waiting, Why
from plexsync.rules.neighbours import Clock, Plex
from plexsync.rules.pictures import placed
from plexsync.rules.plan_records import Change, Edit, Memory, Pushing, Sending
from plexsync.rules.read_back import learn
from plexsync.rules.records import Moved
from plexsync.rules.scene import Scene
from plexsync.rules.values import held
from plexsync.store.database import Database, Writer

log = logging.getLogger("PlexSync.push")

# Of the requests for both pictures and the edit, each may take as long as one can.
PICTURE_REQUESTS = 9
# A push that takes so many times as long as all its requests may take does not come back.
OVERDUE = 2
# For each write under way so many more stand ready, so that none waits while others are read back.
READY = 2
SETTLE_EVERY = 1.0
CANARIES = 3
EVIDENCE_WRITES = 3
EVIDENCE_BAD_SHARE = 0.1
# So often a scene may fail before a picture that Plex fails to take is left out of it.
PATIENCE = 3


@dataclass(eq=False)
class Errand:
    """One edit of one job under way. `number` is its saved entry; `moved` what it has changed, for people to read; `begun`
    once a picture of it may be in Plex; `since` when its push began, by the steady clock; `left_out` are those that Plex
    failed to take, and may have taken all the same."""

    job: Job
    sight: Sight
    target: Target
    number: int = 0
    outcome: Outcome | None = None
    memory: Memory | None = None
    stamp: int = 0
    moved: dict[str, Moved] = field(default_factory=dict)
    begun: bool = False
    since: float = math.inf
    left_out: dict[str, Sending] = field(default_factory=dict)

    def leave_out(self, name: str, *, unknown: bool) -> None:
        """Plex does not take this field: all else goes on without it, and the next look finds what became of it."""
        plan = self.target.plan
        if unknown:
            self.left_out[name] = plan.sending[name]
        edit = {field: change for field, change in plan.edit.items() if field != name}
        sending = {field: sent for field, sent in plan.sending.items() if field != name}
        self.target = replace(self.target, plan=replace(plan, edit=edit, sending=sending))

    def saw(self, item: Item) -> None:
        """Take note of what stands in Plex after the edit: fields that are as they were before have not moved."""
        before = {name: sent.before for name, sent in self.target.plan.sending.items()}
        self.stamp = item.stamp
        self.moved = {name: Moved(old, new) for name, old in before.items() if (new := held(item, name)) != old}


@dataclass
class Batch:
    """What is open: the jobs not yet settled, each with its errands, and until when they are ours (UTC ms).

    `known_until` is when the last edit can have ended by the saved entries. `open_at` is the store's revision at which all
    gates were last seen open. `lost` are the tokens whose jobs belong to
    others by now, `sent` the errands that ended since the last close, `failed` those whose failure was not
    looked at yet: before that none begins.
    """

    until: int
    known_until: int
    open_at: tuple[int, int, int] | None = None
    errands: dict[str, list[Errand]] = field(default_factory=dict)
    lost: set[str] = field(default_factory=set)
    sent: list[Errand] = field(default_factory=list)
    failed: list[Errand] = field(default_factory=list)


class Unsent(Exception):
    """An errand did not begin."""


Settle = Callable[[Writer, Job, Outcome], None]


class Pusher:
    """Sends, verifies and hands the outcomes to `settle`, which runs inside the transaction that remembers them.

    `pool` runs the writes and is shut down with the pusher; by default it is as many threads as there may be writes at once.
    `alive` hears that it gets on, once a second at least; no more once a write does not come back.
    """

    def __init__(
        self,
        store: Database,
        plex: Plex,
        looker: Looker,
        gates: Gates,
        clock: Clock,
        rules: WorkRules,
        settle: Settle,
        *,
        pool: Executor | None = None,
        alive: Callable[[], None] = lambda: None,
    ) -> None:
        self._store = store
        self._plex = plex
        self._looker = looker
        self._pictures = looker.pictures
        self._gates = gates
        self._clock = clock
        self._rules = rules
        self._deadline = rules.deadline * (PICTURE_REQUESTS if looker.pictured else 1)
        self._settle = settle
        self._alive = alive
        self._pool = pool or ThreadPoolExecutor(max_workers=rules.parallel, thread_name_prefix="push")

    def close(self) -> None:
        """Wait for the writes in flight and end the threads."""
        self._pool.shutdown()

    def push(self, sights: Sequence[tuple[Job, Sight]], *, stopping: Callable[[], bool]) -> None:
        """Bring the sights' items in step; every job given is settled when this returns, unless its lease was lost."""
        batch = self._save(sights)
        todo = deque(errand for errands in batch.errands.values() for errand in errands)
        running: dict[Future[None], Errand] = {}
        answered: list[Errand] = []
        try:
            self._push(batch, todo, running, answered, stopping)
        except BaseException:
            # What is in flight ends before anybody can claim these jobs anew; nothing else begins.
            _called_back(running)
            wait(running)
            raise

    def _push(
        self,
        batch: Batch,
        todo: deque[Errand],
        running: dict[Future[None], Errand],
        answered: list[Errand],
        stopping: Callable[[], bool],
    ) -> None:
        settled_at = self._clock.monotonic()
        while todo or running:
            if not self._hangs(running.values()):
                self._alive()
            if todo and self._clock.now() >= batch.until:
                # The machine slept through the lease: somebody else may have these scenes by now.
                self._renew(batch)
                todo = deque(errand for errand in todo if errand.job.token in batch.errands)
            if todo or len(running) > self._rules.parallel:
                todo = self._passed(batch, todo, running, stopping)
            if todo and self._clock.now() + self._deadline > batch.known_until:
                self._prolong(batch, [*todo, *running.values()])
            while todo and len(running) < self._rules.parallel * (1 + READY):
                errand = todo.popleft()
                running[self._handed_over(batch, errand)] = errand
            if self._clock.monotonic() - settled_at >= SETTLE_EVERY:
                # While the next ones are under way.
                self._close(batch, answered)
                answered = []
                settled_at = self._clock.monotonic()
                todo = deque(errand for errand in todo if errand.job.token in batch.errands)
            done, _ = wait(running, timeout=SETTLE_EVERY, return_when=FIRST_COMPLETED)
            answered += self._collect(batch, todo, running, done)
        self._close(batch, answered)

    def _collect(
        self, batch: Batch, todo: deque[Errand], running: dict[Future[None], Errand], done: Collection[Future[None]]
    ) -> list[Errand]:
        """Those that were answered well; the others get their outcome here, or go back to `todo` when they did not begin."""
        sent, unsent = [], []
        # In the order in which they were handed over: a set of futures has another one every time.
        for future in [future for future in running if future in done]:
            errand = running.pop(future)
            if isinstance(future.exception(), Unsent):
                unsent.append(errand)
            else:
                sent.append((future, errand))
        batch.sent += [errand for _, errand in sent]
        well = self._sort_out(sent)
        if failed := [errand for _, errand in sent if errand in batch.failed]:
            unsent += _called_back(running)
            for errand in failed:
                batch.failed.remove(errand)
        todo.extendleft(errand for errand in reversed(unsent) if errand.job.token in batch.errands)
        return well

    def _hangs(self, running: Iterable[Errand]) -> bool:
        """Whether one of these does not come back: for the watchdog, which hears of no thread but this one."""
        began = self._clock.monotonic() - OVERDUE * self._deadline / 1000
        return any(errand.since < began for errand in running)

    # --- before ------------------------------------------------------------------------------------------------------

    def _save(self, sights: Sequence[tuple[Job, Sight]]) -> Batch:
        """One transaction for the batch: what was learnt by looking, what is about to be sent, what needs nothing.

        Looking takes a while: of jobs that another attempt has claimed meanwhile, nothing is saved or sent.
        """
        now = self._clock.now()
        until = now + self._rules.lease + self._deadline
        batch = Batch(until=now + self._rules.lease, known_until=until)
        with self._store.writing() as tx:
            held = tx.jobs.renew([job.token for job, _ in sights], until=batch.until)
            for job, sight in sights:
                if job.token not in held:
                    _log_lost(sight)
            open_pairs = [(job, sight) for job, sight in sights if job.token in held]
            gone = {sight.id for _, sight in open_pairs if isinstance(sight.outcome or sight.ends, Gone)}
            tx.scene_names.save(
                sight.scene or Scene(sight.id) for _, sight in open_pairs if sight.scene or sight.id in gone
            )
            self._looker.save(tx, [sight for _, sight in open_pairs if sight.outcome is None], now=now)
            for job, sight in open_pairs:
                if sight.id in gone:
                    tx.pictures.forget(sight.id)
                    tx.notes.end_take_over(sight.id)
                if sight.outcome is not None:
                    self._settle(tx, job, sight.outcome)
                    continue
                errands = []
                for target in sight.targets:
                    if target.plan.edit:
                        errand = Errand(job, sight, target, memory=target.plan.memory)
                        errand.number = tx.pushings.add(sight.id, target.item.key, target.entry(until))
                        errands.append(errand)
                if errands:
                    batch.errands[job.token] = errands
                else:
                    self._end(tx, job, sight)
        return batch

    def _end(self, tx: Writer, job: Job, sight: Sight) -> None:
        """Settle a job whose items are as they should be."""
        if sight.take_over:
            tx.notes.end_take_over(sight.id, sight.take_over)
        self._settle(tx, job, sight.ends)

    def _prolong(self, batch: Batch, errands: Iterable[Errand]) -> None:
        """The batch takes long: what is sent from now on may end later than its saved entry says.

        The entries come first: until they are saved, no thread may begin by the new time.
        """
        until = self._clock.now() + self._rules.lease + self._deadline
        with self._store.writing() as tx:
            tx.pushings.prolong([errand.number for errand in errands], until)
        batch.known_until = until

    def _passed(
        self, batch: Batch, errands: Sequence[Errand], running: dict[Future[None], Errand], stopping: Callable[[], bool]
    ) -> deque[Errand]:
        """Those that may be sent now. The rest is released: all that have not begun without Plex, without Stash those that
        it is to give a picture for once more."""
        revision = self._store.revision()
        plex = stash = ""
        if revision != batch.open_at:
            now = self._clock.now()
            with self._store.reading() as db:
                plex, stash = (self._gates.closed_because(db, who, now) for who in (Neighbour.PLEX, Neighbour.STASH))
            # Open gates stay open until somebody commits.
            batch.open_at = None if plex or stash else revision
        if why := "stopped in good order" if stopping() else plex:
            errands = [*errands, *_called_back(running)]
            self._release(errands, why)
        elif stash and (lacking := [errand for errand in errands if self._lacks_picture(errand)]):
            self._release(lacking, stash)
        return deque(errand for errand in errands if errand.outcome is None)

    def _lacks_picture(self, errand: Errand) -> bool:
        pictures = self._pictures
        return pictures is not None and any(not pictures.has(key) for _, key in _pictures_to_send(errand))

    def _release(self, errands: Iterable[Errand], why: str) -> None:
        """Never sent: nobody's failure. The saved entries go, since nothing of them can be in Plex."""
        with self._store.writing() as tx:
            for errand in errands:
                errand.outcome = Waiting(why, "released", backoff=False)
                tx.pushings.drop(errand.sight.id, errand.target.item.key, number=errand.number)

    # --- sending -----------------------------------------------------------------------------------------------------

    def _handed_over(self, batch: Batch, errand: Errand) -> Future[None]:
        try:
            return self._pool.submit(self._begin, batch, errand)
        except RuntimeError as error:
            # The system has no room for another thread.
            raise LocalFault(NO_MEMORY) from error

    def _begin(self, batch: Batch, errand: Errand) -> None:
        """Send it, if that still may be: since it was handed over, the lease may have ended, or another write failed."""
        now = self._clock.now()
        in_time = now < batch.until and now + self._deadline <= batch.known_until
        if batch.failed or not in_time or errand.job.token not in batch.errands:
            raise Unsent
        errand.since = self._clock.monotonic()
        try:
            self._send(errand)
        except BaseException:
            batch.failed.append(errand)
            raise

    def _send(self, errand: Errand) -> None:
        """Pictures go first, since choosing one locks it, which may not be what is wanted."""
        item = errand.target.item
        if self._pictures:
            for name, key in _pictures_to_put_back(errand):
                errand.begun = True
                self._pictures.put_back(item, name, key)
            for name, key in _pictures_to_send(errand):
                self._show(self._pictures, errand, name, key)
        if edit := errand.target.plan.edit:
            self._plex.edit(item.section, item.key, edit, cast=item.cast)

    def _show(self, pictures: Pictures, errand: Errand, name: str, key: str) -> None:
        """Let the item show a picture; it is left out when Plex does not take it, or has failed to again and again.

        Whether Plex is well at all the edit will tell. Raises PictureChanged before anything of the picture is sent.
        """
        scene, item, profile = errand.sight.scene or Scene(errand.sight.id), errand.target.item, errand.target.profile
        try:
            content = pictures.to_send(scene, item, name, key, profile)
            errand.begun = True
            pictures.send(item, name, key, content)
        except (Refused, Missing) as error:
            failure: NeighbourError = error
        except Unavailable as error:
            patient = errand.job.failures < min(PATIENCE, self._rules.max_retries)
            if patient or error.neighbour is Neighbour.STASH or not error.sent:
                raise
            failure = error
        else:
            return
        log.warning("a picture of scene %d was not taken, all else goes on without it: %s", errand.sight.id, failure)
        errand.leave_out(name, unknown=isinstance(failure, Unavailable))

    def _sort_out(self, ended: Iterable[tuple[Future[None], Errand]]) -> list[Errand]:
        """The errands that were answered well; the others get their outcome here."""
        well = []
        for future, errand in ended:
            try:
                future.result()
            except NeighbourError as error:
                errand.outcome = self._failed(errand, error)
            except PictureChanged:
                self._look_anew(errand)
                errand.outcome = Waiting("its picture is another one than when it was looked at", "released")
            except LocalFault:
                raise
            except MemoryError as error:
                raise LocalFault(NO_MEMORY) from error
            except Exception as bug:
                log.exception("push of scene %d failed by a fault of our own", errand.sight.id)
                errand.outcome = Later(f"fault of our own: {type(bug).__name__}")
            else:
                self._gates.well(Neighbour.PLEX, WRITE)
                well.append(errand)
        return well

    def _failed(self, errand: Errand, error: NeighbourError) -> Outcome:
        key = errand.target.item.key
        how = WRITE if error.neighbour is Neighbour.PLEX else READ
        if how == READ:
            self._look_anew(errand)
        elif not (error.applied or errand.begun or (isinstance(error, Unavailable) and error.sent)):
            self._forget(errand)
        if isinstance(error, Unavailable):
            own = how == WRITE and self.owns(errand.job, key)
            self._gates.ill(error, how, own=own)
            return Waiting(str(error), "unavailable", after=error.retry_after or 0.0, counted=own)
        self._gates.ill(error, how)
        if isinstance(error, Throttled):
            return Waiting(str(error), "throttled", after=error.retry_after)
        if isinstance(error, Barred):
            return Waiting(str(error), "barred", backoff=False)
        if isinstance(error, Missing):
            # The next look finds that the item is gone, and what has taken its place.
            return Waiting(str(error), "missing", counted=True)
        if isinstance(error, Refused):
            return Dead("refused", str(error), desired=desired(errand.sight))
        return Later(str(error))

    def _look_anew(self, errand: Errand) -> None:
        """What is known of the scene's pictures does not help to send them: the next look reads them from Stash again."""
        with self._store.writing() as tx:
            tx.pictures.forget(errand.sight.id)
            if not errand.begun:
                tx.pushings.drop(errand.sight.id, errand.target.item.key, number=errand.number)

    def _forget(self, errand: Errand) -> None:
        """Nothing of the edit can be in Plex."""
        with self._store.writing() as tx:
            tx.pushings.drop(errand.sight.id, errand.target.item.key, number=errand.number)

    # --- whose fault -------------------------------------------------------------------------------------------------

    def owns(self, job: Job, key: str) -> bool:
        """Whether a failed write is the job's own: others went well since its last one, or canaries do. A first never is."""
        if not (job.ok_mark or job.bad_mark):
            return False
        with self._store.writing() as tx:
            ok, bad = self._gates.writes(tx)
        ok, bad = ok - job.ok_mark, bad - job.bad_mark
        if ok >= EVIDENCE_WRITES and bad <= EVIDENCE_BAD_SHARE * (ok + bad):
            return True
        if ok or bad or job.failures + 1 < CANARIES:
            return False
        return self.canaries(CANARIES, but=job, key=key) is True

    def canaries(self, count: int, *, but: Job | None = None, key: str = "") -> bool | None:
        """Send locks that we hold again to healthy items: whether all were answered well; None when there are none to send.

        A lock that a person has taken off meanwhile is not put back.
        """
        answered = None
        try:
            healthy = self._healthy(count, but=but, key=key)
        except NeighbourError as error:
            log.info("canary can't be read: %s", error)
            return False
        for item, name in healthy:
            again: Edit = {name: Change(None, lock=True)}
            try:
                self._gates.ask(
                    Neighbour.PLEX, WRITE, partial(self._plex.edit, item.section, item.key, again), of_all=True
                )
            except Missing:
                continue
            except NeighbourError as error:
                log.info("canary write failed: %s", error)
                return False
            answered = True
        return answered

    def readable(self, count: int, *, but: Job) -> bool:
        """Whether Plex tells of healthy items that are not this job's."""
        return bool(self._healthy(count, but=but))

    def _healthy(self, count: int, *, but: Job | None, key: str = "") -> list[tuple[Item, str]]:
        """Items that hold a lock of ours, with the field's name, as Plex has them now; asked for in one request."""
        with self._store.reading() as db:
            own = db.memories.of([but.id]) if but else {}
            locks = db.memories.healthy_locks(count, but=frozenset({key, *(item for _, item in own)}))
        if not locks:
            return []
        found = self._gates.ask(
            Neighbour.PLEX, READ, partial(self._plex.items, [item for _, item, _ in locks]), of_all=True
        )
        return [(found[item], name) for _, item, name in locks if item in found and found[item].locked(name)]

    # --- after -------------------------------------------------------------------------------------------------------

    def _close(self, batch: Batch, answered: list[Errand]) -> None:
        """Read back, remember and settle what has ended; prolong the rest. What was lost leaves the batch untouched."""
        if not batch.errands:
            self._revisit(batch)
            return
        if self._clock.now() >= batch.until:
            self._renew(batch)
        self._verify([errand for errand in answered if errand.job.token in batch.errands])
        now = self._clock.now()
        until = now + self._rules.lease
        with self._store.writing() as tx:
            held = tx.jobs.renew(list(batch.errands), until=until)
            self._remember(tx, [errand for errand in answered if errand.job.token in held], now)
            ended = []
            for token, errands in batch.errands.items():
                outcomes = [errand.outcome for errand in errands if errand.outcome is not None]
                if token in held and len(outcomes) == len(errands):
                    self._settle_errands(tx, errands, worst(outcomes))
                    ended.append(token)
        self._give_up(batch, batch.errands.keys() - held)
        batch.until = until
        for token in ended:
            del batch.errands[token]
        self._revisit(batch)

    def _remember(self, tx: Writer, answered: Sequence[Errand], now: int) -> None:
        """Keep what was read back of those that went well."""
        done = [
            (errand.sight.id, errand.target.item.key, errand.memory, errand)
            for errand in answered
            if errand.memory is not None and isinstance(errand.outcome, Done)
        ]
        tx.memories.save_all([(id, key, memory) for id, key, memory, _ in done], now=now)
        tx.pushings.drop_all([(id, key, errand.number) for id, key, _, errand in done])
        for id, key, _, errand in done:
            if errand.left_out:
                tx.pushings.add(id, key, Pushing(errand.left_out, now + self._deadline))
        tx.pushes.add_all([(id, key, errand.moved, errand.sight.undone) for id, key, _, errand in done], at=now)
        # What moved them was ours, and is nobody's news.
        tx.index.stamp({key: errand.stamp for _, key, _, errand in done})

    def _settle_errands(self, tx: Writer, errands: Sequence[Errand], outcome: Outcome) -> None:
        job, sight = errands[0].job, errands[0].sight
        if isinstance(outcome, Done):
            self._end(tx, job, sight)
        else:
            self._settle(tx, job, outcome)

    def _revisit(self, batch: Batch) -> None:
        """What was sent for a job that was lost meanwhile may have come after the writes of whoever has it now.

        So it is noted as a push whose end is unknown, and the scene is looked at once more, unless a person has dropped it.
        """
        strays = [errand for errand in batch.sent if errand.job.token in batch.lost]
        batch.sent = []
        if strays:
            now = self._clock.now()
            with self._store.writing() as tx:
                for errand in strays:
                    scene, key = errand.sight.id, errand.target.item.key
                    tx.pushings.drop(scene, key, number=errand.number)
                    tx.pushings.add(scene, key, errand.target.entry(now + self._deadline))
                    row = tx.jobs.find(Kind.SCENE, scene)
                    if row is None or row.state is not State.DROPPED:
                        tx.jobs.want(Kind.SCENE, scene, Why.EDIT, now)

    def _renew(self, batch: Batch) -> None:
        """Prolong the leases; only then may a thread begin by the new time, and none for a job that was lost."""
        until = self._clock.now() + self._rules.lease
        with self._store.writing() as tx:
            held = tx.jobs.renew(list(batch.errands), until=until)
        self._give_up(batch, batch.errands.keys() - held)
        batch.until = until

    def _give_up(self, batch: Batch, lost: set[str]) -> None:
        for token in lost:
            _log_lost(batch.errands[token][0].sight)
            batch.lost.add(token)
            del batch.errands[token]

    def _verify(self, answered: list[Errand]) -> None:
        """One GET for all: what is read back is what is remembered. A removal that did not take is sent again alone."""
        for errand, again in self._read_back(answered):
            item = errand.target.item
            try:
                self._gates.ask(Neighbour.PLEX, WRITE, partial(self._plex.edit, item.section, item.key, again))
            except Refused as error:
                # Plex keeps the member: what is read back now is what is remembered.
                log.info("a removal was refused: %s", error)
            except NeighbourError as error:
                errand.outcome = Waiting(str(error), "unavailable")
        self._read_back([errand for errand in answered if errand.outcome is None], last=True)

    def _read_back(self, errands: list[Errand], *, last: bool = False) -> list[tuple[Errand, Edit]]:
        """Settle what was read back as it should be; returns what has to be sent again (nothing when `last`)."""
        if not errands:
            return []
        unresolved: list[tuple[Errand, Edit]] = []
        try:
            items = self._looker.items([errand.target.item.key for errand in errands])
        except NeighbourError as error:
            # Sent and answered, but not seen: the saved entries tell the next look what may be in Plex.
            for errand in errands:
                errand.outcome = Waiting(str(error), "unavailable")
            return []
        for errand in errands:
            item = items.get(errand.target.item.key)
            if item is None:
                errand.outcome = Waiting("the item vanished while it was edited", "missing", counted=True)
            elif isinstance(item, NeighbourError):
                errand.outcome = Waiting(str(item), "unavailable")
            else:
                if self._pictures:
                    try:
                        item = self._pictures.read_back(item, errand.target.plan.sending)
                    except NeighbourError as error:
                        errand.outcome = Waiting(str(error), "unavailable")
                        continue
                learnt = learn(errand.target.plan.memory, errand.target.plan.sending, item)
                errand.memory = placed(learnt.memory, item)
                errand.saw(item)
                if learnt.again and not last:
                    unresolved.append((errand, learnt.again))
                else:
                    errand.outcome = Done()
        return unresolved


def _called_back(running: dict[Future[None], Errand]) -> list[Errand]:
    """Take back those that have not begun."""
    return [running.pop(future) for future in list(running) if future.cancel()]


def _pictures_in(errand: Errand) -> list[tuple[str, str, bool]]:
    """(name, key, whether it is to be put back) of the pictures that its edit changes.

    What Stash has nothing for any more is put back as what is undone is: it may not be Stash's at all.
    """
    plan = errand.target.plan
    return [
        (name, str(value), bool(errand.sight.undone) or plan.sending[name].said is None)
        for name in PICTURES
        if name in plan.edit and (value := plan.edit[name].value) is not None
    ]


def _pictures_to_put_back(errand: Errand) -> list[tuple[str, str]]:
    return [(name, key) for name, key, back in _pictures_in(errand) if back]


def _pictures_to_send(errand: Errand) -> list[tuple[str, str]]:
    return [(name, key) for name, key, back in _pictures_in(errand) if not back]


def _log_lost(sight: Sight) -> None:
    log.warning("lease lost: scene %d belongs to another attempt", sight.id)


def worst(outcomes: Sequence[Outcome]) -> Outcome:
    """What becomes of a job with several items: what is to be tried again (counted first), then dead, then done."""
    for kind in (Waiting, Later, Dead):
        found = [outcome for outcome in outcomes if isinstance(outcome, kind)]
        if found:
            return next((one for one in found if isinstance(one, Waiting) and one.counted), found[0])
    return outcomes[0]

"""A flow that no product has: a scene's code in Stash is the name of its studio. It writes to the simulated Stash.

It is as small as a flow can be that can fail, die, be tried again and be undone. What it remembers it keeps in notes.
"""

import json
from dataclasses import asdict, dataclass, field, replace
from functools import partial

from plexsync.engine.flow import Write
from plexsync.engine.tickets import READ_STASH, WRITE_STASH
from plexsync.http.client import Wire
from plexsync.http.connections import Timeouts
from plexsync.rules.queue.job import Done, Gone, Kind, Outcome, Waiting
from plexsync.rules.servers.errors import Neighbour, NeighbourError
from plexsync.rules.servers.http_answers import Server

MUTATION = "mutation($input: SceneUpdateInput!) { sceneUpdate(input: $input) { id } }"


@dataclass(frozen=True)
class Mark:
    """What is known of one scene: its code before us, what we wrote, and of which studio when that was undone.

    `pending` is what is on its way.
    """

    before: str = ""
    written: str | None = None
    undone: str | None = None
    pending: str | None = None


@dataclass(frozen=True)
class Stamp:
    """What a look has found."""

    id: int
    code: str = ""
    wanted: str = ""
    mark: Mark = Mark()
    outcome: Outcome | None = None
    ends: Outcome = field(default_factory=Done)
    error: NeighbourError | None = None
    keys: tuple[str, ...] = ()

    @property
    def desired(self) -> str:
        return self.wanted


@dataclass(eq=False, kw_only=True)
class StampWrite(Write):
    """One code to write."""

    stamp: Stamp


class StampFlow:
    """Keeps the codes of scenes in sync with their studios."""

    kind = "stamp"
    gates = (READ_STASH, WRITE_STASH)
    write_gate = WRITE_STASH
    requests = 1
    reads_ahead = False

    def __init__(self, worker, house, key):
        self._store, self._stash, self._gates = worker.store, worker.stash, worker.gates
        server = Server(Neighbour.STASH, "Stash", "stash_url", "stash_api_key")
        self._wire = Wire(server, house.stash_sim.url, headers={"ApiKey": key}, timeouts=Timeouts(5.0, 5.0))
        self.journal = StampJournal()

    def close(self):
        self._wire.close()

    # --- looking ---

    def affected_ids(self, notice):
        if notice.kind != Kind.STUDIO:
            return ()
        return self._gates.ask(READ_STASH, partial(self._stash.showing, Kind.STUDIO, notice.id))

    def look(self, ids):
        scenes = self._gates.ask(READ_STASH, partial(self._stash.scenes, ids))
        with self._store.reading() as db:
            marks = {id: mark_of(db, id) for id in ids}
        return [self._found(id, scenes.get(id), marks[id]) for id in ids]

    @staticmethod
    def _found(id, scene, mark):
        if scene is None:
            return Stamp(id, outcome=Gone())
        undone = mark.undone is not None and mark.undone == scene.studio
        return Stamp(id, scene.code, mark.before if undone else scene.studio, mark)

    # --- writing ---

    def save(self, tx, findings, *, now, until):
        return {job.token: self._writes(tx, job, stamp) for job, stamp in findings}

    @staticmethod
    def _writes(tx, job, stamp):
        if stamp.outcome is not None or stamp.error is not None or stamp.code == stamp.wanted:
            return ()
        ours = stamp.code in (stamp.mark.written, stamp.mark.pending)
        save_mark(
            tx, job.id, replace(stamp.mark, before=stamp.mark.before if ours else stamp.code, pending=stamp.wanted)
        )
        return [StampWrite(job=job, key=str(job.id), desired=stamp.desired, stamp=stamp)]

    def will_send(self, writes):
        pass

    def requires(self, write):
        return (WRITE_STASH,)

    def send(self, write):
        self._write(write.job.id, write.stamp.wanted)

    def _write(self, id, code):
        content = json.dumps({"query": MUTATION, "variables": {"input": {"id": str(id), "code": code}}}).encode()
        headers = {"Content-Type": "application/json"}
        self._wire.check_status(self._wire.send("POST", "/graphql", content=content, headers=headers, cap=10_000))

    def read_back(self, writes):
        scenes = self._gates.ask(READ_STASH, partial(self._stash.scenes, [write.job.id for write in writes]))
        for write in writes:
            same = write.job.id in scenes and scenes[write.job.id].code == write.stamp.wanted
            write.outcome = Done() if same else Waiting("another code by now", "missing", counted=True)

    def canaries(self, gate, limit, *, ticket, but=None, key=""):
        with self._store.reading() as db:
            rows = db.notes.all().items()
        marks = {int(name.split(":")[1]): mark_from(text) for name, text in rows if name.startswith("stamp:")}
        codes = [(id, mark.written) for id, mark in marks.items() if id != but and mark.written is not None]
        if gate == WRITE_STASH:
            return [partial(self._again, id, code) for id, code in codes[:limit]]
        return [lambda: bool(self._stash.scenes([id for id, _ in codes]))] if codes else []

    def _again(self, id, code):
        self._write(id, code)
        return True

    # --- ending ---

    def complete(self, tx, finding):
        """Nothing was wished for once."""

    def save_outcomes(self, tx, outcomes, *, now):
        """The row tells all."""

    def end_batch(self, findings):
        """Nothing helps those that could not be worked."""

    def existing(self, ids):
        self._gates.enter(READ_STASH)
        return self._gates.ask(READ_STASH, partial(self._stash.scenes, ids)).keys()

    def forget(self, tx, id, *, gone):
        if gone:
            tx.notes.save(f"stamp:{id}", "")

    # --- taking back ---

    def recall(self, ids):
        self._gates.enter(READ_STASH)
        return self._gates.ask(READ_STASH, partial(self._stash.scenes, ids))

    def undo(self, tx, id, recalled, mark, *, now):
        before = mark_of(tx, id)
        if before.written is None and before.pending is None:
            return False
        save_mark(tx, id, replace(before, undone=recalled.studio))
        return True


class StampJournal:
    """What is written down of the codes before they are sent."""

    def prolong(self, tx, writes, until):
        """A pending code says no time."""

    def withdraw(self, tx, writes):
        for write in writes:
            save_mark(tx, write.job.id, replace(mark_of(tx, write.job.id), pending=None))

    def distrust(self, tx, write):
        self.withdraw(tx, [write])

    def reopen(self, tx, write, until):
        save_mark(tx, write.job.id, replace(mark_of(tx, write.job.id), pending=write.stamp.wanted))

    def close(self, tx, writes, *, now, until):
        for write in writes:
            mark = mark_of(tx, write.job.id)
            back = mark.undone is not None and write.stamp.wanted == mark.before
            save_mark(tx, write.job.id, replace(mark, written=None if back else write.stamp.wanted, pending=None))


def mark_of(db, id):
    return mark_from(db.notes.text(f"stamp:{id}"))


def mark_from(text):
    return Mark(**json.loads(text)) if text else Mark()


def save_mark(tx, id, mark):
    tx.notes.save(f"stamp:{id}", json.dumps(asdict(mark)))

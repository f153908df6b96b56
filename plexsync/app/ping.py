"""Sends a change that changes nothing the whole way, from Stash through the queue to Plex, and times each hop.

Stash saves a scene as it is. PlexSync's worker hears of it, queues the scene and works it like any edit. Then the scene and
its item are read anew: they must be equal. Nothing is written to Plex that a sync would not write anyway.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from plexsync.app.parts import Parts
from plexsync.engine.asked_probes import why_closed
from plexsync.engine.tickets import READS
from plexsync.flows.scenes.verbs import SETTLED, explain, status_in
from plexsync.rules.queue.job import Kind
from plexsync.rules.queue.note_keys import EDIT_BY_HOOK, EDIT_BY_LINE
from plexsync.rules.record_class import record
from plexsync.rules.records import JobRow
from plexsync.rules.servers.errors import NeighbourError
from plexsync.rules.words.status_words import SceneStatus
from plexsync.store.database import Reader

# Seconds between two looks at the queue; until Stash's silence is a finding; and until a scene in the queue is one.
PACE, SILENT, STUCK = 0.005, 5.0, 30.0
NO_WORKER = "no worker runs: start plexsync serve"
NONE_IN_SYNC = "no scene is in sync yet: name one"
STOPPED = "stopped"
# Who told PlexSync, by the note that says so.
TELLERS = {EDIT_BY_LINE: "wake-up", EDIT_BY_HOOK: "hook"}


class CantPing(Exception):
    """Nothing was sent; the message says why."""


@record
class Hop:
    """A part of the way: its name, what was seen, and the time that it took (ms)."""

    name: str
    words: str
    ms: int


@dataclass
class Ping:
    """The hops of a scene's way so far. `error`: why it went no further."""

    scene: int
    hops: list[Hop] = field(default_factory=list)
    error: str = ""
    ms: int = 0


def ping(
    parts: Parts, scene: int | None, stopping: Callable[[], bool] = lambda: False, *, silent: float = SILENT
) -> Ping:
    """Send a no-op of this scene (None: of one that is in sync) the whole way. Raises CantPing.

    After `silent` seconds without a word from Stash, a poll asks it.
    """
    if not parts.someone_works():
        raise CantPing(NO_WORKER)
    if scene is None:
        with parts.store.reading() as db:
            scene = next(iter(db.standings.scenes(SceneStatus.IN_SYNC, limit=1)), None)
        if scene is None:
            raise CantPing(NONE_IN_SYNC)
    way = Way(parts, Ping(scene), stopping, silent)
    began = parts.clock.monotonic()
    try:
        way.go()
    except NeighbourError as error:
        way.ping.error = str(error)
    way.ping.ms = round(1000 * (parts.clock.monotonic() - began))
    return way.ping


class Way:
    """The way of one ping. `stopping` ends it."""

    def __init__(self, parts: Parts, result: Ping, stopping: Callable[[], bool], silent: float) -> None:
        self._parts, self.ping, self._stopping, self._silent = parts, result, stopping, silent

    def go(self) -> None:
        """Send it, and follow it to its end. Raises NeighbourError if a server can't be asked."""
        scene = self.ping.scene
        if closed := self._closed():
            raise CantPing(closed)
        if scene not in self._parts.stash.existing([scene])[0]:
            raise CantPing(f"Stash has no scene {scene}")
        with self._parts.store.reading() as db:
            row, before = _row(db, scene), _tellers(db)
        with self._hop("saved") as say:
            self._parts.stash.watching.save_unchanged(scene)
            say("Stash saved the scene as it was")
        if self._is_told(row.wanted_rev if row else 0, before) and self._is_worked():
            self._read_back()

    def _is_told(self, revision: int, before: dict[str, str]) -> bool:
        """Whether the save reaches the queue; if Stash stays silent, by a poll."""
        with self._hop("told") as say:
            if self._wait(self._silent, lambda row: row is not None and row.wanted_rev > revision):
                with self._parts.store.reading() as db:
                    now = _tellers(db)
                say(f"Stash told ({next((TELLERS[key] for key in now if now[key] != before[key]), 'poll')})")
                return True
            if self._stopping() or self._closed():
                return self._fail(self._why_open())
            pace = self._parts.config.stash_poll_interval
            polled = self._parts.poller.poll()
            say(f"Stash told nothing, and a poll asked it; polls come every {pace:g} s")
            return self._wait(STUCK, lambda row: row is not None and row.wanted_rev > revision) or self._fail(
                polled.reason or "the poll did not find the change: plexsync doctor"
            )

    def _is_worked(self) -> bool:
        """Whether the worker takes the scene, and ends it."""
        with self._hop("queued") as say:
            is_claimed = self._wait(STUCK, lambda row: row is not None and row.claimed_rev == row.wanted_rev)
            say("queued")
        if not is_claimed:
            return self._fail(self._why_open())
        with self._hop("worked") as say:
            done = self._wait(
                STUCK, lambda row: row is not None and row.settled_rev == row.wanted_rev and row.state in SETTLED
            )
            with self._parts.store.reading() as db:
                status = status_in(db, self.ping.scene)
            say(f"worked: {status.word}")
        return done or self._fail(self._why_open())

    def _read_back(self) -> None:
        """Read the scene and its item anew, and compare."""
        with self._hop("matched") as say:
            inspection = explain(self._parts.inspector, self.ping.scene).inspection
            say(f"matched by {inspection.steps[-1].rung}" if inspection.steps else "matched")
        if not inspection.targets:
            self._fail(str(inspection.error or f"plexsync explain {self.ping.scene} says why it has no item"))
            return
        with self._hop("answered") as say:
            self._parts.plex.items([inspection.targets[0].item.key])
            say("Plex answered")
        changes = sum(len(target.plan.edit) for target in inspection.targets)
        if changes:
            self._fail(f"{changes} {'field differs' if changes == 1 else 'fields differ'}: plexsync explain shows them")
            return
        kept = f" but for {inspection.kept_fields} that Plex keeps" if inspection.kept_fields else ""
        self.ping.hops.append(Hop("read_back", f"read back equal{kept}", 0))

    @contextmanager
    def _hop(self, name: str) -> Iterator[Callable[[str], None]]:
        """Time a hop, which ends with the words that it says."""
        words: list[str] = []
        began = self._parts.clock.monotonic()
        yield words.append
        self.ping.hops += [Hop(name, text, round(1000 * (self._parts.clock.monotonic() - began))) for text in words]

    def _wait(self, seconds: float, holds: Callable[[JobRow | None], bool]) -> bool:
        """Whether this comes to hold of the scene's row."""
        clock = self._parts.clock
        until = clock.monotonic() + seconds
        while True:
            with self._parts.store.reading() as db:
                row = _row(db, self.ping.scene)
            if holds(row):
                return True
            if clock.monotonic() >= until or self._stopping() or self._closed():
                return False
            clock.sleep(PACE)

    def _closed(self) -> str:
        """Why one of the servers can't be asked now; '' if both can."""
        return why_closed(self._parts.gates, *READS)

    def _fail(self, reason: str) -> bool:
        self.ping.error = reason
        return False

    def _why_open(self) -> str:
        """Why the scene is still in the queue."""
        with self._parts.store.reading() as db:
            row = _row(db, self.ping.scene)
        if self._stopping():
            return STOPPED
        return (
            self._closed()
            or (row.error if row else "")
            or f"still in the queue after {STUCK:g} s: plexsync status says why"
        )


def _row(db: Reader, scene: int) -> JobRow | None:
    return db.jobs.find(Kind.SCENE, scene)


def _tellers(db: Reader) -> dict[str, str]:
    """When each of them told of an edit last."""
    return {key: db.notes.text(key) for key in TELLERS}

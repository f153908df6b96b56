"""The house put together for a test: the real store and clients, simulated neighbours, a clock and dice in our hand."""

import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from plexsync.app.dressing import collection_dressing
from plexsync.app.flow_parts import FlowParts
from plexsync.app.parts import Assembled
from plexsync.app.provider import provider_parts
from plexsync.app.rating_back import rating_back
from plexsync.app.rules import PartSettings
from plexsync.app.run import engine_on, scene_flow
from plexsync.app.way_back import plays_to_take_back, way_back
from plexsync.engine.engine import Idle, ProbeResult, Worked
from plexsync.engine.rules import WorkRules
from plexsync.flows.scenes.rules import LookRules
from plexsync.flows.scenes.stash_pictures import AT_ONCE, Readers
from plexsync.plex.client import PlexClient
from plexsync.plex.events import PlexEvents
from plexsync.plex.imaging import PillowImaging
from plexsync.rules.item import FIELDS
from plexsync.rules.merge.desired import Profile
from plexsync.rules.merge.plan_records import Policy
from plexsync.rules.plays.first_plays import approval_text
from plexsync.rules.queue.job import Kind, State, Why
from plexsync.rules.queue.note_keys import PLAYS_APPROVED, PLAYS_QUEUED
from plexsync.rules.records import JobRow
from plexsync.rules.servers.errors import Neighbour
from plexsync.simulator.http import Fault, Request
from plexsync.simulator.plex_server import PlexSim
from plexsync.simulator.stash_server import StashSim
from plexsync.stash.client import StashClient
from plexsync.store.database import Database
from tests.engine.clocks import Clock, RandomSource
from tests.patience import until
from tests.stores import look
from worker.circuit_breaker import Rules

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "house-plex-token"
KEY = "house-stash-key"
HOUR = 3600.0
DAY = 24 * HOUR
# Seconds between two polls of Stash.
POLLS = 60.0
# No request is given up, and no connection dropped, because the machine is busy: what hangs is a test's own affair.
UNHURRIED = 24 * HOUR
BREAKER = Rules(
    failure_threshold=5,
    recovery_timeout=60.0,
    probe_lease=90.0,
    backoff_multiplier=2.0,
    max_recovery_timeout=300.0,
    jitter=0.1,
)


class Worker:
    """What one process has: its own gates and engine, put together as the program does, on clients of the simulators."""

    def __init__(self, house: "House", *, holder: str, fingerprint: str, token: str, **rules: object) -> None:
        self._stack = ExitStack()
        names = ("policy", "paths", "strict", "profile", "undo_gone", "scope", "by_duration")
        looks = {name: rules.pop(name) for name in names if name in rules}
        looks["libraries"] = rules.pop("profiles", {})
        libraries = rules.pop("libraries", ())
        extras = {name: bool(rules.pop(name, False)) for name in ("people", "tags_above", "file_times", "galleries")}
        extras["extra"] = looks["scope"].on_request if "scope" in looks else ()
        watchdog, flows = rules.pop("watchdog", None), rules.pop("flows", lambda _worker: ())
        # The server that hangs in a test is given up soon; the other one never is, however busy the machine.
        read, impatient = rules.pop("read_timeout", UNHURRIED), rules.pop("impatient", None)
        reads = {server: read if impatient in (None, server) else UNHURRIED for server in Neighbour}
        to_stash, to_plex = (
            {"connect_timeout": UNHURRIED, "read_timeout": reads[server]}
            for server in (Neighbour.STASH, Neighbour.PLEX)
        )
        pool, watch, ratings = (rules.pop(name, None) for name in ("pool", "watch", "ratings"))
        # Seconds that Plex may take to show what it was told to ask for; None: no library asks.
        patience = rules.pop("provider", None)
        looks["provider"], matches = patience is not None, bool(rules.pop("provider_match", False))
        # The first write of plays was approved long ago, unless a test is about that.
        asks_first = rules.pop("asks_first", False)
        stash = StashClient(house.stash_sim.url, KEY, **extras, **to_stash)
        self._stack.callback(stash.close)
        plex = PlexClient(house.plex_sim.url, token, libraries=libraries, **to_plex)
        self._stack.callback(plex.close)
        fields = frozenset(FIELDS) - ({"userRating"} if ratings else set())
        settings = PartSettings(
            looks=LookRules(**{"profile": Profile(fields), "policy": Policy(), **looks}),
            breaker=BREAKER,
            fingerprints=dict.fromkeys(Neighbour, fingerprint),
            print_of_all=str(rules.pop("settings", "")),
            wishes=str(rules.pop("wishes", "")),
            playlists=rules.pop("playlists", None),
            scan_absent=bool(rules.pop("scans", False)),
            work=WorkRules(**{"parallel": 1, "deadline": 4000, **rules}),
        )
        events = PlexEvents(house.plex_sim.url, token, **to_plex)
        threads = ThreadPoolExecutor(max_workers=AT_ONCE)
        self._stack.callback(threads.shutdown)
        servers = (stash, plex, house.clock, house.rng, settings)
        readers = Readers(threads, watchdog.alive if watchdog else lambda: None)
        parts = Assembled(house.store, *servers, events=events, imaging=PillowImaging(), readers=readers)
        self.parts = parts
        self.store, self.stash, self.plex, self.clock = house.store, stash, plex, house.clock
        self.gates = parts.gates
        self.indexer, self.poller, self.reconciler = parts.indexer, parts.poller, parts.reconciler
        self.inspector, self.glances = parts.work_inspector, parts.inspector
        self.listener, self.scans = parts.listener, parts.scans
        asked = [provider_parts(parts, house.folder, patience, matches=matches)] if patience is not None else []
        self.scenes = scene_flow(parts, asked)
        self.back = way_back(parts, watch) if watch is not None else None
        if watch is not None and not asks_first and (watch.account or "1").isdecimal():
            house.approve_plays(int(watch.account or 1), watch.minimum)
        self.ratings = rating_back(parts, ratings) if ratings is not None else None
        self.dressing = collection_dressing(parts)
        further = [
            self.back.parts_to_add(POLLS) if self.back else FlowParts([plays_to_take_back(parts)]),
            *([self.ratings.parts_to_add(POLLS)] if self.ratings else []),
            self.dressing.parts_to_add(),
            *asked,
        ]
        self.engine = engine_on(parts, holder=holder, watchdog=watchdog, pool=pool, further=further, flows=flows(self))
        self._stack.callback(self.engine.close)

    def close(self) -> None:
        self._stack.close()


class House:
    """Both neighbours, the database, and a worker to step. Scenes and movies share their paths unless mapped.

    All of them live by one clock. Where an edit moves it, `pool=Inline()` lets the edits run in the clock's own thread.
    """

    def __init__(self, folder: Path, **rules: object) -> None:
        folder.mkdir(mode=0o700, exist_ok=True)
        self.folder = folder
        self.clock = Clock()
        self.rng = RandomSource()
        self.rules = rules
        self._stack = ExitStack()
        version = str(rules.pop("stash_version", "v0.30.1"))
        agent = str(rules.pop("agent", "tv.plex.agents.movie"))
        self.stash_sim = self._stack.enter_context(StashSim(api_key=KEY, version=version))
        self.stash_sim.now = lambda: self.clock.wall / 1000
        self.plex_sim = self._stack.enter_context(PlexSim(token=TOKEN, scan_seconds=None, clock=self.clock.monotonic))
        for sim in (self.stash_sim, self.plex_sim):
            sim.idle_seconds = UNHURRIED
            sim.wall = lambda: self.clock.wall / 1000
        self.section = self.plex_sim.add_section("Movies", locations=("/media",), agent=agent)
        self.store = Database(folder / "plexsync.db", worker=True)
        self._stack.callback(self.store.close)
        self.worker = self.hire()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
        assert self.clock.intruders == [], "a thread beside the test has moved its clock"

    def hire(
        self, *, holder: str = "one", fingerprint: str = "as set up", token: str = TOKEN, **more: object
    ) -> Worker:
        """Another worker on the same database: the next process, or one with other settings."""
        worker = Worker(self, holder=holder, fingerprint=fingerprint, token=token, **{**self.rules, **more})
        self._stack.callback(worker.close)
        return worker

    def replace_worker(self, **more: object) -> None:
        """The old worker is gone (killed, as far as the database knows); another one takes its place."""
        self.worker = self.hire(**more)

    def approve_plays(self, account: int = 1, minimum: str = "stash") -> None:
        """Your approval of all plays of an account, given long ago."""
        text = approval_text(
            self.plex_sim.machine, account, watch_since=0, since=0, minimum=minimum, at=self.clock.now()
        )
        with self.store.writing() as tx:
            tx.notes.save(PLAYS_APPROVED, text)
            tx.notes.save(PLAYS_QUEUED, text)

    # --- what is there -----------------------------------------------------------------------------------------------

    def add(self, count: int = 1, *, start: int = 0, in_plex: bool = True) -> list[int]:
        """Scenes with a file each, and the same files in Plex; nothing in step yet."""
        ids = []
        for n in range(start, start + count):
            if in_plex:
                self.plex_sim.add_movie(self.section, files=[(path_of(n), 1000 + n, 60_000)], title=f"file {n}")
            ids.append(self.add_scene(n))
        return ids

    def add_scene(self, n: int, **more: object) -> int:
        values = {"title": f"Title {n}", "studio": f"Studio {n % 3}", "tags": [f"Tag {n % 5}"], **more}
        return self.stash_sim.add_scene(**{"files": [(path_of(n), 1000 + n, 60.0)], **values})

    def key_of(self, id: int) -> str:
        """The rating key of the (first) item that has the scene's file."""
        paths = {path for path, *_ in self.stash_sim.scene(id).files}
        for key in self.plex_sim.keys(self.section):
            if paths & {path for path, *_ in self.plex_sim.item(key).files}:
                return key
        raise KeyError(id)

    def title_in_plex(self, id: int) -> object:
        return self.plex_sim.item(self.key_of(id)).scalars.get("title")

    def out_of_step(self, ids: list[int]) -> list[int]:
        """Which scenes Plex does not show as Stash has them, read from the simulators' own memory."""
        items = [self.plex_sim.item(key) for key in self.plex_sim.keys(self.section)]
        by_path = {path: item for item in items for path, *_ in item.files}
        return [id for id in ids if not shows(self.stash_sim.scene(id), by_path)]

    # --- the queue ---------------------------------------------------------------------------------------------------

    def want(self, *ids: int, why: Why = Why.EDIT, kind: Kind = Kind.SCENE) -> None:
        with self.store.writing() as tx:
            for id in ids:
                tx.jobs.want(kind, id, why, self.clock.now())

    def row(self, id: int, kind: Kind = Kind.SCENE) -> JobRow:
        with self.store.reading() as db:
            row = db.jobs.find(kind, id)
        assert row is not None, f"no row for {kind} {id}"
        return row

    def states(self) -> dict[State, int]:
        with self.store.reading() as db:
            return {state: count for state, count in db.jobs.count_states().items() if count}

    def attempts_used(self) -> int:
        (most,) = self.rows("select max(attempts) from job")[0]
        return most

    def books_balance(self) -> bool:
        (accepted, coalesced, done, pruned) = self.rows("select accepted, coalesced, done, pruned from books")[0]
        (left,) = self.rows("select count(*) from job where state <> 'idle'")[0]
        return accepted == coalesced + done + pruned + left

    def rows(self, sql: str) -> list[tuple]:
        """What the database says, read by an independent connection."""
        with look(self.folder) as db:
            return db.execute(sql).fetchall()

    def change(self, sql: str) -> None:
        """What another process does to the database."""
        with look(self.folder) as db:
            db.execute(sql)

    def put_off(self) -> None:
        """What is absent has been so for long: it is not due for another day, unless somebody wakes it."""
        self.change("update job set due = due + 86400000 where state = 'absent'")

    def breaker(self, who: Neighbour = Neighbour.PLEX) -> str:
        with self.store.reading() as db:
            return db.breakers.find(who).state

    # --- letting it work ---------------------------------------------------------------------------------------------

    def step(self) -> Worked | ProbeResult | Idle:
        return self.worker.engine.step()

    def work(self) -> list[Worked | ProbeResult | Idle]:
        """Step until there is nothing to do at this moment; returns the steps, the last one Idle."""
        steps = [self.step()]
        while not isinstance(steps[-1], Idle):
            steps.append(self.step())
            assert len(steps) < 2000, "the engine does not come to rest"
        return steps

    def work_for(
        self, seconds: float, *, until: Callable[[], bool] = lambda: False
    ) -> list[Worked | ProbeResult | Idle]:
        """Let time pass, and the engine work whenever it wants to."""
        end = self.clock.now() + round(seconds * 1000)
        steps = []
        while self.clock.now() < end and not until():
            step = self.step()
            steps.append(step)
            if isinstance(step, Idle):
                to = end if step.until is None else min(end, max(step.until, self.clock.now() + 1))
                self.clock.move((to - self.clock.now()) / 1000)
            assert len(steps) < 20_000, "the engine does not come to rest"
        return steps

    def work_until_settled(self, *, within: float = 2 * HOUR) -> None:
        """Let time pass until no row waits or runs."""
        self.work_for(within, until=lambda: not self.unsettled())
        assert not self.unsettled(), f"still {self.states()} after {within:.0f} s"

    def unsettled(self) -> int:
        with self.store.reading() as db:
            states = db.jobs.count_states()
        return states[State.READY] + states[State.RUNNING]

    def in_step(self, count: int = 1, *, start: int = 0) -> list[int]:
        """Scenes that are in step already; the log begins after that."""
        ids = self.add(count, start=start)
        self.want(*ids)
        self.work_until_settled()
        assert self.out_of_step(ids) == []
        self.clock.move(60)
        self.forget_requests()
        return ids

    def edit(self, id: int, **changes: object) -> None:
        """An edit in Stash whose hook came through, and the time that its debounce takes."""
        self.stash_sim.edit_scene(id, **changes)
        self.want(id)
        self.clock.move(2)

    def forget_requests(self) -> None:
        self.stash_sim.clear_log()
        self.plex_sim.clear_log()


def path_of(n: int) -> str:
    return f"/media/scene {n:05}.mp4"


def shows(scene: object, by_path: dict) -> bool:
    items = {by_path[path].key: by_path[path] for path, *_ in scene.files if path in by_path}
    return bool(items) and all(
        item.scalars.get("title") == scene.title
        and item.scalars.get("studio") == scene.studio
        and set(scene.tags) <= set(item.lists["genre"])
        for item in items.values()
    )


def fails(method: str, key: str = "", **how: object) -> Fault:
    """A 500 for every request of this method that concerns this item (all when none is given)."""

    def concerns(request: Request) -> bool:
        named = request.path.rsplit("/", 1)[-1].split(",")
        return request.method == method and (not key or key in named or request.params.get("id") == key)

    return Fault("status", **{"status": 500, "when": concerns, **how})


def put_of(request: Request) -> str:
    """Which item a PUT concerns."""
    return request.params.get("id") or request.path.rsplit("/", 1)[-1]


def wait_until_released(house: House, *, left: int) -> None:
    """For a simulated Plex that holds up a write: until no more than so many saved pushes are left of the batch."""
    until(lambda: house.rows("select count(*) from pushing")[0][0] <= left)


def run_house(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run this code in a process of its own, with a folder for its house."""
    return subprocess.run(
        [sys.executable, "-c", code, str(folder)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )

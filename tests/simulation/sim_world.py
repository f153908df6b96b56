"""The world of one seed: both neighbours, the database, the process, and everyone who acts on them, in one thread.

Whoever is asked by a wire or a store may be interrupted there: other people act meanwhile, or the process is killed. All
chance comes from the seed and all time from one clock, so a seed that fails fails again in the same way.
"""

import gc
import json
import logging
import re
import sqlite3
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from urllib.parse import quote

from plexsync.engine.engine import Idle
from plexsync.rules.merge.plan_records import Policy
from plexsync.rules.queue.job import DAY, HOUR, Kind, Why
from plexsync.rules.servers.errors import LocalFault, Neighbour
from plexsync.simulator.http import Answer, HttpServer, Request
from plexsync.simulator.plex_server import PlexSim
from plexsync.simulator.stash_server import StashSim
from plexsync.store import intake
from tests.engine.clocks import Clock
from tests.simulation.sim_process import KEY, TOKEN, Killed, Process, Setting, SimDice, disk_failing, disk_full
from tests.simulation.sim_told import Told
from tests.simulation.sim_truth import FIELDS, POSTER, Truth, Violation
from tests.simulation.sim_wire import BARRED, DONE, LOST, PICTURES, SimWire, Weather, told
from tests.store_places import PostgresPlace, SqlitePlace, StorePlace, place_of

HISTORY = 60
# So many of the hooks find no database, in lives that have only their hooks.
SHUT_OUT = 0.15
ASKED_FOR = re.compile(rb"findScene\(id: (\d+)\)")
SECRETS = {form for secret in (TOKEN, KEY) for form in (secret, quote(secret, safe=""), quote(secret))}


class SteadyPlex(PlexSim):
    """A Plex whose time is ours, and that listens on nothing."""

    def __init__(self, clock: Clock, **how: object) -> None:
        started_at = int(1_760_000_000 + clock.monotonic())
        super().__init__(token=TOKEN, scan_seconds=None, started_at=started_at, clock=clock.monotonic, **how)
        self.stop()


@dataclass(frozen=True)
class Nature:
    """Which sorts of trouble this seed knows: each seed has some of them, so that they do not hide one another."""

    kills: float
    meanwhile: float
    blips: float
    outages: bool
    bars: bool
    leaps: bool
    full_disk: bool
    poison: bool
    hooks: float
    long_days: bool
    replaces_lists: bool
    own_clock: bool
    setting: Setting

    @classmethod
    def of(cls, rng: Random) -> "Nature":
        """Drawn from the seed."""
        return cls(
            kills=rng.choice((0.0, 0.0, 0.002, 0.01, 0.03)),
            meanwhile=rng.choice((0.0, 0.05, 0.2)),
            blips=rng.choice((0.0, 0.0, 0.03, 0.15)),
            outages=rng.random() < 0.6,
            bars=rng.random() < 0.3,
            leaps=rng.random() < 0.4,
            full_disk=rng.random() < 0.3,
            poison=rng.random() < 0.2,
            hooks=rng.choice((0.0, 0.5, 0.9, 1.0)),
            long_days=rng.random() < 0.3,
            replaces_lists=rng.random() < 0.3,
            own_clock=rng.random() < 0.5,
            setting=Setting(
                batch=rng.choice((1, 3, 10, 50)),
                parallel=rng.choice((1, 2, 4)),
                retention=rng.choice((DAY, 30 * DAY)),
                policy=Policy(rng.choice(("stash", "stash", "plex")), rng.choice(("keep", "keep", "stash"))),
            ),
        )


class World:
    """Everything there is, and what the product sees of it. Raises Violation when a promise is broken."""

    def __init__(self, seed: int, folder: Path) -> None:
        self.seed = seed
        self.rng = Random(seed)
        self.nature = self._drawn()
        self.clock = self._clock()
        self.plex = SteadyPlex(self.clock, tag_mode="replace" if self.nature.replaces_lists else "add")
        self.stash = StashSim(api_key=KEY)
        self.stash.stop()
        steady_start = self.clock.wall / 1000 - self.clock.steady
        self.stash.now = (
            (lambda: steady_start + self.clock.steady) if self.nature.own_clock else (lambda: self.clock.wall / 1000)
        )
        # Pictures came later still: half of the seeds have none. Their chance is their own as well.
        self.pictured = self._is_pictured()
        self.setting = replace(self.nature.setting, pictured=self.pictured)
        self.truth = self._truth((*FIELDS, POSTER) if self.pictured else FIELDS)
        self.picture_rng = Random(f"pictures {seed}")
        # What requests for covers, and pictures given to Plex, meet: by the neighbour, until somebody mends it.
        self.spoilt: dict[Neighbour, str] = {}
        self.weather = {who: Weather() for who in Neighbour}
        self.poisoned: set[str] = set()
        self.full = False
        self.at_rest = False
        # Chance of its own, so that seeds that have shown something before disks failed still live the same life.
        self._bad_luck = Random(f"disk {seed}")
        self._failing = self._bad_luck.choice((0.0, 0.0, 0.0, 0.002, 0.02))
        # Two lives of five have only their hooks: nobody polls, compares or asks for everything before they are judged.
        self.hooks_alone = self._has_only_hooks()
        if self.hooks_alone:
            self.nature = replace(self.nature, hooks=1.0)
        self._spool_rng = Random(f"spool {seed}")
        self._spooled = 0
        self._heard = False
        self.told = Told(self)
        # People who take back and use groups came later: half of the seeds have none, and still live the same life.
        self.takes_back = self._takes_back()
        self.depth = 0
        self.tally: Counter[str] = Counter()
        self.history: deque[str] = deque(maxlen=HISTORY)
        self.digest = 0
        self.hired = 0
        self.back_at = 0.0
        self.paused_until = 0.0
        self.idle_until: int | None = None
        self.folder = folder
        self.place = place_of(folder)
        # Chance of its own: where the store is on a server, connections end, and commits are made and not heard of.
        self._lines = Random(f"lines {seed}")
        self._line_ends, self._doubtful = (
            (self._lines.choice((0.0, 0.001, 0.005)), self._lines.choice((0.0, 0.002, 0.02)))
            if isinstance(self.place, PostgresPlace)
            else (0.0, 0.0)
        )
        self._rng_of_ours = SimDice(seed)
        self.process: Process | None = None
        self.people = None
        self.others = None
        self._hire()
        self.open_for_others()

    # What another kind of life has otherwise.

    def _drawn(self) -> Nature:
        return Nature.of(self.rng)

    def _clock(self) -> Clock:
        return Clock()

    def _has_only_hooks(self) -> bool:
        return lives_by_hooks_alone(self.seed)

    def _takes_back(self) -> bool:
        return self.seed % 2 == 0

    def _is_pictured(self) -> bool:
        return self.seed % 8 in (0, 1, 2, 4)

    def _truth(self, fields: tuple[str, ...]) -> Truth:
        return Truth(fields)

    def _wire(self, who: Neighbour, sim: HttpServer) -> SimWire:
        return SimWire(who, sim, self.clock, self.rng, self.weather[who], self, self._fate)

    def _is_indexing(self, asked: Request) -> bool:
        """Whether the request may be part of a walk of the index, which the watcher waits for."""
        return asked.method == "GET" and asked.path.startswith("/library/sections")

    def open_for_others(self) -> None:
        """The connection of other processes to a file."""
        if not isinstance(self.place, SqlitePlace):
            return
        self.others = sqlite3.connect(self.place.path, isolation_level=None, timeout=5)
        self.others.execute("pragma wal_autocheckpoint = 0")
        self.others.execute("pragma synchronous = off")

    def close(self) -> None:
        """Let go of every file."""
        if self.process is not None:
            self.process.kill()
        self._close_others()
        if isinstance(self.place, PostgresPlace):
            self.place.remove()

    def _close_others(self) -> None:
        if self.others is not None:
            self.others.close()

    def tell(self, what: str) -> None:
        """One line of the history; all lines together make the digest by which two runs of a seed are compared."""
        line = f"{self.clock.steady:10.2f} {self.clock.wall % 10_000_000_000:>10} {'  ' * self.depth}{what}"
        self.history.append(line)
        self.digest = (self.digest * 1_000_003 + sum(line.encode())) % (1 << 61)

    def happens(self, chance: float) -> bool:
        """Whether something of that likelihood happens now."""
        return self.rng.random() < chance

    # --- the process -------------------------------------------------------------------------------------------------

    def _hire(self) -> None:
        self.hired += 1
        self.wires = {
            who: self._wire(who, sim) for who, sim in ((Neighbour.PLEX, self.plex), (Neighbour.STASH, self.stash))
        }
        self.process = Process(
            self.place, self, self.wires, self.clock, self._rng_of_ours, self.setting, f"holder {self.hired}"
        )
        self.paused_until = 0.0
        self.idle_until = 0
        self.process.engine.reclaim()
        self.tell(f"process {self.hired} starts")

    def at_work(self, what: str, work) -> object:
        """Let the process do something: it may be killed on the way, or find its disk full."""
        if self.process is None:
            if self.clock.steady < self.back_at:
                return None
            if not self._guarded("start", self._hire):
                self._bury()
                return None
        return self._guarded(what, work)

    def _guarded(self, what: str, work) -> object:
        if self.depth:
            # Inside another part's request: a kill ends both, a full disk only this one.
            try:
                return work() or True
            except LocalFault as fault:
                self.tell(f"{what}: {fault}")
                return None
        try:
            found = work()
        except Killed:
            self.tally["kills"] += 1
            self.tell(f"killed in {what}")
            self._bury()
            return None
        except LocalFault as fault:
            self.tally["full disk" if fault.full else "faults of the disk"] += 1
            self.tell(f"{what}: {fault}")
            self.paused_until = self.clock.steady + 60
            return None
        finally:
            self.depth = 0
        return True if found is None else found

    def _bury(self) -> None:
        if self.process is not None:
            self.process.kill()
        self.process = None
        self.back_at = self.clock.steady + (0 if self.happens(0.6) else self.rng.random() * 300)

    def kill_idle(self) -> None:
        """The machine goes down while nothing is under way."""
        self.tally["kills"] += 1
        self.tell("killed at rest")
        self._bury()

    def replace_database(self, what: str, put: Callable[[StorePlace], None]) -> None:
        """The process ends, something happens to its database, and the next one begins at once."""
        rest, self.at_rest = self.at_rest, True
        if self.process is not None:
            self.process.kill()
            self.process = None
        self._close_others()
        # A process that was killed while it started can have the file open still.
        gc.collect()
        put(self.place)
        self.tally[f"our database: {what}"] += 1
        self.tell(f"our database: {what}")
        self._hire()
        self.open_for_others()
        self.at_rest = rest

    def work(self) -> None:
        """One turn of the worker's loop."""
        if self.clock.steady >= self.paused_until:
            self.at_work("step", self._turn)

    def _turn(self) -> None:
        process = self.process
        process.store.drain_spool(self.clock.now())
        step = process.engine.step()
        self.idle_until = None
        if isinstance(step, Idle):
            self.idle_until = step.until if step.until is not None else self.clock.now() + 60_000
            if pruned := process.engine.prune():
                self.tally["pruned"] += pruned
        self.tell(f"step: {step}")

    def poll(self) -> None:
        """The poller looks."""
        self.at_work("poll", lambda: self.tell(f"poll: {self.process.poller.poll()}"))

    def reconcile(self) -> None:
        """The comparison runs."""
        self.at_work("reconcile", lambda: self.tell(f"reconcile: {self.process.reconciler.try_reconcile()}"))

    # --- what the process meets --------------------------------------------------------------------------------------

    def before_request(self, who: Neighbour, asked: Request) -> None:
        """`sim_wire.Watching`, as for those that follow."""
        self.tally["requests"] += 1
        if self.process is not None and self.process.store.open:
            raise Violation("broken", f"a transaction is open while {told(asked)} is under way")
        self.land_late()
        self._moment(f"before {told(asked)}", watchers=not self._is_indexing(asked))

    def carried_out(self, who: Neighbour, asked: Request, answer: Answer) -> None:
        if asked.method != "GET" and PICTURES.fullmatch(asked.path):
            self.tally["pictures"] += 1
            self.tell(f"Plex: {asked.method} {asked.target[-60:]} -> {answer.status}")
            self.truth.judge_picture(asked)
        elif asked.method == "PUT":
            self.tally["writes"] += 1
            self.tell(f"Plex: {asked.target.partition('?')[2][:300]} -> {answer.status}")
            self.truth.judge_write(asked)

    def before_answer(self, who: Neighbour, asked: Request) -> None:
        if self._heard and who is Neighbour.STASH:
            self.told.hear(map(int, ASKED_FOR.findall(asked.body)), self.truth.seq)
        self._moment(f"after {told(asked)}", watchers=not self._is_indexing(asked))

    def before_begin(self) -> None:
        """`sim_process.Disk`, as for those that follow."""
        self._disk()
        self._moment("before a transaction", watchers=False)

    def before_statement(self, verb: str) -> None:
        if self._has_bad_line(self._line_ends):
            self.tally["lines that ended"] += self.place.end_connections()
            self.tell(f"the connections to the database end before {verb}")
        if self._failing and self.people is not None and not self.at_rest and self._bad_luck.random() < self._failing:
            self.tally["failing disk"] += 1
            self.tell(f"the disk fails before {verb}")
            raise disk_failing()

    def before_commit(self) -> None:
        self._disk()
        self._kill("before a commit")

    def _has_bad_line(self, chance: float) -> bool:
        return bool(chance) and self.people is not None and not self.at_rest and self._lines.random() < chance

    def after_commit(self) -> None:
        if self._has_bad_line(self._doubtful):
            self.tally["commits in doubt"] += 1
            self.tell("a commit is made, and its answer is lost")
            raise LocalFault("the connection to the database was lost during a commit: it may or may not be stored")
        self._moment("after a commit", watchers=False)

    def _disk(self) -> None:
        if self.full and self.happens(0.5):
            raise disk_full()

    def _moment(self, where: str, *, watchers: bool) -> None:
        self._kill(where)
        if self.people is None or self.at_rest or self.depth or not self.happens(self.nature.meanwhile):
            return
        self.depth = 1
        self.people.meanwhile(watchers=watchers)
        self.depth = 0

    def _kill(self, where: str) -> None:
        if self.people is not None and not self.at_rest and self.happens(self.nature.kills):
            self.tell(f"killed {where}")
            raise Killed(where)

    def _fate(self, who: Neighbour, asked: Request) -> str:
        fate = self._met(who, asked)
        self._heard = fate in ("", "slow")
        if not self._heard and (PICTURES.fullmatch(asked.path) or _is_of_picture(asked) or _asks_for_cover(asked)):
            self.truth.note_unpictured(self._shown_by(asked))
            self.tally["pictures unread"] += who is Neighbour.STASH
        return fate

    def _shown_by(self, asked: Request) -> list[str]:
        """The contents that a request about a picture is about."""
        if found := PICTURES.fullmatch(asked.path):
            return [self.truth.items[key].content for key in found[0].split("/") if key in self.truth.items]
        id = json.loads(asked.body)["variables"]["id"] if _asks_for_cover(asked) else int(asked.path.split("/")[2])
        return self.truth.of(self.stash.scene(id)) if id in self.stash.scene_ids() else []

    def _met(self, who: Neighbour, asked: Request) -> str:
        if self.at_rest:
            return ""
        weather = self.weather[who]
        if weather.kind and self.clock.steady < weather.until:
            fate = weather.kind
        elif self._is_poisoned(asked):
            fate = "500"
        elif self.spoilt and (spoilt := self.spoilt.get(who)) and _is_of_picture(asked):
            fate = spoilt
        elif self.happens(self.nature.blips):
            fate = self.rng.choice((*LOST, *DONE))
        else:
            fate = "slow" if self.happens(0.02) else ""
        if fate:
            self.tally[fate] += 1
            self.tell(f"{who} {fate}: {told(asked)}")
        return fate

    def _is_poisoned(self, asked: Request) -> bool:
        return asked.method == "PUT" and asked.params.get("id") in self.poisoned

    def spoil_pictures(self) -> None:
        """Stash can't give covers, or Plex does not take pictures; or no longer so."""
        who = self.picture_rng.choice(list(Neighbour))
        if not self.spoilt.pop(who, ""):
            kinds = ("500", "400", "hangs", "cut", "reset", "foreign page", "garbage")
            self.spoilt[who] = self.picture_rng.choice(kinds if who is Neighbour.STASH else (*kinds[:5], "late"))
            self.tally["spoilt pictures"] += 1
        self.tell(f"pictures: {self.spoilt}")

    def change_weather(self) -> None:
        """An outage begins or ends at one of the two."""
        weather = self.weather[who := self.rng.choice(list(Neighbour))]
        kinds = [*(LOST + DONE if self.nature.outages else ()), *(BARRED if self.nature.bars else ())]
        if not kinds:
            return
        weather.kind = "" if weather.kind and self.happens(0.5) else self.rng.choice(kinds)
        weather.until = self.clock.steady + self.rng.choice((5, 60, 600, 7200)) * self.rng.random()
        self.tell(f"weather of {who}: {weather.kind or 'fine'} for {weather.until - self.clock.steady:.0f} s")

    # --- time --------------------------------------------------------------------------------------------------------

    def pass_time(self, seconds: float) -> None:
        """Time goes by; what was late takes effect."""
        self.clock.move(seconds)
        self.land_late()

    def land_late(self) -> None:
        """Requests that were given up, and reach the other side all the same."""
        for who, weather in self.weather.items():
            for at, asked in [late for late in weather.late if late[0] <= self.clock.steady]:
                weather.late.remove((at, asked))
                self.tell(f"late: {told(asked)}")
                self.wires[who].carry_out(asked)

    def leap(self) -> None:
        """Somebody sets the clock."""
        by = self.rng.choice((-DAY, -3 * HOUR, -90_000, -3000, 3000, 90_000, 3 * HOUR, DAY, 400 * DAY, -400 * DAY))
        self.clock.leap(by / 1000)
        self.tally["leaps"] += 1
        self.tell(f"the clock leaps by {by / 1000:.0f} s")

    # --- other processes ---------------------------------------------------------------------------------------------

    def hook(self, kind: Kind, id: int, why: Why = Why.EDIT) -> str:
        """A hook stores an event: in the database, or in a file when that can't be had; returns the file's path, or ''."""
        shut_out = self.hooks_alone and self._spool_rng.random() < SHUT_OUT
        # The hook knows no database on a server.
        if (self.full and self.happens(0.5)) or shut_out or self.others is None:
            event = json.dumps({"kind": kind, "id": id, "why": why}).encode()
            left = intake.spool(str(self.folder), event, ".json")
            # In the order of their names files are read, so that each life has the same ones.
            self._spooled += 1
            self.tally["spooled"] += 1
            return str(Path(left).rename(Path(left).with_name(f"{self._spooled:06}.json")))
        self.others.execute("begin immediate")
        intake.want(self.others, kind, id, why, self.clock.now())
        self.others.execute("commit")
        return ""

    def rows(self, sql: str, *values: object) -> list[tuple]:
        """What the database says to another process."""
        return self.others.execute(sql, values).fetchall() if self.others else self.place.rows(sql, *values)

    # --- judging -----------------------------------------------------------------------------------------------------

    def judge_books(self) -> None:
        """Raise Violation unless the books balance and no wish is forgotten: at every moment, whatever has just happened."""
        (accepted, coalesced, done, pruned) = self.rows("select accepted, coalesced, done, pruned from books")[0]
        (left,) = self.rows("select count(*) from job where state <> 'idle'")[0]
        gap = accepted - coalesced - done - pruned - left
        if gap:
            raise Violation("lost" if gap > 0 else "doubled", f"the books are out of balance by {gap}")
        if self.hooks_alone:
            self.told.judge()
        if forgotten := self.rows("select kind, id from job where state = 'idle' and wanted_rev > claimed_rev"):
            raise Violation("lost", f"idle, and wanted again since they were claimed: {forgotten}")

    def judge_database(self) -> None:
        """Raise Violation unless the file is sound, and free of secrets."""
        if isinstance(self.place, PostgresPlace):
            if any(secret.encode() in content for content in self.place.content() for secret in SECRETS):
                raise Violation("broken", "the database holds a secret")
        elif (verdict := self.rows("pragma integrity_check")) != [("ok",)]:
            raise Violation("broken", f"the database is damaged: {verdict}")
        for file in self.folder.rglob("*"):
            if file.is_file() and any(secret.encode() in file.read_bytes() for secret in SECRETS):
                raise Violation("broken", f"{file.name} holds a secret")

    def states(self) -> dict[str, int]:
        """How many rows are in each state."""
        return dict(self.rows("select state, count(*) from job group by state order by state"))


class Listener(logging.Handler):
    """Hears every line that the product logs: no secret may be in it, and no fault of our own."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines = 0

    def emit(self, record: logging.LogRecord) -> None:
        self.lines += 1
        line = self.format(record)
        if any(secret in line for secret in SECRETS):
            raise Violation("broken", f"a secret is logged by {record.name}")
        if record.exc_info:
            raise Violation("broken", f"a fault of our own: {line}")


def lives_by_hooks_alone(seed: int) -> bool:
    """Whether a seed's life is one in which nothing but a hook tells of what happens in Stash."""
    return seed % 5 in (3, 4)


def _is_of_picture(asked: Request) -> bool:
    """Whether a cover is asked for, or a picture given."""
    return asked.path.endswith("/screenshot") or (asked.method == "POST" and asked.path.endswith("/posters"))


def _asks_for_cover(asked: Request) -> bool:
    """Whether Stash is asked if a scene has a cover at all."""
    return b"query LacksCover(" in asked.body

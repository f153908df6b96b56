"""Whole jobs, requests included, killed, stopped and told to end at any moment: F4, F19, F20 and F46."""

# A child has ended before the next case begins, so what it closes over stays as it is.
# ruff: noqa: B023

import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from plexsync.app.parts import at_work
from plexsync.app.run import drain
from plexsync.engine.clock import SystemClock
from plexsync.flows.scenes.verbs import want_scenes
from plexsync.rules.queue.job import Kind, Settled, State, Why
from plexsync.rules.servers.errors import LocalFault
from plexsync.store import intake, opening
from plexsync.store.db import MOUNTS
from plexsync.store.queue.jobs import AttemptEnding
from plexsync.store.sqlite import SqliteFile
from tests.patience import HANG
from tests.store_places import environ_of, is_postgres, place_of
from tests.torture import forks
from tests.torture.kill_steps import JOURNALS, MODES, journal_of, mount_table
from tests.torture.neighbours import KEY, TOKEN, Neighbours
from tests.torture.score import NAME, Score, workshop
from validation.config import PlexSyncConfig

ROOT = Path(__file__).resolve().parents[2]
OURS = tuple(
    str(ROOT / "plexsync" / room) for room in ("store", "engine", "flows", "plex", "stash", "http", "rules", "app")
)
POINTS = {"sample": 12, "full": 10_000, "long": 40_000}
# On what kind of file system, which decides on the journal; whether scenes have covers; which share of the points.
SHARES = (("ext4", False, 0.5), ("ext4", True, 0.25), ("nfs4", False, 0.25))
SHARES_OF_SERVER = (("ext4", False, 0.75), ("ext4", True, 0.25))
STOPS = {"sample": 6, "full": 300, "long": 2000}
# How many are told to end at a time, since they mostly wait, and how many scenes each has to do.
SERVES, CROWD = 4, 12
ENDS = {"sample": 2, "full": 200, "long": 1000}
OUT_OF_MEMORY = {"sample": 20, "full": 1000, "long": 10_000}
SCENES = 3
# A hung child is killed after so many seconds, and counts as wrong.
SECONDS = int(HANG)


def config_for(town: dict) -> PlexSyncConfig:
    return PlexSyncConfig(
        plex_url=town["plex"],
        plex_token=TOKEN,
        stash_url=town["stash"],
        stash_api_key=KEY,
        poll_interval=0.1,
        poster=town["poster"],
    )


def a_pass(
    config: PlexSyncConfig, folder: Path, wanted: list[int], ack: Callable[[str], None], mounts: Path = MOUNTS
) -> None:
    """What `plexsync drain` does: want these, then work until nothing is due. For a child, which is ended by an alarm."""
    signal.alarm(SECONDS)
    opening.SqliteFile = partial(SqliteFile, mounts=mounts)  # type: ignore[assignment, misc]
    with at_work(configured(config, folder), folder) as (parts, mine):
        assert mine
        for id in wanted:
            want_scenes(parts.store, [id], Why.USER, SystemClock())
            ack(str(id))
        ran = drain(parts, threading.Event(), lambda _step: None)
        ack(f"ran {dict(ran.outcomes)}")


def configured(config: PlexSyncConfig, folder: Path) -> PlexSyncConfig:
    """The settings, with the store that belongs to this folder."""
    return config.model_copy(update=place_of(folder).settings())


def rush(path: Path) -> None:
    """Nothing waits for the pace of a crash, so that a test needs not wait either."""
    place_of(path.parent).change("update job set due = 0 where state in ('ready', 'absent')")


def rows(path: Path, sql: str) -> list[tuple]:
    return place_of(path.parent).rows(sql)


def present(folder: Path) -> set[int]:
    """The scenes that are wanted or were, by a row or by a file."""
    ids = set()
    if place_of(folder).exists():
        ids = {id for (id,) in rows(folder / NAME, "select id from job where kind = 'scene'")}
    return ids | {id for _, _, id, _ in intake.list_spooled(str(folder), 10_000, 0)}


def still_there(score: Score, case: str, folder: Path, acked: set[int]) -> None:
    """Straight after a fault: what was acknowledged has not to be wanted again; nothing waits for its time any more."""
    if place_of(folder).exists():
        score.law(folder / NAME, f"{case}, after the fault")
    there = present(folder)
    if lost := acked - there:
        score.lose(f"{case}: {sorted(lost)} acknowledged and not there")
    if there:
        rush(folder / NAME)


def in_peace(made: dict, folder: Path, unsaid: list[int], mounts: Path = MOUNTS) -> forks.End:
    """What comes after a fault: what was never acknowledged is wanted again, and worked until nothing is left."""
    for _ in range(4):
        end = forks.run(lambda ack, unsaid=unsaid: a_pass(config_for(made), folder, unsaid, ack, mounts))
        if end.failed or end.killed or not rows(folder / NAME, "select 1 from job where state <> 'idle'"):
            break
        # What crashed a worker waits, and is then taken alone.
        rush(folder / NAME)
        unsaid = []
    return end


def mode_of(kind: str) -> str:
    """How the store keeps what is written, for people."""
    return "PostgreSQL" if is_postgres() else MODES[kind]


def want_all(folder: Path, ids: list[int]) -> None:
    store = place_of(folder).open()
    want_scenes(store, ids, Why.USER, SystemClock())
    store.close()


class Reference:
    """What a run without faults leaves in Plex, by how many writes, and how many lines it takes."""

    def __init__(
        self, town: Neighbours, place: Path, *, scenes: int = SCENES, covers: bool = False, mounts: Path = MOUNTS
    ) -> None:
        made, folder = town.ask("fresh", scenes, covers), Path(tempfile.mkdtemp(dir=place))
        lines = forks.Lines(OURS)

        def act(ack: Callable[[str], None]) -> None:
            a_pass(config_for(made), folder, made["ids"], ack, mounts)
            ack(str(lines.count))

        began = time.monotonic()
        end = forks.run(act, before=lines.watch)
        assert not end.failed and not end.killed, end
        self.seconds = time.monotonic() - began
        self.lines = int(end.acks[-1])
        state = town.ask("state")
        self.shown, self.writes, self.uploads = state["shown"], state["writes"], state["uploads"]
        assert self.writes == scenes, state
        assert self.uploads == (scenes if covers else 0), state
        self.journal = "" if is_postgres() else journal_of(folder / NAME)


# --- F4 --------------------------------------------------------------------------------------------------------------


def kill(size: str, seed: int) -> list[Score]:
    """SIGKILL at a random line of our code or after a random time, up to three times; then a run in peace."""
    scores = []
    with workshop() as place, Neighbours() as town:
        for kind, covers, share in SHARES_OF_SERVER if is_postgres() else SHARES:
            mounts, mode = mount_table(place, kind), f"{mode_of(kind)}{', pictures' if covers else ''}"
            score = Score("F4", f"kill at any point of a whole job, requests included, {mode}", seed)
            reference = Reference(town, place, covers=covers, mounts=mounts)
            assert is_postgres() or reference.journal == JOURNALS[kind]
            _kills(score, round(POINTS[size] * share), town, place / "case", reference, mounts, covers=covers)
            scores.append(score)
    return scores


def _kills(
    score: Score, points: int, town: Neighbours, folder: Path, reference: Reference, mounts: Path, *, covers: bool
) -> None:
    number = 0
    # Some come to their end before they are killed.
    while score.cases < points and number < 2 * points:
        number += 1
        rng = random.Random(score.seed * 1_000_003 + number)
        made, case = town.ask("fresh", SCENES, covers), f"case {number}"
        place_of(folder).wipe()
        acked: set[int] = set()
        # Three crashes of a scene alone would give it up; the first one is never alone.
        for _ in range(rng.choice((1, 2, 3))):
            end = _killed(made, folder, unsaid(made, acked), reference, rng, mounts)
            acked |= said(end)
            if end.failed:
                score.spoil(f"{case}: {end}")
            still_there(score, case, folder, acked)
            if not end.killed:
                # It came to its end before that.
                break
            score.cases += 1
        end = in_peace(made, folder, unsaid(made, acked), mounts)
        _judge(score, case, end, made, folder, town.ask("state"), reference)
    if score.cases < points:
        score.spoil(f"only {score.cases} of {points} were killed")


def said(end: forks.End) -> set[int]:
    """What a child has acknowledged."""
    return {int(word) for word in end.acks if word.isdecimal()}


def unsaid(made: dict, acked: set[int]) -> list[int]:
    """What nobody has acknowledged, so that somebody still has to want it."""
    return [id for id in made["ids"] if id not in acked]


def _killed(
    made: dict, folder: Path, wanted: list[int], reference: Reference, rng: random.Random, mounts: Path
) -> forks.End:
    def act(ack: Callable[[str], None]) -> None:
        a_pass(config_for(made), folder, wanted, ack, mounts)

    if rng.random() < 0.8:
        return forks.run(act, before=forks.Lines(OURS, rng.randrange(1, reference.lines)).watch)
    started = forks.forked(act)
    time.sleep(rng.random() * reference.seconds)
    os.kill(started[0], signal.SIGKILL)
    return forks.ended(started)


def _judge(
    score: Score, case: str, end: forks.End, made: dict, folder: Path, state: dict, reference: Reference
) -> None:
    """All is in step, Plex shows what it shows after a run without faults, and was written to no more often."""
    if end.failed or end.killed:
        score.spoil(f"{case}: the run in peace ended badly: {end}")
        return
    if not score.law(folder / NAME, case):
        return
    states = dict(rows(folder / NAME, "select id, state from job"))
    if lost := set(made["ids"]) - states.keys():
        score.lose(f"{case}: {sorted(lost)} were wanted and are not there")
    if left := {id: state for id, state in states.items() if state != "idle"}:
        score.spoil(f"{case}: not all in step: {left}")
    if state["shown"] != reference.shown:
        score.spoil(f"{case}: Plex shows something else than after a run without faults")
    if state["writes"] > reference.writes:
        score.double(f"{case}: {state['writes']} writes to Plex instead of {reference.writes}")
    if state["uploads"] > reference.uploads:
        score.double(f"{case}: {state['uploads']} pictures sent to Plex instead of {reference.uploads}")


# --- F46 -------------------------------------------------------------------------------------------------------------


def memory(size: str, seed: int) -> list[Score]:
    """MemoryError at any line of the store, in a worker that goes on as well as it can; then a run in peace."""
    score = Score("F46", "out of memory at any line of the store", seed)
    store = (str(ROOT / "plexsync" / "store"),)
    with workshop() as place, Neighbours() as town:
        reference = Reference(town, place)
        total, count = _store_lines(town, place, store), OUT_OF_MEMORY[size]
        for number in range(count):
            # Spread over the whole run, wherever chance begins.
            line = 1 + (number * total // count + seed) % total
            made, folder, case = town.ask("fresh", SCENES), place / "case", f"line {line}"
            place_of(folder).wipe()
            lines = forks.Lines(store, line, _out_of_memory)
            end = forks.run(
                lambda ack: _as_well_as_it_can(config_for(made), folder, made["ids"], ack), before=lines.watch
            )
            acked = said(end)
            if end.killed or (end.failed and "MemoryError" not in "".join(end.acks[-1:])):
                score.spoil(f"{case}: {end}")
            still_there(score, case, folder, acked)
            end = in_peace(made, folder, unsaid(made, acked))
            score.cases += 1
            _judge(score, case, end, made, folder, town.ask("state"), reference)
    return [score]


def _out_of_memory() -> None:
    raise MemoryError


def _store_lines(town: Neighbours, place: Path, store: tuple[str, ...]) -> int:
    made, lines = town.ask("fresh", SCENES), forks.Lines(store)

    def act(ack: Callable[[str], None]) -> None:
        a_pass(config_for(made), place / "lines", made["ids"], ack)
        ack(str(lines.count))

    return int(forks.run(act, before=lines.watch).acks[-1])


def _as_well_as_it_can(config: PlexSyncConfig, folder: Path, ids: list[int], ack: Callable[[str], None]) -> None:
    """A process that goes on after the fault with the same parts, as a loop would."""
    signal.alarm(SECONDS)
    with at_work(configured(config, folder), folder) as (parts, _mine):
        for id in ids:
            try:
                want_scenes(parts.store, [id], Why.USER, SystemClock())
                ack(str(id))
            except MemoryError:
                want_scenes(parts.store, [id], Why.USER, SystemClock())
                ack(str(id))
        try:
            drain(parts, threading.Event(), lambda _step: None)
        except (MemoryError, LocalFault):
            drain(parts, threading.Event(), lambda _step: None)


# --- F20 -------------------------------------------------------------------------------------------------------------


def told_to_end(size: str, seed: int) -> list[Score]:
    """SIGTERM at any time of `plexsync serve`: it ends within ten seconds, and nobody's attempts are more or fewer."""
    score = Score("F20", "SIGTERM at a random time of serve: gone within 10 s, attempts as before", seed)
    released = 0
    with workshop() as place, ExitStack() as stack:
        towns = [stack.enter_context(Neighbours()) for _ in range(min(SERVES, ENDS[size]))]
        reference = Reference(towns[0], place, scenes=CROWD)
        for first in range(0, ENDS[size], len(towns)):
            crowd = [Told(town, place / f"case {first + n}", seed, first + n) for n, town in enumerate(towns)]
            end_all(crowd)
            for told in crowd:
                score.cases += 1
                released += told.judge(score, reference)
                place_of(told.folder).wipe()
    score.what += f" ({released} rows went back)"
    return [score]


class Told:
    """One `plexsync serve` that is told to end, with a queue in which rows have used up to three attempts."""

    def __init__(self, town: Neighbours, folder: Path, seed: int, number: int) -> None:
        self.folder = folder
        self.spent = 0.0
        self._town = town
        self._case = f"case {number}"
        self._rng = random.Random(seed * 1_000_003 + number)
        self._made = town.ask("fresh", CROWD)
        town.ask("slow", self._rng.choice((0.05, 0.3, 30.0)))
        self._used = {id: n % 4 for n, id in enumerate(self._made["ids"])}
        with_attempts(folder / NAME, self._used)
        self._process = serving(self._made, folder)
        self._latest = time.monotonic() + HANG
        self._at = 0.0
        self._is_told = False

    def look(self) -> bool:
        """Tell it when it is time; True while it is running."""
        now = time.monotonic()
        if self._process.poll() is not None:
            self.spent = now - self._at
            return False
        # From the moment it can be told, that is.
        if not self._at and beats(self.folder):
            self._at = now + self._rng.random() * 1.5
        if self._at and now >= self._at and not self._is_told:
            self._is_told, self._at = True, now
            self._process.send_signal(signal.SIGTERM)
        if now > (self._at + HANG if self._is_told else self._latest):
            self._process.kill()
        return True

    def judge(self, score: Score, reference: Reference) -> int:
        """What it left, and whether the rest gets done; returns how many rows it had not done."""
        case, code = self._case, self._process.returncode
        if not self._is_told or code != 0:
            score.spoil(f"{case}: exit {code} after {self.spent:.1f} s")
        score.law(self.folder / NAME, case)
        found = {
            id: row for id, *row in rows(self.folder / NAME, "select id, state, attempts, cls, wanted_rev from job")
        }
        if lost := self._used.keys() - found.keys():
            score.lose(f"{case}: {sorted(lost)} are missing")
        back = {id: row for id, row in found.items() if row[0] != "idle"}
        # What a poll has wanted anew meanwhile begins with no attempts.
        used = {id: self._used.get(id, 0) if row[3] == 1 else 0 for id, row in back.items()}
        wrong = {id: row for id, row in back.items() if row[0] == "dead" or row[1] != used[id]}
        if wrong:
            score.spoil(f"{case}: attempts were used or forgotten: {wrong}")
        self._town.ask("slow", 0.0)
        # What was under way is let in now.
        time.sleep(0.3)
        end = in_peace(self._made, self.folder, [])
        _judge(score, f"{case}, at the end", end, self._made, self.folder, self._town.ask("state"), reference)
        return len(back)


def with_attempts(path: Path, used: dict[int, int]) -> None:
    """These scenes are wanted and due, and so many attempts of each have failed."""
    store, now = place_of(path.parent).open(), SystemClock().now()
    with store.writing() as tx:
        for id in used:
            tx.jobs.want(Kind.SCENE, id, Why.USER, now)
    with store.writing() as tx:
        for job in tx.jobs.claim(len(used), now=now, lease_ms=60_000, holder="before"):
            failed = used[job.id]
            after = Settled(State.READY, failed, failed, 0, now, "Plex answered 500", "unavailable")
            tx.jobs.settle([AttemptEnding(job, after, 0, 0)], now=now)
    store.close()


def end_all(crowd: list[Told]) -> None:
    """Each at its time."""
    while crowd := [told for told in crowd if told.look()]:
        time.sleep(0.01)


def environ_for(made: dict, folder: Path) -> dict[str, str]:
    given = {"plex_url": made["plex"], "plex_token": TOKEN, "stash_url": made["stash"], "stash_api_key": KEY}
    named = {f"PLEXSYNC_{name.upper()}": value for name, value in given.items()}
    return (
        {"PATH": os.environ["PATH"], "HOME": str(folder.parent), "PYTHONDONTWRITEBYTECODE": "1"}
        | named
        | environ_of(place_of(folder))
        | {
            "PLEXSYNC_DATA_DIR": str(folder),
            "PLEXSYNC_WEB_BIND": "none",
            "PLEXSYNC_POLL_INTERVAL": "0.1",
            "PLEXSYNC_APPROVE_BULK": "true",
        }
    )


def serving(made: dict, folder: Path, module: tuple[str, ...] = ("plexsync",), **streams: object) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", *module, "serve"],
        cwd=ROOT,
        **{"env": environ_for(made, folder), "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, **streams},
    )


def wait_for_heartbeat(folder: Path, process: subprocess.Popen) -> None:
    end = time.monotonic() + HANG
    while time.monotonic() < end and process.poll() is None:
        if beats(folder):
            return
        time.sleep(0.02)


def beats(folder: Path) -> bool:
    """Whether a worker has told that it is there."""
    return bool(rows(folder / NAME, "select 1 from note where name = 'worker:beat'"))

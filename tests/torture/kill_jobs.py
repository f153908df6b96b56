"""Whole jobs, requests included, killed, stopped and told to end at any moment: F4, F19, F20 and F46."""

# A child has ended before the next case begins, so what it closes over stays as it is.
# ruff: noqa: B023

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import wiring
from store.database import Database
from sync.errors import LocalFault
from sync.job import Kind, Why
from tests.torture import forks
from tests.torture.neighbours import KEY, TOKEN, Neighbours
from tests.torture.score import NAME, Score, workshop
from validation.config import PlexSyncConfig
from worker.clock import SystemClock
from worker.verbs import want_scenes

ROOT = Path(__file__).resolve().parents[2]
OURS = tuple(str(ROOT / room) for room in ("store", "worker", "plex", "stash", "wire", "sync", "wiring.py"))
POINTS = {"sample": 20, "full": 2500, "long": 20_000}
STOPS = {"sample": 6, "full": 300, "long": 2000}
ENDS = {"sample": 2, "full": 200, "long": 1000}
OUT_OF_MEMORY = {"sample": 20, "full": 1000, "long": 10_000}
SCENES = 3
# A hung child is killed after so many seconds, and counts as wrong.
SECONDS = 60


def config_for(town: dict) -> PlexSyncConfig:
    return PlexSyncConfig(
        plex_url=town["plex"], plex_token=TOKEN, stash_url=town["stash"], stash_api_key=KEY, poll_interval=0.1
    )


def a_pass(config: PlexSyncConfig, folder: Path, wanted: list[int], ack: Callable[[str], None]) -> None:
    """What `plexsync drain` does: want these, then work until nothing is due."""
    signal.alarm(SECONDS)
    with wiring.at_work(config, folder) as (parts, mine):
        assert mine
        for id in wanted:
            want_scenes(parts.store, [id], Why.USER, SystemClock())
            ack(str(id))
        ran = wiring.drain(parts, threading.Event(), lambda _step: None)
        ack(f"ran {dict(ran.outcomes)}")


def rush(path: Path) -> None:
    """Nothing waits for the pace of a crash, so that a test needs not wait either."""
    db = sqlite3.connect(path, timeout=10)
    with db:
        db.execute("update job set due = 0 where state in ('ready', 'absent')")
    db.close()


def rows(path: Path, sql: str) -> list[tuple]:
    db = sqlite3.connect(path, timeout=10)
    try:
        return db.execute(sql).fetchall()
    finally:
        db.close()


def in_peace(made: dict, folder: Path) -> forks.End:
    """What comes after a fault: everything is wanted (again), and worked until nothing is left."""
    forks.run(lambda ack: want_all(folder, made["ids"]))
    for _ in range(4):
        # What crashed a worker waits, and is then taken alone.
        rush(folder / NAME)
        end = forks.run(lambda ack: a_pass(config_for(made), folder, [], ack))
        if end.failed or end.killed or not rows(folder / NAME, "select 1 from job where state <> 'idle'"):
            break
    return end


def want_all(folder: Path, ids: list[int]) -> None:
    store = Database(folder / NAME)
    want_scenes(store, ids, Why.USER, SystemClock())
    store.close()


class Reference:
    """What a run without faults leaves in Plex, and how many lines it takes."""

    def __init__(self, town: Neighbours, place: Path) -> None:
        made = town.ask("fresh", SCENES)
        lines = forks.Lines(OURS)

        def act(ack: Callable[[str], None]) -> None:
            a_pass(config_for(made), place / "reference", made["ids"], ack)
            ack(str(lines.count))

        began = time.monotonic()
        end = forks.run(act, before=lines.watch)
        assert not end.failed and not end.killed, end
        self.seconds = time.monotonic() - began
        self.lines = int(end.acks[-1])
        self.shown = town.ask("state")["shown"]


# --- F4 --------------------------------------------------------------------------------------------------------------


def kill(size: str, seed: int) -> list[Score]:
    """SIGKILL at a random line of our code or after a random time; then a run in peace."""
    score = Score("F4", "kill at any point of a whole job, requests included", seed)
    with workshop() as place, Neighbours() as town:
        reference = Reference(town, place)
        for case in range(POINTS[size]):
            dice = random.Random(seed * 1_000_003 + case)
            made, folder = town.ask("fresh", SCENES), place / "case"
            shutil.rmtree(folder, ignore_errors=True)
            acked: set[int] = set()
            for _ in range(dice.choice((1, 1, 2))):
                acked |= _killed(made, folder, reference, dice)
                if (folder / NAME).exists():
                    score.law(folder / NAME, f"case {case}, after the kill")
                    if _tables(folder / NAME):
                        rush(folder / NAME)
            end = in_peace(made, folder)
            score.cases += 1
            _judge(score, f"case {case}", end, folder, acked, town.ask("state")["shown"], reference.shown)
    return [score]


def _tables(path: Path) -> bool:
    return bool(rows(path, "select 1 from sqlite_master where name = 'job'"))


def _killed(made: dict, folder: Path, reference: Reference, dice: random.Random) -> set[int]:
    config = config_for(made)
    if dice.random() < 0.8:
        watch = forks.Lines(OURS, dice.randrange(1, reference.lines)).watch
        end = forks.run(lambda ack: a_pass(config, folder, made["ids"], ack), before=watch)
    else:
        started = forks.forked(lambda ack: a_pass(config, folder, made["ids"], ack))
        time.sleep(dice.random() * reference.seconds)
        os.kill(started[0], signal.SIGKILL)
        end = forks.ended(started)
    return {int(word) for word in end.acks if word.isdecimal()}


def _judge(score: Score, case: str, end: forks.End, folder: Path, acked: set[int], shown: dict, wanted: dict) -> None:
    if end.failed or end.killed:
        score.spoil(f"{case}: the run in peace ended badly: {end}")
        return
    if not score.law(folder / NAME, case):
        return
    states = rows(folder / NAME, "select id, state from job")
    if lost := acked - {id for id, _ in states}:
        score.lose(f"{case}: {lost} acknowledged and not there")
    if any(state != "idle" for _, state in states):
        score.spoil(f"{case}: not all in step: {states}")
    if shown != wanted:
        score.spoil(f"{case}: Plex shows something else than after a run without faults")


# --- F46 -------------------------------------------------------------------------------------------------------------


def memory(size: str, seed: int) -> list[Score]:
    """MemoryError at any line of the store, in a worker that goes on as well as it can; then a run in peace."""
    score = Score("F46", "out of memory at any line of the store", seed)
    store = (str(ROOT / "store"),)
    with workshop() as place, Neighbours() as town:
        reference = Reference(town, place)
        total = _store_lines(town, place, store)
        for case in range(OUT_OF_MEMORY[size]):
            dice = random.Random(seed * 1_000_003 + case)
            made, folder = town.ask("fresh", SCENES), place / "case"
            shutil.rmtree(folder, ignore_errors=True)
            lines = forks.Lines(store, dice.randrange(1, total), _out_of_memory)
            end = forks.run(
                lambda ack: _as_well_as_it_can(config_for(made), folder, made["ids"], ack), before=lines.watch
            )
            acked = {int(word) for word in end.acks if word.isdecimal()}
            if end.killed or (end.failed and "MemoryError" not in end.acks[-1]):
                score.spoil(f"case {case}: {end}")
            if (folder / NAME).exists() and _tables(folder / NAME):
                score.law(folder / NAME, f"case {case}, after the fault")
                rush(folder / NAME)
            end = in_peace(made, folder)
            score.cases += 1
            _judge(score, f"case {case}", end, folder, acked, town.ask("state")["shown"], reference.shown)
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
    with wiring.at_work(config, folder) as (parts, _mine):
        for id in ids:
            try:
                want_scenes(parts.store, [id], Why.USER, SystemClock())
                ack(str(id))
            except MemoryError:
                want_scenes(parts.store, [id], Why.USER, SystemClock())
                ack(str(id))
        try:
            wiring.drain(parts, threading.Event(), lambda _step: None)
        except (MemoryError, LocalFault):
            wiring.drain(parts, threading.Event(), lambda _step: None)


# --- F20 -------------------------------------------------------------------------------------------------------------


def told_to_end(size: str, seed: int) -> list[Score]:
    """SIGTERM at any time of `plexsync serve`: it ends within ten seconds, and uses up nobody's attempts."""
    score = Score("F20", "SIGTERM at a random time of serve: gone within 10 s, no attempt used", seed)
    with workshop() as place, Neighbours() as town:
        for case in range(ENDS[size]):
            dice = random.Random(seed * 1_000_003 + case)
            made, folder = town.ask("fresh", 12), place / "case"
            shutil.rmtree(folder, ignore_errors=True)
            town.ask("slow", dice.choice((0.05, 0.3, 30.0)))
            store = Database(folder / NAME)
            with store.writing() as tx:
                for id in made["ids"]:
                    tx.want(Kind.SCENE, id, Why.USER, SystemClock().now())
            store.close()
            process = serving(made, folder)
            # From the moment it can be told, that is.
            wait_for_heartbeat(folder, process)
            time.sleep(dice.random() * 1.5)
            began = time.monotonic()
            process.send_signal(signal.SIGTERM)
            try:
                code = process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                process.kill()
                code = process.wait()
            spent = time.monotonic() - began
            score.cases += 1
            if spent > 10 or code != 0:
                score.spoil(f"case {case}: exit {code} after {spent:.1f} s")
            score.law(folder / NAME, f"case {case}")
            used = rows(folder / NAME, "select id, attempts, state, cls from job where attempts > 0 or state = 'dead'")
            if used:
                score.spoil(f"case {case}: attempts were used: {used}")
            if len(rows(folder / NAME, "select id from job")) != 12:
                score.lose(f"case {case}: rows are missing")
            _rest_is_done(score, f"case {case}", made, folder, town)
    return [score]


def environ_for(made: dict, folder: Path) -> dict[str, str]:
    given = {"plex_url": made["plex"], "plex_token": TOKEN, "stash_url": made["stash"], "stash_api_key": KEY}
    named = {f"PLEXSYNC_{name.upper()}": value for name, value in given.items()}
    return (
        {"PATH": os.environ["PATH"], "HOME": str(folder.parent), "PYTHONDONTWRITEBYTECODE": "1"}
        | named
        | {
            "PLEXSYNC_DATA_DIR": str(folder),
            "PLEXSYNC_POLL_INTERVAL": "0.1",
        }
    )


def serving(made: dict, folder: Path, **streams: object) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "cli", "serve"],
        cwd=ROOT,
        env=environ_for(made, folder),
        **{"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, **streams},
    )


def wait_for_heartbeat(folder: Path, process: subprocess.Popen) -> None:
    end = time.monotonic() + 30
    while time.monotonic() < end and process.poll() is None:
        if rows(folder / NAME, "select 1 from note where name = 'worker:beat'"):
            return
        time.sleep(0.02)


def _rest_is_done(score: Score, case: str, made: dict, folder: Path, town: Neighbours) -> None:
    town.ask("slow", 0.0)
    end = in_peace(made, folder)
    left = rows(folder / NAME, "select id, state, error from job where state <> 'idle'")
    if end.failed or end.killed or left:
        score.spoil(f"{case}: the rest was not done: {end} {left}")
    score.law(folder / NAME, f"{case}, at the end")

"""The log is lost after it was relied on, or an older copy is back: F11. SQLite then shows an older state without a word.

One comparison mends it, also where Stash says again what it said then, or has dropped a tag that was pushed since.
"""

# A child has ended before the next case begins, so what it closes over stays as it is.
# ruff: noqa: B023

import os
import random
import shutil
import signal
import threading
from collections.abc import Callable
from pathlib import Path

from plexsync.app.parts import at_work
from plexsync.app.run import drain
from plexsync.engine.clock import SystemClock
from plexsync.flows.scenes.verbs import want_scenes
from plexsync.rules.queue.job import Why
from tests.torture import forks
from tests.torture.kill_jobs import OURS, SECONDS, a_pass, config_for, rows, rush
from tests.torture.neighbours import Neighbours
from tests.torture.score import NAME, Score, workshop
from validation.config import PlexSyncConfig

CASES = {"sample": 6, "full": 100, "long": 2000}
SCENES = 8
COPY = "copy.db"
# About as many lines of ours run while a few scenes are worked.
LINES = 12_000


def compared(size: str, seed: int) -> list[Score]:
    """Edits are wanted (and worked) by a process that is killed, its log goes; one comparison wants all that differs."""
    score = Score(
        "F11", "log lost or an older copy back: one comparison wants all that differs, also edits there and back", seed
    )
    drifted = reverted = 0
    with workshop() as place, Neighbours() as town:
        for case in range(CASES[size]):
            rng = random.Random(seed * 1_000_003 + case)
            made, folder = town.ask("fresh", SCENES), place / "case"
            config = config_for(made)
            shutil.rmtree(folder, ignore_errors=True)
            # In step, and all of it in the database's own file: the worker that closes it copies the log back.
            forks.run(lambda ack: a_pass(config, folder, made["ids"], ack))
            shutil.copy(folder / NAME, folder / COPY)
            edited = rng.sample(made["ids"], rng.randint(1, SCENES))
            for id in edited:
                town.ask("edit", id, f"Newer {id}", ["Kept", "Later"])
            _killed(config, folder, edited, rng, works=bool(case % 2))
            back = rng.sample(edited, rng.randint(1, len(edited)))
            for id in back:
                town.ask("edit", id, f"Title {made['ids'].index(id)}", ["Kept"])
            reverted += sum(_shown(town, id) for id in back)
            name, lose = rng.choice(list(LOSSES.items()))
            lose(folder, rng)
            told = f"case {case}, {name}"
            score.cases += 1
            if not score.law(folder / NAME, told):
                continue
            drift = {id for id in edited if _shown(town, id) == (id in back)}
            drifted += len(drift - _waiting(folder))
            end = forks.run(lambda ack: _compare(config, folder, ack))
            if end.failed or end.killed:
                score.spoil(f"{told}: the comparison failed: {end}")
                continue
            if lost := drift - _waiting(folder):
                score.lose(f"{told}: {sorted(lost)} of {sorted(drift)} differ, and the comparison did not want them")
            _judge(score, told, config, folder, town, made["ids"], edited, back)
    score.what += f" ({drifted} scenes)"
    if not drifted or not reverted:
        score.spoil("no want or no push was ever lost: this harness proves nothing")
    return [score]


def _killed(config: PlexSyncConfig, folder: Path, ids: list[int], rng: random.Random, *, works: bool) -> None:
    """A worker that dies without closing: after its work, or else after its wants or at any line in between."""
    how = "works" if works else rng.choice(("wants", "line"))
    before = forks.Lines(OURS, rng.randrange(1, LINES)).watch if how == "line" else _nothing
    forks.run(lambda ack: _want_and_die(config, folder, ids, ack, works=how != "wants"), before=before)


def _nothing() -> None:
    pass


def _want_and_die(
    config: PlexSyncConfig, folder: Path, ids: list[int], ack: Callable[[str], None], *, works: bool
) -> None:
    signal.alarm(SECONDS)
    with at_work(config, folder) as (parts, _mine):
        for id in ids:
            want_scenes(parts.store, [id], Why.USER, SystemClock())
            ack(str(id))
        if works:
            rush(folder / NAME)
            drain(parts, threading.Event(), lambda _step: None)
        os.kill(os.getpid(), signal.SIGKILL)


def _compare(config: PlexSyncConfig, folder: Path, ack: Callable[[str], None]) -> None:
    signal.alarm(SECONDS)
    with at_work(config, folder) as (parts, _mine):
        ack(str(parts.reconciler.reconcile()))


def _waiting(folder: Path) -> set[int]:
    return {id for (id,) in rows(folder / NAME, "select id from job where state in ('ready', 'running')")}


def _shown(town: Neighbours, id: int) -> bool:
    return f"Newer {id}" in {scalars.get("title") for scalars, *_ in town.ask("state")["shown"].values()}


def _judge(
    score: Score,
    case: str,
    config: PlexSyncConfig,
    folder: Path,
    town: Neighbours,
    ids: list[int],
    edited: list[int],
    back: list[int],
) -> None:
    rush(folder / NAME)
    end = forks.run(lambda ack: a_pass(config, folder, [], ack))
    if end.failed or end.killed:
        score.spoil(f"{case}: the run in peace ended badly: {end}")
        return
    score.law(folder / NAME, case)
    if left := rows(folder / NAME, "select id, state, error from job where state <> 'idle'"):
        score.spoil(f"{case}: not all in step: {left}")
    shown = sorted((str(scalars.get("title")), "Later" in tags) for scalars, tags in _titles_and_tags(town))
    newer = set(edited) - set(back)
    wanted = sorted((f"Newer {id}" if id in newer else f"Title {n}", id in newer) for n, id in enumerate(ids))
    if shown != wanted:
        score.spoil(f"{case}: Plex shows {shown}")


def _titles_and_tags(town: Neighbours) -> list[tuple[dict[str, str], list[str]]]:
    return [(scalars, lists["genre"]) for scalars, lists, *_ in town.ask("state")["shown"].values()]


# --- what is lost ----------------------------------------------------------------------------------------------------


def _log_gone(folder: Path, rng: random.Random) -> None:
    (folder / f"{NAME}-wal").unlink(missing_ok=True)


def _sides_gone(folder: Path, rng: random.Random) -> None:
    for end in ("-wal", "-shm"):
        (folder / f"{NAME}{end}").unlink(missing_ok=True)


def _log_cut(folder: Path, rng: random.Random) -> None:
    path = folder / f"{NAME}-wal"
    if path.exists() and path.stat().st_size:
        os.truncate(path, rng.randrange(path.stat().st_size))


def _older_copy(folder: Path, rng: random.Random) -> None:
    _sides_gone(folder, rng)
    shutil.copy(folder / COPY, folder / NAME)


LOSSES: dict[str, Callable[[Path, random.Random], None]] = {
    "log deleted": _log_gone,
    "log and its index deleted": _sides_gone,
    "log cut off": _log_cut,
    "older copy": _older_copy,
}

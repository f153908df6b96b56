"""SIGKILL between any two calls to the system that change the disk, in everything that the store does: F1, F2, F3, F13.

SQLite tells of no step while it commits, so `kill_steps` never stops a commit half way: here strace does, before each
write, sync, cut, renaming and removal, of the deeds in a child and of the hook as Stash starts it. With a log, once more
while another process has the database open: then the log's index in shared memory outlives who was killed.
"""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

from plexsync.store import intake
from tests.patience import HANG
from tests.torture import forks
from tests.torture.forks import Call
from tests.torture.kill_steps import BUT, DEEDS, MODES, NOW, HookEnqueue, Tried, mount_table
from tests.torture.power import MISSING, ROOT, there
from tests.torture.score import Score, workshop

# Some machines have no call of the names that begin with a question mark.
CALLS = "pwrite64,fdatasync,fsync,ftruncate,write,unlinkat,?unlink,?rename,?renameat,renameat2"
EVERY = {"sample": 9, "full": 1, "long": 1}
REPEATS = {"sample": 1, "full": 1, "long": 20}
HOOKS = {"sample": 4, "full": 1, "long": 1}
# What a hook stamps by the clock on the wall.
TIMES = ("tick", "due", "since", "stirred", "first_unserved")
SCENE = 99
# strace ends as what it traced did.
KILLED = (-9, 128 + 9)


def kill(size: str, seed: int) -> list[Score]:
    """All deeds, and the hook as a process, in both journal modes; the hook also where only a file can be left."""
    return [Score(**one) for one in forks.apart("tests.torture.kill_commits", size, seed)]


def all_kills(size: str, seed: int) -> list[Score]:
    """What `kill` does, in this process."""
    if not there():
        return [Score("F1-F3", "kill at every call to the disk", seed, left_out=MISSING)]
    scores = []
    with workshop() as place:
        for kind, mode in MODES.items():
            table = mount_table(place, kind)
            for deed in DEEDS:
                tried = Tried(deed(), place / f"{kind}-{deed.__name__}", kind, table)
                score = Score(deed.fault, f"kill at every call to the disk: {deed.name}, {mode}", seed)
                scores.append(score)
                _deed(tried, size, place, score)
                if kind == "ext4" and deed.fault != "F13":
                    score = Score(deed.fault, f"kill at every call to the disk: {deed.name}, {mode}, in company", seed)
                    scores.append(score)
                    _deed(tried, size, place, score, among=company)
            score = Score("F1", f"kill at every call to the disk: the hook's process, {mode}", seed)
            scores.append(score)
            _hook(Tried(HookProcess(), place / f"{kind}-process", kind, table), size, place, score)
        score = Score("F1", "kill at every call to the disk: the hook's process, into a file", seed)
        scores.append(score)
        _spooling(place / "spooling", size, score)
    return scores


def _some(calls: list[Call], every: int, repeats: int, score: Score) -> list[Call]:
    """All of them, or some, spread evenly from where chance begins."""
    score.what += f" ({len(calls)} calls)"
    return calls[score.seed % min(every, len(calls)) :: every] * repeats


# --- deeds -----------------------------------------------------------------------------------------------------------


def _deed(
    tried: Tried, size: str, place: Path, score: Score, among: Callable[[Path], AbstractContextManager] = nullcontext
) -> None:
    log = place / "calls.log"
    try:
        with among(tried.fresh()):
            whole = forks.traced(tried.act, CALLS, log=log)
    except PermissionError as error:
        score.left_out = f"left out: {error}"
        return
    assert "done" in whole.acks and not whole.failed, whole
    tried.judge(whole.acks, score, f"{tried.deed.name}, undisturbed")
    for call in _some(forks.calls_in(log), EVERY[size], REPEATS[size], score):
        case = f"{tried.deed.name}, {call}"
        with among(tried.fresh()):
            end = forks.traced(tried.act, CALLS, at=call)
            score.cases += 1
            if end.killed:
                tried.judge(end.acks, score, case)
            else:
                score.spoil(f"{case}: it was not killed: {end}")


@contextmanager
def company(path: Path) -> Iterator[None]:
    """Another process has the database open."""
    end, stay = os.pipe()

    def beside(ack: Callable[[str], None]) -> None:
        os.close(stay)
        db = sqlite3.connect(path)
        db.execute("select count(*) from job").fetchone()
        ack("here")
        os.read(end, 1)

    child = forks.forked(beside)
    os.close(end)
    try:
        assert os.read(child[1], len("here\n")) == b"here\n"
        yield
    finally:
        os.close(stay)
        forks.ended(child)


# --- the hook's process ----------------------------------------------------------------------------------------------


class HookProcess(HookEnqueue):
    """The same want by the real hook, which reads the real clock."""

    but = (*BUT, *TIMES)


def _hook(tried: Tried, size: str, place: Path, score: Score) -> None:
    """It is judged by the answer: once it has given one, the want is there."""
    log = place / "calls.log"
    calls = _counted(tried.fresh().parent, log)
    tried.judge(("done",), score, "hook, undisturbed")
    for call in _some(calls, HOOKS[size], REPEATS[size], score):
        answer = _hooked(tried.fresh().parent, call.kill)
        case = f"hook, {call}"
        score.cases += 1
        if answer.returncode not in KILLED:
            score.spoil(f"{case}: it was not killed: {answer}")
            continue
        tried.judge(("done",) if answer.stdout else (), score, case)


def _spooling(folder: Path, size: str, score: Score) -> None:
    """Without a database, it leaves a file, which is whole as soon as it has its name."""
    calls = _counted(_empty(folder), folder.parent / "calls.log")
    assert _left(folder) == [SCENE]
    for call in _some(calls, HOOKS[size], REPEATS[size], score):
        answer = _hooked(_empty(folder), call.kill)
        case = f"hook, {call}"
        score.cases += 1
        if answer.returncode not in KILLED:
            score.spoil(f"{case}: it was not killed: {answer}")
        left = _left(folder)
        if answer.stdout and left != [SCENE]:
            score.lose(f"{case}: it answered {answer.stdout!r}, and left are {left}")
        elif left not in ([], [SCENE]) or any((folder / intake.SPOOL / intake.UNREAD).glob("*")):
            score.spoil(f"{case}: it left {left}, or what can't be read")


def _empty(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    return folder


def _left(folder: Path) -> list[int]:
    return [id for _, _, id, _ in intake.list_spooled(str(folder), 100, NOW)]


def _counted(folder: Path, log: Path) -> list[Call]:
    """Let the hook run undisturbed; returns the calls it makes."""
    done = _hooked(folder, [], log)
    assert done.returncode == 0 and "output" in json.loads(done.stdout), done
    return forks.calls_in(log)


def _hooked(folder: Path, more: list[str], log: Path | str = "/dev/null") -> subprocess.CompletedProcess:
    """Start the hook as Stash does, for the database in this folder."""
    event = {
        "server_connection": {"Dir": str(folder)},
        "args": {"hookContext": {"type": "Scene.Update.Post", "id": SCENE, "input": {}}},
    }
    words = ["strace", "-f", "-qq", "-e", f"trace={CALLS}", "-e", "signal=none", "-o", str(log), *more]
    return subprocess.run(
        [*words, sys.executable, str(ROOT / "plexsync" / "stash_plugin" / "hook.py")],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1", "PLEXSYNC_DATA_DIR": str(folder)},
        input=json.dumps(event).encode(),
        capture_output=True,
        timeout=HANG,
        check=False,
    )


if __name__ == "__main__":
    print(json.dumps([score.plain() for score in all_kills(sys.argv[1], int(sys.argv[2]))]))

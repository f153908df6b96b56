"""Where the database can't be written, is busy, or lies on a share, and where nobody listens: F8, F9, F12 and F45."""

# A child has ended before the next case begins, so what it closes over stays as it is.
# ruff: noqa: B023

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from plexsync.cli.main import run as run_command
from plexsync.engine.clock import SystemClock
from plexsync.rules.queue.job import Kind, Why
from plexsync.store import intake
from plexsync.store.database import Database
from plexsync.store.db import BUSY_SECONDS, CHECKPOINT_PAGES, connect
from tests.patience import HANG
from tests.torture import forks
from tests.torture.damage import filled
from tests.torture.kill_jobs import ROOT, environ_for, rows, serving, wait_for_heartbeat
from tests.torture.kill_steps import mount_table
from tests.torture.neighbours import Neighbours
from tests.torture.score import NAME, Score, workshop

# The user whom nobody is.
NOBODY = 65534
WRITERS = {"sample": (4, 40), "full": (20, 500), "long": (20, 2000)}
HELD = {
    "sample": (0.0, 0.4, 1.4),
    "full": (0.0, 0.3, 0.9, 1.1, 2.0, 5.0, 10.0, 20.0, 28.0),
    "long": (0.0, 0.3, 0.9, 1.1, 2.0, 5.0, 10.0, 20.0, 28.0),
}
# The lock under `serve`, also longer than a store waits: so many seconds.
HELD_FROM_SERVE = {"sample": (1.5,), "full": (5.0, 60.0), "long": (1.5, 5.0, 40.0, 60.0, 150.0)}
WORDS = {
    "status": ["status"],
    "dlq": ["dlq", "list"],
    "drain": ["drain"],
    "sync": ["sync", "7"],
}
COMMANDS = tuple(WORDS)
LOOKING = ("status", "dlq")
# Others may not be allowed to start, or to read, this interpreter: it starts, and then becomes another's.
AS_NOBODY = """
import json, os, pkgutil, re, runpy, select, sqlite3, sys, time
if os.geteuid() == 0:
    os.setgroups([])
    os.setuid(int(sys.argv[1]))
runpy.run_path("plexsync/stash_plugin/hook.py", run_name="__main__")
"""


# --- F8 --------------------------------------------------------------------------------------------------------------


def unwritable(size: str, seed: int) -> list[Score]:
    """Twelve places that can't be used, by a user who is not root: the hook says so, commands end with 2."""
    score = Score("F8", "read-only, wrong owner, no folder, a file in its place", seed)
    warm()
    program = _program()
    for name, spoil in PLACES.items():
        place = Path(tempfile.mkdtemp(prefix="torture-"))
        place.chmod(0o755)
        try:
            folder = place / "home" / "plexsync"
            filled(folder, log=False, rows=20)
            for path in (folder.parent, folder, *folder.iterdir()):
                os.chown(path, _nobody(), -1)
            spoil(folder)
            _tried(score, name, folder, program)
        finally:
            subprocess.run(["chmod", "-R", "u+rwX", str(place)], check=False)
            shutil.rmtree(place, ignore_errors=True)
    shutil.rmtree(program)
    return [score]


def _program() -> Path:
    """What a hook needs, where everyone may read it."""
    place = Path(tempfile.mkdtemp(prefix="torture-"))
    for name in (
        "plexsync/__init__.py",
        "plexsync/stash_plugin/hook.py",
        "plexsync/store/__init__.py",
        "plexsync/store/intake.py",
    ):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, place / name)
    subprocess.run(["chmod", "-R", "a+rX", str(place)], check=True)
    return place


def warm() -> None:
    """Import all that the commands import when they run: somebody else may not read our files."""
    with workshop() as place:
        (place / "data").mkdir(mode=0o700)
        before, out, err = dict(os.environ), os.dup(1), os.dup(2)
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.dup2(null, 2)
        try:
            for command in COMMANDS:
                _set_environ(place / "data")
                # And once with an error to tell of.
                run_command(WORDS[command])
                run_command([*WORDS[command], "--data-dir", "/dev/null/nowhere"])
        finally:
            for kept, number in ((out, 1), (err, 2)):
                os.dup2(kept, number)
                os.close(kept)
            os.close(null)
            os.environ.clear()
            os.environ.update(before)


def _set_environ(folder: Path) -> None:
    os.environ.update({f"PLEXSYNC_{name}": "http://127.0.0.1:9" for name in ("PLEX_URL", "STASH_URL")})
    os.environ.update(PLEXSYNC_PLEX_TOKEN="x" * 20, PLEXSYNC_DATA_DIR=str(folder), HOME="/nonexistent")


def _nobody() -> int:
    return NOBODY if os.geteuid() == 0 else os.geteuid()


def _as_nobody() -> None:
    if os.geteuid() == 0:
        os.setgroups([])
        os.setuid(NOBODY)


def _tried(score: Score, name: str, folder: Path, program: Path) -> None:
    hook = _hook_of(program, folder)
    score.cases += 1
    if trouble := _answered_badly(hook):
        score.spoil(f"{name}: hook: {trouble}")
    elif "error" in json.loads(hook.stdout):
        if name not in REFUSING:
            score.spoil(f"{name}: the hook could have left a file: {hook.stdout!r}")
    elif not _is_stored(folder):
        score.lose(f"{name}: {hook.stdout!r}")
    elif name in REFUSING:
        score.spoil(f"{name}: hook: {hook.stdout!r}")
    for command in COMMANDS:
        end = forks.run(lambda ack: _command(folder, command, ack), before=_as_nobody)
        score.cases += 1
        code, told = end.acks[0].split(" ", 1) if end.acks and not end.failed else ("?", str(end))
        lines = [line for line in told.split(" | ") if line.strip()]
        # A file that may be read is good enough for whoever looks.
        looked = command in LOOKING and name.startswith("read-only file") and code == "0" and not lines
        refused = code == "2" and len(lines) == 1 and str(folder.parent.parent) in told
        if not (looked or refused) or "Traceback" in told:
            score.spoil(f"{name}: {command}: exit {code}: {told}")


def _hook_of(program: Path, folder: Path) -> subprocess.CompletedProcess[bytes]:
    """The hook as Stash starts it, by a user who is nobody."""
    context = {"type": "Scene.Update.Post", "id": 7777, "input": {}}
    event = {"server_connection": {"Dir": str(folder.parent)}, "args": {"hookContext": context}}
    return subprocess.run(
        [sys.executable, "-c", AS_NOBODY, str(_nobody())],
        cwd=program,
        env={"PATH": os.environ["PATH"], "PLEXSYNC_DATA_DIR": str(folder), "PYTHONDONTWRITEBYTECODE": "1"},
        input=json.dumps(event).encode(),
        capture_output=True,
        timeout=HANG,
        check=False,
    )


def _answered_badly(hook: subprocess.CompletedProcess[bytes]) -> str:
    """Why this is no answer as Stash wants it: exit 0, one JSON object, an error as one line; '' when it is."""
    try:
        answer = json.loads(hook.stdout)
    except ValueError:
        return str(hook)
    one = isinstance(answer, dict) and len(answer) == 1 and answer.keys() <= {"output", "error"}
    told = one and len(hook.stderr.splitlines()) == ("error" in answer)
    return "" if told and not hook.returncode and b"Traceback" not in hook.stderr else str(hook)


def _is_stored(folder: Path) -> bool:
    if any(id == 7777 for _, _, id, _ in intake.list_spooled(str(folder), 100, 0)):
        return True
    return bool(rows(folder / NAME, "select 1 from job where id = 7777"))


def _command(folder: Path, command: str, ack: Callable[[str], None]) -> None:
    """A command in this process, since the program's files may not be readable for everyone."""
    reader, writer = os.pipe()
    os.dup2(writer, 2)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    _set_environ(folder)
    code = run_command(WORDS[command])
    os.write(writer, b" ")
    ack(f"{code} {os.read(reader, 60_000).decode(errors='replace')}".replace("\n", " | "))


def _read_only_folder(folder: Path) -> None:
    folder.chmod(0o500)


def _read_only_file(folder: Path) -> None:
    (folder / NAME).chmod(0o400)


def _read_only_both(folder: Path) -> None:
    _read_only_file(folder)
    _read_only_folder(folder)


def _no_folder(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.parent.chmod(0o500)


def _file_in_its_place(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.write_text("")


def _folder_for_file(folder: Path) -> None:
    (folder / NAME).unlink()
    (folder / NAME).mkdir()


def _others_file(folder: Path) -> None:
    if os.geteuid() == 0:
        os.chown(folder / NAME, 0, 0)
        (folder / NAME).chmod(0o600)
    else:
        (folder / NAME).chmod(0)


def _others_folder(folder: Path) -> None:
    if os.geteuid() == 0:
        os.chown(folder, 0, 0)
    folder.chmod(0o700 if os.geteuid() == 0 else 0)


def _unsearchable(folder: Path) -> None:
    folder.chmod(0o600)


def _everyones(folder: Path) -> None:
    folder.chmod(0o777)


def _link(folder: Path) -> None:
    (folder / NAME).rename(folder / "elsewhere.db")
    (folder / NAME).symlink_to(folder / "elsewhere.db")


def _spool_is_a_file(folder: Path) -> None:
    (folder / NAME).chmod(0o400)
    (folder / "spool").write_text("")


PLACES: dict[str, Callable[[Path], None]] = {
    "read-only folder": _read_only_folder,
    "read-only file": _read_only_file,
    "read-only folder and file": _read_only_both,
    "no folder, and none can be made": _no_folder,
    "a file in the folder's place": _file_in_its_place,
    "a folder in the file's place": _folder_for_file,
    "another's file": _others_file,
    "another's folder": _others_folder,
    "a folder without a way in": _unsearchable,
    "everyone's folder": _everyones,
    "a link": _link,
    "read-only file and spool": _spool_is_a_file,
}


# Where not even a file can be left.
REFUSING = (
    "read-only folder",
    "read-only folder and file",
    "no folder, and none can be made",
    "a file in the folder's place",
    "another's folder",
    "a folder without a way in",
    "read-only file and spool",
)


# --- F9 --------------------------------------------------------------------------------------------------------------


def busy(size: str, seed: int) -> list[Score]:
    """Somebody holds the write lock: stores wait, hooks leave a file after a second, and nothing is lost."""
    return [_held(size, seed), _held_from_serve(size, seed), _many(size, seed)]


def _held(size: str, seed: int) -> Score:
    """All at once, each on a database of its own, since they mostly wait."""
    score = Score("F9", "another process holds the write lock: a store waits, a hook leaves a file", seed)
    with workshop() as place:
        cases = []
        for number, seconds in enumerate(HELD[size]):
            path = place / str(number) / NAME
            Database(path).close()
            holder = forks.forked(lambda ack: _hold(path, seconds, ack))
            assert os.read(holder[1], 5) == b"held\n"
            writer = forks.forked(lambda ack: _write(path, 1, ack))
            hook = forks.forked(lambda ack: ack(intake.store(str(path.parent), "scene", 9)))
            cases.append((seconds, path, (holder, writer, hook)))
        for seconds, path, started in cases:
            ends = tuple(forks.ended(one) for one in started)
            score.cases += 2
            _judge_busy(score, f"held {seconds} s", path, ends, 2)
    return score


def _many(size: str, seed: int) -> Score:
    score = Score("F9", "{} writers at once, {} wants each".format(*WRITERS[size]), seed)
    writers, each = WRITERS[size]
    with workshop() as place:
        path = place / "data" / NAME
        Database(path).close()
        started = [forks.forked(lambda ack, n=n: _write(path, each, ack, n * each)) for n in range(writers)]
        ends = tuple(forks.ended(one) for one in started)
        score.cases = writers * each
        _judge_busy(score, "at the end", path, ends, writers * each)
    return score


def _held_from_serve(size: str, seed: int) -> Score:
    """A worker in the midst of its work can't write: it tries again until it can, says so seldom, and uses no attempt."""
    score = Score("F9", "the lock is held from serve at work: it goes on, and no attempt is used", seed)
    with workshop() as place, Neighbours() as town:
        for seconds in HELD_FROM_SERVE[size]:
            made, folder, case = town.ask("fresh", 8), place / str(seconds), f"held {seconds} s from serve"
            town.ask("slow", 0.3)
            path = folder / NAME
            _wanted(path, made["ids"][:6])
            with (place / "log").open("wb") as log:
                process = serving(made, folder, stdout=log, stderr=log)
            wait_for_heartbeat(folder, process)
            holder = forks.forked(lambda ack: _hold(path, seconds, ack))
            assert os.read(holder[1], 5) == b"held\n"
            hook = forks.run(lambda ack: ack(f"told {intake.store(str(folder), 'scene', made['ids'][6])}"))
            looked = _status(made, folder)
            forks.ended(holder)
            town.ask("slow", 0.0)
            intake.store(str(folder), "scene", made["ids"][7])
            end = time.monotonic() + HANG
            while time.monotonic() < end and len(rows(path, "select 1 from job where state = 'idle'")) < 8:
                time.sleep(0.1)
            process.send_signal(signal.SIGTERM)
            code = process.wait(timeout=HANG)
            told = (place / "log").read_text(errors="replace")
            score.cases += 1
            if hook.failed or looked or code or "Traceback" in told:
                score.spoil(f"{case}: {hook}, status: {looked}, exit {code}: {told[-600:]}")
            complaints = [line for line in told.splitlines() if "paused" in line or " ERROR " in line]
            if len(complaints) > 1 + seconds // 60 or bool(complaints) != (seconds > BUSY_SECONDS):
                score.spoil(f"{case}: {complaints[:4]}")
            if used := rows(path, "select id, state, attempts, cls, error from job where attempts or state = 'dead'"):
                score.spoil(f"{case}: attempts were used: {used}")
            if left := set(made["ids"]) - {id for (id,) in rows(path, "select id from job where state = 'idle'")}:
                score.lose(f"{case}: {sorted(left)} are not in step")
            score.law(path, case)
    return score


def _wanted(path: Path, ids: list[int]) -> None:
    store = Database(path)
    with store.writing() as tx:
        for id in ids:
            tx.jobs.want(Kind.SCENE, id, Why.USER, SystemClock().now())
    store.close()


def _status(made: dict, folder: Path) -> str:
    """What is wrong with how everything stands; '' when it is told."""
    done = subprocess.run(
        [sys.executable, "-m", "plexsync", "status", "--json"],
        cwd=ROOT,
        env=environ_for(made, folder),
        capture_output=True,
        text=True,
        timeout=HANG,
        check=False,
    )
    well = done.returncode == 0 and not done.stderr and json.loads(done.stdout)["books"]["balanced"]
    return "" if well else f"exit {done.returncode}: {done.stdout[-300:]} {done.stderr[-300:]}"


def _hold(path: Path, seconds: float, ack: Callable[[str], None]) -> None:
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("begin immediate")
    ack("held")
    time.sleep(seconds)
    db.execute("commit")
    db.close()


def _write(path: Path, count: int, ack: Callable[[str], None], start: int = 100) -> None:
    store = Database(path)
    for id in range(start, start + count):
        with store.writing() as tx:
            tx.jobs.want(Kind.SCENE, id + 1, Why.EDIT, 1000)
    store.close()


def _judge_busy(score: Score, case: str, path: Path, ends: tuple[forks.End, ...], expected: int) -> None:
    for end in ends:
        if end.failed or end.killed:
            score.spoil(f"{case}: {end}")
    store = Database(path, worker=True)
    store.drain_spool(2000)
    store.close()
    found = rows(path, "select count(*) from job")[0][0]
    if found != expected:
        score.lose(f"{case}: {found} of {expected} are there")
    score.law(path, case)


# --- F12 -------------------------------------------------------------------------------------------------------------


SHARES = ("nfs", "nfs4", "cifs", "smb3", "9p", "fuse", "fuse.sshfs", "fuseblk")
LOCAL = ("ext4", "xfs", "btrfs", "zfs", "tmpfs", "overlay", "apfs")


def shares(size: str, seed: int) -> list[Score]:
    """The journal by the kind of file system, and who copies the log back."""
    score = Score("F12", "journal by file system; only the worker copies the log back", seed)
    for kind in (*SHARES, *LOCAL):
        with workshop() as place:
            table = mount_table(place, kind)
            db = connect(place / "data" / NAME, mounts=table)
            mode, sync, mapped = (
                db.execute(f"pragma {name}").fetchone() for name in ("journal_mode", "synchronous", "mmap_size")
            )
            db.close()
            score.cases += 1
            expected = ("delete", 3) if kind in SHARES else ("wal", 2)
            if (mode[0], sync[0]) != expected or mapped[0]:
                score.spoil(f"{kind}: {mode[0]}, synchronous {sync[0]}, mmap {mapped[0]}")
    for worker in (False, True):
        with workshop() as place:
            score.cases += 1
            grown = forks.run(lambda ack: _grow(place / "data" / NAME, ack, worker=worker)).acks
            if grown != (("copied",) if worker else ("left",)):
                score.spoil(f"worker {worker}: {grown}")
    return [score]


def _grow(path: Path, ack: Callable[[str], None], *, worker: bool) -> None:
    """Write more than a checkpoint's worth, and tell whether the database's own file has changed."""
    store = Database(path, worker=worker)
    before = path.read_bytes()
    for n in range(3):
        with store.writing() as tx:
            tx.notes.save(f"long {n}", "x" * 4096 * CHECKPOINT_PAGES)
    ack("left" if path.read_bytes() == before else "copied")
    store.close()


# An answer that could not be told is no success, whatever the work came to; 120 is Python's own word for it.
UNTOLD = {"closed": 1, "closed output": 1, "broken": 120}
CLOSINGS = {"closed": ">&- 2>&-", "closed output": ">&-", "closed errors": "2>&-"}


# --- F45 -------------------------------------------------------------------------------------------------------------


def pipes(size: str, seed: int) -> list[Score]:
    """Streams that are closed, broken or full: the work is done all the same."""
    score = Score("F45", "standard output and error closed, broken or never read", seed)
    with workshop() as place, Neighbours() as town:
        wanted: dict = {}
        for name in ("closed", "closed output", "closed errors", "broken", "full"):
            made, folder = town.ask("fresh", 3), place / name
            store = Database(folder / NAME)
            with store.writing() as tx:
                for id in made["ids"]:
                    tx.jobs.want(Kind.SCENE, id, Why.USER, SystemClock().now())
            store.close()
            score.cases += 1
            _drained_into(name, made, folder, score)
            # A poll may have wanted again what was done already.
            if left := rows(folder / NAME, "select id, state, error from job where state <> 'idle' and wanted_rev = 1"):
                score.spoil(f"{name}: left are {left}")
            shown = town.ask("state")["shown"]
            if shown != (wanted := wanted or shown) or not all("Title" in str(one) for one in shown.values()):
                score.spoil(f"{name}: Plex shows {shown}")
            score.law(folder / NAME, name)
            hook = _hook_into(name, place / f"hook-{name}")
            score.cases += 1
            if hook != 0 or not rows(place / f"hook-{name}" / "plexsync" / NAME, "select 1 from job where id = 7"):
                score.lose(f"{name}: hook: exit {hook}")
    return [score]


def _drained_into(name: str, made: dict, folder: Path, score: Score) -> None:
    """A worker that logs every step into streams like that; it ends when all is done, or is ended."""
    if name in CLOSINGS:
        closing = f'exec "{sys.executable}" -m plexsync -v drain {CLOSINGS[name]}'
        done = subprocess.run(
            ["/bin/sh", "-c", closing],
            cwd=ROOT,
            env=environ_for(made, folder),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=HANG,
            check=False,
        )
        if done.returncode != UNTOLD.get(name, 0):
            score.spoil(f"{name}: drain: exit {done.returncode}")
        return
    reader, writer = os.pipe()
    if name == "broken":
        os.close(reader)
    else:
        fill(writer)
    env_more = {"stdout": writer, "stderr": writer}
    process = serving(made, folder, **env_more)
    os.close(writer)
    wait_for_heartbeat(folder, process)
    end = time.monotonic() + HANG
    while time.monotonic() < end and rows(folder / NAME, "select 1 from job where state <> 'idle'"):
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    try:
        if (code := process.wait(timeout=HANG)) != UNTOLD.get(name, 0):
            score.spoil(f"{name}: serve: exit {code}")
    except subprocess.TimeoutExpired:
        score.spoil(f"{name}: it does not end when told to")
        process.kill()
        process.wait()
    if name == "full":
        os.close(reader)


def fill(writer: int) -> None:
    """A pipe that takes not a byte more, and whose reader never reads."""
    os.set_blocking(writer, False)
    try:
        while True:
            os.write(writer, b"x" * 4096)
    except BlockingIOError:
        pass
    os.set_blocking(writer, True)


def _hook_into(name: str, place: Path) -> int | None:
    place.mkdir()
    Database(place / "plexsync" / NAME).close()
    context = {"type": "Scene.Update.Post", "id": 7, "input": {}}
    event = json.dumps({"server_connection": {"Dir": str(place)}, "args": {"hookContext": context}}).encode()
    streams = f"<&0 {CLOSINGS[name]}" if name in CLOSINGS else ""
    reader, writer = os.pipe()
    if name == "broken":
        os.close(reader)
    if name == "full":
        fill(writer)
    out = writer if name not in CLOSINGS else subprocess.DEVNULL
    command = f'exec "{sys.executable}" plexsync/stash_plugin/hook.py {streams}'
    process = subprocess.Popen(["/bin/sh", "-c", command], cwd=ROOT, stdin=subprocess.PIPE, stdout=out, stderr=out)
    os.close(writer)
    assert process.stdin
    process.stdin.write(event)
    process.stdin.close()
    if name == "full":
        # It stores first, and answers whoever comes to read.
        time.sleep(0.7)
        os.read(reader, 2**20)
    code = process.wait(timeout=HANG)
    if name != "broken":
        os.close(reader)
    return code

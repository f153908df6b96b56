"""Power loss: F5. The writes and syncs of a real run are recorded, and disks are built as they may look after a cut.

What was synced is there. Of what was written since, any part may be there or not, by sectors of 512 bytes; a file that was
made, renamed or removed since its folder was last synced may have either name, or none. The index of the log is shared
memory and is gone. Every disk is opened: what was acknowledged before the cut has to be there.
"""

# A child has ended before the next case begins, so what it closes over stays as it is.
# ruff: noqa: B023

import random
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from plexsync.store.db import connect
from plexsync.store.files.integrity import damage
from tests.torture import forks
from tests.torture.score import NAME, Score, workshop

ROOT = Path(__file__).resolve().parents[2]
SECTOR = 512
IMAGES = {"sample": 40, "full": 4_000, "long": 40_000}
CALLS = "openat,pwrite64,write,fdatasync,fsync,ftruncate,unlink,unlinkat,rename,renameat,renameat2,mkdir"
MISSING = "left out: strace is not installed"

_CALL = re.compile(r"^\d+\s+(\w+)\((.*)\)\s+= (-?\d+)(<.*>)?")
_FD = re.compile(r"^(\d+)<([^>]*)>(?:\(deleted\))?")
_TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')


@dataclass
class Step:
    """One thing that was done to the disk, or said: `name` of the file, and what is needed to do it again."""

    what: str
    name: str = ""
    at: int = 0
    data: bytes = b""
    to: str = ""


@dataclass
class Disk:
    """What is on a disk for certain, and what may be: files by inode, names by folder entry."""

    synced: dict[int, bytearray] = field(default_factory=dict)
    loose: dict[int, list[Step]] = field(default_factory=dict)
    names: dict[str, int] = field(default_factory=dict)
    loose_names: list[tuple[str, str, int]] = field(default_factory=list)
    live: dict[str, int] = field(default_factory=dict)
    made: int = 0


def there() -> bool:
    return shutil.which("strace") is not None


def record(place: Path, scenario: str) -> list[Step]:
    """Run a scenario of `tests.torture.victim` under strace; returns what reached the disk, and what was acknowledged."""
    log = place / "strace.log"
    done = subprocess.run(
        [
            "strace",
            "-f",
            "-y",
            "-xx",
            "-s",
            "1000000",
            "-e",
            f"trace={CALLS}",
            "-e",
            "signal=none",
            "-o",
            log,
            sys.executable,
            "-m",
            "tests.torture.victim",
            scenario,
            str(place / "data"),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return list(_steps(log, str(place / "data")))


def _steps(log: Path, folder: str) -> Iterator[Step]:
    known: set[str] = set()
    for line in _whole_lines(log):
        found = _CALL.match(line)
        if not found or int(found[3]) < 0:
            continue
        call, words, result = found[1], found[2], int(found[3])
        texts = [_bytes(text) for text in _TEXT.findall(words)]
        fd = _FD.match(words)
        name = _bytes(fd[2]).decode() if fd else ""
        if call == "write" and fd and fd[1] == "1":
            yield from (Step("ack", data=part) for part in texts[0].split(b"\n") if part)
            continue
        if call == "openat":
            path = texts[-1].decode()
            if path.startswith(folder) and "O_CREAT" in words and path not in known:
                known.add(path)
                yield Step("create", path)
            continue
        if call in ("rename", "renameat", "renameat2"):
            old, new = texts[-2].decode(), texts[-1].decode()
            if new.startswith(folder):
                known.discard(old)
                known.add(new)
                yield Step("rename", old, to=new)
            continue
        if call in ("unlink", "unlinkat"):
            path = texts[-1].decode()
            if path.startswith(folder):
                known.discard(path)
                yield Step("unlink", path)
            continue
        if not name.startswith(folder):
            continue
        if call == "pwrite64":
            yield Step("write", name, int(words.rsplit(",", 1)[1]), texts[0])
        elif call == "write":
            yield Step("append", name, 0, texts[0][:result])
        elif call == "ftruncate":
            yield Step("truncate", name, int(words.rsplit(",", 1)[1]))
        elif call in ("fsync", "fdatasync"):
            yield Step("sync", name)


def _whole_lines(log: Path) -> Iterator[str]:
    """strace splits a call in two lines when another thread comes in between."""
    halves: dict[str, str] = {}
    for line in log.read_text().splitlines():
        pid = line.split(" ", 1)[0]
        if line.endswith("<unfinished ...>"):
            halves[pid] = line[: -len("<unfinished ...>")].rstrip()
        elif " resumed>" in line:
            yield halves.pop(pid, "") + line.split(" resumed>", 1)[1]
        else:
            yield line


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))


# --- the disk at any instant -----------------------------------------------------------------------------------------


def apply(disk: Disk, step: Step) -> None:
    """The disk after one more step."""
    if step.what == "create":
        disk.made += 1
        disk.synced[disk.made] = bytearray()
        disk.loose[disk.made] = []
        disk.live[step.name] = disk.made
        disk.loose_names.append(("add", step.name, disk.made))
    elif step.what == "rename":
        inode = disk.live.pop(step.name)
        disk.live[step.to] = inode
        disk.loose_names.append(("move", f"{step.name}\0{step.to}", inode))
    elif step.what == "unlink":
        inode = disk.live.pop(step.name, 0)
        disk.loose_names.append(("drop", step.name, inode))
    elif step.what == "sync":
        if step.name in disk.live:
            inode = disk.live[step.name]
            for one in disk.loose[inode]:
                _change(disk.synced[inode], one)
            disk.loose[inode] = []
        else:
            left = []
            for entry in disk.loose_names:
                if str(Path(entry[1].split("\0")[-1]).parent) == step.name.rstrip("/"):
                    _rename(disk.names, entry)
                else:
                    left.append(entry)
            disk.loose_names = left
    elif step.what != "ack" and step.name in disk.live:
        inode = disk.live[step.name]
        if step.what == "append":
            size = len(disk.synced[inode]) + sum(len(one.data) for one in disk.loose[inode])
            step = Step("write", step.name, size, step.data)
        disk.loose[inode].append(step)


def _change(content: bytearray, step: Step) -> None:
    if step.what == "truncate":
        if len(content) > step.at:
            del content[step.at :]
        else:
            content.extend(bytes(step.at - len(content)))
        return
    if len(content) < step.at:
        content.extend(bytes(step.at - len(content)))
    content[step.at : step.at + len(step.data)] = step.data


def _rename(names: dict[str, int], entry: tuple[str, str, int]) -> None:
    what, name, inode = entry
    if what == "add":
        names[name] = inode
    elif what == "drop":
        names.pop(name, None)
    else:
        old, new = name.split("\0")
        names.pop(old, None)
        names[new] = inode


def after_cut(disk: Disk, rng: random.Random, folder: str, target: Path) -> None:
    """One legal state of the disk after the power went, written to `target`."""
    mode = rng.choice(("all", "none", "some", "torn", "torn"))
    names = dict(disk.names)
    for entry in disk.loose_names:
        # The order in which names reach the disk is kept, as journaling file systems do; where it ends is chance.
        if mode == "none" or (mode != "all" and rng.random() < 0.3):
            break
        _rename(names, entry)
    target.mkdir(mode=0o700, parents=True)
    for name, inode in names.items():
        if name.endswith("-shm"):
            continue
        content = bytearray(disk.synced[inode])
        for step in disk.loose[inode]:
            if mode == "none" or (mode == "some" and rng.random() < 0.5):
                continue
            for piece in _pieces(step) if mode == "torn" else (step,):
                if mode != "torn" or rng.random() < 0.6:
                    _change(content, piece)
        path = target / Path(name).relative_to(folder)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.write_bytes(content)


def _pieces(step: Step) -> Iterator[Step]:
    """A write by the sectors it touches."""
    if step.what != "write":
        yield step
        return
    at = step.at
    while at < step.at + len(step.data):
        end = min((at // SECTOR + 1) * SECTOR, step.at + len(step.data))
        yield Step("write", step.name, at, step.data[at - step.at : end - step.at])
        at = end


# --- the runs --------------------------------------------------------------------------------------------------------


def power_loss(size: str, seed: int) -> list[Score]:
    """Images of runs with a log, with a rollback journal and of the spool; and the same without syncing, which must lose."""
    plans = (
        ("log", "power loss: write-ahead log, synced", False),
        ("journal", "power loss: rollback journal, synced", False),
        ("hook", "power loss: hooks, database and spool", False),
        ("unsynced", "test of the test: without syncing, losses are found", True),
    )
    scores = []
    for scenario, what, must_lose in plans:
        score = Score("F5", what, seed)
        scores.append(score)
        if not there():
            score.left_out = MISSING
            continue
        count = IMAGES[size] if scenario in ("log", "journal") else IMAGES[size] // 4
        with workshop() as place:
            steps = record(place, scenario)
            lost, spoilt = _try_images(steps, place, count, score)
        if must_lose:
            score.what += f" ({len(lost)} of {score.cases} images)"
            if not lost:
                score.spoil("nothing was lost without syncing: this harness proves nothing")
            continue
        for told in lost:
            score.lose(told)
        for told in spoilt:
            score.spoil(told)
    return scores


def _try_images(steps: list[Step], place: Path, count: int, score: Score) -> tuple[list[str], list[str]]:
    """Cuts spread evenly over the run; returns what was lost and what was spoilt."""
    lost: list[str] = []
    spoilt: list[str] = []
    rng = random.Random(score.seed)
    cuts = sorted(rng.randrange(len(steps) + 1) for _ in range(count))
    disk, done, acked = Disk(), 0, set[int]()
    folder = str(place / "data")
    for number, cut in enumerate(cuts):
        while done < cut:
            apply(disk, steps[done])
            if steps[done].what == "ack":
                acked.add(int(steps[done].data))
            done += 1
        target = place / "image"
        shutil.rmtree(target, ignore_errors=True)
        after_cut(disk, random.Random(score.seed * 7919 + number), folder, target)
        score.cases += 1
        told = forks.run(lambda ack: _look(target, ack))
        if told.failed or told.killed or not told.acks or told.acks[0] != "sound":
            spoilt.append(f"image {number}, cut {cut}: {told.acks}")
        elif missing := acked - {int(word) for word in told.acks[1].split()}:
            lost.append(f"image {number}, cut {cut}: {sorted(missing)} acknowledged and not there")
    return lost, spoilt


def _look(folder: Path, ack) -> None:
    """What is in an image, in the database and in the spool."""
    path = folder / NAME
    if found := damage(path):
        ack(f"damaged: {found}")
        return
    db = connect(path)
    (verdict,) = db.execute("pragma integrity_check").fetchone()
    (off,) = db.execute(
        "select accepted - coalesced - done - pruned - (select count(*) from job where state <> 'idle') from books"
    ).fetchone()
    ids = {id for (id,) in db.execute("select id from job")}
    db.close()
    from plexsync.store import intake

    ids |= {id for _, _, id, _ in intake.list_spooled(str(folder), 10_000, 0)}
    ack("sound" if verdict == "ok" and not off else f"{verdict}, books off by {off}")
    ack(" ".join(map(str, sorted(ids))))

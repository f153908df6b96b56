"""Damaged, mixed, missing, old and new databases: F10, F11, F13 and F14."""

# A child has ended before the next case begins, so what it closes over stays as it is.
# ruff: noqa: B023

import hashlib
import os
import random
import shutil
import signal
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from plexsync.app.parts import open_parts
from plexsync.app.run import engine, take_up
from plexsync.app.switches import comparison_owed
from plexsync.engine import notifications
from plexsync.rules.queue.job import Kind, Settled, State, Why
from plexsync.rules.queue.note_keys import LAST_RECONCILE, REPAIRED
from plexsync.rules.servers.errors import LocalFault, NewerDatabase, Unusable
from plexsync.store import intake
from plexsync.store.database import Database, Reader
from plexsync.store.db import connect
from plexsync.store.files.repair import repair
from plexsync.store.queue.jobs import AttemptEnding
from tests.patience import HANG
from tests.store.fifteen import missing, old_database
from tests.store.pruning import prune
from tests.torture import forks
from tests.torture.filling import DAY, NOW, NUMBERS, fill_half, memory_of, pushing_of
from tests.torture.kill_jobs import config_for
from tests.torture.neighbours import Neighbours
from tests.torture.score import NAME, Score, dump, workshop

# As long as a case may take before it counts as hanging.
SECONDS = int(HANG)
ROWS = 200
MUTATIONS = {"sample": 30, "full": 10_000, "long": 40_000}
MIXES = {"sample": 3, "full": 40, "long": 200}
SIDES = ("", "-wal", "-shm", "-journal")


def filled(folder: Path, *, log: bool, rows: int = 400, start: int = 1) -> None:
    """A database as it looks after a while; with `log`, as a killed process leaves it: the newest is in the log."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def fill(ack: Callable[[str], None]) -> None:
        store = Database(folder / NAME, worker=True)
        fill_half(store, start, rows // 2)
        if not log:
            fill_half(store, start + rows // 2, rows // 2)
            store.close()
            return
        store.close()
        store = Database(folder / NAME)
        fill_half(store, start + rows // 2, rows // 2)
        os.kill(os.getpid(), signal.SIGKILL)

    end = forks.run(fill)
    assert not end.failed, end


# --- F10 -------------------------------------------------------------------------------------------------------------


def mutate(folder: Path, other: Path, rng: random.Random) -> str:
    """Damage one of the files, or put one in its place that is not its own; returns how."""
    if rng.random() < 0.15:
        how = rng.choice(list(SWAPS))
        SWAPS[how](folder, other, rng)
        return how
    names = [name for end in SIDES[:2] if (folder / (name := NAME + end)).exists()]
    path = folder / rng.choice([NAME, *names])
    content = bytearray(path.read_bytes())
    size = len(content)
    how = rng.choice(
        ("flips", "flips", "a note", "zeroed page", "page of noise", "truncated", "cut in a page", "head", "doubled")
    )
    page = 4096 * rng.randrange(max(1, size // 4096))
    if how == "flips":
        for _ in range(rng.randint(1, 64)):
            content[rng.randrange(size)] ^= 1 << rng.randrange(8)
    elif how == "a note":
        # One bit of a value, which stands behind its name; what was written last stands in the log.
        name = rng.choice((*NUMBERS, "reconcile:last", "poll:scene", "poll:files")).encode()
        at = content.rfind(name) + len(name) + rng.randrange(13)
        content[at % size] ^= 1 << rng.randrange(7)
    elif how == "zeroed page":
        content[page : page + 4096] = bytes(4096)
    elif how == "page of noise":
        content[page : page + 4096] = rng.randbytes(4096)
    elif how == "truncated":
        del content[page:]
    elif how == "cut in a page":
        del content[rng.randrange(size) :]
    elif how == "head":
        content[rng.randrange(100)] ^= 1 << rng.randrange(8)
    else:
        other_page = 4096 * rng.randrange(max(1, size // 4096))
        content[page : page + 4096] = content[other_page : other_page + 4096]
    path.write_bytes(content)
    return f"{how} in {path.name}"


def _foreign(folder: Path, other: Path, rng: random.Random) -> None:
    (folder / NAME).unlink()
    db = sqlite3.connect(folder / NAME)
    db.executescript("create table theirs (a); insert into theirs values (1)")
    db.close()


def _older_self(folder: Path, other: Path, rng: random.Random) -> None:
    """The pages of another of our databases in the middle of this one."""
    content, theirs = bytearray((folder / NAME).read_bytes()), (other / NAME).read_bytes()
    at = 4096 * rng.randrange(min(len(content), len(theirs)) // 4096)
    end = at + 4096 * rng.randint(1, 8)
    content[at:end] = theirs[at:end]
    (folder / NAME).write_bytes(content)


def _emptied(folder: Path, other: Path, rng: random.Random) -> None:
    (folder / (NAME + rng.choice(("", "", "-wal")))).write_bytes(b"")


def _no_database(folder: Path, other: Path, rng: random.Random) -> None:
    (folder / NAME).write_bytes(rng.randbytes(4096 * rng.randint(1, 20)))


# By what may become of it: a database of another program is left alone.
SWAPS: dict[str, Callable[[Path, Path, random.Random], None]] = {
    "log of another": lambda folder, other, rng: _put(other, folder, "-wal"),
    "database of another": lambda folder, other, rng: _put(other, folder, ""),
    "pages of another": _older_self,
    "database of another program": _foreign,
    "noise for a database": _no_database,
    "zero length": _emptied,
}


def _put(other: Path, folder: Path, end: str) -> None:
    shutil.copy(other / (NAME + end), folder / (NAME + end))


def live(path: Path, ack: Callable[[str], None], town: dict | None = None) -> None:
    """What a worker does with whatever it finds: mend, open, look, take, end, prune. Tells what it knows by then.

    With a `town` of neighbours it then does what `serve` does, too.
    """
    signal.alarm(SECONDS)
    try:
        mended = repair(path, now=NOW + DAY, forget=(LAST_RECONCILE,))
        ack(f"repaired {mended.aside}" if mended else "sound")
        store = Database(path, worker=True)
        with store.writing() as tx:
            tx.jobs.want(Kind.SCENE, 5, Why.USER, NOW + DAY)
        with store.writing() as tx:
            for job in tx.jobs.claim(50, now=NOW + DAY, lease_ms=60_000, holder="two"):
                tx.jobs.settle([AttemptEnding(job, Settled(State.IDLE, 0, 0, 0, NOW), 0, 0)], now=NOW + DAY)
            prune(tx, now=NOW + DAY, before=NOW, limit=500)
        with store.reading() as db:
            db.summary(NOW + DAY)
            ids = [id for id, _ in db.jobs.ids(Kind.SCENE)]
            db.index.entries([str(id) for id in ids])
            told = list(_untrue(db, ids))
            owed = (db.notes.number(REPAIRED) or 0) > (db.notes.number(LAST_RECONCILE) or 0) or not db.notes.text(
                LAST_RECONCILE
            )
        store.close()
        if town is not None:
            _serve_a_moment(path.parent, town)
        for line in told:
            ack(line)
        if owed:
            ack("owed")
        ack("worked")
    except (NewerDatabase, Unusable, LocalFault) as fault:
        ack(f"refused {type(fault).__name__} {fault}")


def _serve_a_moment(folder: Path, town: dict) -> None:
    """One step of each that looks or works under `serve`, as the program puts them together."""
    stop = threading.Event()
    with open_parts(config_for(town), folder, worker=True) as parts, engine(parts, stop) as works:
        take_up(parts, works)
        works.step()
        works.prune()
        parts.poller.poll()
        comparison_owed(parts)
        with parts.store.reading() as db:
            notifications.read_situation(db, None)
            db.index.count_unpaired(db.notes.number("reconcile:run") or 0)


def _untrue(db: Reader, ids: list[int]) -> Iterator[str]:
    """What a plan would be made of, and was never written: it may be unknown, and must not be something else."""
    pairs = {scene for (scene,) in db._db.rows("select subject from memory union select subject from pushing")}
    scenes = sorted({*ids, *(one for one in pairs if isinstance(one, int))})
    for (scene, key), memory in db.memories.of(scenes).items():
        if key != str(scene) or memory != memory_of(scene):
            yield f"untrue {scene} {key} is remembered as {memory}"
    for (scene, key), pushed in db.pushings.of(scenes).items():
        if key != str(scene) or any(one != pushing_of(scene) for one in pushed):
            yield f"untrue {scene} {key} is being pushed as {pushed}"


def corrupt(size: str, seed: int) -> list[Score]:
    score = Score("F10", "damaged or swapped: found at the start, put aside, made anew", seed)
    counts = Counter[str]()
    with workshop() as place, Neighbours() as neighbours:
        town = neighbours.ask("fresh", 0)
        for log in (False, True):
            filled(place / f"template{log}", log=log, rows=ROWS)
        filled(place / "other", log=True, rows=ROWS, start=5000)
        for case in range(MUTATIONS[size]):
            rng = random.Random(seed * 1_000_003 + case)
            folder = place / "case"
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(place / f"template{case % 2 == 1}", folder)
            how = mutate(folder, place / "other", rng)
            marks = {end: sum_of(folder / (NAME + end)) for end in SIDES[:2]}
            ends = [forks.run(lambda ack: live(folder / NAME, ack, town))]
            # Damage that only shows at work is mended at the next start; and what was mended stays so.
            if ends[0].acks[-1:] != ("worked",) or case % 4 == 0:
                ends.append(forks.run(lambda ack: live(folder / NAME, ack, town)))
            score.cases += 1
            _judge(score, f"case {case} ({how})", folder, ends, marks, counts)
    score.what += f" ({counts['repaired']} made anew, {counts['sound']} sound, {counts['refused']} left alone)"
    if min(counts[name] for name in ("repaired", "sound", "refused", "remembered")) == 0 and size != "sample":
        score.spoil(f"only {dict(counts)}: this harness proves nothing")
    return [score]


def _judge(
    score: Score, case: str, folder: Path, ends: list[forks.End], marks: dict[str, str], counts: Counter[str]
) -> None:
    for end in ends:
        if end.killed or end.failed or len(end.acks) < 1:
            score.spoil(f"{case}: crashed or hung: {end}")
            return
    first, last = ends[0].acks, ends[-1].acks
    asides = sorted(folder.glob("damaged-*"))
    if last[-1].startswith("refused"):
        counts["refused"] += 1
        # Only a mark that says "newer" or "another program's" is a reason to leave a file alone.
        if not ("newer" in last[-1] or "another program" in last[-1]):
            score.spoil(f"{case}: {last}")
        elif sum_of(folder / NAME) != marks[""]:
            score.spoil(f"{case}: left alone, and changed all the same")
        return
    if "another program" in case:
        score.spoil(f"{case}: it is not ours, and was used: {last}")
    if untrue := [line for line in (*first, *last) if line.startswith("untrue")]:
        score.spoil(f"{case}: {untrue[:2]}")
    if asides:
        counts["repaired"] += 1
        there = {end: mark for end, mark in marks.items() if mark != "missing"}
        if first[0].startswith("repaired") and any(sum_of(asides[0] / (NAME + end)) != there[end] for end in there):
            score.spoil(f"{case}: what was put aside is not what was there")
        if "owed" not in last:
            score.lose(f"{case}: made anew, and no complete comparison is owed")
        counts["remembered"] += len(dump(folder / NAME)["memory"])
    else:
        counts["sound"] += 1
    score.law(folder / NAME, case)


def sum_of(path: Path) -> str:
    return hashlib.blake2b(path.read_bytes()).hexdigest() if path.exists() else "missing"


def repair_killed(size: str, seed: int) -> list[Score]:
    """A repair that is killed at any line of it ends well at the next start, and nothing of the old files is gone."""
    score = Score("F10", "kill at every line of a repair", seed)
    every = {"sample": 997, "full": 37, "long": 3}[size]
    with workshop() as place:
        filled(place / "template", log=False, rows=60)
        forks.run(lambda ack: want_and_die(place / "template" / NAME))
        spoil_index(place / "template" / NAME)
        marks = {end: sum_of(place / "template" / (NAME + end)) for end in ("", "-wal")}
        ours = (str(Path(repair.__code__.co_filename).parent),)
        total = _repair_lines(place, ours)
        for line in range(1 + seed % every, total, every):
            folder = place / "case"
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(place / "template", folder)
            lines = forks.Lines(ours, line)
            forks.run(lambda ack: repair(folder / NAME, now=NOW), before=lines.watch)
            end = forks.run(lambda ack: live(folder / NAME, ack))
            score.cases += 1
            if end.failed or end.killed or end.acks[-1] != "worked":
                score.spoil(f"line {line}: {end}")
                continue
            kept = {sum_of(file) for file in folder.rglob("*") if file.is_file()}
            if not {marks[""], marks["-wal"]} <= kept:
                score.lose(f"line {line}: a file of the damaged database is gone")
            score.law(folder / NAME, f"line {line}")
            if not dump(folder / NAME)["memory"]:
                score.lose(f"line {line}: what is remembered was not taken over")
    return [score]


def want_and_die(path: Path) -> None:
    store = Database(path)
    with store.writing() as tx:
        tx.jobs.want(Kind.SCENE, 7000, Why.USER, NOW)
    os.kill(os.getpid(), signal.SIGKILL)


def spoil_index(path: Path) -> None:
    """Damage a page that nothing but a thorough look will meet, and that is not in the log."""
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    (page,) = db.execute("select rootpage from sqlite_master where name = 'part_path'").fetchone()
    db.close()
    with path.open("r+b") as file:
        file.seek(4096 * (page - 1))
        file.write(bytes(4096))


def _repair_lines(place: Path, ours: tuple[str, ...]) -> int:
    shutil.copytree(place / "template", place / "count")
    lines = forks.Lines(ours)

    def count(ack: Callable[[str], None]) -> None:
        repair(place / "count" / NAME, now=NOW)
        ack(str(lines.count))

    return int(forks.run(count, before=lines.watch).acks[-1])


# --- F11 -------------------------------------------------------------------------------------------------------------


def mixed(size: str, seed: int) -> list[Score]:
    """Side files that are missing, of another database, or older: it ends sound, if need be anew."""
    score = Score("F11", "side files deleted, mixed or half copied", seed)
    with workshop() as place:
        filled(place / "one", log=True)
        filled(place / "two", log=True, start=5000)
        for round in range(MIXES[size]):
            for name, mix in MIXED.items():
                folder = place / "case"
                shutil.rmtree(folder, ignore_errors=True)
                shutil.copytree(place / "one", folder)
                mix(folder, place / "two", random.Random(seed + round))
                ends = [forks.run(lambda ack: live(folder / NAME, ack)) for _ in range(2)]
                score.cases += 1
                untrue = any(line.startswith("untrue") for end in ends for line in end.acks)
                if untrue or any(end.failed or end.killed for end in ends) or ends[-1].acks[-1] != "worked":
                    score.spoil(f"{name}: {ends}")
                else:
                    score.law(folder / NAME, name)
    return [score]


def _no_log(folder: Path, other: Path, rng: random.Random) -> None:
    (folder / f"{NAME}-wal").unlink()


def _no_index(folder: Path, other: Path, rng: random.Random) -> None:
    (folder / f"{NAME}-shm").unlink()


def _foreign_log(folder: Path, other: Path, rng: random.Random) -> None:
    shutil.copy(other / f"{NAME}-wal", folder)


def _foreign_base(folder: Path, other: Path, rng: random.Random) -> None:
    shutil.copy(other / NAME, folder)


def _stray_journal(folder: Path, other: Path, rng: random.Random) -> None:
    (folder / f"{NAME}-journal").write_bytes(rng.randbytes(9000))


def _noisy_index(folder: Path, other: Path, rng: random.Random) -> None:
    (folder / f"{NAME}-shm").write_bytes(rng.randbytes(32768))


def _half_copied(folder: Path, other: Path, rng: random.Random) -> None:
    path = folder / f"{NAME}-wal"
    content = path.read_bytes()
    path.write_bytes(content[: rng.randrange(len(content))])


def _no_base(folder: Path, other: Path, rng: random.Random) -> None:
    (folder / NAME).unlink()


MIXED = {
    "no log": _no_log,
    "no index of the log": _no_index,
    "log of another": _foreign_log,
    "database of another": _foreign_base,
    "stray journal": _stray_journal,
    "index of noise": _noisy_index,
    "log cut off": _half_copied,
    "log without its database": _no_base,
}


# --- F13, F14 --------------------------------------------------------------------------------------------------------


def versions(size: str, seed: int) -> list[Score]:
    """Newer schemas are left alone to the byte, and the hook's event becomes a file; older ones have a copy kept."""
    return [_newer(seed), _older(size, seed)]


def _newer(seed: int) -> Score:
    score = Score("F14", "newer schemas: refused untouched, the hook's event kept", seed)
    newest = intake.SCHEMA
    for version in (newest + 1, newest + 1000):
        with workshop() as place:
            filled(place / "x", log=False, rows=20)
            path = place / "x" / NAME
            content = bytearray(path.read_bytes())
            content[60:64] = version.to_bytes(4, "big")
            path.write_bytes(content)
            before = sum_of(path)
            end = forks.run(lambda ack: live(path, ack))
            hook = forks.run(lambda ack: ack(intake.store(str(path.parent), "scene", 3)))
            score.cases += 1
            if not any(str(version) in told and str(newest) in told for told in end.acks):
                score.spoil(f"{version}: {end.acks}")
            if sum_of(path) != before:
                score.spoil(f"{version}: the file was changed")
            if hook.failed or not list((place / "x" / "spool").glob("*.json")):
                score.lose(f"{version}: the hook's event is not kept")
    return score


def _older(size: str, seed: int) -> Score:
    """The schema before, closed or killed, with an event left by a hook: brought up, copied before, and worked."""
    score = Score("F13", "older schemas: a copy is kept, no row is lost, the hook's event comes after", seed)
    for version in range(intake.OLDEST, intake.SCHEMA):
        for log in (False, True):
            with workshop() as place:
                path, case = place / "x" / NAME, f"schema {version}, {'killed' if log else 'closed'}"
                old_database(path, version)
                if log:
                    forks.run(lambda ack: _note_and_die(path))
                shutil.copytree(place / "x", place / "before")
                before = dump(place / "before" / NAME)
                hook = forks.run(lambda ack: ack(intake.store(str(path.parent), "scene", 7777)))
                end = forks.run(lambda ack: connect(path).close())
                score.cases += 1
                if hook.failed or end.failed or end.killed or not score.law(path, case):
                    score.spoil(f"{case}: {hook} {end}")
                    continue
                _judge_older(score, case, path, before, version)
                end = forks.run(lambda ack: live(path, ack))
                if end.acks != ("sound", "worked"):
                    score.spoil(f"{case}: at work: {end}")
                forks.run(lambda ack: _take_spool(path))
                if not any(row[1] == 7777 for row in dump(path)["job"]):
                    score.lose(f"{case}: the hook's event is not taken over")
                score.law(path, f"{case}, after work")
    return score


def _note_and_die(path: Path) -> None:
    """What is written is in the log alone."""
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("pragma wal_autocheckpoint = 0")
    db.execute("insert into note (name, value) values ('late', 'in the log')")
    os.kill(os.getpid(), signal.SIGKILL)


def _take_spool(path: Path) -> None:
    store = Database(path, worker=True)
    store.drain_spool(NOW)
    store.close()


def _judge_older(score: Score, case: str, path: Path, before: dict[str, list[tuple]], version: int) -> None:
    """The copy is what was there; the database has all of it, as far as columns go that were known then."""
    copy = path.with_name(f"{path.stem}-schema-{version}.db")
    if not copy.exists() or dump(copy) != before or copy.stat().st_mode & 0o077:
        score.spoil(f"{case}: what is kept is not what was there, or not for the owner alone")
    if left := [file.name for file in path.parent.iterdir() if ".tmp" in file.name]:
        score.spoil(f"{case}: left behind are {left}")
    for table, gone in missing(copy, path).items():
        score.lose(f"{case}: {sorted(gone)[:2]} of {table}")

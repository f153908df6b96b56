"""Many processes at once: F15 and F16."""

# A child has ended before the next case begins, so what it closes over stays as it is.

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from plexsync.cli.main import main as call
from plexsync.engine.clock import SystemClock
from plexsync.rules.queue.job import Kind, Settled, State, Why, after_crash
from plexsync.store import intake
from plexsync.store.database import Database
from plexsync.store.queue.jobs import AttemptEnding
from plexsync.store.sqlite import WAIT_AS_USUAL, WAIT_BRIEFLY
from tests.patience import HANG
from tests.store_places import VARIABLE, is_postgres, place_of
from tests.torture import forks
from tests.torture.kill_jobs import ROOT, a_pass, config_for, environ_for, rows, rush, wait_for_heartbeat
from tests.torture.neighbours import Neighbours
from tests.torture.score import NAME, Score, workshop

JOBS = {"sample": 1_200, "full": 10_000, "long": 40_000}
# A transaction there takes several times as long.
JOBS_ON_SERVER = {"sample": 200, "full": 5_000, "long": 20_000}
WORKERS = 8
# Time runs this much faster, so that a lease and the rests after crashes are over soon.
FASTER = 100
LEASE = 30_000
# Longer than a lease, in seconds that pass.
OVERSLEPT = 1.5 * LEASE / 1000 / FASTER
SCENES = {"sample": 40, "full": 400, "long": 400}
# How often everything is looked at in full, and seconds between two looks: as long as this lasts all go on.
LOOKS = {"sample": 4, "full": 5, "long": 30}
MINUTE = {"sample": 1.0, "full": 60.0, "long": 60.0}
LOG_LIMIT = 16 * 2**20
# Who must have done something.
COUNTED = ("direct", "hooks", "wants", "syncs", "statuses", "copied")
# Beside a database on a server, a hook leaves a file, and no log has to be copied back.
COUNTED_ON_SERVER = ("spooled", "hooks", "wants", "syncs", "statuses")

Ack = Callable[[str], None]


def now() -> int:
    return round(time.monotonic() * 1000 * FASTER)


# --- F15 -------------------------------------------------------------------------------------------------------------


def workers(size: str, seed: int) -> list[Score]:
    """Eight workers without a lock on one queue, killed at random: no row is held twice, every end is heard of once."""
    score = Score("F15", f"{WORKERS} workers on one queue, killed at random", seed)
    rng, count = random.Random(seed), (JOBS_ON_SERVER if is_postgres() else JOBS)[size]
    with workshop() as place:
        path, told = place / "data" / NAME, place / "told"
        forks.run(lambda ack: _fill(path, count))
        running: dict[int, int] = {}
        ends: list[forks.End] = []
        kills: list[int] = []
        last = moved = 0.0
        while left := _left(path):
            # However slow the machine is, the number changes all the time.
            if left != last:
                last, moved = left, time.monotonic()
            if time.monotonic() > moved + HANG:
                break
            while len(running) < WORKERS:
                child, reader = forks.forked(lambda ack: _work(path, told, rng.random(), count))
                running[child] = reader
            time.sleep(0.05 + rng.random() * 0.1)
            if rng.random() < 0.4:
                victim = rng.choice(list(running))
                os.kill(victim, signal.SIGKILL)
                kills.append(victim)
                ends.append(forks.ended((victim, running.pop(victim))))
        for child in running:
            os.kill(child, signal.SIGTERM)
        ends += [forks.ended((child, reader)) for child, reader in running.items()]
        for line in (line for one in ends if one.failed for line in one.acks):
            score.spoil(line)
        score.cases = count
        _judge_workers(score, path, _heard(told), kills)
    return [score]


def _fill(path: Path, count: int) -> None:
    store = place_of(path.parent).open(worker=True)
    for start in range(0, count, 500):
        with store.writing() as tx:
            for id in range(start, min(start + 500, count)):
                tx.jobs.want(Kind.SCENE, id + 1, Why.EDIT if id % 3 else Why.SWEEP, now())
    store.close()


def _left(path: Path) -> int:
    return rows(path, "select count(*) from job where state not in ('idle', 'dead')")[0][0]


def _work(path: Path, told: Path, luck: float, rows: int) -> None:
    """Take, rest a little, end; take back what others left; now and then want a row again, or sleep over one's lease.

    Tells a file, which a kill does not empty, when it took and ended which row; times are those within the transactions.
    """
    stop: list[bool] = []
    signal.signal(signal.SIGTERM, lambda *_: stop.append(True))
    store, rng, pid = place_of(path.parent).open(), random.Random(luck), os.getpid()
    log = os.open(told, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def tell(what: str, id: int, token: str, rev: int, at: int) -> None:
        os.write(log, f"{what} {id} {token} {rev} {at} {pid}\n".encode())

    while not stop:
        with store.writing() as tx:
            at = now()
            over = tx.jobs.list_expired(now=at)
            for row, alone, first in over:
                tx.jobs.crash(row, after_crash(alone=alone, crashes=row.crashes, first_crash=first, now=at), now=at)
                # Told before it is true: there may be more of these than there were, and never fewer.
                tell("alone" if alone else "together", row.id, "-", row.claimed_rev, at)
            jobs = tx.jobs.claim(rng.choice((1, 3, 10)), now=at, lease_ms=LEASE, holder=f"{pid}")
        for row, _, _ in over:
            tell("returned", row.id, "-", row.claimed_rev, at)
        for job in jobs:
            tell("took", job.id, job.token, job.claimed_rev, at)
        time.sleep(rng.random() * 0.01)
        for job in jobs:
            time.sleep(_rest(rng, lone=len(jobs) == 1))
            again = rng.randrange(rows) + 1
            tell("trying", job.id, job.token, job.claimed_rev, now())
            with store.writing() as tx:
                at = now()
                well = tx.jobs.settle([AttemptEnding(job, Settled(State.IDLE, 0, 0, 0, at), 0, 0)], now=at)
                # Not by a sleeper whose row was ended by another: all may be done by now, and nobody be left to serve it.
                if well and rng.random() < 0.2:
                    tx.jobs.want(Kind.SCENE, again, Why.EDIT, at)
            tell("ended" if well else "refused", job.id, job.token, job.claimed_rev, at)
        if not jobs:
            time.sleep(0.02)
    store.close()
    os.close(log)


def _rest(rng: random.Random, *, lone: bool) -> float:
    """Mostly short; sometimes longer than the lease, and with a lone row nearly as long, so that sleepers meet others."""
    chance = rng.random()
    if chance < 0.01:
        return OVERSLEPT
    return rng.uniform(0.1, 0.9) * LEASE / 1000 / FASTER if lone and chance < 0.1 else rng.random() * 0.02


@dataclass(frozen=True)
class Told:
    """One line of what workers told."""

    what: str
    id: int
    token: str
    rev: int
    at: int
    pid: int


def _heard(told: Path) -> list[Told]:
    """All of it by time, and what was ended before what was taken at the same instant."""
    lines = [line.split() for line in told.read_text().splitlines()]
    heard = [Told(what, int(id), token, int(rev), int(at), int(pid)) for what, id, token, rev, at, pid in lines]
    return sorted(heard, key=lambda one: (one.at, one.what == "took"))


def _judge_workers(score: Score, path: Path, heard: list[Told], kills: list[int]) -> None:
    score.law(path, "at the end")
    for (id, rev), count in Counter((one.id, one.rev) for one in heard if one.what == "ended").items():
        if count > 1:
            score.double(f"row {id}, wish {rev} was ended {count} times")
    for trouble in _held_twice(heard):
        score.double(trouble)
    left = rows(path, "select id, state, cls from job where state <> 'idle'")
    alone = Counter(one.id for one in heard if one.what == "alone")
    poison = [id for id, state, cls in left if (state, cls) == ("dead", "poison")]
    # A row whose worker died three times while it was alone with it is poison, by rule; nothing else may be left.
    for id, state, cls in left:
        if (state, cls) != ("dead", "poison"):
            score.spoil(f"row {id} is left {state} {cls}")
        elif alone[id] < 3:
            score.spoil(f"row {id} is poison after {alone[id]} lone crashes")
    held = {one.token for one in heard if one.what == "took"}
    held -= {one.token for one in heard if one.what in ("ended", "refused")}
    slept = sum(one.what == "refused" for one in heard)
    if 3 * len(poison) > len(kills) + slept:
        score.spoil(f"{len(poison)} rows are poison after {len(kills)} kills and {slept} leases that were slept over")
    if not kills or not held:
        score.spoil(f"{len(kills)} kills left {len(held)} rows behind: this harness proves nothing")
    score.what += f" ({len(kills)} kills, {len(held)} rows taken back, {slept} late ends refused, {len(poison)} poison)"


def _held_twice(heard: list[Told]) -> Iterator[str]:
    """Rows that were taken while another's lease on them lived, or ended by one whose row another had taken since."""
    # Killed between the end and the word of it: nobody knows whether it was one.
    unknown = {one.token for one in heard if one.what == "trying"}
    unknown -= {one.token for one in heard if one.what in ("ended", "refused")}
    # So it is with who was killed between a commit that took rows back and the word of it.
    returned = {(one.id, one.pid, one.at) for one in heard if one.what == "returned"}
    doubtful: set[str] = set()
    holding: dict[int, Told] = {}
    for one in heard:
        if one.token in unknown:
            holding.pop(one.id, None)
            continue
        if one.token in doubtful:
            continue
        held = holding.get(one.id)
        if one.what in ("alone", "together") and (one.id, one.pid, one.at) not in returned and held:
            doubtful.add(held.token)
            holding.pop(one.id)
        elif one.what == "took":
            if held:
                yield f"row {one.id} was taken by {one.pid} while {held.pid} held it"
            holding[one.id] = one
        elif one.what == "returned":
            if held and one.at < held.at + LEASE:
                yield f"row {one.id} was taken back {held.at + LEASE - one.at} ms before {held.pid}'s lease ended"
            holding.pop(one.id, None)
        elif one.what == "ended":
            if held is None or held.token != one.token:
                yield f"row {one.id} was ended by {one.pid}, and held by {held.pid if held else 'nobody'}"
            holding.pop(one.id, None)


# --- F16 -------------------------------------------------------------------------------------------------------------


def everyone(size: str, seed: int) -> list[Score]:
    """Hooks, commands, readers and the worker itself on one database, all the time; looked at in full every minute."""
    looks, scenes = LOOKS[size], SCENES[size]
    score = Score(
        "F16", f"16 processes at once for {looks * MINUTE[size]:.0f} s: hooks, commands, readers, serve", seed
    )
    with workshop() as place, Neighbours() as town:
        path, over, made = place / "plexsync" / NAME, Path(place, "over"), town.ask("fresh", scenes)
        ids, half = made["ids"], scenes // 2
        forks.run(lambda ack: _want_each(path, ids))
        environ = environ_for(made, path.parent)
        with (place / "serve.log").open("wb") as log:
            server = subprocess.Popen(
                [sys.executable, "-m", "tests.torture.crowd", str(place / "wants")],
                cwd=ROOT,
                env=environ | {"PLEXSYNC_STASH_POLL_INTERVAL": "5", VARIABLE: os.environ.get(VARIABLE, "")},
                stdout=log,
                stderr=log,
            )
        wait_for_heartbeat(path.parent, server)
        # Hooks stir one half all the time, which therefore rests; the other half is worked again and again.
        acts: list[Callable[[Ack], None]] = [
            *[lambda ack, n=n: _hooks(path, over, ids[:half], seed + n, ack) for n in range(6)],
            *[lambda ack, n=n: _hook_processes(path, over, ids[:half], seed + n, ack) for n in range(6, 8)],
            *[lambda ack, n=n: _wants(path, over, ids[half:], seed + n, ack) for n in range(2)],
            lambda ack: _syncs(environ, over, ids, seed, ack),
            *[lambda ack: _reads(path, over, ack) for _ in range(2)],
            *[lambda ack: _statuses(environ, over, ack) for _ in range(2)],
        ]
        started = [forks.forked(act) for act in acts]
        largest = _watch(score, path, looks, MINUTE[size])
        over.touch()
        ends = [forks.ended(one) for one in started]
        code, told = _told_to_end(server), (place / "serve.log").read_text(errors="replace")
        for one in ends:
            if one.failed or one.killed:
                score.spoil(f"a process failed: {one.acks[-1:]}")
        if code or any(word in told for word in ("Traceback", " ERROR ", " CRITICAL ", "is busy", "is locked")):
            score.spoil(f"serve: exit {code}: {told[-600:]}")
        if largest >= LOG_LIMIT:
            score.spoil(f"the log grew to {largest} bytes")
        counts = Counter[str]({"fill": scenes, **_wants_of(place / "wants")})
        for line in (line for one in ends if not one.failed for line in one.acks):
            what, count = line.split()
            counts[what] += int(count)
        counted_here = COUNTED_ON_SERVER if is_postgres() else COUNTED
        _judge_soak(score, path, counts, [what for what in counted_here if not counts[what]])
        score.what += f" ({looks} looks, log up to {largest / 2**20:.1f} MB)"
        rush(path)
        done = forks.run(lambda ack: a_pass(config_for(made), path.parent, [], ack))
        if left := rows(path, "select id, state, error from job where state <> 'idle'"):
            score.spoil(f"{len(left)} rows are not in step at the end, like {left[:3]}: {done}")
        score.law(path, "when all was done")
    return [score]


def _want_each(path: Path, ids: list[int]) -> None:
    store = place_of(path.parent).open()
    with store.writing() as tx:
        for id in ids:
            tx.jobs.want(Kind.SCENE, id, Why.USER, SystemClock().now())
    store.close()


def _watch(score: Score, path: Path, looks: int, pace: float) -> int:
    """Look at everything in full so many times; the largest the log was, which is looked at all the time."""
    largest = 0
    log = path.with_name(f"{NAME}-wal")
    for number in range(looks):
        for _ in range(round(pace / 0.02)):
            with suppress(FileNotFoundError):
                largest = max(largest, log.stat().st_size)
            time.sleep(0.02)
        score.law(path, f"look {number + 1}")
    return largest


def _told_to_end(server: subprocess.Popen) -> int:
    server.send_signal(signal.SIGTERM)
    try:
        return server.wait(timeout=HANG)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
        return -1


def _judge_soak(score: Score, path: Path, counts: Counter[str], idle: list[str]) -> None:
    """Every want that was acknowledged is in the books, and no other: those taken from files are wants of serve's."""
    acked = sum(counts[what] for what in ("fill", "direct", "wants", "serve"))
    left = len(intake.list_spooled(str(path.parent), 100_000, 0))
    ((found,),) = rows(path, "select accepted from books")
    score.cases = acked + left
    if found < acked:
        score.lose(f"{dict(counts)} were acknowledged, {found} are in the books")
    if found > acked:
        score.double(f"{dict(counts)} were acknowledged, {found} are in the books")
    if counts["spooled"] != counts["taken"] + left:
        score.lose(f"{counts['spooled']} were left as files, {counts['taken']} taken over, {left} are there")
    if idle:
        score.spoil(f"nothing was done by {idle}: this harness proves nothing")
    score.law(path, "at the end")


def _hooks(path: Path, over: Path, ids: list[int], luck: int, ack: Ack) -> None:
    rng, counts = random.Random(luck), Counter[str]()
    while not counts or not over.exists():
        counts["spooled" if intake.store(str(path.parent), "scene", rng.choice(ids)) else "direct"] += 1
        time.sleep(rng.random() * 0.2)
    for what, count in counts.items():
        ack(f"{what} {count}")


def _hook_processes(path: Path, over: Path, ids: list[int], luck: int, ack: Ack) -> None:
    """As Stash starts them; what is left as a file is told apart by the files that are made."""
    rng, counts = random.Random(luck), Counter[str]()
    while not counts or not over.exists():
        context = {"type": "Scene.Update.Post", "id": rng.choice(ids), "input": {}}
        event = {"server_connection": {"Dir": str(path.parent.parent)}, "args": {"hookContext": context}}
        done = subprocess.run(
            [sys.executable, "plexsync/stash_plugin/hook.py"],
            cwd=ROOT,
            input=json.dumps(event).encode(),
            capture_output=True,
            timeout=HANG,
            check=False,
        )
        answer = json.loads(done.stdout)
        assert done.returncode == 0 and "output" in answer and b"Traceback" not in done.stderr, done
        counts["spooled" if "file" in answer["output"] else "direct"] += 1
        counts["hooks"] += 1
    for what, count in counts.items():
        ack(f"{what} {count}")


def _wants(path: Path, over: Path, ids: list[int], luck: int, ack: Ack) -> None:
    store, rng, count = place_of(path.parent).open(), random.Random(luck), 0
    while not count or not over.exists():
        with store.writing() as tx:
            for _ in range(20):
                tx.jobs.want(Kind.SCENE, rng.choice(ids), Why.SWEEP, SystemClock().now())
        count += 20
        time.sleep(rng.random() * 0.4)
    store.close()
    ack(f"wants {count}")


def _syncs(environ: dict[str, str], over: Path, ids: list[int], luck: int, ack: Ack) -> None:
    rng, count = random.Random(luck), 0
    while not count or not over.exists():
        some = [str(id) for id in rng.sample(ids, 3)]
        done = _called(["sync", *some], environ)
        assert done.returncode == 0, done
        count += len(some)
    ack(f"wants {count}")
    ack(f"syncs {count}")


def _statuses(environ: dict[str, str], over: Path, ack: Ack) -> None:
    count = 0
    while not count or not over.exists():
        done = _called(["status", "--json"], environ)
        assert done.returncode == 0 and not done.stderr, done
        assert json.loads(done.stdout)["books"]["balanced"], done.stdout
        count += 1
    ack(f"statuses {count}")


def _called(words: list[str], environ: dict[str, str]) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "plexsync", *words],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        timeout=HANG,
        check=False,
    )


def _reads(path: Path, over: Path, ack: Ack) -> None:
    """Snapshots that live for a moment, as a dashboard's do, and keep the log from being begun anew."""
    store = place_of(path.parent).open()
    while not over.exists():
        with store.reading() as db:
            db.summary(SystemClock().now())
            time.sleep(0.01)
        time.sleep(0.05)
    store.close()


# --- serve, counted --------------------------------------------------------------------------------------------------


def _wants_of(told: Path) -> dict[str, int]:
    return json.loads(told.read_text()) if told.exists() else {}


def copy_back(store: Database, how: str) -> None:
    """Write the log back."""
    with store.writing() as tx:
        db = tx._db.driver
    # Nobody is to wait long for what need not be.
    db.execute(WAIT_BRIEFLY)
    db.execute(f"pragma wal_checkpoint({how})").fetchall()
    db.execute(WAIT_AS_USUAL)


def counted(told: Path) -> None:
    """`plexsync serve` that counts what it wants by itself, and copies the log back also when it need not."""
    counts, rng = Counter[str](), random.Random(0)
    row_of, take = intake.row_of, Database.drain_spool

    def wanting(*args: object, **more: object) -> dict[str, object]:
        counts["serve"] += 1
        return row_of(*args, **more)  # type: ignore[arg-type]

    def taking(store: Database, at: int) -> int:
        taken = take(store, at)
        counts["taken"] += taken
        if not is_postgres():
            copy_back(store, rng.choice(("passive", "full", "restart", "truncate")))
            counts["copied"] += 1
        return taken

    intake.row_of = wanting
    Database.drain_spool = taking  # type: ignore[method-assign]
    try:
        call(["serve"])
    finally:
        told.write_text(json.dumps(counts))


if __name__ == "__main__":
    counted(Path(sys.argv[1]))

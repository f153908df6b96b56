"""SIGKILL at every step of SQLite's virtual machine, in everything that the store does: F1, F2, F3 and F13."""

import json
import random
import shutil
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from plexsync.rules.queue.job import Crashed, Job, Kind, Settled, State, Why
from plexsync.store import intake
from plexsync.store.database import Database
from plexsync.store.db import connect
from plexsync.store.queue.jobs import AttemptEnding
from tests.store.fifteen import old_database
from tests.store.pruning import prune
from tests.store_places import place_of
from tests.torture import forks
from tests.torture.forks import Steps
from tests.torture.score import NAME, Score, dump, workshop

NOW = 1_768_471_200_000
DAY = 86_400_000
LEASE = 120_000
BUT = ("token",)
# In which mode a database on such a file system has to be.
JOURNALS = {"ext4": "wal", "nfs4": "delete"}
MODES = {"ext4": "log", "nfs4": "rollback journal"}

Ack = Callable[[str], None]
# By mode, each so many steps a kill; the first by chance. And how often.
SAMPLE = ({"ext4": 301, "nfs4": 301}, 1)
FULL = ({"ext4": 1, "nfs4": 11}, 1)
LONG = ({"ext4": 1, "nfs4": 1}, 20)


def mount_table(folder: Path, kind: str) -> Path:
    """A table of mounts in which the folder lies on a file system of this kind."""
    table = folder / f"mounts-{kind}"
    table.write_text(f"22 1 8:1 / / rw - ext4 /dev/sda1 rw\n40 22 0:45 / {folder} rw - {kind} server:/share rw\n")
    return table


class Deed:
    """One thing the store does. `prepare` makes the database as it stands before; `act` does it and acknowledges."""

    name = ""
    fault = ""
    # The schema of the database before, 0 for none yet.
    schema = intake.SCHEMA
    # What differs between two runs of it.
    but: tuple[str, ...] = BUT

    def prepare(self, store: Database) -> None:
        with store.writing() as tx:
            for id in range(1, 9):
                tx.jobs.want(Kind.SCENE, id, Why.SWEEP if id == 8 else Why.EDIT, NOW)

    def act(self, path: Path, mounts: Path, ack: Ack) -> None:
        store = place_of(path.parent).open(mounts=mounts, worker=True)
        try:
            with store.writing() as tx:
                self.within(tx)
            ack("done")
        finally:
            store.close()

    def within(self, tx: object) -> None:
        raise NotImplementedError

    def after(self, path: Path, mounts: Path) -> str:
        """What is wrong with a database after the kill, beyond the law; '' when nothing is."""
        return ""

    def backups(self, folder: Path) -> list[Path]:
        """Where what was there before has to be found afterwards."""
        return []


class Enqueue(Deed):
    name, fault = "enqueue (store)", "F1"

    def within(self, tx) -> None:
        for id in (1, 7, 99):
            tx.jobs.want(Kind.SCENE, id, Why.EDIT, NOW + 5000)


class HookEnqueue(Deed):
    """It reads the clock by itself, so that has to stand still."""

    name, fault = "enqueue (hook)", "F1"

    def act(self, path: Path, mounts: Path, ack: Ack) -> None:
        intake.NOW = f"select {NOW + 5000}"
        trouble = intake.store(str(path.parent), "scene", 99)
        ack(f"spooled: {trouble}" if trouble else "done")


class Claim(Deed):
    name, fault = "claim", "F2"

    def within(self, tx) -> None:
        tx.jobs.claim(5, now=NOW + 1000, lease_ms=LEASE, holder="one")

    def after(self, path: Path, mounts: Path) -> str:
        """Everything can be claimed (again) once the lease is over."""
        store = place_of(path.parent).open(mounts=mounts)
        later = NOW + 1000 + LEASE
        try:
            with store.writing() as tx:
                for row, _, _ in tx.jobs.list_expired(now=later):
                    tx.jobs.crash(row, Crashed(State.READY, 0, 0, later), now=later)
            got: list[Job] = []
            with store.writing() as tx:
                while more := tx.jobs.claim(50, now=later, lease_ms=LEASE, holder="two"):
                    got += more
        finally:
            store.close()
        return "" if len(got) == 8 else f"{len(got)} of 8 rows can be claimed again"


class Claimed(Deed):
    """A deed on rows that are being worked."""

    fault = "F3"
    jobs: tuple[Job, ...] = ()

    def prepare(self, store: Database) -> None:
        super().prepare(store)
        with store.writing() as tx:
            self.jobs = tuple(tx.jobs.claim(5, now=NOW + 1000, lease_ms=LEASE, holder="one"))

    def settled(self, job: Job) -> Settled:
        raise NotImplementedError

    def within(self, tx) -> None:
        for job in self.jobs[:2]:
            tx.jobs.settle([AttemptEnding(job, self.settled(job), 1, 1)], now=NOW + 2000)


class SettleDone(Claimed):
    name = "settle (done)"

    def settled(self, job: Job) -> Settled:
        return Settled(State.IDLE, 0, 0, 0, NOW + 2000)


class SettleLater(Claimed):
    name = "settle (try again)"

    def settled(self, job: Job) -> Settled:
        return Settled(State.READY, 1, 1, 0, NOW + 9000, "Plex answered 500", "unavailable")


class SettleDead(Claimed):
    name = "move to the dead-letter queue"

    def settled(self, job: Job) -> Settled:
        return Settled(State.DEAD, 6, 6, 0, NOW + 2000, "Plex answered 400", "refused", "abc")


class TakeBack(Claimed):
    name = "take back from a dead worker"

    def within(self, tx) -> None:
        for row, _, _ in tx.jobs.list_expired(now=NOW + 2000, dead_holders=True):
            tx.jobs.crash(row, Crashed(State.DEAD, 3, NOW, NOW, "poison"), now=NOW + 2000)


class Prune(SettleDead):
    name = "prune"

    def prepare(self, store: Database) -> None:
        super().prepare(store)
        with store.writing() as tx:
            for job in self.jobs:
                tx.jobs.settle([AttemptEnding(job, self.settled(job), 1, 1)], now=NOW + 2000)

    def within(self, tx) -> None:
        prune(tx, now=NOW + 40 * DAY, before=NOW + DAY, limit=500)


class Retry(Prune):
    name = "retry and drop dead letters"

    def within(self, tx) -> None:
        tx.jobs.retry(kind=Kind.SCENE, id=self.jobs[0].id, now=NOW + DAY)
        tx.jobs.drop(now=NOW + DAY)


class Migrate(Deed):
    """From the schema before to today's, with the backup before it."""

    name, fault, schema = "migrate", "F13", intake.OLDEST

    def act(self, path: Path, mounts: Path, ack: Ack) -> None:
        connect(path, mounts=mounts).close()
        ack("done")

    def backups(self, folder: Path) -> list[Path]:
        return [folder / f"{Path(NAME).stem}-schema-{self.schema}.db"]


class Create(Deed):
    """From nothing to today's schema."""

    name, fault, schema = "create", "F13", 0

    def act(self, path: Path, mounts: Path, ack: Ack) -> None:
        place_of(path.parent).open(mounts=mounts).close()
        ack("done")


DEEDS: tuple[type[Deed], ...] = (
    Enqueue,
    HookEnqueue,
    Claim,
    SettleDone,
    SettleLater,
    SettleDead,
    TakeBack,
    Prune,
    Retry,
    Migrate,
    Create,
)


def kill(size: str, seed: int) -> list[Score]:
    """All deeds in both journal modes."""
    return [Score(**one) for one in forks.apart("tests.torture.kill_steps", size, seed)]


def all_kills(size: str, seed: int) -> list[Score]:
    """What `kill` does, in this process."""
    modes, repeats = {"sample": SAMPLE, "full": FULL, "long": LONG}[size]
    scores = []
    with workshop() as place:
        for kind, every in modes.items():
            table = mount_table(place, kind)
            for deed in DEEDS:
                pace = "at every step" if every == 1 else f"every {every} steps"
                score = Score(deed.fault, f"kill {pace}: {deed.name}, {MODES[kind]}", seed)
                _kill(Tried(deed(), place / f"{kind}-{deed.__name__}", kind, table), every, repeats, score)
                scores.append(score)
    return scores


def prepared(deed: Deed, folder: Path, table: Path) -> None:
    """The database before the deed, closed in good order."""
    folder.mkdir(mode=0o700, parents=True)
    if deed.schema == intake.SCHEMA:
        store = place_of(folder).open(mounts=table)
        deed.prepare(store)
        store.close()
    elif deed.schema:
        old_database(folder / NAME, deed.schema)


class Tried:
    """A deed in one journal mode: its database before, what it may look like after a kill, and how to judge a kill."""

    def __init__(self, deed: Deed, place: Path, kind: str, table: Path) -> None:
        self.deed = deed
        self.table = table
        self.folder = place / "case"
        self._template = place / "template"
        self._kind = kind
        prepared(deed, self._template, table)
        before = dump(self._template / NAME, but=deed.but) if (self._template / NAME).exists() else {}
        self._stages = [before]
        self.steps = self._fault_free()

    def fresh(self) -> Path:
        """The folder for the next case, as it stands before the deed; returns the path of the database."""
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.copytree(self._template, self.folder)
        return self.folder / NAME

    def act(self, ack: Ack) -> None:
        """What a child does with the fresh folder."""
        self.deed.act(self.folder / NAME, self.table, ack)

    def judge(self, acks: tuple[str, ...], score: Score, case: str) -> None:
        """As before or as after; what was acknowledged is as after; and life goes on."""
        deed, path = self.deed, self.folder / NAME
        last = self._stages[-1]
        if path.exists() and not score.law(path, case):
            return
        found = dump(path, but=deed.but) if path.exists() else {}
        # Where there was nothing, a database without anything in it is nothing, too.
        nothing = not self._stages[0] and found == {"schema": [(0,)]}
        if found not in self._stages and not nothing:
            score.spoil(f"{case}: neither as before nor as after")
        elif "done" in acks and found != last:
            score.lose(f"{case}: acknowledged and not there")
        elif acks and "done" not in acks:
            score.spoil(f"{case}: {acks}")
        if deed.fault == "F13":
            self._again(score, case)
        if told := deed.after(path, self.table):
            score.lose(f"{case}: {told}")

    def _again(self, score: Score, case: str) -> None:
        """Once more, without a kill: it comes to its end, and the backup holds what was there before."""
        path, but = self.folder / NAME, self.deed.but
        connect(path, mounts=self.table).close()
        if dump(path, but=but) != self._stages[-1]:
            score.spoil(f"{case}: a second try does not end well")
        for kept in self.deed.backups(self.folder):
            if not kept.exists() or dump(kept, but=but) != self._stages[0]:
                score.lose(f"{case}: {kept.name} is not what was there before")

    def _fault_free(self) -> int:
        """Do it all; returns how many steps that takes."""
        path, steps = self.fresh(), Steps()

        def act(ack: Ack) -> None:
            self.act(ack)
            ack(str(steps.count))

        end = forks.run(act, before=steps.watch)
        # A deed that leaves no trace, or another than is meant, would pass whatever a kill did.
        assert end.acks[:1] == ("done",) and not end.failed, (self.deed.name, end)
        after = dump(path, but=self.deed.but)
        assert after not in self._stages, self.deed.name
        assert journal_of(path) == JOURNALS[self._kind], self.deed.name
        self._stages.append(after)
        return int(end.acks[1])


def journal_of(path: Path) -> str:
    """How the database keeps its journal: `wal`, or `delete`."""
    with closing(sqlite3.connect(path)) as db:
        return str(db.execute("pragma journal_mode").fetchone()[0])


def _kill(tried: Tried, every: int, repeats: int, score: Score) -> None:
    first = random.Random(score.seed + hash_of(tried.deed.name)).randrange(every) + 1
    for step in range(first, tried.steps + 1, every):
        for _ in range(repeats):
            tried.fresh()
            end = forks.run(tried.act, before=Steps(step).watch)
            case = f"{tried.deed.name}, step {step}"
            score.cases += 1
            if not end.killed:
                score.spoil(f"{case}: it was not killed: {end}")
                continue
            tried.judge(end.acks, score, case)


def hash_of(text: str) -> int:
    return sum(text.encode())


if __name__ == "__main__":
    print(json.dumps([score.plain() for score in all_kills(sys.argv[1], int(sys.argv[2]))]))

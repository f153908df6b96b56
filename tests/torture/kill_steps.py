"""SIGKILL at every step of SQLite's virtual machine, in everything that the store does: F1, F2, F3 and F13."""

# A child has ended before the next case begins, so what it closes over stays as it is.
# ruff: noqa: B023

import random
import shutil
from collections.abc import Callable
from pathlib import Path

from store import intake, schema
from store.database import Database
from store.db import connect
from sync.job import Crashed, Job, Kind, Settled, State, Why
from tests.torture import forks
from tests.torture.forks import Steps
from tests.torture.score import NAME, Score, dump, workshop

NOW = 1_768_471_200_000
DAY = 86_400_000
LEASE = 120_000
BUT = ("token",)

Ack = Callable[[str], None]
SAMPLE = {"every": 71, "repeats": 1, "modes": ("ext4", "nfs4")}
FULL = {"every": 1, "repeats": 2, "modes": ("ext4", "nfs4")}
LONG = {"every": 1, "repeats": 20, "modes": ("ext4", "nfs4")}


def mount_table(folder: Path, kind: str) -> Path:
    """A table of mounts in which the folder lies on a file system of this kind."""
    table = folder / f"mounts-{kind}"
    table.write_text(f"22 1 8:1 / / rw - ext4 /dev/sda1 rw\n40 22 0:45 / {folder} rw - {kind} server:/share rw\n")
    return table


class Deed:
    """One thing the store does. `prepare` makes the database as it stands before; `act` does it and acknowledges."""

    name = ""
    fault = ""
    migrations: schema.Migrations = schema.MIGRATIONS

    def prepare(self, store: Database) -> None:
        with store.writing() as tx:
            for id in range(1, 9):
                tx.want(Kind.SCENE, id, Why.SWEEP if id == 8 else Why.EDIT, NOW)

    def act(self, path: Path, mounts: Path, ack: Ack) -> None:
        store = Database(path, mounts=mounts, worker=True)
        with store.writing() as tx:
            self.within(tx)
        ack("done")
        store.close()

    def within(self, tx: object) -> None:
        raise NotImplementedError

    def after(self, path: Path, mounts: Path) -> str:
        """What is wrong with a database after the kill, beyond the law; '' when nothing is."""
        return ""


class Enqueue(Deed):
    name, fault = "enqueue (store)", "F1"

    def within(self, tx) -> None:
        for id in (1, 7, 99):
            tx.want(Kind.SCENE, id, Why.EDIT, NOW + 5000)


class HookEnqueue(Deed):
    name, fault = "enqueue (hook)", "F1"

    def act(self, path: Path, mounts: Path, ack: Ack) -> None:
        trouble = intake.store(str(path.parent), "scene", 99)
        ack(f"spooled: {trouble}" if trouble else "done")

    def after(self, path: Path, mounts: Path) -> str:
        return ""


class Claim(Deed):
    name, fault = "claim", "F2"

    def within(self, tx) -> None:
        tx.claim(5, now=NOW + 1000, lease_ms=LEASE, holder="one")

    def after(self, path: Path, mounts: Path) -> str:
        """Everything can be claimed (again) once the lease is over."""
        store = Database(path, mounts=mounts)
        later = NOW + 1000 + LEASE
        try:
            with store.writing() as tx:
                for row, _, _ in tx.expired(now=later):
                    tx.crash(row, Crashed(State.READY, 0, 0, later), now=later)
            got: list[Job] = []
            with store.writing() as tx:
                while more := tx.claim(50, now=later, lease_ms=LEASE, holder="two"):
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
            self.jobs = tuple(tx.claim(5, now=NOW + 1000, lease_ms=LEASE, holder="one"))

    def settled(self, job: Job) -> Settled:
        raise NotImplementedError

    def within(self, tx) -> None:
        for job in self.jobs[:2]:
            tx.settle(job, self.settled(job), now=NOW + 2000, ok_mark=1, bad_mark=1)


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
        for row, _, _ in tx.expired(now=NOW + 2000, dead_holders=True):
            tx.crash(row, Crashed(State.DEAD, 3, NOW, NOW, "poison"), now=NOW + 2000)


class Prune(SettleDead):
    name = "prune"

    def prepare(self, store: Database) -> None:
        super().prepare(store)
        with store.writing() as tx:
            for job in self.jobs:
                tx.settle(job, self.settled(job), now=NOW + 2000, ok_mark=1, bad_mark=1)

    def within(self, tx) -> None:
        tx.prune(now=NOW + 40 * DAY, before=NOW + DAY, limit=500)


class Retry(Prune):
    name = "retry and drop dead letters"

    def within(self, tx) -> None:
        tx.retry(kind=Kind.SCENE, id=self.jobs[0].id, now=NOW + DAY)
        tx.drop(now=NOW + DAY)


class Migrate(Deed):
    """From the first schema to the newest, with the backup before it."""

    name, fault = "migrate", "F13"
    migrations = schema.MIGRATIONS[:1]

    def act(self, path: Path, mounts: Path, ack: Ack) -> None:
        connect(path, mounts=mounts).close()
        ack("done")


class Create(Deed):
    """From nothing to the newest schema."""

    name, fault = "create", "F13"
    migrations = ()

    def act(self, path: Path, mounts: Path, ack: Ack) -> None:
        connect(path, mounts=mounts).close()
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
    how = {"sample": SAMPLE, "full": FULL, "long": LONG}[size]
    scores = []
    with workshop() as place:
        for kind in how["modes"]:
            table = mount_table(place, kind)
            for deed in DEEDS:
                mode = "log" if kind == "ext4" else "rollback journal"
                score = Score(deed.fault, f"kill at every step: {deed.name}, {mode}", seed)
                _kill(deed(), place / f"{kind}-{deed.__name__}", table, how, score)
                scores.append(score)
    return scores


def prepared(deed: Deed, folder: Path, table: Path) -> None:
    """The database before the deed, closed in good order."""
    folder.mkdir(mode=0o700, parents=True)
    if not deed.migrations:
        return
    if deed.migrations is schema.MIGRATIONS:
        store = Database(folder / NAME, mounts=table)
        deed.prepare(store)
        store.close()
        return
    db = connect(folder / NAME, mounts=table, migrations=deed.migrations)
    with_old_rows(db)
    db.close()


OLD_ROW = """
insert into job (kind, id, state, lane, wanted_rev, due, since, stirred, first_unserved)
values ('scene', :id, 'ready', 0, 1, :now, :now, :now, :now)
"""


def with_old_rows(db) -> None:
    """Rows in a database of an older schema, written as it was known then."""
    for id in range(1, 9):
        db.execute("begin immediate")
        db.execute(OLD_ROW, {"id": id, "now": NOW})
        db.execute("update book set accepted = accepted + 1, tick = :now", {"now": NOW})
        db.execute("commit")


def _kill(deed: Deed, place: Path, table: Path, how: dict, score: Score) -> None:
    template = place / "template"
    prepared(deed, template, table)
    before = dump(template / NAME, but=BUT) if (template / NAME).exists() else {}
    stages, steps = _fault_free(deed, template, place / "free", table, before)
    first = random.Random(score.seed + hash_of(deed.name)).randrange(how["every"]) + 1
    for step in range(first, steps + 1, how["every"]):
        for _ in range(how["repeats"]):
            folder = place / "case"
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(template, folder)
            end = forks.run(lambda ack: deed.act(folder / NAME, table, ack), before=Steps(step).watch)
            score.cases += 1
            _judge(deed, folder, table, end, stages, score, step)


def hash_of(text: str) -> int:
    return sum(text.encode())


def _fault_free(deed: Deed, template: Path, folder: Path, table: Path, before: dict) -> tuple[list[dict], int]:
    """What the database may look like after a kill (the last one: when all was done), and how many steps it takes."""
    stages = [before]
    if deed.fault == "F13":
        for known in range(len(deed.migrations), len(schema.MIGRATIONS)):
            stages.append(_migrated(deed, template, folder, table, known + 1))
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(template, folder)
    steps = Steps()

    def act(ack: Ack) -> None:
        deed.act(folder / NAME, table, ack)
        ack(f"steps {steps.count}")

    end = forks.run(act, before=steps.watch)
    assert not end.failed, end
    stages.append(dump(folder / NAME, but=BUT))
    shutil.rmtree(folder)
    return stages, int(end.acks[-1].split()[1])


def _migrated(deed: Deed, template: Path, folder: Path, table: Path, known: int) -> dict:
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(template, folder)
    connect(folder / NAME, mounts=table, migrations=schema.MIGRATIONS[:known]).close()
    return dump(folder / NAME, but=BUT)


def _judge(deed: Deed, folder: Path, table: Path, end: forks.End, stages: list[dict], score: Score, step: int) -> None:
    case = f"{deed.name}, step {step}"
    if end.failed:
        score.spoil(f"{case}: {end.acks}")
        return
    path = folder / NAME
    if path.exists():
        found = dump(path, but=BUT)
        if not score.law(path, case):
            return
    else:
        found = {}
    empty = len(found.get("schema", ())) == 1 and found["schema"] == [(0,)] and len(found) == 1
    if found not in stages and not empty:
        score.spoil(f"{case}: neither as before nor as after")
    elif "done" in end.acks and found != stages[-1]:
        score.lose(f"{case}: acknowledged and not there")
    if deed.fault == "F13":
        # Once more, without a kill: it comes to its end, and the backup holds what was there before.
        connect(path, mounts=table).close()
        if dump(path, but=BUT) != stages[-1]:
            score.spoil(f"{case}: a second try does not end well")
    if told := deed.after(path, table):
        score.lose(f"{case}: {told}")

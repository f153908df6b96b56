"""The worker as facts and in words: whether it works, on which machine, how it ended, and who stands by."""

from typing import NamedTuple

from plexsync.reports.format import noted, stamp
from plexsync.rules.worker_ends import read as read_ends

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from plexsync.app.database_files import Summary
    from plexsync.reports.shapes.workers import StandbyFacts, WorkerEndFacts, WorkerFacts
    from plexsync.rules.records import StandbyRow, WorkerRow

# A worker without a heartbeat for this many milliseconds hangs (it sends one every few seconds, also when idle).
FRESH = 120_000


class Machines(NamedTuple):
    """The machine that works, or worked last, and those that stand by, where several use one database.

    `commit_wait`: for how many seconds a commit has been waiting for a standby server of the database.
    """

    worker: "WorkerRow | None"
    standbys: "Sequence[StandbyRow]"
    commit_wait: float = 0.0


ALONE = Machines(None, ())


def worker(summary: "Summary", machines: Machines, *, running: bool, began: int | None, enabled: bool) -> "WorkerFacts":
    """The worker: `running` if it holds the lock, `alive` if it also sends heartbeats."""
    beat = noted(summary.heartbeat)
    alive, young = (moment is not None and abs(summary.now - moment) < FRESH for moment in (beat, began))
    return {
        "running": running,
        "alive": running and alive,
        "starting": running and young and not alive,
        "inside": bool(summary.inside),
        "heartbeat": stamp(beat),
        "enabled": enabled,
        "host": machines.worker.host if machines.worker else "",
        "standbys": [standby_facts(row) for row in machines.standbys],
        "ended": ends_by_note(summary.ended),
        "commit_wait": machines.commit_wait,
        "thread_ended": ends_by_note(summary.thread_ended),
    }


def ends_by_note(text: str) -> "WorkerEndFacts | None":
    """How often in a row a worker ended by itself, or one of its threads, by the note of it."""
    ends = read_ends(text)
    if ends is None:
        return None
    count, since, last, error = ends
    return {"count": count, "since": stamp(since), "last": stamp(last), "error": error}


def standby_facts(row: "StandbyRow") -> "StandbyFacts":
    """A machine that stands by."""
    return {"host": row.host, "since": stamp(row.since), "differing": list(row.differing)}


def machine_words(worker: "WorkerFacts") -> str:
    """Where the worker runs and who stands by, to follow its word; '' with SQLite."""
    if not worker["host"]:
        return ""
    waiting = [f"{row['host']} stands by{_unlike(row)}" for row in worker["standbys"]]
    where = f" on {worker['host']}" if worker["running"] else f", last on {worker['host']}"
    return where + "".join(f"; {words}" for words in waiting)


def _unlike(row: "StandbyFacts") -> str:
    names = ", ".join(row["differing"])
    return f" and does not take over, since its settings differ ({names})" if names else ""

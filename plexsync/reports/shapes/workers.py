"""The worker, and the machines that stand by for it."""

from typing import TypedDict

from plexsync.reports.shapes.values import Moment


class WorkerEndFacts(TypedDict):
    """Workers that ended by themselves in a row: by a fault, killed, or because they hung. Or threads of a worker."""

    count: int
    since: Moment | None
    last: Moment | None
    error: str
    """The last error, in one line without secrets."""


class StandbyFacts(TypedDict):
    """A machine that waits for the worker's place, on a database that several machines use."""

    host: str
    since: Moment | None
    differing: list[str]
    """The settings that differ from the worker's, and keep this machine from taking over."""


class WorkerFacts(TypedDict):
    """The worker."""

    running: bool
    """Whether a worker holds the lock of the database."""
    alive: bool
    """Whether it runs and has sent a heartbeat in the last two minutes, as `/health` says."""
    starting: bool
    """Whether it has begun in the last two minutes and has sent no heartbeat yet."""
    inside: bool
    """Whether the worker inside Stash is switched on. It rests until something happens."""
    heartbeat: Moment | None
    enabled: bool
    """The setting `enabled`. If it is false, nothing is synced."""
    host: str
    """The machine that works, or worked last, with PostgreSQL; empty with SQLite."""
    standbys: list[StandbyFacts]
    """The machines that stand by, the longest-waiting first."""
    ended: WorkerEndFacts | None
    """Null after a worker has ended in good order, or has stayed up for ten minutes."""
    commit_wait: float
    """For how many seconds a commit has been waiting for a standby server of PostgreSQL; 0 with SQLite."""
    thread_ended: WorkerEndFacts | None
    """Threads of the worker that ended by a fault of PlexSync and were started again; null after ten minutes without."""

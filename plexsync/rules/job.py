"""The job row's states, what can come of an attempt, and what each outcome does to the row.

A job says only "scene 7 may be out of step". The row's life is drawn in docs/states.md; wanting and claiming are single
statements of `plexsync/store/intake.py` and `plexsync/store/jobs.py`, ending an attempt is `settle`, and nothing else
moves a row.
"""

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Literal

from plexsync.rules import retry

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR

# How soon an absent scene is looked for again; a finished scan asks at once.
ABSENT_PACE = (MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR, 6 * HOUR, DAY)
# The class of a row that is not in Plex yet.
ABSENT = "absent"
# The class of a row whose scene is not to be synced.
SCOPE = "scope"
POISON_CRASHES = 3
POISON_WINDOW = 72 * HOUR
CRASH_PACE = (MINUTE, 10 * MINUTE)


class State(StrEnum):
    """Where a row is. Only `idle` rows are out of the books."""

    READY = "ready"
    RUNNING = "running"
    IDLE = "idle"
    ABSENT = "absent"
    DEAD = "dead"
    GONE = "gone"
    DROPPED = "dropped"
    IGNORED = "ignored"
    OUTSIDE = "outside"


class Lane(IntEnum):
    """Edits and users go before sweeps."""

    EDIT = 0
    SWEEP = 1


class Kind(StrEnum):
    """What Stash has, and tells the changes of. The kind of a job is any text, so that a flow can bring its own."""

    SCENE = "scene"
    PERFORMER = "performer"
    STUDIO = "studio"
    TAG = "tag"
    GROUP = "group"


# Every registered kind of row; whatever else a table has is damage.
KINDS: frozenset[str] = frozenset(Kind)
# The kinds of rows that are no work of their own: notices of a change, from which the engine makes wishes.
NOTICES: frozenset[str] = frozenset({Kind.PERFORMER, Kind.STUDIO, Kind.TAG, Kind.GROUP})


class Why(StrEnum):
    """Who wants it: a change seen by hook or poller, a person, or a complete comparison."""

    EDIT = "edit"
    USER = "user"
    SWEEP = "sweep"


@dataclass(frozen=True)
class Job:
    """A claimed row as the engine holds it. Times are UTC milliseconds."""

    kind: str
    id: int
    lane: Lane
    token: str
    claimed_rev: int
    attempts: int = 0
    streak: int = 0
    crashes: int = 0
    alone: bool = False
    scan: int = 0
    ok_mark: int = 0
    bad_mark: int = 0
    cls: str = ""

    @property
    def failures(self) -> int:
        """How often it has failed in a row; looks that did not find it in Plex are no failures."""
        return 0 if self.cls == ABSENT else self.streak

    @property
    def looks(self) -> int:
        """How often in a row it was looked for in Plex and was not there."""
        return self.streak if self.cls == ABSENT else 0


@dataclass(frozen=True)
class Done:
    """In step: nothing is left to do."""


@dataclass(frozen=True)
class Later:
    """Our own fault or an unknown one: counted, tried again with backoff, dead after `max_retries`."""

    error: str
    cls: str = "bug"


@dataclass(frozen=True)
class Waiting:
    """The other side's fault. `counted` only by the evidence rule; `after` seconds is a floor for the next try.

    `backoff` False: a wait that is nobody's failure (a hold, a pause, an orderly release); the streak stays.
    """

    error: str
    cls: str
    after: float = 0.0
    counted: bool = False
    backoff: bool = True


@dataclass(frozen=True)
class Absent:
    """Plex does not have the file yet."""

    error: str


@dataclass(frozen=True)
class Dead:
    """Trying again would change nothing. `desired` is the hash of the wanted value that died."""

    cls: str
    error: str
    desired: str = ""


@dataclass(frozen=True)
class Gone:
    """Stash has no such scene any more."""


@dataclass(frozen=True)
class OutOfScope:
    """The scene is not to be synced, by the setting `scope`; what was pushed before stays in Plex, and known."""

    error: str


Outcome = Done | Later | Waiting | Absent | Dead | Gone | OutOfScope


@dataclass(frozen=True)
class Settled:
    """What ending an attempt writes to the row, unless it was wanted anew meanwhile."""

    state: State
    attempts: int
    streak: int
    crashes: int
    due: int
    error: str = ""
    cls: str = ""
    desired: str = ""


def settle(job: Job, outcome: Outcome, *, now: int, max_retries: int, draw: float, scan: int) -> Settled:
    """What becomes of a row whose attempt ended with `outcome`, unless it was wanted anew while the attempt ran.

    (Then it is ready again with no attempts used: `plexsync.store.jobs.Jobs.settle` decides that.) `draw` in [0, 1) feeds
    the jitter. `scan` is the scan counter now: if it moved since the claim, an absent verdict is old and is looked at again.
    """
    match outcome:
        case Done():
            return Settled(State.IDLE, 0, 0, 0, now)
        case Gone():
            return Settled(State.GONE, 0, 0, 0, now)
        case OutOfScope():
            return Settled(State.OUTSIDE, 0, 0, 0, now, outcome.error, SCOPE)
        case Dead():
            return Settled(
                State.DEAD, job.attempts, job.streak, 0, now, outcome.error, outcome.cls, desired=outcome.desired
            )
        case Absent():
            wait = 0 if scan > job.scan else ABSENT_PACE[min(job.looks, len(ABSENT_PACE) - 1)]
            return Settled(State.ABSENT, 0, job.looks + 1, 0, now + wait, outcome.error, ABSENT)
        case Waiting():
            return _waits(job, outcome, now=now, max_retries=max_retries, draw=draw)
        case Later():
            return _tries_again(job, outcome, counted=True, now=now, max_retries=max_retries, draw=draw)


def _waits(job: Job, outcome: Waiting, *, now: int, max_retries: int, draw: float) -> Settled:
    if not outcome.backoff:
        due = now + round(outcome.after * 1000)
        return Settled(State.READY, job.attempts, job.failures, job.crashes, due, outcome.error, outcome.cls)
    return _tries_again(job, outcome, counted=outcome.counted, now=now, max_retries=max_retries, draw=draw)


def _tries_again(
    job: Job, outcome: Waiting | Later, *, counted: bool, now: int, max_retries: int, draw: float
) -> Settled:
    attempts = job.attempts + counted
    failures = job.failures + 1
    if counted and attempts > max_retries:
        return Settled(State.DEAD, attempts, failures, 0, now, outcome.error, outcome.cls)
    floor = outcome.after if isinstance(outcome, Waiting) else 0.0
    wait = retry.delay(outcome.cls, job.failures, draw=draw, floor=floor)
    return Settled(State.READY, attempts, failures, job.crashes, now + round(wait * 1000), outcome.error, outcome.cls)


@dataclass(frozen=True)
class Crashed:
    """What finding a dead holder's row does to it: ready to be claimed alone, later, or dead as poison."""

    state: State
    crashes: int
    first_crash: int
    due: int
    cls: Literal["", "poison"] = ""


def crashed(*, alone: bool, crashes: int, first_crash: int, now: int) -> Crashed:
    """The rule for a row whose holder died. Only crashes of a lone claim count, and only within 72 h of the first."""
    if not alone:
        return Crashed(State.READY, crashes, first_crash, now)
    if now - first_crash > POISON_WINDOW or crashes == 0:
        crashes, first_crash = 0, now
    crashes += 1
    if crashes >= POISON_CRASHES:
        return Crashed(State.DEAD, crashes, first_crash, now, "poison")
    return Crashed(State.READY, crashes, first_crash, now + CRASH_PACE[crashes - 1])

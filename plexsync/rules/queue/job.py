"""The states of a job row, the outcomes of an attempt, and what each outcome does to the row.

A job says only "scene 7 may differ". docs/state-machines.md shows the life of a row. Wants and claims are single statements
in `plexsync/store/intake.py` and `plexsync/store/queue/jobs.py`, and `settle` ends an attempt; nothing else changes a row.
"""

from enum import IntEnum, StrEnum
from typing import Literal

from plexsync.rules.record_class import record
from plexsync.rules.servers.causes import Cause, pace_of
from plexsync.rules.servers.errors import (
    Barred,
    LocalFault,
    Missing,
    NeighbourError,
    Refused,
    SyncError,
    Throttled,
    Unavailable,
)

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR

# The delays before PlexSync looks again for a scene that is not in Plex yet. A finished scan makes it due at once.
ABSENT_PACE = (MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR, 6 * HOUR, DAY)
# The class of a row whose scene is not in Plex yet.
ABSENT = "absent"
# The class of a row whose scene was in Stash when last seen, and is gone.
LOST = "lost"
# The class of a row whose scene never was in Stash, as far as is known. A row that is new is deleted.
UNKNOWN = "unknown"
# The cause of a dropped row in whose place Plex shows another scene, as you chose.
NOT_SHOWN = "elsewhere"
# The class of a row whose scene is out of scope.
SCOPE = "scope"
POISON_CRASHES = 3
POISON_WINDOW = 72 * HOUR
CRASH_PACE = (MINUTE, 10 * MINUTE)
# The longest Retry-After that is honoured, in seconds.
MAX_FLOOR = 3600.0


class State(StrEnum):
    """The state of a row. Only `idle` rows are not in the books."""

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
    """The priority of a job: edits and users go before sweeps."""

    EDIT = 0
    SWEEP = 1


class Kind(StrEnum):
    """The kinds of objects in Stash whose changes are reported. The kind of a job is any text: a flow can add its own."""

    SCENE = "scene"
    PERFORMER = "performer"
    STUDIO = "studio"
    TAG = "tag"
    GROUP = "group"


# The kind of rows about the plays of a scene. Stash reports no such changes.
PLAYS = "plays"
# The kinds of rows about the rating of a scene, for each direction: to Plex, and back to Stash.
RATING, RATING_BACK = "rating", "ratingback"
# The kind of rows about collections. The id is that of the collection in the database.
COLLECTION = "collection"
# Kinds of rows of flows that may rest while scenes go on: they are no objects in Stash, and a switch turns them off.
FLOW_KINDS: frozenset[str] = frozenset({PLAYS, RATING, RATING_BACK, COLLECTION})
# Every registered kind of row; any other kind in a table is damage.
KINDS: frozenset[str] = frozenset(Kind) | FLOW_KINDS
# Kinds of rows that are not synced themselves: change notices, from which the engine makes wants.
NOTICES: frozenset[str] = frozenset({Kind.PERFORMER, Kind.STUDIO, Kind.TAG, Kind.GROUP})
# Kinds whose rows exist only while there is work: a row that becomes idle is deleted.
PASSING: frozenset[str] = NOTICES | FLOW_KINDS


class Why(StrEnum):
    """The origin of a want. Its row keeps it as the cause of what is pushed then."""

    EDIT = "edit"
    """A change in Stash, found by hook or poll."""
    USER = "user"
    """You asked for it."""
    AGAIN = "again"
    """Like an edit, of what is worked on: the row keeps its cause."""
    COMPARE = "compare"
    """A comparison found a difference. This and those below go behind edits."""
    PLEX = "plex"
    """Its items in Plex have changed."""
    ALL = "all"
    """You asked for all."""
    SWEEP = "sweep"
    """Any other want: of the row no cause is known then."""


@record
class Job:
    """A claimed row as the engine holds it. Times are UTC milliseconds.

    `on_time`: its own due time brought a row that is not in Plex yet, and no want or scan (`is_on_time`).
    `reason`: that of its wants.
    """

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
    on_time: bool = True
    reason: str = ""

    @property
    def failures(self) -> int:
        """The number of failures in a row. A look that did not find the scene in Plex is not a failure."""
        return 0 if self.cls == ABSENT else self.streak

    @property
    def looks(self) -> int:
        """The number of looks in a row that did not find the scene in Plex, without those made for a want or a scan."""
        return self.streak if self.cls == ABSENT else 0


@record
class Done:
    """In sync: nothing is left to do.

    `rests`: the status of an object that is left alone instead, such as `undone`. `found`: what a comparison would store.
    """

    rests: str = ""
    found: str = ""


@record
class Later:
    """A fault of PlexSync, or an unknown one: counted, retried with backoff, dead after `max_retries`."""

    error: str
    cls: str = "bug"


@record
class Waiting:
    """A fault of a server. `counted` only by the evidence rule; `after` seconds is a floor for the next try.

    `backoff` False: a wait that is no failure (a hold, a pause, an orderly release); the streak stays.
    """

    error: str
    cls: str
    after: float = 0.0
    counted: bool = False
    backoff: bool = True


@record
class Absent:
    """Plex does not have the file yet."""

    error: str


@record
class Dead:
    """Another attempt would change nothing. `desired` is the hash of the desired values that failed."""

    cls: str
    error: str
    desired: str = ""


@record
class Gone:
    """The scene no longer exists in Stash. `lost`: it did when last seen. `unknown`: nothing is remembered of it."""

    lost: bool = False
    unknown: bool = False


@record
class OutOfScope:
    """The setting `scope` excludes the scene. What was pushed before stays in Plex, and PlexSync remembers it."""

    error: str


@record
class NotShown:
    """You chose that Plex shows another scene: its items are bound to that one. `desired` names the items."""

    error: str
    desired: str = ""


Outcome = Done | Later | Waiting | Absent | Dead | Gone | OutOfScope | NotShown


@record
class Settled:
    """The new values of a row after an attempt, unless the scene was wanted again meanwhile."""

    state: State
    attempts: int
    streak: int
    crashes: int
    due: int
    error: str = ""
    cls: str = ""
    desired: str = ""


def settle(job: Job, outcome: Outcome, *, now: int, max_retries: int, draw: float, scan: int) -> Settled:
    """The new values of a row after an attempt that ended with `outcome`.

    They don't apply if the scene was wanted again during the attempt: `plexsync.store.queue.jobs.Jobs.settle` decides that,
    and queues the row with no attempts used. `draw` in [0, 1) feeds the jitter. `scan` is the current scan counter: if
    it moved since the claim, an absent verdict is outdated and the scene is looked for again.
    """
    match outcome:
        case Done():
            return Settled(State.IDLE, 0, 0, 0, now)
        case Gone():
            return Settled(State.GONE, 0, 0, 0, now, cls=LOST if outcome.lost else UNKNOWN if outcome.unknown else "")
        case OutOfScope():
            return Settled(State.OUTSIDE, 0, 0, 0, now, outcome.error, SCOPE)
        case NotShown():
            return Settled(State.DROPPED, 0, 0, 0, now, outcome.error, NOT_SHOWN, desired=outcome.desired)
        case Dead():
            return Settled(
                State.DEAD, job.attempts, job.streak, 0, now, outcome.error, outcome.cls, desired=outcome.desired
            )
        case Absent():
            # Edits and scans cause looks of their own, which would use up the quick ones within minutes.
            looks = job.looks + 1 if job.on_time or not job.looks else job.looks
            wait = 0 if scan > job.scan else _pace_after(looks)
            return Settled(State.ABSENT, 0, looks, 0, now + wait, outcome.error, ABSENT)
        case Waiting():
            return _waits(job, outcome, now=now, max_retries=max_retries, draw=draw)
        case Later():
            return _tries_again(job, outcome, counted=True, now=now, max_retries=max_retries, draw=draw)


def _pace_after(looks: int) -> int:
    """The wait after this many looks (ms)."""
    return ABSENT_PACE[min(max(looks, 1), len(ABSENT_PACE)) - 1]


def is_on_time(state: State, looks: int, *, since: int, due: int) -> bool:
    """Whether a claimable row waits in Plex's absence until its own due time: no want or scan has moved it since `since`."""
    return state is State.ABSENT and due - since >= _pace_after(looks)


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
    wait = delay(outcome.cls, job.failures, draw=draw, floor=floor)
    return Settled(State.READY, attempts, failures, job.crashes, now + round(wait * 1000), outcome.error, outcome.cls)


def delay(cls: str, streak: int, *, draw: float, floor: float = 0.0) -> float:
    """Seconds until the next try after `streak` failures in a row before this one.

    Full jitter: `draw` in [0, 1) picks uniformly below the exponential bound, so that many jobs do not come back as one
    wave. `floor` (a Retry-After) is honoured up to an hour; the jitter is added on top of it.
    """
    pace = pace_of(cls)
    bound = min(pace.cap, pace.base * 2.0 ** min(streak, 30))
    return min(max(floor, 0.0), MAX_FLOOR) + max(pace.least, bound * draw)


@record
class Crashed:
    """The new values of a row whose holder died: ready to be claimed alone, delayed, or dead as poison."""

    state: State
    crashes: int
    first_crash: int
    due: int
    cls: Literal["", "poison"] = ""


def after_crash(*, alone: bool, crashes: int, first_crash: int, now: int) -> Crashed:
    """The rule for a row whose holder died. Only crashes of a lone claim count, and only within 72 h of the first."""
    if not alone:
        return Crashed(State.READY, crashes, first_crash, now)
    if now - first_crash > POISON_WINDOW or crashes == 0:
        crashes, first_crash = 0, now
    crashes += 1
    if crashes >= POISON_CRASHES:
        return Crashed(State.DEAD, crashes, first_crash, now, "poison")
    return Crashed(State.READY, crashes, first_crash, now + CRASH_PACE[crashes - 1])


SECONDS = 1.7
START = 50
# A batch costs two reads of Plex: with so many scenes, no more than a twentieth of its edits.
LEAST = 40


def next_size(size: int, *, done: int, seconds: float, most: int) -> int:
    """The next batch size, after a batch of `size` jobs that took `seconds` for `done` of them.

    A batch that was not full is no measure. The size at most doubles or halves, and stays between `LEAST` and `most`.
    """
    if done < size:
        return min(size, most)
    fits = done * SECONDS / seconds if seconds > 0 else 2 * size
    return min(most, max(LEAST, round(min(2 * size, max(size / 2, fits)))))


# --- the outcome of an error ------------------------------------------------------------------------------------------


# From the most specific to the most general.
CAUSES: tuple[tuple[type[SyncError], Cause], ...] = (
    (Unavailable, Cause.UNAVAILABLE),
    (Throttled, Cause.THROTTLED),
    (Barred, Cause.BARRED),
    (Missing, Cause.MISSING),
    (Refused, Cause.REFUSED),
    (LocalFault, Cause.LOCAL),
)


def outcome_of(error: NeighbourError, *, own: bool = False, desired: str = "") -> Outcome:
    """The outcome for a job whose own request failed.

    `own`: other requests prove that the fault is the job's own and not an outage, so that the attempt counts. `desired`
    is the hash of the values to write. A rejected edit is dead at once. If the item is gone, the attempt counts, and
    the next attempt finds the item that replaced it.
    """
    match error:
        case Unavailable():
            return Waiting(str(error), Cause.UNAVAILABLE, after=error.retry_after or 0.0, counted=own)
        case Throttled():
            return Waiting(str(error), Cause.THROTTLED, after=error.retry_after)
        case Barred():
            return Waiting(str(error), Cause.BARRED, backoff=False)
        case Missing():
            return Waiting(str(error), Cause.MISSING, counted=True)
        case Refused():
            return Dead(Cause.REFUSED, str(error), desired=desired)
    return Later(str(error))


def shared_outcome_of(error: NeighbourError) -> Outcome:
    """The outcome for every job of a batch whose shared request failed. Outages, throttles and holds are not counted."""
    cause = next((cause for kind, cause in CAUSES if isinstance(error, kind)), Cause.BUG)
    return Waiting(str(error), cause, backoff=not isinstance(error, Unavailable | Throttled | Barred))

"""Records: the rows that the store keeps (`plexsync.store`), and what the neighbours answer (`plexsync.rules.neighbours`).

Times are UTC milliseconds unless a name says seconds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from plexsync.rules.errors import Neighbour
from plexsync.rules.job import Kind, State
from plexsync.rules.values import Held

# The greatest number that can name anything.
LAST_ID = 2**63 - 1


# --- what the store keeps besides jobs -------------------------------------------------------------------------------


@dataclass(frozen=True)
class BreakerRow:
    """One neighbour's breaker as plain values (seconds, UTC); the rules are in worker/circuit_breaker.py.

    `cause` is what tripped it or counts against it now: "read" or "write"; `error` the last one-line message.
    """

    state: str = "closed"
    failures: int = 0
    successes: int = 0
    opened_at: float | None = None
    wait: float = 0.0
    trips: int = 0
    generation: int = 1
    probe_started: float | None = None
    cause: str = ""
    error: str = ""


@dataclass(frozen=True)
class HoldRow:
    """Work is held until a person changes `setting`; re-tested at `retest_at`, at once when `fingerprint` changes."""

    setting: str
    message: str
    since: int
    retest_at: int
    fingerprint: str


@dataclass(frozen=True)
class PaceRow:
    """How fast one neighbour may be asked. `not_before`: a throttle; `ramp`: jobs per claim while recovering, 0 = no limit.

    `writes_ok` and `writes_bad` count every write ever tried: what the evidence rule compares.
    """

    not_before: int = 0
    ramp: int = 0
    writes_ok: int = 0
    writes_bad: int = 0


@dataclass(frozen=True)
class SectionRow:
    """A Plex library in the index and the marks it had when it was last walked completely (`walked_at` 0: never).

    `stamp` is the newest of its items' stamps that a walk has met; what changed later has a greater one.
    """

    key: str
    title: str
    scanned_at: int = 0
    changed_at: int = 0
    walked_at: int = 0
    stamp: int = 0


@dataclass(frozen=True)
class JobRow:
    """A job row as a reader sees it."""

    kind: str
    id: int
    state: State
    lane: int
    wanted_rev: int
    claimed_rev: int
    settled_rev: int
    attempts: int
    streak: int
    crashes: int
    due: int
    since: int
    lease_until: int | None
    error: str
    cls: str
    desired: str


@dataclass(frozen=True)
class AttemptRow:
    """One ended attempt that did not go well."""

    at: int
    cls: str
    error: str
    attempts: int
    state: State


@dataclass(frozen=True)
class Moved:
    """What a push did to one field: value and lock before it, and as read back after it."""

    old: Held
    new: Held


@dataclass(frozen=True)
class PushRow:
    """One past push of a scene to the item `key`, with what it changed by field; `undone` if it took something back."""

    at: int
    key: str
    moved: Mapping[str, Moved]
    undone: str = ""


@dataclass(frozen=True)
class Lately:
    """What came of work on a row: what a push has changed in Plex, or an attempt that did not go well."""

    kind: str
    id: int
    outcome: PushRow | AttemptRow

    @property
    def at(self) -> int:
        """When."""
        return self.outcome.at


@dataclass(frozen=True)
class RunRow:
    """A stretch of past pushes without a long silence in it: its first and last number, from when until when, of how many
    scenes."""

    first: int
    last: int
    start: int
    end: int
    scenes: int


@dataclass(frozen=True)
class PollMark:
    """What the poller last saw of one thing in Stash: the text of its `updated_at`, and whether that second is over."""

    id: int
    updated_at: str
    sure: bool = True


@dataclass(frozen=True)
class PictureRow:
    """What became of a picture of a scene: which one it was (`version`, and Stash's `tag`), and the key under which Plex
    keeps it, '' when there is none that Plex can show (`reason`)."""

    version: str
    tag: str
    key: str
    reason: str = ""


@dataclass(frozen=True)
class Stood:
    """How a scene stood in the last comparison that saw it (`plexsync.flows.scenes.reconcile.stands`), and since when
    it was seen so."""

    word: str
    since: int


@dataclass(frozen=True)
class Called:
    """What a scene was called when it was last seen: its title in Stash ('' for none), and the path of its first file."""

    title: str
    path: str


@dataclass(frozen=True)
class Overview:
    """The store at one moment, for `status`. `jobs` has every state; `books` the four counters; `dead` counts by class."""

    jobs: Mapping[State, int]
    due: int
    oldest_due: int | None
    dead: Mapping[str, int]
    books: Mapping[str, int]
    breakers: Mapping[Neighbour, BreakerRow]
    holds: Mapping[Neighbour, HoldRow]
    paces: Mapping[Neighbour, PaceRow]
    sections: Sequence[SectionRow]
    indexed: int
    notes: Mapping[str, str] = field(default_factory=dict)


# --- the neighbours --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Newest:
    """How many things of a kind Stash has, and the newest `updated_at` among them as Stash wrote it.

    `last` is the greatest id, known for scenes alone.
    """

    count: int
    updated_at: str
    last: int = 0


@dataclass(frozen=True)
class News:
    """What tells whether anything has changed in Stash: by kind, and for files (None: this Stash can't tell)."""

    kinds: Mapping[Kind, Newest]
    files: Newest | None


@dataclass(frozen=True)
class Picture:
    """A picture of Stash. `tag` is what tells Stash which one we have ('' when it told none)."""

    content: bytes
    tag: str


@dataclass(frozen=True)
class Plugin:
    """A plugin as it is installed in Stash; `version` is '' when it tells none."""

    version: str
    enabled: bool


@dataclass(frozen=True)
class Section:
    """A movie library of Plex. `scanned_at` and `changed_at` are marks to compare, nothing else.

    `owned`: Plex gives us the rights of the server's owner there.
    """

    key: str
    title: str
    locations: tuple[str, ...]
    scanned_at: int
    changed_at: int
    scanning: bool
    owned: bool = True

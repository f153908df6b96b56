"""What the engine needs from the outside: a store, two neighbours, a clock and dice.

Times are UTC milliseconds unless a name says seconds. The store's methods are called inside `reading()` (one snapshot) or
`writing()` (one `BEGIN IMMEDIATE` transaction, committed and synced when the block ends well, rolled back otherwise);
nothing of it stays open while a request is under way. Neighbour methods raise `plexsync.rules.errors.NeighbourError`
only; store
methods raise `LocalFault` and `NewerDatabase` only.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol

from plexsync.rules.errors import Neighbour
from plexsync.rules.item import Cast, Entry, Item
from plexsync.rules.job import Crashed, Job, Kind, Lane, Settled, State, Why
from plexsync.rules.match import Binding
from plexsync.rules.notices import Notice
from plexsync.rules.outages import Transition
from plexsync.rules.plan import Edit, Held, Memory, Pushing
from plexsync.rules.samples import Sample
from plexsync.rules.scene import Image, Scene

# The greatest number that can name anything.
LAST_ID = 2**63 - 1


class Clock(Protocol):
    """Where time comes from."""

    def now(self) -> int:
        """UTC milliseconds on the wall."""
        ...

    def monotonic(self) -> float:
        """Seconds that never step."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait; may return early."""
        ...


class Messenger(Protocol):
    """A way to tell a person something."""

    name: str
    """What it is called in the log."""

    def send(self, notice: Notice) -> None:
        """Tell it, within a minute or so; raises `plexsync.rules.notices.NotSent`."""
        ...


class Dice(Protocol):
    """Where chance comes from."""

    def random(self) -> float:
        """Uniform in [0, 1)."""
        ...


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

    kind: Kind
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

    kind: Kind
    id: int
    what: PushRow | AttemptRow

    @property
    def at(self) -> int:
        """When."""
        return self.what.at


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
class Seen:
    """What the poller last saw of one thing in Stash: the text of its `updated_at`, and whether that second is over."""

    id: int
    updated_at: str
    sure: bool = True


@dataclass(frozen=True)
class PictureRow:
    """What became of a picture of a scene: which one it was (`version`, and Stash's `tag`), and the key under which Plex
    keeps it, '' when there is none that Plex can show (`why`)."""

    version: str
    tag: str
    key: str
    why: str = ""


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


class Reading(Protocol):
    """One consistent snapshot."""

    def breaker(self, who: Neighbour) -> BreakerRow:
        """The breaker's row; the default row when there is none, an OPEN one when the stored values are impossible."""
        ...

    def hold(self, who: Neighbour) -> HoldRow | None: ...

    def pace(self, who: Neighbour) -> PaceRow: ...

    def transitions(self) -> list[Transition]:
        """The log of breaker and hold transitions that is still kept, oldest first: what outages are derived from."""
        ...

    def job(self, kind: Kind, id: int) -> JobRow | None: ...

    def jobs(self, state: State, *, cls: str = "", limit: int = 100, after: tuple[str, int] = ("", 0)) -> list[JobRow]:
        """Rows of one state, ordered by (kind, id) after the key given; `cls` filters by error class."""
        ...

    def in_work(self, limit: int) -> list[JobRow]:
        """Up to `limit` of the rows that are being worked, those first whose leases end first."""
        ...

    def lately(self, limit: int) -> list[Lately]:
        """The newest `limit` things that came of work, newest first."""
        ...

    def changed_since(self, since: int) -> int:
        """How many items were changed in Plex at that moment or later."""
        ...

    def job_ids(self, kind: Kind, *, after: int = 0, upto: int = LAST_ID) -> Iterator[tuple[int, State]]:
        """The rows of one kind with an id above `after`, up to `upto`, by id."""
        ...

    def attempts(self, kind: Kind, id: int) -> list[AttemptRow]:
        """Newest first."""
        ...

    def pushes(self, kind: Kind, id: int) -> list[PushRow]:
        """What was changed in Plex for it, newest first."""
        ...

    def latest_pushes(self, limit: int) -> list[tuple[int, PushRow]]:
        """The last pushes of all, each with its scene, newest first."""
        ...

    def latest_attempts(self, limit: int) -> list[tuple[Kind, int, AttemptRow]]:
        """The last attempts of all that did not go well, newest first."""
        ...

    def dead(self) -> dict[str, int]:
        """How many rows died of each class."""
        ...

    def dead_up_to(self, limit: int) -> int:
        """How many rows are dead, counted no further than `limit`."""
        ...

    def tallies(self) -> dict[str, int]:
        """How rows came into the dead-letter queue and left it (`plexsync/store/tallies.py`), and what history was
        forgotten."""
        ...

    def outline(self) -> str:
        """A text that changes when the index gets, loses or changes items."""
        ...

    def attempts_used(self) -> int:
        """How many attempts (of those still remembered) were counted against their job."""
        ...

    def next_due(self, now: int) -> int | None:
        """When the next ready or absent row is due, or a lease ends (may be past); None when nothing waits."""
        ...

    def unsettled(self) -> int:
        """How many rows are ready or running."""
        ...

    def scan(self) -> int:
        """How many finished Plex scans were noticed."""
        ...

    def note(self, name: str) -> str:
        """A small named text ('' when unset): cursors, times of the last poll and reconcile, the worker's heartbeat."""
        ...

    def number(self, name: str) -> int | None:
        """The number in a note, a time for instance; None when it is unset, or no number (the disk may have spoilt it)."""
        ...

    def take_overs(self, scenes: Sequence[int]) -> dict[int, str]:
        """Those of these scenes whose items are to be taken over, each with the mark by which that wish is known."""
        ...

    def memories(self, scenes: Sequence[int]) -> dict[tuple[int, str], Memory]:
        """What is remembered, by (scene, item key), of every item of these scenes."""
        ...

    def pushings(self, scenes: Sequence[int]) -> dict[tuple[int, str], tuple[Pushing, ...]]:
        """Pushes whose end is unknown, oldest first, by (scene, item key)."""
        ...

    def owners(self, keys: Sequence[str]) -> dict[str, frozenset[int]]:
        """Which scenes have memory of these items; items without any are left out."""
        ...

    def bindings(self) -> list[Binding]:
        """Every item that a person has bound to a scene, by scene and item."""
        ...

    def unbound(self) -> frozenset[tuple[int, str]]:
        """(scene, item key) of bindings that were taken back: that the item was written to says nothing then."""
        ...

    def healthy(self, limit: int, *, but: frozenset[str] = frozenset()) -> list[tuple[str, str, str]]:
        """(section, item key, field) of locks that we hold on items whose latest push went well, newest first."""
        ...

    def pushed_scenes(self, *, after: int, limit: int) -> list[int]:
        """Up to `limit` scenes above `after` of whose items anything is remembered or on its way, by number."""
        ...

    def pushed_at(self, scenes: Sequence[int]) -> dict[int, int]:
        """When anything was last pushed for these scenes; those without any are left out."""
        ...

    def pushed_since(self, since: int) -> list[int]:
        """The scenes for which anything was pushed at that moment or later, or may have been."""
        ...

    def runs(self) -> list[RunRow]:
        """The runs that the past pushes which are still kept were made in, the latest first."""
        ...

    def pushed_in(self, run: RunRow) -> list[int]:
        """The scenes that were pushed in a run."""
        ...

    def undone(self) -> dict[str, int]:
        """How many scenes our hand was taken off, by how that was done (`plexsync.rules.plan.Undone`)."""
        ...

    def sections(self) -> list[SectionRow]: ...

    def indexed(self) -> int:
        """How many items the index holds."""
        ...

    def indexed_in(self, section: str) -> int:
        """How many items of one library the index holds."""
        ...

    def unmet(self, section: str, *, walk: int, limit: int, after: str = "") -> list[str]:
        """Up to `limit` keys of a library's entries that this walk did not meet, by key."""
        ...

    def scenes_of(self, keys: Sequence[str]) -> set[int]:
        """The scenes that these items were pushed for, or that a comparison has found for them."""
        ...

    def unpaired(self, run: int, *, limit: int, after: str = "") -> list[Entry]:
        """Up to `limit` indexed items that no scene shows, by key: comparison `run` found none, none was pushed."""
        ...

    def count_unpaired(self, run: int) -> int:
        """How many `unpaired` lists in all."""
        ...

    def standing(self, scene: int) -> Stood | None:
        """How a scene stood in the last comparison that saw it."""
        ...

    def standings(self) -> dict[str, tuple[int, int | None]]:
        """By the words of `plexsync.rules.scene_status`: how many scenes stand so, and since when the one that has done
        so the longest."""
        ...

    def stood(self, word: str, *, limit: int, after: int = 0) -> list[int]:
        """Up to `limit` scenes that stood so, by id."""
        ...

    def standing_so(self, word: str, *, limit: int, after: int = 0) -> list[int]:
        """Up to `limit` scenes above `after` that stand so (a word of `plexsync.rules.scene_status`; '': in any way),
        by number."""
        ...

    def called(self, scenes: Sequence[int]) -> dict[int, Called]:
        """What these scenes were called; those that were never seen are left out."""
        ...

    def called_like(self, text: str, *, limit: int, after: int = 0) -> list[int]:
        """Up to `limit` scenes above `after` whose title or path has this text in it, whatever its case, by number."""
        ...

    def samples(self, start: int, end: int) -> list[Sample]:
        """The samples that begin from `start` to `end`."""
        ...

    def done(self) -> int:
        """How many jobs were brought to their end since there is this database."""
        ...

    def entries(self, keys: Sequence[str]) -> list[Entry]:
        """Indexed items by rating key."""
        ...

    def entries_at(self, path_keys: Sequence[str]) -> list[Entry]:
        """Indexed items with a part at one of these path keys (plexsync.rules.paths.path_key)."""
        ...

    def entries_named(self, name_keys: Sequence[str]) -> list[Entry]:
        """Indexed items with a part of one of these name keys (plexsync.rules.paths.name_key)."""
        ...

    def seen(self, kind: Kind, ids: Sequence[int]) -> dict[int, Seen]: ...

    def unsure(self, kind: Kind) -> list[Seen]:
        """Things seen in a second that was not over yet: they are wanted once more at the next poll."""
        ...

    def showing(self, kind: Kind, id: int) -> list[int]:
        """The scenes that showed a performer, studio, tag or group when they were last looked at."""
        ...

    def shown_of(self, kind: Kind) -> set[int]:
        """All of this kind that any scene showed when it was last looked at."""
        ...

    def pictures(self, scene: int) -> dict[str, PictureRow]:
        """What became of a scene's pictures, by name (`thumb`, `art`)."""
        ...

    def overview(self, now: int) -> Overview: ...


class Writing(Reading, Protocol):
    """One write transaction."""

    def want(self, kind: Kind, id: int, why: Why, now: int, *, desired: str = "", behind: bool = False) -> None:
        """The only way in. One upsert; the books count it as accepted, and as coalesced when the row was not idle.

        `behind`: an edit that is one of many at once goes with the sweeps, unless the row is a person's already.
        """
        ...

    def claim(self, limit: int, *, now: int, lease_ms: int, holder: str) -> list[Job]:
        """Up to `limit` due rows, edits before sweeps with one slot kept for sweeps; a row that crashed comes alone."""
        ...

    def renew(self, tokens: Sequence[str], *, until: int) -> set[str]:
        """Prolong leases; returns the tokens that still hold."""
        ...

    def renewed(self, job: Job) -> bool:
        """Whether the wish was renewed since the claim."""
        ...

    def settle(self, job: Job, after: Settled, *, now: int, ok_mark: int, bad_mark: int) -> bool:
        """End an attempt: one UPDATE guarded by the token, with an attempt row when it carries an error; False if lost."""
        ...

    def expired(self, *, now: int, dead_holders: bool = False) -> list[tuple[JobRow, bool, int]]:
        """Running rows whose lease is over (all running rows when `dead_holders`): (row, claimed alone, first crash)."""
        ...

    def crash(self, row: JobRow, after: Crashed, *, now: int) -> None: ...

    def retry(
        self,
        *,
        kind: Kind | None = None,
        id: int | None = None,
        cls: str = "",
        now: int,
        lane: Lane = Lane.EDIT,
        limit: int = -1,
    ) -> int:
        """Dead rows back to ready with no attempts used: one, those of one class, or all. Returns how many."""
        ...

    def cure(self, cls: str, *, now: int, limit: int) -> int:
        """Up to `limit` rows of a class whose cause was cured are ready again, as sweeps. Returns how many."""
        ...

    def wake(self, keys: Iterable[tuple[Kind, int]], *, now: int) -> int:
        """Absent rows of these keys are due at once. Returns how many were not."""
        ...

    def drop(self, *, kind: Kind | None = None, id: int | None = None, cls: str = "", now: int, limit: int = -1) -> int:
        """Give up dead rows: one, those of one class, or all. They come back only by a new edit. Returns how many."""
        ...

    def set_aside(self, kind: Kind, id: int, *, now: int) -> bool:
        """Drop a row in whatever state; an attempt under way loses it. False if there is none, or it is aside already."""
        ...

    def wrest(self, kind: Kind, id: int, *, now: int) -> bool:
        """A running row is ready again, and its attempt can neither save nor send any more. False if it did not run."""
        ...

    def ignore(self, kind: Kind, id: int, *, now: int) -> bool:
        """Want it never again, whatever its state (also when it has no row yet). False if it is ignored already."""
        ...

    def unignore(self, kind: Kind, id: int, *, now: int) -> bool:
        """An ignored row is ready. False if it was not ignored."""
        ...

    def prune(self, *, now: int, before: int, limit: int) -> int:
        """Delete dead, dropped and gone rows (and their attempts) that have been so since before `before`; counted.

        What was remembered of the items of gone scenes goes with them.
        """
        ...

    def prune_history(self, *, now: int, before: int, limit: int) -> int:
        """Delete up to `limit` attempts and as many pushes that are older than `before`; counted. Returns how many."""
        ...

    def add_push(self, scene: int, key: str, moved: Mapping[str, Moved], *, at: int, undone: str = "") -> None:
        """Write down what a push has changed, or taken back (`undone` tells how)."""
        ...

    def tally(self, name: str, count: int = 1) -> None: ...

    def save_breaker(self, who: Neighbour, row: BreakerRow) -> None: ...

    def log_transition(self, who: Neighbour, *, at: int, old: str, new: str, cause: str, error: str) -> None:
        """One line in the log that outages are derived from, with how many rows are ready or running."""
        ...

    def save_hold(self, who: Neighbour, row: HoldRow | None) -> None: ...

    def save_pace(self, who: Neighbour, row: PaceRow) -> None: ...

    def save_note(self, name: str, value: str) -> None: ...

    def take_over(self, scene: int, *, now: int) -> None:
        """Mark a scene: the next time that its items are brought in step, what was there before us becomes ours."""
        ...

    def end_take_over(self, scene: int, mark: str = "") -> None:
        """What this mark wished is done, or ('') is not wished any more; a newer mark stays."""
        ...

    def remember(self, scene: int, key: str, memory: Memory, *, now: int) -> None:
        """Replace what is known of one (scene, item); an empty memory deletes it."""
        ...

    def bind(self, binding: Binding) -> bool:
        """From the next look on the item is the scene's; False if it is bound to another scene."""
        ...

    def unbind(self, scene: int, key: str = "") -> int:
        """Take one item (all of them: '') off a scene; returns how many were bound."""
        ...

    def add_pushing(self, scene: int, key: str, pushing: Pushing) -> int:
        """Save an entry before its edit goes out; returns its number."""
        ...

    def prolong_pushing(self, numbers: Sequence[int], until: int) -> None:
        """The edits of these entries may take effect until then."""
        ...

    def drop_pushing(self, scene: int, key: str, *, number: int | None = None, ended: int | None = None) -> None:
        """Forget one entry, or those whose `until` is at or before `ended`."""
        ...

    def ask_scan(self, section: str, folder: str, *, now: int, again: int) -> bool:
        """Whether a folder may be scanned, which then counts as done now: not within `again` ms after the last time."""
        ...

    def save_section(self, row: SectionRow) -> None: ...

    def drop_sections(self, but: Sequence[str]) -> None:
        """Forget the libraries (and their entries) that are not named."""
        ...

    def drop_items(self, but: Sequence[str], *, limit: int) -> int:
        """Forget up to `limit` entries of libraries that are not named. Returns how many."""
        ...

    def index(self, entries: Iterable[Entry], *, walk: int, stamped: bool = False) -> int:
        """Put entries in the index as of walk number `walk` (path and name keys are computed by the store).

        Returns how many are new or have other files than before. `stamped`: their stamps are known as well from now on.
        """
        ...

    def stamp(self, stamps: Mapping[str, int]) -> None:
        """The items' stamps, as they were read after an edit of ours."""
        ...

    def sweep_index(self, section: str, *, walk: int) -> int:
        """After a complete walk: forget the section's entries that it did not meet. Returns how many."""
        ...

    def unindex(self, keys: Sequence[str]) -> None: ...

    def pair(self, keys: Sequence[str], scene: int, *, run: int) -> None:
        """Comparison `run` has found this scene for these items."""
        ...

    def save_standings(self, words: Mapping[int, str], *, now: int) -> None:
        """How scenes stand now; one that stood so before keeps the time since when."""
        ...

    def drop_standings(self, but: Iterable[int], *, after: int, upto: int = LAST_ID) -> None:
        """Forget how scenes stood whose ids are above `after`, up to `upto`, and not among these."""
        ...

    def scanned(self, now: int) -> int:
        """A Plex scan has finished: count it and make absent rows due. Returns how many rows woke."""
        ...

    def wake_absent(self, now: int, *, limit: int, lane: Lane = Lane.EDIT) -> int:
        """Make up to `limit` absent rows due that are not, in this lane or where they are behind it. Returns how many."""
        ...

    def save_seen(self, kind: Kind, seen: Iterable[Seen]) -> None: ...

    def forget_seen(self, kind: Kind) -> None: ...

    def save_shown(self, scene: int, things: Iterable[tuple[str, int]], *, title: str = "", path: str = "") -> None:
        """Note what a scene is called and shows (`Scene.things`); nothing at all forgets the scene."""
        ...

    def add_sample(self, sample: Sample) -> None:
        """Write down how a minute went."""
        ...

    def prune_samples(self, *, now: int, limit: int) -> int:
        """Put old samples together, forget very old ones; returns how many went, 0 when all is done."""
        ...

    def save_picture(self, scene: int, name: str, row: PictureRow) -> None: ...

    def forget_pictures(self, scene: int) -> None: ...


class Store(Protocol):
    """The database."""

    def reading(self) -> AbstractContextManager[Reading]: ...

    def writing(self) -> AbstractContextManager[Writing]: ...

    def changed(self) -> bool:
        """Whether another connection has committed since this was last asked (microseconds; PRAGMA data_version)."""
        ...

    def drain_spool(self, now: int) -> int:
        """Want what hooks had to leave as files; returns how many. Raises SpoolFault when some have to stay."""
        ...


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


class Stash(Protocol):
    """The neighbour that says what is true."""

    @property
    def date(self) -> str:
        """What time it was at the last answer by the clock there, as HTTP writes it; '' where none was told."""
        ...

    def probe(self) -> None:
        """One cheap authenticated request; raises unless Stash answers and is ready."""
        ...

    def scenes(self, ids: Sequence[int]) -> dict[int, Scene]:
        """The scenes of these ids, in one request; those that do not exist are left out."""
        ...

    def walk(self, *, after: int = 0, page: int = 500) -> Iterator[list[Scene]]:
        """Every scene with an id above `after`, complete, in pages by id."""
        ...

    def walk_ids(self, *, after: int = 0, page: int = 5000) -> Iterator[list[tuple[int, str]]]:
        """Every scene's (id, updated_at), in pages by id."""
        ...

    def rivals(self, names: Sequence[str]) -> list[Scene]:
        """The scenes that have a file with one of these base names (only `id` and `files` are filled), in one request."""
        ...

    def showing(self, kind: Kind, id: int) -> list[int]:
        """The ids of the scenes a performer, studio, tag or group shows on, or one below it."""
        ...

    def picture(self, path: str, *, known: str = "") -> Picture | None:
        """The picture at a path of `Scene.images`; None when it is still the one that has the tag `known`."""
        ...

    def lacks(self, image: Image) -> bool:
        """Whether Stash has no such picture. Of one that it has and can't read it shows a stand-in, as of one it lacks."""
        ...

    def news(self) -> News:
        """For every kind and for files, in one request: has anything changed?"""
        ...

    def recent_files(self, *, page: int, size: int) -> list[tuple[str, str]]:
        """(path, updated_at) of files, newest first; page 1 is the first. The path is '' unless it is a video's.

        For a Stash whose `news` tell of files.
        """
        ...

    def newest(self) -> dict[Kind, Newest]:
        """For every kind, in one request: has anything changed?"""
        ...

    def recent(self, kind: Kind, *, page: int, size: int) -> list[tuple[int, str]]:
        """(id, updated_at), newest first; page 1 is the first."""
        ...


@dataclass(frozen=True)
class Section:
    """A movie library of Plex. `scanned_at` and `changed_at` are marks to compare, nothing else.

    `ours`: Plex gives us the rights of the server's owner there.
    """

    key: str
    title: str
    locations: tuple[str, ...]
    scanned_at: int
    changed_at: int
    scanning: bool
    ours: bool = True


class Imaging(Protocol):
    """What changes pictures."""

    def made(self, content: bytes, *, padded: bool, largest: int) -> bytes:
        """The picture in at most `largest` bytes; `padded`: in the shape of a poster. Raises Unusable for what is none."""
        ...


class Plex(Protocol):
    """The neighbour that shows it."""

    def sections(self) -> list[Section]:
        """The movie libraries we were told to use, in one authenticated request; also the probe.

        Raises Barred (setting plex_libraries) when one of the names given does not exist.
        """
        ...

    def entries(self, section: str, *, page: int = 1000) -> Iterator[list[Entry]]:
        """Every item of a library with its files, in pages."""
        ...

    def changed(self, section: str, *, since: int, page: int = 1000) -> Iterator[list[Entry]]:
        """The items of a library whose stamp is greater than `since`, in pages."""
        ...

    def count(self, section: str) -> int:
        """How many items a library has, in one small request."""
        ...

    def find(self, section: str, name: str) -> list[Entry]:
        """The items of a library that have a file of exactly this base name, in one request."""
        ...

    def scan(self, section: str, folder: str) -> None:
        """Ask for a scan of one folder of a library, as Plex sees it; it has not ended when this returns."""
        ...

    def items(self, keys: Sequence[str]) -> dict[str, Item]:
        """Full items by rating key, in one request; those that do not exist are left out."""
        ...

    def pictures(self, key: str, name: str) -> dict[str, bool]:
        """By the key of each picture that an item can show (`thumb` or `art`), whether it does."""
        ...

    def upload(self, key: str, name: str, content: bytes) -> None:
        """Give an item a picture. Raises Refused when Plex does not take it."""
        ...

    def show(self, key: str, name: str, picture: str) -> None:
        """Let an item show one of its pictures, by its key."""
        ...

    def hide(self, key: str, name: str) -> None:
        """Let an item show none of its pictures of a kind; an old Plex can't and raises Refused or Missing."""
        ...

    def edit(self, section: str, key: str, edit: Edit, *, cast: Cast | None = None) -> None:
        """One PUT (split only when it is too long) that applies all of `edit` to one item.

        `cast` is what it has now (`Item.cast`): the role texts are sent along so that they stay.
        """
        ...

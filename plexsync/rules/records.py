"""Records: the rows of the store (`plexsync.store`), and the answers of the servers (`plexsync.rules.servers.neighbours`).

Times are UTC milliseconds unless a name says seconds.
"""

from collections.abc import Mapping
from dataclasses import field

from plexsync.rules.item import ViewState
from plexsync.rules.merge.values import Held
from plexsync.rules.queue.job import Kind, State
from plexsync.rules.record_class import record

# The largest possible id.
LAST_ID = 2**63 - 1


# --- what the store keeps besides jobs -------------------------------------------------------------------------------


@record
class BreakerRow:
    """One server's breaker as plain values (seconds, UTC); the rules are in worker/circuit_breaker.py.

    `cause` is the kind of request that tripped it or counts against it now: "read" or "write"; `error` is the last
    message, one line.
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


@record
class HoldRow:
    """Work is on hold until you change `setting`. It is tested again at `retest_at`, or at once if `fingerprint` changes.

    With a `choice` (of `plexsync.rules.queue.choices.Choice`), it also ends when you accept that.
    """

    setting: str
    message: str
    since: int
    retest_at: int
    fingerprint: str
    choice: str = ""


@record
class PaceRow:
    """The pace of one server. `not_before`: a throttle; `ramp`: jobs per claim while recovering, 0 = no limit.

    `writes_ok` and `writes_bad` count all writes so far; the evidence rule compares them.
    """

    not_before: int = 0
    ramp: int = 0
    writes_ok: int = 0
    writes_bad: int = 0


@record
class SectionRow:
    """A Plex library in the index, with its marks at the last complete walk (`walked_at` 0: never).

    `stamp` is the newest stamp of any item in a walk; later changes have greater ones. `uuid` is '' until Plex says it.
    """

    key: str
    title: str
    scanned_at: int = 0
    changed_at: int = 0
    walked_at: int = 0
    stamp: int = 0
    uuid: str = ""


@record
class ServerRow:
    """The Plex server of the database: its identifier and version when last seen, and what a probe learnt (JSON)."""

    machine: str
    version: str
    seen_at: int
    traits: str = "{}"
    learnt_at: int = 0
    learnt_version: str = ""


@record
class JobRow:
    """A job row, for readers."""

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


@record
class AttemptRow:
    """One attempt that failed."""

    at: int
    cls: str
    error: str
    attempts: int
    state: State


@record
class Moved:
    """The effect of a push on one field: value and lock before it, and as read back after it."""

    old: Held
    new: Held


@record
class PushRow:
    """One past push of a scene to the item `key`, with its changes by field; `undone` if it took something back."""

    at: int
    key: str
    moved: Mapping[str, Moved]
    undone: str = ""


@record
class PlaysRow:
    """Plays of a scene in one request to Stash, as UTC seconds, and what became of them. Of each play the last request."""

    at: int
    state: str
    moments: tuple[int, ...]


@record
class PollMark:
    """The state of one Stash object at the last poll: the text of its `updated_at`, and whether that second is over."""

    id: int
    updated_at: str
    sure: bool = True


@record
class PictureRow:
    """The result for a picture of a scene: its `version`, Stash's `tag`, and its key in Plex.

    The key is '' if there is no picture that Plex can show (`reason`). With a key, `reason` says why Plex did not accept
    the picture when it was last sent.
    """

    version: str
    tag: str
    key: str
    reason: str = ""


@record
class Stood:
    """How a scene stood in the last comparison that saw it (`plexsync.flows.scenes.reconcile.stands`), and since when."""

    word: str
    since: int


@record
class Called:
    """The names of a scene when it was last seen: its title in Stash ('' for none), and the path of its first file."""

    title: str
    path: str


# --- the servers -----------------------------------------------------------------------------------------------------


@record
class Newest:
    """The number of objects of a kind in Stash, and their newest `updated_at` as Stash wrote it.

    `last` is the greatest id, known only for scenes.
    """

    count: int
    updated_at: str
    last: int = 0


@record
class News:
    """The marks that show whether anything changed in Stash: by kind, and for files (None: this Stash has none)."""

    kinds: Mapping[Kind, Newest]
    files: Newest | None


@record
class Picture:
    """A picture of Stash. `tag` is its ETag for the next request ('' if Stash sent none)."""

    content: bytes
    tag: str


@record
class Plugin:
    """A plugin as installed in Stash; `version` is '' if it has none."""

    version: str
    enabled: bool


@record
class PlayerRules:
    """How Stash's own player notes what is watched.

    `percent`: the percentage of a scene that must be played for a play. `is_tracked`: whether it notes anything at all.
    """

    percent: float = 0.0
    is_tracked: bool = True


@record
class ServerInfo:
    """A Plex server as it introduces itself: its identifier, its version and its name."""

    machine: str
    version: str
    name: str


@record
class Rated:
    """An item by its key, with the rating that the account of the token gave it ('' for none), and when (UTC seconds)."""

    key: str
    rating: str
    at: int


@record
class PlexPlay:
    """That an account of Plex played a movie, at a moment in UTC seconds: a row of Plex's history.

    `history` is the number of the row, `item` the rating key ('' if Plex has no such item any more), `section` the key of
    the library that has or had it ('' if Plex did not say).
    """

    history: str
    item: str
    section: str
    account: int
    moment: int


@record
class PlexSession:
    """That an account of Plex plays a movie now: what Plex calls this playback, its item and its player.

    `player`: the player's name in one line, '' if it has none; `machine`: its identifier. `length`: of the item in
    milliseconds, 0 if it is not known.
    """

    session: str
    item: str
    account: int
    player: str
    machine: str
    length: int


@record
class ViewingPage:
    """Watched items of a library, by rating key.

    `is_bounded`: Plex has filtered or sorted as asked, so what follows is not older than asked for. Else it may be the
    whole library.
    """

    viewings: Mapping[str, ViewState]
    is_bounded: bool


@record
class Section:
    """A movie library of Plex. `scanned_at` and `changed_at` are marks for comparison and nothing else.

    `owned`: Plex grants PlexSync the rights of the server's owner there. `uuid` tells it from another library that gets
    its key later ('' if Plex did not say). `other_videos`: it has no metadata agent.
    """

    key: str
    title: str
    locations: tuple[str, ...]
    scanned_at: int
    changed_at: int
    scanning: bool
    owned: bool = True
    uuid: str = ""
    other_videos: bool = False


@record
class AnswerFile:
    """A file of a scene that has an answer in a library. `is_matched`: a question may find the scene."""

    scene: int
    path: str
    is_matched: bool = True


@record
class WorkerRow:
    """The process that holds the worker's lock of a database on PostgreSQL, or held it last. Times are the database's.

    `number` rises with every holder. `beat` is its last heartbeat. `ended` is None until it releases the lock, '' if it
    did so in good order, else the error that ended it. `installation` names its data folder. `settings` are prints of
    its settings by name.
    """

    number: int
    host: str
    pid: int
    version: str
    since: int
    beat: int
    ended: str | None
    installation: str
    settings: Mapping[str, str]


@record
class StandbyRow:
    """A process that waits for the worker's lock. `differing` names the settings that keep it from taking over."""

    host: str
    pid: int
    version: str
    since: int
    beat: int
    differing: tuple[str, ...] = ()


@record
class ProviderRow:
    """A library that asks PlexSync first, by its uuid; `section` is its key. `state` is adding, on or removing.

    `steps` is what adding and removing have noted. Plex asked last at `called_at` (UTC ms; 0: never), and `calls` has the
    figures of the last hour.
    """

    library: str
    section: str
    title: str
    identifier: str
    state: str
    steps: Mapping[str, object] = field(default_factory=dict)
    added_at: int = 0
    called_at: int = 0
    calls: Mapping[str, object] = field(default_factory=dict)

    @property
    def folders(self) -> tuple[str, ...]:
        """The folders of the library, as Plex named them last."""
        folders = self.steps.get("folders")
        return tuple(map(str, folders)) if isinstance(folders, list) else ()

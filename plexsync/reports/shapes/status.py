"""The status of scenes, queue, servers and worker; what needs you; the settings."""

from typing import TypedDict

from plexsync.reports.shapes.outages import OutagesNow
from plexsync.reports.shapes.values import Moment
from plexsync.reports.shapes.workers import WorkerFacts


class UndoneFacts(TypedDict):
    """How many idle jobs belong to undone scenes, and how many to released ones. The others are in sync."""

    undone: int
    released: int


class StandingFacts(TypedDict):
    """How many scenes have a status, and since when the oldest of them."""

    count: int
    since: Moment | None


class ForgottenFacts(TypedDict):
    """What was deleted because of its age."""

    attempts: int
    pushes: int


class QueueFacts(TypedDict):
    """The dead-letter queue: its size, whether that is too many, and the counts of letters added and removed.

    The counts cover the time since the database was created.
    """

    count: int
    max: int
    """The setting `dlq_max`."""
    over: bool
    """Whether `count` is above `max`."""
    died: int
    """Letters added. This is the sum of `count` and the next six counts."""
    retried: int
    cured: int
    """Letters that PlexSync retried by itself."""
    dropped: int
    ignored: int
    pruned: int
    """Letters deleted because of their age."""
    renewed: int
    """Letters whose scene was queued again by an event."""
    forgotten: ForgottenFacts


class BreakerFacts(TypedDict):
    """A breaker at the time of reading."""

    state: str
    """`closed`, `open` or `half_open`."""
    failures: int
    """Failures in a row."""
    failures_allowed: int
    """The failure with this number opens the breaker."""
    opened_at: Moment | None
    next_probe_at: Moment | None
    cause: str
    """What failed: `read` or `write`; empty if nothing did."""
    error: str
    """The last message, or empty."""


class HoldFacts(TypedDict):
    """A hold, with the setting to correct, or the change that you may accept."""

    setting: str
    choice: str
    """What to accept, such as `plex-server`; empty if only the setting helps."""
    message: str
    since: Moment | None
    retest_at: Moment | None
    """When PlexSync tests the server again, even if the setting does not change."""


class PaceFacts(TypedDict):
    """A server's throttle and ramp."""

    not_before: Moment | None
    """The server is throttled until then; null if it is not."""
    jobs_per_claim: int
    """The size of the next batch while the server ramps up, otherwise 0."""


class DashboardFacts(TypedDict):
    """Where the dashboard listens."""

    url: str
    """Its host is `0.0.0.0` or `[::]` if the dashboard listens on all interfaces."""
    reach: str
    """Who can reach it: `machine` (this machine only), `address` (whoever reaches that address) or `network`."""
    names: list[str]
    """The host names that it answers to. Beyond this machine it also answers to any IP address."""


class EventFacts(TypedDict):
    """Events that hooks stored as files: waiting for a worker, or unreadable."""

    waiting: int
    unread: int


class EditFacts(TypedDict):
    """How edits in Stash arrive."""

    by: str
    """How the last one arrived: `line` (of Stash's log), `hook` or `poll`."""
    last_at: Moment | None
    line_at: Moment | None
    """When the last one arrived in this way."""
    hook_at: Moment | None
    poll_at: Moment | None
    """When a poll last found one that no line and no hook had brought."""
    log_heard: bool
    """Whether the worker hears Stash's log."""
    log_error: str
    """Why not, or empty."""


class LibraryFacts(TypedDict):
    """A library in the index."""

    key: str
    title: str
    walked_at: Moment | None
    """When the library was last read in full."""


class IndexFacts(TypedDict):
    """The index of Plex."""

    items: int
    libraries: list[LibraryFacts]


class BookFacts(TypedDict):
    """The books: accepted = coalesced + done + pruned + open."""

    accepted: int
    coalesced: int
    """Wants for a scene that was queued already."""
    done: int
    pruned: int
    open: int
    balanced: bool
    """Whether the equation holds."""


class NewsFacts(TypedDict):
    """An entry of the changelog that is new for you: it touches a setting that you use."""

    version: str
    """The version that brought it."""
    settings: list[str]
    """The settings that it names."""
    text: str


class VerdictPart(TypedDict):
    """One part of the verdict, such as the number of scenes that need you."""

    tone: str
    """`bad` if nothing is written meanwhile, `wait` if somebody is needed soon, else `well`."""
    text: str
    yours: bool
    """Whether it needs you."""


class VerdictFacts(TypedDict):
    """How everything stands, in one line: the first one on every screen."""

    tone: str
    """`bad` if nothing is written, else `wait` if you are needed or a server is down, else `well`."""
    text: str
    parts: list[VerdictPart]
    """The same in parts."""
    next_check: Moment | None
    """When a server that is down, on hold or throttled is tested again, or else, if scenes are not in Plex yet, the next
    poll. Null if nothing waits for that, or if no worker runs."""


class VerifiedFacts(TypedDict):
    """How many of the compared scenes that have an item in Plex were in sync then, and how many differed."""

    at: Moment | None
    in_sync: int
    differ: int
    sample: bool
    """Whether only a sample of the scenes was compared."""
    kept_fields: int
    """The fields of those in sync that Plex kept then, and that you had not decided about."""


class FirstPlaysFacts(TypedDict):
    """What the first write of plays to Stash would do. It waits for your approval."""

    at: Moment | None
    """When it was counted."""
    account: str
    """The name of the account, or its number."""
    in_plex: int
    """The account's plays in Plex (from `watch_since` on), as in the counts of plays."""
    uncompared: int
    """Those of them that are not compared with Stash yet: they are new, their item has no scene, or it can't be read."""
    missing: int
    """Those of them that would be added."""
    scenes: int
    """The scenes that would get them."""
    present: int
    """Plays that Stash has already."""
    unmatched: int
    """Items that were played and have no scene to be synced."""
    unread: int
    """Scenes that could not be read when it was counted."""
    oldest: Moment | None
    """The first play that would be added."""
    newest: Moment | None
    minimum: str
    """The rule by which what was watched is a play (`watch_minimum`)."""
    percent: int
    """The percentage of Stash's own player."""
    in_force: str
    """The approved rule by which PlexSync goes on until you approve that one, which makes more plays: those are counted
    here. Empty if no play is written before your approval."""


class AskingFacts(TypedDict):
    """A library that asks PlexSync first (`plexsync provider`)."""

    library: str
    state: str
    """`adding`, `on` or `removing`."""
    added_at: Moment | None
    called_at: Moment | None
    """When Plex last asked; null if it never has."""
    problem: str
    """Why Plex does not ask, as far as the database tells; empty if it does."""


class StorageFacts(TypedDict):
    """That nothing can be stored: the disk is full, the folder is read-only, or the database can't be written."""

    since: Moment | None
    """When the worker was paused by it; null if no worker runs."""
    folder: str
    """The data folder; empty if the database is in PostgreSQL."""
    free: int
    """The bytes that are free in the folder; -1 if that is not known."""
    full: bool
    """Whether no space is left."""
    error: str


class StallFacts(TypedDict):
    """Something that the worker can't read although both servers answer."""

    subject: str
    """Such as `plays in Plex`."""
    since: Moment | None
    seconds: float
    """Between two tries."""
    reason: str


class MissingPlaysFacts(TypedDict):
    """Plays that PlexSync added and that were found missing in Stash within the last two weeks."""

    count: int
    at: Moment | None
    """When they were found missing."""
    command: str
    """What adds them again."""


class QueuedPlays(TypedDict):
    """The scenes whose plays are on their way from Plex to Stash."""

    waiting: int
    """The number of scenes whose plays are on their way."""
    since: Moment | None
    error: str
    """Why the last attempt for one of them failed; '' if none has."""


class PlaysFacts(QueuedPlays):
    """The plays that go from Plex to Stash (`watch_back`)."""

    in_plex: int
    """The account's plays in Plex, from `watch_since` on: those that Plex lists, and viewings that are plays; each once. The
    next five counts are of plays that PlexSync has dealt with."""
    sent: int
    """Plays that PlexSync added to Stash, and has not found deleted."""
    unfinished: int
    """Plays on their way to Stash, or still to be taken back."""
    present: int
    """Plays that Stash had already."""
    undone: int
    """Plays that PlexSync added and took back."""
    deleted: int
    """Plays that PlexSync added and you deleted in Stash. They never come again."""
    first: FirstPlaysFacts | None
    """The first write of plays, while it waits for your approval."""


class MovingFacts(TypedDict):
    """The members of collections and playlists that are being put in order; 0 while none is."""

    remaining: int
    """Those that still have to be moved."""
    members: int


class SettingChangeFacts(TypedDict):
    """What changed settings would write: it waits for your yes ([a change of settings](scope.md#a-change-of-settings))."""

    text: str
    """One line, such as `look is rich now: 288 scenes would change`."""
    stops: bool
    """Whether nothing is written until your yes, since the settings from before are not known."""
    scenes: int
    collections: int


class BareFacts(TypedDict):
    """The status of everything, from the database alone."""

    at: Moment | None
    jobs: dict[str, int]
    """The number of jobs in each state."""
    undone: UndoneFacts
    scenes: dict[str, StandingFacts]
    """By status word, such as `in_step`. Every word is there."""
    kept_fields: int
    """The fields of scenes in sync that Plex keeps, and that you have not decided about (`plexsync drift`)."""
    due: int
    """Queued jobs whose time has come."""
    oldest_due: Moment | None
    dead: dict[str, int]
    """The number of dead letters by cause."""
    dlq: QueueFacts
    breakers: dict[str, BreakerFacts]
    """`plex`, `stash`, and `stash:write` for writes to Stash; this one is not there before the first of them."""
    holds: dict[str, HoldFacts]
    """By server, or `stash:write`; what is not on hold is not there."""
    outages: OutagesNow
    paces: dict[str, PaceFacts]
    """As `breakers`."""
    worker: WorkerFacts
    dashboard: DashboardFacts | None
    """Null if no dashboard listens for this database."""
    events: EventFacts
    edits: EditFacts
    index: IndexFacts
    last_poll: Moment | None
    last_reconcile: Moment | None
    """When the last full comparison ended."""
    verified: VerifiedFacts | None
    """What the last comparison found; null if there was none."""
    plays: PlaysFacts
    collections: dict[str, int]
    """The number of collections by [status word](collections.md#how-a-collection-stands), such as `in_step`. Every word is
    there."""
    moving: MovingFacts
    asking: list[AskingFacts]
    """The libraries that ask PlexSync first; `plexsync provider status` says more."""
    storage: StorageFacts | None
    """Why nothing can be stored; null if everything can."""
    stalled: list[StallFacts]
    missing_plays: MissingPlaysFacts | None
    playlists_problem: str
    """Why no playlist can be made of the setting `playlists`; empty if they can."""
    comparison_due: bool
    setting_change: SettingChangeFacts | None
    """What changed settings would write, while that waits for your yes; else null."""
    repaired_at: Moment | None
    """When the database was last found damaged and rebuilt."""
    bulk_approved: bool
    """Whether the first write was approved."""
    news: list[NewsFacts]
    """What an update brought for you, until `plexsync status` or the overview has shown it."""
    books: BookFacts


class StatusFacts(BareFacts):
    """The same with the verdict over it: `plexsync status`, `/api/status`."""

    verdict: VerdictFacts


class NeedFacts(TypedDict):
    """What needs you, or resolves itself."""

    key: str
    """A stable name, such as `hold:plex`."""
    kind: str
    """`person` if it needs you, `wait` if it resolves itself."""
    title: str
    text: str
    since: Moment | None


class NeedList(TypedDict):
    """Everything that needs you or resolves itself: `/api/needs`. What needs you comes first."""

    needs: list[NeedFacts]


class QuestionFacts(TypedDict):
    """A change that only you can judge. Its server is on hold until you accept it or go back."""

    choice: str
    """What to accept, such as `plex-server`."""
    server: str
    """`plex` or `stash`."""
    change: str
    """What has changed, in a few words."""
    message: str
    effect: str
    """What accepting does."""
    since: Moment | None


class QuestionList(TypedDict):
    """What you are asked now: `plexsync accept`, `/api/accept`."""

    asked: list[QuestionFacts]


class SettingFacts(TypedDict):
    """A setting."""

    name: str
    value: str
    """As you would write it; `***` for a secret that is set."""
    secret: bool
    """Whether the value may contain a secret."""
    set: bool
    """Whether the value is neither empty, 0 nor false."""
    source: str
    """Where the value comes from: `default`, `look`, `plexsync.toml`, `environment` and so on."""
    variable: str
    """The name in the environment."""
    in_stash: bool
    """Whether it can be set in Stash."""
    basic: bool
    """Whether it is one of those that most people need."""
    group: str
    """What it is for, as a page groups the settings; '' for none."""
    default: str
    """As in `plexsync.toml`, or `required`."""
    description: str


class SettingList(TypedDict):
    """All settings: `/api/settings`."""

    settings: list[SettingFacts]


class HealthFacts(TypedDict):
    """The answer of `/health`."""

    status: str
    """`ok`, `failing` or `busy`."""
    worker: bool
    """Whether a worker runs and has sent a heartbeat in the last two minutes."""
    database: bool
    """Whether the database can be read."""
    needs: list[str]
    """The keys of what is open, such as `hold:plex` or `storage`; see `/api/needs`."""

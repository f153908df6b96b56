"""Scenes: lists, one scene with its job, its history, and why it has its status."""

from typing import NotRequired, TypedDict

from plexsync.reports.shapes.values import FieldValue, Moment


class LeftOutFacts(TypedDict):
    """A picture that could not be written."""

    field: str
    """`thumb` for the poster, `art` for the background."""
    reason: str


class SceneRow(TypedDict):
    """A scene and its status."""

    id: int
    title: str | None
    stands: str
    """The status word, such as `in_step`."""
    since: Moment | None
    why: str
    """The reason for the status, or empty."""
    left_out: list[LeftOutFacts]
    """The pictures that could not be written, although the scene is in sync; empty for any other status."""
    kept_fields: int
    """The fields that Plex keeps although the scene is in sync, and that you have not decided about (`plexsync drift`)."""


class SceneFacts(TypedDict):
    """A scene of a list in the dashboard."""

    id: int
    title: str
    path: str
    named: bool
    """Whether the title was read from Stash."""
    stands: str
    since: Moment | None
    why: str
    left_out: list[LeftOutFacts]
    kept_fields: int


class NamedFacts(TypedDict, total=False):
    """What became of scenes that you named: nothing is queued or ignored for the first list."""

    not_in_stash: list[int]
    """Stash has no such scenes."""
    unchecked: list[int]
    """Stash could not be asked whether it has these scenes, and the database does not know them."""


class QueuedScenes(NamedFacts):
    """The answer to `/api/sync` for scenes that you name."""

    ignored: NotRequired[list[int]]
    """Nothing was queued for these scenes, since you ignored them."""
    undone: NotRequired[list[int]]
    """Nothing was queued for these scenes, since they are undone or released."""
    wanted: int
    """The number of scenes that were queued."""


class IgnoredScenes(NamedFacts):
    """The answer to `/api/scenes/7/ignore`."""

    ignored: int
    """The number of scenes that were not ignored before."""


class SceneList(TypedDict):
    """A page of scenes, sorted by number: `/api/scenes`."""

    scenes: list[SceneRow]
    after: int | None
    """Pass this as `after` to get the next page; null on the last page."""


class RevisionFacts(TypedDict):
    """The revisions of a job: each want adds 1 to `wanted`."""

    wanted: int
    claimed: int
    """The revision that the worker claimed last."""
    settled: int
    """The revision that the worker settled last."""


class JobFacts(TypedDict):
    """A job."""

    kind: str
    """`scene`, `performer`, `studio`, `tag` or `group`."""
    id: int
    """The number in Stash."""
    state: str
    """See [the job](state-machines.md#the-job)."""
    lane: str
    """`edit` or `sweep`."""
    cause: str
    """The cause of the last failure, or empty."""
    error: str
    """The last message, or empty."""
    attempts: int
    """Failed attempts that count against `max_retries`."""
    failures_in_a_row: int
    """All attempts without success since the last success."""
    crashes: int
    next_try_at: Moment | None
    """Null if the job is not queued."""
    since: Moment | None
    """When the job came into this state."""
    lease_until: Moment | None
    """Until when the job belongs to a worker; null if none has it."""
    revisions: RevisionFacts


class SceneReport(SceneRow):
    """A scene, its status and its job: `plexsync status 7`, `/api/scenes/7`."""

    job: JobFacts | None


# --- history ---------------------------------------------------------------------------------------------------------


class AttemptFacts(TypedDict):
    """A failed attempt."""

    at: Moment | None
    cause: str
    error: str
    attempts: int
    """Failed attempts that counted until then."""
    then: str
    """The state that the job got."""


class MoveFacts(TypedDict):
    """What a push did to a field."""

    field: str
    """The name of the field in Plex."""
    old: FieldValue
    new: FieldValue
    was_locked: bool
    locked: bool


class PushFacts(TypedDict):
    """A push: one edit of one item."""

    at: Moment | None
    item: str
    """The rating key."""
    fields: list[MoveFacts]


class PastAttempt(AttemptFacts):
    """A failed attempt in a history."""

    what: str
    """`attempt`."""


class PastPush(PushFacts):
    """A push in a history."""

    what: str
    """`push`, `undo` or `release`."""


class PastPlays(TypedDict):
    """Plays of the scene that were added to Stash, or taken back."""

    what: str
    """`plays`, or `plays undo` for those that were taken back."""
    at: Moment | None
    """When the request was sent: of each play the last one is kept."""
    state: str
    """What became of them: `sent`, `deleted` (by you, since then), `undone`, or `adding` and `removing` (not known yet)."""
    plays: list[Moment | None]


class HistoryFacts(TypedDict):
    """The history of a scene, newest first: `plexsync history 7`, `/api/scenes/7/history`."""

    kind: str
    id: int
    entries: list[PastAttempt | PastPush | PastPlays]
    total: int
    """The number of entries that are kept."""


class ScenePush(PushFacts):
    """A push, with its scene."""

    scene: int


class Trouble(AttemptFacts):
    """A failed attempt, with its object in Stash."""

    kind: str
    """`scene`, `performer`, `studio`, `tag` or `group`."""
    id: int


class LatestFacts(TypedDict):
    """The latest work, newest first: `/api/latest`."""

    pushes: list[ScenePush]
    troubles: list[Trouble]


# --- explain ---------------------------------------------------------------------------------------------------------


class ViewingOfScene(TypedDict):
    """What a player played of an item of the scene in one go."""

    text: str
    """One sentence, such as `watched 12 min 40 s of 31 min on … in Plex by living room: a play by Stash's rule (10 %)`."""
    began_at: Moment | None
    played: float
    """How long it was really played, in seconds."""
    length: float | None
    """The length of the item in seconds; null if it is unknown."""
    player: str
    """The name of the player."""
    play_at: Moment | None
    """The moment of the play that it is; null if it is none."""


class PlayTimeOfScene(TypedDict):
    """How much of the play time in Stash came from Plex, in seconds."""

    text: str
    """One sentence, such as `play time in Stash: 12 min 40 s came from Plex`."""
    added: float
    on_its_way: float
    """What was watched or is to be sent again, and is not there yet."""
    taken_back: float
    """What was taken back, or is taken back now."""


class WatchedOfScene(TypedDict):
    """What was watched of a scene in Plex, and the play time that came from that."""

    viewings: list[ViewingOfScene]
    """The latest, newest first."""
    viewing_count: int
    """How many there are in all."""
    play_time: PlayTimeOfScene | None
    """Null if none came from Plex."""
    lines: list[str]
    """Sentences on the viewings and the play time, as all screens show them."""


class PlaysOfScene(WatchedOfScene):
    """The plays of a scene (`watch_back`): what Plex lists, and what PlexSync remembers of each, counted."""

    text: str
    """One sentence, such as `played 3 times in Plex, last on …; 1 not yet in Stash`."""
    in_plex: int
    """Plays of the account of its items: those that Plex lists, and viewings that are plays; each once."""
    last_played_at: Moment | None
    not_in_stash: int
    """Those of `in_plex` that are still to be added."""
    added: int
    """Plays that PlexSync added."""
    present: int
    """Plays that were in Stash already."""
    deleted: int
    """Plays that PlexSync added and you deleted in Stash."""
    undone: int
    """Plays that PlexSync added and took back, or takes back now."""
    left_at: float | None
    """Where it was left in Plex (`plays+resume`), in seconds, as far as PlexSync has read; null if at no place."""


class JobReport(TypedDict):
    """A scene's status, its job, its failed attempts, and its plays."""

    stands: str
    """The status word, such as `in_step`, by its last attempt or comparison."""
    job: JobFacts | None
    attempts: list[AttemptFacts]
    """Newest first."""
    plays: PlaysOfScene | None
    """Null if `watch_back` is off and no play of the scene came from Plex."""


class NoteFacts(TypedDict):
    """A value that was changed to fit Plex, or kept, and why."""

    field: str
    reason: str
    """A keyword, such as `cut`, `dropped` or `person`."""
    text: str


class StepFacts(TypedDict):
    """A step of the match."""

    rung: str
    """The rule that was tried, such as `path`."""
    text: str


class CandidateFacts(TypedDict):
    """An item that fits, with the command that binds it."""

    key: str
    """The rating key."""
    section: str
    """The key of the library."""
    library: str
    """The name of the library; '' if it is not known."""
    link: str | None
    """The page of the item in Plex's web app; null while no Plex server is known."""
    path: str
    why: str
    """Why PlexSync did not choose it."""
    bind: str
    bound_to: int | None
    """The scene that you bound it to: it can't be bound to another one until you unbind it."""


class FieldFacts(TypedDict):
    """A field of an item: its value on both servers, and what a sync would do."""

    field: str
    stash: FieldValue | None
    """Null if the field is not synced."""
    plex: FieldValue
    locked: bool
    action: str
    """In words, such as `write`, `add …` or `nothing`."""
    reason: str
    """Why a sync would change the field; empty if it would not."""
    yours: str
    """Whether you edited it in Plex: `undecided`, or `kept` if you decided to keep it there; else empty."""
    why: list[NoteFacts]


class TargetFacts(TypedDict):
    """An item of a scene."""

    key: str
    """The rating key."""
    section: str
    """The key of the library."""
    library: str
    """The name of the library; '' if it is not known."""
    link: str | None
    """The page of the item in Plex's web app; null while no Plex server is known."""
    files: list[str]
    fields: list[FieldFacts]


class FindingFacts(TypedDict):
    """A scene as the worker sees it now, on both servers."""

    id: int
    title: str | None
    """Null if Stash has no such scene."""
    files: list[str]
    """The paths in Stash."""
    verdict: str
    """The status in one sentence."""
    undone: str | None
    """`undo`, `release` or `gone`; null if the scene is not undone."""
    steps: list[StepFacts]
    candidates: list[CandidateFacts]
    """Empty unless the scene is ambiguous."""
    notes: list[NoteFacts]
    targets: list[TargetFacts]


class SceneCollection(TypedDict):
    """A collection that a scene is in, or is about to be in."""

    id: int
    """The number in the database of PlexSync."""
    name: str
    source: str
    """`studio`, `group`, `tag`, `performer`, `rating` or `organized`."""
    library: str
    """The title of the library in Plex."""
    stands: str
    """The status word, such as `in_step`."""


class ExplainFacts(FindingFacts, JobReport):
    """A scene as the worker sees it now, and its job: `plexsync explain 7`, `/api/scenes/7/explain`."""

    collections: list[SceneCollection]
    """The collections that PlexSync knows of its studio, groups, tags and so on, in the libraries of its items."""


class RememberedFacts(TypedDict):
    """The remembered values of a field."""

    key: str
    """The rating key of the item."""
    field: str
    said: FieldValue
    """The value in Stash at the last push."""
    left: FieldValue
    """The value that Plex had after it."""
    left_locked: bool


class KnownFacts(JobReport):
    """What the database knows of a scene."""

    id: int
    remembered: list[RememberedFacts]


class UnreadFacts(KnownFacts):
    """The answer of `plexsync explain 7` and `/api/scenes/7/explain` while a server can't be asked."""

    error: str

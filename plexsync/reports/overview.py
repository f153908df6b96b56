"""What the overview tells: the last night in one line, and the scenes that went over last."""

from datetime import datetime, timedelta

from plexsync.reports.format import many
from plexsync.reports.rows import short, title
from plexsync.rules.queue.job import Kind
from plexsync.rules.record_class import record
from plexsync.rules.records import PushRow
from plexsync.rules.words.status_words import SceneStatus
from plexsync.store.database import Reader

# The hour, in local time, at which the night begins.
NIGHT = 22
# So many scenes are shown. Of one that was pushed several times, only the last push counts.
LATEST, PUSHES = 8, 40
MOST_FIELDS = 4
UNFINISHED = {SceneStatus.QUEUED, SceneStatus.NOT_IN_PLEX, SceneStatus.AMBIGUOUS, SceneStatus.FAILED}


@record
class LatestScene:
    """A scene that went over: its title, the item that was written, when, and by which fields."""

    id: int
    title: str
    item: str
    at: int
    fields: str
    undone: str


def night_begin(now: int) -> int:
    """The moment of yesterday evening (UTC ms) at which the last night began."""
    begin = datetime.fromtimestamp(now / 1000).replace(hour=NIGHT, minute=0, second=0) - timedelta(days=1)
    return int(begin.timestamp()) * 1000


def night_words(db: Reader, now: int) -> str:
    """How many edits went to Plex since yesterday evening; all are there only if nothing waits, needs you or was undone."""
    since, counts = night_begin(now), db.standings.counts()
    taken_back = db.pushes.count_since(since, undone=True)
    edits, evening = db.pushes.count_since(since) - taken_back, f"since yesterday {NIGHT}:00"
    undone = f", {taken_back:,} taken back" if taken_back else ""
    if edits > 1 and not taken_back and not counts.keys() & UNFINISHED:
        return f"{many(edits, 'edit')} {evening}, all in Plex"
    queued, _ = counts.get(SceneStatus.QUEUED, (0, None))
    more = f", {queued:,} {'queued' if edits else 'is queued' if queued == 1 else 'are queued'}" if queued else ""
    return f"{many(edits, 'edit') if edits else 'No edit'} went to Plex {evening}{more}{undone}"


def latest_scenes(db: Reader) -> list[LatestScene]:
    """The scenes that were pushed last, each with its last push."""
    pushes: dict[int, PushRow] = {}
    for scene, push in db.pushes.latest(PUSHES):
        pushes.setdefault(scene, push)
    return [
        LatestScene(
            id=scene,
            title=title(db, Kind.SCENE, scene),
            item=push.key,
            at=push.at,
            fields=_field_words([short(name) for name in push.moved]),
            undone=push.undone,
        )
        for scene, push in list(pushes.items())[:LATEST]
    ]


def _field_words(names: list[str]) -> str:
    """The first of these names, and how many more there are."""
    more = len(names) - MOST_FIELDS
    return ", ".join(names) if more <= 1 else f"{', '.join(names[:MOST_FIELDS])} and {more} more"

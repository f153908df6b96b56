"""What was done lately, as facts: runs of writes to Plex, and of what was brought to Stash, and what was taken back of them.

Nothing is remembered for it but the cause of each push: the history of pushes, the plays, ratings and resume points, and
the changes of imports are grouped. A run is what one cause led to; it ends after ten minutes without a write.
"""

from collections.abc import Mapping, Sequence
from typing import TypedDict
from urllib.parse import urlencode

from plexsync.reports.format import MINUTE, many, safe, stamp
from plexsync.reports.overview import night_begin, night_words
from plexsync.reports.rows import in_order, short
from plexsync.reports.shapes.values import Moment
from plexsync.rules.merge.taken_back import TakenBack
from plexsync.rules.queue.job import COLLECTION, Kind, Why
from plexsync.rules.queue.note_keys import BULK
from plexsync.rules.record_class import record
from plexsync.rules.records import LAST_ID
from plexsync.store.database import Reader
from plexsync.store.ledger.run_history import MOST_READ, Run


class RunStep(TypedDict):
    """What can be done about a run."""

    verb: str
    """`undo` or `redo`."""
    subject: str
    """The kind of subject of the action, such as `scenes`."""
    run: int | None
    """The number that `--run` takes; null if it is selected otherwise."""
    number: int | None
    """The import, or the scene of the resume point, that it is about."""
    since: Moment | None
    """It is about all since then."""
    command: str
    """The command that does it."""
    page: str
    """The page of the dashboard that shows what it would do."""


class PastRun(TypedDict("PastRun", {"from": Moment | None})):
    """A run."""

    subject: str
    """`scenes` or `collections` (in Plex), `plays`, `ratings`, `resume` or `imports` (in Stash)."""
    mode: str
    """Empty for a write; how something was taken back: `undo`, `release`, or `gone` (Stash has it no more)."""
    by: str
    """`you` or `PlexSync`."""
    until: Moment | None
    """Of a resume point that of its viewing."""
    is_night: bool
    """Whether it ended since yesterday 22:00."""
    run: int | None
    """The number that `--run` takes; of an import its own. Null if it has none."""
    scenes: int
    """The number of scenes, or of collections."""
    rows: int
    """The number of pushes, plays, ratings or fields."""
    fields: list[str]
    """The fields of its last writes."""
    names: list[str]
    """Some of what was written last, by title."""
    reason: str
    """Why, as far as it is certain: the cause, and the changed settings that you agreed to shortly before; else empty."""
    words: str
    steps: list[RunStep]


class RunHistory(TypedDict):
    """The latest runs, newest first: `plexsync history`, `/api/runs`."""

    night: str
    """What went to Plex since yesterday 22:00, in a line; empty on later pages."""
    runs: list[PastRun]
    older: int | None
    """Pass this as `before` to get the next page (UTC ms); null on the last page."""


SCENES, COLLECTIONS, PLAYS, RATINGS, RESUME, IMPORTS = "scenes", "collections", "plays", "ratings", "resume", "imports"
SUBJECTS = {
    str(Kind.SCENE): SCENES,
    COLLECTION: COLLECTIONS,
    **{name: name for name in (PLAYS, RATINGS, RESUME, IMPORTS)},
}
PUSHED = (SCENES, COLLECTIONS)
# The number of titles that are told of a run.
FEW = 3
# A run that begins so long after your yes is not the answer to it.
SOON = 60 * MINUTE
AGREED = "you agreed to a write of the whole library"
CAUSES: Mapping[str, str] = {
    Why.EDIT: "edited in Stash",
    Why.USER: "you asked for it",
    Why.COMPARE: "found by the comparison",
    Why.PLEX: "its item changed in Plex",
    Why.ALL: "you asked: sync --all",
}
DEEDS = {
    TakenBack.NO: "written to Plex",
    TakenBack.UNDO: "taken back in Plex",
    TakenBack.RELEASE: "released in Plex",
    TakenBack.GONE: "taken back in Plex, since Stash no longer has them",
}


@record
class RunView:
    """A run with the titles of its last subjects, the number of these that are taken back now, and its last fields."""

    run: Run
    names: Sequence[str] = ()
    fields: Sequence[str] = ()
    marked: int = 0

    @property
    def subject(self) -> str:
        """What it is about."""
        return SUBJECTS[self.run.flow]

    @property
    def mode(self) -> TakenBack:
        """How it took something back; a mark that a damaged page has changed is an undo."""
        mark = self.run.undone
        return TakenBack(mark) if mark in list(TakenBack) else TakenBack.UNDO

    @property
    def number(self) -> int | None:
        """The number that selects it."""
        has_number = self.subject in (PLAYS, IMPORTS) or (self.subject in PUSHED and not self.mode)
        return self.run.first if has_number else None


def run_history(
    db: Reader, now: int, before: int | None = None, limit: int = 50, most_read: int = MOST_READ
) -> RunHistory:
    """The latest `limit` runs that ended before a moment (UTC ms), and those that overlap them."""
    ends = LAST_ID if before is None else before
    runs, older = db.runs.pushes(ends, most_read)
    every = [run for run in runs if run.flow in SUBJECTS]
    every += [run for run in db.runs.others() if (older or 0) <= run.end < ends]
    every.sort(key=lambda run: -run.end)
    page = every[:limit]
    # A page ends where nothing overlaps, so that the next one has no part of a run.
    bound = min((run.start for run in page), default=0)
    for run in every[limit:]:
        if run.end < bound:
            older = bound
            break
        page.append(run)
        bound = min(bound, run.start)
    return {
        "night": night_words(db, now) if before is None else "",
        "runs": _list_facts(db, page, night_begin(now)),
        "older": older,
    }


def _list_facts(db: Reader, page: Sequence[Run], night: int) -> list[PastRun]:
    newest = db.runs.numbered(number for run in page for number in run.newest)
    single = {run.subject for run in page if SUBJECTS[run.flow] not in PUSHED and run.subjects == 1}
    scenes = sorted(single | {id for flow, id, _ in newest.values() if flow == Kind.SCENE})
    titles = {id: row.title for id, row in db.scene_names.of(scenes).items()}
    rows = db.collections.of(sorted({id for flow, id, _ in newest.values() if flow == COLLECTION}))
    names = {id: row.name for id, row in rows.items()}
    views = []
    for run in page:
        pushes = [newest[number] for number in run.newest if number in newest]
        ids = dict.fromkeys(id for _, id, _ in pushes) if SUBJECTS[run.flow] in PUSHED else {run.subject: None}
        known = names if run.flow == COLLECTION else titles
        titled = [known[id] for id in ids if known.get(id)] if SUBJECTS[run.flow] in PUSHED or run.subjects == 1 else []
        fields = in_order(name for *_, push in pushes for name in push.moved)
        marked = run.marked or sum(bool(rows[id].undone) for id in ids if run.flow == COLLECTION and id in rows)
        views.append(RunView(run, titled[:FEW], fields, marked))
    return _with_reasons(db, views, night)


def _with_reasons(db: Reader, views: Sequence[RunView], night: int) -> list[PastRun]:
    """The runs, each with its cause; the first of all scenes after your last yes with what you agreed to."""
    moment, _, words = db.notes.text(BULK).partition(" ")
    agreed_at = int(moment) if moment.isdecimal() else 0
    answers = [
        view.run
        for view in views
        if view.subject == SCENES
        and not view.mode
        and view.run.reason in ("", Why.COMPARE, Why.ALL)
        and view.run.end >= agreed_at > view.run.start - SOON
    ]
    answer = answers[-1] if agreed_at and answers else None
    agreed = (
        f"you changed the settings: {safe(words)}" if words else CAUSES[Why.ALL] if answer and answer.reason else AGREED
    )
    return [_facts(view, agreed if view.run is answer else "", night) for view in views]


def _facts(view: RunView, agreed: str, night: int) -> PastRun:
    run, mode = view.run, view.mode
    cause = CAUSES.get(run.reason, "")
    is_yours = view.subject == IMPORTS or mode in (TakenBack.UNDO, TakenBack.RELEASE)
    return {
        "subject": view.subject,
        "mode": mode,
        "by": "you" if agreed or is_yours or run.reason in (Why.USER, Why.ALL) else "PlexSync",
        "from": stamp(run.start),
        "until": stamp(run.end),
        "is_night": run.end >= night,
        "run": view.number,
        "scenes": run.subjects,
        "rows": run.rows,
        "fields": list(view.fields),
        "names": list(view.names),
        "reason": agreed or cause,
        "words": _words(view),
        "steps": _steps(view),
    }


def _words(view: RunView) -> str:
    """What was done in one line."""
    run, scenes = view.run, many(view.run.subjects, "scene")
    back = "taken back from" if run.undone else "brought to"
    match view.subject:
        case "plays":
            return f"{many(run.rows, 'play')} of {scenes} {back} Stash"
        case "resume":
            return f"The resume point of {scenes} {back} Stash"
        case "ratings":
            return f"The rating of {scenes} brought to {run.reason}"
        case "imports":
            deed = "taken back" if run.undone else "filled"
            return f"Import {run.first}: {many(run.rows, 'field')} of {scenes} {deed} in Stash"
    count = scenes if view.subject == SCENES else many(run.subjects, "collection")
    fields = ", ".join(map(short, view.fields[:FEW])) + (", ..." if len(view.fields) > FEW else "")
    return f"{count} {DEEDS[view.mode]}" + (f": {fields}" if fields and not view.mode else "")


def _steps(view: RunView) -> list[RunStep]:
    """What can be done about it: what is taken back can be redone, all else taken back. Ratings and imports have no redo."""
    undone, is_marked = view.run.undone, view.marked == view.run.subjects
    if view.subject in PUSHED:
        verbs = [] if undone or is_marked else ["undo"]
        verbs += ["redo"] if view.marked and undone != TakenBack.GONE else []
    else:
        verbs = ["undo"] if not undone else ["redo"] if view.subject in (PLAYS, RESUME) else []
    return [_step(verb, view) for verb in verbs]


def _step(verb: str, view: RunView) -> RunStep:
    run, subject = view.run, view.subject
    number = run.first if subject in (IMPORTS, RESUME) else None
    named = None if number else view.number
    since = None if number or named else stamp(run.start)
    query = {"pick": number} if number else {"run": named} if named else {"since": since}
    selector = f"{number}" if number else f"--run {named}" if named else f"--since {since}"
    of = "" if subject == SCENES else f"--of {subject} "
    return {
        "verb": verb,
        "subject": subject,
        "run": named,
        "number": number,
        "since": since,
        "command": f"plexsync {verb} {of}{selector}",
        "page": f"/act/{subject}/{verb}?{urlencode(query)}",
    }

"""What was done lately, as facts: runs of writes to Plex, plays and imports in Stash, and what was taken back of them.

Nothing is remembered for it: the history of pushes, the plays and the changes of imports are grouped. A run ends after ten
minutes without a write.
"""

from collections.abc import Sequence
from typing import TypedDict
from urllib.parse import urlencode

from plexsync.reports.format import MINUTE, many, safe, stamp
from plexsync.reports.rows import in_order, short
from plexsync.reports.shapes.values import Moment
from plexsync.rules.merge.taken_back import TakenBack
from plexsync.rules.queue.job import COLLECTION, Kind
from plexsync.rules.queue.note_keys import BULK
from plexsync.rules.record_class import record
from plexsync.rules.records import LAST_ID
from plexsync.store.database import Reader
from plexsync.store.ledger.run_history import PushRun, StashRun


class RunStep(TypedDict):
    """What can be done about a run."""

    verb: str
    """`undo` or `redo`."""
    subject: str
    """The kind of subject of the action, such as `scenes`."""
    run: int | None
    since: Moment | None
    """It is about all since then, if it has no number."""
    command: str
    """The command that does it."""
    page: str
    """The page of the dashboard that shows what it would do."""


class PastRun(TypedDict("PastRun", {"from": Moment | None})):
    """A run."""

    subject: str
    """`scenes` or `collections` (in Plex), `plays` or `imports` (in Stash)."""
    mode: str
    """Empty for a write; how something was taken back: `undo`, `release`, or `gone` (Stash has it no more)."""
    by: str
    """`you` or `PlexSync`."""
    until: Moment | None
    run: int | None
    """The number that `--run` takes; of an import its own. Null if it has none."""
    scenes: int
    """The number of scenes, or of collections."""
    rows: int
    """Of Stash the number of plays or fields; else 0."""
    fields: list[str]
    """The fields of its last writes."""
    names: list[str]
    """Some of what was written last, by title."""
    reason: str
    """The changed settings that you agreed to shortly before; else empty."""
    words: str
    steps: list[RunStep]


class RunHistory(TypedDict):
    """The latest runs, newest first: `plexsync history`, `/api/runs`."""

    runs: list[PastRun]
    older: int | None
    """Pass this as `before` to get the next page (UTC ms); null on the last page."""


SCENES, COLLECTIONS, PLAYS, IMPORTS = "scenes", "collections", "plays", "imports"
FLOWS = {str(Kind.SCENE): SCENES, COLLECTION: COLLECTIONS}
# The number of titles that are told of a run.
FEW = 3
# A run that begins so long after your yes is not the answer to it.
SOON = 60 * MINUTE
AGREED = "you agreed to a write of the whole library"
DEEDS = {
    TakenBack.NO: "written to Plex",
    TakenBack.UNDO: "taken back in Plex",
    TakenBack.RELEASE: "released in Plex",
    TakenBack.GONE: "taken back in Plex, since Stash no longer has them",
}


@record
class RunView:
    """A run with its last subjects, the number of these that are taken back now, and the fields of its last writes."""

    subject: str
    run: PushRun | StashRun
    names: Sequence[str] = ()
    fields: Sequence[str] = ()
    marked: int = 0

    @property
    def mode(self) -> TakenBack:
        """How it took something back; a mark that a damaged page has changed is an undo."""
        mark = self.run.undone
        return TakenBack(str(mark)) if mark in list(TakenBack) else TakenBack.UNDO if mark else TakenBack.NO


def run_history(db: Reader, before: int | None = None, limit: int = 50) -> RunHistory:
    """The latest `limit` runs that ended before a moment (UTC ms), and those that overlap them."""
    ends = LAST_ID if before is None else before
    pushes, older = db.runs.pushes(ends)
    every: list[tuple[str, PushRun | StashRun]] = [(FLOWS[run.flow], run) for run in pushes if run.flow in FLOWS]
    for subject, runs in ((PLAYS, db.runs.plays()), (IMPORTS, db.runs.imports())):
        every += [(subject, run) for run in runs if (older or 0) <= run.end < ends]
    every.sort(key=lambda entry: -entry[1].end)
    page = every[:limit]
    # A page ends where nothing overlaps, so that the next one has no part of a run.
    bound = min((run.start for _, run in page), default=0)
    for entry in every[limit:]:
        if entry[1].end < bound:
            older = bound
            break
        page.append(entry)
        bound = min(bound, entry[1].start)
    return {"runs": _list_facts(db, page), "older": older}


def _list_facts(db: Reader, page: Sequence[tuple[str, PushRun | StashRun]]) -> list[PastRun]:
    newest = db.runs.numbered(number for _, run in page if isinstance(run, PushRun) for number in run.newest)
    scenes = sorted({id for flow, id, _ in newest.values() if flow == Kind.SCENE})
    titles, marks = {id: row.title for id, row in db.scene_names.of(scenes).items()}, db.memories.marks(scenes)
    rows = db.collections.of(sorted({id for flow, id, _ in newest.values() if flow == COLLECTION}))
    runs = []
    for subject, run in page:
        if isinstance(run, StashRun):
            runs.append(_facts(RunView(subject, run)))
            continue
        pushes = [newest[number] for number in run.newest if number in newest]
        ids = list(dict.fromkeys(id for _, id, _ in pushes))
        fields = in_order(name for *_, push in pushes for name in push.moved)
        is_scene = subject == SCENES
        names = [titles.get(id, "") if is_scene else rows[id].name if id in rows else "" for id in ids]
        marked = sum(id in marks if is_scene else bool(id in rows and rows[id].undone) for id in ids)
        runs.append(_facts(RunView(subject, run, [name for name in names if name][:FEW], fields, marked)))
    _say_reason(db, page, runs)
    return runs


def _say_reason(db: Reader, page: Sequence[tuple[str, PushRun | StashRun]], runs: Sequence[PastRun]) -> None:
    """Say of the first writes of scenes after your last yes what you agreed to."""
    moment, _, words = db.notes.text(BULK).partition(" ")
    agreed_at = int(moment) if moment.isdecimal() else 0
    answers = [
        place
        for place, (subject, run) in enumerate(page)
        if subject == SCENES and not run.undone and run.end >= agreed_at and run.start <= agreed_at + SOON
    ]
    if agreed_at and answers:
        runs[answers[-1]]["reason"], runs[answers[-1]]["by"] = safe(words) or AGREED, "you"


def _facts(view: RunView) -> PastRun:
    run, mode = view.run, view.mode
    is_yours = view.subject == IMPORTS or mode in (TakenBack.UNDO, TakenBack.RELEASE)
    number = None if mode else run.first if isinstance(run, PushRun) else run.run if view.subject == IMPORTS else None
    return {
        "subject": view.subject,
        "mode": mode,
        "by": "you" if is_yours else "PlexSync",
        "from": stamp(run.start),
        "until": stamp(run.end),
        "run": number,
        "scenes": run.scenes,
        "rows": 0 if isinstance(run, PushRun) else run.rows,
        "fields": list(view.fields),
        "names": list(view.names),
        "reason": "",
        "words": _words(view),
        "steps": _steps(view, number),
    }


def _words(view: RunView) -> str:
    """What was done in one line."""
    run, scenes = view.run, many(view.run.scenes, "scene")
    if isinstance(run, StashRun) and view.subject == PLAYS:
        return f"{many(run.rows, 'play')} of {scenes} {'taken back from' if run.undone else 'added to'} Stash"
    if isinstance(run, StashRun):
        return f"Import {run.run}: {many(run.rows, 'field')} of {scenes} {'taken back' if run.undone else 'filled'} in Stash"
    count = scenes if view.subject == SCENES else many(run.scenes, "collection")
    fields = ", ".join(map(short, view.fields[:FEW])) + (", ..." if len(view.fields) > FEW else "")
    return f"{count} {DEEDS[view.mode]}" + (f": {fields}" if fields and not view.mode else "")


def _steps(view: RunView, number: int | None) -> list[RunStep]:
    """What can be done about it: what is taken back can be redone, all else taken back. An import has no redo."""
    run, marked = view.run, view.marked
    if isinstance(run, PushRun):
        verbs = [] if run.undone or marked == run.scenes else ["undo"]
        verbs += ["redo"] if marked and run.undone != TakenBack.GONE else []
    elif view.subject == IMPORTS:
        verbs = [] if run.undone else ["undo"]
    else:
        verbs = ["redo" if run.undone else "undo"]
    return [_step(verb, view.subject, number, None if number else stamp(run.start)) for verb in verbs]


def _step(verb: str, subject: str, number: int | None, since: Moment | None) -> RunStep:
    query = {"pick" if subject == IMPORTS else "run": number} if number else {"since": since}
    selector = f"--since {since}" if since else f"{number}" if subject == IMPORTS else f"--run {number}"
    of = "" if subject == SCENES else f"--of {subject} "
    return {
        "verb": verb,
        "subject": subject,
        "run": number,
        "since": since,
        "command": f"plexsync {verb} {of}{selector}",
        "page": f"/act/{subject}/{verb}?{urlencode(query)}",
    }

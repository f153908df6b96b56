"""Actions in the browser and for programs: a page that shows what one would do, its button, and the API.

All of them are made from the table of actions (`plexsync.actions.table`).
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from urllib.parse import urlencode

from starlette.responses import Response

from plexsync.actions.model import (
    Action,
    ActionRequest,
    ActionResult,
    NotPossible,
    Selection,
    SubjectKind,
    SubjectPreview,
    Unfit,
    Verb,
)
from plexsync.actions.table import SENSELESS, TABLE, action_of
from plexsync.app.parts import Parts
from plexsync.reports.format import capitalize, sentences
from plexsync.reports.runs import RunHistory, run_history
from plexsync.rules.servers.errors import NeighbourError
from plexsync.rules.words.moments import milliseconds, moment_typed
from plexsync.web.context import AWAY, Busy
from plexsync.web.pages import LARGEST_ID, MOST, PageCall, PageNotFound, Wrong, action, page, whole_number

HERE = "/runs"
# The number of subjects of which a page shows what would be done, and of runs that it lists.
MOST_LISTED, RUNS = 20, 50
# Seconds after which a button that is about much stops; pressing it again goes on.
LONG = 20.0
# The columns of a preview (`plexsync.actions.model.PreviewRow`); one that is empty everywhere is left out.
COLUMNS = ("part", "change", "now", "then", "note")
# Selectors of the API, and what they are called in the address of a page.
SELECTORS = ("all", "since", "run", "library", "and_later")
# What the API calls two actions on collections, since `take` hands them over there.
API_NAMES = {
    (SubjectKind.COLLECTIONS, "take"): Verb.HAND_OVER,
    (SubjectKind.COLLECTIONS, "use-stash"): Verb.TAKE,
}
SYNCED = (SubjectKind.EVERYTHING, SubjectKind.SCENES, SubjectKind.COLLECTIONS)
LEADS: Mapping[Verb, str] = {
    Verb.UNDO: "What was there before comes back, of a run what was there before it. What you have changed since stays. It"
    " is then left alone until you edit it in Stash or redo it.",
    Verb.RELEASE: "The values stay in Plex, and PlexSync's locks come off: from then on they are Plex's own, a refresh of"
    " metadata may change them, and they can't be taken back any more.",
    Verb.REDO: "The undo ends, and the worker syncs it again.",
}
BUTTONS: Mapping[Verb, str] = {
    Verb.UNDO: "Take it back",
    Verb.RELEASE: "Take the locks off",
    Verb.REDO: "Redo",
    Verb.AGAIN: "Check and send again",
    Verb.KEEP: "Keep what Plex has",
    Verb.TAKE: "Take what Stash says",
    Verb.UNKEEP: "No longer keep",
    Verb.SYNC: "Sync now",
    Verb.HAND_OVER: "Hand over to PlexSync",
}


def _asked_action(call: PageCall) -> Action:
    """The action in the path. Raises PageNotFound, and Wrong for a pair without sense."""
    name, subject = str(call.path.get("verb", "")), str(call.path.get("subject", ""))
    if subject not in list(SubjectKind):
        raise PageNotFound
    kind = SubjectKind(subject)
    verb = API_NAMES.get((kind, name)) if call.here.startswith("/api/") else None
    if verb is None and name not in list(Verb):
        raise PageNotFound
    pair = (verb or Verb(name), kind)
    if pair not in TABLE and pair not in SENSELESS:
        raise PageNotFound
    try:
        return action_of(*pair)
    except Unfit as error:
        raise Wrong(str(error) if call.here.startswith("/api/") else f"{capitalize(str(error))}.") from None


def _selection(
    parts: Parts, kind: SubjectKind, ids: tuple[int, ...], selectors: Mapping[str, object], fields: tuple[str, ...] = ()
) -> Selection:
    """The selection that a request names. Raises Wrong, and PageNotFound for an unknown collection."""
    since, run, library = selectors.get("since"), selectors.get("run"), selectors.get("library", "")
    every = selectors.get("all") in (True, "1")
    if "all" in selectors and not every:
        raise Wrong("all must be true")
    number = None if run is None else whole_number(str(run), least=1)
    if number is None and run is not None:
        raise Wrong("run must be the number of a run")
    by_library = bool(library) and not (ids or every or since is not None or run is not None)
    if bool(ids) + every + (since is not None) + (run is not None) + by_library != 1 or not isinstance(library, str):
        raise Wrong(f"say which: {kind.numbered}, all, since or run")
    try:
        moment = None if since is None else milliseconds(moment_typed(str(since)), parts.clock.now())
    except ValueError as error:
        raise Wrong(f"since {error}") from None
    if kind is SubjectKind.COLLECTIONS and ids:
        with parts.store.reading() as db:
            if len(db.collections.of(ids)) < len(ids):
                raise PageNotFound
    and_later = selectors.get("and_later") in (True, "1")
    if "and_later" in selectors and not and_later:
        raise Wrong("and_later must be true")
    return Selection(ids, every or by_library, moment, number, library, fields, and_later=and_later)


def carry_out(call: PageCall, action: Action, selection: Selection) -> ActionResult:
    """Do it. Raises Wrong, NotPossible, NeighbourError and Busy."""
    parts = call.parts
    if refusal := action.refusal(parts):
        raise Wrong(refusal)
    try:
        if not action.asks_stash:
            result = action.carry_out(ActionRequest(parts, action.select(parts, selection), selection))
        else:
            with call.desk.looking(at_once=True) as parts:
                ends = parts.clock.monotonic() + LONG
                ids = action.select(parts, selection)
                asked = ActionRequest(parts, ids, selection, stopping=lambda: parts.clock.monotonic() > ends)
                result = action.carry_out(asked)
    except Unfit as error:
        raise Wrong(str(error)) from None
    return result


def program(call: PageCall, body: Mapping[str, object]) -> tuple[Mapping[str, object], int]:
    """As the command of this action with --yes and --json."""
    return _program(call, _asked_action(call), body)


def decision(subject: SubjectKind) -> Callable[[PageCall, Mapping[str, object]], tuple[Mapping[str, object], int]]:
    """A decision about what was edited in Plex, which the body names."""

    def decided(call: PageCall, body: Mapping[str, object]) -> tuple[Mapping[str, object], int]:
        name = body.get("decision")
        if name not in (Verb.KEEP, Verb.TAKE, Verb.UNKEEP):
            raise Wrong("decision must be one of keep, take, unkeep")
        rest = {key: value for key, value in body.items() if key != "decision"}
        return _program(call, action_of(Verb(str(name)), subject), rest)

    return decided


def _program(call: PageCall, chosen: Action, body: Mapping[str, object]) -> tuple[Mapping[str, object], int]:
    kind, part_word = chosen.subject, "parts" if chosen.subject is SubjectKind.COLLECTIONS else "fields"
    if unknown := body.keys() - {kind.numbered, *SELECTORS, part_word}:
        raise Wrong(
            f"what can be said here: {', '.join((kind.numbered, *SELECTORS, part_word))}, and not {min(unknown)}"
        )
    numbers, fields = body.get(kind.numbered, []), body.get(part_word, [])
    is_list = isinstance(numbers, list) and all(type(number) is int and 1 <= number <= LARGEST_ID for number in numbers)
    if not is_list or not isinstance(numbers, list) or len(numbers) > MOST or (kind.numbered in body and not numbers):
        raise Wrong(f"{kind.numbered} must be a list of 1 to {MOST} numbers of {kind.numbered}")
    if not isinstance(fields, list) or not all(isinstance(name, str) for name in fields):
        raise Wrong(f"{part_word} must be a list of names")
    selectors = {name: body[name] for name in SELECTORS if name in body}
    selection = _selection(call.parts, kind, tuple(dict.fromkeys(numbers)), selectors, tuple(fields))
    try:
        result = carry_out(call, chosen, selection)
    except NotPossible as error:
        return {"error": str(error)}, 409
    if result.jobs:
        call.desk.ask_servers()
    return result.facts, 200


def _of_form(call: PageCall, values: Mapping[str, str]) -> tuple[Action, Selection]:
    chosen = _asked_action(call)
    id = whole_number(values["pick"], least=1) if values.get("pick") else 0
    if id is None:
        raise PageNotFound
    selectors = {name: values[name] for name in SELECTORS if values.get(name)}
    field = values.get("field", "")
    fields = (field,) if field else ()
    return chosen, _selection(call.parts, chosen.subject, (id,) if id else (), selectors, fields)


def confirm(call: PageCall) -> Response:
    """What the action would do, and the button that does it."""
    chosen, selection = _of_form(call, call.query)
    previews: list[SubjectPreview] = []
    count, question, away, refusal = 0, "", "", chosen.refusal(call.parts)
    try:
        with call.desk.looking() as parts:
            ids = [] if refusal else chosen.select(parts, selection)
            count, question = len(ids), chosen.question(ActionRequest(parts, ids, selection))
            if ids:
                # Of a library, the first of all libraries may be others.
                first = ids[:MOST] if selection.library else ids[:MOST_LISTED]
                previews = list(islice(chosen.preview(ActionRequest(parts, first, selection)), MOST_LISTED))
    except AWAY as error:
        away = str(error)
    except (NotPossible, Unfit) as error:
        raise Wrong(str(error)) from None
    names = ("pick", *SELECTORS, "field", "from")
    rows = [row for subject in previews for row in subject.changes]
    return call.show(
        "action.html",
        count=count,
        columns=[place for place, name in enumerate(COLUMNS) if any(getattr(row, name) for row in rows)],
        names=COLUMNS,
        question=question or f"{capitalize(chosen.verb)} {chosen.subject}",
        lead=LEADS.get(chosen.verb, "") if chosen.subject in SYNCED else "",
        heads=chosen.heads,
        shown=[subject for subject in previews if subject.changes or subject.error],
        more=0 if selection.library else max(0, count - MOST_LISTED),
        subject=chosen.subject,
        further=_further(call.query, chosen, selection, previews),
        away=away,
        refusal=refusal,
        path=call.here,
        label=BUTTONS[chosen.verb],
        values={name: call.query[name] for name in names if call.query.get(name)},
        back=_back(call.query, chosen, selection),
    )


def _further(
    values: Mapping[str, str], chosen: Action, selection: Selection, previews: Sequence[SubjectPreview]
) -> str:
    """The page that takes back what later runs wrote on top of this one as well; '' if they did not."""
    is_left = any(row.note.endswith("(--and-later)") for subject in previews for row in subject.changes)
    if not is_left or selection.and_later:
        return ""
    return _link(chosen.verb, chosen.subject, **values, and_later=1)


def _back(values: Mapping[str, str], chosen: Action, selection: Selection) -> str:
    """The page that you came from, or that the action belongs to."""
    if values.get("from") == "overview":
        return "/"
    if not selection.is_named or chosen.subject is SubjectKind.IMPORTS:
        return HERE
    return f"/{chosen.subject.numbered}/{selection.ids[0]}"


def press(call: PageCall) -> Response:
    """Do it, and show what came of it."""
    chosen, selection = _of_form(call, call.form)
    back = _back(call.form, chosen, selection)
    try:
        result = carry_out(call, chosen, selection)
    except Busy as busy:
        return call.to(back, str(busy), well=False)
    except (NotPossible, NeighbourError, Wrong) as error:
        return call.to(back, f"Nothing was changed: {error}", well=False)
    lines = [result.line] if result.jobs or result.count or not result.complaints else []
    if result.jobs:
        closed = call.desk.ask_servers()
        works = call.parts.someone_works()
        hint = "the worker takes it next" if works else "no worker is running: start plexsync serve"
        lines[0] += f"; {closed or hint}"
    return call.to(back, sentences(*lines, *result.complaints), well=not result.is_failed)


def read_runs(call: PageCall) -> RunHistory:
    """A page of the runs, as `plexsync history --json`."""
    text = call.query.get("before", "")
    before = whole_number(text, least=1) if text else None
    if text and before is None:
        raise Wrong("before must be a whole number")
    with call.reading() as db:
        return run_history(db, call.now, before, RUNS)


def runs(call: PageCall) -> Response:
    """What was done lately, each with the links that take it back or redo it; and links for everything."""
    history = read_runs(call)
    with call.reading() as db:
        undone = len(db.memories.marks())
    return call.show("runs.html", **history, undone=undone, link=_link)


def _link(verb: str, kind: str, **values: object) -> str:
    """The address of the page that asks about an action."""
    return f"/act/{kind}/{verb}?{urlencode(values)}"


ACT = "/act/{subject}/{verb}"
routes = [page(HERE, runs), page("/undo", lambda call: call.to(HERE)), page(ACT, confirm), action(ACT, press)]

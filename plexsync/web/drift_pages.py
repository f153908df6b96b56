"""What you edited in Plex, beside what Stash says, with the buttons that decide about it."""

from collections.abc import Mapping

from starlette.responses import Response

from plexsync.actions.model import Selection, SubjectKind, Verb
from plexsync.actions.table import action_of
from plexsync.app.parts import Parts
from plexsync.flows.scenes.drift import DriftAnswer, DriftFilter, DriftPage, drift_now, drift_page
from plexsync.reports.collections import collection_list
from plexsync.reports.drift import DriftReport, drift_facts, known_drift, stays_words, value_words
from plexsync.reports.format import sentences
from plexsync.rules.collections.collection_status import CollectionStatus
from plexsync.rules.servers.errors import NeighbourError
from plexsync.web.action_pages import carry_out
from plexsync.web.context import Busy
from plexsync.web.pages import PageCall, Wrong, action, address, page, scene_number

HERE = "/drift"
MOST_LISTED = 20


def drift(call: PageCall) -> Response:
    """A page of the list: all of it, what you keep, of one library, or of one scene."""
    with call.reading() as db:
        sections = {row.title: row.uuid or row.key for row in db.sections.all()}
        library = sections.get(call.query.get("library", ""), "")
        edited = collection_list(db, stands=CollectionStatus.EDITED, library=library, limit=MOST_LISTED)
    report = read(call, MOST_LISTED)
    here = {name: value for name in ("kept", "library", "scene") if (value := call.query.get(name, ""))}
    return call.show(
        "drift.html",
        report=report,
        libraries=list(sections),
        collections=edited if not {"kept", "scene"} & here.keys() else None,
        chosen=here,
        after=call.query.get("after", "0"),
        value=value_words,
        stays=stays_words,
        all_href=HERE,
        kept_href=f"{HERE}?kept=1",
        first=address(HERE, here),
        next=address(HERE, {**here, "after": str(report["after"])}) if report["after"] is not None else "",
    )


def read(call: PageCall, limit: int) -> DriftReport:
    """The report for the address; only what you keep, while a server can't be asked."""
    wanted = DriftFilter(library=call.query.get("library", ""), kept_only=bool(call.query.get("kept", "")))
    after, scene = scene_number(call.query.get("after", "0")), scene_number(call.query.get("scene", "0"))
    listed, away = call.look(
        lambda parts: (
            _of_scene(parts, wanted, scene) if scene else drift_page(parts.inspector, wanted, after=after, limit=limit)
        )
    )
    if listed is not None:
        return drift_facts(listed)
    with call.reading() as db:
        return known_drift(db, wanted, away, after=after, limit=limit)


def _of_scene(parts: Parts, wanted: DriftFilter, scene: int) -> DriftPage:
    entries = list(drift_now(parts.inspector, [scene]))
    with parts.store.reading() as db:
        return DriftPage(
            tuple(entry for entry in map(wanted.narrow, entries) if entry.fields),
            None,
            db.standings.count_kept(),
            db.notes.count_kept(),
        )


def press(call: PageCall) -> Response:
    """Decide about a field, a scene, or a library, and show the rest."""
    form = call.form
    if form.get("answer", "") not in list(DriftAnswer):
        raise Wrong("There is no such decision.")
    answer, scene = DriftAnswer(form["answer"]), scene_number(form.get("scene", "0"))
    if not scene and form.get("sure") != "yes":
        return call.to(_back(form), "Tick the box first: this is about every scene of the library.", well=False)
    field = form.get("field", "")
    ids, fields = (scene,) if scene else (), (field,) if field else ()
    library = "" if scene else form.get("library", "")
    selection = Selection(ids, not ids, library=library, fields=fields, item=form.get("item", ""))
    try:
        result = carry_out(call, action_of(Verb(answer), SubjectKind.SCENES), selection)
    except NeighbourError as error:
        return call.to(_back(form), f"Nothing was decided: {error}", well=False)
    except Busy as busy:
        return call.to(_back(form), str(busy), well=False)
    closed = call.desk.ask_servers() if result.jobs else ""
    return call.to(_back(form), sentences(result.line, closed), well=bool(result.count))


def _back(form: Mapping[str, str]) -> str:
    """The page that the button is on."""
    names = {"kept": "shown_kept", "library": "shown_library", "scene": "shown_scene", "after": "shown_after"}
    chosen = {name: value for name, sent in names.items() if (value := form.get(sent, "")) not in ("", "0")}
    return address(HERE, chosen)


routes = [page(HERE, drift), action(HERE, press)]

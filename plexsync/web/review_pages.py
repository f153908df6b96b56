"""The review of all planned changes, by kind and by scene, with the buttons that ignore scenes and write the others."""

from collections.abc import Mapping

from starlette.responses import Response

from plexsync.app.review import is_outdated, present_review
from plexsync.app.switches import asked_settings, bulk_approved
from plexsync.reports.drift import value_words
from plexsync.reports.review import ReviewReport, review_facts
from plexsync.rules.item import PICTURES
from plexsync.store.files.review_file import ChangeFilter
from plexsync.web.pages import PageCall, Wrong, action, address, page, scene_number
from plexsync.web.scene_pages import ignore_all

HERE = "/review"
MOST_LISTED = 20
FILTERS = ("field", "kind", "library", "studio")
LONGEST = 500


def review(call: PageCall) -> Response:
    """A page of the review: the changes, filtered."""
    chosen, report = _read_filter(call.query), read(call, MOST_LISTED)
    last = call.desk.tasks.last("review")
    return call.show(
        "review.html",
        report=report,
        names_of={"library": report["libraries"], "studio": report["studios"]},
        chosen=chosen,
        after=scene_number(call.query.get("after", "0")),
        first=address(HERE, chosen),
        next=address(HERE, {**chosen, "after": str(report["after"])}) if report["after"] is not None else "",
        current=call.desk.tasks.current,
        failed=last.why if last else "",
        outdated=is_outdated(call.parts),
        approved=bulk_approved(call.parts),
        question=asked_settings(call.parts),
        value=value_words,
        pictures=PICTURES,
        address=lambda **more: address(HERE, {**chosen, **more}),
    )


def read(call: PageCall, limit: int) -> ReviewReport:
    """The report for the address."""
    after = scene_number(call.query.get("after", "0"))
    return review_facts(present_review(call.parts), _filter(_read_filter(call.query)), after=after, limit=limit)


def ignore(call: PageCall) -> Response:
    """Ignore a scene, or all that the filter shows."""
    form = call.form
    chosen, scene = _read_filter(form), scene_number(form.get("scene", "0"))
    if not (scene or chosen):
        raise Wrong("Say which scenes: one, or those with a filter.")
    ids = [scene] if scene else present_review(call.parts).scenes(_filter(chosen))
    if not ids:
        return call.to(HERE, "No scene is listed with this filter any more.", well=False)
    after = scene_number(form.get("after", "0"))
    back = {**chosen, **({"after": str(after)} if after else {})} if scene else {}
    return call.to(address(HERE, back), ignore_all(call, ids))


def start(call: PageCall) -> Response:
    """Make a new review."""
    if not call.desk.tasks.start("review"):
        return call.to(HERE, "Something else is under way: wait for it, or stop it on the page Reconcile.", well=False)
    return call.to(HERE, "Every scene is compared now.")


def _read_filter(values: Mapping[str, str]) -> dict[str, str]:
    """The filter of the page."""
    return {name: value[:LONGEST] for name in FILTERS if (value := values.get(name, ""))}


def _filter(chosen: Mapping[str, str]) -> ChangeFilter:
    field, kind, library, studio = (chosen.get(name, "") for name in FILTERS)
    return ChangeFilter(field, kind, library, studio)


routes = [page(HERE, review), action(f"{HERE}/ignore", ignore), action(f"{HERE}/start", start)]

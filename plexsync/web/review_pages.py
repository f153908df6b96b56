"""The review of all planned changes, by kind and by scene, with the buttons that approve, skip and write them."""

from collections.abc import Mapping

from starlette.responses import Response

from plexsync.app.switches import bulk_approved
from plexsync.flows.scenes.verbs import take_up_skipped
from plexsync.reports.drift import value_words
from plexsync.reports.format import many
from plexsync.reports.review import ReviewReport, review_facts
from plexsync.rules.item import PICTURES
from plexsync.rules.words.status_words import SceneStatus
from plexsync.store.files.review_file import APPROVED, DECISIONS, OPEN, SKIPPED, YOURS, ChangeFilter, ReviewFile
from plexsync.web.pages import PageCall, Wrong, action, address, page, scene_number

HERE = "/review"
MOST_LISTED = 20
FILTERS = ("field", "kind", "library", "studio")
LONGEST = 500
ANSWERS = {APPROVED: "approved", SKIPPED: "skipped", OPEN: "open again"}


def review(call: PageCall) -> Response:
    """A page of the review: the changes with one decision, filtered."""
    desk, chosen, listed = call.desk, _read_filter(call.query), _read_decision(call.query)
    report = read(call, MOST_LISTED)
    here = {**chosen, **({"which": listed} if listed != OPEN else {})}
    last, written = desk.tasks.last("review"), desk.tasks.last("write approved")
    return call.show(
        "review.html",
        report=report,
        counts=report["changes"],
        names_of={"library": report["libraries"], "studio": report["studios"]},
        chosen=chosen,
        which=listed,
        tabs=[(decision, address(HERE, {**chosen, "which": decision})) for decision in DECISIONS],
        after=scene_number(call.query.get("after", "0")),
        first=address(HERE, here),
        next=address(HERE, {**here, "after": str(report["after"])}) if report["after"] is not None else "",
        current=desk.tasks.current,
        failed=next((task.why for task in (last, written) if task and task.why), ""),
        approved=bulk_approved(desk.parts),
        resting=desk.facts()["scenes"][SceneStatus.SKIPPED]["count"],
        value=value_words,
        pictures=PICTURES,
        address=lambda **more: address(HERE, {**here, **more}),
    )


def read(call: PageCall, limit: int) -> ReviewReport:
    """The report for the address."""
    after = scene_number(call.query.get("after", "0"))
    file, wanted = ReviewFile(call.parts.folder), _filter(_read_filter(call.query))
    return review_facts(file, _read_decision(call.query), wanted, after=after, limit=limit)


def _read_decision(values: Mapping[str, str]) -> str:
    """The decision whose changes are listed; raises Wrong."""
    listed = values.get("which", OPEN)
    if listed not in DECISIONS:
        raise Wrong("There is no such decision.")
    return listed


def decide(call: PageCall) -> Response:
    """Approve, skip or reopen changes: of a field, a scene, or all that the filter shows."""
    form = call.form
    answer, listed = form.get("answer", ""), _read_decision(form)
    if answer not in YOURS:
        raise Wrong("There is no such decision.")
    chosen, scene = _read_filter(form), scene_number(form.get("scene", "0"))
    if scene:
        wanted = ChangeFilter(scene=scene, item=form.get("item", "")[:LONGEST], field=form.get("one", "")[:LONGEST])
        count = ReviewFile(call.parts.folder).decide(answer, wanted)
    else:
        narrower = {name: form[f"only_{name}"][:LONGEST] for name in ("field", "kind") if form.get(f"only_{name}")}
        count = ReviewFile(call.parts.folder).decide(answer, _filter({**chosen, **narrower}), before=listed)
    back = {**chosen, **({"which": listed} if listed != OPEN else {})}
    if (after := form.get("after", "0")) != "0":
        back["after"] = str(scene_number(after))
    return call.to(
        address(HERE, back), f"{many(count, 'change')} {ANSWERS[answer]}. Nothing is written yet.", well=bool(count)
    )


def start(call: PageCall) -> Response:
    """Make a new review, or write what was approved."""
    what = call.form.get("what", "")
    if what not in ("review", "write approved"):
        raise Wrong("There is nothing of that name to begin.")
    if what == "write approved" and not ReviewFile(call.parts.folder).counts()[APPROVED]:
        return call.to(HERE, "Nothing is approved yet.", well=False)
    if not call.desk.tasks.start(what):
        busy = "Something else is under way: wait for it, or stop it on the page Reconcile."
        return call.to(HERE, busy, well=False)
    approved = "What you approved is compared once more and queued."
    return call.to(HERE, "Every scene is compared now." if what == "review" else approved)


def write_skipped(call: PageCall) -> Response:
    """Queue the scenes of which you approved only a part: the rest is written too."""
    count = take_up_skipped(call.parts.store, call.parts.clock)
    return call.to(HERE, f"{many(count, 'scene')} queued: what you skipped is written too.", well=bool(count))


def _read_filter(values: Mapping[str, str]) -> dict[str, str]:
    """The filter of the page."""
    return {name: value[:LONGEST] for name in FILTERS if (value := values.get(name, ""))}


def _filter(chosen: Mapping[str, str]) -> ChangeFilter:
    field, kind, library, studio = (chosen.get(name, "") for name in FILTERS)
    return ChangeFilter(field, kind, library, studio)


routes = [
    page(HERE, review),
    action(HERE, decide),
    action(f"{HERE}/start", start),
    action(f"{HERE}/skipped", write_skipped),
]

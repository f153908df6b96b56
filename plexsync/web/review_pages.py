"""The review of all planned changes, by kind and by scene, with the buttons that approve, skip and write them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from starlette.responses import Response

from plexsync.app.review import planned_changes
from plexsync.app.switches import bulk_approved
from plexsync.reports.drift import value_words
from plexsync.reports.format import many
from plexsync.rules.approval import FieldChange
from plexsync.rules.item import PICTURES
from plexsync.store.review_file import (
    APPROVED,
    DECISIONS,
    OPEN,
    SKIPPED,
    YOURS,
    ChangeFilter,
    ReviewedScene,
    ReviewFile,
)
from plexsync.web.pages import Ask, Wrong, action, page
from plexsync.web.scene_pages import scene_number

HERE = "/review"
SHOWN = 20
FILTERS = ("field", "kind", "library", "studio")
LONGEST = 500
ANSWERS = {APPROVED: "approved", SKIPPED: "skipped", OPEN: "open again"}
BUSY = "Something else is under way: wait for it, or stop it on the page Reconcile."


@dataclass(frozen=True)
class ReviewLine:
    """One planned change of a scene, with both values, and the decision about it."""

    item: str
    field: str
    kind: str
    library: str
    decision: str
    change: FieldChange


def review(ask: Ask) -> Response:
    """A page of the review: the changes with one decision, filtered."""
    desk, chosen = ask.desk, _chosen(ask.query)
    listed = ask.query.get("which", OPEN)
    if listed not in DECISIONS:
        raise Wrong("There is no such decision.")
    after = scene_number(ask.query.get("after", "0"))
    file = ReviewFile(desk.parts.folder)
    wanted = _filter(chosen)
    scenes = file.page(listed, wanted, after=after, limit=SHOWN + 1)
    here = {**chosen, **({"which": listed} if listed != OPEN else {})}
    current, last = desk.errands.current, desk.errands.last("review")
    written = desk.errands.last("write approved")
    head = file.head()
    return ask.show(
        "review.html",
        began=int(head["at"]) if head else None,
        counts=file.counts(),
        scenes=[(scene, _lines(scene)) for scene in scenes[:SHOWN]],
        groups=sorted(file.groups(listed, wanted)),
        names_of={"library": file.names("library"), "studio": file.names("studio")},
        chosen=chosen,
        which=listed,
        tabs=[(decision, _address({**chosen, "which": decision})) for decision in DECISIONS],
        after=after,
        first=_address(here),
        next=_address({**here, "after": str(scenes[SHOWN - 1].id)}) if len(scenes) > SHOWN else "",
        current=current,
        failed=next((errand.why for errand in (last, written) if errand and errand.why), ""),
        approved=bulk_approved(desk.parts),
        value=value_words,
        pictures=PICTURES,
        address=lambda **more: _address({**here, **more}),
    )


def decide(ask: Ask) -> Response:
    """Approve, skip or reopen changes: of a field, a scene, or all that the filter shows."""
    form = ask.form
    answer, listed = form.get("answer", ""), form.get("which", OPEN)
    if answer not in YOURS or listed not in DECISIONS:
        raise Wrong("There is no such decision.")
    shown, scene = _chosen(form), scene_number(form.get("scene", "0"))
    if scene:
        wanted = ChangeFilter(scene=scene, item=form.get("item", "")[:LONGEST], field=form.get("one", "")[:LONGEST])
        count = ReviewFile(ask.desk.parts.folder).decide(answer, wanted)
    else:
        narrower = {name: form[f"only_{name}"][:LONGEST] for name in ("field", "kind") if form.get(f"only_{name}")}
        count = ReviewFile(ask.desk.parts.folder).decide(answer, _filter({**shown, **narrower}), before=listed)
    back = {**shown, **({"which": listed} if listed != OPEN else {})}
    if (after := form.get("after", "0")) != "0":
        back["after"] = str(scene_number(after))
    return ask.to(
        _address(back), f"{many(count, 'change')} {ANSWERS[answer]}. Nothing is written yet.", well=bool(count)
    )


def start(ask: Ask) -> Response:
    """Make a new review, or write what was approved."""
    what = ask.form.get("what", "")
    if what not in ("review", "write approved"):
        raise Wrong("There is nothing of that name to begin.")
    if what == "write approved" and not ReviewFile(ask.desk.parts.folder).counts()[APPROVED]:
        return ask.to(HERE, "Nothing is approved yet.", well=False)
    if not ask.desk.errands.start(what):
        return ask.to(HERE, BUSY, well=False)
    begun = (
        "Every scene is compared now." if what == "review" else "What you approved is compared once more and queued."
    )
    return ask.to(HERE, begun)


def _chosen(values: Mapping[str, str]) -> dict[str, str]:
    """The filter of the page."""
    return {name: value[:LONGEST] for name in FILTERS if (value := values.get(name, ""))}


def _filter(chosen: Mapping[str, str]) -> ChangeFilter:
    field, kind, library, studio = (chosen.get(name, "") for name in FILTERS)
    return ChangeFilter(field, kind, library, studio)


def _address(chosen: Mapping[str, str]) -> str:
    return f"{HERE}?{urlencode(chosen)}" if chosen else HERE


def _lines(scene: ReviewedScene) -> Sequence[ReviewLine]:
    changes = planned_changes(scene)
    return [
        ReviewLine(row.item, row.field, row.kind, row.library, row.decision, changes[row.item, row.field])
        for row in scene.changes
        if (row.item, row.field) in changes
    ]


routes = [page(HERE, review), action(HERE, decide), action(f"{HERE}/start", start)]

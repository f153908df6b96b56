"""Full comparisons and their results, unpaired items and scenes, and a sync of all scenes."""

from collections.abc import Mapping
from itertools import islice
from typing import Any

from starlette.responses import Response

from plexsync.app.switches import bulk_approved
from plexsync.flows.scenes.reconcile import reports
from plexsync.reports.comparison import counted
from plexsync.reports.format import many, noted
from plexsync.reports.unpaired import lone_items, lone_scenes
from plexsync.rules.note_keys import LAST_RUN
from plexsync.rules.status_words import counted as number_of
from plexsync.rules.status_words import finding_counts
from plexsync.web.background_tasks import ERRANDS, BackgroundTask
from plexsync.web.pages import Ask, Wrong, action, page

SHOWN = 50
NAMES = {
    "compare": "Full comparison",
    "compare anew": "Full comparison, from the first scene",
    "look": "Poll of Stash",
    "preview": "Preview of a sync of everything",
    "sync all": "Queueing every scene",
}


def reconcile(ask: Ask) -> Response:
    """The results of comparisons, and the tasks that you can start."""
    desk, parts = ask.desk, ask.desk.parts
    with parts.store.reading() as db:
        found, run = reports(db), noted(db.notes.text(LAST_RUN))
    preview = desk.errands.last("preview")
    return ask.show(
        "reconcile.html",
        found=desk.facts(),
        reports=[{"report": one, "counts": words(counted(one))} for one in found],
        run=run,
        scenes=list(islice(lone_scenes(parts), SHOWN + 1)),
        items=list(islice(lone_items(parts), SHOWN + 1)),
        shown=SHOWN,
        current=desk.errands.current,
        past=[told(one) for one in list(desk.errands.past)],
        names=NAMES,
        preview=preview,
        preview_counts=words(preview.facts.get("counts", {})) if preview else [],
        seen_all=bool(preview and preview.facts.get("complete")),
        approved=bulk_approved(parts),
        hours=parts.config.reconcile_interval_hours,
    )


def words(counts: Mapping[str, int]) -> list[str]:
    """The number of scenes per status: `12 in sync`."""
    return [number_of(word, count) for word, count in finding_counts(counts)]


def told(errand: BackgroundTask) -> dict[str, Any]:
    """An ended task, as text."""
    facts = errand.facts
    if errand.why:
        line = errand.why
    elif errand.name in ("compare", "compare anew") and facts:
        line = f"{many(facts['scenes'], 'scene')} compared, {facts['wanted']:,} queued"
    elif errand.name == "look":
        news = ", ".join(many(count, kind) for kind, count in facts.get("wanted", {}).items() if count)
        line = f"changed in Stash: {news or 'nothing'}"
    elif errand.name == "preview" and facts:
        line = f"{many(facts['total'], 'scene')} compared, {facts['counts'].get('would_change', 0):,} would change"
    elif errand.name == "sync all" and facts:
        line = f"{many(facts['wanted'], 'scene')} queued; the worker does the rest"
    else:
        line = ""
    return {
        "name": NAMES[errand.name],
        "state": errand.state,
        "line": line,
        "began": errand.began,
        "ended": errand.ended,
    }


def start(ask: Ask) -> Response:
    """Start a task by its name; the first write needs a preview and your approval."""
    name = ask.form.get("what", "")
    if name not in ERRANDS:
        raise Wrong("There is nothing of that name to begin.")
    if name == "sync all" and ask.form.get("agreed") != "yes" and not bulk_approved(ask.desk.parts):
        return ask.to("/reconcile", "Preview the changes first, then approve them.", well=False)
    if not ask.desk.errands.start(name):
        return ask.to("/reconcile", "Something else is under way: wait for it, or stop it.", well=False)
    return ask.to("/reconcile", f"Begun: {NAMES[name].lower()}.")


def stop(ask: Ask) -> Response:
    """Stop the running task."""
    if not ask.desk.errands.stop():
        return ask.to("/reconcile", "Nothing is under way that could be stopped.", well=False)
    return ask.to("/reconcile", "It stops as soon as what it asked for is answered.")


routes = [page("/reconcile", reconcile), action("/reconcile", start), action("/reconcile/stop", stop)]

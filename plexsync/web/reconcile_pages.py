"""Full comparisons and their results, unpaired items and scenes, and a sync of all scenes."""

from collections.abc import Mapping
from itertools import islice
from typing import cast

from starlette.responses import Response

from plexsync.app.switches import asked_settings, bulk_approved, waits_for_yes
from plexsync.flows.scenes.comparison_report import reports
from plexsync.reports.comparisons import PreviewResult, count_statuses, evidence_lines, lone_items, lone_scenes
from plexsync.reports.format import parse_note
from plexsync.reports.scenes import facts_of
from plexsync.rules.queue.note_keys import LAST_RUN
from plexsync.rules.words.status_words import count_words as number_of, finding_counts
from plexsync.web.background_tasks import TASKS
from plexsync.web.pages import PageCall, Wrong, action, page

MOST_LISTED = 50
NAMES = {
    "compare": "Full comparison",
    "compare anew": "Full comparison, from the first scene",
    "look": "Poll of Stash",
    "preview": "Preview of a sync of everything",
    "sync all": "Queueing every scene",
    "review": "Review",
}


def reconcile(call: PageCall) -> Response:
    """The results of comparisons, and the tasks that you can start."""
    tasks, parts = call.desk.tasks, call.parts
    lone = list(islice(lone_scenes(parts), MOST_LISTED + 1))
    with parts.store.reading() as db:
        past, run = reports(db), parse_note(db.notes.text(LAST_RUN))
        scenes = facts_of(db, lone, parts.picture_names)
    preview = tasks.last("preview")
    result = cast(PreviewResult, preview.facts) if preview and preview.facts else None
    return call.show(
        "reconcile.html",
        found=call.desk.facts(),
        reports=[
            (report, words(count_statuses(report), report.kept_fields), evidence_lines(report)) for report in past
        ],
        run=run,
        scenes=scenes,
        items=list(islice(lone_items(parts), MOST_LISTED + 1)),
        shown=MOST_LISTED,
        current=tasks.current,
        past=[(task, task.why or task.words) for task in list(tasks.past)],
        names=NAMES,
        preview=preview,
        preview_counts=words(result["counts"], result["kept_fields"]) if result else [],
        seen_all=bool(result and result["complete"]),
        approved=bulk_approved(parts),
        question=asked_settings(parts),
        hours=parts.config.reconcile_interval_hours,
    )


def words(counts: Mapping[str, int], kept_fields: int) -> list[str]:
    """The number of scenes per status: `12 in sync`."""
    return [number_of(word, count) for word, count in finding_counts(counts, kept_fields=kept_fields)]


def start(call: PageCall) -> Response:
    """Start a task by its name; the first write needs a preview and your approval."""
    name = call.form.get("what", "")
    if name not in TASKS:
        raise Wrong("There is nothing of that name to begin.")
    if name == "sync all" and call.form.get("agreed") != "yes" and waits_for_yes(call.parts):
        return call.to("/reconcile", "Preview the changes first, then approve them.", well=False)
    if not call.desk.tasks.start(name):
        return call.to("/reconcile", "Something else is under way: wait for it, or stop it.", well=False)
    return call.to("/reconcile", f"Begun: {NAMES[name].lower()}.")


def stop(call: PageCall) -> Response:
    """Stop the running task."""
    if not call.desk.tasks.stop():
        return call.to("/reconcile", "Nothing is under way that could be stopped.", well=False)
    return call.to("/reconcile", "It stops as soon as what it asked for is answered.")


routes = [page("/reconcile", reconcile), action("/reconcile", start), action("/reconcile/stop", stop)]

"""`plexsync sync --apply`: has exactly the changes of a plan written, and refuses what is no longer true of it."""

from itertools import islice
from pathlib import Path

import click

from plexsync.app.parts import Parts, open_parts
from plexsync.app.plan_file import head_in, head_now, scenes_in, why_untrue
from plexsync.app.settings import SettingsNeed
from plexsync.app.switches import bulk_approved
from plexsync.cli.call import FAILED, FINE, Call
from plexsync.cli.daemon.signals import Stop, stoppable
from plexsync.cli.daemon.work_loop import work_scenes
from plexsync.cli.start import begin_call
from plexsync.cli.terminal.screen import ProgressBar, paper, say
from plexsync.cli.terminal.worker_hint import worker_hint
from plexsync.flows.scenes.inspection import BATCH
from plexsync.flows.scenes.preview import Approved, approve, not_written
from plexsync.reports.format import many, safe
from plexsync.reports.outcomes import Outcomes
from plexsync.rules.servers.errors import NeighbourError

UNTRUE = "{} is no longer true: {}. Nothing was queued; make a new plan (plexsync sync --dry-run --out FILE)"
UNAPPROVED = "the first write of the whole library still waits for your approval (plexsync sync --all)"
# The number of refused scenes that are named.
MOST_LISTED = 20
# From so many scenes on, they go behind all edits.
CROWD = 100


def apply_plan(call: Call, path: Path, *, wait: bool) -> int:
    """Queue the scenes of the plan for its changes; returns the exit code."""
    head, total = head_in(path)
    approved = Approved()
    settled: Outcomes | None = None
    with begin_call(call, need=SettingsNeed.WORK) as start, stoppable() as stop:
        with open_parts(start.config, start.folder) as parts:
            start.require(parts)
            if reason := why_untrue(head, head_now(parts)):
                return call.refuse(UNTRUE.format(path, reason))
            with ProgressBar(start.console, "comparing") as bar:
                failure = _approve_all(parts, path, total, approved, bar, stop, take_over=head.take_over)
            closed = "" if wait else start.ask(parts)
            hint, is_first = worker_hint(parts.someone_works(), closed), not bulk_approved(parts)
        if wait and approved.queued and not stop:
            settled, closed = work_scenes(start, stop, approved.queued)
            with open_parts(start.config, start.folder) as parts, parts.store.reading() as db:
                approved.refused |= not_written(db, approved.queued)
    facts = {
        "wanted": len(approved.queued),
        "changes": approved.changes,
        "already": len(approved.done),
        "refused": [{"scene": id, "why": reason} for id, reason in approved.refused.items()],
        **({"outcomes": dict(settled.standing)} if settled else {}),
        **({"why": closed} if closed else {}),
        **({"error": failure} if failure else {}),
    }

    def tell() -> None:
        words = [f"{many(len(approved.queued), 'scene')} queued with {many(approved.changes, 'approved change')}"]
        words += [f"{many(len(approved.done), 'scene')} in Plex already"] if approved.done else []
        words += [f"{many(len(approved.refused), 'scene')} refused"] if approved.refused else []
        say(paper(), ", ".join(words) + (f"; {hint}" if approved.queued and not settled else ""))
        if settled:
            say(paper(), settled.line())
        if is_first:
            say(paper(), UNAPPROVED)

    call.answer(facts, tell)
    for id, reason in islice(approved.refused.items(), MOST_LISTED):
        click.echo(f"plexsync: scene {id}: nothing was written: {safe(reason)}", err=True)
    if (more := len(approved.refused) - MOST_LISTED) > 0:
        click.echo(f"plexsync: and {many(more, 'more scene')} (--json lists all)", err=True)
    if failure:
        click.echo(f"plexsync: {safe(failure)} (apply the plan again to go on)", err=True)
    is_well = settled is None or settled.well
    return stop.code or (FINE if is_well and not approved.refused and not failure else FAILED)


def _approve_all(
    parts: Parts, path: Path, total: int, approved: Approved, bar: ProgressBar, stop: Stop, *, take_over: bool
) -> str:
    """Approve the scenes of the plan; returns why it ended before its last one, or ''."""
    scenes, done = scenes_in(path), 0
    while batch := list(islice(scenes, BATCH)):
        if stop:
            return "it was stopped"
        try:
            approve(parts.inspector, batch, approved, take_over=take_over, behind=total > CROWD)
        except NeighbourError as error:
            return str(error)
        done += len(batch)
        bar.at(done, total)
    return ""

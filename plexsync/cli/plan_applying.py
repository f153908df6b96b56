"""`plexsync sync --apply`: has exactly the changes of a plan written, and refuses what is no longer true of it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import click

from plexsync.app.parts import Parts, opened
from plexsync.app.plan_file import head_in, head_now, scenes_in, why_untrue
from plexsync.app.settings import SettingsNeed
from plexsync.app.switches import bulk_approved
from plexsync.cli.call import FAILED, FINE, Call
from plexsync.cli.daemon.signals import stoppable
from plexsync.cli.daemon.work_loop import Remaining, WorkLoop
from plexsync.cli.start import Begun, begun
from plexsync.cli.terminal.screen import ProgressBar, paper, say
from plexsync.flows.scenes.inspection import BATCH
from plexsync.flows.scenes.preview import Approved, approve, not_written
from plexsync.reports.format import many, safe
from plexsync.reports.outcomes import outcomes
from plexsync.rules.errors import NeighbourError

UNTRUE = "{} is no longer true: {}. Nothing was queued; make a new plan (plexsync sync --dry-run --out FILE)"
UNAPPROVED = "the first write of the whole library still waits for your approval (plexsync sync --all)"
# The number of refused scenes that are named.
SHOWN = 20
# From so many scenes on, they go behind all edits.
CROWD = 100


@dataclass
class Applied:
    """What came of a plan. `failure` ended it before its last scene; `closed` says why nothing is synced now."""

    path: Path
    total: int
    approved: Approved = field(default_factory=Approved)
    failure: str = ""
    closed: str = ""
    busy: bool = False
    is_first: bool = False
    outcomes: str = ""
    standing: dict[str, int] = field(default_factory=dict)

    @property
    def code(self) -> int:
        """The exit code, apart from that of the scenes which were waited for."""
        return FAILED if self.approved.refused or self.failure else FINE

    def facts(self) -> dict[str, object]:
        """For JSON."""
        refused = [{"scene": id, "why": reason} for id, reason in self.approved.refused.items()]
        facts: dict[str, object] = {
            "wanted": len(self.approved.queued),
            "changes": self.approved.changes,
            "already": len(self.approved.done),
            "refused": refused,
        }
        return {
            **facts,
            **({"outcomes": self.standing} if self.outcomes else {}),
            **({"why": self.closed} if self.closed else {}),
            **({"error": self.failure} if self.failure else {}),
        }

    def tell(self, hint: Callable[[bool, str], str]) -> None:
        """Say it in a few lines."""
        out, queued = paper(), self.approved.queued
        parts = [f"{many(len(queued), 'scene')} queued with {many(self.approved.changes, 'approved change')}"]
        parts += [f"{many(len(self.approved.done), 'scene')} in Plex already"] if self.approved.done else []
        parts += [f"{many(len(self.approved.refused), 'scene')} refused"] if self.approved.refused else []
        say(out, ", ".join(parts) + (f"; {hint(self.busy, self.closed)}" if queued and not self.outcomes else ""))
        if self.outcomes:
            say(out, self.outcomes)
        if self.is_first:
            say(out, UNAPPROVED)

    def complain(self) -> None:
        """Report the refused scenes on standard error."""
        for id, reason in islice(self.approved.refused.items(), SHOWN):
            click.echo(f"plexsync: scene {id}: nothing was written: {safe(reason)}", err=True)
        if (more := len(self.approved.refused) - SHOWN) > 0:
            click.echo(f"plexsync: and {many(more, 'more scene')} (--json lists all)", err=True)
        if self.failure:
            click.echo(f"plexsync: {safe(self.failure)} (apply the plan again to go on)", err=True)


def apply_plan(call: Call, path: Path, *, wait: bool, hint: Callable[[bool, str], str]) -> int:
    """Queue the scenes of the plan for its changes; returns the exit code."""
    head, total = head_in(path)
    applied = Applied(path, total)
    with begun(call, need=SettingsNeed.WORK) as start, stoppable() as stop:
        with opened(start.config, start.folder) as parts:
            start.meet(parts)
            if start.settings.away and not start.settings.sure:
                raise start.settings.away
            if reason := why_untrue(head, head_now(parts)):
                return call.refused(UNTRUE.format(path, reason))
            with ProgressBar(start.console, "comparing") as bar:
                _approve_all(parts, applied, bar, lambda: bool(stop), take_over=head.take_over)
            applied.closed = "" if wait else start.ask(parts)
            applied.busy, applied.is_first = parts.someone_works(), not bulk_approved(parts)
        well = True
        if wait and applied.approved.queued and not stop:
            with ProgressBar(start.console, "syncing") as bar:
                applied.closed = (
                    WorkLoop(start, stop, bar, Remaining(applied.approved.queued), patient=True).run().reason
                )
            well = _settled(start, applied)
    call.answer(applied.facts(), lambda: applied.tell(hint))
    applied.complain()
    return stop.code or applied.code or (FINE if well else FAILED)


def _approve_all(
    parts: Parts, applied: Applied, bar: ProgressBar, stopping: Callable[[], bool], *, take_over: bool
) -> None:
    scenes, done = scenes_in(applied.path), 0
    while batch := list(islice(scenes, BATCH)):
        if stopping():
            applied.failure = "it was stopped"
            return
        try:
            behind = applied.total > CROWD
            approve(parts.looker, batch, applied.approved, take_over=take_over, behind=behind)
        except NeighbourError as error:
            applied.failure = str(error)
            return
        done += len(batch)
        bar.at(done, applied.total)


def _settled(start: Begun, applied: Applied) -> bool:
    """Add how the queued scenes ended; returns whether all ended well."""
    with opened(start.config, start.folder) as parts:
        settled = outcomes(parts, applied.approved.queued)
        with parts.store.reading() as db:
            late = not_written(db, applied.approved.queued)
    applied.approved.refused |= late
    applied.outcomes, applied.standing = settled.line(), dict(settled.standing)
    return settled.well

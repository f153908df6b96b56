"""`plexsync reconcile`: compares scenes with Plex, and queues those that differ."""

from datetime import datetime, timedelta

import click

from plexsync.app.parts import Parts, open_parts
from plexsync.app.settings import SettingsNeed
from plexsync.app.switches import approve_settings
from plexsync.cli.call import FAILED, FINE, Call, command
from plexsync.cli.daemon.signals import stoppable
from plexsync.cli.daemon.work_loop import work_scenes
from plexsync.cli.start import begin_call
from plexsync.cli.terminal.param_types import SceneNumber, When, moment
from plexsync.cli.terminal.screen import ProgressBar, paper, say
from plexsync.flows.scenes.comparison_report import ComparisonReport
from plexsync.flows.scenes.reconcile import ComparisonScope, UnknownLibrary
from plexsync.reports.comparisons import (
    PollFacts,
    ReconcileFacts,
    UnpairedLists,
    WaitResult,
    count_statuses,
    evidence_lines,
    lone_items,
    lone_scenes,
    report_facts,
)
from plexsync.reports.format import many, safe, stamp
from plexsync.reports.outcomes import Outcomes
from plexsync.rules.queue.job import Kind, State
from plexsync.rules.words.status_words import count_words as number_of, finding_counts


@command("reconcile")
@click.argument("scenes", metavar="[SCENE]...", nargs=-1, type=SceneNumber())
@click.option(
    "--since", metavar="WHEN", type=When(), help="Only scenes changed in Stash since then: 2026-03-31, 2h, 3d."
)
@click.option("--library", metavar="NAME", help="Only scenes that may have an item in this library of Plex.")
@click.option("--quick", is_flag=True, help="Only poll both servers for changes since the last poll.")
@click.option("--anew", is_flag=True, help="Begin at the first scene, also when an earlier comparison was broken off.")
@click.option("--wait", is_flag=True, help="Work what differs before returning, as sync --wait does.")
@click.pass_obj
def reconcile(
    call: Call,
    scenes: tuple[int, ...],
    since: datetime | timedelta | None,
    library: str | None,
    quick: bool,
    anew: bool,
    wait: bool,
) -> int:
    """Compare all scenes in Stash with their items in Plex, and queue what differs.

    Finds what no event tells: edits made while nothing ran, merges, moved folders, restored backups, changes in Plex;
    and items that no scene shows, and scenes without an item. Writes nothing to Plex itself: what differs is put in the
    queue for the worker. The worker does this by itself every reconcile_interval_hours; call it after a move, a restore,
    or a change of settings. A comparison that was stopped, or whose servers went down, goes on from where it was. Exits
    with 1 if a scene could not be compared, or with --wait if one became a dead letter.

    With --quick each server is asked once, and again only if something has changed since the last poll: edits in Stash
    and in Plex are found, but not a change that leaves no new time, such as a moved folder. The worker does this every
    stash_poll_interval.

    \b
    Examples:
      plexsync reconcile
      plexsync reconcile --wait
      plexsync reconcile 7 12
      plexsync reconcile --library Movies
    """
    ways = bool(scenes) + (since is not None) + bool(library)
    if ways > 1:
        raise click.UsageError(
            "say which scenes in one way: their numbers, --since WHEN or --library NAME; or all of them"
        )
    if quick and (ways or anew or wait):
        raise click.UsageError("--quick runs a poll, and takes no other option")
    if anew and ways:
        raise click.UsageError("--anew is for the full comparison: a selection is always compared from its start")
    if not quick:
        return _compare(call, scenes, since, library or "", anew=anew, wait=wait)
    with (
        begin_call(call, need=SettingsNeed.WORK) as start,
        stoppable(),
        open_parts(start.config, start.folder) as parts,
    ):
        start.require(parts)
        return _look(call, parts)


def _compare(
    call: Call, scenes: tuple[int, ...], since: datetime | timedelta | None, library: str, *, anew: bool, wait: bool
) -> int:
    """Compare the chosen scenes, or all; returns the exit code."""
    with begin_call(call, need=SettingsNeed.WORK) as start, stoppable() as stop:
        with open_parts(start.config, start.folder) as parts, ProgressBar(start.console, "comparing") as bar:
            start.require(parts)
            scope = ComparisonScope(tuple(dict.fromkeys(scenes)), moment(since, parts.clock.now()), library)
            is_whole = scope == ComparisonScope()
            try:
                if not is_whole:
                    report = parts.reconciler.reconcile_some(scope, bar.at, stopping=stop.event.is_set)
                else:
                    if problem := approve_settings(parts):
                        raise click.ClickException(f"nothing is compared: {problem}")
                    report = parts.reconciler.reconcile(bar.at, stopping=stop.event.is_set, anew=anew)
            except UnknownLibrary as error:
                raise click.UsageError(str(error)) from error
            with parts.store.reading() as db:
                waiting = [id for id, state in db.jobs.ids(Kind.SCENE) if state in (State.READY, State.RUNNING)]
            busy = parts.someone_works()
            lists: UnpairedLists = {}
            if call.json and report.without_scene is not None:
                lists = {
                    "scenes_without_item": list(lone_scenes(parts)),
                    "items_without_scene": list(lone_items(parts)),
                }
        settled, ended_by = work_scenes(start, stop, waiting) if wait and not stop else (None, "")
        worked: WaitResult = {}
        if settled is not None:
            worked = {"outcomes": dict(settled.standing), "causes": dict(settled.causes), "why": ended_by}
        facts: ReconcileFacts = {**report_facts(report), **worked, **lists}
        call.answer(facts, lambda: say(paper(), _words(report, settled, ended_by, busy=busy)))
        failed = report.standing["failed"] or (settled and not settled.well)
        return stop.code or (FAILED if failed else FINE)


def _look(call: Call, parts: Parts) -> int:
    """Run a poll, and report what it queued."""
    polled = parts.poller.poll()
    wanted = {kind.value: count for kind, count in polled.wanted.items()}

    def tell() -> None:
        changes = ", ".join(f"{many(count, name)}" for name, count in wanted.items() if count)
        say(paper(), f"changed in Stash: {changes or 'nothing'}")

    facts: PollFacts = {"wanted": wanted, "complete": not polled.reason, "why": polled.reason}
    call.answer(facts, tell)
    if polled.reason:
        click.echo(f"plexsync: {safe(polled.reason)}", err=True)
    return FAILED if polled.reason else FINE


def _words(report: ComparisonReport, settled: Outcomes | None, ended_by: str, *, busy: bool) -> str:
    counts = finding_counts(count_statuses(report), kept_fields=report.kept_fields)
    lines = [f"{report.scenes:,} scenes compared" + ("" if report.complete else ", then stopped")]
    if report.after:
        begun = stamp(report.began)
        lines.append(f"  gone on with behind scene {report.after}; begun {begun} (--anew begins at the first)")
    lines += [f"  {number_of(word, count)}" for word, count in counts]
    lines += [f"  {line}" for line in evidence_lines(report)]
    if report.gone:
        lines.append(f"  {report.gone:,} gone from Stash")
    if report.without_scene:
        items = many(report.without_scene, "item")
        lines.append(f"  {items} in Plex without a scene in Stash (plexsync status --without-scene lists them)")
    if settled:
        lines.append(f"worked now: {settled.line()}" + (f"; {ended_by}" if ended_by else ""))
    elif report.wanted:
        rest = "the worker does the rest" if busy else "start plexsync serve, or run plexsync drain, to work them"
        lines.append(f"{report.wanted:,} queued; {rest}")
    return "\n".join(lines)

"""`plexsync redo`: ends an undo or a release, so that the scenes are synced again."""

from datetime import datetime, timedelta

import click

from plexsync.app.database_files import half_mended, mend
from plexsync.app.parts import Parts, opened
from plexsync.app.settings import SettingsNeed
from plexsync.cli.call import FAILED, FINE, Body, Call, command
from plexsync.cli.commands.sync import worker_hint
from plexsync.cli.commands.undo import Which, list_runs, options
from plexsync.cli.daemon.signals import stoppable
from plexsync.cli.daemon.work_loop import Remaining, WorkLoop, outcomes
from plexsync.cli.start import Begun, begun
from plexsync.cli.terminal.preview_output import dry_run as show_changes
from plexsync.cli.terminal.prompts import confirmed
from plexsync.cli.terminal.screen import ProgressBar, paper, say
from plexsync.flows.scenes.undo_marks import Redone, redo_scenes, sorted_out
from plexsync.reports.format import many
from plexsync.reports.named_scenes import listed
from plexsync.reports.rows import rows_in
from plexsync.reports.undo import redo_facts
from plexsync.rules.job import SKIPPED, State


def _options(body: Body) -> Body:
    return options(
        body,
        every="Every undone, released or skipped scene.",
        since="The scenes undone or released since then: 2026-03-31, 2h, 3d.",
        run="The undone scenes that were pushed in that run.",
    )


@command("redo")
@_options
@click.pass_obj
def redo(
    call: Call,
    scenes: tuple[int, ...],
    all_: bool,
    since: datetime | timedelta | None,
    run: int | None,
    runs: bool,
    dry_run: bool,
    yes: bool,
    wait: bool,
) -> int:
    """Sync scenes again that plexsync undo or plexsync release has put to rest, or of which you approved only a part.

    The undo ends, as it does when you edit the scene in Stash, and the scenes are put in the queue; with --wait they are
    worked before the command returns. Values that are locked in Plex by then are kept (first_push). Asks once for more
    than one scene. An ignored scene stays as it is (plexsync unignore). Exits with 1 if a scene that was named is not
    undone, is ignored or is gone from Stash, or if one became a dead letter.

    \b
    Examples:
      plexsync redo 7 12
      plexsync redo --all --dry-run
      plexsync redo --run 4711 --wait
    """
    selection = Which(scenes, all_, since, run)
    selection.check(runs=runs)
    need = SettingsNeed.WORK if wait or dry_run else SettingsNeed.DATABASE
    with begun(call, need=need) as start:
        if half_mended(start.address):
            mend(start.address)
        if runs:
            with opened(start.config, start.folder) as parts:
                return list_runs(call, parts)
        left_alone = Redone()
        with opened(start.config, start.folder) as parts:
            ids = _undone_scenes(parts, selection, left_alone)
        if dry_run:
            shown = show_changes(call, start, tuple(ids), redo=True)
            return _complain(left_alone, named=bool(scenes)) or shown
        if len(ids) > 1 and not yes and not confirmed(f"Sync {many(len(ids), 'scene')} again?"):
            click.echo("plexsync: nothing was changed", err=True)
            call.answer(redo_facts(Redone()), lambda: None)
            return FAILED
        return _redo(call, start, ids, left_alone, wait=wait, named=bool(scenes))


def _undone_scenes(parts: Parts, selection: Which, left_alone: Redone) -> list[int]:
    """The selected scenes that can be redone; the others go to the lists of `left_alone`."""
    skipped = [row.id for row in rows_in(parts, State.DROPPED, SKIPPED)] if selection.all_ else []
    with parts.store.reading() as db:
        if selection.scenes:
            return sorted_out(db, list(dict.fromkeys(selection.scenes)), left_alone)
        marked = sorted({*db.memories.marks(), *skipped})
        if selection.run is not None:
            in_run = set(selection.pushed_in_run(db))
            marked = [id for id in marked if id in in_run]
        elif selection.since is not None:
            marked = db.memories.marked_since(selection.begin(parts.clock.now()))
        return sorted_out(db, marked, left_alone)


def _redo(call: Call, start: Begun, ids: list[int], left_alone: Redone, *, wait: bool, named: bool) -> int:
    """End the undo of these scenes and queue them; with `wait`, report the outcomes."""
    with opened(start.config, start.folder) as parts:
        with ProgressBar(start.console, "queueing") as bar:
            redone = redo_scenes(parts.store, parts.clock, ids, bar.at)
        busy, closed = parts.someone_works(), "" if wait else start.ask(parts)
    redone.add_left_alone(left_alone)
    if wait:
        return _wait(call, start, redone, named=named)
    hint = worker_hint(busy, closed)
    line = f"{many(len(redone.scenes), 'scene')} to be synced again" + (f"; {hint}" if redone.scenes else "")
    call.answer(redo_facts(redone), lambda: say(paper(), line))
    return _complain(redone, named=named)


def _complain(redone: Redone, *, named: bool) -> int:
    """Report on standard error what was left alone; returns the exit code, which only named scenes can change."""
    if named and redone.not_undone:
        click.echo(f"plexsync: not undone: {listed(redone.not_undone)}", err=True)
    if redone.ignored:
        click.echo(f"plexsync: ignored, so left alone (plexsync unignore): {listed(redone.ignored)}", err=True)
    if named and redone.gone:
        click.echo(f"plexsync: gone from Stash: {listed(redone.gone)}", err=True)
    return FAILED if named and (redone.not_undone or redone.ignored or redone.gone) else FINE


def _wait(call: Call, start: Begun, redone: Redone, *, named: bool) -> int:
    """Work or watch until all are settled; report the outcomes."""
    with stoppable() as stop:
        with ProgressBar(start.console, "syncing") as bar:
            ended = WorkLoop(start, stop, bar, Remaining(redone.scenes), patient=True).run()
        with opened(start.config, start.folder) as parts:
            settled = outcomes(parts, redone.scenes)
        causes = {"causes": dict(settled.causes), "why": ended.reason}
        facts = {**redo_facts(redone), "outcomes": dict(settled.standing), **causes}
        reason = f"; {ended.reason}" if ended.reason else ""
        call.answer(facts, lambda: say(paper(), settled.line() + reason))
        complained = _complain(redone, named=named)
        return stop.code or (complained if settled.well else FAILED)

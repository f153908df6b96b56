"""`plexsync ratings`: ratings that go both ways, and how they are put back."""

from collections.abc import Sequence

import click

from plexsync.app.parts import opened
from plexsync.app.rating_back import rating_back_of
from plexsync.app.settings import SettingsNeed
from plexsync.cli.call import FAILED, FINE, Call, command, family
from plexsync.cli.commands.sync import worker_hint
from plexsync.cli.daemon.signals import stoppable
from plexsync.cli.daemon.work_loop import RemainingJobs, WorkLoop
from plexsync.cli.start import Begun, begun
from plexsync.cli.terminal.param_types import SceneNumber
from plexsync.cli.terminal.prompts import confirmed
from plexsync.cli.terminal.screen import ProgressBar, paper, say
from plexsync.engine.tickets import READ_STASH
from plexsync.engine.undo import Marked, wish_undone
from plexsync.flows.plays.ratings import BOTH
from plexsync.reports.format import many, safe
from plexsync.reports.named_scenes import listed
from plexsync.reports.ratings import ratings_undone
from plexsync.store.database import Database

OFF = 'ratings go one way, so none was replaced by another server: set rating_direction = "both" first'
# The number of scenes that are read together.
PAGE = 1_000


@command("undo")
@click.argument("scenes", metavar="[SCENE]...", nargs=-1, type=SceneNumber())
@click.option("--all", "all_", is_flag=True, help="The ratings of all scenes.")
@click.option("--dry-run", is_flag=True, help="Count the scenes; changes nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--wait", is_flag=True, help="Return when it is done, with a summary.")
@click.pass_obj
def undo(call: Call, scenes: tuple[int, ...], all_: bool, dry_run: bool, yes: bool, wait: bool) -> int:
    """Put back the ratings that PlexSync replaced, in Stash and in Plex.

    Only where the rating is still the one that PlexSync wrote: one that you have changed since then stays. Each side then
    keeps its rating until you rate again. Needs rating_direction = both. Asks once for more than one scene. Exits with 1
    if PlexSync has not written the rating of a named scene.

    \b
    Examples:
      plexsync ratings undo 7 12
      plexsync ratings undo --all --wait
    """
    if bool(scenes) + all_ != 1:
        raise click.UsageError("say which ratings: the numbers of their scenes, or --all")
    with begun(call, need=SettingsNeed.WORK) as start, opened(start.config, start.folder) as parts:
        ratings = rating_back_of(parts)
        if ratings is None:
            return call.refused(OFF, scenes=0)
        start.tell(parts)
        if start.settings.away:
            raise start.settings.away
        named = list(dict.fromkeys(scenes))
        written = written_scenes(parts.store)
        chosen = [id for id in named if id in written] if named else sorted(written)
        if dry_run:
            call.answer(ratings_undone(chosen), lambda: say(paper(), f"{_ratings_of(chosen)}; nothing was changed"))
            return FINE
        if len(chosen) > 1 and not yes and not confirmed(f"Put back {_ratings_of(chosen)}?"):
            click.echo("plexsync: nothing was changed", err=True)
            call.answer(ratings_undone([]), lambda: None)
            return FAILED
        start.ask(parts, READ_STASH)
        with ProgressBar(start.console, "queueing") as bar:
            marked = wish_undone(parts.store, ratings.flows[0], parts.clock, chosen, "undo", bar.at)
        busy = parts.someone_works()
    code = _wait(call, start, marked) if wait else _told(call, marked, busy=busy)
    return _complained(marked, [id for id in named if id not in marked.jobs and id not in marked.failed]) or code


def written_scenes(store: Database) -> set[int]:
    """The scenes of which PlexSync has written the rating on either side, and nobody else since."""
    written: set[int] = set()
    last = 0
    while True:
        with store.reading() as db:
            page = db.ratings.written(after=last, limit=PAGE)
        if not page:
            return written
        written.update(page)
        last = page[-1]


def _ratings_of(scenes: Sequence[int]) -> str:
    return f"the ratings of {many(len(scenes), 'scene')}"


def _told(call: Call, marked: Marked, *, busy: bool) -> int:
    hint = f"; {worker_hint(busy, '')}" if marked.jobs else ""
    call.answer(
        ratings_undone(marked.jobs, marked.failed),
        lambda: say(paper(), f"{_ratings_of(marked.jobs)} to be put back{hint}"),
    )
    return FINE


def _wait(call: Call, start: Begun, marked: Marked) -> int:
    """Work or watch until all are settled, and say how it ended."""
    remaining = RemainingJobs(BOTH, marked.jobs)
    with stoppable() as stop:
        with ProgressBar(start.console, "working") as bar:
            ended = WorkLoop(start, stop, bar, remaining, patient=True).run()
        with opened(start.config, start.folder) as parts:
            unsettled = remaining.count(parts)
        rest = f", {unsettled:,} not yet" if unsettled else ""
        reason = f"; {ended.reason}" if ended.reason else ""
        call.answer(
            {**ratings_undone(marked.jobs, marked.failed), "unsettled": unsettled, "why": ended.reason},
            lambda: say(paper(), f"{_ratings_of(marked.jobs)} put back{rest}{reason}"),
        )
        return stop.code or (FAILED if unsettled else FINE)


def _complained(marked: Marked, nothing: Sequence[int]) -> int:
    """Name the scenes that were left alone on standard error; returns the exit code."""
    if nothing:
        click.echo(f"plexsync: PlexSync has not written the rating of {listed(nothing)}", err=True)
    for id, problem in marked.failed.items():
        click.echo(f"plexsync: Stash can't tell of scene {id}: {safe(problem)}", err=True)
    return FAILED if nothing or marked.failed else FINE


@family("ratings")
def ratings() -> None:
    """Put back ratings that PlexSync wrote while they go both ways (rating_direction).

    \b
    Examples:
      plexsync ratings undo 7
      plexsync ratings undo --all --wait
    """


ratings.add_command(undo)

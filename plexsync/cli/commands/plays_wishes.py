"""`plexsync plays undo`, `redo` and `again`: takes plays back from Stash, and sends them again."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

import click

from plexsync.app.database_files import half_mended, mend
from plexsync.app.parts import Parts, opened
from plexsync.app.settings import SettingsNeed
from plexsync.app.way_back import plays_recovery
from plexsync.cli.call import FAILED, FINE, Body, Call, command
from plexsync.cli.commands.sync import When, worker_hint
from plexsync.cli.commands.undo import Which
from plexsync.cli.daemon.signals import Stop, stoppable
from plexsync.cli.daemon.work_loop import RemainingJobs, WorkLoop
from plexsync.cli.start import Begun, begun
from plexsync.cli.terminal.param_types import SceneNumber
from plexsync.cli.terminal.prompts import confirmed
from plexsync.cli.terminal.screen import ProgressBar, paper, say, table
from plexsync.engine.tickets import READ_STASH
from plexsync.engine.undo import Marked, wish_undone
from plexsync.flows.plays.wishes import Wished, WishForPlays, wished_plays
from plexsync.reports.format import local, many, safe, unstamped
from plexsync.reports.named_scenes import listed
from plexsync.reports.plays import plays_preview, plays_wished, wished_counts
from plexsync.reports.shapes.plays import PlaysPreview, PlaysToChange, PlaysWished
from plexsync.rules.job import PLAYS
from plexsync.rules.play_wishes import AGAIN, REDO, UNDO, PlayWish, is_wanted_back
from plexsync.rules.plays import PlayState, RememberedPlay

OFF = 'watch_back is off, so no play would be sent: set watch_back = "plays" first'
SHOWN = 10


@dataclass(frozen=True)
class WishWords:
    """A wish, and its words. `is_open`: whether a play is not settled yet. `sends`: only while the way back is on."""

    wish: PlayWish
    question: str
    begun: str
    done: str
    is_open: Callable[[RememberedPlay], bool]
    sends: bool = True
    asks: bool = False


def _is_on_its_way(play: RememberedPlay) -> bool:
    return play.state in (PlayState.ADDING, PlayState.REMOVING)


UNDOING = WishWords(UNDO, "Take back {} from Stash?", "to be taken back", "taken back", is_wanted_back, sends=False)
REDOING = WishWords(REDO, "Send {} again?", "to be sent again", "sent again", _is_on_its_way)
CHECKING = WishWords(
    AGAIN,
    "Check {}, and send again what Stash does not have, also what was deleted there?",
    "to be checked",
    "checked",
    _is_on_its_way,
    asks=True,
)


def _options(body: Body, *, every: str, since: str) -> Body:
    for option in reversed(
        (
            click.argument("scenes", metavar="[SCENE]...", nargs=-1, type=SceneNumber()),
            click.option("--all", "all_", is_flag=True, help=every),
            click.option("--since", metavar="WHEN", type=When(), help=since),
            click.option("--dry-run", is_flag=True, help="List the plays; changes nothing."),
            click.option("--yes", is_flag=True, help="Do not ask."),
            click.option("--wait", is_flag=True, help="Return when it is done, with a summary."),
        )
    ):
        body = option(body)
    return body


@command("undo")
@partial(_options, every="Every play that was added.", since="The plays added since then: 2026-03-31, 2h, 3d.")
@click.pass_obj
def undo(
    call: Call,
    scenes: tuple[int, ...],
    all_: bool,
    since: datetime | timedelta | None,
    dry_run: bool,
    yes: bool,
    wait: bool,
) -> int:
    """Take the plays back from Stash that PlexSync added.

    Nothing else is removed: a play that Stash had before stays, also one of the same second. The resume points that it
    wrote are put back as they were before, except with --since. What you play in Plex after that is added as before (unless
    watch_back is off).
    The scenes are put in the queue for the worker; with --wait they are worked before the command returns. It works while
    watch_back is off, too. Asks once for more than one scene. Exits with 1 if a named scene has neither.

    \b
    Examples:
      plexsync plays undo 7 12
      plexsync plays undo --since 2h --dry-run
      plexsync plays undo --all --wait
    """
    return _wish(call, UNDOING, Which(scenes, all_, since, None), dry_run=dry_run, yes=yes, wait=wait)


@command("redo")
@partial(
    _options, every="Every play that was taken back.", since="The plays taken back since then: 2026-03-31, 2h, 3d."
)
@click.pass_obj
def redo(
    call: Call,
    scenes: tuple[int, ...],
    all_: bool,
    since: datetime | timedelta | None,
    dry_run: bool,
    yes: bool,
    wait: bool,
) -> int:
    """Send the plays and resume points again that undo took back.

    A play that Stash has by then is not added. Plays that Plex no longer lists don't come again. Needs watch_back. Asks
    once for more than one scene. Exits with 1 if a named scene has no such play.

    \b
    Examples:
      plexsync plays redo 7
      plexsync plays redo --all --wait
    """
    return _wish(call, REDOING, Which(scenes, all_, since, None), dry_run=dry_run, yes=yes, wait=wait)


@command("again")
@partial(
    _options,
    every="Every play that was added or found.",
    since="The plays added since then, and those found that were played since then: 2026-03-31, 2h, 3d.",
)
@click.pass_obj
def again(
    call: Call,
    scenes: tuple[int, ...],
    all_: bool,
    since: datetime | timedelta | None,
    dry_run: bool,
    yes: bool,
    wait: bool,
) -> int:
    """Send the plays that Stash has lost.

    Checks plays that were added or found, and sends those that Stash does not have: after a restored Stash. What was
    deleted in Stash is sent again, too; what plexsync plays undo took back is not. Needs watch_back. Asks first. Exits
    with 1 if a named scene has no such play.

    \b
    Examples:
      plexsync plays again 7
      plexsync plays again --since 3d --yes --wait
    """
    return _wish(call, CHECKING, Which(scenes, all_, since, None), dry_run=dry_run, yes=yes, wait=wait)


def _wish(call: Call, words: WishWords, selection: Which, *, dry_run: bool, yes: bool, wait: bool) -> int:
    if bool(selection.scenes) + selection.all_ + (selection.since is not None) != 1:
        raise click.UsageError("say which plays: the numbers of their scenes, --since WHEN, or --all")
    with begun(call, need=SettingsNeed.WORK) as start:
        if half_mended(start.address):
            mend(start.address)
        if words.sends and start.config.watch_back == "off":
            return call.refused(OFF, plays=0, scenes=0)
        with opened(start.config, start.folder) as parts:
            start.tell(parts)
            if start.settings.away:
                raise start.settings.away
            named, since = list(dict.fromkeys(selection.scenes)), selection.begin(parts.clock.now())
            chosen = wished_plays(parts.store, words.wish, scenes=named or None, since=since)
            if dry_run:
                return _show(call, plays_preview(parts, chosen))
            if (words.asks or len(chosen) > 1) and chosen and not yes and not confirmed(_question(words, chosen)):
                click.echo("plexsync: nothing was changed", err=True)
                call.answer(plays_wished(Marked(), 0, 0, []), lambda: None)
                return FAILED
            start.ask(parts, READ_STASH)
            wishes = WishForPlays(parts.stash, parts.gates, plays_recovery(parts), words.wish, since=since)
            with ProgressBar(start.console, "queueing") as bar:
                marked = wish_undone(parts.store, wishes, parts.clock, sorted(chosen), "undo", bar.at)
            busy = parts.someone_works()
        nothing = [id for id in named if id not in chosen or id in marked.untouched]
        answer = WishAnswer(words, marked, wishes.plays, wishes.resume_points, nothing)
        return answer.wait(call, start) if wait else answer.tell(call, busy=busy)


def _question(words: WishWords, chosen: Mapping[int, Wished]) -> str:
    counts = wished_counts(chosen)
    return words.question.format(_count(counts["plays"], len(chosen), counts["resume_points"]))


def _count(plays: int, scenes: int, resume: int = 0) -> str:
    return f"{_named(plays, resume)} of {many(scenes, 'scene')}"


def _named(plays: int, resume: int) -> str:
    named = [many(plays, "play")] if plays or not resume else []
    return " and ".join([*named, *([many(resume, "resume point")] if resume else [])])


@dataclass(frozen=True)
class WishAnswer:
    """A wish that was made: for how many plays and resume points, of which scenes, and those that it does not concern."""

    words: WishWords
    marked: Marked
    plays: int
    resume: int
    nothing: list[int]

    def tell(self, call: Call, *, busy: bool) -> int:
        """Say what will be done, and by whom."""
        scenes = len(self.marked.jobs)
        hint = f"; {worker_hint(busy, '')}" if scenes else ""
        line = f"{_count(self.plays, scenes, self.resume)} {self.words.begun}{hint}"
        call.answer(self._facts(), lambda: say(paper(), line))
        return self._complain()

    def wait(self, call: Call, start: Begun) -> int:
        """Work or watch until all are settled, and say how it ended."""
        with stoppable() as stop:
            problem = self._work(start, stop) if self.marked.jobs else ""
            with opened(start.config, start.folder) as parts:
                unsettled = min(self.plays, self._count_open(parts))
            facts = self._facts()
            reason = f"; {problem}" if problem else ""
            rest = f", {unsettled:,} not yet (plexsync plays status)" if unsettled else ""
            line = f"{_named(self.plays - unsettled, self.resume)} {self.words.done}{rest}{reason}"
            call.answer({**facts, "unsettled": unsettled, "why": problem}, lambda: say(paper(), line))
            complained = self._complain()
            return stop.code or (FAILED if unsettled else complained)

    def _work(self, start: Begun, stop: Stop) -> str:
        """Work or watch; returns why it ended early, '' if it did not."""
        with ProgressBar(start.console, "working") as bar:
            return WorkLoop(start, stop, bar, RemainingJobs([PLAYS], self.marked.jobs), patient=True).run().reason

    def _facts(self) -> PlaysWished:
        return plays_wished(self.marked, self.plays, self.resume, self.nothing)

    def _count_open(self, parts: Parts) -> int:
        with parts.store.reading() as db:
            memory = db.plays.of_ids(self.marked.jobs)
        return sum(self.words.is_open(play) for plays in memory.values() for play in plays.values())

    def _complain(self) -> int:
        """Name the scenes that were left alone on standard error; returns the exit code."""
        if self.nothing:
            click.echo(f"plexsync: nothing {self.words.begun} for {listed(self.nothing)}", err=True)
        for id, problem in self.marked.failed.items():
            click.echo(f"plexsync: Stash can't tell of scene {id}: {safe(problem)}", err=True)
        return FAILED if self.nothing or self.marked.failed else FINE


def _show(call: Call, preview: PlaysPreview) -> int:
    """List the plays that would be concerned; writes nothing."""

    def tell() -> None:
        scenes, out = preview["scenes"], paper()
        rows = [(f"{scene['id']}", scene["title"], _moments(scene)) for scene in scenes]
        if rows:
            out.print(table("", ("scene", "title", "plays"), rows))
        say(out, f"{_count(preview['plays'], len(scenes), preview['resume_points'])}; nothing was changed")

    call.answer(preview, tell)
    return FINE


def _moments(scene: PlaysToChange) -> str:
    plays = scene["plays"]
    more = [f"{len(plays) - SHOWN:,} more"] if len(plays) > SHOWN else []
    resume = ["its resume point"] if scene["resume_point"] else []
    return ", ".join([*(local(unstamped(moment)) for moment in plays[:SHOWN]), *more, *resume])

"""`plexsync undo` and `plexsync release`: restore what was there before, or keep it and remove PlexSync's locks."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import click
from rich.console import Console

from plexsync.app.database_files import half_mended, mend
from plexsync.app.parts import Parts, opened
from plexsync.app.settings import SettingsNeed
from plexsync.cli.call import FAILED, FINE, Body, Call, command
from plexsync.cli.commands.sync import When
from plexsync.cli.daemon.signals import stoppable
from plexsync.cli.daemon.work_loop import Remaining, WorkLoop, outcomes
from plexsync.cli.start import Begun, begun
from plexsync.cli.terminal.param_types import SceneNumber
from plexsync.cli.terminal.prompts import confirmed
from plexsync.cli.terminal.screen import ProgressBar, paper, say, table
from plexsync.engine.undo import Marked
from plexsync.flows.scenes.undo import mark_all_undone, mark_undone, preview, pushed_scenes
from plexsync.reports.format import local, many, safe, stamp
from plexsync.reports.named_scenes import listed
from plexsync.reports.rows import on_screen, short
from plexsync.reports.shapes.undo import RunFacts, RunList, UndoFacts, UndoPreview
from plexsync.reports.undo import DEEDS, undo_facts
from plexsync.rules.plan_records import Undone
from plexsync.rules.records import RunRow
from plexsync.rules.status_words import BY_MARK
from plexsync.rules.values import Value
from plexsync.store.database import Reader


@dataclass(frozen=True)
class Way:
    """Undo or release, and its words."""

    mode: Undone
    question: str
    done: str
    seen_through: str


UNDO = Way("undo", "Take back what was pushed for {}?", "to be taken back", "taken back")
RELEASE = Way(
    "release",
    "Take PlexSync's locks off what was pushed for {}? The values stay, and can't be taken back any more.",
    "to be released",
    "released",
)


@dataclass(frozen=True)
class Which:
    """The scenes selected on the command line."""

    scenes: tuple[int, ...]
    all_: bool
    since: datetime | timedelta | None
    run: int | None

    def check(self, *, runs: bool) -> None:
        """Check that exactly one selection is given."""
        if bool(self.scenes) + self.all_ + (self.since is not None) + (self.run is not None) + runs != 1:
            raise click.UsageError(
                "say which scenes: their numbers, --since WHEN, --run N, --all, or --runs to list runs"
            )

    def ids(self, parts: Parts) -> list[int]:
        """The scenes' numbers; raises UsageError for an unknown run."""
        if self.scenes:
            return list(dict.fromkeys(self.scenes))
        if self.all_:
            return pushed_scenes(parts.store)
        with parts.store.reading() as db:
            if self.run is not None:
                return self.pushed_in_run(db)
            return db.pushes.scenes_since(self.begin(parts.clock.now()))

    def pushed_in_run(self, db: Reader) -> list[int]:
        """The scenes that were pushed in the named run; raises UsageError if there is no such run."""
        run = next((row for row in db.pushes.runs() if self.run and row.first <= self.run <= row.last), None)
        if run is None:
            raise click.UsageError(f"there is no run {self.run}: --runs lists them")
        return db.pushes.scenes_in(run)

    def begin(self, now: int) -> int:
        """The moment after `--since`."""
        if isinstance(self.since, timedelta):
            return now - round(self.since.total_seconds() * 1000)
        return round(self.since.timestamp() * 1000) if self.since else 0


def options(body: Body, *, every: str, since: str, run: str) -> Body:
    """The options of undo, release and redo; the texts say which scenes three of them mean."""
    for option in reversed(
        (
            click.argument("scenes", metavar="[SCENE]...", nargs=-1, type=SceneNumber()),
            click.option("--all", "all_", is_flag=True, help=every),
            click.option("--since", metavar="WHEN", type=When(), help=since),
            click.option("--run", metavar="N", type=click.IntRange(min=1), help=run),
            click.option("--runs", is_flag=True, help="List the runs and their numbers; changes nothing."),
            click.option("--dry-run", is_flag=True, help="Show field by field what would be done; changes nothing."),
            click.option("--yes", is_flag=True, help="Do not ask."),
            click.option("--wait", is_flag=True, help="Return when it is done, with a summary."),
        )
    ):
        body = option(body)
    return body


def _options(body: Body) -> Body:
    return options(
        body,
        every="Every scene that anything was pushed for.",
        since="The scenes pushed since then: 2026-03-31, 2h, 3d.",
        run="The scenes pushed in that run.",
    )


@command("undo")
@_options
@click.pass_obj
def undo(
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
    """Take back what was pushed: the values that Plex had before come back, with their locks.

    From a list, only names that PlexSync added are removed. A value that a person changed in Plex since stays. The whole
    scene is taken back, also what was pushed before the moment or run that you name. The scene stays undone until you
    edit it in Stash or call plexsync redo: no comparison syncs it. The scenes are put in the queue for the worker; with
    --wait they are worked before the command returns. Asks once for more than one scene. plexsync release keeps the
    values and takes off the locks instead. Exits with 1 if nothing was pushed for a scene that was named, or one of them
    became a dead letter.

    \b
    Examples:
      plexsync undo 7 12
      plexsync undo --since 2h --dry-run
      plexsync undo --all --wait
    """
    return _begin(call, UNDO, Which(scenes, all_, since, run), runs=runs, dry_run=dry_run, yes=yes, wait=wait)


@command("release")
@_options
@click.pass_obj
def release(
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
    """Leave what was pushed in Plex, and take off every lock that is PlexSync's.

    From then on the values are Plex's own: a metadata refresh may change them, and undo can't take them back any more.
    What was locked before PlexSync came, or by a person since, stays locked. A released scene is left alone until you
    edit it in Stash or call plexsync redo. Everything else is as for plexsync undo.

    \b
    Examples:
      plexsync release 7
      plexsync release --all --wait
    """
    return _begin(call, RELEASE, Which(scenes, all_, since, run), runs=runs, dry_run=dry_run, yes=yes, wait=wait)


def _begin(call: Call, way: Way, selection: Which, *, runs: bool, dry_run: bool, yes: bool, wait: bool) -> int:
    selection.check(runs=runs)
    with begun(call, need=SettingsNeed.DATABASE if runs else SettingsNeed.WORK) as start:
        if half_mended(start.address):
            mend(start.address)
        with opened(start.config, start.folder) as parts:
            if runs:
                return list_runs(call, parts)
            start.meet(parts)
            if start.settings.away:
                raise start.settings.away
            ids = selection.ids(parts)
            if dry_run:
                return _show(call, parts, ids, way)
            if len(ids) > 1 and not yes and not confirmed(way.question.format(many(len(ids), "scene"))):
                click.echo("plexsync: nothing was changed", err=True)
                call.answer({"undone": 0}, lambda: None)
                return FAILED
            with ProgressBar(start.console, "marking") as bar:
                context = (parts.store, parts.looker, parts.gates, parts.clock)
                if selection.all_:
                    marked = mark_all_undone(*context, way.mode, bar.at)
                else:
                    marked = mark_undone(*context, ids, way.mode, bar.at)
            busy = parts.someone_works()
        if wait:
            return _wait(call, start, way, marked, named=bool(selection.scenes))
    hint = "the worker takes them at once" if busy else "no worker runs: start plexsync serve, or run plexsync drain"
    count = len(marked.jobs)
    line = f"{many(count, 'scene')} {way.done}" + (f"; {hint}" if count else "")
    call.answer(_facts(marked), lambda: say(paper(), line))
    return _complain(marked, named=bool(selection.scenes))


def _facts(marked: Marked) -> dict[str, object]:
    facts: dict[str, object] = {"undone": len(marked.jobs)}
    if marked.untouched:
        facts["nothing_pushed"] = marked.untouched
    if marked.dropped:
        facts["dropped"] = marked.dropped
    if marked.failed:
        facts["failed"] = {str(id): problem for id, problem in marked.failed.items()}
    return facts


def _complain(marked: Marked, *, named: bool) -> int:
    """Report scenes that could not be marked on standard error; returns the exit code."""
    if named and marked.untouched:
        click.echo(f"plexsync: nothing was pushed for {listed(marked.untouched)}", err=True)
    if marked.dropped:
        waited = many(marked.dropped, "row")
        click.echo(
            f"plexsync: {waited} of the queue dropped: nothing was pushed for them, only an edit brings them back",
            err=True,
        )
    for id, problem in marked.failed.items():
        click.echo(f"plexsync: Stash can't tell of scene {id}: {safe(problem)}", err=True)
    return FAILED if marked.failed or (named and marked.untouched) else FINE


def _wait(call: Call, start: Begun, way: Way, marked: Marked, *, named: bool) -> int:
    """Work or watch until all are settled; report the outcomes."""
    with stoppable() as stop:
        with ProgressBar(start.console, "undoing") as bar:
            ended = WorkLoop(start, stop, bar, Remaining(marked.jobs), patient=True).run()
        with opened(start.config, start.folder) as parts:
            settled = outcomes(parts, marked.jobs)
        causes = {"causes": dict(settled.causes), "why": ended.reason}
        facts = {**_facts(marked), "outcomes": dict(settled.standing), **causes}
        words: dict[str, str] = {status.outcome: way.seen_through for status in BY_MARK.values()}
        words["gone"], words["ignored"] = f"{way.seen_through}, gone from Stash", f"{way.seen_through}, still ignored"
        reason = f"; {ended.reason}" if ended.reason else ""
        call.answer(facts, lambda: say(paper(), settled.line(words) + reason))
        complained = _complain(marked, named=named)
        return stop.code or (complained if settled.well else FAILED)


# --- runs ------------------------------------------------------------------------------------------------------------


def list_runs(call: Call, parts: Parts) -> int:
    """List the runs of pushes."""
    with parts.store.reading() as db:
        runs = db.pushes.runs()
    rows = [(f"{run.first}", local(run.start), local(run.end), f"{run.scenes:,}") for run in runs]
    drawn = table("Runs", ("run", "from", "until", "scenes"), rows, right=(0, 3)) if rows else "nothing was pushed yet"
    facts: RunList = {"runs": [_run_facts(run) for run in runs]}
    call.answer(facts, lambda: paper().print(drawn))
    return FINE


def _run_facts(run: RunRow) -> RunFacts:
    return {"run": run.first, "from": stamp(run.start), "until": stamp(run.end), "scenes": run.scenes}


# --- dry run ---------------------------------------------------------------------------------------------------------


def _show(call: Call, parts: Parts, ids: Sequence[int], way: Way) -> int:
    """Show every field that would be changed, or left to you; writes nothing."""
    out, counts = paper(), Counter[str]()
    scenes = []
    for facts in _scenes(parts, ids, way, counts):
        if call.json:
            scenes.append(facts)
        elif facts["items"] or facts["error"]:
            _tell(facts, out)
    totals = {name: counts[name] for name in ("scenes", "items", *DEEDS)}
    report: UndoPreview = {"counts": totals, "scenes": scenes}
    call.answer(report, lambda: say(out, _sum(counts)))
    return FAILED if counts["failed"] else FINE


def _scenes(parts: Parts, ids: Sequence[int], way: Way, counts: Counter[str]) -> Iterator[UndoFacts]:
    for sight in preview(parts.store, parts.looker, parts.gates, ids, way.mode):
        facts = undo_facts(sight)
        counts["scenes"] += 1
        counts["items"] += len(facts["items"])
        counts.update(field["action"] for item in facts["items"] for field in item["fields"])
        counts["failed"] += bool(facts["error"])
        yield facts


def _tell(facts: UndoFacts, out: Console) -> None:
    title = f": {safe(facts['title'])}" if facts["title"] else ""
    if facts["error"]:
        out.print(f"Scene {facts['id']}{title}: {safe(facts['error'])}")
    for item in facts["items"]:
        rows = [
            (
                short(field["field"]),
                field["action"],
                _shown(field["field"], field["now"], locked=field["locked"]),
                _shown(field["field"], field["then"], locked=field["then_locked"])
                if field["action"] != "leave"
                else field["why"],
            )
            for field in item["fields"]
        ]
        heads = ("field", "what", "Plex has", "would be")
        out.print(table(f"Scene {facts['id']}{title}, item {item['key']}", heads, rows))


def _shown(field: str, value: Value, *, locked: bool) -> str:
    text = on_screen(value, field) if isinstance(value, str) else ", ".join(value)
    return f"{safe(text, 120) or '-'}{' (locked)' if locked else ''}"


def _sum(counts: Counter[str]) -> str:
    done = [f"{counts[name]:,} {words}" for name, words in DEEDS.items() if counts[name]]
    head = f"would be done for {many(counts['scenes'], 'scene')} and {many(counts['items'], 'item')}"
    failed = f"; {many(counts['failed'], 'scene')} can't be looked at now" if counts["failed"] else ""
    return f"{head}: {', '.join(done) or 'nothing is left to do'}{failed}"

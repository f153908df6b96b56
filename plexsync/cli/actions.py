"""Actions in the terminal: their commands are wrapped from their table, and one function asks, does and tells."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import click
from rich.console import Console, RenderableType

from plexsync.actions.collections import find_collections
from plexsync.actions.model import (
    Action,
    ActionRequest,
    ActionResult,
    NotPossible,
    PreviewRow,
    Selection,
    SubjectKind,
    SubjectPreview,
    Unfit,
    Verb,
)
from plexsync.actions.preview import PreviewTally
from plexsync.actions.scenes import RedoScenes
from plexsync.actions.table import action_of
from plexsync.app.database_files import half_mended, mend
from plexsync.app.parts import Parts, open_parts
from plexsync.app.settings import SettingsNeed
from plexsync.cli.call import FAILED, FINE, YES, Body, Call, Sharing, command
from plexsync.cli.daemon.signals import Stop, stoppable
from plexsync.cli.daemon.work_loop import Countdown, Remaining, RemainingJobs, RemainingOfEach, WorkResult, work
from plexsync.cli.start import Begun, begin_call
from plexsync.cli.terminal.param_types import SceneNumber, When
from plexsync.cli.terminal.preview_output import dry_run as sync_dry_run
from plexsync.cli.terminal.prompts import confirm
from plexsync.cli.terminal.screen import ProgressBar, filled_table, paper, say, table
from plexsync.cli.terminal.worker_hint import worker_hint
from plexsync.engine.tickets import READS
from plexsync.reports.format import local, safe, stamp
from plexsync.reports.runs import CAUSES
from plexsync.reports.undo import RunList
from plexsync.rules.queue.job import COLLECTION, PLAYS, Kind
from plexsync.rules.record_class import record
from plexsync.rules.words.moments import milliseconds

# The number of subjects of which a preview shows each change.
FIRST = 20
# The flows whose runs can be named.
WITH_RUNS = {SubjectKind.SCENES: str(Kind.SCENE), SubjectKind.COLLECTIONS: COLLECTION, SubjectKind.PLAYS: PLAYS}
WHICH = {
    SubjectKind.SCENES: "say which scenes: their numbers, --since WHEN, --run N, --all, or --runs to list runs",
    SubjectKind.COLLECTIONS: "say which collections: their names or numbers, --since WHEN, --run N, --all, or --runs",
    SubjectKind.PLAYS: "say which plays: the numbers of their scenes, --since WHEN, --run N, or --all",
    SubjectKind.RESUME: "say which resume points: the numbers of their scenes, or --all",
    SubjectKind.RATINGS: "say which ratings: the numbers of their scenes, --since WHEN, or --all",
    SubjectKind.IMPORTS: "say which imports: their numbers, --since WHEN, or --all",
}


@record
class SelectionOptions:
    """The subjects as the command line names them."""

    names: tuple[str | int, ...] = ()
    every: bool = False
    since: datetime | timedelta | None = None
    run: int | None = None
    library: str = ""
    fields: tuple[str, ...] = ()
    and_later: bool = False

    def selection(self, parts: Parts, subject: SubjectKind) -> Selection:
        """The same as numbers and moments. Raises Unfit, and UsageError for what is no number of a scene."""
        if subject is SubjectKind.COLLECTIONS:
            ids = tuple(
                row.id for row in find_collections(parts.store, [str(name) for name in self.names], self.library)
            )
        else:
            ids = tuple(SceneNumber().convert(name, None, None) for name in self.names)
        since = None if self.since is None else milliseconds(self.since, parts.clock.now())
        return Selection(ids, self.every, since, self.run, self.library, self.fields, and_later=self.and_later)


def action_command(
    verb: Verb,
    subject: SubjectKind,
    text: str,
    *,
    every: str,
    since: str = "",
    run: str = "",
    of: bool = False,
    every_kind: bool = False,
) -> Sharing:
    """The command of an action. `text` is its help, and the others that of its options ('': it has no such option).

    `of`: with an option that names another kind of subject. `every_kind`: without that, all are all of every kind.
    """

    @click.pass_obj
    def body(call: Call, /, runs: bool = False, of: str | None = None, listed: bool = False, **options: Any) -> int:
        flags = {name: options.pop(name) for name in ("dry_run", "yes", "wait")}
        wanted = SelectionOptions(**options)
        whole = every_kind and wanted.every and of is None
        chosen = SubjectKind.EVERYTHING if whole else SubjectKind(of or subject)
        choices = (wanted.names, wanted.every, wanted.since is not None, wanted.run is not None, runs)
        with fitting():
            action = action_of(verb, chosen)
            if sum(map(bool, choices)) != 1:
                raise click.UsageError(WHICH[SubjectKind(of or subject)])
            if runs:
                return list_runs(call, chosen)
            return run_action(call, action, wanted, listed=listed, **flags)

    body.__doc__ = text
    wrapped: Body = body
    can_go_on = verb is Verb.UNDO and subject in (SubjectKind.SCENES, SubjectKind.COLLECTIONS)
    for option in reversed(_options(subject, every=every, since=since, run=run, of=of, can_go_on=can_go_on)):
        wrapped = option(wrapped)
    return command(verb.value)(wrapped)


def _options(
    subject: SubjectKind, *, every: str, since: str, run: str, of: bool, can_go_on: bool
) -> list[Callable[[Body], Body]]:
    is_collections = subject is SubjectKind.COLLECTIONS
    kind = None if is_collections or of else SceneNumber()
    options = [click.argument("names", metavar=f"[{'NAME' if is_collections else 'SCENE'}]...", nargs=-1, type=kind)]
    if of:
        kinds = click.Choice([kind.value for kind in SubjectKind])
        options.append(click.option("--of", type=kinds, help="Of these alone."))
    if is_collections or of:
        options.append(
            click.option("--library", metavar="NAME", default="", help="Collections in this library of Plex.")
        )
    options.append(click.option("--all", "every", is_flag=True, help=every))
    if since:
        options.append(click.option("--since", metavar="WHEN", type=When(), help=since))
    if run:
        options.append(click.option("--run", metavar="N", type=click.IntRange(min=1), help=run))
        if can_go_on:
            options.append(
                click.option("--and-later", is_flag=True, help="With --run: also what later runs wrote on top.")
            )
        options.append(click.option("--runs", is_flag=True, help="List the runs and their numbers; changes nothing."))
    return [
        *options,
        click.option("--dry-run", is_flag=True, help="Show what would be done; changes nothing."),
        click.option(
            "--list", "listed", is_flag=True, help="With --dry-run: show all, and not the first twenty alone."
        ),
        YES,
        click.option("--wait", is_flag=True, help="Return when it is done, with a summary."),
    ]


@contextmanager
def fitting() -> Iterator[None]:
    """Tell what has no sense as a usage error."""
    try:
        yield
    except Unfit as error:
        raise click.UsageError(str(error)) from None


def run_action(
    call: Call,
    action: Action,
    wanted: SelectionOptions,
    *,
    dry_run: bool = False,
    listed: bool = False,
    yes: bool = False,
    wait: bool = False,
) -> int:
    """Open, choose, show or ask, do, then wait or tell; returns the exit code.

    `listed`: all that would be done is shown, and not the first of it alone.
    """
    with fitting():
        try:
            return _act(call, action, wanted, dry_run=dry_run, listed=listed, yes=yes, wait=wait)
        except NotPossible as error:
            return call.refuse(str(error), **action.answer_for([]).facts)


def _act(
    call: Call, action: Action, wanted: SelectionOptions, *, dry_run: bool, listed: bool, yes: bool, wait: bool
) -> int:
    needs_stash = action.asks_stash or dry_run
    need = SettingsNeed.WORK if needs_stash or wait else SettingsNeed.DATABASE
    with begin_call(call, need=need) as start, stoppable() as stop:
        if half_mended(start.address):
            mend(start.address)
        with open_parts(start.config, start.folder) as parts:
            if refusal := action.refusal(parts):
                return call.refuse(refusal, **action.answer_for([]).facts)
            start.tell(parts)
            if needs_stash and start.settings.away:
                raise start.settings.away
            selection = wanted.selection(parts, action.subject)
            if needs_stash:
                start.ask(parts, *(READS if dry_run else action.reads))
            ids = action.select(parts, selection)
            asked = ActionRequest(parts, ids, selection)
            if dry_run:
                return _show(call, start, action, asked, listed=listed)
            confirms = bool(ids) and (len(ids) > 1 or action.always_asks) and not yes
            if confirms and not confirm(action.question(asked)):
                return call.declined("changed", action.answer_for([]).facts)
            with ProgressBar(start.console, action.bar) as bar:
                done = action.carry_out(replace(asked, progress=bar.at, stopping=stop.event.is_set))
            busy, closed = parts.someone_works(), "" if wait or not action.kinds else start.ask(parts)
        if wait and action.kinds:
            return _wait(call, start, stop, action, done)
    hint = f"; {worker_hint(busy, closed)}" if done.jobs else ""
    call.answer(done.facts, lambda: say(paper(), f"{done.line}{hint}"))
    return stop.code or _complain(done)


def _complain(done: ActionResult) -> int:
    """Say on standard error what was left alone; returns the exit code."""
    for line in done.complaints:
        click.echo(f"plexsync: {line}", err=True)
    return FAILED if done.is_failed else FINE


def _wait(call: Call, start: Begun, stop: Stop, action: Action, done: ActionResult) -> int:
    """Work or watch until all are settled, and say how they stand then."""
    remaining = _remaining(action, done)
    ended = work(start, stop, remaining, action.working) if done.jobs else WorkResult()
    with open_parts(start.config, start.folder) as parts:
        settled = action.outcome(parts, done, remaining.count(parts))
    reason = f"; {ended.reason}" if ended.reason else ""
    facts = {**done.facts, **settled.facts, "why": ended.reason}
    call.answer(facts, lambda: say(paper(), f"{settled.line}{reason}"))
    complained = _complain(done)
    return stop.code or (FAILED if settled.is_failed else complained)


def _remaining(action: Action, done: ActionResult) -> Countdown:
    """What the jobs of an action still have to do."""
    if done.of_each:
        return RemainingOfEach([_remaining(part, result) for part, result in done.of_each if result.jobs])
    is_scenes = action.subject is SubjectKind.SCENES
    return Remaining(done.jobs) if is_scenes else RemainingJobs(action.kinds, done.jobs)


def _show(call: Call, start: Begun, action: Action, asked: ActionRequest, *, listed: bool) -> int:
    """Show what would be done; writes nothing."""
    if isinstance(action, RedoScenes):
        code = sync_dry_run(call, start, tuple(asked.ids), redo=True)
        return _complain(action.left_alone(asked.parts, asked.selection)) or code
    return show_changes(call, action, action.preview(asked), listed=listed)


def show_changes(call: Call, action: Action, preview: Iterable[SubjectPreview], *, listed: bool = False) -> int:
    """Show a preview: how much of each kind and library, and the first twenty subjects; `listed`: all, in a pager.

    Returns 1 if a subject could not be looked at.
    """
    out, tally = paper(), PreviewTally(action)
    if call.json:
        for subject in preview:
            tally.count(subject, keeps=True)
    else:
        with out.pager() if listed and out.is_terminal else nullcontext():
            _print_subjects(out, tally, preview, most=None if listed else FIRST)
    call.answer(tally.report(), lambda: say(out, tally.summary()))
    return FAILED if tally.has_failed else FINE


def _print_subjects(out: Console, tally: PreviewTally, preview: Iterable[SubjectPreview], *, most: int | None) -> None:
    """Print the changes of the subjects, the first `most` if there are more; and then how much there is."""
    rows: dict[Action, list[PreviewRow]] = {}
    unseen = 0
    for subject in preview:
        action = tally.count(subject)
        if not (subject.error or subject.changes):
            continue
        if most is not None and tally.subjects > most:
            unseen += 1
        elif subject.error:
            say(out, f"{subject.heading}: {safe(subject.error)}")
        elif action.in_one_table:
            rows.setdefault(action, []).extend(subject.changes)
        else:
            out.print(_table(subject.heading, action, subject.changes))
    for action, changes in rows.items():
        out.print(_table("", action, changes))
    if unseen or len(tally.places) > 1:
        out.print(table("In all", ("of", "library", "number", "changes"), tally.places_words(), right=(2,)))
    if unseen:
        say(
            out, f"These are the first {most:,}; {unseen:,} more are not shown here: --list shows all, --json tells all"
        )


def _table(heading: str, action: Action, changes: Sequence[PreviewRow]) -> RenderableType:
    """The changes of a subject."""
    rows = [(change.part, change.change, change.now, change.then, change.note) for change in changes]
    return filled_table(heading, action.heads, rows)


def list_runs(call: Call, subject: SubjectKind) -> int:
    """List the runs of pushes. Raises Unfit."""
    if subject not in WITH_RUNS:
        raise Unfit("--runs lists the runs of scenes, collections and plays")
    with begin_call(call) as start, open_parts(start.config, start.folder) as parts, parts.store.reading() as db:
        runs = db.runs.of(WITH_RUNS[subject])
    rows = [
        (f"{run.first}", local(run.start), local(run.end), f"{run.subjects:,}", CAUSES.get(run.reason, ""))
        for run in runs
    ]
    heads = ("run", "from", "until", subject.numbered, "why")
    drawn = table("Runs", heads, rows, right=(0, 3)) if rows else "nothing was pushed yet"
    facts: RunList = {
        "runs": [
            {"run": run.first, "from": stamp(run.start), "until": stamp(run.end), "scenes": run.subjects}
            for run in runs
        ]
    }
    call.answer(facts, lambda: paper().print(drawn))
    return FINE

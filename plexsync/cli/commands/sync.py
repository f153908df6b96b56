"""`plexsync sync`: queues scenes; --wait waits until they are settled, --dry-run shows what would change.

The first write of a whole library needs your approval: the command shows what would change, and asks once.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

import click

from plexsync.app.advice import SETTINGS_WAIT
from plexsync.app.database_files import half_mended, mend
from plexsync.app.named_scenes import NamedScenes
from plexsync.app.parts import Parts, named_scenes, open_parts
from plexsync.app.settings import SettingsNeed
from plexsync.app.switches import approve_bulk, approve_settings, asked_settings, bulk_approved, waits_for_yes
from plexsync.cli.call import FAILED, FINE, Call, command
from plexsync.cli.daemon.signals import stoppable
from plexsync.cli.daemon.work_loop import work_scenes
from plexsync.cli.start import Begun, begin_call
from plexsync.cli.terminal.param_types import SceneNumber, When, moment
from plexsync.cli.terminal.preview_output import dry_run, first_look
from plexsync.cli.terminal.prompts import confirm
from plexsync.cli.terminal.screen import paper, say
from plexsync.cli.terminal.worker_hint import worker_hint
from plexsync.engine.tickets import READ_PLEX, READ_STASH
from plexsync.flows.scenes.undo import resting
from plexsync.flows.scenes.verbs import first_of_most, want_all, want_scenes
from plexsync.reports.format import many, safe
from plexsync.reports.named_scenes import ignored_words, missing_words, named_facts, unchecked_words
from plexsync.reports.scenes import facts_of, left_out_words
from plexsync.reports.shapes.scenes import LeftOutFacts
from plexsync.reports.undo import not_queued, rests
from plexsync.rules.merge.pictures import left_out
from plexsync.rules.merge.taken_back import TakenBack
from plexsync.rules.queue.job import Kind, State, Why
from plexsync.rules.record_class import record
from plexsync.rules.servers.errors import NeighbourError, Unusable

FIRST_OF_MOST = (
    "this would be the first write of most of the library to Plex: preview it with plexsync sync --all --dry-run, then say "
    "plexsync sync --all --yes"
)
FIRST = (
    "this would be the first write of the whole library to Plex: preview it with plexsync sync --all --dry-run, then "
    "say plexsync sync --all --yes"
)
TAKING_OVER = (
    "this would take over the whole library: preview it with plexsync sync --all --take-over --dry-run, then say plexsync "
    "sync --all --take-over --yes"
)
# The number of scenes without a picture that are named, and of scenes that are read together.
FEW, PAGE = 10, 500


@record
class Queued:
    """The queued scenes, and what is known of those that you named.

    `busy`: a worker runs. `closed`: why nothing can be synced now; '' if it can.
    """

    ids: list[int]
    named: NamedScenes
    busy: bool
    closed: str

    @property
    def refused(self) -> list[str]:
        """Why nothing was queued for some of the scenes that you named, a line for each reason."""
        return [words for words in (missing_words(self.named), ignored_words(self.named)) if words]

    def answer(
        self, call: Call, facts: Mapping[str, object], sentence: Callable[[int, TakenBack], str] = not_queued
    ) -> int:
        """Answer with these facts, and report the scenes that could not be queued; returns the exit code.

        `sentence` is that of an undone scene.
        """
        error = {"error": "; ".join(self.refused)} if self.refused and not self.ids else {}
        left_alone = {"ignored": list(self.named.ignored), "undone": list(self.named.undone)}
        left_alone = {name: ids for name, ids in left_alone.items() if ids}
        call.answer({**facts, **named_facts(self.named), **left_alone, **error})
        for words in (*self.refused, unchecked_words(self.named)):
            if words:
                click.echo(f"plexsync: {words}", err=True)
        marks = self.named.undone
        for id in list(marks)[:FEW]:
            click.echo(f"plexsync: {sentence(id, marks[id])}", err=True)
        if len(marks) > FEW:
            click.echo(f"plexsync: and {many(len(marks) - FEW, 'more scene')} (plexsync redo)", err=True)
        return FAILED if self.refused or self.named.undone else FINE


@command("sync")
@click.argument("scenes", metavar="[SCENE]...", nargs=-1, type=SceneNumber())
@click.option("--all", "all_", is_flag=True, help="Every scene in Stash.")
@click.option(
    "--since", metavar="WHEN", type=When(), help="The scenes changed in Stash since then: 2026-03-31, 2h, 3d."
)
@click.option("--wait", is_flag=True, help="Return when they are in sync, with a summary.")
@click.option("--dry-run", "dry", is_flag=True, help="Write nothing: show what would change, field by field.")
@click.option(
    "--take-over",
    is_flag=True,
    help="What was in Plex before PlexSync gives way: names that Stash does not have go, locked values are replaced.",
)
@click.option(
    "--yes", is_flag=True, help="Do not ask before the first write, or the taking over, of the whole library."
)
@click.pass_obj
def sync(
    call: Call,
    scenes: tuple[int, ...],
    all_: bool,
    since: datetime | timedelta | None,
    wait: bool,
    dry: bool,
    take_over: bool,
    yes: bool,
) -> int:
    """Sync scenes: all, the recent ones, or those named by their number in Stash.

    Puts them in the queue and returns; a running worker (plexsync serve) takes them at once. With --wait they are worked
    before the command returns: by this process if no worker runs, else by the worker while this one watches. A scene
    that is undone or released stays so: plexsync redo syncs it again. Exits with 1 if a scene became a dead letter, or
    one that was named is undone, released, ignored or not in Stash: for such a scene nothing is queued.

    Before the first write of a whole library you see what would change, and are asked once (or say --yes).

    With --take-over, these scenes' items are shown as Stash says, whoever wrote before: names that were there before
    PlexSync and that Stash does not have are removed, and locked values that PlexSync never wrote are replaced. What a
    person changed in Plex later stays, and plexsync undo brings everything back.

    \b
    Examples:
      plexsync sync --all --wait
      plexsync sync --since 2h
      plexsync sync 7 12 --wait
    """
    _check_way(bool(scenes) + all_ + (since is not None), wait, dry, yes)
    if dry:
        with begin_call(call, need=SettingsNeed.WORK) as start:
            return dry_run(call, start, tuple(dict.fromkeys(scenes)), since=since, take_over=take_over)
    return _queue(call, scenes, since, wait=wait, take_over=take_over, yes=yes)


def _queue(
    call: Call, scenes: tuple[int, ...], since: datetime | timedelta | None, *, wait: bool, take_over: bool, yes: bool
) -> int:
    """Queue the scenes (all, if no selection was made), and wait for them if asked to; returns the exit code."""
    whole = not scenes and since is None
    asks = whole and not yes and not call.json and sys.stdin.isatty()
    less = SettingsNeed.DATABASE if scenes else SettingsNeed.LOOK
    with begin_call(call, need=SettingsNeed.WORK if wait or asks else less) as start:
        if half_mended(start.address):
            mend(start.address)
        queue = partial(_queue_now, start, scenes, since, take_over=take_over, yes=yes, asks=asks, wait=wait)
        try:
            queued = queue()
        except Unusable:
            # The database may be damaged. The check takes time and the worker's lock, so it does not run on every call.
            mend(start.address)
            queued = queue()
        if queued is None:
            return call.declined("queued", {})
        if wait and queued.ids:
            return _wait(call, start, queued, whole=whole)
    if not call.json and (queued.ids or not (queued.refused or queued.named.undone)):
        hint = f"; {worker_hint(queued.busy, queued.closed)}" if queued.ids or queued.closed else ""
        say(paper(), f"{many(len(queued.ids), 'scene')} queued{hint}")
    return queued.answer(call, {"wanted": len(queued.ids), **({"why": queued.closed} if queued.closed else {})})


def _check_way(ways: int, wait: bool, dry: bool, yes: bool) -> None:
    if ways != 1:
        raise click.UsageError("say which scenes: --all, --since WHEN, or their numbers")
    if dry and (wait or yes):
        raise click.UsageError("--dry-run writes nothing: it goes without --wait and --yes")


def _queue_now(
    start: Begun,
    scenes: tuple[int, ...],
    since: datetime | timedelta | None,
    *,
    take_over: bool,
    yes: bool,
    asks: bool,
    wait: bool,
) -> Queued | None:
    """Queue the scenes. None if you were asked first and declined."""
    with open_parts(start.config, start.folder) as parts:
        is_asked = not scenes and since is None and (waits_for_yes(parts) or take_over)
        if is_asked and not _confirm_first_write(start, parts, take_over=take_over, yes=yes, asks=asks):
            return None
        # Before anything is queued: the worker goes by these settings from now on.
        if (is_asked or (yes and not scenes and since is None)) and (problem := approve_settings(parts)):
            click.echo(f"plexsync: {safe(problem)}", err=True)
        then = moment(since, parts.clock.now())
        start.ask(parts, READ_STASH)
        if then is not None and not bulk_approved(parts) and first_of_most(parts.store, parts.stash, parts.gates, then):
            if not yes:
                raise click.ClickException(FIRST_OF_MOST)
            approve_bulk(parts)
        named = named_scenes(parts, scenes)
        if scenes:
            # A call that waits has undone scenes inspected.
            ids = named.reachable if wait else named.syncable
            want_scenes(parts.store, ids, Why.USER, parts.clock, take_over=take_over)
        else:
            try:
                ids = want_all(parts.store, parts.stash, parts.gates, parts.clock, since=then, take_over=take_over)
            finally:
                # Not before: else a running worker begins with a comparison of the same scenes.
                if is_asked and not bulk_approved(parts):
                    approve_bulk(parts)
        # A worker runs on the same gates, so it goes on as soon as this probe is answered.
        busy, closed = parts.someone_works(), ""
        if not wait:
            # Before many scenes, Plex is asked whether it has the libraries.
            if not scenes and not start.settings.lacking and parts.gates.is_open(READ_PLEX):
                with suppress(NeighbourError):
                    parts.gates.ask(READ_PLEX, parts.plex.sections)
            closed = start.ask(parts)
        return Queued(ids, named, busy=busy, closed=closed)


def _confirm_first_write(start: Begun, parts: Parts, *, take_over: bool, yes: bool, asks: bool) -> bool:
    """Whether you approve the first write, or the take-over. Ends the call if the question can't be answered."""
    if not yes and not asks:
        question = asked_settings(parts)
        waits = f"{question.text}: {SETTINGS_WAIT}" if question and bulk_approved(parts) else FIRST
        raise click.ClickException(TAKING_OVER if take_over else waits)
    if not yes:
        start.meet(parts)
        totals = first_look(start, parts, take_over=take_over)
        if question := asked_settings(parts):
            say(paper(), question.text)
        once = "" if take_over else " It is asked only once."
        if totals.stopped or not confirm(f"Write this to Plex?{once}"):
            return False
    return True


def _wait(call: Call, start: Begun, queued: Queued, *, whole: bool) -> int:
    """Work or watch until all are settled; report the outcomes, and the named scenes that Stash does not have."""
    ids, named = queued.ids, queued.named
    with stoppable() as stop:
        settled, reason = work_scenes(start, stop, ids, whole=whole)
        with open_parts(start.config, start.folder) as parts:
            with parts.store.reading() as db:
                rows = db.jobs.of(Kind.SCENE, named.ids)
                gone = [id for id in named.ids if id not in rows or rows[id].state is State.GONE]
                undone = resting(db, named.ids)
            incomplete = _incomplete(parts, ids)
        left_out = [{"scene": id, **fact} for id, missing in incomplete for fact in missing]
        facts = {
            "wanted": len(ids),
            "outcomes": dict(settled.standing),
            "causes": dict(settled.causes),
            "kept_fields": settled.kept_fields,
            "why": reason,
            **({"left_out": left_out} if left_out else {}),
        }
        if not call.json:
            out = paper()
            say(out, settled.line() + (f"; {reason}" if reason else ""))
            for id, missing in incomplete[:FEW]:
                say(out, f"scene {id} is in sync, but {safe(left_out_words(missing))}")
            if len(incomplete) > FEW:
                say(out, f"and {many(len(incomplete) - FEW, 'more scene')}: plexsync status SCENE shows why")
        code = replace(queued, named=replace(named.without(gone), undone=undone)).answer(call, facts, rests)
        return stop.code or (FINE if settled.well else FAILED) or code


def _incomplete(parts: Parts, ids: Sequence[int]) -> list[tuple[int, list[LeftOutFacts]]]:
    """The scenes that are in sync but for pictures that could not be written."""
    names = parts.picture_names
    incomplete: list[tuple[int, list[LeftOutFacts]]] = []
    for start in range(0, len(ids) if names else 0, PAGE):
        with parts.store.reading() as db:
            results = db.pictures.of_all(ids[start : start + PAGE])
            doubtful = [id for id, rows in results.items() if left_out(rows, names)]
            facts = facts_of(db, sorted(doubtful), names)
        incomplete += [(fact["id"], fact["left_out"]) for fact in facts if fact["left_out"]]
    return incomplete

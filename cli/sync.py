"""`plexsync sync`: wants scenes, and with --wait sees them through."""

import re
from datetime import UTC, datetime, timedelta

import click

from cli.call import FAILED, FINE, Call, command
from cli.keys import SceneNumber
from cli.screen import Bar, paper, say
from cli.settings import Need
from cli.start import Begun, begun
from cli.stopping import stoppable
from cli.words import many
from cli.working import Remaining, Work, outcomes
from sync.errors import Unusable
from sync.job import Kind, State, Why
from wiring import Parts, half_mended, mend, opened
from worker.verbs import want_all, want_scenes

LONGEST_SPAN = timedelta(days=36_525)
UNITS = {"s": "seconds", "m": "minutes", "min": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class When(click.ParamType[datetime | timedelta]):
    """A date, a date with time, or a span back from now."""

    name = "when"

    def convert(
        self, value: str | datetime | timedelta, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime | timedelta:
        """The moment (without an offset: in local time) or the span."""
        if not isinstance(value, str):
            return value
        span = re.fullmatch(r"(\d{1,6}) ?(s|m|min|h|d|w)", value.strip())
        try:
            if span:
                back = timedelta(**{UNITS[span[2]]: int(span[1])})
                if back <= LONGEST_SPAN:
                    return back
                self.fail("must not lie more than a hundred years back", param, ctx)
            return datetime.fromisoformat(value.strip()).astimezone(UTC)
        except (ValueError, OverflowError, OSError):
            self.fail("must be a date (2026-03-31), a date with time (2026-03-31T18:00) or a span (2h, 3d)", param, ctx)


@command("sync")
@click.argument("scenes", metavar="[SCENE]...", nargs=-1, type=SceneNumber())
@click.option("--all", "all_", is_flag=True, help="Every scene in Stash.")
@click.option(
    "--since", metavar="WHEN", type=When(), help="The scenes changed in Stash since then: 2026-03-31, 2h, 3d."
)
@click.option("--wait", is_flag=True, help="Return when they are in step, with a summary.")
@click.pass_obj
def sync(call: Call, scenes: tuple[int, ...], all_: bool, since: datetime | timedelta | None, wait: bool) -> int:
    """Bring scenes in step: all, the recent ones, or those named by their number in Stash.

    Puts them in the queue and returns; a running worker (plexsync serve) takes them at once. With --wait they are worked
    before the command returns: by this process if no worker runs, else by the worker while this one watches. A scene
    that is in step already costs no write. Exits with 1 if one of the scenes was given up, or one that was named is not
    in Stash.

    \b
    Examples:
      plexsync sync --all --wait
      plexsync sync --since 2h
      plexsync sync 7 12 --wait
    """
    if bool(scenes) + all_ + (since is not None) != 1:
        raise click.UsageError("say which scenes: --all, --since WHEN, or their numbers")
    with begun(call, need=Need.WORK if wait else Need.DATABASE) as start:
        if half_mended(start.folder):
            mend(start.folder)
        try:
            ids, busy = _queued(start, scenes, since)
        except Unusable:
            # It may be damaged. To find that out takes its time, and the worker's lock: not on every call.
            mend(start.folder)
            ids, busy = _queued(start, scenes, since)
        if wait:
            return _wait(call, start, ids, whole=all_, named=bool(scenes))
    hint = "the worker takes them at once" if busy else "no worker runs: start plexsync serve, or run plexsync drain"
    call.answer({"wanted": len(ids)}, lambda: paper().print(f"{many(len(ids), 'scene')} wanted; {hint}"))
    return FINE


def _queued(start: Begun, scenes: tuple[int, ...], since: datetime | timedelta | None) -> tuple[list[int], bool]:
    """Want the scenes; returns them, and whether a worker runs."""
    with opened(start.config, start.folder) as parts:
        return _want(parts, scenes, since), parts.someone_works()


def _want(parts: Parts, scenes: tuple[int, ...], since: datetime | timedelta | None) -> list[int]:
    if scenes:
        ids = list(dict.fromkeys(scenes))
        want_scenes(parts.store, ids, Why.USER, parts.clock)
        return ids
    if isinstance(since, datetime) and since.timestamp() * 1000 > parts.clock.now():
        click.echo("plexsync: warning: --since is still to come, so nothing can have changed since", err=True)
    if isinstance(since, timedelta):
        since = datetime.fromtimestamp(parts.clock.now() / 1000, UTC) - since
    return want_all(parts.store, parts.stash, parts.gates, parts.clock, since=since)


def _wait(call: Call, start: Begun, ids: list[int], *, whole: bool, named: bool) -> int:
    """Work or watch until all are settled; tell what became of them, and which of those named Stash does not have."""
    with stoppable() as stop:
        with Bar(start.console, "syncing") as bar:
            ended = Work(start, stop, bar, Remaining(None if whole else ids), patient=True).run()
        with opened(start.config, start.folder) as parts, parts.store.reading() as db:
            found = outcomes(db, ids)
            unknown = [id for id in ids if (row := db.job(Kind.SCENE, id)) and row.state is State.GONE] if named else []
        facts = {
            "wanted": len(ids),
            "outcomes": dict(found.standing),
            "causes": dict(found.causes),
            "why": ended.why,
            **({"not_in_stash": unknown} if unknown else {}),
        }
        why = f"; {ended.why}" if ended.why else ""
        call.answer(facts, lambda: say(paper(), found.line() + why))
        for id in unknown:
            click.echo(f"plexsync: Stash has no scene {id}", err=True)
        return stop.code or (FINE if found.well and not unknown else FAILED)

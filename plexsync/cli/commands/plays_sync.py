"""`plexsync plays sync`: shows what the first write of plays to Stash would do, and asks for your approval, once."""

import sys
from contextlib import ExitStack
from datetime import datetime
from functools import partial
from typing import TextIO

import click

from plexsync.app.parts import Parts, open_parts
from plexsync.app.settings import SettingsNeed
from plexsync.app.way_back import WayBack, way_back_of
from plexsync.cli.call import FAILED, FINE, YES, Call, command
from plexsync.cli.daemon.signals import stoppable
from plexsync.cli.settings import toml_of
from plexsync.cli.start import Begun, begin_call
from plexsync.cli.terminal.export_file import output
from plexsync.cli.terminal.prompts import confirm
from plexsync.cli.terminal.screen import ProgressBar, paper, say, table
from plexsync.cli.terminal.worker_hint import worker_hint
from plexsync.flows.plays.first_run import PlaysPage
from plexsync.flows.plays.history_poll import UnknownAccount, approve_plays
from plexsync.reports.first_plays import COLUMNS, csv_line, csv_lines, first_plays_lines, list_scenes, scene_plays_words
from plexsync.reports.format import many, safe
from plexsync.reports.shapes.plays import FirstPlaysPreview, ScenePlaysFacts
from plexsync.reports.status import counted_facts
from plexsync.rules.plays.first_plays import FirstPlays
from validation.values import midnight

# The number of scenes that are shown.
MOST_LISTED = 20
OFF = 'nothing is brought from Plex to Stash: set watch_back = "plays" first'
PREVIEW = "preview it with plexsync plays sync --dry-run, then say plexsync plays sync --yes"
FIRST = f"this would be the first write of plays to Stash: {PREVIEW}"
MORE = f"this would write more plays to Stash than the rule that you have approved: {PREVIEW}"
QUESTION = "Add these plays to Stash, and new ones from now on? It is asked only once."
GOES_ON = "plays go on as before; to be asked no more, set watch_minimum"
LIMITED = "you have approved the plays already, so --since is too late: set watch_since, which limits them at any time"
TOO_EARLY = "--since is before watch_since: plays before that day don't count. Change watch_since"


@command("sync")
@click.option("--dry-run", "dry", is_flag=True, help="Write nothing: show which plays would be added.")
@click.option(
    "--since",
    metavar="DAY",
    type=click.DateTime(["%Y-%m-%d"]),
    help="Approve only plays from this day on (UTC): 2026-01-31.",
)
@click.option("--out", metavar="FILE", default="", help="Write every play that would be added to this file, as CSV.")
@click.option("--force", is_flag=True, help="With --out: replace the file if it exists.")
@YES
@click.pass_obj
def sync(call: Call, dry: bool, since: datetime | None, out: str, force: bool, yes: bool) -> int:
    """Preview the first plays, and approve them once.

    Before that no play is written. After it the worker adds them, and new plays as you watch. It asks again if you choose
    another account (watch_account), an earlier day (watch_since), a rule that makes more plays (watch_minimum), or
    another Plex server, and if the account has another name in Plex. Until you agree to a rule, plays go on by the one
    that you have approved; to keep that, set watch_minimum to it.

    With --since, plays before that day are never sent by this approval. watch_since does the same at any time.

    \b
    Examples:
      plexsync plays sync --dry-run
      plexsync plays sync
      plexsync plays sync --since 2026-01-31 --yes
    """
    if dry and yes:
        raise click.UsageError("--dry-run writes nothing: it goes without --yes")
    if force and not out:
        raise click.UsageError("--force goes with --out")
    if out == "-":
        raise click.UsageError("--out writes a file: name one")
    with begin_call(call, need=SettingsNeed.WORK) as start, open_parts(start.config, start.folder) as parts:
        back = way_back_of(parts)
        if back is None:
            return call.refuse(OFF)
        start.require(parts)
        try:
            return _preview_and_ask(call, start, parts, back, since, dry=dry, yes=yes, to=(out, force))
        except UnknownAccount as error:
            return call.refuse(str(error))


def _preview_and_ask(
    call: Call,
    start: Begun,
    parts: Parts,
    back: WayBack,
    since: datetime | None,
    *,
    dry: bool,
    yes: bool,
    to: tuple[str, bool],
) -> int:
    """Show what would be added, and ask if nobody has approved it; returns the exit code."""
    back.first_run.freshen()
    with parts.store.reading() as db:
        approved, held = back.history.approved_since(db), back.first_run.rule_meanwhile(db)
    if since is not None and approved is not None:
        return call.refuse(LIMITED)
    earliest = back.history.rules.since
    begins = earliest if approved is None else approved
    if since is not None:
        begins = midnight(since.date().isoformat())
    if begins < earliest:
        raise click.UsageError(TOO_EARLY)
    asks = (approved is None or bool(held)) and not dry
    if asks and not yes and (call.json or not sys.stdin.isatty()):
        raise click.ClickException(MORE if held else FIRST)
    with stoppable() as stop, ExitStack() as stack:
        file = partial(output, to[0], replace=to[1], folder=parts.folder, settings=toml_of(call))
        scenes = FirstScenes(stack.enter_context(file()) if to[0] else None)
        bar = stack.enter_context(ProgressBar(start.console, "counting"))
        counted = back.first_run.count(since=begins, take=scenes.take, progress=bar.at, stopping=lambda: bool(stop))
    if counted is None:
        return stop.code or FAILED
    if not call.json:
        _tell(counted, scenes, to[0])
    if asks and not yes and not confirm(QUESTION):
        return call.refuse(f"nothing was approved: {GOES_ON if held else 'no play is written'}")
    if asks:
        with parts.store.writing() as tx:
            number, minimum, now = counted.number, parts.config.watch_minimum, parts.clock.now()
            approve_plays(tx, number, watch_since=earliest, since=counted.since, minimum=minimum, now=now)
    facts: FirstPlaysPreview = {
        "dry_run": dry,
        "approved": asks or approved is not None,
        "first": counted_facts(counted, counted.in_plex),
        "scenes": scenes.first,
    }
    call.answer({**facts}, lambda: say(paper(), _ending(start, parts, dry=dry, asks=asks)))
    return FAILED if counted.unread else FINE


class FirstScenes:
    """The first scenes that would get plays, how many there are, and the file that gets all of their plays."""

    def __init__(self, file: TextIO | None) -> None:
        self.first: list[ScenePlaysFacts] = []
        self.count = 0
        self.file = file
        if file is not None:
            file.write(csv_line(COLUMNS))

    def take(self, page: PlaysPage) -> None:
        """Add a page."""
        scenes = list_scenes(page)
        self.count += len(scenes)
        self.first += scenes[: MOST_LISTED - len(self.first)]
        if self.file is not None:
            self.file.writelines(csv_lines(scenes))


def _tell(counted: FirstPlays, scenes: FirstScenes, file: str) -> None:
    out = paper()
    if scenes.first:
        rows = [(str(scene["id"]), safe(scene["title"], 60) or "-", scene_plays_words(scene)) for scene in scenes.first]
        out.print(table("", ("scene", "title", "plays"), rows))
    if scenes.count > len(scenes.first):
        say(out, f"... and {many(scenes.count - len(scenes.first), 'scene')} more")
    for line in first_plays_lines(counted_facts(counted, counted.in_plex)):
        say(out, line)
    if file:
        say(out, f"every play is listed in {file}")


def _ending(start: Begun, parts: Parts, *, dry: bool, asks: bool) -> str:
    """What happens next."""
    hint = worker_hint(parts.someone_works(), start.ask(parts))
    if asks:
        return f"approved; {hint}"
    return "nothing was written" if dry else f"approved already; {hint}"

"""`plexsync probe --provider`: asks a Plex server how it asks a metadata provider, with one file, and puts all back."""

from contextlib import closing

import click

from plexsync.app.parts import Parts, at_work
from plexsync.app.probe.library_return import is_open, put_back_open
from plexsync.app.probe.provider_questions import find_item, library_to_probe, probe_provider
from plexsync.app.provider_steps.steps import NotNow
from plexsync.app.settings import SettingsNeed
from plexsync.app.turns import connect_probe
from plexsync.cli.call import FAILED, FINE, Call
from plexsync.cli.daemon.signals import Stop, stoppable
from plexsync.cli.start import Begun, begin_call
from plexsync.cli.terminal.prompts import confirm
from plexsync.cli.terminal.screen import LiveLine, paper, table
from plexsync.cli.version import version
from plexsync.reports.format import safe
from plexsync.reports.probe_provider import provider_probe_facts, provider_rows
from plexsync.rules.servers.scratch import CantProbe, Restoration

HEADS = ("question", "answer", "what PlexSync does with it")
BUSY = "a worker runs: stop plexsync serve for the minute that this takes"
QUESTION = (
    "For about a minute, the library {} gets a scratch metadata provider on this machine as its agent, in place of {}, and "
    "item {} ({}) is matched by it and refreshed: its genres, tagline, original title and locks of these change, and remote "
    "extras may go. Other items that Plex asks about meanwhile get no answer and stay. Everything is put back at the end; "
    "Plex then reads the item from its old agent again. Go on?"
)


def probe_library(call: Call, library: str, path: str, *, yes: bool) -> int:
    """Probe with this file of the library, and print the answers; returns the exit code."""
    with begin_call(call, need=SettingsNeed.WORK) as start, stoppable() as stop:
        with at_work(start.config, start.folder) as (parts, mine):
            if not mine:
                return call.refuse(BUSY)
            start.tell(parts)
            try:
                put_back_first(parts)
                return _probe(call, start, parts, library, path, stop, yes=yes)
            except (CantProbe, NotNow) as error:
                return stop.code or call.refuse(str(error))


def _probe(call: Call, start: Begun, parts: Parts, name: str, path: str, stop: Stop, *, yes: bool) -> int:
    library = library_to_probe(parts, name)
    key = find_item(parts, library, path)
    title = parts.plex.items([key])[key].scalars.get("title", "")
    asked = QUESTION.format(safe(library.title), safe(library.agent), key, safe(title, 60))
    if not (yes or confirm(asked)):
        return call.refuse("nothing was changed")
    with LiveLine(start.console) as line:
        line.show("asking")
        outcome = probe_provider(parts, library, key, path, stopping=stop.event.is_set)
    facts = provider_probe_facts(outcome, version())
    call.answer(
        facts, lambda: paper().print(table(f"Plex {safe(facts['plex'])}", HEADS, provider_rows(facts["answers"])))
    )
    if outcome.error:
        click.echo(f"plexsync: the probe ended early: {safe(outcome.error)}", err=True)
    if outcome.rest is None:
        click.echo("plexsync: the library is not put back yet: plexsync probe does it once Plex is up", err=True)
    elif outcome.rest:
        tell_rest(f"{safe(library.title)}, item {key}", outcome.rest)
    return stop.code or (FINE if facts["complete"] and facts["restored"] else FAILED)


def put_back_first(parts: Parts) -> Restoration | None:
    """Put back what interrupted probes have left; returns what came of the item, None if none was left."""
    if not is_open(parts):
        return None
    with closing(connect_probe(parts)) as plex:
        earlier, rest = put_back_open(parts, plex)
    if rest is not None:
        tell_rest("the library of an interrupted probe", rest)
    return earlier


def tell_rest(what: str, rest: tuple[str, ...]) -> None:
    """Report on standard error what of a library or an item is not as before."""
    words = f"not as before: {', '.join(rest)}" if rest else "put back"
    click.echo(f"plexsync: {what}: {safe(words)}", err=True)

"""`plexsync probe`: asks a Plex server the questions on which sources disagree, with one item, and restores it."""

from contextlib import closing

import click

from plexsync.app.parts import Parts, at_work, open_parts
from plexsync.app.probe.questions import check_photo, probe as probe_item
from plexsync.app.probe.restore import restore_left
from plexsync.app.settings import SettingsNeed
from plexsync.app.turns import ENDED, connect_probe, result_of
from plexsync.app.version import version
from plexsync.cli.call import FAILED, FINE, YES, Call, command
from plexsync.cli.daemon.signals import Stop, stoppable
from plexsync.cli.start import Begun, begin_call
from plexsync.cli.terminal.param_types import ItemKey
from plexsync.cli.terminal.prompts import confirm
from plexsync.cli.terminal.screen import ProgressBar, paper, table
from plexsync.reports.format import safe
from plexsync.reports.probe import probe_facts, stored_traits, trait_rows
from plexsync.rules.servers.scratch import CantProbe, ProbeOutcome, Restoration

HEADS = ("question", "answer", "what PlexSync does with it")
BUSY = "a worker runs: stop plexsync serve for the minute that this takes"
TOGETHER = "--photo goes with ITEM"
PACE = 0.2  # seconds between two looks for the worker's result
QUESTION = (
    "This edits item {} ({}) for some seconds: scratch labels, people and a collection, its date added, and a rating if "
    "it has none. Everything is restored at the end. Go on?"
)


def _photo(_context: click.Context, _option: click.Parameter, address: str) -> str:
    """The address of a photo, checked."""
    try:
        return address and check_photo(address)
    except CantProbe as error:
        raise click.UsageError(str(error)) from None


@command("probe")
@click.argument("item", metavar="[ITEM]", required=False, type=ItemKey())
@click.option(
    "--photo", metavar="URL", default="", callback=_photo, help="With ITEM: try this https photo of a person."
)
@YES
@click.pass_obj
def probe(call: Call, item: str | None, photo: str, yes: bool) -> int:
    """Ask your Plex server how it treats edits, with one item that you name, and use the answers.

    Sources disagree on some points, and Plex does not document them. The command tries each on the item with this rating
    key: it adds scratch names and takes them away again, reads back after each request, and restores everything at the
    end. What it changes is saved before: after Ctrl-C or a crash the item is restored at the end or by the next run. Take
    an item without a rating; with one in a library of Other Videos, its questions are answered too. Labels, cast and
    collections that you have stay at every moment. If a worker runs, it does the work between two of its own steps.

    With --photo it also learns whether Plex loads that address for a scratch person. No worker may run meanwhile.

    Without an item it shows what was learnt, and restores an item that an interrupted call has left. With --json the
    answer holds no names, paths or tokens: you can share it. Exits with 1 if the probe was not completed.

    \b
    Examples:
      plexsync probe
      plexsync probe 1234 --yes
    """
    if photo and item is None:
        raise click.UsageError(TOGETHER)
    with begin_call(call, need=SettingsNeed.WORK) as start, stoppable() as stop:
        if item is not None and not _confirm_probe(call, start, item, yes=yes):
            return FAILED
        with at_work(start.config, start.folder) as (parts, mine):
            if photo and not mine:
                return call.refuse(BUSY)
            earlier, probed = _restore_first(parts) if mine else None, None
            if item is not None:
                try:
                    probed = _probe_now(start, parts, stop, item, photo) if mine else _by_worker(parts, stop, item)
                except CantProbe as error:
                    return call.refuse(str(error))
            learnt = stored_traits(parts)
            with parts.store.reading() as db:
                restored = probed.is_restored if probed else db.probes.open_original() is None
        facts = probe_facts(learnt, probed, restored=restored, program=version())
        drawn = table(f"Plex {safe(facts['plex'] or '')}", HEADS, trait_rows(facts["traits"]))
        unknown = "Nothing was learnt yet: plexsync probe ITEM asks the server."
        call.answer(facts, lambda: paper().print(unknown if facts["plex"] is None else drawn))
        _complain(item, probed, earlier, restored=restored)
        return stop.code or (FINE if restored and facts["complete"] else FAILED)


def _confirm_probe(call: Call, start: Begun, item: str, *, yes: bool) -> bool:
    """Whether the probe may begin. Names the item by its title, so that a wrong number is noticed."""
    with open_parts(start.config, start.folder) as parts:
        start.tell(parts)
        named = parts.plex.items([item]).get(item)
    if named is None:
        call.refuse(f"Plex has no item {item} in a library")
        return False
    if yes or confirm(QUESTION.format(item, safe(named.scalars.get("title", ""), 60))):
        return True
    call.refuse("nothing was changed")
    return False


def _restore_first(parts: Parts) -> Restoration | None:
    """Restore the item that an interrupted probe has left; returns what came of it, None if none was left."""
    with parts.store.reading() as db:
        if db.probes.open_original() is None:
            return None
    with closing(connect_probe(parts)) as plex:
        return restore_left(parts.store, plex, parts.clock)


def _probe_now(start: Begun, parts: Parts, stop: Stop, item: str, photo: str) -> ProbeOutcome:
    """Probe in this process, which holds the worker's lock."""
    with ProgressBar(start.console, "asking") as bar, closing(connect_probe(parts)) as plex:
        stopping = stop.event.is_set
        return probe_item(parts.store, plex, parts.clock, item, photo=photo, progress=bar.at, stopping=stopping)


def _by_worker(parts: Parts, stop: Stop, item: str) -> ProbeOutcome:
    """Let the worker probe, and wait for its result."""
    asked = parts.clock.now()
    with parts.store.writing() as tx:
        tx.probes.ask_probe(item, now=asked)
    withdrawn = False
    while (result := result_of(parts.store, asked)) is None:
        if not parts.someone_works():
            with parts.store.writing() as tx:
                tx.probes.withdraw_probe()
            return result_of(parts.store, asked) or ProbeOutcome(error=ENDED)
        if stop and not withdrawn:
            withdrawn = True
            with parts.store.writing() as tx:
                tx.probes.withdraw_probe()
            with parts.store.reading() as db:
                if db.probes.probe_running() is None:
                    raise CantProbe("stopped before the worker began: nothing was changed")
        parts.clock.sleep(PACE)
    if not result.version:
        raise CantProbe(result.error)
    return result


def _complain(item: str | None, probed: ProbeOutcome | None, earlier: Restoration | None, *, restored: bool) -> None:
    """Report on standard error what was not done, and what was restored."""
    if earlier is not None:
        click.echo(f"plexsync: the item of an interrupted probe: {safe(earlier.words() or 'restored')}", err=True)
    if probed is None:
        if not restored:
            click.echo("plexsync: the item of an interrupted probe is not restored yet: the worker does it", err=True)
        return
    if probed.error:
        click.echo(f"plexsync: the probe ended early: {safe(probed.error)}", err=True)
    if probed.restored is None:
        click.echo(f"plexsync: item {item} is not restored yet: plexsync probe does it once Plex is up", err=True)
    elif words := probed.restored.words():
        click.echo(f"plexsync: item {item}: {safe(words)}", err=True)

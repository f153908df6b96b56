"""`plexsync provider`: lets a library of Plex ask PlexSync first, and takes that back."""

import sys
from collections.abc import Callable
from functools import partial

import click

from plexsync.app.parts import Parts, open_parts
from plexsync.app.provider_steps import steps
from plexsync.app.provider_steps.lent import take_over_lent
from plexsync.app.provider_steps.plan import compare_values, find_row, look_in_plex, plan_adding
from plexsync.app.settings import SettingsNeed
from plexsync.cli.call import FINE, YES, Call, Sharing, family
from plexsync.cli.daemon.signals import Stop, stoppable
from plexsync.cli.start import Begun, begin_call
from plexsync.cli.terminal.prompts import confirm
from plexsync.cli.terminal.screen import LiveLine, ProgressBar, paper, say, table
from plexsync.reports.format import many, safe
from plexsync.reports.provider import (
    PlanFacts,
    ProviderFacts,
    RemovedFacts,
    call_words,
    last_asked,
    plan_facts,
    provider_report,
    removed_facts,
)
from plexsync.rules.provider.standing import AGENT, WELL
from plexsync.store.ledger.provider_memory import ProviderRow

# Seconds for which Plex may take to ask for the first item.
FIRST_CALL = 45.0
ANSWER = "nobody is there to agree: look with --dry-run, then give --yes"
DRY = "--dry-run writes nothing: it goes without --yes"
SILENT = "Plex can't reach {}, or asks for no item yet: plexsync provider status shows when it has asked"
STOPPED = "stopped: run the same command again to go on"
NONE = "no library asks PlexSync: plexsync provider add LIBRARY sets one up"
PLAN = {
    "agent": "agent now",
    "identifier": "new agent",
    "address": "address that Plex must reach",
    "items": "items",
    "scenes": "scenes with an answer",
    "differ": "items that would change",
}
MOST_NAMED = 20
# What is offered where the agent from before no longer exists.
OFFERED = {"movie": "Give it Plex Movie instead?", "none": "Leave it without an agent?"}


@family("provider")
def provider() -> None:
    """Let a library of Plex ask PlexSync for the values of its items (docs/provider.md).

    Plex asks while it scans, so the texts and lists of an item are right before anybody sees it, without locks. It needs
    Plex 1.43.0 or newer, and provider_listen. Pictures, labels and ratings are still written by PlexSync.

    \b
    Examples:
      plexsync provider add Movies --dry-run
      plexsync provider add Movies
      plexsync provider status
      plexsync provider remove Movies
    """


@provider.command("add", cls=Sharing)
@click.argument("library")
@click.option("--dry-run", "dry", is_flag=True, help="Write nothing: show what would be done.")
@YES
@click.pass_obj
def add(call: Call, library: str, dry: bool, yes: bool) -> int:
    """Let the movie library of this name ask PlexSync first.

    Shows what would be done, and asks once. If no other library is synced, your yes is also the approval of the first
    write. Before anything changes, the fields, tags, locks, pictures and guids of all its items are saved for plexsync
    provider remove. Then PlexSync is registered in Plex, and the library gets it as its agent, with Plex Local Media behind
    it. A call that was interrupted goes on when it is repeated, or when a worker starts. plexsync serve must be running: it
    answers Plex.

    For a library that asks already, it renews the secret part of the address.

    \b
    Examples:
      plexsync provider add Movies --dry-run
      plexsync provider add Movies --yes
    """
    return _with_parts(call, partial(_plan_and_add, call, library), dry=dry, yes=yes)


def _with_parts(call: Call, begin: Callable[..., int], *, dry: bool, yes: bool) -> int:
    """The exit code of `begin`; a steps.NotNow refuses the call."""
    if dry and yes:
        raise click.UsageError(DRY)
    with (
        begin_call(call, need=SettingsNeed.WORK) as start,
        # Plex is told the values that are in force, as by a worker.
        open_parts(start.config, start.folder, in_force=True) as parts,
    ):
        with stoppable() as stop:
            try:
                start.require(parts)
                take_over_lent(parts)
                return begin(start, parts, stop, dry=dry, yes=yes)
            except steps.NotNow as error:
                return stop.code or call.refuse(str(error))


def _plan_and_add(call: Call, name: str, start: Begun, parts: Parts, stop: Stop, *, dry: bool, yes: bool) -> int:
    """Show the plan, and do it if you agree; returns the exit code."""
    plan, counts = plan_adding(parts, name), None
    if not plan.renews:
        with ProgressBar(start.console, "comparing") as bar:
            counts = compare_values(parts, plan.library.section, bar.at, lambda: bool(stop))
        if stop:
            return stop.code
    facts = plan_facts(plan, counts)
    if not call.json:
        _tell_plan(facts)
    if dry:
        call.answer({"dry_run": True, **facts}, lambda: say(paper(), "nothing was written"))
        return FINE
    if not _agrees(call, f"Let Plex ask PlexSync in {safe(plan.library.title)}?", yes=yes):
        return call.refuse("nothing was changed", **facts)
    steps.approve_library(parts)
    steps.begin_adding(parts, plan.library, plan.identifier)
    row = _go_on(start, parts, plan.library.uuid, stop)
    with LiveLine(start.console) as line:
        line.show("waiting for Plex to ask")
        asks = not plan.items or steps.wait_for_call(parts, row, FIRST_CALL, lambda: bool(stop))
    if not asks:
        return stop.code or call.refuse(SILENT.format(plan.address), **facts, added=True)
    call.answer({**facts, "added": True}, lambda: say(paper(), f"{safe(row.title)}: {WELL}"))
    return FINE


def _agrees(call: Call, question: str, *, yes: bool) -> bool:
    """Whether you agree. Ends the call if the question can't be answered."""
    if yes:
        return True
    if call.json or not sys.stdin.isatty():
        raise click.ClickException(ANSWER)
    return confirm(question)


def _go_on(start: Begun, parts: Parts, library: str, stop: Stop) -> ProviderRow:
    """Do the steps. Raises steps.NotNow, also once you have stopped them between two items."""
    with ProgressBar(start.console, "items") as bar:

        def progress(done: int, total: int) -> None:
            bar.at(done, total)
            if stop:
                raise steps.NotNow(STOPPED)

        return steps.go_on(parts, library, progress)


def _tell_plan(facts: PlanFacts) -> None:
    values: dict[str, object] = {**facts}
    rows = [(words, str(values[name])) for name, words in PLAN.items() if name in values]
    rows += [("can't be put back", line) for line in facts["not_put_back"]]
    rows += [("warning", line) for line in facts["warnings"]]
    paper().print(table(f"Library {safe(facts['library'])}", ("", ""), [(head, safe(text)) for head, text in rows]))


@provider.command("remove", cls=Sharing)
@click.argument("library")
@click.option("--dry-run", "dry", is_flag=True, help="Write nothing: show what would be done.")
@click.option("--agent", type=click.Choice(sorted(steps.INSTEADS)), help="The agent to give it, instead.")
@YES
@click.pass_obj
def remove(call: Call, library: str, dry: bool, agent: str | None, yes: bool) -> int:
    """Take back that a library asks PlexSync.

    The library gets the agent back that it had, what was registered in Plex is removed, and fields, tags, locks and pictures
    are put back as they were found. What somebody has edited and locked since stays. Fields that PlexSync keeps in sync are
    written again with their locks, by the worker. Items that were added since are listed. A call that was interrupted goes
    on when it is repeated, or when a worker starts. plexsync undo takes back what PlexSync has written. If the agent that
    the library had no longer exists in Plex, you choose another: Plex Movie (movie) or no agent (none).

    \b
    Examples:
      plexsync provider remove Movies --dry-run
      plexsync provider remove Movies --yes
    """
    return _with_parts(call, partial(_ask_and_remove, call, library, agent or ""), dry=dry, yes=yes)


def _ask_and_remove(
    call: Call, name: str, instead: str, start: Begun, parts: Parts, stop: Stop, *, dry: bool, yes: bool
) -> int:
    row = find_row(parts, name)
    with parts.store.reading() as db:
        items = db.providers.count_items(row.library)
    if not call.json:
        say(
            paper(),
            f"{safe(row.title)}: back to the agent {safe(steps.INSTEADS.get(instead, str(row.steps[AGENT])))}; "
            f"{many(items, 'item')} saved",
        )
    facts = removed_facts(row, items, steps.put_back_of(row), removed=False)
    if dry:
        call.answer({"dry_run": True, **facts}, lambda: say(paper(), "nothing was written"))
        return FINE
    if not _agrees(call, f"Take {safe(row.title)} back from PlexSync?", yes=yes):
        return call.refuse("nothing was changed", **facts)
    steps.begin_removing(parts, row.library, instead)
    try:
        ended = _go_on(start, parts, row.library, stop)
    except steps.AgentGone as gone:
        if call.json or not sys.stdin.isatty():
            raise
        say(paper(), f"{safe(row.title)}: its agent {safe(str(row.steps[AGENT]))} no longer exists in Plex")
        instead = next((name for name, words in OFFERED.items() if confirm(words)), "")
        if not instead:
            raise gone from None
        steps.begin_removing(parts, row.library, instead)
        ended = _go_on(start, parts, row.library, stop)
    facts = removed_facts(row, items, steps.put_back_of(ended), removed=True)
    call.answer({**facts}, lambda: _tell_removed(facts))
    return FINE


def _tell_removed(facts: RemovedFacts) -> None:
    out = paper()
    say(out, f"{safe(facts['library'])}: Plex asks PlexSync no longer")
    for keys, words in (
        (facts["edited_since"], "edited since, left alone"),
        (facts["gone"], "gone from Plex or replaced by another, not put back"),
        (facts["not_put_back"], "not put back completely"),
        (facts["added_since"], "added since, left alone"),
    ):
        if keys:
            more = f" and {len(keys) - MOST_NAMED:,} more" if len(keys) > MOST_NAMED else ""
            say(out, f"{many(len(keys), 'item')} {words}: {', '.join(keys[:MOST_NAMED])}{more}")


@provider.command("status", cls=Sharing)
@click.pass_obj
def status(call: Call) -> int:
    """Show which libraries ask PlexSync, and whether they do.

    Asks Plex what is registered, and which agent each library has. Exits with 1 if one of them does not ask.

    \b
    Examples:
      plexsync provider status
      plexsync provider status --json
    """
    with begin_call(call, need=SettingsNeed.LOOK) as start, open_parts(start.config, start.folder) as parts:
        report = provider_report(parts, look_in_plex(parts))
    call.answer({**report}, lambda: _tell(report["libraries"]))
    return FINE if all(each["well"] for each in report["libraries"]) else 1


def _tell(libraries: list[ProviderFacts]) -> None:
    out = paper()
    if not libraries:
        say(out, NONE)
    for facts in libraries:
        rows = [
            ("registered in Plex", _yes(facts["registered"])),
            ("group of providers in Plex", _yes(facts["group"])),
            ("agent of the library", safe(facts["agent"] or "unknown")),
            ("asks about explicit content", _yes(facts["explicit"])),
            ("address", facts["address"]),
            ("last asked", last_asked(facts)),
            ("calls of the last hour", call_words(facts["calls"])),
            ("scenes with an answer", f"{facts['answers']:,}, {facts['matched']:,} of them found by a match"),
        ]
        say(out, f"{safe(facts['library'])}: {safe(facts['standing'])}", style="" if facts["well"] else "bold")
        out.print(table("", ("", ""), rows))


def _yes(fact: bool | None) -> str:
    return "unknown" if fact is None else "yes" if fact else "no"

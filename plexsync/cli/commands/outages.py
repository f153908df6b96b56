"""`plexsync outages`: when the servers were down or on hold."""

import click
from rich.console import Console

from plexsync.cli.call import FINE, Call, command
from plexsync.cli.start import open_call_store
from plexsync.cli.terminal.screen import paper, say, table
from plexsync.reports.format import lasting, local, many, parse_stamp, share
from plexsync.reports.outages import MOST_DAYS, OutageHistory, report
from plexsync.reports.shapes.outages import OutageFacts
from plexsync.rules.queue.choices import hold_cause
from plexsync.rules.queue.gate_names import caption
from plexsync.rules.queue.outages import OutageKind
from plexsync.rules.words.status_words import DOWN, ON_HOLD


@command("outages")
@click.option("--days", type=click.IntRange(1, MOST_DAYS), default=30, show_default=True, help="How many days to show.")
@click.pass_obj
def outages(call: Call, days: int) -> int:
    """Show when Plex and Stash could not be worked with, for how long, and why.

    An outage begins when a server does not answer several times in a row, or does not let PlexSync in; it ends when work
    can go on. Nothing is lost meanwhile: scenes stay queued, and none becomes a dead letter for it. Asks neither server.

    \b
    Examples:
      plexsync outages
      plexsync outages --days 7 --json
    """
    with open_call_store(call) as parts:
        availability = report(parts, days)
    facts = availability.facts()
    call.answer(facts, lambda: _tell(facts["outages"], availability, paper()))
    return FINE


def _tell(outages: list[OutageFacts], history: OutageHistory, out: Console) -> None:
    if outages:
        heads = ("since", "lasted", "server", "what", "queued", "last message")
        out.print(table("Outages", heads, map(_row, outages), right=(4,)))
    span = "the last day" if history.days == 1 else f"the last {history.days:,} days"
    if history.is_short:
        span = f"the {lasting(history.now - history.start)} since PlexSync was installed"
    figures = history.figures
    if not figures.interruptions:
        say(out, f"No outage in {span}: availability 100 %.")
        return
    mttr = "-" if figures.mttr is None else lasting(figures.mttr)
    say(
        out,
        f"In {span}: {many(figures.interruptions, 'interruption')}, {lasting(figures.down)} in all; mean time to recovery "
        f"{mttr}, between interruptions {lasting(figures.mtbf or 0)}; availability {share(figures.availability)}.",
    )


def _row(outage: OutageFacts) -> tuple[str, ...]:
    lasted, cause = lasting(outage["seconds"] * 1000), outage["cause"]
    return (
        local(parse_stamp(outage["since"])) if outage["since"] else "",
        lasted if outage["until"] is not None else f"{lasted}, goes on",
        caption(outage["server"]),
        f"{ON_HOLD}: {hold_cause(cause)}"
        if outage["kind"] == OutageKind.HOLD
        else DOWN + (" (writes)" if cause == "write" else ""),
        f"{outage['waiting']:,}",
        outage["error"],
    )

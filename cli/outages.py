"""`plexsync outages`: when the servers were away, and how well that went."""

from typing import Any

import click
from rich.console import Console

from cli.call import FINE, Call, command
from cli.screen import paper, say, table
from cli.standing import outage_facts
from cli.start import opened
from cli.words import DAY, lasting, noted, stamp
from sync.outages import Gate, Summary, summary, within
from sync.outages import outages as derived
from wiring import BEGUN

MOST_DAYS = 3650


@command("outages")
@click.option("--days", type=click.IntRange(1, MOST_DAYS), default=30, show_default=True, help="How far to look back.")
@click.pass_obj
def outages(call: Call, days: int) -> int:
    """Show when Plex and Stash could not be worked with, for how long, and why.

    An outage begins when a server does not answer several times in a row, or does not let PlexSync in; it ends when work
    can go on. Nothing is lost meanwhile: scenes wait, and none is given up for it. Asks neither server.

    \b
    Examples:
      plexsync outages
      plexsync outages --days 7 --json
    """
    with opened(call) as parts:
        now = parts.clock.now()
        with parts.store.reading() as db:
            log, begun, waiting = db.transitions(), noted(db.note(BEGUN)), db.unsettled()
    # The time before PlexSync was there says nothing.
    start = max(now - days * DAY, min(begun or 0, now))
    found = within(derived(log), start, now)
    figures = summary(found, start=start, end=now)
    told = [outage_facts(one, now, waiting=waiting) for one in found]
    facts = {"at": stamp(now), "days": days, "outages": told, "summary": figure_facts(figures)}
    call.answer(facts, lambda: _tell(told, figures, days, paper()))
    return FINE


def figure_facts(seen: Summary) -> dict[str, Any]:
    """The figures for JSON; lengths in seconds."""
    return {
        "since": stamp(seen.start),
        "interruptions": seen.interruptions,
        "down_seconds": seen.down / 1000,
        "mttr_seconds": None if seen.mttr is None else seen.mttr / 1000,
        "mtbf_seconds": None if seen.mtbf is None else seen.mtbf / 1000,
        "availability": seen.availability,
    }


def _tell(found: list[dict[str, Any]], seen: Summary, days: int, out: Console) -> None:
    if found:
        heads = ("since", "lasted", "server", "what", "waiting", "last message")
        out.print(table("Outages", heads, map(_row, found), right=(4,)))
    say(out, _line(seen, days))


def _row(one: dict[str, Any]) -> tuple[str, ...]:
    lasted, cause = lasting(one["seconds"] * 1000), one["cause"]
    return (
        one["since"] or "",
        lasted if one["until"] is not None else f"{lasted}, goes on",
        one["server"].title(),
        f"on hold: {cause}" if one["kind"] == Gate.HOLD else "away" + (" (writes)" if cause == "write" else ""),
        f"{one['waiting']:,}",
        one["error"],
    )


def _line(seen: Summary, days: int) -> str:
    """One line that sums it up."""
    span = "the last day" if days == 1 else f"the last {days:,} days"
    if not seen.interruptions:
        return f"No outage in {span}: availability 100 %."
    mttr = "-" if seen.mttr is None else lasting(seen.mttr)
    times = "1 interruption" if seen.interruptions == 1 else f"{seen.interruptions:,} interruptions"
    return (
        f"In {span}: {times}, {lasting(seen.down)} in all; mean time to recovery {mttr}, between interruptions "
        f"{lasting(seen.mtbf or 0)}; availability {share(seen.availability)}."
    )


def share(value: float) -> str:
    """A share of 1 in percent, never rounded up to all."""
    return f"{min(value * 100, 99.99 if value < 1 else 100):.2f} %"

"""`plexsync top`: a live view of the queue, both servers and the running jobs. It only reads the database."""

import json
import sys
from time import monotonic

import click
from rich.console import Console, ConsoleDimensions
from rich.live import Live

from plexsync.app.stored import Stored
from plexsync.cli.call import FINE, Call, command
from plexsync.cli.daemon.signals import Stop, stoppable
from plexsync.cli.start import open_call_store
from plexsync.cli.terminal.keyboard import key_reader
from plexsync.cli.terminal.screen import paper
from plexsync.cli.terminal.snapshot import Glance, Rates, facts, glance
from plexsync.cli.terminal.top_screen import frame
from plexsync.rules.servers.errors import LocalFault

# Seconds between two checks for a key, a resized window, or a signal.
LOOK = 0.1
# Seconds between the two snapshots from which a single frame computes the rate.
APART = 1.0
NO_TERMINAL = (
    "top draws on a terminal, and this is none that it can draw on: plexsync top --once prints one frame, plexsync top "
    "--json a line of JSON every second, plexsync status how everything stands"
)


@command("top")
@click.option("--once", is_flag=True, help="Print one frame, and end.")
@click.option(
    "--every",
    metavar="SECONDS",
    type=click.FloatRange(0.5, 3600),
    default=1.0,
    show_default=True,
    help="Seconds between two updates.",
)
@click.pass_obj
def top(call: Call, once: bool, every: float) -> int:
    """Watch the queue, both servers, the scenes that are being synced and the latest results.

    Reads the database alone: neither server is asked, and a running worker is not disturbed. q or Ctrl-C ends it. With
    --json it writes one line of JSON at every update.

    \b
    Examples:
      plexsync top
      plexsync top --once
      plexsync top --json --every 10
    """
    out = paper()
    if not (once or call.json) and (out.is_dumb_terminal or not sys.stdout.isatty()):
        raise click.UsageError(NO_TERMINAL)
    with open_call_store(call) as parts, stoppable() as stop:
        if call.json:
            _write_lines(parts, stop, every, once=once)
        elif once:
            _print_once(parts, stop, out)
        else:
            _watch(parts, stop, out, every)
    # Ctrl-C is the usual way to end it.
    return FINE


def _print_once(parts: Stored, stop: Stop, out: Console) -> None:
    rates = Rates()
    rates.take(glance(parts))
    stop.event.wait(APART)
    snapshot = glance(parts)
    rates.take(snapshot)
    width = out.width if out.width <= 200 else 100
    out.print(frame(snapshot, rates.per_minute(), width=width, height=max(out.height, 24), hint=""), width=width)


def _write_lines(parts: Stored, stop: Stop, every: float, *, once: bool) -> None:
    rates = Rates()
    while not stop:
        snapshot = glance(parts)
        rates.take(snapshot)
        click.echo(json.dumps(facts(snapshot, rates.per_minute())))
        sys.stdout.flush()
        if once or stop.event.wait(every):
            return


def _watch(parts: Stored, stop: Stop, out: Console, every: float) -> None:
    """Draw until the user quits. A read error is shown, and the read is repeated."""
    rates, snapshot, trouble = Rates(), glance(parts), ""
    rates.take(snapshot)
    with Live(console=out, screen=True, auto_refresh=False, vertical_overflow="crop") as live, key_reader() as key:
        looked, size = monotonic(), _draw(live, out, snapshot, rates, trouble)
        while not stop and key() not in ("q", "Q", "\x03"):
            if monotonic() - looked >= every:
                looked = monotonic()
                try:
                    snapshot, trouble = glance(parts), ""
                    rates.take(snapshot)
                except LocalFault as fault:
                    trouble = str(fault)
                size = _draw(live, out, snapshot, rates, trouble)
            elif out.size != size:
                size = _draw(live, out, snapshot, rates, trouble)
            stop.event.wait(LOOK)


def _draw(live: Live, out: Console, snapshot: Glance, rates: Rates, trouble: str) -> ConsoleDimensions:
    """Draw one frame; returns the size it was drawn for."""
    size = out.size
    drawn = frame(snapshot, rates.per_minute(), width=size.width, height=size.height, hint="q ends", trouble=trouble)
    live.update(drawn, refresh=True)
    return size

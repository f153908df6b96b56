"""`plexsync status --watch`: what `plexsync status` prints, drawn again every two seconds."""

import sys
from contextlib import ExitStack, redirect_stderr, redirect_stdout
from io import StringIO
from time import monotonic

import click
from rich.live import Live
from rich.text import Text

from plexsync.cli.call import FINE, Call
from plexsync.cli.commands.status_opened import tell_all
from plexsync.cli.daemon.signals import stoppable
from plexsync.cli.faults import FAULTS, tell
from plexsync.cli.terminal.keyboard import key_reader
from plexsync.cli.terminal.paper import paper

# Seconds between two draws; between two checks for a key, another size of the terminal, or a signal.
EVERY, LOOK = 2.0, 0.1


class ScreenText(StringIO):
    """Takes what is printed for a terminal."""

    def isatty(self) -> bool:
        """Return True: it is drawn on one."""
        return True


def watch(call: Call) -> int:
    """Draw the status until you end it. What keeps it from being read is drawn instead, and it is read again."""
    out = paper()
    if call.json or out.is_dumb_terminal or not sys.stdout.isatty():
        raise click.UsageError("--watch draws on a terminal: plexsync status without it prints the status once")
    with stoppable() as stop, ExitStack() as screen:
        live = screen.enter_context(Live(console=out, screen=True, auto_refresh=False))
        key = screen.enter_context(key_reader())
        # A read that hangs is not waited for.
        stop.leaving = screen.close
        drawn_at, size = 0.0, None
        while not stop and key() not in ("q", "Q", "\x03"):
            if size != out.size or monotonic() - drawn_at >= EVERY:
                drawn_at, size = monotonic(), out.size
                live.update(Text.from_ansi(_printed(call), no_wrap=True), refresh=True)
            stop.event.wait(LOOK)
    return FINE


def _printed(call: Call) -> str:
    """What `plexsync status` prints now. News stays new: it may be drawn while nobody looks."""
    with ScreenText() as page, redirect_stdout(page), redirect_stderr(page):
        try:
            tell_all(call, ends_news=False)
        except FAULTS as error:
            tell(error, call)
        click.secho("q ends", dim=True)
        return page.getvalue()

"""What `plexsync serve` says first on a terminal: its version, how to stop it, and where the dashboard is once it listens.

The settings are in `plexsync.log` all the same; only the terminal leaves them out.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

from plexsync.cli.daemon.dashboard_process import LISTENS, hindrance_of
from plexsync.cli.terminal.screen import ConsoleHandler
from validation import values
from validation.config import PlexSyncConfig

STOP = "Ctrl-C stops it in good order."
NOT_ASKED_FOR = "Dashboard: none, because of --no-web"
SWITCHED_OFF = "Dashboard: none, because web_bind = none"
SETTINGS = "PlexSync.config"


def greeting(config: PlexSyncConfig, version: str, *, web: bool) -> tuple[str, ...]:
    """The lines, with the reason if there is no dashboard; `web`: it was not turned off for this call."""
    if not web:
        reason = NOT_ASKED_FOR
    elif values.host_and_port(config.web_bind) is None:
        reason = SWITCHED_OFF
    else:
        hindrance = hindrance_of(config)
        reason = f"Dashboard: none: {hindrance}" if hindrance else ""
    return (f"PlexSync {version} keeps Plex in sync with Stash.", *filter(None, [reason]), STOP)


@contextmanager
def greeted(console: Console, config: PlexSyncConfig, version: str, *, web: bool) -> Iterator[None]:
    """Print the greeting, and keep its words and the settings out of the console's log inside the block.

    The address of the dashboard is printed when its process says that it listens, in the place of that line of the log.
    """
    console.print("\n".join(greeting(config, version, web=web)), soft_wrap=True)

    def is_new(record: logging.LogRecord) -> bool:
        words = record.getMessage() if record.levelno == logging.INFO else ""
        if words.startswith(LISTENS):
            console.print(f"Dashboard: {words.removeprefix(LISTENS)}", soft_wrap=True)
        return record.name != SETTINGS and words != "serving" and not words.startswith(LISTENS)

    handlers = [handler for handler in logging.getLogger().handlers if isinstance(handler, ConsoleHandler)]
    for handler in handlers:
        handler.addFilter(is_new)
    try:
        yield
    finally:
        for handler in handlers:
            handler.removeFilter(is_new)

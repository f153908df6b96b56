"""What `plexsync serve` says first on a terminal: its version, where the dashboard is, and how to stop it.

The settings are in `plexsync.log` all the same; only the terminal leaves them out.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

from plexsync.cli.daemon.dashboard_process import hindrance_of
from plexsync.cli.terminal.screen import ConsoleHandler
from validation.config import PlexSyncConfig

STOP = "Ctrl-C stops it in good order."
NOT_ASKED_FOR = "Dashboard: none, because of --no-web"
SWITCHED_OFF = "Dashboard: none, because web_bind = none"
SETTINGS = "PlexSync.config"


def greeting(config: PlexSyncConfig, version: str, *, web: bool) -> tuple[str, str, str]:
    """The three lines; `web`: the dashboard was not turned off for this call."""
    return f"PlexSync {version} keeps Plex in sync with Stash.", _dashboard(config, web=web), STOP


@contextmanager
def greeted(console: Console, config: PlexSyncConfig, version: str, *, web: bool) -> Iterator[None]:
    """Print the greeting, and keep its words and the settings out of the console's log inside the block."""
    lines = greeting(config, version, web=web)
    console.print("\n".join(lines), soft_wrap=True)
    address = lines[1].removeprefix("Dashboard: ")

    def is_new(record: logging.LogRecord) -> bool:
        repeated = ("serving", f"dashboard: {address}")
        return record.name != SETTINGS and not (record.levelno == logging.INFO and record.getMessage() in repeated)

    handlers = [handler for handler in logging.getLogger().handlers if isinstance(handler, ConsoleHandler)]
    for handler in handlers:
        handler.addFilter(is_new)
    try:
        yield
    finally:
        for handler in handlers:
            handler.removeFilter(is_new)


def _dashboard(config: PlexSyncConfig, *, web: bool) -> str:
    if not web:
        return NOT_ASKED_FOR
    if config.web_place is None:
        return SWITCHED_OFF
    if reason := hindrance_of(config):
        return f"Dashboard: none: {reason}"
    host, port = config.web_place
    return f"Dashboard: http://{f'[{host}]' if ':' in host else host}:{port}"

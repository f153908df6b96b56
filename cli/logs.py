"""The log of a call: one event a line on standard error, without secrets.

`2026-03-04T05:06:07Z INFO PlexSync.engine ...`. PLEXSYNC_LOG sets the level (debug, info, warning, error); -v means debug.
"""

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console

from cli.screen import ConsoleHandler
from validation.redact import RedactingFilter, Redactor
from validation.sources import ConfigError

FORMAT = "%(asctime)s %(levelname)s %(name)s %(message)s"
LEVELS = ("debug", "info", "warning", "error")


def level_of(environ: Mapping[str, str], *, verbose: bool, usual: str) -> int:
    """The level to log at; raises ConfigError when PLEXSYNC_LOG is no level."""
    asked = environ.get("PLEXSYNC_LOG", "").strip().lower()
    if asked and asked not in LEVELS:
        raise ConfigError([f"PLEXSYNC_LOG must be one of {', '.join(LEVELS)}"])
    return logging.DEBUG if verbose else logging.getLevelNamesMapping()[(asked or usual).upper()]


@contextmanager
def logging_to(console: Console, level: int, redactor: Redactor) -> Iterator[RedactingFilter]:
    """Log to `console` until the block ends, by the filter it yields. Other people's loggers are heard from WARNING on."""
    handler, hiding = ConsoleHandler(console), RedactingFilter(redactor)
    handler.addFilter(hiding)
    formatter = logging.Formatter(FORMAT, "%Y-%m-%dT%H:%M:%SZ")
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    root, ours = logging.getLogger(), logging.getLogger("PlexSync")
    before = root.level, ours.level
    root.setLevel(max(level, logging.WARNING))
    ours.setLevel(level)
    root.addHandler(handler)
    try:
        yield hiding
    finally:
        root.removeHandler(handler)
        handler.close()
        root.setLevel(before[0])
        ours.setLevel(before[1])

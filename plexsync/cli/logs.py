"""The log of a call: one event a line on standard error, and for a worker in `plexsync.log` too, without secrets.

`2026-03-04T05:06:07Z INFO PlexSync.engine ...`. PLEXSYNC_LOG sets the level (debug, info, warning, error); -v means debug.
"""

import io
import logging
import os
import stat
import sys
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from logging.handlers import RotatingFileHandler
from pathlib import Path

from rich.console import Console

from plexsync.cli.terminal.screen import ConsoleHandler
from validation.redact import RedactingFilter, Redactor
from validation.sources import ConfigError

FORMAT = "%(asctime)s %(levelname)s %(name)s %(message)s"
LEVELS = ("debug", "info", "warning", "error")
LOG_FILE = "plexsync.log"
# When the file has grown to so many bytes it becomes plexsync.log.1, and so many such files are kept: 12 MB in all.
LARGEST_LOG, OLDER_LOGS = 2_000_000, 5
# So many lines wait until the folder is known.
EARLY_LINES = 200

log = logging.getLogger("PlexSync.log")


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
    handler.setFormatter(_formatter())
    root, logger = logging.getLogger(), logging.getLogger("PlexSync")
    before = root.level, logger.level
    root.setLevel(max(level, logging.WARNING))
    logger.setLevel(level)
    root.addHandler(handler)
    try:
        yield hiding
    finally:
        root.removeHandler(handler)
        handler.close()
        root.setLevel(before[0])
        logger.setLevel(before[1])


def _formatter() -> logging.Formatter:
    formatter = logging.Formatter(FORMAT, "%Y-%m-%dT%H:%M:%SZ")
    formatter.converter = time.gmtime
    return formatter


@contextmanager
def also_in_a_file(hiding: RedactingFilter) -> Iterator["LogFile"]:
    """Whatever is logged in this block goes to a file too, once that is told where it is."""
    file, root = LogFile(), logging.getLogger()
    file.addFilter(hiding)
    root.addHandler(file)
    try:
        yield file
    finally:
        root.removeHandler(file)
        file.close()


@contextmanager
def in_the_file_alone() -> Iterator[None]:
    """While the block runs the console hears of one thing only: that the file can't be written."""
    consoles = [console for console in logging.getLogger().handlers if isinstance(console, ConsoleHandler)]
    for console in consoles:
        console.addFilter(_is_of_the_file)
    try:
        yield
    finally:
        for console in consoles:
            console.removeFilter(_is_of_the_file)


def _is_of_the_file(record: logging.LogRecord) -> bool:
    return record.name == log.name


class LogFile(RotatingFileHandler):
    """`plexsync.log` in the data folder, for its owner's eyes only; what was logged before `begin` comes first.

    A line that can't be written is dropped, so neither a full disk nor one that is read-only stops work; that it can't is
    logged once. One process at a time writes it: the one that holds the worker's lock on the folder.
    """

    def __init__(self) -> None:
        super().__init__(
            LOG_FILE,
            maxBytes=LARGEST_LOG,
            backupCount=OLDER_LOGS,
            encoding="utf-8",
            errors="backslashreplace",
            delay=True,
        )
        self.setFormatter(_formatter())
        self._early: deque[logging.LogRecord] | None = deque(maxlen=EARLY_LINES)
        self._failed = False
        self._trouble = ""

    def begin(self, folder: Path) -> None:
        """Write to this folder from now on."""
        self.acquire()
        try:
            early, self._early = self._early, None
            self.baseFilename = str(folder.absolute() / LOG_FILE)
            for record in early or ():
                self.emit(record)
        finally:
            self.release()

    def emit(self, record: logging.LogRecord) -> None:
        """One line."""
        if self._early is not None:
            self._early.append(record)
            return
        self._failed = False
        super().emit(record)
        if not self._failed:
            self._trouble = ""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002 - logging's own signature
        """The line is dropped; the next one tries anew."""
        self._failed = True
        with suppress(OSError, ValueError):
            if self.stream is not None:
                self.stream.close()
        self.stream = None
        error = sys.exc_info()[1]
        reason = (isinstance(error, OSError) and error.strerror) or type(error).__name__
        if reason != self._trouble:
            self._trouble = reason
            log.warning("%s can't be written, so its lines are missing there: %s", LOG_FILE, reason)

    def _open(self) -> io.TextIOWrapper:
        """The file, of mode 0600 whatever the umask, and never what a link leads to; a line that was cut is ended."""
        careful = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
        handle = os.open(self.baseFilename, os.O_RDWR | os.O_APPEND | os.O_CREAT | careful, 0o600)
        try:
            status = os.fstat(handle)
            if not stat.S_ISREG(status.st_mode):
                raise OSError(0, "it is no regular file")
            if hasattr(os, "fchmod"):
                os.fchmod(handle, 0o600)
            if status.st_size:
                os.lseek(handle, -1, os.SEEK_END)
                if os.read(handle, 1) != b"\n":
                    os.write(handle, b"\n")
            return os.fdopen(handle, "a", encoding=self.encoding, errors=self.errors)
        except BaseException:  # whatever ends it, also an interrupt: the handle is ours to close
            os.close(handle)
            raise

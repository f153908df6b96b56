"""The log of a call, without secrets: one event per line on standard error, and for a worker in `plexsync.log` too.

`2026-03-04T05:06:07Z INFO PlexSync.engine ...`. PLEXSYNC_LOG sets the level (debug, info, warning, error); -v means
debug.
"""

import io
import logging
import os
import stat
import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from logging.handlers import RotatingFileHandler
from pathlib import Path

from rich.console import Console

from plexsync.cli.call import Call
from plexsync.cli.terminal.screen import ConsoleHandler, Margin, filtered_consoles
from validation.redact import RedactingFilter, Redactor
from validation.sources import ConfigError

FORMATTER = logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s", "%Y-%m-%dT%H:%M:%SZ")
FORMATTER.converter = time.gmtime
LEVELS = ("debug", "info", "warning", "error")
LOG_FILE = "plexsync.log"
# At this size in bytes the file becomes plexsync.log.1; this many old files are kept: 12 MB in all.
LARGEST_LOG, OLDER_LOGS = 2_000_000, 5
# The number of lines kept until the folder is known.
EARLY_LINES = 200

log = logging.getLogger("PlexSync.log")


@contextmanager
def open_log(call: Call, *, level: str) -> Iterator[tuple[Console, RedactingFilter]]:
    """Log this call to standard error until the block ends, usually from `level` on; libraries from WARNING on.

    Raises ConfigError if PLEXSYNC_LOG is invalid.
    """
    asked = os.environ.get("PLEXSYNC_LOG", "").strip().lower()
    if asked and asked not in LEVELS:
        raise ConfigError([f"PLEXSYNC_LOG must be one of {', '.join(LEVELS)}"])
    least = logging.DEBUG if call.verbose else logging.getLevelNamesMapping()[(asked or level).upper()]
    console = Margin(draws=not call.json)
    handler, hiding = ConsoleHandler(console), RedactingFilter(Redactor(call.secrets))
    call.on_secret = lambda: hiding.use(Redactor(call.secrets))
    handler.addFilter(hiding)
    handler.setFormatter(FORMATTER)
    root, logger = logging.getLogger(), logging.getLogger("PlexSync")
    before = root.level, logger.level
    root.setLevel(max(least, logging.WARNING))
    logger.setLevel(least)
    root.addHandler(handler)
    try:
        yield console, hiding
    finally:
        root.removeHandler(handler)
        handler.close()
        root.setLevel(before[0])
        logger.setLevel(before[1])


@contextmanager
def also_in_a_file(hiding: RedactingFilter) -> Iterator["LogFile"]:
    """Log this block to a file too, as soon as its folder is known."""
    file, root = LogFile(), logging.getLogger()
    file.addFilter(hiding)
    root.addHandler(file)
    try:
        yield file
    finally:
        root.removeHandler(file)
        file.close()


def in_the_file_alone() -> AbstractContextManager[None]:
    """Mute the console inside the block; only a failure to write the file is still shown."""
    return filtered_consoles(lambda record: record.name == log.name)


class LogFile(RotatingFileHandler):
    """`plexsync.log` in the data folder, readable by its owner only; lines from before `begin` come first.

    A line that can't be written is dropped, so neither a full disk nor a read-only one stops work; the failure is
    logged once. One process at a time writes the file: the one that holds the worker's lock on the folder.
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
        self.setFormatter(FORMATTER)
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
        """Write one line."""
        if self._early is not None:
            self._early.append(record)
            return
        self._failed = False
        super().emit(record)
        if not self._failed:
            self._trouble = ""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002 - logging's own signature
        """Drop the line; the next one is tried again."""
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
        """Open the file with mode 0600 whatever the umask, never through a link; a truncated last line gets its end."""
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
        except BaseException:  # whatever ends it, also an interrupt: the handle has to be closed here
            os.close(handle)
            raise

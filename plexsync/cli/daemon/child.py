"""A PlexSync module as a process: with the same Python, without imports from the current folder, and started again."""

import logging
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic
from typing import IO

from plexsync.store.ledger.lasting import LastingThread

ROOT = Path(__file__).resolve().parents[3]
# Seconds of the pause before a process is started again: the first one, and the longest.
FIRST_WAIT, LONGEST_WAIT = 1.0, 60.0
# A process that ran for this many seconds was healthy.
WELL = 60.0


def command_of(module: str, *words: str) -> list[str]:
    """The command line that runs a module of PlexSync."""
    return [sys.executable, "-P", "-m", module, *words]


def start(
    module: str, *words: str, env: Mapping[str, str], stdout: int = subprocess.DEVNULL, inherits: Sequence[int] = ()
) -> "subprocess.Popen[str]":
    """Start a module of PlexSync, whose standard input and error are pipes of text. Raises OSError.

    It inherits these handles; on Windows they are handed over in another way.
    """
    return subprocess.Popen(  # noqa: S603 - the arguments are PlexSync's own
        command_of(module, *words),
        env=env,
        stdin=subprocess.PIPE,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        errors="replace",
        pass_fds=() if os.name == "nt" else tuple(inherits),
    )


def environ() -> dict[str, str]:
    """The environment without PlexSync settings; the process gets those in another way.

    In a clone without an installation, `python -m plexsync` finds the package only in the current folder: the
    environment names that folder for the process.
    """
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PLEXSYNC_")}
    if not sys.flags.safe_path and sys.path[:1] == [str(ROOT)]:
        environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(ROOT), environ.get("PYTHONPATH"))))
    return environ


class ChildThread(LastingThread):
    """The thread that runs one process after the other. Each ends when its standard input closes, as with its parent."""

    def __init__(self, name: str, last_words: float) -> None:
        super().__init__(name, threading.Event())
        self._last_words = last_words
        self._wake = threading.Condition()
        self._process: subprocess.Popen[str] | None = None

    @contextmanager
    def running(self, process: "subprocess.Popen[str]") -> "Iterator[subprocess.Popen[str]]":
        """Run a process that was just started for the time of the block."""
        with self._wake:
            self._process = process
        try:
            yield process
        finally:
            self.end_process()
            with self._wake:
                self._process = None
            for stream in (process.stdin, process.stdout, process.stderr):
                if stream is not None:
                    with suppress(OSError):
                        stream.close()

    def release(self) -> "subprocess.Popen[str] | None":
        """Ask the present process to end in good order."""
        with self._wake:
            process = self._process
        if process is not None and process.stdin is not None:
            with suppress(OSError, ValueError):
                process.stdin.close()
        return process

    def end_process(self) -> None:
        """End the present process, and wait for it; one that takes too long is killed."""
        if (process := self.release()) is not None:
            try:
                process.wait(self._last_words)
            except subprocess.TimeoutExpired:
                process.kill()


def longer(wait: float, began: float) -> float:
    """The pause after a process that began then, where the one before was `wait`."""
    return FIRST_WAIT if monotonic() - began >= WELL else min(2 * wait, LONGEST_WAIT)


def relay(lines: IO[str], log: logging.Logger, record: "re.Pattern[str]", name: str = "") -> None:
    """Copy a process's log to this one, to its end. A `record` has a level and words; any other line is a warning."""
    with suppress(OSError, ValueError):
        for line in lines:
            if matched := record.fullmatch(line.rstrip()):
                log.log(logging.getLevelNamesMapping()[matched["level"]], "%s%s", name, matched["words"])
            elif line.strip():
                log.warning("%s%s", name, line.rstrip().removeprefix("plexsync: "))

"""Rich terminal output: tables on standard output, progress on standard error.

On a terminal, progress is a bar or a live line; elsewhere it is a plain line now and then. Standard output carries only
the answer. Colour is used on terminals only.
"""

import logging
import os
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from plexsync.cli.terminal.paper import (
    filled_table as filled_table,
    paper as paper,
    say as say,
    table as table,
    width_of,
)
from plexsync.reports.format import lasting

PLAIN_PACE = 10.0
# Stash draws its own progress bar, from lines in its own format.
STASH_PACE = 0.5
# The number of log lines kept for a slow reader, and the seconds it has to read the last ones.
LINES_KEPT = 1000
LAST_WORDS = 1.0


class Margin(Console):
    """Standard error, for progress and logs: it goes silent when its reader is gone, instead of ending the process.

    `draws`: it can show a line that is redrawn. That takes a terminal, whatever the colour settings; without it, progress
    is plain lines.
    """

    def __init__(self, *, draws: bool) -> None:
        out = sys.stderr
        super().__init__(file=out, highlight=False, markup=False, emoji=False, width=width_of(out))
        self.draws = draws and out.isatty() and not self.is_dumb_terminal

    def on_broken_pipe(self) -> None:
        """Go silent; the default would end the process."""
        self.quiet = True


def _draws(console: Console) -> bool:
    return isinstance(console, Margin) and console.draws


class ProgressBar:
    """Progress: a bar with rate and remaining time, or a plain line every ten seconds."""

    def __init__(self, console: Console, label: str) -> None:
        self._console = console
        self._label = label
        self._progress: Progress | None = None
        self._began = time.monotonic()
        self._told = self._began
        self._done = self._total = 0
        self._share = 0.0

    def __enter__(self) -> Self:
        if _draws(self._console):
            self._progress = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[rate]}"),
                TimeRemainingColumn(),
                console=self._console,
                transient=True,
            )
            self._task = self._progress.add_task(self._label, total=None, rate="")
            self._progress.start()
        return self

    def __exit__(self, *_error: object) -> None:
        if self._progress is not None:
            self._progress.stop()

    @property
    def drawn(self) -> bool:
        """Whether it is drawn as a bar."""
        return self._progress is not None

    def at(self, done: int, total: int) -> None:
        """Show the progress: `done` of `total`."""
        self._done, self._total = done, total
        now = time.monotonic()
        if os.environ.get("PLEXSYNC_PROGRESS") == "stash":
            if now - self._told >= STASH_PACE and total:
                self._told = now
                self._share = max(self._share, min(1.0, done / total))
                self._console.print(f"\x01p\x02{self._share:.3f}", soft_wrap=True)
        elif self._progress is not None:
            self._progress.update(self._task, completed=done, total=total, rate=self._rate(now))
        elif now - self._told >= PLAIN_PACE and done:
            self._told = now
            outlook, remaining = self._rate(now), (total - done) * (now - self._began) / done
            outlook = f", {outlook}, about {lasting(remaining * 1000)} left" if outlook else ""
            say(self._console, f"{self._label}: {done:,} of {total:,}{outlook}")

    def left(self, remaining: int, total: int) -> None:
        """Show how much of `total` is left. What is done stays done: what was added meanwhile makes the total larger."""
        done = max(self._done, total - remaining)
        self.at(done, done + remaining)

    def say(self, text: str) -> None:
        """Print one line that stays."""
        say(self._console, text)

    def _rate(self, now: float) -> str:
        spent = now - self._began
        return f"{self._done / spent:.1f}/s" if spent >= 1 and self._done else ""


class LiveLine:
    """One line that is redrawn on a terminal; elsewhere nothing is shown."""

    def __init__(self, console: Console) -> None:
        self._live = Live(console=console, transient=True, auto_refresh=False) if _draws(console) else None

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_error: object) -> None:
        if self._live is not None:
            self._live.stop()

    @property
    def shown(self) -> bool:
        """Whether the line is visible."""
        return self._live is not None

    def show(self, text: str) -> None:
        """Set the text of the line."""
        if self._live is not None:
            self._live.update(Text(text, overflow="ellipsis", no_wrap=True), refresh=True)


class ConsoleHandler(logging.Handler):
    """Writes log lines above the live display of a console.

    A thread writes them, so that work never waits for a slow reader. Lines beyond the buffer are dropped, and their
    number is logged as soon as there is room.
    """

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console
        self._lines: queue.Queue[str | None] = queue.Queue(LINES_KEPT)
        self._dropped = 0
        self._thread = threading.Thread(target=self._write, name="log", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        """Queue one line; it is printed without wrapping or colour."""
        try:
            self._lines.put_nowait(self.format(record))
        except queue.Full:
            self._dropped += 1

    def close(self) -> None:
        """Write the remaining lines, if somebody reads them."""
        with suppress(queue.Full):
            self._lines.put(None, timeout=LAST_WORDS)
            self._thread.join(LAST_WORDS)
        super().close()

    def _write(self) -> None:
        while (line := self._lines.get()) is not None:
            self._print(line)
            if self._dropped:
                dropped, self._dropped = self._dropped, 0
                self._print(f"{dropped} lines of the log were dropped, since nobody read it")

    def _print(self, line: str) -> None:
        # Standard error may be closed: there is nowhere left to report it.
        with suppress(OSError, ValueError, MemoryError):
            self._console.print(Text(line), soft_wrap=True)


@contextmanager
def filtered_consoles(shows: Callable[[logging.LogRecord], bool]) -> Iterator[None]:
    """Have the consoles show only such lines of the log inside the block."""
    handlers = [handler for handler in logging.getLogger().handlers if isinstance(handler, ConsoleHandler)]
    for handler in handlers:
        handler.addFilter(shows)
    try:
        yield
    finally:
        for handler in handlers:
            handler.removeFilter(shows)

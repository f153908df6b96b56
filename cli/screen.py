"""What a person sees: tables on standard output, progress on standard error.

On a terminal progress is a bar or a live line; elsewhere it is a plain line now and then. Standard output carries the
answer alone. Colour is used on terminals only.
"""

import logging
import sys
import time
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Self

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from cli.words import lasting, safe

PLAIN_PACE = 10.0


def paper() -> Console:
    """Standard output, for answers in words."""
    return Console(file=sys.stdout, highlight=False, markup=False, emoji=False, soft_wrap=False)


def margin() -> Console:
    """Standard error, for progress and logs."""
    return Console(file=sys.stderr, highlight=False, markup=False, emoji=False)


def table(title: str, heads: Sequence[str], rows: Iterable[Sequence[str]], *, right: Sequence[int] = ()) -> Table:
    """A plain table; texts of others are made safe for the terminal. `right` numbers the columns of figures."""
    drawn = Table(
        title=title or None,
        title_justify="left",
        title_style="bold",
        box=SIMPLE_HEAD if any(heads) else None,
        show_header=any(heads),
        padding=(0, 2, 0, 0),
        pad_edge=False,
    )
    for number, head in enumerate(heads):
        drawn.add_column(Text(head), justify="right" if number in right else "left", overflow="fold")
    for row in rows:
        drawn.add_row(*(Text(safe(cell)) for cell in row))
    return drawn


class Bar:
    """How far something is: a bar with rate and remaining time, or a plain line every ten seconds."""

    def __init__(self, console: Console, what: str) -> None:
        self._console = console
        self._what = what
        self._progress: Progress | None = None
        self._began = time.monotonic()
        self._told = self._began
        self._done = self._total = 0

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._progress = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[rate]}"),
                TimeRemainingColumn(),
                console=self._console,
                transient=True,
            )
            self._task = self._progress.add_task(self._what, total=None, rate="")
            self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress is not None:
            self._progress.stop()

    def at(self, done: int, total: int) -> None:
        """So many of so many."""
        self._done, self._total = done, total
        now = time.monotonic()
        if self._progress is not None:
            self._progress.update(self._task, completed=done, total=total, rate=self._rate(now))
        elif now - self._told >= PLAIN_PACE and done:
            self._told = now
            self._console.print(f"{self._what}: {done:,} of {total:,}{self._outlook(now)}", soft_wrap=True)

    def say(self, text: str) -> None:
        """One line that stays."""
        self._console.print(text, soft_wrap=True)

    def _rate(self, now: float) -> str:
        spent = now - self._began
        return f"{self._done / spent:.1f}/s" if spent >= 1 and self._done else ""

    def _outlook(self, now: float) -> str:
        rate = self._rate(now)
        if not rate:
            return ""
        left = (self._total - self._done) * (now - self._began) / self._done
        return f", {rate}, about {lasting(left * 1000)} left"


class LiveLine:
    """One line that is written over and over on a terminal; nothing at all elsewhere."""

    def __init__(self, console: Console) -> None:
        self._live = Live(console=console, transient=True, auto_refresh=False) if console.is_terminal else None

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    @property
    def shown(self) -> bool:
        """Whether there is anybody to see it."""
        return self._live is not None

    def show(self, text: str) -> None:
        """What the line says now."""
        if self._live is not None:
            self._live.update(Text(text, overflow="ellipsis", no_wrap=True), refresh=True)


class ConsoleHandler(logging.Handler):
    """Writes log lines above whatever is live on a console."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        """One line, never wrapped or coloured."""
        try:
            self._console.print(Text(self.format(record)), soft_wrap=True)
        except (OSError, ValueError):
            # Standard error is closed or full: there is nowhere left to say so.
            self.handleError(record)

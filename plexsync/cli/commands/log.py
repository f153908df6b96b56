"""`plexsync log`: the log of the worker."""

import os
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import click

from plexsync.app.settings import known_place
from plexsync.cli.call import FINE, Call, command
from plexsync.cli.logs import LEVELS, LOG_FILE, OLDER_LOGS
from plexsync.cli.settings import here_of
from plexsync.reports.format import safe
from plexsync.rules.servers.errors import Unusable
from validation.redact import Redactor
from validation.sources import ConfigError, default_data_dir

# Seconds between two looks at the file, and the longest line in characters.
PACE = 0.25
LONGEST = 4_000


@command("log")
@click.option("--lines", "-n", type=click.IntRange(1, 1_000_000), default=40, help="How many of the last lines.")
@click.option("--follow", "-f", is_flag=True, help="Go on with every new line, until Ctrl-C.")
@click.option("--level", type=click.Choice(LEVELS), default="debug", help="Only lines of this level, or worse.")
@click.pass_obj
def log(call: Call, lines: int, follow: bool, level: str) -> int:
    """Show the log of the worker: the last lines of plexsync.log in the folder of the database.

    It needs no server and no valid settings. Secrets are not in it. --follow can't be combined with --json.

    \b
    Examples:
      plexsync log
      plexsync log -f
      plexsync log --level warning -n 200
    """
    if follow and call.json:
        raise click.UsageError("--follow prints lines for as long as you look, so it can't be combined with --json")
    file = folder_of(call) / LOG_FILE
    tail = LogTail(file, level)
    last, place = tail.last(lines)
    hidden = Redactor(call.secrets)
    redacted = [hidden.redact(line) for line in last]
    if not redacted and not file.exists() and not follow:
        return call.refuse(f"{file} does not exist: serve and the worker in Stash write it", file=str(file), lines=[])
    call.answer(
        {"file": str(file), "lines": redacted}, lambda: click.echo("".join(f"{line}\n" for line in redacted), nl=False)
    )
    if follow:
        for line in tail.follow(place):
            click.echo(hidden.redact(line))
    return FINE


def folder_of(call: Call) -> Path:
    """The folder of the database, also when the settings are wrong. Raises Unusable if nothing names it."""
    try:
        loaded = here_of(call)
    except ConfigError:
        return Path(call.data_dir).absolute() if call.data_dir else default_data_dir(os.environ)
    place = known_place(loaded, os.environ)
    if place is None:
        raise Unusable("no folder of a database is known on this machine: --data-dir names one")
    return place.path


class LogTail:
    """The lines of a log file that are at least as bad as `level`, through its older files and its renewal."""

    def __init__(self, file: Path, level: str) -> None:
        self._file = file
        self._levels = tuple(f" {name.upper()} " for name in LEVELS[LEVELS.index(level) :])
        self._all = level == LEVELS[0]
        self._shows = True

    def last(self, count: int) -> tuple[list[str], tuple[int, int]]:
        """The last `count` lines, oldest first, and the place behind them: (inode, position)."""
        lines: deque[str] = deque(maxlen=count)
        place = (0, 0)
        older = [self._file.with_name(f"{LOG_FILE}.{number}") for number in range(OLDER_LOGS, 0, -1)]
        for file in (*older, self._file):
            try:
                with file.open("rb") as content:
                    lines.extend(self._lines(content))
                    place = (os.fstat(content.fileno()).st_ino, content.tell())
            except FileNotFoundError:
                place = (0, 0)
            except OSError as error:
                raise Unusable(f"{file} can't be read: {error.strerror}") from error
        return list(lines), place

    def follow(self, place: tuple[int, int]) -> Iterator[str]:
        """Yield each line behind this place, as it is written. Never ends by itself."""
        inode, position = place
        while True:
            try:
                with self._file.open("rb") as content:
                    status = os.fstat(content.fileno())
                    if (status.st_ino, status.st_size) != (inode, position):
                        # The file was renewed, or cut.
                        begins_anew = status.st_ino != inode or status.st_size < position
                        content.seek(0 if begins_anew else position)
                        yield from self._lines(content)
                        inode, position = status.st_ino, content.tell()
            except FileNotFoundError:
                inode, position = 0, 0
            except OSError as error:
                raise Unusable(f"{self._file} can't be read: {error.strerror}") from error
            time.sleep(PACE)

    def _lines(self, content: IO[bytes]) -> Iterator[str]:
        """The complete lines from here on; the position stays before one that is still being written."""
        while line := content.readline():
            if not line.endswith(b"\n"):
                content.seek(-len(line), os.SEEK_CUR)
                return
            text = line.decode("utf-8", "replace").rstrip("\n")
            # A line without a time goes on with the event before it.
            if self._all or not text[:1].isdigit():
                self._shows = self._shows or self._all
            else:
                self._shows = any(level in text[:40] for level in self._levels)
            if self._shows:
                yield safe(text, LONGEST)

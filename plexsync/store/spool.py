"""The events that hooks left as files in the data folder, on their way into the database."""

import logging
from collections.abc import Iterator
from pathlib import Path

from plexsync.rules.errors import SpoolFault
from plexsync.store import intake

log = logging.getLogger("PlexSync.store")

BATCH = 500

# The path of the file, and the kind, the id and the reason of its event.
Event = tuple[str, str, int, str]


class Spool:
    """The files of one data folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = str(folder)
        # Files whose events are in the database but that could not be removed. Each is yielded only once.
        self._stuck: dict[str, str] = {}

    def batches(self, now: int) -> Iterator[list[Event]]:
        """Yield all events in batches. Commit each batch before you ask for the next one, which removes its files.

        Raises SpoolFault for files that can't be read or removed, after all other events.
        """
        problems: dict[str, str] = {}
        while events := self._read(now, problems):
            yield events
            self._stuck |= intake.unspool([path for path, *_ in events])
        self._stuck = intake.unspool(self._stuck)
        problems |= self._stuck
        if problems:
            path, reason = min(problems.items())
            more = f", as {len(problems) - 1} more" if len(problems) > 1 else ""
            raise SpoolFault(f"an event that a hook left can't be taken over or removed: {path}: {reason}{more}")

    def _read(self, now: int, problems: dict[str, str]) -> list[Event]:
        def report(path: str, problem: str) -> None:
            if problem:
                problems[path] = problem
            else:
                log.warning("%s tells no event: it is kept in the folder %s beside it", path, intake.UNREAD)

        try:
            return intake.spooled(self._folder, BATCH, now, but=self._stuck, report=report)
        except OSError as error:
            raise SpoolFault(f"events left as files can't be read: {error.filename}: {error.strerror}") from error

"""Notifies you of what needs you: checks the situation and sends news through the messengers.

It runs in its own thread, so that a slow message does not delay the work and a long comparison does not delay the
message. The record of sent notices is kept in the database, and in memory while the database can't be written. A failed
message is logged once and retried later. It never disturbs the work.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from plexsync.engine.loop import Standstill
from plexsync.rules.queue.notices import (
    Notice,
    NoticeRecord,
    NoticeRules,
    NotSent,
    Pause,
    Situation,
    format_record,
    look,
    read,
)
from plexsync.rules.servers.errors import LocalFault, NewerDatabase, Unusable
from plexsync.rules.servers.neighbours import Clock, Messenger
from plexsync.store.database import Database
from plexsync.store.ledger.lasting import LastingThread

log = logging.getLogger("PlexSync.notices")

# The note with the record of sent notices.
TOLD = "notices"
PACE = 30.0
FIRST = 3.0
# Seconds to wait after a failed message before the next one.
SEND_AGAIN = 300.0


@dataclass
class _Kept:
    record: NoticeRecord
    saved: bool


@dataclass(eq=False)
class Noticer:
    """Checks and notifies. Messengers may fail; a notice counts as sent when one of them accepted it.

    With several Plex servers, each text begins with `plex`, the name of the one that it is about.
    """

    _store: Database
    _clock: Clock
    _messengers: Sequence[Messenger]
    _rules: NoticeRules
    _standstill: Standstill
    _situation: Callable[[Pause | None], Situation]
    _plex: str = ""
    _kept: _Kept | None = None
    _failing: set[str] = field(default_factory=set)
    _again_at: float | None = None

    def notice(self) -> list[Notice]:
        """Send what is new, and return the sent notices."""
        now = self._clock.now()
        inspection, record = self._read_situation()
        notices, after = look(record, inspection, self._rules, now)
        if notices and self._again_at is not None and self._clock.monotonic() < self._again_at:
            return []
        if notices:
            delivered = [notice for notice in notices if self._tell(notice)]
            self._again_at = None if len(delivered) == len(notices) else self._clock.monotonic() + SEND_AGAIN
            if len(delivered) < len(notices):
                after = _without(record, after, [notice for notice in notices if notice not in delivered])
            notices = delivered
        self._keep(after)
        return notices

    def _read_situation(self) -> tuple[Situation, NoticeRecord]:
        """The situation and the record of sent notices. If the database can't be read, uses what is in memory."""
        inspection = self._situation(self._standstill.pause)
        try:
            with self._store.reading() as db:
                self._kept = self._kept or _Kept(read(db.notes.text(TOLD)), saved=True)
        except (LocalFault, Unusable):
            return inspection, self._kept.record if self._kept else NoticeRecord({})
        return inspection, self._kept.record

    def _keep(self, record: NoticeRecord) -> None:
        saved = self._kept is not None and self._kept.saved and self._kept.record == record
        self._kept = _Kept(record, saved)
        if saved or self._standstill.pause:
            return
        try:
            with self._store.writing() as tx:
                tx.notes.save(TOLD, format_record(record))
        except (LocalFault, Unusable) as fault:
            log.debug("what was told could not be written down: %s", fault)
            return
        self._kept.saved = True

    def _tell(self, notice: Notice) -> bool:
        """Whether at least one messenger accepted the notice."""
        if self._plex:
            notice = replace(notice, text=f"{self._plex}: {notice.text}")
        # Every messenger gets it, not only the first that accepts it.
        receivers = [messenger for messenger in self._messengers if self._send(messenger, notice)]
        if receivers:
            log.info("notification sent: %s", notice.text)
        return bool(receivers)

    def _send(self, messenger: Messenger, notice: Notice) -> bool:
        try:
            messenger.send(notice)
        except NotSent as error:
            if messenger.name not in self._failing:
                self._failing.add(messenger.name)
                log.warning("a notice did not get through by %s: %s; it is tried again", messenger.name, error)
            return False
        self._failing.discard(messenger.name)
        return True


def _without(before: NoticeRecord, after: NoticeRecord, untold: Sequence[Notice]) -> NoticeRecord:
    """The record without the failed notices: their keys keep the earlier entries."""
    announced = dict(after.announced)
    for notice in untold:
        announced.pop(notice.key, None)
        if notice.key in before.announced:
            announced[notice.key] = before.announced[notice.key]
    return replace(after, announced=announced)


class Announcer(LastingThread):
    """Runs the noticer soon after the start and then every half minute, until `stop`."""

    def __init__(self, noticer: Noticer, *, stop: threading.Event, seconds: float = PACE) -> None:
        super().__init__("notices", stop)
        self._noticer = noticer
        self._stop_event = stop
        self._seconds = seconds

    def work(self) -> None:
        """Run the noticer. No error leaves this thread."""
        rest = min(FIRST, self._seconds)
        while not self._stop_event.wait(rest):
            rest = self._seconds
            try:
                self._noticer.notice()
            except (LocalFault, NewerDatabase, Unusable) as fault:
                log.warning("noticing paused: %s", fault)
            except Exception:
                log.exception("noticing failed by a fault of PlexSync")

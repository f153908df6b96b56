"""What a flow adds to a worker beside the flow of scenes."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from plexsync.engine.flow import AnyFlow
from plexsync.engine.gates import Gates
from plexsync.engine.tickets import READS
from plexsync.flows.scenes.inspection_records import Observe
from plexsync.flows.scenes.push import Asks
from plexsync.rules.clock import Clock
from plexsync.rules.queue.events import Event
from plexsync.rules.queue.note_keys import STALLED
from plexsync.rules.queue.stalls import Stall, format_stalls, read_stalls
from plexsync.rules.record_class import record
from plexsync.store.database import Database

# Seconds between checks whether a comparison is due, at the least.
COMPARE_LOOK = 1.0
# Seconds after which what depends on the database is checked although that has not changed.
LONGEST_LOOK = 30.0

Act = Callable[[], object]
Stopping = Callable[[], bool]


@record
class RegularLook:
    """What a worker does again and again: every so many seconds, and at once when `sooner` is set.

    Between two times there are `least` seconds at the least, and no more while `again` holds. `at_changes`: it is done
    when the database has changed. `subject`: what it reads, in words; its `act` then returns why it could not, or ''.
    """

    name: str
    seconds: float
    act: Act
    sooner: threading.Event = field(default_factory=threading.Event)
    least: float = 0.0
    again: Callable[[], bool] = lambda: False
    at_changes: bool = False
    subject: str = ""


def look_at_changes(
    name: str, act: Act, least: float = COMPARE_LOOK, again: Callable[[], bool] = lambda: False, subject: str = ""
) -> RegularLook:
    """What depends on the database, so it is done whenever that has changed, at most every `least` seconds."""
    return RegularLook(name, LONGEST_LOOK, act, least=least, again=again, at_changes=True, subject=subject)


@dataclass
class NotedLook:
    """Does a look that reads something, and notes since when and why it fails while both servers answer."""

    _look: RegularLook
    _store: Database
    _gates: Gates
    _clock: Clock
    _reason: str | None = None

    def __call__(self) -> None:
        """Do it once. An outage is told as one, so it changes nothing here."""
        reason = str(self._look.act() or "")
        if reason == self._reason or (reason and not self._gates.is_open(*READS)):
            return
        with self._store.writing() as tx:
            stalls = read_stalls(tx.notes.text(STALLED))
            before = stalls.pop(self._look.subject, None)
            if reason:
                since = before.since if before else self._clock.now()
                stalls[self._look.subject] = Stall(since, self._look.seconds, reason)
            if before or reason:
                tx.notes.save(STALLED, format_stalls(stalls))
        self._reason = reason


@record
class FlowParts:
    """What a flow adds to a worker.

    `observing` is told the scenes that the worker has inspected, `hearing` the events of Plex. `looks` says what is done
    beside the queue, `begin` what is done once before a queue is worked that nobody looks after; both get what says
    whether to stop. `asks` tells Plex to ask for the values of scenes.
    """

    flows: Sequence[AnyFlow]
    observing: Sequence[Observe] = ()
    hearing: Sequence[Callable[[Sequence[Event]], object]] = ()
    looks: Callable[[Stopping], Sequence[RegularLook]] = lambda _stopping: ()
    begin: Callable[[Stopping], object] = lambda _stopping: None
    asks: Asks | None = None

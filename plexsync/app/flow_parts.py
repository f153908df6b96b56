"""What a flow adds to a worker beside the flow of scenes."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import field

from plexsync.engine.flow import AnyFlow
from plexsync.flows.scenes.inspection_records import Observe
from plexsync.flows.scenes.push import Asks
from plexsync.rules.queue.events import Event
from plexsync.rules.record_class import record

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
    when the database has changed.
    """

    name: str
    seconds: float
    act: Act
    sooner: threading.Event = field(default_factory=threading.Event)
    least: float = 0.0
    again: Callable[[], bool] = lambda: False
    at_changes: bool = False


def look_at_changes(
    name: str, act: Act, least: float = COMPARE_LOOK, again: Callable[[], bool] = lambda: False
) -> RegularLook:
    """What depends on the database, so it is done whenever that has changed, at most every `least` seconds."""
    return RegularLook(name, LONGEST_LOOK, act, least=least, again=again, at_changes=True)


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

"""What a flow adds to a worker beside the flow of scenes."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from plexsync.engine.flow import AnyFlow
from plexsync.flows.scenes.inspection_records import Observe
from plexsync.rules.queue.events import Event

# Seconds between checks whether a comparison is due. Each check is two small reads.
COMPARE_LOOK = 1.0

Act = Callable[[], object]
Stopping = Callable[[], bool]


@dataclass(frozen=True)
class RegularLook:
    """What a worker does again and again: every so many seconds, and at once when `sooner` is set."""

    name: str
    seconds: float
    act: Act
    sooner: threading.Event | None = None


@dataclass(frozen=True)
class FlowParts:
    """What a flow adds to a worker.

    `observing` is told the scenes that the worker has inspected, `hearing` the events of Plex. `looks` says what is done
    beside the queue, `begin` what is done once before a queue is worked that nobody looks after; both get what says
    whether to stop.
    """

    flows: Sequence[AnyFlow]
    observing: Sequence[Observe] = ()
    hearing: Sequence[Callable[[Sequence[Event]], object]] = ()
    looks: Callable[[Stopping], Sequence[RegularLook]] = lambda _stopping: ()
    begin: Callable[[Stopping], object] = lambda _stopping: None

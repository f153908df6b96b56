"""Events that Plex and Stash send by themselves. They are only hints: a poll finds whatever they miss, a little later."""

from collections.abc import Sequence
from enum import StrEnum

from plexsync.rules.queue.job import Kind
from plexsync.rules.record_class import record


@record
class Touched:
    """An item changed or is new; `stamp` is that of `plexsync.rules.item.Item`, 0 if the event has none."""

    key: str
    section: str
    stamp: int = 0


@record
class Left:
    """An item was removed from its library."""

    key: str
    section: str


@record
class Scanned:
    """A scan of a library has ended; '' if the event does not name the library."""

    section: str = ""


class SessionState(StrEnum):
    """What a player does with an item."""

    PLAYING = "playing"
    PAUSED = "paused"
    BUFFERING = "buffering"
    STOPPED = "stopped"


@record
class SessionChanged:
    """A player of some account has said where it is in an item, which players repeat every few seconds.

    `offset`: in milliseconds. `session`: what Plex calls this playback, '' if the event does not say.
    """

    key: str
    state: SessionState
    offset: int = 0
    session: str = ""


Event = Touched | Left | Scanned | SessionChanged


@record
class Edited:
    """Something was edited in Stash."""

    kind: Kind
    id: int


@record
class LogBatch:
    """Lines of Stash's log: the edits that they name, each once; whether Stash has written what no line names."""

    edits: Sequence[Edited] = ()
    writes: bool = False

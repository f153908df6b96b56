"""Events that Plex sends by itself. They are only hints: a poll finds whatever they miss, a little later."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Touched:
    """An item changed or is new; `stamp` is that of `plexsync.rules.item.Item`, 0 if the event has none."""

    key: str
    section: str
    stamp: int = 0


@dataclass(frozen=True)
class Left:
    """An item was removed from its library."""

    key: str
    section: str


@dataclass(frozen=True)
class Scanned:
    """A scan of a library has ended; '' if the event does not name the library."""

    section: str = ""


Event = Touched | Left | Scanned

"""What Plex tells by itself. Hints, all of them: whatever is missed is found by looking, a little later."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Touched:
    """Something about an item changed, or it is new; `stamp` as of `plexsync.rules.item.Item`, 0 when it was not told."""

    key: str
    section: str
    stamp: int = 0


@dataclass(frozen=True)
class Left:
    """An item is not in its library any more."""

    key: str
    section: str


@dataclass(frozen=True)
class Scanned:
    """A scan of a library has ended; '' when it was not told of which."""

    section: str = ""


Event = Touched | Left | Scanned

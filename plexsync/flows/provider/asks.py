"""Makes Plex ask PlexSync for the values of an item, and knows how long it has had for them.

Plex asks again for an item that it has matched. One that was found before Stash knew its file is matched first, if the
settings allow that. These requests are not saved: after a restart they are made once more.
"""

import threading
from collections.abc import Callable, Mapping, Sequence

from plexsync.rules.item import Item
from plexsync.rules.merge.added_dates import moment_seconds
from plexsync.rules.merge.values import Value
from plexsync.rules.record_class import record
from plexsync.rules.servers.errors import Refused
from plexsync.rules.servers.neighbours import Clock

# Seconds before an item is looked at again that has not shown its new values, and at most.
SOON, LATE = 0.3, 5.0
MOST = 10_000
# Seconds for which a new item that Plex has not matched is left alone, since Plex may be about to ask for it.
STILL_ASKING = 600


@record
class AskRequest:
    """The values for which a refresh was requested, and when (monotonic s)."""

    values: Mapping[str, Value]
    since: float


class PlexAsks:
    """The requests to Plex by item; it has `patience` seconds to show the values.

    `refresh` makes it ask for matched items, `match` matches an item with a scene first (None: no item is matched so).
    """

    def __init__(
        self,
        refresh: Callable[[Sequence[str]], None],
        match: Callable[[int, Item], bool] | None,
        clock: Clock,
        patience: float,
    ) -> None:
        self._refresh, self._match, self._clock, self._patience = refresh, match, clock, patience
        self._requests: dict[str, AskRequest] = {}
        self._unmatched: dict[str, float] = {}
        self._lock = threading.Lock()

    def tell(self, scene: int, item: Item, values: Mapping[str, Value]) -> bool:
        """Tell Plex to ask for these values of a scene's item, once. False if they are to be written.

        Plex did not show them in time, or asks for nothing since it has not matched the item.
        """
        now = self._clock.monotonic()
        with self._lock:
            request = self._requests.get(item.key)
            if request is not None and request.values == values:
                return now - request.since < self._patience
            if len(self._requests) >= MOST:
                self._requests.clear()
        try:
            if not self._make_ask(scene, item):
                return False
        except Refused:
            return False
        with self._lock:
            self._requests[item.key] = AskRequest(values, now)
        return True

    def awaits_match(self, item: Item) -> bool:
        """Whether Plex may still ask for an item that nobody has written: it is new, and not matched.

        An item that PlexSync is to match is matched at once.
        """
        now, added = self._clock.monotonic(), item.value("addedAt")
        is_new = not added or self._clock.now() / 1000 - moment_seconds(added) < STILL_ASKING
        with self._lock:
            if not (item.unmatched and is_new) or self._match is not None:
                self._unmatched.pop(item.key, None)
                return False
            if len(self._unmatched) >= MOST:
                self._unmatched.clear()
            return now - self._unmatched.setdefault(item.key, now) < STILL_ASKING

    def _make_ask(self, scene: int, item: Item) -> bool:
        if item.unmatched:
            return self._match is not None and self._match(scene, item)
        self._refresh([item.key])
        return True

    def wait(self, key: str) -> float:
        """Seconds before the item is looked at again."""
        request = self._requests.get(key)
        return min(max(SOON, self._clock.monotonic() - request.since), LATE) if request else SOON

    def end(self, key: str) -> None:
        """The item shows its values, or they were written."""
        with self._lock:
            self._requests.pop(key, None)

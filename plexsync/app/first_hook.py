"""Makes the worker of a further Plex server poll Stash as soon as a hook has stored an event.

The hook writes to the database of the first server alone. So each further worker looks there once a second for the time of
the last event. That is a wake-up: the poll finds what has changed, and polls at their pace find it without one.
"""

from collections.abc import Callable

from plexsync.store.siblings import Siblings


class FirstHook:
    """Watches the last hook event in the store of the first server, and calls `poll` for each new one."""

    def __init__(self, siblings: Siblings, poll: Callable[[], None]) -> None:
        self._siblings = siblings
        self._poll = poll
        # The worker polls at its start anyway.
        self._seen = siblings.last_hook()

    def __call__(self) -> bool:
        """Look once; True if there was a new event."""
        last = self._siblings.last_hook()
        is_new = last not in ("", self._seen)
        if is_new:
            self._seen = last
            self._poll()
        return is_new

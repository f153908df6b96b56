"""A thread of the worker that lasts: if a fault of PlexSync ends it, that is logged and told, and it starts again."""

import logging
import queue
import threading
from abc import ABC, abstractmethod

log = logging.getLogger("PlexSync.threads")

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
# The threads of this process that ended by a fault, with its kind. The loop notes them, so that every screen tells.
ENDED: "queue.SimpleQueue[str]" = queue.SimpleQueue()


class LastingThread(threading.Thread, ABC):
    """Runs `work` until it returns. `over` ends the pause before it is run again."""

    def __init__(self, name: str, over: threading.Event) -> None:
        super().__init__(name=name, daemon=True)
        self._over = over

    @abstractmethod
    def work(self) -> None:
        """What the thread does, until it is to end."""

    def run(self) -> None:
        """Work; after a fault, again, with a pause that grows."""
        pause = FIRST_PAUSE
        while True:
            try:
                self.work()
                return
            except Exception as fault:  # the edge of a thread: whatever ended it is told, and it starts again
                ENDED.put(f"{self.name} ({type(fault).__name__})")
                log.exception("the thread %s ended by a fault of PlexSync; it is started again", self.name)
            if self._over.wait(pause):
                return
            pause = min(2 * pause, LONGEST_PAUSE)


def ended_threads() -> list[str]:
    """The threads that ended by a fault since the last call."""
    return [ENDED.get() for _ in range(ENDED.qsize())]

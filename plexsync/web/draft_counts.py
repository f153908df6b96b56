"""How many scenes a draft of settings changes, counted in the background: one draft at a time, and a newer one ends it."""

import logging
import threading

from plexsync.app.draft import DraftCount, open_draft
from plexsync.app.fingerprints import wishes
from plexsync.app.parts import Parts
from plexsync.rules.servers.errors import LocalFault, NeighbourError, NewerDatabase, Unusable
from validation.config import PlexSyncConfig

log = logging.getLogger("PlexSync.web")

LAST_WAIT = 5.0
# Seconds after which a count that no page has asked for ends: it asks both servers for every scene, and may read pictures.
UNSEEN = 300.0
ENDED = "no page was open for it, so counting has ended: press Preview"
# The browsers whose scene is remembered.
MOST_CHOSEN = 100


class DraftCounts:
    """The count of the latest draft, and the thread that goes on with it; and the scene that each browser looks at."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._draft: tuple[str, PlexSyncConfig, DraftCount] | None = None
        self._seen = 0.0
        self._closed = False
        self._chosen: dict[str, str] = {}

    def chosen(self, session: str, scene: str | None) -> str:
        """The scene that a session looks at, '' for any; None asks for the one of before."""
        if scene is not None:
            self._chosen.pop(session, None)
            self._chosen[session] = scene
            for oldest in list(self._chosen)[:-MOST_CHOSEN]:
                self._chosen.pop(oldest, None)
        return self._chosen.get(session, "")

    def find(self, config: PlexSyncConfig) -> DraftCount | None:
        """The count of this draft, if it is the latest."""
        with self._lock:
            count = self._draft[2] if self._draft and self._draft[0] == wishes(config) else None
            if count:
                self._seen = self._parts.clock.monotonic()
            return count

    def begin(self, config: PlexSyncConfig) -> DraftCount:
        """Count this draft from now on, unless that is done already; one that failed is begun anew."""
        if (count := self.find(config)) and not count.problem:
            return count
        count = DraftCount()
        with self._lock:
            self._draft, self._seen = (wishes(config), config, count), self._parts.clock.monotonic()
            if not self._closed and (self._thread is None or not self._thread.is_alive()):
                self._thread = threading.Thread(target=self._run, name="draft", daemon=True)
                self._thread.start()
        return count

    def close(self) -> None:
        """Stop counting."""
        with self._lock:
            self._closed, thread = True, self._thread
        if thread is not None:
            thread.join(LAST_WAIT)

    def _run(self) -> None:
        while True:
            with self._lock:
                draft = self._draft
                if self._closed or draft is None or draft[2].complete or draft[2].problem:
                    self._thread = None
                    return
            self._count(draft[1], draft[2])

    @property
    def _is_unseen(self) -> bool:
        return self._parts.clock.monotonic() - self._seen > UNSEEN

    def _is_latest(self, count: DraftCount) -> bool:
        return self._draft is not None and self._draft[2] is count

    def _count(self, config: PlexSyncConfig, count: DraftCount) -> None:
        try:
            with open_draft(self._parts, config) as draft:
                draft.count(count, lambda: self._closed or self._is_unseen or not self._is_latest(count))
            if not count.complete and self._is_unseen and self._is_latest(count):
                count.problem = ENDED
        except (NeighbourError, LocalFault, NewerDatabase, Unusable) as error:
            count.problem = str(error)
        except Exception:
            log.exception("counting what a draft changes failed by a fault of PlexSync")
            count.problem = "a fault of PlexSync; the log says more"

"""The folders that Plex was asked to scan, and when."""

from plexsync.rules.match.paths import path_key
from plexsync.store.connection import Table

FORGET = "delete from asked_scan where at <= :before or at > :now"
ASK = "insert or ignore into asked_scan (folder, at) values (:folder, :now)"


class ScanRequests(Table):
    """Access to the folders that Plex was asked to scan."""

    def ask(self, section: str, folder: str, *, now: int, again: int) -> bool:
        """Whether a folder may be scanned, at most once in `again` ms; if so, records the scan as requested now."""
        self._db.execute(FORGET, {"before": now - again, "now": now})
        return self._db.execute(ASK, {"folder": f"{section}:{path_key(folder)}", "now": now}) == 1

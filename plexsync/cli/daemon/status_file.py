"""Writes `status.json` for the page in Stash, into a folder of the plugin that Stash serves to its browser.

So an open page starts no process. The file holds no secret and no path, and is replaced as a whole: soon after
something changed, and now and then, so that its age shows whether the worker lives. It is removed when the worker ends.
The file is about the first Plex server, and has the verdicts of all if there are several.
"""

import json
import logging
import re
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from time import monotonic

from plexsync.app.database_files import count_spooled, summary_of
from plexsync.app.parts import Parts
from plexsync.cli.daemon.dashboard_process import DashboardEntry
from plexsync.reports.shapes.status import VerdictFacts
from plexsync.reports.status import StatusFolder, facts, facts_of, storage_facts
from plexsync.rules.servers.errors import LocalFault, NewerDatabase, Unusable
from plexsync.stash_plugin.stash_words import inside_all
from plexsync.store import intake
from plexsync.store.files.lock import is_locked, locked_at
from plexsync.store.ledger.lasting import LastingThread

log = logging.getLogger("PlexSync.serve")

FILE = "status.json"
LOOK = 3.0  # seconds between two looks
LAST = 2.0  # seconds to remove the file at the end
AT_LEAST = 15.0  # seconds between two writes when nothing changes
START = 30.0  # seconds that the workers of further Plex servers may take to start
# What the page shows.
IN_FILE = (
    *("verdict", "at", "scenes", "jobs", "due", "oldest_due", "breakers", "holds", "paces", "worker", "dashboard"),
    *("outages", "dlq", "last_poll", "last_reconcile", "comparison_due", "setting_change", "bulk_approved", "edits"),
    *("events", "kept_fields", "plays"),
)
# An address has two slashes behind its colon, and no folder of Windows has two letters before its own.
PATH = re.compile(r"(?<![\w:/.])(/[^\s'\";,:)]+|[A-Za-z]:\\[^\s'\";,)]+|\\\\[^\s'\";,)]+)")


class StatusFile(LastingThread):
    """Keeps the file in `folder` up to date until `ended`."""

    def __init__(self, parts: Parts, folder: Path, ended: threading.Event) -> None:
        super().__init__("status", ended)
        self._parts = parts
        self._folder = folder
        self._last = ""
        self._written_at: float | None = None
        self._began = monotonic()
        self._entries: Sequence[DashboardEntry] = ()

    def use(self, *entries: DashboardEntry) -> None:
        """Go on with these Plex servers, the first one first."""
        self._entries = entries

    def work(self) -> None:
        """Look now and then; what can't be read or written now is tried at the next look."""
        while not self._over.is_set():
            try:
                self._look()
            except (LocalFault, NewerDatabase, Unusable, OSError) as fault:
                log.debug("%s is not written: %s", FILE, fault)
            except MemoryError:
                # Logging needs memory as well.
                pass
            self._over.wait(LOOK)
        # The page asks by itself then. Of a file that stays, its age shows that nobody writes it.
        for name in (FILE, f"{FILE}.new"):
            with suppress(OSError):
                (self._folder / name).unlink(missing_ok=True)

    def end(self) -> None:
        """Wait until the file is removed, so that the page asks by itself; a hanging disk is not waited for."""
        self._over.set()
        self.join(LAST)

    def _look(self) -> None:
        now, starting = monotonic(), monotonic() - self._began < START
        is_fresh = self._written_at is not None and now - self._written_at < AT_LEAST
        is_same = not (self._parts.store.has_changed() or starting or len(self._entries) > 1)
        if is_same and is_fresh and (self._folder / FILE).exists():
            return
        facts = page_facts(self._parts, self._entries, starting=starting)
        content = json.dumps({**facts, "at": None, "worker": {**facts["worker"], "heartbeat": None}})  # type: ignore[dict-item]
        if content == self._last and is_fresh and (self._folder / FILE).exists():
            return
        # The folder above is the plugin's: it is not created.
        self._folder.mkdir(exist_ok=True)
        fresh = self._folder / f"{FILE}.new"
        fresh.write_text(json.dumps(facts), encoding="utf-8")
        fresh.replace(self._folder / FILE)
        self._last, self._written_at = content, now


def page_facts(parts: Parts, entries: Sequence[DashboardEntry] = (), *, starting: bool = False) -> dict[str, object]:
    """What the page in Stash shows of the status, in the words of Stash and without paths.

    Of several Plex servers (`entries`) it has the verdicts too. While they are `starting`, a further one may lack its
    worker and its database.
    """
    status = facts(parts)
    chosen = {name: status[name] for name in IN_FILE}  # type: ignore[literal-required]
    if len(entries) > 1:
        chosen |= _servers(status["verdict"], entries, parts.clock.now(), starting=starting)
    answer = without_paths(inside_all(chosen))
    return {**answer, "inside": True} if isinstance(answer, dict) else {}


def _servers(first: VerdictFacts, entries: Sequence[DashboardEntry], now: int, *, starting: bool) -> dict[str, object]:
    """The verdict of each server, as in `plexsync status --json`; `first` is that of the first one."""
    name, *_ = (entry.loaded.plex for entry in entries)
    servers: list[dict[str, object]] = [{"plex": name, "verdict": first}]
    problems = []
    for entry in entries[1:]:
        try:
            servers.append({"plex": entry.loaded.plex, "verdict": _verdict(entry, now, starting=starting)})
        except (LocalFault, NewerDatabase, Unusable) as error:
            if not starting:
                problems.append(f"{entry.loaded.plex}: {error}")
    return {"plex": name, "servers": servers, "problem": "\n".join(problems)}


def _verdict(entry: DashboardEntry, now: int, *, starting: bool) -> VerdictFacts:
    """The verdict of a further server, whose worker is a process of its own. Raises LocalFault, Unusable."""
    folder = entry.folder
    summary = summary_of(folder, now)
    # As long as its worker may be starting, it is one that starts by itself.
    summary.inside = intake.ON if starting else ""
    return facts_of(
        summary,
        entry.loaded.config,
        spooled=count_spooled(folder),
        running=is_locked(folder),
        began=locked_at(folder),
        has_dashboard=False,
        data=StatusFolder(folder, storage_facts(folder)),
    )["verdict"]


def without_paths(value: object) -> object:
    """The data with every path in a text replaced by three dots."""
    if isinstance(value, str):
        return PATH.sub("…", value)
    if isinstance(value, list):
        return [without_paths(item) for item in value]
    if isinstance(value, dict):
        return {name: without_paths(part) for name, part in value.items()}
    return value

"""Writes `status.json` for the page in Stash, into a folder of the plugin that Stash serves to its browser.

So an open page starts no process. The file holds no secret and no path, and is replaced as a whole: soon after
something changed, and now and then, so that its age shows whether the worker lives. It is removed when the worker ends.
"""

import json
import logging
import os
import re
import threading
from pathlib import Path
from time import monotonic

from plexsync.app.parts import Parts
from plexsync.reports.status import facts
from plexsync.rules.errors import LocalFault, NewerDatabase, Unusable
from plexsync.stash_plugin.stash_words import inside_all

log = logging.getLogger("PlexSync.serve")

FILE = "status.json"
LOOK = 3.0  # seconds between two looks
LAST = 2.0  # seconds to remove the file at the end
AT_LEAST = 15.0  # seconds between two writes when nothing changes
# What the page shows.
SHOWN = (
    *(
        "verdict",
        "at",
        "scenes",
        "jobs",
        "due",
        "oldest_due",
        "breakers",
        "holds",
        "paces",
        "worker",
        "dashboard",
        "events",
    ),
    *("outages", "dlq", "last_poll", "last_reconcile", "comparison_due", "bulk_approved", "edits"),
)
# An address has two slashes behind its colon, and no folder of Windows has two letters before its own.
PATH = re.compile(r"(?<![\w:/.])(/[^\s'\";,:)]+|[A-Za-z]:\\[^\s'\";,)]+|\\\\[^\s'\";,)]+)")


class StatusFile(threading.Thread):
    """Keeps the file in `folder` up to date until `ended`."""

    def __init__(self, parts: Parts, folder: Path, ended: threading.Event) -> None:
        super().__init__(name="status", daemon=True)
        self._parts = parts
        self._folder = folder
        self._ended = ended
        self._last = ""
        self._written_at: float | None = None

    def run(self) -> None:
        """Look now and then; what can't be read or written now is tried at the next look."""
        while not self._ended.is_set():
            try:
                self._look()
            except (LocalFault, NewerDatabase, Unusable, OSError) as fault:
                log.debug("%s is not written: %s", FILE, fault)
            except MemoryError:
                # Logging needs memory as well.
                pass
            self._ended.wait(LOOK)
        remove(self._folder)

    def end(self) -> None:
        """Wait until the file is removed, so that the page asks by itself; a hanging disk is not waited for."""
        self._ended.set()
        self.join(LAST)

    def _look(self) -> None:
        shown = page_facts(self._parts)
        content = json.dumps({**shown, "at": None, "worker": {**shown["worker"], "heartbeat": None}})  # type: ignore[dict-item]
        now = monotonic()
        is_fresh = self._written_at is not None and now - self._written_at < AT_LEAST
        if content == self._last and is_fresh and (self._folder / FILE).exists():
            return
        write(self._folder, json.dumps(shown))
        self._last, self._written_at = content, now


def page_facts(parts: Parts) -> dict[str, object]:
    """What the page in Stash shows of the status, in the words of Stash and without paths."""
    status = facts(parts)
    shown = without_paths(inside_all({name: status[name] for name in SHOWN}))  # type: ignore[literal-required]
    return {**shown, "inside": True} if isinstance(shown, dict) else {}


def without_paths(value: object) -> object:
    """The data with every path in a text replaced by three dots."""
    if isinstance(value, str):
        return PATH.sub("…", value)
    if isinstance(value, list):
        return [without_paths(item) for item in value]
    if isinstance(value, dict):
        return {name: without_paths(part) for name, part in value.items()}
    return value


def write(folder: Path, text: str) -> None:
    """Replace the file at once; raises OSError. The folder above is the plugin's: it is not created."""
    folder.mkdir(exist_ok=True)
    fresh = folder / f"{FILE}.new"
    fresh.write_text(text, encoding="utf-8")
    os.replace(fresh, folder / FILE)  # noqa: PTH105 - atomic on every system


def remove(folder: Path) -> None:
    """Remove the file, so that the page asks by itself."""
    for name in (FILE, f"{FILE}.new"):
        try:
            (folder / name).unlink(missing_ok=True)
        except OSError:
            # Its age shows that nobody writes it.
            return

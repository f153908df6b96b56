"""The journal of writes: what was sent to Plex and read back, beside the database (`plexsync.store.journal_file`).

It holds hashes. If the database turns out to be older than the journal, or Plex older than the last push, the hashes tell
PlexSync's own values from yours (`plexsync.rules.provenance`).
"""

from collections.abc import Collection
from pathlib import Path
from typing import Literal

import msgspec

from plexsync.rules.journal_entries import FieldTrace, JournalEntry
from plexsync.store.journal_file import LIMIT, JournalFile

_Trace = tuple[tuple[str, ...], bool, tuple[str, ...], tuple[str, ...], bool]
_Line = tuple[Literal["sent", "read"], int, int, str, int, str, str, int, tuple[str, ...], dict[str, _Trace]]
_LINES = msgspec.json.Decoder(_Line)


class WriteJournal(JournalFile[JournalEntry]):
    """The journal of pushes to items in Plex."""

    name = "journal"

    def __init__(self, folder: Path, *, limit: int = LIMIT) -> None:
        super().__init__(folder, limit=limit)
        self._index: dict[str, list[tuple[Path, int, int]]] = {}
        # The files in the index, each with its inode and the length up to which it was read.
        self._indexed: dict[Path, tuple[int, int]] = {}

    def items(self, *, after: int) -> list[str]:
        """Return the items of all pushes above this number. Raises LocalFault."""
        return sorted({entry.item for entry in self.entries(after=after)})

    def of(self, items: Collection[str]) -> dict[str, tuple[JournalEntry, ...]]:
        """Return the entries of these items, oldest first. Raises LocalFault."""
        with self._lock, self._faults():
            self._refresh_index()
            by_item: dict[str, tuple[JournalEntry, ...]] = {}
            for item in items:
                entries = [entry for place in self._index.get(item, ()) if (entry := self._entry_at(*place))]
                by_item[item] = tuple(sorted(entries, key=lambda entry: (entry.number, entry.kind == "read")))
            return by_item

    def _refresh_index(self) -> None:
        """Find the lines that were appended since; all lines again after a new file has begun. Needed only after a loss."""
        files = self._files()
        inodes = {path: path.stat().st_ino for path in files}
        if inodes != {path: inode for path, (inode, _) in self._indexed.items()}:
            self._index, self._indexed = {}, dict.fromkeys(files, (0, 0))
        for path in files:
            size, (_, start) = path.stat().st_size, self._indexed[path]
            if size != start:
                for begin, length, entry in self._entries(path, start):
                    self._index.setdefault(entry.item, []).append((path, begin, length))
                self._indexed[path] = (inodes[path], size)

    def encoded(self, entry: JournalEntry) -> bytes:
        """The JSON of an entry."""
        fields = {
            name: (trace.values, trace.locked, trace.adds, trace.removes, trace.ended)
            for name, trace in entry.fields.items()
        }
        values = (entry.kind, entry.number, entry.at, entry.flow, entry.subject, entry.library, entry.item, entry.stamp)
        return msgspec.json.encode((*values, entry.files, fields))

    def decoded(self, json: bytes, salt: bytes) -> JournalEntry | None:
        """The entry in this JSON; None if it is no entry."""
        if not json.startswith((b'["sent"', b'["read"')):
            return None
        try:
            values = _LINES.decode(json)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None
        kind, number, at, flow, subject, library, item, stamp, files, fields = values
        traces = {name: FieldTrace(*trace) for name, trace in fields.items()}
        return JournalEntry(kind, number, at, flow, subject, library, item, stamp, files, traces, salt)

"""A journal: an append-only file beside the database, which no restore and no repair replaces.

What is about to be sent is synced before the first request. Each line has a checksum, and a line that is torn or damaged
is skipped. The first line is the salt of the hashes. A file that has grown to its limit becomes `NAME.1` and a new one
begins, so the newest one to two limits of bytes are kept. The limit grows with the library, so that it holds at least the
last push of each item.

The journal of writes is such a file: what was sent to Plex and read back, as hashes. If the database turns out to be older
than the journal, or Plex older than the last push, they tell PlexSync's own values from yours
(`plexsync.rules.merge.provenance`).
"""

import errno
import os
import threading
import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Generic, Literal, Protocol, TypeVar

import msgspec

from plexsync.rules.merge.journal_entries import FieldTrace, JournalEntry
from plexsync.rules.servers.errors import LocalFault
from plexsync.store.files.files import create, hidden_beside, sync_to_disk

# Bytes: the smallest limit, and what a push of one item takes (measured: 2,550 with ten fields).
LIMIT = 32 * 2**20
PUSH_BYTES = 2_600
SALT_BYTES = 16
TAIL = 2**16
# The journals of a data folder: of what was written to Plex, and of plays in Stash.
NAMES = ("journal", "plays")


def discard_journals(folder: Path) -> None:
    """Remove the journals of a data folder, which lack what another machine has written since. Raises LocalFault."""
    for name in NAMES:
        with _Faults(folder / name):
            for path in (folder / f"{name}.1", folder / name):
                path.unlink(missing_ok=True)


class Numbered(Protocol):
    """An entry of a journal, with the number that the database has noted before the journal has it."""

    @property
    def number(self) -> int:
        """The number of the request."""
        ...


N = TypeVar("N", bound=Numbered)


class JournalFile(ABC, Generic[N]):
    """A journal in the folder of a database. One worker appends at a time; any process may read.

    A subclass says what it is called, and how an entry is written as JSON and read again.
    """

    name: str

    def __init__(self, folder: Path, *, limit: int = LIMIT) -> None:
        self._path = folder / self.name
        self._past = folder / f"{self.name}.1"
        self._limit = limit
        self._lock = threading.Lock()
        self._faults = _Faults(self._path)

    @abstractmethod
    def encode(self, entry: N) -> bytes:
        """The JSON of an entry, in one line."""

    @abstractmethod
    def decode(self, json: bytes, salt: bytes) -> N | None:
        """The entry in this JSON; None if it is no entry."""

    # --- appending ---------------------------------------------------------------------------------------------------

    def salt(self, items: Callable[[], int] | None = None, *, goes_on: bool = False) -> bytes:
        """Return the salt of the hashes of the next entries. Begins the file if it is missing, full or has no salt.

        `items` counts the items whose last pushes a file has to hold; a file at its limit asks. `goes_on`: a full file is
        used all the same, for what belongs to entries in it. Raises LocalFault.
        """
        with self._lock, self._faults:
            salt = _salt(self._path)
            if not salt or (not goes_on and self._is_full(items)):
                salt = self._begin()
            return salt

    def _is_full(self, items: Callable[[], int] | None) -> bool:
        size = self._path.stat().st_size
        if size >= self._limit and items:
            self._limit = max(self._limit, items() * PUSH_BYTES)
        return size >= self._limit

    def append(self, entries: Sequence[N], *, sync: bool) -> None:
        """Append entries whose hashes have the salt of `salt()`. With `sync`, they are on the disk afterwards.

        Raises LocalFault.
        """
        if not entries:
            return
        # A torn line of a process that was killed ends here.
        content = b"\n" + b"".join(_add_checksum(self.encode(entry)) for entry in entries)
        with self._lock, self._faults:
            handle = os.open(self._path, os.O_WRONLY | os.O_APPEND | getattr(os, "O_BINARY", 0))
            try:
                while content:
                    content = content[os.write(handle, content) :]
                if sync:
                    os.fsync(handle)
            finally:
                os.close(handle)

    def _begin(self) -> bytes:
        salt = os.urandom(SALT_BYTES)
        with hidden_beside(self._path) as hidden:
            with os.fdopen(create(hidden), "wb") as file:
                file.write(_add_checksum(msgspec.json.encode(["salt", salt.hex()])))
                file.flush()
                os.fsync(file.fileno())
            if self._path.exists():
                self._path.replace(self._past)
            hidden.replace(self._path)
            sync_to_disk(self._path.parent)
        return salt

    # --- reading -----------------------------------------------------------------------------------------------------

    def last(self) -> int:
        """Return the highest number in the journal; 0 if there is none. Raises LocalFault."""
        with self._faults:
            for path in (self._path, self._past):
                numbers = [entry.number for entry in self._tail(path)] or [
                    entry.number for _, _, entry in self._entries(path)
                ]
                if numbers:
                    return max(numbers)
        return 0

    def entries(self, *, after: int) -> Iterator[N]:
        """Yield the entries above this number, as they were appended. Raises LocalFault."""
        with self._faults:
            for path in self._files():
                yield from (entry for _, _, entry in self._entries(path) if entry.number > after)

    def _files(self) -> list[Path]:
        return [path for path in (self._past, self._path) if path.exists()]

    def _entries(self, path: Path, start: int = 0) -> Iterator[tuple[int, int, N]]:
        """The (start, length, entry) of each sound line from this byte on."""
        salt = _salt(path)
        if not salt:
            return
        with path.open("rb") as file:
            file.seek(start)
            for line in file:
                if entry := self._entry(line, salt):
                    yield start, len(line), entry
                start += len(line)

    def _tail(self, path: Path) -> list[N]:
        """The entries at the end of a file."""
        salt = _salt(path)
        if not salt:
            return []
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - TAIL))
            return [entry for line in file.read().split(b"\n") if (entry := self._entry(line, salt))]

    def _entry_at(self, path: Path, start: int, length: int) -> N | None:
        with path.open("rb") as file:
            file.seek(start)
            return self._entry(file.read(length), _salt(path))

    def _entry(self, line: bytes, salt: bytes) -> N | None:
        json = _strip_checksum(line)
        return self.decode(json, salt) if json else None


class _Faults:
    """Translates errors of the file system."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        pass

    def __exit__(self, _type: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, OSError):
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            reason = "no space is left" if full else error.strerror
            raise LocalFault(f"the journal {self._path} can't be used: {reason}", full=full) from error


# --- lines -----------------------------------------------------------------------------------------------------------


def _add_checksum(json: bytes) -> bytes:
    return b"%08x %s\n" % (zlib.crc32(json), json)


def _strip_checksum(line: bytes) -> bytes:
    """The JSON of a line; empty if it is not what was written."""
    checksum, _, json = line.rstrip(b"\n").partition(b" ")
    return json if checksum == b"%08x" % zlib.crc32(json) else b""


def _salt(path: Path) -> bytes:
    """The salt of a file; empty if there is none."""
    try:
        with path.open("rb") as file:
            json = _strip_checksum(file.readline())
        kind, salt = msgspec.json.decode(json, type=tuple[str, str])
        return bytes.fromhex(salt) if kind == "salt" else b""
    except (FileNotFoundError, msgspec.DecodeError, ValueError):
        return b""


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
        with self._lock, self._faults:
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

    def encode(self, entry: JournalEntry) -> bytes:
        """The JSON of an entry."""
        fields = {
            name: (trace.values, trace.locked, trace.adds, trace.removes, trace.ended)
            for name, trace in entry.fields.items()
        }
        values = (entry.kind, entry.number, entry.at, entry.flow, entry.subject, entry.library, entry.item, entry.stamp)
        return msgspec.json.encode((*values, entry.files, fields))

    def decode(self, json: bytes, salt: bytes) -> JournalEntry | None:
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

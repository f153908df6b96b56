"""Finds out, from the journal of writes, that the database or Plex is from an older moment, and what it then knows."""

import threading
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, Literal, TypeVar

from plexsync.flows.scenes.inspection_records import Inspection
from plexsync.rules.item import Item
from plexsync.rules.merge.journal_entries import (
    FieldTrace,
    JournalEntry,
    file_hashes,
    learnt_fields,
    read_fields,
    sent_fields,
)
from plexsync.rules.merge.memory import is_older
from plexsync.rules.merge.plan_records import Memory, Sending
from plexsync.rules.merge.provenance import Provenance
from plexsync.rules.queue.job import Kind
from plexsync.rules.queue.note_keys import JOURNALLED, LAST_RECONCILE, REPAIRED, RESTORED
from plexsync.rules.servers.errors import NeighbourError
from plexsync.rules.servers.neighbours import Clock
from plexsync.store.database import Database, Reader, Writer
from plexsync.store.ledger.journal_file import JournalFile, WriteJournal

J = TypeVar("J", bound=JournalFile[Any])


@dataclass(eq=False)
class JournalBeside(ABC, Generic[J]):
    """A journal beside one database.

    Each entry has a number, which the database notes (`noted`) before the journal has it. A journal with a higher number
    than the database is newer, and knows what the database has lost since.
    """

    noted: ClassVar[str]

    _store: Database
    _journal: J
    _clock: Clock
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)
    is_checked: bool = field(default=False, init=False)

    def check(self, *, again: bool = False) -> None:
        """Compare the database with the journal, once in a process; `again`: another process may have restored it since.

        Raises LocalFault.
        """
        with self._lock:
            if self.is_checked and not again:
                return
            # Read first: the database notes a number before the journal has it.
            last = self._journal.last()
            with self._store.reading() as db:
                is_older = last > (db.notes.number(self.noted) or 0)
                self._note_comparison(db, is_older=is_older)
            if is_older:
                with self._store.writing() as tx:
                    noted = tx.notes.number(self.noted)
                    # A rebuilt database has all that could be read, so only what has no memory at all was lost.
                    rebuilt = noted is None and (tx.notes.number(REPAIRED) or 0) > (tx.notes.number(RESTORED) or 0)
                    if last > (noted or 0):
                        self._complete(tx, noted or 0, unknown_only=rebuilt)
                        tx.notes.save(self.noted, str(last))
            self.is_checked = True

    def _note_comparison(self, db: Reader, *, is_older: bool) -> None:
        """Called when they were compared."""

    @abstractmethod
    def _complete(self, tx: Writer, after: int, *, unknown_only: bool) -> None:
        """Use the entries above this number; `unknown_only`: only for what the database knows nothing of."""

    def number(self, tx: Writer, count: int) -> int:
        """Note the numbers of so many entries; returns the first one."""
        return tx.notes.take_numbers(self.noted, count)


class Recovery(JournalBeside[WriteJournal]):
    """The journal of writes: what the database has lost is marked item by item, until that item was planned once."""

    noted = JOURNALLED
    _marked = False

    # --- what was lost -----------------------------------------------------------------------------------------------

    def _note_comparison(self, db: Reader, *, is_older: bool) -> None:
        self._marked = is_older or db.notes.has_losses()

    def _complete(self, tx: Writer, after: int, *, unknown_only: bool) -> None:
        tx.notes.mark_losses(self._journal.items(after=after), after, unknown_only=unknown_only)

    def provenances(
        self, items: Mapping[str, Item | NeighbourError], memories: Mapping[tuple[int, str], Memory]
    ) -> dict[str, Provenance]:
        """What the journal knows about those of these items that are older than their memory, or whose memory is.

        Raises LocalFault.
        """
        read = {key: item for key, item in items.items() if isinstance(item, Item)}
        losses: dict[str, int] = {}
        if self._marked and read:
            with self._store.reading() as db:
                losses = db.notes.losses(sorted(read))
        older = {key for (_, key), memory in memories.items() if key in read and is_older(read[key], memory)}
        doubted = {*losses, *older}
        if not doubted:
            return {}
        entries = self._journal.of(doubted)
        return {key: Provenance(entries.get(key, ()), losses.get(key)) for key in doubted}

    @staticmethod
    def is_unproven(db: Reader) -> bool:
        """Whether no full comparison has completed since this database began, was restored or was rebuilt."""
        last = db.notes.number(LAST_RECONCILE)
        return last is None or last < max(db.notes.number(name) or 0 for name in (RESTORED, REPAIRED))

    @staticmethod
    def with_memory(db: Reader, inspections: Sequence[Inspection]) -> list[Inspection]:
        """Those of these findings whose memory is to be saved although nothing is sent.

        The journal has completed it, or the scene is in sync and nothing was remembered. Nobody may have saved it since it
        was read.
        """
        completed = [
            inspection
            for inspection in inspections
            if any(target.was_lost for target in inspection.targets) or _is_new(inspection)
        ]
        if not completed:
            return []
        marks = db.notes.losses([target.item.key for inspection in completed for target in inspection.targets])
        memories = db.memories.of([inspection.id for inspection in completed])
        owners = db.memories.owners([key for inspection in completed for key in inspection.keys])
        return [
            inspection
            for inspection in completed
            if all(
                (target.item.key in marks if target.was_lost else target.item.key not in owners)
                and memories.get((inspection.id, target.item.key), {}) == target.memory
                for target in inspection.targets
            )
        ]

    # --- what is written ---------------------------------------------------------------------------------------------

    def will_send(self, pushes: Sequence[tuple[int, int, Item, Mapping[str, Sending]]]) -> None:
        """Record what is about to be sent, as (number, scene, item, fields). Raises LocalFault."""
        if not pushes:
            return
        salt = self._journal.salt(self._count_items)
        entries = [
            self._entry(number, id, item, salt, files=file_hashes(item.parts, salt), fields=sent_fields(sending, salt))
            for number, id, item, sending in pushes
        ]
        self._journal.append(entries, sync=True)

    def _count_items(self) -> int:
        with self._store.reading() as db:
            return db.index.count()

    def has_learnt(self, tx: Writer, inspections: Iterable[Inspection]) -> None:
        """Record what these findings change in the memory without a push. Raises LocalFault."""
        salt = self._journal.salt(tx.index.count)
        learnt = []
        for inspection in inspections:
            for target in inspection.targets:
                # With its present files, the journal may know nothing of the memory of an item yet.
                before = {} if target.has_other_files else {**target.memory, **target.plan.recovery.recalled}
                changed = learnt_fields(before, target.plan.memory, target.plan.sending, target.item, salt)
                learnt += [(inspection.id, target.item, fields) for fields in changed]
        if not learnt:
            return
        entries: list[JournalEntry] = []
        for number, (id, item, fields) in enumerate(learnt, start=tx.notes.take_numbers(JOURNALLED, len(learnt))):
            files = file_hashes(item.parts, salt)
            entries += [
                self._entry(number, id, item, salt, files=files, fields=fields.sent),
                self._entry(number, id, item, salt, kind="read", files=files, stamp=fields.stamp, fields=fields.read),
            ]
        self._journal.append(entries, sync=False)

    def was_read(
        self, pushes: Iterable[tuple[int, int, Item, Mapping[str, Sending], Collection[str], Memory, int]]
    ) -> None:
        """Record what was read back, as (number, scene, item, fields, left out, memory, stamp). Raises LocalFault."""
        salt = self._journal.salt(goes_on=True)
        entries = [
            self._entry(
                number, id, item, salt, kind="read", stamp=stamp, fields=read_fields(sending, memory, left_out, salt)
            )
            for number, id, item, sending, left_out, memory, stamp in pushes
        ]
        self._journal.append(entries, sync=False)

    def _entry(
        self,
        number: int,
        id: int,
        item: Item,
        salt: bytes,
        *,
        fields: Mapping[str, FieldTrace],
        kind: Literal["sent", "read"] = "sent",
        stamp: int = 0,
        files: tuple[str, ...] = (),
    ) -> JournalEntry:
        at, flow = self._clock.now(), Kind.SCENE.value
        return JournalEntry(kind, number, at, flow, id, item.library, item.key, stamp, files, fields, salt)


def _is_new(inspection: Inspection) -> bool:
    """Whether a scene is in sync with items that PlexSync has no memory of, such as those of an earlier database."""
    return (
        bool(inspection.targets)
        and not inspection.undone
        and all(not target.memory and target.plan.memory and not target.plan.edit for target in inspection.targets)
    )

"""What the journal of writes knows about one item, and the history of each of its fields."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from plexsync.rules.item import Item
from plexsync.rules.journal_entries import FieldTrace, JournalEntry, hashes_of, name_hashes, trace_name


@dataclass(frozen=True)
class Provenance:
    """What the journal knows about one item: its entries, oldest first.

    `after`: the database has lost what is above this number; None if it has lost nothing.
    """

    entries: tuple[JournalEntry, ...] = ()
    after: int | None = None

    def of(self, item: Item) -> "Provenance":
        """Only the entries that can be about this item: another one may have had its key.

        As with a memory (`plexsync.rules.origin.is_of`), other files are believed if the item shows a title or a summary
        that PlexSync left or sent there while it had them: then its files were swapped.
        """
        present = [entry for entry in self.entries if entry.is_in_library_of(item)]
        shown = {(entry.number, entry.salt) for entry in present if entry.is_shown_by(item)}
        swapped = {file for entry in present if (entry.number, entry.salt) in shown for file in entry.files}
        return replace(
            self, entries=tuple(entry for entry in present if entry.agrees(item) or swapped.intersection(entry.files))
        )

    @property
    def pushed_fields(self) -> frozenset[str]:
        """The names of the fields in the pushes that the journal has."""
        return frozenset(name for entry in self.entries if entry.kind == "sent" for name in entry.fields)


@dataclass(frozen=True)
class FieldHistory:
    """The pushes of one field, oldest first, as (entry before sending, entry after the read-back or None)."""

    name: str
    pushes: tuple[tuple[JournalEntry, JournalEntry | None], ...] = ()

    @property
    def stamp(self) -> int:
        """The item's stamp at the last read-back of the field; 0 if unknown."""
        return max((read.stamp for _, read in self.pushes if read), default=0)

    def above(self, number: int) -> "FieldHistory":
        """The pushes with a higher number."""
        return replace(self, pushes=tuple(push for push in self.pushes if push[0].number > number))

    def until(self, stamp: int) -> "FieldHistory":
        """The pushes up to this stamp of the item, in the order of its stamps, which a restore of Plex sets back.

        A push that was not read back belongs to the one before it.
        """
        stamps: list[int] = []
        for _, read in self.pushes:
            stamps.append(read.stamp if read else stamps[-1] if stamps else 0)
        order = sorted(range(len(stamps)), key=lambda number: stamps[number])
        return replace(self, pushes=tuple(self.pushes[number] for number in order if stamps[number] <= stamp))

    def traces(self) -> list[tuple[FieldTrace, FieldTrace | None, JournalEntry]]:
        """Per push: the field as sent, as read back (None if not), and the entry with the salt."""
        return [
            (
                sent.fields[trace_name(self.name, sent.salt)],
                _read_trace(self.name, sent, read) if read else None,
                sent,
            )
            for sent, read in self.pushes
        ]

    def was_own(self, value: str) -> bool:
        """Whether a single value was PlexSync's at any time."""
        return any(
            not sent.ended and set(hashes_of(self.name, value, entry.salt)) & {*sent.values, *(read or sent).values}
            for sent, read, entry in self.traces()
        )

    def was_sent_last(self, value: str) -> bool:
        """Whether the last push sent this single value."""
        last = self.traces()[-1:]
        return any(set(hashes_of(self.name, value, entry.salt)) <= {*sent.values} for sent, _, entry in last)

    def was_added(self, member: str) -> bool:
        """Whether PlexSync added this name to the list at any time."""
        return any(
            set(name_hashes((member,), entry.salt)) & {*sent.adds, *(read.adds if read else ())}
            for sent, read, entry in self.traces()
        )


def _read_trace(name: str, sent: JournalEntry, read: JournalEntry) -> FieldTrace:
    """The field as it was read back: a single value that Plex took as it was sent has no trace of its own."""
    own = trace_name(name, sent.salt)
    return read.fields.get(own) or replace(sent.fields[own], adds=())


def history_of(name: str, entries: Sequence[JournalEntry]) -> FieldHistory:
    """The pushes of a field."""
    # Hashes with another salt can't be compared with those that were sent.
    reads = {(entry.number, entry.salt): entry for entry in entries if entry.kind == "read"}
    sent = [entry for entry in entries if entry.kind == "sent" and trace_name(name, entry.salt) in entry.fields]
    return FieldHistory(name, tuple((entry, _read_of(name, reads.get((entry.number, entry.salt)))) for entry in sent))


def _read_of(name: str, read: JournalEntry | None) -> JournalEntry | None:
    """The read-back of a push if the field was read back with it. A picture that was left out may still arrive, or never."""
    if read is None:
        return None
    trace = read.fields.get(trace_name(name, read.salt))
    return None if trace and trace.ended else read

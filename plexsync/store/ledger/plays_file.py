"""The journal of plays: what was sent to Stash, and what was learnt, beside the database
(`plexsync.store.ledger.journal_file`).

It keeps plays that you deleted, and plays that were undone, from coming again after the database was restored.
"""

from collections.abc import Mapping
from typing import Literal

import msgspec

from plexsync.rules.plays.plays import PlaySource, RememberedPlay, state_of
from plexsync.rules.record_class import record
from plexsync.store.ledger.journal_file import JournalFile

# Moment, state ('' for a forgotten play), item, history key, tries, rows before, undo.
_Play = tuple[int, Literal["", "adding", "sent", "present", "deleted", "removing", "undone"], str, str, int, int, bool]
_Line = tuple[Literal["sent", "known"], int, int, int, str, str, tuple[_Play, ...]]
_LINES = msgspec.json.Decoder(_Line)


@record
class PlaysEntry:
    """Plays of one scene: before a request was sent (`sent`), or as they were known after it or without one (`known`).

    `at`: UTC milliseconds. `created_at` and `updated_at` are those of the scene in Stash. A play of None was forgotten.
    """

    kind: Literal["sent", "known"]
    number: int
    at: int
    scene: int
    created_at: str
    updated_at: str
    plays: Mapping[int, RememberedPlay | None]


class PlaysFile(JournalFile[PlaysEntry]):
    """The journal of plays in Stash."""

    name = "plays"

    def encode(self, entry: PlaysEntry) -> bytes:
        """The JSON of an entry."""
        values = (entry.kind, entry.number, entry.at, entry.scene, entry.created_at, entry.updated_at)
        return msgspec.json.encode((*values, [_to_columns(moment, play) for moment, play in entry.plays.items()]))

    def decode(self, json: bytes, salt: bytes) -> PlaysEntry | None:  # noqa: ARG002 - nothing here is hashed
        """The entry in this JSON; None if it is no entry."""
        try:
            kind, number, at, scene, created_at, updated_at, plays = _LINES.decode(json)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None
        memory = {moment: _read(*play) for moment, *play in plays}
        return PlaysEntry(kind, number, at, scene, created_at, updated_at, memory)


def _to_columns(moment: int, play: RememberedPlay | None) -> tuple[object, ...]:
    if play is None:
        return (moment, "", "", "", 0, 0, False)
    source = play.source
    return (moment, play.word, source.item, source.history_key, play.tries, play.rows_before, bool(play.undone))


def _read(word: str, item: str, history_key: str, tries: int, rows_before: int, undo: bool) -> RememberedPlay | None:
    if not word:
        return None
    state, undone = state_of(word, undo)
    return RememberedPlay(PlaySource(item, history_key), state, tries, rows_before, undone=undone)

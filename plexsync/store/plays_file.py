"""The journal of plays: what was sent to Stash, and what was learnt, beside the database (`plexsync.store.journal_file`).

It keeps plays that you deleted, and plays that were undone, from coming again after the database was restored.
"""

from typing import Literal

import msgspec

from plexsync.rules.play_entries import PlaysEntry
from plexsync.rules.plays import PlaySource, PlayState, RememberedPlay
from plexsync.store.journal_file import JournalFile

# Moment, state ('' for a forgotten play), item, history key, tries, rows before, undo.
_Play = tuple[int, Literal["", "adding", "sent", "present", "deleted", "removing", "undone"], str, str, int, int, bool]
_Line = tuple[Literal["sent", "known"], int, int, int, str, str, tuple[_Play, ...]]
_LINES = msgspec.json.Decoder(_Line)


class PlaysFile(JournalFile[PlaysEntry]):
    """The journal of plays in Stash."""

    name = "plays"

    def encoded(self, entry: PlaysEntry) -> bytes:
        """The JSON of an entry."""
        values = (entry.kind, entry.number, entry.at, entry.scene, entry.created_at, entry.updated_at)
        return msgspec.json.encode((*values, [_written(moment, play) for moment, play in entry.plays.items()]))

    def decoded(self, json: bytes, salt: bytes) -> PlaysEntry | None:  # noqa: ARG002 - nothing here is hashed
        """The entry in this JSON; None if it is no entry."""
        try:
            kind, number, at, scene, created_at, updated_at, plays = _LINES.decode(json)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None
        return PlaysEntry(kind, number, at, scene, created_at, updated_at, {play[0]: _play(play) for play in plays})


def _written(moment: int, play: RememberedPlay | None) -> tuple[object, ...]:
    if play is None:
        return (moment, "", "", "", 0, 0, False)
    source = play.source
    return (moment, play.state, source.item, source.history_key, play.tries, play.rows_before, play.undo)


def _play(values: _Play) -> RememberedPlay | None:
    _, state, item, history_key, tries, rows_before, undo = values
    if not state:
        return None
    return RememberedPlay(PlaySource(item, history_key), PlayState(state), tries, rows_before, undo=undo)

"""The marks of scenes with fields that you keep in Plex, by which they are listed. The memories decide."""

from collections.abc import Sequence

from plexsync.rules.drift import kept_fields
from plexsync.rules.plan_records import Memory
from plexsync.store.database import Writer


def mark_kept(tx: Writer, saved: Sequence[tuple[int, str, Memory]], *, now: int) -> None:
    """Mark the scenes of these saved memories (scene, item key, memory) that keep a field, and unmark the others."""
    if not saved:
        return
    keeping = {id for id, _, memory in saved if kept_fields(memory)}
    if keeping:
        tx.notes.mark_kept(sorted(keeping), now=now)
    if marked := tx.notes.kept_among(sorted({id for id, *_ in saved} - keeping)):
        still = {id for (id, _), memory in tx.memories.of(marked).items() if kept_fields(memory)}
        tx.notes.end_kept([id for id in marked if id not in still])

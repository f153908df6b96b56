"""A library begins to ask PlexSync, or no longer does: its scenes are inspected again, and their locks change with it.

While a library asks, the fields that Plex asks for have no lock, since Plex keeps a locked one. Otherwise PlexSync writes
them, and locks them.
"""

from collections.abc import Mapping
from dataclasses import replace

from plexsync.rules.item import is_lockless, is_provided
from plexsync.rules.merge.plan_records import Memory, Remembered
from plexsync.rules.merge.values import Held
from plexsync.rules.provider.standing import ON
from plexsync.rules.queue.job import Kind, Why
from plexsync.store.database import Writer
from plexsync.store.ledger.provider_memory import ProviderRow


def start_asking(tx: Writer, library: ProviderRow, *, now: int) -> None:
    """From now on the library asks: PlexSync's locks on what it asks for are taken off."""
    tx.providers.save(replace(library, state=ON))
    want_scenes(tx, library, now)


def stop_asking(tx: Writer, library: ProviderRow, *, now: int) -> None:
    """From now on PlexSync writes all fields of the library, under its locks; nothing else is remembered of it."""
    tx.memories.rewrite_all(library.library, library.section, lambda _document: True, as_locked)
    tx.providers.forget(library.library)
    want_scenes(tx, library, now)


def as_locked(memory: Memory) -> Memory:
    """The memory of an item as if its fields had had locks: they are missing, and are set again."""
    locked: Mapping[str, Remembered] = {
        name: replace(past, left=Held(past.left.value, locked=True))
        for name, past in memory.items()
        if is_provided(name) and not is_lockless(name) and past.said and not past.undone and not past.left.locked
    }
    return {**memory, **locked}


def want_scenes(tx: Writer, library: ProviderRow, now: int) -> None:
    """Inspect the scenes that have an item in the library, behind all edits. Others may wait for your yes."""
    for id in tx.memories.scenes_in(library.library, library.section):
        tx.jobs.want(Kind.SCENE, id, Why.SWEEP, now, behind=True)

"""Leaving scenes alone for good, and syncing them again. Nothing here asks a server."""

from collections.abc import Iterable

from plexsync.rules.clock import Clock
from plexsync.rules.job import Kind, Why
from plexsync.store.database import Database


def ignore_scenes(store: Database, ids: Iterable[int], clock: Clock) -> list[int]:
    """Ignore these scenes from now on. Returns those that were not ignored already."""
    now = clock.now()
    with store.writing() as tx:
        ignored = [id for id in dict.fromkeys(ids) if tx.jobs.ignore(Kind.SCENE, id, now=now)]
        for id in ignored:
            tx.notes.end_held_ignore(id)
    return ignored


def unignore_scenes(store: Database, ids: Iterable[int], clock: Clock) -> list[int]:
    """Stop ignoring these scenes. Returns those that were ignored, or may have been (`ignored_another`)."""
    now = clock.now()
    unignored: list[int] = []
    with store.writing() as tx:
        for id in dict.fromkeys(ids):
            if tx.notes.end_held_ignore(id):
                tx.jobs.want(Kind.SCENE, id, Why.USER, now)
                unignored.append(id)
            elif tx.jobs.unignore(Kind.SCENE, id, now=now):
                unignored.append(id)
    return unignored

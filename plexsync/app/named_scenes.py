"""Scenes that you name by their numbers: Stash is asked first whether it has them, so that no number stands for nothing."""

from collections.abc import Iterable
from dataclasses import replace
from functools import partial

from plexsync.app.known_scenes import NamedScenes, existing_scenes, known_in
from plexsync.app.parts import Parts
from plexsync.engine.tickets import READ_STASH, Closed
from plexsync.flows.scenes.undo_marks import resting


def named_scenes(parts: Parts, ids: Iterable[int]) -> NamedScenes:
    """Look these scenes up in Stash, with a short timeout and if its gate is open, and in the database."""
    named, existing = tuple(dict.fromkeys(ids)), None
    answer = parts.gates.admit(READ_STASH) if named else None
    if isinstance(answer, Closed):
        away = answer.reason
    else:
        existing, away = existing_scenes(parts, named, partial(parts.gates.ask, READ_STASH, of_all=True))
    with parts.store.reading() as db:
        return replace(known_in(db, named, existing, away), undone=resting(db, named))

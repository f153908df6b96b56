"""Notes of the settings that decide what Plex should show: those of the last comparison, and that others are in use."""

import logging
from collections.abc import Iterable
from datetime import datetime

from plexsync.flows.scenes.inspection_records import Inspection, Target
from plexsync.rules.memory import is_as_left
from plexsync.rules.note_keys import ASKED_SETTINGS, CHANGED, IN_USE, LAST_RUN, WISHES
from plexsync.rules.setting_question import read
from plexsync.rules.values import held
from plexsync.store.database import Database, Writer

log = logging.getLogger("PlexSync.compare")


def note_changed(store: Database, wishes: str, in_use: str) -> None:
    """Schedule a full comparison if the settings differ from those of the last one.

    The first worker on a database only stores the settings.
    """
    with store.reading() as db:
        noted, prints = db.notes.text(WISHES), db.notes.text(IN_USE)
        question = read(db.notes.text(ASKED_SETTINGS))
    if question and question.wishes != wishes:
        with store.writing() as tx:
            tx.notes.save(ASKED_SETTINGS, "")
    if noted not in (CHANGED, wishes, ""):
        log.info("settings that decide what is synced have changed: a full comparison is due")
        with store.writing() as tx:
            tx.notes.save(WISHES, CHANGED)
    elif noted != CHANGED and (noted, prints) != (wishes, in_use):
        with store.writing() as tx:
            note_compared(tx, wishes, in_use)


def note_compared(tx: Writer, wishes: str, in_use: str) -> None:
    """Note that Plex was compared with these settings. Nothing waits for your yes any more."""
    tx.notes.save(WISHES, wishes)
    tx.notes.save(IN_USE, in_use)
    tx.notes.save(ASKED_SETTINGS, "")


def held_back(tx: Writer, sights: Iterable[Inspection]) -> set[int]:
    """The scenes that only changed settings would write: not edited in Stash since the last comparison, nor in Plex."""
    last = tx.notes.number(LAST_RUN) or 0
    return {
        sight.id
        for sight in sights
        if sight.scene is not None
        and sight.scene.updated_at
        and datetime.fromisoformat(sight.scene.updated_at).timestamp() * 1000 < last
        and not (sight.undone or sight.take_over)
        and any(target.plan.edit for target in sight.targets)
        and all(map(_is_as_left, sight.targets))
    }


def _is_as_left(target: Target) -> bool:
    """Whether Plex has what PlexSync left in each field that would be written, or PlexSync never wrote it."""
    return all(
        name not in target.memory or is_as_left(name, held(target.item, name), target.memory[name])
        for name in target.plan.edit
    )

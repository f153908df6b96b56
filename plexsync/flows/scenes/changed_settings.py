"""Notes of the settings that decide what Plex should show: those of the last comparison, and that others are in use."""

import logging

from plexsync.rules.note_keys import ASKED_SETTINGS, CHANGED, IN_USE, WISHES
from plexsync.rules.setting_question import read
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

"""What you switch on and off at run time: the worker inside Stash, and the first write of a whole library."""

from pathlib import Path

from plexsync.app.parts import Parts
from plexsync.rules.queue.note_keys import ASKED_SETTINGS, BULK, CHANGED, LAST_RECONCILE, REPAIRED, RESTORED, WISHES
from plexsync.rules.queue.setting_question import SettingQuestion, open_question
from plexsync.store import intake
from plexsync.store.database import Reader
from plexsync.store.queue.notes import number_in


def switched_inside(parts: Parts) -> str:
    """How the worker inside Stash is switched, in the words of the intake."""
    with parts.store.reading() as db:
        return db.notes.text(intake.INSIDE)


def off_inside(folder: Path) -> bool:
    """Whether the worker inside Stash is switched off, or replaced; False if the database in `folder` can't be read."""
    return intake.read_switch(str(folder), unknown=intake.ON) in (intake.OFF, intake.AGAIN)


def back_inside(folder: Path) -> None:
    """Note that the worker inside Stash runs, unless it was switched off meanwhile. It holds the worker's lock."""
    if intake.read_switch(str(folder)) in (intake.LEFT, intake.AGAIN, intake.AWAY):
        intake.switch(str(folder), intake.ON)


def leave_inside(parts: Parts, *, idle: bool = True, value: str = intake.LEFT) -> bool:
    """Note that the worker inside Stash ends; False, and nothing is noted, if it was switched off meanwhile.

    `idle`: it ends because there is nothing to do; then also False if there is. A later event makes the hook start
    another worker.
    """
    with parts.store.writing() as tx:
        if tx.notes.text(intake.INSIDE) == intake.OFF or (idle and tx.jobs.count_unsettled()):
            return False
        tx.notes.save(intake.INSIDE, value)
        return True


def bulk_approved(parts: Parts) -> bool:
    """Whether you have approved the first full write, in this database or in the one that it was rebuilt from."""
    with parts.store.reading() as db:
        return parts.config.approve_bulk or any(db.notes.text(name) for name in (BULK, REPAIRED))


def approve_bulk(parts: Parts) -> None:
    """Approve the first full write, and the one that changed settings ask for: the whole library may be written."""
    question = asked_settings(parts)
    with parts.store.writing() as tx:
        if question:
            tx.notes.save(ASKED_SETTINGS, question.agreed_to().to_text())
        tx.notes.save(BULK, f"{parts.clock.now()} {question.words if question else ''}".rstrip())


def asked_settings(parts: Parts) -> SettingQuestion | None:
    """The changed settings of which a full comparison waits for your yes; None if none do."""
    with parts.store.reading() as db:
        question = open_question(db.notes.text(ASKED_SETTINGS))
    return question if question and question.wishes == parts.settings.wishes and not parts.config.approve_bulk else None


def waits_for_yes(parts: Parts) -> bool:
    """Whether a full write waits for your yes: the first one, or the one that changed settings ask for."""
    return not bulk_approved(parts) or asked_settings(parts) is not None


def comparison_owed(parts: Parts) -> bool:
    """Whether a full comparison is due regardless of the schedule.

    It is if the database was rebuilt or restored, or if settings that decide what Plex should show have changed, and no
    full comparison has completed since.
    """
    with parts.store.reading() as db:
        return has_lost(db) or db.notes.text(WISHES) == CHANGED


def has_lost(db: Reader) -> bool:
    """Whether the database was rebuilt or restored, and no full comparison has completed since."""
    notes = db.notes.texts((REPAIRED, RESTORED, LAST_RECONCILE))
    repaired, restored, compared = (number_in(text) or 0 for text in notes.values())
    return max(repaired, restored) > compared

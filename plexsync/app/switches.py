"""What you switch on and off at run time: the worker inside Stash, and the first write of a whole library."""

from functools import partial
from pathlib import Path

from plexsync.app.fingerprints import changed_names, prints_of_settings, wishes, words_of_change
from plexsync.app.parts import Parts
from plexsync.engine.tickets import READ_STASH, READS, WRITE_PLEX, Closed
from plexsync.rules.collections.playlists import UnclearTag, children_of
from plexsync.rules.queue.note_keys import (
    ASKED_SETTINGS,
    BULK,
    CHANGED,
    IN_USE,
    LAST_RECONCILE,
    REPAIRED,
    RESTORED,
    WISHES,
)
from plexsync.rules.queue.setting_question import SettingQuestion, read
from plexsync.rules.servers.errors import NeighbourError
from plexsync.store import intake
from plexsync.store.database import Reader, Writer
from plexsync.store.queue.notes import number_in
from validation.config import PlexSyncConfig

TYPE_CHECKING = False
if TYPE_CHECKING:
    from plexsync.app.draft import DraftCount


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
    """Approve the first full write: the whole library may be written."""
    with parts.store.writing() as tx:
        tx.notes.save(BULK, str(parts.clock.now()))


def approve_settings(parts: Parts) -> str:
    """Approve what changed settings write, whether it was counted yet or not; returns why they wait all the same, or ''.

    Nobody can know which playlists another tag deletes while it is unclear, so then there is no yes.
    """
    with parts.store.reading() as db:
        noted = db.notes.texts((WISHES, IN_USE))
    names = changed_names(noted[IN_USE], parts.settings.in_use)
    if not names or noted[WISHES] in ("", parts.settings.wishes):
        return ""
    if problem := _unclear_playlists(parts) if "playlists" in names else "":
        return f"{words_of_change(parts.saved, names)}, and waits: {problem}"
    with parts.store.writing() as tx:
        bring_into_force(tx, parts.settings.in_use)
        tx.notes.save(BULK, f"{parts.clock.now()} {words_of_change(parts.saved, names)}")
    return ""


def ask_before_writing(
    parts: Parts, config: PlexSyncConfig, count: "DraftCount", *, agreed: bool
) -> SettingQuestion | None:
    """Make a complete count the question that these settings wait for, once they are saved; None if they need none.

    `agreed`: you have said yes, knowing the count. A worker that counts by itself would ask the same.
    """
    now, in_use = wishes(config), prints_of_settings(config)
    with parts.store.writing() as tx:
        noted = tx.notes.texts((WISHES, IN_USE))
        names = changed_names(noted[IN_USE], in_use)
        question = count.question(now, words_of_change(config, names)) if names else None
        if question is None or noted[WISHES] == now or parts.config.approve_bulk:
            return None
        if agreed or question.is_small:
            bring_into_force(tx, in_use)
        else:
            tx.notes.save(ASKED_SETTINGS, question.to_text())
    return question


def why_not_now(parts: Parts) -> str:
    """The reason if nothing can be written now; '' if it can."""
    if not bulk_approved(parts):
        return "the first write of the whole library needs your approval: the page Reconcile shows it"
    if parts.settings.work.rests or not parts.someone_works():
        return parts.settings.work.rests or "no worker is running: start plexsync serve"
    answers = map(parts.gates.admit, (*READS, WRITE_PLEX))
    return next((answer.reason for answer in answers if isinstance(answer, Closed)), "")


def bring_into_force(tx: Writer, in_use: str) -> None:
    """Let these settings decide what is written, from now on. A full comparison writes what they change."""
    tx.notes.save(IN_USE, in_use)
    tx.notes.save(ASKED_SETTINGS, "")


def _unclear_playlists(parts: Parts) -> str:
    """The reason if it can't be told which playlists the settings delete; '' if it can."""
    if (rules := parts.settings.playlists) is None:
        return ""
    ask_for_tags = partial(parts.stash.collections.tags_named, rules.parent)
    try:
        children_of(rules.parent, parts.gates.ask(READ_STASH, ask_for_tags, of_all=True))
    except (UnclearTag, NeighbourError) as error:
        return str(error)
    return ""


def asked_settings(parts: Parts) -> SettingQuestion | None:
    """The changed settings of which a full comparison waits for your yes; None if none do."""
    with parts.store.reading() as db:
        question = read(db.notes.text(ASKED_SETTINGS))
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

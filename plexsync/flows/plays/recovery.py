"""Finds out from the journal of plays that the database is from an older moment, and completes its memory."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from plexsync.flows.plays.errands import PlaysErrand, PlaysFinding
from plexsync.flows.scenes.recovery import JournalBeside
from plexsync.rules.job import PLAYS, Why
from plexsync.rules.neighbours import Clock
from plexsync.rules.note_keys import PLAYS_COMPARED, PLAYS_JOURNALLED
from plexsync.rules.play_entries import JournaledPlay, JournaledPlays, PlaysEntry, newest_of
from plexsync.rules.plays import RememberedPlay
from plexsync.rules.scene import Scene, ScenePlays
from plexsync.store.database import Database, Writer
from plexsync.store.plays_file import PlaysFile

log = logging.getLogger("PlexSync.plays")

# Plays by moment; None for one that was forgotten.
Remembered = Mapping[int, RememberedPlay | None]


class PlaysRecovery(JournalBeside[PlaysFile]):
    """The journal of plays: the memory of the plays that the database has lost is then what the journal knows of them.

    `longest`: the milliseconds for which a request can take effect.
    """

    noted = PLAYS_JOURNALLED

    def __init__(self, store: Database, journal: PlaysFile, clock: Clock, longest: int) -> None:
        super().__init__(store, journal, clock)
        self._longest = longest

    def _complete(self, tx: Writer, after: int, *, unknown_only: bool) -> None:
        now = self._clock.now()
        journaled = newest_of(self._journal.entries(after=after), until=now + self._longest)
        if unknown_only:
            journaled = _unknown_only(tx, journaled)
        _save(tx, journaled)
        scenes = sorted({scene for scene, _ in journaled})
        for scene in scenes:
            tx.jobs.want(PLAYS, scene, Why.SWEEP, now, behind=True)
        tx.notes.save(PLAYS_COMPARED, "")
        text = "the database is older than the journal of plays: what was sent to %d scenes is remembered again"
        log.warning(text, len(scenes))

    # --- what is written ---------------------------------------------------------------------------------------------

    def saved(self, tx: Writer, findings: Iterable[PlaysFinding], errands: Mapping[str, Sequence[PlaysErrand]]) -> None:
        """Record what these findings change without a request, and number these errands. Raises LocalFault."""
        learnt = [(finding.watched, finding.plan.resolved) for finding in findings if finding.watched and finding.plan]
        self.has_learnt(tx, [(watched.scene, plays) for watched, plays in learnt if plays])
        sent = [errand for some in errands.values() for errand in some]
        if sent:
            first = self.number(tx, len(sent))
            for number, errand in enumerate(sent, start=first):
                errand.entry_number = number

    def has_learnt(self, tx: Writer, learnt: Sequence[tuple[Scene | ScenePlays, Remembered]]) -> None:
        """Record what is remembered of these plays from now on, without a request. Raises LocalFault."""
        if learnt:
            first = self.number(tx, len(learnt))
            self._append([self._entry("known", first + at, *entry) for at, entry in enumerate(learnt)], sync=False)

    def will_send(self, errands: Sequence[PlaysErrand]) -> None:
        """Record what is about to be sent, on the disk. Raises LocalFault."""
        entries = [self._entry("sent", errand.entry_number, errand.watched.scene, errand.opened) for errand in errands]
        self._append(entries, sync=True)

    def was_answered(self, errands: Sequence[PlaysErrand]) -> None:
        """Record what follows from the answers. Raises LocalFault."""
        entries = [self._entry("known", errand.entry_number, errand.watched.scene, errand.after) for errand in errands]
        self._append(entries, sync=False)

    def _append(self, entries: Sequence[PlaysEntry], *, sync: bool) -> None:
        if entries:
            self._journal.salt()
            self._journal.append(entries, sync=sync)

    def _entry(
        self, kind: Literal["sent", "known"], number: int, scene: Scene | ScenePlays, plays: Remembered
    ) -> PlaysEntry:
        return PlaysEntry(kind, number, self._clock.now(), scene.id, scene.created_at, scene.updated_at, plays)


def _unknown_only(tx: Writer, journaled: JournaledPlays) -> JournaledPlays:
    unknown: JournaledPlays = {}
    for (scene, created_at), plays in journaled.items():
        memory = tx.plays.of({scene: created_at}).get(scene, {})
        unknown[scene, created_at] = {moment: play for moment, play in plays.items() if moment not in memory}
    return unknown


def _save(tx: Writer, journaled: JournaledPlays) -> None:
    """Save these plays: those that were requested in the order of their requests."""
    requested: dict[int, tuple[PlaysEntry, dict[int, RememberedPlay]]] = {}
    for (scene, created_at), plays in journaled.items():
        tx.plays.save(
            scene, created_at, {moment: play.play for moment, play in plays.items() if not _is_requested(play)}
        )
        for moment, play in plays.items():
            if play.request is not None and play.play is not None:
                requested.setdefault(play.request.number, (play.request, {}))[1][moment] = play.play
    for _, (entry, sent) in sorted(requested.items()):
        tx.plays.begin(entry.scene, entry.created_at, entry.updated_at, sent, now=entry.at)


def _is_requested(play: JournaledPlay) -> bool:
    return play.request is not None and play.play is not None

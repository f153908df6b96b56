"""Finds out that the database or Stash was restored from a backup, and what has become of the plays since.

The journal of plays completes the memory of an older database. The rules about an older Stash are in
`plexsync.rules.match.restored_stash`.
"""

import logging
import threading
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Literal

from plexsync.engine.gates import Gates
from plexsync.engine.watching import pages_of
from plexsync.flows.plays.writes import PlaysFinding, WatchWrite
from plexsync.flows.scenes.batch_reads import read_each
from plexsync.flows.scenes.recovery import JournalBeside
from plexsync.rules.match.restored_stash import (
    Tail,
    is_asked_about,
    set_back_scenes,
    tail_of,
    was_set_back,
)
from plexsync.rules.plays.missing_plays import missing_plays, missing_text, with_missing
from plexsync.rules.plays.plays import PlayState, RememberedPlay, SentPlay
from plexsync.rules.plays.viewings import VIEWED
from plexsync.rules.queue.job import PLAYS, Kind, Why
from plexsync.rules.queue.note_keys import PLAYS_COMPARED, PLAYS_JOURNALLED, PLAYS_MISSING, STASH_BACK
from plexsync.rules.scene import Scene, ScenePlays, WatchedScene
from plexsync.rules.servers.errors import Neighbour
from plexsync.rules.servers.neighbours import Clock
from plexsync.stash.watching import StashWatching
from plexsync.store.database import Database, Writer
from plexsync.store.ledger.plays_file import PlaysEntry, PlaysFile

# What a request may still change.
OPEN = (PlayState.ADDING, PlayState.REMOVING)
log = logging.getLogger("PlexSync.plays")

# The number of plays whose scenes are read in one request, and of scenes that can show that Stash is older.
PAGE = 200
WITNESSES = 20
# The number of plays that are looked for with every scene: the scene of the last one may be gone.
LAST = 5
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
        """Remember again what the journal tells, entry by entry."""
        now, scenes, last, was_sent = self._clock.now(), set(), after, False
        known: dict[tuple[int, str], Collection[int]] = {}
        for entry in self._journal.entries(after=after):
            was_sent |= entry.kind == "sent" or entry.number > last + 1
            last = entry.number
            scene = (entry.scene, entry.created_at)
            if scene not in known:
                known[scene] = tx.plays.of(dict([scene])).get(entry.scene, {}).keys() if unknown_only else ()
            plays = {
                moment: _open_anew(play, now + self._longest) if play and play.state in OPEN else play
                for moment, play in entry.plays.items()
                if moment not in known[scene]
            }
            if entry.kind == "sent":
                tx.plays.begin(*scene, entry.updated_at, plays, now=entry.at)
            else:
                tx.plays.save(*scene, plays)
            scenes.add(entry.scene)
        if was_sent:
            # Of what was played, only a part may be unsent. What was only learnt is also told by a transaction that failed.
            tx.viewings.settle_all()
            tx.play_times.settle_all()
        tx.jobs.want_all(PLAYS, scenes, Why.SWEEP, now, behind=True)
        tx.notes.save(PLAYS_COMPARED, "")
        text = "the database is older than the journal of plays: what was sent to %d scenes is remembered again"
        log.warning(text, len(scenes))

    # --- what is written ---------------------------------------------------------------------------------------------

    def save(self, tx: Writer, findings: Iterable[PlaysFinding], writes: Mapping[str, Sequence[WatchWrite]]) -> None:
        """Record what these findings change without a request, and number these writes. Raises LocalFault."""
        learnt = [(finding.watched, finding.plan.resolved) for finding in findings if finding.watched and finding.plan]
        self.has_learnt(tx, [(watched.scene, plays) for watched, plays in learnt if plays])
        sent = [write for some in writes.values() for write in some]
        if sent:
            first = self.number(tx, len(sent))
            for number, write in enumerate(sent, start=first):
                write.entry_number = number

    def has_learnt(self, tx: Writer, learnt: Sequence[tuple[Scene | ScenePlays, Remembered]]) -> None:
        """Record what is remembered of these plays from now on, without a request. Raises LocalFault."""
        if learnt:
            first = self.number(tx, len(learnt))
            self._append("known", [(first + at, *entry) for at, entry in enumerate(learnt)], sync=False)

    def will_send(self, writes: Sequence[WatchWrite]) -> None:
        """Record what is about to be sent, on the disk. Raises LocalFault."""
        entries = [(write.entry_number, write.watched.scene, write.opened) for write in writes]
        self._append("sent", entries, sync=True)

    def was_answered(self, writes: Sequence[WatchWrite]) -> None:
        """Record what follows from the answers. Raises LocalFault."""
        entries = [(write.entry_number, write.watched.scene, write.after) for write in writes]
        self._append("known", entries, sync=False)

    def _append(
        self,
        kind: Literal["sent", "known"],
        entries: Sequence[tuple[int, Scene | ScenePlays, Remembered]],
        *,
        sync: bool,
    ) -> None:
        if entries:
            now = self._clock.now()
            self._journal.salt()
            lines = [
                PlaysEntry(kind, number, now, scene.id, scene.created_at, scene.updated_at, plays)
                for number, scene, plays in entries
            ]
            self._journal.append(lines, sync=sync)


def _open_anew(play: RememberedPlay, until: int) -> RememberedPlay:
    """A play whose request may take effect until then. One of a viewing is wanted although the viewing may be lost."""
    is_viewed = play.state is PlayState.ADDING and play.source.history_key == VIEWED
    return replace(play, until=until, tries=0 if is_viewed else play.tries)


class StashRestores:
    """Watches the plays that PlexSync added last: if these are missing in Stash, what has become of all that are.

    Nothing may be added before the last play was looked for, since one that is added after a restore would end the tail.
    Safe to call from several threads.
    """

    def __init__(
        self, store: Database, stash: StashWatching, recovery: PlaysRecovery, gates: Gates, clock: Clock
    ) -> None:
        self._store, self._stash, self._recovery, self._clock = store, stash, recovery, clock
        self._gates = gates
        self._lock = threading.Lock()

    def last_scenes(self) -> set[int]:
        """The scenes of the last plays, to be read together with others."""
        with self._store.reading() as db:
            return {play.scene for play in db.plays.last_sent(LAST)}

    def ensure(self, watched: Mapping[int, WatchedScene]) -> None:
        """Decide about missing plays if one of these scenes, among them the last ones, lacks one. Raises NeighbourError."""
        scenes = {id: watching.brief for id, watching in watched.items()}
        with self._store.reading() as db:
            last = db.plays.last_sent(LAST)
            memory = db.plays.of({id: scene.created_at for id, scene in scenes.items()})
        tail = tail_of(last, scenes)
        is_missing = any(
            play.state is PlayState.SENT and not play.undone and moment not in scenes[id].plays
            for id, plays in memory.items()
            for moment, play in plays.items()
        )
        if is_missing or tail.missing or (last and not tail.is_whole):
            self.check()

    def check(self) -> bool:
        """Look for the plays that were added last, and decide about those that are missing.

        With evidence that Stash was restored they are added again, else they were deleted. True if any were missing.
        Raises NeighbourError.
        """
        with self._lock:
            with self._store.reading() as db:
                noted = db.notes.text(STASH_BACK)
                marks = db.poll_marks.newest(Kind.SCENE, limit=WITNESSES)
            times = {mark.id: mark.updated_at for mark in marks} | set_back_scenes(noted)
            tail, scenes = self._read_tail(times)
            is_set_back = any(was_set_back(scenes[id], updated_at) for id, updated_at in times.items() if id in scenes)
            if noted or tail.missing:
                with self._store.writing() as tx:
                    self._decide(tx, tail.missing, scenes, is_lost=tail.is_lost or is_set_back)
                    tx.notes.save(STASH_BACK, "")
            return bool(tail.missing)

    def _read_tail(self, times: Mapping[int, str]) -> tuple[Tail, dict[int, ScenePlays]]:
        """The tail, and the scenes that were read for it: also the first of those with a noted time."""
        sent: list[SentPlay] = []
        scenes: dict[int, ScenePlays] = {}
        unread, tail = set(times), Tail()
        for page in pages_of(self._store, lambda db, before: db.plays.last_sent(PAGE, before=before), None):
            unread |= {play.scene for play in page} - scenes.keys()
            scenes |= self.read(unread)
            sent += page
            unread = set()
            tail = tail_of(sent, scenes)
            if tail.is_whole:
                break
        return tail, scenes

    def read(self, ids: Collection[int]) -> dict[int, ScenePlays]:
        """The plays of these scenes in Stash, without those that can't be read. Raises NeighbourError if none can."""
        answers = read_each(self._gates, Neighbour.STASH, self._stash.only_plays, ids)
        return {id: answer for id, answer in answers.items() if isinstance(answer, ScenePlays)}

    def _decide(
        self, tx: Writer, missing: Sequence[SentPlay], scenes: Mapping[int, ScenePlays], *, is_lost: bool
    ) -> None:
        moments: dict[int, list[int]] = {}
        for play in missing:
            moments.setdefault(play.scene, []).append(play.moment)
        memory = tx.plays.of({id: scenes[id].created_at for id in moments})
        now = self._clock.now()
        for id, some in moments.items():
            plays = {moment: memory[id][moment] for moment in some if moment in memory.get(id, {})}
            # Whether one that was lost is there now, is unknown again. What another process has changed meanwhile stays.
            state = PlayState.ADDING if is_lost else PlayState.DELETED
            decided = {
                moment: RememberedPlay(play.source, state)
                for moment, play in plays.items()
                if play.state is PlayState.SENT and not play.undone
            }
            tx.plays.save(id, scenes[id].created_at, decided)
            self._recovery.has_learnt(tx, [(scenes[id], decided)])
            tx.jobs.want(PLAYS, id, Why.SWEEP, now, behind=True)
        if missing and is_lost:
            log.warning("Stash was restored from a backup: %d plays are added again", len(missing))
        elif is_asked_about(missing):
            together = with_missing(missing, missing_plays(tx.notes.text(PLAYS_MISSING)), now=now)
            tx.notes.save(PLAYS_MISSING, missing_text(together))
            log.warning(
                "%d plays that PlexSync added are missing in Stash: deleted by you, or was Stash restored?"
                " They count as deleted; if Stash was restored: %s",
                together.count,
                together.command,
            )

"""Asks you before many scenes are treated as gone from Stash at once.

An empty database, a wrong one, or a backup of last year: scenes that vanish together are most likely still wanted. So
before a scene counts as gone, the number of scenes in Stash is compared with those that were there when last seen. If
too many are missing (`plexsync.rules.losses`), Stash is on hold until they are back or you accept their loss. Scenes
that became gone within the last day count as well, so that many small losses are one. A scene of an accepted loss that
is back can be lost again only by another question.

Nothing is requested while no scene is missing.
"""

import logging
from collections.abc import Collection, Sequence
from functools import partial

from plexsync.engine.gates import Gates
from plexsync.engine.tickets import READ_STASH
from plexsync.rules.choices import ACCEPTED, Choice, remedy
from plexsync.rules.errors import Barred, Neighbour
from plexsync.rules.losses import AcceptedLoss, accepted_loss, is_large
from plexsync.rules.neighbours import Clock, Stash
from plexsync.rules.note_keys import SCENES_LOST
from plexsync.rules.records import LAST_ID
from plexsync.store.database import Database

log = logging.getLogger("PlexSync.losses")

NOTE = ACCEPTED + Choice.SCENES_GONE


class SceneLosses:
    """The scenes that one Stash has lost."""

    def __init__(self, store: Database, stash: Stash, gates: Gates, clock: Clock) -> None:
        self._store = store
        self._stash = stash
        self._gates = gates
        self._clock = clock

    def known_among(self, ids: Collection[int]) -> frozenset[int]:
        """Those of these scenes that were in Stash when last seen."""
        with self._store.reading() as db:
            return frozenset(db.standings.of(ids))

    def ensure(self, ids: Collection[int]) -> None:
        """Raise Barred if Stash has lost too many scenes, among them these; or another NeighbourError.

        Costs one request if any of them was there when last seen, else none.
        """
        if ids and (lost := self.known_among(ids)):
            self._ensure(len(lost))

    def ensure_range(self, present: Collection[int], *, after: int, upto: int = LAST_ID) -> None:
        """As `ensure`, for the scenes with an id above `after`, up to `upto`. `present` are all of Stash in this range."""
        with self._store.reading() as db:
            lost = db.standings.count_missing(present, after=after, upto=upto)
        if lost:
            self._ensure(lost)

    def existing(self, ids: Sequence[int]) -> frozenset[int]:
        """Those of these scenes that Stash has, in one request. Raises as `ensure`."""

        def ask() -> frozenset[int]:
            scenes, count = self._stash.existing(ids)
            self._judge(0, count)
            return scenes

        return self._gates.ask(READ_STASH, ask, of_all=True)

    def check(self) -> None:
        """Raise Barred while a hold waits for scenes that are still missing and that you have not given up.

        A hold of any other cause costs no request.
        """
        with self._store.reading() as db:
            hold = db.holds.find(Neighbour.STASH)
            is_accepted = bool(db.notes.text(NOTE))
        if hold is None or hold.choice != Choice.SCENES_GONE:
            return
        missing = self._count_missing()
        if is_accepted:
            self._accept(missing)
        self._judge(missing, since=hold.since)

    def follow(self, *, compared: int = 0, present: int | None = None) -> None:
        """Take scenes that are back out of the loss that you accepted. Costs no request.

        `present`: how many scenes a comparison has met that began at the time `compared`.
        """
        with self._store.reading() as db:
            accepted = accepted_loss(db.notes.text(SCENES_LOST))
            if not accepted.count:
                return
            gone = db.jobs.count_lost(since=accepted.at)
            missing = None
            if present is not None and compared >= accepted.at:
                missing = max(0, db.standings.count() - present)
        if (followed := accepted.followed(gone, missing)) != accepted:
            with self._store.writing() as tx:
                tx.notes.save(SCENES_LOST, followed.text())

    def _ensure(self, lost: int) -> None:
        self._gates.ask(READ_STASH, partial(self._ask, lost), of_all=True)

    def _ask(self, lost: int) -> None:
        with self._store.reading() as db:
            is_accepted = bool(db.notes.text(NOTE))
        if is_accepted:
            self._accept(self._count_missing())
        _, count = self._stash.existing(())
        self._judge(lost, count)

    def _count_missing(self) -> int:
        """How many scenes are missing that were there when last seen."""
        missing = after = 0
        for page in self._stash.walk_ids():
            upto = page[-1][0]
            with self._store.reading() as db:
                missing += db.standings.count_missing([id for id, _ in page], after=after, upto=upto)
            after = upto
        with self._store.reading() as db:
            return missing + db.standings.count_missing((), after=after)

    def _judge(self, lost: int, count: int | None = None, *, since: int | None = None) -> None:
        """Raise Barred if too many are missing: at least `lost`, and at least as many as Stash has fewer than it had.

        `since`: when the hold began. What had become gone by then does not grow old meanwhile.
        """
        self.follow()
        now = self._clock.now()
        with self._store.reading() as db:
            size = db.standings.count()
            accepted = accepted_loss(db.notes.text(SCENES_LOST))
            recent = db.jobs.count_lost(since=accepted.begins(now if since is None else since))
        fewer = lost if count is None else size - count
        if accepted.is_over(now, recent):
            accepted, recent = AcceptedLoss(now), 0
            self._save(accepted)
        vanished = recent + max(lost, fewer) - accepted.count
        before = max(size + recent - accepted.count, vanished)
        if is_large(vanished, before):
            raise Barred(
                Neighbour.STASH,
                f"{vanished:,} of {before:,} scenes are gone from Stash: nothing is forgotten or undone. Go back to the"
                f" database that has them, or accept that they are gone ({remedy(Choice.SCENES_GONE)})",
                setting="stash_url",
                choice=Choice.SCENES_GONE,
            )

    def _accept(self, missing: int) -> None:
        self._save(AcceptedLoss(self._clock.now(), missing))
        log.warning("the loss of %d scenes was accepted", missing)

    def _save(self, loss: AcceptedLoss) -> None:
        with self._store.writing() as tx:
            tx.notes.save(SCENES_LOST, loss.text())
            tx.notes.save(NOTE, "")

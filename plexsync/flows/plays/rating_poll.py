"""Finds scenes whose rating has moved: by Plex's list of what was rated last, and when their scene is inspected."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from plexsync.engine.gates import Gates
from plexsync.engine.server_identity import ServerIdentity
from plexsync.engine.tickets import READ_PLEX
from plexsync.flows.plays.history_poll import CROWD
from plexsync.flows.plays.ratings import bases_of, save_bases
from plexsync.flows.scenes.inspection_records import Inspection
from plexsync.rules.errors import NeighbourError
from plexsync.rules.job import RATING, Why
from plexsync.rules.neighbours import Clock, PlexWatch
from plexsync.rules.ratings import NO_RATING, RatingRules, RememberedRating, item_rating, plex_rating, stash_rating
from plexsync.rules.records import SectionRow
from plexsync.rules.status_words import DOWN
from plexsync.store.database import Database, Writer

log = logging.getLogger("PlexSync.ratings")

# The note of the second up to which the ratings of a library are read.
RATED_SINCE = "ratings:since:"
# The number of items that are read of each library at each poll.
PAGE = 500


@dataclass(eq=False)
class RatingPoll:
    """Queues the ratings that have moved in Plex or in Stash."""

    _store: Database
    _plex: PlexWatch
    _gates: Gates
    _clock: Clock
    _identity: ServerIdentity
    _rules: RatingRules

    # --- Plex --------------------------------------------------------------------------------------------------------

    def poll(self) -> str:
        """Read what was rated since the last time, with one request per library; returns why that is not possible, or ''.

        What a Plex does not list, the comparison of its item finds.
        """
        if not self._gates.is_open(READ_PLEX):
            return f"Plex is {DOWN}"
        try:
            self._identity.ensure(self._gates)
            with self._store.reading() as db:
                rows = db.sections.all()
            synced = self._rules.sections(rows)
            for row in rows:
                if row.key in synced:
                    self._read(row)
        except NeighbourError as error:
            log.debug("ratings can't be read: %s", error)
            return str(error)
        return ""

    def _read(self, row: SectionRow) -> None:
        """Queue the scenes of the items whose rating is another one than when they were last in step."""
        note = f"{RATED_SINCE}{row.uuid or row.key}"
        with self._store.reading() as db:
            since = db.notes.number(note) or 0
        rated = self._gates.ask(READ_PLEX, partial(self._plex.rated, row.key, since=since, limit=PAGE))
        if not rated:
            return
        ratings = {item.key: plex_rating(item.rating) for item in rated}
        with self._store.writing() as tx:
            last_ratings = tx.ratings.in_plex(list(ratings))
            moved = [key for key, rating in ratings.items() if last_ratings.get(key) != rating]
            scenes = tx.index.scenes_of(moved)
            tx.jobs.want_all(RATING, scenes, Why.EDIT, self._clock.now(), behind=len(scenes) > CROWD)
            tx.notes.save(note, str(rated[-1].at))

    # --- inspections -------------------------------------------------------------------------------------------------

    def observe(self, tx: Writer, sights: Sequence[Inspection], now: int) -> None:
        """Queue the ratings of inspected scenes that have moved on either side; remember those that are in step.

        A scene that is undone has its ratings as they are, and begins anew when it is synced again.
        """
        if undone := [sight.id for sight in sights if sight.undone]:
            tx.ratings.forget(undone)
        inspected = {sight.scene.id: (sight.scene, sight) for sight in sights if sight.scene and sight.targets}
        inspected = {id: entry for id, entry in inspected.items() if id not in undone}
        if not inspected:
            return
        synced = self._rules.sections(tx.sections.all())
        bases = bases_of(tx, [scene for scene, _ in inspected.values()])
        for id, (scene, sight) in inspected.items():
            stash = stash_rating(scene.rating100)
            plex = {
                target.item.key: item_rating(target.item) for target in sight.targets if target.item.section in synced
            }
            if any(_differs(bases.get((id, key)), stash, item.value) for key, item in plex.items()):
                tx.jobs.want(RATING, id, Why.SWEEP, now)
            elif stash != NO_RATING:
                in_step = RememberedRating(stash, changed_at=now)
                rows = {
                    # With a time, an older rating is known as that of a restored Plex. The scene flow has none.
                    key: replace(bases.get((id, key), replace(in_step, plex=item.value)), rated_at=item.rated_at)
                    for key, item in plex.items()
                    if (id, key) not in bases or bases[id, key].rated_at == 0 < item.rated_at
                }
                if rows:
                    save_bases(tx, scene, rows)


def _differs(base: RememberedRating | None, stash: int, plex: int) -> bool:
    """Whether one of the two has moved, or the rating is not settled."""
    if base is None:
        return stash != plex
    return (base.stash, base.plex) != (stash, plex) or bool(base.pending) or bool(base.undone)

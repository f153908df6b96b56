"""Your wishes for plays: those that they concern, and what is remembered from then on.

A wish is made like a request to undo (`plexsync.engine.undo`): it sends nothing. In one transaction it changes what is
remembered of a scene's plays and queues the scene. A worker that holds the scene loses it, and looks again.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from plexsync.engine.gates import Gates
from plexsync.engine.tickets import READ_STASH
from plexsync.engine.watching import pages_of
from plexsync.flows.plays.recovery import PlaysRecovery
from plexsync.flows.scenes.batch_reads import read_each
from plexsync.rules.plays.play_wishes import PlayWish
from plexsync.rules.queue.job import PLAYS
from plexsync.rules.record_class import record
from plexsync.rules.records import LAST_ID
from plexsync.rules.scene import WatchedScene
from plexsync.rules.servers.errors import Neighbour
from plexsync.stash.watching import StashWatching
from plexsync.store.database import Database, Reader, Writer

# The number of scenes of which the plays are read together.
PAGE = 1_000


@dataclass(eq=False)
class WishForPlays:
    """The `plexsync.engine.undo.Undoing` of a wish for the plays of a scene from `since` `until` then (UTC ms).

    `only_resume`: for its resume point alone.

    `plays` counts the plays that it was made for, `resume_points` the resume points, and `play_times` the play times. The
    last two have no moment of their own: a wish for the plays since a moment leaves them alone.
    """

    kind = PLAYS

    _stash: StashWatching
    _gates: Gates
    _recovery: PlaysRecovery
    _wish: PlayWish
    since: int = field(default=0, kw_only=True)
    until: int = field(default=LAST_ID, kw_only=True)
    only_resume: bool = field(default=False, kw_only=True)
    plays: int = field(default=0, init=False)
    resume_points: int = field(default=0, init=False)
    play_times: int = field(default=0, init=False)

    def recall(self, ids: Sequence[int]) -> Mapping[int, object]:
        """Read these scenes: the memory of a play belongs to the scene that was created at its time."""
        self._recovery.check()
        self._gates.enter(READ_STASH)
        return read_each(self._gates, Neighbour.STASH, self._stash.watched_scenes, ids)

    def undo(self, tx: Writer, id: int, recalled: object, mark: str, *, now: int) -> bool:  # noqa: ARG002 - the protocol of flows
        """Change what is remembered of the plays of a scene. False if the wish concerns none of them."""
        if not isinstance(recalled, WatchedScene):
            return False
        created_at = recalled.scene.created_at
        plays = (
            {} if self.only_resume else tx.plays.of({id: created_at}, since=self.since, until=self.until).get(id, {})
        )
        chosen = self._wish.choose(plays)
        if chosen:
            seconds = max((file.duration for file in recalled.scene.files), default=0.0)
            remembered = {**chosen, **self._wish.twins(plays, recalled.plays, seconds=seconds)}
            tx.plays.save(id, created_at, remembered)
            self._recovery.has_learnt(tx, [(recalled.scene, remembered)])
        self.plays += len(chosen)
        resume = tx.watches.of({id: created_at}).get(id)
        changed = self._wish.resume(resume) if resume and not self.since else None
        if changed:
            tx.watches.save(id, created_at, changed)
            self.resume_points += 1
        time = tx.play_times.of({id: created_at}).get(id)
        wished = self._wish.time(time) if time and not (self.since or self.only_resume) else None
        if wished:
            tx.play_times.save(id, created_at, wished)
            self.play_times += 1
        return bool(chosen or changed or wished)


@record
class Wished:
    """What a wish concerns of a scene: the moments of plays, and whether its resume point and its play time."""

    plays: tuple[int, ...] = ()
    resume: bool = False
    time: bool = False


def wished_plays(
    store: Database, wish: PlayWish, *, scenes: Sequence[int] | None = None, since: int = 0, until: int = LAST_ID
) -> dict[int, Wished]:
    """What a wish concerns, by scene: of all scenes, or of these."""

    def read_page(db: Reader, last: int) -> list[int]:
        tables = (db.plays, db.watches, db.play_times)
        return sorted({id for table in tables for id in table.scenes(after=last, limit=PAGE)})[:PAGE]

    pages: Iterable[Sequence[int]] = pages_of(store, read_page, 0)
    if scenes is not None:
        pages = [scenes[start : start + PAGE] for start in range(0, len(scenes), PAGE)]
    wished: dict[int, Wished] = {}
    for page in pages:
        with store.reading() as db:
            plays = db.plays.of_ids(page, since=since, until=until)
            resume = {} if since else db.watches.of_ids(page)
            times = {} if since else db.play_times.of_ids(page)
        for id in page:
            moments = tuple(sorted(wish.choose(plays.get(id, {}))))
            concerns_resume = id in resume and wish.resume(resume[id]) is not None
            concerns_time = id in times and wish.time(times[id]) is not None
            if moments or concerns_resume or concerns_time:
                wished[id] = Wished(moments, concerns_resume, concerns_time)
    return wished

"""Your wishes for plays: those that they concern, and what is remembered from then on.

A wish is made like a request to undo (`plexsync.engine.undo`): it sends nothing. In one transaction it changes what is
remembered of a scene's plays and queues the scene. A worker that holds the scene loses it, and looks again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from plexsync.engine.gates import Gates
from plexsync.engine.tickets import READ_STASH
from plexsync.flows.plays.recovery import PlaysRecovery
from plexsync.flows.scenes.batch_reads import BatchReader
from plexsync.rules.errors import Neighbour
from plexsync.rules.job import PLAYS
from plexsync.rules.neighbours import StashWatch
from plexsync.rules.play_wishes import PlayWish
from plexsync.rules.scene import WatchedScene
from plexsync.store.database import Database, Writer

# The number of scenes of which the plays are read together.
PAGE = 1_000


class WishForPlays:
    """The `plexsync.engine.undo.Undoing` of a wish for all plays of a scene, or for those since `since` (UTC ms).

    `only_resume`: for its resume point alone.

    `plays` counts the plays that it was made for, and `resume_points` the resume points, which have no moment of their own:
    a wish for the plays since a moment leaves them alone.
    """

    kind = PLAYS

    def __init__(
        self,
        stash: StashWatch,
        gates: Gates,
        recovery: PlaysRecovery,
        wish: PlayWish,
        *,
        since: int = 0,
        only_resume: bool = False,
    ) -> None:
        self._stash = stash
        self._gates = gates
        self._recovery = recovery
        self._wish = wish
        self._since = since
        self._only_resume = only_resume
        self.plays = 0
        self.resume_points = 0

    def recall(self, ids: Sequence[int]) -> Mapping[int, object]:
        """Read these scenes: the memory of a play belongs to the scene that was created at its time."""
        self._recovery.check()
        self._gates.enter(READ_STASH)
        return BatchReader(self._gates).read(Neighbour.STASH, self._stash.watched, ids)

    def undo(self, tx: Writer, id: int, recalled: object, mark: str, *, now: int) -> bool:  # noqa: ARG002 - the protocol of flows
        """Change what is remembered of the plays of a scene. False if the wish concerns none of them."""
        if not isinstance(recalled, WatchedScene):
            return False
        created_at = recalled.scene.created_at
        plays = {} if self._only_resume else tx.plays.of({id: created_at}, since=self._since).get(id, {})
        chosen = self._wish.chosen(plays)
        tx.plays.save(id, created_at, chosen)
        if chosen:
            self._recovery.has_learnt(tx, [(recalled.scene, chosen)])
        self.plays += len(chosen)
        resume = tx.watches.of({id: created_at}).get(id)
        changed = self._wish.resume(resume) if resume and not self._since else None
        if changed:
            tx.watches.save(id, created_at, changed)
            self.resume_points += 1
        return bool(chosen or changed)


@dataclass(frozen=True)
class Wished:
    """What a wish concerns of a scene: the moments of plays, and whether its resume point."""

    plays: tuple[int, ...] = ()
    resume: bool = False


def wished_plays(
    store: Database, wish: PlayWish, *, scenes: Sequence[int] | None = None, since: int = 0
) -> dict[int, Wished]:
    """What a wish concerns, by scene: of all scenes, or of these."""
    chosen: dict[int, Wished] = {}
    if scenes is not None:
        for start in range(0, len(scenes), PAGE):
            chosen |= _chosen(store, wish, scenes[start : start + PAGE], since)
        return chosen
    last = 0
    while True:
        with store.reading() as db:
            resumed = db.watches.scenes(after=last, limit=PAGE)
            page = sorted({*db.plays.scenes(after=last, limit=PAGE), *resumed})[:PAGE]
        if not page:
            return chosen
        chosen |= _chosen(store, wish, page, since)
        last = page[-1]


def _chosen(store: Database, wish: PlayWish, scenes: Sequence[int], since: int) -> dict[int, Wished]:
    with store.reading() as db:
        plays = db.plays.of_ids(scenes, since=since)
        resume = {} if since else db.watches.of_ids(scenes)
    wished = {
        id: Wished(
            tuple(sorted(wish.chosen(plays.get(id, {})))), resume=id in resume and wish.resume(resume[id]) is not None
        )
        for id in scenes
    }
    return {id: some for id, some in wished.items() if some.plays or some.resume}

"""What a rating flow has found about a scene, and its writes with their saved record."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from plexsync.engine.flow import Observation
from plexsync.flows.plays.errands import RememberedErrand
from plexsync.flows.plays.rating_bases import item_rating, save_bases
from plexsync.rules.item import Item
from plexsync.rules.job import RATING, Done, Job, Waiting, Why
from plexsync.rules.ratings import (
    UNKNOWN,
    ItemRating,
    RatingPlan,
    Ratings,
    RememberedRating,
    after_arrival,
    stash_rating,
)
from plexsync.rules.scene import Scene
from plexsync.store.database import Writer


@dataclass(frozen=True)
class RatingFinding(Observation):
    """A scene with what is remembered of its rating, its items, and the plan; or an outcome or error without a plan."""

    scene: Scene | None = None
    memory: Ratings = field(default_factory=dict)
    plex: Mapping[str, ItemRating] = field(default_factory=dict)
    plan: RatingPlan | None = None

    @property
    def known(self) -> Ratings:
        """What is remembered after this look, without the requests."""
        return {**self.memory, **(self.plan.resolved if self.plan else {})}

    @property
    def desired(self) -> str:
        """The ratings to send, so that a new request can be told from a dead one."""
        return f"{self.plan.to_stash} {dict(self.plan.to_plex)}" if self.plan else ""

    def errand(self, job: Job, scene: Scene, key: str, rating: int, opened: Ratings) -> "RatingErrand":
        """The write of a rating; `opened` is remembered while it is on its way."""
        return RatingErrand(
            job=job,
            key=key,
            desired=self.desired,
            created_at=scene.created_at,
            scene=scene,
            rating=rating,
            before=self.known,
            opened=opened,
            plex=self.plex,
        )


@dataclass(eq=False, kw_only=True)
class RatingErrand(RememberedErrand):
    """A rating that is sent to an item, or to the scene.

    The memory is by item. `plex` has the items as they were planned. `answer`: that of Stash. `stamp`: that of the item when
    it was read. `leads`: another rating has to follow it.
    """

    table = "ratings"
    scene: Scene
    rating: int
    before: Ratings
    opened: Ratings
    plex: Mapping[str, ItemRating] = field(default_factory=dict)
    answer: int | None = None
    stamp: int = 0
    leads: bool = False

    def read_item(self, item: Item, *, now: int) -> None:
        """Conclude from the item as it is now."""
        self.stamp = item.stamp
        stash, value = stash_rating(self.scene.rating100), item_rating(item)
        self._read(stash, {self.key: value}, now)
        if not isinstance(self.outcome, Done) and value.value != self.plex[self.key].value:
            # Plex took it, and you have rated the item since.
            self._read(stash, {self.key: ItemRating(self.rating)}, now)
            self.leads = True

    def read_answer(self, *, now: int) -> None:
        """Conclude from the answer of Stash, the rating that the scene has now."""
        self._read(stash_rating(self.answer), self.plex, now)
        rows = self.opened.values()
        self.leads = any(row.overruled != UNKNOWN or (row.undo and row.plex_before != UNKNOWN) for row in rows)

    def _read(self, stash: int, plex: Mapping[str, ItemRating], now: int) -> None:
        self.after = after_arrival(self.opened, stash, plex, now=now, answered=True)
        if any(row.pending for row in self.after.values()):
            self.outcome = Waiting("the rating is not there as it was sent", "missing", counted=True)
        else:
            self.outcome = Done()

    def withdrawn(self, tx: Writer) -> Mapping[str, RememberedRating | None]:  # noqa: ARG002 - an undo ends the lease
        """The memory from before."""
        return {key: self.before.get(key) for key in self.opened}

    def close(self, tx: Writer, *, now: int, until: int) -> None:  # noqa: ARG002 - nothing of it is unknown
        """Save what was read, and queue what has to follow."""
        save_bases(tx, self.scene, self.after)
        if self.leads:
            tx.jobs.want(RATING, self.job.id, Why.EDIT, now)
        if self.stamp:
            # PlexSync moved the item itself, so the new stamp is no news.
            tx.index.stamp({self.key: self.stamp})


def begun(rows: Ratings, until: int) -> Ratings:
    """The rows of a request that may take effect until then."""
    return {key: replace(row, until=until) if row.pending else row for key, row in rows.items()}

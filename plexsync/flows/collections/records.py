"""What an inspection has found about a collection, and the words for how it stands."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from plexsync.rules.collection_servers import CollectionSource
from plexsync.rules.collection_status import CollectionStatus
from plexsync.rules.collections import CollectionRow, Owner
from plexsync.rules.desired import Profile, Wanted
from plexsync.rules.drift import DriftField, drift_of, is_drift
from plexsync.rules.errors import NeighbourError
from plexsync.rules.item import Item
from plexsync.rules.job import Done, Outcome
from plexsync.rules.memory import undone
from plexsync.rules.plan_records import Plan, Pushing, Undone
from plexsync.rules.scene import Image, Scene
from plexsync.rules.traits import UNKNOWN, CollectionForm, ServerTraits
from plexsync.rules.undo import is_undone
from plexsync.rules.values import Value

# How a collection stands if it is not dead.
IN_STEP = CollectionStatus.IN_SYNC.stored
NO_SCENES = CollectionStatus.NO_SCENES.stored
NO_LIBRARY = CollectionStatus.NO_LIBRARY.stored
NOT_OURS = CollectionStatus.NOT_OURS.stored
SHARED = CollectionStatus.SHARED.stored
EDITED = CollectionStatus.EDITED.stored
BY_MARK: Mapping[Undone, str] = {
    "undo": CollectionStatus.UNDONE.stored,
    "release": CollectionStatus.RELEASED.stored,
    "gone": CollectionStatus.UNDONE.stored,
}
# The sources of pictures under which a collection's are fetched.
POSTER, BACKGROUND = "poster", "background"


@dataclass(frozen=True)
class CollectionSight:
    """A collection in Plex as it was planned, with the plan that brings it in step.

    `item` has its order and its places in the home as values beside the others. `members` are its items as they stand.
    `managed`: the home of Plex knows it. `pictures` says which pictures are to be shown, `form` which request edits it.
    `absent` are the pictures that Plex does not have yet, `traits` those of the server.
    """

    item: Item
    plan: Plan
    wanted: Wanted
    pictures: Profile
    members: tuple[str, ...] = ()
    managed: bool = False
    form: CollectionForm = "section"
    absent: frozenset[str] = frozenset()
    traits: ServerTraits = UNKNOWN

    @property
    def drift(self) -> tuple[DriftField, ...]:
        """The parts that you edited in Plex: those that you keep, and those to decide about."""
        return drift_of(self.wanted.values, self.item, self.plan)

    @property
    def has_open_drift(self) -> bool:
        """Whether you edited a part in Plex and have not decided about it."""
        return any(is_drift(note) for note in self.plan.notes)

    @property
    def undone(self) -> Undone:
        """How it was undone, if it stays so."""
        memory = self.plan.memory
        return undone(memory) if is_undone(memory, self.wanted.values) else ""

    def entry(self, until: int) -> Pushing:
        """The push to save before it is sent."""
        return Pushing(self.plan.sending, until, stamp=self.item.stamp)


@dataclass(frozen=True)
class CollectionFinding:
    """The inspection of one collection: a `sight` of it to bring in step, or an `outcome`, or an `error` of it alone.

    `row` is what was remembered, `name` the name that scenes carry from now on, `template_name` the one that the template
    makes. `item` is the rating key ('' if it is not in Plex), `leaves`: it is forgotten once nothing is left of PlexSync's.
    `is_named`: scenes carry the title that the collection has in Plex. `parts`: it shared a collection that has another
    name now, so its scenes move to one of its own.
    """

    id: int
    row: CollectionRow | None = None
    source: CollectionSource | None = None
    sight: CollectionSight | None = None
    name: str = ""
    template_name: str = ""
    item: str = ""
    section: str = ""
    owner: Owner = ""
    scenes: int = -1
    stamp: int = 0
    leaves: bool = False
    is_named: bool = False
    parts: bool = False
    outcome: Outcome | None = None
    ends: Outcome = field(default_factory=Done)
    error: NeighbourError | None = None

    @property
    def key(self) -> str:
        """The collection's rating key."""
        return self.item

    @property
    def desired(self) -> str:
        """A hash of the desired values, to tell a new request from a dead one."""
        return digest(self.sight.wanted.values) if self.sight else ""


def digest(values: Mapping[str, Value]) -> str:
    """A digest of the desired values of a collection."""
    return hashlib.sha256(json.dumps(dict(values), sort_keys=True).encode()).hexdigest()[:16]


def pictured(row: CollectionRow, source: CollectionSource | None) -> Scene:
    """The collection as the pictures of scenes are fetched: its id, and what Stash has for it."""
    images = [
        Image(name, image.path, image.version)
        for name, image in ((POSTER, source and source.picture), (BACKGROUND, source and source.background))
        if image
    ]
    return Scene(row.id, images=tuple(images))


def pictures_of(profile: Profile) -> Profile:
    """The pictures that the collections of a library show."""
    parts = profile.dressing.parts
    return Profile(
        frozenset(), poster=POSTER if "poster" in parts else "", background=BACKGROUND if "background" in parts else ""
    )

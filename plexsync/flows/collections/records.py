"""What an inspection has found about a collection, and the words for how it stands."""

from collections.abc import Mapping
from dataclasses import dataclass

from plexsync.engine.flow import Observation
from plexsync.flows.scenes.inspection_records import PlannedObject
from plexsync.rules.collection_servers import CollectionSource
from plexsync.rules.collection_status import CollectionStatus
from plexsync.rules.collections import CollectionRow, Owner
from plexsync.rules.desired import Profile, digest
from plexsync.rules.memory import undone
from plexsync.rules.scene import Image, Scene
from plexsync.rules.taken_back import TakenBack
from plexsync.rules.traits import CollectionForm
from plexsync.rules.undo import is_undone

IN_STEP = CollectionStatus.IN_SYNC.stored
EDITED = CollectionStatus.EDITED.stored
BY_MARK: Mapping[TakenBack, str] = {
    TakenBack.UNDO: CollectionStatus.UNDONE.stored,
    TakenBack.RELEASE: CollectionStatus.RELEASED.stored,
    TakenBack.GONE: CollectionStatus.UNDONE.stored,
}


@dataclass(frozen=True, kw_only=True)
class CollectionSight(PlannedObject):
    """A collection in Plex as it was planned, with the plan that brings it in step.

    `item` has its order and its places in the home as values beside the others. `members` are its items as they stand.
    `managed`: the home of Plex knows it. `form` says which request edits it.
    """

    members: tuple[str, ...] = ()
    managed: bool = False
    form: CollectionForm = "section"

    @property
    def undone(self) -> TakenBack:
        """How it was undone, if it stays so."""
        memory = self.plan.memory
        return undone(memory) if is_undone(memory, self.wanted.values) else TakenBack.NO


@dataclass(frozen=True)
class CollectionFinding(Observation):
    """The inspection of one collection: a `sight` of it to bring in step, or an `outcome`, or an `error` of it alone.

    `row` is what was remembered, `name` the name that scenes carry from now on, `template_name` the one that the template
    makes. `item` is the rating key ('' if it is not in Plex), `leaves`: it is forgotten once nothing is left of PlexSync's.
    `is_named`: scenes carry the title that the collection has in Plex. `parts`: it shared a collection that has another
    name now, so its scenes move to one of its own.
    """

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

    @property
    def desired(self) -> str:
        """A hash of the desired values, to tell a new request from a dead one."""
        return digest(self.sight.wanted) if self.sight else ""


def pictured(row: CollectionRow, source: CollectionSource | None) -> Scene:
    """The collection as the pictures of scenes are fetched: its id, and what Stash has for it."""
    pictures = {"poster": source.picture, "background": source.background} if source else {}
    images = [Image(name, image.path, image.version) for name, image in pictures.items() if image]
    return Scene(row.id, images=tuple(images))


def pictures_of(profile: Profile) -> Profile:
    """The pictures that the collections of a library show."""
    poster, background = (name if name in profile.dressing.parts else "" for name in ("poster", "background"))
    return Profile(frozenset(), poster=poster, background=background)

"""What an inspection of collections and playlists finds: one of them as it is, and the plan that brings it in step."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from plexsync.engine.flow import Observation
from plexsync.flows.scenes.artwork import Artwork
from plexsync.flows.scenes.inspection_records import PlannedObject
from plexsync.rules.collections.collection_order import ORDER, told_order
from plexsync.rules.collections.collection_servers import CollectionSource, PlaylistEntry
from plexsync.rules.collections.collection_status import CollectionStatus
from plexsync.rules.collections.collection_values import collection_values
from plexsync.rules.collections.collections import CollectionRow, Owner
from plexsync.rules.item import Item
from plexsync.rules.merge.desired import Profile, Wanted, digest
from plexsync.rules.merge.memory import undo_mode, with_addresses
from plexsync.rules.merge.pictures import PicturePast
from plexsync.rules.merge.plan import plan
from plexsync.rules.merge.plan_records import Memory, Plan, Policy, Pushing
from plexsync.rules.merge.taken_back import TakenBack
from plexsync.rules.merge.traits import CollectionForm
from plexsync.rules.merge.undo import begun_anew, is_undone, undo
from plexsync.rules.queue.job import Done
from plexsync.rules.record_class import record
from plexsync.rules.scene import Image, Scene

IN_STEP = CollectionStatus.IN_SYNC.stored
EDITED = CollectionStatus.EDITED.stored
SHARED = CollectionStatus.SHARED.stored
NO_SCENES = CollectionStatus.NO_SCENES.stored
BY_MARK: Mapping[TakenBack, str] = {
    TakenBack.UNDO: CollectionStatus.UNDONE.stored,
    TakenBack.RELEASE: CollectionStatus.RELEASED.stored,
    TakenBack.GONE: CollectionStatus.UNDONE.stored,
}


@dataclass(frozen=True, kw_only=True)
class CollectionSight(PlannedObject):
    """A collection in Plex as it was planned, with the plan that brings it in step.

    `item` has its order and its places in the home as values beside the others. `members` are its items as they stand.
    `managed`: the home of Plex knows it. `form` says which request edits it. Of a playlist, `entries` are its places, and
    all that is done is that PlexSync `creates` or `deletes` it. `doubles` are the places, and `twins` the other playlists by
    key, each with the members that it was created with, that were made twice by requests of unknown end.
    """

    members: tuple[str, ...] = ()
    managed: bool = False
    form: CollectionForm = "section"
    entries: tuple[PlaylistEntry, ...] = ()
    creates: bool = False
    deletes: bool = False
    doubles: tuple[PlaylistEntry, ...] = ()
    twins: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @property
    def needs_write(self) -> bool:
        """Whether anything has to be sent."""
        return bool(self.plan.edit or self.deletes or self.doubles or self.twins)

    @property
    def undone(self) -> TakenBack:
        """How it was undone, if it stays so."""
        memory = self.plan.memory
        return undo_mode(memory) if is_undone(memory, self.wanted.values) else TakenBack.NO

    @property
    def ends(self) -> Done:
        """How it stands once it is in step."""
        if self.undone:
            return Done(BY_MARK[self.undone])
        return Done(NO_SCENES) if self.deletes else Done(found=EDITED if self.kept_fields else "")


@record
class CollectionFinding(Observation):
    """The inspection of one collection: a `inspection` of it to bring in step, or an `outcome`, or an `error` of it alone.

    `row` is what was remembered, `name` the name that scenes carry from now on, `template_name` the one that the template
    makes. `item` is the rating key ('' if it is not in Plex), `leaves`: it is forgotten once nothing is left of PlexSync's.
    `is_named`: scenes carry the title that the collection has in Plex. `parts`: it shared a collection that has another
    name now, so its scenes move to one of its own. `heir`: the row whose turn it is to dress it, and that was not inspected
    since (0: none). `has_parted`: the collection that it shared is still there, and it has one of its own now.
    """

    row: CollectionRow | None = None
    source: CollectionSource | None = None
    inspection: CollectionSight | None = None
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
    heir: int = 0
    has_parted: bool = False

    @property
    def desired(self) -> str:
        """A hash of the desired values, to tell a new request from a dead one."""
        return digest(self.inspection.wanted) if self.inspection else ""


def as_scene(row: CollectionRow, source: CollectionSource | None) -> Scene:
    """The collection as the pictures of scenes are fetched: its id, and what Stash has for it."""
    pictures = {"poster": source.picture, "background": source.background} if source else {}
    images = [Image(name, image.path, image.version) for name, image in pictures.items() if image]
    return Scene(row.id, images=tuple(images))


def pictures_of(profile: Profile) -> Profile:
    """The pictures that the collections of a library show."""
    poster, background = (name if name in profile.dressing.parts else "" for name in ("poster", "background"))
    return Profile(frozenset(), poster=poster, background=background)


def values_of(pictures: Artwork | None, row: CollectionRow, source: CollectionSource, profile: Profile) -> Wanted:
    """The desired values with pictures, without the order. Raises NeighbourError if a picture can't be read."""
    wanted = collection_values(row.object, source, profile.dressing)
    return pictures.with_pictures(as_scene(row, source), wanted, pictures_of(profile)) if pictures else wanted


def as_taken_back(row: CollectionRow, wanted: Wanted, *, leaves: bool, undoing: TakenBack, redoing: bool) -> Memory:
    """The memory of a row, as of what `leaves`, or as undoing or redoing it now would make it."""
    memory = undo(row.memory, row.pushing, {}, (), TakenBack.GONE) if leaves else row.memory
    if undoing:
        return undo(memory, row.pushing, wanted.values, tuple(wanted.values), undoing)
    return begun_anew(memory) if redoing else memory


def plan_object(
    pictures: Artwork | None,
    item: Item,
    wanted: Wanted,
    memory: Memory,
    pushing: Sequence[Pushing],
    policy: Policy,
    own: Collection[str] | None = None,
) -> tuple[Item, Plan, frozenset[str]]:
    """The item with the keys of its pictures, its plan, and the pictures that Plex does not have. Raises NeighbourError.

    `own`: the members whose order counts, see `told_order`.
    """
    memory, pushing = told_order(item.value(ORDER), wanted.values.get(ORDER), memory, pushing, own)
    absent: frozenset[str] = frozenset()
    if pictures:
        asked = dict.fromkeys(memory, "") if undo_mode(memory) else {}
        past = PicturePast(memory, tuple(pushing), is_first=not (memory or pushing))
        looked = pictures.pictures_in_plex(item, {**asked, **wanted.values}, past)
        item, memory, pushing, absent = looked.item, looked.past.memory, looked.past.pushing, looked.absent
    steps = plan(wanted.values, item, memory, pushing, policy)
    return item, replace(steps, memory=with_addresses(steps.memory, item)), absent

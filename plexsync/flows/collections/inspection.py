"""Inspects collections: their objects in Stash, what Plex has, and what would have to change. Writes to neither server."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace

from plexsync.engine.gates import Gates
from plexsync.engine.server_identity import ServerIdentity
from plexsync.flows.collections.findings import (
    SHARED,
    CollectionFinding,
    CollectionSight,
    as_taken_back,
    pictures_of,
    plan_object,
    values_of,
)
from plexsync.flows.collections.playlists import SHOWN, PlaylistInspector
from plexsync.flows.collections.reads import (
    HOME,
    PROVEN,
    CollectionBatch,
    CollectionReads,
    batch_of,
    concerns,
    is_made_by_us,
)
from plexsync.flows.scenes.artwork import Artwork
from plexsync.flows.scenes.batch_reads import may_be_its_own
from plexsync.flows.scenes.rules import LookRules
from plexsync.flows.scenes.scene_identity import StashIdentity
from plexsync.plex.collections import CollectionClient
from plexsync.rules.collections.collection_order import (
    ORDER,
    as_text,
    members_in,
    order_in_plex,
    placed_order,
)
from plexsync.rules.collections.collection_servers import (
    PLAYLIST,
    CollectionSource,
    PlexCollection,
)
from plexsync.rules.collections.collection_status import CollectionStatus
from plexsync.rules.collections.collection_values import (
    has_collection,
    home_text,
    name_object,
    scenes_of,
    with_order,
)
from plexsync.rules.collections.collections import CollectionRow, Owner, first_of
from plexsync.rules.item import Item
from plexsync.rules.merge.desired import Profile, Wanted
from plexsync.rules.merge.taken_back import TakenBack
from plexsync.rules.queue.job import Done, Waiting
from plexsync.rules.scene import Scene
from plexsync.rules.servers.errors import Neighbour, NeighbourError
from plexsync.rules.words.text import fold
from plexsync.stash.collecting import StashCollecting
from plexsync.store.database import Database, Reader

SCENES_FIRST = Waiting("many scenes are synced first, which may be among its members", "released", 5.0, backoff=False)
# A single member stands in every order.
FEWEST_ORDERED = 2


class CollectionInspector:
    """Inspects the current state of collections. Engine, comparison, preview and screens share it."""

    def __init__(
        self,
        store: Database,
        stash: StashCollecting,
        plex: CollectionClient,
        gates: Gates,
        rules: LookRules,
        identity: ServerIdentity,
        stash_identity: StashIdentity,
        pictures: Artwork | None,
        playlists: PlaylistInspector,
    ) -> None:
        self.store = store
        self.stash = stash
        self.gates = gates
        self.identity = identity
        self.pictures = pictures
        self.playlists = playlists
        self.reads = CollectionReads(stash, plex, gates, rules)
        self._rules = rules
        self._stash_identity = stash_identity

    def look(
        self, ids: Sequence[int], *, undoing: TakenBack = TakenBack.NO, redoing: bool = False
    ) -> list[CollectionFinding]:
        """Inspect these collections. One without a row was forgotten: nothing is left to do.

        `undoing`, `redoing`: show what undoing or redoing all of them now would do.
        """
        with self.store.reading() as db:
            batch = batch_of(db, ids, undoing, redoing=redoing)
        return self.look_at(batch, ids)

    def look_at(self, batch: CollectionBatch, ids: Sequence[int]) -> list[CollectionFinding]:
        """Inspect collections of which what is known was just read. Otherwise as `look`."""
        playlists = {id: row for id, row in batch.rows.items() if row.object.source == PLAYLIST}
        batch.rows = {id: row for id, row in batch.rows.items() if id not in playlists}
        batch.sources = self.reads.sources(batch.rows.values())
        if batch.rows.keys() - batch.sources.keys():
            self._stash_identity.check_again(self.gates)
        early = set[int]()
        if batch.many_scenes and not (batch.undoing or batch.redoing):
            early = self._early(batch) | {id for id, row in playlists.items() if not row.undone}
        batch.rows = {id: row for id, row in batch.rows.items() if id not in early}
        playlists = {id: row for id, row in playlists.items() if id not in early}
        findings = {id: CollectionFinding(id, outcome=SCENES_FIRST) for id in early}
        if batch.rows or playlists:
            self.identity.ensure(self.gates)
            pictured = [Scene(id) for id in (*batch.rows, *playlists)]
            with self.pictures.batch(pictured) if self.pictures else nullcontext():
                if batch.rows:
                    self.reads.read(batch)
                    findings |= {id: self._finding(row, batch) for id, row in batch.rows.items()}
                if playlists:
                    findings |= self.playlists.look(playlists, undoing=batch.undoing, redoing=batch.redoing)
        if any(findings[id].leaves for id in playlists):
            self._stash_identity.check_again(self.gates)
        return [findings.get(id) or CollectionFinding(id, outcome=Done()) for id in ids]

    @property
    def names_parents(self) -> bool:
        """Whether the names of studios contain those of the studios above them."""
        dressings = [profile.dressing for profile in (self._rules.profile, *self._rules.libraries.values())]
        templates = [some["studio"] for one in dressings for some in (one.names, one.sorts) if "studio" in some]
        return any("parent" in template.names for template in templates)

    def values(self, row: CollectionRow, source: CollectionSource, profile: Profile) -> Wanted:
        """The desired values with pictures, without the order. Raises NeighbourError if a picture can't be read."""
        shown = SHOWN if row.object.source == PLAYLIST else profile
        return values_of(self.pictures, row, source, shown)

    def known_orders(self, rows: Sequence[CollectionRow]) -> dict[int, str]:
        """The orders that groups should have by what Stash says now, of the members that are remembered."""
        ordered = {row.id: row for row in rows if row.object.source != PLAYLIST and concerns(row, ORDER)}
        groups = self.reads.group_orders({row.object.id for row in ordered.values()})
        orders = {}
        for id, row in ordered.items():
            sent = [str(push.fields[ORDER].sent.value) for push in row.pushing if ORDER in push.fields]
            order = str(row.memory[ORDER].left.value) if ORDER in row.memory else ""
            members = members_in(order) or members_in((sent or [""])[-1])
            wanted = self._with_order(Wanted({}), members, groups.get(row.object.id, ()))
            if ORDER in wanted.values:
                orders[id] = str(wanted.values[ORDER])
        return orders

    def _early(self, batch: CollectionBatch) -> set[int]:
        """The groups that are queued for their order alone while many of their scenes may still come: one look is enough."""
        return {
            row.id
            for row, section in batch.synced_rows()
            if row.item and row.desired and not row.pushing and self.reads.is_ordered(row, section)
            if isinstance(source := batch.sources.get(row.id), CollectionSource) and source.updated_at == row.object_at
        }

    # --- findings ----------------------------------------------------------------------------------------------------

    def _finding(self, row: CollectionRow, batch: CollectionBatch) -> CollectionFinding:
        source, section = batch.sources.get(row.id), batch.sections.get(row.id)
        base = CollectionFinding(row.id, row, name=row.name, section=row.section, scenes=row.scenes)
        if isinstance(source, NeighbourError):
            return replace(base, error=source)
        if row.id in batch.failed:
            return replace(base, error=batch.failed[row.id], item=row.item)
        if section is None:
            return replace(base, outcome=Done(CollectionStatus.NO_LIBRARY.stored), item=row.item, owner=row.owner)
        profile = self.reads.profile(section)
        leaves = source is None or not has_collection(row.object, source, profile)
        is_named = "name" in profile.dressing.parts
        base = replace(base, source=source, section=section.key, leaves=leaves, is_named=is_named)
        if source is not None:
            name = name_object(row.object, source, profile.dressing).name
            base = replace(base, template_name=name, scenes=scenes_of(source, profile))
        collection = batch.collections.get(row.id)
        if collection is None:
            # Nothing of what was there can be taken back. Scenes make the collection anew.
            name = (not leaves and base.template_name) or row.name
            return replace(base, name=name, outcome=None if leaves else Done(CollectionStatus.NO_SCENES.stored))
        item = collection.item
        owner = self._owner(row, collection, batch)
        if row.item and row.item != item.key:
            # What was written to a collection that is no more is not in the one that took its place.
            row = replace(row, memory={}, pushing=(), desired="")
            base = replace(base, row=row, has_parted=row.id in batch.parted)
        base = replace(base, name=item.value("title"), item=item.key, owner=owner, stamp=item.stamp)
        if owner == "foreign":
            # Scenes go on with the name of the template.
            base = replace(base, name=base.template_name or row.name, is_named=False)
            return replace(base, outcome=None if leaves else Done(CollectionStatus.NOT_OURS.stored))
        if dresser := self._dressed_by(row, item.key, batch):
            if not leaves and is_named and _has_parted(base.template_name, dresser, base.name):
                waits = Done(CollectionStatus.NO_SCENES.stored)
                return replace(base, name=base.template_name, item="", owner="", parts=True, outcome=waits)
            heir = dresser.id if dresser.standing == SHARED else 0
            return replace(base, heir=heir, outcome=None if leaves else Done(SHARED))
        try:
            return self._plan(base, row, collection, batch)
        except NeighbourError as error:
            if not may_be_its_own(error):
                raise
            return replace(base, error=error, item=base.item if error.neighbour is Neighbour.PLEX else "")

    def _owner(self, row: CollectionRow, collection: PlexCollection, batch: CollectionBatch) -> Owner:
        if collection.smart:
            return "foreign"
        key = collection.item.key
        if row.owner in PROVEN and row.item == key:
            return row.owner
        with self.store.reading() as db:
            is_ours = is_made_by_us(db, collection.item.value("title"), batch.members.get(key, ()))
        return "ours" if is_ours else "foreign"

    def _dressed_by(self, row: CollectionRow, key: str, batch: CollectionBatch) -> CollectionRow | None:
        """The row that dresses the collection, if it is that of several objects and this is not the one.

        Rows of the same batch may have come to it just now, by a name or a key that is not stored yet.
        """
        ids = {id for id, collection in batch.collections.items() if collection.item.key == key}
        with self.store.reading() as db:
            ids |= {other.id for other in db.collections.by_name([row.name], library=row.library)}
            ids |= {other.id for other in db.collections.by_item([key]) if other.library == row.library}
            rows = db.collections.of(ids)
        # Of a preview, a row of the batch need not be stored.
        rows |= {id: batch.rows[id] for id in ids | {row.id} if id in batch.rows}
        dresser = first_of(rows.values(), key)
        return dresser if dresser.id != row.id else None

    def _plan(
        self,
        base: CollectionFinding,
        row: CollectionRow,
        collection: PlexCollection,
        batch: CollectionBatch,
    ) -> CollectionFinding:
        """The finding with its plan. Raises NeighbourError if one of its pictures can't be read."""
        section, wanted = batch.sections[row.id], Wanted({})
        profile, members = self.reads.profile(section), batch.members.get(collection.item.key, ())
        if base.source is not None and not base.leaves:
            wanted = self.values(row, base.source, profile)
            if row.object.id in batch.groups and self.reads.is_ordered(row, section):
                wanted = self._with_order(wanted, members, batch.groups[row.object.id])
        memory = as_taken_back(row, wanted, leaves=base.leaves, undoing=batch.undoing, redoing=batch.redoing)
        item = told_item(collection.item, batch.homes.get(section.key), members)
        item, steps, absent = plan_object(self.pictures, item, wanted, memory, row.pushing, self._rules.policy)
        managed = item.key in batch.homes.get(section.key, {})
        basis = (item, steps, wanted, pictures_of(profile), absent, batch.traits)
        inspection = CollectionSight(*basis, members=members, managed=managed, form=batch.form)
        return replace(base, inspection=inspection, ends=inspection.ends)

    def _with_order(self, wanted: Wanted, members: Sequence[str], scenes: Sequence[int]) -> Wanted:
        """The desired values with the order of the group, as far as its scenes are members."""
        with self.store.reading() as db:
            places = places_of(db, members, scenes)
        if len(members) < FEWEST_ORDERED or not places:
            return wanted
        return with_order(wanted, as_text(placed_order(members, places)))


def places_of(db: Reader, members: Sequence[str], ordered: Sequence[int]) -> dict[str, int]:
    """The places of those of these items that PlexSync knows to be of scenes in this order."""
    place = {scene: number for number, scene in enumerate(ordered)}
    owners = db.memories.pushers(list(members)) if members else {}
    placed = {key: [place[scene] for scene in scenes if scene in place] for key, scenes in owners.items()}
    return {key: min(places) for key, places in placed.items() if places}


def told_item(item: Item, homes: Mapping[str, tuple[str, ...]] | None, members: Sequence[str]) -> Item:
    """A collection with the values that Plex does not show beside the others: its order, and its places in the home."""
    scalars = {**item.scalars, ORDER: order_in_plex(item.value("collectionSort"), members)}
    if homes is not None:
        scalars[HOME] = home_text(frozenset(homes.get(item.key, ())))
    return replace(item, scalars=scalars)


def _has_parted(name: str, dresser: CollectionRow, title: str) -> bool:
    """Whether a shared collection was renamed after the object that dresses it, and another one has kept this name.

    A title that you gave to the collection is that of all of its objects.
    """
    by_stash = dresser.memory.get("title")
    return by_stash is not None and fold(name) not in (fold(str(by_stash.said)), fold(title))

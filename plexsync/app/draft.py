"""Settings that are not saved yet: what they would show in Plex, by the code that syncs, and without a write.

A draft is a house of its own, put together with the draft's settings on the same database and the same servers, and one more
with the settings in use. Both inspect scenes as a dry run does; what the inspections would note is rolled back. Of a scene,
what a sync would leave in Plex is shown beside what Plex has; of the library, the scenes are counted of which the draft
would write something that the settings in use would not.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from operator import attrgetter
from typing import NamedTuple

from plexsync.app.clients import changes_posters, pillow, plex_client, plex_events, stash_client
from plexsync.app.draft_effects import LibraryChoice, RatingComparison
from plexsync.app.dressing import collection_viewer
from plexsync.app.fingerprints import client_id, part_settings, settings_in_force
from plexsync.app.parts import Assembled, Parts
from plexsync.app.rules import profiles_of, rating_rules
from plexsync.engine.flow import Outdated
from plexsync.engine.tickets import READ_STASH, READS
from plexsync.engine.watching import asked_pages
from plexsync.flows.collections.findings import CollectionFinding, as_scene
from plexsync.flows.collections.reads import batch_of
from plexsync.flows.scenes.artwork import Artwork
from plexsync.flows.scenes.inspection_records import Inspection, PlannedObject, Target
from plexsync.flows.scenes.preview import WOULD_CHANGE, Preview, look_at_all, preview_of
from plexsync.flows.scenes.reconcile import BATCH
from plexsync.flows.scenes.rules import LookRules
from plexsync.plex.client import PlexClient
from plexsync.rules.collections.collections import CollectionObject, KnownCollection, objects_of
from plexsync.rules.collections.playlists import UnclearTag
from plexsync.rules.collections.renamed_members import item_after_renames
from plexsync.rules.item import COLLECTION_SETTINGS, FIELDS, PICTURES, Item
from plexsync.rules.merge.field_change import field_change
from plexsync.rules.merge.taken_back import TakenBack
from plexsync.rules.merge.values import Value, held_field
from plexsync.rules.queue.job import Kind, OutOfScope
from plexsync.rules.queue.note_keys import PLAYLISTS_PROBLEM
from plexsync.rules.queue.setting_question import SettingQuestion
from plexsync.rules.record_class import record
from plexsync.rules.scene import Scene
from plexsync.rules.servers.errors import NeighbourError
from plexsync.store.database import Database
from plexsync.store.opening import UnwrittenDatabase, backend_at
from validation.config import PlexSyncConfig
from validation.looks import LOOKS, SETTING
from validation.sources import DEFAULT, LOOK
from validation.values import join_names

# The scenes that are tried for one that the draft changes, if you have named none, and how many of them together.
TRIED, TOGETHER = 36, 12
# The scenes that a count names, and the collections of a scene that are shown.
MOST_NAMED, MOST_COLLECTIONS = 12, 4
FIELD_OF_COLLECTIONS = "collection"
# The rules that decide which scenes are written, and where.
ADMITTING = attrgetter("scope", "paths", "strict", "by_duration")
# The places of the fields on a screen; what is shown beside the cast comes last.
PLACES = {name: place for place, name in enumerate((*FIELDS, *COLLECTION_SETTINGS, *PICTURES))}


class DraftRow(NamedTuple):
    """A field of an item: its value in Plex, and afterwards."""

    field: str
    before: Value | None
    after: Value | None

    @property
    def changes(self) -> bool:
        """Whether Plex would show another value."""
        return self.before != self.after


@record
class DraftItem:
    """An item of a scene, or a collection, in display order. `pictures` are those that would be sent (empty: Plex's own)."""

    key: str
    title: str
    rows: tuple[DraftRow, ...]
    pictures: Mapping[str, bytes]


@record
class DraftScene:
    """A scene as a dry run shows it, and its items as they would be with the draft."""

    preview: Preview
    items: tuple[DraftItem, ...] = ()
    collections: tuple[DraftItem, ...] = ()

    @property
    def all_items(self) -> tuple[DraftItem, ...]:
        """Its items, and its collections."""
        return (*self.items, *self.collections)

    @property
    def reason(self) -> str:
        """Why nothing of it is written; '' if something is, or could be."""
        return self.preview.reason or ("" if self.items else self.preview.word)


@dataclass
class DraftCount:
    """What a comparison with the draft has found so far: the scenes looked at, and those that the draft changes.

    `waiting` are further scenes that would be written with the settings in use, too; `leaving` those that would no longer
    be written. `by_hand` pictures that somebody has chosen in Plex would be replaced. `collections` would be dressed
    otherwise. `named` are the first scenes that change or leave. Playlists would be `deleted`, `created` with so many
    scenes, and `reordered`; `unclear` says why that can't be told. `additions`: as in LibraryChoice.
    `rated`: ratings that would be written in Stash, and in Plex.
    """

    looked: int = 0
    total: int = 0
    changed: int = 0
    waiting: int = 0
    leaving: int = 0
    by_hand: int = 0
    collections: int = 0
    named: list[int] = field(default_factory=list)
    deleted: Sequence[str] = ()
    created: Mapping[str, int] = field(default_factory=dict)
    reordered: Sequence[str] = ()
    unclear: str = ""
    additions: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    rated: tuple[int, int] = (0, 0)
    complete: bool = False

    def question(self, wishes: str, words: str) -> SettingQuestion | None:
        """The question about the settings that were counted; None unless all that they would write is known."""
        if not self.complete or self.unclear:
            return None
        playlists = len(self.deleted), len(self.created), len(self.reordered)
        return SettingQuestion(wishes, words, self.changed, self.collections, *playlists)


class Effect(NamedTuple):
    """What a draft does to a scene: it writes something, or writes it no more; and so many pictures chosen by hand go.

    `is_added`: an item in a library that is not in use yet would be written.
    """

    changes: bool = False
    leaves: bool = False
    by_hand: int = 0
    is_added: bool = False


class _PlexOfTwo(PlexClient):
    """The Plex of two houses that look at the same scenes one after the other: an item is read once for both."""

    @cached_property
    def read_items(self) -> dict[str, Item]:
        """The items that were read since the last `clear`."""
        return {}

    def items(self, keys: Sequence[str]) -> dict[str, Item]:
        """As `PlexClient.items`."""
        if unread := [key for key in keys if key not in self.read_items]:
            self.read_items.update(super().items(unread))
        return {key: self.read_items[key] for key in keys if key in self.read_items}


def with_values(
    config: PlexSyncConfig, origins: Mapping[str, str], fresh: PlexSyncConfig, names: Iterable[str]
) -> PlexSyncConfig:
    """The settings in use with those of the draft; a look of it sets what you have set nowhere yourself."""
    changed = set(names)
    if SETTING in changed:
        of_looks = {name for look in LOOKS.values() for name in look}
        changed |= {name for name in of_looks if origins.get(name, DEFAULT) in (DEFAULT, LOOK)}
    return config.model_copy(update={name: getattr(fresh, name) for name in changed})


class Draft:
    """The house of a draft, and that of the settings in use; both have the same servers."""

    def __init__(
        self,
        house: Assembled,
        in_use: Assembled | None,
        plex: _PlexOfTwo,
        *,
        libraries: LibraryChoice | None = None,
        ratings: RatingComparison | None = None,
    ) -> None:
        """Without `in_use`, all that would be written counts as changed by the draft."""
        self.house = house
        self._now, self._plex = in_use, plex
        self._libraries, self._ratings = libraries, ratings
        draft, now = house.settings.looks, in_use.settings.looks if in_use else None
        # Only a scene that is removed shows what this setting does.
        self._as_gone = bool(now and draft.undo_gone and not now.undo_gone)
        self._writes_as_now = bool(now and replace(draft, undo_gone=now.undo_gone) == now) and not (
            libraries or ratings
        )
        self.inspector = house.inspector
        # It has the pictures of the worker, which keep the bytes that they fetch.
        self._viewer = collection_viewer(house)
        if self.inspector.pictures:
            # The bytes that an inspection fetches are those that the page shows.
            self.inspector.pictures = replace(self.inspector.pictures, sends=True)

    def scene(self, id: int) -> DraftScene:
        """One scene. Raises NeighbourError if a server is down."""
        self.inspector.gates.enter(*READS)
        return self._as_seen(self.inspector.look([id], TakenBack.UNDO if self._as_gone else TakenBack.NO)[0])

    def some_scene(self) -> DraftScene | None:
        """The first scene that the draft changes, of the few that are tried; else one that is in Plex, else any."""
        self.inspector.gates.enter(*READS)
        best: Inspection | None = None
        tried = 0
        for page in asked_pages(self.house.gates, READ_STASH, self.house.stash.walk(page=TOGETHER)):
            inspections = self.inspector.look_at(page)
            for inspection, effect in zip(inspections, self.effects(inspections), strict=True):
                if effect.changes or effect.leaves:
                    return self.scene(inspection.id)
                if best is None or (inspection.targets and not best.targets):
                    best = inspection
            tried += len(page)
            if tried >= TRIED:
                break
        return self.scene(best.id) if best else None

    def count(self, count: DraftCount, stopping: Callable[[], bool]) -> None:
        """Compare all scenes, and count. Asks both servers as much as a comparison does. Raises NeighbourError."""
        inspector = self.inspector
        inspector.gates.enter(*READS)
        count.total = inspector.gates.ask(READ_STASH, inspector.stash.newest, of_all=True)[Kind.SCENE].count
        lists = self.house.settings.playlists
        if lists and not (self._now and lists == self._now.settings.playlists):
            try:
                count.deleted, count.created = self._viewer.playlists.changes(lists)
                if self._now and self._now.settings.playlists and lists.order != self._now.settings.playlists.order:
                    count.reordered = self._viewer.playlists.with_other_order()
            except UnclearTag as unclear:
                count.unclear = str(unclear)
        carried: dict[tuple[CollectionObject, str], KnownCollection] = {}
        if self._writes_as_now:
            count.looked, count.complete = count.total, True
            return
        if self._libraries:
            self._libraries.read()
            count.additions = self._libraries.additions
        for inspections in look_at_all(inspector, batch=BATCH):
            if self._dresses:
                carried |= self._carried_by(inspections)
            self._add(count, inspections)
            if self._ratings:
                in_stash, in_plex = self._ratings.count(inspections)
                count.rated = count.rated[0] + in_stash, count.rated[1] + in_plex
            self._plex.read_items.clear()
            count.looked += len(inspections)
            count.total = max(count.total, count.looked)
            if stopping():
                return
        collections = list(carried.values())
        for start in range(0, len(collections), BATCH):
            findings = self._look_at_collections(collections[start : start + BATCH])
            count.collections += sum(bool(finding.inspection and finding.inspection.plan.edit) for finding in findings)
            if stopping():
                return
        count.complete = True

    def _add(self, count: DraftCount, inspections: Sequence[Inspection]) -> None:
        """Count these scenes."""
        with self.inspector.store.reading() as db:
            rows = db.jobs.of(Kind.SCENE, [inspection.id for inspection in inspections])
        for inspection, effect in zip(inspections, self.effects(inspections), strict=True):
            standing = preview_of(inspection, rows.get(inspection.id), sweep=True).standing
            if effect.leaves:
                count.leaving += 1
            elif effect.changes and (effect.is_added or standing == WOULD_CHANGE):
                count.changed += 1
                count.by_hand += effect.by_hand
            elif standing == WOULD_CHANGE:
                count.waiting += 1
            else:
                continue
            if (effect.changes or effect.leaves) and len(count.named) < MOST_NAMED:
                count.named.append(inspection.id)

    # --- collections -------------------------------------------------------------------------------------------------

    @property
    def _dresses(self) -> bool:
        """Whether the draft dresses collections otherwise than the settings in use."""
        draft = [profile.dressing for profile in profiles_of(self.house.settings.looks)]
        now = [profile.dressing for profile in profiles_of(self._now.settings.looks)] if self._now else []
        return draft != now and any(dressing.is_on for dressing in draft)

    def _carried_by(self, inspections: Iterable[Inspection]) -> dict[tuple[CollectionObject, str], KnownCollection]:
        """The collections of these scenes that the draft dresses, by object and library."""
        return {
            (named.object, target.item.section): KnownCollection(
                0, named.object, target.item.library or "", target.item.section, named.name
            )
            for inspection in inspections
            if inspection.scene and not inspection.undone
            for target in inspection.targets
            if FIELD_OF_COLLECTIONS in target.profile.fields and target.profile.dressing.is_on
            for named in objects_of(inspection.scene, target.profile)
            if named.object.id
        }

    def _look_at_collections(self, collections: Sequence[KnownCollection]) -> list[CollectionFinding]:
        """Inspect these collections, as if the scenes that carry them had made them known."""
        with self.house.store.writing() as tx:
            uuids = {section.key: section.uuid for section in tx.sections.all()}
            entries = [replace(entry, library=entry.library or uuids.get(entry.section, "")) for entry in collections]
            rows = tx.collections.ensure(entries)
            wanted = {(entry.object, entry.library) for entry in entries}
            ids = [row.id for some in rows.values() for row in some if (row.object, row.library) in wanted]
            batch = batch_of(tx, ids, TakenBack.NO, redoing=False)
        return self._viewer.look_at(batch, ids)

    def _collections(self, inspection: Inspection) -> tuple[DraftItem, ...]:
        """The collections of a scene that the draft would change."""
        if not self._dresses or not (carried := self._carried_by([inspection])):
            return ()
        findings = self._look_at_collections(list(carried.values())[:MOST_COLLECTIONS])
        return tuple(
            self._item(finding.inspection, as_scene(finding.row, finding.source), self._viewer.pictures)
            for finding in findings
            if finding.inspection and finding.row and finding.inspection.plan.edit
        )

    # --- scenes ------------------------------------------------------------------------------------------------------

    def effects(self, inspections: Sequence[Inspection]) -> list[Effect]:
        """What the draft does to these scenes: with it a sync would write otherwise than with the settings in use."""
        effects = self._on_these_libraries(inspections)
        if not (libraries := self._libraries):
            return effects
        return [
            effect._replace(changes=True, is_added=True)
            if inspection.scene and libraries.adds(inspection.scene)
            else Effect(leaves=True)
            if libraries.leaves(inspection)
            else effect
            for inspection, effect in zip(inspections, effects, strict=True)
        ]

    def _on_these_libraries(self, inspections: Sequence[Inspection]) -> list[Effect]:
        if self._now is None:
            return [Effect(_is_written(inspection)) for inspection in inspections]
        draft, now = self.house.settings.looks, self._now.settings.looks
        admits_otherwise = ADMITTING(draft) != ADMITTING(now)
        asked = [
            inspection.scene
            for inspection in inspections
            if inspection.scene and (_is_written(inspection) or (admits_otherwise and not inspection.targets))
        ]
        in_use = {inspection.id: inspection for inspection in self._now.inspector.look_at(asked)} if asked else {}
        return [_effect(each, in_use.get(each.id)) for each in inspections]

    def _as_seen(self, inspection: Inspection) -> DraftScene:
        if self._libraries and self._libraries.leaves(inspection):
            outside = OutOfScope(
                f"none of these libraries has it: {', '.join(self._libraries.left.values())} is left out"
            )
            inspection = replace(inspection, targets=(), outcome=outside)
        preview = preview_of(inspection, None, sweep=False)
        preview = replace(preview, reason="as it would be if Stash had it no more") if self._as_gone else preview
        scene, artwork = inspection.scene, self.inspector.pictures
        items = tuple(self._item(target, scene, artwork) for target in inspection.targets)
        return DraftScene(preview, items, self._collections(inspection))

    def _item(self, target: PlannedObject, scene: Scene | None, artwork: Artwork | None) -> DraftItem:
        edit = target.plan.edit
        # A picture that stays is whatever Plex shows; what is shown beside a cast member goes with its name.
        names = {name for name in target.wanted.values if name not in PICTURES} | edit.keys()
        stays, rows = item_after_renames(target.item, target.plan.renamed), []
        for name in sorted(names, key=lambda name: (PLACES.get(name, len(PLACES)), name)):
            now, after = held_field(target.item, name), held_field(stays, name)
            after = field_change(name, now, edit[name]).new if name in edit else after
            rows.append(DraftRow(name, now.value, after.value))
        sent = ((row, _picture(target, scene, artwork, row.field)) for row in rows if row.field in PICTURES)
        pictures = {row.field: content for row, content in sent if content or not row.after}
        return DraftItem(target.item.key, target.item.value("title"), tuple(rows), pictures)


def _is_written(inspection: Inspection) -> bool:
    return any(target.plan.edit for target in inspection.targets)


def _effect(draft: Inspection, in_use: Inspection | None) -> Effect:
    """The difference between both inspections of a scene."""
    if in_use is None:
        return Effect()
    if not draft.targets:
        return Effect(leaves=bool(in_use.targets) and draft.error is None)
    before = {target.item.key: target.plan.edit for target in in_use.targets}
    changes, by_hand = False, 0
    for target in draft.targets:
        others = before.get(target.item.key, {})
        names = {name for name, change in target.plan.edit.items() if others.get(name) != change}
        changes = changes or bool(names)
        by_hand += sum(_is_by_hand(target, name) for name in names.intersection(PICTURES))
    return Effect(changes, by_hand=by_hand)


def _is_by_hand(target: Target, name: str) -> bool:
    """Whether an item shows a picture that somebody has chosen, which the edit replaces."""
    now, past = held_field(target.item, name), target.memory.get(name)
    return bool(now.value) and (now.value != past.left.value if past else now.locked)


def _picture(target: PlannedObject, scene: Scene | None, artwork: Artwork | None, name: str) -> bytes:
    """The bytes that would be sent; none if there are none, or if they can't be had now."""
    key = str(target.wanted.values.get(name) or "")
    if not (key and artwork and scene):
        return b""
    try:
        return artwork.to_send(scene, target.item, name, key, target.profile, is_new=True)
    except (NeighbourError, Outdated):
        return b""


def count_change(parts: Parts, stopping: Callable[[], bool]) -> DraftCount:
    """Count what the settings that are saved change, compared with those in force. Raises NeighbourError.

    If one of these is not known any more, all that would be written counts.
    """
    count = DraftCount()
    with open_draft(parts, parts.saved) as draft:
        draft.count(count, stopping)
    with parts.store.writing() as tx:
        if count.unclear or tx.notes.text(PLAYLISTS_PROBLEM):
            tx.notes.save(PLAYLISTS_PROBLEM, count.unclear)
    return count


def _both(draft: LookRules, now: LookRules) -> LookRules:
    """Rules for what is asked of Stash: as much as the draft needs, and as the settings in use do."""
    others = {f"\0{name}": some for name, some in now.libraries.items()}
    return replace(draft, libraries={**draft.libraries, **others, "\0": now.profile})


def open_draft(parts: Parts, config: PlexSyncConfig) -> AbstractContextManager[Draft]:
    """Put a draft's house together, beside that of the settings in force. Raises Unusable if a package is missing."""
    return _open(parts, config, settings_in_force(parts.saved, parts.store))


@contextmanager
def _open(parts: Parts, config: PlexSyncConfig, in_use: PlexSyncConfig | None) -> Iterator[Draft]:
    with ExitStack() as stack:
        store = UnwrittenDatabase.on(backend_at(parts.store.address))
        stack.callback(store.close)
        settings = [part_settings(some, store) for some in (config, in_use) if some]
        client, alive = client_id(store), parts.watchdog.alive
        # Both look at the libraries in use: nothing that a walk of others finds would stay.
        used = in_use.library_names if in_use else _walked(store) or config.library_names
        of_used = config.model_copy(update={"plex_libraries": join_names(list(used))})
        imaging = pillow(needed=changes_posters(config))
        stash = stash_client(config, parts.clock, _both(settings[0].looks, settings[-1].looks), alive=alive)
        stack.callback(stash.close)
        plex = plex_client(_PlexOfTwo, of_used, parts.clock, client_id=client, alive=alive)
        stack.callback(plex.close)
        events = plex_events(config, client_id=client)
        houses = [
            Assembled(store, stash, plex, parts.clock, parts.rng, some, events=events, imaging=imaging)
            for some in settings
        ]
        draft, now = rating_rules(config), rating_rules(in_use) if in_use else None
        yield Draft(
            houses[0],
            houses[1] if in_use else None,
            plex,
            libraries=LibraryChoice(houses[0], config, client) if config.library_names != used else None,
            ratings=RatingComparison(houses[0], draft, now) if draft and draft != now else None,
        )


def _walked(store: Database) -> tuple[str, ...]:
    """The titles of the libraries that were looked at."""
    with store.reading() as db:
        return tuple(row.title for row in db.sections.all())

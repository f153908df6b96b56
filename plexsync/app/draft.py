"""Settings that are not saved yet: what they would show in Plex, by the code that syncs, and without a write.

A draft is a house of its own, put together with the draft's settings on the same database and the same servers. It inspects
scenes as a dry run does; what the inspection would note is rolled back. Of a scene, what a sync would leave in Plex is
shown beside what Plex has; of the library, the scenes are counted that would be written for the draft.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from plexsync.app.clients import changes_posters, pillow, plex_client, plex_events, stash_client
from plexsync.app.dressing import collection_viewer
from plexsync.app.fingerprints import changed_names, client_id, prints_of_settings, wishes, words_of_change
from plexsync.app.parts import Assembled, Parts, part_settings
from plexsync.app.rules import profiles_of
from plexsync.engine.flow import Outdated
from plexsync.engine.tickets import READ_STASH, READS
from plexsync.engine.watching import asked_pages
from plexsync.flows.collections.findings import CollectionFinding, as_scene
from plexsync.flows.collections.reads import batch_of
from plexsync.flows.scenes.artwork import Artwork
from plexsync.flows.scenes.inspection_records import Inspection, PlannedObject, Target
from plexsync.flows.scenes.preview import WOULD_CHANGE, Preview, look_at_all, preview_of
from plexsync.flows.scenes.reconcile import BATCH
from plexsync.flows.scenes.rules import LookRules, names_of_pictures
from plexsync.plex.client import PlexClient
from plexsync.rules.collections.collections import CollectionObject, KnownCollection, objects_of
from plexsync.rules.collections.renamed_members import item_after_renames
from plexsync.rules.item import COLLECTION_SETTINGS, FIELDS, PICTURES
from plexsync.rules.merge.approval import field_change
from plexsync.rules.merge.desired import Profile, desired_values
from plexsync.rules.merge.taken_back import TakenBack
from plexsync.rules.merge.values import Value, held_field
from plexsync.rules.queue.job import Kind
from plexsync.rules.queue.note_keys import ASKED_SETTINGS, IN_USE, WISHES
from plexsync.rules.queue.setting_question import FEW, SettingQuestion
from plexsync.rules.record_class import record
from plexsync.rules.scene import Scene
from plexsync.rules.servers.errors import NeighbourError
from plexsync.rules.words.text import fold
from plexsync.store.opening import UnwrittenDatabase, backend_at
from validation.config import PlexSyncConfig
from validation.looks import LOOKS, SETTING
from validation.sources import DEFAULT, LOOK

# The scenes that are tried for one that the draft changes, if you have named none, and how many of them together.
TRIED, TOGETHER = 36, 12
# The scenes that a count names, and the collections of a scene that are shown.
MOST_NAMED, MOST_COLLECTIONS = 12, 4
FIELD_OF_COLLECTIONS = "collection"
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

    `waiting` are further scenes that would be written with the settings in use, too. `collections` would be dressed
    otherwise. `named` are the first scenes that change.
    """

    looked: int = 0
    total: int = 0
    changed: int = 0
    waiting: int = 0
    collections: int = 0
    named: list[int] = field(default_factory=list)
    complete: bool = False


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
    """The house of a draft. `parts` are those in use, from which it takes the store's place and the clock."""

    def __init__(self, parts: Parts, house: Assembled) -> None:
        self.house = house
        self._now = parts.settings.looks
        self.inspector = house.inspector
        # It has the pictures of the worker, which keep the bytes that they fetch.
        self._viewer = collection_viewer(house)
        if self.inspector.pictures:
            # The bytes that an inspection fetches are those that the page shows.
            self.inspector.pictures = replace(self.inspector.pictures, sends=True)

    def scene(self, id: int) -> DraftScene:
        """One scene. Raises NeighbourError if a server is down."""
        self.inspector.gates.enter(*READS)
        return self._as_seen(self.inspector.look([id])[0])

    def some_scene(self) -> DraftScene | None:
        """The first scene that the draft changes, of the few that are tried; else one that is in Plex, else any."""
        self.inspector.gates.enter(*READS)
        best: Inspection | None = None
        tried = 0
        for page in asked_pages(self.house.gates, READ_STASH, self.house.stash.walk(page=TOGETHER)):
            for inspection in self.inspector.look_at(page):
                if self.changes(inspection):
                    return self._as_seen(inspection)
                if best is None or (inspection.targets and not best.targets):
                    best = inspection
            tried += len(page)
            if tried >= TRIED:
                break
        return self._as_seen(best) if best else None

    def count(self, count: DraftCount, stopping: Callable[[], bool]) -> None:
        """Compare all scenes, and count. Asks both servers as much as a comparison does. Raises NeighbourError."""
        inspector = self.inspector
        inspector.gates.enter(*READS)
        count.total = inspector.gates.ask(READ_STASH, inspector.stash.newest, of_all=True)[Kind.SCENE].count
        carried: dict[tuple[CollectionObject, str], KnownCollection] = {}
        for inspections in look_at_all(inspector, batch=BATCH):
            if self._dresses:
                carried |= self._carried_by(inspections)
            with inspector.store.reading() as db:
                rows = db.jobs.of(Kind.SCENE, [inspection.id for inspection in inspections])
            for inspection in inspections:
                if preview_of(inspection, rows.get(inspection.id), sweep=True).standing != WOULD_CHANGE:
                    continue
                if self.changes(inspection):
                    count.changed += 1
                    if len(count.named) < MOST_NAMED:
                        count.named.append(inspection.id)
                else:
                    count.waiting += 1
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

    # --- collections -------------------------------------------------------------------------------------------------

    @property
    def _dresses(self) -> bool:
        """Whether the draft dresses collections otherwise than the settings in use."""
        draft, now = profiles_of(self.house.settings.looks), profiles_of(self._now)
        are_other = [profile.dressing for profile in draft] != [profile.dressing for profile in now]
        return are_other and any(profile.dressing.is_on for profile in draft)

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

    def changes(self, inspection: Inspection) -> bool:
        """Whether the draft is why a sync would write the scene: a field of it would get another value in use."""
        return any(self._fields_of_draft(inspection, target) for target in inspection.targets if target.plan.edit)

    def _fields_of_draft(self, inspection: Inspection, target: Target) -> set[str]:
        if inspection.scene is None:
            return set()
        now, draft = self._profile_now(target.item.section), target.profile
        before, after = (desired_values(inspection.scene, profile).values for profile in (now, draft))
        differ = {name for name in target.plan.edit if before.get(name) != after.get(name) and name not in PICTURES}
        before_pictures, after_pictures = names_of_pictures(now), names_of_pictures(draft)
        differ |= {name for name in PICTURES if before_pictures.get(name) != after_pictures.get(name)}
        if now.dressing != draft.dressing:
            # How many scenes a collection needs is not in the desired values.
            differ.add(FIELD_OF_COLLECTIONS)
        return differ & target.plan.edit.keys()

    def _profile_now(self, section: str) -> Profile:
        with self.house.store.reading() as db:
            titles = {row.key: fold(row.title) for row in db.sections.all()} if self._now.libraries else {}
        return self._now.libraries.get(titles.get(section, ""), self._now.profile)

    def _as_seen(self, inspection: Inspection) -> DraftScene:
        preview = preview_of(inspection, None, sweep=False)
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


def _picture(target: PlannedObject, scene: Scene | None, artwork: Artwork | None, name: str) -> bytes:
    """The bytes that would be sent; none if there are none, or if they can't be had now."""
    key = str(target.wanted.values.get(name) or "")
    if not (key and artwork and scene):
        return b""
    try:
        return artwork.to_send(scene, target.item, name, key, target.profile, is_new=True)
    except (NeighbourError, Outdated):
        return b""


def ask_before_writing(
    parts: Parts, config: PlexSyncConfig, count: DraftCount, *, agreed: bool
) -> SettingQuestion | None:
    """Make a complete count the question that these settings wait for, once they are saved; None if they need none.

    `agreed`: you have said yes, knowing the count. A worker that counts by itself would ask the same. It counts playlists.
    """
    now, in_use = wishes(config), prints_of_settings(config)
    with parts.store.writing() as tx:
        noted = tx.notes.texts((WISHES, IN_USE))
        names = changed_names(noted[IN_USE], in_use)
        if not (count.complete and names) or "playlists" in names or noted[WISHES] == now or parts.config.approve_bulk:
            return None
        words = words_of_change(config, names)
        is_small = count.changed + count.collections <= FEW
        question = SettingQuestion(now, words, count.changed, count.collections, agreed=agreed or is_small)
        tx.notes.save(ASKED_SETTINGS, question.to_text())
    return question


def _both(draft: LookRules, now: LookRules) -> LookRules:
    """Rules for what is asked of Stash: as much as the draft needs, and as the settings in use do."""
    return replace(
        draft,
        libraries={**draft.libraries, **{f"\0{name}": some for name, some in now.libraries.items()}, "\0": now.profile},
    )


@contextmanager
def open_draft(parts: Parts, config: PlexSyncConfig) -> Iterator[Draft]:
    """Put a draft's house together. Raises Unusable if a package is missing that the draft needs."""
    with ExitStack() as stack:
        store = UnwrittenDatabase.on(backend_at(parts.store.address))
        stack.callback(store.close)
        settings, client = part_settings(config, store), client_id(store)
        imaging = pillow(needed=changes_posters(config))
        stash = stash_client(config, parts.clock, _both(settings.looks, parts.settings.looks), alive=_nothing)
        stack.callback(stash.close)
        plex = plex_client(PlexClient, config, parts.clock, client_id=client, alive=_nothing)
        stack.callback(plex.close)
        events = plex_events(config, client_id=client)
        yield Draft(
            parts, Assembled(store, stash, plex, parts.clock, parts.rng, settings, events=events, imaging=imaging)
        )


def _nothing() -> None:
    """Nobody watches a draft."""

"""The names of collections that scenes carry, where they are not simply those of the templates.

Once the collection of an object is known, scenes carry the title that it has in Plex: a studio that is renamed in Stash
changes nothing on scenes before its collection is renamed. A collection that was renamed in Plex is noticed here, before
the new name is taken for one that somebody gave, and the old one for one that somebody took away. An object with too few
scenes in Stash has no collection.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from functools import partial
from typing import Protocol

from plexsync.engine.gates import Gates
from plexsync.flows.scenes.batch_reads import read_each
from plexsync.flows.scenes.inspection_records import Inspection, Past
from plexsync.flows.scenes.rules import LookRules
from plexsync.plex.collections import CollectionClient
from plexsync.rules.collections.collection_servers import (
    CollectionSource,
    PlexCollection,
)
from plexsync.rules.collections.collection_values import scenes_of
from plexsync.rules.collections.collections import CollectionObject, KnownCollection, Source, objects_of
from plexsync.rules.collections.renamed_collections import (
    FIELD,
    added_names,
    mentioning,
    renamed_memory,
    renamed_pushing,
)
from plexsync.rules.item import Item
from plexsync.rules.merge.desired import Profile
from plexsync.rules.queue.job import Kind, Why
from plexsync.rules.record_class import record
from plexsync.rules.scene import Scene
from plexsync.rules.servers.errors import Neighbour, NeighbourError
from plexsync.rules.servers.neighbours import Plex, Stash
from plexsync.rules.words.text import fold
from plexsync.stash.collecting import StashCollecting
from plexsync.store.database import Database, Writer

# The kinds of objects of which it is remembered which scenes show them.
CARRIED_BY_SCENES: tuple[Source, ...] = ("studio", "group", "tag", "performer")


class NamingStash(Stash, Protocol):
    """A Stash that also tells of the sources of collections."""

    @property
    def collections(self) -> StashCollecting:
        """These sources."""


class NamingPlex(Plex, Protocol):
    """A Plex that also tells of its collections."""

    @property
    def collections(self) -> CollectionClient:
        """Its collections."""


@record
class RenamedCollection:
    """A collection whose title in Plex is another one than was remembered."""

    collection: KnownCollection
    title: str


@record
class NameFindings:
    """What an inspection of scenes found out about their collections, to be saved with it.

    `counts` has the objects whose scenes were counted, `missing` those that have no row in a library (by its key) yet,
    `profiles` and `libraries` the rules and the uuid of each library.
    """

    renames: tuple[RenamedCollection, ...] = ()
    counts: Mapping[CollectionObject, CollectionSource] = field(default_factory=dict)
    missing: frozenset[tuple[CollectionObject, str]] = frozenset()
    profiles: Mapping[str, Profile] = field(default_factory=dict)
    libraries: Mapping[str, str] = field(default_factory=dict)

    def save(self, tx: Writer, inspections: Sequence[Inspection], *, now: int) -> None:
        """Save new titles and numbers of scenes. An object that crosses the minimum queues the scenes that show it."""
        save_renames(tx, self.renames)
        if not self.counts:
            return
        tx.collections.ensure(self._new(inspections))
        counts = {
            row.id: scenes_of(self.counts[object], self.profiles[row.section])
            for object, rows in tx.collections.of_objects(self.counts).items()
            for row in rows
            if self.libraries.get(row.section) == row.library
        }
        save_counts(tx, counts, self.profiles, inspected={inspection.id for inspection in inspections}, now=now)

    def _new(self, inspections: Iterable[Inspection]) -> list[KnownCollection]:
        return [
            KnownCollection(0, named.object, self.libraries[target.item.section], target.item.section, named.name)
            for inspection in inspections
            for target in inspection.targets
            if inspection.scene and target.item.section in self.libraries
            for named in objects_of(inspection.scene, target.profile)
            if (named.object, target.item.section) in self.missing
        ]


class CollectionNames:
    """Finds out which names of collections the scenes of a batch carry in each library."""

    def __init__(
        self, store: Database, stash: StashCollecting, plex: CollectionClient, gates: Gates, rules: LookRules
    ) -> None:
        self._store = store
        self._stash = stash
        self._plex = plex
        self._gates = gates
        self._rules = rules
        self.is_on = any(map(_asks, (rules.profile, *rules.libraries.values())))

    def apply(
        self,
        scenes: Sequence[Scene],
        keys: Mapping[int, Sequence[str]],
        items: Mapping[str, Item | NeighbourError],
        past: Past,
    ) -> tuple[Past, NameFindings | None]:
        """The past with the names to carry, and with what is remembered under the new names of renamed collections.

        Also what there is to save. `keys` are those of the scenes' items. Costs no request unless a name is missing from an
        item, or scenes have to be counted.
        """
        read = {key: item for key, item in items.items() if isinstance(item, Item)}
        profiles = {item.section: past.profiles.get(item.section, self._rules.profile) for item in read.values()}
        profiles = {section: profile for section, profile in profiles.items() if _asks(profile)}
        if not profiles:
            return past, None
        by_section = {section: _objects(scenes, profile) for section, profile in profiles.items()}
        lost = _lost_names(read, past, profiles)
        with self._store.reading() as db:
            libraries = {row.key: row.uuid for row in db.sections.all() if row.uuid and row.key in profiles}
            are_counted = any(profile.dressing.minimum > 1 for profile in profiles.values())
            dropped = (
                _objects_left(scenes, db.scene_names.references([scene.id for scene in scenes]))
                if are_counted
                else set()
            )
            rows = db.collections.of_objects(dropped.union(*by_section.values()))
            suspects = [row for section, names in lost.items() for row in db.collections.by_name(names)]
        sections = {uuid: section for section, uuid in libraries.items()}
        known = (row for some in rows.values() for row in some if row.library in sections)
        here = {(row.object, sections[row.library]): row for row in known}
        for scene in scenes:
            targets = [read[key] for key in keys.get(scene.id, ()) if key in read]
            suspects += _collections_joined_by(scene, targets, past, profiles, here)
        renames = self._renames([row for row in suspects if libraries.get(row.section) == row.library])
        counts = self._counts(by_section, profiles, here, dropped)
        carrying = {
            section: profile.carrying(_names_carried_in(by_section[section], section, profile, here, renames, counts))
            for section, profile in profiles.items()
        }
        asked = ((object, section) for section in libraries for object in by_section[section] if object in counts)
        missing = frozenset(pair for pair in asked if pair not in here)
        findings = NameFindings(renames, counts, missing, profiles, libraries) if renames or counts else None
        return replace(_renamed_past(past, read, renames), carrying=carrying), findings

    def _renames(self, suspects: Sequence[KnownCollection]) -> tuple[RenamedCollection, ...]:
        """Those of these collections that have another title now, read in one request."""
        rows = {row.item: row for row in suspects if row.item and row.owner != "foreign"}
        if not rows:
            return ()
        collections = read_each(self._gates, Neighbour.PLEX, self._plex.read, rows)
        titles = {
            (key, answer.item.section): answer.item.value("title")
            for key, answer in collections.items()
            if isinstance(answer, PlexCollection) and not answer.smart
        }
        return tuple(
            RenamedCollection(row, title)
            for row in suspects
            if row.item in rows and (title := titles.get((row.item, row.section))) and fold(title) != fold(row.name)
        )

    def _counts(
        self,
        by_section: Mapping[str, Collection[CollectionObject]],
        profiles: Mapping[str, Profile],
        here: Mapping[tuple[CollectionObject, str], KnownCollection],
        dropped: Collection[CollectionObject],
    ) -> dict[CollectionObject, CollectionSource]:
        """The objects whose scenes have to be counted, as Stash has them now, in one request.

        They had too few scenes, were never counted, or a scene does not show them any more. One that can't be read counts
        as one with enough scenes, until it can.
        """
        wanted: dict[str, CollectionObject] = {}
        for section, profile in profiles.items():
            for object in (*by_section[section], *dropped) if profile.dressing.minimum > 1 else ():
                row = here.get((object, section))
                if row if object in dropped else (row.scenes if row else -1) < profile.dressing.minimum:
                    wanted[f"{object.source} {object.id}"] = object

        def ask(keys: list[str]) -> dict[str, CollectionSource]:
            ids: dict[str, list[int]] = {}
            for key in keys:
                ids.setdefault(wanted[key].source, []).append(wanted[key].id)
            answers = self._stash.objects(ids)
            return {f"{source} {id}": answer for (source, id), answer in answers.items()}

        answers = read_each(self._gates, Neighbour.STASH, ask, wanted)
        return {wanted[key]: answer for key, answer in answers.items() if isinstance(answer, CollectionSource)}


def save_renames(tx: Writer, renames: Iterable[RenamedCollection]) -> None:
    """Save that collections have these titles in Plex, and rewrite what is remembered of the scenes of their libraries.

    From now on the scenes carry the titles. All of a batch belong in one call: one collection can have the earlier title of
    another.
    """
    titles = {rename.collection.id: rename.title for rename in renames}
    if not titles:
        return
    names: dict[tuple[str, str], dict[str, str]] = {}
    for id, row in tx.collections.of(titles).items():
        tx.collections.rename(id, titles[id])
        if fold(row.name) != fold(titles[id]):
            names.setdefault((row.library, row.section), {})[fold(row.name)] = titles[id]
    for (library, section), some in names.items():
        tx.memories.rewrite_all(library, section, mentioning(some), partial(renamed_memory, names=some))
        tx.pushings.rewrite_all(library, section, partial(renamed_pushing, names=some))


def save_counts(
    tx: Writer, counts: Mapping[int, int], profiles: Mapping[str, Profile], *, inspected: Collection[int] = (), now: int
) -> int:
    """Save how many scenes objects have in Stash, by the id of the collection; returns the number of queued scenes.

    `profiles` are those of the libraries by key. The scenes that show an object are queued when it crosses the minimum,
    but for those that were just `inspected`. Which scenes have a rating, only a full comparison finds out.
    """
    rows = tx.collections.of(counts)
    tx.collections.count_scenes({id: counts[id] for id, row in rows.items() if row.scenes != counts[id]})
    crossing: set[int] = set()
    for id, row in rows.items():
        minimum = profiles[row.section].dressing.minimum
        if (
            row.scenes >= 0
            and (row.scenes < minimum) != (counts[id] < minimum)
            and row.object.source in CARRIED_BY_SCENES
        ):
            crossing.update(tx.scene_names.scenes_showing(Kind(row.object.source), row.object.id))
    for scene in sorted(crossing.difference(inspected)):
        tx.jobs.want(Kind.SCENE, scene, Why.SWEEP, now)
    return len(crossing.difference(inspected))


def _asks(profile: Profile) -> bool:
    return FIELD in profile.fields and profile.dressing.asks_names


def _objects(scenes: Iterable[Scene], profile: Profile) -> list[CollectionObject]:
    """The objects of these scenes, without those that an import is about to create."""
    named = (named for scene in scenes for named in objects_of(scene, profile))
    return list(dict.fromkeys(each.object for each in named if each.object.id))


def _objects_left(
    scenes: Iterable[Scene], references: Mapping[int, Collection[tuple[str, int]]]
) -> set[CollectionObject]:
    """The objects that scenes showed when they were last seen, and show no more."""
    return {
        CollectionObject(source, id)
        for scene in scenes
        for source in CARRIED_BY_SCENES
        for kind, id in references.get(scene.id, ())
        if kind == source and (kind, id) not in scene.references
    }


def _lost_names(items: Mapping[str, Item], past: Past, profiles: Mapping[str, Profile]) -> dict[str, set[str]]:
    """The names that PlexSync has added to items and that are missing there, by the key of the library."""
    lost: dict[str, set[str]] = {}
    pairs = {*past.memories, *past.pushings}
    for pair in pairs:
        item = items.get(pair[1])
        if item is None or "name" not in (profiles[item.section].dressing.parts if item.section in profiles else ()):
            continue
        present = {fold(name) for name in item.lists.get(FIELD, ())}
        names = added_names(past.memories.get(pair, {}), past.pushings.get(pair, ()))
        if away := {name for name in names if fold(name) not in present}:
            lost.setdefault(item.section, set()).update(away)
    return lost


def _collections_joined_by(
    scene: Scene,
    items: Iterable[Item],
    past: Past,
    profiles: Mapping[str, Profile],
    here: Mapping[tuple[CollectionObject, str], KnownCollection],
) -> Iterator[KnownCollection]:
    """The known collections that a scene comes into: under its former name, one would be made anew."""
    for item in items:
        profile = profiles.get(item.section)
        if profile is None or "name" not in profile.dressing.parts:
            continue
        remembered = past.memories.get((scene.id, item.key), {}).get(FIELD)
        names = {fold(name) for name in (*item.lists.get(FIELD, ()), *(remembered.said if remembered else ()))}
        for named in objects_of(scene, profile):
            row = here.get((named.object, item.section))
            if row and row.item and fold(row.name) not in names:
                yield row


def _names_carried_in(
    objects: Iterable[CollectionObject],
    section: str,
    profile: Profile,
    here: Mapping[tuple[CollectionObject, str], KnownCollection],
    renames: Sequence[RenamedCollection],
    counts: Mapping[CollectionObject, CollectionSource],
) -> dict[CollectionObject, str]:
    """The names to carry in a library: the titles of known collections, and none for objects with too few scenes."""
    titles = {rename.collection.id: rename.title for rename in renames}
    carried: dict[CollectionObject, str] = {}
    for object in objects:
        row = here.get((object, section))
        if object in counts and scenes_of(counts[object], profile) < profile.dressing.minimum:
            carried[object] = ""
        elif row and row.item and row.owner != "foreign" and "name" in profile.dressing.parts:
            carried[object] = titles.get(row.id, row.name)
    return carried


def _renamed_past(past: Past, items: Mapping[str, Item], renames: Sequence[RenamedCollection]) -> Past:
    """The past with the new names in what is remembered of the items of the renamed collections' libraries."""
    if not renames:
        return past
    names: dict[str, dict[str, str]] = {}
    for rename in renames:
        names.setdefault(rename.collection.section, {})[fold(rename.collection.name)] = rename.title
    by_item = {key: names[item.section] for key, item in items.items() if item.section in names}
    return replace(
        past,
        memories={
            pair: renamed_memory(memory, by_item[pair[1]]) if pair[1] in by_item else memory
            for pair, memory in past.memories.items()
        },
        pushings={
            pair: tuple(renamed_pushing(push, by_item[pair[1]]) for push in pushed) if pair[1] in by_item else pushed
            for pair, pushed in past.pushings.items()
        },
    )

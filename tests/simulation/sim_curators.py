"""People who care for collections, in Stash and in Plex, and what the collections have to show after that."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from plexsync.engine.undo import wish_undone
from plexsync.flows.collections.decisions import CollectionUndo, redone, want_collections
from plexsync.plex.artwork import key_of as picture_key
from plexsync.rules.collections.collections import CollectionRow
from plexsync.rules.merge.desired import Profile
from plexsync.rules.queue.job import Kind
from plexsync.rules.servers.errors import NeighbourError
from plexsync.simulator.plex_server import CollectionSnapshot
from plexsync.simulator.stash_images import png

if TYPE_CHECKING:
    from tests.simulation.sim_collections import CollectionsWorld

ROOTS = ("/media", "/others")
KINDS = ("studio", "group", "tag", "performer")
# The words of Stash's update for the summary and the pictures of each kind.
WORDS = {"studio": "details", "group": "synopsis", "tag": "description", "performer": "details"}
PICTURE = {"studio": "image", "group": "front_image", "tag": "image", "performer": "image"}
# A change of each kind that no collection shows.
OTHER = {
    "studio": {"aliases": ["x"]},
    "group": {"director": "x"},
    "tag": {"aliases": []},
    "performer": {"gender": "MALE"},
}
PLAIN_PARTS = ("title", "titleSort", "summary")
SETTINGS = ("mode", "order", "home")
MOST_SCENES = 9


@dataclass
class Thing:
    """An object in Stash, as a person has made it."""

    kind: str
    id: int
    name: str
    summary: str = ""
    picture: bytes | None = None
    background: bytes | None = None


@dataclass(frozen=True)
class Hand:
    """What a person has put into a part of a collection, when, and what Stash said then."""

    value: object
    seq: int
    wanted: object


class Curators:
    """People who edit in Stash and in Plex; every action keeps the truth up to date."""

    def __init__(self, world: "CollectionsWorld") -> None:
        self.world = world
        self.rng = world.chance
        self.stash, self.plex = world.stash, world.plex
        self.sections = [
            self.plex.add_section(title, locations=(root,), agent="tv.plex.agents.movie")
            for title, root in zip(("Movies", "Others"), ROOTS, strict=True)
        ]
        self.number = 0
        self.things: dict[tuple[str, int], Thing] = {}
        self.doubts: list[int] = []
        self.open_parts: set[tuple[str, str]] = set()
        self.added: set[tuple[str, str]] = set()
        for kind in KINDS:
            for letter in "ABC":
                self.make(kind, letter)
        self.foreign: dict[str, object] = {}
        self._make_foreign()
        for _ in range(5):
            self.add_scene()
        work = world.work
        self.table: list[tuple[int, Callable[[], None]]] = [
            (30, work),
            (6, lambda: world.pass_time(self.rng.choice((1, 5, 60, 600)))),
            (3, world.poll),
            (1, world.reconcile),
            (2, world.compare),
            (1, world.change_weather),
            (1, self.kill),
            (1, lambda: self.rng.random() < 0.3 and world.switch()),
            (1, self.shelve),
            *((weight, act) for weight, act in self.edits()),
        ]

    def edits(self) -> list[tuple[int, Callable[[], None]]]:
        """What people do that does not need the process."""
        return [
            (5, self.edit_scene),
            (1, self.add_scene),
            (1, self.destroy_scene),
            (4, self.edit_thing),
            (2, self.rename_thing),
            (1, self.destroy_thing),
            (5, self.edit_by_hand),
            (1, self.lose_item),
            (1, self.undo),
            (1, self.redo),
        ]

    def act(self) -> None:
        """One thing happens."""
        self._draw(self.table)()

    def meanwhile(self, *, watchers: bool) -> None:
        """Somebody acts while the process waits."""
        self._draw([entry for entry in self.edits() if entry[1] not in (self.undo, self.redo)])()

    def _draw(self, table: list[tuple[int, Callable[[], None]]]) -> Callable[[], None]:
        return self.rng.choices([act for _, act in table], [weight for weight, _ in table])[0]

    def _new(self) -> int:
        self.number += 1
        return self.number

    # --- in Stash ----------------------------------------------------------------------------------------------------

    def make(self, kind: str, letter: str = "") -> None:
        """An object appears."""
        name = f"{'Series' if kind == 'tag' else kind.title()} {letter or 'A'}{self._new()}"
        with self.stash.data.lock:
            id = getattr(self.stash.data, f"{kind}_named")(name).id
        self.things[kind, id] = Thing(kind, id, name)
        self.edit_thing(self.things[kind, id])

    def edit_thing(self, thing: Thing | None = None) -> None:
        """The text or the pictures of an object change."""
        thing = thing or self.rng.choice(list(self.things.values()))
        number = self._new()
        color = png(number % 256, number // 256, 77)
        match self.rng.choice(("summary", "summary", "picture", "background", "other")):
            case "summary":
                thing.summary = f"Text {number}."
                changes = {WORDS[thing.kind]: thing.summary}
            case "picture":
                thing.picture = color
                changes = {PICTURE[thing.kind]: color}
            case "background" if thing.kind == "group":
                thing.background = color
                changes = {"back_image": color}
            case _:
                changes = OTHER[thing.kind]
        self.stash.edit_object(thing.kind, thing.name, **changes)
        self.tell_hook(thing.kind, thing.id)
        self.world.tell(f"Stash: {thing.kind} {thing.id} {thing.name!r}: {sorted(changes)}")

    def rename_thing(self) -> None:
        """An object gets another name."""
        thing = self.rng.choice(list(self.things.values()))
        new = f"{'Series' if thing.kind == 'tag' else thing.kind.title()} {self.rng.choice('AB')}{self._new()}"
        others = [other.name for other in self.things.values() if other.kind not in (thing.kind, "tag")]
        if thing.kind != "tag" and self.world.shares and self.rng.random() < 0.3:
            # A studio of the name of a group: they share a collection.
            new = self.rng.choice(others)
            if any(other.kind == thing.kind and other.name == new for other in self.things.values()):
                return
        getattr(self.stash, f"rename_{thing.kind}")(thing.name, new)
        self.world.tell(f"Stash: {thing.kind} {thing.id} {thing.name!r} is now {new!r}")
        thing.name = new
        self.tell_hook(thing.kind, thing.id)

    def destroy_thing(self) -> None:
        """An object goes, and another one comes."""
        thing = self.rng.choice(list(self.things.values()))
        self.stash.destroy(thing.kind, thing.name)
        del self.things[thing.kind, thing.id]
        self.world.tell(f"Stash: {thing.kind} {thing.id} {thing.name!r} is no more")
        self.tell_hook(thing.kind, thing.id)
        self.make(thing.kind)

    def _some(self, kind: str, most: int) -> list[str]:
        names = [thing.name for thing in self.things.values() if thing.kind == kind]
        return self.rng.sample(names, self.rng.randrange(most + 1))

    def _belongings(self) -> dict[str, object]:
        studios = self._some("studio", 1)
        return {
            "studio": studios[0] if studios else None,
            "groups": [(name, self.rng.choice((None, 1, 2, 3, 4))) for name in self._some("group", 2)],
            "tags": [*self._some("tag", 1), *self.rng.sample(["Other", "Plain"], 1)],
            "performers": self._some("performer", 1),
        }

    def add_scene(self) -> None:
        """A scene with its files comes, in one or both libraries."""
        if len(self.stash.scene_ids()) >= MOST_SCENES:
            return
        n = self._new()
        roots = self.rng.choice((ROOTS[:1], ROOTS[1:], ROOTS))
        files = [(f"{root}/scene {n}.mp4", 1000 + n, 60.0) for root in roots]
        id = self.stash.add_scene(title=f"Title {n}", files=files, **self._belongings())
        for root, (path, size, _) in zip(roots, files, strict=True):
            self.plex.add_movie(self.sections[ROOTS.index(root)], files=[(path, size, 60_000)], title=f"file {n}")
        self.world.tell(f"Stash: scene {id} in {roots}")
        self.tell_hook("scene", id)

    def edit_scene(self) -> None:
        """A scene changes what it belongs to."""
        if not (ids := self.stash.scene_ids()):
            return
        id = self.rng.choice(ids)
        names = self._belongings()
        changes = {name: names[name] for name in self.rng.sample(sorted(names), self.rng.choice((1, 1, 2)))}
        self.stash.edit_scene(id, **changes)
        self.world.tell(f"Stash: scene {id}: {changes}")
        self.tell_hook("scene", id)

    def destroy_scene(self) -> None:
        """A scene goes with its files."""
        if len(ids := self.stash.scene_ids()) < 3:
            return
        id = self.rng.choice(ids)
        paths = {path for path, *_ in self.stash.scene(id).files}
        self.stash.destroy_scene(id)
        self.world.tell(f"Stash: scene {id} is no more")
        self.tell_hook("scene", id)
        for section in self.sections:
            for key in self.plex.keys(section):
                if paths & {path for path, *_ in self.plex.item(key).files}:
                    self.plex.remove(key)
                    self.world.tell(f"Plex: item {key} is gone")

    def tell_hook(self, kind: str, id: int) -> None:
        """The hook of an event, if it is heard."""
        if self.world.rng.random() < self.world.nature.hooks:
            self.world.hook(Kind(kind), id)

    # --- in Plex -----------------------------------------------------------------------------------------------------

    def _make_foreign(self) -> None:
        """A collection made by hand, one that has the name of an object as well, and a smart one with such a name."""
        for section, root in zip(self.sections, ROOTS, strict=True):
            path = f"{root}/mine.mp4"
            stray = self.plex.add_movie(section, files=[(path, 7, 7)], title="mine")
            tag, group = (
                next(thing for thing in self.things.values() if thing.kind == kind) for kind in ("tag", "group")
            )
            self.plex.hand_edit(stray, collection=["Mine", tag.name])
            keys = self.plex.collection_keys(section)
            for key in (keys["Mine"], keys[tag.name]):
                self.plex.hand_edit(key, summary="Mine.", thumb=png(9, 9, 9))
                self.plex.set_prefs(key, collectionMode="2")
            smart = self.plex.add_smart_collection(section, group.name, [stray])
            for key in (keys["Mine"], keys[tag.name], smart):
                self.foreign[key] = as_it_is(self.plex.collection(key))

    def ours(self) -> list[tuple[str, str]]:
        """(section, key) of every collection that is no foreign one."""
        return [
            (section, key)
            for section in self.sections
            for key in self.plex.collection_keys(section).values()
            if key not in self.foreign
        ]

    def edit_by_hand(self) -> None:
        """A person edits a part of a collection."""
        if not (keys := self.ours()):
            return
        _, key = self.rng.choice(keys)
        # Without that part, a rename in Plex is an edit of the members.
        part = self.rng.choice(("titleSort", "summary", "thumb", "art", *SETTINGS, *(["title"] * self.world.names)))
        is_known = bool(self.world.rows("select id from collection where item = ?", key))
        if part == "title" and (not is_known or self.world.depth):
            # Of one that was renamed before it was known, or while its name is on the way to an item, the old name stays.
            return
        before = shown_part(self.plex.collection(key), part)
        number = self._new()
        match part:
            case "title" | "titleSort" | "summary":
                self.plex.hand_edit(key, **{part: f"Hand {number}"})
            case "thumb" | "art":
                self.plex.hand_edit(key, **{part: png(1, number % 256, number // 256)})
            case "mode":
                self.plex.set_prefs(key, collectionMode="2")
            case "home":
                self.plex.set_home(key, "shared")
            case "order":
                members = self.plex.collection(key).members
                if len(members) < 2 or self.plex.collection(key).prefs.get("collectionSort") != "2":
                    return
                ((document,),) = self.world.rows("select max(memory) from collection where item = ?", key)
                if members[-1].encode() not in (document or b""):
                    # Of a newcomer that was moved before it was seen, nobody can tell that it was moved.
                    return
                self.plex.move_member(key, members[-1])
        now = shown_part(self.plex.collection(key), part)
        if now == before:
            return
        hands, wanted = self.world.truth.hands, self.wanted_of_key(key, part)
        last = hands.get((key, part))
        self.world.truth.seq += 1
        hands[key, part] = Hand(now, self.world.truth.seq, wanted)
        self.world.truth.noticed.discard((key, part))
        if last:
            is_sure = last.wanted == wanted and (key, part) not in self.open_parts
        else:
            is_sure = self._is_in_step(key, part, before, wanted)
        # Where Stash has changed the part as well, it wins.
        (self.open_parts.discard if is_sure else self.open_parts.add)((key, part))
        self.world.tally["hand edits"] += 1
        self.world.tell(f"by hand: {part} of collection {key}: {now!r} in place of {before!r}")

    def _is_in_step(self, key: str, part: str, shown: object, wanted: object) -> bool:
        """Whether Plex shows what Stash says, so that nothing was under way when a hand came."""
        if part == "order":
            scenes = [self.scene_of(member) for member in shown[1:]]
            places = dict(wanted or ())
            return set(map(str, scenes)) >= set(places) and is_in_order([places.get(str(scene)) for scene in scenes])
        return wanted is None or shown == wanted

    def lose_item(self) -> None:
        """An item of Plex gets another key; what it had is lost."""
        section = self.rng.choice(self.sections)
        keys = [key for key in self.plex.keys(section) if self.scene_of(key)]
        if keys and self.rng.random() < 0.5:
            key = self.rng.choice(keys)
            self.world.tell(f"Plex: item {key} is now {self.plex.readd(key)}")

    # --- PlexSync ----------------------------------------------------------------------------------------------------

    def kill(self) -> None:
        """The process ends at rest."""
        if self.world.nature.kills:
            self.world.kill_idle()

    def shelve(self) -> None:
        """The database is saved, or the saved one put back."""
        world = self.world
        if not world.restores:
            return
        if world.kept is None or self.rng.random() < 0.5:
            world.kept = world.copies / f"{self._new()}.db"
            world.place.save(world.kept)
            world.tell("our database is saved")
            return
        self.doubt()
        kept = world.kept

        world.replace_database("restored", lambda place: place.put_back(kept))

    def doubt(self) -> None:
        """From now on memory may be missing that says whose a value is."""
        self.world.truth.seq += 1
        self.doubts.append(self.world.truth.seq)

    def doubts_after(self, seq: int) -> bool:
        """Whether there was such a moment after another one."""
        return any(doubt > seq for doubt in self.doubts)

    def _rows(self) -> list[CollectionRow]:
        with self.world.process.store.reading() as db:
            return db.collections.page(after=0, limit=1000)

    def undo(self) -> None:
        """A person undoes a collection."""
        self.world.at_work("undo", self._undo)

    def _undo(self) -> None:
        process, rows = self.world.process, self._rows()
        if not rows:
            return
        row = self.rng.choice(rows)
        # The undo ends as soon as Stash, or a setting, says something else.
        self._open_emptied({row.item})
        try:
            marked = wish_undone(
                process.store,
                CollectionUndo(process.dressing.inspector),
                self.world.clock,
                [row.id],
                "undo",
            )
        except NeighbourError as error:
            marked = error
        self.world.tell(f"undo of {row.name!r} ({row.item}): {marked}")

    def redo(self) -> None:
        """A person does again what was undone."""
        self.world.at_work("redo", self._redo)

    def _redo(self) -> None:
        rows = self._rows()
        done = want_collections(self.world.process.store, self.world.clock, [row.id for row in rows], redone)
        self._open_emptied({row.item for row in rows if row.id in done})
        self.world.tell(f"redone: {done}")

    def _open_emptied(self, items: set[str]) -> None:
        """Once an undo ends, what a hand has emptied is as if nothing had ever been there."""
        hands = self.world.truth.hands.items()
        self.open_parts |= {pair for pair, hand in hands if pair[0] in items and not hand.value}

    # --- the truth ---------------------------------------------------------------------------------------------------

    def scene_of(self, key: str) -> int:
        """The scene of an item, 0 if it has none."""
        paths = {path for path, *_ in self.plex.item(key).files}
        scenes = (self.stash.scene(id) for id in self.stash.scene_ids())
        return next((scene.id for scene in scenes if paths & {path for path, *_ in scene.files}), 0)

    def belongs(self, scene: int) -> Iterator[Thing]:
        """The objects of a scene that can have a collection."""
        snapshot = self.stash.scene(scene)
        names = {
            ("studio", snapshot.studio),
            *(("group", group) for group in names_in(snapshot.groups)),
            *(("tag", name) for name in names_in(snapshot.tags)),
            *(("performer", name) for name in names_in(snapshot.performers)),
        }
        return (thing for thing in self.things.values() if (thing.kind, thing.name) in names)

    def is_wanted(self, thing: Thing, profile: Profile) -> bool:
        """Whether an object is to have a collection in a library of this profile."""
        word = {"studio": "studio", "group": "groups", "performer": "performers"}.get(thing.kind)
        if word and word not in profile.collections:
            return False
        count = sum(thing in self.belongs(id) for id in self.stash.scene_ids())
        return count >= profile.dressing.minimum

    def wanted_of_key(self, key: str, part: str) -> object:
        """What Stash says for a part of a collection, found by what is remembered of its key."""
        ids = self.world.rows("select source, object, section from collection where item = ?", key)
        for source, id, section in ids:
            if (thing := self.things.get((source, id))) and section in self.sections:
                return self.wanted(thing, self.world.profiles[self.sections.index(section)], part)
        return None

    def wanted(self, thing: Thing, profile: Profile, part: str) -> object:
        """What Stash says for a part; None: nothing."""
        dressing = profile.dressing
        match part:
            case "title":
                return thing.name if "name" in dressing.parts else None
            case "titleSort":
                return f"~{thing.name}" if dressing.sorts else None
            case "summary":
                return (thing.summary or None) if "summary" in dressing.parts else None
            case "thumb":
                on = thing.picture and "poster" in dressing.parts
                return picture_key("thumb", thing.picture) if on else None
            case "art":
                on = thing.background and "background" in dressing.parts
                return picture_key("art", thing.background) if on else None
            case "mode":
                return {"hidden": "0", "items_hidden": "1"}.get(dressing.mode)
            case "home":
                if not dressing.home:
                    return None
                return ("home", "recommended") if dressing.home.choose(thing.name) else ()
        return self.order(thing) if part == "order" else None

    def order(self, thing: Thing) -> object:
        """The scenes of a group with their places."""
        places = self.places(thing) if thing.kind == "group" else {}
        return tuple(sorted(((str(scene), index) for scene, index in places.items()), key=str)) or None

    def places(self, thing: Thing) -> dict[int, int | None]:
        """The place of each scene in a group."""
        scenes = (self.stash.scene(id) for id in self.stash.scene_ids())
        return {scene.id: index for scene in scenes for name, index in scene.groups if name == thing.name}


def names_in(values: object) -> Iterator[str]:
    """The names among these values, whatever form they have."""
    for value in values:
        yield value if isinstance(value, str) else value[0]


def shown_part(seen: CollectionSnapshot, part: str) -> object:
    """A part of a collection as Plex shows it."""
    match part:
        case "thumb":
            return seen.item.poster
        case "art":
            return seen.item.art
        case "mode":
            return seen.prefs.get("collectionMode", "")
        case "order":
            return (seen.prefs.get("collectionSort", ""), *seen.members)
        case "home":
            names = {
                "promotedToRecommended": "recommended",
                "promotedToOwnHome": "home",
                "promotedToSharedHome": "shared",
            }
            return tuple(sorted(names[name] for name, on in (seen.home or {}).items() if on))
    return seen.item.scalars.get(part)


def is_in_order(places: list[int | None]) -> bool:
    """Whether these places rise, those without a number last."""
    numbers = [99 if place is None else place for place in places]
    return numbers == sorted(numbers)


def as_it_is(seen: CollectionSnapshot) -> object:
    """All of a collection that no member changes."""
    scalars = {name: value for name, value in seen.item.scalars.items() if name not in ("addedAt", "updatedAt")}
    uploads = [key for key in seen.item.posters if key.startswith("upload")]
    return scalars, seen.item.locks, uploads, seen.item.art, seen.prefs, seen.home, seen.smart and seen.members

"""What people, disks and schedules do to the world while PlexSync works."""

from collections.abc import Callable
from random import Random

from plexsync.engine.undo import Marked, wish_undone
from plexsync.flows.scenes.undo import SceneUndo
from plexsync.plex.artwork import key_of
from plexsync.rules.merge.provenance import UNKNOWN
from plexsync.rules.queue.job import Kind, Why
from plexsync.rules.servers.errors import NeighbourError
from plexsync.simulator.stash_graphql import StashError
from plexsync.simulator.stash_images import png
from plexsync.simulator.stash_model import SceneSnapshot
from tests.simulation.sim_truth import (
    FIELDS,
    FRAME,
    LISTS,
    LOCKLESS,
    POSTER,
    Shown,
    desired,
    fold,
    folded,
    held,
    remembered,
)
from tests.simulation.sim_world import World

KINDS = ("plain",) * 6 + ("absent", "absent", "moved", "double", "doubled", "crowd", "twins")
FOLDERS = ("/media/a", "/media/b")
ELSEWHERE = "/media/elsewhere"
STUDIOS = ("Studio One", "Studio Two", "studio  two", "Studio Three")
PERFORMERS = ("Ann", "Bob", "Cid", "Dee", ("Eve", "one"), ("Eve", "two"))
TAGS = ("Rain", "rain", "Snow", "Sun", "Wind  and Fog", "Hail")
GROUPS = ("Series One", "series  one", "Series Two")
# What brings to light what a hook's event should have told; and what no hook tells of, which is rarer then.
HEALING = ("poll", "reconcile", "sweep", "retry")
FEWER = {"hand": 3, "refresh": 1, "readd": 1, "vanish": 1}
DATES = (None, "2024-05-17", "2023-01-02")


class People:
    """Acts by the dice of the seed; every action keeps the truth up to date."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.rng: Random = world.rng
        self.serial = 0
        self.pictures = 0
        self.hidden: list[tuple[str, str]] = []  # (section, content) of files on the disk that Plex does not see
        self.names: dict[str, list] = {
            "studio": list(STUDIOS),
            "performers": list(PERFORMERS),
            "tags": list(TAGS),
            "groups": list(GROUPS),
        }
        self.sections = [
            world.plex.add_section("Movies", locations=("/media",)),
            world.plex.add_section("Mirror", locations=("/media",)),
        ]
        self.spots: dict[str, tuple[str, int]] = {}  # content -> path and size of its file
        self.strangers: set[str] = set()
        self.told: dict[int, bool] = {}  # scene -> whether a hook told of its last change
        count = self.rng.randint(3, 12)
        while len(self.spots) < count:
            self.new_content(self.rng.choice(KINDS))
        self.actions = self._weights()

    def _weights(self) -> list[tuple[int, str, Callable[[], None]]]:
        world, nature = self.world, self.world.nature
        table: list[tuple[int, str, Callable[[], None]]] = [
            (60, "work", world.work),
            (22, "time", self.some_time),
            (14, "edit", self.edit),
            (3, "rename", self.rename),
            (3, "create", self.create),
            (2, "destroy", self.destroy),
            (1, "merge tags", self.merge_tags),
            (1, "merge", self.merge_scenes),
            (2, "move", self.move_file),
            (6, "hand", self.hand),
            (3, "refresh", self.refresh),
            (2, "readd", self.readd),
            (2, "vanish", self.vanish),
            (4, "scan", self.scan),
            (6, "poll", world.poll),
            (2, "reconcile", world.reconcile),
            (2, "sweep", self.sweep),
            (1, "retry", self.retry),
        ]
        if world.hooks_alone:
            table = [(FEWER.get(name, weight), name, act) for weight, name, act in table if name not in HEALING]
        if world.takes_back:
            table.append((3, "undo", self.undo))
        if nature.outages or nature.bars:
            table.append((5, "weather", world.change_weather))
        if nature.leaps:
            table.append((2, "leap", world.leap))
        if nature.kills:
            table.append((1, "kill", world.kill_idle))
        if nature.full_disk:
            table.append((2, "disk", self.fill_disk))
        if nature.poison:
            table.append((1, "poison", self.poison))
        if world.pictured:
            table += [(6, "cover", self.cover), (2, "poster", self.choose_poster), (4, "spoil", world.spoil_pictures)]
        return table

    def act(self) -> None:
        """One step of the world."""
        weights = [weight for weight, *_ in self.actions]
        ((_, name, action),) = self.rng.choices(self.actions, weights)
        self.world.tally[name] += 1
        action()

    def meanwhile(self, *, watchers: bool) -> None:
        """What can happen while the process waits for something."""
        choices = [self.edit, self.edit, self.hand, self.refresh, self.readd, self.scan, self.rename, self.move_file]
        if watchers and not self.world.hooks_alone:
            choices += [self.world.poll, self.world.reconcile]
        if self.world.nature.leaps:
            choices.append(self.world.leap)
        if self.world.pictured:
            choices += [self.cover, self.choose_poster]
        self.rng.choice(choices)()

    # --- the disk ----------------------------------------------------------------------------------------------------

    def new_content(self, kind: str) -> None:
        """A file appears, in Stash and (unless it is absent) in Plex."""
        contents = [self._file(kind)]
        if kind == "twins":
            path, size = self.spots[contents[0]]
            contents.append(self._file(kind, name=path.rsplit("/", 1)[1], size=size, folder=FOLDERS[1]))
        for content in contents:
            self.add_scene(content)
            if kind in ("plain", "double", "doubled", "twins"):
                self.show(self.sections[0], content)
            if kind == "double":
                self.show(self.sections[1], content)
            if kind == "absent":
                self.hide(self.sections[0], content)
            if kind == "moved":
                self.show(self.sections[0], content, folder=ELSEWHERE)
            for n in range({"doubled": 1, "crowd": 2}.get(kind, 0)):
                self.show_stranger(content, n)

    def _file(self, kind: str, *, name: str = "", size: int = 0, folder: str = "") -> str:
        self.serial += 1
        content = f"c{self.serial}"
        folder = folder or (FOLDERS[0] if kind == "twins" else self.rng.choice(FOLDERS))
        path = f"{folder}/{name or f'file {content}.mp4'}"
        self.world.truth.contents[path] = content
        self.world.truth.kinds[content] = kind
        self.spots[content] = (path, size or 1000 + self.serial)
        return content

    def _agent(self, title: str) -> tuple[dict, dict]:
        """What Plex's own agent says of a movie: as it takes it, and as the truth keeps it."""
        given: dict = {"title": title}
        if self.rng.random() < 0.4:
            given |= {"summary": "The agent's summary", "studio": "Agent Studio"}
        if self.rng.random() < 0.4:
            given |= {"genre": self.rng.sample(["Agent Genre", "Rain", "Sun"], 2), "actor": ["Agent Actor"]}
        kept = {name: folded(value) if name in LISTS else value for name, value in given.items()}
        return given, {**kept, POSTER: FRAME}

    def show(self, section: str, content: str, *, folder: str = "") -> str:
        """Plex sees the file at once."""
        path, size = self.spots[content]
        name = path.rsplit("/", 1)[1]
        path = f"{folder}/{name}" if folder else path
        given, kept = self._agent(name.removesuffix(".mp4"))
        key = self.world.plex.add_movie(section, files=[(path, size, 60_000)], **given)
        self.world.truth.items[key] = Shown(content, kept)
        self.world.truth.stir([content])
        return key

    def show_stranger(self, content: str, number: int) -> None:
        """A file of the same name and size elsewhere, that is nobody's."""
        path, size = self.spots[content]
        path = f"{ELSEWHERE} {number}/{path.rsplit('/', 1)[1]}"
        key = self.world.plex.add_movie(self.sections[0], files=[(path, size, 60_000)])
        title = path.rsplit("/", 1)[1].removesuffix(".mp4")
        self.world.truth.items[key] = Shown("c0", {"title": title, POSTER: FRAME})
        self.strangers.add(key)
        self.world.truth.stir([content])

    def hide(self, section: str, content: str) -> None:
        """The file lies on the disk; Plex sees it after a scan."""
        path, size = self.spots[content]
        given, kept = self._agent(path.rsplit("/", 1)[1].removesuffix(".mp4"))
        key = self.world.plex.stage_movie(section, files=[(path, size, 60_000)], **given)
        self.world.truth.items[key] = Shown(content, kept)
        self.hidden.append((section, content))

    def visible(self) -> list[str]:
        """The rating keys that Plex shows now, without the strangers."""
        keys = [key for section in self.sections for key in self.world.plex.keys(section)]
        return [key for key in keys if key not in self.strangers]

    # --- Stash -------------------------------------------------------------------------------------------------------

    def scenes(self) -> list[SceneSnapshot]:
        return [self.world.stash.scene(id) for id in self.world.stash.scene_ids()]

    def some_scene(self) -> SceneSnapshot | None:
        ids = self.world.stash.scene_ids()
        return self.world.stash.scene(self.rng.choice(ids)) if ids else None

    def noted(self, kind: Kind, id: int, what: str) -> None:
        """Something has happened in Stash: the truth hears of it, and perhaps a hook runs."""
        world = self.world
        world.truth.note_stash(self.scenes())
        hook = self.rng.random() < world.nature.hooks
        if kind is Kind.SCENE:
            self.told[id] = hook
        world.tell(f"Stash: {what}{' (hook)' if hook else ''}")
        if hook:
            seq, scenes = world.truth.seq, [id] if kind is Kind.SCENE else world.truth.changed_now()
            file = world.hook(kind, id, Why.USER if self.rng.random() < 0.05 else Why.EDIT)
            world.told.note(scenes, kind, id, file, seq)

    def values(self, marks: list[str]) -> dict:
        """New values for some fields of a scene; texts carry its marks."""
        self.serial += 1
        mark = f"#{self.rng.choice(marks)}#"
        rng = self.rng
        all_values = {
            "title": f"Title  {self.serial} of {mark}",
            "details": rng.choice(("", f"Details {self.serial} of {mark}", f"Line one\nof {mark} {self.serial}")),
            "date": rng.choice(DATES),
            "rating100": rng.choice((None, 20, 45, 70, 100)),
            "studio": rng.choice([None, *self.names["studio"]]),
            "performers": rng.sample(self.names["performers"], rng.randint(0, 3)),
            "tags": rng.sample(self.names["tags"], min(rng.randint(0, 4), len(self.names["tags"]))),
        }
        if self.world.takes_back:
            all_values["groups"] = rng.sample(self.names["groups"], rng.randint(0, 2))
        chosen = rng.sample(list(all_values), rng.randint(1, 4))
        return {name: all_values[name] for name in chosen}

    def add_scene(self, content: str) -> None:
        path, size = self.spots[content]
        values = self.values([content])
        if self.world.pictured and self.world.picture_rng.random() < 0.7:
            values["cover"] = self._picture()
        id = self.world.stash.add_scene(files=[(path, size, 60.0)], **values)
        values.pop("cover", None)
        self.noted(Kind.SCENE, id, f"scene {id} of {content} created {values}")

    def edit(self) -> None:
        """An edit in Stash, by a person or by a task that fires no hook."""
        if scene := self.some_scene():
            values = self.values(self.world.truth.of(scene) or ["c0"])
            if not scene.files:
                values.pop("title", None)
            self.world.stash.edit_scene(scene.id, **values)
            self.noted(Kind.SCENE, scene.id, f"scene {scene.id} edited {values}")

    def _picture(self) -> bytes:
        """A picture like no other."""
        self.pictures += 1
        return png(self.pictures % 256, self.pictures // 256, 7)

    def cover(self) -> None:
        """A scene gets another cover, or its first one, or loses it; now and then twice within a moment."""
        rng = self.world.picture_rng
        if scene := self.some_scene():
            for _ in range(1 + (rng.random() < 0.2)):
                gone = rng.random() < 0.2
                self.world.stash.set_cover(scene.id, None if gone else self._picture())
                self.noted(Kind.SCENE, scene.id, f"scene {scene.id} has {'no' if gone else 'another'} cover")
                if not self.world.depth and rng.random() < 0.5:
                    self.glance(scene.id)

    def glance(self, id: int) -> None:
        """A dry run: another one than the worker reads the cover and notes what it has seen."""
        world = self.world

        def look() -> None:
            try:
                world.process.watch_inspector.look([id])
            except NeighbourError as error:
                world.tell(f"a look at scene {id}: {error}")

        world.at_work("look", look)

    def choose_poster(self) -> None:
        """A person gives an item in Plex a poster of their own."""
        if key := self.some_item():
            theirs = self._picture()
            sure, first, wanted = self._is_at_rest(key, POSTER)
            self.world.plex.hand_edit(key, thumb=theirs)
            chosen = key_of(POSTER, theirs)
            note = self.world.truth.note_scalar
            note(key, POSTER, chosen, locked=True, sure=sure, first=first, wanted=wanted)
            self._stir(key)
            self.world.tell(f"hand on {key}: another poster{' (at rest)' if sure else ''}")

    def rename(self) -> None:
        """A studio, performer, tag or group gets another name: its scenes do not move."""
        self.serial += 1
        known = [
            ("studio", "rename_studio", Kind.STUDIO),
            ("performers", "rename_performer", Kind.PERFORMER),
            ("tags", "rename_tag", Kind.TAG),
        ]
        if self.world.takes_back:
            known.append(("groups", "rename_group", Kind.GROUP))
        what, verb, kind = self.rng.choice(known)
        names = self.names[what]
        old = self.rng.choice(names)
        new = f"{what.title()} {self.serial}"
        data = self.world.stash.data
        records = {
            "studio": data.studios,
            "performers": data.performers,
            "tags": data.tags,
            "groups": data.groups,
        }[what]
        id = next((one.id for one in records.values() if _name_of(one) == old), 0)
        if not id:
            return
        getattr(self.world.stash, verb)(old, new)
        names[names.index(old)] = new if isinstance(old, str) else (new, old[1])
        self.noted(kind, id, f"{what} {old!r} renamed to {new!r}")

    def merge_tags(self) -> None:
        """Two tags become one."""
        tags = self.names["tags"]
        if len(tags) < 3:
            return
        gone, kept = self.rng.sample(tags, 2)
        try:
            self.world.stash.merge_tags([gone], kept)
        except StashError:
            return
        tags.remove(gone)
        id = next(tag.id for tag in self.world.stash.data.tags.values() if tag.name == kept)
        self.noted(Kind.TAG, id, f"tag {gone!r} merged into {kept!r}")

    def create(self) -> None:
        """A new file, or a scene again for one that was deleted."""
        known = {content for scene in self.scenes() for content in self.world.truth.of(scene)}
        orphans = sorted(content for content in self.spots if content not in known)
        if orphans and self.rng.random() < 0.5:
            content = self.rng.choice(orphans)
            self.add_scene(content)
        elif len(self.spots) < 20:
            self.new_content(self.rng.choice(KINDS))

    def destroy(self) -> None:
        """A scene is deleted in Stash."""
        if scene := self.some_scene():
            self.world.stash.destroy_scene(scene.id)
            self.world.truth.stir(self.world.truth.of(scene))
            self.noted(Kind.SCENE, scene.id, f"scene {scene.id} destroyed")

    def merge_scenes(self) -> None:
        """Two plain scenes become one with two files."""
        plain = [s for s in self.scenes() if {self.world.truth.kinds[c] for c in self.world.truth.of(s)} == {"plain"}]
        if len(plain) < 2:
            return
        source, into = self.rng.sample(plain, 2)
        self.world.stash.merge_scenes([source.id], into.id)
        self.world.truth.stir(self.world.truth.of(source))
        self.world.told.forget(source.id)
        self.noted(Kind.SCENE, into.id, f"scene {source.id} merged into {into.id}")

    def move_file(self) -> None:
        """A file gets another name on the disk: Stash follows, Plex has it as a new item after the next scan."""
        away = {content for _, content in self.hidden}
        plain = [
            content for content in self.spots if self.world.truth.kinds[content] == "plain" and content not in away
        ]
        if not plain:
            return
        content = self.rng.choice(plain)
        old, size = self.spots[content]
        self.serial += 1
        new = f"{self.rng.choice(FOLDERS)}/moved {self.serial}.mp4"
        self.world.truth.contents[new] = content
        self.spots[content] = (new, size)
        for key in self.visible():
            if self.world.truth.items[key].content == content:
                self.world.plex.remove(key)
                self.hide(self.sections[0], content)
        self.world.stash.rename_file(old, new)
        self.world.truth.stir([content])
        owner = next((scene.id for scene in self.scenes() if any(path == new for path, *_ in scene.files)), 0)
        if owner:
            self.noted(Kind.SCENE, owner, f"{content} is now {new}")

    # --- Plex --------------------------------------------------------------------------------------------------------

    def some_item(self) -> str:
        keys = self.visible()
        return self.rng.choice(keys) if keys else ""

    def _stir(self, key: str) -> None:
        self.world.truth.stir([self.world.truth.items[key].content])

    def hand(self) -> None:
        """A person edits an item in Plex."""
        if key := self.some_item():
            name = self.rng.choice(FIELDS)
            (self._hand_on_list if name in LISTS else self._hand_on_scalar)(key, name)
            self._stir(key)

    def _hand_on_scalar(self, key: str, name: str) -> None:
        self.serial += 1
        value = {
            "originallyAvailableAt": f"1999-01-{1 + self.serial % 28:02}",
            "userRating": str((1 + self.serial % 19) / 10),
        }.get(name, f"hand {self.serial}")
        if self.rng.random() < 0.1 and name != "title":
            value = ""
        locked = self.rng.random() < 0.75
        sure, first, wanted = self._is_at_rest(key, name)
        given = (float(value) if name == "userRating" else value) if value else None
        self.world.plex.hand_edit(key, locked=locked, **{name: given})
        self.world.truth.note_scalar(key, name, value, locked=locked, sure=sure, first=first, wanted=wanted)
        self.world.tell(
            f"hand on {key}: {name} = {value!r}{', locked' if locked else ''}{' (at rest)' if sure else ''}"
        )

    def _is_at_rest(self, key: str, name: str) -> tuple[bool, bool, str]:
        """(in step with nothing under way, never written with nothing under way, what Stash says)."""
        world = self.world
        content = world.truth.items[key].content
        scene = next((one for one in self.scenes() if content in world.truth.of(one)), None)
        if scene is None:
            return False, False, ""
        want = desired(scene)[name]
        item = world.plex.item(key)
        rows = world.rows("select state from job where kind = 'scene' and id = ?", scene.id)
        documents = world.rows("select document from memory where subject = ? and item = ?", scene.id, key)
        said, left = remembered(documents[0][0] if documents else None, name)
        pending = world.rows("select 1 from pushing where item = ?", key)
        still = not world.depth and not pending and not any(weather.late for weather in world.weather.values())
        quiet = still and rows == [("idle",)]
        in_step = held(item, name) == want and (name in item.locks or name in LOCKLESS)
        as_known = said is not None and left is not None and _alike(name, said, want) and _alike(name, left, want)
        keeps = world.nature.setting.policy.first_push == "keep"
        return bool(want and quiet and in_step and as_known), still and keeps and said is None, want

    def _hand_on_list(self, key: str, kind: str) -> None:
        world, truth = self.world, self.world.truth
        names = world.plex.item(key).lists[kind]
        locked = self.rng.random() < 0.8
        if names and self.rng.random() < 0.5:
            gone = self.rng.choice(names)
            world.plex.hand_edit(key, locked=locked, **{kind: [name for name in names if name != gone]})
            truth.note_member(key, kind, removed=gone)
            world.tell(f"hand on {key}: {kind} without {gone!r}{', locked' * locked}")
        else:
            self.serial += 1
            new = f"hand {self.serial}"
            world.plex.hand_edit(key, locked=locked, **{kind: [*names, new]})
            truth.note_member(key, kind, added=new)
            world.tell(f"hand on {key}: {kind} with {new!r}{', locked' * locked}")
        if locked:
            truth.note_lock(key, kind, world.plex.item(key).lists[kind])

    def refresh(self) -> None:
        """Plex asks its agent again."""
        if key := self.some_item():
            self.world.truth.note_refresh(key, self.world.plex.item(key))
            self.world.plex.refresh_item(key)
            self._stir(key)
            self.world.tell(f"Plex: {key} refreshed")

    def readd(self) -> None:
        """An item gets another rating key; edits and locks are lost."""
        if key := self.some_item():
            new = self.world.plex.readd(key)
            old = self.world.truth.items[key]
            self.world.truth.items[new] = Shown(old.content, old.agent)
            self._stir(new)
            self.world.tell(f"Plex: {key} is now {new}")

    def vanish(self) -> None:
        """A file's disk is away for a while: the item leaves Plex and comes back with a scan."""
        key = self.some_item()
        if not key:
            return
        content = self.world.truth.items[key].content
        if self.world.truth.kinds[content] in ("plain", "absent"):
            section = self.world.plex.item(key).section
            self.world.plex.remove(key)
            self.hide(section, content)
            self.world.truth.stir([content])
            self.world.tell(f"Plex: {key} of {content} has vanished")

    def scan(self) -> None:
        """A scan of a library ends."""
        section = self.rng.choice(self.sections)
        self.finish_scan(section)

    def finish_scan(self, section: str) -> None:
        self.world.plex.scan(section)
        self.world.plex.finish_scan(section)
        if appeared := [content for one, content in self.hidden if one == section]:
            self.world.truth.stir(appeared)
        self.hidden = [one for one in self.hidden if one[0] != section]
        self.world.tell(f"Plex: library {section} scanned")

    # --- ours --------------------------------------------------------------------------------------------------------

    def some_time(self) -> None:
        """Time goes by, mostly a little."""
        world, rng = self.world, self.rng
        if rng.random() < 0.35 and world.idle_until is not None:
            seconds = max(0.05, min(3600.0, (world.idle_until - world.clock.now()) / 1000))
        else:
            longest = 28_800 if world.nature.long_days and rng.random() < 0.2 else 900 if rng.random() < 0.1 else 6
            seconds = rng.random() * longest
        world.tell(f"{seconds:.2f} s pass")
        world.pass_time(seconds)

    def sweep(self) -> None:
        """A person asks for everything."""
        for id in self.world.stash.scene_ids():
            self.world.hook(Kind.SCENE, id, Why.SWEEP)
        self.world.tell("sync --all")

    def undo(self) -> None:
        """A person takes back what was pushed for a scene, or leaves it there without our locks."""
        world, scene = self.world, self.some_scene()
        if scene is None:
            return
        how = "release" if self.rng.random() < 0.2 else "undo"
        began = world.truth.seq, world.tally["pictures unread"]

        def take_back() -> Marked | bool:
            process = world.process
            try:
                return wish_undone(process.store, SceneUndo(process.watch_inspector), process.clock, [scene.id], how)
            except NeighbourError as error:
                world.tell(f"{how} of scene {scene.id}: {error}")
                return False

        marked = world.at_work(how, take_back)
        if isinstance(marked, Marked) and marked.jobs:
            world.tally["undone"] += 1
            world.tell(f"{how} of scene {scene.id}")
            # A cover that could not be read just then is news once it can be.
            sure = (world.truth.seq, world.tally["pictures unread"]) == began
            world.truth.note_undone(scene.id, how, sure=sure)
        elif marked is None:
            # Killed on the way, or no process: it may have been noted.
            world.truth.note_undone(scene.id, how, sure=False)

    def retry(self) -> None:
        """A person tries the dead letters again."""
        world = self.world

        def again() -> None:
            with world.process.store.writing() as tx:
                world.tell(f"retry: {tx.jobs.retry(now=world.clock.now())}")

        world.at_work("retry", again)

    def fill_disk(self) -> None:
        """The disk fills up, or somebody makes room."""
        self.world.full = not self.world.full
        self.world.tell("the disk is full" if self.world.full else "there is room again")

    def poison(self) -> None:
        """One item makes Plex fail at every write, or no longer does."""
        if self.world.poisoned:
            self.world.poisoned.clear()
        elif key := self.some_item():
            self.world.poisoned.add(key)
            self.world.tally["poisoned"] += 1
        self.world.tell(f"poisoned: {sorted(self.world.poisoned)}")


def _name_of(record) -> object:
    disambiguation = getattr(record, "disambiguation", "")
    return (record.name, disambiguation) if disambiguation else record.name


def _alike(name: str, value: object, want: object) -> bool:
    if value == UNKNOWN:
        return False
    if name == "userRating":
        return bool(value and want) and float(str(value)) == float(str(want))
    return fold(str(value)) == fold(str(want))

"""People who rate on both sides, leave a film in its midst, and import, while plays come back and backups are restored."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from plexsync.engine.undo import Marked, wish_undone
from plexsync.flows.imports.importer import Importer
from plexsync.flows.imports.planner import SceneImport
from plexsync.rules.plays.play_wishes import UNDO, PlayWish
from plexsync.rules.servers.errors import NeighbourError
from plexsync.simulator.stash_model import SceneSnapshot
from tests.simulation.sim_both_truth import IN_PLEX, NAMES, NONE, RATING, STASH, RatingTruth, ResumeTruth, Said
from tests.simulation.sim_watchers import AGES, Watchers, key_of

if TYPE_CHECKING:
    from tests.simulation.sim_both_ways import BothWorld

STASH_RATINGS = (NONE, NONE, 7, 20, 43, 50, 68, 80, 100)
PLEX_RATINGS = (NONE, NONE, 10, 25, 50, 60, 75, 90, 100)
LENGTH = 60_000
# Seconds by which a moment of Plex is ahead of the clock at most.
AHEAD = 86_400
PERFORMERS = ("Ann", "Bob", "Agent Actor")
STUDIOS = ("Studio One", "Agent Studio")
# What is less often done than in lives with plays alone.
SELDOM = {
    "work": 20,
    "time": 12,
    "minute": 24,
    "play": 6,
    "guest plays": 1,
    "history": 3,
    "listen": 2,
    "watch in Stash": 3,
    "delete in Stash": 2,
    "poll": 2,
    "scan": 3,
    "move": 2,
}
TAGS = ("Rain", "Snow", "Agent Genre")


class Raters(Watchers):
    """Acts by the dice of the seed; every action keeps the truth up to date."""

    world: "BothWorld"

    def __init__(self, world: "BothWorld") -> None:
        self.agreed: list[SceneImport] = []
        self.seen: set[str] = set()
        # Whether our database was restored: then nobody knows that what a restored Plex has is older.
        self.has_forgotten = False
        super().__init__(world)
        self._look()

    def _weights(self) -> list[tuple[int, str, Callable[[], None]]]:
        table = [(SELDOM.get(name, weight), name, act) for weight, name, act in super()._weights()]
        ways, world = self.world.ways, self.world
        table += [(3, name, act) for name, act in self._restores().items() if name in world.restores]
        table += [(3, "copies", self.make_copies), (2, "readd", self.readd)]
        if ways.ratings:
            table += [
                (14, "rate in Plex", self.rate_in_plex),
                (12, "rate in Stash", self.rate_in_stash),
                (10, "rate on both sides", self.rate_both),
                (5, "undo ratings", self.undo_ratings),
                (8, "ratings", world.poll_ratings),
            ]
        if ways.resume:
            table += [
                (22, "leave in Plex", self.leave_in_plex),
                (14, "go on in Stash", self.go_on_in_stash),
                (3, "undo", self.undo),
                (8, "resume", world.poll_resume),
            ]
        if ways.imports:
            table += [
                (5, "preview an import", self.preview_import),
                (8, "import", self.carry_out_import),
                (4, "undo an import", self.undo_import),
                (10, "edit", self.edit),
            ]
        return table

    def act(self) -> None:
        super().act()
        self._look()

    def meanwhile(self, *, watchers: bool) -> None:
        ways, own = self.world.ways, [super().meanwhile] * 2
        acts: list[Callable[[], None]] = [
            *([self.rate_in_plex, self.rate_in_stash] if ways.ratings else ()),
            *([self.leave_in_plex, self.go_on_in_stash] if ways.resume else ()),
            *([self.edit] if ways.imports else ()),
        ]
        chosen = self.rng.choice([*own, *acts])
        if chosen in own:
            super().meanwhile(watchers=watchers)
        else:
            chosen()
        self._look()

    def minute(self) -> None:
        self.world.poll_ratings()
        self.world.poll_resume()
        super().minute()

    # --- files and scenes --------------------------------------------------------------------------------------------

    def agent_of(self, content: str) -> dict[str, object]:
        """What Plex's own agent says of a content, the same whenever it is shown anew."""
        given, rng = super().agent_of(content), self.rng
        if not self.world.ways.imports:
            return given
        known = self.world.truth.agent.get(content)
        if known is None:
            known = self.world.truth.agent[content] = {
                "details": rng.choice(("", f"What happens in {content}.")),
                "date": rng.choice((None, "2019-08-07")),
                "studio": rng.choice((None, "Agent Studio", f"Studio of {content}")),
                "performers": tuple(
                    sorted(rng.sample(("Agent Actor", "Ann", f"Actor of {content}"), rng.randint(0, 2)))
                ),
                "tags": tuple(sorted(rng.sample(("Agent Genre", "Rain", f"Genre of {content}"), rng.randint(0, 2)))),
            }
        in_plex = {IN_PLEX[name]: list(value) if name in NAMES[1:] else value for name, value in known.items()}
        return given | {name: value for name, value in in_plex.items() if value}

    def add_scene(self, content: str) -> None:
        world, rng = self.world, self.rng
        path, size = self.spots[content]
        values: dict[str, object] = {"title": f"Title of {content}"}
        if world.ways.imports:
            values = self._values(rng.randint(0, 2))
        if world.ways.ratings:
            values[RATING] = stash_value(rng.choice(STASH_RATINGS))
        scene = world.stash.scene(world.stash.add_scene(files=[(path, size, 60.0)], **values))
        world.tell(f"Stash: scene {scene.id} of {content} {values}")
        for name, value in values.items():
            world.truth.note_field(key_of(scene), [content], name, value)
        self._begins(scene)
        self._hooked(scene.id)

    def _values(self, count: int) -> dict[str, Said]:
        """New values for some fields of a scene."""
        rng, self.serial = self.rng, self.serial + 1
        values: dict[str, Said] = {
            "title": rng.choice(("", f"Title {self.serial}")),
            "details": rng.choice(("", f"Details {self.serial}")),
            "date": rng.choice((None, "2024-05-17", "2023-01-02")),
            "studio": rng.choice((None, *STUDIOS)),
            "performers": tuple(sorted(rng.sample(PERFORMERS, rng.randint(0, 2)))),
            "tags": tuple(sorted(rng.sample(TAGS, rng.randint(0, 2)))),
        }
        return {name: values[name] for name in rng.sample(list(values), count)}

    def edit(self) -> None:
        if not self.world.ways.imports:
            super().edit()
        elif scene := self.some_scene():
            values = self._values(self.rng.randint(1, 2))
            self.world.stash.edit_scene(scene.id, **values)
            for name, value in values.items():
                self.world.truth.note_field(key_of(scene), self.world.truth.of(scene), name, value)
            self.world.note_race(key_of(scene))
            self._hooked(scene.id)
            self.world.tell(f"Stash: scene {scene.id} edited {values}")

    def _begins(self, scene: SceneSnapshot) -> None:
        """A scene is there, or is there again, that nobody has seen before."""
        truth, sides = self.world.truth, self.sides(scene)
        rating = truth.ratings[key_of(scene)] = RatingTruth()
        rating.unsettle(sides)
        rating.agreed = {one for one in sides.values() if one != NONE} or {NONE}
        if any(sides[key] == NONE and self.world.was_rated(key) for key in self.items_of(scene)):
            # For all that the journal tells, the scene had its rating already when the item was cleared.
            rating.agreed.add(NONE)
        rating.is_sure = True
        resume = truth.resume[key_of(scene)] = ResumeTruth()
        resume.note(self.left_at(scene) or 0)

    def _look(self) -> None:
        """Items that are new in Plex are noted."""
        now = set(self.visible())
        for key in sorted(now - self.seen):
            if scene := self.scene_of(self.world.truth.content_of[key]):
                self._appears(scene, key)
        self.seen = now

    def _appears(self, scene: SceneSnapshot, key: str) -> None:
        """A new item of a scene is in Plex: it gets the rating of the scene."""
        rating, sides = self.world.truth.ratings[key_of(scene)], self.sides(scene)
        if sides[STASH] != NONE:
            rating.moved.setdefault(STASH, sides[STASH])
        if rating.apart is not None:
            rating.apart[key] = set(rating.apart[STASH])

    def _leave(self, key: str) -> None:
        scene = self.scene_of(self.world.truth.content_of[key])
        if scene is None:
            super()._leave(key)
            return
        rating, sides, at_rest = self.rating_of(scene), self.sides(scene), self.is_rating_at_rest(scene)
        is_dealt_with = self.is_resume_at_rest(scene)
        super()._leave(key)
        self.seen.discard(key)
        if rating.apart is not None:
            rating.apart.pop(key, None)
        elif not at_rest:
            rating.unsettle(sides, *rating.agreed)
        rating.replaced.pop(key, None)
        if not is_dealt_with:
            self.resume_of(scene).also(self.position(scene), *self._places(scene))

    # --- ratings -----------------------------------------------------------------------------------------------------

    def rating_of(self, scene: SceneSnapshot) -> RatingTruth:
        return self.world.truth.ratings[key_of(scene)]

    def items_of(self, scene: SceneSnapshot) -> list[str]:
        """The rating keys of a scene's items that Plex shows."""
        contents = set(self.world.truth.of(scene))
        return [key for key in self.visible() if self.world.truth.content_of[key] in contents]

    def sides(self, scene: SceneSnapshot) -> dict[str, int]:
        """The rating of a scene in Stash, and of each of its items."""
        stash = {STASH: scene.rating100 or NONE}
        return stash | {key: self.world.rating_in_plex(key) for key in self.items_of(scene)}

    def is_rating_at_rest(self, scene: SceneSnapshot) -> bool:
        """Whether what is remembered of the ratings of a scene is what both sides have, and nothing is under way."""
        if self.world.is_under_way():
            return False
        sql = "select item, stash, plex, pending, undo from rating where scene = ? and scene_created_at = ?"
        rows = {item: row for item, *row in self.world.rows(sql, *key_of(scene))}
        sides = self.sides(scene)
        items = {side: rating for side, rating in sides.items() if side != STASH}
        unknown = [rating for key, rating in items.items() if key not in rows]
        known = [rows[key] == [sides[STASH], rating, "", 0] for key, rating in items.items() if key in rows]
        return bool(items) and all(known) and (not unknown or {*unknown, sides[STASH]} == {NONE})

    def rate_in_plex(self) -> None:
        """The owner rates an item, or takes a rating away."""
        world = self.world
        if not (keys := self.visible()):
            return
        key, rating = self.rng.choice(keys), self.rng.choice(PLEX_RATINGS)
        scene = self.scene_of(world.truth.content_of[key])
        before = world.rating_in_plex(key)
        if rating == before:
            return
        at_rest = scene is not None and self.is_rating_at_rest(scene)
        world.rate_in_plex(key, rating)
        world.tell(f"Plex: {key} of {world.truth.content_of[key]} rated {rating}{' (at rest)' * at_rest}")
        if scene is not None:
            self._rated(scene, key, rating, at_rest=at_rest)
        if not world.depth and self.rng.random() < 0.4:
            world.hear_of(key)

    def _rated(self, scene: SceneSnapshot, key: str, rating: int, *, at_rest: bool) -> None:
        truth, second = self.rating_of(scene), int(self.world.plex.now())
        truth.note(key, rating, at_rest=at_rest, at_once=truth.last_second == second and len(self.items_of(scene)) > 1)
        truth.last_second = second
        self.world.note_race(key_of(scene))

    def rate_in_stash(self) -> None:
        """Somebody rates a scene, or takes a rating away."""
        if not (scene := self.some_scene()):
            return
        rating = self.rng.choice(STASH_RATINGS)
        if rating == (scene.rating100 or NONE):
            return
        at_rest = self.is_rating_at_rest(scene)
        self.world.stash.edit_scene(scene.id, rating100=stash_value(rating))
        self.world.tell(f"Stash: scene {scene.id} rated {rating}{' (at rest)' * at_rest}")
        self.rating_of(scene).note(STASH, rating, at_rest=at_rest)
        self.world.note_race(key_of(scene))
        self._hooked(scene.id)

    def rate_both(self) -> None:
        """Both sides are rated before anybody looks."""
        world, calm = self.world, [scene for scene in self.scenes() if self.is_rating_at_rest(scene)]
        if not calm:
            return
        scene = self.rng.choice(calm)
        sides = self.sides(scene)
        key = self.rng.choice([side for side in sides if side != STASH])
        stash, plex = self.rng.choice(STASH_RATINGS), self.rng.choice(PLEX_RATINGS)
        if len({stash, plex, *sides.values()}) != len({*sides.values()}) + 2:
            return
        world.stash.edit_scene(scene.id, rating100=stash_value(stash))
        world.rate_in_plex(key, plex)
        winner = stash if world.setting.ratings.wins == "stash" else plex
        self.rating_of(scene).decided(stash, key, plex, winner)
        world.tell(f"both: scene {scene.id} rated {stash}, and {key} {plex}")
        world.tally["rated on both sides"] += 1
        self._hooked(scene.id)

    def undo_ratings(self) -> None:
        """A person puts back the ratings that PlexSync has replaced."""
        world, scene, process = self.world, self.some_scene(), self.world.process
        if scene is None:
            return
        at_rest, sides = self.is_rating_at_rest(scene), self.sides(scene)

        def ask() -> Marked | str:
            parts = world.process.parts
            try:
                return wish_undone(parts.store, world.process.ratings.flows[0], parts.clock, [scene.id], "undo")
            except NeighbourError as error:
                world.tell(f"no undo of the rating of {scene.id}: {error}")
                return "not made"

        marked = world.at_work("wish", ask)
        if marked == "not made":
            return
        sure = isinstance(marked, Marked) and process is world.process and not marked.failed
        self.rating_of(scene).undone(sides, at_rest=at_rest and sure)
        world.tally["ratings undone"] += sure
        world.tell(f"undo of the rating of {scene.id}{' (at rest)' * at_rest}: {self.rating_of(scene).apart}")

    # --- resume points -----------------------------------------------------------------------------------------------

    def resume_of(self, scene: SceneSnapshot) -> ResumeTruth:
        return self.world.truth.resume[key_of(scene)]

    def position(self, scene: SceneSnapshot) -> int:
        """Where Stash resumes a scene now, in ms."""
        return round(self.world.stash.scene(scene.id).resume_time * 1000)

    def _viewings(self, scene: SceneSnapshot) -> list[tuple[int, int, str]]:
        """When the items of a scene were watched last, and where they were left; those that count."""
        if not self.world.brings_resume:
            return []
        items = [(key, *self.world.viewing_in_plex(key)) for key in self.items_of(scene)]
        since = max(1, self.world.setting.watch.since)
        counted = sorted((moment, offset, key) for key, moment, offset in items if moment >= since)
        return [(moment, resumed_at(offset), key) for moment, offset, key in counted]

    def _places(self, scene: SceneSnapshot) -> list[int]:
        return [offset for _, offset, _ in self._viewings(scene)]

    def left_at(self, scene: SceneSnapshot) -> int | None:
        """Where the item that was watched last was left."""
        viewings = self._viewings(scene)
        return viewings[-1][1] if viewings else None

    def is_resume_at_rest(self, scene: SceneSnapshot) -> bool:
        """Whether the newest viewing was dealt with, and nothing is under way."""
        if self.world.is_under_way():
            return False
        sql = "select moment, view_offset, item, sending, undo from resume where scene = ? and scene_created_at = ?"
        rows, viewings = self.world.rows(sql, *key_of(scene)), self._viewings(scene)
        if not rows:
            return not viewings
        moment, offset, item, sending, undo = rows[0]
        # One further ahead of the clock is from before it was set, and any other viewing counts as newer.
        reliable = min(moment, self.world.clock.now() // 1000 + AHEAD)
        is_newest = not viewings or viewings[-1][0] < reliable or viewings[-1] == (moment, resumed_at(offset), item)
        return is_newest and sending < 0 and undo != "asked"

    def leave_in_plex(self) -> None:
        """The owner stops in the midst of an item."""
        if not (keys := self.visible()):
            return
        world, key, offset = self.world, self.rng.choice(keys), self.rng.randrange(1500, 70_000)
        with self._watching(key):
            world.plex.pause(key, offset)
        world.tell(f"Plex: {key} of {world.truth.content_of[key]} left at {offset}")

    @contextmanager
    def _watching(self, key: str) -> Iterator[None]:
        """An item is watched: of what follows for the scene in Stash the newest viewing decides."""
        world = self.world
        scene = self.scene_of(world.truth.content_of[key])
        before = self._viewings(scene) if scene else []
        yield
        if scene is not None:
            self._is_watched(scene, key, before)

    def _is_watched(self, scene: SceneSnapshot, key: str, before: list[tuple[int, int, str]]) -> None:
        """An item of a scene whose items were watched so before was watched: of what follows the newest viewing decides."""
        after = self._viewings(scene)
        # Where its other items are not known yet, this one alone counts for a while.
        self.resume_of(scene).ever |= {offset for _, offset, item in after if item == key}
        if before == after or after[-1][2] != key:
            return
        truth, (moment, offset, _) = self.resume_of(scene), after[-1]
        sql = "select moment from resume where scene = ? and scene_created_at = ?"
        dealt_with = [at for (at,) in self.world.rows(sql, *key_of(scene))]
        is_rival = bool(before) and before[-1][0] == moment and before[-1][2] != key
        if is_rival or any(at > moment for at in dealt_with):
            # Its item, or one that is gone by now, was watched then or later, and that may have been dealt with.
            truth.also(offset)
        elif self._played_in_stash(scene) > moment or (not dealt_with and self.position(scene)):
            truth.also(offset, self.position(scene))
        else:
            truth.note(offset)
        self.world.note_race(key_of(scene))

    def _played_in_stash(self, scene: SceneSnapshot) -> int:
        """The newest second of a scene in Stash that nobody has played in Plex."""
        contents = self.world.truth.of(scene)
        rows = self.world.stash.plays.of(scene.id)
        return max((moment for moment in rows if not self.world.truth.is_played(contents, moment)), default=0)

    def _plays(self, account: int) -> None:
        keys = self.visible()
        scenes = {key: self.scene_of(self.world.truth.content_of[key]) for key in keys}
        before = {key: self.world.viewing_in_plex(key) for key in keys}
        seen = {key: self._viewings(scene) for key, scene in scenes.items() if scene}
        super()._plays(account)
        for key, scene in scenes.items():
            if scene is not None and before[key] != self.world.viewing_in_plex(key):
                self._is_watched(scene, key, seen[key])

    def watch_in_stash(self) -> None:
        unsettled = [scene for scene in self.scenes() if not self.is_resume_at_rest(scene)]
        super().watch_in_stash()
        for scene in unsettled:
            self.resume_of(scene).also(self.position(scene))

    def go_on_in_stash(self) -> None:
        """Somebody stops in the midst of a scene in Stash."""
        if not (scene := self.some_scene()):
            return
        position, at_rest = self.rng.randrange(0, LENGTH, 1500), self.is_resume_at_rest(scene)
        self.world.stash.plays.save_activity(scene.id, position / 1000)
        truth = self.resume_of(scene)
        if at_rest:
            truth.note(position)
        else:
            truth.note(position, *self._places(scene)[-1:], *((truth.before,) if self.is_taken_back(scene) else ()))
        truth.ours = None
        self.world.note_race(key_of(scene))
        self.world.tell(f"Stash: scene {scene.id} left at {position}{' (at rest)' * at_rest}: {truth.allowed}")

    def is_taken_back(self, scene: SceneSnapshot) -> bool:
        """Whether the resume point is to be put back."""
        sql = "select 1 from resume where scene = ? and scene_created_at = ? and undo = 'asked'"
        return bool(self.world.rows(sql, *key_of(scene)))

    def _wished(self, wish: PlayWish, scene: SceneSnapshot) -> bool | None:
        at_rest, position = self.is_resume_at_rest(scene), self.position(scene)
        sure = super()._wished(wish, scene)
        if sure is None:
            return None
        truth, at_rest = self.resume_of(scene), at_rest and sure
        if wish is UNDO:
            # A person may have left it elsewhere while that was asked.
            now = self.position(scene)
            truth.undone(now, at_rest=at_rest and now == position)
        else:
            truth.also(position, *self._places(scene)[-1:], *(() if at_rest else truth.ever))
        return sure

    # --- imports -----------------------------------------------------------------------------------------------------

    def _import(self, what: str, work: Callable[[Importer], object]) -> object:
        def ask() -> object:
            try:
                return work(self.world.process.importer())
            except NeighbourError as error:
                self.world.tell(f"{what}: {error}")
                return None

        return self.world.at_work(what, ask)

    def preview_import(self) -> None:
        """A person looks at what an import would fill, of all scenes or of one."""
        create, some = self.rng.random() < 0.7, None
        if self.rng.random() < 0.3 and (scene := self.some_scene()):
            some = [scene.id]
        self.preview(some, create=create)

    def preview(self, some: list[int] | None = None, *, create: bool = True) -> None:
        """Plan an import of these scenes, or of all."""

        def ask(importer: Importer) -> None:
            planner = importer.planner
            plans = planner.plans(some, planner.changes.names(), create=create)
            self.agreed = [plan for plan in plans if plan.plan.fills]
            self.world.tell(
                f"an import would fill {[(plan.id, [fill.field for fill in plan.plan.fills]) for plan in self.agreed]}"
            )

        self._import("preview", ask)

    def carry_out_import(self) -> None:
        """A person says yes to what an import would fill."""
        if not self.agreed:
            self.preview_import()
        agreed, self.agreed = self.agreed, []
        if not agreed:
            return

        def ask(importer: Importer) -> None:
            result = importer.carry_out(agreed)
            self.world.tally["fields imported"] += result.fields
            self.world.tally["names created"] += len(result.created)
            self.world.tell(f"import: {result}")

        self._import("import", ask)

    def runs(self) -> list[int]:
        """The imports of which something may be left."""
        return [run for (run,) in self.world.rows("select distinct run from import_change where state <> 'undone'")]

    def undo_import(self) -> None:
        """A person takes an import back."""
        if runs := self.runs():
            self.take_back(self.rng.choice(runs))

    def take_back(self, run: int) -> bool:
        """Take this import back; returns whether it ended well."""

        def ask(importer: Importer) -> bool:
            result = importer.take_back([run])
            self.world.tally["names destroyed"] += len(result.destroyed)
            self.world.tell(f"undo of import {run}: {result}")
            return result.is_complete

        return self._import("undo of an import", ask) is True

    # --- backups -----------------------------------------------------------------------------------------------------

    def restore_plex(self) -> None:
        if not self.plex_shelves:
            return
        self.world.pass_time(AGES)
        before = self._rests()
        super().restore_plex()
        self.seen = set(self.visible())
        for scene, sides, at_rest, is_dealt_with in before:
            rating = self.rating_of(scene)
            sql = "select item from rating where scene = ? and scene_created_at = ?"
            known = {STASH, *(item for (item,) in self.world.rows(sql, *key_of(scene)))}
            if at_rest and rating.apart is None and not self.has_forgotten and sides.keys() <= known:
                rating.restored_in_plex(sides)
            else:
                rating.unsettle(self.sides(scene), *sides.values(), *rating.agreed)
            if not (is_dealt_with and self.is_resume_at_rest(scene)) or self.world.nature.leaps:
                # An item that was away can be back, with a viewing that nobody has dealt with.
                self.resume_of(scene).also(self.position(scene), *self._places(scene))

    def restore_stash(self) -> None:
        if not self.stash_shelves:
            return
        self.world.pass_time(AGES)
        before = {key_of(scene): (sides, *rests) for scene, sides, *rests in self._rests()}
        super().restore_stash()
        for scene in self.scenes():
            self._is_restored(scene, before.get(key_of(scene)))
        self._names_are_back()

    def _is_restored(self, scene: SceneSnapshot, before: tuple[dict[str, int], bool, bool] | None) -> None:
        truth, key, now = self.world.truth, key_of(scene), self.sides(scene)
        if before is None:
            earlier = truth.ratings.get(key)
            self._begins(scene)
            truth.ratings[key].unsettle(now, NONE)
            truth.resume[key].also(self.position(scene), *self._places(scene))
            if earlier is not None:
                # It was deleted since, and what was asked for it may not be done yet.
                truth.ratings[key].ever |= earlier.ever
                if earlier.apart is not None:
                    truth.ratings[key].apart = {side: {*truth.ratings[key].ever} for side in now}
        else:
            sides, at_rest, is_dealt_with = before
            rating = truth.ratings[key]
            if not at_rest or rating.apart is not None:
                rating.unsettle(now, *rating.agreed)
            elif now[STASH] != sides[STASH]:
                rating.moved, rating.agreed = {STASH: now[STASH]}, {now[STASH]}
            rating.is_sure = False
            truth.resume[key].note(self.position(scene), *(() if is_dealt_with else self._places(scene)))
            if self.is_taken_back(scene):
                # What is put back is what was there before, if the copy has what PlexSync had written.
                truth.resume[key].also(*truth.resume[key].ever)
        truth.resume[key].is_sure = False
        for name, value in self.world.fields(scene).items():
            if value not in truth.may_be(key, name):
                imported = value in truth.imported.get((key, name), ())
                truth.filled[key][name] = {value, *(truth.filled[key][name] if imported else ())}
                truth.note_names(name, value)

    def restore_database(self) -> None:
        if not self.copies:
            return
        self.world.pass_time(AGES)
        before, self.has_forgotten = self._rests(), True
        super().restore_database()
        truth = self.world.truth
        for scene, sides, at_rest, is_dealt_with in before:
            key, rating, resume = key_of(scene), self.rating_of(scene), self.resume_of(scene)
            (is_undone,) = self.world.rows("select count(*) from rating where scene = ? and undo = 1", scene.id)[0]
            if is_undone or rating.apart is not None:
                rating.apart = {side: {*rating.ever, *sides.values()} for side in sides}
            else:
                rating.unsettle(sides, *(() if at_rest else rating.agreed))
            rating.is_sure = False
            resume.also(self.position(scene), *self._places(scene), *(resume.ever if self.is_taken_back(scene) else ()))
            resume.is_sure = resume.is_sure and is_dealt_with
            for name, value in self.world.fields(scene).items():
                if value in truth.imported.get((key, name), ()):
                    truth.may_be(key, name).add(value)
        self._names_are_back()

    def _names_are_back(self) -> None:
        """After a restore nobody knows which names an import has created."""
        for name in NAMES:
            self.world.truth.names_left.setdefault(name, set()).update(self.world.names_in_stash(name))

    def _rests(self) -> list[tuple[SceneSnapshot, dict[str, int], bool, bool]]:
        """Each scene with its ratings, and whether these and its resume point are at rest."""
        return [
            (scene, self.sides(scene), self.is_rating_at_rest(scene), self.is_resume_at_rest(scene))
            for scene in self.scenes()
        ]


def resumed_at(offset: int) -> int:
    """Where a scene begins that was left there: anew if it was as good as watched to its end."""
    return 0 if offset >= 0.98 * LENGTH else offset


def stash_value(rating: int) -> int | None:
    """A rating as Stash has it."""
    return None if rating == NONE else rating

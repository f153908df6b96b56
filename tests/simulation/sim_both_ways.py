"""Lives in which ratings go both ways, resume points come back, and people import: see docs/way-back.md and docs/import.md.

They are lives with plays (`sim_plays`) in which people rate on both sides, leave films in their midst, fill what Stash
lacks, and take all of that back; with the same outages, late requests, leaps, kills and restored backups. When it has
calmed down, the simulators alone decide:

* A scene and its items have one rating: the one that a person has given last, or what an undo has left of each.
* A scene is resumed where it was left last, or where a person or an undo has put it.
* An import has filled what was empty and nothing else. After it is taken back, each scene is what people have made of it,
  no name is left over, and Plex has what it had.

`python -m tests.simulation.sim_both_ways FIRST COUNT STEPS` runs a range by hand and prints the history of what fails.
"""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

from plexsync.flows.scenes.plex_events import Gathered
from plexsync.rules.merge.import_records import StashField
from plexsync.rules.plays.ratings import RatingRules
from plexsync.rules.queue.job import RATING as RATING_KIND, RATING_BACK, Kind, Why
from plexsync.rules.servers.errors import Neighbour
from plexsync.rules.words.text import fold
from plexsync.simulator.http import Answer, HttpServer, Request
from plexsync.simulator.stash_model import SceneSnapshot
from tests.simulation.running import Lives
from tests.simulation.sim_both_truth import (
    EMPTY,
    IN_PLEX,
    NAMES,
    NONE,
    RATING,
    STASH,
    BothTruth,
    RatingTruth,
    Said,
    in_half_stars,
    is_close,
    named,
)
from tests.simulation.sim_play_truth import SceneKey
from tests.simulation.sim_plays import PlaysEnding, PlaysWire, PlaysWorld, is_write
from tests.simulation.sim_process import Killed
from tests.simulation.sim_raters import Raters
from tests.simulation.sim_truth import Violation
from tests.simulation.sim_watchers import key_of
from tests.simulation.sim_wire import Arrived, SimWire
from tests.simulation.sim_world import Nature

RATE = "/:/rate"
# What writes to a scene, by its mutation: how the scene is named in it.
FILL = b"mutation Fill("
TO_STASH = (b"mutation Rate(", b"mutation SaveActivity(", FILL)
# What a request meets that has certainly not arrived.
NEVER_SENT = ("refused", "no route", "429", "503 patience")
OF_NAMES = tuple(
    f"mutation {verb}{kind}(".encode() for verb in ("Create", "Destroy") for kind in ("Performer", "Studio", "Tag")
)
PARTS_OF_A_LIFE = 3
# What has to happen in lives that prove something.
HAPPENINGS = (
    "rated in Plex",
    "rated in Stash",
    "rated on both sides",
    "resume points",
    "fields imported",
    "fields emptied",
    "names created",
    "names destroyed",
    "judged ratings exactly",
    "judged undone ratings",
    "judged resume points exactly",
    "judged imported",
    "judged taken back",
)
ROUNDS_OF_UNDO = 5


@dataclass(frozen=True)
class Ways:
    """What a life has beside plays."""

    ratings: bool
    resume: bool
    imports: bool


class BothWire(PlaysWire):
    """A wire on which what is rated, left and filled is looked at as it arrives."""

    def _meets(self, fate: str, asked: Request) -> Arrived:
        if fate not in NEVER_SENT:
            self._world.note_sent(asked)
        return super()._meets(fate, asked)

    def carry_out(self, asked: Request) -> Answer:
        before = self._world.target_of(asked)
        answer = super().carry_out(asked)
        if before is not None:
            self._world.judge_written(asked, before)
        return answer


class BothWorld(PlaysWorld):
    """A world in which ratings go both ways, resume points come back, and people import; each in some lives."""

    truth: BothTruth
    people: Raters
    restored = 0.5

    def __init__(self, seed: int, folder: Path) -> None:
        self.both_rng = rng = Random(f"both {seed}")
        ways = [rng.random() < 0.6 for _ in range(PARTS_OF_A_LIFE)]
        if not any(ways):
            ways[seed % PARTS_OF_A_LIFE] = True
        self.ways = Ways(*ways)
        self.turn = 0
        # The turn in which a person has last changed a scene while the process was at work.
        self.races: dict[SceneKey, int] = {}
        super().__init__(seed, folder)
        self.plex.traits.half_stars = rng.random() < 0.25
        self.brings_resume = self.ways.resume and not self.setting.watch.account

    def _drawn(self) -> Nature:
        nature = super()._drawn()
        wins = self.both_rng.choice(("stash", "plex"))
        setting = replace(
            nature.setting,
            watch=replace(nature.setting.watch, resume=self.ways.resume),
            ratings=RatingRules(wins=wins) if self.ways.ratings else None,
            imports=self.ways.imports,
        )
        return replace(nature, setting=setting)

    def _truth(self, fields: tuple[str, ...]) -> BothTruth:
        return BothTruth(fields)

    def _wire(self, who: Neighbour, sim: HttpServer) -> SimWire:
        return BothWire(who, sim, self.clock, self.rng, self.weather[who], self, self._fate)

    def is_back(self, asked: Request) -> bool:
        return is_write(asked) or any(name in asked.body for name in (*TO_STASH, *OF_NAMES))

    def at_work(self, what: str, work: object) -> object:
        if not self.depth:
            self.turn += 1
        return super().at_work(what, work)

    # --- what the process does ---------------------------------------------------------------------------------------

    def poll_ratings(self) -> None:
        """What was rated in Plex is polled."""
        if self.ways.ratings:
            self.at_work("ratings", lambda: self.tell(f"ratings: {self.process.ratings.poll.poll()}"))

    def poll_resume(self) -> None:
        """What was watched in Plex is polled."""
        if self.ways.resume:
            self.at_work("resume", lambda: self.tell(f"resume: {self.process.back.resume.poll()}"))

    def hear_of(self, key: str) -> None:
        """Plex's event about an item arrives, if a process listens."""
        if self.process is not None:
            gathered = Gathered({key: self.plex.item(key).updated_at})
            self.at_work("event", lambda: self.process.parts.listener.look_into(gathered))

    # --- what is there -----------------------------------------------------------------------------------------------

    def is_under_way(self) -> bool:
        """Whether anything is being done, or may arrive."""
        return bool(self.depth or any(weather.late for weather in self.weather.values()))

    def note_race(self, scene: SceneKey) -> None:
        """A person has changed a scene; perhaps while the process was about to do so."""
        if self.depth:
            self.races[scene] = self.turn

    def is_raced(self, scene: SceneKey) -> bool:
        """Whether what arrives now was planned before a person has changed the scene."""
        return self.is_landing or self.races.get(scene) == self.turn

    def rating_in_plex(self, key: str) -> int:
        """The rating of an item, on Stash's scale."""
        value = self.plex.item(key).scalars.get("userRating")
        return NONE if value is None else round(float(value) * 10)

    def was_rated(self, key: str) -> bool:
        """Whether the owner has ever rated an item."""
        return self.plex._library.items[int(key)].last_rated_at is not None

    def rate_in_plex(self, key: str, rating: int) -> None:
        """The owner rates an item."""
        self.plex.hand_edit(key, locked=False, userRating=None if rating == NONE else rating / 10)

    def viewing_in_plex(self, key: str) -> tuple[int, int]:
        """When the owner has last watched an item, and where it was left (ms)."""
        item = self.plex._library.items[int(key)]
        return item.last_viewed_at or 0, item.view_offset

    def fields(self, scene: SceneSnapshot) -> dict[str, Said]:
        """The fields of a scene that people and imports fill."""
        values: dict[str, Said] = {name: getattr(scene, name) for name in EMPTY}
        values |= {name: tuple(sorted(map(str, getattr(scene, name)))) for name in ("performers", "tags")}
        if self.ways.ratings:
            del values[RATING]
        return values

    def names_in_stash(self, name: str) -> list[str]:
        """The names of a kind in Stash."""
        data = self.stash.data
        records = {"studio": data.studios, "performers": data.performers, "tags": data.tags}[name]
        return [record.name for record in records.values()]

    # --- what it sends -----------------------------------------------------------------------------------------------

    def before_request(self, who: Neighbour, asked: Request) -> None:
        try:
            super().before_request(who, asked)
        except Killed:
            self.note_sent(asked)
            raise

    def note_sent(self, asked: Request) -> None:
        """What an import sends is noted, arrive or not: whoever hears no answer can't tell it from what a person sets."""
        if FILL not in asked.body:
            return
        given = json.loads(asked.body)["variables"]["input"]
        if (id := int(given["id"])) not in self.stash.scene_ids():
            return
        key = key_of(self.stash.scene(id))
        for field in StashField:
            if field in given:
                self.truth.unheard.setdefault((key, field.word), set()).add(self._said(field, given[field]))

    def _said(self, field: StashField, value: Said | list[str]) -> Said:
        """A value of a fill, with the names of what it names by id."""
        if field.kind is None:
            return value
        data = self.stash.data
        records = {"studio": data.studios, "performers": data.performers, "tags": data.tags}[field.word]
        ids = value if isinstance(value, list) else [value] if value else []
        names = sorted(records[int(id)].name for id in ids if int(id) in records)
        return tuple(names) if isinstance(value, list) else next(iter(names), None)

    def target_of(self, asked: Request) -> object:
        """What a request writes to, as it is before: the rating of an item, or a scene; None for anything else."""
        if asked.path == RATE:
            key = asked.params.get("key", "")
            return self.rating_in_plex(key) if key in self.people.visible() else None
        if not any(name in asked.body for name in TO_STASH):
            return None
        variables = json.loads(asked.body)["variables"]
        id = int(variables["id"] if "id" in variables else variables["input"]["id"])
        return self.stash.scene(id) if id in self.stash.scene_ids() else None

    def judge_written(self, asked: Request, before: object) -> None:
        """Raise Violation for a rating, a resume point or a value that nobody can have meant."""
        if isinstance(before, int):
            self._judge_rated_in_plex(asked.params["key"], before)
            return
        scene = self.stash.scene(before.id)
        key, raced = key_of(scene), self.is_raced(key_of(scene))
        if b"mutation Rate(" in asked.body:
            was, now = before.rating100 or NONE, scene.rating100 or NONE
            self.tell(f"Stash: scene {scene.id} rated by PlexSync: {was} -> {now}")
            self.tally["rated in Stash"] += was != now
            self._judge_rating(key, now)
            self.truth.ratings[key].written(STASH, was, now, raced=raced)
        elif b"mutation SaveActivity(" in asked.body:
            was, now = round(before.resume_time * 1000), round(scene.resume_time * 1000)
            self.tell(f"Stash: scene {scene.id} resumed at {now} by PlexSync, not {was}")
            self.tally["resume points"] += was != now
            if not any(is_close(now, one) for one in (*self.truth.resume[key].ever, *self.people._places(scene))):
                raise Violation("wrong", f"scene {scene.id} was never left at {now}")
            self.truth.resume[key].written(was, now, raced=raced)
        else:
            self._judge_filled(before, scene, raced=raced)

    def _judge_rated_in_plex(self, item: str, before: int) -> None:
        now = self.rating_in_plex(item)
        scene = self.people.scene_of(self.truth.content_of[item])
        self.tell(f"Plex: {item} rated by PlexSync: {before} -> {now}")
        self.tally["rated in Plex"] += before != now
        if scene is not None:
            self._judge_rating(key_of(scene), now)
            self.truth.ratings[key_of(scene)].written(item, before, now, raced=self.is_raced(key_of(scene)))

    def _judge_rating(self, scene: SceneKey, rating: int) -> None:
        ever = self.truth.ratings[scene].ever
        if not self.is_landing and rating not in {*ever, *(in_half_stars(one) for one in ever)}:
            raise Violation("wrong", f"scene {scene} was rated {rating}, which nobody has given: {sorted(ever)}")

    def _judge_filled(self, before: SceneSnapshot, scene: SceneSnapshot, *, raced: bool) -> None:
        key, truth = key_of(scene), self.truth
        was, now = self.fields(before), self.fields(scene)
        if self.ways.ratings and before.rating100 != scene.rating100:
            raise Violation("wrong", f"an import has written a rating of scene {scene.id}, and ratings go both ways")
        for name in [name for name in was if was[name] != now[name]]:
            self.tell(f"Stash: {name} of scene {scene.id} filled: {was[name]!r} -> {now[name]!r}")
            may_be, imported = truth.may_be(key, name), truth.imported.setdefault((key, name), set())
            if now[name] == EMPTY[name]:
                self.tally["fields emptied"] += 1
                if was[name] not in imported | truth.unheard.get((key, name), set()) and not raced:
                    raise Violation("wrong", f"{name} of scene {scene.id} was emptied, and no import had filled it")
                may_be.add(EMPTY[name])
                continue
            if was[name] != EMPTY[name] and not raced:
                raise Violation("wrong", f"{name} of scene {scene.id} was {was[name]!r}, and was filled")
            if was[name] != EMPTY[name]:
                may_be |= {now[name], EMPTY[name]}
            if strange := self._strange(scene, name, now[name]):
                raise Violation("wrong", f"{name} of scene {scene.id} was filled with {strange}, which Plex never had")
            imported.add(now[name])

    def _strange(self, scene: SceneSnapshot, name: str, value: Said) -> set[str]:
        if name not in NAMES:
            return set()
        known = {fold(one) for one in self.truth.names_of_people.get(name, ())}
        for content in self.truth.of(scene):
            known |= {fold(one) for one in named(self.truth.agent[content][name])}
        return {one for one in named(value) if fold(one) not in known}


class BothEnding(PlaysEnding):
    """Everything calms down, and what both servers have is judged."""

    world: BothWorld
    people: Raters

    def judge(self) -> None:
        super().judge()
        if self.world.ways.imports:
            self._import_and_take_back()

    def _round(self, *, retry: bool = False) -> int:
        self.world.poll_ratings()
        self.world.poll_resume()
        return super()._round(retry=retry)

    def _writes(self) -> int:
        return super()._writes() + sum(asked.path == RATE for asked in self.world.plex.log)

    def _run_everything_again(self) -> None:
        if self.world.ways.ratings:
            for scene in self.people.scenes():
                with self.world.process.store.writing() as tx:
                    for kind in (RATING_KIND, RATING_BACK):
                        tx.jobs.want(kind, scene.id, Why.SWEEP, self.world.clock.now())
        super()._run_everything_again()

    def _judge_rows(self) -> None:
        super()._judge_rows()
        there = self.world.stash.scene_ids()
        for kind, id, state, cls, error in self.world.rows("select kind, id, state, cls, error from job"):
            # A scene that is back after a restore has nothing to bring from Plex until it is rated there.
            is_gone = state == "gone" and (kind == RATING_BACK or id not in there)
            if kind in (RATING_KIND, RATING_BACK) and not is_gone:
                raise Violation("lost", f"{kind} {id} is left {state} ({cls}): {error}")

    def _judge_plays(self) -> None:
        super()._judge_plays()
        for scene in self.people.scenes():
            if self.world.ways.ratings:
                self._judge_ratings(scene, self.world.truth.ratings[key_of(scene)])
            self._judge_resume(scene)

    # --- judging -----------------------------------------------------------------------------------------------------

    def _judge_ratings(self, scene: SceneSnapshot, truth: RatingTruth) -> None:
        world, sides = self.world, self.people.sides(scene)
        if len(sides) == 1 or sides == truth.stays:
            return
        items = truth.agreed if truth.may_part else {sides[STASH]}
        rounded = {side: self._rounded(items) for side in sides if side != STASH}
        allowed = truth.apart or {STASH: truth.agreed, **rounded}
        for side, rating in sides.items():
            if rating not in self._rounded(allowed.get(side, truth.agreed), side):
                rows = world.rows("select * from rating where scene = ?", scene.id)
                raise Violation(
                    "lost",
                    f"the rating of scene {scene.id} of {world.truth.of(scene)} is {sides}; {side} has to be one of"
                    f" {allowed.get(side, truth.agreed)} ({truth}), memory {rows}",
                )
        some = truth.apart[STASH] if truth.apart else truth.agreed
        world.tally["judged ratings"] += 1
        world.tally["judged ratings exactly"] += len(some) == 1
        world.tally["judged undone ratings"] += bool(truth.apart) and all(len(one) == 1 for one in truth.apart.values())

    def _rounded(self, ratings: set[int], side: str = "") -> set[int]:
        half = self.world.plex.traits.half_stars and side != STASH
        return ratings | {in_half_stars(one) for one in ratings} if half else ratings

    def _judge_resume(self, scene: SceneSnapshot) -> None:
        position, truth = self.people.position(scene), self.world.truth.resume[key_of(scene)]
        if not any(is_close(position, one) for one in truth.allowed):
            rows = self.world.rows("select * from resume where scene = ?", scene.id)
            raise Violation(
                "lost",
                f"scene {scene.id} is resumed at {position}, not at one of {sorted(truth.allowed)}: {truth}, {rows}",
            )
        self.world.tally["judged resume points"] += self.world.ways.resume
        self.world.tally["judged resume points exactly"] += self.world.brings_resume and len(truth.allowed) == 1

    # --- imports -----------------------------------------------------------------------------------------------------

    def _import_and_take_back(self) -> None:
        self.people.preview()
        self.people.carry_out_import()
        self._judge_imported()
        shown = self._shown()
        self._settle()
        if self._shown() != shown:
            raise Violation("wrong", f"a sync after an import has written to Plex: {shown} -> {self._shown()}")
        for _ in range(ROUNDS_OF_UNDO):
            ended = [self.people.take_back(run) for run in reversed(self.people.runs())]
            if all(ended):
                break
            self.world.pass_time(600)
        self._judge_taken_back()
        self._settle()
        self._judge_taken_back()
        self.world.judge_books()
        self.world.judge_database()

    def _settle(self) -> None:
        for scene in self.people.scenes():
            self.world.hook(Kind.SCENE, scene.id, Why.SWEEP)
        self.world.pass_time(60)
        self._work()

    def _shown(self) -> dict[str, tuple[object, object]]:
        """What Plex shows of each item."""
        items = [self.world.plex.item(key) for key in self.people.visible()]
        return {
            item.key: (dict(item.scalars), {kind: sorted(names) for kind, names in item.lists.items()})
            for item in items
        }

    def _judge_imported(self) -> None:
        """What nobody has ever filled in Stash, and Plex's agent knows, is there."""
        truth = self.world.truth
        for scene in self.people.scenes():
            (content,) = truth.of(scene)
            for name, value in truth.agent[content].items():
                if name in truth.filled_by_hand.get(content, ()) or truth.may_be(key_of(scene), name) != {EMPTY[name]}:
                    continue
                if self._is_lost_with_database(scene, name):
                    continue
                have = self.world.fields(scene)[name]
                if have in truth.imported.get((key_of(scene), name), ()) and set(named(have)) < set(named(value)):
                    # An earlier import has filled it with the names that there were.
                    continue
                if set(map(fold, named(have))) != set(map(fold, named(value))):
                    raise Violation("lost", f"{name} of scene {scene.id} is {have!r} after an import, not {value!r}")
                self.world.tally["judged imported"] += bool(value)

    def _is_lost_with_database(self, scene: SceneSnapshot, name: str) -> bool:
        """Whether Plex has not got a value of its own back, as after a restore of our database: its journal has hashes."""
        items = [self.world.plex.item(key) for key in self.people.items_of(scene)]
        place = IN_PLEX[name]
        return self.people.has_forgotten and not any(item.scalars.get(place) or item.lists.get(place) for item in items)

    def _judge_taken_back(self) -> None:
        """Nothing of an import is left."""
        world, truth = self.world, self.world.truth
        if runs := self.people.runs():
            changes = world.rows("select * from import_change where state <> 'undone'")
            left = [change for change in changes if change[8] in ("planned", "undoing")]
            if left:
                raise Violation("lost", f"the imports {runs} are not taken back: {left}")
        for scene in self.people.scenes():
            for name, value in world.fields(scene).items():
                may_be = truth.may_be(key_of(scene), name)
                if value not in may_be:
                    raise Violation("wrong", f"{name} of scene {scene.id} is {value!r}, not one of {may_be}")
                world.tally["judged taken back"] += bool(truth.imported.get((key_of(scene), name)))
        for name in NAMES:
            self._judge_names(name)

    def _judge_names(self, name: str) -> None:
        world, truth = self.world, self.world.truth
        names = world.names_in_stash(name)
        if len(names) != len({fold(one) for one in names}):
            raise Violation("doubled", f"{name}: {sorted(names)}")
        used = {one for scene in self.people.scenes() for one in named(world.fields(scene)[name])}
        left = {*names} - used - truth.names_of_people.get(name, set()) - truth.names_left.get(name, set())
        if left:
            raise Violation("lost", f"{name}: {sorted(left)} are left of imports")


# --- running ---------------------------------------------------------------------------------------------------------


def _live(world: BothWorld, steps: int) -> None:
    people = world.people = Raters(world)
    world.tell(f"{world.ways}, {world.restores}, {world.nature}, {world.setting.watch}, {world.setting.ratings}")
    for _ in range(steps):
        people.act()
        world.judge_books()
    BothEnding(world, people).judge()


LIVES = Lives(BothWorld, _live)
run_both_seeds, run_both_seed = LIVES.run, LIVES.run_seed


if __name__ == "__main__":
    LIVES.main(__doc__)

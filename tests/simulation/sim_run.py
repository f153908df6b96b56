"""Runs seeds: lives a world for so many steps, lets it come to rest, and judges what is left.

`python -m tests.simulation.sim_run FIRST COUNT STEPS` runs a range by hand and prints the history of what fails.
"""

import itertools
from collections.abc import Iterable

from plexsync.rules.queue.job import Kind
from plexsync.rules.servers.errors import Unavailable
from plexsync.simulator.plex_server import ItemSnapshot
from plexsync.simulator.stash_model import SceneSnapshot
from tests.simulation.running import Lives, Report, range_parser
from tests.simulation.sim_people import People
from tests.simulation.sim_truth import Violation, remembered, shown
from tests.simulation.sim_world import World, lives_by_hooks_alone

SETTLING = 6 * 3600.0
# As long as it may take until what Plex did not have is looked for twice.
LOOKED_FOR = 2 * 25 * 3600.0
ROUNDS = 8
STEPS_AT_REST = 4000

# Each has found a fault that is mended now, and is lived again for ever.
FOUND = {
    21: "the clock was ahead when a row was given its time, and no claim had seen it",
    27: "the same, when a hook had given it",
    55: "the same, while a hold let nobody claim",
    275: "an item had left, Plex could not say where to, and its look-alike was written to",
}
FOUND_STEPS = 200


def run_seeds(first: int, count: int, steps: int, *, hooks_alone: bool = False, until_lost: bool = False) -> Report:
    """Live so many seeds, one after the other; failures are in the report, each with the seed that shows it again.

    `hooks_alone`: pass over those whose lives have more than their hooks. `until_lost`: stop where something is lost.
    """
    seeds = (seed for seed in itertools.count(first) if not hooks_alone or lives_by_hooks_alone(seed))
    return LIVES.run_some(seeds, Report(first, count, steps), until_lost=until_lost)


def _live(world: World, steps: int) -> None:
    people = world.people = People(world)
    for _ in range(steps):
        people.act()
        world.judge_books()
    Ending(world, people).judge()


LIVES = Lives(World, _live)
run_seed = LIVES.run_seed


class Ending:
    """The world comes to rest, and is judged."""

    def __init__(self, world: World, people: People) -> None:
        self.world = world
        self.people = people

    def judge(self) -> None:
        """Raise Violation for whatever is not as it was promised."""
        self._judge_blame()
        if self.world.hooks_alone:
            self._rest_by_hooks_alone()
            self._judge_hooked()
        self._come_to_rest()
        self._judge_rows()
        self._judge_scenes()
        self.world.judge_books()
        self.world.judge_database()

    def _end_trouble(self) -> None:
        """Outages are over, the disk has room, and nobody does anything any more."""
        world = self.world
        world.at_rest = True
        world.full = False
        world.back_at = world.paused_until = 0.0
        world.tell("--- at rest ---")

    def _rest_by_hooks_alone(self) -> None:
        """The worker alone goes on, until it has looked again for what Plex did not have."""
        world = self.world
        self._end_trouble()
        self._work()
        world.judge_books()
        for section in self.people.sections:
            self.people.finish_scan(section)
        end = world.clock.steady + LOOKED_FOR
        while self._awaited() and world.clock.steady < end:
            world.pass_time(600)
            self._work()

    def _awaited(self) -> list[int]:
        """The absent scenes that Plex has by now."""
        absent = {id for (id,) in self.world.rows("select id from job where kind = 'scene' and state = 'absent'")}
        return [scene.id for scene in self.people.scenes() if scene.id in absent and self._targets(scene)]

    def _judge_hooked(self) -> None:
        """What hooks have told of is done, and nothing has healed it: each scene is where it has to be, and shown in full.

        What befell a scene after it was last looked at, and no hook tells of, is nothing that the worker can know.
        """
        world = self.world
        rows = {id: row for id, *row in world.rows("select id, state, cls, error from job where kind = 'scene'")}
        for id in world.told.words:
            scene = next((one for one in self.people.scenes() if one.id == id), None)
            if id not in rows:
                # A scene that is gone before its first look leaves no row: nothing was written for it.
                is_unknown = scene is None and not world.rows(f"select 1 from memory where subject = {id}")
                if not (is_unknown or world.told.is_forgotten(id)):
                    raise Violation("lost", f"scene {id} was told of, and has no row")
                continue
            self._judge_hooked_row(id, scene, *rows[id])
        for kind, id, state, cls in world.rows("select kind, id, state, cls from job where kind <> 'scene'"):
            if not self._may_be_dead(state, cls):
                raise Violation("lost", f"{kind} {id} is left {state}")

    def _judge_hooked_row(self, id: int, scene: SceneSnapshot | None, state: str, cls: str, error: str) -> None:
        world = self.world
        if self._may_be_dead(state, cls):
            return
        if scene is None:
            if state != "gone":
                raise Violation("lost", f"scene {id} was told to be no more, and its row is {state} ({error})")
            return
        if world.truth.last_stirred(scene) > world.told.heard[id]:
            return
        if state != self._right_state(scene, cls) and not (state == "idle" and id in world.truth.undone):
            raise Violation(
                "lost", f"scene {id} was told of and is {state} ({error}), not {self._right_state(scene, cls)}"
            )
        world.tally["judged by hooks"] += 1
        self._judge_shown(scene, self._known(scene), world.truth.fields_told(scene, world.told.words[id].seq))

    def _known(self, scene: SceneSnapshot) -> list[ItemSnapshot]:
        """The items that the worker has seen; of one more that the index learned of later no hook tells."""
        targets = self._targets(scene)
        seen = {key for (key,) in self.world.rows("select item from memory where subject = ?", scene.id)}
        return [item for item in targets if item.key in seen] or targets

    def _may_be_dead(self, state: str, cls: str) -> bool:
        return state == "dead" and (
            (cls == "unavailable" and self._blips()) or (cls == "poison" and self._may_be_poison())
        )

    def _blips(self) -> bool:
        """Whether single requests can have failed, which looks like a fault of what they were for."""
        world = self.world
        return bool(world.nature.blips or world.nature.poison or world.tally["spoilt pictures"])

    def _may_be_poison(self) -> bool:
        return self.world.tally["kills"] >= 3

    def _come_to_rest(self) -> None:
        world = self.world
        self._end_trouble()
        for section in self.people.sections:
            self.people.finish_scan(section)
        self._work()
        self._judge_told()
        for n in range(ROUNDS):
            world.pass_time(600)
            world.poll()
            self._work()
            if n == 1:
                self._retry()
                self._work()
            world.pass_time(600)
            self._work()
            try:
                found = world.process.reconciler.reconcile()
            except Unavailable as error:
                # Patience that was asked for before the clock was set back may last an hour from then.
                world.tell(f"no reconcile: {error}")
                continue
            world.tell(f"reconcile: {found}")
            if n > 1 and not found.wanted and not found.standing["differs"] and not found.standing["failed"]:
                return
        raise Violation("lost", f"no rest after {ROUNDS} rounds: {world.states()}")

    def _work(self) -> None:
        """Let time pass until nothing waits but what Plex does not have."""
        world = self.world
        end = world.clock.steady + SETTLING
        for _ in range(STEPS_AT_REST):
            world.work()
            if world.hooks_alone:
                world.told.judge()
            waiting = world.rows("select count(*) from job where state in ('ready', 'running')")[0][0]
            due_absent = world.rows("select count(*) from job where state = 'absent' and due <= ?", world.clock.now())
            if not waiting and not due_absent[0][0]:
                return
            if world.clock.steady > end:
                break
            if world.idle_until is not None:
                self._answer()
                world.pass_time(min(60.0, max(0.01, (world.idle_until - world.clock.now()) / 1000)))
            elif world.clock.steady < world.paused_until:
                world.pass_time(10)
        raise Violation("lost", f"does not settle: {world.states()}")

    def _answer(self) -> None:
        """A person answers what is asked: of these lives, nothing."""

    def _retry(self) -> None:
        with self.world.process.store.writing() as tx:
            tx.jobs.retry(now=self.world.clock.now())

    # --- judging -----------------------------------------------------------------------------------------------------

    def _judge_blame(self) -> None:
        """No outage has used an attempt, and the dead are dead for what this world contains."""
        world = self.world
        blips = self._blips()
        for kind, id, cls, error in world.rows("select kind, id, cls, error from job where state = 'dead'"):
            allowed = {"ambiguous": True, "poison": self._may_be_poison(), "unavailable": blips}
            if not allowed.get(cls, False):
                raise Violation("lost", f"{kind} {id} died of {cls}: {error}")
        if not blips:
            self._judge_attempts()

    def _judge_attempts(self) -> None:
        """A job that fails for the first time in one outage and next in another may be blamed once, and no more."""
        rows = self.world.rows("select kind, id, attempts, cls, error from attempt order by number")
        # An item that leaves while it is edited is no outage.
        others = {(kind, id) for kind, id, _, cls, _ in rows if cls == "missing"}
        for kind, id, attempts, _, error in rows:
            if attempts > 1 and (kind, id) not in others:
                raise Violation("wrong", f"{kind} {id} has used {attempts} attempts for: {error}")

    def _judge_told(self) -> None:
        """What a hook has told of last is what was pushed last, before any poll or comparison could make up for it."""
        world = self.world
        idle = {id for (id,) in world.rows("select id from job where kind = 'scene' and state = 'idle'")}
        for scene in self.people.scenes():
            if scene.id not in idle or not self.people.told.get(scene.id):
                continue
            want = world.truth.wanted[scene.id]["title"]
            for item in self._targets(scene):
                truth = world.truth.items[item.key]
                documents = world.rows("select document from memory where subject = ? and item = ?", scene.id, item.key)
                said, _ = remembered(documents[0][0] if documents else None, "title")
                if said is not None and "title" not in truth.touched and shown(str(said)) != want:
                    raise Violation("lost", f"scene {scene.id} was told of as {want!r}, and {said!r} was said last")

    def _judge_rows(self) -> None:
        world = self.world
        there = {scene.id: scene for scene in self.people.scenes()}
        for kind, id, state, cls, error in world.rows("select kind, id, state, cls, error from job"):
            scene = there.get(id) if kind == Kind.SCENE else None
            if kind != Kind.SCENE:
                raise Violation("lost", f"{kind} {id} is left {state}: {error}")
            if scene is None and state not in ("gone", "idle"):
                raise Violation("lost", f"scene {id} is no more, and its row is {state}")
            if scene is not None and state == "idle" and scene.id in world.truth.undone:
                # Nothing is left to do for it, wherever its file is.
                continue
            if scene is not None and state != self._right_state(scene, cls):
                raise Violation("lost", f"scene {id} is {state} ({error}), not {self._right_state(scene, cls)}")

    def _right_state(self, scene: SceneSnapshot, cls: str) -> str:
        if self._targets(scene):
            return "idle"
        kinds = {self.world.truth.kinds[content] for content in self.world.truth.of(scene)}
        return "dead" if "crowd" in kinds and cls == "ambiguous" else "absent"

    def _targets(self, scene: SceneSnapshot) -> list[ItemSnapshot]:
        contents = set(self.world.truth.of(scene))
        keys = [key for key in self.people.visible() if self.world.truth.items[key].content in contents]
        return [self.world.plex.item(key) for key in keys]

    def _judge_scenes(self) -> None:
        for scene in self.people.scenes():
            self._judge_shown(scene, self._targets(scene), self.world.truth.fields)

    def _judge_shown(self, scene: SceneSnapshot, items: Iterable[ItemSnapshot], fields: Iterable[str]) -> None:
        world = self.world
        for item in items:
            for name in fields:
                wrong = world.truth.judge_field(
                    scene.id,
                    item.key,
                    item,
                    name,
                    policy=world.nature.setting.policy,
                    adds=not world.nature.replaces_lists,
                )
                if wrong:
                    want = world.truth.wanted[scene.id][name]
                    raise Violation("lost", f"scene {scene.id} wants {name} = {want!r}, item {item.key}: {wrong}")


def main() -> None:
    """Run a range by hand."""
    parser = range_parser(__doc__, steps=200)
    parser.add_argument("--hooks-alone", action="store_true", help="only lives that have nothing but their hooks")
    options = parser.parse_args()
    report = run_seeds(options.first, options.count, options.steps, hooks_alone=options.hooks_alone)
    report.show(brief=options.brief)


if __name__ == "__main__":
    main()

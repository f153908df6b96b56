"""Lives with plays: what the chosen account plays in Plex is in Stash exactly once, whatever happens in between.

People watch on both sides and delete plays in Stash; items get other keys, files move, scenes are matched later; either
server is away for hours, requests arrive late, clocks are set, the process is killed at any boundary, and Plex, Stash and
our database are restored from backups. When it has calmed down, the simulators alone decide:

* Each play of the chosen account whose scene is matched is there once, or a person has deleted or undone it.
* No play of another account is there, and no second that nobody played.
* The rows that people have made are untouched.
* Nothing more is sent when everything is run again, and the books balance.

`python -m tests.simulation.sim_plays FIRST COUNT STEPS` runs a range by hand and prints the history of what fails.
"""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random

from plexsync.app.choices import accept, open_questions
from plexsync.http.connections import Answer as Arrived
from plexsync.rules.plays.first_plays import approval_text
from plexsync.rules.plays.plays import WatchRules
from plexsync.rules.queue.events import Event
from plexsync.rules.queue.job import DAY, PLAYS, Kind, Why
from plexsync.rules.queue.note_keys import PLAYS_APPROVED
from plexsync.rules.servers.errors import Neighbour, NeighbourError
from plexsync.simulator.http import Answer, HttpServer, Request
from plexsync.simulator.stash_model import SceneSnapshot
from plexsync.simulator.stash_plays import moments_of
from tests.simulation.running import Lives
from tests.simulation.sim_play_truth import PlayTruth, Second
from tests.simulation.sim_run import ROUNDS, Ending
from tests.simulation.sim_truth import Violation
from tests.simulation.sim_watchers import Watchers, key_of
from tests.simulation.sim_wire import DEADLINE, SimWire, told
from tests.simulation.sim_world import Nature, World

HISTORY_PATH = "/status/sessions/history/all"
RESTORES = ("plex restored", "stash restored", "database restored")
OUTAGES = (5, 60, 600, 7200, 6 * 3600)


class PlaysWire(SimWire):
    """A wire on which writes to Stash can be late as well, and pages of the history come again."""

    pages: dict[str, Answer]

    def _meets(self, fate: str, asked: Request) -> Arrived:
        if fate == "late twice" and b"sceneAddPlay" in asked.body:
            # The network delivers it twice.
            self._weather.late.append((self._clock.steady + self._rng.random() * DEADLINE, asked))
        return super()._meets("late" if fate == "late twice" else fate, asked)

    def _can_be_late(self, asked: Request) -> bool:
        return self._world.is_back(asked) or super()._can_be_late(asked)

    def carry_out(self, asked: Request) -> Answer:
        if asked.path == HISTORY_PATH and self._world.comes_again(asked):
            return self._world.pages[asked.target]
        before = self._world.plays_of(asked)
        answer = super().carry_out(asked)
        if asked.path == HISTORY_PATH and answer.status == 200:
            self._world.pages[asked.target] = answer
        if is_write(asked):
            self._world.judge_mutation(asked, before)
        return answer


class PlaysWorld(World):
    """A world in which plays come back from Plex."""

    truth: PlayTruth
    people: Watchers
    # The chance that a life knows the restores of one of the three databases.
    restored = 0.35

    def __init__(self, seed: int, folder: Path) -> None:
        self.plays_rng = Random(f"plays {seed}")
        self.restores = tuple(name for name in RESTORES if self.plays_rng.random() < self.restored)
        self.replays = self.plays_rng.choice((0.0, 0.0, 0.1))
        # The chance that nobody hears the end of a request that writes plays, and what it meets then.
        self.unknown = self.plays_rng.choice((0.0, 0.1, 0.3))
        self.unknown_ends = ("late", "late", "unheard", "reset", "cut", "502 done", "hangs", "late twice")
        self.pages: dict[str, Answer] = {}
        self.page_again = ""
        self.is_landing = False
        self.copies = folder / "copies"
        self.copies.mkdir()
        (folder / "data").mkdir(mode=0o700)
        super().__init__(seed, folder / "data")
        self._approve(self.setting.watch)

    def _approve(self, watch: WatchRules) -> None:
        """The first write of plays was approved before this life began."""
        account, now = 2 if watch.account else 1, self.clock.now()
        text = approval_text(
            self.plex.machine, account, watch_since=watch.since, since=watch.since, at=now, minimum=watch.minimum
        )
        with self.process.store.writing() as tx:
            tx.notes.save(PLAYS_APPROVED, text)

    def _drawn(self) -> Nature:
        nature, rng = Nature.of(self.rng), self.plays_rng
        # A moment in the first hours of which only what is later counts, in some lives.
        since = rng.choice((0, 0, 1_760_001_000 - 6 * 3600))
        # These lives know the history alone; viewings are judged by the living room.
        watch = WatchRules(account=rng.choice(("", "", "Guest")), since=since, minimum="plex")
        setting = replace(nature.setting, watch=watch, history_page=rng.choice((10, 10, 1000)), undo_gone=False)
        # A Stash whose own clock is set back looks like a restored one: see the decision in docs/decisions/0031-way-back.md.
        own_clock = nature.own_clock or nature.leaps
        return replace(nature, bars=False, poison=False, own_clock=own_clock, setting=setting)

    def _has_only_hooks(self) -> bool:
        return False

    def _takes_back(self) -> bool:
        return False

    def _is_pictured(self) -> bool:
        return False

    def _truth(self, fields: tuple[str, ...]) -> PlayTruth:
        return PlayTruth(fields)

    def _wire(self, who: Neighbour, sim: HttpServer) -> SimWire:
        return PlaysWire(who, sim, self.clock, self.rng, self.weather[who], self, self._fate)

    def _is_indexing(self, asked: Request) -> bool:
        # A poll of the history holds a lock that another one waits for.
        return (
            asked.path in ("/", "/accounts", HISTORY_PATH)
            or b"query Rivals" in asked.body
            or (self.process is not None and self.process.back.history._lock.locked())
            or super()._is_indexing(asked)
        )

    def _met(self, who: Neighbour, asked: Request) -> str:
        fate = super()._met(who, asked)
        if fate or self.at_rest or not self.is_back(asked) or self.plays_rng.random() >= self.unknown:
            return fate
        fate = self.plays_rng.choice(self.unknown_ends)
        self.tally[f"plays {fate}"] += 1
        self.tell(f"{who} {fate}: {told(asked)}")
        return fate

    def change_weather(self) -> None:
        super().change_weather()
        for weather in self.weather.values():
            if weather.kind and self.plays_rng.random() < 0.3:
                weather.until = self.clock.steady + self.plays_rng.choice(OUTAGES)

    def land_late(self) -> None:
        self.is_landing = True
        super().land_late()
        self.is_landing = False

    # --- what the process does ---------------------------------------------------------------------------------------

    def poll_history(self) -> None:
        """The history of Plex is polled."""
        self.at_work("history", lambda: self.tell(f"history: {self.process.back.poll()}"))

    def compare_plays(self) -> None:
        """The plays of all scenes are compared, if that is due."""
        self.at_work("compare", lambda: self.tell(f"plays compared: {self.process.back.comparison.run_if_due()}"))

    def hear(self, events: Sequence[Event]) -> None:
        """Plex's events arrive, if a process listens."""
        if self.process is not None:
            self.process.back.listener.take(events)

    def listen(self) -> None:
        """What listens to Plex looks whether it is time to poll."""
        self.at_work("listen", self._listened)

    def _listened(self) -> None:
        listener = self.process.back.listener
        listener.take([])
        if listener.sooner.is_set():
            listener.sooner.clear()
            self.tally["polled by events"] += 1
            self.tell(f"events: {listener.poll()}")

    # --- what it sends -----------------------------------------------------------------------------------------------

    def is_back(self, asked: Request) -> bool:
        """Whether a request writes to Stash what comes from Plex."""
        return is_write(asked)

    def comes_again(self, asked: Request) -> bool:
        """Whether a page of the history is one that was answered before; not twice in a row, which looks like a restore."""
        again = not self.at_rest and asked.target in self.pages and self.plays_rng.random() < self.replays
        again, self.page_again = again and asked.target != self.page_again, asked.target if again else ""
        if again:
            self.tally["pages again"] += 1
            self.tell("an old page of the history")
        return again

    def plays_of(self, asked: Request) -> tuple[int, ...]:
        """The plays of the scene that a request writes to."""
        id = int(json.loads(asked.body)["variables"]["id"]) if is_write(asked) else 0
        return self.stash.plays.of(id) if id in self.stash.scene_ids() else ()

    def moments_in_stash(self, content: str) -> set[int]:
        """The seconds of the plays of a content's scene."""
        return {
            moment
            for id in self.stash.scene_ids()
            if content in self.truth.of(self.stash.scene(id))
            for moment in self.stash.plays.of(id)
        }

    def judge_mutation(self, asked: Request, before: Sequence[int]) -> None:
        """Raise Violation for a play that was not played, one that a person has deleted, or a person's row that is gone."""
        variables = json.loads(asked.body)["variables"]
        id, moments = int(variables["id"]), moments_of(variables["times"])
        adds = b"sceneAddPlay" in asked.body
        after = self.plays_of(asked)
        self.tally["plays added" if adds else "plays removed"] += abs(len(after) - len(before))
        self.tell(f"Stash: {'+' if adds else '-'} {moments} of scene {id}: {sorted(before)} -> {sorted(after)}")
        if id not in self.stash.scene_ids() or self.people is None:
            return
        scene = self.stash.scene(id)
        for moment in moments:
            second = (key_of(scene), moment)
            if adds:
                self._judge_added(scene, second)
            elif before.count(moment) != after.count(moment):
                self._judge_removed(second, after.count(moment))

    def _judge_added(self, scene: SceneSnapshot, second: Second) -> None:
        _, moment = second
        if not self.truth.is_played(self.truth.of(scene), moment):
            raise Violation("wrong", f"scene {scene.id} was never played at {moment}, and it was added")
        # A request on its way can't be called back, but has to be waited for.
        awaited = self.is_landing and self.people.memory(second)[0] in ("adding", "removing")
        if self.truth.allowed.get(second) == {0} and not awaited:
            raise Violation("wrong", f"{moment} of scene {scene.id} was deleted or undone, and was added again")

    def _judge_removed(self, second: Second, rows: int) -> None:
        (id, _), moment = second
        if not rows and second[0] not in self.truth.undone and 0 not in self.truth.allowed.get(second, ()):
            raise Violation("wrong", f"{moment} of scene {id} was removed, and nobody has asked for that")
        if rows < self.truth.own[second] and rows not in self.truth.allowed.get(second, ()):
            raise Violation("wrong", f"a person's row at {moment} of scene {id} was removed")


def is_write(asked: Request) -> bool:
    """Whether a request adds or removes plays in Stash."""
    return b"sceneAddPlay" in asked.body or b"sceneDeletePlay" in asked.body


class PlaysEnding(Ending):
    """Everything calms down, and what is in Stash is judged."""

    world: PlaysWorld
    people: Watchers

    def judge(self) -> None:
        """Raise Violation for whatever is not as it was promised."""
        world = self.world
        self._end_trouble()
        world.pass_time(60)
        self._come_to_rest()
        self._judge_rows()
        self._judge_plays()
        self._run_everything_again()
        self._judge_plays()
        world.judge_books()
        world.judge_database()

    def _come_to_rest(self) -> None:
        self._pass_days()
        for section in self.people.sections:
            self.people.finish_scan(section)
        for number in range(ROUNDS):
            if not self._round(retry=number == 1) and number > 2:
                return
        raise Violation("lost", f"plays are still sent after {ROUNDS} rounds")

    def _pass_days(self) -> None:
        """Time goes by until what is compared once a day is due; where the clock was set back, that is more than a day."""
        due: list[bool] = []
        while len(due) < ROUNDS and not any(due):
            self.world.pass_time(DAY / 1000)
            self.world.at_work("days", lambda: due.append(self.world.process.back.comparison.is_due()))

    def _round(self, *, retry: bool = False) -> int:
        """Let every watcher do its work once; returns the requests that wrote to Stash."""
        world = self.world
        before = self._writes()
        world.pass_time(600)
        world.poll()
        world.poll_history()
        world.compare_plays()
        self._answer()
        self._work()
        if retry:
            self._retry()
            self._work()
        try:
            world.tell(f"reconcile: {world.process.reconciler.reconcile(anew=True)}")
        except NeighbourError as error:
            world.tell(f"no reconcile: {error}")
        world.pass_time(600)
        self._work()
        return self._writes() - before

    def _writes(self) -> int:
        return sum(self.world.is_back(asked) for asked in self.world.stash.log)

    def _answer(self) -> None:
        for choice in open_questions(self.world.process.parts):
            self.world.tell(f"asked about {choice}: accepted")
            accept(self.world.process.parts, choice)

    def _run_everything_again(self) -> None:
        for scene in self.people.scenes():
            self.world.hook(Kind.SCENE, scene.id, Why.SWEEP)
            with self.world.process.store.writing() as tx:
                tx.jobs.want(PLAYS, scene.id, Why.SWEEP, self.world.clock.now())
        if sent := self._round():
            raise Violation("wrong", f"{sent} requests wrote to Stash when everything was run again")

    def _judge_rows(self) -> None:
        there = self.world.stash.scene_ids()
        for kind, id, state, cls, error in self.world.rows("select kind, id, state, cls, error from job"):
            if kind == PLAYS and not (state == "gone" and id not in there):
                raise Violation("lost", f"{kind} {id} is left {state} ({cls}): {error}")

    # --- judging -----------------------------------------------------------------------------------------------------

    def _judge_plays(self) -> None:
        world, truth = self.world, self.world.truth
        played = self._played_now()
        for scene in self.people.scenes():
            contents = truth.of(scene)
            rows = Counter(world.stash.plays.of(scene.id))
            must = set().union(*(played.get(content, set()) for content in contents))
            may = set().union(*(truth.ever.get(content, set()) for content in contents))
            guests = set().union(*(truth.guests.get(content, set()) for content in contents))
            touched = {moment for key, moment in truth.allowed if key == key_of(scene)}
            for moment in sorted({*rows, *must, *may, *guests, *touched}):
                second = (key_of(scene), moment)
                allowed = self._allowed(second, must, may)
                if moment in must and truth.is_explained(second, max(seconds for *_, seconds in scene.files)):
                    allowed = allowed | {0}
                if rows[moment] not in allowed:
                    raise Violation(
                        "doubled" if rows[moment] > max(allowed) else "lost",
                        f"scene {scene.id} of {contents} has {rows[moment]} plays at {moment}, not {sorted(allowed)}"
                        f" (in Plex: {moment in must}, guest: {moment in guests}), "
                        f"memory {world.rows('select * from play where scene = ? and moment = ?', scene.id, moment)}",
                    )
                world.tally["judged"] += 1
                world.tally["judged once"] += allowed == {1}
                world.tally["judged deleted"] += allowed == {0} and moment in must
                world.tally["judged loosely"] += len(allowed) > 1 and moment in must

    def _allowed(self, second: Second, must: set[int], may: set[int]) -> set[int]:
        _, moment = second
        if second in self.world.truth.allowed:
            return self.world.truth.allowed[second]
        return {1} if moment in must else {0, 1} if moment in may else {0}

    def _played_now(self) -> dict[str, set[int]]:
        """The plays of the chosen account that Plex lists with an item, and those listed once whose file is where it was."""
        world, truth = self.world, self.world.truth
        played: dict[str, set[int]] = {}
        for play in world.plex.backup().plays:
            key = str(play.item)
            if key in self.people.visible() and play.account == self.people.chosen:
                content = truth.content_of[key]
                if play.viewed_at in truth.ever.get(content, ()):
                    played.setdefault(content, set()).add(play.viewed_at)
        for (_, moment), gone in truth.gone.items():
            if self.people.spots[gone.content][0] == gone.path:
                played.setdefault(gone.content, set()).add(moment)
        return played


# --- running ---------------------------------------------------------------------------------------------------------


def _live(world: PlaysWorld, steps: int) -> None:
    people = world.people = Watchers(world)
    world.tell(f"{world.restores}, {world.nature}, {world.setting.watch}")
    for _ in range(steps):
        people.act()
        world.judge_books()
    PlaysEnding(world, people).judge()


LIVES = Lives(PlaysWorld, _live)
run_play_seeds, run_play_seed = LIVES.run, LIVES.run_seed


if __name__ == "__main__":
    LIVES.main(__doc__)

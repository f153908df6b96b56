"""A living room: what is watched in Plex leaves in Stash what Stash's own player would have left, whatever happens.

Several players play, pause, seek, wait, fall silent and stop; guests watch too, and Stash's own player is used in between.
The line to Plex is lost and Plex restarts, the process is killed at any boundary, Stash is away, clocks are set; people
delete plays in Stash, take back what came from Plex and want it again; the database and the journal of plays are lost, and
an older database is restored. When it has calmed down, a model alone decides (`sim_viewing_truth`), by what players have
said and what could be heard of it:

* Each viewing that meets the rule in force, and each row of Plex's history, is a play in Stash once.
* No play is of nobody's viewing, of a guest's, or of a scene that is left alone.
* The play time is what was really played, as far as it could be heard, beside what Stash's own player has added.
* Nothing more is sent when everything is run again. After an undo of all, Stash is as without PlexSync.

`python -m tests.simulation.sim_viewings FIRST COUNT STEPS` runs a range by hand and prints the history of what fails.
"""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from random import Random

from plexsync.plex.events import events_of
from plexsync.rules.plays.play_wishes import REDO, UNDO
from plexsync.rules.plays.plays import WatchRules
from plexsync.rules.queue.events import SessionChanged
from plexsync.rules.servers.errors import Neighbour
from plexsync.simulator.http import Request
from plexsync.simulator.stash_plays import moments_of
from tests.engine.clocks import Clock
from tests.simulation.running import Lives
from tests.simulation.sim_plays import PlaysEnding, PlaysWorld
from tests.simulation.sim_truth import Violation
from tests.simulation.sim_viewers import Viewers
from tests.simulation.sim_viewing_truth import Report, SceneTruth, Watching, unmatched
from tests.simulation.sim_world import Nature

LOSSES = ("database lost", "journal lost", "database restored")
# What writes to a scene what was watched.
TO_STASH = (b"sceneAddPlay", b"sceneDeletePlay", b"sceneSaveActivity", b"sceneResetActivity")
DONE = "done"
OPEN_PLAYS = "select moment from play where scene = ? and state = 'adding'"
# The steady seconds between two words of Plex, which says something all the time.
WORDS = 4.0
# Play times that are closer than this are the same, where more than PlexSync has added to them.
CLOSE = 0.01
# What has to happen in lives that prove something.
HAPPENINGS = (
    "kills",
    "own plays",
    "viewings",
    "judged once",
    "judged exactly",
    "deleted for good",
    "undone",
    "redone",
    "judged undone literally",
)


class RoomWorld(PlaysWorld):
    """A world in which people watch."""

    people: Viewers

    def __init__(self, seed: int, folder: Path) -> None:
        self.room_rng = Random(f"room {seed}")
        self.losses = tuple(name for name in LOSSES if self.room_rng.random() < 0.2)
        self.scenes: dict[int, SceneTruth] = {}
        self.scene_of: dict[str, int] = {}
        # Where PlexSync has last set the resume point of a scene.
        self.put_at: dict[int, float] = {}
        self.in_doubt: list[tuple[Watching, Report]] = []
        # Whether memory was ever lost, and with it the journal of plays.
        self.has_forgotten = self.journal_is_lost = False
        super().__init__(seed, folder)
        self.restores, self.replays = (), 0.0
        self.percent = self.room_rng.choice((None, 0, 10, 50))
        if self.percent is not None:
            self.stash.ui["minimumPlayPercent"] = self.percent
        self.plex.traits.history_lag = self.room_rng.choice((0.0, 0.0, 3.0, 40.0))
        self.plex.traits.stops_anew = self.room_rng.random() < 0.2

    def _clock(self) -> Clock:
        # Both servers and PlexSync have one clock, until somebody sets it.
        return Clock(1_760_001_000_000)

    def _drawn(self) -> Nature:
        nature, rng = super()._drawn(), self.room_rng
        account = rng.choice(("", "", "", "Guest"))
        minimum = rng.choice(("stash", "stash", "stash", "plex", "10%", "45s"))
        watch = WatchRules(account=account, resume=not account, minimum=minimum)
        meanwhile = min(nature.meanwhile, 0.02)
        return replace(nature, full_disk=False, meanwhile=meanwhile, setting=replace(nature.setting, watch=watch))

    def remember_the_rules(self) -> None:
        """A person approves the rules again, after their loss."""
        self._approve(self.setting.watch)

    def _is_indexing(self, asked: Request) -> bool:
        return asked.path == "/status/sessions" or super()._is_indexing(asked)

    def is_back(self, asked: Request) -> bool:
        return any(name in asked.body for name in TO_STASH)

    def _bury(self) -> None:
        if self.people is not None:
            self.people.forget_doubts()
        super()._bury()

    # --- time and events ---------------------------------------------------------------------------------------------

    def pass_time(self, seconds: float) -> None:
        """Time goes by, in which Plex says something and players report; while nobody plays, all at once."""
        end = self.clock.steady + seconds
        while (left := end - self.clock.steady) > 1e-6:
            playing = self.people is not None and any(not one.is_silent for one in self.people.players.values())
            self.clock.move(min(left, WORDS) if playing or left < 70 else left - 65)
            self.land_late()
            self.tick()

    def tick(self) -> None:
        """Players report that are due, and Plex says something."""
        if self.people is not None:
            self.people.tick()
            self.hear()

    def before_request(self, who: Neighbour, asked: Request) -> None:
        self.tick()
        super().before_request(who, asked)

    def hear(self) -> bool:
        """What Plex has told arrives, if somebody listens; returns whether somebody does."""
        frames = list(self.plex.told)
        self.plex.told.clear()
        if self.process is None or not self.people.is_line_up:
            return False
        events = [event for frame in frames for event in events_of(json.dumps(frame).encode())]
        reports = [event for event in events if isinstance(event, SessionChanged)]
        self.process.back.listener.take(reports)
        return True

    def take_down(self) -> bool:
        """What was heard of players is taken down; returns whether it was."""
        return self.at_work("viewings", self._take_down) == DONE

    def _take_down(self) -> str:
        heard = list(self.in_doubt)
        problem = self.process.back.recorder.record()
        self.tell(f"taken down: {problem or len(heard)}")
        if not problem:
            self.people.was_taken_down(heard)
        return problem or DONE

    def poll_history(self) -> bool:
        """The history of Plex is polled; returns whether it was read."""
        return self.at_work("history", self._poll_history) == DONE

    def _poll_history(self) -> str:
        problem = self.process.back.poll()
        self.tell(f"history: {problem}")
        return problem or DONE

    def poll_resume(self) -> None:
        """What was watched in Plex is polled."""
        if self.setting.watch.resume:
            self.at_work("resume", lambda: self.tell(f"resume: {self.process.back.resume.poll()}"))

    # --- what is in Stash --------------------------------------------------------------------------------------------

    def added_plays(self, id: int) -> list[int]:
        """The plays of a scene that are not of Stash's own player."""
        return sorted((Counter(self.stash.plays.of(id)) - Counter(self.scenes[id].own)).elements())

    def part_of(self, id: int) -> float:
        """The play time of a scene that is not of Stash's own player."""
        return self.stash.scene(id).play_duration - self.scenes[id].own_time

    def plays_of(self, asked: Request) -> tuple[int, ...]:
        return ()

    def judge_mutation(self, asked: Request, before: object) -> None:
        """What plays are added is judged at the end."""
        self.tally["plays added"] += b"sceneAddPlay" in asked.body

    def carried_out(self, who: Neighbour, asked: Request, answer: object) -> None:
        """Raise Violation if what Stash's own player has added is no longer there."""
        super().carried_out(who, asked, answer)
        if who is Neighbour.STASH and self.is_back(asked) and self.people is not None:
            variables = json.loads(asked.body)["variables"]
            if variables.get("position") is not None:
                self.put_at[int(variables["id"])] = variables["position"]
            self.tell(f"Stash: {asked.body.decode()[-120:]}")
            for id, truth in self.scenes.items():
                if self.part_of(id) < -truth.raced - CLOSE:
                    raise Violation("lost", f"scene {id} has lost {-self.part_of(id)} s of Stash's own player")
                lost = Counter(truth.own) - Counter(self.stash.plays.of(id))
                if lost.keys() - truth.shared:
                    raise Violation("lost", f"scene {id} has lost the plays {lost} of Stash's own player")

    def plays_under_way(self, id: int) -> set[int]:
        """The plays of a scene that PlexSync is about to add, or may have added."""
        late = [asked for _, asked in self.weather[Neighbour.STASH].late if b"sceneAddPlay" in asked.body]
        variables = [json.loads(asked.body)["variables"] for asked in late]
        sent = {moment for one in variables if int(one["id"]) == id for moment in moments_of(one["times"])}
        return sent | {moment for (moment,) in self.rows(OPEN_PLAYS, id)}

    def is_being_reset(self, id: int) -> bool:
        """Whether a request is on its way that resets the play time of a scene."""
        late = [asked for _, asked in self.weather[Neighbour.STASH].late if b"sceneResetActivity" in asked.body]
        return any(int(json.loads(asked.body)["variables"]["id"]) == id for asked in late)

    def judge_taken_back(self, id: int) -> None:
        """Raise Violation if anything is left of what PlexSync remembers to have added to a scene."""
        if self.has_forgotten:
            return
        if plays := self.added_plays(id):
            raise Violation("lost", f"the plays {plays} of scene {id} are left after an undo")
        if not self.scenes[id].is_blurred and abs(self.part_of(id)) > CLOSE:
            raise Violation("lost", f"{self.part_of(id)} s of play time of scene {id} are left after an undo")


class RoomEnding(PlaysEnding):
    """Everybody stops, and what was watched is judged."""

    world: RoomWorld
    people: Viewers

    def judge(self) -> None:
        """Raise Violation for whatever is not as it was promised."""
        world = self.world
        self._end_trouble()
        self.people.is_line_up = True
        world.work()
        for player in list(self.people.players.values()):
            player.is_silent, player.at = False, world.clock.steady
            self.people.stop(player)
        self._come_to_rest()
        self._judge_rows()
        self._judge_all()
        self._run_everything_again()
        self._judge_all()
        if not self.people.ahead:
            self._take_all_back()
        world.judge_books()
        world.judge_database()

    def _round(self, *, retry: bool = False) -> int:
        self.world.pass_time(70)
        self.world.take_down()
        self.world.poll_resume()
        return super()._round(retry=retry)

    # --- judging -----------------------------------------------------------------------------------------------------

    def _judge_all(self) -> None:
        for id in self.world.scenes:
            self._judge_plays_of(id)
            self._judge_time_of(id)

    def _judge_plays_of(self, id: int) -> None:
        world, truth = self.world, self.world.scenes[id]
        listed = {(str(play.item), play.account, play.viewed_at) for play in world.plex.backup().plays}
        watch = world.setting.watch
        claims = truth.claims(
            self.people.chosen,
            watch.minimum,
            world.percent or 0,
            lambda watching: (watching.item, watching.account, watching.row) in listed,
        )
        plays = world.added_plays(id)
        foreign, missing = unmatched(plays, truth.own, claims)
        said = f"scene {id} has the plays {plays}, and {truth.own} of Stash's own player"
        if foreign:
            near = [claim for claim in claims if any(claim.watching.holds(moment) for moment in foreign)]
            raise Violation("doubled" if near else "wrong", f"{said}: {foreign} are of no viewing, or too many: {near}")
        if missing:
            raise Violation("lost", f"{said}: the plays of {missing} are missing")
        is_exact = sum(claim.may for claim in claims) == sum(claim.must for claim in claims) == len(plays)
        world.tally["judged exactly"] += is_exact and bool(claims)
        world.tally["judged loosely"] += not is_exact
        world.tally["judged once"] += sum(claim.must for claim in claims)

    def _judge_time_of(self, id: int) -> None:
        part, (least, most) = self.world.part_of(id), self.world.scenes[id].time_bounds(self.people.chosen)
        if not least - CLOSE <= part <= most + CLOSE:
            kind = "lost" if part < least else "doubled"
            raise Violation(kind, f"{part:.3f} s of the play time of scene {id} came from Plex, not {least} to {most}")

    def _take_all_back(self) -> None:
        world = self.world
        world.pass_time(600)
        assert self.people.make_wish(UNDO, list(world.scenes))
        self._settle()
        for id, truth in world.scenes.items():
            world.judge_taken_back(id)
            scene = world.stash.scene(id)
            if not world.has_forgotten:
                self._judge_literally(scene.play_duration, scene.resume_time, truth)
        assert self.people.make_wish(REDO, list(world.scenes))
        for truth in world.scenes.values():
            truth.withdrawn = (0.0, 0.0)
            for watching in truth.watched:
                watching.undone = watching.undone and None
        self._settle()
        self._judge_all()

    def _judge_literally(self, seconds: float, position: float, truth: SceneTruth) -> None:
        if truth.is_blurred:
            return
        was_alone = truth.first_time == truth.own_time
        if seconds != truth.own_time and (was_alone or abs(seconds - truth.own_time) > CLOSE):
            raise Violation("wrong", f"the play time is {seconds!r} after an undo of all, not {truth.own_time!r}")
        if not any(abs(position - place) <= CLOSE for place in truth.own_resume):
            raise Violation("wrong", f"the resume point is {position} after an undo of all, not {truth.own_resume}")
        self.world.tally["judged undone literally"] += bool(truth.watched)

    def _settle(self) -> None:
        for _ in range(3):
            self.world.pass_time(600)
            self._work()


# --- running ---------------------------------------------------------------------------------------------------------


def _live(world: RoomWorld, steps: int) -> None:
    people = world.people = Viewers(world)
    world.tell(f"{world.losses}, {world.nature}, {world.setting.watch}, {world.percent} %, {world.plex.traits}")
    # PlexSync knows what there is.
    world.at_rest = True
    world.reconcile()
    people.rest()
    world.at_rest = False
    for _ in range(steps):
        people.act()
        world.judge_books()
    world.tally["viewings"] += people.count
    RoomEnding(world, people).judge()


LIVES = Lives(RoomWorld, _live)
run_room_seeds, run_room_seed = LIVES.run, LIVES.run_seed


if __name__ == "__main__":
    LIVES.main(__doc__, steps=100)

"""People who watch in Plex and in Stash's own player, and what befalls players, lines, servers and memory meanwhile."""

from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from plexsync.app.way_back import plays_recovery
from plexsync.engine.undo import wish_undone
from plexsync.flows.plays.wishes import WishForPlays
from plexsync.rules.plays.play_wishes import REDO, UNDO, PlayWish
from plexsync.rules.queue.job import Kind
from plexsync.rules.servers.errors import NeighbourError
from plexsync.simulator.stash_model import SceneSnapshot
from plexsync.store.ledger.plays_file import PlaysFile
from tests.flows.living_room import EVERY
from tests.simulation.sim_changes import KEPT
from tests.simulation.sim_viewing_truth import (
    AFTER,
    BUFFERING,
    IN_DOUBT,
    PAUSED,
    PLAYING,
    RETURN,
    STOPPED,
    TAKEN_DOWN,
    Report,
    SceneTruth,
    Watching,
)
from tests.store_places import StorePlace

if TYPE_CHECKING:
    from tests.simulation.sim_viewings import RoomWorld

LENGTHS = (40, 100, 300, 900)
# As long as a request can be under way before it takes effect, and longer.
AGES = 60.0
# Plex counts a play from this share of the length on.
TO_THE_END = 0.9
MOST_AT_ONCE = 4
PLAY = "select 1 from play where scene = ? and moment = ?"
WISHED_TIMES = "select scene from play_time where wish <> ''"
OPEN_TIME = "select adding, restores from play_time where scene = ? and adding <> ''"


@dataclass
class Player:
    """A player that plays something. `at` and `offset`: when it was where last; `is_silent`: it says nothing meanwhile."""

    name: str
    account: int
    item: str
    watching: Watching
    offset: int
    at: float
    state: str = PLAYING
    is_silent: bool = False
    said_at: float = 0.0


class Viewers:
    """Acts by the dice of the seed; every action keeps the truth up to date."""

    def __init__(self, world: "RoomWorld") -> None:
        self.world = world
        self.rng: Random = world.rng
        self.sections = [world.plex.add_section(name, locations=("/media",)) for name in ("Movies", "Mirror")]
        self.guest = world.plex.add_account("Guest")
        self.chosen = self.guest if world.setting.watch.account else 1
        self.players: dict[str, Player] = {}
        self.places: dict[str, int] = {}
        self.is_line_up = True
        self.line_back_at = 0.0
        # Copies of our database, and the scenes of which it has to take play time back, or to add it again.
        self.copies: list[tuple[Path, set[int]]] = []
        self.count = 0
        self.ahead = 0.0
        for number in range(self.rng.randint(2, 4)):
            self._add_scene(number)
        self.actions = self._weights()

    def _add_scene(self, number: int) -> None:
        world, rng = self.world, self.rng
        length = rng.choice(LENGTHS)
        file = (f"/media/film {number}.mp4", 1000 + number)
        world.truth.contents[file[0]] = f"film {number}"
        id = world.stash.add_scene(files=[(*file, float(length))], title=f"Film {number}")
        for section in self.sections[: 1 + (rng.random() < 0.4)]:
            key = world.plex.add_movie(section, files=[(*file, length * 1000)], title="film")
            world.scene_of[key] = id
        truth = world.scenes[id] = SceneTruth(length * 1000)
        if rng.random() < 0.5:
            # Stash's own player was here before, or another tool.
            truth.own_time, place = rng.choice((12.0, 0.1 + 0.2, 1234.5678)), rng.choice((0.0, 7.25))
            truth.first_time, truth.own_resume, truth.own_ever = truth.own_time, {place}, {place}
            world.stash.plays.save_activity(id, place, truth.own_time)
        truth.is_left_alone = number > 1 and rng.random() < 0.3
        if truth.is_left_alone:
            self.ignore(id)

    def ignore(self, id: int) -> None:
        """A person wants a scene to be left alone."""
        with self.world.process.store.writing() as tx:
            tx.jobs.ignore(Kind.SCENE, id, now=self.world.clock.now())

    def _weights(self) -> list[tuple[int, str, Callable[[], None]]]:
        world, nature = self.world, self.world.nature
        table: list[tuple[int, str, Callable[[], None]]] = [
            (24, "minutes", self.minutes),
            (14, "start", self.start),
            (5, "pause", self.pause),
            (5, "seek", self.seek),
            (3, "buffer", self.buffer),
            (8, "stop", self.stop),
            (5, "to the end", self.to_the_end),
            (2, "silent", self.fall_silent),
            (2, "line", self.change_line),
            (2, "plex restarts", self.restart_plex),
            (12, "work", world.work),
            (5, "history", world.poll_history),
            (3, "resume", world.poll_resume),
            (3, "stash's player", self.watch_in_stash),
            (2, "delete", self.delete_in_stash),
            (2, "undo", self.undo),
            (2, "redo", self.redo),
            (2, "hours", self.hours),
            (1, "compare", world.compare_plays),
            (1, "poll", world.poll),
        ]
        losses = {
            "database lost": self.lose_database,
            "journal lost": self.lose_journal,
            "database restored": self.restore_database,
        }
        table += [(1, name, act) for name, act in losses.items() if name in world.losses]
        if "database restored" in world.losses:
            table.append((2, "copy", self.copy_database))
        if nature.outages:
            table.append((3, "weather", world.change_weather))
        if nature.leaps:
            table.append((2, "leap", self.leap))
        if nature.kills:
            table.append((2, "kill", world.kill_idle))
        return table

    def act(self) -> None:
        """One step of the world."""
        ((_, name, action),) = self.rng.choices(self.actions, [weight for weight, *_ in self.actions])
        self.world.tally[name] += 1
        action()

    def meanwhile(self, *, watchers: bool) -> None:
        """What can happen while the process waits for something."""
        self.rng.choice([self.start, self.pause, self.seek, self.stop, self.watch_in_stash])()

    def scenes(self) -> list[SceneSnapshot]:
        """The scenes in Stash."""
        return [self.world.stash.scene(id) for id in self.world.stash.scene_ids()]

    def visible(self) -> list[str]:
        """The rating keys that Plex shows."""
        return list(self.world.scene_of)

    def finish_scan(self, section: str) -> None:
        """A scan of a library ends: there is nothing new."""

    # --- players -----------------------------------------------------------------------------------------------------

    def _some_player(self) -> Player | None:
        playing = [player for player in self.players.values() if not player.is_silent]
        return self.rng.choice(playing) if playing else None

    def start(self, *, item: str = "") -> Player | None:
        """Somebody begins to play something, from its beginning, where it was left, or from anywhere."""
        world, rng = self.world, self.rng
        free = [name for name in ("den", "kitchen", "phone", "guest") if name not in self.players]
        if len(free) <= 4 - MOST_AT_ONCE or not free:
            return None
        name = rng.choice(free)
        busy = [player.item for player in self.players.values()]
        key = item or (rng.choice(busy) if busy and rng.random() < 0.3 else rng.choice(self.visible()))
        other = 1 if self.chosen != 1 else self.guest
        account = other if name == "guest" else self.chosen
        length = world.scenes[world.scene_of[key]].length
        offset = rng.choice((0, 0, self.places.get(key, 0), rng.randrange(length)))
        watching = Watching(world.scene_of[key], key, name, account, length)
        world.scenes[watching.scene].watched.append(watching)
        self.count += account == self.chosen
        player = self.players[name] = Player(
            name, account, key, watching, min(offset, length - 1000), world.clock.steady
        )
        self._say(player, PLAYING)
        return player

    def pause(self) -> None:
        """Somebody pauses, or goes on."""
        if player := self._some_player():
            self._say(player, PLAYING if player.state == PAUSED else PAUSED)

    def buffer(self) -> None:
        """A player has to wait."""
        if (player := self._some_player()) and player.state == PLAYING:
            self._say(player, BUFFERING)

    def seek(self) -> None:
        """Somebody plays on from elsewhere; the player says so at once."""
        if player := self._some_player():
            self._move(player)
            player.offset = self.rng.randrange(player.watching.length)
            self._say(player, PLAYING)

    def stop(self, player: Player | None = None) -> None:
        """Somebody stops."""
        if player := player or self._some_player():
            self._say(player, STOPPED)

    def to_the_end(self) -> None:
        """Somebody plays something to its end."""
        player = self._some_player() or self.start()
        if player is None:
            return
        if player.state != PLAYING:
            self._say(player, PLAYING)
        for _ in range(100):
            if self.players.get(player.name) is not player or player.is_silent:
                return
            self.world.pass_time(EVERY)
            self._rest_a_while()
        self.stop(player if self.players.get(player.name) is player else None)

    def minutes(self) -> None:
        """Players play for a while, and the process does what it does."""
        for _ in range(self.rng.choice((1, 3, 6, 6, 12))):
            self.world.pass_time(self.rng.choice((EVERY, EVERY, 3.7)))
            self._rest_a_while()

    def _rest_a_while(self) -> None:
        world = self.world
        if self.rng.random() < 0.6:
            world.take_down()
        if self.rng.random() < 0.2:
            world.listen()
        if self.rng.random() < 0.15:
            world.work()

    def hours(self) -> None:
        """Hours go by, in which nobody plays: most have stopped, some have paused, and say so or not."""
        seconds = self.rng.choice((600, 1200, 3 * 3600, 30 * 3600))
        for player in list(self.players.values()):
            if player.is_silent:
                continue
            if self.rng.random() < 0.6:
                self.stop(player)
            elif player.state == PLAYING:
                self._say(player, PAUSED)
                player.is_silent = seconds > RETURN * 2 and player.name in self.players
        self.world.pass_time(seconds)
        self.world.take_down()

    def fall_silent(self) -> None:
        """A player says nothing any more, for ever or for a while; one that was silent is back where it was."""
        silent = [player for player in self.players.values() if player.is_silent]
        if silent and self.rng.random() < 0.7:
            player = self.rng.choice(silent)
            if self.rng.random() < 0.5:
                del self.players[player.name]
                self.world.plex.sessions.drop(player=player.name, account=player.account)
                self.world.tell(f"{player.name} never comes back")
                return
            player.is_silent, player.at = False, self.world.clock.steady
            if player.at - player.said_at > RETURN - 30:
                player.watching.extra += 1
            self._say(player, PLAYING)
        elif player := self._some_player():
            self._move(player)
            player.is_silent = True
            self.world.tell(f"{player.name} falls silent")

    def tick(self) -> None:
        """Players that are due say where they are, as they do every ten seconds."""
        if not self.is_line_up and self.world.clock.steady >= self.line_back_at:
            self.is_line_up = True
            self.world.tell("the line to Plex is back")
        for player in list(self.players.values()):
            if not player.is_silent and self.world.clock.steady - player.said_at >= EVERY - 0.001:
                self._say(player, PLAYING if player.state == BUFFERING else player.state)

    def _move(self, player: Player) -> None:
        now = self.world.clock.steady
        if player.state == PLAYING:
            player.offset = min(player.offset + round(1000 * (now - player.at)), player.watching.length)
        player.at = now

    def _say(self, player: Player, state: str) -> None:
        """A player says what it does; at the end of the item it stops."""
        world, watching = self.world, player.watching
        self._move(player)
        if player.offset >= watching.length and state != STOPPED:
            state = STOPPED
        player.state, player.said_at = state, world.clock.steady
        sessions, who = world.plex.sessions, {"player": player.name, "account": player.account}
        act = {PLAYING: sessions.start, PAUSED: sessions.pause, BUFFERING: sessions.buffer, STOPPED: sessions.stop}[
            state
        ]
        act(player.item, player.offset, **who)
        moment = world.plex.now()
        report = Report(world.clock.steady, moment, player.offset, state, ahead=self.ahead)
        watching.reports.append(report)
        self.places[player.item] = player.offset
        if state == STOPPED:
            del self.players[player.name]
            if player.offset >= TO_THE_END * watching.length:
                watching.row = int(moment)
        world.tell(f"{player.name}: {state} {player.item} at {player.offset}")
        if world.hear():
            report.heard = IN_DOUBT
            world.in_doubt.append((watching, report))

    def was_taken_down(self, reports: list[tuple[Watching, Report]]) -> None:
        """These were taken down, if Plex could say whose they are."""
        world = self.world
        playing = [player.watching for player in self.players.values()]
        for watching, report in reports:
            watching.is_known |= watching in playing
            if watching.is_known and (report.state != STOPPED or not world.plex.traits.stops_anew):
                report.heard = TAKEN_DOWN
            world.in_doubt.remove((watching, report))

    def forget_doubts(self) -> None:
        """The process has ended; of what was heard nobody knows whether it was taken down."""
        for player in self.players.values():
            player.watching.restarts += 1
        self.world.in_doubt.clear()

    # --- lines, servers, clocks --------------------------------------------------------------------------------------

    def change_line(self) -> None:
        """The line to Plex is lost for a while."""
        if self.is_line_up:
            self.is_line_up = False
            self.line_back_at = self.world.clock.steady + self.rng.choice((3, 20, 50, 200, 1500))
            self.world.tell(f"the line to Plex is lost until {self.line_back_at:.0f}")

    def restart_plex(self) -> None:
        """Plex restarts: nobody hears it for a while, and it gives sessions new numbers."""
        world = self.world
        self.is_line_up, self.line_back_at = False, world.clock.steady + self.rng.choice((8, 15, 40))
        world.plex.sessions.restart()
        # What was heard and not taken down names sessions that are no more.
        world.in_doubt.clear()
        world.tell("Plex restarts")
        for watched in (watching for truth in world.scenes.values() for watching in truth.watched):
            watched.is_known = False

    def leap(self) -> None:
        """Somebody sets the clock wrong, or right again."""
        by = (
            -self.ahead if self.ahead else self.rng.choice((-86_400, -3 * 3600, -90, -3, 3, 90, 3 * 3600, 400 * 86_400))
        )
        self.world.clock.leap(by)
        self.ahead += by
        self.world.tally["leaps"] += 1
        self.world.tell(f"the clock leaps by {by} s: it is {self.ahead} s ahead")

    # --- Stash -------------------------------------------------------------------------------------------------------

    def watch_in_stash(self) -> None:
        """Somebody watches a scene in Stash's own player."""
        world, rng = self.world, self.rng
        scene = rng.choice(self.scenes())
        ours = {*world.added_plays(scene.id), *world.plays_under_way(scene.id)}
        seconds, position = rng.choice((4, 12, 35, 95)), rng.choice((0.0, 5.0, scene.files[0][2] * 0.97))
        before = world.stash.plays.of(scene.id)
        world.stash.open_player(scene.id).watch(seconds, position=position)
        truth, after = world.scenes[scene.id], world.stash.scene(scene.id)
        added = sorted((Counter(after.plays) - Counter(before)).elements())
        truth.own += added
        truth.own_time += seconds
        truth.shared |= {moment for moment in added if world.depth or moment in ours}
        # Of what is on its way nobody can tell whether this came before: what adds counts as Stash's own from then on, and
        # what resets takes it away.
        on_its_way = world.rows(OPEN_TIME, scene.id)
        truth.is_blurred |= world.depth > 0 or bool(on_its_way)
        truth.given_up += sum(float(adding) for adding, restores in on_its_way if not restores)
        if world.depth or world.is_being_reset(scene.id):
            truth.raced += seconds
        # Where PlexSync has left it, it counts as PlexSync's.
        is_as_ours = abs(world.put_at.get(scene.id, -1.0) - after.resume_time) < 1
        truth.own_resume = {after.resume_time} | (truth.own_ever if is_as_ours else set())
        truth.own_ever |= truth.own_resume
        world.tally["own plays"] += len(added)
        world.tell(f"Stash: scene {scene.id} watched for {seconds} s there: play {added}")

    def delete_in_stash(self) -> None:
        """A person deletes a play that PlexSync has added."""
        world = self.world
        plays = [(id, moment) for id in world.scenes for moment in world.added_plays(id)]
        if not plays:
            return
        id, moment = self.rng.choice(plays)
        self.rest()
        if moment not in world.added_plays(id):
            return
        # What PlexSync has not seen there is new to it.
        is_seen = bool(world.rows(PLAY, id, moment))
        world.stash.plays.delete(id, [moment])
        self.rest(watchers=True)
        of = [watching for watching in world.scenes[id].watched if watching.holds(moment) or watching.extra]
        for watching in of:
            # A row of another one may have been taken for its row.
            others = [one for one in world.scenes[id].watched if one is not watching and one.row]
            is_alone = not any(watching.began <= one.row <= watching.ended + AFTER for one in others)
            is_plain = watching.is_surely_over and watching.is_on_one_clock and not watching.extra and is_alone
            watching.kept = False if len(of) == 1 and is_plain and is_seen else None
        world.tally["deleted for good"] += len(of) == 1 and of[0].kept is False
        world.tell(f"Stash: scene {id} without {moment}, of {len(of)} viewings")

    # --- PlexSync ----------------------------------------------------------------------------------------------------

    def rest(self, *, watchers: bool = False) -> bool:
        """Nothing goes wrong for a while, and what there is to do is done; returns whether all of it was."""
        world = self.world
        quiet, world.at_rest = world.at_rest, True
        world.back_at = world.paused_until = 0.0
        is_read = not watchers or self._is_read()
        for _ in range(40):
            world.work()
            if world.idle_until is not None:
                if not self._is_at_work():
                    break
                world.pass_time(20)
        world.at_rest = quiet
        return is_read and not self._is_at_work()

    def _is_read(self) -> bool:
        """Whether all that players have said was taken down, and the history was read, now that nothing goes wrong."""
        world = self.world
        for _ in range(5):
            if world.take_down() and world.poll_history():
                return True
            # What was down is tried again.
            world.work()
            world.pass_time(20)
        return False

    def _is_at_work(self) -> bool:
        return bool(self.world.rows("select 1 from job where state in ('ready', 'running')"))

    def undo(self) -> None:
        """A person takes back what PlexSync has added to a scene."""
        self._wish(UNDO)

    def redo(self) -> None:
        """A person wants it again."""
        self._wish(REDO)

    def _wish(self, wish: PlayWish) -> None:
        world = self.world
        id = self.rng.choice(list(world.scenes))
        is_sure = self.rng.random() < 0.6
        if is_sure:
            self._wish_at_rest(wish, id, is_ended=self._end_viewings(id))
        else:
            self._note_wish_in_doubt(wish, id)
            self.make_wish(wish, [id])
        world.tell(f"{'undo' if wish is UNDO else 'redo'} of scene {id}{'' if is_sure else ', perhaps'}")

    def _note_wish_in_doubt(self, wish: PlayWish, id: int) -> None:
        """A wish is made, or not, and what it concerns is under way, or not."""
        truth = self.world.scenes[id]
        pending = truth.time_bounds(self.chosen)[1]
        truth.withdrawn = (0.0 if wish is REDO else truth.withdrawn[0], truth.withdrawn[1] + pending)
        for watching in truth.watched:
            watching.undone = None if wish is UNDO or watching.undone else watching.undone

    def _wish_at_rest(self, wish: PlayWish, id: int, *, is_ended: bool) -> None:
        world, truth = self.world, self.world.scenes[id]
        quiet, world.at_rest = world.at_rest, True
        was_at_rest, before = self.rest(), world.part_of(id)
        is_made = was_at_rest and self.make_wish(wish, [id])
        is_done = self.rest()
        world.at_rest = quiet
        if not is_made:
            return
        if not (is_ended and is_done):
            self._note_wish_in_doubt(wish, id)
            return
        world.tally["undone" if wish is UNDO else "redone"] += 1
        if wish is UNDO:
            world.judge_taken_back(id)
            part = before - world.part_of(id)
            truth.withdrawn = (truth.withdrawn[0] + part, truth.withdrawn[1] + part)
        else:
            truth.withdrawn = (0.0, 0.0)
        for watching in truth.watched:
            watching.undone = None if world.has_forgotten else wish is UNDO

    def _end_viewings(self, id: int) -> bool:
        """What is played of a scene is stopped, and dealt with; returns whether all of it was."""
        world = self.world
        for player in list(self.players.values()):
            if player.watching.scene == id:
                player.is_silent = False
                player.at = world.clock.steady
                self.stop(player)
        quiet, world.at_rest = world.at_rest, True
        world.work()
        world.pass_time(70)
        is_ended = self.rest(watchers=True)
        world.at_rest = quiet
        return is_ended

    def make_wish(self, wish: PlayWish, ids: list[int]) -> bool:
        """Make a wish for the plays of these scenes; returns whether it was made."""
        world = self.world

        def ask() -> str:
            parts = world.process.parts
            wishes = WishForPlays(parts.stash.watching, parts.gates, plays_recovery(parts), wish)
            try:
                wish_undone(parts.store, wishes, parts.clock, ids, "undo")
            except NeighbourError as error:
                world.tell(f"no wish for {ids}: {error}")
                return "not made"
            return "made"

        return world.at_work("wish", ask) == "made"

    # --- memory ------------------------------------------------------------------------------------------------------

    def lose_database(self) -> None:
        """Our database is lost, and the journal of plays is not."""
        self._replace("lost", lambda place: place.remove())

    def lose_journal(self) -> None:
        """The journal of plays is lost, and the database is not."""
        world = self.world
        self.forget_doubts()
        world.replace_database("the journal of plays is lost", lambda _: remove_journal(world.folder))
        self.copies.clear()
        world.journal_is_lost = True

    def copy_database(self) -> None:
        """A person makes a copy of our database."""
        path = self.world.copies / f"{self.world.tally['copies']}.db"
        self.world.tally["copies"] += 1
        self.world.place.save(path)
        wished = {id for (id,) in self.world.rows(WISHED_TIMES)}
        self.copies = [*self.copies[1 - KEPT :], (path, wished)]
        self.world.tell("a copy of our database is made")

    def restore_database(self) -> None:
        """An older copy takes the place of our database."""
        if self.copies:
            copy, wished = self.rng.choice(self.copies)
            self._replace("an older copy is restored", lambda place: place.put_back(copy), wished)

    def _replace(self, what: str, put: Callable[[StorePlace], None], wished: Collection[int] = ()) -> None:
        world = self.world
        world.pass_time(AGES)
        self.forget_doubts()
        quiet, world.at_rest = world.at_rest, True
        world.replace_database(what, put)
        world.remember_the_rules()
        world.has_forgotten = True
        playing = [player.watching for player in self.players.values()]
        for id, truth in world.scenes.items():
            if truth.is_left_alone:
                self.ignore(id)
            truth.forget(world.part_of(id), self.chosen, at=world.clock.steady, is_wished=id in wished)
            for watching in truth.watched:
                self._note_loss(watching, is_playing=watching in playing)
        world.at_rest = quiet

    def _note_loss(self, watching: Watching, *, is_playing: bool) -> None:
        """What is remembered of a viewing is what the journal of plays has; of what it is, nothing."""
        watching.extra += is_playing
        watching.is_forgotten = True
        if is_playing or not watching.row or self.world.journal_is_lost:
            # What was to be sent may be lost, and what goes on may be taken for another viewing.
            watching.kept = False if watching.kept is False and not self.world.journal_is_lost else None
            watching.undone = watching.undone and None


def remove_journal(folder: Path) -> None:
    """Remove the journal of plays from a folder."""
    for file in folder.iterdir():
        if file.is_file() and file.name.startswith(PlaysFile.name):
            file.unlink()

"""Viewings: what is watched in Plex leaves in Stash what Stash's own player would have left."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest

from plexsync.engine.undo import wish_undone
from plexsync.flows.plays.history_poll import count_plays
from plexsync.flows.plays.wishes import WishForPlays, wished_plays
from plexsync.flows.plays.writes import ActivityWrite
from plexsync.reports.scene_plays import scene_plays
from plexsync.rules.merge.taken_back import TakenBack
from plexsync.rules.plays.play_time import RememberedTime, TimeWish
from plexsync.rules.plays.play_wishes import REDO, UNDO, PlayWish
from plexsync.rules.plays.plays import OWNER, ActivityPlan, WatchRules
from plexsync.rules.queue.events import SessionChanged, SessionState
from plexsync.rules.queue.job import PLAYS, Job, Lane
from plexsync.rules.queue.note_keys import PLAYS_IN_PLEX
from plexsync.rules.scene import Scene, WatchedScene
from plexsync.simulator.http import Fault, Request
from tests.engine.house import DAY, House
from tests.engine.pools import Inline
from tests.flows.boundaries import Boundaries, Killed, of_plays
from tests.flows.data_folder import restored, saved
from tests.flows.living_room import LivingRoom


@pytest.fixture
def room(tmp_path):
    with House(tmp_path / "data", watch=WatchRules(resume=True), pool=Inline()) as house:
        house.clock.move(0.25)
        yield LivingRoom(house)


def add(room: LivingRoom, *, length: float = 1860.0) -> tuple[int, str]:
    """A scene of this many seconds and its item, in step."""
    house = room.house
    path = f"/media/{len(house.plex_sim.keys(house.section))}.mp4"
    house.plex_sim.add_movie(house.section, files=[(path, 4711, round(length * 1000))], title="film")
    id = house.stash_sim.add_scene(title="film", files=[(path, 4711, length)])
    house.want(id)
    house.work_until_settled()
    house.clock.move(60)
    house.forget_requests()
    house.plex_sim.told.clear()
    room.wait(70)
    return id, house.key_of(id)


def activity(room: LivingRoom, id: int) -> tuple[int, float, float]:
    """How often a scene was played in Stash, for how many seconds, and where it is resumed."""
    scene = room.house.stash_sim.scene(id)
    return len(scene.plays), scene.play_duration, scene.resume_time


def assert_one_play(room: LivingRoom, id: int, key: str, *, seconds: float, within: float = 10) -> None:
    """Its player stops, and what was watched of the scene is one play of about so many seconds."""
    room.stop(key)
    room.settle()
    assert activity(room, id)[:2] == (1, pytest.approx(seconds, abs=within))


def mutations(room: LivingRoom) -> int:
    return sum(b"mutation" in request.body for request in room.house.stash_sim.log)


def test_twelve_minutes_of_a_scene_are_a_play_with_its_time_and_its_place(room):
    id, key = add(room)
    began = room.house.clock.now() // 1000
    room.watch(key, 760)
    assert activity(room, id) == (1, 760.0, 760.0)
    assert room.house.stash_sim.plays.of(id) == (began + 30,)
    assert mutations(room) == 2


def test_while_a_scene_is_watched_only_its_play_is_written(room):
    id, key = add(room)
    for _ in range(30):
        room.play(key, 20)
        assert room.house.worker.back.poll() == ""
        assert room.house.worker.back.resume.poll() == ""
        room.house.work()
    assert mutations(room) == 1
    assert activity(room, id) == (1, 0.0, 0.0)
    room.pause(key)
    room.wait(5)
    assert room.house.worker.back.poll() == ""
    room.house.work()
    assert activity(room, id) == (1, 0.0, 600.0)
    room.stop(key)
    room.settle()
    assert activity(room, id) == (1, 600.0, 600.0)
    assert mutations(room) == 3


def test_where_a_player_fell_silent_is_where_the_scene_goes_on(room):
    id, key = add(room)
    room.play(key, 40)
    room.house.work()
    assert activity(room, id) == (1, 0.0, 0.0)
    room.wait(120)
    room.settle()
    assert activity(room, id) == (1, 40.0, 40.0)


def test_the_words_on_a_scene_tell_of_the_viewing_and_of_its_play_time(room):
    id, key = add(room)
    rules = WatchRules(resume=True)
    room.settle()
    room.play(key, 60)
    room.house.work()
    with room.house.store.reading() as db:
        (line, time) = scene_plays(db, rules, id)["lines"]
    assert line.startswith("watched 1 min of 31 min on ")
    assert line.endswith(" by a-player: a play by Stash's rule (30 s)")
    assert time == "play time in Stash: 1 min on its way"
    room.stop(key)
    room.settle()
    with room.house.store.reading() as db:
        facts = scene_plays(db, rules, id)
    assert facts["lines"][-1] == "play time in Stash: 1 min came from Plex"
    assert facts["text"].startswith("played 1 time in Plex")
    room.wait(3 * 3600)
    room.watch(key, 1850)
    with room.house.store.reading() as db:
        facts = scene_plays(db, rules, id)
    assert facts["text"].startswith("played 2 times in Plex"), "the row of the history is the same play"
    assert facts["lines"][0].endswith("a play by Stash's rule (30 s)")
    assert facts["lines"][-1] == "play time in Stash: 31 min 50 s came from Plex"


def test_a_minute_less_than_the_rule_asks_for_leaves_its_time_alone(room):
    id, key = add(room)
    room.watch(key, 25)
    assert activity(room, id) == (0, 25.0, 25.0)
    assert mutations(room) == 1


def test_pauses_seeks_and_buffering_add_nothing(room):
    id, key = add(room)
    room.play(key, 100)
    room.pause(key)
    room.wait(300)
    room.play(key, 100)
    # Forward by ten minutes, and back again.
    room.play(key, 50, offset=800_000)
    room.play(key, 50, offset=10_000)
    room.house.plex_sim.sessions.start(key, 60_000)
    assert_one_play(room, id, key, seconds=300)


def test_by_the_rule_of_plex_only_the_time_of_a_partial_viewing_comes_to_stash(room):
    room.house.replace_worker(watch=WatchRules(minimum="plex", resume=True))
    id, key = add(room)
    room.watch(key, 760)
    assert activity(room, id) == (0, 760.0, 760.0)
    room.watch(key, 1800)
    assert activity(room, id) == (1, 2560.0, 0.0)


@pytest.mark.parametrize(
    ("minimum", "seconds", "plays"), [("10%", 180, 0), ("10%", 190, 1), ("45s", 40, 0), ("45s", 50, 1)]
)
def test_a_rule_of_your_own_says_what_is_a_play(room, minimum, seconds, plays):
    room.house.approve_plays(minimum=minimum)
    room.house.replace_worker(watch=WatchRules(minimum=minimum), asks_first=True)
    id, key = add(room)
    room.watch(key, seconds)
    assert activity(room, id)[:2] == (plays, float(seconds))


def test_the_percentage_of_stash_and_its_thirty_seconds_both_count(room):
    room.house.stash_sim.ui["minimumPlayPercent"] = 50
    id, key = add(room)
    room.watch(key, 900)
    assert activity(room, id)[0] == 0
    short, item = add(room, length=40.0)
    room.watch(item, 20)
    assert activity(room, short)[0] == 1, "half of a scene of less than a minute"


def test_what_is_watched_to_the_end_is_one_play_with_the_row_of_the_history(room):
    id, key = add(room)
    began = room.house.clock.now() // 1000
    room.watch(key, 1850)
    assert activity(room, id) == (1, 1850.0, 0.0)
    assert room.house.stash_sim.plays.of(id) == (began + 30,)
    assert room.house.rows("select count(*) from played") == [(2,)], "the viewing and its row"
    with room.house.store.reading() as db:
        assert count_plays(db, OWNER, 0) == (1, 0)
        assert db.notes.number(PLAYS_IN_PLEX) == 1


def test_play_time_is_in_whole_seconds_as_that_of_the_player_of_stash(room):
    id, key = add(room)
    room.play(key, 44.978)
    room.pause(key)
    room.wait(10)
    room.watch(key, 10.004, offset=80_000)
    assert activity(room, id) == (1, 55.0, 90.004)
    room.watch(key, 0.4)
    assert activity(room, id)[:2] == (1, 55.0)
    room.house.forget_requests()
    room.wait(DAY)
    room.settle()
    assert mutations(room) == 0


def test_two_viewings_with_hours_between_are_two_plays(room):
    id, key = add(room)
    room.watch(key, 1850)
    room.wait(3 * 3600)
    room.watch(key, 1850)
    assert activity(room, id) == (2, 3700.0, 0.0)


def test_what_a_guest_watches_leaves_nothing(room):
    id, key = add(room)
    guest = room.house.plex_sim.add_account("guest")
    room.watch(key, 760, account=guest)
    assert activity(room, id) == (0, 0.0, 0.0)
    assert mutations(room) == 0


def test_without_a_line_to_plex_only_the_history_counts(room):
    id, key = add(room)
    with room.line_down():
        room.play(key, 1850)
        assert_one_play(room, id, key, seconds=0)
    with room.line_down():
        room.play(key, 900)
        assert_one_play(room, id, key, seconds=0)


def test_a_line_that_is_lost_in_the_middle_costs_the_time_it_was_lost_and_no_play(room):
    id, key = add(room)
    room.play(key, 300)
    with room.line_down():
        room.play(key, 500)
    room.play(key, 1050)
    assert_one_play(room, id, key, seconds=1350)


def test_a_restart_of_plex_in_the_middle_makes_no_second_play(room):
    id, key = add(room)
    room.play(key, 300)
    room.house.plex_sim.sessions.restart()
    room.wait(40)
    room.play(key, 400)
    assert_one_play(room, id, key, seconds=700)


def test_a_restart_of_plexsync_in_the_middle_loses_nothing(room):
    id, key = add(room)
    room.play(key, 300)
    room.house.replace_worker(holder="next")
    room.play(key, 400)
    assert_one_play(room, id, key, seconds=700)


@pytest.mark.parametrize("ends", [True, False])
def test_a_session_that_was_over_at_once_hides_none_that_gets_its_number_from_a_plex_that_restarted(room, ends):
    id, key = add(room)
    _, other = add(room)
    sessions, guest = room.house.plex_sim.sessions, room.house.plex_sim.add_account("Guest")
    sessions.start(other, 0)
    sessions.start(key, 0, account=guest, player="phone")
    if ends:
        sessions.stop(key, 0, account=guest, player="phone")
        room.hear()
    else:
        # It is taken down when the line was lost.
        room.tell()
    sessions.restart()
    with room.line_down():
        room.wait(90)
        room.house.plex_sim.told.clear()
        room.house.clock.move(10)
    room.play(other, 20)
    room.play(key, 100, player="kitchen")
    room.stop(key, player="kitchen")
    room.settle()
    assert activity(room, id) == (1, 100.0, 100.0)


def test_the_play_of_a_viewing_that_was_on_its_way_comes_also_if_the_viewing_is_lost_with_the_database(room):
    id, key = add(room, length=60.0)
    house, copy = room.house, saved(room.house)
    house.stash_sim.faults.set(Fault("reset", when=lambda request: b"sceneAddPlay" in request.body))
    room.watch(key, 60)
    assert activity(room, id)[0] == 0
    house.stash_sim.faults.clear()
    restored(house, copy)
    room.settle()
    house.work_for(3600)
    assert activity(room, id)[0] == 1


def test_the_time_of_a_viewing_that_was_taken_for_ended_and_was_not_is_sent_at_its_end(room):
    id, key = add(room)
    room.play(key, 20)
    room.pause(key)
    with room.line_down():
        room.house.clock.move(70)
    room.house.replace_worker(holder="next")
    assert room.house.worker.back.recorder.record() == ""
    room.pause(key)
    room.wait(2)
    assert room.house.worker.back.poll() == ""
    room.house.work()
    assert activity(room, id)[1] == 0, "it goes on"
    with room.line_down():
        room.house.clock.move(70)
    room.settle()
    assert activity(room, id)[1] == 20


def test_a_player_that_falls_silent_has_stopped_at_its_last_report(room):
    id, key = add(room)
    room.play(key, 300)
    room.wait(120)
    room.settle()
    assert activity(room, id)[:2] == (1, 300.0)
    room.play(key, 100)
    # It goes on with the same viewing.
    assert_one_play(room, id, key, seconds=400)


def test_two_players_of_one_item_at_once_make_one_play_and_the_time_of_both(room):
    id, key = add(room)
    for _ in range(19):
        # Each is heard while the other one goes on.
        for player in ("a-player", "kitchen"):
            room.play(key, 50, player=player)
    room.stop(key, player="kitchen")
    assert_one_play(room, id, key, seconds=1900, within=95)


def test_stash_is_down_during_a_viewing_and_gets_it_afterwards(room):
    id, key = add(room)
    house = room.house
    house.stash_sim.faults.set(Fault("status", status=503))
    room.play(key, 700)
    room.stop(key)
    room.wait(600)
    house.work()
    house.stash_sim.faults.clear()
    house.work_for(3600)
    room.settle()
    assert activity(room, id)[:2] == (1, 700.0)


@pytest.mark.parametrize("leap", [-86_400_000, 0, 86_400_000])
def test_after_a_leap_of_the_clock_a_line_that_is_lost_for_seconds_makes_no_second_viewing(room, leap):
    id, key = add(room)
    room.play(key, 100)
    room.house.clock.wall += leap
    room.play(key, 100)
    with room.line_down():
        room.play(key, 20)
    room.play(key, 100)
    room.stop(key)
    room.house.clock.wall -= leap
    room.settle()
    room.house.work_for(3600)
    assert activity(room, id)[:2] == (1, pytest.approx(320, abs=1))


def test_what_was_heard_before_the_line_was_lost_and_is_taken_down_afterwards_counts(room):
    id, key = add(room)
    room.house.clock.wall += 90_000
    room.play(key, 50)
    room.house.clock.wall -= 90_000
    room.play(key, 50)
    room.house.clock.move(4)
    room.house.plex_sim.sessions.stop(key, 104_000)
    room.tell()
    room.house.clock.move(100)
    room.settle()
    assert activity(room, id)[:2] == (1, pytest.approx(104, abs=1))


def test_the_clock_leaps_in_the_middle_of_a_viewing(room):
    for leap in (10 * 365 * 86_400_000, -86_400_000):
        id, key = add(room)
        room.play(key, 300)
        room.house.clock.wall += leap
        room.play(key, 400)
        room.house.clock.wall -= leap
        room.stop(key)
        room.settle()
        room.house.work_for(3600)
        assert activity(room, id)[:2] == (1, pytest.approx(700, abs=10)), leap


@pytest.mark.parametrize("leap", [120_000, 10 * 365 * 86_400_000, -86_400_000])
def test_a_clock_that_is_set_in_the_middle_sends_no_more_often(room, leap):
    id, key = add(room)
    room.play(key, 300)
    room.house.clock.wall += leap
    for _ in range(7):
        room.play(key, 60)
        room.house.work()
    assert mutations(room) == 1
    room.house.clock.wall -= leap
    room.stop(key)
    room.settle()
    assert activity(room, id) == (1, 720.0, 720.0)
    assert mutations(room) == 2


def of_stash(room: LivingRoom, id: int) -> tuple[object, ...]:
    scene = room.house.stash_sim.scene(id)
    return scene.plays, repr(scene.play_duration), repr(scene.resume_time), scene.updated_at


def wish(room: LivingRoom, wanted: PlayWish) -> None:
    house = room.house
    back = house.worker.back
    wishes = WishForPlays(house.worker.stash.watching, house.worker.gates, back.flow._recovery, wanted)
    ids = sorted(wished_plays(house.store, wanted))
    wish_undone(house.store, wishes, house.clock, ids, TakenBack.UNDO)
    house.work()
    house.work_for(3600)


def test_an_undo_leaves_a_scene_as_its_own_player_had_left_it_to_the_last_digit_and_a_redo_brings_all_back(room):
    id, key = add(room)
    player = room.house.stash_sim.open_player(id)
    player.watch(61.0371, position=0.0)
    room.house.stash_sim.plays.save_activity(id, 17.123456789012345, 0.1 + 0.2)
    room.wait(600)
    before = of_stash(room, id)
    room.watch(key, 760)
    room.wait(7200)
    room.watch(key, 400, offset=300_000)
    after = of_stash(room, id)
    assert len(after[0]) == len(before[0]) + 2
    for _ in range(2):
        wish(room, UNDO)
        assert of_stash(room, id) == before
        wish(room, REDO)
        assert of_stash(room, id)[0] == after[0]
        assert float(of_stash(room, id)[1]) == pytest.approx(float(after[1]))
    wish(room, UNDO)
    assert of_stash(room, id) == before


def test_a_redo_brings_a_play_back_that_the_history_tells_of_too(room):
    id, key = add(room)
    room.watch(key, 1850)
    after = of_stash(room, id)
    for _ in range(2):
        wish(room, UNDO)
        assert activity(room, id) == (0, 0.0, 0.0)
        wish(room, REDO)
        assert of_stash(room, id) == after


def test_a_redo_brings_the_play_of_a_row_back_that_was_there_before_viewings_counted(room):
    room.house.replace_worker(watch=WatchRules(minimum="plex", resume=True))
    id, key = add(room)
    room.watch(key, 1850)
    after = of_stash(room, id)
    room.house.approve_plays(minimum="stash")
    room.house.replace_worker(watch=WatchRules(resume=True))
    room.settle()
    assert of_stash(room, id) == after, "its viewing is the same play"
    wish(room, UNDO)
    wish(room, REDO)
    assert of_stash(room, id) == after


def test_a_redo_brings_no_play_that_stash_had_and_that_you_deleted(room):
    id, key = add(room)
    house = room.house
    before = house.clock.now() // 1000 - 600
    house.stash_sim.plays.add(id, [before])
    house.plex_sim.play(key, at=before)
    room.settle()
    house.stash_sim.plays.delete(id, [before])
    room.watch(key, 100)
    (play,) = house.stash_sim.plays.of(id)
    wish(room, UNDO)
    assert house.stash_sim.plays.of(id) == ()
    wish(room, REDO)
    assert house.stash_sim.plays.of(id) == (play,)


def test_an_undo_leaves_a_place_to_the_last_digit_that_is_less_than_a_second_from_that_in_plex(room):
    id, key = add(room)
    room.house.stash_sim.plays.save_activity(id, 10.0123)
    room.house.stash_sim.plays.add(id, (room.house.clock.now() // 1000 - 50,))
    room.wait(600)
    before = of_stash(room, id)
    room.watch(key, 13)
    assert activity(room, id)[1:] == (13.0, 13.0)
    room.watch(key, 0.1, offset=10_500)
    assert activity(room, id)[2] == 10.0123
    wish(room, UNDO)
    assert of_stash(room, id) == before


def test_an_undo_leaves_what_the_player_of_stash_has_added_since(room):
    id, key = add(room)
    room.watch(key, 760)
    room.wait(600)
    room.house.stash_sim.plays.save_activity(id, None, 45.5)
    wish(room, UNDO)
    assert activity(room, id)[:2] == (0, pytest.approx(45.5))


class MortalRoom(LivingRoom):
    """PlexSync is killed at its n-th boundary, and starts again at once; the players go on."""

    def __init__(self, house: House) -> None:
        super().__init__(house)
        self.boundaries: Boundaries | None = None
        self.was_killed = False

    def survive(self, act: Callable[[], object]) -> None:
        try:
            act()
        except Killed:
            self.was_killed = True
            self.boundaries.end()
            self.house.replace_worker(holder="next")
            self.house.worker.engine.reclaim()

    def hear(self) -> None:
        self.survive(super().hear)


@pytest.mark.parametrize("redo", [pytest.param(False, marks=pytest.mark.long), True])
def test_a_kill_at_any_boundary_of_a_viewing_and_of_its_undo_adds_nothing_twice(tmp_path, redo):
    number, was_killed = 0, True
    while was_killed:
        number += 1
        with House(tmp_path / str(number), watch=WatchRules(resume=True), pool=Inline()) as house:
            room = MortalRoom(house)
            id, key = add(room)
            house.stash_sim.plays.save_activity(id, 3.25, 11.1)
            before = of_stash(room, id)
            room.boundaries = of_plays(house, number)
            room.survive(partial(room.watch, key, 100))
            for wanted in (UNDO, REDO) if redo else (UNDO,):
                room.survive(partial(wish, room, wanted))
            room.boundaries.end()
            room.boundaries.left = 0
            room.settle()
            house.work_for(DAY / 12)
            plays, seconds, _ = activity(room, id)
            assert (plays, seconds) in [(0, 11.1), (1, pytest.approx(111.1, abs=10))], number
            wish(room, REDO)
            plays, seconds, _ = activity(room, id)
            assert (plays, seconds) == (1, pytest.approx(111.1, abs=10)), number
            wish(room, UNDO)
            assert of_stash(room, id) == before, number
            assert house.unsettled() == 0
            was_killed = room.was_killed
    assert number > 20


def writes_activity(request: Request) -> bool:
    return b"SaveActivity" in request.body


def test_two_players_at_once_make_one_play_also_if_the_rule_is_chosen_afterwards(room):
    room.house.replace_worker(watch=WatchRules(minimum="plex"))
    id, key = add(room)
    for _ in range(3):
        for player in ("a-player", "kitchen"):
            room.play(key, 30, player=player)
    for player in ("a-player", "kitchen"):
        room.stop(key, player=player)
    room.settle()
    assert activity(room, id)[0] == 0
    room.house.replace_worker(watch=WatchRules(minimum="stash"))
    room.settle()
    assert activity(room, id)[:2] == (1, 180.0)


def test_a_viewing_that_goes_on_while_its_time_is_on_its_way_is_added_whole(room):
    id, key = add(room)
    house = room.house
    room.play(key, 300)
    house.stash_sim.faults.set(Fault("reset", when=writes_activity))
    room.wait(90)
    house.work()
    house.stash_sim.faults.clear()
    room.play(key, 130)
    house.work_for(600)
    room.play(key, 50)
    room.stop(key)
    room.settle()
    house.work_for(3600)
    room.settle()
    assert activity(room, id)[:2] == (1, pytest.approx(480, abs=10))


def test_what_is_owed_to_a_scene_is_added_when_it_is_inspected(room):
    id, _ = add(room)
    room.settle()
    created_at = room.house.stash_sim.scene(id).created_at
    with room.house.store.writing() as tx:
        tx.play_times.save(id, created_at, RememberedTime(0.0, 0.0, owed=100.0))
    room.house.want(id)
    room.house.work()
    assert activity(room, id) == (0, 100.0, 0.0)
    room.house.want(id)
    room.house.work()
    assert mutations(room) == 1


@pytest.mark.parametrize("is_later", [False, True])
def test_a_request_that_was_never_sent_is_withdrawn_unless_a_later_attempt_has_saved_its_own(room, is_later):
    store, created_at = room.house.store, "2026-01-02T03:04:05Z"
    job = Job(PLAYS, 7, Lane.EDIT, "token", 1)
    opened = RememberedTime(0.0, 0.0, adding=100.0, until=5, owed=100.0)
    plan, watched = ActivityPlan(send=opened, before=opened.unsent()), WatchedScene(Scene(7, created_at=created_at), ())
    write = ActivityWrite(job=job, key="7", watched=watched, resume=ActivityPlan(), time=plan)
    saved = replace(opened, total=100.0, adding=30.0, owed=30.0) if is_later else replace(opened, wish=TimeWish.UNDO)
    with store.writing() as tx:
        tx.play_times.save(7, created_at, saved)
        write.withdraw(tx)
        assert tx.play_times.of({7: created_at}) == {7: saved if is_later else saved.unsent()}


def test_a_redo_that_could_not_be_sent_is_sent_later(room):
    id, key = add(room)
    room.watch(key, 760)
    wish(room, UNDO)
    room.house.stash_sim.faults.set(Fault("status", status=503, when=writes_activity))
    wish(room, REDO)
    room.house.stash_sim.faults.clear()
    room.house.work_for(7200)
    assert activity(room, id)[:2] == (1, 760.0)


def test_what_is_no_film_costs_no_request_for_ever(room):
    _, key = add(room)
    back = room.house.worker.back
    room.house.plex_sim.clear_log()
    for _ in range(30):
        back.listener.take([SessionChanged("4711", SessionState.PLAYING, 10_000, "99")])
        back.recorder.record()
        room.wait(10)
    assert room.house.plex_sim.count("GET", "/status/sessions") <= 8
    room.watch(key, 100)
    assert room.house.plex_sim.count("GET", "/status/sessions") <= 12


def test_a_session_of_a_guest_whose_end_was_not_told_hides_no_other_one(room):
    id, key = add(room)
    house = room.house
    guest = house.plex_sim.add_account("guest")
    room.play(key, 20, player="tablet", account=guest)
    house.plex_sim.sessions.restart()
    house.plex_sim.told.clear()
    room.wait(70)
    room.watch(key, 760, offset=0)
    assert activity(room, id) == (1, 760.0, 760.0)


def test_a_report_that_makes_no_sense_stops_nothing(room):
    id, key = add(room)
    frame = {
        "type": "playing",
        "PlaySessionStateNotification": [{"sessionKey": "1", "ratingKey": key, "state": "playing", "viewOffset": 1e30}],
    }
    room.house.plex_sim.tell(frame)
    room.watch(key, 100)
    assert activity(room, id)[:2] == (1, pytest.approx(100, abs=10))

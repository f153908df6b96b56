"""Stash's own player in the simulator, beside what `track-activity.ts` of Stash does."""

import pytest

from plexsync.simulator.stash_server import StashSim
from tests.tables import table

BEGUN = 1_767_323_045


@pytest.fixture
def stash():
    with StashSim() as sim:
        yield sim


def opened(stash, length=1000.0, **settings):
    """A scene of this length, and the player that has it open."""
    stash.ui = settings
    id = stash.add_scene(files=[(f"/data/{length}.mp4", 5, length)])
    return id, stash.open_player(id)


def noted(stash, id):
    scene = stash.scene(id)
    return tuple(play - BEGUN for play in scene.plays), scene.play_duration, scene.resume_time


def test_a_play_is_added_with_the_first_report_of_ten_seconds(stash):
    id, player = opened(stash)
    player.watch(25, position=100.0, begun=BEGUN)
    assert noted(stash, id) == ((10,), 25.0, 125.0)


def test_a_stop_before_that_is_a_report_as_well(stash):
    id, player = opened(stash)
    player.watch(3, begun=BEGUN)
    assert noted(stash, id) == ((3,), 3.0, 3.0)


@table(
    ("percent", "seconds", "moments"),
    [(0, 1, (1,)), (1, 9, ()), (1, 10, (10,)), (2, 19, ()), (2.5, 25, (25,)), (2.5, 26, (26,)), (2.5, 31, (30,))],
)
def test_a_play_needs_the_percentage_of_the_scene_and_comes_with_the_next_report(stash, percent, seconds, moments):
    id, player = opened(stash, minimumPlayPercent=percent)
    player.watch(seconds, begun=BEGUN)
    assert noted(stash, id) == (moments, float(seconds), float(seconds))


def test_pauses_and_seeks_count_nothing_and_one_player_adds_one_play(stash):
    id, player = opened(stash, minimumPlayPercent=4)
    player.watch(25, position=0.0, begun=BEGUN)
    player.watch(25, position=700.0, begun=BEGUN + 3600)
    player.watch(500, position=10.0, begun=BEGUN + 7200)
    assert noted(stash, id) == ((3615,), 550.0, 510.0)


def test_a_player_that_is_opened_again_adds_another_play(stash):
    id, player = opened(stash)
    player.watch(12, begun=BEGUN)
    stash.open_player(id).watch(12, position=12.0, begun=BEGUN + 100)
    assert noted(stash, id) == ((110, 10), 24.0, 24.0)


@table(("position", "resume"), [(979.9, 979.9), (980.0, 0.0), (1000.0, 0.0)])
def test_a_scene_that_is_watched_to_98_percent_has_no_resume_point(stash, position, resume):
    id, player = opened(stash)
    player.watch(30, position=position - 30, begun=BEGUN)
    assert noted(stash, id) == ((10,), 30.0, pytest.approx(resume))


def test_a_part_of_a_second_moves_the_resume_point_and_counts_nothing(stash):
    id, player = opened(stash)
    player.watch(0.9, begun=BEGUN)
    assert noted(stash, id) == ((), 0.0, 0.0)
    player.watch(4.75, position=50.0, begun=BEGUN)
    assert noted(stash, id) == ((4,), 4.0, 54.75)


def test_what_is_not_tracked_leaves_nothing(stash):
    id, player = opened(stash, trackActivity=False)
    player.watch(500, begun=BEGUN)
    assert noted(stash, id) == ((), 0.0, 0.0)


def test_a_scene_of_unknown_length_has_play_time_and_no_play(stash):
    id, player = opened(stash, length=0.0)
    player.watch(50, begun=BEGUN)
    assert noted(stash, id) == ((), 50.0, 50.0)


def test_without_a_time_a_play_is_of_now(stash):
    stash.now = lambda: BEGUN + 7
    id, player = opened(stash)
    player.watch(50)
    assert noted(stash, id) == ((7,), 50.0, 50.0)

"""Scenes whose file Plex does not have yet: looked for at the pace of a library scan, and at once when one has ended."""

import pytest

from plexsync.rules.queue.job import State
from tests.engine.house import DAY, HOUR, path_of


def stage(house, n=0):
    """A file on the disk that Plex shows after a scan."""
    return house.plex_sim.stage_movie(house.section, files=[(path_of(n), 1000 + n, 60_000)], title=f"file {n}")


def scan(house):
    house.plex_sim.scan(house.section)
    house.plex_sim.finish_scan(house.section)


def absent_scene(house, n=0):
    """A scene that was looked for once, beside one that is there."""
    house.in_step(1, start=100)
    id = house.add_scene(n)
    stage(house, n)
    house.want(id)
    house.work()
    assert house.row(id).state is State.ABSENT
    return id


def test_an_absent_scene_is_looked_for_after_1_5_15_60_minutes_6_hours_then_daily(house):
    id = absent_scene(house)
    looks, start = [], house.clock.now()
    while len(looks) < 7:
        before = house.row(id).due
        house.work_for((before - house.clock.now()) / 1000 + 0.001)
        looks.append((before - start) / 60_000)
        start = before
    assert looks == [1, 5, 15, 60, 360, 1440, 1440]
    assert house.attempts_used() == 0
    assert house.row(id).state is State.ABSENT
    assert house.books_balance()


def test_looks_that_edits_cause_do_not_use_up_the_quick_ones(house):
    id = absent_scene(house)
    for n in range(6):
        house.edit(id, title=f"Edit {n}")
        house.work_for(10)
    assert house.row(id).due - house.clock.now() <= 60_000
    looks, start = [], house.row(id).since
    while len(looks) < 4:
        before = house.row(id).due
        house.work_for((before - house.clock.now()) / 1000 + 0.001)
        looks.append((before - start) / 60_000)
        start = before
    assert looks == [1, 5, 15, 60]


def test_looks_that_scans_cause_do_not_use_up_the_quick_ones(house):
    house.in_step(1, start=100)
    id = house.add_scene(0)
    house.want(id)
    house.work_for(61)
    for _ in range(6):
        scan(house)
        house.worker.poller.poll()
        house.work_for(10)
    row = house.row(id)
    assert house.clock.now() - row.since <= 10_000, "the last scan made it due at once"
    assert (row.streak, row.due - row.since) == (2, 5 * 60_000)


def test_looking_for_absent_scenes_costs_two_requests_a_look(house):
    absent_scene(house)
    house.forget_requests()
    house.work_for(DAY)
    # Looks after 1, 6, 21, 81 and 441 minutes: one question to each side; and what changed, and how many there are,
    # since our own edit moved a mark.
    assert (house.plex_sim.count(), house.stash_sim.count()) == (5 + 2, 5)


def test_a_finished_scan_that_the_poller_notices_wakes_absent_scenes_at_once(house):
    id = absent_scene(house)
    house.work_for(2 * HOUR)
    scan(house)
    assert house.worker.poller.poll().reason == ""
    house.work()
    assert house.out_of_step([id]) == []


def test_an_absent_scene_that_finds_a_scan_has_ended_wakes_the_others_too(house):
    first = absent_scene(house)
    second = house.add_scene(1)
    stage(house, 1)
    house.want(second)
    house.work()
    house.work_for(8 * 60)
    scan(house)
    house.edit(first, title="Edited")
    house.work()
    assert house.out_of_step([first, second]) == []


def test_a_scan_that_ends_between_the_look_and_the_verdict_is_looked_at_again_at_once(house):
    house.in_step(1, start=100)
    id = house.add_scene(0)
    stage(house)
    house.clock.move(60)
    inspector, real = house.worker.inspector, house.worker.inspector.look

    def look(ids):
        inspections = real(ids)
        house.clock.move(3)
        scan(house)
        house.worker.poller.poll()
        inspector.look = real
        return inspections

    inspector.look = look
    house.want(id)
    step = house.step()
    assert step.outcomes == {"absent": 1}
    assert house.row(id).due == house.clock.now()
    house.work()
    assert house.out_of_step([id]) == []


def test_while_plex_is_scanning_nothing_is_walked_and_afterwards_the_file_is_found(house):
    id = absent_scene(house)
    house.plex_sim.scan(house.section)
    house.forget_requests()
    house.work_for(30 * 60)
    assert house.plex_sim.count("GET", "/library/sections/1/all") == 0
    house.plex_sim.finish_scan(house.section)
    house.work_for(HOUR)
    assert house.out_of_step([id]) == []


def test_a_library_that_is_added_wakes_absent_scenes(house):
    id = absent_scene(house)
    house.work_for(2 * HOUR)
    other = house.plex_sim.add_section("Clips", locations=("/media",))
    house.plex_sim.add_movie(other, files=[(path_of(0), 1000, 60_000)], title="there")
    house.worker.poller.poll()
    house.work()
    assert house.row(id).state is State.IDLE


def test_an_edit_makes_an_absent_scene_due_and_a_sweep_does_not(house):
    id = absent_scene(house)
    due = house.row(id).due
    house.want(id, why="sweep")
    assert (house.row(id).state, house.row(id).due) == (State.ABSENT, due)
    house.want(id)
    assert house.row(id).state is State.READY


def test_a_scene_without_a_file_is_absent_and_no_library_is_asked_for_it(house):
    house.in_step(1)
    id = house.stash_sim.add_scene(title="No file", files=[])
    house.want(id)
    house.work()
    row = house.row(id)
    assert (row.state, row.error) == (State.ABSENT, "the scene has no file")
    assert house.plex_sim.count() == 0


@pytest.mark.parametrize("strict", [True, False])
def test_an_item_in_the_trash_is_absent_alone_and_its_file_is_found_when_it_is_back(house, strict):
    ids = house.in_step(5)
    house.plex_sim.strict_ids = strict
    house.plex_sim.trash(house.key_of(ids[0]))
    for id in ids:
        house.stash_sim.edit_scene(id, title=f"Edited {id}")
    house.want(*ids)
    house.work_for(30)
    assert house.states() == {State.ABSENT: 1, State.IDLE: 4}
    assert house.out_of_step(ids[1:]) == []
    back = house.plex_sim.add_movie(house.section, files=[(path_of(0), 1000, 60_000)], title="back")
    house.plex_sim.scan(house.section)
    house.plex_sim.finish_scan(house.section)
    house.work_for(2 * HOUR)
    assert house.plex_sim.item(back).scalars["title"] == f"Edited {ids[0]}"


def test_many_absent_scenes_of_one_batch_ask_for_the_marks_once(house):
    house.in_step(1, start=100)
    ids = [house.add_scene(n) for n in range(30)]
    house.want(*ids)
    house.work()
    assert house.states() == {State.IDLE: 1, State.ABSENT: 30}
    assert house.plex_sim.count() == 1

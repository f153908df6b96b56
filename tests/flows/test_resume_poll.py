"""The poll for what was watched lately: what it asks, what it queues, and where it goes on."""

from random import Random

import pytest

from plexsync.flows.plays.history_poll import CROWD
from plexsync.rules.plays.plays import WatchRules
from plexsync.rules.queue.job import PLAYS, Lane
from plexsync.simulator.http import Fault
from tests.engine.house import DAY, House
from tests.engine.pools import Inline

WITH_RESUME = WatchRules(resume=True)


@pytest.fixture
def house(tmp_path):
    with House(tmp_path / "data", watch=WITH_RESUME, pool=Inline()) as house:
        yield house


def poll(house: House) -> list[int]:
    """Poll once; the scenes whose plays it has queued, which are then worked."""
    assert house.worker.back.resume.poll() == ""
    queued = [id for (id,) in house.rows("select id from job where kind = 'plays' and state = 'ready' order by id")]
    house.work_for(10)
    return queued


def leave(house: House, id: int, milliseconds: int = 31_000, *, later: float = 60) -> None:
    house.clock.move(later)
    house.plex_sim.pause(house.key_of(id), milliseconds)


def test_while_nobody_watches_a_poll_is_one_request_for_each_library(house):
    other = house.plex_sim.add_section("Other", locations=("/other",), agent="tv.plex.agents.movie")
    house.plex_sim.add_movie(other, files=[("/other/a.mp4", 5, 60_000)], title="other")
    ids = house.in_step(20)
    house.worker.reconciler.reconcile()
    leave(house, ids[0])
    poll(house)
    for _ in range(3):
        house.clock.move(60)
        house.forget_requests()
        assert poll(house) == []
        assert [request.path for request in house.plex_sim.log] == [
            f"/library/sections/{section}/all" for section in (house.section, other)
        ]
        assert house.stash_sim.log == []


def test_what_is_left_is_queued_once(house):
    one, two = house.in_step(2)
    leave(house, one)
    assert poll(house) == [one]
    assert poll(house) == []
    leave(house, two)
    assert poll(house) == [two]
    leave(house, one, 32_000)
    leave(house, two, 33_000)
    assert poll(house) == [one, two]


def test_items_that_were_left_in_the_second_of_the_last_poll_are_queued(house):
    one, two = house.in_step(2)
    leave(house, one)
    assert house.worker.back.resume.poll() == ""
    leave(house, two, later=0)
    assert poll(house) == [one, two]
    assert house.stash_sim.scene(two).resume_time == 31.0
    assert poll(house) == []


def test_the_first_poll_leaves_out_what_was_watched_to_its_end_long_ago(house):
    one, two, three = house.in_step(3)
    house.plex_sim.play(house.key_of(one))
    leave(house, two)
    assert poll(house) == [two]
    house.clock.move(60)
    house.plex_sim.play(house.key_of(three))
    assert poll(house) == [three]


def test_another_process_goes_on_where_the_last_one_ended(house):
    one, two, three = house.in_step(3)
    house.plex_sim.play(house.key_of(one))
    leave(house, two)
    assert poll(house) == [two]
    house.plex_sim.pause(house.key_of(three), 5_000)
    house.clock.move(60)
    house.plex_sim.play(house.key_of(three))
    house.replace_worker(holder="next")
    assert three in poll(house)
    assert one not in poll(house)


def test_an_earlier_day_is_read_from_that_day_on(house):
    one, two = house.in_step(2)
    leave(house, one)
    house.clock.move(60)
    since = house.plex_sim.now()
    house.replace_worker(watch=WatchRules(since=since, resume=True))
    leave(house, two)
    assert poll(house) == [two]
    house.replace_worker(watch=WITH_RESUME)
    assert one in poll(house)


@pytest.mark.parametrize("word", [1, 2])
@pytest.mark.parametrize("damage", ["x", "", "\N{SUPERSCRIPT TWO}"])
def test_a_damaged_end_of_the_last_poll_is_no_end(house, word, damage):
    (id,) = house.in_step()
    leave(house, id)
    assert poll(house) == [id]
    ((text,),) = house.rows("select value from note where name like 'resume:until:%'")
    words = text.split(" ")
    words[word] = damage
    house.change(f"update note set value = '{' '.join(words)}' where name like 'resume:until:%'")
    house.replace_worker(holder="next")
    leave(house, id, 32_000)
    assert poll(house) == [id]
    assert house.rows("select value <> '' from note where name like 'resume:until:%'") == [(1,)]


def test_a_poll_that_fails_is_made_again(house):
    (id,) = house.in_step()
    poll(house)
    leave(house, id)
    house.plex_sim.faults.set(Fault("status", status=500, when=lambda request: "lastViewedAt>>" in dict(request.query)))
    assert house.worker.back.resume.poll() != ""
    house.plex_sim.faults.clear()
    house.work_for(600)
    assert poll(house) == [id]


def test_a_plex_that_only_sorts_costs_no_more(house):
    house.plex_sim.traits.viewings = "sorted"
    ids = house.in_step(20)
    leave(house, ids[3])
    assert poll(house) == [ids[3]]
    house.forget_requests()
    assert poll(house) == []
    assert len(house.plex_sim.log) == 1


def test_a_plex_that_lists_the_whole_library_is_asked_once_a_day(house):
    house.plex_sim.traits.viewings = "neither"
    _, two, three = house.in_step(3)
    leave(house, three)
    assert poll(house) == [three]
    leave(house, two)
    house.forget_requests()
    for _ in range(20):
        house.clock.move(60)
        assert poll(house) == []
    assert house.plex_sim.log == []
    house.clock.move(DAY)
    assert poll(house) == [two]


def test_a_poll_end_in_the_future_is_from_before_the_clock_was_set_back(house):
    one, two = house.in_step(2)
    leave(house, one)
    poll(house)
    house.plex_sim.play(house.key_of(one), at=house.clock.now() // 1000 + 10 * 86_400)
    assert poll(house) == [one]
    house.plex_sim.play(house.key_of(two), at=house.clock.now() // 1000 + 30)
    assert poll(house) == [two]


def test_another_server_behind_the_address_is_not_read(house):
    (id,) = house.in_step()
    leave(house, id)
    poll(house)
    house.plex_sim.reinstall(Random(1))
    for key in house.plex_sim.keys(house.section):
        house.plex_sim.pause(key, 50_000)
    house.replace_worker(holder="next")
    assert "another Plex server" in house.worker.back.resume.poll()
    house.work()
    assert house.stash_sim.scene(id).resume_time == 31.0


def test_a_library_that_is_gone_stops_no_other(house):
    (id,) = house.in_step()
    gone = house.plex_sim.add_section("Gone", locations=("/gone",), agent="tv.plex.agents.movie")
    house.plex_sim.add_movie(gone, files=[("/gone/a.mp4", 5, 60_000)], title="gone")
    house.worker.reconciler.reconcile()
    house.plex_sim._library.sections.pop(int(gone))
    leave(house, id)
    assert poll(house) == [id]


def test_many_at_once_go_behind_edits(house):
    ids = house.in_step(CROWD + 1)
    for id in ids:
        leave(house, id, later=0)
    assert house.worker.back.resume.poll() == ""
    assert {house.row(id, PLAYS).lane for id in ids} == {Lane.SWEEP}


def test_nothing_is_asked_while_a_server_is_down(house):
    house.in_step()
    poll(house)
    house.plex_sim.faults.set(Fault("status", status=503))
    house.want(1)
    house.work_for(300)
    house.forget_requests()
    assert house.worker.back.resume.poll() == "Plex or Stash is down"
    assert house.plex_sim.log == []

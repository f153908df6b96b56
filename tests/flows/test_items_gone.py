"""Items that are gone from Plex: a library that empties is a question, and nothing is forgotten before the answer."""

from random import Random

import pytest

from plexsync.app.choices import accept
from plexsync.rules.match.losses import LEAST
from plexsync.rules.queue.choices import Choice
from plexsync.rules.queue.job import State
from plexsync.rules.servers.errors import Barred
from plexsync.simulator.http import Fault
from tests.engine.house import HOUR, House
from tests.flows.test_forgetting import remembered

MANY = LEAST + 20


@pytest.fixture
def full(house):
    """Many scenes in step, of which a person has changed one in Plex."""
    ids = house.in_step(MANY)
    house.worker.reconciler.reconcile()
    house.work()
    house.plex_sim.hand_edit(house.key_of(ids[0]), title="By hand")
    house.clock.move(60)
    house.forget_requests()
    return house


def held(house):
    rows = house.rows("select choice from hold where who = 'plex'")
    return rows[0][0] if rows else ""


def scan(house):
    house.plex_sim.scan(house.section)
    house.plex_sim.finish_scan(house.section)


def go_on(house, hours=1.0):
    """What a running worker does for a while: it polls, compares and works."""
    for _ in range(round(hours * 6)):
        house.worker.poller.poll()
        house.worker.reconciler.try_reconcile()
        house.work_for(HOUR / 6)


def knows(house):
    """What is known of Plex: the number of items in the index, and the remembered scenes."""
    return house.rows("select count(*) from item")[0][0], remembered(house)


@pytest.mark.parametrize("by", ["poll", "comparison", "events"])
def test_a_library_that_has_emptied_is_forgotten_by_nobody(full, by):
    before = knows(full)
    full.plex_sim.empty_section(full.section)
    if by == "poll":
        scan(full)
        full.worker.poller.poll()
    elif by == "comparison":
        assert not full.worker.reconciler.try_reconcile()
    else:
        full.want(*range(1, MANY + 1))
        full.clock.move(3)
        full.work()
    assert held(full) == Choice.ITEMS_GONE
    go_on(full)
    assert held(full) == Choice.ITEMS_GONE
    assert knows(full) == before
    assert State.ABSENT not in full.states()


def test_a_library_that_comes_back_under_other_keys_goes_on_by_itself(full):
    full.plex_sim.empty_section(full.section)
    scan(full)
    go_on(full)
    full.plex_sim.refill_section(full.section)
    scan(full)
    mine = full.key_of(2)
    full.plex_sim.hand_edit(mine, summary="Mine")
    go_on(full)
    assert held(full) == ""
    assert full.states() == {State.IDLE: MANY}
    assert full.out_of_step(list(range(1, MANY + 1))) == []
    assert full.plex_sim.item(mine).scalars["summary"] == "Mine"
    assert knows(full) == (MANY, set(range(1, MANY + 1)))


def test_a_library_that_comes_back_as_it_was_keeps_its_hand_edits(full):
    backup, before = full.plex_sim.backup(), knows(full)
    full.plex_sim.empty_section(full.section)
    scan(full)
    go_on(full)
    full.plex_sim.restore(backup)
    full.forget_requests()
    go_on(full)
    assert held(full) == ""
    assert full.title_in_plex(1) == "By hand"
    assert knows(full) == before
    assert full.plex_sim.count("PUT") == 0


def test_a_library_that_comes_back_bit_by_bit_is_waited_for(full):
    for key in full.plex_sim.keys(full.section)[: LEAST + 1]:
        full.plex_sim.remove(key)
    scan(full)
    full.worker.poller.poll()
    assert held(full) == Choice.ITEMS_GONE
    for n in range(LEAST + 1):
        full.plex_sim.add_movie(full.section, files=[(f"/media/scene {n:05}.mp4", 1000 + n, 60_000)], title=f"file {n}")
        if n == LEAST // 2:
            scan(full)
            go_on(full)
    scan(full)
    go_on(full)
    assert held(full) == ""
    assert full.states() == {State.IDLE: MANY}


def test_an_accepted_loss_is_forgotten_and_asks_once(full):
    full.plex_sim.empty_section(full.section)
    scan(full)
    full.worker.poller.poll()
    assert accept(full.worker, Choice.ITEMS_GONE)
    go_on(full)
    assert held(full) == ""
    assert full.rows("select count(*) from item") == [(0,)]
    assert full.states() == {State.ABSENT: MANY}
    full.plex_sim.refill_section(full.section)
    scan(full)
    go_on(full)
    full.plex_sim.empty_section(full.section)
    scan(full)
    go_on(full)
    assert held(full) == Choice.ITEMS_GONE, "another loss is another question"


def test_items_that_are_missed_one_by_one_are_one_loss(full):
    full.plex_sim.empty_section(full.section)
    for id in range(1, MANY + 1):
        full.want(id)
        full.clock.move(3)
        full.work()
    assert held(full) == Choice.ITEMS_GONE
    assert full.rows("select count(*) >= 20 from item") == [(1,)]


def test_items_that_come_and_go_are_no_loss(full):
    """A drive that is mounted now and then."""
    for _ in range(LEAST):
        keys = full.plex_sim.keys(full.section)[:2]
        files = [full.plex_sim.item(key).files for key in keys]
        for key in keys:
            full.plex_sim.remove(key)
        scan(full)
        go_on(full, hours=0.5)
        for some in files:
            full.plex_sim.add_movie(full.section, files=list(some))
        scan(full)
        go_on(full, hours=0.5)
    assert held(full) == ""
    assert full.states() == {State.IDLE: MANY}


@pytest.mark.parametrize(("removed", "of"), [(3, 5), (LEAST, LEAST), (5, 40)])
def test_a_few_items_go_without_a_question(house, removed, of):
    house.in_step(of)
    for key in house.plex_sim.keys(house.section)[:removed]:
        house.plex_sim.remove(key)
    scan(house)
    go_on(house)
    assert held(house) == ""
    assert house.rows("select count(*) from item") == [(of - removed,)]


def test_items_that_were_moved_or_added_anew_are_not_lost(full):
    """Another folder, and another key for each of them."""
    for n, key in enumerate(full.plex_sim.keys(full.section)):
        full.plex_sim.remove(key)
        full.plex_sim.add_movie(full.section, files=[(f"/media/new/scene {n:05}.mp4", 1000 + n, 60_000)])
    scan(full)
    full.worker.poller.poll()
    assert held(full) == ""
    assert full.rows("select count(*) from item") == [(MANY,)]


def test_a_library_made_anew_asks_nothing(full):
    full.section = full.plex_sim.remake_section(full.section).sections[full.section]
    go_on(full)
    assert held(full) == ""
    assert full.states() == {State.IDLE: MANY}


# --- libraries that are not listed -----------------------------------------------------------------------------------


@pytest.fixture
def two(full):
    """A second library, with as many items."""
    other = full.plex_sim.add_section("Others", locations=("/others",))
    for n in range(MANY):
        full.plex_sim.add_movie(other, files=[(f"/others/other {n}.mp4", 5000 + n, 60_000)])
    full.clock.move(60)
    assert full.worker.indexer.freshen(force=True)
    assert full.rows("select count(*) from item") == [(2 * MANY,)]
    full.other = other
    return full


def delete_library(house, section):
    return house.plex_sim._library.sections.pop(int(section))


def test_a_library_that_plex_no_longer_has_is_a_question(two):
    section = delete_library(two, two.other)
    two.clock.move(60)
    with pytest.raises(Barred, match="Others"):
        two.worker.indexer.freshen(force=True)
    go_on(two)
    assert held(two) == Choice.ITEMS_GONE
    assert two.rows("select count(*) from item") == [(2 * MANY,)]
    two.plex_sim._library.sections[int(two.other)] = section
    go_on(two)
    assert held(two) == ""
    assert two.rows("select count(*) from item") == [(2 * MANY,)]


def test_a_library_whose_loss_is_accepted_is_forgotten(two):
    delete_library(two, two.other)
    two.clock.move(60)
    two.worker.poller.poll()
    assert accept(two.worker, Choice.ITEMS_GONE)
    go_on(two)
    assert held(two) == ""
    assert two.rows("select count(*) from item") == [(MANY,)]
    assert two.rows("select value from note where name = 'accepted:items-gone'") == [("",)]


def test_a_library_that_you_take_out_of_the_settings_asks_nothing(two):
    two.replace_worker(libraries=("Movies",))
    two.worker.poller.poll()
    assert held(two) == ""
    assert two.rows("select count(*) from item") == [(MANY,)]


def test_another_server_is_one_question_and_not_two(two):
    dealt = two.plex_sim.reinstall(Random(7))
    delete_library(two, dealt.sections[two.other])
    two.section = dealt.sections[two.section]
    go_on(two)
    assert held(two) == Choice.PLEX_SERVER
    assert accept(two.worker, Choice.PLEX_SERVER)
    go_on(two)
    assert held(two) == ""


def test_settings_that_ask_for_a_library_by_name_keep_what_is_known_of_it(tmp_path):
    with House(tmp_path / "data", libraries=("Movies",)) as house:
        house.in_step(MANY)
        house.plex_sim.add_section("Others", locations=("/others",))
        delete_library(house, house.section)
        go_on(house)
        assert house.rows("select setting from hold where who = 'plex'") == [("plex_libraries",)]
        assert knows(house) == (MANY, set(range(1, MANY + 1)))


def test_one_empty_answer_takes_no_item_from_its_scene(house):
    (id, _) = house.in_step(2)
    item = f"/library/metadata/{house.key_of(id)}"
    house.plex_sim.faults.set(Fault("empty", times=1, when=lambda request: request.path == item))
    house.edit(id, title="Edited")
    house.work()
    assert house.plex_sim.faults.active == ()
    assert (house.title_in_plex(id), house.row(id).state) == ("Edited", State.IDLE)

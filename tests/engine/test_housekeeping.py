"""What the engine does beside its work: the history of pushes, deleting what is old, and a word when too much is dead."""

import logging

import pytest

from plexsync.engine.dead_letters import drop
from plexsync.rules.queue.job import Kind, State
from plexsync.simulator.http import Fault
from tests.engine.house import DAY, House
from tests.engine.test_engine_crashes import pass_days


def pushes(house: House, id: int):
    with house.store.reading() as db:
        return db.pushes.of(Kind.SCENE, id)


def warnings(caplog) -> list[str]:
    return [record.message for record in caplog.records if "dlq list" in record.message]


# --- the history of pushes -------------------------------------------------------------------------------------------


def test_what_a_push_changed_is_written_down_when_it_was_read_back(house):
    (id,) = house.in_step()
    (first,) = pushes(house, id)
    assert first.key == house.key_of(id)
    assert {"title", "studio", "genre"} <= set(first.moved)
    house.edit(id, title="Another")
    house.work()
    newest, oldest = pushes(house, id)
    assert oldest == first
    assert set(newest.moved) == {"title"}, "what was not touched is not told"
    assert (newest.moved["title"].old.value, newest.moved["title"].new.value) == ("Title 0", "Another")
    assert newest.at == house.clock.now()


def test_what_was_refused_or_lost_changed_nothing(house):
    (id,) = house.in_step()
    house.plex_sim.faults.set(Fault("status", status=400, when=lambda request: request.method == "PUT"))
    house.edit(id, title="Another")
    house.work()
    assert len(pushes(house, id)) == 1


def test_a_scene_in_step_writes_no_history(house):
    (id,) = house.in_step()
    house.want(id)
    house.work()
    assert len(pushes(house, id)) == 1


def test_history_is_forgotten_at_the_age_of_the_retention(house):
    (id,) = house.in_step()
    house.worker.engine.prune()
    pass_days(house, 29)
    assert len(pushes(house, id)) == 1
    pass_days(house, 2)
    assert pushes(house, id) == []
    assert house.states() == {State.IDLE: 1}
    with house.store.reading() as db:
        assert db.memories.of([id]), "what the next plan needs stays"


def test_a_clock_that_leapt_forgets_no_history(house):
    (id,) = house.in_step()
    house.worker.engine.prune()
    house.clock.leap(400 * DAY)
    house.worker.engine.prune()
    assert len(pushes(house, id)) == 1


@pytest.mark.parametrize("spoilt", ["17w8471200000", "9" * 5000, "-1", "w"])
def test_notes_that_the_disk_has_spoilt_end_no_housekeeping(tmp_path, spoilt):
    with House(tmp_path / "data", dlq_max=1) as house:
        house.want(1, 2)
        house.change("update job set state = 'dead', cls = 'bug'")
        house.worker.engine.prune()
        for name in ("tick", "leapt", "dlq:warned"):
            house.change(f"insert or replace into note (name, value) values ('{name}', '{spoilt}')")
        house.clock.move(61)
        assert house.worker.engine.prune() == 0
        pass_days(house, 32)
        assert house.states() == {}


def test_a_leap_that_is_noted_for_a_time_to_come_holds_up_housekeeping_for_a_day_alone(house):
    house.want(1)
    house.change("update job set state = 'dead', cls = 'bug'")
    house.worker.engine.prune()
    house.change("insert or replace into note (name, value) values ('leapt', '9768471200000')")
    pass_days(house, 33)
    assert house.states() == {}


# --- what a person dropped ---------------------------------------------------------------------------------------------


def test_what_a_person_dropped_comes_back_by_an_edit_alone_however_long_ago_that_was(house):
    (id,) = house.add()
    house.want(id)
    assert drop(house.store, house.clock, [(Kind.SCENE, id)]) == (1, [])
    house.worker.reconciler.reconcile()
    house.worker.engine.prune()
    pass_days(house, 40)
    assert house.worker.reconciler.reconcile().wanted == 0
    assert house.states() == {State.DROPPED: 1}
    assert house.books_balance()
    house.edit(id, title="Edited")
    house.work()
    assert house.title_in_plex(id) == "Edited"


# --- a long queue ----------------------------------------------------------------------------------------------------


def test_as_long_as_there_is_more_to_delete_every_idle_look_deletes_a_batch(house):
    house.want(*range(1, 1202))
    house.change("update job set state = 'dead', cls = 'bug'")
    house.worker.engine.prune()
    pass_days(house, 29)
    house.clock.move(DAY * 1.5)
    found = []
    for _ in range(5):
        found.append(house.worker.engine.prune())
        house.clock.move(1)
    assert found == [500, 500, 201, 0, 0]
    assert house.books_balance()


def test_more_dead_than_there_should_be_is_said_once_a_day_and_none_is_thrown_away(tmp_path, caplog):
    with House(tmp_path / "data", dlq_max=3) as house:
        house.want(*range(1, 5))
        house.change("update job set state = 'dead', cls = 'bug' where id < 4")
        with caplog.at_level(logging.WARNING):
            house.worker.engine.prune()
            assert warnings(caplog) == [], "as many as there may be"
            house.change("update job set state = 'dead', cls = 'bug'")
            for _ in range(24 * 3):
                house.clock.move(DAY / 24)
                house.worker.engine.prune()
            assert len(warnings(caplog)) == 3
            assert "more than 3 dead letters" in warnings(caplog)[0]
            house.replace_worker(holder="two", dlq_max=3)
            house.clock.move(61)
            house.worker.engine.prune()
            assert len(warnings(caplog)) == 3, "another worker does not say it again"
        assert house.states() == {State.DEAD: 4}

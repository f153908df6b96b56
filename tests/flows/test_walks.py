"""A walk through a large library takes long, in a thread of its own: the worker goes on meanwhile and waits for nobody."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from plexsync.rules.queue.job import State
from tests.engine.house import House, path_of, run_house

ROOT = Path(__file__).resolve().parents[2]
LISTED = "the libraries of Plex are being listed"


@pytest.fixture
def house(tmp_path):
    with House(tmp_path / "data") as made:
        yield made


@contextmanager
def being_walked(house: House, *, to_be_in: int = 0) -> Iterator[None]:
    """Another thread walks all libraries, as a comparison does, and does not get on inside the block.

    It has asked for the page that begins at `to_be_in`, and will be told what Plex had then.
    """
    shown, held, go_on = house.plex_sim.answer, threading.Event(), threading.Event()

    def slowly(request):
        answer = shown(request)
        begins = int(request.params.get("X-Plex-Container-Start", 0))
        if request.path.endswith("/all") and begins >= to_be_in and not held.is_set():
            held.set()
            go_on.wait()
        return answer

    house.plex_sim.answer = slowly
    walk = threading.Thread(target=lambda: house.worker.indexer.freshen(force=True), daemon=True)
    walk.start()
    try:
        held.wait()
        # Whoever waits for this walk inside the block never gets to its end.
        yield
        assert walk.is_alive()
    finally:
        go_on.set()
        walk.join()
        house.plex_sim.answer = shown


def test_a_scene_that_nothing_leads_to_waits_until_the_walk_has_ended_and_is_not_blamed(house):
    house.in_step(3)
    (lost,) = house.add(1, start=50, in_plex=False)
    house.want(lost)
    with being_walked(house):
        for _ in range(3):
            house.work()
            row = house.row(lost)
            assert (row.state, row.error, row.attempts, row.streak) == (State.READY, LISTED, 0, 0)
            assert 0 < row.due - house.clock.now() <= 10_000
            house.clock.move(10)
    assert house.rows("select count(*) from attempt") == [(0,)], "no attempt was made"
    house.work()
    assert house.row(lost).state is State.ABSENT


def test_what_the_walk_meets_is_in_step_as_soon_as_it_has_ended(house):
    house.in_step(3)
    (new,) = house.add(1, start=50)
    house.want(new)
    with being_walked(house):
        house.work()
    house.clock.move(10)
    house.work()
    assert house.out_of_step([new]) == []


def test_the_first_walk_of_all_is_not_waited_for_either(house):
    ids = house.add(3)
    house.want(*ids)
    with being_walked(house):
        house.work()
    assert {house.row(id).error for id in ids} == {LISTED}
    house.clock.move(10)
    house.work()
    assert house.out_of_step(ids) == []


def test_edits_go_on_while_the_libraries_are_walked(house):
    ids = house.in_step(3)
    with being_walked(house):
        for id in ids:
            house.edit(id, title=f"Edited {id}")
        house.work()
        assert house.out_of_step(ids) == []


def test_an_item_that_is_found_anew_during_a_walk_is_put_right_and_not_swept_away(house):
    house.plex_sim.max_page = 2
    ids = house.in_step(3)
    old = house.key_of(ids[0])
    with being_walked(house, to_be_in=1):
        # The walk has met the old item, and will not meet the new one.
        house.plex_sim.remove(old)
        house.plex_sim.add_movie(house.section, files=[(path_of(0), 1000, 60_000)])
        house.edit(ids[0], title="Edited")
        house.work()
        assert house.title_in_plex(ids[0]) == "Edited"
    with house.store.reading() as db:
        known = {entry.key for entry in db.index.entries([old, house.key_of(ids[0])])}
    assert known == {house.key_of(ids[0])}


def test_many_items_that_are_not_where_the_index_has_them_wait_for_the_walk(house):
    ids = house.in_step(8)
    house.worker.engine.step()
    with being_walked(house):
        for n, id in enumerate(ids):
            house.plex_sim.remove(house.key_of(id))
            house.plex_sim.add_movie(house.section, files=[(path_of(n), 1000 + n, 60_000)])
            house.edit(id, title=f"Edited {id}")
        house.work()
        assert {house.row(id).error for id in ids} == {LISTED}
        assert house.attempts_used() == 0
    house.work_until_settled()
    assert house.out_of_step(ids) == []


def test_a_poll_sees_what_was_edited_while_the_libraries_are_walked(house):
    (id,) = house.in_step(1)
    house.worker.poller.poll()
    with being_walked(house):
        house.clock.move(60)
        house.stash_sim.edit_scene(id, title="Edited")
        house.worker.poller.poll()
        house.clock.move(2)
        house.work()
        assert house.title_in_plex(id) == "Edited"


def test_a_comparison_waits_for_the_walk_of_another_and_finds_what_is_so(house):
    house.in_step(2)
    (lost,) = house.add(1, start=50, in_plex=False)
    reports = []
    with being_walked(house):
        compares = threading.Thread(target=lambda: reports.append(house.worker.reconciler.reconcile()), daemon=True)
        compares.start()
        compares.join(1.5)
        assert compares.is_alive()
    compares.join()
    assert reports[0].standing == {"in step": 2, "absent": 1}
    assert house.row(lost).state is State.READY


def test_a_worker_is_not_ended_because_another_thread_walks(tmp_path):
    code = """
import sys
from pathlib import Path
from tests.engine.house import House
from tests.flows.test_walks import being_walked
from plexsync.engine.clock import SystemClock
from plexsync.engine.watchdog import Watchdog
folder = Path(sys.argv[1])
with House(folder / "data", watchdog=Watchdog(60.0, SystemClock(), folder / "hang.txt")) as house:
    house.in_step(3)
    house.want(*house.add(1, start=50, in_plex=False))
    with being_walked(house):
        for _ in range(5):
            house.step()
            house.clock.move(10)
    print(house.rows("select crashes, attempts, state from job where id = 4"))
"""
    done = run_house(code, tmp_path)
    assert (done.returncode, done.stdout.splitlines()[0]) == (0, "[(0, 0, 'ready')]")

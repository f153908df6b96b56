"""Asking Plex to scan: the folder of an absent scene, once in ten minutes, within its library, never during a scan."""

import threading

import pytest

from plexsync.flows.scenes import scan_requests
from plexsync.rules.queue.job import State
from plexsync.simulator.http import Fault
from tests.engine.house import House, path_of

MINUTES = 60.0


@pytest.fixture
def asking(tmp_path):
    with House(tmp_path / "data", scans=True) as house:
        house.in_step(1)
        yield house


def scans(house):
    return [request.params["path"] for request in house.plex_sim.log if request.path.endswith("/refresh")]


def absent(house, *paths):
    ids = [house.stash_sim.add_scene(title=path, files=[(path, 9_000 + n, 1.0)]) for n, path in enumerate(paths)]
    house.want(*ids)
    house.work()
    return ids


def later(house, seconds):
    """The watch beside the worker goes on. Returns how many folders it asked for."""
    house.clock.move(seconds)
    return house.worker.scans.go_on()


def test_an_absent_scene_has_its_folder_scanned_and_comes_in_step_when_that_has_ended(asking):
    key = asking.plex_sim.stage_movie(asking.section, files=[("/media/new/a.mp4", 9_000, 1)], title="a")
    (id,) = absent(asking, "/media/new/a.mp4")
    assert scans(asking) == ["/media/new"]
    assert asking.row(id).state is State.ABSENT
    asking.plex_sim.finish_scan(asking.section)
    asking.clock.move(3)
    asking.worker.indexer.freshen()
    asking.work()
    assert asking.row(id).state is State.IDLE
    assert asking.plex_sim.item(key).scalars["title"] == "/media/new/a.mp4"


def test_a_folder_is_asked_for_once_in_ten_minutes_also_by_another_process(asking):
    (id,) = absent(asking, "/media/new/a.mp4")
    asking.plex_sim.finish_scan(asking.section)
    for _ in range(3):
        asking.clock.move(3 * MINUTES)
        asking.replace_worker()
        asking.want(id)
        asking.work()
        later(asking, 5)
    assert scans(asking) == ["/media/new"]
    asking.clock.move(2 * MINUTES)
    asking.want(id)
    asking.work()
    later(asking, 5)
    assert scans(asking) == ["/media/new", "/media/new"]


def test_many_scenes_in_a_folder_ask_for_it_once(asking):
    absent(asking, *(f"/media/new/{n}.mp4" for n in range(20)))
    assert scans(asking) == ["/media/new"]


def test_while_a_library_is_scanned_the_next_folder_waits(asking):
    absent(asking, "/media/one/a.mp4", "/media/two/b.mp4", "/media/three/c.mp4")
    for _ in range(5):
        later(asking, 10)
    assert scans(asking) == ["/media/one"]
    asking.plex_sim.finish_scan(asking.section)
    later(asking, 10)
    later(asking, 10)
    assert scans(asking) == ["/media/one", "/media/two"]
    asking.plex_sim.finish_scan(asking.section)
    later(asking, 10)
    assert scans(asking) == ["/media/one", "/media/two", "/media/three"]
    asking.plex_sim.finish_scan(asking.section)
    asking.forget_requests()
    for _ in range(5):
        later(asking, 10)
    assert asking.plex_sim.count() == 0, "nothing waits any more"


def test_the_next_folder_is_asked_for_five_seconds_after_the_last_look(asking):
    absent(asking, "/media/one/a.mp4", "/media/two/b.mp4", "/media/three/c.mp4")
    asking.plex_sim.finish_scan(asking.section)
    assert [later(asking, seconds) for seconds in (4.9, 0.1)] == [0, 1]
    assert later(asking, 5) == 0, "the library is being scanned"
    asking.plex_sim.finish_scan(asking.section)
    assert [later(asking, 5), later(asking, 5)] == [1, 0]
    assert scans(asking) == ["/media/one", "/media/two", "/media/three"]


def test_only_so_many_folders_wait(asking, monkeypatch):
    monkeypatch.setattr(scan_requests, "MANY", 2)
    absent(asking, "/media/one/a.mp4", "/media/two/b.mp4", "/media/three/c.mp4")
    for _ in range(3):
        asking.plex_sim.finish_scan(asking.section)
        later(asking, 10)
    assert scans(asking) == ["/media/one", "/media/two"]


def test_a_plex_that_refuses_to_list_its_libraries_is_failing(asking):
    absent(asking, "/media/one/a.mp4", "/media/two/b.mp4")
    asking.plex_sim.finish_scan(asking.section)
    asking.plex_sim.faults.set(Fault("status", status=400, when=lambda request: request.path == "/library/sections"))
    assert later(asking, 10) == 0
    assert asking.rows("select failures from breaker where who = 'plex'") == [(1,)]


def test_a_folder_outside_of_every_library_is_not_asked_for(asking):
    absent(asking, "/elsewhere/a.mp4", "/media2/b.mp4")
    later(asking, 10)
    assert scans(asking) == []
    asking.forget_requests()
    later(asking, 10)
    assert asking.plex_sim.count() == 0, "it is forgotten"


def test_the_folder_is_the_one_that_plex_sees(tmp_path):
    with House(tmp_path / "data", scans=True, paths=(("/data", "/media"),)) as house:
        house.worker.indexer.freshen(force=True)
        absent(house, "/data/new & old/a.mp4")
        assert scans(house) == ["/media/new & old"]


def test_a_plex_that_refuses_to_scan_does_no_harm(asking):
    asking.plex_sim.faults.set(Fault("status", status=403, when=lambda request: request.path.endswith("/refresh")))
    (id,) = absent(asking, "/media/new/a.mp4")
    assert asking.row(id).state is State.ABSENT


def test_the_worker_does_not_wait_while_the_watch_beside_it_asks(asking):
    answer, held, go_on = asking.plex_sim.answer, threading.Event(), threading.Event()

    def slowly(request):
        if not held.is_set():
            held.set()
            go_on.wait()
        return answer(request)

    asking.plex_sim.scan(asking.section)
    absent(asking, "/media/one/a.mp4")
    asking.plex_sim.finish_scan(asking.section)
    asking.clock.move(10)
    watch = threading.Thread(target=asking.worker.scans.go_on, daemon=True)
    asking.plex_sim.answer = slowly
    watch.start()
    held.wait()
    absent(asking, "/media/two/b.mp4")
    assert watch.is_alive(), "it still waits for Plex's answer"
    go_on.set()
    watch.join()
    for _ in range(3):
        later(asking, 10)
        asking.plex_sim.finish_scan(asking.section)
    assert scans(asking) == ["/media/one", "/media/two"]


def test_without_the_switch_nothing_is_asked(house):
    absent(house, path_of(5))
    paths = [request.path for request in house.plex_sim.log]
    assert len(paths) > 0
    assert [path for path in paths if path.endswith("/refresh")] == []

"""The local index of Plex's files: walked when a library is new or was scanned, and never emptied by half a walk."""

import pytest

from plexsync.rules.queue.job import State
from plexsync.rules.servers.errors import NeighbourError
from plexsync.simulator.http import Answer, Fault
from plexsync.store.index.index import Index
from plexsync.store.queue.jobs import Jobs
from tests.engine.house import HOUR, House, path_of


def indexed(house):
    with house.store.reading() as db:
        return db.index.count()


def walks(house):
    return house.plex_sim.count("GET", f"/library/sections/{house.section}/all")


@pytest.fixture
def walked(house):
    """Five items, walked a while ago."""
    house.add(5)
    assert house.worker.indexer.empty()
    assert house.worker.indexer.freshen()
    assert not house.worker.indexer.empty()
    house.clock.move(60)
    house.forget_requests()
    return house


def scan(house):
    house.plex_sim.scan(house.section)
    house.plex_sim.finish_scan(house.section)


def test_a_library_that_stands_still_costs_one_request_to_know(walked):
    assert walked.worker.indexer.freshen() is False
    assert [request.path for request in walked.plex_sim.log] == ["/library/sections"]


def test_the_marks_are_asked_for_once_in_two_seconds_however_many_ask(walked):
    for _ in range(10):
        walked.worker.indexer.freshen()
    assert walked.plex_sim.count() == 1
    walked.clock.move(2)
    walked.worker.indexer.freshen()
    assert walked.plex_sim.count() == 2


def test_a_finished_scan_is_walked_at_once(walked):
    walked.plex_sim.add_movie(walked.section, files=[(path_of(5), 1005, 60_000)])
    scan(walked)
    assert walked.worker.indexer.freshen() is True
    assert indexed(walked) == 6


def test_changes_without_a_scan_are_walked_every_five_minutes_at_most(walked):
    walked.plex_sim.add_movie(walked.section, files=[(path_of(5), 1005, 60_000)])
    assert walked.worker.indexer.freshen() is False
    walked.clock.move(239)
    assert walked.worker.indexer.freshen() is False
    walked.clock.move(2)
    assert walked.worker.indexer.freshen() is True
    assert indexed(walked) == 6


def test_what_a_complete_walk_did_not_meet_is_forgotten(walked):
    walked.plex_sim.remove(walked.plex_sim.keys(walked.section)[0])
    scan(walked)
    walked.worker.indexer.freshen()
    assert indexed(walked) == 4


def test_a_walk_that_breaks_off_loses_nothing_and_is_done_again_soon(walked):
    walked.plex_sim.remove(walked.plex_sim.keys(walked.section)[0])
    walked.plex_sim.max_page = 2
    scan(walked)
    pages = iter(range(100))
    walked.plex_sim.faults.set(Fault("cut", when=lambda r: r.path.endswith("/all") and next(pages) == 1))
    assert walked.worker.indexer.freshen() is False
    assert indexed(walked) == 5
    assert "Movies can't be listed" in walked.worker.indexer.gap()
    with walked.store.reading() as db:
        (row,) = db.sections.all()
    assert row.walked_at

    walked.plex_sim.faults.clear()
    walked.clock.move(10)
    assert walked.worker.indexer.freshen() is True
    assert indexed(walked) == 4
    assert walked.worker.indexer.gap() == ""


def test_a_first_walk_that_breaks_off_is_no_walk(house):
    house.add(5)
    house.plex_sim.max_page = 2
    pages = iter(range(100))
    house.plex_sim.faults.set(Fault("cut", when=lambda r: r.path.endswith("/all") and next(pages) == 1))
    with pytest.raises(NeighbourError):
        house.worker.indexer.freshen()
    assert house.worker.indexer.empty()


def test_a_removed_library_is_dropped_with_its_items(walked):
    other = walked.plex_sim.add_section("Clips", locations=("/clips",))
    walked.plex_sim.add_movie(other, files=[("/clips/a.mp4", 1, 1)])
    assert walked.worker.indexer.freshen() is True
    assert indexed(walked) == 6
    walked.replace_worker(libraries=("Movies",))
    assert walked.worker.indexer.freshen() is True
    assert indexed(walked) == 5
    with walked.store.reading() as db:
        assert [row.title for row in db.sections.all()] == ["Movies"]


@pytest.mark.parametrize(("table", "method"), [(Jobs, "wake_absent"), (Index, "drop_outside")])
def test_many_rows_are_changed_a_few_at_a_time(walked, monkeypatch, table, method):
    monkeypatch.setattr("plexsync.flows.scenes.plex_index.BATCH", 2)
    monkeypatch.setattr("plexsync.flows.scenes.plex_index.FEW", 0)
    change, counts = getattr(table, method), []

    def counted(self, *args, **how):
        counts.append(change(self, *args, **how))
        return counts[-1]

    other = walked.plex_sim.add_section("Clips", locations=("/clips",))
    for n in range(5):
        walked.plex_sim.add_movie(other, files=[(f"/clips/{n}.mp4", n, 1)])
    walked.worker.indexer.freshen()
    walked.want(*[walked.add_scene(n) for n in range(90, 95)])
    walked.work()
    assert walked.states()[State.ABSENT] == 5
    monkeypatch.setattr(table, method, counted)
    scan(walked)
    walked.replace_worker(libraries=("Movies",))
    walked.worker.indexer.freshen()
    assert [count for count in counts if count] == [2, 2, 1]


def test_a_plex_that_shows_no_library_loses_nothing_and_holds_the_work(tmp_path):
    with House(tmp_path / "data") as house:
        ids = house.in_step(3)
        house.clock.move(600)
        shown = house.plex_sim.answer
        empty = Answer(200, b'{"MediaContainer":{"size":0,"allowSync":true}}', "application/json")
        house.plex_sim.answer = lambda request: empty if request.path == "/library/sections" else shown(request)
        house.want(house.add_scene(50))
        house.clock.move(3)
        house.work()
        for id in ids:
            house.stash_sim.edit_scene(id, title=f"Edited {id}")
        house.want(*ids)
        house.work_for(10 * HOUR)
        assert indexed(house) == 3
        assert house.rows("select setting from hold") == [("plex_token",)]
        assert house.attempts_used() == 0
        house.plex_sim.answer = shown
        house.work_for(600)
        assert house.out_of_step(ids) == []


def test_a_library_that_is_being_scanned_is_not_walked_until_it_is_done(walked):
    walked.plex_sim.add_movie(walked.section, files=[(path_of(5), 1005, 60_000)])
    scan(walked)
    walked.plex_sim.scan(walked.section)
    assert walked.worker.indexer.freshen() is False
    walked.clock.move(3)
    walked.plex_sim.finish_scan(walked.section)
    assert walked.worker.indexer.freshen() is True


def test_a_new_library_is_walked_even_while_it_is_being_scanned(house):
    house.add(2)
    house.plex_sim.scan(house.section)
    assert house.worker.indexer.freshen() is True
    assert indexed(house) == 2


def test_the_first_walk_is_no_finished_scan_and_a_later_one_is(house):
    house.add(2)
    house.worker.indexer.freshen()
    with house.store.reading() as db:
        assert db.books.scans() == 0
    house.clock.move(60)
    scan(house)
    house.worker.indexer.freshen()
    with house.store.reading() as db:
        assert db.books.scans() == 1


def test_a_forced_walk_asks_nobody_whether_it_is_needed(walked):
    assert walked.worker.indexer.freshen(force=True) is True
    assert walks(walked) >= 1


def test_a_file_can_be_asked_for_by_its_name(walked):
    key = walked.plex_sim.add_movie(walked.section, files=[("/media/deep/new one.mp4", 7, 7)])
    assert walked.worker.indexer.find(["new one.mp4", "not there.mp4"]) is True
    with walked.store.reading() as db:
        assert db.index.entries([key])[0].parts[0].path == "/media/deep/new one.mp4"
    assert walked.worker.indexer.find(["not there.mp4"]) is False


def test_a_walk_of_many_items_takes_a_request_per_thousand(tmp_path):
    with House(tmp_path / "data") as house:
        for n in range(2500):
            house.plex_sim.add_movie(house.section, files=[(path_of(n), n, 1)])
        house.worker.indexer.freshen()
        assert indexed(house) == 2500
        assert house.plex_sim.count() <= 1 + 3

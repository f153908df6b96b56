"""A kill at each request, a lost answer, and what playlists cost."""

from contextlib import suppress

import pytest

from plexsync.engine.undo import wish_undone
from plexsync.flows.collections.decisions import CollectionUndo
from plexsync.rules.collections.playlists import MEMBERS
from plexsync.rules.merge.taken_back import TakenBack
from plexsync.rules.queue.choices import ACCEPTED, Choice
from plexsync.simulator.http import Fault, Request
from plexsync.simulator.stash_images import png
from tests.engine.house import House
from tests.engine.test_engine_crashes import Killed
from tests.flows.dressed import writes
from tests.flows.listed import PARENT, begin, listed_house, members, playlist, retag, row, settle, titles, undo
from tests.flows.test_playlist_histories import death_of


def prepared(house: House) -> list[int]:
    """Playlists in step, in which something of every part has changed in Stash since, and a new one."""
    ids = begin(house, ("Evening",), ("Evening",), ("Evening",), (), ("Noon",))
    house.stash_sim.edit_object("tag", "Evening", description="Text", image=png(1, 2, 3))
    house.stash_sim.edit_scene(ids[0], tags=[])
    house.stash_sim.edit_scene(ids[3], tags=["Evening"], date="2019-01-01")
    house.stash_sim.set_tag_parents("Noon", [PARENT])
    house.want(ids[0], ids[3])
    house.worker.dressing.comparison.compare()
    house.clock.move(3)
    return ids


def is_right(house: House) -> None:
    assert (members(house, "Evening"), members(house, "Noon")) == ([3, 1, 2], [4])
    assert titles(house) == ["Evening", "Noon"]
    assert playlist(house, "Evening").item.scalars["summary"] == "Text"
    assert playlist(house, "Evening").item.poster
    house.forget_requests()
    settle(house)
    assert writes(house) == []
    assert house.books_balance()
    undo(house, "Evening", "Noon")
    assert titles(house) == []


def test_a_kill_before_any_request_loses_and_doubles_nothing(tmp_path):
    at, requests = 0, 1
    while at < requests:
        with listed_house(tmp_path / str(at)) as house:
            prepared(house)
            death = death_of(house, at)
            try:
                settle(house)
            except Killed:
                death.at = 0
                house.replace_worker(holder="next")
                house.worker.engine.reclaim()
            death.at = 0
            settle(house)
            requests = max(requests, death.requests)
            is_right(house)
        at += 1
    assert requests > 12


@pytest.mark.parametrize("kind", ["reset_after", "reset", "cut"])
def test_an_answer_that_is_lost_loses_and_doubles_nothing(tmp_path, kind):
    at, is_over = 0, False
    while not is_over:
        at += 1
        with listed_house(tmp_path / str(at)) as house:
            prepared(house)
            seen: list[str] = []

            def is_lost(request, seen=seen, at=at):
                seen += [] if request.method == "GET" else [request.path]
                return request.method != "GET" and len(seen) == at

            house.plex_sim.faults.set(Fault(kind, when=is_lost, times=1))
            settle(house)
            is_over = bool(house.plex_sim.faults.active)
            house.plex_sim.faults.clear()
            settle(house)
            is_right(house)
    assert at > 6


@pytest.mark.parametrize("status", [403, 500])
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_a_write_that_plex_has_refused_is_over_and_made_again_as_soon_as_it_takes_writes(tmp_path, status, method):
    with listed_house(tmp_path) as house:
        ids = begin(house, *([("Evening",), ()] if method == "PUT" else [(), ()]))
        refused = Fault("status", status=status, times=1, when=lambda asked: _writes_list(asked, method))
        house.plex_sim.faults.set(refused)
        retag(house, ids[1], "Evening")
        house.work_for(120)
        assert house.plex_sim.faults.active == ()
        assert members(house, "Evening") == ([0, 1] if method == "PUT" else [1])
        assert not house.unsettled()


@pytest.mark.parametrize("kind", ["reset", "reset_after"])
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_what_became_of_a_write_without_an_answer_is_read_at_once(tmp_path, kind, method):
    with listed_house(tmp_path) as house:
        ids = begin(house, *([("Evening",), ()] if method == "PUT" else [(), ()]))
        house.plex_sim.faults.set(Fault(kind, times=1, when=lambda asked: _writes_list(asked, method)))
        retag(house, ids[1], "Evening")
        house.work_for(60)
        assert members(house, "Evening") == ([0, 1] if method == "PUT" else [1])
        settle(house)
        assert members(house, "Evening") == ([0, 1] if method == "PUT" else [1])


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_a_write_that_arrives_after_it_was_made_again_leaves_nothing_twice(tmp_path, method):
    with listed_house(tmp_path) as house:
        ids = begin(house, *([("Evening",), ()] if method == "PUT" else [(), ()]))
        late = []
        house.plex_sim.faults.set(
            Fault("reset", times=1, when=lambda asked: _writes_list(asked, method) and not late.append(asked))
        )
        retag(house, ids[1], "Evening")
        house.work_for(60)
        expected = [0, 1] if method == "PUT" else [1]
        assert members(house, "Evening") == expected
        house.plex_sim.answer(late[0])
        assert len(house.plex_sim.playlists()) == (1 if method == "PUT" else 2)
        settle(house)
        assert (members(house, "Evening"), titles(house)) == (expected, ["Evening"])
        is_over = house.clock.now()
        assert all(push.until <= is_over for push in row(house, "Evening").pushing)


def test_a_scene_that_leaves_its_tag_leaves_the_playlist_into_which_a_lost_write_has_put_it(tmp_path):
    for at in range(1, 9):
        with listed_house(tmp_path / str(at)) as house:
            ids = begin(house, ("Evening",), *[()] * 6)
            house.plex_sim.faults.set(Fault("reset_after", times=1, when=lambda asked: _writes_list(asked, "PUT")))
            for id in ids[1:]:
                retag(house, id, "Evening")
            death = death_of(house, at)
            with suppress(Killed):
                house.work_for(30)
            death.at = 0
            house.replace_worker(holder="next")
            house.worker.engine.reclaim()
            # Another write is read back before anything else is known of the lost one.
            house.stash_sim.edit_object("tag", "Evening", description="Text")
            for id in ids[1:]:
                retag(house, id)
            settle(house)
            assert members(house, "Evening") == [0]


def _writes_list(asked, method: str) -> bool:
    return asked.method == method and asked.path.startswith("/playlists")


def test_undone_while_it_was_killed_nothing_of_it_is_left(tmp_path):
    for at in range(1, 8):
        with listed_house(tmp_path / str(at)) as house:
            begin(house, ("Evening",), ("Evening",))
            death = death_of(house, at)
            try:
                undo(house, "Evening")
            except Killed:
                death.at = 0
                house.replace_worker(holder="next")
                house.worker.engine.reclaim()
            settle(house)
            assert (titles(house), row(house, "Evening").standing) == ([], "undone")


def test_a_comparison_costs_two_requests_of_plex_at_most_and_a_change_few(tmp_path):
    with listed_house(tmp_path) as house:
        ids = begin(house, *[("Evening", "Night")] * 5, ())
        house.worker.dressing.comparison.compare()
        assert [request.path for request in house.plex_sim.log if "playlists" in request.path] == ["/playlists"]
        assert not house.unsettled()
        house.forget_requests()
        retag(house, ids[5], "Evening")
        house.work_until_settled()
        asked = [request for request in house.plex_sim.log if "/playlists" in request.path]
        assert len(asked) == 6, "listed and read, added, read for its order, listed and read back"
        assert len(row(house, "Evening").memory[MEMBERS].ours) == 6


def test_on_another_server_that_was_accepted_all_are_created_anew(tmp_path):
    with listed_house(tmp_path) as house:
        begin(house, ("Evening",), ("Night",))
        undo(house, "Night")
        for key in house.plex_sim.playlists():
            house.plex_sim.remove_playlist(key)
        house.plex_sim.machine = "b" * 40
        with house.store.writing() as tx:
            tx.notes.save(ACCEPTED + Choice.PLEX_SERVER, "1")
        house.replace_worker(holder="next")
        settle(house)
        assert members(house, "Evening") == [0]
        assert (titles(house), row(house, "Night").standing) == (["Evening"], "undone")


def test_of_two_items_of_a_scene_one_is_in_the_playlist(tmp_path):
    with listed_house(tmp_path) as house:
        other = house.plex_sim.add_section("Other", locations=("/media",))
        house.plex_sim.add_movie(other, files=[("/media/scene 00000.mp4", 1000, 60_000)], title="again")
        begin(house, ("Evening",), ("Evening",))
        assert members(house, "Evening") == [0, 1]


@pytest.mark.parametrize("fault", ["", "reset_after", "reset"], ids=["killed", "not answered", "not sent"])
@pytest.mark.parametrize("is_on", [True, False], ids=["on", "off"])
def test_a_playlist_whose_making_was_interrupted_by_a_kill_is_taken_back(tmp_path, fault, is_on):
    for at in range(1, 9):
        with listed_house(tmp_path / str(at)) as house:
            if fault:
                house.plex_sim.faults.set(Fault(fault, when=is_making, times=1))
            death = death_of(house, at)
            with suppress(Killed):
                begin(house, ("Evening",), ("Evening",))
            death.at = 0
            house.plex_sim.faults.clear()
            house.replace_worker(holder="next", **({} if is_on else {"playlists": None}))
            house.worker.engine.reclaim()
            undo_all_written(house)
            assert titles(house) == [], at


def is_making(request: Request) -> bool:
    return request.method == "POST" and request.path == "/playlists"


def undo_all_written(house: House) -> None:
    """What undo of everything chooses of playlists."""
    with house.store.reading() as db:
        ids = [row.id for row in db.collections.every()]
    flow = CollectionUndo(house.worker.dressing.inspector, unwritten=True)
    wish_undone(house.store, flow, house.clock, ids, TakenBack.UNDO)
    settle(house)

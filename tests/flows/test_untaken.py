"""A Plex that answers well and takes nothing, for a while or for good: nothing is lost, and nothing is called in sync."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from plexsync.engine.undo import wish_undone
from plexsync.flows.scenes.undo import SceneUndo
from plexsync.rules.plays.ratings import RatingRules
from plexsync.rules.queue.job import COLLECTION, RATING, Kind, State
from plexsync.simulator.http import Fault
from plexsync.simulator.stash_images import png
from tests.engine.house import DAY, House
from tests.flows.dressed import begin as dress, collection, dressed_house, members as members_of, rows, want
from tests.flows.listed import begin as tag, listed_house, members, playlist, retag, row, settle, titles, undo

SWALLOW = Fault("swallow")


def state_of(house: House, kind: str, id: int) -> tuple[State, str]:
    with house.store.reading() as db:
        found = db.jobs.find(kind, id)
    return (found.state, found.cls) if found else (State.IDLE, "")


@dataclass
class Case:
    """A change on its way to Plex: its job, whether Plex shows it, and what looks whether all is in sync."""

    house: House
    kind: str
    id: int
    is_shown: Callable[[], bool]
    compare: Callable[[], object] = lambda: None


@contextmanager
def scene_case(folder) -> Iterator[Case]:
    with House(folder / "data") as house:
        (id,) = house.in_step()
        house.plex_sim.faults.set(SWALLOW)
        house.edit(id, title="New")
        yield Case(house, Kind.SCENE, id, lambda: house.title_in_plex(id) == "New", house.worker.reconciler.reconcile)


@contextmanager
def undone_case(folder) -> Iterator[Case]:
    with House(folder / "data") as house:
        (id,) = house.in_step()
        house.plex_sim.faults.set(SWALLOW)
        wish_undone(house.store, SceneUndo(house.worker.inspector), house.clock, [id], "undo")
        house.clock.move(2)
        yield Case(house, Kind.SCENE, id, lambda: house.title_in_plex(id) == "file 0")


@contextmanager
def collection_case(folder) -> Iterator[Case]:
    with dressed_house(folder) as house:
        dress(house, {"studio": "Acme"}, {"studio": "Acme"})
        house.stash_sim.edit_object("studio", "Acme", details="Films.")
        house.plex_sim.faults.set(SWALLOW)
        want(house, "Acme")
        compare = house.worker.dressing.comparison.compare
        id = rows(house)["Acme"].id
        yield Case(house, COLLECTION, id, lambda: collection(house, "Acme").scalars.get("summary") == "Films.", compare)


@contextmanager
def order_case(folder) -> Iterator[Case]:
    with dressed_house(folder) as house:
        ids = dress(house, *({"studio": None, "groups": [("Trilogy", n)]} for n in (1, 2, 3)))
        house.stash_sim.edit_scene(ids[0], groups=[("Trilogy", 4)])
        house.plex_sim.faults.set(SWALLOW)
        want(house, "Trilogy")
        id = rows(house)["Trilogy"].id
        yield Case(house, COLLECTION, id, lambda: members_of(house, "Trilogy") == [1, 2, 0])


@contextmanager
def long_order_case(folder) -> Iterator[Case]:
    """More moves than one write makes."""
    with dressed_house(folder) as house:
        ids = dress(house, *({"studio": None, "groups": [("Trilogy", n + 1)]} for n in range(30)))
        for n, id in enumerate(ids):
            house.stash_sim.edit_scene(id, groups=[("Trilogy", 30 - n)])
        house.plex_sim.faults.set(SWALLOW)
        want(house, "Trilogy")
        id = rows(house)["Trilogy"].id
        yield Case(house, COLLECTION, id, lambda: members_of(house, "Trilogy") == [*range(29, -1, -1)])


@contextmanager
def playlist_case(folder) -> Iterator[Case]:
    with listed_house(folder) as house:
        ids = tag(house, ("Evening",), ())
        house.plex_sim.faults.set(Fault("swallow", when=lambda asked: asked.path.startswith("/playlists")))
        retag(house, ids[1], "Evening")
        compare = house.worker.dressing.comparison.compare
        id = row(house, "Evening").id
        yield Case(house, COLLECTION, id, lambda: members(house, "Evening") == [0, 1], compare)


@contextmanager
def deletion_case(folder) -> Iterator[Case]:
    with listed_house(folder) as house:
        (id,) = tag(house, ("Evening",))
        house.plex_sim.faults.set(Fault("swallow", when=lambda asked: asked.path.startswith("/playlists")))
        retag(house, id)
        yield Case(house, COLLECTION, row(house, "Evening").id, lambda: titles(house) == [])


@contextmanager
def rating_case(folder) -> Iterator[Case]:
    with House(folder / "data", ratings=RatingRules()) as house:
        (id,) = house.in_step()
        house.stash_sim.edit_scene(id, rating100=80)
        house.want(id, kind=RATING)
        house.work_until_settled()
        house.stash_sim.edit_scene(id, rating100=85)
        house.plex_sim.faults.set(SWALLOW)
        house.want(id, kind=RATING)
        item = lambda: house.plex_sim.item(house.key_of(id)).scalars.get("userRating")  # noqa: E731
        yield Case(house, RATING, id, lambda: item() == 8.5)


CASES = [
    scene_case,
    undone_case,
    collection_case,
    order_case,
    long_order_case,
    playlist_case,
    deletion_case,
    rating_case,
]


@pytest.mark.parametrize("flow", CASES)
def test_what_plex_swallowed_for_some_seconds_is_there_when_it_takes_writes_again(tmp_path, flow) -> None:
    with flow(tmp_path) as case:
        house = case.house
        house.work_for(15)
        assert not case.is_shown()
        assert state_of(house, case.kind, case.id)[0] is State.READY
        house.plex_sim.faults.clear()
        house.work_for(DAY)
        assert case.is_shown()
        assert state_of(house, case.kind, case.id)[0] in (State.IDLE, State.GONE)
        assert house.books_balance()


@pytest.mark.parametrize("flow", CASES)
def test_what_plex_swallows_for_good_needs_you_and_is_never_in_sync(tmp_path, flow) -> None:
    with flow(tmp_path) as case:
        house = case.house
        house.work_for(DAY)
        assert state_of(house, case.kind, case.id) == (State.DEAD, "untaken")
        house.forget_requests()
        case.compare()
        house.work_for(DAY)
        assert state_of(house, case.kind, case.id) == (State.DEAD, "untaken")
        house.plex_sim.faults.clear()
        house.want(case.id, kind=case.kind)
        house.work_for(DAY)
        assert case.is_shown()
        assert state_of(house, case.kind, case.id)[0] in (State.IDLE, State.GONE)


def test_the_tries_come_later_and_later_and_the_reason_names_the_fields(tmp_path) -> None:
    with scene_case(tmp_path) as case:
        house = case.house
        house.stash_sim.edit_scene(case.id, details="Text")
        house.work_for(DAY)
        puts = [request for request in house.plex_sim.log if request.method == "PUT"]
        assert len(puts) == 6
        reason = "Plex answered well, but did not take title, summary: it still has what it had before"
        assert house.row(case.id).error == reason


def test_a_part_that_arrived_is_remembered_and_the_rest_is_sent_again(tmp_path) -> None:
    with House(tmp_path / "data") as house:
        (id,) = house.in_step()
        apply = house.plex_sim.answer

        def without_titles(request):
            request.target = request.target.replace("title.value", "nothing")
            return apply(request)

        house.plex_sim.answer = without_titles
        house.edit(id, title="New", studio="Other")
        house.work_for(15)
        item = house.plex_sim.item(house.key_of(id))
        assert (item.scalars["title"], item.scalars["studio"]) == ("Title 0", "Other")
        assert house.row(id).error.startswith("Plex answered well, but did not take title:")
        house.plex_sim.answer = apply
        house.forget_requests()
        house.work_until_settled()
        assert house.title_in_plex(id) == "New"
        (put,) = [request for request in house.plex_sim.log if request.method == "PUT"]
        assert "studio.value" not in put.params


def test_a_picture_that_plex_does_not_show_is_sent_again(tmp_path) -> None:
    with listed_house(tmp_path) as house:
        tag(house, ("Evening",))
        red = png(200, 0, 0)
        house.stash_sim.edit_object("tag", "Evening", image=red)
        house.plex_sim.faults.set(SWALLOW)
        house.worker.dressing.comparison.compare()
        house.work_for(15)
        house.plex_sim.faults.clear()
        house.work_for(DAY)
        assert playlist(house, "Evening").item.poster
        undo(house, "Evening")
        settle(house)
        assert titles(house) == []

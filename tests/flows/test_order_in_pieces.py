"""An order of many members: it comes in pieces that follow each other at once, with the fewest moves, through an outage."""

import pytest

from plexsync.rules.collections.collection_order import MOVES
from plexsync.rules.collections.collection_status import members_to_move
from plexsync.simulator.http import Fault
from tests.engine.house import House
from tests.flows.listed import PARENT, listed_house, members, row, settle

COUNT = 2 * MOVES + 11


def listed(house: House) -> list[int]:
    """So many scenes in one playlist, by their titles."""
    house.stash_sim.set_tag_parents("Evening", [PARENT])
    ids = []
    for n in range(COUNT):
        ids.append(house.add_scene(n, tags=["Evening"], title=f"Title {n:03}"))
        path = house.stash_sim.scene(ids[-1]).files[0][0]
        house.plex_sim.add_movie(house.section, files=[(path, 1000 + n, 60_000)], title=f"file {n}")
    house.want(*ids)
    settle(house)
    assert members(house, "Evening") == list(range(COUNT))
    return ids


def put_in_order(house: House, ids: list[int], order: list[int]) -> None:
    """In Stash, the scenes get titles by which they stand in this order."""
    for place, number in enumerate(order):
        house.stash_sim.quiet_edit(ids[number], title=f"Title {place:03}")
    house.want(*ids)
    house.clock.move(3)
    house.forget_requests()


def moved(house: House) -> int:
    return sum(request.method == "PUT" and request.path.endswith("/move") for request in house.plex_sim.log)


def left(house: House) -> tuple[int, int]:
    with house.store.reading() as db:
        return members_to_move(db.collections.count_all())


STAY = list(range(COUNT))


@pytest.mark.parametrize(
    ("order", "fewest"),
    [
        (STAY[::-1], COUNT - 1),
        ([STAY[-1], *STAY[1:-1], STAY[0]], 2),
        ([STAY[-1], *STAY[:-1]], 1),
        ([*STAY[1:], STAY[0]], 1),
    ],
    ids=["reversed", "two swapped", "one to the top", "one to the end"],
)
def test_an_order_comes_in_one_go_with_the_fewest_moves(tmp_path, order, fewest):
    with listed_house(tmp_path, "title") as house:
        ids = listed(house)
        put_in_order(house, ids, order)
        house.work()
        assert (members(house, "Evening"), moved(house)) == (order, fewest)
        assert (row(house, "Evening").standing, left(house)) == ("in step", (0, 0))


def test_while_members_have_to_be_moved_it_is_not_called_in_step(tmp_path):
    with listed_house(tmp_path, "title") as house:
        ids = listed(house)
        put_in_order(house, ids, STAY[::-1])
        pieces: dict[int, tuple[int, int]] = {}
        while moved(house) < COUNT - 1:
            house.step()
            pieces[moved(house)] = left(house)
        assert list(pieces.values())[1:] == [(COUNT - 1 - MOVES, COUNT), (COUNT - 1 - 2 * MOVES, COUNT), (0, 0)]


def test_an_outage_between_two_pieces_loses_no_move_and_makes_none_twice(tmp_path):
    with listed_house(tmp_path, "title") as house:
        ids = listed(house)
        put_in_order(house, ids, STAY[::-1])
        while not moved(house):
            house.step()
        house.plex_sim.faults.set(Fault("refuse"))
        house.work_for(600)
        assert (row(house, "Evening").standing, left(house)) != ("in step", (0, 0))
        house.plex_sim.faults.clear()
        house.work_until_settled()
        assert (members(house, "Evening"), moved(house), left(house)) == (STAY[::-1], COUNT - 1, (0, 0))

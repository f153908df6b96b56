"""A group with more moves than one write makes: when it is in order, nothing is left open that says otherwise."""

from tests.flows.dressed import dressed_house, members, rows
from tests.flows.test_collections_flow import dressed_again


def test_a_group_of_many_moves_leaves_no_open_push_and_costs_no_members_in_the_next_large_sync(tmp_path):
    with dressed_house(tmp_path) as house:
        count = 100
        for number in range(count):
            place = count - number
            path = house.stash_sim.scene(house.add_scene(number, studio=None, groups=[("Serial", place)])).files[0][0]
            house.plex_sim.add_movie(house.section, files=[(path, 1000 + number, 60_000)], title=f"file {number}")
        house.want(*range(1, count + 1))
        house.work_until_settled()
        assert members(house, "Serial") == list(reversed(range(count)))
        assert sum(request.path.endswith("/move") for request in house.plex_sim.log) == count - 1
        assert rows(house)["Serial"].pushing == ()
        assert dressed_again(house) == []
        house.forget_requests()
        house.want(*range(1, count + 1))
        house.work_until_settled()
        reads = [request for request in house.plex_sim.log if request.path.endswith("/items")]
        assert len(reads) <= 3, "not once more for each batch of scenes"

"""Looking at scenes: what was asked of whom, what stands in the index, and that nothing is written."""

import pytest
from hypothesis import given, strategies as st

from plexsync.flows.scenes.batch_reads import request_in_halves
from plexsync.reports.dead_letters import cure
from plexsync.rules.queue.job import Absent, Dead, Gone
from plexsync.rules.servers.errors import Neighbour, NeighbourError, Unavailable
from tests.engine.house import House, path_of

AWAY = Unavailable(Neighbour.PLEX, "away")


def look(house, *ids):
    return {inspection.id: inspection for inspection in house.worker.inspector.look(list(ids))}


def test_looking_writes_nothing_to_either_side_and_nothing_is_remembered(house):
    ids = house.add(5)
    before = [house.plex_sim.item(house.key_of(id)) for id in ids]
    inspections = look(house, *ids, 99)
    assert all(inspections[id].targets[0].plan.edit for id in ids)
    assert isinstance(inspections[99].outcome, Gone)
    assert [house.plex_sim.item(house.key_of(id)) for id in ids] == before
    assert house.rows("select count(*) from memory") == house.rows("select count(*) from job") == [(0,)]


def test_a_batch_is_one_question_to_stash_and_one_to_plex(house):
    ids = house.in_step(30)
    look(house, *ids)
    assert (house.stash_sim.count(), house.plex_sim.count()) == (1, 1)


def test_rivals_are_asked_for_only_when_the_decision_needs_them_and_then_all_at_once(house):
    ids = house.in_step(3)
    house.stash_sim.move_folder("/media", "/elsewhere")
    house.forget_requests()
    look(house, *ids)
    assert house.stash_sim.count() == 2


@pytest.mark.parametrize("name", ["phi\u1ebfm.mp4", "phi\u00ea\u0301m.mp4"])
def test_a_pair_that_is_contested_is_left_alone_in_whatever_unicode_form_it_is_named(house, name):
    house.plex_sim.add_movie(house.section, files=[(f"/media/elsewhere/{name}", 777, 60_000)])
    pair = [house.stash_sim.add_scene(files=[(f"/media/{folder}/{name}", 777, 60.0)]) for folder in ("one", "two")]
    inspections = look(house, *pair)
    assert [type(inspections[id].outcome) for id in pair] == [Dead, Dead]
    assert [inspections[id].outcome.error.partition(":")[0] for id in pair] == [
        f"two scenes in Stash have this file, this one and scene {rival}" for rival in reversed(pair)
    ]


def test_one_item_that_is_in_doubt_is_not_called_several(house):
    house.plex_sim.add_movie(house.section, files=[("/media/elsewhere/long.mp4", 777, 600_000)])
    id = house.stash_sim.add_scene(files=[("/media/one/long.mp4", 777, 60.0)])
    error = look(house, id)[id].outcome.error
    assert error.startswith("one item could be it")
    assert "several" not in cure("ambiguous", error).meaning


def test_an_index_that_is_empty_is_filled_first(house):
    ids = house.add(2)
    assert look(house, *ids)[ids[0]].targets
    assert [call.path for call in house.plex_sim.log[:2]] == ["/", "/library/sections"]


def test_what_is_not_there_says_why(house):
    house.add(1)
    lost = house.add_scene(50)
    fileless = house.stash_sim.add_scene(title="No file", files=[])
    inspections = look(house, lost, fileless)
    assert inspections[lost].outcome == Absent("no item in Plex has this file (yet)")
    assert inspections[fileless].outcome == Absent("the scene has no file")
    assert inspections[lost].steps


def test_an_item_that_left_is_forgotten_and_its_file_asked_for_by_name(house):
    ids = house.in_step(3)
    old = house.key_of(ids[0])
    new = house.plex_sim.readd(old)
    inspection = look(house, ids[0])[ids[0]]
    assert [target.item.key for target in inspection.targets] == [new]
    with house.store.reading() as db:
        assert db.index.entries([old]) == []
        assert db.index.entries([new])


def test_a_path_is_mapped_by_the_rules(tmp_path):
    with House(tmp_path / "data", paths=(("/data", "/media"),)) as house:
        house.plex_sim.add_movie(house.section, files=[(path_of(0), 1000, 1)])
        house.stash_sim.add_scene(title="Mapped", files=[("/data/scene 00000.mp4", 1000, 1.0)])
        assert look(house, 1)[1].targets


def test_the_hash_of_a_wish_tells_values_apart_and_of_an_ambiguity_its_candidates(house):
    (id,) = house.add()
    first = look(house, id)[id].desired
    house.stash_sim.quiet_edit(id, title="Another")
    second = look(house, id)[id].desired
    house.stash_sim.quiet_edit(id, title="Title 0")
    assert first != second
    assert look(house, id)[id].desired == first

    for folder in ("a", "b"):
        house.plex_sim.add_movie(house.section, files=[(f"/media/{folder}/clip.mp4", 5000, 60_000)])
    house.worker.indexer.freshen(force=True)
    unclear = house.stash_sim.add_scene(title="One", files=[("/elsewhere/clip.mp4", 5000, 60.0)])
    inspection = look(house, unclear)[unclear]
    assert isinstance(inspection.outcome, Dead)
    assert inspection.desired == ",".join(sorted(candidate.key for candidate in inspection.candidates))


# --- halving ---------------------------------------------------------------------------------------------------------


class Server:
    """Answers keys with themselves, but fails whenever one of `poison` is among them."""

    def __init__(self, poison, error=AWAY):
        self.poison = set(poison)
        self.error = error
        self.asked = []

    def __call__(self, keys):
        self.asked.append(list(keys))
        if self.poison & set(keys):
            raise self.error
        return {key: key for key in keys}


@given(st.integers(2, 60), st.data())
def test_one_poisonous_key_is_found_and_all_others_are_answered(count, data):
    poison = data.draw(st.integers(0, count - 1))
    server = Server({poison})
    found = request_in_halves(server, list(range(count)))
    assert found == {**{key: key for key in range(count)}, poison: AWAY}
    assert len(server.asked) <= 1 + 2 * (count - 1).bit_length()


@given(st.integers(1, 60), st.sets(st.integers(0, 59), min_size=1))
def test_halving_answers_each_key_or_raises_and_never_asks_the_same_twice(count, poison):
    server = Server(poison)
    keys = list(range(count))
    try:
        found = request_in_halves(server, keys)
    except NeighbourError:
        first, second = keys[: count // 2], keys[count // 2 :]
        assert not first or (server.poison & set(first) and server.poison & set(second))
        assert len(server.asked) <= 3
    else:
        assert found.keys() == set(keys)
        assert all(found[key] == key for key in keys if not isinstance(found[key], NeighbourError))
        assert all(isinstance(found[key], NeighbourError) for key in keys if key in server.poison)
    assert len({tuple(asked) for asked in server.asked}) == len(server.asked)


def test_what_never_reached_the_other_side_is_not_asked_in_halves():
    server = Server({1}, Unavailable(Neighbour.PLEX, "refused", sent=False))
    with pytest.raises(Unavailable):
        request_in_halves(server, [1, 2, 3, 4])
    assert len(server.asked) == 1

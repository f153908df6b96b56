"""Plex is restored to an older moment: its playlists are as Stash says again, and what a person took out stays out."""

import pytest

from tests.flows.listed import PARENT, begin, listed_house, members, retag, row, settle, titles, undo


def lived(house) -> tuple[list[int], object]:
    """A playlist in step, the backup of that moment, and what was done in the hour since: two members, and a playlist."""
    ids = begin(house, ("Evening",), ("Evening",), (), (), ("Noon",), children=("Evening",))
    settle(house)
    backup = house.plex_sim.backup()
    house.clock.move(1800)
    retag(house, ids[2], "Evening")
    retag(house, ids[3], "Evening")
    house.stash_sim.set_tag_parents("Noon", [PARENT])
    settle(house)
    house.clock.move(1800)
    assert (members(house, "Evening"), members(house, "Noon")) == ([0, 1, 2, 3], [4])
    return ids, backup


def test_what_was_made_and_added_since_comes_back(tmp_path):
    with listed_house(tmp_path) as house:
        _, backup = lived(house)
        house.plex_sim.restore(backup)
        assert (members(house, "Evening"), titles(house)) == ([0, 1], ["Evening"])
        settle(house)
        assert (members(house, "Evening"), members(house, "Noon")) == ([0, 1, 2, 3], [4])
        undo(house, "Evening", "Noon")
        assert titles(house) == []


def test_a_playlist_that_is_looked_at_later_than_the_others_comes_back_too(tmp_path):
    with listed_house(tmp_path) as house:
        ids, backup = lived(house)
        house.plex_sim.restore(backup)
        retag(house, ids[1], "Evening")
        house.want(row(house, "Evening").id, kind="collection")
        house.work_until_settled()
        assert titles(house) == ["Evening"]
        settle(house)
        assert (members(house, "Evening"), members(house, "Noon")) == ([0, 1, 2, 3], [4])


@pytest.mark.parametrize("is_seen", [True, False])
def test_what_a_person_took_out_before_that_moment_stays_out(tmp_path, is_seen):
    with listed_house(tmp_path) as house:
        ids = begin(house, ("Evening",), ("Evening",), (), children=("Evening",))
        settle(house)
        house.clock.move(60)
        house.plex_sim.take_from_playlist(row(house, "Evening").item, house.key_of(ids[0]))
        if is_seen:
            settle(house)
        backup = house.plex_sim.backup()
        house.clock.move(1800)
        retag(house, ids[2], "Evening")
        settle(house)
        assert members(house, "Evening") == [1, 2]
        house.plex_sim.restore(backup)
        settle(house)
        assert members(house, "Evening") == [1, 2]


def test_without_a_restore_a_persons_own_removals_stay(tmp_path):
    with listed_house(tmp_path) as house:
        ids, _ = lived(house)
        house.plex_sim.take_from_playlist(row(house, "Evening").item, house.key_of(ids[2]))
        house.plex_sim.remove_playlist(row(house, "Noon").item)
        settle(house)
        assert (members(house, "Evening"), titles(house)) == ([0, 1, 3], ["Evening"])

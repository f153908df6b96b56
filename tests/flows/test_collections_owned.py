"""Whose a collection is: PlexSync's if it gave the name to every member, of which there is one; or else somebody's."""

from plexsync.flows.collections import reads
from plexsync.flows.collections.reads import is_made_by_us
from plexsync.simulator.http import Fault
from tests.engine.house import House


def is_ours(house: House, title: str, *members: str) -> bool:
    with house.store.reading() as db:
        return is_made_by_us(db, title, members)


def test_one_without_members_is_nobodys(house: House) -> None:
    house.in_step(1)
    assert not is_ours(house, "Studio 0")
    assert not is_ours(house, "Never heard of")


def test_every_member_must_have_its_name_from_plexsync_however_it_is_written(house: House, monkeypatch) -> None:
    ids = house.in_step(7)
    of_studio_0 = [house.key_of(id) for id in ids[0::3]]
    other = house.key_of(ids[1])
    stray = house.plex_sim.add_movie(house.section, files=[("/media/mine.mp4", 1, 1)], title="mine")
    house.plex_sim.hand_edit(stray, collection=["Studio 0"])
    for batch in (500, 3, 2, 1):
        monkeypatch.setattr(reads, "MEMBERS", batch)
        assert is_ours(house, "Studio 0", *of_studio_0)
        assert is_ours(house, "STUDIO  0", *of_studio_0)
        assert not is_ours(house, "Studio 1", *of_studio_0)
        for foreign in (other, stray, "999"):
            for place in range(len(of_studio_0) + 1):
                assert not is_ours(house, "Studio 0", *of_studio_0[:place], foreign, *of_studio_0[place:])


def test_a_name_that_is_on_its_way_counts_as_given(house: House) -> None:
    (id,) = house.in_step(1)
    key = house.key_of(id)
    house.edit(id, studio="Another")
    sent: list[bool] = []

    def looks(request: object) -> bool:
        sent.append(is_ours(house, "Another", key))
        return False

    house.plex_sim.faults.set(
        Fault("status", status=500, when=lambda request: request.method == "PUT" and looks(request))
    )
    house.work()
    assert sent == [True]

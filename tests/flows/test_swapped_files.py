"""Two items swap their files between the plan and the write: the read-back notices, and both show the right scene."""

from dataclasses import replace

import pytest

from plexsync.plex.artwork import key_of
from plexsync.rules.item import FIELDS
from plexsync.rules.merge.desired import Profile
from plexsync.simulator.http import Fault
from plexsync.simulator.plex_server import PlexSim
from plexsync.simulator.stash_images import png
from tests.engine.house import House
from tests.engine.pools import Inline


def files_of(plex: PlexSim, key: str) -> list[str]:
    return [path for path, *_ in plex.item(key).files]


@pytest.mark.parametrize("known", [True, False])
def test_an_item_that_swaps_its_files_while_it_is_edited_is_mended_at_once(tmp_path, known):
    with House(tmp_path / "data", pool=Inline()) as house:
        ids = house.in_step(2) if known else house.add(2)
        house.worker.indexer.freshen()
        keys = [house.key_of(id) for id in ids]
        house.stash_sim.edit_scene(ids[0], title="Newer")
        house.want(ids[0])
        swapped = []

        def swap(request):
            if request.method == "PUT" and not swapped:
                swapped.append(True)
                house.plex_sim.swap_files(*keys)
            return False

        house.plex_sim.faults.set(Fault("status", status=500, when=swap))
        house.clock.move(2)
        house.work_until_settled()
        assert swapped
        assert files_of(house.plex_sim, keys[0]) != files_of(house.plex_sim, keys[1])
        assert house.title_in_plex(ids[0]) == "Newer"
        assert house.title_in_plex(ids[1]) == "Title 1", "without a comparison"
        assert house.worker.reconciler.try_reconcile()
        house.work_until_settled()
        assert house.out_of_step(ids) == []
        locks = [house.plex_sim.item(key).locks for key in keys]
        assert "title" in locks[0] & locks[1]


def test_while_plex_cannot_say_where_the_files_of_a_swapped_item_are_that_is_no_fault_of_ours(tmp_path, caplog):
    with House(tmp_path / "data", pool=Inline()) as house:
        ids = house.in_step(2)
        keys = [house.key_of(id) for id in ids]
        house.stash_sim.edit_scene(ids[0], title="Newer")
        house.want(ids[0])
        asked = []

        def fails(request):
            if request.method == "PUT" and "PUT" not in asked:
                house.plex_sim.swap_files(*keys)
            asked.append("file" if "file" in request.params else request.method)
            return asked[-1] == "file" and asked.count("file") == 1

        house.plex_sim.faults.set(Fault("status", status=500, when=fails))
        house.clock.move(2)
        house.work_until_settled()
        assert "file" in asked
        assert "fault of PlexSync" not in caplog.text
        assert house.worker.reconciler.try_reconcile()
        house.work_for(600)
        assert house.out_of_step(ids) == []


def test_while_stash_cannot_say_whose_files_a_swapped_item_has_that_is_no_fault_of_ours(tmp_path, caplog):
    with House(tmp_path / "data", pool=Inline()) as house:
        ids = house.in_step(2)
        keys = [house.key_of(id) for id in ids]
        house.stash_sim.edit_scene(ids[0], title="Newer")
        house.want(ids[0])

        swapped = []

        def swap(request):
            if request.method == "PUT" and not swapped:
                swapped.append(True)
                house.plex_sim.swap_files(*keys)
                house.stash_sim.faults.set(Fault("status", status=503, times=1))
            return False

        house.plex_sim.faults.set(Fault("status", status=500, when=swap))
        house.clock.move(2)
        house.step()
        assert swapped
        assert "fault of PlexSync" not in caplog.text
        house.stash_sim.faults.clear()
        house.plex_sim.faults.clear()
        house.work_for(600)
        assert house.worker.reconciler.try_reconcile()
        house.work_for(600)
        assert house.out_of_step(ids) == []


def test_items_that_swap_files_and_are_listed_anew_by_another_process_while_they_are_read(tmp_path):
    """A comparison corrects the index after the worker has matched by it, and before the worker reads the items."""
    with House(tmp_path / "data", pool=Inline()) as house:
        ids = house.in_step(2)
        keys = [house.key_of(id) for id in ids]
        house.stash_sim.edit_scene(ids[0], title="Newer")
        house.want(ids[0])
        swapped, written = [], []

        def swap(request):
            if request.method == "PUT":
                written.append(request.params["id"])
            if request.path.startswith("/library/metadata/") and not swapped:
                swapped.append(True)
                house.plex_sim.swap_files(*keys)
                with house.store.reading() as db:
                    one, other = db.index.entries(keys)
                house.worker.indexer.correct(
                    [replace(one, parts=other.parts), replace(other, parts=one.parts)], gone=[]
                )
            return False

        house.plex_sim.faults.set(Fault("status", status=500, when=swap))
        house.clock.move(2)
        house.work_until_settled()
        assert swapped
        assert house.title_in_plex(ids[0]) == "Newer"
        assert keys[0] not in written


def test_a_title_that_plex_writes_in_another_way_is_known_again_on_an_item_with_other_files(tmp_path):
    with House(tmp_path / "data", pool=Inline()) as house:
        first, second = house.add(2)
        key, other = house.key_of(first), house.key_of(second)
        house.edit(first, title="Two  spaces")

        def is_read_back(request):
            return request.method == "GET" and house.plex_sim.count("PUT") > 0

        house.plex_sim.faults.set(Fault("status", status=500, when=is_read_back))
        house.step()
        assert house.plex_sim.item(key).scalars["title"] == "Two spaces"
        house.plex_sim.faults.clear()
        house.plex_sim.swap_files(key, other)
        house.want(second)
        house.work_for(600)
        assert house.title_in_plex(second) == "Title 1"
        assert house.title_in_plex(first) == "Two spaces"


@pytest.mark.parametrize("known", [True, False])
def test_the_poster_of_the_scene_that_had_the_item_before_is_not_taken_for_a_persons(tmp_path, known):
    """Only the poster shows that PlexSync has written to the item: it was stopped, or a person has locked the title."""
    profile = Profile(frozenset(FIELDS), poster="cover")
    with House(tmp_path / "data", pool=Inline(), profile=profile) as house:
        first, second = house.add(2)
        key, other = house.key_of(first), house.key_of(second)
        frame = house.plex_sim.item(key).poster
        house.stash_sim.set_cover(first, png(200, 0, 0))
        if not known:
            house.plex_sim.faults.set(
                Fault("status", status=503, when=lambda request: request.method == "PUT" and "id" in request.params)
            )
        house.want(first)
        house.work_for(60)
        if known:
            house.plex_sim.hand_edit(key, title="Mine")
        assert house.plex_sim.item(key).poster == key_of("thumb", png(200, 0, 0))
        house.plex_sim.faults.clear()
        house.plex_sim.swap_files(key, other)
        house.stash_sim.set_cover(second, png(0, 200, 0))
        house.clock.move(3)
        house.want(second)
        house.work_for(600)
        assert house.plex_sim.item(key).poster == key_of("thumb", png(0, 200, 0))
        house.stash_sim.set_cover(second, None)
        house.clock.move(3)
        house.want(second)
        house.work_for(600)
        assert house.plex_sim.item(key).poster == frame

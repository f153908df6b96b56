"""The comparison of collections queues those that have changed on either side, and no other one."""

from collections.abc import Callable, Iterator

import pytest

from plexsync.rules.queue.job import COLLECTION, State
from plexsync.rules.queue.note_keys import CHANGED, COLLECTIONS_COMPARED, WISHES
from plexsync.rules.servers.errors import Unavailable
from plexsync.simulator.http import Fault
from tests.engine.house import House
from tests.flows.dressed import dressed_house, key_of, rows
from tests.flows.test_collections_flow import EVERYTHING, a_library

ALL = {"Acme", "Trilogy", "Series One"}


@pytest.fixture
def house(tmp_path) -> Iterator[House]:
    """Three collections in sync, and compared."""
    with dressed_house(tmp_path, **EVERYTHING) as house:
        a_library(house)
        house.worker.reconciler.reconcile()
        compared(house)
        yield house


def queued(house: House) -> set[str]:
    """The collections that wait in the queue."""
    known = rows(house)
    with house.store.reading() as db:
        jobs = db.jobs.of(COLLECTION, [row.id for row in known.values()])
    return {name for name, row in known.items() if row.id in jobs and jobs[row.id].state is State.READY}


def compared(house: House) -> set[str]:
    """What a comparison queues, all of which is brought in sync then."""
    house.clock.move(60)
    house.worker.dressing.comparison.compare()
    names = queued(house)
    house.work_until_settled()
    return names


def empties(house: House, title: str) -> None:
    """You take the last item out of a collection, so that Plex has it no more."""
    for key in house.plex_sim.collections(house.section)[title]:
        names = set(house.plex_sim.item(key).lists["collection"]) - {title}
        house.plex_sim.hand_edit(key, collection=sorted(names))


CHANGES: dict[str, tuple[Callable[[House], object], set[str]]] = {
    "an edit in Stash": (lambda house: house.stash_sim.edit_object("studio", "Acme", details="Other."), {"Acme"}),
    "an edit in Plex": (lambda house: house.plex_sim.hand_edit(key_of(house, "Trilogy"), summary="Mine."), {"Trilogy"}),
    "another place in the group": (lambda house: house.stash_sim.edit_scene(1, groups=[("Trilogy", 0)]), {"Trilogy"}),
    "the order in Plex": (
        lambda house: house.plex_sim.set_prefs(key_of(house, "Trilogy"), collectionSort="1"),
        {"Trilogy"},
    ),
    "no collection in Plex": (lambda house: empties(house, "Series One"), {"Series One"}),
    "no object in Stash": (lambda house: house.stash_sim.destroy("studio", "Acme"), {"Acme"}),
}


def test_what_changed_is_queued_once_and_what_did_not_is_left_alone(house):
    found, later = {}, set()
    for change, (happens, _) in CHANGES.items():
        happens(house)
        found[change] = compared(house)
        later |= compared(house)
    assert found == {change: names for change, (_, names) in CHANGES.items()}
    assert later == set()


def test_while_a_changed_setting_waits_for_a_yes_only_what_has_changed_is_queued_and_then_all(house):
    comparison = house.worker.dressing.comparison
    with house.store.writing() as tx:
        in_use = tx.notes.text(WISHES)
        tx.notes.save(COLLECTIONS_COMPARED, "0 other settings")
        tx.notes.save(WISHES, CHANGED)
    house.stash_sim.edit_object("studio", "Acme", details="Other.")
    house.clock.move(60)
    assert comparison.run_if_due()
    assert queued(house) == {"Acme"}
    assert not comparison.run_if_due(), "it is due after the next comparison of scenes"
    house.work_until_settled()
    with house.store.writing() as tx:
        tx.notes.save(WISHES, in_use)
    assert comparison.run_if_due()
    assert queued(house) == ALL


def test_one_that_waits_for_its_first_scene_is_queued_once_plex_has_a_collection_of_its_name_however_it_is_written(
    house,
):
    empties(house, "Series One")
    compared(house)
    assert rows(house)["Series One"].item == ""
    house.stash_sim.edit_object("tag", "Series One", description="Edited while nothing shows it.")
    assert compared(house) == set()
    house.plex_sim.hand_edit(house.key_of(1), collection=["Acme", "Trilogy", "SERIES  one"])
    assert compared(house) == {"Series One"}
    house.plex_sim.hand_edit(house.key_of(1), collection=["Acme", "Trilogy"])
    compared(house)
    house.stash_sim.destroy("tag", "Series One")
    assert compared(house) == {"Series One"}, "what Stash has no more is forgotten, also if Plex shows nothing of it"
    assert set(rows(house)) == ALL - {"Series One"}


def test_a_foreign_collection_is_left_alone_until_items_make_one_beside_it(house):
    item = house.plex_sim.collections(house.section)["Series One"][0]
    empties(house, "Series One")
    smart = house.plex_sim.add_smart_collection(house.section, "Series One", [item])
    assert compared(house) == {"Series One"}
    assert (rows(house)["Series One"].item, rows(house)["Series One"].owner) == (smart, "foreign")
    assert compared(house) == set(), "a foreign one that stays as it is is no news"
    house.plex_sim.hand_edit(smart, title="My series")
    assert "Series One" in compared(house)
    assert compared(house) == set()
    house.plex_sim.hand_edit(item, collection=["Acme", "Trilogy", "series one"])
    assert compared(house) == {"Series One"}
    assert (rows(house)["Series One"].item != smart, rows(house)["Series One"].owner) == (True, "ours")
    assert compared(house) == set()


def test_a_foreign_collection_beside_which_items_make_one_of_its_name_is_left_for_that(house):
    item = house.plex_sim.collections(house.section)["Series One"][0]
    empties(house, "Series One")
    smart = house.plex_sim.add_smart_collection(house.section, "Series One", [item])
    assert compared(house) == {"Series One"}
    assert compared(house) == set()
    house.plex_sim.hand_edit(item, collection=["Acme", "Trilogy", "series one"])
    assert compared(house) == {"Series One"}, "the smart one itself is as it was"
    assert rows(house)["Series One"].item not in ("", smart)
    assert compared(house) == set()


@pytest.mark.parametrize("listed", ["StudioStamps", "TagStamps", "GroupStamps", "GroupScenes"])
def test_a_stash_that_refuses_to_list_its_objects_is_failing(house, listed):
    house.stash_sim.faults.set(Fault("status", status=400, when=lambda request: listed.encode() in request.body))
    with pytest.raises(Unavailable):
        house.worker.dressing.comparison.compare()
    assert house.rows("select failures from breaker where who = 'stash'") == [(1,)]

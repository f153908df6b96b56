"""Another Plex behind the address, a library made anew, keys dealt to other items: nothing of the old is believed."""

from random import Random

import pytest

from plexsync.engine.tickets import READ_PLEX
from plexsync.rules.queue.choices import ACCEPTED, Choice
from plexsync.rules.queue.job import State
from plexsync.rules.servers.errors import Neighbour
from plexsync.simulator.http import Fault
from tests.engine.house import HOUR, House, path_of
from tests.engine.test_engine_matching import bind

COUNT = 12


def asked(house: House) -> str:
    """The choice that a hold on Plex waits for, '' when there is none."""
    with house.store.reading() as db:
        row = db.holds.find(Neighbour.PLEX)
    return row.choice if row else ""


def accept(house: House, *, answers: bool = True) -> None:
    with house.store.writing() as tx:
        tx.notes.save(ACCEPTED + Choice.PLEX_SERVER, "1")
    assert house.worker.gates.retest(READ_PLEX) is answers


def lock_by_hand(house: House, ids: list[int]) -> dict[str, tuple[str, set[str]]]:
    """A person sets and locks a summary, and adds a genre that Stash has as well. By item: what has to stay."""
    for id in ids:
        key = house.key_of(id)
        genres = house.plex_sim.item(key).lists["genre"]
        house.plex_sim.hand_edit(key, summary=f"Mine {id}")
        house.plex_sim.hand_edit(key, genre=[*genres, "Tag 1", "Mine"])
    return {key: by_hand(house, key) for key in map(house.key_of, ids)}


def by_hand(house: House, key: str) -> tuple[str, set[str]]:
    item = house.plex_sim.item(key)
    return str(item.scalars["summary"]), {"Tag 1", "Mine"} & set(item.lists["genre"])


def in_step_with_texts(house: House) -> list[int]:
    ids = house.in_step(COUNT)
    for id in ids:
        house.edit(id, details=f"Text {id}", tags=["Tag 1", f"Own {id}"])
    house.work_until_settled()
    assert house.out_of_step(ids) == []
    return ids


@pytest.mark.parametrize("way", ["comparison", "edit", "outage"])
def test_another_server_is_a_hold_and_nothing_is_written_to_it(house, way):
    ids = in_step_with_texts(house)
    house.section = house.plex_sim.reinstall(Random(7)).sections[house.section]
    lock_by_hand(house, ids)
    before = {key: house.plex_sim.item(key) for key in house.plex_sim.keys(house.section)}
    if way == "outage":
        house.replace_worker()
    if way == "comparison":
        assert not house.worker.reconciler.try_reconcile()
    else:
        house.edit(ids[0], title="Newer")
        house.work_for(HOUR)
    assert asked(house) == Choice.PLEX_SERVER
    assert {key: house.plex_sim.item(key) for key in house.plex_sim.keys(house.section)} == before
    assert house.attempts_used() == 0
    house.work_for(3 * HOUR)
    assert asked(house) == Choice.PLEX_SERVER, "it is asked until somebody decides"
    assert {key: house.plex_sim.item(key) for key in house.plex_sim.keys(house.section)} == before


def test_on_an_accepted_server_everything_begins_anew_and_what_people_locked_there_stays(house):
    ids = in_step_with_texts(house)
    house.section = house.plex_sim.reinstall(Random(7)).sections[house.section]
    kept = lock_by_hand(house, ids)
    assert not house.worker.reconciler.try_reconcile()
    accept(house)
    assert house.worker.reconciler.try_reconcile()
    house.work_until_settled()
    assert asked(house) == ""
    assert {key: by_hand(house, key) for key in kept} == kept
    assert {house.title_in_plex(id) for id in ids} == {f"Title {n}" for n in range(COUNT)}
    for id in ids:
        house.edit(id, tags=[f"Own {id} new"])
    house.work_until_settled()
    assert {key: by_hand(house, key) for key in kept} == kept, "genres of the person's that Stash has dropped"
    for id in ids:
        names = set(house.plex_sim.item(house.key_of(id)).lists["genre"])
        assert f"Own {id} new" in names
        assert f"Own {id}" not in names


def test_a_server_that_answers_after_another_one_was_accepted_is_asked_about_too(house):
    ids = in_step_with_texts(house)
    house.section = house.plex_sim.reinstall(Random(7)).sections[house.section]
    assert not house.worker.reconciler.try_reconcile()
    house.plex_sim.faults.set(Fault("status", status=503))
    accept(house, answers=False)
    house.section = house.plex_sim.reinstall(Random(8)).sections[house.section]
    lock_by_hand(house, ids)
    before = {key: house.plex_sim.item(key) for key in house.plex_sim.keys(house.section)}
    house.plex_sim.faults.clear()
    house.edit(ids[0], title="Newer")
    house.work_for(3 * HOUR)
    assert asked(house) == Choice.PLEX_SERVER
    assert {key: house.plex_sim.item(key) for key in house.plex_sim.keys(house.section)} == before
    accept(house)
    house.work_until_settled()
    assert asked(house) == ""
    assert house.title_in_plex(ids[0]) == "Newer"


def test_on_an_accepted_server_an_item_is_bound_whose_key_was_another_scenes_on_the_old_one(house):
    ids = house.in_step(COUNT)
    old = ids[0]
    key = house.key_of(old)
    bind(house, old, key)
    house.section = house.plex_sim.reinstall(Random(7)).sections[house.section]
    assert not house.worker.reconciler.try_reconcile()
    accept(house)
    assert house.worker.reconciler.try_reconcile()
    house.work_until_settled()
    [new] = [id for id in ids if house.key_of(id) == key]
    assert new != old
    bind(house, new, key)
    with house.store.reading() as db:
        assert [(binding.scene, binding.key) for binding in db.bindings.all()] == [(new, key)]
    house.edit(new, title="Newer")
    house.work_until_settled()
    assert house.title_in_plex(new) == "Newer"
    assert house.title_in_plex(old) == "Title 0"
    assert house.states() == {State.IDLE: COUNT}


def test_on_an_accepted_server_a_binding_keeps_no_item_that_was_new_when_it_was_bound(house):
    ids = house.in_step(COUNT)
    key = house.plex_sim.add_movie(house.section, files=[("/media/other.mp4", 77, 60_000)], title="Other")
    bind(house, ids[0], key)
    house.work_until_settled()
    assert house.plex_sim.item(key).scalars["title"] == "Title 0"
    house.section = house.plex_sim.reinstall(Random(7)).sections[house.section]
    ids += house.add(COUNT, start=COUNT)
    assert key in {house.key_of(id) for id in ids[1:]}
    assert not house.worker.reconciler.try_reconcile()
    accept(house)
    assert house.worker.reconciler.try_reconcile()
    house.work_until_settled()
    assert house.out_of_step(ids) == []
    assert house.states() == {State.IDLE: 2 * COUNT}


def test_on_an_accepted_server_a_scene_whose_bound_item_has_the_key_of_a_collection_there_waits_for_you(house):
    ids = house.in_step(COUNT)
    key = house.plex_sim.readd(house.plex_sim.readd(house.key_of(ids[0])))
    bind(house, ids[0], key)
    house.section = house.plex_sim.reinstall(Random(7)).sections[house.section]
    names: list[str] = []
    while key not in house.plex_sim.collection_keys(house.section).values():
        names.append(f"Mine {len(names)}")
        house.plex_sim.hand_edit(house.key_of(ids[1]), collection=names)
    assert not house.worker.reconciler.try_reconcile()
    accept(house)
    for _ in range(3):
        found = house.worker.reconciler.reconcile()
        house.work_until_settled()
    assert not found.wanted
    assert house.states() == {State.IDLE: COUNT - 1, State.DEAD: 1}
    assert f"item {key} has quite other files than when it was bound" in house.row(ids[0]).error


def test_when_the_old_server_is_back_work_goes_on_by_itself(house):
    ids = in_step_with_texts(house)
    old = house.plex_sim.backup()
    section = house.section
    house.plex_sim.reinstall(Random(7))
    house.edit(ids[0], title="Newer")
    house.work_for(HOUR)
    assert asked(house) == Choice.PLEX_SERVER
    house.plex_sim.restore(old)
    house.section = section
    house.work_until_settled()
    assert asked(house) == ""
    assert house.title_in_plex(ids[0]) == "Newer"
    assert house.states() == {State.IDLE: COUNT}


@pytest.mark.parametrize("same_id", [False, True])
@pytest.mark.parametrize("by", ["comparison", "edit"])
def test_a_library_made_anew_is_written_anew_and_what_people_locked_there_stays(house, same_id, by):
    ids = in_step_with_texts(house)
    dealt = house.plex_sim.remake_section(house.section, same_id=same_id)
    house.section = dealt.sections[house.section]
    kept = lock_by_hand(house, ids)
    if by == "comparison":
        assert house.worker.reconciler.try_reconcile()
    else:
        for id in ids:
            house.edit(id, date="2024-02-03")
    house.work_until_settled()
    assert asked(house) == ""
    assert {key: by_hand(house, key) for key in kept} == kept
    assert [id for id in ids if house.title_in_plex(id) != f"Title {id - 1}"] == []


def test_a_library_made_anew_between_listing_and_reading_is_noticed_by_its_answer(house):
    ids = in_step_with_texts(house)
    keys = [house.key_of(id) for id in ids]
    dealt = house.plex_sim.remake_section(house.section, same_id=True)
    house.section = dealt.sections[house.section]
    kept = lock_by_hand(house, ids)
    house.edit(ids[0], title="Newer")
    house.work_until_settled()
    assert house.title_in_plex(ids[0]) == "Newer"
    assert {key: by_hand(house, key) for key in kept} == kept
    assert keys != [house.key_of(id) for id in ids]


def test_keys_that_were_dealt_to_other_items_by_the_same_server_lend_no_memory(house):
    ids = in_step_with_texts(house)
    backup = house.plex_sim.backup()
    new = house.add(2, start=COUNT)
    for id in new:
        house.edit(id, details=f"Text {id}", tags=["Tag 1", f"Own {id}"])
    house.worker.indexer.freshen(force=True)
    house.want(*new)
    house.work_until_settled()
    keys = [house.key_of(id) for id in new]
    house.plex_sim.restore(backup)
    for n in reversed(range(COUNT, COUNT + 2)):
        house.plex_sim.add_movie(house.section, files=[(path_of(n), 1000 + n, 60_000)], title=f"file {n}")
    assert sorted(map(house.key_of, new)) == sorted(keys), "the same keys, the other way round"
    kept = lock_by_hand(house, new)
    for id in new:
        house.edit(id, tags=[f"Own {id}"])
    assert house.worker.reconciler.try_reconcile()
    house.work_until_settled()
    assert {key: by_hand(house, key) for key in kept} == kept
    assert house.out_of_step(ids) == []


def test_the_first_server_is_noted_and_costs_one_request_a_process(house):
    house.add(3)
    house.want(1, 2, 3)
    house.work_until_settled()
    with house.store.reading() as db:
        server = db.servers.find()
    assert server and server.machine == house.plex_sim.machine
    assert [call.path for call in house.plex_sim.log].count("/") == 1
    house.edit(1, title="Newer")
    house.work_until_settled()
    assert [call.path for call in house.plex_sim.log].count("/") == 1

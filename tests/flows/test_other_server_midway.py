"""Another Plex that is met in the middle of the work: whatever shows it first, nothing is written to it."""

from random import Random

import pytest

from plexsync.engine.tickets import READ_PLEX
from plexsync.rules.queue.choices import ACCEPTED, Choice
from plexsync.rules.servers.errors import Neighbour
from tests.engine.house import HOUR, House, path_of

COUNT = 6


def asked(house: House) -> str:
    with house.store.reading() as db:
        row = db.holds.find(Neighbour.PLEX)
    return row.choice if row else ""


def reinstall(house: House, seed: int = 7) -> None:
    house.section = house.plex_sim.reinstall(Random(seed)).sections[house.section]


def shown(house: House) -> dict[str, object]:
    return {key: house.plex_sim.item(key) for key in house.plex_sim.keys(house.section)}


def test_a_server_that_is_first_noticed_by_its_list_of_libraries_is_asked_who_it_is(house):
    house.in_step(COUNT)
    reinstall(house)
    before = shown(house)
    # Nothing but the file of a new scene leads to Plex, and the list of libraries is read first.
    house.plex_sim.add_movie(house.section, files=[(path_of(COUNT), 1000 + COUNT, 60_000)])
    before |= shown(house)
    house.add_scene(COUNT)
    assert house.worker.poller.poll().wanted
    house.work_for(HOUR)
    assert asked(house) == Choice.PLEX_SERVER
    assert shown(house) == before


def test_an_item_that_is_found_in_the_place_of_one_that_is_gone_shows_the_other_server_too(house):
    ids = house.in_step(COUNT)
    key = house.key_of(ids[0])
    # Its old key is no longer dealt on the other server, so only its file leads to an item there.
    house.plex_sim.readd(key)
    house.worker.indexer.freshen(force=True)
    house.work_until_settled()
    reinstall(house)
    before = shown(house)
    house.edit(ids[0], title="Newer")
    house.work_for(HOUR)
    assert asked(house) == Choice.PLEX_SERVER
    assert shown(house) == before


@pytest.mark.parametrize("seed", range(4))
def test_scenes_that_were_matched_before_the_libraries_were_listed_are_matched_again(house, seed):
    ids = house.in_step(COUNT)
    reinstall(house, seed)
    # One that is not there yet makes the worker list the libraries in the middle of a batch.
    absent = house.add_scene(COUNT)
    house.want(*ids, absent)
    house.work_for(HOUR)
    assert asked(house) == Choice.PLEX_SERVER
    with house.store.writing() as tx:
        tx.notes.save(ACCEPTED + Choice.PLEX_SERVER, "1")
    assert house.worker.gates.retest(READ_PLEX)
    house.plex_sim.clear_log()
    house.work_until_settled()
    puts = [request.params for request in house.plex_sim.log if request.method == "PUT"]
    given = {(params["id"], params["title.value"]) for params in puts if "title.value" in params}
    titles = {house.key_of(id): house.stash_sim.scene(id).title for id in ids}
    assert {pair for pair in given if titles.get(pair[0]) != pair[1]} == set()
    assert house.out_of_step(ids) == []


@pytest.mark.parametrize("change", ["another server", "a library made anew", "none"])
def test_scenes_of_two_libraries_are_written_together_only_if_the_libraries_are_the_same(house, change):
    # One answer with items of several libraries names none of them.
    ids = house.in_step(COUNT)
    clips = house.plex_sim.add_section("Clips", locations=("/clips",))
    for n in range(COUNT):
        house.plex_sim.add_movie(clips, files=[(f"/clips/{n}.mp4", 9000 + n, 50_000)])
    more = [
        house.stash_sim.add_scene(files=[(f"/clips/{n}.mp4", 9000 + n, 50.0)], title=f"Clip {n}") for n in range(COUNT)
    ]
    house.want(*more)
    house.work_until_settled()
    house.worker.reconciler.try_reconcile()
    if change == "another server":
        dealt = house.plex_sim.reinstall(Random(7)).sections
        house.section, clips = dealt[house.section], dealt[clips]
    elif change == "a library made anew":
        house.section = house.plex_sim.remake_section(house.section, same_id=True).sections[house.section]
    before = shown(house)
    house.forget_requests()
    for id in (ids[0], more[0]):
        house.edit(id, title="Newer")
    house.step()
    if change == "none":
        assert house.plex_sim.count("GET", "/library/sections") == 1
        assert house.title_in_plex(ids[0]) == "Newer"
    else:
        assert house.plex_sim.count("PUT") == 0
        assert shown(house) == before
    assert asked(house) == (Choice.PLEX_SERVER if change == "another server" else "")


@pytest.mark.parametrize("same_id", [False, True])
def test_one_edit_finds_its_item_in_a_library_that_was_made_anew_before_anybody_has_listed_it(house, same_id):
    ids = house.in_step(COUNT)
    house.section = house.plex_sim.remake_section(house.section, same_id=same_id).sections[house.section]
    house.edit(ids[0], title="Newer")
    house.work_until_settled()
    assert house.title_in_plex(ids[0]) == "Newer"
    assert house.attempts_used() == 0

"""Collections survive kills, answers that are lost and outages; two libraries, and what a collection costs."""

from dataclasses import replace

import pytest

from plexsync.plex.artwork import key_of as picture_key
from plexsync.rules.collections.collections import KnownCollection
from plexsync.rules.merge import choice
from plexsync.rules.queue.job import COLLECTION, State
from plexsync.rules.servers.errors import Neighbour
from plexsync.simulator.http import Fault, Request
from tests.engine.test_engine_crashes import Killed
from tests.flows.days import Death
from tests.flows.dressed import begin, collection, dressed_house, key_of, members, profile, rows, shown, want
from tests.flows.test_collections_flow import EVERYTHING, RED, a_library, by_hand, dressed_again, redress
from tests.flows.test_collections_undone import undo

COLLECTIONS = ("read", "members", "list_collections", "homes", "edit_collection", "set_prefs", "move", "show_home")
PICTURES = ("pictures", "upload", "show", "hide")
OBJECTS = ("objects", "group_order")


def death_of(house, at):
    """Kills the worker before its request about collections number `at`."""
    plex, stash = house.worker.plex, house.worker.stash
    return Death({plex.collections: COLLECTIONS, plex: PICTURES, stash.collections: OBJECTS, stash: ["picture"]}, at)


def prepared(house):
    """A library in step, in which something of every part has changed in Stash since."""
    ids = a_library(house)
    house.stash_sim.edit_object("group", "Trilogy", synopsis="Other.", front_image=RED)
    house.stash_sim.edit_object("studio", "Acme", details="Other.")
    house.stash_sim.edit_scene(ids[0], groups=[("Trilogy", 0)])
    house.forget_requests()
    want(house)
    house.clock.move(3)
    return ids


def exact(house):
    """What has to be there after `prepared` was worked off, whatever happened on the way."""
    group, studio = collection(house, "Trilogy"), collection(house, "Acme")
    assert (group.scalars["summary"], studio.scalars["summary"]) == ("Other.", "Other.")
    assert group.poster == picture_key("thumb", RED)
    assert members(house, "Trilogy") == [0, 1, 2]
    assert {row.standing for row in rows(house).values()} == {"in step"}
    house.clock.move(3600)
    assert dressed_again(house) == []
    assert not any(row.pushing for row in rows(house).values()), "what may have arrived has, or never will"


def test_a_kill_before_any_request_loses_and_doubles_nothing(tmp_path):
    at, alive = 0, False
    while not alive:
        at += 1
        with dressed_house(tmp_path / str(at), **EVERYTHING) as house:
            prepared(house)
            death = death_of(house, at)
            try:
                house.work()
                alive, death.at = True, 0
            except Killed:
                house.replace_worker(holder="next")
                house.worker.engine.reclaim()
                house.clock.move(1)
                house.work_until_settled()
            uploads = [request for request in house.plex_sim.log if request.method == "POST"]
            assert len(uploads) == 1, f"killed before request {at}"
            exact(house)
    assert at > 12


@pytest.mark.parametrize("kind", ["reset", "reset_after", "cut"])
def test_an_answer_that_is_lost_loses_and_doubles_nothing(tmp_path, kind):
    at, is_over = 0, False
    while not is_over:
        at += 1
        with dressed_house(tmp_path / str(at), **EVERYTHING) as house:
            prepared(house)
            count = 0

            def nth_write(request: Request, at=at) -> bool:
                nonlocal count
                count += request.method != "GET"
                return request.method != "GET" and count == at

            house.plex_sim.faults.set(Fault(kind, when=nth_write, times=1))
            house.work_until_settled()
            is_over = bool(house.plex_sim.faults.active)
            house.plex_sim.faults.clear()
            exact(house)
    assert at > 4


def test_undone_while_it_was_killed_everything_is_restored(tmp_path):
    at, alive = 0, False
    while not alive:
        at += 3
        with dressed_house(tmp_path / str(at), **EVERYTHING) as house:
            prepared(house)
            known = rows(house)
            death = death_of(house, at)
            try:
                house.work()
                alive, death.at = True, 0
            except Killed:
                house.replace_worker(holder="next")
                house.worker.engine.reclaim()
            undo(house)
            entries = shown(house).values()
            assert len(entries) > 0
            for entry in entries:
                assert set(entry.scalars) == {"title"}
                assert (entry.locks, entry.mode, entry.sort, entry.home or ()) == (frozenset(), "", "", ())
            assert {row.undone for row in rows(house).values()} == {"undo"}
            assert len(known) == 3


def test_an_outage_of_plex_uses_up_no_attempt_and_ends_by_itself(tmp_path):
    with dressed_house(tmp_path, **EVERYTHING) as house:
        prepared(house)
        house.plex_sim.faults.set(Fault("status", status=503))
        house.work_for(3600)
        assert house.attempts_used() == 0
        house.plex_sim.faults.clear()
        house.work_until_settled()
        exact(house)


def test_a_refused_text_is_a_dead_letter_and_a_refused_picture_is_left_out(tmp_path):
    with dressed_house(tmp_path) as house:
        prepared(house)
        group, studio = (rows(house)[name] for name in ("Trilogy", "Acme"))

        def refused(request: Request) -> bool:
            edits = request.method == "PUT" and (
                request.params.get("id") == studio.item or request.path.endswith(f"/metadata/{studio.item}")
            )
            return edits or (request.method == "POST" and group.item in request.path)

        house.plex_sim.faults.set(Fault("status", status=400, when=refused))
        house.work_until_settled()
        assert house.row(studio.id, COLLECTION).state is State.DEAD
        assert rows(house)["Acme"].standing == "refused"
        assert collection(house, "Trilogy").scalars["summary"] == "Other."
        assert house.breaker(Neighbour.PLEX) == "closed"


def test_another_collection_with_the_new_title_is_left_alone_and_scenes_move_there(tmp_path):
    with dressed_house(tmp_path) as house:
        ids = a_library(house)
        stray = house.plex_sim.add_movie(house.section, files=[("/media/mine.mp4", 1, 1)], title="mine")
        house.plex_sim.hand_edit(stray, collection=["Apex"])
        house.plex_sim.hand_edit(key_of(house, "Apex"), summary="Mine.")
        house.stash_sim.rename_studio("Acme", "Apex")
        redress(house)
        house.want(*ids)
        house.work_until_settled()
        assert rows(house)["Apex"].standing == "not ours"
        assert collection(house, "Apex").scalars["summary"] == "Mine."


def test_two_objects_of_one_name_share_a_collection_and_the_first_dresses_it(tmp_path):
    with dressed_house(tmp_path) as house:
        begin(house, {"studio": "Acme", "groups": ["Acme"]})
        house.stash_sim.edit_object("studio", "Acme", details="The studio.")
        house.stash_sim.edit_object("group", "Acme", synopsis="The group.")
        redress(house)
        assert collection(house, "Acme").scalars["summary"] == "The studio."
        with house.store.reading() as db:
            standings = {row.object.source: row.standing for row in db.collections.page(after=0, limit=9)}
        assert standings == {"studio": "in step", "group": "shared"}
        assert dressed_again(house) == []
        house.stash_sim.destroy("studio", "Acme")
        house.worker.reconciler.reconcile()
        redress(house)
        assert collection(house, "Acme").scalars["summary"] == "The group."


def test_two_objects_that_come_to_one_collection_in_one_batch_do_not_both_dress_it(tmp_path):
    with dressed_house(tmp_path) as house:
        begin(house, {"studio": "Acme", "groups": ["Acme"]})
        house.stash_sim.edit_object("studio", "Acme", details="The studio.")
        house.stash_sim.edit_object("group", "Acme", synopsis="The group.")
        # Neither was looked at yet, and the studio had another name when it was noted.
        house.change("update collection set item = '', memory = null, desired = '', standing = ''")
        house.change("update collection set name = 'Old', name_key = 'old' where source = 'studio'")
        redress(house)
        redress(house)
        assert collection(house, "Acme").scalars["summary"] == "The studio."
        assert dressed_again(house) == []


def test_two_libraries_have_a_collection_each_with_a_key_and_a_dressing_of_its_own(tmp_path):
    with dressed_house(tmp_path) as house:
        other = house.plex_sim.add_section("Others", locations=("/others",), agent="tv.plex.agents.movie")
        files = [("/media/scene 00000.mp4", 1000, 60.0), ("/others/twin.mp4", 999, 60.0)]
        house.plex_sim.add_movie(other, files=[("/others/twin.mp4", 999, 60_000)], title="twin")
        begin(house, {"studio": "Acme", "files": files})
        keys = {section: house.plex_sim.collection_keys(section)["Acme"] for section in (house.section, other)}
        house.stash_sim.edit_object("studio", "Acme", details="Films.")
        redress(house)
        assert len(set(keys.values())) == 2
        assert [house.plex_sim.item(key).scalars["summary"] for key in keys.values()] == ["Films."] * 2
        house.plex_sim.hand_edit(keys[other], summary="By hand.")
        house.stash_sim.edit_object("studio", "Acme", image=RED)
        redress(house)
        assert house.plex_sim.item(keys[other]).scalars["summary"] == "By hand."
        assert [house.plex_sim.item(key).poster for key in keys.values()] == [picture_key("thumb", RED)] * 2
        with house.store.reading() as db:
            standings = {row.section: row.standing for row in db.collections.page(after=0, limit=9)}
        assert standings == {house.section: "in step", other: "edited in Plex"}


def test_a_library_that_was_not_listed_completely_yet_has_its_collections_once(tmp_path):
    with dressed_house(tmp_path) as house:
        other = house.plex_sim.add_section("Others", locations=("/others",), agent="tv.plex.agents.movie")
        files = [("/media/scene 00000.mp4", 1000, 60.0), ("/others/twin.mp4", 999, 60.0)]
        house.add_scene(0, studio="Acme", files=files)
        for section, (path, size, _) in zip((house.section, other), files, strict=True):
            house.plex_sim.add_movie(section, files=[(path, size, 60_000)], title="twin")
        house.worker.indexer.freshen(force=True)
        # Killed at the end of its first walk.
        house.change(f"delete from library where section = '{other}'")
        house.want(1)
        house.work_until_settled()
        house.worker.indexer.freshen(force=True)
        house.worker.reconciler.reconcile()
        house.work_until_settled()
        house.want(1)
        house.work_until_settled()
        with house.store.reading() as db:
            found = [(row.section, row.standing) for row in db.collections.page(after=0, limit=9)]
        assert sorted(found) == [(house.section, "in step"), (other, "in step")]


# --- what it costs ---------------------------------------------------------------------------------------------------


def test_a_comparison_costs_one_request_per_500_and_finds_what_changed_on_either_side(tmp_path):
    with dressed_house(tmp_path, **EVERYTHING) as house:
        ids = a_library(house)
        house.worker.reconciler.reconcile()
        comparison = house.worker.dressing.comparison
        assert comparison.run_if_due()
        house.work_until_settled()
        house.clock.move(60)
        house.forget_requests()
        assert comparison.compare() == 0
        assert [request.path for request in house.plex_sim.log if "/all" in request.path] == [
            f"/library/sections/{house.section}/all"
        ]
        assert not comparison.run_if_due(), "no full comparison of scenes has ended since"
        house.stash_sim.edit_object("studio", "Acme", details="Other.")
        house.plex_sim.hand_edit(key_of(house, "Series One"), summary="By hand.")
        house.stash_sim.edit_scene(ids[0], groups=[("Trilogy", 0)])
        assert comparison.compare() == 3
        house.work_until_settled()
        assert collection(house, "Acme").scalars["summary"] == "Other."
        assert members(house, "Trilogy") == [0, 1, 2]
        assert rows(house)["Series One"].standing == "edited in Plex"
        house.clock.move(60)
        assert comparison.compare() == 0


def test_a_comparison_comes_to_rest_though_a_library_is_not_synced_any_more(tmp_path):
    with dressed_house(tmp_path) as house:
        a_library(house)
        studio = rows(house)["Acme"].object
        with house.store.writing() as tx:
            *_, left = tx.collections.ensure([KnownCollection(0, studio, "another", "77", "Acme")])[studio]
            tx.collections.save(replace(tx.collections.of([left.id])[left.id], item="999", object_at="before"))
        house.worker.reconciler.reconcile()
        comparison = house.worker.dressing.comparison
        assert comparison.run_if_due()
        house.work_until_settled()
        house.clock.move(60)
        assert comparison.compare() == 0


def test_a_changed_collection_costs_four_requests_at_most_and_a_batch_shares_its_reads(tmp_path):
    dressing = {"parts": frozenset({"name", "summary"}), "mode": "items_hidden"}
    with dressed_house(tmp_path, **dressing) as house:
        begin(house, *({"studio": f"Studio {number}"} for number in range(5)))
        for number in range(5):
            house.stash_sim.edit_object("studio", f"Studio {number}", details=f"Text {number}")
        house.clock.move(60)
        house.forget_requests()
        want(house)
        house.work_until_settled()
        assert len(house.plex_sim.log) <= 2 + 5, "one read and one read-back for all, an edit for each"
        assert len(house.stash_sim.log) == 1
        house.replace_worker(profile=profile(**{**dressing, "mode": "shown"}))
        house.stash_sim.edit_object("studio", "Studio 1", details="New.")
        house.worker.parts.identity.ensure(house.worker.gates)
        house.forget_requests()
        want(house, "Studio 1")
        house.work_until_settled()
        assert len(house.plex_sim.log) <= 4


def test_a_comparison_of_scenes_looks_for_no_collection_that_waits_for_its_first_scene(tmp_path):
    with dressed_house(tmp_path) as house:
        (id,) = begin(house, {"studio": "Acme"})
        # You took the only item out of the collection, and the name stays away from it.
        house.plex_sim.hand_edit(house.key_of(id), collection=[])
        redress(house)
        assert rows(house)["Acme"].standing == "waits for its first scene"
        # The first comparison finds your edit.
        for _ in range(2):
            house.forget_requests()
            house.worker.reconciler.reconcile()
            house.work_until_settled()
        assert not [request for request in house.plex_sim.log if request.params.get("type") == "18"]


def test_a_long_group_is_brought_in_order_a_few_moves_at_a_time(tmp_path):
    with dressed_house(tmp_path) as house:
        count = 50
        ids = begin(house, *({"studio": None, "groups": [("Serial", count - number)]} for number in range(count)))
        assert members(house, "Serial") == list(reversed(range(count)))
        house.forget_requests()
        house.edit(ids[0], groups=[("Serial", 0)])
        house.work_until_settled()
        assert members(house, "Serial") == [0, *reversed(range(1, count))]
        assert len([request for request in house.plex_sim.log if request.path.endswith("/move")]) == 1
        assert dressed_again(house) == []


def test_an_edit_of_a_scene_without_dressed_collections_costs_what_it_did(tmp_path):
    with dressed_house(tmp_path, **EVERYTHING) as house:
        ids = a_library(house)
        house.forget_requests()
        house.edit(ids[1], title="Other")
        house.work_until_settled()
        assert [request.path for request in house.plex_sim.log if request.method == "PUT"] == [
            f"/library/sections/{house.section}/all"
        ]


def test_hand_edits_survive_a_kill_as_well(tmp_path):
    with dressed_house(tmp_path, **{**EVERYTHING, "home": choice.Patterns()}) as house:
        prepared(house)
        death_of(house, 6)
        with pytest.raises(Killed):
            house.work()
        house.replace_worker(holder="next")
        house.worker.engine.reclaim()
        key = by_hand(house, "Series One")
        before = shown(house)[key]
        house.work_until_settled()
        assert dressed_again(house) == []
        assert shown(house)[key] == before


def test_a_first_sync_brings_a_group_in_order_when_its_scenes_are_there(tmp_path):
    with dressed_house(tmp_path) as house:
        count = 400
        for number in range(count):
            path = house.stash_sim.scene(house.add_scene(number, studio=None, groups=[("Serial", number)])).files[0][0]
            house.plex_sim.add_movie(house.section, files=[(path, 1000 + number, 60_000)], title=f"file {number}")
        house.want(*range(1, count + 1))
        house.work_until_settled()
        assert members(house, "Serial") == list(range(count))
        reads = [request for request in house.plex_sim.log if request.path.endswith("/items")]
        assert len(reads) <= 5, "not once more for each batch of scenes"
        assert dressed_again(house) == []

"""How collections stand, as facts: the list and its counts, and one collection with its parts on both servers."""

import pytest

from plexsync.app.dressing import collection_viewer
from plexsync.engine.undo import wish_undone
from plexsync.flows.collections.decisions import CollectionDecisions, CollectionUndo
from plexsync.flows.scenes.drift import DriftAnswer, DriftFilter
from plexsync.reports.collections import (
    collection_changes,
    collection_counts,
    collection_list,
    collection_report,
    collections_named,
    collections_of_scene,
    object_words,
    part_name,
    part_value,
)
from plexsync.reports.rows import title
from plexsync.rules.collections.collection_status import CollectionStatus, collection_status, named_status
from plexsync.rules.collections.collections import CollectionObject, KnownCollection
from plexsync.rules.queue.job import COLLECTION
from plexsync.simulator.http import Fault
from tests.flows.dressed import dressed_house, key_of, rows
from tests.flows.test_collections_flow import EVERYTHING, a_library, by_hand, redress


@pytest.fixture
def house(tmp_path):
    with dressed_house(tmp_path, **EVERYTHING) as house:
        a_library(house)
        yield house


def ids(house):
    return {name: row.id for name, row in rows(house).items()}


def listing(house, stands=None, **page):
    with house.store.reading() as db:
        return collection_list(db, stands=stands, **{"limit": 50, **page})


def names(listed):
    return [entry["name"] for entry in listed["collections"]]


def report(house, id):
    return collection_report(house.store, collection_viewer(house.worker.parts), id)


def part(facts, name):
    return next(entry for entry in facts["parts"] if entry["part"] == name)


def is_edit_of(request, key):
    return request.method == "PUT" and (request.params.get("id") == key or request.path.endswith(f"/metadata/{key}"))


def kill(house, source, name, **values):
    """Plex refuses what changes of a collection, so that its job becomes a dead letter."""
    key = key_of(house, name)
    house.stash_sim.edit_object(source, name, **values)
    house.plex_sim.faults.set(Fault("status", status=400, when=lambda asked: is_edit_of(asked, key)))
    redress(house)
    house.plex_sim.faults.clear()


def test_collections_are_listed_by_name_page_by_page_with_their_objects_and_counts(house):
    first = listing(house, limit=2)
    assert (names(first), first["offset"], first["total"]) == (["Acme", "Series One"], 2, 3)
    assert first["counts"] == {"in_step": 3}
    last = listing(house, limit=2, offset=2)
    assert (names(last), last["offset"]) == (["Trilogy"], None)
    acme = first["collections"][0]
    section = house.worker.plex.sections()[0]
    assert (acme["source"], acme["owner"], acme["stands"]) == ("studio", "ours", "in_step")
    assert (acme["key"], acme["library"], acme["section"]) == (key_of(house, "Acme"), section.title, house.section)
    assert (acme["queued"], acme["why"], acme["kept"], acme["undone"]) == (False, "", [], None)
    assert object_words(acme) == f"studio {acme['object']}"


def test_the_list_is_narrowed_to_one_status_and_agrees_with_the_counts(house):
    by_hand(house, "Acme")
    with house.store.writing() as tx:
        tx.collections.ensure([KnownCollection(0, CollectionObject("tag", 99), "", "9", "Elsewhere")])
    kill(house, "tag", "Series One", description="Another.")
    with house.store.writing() as tx:
        tx.collections.ensure([KnownCollection(0, CollectionObject("tag", 98), "", "9", "New")])
    by_status = {
        CollectionStatus.EDITED: ["My Acme"],
        CollectionStatus.IN_SYNC: ["Trilogy"],
        CollectionStatus.QUEUED: ["New"],
        CollectionStatus.NO_LIBRARY: ["Elsewhere"],
        CollectionStatus.FAILED: ["Series One"],
    }
    for status, expected in by_status.items():
        listed = listing(house, status)
        assert (names(listed), listed["total"]) == (expected, 1)
        assert {entry["stands"] for entry in listed["collections"]} == {status.value}
    with house.store.reading() as db:
        assert collection_counts(db) == dict.fromkeys(by_status, 1)
        (section,) = db.sections.all()
        expected = {CollectionStatus.EDITED: 1, CollectionStatus.IN_SYNC: 1, CollectionStatus.FAILED: 1}
        assert collection_counts(db, library=section.uuid) == expected
        listed = collection_list(db, library=section.uuid, limit=9)
    assert (listed["total"], names(listed)) == (3, ["My Acme", "Series One", "Trilogy"])


def test_a_dead_letter_of_a_collection_has_its_name_and_its_error(house):
    id = ids(house)["Series One"]
    kill(house, "tag", "Series One", description="Another.")
    with house.store.reading() as db:
        assert title(db, COLLECTION, id) == "Series One"
        assert title(db, COLLECTION, 12_345) == ""
        job = db.jobs.find(COLLECTION, id)
    (row,) = listing(house, CollectionStatus.FAILED)["collections"]
    assert (row["why"], row["cause"]) == (job.error, job.cls)
    assert report(house, id)["stands"] == "failed"


def test_one_collection_is_told_part_by_part_with_both_values_and_what_was_there_before(house):
    facts = report(house, ids(house)["Acme"])
    assert (facts["verdict"], facts["away"], facts["in_stash"]["name"]) == ("in sync", "", "Acme")
    assert facts["in_stash"]["scenes"] == 2
    parts = ["title", "titleSort", "summary", "thumb", "art", "collectionMode", "home"]
    assert [entry["part"] for entry in facts["parts"]] == parts
    summary = part(facts, "summary")
    assert summary["stash"] == summary["plex"] == summary["left"] == "Films."
    assert (summary["before"], summary["locked"], summary["action"], summary["reason"]) == ("", True, "nothing", "")
    assert [move["field"] for push in facts["pushes"] for move in push["fields"] if move["field"] == "summary"]
    group = report(house, ids(house)["Trilogy"])
    assert part_value("order", part(group, "order")["plex"]) == "a custom order of 3 items"
    assert group["members"] == part(group, "order")["plex"].split(",")


def test_a_change_in_stash_is_shown_before_it_is_written(house):
    house.stash_sim.edit_object("studio", "Acme", details="Other films.")
    facts = report(house, ids(house)["Acme"])
    summary = part(facts, "summary")
    assert (summary["stash"], summary["plex"], summary["action"]) == ("Other films.", "Films.", "write")
    assert summary["reason"] == "changed in Stash"
    assert facts["verdict"] == "1 part would be changed"
    changes = {
        facts["name"]: [entry["part"] for entry in facts["parts"]]
        for facts in collection_changes(house.store, collection_viewer(house.worker.parts), list(ids(house).values()))
    }
    assert changes == {"Acme": ["summary"], "Series One": [], "Trilogy": []}
    undoing = list(
        collection_changes(house.store, collection_viewer(house.worker.parts), [ids(house)["Trilogy"]], undoing="undo")
    )
    assert {"summary", "order", "thumb"} <= {entry["part"] for entry in undoing[0]["parts"]}


def test_a_scene_is_told_with_its_collections(house):
    (inspection,) = house.worker.parts.inspector.look([2])
    with house.store.reading() as db:
        told = collections_of_scene(db, inspection)
    assert [(entry["name"], entry["source"], entry["stands"]) for entry in told] == [
        ("Acme", "studio", "in_step"),
        ("Trilogy", "group", "in_step"),
        ("Series One", "tag", "in_step"),
    ]


def test_what_you_edited_in_plex_is_marked_until_you_decide(house):
    by_hand(house, "Acme")
    redress(house)
    id = ids(house)["My Acme"]
    facts = report(house, id)
    assert (facts["stands"], part(facts, "summary")["edited"]) == ("edited", True)
    assert facts["verdict"].startswith("in sync but for what you edited in Plex: name, ")
    inspector = collection_viewer(house.worker.parts)
    decisions = CollectionDecisions(inspector, house.clock)
    decisions.decide([id], DriftAnswer.KEEP, DriftFilter(("summary",)))
    facts = report(house, id)
    assert facts["kept"] == ["summary"]
    assert part(facts, "summary")["kept_since"] is not None
    assert not part(facts, "summary")["edited"]
    assert part(facts, "title")["edited"]


def test_an_undone_collection_says_so(house):
    id = ids(house)["Acme"]
    inspector = collection_viewer(house.worker.parts)
    wish_undone(house.store, CollectionUndo(inspector), house.clock, [id], "undo")
    facts = report(house, id)
    assert facts["verdict"].endswith("parts still to be taken back")
    assert part(facts, "summary")["reason"] == "undone"
    house.work_until_settled()
    facts = report(house, id)
    assert (facts["stands"], facts["undone"]) == ("undone", "undo")
    assert facts["verdict"] == "undone: it is left alone until it changes in Stash, or plexsync collections redo"


def test_while_a_server_is_down_what_is_remembered_is_told(house):
    house.plex_sim.faults.set(Fault("status", status=503))
    facts = report(house, ids(house)["Acme"])
    assert facts["away"]
    assert facts["verdict"] == f"it can't be inspected now: {facts['away']}"
    summary = part(facts, "summary")
    assert (summary["stash"], summary["plex"], summary["left"], summary["before"]) == (None, None, "Films.", "")


def test_no_collection_has_an_unknown_number(house):
    assert report(house, 12_345) is None


def test_collections_are_named_by_number_or_by_name_and_library(house):
    id, section = ids(house)["Acme"], house.worker.plex.sections()[0]
    with house.store.reading() as db:
        assert [row.id for row in collections_named(db, str(id))] == [id]
        assert [row.id for row in collections_named(db, "aCME")] == [id]
        assert [row.id for row in collections_named(db, "Acme", section.title.upper())] == [id]
        assert collections_named(db, "Acme", "Elsewhere") == []
        assert collections_named(db, "999999") == []


def test_parts_and_statuses_go_by_their_words():
    assert [part_name(text) for text in ("name", "Sort title", "titlesort", "POSTER", "genre")] == [
        *("title", "titleSort", "titleSort", "thumb"),
        None,
    ]
    assert named_status("waits for its first scene") is named_status("no_scenes") is CollectionStatus.NO_SCENES
    assert named_status("none") is None
    assert [part_value("collectionMode", value) for value in ("1", "")] == ["items hidden", "library"]
    assert part_value("order", "") == "by release"
    assert [part_value("home", value) for value in ("home,shared", "")] == ["home, shared", "not shown"]
    assert [part_value("thumb", "x", in_plex=plex) for plex in (True, False)] == ["a picture", "the picture from Stash"]
    assert part_value("summary", None) == ""


def test_every_status_is_told_by_its_stored_word_and_its_job():
    for status in CollectionStatus:
        if status.stored:
            assert collection_status(status.stored, None) is status
            assert collection_status(status.stored, "ready") is status
    assert collection_status("", None) is collection_status("refused", "ready") is CollectionStatus.QUEUED
    assert collection_status("in step", "dead") is CollectionStatus.FAILED
    assert collection_status("refused", "dropped") is CollectionStatus.DROPPED

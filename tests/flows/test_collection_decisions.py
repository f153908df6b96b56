"""Your decisions about collections: handing over, keeping what you edited in Plex, taking what Stash says; and counts."""

from dataclasses import replace

import pytest

from plexsync.flows.collections.decisions import CollectionDecisions, handed_over, want_collections
from plexsync.flows.scenes.drift import DriftAnswer, DriftFilter
from plexsync.rules.collections.collections import TEMPLATE_NAMES
from plexsync.rules.merge import template
from plexsync.rules.queue.job import COLLECTION, Kind, State, Why
from plexsync.simulator.http import Fault
from tests.flows.dressed import begin, collection, dressed_house, key_of, members, rows, shown
from tests.flows.test_collections_flow import EVERYTHING, a_library, by_hand, dressed_again, redress
from tests.flows.test_collections_undone import undo


@pytest.fixture
def house(tmp_path):
    with dressed_house(tmp_path, **EVERYTHING) as house:
        a_library(house)
        yield house


def decide(house, answer, *names):
    """The parts decided about in the collection of the group."""
    worker, (row,) = house.worker, [row for row in rows(house).values() if row.object.source == "group"]
    decisions = CollectionDecisions(worker.dressing.inspector, house.clock)
    decided = decisions.decide([row.id], answer, DriftFilter(names))
    house.clock.move(3)
    house.work_until_settled()
    return set(decided.parts.get(row.id, ()))


EDITED = {"title", "titleSort", "summary", "thumb", "art", "collectionMode", "home", "order"}


def test_what_you_take_from_stash_replaces_your_edits_once(house):
    before = shown(house)
    key = by_hand(house, "Trilogy")
    redress(house)
    assert decide(house, DriftAnswer.TAKE) == EDITED
    assert shown(house)[key] == before[key]
    assert rows(house)["Trilogy"].standing == "in step"
    house.plex_sim.hand_edit(key, summary="Again by hand.")
    redress(house)
    assert collection(house, "Trilogy").scalars["summary"] == "Again by hand."
    assert dressed_again(house) == []


def test_what_you_keep_stays_whatever_stash_says_until_you_end_that(house):
    key = by_hand(house, "Trilogy")
    redress(house)
    before = shown(house)[key]
    assert decide(house, DriftAnswer.KEEP, "summary", "order") == {"summary", "order"}
    assert rows(house)["My Trilogy"].standing == "edited in Plex"
    assert decide(house, DriftAnswer.KEEP) == EDITED - {"summary", "order"}
    assert rows(house)["My Trilogy"].standing == "in step"
    house.stash_sim.edit_object("group", "Trilogy", synopsis="Other.")
    assert dressed_again(house) == []
    assert shown(house)[key] == before
    assert decide(house, DriftAnswer.UNKEEP, "summary") == {"summary"}
    house.stash_sim.edit_object("group", "Trilogy", synopsis="Another.")
    redress(house)
    assert collection(house, "My Trilogy").scalars["summary"] == "Another."
    assert decide(house, DriftAnswer.TAKE, "studio") == set()


def test_a_collection_is_handed_over_once(tmp_path):
    with dressed_house(tmp_path, **EVERYTHING) as house:
        stray = house.plex_sim.add_movie(house.section, files=[("/media/mine 9.mp4", 1, 1)], title="mine")
        house.plex_sim.hand_edit(stray, collection=["Trilogy"])
        a_library(house)
        (id,) = [row.id for row in rows(house).values() if row.name == "Trilogy"]
        assert want_collections(house.store, house.clock, [id], handed_over) == [id]
        house.work_until_settled()
        assert collection(house, "Trilogy").scalars["summary"] == "Three of them."
        assert members(house, "Trilogy") == [1, 2, 0, 9]
        assert want_collections(house.store, house.clock, [id], handed_over) == []


def test_a_studio_above_is_renamed_in_the_names_of_those_below(tmp_path):
    names = {"studio": template.parse_template("[{parent}: ]{name}", TEMPLATE_NAMES)}
    with dressed_house(tmp_path, names=names) as house:
        house.stash_sim.set_parent_studio("Acme", "Big")
        begin(house, {"studio": "Acme"})
        key = key_of(house, "Big: Acme")
        house.stash_sim.rename_studio("Big", "Bigger")
        acme, big = 1, 2
        house.want(big, kind=Kind.STUDIO)
        house.clock.move(3)
        house.work_until_settled()
        assert {row.object.id for row in rows(house).values()} == {acme}
        assert key_of(house, "Bigger: Acme") == key
        assert house.plex_sim.collections(house.section).keys() == {"Bigger: Acme"}


def test_the_comparison_finds_who_has_crossed_the_minimum(tmp_path):
    with dressed_house(tmp_path, minimum=2) as house:
        ids = begin(house, {"studio": "Acme"}, {"studio": "Acme"}, {"studio": "Best"})
        redress(house)
        assert house.plex_sim.collections(house.section).keys() == {"Acme"}
        house.worker.reconciler.reconcile()
        comparison = house.worker.dressing.comparison
        comparison.compare()
        house.work_until_settled()
        house.stash_sim.edit_scene(ids[0], studio="Best")
        comparison.compare()
        house.clock.move(3)
        house.work_until_settled()
        assert house.plex_sim.collections(house.section).keys() == {"Best"}


# --- two things at once ----------------------------------------------------------------------------------------------


def group_of(house):
    (row,) = [row for row in rows(house).values() if row.object.source == "group"]
    return row


def running(house, id):
    """Another worker has just begun with this collection."""
    with house.store.writing() as tx:
        tx.jobs.want(COLLECTION, id, Why.EDIT, house.clock.now())
        house.clock.move(3)
        (job,) = tx.jobs.claim(9, now=house.clock.now(), lease_ms=60_000, holder="other", kinds=[COLLECTION])
    return job


def is_queued(house, id):
    with house.store.reading() as db:
        job = db.jobs.find(COLLECTION, id)
    return job is not None and job.state is State.READY


def decided(house, answer, **wanted):
    worker = house.worker
    decisions = CollectionDecisions(worker.dressing.inspector, house.clock)
    return decisions.decide([group_of(house).id], answer, DriftFilter(**wanted))


@pytest.mark.parametrize("answer", list(DriftAnswer))
def test_an_attempt_that_was_planned_before_the_decision_loses_the_collection(house, answer):
    by_hand(house, "Trilogy")
    redress(house)
    if answer is DriftAnswer.UNKEEP:
        decide(house, DriftAnswer.KEEP, "summary")
    id = group_of(house).id
    running(house, id)
    assert house.row(id, COLLECTION).state is State.RUNNING
    assert decided(house, answer, fields=("summary",)).parts == {id: ("summary",)}
    assert house.row(id, COLLECTION).state is State.READY


def test_an_attempt_that_found_it_to_be_somebody_elses_loses_a_collection_that_you_hand_over(house):
    id = group_of(house).id
    with house.store.writing() as tx:
        tx.collections.save(replace(tx.collections.of([id])[id], owner="foreign"))
    running(house, id)
    assert want_collections(house.store, house.clock, [id], handed_over) == [id]
    assert (house.row(id, COLLECTION).state, group_of(house).owner) == (State.READY, "handed")


def test_what_cannot_be_handed_over_is_left_as_it_is(house):
    known = rows(house)
    with house.store.writing() as tx:
        tx.collections.save(replace(known["Acme"], owner="foreign", item=""))
        tx.collections.save(replace(known["Series One"], owner=""))
    ids = [row.id for row in known.values()] + [999]
    assert want_collections(house.store, house.clock, ids, handed_over) == [known["Series One"].id]
    assert {name: row.owner for name, row in rows(house).items()} == {
        "Acme": "foreign", "Series One": "handed", "Trilogy": "ours"
    }  # fmt: skip


def test_nothing_is_decided_about_a_collection_of_which_something_was_learnt_since_it_was_looked_at(house):
    by_hand(house, "Trilogy")
    redress(house)
    row, learnt = group_of(house), []

    def learn(request):
        if not learnt:
            learnt.append(request)
            with house.store.writing() as tx:
                tx.collections.save(replace(row, stamp=7))
        return False

    house.plex_sim.faults.set(Fault("status", status=500, when=learn))
    made, id = decided(house, DriftAnswer.KEEP), group_of(house).id
    assert (made.parts, made.busy, made.untouched, group_of(house).stamp) == ({}, [id], [], 7)
    assert not is_queued(house, id)
    assert set(decided(house, DriftAnswer.KEEP).parts[id]) == EDITED
    assert decided(house, DriftAnswer.KEEP).untouched == [id]


def test_what_you_keep_is_taken_from_stash_only_if_that_is_meant(house):
    by_hand(house, "Trilogy")
    redress(house)
    id = group_of(house).id
    decided(house, DriftAnswer.KEEP, fields=("summary",))
    assert not is_queued(house, id), "a keep queues nothing"
    assert set(decided(house, DriftAnswer.TAKE, open_only=True).parts[id]) == EDITED - {"summary"}
    assert is_queued(house, id)
    house.clock.move(3)
    house.work_until_settled()
    assert decided(house, DriftAnswer.TAKE, open_only=True).parts == {}
    assert decided(house, DriftAnswer.TAKE).parts == {id: ("summary",)}
    undo(house, "Trilogy")
    assert decided(house, DriftAnswer.TAKE).untouched == [id], "what is undone is left alone"

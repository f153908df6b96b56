"""When collections are queued and in which lane, and which of them wait for the many scenes that are synced first."""

from dataclasses import replace

import pytest

from plexsync.engine.undo import CROWD
from plexsync.flows.collections.decisions import CollectionDecisions, handed_over, redone, want_collections
from plexsync.flows.collections.inspection import SCENES_FIRST
from plexsync.flows.collections.reads import MANY_SCENES
from plexsync.flows.scenes.drift import DriftAnswer, DriftFilter
from plexsync.rules.item import FIELDS
from plexsync.rules.queue.job import COLLECTION, State
from tests.engine.house import House
from tests.flows.dressed import begin, dressed_house, key_of, profile, rows, want
from tests.flows.test_collections_flow import EVERYTHING, a_library, by_hand, redress
from tests.flows.test_collections_undone import undo

EDITS, SWEEPS = 0, 1


def lanes(house: House, *ids: int) -> list[tuple[State, int]]:
    with house.store.reading() as db:
        jobs = db.jobs.of(COLLECTION, ids)
    return [(jobs[id].state, jobs[id].lane) for id in ids]


def ids_of(house: House) -> list[int]:
    return [row.id for row in rows(house).values()]


# --- one and many ----------------------------------------------------------------------------------------------------


def redo(house: House, ids: list[int]) -> None:
    want_collections(house.store, house.clock, ids, redone)


def give(house: House, ids: list[int]) -> None:
    with house.store.writing() as tx:
        for row in tx.collections.of(ids).values():
            tx.collections.save(replace(row, owner="foreign"))
    want_collections(house.store, house.clock, ids, handed_over)


def ask(house: House, ids: list[int]) -> None:
    want_collections(house.store, house.clock, ids)


def take(house: House, ids: list[int]) -> None:
    worker = house.worker
    decisions = CollectionDecisions(worker.dressing.inspector, house.clock)
    decisions.decide(ids, DriftAnswer.TAKE, DriftFilter())


@pytest.mark.parametrize("verb", [redo, give, ask, take])
def test_so_many_at_once_go_before_sweeps_and_more_of_them_go_behind_all_edits(tmp_path, verb):
    for count, lane in ((CROWD, EDITS), (CROWD + 1, SWEEPS)):
        with dressed_house(tmp_path / str(count)) as house:
            begin(house, {"studio": "Acme"})
            (id,) = ids_of(house)
            if verb is redo:
                undo(house)
            if verb is take:
                by_hand(house, "Acme")
            verb(house, [id, *range(10_000, 10_000 + count - 1)])
            assert lanes(house, id) == [(State.READY, lane)]


# --- orders wait for scenes ------------------------------------------------------------------------------------------


def test_a_group_that_is_queued_for_its_order_alone_waits_while_many_scenes_are_queued(tmp_path):
    with dressed_house(tmp_path, **EVERYTHING) as house:
        a_library(house)
        inspector, known = house.worker.dressing.inspector, rows(house)
        group, others = known["Trilogy"].id, {known["Acme"].id, known["Series One"].id}

        def waiting(**how: object) -> set[int]:
            return {
                finding.id for finding in inspector.look([*others, group], **how) if finding.outcome == SCENES_FIRST
            }

        house.want(*range(10_000, 10_000 + MANY_SCENES))
        assert waiting() == set()
        house.want(9_999)
        house.forget_requests()
        assert waiting() == {group}
        assert inspector.look([group])[0].inspection is None
        assert not [request for request in house.plex_sim.log if "/children" in request.path]
        assert waiting(undoing="undo") == waiting(redoing=True) == set(), "a preview shows all"
        before = known["Trilogy"]
        for other in (replace(before, desired=""), replace(before, item="")):
            with house.store.writing() as tx:
                tx.collections.save(other)
            assert waiting() == set(), "what was never in sync is looked at now"
        with house.store.writing() as tx:
            tx.collections.save(before)
        house.stash_sim.edit_object("group", "Trilogy", synopsis="Other.")
        assert waiting() == set(), "its text is not kept waiting"


def test_another_group_waits_only_where_its_order_is_kept(tmp_path):
    parts = frozenset({"name", "summary"})
    with dressed_house(tmp_path, parts=parts) as house:
        a_library(house)
        house.want(*range(10_000, 10_001 + MANY_SCENES))
        assert SCENES_FIRST not in [finding.outcome for finding in house.worker.dressing.inspector.look(ids_of(house))]


# --- what has no collections -----------------------------------------------------------------------------------------


def test_a_library_whose_collections_are_not_synced_has_none_to_dress(tmp_path):
    rules = replace(profile(**EVERYTHING), fields=frozenset(FIELDS) - {"collection"})
    with dressed_house(tmp_path) as house:
        house.replace_worker(profile=rules)
        begin(house, {"studio": "Acme", "groups": ["Trilogy"]})
        assert rows(house) == {}
        house.worker.reconciler.reconcile()
        house.work_until_settled()
        assert rows(house) == {}


def test_the_numbers_of_scenes_are_compared_though_a_library_has_another_key_by_now(tmp_path):
    with dressed_house(tmp_path, minimum=2) as house:
        begin(house, {"studio": "Acme"}, {"studio": "Acme"})
        redress(house)
        house.worker.reconciler.reconcile()
        comparison = house.worker.dressing.comparison
        comparison.compare()
        house.work_until_settled()
        house.change("update collection set section = '99'")
        assert comparison.compare() == 0
        want(house)
        house.clock.move(3)
        house.work_until_settled()
        assert rows(house)["Acme"].section == house.section


# --- what takes the place of one -------------------------------------------------------------------------------------


def test_nothing_of_an_undone_collection_is_remembered_of_the_smart_one_that_took_its_place(tmp_path):
    with dressed_house(tmp_path, **EVERYTHING) as house:
        (id,) = begin(house, {"studio": "Acme"})
        item = house.key_of(id)
        undo(house)
        assert rows(house)["Acme"].undone == "undo"
        house.plex_sim.hand_edit(item, collection=[])
        smart = house.plex_sim.add_smart_collection(house.section, "Acme", [item])
        redress(house)
        row = rows(house)["Acme"]
        assert (row.item, row.owner, row.undone, row.memory, row.pushing) == (smart, "foreign", "", {}, ())
        assert want_collections(house.store, house.clock, [row.id], redone) == []
        assert key_of(house, "Acme") == smart

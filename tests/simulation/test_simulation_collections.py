"""Lives with dressed collections: see sim_collections.

A seed that fails prints its history, and fails again the same way:
`python -m tests.simulation.sim_collections SEED 1 STEPS`. PLEXSYNC_TORTURE=1 lives 1,000 seeds of 160 steps.
"""

import os
from contextlib import closing

import pytest

from plexsync.engine.tickets import READ_STASH
from plexsync.flows.collections import findings
from plexsync.flows.collections.inspection import CollectionInspector
from plexsync.rules.merge.plan_records import Policy
from plexsync.rules.queue.job import HOUR
from plexsync.rules.records import PaceRow
from tests.simulation.running import Report, listening
from tests.simulation.sim_collections import (
    CollectionsEnding,
    CollectionsTruth,
    CollectionsWorld,
    run_collection_seed,
    run_collection_seeds,
)
from tests.simulation.sim_curators import Curators, Hand

TORTURE = bool(os.environ.get("PLEXSYNC_TORTURE"))
COUNT, STEPS, PARTS = (1000, 160, 20) if TORTURE else (8, 100, 1)
FIRST = 1
# The first of them, which the quick tests live.
FEW = 2


def lived(first: int, count: int, steps: int) -> Report:
    """Live so many seeds, and judge them."""
    report = run_collection_seeds(first, count, steps)
    assert not report.failures, "\n\n".join(map(str, report.failures[:2]))
    assert report.tally["judged"] > 10 * count
    assert report.tally["judged hand"] > count
    assert report.tally["uploads"] > count
    return report


def test_in_a_few_lives_collections_show_what_stash_says_and_what_a_person_has_set():
    lived(FIRST, FEW, 100)


@pytest.mark.long
@pytest.mark.timeout(3600 if TORTURE else 900)
@pytest.mark.parametrize("part", range(PARTS))
def test_whatever_happens_collections_show_what_stash_says_and_what_a_person_has_set(part):
    count = COUNT // PARTS
    assert lived(FIRST + FEW + part * count, count, STEPS).tally["kills"]


def test_a_life_with_collections_is_the_same_one_again():
    digests = {run_collection_seed(3, 20)[2] for _ in range(2)}
    assert len(digests) == 1


@pytest.mark.parametrize("is_saved", [True, False])
def test_a_hand_that_puts_back_what_was_there_shows_only_if_the_write_in_between_was_saved(is_saved):
    truth, home = CollectionsTruth(), ("31", "home")
    truth.note_read(*home, ())
    truth.save_reads()
    truth.note_read(*home, ("home",))
    if is_saved:
        truth.save_reads()
    truth.forget_reads()
    truth.hands[home] = Hand((), 1, ("home",))
    truth.note_read(*home, ())
    assert (home in truth.noticed) == is_saved


def test_what_a_hand_sets_between_a_write_and_its_read_back_counts_as_read_back_and_what_it_sets_later_does_not():
    truth, summary = CollectionsTruth(), ("31", "summary")
    truth.note_read(*summary, "before")
    truth.unread.add(summary)
    truth.hands[summary] = Hand("Hand 1", 1, "ours")
    truth.note_read(*summary, "Hand 1")
    assert summary not in truth.noticed
    truth.hands[summary] = Hand("Hand 2", 2, "ours")
    truth.note_read(*summary, "Hand 2")
    assert summary in truth.noticed


def test_what_a_hand_has_emptied_may_be_written_again_once_an_undo_of_its_collection_ends(tmp_path):
    with listening(), closing(CollectionsWorld(2, tmp_path)) as world:
        people = world.people = Curators(world)
        CollectionsEnding(world, people).judge()
        hands = world.truth.hands = {(key, "home"): Hand((), 1, ("home",)) for _, key in people.ours()}
        people.undo()
        assert len(hands.keys() & people.open_parts) == 1


def test_a_life_is_at_rest_only_once_all_was_compared_however_long_a_server_asked_to_wait(tmp_path):
    # No hook is heard in this one, so nothing waits before the first comparison.
    with listening(), closing(CollectionsWorld(60446, tmp_path)) as world:
        people = world.people = Curators(world)
        world.at_rest = True
        with world.process.store.writing() as tx:
            tx.paces.save(READ_STASH.row, PaceRow(not_before=world.clock.now() + HOUR))
        CollectionsEnding(world, people).judge()
    assert world.tally["judged"]


def found_by(*seeds: int) -> str:
    """What is wrong with the first of these lives that fails."""
    failures = (run_collection_seed(seed, STEPS)[0] for seed in seeds)
    return next((failure.text for failure in failures if failure is not None), "")


def test_a_product_that_writes_over_the_work_of_a_hand_is_found(monkeypatch):
    def forgetful(values, item, memory, pushing, policy):
        return plan(values, item, {}, (), Policy(first_push="stash"))

    plan = findings.plan
    monkeypatch.setattr(findings, "plan", forgetful)
    assert "was edited by hand" in found_by(1, 2, 3)


def test_a_product_that_dresses_what_is_not_its_own_is_found(monkeypatch):
    monkeypatch.setattr(CollectionInspector, "_owner", lambda *_: "ours")
    assert "foreign collection" in found_by(1, 2, 3)

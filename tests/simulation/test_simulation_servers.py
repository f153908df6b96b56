"""Lives in which servers and databases are replaced, restored and lost: see sim_servers.

A seed that fails prints its history, and fails again the same way: `python -m tests.simulation.sim_servers SEED 1 STEPS`.
PLEXSYNC_TORTURE=1 lives 2,000 seeds, PLEXSYNC_SEEDS so many more.
"""

import os
from contextlib import closing
from functools import partial

import pytest

from plexsync.engine.server_identity import ServerIdentity
from plexsync.rules.merge.plan_records import Pushing, Sending
from plexsync.rules.merge.values import Held
from tests.simulation.running import Lives, listening
from tests.simulation.sim_changes import ServerPeople
from tests.simulation.sim_servers import (
    CHANGES,
    LIVES,
    ServerEnding,
    ServerWorld,
    drawn_changes,
    run_server_seed,
    run_server_seeds,
)

TORTURE = bool(os.environ.get("PLEXSYNC_TORTURE"))
# How many of these lives the sample lives.
SAMPLE_OF_SERVER_LIVES = 30
SEEDS = int(os.environ.get("PLEXSYNC_SEEDS") or (2000 if TORTURE else SAMPLE_OF_SERVER_LIVES))
STEPS = 200
PARTS = 20 if TORTURE else 2
# The first of them, which the quick tests live.
FEW = 4


def lives_with(kinds):
    """Lives in which only these changes can happen to servers."""
    return Lives(partial(ServerWorld, kinds=kinds), LIVES.live)


def lived(first, count):
    """Live so many seeds, and judge them."""
    report = run_server_seeds(first, count, STEPS)
    assert not report.failures, "\n\n".join(map(str, report.failures[:2]))
    assert report.tally["writes"] >= count


def test_whatever_happens_to_servers_in_a_few_lives_no_hand_is_lost_and_nothing_is_wrong_or_stuck_in_silence():
    lived(1, FEW)


@pytest.mark.long
@pytest.mark.timeout(3600 if TORTURE else 900)
@pytest.mark.parametrize("part", range(PARTS))
def test_whatever_happens_to_servers_no_hand_is_lost_nothing_is_wrong_and_nothing_is_stuck_in_silence(part):
    count = SEEDS // PARTS
    lived(1 + FEW + part * count, count)


def test_every_change_happens_in_some_life():
    assert {change for seed in range(1, 40) for change in drawn_changes(seed)} == set(CHANGES)


def test_of_what_plex_shows_again_from_a_backup_that_is_older_than_a_loss_no_more_is_known_than_of_the_rest(tmp_path):
    with listening(), closing(ServerWorld(1, tmp_path, ("plex restored", "data folder lost"))) as world:
        people = world.people = ServerPeople(world)
        people.make_copies()
        people.lose_folder()
        people.restore_plex()
        shown = [world.truth.items[key] for key in people.visible()]
    assert shown
    assert all(one.found_after_loss["title"] == one.stranded["title"] for one in shown)


def test_what_an_item_shows_of_which_a_swap_of_files_has_lost_the_memory_may_be_put_back_later(tmp_path):
    with listening(), closing(ServerWorld(2, tmp_path, ("files swapped",))) as world:
        people = world.people = ServerPeople(world)
        people.swap_files()
        keys = [key for key, _ in people.swapped]
        people.note_swapped()
        found = {key: world.truth.items[key].found_after_loss["title"] for key in keys}
        assert found == {key: world.plex.item(key).scalars["title"] for key in keys}
    assert len(keys) == 2


def test_what_a_saved_push_brings_after_a_swap_of_files_counts_as_a_hands_like_all_that_the_item_showed(tmp_path):
    with listening(), closing(ServerWorld(2, tmp_path, ("files swapped",))) as world:
        people = world.people = ServerPeople(world)
        world.at_rest = True
        people.swap_files()
        saved, other = (key for key, _ in people.swapped)
        late, before = Held(("late",), locked=True), Held((), locked=False)
        with world.process.store.writing() as tx:
            tx.pushings.add(1, saved, Pushing({"genre": Sending(("late",), late, before, before)}, until=1))
        for key in (saved, other):
            world.plex.hand_edit(key, genre=["late"])
        people.note_swapped()
        stranded = [world.truth.items[key].stranded["genre"] for key in (saved, other)]
    assert ["late" in names for names in stranded] == [True, False]


def test_a_hand_on_the_texts_of_an_item_with_other_files_that_nobody_has_looked_at_loses_its_memory(tmp_path):
    with listening(), closing(ServerWorld(2, tmp_path, ("files swapped",))) as world:
        people = world.people = ServerPeople(world)
        ServerEnding(world, people).judge()
        while not any(shown.once for shown in world.truth.items.values()):
            people.swap_files()
        assert not people.swapped
        for _ in range(300):
            people.hand()
        swapped = {key for key, shown in world.truth.items.items() if shown.once}
        assert {key for key, _ in people.swapped} == swapped


def test_a_life_with_changes_is_the_same_one_again():
    digests = {run_server_seed(3, 60)[2] for _ in range(2)}
    assert len(digests) == 1


def test_a_product_that_does_not_ask_who_the_server_is_is_found(monkeypatch):
    monkeypatch.setattr(ServerIdentity, "check", lambda self: None)
    monkeypatch.setattr(ServerWorld, "has_met_plex", lambda self: True)
    assert lives_with(("plex reinstalled",)).run(1, 8, 80).wrong


def test_lives_without_a_change_end_well():
    report = lives_with(()).run(1, 4, 120)
    assert not report.failures, "\n\n".join(map(str, report.failures[:2]))
    assert report.tally["writes"]

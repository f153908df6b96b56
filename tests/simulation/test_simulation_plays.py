"""Lives in which plays come back from Plex: see sim_plays.

A seed that fails prints its history, and fails again the same way: `python -m tests.simulation.sim_plays SEED 1 STEPS`.
PLEXSYNC_TORTURE=1 lives 2,000 seeds of 200 steps, PLEXSYNC_SEEDS so many more.
"""

import os
from contextlib import closing
from dataclasses import replace

import pytest

from plexsync.flows.plays.history_poll import HistoryPoll
from plexsync.rules.plays import plays
from plexsync.rules.plays.play_wishes import REDO
from plexsync.rules.plays.plays import PlaySource, PlayState, RememberedPlay
from plexsync.rules.queue.note_keys import PLAYS_COMPARED
from plexsync.rules.servers.errors import Neighbour
from tests.simulation.sim_plays import PlaysEnding, PlaysWorld, run_play_seed, run_play_seeds
from tests.simulation.sim_watchers import Watchers, key_of

TORTURE = bool(os.environ.get("PLEXSYNC_TORTURE"))
# How many of these lives the sample lives, and how long each is.
SAMPLE_OF_PLAY_LIVES, SAMPLE_STEPS = 12, 120
SEEDS = int(os.environ.get("PLEXSYNC_SEEDS") or (2000 if TORTURE else SAMPLE_OF_PLAY_LIVES))
STEPS = 200 if TORTURE else SAMPLE_STEPS
PARTS = 20 if TORTURE else 1
FIRST = 1000
# The first of them, which the quick tests live.
FEW = 3


def lived(first, count, steps):
    """Live so many seeds, and judge them."""
    report = run_play_seeds(first, count, steps)
    assert not report.failures, "\n\n".join(map(str, report.failures[:2]))
    assert report.tally["plays added"] > count
    assert report.tally["judged once"] > count
    assert report.tally["kills"]


def test_in_a_few_lives_each_play_is_in_stash_once_or_was_deleted_by_a_person():
    lived(FIRST, FEW, SAMPLE_STEPS)


@pytest.mark.long
@pytest.mark.timeout(3600 if TORTURE else 900)
@pytest.mark.parametrize("part", range(PARTS))
def test_whatever_happens_each_play_is_in_stash_once_or_was_deleted_by_a_person(part):
    count = SEEDS // PARTS
    lived(FIRST + FEW + part * count, count, STEPS)


def test_a_life_with_plays_is_the_same_one_again():
    digests = {run_play_seed(3, 20)[2] for _ in range(2)}
    assert len(digests) == 1


def test_an_undo_that_only_the_journal_knows_may_still_be_done(tmp_path):
    with closing(PlaysWorld(1, tmp_path)) as world:
        people = world.people = Watchers(world)
        scene = people.scenes()[0]
        second = key_of(scene), 1_760_001_000
        play = RememberedPlay(PlaySource("1"), PlayState.SENT)
        with world.process.store.writing() as tx:
            tx.plays.save(scene.id, scene.created_at, {second[1]: play})
        assert people.memory(second) == ("sent", True)
        people.wished.add(second)
        assert people.memory(second) == ("removing", True)


@pytest.mark.parametrize("is_put_back", [True, False])
def test_a_row_beside_one_that_only_the_journal_knows_may_be_taken_for_a_doubled_one(tmp_path, is_put_back):
    with closing(PlaysWorld(1, tmp_path)) as world:
        people = world.people = Watchers(world)
        people.is_put_back = is_put_back
        scene, moment = people.scenes()[0], int(world.stash.now())
        world.stash.plays.add(scene.id, [moment])
        world.truth.note_play(world.truth.of(scene)[0], moment, chosen=True)
        people.watch_in_stash(scene)
        assert world.truth.allowed[key_of(scene), moment] == ({1, 2} if is_put_back else {2})


@pytest.mark.parametrize("is_put_back", [True, False])
def test_what_was_taken_back_and_only_the_journal_knows_may_be_sent_again_after_a_redo(tmp_path, is_put_back):
    with closing(PlaysWorld(1, tmp_path)) as world:
        people = world.people = Watchers(world)
        people.is_put_back = is_put_back
        scene = people.scenes()[0]
        second = key_of(scene), 1_760_001_000
        world.truth.note_undone(second, sure=True)
        people.redo(scene)
        assert world.truth.allowed[second] == ({0, 1} if is_put_back else {0})


def test_a_page_from_before_a_restore_of_plex_does_not_come_again(tmp_path):
    with closing(PlaysWorld(1, tmp_path)) as world:
        people = world.people = Watchers(world)
        world.restores = ("plex restored",)
        world.replays = 0.0
        world.poll_history()
        assert world.pages
        people.make_copies()
        people.restore_plex()
        assert not world.pages


@pytest.mark.parametrize(("kind", "made"), [("", True), ("502", None)])
def test_a_wish_for_a_scene_that_stash_does_not_tell_of_is_not_made(tmp_path, kind, made):
    with closing(PlaysWorld(1, tmp_path)) as world:
        people = world.people = Watchers(world)
        world.weather[Neighbour.STASH].kind = kind
        world.weather[Neighbour.STASH].until = world.clock.steady + 60
        world.nature = replace(world.nature, blips=0.0)
        assert people._wished(REDO, people.scenes()[0]) is made


def test_a_play_in_plex_of_which_a_persons_row_tells_already_may_be_left_out(tmp_path):
    with closing(PlaysWorld(1, tmp_path)) as world:
        people = world.people = Watchers(world)
        scene, other, moment, length = key_of(people.scenes()[0]), key_of(people.scenes()[1]), 1_760_001_000, 60.0
        world.truth.note_added((scene, moment), 1, "", played=True, sure=True)
        explained = {late for late in range(-200, 1_200) if world.truth.is_explained((scene, moment + late), length)}
        assert explained == {*range(-120, 961)} - {0}
        assert not world.truth.is_explained((other, moment + 1), length)


@pytest.mark.parametrize("hours", [0, 12, 36])
def test_at_the_end_the_daily_comparison_is_due_also_if_the_clock_was_set_back_after_the_last_one(tmp_path, hours):
    with closing(PlaysWorld(1, tmp_path)) as world:
        people = world.people = Watchers(world)
        with world.process.store.writing() as tx:
            tx.notes.save(PLAYS_COMPARED, f"{world.clock.now() + hours * 3_600_000} /")
        PlaysEnding(world, people)._pass_days()
        assert world.process.back.comparison.is_due()


def found_by(*seeds: int) -> str:
    """What is wrong with the first of these lives that fails."""
    failures = (run_play_seed(seed, SAMPLE_STEPS)[0] for seed in seeds)
    return next((failure.text for failure in failures if failure is not None), "")


def test_a_product_that_brings_back_what_a_person_deleted_is_found(monkeypatch):
    def sent_again(remembered, source, rows):
        is_missing = source and not rows and not remembered.undone
        return plays._add(source) if is_missing else after_sent(remembered, source, rows)

    after_sent = plays._after_sent
    monkeypatch.setattr(plays, "_after_sent", sent_again)
    assert "was deleted or undone, and was added again" in found_by(*range(1012, 1042))


def test_a_product_that_takes_the_plays_of_another_account_is_found(monkeypatch):
    monkeypatch.setattr(HistoryPoll, "account", lambda self: 2 if self.rules.account == "" else 1)
    monkeypatch.setattr(HistoryPoll, "approved_since", lambda self, db: 0)
    assert "was never played at" in found_by(13, 14)


def test_a_product_that_leaves_what_came_twice_is_found(monkeypatch):
    def left(remembered, source, rows):
        return after_sent(remembered, source, min(1, rows))

    after_sent = plays._after_sent
    monkeypatch.setattr(plays, "_after_sent", left)
    assert "has 2 plays" in found_by(*range(20, 70))

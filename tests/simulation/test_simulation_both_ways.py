"""Lives in which ratings go both ways, resume points come back, and people import: see sim_both_ways.

A seed that fails prints its history, and fails again the same way:
`python -m tests.simulation.sim_both_ways SEED 1 STEPS`. PLEXSYNC_TORTURE=1 lives 2,000 seeds of 200 steps, PLEXSYNC_SEEDS
so many more.
"""

import json
import os
from contextlib import closing, nullcontext
from dataclasses import replace

import pytest

from plexsync.flows.imports import importer
from plexsync.flows.plays import ratings as rating_flows
from plexsync.rules.item import ViewState
from plexsync.rules.merge.taken_back import TakenBack
from plexsync.rules.plays import ratings
from plexsync.rules.plays.resume import RememberedResume, Watched
from plexsync.simulator.http import Request
from tests.simulation.sim_both_truth import NONE, STASH, RatingTruth
from tests.simulation.sim_both_ways import HAPPENINGS, BothWorld, run_both_seed, run_both_seeds
from tests.simulation.sim_plays import RESTORES
from tests.simulation.sim_raters import Raters
from tests.simulation.sim_truth import Violation

TORTURE = bool(os.environ.get("PLEXSYNC_TORTURE"))
SEEDS = int(os.environ.get("PLEXSYNC_SEEDS") or (2000 if TORTURE else 40))
STEPS = 200 if TORTURE else 120
PARTS = 20 if TORTURE else 1
FIRST = 7
# The first of them, which the quick tests live, and not so long.
FEW, FEW_STEPS = 14, 80
# What happens in fewer than one life of forty.
RARE = () if TORTURE else ("judged undone ratings",)


def lived(first: int, count: int, steps: int, *needed: str) -> None:
    """Live so many seeds, and judge them."""
    report = run_both_seeds(first, count, steps)
    assert not report.failures, "\n\n".join(map(str, report.failures[:2]))
    assert [name for name in needed if not report.tally[name]] == []


@pytest.mark.long
def test_in_a_few_lives_ratings_resume_points_and_imports_are_as_people_have_left_them():
    sent = ("rated in Plex", "rated in Stash", "resume points", "fields imported", "fields emptied", "names created")
    lived(FIRST, FEW, FEW_STEPS, "kills", *sent, "judged ratings exactly", "judged taken back")


@pytest.mark.long
@pytest.mark.timeout(3600 if TORTURE else 900)
@pytest.mark.parametrize("part", range(PARTS))
def test_whatever_happens_ratings_resume_points_and_imports_are_as_people_have_left_them(part):
    count = SEEDS // PARTS
    needed = [name for name in (*HAPPENINGS, *RESTORES) if name not in RARE]
    lived(FIRST + FEW + part * count, count, STEPS, "kills", *needed)


def test_a_life_with_ratings_resume_points_and_imports_is_the_same_one_again():
    digests = {run_both_seed(2, 20)[2] for _ in range(2)}
    assert len(digests) == 1


@pytest.mark.parametrize("is_undone", [True, False])
def test_what_an_undo_has_left_may_stay_when_plex_is_restored_once_more(is_undone):
    truth, apart = RatingTruth(), {STASH: 50, "7": NONE}
    if is_undone:
        truth.undone(apart, at_rest=False)
        truth.unsettle(apart)
    truth.restored_in_plex(apart)
    assert (truth.agreed, truth.stays) == ({50}, apart if is_undone else None)
    truth.note(STASH, 80, at_rest=True)
    assert (truth.agreed, truth.stays) == ({80}, None)


def test_of_two_ratings_of_one_second_either_may_count_until_plex_is_rated_again():
    truth = RatingTruth()
    truth.note("20", 75, at_rest=False)
    truth.note("21", 60, at_rest=False, at_once=True)
    truth.note(STASH, 68, at_rest=False)
    assert truth.agreed == {75, 60, 68}
    truth.note("21", 50, at_rest=False)
    assert truth.agreed == {50, 68}


def test_a_viewing_that_a_restored_plex_brings_back_and_nobody_has_dealt_with_may_count(tmp_path):
    with closing(BothWorld(1, tmp_path)) as world:
        world.restores, world.brings_resume = ("plex restored",), True
        people = world.people = Raters(world)
        people.finish_scan(people.sections[0])
        key = people.visible()[0]
        scene = people.scene_of(world.truth.content_of[key])
        world.plex.pause(key, 3842)
        people.make_copies()
        people.readd_item(key)
        people.resume_of(scene).note(21_000)
        people.restore_plex()
        assert 3842 in people.resume_of(scene).allowed


def test_a_play_that_is_older_than_a_viewing_of_an_item_that_is_gone_may_leave_the_resume_point_alone(tmp_path):
    with closing(BothWorld(1, tmp_path)) as world:
        world.brings_resume = True
        people = world.people = Raters(world)
        people.finish_scan(people.sections[0])
        key = people.visible()[0]
        scene, now = people.scene_of(world.truth.content_of[key]), int(world.plex.now())
        remembered = RememberedResume(Watched("99", ViewState(moment=now, offset=3842, count=1)), 0, 0)
        with world.process.store.writing() as tx:
            tx.watches.save(scene.id, scene.created_at, remembered)
        people.resume_of(scene).note(21_000)
        for at, allowed in ((now - 60, {0, 21_000}), (now + 60, {0})):
            before = people._viewings(scene)
            world.plex.play(key, at=at)
            people._is_watched(scene, key, before)
            assert people.resume_of(scene).allowed == allowed


def test_a_rating_that_was_cleared_before_a_scene_was_made_anew_may_count_with_its_own(tmp_path):
    with closing(BothWorld(1, tmp_path)) as world:
        people = world.people = Raters(world)
        people.finish_scan(people.sections[0])
        key = people.visible()[0]
        id = people.scene_of(world.truth.content_of[key]).id
        world.stash.edit_scene(id, rating100=68)
        scene = world.stash.scene(id)
        people._begins(scene)
        assert people.rating_of(scene).agreed == {68}
        for rating in (70, NONE):
            world.rate_in_plex(key, rating)
            people._begins(scene)
            assert people.rating_of(scene).agreed == {68, rating}


def test_a_viewing_from_before_the_clock_was_set_back_is_not_the_last_word_on_a_resume_point(tmp_path):
    with closing(BothWorld(1, tmp_path)) as world:
        world.brings_resume = True
        people = world.people = Raters(world)
        people.finish_scan(people.sections[0])
        key = people.visible()[0]
        scene, now = people.scene_of(world.truth.content_of[key]), int(world.plex.now())
        world.plex.play(key, at=now)
        remembered = RememberedResume(Watched("99", ViewState(moment=now + 60, offset=3842, count=1)), 0, 0)
        with world.process.store.writing() as tx:
            tx.watches.save(scene.id, scene.created_at, remembered)
        assert people.is_resume_at_rest(scene)
        world.clock.leap(-400 * 86_400)
        assert not people.is_resume_at_rest(scene)


def test_an_item_that_was_left_in_the_second_of_another_one_may_be_the_only_one_that_is_known(tmp_path):
    with closing(BothWorld(1, tmp_path)) as world:
        world.brings_resume = True
        people = world.people = Raters(world)
        content = world.truth.contents[people.scenes()[0].files[0][0]]
        for section in people.sections:
            people.show(section, content)
        scene = people.scene_of(content)
        for key, offset in zip(people.items_of(scene)[-2:], (30_000, 4012), strict=True):
            before = people._viewings(scene)
            world.plex.pause(key, offset)
            people._is_watched(scene, key, before)
        assert people.resume_of(scene).allowed == {30_000}
        assert 4012 in people.resume_of(scene).ever


@pytest.mark.parametrize("is_asked", [True, False])
def test_a_resume_point_that_is_to_be_put_back_when_stash_is_restored_may_be_that_of_before(tmp_path, is_asked):
    with closing(BothWorld(1, tmp_path)) as world:
        people = world.people = Raters(world)
        scene = people.scenes()[0]
        remembered = RememberedResume(Watched("99", ViewState(moment=1, count=1)), 0, 40_500)
        with world.process.store.writing() as tx:
            undone = TakenBack.UNDO if is_asked else TakenBack.NO
            tx.watches.save(scene.id, scene.created_at, replace(remembered, undone=undone))
        people.resume_of(scene).note(40_500)
        people._is_restored(scene, (people.sides(scene), True, True))
        assert people.resume_of(scene).allowed == ({0, 40_500} if is_asked else {0})


def test_what_was_replaced_on_an_item_that_nobody_has_rated_is_known_after_both_sides_were_rated():
    truth = RatingTruth()
    truth.written("7", NONE, 80, raced=False)
    truth.decided(100, "8", 50, 100)
    truth.written("7", 80, 100, raced=False)
    truth.written("8", 50, 100, raced=False)
    truth.undone({STASH: 100, "7": 100, "8": 100}, at_rest=True)
    assert truth.apart == {STASH: {100}, "7": {NONE}, "8": {50}}


@pytest.mark.parametrize("is_sent", [True, False])
def test_a_value_that_a_person_sets_is_the_import_s_as_well_if_a_fill_without_an_answer_was_to_write_it(
    tmp_path, is_sent
):
    with closing(BothWorld(1, tmp_path)) as world:
        world.people = Raters(world)
        id = world.stash.scene_ids()[0]
        world.stash.edit_scene(id, performers=("Ann",))
        before = world.stash.scene(id)
        (ann,) = [key for key, record in world.stash.data.performers.items() if record.name == "Ann"]
        if is_sent:
            variables = {"input": {"id": str(id), "performer_ids": [str(ann)]}}
            body = json.dumps({"query": "mutation Fill(", "variables": variables}).encode()
            world.note_sent(Request("POST", "/graphql", {}, body=body))
        world.stash.edit_scene(id, performers=())
        with nullcontext() if is_sent else pytest.raises(Violation, match="no import had filled it"):
            world._judge_filled(before, world.stash.scene(id), raced=False)


def found_by(*seeds: int) -> str:
    """What is wrong with the first of these lives that fails."""
    failures = (run_both_seed(seed, FEW_STEPS)[0] for seed in seeds)
    return next((failure.text for failure in failures if failure is not None), "")


def test_a_product_whose_undo_of_an_import_empties_what_a_person_has_set_is_found(monkeypatch):
    monkeypatch.setattr(importer, "is_as_written", lambda change, present: present is not None)
    assert "was emptied, and no import had filled it" in found_by(1)


def test_a_product_that_lets_the_other_side_win_is_found(monkeypatch):
    def other_wins(memory, stash, plex, wins, **times):
        return plan_rating(memory, stash, plex, "plex" if wins == "stash" else "stash", **times)

    plan_rating = ratings.plan_rating
    monkeypatch.setattr(rating_flows, "plan_rating", other_wins)
    assert "the rating of scene" in found_by(16, 17)

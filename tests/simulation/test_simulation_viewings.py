"""Lives of a living room: see sim_viewings.

A seed that fails prints its history, and fails again the same way: `python -m tests.simulation.sim_viewings SEED 1 STEPS`.
PLEXSYNC_TORTURE=1 lives 1,000 seeds of 100 steps, PLEXSYNC_SEEDS so many more.
"""

import os

import pytest

from plexsync.flows.plays import flow, viewings
from plexsync.flows.plays.recovery import PlaysRecovery
from plexsync.rules.plays import play_time
from tests.simulation.sim_viewing_truth import GAP, PAUSED, PLAYING, STOPPED, TAKEN_DOWN, Report, SceneTruth, Watching
from tests.simulation.sim_viewings import run_room_seed, run_room_seeds

TORTURE = bool(os.environ.get("PLEXSYNC_TORTURE"))
STEPS = 100
# So many lives have more than 200 viewings.
SAMPLE_OF_ROOM_LIVES = 20
SEEDS = int(os.environ.get("PLEXSYNC_SEEDS") or (1000 if TORTURE else SAMPLE_OF_ROOM_LIVES))
PARTS = 20 if TORTURE else 1
# The first of them, which the quick tests live.
FEW = 3


def lived(first, count):
    """Live so many seeds, and judge them."""
    report = run_room_seeds(first, count, STEPS)
    assert not report.failures, "\n\n".join(map(str, report.failures[:2]))
    assert report.tally["judged once"] >= count
    assert report.tally["plays added"] > count
    assert report.tally["kills"]
    return report


def test_in_a_few_lives_what_is_watched_in_plex_is_in_stash_once():
    lived(0, FEW)


@pytest.mark.long
@pytest.mark.timeout(3600 if TORTURE else 900)
@pytest.mark.parametrize("part", range(PARTS))
def test_whatever_happens_what_is_watched_in_plex_is_in_stash_once(part):
    count = SEEDS // PARTS
    report = lived(FEW + part * count, count)
    assert report.tally["viewings"] > 10 * count


def test_a_life_of_a_living_room_is_the_same_one_again():
    digests = {run_room_seed(3, 30)[2] for _ in range(2)}
    assert len(digests) == 1


def watched(*reports: tuple[int, int, str], **more: object) -> Watching:
    """A go of a player with reports of (second, place in seconds, state), all heard."""
    heard = [Report(float(at), float(at), 1000 * place, state, TAKEN_DOWN) for at, place, state in reports]
    return Watching(1, "1", "den", 1, 100_000, heard, **more)


def test_the_model_counts_what_was_played_between_two_reports_and_no_pause_and_no_leap():
    watching = watched((0, 0, PLAYING), (10, 10, PAUSED), (40, 10, PLAYING), (50, 90, PLAYING), (55, 95, STOPPED))
    assert watching.played(surely=True) == 25_000
    assert watched((0, 0, PLAYING), (70, 70, PLAYING)).played(surely=False) == 0


@pytest.mark.parametrize(
    ("minimum", "percent", "must"), [("stash", 0, True), ("stash", 50, False), ("plex", 0, False), ("45s", 0, False)]
)
def test_the_model_asks_for_a_play_by_the_rule_in_force(minimum, percent, must):
    truth = SceneTruth(100_000, watched=[watched((0, 0, PLAYING), (20, 20, PLAYING), (40, 40, STOPPED))])
    (claim,) = truth.claims(1, minimum, percent, lambda _: False)
    assert claim.must is must
    assert truth.claims(2, minimum, percent, lambda _: False) == []


def found_by(*seeds: int) -> str:
    """What is wrong with the first of these lives that fails."""
    failures = (run_room_seed(seed, STEPS)[0] for seed in seeds)
    return next((failure.text for failure in failures if failure is not None), "")


def test_a_product_that_takes_a_row_of_the_history_for_another_play_is_found(monkeypatch):
    monkeypatch.setattr(flow, "twins", lambda *_, **__: set())
    assert "are of no viewing, or too many" in found_by(0, 1, 2)


def test_a_product_that_counts_what_was_leapt_over_is_found(monkeypatch):
    def counted(viewing, report, *, at, step):
        leapt = min(report.offset - viewing.place, GAP)
        return after_report(viewing, report, at=at, step=max(step, leapt))

    after_report = viewings.after_report
    monkeypatch.setattr(viewings, "after_report", counted)
    assert "of the play time of scene" in found_by(*range(8))


def test_a_product_that_sends_play_time_again_whose_end_is_unknown_is_found(monkeypatch):
    def sent_again(memory, total):
        return play_time._with_others(memory, total), False

    monkeypatch.setattr(play_time, "_after_add", sent_again)
    assert "play time of scene" in found_by(0, 1, 2, 3)


def test_a_product_that_forgets_what_was_heard_before_a_kill_is_found(monkeypatch):
    monkeypatch.setattr(PlaysRecovery, "check", lambda self, **_: None)
    monkeypatch.setattr(viewings, "goes_on", lambda *_, **__: False)
    assert found_by(*range(12))

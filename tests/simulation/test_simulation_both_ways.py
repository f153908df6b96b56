"""Lives in which ratings go both ways, resume points come back, and people import: see sim_both_ways.

A seed that fails prints its history, and fails again the same way:
`python -m tests.simulation.sim_both_ways SEED 1 STEPS`. PLEXSYNC_TORTURE=1 lives 2,000 seeds of 200 steps, PLEXSYNC_SEEDS
so many more.
"""

import os

import pytest

from tests.simulation.sim_both_ways import HAPPENINGS, run_both_seed, run_both_seeds
from tests.simulation.sim_plays import RESTORES

TORTURE = bool(os.environ.get("PLEXSYNC_TORTURE"))
SEEDS = int(os.environ.get("PLEXSYNC_SEEDS") or (2000 if TORTURE else 40))
STEPS = 200 if TORTURE else 120
PARTS = 20 if TORTURE else 1
FIRST = 1
# The first of them, which the quick tests live, and not so long.
FEW, FEW_STEPS = 6, 80


def lived(first: int, count: int, steps: int, *needed: str) -> None:
    """Live so many seeds, and judge them."""
    report = run_both_seeds(first, count, steps)
    assert not report.failures, "\n\n".join(map(str, report.failures[:2]))
    assert [name for name in needed if not report.tally[name]] == []


def test_in_a_few_lives_ratings_resume_points_and_imports_are_as_people_have_left_them():
    sent = ("rated in Plex", "rated in Stash", "resume points", "fields imported", "fields emptied", "names created")
    lived(FIRST, FEW, FEW_STEPS, "kills", *sent, "judged ratings exactly", "judged taken back")


@pytest.mark.long
@pytest.mark.timeout(3600 if TORTURE else 900)
@pytest.mark.parametrize("part", range(PARTS))
def test_whatever_happens_ratings_resume_points_and_imports_are_as_people_have_left_them(part):
    count = SEEDS // PARTS
    lived(FIRST + FEW + part * count, count, STEPS, "kills", *HAPPENINGS, *RESTORES)


def test_a_life_with_ratings_resume_points_and_imports_is_the_same_one_again():
    digests = {run_both_seed(2, 20)[2] for _ in range(2)}
    assert len(digests) == 1

"""The whole system in one thread, with a clock and chance of our own: whatever happens, nothing is lost, doubled or wrong.

Each seed is a life of its own: people in Stash and in Plex, scans, hooks, the poller, the comparison and the worker,
outages, kills, a clock that is set, a disk that fills up. In two lives of five nobody but a hook tells of anything, and they
are judged before a poll or a comparison could heal what was lost. A seed that fails prints its history, and fails again
the same way: `python -m tests.simulation.sim_run SEED 1 STEPS`. PLEXSYNC_TORTURE=1 lives 2,000 seeds of 500 steps,
PLEXSYNC_SEEDS so many more.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from plexsync.simulator.http import Fault
from tests.engine.house import House
from tests.simulation.sim_run import FOUND, FOUND_STEPS, run_seed, run_seeds

ROOT = Path(__file__).resolve().parents[2]
TORTURE = bool(os.environ.get("PLEXSYNC_TORTURE"))
SEEDS = int(os.environ.get("PLEXSYNC_SEEDS") or (2000 if TORTURE else 40))
STEPS = 500 if TORTURE else 200
PARTS = 20 if TORTURE else 2
FIRST = 1
# The first of them, which the quick tests live.
FEW = 6


def lived(first, count, steps):
    """Live so many seeds, and judge them."""
    report = run_seeds(first, count, steps)
    assert not report.failures, "\n\n".join(map(str, report.failures[:2]))
    assert report.tally["writes"] > count
    assert report.tally["kills"]
    assert report.tally["undone"]
    assert report.tally["pictures"] > count
    assert report.tally["judged by hooks"] > count // 2


def test_whatever_happens_in_a_few_lives_nothing_is_lost_doubled_or_wrong():
    lived(FIRST, FEW, 200)


@pytest.mark.long
@pytest.mark.timeout(3600 if TORTURE else 900)
@pytest.mark.parametrize("part", range(PARTS))
def test_whatever_happens_nothing_is_lost_doubled_or_wrong(part):
    count = SEEDS // PARTS
    lived(FIRST + FEW + part * count, count, STEPS)


@pytest.mark.parametrize("seed", FOUND, ids=FOUND.values())
def test_what_has_been_found_once_stays_mended(seed):
    failure, *_ = run_seed(seed, FOUND_STEPS)
    assert failure is None, str(failure)


def test_while_plex_cannot_say_where_an_item_went_its_look_alike_is_not_written_to(tmp_path):
    with House(tmp_path / "data") as house:
        (id,) = house.in_step()
        (path, size, _), *_ = house.stash_sim.scene(id).files
        look_alike = house.plex_sim.add_movie(
            house.section, files=[(path.replace("/media/", "/media/elsewhere/"), size, 60_000)], title="Another"
        )
        house.worker.indexer.freshen(force=True)
        house.plex_sim.readd(house.key_of(id))
        house.edit(id, title="Edited")
        house.plex_sim.faults.set(Fault("cut", times=1, when=lambda asked: "file" in asked.params))
        house.work_until_settled()
        assert house.plex_sim.item(look_alike).scalars["title"] == "Another"
        assert house.title_in_plex(id) == "Edited"


def test_a_seed_lives_the_same_life_in_every_process():
    lives = [
        subprocess.run(
            [
                sys.executable,
                "-c",
                "from tests.simulation.sim_run import run_seeds; print(run_seeds(7, 2, 60).digests)",
            ],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": number, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for number in ("1", "2")
    ]
    assert lives[0] == lives[1]

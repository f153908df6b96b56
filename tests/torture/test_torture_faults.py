"""A small sample of every torture: nothing is lost, doubled or wrong. `make torture` runs the full figures.

PLEXSYNC_SEED chooses another sample.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.chance import SEED
from tests.torture.__main__ import RUNS

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.skipif(sys.platform == "win32", reason="children are forked")
@pytest.mark.parametrize("fault", sorted(RUNS))
def test_a_sample_of_the_fault_matrix_loses_doubles_and_spoils_nothing(fault):
    words = ["-m", "tests.torture", "--sample", f"--run={fault}", f"--seed={SEED}"]
    done = subprocess.run([sys.executable, *words, "--json"], cwd=ROOT, capture_output=True, text=True, check=False)
    again = f"again: python {' '.join(words)}"
    scores = json.loads(done.stdout or "[]")
    trouble = [note for score in scores for note in score["notes"]]
    assert scores, f"{again}\n{done.stderr}"
    assert not trouble, "\n".join([again, *trouble])
    assert done.returncode == 0, f"{again}\n{done.stderr}"
    missing = [score["left_out"] for score in scores if score["left_out"]]
    if len(missing) == len(scores):
        pytest.skip(missing[0])
    assert all(score["cases"] for score in scores if not score["left_out"]), again

"""A small sample of every torture: nothing is lost, doubled or wrong. `make torture` runs the full figures."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.torture.__main__ import RUNS

ROOT = Path(__file__).resolve().parents[2]
SEED = 20


@pytest.mark.skipif(sys.platform == "win32", reason="children are forked")
@pytest.mark.parametrize("fault", sorted(RUNS))
def test_a_sample_of_the_fault_matrix_loses_doubles_and_spoils_nothing(fault):
    words = [sys.executable, "-m", "tests.torture", "--sample", f"--only={fault}", f"--seed={SEED}", "--json"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    scores = json.loads(done.stdout or "[]")
    trouble = [note for score in scores for note in score["notes"]]
    assert scores, done.stderr
    assert not trouble, "\n".join(trouble)
    assert done.returncode == 0, done.stderr
    missing = [score["left_out"] for score in scores if score["left_out"]]
    if len(missing) == len(scores):
        pytest.skip(missing[0])
    assert all(score["cases"] for score in scores if not score["left_out"])

"""A small sample of what can happen to a store in PostgreSQL: nothing is lost, doubled or wrong.

`python -m tests.torture --store postgres` runs the full figures. PLEXSYNC_SEED chooses another sample.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests import postgres_server
from tests.chance import SEED

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(bool(postgres_server.missing()), reason=postgres_server.missing())
SAMPLE = ("F4", "P1", "P2", "P3", "P4", "P5", "P6")


@pytest.mark.parametrize("fault", SAMPLE)
def test_a_sample_of_the_faults_of_a_server_loses_doubles_and_spoils_nothing(fault: str) -> None:
    words = ["-m", "tests.torture", "--store=postgres", "--sample", f"--run={fault}", f"--seed={SEED}"]
    done = subprocess.run([sys.executable, *words, "--json"], cwd=ROOT, capture_output=True, text=True, check=False)
    again = f"again: python {' '.join(words)}"
    scores = json.loads(done.stdout or "[]")
    trouble = [note for score in scores for note in score["notes"]]
    assert scores, f"{again}\n{done.stderr}"
    assert not trouble, "\n".join([again, *trouble])
    assert done.returncode == 0, f"{again}\n{done.stderr}"
    assert all(score["cases"] for score in scores if not score["left_out"]), again

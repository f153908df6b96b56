"""A sample of one fault, judged in a process of its own."""

import json
import subprocess
import sys
from pathlib import Path

from tests.chance import SEED

ROOT = Path(__file__).resolve().parents[2]


def spoiled_nothing(fault: str, *more: str) -> list[dict]:
    """The scores of a sample of this fault, after asserting that nothing was lost, doubled or wrong in it."""
    words = ["-m", "tests.torture", *more, "--sample", f"--run={fault}", f"--seed={SEED}"]
    done = subprocess.run([sys.executable, *words, "--json"], cwd=ROOT, capture_output=True, text=True, check=False)
    again = f"again: python {' '.join(words)}"
    scores = json.loads(done.stdout or "[]")
    trouble = [note for score in scores for note in score["notes"]]
    assert scores, f"{again}\n{done.stderr}"
    assert not trouble, "\n".join([again, *trouble])
    assert done.returncode == 0, f"{again}\n{done.stderr}"
    assert all(score["cases"] for score in scores if not score["left_out"]), again
    return scores

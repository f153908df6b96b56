"""The demo is a promise of the README: it runs unattended, and what it claims at the end is true."""

import json
import subprocess
import sys

from tests.journey.world import ROOT


def test_the_demo_ends_with_every_scene_in_step_or_explained():
    done = subprocess.run(
        [sys.executable, "-m", "cli", "--json", "demo", "--scenes", "300"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert told["well"] is True
    assert told["wrong"] == told["bystanders_written"] == []
    assert told["in_step"] + sum(told["not_written"].values()) == told["scenes"] == 300
    assert told["attempts_used"] == 0
    assert set(told["dead"]) == {"ambiguous"}
    assert "breaker open" in done.stderr

"""The faults whose cases are tests or lives of their own, in the full figures of PLEXSYNC_TORTURE=1.

A test is a case, and one that fails is wrong. A life is a case of F48, and tells itself what it lost, doubled or spoilt.
"""

import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path

from tests.simulation.sim_run import run_seeds
from tests.torture.score import Score

ROOT = Path(__file__).resolve().parents[2]
TOLD = 600


@dataclass(frozen=True)
class Suite:
    """What is tried, and the test files that try it."""

    what: str
    files: tuple[str, ...]


SUITES = {
    "F17,F18": Suite("the clock steps back, leaps, starts in 1970", ("load/test_load_clock.py",)),
    "F21-F31": Suite(
        "Plex or Stash away, slow, busy, refusing; lost answers; recovery",
        (
            "worker/test_outage_matrix.py",
            "worker/test_engine_outages.py",
            "worker/test_gates.py",
            "security/test_tls.py",
        ),
    ),
    "F26,F33": Suite(
        "cut, foreign, huge and partial answers",
        ("security/test_bombs.py", "wire", "stash", "plex"),
    ),
    "F29,F32": Suite(
        "items missing, moved, re-added, alike; scenes deleted",
        ("worker/test_engine_absence.py", "worker/test_looking.py", "worker/test_curing.py", "sync/test_match.py"),
    ),
    "F34": Suite(
        "comparing everything, also while things change", ("worker/test_reconciling.py", "worker/test_polling.py")
    ),
    "F35": Suite("wrong settings, each field", ("validation",)),
    "F36": Suite("hook inputs of every malformed kind", ("plugin", "security/test_hook_fuzz.py")),
    "F38": Suite("texts of every script, control characters, limits", ("sync/test_text.py", "sync/test_wanted.py")),
    "F39,F41": Suite("a million rows, a busy scene, readers around, a backfill", ("load/test_load_queue.py",)),
    "F40": Suite("a job that kills its worker", ("load/test_load_poison.py", "worker/test_engine_evidence.py")),
    "F42": Suite("an edit at every boundary of an attempt", ("worker/test_engine_batch.py", "worker/test_settle.py")),
    "F44": Suite(
        "dead letters: a million rows, retention, cap",
        ("cli/test_cli_dlq.py", "store/test_pushes.py", "worker/test_housekeeping.py"),
    ),
    "P11": Suite(
        "secrets in anything that is written", ("security/test_canary_faults.py", "security/test_canary_commands.py")
    ),
    "models": Suite(
        "breaker, job table and three-way plan against models",
        (
            "worker/test_breaker_model.py",
            "worker/test_breaker_mutations.py",
            "store/test_jobs_model.py",
            "sync/test_plan_model.py",
        ),
    ),
}


def run(name: str, size: str, seed: int) -> list[Score]:
    """Run the tests of a suite in a process of their own; those that fail are wrong."""
    suite = SUITES[name]
    score = Score(name, suite.what, seed)
    with tempfile.TemporaryDirectory(prefix="plexsync-torture-") as folder:
        report = Path(folder) / "report.xml"
        files = [f"tests/{file}" for file in suite.files]
        words = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-n",
            "0",
            "-p",
            "no:cacheprovider",
            f"--junit-xml={report}",
            *files,
        ]
        full = {} if size == "sample" else {"PLEXSYNC_TORTURE": "1"}
        done = subprocess.run(words, cwd=ROOT, env={**os.environ, **full}, capture_output=True, text=True, check=False)
        if not report.exists():
            score.spoil(f"the tests did not run: {done.stdout[-TOLD:]}{done.stderr[-TOLD:]}")
            return [score]
        for case in ET.parse(report).getroot().iter("testcase"):
            if case.find("skipped") is not None:
                continue
            score.cases += 1
            trouble = [found for found in case if found.tag in ("failure", "error")]
            if trouble:
                score.spoil(f"{case.get('classname')}::{case.get('name')}: {(trouble[0].get('message') or '')[:TOLD]}")
    return [score]


def lives(size: str, seed: int) -> list[Score]:
    """Whole systems in one thread: people on both sides, kills, outages, clocks, disks; one seed each."""
    count, steps = {"sample": (40, 200), "full": (2_000, 200), "long": (10_000, 500)}[size]
    report = run_seeds(seed, count, steps)
    score = Score("F48", f"lives of {steps} steps with every fault at once", seed, report.count)
    score.lost, score.doubled, score.wrong = report.lost, report.doubled, report.wrong
    score.notes += [str(failure)[:TOLD] for failure in report.failures[:2]]
    return [score]

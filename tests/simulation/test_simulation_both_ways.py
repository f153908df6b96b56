"""Lives in which ratings go both ways, resume points come back, and people import: see sim_both_ways.

A seed that fails prints its history, and fails again the same way:
`python -m tests.simulation.sim_both_ways SEED 1 STEPS`. PLEXSYNC_TORTURE=1 lives 2,000 seeds of 200 steps, PLEXSYNC_SEEDS
so many more.
"""

import os
from dataclasses import replace

import pytest

from plexsync.flows.imports import importer, undo
from plexsync.flows.plays import resume
from plexsync.rules import ratings
from tests.simulation.sim_both_ways import run_both_seed, run_both_seeds

TORTURE = bool(os.environ.get("PLEXSYNC_TORTURE"))
SAMPLE_STEPS = 80
SAMPLE, LONG = 6, 40
STEPS = 200 if TORTURE else SAMPLE_STEPS
SEEDS = int(os.environ.get("PLEXSYNC_SEEDS") or (2000 if TORTURE else LONG))
PARTS = 20 if TORTURE else 1
FIRST = 1

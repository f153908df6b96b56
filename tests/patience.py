"""How long a test waits for what has to happen: until it happens.

No test decides by a clock. What must happen is waited for, by an event or by looking again; `HANG` only ends the wait where
it would never end, and lies far beyond what the busiest machine takes.
"""

import os
import time
from collections.abc import Callable

HANG = float(os.environ.get("TESTS_HANG", "120"))
"""Seconds after which a wait is given up: a bug, never a result. `make mutants` makes bugs, and gives them less."""


def until(condition: Callable[[], object], *, every: float = 0.1) -> None:
    """Wait until this is true."""
    end = time.monotonic() + HANG
    while not condition():
        assert time.monotonic() < end, f"still not true after {HANG:.0f} s"
        time.sleep(every)

"""How long a test waits for what has to happen: until it happens.

No test decides by a clock. What must happen is waited for, by an event or by looking again; `HANG` only ends the wait where
it would never end, and lies far beyond what the busiest machine takes.
"""

import os
import time
from collections.abc import Callable
from itertools import chain, repeat

HANG = float(os.environ.get("TESTS_HANG", "120"))
"""Seconds after which a wait is given up: a bug, never a result. `make mutants` makes bugs, and gives them less."""
PAUSES = (0.001, 0.002, 0.004, 0.008, 0.016)
"""Seconds between the first looks; the last one stays."""
SHARE = 2
"""A look that takes long is followed by a pause of so many times its length: looking takes little of the machine."""
LONGEST = 0.5


def until(condition: Callable[[], object]) -> None:
    """Wait until this is true. What happens soon is seen soon."""
    end = time.monotonic() + HANG
    for pause in chain(PAUSES, repeat(PAUSES[-1])):
        start = time.monotonic()
        if condition():
            return
        now = time.monotonic()
        assert now < end, f"still not true after {HANG:.0f} s"
        time.sleep(max(pause, min(LONGEST, SHARE * (now - start))))

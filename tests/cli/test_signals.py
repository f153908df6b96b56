"""A process that ends itself does so in good order, on Windows too."""

import signal
import subprocess
import sys

import pytest

from plexsync.cli.daemon import signals

PROGRAM = """
import sys, threading
from plexsync.cli.daemon import signals
from plexsync.stash_plugin.child_process import end_in_order
sys.platform = sys.argv[1]
with signals.stoppable(terminated=0) as stop:
    threading.Thread(target=end_in_order).start()
    while not stop.event.wait(0.05):
        pass
print("in good order", stop.code)
"""


@pytest.mark.parametrize("platform", ["linux", "win32"])
def test_a_process_ends_itself_in_good_order(platform: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, platform], capture_output=True, text=True, check=False, timeout=120
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "in good order 0\n", "")


def test_a_signal_that_meets_the_wait_for_it_is_heard() -> None:
    with signals.stoppable() as stop:
        # As in the moment in which the waiting thread holds the event's lock, when the handler interrupts it.
        with stop.event._cond:
            signal.raise_signal(signal.SIGTERM)
        assert stop.event.wait(30)
    assert stop.code == 128 + signal.SIGTERM

"""A process that ends itself does so in good order, on Windows too."""

import subprocess
import sys

import pytest

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

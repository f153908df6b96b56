"""A process that hangs is ended from outside, whatever it hangs in, and one that gets on is left alone."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HEAD = """
import re, sys, threading, time
from worker.clock import SystemClock
from worker.watchdog import Watchdog
watchdog = Watchdog(1.5, SystemClock())
"""
WITHOUT_END = {
    "a loop": "while True: pass",
    # It holds Python's lock: no thread of ours could do anything about it.
    "a library that holds everybody up": "re.match('(a+)+$', 'a' * 60 + 'b')",
    "a wait for nothing": "threading.Event().wait()",
}


def run(code: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", HEAD + code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("code", WITHOUT_END.values(), ids=WITHOUT_END)
def test_what_never_ends_is_ended_and_tells_where_it_was(code):
    done = run(f"watchdog.begin()\n{code}\n")
    assert done.returncode == 1
    assert "Timeout" in done.stderr
    assert 'File "<string>"' in done.stderr
    assert done.stdout == ""


def test_what_shows_signs_of_life_is_left_alone():
    done = run("watchdog.begin()\nfor _ in range(30):\n    time.sleep(0.1)\n    watchdog.alive()\nprint('done')\n")
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")


def test_nothing_counts_down_while_nothing_is_worked():
    done = run("watchdog.begin()\nwatchdog.end()\ntime.sleep(2.5)\nprint('done')\n")
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")


def test_signs_of_life_of_another_thread_count_for_nothing():
    code = """
def chatter():
    while True:
        time.sleep(0.1)
        watchdog.alive()
threading.Thread(target=chatter, daemon=True).start()
watchdog.begin()
while True: pass
"""
    assert run(code).returncode == 1


def test_without_standard_error_it_ends_all_the_same():
    done = subprocess.run(
        [sys.executable, "-c", f"{HEAD}watchdog.begin()\nwhile True: pass\n"],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        preexec_fn=lambda: __import__("os").close(2),
        timeout=60,
        check=False,
    )
    assert done.returncode == 1

"""A process that hangs is ended from outside, whatever it hangs in, and one that gets on is left alone."""

import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest

from plexsync.engine.clock import SystemClock
from plexsync.engine.watchdog import Watchdog
from tests.engine.clocks import Clock
from tests.engine.house import House, run_house

ROOT = Path(__file__).resolve().parents[2]
HEAD = """
import re, sys, threading, time
from plexsync.engine.clock import SystemClock
from plexsync.engine.watchdog import Watchdog
from pathlib import Path
watchdog = Watchdog(float(sys.argv[2]), SystemClock(), Path(sys.argv[1]))
"""
# What is ended anyway need not be waited for long.
SOON = 0.2
WITHOUT_END = {
    "a loop": "while True: pass",
    # It holds Python's lock: no thread of ours could do anything about it.
    "a library that holds everybody up": "re.match('(a+)+$', 'a' * 60 + 'b')",
    "a wait for nothing": "threading.Event().wait()",
}


@pytest.fixture
def file(tmp_path):
    return tmp_path / "hang.txt"


def run(file, code: str, seconds: float = SOON) -> subprocess.CompletedProcess:
    command = [sys.executable, "-c", HEAD + code, str(file), str(seconds)]
    return subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)


@pytest.mark.parametrize("code", WITHOUT_END.values(), ids=WITHOUT_END)
def test_what_never_ends_is_ended_and_tells_where_it_was(file, code):
    done = run(file, f"watchdog.begin()\n{code}\n")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "")
    assert "Timeout" in file.read_text()
    assert 'File "<string>"' in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600


class Countdowns:
    """Stands for the interpreter's countdown; `longest` is the most of the test's time between two that were begun."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.begun: list[float] = []

    def begin(self, _seconds: float, **_: object) -> None:
        self.begun.append(self.clock.steady)

    @property
    def longest(self) -> float:
        return max(later - earlier for earlier, later in pairwise([*self.begun, self.clock.steady]))


@pytest.fixture
def countdowns(monkeypatch):
    counted = Countdowns(Clock())
    monkeypatch.setattr("plexsync.engine.watchdog.faulthandler.dump_traceback_later", counted.begin)
    return counted


def test_what_shows_signs_of_life_is_left_alone(file, countdowns):
    clock = countdowns.clock
    watchdog = Watchdog(1.5, clock, file)
    watchdog.begin()
    for _ in range(30):
        clock.move(0.1)
        watchdog.alive()
    assert countdowns.longest < 1.5
    watchdog.close()


def test_nothing_counts_down_while_nothing_is_worked(file):
    # More than a busy machine takes from the beginning of the work to its end.
    done = run(file, "watchdog.begin()\nwatchdog.end()\ntime.sleep(2.0)\nprint('done')\n", seconds=1.5)
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")


def test_signs_of_life_of_another_thread_count_for_nothing(file):
    code = """
def chatter():
    while True:
        time.sleep(0.01)
        watchdog.alive()
threading.Thread(target=chatter, daemon=True).start()
watchdog.begin()
while True: pass
"""
    assert run(file, code).returncode == 1


# A worker with a real clock and a push that takes longer than the worker is watched for.
PUSHING = """
import sys, threading, time
from pathlib import Path
from tests.engine.house import House
from plexsync.engine.clock import SystemClock
from plexsync.engine.watchdog import Watchdog
folder = Path(sys.argv[1])
watchdog = Watchdog(2.0, SystemClock(), folder / "hang.txt")
with House(folder / "data", watchdog=watchdog, deadline=500, parallel=2) as house:
    house.clock.monotonic = time.monotonic
    house.want(*house.add(3))
    edit = house.worker.plex.edit
    def slowly(section, key, change, **more):
        if key == house.key_of(1):
            threading.Event().wait()
        edit(section, key, change, **more)
    house.worker.plex.edit = slowly
    house.work()
"""


def test_a_push_that_never_returns_ends_the_worker_though_its_main_thread_gets_on(tmp_path):
    done = run_house(PUSHING, tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert "slowly" in (tmp_path / "hang.txt").read_text()


@pytest.mark.parametrize(("deadline", "watched"), [(10_000, True), (500, False)], ids=["in time", "overdue"])
def test_a_push_that_takes_its_time_is_left_alone_as_long_as_its_requests_may_take(
    tmp_path, countdowns, monkeypatch, deadline, watched
):
    """It takes eight seconds of the engine's own steps; a worker of which nothing is heard for four is ended."""
    monkeypatch.setattr("plexsync.engine.batch.SETTLE_EVERY", 0.02)
    with House(tmp_path / "data", deadline=deadline, parallel=2) as house:
        clock = countdowns.clock = house.clock
        house.replace_worker(watchdog=Watchdog(4.0, clock, tmp_path / "hang.txt"))
        house.want(*house.add(3))
        edit, ends = house.worker.plex.edit, []

        def slowly(section, key, change, **more):
            if key == house.key_of(1):
                ends.append(clock.steady + 8)
                while clock.steady < ends[0]:
                    time.sleep(0.002)
            edit(section, key, change, **more)

        house.worker.plex.edit = slowly
        clock.each_look = 0.05
        house.work()
        clock.each_look = 0.0
        assert house.out_of_step([1, 2, 3]) == []
        assert (countdowns.longest < 4.0) is watched


def test_a_log_that_nobody_reads_and_a_file_that_can_not_be_made_hold_nothing_up(file, tmp_path):
    code = """
import os
os.set_blocking(2, False)
try:
    while True:
        os.write(2, b"x" * 1000)
except BlockingIOError:
    os.set_blocking(2, True)
threading.Thread(target=lambda: sys.stderr.write("more"), daemon=True).start()
watchdog.begin()
while True: pass
"""
    command = [sys.executable, "-c", HEAD + code, str(file), str(SOON)]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE)
    assert process.wait() == 1
    process.stderr.close()
    done = run(tmp_path / "no folder" / "hang.txt", "watchdog.begin()\nwatchdog.end()\nprint('done')\n")
    assert (done.returncode, done.stdout) == (0, "done\n")


def test_the_next_worker_says_so_once(file, caplog):
    assert run(file, "watchdog.begin()\nwhile True: pass\n").returncode == 1
    for _ in range(2):
        Watchdog(1.0, SystemClock(), file).tell_of_the_last()
    assert [record.message for record in caplog.records] == [
        f"the last worker hung and was ended; where it was stands in {file.with_name('hang-last.txt')}"
    ]
    assert "Timeout" in file.with_name("hang-last.txt").read_text()

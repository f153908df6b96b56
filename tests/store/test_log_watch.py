"""Waiting for commits of any process: Linux tells of what is written to the log."""

import subprocess
import sys
from contextlib import closing

import pytest

from plexsync.store import intake
from plexsync.store.database import Database
from plexsync.store.log_watch import LATEST, SOON, LogWatch, watch_log

pytestmark = [pytest.mark.sqlite_only, pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells of it")]
# Who waits so long and is not woken fails by the time limit of the tests.
HOURS = 24 * 3600.0
# The looks after a write until there is none any more.
LOOKS = 1 + round(LATEST / SOON).bit_length()


@pytest.fixture
def watch(folder):
    with closing(Database(folder / "plexsync.db")) as store, closing(LogWatch(store.log)) as watching:
        yield store, watching


def test_a_commit_of_another_process_ends_the_wait(folder, watch):
    store, watching = watch
    hook = f"from plexsync.store import intake; intake.store({str(folder)!r}, 'scene', 7)"
    with subprocess.Popen([sys.executable, "-c", hook]) as process:
        while not store.has_changed():
            watching.wait(HOURS)
    assert process.returncode == 0


def test_a_commit_that_came_before_the_wait_ends_it_at_once(folder, watch):
    store, watching = watch
    assert intake.store(str(folder), "scene", 7) == ""
    watching.wait(HOURS)
    assert store.has_changed()


def test_after_a_write_it_is_looked_a_few_times_since_a_commit_can_be_read_a_little_later(folder, watch):
    _, watching = watch
    intake.store(str(folder), "scene", 7)
    for _ in range(LOOKS):
        watching.wait(HOURS)
    watching.wake()
    watching.wait(HOURS)


def test_a_wait_ends_when_it_is_woken_and_so_does_each_later_one(watch):
    _, watching = watch
    watching.wake()
    for _ in range(3):
        watching.wait(HOURS)


def test_a_log_that_takes_the_place_of_another_is_watched_from_the_next_wait_on(tmp_path):
    log = tmp_path / "a-wal"
    log.write_text("first")
    with closing(LogWatch(log)) as watching:
        log.unlink()
        log.write_text("second")
        watching.wait(0)
        with log.open("a") as file:
            file.write("more")
        watching.wait(HOURS)


def test_where_there_is_no_log_nothing_is_watched(tmp_path):
    assert watch_log(tmp_path / "a-wal") is None
    assert watch_log(None) is None

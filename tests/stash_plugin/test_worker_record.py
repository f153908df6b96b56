"""What the supervisor notes of a worker that ended: the last error in its log, a hang, a signal; and no secret."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from plexsync.rules.queue.worker_ends import read
from plexsync.stash_plugin import launcher
from plexsync.stash_plugin.child_process import KEY
from plexsync.stash_plugin.worker_record import record
from plexsync.store import intake
from plexsync.store.database import Database
from plexsync.store.files import worker_ends
from plexsync.store.files.lock import try_lock

EVENT = "2024-05-17T12:00:00Z INFO PlexSync.serve from here on the log is plexsync.log\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "data"
    Database(place / intake.DATABASE).close()
    (place / launcher.LOG).write_text("plexsync: an older error\n")
    return place


def noted(folder: Path) -> tuple[int, str]:
    """How many ends are noted, and the last error."""
    with closing(sqlite3.connect(folder / intake.DATABASE)) as db:
        row = db.execute("select value from note where name = 'worker:ended'").fetchone()
    found = read(row[0] if row else "")
    return (found[0], found[3]) if found else (0, "")


def ends(folder: Path, code: int, written: str = "") -> tuple[int, str]:
    log = folder / launcher.LOG
    size = log.stat().st_size
    with log.open("a") as file:
        file.write(written)
    order = {
        "folder": str(folder),
        "environ": {KEY: "key-of-stash-0123456789"},
        "server": {"SessionCookie": {"Name": "session", "Value": "cookie-of-stash-0123456789"}},
    }
    record(order, code, size)
    return noted(folder)


@pytest.mark.parametrize(
    ("written", "error"),
    [
        (
            f"{EVENT}plexsync: plex_token is missing\nplexsync: --verbose shows where it happened\n",
            "plex_token is missing",
        ),
        (
            "plexsync: warning: a setting is unknown\nTraceback (most recent call last):\n  x\nKeyError: 7\n\n",
            "KeyError: 7",
        ),
        ("ValueError: key-of-stash-0123456789, cookie-of-stash-0123456789\n", "ValueError: ***, ***"),
        (EVENT, "it ended with 1"),
        ("", "it ended with 1"),
    ],
)
def test_the_last_line_that_is_no_event_is_the_error(folder: Path, written: str, error: str) -> None:
    assert ends(folder, 1, written) == (1, error)
    assert ends(folder, 1, written) == (2, error)
    assert ends(folder, 0) == (0, "")


def test_a_signal_and_a_hang_are_told_as_such(folder: Path) -> None:
    assert ends(folder, -9, EVENT) == (1, "it was killed (signal 9)")
    with try_lock(folder) as lock:
        assert lock
    (folder / worker_ends.HANG).write_text("Timeout!\n")
    assert ends(folder, 1, EVENT) == (2, worker_ends.HUNG)


def test_a_worker_that_gave_way_to_another_one_is_not_counted(folder: Path) -> None:
    with try_lock(folder) as lock:
        assert lock
        assert ends(folder, 1, "plexsync: another worker runs on this database\n") == (0, "")

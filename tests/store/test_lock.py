"""The worker's lock, held and left by real processes."""

import os
import signal
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from plexsync.rules.servers.errors import Unusable
from plexsync.store.files.lock import FILE, is_locked, try_lock

# About files.
pytestmark = pytest.mark.sqlite_only

ROOT = Path(__file__).resolve().parents[2]
HOLDER = """
    import sys, time
    sys.path.insert(0, {root!r})
    from pathlib import Path
    from plexsync.store.files.lock import try_lock
    lock = try_lock(Path({folder!r}))
    print("held" if lock else "refused", flush=True)
    sys.stdin.read()
"""


def holder(folder: Path) -> tuple[subprocess.Popen, str]:
    script = textwrap.dedent(HOLDER).format(root=str(ROOT), folder=str(folder))
    process = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    return process, process.stdout.readline().strip()


def end(process: subprocess.Popen) -> None:
    process.communicate()


def test_a_lock_is_held_by_one_and_free_again_when_released(folder):
    assert not is_locked(folder)
    lock = try_lock(folder)
    assert lock is not None
    assert is_locked(folder)
    assert try_lock(folder) is None
    lock.release()
    lock.release()
    assert not is_locked(folder)
    with try_lock(folder) as again:
        assert again is not None
    assert not is_locked(folder)


def test_looking_at_a_lock_does_not_take_it(folder):
    with try_lock(folder):
        assert is_locked(folder)
        assert is_locked(folder)
        process, answer = holder(folder)
        assert answer == "refused"
        end(process)


@pytest.mark.skipif(os.name != "posix", reason="kills by a signal")
def test_a_lock_dies_with_its_process(folder):
    process, answer = holder(folder)
    assert answer == "held"
    assert is_locked(folder)
    assert try_lock(folder) is None
    process.send_signal(signal.SIGKILL)
    end(process)
    assert not is_locked(folder)
    with try_lock(folder) as lock:
        assert lock is not None


def test_a_process_that_a_worker_started_does_not_keep_the_lock(folder):
    lock = try_lock(folder)
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, text=True)
    lock.release()
    assert not is_locked(folder)
    child.communicate("\n")


def test_of_many_workers_one_gets_the_lock(folder):
    started = [holder(folder) for _ in range(4)]
    assert sorted(answer for _, answer in started) == ["held", "refused", "refused", "refused"]
    for process, _ in started:
        end(process)


def test_the_lock_file_is_for_the_owner_alone_and_a_missing_folder_is_told_of(folder):
    try_lock(folder).release()
    assert stat.S_IMODE((folder / FILE).stat().st_mode) == 0o600
    assert not is_locked(folder / "none")
    with pytest.raises(Unusable, match=FILE):
        try_lock(folder / "none")

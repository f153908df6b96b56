"""Starts, stops and watches the worker inside Stash, for tasks and for the page. Standard library only."""

import os
import time
from pathlib import Path

from plexsync.rules.servers.errors import Unusable
from plexsync.stash_plugin import dependencies, launcher
from plexsync.stash_plugin.stash_words import Failed, log
from plexsync.stash_plugin.task_run import TaskRun
from plexsync.store import intake
from plexsync.store.files import life_signs
from plexsync.store.files.lock import is_locked

# Seconds until a started worker must show a heartbeat, and until a stopped one must have ended.
BEGIN, END = 30.0, 20.0
# Seconds that a worker may take to end by itself.
LEAVE = 8.0
LOOK = 0.2
# Instead of how the worker is switched.
UNREAD = "unread"


def switch(call: TaskRun, value: str) -> None:
    """Note that the worker inside Stash is switched on or off; raises Failed."""
    if trouble := _switch(call, value):
        raise Failed(f"that can't be noted: {trouble}")


def _switch(call: TaskRun, value: str) -> str:
    life_signs.show_wanted(_life(call), value != intake.OFF)
    return intake.switch(call.folder, value)


def _life(call: TaskRun) -> str:
    return launcher.life_of(call.folder, call.server)["folder"]


def start_now(call: TaskRun, before: str) -> None:
    """Switch the worker on, start it and check that it runs; on failure, end it and switch back to `before`.

    The error contains what the worker has written to its log.
    """
    switch(call, intake.ON)
    process = None
    try:
        size = launcher.log_size(call.folder)
        beat = intake.beat(call.folder)
        process = launcher.start_worker(call.place(), unwatched=False)
        # Wait until the heartbeat is not that of the worker before.
        for _ in range(round(BEGIN / LOOK)):
            if process.poll() is not None:
                raise Failed(f"the worker ended at once: {_last_words(call.folder, size)}")
            if intake.beat(call.folder) not in ("", beat):
                return
            time.sleep(LOOK)
        raise Failed(f"the worker gives no sign of life: {_last_words(call.folder, size)}")
    except (Failed, dependencies.NotReady, OSError):
        if process is not None:
            process.terminate()
        _switch(call, before)
        raise


def _last_words(folder: str, before: int) -> str:
    """Return the last lines that the worker wrote to its log behind position `before`."""
    lines = launcher.log_since(folder, before)[-3:]
    words = " / ".join(line.removeprefix("plexsync: ") for line in lines)
    return words or f"see {os.path.join(folder, launcher.LOG)}"


def ends(call: TaskRun, seconds: float) -> bool:
    """Whether the worker ends within this time."""
    for step in range(round(seconds / LOOK)):
        if not has_worker(call):
            return True
        log("p", f"{step * LOOK / seconds:.2f}")
        time.sleep(LOOK)
    return False


def start(call: TaskRun) -> bool:
    """Switch the worker on and start it; False if one runs already. Raises Failed."""
    before = intake.read_switch(call.folder)
    # A worker that was not switched on is about to end, or was started elsewhere.
    if _is_at_work(call, before):
        switch(call, intake.ON)
        return False
    start_now(call, before)
    return True


def worker_runs(call: TaskRun) -> bool:
    """Whether a worker has this database. One that is switched on but has left, or is leaving, is started."""
    before = intake.read_switch(call.folder)
    if before == intake.OFF or _is_at_work(call, before):
        return has_worker(call)
    start_now(call, before)
    return True


def wake(call: TaskRun) -> str:
    """Start the worker if it is switched on and does not run, and do not wait for it: a save in Stash waits for this.

    At most one start a minute, so that a worker that can't start costs little: the next one waits in its own process.
    """
    life = _life(call)
    before = intake.read_switch(call.folder, unknown=intake.ON if life_signs.is_wanted(life) else UNREAD)
    if before == UNREAD and os.path.exists(os.path.join(call.folder, intake.DATABASE)):
        # The next look is in a minute.
        life_signs.plan_start(life)
        return "the database can't be read: whether the worker is switched on is not known"
    life_signs.show_wanted(life, before not in (intake.OFF, UNREAD))
    if before in (intake.OFF, UNREAD):
        return "the worker is switched off"
    planned = life_signs.plan_start(life)
    if planned is None:
        return "the worker is being started"
    runs = has_worker(call)
    if runs and before == intake.ON:
        if not _is_elsewhere(call):
            return "a worker runs already"
        switch(call, intake.AGAIN)
    if not runs and before == intake.ON and life_signs.is_supervised(life):
        return "its supervisor starts the worker again"
    place = call.place()
    if not runs:
        _switch(call, intake.ON)
    # It waits for the one that is leaving.
    launcher.start_worker(place, planned=planned)
    return "the worker is started"


def _is_at_work(call: TaskRun, before: str) -> bool:
    """Whether a worker goes on with this database. One that was started with another address of Stash is told to leave."""
    if not has_worker(call):
        return False
    if before == intake.ON and _is_elsewhere(call):
        switch(call, intake.AGAIN)
        before = intake.AGAIN
    return before == intake.ON or not ends(call, LEAVE)


def _is_elsewhere(call: TaskRun) -> bool:
    """Whether the running worker was started with another address of Stash than Stash has now."""
    life = launcher.life_of(call.folder, call.server)
    addresses = life_signs.addresses(life["folder"])
    return bool(addresses) and life["address"] not in addresses


def has_worker(call: TaskRun) -> bool:
    """Whether a worker has the lock on the database; raises Failed."""
    try:
        return is_locked(Path(call.folder))
    except Unusable as error:
        raise Failed(str(error)) from error

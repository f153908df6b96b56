"""Children of a warmed parent: forked, killed by themselves at a chosen step, and heard through a pipe."""

import os
import signal
import sqlite3
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from types import FrameType
from typing import Any

Act = Callable[[Callable[[str], None]], None]
plain_connect = sqlite3.connect


@dataclass(frozen=True)
class End:
    """How a child ended: what it had acknowledged by then, and whether it was killed or failed."""

    acks: tuple[str, ...]
    killed: bool
    failed: bool


def forked(act: Act, *, before: Callable[[], None] = lambda: None, quiet: bool = True) -> int | tuple[int, int]:
    """Start a child that runs `before` and `act`; returns (process id, the pipe to read its acks from)."""
    reader, writer = os.pipe()
    child = os.fork()
    if child:
        os.close(writer)
        return child, reader
    code = 1
    try:
        os.close(reader)
        if quiet:
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, 2)

        def ack(text: str) -> None:
            os.write(writer, text.encode() + b"\n")

        before()
        act(ack)
        code = 0
    except BaseException:  # noqa: BLE001 - whatever it was, the parent has to hear of it
        os.write(writer, ("failed " + traceback.format_exc().replace("\n", " | ")[-1500:] + "\n").encode())
    finally:
        os._exit(code)


def ended(started: tuple[int, int]) -> End:
    """Wait for a child and hear what it said."""
    child, reader = started
    with os.fdopen(reader) as pipe:
        acks = tuple(pipe.read().splitlines())
    _, status = os.waitpid(child, 0)
    killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    return End(acks, killed, not killed and status != 0)


def run(act: Act, *, before: Callable[[], None] = lambda: None) -> End:
    """A child from its beginning to its end."""
    return ended(forked(act, before=before))


class Steps:
    """Counts the steps of SQLite's virtual machine in all connections of this process, and kills it at one of them."""

    def __init__(self, last: int = 0) -> None:
        self.count = 0
        self._last = last

    def watch(self) -> None:
        """From now on every connection that is opened counts."""
        sqlite3.connect = partial(self._connect)  # type: ignore[assignment]

    def _connect(self, *args: Any, **more: Any) -> sqlite3.Connection:
        db = plain_connect(*args, **more)
        db.set_progress_handler(self._tick, 1)
        return db

    def _tick(self) -> int:
        self.count += 1
        if self.count == self._last:
            os.kill(os.getpid(), signal.SIGKILL)
        return 0


class Lines:
    """Counts the lines of our own code that run in this process, and does something at one of them."""

    def __init__(self, folders: tuple[str, ...], last: int = 0, act: Callable[[], None] | None = None) -> None:
        self.count = 0
        self._folders = folders
        self._last = last
        self._act = act or (lambda: os.kill(os.getpid(), signal.SIGKILL))
        self._known: dict[str, bool] = {}

    def watch(self) -> None:
        """From now on lines are counted, in this thread and in those it starts."""
        import threading

        threading.settrace(self._enter)
        sys.settrace(self._enter)

    def stop(self) -> None:
        sys.settrace(None)

    def _ours(self, name: str) -> bool:
        found = self._known.get(name)
        if found is None:
            found = self._known[name] = name.startswith(self._folders)
        return found

    def _enter(self, frame: FrameType, event: str, arg: object) -> Callable | None:
        return self._line if self._ours(frame.f_code.co_filename) else None

    def _line(self, frame: FrameType, event: str, arg: object) -> Callable | None:
        if event == "line":
            self.count += 1
            if self.count == self._last:
                self._act()
        return self._line

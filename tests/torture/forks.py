"""Children of a warmed parent: forked, killed by themselves at a chosen step, and heard through a pipe."""

import ctypes
import dis
import gc
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

Act = Callable[[Callable[[str], None]], None]
plain_connect = sqlite3.connect
# Every connection needs this codec: the parent has it loaded.
"".encode("idna")
ROOT = Path(__file__).resolve().parents[2]

_LINE = re.compile(r"^(\d+)\s+(\w+)\(")


@dataclass(frozen=True)
class End:
    """How a child ended: what it had acknowledged by then, and whether it was killed or failed."""

    acks: tuple[str, ...]
    killed: bool
    failed: bool


def forked(act: Act, *, before: Callable[[], None] = lambda: None, quiet: bool = True) -> int | tuple[int, int]:
    """Start a child that runs `before` and `act`; returns (process id, the pipe to read its acks from)."""
    # What is there now is not swept through by the child, whose memory would be copied for that.
    gc.freeze()
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


@dataclass(frozen=True)
class Call:
    """The `number`-th call of this name to the system in a thread. strace counts each name by itself, and each thread."""

    name: str
    number: int

    @property
    def kill(self) -> list[str]:
        """What strace is told in order to end whoever is about to make it."""
        return ["-e", f"inject={self.name}:signal=KILL:when={self.number}"]

    def __str__(self) -> str:
        return f"{self.name} no. {self.number}"


def calls_in(log: Path) -> list[Call]:
    """The calls that strace has seen, in their order; of those that several threads made, one."""
    counts: Counter[tuple[str, str]] = Counter()
    calls: dict[Call, None] = {}
    for line in log.read_text().splitlines():
        if found := _LINE.match(line):
            thread, name = found.groups()
            counts[thread, name] += 1
            calls[Call(name, counts[thread, name])] = None
    return list(calls)


def traced(act: Act, names: str, *, at: Call | None = None, log: str | Path = os.devnull) -> End:
    """As `run`, with strace ending the child at one call, before that is made; `log` gets a line for each of these names.

    Raises PermissionError where strace may not do that.
    """
    gate, opener = os.pipe()

    def late(ack: Callable[[str], None]) -> None:
        os.close(opener)
        _let_trace()
        ack("begun")
        if os.read(gate, 1):
            act(ack)

    child, reader = forked(late)
    os.close(gate)
    os.read(reader, len("begun\n"))
    words = ["strace", "-f", "-e", f"trace={names}", "-e", "signal=none", "-o", str(log), *(at.kill if at else [])]
    with subprocess.Popen([*words, "-p", str(child)], stderr=subprocess.PIPE, text=True) as tracer:
        assert tracer.stderr
        said = tracer.stderr.readline()
        if "attached" in said:
            os.write(opener, b"x")
        os.close(opener)
        end = ended((child, reader))
    if "attached" not in said:
        raise PermissionError(said.strip())
    return end


def _let_trace() -> None:
    """Some systems let only those above a process trace it, unless it says otherwise."""
    ctypes.CDLL(None).prctl(0x59616D61, ctypes.c_ulong(-1), 0, 0, 0)


def apart(module: str, size: str, seed: int) -> list[dict[str, Any]]:
    """The scores of a module that forks thousands of times, in a process of its own: a small one is forked fast."""
    words = [sys.executable, "-m", module, size, str(seed)]
    done = subprocess.run(words, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    return list(json.loads(done.stdout))


def _ends_with(frame: FrameType) -> bool:
    """Whether a `with` is about to be left: what is raised right there, which nothing but a trace can do, leaves it open."""
    steps = (step for step in dis.get_instructions(frame.f_code) if step.offset >= frame.f_lasti)
    code = [step.opname for step in steps if step.opname != "SWAP"]
    return all(name.startswith("LOAD_CONST") for name in code[:3]) and any("CALL" in name for name in code[3:5])


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
                if _ends_with(frame):
                    self._last += 1
                else:
                    self._act()
        return self._line

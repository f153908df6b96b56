"""Runs one plugin process through the raw interface, as Stash handles pipes, logs and killing.

The input is written whole, stdout is read until its last writer closes it, and the process is awaited, while its input
and its log are handled: a grandchild that keeps stdout open keeps Stash waiting. stderr is a log, one message per line;
a line over 64 KiB ends the reading, and later writes of the plugin fail. A kill is SIGKILL to the process only, without
an earlier signal, and its children are not awaited. POSIX only.
"""

import contextlib
import json
import os
import selectors
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

LEVELS = {b"t": "trace", b"d": "debug", b"i": "info", b"w": "warning", b"e": "error"}
LONGEST_LINE = 64 * 1024
CHUNK = 64 * 1024
LOOK_SECONDS = 0.02
SHORT_LOOK_SECONDS = 0.001


class CannotStart(Exception):
    """The command could not be started at all."""


@dataclass(frozen=True)
class Outcome:
    """The result of a plugin process.

    `error` and `output` are Stash's reading of stdout and exit code; `log` is (level, text).
    """

    returncode: int
    stdout: bytes
    output: Any
    error: str | None
    log: tuple[tuple[str, str], ...]
    progress: tuple[float, ...]
    killed: bool
    seconds: float


@dataclass
class PluginLog:
    """The lines of a plugin's stderr."""

    err_log: str
    progressed: Callable[[float], None] = lambda _part: None
    lines: list[tuple[str, str]] = field(default_factory=list)
    progress: list[float] = field(default_factory=list)
    pending: bytes = b""

    def feed(self, data: bytes) -> bool:
        """Add data from the stream; False once a line is too long."""
        *whole, self.pending = (self.pending + data).split(b"\n")
        for line in whole:
            if len(line) > LONGEST_LINE:
                return False
            self._line(line)
        return len(self.pending) <= LONGEST_LINE

    def finish(self) -> None:
        """Finish the stream: the rest is a line, too."""
        if self.pending and len(self.pending) <= LONGEST_LINE:
            self._line(self.pending)
        self.pending = b""

    def _line(self, line: bytes) -> None:
        line = line.removesuffix(b"\r")
        prefixed = len(line) >= 4 and line[:1] == b"\x01" and line[2:3] == b"\x02"
        mark, words = (line[1:2], line[3:]) if prefixed else (b"", line)
        if mark == b"p":
            with contextlib.suppress(ValueError):
                self.progress.append(float(words))
                self.progressed(self.progress[-1])
        elif mark in LEVELS:
            self.lines.append((LEVELS[mark], words.decode(errors="replace")))
        elif words and self.err_log != "none":
            self.lines.append((self.err_log, words.decode(errors="replace")))


def run_plugin(
    command: Sequence[str],
    stdin: bytes,
    *,
    environment: Mapping[str, str],
    err_log: str = "error",
    kill: threading.Event,
    kill_after: float | None = None,
    progressed: Callable[[float], None] = lambda _part: None,
    start: "Callable[..., subprocess.Popen[bytes]]" = subprocess.Popen,
) -> Outcome:
    """Start the command, write its input, wait for its end; `kill` or `kill_after` seconds cut it short. `start` is called
    as `subprocess.Popen` is. Raises CannotStart.
    """
    started = time.monotonic()
    deadline = None if kill_after is None else started + kill_after
    try:
        process = start(
            list(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(environment),
            bufsize=0,
        )
    except OSError as wrong:
        raise CannotStart(f"cannot start {command[0]}: {wrong.strerror}") from None
    log = PluginLog(err_log, progressed)
    try:
        stdout, killed = exchange(process, stdin, log, kill, deadline)
        if killed:
            process.kill()
        returncode = process.wait()
        rest_of_log(process, log)
    finally:
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None and not pipe.closed:
                pipe.close()
    output, error = meaning(stdout, returncode)
    seconds = time.monotonic() - started
    return Outcome(returncode, stdout, output, error, tuple(log.lines), tuple(log.progress), killed, seconds)


def exchange(
    process: "subprocess.Popen[bytes]", stdin: bytes, log: PluginLog, kill: threading.Event, deadline: float | None
) -> tuple[bytes, bool]:
    """Write the input and read both streams until stdout and the process have ended.

    Returns the content of stdout, and whether the process has to be killed.
    """
    said, left = bytearray(), memoryview(stdin)
    stdout_ended = False
    assert process.stdin and process.stdout and process.stderr  # noqa: S101 - they were requested
    with selectors.DefaultSelector() as selector:
        for pipe, event in (
            (process.stdin, selectors.EVENT_WRITE),
            (process.stdout, selectors.EVENT_READ),
            (process.stderr, selectors.EVENT_READ),
        ):
            if sys.platform != "win32":
                os.set_blocking(pipe.fileno(), False)
            selector.register(pipe, event)
        while not time_is_up(kill, deadline):
            if stdout_ended and process.poll() is not None:
                return bytes(said), False
            for key, _ in selector.select(SHORT_LOOK_SECONDS if stdout_ended else LOOK_SECONDS):
                pipe = key.fileobj  # type: ignore[assignment]
                if pipe is process.stdin:
                    left = written(pipe, left)
                    goes_on = bool(left)
                elif pipe is process.stdout:
                    data = os.read(key.fd, CHUNK)
                    said += data
                    goes_on = bool(data)
                else:
                    data = os.read(key.fd, CHUNK)
                    goes_on = bool(data) and log.feed(data)
                    if not data:
                        log.finish()
                if not goes_on:
                    selector.unregister(pipe)
                    pipe.close()
                    stdout_ended = stdout_ended or pipe is process.stdout
    return bytes(said), True


def written(pipe: Any, left: memoryview) -> memoryview:
    """The part still to be written; empty if the plugin has closed its input."""
    try:
        return left[os.write(pipe.fileno(), left[:CHUNK]) :]
    except BrokenPipeError:
        return left[:0]


def time_is_up(kill: threading.Event, deadline: float | None) -> bool:
    """Whether the process has to be killed now."""
    return kill.is_set() or (deadline is not None and time.monotonic() >= deadline)


def rest_of_log(process: "subprocess.Popen[bytes]", log: PluginLog) -> None:
    """Read the rest of the pipe, without waiting for a grandchild that may hold it open."""
    pipe = process.stderr
    if pipe is None or pipe.closed:
        return
    with contextlib.suppress(BlockingIOError):
        while data := os.read(pipe.fileno(), CHUNK):
            if not log.feed(data):
                return
    log.finish()


def meaning(stdout: bytes, returncode: int) -> tuple[Any, str | None]:
    """Output and error by Stash's rules: stdout as a JSON object if it is one, else as text; a bad exit code is
    an error.
    """
    output: Any = stdout.decode(errors="replace")
    error = None
    with contextlib.suppress(ValueError):
        said = json.loads(stdout)
        if isinstance(said, dict):
            output, error = said.get("output"), said.get("error") or None
    if returncode and error is None:
        error = f"exit status {returncode}" if returncode > 0 else f"signal {-returncode}"
    return output, error

"""A PlexSync module as a process: with the same Python, without imports from the current folder, and started again.

One that serves HTTP gets its listening socket, which this process binds once, and its settings by its standard input, so
that no secret is in its arguments or environment. That input closes with this process, however it ends, and the child ends
with it (`plexsync.web.child_process`).
"""

import base64
import logging
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic
from typing import IO, NamedTuple

from plexsync.store.ledger.lasting import LastingThread
from validation import values

ROOT = Path(__file__).resolve().parents[3]
# Seconds of the pause before a process is started again: the first one, and the longest.
FIRST_WAIT, LONGEST_WAIT = 1.0, 60.0
# A process that ran for this many seconds was healthy.
WELL = 60.0
# Seconds before a place that is taken is tried again, and that a process which serves HTTP has for its end.
TAKEN_WAIT, LAST_WORDS = 15.0, 4.0
# Bytes that the system keeps of an answer: of a client that does not read, no more than this is out of sight.
SEND_BUFFER = 64 * 1024
_RECORD = re.compile(r"(?P<level>DEBUG|INFO|WARNING|ERROR|CRITICAL) (?P<words>.*)")


def command_of(module: str, *words: str) -> list[str]:
    """The command line that runs a module of PlexSync."""
    return [sys.executable, "-P", "-m", module, *words]


def start(
    module: str, *words: str, env: Mapping[str, str], stdout: int = subprocess.DEVNULL, inherits: Sequence[int] = ()
) -> "subprocess.Popen[str]":
    """Start a module of PlexSync, whose standard input and error are pipes of text. Raises OSError.

    It inherits these handles; on Windows they are handed over in another way.
    """
    return subprocess.Popen(  # noqa: S603 - the arguments are PlexSync's own
        command_of(module, *words),
        env=env,
        stdin=subprocess.PIPE,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        errors="replace",
        pass_fds=() if os.name == "nt" else tuple(inherits),
        # Ctrl-C on a terminal is for this process, which ends the child in good order.
        process_group=None if os.name == "nt" else 0,
    )


def environ() -> dict[str, str]:
    """The environment without PlexSync settings; the process gets those in another way.

    In a clone without an installation, `python -m plexsync` finds the package only in the current folder: the
    environment names that folder for the process.
    """
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PLEXSYNC_")}
    if not sys.flags.safe_path and sys.path[:1] == [str(ROOT)]:
        environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(ROOT), environ.get("PYTHONPATH"))))
    return environ


class ChildThread(LastingThread):
    """The thread that runs one process after the other. Each ends when its standard input closes, as with its parent."""

    def __init__(self, name: str, last_words: float) -> None:
        super().__init__(name, threading.Event())
        self._last_words = last_words
        self._wake = threading.Condition()
        self._process: subprocess.Popen[str] | None = None

    @contextmanager
    def running(self, process: "subprocess.Popen[str]") -> "Iterator[subprocess.Popen[str]]":
        """Run a process that was just started for the time of the block."""
        with self._wake:
            self._process = process
        try:
            yield process
        finally:
            self.end_process()
            with self._wake:
                self._process = None
            for stream in (process.stdin, process.stdout, process.stderr):
                if stream is not None:
                    with suppress(OSError):
                        stream.close()

    def release(self) -> "subprocess.Popen[str] | None":
        """Ask the present process to end in good order."""
        with self._wake:
            process = self._process
        if process is not None and process.stdin is not None:
            with suppress(OSError, ValueError):
                process.stdin.close()
        return process

    def end_process(self) -> None:
        """End the present process, and wait for it; one that takes too long is killed."""
        if (process := self.release()) is not None:
            try:
                process.wait(self._last_words)
            except subprocess.TimeoutExpired:
                process.kill()


def longer(wait: float, began: float) -> float:
    """The pause after a process that began then, where the one before was `wait`."""
    return FIRST_WAIT if monotonic() - began >= WELL else min(2 * wait, LONGEST_WAIT)


def relay(lines: IO[str], log: logging.Logger, record: "re.Pattern[str]", name: str = "") -> None:
    """Copy a process's log to this one, to its end. A `record` has a level and words; any other line is a warning."""
    with suppress(OSError, ValueError):
        for line in lines:
            if matched := record.fullmatch(line.rstrip()):
                log.log(logging.getLevelNamesMapping()[matched["level"]], "%s%s", name, matched["words"])
            elif line.strip():
                log.warning("%s%s", name, line.rstrip().removeprefix("plexsync: "))


class ListeningOrder(NamedTuple):
    """The settings of a process in one line, as it gets them, and where it listens."""

    request: str
    bind: str


def listening(host: str, port: int) -> socket.socket:
    """Open an exclusive listening socket at this address; raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, kind, protocol)
    try:
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Every connection inherits it.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        listener.bind(address)
        listener.listen(1024)
    except OSError:
        listener.close()
        raise
    return listener


class Listening:
    """The listening socket, bound once for as long as its place stays the same, and handed to each process in turn.

    So nobody is refused while one process follows another: who comes meanwhile waits for the next one.
    """

    def __init__(self) -> None:
        self._bind = ""
        self._socket: socket.socket | None = None

    def at(self, bind: str) -> socket.socket:
        """The socket at this place, bound if it is not yet; raises OSError."""
        if self._socket is None or bind != self._bind:
            self.close()
            place = values.host_and_port(bind)
            assert place is not None  # noqa: S101 - without a place there is no process
            self._bind, self._socket = bind, listening(*place)
        return self._socket

    def close(self) -> None:
        """Listen no more."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


class ListeningProcess(ChildThread):
    """The process, and the thread that supervises it. `name` is its own in the log, `module` what it runs."""

    setting = "web_bind"
    """The setting that says where it listens."""
    keeps_place = False
    """Whether who asks while it is started again waits for it, instead of being refused."""

    def __init__(self, name: str, module: str, log: logging.Logger) -> None:
        super().__init__(name, LAST_WORDS)
        self._module = module
        self._log = log
        self._wanted: ListeningOrder | None = None
        self._listening = Listening()
        self._told = ""

    def order(self, wanted: ListeningOrder | None) -> None:
        """Go on with these settings, or without a process. The caller does not wait for the end of the one before."""
        with self._wake:
            self._wanted = wanted
            self._wake.notify_all()
        threading.Thread(target=self.end_process, name=f"{self.name} end", daemon=True).start()
        if self.ident is None and wanted is not None:
            self.start()

    def shown_address(self, address: str) -> str:
        """The address at which it listens, as the log shows it."""
        return address

    def end(self) -> None:
        """End the process, and wait until it has ended."""
        with self._wake:
            self._over.set()
            self._wake.notify_all()
        self.end_process()
        if self.is_alive():
            self.join(LAST_WORDS + 2)

    def work(self) -> None:
        """Run one process after the other, until the end."""
        wait = FIRST_WAIT
        while (wanted := self._next()) is not None:
            began = monotonic()
            code = self._try(wanted)
            if self._is_replaced(wanted):
                wait = FIRST_WAIT
                continue
            if not self.keeps_place:
                self._listening.close()
            wait = longer(wait, began)
            if code is not None:
                self._log.warning("the %s ended (%s); it is started again in %.0f s", self.name, code, wait)
            with self._wake:
                self._wake.wait_for(lambda: self._is_replaced(wanted), TAKEN_WAIT if code is None else wait)

    def _try(self, wanted: ListeningOrder) -> int | None:
        """Run the process once; returns its exit code, None if its place is taken."""
        try:
            at = self._listening.at(wanted.bind)
        except OSError as error:
            elsewhere = f"{self.setting}, or PLEXSYNC_{self.setting.upper()}, names another place"
            self._tell(f"can't listen at {wanted.bind}: {error.strerror or error} ({elsewhere})")
            return None
        try:
            return self._run(wanted, at)
        except OSError as error:
            self._log.warning("the %s can't be started: %s", self.name, error.strerror)
            return 1

    def _is_replaced(self, wanted: ListeningOrder) -> bool:
        return self._over.is_set() or self._wanted != wanted

    def _next(self) -> ListeningOrder | None:
        """Wait for the next settings; None at the end."""
        with self._wake:
            if self._over.is_set() or self._wanted is None:
                self._listening.close()
            self._wake.wait_for(lambda: self._over.is_set() or self._wanted is not None)
            return None if self._over.is_set() else self._wanted

    def _run(self, wanted: ListeningOrder, at: socket.socket) -> int:
        """Run the process once on this socket; returns its exit code."""
        handle = at.fileno()
        started = start(self._module, env=environ(), stdout=subprocess.PIPE, inherits=[handle])
        with self.running(started) as process:
            assert process.stdin and process.stdout and process.stderr  # noqa: S101 - they were requested
            words = (process.stderr, self._log, _RECORD)
            lines = threading.Thread(target=relay, args=words, name=f"{self.name} log", daemon=True)
            lines.start()
            socket_words = str(handle)
            if sys.platform == "win32":
                # There the process has not inherited the socket.
                socket_words = base64.b64encode(at.share(process.pid)).decode()
            # Its end may have come first, and have closed its input.
            with suppress(OSError, ValueError):
                process.stdin.write(f"{socket_words}\n{wanted.request}\n")
                process.stdin.flush()
            if self._is_replaced(wanted):
                self.end_process()
            if line := process.stdout.readline().strip():
                self._tell(f"{self.name}: {self.shown_address(line)}")
            process.stdout.read()
            code = process.wait()
            # Its last words say why it ended.
            lines.join(1)
            return code

    def _tell(self, line: str) -> None:
        """Log a line once, as long as it does not change."""
        if line != self._told:
            self._told = line
            if "http" in line:
                self._log.info("%s", line)
            else:
                self._log.warning("%s; tried again every %.0f s", line, TAKEN_WAIT)

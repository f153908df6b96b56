"""Programs of PlexSync as processes of their own, without the second that each would take to import it.

One warm process for each process of pytest has imported what the commands import. It has one thread, no connection and
no file of a test. `Popen` has it fork; the fork takes the arguments, the environment, the working directory and the
standard streams of the caller, and runs what `python ARGUMENTS` would run. It is a process like any other: it has a
number, hears signals, can be killed, and ends with an exit code.

Not the same as with a new interpreter: what is imported, so a test of imports or of what a start costs takes a real
process (`subprocess`); the arguments and the environment as the system shows them (`ps`, `/proc`); and a program that
changes a constant before others copy it has to change the copies. Where Python itself, the C library or the time zone
is told something by the environment, and on any system but Linux, a real process is started.

The warm process ends with pytest, however this ends, and its forks end with it.
"""

import atexit
import ctypes
import gc
import importlib
import inspect
import io
import json
import os
import pkgutil
import runpy
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import types
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from tests import templates

if sys.platform != "win32":
    import termios
    from fcntl import ioctl

ROOT = Path(__file__).resolve().parents[1]
FORKS = sys.platform == "linux"
# What a new interpreter, or a package as it is imported, reads before any program does.
READ_AT_START = ("PYTHON", "LC_", "LANG", "LD_", "TZ", "PLEXAPI_")
NUMBER = struct.Struct("i")
# How a process ended, as the system tells it, and the seconds of processor that it took.
END = struct.Struct("id")


# --- the side of the tests -------------------------------------------------------------------------------------------


class Popen(subprocess.Popen):
    """`python` with these arguments, as a fork of the warm process; all else as with `subprocess.Popen`.

    With `terminal` standard input becomes the controlling terminal of the new session. A `real` one is no fork.
    """

    def __init__(
        self,
        words: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        terminal: bool = False,
        real: bool = False,
        **more: Any,
    ) -> None:
        self._news: socket.socket | None = None
        self._environ = dict(os.environ if env is None else env)
        told = any(name.startswith(READ_AT_START) for name in self._environ)
        self._forks = FORKS and not real and not told
        self._terminal = terminal
        if terminal and not self._forks:
            more["preexec_fn"] = _take_terminal
        session = {"start_new_session": True} if terminal else {}
        super().__init__([sys.executable, *words], env=self._environ, **session, **more)

    def _execute_child(self, *given: Any) -> None:
        if not self._forks:
            super()._execute_child(*given)
            return
        asked = inspect.signature(subprocess.Popen._execute_child).bind(self, *given).arguments
        pipes = [asked[name] for name in ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")]
        order = {
            "words": [os.fspath(word) for word in asked["args"]][1:],
            "environ": self._environ,
            "cwd": os.fspath(asked["cwd"] or Path.cwd()),
            "session": asked["start_new_session"],
            "terminal": self._terminal,
        }
        streams = [usual if own == -1 else own for usual, own in enumerate((pipes[0], pipes[3], pipes[5]))]
        try:
            self._news = WARM.fork(json.dumps(order).encode(), streams)
            self.pid = NUMBER.unpack(_all(self._news, NUMBER.size))[0]
            self._child_created = True
        finally:
            self._close_pipe_fds(*pipes)

    def _internal_poll(self, _deadstate: int | None = None, **more: Any) -> int | None:
        if self._news is None:
            return super()._internal_poll(_deadstate, **more)
        with suppress(subprocess.TimeoutExpired):
            self._wait(0)
        return self.returncode

    def _wait(self, timeout: float | None) -> int:
        if self._news is None:
            return super()._wait(timeout)
        if self.returncode is None and not select.select([self._news], [], [], timeout)[0]:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        # Several threads may have waited.
        with self._waitpid_lock:
            if self.returncode is None:
                status, seconds = END.unpack(_all(self._news, END.size))
                WARM.spent += seconds
                self.returncode = os.waitstatus_to_exitcode(status)
            return self.returncode

    def __del__(self) -> None:
        super().__del__()
        if self._news is not None:
            self._news.close()


def run(
    words: Sequence[str], *, input: str | bytes | None = None, timeout: float | None = None, **more: Any
) -> subprocess.CompletedProcess[Any]:
    """`python` with these arguments to its end, as a fork of the warm process; all else as with `subprocess.run`."""
    check = more.pop("check", False)
    if more.pop("capture_output", False):
        more |= {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    if input is not None:
        more["stdin"] = subprocess.PIPE
    with Popen(words, **more) as process:
        try:
            out, err = process.communicate(input, timeout=timeout)
        except BaseException:
            process.kill()
            raise
    done = subprocess.CompletedProcess(process.args, process.returncode, out, err)
    if check:
        done.check_returncode()
    return done


class Warm:
    """The warm process of this process of pytest; it starts when it is first needed."""

    def __init__(self) -> None:
        self.spent = 0.0
        """The seconds of processor that ended forks took."""
        self._control: socket.socket | None = None
        self._guard = threading.Lock()

    def fork(self, order: bytes, streams: Sequence[int]) -> socket.socket:
        """Have it fork for this order; the answer is the number of the fork at once, and how it ended at its end."""
        news, theirs = socket.socketpair()
        with theirs, self._guard:
            self._control = self._control or self._started()
            socket.send_fds(self._control, [b"f"], [theirs.fileno(), *streams])
        news.sendall(order)
        news.shutdown(socket.SHUT_WR)
        return news

    def _started(self) -> socket.socket:
        ours, theirs = socket.socketpair()
        # A session of its own: Ctrl-C is for pytest, which ends it.
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.forked", str(theirs.fileno())],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], "HOME": "/nowhere"},
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        theirs.close()

        def end() -> None:
            ours.close()
            process.wait()

        atexit.register(end)
        return ours


WARM = Warm()


def _all(news: socket.socket, size: int) -> bytes:
    """So many bytes of it."""
    got = b""
    while len(got) < size:
        if not (block := news.recv(size - len(got))):
            raise ChildProcessError("the warm process ended")
        got += block
    return got


def _take_terminal() -> None:
    ioctl(0, termios.TIOCSCTTY, 0)
    # Whoever runs the tests in the background lets no child hear Ctrl-C.
    signal.signal(signal.SIGINT, signal.SIG_DFL)


# --- the warm process ------------------------------------------------------------------------------------------------

ROOMS = ("app", "cli", "engine", "flows", "http", "notify", "plex", "reports", "rules", "stash", "store")
# What is imported on use, and the house of tests that give a process one.
LATER = (
    "apprise",
    "encodings.idna",
    "html.parser",
    "plexapi.myplex",
    "plexsync.stash_plugin.setup_operations",
    "plexsync.stash_plugin.tasks",
    "tests.engine.house",
    "urllib.request",
    "zipfile",
)
DIES_WITH_PARENT = 1
# How Python ends where the rest of an answer can't be written.
UNWRITTEN = 120


def warm_up() -> None:
    """Import what the commands import, and have the database that new ones are copies of."""
    for room in ROOMS:
        package = importlib.import_module(f"plexsync.{room}")
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)
    for name in LATER:
        importlib.import_module(name)
    templates.use()
    templates.migrated()
    # The ways to tell a person are found on use.
    sys.modules["apprise"].Apprise().add("json://127.0.0.1:9")


def serve(control: int) -> bytes:
    """Fork whenever that is asked for, until nobody can ask any more; returns in each fork, with its order."""
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    os.set_blocking(woken, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    news: dict[int, int] = {}
    asking = socket.socket(fileno=control)
    while True:
        ready = select.select([control, woken], [], [])[0]
        if woken in ready:
            with suppress(BlockingIOError):
                os.read(woken, 4096)
            _tell_ends(news)
        if control not in ready:
            continue
        asked, handles, _, _ = socket.recv_fds(asking, 1, 4)
        if not asked:
            for pid in news:
                os.kill(pid, signal.SIGKILL)
            for pid in news:
                os.waitpid(pid, 0)
            sys.exit()
        pid = os.fork()
        if not pid:
            asking.detach()
            return _begin(*handles)
        news[pid] = handles[0]
        for handle in handles[1:]:
            os.close(handle)
        _send(handles[0], NUMBER.pack(pid))


def _tell_ends(news: dict[int, int]) -> None:
    """Tell of each fork that has ended how it did."""
    while news:
        pid, status, used = os.wait4(-1, os.WNOHANG)
        if not pid:
            return
        handle = news.pop(pid)
        _send(handle, END.pack(status, used.ru_utime + used.ru_stime))
        os.close(handle)


def _send(handle: int, what: bytes) -> None:
    # Nobody has to listen.
    with suppress(OSError):
        os.write(handle, what)


# --- a fork ----------------------------------------------------------------------------------------------------------


def _begin(news: int, *streams: int) -> bytes:
    """The order of this fork, which has its own standard streams, no other file, and hears signals as at a start."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(DIES_WITH_PARENT, signal.SIGKILL)
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # None of them is overwritten before it is where it belongs.
    moved = [os.dup(stream) for stream in streams]
    for usual, stream in enumerate(moved):
        os.dup2(stream, usual)
    blocks = iter(lambda: os.read(news, 65536), b"")
    order = b"".join(blocks)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    return order


def _become(order: bytes) -> None:
    """Be the process that was ordered, and run its program."""
    asked = json.loads(order)
    if asked["session"]:
        os.setsid()
    if asked["terminal"]:
        ioctl(0, termios.TIOCSCTTY, 0)
    # What Python itself has set where no language is set.
    usual = {name: value for name, value in os.environ.items() if name == "LC_CTYPE"}
    os.environ.clear()
    os.environ.update(usual | asked["environ"])
    os.chdir(asked["cwd"])
    tempfile.tempdir = None
    # The only thing that a module of PlexSync remembers of the process that imports it.
    sys.modules["plexsync.store.files.life_signs"].HANDLES = (
        f"/proc/{os.getpid()}/fd" if Path("/proc/self/fd").is_dir() else ""
    )
    _open_streams()
    how, what, *words = asked["words"]
    sys.orig_argv = [sys.executable, *asked["words"]]
    if how == "-m":
        sys.path[0] = asked["cwd"]
        sys.argv = [what, *words]
        runpy.run_module(what, run_name="__main__", alter_sys=True)
        return
    assert how == "-c", how
    sys.path[0] = ""
    sys.argv = ["-c", *words]
    main = types.ModuleType("__main__")
    sys.modules["__main__"] = main
    exec(compile(what, "<string>", "exec"), main.__dict__)


def _open_streams() -> None:
    """The standard streams as an interpreter opens them."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        before = getattr(sys, f"__{name}__")
        raw = open(number, "wb" if number else "rb", closefd=False)  # noqa: SIM115 - as long as the process
        raw.raw.name = f"<{name}>"
        stream = io.TextIOWrapper(
            raw, before.encoding, before.errors, newline="\n", line_buffering=number == 2 or raw.isatty()
        )
        stream.mode = "w" if number else "r"
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def _finish() -> NoReturn:
    """End this fork as an interpreter ends, but without taking down, piece by piece, all that is imported."""
    code = 0
    try:
        _become(serve(int(sys.argv[1])))
    except SystemExit as end:
        code = _code(end)
    except BaseException as error:  # noqa: BLE001 - as an interpreter ends with what nobody caught
        sys.excepthook(type(error), error, error.__traceback__)
        code = -signal.SIGINT if isinstance(error, KeyboardInterrupt) else 1
    threading._shutdown()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None and not stream.closed:
                stream.flush()
        except (OSError, ValueError):
            code = UNWRITTEN
    if code < 0:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    os._exit(code)


def _code(end: SystemExit) -> int:
    """The exit code that Python makes of it."""
    if end.code is None or isinstance(end.code, int):
        return (end.code or 0) & 0xFF
    sys.stderr.write(f"{end.code}\n")
    return 1


def main() -> NoReturn:
    """Be the warm process, and each of its forks."""
    warm_up()
    gc.collect()
    # No page is written by the collector of a fork alone.
    gc.freeze()
    _finish()


if __name__ == "__main__":
    main()

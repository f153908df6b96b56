"""Runs commands of `plexsync` in this process, which Stash has started for one task or one request of its page.

The commands are the same as in a terminal. Their packages are in a private folder; their settings come from Stash, the
environment and `plexsync.toml`. The environment of this process is as before after each command, so a worker that is
started later signs in by itself. Stash ends a cancelled task with SIGKILL: everything is durable at any instant, and
the next worker takes back what this process had claimed. Standard library only, until a command runs.
"""

import io
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass

from plexsync.stash_plugin import child_process, launcher

# Seconds in which a command that took too long may stop in good order, before its process ends.
LAST = 4.0
SIGNED_IN = (child_process.ADDRESS, child_process.KEY)


@dataclass(frozen=True)
class CommandResult:
    """The result of a command: its exit code, all of its standard output, and whether it took too long."""

    code: int
    output: str
    late: bool = False


class LineWriter(io.RawIOBase):
    """A stream that passes each line on as soon as it is complete."""

    name = "lines"

    def __init__(self, each: Callable[[str], None]) -> None:
        super().__init__()
        self._each = each
        self._rest = b""

    def writable(self) -> bool:
        """Return True."""
        return True

    def write(self, data: object) -> int:
        """Pass on the lines that are complete now."""
        content = bytes(data)  # type: ignore[call-overload]
        *lines, self._rest = (self._rest + content).split(b"\n")
        for line in lines:
            self._each(line.decode("utf-8", "replace").rstrip("\r"))
        return len(content)

    def finish(self) -> None:
        """Pass on the rest as a line."""
        if self._rest:
            self.write(b"\n")


class CommandRunner:
    """The program in this process: on its packages, and signed in to Stash once.

    `report` gets every line of standard error.
    """

    def __init__(self, place: launcher.Runtime, *, report: Callable[[str], None]) -> None:
        self._place = place
        self._report = report
        self._entrance: dict[str, str] | None = None
        self._saved_settings: dict[str, object] | None = None
        _use(place.packages)

    def run(self, *words: str, seconds: "float | None" = None) -> CommandResult:
        """Run a command to its end, or for about `seconds`."""
        collected: list[str] = []
        with self._environment(), _streams(collected.append, self._report), _due_in(seconds) as late:
            code = self._code(words)
        return CommandResult(code, "\n".join(collected), bool(late))

    def wrong_settings(self) -> list[str]:
        """Return what is wrong with the settings, one line each; nothing if Stash can't be asked: a command says so."""
        with self._environment():
            try:
                self._sign_in()
            except child_process.NoEntry:
                return []
            from plexsync.cli.stash_settings import wrong_settings

            return wrong_settings(self._saved_settings)

    def _code(self, words: tuple[str, ...]) -> int:
        try:
            self._sign_in()
            from plexsync.cli.main import run

            return run(list(words))
        except child_process.NoEntry as error:
            self._report(f"plexsync: {error}")
            return 1
        except ImportError as error:
            mends = "the task Install or repair dependencies mends it"
            self._report(f"plexsync: a package of PlexSync can't be used: {error}: {mends}")
            return 1
        except KeyboardInterrupt:
            return 130

    def _sign_in(self) -> None:
        """Sign in, unless that was done for an earlier command; raises NoEntry."""
        if self._entrance is None:
            self._saved_settings = child_process.sign_in(dict(self._place.server))
            self._entrance = {name: os.environ[name] for name in SIGNED_IN if name in os.environ}

    @contextmanager
    def _environment(self) -> Iterator[None]:
        """Have the settings of the program in the environment."""
        before = dict(os.environ)
        os.environ.pop("COLUMNS", None)
        os.environ.update(launcher.settings_of(self._place.folder))
        os.environ.update({"PLEXSYNC_PROGRESS": "stash", **(self._entrance or {})})
        try:
            yield
        finally:
            for name in os.environ.keys() - before.keys():
                del os.environ[name]
            os.environ.update(before)


def _use(packages: str) -> None:
    """Import from the private folder and from the plugin first, and not from the folders that Stash adds.

    Compiled files are kept with the packages, so that nothing is left in the folder of the plugin.
    """
    foreign = {os.path.dirname(os.path.abspath(__file__)), packages, launcher.ROOT}
    foreign |= {os.path.abspath(path) for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path}
    sys.path[:] = [packages, launcher.ROOT, *(path for path in sys.path if os.path.abspath(path) not in foreign)]
    sys.pycache_prefix = os.path.join(packages, launcher.CACHE)


@contextmanager
def _streams(output: Callable[[str], None], report: Callable[[str], None]) -> Iterator[None]:
    """Pass on what is written to standard output and standard error."""
    out, err = LineWriter(output), LineWriter(report)
    with redirect_stdout(_text(out)), redirect_stderr(_text(err)):
        try:
            yield
        finally:
            out.finish()
            err.finish()


def _text(stream: LineWriter) -> io.TextIOWrapper:
    return io.TextIOWrapper(stream, encoding="utf-8", errors="backslashreplace", newline="\n", write_through=True)


@contextmanager
def _due_in(seconds: "float | None") -> Iterator[list[bool]]:
    """Ask the command to stop after this time, as a signal does; the yielded list is not empty if that happened.

    If it does not stop, the page gets its answer and the process ends.
    """
    late: list[bool] = []
    if seconds is None:
        yield late
        return

    def ask() -> None:
        late.append(True)
        child_process.end_in_order()

    def give_up() -> None:
        answer = {"output": {"error": slow(seconds), "code": 1}}
        os.write(1, json.dumps(answer).encode() + b"\n")
        os._exit(0)

    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    timers = [threading.Timer(seconds, ask), threading.Timer(seconds + LAST, give_up)]
    for timer in timers:
        timer.daemon = True
        timer.start()
    try:
        yield late
    except KeyboardInterrupt:
        if not late:
            raise
    finally:
        for timer in timers:
            timer.cancel()
        signal.signal(signal.SIGTERM, before)


def slow(seconds: float) -> str:
    """Return the message about a command that took too long."""
    return f"it took longer than {seconds:.0f} seconds"

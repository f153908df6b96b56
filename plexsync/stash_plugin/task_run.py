"""One call of the plugin by Stash: runs commands of `plexsync` in this process, and passes on what they say.

The commands are the same as in a terminal. Their packages are in a private folder; their settings come from Stash, the
environment and `plexsync.toml`. The environment of this process is as before after each command, so a worker that is
started later signs in by itself. Stash ends a cancelled task with SIGKILL: everything is durable at any instant, and
the next worker takes back what this process had claimed. Standard library only, until a command runs.
"""

import io
import json
import os
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from functools import cached_property

from plexsync.stash_plugin import child_process, dependencies, launcher
from plexsync.stash_plugin.stash_words import Failed, in_its_field, inside, log

Facts = dict[str, object]

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
        # Imports come from the private folder and from the plugin first, and not from the folders that Stash adds. Compiled
        # files are kept with the packages, so that nothing is left in the folder of the plugin.
        foreign = {os.path.dirname(os.path.abspath(__file__)), place.packages, launcher.ROOT}
        foreign |= {os.path.abspath(path) for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path}
        others = (path for path in sys.path if os.path.abspath(path) not in foreign)
        sys.path[:] = [place.packages, launcher.ROOT, *others]
        sys.pycache_prefix = os.path.join(place.packages, launcher.CACHE)

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


@contextmanager
def _streams(output: Callable[[str], None], report: Callable[[str], None]) -> Iterator[None]:
    """Pass on what is written to standard output and standard error."""
    writers = LineWriter(output), LineWriter(report)
    out, err = (
        io.TextIOWrapper(writer, encoding="utf-8", errors="backslashreplace", newline="\n", write_through=True)
        for writer in writers
    )
    with redirect_stdout(out), redirect_stderr(err):
        try:
            yield
        finally:
            for writer in writers:
                writer.finish()


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


@dataclass
class TaskRun:
    """One call: the connection and arguments that Stash passes to its plugins, and the folder of the database.

    `patience` limits each command of an operation, for which a page waits; a task has none.
    """

    folder: str
    server: Mapping[str, object]
    args: Mapping[str, object]
    patience: float | None = None
    heard: list[str] = field(default_factory=list)

    def place(self) -> launcher.Runtime:
        """Return where the program runs; raises NotReady if its packages are missing."""
        return launcher.Runtime(self.folder, dependencies.ready(self.folder), self.server)

    @cached_property
    def program(self) -> CommandRunner:
        """The program in this process; raises NotReady if its packages are missing."""
        return CommandRunner(self.place(), report=self._hear)

    @cached_property
    def wrong_settings(self) -> list[str]:
        """What is wrong with the settings, one message each, in the form that the field in Stash takes."""
        return [in_its_field(line) for line in self.program.wrong_settings()]

    def plexsync(self, *words: str) -> str:
        """Run a command to its end and copy its output to Stash's log; returns the last line. Raises Failed."""
        ended = self.program.run(*words)
        for line in ended.output.splitlines():
            if re.search(r"\w", line):
                log("i", inside(line))
        if ended.code != 0:
            wrong = [line for line in self.heard if not line.startswith("warning: ")]
            raise Failed(" / ".join(wrong) or last_line(ended.output) or f"it ended with {ended.code}")
        return last_line(ended.output)

    def facts(self, *words: str) -> Facts:
        """Run a command for its JSON output, with the exit code added as `code`, and a failure as `error`."""
        ended = self.program.run("--json", *words, seconds=self.patience)
        try:
            document = json.loads(ended.output)
        except ValueError:
            document = {}
        facts = document if isinstance(document, dict) else {}
        if ended.code != 0 and self.patience and ended.late:
            facts = {"error": slow(self.patience)}
        elif ended.code != 0 and not facts:
            facts = {"error": " / ".join(self.heard) or f"it ended with {ended.code}"}
        return {**facts, "code": ended.code}

    def _hear(self, line: str) -> None:
        """Handle a line of the program's standard error: progress, a log line, or a message to the user."""
        if line.startswith("\x01p\x02"):
            log("p", line[3:])
        elif line.startswith("plexsync: "):
            self.heard.append(line.removeprefix("plexsync: "))
            if line.startswith("plexsync: warning: "):
                log("w", inside(line))
        elif line.strip():
            record = re.match(r"\S+ (DEBUG|INFO|WARNING|ERROR) ", line)
            log(record[1][0].lower() if record else "i", inside(line))


def last_line(output: str) -> str:
    """Return the last line that is not blank; '' if there is none."""
    return next((line.strip() for line in reversed(output.splitlines()) if line.strip()), "")

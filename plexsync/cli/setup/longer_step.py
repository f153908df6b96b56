"""A step that may take minutes in a large library: its progress and its result are in a file, which the page reads."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from plexsync.engine.clock import SystemClock
from plexsync.rules.errors import SyncError
from plexsync.store import setup_files
from plexsync.store.lock import try_lock
from validation.redact import Redactor, one_line
from validation.sources import ConfigError

# Milliseconds between two writes of the progress.
PACE = 400
FAULT = "a fault of PlexSync: its log says more"


class StepFile:
    """The file of a running step. `secrets` never stand in it."""

    def __init__(self, folder: Path, name: str) -> None:
        self.secrets: tuple[str, ...] = ()
        self._folder = str(folder)
        self._name = name
        self._clock = SystemClock()
        self._written = 0

    def progress(self, words: str, part: float | None = None) -> None:
        """Say what is being done, and how far it is (0 to 1), unless that was said just now."""
        now = self._clock.now()
        if now - self._written >= PACE:
            self._written = now
            self._write({"doing": words, "part": part})

    def result(self, facts: Mapping[str, object]) -> None:
        """Say what the step has found."""
        self._write({"result": facts})

    def failed(self, error: Exception) -> None:
        """Say why the step ended."""
        expected = isinstance(error, SyncError | ConfigError)
        lines = str(error).splitlines() if expected else [FAULT]
        hidden = Redactor(self.secrets)
        self._write({"error": "\n".join(one_line(hidden.redact(line)) for line in lines)})

    def _write(self, facts: Mapping[str, object]) -> None:
        setup_files.write(self._folder, self._name, facts)


@contextmanager
def longer_step(folder: Path, name: str) -> Iterator[StepFile | None]:
    """Run a step; None if one runs already, in another window perhaps. An error is written down, then raised."""
    lock = try_lock(setup_files.place(str(folder)), setup_files.LOCK)
    if lock is None:
        yield None
        return
    with lock:
        step = StepFile(folder, name)
        try:
            yield step
        except Exception as error:
            step.failed(error)
            raise

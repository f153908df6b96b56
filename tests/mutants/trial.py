"""One fault is tried: in a copy of the tree, by the tests that were chosen, until the first of them fails.

A test that fails counts only if it passes without the fault, in the same copy and in the same time. One that hangs has
failed: it gets far more time than any test takes. A run that is ended because a busy machine takes too long has found
nothing.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.measure import ROOT
from tests.mutants.draw import POSTGRES, room_of
from tests.mutants.faults import Fault

# Files of tests per run: the first few find most faults, each run costs a start of the interpreter.
ROUNDS = (4, 8, 12)
# Seconds of one test, and of a wait in it, after which it hangs.
LONGEST_TEST, LONGEST_WAIT = 90, 30
# Seconds after which a run is ended, however many tests it still has.
LONGEST_RUN = 600
# How a run ends: nothing was left of the tests that it should run; it took too long.
NOTHING_RAN, ENDED = 5, -signal.SIGKILL


@dataclass(frozen=True)
class Verdict:
    """What became of a fault: the test that found it, or how many files of tests did not."""

    fault: Fault
    found_by: str = ""
    files: int = 0
    seconds: float = 0.0
    cpu: float = 0.0


def copied(target: Path, root: Path = ROOT) -> None:
    """A copy of the files that git knows or would take, as they are now. Git knows them there, too: a test asks it."""
    words = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(words, cwd=root, capture_output=True, text=True, check=True).stdout.split("\0")
    for name in filter(None, names):
        if (root / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / name, target / name)
    for words in (["init", "-q"], ["add", "--all"]):
        subprocess.run(["git", *words], cwd=target, check=True)


def store_of(fault: Fault) -> str:
    """The option for the database that the tests of a fault need."""
    return "--store=postgres" if room_of(fault.path) == POSTGRES else ""


class Bench:
    """A copy of the tree where faults are tried, one after the other."""

    def __init__(self, folder: Path, cpu: float, unsound: set[str]) -> None:
        self.tree, self.cpu = folder / "tree", cpu
        self.temporary, self.failures = folder / "t", folder / "failures"
        self.temporary.mkdir(parents=True)
        # Tests that fail without a fault as well: all benches have the same.
        self.unsound = unsound
        self.changes = 0

    @contextmanager
    def with_fault(self, fault: Fault) -> Iterator[None]:
        """While this lasts the copy has the fault. Byte code is told apart by a time that no other version has."""
        file = self.tree / fault.path
        source, times = file.read_bytes(), file.stat()
        self.changes += 1
        file.write_bytes(fault.applied(source))
        os.utime(file, (self.changes, self.changes))
        try:
            yield
        finally:
            file.write_bytes(source)
            os.utime(file, (times.st_atime, times.st_mtime))

    def tried(self, fault: Fault, tests: Sequence[str]) -> Verdict:
        """Run these files of tests, some at a time, until one fails or the CPU seconds of a fault are used up."""
        began, used, done = time.monotonic(), 0.0, 0
        sizes, size, failed = iter(ROUNDS), 0, list[str]()
        with self.with_fault(fault):
            while not failed and done < len(tests) and used < self.cpu:
                size = next(sizes, size)
                some = tests[done : done + size]
                failed, cpu = self._run(some, store_of(fault), "-x")
                used, done = used + cpu, done + len(some)
        return Verdict(fault, failed[0] if failed else "", done, time.monotonic() - began, used)

    def confirmed(self, verdicts: Sequence[Verdict]) -> bool:
        """Whether each test that found a fault passes without it. One that does not finds nothing from now on."""
        for store in sorted({store_of(verdict.fault) for verdict in verdicts}):
            tests = {verdict.found_by for verdict in verdicts if verdict.found_by and store_of(verdict.fault) == store}
            if tests:
                self.unsound.update(tests.intersection(self._run(sorted(tests), store)[0]))
        return not any(verdict.found_by in self.unsound for verdict in verdicts)

    def _run(self, tests: Sequence[str], *options: str) -> tuple[list[str], float]:
        """The tests that failed, and the CPU seconds of all that ran."""
        self.failures.unlink(missing_ok=True)
        words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "tests.mutants.failures"]
        words += [f"--timeout={LONGEST_TEST}", f"--basetemp={self.temporary / 'p'}", "--tb=no", *filter(None, options)]
        words += [*(f"--deselect={test}" for test in sorted(self.unsound)), *tests]
        environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        environ |= {
            "PYTHONPATH": str(self.tree),
            "TMPDIR": str(self.temporary),
            "MUTANTS_FAILURES": str(self.failures),
            "TESTS_HANG": str(LONGEST_WAIT),
        }
        with (self.tree.parent / "output").open("wb") as output:
            process = subprocess.Popen(
                words, cwd=self.tree, env=environ, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
            )
            status, cpu = self._waited(process)
            self._end_what_is_left()
        if self.failures.exists():
            return self.failures.read_text(encoding="utf-8").splitlines(), cpu
        return ([] if status in (0, NOTHING_RAN, ENDED) else [tests[0]]), cpu

    @staticmethod
    def _waited(process: subprocess.Popen[bytes]) -> tuple[int, float]:
        """How it ended, and its CPU seconds with those of its children."""
        end = time.monotonic() + LONGEST_RUN
        while True:
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
            if pid:
                process.returncode = os.waitstatus_to_exitcode(status)
                return process.returncode, usage.ru_utime + usage.ru_stime
            if time.monotonic() > end:
                os.killpg(process.pid, signal.SIGKILL)
            time.sleep(0.02)

    def _end_what_is_left(self) -> None:
        """A process that a fault left behind is ended: it has the environment of this copy."""
        mark = f"MUTANTS_FAILURES={self.failures}\0".encode()
        for place in Path("/proc").glob("[0-9]*/environ"):
            with suppress(OSError):
                if mark in place.read_bytes():
                    os.kill(int(place.parent.name), signal.SIGKILL)

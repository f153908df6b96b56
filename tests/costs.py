"""What a run of the tests costs: CPU seconds (user and system, with the processes that a test waited for), by test.

Each run keeps them in pytest's cache. `make measure` prints those of the last run by folder, and its dearest tests.
"""

import json
import os
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import forked

KEY = "plexsync/costs"
KEPT = Path(".pytest_cache/v") / KEY
DEAREST = 10
FOLDER_OF_ALL = "collecting and the rest"


def own_cpu() -> float:
    """The CPU seconds of this process alone."""
    times = os.times()
    return times.user + times.system


def cpu() -> float:
    """The CPU seconds of this process, of the children that it has waited for, and of forks of the warm process."""
    times = os.times()
    return own_cpu() + times.children_user + times.children_system + forked.WARM.spent


class Costs:
    """A plugin: in a process that runs tests it measures each, in the one that prints it gathers and keeps them."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._began = 0.0
        self._tests: dict[str, float] = {}
        self._workers = 0.0

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self) -> Iterator[None]:
        self._began = cpu()
        return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, call: pytest.CallInfo[None]) -> Iterator[pytest.TestReport]:
        report = yield
        # What is taken down at the end of a run, such as a browser, is no cost of its last test.
        if call.when == "call":
            report.user_properties.append(("cpu", cpu() - self._began))
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        for name, value in report.user_properties:
            if name == "cpu":
                self._tests[report.nodeid] = round(float(str(value)), 3)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: object) -> None:
        self._workers += getattr(node, "workeroutput", {}).get("cpu", 0.0)

    @property
    def _all(self) -> float:
        # What runs tests for this process has told its own costs.
        return self._workers + own_cpu() if self._workers else cpu()

    def pytest_sessionfinish(self) -> None:
        output = getattr(self._config, "workeroutput", None)
        if output is not None:
            output["cpu"] = cpu()
        elif self._tests and getattr(self._config, "cache", None) is not None:
            self._config.cache.set(KEY, {"all": round(self._all, 1), "tests": self._tests})

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._tests:
            terminalreporter.write_line(f"{self._all / 60:.1f} min of CPU; make measure shows where")


def rows(root: Path) -> Iterator[tuple[float, str]]:
    """What the last run below this folder cost, (CPU seconds, what): all, each folder, then the dearest tests."""
    kept = root / KEPT
    if not kept.exists():
        return
    costs = json.loads(kept.read_text(encoding="utf-8"))
    folders: defaultdict[str, float] = defaultdict(float)
    for name, seconds in costs["tests"].items():
        folders["/".join(name.split("::")[0].split("/")[:2])] += seconds
    folders[FOLDER_OF_ALL] = costs["all"] - sum(folders.values())
    yield costs["all"], f"the last run, {len(costs['tests']):,} tests"
    for folder, seconds in sorted(folders.items(), key=lambda row: -row[1]):
        yield seconds, folder
    for name, seconds in sorted(costs["tests"].items(), key=lambda row: -row[1])[:DEAREST]:
        yield seconds, name

"""A plugin of pytest: writes the names of tests that failed to the file that MUTANTS_FAILURES names, a line each."""

import os
from pathlib import Path

import pytest


def _note(report: pytest.TestReport | pytest.CollectReport) -> None:
    if report.failed:
        with Path(os.environ["MUTANTS_FAILURES"]).open("a", encoding="utf-8") as file:
            file.write(f"{report.nodeid}\n")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    _note(report)


def pytest_collectreport(report: pytest.CollectReport) -> None:
    _note(report)

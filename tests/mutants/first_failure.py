"""A plugin of pytest: writes the name of the first test that failed to the file that MUTANTS_FIRST_FAILURE names."""

import os
from pathlib import Path

import pytest


def _note(report: pytest.TestReport | pytest.CollectReport) -> None:
    place = Path(os.environ["MUTANTS_FIRST_FAILURE"])
    if report.failed and not place.exists():
        place.write_text(report.nodeid, encoding="utf-8")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    _note(report)


def pytest_collectreport(report: pytest.CollectReport) -> None:
    _note(report)

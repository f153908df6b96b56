"""A plugin for pytest that keeps the tests of one row of the table. Whoever has picked nothing gets an error, not a pass.

A pattern is a file or folder below `tests/`, or `file::name`, where `*` stands for anything; a `-` before it takes away
what others have picked.
"""

import os
import re

import pytest

VARIABLE = "TORTURE_PICKED"


def fits(pattern: str, node: str) -> bool:
    """Whether a pattern picks a test."""
    place, _, name = pattern.partition("::")
    file, _, test = node.removeprefix("tests/").partition("::")
    there = file == place or file.startswith(f"{place}/")
    return there and (not name or re.fullmatch(".*".join(map(re.escape, name.split("*"))), test, re.DOTALL) is not None)


def is_picked(patterns: tuple[str, ...], node: str) -> bool:
    """Whether one of the patterns picks a test and none takes it away."""
    wanted = any(fits(one, node) for one in patterns if not one.startswith("-"))
    return wanted and not any(fits(one[1:], node) for one in patterns if one.startswith("-"))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    patterns = tuple(os.environ[VARIABLE].splitlines())
    for one in patterns:
        if not any(fits(one.removeprefix("-"), item.nodeid) for item in items):
            raise pytest.UsageError(f"{one} picks no test")
    kept = [item for item in items if is_picked(patterns, item.nodeid)]
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = kept

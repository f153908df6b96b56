"""Tests over a table: one case for all of its rows, for rules that keep nothing from one row to the next.

`@table` reads like `pytest.mark.parametrize`, and fails with each row that does. It costs nothing to collect, and takes no
turn of its own for each row. Where a row needs a fixture that starts anew, `parametrize` is right.
"""

import functools
import inspect
from collections.abc import Callable, Iterable
from itertools import chain
from typing import Any

import pytest

Test = Callable[..., None]
# What `pytest.param` makes.
PARAM = type(pytest.param())
# Characters of a row that a failure shows.
SHOWN = 200


def table(names: str | tuple[str, ...], rows: Iterable[Any]) -> Callable[[Test], Test]:
    """A decorator: the test runs once for each row, with its values under these names. Tables above each other multiply."""
    columns = (names,) if isinstance(names, str) else names
    filled = [_values(row, alone=isinstance(names, str)) for row in rows]
    if not filled or any(len(row) != len(columns) for row in filled):
        raise ValueError(f"a table of {columns} with a value for each, and a row at least")

    def over_all(test: Test) -> Test:
        signature = inspect.signature(test)

        @functools.wraps(test)
        def whole(**fixtures: object) -> None:
            errors = [
                *chain.from_iterable(_errors(test, dict(zip(columns, row, strict=True)), fixtures) for row in filled)
            ]
            if errors:
                raise ExceptionGroup(f"{len(errors)} of {len(filled)} rows", errors)

        kept = [parameter for name, parameter in signature.parameters.items() if name not in columns]
        whole.__signature__ = signature.replace(parameters=kept)  # type: ignore[attr-defined]
        return whole

    return over_all


def _values(row: Any, *, alone: bool) -> tuple[Any, ...]:
    if isinstance(row, PARAM):
        if row.marks:
            raise ValueError("a row with marks has to be a case")
        return tuple(row.values)
    return (row,) if alone else tuple(row)


def _errors(test: Test, row: dict[str, Any], fixtures: dict[str, object]) -> list[Exception]:
    try:
        test(**row, **fixtures)
    except (Exception, pytest.fail.Exception) as error:  # noqa: BLE001
        failure = error if isinstance(error, Exception) else AssertionError(str(error))
        failure.add_note("the row with " + ", ".join(f"{name} = {_shown(value)}" for name, value in row.items()))
        return [failure]
    return []


def _shown(value: object) -> str:
    try:
        return ascii(value)[:SHOWN]
    except ValueError:
        return "a number that is too long for a text"

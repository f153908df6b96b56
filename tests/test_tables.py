"""A test over a table runs for each row, and says which rows fail."""

import inspect

import pytest

from tests.tables import table


def test_each_row_is_tried_and_each_that_fails_is_named() -> None:
    tried = []

    @table(("number", "word"), [(1, "one"), (2, "two"), (3, "three"), (4, "four")])
    def holds(number: int, word: str, limit: int) -> None:
        tried.append(word)
        if number == 2:
            pytest.fail("of course")
        assert number < limit

    with pytest.raises(ExceptionGroup, match="2 of 4 rows") as caught:
        holds(limit=4)
    assert tried == ["one", "two", "three", "four"]
    assert [error.__notes__ for error in caught.value.exceptions] == [
        ["the row with number = 2, word = 'two'"],
        ["the row with number = 4, word = 'four'"],
    ]
    assert [*inspect.signature(holds).parameters] == ["limit"]


def test_an_error_is_a_failure_of_its_row() -> None:
    @table("divisor", (1, 0, 10**5000))
    def holds(divisor: int) -> None:
        assert 1 // divisor

    with pytest.raises(ExceptionGroup) as caught:
        holds()
    assert [type(error) for error in caught.value.exceptions] == [ZeroDivisionError, AssertionError]


def test_tables_multiply() -> None:
    tried = set()

    @table("right", "xy")
    @table("left", "abc")
    def holds(left: str, right: str) -> None:
        tried.add(left + right)

    holds()
    assert tried == {"ax", "bx", "cx", "ay", "by", "cy"}


def test_a_row_may_have_a_name_and_no_marks() -> None:
    tried = []

    @table(("left", "right"), [pytest.param(1, 2, id="a"), (3, 4)])
    def holds(left: int, right: int) -> None:
        tried.append((left, right))

    holds()
    assert tried == [(1, 2), (3, 4)]
    with pytest.raises(ValueError, match="marks"):
        table("left", [pytest.param(1, marks=pytest.mark.skip)])


@pytest.mark.parametrize("rows", [[], [(1, 2), (3,)]])
def test_a_table_has_rows_and_each_a_value_for_each_name(rows: list[tuple[int, ...]]) -> None:
    with pytest.raises(ValueError, match="left"):
        table(("left", "right"), rows)

"""Tables on a narrow terminal: no word is broken, no line is too long, and nothing is left out."""

import pytest
from rich.console import Console

from plexsync.cli.terminal.paper import fit_columns, table

HEADS = ("field", "Stash says", "Plex has", "would do", "why")
ROWS = [
    ("title", "A Title", "An Older Title", "write", "changed in Stash"),
    ("cast", "Performer 0, Performer 20", "", "add Performer 0", "changed in Stash"),
]


def drawn(width: int, heads: tuple[str, ...] = HEADS, rows: list[tuple[str, ...]] = ROWS) -> list[str]:
    out = Console(width=width, color_system=None)
    with out.capture() as caught:
        out.print(table("Item 7", heads, rows))
    return [line.rstrip() for line in caught.get().splitlines()]


@pytest.mark.parametrize("width", [40, 50, 60, 70, 80, 120])
def test_no_word_is_broken_and_no_line_is_too_long(width: int) -> None:
    lines = drawn(width)
    assert max(map(len, lines)) <= width
    words = {word for line in lines for word in line.split()}
    assert {word for row in ROWS for cell in row for word in cell.split()} <= words


def test_where_the_columns_do_not_fit_each_row_is_a_block() -> None:
    assert drawn(42) == [
        "Item 7",
        "title",
        "  Stash says  A Title",
        "  Plex has    An Older Title",
        "  would do    write",
        "  why         changed in Stash",
        "cast",
        "  Stash says  Performer 0, Performer 20",
        "  would do    add Performer 0",
        "  why         changed in Stash",
        "",
    ]


def test_a_short_row_is_two_lines() -> None:
    rows = [("breaker_recovery_timeout", "30", "60", "environment"), ("plex_token", "***", "", "environment")]
    assert drawn(42, ("setting", "value", "default", "from"), rows) == [
        "Item 7",
        "breaker_recovery_timeout",
        "  value 30 · default 60 · from environment",
        "plex_token",
        "  value *** · from environment",
        "",
    ]


def test_the_widest_column_gives_way_first_and_none_below_its_longest_word() -> None:
    assert fit_columns([10, 40, 30], [10, 14, 14], 100) == [10, 40, 30]
    assert fit_columns([10, 40, 30], [10, 14, 14], 60) == [10, 25, 25]
    assert fit_columns([10, 40, 15], [10, 30, 14], 54) == [10, 30, 14]

"""Text and tables on standard output. A table fits the terminal without breaking words, or each row becomes a block."""

import os
import re
import sys
import textwrap
from collections.abc import Iterable, Sequence
from typing import IO, cast

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from plexsync.reports.format import is_moment, safe

WIDEST = 10_000
LONGEST_WORD = 28
# A longer word, such as a path, may be broken.
LONGEST_KEPT = 14
# Blanks between two columns, and at both edges together, with and without a head.
HEADED, BARE = (3, 2), (2, 0)
# From this number of columns on, rows can become blocks.
WIDE = 3


def paper() -> Console:
    """Standard output for text. If it is not a terminal, nothing is folded and no line ends in blanks."""
    out: IO[str] = sys.stdout if sys.stdout.isatty() else cast("IO[str]", Trimmed(sys.stdout))
    return Console(file=out, highlight=False, markup=False, emoji=False, width=width_of(sys.stdout))


class Trimmed:
    """A file that removes the trailing blanks of table lines."""

    def __init__(self, out: IO[str]) -> None:
        self._out = out

    def write(self, text: str) -> int:
        """Write the text; lines come whole."""
        return self._out.write(re.sub(r" +$", "", text, flags=re.MULTILINE))

    def flush(self) -> None:
        """Flush the file."""
        self._out.flush()

    def isatty(self) -> bool:
        """Return False: this is no terminal."""
        return False


def width_of(out: IO[str]) -> int | None:
    """None, the width of the terminal or COLUMNS, if there is one; else unlimited."""
    return None if out.isatty() or os.environ.get("COLUMNS") else WIDEST


def say(out: Console, text: str, *, style: str | None = None) -> None:
    """Print a sentence; on a terminal it is wrapped between words, so that a copied path or address stays whole."""
    lines = [
        wrapped
        for line in text.splitlines()
        for wrapped in textwrap.wrap(line, out.width, break_long_words=False, break_on_hyphens=False) or [""]
    ]
    out.print("\n".join(lines), style=style, soft_wrap=True)


def table(title: str, heads: Sequence[str], rows: Iterable[Sequence[str]], *, right: Sequence[int] = ()) -> Table:
    """A plain table; foreign texts are made safe for the terminal. `right` numbers the columns of figures.

    On a terminal that is too narrow for its columns, each row is a block of lines.
    """
    drawn = FittedTable(
        title=title or None,
        title_justify="left",
        title_style="bold",
        box=SIMPLE_HEAD if any(heads) else None,
        show_header=any(heads),
        padding=(0, 2, 0, 0),
        pad_edge=False,
    )
    cells = [[safe(cell) for cell in row] for row in rows]
    for number, head in enumerate(heads):
        # A moment, a number or a name is not folded.
        whole = all(
            len(row[number]) <= LONGEST_WORD and (" " not in row[number] or is_moment(row[number])) for row in cells
        )
        drawn.add_column(
            Text(head), justify="right" if number in right else "left", overflow="fold", no_wrap=bool(cells) and whole
        )
    for row in cells:
        drawn.add_row(*map(Text, row))
    return drawn


def filled_table(
    title: str, heads: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()
) -> Table:
    """The same without the columns that are empty in every row. `right` numbers those that are left."""
    places = [place for place in range(len(heads)) if any(row[place] for row in rows)]
    return table(
        title, [heads[place] for place in places], [[row[place] for place in places] for row in rows], right=right
    )


class FittedTable(Table):
    """A table of texts whose columns get the width of this console, the widest giving way first."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The table, or a block for each row."""
        between, edges = HEADED if self.show_header else BARE
        room = options.max_width - edges - between * (len(self.columns) - 1)
        columns = [[str(cell) for cell in column.cells] for column in self.columns]
        heads = [str(column.header) for column in self.columns]
        words = [" ".join([head, *texts]).split(" ") for head, texts in zip(heads, columns, strict=True)]
        naturals = [max(map(cell_len, [head, *column])) for head, column in zip(heads, columns, strict=True)]
        least = [
            natural if column.no_wrap else min(natural, LONGEST_KEPT, max(map(cell_len, its_words)))
            for natural, column, its_words in zip(naturals, self.columns, words, strict=True)
        ]
        if sum(least) > room and len(columns) >= WIDE:
            yield from self._blocks(heads, columns, options.max_width)
            return
        if sum(least) <= room:
            for column, width in zip(self.columns, fit_columns(naturals, least, room), strict=True):
                column.width = width
        yield from super().__rich_console__(console, options)

    def _blocks(self, heads: list[str], columns: list[list[str]], width: int) -> RenderResult:
        if self.title:
            yield Text(str(self.title), style="bold")
        # A first column without a head, such as a number, stands before the second.
        named = 1 if heads[0] else 2
        for row, cells in zip(self.rows, zip(*columns, strict=True), strict=True):
            yield Text(" ".join(filter(None, cells[:named])), style=row.style or "bold")
            yield _block([pair for pair in zip(heads[named:], cells[named:], strict=True) if pair[1]], width)
        yield Text("")


def fit_columns(naturals: list[int], least: list[int], room: int) -> list[int]:
    """The width of each column: its own, and where that is too much, the widest are cut first, none below its least."""
    widths = list(naturals)
    while sum(widths) > room:
        reducible = [number for number, width in enumerate(widths) if width > least[number]]
        widths[max(reducible, key=lambda number: widths[number])] -= 1
    return widths


def _block(pairs: list[tuple[str, str]], width: int) -> RenderableType:
    """The cells of a row below each other, or on one line if that is wide enough."""
    line = "  " + " · ".join(f"{head} {cell}" for head, cell in pairs)
    if cell_len(line) <= width:
        return Text(line)
    block = Table.grid(padding=(0, 2, 0, 0))
    block.add_column(no_wrap=True)
    block.add_column(overflow="fold")
    for head, cell in pairs:
        block.add_row(f"  {head}", Text(cell))
    return block

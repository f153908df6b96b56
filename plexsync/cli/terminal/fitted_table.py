"""A table that fits the terminal without breaking words; where its columns don't fit, each row becomes a block of lines."""

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

# A longer word, such as a path, may be broken.
LONGEST_KEPT = 14
# Blanks between two columns, and at both edges together, with and without a head.
HEADED, BARE = (3, 2), (2, 0)
# From this number of columns on, rows can become blocks.
WIDE = 3


class FittedTable(Table):
    """A table of texts whose columns get the width of this console, the widest giving way first."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The table, or a block for each row."""
        between, edges = HEADED if self.show_header else BARE
        room = options.max_width - edges - between * (len(self.columns) - 1)
        columns = [[str(cell) for cell in column.cells] for column in self.columns]
        heads = [str(column.header) for column in self.columns]
        naturals = [max(map(cell_len, [head, *column])) for head, column in zip(heads, columns, strict=True)]
        least = [
            natural if column.no_wrap else min(natural, max(map(_least, [head, *texts])))
            for natural, column, head, texts in zip(naturals, self.columns, heads, columns, strict=True)
        ]
        if sum(least) > room and len(columns) >= WIDE:
            yield from self._blocks(heads, columns, options.max_width)
            return
        if sum(least) <= room:
            for column, width in zip(self.columns, fitted(naturals, least, room), strict=True):
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


def fitted(naturals: list[int], least: list[int], room: int) -> list[int]:
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


def _least(text: str) -> int:
    return min(LONGEST_KEPT, max(map(cell_len, text.split(" "))))

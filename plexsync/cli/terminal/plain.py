"""Tables and sentences for standard output without a library, for commands that must start fast.

The output looks like that of `plexsync.cli.terminal.screen`. On a terminal, wide text is folded between words, and
headings are bold unless NO_COLOR is set; elsewhere nothing is folded and no line ends in blanks.
"""

import os

from plexsync.reports.format import is_moment

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import TextIO

USUAL_WIDTH = 80
LONGEST_WORD = 24
LONGEST = 400
LEAST_COLUMN = 8
GAP = 2


class Look:
    """The output style: the line width (0: unlimited), bold headings or not, and the character for rules."""

    def __init__(self, width: int, *, bold: bool, rule: str) -> None:
        self.width = width
        self.bold = bold
        self.rule = rule

    def sentence(self, text: str) -> str:
        """A bold sentence, folded between words; a word longer than a line stays whole."""
        lines = folded(text, self.width, whole=True) if self.width else text.splitlines()
        return "".join(f"{self._strong(line)}\n" for line in lines)

    def table(
        self, title: str, heads: "Sequence[str]", rows: "Iterable[Sequence[str]]", *, right: "Sequence[int]" = ()
    ) -> str:
        """A table with an empty line after it; foreign texts are made safe. `right` numbers the columns of figures."""
        cells = [[safe(cell) for cell in row] for row in rows]
        columns = range(len(heads))
        widths = self._fitted(heads, cells)
        headed = any(heads)
        lines = [self._strong(title)] if title else []
        if headed:
            lines.append(" " + self._line(heads, widths, right, strong=True))
            lines.append(" " + self.rule * (sum(widths) + GAP * (len(widths) - 1)))
        for row in cells:
            parts = [folded(row[number], widths[number]) for number in columns]
            for at in range(max(map(len, parts))):
                line = self._line([part[at] if at < len(part) else "" for part in parts], widths, right)
                lines.append(f" {line}" if headed else line)
        return "".join(f"{line.rstrip()}\n" for line in lines) + ("\n" if headed else "")

    def _strong(self, text: str) -> str:
        return f"\x1b[1m{text}\x1b[0m" if self.bold and text else text

    def _line(
        self, cells: "Sequence[str]", widths: "Sequence[int]", right: "Sequence[int]", *, strong: bool = False
    ) -> str:
        parts = []
        for number, cell in enumerate(cells):
            blanks = " " * (widths[number] - width_of(cell))
            text = self._strong(cell) if strong else cell
            parts.append(blanks + text if number in right else text + blanks)
        return (" " * GAP).join(parts)

    def _fitted(self, heads: "Sequence[str]", cells: "Sequence[Sequence[str]]") -> list[int]:
        """The width of each column: its widest cell, or less if the line would not fit."""
        columns = [[head, *(row[number] for row in cells)] for number, head in enumerate(heads)]
        widths = [max(map(width_of, column)) for column in columns]
        foldable = [number for number, column in enumerate(columns) if not all(map(_is_word, column[1:]))]
        room = self.width - 1 - GAP * (len(widths) - 1)
        while self.width and foldable and sum(widths) > room:
            widest = max(foldable, key=lambda number: widths[number])
            if widths[widest] <= LEAST_COLUMN:
                break
            widths[widest] = max(LEAST_COLUMN, widths[widest] - (sum(widths) - room), _second(widths, foldable, widest))
        return widths


def _second(widths: "Sequence[int]", foldable: "Sequence[int]", widest: int) -> int:
    """The width to which the widest column is cut before the next one is."""
    others = [widths[number] for number in foldable if number != widest and widths[number] < widths[widest]]
    equal = any(widths[number] == widths[widest] for number in foldable if number != widest)
    return widths[widest] - 1 if equal else max(others, default=0)


def _is_word(cell: str) -> bool:
    """Whether a cell is a moment, a number or a name, which should not be folded."""
    return len(cell) <= LONGEST_WORD and (" " not in cell or is_moment(cell))


def look_of(out: "TextIO", environ: "Mapping[str, str]") -> Look:
    """The style for this stream: by the terminal, by COLUMNS, or plain."""
    tty = out.isatty()
    dumb = environ.get("TERM", "").lower() in ("dumb", "unknown")
    bold = tty and not dumb and not environ.get("NO_COLOR")
    rule = "\u2500" if "utf" in (out.encoding or "").lower() else "-"
    columns = environ.get("COLUMNS", "")
    if columns.isdecimal() and columns.isascii() and 0 < len(columns) < 6 and int(columns):
        return Look(int(columns), bold=bold, rule=rule)
    return Look(_terminal_width(out) if tty else 0, bold=bold, rule=rule)


def _terminal_width(out: "TextIO") -> int:
    try:
        return os.get_terminal_size(out.fileno()).columns or USUAL_WIDTH
    except (OSError, ValueError):
        return USUAL_WIDTH


def safe(text: str, longest: int = LONGEST) -> str:
    """Clean a foreign text for the terminal: one line, no control characters, limited length."""
    line = text[: longest + 1]
    if not line.isprintable():
        from validation.redact import one_line

        line = one_line(line)
    return line if len(text) <= longest else line[:longest] + "..."


def width_of(text: str) -> int:
    """The number of columns that a text takes on a terminal."""
    if text.isascii():
        return len(text)
    import unicodedata

    return sum(
        0 if unicodedata.combining(sign) else 2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in text
    )


def folded(text: str, width: int, *, whole: bool = False) -> list[str]:
    """Fold the text to this width, between words; a longer word is broken too, unless it stays `whole`."""
    if width_of(text) <= width:
        return [text]
    lines, line = [], ""
    for word in text.split(" "):
        if line and width_of(line) + 1 + width_of(word) <= width:
            line = f"{line} {word}"
            continue
        if line:
            lines.append(line)
        line = word
        while not whole and width_of(line) > width:
            lines.append(_piece(line, width))
            line = line[len(lines[-1]) :]
    return [*lines, line]


def _piece(word: str, width: int) -> str:
    """The longest beginning of a word that fits, at least one character."""
    end = 1
    while end < len(word) and width_of(word[: end + 1]) <= width:
        end += 1
    return word[:end]

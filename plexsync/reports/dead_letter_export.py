"""The dead-letter queue as a file: JSON with all known facts, CSV with one line per row.

Rows are read page by page and rendered on demand, so a queue of any length needs little memory. A spreadsheet
evaluates a cell that begins like a formula: such a cell gets a leading apostrophe.
"""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping

from plexsync.app.stored import Stored
from plexsync.reports.cures import cure
from plexsync.reports.rows import attempt_facts, push_facts, row_facts, rows_in
from plexsync.reports.shapes.dead_letters import LetterFacts
from plexsync.rules.job import State
from plexsync.rules.records import JobRow
from plexsync.store.database import Reader
from validation.redact import one_line

COLUMNS = (
    "kind",
    "id",
    "cause",
    "error",
    "since",
    "attempts",
    "failures_in_a_row",
    "crashes",
    "failed_attempts",
    "first_failed_at",
    "last_failed_at",
    "last_push_at",
    "advice",
)
# The first characters of a formula, in plain and in full width.
FORMULA = tuple("=+-@\t\r\n＝＋－＠")


def letters(parts: Stored, cause: str) -> Iterator[LetterFacts]:
    """Yield all known facts of each dead row (of one cause), by kind and id."""
    for row in rows_in(parts, State.DEAD, cause):
        with parts.store.reading() as db:
            one = letter(db, row)
        yield one


def letter(db: Reader, row: JobRow) -> LetterFacts:
    """Return all known facts of a dead row."""
    return {
        **row_facts(row),
        "meaning": cure(row.cls, row.error).meaning,
        "advice": cure(row.cls, row.error).advice,
        "failed_attempts": attempt_facts(db.attempts.of(row.kind, row.id)),
        "pushes": push_facts(db.pushes.of(row.kind, row.id)),
    }


def json_pieces(head: Mapping[str, object], name: str, items: Iterable[object]) -> Iterator[str]:
    """Yield one JSON object in pieces: `head`, then the items under `name`, one piece per item, as they arrive."""
    yield "{\n" + "".join(f"  {json.dumps(key)}: {json.dumps(value)},\n" for key, value in head.items())
    yield f"  {json.dumps(name)}: ["
    none = True
    for item in items:
        yield ("" if none else ",") + "\n    " + json.dumps(item)
        none = False
    yield "]\n}\n" if none else "\n  ]\n}\n"


def csv_pieces(letters: Iterable[LetterFacts]) -> Iterator[str]:
    """Yield a header line, then one line per letter."""
    out = io.StringIO()
    lines = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n")
    lines.writerow(COLUMNS)
    for letter in letters:
        yield _taken(out)
        lines.writerow([cell(value) for value in _cells(letter)])
    yield _taken(out)


def _taken(out: io.StringIO) -> str:
    text = out.getvalue()
    out.seek(0)
    out.truncate()
    return text


def _cells(letter: LetterFacts) -> list[object]:
    attempts, pushes = letter["failed_attempts"], letter["pushes"]
    known: dict[str, object] = {
        **letter,
        "failed_attempts": len(attempts),
        "first_failed_at": attempts[-1]["at"] if attempts else "",
        "last_failed_at": attempts[0]["at"] if attempts else "",
        "last_push_at": pushes[0]["at"] if pushes else "",
    }
    return [known[name] for name in COLUMNS]


def cell(value: object) -> str:
    """Format a value as a cell that no spreadsheet evaluates as a formula: one line, without control characters."""
    text = str(value)
    begins = text.lstrip(" ")[:1]
    text = one_line(text)
    return f"'{text}" if begins in FORMULA else text

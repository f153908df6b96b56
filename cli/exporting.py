"""The dead-letter queue as a file: JSON with everything that is known, CSV with a line for each row.

Rows are read page by page and written as they come, so that a queue of any length needs little memory. A spreadsheet
takes a cell that begins like a formula for one: such a cell gets an apostrophe before it.
"""

import csv
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from cli.cures import cure
from cli.rows import attempt_facts, push_facts, row_facts, rows_in
from sync.errors import Unusable
from sync.job import State
from validation.redact import one_line
from wiring import Parts

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
# What makes a cell a formula, in plain and in full width.
FORMULA = tuple("=+-@\t\r\n＝＋－＠")


def dead_letters(parts: Parts, cause: str) -> Iterator[dict[str, Any]]:
    """Everything that is known of each dead row (of one cause), by kind and id."""
    for row in rows_in(parts, State.DEAD, cause):
        with parts.store.reading() as db:
            attempts, pushes = db.attempts(row.kind, row.id), db.pushes(row.kind, row.id)
        yield {
            **(row_facts(row) or {}),
            "meaning": cure(row.cls, row.error).meaning,
            "advice": cure(row.cls, row.error).advice,
            "failed_attempts": attempt_facts(attempts),
            "pushes": push_facts(pushes),
        }


def write_json(head: Mapping[str, Any], name: str, items: Iterable[Any], out: TextIO) -> int:
    """One JSON object: `head`, and under `name` the items as they come; returns how many there were."""
    out.write("{\n" + "".join(f"  {json.dumps(key)}: {json.dumps(value)},\n" for key, value in head.items()))
    out.write(f"  {json.dumps(name)}: [")
    count = 0
    for item in items:
        out.write(("," if count else "") + "\n    " + json.dumps(item))
        count += 1
    out.write("\n  ]\n}\n" if count else "]\n}\n")
    return count


def write_csv(letters: Iterable[Mapping[str, Any]], out: TextIO) -> int:
    """A head line and a line for each; returns how many there were."""
    lines = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n")
    lines.writerow(COLUMNS)
    count = 0
    for letter in letters:
        lines.writerow([cell(value) for value in _cells(letter)])
        count += 1
    return count


def _cells(letter: Mapping[str, Any]) -> list[Any]:
    attempts, pushes = letter["failed_attempts"], letter["pushes"]
    known = {
        **letter,
        "failed_attempts": len(attempts),
        "first_failed_at": attempts[-1]["at"] if attempts else "",
        "last_failed_at": attempts[0]["at"] if attempts else "",
        "last_push_at": pushes[0]["at"] if pushes else "",
    }
    return [known[name] for name in COLUMNS]


def cell(value: Any) -> str:
    """A value as a cell that no spreadsheet takes for a formula: one line, without control characters."""
    text = str(value)
    begins = text.lstrip(" ")[:1]
    text = one_line(text)
    return f"'{text}" if begins in FORMULA and begins else text


@contextmanager
def output(target: str, *, replace: bool) -> Iterator[TextIO]:
    """Where to write: standard output for `-`, else a file of mode 0600 that gets its name when it is complete."""
    if target == "-":
        yield sys.stdout
        return
    path = Path(target)
    if not target or path.is_dir():
        raise Unusable(f"{target} is a folder: name a file" if target else "name a file, or - for standard output")
    if path.exists() and not replace:
        raise Unusable(f"{path} exists already: name another file, or replace it with --force")
    hidden = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with os.fdopen(os.open(hidden, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as out:
            if hasattr(os, "fchmod"):
                os.fchmod(out.fileno(), 0o600)
            yield out
            out.flush()
            os.fsync(out.fileno())
        hidden.replace(path)
    except OSError as error:
        raise Unusable(f"{path} can't be written: {error.strerror}") from error
    finally:
        hidden.unlink(missing_ok=True)

"""Dead letters: grouped by cause, what cures them, one by one, and the whole queue as a file.

As JSON a file has all known facts, as CSV one line per row. Rows are read page by page and rendered on demand, so a queue
of any length needs little memory. A spreadsheet evaluates a cell that begins like a formula: such a cell gets a leading
apostrophe.
"""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import TypedDict

from plexsync.app.stored import Stored
from plexsync.flows.scenes.ambiguity import (
    BOUND_ELSEWHERE,
    BOUND_ITEM,
    DURATION_ONLY,
    ONE_ITEM,
    SHARED_ITEM,
    TWO_SCENES,
)
from plexsync.reports.rows import attempt_facts, push_facts, row_facts, rows_in
from plexsync.reports.shapes.scenes import AttemptFacts, JobFacts, PushFacts
from plexsync.rules.queue.job import State
from plexsync.rules.records import JobRow
from plexsync.rules.servers.causes import Cause, Cure, cure_of
from plexsync.store.database import Reader
from validation.redact import one_line


class ExampleFacts(TypedDict):
    """A dead letter of a cause."""

    kind: str
    id: int
    error: str


class GroupFacts(TypedDict):
    """The dead letters of a cause."""

    cause: str
    meaning: str
    advice: str
    """What cures them."""
    count: int
    example: ExampleFacts


class LetterFacts(JobFacts):
    """A dead letter with all known facts."""

    meaning: str
    advice: str
    """What cures it."""
    failed_attempts: list[AttemptFacts]
    """Newest first."""
    pushes: list[PushFacts]
    """Newest first."""


class Banner(TypedDict, total=False):
    """The warning about too many dead letters."""

    banner: str
    """Only above `dlq_max`."""


class LetterPage(Banner):
    """A page of dead letters, by kind and number: `/api/dead`."""

    dead: int
    """The number of dead letters of the chosen cause."""
    causes: list[GroupFacts]
    """Most frequent first."""
    rows: list[LetterFacts]
    after: str | None
    """Pass this as `after` to get the next page; null on the last page."""


class LetterList(Banner):
    """All dead letters, by kind and number: `plexsync dlq list`."""

    dead: int
    causes: list[GroupFacts]
    rows: list[JobFacts]


# The cases of an ambiguous scene, told apart by how the error begins.
SEVERAL = Cure(
    "several items in Plex fit, and PlexSync does not guess",
    "explain lists the candidates: plexsync bind SCENE ITEM names the right one; or remove or split the duplicate in "
    "Plex, or set path_map so that the full path decides. PlexSync then retries it by itself.",
)
SHARED = Cure(
    "its item in Plex belongs to another scene, whose file comes first in it",
    "merge both scenes in Stash, or split the item in Plex so that each has its own; or plexsync ignore this one. PlexSync "
    "then retries it by itself.",
)
TWO = Cure(
    "two scenes in Stash have this file, or files that look the same",
    "merge them in Stash, or choose which one Plex shows: plexsync bind SCENE ITEM, with the number of that scene. PlexSync "
    "then retries the other by itself.",
)
ELSEWHERE = Cure(
    "Plex shows another scene in its place, because you bound the item to that one",
    "plexsync ignore leaves this one alone; plexsync unbind, with the other scene, lets the files decide again; or merge "
    "both in Stash.",
)
ONE = Cure(
    "one item in Plex could be it, and it is not certain",
    "explain shows the item and why it was not taken: plexsync bind SCENE ITEM binds it if it is the same video. Or set "
    "path_map so that the full path decides. PlexSync then retries it by itself.",
)
DURATION = Cure(
    "one item in Plex has a file of the same name and duration, but no size confirms that it is the same file",
    "explain shows the item: plexsync bind SCENE ITEM binds it, plexsync bind --by-duration all of this kind. Or set "
    "path_map so that the full path decides. PlexSync then retries it by itself.",
)
BOUND = Cure(
    "the item that it was bound to by hand can't be written to",
    "plexsync bind SCENE ITEM binds it to the item that it is now, plexsync unbind SCENE matches it by its files. PlexSync "
    "then retries it by itself, and when the item is back.",
)


_CURES = {
    SHARED_ITEM: SHARED,
    BOUND_ELSEWHERE: ELSEWHERE,
    TWO_SCENES: TWO,
    ONE_ITEM: ONE,
    BOUND_ITEM: BOUND,
    DURATION_ONLY: DURATION,
}


def cure(cause: str, error: str = "") -> Cure:
    """Return the row for a cause, or a general one; `error`, the row's error, selects a more specific cure."""
    if cause == Cause.AMBIGUOUS and error:
        return next((cure for begin, cure in _CURES.items() if error.startswith(begin)), SEVERAL)
    return cure_of(cause)


def groups(db: Reader, counts: Mapping[str, int], cause: str | None) -> list[GroupFacts]:
    """Group the dead letters by cause, most frequent first: a count, an example and the advice."""
    chosen = [(name, count) for name, count in counts.items() if cause in (None, name)]
    rows: list[GroupFacts] = []
    for name, count in sorted(chosen, key=lambda pair: (-pair[1], pair[0])):
        (row,) = db.jobs.in_state(State.DEAD, error_class=name, limit=1)
        rows.append(
            {
                "cause": name,
                "meaning": cure(name).meaning,
                "advice": cure(name).advice,
                "count": count,
                "example": {"kind": row.kind, "id": row.id, "error": row.error},
            }
        )
    return rows


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
    yield csv_line(COLUMNS)
    for letter in letters:
        yield csv_line(_cells(letter))


def csv_line(values: Iterable[object]) -> str:
    """A line of a file in CSV that no spreadsheet evaluates."""
    out = io.StringIO()
    csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n").writerow(map(cell, values))
    return out.getvalue()


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

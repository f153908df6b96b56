"""A row of the queue and its failed attempts, as facts and as words."""

from collections.abc import Iterator, Sequence
from typing import Any

from rich.table import Table

from cli.keys import written
from cli.screen import table
from cli.words import ago, safe, stamp
from sync.job import Kind, Lane, State
from sync.plan import Held
from sync.ports import AttemptRow, JobRow, Moved, PushRow, Reading
from wiring import Parts

WAITING = (State.READY, State.ABSENT)


PAGE = 500


def rows_in(parts: Parts, state: State, cause: str = "") -> Iterator[JobRow]:
    """Every row of a state (and cause), by kind and id; page by page, so that a slow reader holds nothing up."""
    after: tuple[str, int] = ("", 0)
    while True:
        with parts.store.reading() as db:
            page = db.jobs(state, cls=cause, limit=PAGE, after=after)
        if not page:
            return
        yield from page
        after = (page[-1].kind, page[-1].id)


def title(db: Reading, kind: Kind, id: int) -> str:
    """What a scene was called when it was last pushed; '' when it never was. Nobody is asked."""
    if kind is not Kind.SCENE:
        return ""
    said = (memory["title"].said for memory in db.memories([id]).values() if "title" in memory)
    return next((text for text in said if isinstance(text, str)), "")


def row_facts(row: JobRow | None) -> dict[str, Any] | None:
    """The row for JSON; None when there is none."""
    if row is None:
        return None
    return {
        "kind": row.kind.value,
        "id": row.id,
        "state": row.state.value,
        "lane": Lane(row.lane).name.lower(),
        "cause": row.cls,
        "error": row.error,
        "attempts": row.attempts,
        "failures_in_a_row": row.streak,
        "crashes": row.crashes,
        "next_try_at": stamp(row.due) if row.state in WAITING else None,
        "since": stamp(row.since),
        "lease_until": stamp(row.lease_until),
        "revisions": {"wanted": row.wanted_rev, "claimed": row.claimed_rev, "settled": row.settled_rev},
    }


def attempt_facts(attempts: Sequence[AttemptRow]) -> list[dict[str, Any]]:
    """Failed attempts for JSON, newest first."""
    return [
        {"at": stamp(one.at), "cause": one.cls, "error": one.error, "attempts": one.attempts, "then": one.state.value}
        for one in attempts
    ]


def row_table(row: JobRow, now: int, called: str = "") -> Table:
    """The row in words, with the title of its scene if that is known."""
    told = [
        ("state", f"{row.state.value}, since {stamp(row.since)} ({ago(row.since, now)})"),
        ("attempts", f"{row.attempts} counted, {row.streak} failed in a row"),
    ]
    if row.state in WAITING:
        told.append(("next try", f"{stamp(row.due)} ({ago(row.due, now)})"))
    if row.lease_until is not None:
        told.append(("lease until", stamp(row.lease_until) or ""))
    if row.error:
        told.append(("last error", f"{row.error} ({row.cls})" if row.cls else row.error))
    name = f"{written(row.kind, row.id)} ({safe(called, 80)})" if called else written(row.kind, row.id)
    return table(f"In the queue: {name}", ("", ""), told)


def attempt_table(attempts: Sequence[AttemptRow]) -> Table:
    """Failed attempts in words, newest first."""
    rows = [(stamp(one.at) or "", one.cls, one.state.value, one.error) for one in attempts]
    return table("Attempts that did not go well", ("at", "cause", "then", "error"), rows)


def push_facts(pushes: Sequence[PushRow]) -> list[dict[str, Any]]:
    """Past pushes for JSON, newest first."""
    return [
        {
            "at": stamp(push.at),
            "item": push.key,
            "fields": [
                {
                    "field": name,
                    "old": moved.old.value,
                    "new": moved.new.value,
                    "was_locked": moved.old.locked,
                    "locked": moved.new.locked,
                }
                for name, moved in push.moved.items()
            ],
        }
        for push in pushes
    ]


def push_table(pushes: Sequence[PushRow]) -> Table:
    """Past pushes in words, a line for each field, newest first."""
    rows = [
        (stamp(push.at) or "", push.key, short(name), _held(moved.old), _held(moved.new))
        for push in pushes
        for name, moved in push.moved.items()
    ]
    return table("Changed in Plex", ("at", "item", "field", "before", "after"), rows)


SHORT = {"originallyAvailableAt": "date", "userRating": "rating", "actor": "cast", "genre": "genres"}


def short(name: str) -> str:
    """What a person calls a field."""
    return SHORT.get(name, name)


def change_words(field: str, moved: Moved) -> str:
    """What a push did to one field: `title: before -> after`."""
    return f"{short(field)}: {_held(moved.old)} -> {_held(moved.new)}"


def _held(held: Held) -> str:
    text = ", ".join(held.value) if isinstance(held.value, tuple) else held.value
    return f"{safe(text, 120) or '-'}{' (locked)' if held.locked else ''}"

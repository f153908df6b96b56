"""A row of the queue and its failed attempts, as facts and as words."""

from collections.abc import Sequence
from typing import Any

from rich.table import Table

from cli.keys import written
from cli.screen import table
from cli.words import ago, stamp
from sync.job import Lane, State
from sync.ports import AttemptRow, JobRow

WAITING = (State.READY, State.ABSENT)


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


def row_table(row: JobRow, now: int) -> Table:
    """The row in words."""
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
    return table(f"In the queue: {written(row.kind, row.id)}", ("", ""), told)


def attempt_table(attempts: Sequence[AttemptRow]) -> Table:
    """Failed attempts in words, newest first."""
    rows = [(stamp(one.at) or "", one.cls, one.state.value, one.error) for one in attempts]
    return table("Attempts that did not go well", ("at", "cause", "then", "error"), rows)

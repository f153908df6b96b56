"""A row of the queue, its failed attempts and its past pushes, as text."""

from collections.abc import Sequence

import click
from rich.table import Table

from plexsync.cli.terminal.param_types import typed_form
from plexsync.cli.terminal.screen import table
from plexsync.reports.format import ago, local, safe
from plexsync.reports.rows import WAITING, key_of, on_screen, row_key, short
from plexsync.rules.merge.values import Held
from plexsync.rules.queue.job import State
from plexsync.rules.records import AttemptRow, JobRow, Moved, PushRow
from plexsync.rules.servers.causes import cause_word
from plexsync.rules.words.status_words import job_word


def row_table(row: JobRow, now: int, name: str = "", *, word: str = "", since: int | None = None) -> Table:
    """The row as a table, with the title of its scene if that is known.

    `word` and `since`: its status instead of the state, and since when.
    """
    tries = f"{row.attempts} counted, {row.streak} failed in a row"
    if row.state is State.DEAD and not row.attempts:
        tries = "not tried again: another attempt would change nothing"
    facts = [
        ("status", f"{word or job_word(row.state)}, since {_at(row.since if since is None else since, now)}"),
        ("attempts", tries),
    ]
    if row.state in WAITING:
        due = _at(row.due, now) if row.due > now else "due now, once a worker and both servers are up"
        facts.append(("next try", due))
    if row.lease_until is not None:
        facts.append(("lease until", _at(row.lease_until, now)))
    if row.error:
        facts.append(("last error", f"{row.error} ({cause_word(row.cls)})" if row.cls else row.error))
    heading = f"{row_key(row.kind, row.id)} ({safe(name, 80)})" if name else row_key(row.kind, row.id)
    return table(f"Job: {heading}", ("", ""), facts)


def _at(moment: int, now: int) -> str:
    return f"{local(moment)} ({ago(moment, now)})"


def attempt_table(attempts: Sequence[AttemptRow]) -> Table:
    """Failed attempts as a table, newest first."""
    rows = [
        (local(attempt.at), cause_word(attempt.cls), job_word(attempt.state), attempt.error) for attempt in attempts
    ]
    return table("Failed attempts", ("at", "cause", "then", "error"), rows)


def past_tables(attempts: Sequence[AttemptRow], pushes: Sequence[PushRow]) -> list[Table]:
    """Failed attempts and past pushes, as far as there are any."""
    return [*([attempt_table(attempts)] if attempts else []), *([push_table(pushes)] if pushes else [])]


def push_table(pushes: Sequence[PushRow]) -> Table:
    """Past pushes as a table, a line for each field, newest first."""
    rows = [
        (local(push.at), push.key, short(name), _format_field(name, moved.old), _format_field(name, moved.new))
        for push in pushes
        for name, moved in push.moved.items()
    ]
    return table("Changed in Plex", ("at", "item", "field", "before", "after"), rows)


def change_words(field: str, moved: Moved) -> str:
    """What a push did to one field: `title: before -> after`."""
    return f"{short(field)}: {_format_field(field, moved.old)} -> {_format_field(field, moved.new)}"


def _format_field(field: str, held: Held) -> str:
    text = ", ".join(held.value) if isinstance(held.value, tuple) else on_screen(held.value, field)
    return f"{safe(text, 120) or '-'}{' (locked)' if held.locked else ''}"


class RowKey(click.ParamType[tuple[str, int]]):
    """A row of the queue."""

    name = "scene"

    def convert(
        self, value: str | tuple[str, int], param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, int]:
        """(kind, number); a plain number is a scene's."""
        if isinstance(value, tuple):
            return value
        if (key := key_of(typed_form(value))) is None:
            self.fail(f"{value!r} is not the number of a scene (7), nor one with its kind (tag:12)", param, ctx)
        return key

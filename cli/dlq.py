"""`plexsync dlq`: looks after what was given up (the dead-letter queue)."""

import sys
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any

import click
from rich.console import Console

from cli.call import FAILED, FINE, Call, Sharing, family
from cli.cures import CURES, cure
from cli.keys import RowKey, written
from cli.rows import attempt_facts, attempt_table, row_facts, row_table
from cli.screen import paper, table
from cli.start import opened
from cli.words import many, stamp
from cli.working import dead_rows
from sync.job import Kind, State
from sync.ports import JobRow, Writing
from wiring import Parts

Key = tuple[Kind, int]

SHOWN = 50
causes = click.Choice(sorted(CURES))


@family("dlq")
def dlq() -> None:
    """Look after the scenes that were given up (the dead-letter queue).

    A scene is given up when trying again would change nothing. An outage gives up nobody. Each stays here, with the
    reason, until it is edited in Stash, retried, dropped, or dlq_retention_days have passed.

    \b
    Examples:
      plexsync dlq list
      plexsync dlq show 7
      plexsync dlq retry --cause refused
    """


@dlq.command("list", cls=Sharing)
@click.option("--cause", type=causes, help="Only what died of this cause.")
@click.pass_obj
def list_(call: Call, cause: str | None) -> int:
    """List what was given up, grouped by cause, with what cures it.

    Shows the first 50 rows; with --json all of them.

    \b
    Examples:
      plexsync dlq list
      plexsync dlq list --cause ambiguous --json
    """
    with opened(call) as parts, parts.store.reading() as db:
        rows = list(dead_rows(db, cause or ""))
    groups = _grouped(rows)
    facts = {"dead": len(rows), "causes": groups, "rows": [row_facts(row) for row in rows]}
    call.answer(facts, lambda: _tell(groups, rows, paper()))
    return FINE


def _grouped(rows: Sequence[JobRow]) -> list[dict[str, Any]]:
    """By cause, the most frequent first: a count, an example and the advice."""
    groups: dict[str, dict[str, Any]] = {}
    for row in rows:
        group = groups.setdefault(
            row.cls,
            {
                "cause": row.cls,
                "meaning": cure(row.cls).meaning,
                "advice": cure(row.cls).advice,
                "count": 0,
                "example": {"kind": row.kind.value, "id": row.id, "error": row.error},
            },
        )
        group["count"] += 1
    return sorted(groups.values(), key=lambda group: (-group["count"], group["cause"]))


def _tell(groups: list[dict[str, Any]], rows: Sequence[JobRow], out: Console) -> None:
    if not rows:
        out.print("nothing was given up")
        return
    for group in groups:
        example = group["example"]
        facts = [
            ("what", group["meaning"]),
            ("example", f"{written(Kind(example['kind']), example['id'])}: {example['error']}"),
            ("cure", group["advice"]),
        ]
        out.print(table(f"{group['cause']}: {group['count']:,}", ("", ""), facts))
    shown = [(written(row.kind, row.id), row.cls, stamp(row.since) or "", row.error) for row in islice(rows, SHOWN)]
    out.print(table("", ("scene", "cause", "since", "error"), shown))
    if len(rows) > SHOWN:
        out.print(f"and {len(rows) - SHOWN:,} more: --cause C narrows the list, --json shows all")


@dlq.command("show", cls=Sharing)
@click.argument("scene", type=RowKey())
@click.pass_obj
def show(call: Call, scene: Key) -> int:
    """Show one that was given up: its row, every failed attempt, and what cures it.

    plexsync explain SCENE shows, in addition, how the scene and its Plex item look now. A performer, studio or tag is
    named with its kind, as in tag:12.

    \b
    Example:
      plexsync dlq show 7
    """
    kind, id = scene
    with opened(call) as parts, parts.store.reading() as db:
        row, attempts, now = db.job(kind, id), db.attempts(kind, id), parts.clock.now()
    if row is None or row.state is not State.DEAD:
        return _not_dead(call, [scene], done=0, verb="shown")
    facts = {"job": row_facts(row), "attempts": attempt_facts(attempts), "advice": cure(row.cls).advice}

    def tell() -> None:
        out = paper()
        out.print(row_table(row, now))
        if attempts:
            out.print(attempt_table(attempts))
        out.print(f"{cure(row.cls).meaning}: {cure(row.cls).advice}")

    call.answer(facts, tell)
    return FINE


def _which(body: Callable[..., int]) -> Callable[..., int]:
    """The three ways to say which ones."""
    body = click.option("--all", "all_", is_flag=True, help="Everything that was given up.")(body)
    body = click.option("--cause", type=causes, help="Everything that died of this cause.")(body)
    return click.argument("scenes", metavar="[SCENE]...", nargs=-1, type=RowKey())(body)


def _check_which(scenes: Sequence[Key], cause: str | None, all_: bool) -> None:
    if bool(scenes) + bool(cause) + all_ != 1:
        raise click.UsageError("say which ones: their numbers, --cause C, or --all")


@dlq.command("retry", cls=Sharing)
@_which
@click.pass_obj
def retry(call: Call, scenes: tuple[Key, ...], cause: str | None, all_: bool) -> int:
    """Give what was given up another chance, with all its attempts.

    Do this after the cause was cured: the worker tries each of them again soon. Exits with 1 if one of the scenes named
    was not given up.

    \b
    Examples:
      plexsync dlq retry 7 12
      plexsync dlq retry --cause ambiguous
      plexsync dlq retry --all
    """
    _check_which(scenes, cause, all_)
    with opened(call) as parts:

        def act(tx: Writing, kind: Kind | None, id: int | None) -> int:
            return tx.retry(kind=kind, id=id, cls=cause or "", now=parts.clock.now())

        return _answer(call, _each(parts, scenes, act), "retried")


@dlq.command("drop", cls=Sharing)
@_which
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@click.pass_obj
def drop(call: Call, scenes: tuple[Key, ...], cause: str | None, all_: bool, yes: bool) -> int:
    """Stop caring for what was given up: it leaves the queue, and comes back only by a new edit.

    What is in Plex stays as it is. Asks for confirmation unless --yes is given. Exits with 1 if one of the scenes named
    was not given up.

    \b
    Examples:
      plexsync dlq drop 7
      plexsync dlq drop --cause strict --yes
    """
    _check_which(scenes, cause, all_)
    with opened(call) as parts:
        if not yes and not _confirmed(parts, scenes, cause):
            click.echo("plexsync: nothing was dropped", err=True)
            call.answer({"dropped": 0}, lambda: None)
            return FAILED

        def act(tx: Writing, kind: Kind | None, id: int | None) -> int:
            return tx.drop(kind=kind, id=id, cls=cause or "", now=parts.clock.now())

        return _answer(call, _each(parts, scenes, act), "dropped")


def _confirmed(parts: Parts, scenes: Sequence[Key], cause: str | None) -> bool:
    """Ask on standard error; a call that nobody can answer has to say --yes."""
    with parts.store.reading() as db:
        count = len(scenes) or sum(1 for _ in dead_rows(db, cause or ""))
    click.echo(f"Drop {many(count, 'scene')}? They come back only by a new edit. [y/N] ", err=True, nl=False)
    answer = sys.stdin.readline()
    if not answer:
        click.echo(err=True)
        raise click.UsageError("nobody is there to confirm: give --yes")
    return answer.strip().lower() in ("y", "yes")


Done = tuple[int, list[Key]]


def _each(parts: Parts, scenes: Sequence[Key], act: Callable[[Writing, Kind | None, int | None], int]) -> Done:
    """Do it to each scene named, or to all that fit, in one transaction; how many, and those that were not dead."""
    with parts.store.writing() as tx:
        if not scenes:
            return act(tx, None, None), []
        missed = [(kind, id) for kind, id in dict.fromkeys(scenes) if not act(tx, kind, id)]
        return len(dict.fromkeys(scenes)) - len(missed), missed


def _answer(call: Call, done: Done, verb: str) -> int:
    count, missed = done
    if missed:
        return _not_dead(call, missed, done=count, verb=verb)
    call.answer({verb: count}, lambda: paper().print(f"{many(count, 'scene')} {verb}"))
    return FINE


def _not_dead(call: Call, missed: Sequence[Key], *, done: int, verb: str) -> int:
    names = ", ".join(written(*key) for key in missed)
    message = f"not among those given up: {names} (plexsync dlq list shows them)"
    facts = {verb: done, "not_dead": [written(*key) for key in missed], "error": message}
    call.answer(facts, lambda: paper().print(f"{many(done, 'scene')} {verb}") if done else None)
    click.echo(f"plexsync: {message}", err=True)
    return FAILED

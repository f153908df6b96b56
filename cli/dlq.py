"""`plexsync dlq`: looks after what was given up (the dead-letter queue)."""

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import click
from rich.console import Console

from cli.asking import confirmed
from cli.call import FAILED, FINE, Call, Sharing, family
from cli.cures import CURES, cure
from cli.exporting import dead_letters, output, write_csv, write_json
from cli.keys import RowKey, written
from cli.rows import attempt_facts, attempt_table, push_facts, push_table, row_facts, row_table, rows_in, title
from cli.screen import paper, say, table
from cli.standing import too_many
from cli.start import opened
from cli.words import many, stamp
from sync.job import Kind, Lane, State
from sync.ports import JobRow, Reading, Writing
from wiring import Parts

Key = tuple[Kind, int]

SHOWN = 50
HEADS = ("scene", "cause", "since", "title", "error, if another")
# So many rows are moved in one transaction: hooks and the worker get their turn in between.
BATCH = 500
# What can be dropped by name: whatever is not in step, or aside already.
OPEN = (State.READY, State.RUNNING, State.ABSENT, State.DEAD)
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
      plexsync dlq export letters.csv --format csv
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
    with opened(call) as parts:
        with parts.store.reading() as db:
            counts = db.dead()
            groups = _groups(db, counts, cause)
            shown = [(row, title(db, row.kind, row.id)) for row in db.jobs(State.DEAD, cls=cause or "", limit=SHOWN)]
            banner = too_many(sum(counts.values()), parts.config.dlq_max)
        count = sum(group["count"] for group in groups)
        if call.json:
            head = {"dead": count, "causes": groups, **({"banner": banner} if banner else {})}
            write_json(head, "rows", map(row_facts, rows_in(parts, State.DEAD, cause or "")), sys.stdout)
        else:
            _tell(banner, groups, shown, count, paper(), others=sum(counts.values()) - count)
    return FINE


def _groups(db: Reading, counts: Mapping[str, int], cause: str | None) -> list[dict[str, Any]]:
    """By cause, the most frequent first: a count, an example and the advice."""
    chosen = [(name, count) for name, count in counts.items() if cause in (None, name)]
    groups = []
    for name, count in sorted(chosen, key=lambda pair: (-pair[1], pair[0])):
        (row,) = db.jobs(State.DEAD, cls=name, limit=1) if name else db.jobs(State.DEAD, limit=1)
        groups.append(
            {
                "cause": name,
                "meaning": cure(name).meaning,
                "advice": cure(name).advice,
                "count": count,
                "example": {"kind": row.kind.value, "id": row.id, "error": row.error},
            }
        )
    return groups


def _tell(
    banner: str,
    groups: list[dict[str, Any]],
    rows: Sequence[tuple[JobRow, str]],
    count: int,
    out: Console,
    *,
    others: int,
) -> None:
    if banner:
        say(out, banner, style="bold")
    if not rows:
        out.print(f"nothing of this cause; {many(others, 'scene')} of others" if others else "nothing was given up")
        return
    for group in groups:
        example = group["example"]
        facts = [
            ("what", group["meaning"]),
            ("example", f"{written(Kind(example['kind']), example['id'])}: {example['error']}"),
            ("cure", group["advice"]),
        ]
        out.print(table(f"{group['cause']}: {group['count']:,}", ("", ""), facts))
    told = {group["cause"]: group["example"]["error"] for group in groups}
    shown = [
        (
            written(row.kind, row.id),
            row.cls,
            stamp(row.since) or "",
            called,
            "" if row.error == told[row.cls] else row.error,
        )
        for row, called in rows
    ]
    # What is empty in every row is left out: no title is known, or each died as the example above did.
    kept = [place for place in range(len(HEADS)) if any(row[place] for row in shown)]
    out.print(table("", [HEADS[place] for place in kept], [[row[place] for place in kept] for row in shown]))
    if count > len(rows):
        out.print(f"and {count - len(rows):,} more: --cause C narrows the list, --json shows all")


@dlq.command("show", cls=Sharing, short_help="Show what happened to one, and what cures it.")
@click.argument("scene", type=RowKey())
@click.pass_obj
def show(call: Call, scene: Key) -> int:
    """Show one that was given up: its row, failed attempts, what was changed in Plex before, and what cures it.

    plexsync explain SCENE shows, in addition, how the scene and its Plex item look now. A performer, studio or tag is
    named with its kind, as in tag:12.

    \b
    Example:
      plexsync dlq show 7
    """
    kind, id = scene
    with opened(call) as parts, parts.store.reading() as db:
        row, attempts, pushes = db.job(kind, id), db.attempts(kind, id), db.pushes(kind, id)
        now, called = parts.clock.now(), title(db, kind, id)
    if row is None or row.state is not State.DEAD:
        return _missed(call, [scene], done=0, verb="shown")
    facts = {
        "title": called,
        "job": row_facts(row),
        "attempts": attempt_facts(attempts),
        "pushes": push_facts(pushes),
        "advice": cure(row.cls, row.error).advice,
    }

    def tell() -> None:
        out = paper()
        out.print(row_table(row, now, called))
        if attempts:
            out.print(attempt_table(attempts))
        if pushes:
            out.print(push_table(pushes))
        cured = cure(row.cls, row.error)
        say(out, f"{cured.meaning}: {cured.advice}")

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
        now = parts.clock.now()
        if scenes:
            done = _each(parts, scenes, lambda tx, kind, id: bool(tx.retry(kind=kind, id=id, now=now)))
        else:
            # So many at once are a backfill: a hand edit does not wait behind them.
            count = _in_batches(
                parts, cause or "", lambda tx, limit: tx.retry(cls=cause or "", now=now, lane=Lane.SWEEP, limit=limit)
            )
            done = (count, [])
    return _answer(call, done, "retried")


@dlq.command("drop", cls=Sharing, short_help="Stop caring for it, until it is edited again.")
@_which
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@click.pass_obj
def drop(call: Call, scenes: tuple[Key, ...], cause: str | None, all_: bool, yes: bool) -> int:
    """Stop caring for what was given up: it leaves the queue, and comes back only by a new edit.

    What is in Plex stays as it is. A scene that is named may also still be waiting, worked, or not in Plex yet. Asks for
    confirmation unless --yes is given. Exits with 1 if one of the scenes named was not in the queue. plexsync ignore
    leaves a scene alone whatever is edited.

    \b
    Examples:
      plexsync dlq drop 7
      plexsync dlq drop --cause strict --yes
    """
    _check_which(scenes, cause, all_)
    with opened(call) as parts:
        with parts.store.reading() as db:
            found = _count(db, scenes, cause)
        if found and not yes and not confirmed(f"Drop {many(found, 'scene')}? They come back only by a new edit."):
            click.echo("plexsync: nothing was dropped", err=True)
            call.answer({"dropped": 0}, lambda: None)
            return FAILED
        now = parts.clock.now()
        if scenes:
            done = _each(parts, scenes, lambda tx, kind, id: _is_open(tx, kind, id) and tx.set_aside(kind, id, now=now))
        else:
            count = _in_batches(parts, cause or "", lambda tx, limit: tx.drop(cls=cause or "", now=now, limit=limit))
            done = (count, [])
    return _answer(call, done, "dropped", where="in the queue")


@dlq.command("export", cls=Sharing)
@click.argument("file", metavar="FILE|-")
@click.option(
    "--format", "format_", type=click.Choice(["json", "csv"]), default="json", help="json unless told otherwise."
)
@click.option("--cause", type=causes, help="Only what died of this cause.")
@click.option("--force", is_flag=True, help="Replace the file if it exists.")
@click.pass_obj
def export(call: Call, file: str, format_: str, cause: str | None, force: bool) -> int:
    """Write what was given up to a file, or to standard output for -.

    As JSON with everything that is known of each: its row, every failed attempt, what was changed in Plex before, and
    what cures it. As CSV with a line for each, safe to open as a spreadsheet. The file is for your eyes only.

    \b
    Examples:
      plexsync dlq export letters.json
      plexsync dlq export - --format csv --cause refused
    """
    if file == "-" and call.json and format_ == "csv":
        raise click.UsageError("standard output takes either the CSV or --json")
    with opened(call) as parts, output(file, replace=force) as out:
        letters = dead_letters(parts, cause or "")
        if format_ == "csv":
            count = write_csv(letters, out)
        else:
            count = write_json({"exported_at": stamp(parts.clock.now()), "cause": cause}, "rows", letters, out)
    if file != "-":
        call.answer({"exported": count, "file": file}, lambda: paper().print(f"{many(count, 'scene')} exported"))
    return FINE


def _count(db: Reading, scenes: Sequence[Key], cause: str | None) -> int:
    """How many would be dropped."""
    if scenes:
        return sum(_is_open(db, *key) for key in dict.fromkeys(scenes))
    return sum(count for name, count in db.dead().items() if cause in (None, name))


Done = tuple[int, list[Key]]


def _is_open(db: Reading, kind: Kind, id: int) -> bool:
    row = db.job(kind, id)
    return row is not None and row.state in OPEN


def _each(parts: Parts, scenes: Iterable[Key], act: Callable[[Writing, Kind, int], bool]) -> Done:
    """Do it to each scene named, in one transaction; how many, and those that it could not be done to."""
    named = list(dict.fromkeys(scenes))
    with parts.store.writing() as tx:
        missed = [(kind, id) for kind, id in named if not act(tx, kind, id)]
    return len(named) - len(missed), missed


def _in_batches(parts: Parts, cause: str, act: Callable[[Writing, int], int]) -> int:
    """Do it to all that are dead (of one cause) now; what dies meanwhile is left alone."""
    with parts.store.reading() as db:
        left = sum(count for name, count in db.dead().items() if cause in ("", name))
    done, count = 0, BATCH
    while left > done and count:
        with parts.store.writing() as tx:
            count = act(tx, min(BATCH, left - done))
        done += count
    return done


def _answer(call: Call, done: Done, verb: str, *, where: str = "among those given up") -> int:
    count, missed = done
    if missed:
        return _missed(call, missed, done=count, verb=verb, where=where)
    call.answer({verb: count}, lambda: paper().print(f"{many(count, 'scene')} {verb}"))
    return FINE


def _missed(call: Call, missed: Sequence[Key], *, done: int, verb: str, where: str = "among those given up") -> int:
    names = ", ".join(written(*key) for key in missed)
    message = f"not {where}: {names} (plexsync dlq list shows what was given up)"
    facts = {verb: done, "not_dead": [written(*key) for key in missed], "error": message}
    call.answer(facts, lambda: paper().print(f"{many(done, 'scene')} {verb}") if done else None)
    click.echo(f"plexsync: {message}", err=True)
    return FAILED

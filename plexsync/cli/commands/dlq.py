"""`plexsync dlq`: lists, retries and drops dead letters."""

import sys
from collections.abc import Callable, Iterator, Sequence

import click
from rich.console import Console

from plexsync.app.parts import open_parts as parts_on
from plexsync.app.stored import Stored
from plexsync.cli.call import FINE, FORCE, Call, Sharing, complete, family
from plexsync.cli.settings import toml_of
from plexsync.cli.start import begin_call, open_call_store
from plexsync.cli.terminal.export_file import output
from plexsync.cli.terminal.prompts import confirm
from plexsync.cli.terminal.rows import RowKey, past_tables, row_table
from plexsync.cli.terminal.screen import filled_table, paper, say, table
from plexsync.engine import dead_letters
from plexsync.engine.dead_letters import Key
from plexsync.reports.dead_letters import GroupFacts, LetterFacts, csv_pieces, cure, groups, json_pieces, letters
from plexsync.reports.format import local, many, safe, stamp
from plexsync.reports.rows import attempt_facts, push_facts, row_facts, row_key, rows_in, title
from plexsync.reports.status import too_many
from plexsync.rules.queue.job import COLLECTION, State
from plexsync.rules.records import JobRow
from plexsync.rules.servers.causes import DEADLY

MOST_LISTED = 50
HEADS = ("scene", "cause", "since", "title", "error, if another")
causes = click.Choice(sorted([cause.value for cause in DEADLY]))


@family("dlq")
def dlq() -> None:
    """Work on the dead-letter queue.

    A scene becomes a dead letter when another attempt would change nothing. An outage causes none. Each stays here, with the
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
    """List the dead letters, grouped by cause, with the cure.

    Shows the first 50 rows; with --json all of them.

    \b
    Examples:
      plexsync dlq list
      plexsync dlq list --cause ambiguous --json
    """
    with open_call_store(call) as parts:
        with parts.store.reading() as db:
            counts = db.jobs.count_dead()
            by_cause = groups(db, counts, cause)
            lines = [
                (row, title(db, row.kind, row.id))
                for row in db.jobs.in_state(State.DEAD, error_class=cause or "", limit=MOST_LISTED)
            ]
            banner = too_many(sum(counts.values()), parts.config.dlq_max)
        count = sum(group["count"] for group in by_cause)
        if call.json:
            head = {"dead": count, "causes": by_cause, **({"banner": banner} if banner else {})}
            sys.stdout.writelines(json_pieces(head, "rows", map(row_facts, rows_in(parts, State.DEAD, cause or ""))))
        else:
            _tell(banner, by_cause, lines, count, paper(), others=sum(counts.values()) - count)
    return FINE


def _tell(
    banner: str,
    groups: list[GroupFacts],
    rows: Sequence[tuple[JobRow, str]],
    count: int,
    out: Console,
    *,
    others: int,
) -> None:
    if banner:
        say(out, banner, style="bold")
    if not rows:
        out.print(f"nothing of this cause; {many(others, 'scene')} of others" if others else "no dead letters")
        return
    for group in groups:
        example = group["example"]
        facts = [
            ("what", group["meaning"]),
            ("example", f"{row_key(example['kind'], example['id'])}: {example['error']}"),
            ("cure", group["advice"]),
        ]
        out.print(table(f"{group['cause']}: {group['count']:,}", ("", ""), facts))
    example_errors = {group["cause"]: group["example"]["error"] for group in groups}
    lines = [
        (
            row_key(row.kind, row.id),
            row.cls,
            local(row.since),
            name,
            "" if row.error == example_errors[row.cls] else row.error,
        )
        for row, name in rows
    ]
    # No title may be known, or every row have died as the example above did.
    out.print(filled_table("", HEADS, lines))
    if count > len(rows):
        out.print(f"and {count - len(rows):,} more: --cause C narrows the list, --json shows all")


@dlq.command("show", cls=Sharing, short_help="Show what happened to a dead letter, and what cures it.")
@click.argument("scene", type=RowKey(), shell_complete=complete("dead_scenes"))
@click.pass_obj
def show(call: Call, scene: Key) -> int:
    """Show one dead letter: its job, failed attempts, what was changed in Plex before, and what cures it.

    plexsync explain SCENE shows, in addition, the scene and its Plex item as they are now. A performer, studio or tag is
    named with its kind, as in tag:12.

    \b
    Example:
      plexsync dlq show 7
    """
    kind, id = scene
    with open_call_store(call) as parts, parts.store.reading() as db:
        row, attempts, pushes = db.jobs.find(kind, id), db.attempts.of(kind, id), db.pushes.of(kind, id)
        now, name = parts.clock.now(), title(db, kind, id)
    if row is None or row.state is not State.DEAD:
        return _answer(call, (0, [scene]), "shown")
    cured = cure(row.cls, row.error)
    facts = {
        "title": name,
        "job": row_facts(row),
        "attempts": attempt_facts(attempts),
        "pushes": push_facts(pushes),
        "advice": cured.advice,
    }

    def tell() -> None:
        out = paper()
        out.print(row_table(row, now, name))
        for drawn in past_tables(attempts, pushes):
            out.print(drawn)
        say(out, f"{cured.meaning}: {cured.advice}")

    call.answer(facts, tell)
    return FINE


def _which(body: Callable[..., int]) -> Callable[..., int]:
    """The three ways to select dead letters."""
    body = click.option("--all", "all_", is_flag=True, help="All dead letters.")(body)
    body = click.option("--cause", type=causes, help="Everything that died of this cause.")(body)
    return click.argument(
        "scenes", metavar="[SCENE]...", nargs=-1, type=RowKey(), shell_complete=complete("dead_scenes")
    )(body)


def _check_which(scenes: Sequence[Key], cause: str | None, all_: bool) -> None:
    if bool(scenes) + bool(cause) + all_ != 1:
        raise click.UsageError("say which ones: their numbers, --cause C, or --all")


@dlq.command("retry", cls=Sharing)
@_which
@click.pass_obj
def retry(call: Call, scenes: tuple[Key, ...], cause: str | None, all_: bool) -> int:
    """Retry dead letters, with all their attempts.

    Do this after the cause was cured: the worker tries each of them again soon. A server that was down is asked at once
    whether it is back. Exits with 1 if one of the scenes named
    is no dead letter.

    \b
    Examples:
      plexsync dlq retry 7 12
      plexsync dlq retry --cause ambiguous
      plexsync dlq retry --all
    """
    _check_which(scenes, cause, all_)
    with begin_call(call) as start, parts_on(start.config, start.folder) as parts:
        start.tell(parts)
        names = _collections(parts, scenes)
        if scenes:
            done = dead_letters.retry(parts.store, parts.clock, scenes)
        else:
            done = (dead_letters.retry_all(parts.store, parts.clock, cause or ""), [])
        closed = start.ask(parts)
    return _answer(call, done, "retried", names=names, then=f"; {closed}" if closed else "")


@dlq.command("drop", cls=Sharing, short_help="Stop caring for it, until it is edited again.")
@_which
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@click.pass_obj
def drop(call: Call, scenes: tuple[Key, ...], cause: str | None, all_: bool, yes: bool) -> int:
    """Drop dead letters until the scene is edited again.

    What is in Plex stays as it is. A scene that you name may also be queued or not in Plex yet. Asks for
    confirmation unless --yes is given. Exits with 1 if one of the scenes named was not in the queue. plexsync ignore
    leaves a scene alone whatever is edited.

    \b
    Examples:
      plexsync dlq drop 7
      plexsync dlq drop --cause strict --yes
    """
    _check_which(scenes, cause, all_)
    with open_call_store(call) as parts:
        with parts.store.reading() as db:
            named = sum(dead_letters.is_open(db, *key) for key in dict.fromkeys(scenes))
            count = named if scenes else dead_letters.count(db, cause or "")
        names = _collections(parts, scenes)
        question = f"Drop {names or many(count, 'scene')}? They come back only by a new edit."
        if count and not yes and not confirm(question):
            return call.declined("dropped", {"dropped": 0})
        if scenes:
            done = dead_letters.drop(parts.store, parts.clock, scenes)
        else:
            done = (dead_letters.drop_all(parts.store, parts.clock, cause or ""), [])
    return _answer(call, done, "dropped", where="in the queue", names=names)


@dlq.command("export", cls=Sharing)
@click.argument("file", metavar="FILE|-")
@click.option(
    "--format", "format_", type=click.Choice(["json", "csv"]), default="json", help="json unless told otherwise."
)
@click.option("--cause", type=causes, help="Only what died of this cause.")
@FORCE
@click.pass_obj
def export(call: Call, file: str, format_: str, cause: str | None, force: bool) -> int:
    """Write the dead letters to a file, or to standard output for -.

    As JSON with everything that is known of each: its row, every failed attempt, what was changed in Plex before, and
    what cures it. As CSV with a line for each, safe to open as a spreadsheet. The file is for your eyes only.

    \b
    Examples:
      plexsync dlq export letters.json
      plexsync dlq export - --format csv --cause refused
    """
    if file == "-" and call.json and format_ == "csv":
        raise click.UsageError("standard output takes either the CSV or --json")
    with (
        open_call_store(call) as parts,
        output(file, replace=force, folder=parts.folder, settings=toml_of(call)) as out,
    ):
        count = 0
        exported = letters(parts, cause or "")

        def counted() -> Iterator[LetterFacts]:
            nonlocal count
            for letter in exported:
                count += 1
                yield letter

        head = {"exported_at": stamp(parts.clock.now()), "cause": cause}
        out.writelines(csv_pieces(counted()) if format_ == "csv" else json_pieces(head, "rows", counted()))
    if file != "-":
        call.answer({"exported": count, "file": file}, lambda: paper().print(f"{many(count, 'scene')} exported"))
    return FINE


def _collections(parts: Stored, keys: Sequence[Key]) -> str:
    """What was named, if there is a collection among it: the names of collections, and the keys of all others."""
    if not any(kind == COLLECTION for kind, _ in keys):
        return ""
    with parts.store.reading() as db:
        names = {key: title(db, *key) if key[0] == COLLECTION else "" for key in keys}
    return ", ".join(f"{row_key(*key)} ({safe(name, 60)})" if name else row_key(*key) for key, name in names.items())


def _answer(
    call: Call,
    done: dead_letters.Moved,
    verb: str,
    *,
    where: str = "a dead letter",
    names: str = "",
    then: str = "",
) -> int:
    count, missed = done
    if not missed:
        call.answer({verb: count}, lambda: say(paper(), f"{names or many(count, 'scene')} {verb}{then}"))
        return FINE
    names = ", ".join(row_key(*key) for key in missed)
    message = f"not {where}: {names} (plexsync dlq list lists them)"
    summary = f"{many(count, 'scene')} {verb}" if count else ""
    return call.refuse(message, summary, **{verb: count, "not_dead": [row_key(*key) for key in missed]})

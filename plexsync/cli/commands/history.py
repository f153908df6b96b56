"""`plexsync history`: the attempts and changes of a scene; or the runs of all scenes."""

from collections.abc import Sequence

import click
from rich.table import Table

from plexsync.cli.call import FINE, Call, command
from plexsync.cli.start import open_call_store
from plexsync.cli.terminal.rows import RowKey, change_words
from plexsync.cli.terminal.screen import paper, table
from plexsync.reports.format import format_moment, local, safe
from plexsync.reports.rows import PLAY_WORDS, PUSHES, PastRow, past_facts, past_of, row_key, title
from plexsync.reports.runs import run_history
from plexsync.reports.shapes.scenes import HistoryFacts
from plexsync.rules.queue.job import COLLECTION
from plexsync.rules.records import PlaysRow, PushRow
from plexsync.rules.servers.causes import cause_word
from plexsync.rules.words.status_words import job_word

MOST_LISTED = 50
# Plays of one request that are named.
MOMENTS = 10


@command("history")
@click.argument("scene", type=RowKey(), required=False)
@click.option("--limit", type=click.IntRange(min=1), default=MOST_LISTED, show_default=True, help="How many entries.")
@click.pass_obj
def history(call: Call, scene: tuple[str, int] | None, limit: int) -> int:
    """Show what was done, newest first: the latest runs, each with the command that takes it back or redoes it; or what was
    done for a scene: what was changed in Plex, which plays were added to Stash or taken back, and attempts that failed.

    Asks neither server: it tells what the database remembers, which is the newest twenty of each kind for as long as
    dlq_retention_days, and of each play the last request. plexsync explain SCENE shows the scene and its item as they are
    now. A performer, studio or tag is named with its kind, as in tag:12, and so is a collection (its number is the one of
    plexsync collections list).

    \b
    Examples:
      plexsync history
      plexsync history 7
      plexsync history 7 --limit 1 --json
    """
    if scene is None:
        return _list_runs(call, limit)
    kind, id = scene
    with open_call_store(call) as parts, parts.store.reading() as db:
        row, past, name = db.jobs.find(kind, id), past_of(db, kind, id), title(db, kind, id)
    # A collection is in the queue only while it is worked on.
    if row is None and not past and not (kind == COLLECTION and name):
        problem = f"{row_key(kind, id)} was never in the queue"
        return call.refuse(problem, kind=kind, id=id, entries=[], total=0)
    facts: HistoryFacts = {
        "kind": kind,
        "id": id,
        "entries": list(map(past_facts, past[:limit])),
        "total": len(past),
    }

    def tell() -> None:
        out = paper()
        if not past:
            out.print("nothing was changed in Plex or Stash, and nothing went wrong")
            return
        heading = f"{row_key(kind, id)} ({safe(name, 80)})" if name else row_key(kind, id)
        out.print(_table(heading, past[:limit]))
        if len(past) > limit:
            out.print(f"and {len(past) - limit:,} older: --limit N shows more")

    call.answer(facts, tell)
    return FINE


def _list_runs(call: Call, limit: int) -> int:
    with open_call_store(call) as parts, parts.store.reading() as db:
        facts = run_history(db, parts.clock.now(), limit=limit)
    rows = [
        (
            format_moment(run["until"], parts.clock.now()),
            "; ".join(filter(None, (run["words"], run["reason"]))),
            run["by"],
            "\n".join(step["command"] for step in run["steps"]),
        )
        for run in facts["runs"]
    ]
    heads = ("when", "what", "by", "undo or redo")

    def tell() -> None:
        out = paper()
        out.print(f"{facts['night']}." if rows else "nothing was written yet")
        if rows:
            out.print(table("Runs", heads, rows))

    call.answer({**facts}, tell)
    return FINE


def _table(name: str, past: Sequence[PastRow]) -> Table:
    rows: list[tuple[str, ...]] = []
    for entry in past:
        at = local(entry.at)
        if isinstance(entry, PushRow):
            event = f"item {entry.key}" if not entry.undone else f"{PUSHES[entry.undone]}, item {entry.key}"
            rows += [(at, event, change_words(field, moved)) for field, moved in entry.moved.items()]
        elif isinstance(entry, PlaysRow):
            moments = ", ".join(local(moment * 1000) for moment in entry.moments[:MOMENTS])
            more = f" and {len(entry.moments) - MOMENTS:,} more" if len(entry.moments) > MOMENTS else ""
            rows.append((at, PLAY_WORDS.get(entry.state, entry.state), moments + more))
        else:
            reason = f"{entry.error} ({cause_word(entry.cls)})" if entry.cls else entry.error
            rows.append((at, f"attempt, then {job_word(entry.state)}", reason))
    return table(f"History of {name}", ("at", "what", "before -> after, or why it failed"), rows)

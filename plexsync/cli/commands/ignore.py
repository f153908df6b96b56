"""`plexsync ignore` and `plexsync unignore`: leave scenes alone, or queue them again."""

import click

from plexsync.app.named_scenes import ignore_scenes, known_scenes, unignore_scenes
from plexsync.cli.call import FINE, Call, command, complete
from plexsync.cli.start import open_call_store
from plexsync.cli.terminal.paper import paper, table
from plexsync.cli.terminal.param_types import SceneNumber
from plexsync.reports.format import local, many, stamp
from plexsync.reports.named_scenes import ignored_facts, missing_words, unchecked_words
from plexsync.rules.queue.job import State


@command("ignore")
@click.argument("scenes", metavar="[SCENE]...", nargs=-1, type=SceneNumber())
@click.option("--list", "list_", is_flag=True, help="List what is ignored.")
@click.pass_obj
def ignore(call: Call, scenes: tuple[int, ...], list_: bool) -> int:
    """Leave scenes alone for good: no edit, comparison or retry brings them back, only unignore does.

    What is in Plex stays as it is. A scene that is being worked is let go at once: at most the request that is under
    way still reaches Plex. What happens to an ignored scene in Stash is noted and counted. Exits with 1 if Stash does not
    have one of the scenes.

    \b
    Examples:
      plexsync ignore 7 12
      plexsync ignore --list
    """
    if bool(scenes) == list_:
        raise click.UsageError("say which scenes by their numbers, or --list")
    with open_call_store(call) as stored:
        if list_:
            with stored.store.reading() as db:
                rows = db.jobs.in_state(State.IGNORED)
            listed = {"count": len(rows), "scenes": [{"id": row.id, "since": stamp(row.since)} for row in rows]}
            drawn = table("", ("scene", "since"), [(f"{row.id}", local(row.since)) for row in rows])
            call.answer(listed, lambda: paper().print(drawn if rows else "nothing is ignored"))
            return FINE
        named = known_scenes(stored, scenes)
        done = len(ignore_scenes(stored.store, named.existing, stored.clock))
    facts, summary = ignored_facts(named, done), f"{many(done, 'scene')} ignored"
    if named.unchecked:
        click.echo(f"plexsync: {unchecked_words(named)}", err=True)
    if named.missing:
        return call.refuse(missing_words(named), summary if done else "", **dict(facts))
    call.answer(facts, lambda: paper().print(summary))
    return FINE


@command("unignore")
@click.argument(
    "scenes", metavar="SCENE...", nargs=-1, required=True, type=SceneNumber(), shell_complete=complete("ignored_scenes")
)
@click.pass_obj
def unignore(call: Call, scenes: tuple[int, ...]) -> int:
    """Sync ignored scenes again: each is queued, and synced as it is now.

    Exits with 1 if one of the scenes was not ignored.

    \b
    Example:
      plexsync unignore 7
    """
    with open_call_store(call) as parts:
        unignored = unignore_scenes(parts.store, scenes, parts.clock)
    done, missed = len(unignored), [id for id in dict.fromkeys(scenes) if id not in unignored]
    summary = f"{many(done, 'scene')} queued again"
    if not missed:
        call.answer({"unignored": done}, lambda: paper().print(summary))
        return FINE
    problem = (
        f"plexsync ignore has not excluded {', '.join(map(str, missed))} (plexsync ignore --list shows what it has)"
    )
    return call.refuse(problem, summary if done else "", unignored=done, not_ignored=missed)

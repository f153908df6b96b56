"""`plexsync collections`: the collections that PlexSync dresses: how they stand, why, and whose they are."""

from collections.abc import Sequence

import click
from rich.console import Console

from plexsync.app.dressing import collection_viewer
from plexsync.app.parts import opened
from plexsync.app.rules import is_dressing_on
from plexsync.app.settings import SettingsNeed
from plexsync.cli.call import FAILED, FINE, Call, command, family
from plexsync.cli.commands.collections_chosen import (
    LONGEST,
    CollectionsChange,
    every,
    named,
    naming,
    show_changes,
    shown_value,
)
from plexsync.cli.commands.collections_parts import keep, unkeep, use_stash
from plexsync.cli.commands.collections_undo import redo, release, undo
from plexsync.cli.start import begun
from plexsync.cli.start import opened as opened_only
from plexsync.cli.terminal.rows import attempt_table, push_table, row_table
from plexsync.cli.terminal.screen import paper, say, table
from plexsync.flows.collections.decisions import hand_over, want_collections
from plexsync.reports.collections import (
    OWNER_WORDS,
    PART_WORDS,
    collection_changes,
    collection_list,
    collection_report,
    object_words,
)
from plexsync.reports.format import ago, many, safe, unstamped
from plexsync.reports.shapes.collections import CollectionFacts, CollectionList, CollectionPartFacts
from plexsync.rules.collection_status import CollectionStatus, named_status
from plexsync.rules.job import COLLECTION

SHOWN = 50
OFF = "no part of collections is dressed, so nothing would be written: see collection_parts (plexsync config)"
NONE_KNOWN = "no collection is known yet: they are noted when their scenes are inspected (plexsync reconcile)"
WORDS = ", ".join(status.value for status in CollectionStatus)


@command("list")
@click.option("--standing", metavar="WORD", default="", help=f"Only those that stand so: {WORDS}.")
@click.option("--offset", metavar="N", type=click.IntRange(0), default=0, help="Leave out the first N.")
@click.option("--limit", metavar="N", type=click.IntRange(1), default=SHOWN, show_default=True, help="How many.")
@click.pass_obj
def list_(call: Call, standing: str, offset: int, limit: int) -> int:
    """List the collections by name, with how each stands.

    Asks neither server: it tells what the last inspection has found. A collection is noted when one of its scenes is
    inspected.

    \b
    Examples:
      plexsync collections list
      plexsync collections list --standing edited
      plexsync collections list --json
    """
    status = named_status(standing) if standing else None
    if standing and status is None:
        raise click.UsageError(f"no collection stands {safe(standing, LONGEST)!r}: say one of {WORDS}")
    with opened_only(call) as parts, parts.store.reading() as db:
        facts = collection_list(db, stands=status, offset=offset, limit=limit)
        now = parts.clock.now()
    call.answer({**facts}, lambda: _tell_list(facts, now, paper()))
    return FINE


def _tell_list(facts: CollectionList, now: int, out: Console) -> None:
    if not facts["collections"]:
        say(out, "no collection is listed" if facts["counts"] else NONE_KNOWN)
        return
    rows = []
    for row in facts["collections"]:
        status = named_status(row["stands"])
        word = status.word if status else row["stands"]
        since = ago(unstamped(row["since"]), now) if row["since"] else ""
        rows.append(
            (
                f"{row['id']}",
                safe(row["name"], LONGEST),
                object_words(row),
                safe(row["library"], LONGEST),
                word + (", queued" if row["queued"] and status is not CollectionStatus.QUEUED else ""),
                since,
                safe(row["why"], LONGEST),
            )
        )
    heads = ("", "collection", "of", "library", "stands", "since", "why")
    kept = [place for place in range(len(heads)) if any(row[place] for row in rows)]
    out.print(table("", [heads[place] for place in kept], [[row[place] for place in kept] for row in rows], right=(0,)))
    if facts["offset"] is not None:
        say(out, f"the list goes on: plexsync collections list --offset {facts['offset']}")
    counts = ((named_status(name), count) for name, count in facts["counts"].items())
    say(out, ", ".join(f"{count:,} {status.word}" for status, count in counts if status))


@command("sync")
@naming
@click.option("--dry-run", is_flag=True, help="Write nothing: show what would change, part by part.")
@click.option("--wait", is_flag=True, help="Return when they are worked, with a summary.")
@click.pass_obj
def sync(call: Call, names: tuple[str, ...], library: str, dry_run: bool, wait: bool) -> int:
    """Inspect collections, and write what differs.

    All that are known, or those that you name. Puts them in the queue and returns; a running worker (plexsync serve) takes
    them at once. With --wait they are worked before the command returns. A name that two libraries have goes with
    --library; a number from the list says it, too. An undone collection stays so. Exits with 1 if one became a dead
    letter.

    \b
    Examples:
      plexsync collections sync --dry-run
      plexsync collections sync --wait
      plexsync collections sync "Studio 3" --wait
    """
    if dry_run and wait:
        raise click.UsageError("--dry-run writes nothing: it goes without --wait")
    with begun(call, need=SettingsNeed.WORK) as start:
        with opened(start.config, start.folder) as parts:
            start.meet(parts)
            if start.settings.away:
                raise start.settings.away
            if not is_dressing_on(parts.settings.looks):
                return call.refused(OFF, collections=[])
            rows = named(parts.store, names, library) if names else every(parts.store, lambda _: True, library)
            ids = [row.id for row in rows]
            if dry_run:
                return show_changes(call, collection_changes(parts.store, collection_viewer(parts), ids))
            want_collections(parts.store, parts.clock, ids)
            busy = parts.someone_works()
        answer = CollectionsChange("queued", "worked", "", {row.id: row for row in rows}, ids)
        return answer.wait(call, start) if wait else answer.tell(call, busy=busy)


@command("take")
@naming
@click.option("--wait", is_flag=True, help="Return when they are worked, with a summary.")
@click.pass_obj
def take(call: Call, names: tuple[str, ...], library: str, wait: bool) -> int:
    """Hand collections over to PlexSync.

    They are those that it did not make itself. From then on it dresses them like its own: a part that is locked or set in
    Plex stays as it is (first_push), and plexsync collections undo brings back what was there. Items that you added stay
    in the collection. A smart collection can't be handed over. Exits with 1 if one is PlexSync's already, or was not found
    in Plex yet.

    \b
    Examples:
      plexsync collections list --standing not_ours
      plexsync collections take "Studio 3"
    """
    if not names:
        raise click.UsageError("say which collections: their names, or their numbers from plexsync collections list")
    with begun(call, need=SettingsNeed.WORK) as start:
        with opened(start.config, start.folder) as parts:
            start.tell(parts)
            rows = {row.id: row for row in named(parts.store, names, library)}
            handed = hand_over(parts.store, parts.clock, list(rows))
            busy = parts.someone_works()
        untouched = [id for id in rows if id not in handed]
        complaint = "already PlexSync's, or not in Plex yet"
        answer = CollectionsChange("handed over", "handed over", complaint, rows, handed, untouched)
        return answer.wait(call, start) if wait else answer.tell(call, busy=busy)


# --- explain ---------------------------------------------------------------------------------------------------------


@command("explain")
@click.argument("name")
@click.option("--library", metavar="NAME", default="", help="The library of Plex, if two have this name.")
@click.pass_obj
def explain(call: Call, name: str, library: str) -> int:
    """Show why a collection stands as it stands.

    Also what would happen to it now. Looks at Stash and Plex as the worker does, and writes to neither: for each part what
    Stash says, what Plex has, what was there before PlexSync, and what would be done and why. If a server is down it shows
    what PlexSync remembers and exits with 1.

    \b
    Example:
      plexsync collections explain "Studio 3"
    """
    with begun(call, need=SettingsNeed.LOOK) as start, opened(start.config, start.folder) as parts:
        now = parts.clock.now()
        start.meet(parts)
        if start.settings.away:
            raise start.settings.away
        (row,) = named(parts.store, [name], library)
        facts = collection_report(parts.store, collection_viewer(parts), row.id)
        with parts.store.reading() as db:
            job, attempts = db.jobs.find(COLLECTION, row.id), db.attempts.of(COLLECTION, row.id)
            pushes = db.pushes.of(COLLECTION, row.id)
    if facts is None:
        return call.refused("it was forgotten just now, since nothing of PlexSync's is left in it")

    def tell() -> None:
        out = paper()
        _tell_collection(facts, now, out)
        if job:
            out.print(row_table(job, now, facts["name"]))
        if attempts:
            out.print(attempt_table(attempts))
        if pushes:
            out.print(push_table(pushes))

    call.answer({**facts}, tell)
    return FAILED if facts["away"] else FINE


PARTS = ("part", "Stash says", "Plex has", "locked", "before PlexSync", "would do", "why")


def _tell_collection(facts: CollectionFacts, now: int, out: Console) -> None:
    library = f" of {safe(facts['library'], LONGEST)}" if facts["library"] else ""
    item = f", item {facts['key']}" if facts["key"] else ", not in Plex yet"
    say(out, f"Collection {facts['id']}: {safe(facts['name'], 120)} ({object_words(facts)}{library}{item})")
    say(out, safe(facts["verdict"]))
    say(out, f"Owner: {OWNER_WORDS[facts['owner']]}.")
    if facts["scenes"] is not None:
        say(out, f"Stash has {many(facts['scenes'], 'scene')} for it.")
    if facts["parts"]:
        out.print(table("Parts", PARTS, [_part_row(part, now) for part in facts["parts"]]))


def _part_row(part: CollectionPartFacts, now: int) -> tuple[str, ...]:
    name = part["part"]
    decision = f"kept since {ago(unstamped(part['kept_since']), now)}" if part["kept_since"] else ""
    edited = "edited in Plex" if part["edited"] else ""
    reasons = [part["reason"], decision, edited, *(note["text"] for note in part["notes"])]
    return (
        PART_WORDS.get(name, name),
        shown_value(name, part["stash"]),
        shown_value(name, part["plex"], in_plex=True),
        "yes" if part["locked"] else "",
        shown_value(name, part["before"], in_plex=True),
        part["action"],
        safe("; ".join(filter(None, reasons))),
    )


@family("collections")
def collections() -> None:
    """Show how the collections of Plex stand, dress them, and take that back.

    \b
    Examples:
      plexsync collections list
      plexsync collections sync --dry-run
      plexsync collections explain "Studio 3"
      plexsync collections keep "Studio 3" --part poster
      plexsync collections undo --all --wait
    """


ALL: Sequence[click.Command] = (list_, sync, explain, take, keep, use_stash, unkeep, undo, release, redo)
for part in ALL:
    collections.add_command(part)

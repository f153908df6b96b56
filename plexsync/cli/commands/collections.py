"""`plexsync collections`: the collections that PlexSync dresses: how they stand, why, and whose they are."""

import click
from rich.console import Console

from plexsync.actions.collections import HAND_OVER, LONGEST, SYNC, find_collections, shown_value
from plexsync.actions.decisions import KEEP_COLLECTIONS, TAKE_COLLECTIONS, UNKEEP_COLLECTIONS
from plexsync.actions.model import Action, SubjectKind, Verb
from plexsync.app.dressing import collection_viewer
from plexsync.app.parts import open_parts
from plexsync.app.settings import SettingsNeed
from plexsync.cli.actions import SelectionOptions, action_command, fitting, run_action
from plexsync.cli.call import FAILED, FINE, YES, Body, Call, Sharing, command, family
from plexsync.cli.start import begin_call, open_call_store as opened_only
from plexsync.cli.terminal.rows import past_tables, row_table
from plexsync.cli.terminal.screen import filled_table, paper, say, table
from plexsync.reports.collections import (
    OWNER_WORDS,
    PART_WORDS,
    CollectionFacts,
    CollectionList,
    CollectionPartFacts,
    collection_list,
    collection_report,
    object_words,
)
from plexsync.reports.format import ago, many, parse_stamp, safe
from plexsync.rules.collections.collection_status import CollectionStatus, named_status
from plexsync.rules.queue.job import COLLECTION

MOST_LISTED = 50
NONE_KNOWN = "no collection is known yet: they are noted when their scenes are inspected (plexsync reconcile)"
WORDS = ", ".join(status.value for status in CollectionStatus)


@command("list")
@click.option("--standing", metavar="WORD", default="", help=f"Only those that stand so: {WORDS}.")
@click.option("--offset", metavar="N", type=click.IntRange(0), default=0, help="Leave out the first N.")
@click.option("--limit", metavar="N", type=click.IntRange(1), default=MOST_LISTED, show_default=True, help="How many.")
@click.pass_obj
def list_(call: Call, standing: str, offset: int, limit: int) -> int:
    """List the collections and playlists by name, with how each stands.

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
        status = named_status(row["stands"]) or CollectionStatus.QUEUED
        queued = ", queued" if row["queued"] and status is not CollectionStatus.QUEUED else ""
        since = ago(parse_stamp(row["since"]), now) if row["since"] else ""
        names = (safe(row["name"], LONGEST), object_words(row), safe(row["library"], LONGEST))
        rows.append((f"{row['id']}", *names, f"{status.word}{queued}", since, safe(row["why"], LONGEST)))
    heads = ("", "collection", "of", "library", "stands", "since", "why")
    out.print(filled_table("", heads, rows, right=(0,)))
    if facts["offset"] is not None:
        say(out, f"the list goes on: plexsync collections list --offset {facts['offset']}")
    counts = ((named_status(name), count) for name, count in facts["counts"].items())
    say(out, ", ".join(f"{count:,} {status.word}" for status, count in counts if status))


def _naming(body: Body) -> Body:
    body = click.option("--library", metavar="NAME", default="", help="Only the collections in this library of Plex.")(
        body
    )
    return click.argument("names", metavar="[NAME]...", nargs=-1)(body)


@command("sync")
@_naming
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
    return run_action(
        call, SYNC, SelectionOptions(names, not names, library=library), dry_run=dry_run, yes=True, wait=wait
    )


@command("take")
@_naming
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
    return run_action(call, HAND_OVER, SelectionOptions(names, library=library), yes=True, wait=wait)


def _decision(name: str, action: Action, text: str) -> Sharing:
    """A command that decides about parts; `text` is its help."""

    @_naming
    @click.option(
        "--part",
        "parts",
        metavar="PART",
        multiple=True,
        help=f"Only this part: {', '.join(PART_WORDS.values())} (repeatable).",
    )
    @click.option("--all", "every", is_flag=True, help="Every collection with such a part.")
    @click.option("--dry-run", is_flag=True, help="Show what would be decided; changes nothing.")
    @YES
    @click.pass_obj
    def body(
        call: Call, names: tuple[str, ...], library: str, parts: tuple[str, ...], every: bool, dry_run: bool, yes: bool
    ) -> int:
        if bool(names) == every:
            raise click.UsageError("say which collections: their names or numbers, or --all")
        return run_action(
            call, action, SelectionOptions(names, every, library=library, fields=parts), dry_run=dry_run, yes=yes
        )

    body.__doc__ = text
    return command(name)(body)


keep = _decision(
    "keep",
    KEEP_COLLECTIONS,
    """Keep what you edited in Plex, whatever Stash says.

    The part follows Plex until plexsync collections unkeep. Without a decision such a part stays as it is until Stash
    changes it (conflict_policy). Asks once for more than one collection. Exits with 1 if a collection that was named has
    no such part, or is being worked on.

    \b
    Examples:
      plexsync collections keep "Studio 3"
      plexsync collections keep "Studio 3" --part poster
    """,
)
use_stash = _decision(
    "use-stash",
    TAKE_COLLECTIONS,
    """Replace parts that you edited in Plex by what Stash says, once.

    An edit that you make in Plex after that is not lost. plexsync collections undo restores what was there before
    PlexSync. A part that you keep is taken only if you name it and its collection. Otherwise as plexsync collections keep.

    \b
    Examples:
      plexsync collections use-stash "Studio 3" --part poster
      plexsync collections use-stash --all --part order
    """,
)
unkeep = _decision(
    "unkeep",
    UNKEEP_COLLECTIONS,
    """Take keep back. Writes nothing by itself: only a change in Stash after that is written.

    \b
    Example:
      plexsync collections unkeep "Studio 3"
    """,
)

WRITTEN = "Every collection that anything was written to."
SINCE = "The collections written to since then: 2026-03-31, 2h, 3d."
RUN = "The collections written to in that run."
undo = action_command(
    Verb.UNDO,
    SubjectKind.COLLECTIONS,
    """Take back what was written to collections.

    What was there before comes back, with its lock. What a person changed in Plex since stays as it is. With --run, what
    that run wrote becomes what stood there before it; what later runs wrote on top stays, unless --and-later. The collection
    keeps its members, since those are names of scenes (plexsync undo). A playlist of PlexSync is deleted, or loses its own
    items if you added others. All stay so until the object changes in Stash or you call plexsync collections redo. Works
    also while no part is switched on. Asks once for more than one. Exits with 1 if nothing was written to one that was
    named.

    \b
    Examples:
      plexsync collections undo "Studio 3" --dry-run
      plexsync collections undo --all --wait
    """,
    every=WRITTEN,
    since=SINCE,
    run=RUN,
)
release = action_command(
    Verb.RELEASE,
    SubjectKind.COLLECTIONS,
    """Leave what was written, and take PlexSync's locks off.

    Undo can't take it back any more. Otherwise as plexsync collections undo.

    \b
    Example:
      plexsync collections release "Studio 3"
    """,
    every=WRITTEN,
    since=SINCE,
    run=RUN,
)
redo = action_command(
    Verb.REDO,
    SubjectKind.COLLECTIONS,
    """End an undo, so that the collections are dressed again.

    Asks once for more than one. Exits with 1 if one that was named is not undone.

    \b
    Examples:
      plexsync collections redo "Studio 3"
      plexsync collections redo --all --wait
    """,
    every="Every collection that is undone.",
    since="The undone collections that were written to since then: 2026-03-31, 2h, 3d.",
    run="The undone collections that were written to in that run.",
)


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
    with begin_call(call, need=SettingsNeed.LOOK) as start, open_parts(start.config, start.folder) as parts:
        now = parts.clock.now()
        start.reach(parts)
        with fitting():
            (row,) = find_collections(parts.store, [name], library)
        facts = collection_report(parts.store, collection_viewer(parts), row.id)
        with parts.store.reading() as db:
            job, attempts = db.jobs.find(COLLECTION, row.id), db.attempts.of(COLLECTION, row.id)
            pushes = db.pushes.of(COLLECTION, row.id)
    if facts is None:
        return call.refuse("it was forgotten just now, since nothing of PlexSync's is left in it")

    def tell() -> None:
        out = paper()
        _tell_collection(facts, now, out)
        if job:
            out.print(row_table(job, now, facts["name"]))
        for drawn in past_tables(attempts, pushes):
            out.print(drawn)

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
    decision = f"kept since {ago(parse_stamp(part['kept_since']), now)}" if part["kept_since"] else ""
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


@family("collections", list_, sync, explain, take, keep, use_stash, unkeep, undo, release, redo)
def collections() -> None:
    """Show how the collections and playlists of Plex stand, dress them, and take that back.

    \b
    Examples:
      plexsync collections list
      plexsync collections sync --dry-run
      plexsync collections explain "Studio 3"
      plexsync collections keep "Studio 3" --part poster
      plexsync collections undo --all --wait
    """

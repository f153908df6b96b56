"""`plexsync collections undo`, `release` and `redo`: take back what was written to collections, and write it again."""

from dataclasses import dataclass

import click

from plexsync.app.dressing import collection_viewer
from plexsync.app.parts import opened
from plexsync.app.settings import SettingsNeed
from plexsync.cli.call import Call, command
from plexsync.cli.commands.collections_chosen import CollectionsChange, agreed, choosing, every, named, show_changes
from plexsync.cli.start import begun
from plexsync.cli.terminal.screen import ProgressBar
from plexsync.engine.tickets import READ_STASH
from plexsync.flows.collections.undo import mark_collections_undone, redo_collections
from plexsync.reports.collections import collection_changes
from plexsync.reports.format import many
from plexsync.rules.plan_records import Undone

WHICH = "say which collections: their names or numbers, or --all"


@dataclass(frozen=True)
class TakeBack:
    """Undo or release, and its words."""

    mode: Undone
    question: str
    begun: str
    done: str


UNDO = TakeBack("undo", "Take back what was written to {}?", "to be taken back", "taken back")
RELEASE = TakeBack(
    "release",
    "Take PlexSync's locks off {}? The values stay, and can't be taken back any more.",
    "to be released",
    "released",
)


@command("undo")
@choosing("Every collection that anything was written to.")
@click.pass_obj
def undo(call: Call, names: tuple[str, ...], library: str, all_: bool, dry_run: bool, yes: bool, wait: bool) -> int:
    """Take back what was written to collections.

    What was there before comes back, with its lock. What a person changed in Plex since stays as it is. The collection
    keeps its members, since those are names of scenes (plexsync undo). It stays so until the object changes in Stash or
    you call plexsync collections redo. Works also while no part is switched on. Asks once for more than one. Exits with 1
    if nothing was written to one that was named.

    \b
    Examples:
      plexsync collections undo "Studio 3" --dry-run
      plexsync collections undo --all --wait
    """
    return _take_back(call, UNDO, names, library, all_=all_, dry_run=dry_run, yes=yes, wait=wait)


@command("release")
@choosing("Every collection that anything was written to.")
@click.pass_obj
def release(call: Call, names: tuple[str, ...], library: str, all_: bool, dry_run: bool, yes: bool, wait: bool) -> int:
    """Leave what was written, and take PlexSync's locks off.

    Undo can't take it back any more. Otherwise as plexsync collections undo.

    \b
    Example:
      plexsync collections release "Studio 3"
    """
    return _take_back(call, RELEASE, names, library, all_=all_, dry_run=dry_run, yes=yes, wait=wait)


def _take_back(
    call: Call, way: TakeBack, names: tuple[str, ...], library: str, *, all_: bool, dry_run: bool, yes: bool, wait: bool
) -> int:
    if bool(names) == all_:
        raise click.UsageError(WHICH)
    with begun(call, need=SettingsNeed.WORK) as start:
        with opened(start.config, start.folder) as parts:
            start.meet(parts)
            if start.settings.away:
                raise start.settings.away
            chosen = (
                every(parts.store, lambda row: bool(row.memory or row.pushing) and not row.undone, library)
                if all_
                else named(parts.store, names, library)
            )
            rows = {row.id: row for row in chosen}
            viewer = collection_viewer(parts)
            if dry_run:
                return show_changes(call, collection_changes(parts.store, viewer, list(rows), undoing=way.mode))
            if not agreed(way.question.format(many(len(rows), "collection")), len(rows), yes=yes):
                return call.refused("nothing was changed", collections=[])
            start.ask(parts, READ_STASH)
            context = (parts.store, viewer, parts.gates, parts.clock)
            with ProgressBar(start.console, "marking") as bar:
                marked = mark_collections_undone(*context, list(rows), way.mode, bar.at)
            busy = parts.someone_works()
        complaint = "" if all_ else "nothing was written to"
        answer = CollectionsChange(way.begun, way.done, complaint, rows, marked.jobs, marked.untouched, marked.failed)
        return answer.wait(call, start) if wait else answer.tell(call, busy=busy)


@command("redo")
@choosing("Every collection that is undone.")
@click.pass_obj
def redo(call: Call, names: tuple[str, ...], library: str, all_: bool, dry_run: bool, yes: bool, wait: bool) -> int:
    """End an undo, so that the collections are dressed again.

    Asks once for more than one. Exits with 1 if one that was named is not undone.

    \b
    Examples:
      plexsync collections redo "Studio 3"
      plexsync collections redo --all --wait
    """
    if bool(names) == all_:
        raise click.UsageError(WHICH)
    with begun(call, need=SettingsNeed.WORK) as start:
        with opened(start.config, start.folder) as parts:
            start.meet(parts)
            chosen = (
                every(parts.store, lambda row: bool(row.undone), library)
                if all_
                else named(parts.store, names, library)
            )
            rows = {row.id: row for row in chosen}
            if dry_run:
                viewer = collection_viewer(parts)
                return show_changes(call, collection_changes(parts.store, viewer, list(rows), redoing=True))
            if not agreed(f"Dress {many(len(rows), 'collection')} again?", len(rows), yes=yes):
                return call.refused("nothing was changed", collections=[])
            redone = redo_collections(parts.store, parts.clock, list(rows))
            busy = parts.someone_works()
        untouched = [id for id in rows if id not in redone]
        answer = CollectionsChange("to be dressed again", "dressed again", "not undone", rows, redone, untouched)
        return answer.wait(call, start) if wait else answer.tell(call, busy=busy)

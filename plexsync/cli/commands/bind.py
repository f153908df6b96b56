"""`plexsync bind` and `plexsync unbind`: set by hand which Plex item belongs to a scene."""

from collections.abc import Sequence

import click

from plexsync.app.parts import open_parts
from plexsync.app.settings import SettingsNeed
from plexsync.cli.call import FINE, Call, command
from plexsync.cli.start import begin_call, open_call_store as opened_for
from plexsync.cli.terminal.param_types import ItemKey, SceneNumber
from plexsync.cli.terminal.prompts import confirm
from plexsync.cli.terminal.screen import ProgressBar, paper, say, table
from plexsync.cli.terminal.worker_hint import NO_WORKER
from plexsync.flows.scenes import bindings
from plexsync.reports.format import local, many, safe, stamp
from plexsync.reports.undo import rests
from plexsync.rules.match.match_records import Binding

SYNCS = "the worker syncs it next"


@command("bind")
@click.argument("scene", metavar="[SCENE]", required=False, type=SceneNumber())
@click.argument("items", metavar="[ITEM]...", nargs=-1, type=ItemKey())
@click.option(
    "--by-duration", is_flag=True, help="Bind all scenes whose only candidate fits by name and duration only."
)
@click.option(
    "--in",
    "folder",
    metavar="FOLDER",
    help="Bind all ambiguous scenes that have one candidate in this folder of Plex, to that one.",
)
@click.option("--dry-run", "dry", is_flag=True, help="With --by-duration or --in: show the pairs; bind nothing.")
@click.option("--yes", is_flag=True, help="With --by-duration or --in: do not ask.")
@click.pass_obj
def bind(
    call: Call, scene: int | None, items: tuple[str, ...], by_duration: bool, folder: str | None, dry: bool, yes: bool
) -> int:
    """Name the item in Plex of a scene for good, or list the bindings.

    ITEM is the rating key that explain shows. A bound item goes before every item that PlexSync finds by itself,
    and no other scene is synced to it any more. A second call binds a further item: then the scene is written to each
    of its items. The scene is put in the queue. Without arguments the command lists the bindings.

    With --by-duration it lists every scene whose only candidate has a file of the same name and duration, but of another
    or an unknown size, and asks once before it binds them all. Look at the list first: different files can share a name
    and a duration. With --in it does the same for the scenes of which several items fit, and just one of these has its
    file in FOLDER or below it.

    \b
    Examples:
      plexsync bind 7 1234
      plexsync bind
      plexsync bind --by-duration --dry-run
      plexsync bind --in /media/movies/good
    """
    if by_duration or folder:
        if scene is not None or (dry and yes) or (by_duration and folder):
            raise click.UsageError("--by-duration takes no scene, --in neither of them, and --dry-run no --yes")
        pairing = bindings.in_folder(folder) if folder else bindings.by_duration
        none = f"has just one candidate in {safe(folder)}" if folder else "has a candidate by name and duration only"
        return _bind_pairs(call, pairing, none, dry=dry, yes=yes)
    if dry or yes or folder is not None:
        raise click.UsageError("--dry-run and --yes go with --by-duration, or with --in and a folder of Plex")
    if scene is None:
        with opened_for(call) as parts, parts.store.reading() as db:
            return _list(call, db.bindings.all())
    if not items:
        raise click.UsageError(f"say which item by its rating key: plexsync explain {scene} lists the candidates")
    return _bind_one(call, scene, items)


def _bind_one(call: Call, scene: int, items: Sequence[str]) -> int:
    """Bind these items to a scene."""
    with begin_call(call, need=SettingsNeed.LOOK) as start, open_parts(start.config, start.folder) as parts:
        start.reach(parts)
        try:
            bound = bindings.bind(parts.store, parts.stash, parts.plex, parts.gates, parts.clock, scene, items)
        except bindings.CantBind as error:
            return call.refuse(safe(str(error)))
        busy = parts.someone_works()
    facts = {
        "scene": scene,
        "bound": [
            {"item": item.key, "library": title, "title": item.scalars["title"], "files": [p.path for p in item.parts]}
            for item, title in bound.items
        ],
        "forgotten": list(bound.forgotten),
        "looked_at_again": list(bound.looked_again),
        **({"undone": bound.undone} if bound.undone else {}),
    }
    call.answer(facts, lambda: _tell(scene, bound, busy=busy))
    return FINE


def _bind_pairs(call: Call, pairing: bindings.Pairing, none: str, *, dry: bool, yes: bool) -> int:
    """List the pairs, ask once, and bind those that are still the same. `none`: what no scene has, if there are none."""
    with begin_call(call, need=SettingsNeed.LOOK) as start, open_parts(start.config, start.folder) as parts:
        start.reach(parts)
        with ProgressBar(start.console, "looking") as bar:
            pairs = bindings.pairs_by(pairing, parts.inspector, bar.at)
        facts = {
            "pairs": [
                {
                    "scene": pair.scene,
                    "title": pair.title or None,
                    "file": pair.file,
                    "item": pair.key,
                    "path": pair.path,
                    "why": pair.doubt,
                }
                for pair in pairs
            ],
            "bound": [],
        }
        for pair in () if call.json else pairs:
            title = f" ({safe(pair.title, 80)})" if pair.title else ""
            say(paper(), f"Scene {pair.scene}{title}: {safe(pair.file)}")
            say(paper(), f"  item {pair.key}: {safe(pair.path)}")
            say(paper(), f"  {safe(pair.doubt)}")
        if dry or not pairs:
            summary = f"{many(len(pairs), 'scene')} would be bound" if pairs else f"no scene {none}"
            call.answer(facts, lambda: say(paper(), summary))
            return FINE
        if not yes and not confirm(f"Bind {many(len(pairs), 'scene')} to these items?"):
            return call.declined("bound", facts)
        with ProgressBar(start.console, "binding") as bar:
            bound = bindings.bind_pairs(pairing, parts.inspector, pairs, bar.at)
        busy = parts.someone_works()
    changed = len(pairs) - len(bound)
    more = f"; {many(changed, 'scene')} not bound, because something has changed meanwhile" if changed else ""
    line = f"{many(len(bound), 'scene')} bound and queued{more}; {SYNCS if busy else NO_WORKER}"
    call.answer({**facts, "bound": [pair.scene for pair in bound]}, lambda: say(paper(), line))
    return FINE


@command("unbind")
@click.argument("scene", type=SceneNumber())
@click.argument("item", required=False, type=ItemKey())
@click.pass_obj
def unbind(call: Call, scene: int, item: str | None) -> int:
    """Remove the binding of one item, or of all items that are bound to the scene.

    The scene is put in the queue, to be found by its files again. What is in Plex stays as it is. Exits with 1 if
    nothing was bound.

    \b
    Examples:
      plexsync unbind 7
      plexsync unbind 7 1234
    """
    with opened_for(call) as parts:
        count = bindings.unbind(parts.store, parts.clock, scene, item or "")
    if not count:
        subject = f"item {item}" if item else "nothing"
        bound = f"{subject} is {'not ' if item else ''}bound to scene {scene}"
        return call.refuse(f"{bound} (plexsync bind lists the bindings)")
    summary = f"{many(count, 'item')} taken off scene {scene}: it is found by its files again"
    call.answer({"scene": scene, "unbound": count}, lambda: say(paper(), summary))
    return FINE


def _list(call: Call, bindings: Sequence[Binding]) -> int:
    facts = {
        "count": len(bindings),
        "bindings": [
            {"scene": binding.scene, "item": binding.key, "since": stamp(binding.at), "files": list(binding.files)}
            for binding in bindings
        ],
    }
    rows = [
        (f"{binding.scene}", binding.key, local(binding.at), safe(", ".join(binding.files))) for binding in bindings
    ]
    heads = ("scene", "item", "since", "its files then")
    call.answer(facts, lambda: paper().print(table("", heads, rows) if rows else "nothing is bound"))
    return FINE


def _tell(scene: int, bound: bindings.Bound, *, busy: bool) -> None:
    out = paper()
    for item, library in bound.items:
        files = ", ".join(part.path for part in item.parts)
        out.print(safe(f"Scene {scene} is bound to item {item.key} of {library}: {item.scalars['title']} ({files})"))
    for key in bound.forgotten:
        reason = "Plex no longer has it, or another scene had this id when it was bound"
        out.print(f"Item {key} was taken off scene {scene}: {reason}")
    if bound.looked_again:
        ids = ", ".join(map(str, bound.looked_again))
        out.print(f"Scene {ids} was pushed to it before, and is looked at again: it is no longer its")
    if bound.undone:
        say(out, rests(scene, bound.undone))
    else:
        out.print(f"It is queued; {SYNCS if busy else NO_WORKER}")

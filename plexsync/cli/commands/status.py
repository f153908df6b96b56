"""`plexsync status`: the status of all scenes, or of one."""

import click

from plexsync.cli.call import FINE, Call, command
from plexsync.cli.terminal.paper import paper
from plexsync.cli.terminal.param_types import SceneNumber
from plexsync.cli.terminal.status_page import show_page
from plexsync.reports.stored_status import stored_facts


@command("status")
@click.argument("scene", type=SceneNumber(), required=False)
@click.option("--without-scene", is_flag=True, help="List the items of Plex that no scene shows, with their files.")
@click.option("--without-item", is_flag=True, help="List the scenes that have no item in Plex.")
@click.option("--watch", "watches", is_flag=True, help="Draw the status on the terminal every two seconds, until q.")
@click.pass_obj
def status(call: Call, scene: int | None, without_scene: bool, without_item: bool, watches: bool) -> int:
    """Show the status of the scenes, the queue, both servers and the worker; or of one scene.

    A scene is in sync, queued, not in Plex yet, ignored, out of scope or undone, or it needs you. The command reads the
    database only and asks neither Stash nor Plex, so it answers at once and also during an outage. Scenes without an item
    and items without a scene are known from the last full comparison (plexsync reconcile). With several Plex servers it
    shows all of them, the one in the worst state first. Exits with 0 if the database can be read, and with 1 for a scene
    that is unknown.

    \b
    Examples:
      plexsync status
      plexsync status 7
      plexsync status --without-scene
      plexsync status --watch
      plexsync status --json
    """
    if (scene is not None) + without_scene + without_item + watches > 1:
        raise click.UsageError("one thing at a time: a scene, --without-scene, --without-item or --watch")
    is_whole = scene is None and not (without_scene or without_item)
    facts = stored_facts(call.sources) if is_whole and not watches else None
    if facts and (call.json or not facts["news"]):
        call.answer(facts, lambda: show_page(paper(), facts))
        return FINE
    # Settings and store take far longer to load than the status to show.
    from plexsync.cli.commands import status_opened, status_watch

    if watches:
        return status_watch.watch(call)
    if scene is not None:
        return status_opened.tell_scene(call, scene)
    if is_whole:
        return status_opened.tell_all(call, ends_news=not call.json)
    return status_opened.tell_alone(call, scenes=without_item)

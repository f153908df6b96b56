"""`plexsync ping`: sends a change that changes nothing the whole way, and prints the time of each hop."""

import click

from plexsync.app.parts import open_parts
from plexsync.app.ping import CantPing, ping as send_ping
from plexsync.app.settings import SettingsNeed
from plexsync.cli.call import FAILED, FINE, Call, command
from plexsync.cli.daemon.signals import stoppable
from plexsync.cli.start import begin_call
from plexsync.cli.terminal.param_types import SceneNumber
from plexsync.cli.terminal.screen import paper, say
from plexsync.reports.format import safe
from plexsync.reports.ping import ping_facts


@command("ping")
@click.argument("scene", metavar="[SCENE]", required=False, type=SceneNumber())
@click.pass_obj
def ping(call: Call, scene: int | None) -> int:
    """Test the way from Stash to Plex with a change that changes nothing, and print the time of each hop.

    Stash saves the scene as it is; only the time of its last change moves. The worker hears of it, queues the scene and
    works it like any edit. Then scene and item are read anew and compared. Without a number, a scene that is in sync is
    taken. Needs a running worker. Exits with 1 if it did not arrive, or if something differs.

    \b
    Examples:
      plexsync ping
      plexsync ping 7
    """
    with begin_call(call, need=SettingsNeed.WORK) as start, stoppable() as stop:
        with open_parts(start.config, start.folder) as parts:
            start.tell(parts)
            try:
                way = send_ping(parts, scene, stop.event.is_set)
            except CantPing as error:
                return call.refuse(str(error))
    facts = ping_facts(way)
    call.answer(facts, lambda: say(paper(), f"Scene {facts['scene']}: {safe(facts['line'], 1000)}"))
    return stop.code or (FAILED if facts["error"] else FINE)

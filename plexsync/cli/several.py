"""Commands that speak of all Plex servers when there are several and you have chosen none."""

from dataclasses import replace

from plexsync.cli.call import Call
from plexsync.cli.settings import here_of
from validation.sources import ConfigError


def calls_of_all(call: Call) -> list[tuple[str, Call]]:
    """The name of each server with a call for it, if there are several and none is chosen; otherwise none."""
    if call.chosen_plex:
        return []
    try:
        here = here_of(call)
    except ConfigError:
        # The command reports it.
        return []
    names = here.servers if len(here.servers) > 1 else ()
    return [(name, replace(call, plex=name)) for name in names]

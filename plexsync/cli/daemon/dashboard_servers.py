"""The Plex servers that the dashboard of this process shows, each with its settings and the folder of its database."""

from plexsync.app.settings import Settings, in_stash
from plexsync.app.stored import address_of
from plexsync.cli.call import Call
from plexsync.cli.daemon.dashboard_process import DashboardEntry
from plexsync.cli.settings import hide, sources
from plexsync.rules.server_scopes import store_folder
from validation.sources import ConfigError, load_servers


def shown_servers(call: Call, current: Settings) -> tuple[DashboardEntry, ...]:
    """All servers in their order, with the first one's settings as they are in use; the one alone that the call chooses.

    While the settings of the others can't be read, or some of them are known to Stash alone, it is the first one too.
    """
    first = DashboardEntry(current.loaded, current.place.path)
    if call.chosen_plex or len(current.loaded.servers) < 2:
        return (first,)
    saved = in_stash(current.stash_settings, address_of(current.loaded.config, first.folder))
    try:
        every = load_servers(**sources(call), plugin_settings=saved)
    except ConfigError:
        return (first,)
    for loaded in every:
        hide(call, loaded)
    further = (DashboardEntry(loaded, store_folder(first.folder, loaded.scope)) for loaded in every[1:])
    return (first, *further)

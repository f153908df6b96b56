"""What Plex asks in `plexsync serve`: a child process, where `provider_listen` is set."""

import json
import logging

from plexsync.app.database_files import file_number
from plexsync.app.stored import address_of
from plexsync.app.version import version
from plexsync.cli.daemon.child import ListeningOrder, ListeningProcess
from plexsync.cli.daemon.dashboard_process import DashboardEntry
from plexsync.extras import advice, is_installed
from plexsync.rules.servers.redaction import MASK
from validation import path_rules, values

log = logging.getLogger("PlexSync.provider")


class ProviderProcess(ListeningProcess):
    """The process, and the thread that supervises it. While it is started again, Plex waits."""

    setting = "provider_listen"
    keeps_place = True

    def __init__(self) -> None:
        super().__init__("provider", "plexsync.provider", log)
        self._order: ListeningOrder | None = None

    def use(self, *entries: DashboardEntry) -> None:
        """Answer for these Plex servers, at the place that the settings of the first one name; without any, for none."""
        bind = entries[0].loaded.config.provider_listen if entries else "none"
        wanted = None
        if values.host_and_port(bind) is not None:
            if is_installed("web"):
                request = {"version": version(), "entries": [_description(entry) for entry in entries]}
                wanted = ListeningOrder(json.dumps(request), bind)
            else:
                log.warning("Plex is not answered: packages are not installed: %s", advice("web"))
        if wanted != self._order:
            self._order = wanted
            self.order(wanted)

    def shown_address(self, address: str) -> str:
        """The address below which each library has a secret."""
        return f"{address}/{MASK}"


def _description(entry: DashboardEntry) -> dict[str, object]:
    """A Plex server, as the process gets it."""
    config = entry.loaded.config
    address = address_of(config, entry.folder)
    return {
        "folder": str(entry.folder),
        "url": address.url,
        "schema": address.schema,
        "rules": path_rules.pairs(config.path_map),
        # Of another file at its place the process has to be started again.
        "number": file_number(entry.folder),
    }

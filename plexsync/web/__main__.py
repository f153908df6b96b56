"""The dashboard's process, see `plexsync.web.child_process`."""

import ipaddress
import json
import logging
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import TypedDict

from plexsync.app.database_files import dashboard_note
from plexsync.app.parts import Parts, open_parts
from plexsync.rules.servers.dashboard_place import format_note, reach_of
from plexsync.rules.servers.errors import LocalFault, NewerDatabase, Unusable
from plexsync.store.database import load_tables
from plexsync.store.files import lock
from plexsync.store.files.installation import browser_key
from plexsync.web.addresses import LOOPBACK, prefix_of
from plexsync.web.app import DashboardRules, build
from plexsync.web.child_process import behave, end_process, log_to_stderr, serve_for_parent, socket_address, take_socket
from plexsync.web.context import Desk, Origins
from plexsync.web.entry_desks import EntryDesk, EntryDesks
from plexsync.web.guard import Doors
from plexsync.web.server import server
from plexsync.web.start_pages import GuideRequest, SetupGuide, build_start
from validation import values
from validation.config import PlexSyncConfig
from validation.redact import Redactor

log = logging.getLogger("PlexSync.web")

# Exit code: the database is missing.
NO_DATABASE = 4
NICE = 5
AGAIN = 1.0  # seconds until the next try to note where it listens: an older dashboard ends, or the database can't be written


class EntryRequest(TypedDict):
    """A Plex server, as the parent process describes it."""

    plex: str
    servers: list[str]
    config: dict[str, object]
    origin: dict[str, str]
    warnings: list[str]
    folder: str


class DashboardRequest(TypedDict):
    """The configuration that the parent process writes."""

    entries: list[EntryRequest]
    file: str
    key: str
    switch: str


class Presence(threading.Thread):
    """Notes inside the block in the database that the dashboard listens at `url`, for `status` and the page in Stash.

    The note counts only while this process holds a lock in the data folder of its machine. So nobody believes it after the
    process has ended, however it ended. It delays no page, and a failure ends none.
    """

    def __init__(self, parts: Parts, url: str, host: str, names: frozenset[str]) -> None:
        super().__init__(name="presence", daemon=True)
        self._parts = parts
        reach = reach_of(host, is_loopback=ipaddress.ip_address(host).is_loopback)
        self._text = format_note(url, reach, tuple(sorted(names)))
        self._ended = threading.Event()
        self._lock: lock.Lock | None = None

    def run(self) -> None:
        """Write the note, then take the lock; tried again until both are done."""
        noted = False
        while not self._ended.is_set():
            try:
                if not noted:
                    # First, since an older note must not count with the new lock.
                    with self._parts.store.writing() as tx:
                        tx.notes.save(dashboard_note(self._parts.address), self._text)
                    noted = True
                self._lock = lock.try_lock(self._parts.folder, lock.DASHBOARD)
            except (LocalFault, NewerDatabase, Unusable) as fault:
                log.debug("where the dashboard listens is not noted: %s", fault)
            if self._lock is not None:
                return
            self._ended.wait(AGAIN)

    def __enter__(self) -> None:
        self.start()

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self.join(AGAIN)
        if self._lock is not None:
            self._lock.release()


def main() -> int:
    """Serve until standard input closes."""
    handed, line = sys.stdin.readline().strip(), sys.stdin.readline()
    if not line:
        return 0  # other settings came before this process had read its own
    load_tables()
    request = json.loads(line)
    return set_up(handed, request) if "command" in request else show(handed, request)


def set_up(handed: str, request: GuideRequest) -> int:
    """Show the pages that set PlexSync up, until standard input closes."""
    config = PlexSyncConfig.model_validate(request["config"])
    log_to_stderr(log, Redactor((*config.secrets, request["key"])))
    behave()
    with take_socket(handed) as at, closing(SetupGuide(request, config)) as guide:
        serve_for_parent(server(build_start(guide, doors(config))), at)
    return 0


def show(handed: str, request: DashboardRequest) -> int:
    """Show the dashboard of these Plex servers, until standard input closes; returns the exit code."""
    configs = [PlexSyncConfig.model_validate(entry["config"]) for entry in request["entries"]]
    # The settings of the dashboard itself are the same for all servers.
    config, key = configs[0], bytes.fromhex(request["key"])
    log_to_stderr(log, Redactor((*(secret for each in configs for secret in each.secrets), request["key"])))
    # The worker runs first.
    behave(NICE)
    try:
        switch = Path(request["switch"]) if request["switch"] else None
        names = doors(config)
        with take_socket(handed) as at, closing(EntryDesks(list(_entries(request, at, names.names)))) as entries:
            entries.open()
            lasting_key = browser_key(Path(request["entries"][0]["folder"])) if config.web_password else key
            app = build(entries, DashboardRules(names, config.web_password, key, lasting_key, switch))
            serve_for_parent(server(app), at, app.end)
    except (LocalFault, NewerDatabase, Unusable) as error:
        log.warning("the dashboard can't use the database: %s", error)
        return NO_DATABASE
    return 0


def _entries(request: DashboardRequest, at: socket.socket, names: frozenset[str]) -> Iterator[EntryDesk]:
    """The desks of the Plex servers, from their settings and folders, as the parent process tells them."""
    for place, entry in enumerate(request["entries"]):
        url = f"{socket_address(at)}{prefix_of(entry['plex']) if place else ''}"
        presence = partial(Presence, url=url, host=at.getsockname()[0], names=names)
        yield EntryDesk(entry["plex"], partial(_desk, entry, Path(request["file"]), presence))


@contextmanager
def _desk(entry: EntryRequest, file: Path, presence: Callable[[Parts], Presence]) -> Iterator[Desk]:
    """The desk on the database of a Plex server, while its presence is noted there."""
    servers = tuple(entry["servers"])
    origins = Origins(entry["origin"], file, tuple(entry["warnings"]), entry["plex"], servers)
    with (
        open_parts(PlexSyncConfig.model_validate(entry["config"]), Path(entry["folder"])) as parts,
        closing(Desk(parts, origins)) as desk,
        presence(parts),
    ):
        yield desk


def doors(config: PlexSyncConfig) -> Doors:
    """The host names under which the dashboard answers, from the settings."""
    host = (values.host_and_port(config.web_bind) or ("", 0))[0].lower()
    names = LOOPBACK | {host, *config.web_allowed_hosts}
    return Doors(names, any_address=host not in LOOPBACK)


if __name__ == "__main__":
    end_process(main())

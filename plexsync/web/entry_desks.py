"""The Plex servers of the dashboard: each has a desk on a database of its own.

The database of a single server has to be there. Of several, one that can't be opened is tried again every five
seconds, and the pages of the others go on.
"""

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from time import monotonic

from plexsync.rules.servers.errors import LocalFault, NewerDatabase, Unusable
from plexsync.web.addresses import prefix_of
from plexsync.web.context import Desk
from plexsync.web.live import DatabaseOutage, LiveUpdates

log = logging.getLogger("PlexSync.web")

AGAIN = 5.0  # seconds until a database that can't be opened is tried again
PATIENCE = 3.0  # seconds that the start waits for the databases of several servers
BEING_OPENED = "it is being opened"


class DatabaseAway(Exception):
    """The database of the server with this name can't be opened, by this fault."""

    def __init__(self, name: str, fault: str) -> None:
        super().__init__(f"the database of {name} can't be used: {fault}")
        self.name = name
        self.fault = fault


class UnknownPlex(Exception):
    """No server of the dashboard has the name that was asked for; the text says which ones there are."""


class EntryDesk:
    """One server: its name ('' for a single one), and its desk once the database is open."""

    def __init__(self, name: str, opening: Callable[[], AbstractContextManager[Desk]]) -> None:
        self.name = name
        self.prefix = ""
        """Put before its links."""
        self.fault = BEING_OPENED
        """Why its database is not open; '' if it is."""
        self.outage = DatabaseOutage(name)
        """Whether its open database can't be used."""
        self._opening = opening
        self._logged = ""
        self._trying = threading.Lock()
        self._held = ExitStack()
        self._open: tuple[Desk, LiveUpdates] | None = None

    @property
    def open_desk(self) -> Desk | None:
        """The desk; None while the database is not open."""
        return self._open[0] if self._open else None

    @property
    def desk(self) -> Desk:
        """The desk; raises DatabaseAway."""
        return self._parts()[0]

    @property
    def live(self) -> LiveUpdates:
        """The notices for its open pages; raises DatabaseAway."""
        return self._parts()[1]

    def _parts(self) -> tuple[Desk, LiveUpdates]:
        if self._open is None:
            raise DatabaseAway(self.name, self.fault)
        return self._open

    def open(self) -> None:
        """Open the database; raises LocalFault, NewerDatabase or Unusable."""
        with ExitStack() as held:
            desk = held.enter_context(self._opening())
            live = LiveUpdates(desk.parts.store, self.outage)
            held.callback(live.close)
            self._held = held.pop_all()
            self._open, self.fault = (desk, live), ""

    def try_open(self) -> None:
        """Open the database if it is not open; returns at once while another thread does.

        Why it can't be opened is logged once it is tried again: the worker of a new server makes its database in between.
        """
        if not self._trying.acquire(blocking=False):
            return
        try:
            if self._open is None:
                self.open()
                if self._logged:
                    log.info("the dashboard can use the database of %s now", self.name)
        except (LocalFault, NewerDatabase, Unusable) as error:
            if self.fault == str(error) != self._logged:
                self._logged = self.fault
                log.warning("the dashboard can't use the database of %s: %s", self.name, error)
            self.fault = str(error)
        finally:
            self._trying.release()

    async def keep(self) -> None:
        """Open the database if it is not open, then notify open pages of changes until cancelled."""
        while self._open is None:
            await asyncio.sleep(AGAIN)
            await asyncio.to_thread(self.try_open)
        await self.live.watch()

    def close(self) -> None:
        """Close the desk, and the database with it."""
        self._held.close()


class EntryDesks:
    """The servers, in the order of the configuration. The first one's addresses have no prefix."""

    def __init__(self, every: Sequence[EntryDesk]) -> None:
        self.every = tuple(every)
        self.names = tuple(entry.name for entry in every if entry.name)
        for entry in self.every[1:]:
            entry.prefix = prefix_of(entry.name)

    @property
    def first(self) -> EntryDesk:
        """The one that is meant where none is named."""
        return self.every[0]

    @property
    def are_several(self) -> bool:
        """Whether there is a choice."""
        return len(self.every) > 1

    def by_name(self, name: str) -> EntryDesk:
        """The one with this name, the first one for ''; raises UnknownPlex."""
        if not name:
            return self.first
        for entry in self.every:
            if entry.name == name:
                return entry
        raise UnknownPlex(self.unknown)

    @property
    def unknown(self) -> str:
        """What to say of a name that no server has. It does not repeat the name: that may be anything."""
        names = f"PlexSync knows these: {', '.join(self.names)}." if self.names else "PlexSync has one without a name."
        return f"There is no Plex server of this name. {names}"

    def others(self, entry: EntryDesk) -> list[EntryDesk]:
        """All but this one."""
        return [other for other in self.every if other is not entry]

    def open(self) -> None:
        """Open every database, side by side; of a single one, raises LocalFault, NewerDatabase or Unusable."""
        if not self.are_several:
            self.first.open()
            return
        opening = [threading.Thread(target=entry.try_open, name="opening", daemon=True) for entry in self.every]
        for thread in opening:
            thread.start()
        deadline = monotonic() + PATIENCE
        for thread in opening:
            thread.join(max(0.0, deadline - monotonic()))

    def end(self) -> None:
        """Notify all open pages a last time; call this in the event loop."""
        for entry in self.every:
            if entry.open_desk is not None:
                entry.live.end()

    def close(self) -> None:
        """Close every database."""
        for entry in self.every:
            entry.close()

"""Detects that another Plex server answers at the address of the old one.

The rating keys of another server name other items, and its values belong to others. So nothing is written until the old
server is back or you accept the new one. Two databases are never for one server: of two entries that lead to the same one,
one goes on.
"""

import logging

from plexsync.engine.gates import Gates
from plexsync.engine.tickets import READ_PLEX
from plexsync.rules.queue.choices import ACCEPTED, Choice, remedy
from plexsync.rules.servers.errors import Barred, Neighbour
from plexsync.rules.servers.neighbours import Clock, Plex
from plexsync.store.database import Database
from plexsync.store.files.siblings import may_be_further, siblings_of

log = logging.getLogger("PlexSync.identity")

NOTE = ACCEPTED + Choice.PLEX_SERVER
# The identifier of the server that was asked about last. What you accept is this one, and no other that answers later.
ASKED = f"asked:{Choice.PLEX_SERVER}"


class ServerIdentity:
    """The identity of the Plex server of one database. The first server that answers is the one.

    `looks_only`: save nothing but which server is asked about.
    """

    def __init__(self, store: Database, plex: Plex, clock: Clock, *, looks_only: bool = False) -> None:
        self._store = store
        self._plex = plex
        self._clock = clock
        self._looks_only = looks_only
        self._checked: int | None = None
        self._may_be_further = may_be_further(store)

    def ensure(self, gates: Gates) -> None:
        """Check once per process, after each outage, and when an earlier entry has this server. Raises NeighbourError."""
        with self._store.reading() as db:
            generation = db.breakers.find(READ_PLEX.row).generation
        if self._checked != generation or (self._may_be_further and self._has_earlier_owner()):
            gates.ask(READ_PLEX, self.check, of_all=True)
            self._checked = generation

    def check_again(self, gates: Gates) -> None:
        """Check now, since an answer does not fit this server. Raises NeighbourError."""
        self._checked = None
        self.ensure(gates)

    def check(self) -> None:
        """Ask the server who it is, in one request. Raises Barred if it is another one that you have not accepted."""
        server = self._plex.server()
        self._check_alone(server.machine)
        with self._store.reading() as db:
            stored, accepted, asked = db.servers.find(), db.notes.text(NOTE), db.notes.text(ASKED)
        is_new = stored is None or stored.machine != server.machine
        if stored and is_new and not (accepted and asked in ("", server.machine)):
            if accepted or asked != server.machine:
                with self._store.writing() as tx:
                    tx.notes.save(ASKED, server.machine)
                    tx.notes.save(NOTE, "")
            raise Barred(
                Neighbour.PLEX,
                f"this is another Plex server ({server.name or 'without a name'}) than the one that PlexSync has written"
                f" to: nothing is written. Start fresh there ({remedy(Choice.PLEX_SERVER)}), or go back to the old one",
                setting="plex_url",
                choice=Choice.PLEX_SERVER,
            )
        if self._looks_only or (stored and not is_new and stored.version == server.version and not accepted):
            return
        with self._store.writing() as tx:
            tx.servers.save(server.machine, server.version, now=self._clock.now())
            tx.notes.save(NOTE, "")
        if stored and is_new:
            log.warning("another Plex server was accepted: what was remembered about items of the old one is not used")

    def _has_earlier_owner(self) -> bool:
        """Whether an earlier entry has this server by now. At a first start, both may ask before either has noted it."""
        siblings = siblings_of(self._store)
        if not siblings.is_further:
            return False
        with self._store.reading() as db:
            stored = db.servers.find()
        return stored is not None and siblings.earlier_owner(stored.machine) is not None

    def _check_alone(self, machine: str) -> None:
        """Raise Barred if the database of another entry has this server."""
        siblings = siblings_of(self._store)
        other = siblings.earlier_owner(machine)
        if other is None:
            return
        entry = f'[[plex]] "{other}"' if other else "the first [[plex]] entry"
        gone = f", or remove {siblings.place_of(other)} if that entry is gone" if other else ""
        raise Barred(
            Neighbour.PLEX,
            f"this is the Plex server of {entry}, which has its own database: nothing is written twice. "
            f"Correct plex_url{gone}",
            setting="plex_url",
        )

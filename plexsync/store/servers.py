"""The Plex server that the database belongs to: there is one at most. It only shows a change, and divides no data."""

from plexsync.rules.records import ServerRow
from plexsync.store.connection import Table
from plexsync.store.db import clean

FIND = "select machine, version, seen_at, traits, learnt_at, learnt_version from server"
SAVE = """
insert into server (one, machine, version, seen_at) values (1, :machine, :version, :now)
on conflict (one) do update set machine = :machine, version = :version, seen_at = :now
"""
LEARN = "update server set traits = :traits, learnt_at = :now, learnt_version = :version"
FORGET_TRAITS = "update server set traits = '{}', learnt_at = 0, learnt_version = ''"


class ReadOnlyServers(Table):
    """Read access to the server of this database."""

    def find(self) -> ServerRow | None:
        """Return the server; None before the first contact."""
        row = self._db.row(FIND)
        return ServerRow(*row) if row else None


class Servers(ReadOnlyServers):
    """Read and write access to the server of this database."""

    def save(self, machine: str, version: str, *, now: int) -> None:
        """Save the identifier and the version of the server. What was learnt of another one is forgotten."""
        before = self.find()
        self._db.execute(SAVE, {"machine": clean(machine), "version": clean(version), "now": now})
        if before and before.machine != machine:
            self._db.execute(FORGET_TRAITS)

    def learn(self, traits: str, version: str, *, now: int) -> bool:
        """Save what a probe learnt (JSON) of this version; False before the first contact."""
        return self._db.execute(LEARN, {"traits": clean(traits), "version": clean(version), "now": now}) > 0

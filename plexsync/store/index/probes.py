"""The Plex server that the database belongs to, its traits, and probes.

There is one server at most: it only shows a change, and divides no data. Of probes are stored the traits that they have
learnt, an item that one has not restored yet, and a request to the worker.

Some traits are learnt during ordinary work, too (`plexsync.rules.merge.traits.WHILE_WORKING`); a probe is not needed
for them.

A process that does not hold the worker's lock asks the worker for a probe, and finds the result here.
"""

import json
from typing import TypeVar

import msgspec

from plexsync.rules.merge.traits import UNKNOWN, LearntTraits, ServerTraits, from_text, present_traits, to_text
from plexsync.rules.records import ServerRow
from plexsync.rules.servers.scratch import Original, ProbeOutcome
from plexsync.store.connection import Connection, Table, clean
from plexsync.store.queue.notes import Notes, ReadOnlyNotes

PROBED = "probe:original"
ASKED = "probe:asked"
RUNNING = "probe:running"
RESULT = "probe:result"
# What was learnt during work: the server's identifier and version, the answers, and the time (JSON).
WORKING = "traits:working"

T = TypeVar("T")


def decode(text: str, type_: type[T]) -> T | None:
    """Return a stored record; None for a text that is not one."""
    try:
        return msgspec.json.decode(text, type=type_)
    except (msgspec.DecodeError, RecursionError):
        return None


class ReadOnlyProbes(Table):
    """Read access to traits and probes."""

    def __init__(self, db: Connection) -> None:
        super().__init__(db)
        self._notes, self._server = ReadOnlyNotes(db), ReadOnlyServers(db)

    def traits(self) -> LearntTraits | None:
        """Return the learnt traits of the server of this database; None if there are none."""
        row = self._server.find()
        if row is None or not row.learnt_version:
            return None
        return LearntTraits(row.machine, row.learnt_version, from_text(row.traits), row.learnt_at)

    def present_traits(self) -> ServerTraits:
        """Return the traits to work by: those that were learnt, or none."""
        row, working = self._server.find(), self._working()
        probed = self.traits() if row and row.learnt_version else None
        if not (probed or working):
            return UNKNOWN
        return present_traits(row.machine if row else "", row.version if row else "", probed, working)

    def _working(self) -> LearntTraits | None:
        """Return what was learnt during work; None if there is nothing."""
        try:
            machine, version, answers, at = json.loads(self._notes.text(WORKING))
            return LearntTraits(str(machine), str(version), from_text(str(answers)), int(at))
        except (ValueError, TypeError):
            return None

    def open_original(self) -> Original | None:
        """Return the item that a probe is changing, or has not restored, as it was before; None if there is none."""
        return decode(self._notes.text(PROBED), Original)

    def probe_asked(self) -> tuple[str, int] | None:
        """Return the item that the worker is asked to probe, and when it was asked (UTC ms); None if there is none."""
        key, _, at = self._notes.text(ASKED).partition(" ")
        return (key, int(at)) if key.isdecimal() and at.isdecimal() else None

    def probe_running(self) -> int | None:
        """Return when the probe was asked for that the worker runs, or was running when it ended; None if there is none."""
        return self._notes.number(RUNNING)

    def probe_result(self) -> ProbeOutcome | None:
        """Return the result of the last probe by the worker; None if there is none."""
        return decode(self._notes.text(RESULT), ProbeOutcome)


class Probes(ReadOnlyProbes):
    """Read and write access to traits and probes."""

    def save_traits(self, learnt: LearntTraits) -> bool:
        """Save the traits; False if this is not the server of this database.

        Answers of the same version that the new ones lack are kept.
        """
        servers, earlier = Servers(self._db), self.traits()
        row = servers.find()
        if row is None or row.machine != learnt.machine:
            return False
        joined = earlier.join(learnt) if earlier else learnt
        return servers.learn(to_text(joined.traits), learnt.version, now=learnt.learnt_at)

    def learn_working(self, answers: ServerTraits, *, now: int) -> None:
        """Save what was learnt during work, for the present server and version. Earlier answers of these are kept."""
        row = Servers(self._db).find()
        if row is None:
            return
        earlier, learnt = self._working(), LearntTraits(row.machine, row.version, answers, now)
        joined = earlier.join(learnt) if earlier else learnt
        text = json.dumps([joined.machine, joined.version, to_text(joined.traits), joined.learnt_at])
        Notes(self._db).save(WORKING, text)

    def begin_probe(self, original: Original) -> None:
        """Save an item as it is before a probe."""
        Notes(self._db).save(PROBED, msgspec.json.encode(original).decode())

    def end_probe(self) -> None:
        """Forget the item: it is restored."""
        Notes(self._db).save(PROBED, "")

    def ask_probe(self, key: str, *, now: int) -> None:
        """Ask the worker to probe this item; replaces an earlier request."""
        Notes(self._db).save(ASKED, f"{key} {now}")

    def run_probe(self, asked: int) -> None:
        """Save that the worker runs the probe that was asked for then."""
        Notes(self._db).save(RUNNING, str(asked))

    def withdraw_probe(self) -> None:
        """Withdraw the request: a worker that runs the probe ends it, and restores the item."""
        Notes(self._db).save(ASKED, "")

    def save_probe_result(self, outcome: ProbeOutcome) -> None:
        """Save the result of the probe that was asked for at `outcome.asked`, which ends it."""
        notes = Notes(self._db)
        notes.save(RESULT, msgspec.json.encode(outcome).decode())
        notes.save(RUNNING, "")
        request = self.probe_asked()
        if request and request[1] == outcome.asked:
            notes.save(ASKED, "")


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

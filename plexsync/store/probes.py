"""Probes: the traits that they have learnt, an item that one has not restored yet, and a request to the worker.

Some traits are learnt during ordinary work, too (`plexsync.rules.traits.WHILE_WORKING`); a probe is not needed for them.

A process that does not hold the worker's lock asks the worker for a probe, and finds the result here.
"""

import json
from typing import TypeVar

import msgspec

from plexsync.rules.scratch import Original, ProbeOutcome
from plexsync.rules.traits import UNKNOWN, LearntTraits, ServerTraits, from_text, present_traits, to_text
from plexsync.store.connection import Table
from plexsync.store.notes import Notes, ReadOnlyNotes
from plexsync.store.servers import ReadOnlyServers, Servers

PROBED = "probe:original"
ASKED = "probe:asked"
RUNNING = "probe:running"
RESULT = "probe:result"
# What was learnt during work: the server's identifier and version, the answers, and the time (JSON).
WORKING = "traits:working"

T = TypeVar("T")


def decoded(text: str, type_: type[T]) -> T | None:
    """Return a stored record; None for a text that is not one."""
    try:
        return msgspec.json.decode(text, type=type_)
    except (msgspec.DecodeError, RecursionError):
        return None


class ReadOnlyProbes(Table):
    """Read access to traits and probes."""

    def traits(self) -> LearntTraits | None:
        """Return the learnt traits of the server of this database; None if there are none."""
        row = ReadOnlyServers(self._db).find()
        if row is None or not row.learnt_version:
            return None
        return LearntTraits(row.machine, row.learnt_version, from_text(row.traits), row.learnt_at)

    def present_traits(self) -> ServerTraits:
        """Return the traits to work by: those that were learnt, or none."""
        row, probed, working = ReadOnlyServers(self._db).find(), self.traits(), self._working()
        if not (probed or working):
            return UNKNOWN
        return present_traits(row.machine if row else "", row.version if row else "", probed, working)

    def _working(self) -> LearntTraits | None:
        """Return what was learnt during work; None if there is nothing."""
        try:
            machine, version, answers, at = json.loads(ReadOnlyNotes(self._db).text(WORKING))
            return LearntTraits(str(machine), str(version), from_text(str(answers)), int(at))
        except (ValueError, TypeError):
            return None

    def probed(self) -> Original | None:
        """Return the item that a probe is changing, or has not restored, as it was before; None if there is none."""
        return decoded(ReadOnlyNotes(self._db).text(PROBED), Original)

    def probe_asked(self) -> tuple[str, int] | None:
        """Return the item that the worker is asked to probe, and when it was asked (UTC ms); None if there is none."""
        key, _, at = ReadOnlyNotes(self._db).text(ASKED).partition(" ")
        return (key, int(at)) if key.isdecimal() and at.isdecimal() else None

    def probe_running(self) -> int | None:
        """Return when the probe was asked for that the worker runs, or was running when it ended; None if there is none."""
        return ReadOnlyNotes(self._db).number(RUNNING)

    def probe_result(self) -> ProbeOutcome | None:
        """Return the result of the last probe by the worker; None if there is none."""
        return decoded(ReadOnlyNotes(self._db).text(RESULT), ProbeOutcome)


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
        joined = earlier.joined(learnt) if earlier else learnt
        return servers.learn(to_text(joined.traits), learnt.version, now=learnt.learnt_at)

    def learn_working(self, answers: ServerTraits, *, now: int) -> None:
        """Save what was learnt during work, for the present server and version. Earlier answers of these are kept."""
        row = Servers(self._db).find()
        if row is None:
            return
        earlier, learnt = self._working(), LearntTraits(row.machine, row.version, answers, now)
        joined = earlier.joined(learnt) if earlier else learnt
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

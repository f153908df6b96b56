"""Probes: the traits that they have learnt, an item that one has not restored yet, and a request to the worker.

A process that does not hold the worker's lock asks the worker for a probe, and finds the result here.
"""

from plexsync.rules.scratch import Original, original_from_text, original_to_text
from plexsync.rules.traits import UNKNOWN, LearntTraits, ServerTraits, from_text, to_text
from plexsync.store.connection import Table
from plexsync.store.notes import Notes, ReadOnlyNotes
from plexsync.store.servers import ReadOnlyServers, Servers

PROBED = "probe:original"
ASKED = "probe:asked"
RUNNING = "probe:running"
RESULT = "probe:result"
RESULT_OF = "probe:result of"


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
        learnt = self.traits()
        return learnt.traits if learnt else UNKNOWN

    def probed(self) -> Original | None:
        """Return the item that a probe is changing, or has not restored, as it was before; None if there is none."""
        text = ReadOnlyNotes(self._db).text(PROBED)
        return original_from_text(text) if text else None

    def probe_asked(self) -> tuple[str, int] | None:
        """Return the item that the worker is asked to probe, and when it was asked (UTC ms); None if there is none."""
        key, _, at = ReadOnlyNotes(self._db).text(ASKED).partition(" ")
        return (key, int(at)) if key.isdecimal() and at.isdecimal() else None

    def probe_running(self) -> int | None:
        """Return when the probe was asked for that the worker runs, or was running when it ended; None if there is none."""
        return ReadOnlyNotes(self._db).number(RUNNING)

    def probe_result(self) -> str:
        """Return the result of the last probe by the worker; '' if there is none."""
        return ReadOnlyNotes(self._db).text(RESULT)

    def probe_result_time(self) -> int | None:
        """Return when the probe with that result was asked for (UTC ms); None if there is none."""
        return ReadOnlyNotes(self._db).number(RESULT_OF)


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

    def save_observed(self, traits: ServerTraits, *, now: int) -> None:
        """Save what the work has shown of the server without a probe, beside what probes have learnt."""
        row, earlier = ReadOnlyServers(self._db).find(), self.traits()
        if row is not None:
            version, learnt_at = (earlier.version, earlier.learnt_at) if earlier else (row.version, now)
            self.save_traits(LearntTraits(row.machine, version, traits, learnt_at))

    def begin_probe(self, original: Original) -> None:
        """Save an item as it is before a probe."""
        Notes(self._db).save(PROBED, original_to_text(original))

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

    def save_probe_result(self, result: str, *, asked: int) -> None:
        """Save the result of the probe that was asked for then, which ends it."""
        notes = Notes(self._db)
        notes.save(RESULT, result)
        notes.save(RESULT_OF, str(asked))
        notes.save(RUNNING, "")
        request = self.probe_asked()
        if request and request[1] == asked:
            notes.save(ASKED, "")

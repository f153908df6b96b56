"""When a request whose end is unknown can no longer take effect, also after the clock has leapt forward.

An open request is saved with the wall-clock time until which it may take effect, since that outlives the process. If the
clock leaps past that time, the request can still arrive. So a leap counts only once the longest request has ended.
"""

from contextlib import suppress

from plexsync.engine.rules import WorkRules
from plexsync.rules.queue.note_keys import CLOCK_SEEN
from plexsync.rules.servers.neighbours import Clock
from plexsync.store.database import Database

# The wall clock may gain this much on the steady clock (milliseconds) without a leap: it is corrected all the time.
CORRECTION = 1000.0


def longest_request(rules: WorkRules) -> int:
    """How far ahead a request can take effect, in milliseconds: a batch's reading, and the request itself."""
    return rules.lease + 2 * rules.deadline


class Expiry:
    """Tells which open requests of a flow have ended. `longest`: see `longest_request`.

    It notices a leap between two calls of any method, so a flow calls one with every look, and one before it sends.
    """

    def __init__(self, clock: Clock, longest: int) -> None:
        self.longest = longest
        self._clock = clock
        self._offset = clock.now() - clock.monotonic() * 1000
        # (when it was noticed, the offset before it) of each leap that does not count yet, by the steady clock.
        self._leaps: list[tuple[float, float]] = []
        self._has_recalled = False

    def recall(self, store: Database) -> None:
        """Notice also a leap since an earlier process on this database has called this; each does at its start.

        The steady clock goes on from process to process. Where it does not, as after a restart of the machine, that is a
        leap too.
        """
        if self._has_recalled:
            return
        with store.reading() as db:
            seen = db.notes.text(CLOCK_SEEN)
        steady = self._clock.monotonic() * 1000
        with suppress(ValueError):
            self._offset, *leaps = map(float, seen.split())
            self._leaps = [leap for leap in zip(leaps[::2], leaps[1::2], strict=True) if leap[0] <= steady]
        self.notice()
        numbers = [self._offset, *(number for leap in self._leaps for number in leap)]
        with store.writing() as tx:
            tx.notes.save(CLOCK_SEEN, " ".join(f"{number:.0f}" for number in numbers))
        self._has_recalled = True

    def notice(self) -> float:
        """Notice a leap since the last call; returns the steady time in milliseconds."""
        steady = self._clock.monotonic() * 1000
        offset = self._clock.now() - steady
        if offset > self._offset + CORRECTION:
            self._leaps.append((steady, self._offset))
        self._leaps = [leap for leap in self._leaps if steady - leap[0] < self.longest]
        self._offset = offset
        return steady

    def certain_end(self) -> int:
        """The time (UTC ms) that has passed for certain: what may take effect until then has ended."""
        steady = self.notice()
        return round(steady + min([self._offset, *(before for _, before in self._leaps)]))

    def until(self, saved: int) -> int:
        """Until when (UTC ms) a request may take effect, whose saved time is `saved`; 0 stays 0."""
        if saved <= self.certain_end() or not self._leaps:
            return saved
        remaining = self._leaps[-1][0] + self.longest - self._clock.monotonic() * 1000
        return max(saved, self._clock.now() + round(remaining))

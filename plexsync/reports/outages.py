"""Server outages of the last days and their figures, for `plexsync outages` and its page."""

from collections.abc import Mapping, Sequence

from plexsync.app.stored import Stored
from plexsync.reports.format import parse_note, stamp
from plexsync.reports.shapes.outages import OutageFacts, OutageReport
from plexsync.reports.status import outage_facts
from plexsync.rules.queue.gate_names import GATES, GateName
from plexsync.rules.queue.job import DAY
from plexsync.rules.queue.note_keys import BEGUN
from plexsync.rules.queue.outages import Outage, OutageTotals, Transition, outages, summary, within
from plexsync.rules.record_class import record

MOST_DAYS = 3650


@record
class OutageHistory:
    """The time from `start` to `now`; `log` holds every known transition of a breaker or hold, oldest first.

    `waiting`: the scenes that wait for each gate now.
    """

    days: int
    start: int
    now: int
    found: Sequence[Outage]
    figures: OutageTotals
    waiting: Mapping[GateName, int]
    log: Sequence[Transition]

    @property
    def is_short(self) -> bool:
        """Whether PlexSync was installed within these days, so that they are shorter than they are called."""
        return self.now - self.start < self.days * DAY

    def facts(self) -> OutageReport:
        """For JSON."""
        figures = self.figures
        return {
            "at": stamp(self.now),
            "days": self.days,
            "outages": [self.facts_of(outage) for outage in self.found],
            "summary": {
                "since": stamp(figures.start),
                "interruptions": figures.interruptions,
                "down_seconds": figures.down / 1000,
                "mttr_seconds": None if figures.mttr is None else figures.mttr / 1000,
                "mtbf_seconds": None if figures.mtbf is None else figures.mtbf / 1000,
                "availability": figures.availability,
            },
        }

    def facts_of(self, outage: Outage) -> OutageFacts:
        """One of these outages, for JSON."""
        return outage_facts(outage, self.now, waiting=self.waiting[outage.server])


def report(parts: Stored, days: int) -> OutageHistory:
    """Report on the last `days`; the time before PlexSync was installed is left out."""
    now = parts.clock.now()
    with parts.store.reading() as db:
        log, begun = db.transitions.all(), parse_note(db.notes.text(BEGUN))
        waiting = {gate: db.jobs.count_waiting(gate) for gate in GATES}
    start = max(now - days * DAY, min(begun or 0, now))
    found = within(outages(log), start, now)
    return OutageHistory(days, start, now, found, summary(found, start=start, end=now), waiting, log)

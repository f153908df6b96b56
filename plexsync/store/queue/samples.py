"""Samples of the work: one row a minute, merged into one row an hour once they are old, and deleted later.

Two days of minutes and thirty days of hours are 3,600 rows, about 200 kB. They are for display: nothing depends on
them.
"""

from dataclasses import asdict, fields

from plexsync.rules.queue.job import DAY
from plexsync.rules.queue.samples import HOUR, MINUTE, Sample
from plexsync.store.connection import Table

# How long minutes are kept, and then hours.
MINUTES_KEPT = 2 * DAY
HOURS_KEPT = 30 * DAY

COUNTS = ("in_step", "waiting", "absent", "dead")
SUMS = ("done", "plex", "stash")
AWAY = ("plex_away", "stash_away", "minutes")
_NAMES = (*COUNTS, *SUMS, *AWAY)
_COLUMNS = ", ".join(("span", "at", *_NAMES))
_MOST = ", ".join(f"{name} = max(sample.{name}, excluded.{name})" for name in COUNTS)
_MORE = ", ".join(f"{name} = sample.{name} + excluded.{name}" for name in SUMS)

# On a conflict: after the clock was set back, the same minute is sampled again.
ADD = f"""
insert into sample ({_COLUMNS}) values (:span, :at, {", ".join(f":{name}" for name in _NAMES)})
on conflict (span, at) do update set
    {_MOST}, {_MORE}, {", ".join(f"{name} = max(sample.{name}, excluded.{name})" for name in AWAY)}
"""
LIST = f"select {_COLUMNS} from sample where span = :span and at >= :start and at <= :end order by at"
OLDEST = f"select at from sample where span = {MINUTE} and at < :before order by at limit 1"
THIN = f"""
insert into sample ({_COLUMNS})
select {HOUR}, :hour, {", ".join(f"max({name})" for name in COUNTS)}, {", ".join(f"sum({name})" for name in (*SUMS, *AWAY))}
  from sample where span = {MINUTE} and at >= :hour and at < :hour + {HOUR}
    on conflict (span, at) do update set
    {_MOST}, {_MORE}, {", ".join(f"{name} = sample.{name} + excluded.{name}" for name in AWAY)}
"""
DROP_MINUTES = f"delete from sample where span = {MINUTE} and at >= :hour and at < :hour + {HOUR}"
# A row dated in the future, from before the clock was set back, would never be old enough to prune.
PRUNE = f"""
delete from sample where (span, at) in (
    select span, at from sample
     where span = {HOUR} and at < :before or span in ({MINUTE}, {HOUR}) and at > :now + {HOUR} limit :limit
)
"""


class ReadOnlySamples(Table):
    """Read access to the samples."""

    def between(self, start: int, end: int) -> list[Sample]:
        """Return the samples that begin from `start` to `end`: hours, then minutes, by time."""
        names = [field.name for field in fields(Sample)]
        rows = [
            row for span in (HOUR, MINUTE) for row in self._db.rows(LIST, {"span": span, "start": start, "end": end})
        ]
        return [Sample(**{name: row[name] for name in names}) for row in rows]


class Samples(ReadOnlySamples):
    """Read and write access to the samples."""

    def add(self, sample: Sample) -> None:
        """Save the sample of a minute."""
        self._db.execute(ADD, asdict(sample))

    def prune(self, *, now: int, limit: int) -> int:
        """Merge the oldest hour of old minutes, or delete up to `limit` old hours; returns how many rows that removed.

        Call it until it returns 0, and only while the clock can be trusted: minutes that seem old are gone afterwards,
        and rows dated in the future are deleted.
        """
        oldest = self._db.row(OLDEST, {"before": now - MINUTES_KEPT})
        if oldest is not None:
            hour = {"hour": oldest[0] - oldest[0] % HOUR}
            self._db.execute(THIN, hour)
            return self._db.execute(DROP_MINUTES, hour)
        return self._db.execute(PRUNE, {"before": now - HOURS_KEPT, "now": now, "limit": limit})

"""When to notify you: which conditions need you now, and which of them are news.

A `Condition` is something that PlexSync cannot fix by itself, with a key that stays the same while it lasts. It is
announced once, again after a day at the earliest, and once more when it is over. The caller keeps the record of what
was announced. Times are UTC milliseconds; every sentence is one line without secrets.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime

from plexsync.rules.record_class import record

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
# A key is announced at most once in this time.
AGAIN = DAY
# A condition is over if it has been absent for this long.
CALM = MINUTE


@record
class NoticeRules:
    """When to send notices. `after` (ms): how long PlexSync waits for an outage or a fault to pass by itself.

    `growth`: a notice is due if there are more new dead letters than this since the last quiet state.
    """

    after: int = 10 * MINUTE
    growth: int = 10


@record
class Pause:
    """The worker has been paused since then because of its own disk or database; `full`: no space is left."""

    since: int
    message: str
    full: bool


@record
class Condition:
    """A condition that needs you now. `over` is the sentence for its end, '' for an event that has no end.

    `size` grows as the condition gets worse. A condition with a size is announced again only if it has grown.
    """

    key: str
    since: int
    text: str
    over: str = ""
    size: int = 0


@record
class Situation:
    """The present state, as far as it may need you: what is open, and the dead rows.

    `dead` is None if it is unknown. `died` and `pruned` count all rows that ever died, and those deleted because of
    their age.
    """

    open: tuple[Condition, ...] = ()
    dead: int | None = None
    died: int = 0
    pruned: int = 0


@record
class Told:
    """The record of a condition that was announced at `at`; `gone` is the time since when it has been absent."""

    since: int
    at: int
    over: str = ""
    size: int = 0
    gone: int | None = None
    cleared: bool = False


@record
class Notice:
    """One notice: a condition, or (`over`) its end."""

    key: str
    since: int
    text: str
    over: bool = False


@record
class NoticeRecord:
    """All announced conditions by key, and `base`: the number of dead letters in the last quiet state (None: unknown).

    `died` and `pruned` are the counts at the last look. `away` is the number pruned since then because of their age; a
    comparison may find those scenes again.
    """

    announced: Mapping[str, Told]
    base: int | None = None
    died: int | None = None
    pruned: int | None = None
    away: int = 0


EMPTY = NoticeRecord({})


class NotSent(Exception):
    """A notice could not be sent. The message is one line without secrets."""


# --- conditions that need you ----------------------------------------------------------------------------------------


def conditions(inspection: Situation, rules: NoticeRules, base: int | None, now: int) -> list[Condition]:
    """Everything that needs you at this moment: what is open, and dead letters that have grown in number."""
    dead = inspection.dead
    if dead is None or dead - (dead if base is None else base) <= rules.growth:
        return list(inspection.open)
    text = f"{dead - (base or 0):,} more dead letters, {dead:,} in all: plexsync dlq list shows why and what cures it."
    return [*inspection.open, Condition("dead", now, text, "Few dead letters are left.", dead)]


def moment(at: int) -> str:
    """A moment for display: `2026-03-04 05:06 UTC`; the start of 1970 for a time outside the calendar."""
    try:
        return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")
    except (OverflowError, OSError, ValueError):
        return "1970-01-01 00:00 UTC"


def span(length: int) -> str:
    """A length of time for display, in one unit: `3 min`, `2 h`, `5 d`."""
    for unit, name in ((DAY, "d"), (HOUR, "h"), (MINUTE, "min")):
        if length >= unit:
            return f"{length / unit:.0f} {name}"
    return "less than a minute"


# --- news ------------------------------------------------------------------------------------------------------------


def look(
    record: NoticeRecord, inspection: Situation, rules: NoticeRules, now: int
) -> tuple[list[Notice], NoticeRecord]:
    """The notices to send now, and the record for the time after they are sent."""
    record = _lower_dead_count(record, inspection)
    current = {entry.key: entry for entry in conditions(inspection, rules, record.base, now)}
    notices: list[Notice] = []
    entries: dict[str, Told] = {}
    for key, entry in record.announced.items():
        before = _limit_dates(entry, now)
        if key in current:
            entries[key] = before
        elif absence := _note_absence(key, before, inspection, notices, now):
            entries[key] = absence
    for key, condition in current.items():
        told_before = entries.get(key)
        if told_before is None or _is_news(condition, told_before, now):
            notices.append(Notice(key, condition.since, condition.text))
            entries[key] = Told(condition.since, now, condition.over, condition.size)
        elif not told_before.cleared:
            entries[key] = replace(told_before, gone=None)
    return notices, replace(record, announced=entries)


def _limit_dates(entry: Told, now: int) -> Told:
    """The record with no time in the future: after the clock was set back, such times count as now."""
    return replace(entry, at=min(entry.at, now), gone=None if entry.gone is None else min(entry.gone, now))


def _lower_dead_count(record: NoticeRecord, inspection: Situation) -> NoticeRecord:
    """The record with the smallest number of dead rows so far; more than that is growth.

    A row pruned because of its age was not cured. It is no news when a comparison finds it again, so the base rises by
    the number of pruned rows, and falls no further than that.
    """
    if inspection.dead is None:
        return record
    pruned = _more(record.pruned, inspection.pruned)
    away = max(0, record.away + pruned - _more(record.died, inspection.died))
    base = inspection.dead if record.base is None else min(record.base + pruned, inspection.dead + away)
    return NoticeRecord(record.announced, base, inspection.died, inspection.pruned, away)


def _more(before: int | None, now: int) -> int:
    """The growth of a count since the last look; 0 if there was none."""
    return 0 if before is None else max(0, now - before)


def _is_news(condition: Condition, entry: Told, now: int) -> bool:
    """Whether to announce a condition again: not within a day, and with a size only if it has grown."""
    return (
        now - entry.at >= AGAIN
        and bool(condition.over)
        and (entry.cleared or not entry.size or condition.size > entry.size)
    )


def _note_absence(key: str, entry: Told, inspection: Situation, notices: list[Notice], now: int) -> Told | None:
    """The record of an announced condition that is absent now. Adds a notice of its end after `CALM`."""
    if inspection.dead is None:
        # The database is unreadable, so the end of a condition is unknown.
        return entry
    gone = now if entry.gone is None else entry.gone
    cleared = entry.cleared or not entry.over
    if not cleared and now - gone >= CALM:
        notices.append(Notice(key, entry.since, f"{entry.over} It lasted {span(gone - entry.since)}.", over=True))
        cleared = True
    if cleared and now - entry.at >= AGAIN:
        return None
    return replace(entry, gone=gone, cleared=cleared)


# --- the record as text ----------------------------------------------------------------------------------------------


def format_record(record: NoticeRecord) -> str:
    """The record as text, for storage."""
    entries = {key: asdict(entry) for key, entry in record.announced.items()}
    counts = {name: value for name, value in vars(record).items() if name != "announced"}
    return json.dumps({**counts, "told": entries}, separators=(",", ":"), sort_keys=True)


def read(text: str) -> NoticeRecord:
    """The record from its text; an empty one for any other text, so that at worst a notice is sent twice."""
    try:
        document = json.loads(text)
        entries = {str(key): Told(**entry) for key, entry in document["told"].items()}
        counts = {name: document[name] for name in ("died", "pruned", "away") if name in document}
        record = NoticeRecord(entries, document["base"], **counts)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return EMPTY
    return record if _is_sound(record) else EMPTY


def _is_sound(record: NoticeRecord) -> bool:
    counts = (record.base, record.died, record.pruned)
    return (
        type(record.away) is int
        and all(count is None or type(count) is int for count in counts)
        and all(
            {type(entry.since), type(entry.at), type(entry.size)} == {int}
            and type(entry.over) is str
            and (entry.gone is None or type(entry.gone) is int)
            and type(entry.cleared) is bool
            for entry in record.announced.values()
        )
    )

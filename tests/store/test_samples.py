"""Samples of how the work went: minutes become hours, hours are forgotten, and nothing that counts is lost on the way."""

from plexsync.rules.queue.job import DAY
from plexsync.rules.queue.samples import HOUR, MINUTE, Sample
from plexsync.store.database import Database

# The beginning of an hour.
T = 1_700_000_000_000 - 1_700_000_000_000 % HOUR
ALL = 2**60


def add(store: Database, *samples: Sample) -> None:
    with store.writing() as tx:
        for sample in samples:
            tx.samples.add(sample)


def kept(store: Database) -> list[Sample]:
    with store.reading() as db:
        return db.samples.between(0, ALL)


def prune(store: Database, now: int) -> None:
    """As housekeeping does: until there is nothing left to do."""
    while True:
        with store.writing() as tx:
            if not tx.samples.prune(now=now, limit=1):
                return


def minute(number: int, **counts: int) -> Sample:
    return Sample(T + number * MINUTE, **counts)


def test_a_sample_is_read_as_it_was_written(store):
    sample = Sample(T, MINUTE, 9, 8, 7, 6, 5, 4, 3, 1, 0)
    add(store, sample)
    assert kept(store) == [sample]
    with store.reading() as db:
        assert db.samples.between(T + 1, ALL) == []
        assert db.samples.between(0, T - 1) == []


def test_a_minute_that_is_told_of_twice_counts_what_was_done_twice_and_what_was_there_once(store):
    add(store, minute(0, waiting=5, done=2, plex=10, plex_away=1), minute(0, waiting=3, done=1, plex=4))
    assert kept(store) == [minute(0, waiting=5, done=3, plex=14, plex_away=1)]


def test_minutes_become_an_hour_after_two_days_and_not_before(store):
    add(store, minute(0, waiting=1, done=1, stash_away=1), minute(59, waiting=7, dead=2, done=3), minute(60, done=9))
    prune(store, T + 2 * DAY)
    assert len(kept(store)) == 3
    prune(store, T + 2 * DAY + 1)
    hour = Sample(T, HOUR, waiting=7, dead=2, done=4, stash_away=1, minutes=2)
    assert kept(store) == [hour, minute(60, done=9)]


def test_minutes_that_come_late_are_added_to_their_hour(store):
    add(store, minute(3, waiting=4, done=1))
    prune(store, T + 3 * DAY)
    add(store, minute(7, waiting=2, done=1, plex_away=1))
    prune(store, T + 3 * DAY)
    assert kept(store) == [Sample(T, HOUR, waiting=4, done=2, plex_away=1, minutes=2)]


def test_hours_are_forgotten_after_thirty_days(store):
    add(store, minute(0, done=1), minute(60, done=2))
    prune(store, T + 30 * DAY)
    assert [sample.done for sample in kept(store)] == [1, 2]
    prune(store, T + 30 * DAY + 1)
    assert [sample.done for sample in kept(store)] == [2]


def test_a_month_of_minutes_is_a_small_table(store):
    days = 40
    with store.writing() as tx:
        for number in range(0, days * 24 * 60, 5):
            tx.samples.add(minute(number, done=1))
    prune(store, T + days * DAY)
    found = kept(store)
    assert sum(sample.span == HOUR for sample in found) == 28 * 24
    assert sum(sample.span == MINUTE for sample in found) == 2 * 24 * 12
    assert sum(sample.done for sample in found) == 30 * 24 * 12


def test_what_is_dated_in_a_future_that_the_clock_has_left_goes_and_the_rest_stays(store):
    add(store, minute(0, done=1), Sample(T + 400 * DAY, done=2), Sample(T + 401 * DAY, HOUR, done=3))
    prune(store, T + HOUR)
    assert [sample.done for sample in kept(store)] == [1]


def test_each_call_deletes_little(store):
    add(store, *(minute(60 * hour + at) for hour in range(3) for at in range(60)))
    with store.writing() as tx:
        assert [tx.samples.prune(now=T + 9 * DAY, limit=1) for _ in range(4)] == [60, 60, 60, 0]

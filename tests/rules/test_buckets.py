"""Samples put together into the points of a chart."""

from hypothesis import given, strategies as st

from plexsync.rules.queue.samples import HOUR, MINUTE, Bucket, Sample, buckets

T = 1_700_000_000_000 - 1_700_000_000_000 % HOUR


def test_times_without_a_worker_are_empty_and_the_others_are_taken_together():
    samples = [
        Sample(T, waiting=3, done=10, plex=4),
        Sample(T + MINUTE, waiting=5, done=20, plex_away=1),
        Sample(T + 7 * MINUTE, waiting=1),
    ]
    first, second, third = buckets(samples, start=T, end=T + 12 * MINUTE, width=5 * MINUTE)
    assert first.sample == Sample(T, 2 * MINUTE, waiting=5, done=30, plex=4, plex_away=1, minutes=2)
    assert second.sample == samples[2]
    assert third == Bucket(T + 10 * MINUTE, 5 * MINUTE)


def test_a_rate_is_of_the_minutes_in_which_a_worker_ran():
    (hour,) = buckets([Sample(T, HOUR, done=30, minutes=10)], start=T, end=T, width=HOUR)
    assert hour.rate("done") == 3.0
    assert Bucket(T, HOUR).rate("done") is None


def test_minutes_and_hours_of_the_same_time_stand_beside_each_other():
    (hour,) = buckets(
        [Sample(T, HOUR, done=30, minutes=20), Sample(T + MINUTE, done=12)], start=T, end=T + HOUR - 1, width=HOUR
    )
    assert (hour.sample.done, hour.sample.minutes) == (42, 21)


moments = st.integers(T - 3 * HOUR, T + 30 * HOUR)


@given(st.lists(st.builds(Sample, moments, done=st.integers(0, 9)), max_size=40))
def test_nothing_within_the_time_is_lost_and_nothing_outside_of_it_counts(samples):
    """Whatever the clock did: samples come in any order, twice, early and late."""
    end = T + 24 * HOUR
    found = buckets(samples, start=T, end=end, width=HOUR)
    assert [bucket.at for bucket in found] == list(range(T, end + 1, HOUR))
    total = sum(bucket.sample.done for bucket in found if bucket.sample)
    assert total == sum(sample.done for sample in samples if T <= sample.at <= end)

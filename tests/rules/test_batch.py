from hypothesis import given, strategies as st

from plexsync.rules.queue.job import LEAST, SECONDS, next_size

sizes = st.integers(1, 200)


def test_a_batch_that_was_quick_is_followed_by_a_larger_one_up_to_the_most():
    assert next_size(50, done=50, seconds=0.2, most=100) == 100
    assert next_size(100, done=100, seconds=0.2, most=100) == 100


def test_a_batch_that_took_too_long_is_followed_by_a_smaller_one_and_never_by_a_tiny_one():
    assert next_size(100, done=100, seconds=2.0, most=100) == 85
    assert next_size(100, done=100, seconds=60.0, most=100) == 50
    assert next_size(12, done=12, seconds=60.0, most=100) == LEAST


def test_a_batch_that_was_not_full_tells_nothing():
    assert next_size(50, done=3, seconds=30.0, most=100) == 50


def test_there_may_be_fewer_at_most_than_at_least():
    assert next_size(3, done=3, seconds=9.0, most=3) == 3


@given(size=sizes, rate=st.floats(1, 10_000), most=sizes)
def test_batches_of_a_steady_rate_come_to_last_as_long_as_they_shall_or_meet_a_bound(size, rate, most):
    for _ in range(20):
        size = next_size(size, done=size, seconds=size / rate, most=most)
    assert size == min(most, LEAST) or size == most or abs(size - rate * SECONDS) <= 1

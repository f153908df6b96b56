"""The size of a batch: as many jobs as take less than two seconds, the longest that an edit by hand may have to wait."""

SECONDS = 1.7
START = 50
LEAST = 10


def next_size(size: int, *, done: int, seconds: float, most: int) -> int:
    """The next batch size, after a batch of `size` jobs that took `seconds` for `done` of them.

    A batch that was not full is no measure. The size at most doubles or halves, and stays between `LEAST` and `most`.
    """
    if done < size:
        return min(size, most)
    fits = done * SECONDS / seconds if seconds > 0 else 2 * size
    return min(most, max(LEAST, round(min(2 * size, max(size / 2, fits)))))

"""How many jobs a batch holds: as many as are done in less than two seconds, which an edit by hand may have to wait."""

SECONDS = 1.7
START = 50
LEAST = 10


def next_size(size: int, *, done: int, seconds: float, most: int) -> int:
    """The size of the batch after one of `size` jobs that took `seconds` for `done` of them.

    One that was not full tells nothing. It at most doubles or halves, and stays from `LEAST` to `most`.
    """
    if done < size:
        return min(size, most)
    fits = done * SECONDS / seconds if seconds > 0 else 2 * size
    return min(most, max(LEAST, round(min(2 * size, max(size / 2, fits)))))

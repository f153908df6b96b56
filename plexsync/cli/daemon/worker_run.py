"""Records how the worker of `serve` ends: in good order, by a fault, or killed, which the next one finds out."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from plexsync.cli.call import Call
from plexsync.cli.daemon.signals import Stop
from plexsync.cli.faults import lines_of
from plexsync.store import worker_ends


@contextmanager
def recorded(folder: Path, call: Call, stop: Stop) -> Iterator[None]:
    """Record the end of the block. The caller holds the worker's lock, and has the database closed before and after."""
    place = str(folder)
    if cause := worker_ends.set_mark(place):
        worker_ends.note_end(place, cause)
    # A process that is asked to end may end at any instant from then on, and is not killed.
    stop.leaving = lambda: worker_ends.remove_mark(place)
    try:
        yield
    except Exception as error:  # the edge of a worker's life: whatever ended it is recorded, and goes on as it was
        if not stop:
            worker_ends.note_end(place, lines_of(error, call)[0])
        raise
    else:
        worker_ends.note_good_end(place)
    finally:
        worker_ends.remove_mark(place)

"""How a process that stands by takes the worker's lock, as often as it is lost."""

from types import SimpleNamespace

from plexsync.cli.daemon.signals import Stop
from plexsync.cli.daemon.standby import Standby
from plexsync.rules.queue.machine import Machine
from plexsync.rules.records import WorkerRow

HERE = Machine("here", 1, "1.0", "i1", {})


def row(number: int, host: str = "here") -> WorkerRow:
    """The row of a worker that did not say how it ended."""
    return WorkerRow(number, host, 1, "1.0", 0, 0, None, "i1" if host == "here" else "i2", {})


def test_a_process_that_gets_back_a_lock_that_it_lost_with_its_connection_counts_no_end() -> None:
    locks = [SimpleNamespace(number=number, last=last) for number, last in ((4, row(3)), (5, row(4)), (7, row(6, "b")))]
    standby = Standby(SimpleNamespace(stop=Stop(0)), takes_over=False)
    taken = [standby._try(SimpleNamespace(try_worker=lambda *_, lock=lock: lock), HERE) for lock in locks]
    # The first one was killed, in whatever way; the second is this process itself; the third worked on another machine.
    assert [lock.last.ended for lock in taken] == [None, "", None]

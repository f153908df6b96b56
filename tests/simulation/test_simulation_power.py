"""A test of the test: lives that have only their hooks notice an event that is lost, whichever way it goes.

Each fault is one that the promises forbid (docs/reliability.md, P1, P3 and P7), put into place by patching one function in
the process of the life. What is found has to be called lost, and the same lives without a fault have to end well.
"""

import itertools
from collections.abc import Callable

import pytest

from plexsync.engine import settlement
from plexsync.rules.queue.job import Dead, Done, Later, Settled, Waiting, settle
from plexsync.store import intake
from plexsync.store.connection import Connection
from plexsync.store.queue import jobs
from tests.simulation.sim_run import run_seeds

LIVES = 20
STEPS = 120
# How many of them are lived without a fault.
SOUND = 6

spooled, want = intake.list_spooled, intake.want
count = itertools.count()


def lost_from_the_spool(*args, **more):
    events = spooled(*args, **more)
    intake.unspool([path for path, *_ in events])
    return []


def found(db, sql, values):
    """A row, by the store's connection or by a hook's own."""
    return db.row(sql, values) if isinstance(db, Connection) else db.execute(sql, values).fetchone()


def lost_where(lost: Callable[[str], bool]) -> Callable[..., None]:
    """A want that forgets what is wanted of a row in such a state."""

    def want_it(db, kind, id, why, now, desired="", **more):
        row = found(db, "select state from job where kind = ? and id = ?", (kind, id))
        if not lost(row[0] if row else ""):
            want(db, kind, id, why, now, desired, **more)

    return want_it


# A statement that settles as if a wish could be renewed only while its attempt goes well.
SETTLED_UNLESS_DONE = jobs.SETTLE.replace("wanted_rev > claimed_rev", "wanted_rev > claimed_rev and :state = 'idle'")


def taken_for_done(*outcomes: type) -> Callable[..., Settled]:
    """A settling that takes one of these outcomes for a good end."""

    def settle_it(job, outcome, **more):
        return settle(job, Done() if isinstance(outcome, outcomes) else outcome, **more)

    return settle_it


FAULTS = {
    "every file of the spool is thrown away": (intake, "list_spooled", lost_from_the_spool),
    "what is wanted of a row in work is lost": (intake, "want", lost_where(lambda state: state == "running")),
    "what is wanted of an absent row is lost": (intake, "want", lost_where(lambda state: state == "absent")),
    "what is wanted of a dead row is lost": (intake, "want", lost_where(lambda state: state == "dead")),
    "a wish renewed meanwhile counts only for what is done": (jobs, "SETTLE", SETTLED_UNLESS_DONE),
    "a third of what is wanted is lost": (intake, "want", lost_where(lambda _: next(count) % 3 == 0)),
    "what has failed is taken for done": (settlement, "settle", taken_for_done(Waiting, Later)),
    "what is dead is taken for done": (settlement, "settle", taken_for_done(Dead)),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_lost_event_is_found(fault, monkeypatch):
    where, name, broken = fault
    monkeypatch.setattr(where, name, broken)
    assert run_seeds(1, LIVES, STEPS, hooks_alone=True, until_lost=True).lost


def test_without_a_fault_the_same_lives_end_well():
    report = run_seeds(1, SOUND, STEPS, hooks_alone=True)
    assert not report.failures, "\n\n".join(map(str, report.failures[:2]))
    assert report.tally["spooled"] > SOUND
    assert report.tally["judged by hooks"] > SOUND

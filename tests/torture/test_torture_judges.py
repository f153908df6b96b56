"""The judges of the torture: what is lost is found, and what was done is not called lost."""

from plexsync.rules.queue.job import UNKNOWN, Settled, State
from plexsync.store import intake
from plexsync.store.queue.jobs import AttemptEnding
from tests.store_places import SqlitePlace
from tests.torture.full_disk import lost_events

NOW = 1_700_000_000_000
WORKED, WAITING, LEFT_AS_FILE, LOST = 1_000_001, 1_000_002, 1_000_003, 1_000_004


def test_an_event_of_a_hook_is_lost_if_it_is_in_no_row_and_no_file_and_was_not_worked(tmp_path):
    folder = tmp_path / "data"
    store = SqlitePlace(folder).open(worker=True)
    for id in (WORKED, WAITING):
        assert not intake.store(str(folder), "scene", id)
    intake.spool(str(folder), b'{"kind": "scene", "id": %d, "why": "edit"}' % LEFT_AS_FILE, ".json")
    acked = {WORKED, WAITING, LEFT_AS_FILE, LOST}
    assert lost_events(folder, acked, set()) == {LOST}, "nothing was worked"

    with store.writing() as tx:
        (job, *_) = tx.jobs.claim(1, now=NOW * 2, lease_ms=1000, holder="test")
        assert job.id == WORKED
        tx.jobs.settle([AttemptEnding(job, Settled(State.GONE, 0, 0, 0, 0, cls=UNKNOWN), 0, 0)], now=NOW * 2)
    store.close()

    assert lost_events(folder, acked, {WORKED}) == {LOST}, "Stash was asked for one, which has left the queue"
    assert lost_events(folder, acked, set()) == {WORKED, LOST}, "Stash was asked for none"
    assert lost_events(folder, acked, {WORKED, LOST}) == {WORKED, LOST}, "more are gone than have left the queue"

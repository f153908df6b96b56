"""What a batch costs the database does not grow with what it holds: counted in steps of its virtual machine."""

import pytest

from plexsync.rules.item import Entry, Part
from plexsync.rules.merge.plan_records import Pushing, Remembered, Sending
from plexsync.rules.merge.values import Held
from plexsync.store.database import Database

T = 1_700_000_000_000
MEMORY = {"title": Remembered("Title", Held("Title", True), Held("", False))}
PUSHING = Pushing({"title": Sending("Title", Held("Title", True), Held("", False), Held("", False))}, T)
# The number of memories before the batch, and the size of a batch.
FEW, MANY, BATCH = 100, 3_000, 20
# Steps between two calls of the handler that counts.
EVERY = 10


def filled(folder, count):
    store = Database(folder / f"{count}.db", worker=True)
    with store.writing() as tx:
        tx.index.save([Entry(str(id), "1", (Part(f"/media/{id}.mp4", 5),)) for id in range(count)], walk=1)
        tx.memories.save_all([(id, str(id), MEMORY) for id in range(count)], now=T)
        for id in range(BATCH):
            tx.pushings.add(id, str(id), PUSHING)
    return store


def steps(connection, work):
    calls = []

    def counted():
        calls.append(None)

    connection.driver.set_progress_handler(counted, EVERY)
    try:
        work()
    finally:
        connection.driver.set_progress_handler(None, 0)
    return EVERY * len(calls)


def costs(folder, count):
    """The steps of what a batch reads and writes, by name, in a database with so many memories."""
    store = filled(folder, count)
    keys = [str(id) for id in range(BATCH)]
    try:
        with store.writing() as tx:
            db = tx.memories._db
            memories = [(id, str(id), MEMORY) for id in range(BATCH)]
            return {
                "saved": steps(db, lambda: tx.memories.save_all(memories, now=T)),
                "owners": steps(db, lambda: tx.memories.owners(keys)),
                "pushers": steps(db, lambda: tx.memories.pushers(keys)),
                "healthy": steps(db, lambda: tx.memories.healthy_locks(BATCH)),
                "loaded": steps(db, lambda: tx.memories.of(range(BATCH))),
            }
    finally:
        store.close()


@pytest.mark.sqlite_only
def test_a_batch_costs_the_same_steps_however_many_scenes_are_remembered(tmp_path):
    few, many = costs(tmp_path, FEW), costs(tmp_path, MANY)
    assert min(few.values()) > 0
    assert {name: many[name] for name in many if many[name] > 2 * few[name]} == {}

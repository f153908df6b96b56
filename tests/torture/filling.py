"""What a database holds after a while: scenes in the states that a worker leaves, with memories, pushes and notes."""

import json

from plexsync.rules.item import Entry, Part
from plexsync.rules.merge.plan_records import Pushing, Remembered, Sending
from plexsync.rules.merge.values import Held
from plexsync.rules.queue.job import Kind, Settled, State, Why
from plexsync.rules.queue.note_keys import LAST_RECONCILE
from plexsync.store.database import Database
from plexsync.store.queue.jobs import AttemptEnding

NOW = 1_768_471_200_000
DAY = 86_400_000
# The notes that hold a number, besides those of comparisons.
NUMBERS = ("tick", "leapt", "dlq:warned", "reconcile:run", "poll:last", "worker:beat", "pruned:upto", "begun")


def fill_half(store: Database, start: int, count: int) -> None:
    ids = range(start, start + count)
    with store.writing() as tx:
        for id in ids:
            tx.jobs.want(Kind.SCENE, id, Why.EDIT if id % 3 else Why.SWEEP, NOW)
    with store.writing() as tx:
        for job in tx.jobs.claim(count // 2, now=NOW + 1000, lease_ms=60_000, holder="one"):
            if job.id % 5 == 0:
                after = Settled(State.DEAD, 6, 6, 0, NOW + 2000, "Plex answered 400", "refused", "abc")
            elif job.id % 5 == 1:
                after = Settled(State.ABSENT, 0, 1, 0, NOW + 60_000, "not there", "absent")
            elif job.id % 5 < 4:
                after = Settled(State.IDLE, 0, 0, 0, NOW + 2000)
            else:
                continue
            tx.jobs.settle([AttemptEnding(job, after, 1, 1)], now=NOW + 2000)
            tx.memories.save(job.id, str(job.id), memory_of(job.id), now=NOW)
            tx.pushings.add(job.id, str(job.id), pushing_of(job.id))
        tx.index.save((Entry(str(id), "1", (Part(f"/media/{id}.mp4", 1000 + id),)) for id in ids), walk=1)
        tx.notes.save("salt", "grain")
        for name in NUMBERS:
            tx.notes.save(name, str(NOW))
        for kind in Kind:
            tx.notes.save(f"poll:{kind}", json.dumps({"count": 0, "updated_at": "", "last": 0}))
        tx.notes.save("poll:files", json.dumps({"count": 0, "updated_at": "", "sure": True}))
        tx.notes.save(LAST_RECONCILE, str(NOW))


def memory_of(id: int) -> dict[str, Remembered]:
    value = Held(f"Title {id}", locked=True)
    return {"title": Remembered(value.value, value, Held("", locked=False))}


def pushing_of(id: int) -> Pushing:
    sent, found = Held(f"Newer {id}", locked=True), Held(f"Title {id}", locked=True)
    return Pushing({"title": Sending(sent.value, sent, Held("", locked=False), found)}, NOW + DAY)

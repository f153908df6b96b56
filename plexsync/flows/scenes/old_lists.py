"""Locked lists that look as an earlier PlexSync left them, of items of which this database remembered nothing.

They are noted until the first full comparison has ended. Then you are asked once whether they are PlexSync's own.
"""

import json
from collections.abc import Sequence

from plexsync.flows.scenes.inspection_records import Inspection
from plexsync.flows.scenes.recovery import Recovery
from plexsync.rules.job import Kind, Why
from plexsync.rules.list_members import owned_list
from plexsync.rules.memory import undone
from plexsync.rules.neighbours import Clock
from plexsync.rules.note_keys import LAST_RECONCILE, OLD_LISTS
from plexsync.store.database import Database, Reader, Writer

PAGE = 200


def note_old_lists(tx: Writer, sights: Sequence[Inspection]) -> None:
    """Note the lists of these inspections that look so, before the first full comparison and your answer."""
    marks = {
        target.item.key: json.dumps({"scene": sight.id, "lists": target.old_lists})
        for sight in sights
        for target in sight.targets
        if target.old_lists
    }
    if marks and not tx.notes.text(OLD_LISTS) and Recovery.is_unproven(tx):
        tx.notes.mark_old_lists(marks)


def are_asked(db: Reader) -> bool:
    """Whether you are asked about such lists: there are some, and a full comparison has seen every item."""
    return bool(db.notes.text(LAST_RECONCILE) and db.notes.old_lists(limit=1))


def answer_old_lists(store: Database, clock: Clock, *, take: bool) -> int:
    """Make these lists PlexSync's own, or leave them as yours; returns the number of items. It is not asked again.

    After a kill some items are decided about, and the others are asked about again.
    """
    count = 0
    while True:
        with store.writing() as tx:
            marks, now = tx.notes.old_lists(limit=PAGE), clock.now()
            if not marks:
                tx.notes.save(OLD_LISTS, str(now))
                return count
            for key, text in marks.items() if take else ():
                _take(tx, key, json.loads(text), now)
            tx.notes.end_old_lists(marks)
        count += len(marks)


def _take(tx: Writer, key: str, mark: dict[str, object], now: int) -> None:
    """Remember the lists of an item as written by PlexSync, and queue its scenes: names that Stash has dropped since go."""
    for id in tx.memories.owners([key]).get(key, {}) or [int(str(mark["scene"]))]:
        memory = tx.memories.of([id]).get((id, key), {})
        lists = mark["lists"]
        if undone(memory) or not isinstance(lists, dict):
            continue
        fresh = {**memory, **{name: owned_list(members, memory.get(name)) for name, members in lists.items()}}
        tx.memories.rewrite(id, key, fresh) if memory else tx.memories.save(id, key, fresh, now=now)
        # An attempt that was planned without it would forget it.
        tx.jobs.wrest(Kind.SCENE, id, now=now)
        tx.jobs.want(Kind.SCENE, id, Why.SWEEP, now)

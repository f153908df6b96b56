"""Your decisions about collections: to hand one over, and what becomes of the parts that you edited in Plex.

As for items (`plexsync.flows.scenes.drift`), a decision about a part is saved only if nothing else was learnt about the
collection meanwhile, and a running attempt loses the collection, since it was planned without it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from plexsync.engine.undo import CROWD
from plexsync.flows.collections.records import EDITED, IN_STEP, CollectionFinding
from plexsync.flows.scenes.drift import Decisions, DriftAnswer, DriftFilter, with_answer
from plexsync.rules.drift import kept_fields
from plexsync.rules.job import COLLECTION, Why
from plexsync.rules.neighbours import Clock
from plexsync.store.database import Database, Reader, Writer


def hand_over(store: Database, clock: Clock, ids: Sequence[int]) -> list[int]:
    """Hand these collections over to PlexSync, and queue them; returns those that were not its own before.

    One that was not found in Plex yet can't be handed over. A smart collection stays as it is all the same.
    """
    handed = []
    with store.writing() as tx:
        for id, row in tx.collections.of(ids).items():
            if row.item and row.owner not in ("ours", "handed"):
                tx.collections.save(replace(row, owner="handed"))
                tx.jobs.wrest(COLLECTION, id, now=clock.now())
                tx.jobs.want(COLLECTION, id, Why.USER, clock.now(), behind=len(ids) > CROWD)
                handed.append(id)
    return handed


class CollectionDecisions(Decisions[CollectionFinding]):
    """Decisions about the parts of collections."""

    kind = COLLECTION
    crowd = CROWD

    def known(self, db: Reader, ids: Sequence[int]) -> Mapping[int, object]:
        """Everything that is known of these collections."""
        return db.collections.of(ids)

    def answered(
        self, tx: Writer, findings: Sequence[CollectionFinding], answer: DriftAnswer, wanted: DriftFilter, *, now: int
    ) -> dict[int, tuple[str, ...] | None]:
        """Save the decision about these collections. None for one that is forgotten."""
        answers: dict[int, tuple[str, ...] | None] = {}
        for finding in findings:
            sight, row = finding.sight, finding.row
            answers[finding.id] = () if row else None
            if sight and row and not sight.undone:
                memory, names = with_answer(sight, wanted.picks_among(sight.drift), answer, now)
                answers[finding.id] = names
                if names:
                    is_open = any(drifted.name not in kept_fields(memory) for drifted in sight.drift)
                    standing = EDITED if is_open else IN_STEP
                    tx.collections.save(replace(row, memory=memory, standing=standing, standing_at=now))
        return answers


def want_collections(store: Database, clock: Clock, ids: Sequence[int]) -> list[int]:
    """Queue these collections, and return them. A running attempt is followed by another one."""
    with store.writing() as tx:
        for id in ids:
            tx.jobs.want(COLLECTION, id, Why.USER, clock.now(), behind=len(ids) > CROWD)
    return list(ids)

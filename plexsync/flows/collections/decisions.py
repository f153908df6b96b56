"""Your decisions about collections: to hand one over, and what becomes of the parts that you edited in Plex.

As for items (`plexsync.flows.scenes.drift`), a decision about a part is saved only if nothing else was learnt about the
collection meanwhile, and a running attempt loses the collection, since it was planned without it.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

from plexsync.engine.gates import Gates
from plexsync.engine.tickets import READS
from plexsync.engine.undo import BATCH, CROWD
from plexsync.flows.collections.inspection import CollectionLooker
from plexsync.flows.collections.records import EDITED, IN_STEP, CollectionFinding, CollectionSight
from plexsync.flows.scenes.drift import DriftAnswer
from plexsync.rules.drift import keep, kept_fields, take, unkeep
from plexsync.rules.job import COLLECTION, Why
from plexsync.rules.neighbours import Clock
from plexsync.rules.plan_records import Memory
from plexsync.rules.values import held
from plexsync.store.database import Database, Writer


@dataclass
class DecidedParts:
    """The parts decided about, by collection; the collections with nothing of the kind, and those that are worked on."""

    parts: dict[int, tuple[str, ...]] = field(default_factory=dict)
    untouched: list[int] = field(default_factory=list)
    busy: list[int] = field(default_factory=list)


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


def decide_parts(
    store: Database,
    looker: CollectionLooker,
    gates: Gates,
    clock: Clock,
    ids: Sequence[int],
    answer: DriftAnswer,
    names: Collection[str] = (),
    *,
    takes_kept: bool = True,
) -> DecidedParts:
    """Carry out a decision about parts with these names (none: all) of collections. Raises NeighbourError.

    What was decided by then stays so; repeating the call is harmless. `takes_kept`: Stash's value may replace parts that you
    keep, too.
    """
    kept_too = takes_kept or answer is DriftAnswer.UNKEEP
    decided = DecidedParts()
    for start in range(0, len(ids), BATCH):
        gates.enter(*READS)
        findings = looker.look(ids[start : start + BATCH])
        with store.writing() as tx:
            rows = tx.collections.of(finding.id for finding in findings)
            for finding in findings:
                if finding.row is None or rows.get(finding.id) != finding.row:
                    decided.busy.append(finding.id)
                elif parts := _decide(tx, finding, answer, names, kept_too=kept_too, now=clock.now()):
                    decided.parts[finding.id] = parts
                    tx.jobs.wrest(COLLECTION, finding.id, now=clock.now())
                    if answer is not DriftAnswer.KEEP:
                        tx.jobs.want(COLLECTION, finding.id, Why.USER, clock.now(), behind=len(ids) > CROWD)
                else:
                    decided.untouched.append(finding.id)
    return decided


def _decide(
    tx: Writer,
    finding: CollectionFinding,
    answer: DriftAnswer,
    names: Collection[str],
    *,
    kept_too: bool,
    now: int,
) -> tuple[str, ...]:
    """Save the decision about one collection; returns the names of the parts."""
    sight, row = finding.sight, finding.row
    if sight is None or row is None or sight.undone:
        return ()
    chosen = tuple(
        drifted.name
        for drifted in sight.drift
        if (not names or drifted.name in names)
        and (drifted.is_kept if answer is DriftAnswer.UNKEEP else drifted.in_stash is not None)
        and not (drifted.is_kept and (answer is DriftAnswer.KEEP or not kept_too))
    )
    if chosen:
        memory = _answered(sight, answer, chosen, now)
        is_open = any(drifted.name not in kept_fields(memory) for drifted in sight.drift)
        standing = EDITED if is_open else IN_STEP
        tx.collections.save(replace(row, memory=memory, standing=standing, standing_at=now))
    return chosen


def _answered(sight: CollectionSight, answer: DriftAnswer, names: Sequence[str], now: int) -> Memory:
    memory: Memory = sight.plan.memory
    for name in names:
        value = sight.wanted.values.get(name)
        if answer is DriftAnswer.UNKEEP:
            memory = unkeep(memory, name, value)
        elif value is not None and answer is DriftAnswer.KEEP:
            memory = keep(memory, name, value, now=now)
        elif value is not None:
            memory = take(memory, name, value, held(sight.item, name), now=now)
    return memory


def want_collections(store: Database, clock: Clock, ids: Sequence[int]) -> list[int]:
    """Queue these collections, and return them. A running attempt is followed by another one."""
    with store.writing() as tx:
        for id in ids:
            tx.jobs.want(COLLECTION, id, Why.USER, clock.now(), behind=len(ids) > CROWD)
    return list(ids)

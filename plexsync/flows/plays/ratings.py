"""The rating flows: a scene and its items in Plex have the same rating (`plexsync.engine.flow.Flow`).

There is one flow for each direction, since a flow writes through one gate. Both read the same values, make the same plan
(`plexsync.rules.plays.ratings`) and carry out their own part of it. If the other part is to be done, they queue that flow.
Ratings in Plex are those of the account of the token.

The scene flow owns ratings while they go one way. So that nothing is lost when that is switched, either flow begins with
what the other one has left.
"""

import logging
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from plexsync.engine.expiry import Expiry
from plexsync.engine.flow import Canary, Flow, Journal, Observation
from plexsync.engine.gates import Gates
from plexsync.engine.server_identity import ServerIdentity
from plexsync.engine.tickets import READ_PLEX, READ_STASH, WRITE_PLEX, WRITE_STASH, Gate, Ticket
from plexsync.flows.plays.flow import LEFT_ALONE, UNPAIRED, left_alone, matched_items
from plexsync.flows.plays.history_poll import want_many
from plexsync.flows.plays.writes import RememberedWrite, wait_until, write_canaries
from plexsync.flows.scenes.batch_reads import read_each
from plexsync.flows.scenes.canaries import LockCanaries
from plexsync.flows.scenes.inspection import BEING_PROBED
from plexsync.flows.scenes.inspection_records import Inspection
from plexsync.flows.scenes.scene_identity import StashIdentity
from plexsync.flows.scenes.scene_matching import BEING_LISTED, SceneMatcher
from plexsync.plex.history import PlexHistory
from plexsync.rules.item import Item
from plexsync.rules.match.scope import Scope
from plexsync.rules.merge.taken_back import TakenBack
from plexsync.rules.plays.ratings import (
    FIELD,
    NO_RATING,
    ROUNDED,
    UNKNOWN,
    ItemRating,
    RatingPlan,
    RatingRules,
    Ratings,
    RememberedRating,
    after_arrival,
    handed_over,
    item_rating,
    left_by_scene_flow,
    plan_rating,
    plex_rating,
    stash_rating,
    taken_over,
)
from plexsync.rules.queue.job import RATING, RATING_BACK, Done, Gone, Job, Outcome, Waiting, Why
from plexsync.rules.record_class import record
from plexsync.rules.scene import Scene
from plexsync.rules.servers.causes import Cause
from plexsync.rules.servers.errors import Neighbour, NeighbourError
from plexsync.rules.servers.neighbours import Clock, Plex, Stash
from plexsync.rules.words.status_words import DOWN
from plexsync.stash.watching import StashWatching
from plexsync.store.database import Database, Reader, Writer

log = logging.getLogger("PlexSync.ratings")

# The note of the second up to which the ratings of a library are read.
RATED_SINCE = "ratings:since:"
# The number of items that are read of each library at each poll.
PAGE = 500
BOTH = (RATING, RATING_BACK)


@record
class RatingFinding(Observation):
    """A scene with what is remembered of its rating, its items, and the plan; or an outcome or error without a plan."""

    scene: Scene | None = None
    memory: Ratings = field(default_factory=dict)
    plex: Mapping[str, ItemRating] = field(default_factory=dict)
    plan: RatingPlan | None = None

    @property
    def known(self) -> Ratings:
        """What is remembered after this look, without the requests."""
        return {**self.memory, **(self.plan.resolved if self.plan else {})}

    @property
    def desired(self) -> str:
        """The ratings to send, so that a new request can be told from a dead one."""
        return f"{self.plan.to_stash} {dict(self.plan.to_plex)}" if self.plan else ""


@dataclass(eq=False, kw_only=True)
class RatingWrite(RememberedWrite):
    """A rating that is sent to an item, or to the scene.

    The memory is by item. `plex` has the items as they were planned. `answer`: that of Stash. `stamp`: that of the item when
    it was read. `leads`: another rating has to follow it.
    """

    table = "ratings"
    scene: Scene
    rating: int
    before: Mapping[str, RememberedRating | None]
    opened: Ratings
    plex: Mapping[str, ItemRating]
    answer: int | None = None
    stamp: int = 0
    leads: bool = False

    def read(self, stash: int, plex: Mapping[str, ItemRating], now: int) -> None:
        """Conclude from these ratings. A half star needs no rounding: the rating from before is not made of it."""
        is_as_before = all(plex.get(key) == self.plex.get(key) for key in self.opened)
        answered = not is_as_before or self.rating % ROUNDED != 0
        self.after = after_arrival(self.opened, stash, plex, now=now, answered=answered)
        if any(row.pending for row in self.after.values()):
            self.outcome = Waiting("the rating is not there as it was sent", Cause.UNTAKEN, counted=True)
        else:
            self.outcome = Done()

    def close(self, tx: Writer, *, now: int, until: int) -> None:  # noqa: ARG002 - nothing of it is unknown
        """Save what was read, and queue what has to follow."""
        save_bases(tx, self.scene, self.after)
        if self.leads:
            tx.jobs.want(RATING, self.job.id, Why.EDIT, now)
        if self.stamp:
            # PlexSync moved the item itself, so the new stamp is no news.
            tx.index.stamp({self.key: self.stamp})


def bases_of(db: Reader, scenes: Iterable[Scene]) -> dict[tuple[int, str], RememberedRating]:
    """The base of each rating, by (scene, item key): what is remembered, else what the scene flow left in Plex."""
    created = {scene.id: scene.created_at for scene in scenes}
    memories = db.memories.of(list(created)).items()
    left = {pair: base for pair, memory in memories if (base := left_by_scene_flow(memory))}
    return left | db.ratings.of(created)


def save_bases(tx: Writer, scene: Scene, ratings: Mapping[str, RememberedRating]) -> None:
    """Save what is remembered of the ratings of a scene, by item, also as the scene flow would."""
    tx.ratings.save(scene.id, scene.created_at, ratings)
    based = {key: row for key, row in ratings.items() if row.has_base and not row.pending and not row.undone}
    memories = tx.memories.of([scene.id]) if based else {}
    for key, row in based.items():
        memory = memories.get((scene.id, key), {})
        if (after := handed_over(memory, row)) and after != memory:
            tx.memories.rewrite(scene.id, key, after)


def _begun(rows: Ratings, until: int) -> Ratings:
    """The rows of a request that may take effect until then."""
    return {key: replace(row, until=until) if row.pending else row for key, row in rows.items()}


@record
class RatingParts:
    """What both rating flows and their poll work with.

    They share one `expiry`, since each of them judges the open requests of both.
    """

    store: Database
    stash: Stash
    watching: StashWatching
    plex: Plex
    history: PlexHistory
    matcher: SceneMatcher
    locks: LockCanaries
    gates: Gates
    clock: Clock
    identity: ServerIdentity
    stash_identity: StashIdentity
    expiry: Expiry
    scope: Scope
    rules: RatingRules


class RatingFlow(Flow[RatingFinding, RatingWrite], ABC):
    """The common part of both directions."""

    requests = 1

    def __init__(self, parts: RatingParts) -> None:
        self._parts = parts
        self._gates = parts.gates
        self._clock = parts.clock
        self._expiry = parts.expiry
        (self._other,) = (kind for kind in BOTH if kind != self.kind)
        self.journal = Journal()

    # --- looking -----------------------------------------------------------------------------------------------------

    def look(self, ids: Sequence[int]) -> Sequence[RatingFinding]:
        """Read the ratings of these scenes and of their items, and plan."""
        self._expiry.notice()
        answers = read_each(self._gates, Neighbour.STASH, self._parts.stash.scenes, ids)
        findings = {id: RatingFinding(id, outcome=Gone()) for id in ids if id not in answers}
        findings |= {
            id: RatingFinding(id, error=error) for id, error in answers.items() if isinstance(error, NeighbourError)
        }
        scenes = [answer for answer in answers.values() if isinstance(answer, Scene)]
        with self._parts.store.reading() as db:
            skipped = left_alone(db, scenes, self._parts.scope)
        findings |= {
            scene.id: RatingFinding(scene.id, scene, outcome=LEFT_ALONE) for scene in scenes if scene.id in skipped
        }
        if present := [scene for scene in scenes if scene.id not in skipped]:
            findings |= {finding.id: finding for finding in self._plan(present)}
        return [findings[id] for id in ids]

    def _plan(self, scenes: Sequence[Scene]) -> list[RatingFinding]:
        others = self._parts.stash_identity.ensure(self._gates, scenes)
        self._parts.identity.ensure(self._gates)
        paired = self._parts.matcher.find(scenes, others)
        if paired.is_foreign:
            self._parts.identity.check_again(self._gates)
            return [RatingFinding(scene.id, scene, outcome=BEING_LISTED) for scene in scenes]
        known = [scene for scene in scenes if scene.id not in others]
        with self._parts.store.reading() as db:
            bases = bases_of(db, known)
            pushings = db.pushings.of([scene.id for scene in known])
            undone = db.memories.marks([scene.id for scene in known]).keys()
            sections = self._parts.rules.sections(db.sections.all())
            probed = db.probes.open_original()
        findings, now = [], self._clock.now()
        for scene in scenes:
            items = matched_items(paired.verdicts[scene.id], paired.items)
            if isinstance(items, NeighbourError):
                findings.append(RatingFinding(scene.id, scene, error=items))
                continue
            read = [] if isinstance(items, Waiting) else [item for item in items if item.section in sections]
            pushed = [
                push.until for item in read for push in pushings.get((scene.id, item.key), ()) if FIELD in push.fields
            ]
            until = min(self._expiry.until(max(pushed, default=0)), now + self._expiry.longest)
            outcome: Outcome
            if isinstance(items, Waiting):
                outcome = items
            elif not read:
                outcome = UNPAIRED
            elif scene.id in undone and not any(row.undone for (id, _), row in bases.items() if id == scene.id):
                outcome = LEFT_ALONE
            elif probed and probed.key in {item.key for item in read}:
                outcome = BEING_PROBED
            elif until > now:
                outcome = wait_until(until, now, "an edit may still arrive in Plex")
            else:
                memory = {key: base for (id, key), base in bases.items() if id == scene.id}
                findings.append(self._finding(scene, read, memory))
                continue
            findings.append(RatingFinding(scene.id, scene, outcome=outcome))
        return findings

    def _finding(self, scene: Scene, items: Sequence[Item], memory: Ratings) -> RatingFinding:
        now, stash = self._clock.now(), stash_rating(scene.rating100)
        memory = {key: replace(base, until=self._expiry.until(base.until)) for key, base in memory.items()}
        plex = {item.key: item_rating(item) for item in items}
        changed = taken_over(memory, plex, stash)
        memory = {key: row for key, row in {**memory, **changed}.items() if key in plex}
        plan = plan_rating(memory, stash, plex, self._parts.rules.wins, now=now, longest=self._expiry.longest)
        plan = replace(plan, resolved={**changed, **plan.resolved})
        finding = RatingFinding(scene.id, scene, memory, plex, plan)
        if plan.wait_until:
            waits = wait_until(plan.wait_until, now, "an earlier request may still arrive")
            return replace(finding, outcome=waits, ends=waits)
        return finding if self._requests(finding, plan) else replace(finding, outcome=Done())

    @abstractmethod
    def _requests(self, finding: RatingFinding, plan: RatingPlan) -> Mapping[str, tuple[int, Ratings]]:
        """The ratings that this flow sends, by key, each with what is remembered while it is on its way."""

    # --- writing -----------------------------------------------------------------------------------------------------

    def save(
        self, tx: Writer, findings: Sequence[tuple[Job, RatingFinding]], *, now: int, until: int
    ) -> Mapping[str, Sequence[RatingWrite]]:
        """Save what was found, and each rating before it is sent. Queues the other direction for its part."""
        self._expiry.notice()
        writes: dict[str, Sequence[RatingWrite]] = {}
        for job, finding in findings:
            plan, scene = finding.plan, finding.scene
            if plan is None or scene is None:
                continue
            save_bases(tx, scene, plan.resolved)
            if finding.outcome is None:
                writes[job.token] = [
                    RatingWrite(
                        job=job,
                        key=key,
                        desired=finding.desired,
                        created_at=scene.created_at,
                        scene=scene,
                        rating=rating,
                        before={item: finding.known.get(item) for item in rows},
                        opened=_begun(rows, until),
                        plex=finding.plex,
                    )
                    for key, (rating, rows) in self._requests(finding, plan).items()
                ]
                tx.ratings.save(scene.id, scene.created_at, _begun(plan.rows, until))
            elif plan.to_stash is not None or plan.to_plex:
                tx.jobs.want(self._other, scene.id, Why.EDIT, now)
        return writes

    def _list_remembered(self, limit: int, *, but: int | None, key: str) -> list[int]:
        """Up to `limit` scenes with a remembered rating, without the given one."""
        with self._parts.store.reading() as db:
            return [id for id in db.ratings.scenes(limit=limit + 1) if id != but and str(id) != key][:limit]

    def _scenes_again(self, ids: Sequence[int]) -> list[Canary]:
        return [lambda: bool(self._parts.stash.scenes(ids))] if ids else []

    # --- settlement --------------------------------------------------------------------------------------------------

    def existing(self, ids: Sequence[int]) -> Collection[int]:
        """The scenes among these that Stash has."""
        self._gates.enter(READ_STASH)
        return self._gates.ask(READ_STASH, partial(self._parts.stash.existing, ids))[0]

    def forget(self, tx: Writer, id: int, *, gone: bool) -> None:
        """Forget the ratings of a scene that is gone from Stash."""
        if gone:
            tx.ratings.forget([id])

    # --- undo --------------------------------------------------------------------------------------------------------

    def recall(self, ids: Sequence[int]) -> Mapping[int, object]:
        """Read these scenes: the memory of a rating belongs to the scene that was created at its time."""
        self._gates.enter(READ_STASH)
        return read_each(self._gates, Neighbour.STASH, self._parts.stash.scenes, ids)

    def undo(self, tx: Writer, id: int, recalled: object, mark: str, *, now: int) -> bool:  # noqa: ARG002 - the protocol of flows
        """Mark the ratings that PlexSync wrote, on either side, to be taken back. Both flows do their part."""
        if not isinstance(recalled, Scene):
            return False
        rows = {key: row for (_, key), row in tx.ratings.of({id: recalled.created_at}).items()}
        if not any(row.is_written for row in rows.values()):
            return False
        tx.ratings.save(
            id, recalled.created_at, {key: replace(row, undone=TakenBack.UNDO) for key, row in rows.items()}
        )
        # The engine queues this flow.
        tx.jobs.wrest(self._other, id, now=now)
        tx.jobs.want(self._other, id, Why.USER, now)
        return True


class RatingToPlex(RatingFlow):
    """Sends ratings from Stash to Plex."""

    kind = RATING
    gates: Collection[Gate] = (READ_PLEX, READ_STASH, WRITE_PLEX)
    write_gate: Gate = WRITE_PLEX

    def _requests(self, finding: RatingFinding, plan: RatingPlan) -> Mapping[str, tuple[int, Ratings]]:  # noqa: ARG002
        return {key: (rating, {key: plan.rows[key]}) for key, rating in plan.to_plex.items()}

    def send(self, write: RatingWrite) -> None:
        """Rate the item."""
        self._parts.plex.rate(write.key, write.rating / 10 if write.rating != NO_RATING else None)

    def read_back(self, writes: Sequence[RatingWrite]) -> None:
        """Read the items as they are now, in one request."""
        try:
            items = self._parts.matcher.items([write.key for write in writes])
        except NeighbourError as error:
            items = {write.key: error for write in writes}
        for write in writes:
            item = items.get(write.key)
            if isinstance(item, Item):
                now, stash, value = self._clock.now(), stash_rating(write.scene.rating100), item_rating(item)
                write.stamp = item.stamp
                write.read(stash, {write.key: value}, now)
                if not isinstance(write.outcome, Done) and value.value != write.plex[write.key].value:
                    # Plex took it, and you have rated the item since.
                    write.read(stash, {write.key: ItemRating(write.rating)}, now)
                    write.leads = True
            elif item is None:
                write.outcome = Waiting("the item vanished while it was rated", "missing", counted=True)
            else:
                write.outcome = Waiting(str(item), "unavailable")

    def canaries(
        self, gate: Gate, limit: int, *, ticket: Ticket, but: int | None = None, key: str = ""
    ) -> list[Canary]:
        """Locks that PlexSync holds, sent again; items with locks, read; scenes with remembered ratings, read."""
        if gate == WRITE_PLEX:
            return self._parts.locks.locks_again(limit, ticket=ticket, but=but, key=key)
        if gate == READ_PLEX:
            return self._parts.locks.locked_items_again(limit, but=but, key=key)
        return self._scenes_again(self._list_remembered(limit, but=but, key=key)) if gate == READ_STASH else []


class RatingToStash(RatingFlow):
    """Sends ratings from Plex to Stash."""

    kind = RATING_BACK
    gates: Collection[Gate] = (READ_PLEX, READ_STASH, WRITE_STASH)
    write_gate: Gate = WRITE_STASH

    def _requests(self, finding: RatingFinding, plan: RatingPlan) -> Mapping[str, tuple[int, Ratings]]:
        if plan.to_stash is None:
            return {}
        return {str(finding.id): (plan.to_stash, {**finding.known, **plan.rows})}

    def send(self, write: RatingWrite) -> None:
        """Rate the scene; the answer has its rating."""
        write.answer = self._parts.watching.rate(write.job.id, write.rating if write.rating != NO_RATING else None)

    def read_back(self, writes: Sequence[RatingWrite]) -> None:
        """Compare the answers with what was sent; no further request is needed."""
        for write in writes:
            write.read(stash_rating(write.answer), write.plex, self._clock.now())
            rows = write.opened.values()
            write.leads = any(row.overruled != UNKNOWN or (row.undone and row.plex_before != UNKNOWN) for row in rows)

    def canaries(
        self, gate: Gate, limit: int, *, ticket: Ticket, but: int | None = None, key: str = ""
    ) -> list[Canary]:
        """Plays that nobody has, removed from scenes with remembered ratings; these scenes, read."""
        ids = self._list_remembered(limit, but=but, key=key) if gate in (WRITE_STASH, READ_STASH) else []
        if gate == WRITE_STASH:
            return write_canaries(self._gates, self._parts.watching, ids, ticket)
        return self._scenes_again(ids)


# --- the poll --------------------------------------------------------------------------------------------------------


class RatingPoll:
    """Queues the ratings that have moved in Plex or in Stash."""

    def __init__(self, parts: RatingParts) -> None:
        self._parts = parts

    def poll(self) -> str:
        """Read what was rated since the last time, with one request per library; returns why that is not possible, or ''.

        Queues the scenes of the items whose rating is another one than when they were last in step. What a Plex does not
        list, the comparison of its item finds.
        """
        parts = self._parts
        if not parts.gates.is_open(READ_PLEX):
            return f"Plex is {DOWN}"
        try:
            parts.identity.ensure(parts.gates)
            with parts.store.reading() as db:
                rows = db.sections.all()
                notes = {row.key: f"{RATED_SINCE}{row.uuid or row.key}" for row in rows}
                since = {key: db.notes.number(note) or 0 for key, note in notes.items()}
            synced = parts.rules.sections(rows)
            for key in [row.key for row in rows if row.key in synced]:
                rated = parts.gates.ask(READ_PLEX, partial(parts.history.list_rated, key, since=since[key], limit=PAGE))
                if not rated:
                    continue
                ratings = {item.key: plex_rating(item.rating) for item in rated}
                with parts.store.writing() as tx:
                    last_ratings = tx.ratings.in_plex(list(ratings))
                    moved = [item for item, rating in ratings.items() if last_ratings.get(item) != rating]
                    want_many(tx, RATING, tx.index.scenes_of(moved), parts.clock.now())
                    tx.notes.save(notes[key], str(rated[-1].at))
        except NeighbourError as error:
            log.debug("ratings can't be read: %s", error)
            return str(error)
        return ""

    def observe(self, tx: Writer, inspections: Sequence[Inspection], now: int) -> None:
        """Queue the ratings of inspected scenes that have moved on either side; remember those that are in step.

        A scene that is undone has its ratings as they are, once those that you want back are, and begins anew when it is
        synced again.
        """
        if undone := [inspection.id for inspection in inspections if inspection.undone]:
            waiting = {id for (id, _), row in tx.ratings.of_ids(undone).items() if row.undone}
            tx.ratings.forget([id for id in undone if id not in waiting])
        inspected = {
            inspection.scene.id: (inspection.scene, inspection)
            for inspection in inspections
            if inspection.scene and inspection.targets
        }
        inspected = {id: entry for id, entry in inspected.items() if id not in undone}
        if not inspected:
            return
        synced = self._parts.rules.sections(tx.sections.all())
        bases = bases_of(tx, [scene for scene, _ in inspected.values()])
        for id, (scene, inspection) in inspected.items():
            stash = stash_rating(scene.rating100)
            plex = {
                target.item.key: item_rating(target.item)
                for target in inspection.targets
                if target.item.section in synced
            }
            if any(_differs(bases.get((id, key)), stash, item.value) for key, item in plex.items()):
                tx.jobs.want(RATING, id, Why.SWEEP, now)
            elif stash != NO_RATING:
                in_step = RememberedRating(stash, changed_at=now)
                rows = {
                    # With a time, an older rating is known as that of a restored Plex. The scene flow has none.
                    key: replace(bases.get((id, key), replace(in_step, plex=item.value)), rated_at=item.rated_at)
                    for key, item in plex.items()
                    if (id, key) not in bases or bases[id, key].rated_at == 0 < item.rated_at
                }
                if rows:
                    save_bases(tx, scene, rows)


def _differs(base: RememberedRating | None, stash: int, plex: int) -> bool:
    """Whether one of the two has moved, or the rating is not settled."""
    if base is None:
        return stash != plex
    return (base.stash, base.plex) != (stash, plex) or bool(base.pending) or bool(base.undone)

"""The plays flow: brings what an account has played in Plex to Stash, each play once (`plexsync.engine.flow.Flow`).

A job says that the plays of a scene may be out of step. The plays in Plex, in Stash and in memory are read at the moment
of work, and the rules decide (`plexsync.rules.plays.plays`). Every write goes to Stash, through a gate of its own.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from functools import partial

from plexsync.engine.expiry import Expiry
from plexsync.engine.flow import Canary, Flow, Journal
from plexsync.engine.gates import Gates
from plexsync.engine.server_identity import ServerIdentity
from plexsync.engine.tickets import READ_PLEX, READ_STASH, WRITE_STASH, Gate, Ticket
from plexsync.flows.plays.activity import ActivityPlans, SceneMemory, read_memories
from plexsync.flows.plays.history_poll import HistoryPoll, UnknownAccount
from plexsync.flows.plays.listener import PlayListener
from plexsync.flows.plays.recovery import PlaysRecovery, StashRestores
from plexsync.flows.plays.viewings import known_percent
from plexsync.flows.plays.wishes import WishForPlays
from plexsync.flows.plays.writes import (
    Memory,
    PlaysFinding,
    PlaysWrite,
    WatchWrite,
    journalled,
    settled,
    with_expiry,
    write_canaries,
)
from plexsync.flows.scenes.batch_reads import read_each
from plexsync.flows.scenes.scene_identity import StashIdentity
from plexsync.flows.scenes.scene_matching import BEING_LISTED, SceneMatcher, Verdict
from plexsync.rules.item import Item
from plexsync.rules.match.match_records import Matched
from plexsync.rules.match.scope import Scope, outside
from plexsync.rules.plays.play_wishes import UNDO, is_wanted_back
from plexsync.rules.plays.plays import PlayPlan, PlaySource, plan_plays
from plexsync.rules.plays.viewings import PLEX, Viewing, judge_viewing, twins, viewed_plays
from plexsync.rules.queue.job import PLAYS, Done, Gone, Job, Kind, State, Waiting
from plexsync.rules.record_class import record
from plexsync.rules.scene import Scene, WatchedScene
from plexsync.rules.servers.errors import Neighbour, NeighbourError, Refused
from plexsync.rules.servers.neighbours import Clock
from plexsync.stash.watching import StashWatching
from plexsync.store.connection import clean
from plexsync.store.database import Database, Reader, Writer

# The outcome of scenes whose plays are left alone.
UNPAIRED, LEFT_ALONE = Done(rests="unpaired"), Done(rests="left alone")
READ_ANEW = Waiting("the history of Plex has changed and is read anew", "released", after=60.0, backoff=False)
# Seconds until a history that Plex does not show is asked for again.
REFUSED_REST = 600.0


@record
class PlaysRead:
    """What is known of scenes: from which second on plays are approved, the rule of viewings, and what is remembered.

    `plays`: what Plex lists of their items, with earlier plays that may explain one in Stash; `holders`: the scenes that
    a play was sent to or found in.
    """

    since: int | None
    rule: str
    memories: Mapping[int, SceneMemory]
    plays: Mapping[str, Mapping[int, PlaySource]]
    viewings: Sequence[Viewing]
    holders: Mapping[tuple[str, int], Set[tuple[int, str]]]


@dataclass(eq=False)
class PlaysFlow(Flow[PlaysFinding, WatchWrite]):
    """Keeps the plays of scenes in Stash in step with an account's history in Plex.

    While the way back is off (`is_on` false), it only takes plays back, and asks nothing of Plex. Without `restores` it
    decides nothing about plays that are missing in Stash.
    """

    kind = PLAYS
    write_gate = WRITE_STASH
    requests = 1

    _store: Database
    _stash: StashWatching
    _matcher: SceneMatcher
    _history: HistoryPoll
    _gates: Gates
    _clock: Clock
    _identity: ServerIdentity
    _stash_identity: StashIdentity
    _expiry: Expiry
    _scope: Scope
    _recovery: PlaysRecovery
    _listener: PlayListener
    _restores: StashRestores | None = None
    is_on: bool = field(default=True, kw_only=True)

    def __post_init__(self) -> None:
        gates = (READ_STASH, WRITE_STASH)
        self.gates: Collection[Gate] = (READ_PLEX, *gates) if self.is_on else gates
        self.activity = ActivityPlans(self._history, self._clock, self._expiry, self._listener)
        self.journal = Journal()
        self._undo = WishForPlays(self._stash, self._gates, self._recovery, UNDO)

    # --- looking -----------------------------------------------------------------------------------------------------

    def look(
        self, ids: Sequence[int], *, since: int | None = None, minimum: str | None = None
    ) -> Sequence[PlaysFinding]:
        """Read the plays of these scenes in Stash, their items, and what Plex lists, and plan.

        Plays that you have not approved are left alone. `since`: plan as if you had approved those from that moment on;
        `minimum`: as if viewings were plays by that rule.
        """
        self._recovery.check()
        self._expiry.notice()
        last = self._restores.last_scenes() if self._restores else ()
        answers = read_each(self._gates, Neighbour.STASH, self._stash.watched_scenes, [*ids, *last])
        scenes = {id: answer for id, answer in answers.items() if isinstance(answer, WatchedScene)}
        if self._restores:
            self._restores.ensure(scenes)
        watched = {id: scenes[id] for id in ids if id in scenes}
        findings = {id: PlaysFinding(id, outcome=Gone()) for id in ids if id not in answers}
        findings |= {
            id: PlaysFinding(id, error=error) for id, error in answers.items() if isinstance(error, NeighbourError)
        }
        with self._store.reading() as db:
            scenes_read = [watching.scene for watching in watched.values()]
            skipped = left_alone(db, scenes_read, self._scope) if self.is_on else set(watched)
        findings |= {id: PlaysFinding(id, watched[id], outcome=LEFT_ALONE) for id in skipped}
        present = {id: watching for id, watching in watched.items() if id not in skipped}
        findings |= self._plan(present, since, minimum)
        findings |= self._wanted_back([finding for finding in findings.values() if finding.plan is None])
        return [findings[id] for id in ids]

    def _plan(
        self, watched: Mapping[int, WatchedScene], since: int | None, minimum: str | None
    ) -> dict[int, PlaysFinding]:
        if not watched:
            return {}
        scenes = [watching.scene for watching in watched.values()]
        others = self._stash_identity.ensure(self._gates, scenes)
        account = self._read_account()
        if isinstance(account, Waiting):
            return {id: PlaysFinding(id, watching, outcome=account) for id, watching in watched.items()}
        paired = self._matcher.find(scenes, others)
        if paired.is_foreign:
            self._identity.check_again(self._gates)
            return {id: PlaysFinding(id, watching, outcome=BEING_LISTED) for id, watching in watched.items()}
        found = {id: matched_items(paired.verdicts[id], paired.items) for id in watched}
        items = {id: some if isinstance(some, list) else [] for id, some in found.items()}
        with self._store.reading() as db:
            read = self._read(db, account, watched, items, since, minimum)
        held = self._held_by_others(read.holders, watched)
        plan_it = partial(plan_scene, rule=read.rule, since=read.since or 0, now=self._clock.now(), expiry=self._expiry)
        findings = {}
        for id, watching in watched.items():
            keys, memory = [item.key for item in items[id]], read.memories[id]
            viewings = [viewing for viewing in read.viewings if viewing.item in keys]
            finding = plan_it(watching, found[id], read.plays, memory.plays, held, viewings)
            if (plan := finding.plan) is not None:
                finding = self.activity.join(finding, items[id], memory, since=read.since)
                rests = Done() if keys or finding.memory else UNPAIRED
                finding = settled(finding, plan, self._clock.now(), rests)
            findings[id] = finding
        return findings

    def _read(
        self,
        db: Reader,
        account: int,
        watched: Mapping[int, WatchedScene],
        items: Mapping[int, Sequence[Item]],
        since: int | None,
        minimum: str | None,
    ) -> PlaysRead:
        """Read what is known of these scenes and their items; see `look`."""
        keys = sorted({item.key for some in items.values() for item in some})
        start = self._history.approved_since(db) if since is None else since
        rule = minimum or self._history.minimum_in_force(db)
        memories = read_memories(db, {id: watching.scene.created_at for id, watching in watched.items()})
        # By Plex's rule, no earlier row is looked for that explains a play in Stash.
        plays = {} if start is None else db.plays.history(account, keys, since=start if rule == PLEX else 0)
        viewings = [] if start is None else db.viewings.of(account, keys, since=start)
        if minimum is not None:
            percent = known_percent(db)
            viewings = [judge_viewing(viewing, minimum, percent) for viewing in viewings]
            viewed = viewed_plays(viewings, since=start or 0)
            plays = {**plays, **{key: {**plays.get(key, {}), **some} for key, some in viewed.items()}}
        return PlaysRead(start, rule, memories, plays, viewings, db.plays.holders(keys))

    def _read_account(self) -> int | Waiting:
        """The number of the account, of which the history is new enough; or what its scenes wait for."""
        self._identity.ensure(self._gates)
        try:
            self._history.freshen()
            return READ_ANEW if self._history.lacks_plays else self._history.account()
        except (Refused, UnknownAccount) as error:
            return Waiting(str(error), "refused", after=REFUSED_REST, backoff=False)

    def _held_by_others(
        self, holders: Mapping[tuple[str, int], Set[tuple[int, str]]], watched: Mapping[int, WatchedScene]
    ) -> dict[tuple[str, int], set[int]]:
        """The scenes that exist and have a play already, by (item, moment): an item that moves takes no play along."""
        unknown = sorted({id for scenes in holders.values() for id, _ in scenes} - watched.keys())
        others = self._gates.ask(READ_STASH, partial(self._stash.watched_scenes, unknown)) if unknown else {}
        # After a restore of Stash an id may be another scene's.
        created = {(id, clean(watching.scene.created_at)) for id, watching in {**watched, **others}.items()}
        return {play: {id for id, _ in scenes & created} for play, scenes in holders.items()}

    def _wanted_back(self, findings: Iterable[PlaysFinding]) -> dict[int, PlaysFinding]:
        """Of scenes of which nothing else can be planned: the plan to take back what you asked for, by memory alone."""
        watched = {finding.id: (finding, finding.watched) for finding in findings if finding.watched}
        created = {id: watching.scene.created_at for id, (_, watching) in watched.items()}
        if not created:
            return {}
        with self._store.reading() as db:
            memories = read_memories(db, created)
        now, backs = self._clock.now(), {}
        plays = {id: {at: play for at, play in memories[id].plays.items() if is_wanted_back(play)} for id in created}
        asked = sorted(id for id in created if plays[id] or memories[id].is_wanted_back)
        if asked:
            self._stash_identity.ensure(self._gates, [watched[id][1].scene for id in asked])
        for id in asked:
            (finding, watching), memory = watched[id], with_expiry(plays[id], self._expiry)
            plan = plan_plays({}, Counter(watching.plays), memory, now=now, longest=self._expiry.longest)
            rests = finding.outcome or Waiting("the plays are looked at again", "released", backoff=False)
            back = replace(finding, memory=plays[id], plan=plan, error=None)
            back = self.activity.plan_time(
                self.activity.plan_resume(back, None, memories[id].resume), memories[id].time
            )
            backs[id] = settled(back, plan, now, rests)
        return backs

    # --- writing -----------------------------------------------------------------------------------------------------

    def save(
        self, tx: Writer, findings: Sequence[tuple[Job, PlaysFinding]], *, now: int, until: int
    ) -> Mapping[str, Sequence[WatchWrite]]:
        """Save what was found, and each play and resume point before it is sent."""
        # So that a leap after this moment is noticed, whatever the clock has done since the look.
        self._expiry.notice()
        writes: dict[str, Sequence[WatchWrite]] = {}
        for job, finding in findings:
            plan, watched = finding.plan, finding.watched
            if plan is None or watched is None:
                continue
            tx.plays.save(finding.id, watched.scene.created_at, plan.resolved)
            activity = self.activity.save(tx, job, finding, until=until)
            if finding.outcome is None:
                plays_writes = self._writes(tx, job, finding, watched, plan, now=now, until=until)
                writes[job.token] = [*plays_writes, *activity]
        self._recovery.save(
            tx, [finding for _, finding in findings], {token: journalled(some) for token, some in writes.items()}
        )
        return writes

    @staticmethod
    def _writes(
        tx: Writer, job: Job, finding: PlaysFinding, watched: WatchedScene, plan: PlayPlan, *, now: int, until: int
    ) -> list[PlaysWrite]:
        begun, scene = plan.begin(until), watched.scene
        writes = []
        for moments, adds in ((plan.add, True), (plan.remove, False)):
            if moments is None:
                continue
            open_plays = {moment: begun[moment] for moment in moments}
            tx.plays.begin(scene.id, scene.created_at, scene.updated_at, open_plays, now=now)
            writes.append(
                PlaysWrite(
                    job=job,
                    key=str(scene.id),
                    desired=finding.desired,
                    created_at=scene.created_at,
                    watched=watched,
                    moments=moments,
                    adds=adds,
                    before={moment: finding.memory.get(moment) for moment in moments},
                    opened=open_plays,
                )
            )
        return writes

    def will_send(self, writes: Sequence[WatchWrite]) -> None:
        """Record what is about to be sent in the journal of plays, which outlives the database."""
        self._recovery.will_send(journalled(writes))

    def send(self, write: WatchWrite) -> None:
        """Send the plays, whose answer has all plays of the scene; or how far it was watched."""
        write.send(self._stash)

    def read_back(self, writes: Sequence[WatchWrite]) -> None:
        """Compare the answers with what was sent; no further request is needed."""
        for write in writes:
            write.read(now=self._clock.now())
        self._recovery.was_answered(journalled(writes))

    def canaries(
        self, gate: Gate, limit: int, *, ticket: Ticket, but: int | None = None, key: str = ""
    ) -> list[Canary]:
        """Plays that nobody has, removed from scenes with remembered plays; these scenes, read."""
        if gate not in (WRITE_STASH, READ_STASH):
            return []
        with self._store.reading() as db:
            if not self.is_on and not (
                db.plays.to_take_back() or db.watches.to_take_back() or db.play_times.to_take_back()
            ):
                # While the way back is off, nothing is written that you did not ask for.
                return []
            ids = [id for id in db.plays.scenes(limit=limit + 1) if id != but and str(id) != key][:limit]
        if gate == READ_STASH:
            return [lambda: bool(self._stash.watched_scenes(ids))] if ids else []
        return write_canaries(self._gates, self._stash, ids, ticket)

    # --- settlement --------------------------------------------------------------------------------------------------

    def existing(self, ids: Sequence[int]) -> Collection[int]:
        """The scenes among these that Stash has."""
        self._gates.enter(READ_STASH)
        return self._gates.ask(READ_STASH, partial(self._stash.watched_scenes, ids)).keys()

    def forget(self, tx: Writer, id: int, *, gone: bool) -> None:
        """Forget the plays of a scene that is gone from Stash."""
        if gone:
            tx.plays.forget([id])
            tx.watches.forget([id])
            tx.play_times.forget([id])

    # --- undo --------------------------------------------------------------------------------------------------------

    def recall(self, ids: Sequence[int]) -> Mapping[int, object]:
        """Read what `undo` needs for these scenes."""
        return self._undo.recall(ids)

    def undo(self, tx: Writer, id: int, recalled: object, mark: str, *, now: int) -> bool:
        """Mark every play that PlexSync added, or may have added, to be taken back, and the resume point likewise."""
        return self._undo.undo(tx, id, recalled, mark, now=now)


def matched_items(
    verdict: Verdict, items: Mapping[str, Item | NeighbourError]
) -> list[Item] | Waiting | NeighbourError:
    """The items of a scene that Plex has; or what it waits for, or why one can't be read now: its values may count."""
    if not isinstance(verdict, Matched):
        return verdict if isinstance(verdict, Waiting | NeighbourError) else []
    answers = [items.get(key) for key in verdict.keys]
    errors = [answer for answer in answers if isinstance(answer, NeighbourError)]
    return errors[0] if errors else [answer for answer in answers if isinstance(answer, Item)]


def plan_scene(
    watched: WatchedScene,
    items: Sequence[Item] | Waiting | NeighbourError,
    plays: Mapping[str, Mapping[int, PlaySource]],
    memory: Memory,
    held_by_others: Mapping[tuple[str, int], set[int]],
    viewings: Sequence[Viewing],
    *,
    rule: str,
    since: int,
    now: int,
    expiry: Expiry,
) -> PlaysFinding:
    """What is found about a scene: the plan for its plays from `since` on, or why there is none.

    `plays`: those of each item, with earlier ones that explain a play in Stash. `rule`: which viewings are plays.
    """
    id = watched.scene.id
    if isinstance(items, NeighbourError):
        return PlaysFinding(id, watched, error=items)
    if isinstance(items, Waiting):
        return PlaysFinding(id, watched, outcome=items)
    listed: dict[int, PlaySource] = {}
    for item in items:
        for moment, source in plays.get(item.key, {}).items():
            if not held_by_others.get((source.item, moment), set()) - {id}:
                listed.setdefault(moment, source)
    rows, same = Counter(watched.plays), set[int]()
    if viewings or rule != PLEX:
        length = round(max((file.duration for file in watched.scene.files), default=0.0) * 1000)
        same = twins(rows, listed, memory, viewings, length=length, minimum=rule)
    listed = {moment: source for moment, source in listed.items() if moment >= since}
    plan = plan_plays(listed, rows, with_expiry(memory, expiry), same=same, now=now, longest=expiry.longest)
    played = frozenset(source.item for item in items for source in plays.get(item.key, {}).values())
    return PlaysFinding(id, watched, memory, plan, listed=listed.keys(), played=played, viewings=tuple(viewings))


def left_alone(db: Reader, scenes: Iterable[Scene], scope: Scope) -> set[int]:
    """The ids of those of these scenes that are out of scope, or ignored."""
    present = list(scenes)
    rows = db.jobs.of(Kind.SCENE, [scene.id for scene in present])
    ignored = {id for id, row in rows.items() if row.state is State.IGNORED}
    return ignored | {scene.id for scene in present if outside(scene, scope)}

"""The records of an inspection: the items of a scene with their plans, and what the database remembers about them."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Protocol

from plexsync.engine.flow import Observation
from plexsync.rules.item import LISTS, PICTURES, Item, beside_whom, is_provided
from plexsync.rules.match.match_records import Binding, Candidate, Step
from plexsync.rules.match.origin import Origin, is_of
from plexsync.rules.merge.desired import Profile, Wanted, digest
from plexsync.rules.merge.drift import DriftField, drift_of, is_drift, kept_fields
from plexsync.rules.merge.memory import undo_mode, with_addresses
from plexsync.rules.merge.pictures import PicturePast
from plexsync.rules.merge.plan_records import Memory, Plan, Policy, Pushing, Remembered, Sending
from plexsync.rules.merge.provenance import Provenance
from plexsync.rules.merge.taken_back import TakenBack
from plexsync.rules.merge.traits import UNKNOWN, ServerTraits
from plexsync.rules.merge.undo import begun_anew
from plexsync.rules.merge.values import Value
from plexsync.rules.queue.job import Dead, NotShown, OutOfScope
from plexsync.rules.record_class import record
from plexsync.rules.scene import Scene
from plexsync.rules.servers.errors import NeighbourError
from plexsync.store.database import Reader, Writer

# Takes the place of the hash of desired values for a scene that is out of scope.
NOTHING_WANTED = "outside"


@record
class PlannedObject:
    """An object of Plex with the plan that brings it in step.

    `wanted` holds the desired values, and `profile` the pictures that it has to show. `absent` are the pictures whose
    desired one it does not have. `traits` are those of the server. `asked`: Plex asks PlexSync for its values.
    """

    item: Item
    plan: Plan
    wanted: Wanted
    profile: Profile
    absent: frozenset[str] = frozenset()
    traits: ServerTraits = UNKNOWN
    asked: bool = False

    @property
    def drift(self) -> tuple[DriftField, ...]:
        """The fields that you edited in Plex: those that you keep, and those to decide about."""
        return drift_of(self.wanted.values, self.item, self.plan)

    @property
    def asked_fields(self) -> list[str]:
        """The fields of which Plex is told to ask for the value: it keeps what a list loses, and what is locked."""
        return [
            name
            for name, change in self.plan.edit.items()
            if self.asked and is_provided(name) and change.value and not change.removes and not self._is_locked(name)
        ]

    def _is_locked(self, name: str) -> bool:
        return ("actor" if beside_whom(name) else name) in self.item.locks

    @property
    def kept_fields(self) -> int:
        """The number of fields that Plex keeps (locked before PlexSync, or edited since), without those decided about."""
        return sum(is_drift(note) for note in self.plan.notes)


@dataclass(frozen=True, kw_only=True)
class Target(PlannedObject):
    """One item of a scene, with the plan that brings it in sync.

    `memory` is what was remembered before. `has_other_files`: the item has got other files since it was remembered, and is
    still the same. `was_lost`: the database did not know all pushes to the item.
    """

    memory: Mapping[str, Remembered]
    has_other_files: bool = False
    was_lost: bool = False

    @property
    def has_unknown_values(self) -> bool:
        """Whether a locked value in Plex counts as yours: it differs from Stash's, or is a list never written before."""
        if any(note.reason in ("person", "kept") for note in self.plan.notes):
            return True
        lists = [name for name in LISTS if name in self.wanted.values and name not in self.memory]
        owned = {name for name in lists if name in self.plan.memory and self.plan.memory[name].ours}
        return any(self.item.is_locked(name) and self.item.lists.get(name) for name in lists if name not in owned)


@record
class Inspection(Observation):
    """The inspection of one scene.

    It has `targets` to bring in sync, or an `outcome` that says why there are none, or an `error`: a failure of the
    scene alone or of its item `key` alone, to be judged by the evidence of others. `keys` are its items, or its
    candidates if that is unclear.

    `undone` tells how the scene was undone: then the targets are the items that PlexSync had written to. `ends` is the
    outcome of the job once the targets are in sync. `take_over` is the mark of a requested take-over; it is done when
    the job is. `bound` are the bindings that led to the targets. `names` is what the inspection of the batch found out
    about collections, if it did.
    """

    scene: Scene | None = None
    wanted: Wanted | None = None
    targets: tuple[Target, ...] = ()
    steps: tuple[Step, ...] = ()
    candidates: tuple[Candidate, ...] = ()
    key: str = ""
    undone: TakenBack = TakenBack.NO
    keys: tuple[str, ...] = ()
    take_over: str = ""
    bound: tuple[Binding, ...] = ()
    names: "Savable | None" = None

    @property
    def kept_fields(self) -> int:
        """The number of fields of its items that Plex keeps, and that you have not decided about."""
        return sum(target.kept_fields for target in self.targets)

    @property
    def has_recovered(self) -> bool:
        """Whether evidence of a restore shows that a value is PlexSync's own."""
        return any(target.plan.recovery.own for target in self.targets)

    @property
    def has_kept(self) -> bool:
        """Whether a value is left as yours although there is evidence of a restore."""
        return any(target.plan.recovery.kept for target in self.targets)

    @property
    def is_undecidable(self) -> bool:
        """Whether locked values in Plex may be from an earlier database, and no journal tells. They count as yours."""
        return any(target.has_unknown_values for target in self.targets if not target.was_lost)

    @cached_property
    def desired(self) -> str:
        """A hash of the desired values (of an ambiguous scene: its candidates), to tell a new request from a dead one."""
        if isinstance(self.outcome, Dead | NotShown):
            return self.outcome.desired
        if isinstance(self.outcome, OutOfScope):
            return NOTHING_WANTED
        if digests := {digest(target.wanted): None for target in self.targets}:
            return ",".join(digests)
        return digest(self.wanted) if self.wanted else ""


class Savable(Protocol):
    """Findings about a batch of scenes, to be saved with it."""

    def save(self, tx: Writer, inspections: Sequence[Inspection], *, now: int) -> None:
        """Save them, in the transaction that saves the inspections."""
        ...


def save_names(tx: Writer, inspections: Sequence[Inspection], *, now: int) -> None:
    """Save what the inspections found out about collections, before anything else of them."""
    for names in {id(inspection.names): inspection.names for inspection in inspections if inspection.names}.values():
        names.save(tx, inspections, now=now)


# Told the inspected scenes, and the time (UTC ms), in the transaction that saves them.
Observe = Callable[[Writer, Sequence[Inspection], int], None]


@record
class Past:
    """What is remembered about items.

    It holds memories and unfinished pushes by (scene, item key), the earlier owners of items, the profiles of libraries
    that have their own (by library key), the keys of the synced libraries, and the marks of take-overs by scene. `origins`
    has the library and the files that the items had then, `traits` are those of the server. `provenances` has what the
    journal knows about items that are older than their memory, or whose memory is. `doubted` has the pictures that were
    left on items or sent to them, of which neither memories nor pushes are believed, since they have other files now.
    `carrying` has the profiles of libraries, by key, with the names of collections that scenes carry there, where these
    are not simply those of the templates. `pushed` are the scenes without a memory of which the history has a push.
    `asking` are the keys of the libraries that ask PlexSync, `older` the items there from before, and `unwritten` makes the
    memory of those that PlexSync has not written.
    """

    memories: Mapping[tuple[int, str], Memory]
    pushings: Mapping[tuple[int, str], tuple[Pushing, ...]]
    owners: Mapping[str, frozenset[int]]
    profiles: Mapping[str, Profile]
    sections: frozenset[str]
    take_overs: Mapping[int, str] = field(default_factory=dict)
    traits: ServerTraits = UNKNOWN
    origins: Mapping[tuple[int, str], Origin] = field(default_factory=dict)
    provenances: Mapping[str, Provenance] = field(default_factory=dict)
    doubted: Mapping[str, tuple[tuple[str, Sending], ...]] = field(default_factory=dict)
    carrying: Mapping[str, Profile] = field(default_factory=dict)
    pushed: Collection[int] = ()
    asking: Collection[str] = ()
    older: Collection[str] = ()
    unwritten: Mapping[str, Callable[[Item], Memory]] = field(default_factory=dict)

    def policy(self, item: Item, policy: Policy, profile: Profile, *, take_over: bool, is_known: bool) -> Policy:
        """The policy for an item, by the settings and by whether its library, with this profile, asks PlexSync.

        What comes to an item that `is_known`, and not from PlexSync, is somebody's.
        """
        if take_over:
            policy = replace(policy, take_over=True)
        if profile.fixed_labels:
            policy = replace(policy, fixed_labels=profile.fixed_labels)
        if item.section in self.asking:
            policy = replace(policy, asked=True, born=not is_known and item.key not in self.older)
        return policy

    def was_lost(self, key: str) -> bool:
        """Whether the database does not know all pushes to an item."""
        return key in self.provenances and self.provenances[key].after is not None

    def pushed_fields(self, key: str) -> frozenset[str]:
        """The fields that the journal has of an item of which Plex or the database is from an older moment."""
        return self.provenances[key].pushed_fields if key in self.provenances else frozenset()

    def has_pictures(self, id: int, key: str, memory: Memory, pushing: Sequence[Pushing]) -> bool:
        """Whether anything is remembered that can tell about pictures of an item."""
        is_lost = not (memory or pushing) and self.is_pushed(id, key)
        if is_lost or key in self.doubted or key in self.provenances:
            return True
        return any(name in memory or any(name in push.fields for push in pushing) for name in PICTURES)

    def is_pushed(self, id: int, key: str) -> bool:
        """Whether an item has values of PlexSync although nothing is remembered to sync with, as after an undo."""
        return bool(self.owners.get(key)) or id in self.pushed

    def of_pictures(self, id: int, key: str, memory: Memory, pushing: Sequence[Pushing]) -> PicturePast:
        """What tells about the pictures of a scene's item with this memory and these pushes."""
        is_known = bool(memory or pushing) or self.is_pushed(id, key)
        is_first = not (is_known or key in self.doubted or key in self.provenances)
        return PicturePast(
            memory, tuple(pushing), self.doubted.get(key, ()), self.pushed_fields(key), is_first=is_first
        )

    def of(self, id: int, key: str) -> tuple[Memory, tuple[Pushing, ...]]:
        """The memory of a scene's item. If the item is new to the scene, the memory of the scene that had it before.

        A scene that was recreated, merged into another, or swapped its file finds PlexSync's own values there, not
        yours. That it was undone applied to the earlier scene, and not to this one.
        """
        before = sorted(self.owners.get(key, frozenset()) - {id})
        pairs = [(scene, key) for scene in (id, *before)]
        sources = (pair for held in (self.memories, self.pushings) for pair in pairs if pair in held)
        source, _ = next(sources, (id, key))
        memory, pushing = self.memories.get((source, key), {}), self.pushings.get((source, key), ())
        if source == id:
            return memory, pushing
        # A push of this scene that was planned with that memory, and whose result is unknown.
        return begun_anew(memory), (*pushing, *self.pushings.get((id, key), ()))

    def to_sync(self, id: int, key: str) -> tuple[Memory, tuple[Pushing, ...]]:
        """Like `of`, for a scene that is synced, whatever was undone before.

        If another scene has written to the item since the undo, its values are there, and not those of this scene.
        """
        others = sorted(self.owners.get(key, frozenset()) - {id})
        writer = next(
            (other for other in others if (other, key) in self.memories and not self._is_undone(other, key)), None
        )
        if writer is not None and ((id, key) not in self.memories or self._is_undone(id, key)):
            own = () if (id, key) in self.memories else self.pushings.get((id, key), ())
            return self.memories[writer, key], (*self.pushings.get((writer, key), ()), *own)
        memory, pushing = self.of(id, key)
        return begun_anew(memory) if undo_mode(memory) else memory, pushing

    def _is_undone(self, id: int, key: str) -> bool:
        return bool(undo_mode(self.memories[id, key]))

    def without(self, others: Collection[int]) -> "Past":
        """Without what was undone or is to be taken over of these scenes: their ids meant other scenes then."""
        if not others:
            return self
        return replace(
            self,
            memories={
                pair: begun_anew(memory) if pair[0] in others else memory for pair, memory in self.memories.items()
            },
            take_overs={id: mark for id, mark in self.take_overs.items() if id not in others},
        )

    def as_redone(self, ids: Collection[int]) -> "Past":
        """As if the undo of these scenes had ended (`plexsync.store.ledger.memories.Memories.begin_anew`)."""
        memories = dict(self.memories)
        for (id, key), memory in self.memories.items():
            if id in ids and undo_mode(memory):
                memories[id, key] = begun_anew(memory)
                if any((other, key) in self.memories for other in self.owners.get(key, frozenset()) - {id}):
                    del memories[id, key]
        return replace(self, memories=memories)

    def without_strangers(self, items: Mapping[str, Item | NeighbourError]) -> "Past":
        """Without the memories and pushes of which these items are not: their keys were dealt to others since."""
        read = {key: item for key, item in items.items() if isinstance(item, Item)}
        doubted = {
            pair
            for pair, origin in self.origins.items()
            if pair[1] in read
            and not is_of(origin, self.memories.get(pair, {}), self.pushings.get(pair, ()), read[pair[1]])
        }
        if not doubted:
            return self
        pictures: dict[str, tuple[tuple[str, Sending], ...]] = {}
        for pair in sorted(doubted):
            origin, (_, key) = self.origins[pair], pair
            if origin.agrees(read[key].library, origin.files):
                sent = _sent_pictures(self.memories.get(pair, {}), self.pushings.get(pair, ()))
                pictures[key] = (*pictures.get(key, ()), *sent)
        return replace(
            self,
            doubted=pictures,
            memories={pair: memory for pair, memory in self.memories.items() if pair not in doubted},
            pushings={pair: pushings for pair, pushings in self.pushings.items() if pair not in doubted},
            owners={
                key: frozenset(id for id in scenes if (id, key) not in doubted) for key, scenes in self.owners.items()
            },
            origins={pair: origin for pair, origin in self.origins.items() if pair not in doubted},
        )

    def target(
        self,
        id: int,
        item: Item,
        plan: Plan,
        shown: Wanted,
        profile: Profile,
        absent: frozenset[str] = frozenset(),
        *,
        renews_files: bool = False,
    ) -> Target:
        """An item of a scene with its plan. `renews_files`: other files than those remembered are remembered instead."""
        memory, pair = self.memories.get((id, item.key), {}), (id, item.key)
        origin = self.origins.get(pair) if renews_files and pair in self.memories else None
        same_files = origin and {part.path for part in origin.files} == {part.path for part in item.parts}
        has_other_files = origin is not None and not (same_files and origin.library)
        if (remembered := with_addresses(plan.memory, item)) is not plan.memory:
            plan = replace(plan, memory=remembered)
        lost = bool(self.provenances) and self.was_lost(item.key)
        facts = (item, plan, shown, profile, absent, self.traits, item.section in self.asking)
        return Target(*facts, memory=memory, has_other_files=has_other_files, was_lost=lost)

    def keys(self, id: int) -> list[str]:
        """The items with a memory or an unfinished push for a scene."""
        return sorted({key for scene, key in (*self.memories, *self.pushings) if scene == id})

    def mark(self, id: int) -> TakenBack:
        """How a scene was undone, whatever Stash says about it now. It is undone as soon as one of its items is."""
        marks = {undo_mode(memory) for (scene, _), memory in self.memories.items() if scene == id}
        return next((mark for mark in TakenBack if mark and mark in marks), TakenBack.NO)


def _sent_pictures(memory: Memory, pushings: Sequence[Pushing]) -> list[tuple[str, Sending]]:
    """The pictures that PlexSync left or sent, without those that it put back."""
    left = [
        (name, Sending(past.said, past.left, past.found, past.found))
        for name in PICTURES
        if (past := memory.get(name)) and not past.undone and past.left.value != past.found.value
    ]
    sent = [
        (name, push.fields[name])
        for push in pushings
        for name in PICTURES
        if name in push.fields and push.fields[name].said is not None and not push.fields[name].undone
    ]
    return left + sent


def past_of(db: Reader, ids: Sequence[int]) -> Past:
    """What is remembered about the items of these scenes, without owners, profiles and marks."""
    memories, pushings = db.memories.with_origins(ids), db.pushings.with_origins(ids)
    origins = {pair: pushed[-1][1] for pair, pushed in pushings.items()}
    origins |= {pair: origin for pair, (_, origin) in memories.items()}
    return Past(
        {pair: memory for pair, (memory, _) in memories.items()},
        {pair: tuple(pushing for pushing, _ in pushed) for pair, pushed in pushings.items()},
        {},
        {},
        frozenset(),
        origins=origins,
        traits=db.probes.present_traits(),
    )


@record
class StashValues:
    """What Stash says about a scene in every field, and which fields are shown; by library, '' for all others."""

    values: Mapping[str, Mapping[str, Value]]
    on: Mapping[str, Collection[str]]

    def of(self, section: str) -> tuple[Mapping[str, Value], Collection[str]]:
        """(values, names of the shown fields) in a library."""
        where = section if section in self.values else ""
        return self.values[where], self.on[where]


def mark_kept(tx: Writer, saved: Sequence[tuple[int, str, Memory]], *, now: int) -> None:
    """Mark the scenes of these saved memories (scene, item key, memory) that keep a field, and unmark the others."""
    keeping = {id for id, _, memory in saved if kept_fields(memory)}
    if keeping:
        tx.notes.mark_kept(sorted(keeping), now=now)
    if marked := tx.notes.kept_among(sorted({id for id, *_ in saved} - keeping)):
        still = {id for (id, _), memory in tx.memories.of(marked).items() if kept_fields(memory)}
        tx.notes.end_kept([id for id in marked if id not in still])

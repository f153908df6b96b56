"""Looking at scenes: what Stash says, which Plex items they are, what would have to change. Writes nothing to either side.

Engine, reconcile and explain see through the same eyes, so what one reports is what the other would do.
"""

import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from plexsync.engine.gates import Gates, outage
from plexsync.engine.tickets import READ, Gate
from plexsync.flows.scenes.artwork import Pictures
from plexsync.flows.scenes.plex_index import Indexer
from plexsync.flows.scenes.rules import LookRules
from plexsync.rules import match
from plexsync.rules.desired import Profile, Wanted, digest, wanted
from plexsync.rules.errors import Neighbour, NeighbourError, Refused, Unavailable
from plexsync.rules.item import FIELDS, Entry, Item
from plexsync.rules.job import Absent, Dead, Done, Gone, Outcome, OutOfScope, Waiting
from plexsync.rules.match import untenable
from plexsync.rules.match_records import AskRivals, Binding, Candidate, Matched, NotThere, Offer, Step, Unclear
from plexsync.rules.neighbours import Clock, Plex, Stash
from plexsync.rules.paths import base_name, name_key, path_key
from plexsync.rules.pictures import placed
from plexsync.rules.plan import plan
from plexsync.rules.plan_records import Memory, Plan, Pushing, Remembered, Undone
from plexsync.rules.scene import Scene
from plexsync.rules.scope import outside
from plexsync.rules.text import fold
from plexsync.rules.undo import begun_anew, is_taken_back, is_undone, ours_in, shows_our_hand, undo, undone
from plexsync.rules.values import Value
from plexsync.store.database import Database, Reader, Writer
from plexsync.store.db import clean

Decided = Matched | NotThere | Unclear
# What is known of a scene's items: decided, or the failure of its own that stands in the way, or what the index lacks.
Verdict = Decided | NeighbourError | Waiting
K = TypeVar("K", int, str)
T = TypeVar("T")

log = logging.getLogger("PlexSync.look")

# Plex is asked for missing files by name only while they are few; after that the libraries are walked.
FIND_AT_MOST = 5
# So often the index is put right before an item that changes all the time is left alone.
LOOKED_AGAIN = 2
# What nobody knows before the walk of another has ended: looked at again soon, and nobody's failure.
BEING_LISTED = Waiting("the libraries of Plex are being listed", "released", after=10.0, backoff=False)
# How the error of a scene begins whose item is another's; a row that died of anything else begins otherwise.
SHARED_ITEM = "its item is another scene's"
# And that of a scene whose bound item can't be written to.
BOUND_ITEM = "bound by hand, but item"
# The mark of a take-over that is only tried out.
ASKED = "asked"
# What is wanted of a scene that is out of scope, in the place of a hash.
NOTHING_WANTED = "outside"


@dataclass(frozen=True)
class Target:
    """One item of a scene, with the plan that brings it in step; `memory` is what was remembered before, `wanted` what its
    library is to show by its `profile`."""

    item: Item
    plan: Plan
    memory: Mapping[str, Remembered]
    wanted: Wanted
    profile: Profile

    def entry(self, until: int) -> Pushing:
        """The push to save before its edit goes out."""
        return Pushing(fields=self.plan.sending, until=until)


@dataclass(frozen=True)
class Sight:
    """What was seen of one scene. Either `targets` are there to be brought in step, or `outcome` says why there are none,
    or `error` is the failure of the scene alone or of its item `key` alone, to be judged by the evidence of others.
    `keys` are the items that are its own, or may be when that is not clear.

    `undone` tells how our hand was taken off the scene: then the targets are the items that we had written to. `ends` is
    what becomes of the job once the targets are as they should be. `take_over`: the mark of the wish that what was in
    Plex before us becomes ours; it is done once the job is."""

    id: int
    scene: Scene | None = None
    wanted: Wanted | None = None
    targets: tuple[Target, ...] = ()
    outcome: Outcome | None = None
    steps: tuple[Step, ...] = ()
    candidates: tuple[Candidate, ...] = ()
    error: NeighbourError | None = None
    key: str = ""
    undone: Undone = ""
    ends: Outcome = field(default_factory=Done)
    keys: tuple[str, ...] = ()
    take_over: str = ""

    @property
    def desired(self) -> str:
        """A hash of what is wanted, to tell a new wish from the one that died; for an ambiguous scene, of its candidates."""
        if isinstance(self.outcome, Dead):
            return self.outcome.desired
        if isinstance(self.outcome, OutOfScope):
            return NOTHING_WANTED
        if shown := {digest(target.wanted): None for target in self.targets}:
            return ",".join(shown)
        return digest(self.wanted) if self.wanted else ""


@dataclass(frozen=True)
class Past:
    """What is known of items from before: memories and unfinished pushes by (scene, item key), and whose the items were;
    by their library's key, the profiles of libraries that have one of their own; the keys of the libraries in step; by
    scene, the marks of those whose items are to be taken over."""

    memories: Mapping[tuple[int, str], Memory]
    pushings: Mapping[tuple[int, str], tuple[Pushing, ...]]
    owners: Mapping[str, frozenset[int]]
    profiles: Mapping[str, Profile]
    sections: frozenset[str]
    take_overs: Mapping[int, str] = field(default_factory=dict)

    def of(self, id: int, key: str) -> tuple[Memory, tuple[Pushing, ...]]:
        """What a scene is to know of its item: if it is new to it, what the scene knew that had the item before.

        A scene that was deleted and made anew, merged into another, or swapped its file, finds our own values there; they
        are no person's. That it was undone was about that scene, and not about this one.
        """
        before = sorted(self.owners.get(key, frozenset()) - {id})
        source = next((scene for scene in (id, *before) if (scene, key) in self.memories), id)
        memory = self.memories.get((source, key), {})
        return memory if source == id else begun_anew(memory), self.pushings.get((source, key), ())

    def keys(self, id: int) -> list[str]:
        """The items of which anything is remembered, or on its way, for a scene."""
        return sorted({key for scene, key in (*self.memories, *self.pushings) if scene == id})

    def mark(self, id: int) -> Undone:
        """How our hand was taken off a scene, whatever Stash says of it by now."""
        marks = (undone(memory) for (scene, _), memory in self.memories.items() if scene == id)
        return next(filter(None, marks), "")


class Looker:
    """Sees scenes as they are now, with the index as the map of Plex.

    `patient`: while another thread walks the libraries it is waited for; a worker has other things to do, and a watchdog.
    """

    def __init__(
        self,
        store: Database,
        stash: Stash,
        plex: Plex,
        indexer: Indexer,
        gates: Gates,
        clock: Clock,
        rules: LookRules,
        pictures: Pictures | None = None,
        *,
        patient: bool = True,
    ) -> None:
        self.pictures = pictures
        self.pictured = pictures is not None and rules.pictured
        self._store = store
        self._stash = stash
        self._plex = plex
        self._indexer = indexer
        self._gates = gates
        self._clock = clock
        self._rules = rules
        self._patient = patient

    def look(self, ids: Sequence[int], *, undoing: Undone = "", taking_over: bool = False) -> list[Sight]:
        """See the scenes of these ids; those Stash does not have (any more) are Gone.

        `undoing`: what would be done if all of them were undone so, now; `taking_over`: if their items were taken over.
        """
        answers = self._read(Neighbour.STASH, self._stash.scenes, ids)
        scenes = [answer for answer in answers.values() if isinstance(answer, Scene)]
        failed = [Sight(id, error=answer) for id, answer in answers.items() if isinstance(answer, NeighbourError)]
        gone = [id for id in ids if id not in answers]
        inspections = self.look_at(scenes, undoing=undoing, taking_over=taking_over)
        return inspections + failed + self._look_back(gone, undoing)

    def look_at(self, scenes: Sequence[Scene], *, undoing: Undone = "", taking_over: bool = False) -> list[Sight]:
        """See scenes that were just read from Stash; the rest as for `look`.

        Those out of scope cost Plex nothing, but for what is being taken back.
        """
        exclusions = {scene.id: reason for scene in scenes if (reason := outside(scene, self._rules.scope))}
        back = set(exclusions) if undoing else self._undone_among(exclusions)
        inside = [scene for scene in scenes if scene.id not in exclusions or scene.id in back]
        sights = self._look_in_plex(inside, undoing, taking_over=taking_over) if inside or not exclusions else []
        by_id = {sight.id: sight for sight in sights}
        for scene in scenes:
            if scene.id in exclusions and not (scene.id in by_id and by_id[scene.id].undone):
                by_id[scene.id] = Sight(scene.id, scene, outcome=OutOfScope(exclusions[scene.id]))
        return [by_id[scene.id] for scene in scenes]

    def _undone_among(self, ids: Iterable[int]) -> set[int]:
        with self._store.reading() as db:
            return {id for (id, _), memory in db.memories.of(sorted(ids)).items() if undone(memory)}

    def _look_in_plex(self, scenes: Sequence[Scene], undoing: Undone, *, taking_over: bool) -> list[Sight]:
        news = self._freshen() if self._indexer.empty() else False
        verdicts = self._match(scenes)
        missing = self._missing(scenes, verdicts)
        if missing and news is not None and (news := self._freshen()):
            verdicts |= self._match(missing)
        if lacks := BEING_LISTED if news is None else self._gap():
            # It may be what they lack, or hold the item that a look-alike would be taken for.
            verdicts |= dict.fromkeys((scene.id for scene in self._missing(scenes, verdicts)), lacks)
        items = self.items(_claims(verdicts))
        self._match_again(scenes, verdicts, items)
        past = self._past(verdicts)
        if taking_over:
            past = replace(past, take_overs={scene.id: ASKED for scene in scenes})
        back = (
            self._undone(scenes, verdicts, past, undoing) if undoing or any(map(undone, past.memories.values())) else {}
        )
        undone_scenes = self._seen_back(list(back.values()), verdicts, items, past, afresh=bool(undoing))
        return [undone_scenes.get(scene.id) or self._sight(scene, verdicts[scene.id], items, past) for scene in scenes]

    def _freshen(self, *, force: bool = False) -> bool | None:
        return self._indexer.freshen(force=force, wait=self._patient)

    def _gap(self) -> Waiting | None:
        gap = self._indexer.gap()
        return Waiting(gap, "unavailable") if gap else None

    @staticmethod
    def save(tx: Writer, sights: Iterable[Sight], *, now: int) -> None:
        """Keep what looking has taught: resolved pushes, fields found right, fields forgotten."""
        targets = [(sight.id, target.item.key, target) for sight in sights for target in sight.targets]
        learnt = [(id, key, target.plan.memory) for id, key, target in targets if target.plan.memory != target.memory]
        tx.memories.save_all(learnt, now=now)
        tx.pushings.drop_ended([(id, key) for id, key, _ in targets], ended=now)

    def may_be_in(self, scenes: Sequence[Scene], sections: Collection[str]) -> list[Scene]:
        """Those of these scenes that the index leads to an item of these libraries for, by place, by name or by memory."""
        with self._store.reading() as db:
            offers = self._offers(db, scenes)
            bound = {binding.key for offer in offers.values() for binding in offer.bound}
            entries = {entry.key: entry for entry in db.index.entries(sorted(bound))}
        led = {
            id: (*offer.entries, *(entries[binding.key] for binding in offer.bound if binding.key in entries))
            for id, offer in offers.items()
        }
        return [scene for scene in scenes if any(entry.section in sections for entry in led[scene.id])]

    def led_to(self, scenes: Sequence[Scene]) -> dict[int, tuple[str, ...]]:
        """The items that the index alone leads each of these scenes to; asks nobody, so it is no proof."""
        with self._store.reading() as db:
            offers = self._offers(db, scenes)
        verdicts = {id: match.match(replace(offer, rivals=())) for id, offer in offers.items()}
        return {id: () if isinstance(verdict, AskRivals) else _claimed(verdict) for id, verdict in verdicts.items()}

    @staticmethod
    def _missing(scenes: Sequence[Scene], verdicts: Mapping[int, Verdict]) -> list[Scene]:
        """The scenes that no full path leads to an item for."""
        return [scene for scene in scenes if scene.files and _needs_all(verdicts[scene.id])]

    # --- matching ----------------------------------------------------------------------------------------------------

    def _match(self, scenes: Sequence[Scene]) -> dict[int, Verdict]:
        """Two rounds at most: what cannot be told from Plex's side alone asks Stash who else has such a file."""
        with self._store.reading() as db:
            offers = self._offers(db, scenes)
        verdicts = {id: match.match(offer) for id, offer in offers.items()}
        asking = {id: verdict.names for id, verdict in verdicts.items() if isinstance(verdict, AskRivals)}

        def rivals(ids: Sequence[int]) -> dict[int, Sequence[Scene]]:
            return dict.fromkeys(ids, self._stash.rivals(sorted({name for id in ids for name in asking[id]})))

        rival_scenes = self._read(Neighbour.STASH, rivals, asking)
        decided: dict[int, Verdict] = {}
        for id, verdict in verdicts.items():
            answer = rival_scenes.get(id, ())
            if isinstance(answer, NeighbourError):
                decided[id] = answer
            elif isinstance(verdict, AskRivals):
                again = match.match(replace(offers[id], rivals=answer))
                decided |= {} if isinstance(again, AskRivals) else {id: again}
            else:
                decided[id] = verdict
        return decided

    def _offers(self, db: Reader, scenes: Sequence[Scene]) -> dict[int, Offer]:
        """What the index and the past offer each of these scenes; read for all of them together."""
        bindings, unbound = db.bindings.all(), db.bindings.withdrawn()
        places = {scene.id: match.places(scene, self._rules.paths) for scene in scenes}
        names = {scene.id: match.names(scene) for scene in scenes}
        remembered: dict[int, set[str]] = {scene.id: set() for scene in scenes}
        for id, key in db.memories.of(list(remembered)).keys() - unbound:
            remembered[id].add(key)
        at = by_part(db.index.entries_at(sorted(set().union(*places.values()))), path_key)
        named = by_part(db.index.entries_named(sorted(set().union(*names.values()))), name_key)
        past = {entry.key: entry for entry in db.index.entries(sorted(set().union(*remembered.values())))}
        offered = {
            id: {
                **_united(at, places[id]),
                **_united(named, names[id]),
                **{key: past[key] for key in sorted(keys) if key in past},
            }
            for id, keys in remembered.items()
        }
        owners = db.memories.owners(sorted({key for entries in offered.values() for key in entries}))
        return {
            scene.id: Offer(
                scene=scene,
                entries=tuple(offered[scene.id].values()),
                remembered=frozenset(remembered[scene.id]),
                owners={key: owners[key] for key in offered[scene.id] if key in owners},
                rules=self._rules.paths,
                bindings=bindings,
            )
            for scene in scenes
        }

    def _match_again(
        self,
        scenes: Sequence[Scene],
        verdicts: dict[int, Verdict],
        items: dict[str, Item | NeighbourError],
    ) -> None:
        """What the index says is a map and no proof: an item is gone, or has other files by now.

        Then Plex is asked by file name, the index put right, and matched once more. An item that will not hold still is
        nobody's.
        """
        for _ in range(LOOKED_AGAIN):
            again = self._misled(scenes, verdicts, items)
            if not again:
                return
            keys = _claims({scene.id: verdicts[scene.id] for scene in again})
            # Asked before anything is forgotten: should Plex not answer now, a look-alike would be the only one that fits.
            try:
                asked = self._ask_for(again)
            except Unavailable as error:
                # Other items were read a moment ago, so it may be these alone.
                verdicts |= dict.fromkeys((scene.id for scene in again), error)
                return
            if not asked:
                verdicts |= dict.fromkeys((scene.id for scene in again), BEING_LISTED)
                return
            moved = [entry_of(item) for key, item in items.items() if key in keys and isinstance(item, Item)]
            self._indexer.correct(moved, gone=sorted(keys - items.keys()))
            verdicts |= self._match(again)
            items |= self.items(_claims(verdicts) - items.keys())
        for scene in self._misled(scenes, verdicts, items):
            verdicts[scene.id] = NotThere((Step("files", "Its item in Plex got other files while it was looked at."),))

    def _misled(
        self,
        scenes: Sequence[Scene],
        verdicts: Mapping[int, Verdict],
        items: Mapping[str, Item | NeighbourError],
    ) -> list[Scene]:
        """The scenes that an entry was found for, or candidates, which Plex does not have, or has with other files.

        What is bound by hand was not found by the map.
        """
        claims = {
            id: _claims({id: verdict})
            for id, verdict in verdicts.items()
            if not (isinstance(verdict, Matched) and verdict.bound)
        }
        keys = {key for some in claims.values() for key in some}
        with self._store.reading() as db:
            indexed_files = {entry.key: files_of(entry) for entry in db.index.entries(sorted(keys))}
        stale = {
            key
            for key in keys
            if key not in items or (isinstance(item := items[key], Item) and files_of(item) != indexed_files.get(key))
        }
        return [scene for scene in scenes if claims.get(scene.id, set()) & stale]

    def _ask_for(self, scenes: Sequence[Scene]) -> bool:
        """Ask Plex for the files of these scenes; False when that has to wait for the walk of another."""
        if len(scenes) > FIND_AT_MOST:
            return self._freshen(force=True) is not None
        self._indexer.find(sorted({base_name(file.path) for scene in scenes for file in scene.files}))
        return True

    # --- items -------------------------------------------------------------------------------------------------------

    def items(self, keys: Iterable[str]) -> dict[str, Item | NeighbourError]:
        """Full items in one request, halved as `_read` says; those Plex does not have are left out."""
        return self._read(Neighbour.PLEX, self._plex.items, keys)

    def _read(
        self, neighbour: Neighbour, request: Callable[[list[K]], Mapping[K, T]], keys: Iterable[K]
    ) -> dict[K, T | NeighbourError]:
        """What `request` answers for these keys, asked for together.

        A request that fails is halved before anyone is blamed, and the whole halving is one report: well if any part was
        answered, with the error in place of what was not. Both halves failing is an outage and raises, also when they were
        refused: no single one of them is to blame. A failure of one alone stands in its place, for others to judge.
        """
        wanted_keys = sorted(set(keys))
        if not wanted_keys:
            return {}
        ticket = self._gates.ticket(Gate(neighbour, READ))
        try:
            answers = halved(request, wanted_keys)
        except NeighbourError as error:
            failure = outage(error) if len(wanted_keys) > 1 else error
            self._gates.ill(ticket, failure)
            if len(wanted_keys) == 1 and may_be_its_own(failure):
                return {wanted_keys[0]: failure}
            raise failure from None
        self._gates.well(ticket)
        return answers

    # --- planning ----------------------------------------------------------------------------------------------------

    def _past(self, verdicts: Mapping[int, Verdict]) -> "Past":
        keys = keys_of(_matches(verdicts))
        with self._store.reading() as db:
            owners = db.memories.owners(sorted(keys))
            ids = sorted({*verdicts, *(id for scenes in owners.values() for id in scenes)})
            rows = db.sections.all()
            titles = {row.key: fold(row.title) for row in rows} if self._rules.libraries else {}
            own = {key: self._rules.libraries[title] for key, title in titles.items() if title in self._rules.libraries}
            sections = frozenset(row.key for row in rows)
            marks = db.notes.take_overs(sorted(verdicts))
            return Past(db.memories.of(ids), db.pushings.of(ids), owners, own, sections, marks)

    def _sight(
        self,
        scene: Scene,
        verdict: Verdict,
        items: Mapping[str, Item | NeighbourError],
        past: "Past",
    ) -> Sight:
        desired = wanted(scene, self._rules.profile)
        if isinstance(verdict, NeighbourError):
            return Sight(scene.id, scene, desired, error=verdict)
        if isinstance(verdict, Waiting):
            return Sight(scene.id, scene, desired, outcome=verdict)
        mark = past.take_overs.get(scene.id, "")
        base = Sight(scene.id, scene, desired, steps=verdict.steps, keys=_claimed(verdict), take_over=mark)
        if isinstance(verdict, NotThere):
            return replace(base, outcome=Absent(absence(scene)))
        if isinstance(verdict, Unclear):
            return replace(base, outcome=unclear(verdict), candidates=verdict.candidates)
        for binding in verdict.bound:
            item = items.get(binding.key)
            obstacle = "" if isinstance(item, NeighbourError) else untenable(binding, scene, item, past.sections)
            if obstacle:
                return replace(base, outcome=untied(binding, obstacle))
        targets = []
        for key in verdict.keys:
            item = items.get(key)
            if item is None:
                return replace(base, outcome=Absent("Plex no longer has the item"))
            if isinstance(item, NeighbourError):
                return replace(base, error=item, key=key)
            profile = past.profiles.get(item.section, self._rules.profile)
            shown = desired if profile is self._rules.profile else wanted(scene, profile)
            memory, pushing = past.of(scene.id, key)
            memory = begun_anew(memory)
            if self.pictures:
                try:
                    shown = self.pictures.with_pictures(scene, shown, profile)
                    item = self.pictures.told(item, shown.values, memory, pushing)
                except NeighbourError as error:
                    if not may_be_its_own(error):
                        raise
                    return replace(base, error=error, key=key if error.neighbour is Neighbour.PLEX else "")
            if self._rules.strict and (cut := [note for note in shown.notes if note.reason in ("cut", "dropped")]):
                return replace(base, outcome=Dead("strict", cut[0].text, desired=digest(shown)))
            policy = replace(self._rules.policy, take_over=bool(mark))
            steps = plan(shown.values, item, memory, pushing, policy)
            steps = replace(steps, memory=placed(steps.memory, item))
            targets.append(Target(item, steps, past.memories.get((scene.id, key), {}), shown, profile))
        return replace(base, targets=tuple(targets))

    def _shown(self, scene: Scene, profile: Profile, *, patient: bool = False) -> Wanted:
        """What is wanted in a library of this profile; without what can't be read, unless there is time to try it again."""
        shown = wanted(scene, profile)
        return self.pictures.with_pictures(scene, shown, profile, patient=patient) if self.pictures else shown

    # --- taking back -------------------------------------------------------------------------------------------------

    def _undone(
        self, scenes: Sequence[Scene], verdicts: Mapping[int, Verdict], past: "Past", undoing: Undone
    ) -> dict[int, Sight]:
        """Those of the scenes that stay undone, or (`undoing`) would be; their targets are still to be seen."""
        inspections = {}
        for scene in scenes:
            verdict = verdicts[scene.id]
            keys = past.keys(scene.id)
            undo_mark = undoing or past.mark(scene.id)
            if not undo_mark or isinstance(verdict, NeighbourError | Waiting):
                continue
            mark, desired = past.take_overs.get(scene.id, ""), wanted(scene, self._rules.profile)
            base = Sight(scene.id, scene, desired, steps=verdict.steps, undone=undo_mark, take_over=mark)
            try:
                if undoing or self._stays_undone(scene, keys, past):
                    inspections[scene.id] = base
            except NeighbourError as error:
                if not may_be_its_own(error):
                    raise
                inspections[scene.id] = replace(base, error=error)
        return inspections

    def _stays_undone(self, scene: Scene, keys: Iterable[str], past: "Past") -> bool:
        """Whether Stash still says of every item that is undone what it said then.

        What can't be read just now may be what has changed, and is tried again.
        """
        marked = [(key, memory) for key in keys if undone(memory := past.memories.get((scene.id, key), {}))]
        profiles = self._profiles_of([key for key, _ in marked], past.profiles)
        return all(is_undone(memory, self._shown(scene, profiles[key], patient=True).values) for key, memory in marked)

    def _profiles_of(self, keys: Sequence[str], own: Mapping[str, Profile]) -> dict[str, Profile]:
        """The profile of each item's library; the usual one for items that are not in the index."""
        with self._store.reading() as db:
            sections = {entry.key: entry.section for entry in db.index.entries(keys)} if own else {}
        return {key: own.get(sections.get(key, ""), self._rules.profile) for key in keys}

    def _look_back(self, ids: Sequence[int], undoing: Undone) -> list[Sight]:
        """Scenes that Stash does not have: there is nothing to do, unless what was pushed for them is to be taken back."""
        with self._store.reading() as db:
            past = Past(db.memories.of(ids), db.pushings.of(ids), {}, {}, frozenset())
        usual: Undone = "gone" if self._rules.undo_gone else ""
        back = []
        for id in ids:
            if past.keys(id) and (undo_mark := undoing or past.mark(id) or usual):
                back.append(Sight(id, undone=undo_mark, ends=Gone()))
        inspections = self._seen_back(back, {}, {}, past, afresh=bool(undoing))
        return [inspections.get(id) or Sight(id, outcome=Gone()) for id in ids]

    def _seen_back(
        self,
        back: Sequence[Sight],
        verdicts: Mapping[int, Verdict],
        items: Mapping[str, Item | NeighbourError],
        past: "Past",
        *,
        afresh: bool,
    ) -> dict[int, Sight]:
        """What there is to put back for scenes that are undone, or (`afresh`) would be."""
        if not back:
            return {}
        matched = {id: keys_of(_matches({id: verdict})) for id, verdict in verdicts.items()}
        keys = {sight.id: {*past.keys(sight.id), *matched.get(sight.id, ())} for sight in back if not sight.error}
        all_items = {**items, **self.items({key for some in keys.values() for key in some} - items.keys())}
        # Items that no file leads to any more: whose they are is told by our hand on them, and by who has their files now.
        stray = {
            key: item.parts
            for id, some in keys.items()
            for key in some - matched.get(id, set())
            if isinstance(item := all_items.get(key), Item) and _is_stray(item, *past.of(id, key))
        }

        def rivals(asked: list[str]) -> dict[str, Sequence[Scene]]:
            names = {base_name(part.path) for key in asked for part in stray[key]}
            return dict.fromkeys(asked, self._stash.rivals(sorted(names)))

        rival_scenes = self._read(Neighbour.STASH, rivals, stray)
        inspections = {sight.id: sight for sight in back}
        for id, some in keys.items():
            mine = {key: () if key in matched.get(id, set()) else rival_scenes.get(key) for key in sorted(some)}
            inspections[id] = self._back_sight(inspections[id], mine, all_items, past, afresh=afresh)
        return inspections

    def _back_sight(
        self,
        sight: Sight,
        keys: Mapping[str, Sequence[Scene] | NeighbourError | None],
        items: Mapping[str, Item | NeighbourError],
        past: "Past",
        *,
        afresh: bool,
    ) -> Sight:
        """One scene's items: by key those who may have it instead, None for an item that does not show our hand."""
        targets = []
        for key, rivals in keys.items():
            item = items.get(key)
            for error in (item, rivals):
                if isinstance(error, NeighbourError):
                    return replace(sight, error=error, key=key if error.neighbour is Neighbour.PLEX else "")
            if not isinstance(item, Item) or isinstance(rivals, NeighbourError) or rivals is None:
                continue
            if any(
                rival.id != sight.id and match.has_file_of(rival, item.parts, self._rules.paths) for rival in rivals
            ):
                # What was pushed is for that scene to know.
                continue
            try:
                targets.append(self._back_target(sight, item, past, afresh=afresh))
            except NeighbourError as error:
                if not may_be_its_own(error):
                    raise
                return replace(sight, error=error, key=key if error.neighbour is Neighbour.PLEX else "")
        return replace(sight, targets=tuple(targets))

    def _back_target(self, sight: Sight, item: Item, past: "Past", *, afresh: bool) -> Target:
        profile = past.profiles.get(item.section, self._rules.profile)
        shown = self._shown(sight.scene, profile) if sight.scene else Wanted({})
        memory, pushing = past.of(sight.id, item.key)
        if afresh or not is_undone(memory, shown.values):
            stash_values = self._said(sight.scene, profile) if sight.scene else {}
            memory = undo(memory, pushing, stash_values, shown.values.keys(), sight.undone)
        if self.pictures:
            unknown = {name for name in shown.values if name not in memory}
            item = self.pictures.told(item, dict.fromkeys((*unknown, *ours_in(memory)), True), memory, pushing)
        steps = plan(shown.values, item, memory, pushing, self._rules.policy)
        steps = replace(steps, memory=placed(steps.memory, item))
        return Target(item, steps, past.memories.get((sight.id, item.key), {}), shown, profile)

    def said(self, ids: Sequence[int]) -> dict[int, "Said | NeighbourError"]:
        """What Stash says of these scenes now, in every field; those that it does not have are left out."""
        answers = self._read(Neighbour.STASH, self._stash.scenes, ids)
        own = self._past({}).profiles
        values_by_id: dict[int, Said | NeighbourError] = {}
        for id, answer in answers.items():
            if isinstance(answer, NeighbourError):
                values_by_id[id] = answer
                continue
            profiles = {"": self._rules.profile, **own}
            try:
                values = {section: self._said(answer, profile) for section, profile in profiles.items()}
            except NeighbourError as error:
                if not may_be_its_own(error):
                    raise
                values_by_id[id] = error
                continue
            on = {section: frozenset((*profile.fields, *profile.pictures)) for section, profile in profiles.items()}
            values_by_id[id] = Said(values, on)
        return values_by_id

    def _said(self, scene: Scene, profile: Profile) -> Mapping[str, Value]:
        """What Stash says of a scene, also in the fields that are switched off."""
        return {
            **self._shown(scene, profile).values,
            **wanted(scene, replace(profile, fields=frozenset(FIELDS))).values,
        }


@dataclass(frozen=True)
class Said:
    """What Stash says of a scene in every field, and which of them are shown; both by library, '' for all others."""

    values: Mapping[str, Mapping[str, Value]]
    on: Mapping[str, Collection[str]]

    def of(self, section: str) -> tuple[Mapping[str, Value], Collection[str]]:
        """(values, names of those that are shown) in a library."""
        where = section if section in self.values else ""
        return self.values[where], self.on[where]


def _is_stray(item: Item, memory: Memory, pushing: Sequence[Pushing]) -> bool:
    """Whether an item that no file leads to has something of ours, and certainly is the one we wrote to."""
    return not is_taken_back(memory) and shows_our_hand(item, memory, pushing)


def may_be_its_own(error: NeighbourError) -> bool:
    """Whether a request for one thing can have failed because of that thing."""
    return isinstance(error, Refused) or (isinstance(error, Unavailable) and error.sent)


def halved(request: Callable[[list[K]], Mapping[K, T]], keys: list[K]) -> dict[K, T | NeighbourError]:
    """The answers to one request, or to its halves while only one of two fails; raises when both do, or nothing was sent."""
    try:
        return dict(request(keys))
    except (Unavailable, Refused) as error:
        if len(keys) == 1 or (isinstance(error, Unavailable) and not error.sent):
            raise
    return _parted(request, keys)


def _parted(request: Callable[[list[K]], Mapping[K, T]], keys: list[K]) -> dict[K, T | NeighbourError]:
    """As `halved`, for keys that failed together."""
    middle = len(keys) // 2
    answers: list[tuple[list[K], Mapping[K, T] | NeighbourError]] = []
    for half in (keys[:middle], keys[middle:]):
        try:
            answers.append((half, request(half)))
        except (Unavailable, Refused) as error:
            answers.append((half, error))
    failures = [error for _, error in answers if isinstance(error, NeighbourError)]
    if len(failures) == len(answers):
        raise failures[0]
    results: dict[K, T | NeighbourError] = {}
    for half, answer in answers:
        results |= _blamed(request, half, answer) if isinstance(answer, NeighbourError) else answer
    return results


def _blamed(
    request: Callable[[list[K]], Mapping[K, T]], keys: list[K], error: NeighbourError
) -> dict[K, T | NeighbourError]:
    """Which of the keys that failed together are to blame: one, or all when their halves fail too."""
    if len(keys) > 1:
        try:
            return _parted(request, keys)
        except (Unavailable, Refused):
            pass
    return dict.fromkeys(keys, error)


def keys_of(verdicts: Iterable[Decided]) -> set[str]:
    """The rating keys that matched."""
    return {key for verdict in verdicts if isinstance(verdict, Matched) for key in verdict.keys}


def by_part(entries: Iterable[Entry], key_of: Callable[[str], str]) -> dict[str, list[Entry]]:
    """The entries by what their files are found by, in the order of the entries."""
    by_key: dict[str, list[Entry]] = {}
    for entry in entries:
        for part in dict.fromkeys(key_of(part.path) for part in entry.parts):
            by_key.setdefault(part, []).append(entry)
    return by_key


def _united(by_key: Mapping[str, Sequence[Entry]], keys: Iterable[str]) -> dict[str, Entry]:
    """The entries under any of these keys, by rating key and in its order."""
    entries = {entry.key: entry for key in keys for entry in by_key.get(clean(key), ())}
    return dict(sorted(entries.items()))


def files_of(item: Entry | Item) -> frozenset[tuple[str, int]]:
    """By what an item is known again. A duration comes only once Plex has analysed a file."""
    return frozenset((part.path, part.size) for part in item.parts)


def _claimed(verdict: Decided) -> tuple[str, ...]:
    """The items that a scene has, or may have."""
    match verdict:
        case Matched(keys=keys):
            return keys
        case Unclear(candidates=candidates):
            return tuple(candidate.key for candidate in candidates)
        case _:
            return ()


def _claims(verdicts: Mapping[int, Verdict]) -> set[str]:
    """The items that any of these scenes has, or may have."""
    return {key for verdict in _matches(verdicts) for key in _claimed(verdict)}


def entry_of(item: Item) -> Entry:
    """An item as the index is to know it."""
    return Entry(item.key, item.section, item.parts, item.stamp)


def _matches(verdicts: Mapping[int, Verdict]) -> list[Decided]:
    return [verdict for verdict in verdicts.values() if not isinstance(verdict, NeighbourError | Waiting)]


def _needs_all(verdict: Verdict) -> bool:
    """Whether it holds only if the index knows all of Plex: nothing was found, or one item by its file's name."""
    if isinstance(verdict, Matched):
        return verdict.steps[-1].rung in ("name and size", "name and duration")
    return isinstance(verdict, NotThere)


def absence(scene: Scene) -> str:
    """One line that says why a scene is not in Plex."""
    if not scene.files:
        return "the scene has no file"
    return "no item in Plex has this file (yet)"


def unclear(verdict: Unclear) -> Dead:
    """Nothing is written where it is not certain; looked at again when the candidates change."""
    keys = sorted(candidate.key for candidate in verdict.candidates)
    summary = SHARED_ITEM if verdict.reason == "shared item" else "several files could be it"
    return Dead("ambiguous", f"{summary}: nothing is written (plexsync explain lists the candidates)", ",".join(keys))


def untied(binding: Binding, obstacle: str) -> Dead:
    """A bound item that can't be written to is a person's affair; looked at again when Plex or the bindings change."""
    scene, key = binding.scene, binding.key
    remedy = f"plexsync unbind {scene} {key}, or plexsync bind {scene} ITEM"
    summary = f"{BOUND_ITEM} {key} {obstacle}: nothing is written ({remedy})"
    return Dead("ambiguous", summary, f"bound:{key} {obstacle}")

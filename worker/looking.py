"""Looking at scenes: what Stash says, which Plex items they are, what would have to change. Writes nothing to either side.

Engine, reconcile and explain see through the same eyes, so what one reports is what the other would do.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from sync import match
from sync.errors import Neighbour, NeighbourError, Unavailable
from sync.item import Item
from sync.job import Absent, Dead, Gone, Outcome
from sync.match import AskRivals, Candidate, Matched, NotThere, Step, Unclear
from sync.paths import base_name
from sync.plan import Memory, Plan, Pushing, Remembered, plan
from sync.ports import Clock, Plex, Reading, Stash, Store, Writing
from sync.scene import Scene
from sync.wanted import Wanted, digest, wanted
from worker.gates import READ, Gates
from worker.indexing import Indexer
from worker.rules import LookRules

Decided = Matched | NotThere | Unclear

log = logging.getLogger("PlexSync.look")

# Plex is asked for missing files by name only while they are few; after that the marks of the libraries have to do.
FIND_AT_MOST = 5


@dataclass(frozen=True)
class Target:
    """One item of a scene, with the plan that brings it in step; `memory` is what was remembered before."""

    item: Item
    plan: Plan
    memory: Mapping[str, Remembered]

    def entry(self, until: int) -> Pushing:
        """The push to save before its edit goes out."""
        return Pushing(fields=self.plan.sending, until=until)


@dataclass(frozen=True)
class Sight:
    """What was seen of one scene. Either `targets` are there to be brought in step, or `outcome` says why there are none,
    or `error` is the failure of its item `key` alone, to be judged by the evidence of others."""

    id: int
    scene: Scene | None = None
    wanted: Wanted | None = None
    targets: tuple[Target, ...] = ()
    outcome: Outcome | None = None
    steps: tuple[Step, ...] = ()
    candidates: tuple[Candidate, ...] = ()
    error: NeighbourError | None = None
    key: str = ""

    def ended(self, outcome: Outcome) -> "Sight":
        """The same sight, with nothing left to do but to settle."""
        return replace(self, targets=(), outcome=outcome)


class Looker:
    """Sees scenes as they are now, with the index as the map of Plex."""

    def __init__(
        self,
        store: Store,
        stash: Stash,
        plex: Plex,
        indexer: Indexer,
        gates: Gates,
        clock: Clock,
        rules: LookRules,
    ) -> None:
        self._store = store
        self._stash = stash
        self._plex = plex
        self._indexer = indexer
        self._gates = gates
        self._clock = clock
        self._rules = rules

    def look(self, ids: Sequence[int]) -> list[Sight]:
        """See the scenes of these ids; those Stash does not have (any more) are Gone."""
        scenes = self._gates.ask(Neighbour.STASH, READ, lambda: self._stash.scenes(ids))
        gone = [Sight(id, outcome=Gone()) for id in ids if id not in scenes]
        return self.look_at(list(scenes.values())) + gone

    def look_at(self, scenes: Sequence[Scene]) -> list[Sight]:
        """See scenes that were just read from Stash."""
        if self._indexer.empty():
            self._indexer.freshen()
        verdicts = self._match(scenes)
        missing = [scene for scene in scenes if isinstance(verdicts[scene.id], NotThere) and scene.files]
        if missing and self._indexer.freshen():
            verdicts |= self._match(missing)
        items = self.items(keys_of(verdicts.values()))
        verdicts |= self._match_again(scenes, verdicts, items)
        with self._store.reading() as db:
            memories, pushings = db.memories([s.id for s in scenes]), db.pushings([s.id for s in scenes])
        return [self._sight(scene, verdicts[scene.id], items, memories, pushings) for scene in scenes]

    def save(self, tx: Writing, sight: Sight, target: Target, *, now: int) -> None:
        """Keep what looking has taught: resolved pushes, fields found right, fields forgotten."""
        if target.plan.memory != target.memory:
            tx.remember(sight.id, target.item.key, target.plan.memory, now=now)
        tx.drop_pushing(sight.id, target.item.key, ended=now)

    # --- matching ----------------------------------------------------------------------------------------------------

    def _match(self, scenes: Sequence[Scene]) -> dict[int, Decided]:
        """Two rounds at most: what cannot be told from Plex's side alone asks Stash who else has such a file."""
        with self._store.reading() as db:
            offers = {scene.id: self._offer(db, scene) for scene in scenes}
        verdicts = {id: match.match(offer) for id, offer in offers.items()}
        asking = {id: verdict for id, verdict in verdicts.items() if isinstance(verdict, AskRivals)}
        if asking:
            names = sorted({name for verdict in asking.values() for name in verdict.names})
            rivals = self._gates.ask(Neighbour.STASH, READ, lambda: self._stash.rivals(names))
            verdicts |= {id: match.match(replace(offers[id], rivals=rivals)) for id in asking}
        return {id: verdict for id, verdict in verdicts.items() if not isinstance(verdict, AskRivals)}

    def _offer(self, db: Reading, scene: Scene) -> match.Offer:
        at = db.entries_at(sorted(match.places(scene, self._rules.paths)))
        named = db.entries_named(sorted(match.names(scene)))
        remembered = frozenset(key for _, key in db.memories([scene.id]))
        entries = {entry.key: entry for entry in (*at, *named, *db.entries(sorted(remembered)))}
        return match.Offer(
            scene=scene,
            entries=tuple(entries.values()),
            remembered=remembered,
            owners=db.owners(sorted(entries)),
            rules=self._rules.paths,
        )

    def _match_again(
        self,
        scenes: Sequence[Scene],
        verdicts: Mapping[int, Decided],
        items: dict[str, Item | NeighbourError],
    ) -> dict[int, Decided]:
        """Items that the index knows and Plex does not: forget them, ask Plex by file name, match once more."""
        stale = keys_of(verdicts.values()) - items.keys()
        if not stale:
            return {}
        with self._store.writing() as tx:
            tx.unindex(sorted(stale))
        again = [scene for scene in scenes if keys_of([verdicts[scene.id]]) & stale]
        if len(again) <= FIND_AT_MOST:
            self._indexer.find(sorted({base_name(file.path) for scene in again for file in scene.files}))
        else:
            self._indexer.freshen(force=True)
        fresh = self._match(again)
        items |= self.items(keys_of(fresh.values()) - items.keys())
        return fresh

    # --- items -------------------------------------------------------------------------------------------------------

    def items(self, keys: Iterable[str]) -> dict[str, Item | NeighbourError]:
        """Full items in one request; those Plex does not have are left out.

        A request that fails is halved before anyone is blamed, and the whole halving is one report: well if any part was
        answered, with the error in place of what was not. Both halves failing is an outage and raises.
        """
        wanted_keys = sorted(set(keys))
        if not wanted_keys:
            return {}
        try:
            found = self._halved(wanted_keys)
        except NeighbourError as error:
            self._gates.ill(error, READ)
            raise
        self._gates.well(Neighbour.PLEX, READ)
        return found

    def _halved(self, keys: list[str]) -> dict[str, Item | NeighbourError]:
        try:
            return dict(self._plex.items(keys))
        except Unavailable as error:
            if len(keys) == 1 or not error.sent:
                raise
        middle = len(keys) // 2
        halves: list[dict[str, Item | NeighbourError] | Unavailable] = []
        for half in (keys[:middle], keys[middle:]):
            try:
                halves.append(dict(self._plex.items(half)))
            except Unavailable as error:
                halves.append(error)
        first, second = halves
        if isinstance(first, Unavailable) and isinstance(second, Unavailable):
            raise first
        return self._part(keys[:middle], first) | self._part(keys[middle:], second)

    def _part(
        self, keys: list[str], answer: dict[str, Item | NeighbourError] | Unavailable
    ) -> dict[str, Item | NeighbourError]:
        if not isinstance(answer, Unavailable):
            return answer
        try:
            return self._halved(keys) if len(keys) > 1 else {keys[0]: answer}
        except Unavailable as error:
            return dict.fromkeys(keys, error)

    # --- planning ----------------------------------------------------------------------------------------------------

    def _sight(
        self,
        scene: Scene,
        verdict: Decided,
        items: Mapping[str, Item | NeighbourError],
        memories: Mapping[tuple[int, str], Memory],
        pushings: Mapping[tuple[int, str], tuple[Pushing, ...]],
    ) -> Sight:
        desired = wanted(scene, self._rules.profile)
        seen = Sight(scene.id, scene, desired, steps=verdict.steps)
        if isinstance(verdict, NotThere):
            return replace(seen, outcome=Absent(absence(scene)))
        if isinstance(verdict, Unclear):
            return replace(seen, outcome=unclear(verdict), candidates=verdict.candidates)
        if self._rules.strict and (cut := [note for note in desired.notes if note.reason in ("cut", "dropped")]):
            return replace(seen, outcome=Dead("strict", cut[0].text, desired=digest(desired)))
        targets = []
        for key in verdict.keys:
            item = items.get(key)
            if item is None:
                return replace(seen, outcome=Absent("Plex no longer has the item"))
            if isinstance(item, NeighbourError):
                return replace(seen, error=item, key=key)
            memory = memories.get((scene.id, key), {})
            made = plan(desired.values, item, memory, pushings.get((scene.id, key), ()), self._rules.policy)
            targets.append(Target(item, made, memory))
        return replace(seen, targets=tuple(targets))


def keys_of(verdicts: Iterable[Decided]) -> set[str]:
    """The rating keys that matched."""
    return {key for verdict in verdicts if isinstance(verdict, Matched) for key in verdict.keys}


def absence(scene: Scene) -> str:
    """One line that says why a scene is not in Plex."""
    if not scene.files:
        return "the scene has no file"
    return "no item in Plex has this file (yet)"


def unclear(verdict: Unclear) -> Dead:
    """Nothing is written where it is not certain; looked at again when the candidates change."""
    keys = sorted(candidate.key for candidate in verdict.candidates)
    told = "its item is another scene's" if verdict.reason == "shared item" else "several files could be it"
    return Dead("ambiguous", f"{told}: nothing is written (plexsync explain lists the candidates)", ",".join(keys))

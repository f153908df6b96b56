"""Looking at scenes: what Stash says, which Plex items they are, what would have to change. Writes nothing to either side.

Engine, reconcile and explain see through the same eyes, so what one reports is what the other would do.
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from sync import match
from sync.errors import Neighbour, NeighbourError, Refused, Unavailable
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
K = TypeVar("K", int, str)
T = TypeVar("T")

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
    or `error` is the failure of the scene alone or of its item `key` alone, to be judged by the evidence of others."""

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
        answers = self._read(Neighbour.STASH, self._stash.scenes, ids)
        scenes = [answer for answer in answers.values() if isinstance(answer, Scene)]
        failed = [Sight(id, error=answer) for id, answer in answers.items() if isinstance(answer, NeighbourError)]
        gone = [Sight(id, outcome=Gone()) for id in ids if id not in answers]
        return self.look_at(scenes) + failed + gone

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
        """Items that the index knows and Plex does not: ask Plex by file name, forget them, match once more."""
        stale = keys_of(verdicts.values()) - items.keys()
        if not stale:
            return {}
        again = [scene for scene in scenes if keys_of([verdicts[scene.id]]) & stale]
        # Asked before anything is forgotten: should Plex not answer now, a look-alike would be the only one that fits.
        if len(again) <= FIND_AT_MOST:
            self._indexer.find(sorted({base_name(file.path) for scene in again for file in scene.files}))
        else:
            self._indexer.freshen(force=True)
        with self._store.writing() as tx:
            tx.unindex(sorted(stale))
        fresh = self._match(again)
        items |= self.items(keys_of(fresh.values()) - items.keys())
        return fresh

    # --- items -------------------------------------------------------------------------------------------------------

    def items(self, keys: Iterable[str]) -> dict[str, Item | NeighbourError]:
        """Full items in one request, halved as `_read` says; those Plex does not have are left out."""
        return self._read(Neighbour.PLEX, self._plex.items, keys)

    def _read(
        self, who: Neighbour, request: Callable[[list[K]], Mapping[K, T]], keys: Iterable[K]
    ) -> dict[K, T | NeighbourError]:
        """What `request` answers for these keys, asked for together.

        A request that fails is halved before anyone is blamed, and the whole halving is one report: well if any part was
        answered, with the error in place of what was not. Both halves failing is an outage and raises.
        """
        wanted_keys = sorted(set(keys))
        if not wanted_keys:
            return {}
        try:
            found = halved(request, wanted_keys)
        except NeighbourError as error:
            self._gates.ill(error, READ)
            raise
        self._gates.well(who, READ)
        return found

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
    found: dict[K, T | NeighbourError] = {}
    for half, answer in answers:
        found |= _blamed(request, half, answer) if isinstance(answer, NeighbourError) else answer
    return found


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


def desired(sight: Sight) -> str:
    """A hash of what is wanted, to tell a new wish from the one that died; for an ambiguous scene, of its candidates."""
    if isinstance(sight.outcome, Dead):
        return sight.outcome.desired
    return digest(sight.wanted) if sight.wanted else ""

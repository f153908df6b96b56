"""Looking at scenes: what Stash says, which Plex items they are, what would have to change. Writes nothing to either side.

Engine, reconcile and explain see through the same eyes, so what one reports is what the other would do.
"""

import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from sync import match
from sync.errors import Neighbour, NeighbourError, Refused, Unavailable
from sync.item import Entry, Item
from sync.job import Absent, Dead, Gone, Outcome, Waiting
from sync.match import AskRivals, Candidate, Matched, NotThere, Step, Unclear
from sync.paths import base_name
from sync.pictures import placed
from sync.plan import Memory, Plan, Pushing, Remembered, plan
from sync.ports import Clock, Plex, Reading, Stash, Store, Writing
from sync.scene import Scene
from sync.text import fold
from sync.wanted import Profile, Wanted, digest, wanted
from worker.gates import READ, Gates
from worker.indexing import Indexer
from worker.picturing import Pictures
from worker.rules import LookRules

Decided = Matched | NotThere | Unclear
# What is known of a scene's items: decided, or the failure of its own that stands in the way, or the gap in the index.
Verdict = Decided | NeighbourError | str
K = TypeVar("K", int, str)
T = TypeVar("T")

log = logging.getLogger("PlexSync.look")

# Plex is asked for missing files by name only while they are few; after that the libraries are walked.
FIND_AT_MOST = 5
# So often the index is put right before an item that changes all the time is left alone.
LOOKED_AGAIN = 2
# How the error of a scene begins whose item is another's; a row that died of anything else begins otherwise.
SHARED_ITEM = "its item is another scene's"


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
    `keys` are the items that are its own, or may be when that is not clear."""

    id: int
    scene: Scene | None = None
    wanted: Wanted | None = None
    targets: tuple[Target, ...] = ()
    outcome: Outcome | None = None
    steps: tuple[Step, ...] = ()
    candidates: tuple[Candidate, ...] = ()
    error: NeighbourError | None = None
    key: str = ""
    keys: tuple[str, ...] = ()

    def ended(self, outcome: Outcome) -> "Sight":
        """The same sight, with nothing left to do but to settle."""
        return replace(self, targets=(), outcome=outcome)


@dataclass(frozen=True)
class Past:
    """What is known of items from before: memories and unfinished pushes by (scene, item key), and whose the items were;
    by their library's key, the profiles of libraries that have one of their own."""

    memories: Mapping[tuple[int, str], Memory]
    pushings: Mapping[tuple[int, str], tuple[Pushing, ...]]
    owners: Mapping[str, frozenset[int]]
    profiles: Mapping[str, Profile]

    def of(self, id: int, key: str) -> tuple[Memory, tuple[Pushing, ...]]:
        """What a scene is to know of its item: if it is new to it, what the scene knew that had the item before.

        A scene that was deleted and made anew, merged into another, or swapped its file, finds our own values there; they
        are no person's.
        """
        before = sorted(self.owners.get(key, frozenset()) - {id})
        known = next((one for one in (id, *before) if (one, key) in self.memories), id)
        return self.memories.get((known, key), {}), self.pushings.get((known, key), ())


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
        pictures: Pictures | None = None,
    ) -> None:
        self.pictures = pictures
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
        missing = self._missing(scenes, verdicts)
        if missing and self._indexer.freshen():
            verdicts |= self._match(missing)
        if gap := self._indexer.gap():
            # It may be what they lack, or hold the item that a look-alike would be taken for.
            verdicts |= dict.fromkeys((scene.id for scene in self._missing(scenes, verdicts)), gap)
        items = self.items(keys_of(_matches(verdicts)))
        self._match_again(scenes, verdicts, items)
        past = self._past(verdicts)
        return [self._sight(scene, verdicts[scene.id], items, past) for scene in scenes]

    def save(self, tx: Writing, sight: Sight, target: Target, *, now: int) -> None:
        """Keep what looking has taught: resolved pushes, fields found right, fields forgotten."""
        if target.plan.memory != target.memory:
            tx.remember(sight.id, target.item.key, target.plan.memory, now=now)
        tx.drop_pushing(sight.id, target.item.key, ended=now)

    def may_be_in(self, scenes: Sequence[Scene], sections: Collection[str]) -> list[Scene]:
        """Those of these scenes that the index leads to an item of these libraries for, by place, by name or by memory."""
        with self._store.reading() as db:
            return [
                scene for scene in scenes if any(entry.section in sections for entry in self._offer(db, scene).entries)
            ]

    @staticmethod
    def _missing(scenes: Sequence[Scene], verdicts: Mapping[int, Verdict]) -> list[Scene]:
        """The scenes that no full path leads to an item for."""
        return [scene for scene in scenes if scene.files and _needs_all(verdicts[scene.id])]

    # --- matching ----------------------------------------------------------------------------------------------------

    def _match(self, scenes: Sequence[Scene]) -> dict[int, Verdict]:
        """Two rounds at most: what cannot be told from Plex's side alone asks Stash who else has such a file."""
        with self._store.reading() as db:
            offers = {scene.id: self._offer(db, scene) for scene in scenes}
        verdicts = {id: match.match(offer) for id, offer in offers.items()}
        asking = {id: verdict.names for id, verdict in verdicts.items() if isinstance(verdict, AskRivals)}

        def rivals(ids: Sequence[int]) -> dict[int, Sequence[Scene]]:
            return dict.fromkeys(ids, self._stash.rivals(sorted({name for id in ids for name in asking[id]})))

        told = self._read(Neighbour.STASH, rivals, asking)
        decided: dict[int, Verdict] = {}
        for id, verdict in verdicts.items():
            answer = told.get(id, ())
            if isinstance(answer, NeighbourError):
                decided[id] = answer
            elif isinstance(verdict, AskRivals):
                again = match.match(replace(offers[id], rivals=answer))
                decided |= {} if isinstance(again, AskRivals) else {id: again}
            else:
                decided[id] = verdict
        return decided

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
            keys = keys_of(_matches({scene.id: verdicts[scene.id] for scene in again}))
            # Asked before anything is forgotten: should Plex not answer now, a look-alike would be the only one that fits.
            try:
                self._ask_for(again)
            except Unavailable as error:
                # Other items were read a moment ago, so it may be these alone.
                verdicts |= dict.fromkeys((scene.id for scene in again), error)
                return
            moved = [entry_of(item) for key, item in items.items() if key in keys and isinstance(item, Item)]
            self._indexer.correct(moved, gone=sorted(keys - items.keys()))
            verdicts |= self._match(again)
            items |= self.items(keys_of(_matches(verdicts)) - items.keys())
        for scene in self._misled(scenes, verdicts, items):
            verdicts[scene.id] = NotThere(
                (match.Step("files", "Its item in Plex got other files while it was looked at."),)
            )

    def _misled(
        self,
        scenes: Sequence[Scene],
        verdicts: Mapping[int, Verdict],
        items: Mapping[str, Item | NeighbourError],
    ) -> list[Scene]:
        """The scenes that were matched by an entry which Plex does not have, or has with other files."""
        keys = keys_of(_matches(verdicts))
        with self._store.reading() as db:
            known = {entry.key: frozenset(entry.parts) for entry in db.entries(sorted(keys))}
        stale = {
            key
            for key in keys
            if key not in items or (isinstance(item := items[key], Item) and frozenset(item.parts) != known.get(key))
        }
        return [scene for scene in scenes if keys_of(_matches({0: verdicts[scene.id]})) & stale]

    def _ask_for(self, scenes: Sequence[Scene]) -> None:
        if len(scenes) <= FIND_AT_MOST:
            self._indexer.find(sorted({base_name(file.path) for scene in scenes for file in scene.files}))
        else:
            self._indexer.freshen(force=True)

    # --- items -------------------------------------------------------------------------------------------------------

    def items(self, keys: Iterable[str]) -> dict[str, Item | NeighbourError]:
        """Full items in one request, halved as `_read` says; those Plex does not have are left out."""
        return self._read(Neighbour.PLEX, self._plex.items, keys)

    def _read(
        self, who: Neighbour, request: Callable[[list[K]], Mapping[K, T]], keys: Iterable[K]
    ) -> dict[K, T | NeighbourError]:
        """What `request` answers for these keys, asked for together.

        A request that fails is halved before anyone is blamed, and the whole halving is one report: well if any part was
        answered, with the error in place of what was not. Both halves failing is an outage and raises, also when they were
        refused: no single one of them is to blame. A failure of one alone stands in its place, for others to judge.
        """
        wanted_keys = sorted(set(keys))
        if not wanted_keys:
            return {}
        try:
            found = halved(request, wanted_keys)
        except NeighbourError as error:
            failure = outage(error) if len(wanted_keys) > 1 else error
            self._gates.ill(failure, READ)
            if len(wanted_keys) == 1 and may_be_its_own(failure):
                return {wanted_keys[0]: failure}
            raise failure from None
        self._gates.well(who, READ)
        return found

    # --- planning ----------------------------------------------------------------------------------------------------

    def _past(self, verdicts: Mapping[int, Verdict]) -> "Past":
        keys = keys_of(_matches(verdicts))
        with self._store.reading() as db:
            owners = db.owners(sorted(keys))
            ids = sorted({*verdicts, *(id for scenes in owners.values() for id in scenes)})
            titles = {row.key: fold(row.title) for row in db.sections()} if self._rules.libraries else {}
            own = {key: self._rules.libraries[title] for key, title in titles.items() if title in self._rules.libraries}
            return Past(db.memories(ids), db.pushings(ids), owners, own)

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
        if isinstance(verdict, str):
            return Sight(scene.id, scene, desired, outcome=Waiting(verdict, "unavailable"))
        seen = Sight(scene.id, scene, desired, steps=verdict.steps, keys=_claimed(verdict))
        if isinstance(verdict, NotThere):
            return replace(seen, outcome=Absent(absence(scene)))
        if isinstance(verdict, Unclear):
            return replace(seen, outcome=unclear(verdict), candidates=verdict.candidates)
        targets = []
        for key in verdict.keys:
            item = items.get(key)
            if item is None:
                return replace(seen, outcome=Absent("Plex no longer has the item"))
            if isinstance(item, NeighbourError):
                return replace(seen, error=item, key=key)
            profile = past.profiles.get(item.section, self._rules.profile)
            shown = desired if profile is self._rules.profile else wanted(scene, profile)
            memory, pushing = past.of(scene.id, key)
            if self.pictures:
                try:
                    shown = self.pictures.with_pictures(scene, shown, profile)
                    item = self.pictures.told(item, shown.values, memory, pushing)
                except NeighbourError as error:
                    if not may_be_its_own(error):
                        raise
                    return replace(seen, error=error, key=key if error.neighbour is Neighbour.PLEX else "")
            if self._rules.strict and (cut := [note for note in shown.notes if note.reason in ("cut", "dropped")]):
                return replace(seen, outcome=Dead("strict", cut[0].text, desired=digest(shown)))
            made = plan(shown.values, item, memory, pushing, self._rules.policy)
            made = replace(made, memory=placed(made.memory, item))
            targets.append(Target(item, made, past.memories.get((scene.id, key), {}), shown, profile))
        return replace(seen, targets=tuple(targets))


def outage(error: NeighbourError) -> NeighbourError:
    """What a failure of many things at once means: whoever refuses them all is not the server we know."""
    return Unavailable(error.neighbour, str(error)) if isinstance(error, Refused) else error


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


def _claimed(verdict: Decided) -> tuple[str, ...]:
    """The items that a scene has, or may have."""
    match verdict:
        case Matched(keys=keys):
            return keys
        case Unclear(candidates=candidates):
            return tuple(one.key for one in candidates)
        case _:
            return ()


def entry_of(item: Item) -> Entry:
    """An item as the index is to know it."""
    return Entry(item.key, item.section, item.parts, item.stamp)


def _matches(verdicts: Mapping[int, Verdict]) -> list[Decided]:
    return [verdict for verdict in verdicts.values() if not isinstance(verdict, NeighbourError | str)]


def _needs_all(verdict: Verdict) -> bool:
    """Whether it holds only if the index knows all of Plex: nothing was found, or one item by its file's name and size."""
    if isinstance(verdict, Matched):
        return verdict.steps[-1].rung == "name and size"
    return isinstance(verdict, NotThere)


def absence(scene: Scene) -> str:
    """One line that says why a scene is not in Plex."""
    if not scene.files:
        return "the scene has no file"
    return "no item in Plex has this file (yet)"


def unclear(verdict: Unclear) -> Dead:
    """Nothing is written where it is not certain; looked at again when the candidates change."""
    keys = sorted(candidate.key for candidate in verdict.candidates)
    told = SHARED_ITEM if verdict.reason == "shared item" else "several files could be it"
    return Dead("ambiguous", f"{told}: nothing is written (plexsync explain lists the candidates)", ",".join(keys))


def desired(sight: Sight) -> str:
    """A hash of what is wanted, to tell a new wish from the one that died; for an ambiguous scene, of its candidates."""
    if isinstance(sight.outcome, Dead):
        return sight.outcome.desired
    if shown := {digest(target.wanted): None for target in sight.targets}:
        return ",".join(shown)
    return digest(sight.wanted) if sight.wanted else ""

"""What an inspection works with: the items of a scene with their plans, and what the database remembers of them."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from plexsync.rules.desired import Profile, Wanted, digest
from plexsync.rules.errors import NeighbourError
from plexsync.rules.item import Item
from plexsync.rules.job import Dead, Done, Outcome, OutOfScope
from plexsync.rules.match_records import Candidate, Step
from plexsync.rules.plan_records import Memory, Plan, Pushing, Remembered, Undone
from plexsync.rules.scene import Scene
from plexsync.rules.undo import begun_anew, undone
from plexsync.rules.values import Value

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
class Inspection:
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


@dataclass(frozen=True)
class StashValues:
    """What Stash says of a scene in every field, and which of them are shown; both by library, '' for all others."""

    values: Mapping[str, Mapping[str, Value]]
    on: Mapping[str, Collection[str]]

    def of(self, section: str) -> tuple[Mapping[str, Value], Collection[str]]:
        """(values, names of those that are shown) in a library."""
        where = section if section in self.values else ""
        return self.values[where], self.on[where]

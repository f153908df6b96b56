"""Records of the match of a scene with Plex items: what it is decided by, and what it decides."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from plexsync.rules.item import Entry
from plexsync.rules.paths import PathRules
from plexsync.rules.scene import Scene

Reason = Literal["look-alike", "shared item"]
Rung = Literal["by hand", "files", "path", "remembered", "name and size", "name and duration"]


@dataclass(frozen=True)
class Binding:
    """A person's word that the item `key` is the scene's. `files` are the item's paths as they were then."""

    scene: int
    key: str
    files: tuple[str, ...] = ()
    at: int = 0


@dataclass(frozen=True)
class Offer:
    """All that is known when a scene is matched.

    `entries`: every indexed item at one of `places`, of one of `names`, or remembered, in any order, each once.
    `remembered`: keys of the items that this scene was pushed to. `owners`: by item key, the scenes it was pushed from.
    `rivals`: the scenes that Stash has under the names of an `AskRivals`, this one among them; None: not asked.
    `bindings`: every one there is, of whatever scene.
    """

    scene: Scene
    entries: Sequence[Entry]
    rules: PathRules = ()
    remembered: frozenset[str] = frozenset()
    owners: Mapping[str, frozenset[int]] = field(default_factory=dict)
    rivals: Sequence[Scene] | None = None
    bindings: Sequence[Binding] = ()

    @property
    def bound(self) -> tuple[Binding, ...]:
        """What is bound to this scene."""
        return tuple(binding for binding in self.bindings if binding.scene == self.scene.id)

    @property
    def taken(self) -> dict[str, int]:
        """The items that are bound to other scenes, and which."""
        return {binding.key: binding.scene for binding in self.bindings if binding.scene != self.scene.id}


@dataclass(frozen=True)
class Step:
    """One thing that was looked at, as a sentence for the user. It holds paths: not for logs."""

    rung: Rung
    text: str


@dataclass(frozen=True)
class Candidate:
    """An item that may be the scene's, and why it was not taken."""

    key: str
    section: str
    path: str
    reason: str


@dataclass(frozen=True)
class Matched:
    """The items that show the scene, at least one, in the order of the entries; or those that are `bound` to it."""

    keys: tuple[str, ...]
    steps: tuple[Step, ...]
    bound: tuple[Binding, ...] = ()


@dataclass(frozen=True)
class NotThere:
    """Plex has no such file (yet)."""

    steps: tuple[Step, ...]


@dataclass(frozen=True)
class Unclear:
    """Something fits, but it can't be told that it is this scene's: nothing may be written.

    `look-alike`: several items fit, or several scenes; `shared item`: the item's first file is another scene's.
    """

    reason: Reason
    candidates: tuple[Candidate, ...]
    steps: tuple[Step, ...]

    @property
    def text(self) -> str:
        """One line for the job's history, without paths."""
        items = ", ".join(candidate.key for candidate in self.candidates)
        if self.reason == "shared item":
            return f"the first file of the Plex item ({items}) belongs to another scene"
        return f"it can't be told for certain which Plex item is this scene's (candidates: {items})"


@dataclass(frozen=True)
class AskRivals:
    """The decision needs the other scenes that have a file of one of these base names; then `match` is asked again."""

    names: tuple[str, ...]


Verdict = Matched | NotThere | Unclear | AskRivals

"""Records of the match of a scene with Plex items: its input and its verdict."""

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Literal

from plexsync.rules.item import Entry
from plexsync.rules.match.origin import SceneOrigin
from plexsync.rules.match.paths import PathRules
from plexsync.rules.record_class import record
from plexsync.rules.scene import Scene

Reason = Literal["look-alike", "shared item", "two scenes", "bound elsewhere", "duration only"]
Rung = Literal["by hand", "files", "path", "remembered", "name and size", "name and duration", "name"]

REASONS: Mapping[Reason, str] = {
    "look-alike": "it can't be told for certain which Plex item is this scene's (candidates: {})",
    "shared item": "the first file of the Plex item ({}) belongs to another scene",
    "two scenes": "another scene has the file of the Plex item ({}) too",
    "bound elsewhere": "the Plex item ({}) is bound to another scene",
    "duration only": "one Plex item ({}) fits by name and duration only",
}


@record
class Binding:
    """Your choice of the item `key` for the scene. `files` are the item's paths at that time.

    `origin` tells the scene from another one that gets its id later. `is_lost`: the item is another one now, see
    `plexsync.rules.match.match`.
    """

    scene: int
    key: str
    files: tuple[str, ...] = ()
    at: int = 0
    origin: SceneOrigin = field(default_factory=SceneOrigin)
    is_lost: bool = False


@record
class Offer:
    """Everything that is known when a scene is matched.

    `entries`: every indexed item at one of `places`, with one of `names`, remembered, bound, or where a bound one was,
    each once, in any order.
    `remembered`: keys of the items that this scene was pushed to. `written`: those of them that were not taken back since.
    `owners`: by item key, the scenes it was pushed from. `contested`: items to which the paths of scenes
    that are matched together lead too.
    `rivals`: the scenes that Stash has for the names of an `AskRivals`, this one included; None: not asked.
    `bindings`: all bindings, of all scenes. `by_duration`: the setting by which a name and a duration are enough.
    """

    scene: Scene
    entries: Sequence[Entry]
    rules: PathRules = ()
    remembered: frozenset[str] = frozenset()
    written: frozenset[str] = frozenset()
    owners: Mapping[str, frozenset[int]] = field(default_factory=dict)
    contested: frozenset[str] = frozenset()
    rivals: Sequence[Scene] | None = None
    bindings: Sequence[Binding] = ()
    by_duration: bool = False

    @property
    def bound(self) -> tuple[Binding, ...]:
        """The bindings of this scene."""
        return tuple(binding for binding in self.bindings if binding.scene == self.scene.id)

    @property
    def taken(self) -> dict[str, int]:
        """The items that are bound to other scenes, each with its scene."""
        return {binding.key: binding.scene for binding in self.bindings if binding.scene != self.scene.id}


@record
class Step:
    """One step of the match, as a sentence for the user. It contains paths and must not be logged."""

    rung: Rung
    text: str


@record
class Candidate:
    """An item that may be the scene's, and why it was rejected.

    `rival`: the scene that it may belong to; 0: none. `is_taken`: you bound it to that scene.
    """

    key: str
    section: str
    path: str
    reason: str
    rival: int = 0
    is_taken: bool = False


@record
class Matched:
    """The items that show the scene, at least one, in the order of the entries; or the items `bound` to it.

    `entries`: those of the index by which it was decided.
    """

    keys: tuple[str, ...]
    steps: tuple[Step, ...]
    bound: tuple[Binding, ...] = ()
    entries: tuple[Entry, ...] = ()


@record
class NotThere:
    """Plex does not have the file (yet)."""

    steps: tuple[Step, ...]


@record
class Unclear:
    """Something fits, but it is not certain that it is this scene's: nothing may be written.

    `look-alike`: several items fit, or one that may be another video; `shared item`: the item's first file belongs to
    another scene; `two scenes`: another scene has the same file, or one that looks the same; `bound elsewhere`: you bound
    the item to another scene; `duration only`: one item fits, and nothing but the name and the duration of its file says
    so. `entries` as in `Matched`.
    """

    reason: Reason
    candidates: tuple[Candidate, ...]
    steps: tuple[Step, ...]
    entries: tuple[Entry, ...] = ()

    @property
    def text(self) -> str:
        """One line for the job's history, without paths."""
        return REASONS[self.reason].format(", ".join(candidate.key for candidate in self.candidates))


@record
class AskRivals:
    """The decision needs the other scenes with a file of one of these base names; then call `match` again."""

    names: tuple[str, ...]


Verdict = Matched | NotThere | Unclear | AskRivals

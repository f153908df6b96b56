"""Which scenes are synced: the terms of the setting `scope`, and whether a scene is within them.

A scene is in scope if no term with `not` fits it, if it is organized where that is required, and if at least one term
fits of each kind (tag, studio, path) that is named. Names are compared as in a list of names
(`plexsync.rules.text.fold`). A tag or studio includes all below it; a path fits every scene with a file in that folder,
as Stash sees it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from plexsync.rules.paths import lies_in
from plexsync.rules.scene import Scene
from plexsync.rules.text import fold

Kind = Literal["organized", "tag", "studio", "path"]

# The largest number of terms to name in a reason; more would not fit one line.
NAMED = 3
MISSING = {"tag": "it has none of the tags", "studio": "it is of none of the studios", "path": "it lies in none of"}
FITTING = {"tag": "it has the tag", "studio": "it is of the studio", "path": "it lies in"}


@dataclass(frozen=True)
class Term:
    """One term; `leaves_out` is its `not`. `name` is that of a tag, a studio or a folder, '' for `organized`."""

    kind: Kind
    name: str = ""
    leaves_out: bool = False


@dataclass(frozen=True)
class Scope:
    """The configured scope; without terms, every scene is in scope."""

    terms: tuple[Term, ...] = ()

    @property
    def asks_above(self) -> bool:
        """Whether the parent tags of a scene's tags matter."""
        return any(term.kind == "tag" for term in self.terms)


def outside(scene: Scene, scope: Scope) -> str:
    """Why a scene is out of scope, in one line; '' if it is in scope."""
    for term in scope.terms:
        if term.leaves_out and _fits(scene, term):
            return f"out of scope: {_fitting(term)}"
    for kind in ("organized", "tag", "studio", "path"):
        asked = [term for term in scope.terms if term.kind == kind and not term.leaves_out]
        if asked and not any(_fits(scene, term) for term in asked):
            return f"out of scope: {_missing(asked)}"
    return ""


def _fits(scene: Scene, term: Term) -> bool:
    if term.kind == "organized":
        return scene.organized
    if term.kind == "path":
        return any(lies_in(file.path, term.name) for file in scene.files)
    return fold(term.name) in {fold(name) for name in _names(scene, term.kind)}


def _names(scene: Scene, kind: Literal["tag", "studio"]) -> Sequence[str]:
    """The scene's tags or studio, with the names of all above them."""
    if kind == "tag":
        return (*scene.tags, *(name for above in scene.tags_above for name in above))
    return (scene.studio, *scene.parents)


def _fitting(term: Term) -> str:
    return "it is organized" if term.kind == "organized" else f"{FITTING[term.kind]} {term.name}"


def _missing(asked: Sequence[Term]) -> str:
    if asked[0].kind == "organized":
        return "it is not organized"
    names = ", ".join(term.name for term in asked[:NAMED])
    more = f" and {len(asked) - NAMED} more" if len(asked) > NAMED else ""
    return f"{MISSING[asked[0].kind]} {names}{more}"

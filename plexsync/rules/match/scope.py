"""Which scenes are synced: the terms of the setting `scope`, and whether a scene is within them.

A scene is in scope if no term with `not` fits it, and if the other terms fit it as the setting `scope_match` says:
`kinds` (one term of each kind that is named), `all` or `any` of them. Names are compared as in a list of names
(`plexsync.rules.words.text.fold`). A tag or studio includes all below it; a path fits every scene with a file in that
folder,
as Stash sees it; `60+` fits a rating of 60 and more, `none` a scene without one; a URL or the endpoint of a stash ID
contains the text of its term.
"""

from collections.abc import Callable, Sequence
from itertools import chain
from typing import Literal

from plexsync.rules.match.paths import lies_in
from plexsync.rules.record_class import record
from plexsync.rules.scene import Scene
from plexsync.rules.words.text import fold

Kind = Literal["organized", "tag", "studio", "performer", "path", "rating", "stash_id", "url"]
Match = Literal["kinds", "all", "any"]

# In the order in which reasons are looked for.
KINDS: tuple[Kind, ...] = ("organized", "tag", "studio", "performer", "path", "rating", "stash_id", "url")
# The kinds whose values Stash is asked for only if a term needs them.
ON_REQUEST: tuple[Kind, ...] = ("stash_id", "url")
# The largest number of terms to name in a reason; more would not fit one line.
NAMED = 3
MISSING = {
    "tag": "it has none of the tags",
    "studio": "it is of none of the studios",
    "performer": "it has none of the performers",
    "path": "it lies in none of",
    "rating": "its rating is none of",
    "stash_id": "it has no stash ID of",
    "url": "it has no URL with",
}
FITTING = {
    "tag": "it has the tag",
    "studio": "it is of the studio",
    "performer": "it has the performer",
    "path": "it lies in",
    "rating": "its rating is",
    "stash_id": "it has a stash ID of",
    "url": "it has a URL with",
}
# The same for a term without a name: whether it fits or not.
NAMELESS = {
    "organized": ("it is organized", "it is not organized"),
    "stash_id": ("it has a stash ID", "it has no stash ID"),
    "url": ("it has a URL", "it has no URL"),
}


@record
class Term:
    """One term; `leaves_out` is its `not`. `name` is what follows the colon, '' for a term without one."""

    kind: Kind
    name: str = ""
    leaves_out: bool = False

    def __str__(self) -> str:
        """The term as the setting holds it."""
        return f"{'not ' if self.leaves_out else ''}{self.kind}{self.name and ': '}{self.name}"


@record
class Scope:
    """The configured scope; without terms, every scene is in scope."""

    terms: tuple[Term, ...] = ()
    match: Match = "kinds"

    @property
    def asks_above(self) -> bool:
        """Whether the parent tags of a scene's tags matter."""
        return any(term.kind == "tag" for term in self.terms)

    @property
    def on_request(self) -> frozenset[str]:
        """The kinds whose values have to be requested from Stash, because a term needs them."""
        return frozenset(term.kind for term in self.terms if term.kind in ON_REQUEST)


def outside(scene: Scene, scope: Scope) -> str:
    """Why a scene is out of scope, in one line that names the term that decides; '' if it is in scope."""
    for term in scope.terms:
        if term.leaves_out and _fits(scene, term):
            return f"out of scope: {f'{FITTING[term.kind]} {term.name}' if term.name else NAMELESS[term.kind][0]}"
    asked = [term for term in scope.terms if not term.leaves_out]
    # Of each group of terms, one has to fit.
    if scope.match == "any":
        groups = [asked]
    elif scope.match == "all":
        groups = [[term] for term in asked]
    else:
        groups = [[term for term in asked if term.kind == kind] for kind in KINDS]
    for group in filter(None, groups):
        if not any(_fits(scene, term) for term in group):
            return f"out of scope: {_missing(group)}"
    return ""


def _fits(scene: Scene, term: Term) -> bool:
    return FITS[term.kind](scene, term.name)


def _has_name(name: str, names: Sequence[str]) -> bool:
    return fold(name) in {fold(present) for present in names}


def _is_rated(scene: Scene, name: str) -> bool:
    rating = scene.rating100 or 0
    return not rating if name == "none" else rating >= int(name.rstrip("+"))


def _contains(text: str, values: Sequence[str]) -> bool:
    """Whether one of the values contains the text; without a text, whether there is one."""
    return any(text.casefold() in value.casefold() for value in values)


FITS: dict[Kind, Callable[[Scene, str], bool]] = {
    "organized": lambda scene, _: scene.organized,
    "tag": lambda scene, name: _has_name(name, (*scene.tags, *chain.from_iterable(scene.tags_above))),
    "studio": lambda scene, name: _has_name(name, (scene.studio, *scene.parents)),
    "performer": lambda scene, name: _has_name(name, scene.performers),
    "path": lambda scene, name: any(lies_in(file.path, name) for file in scene.files),
    "rating": _is_rated,
    "stash_id": lambda scene, name: _contains(name, scene.stash_ids),
    "url": lambda scene, name: _contains(name, scene.urls),
}


def _missing(asked: Sequence[Term]) -> str:
    """What a scene lacks that none of these terms fits."""
    kind = asked[0].kind
    if any(term.kind != kind for term in asked):
        return f"no term fits it: {_join_names([str(term) for term in asked])}"
    if not all(term.name for term in asked):
        return NAMELESS[kind][1]
    return f"{MISSING[kind]} {_join_names([term.name for term in asked])}"


def _join_names(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"{', '.join(names[:NAMED])}{more}"

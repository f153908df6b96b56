"""What is true of ratings, resume points and imports, kept beside the product: what people have done, and what may follow.

Nothing here knows a rule of the product. It knows the promises of docs/way-back.md and docs/import.md: an act of a person
at rest has one end, an act while something is under way has a few. What is at rest is said by whoever calls.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import ceil

from tests.simulation.sim_play_truth import PlayTruth, SceneKey

# Positions that are closer than this are the same, in ms.
CLOSE = 1000
# No rating: that of Plex and that of Stash are on Stash's scale.
NONE = -1
STASH = "Stash"
# What an item was rated in the second of the last rating in Plex.
RIVAL = "at once "
# The fields that people and imports fill.
TEXTS = ("title", "details", "date")
NAMES = ("studio", "performers", "tags")
RATING = "rating100"
# The fields of Plex from which an import fills those of Stash.
IN_PLEX = {
    "details": "summary",
    "date": "originallyAvailableAt",
    "studio": "studio",
    "performers": "actor",
    "tags": "genre",
}
Said = str | int | tuple[str, ...] | None
EMPTY: dict[str, Said] = {"title": "", "details": "", "date": None, RATING: None, "studio": None} | dict.fromkeys(
    ("performers", "tags"), ()
)


@dataclass
class RatingTruth:
    """The rating of a scene and its items.

    `agreed`: the ratings that all of them may have. `apart`: what each side has to have instead, by side, after an undo.
    `moved`: what a person has set last on each side since both were at rest, and `of_items` on each item. `replaced`: what
    the product's rating has replaced on each side where nobody has rated since. `is_sure`: whether that is known.
    """

    agreed: set[int] = field(default_factory=lambda: {NONE})
    apart: dict[str, set[int]] | None = None
    moved: dict[str, int] = field(default_factory=dict)
    of_items: dict[str, int] = field(default_factory=dict)
    replaced: dict[str, int] = field(default_factory=dict)
    is_sure: bool = True
    ever: set[int] = field(default_factory=lambda: {NONE})
    last_second: int = 0
    was_undone: bool = False
    # Whether an undo that is not done yet may leave the sides apart.
    may_part: bool = False
    # Ratings of all sides that may stay as they are: a restore may have brought back what an undo had left.
    stays: dict[str, int] | None = None

    def note(self, side: str, rating: int, *, at_rest: bool, at_once: bool = False) -> None:
        """A person has rated on one side; `at_once`: an item, in the second of the rating of an item before."""
        self.stays = None
        # Of two ratings of one second nobody knows which was given last.
        rivals = [one for name, one in self.moved.items() if at_once and name.startswith(("Plex", RIVAL))]
        if at_rest:
            self.moved, self.of_items, self.may_part = {}, {}, False
        self._is_no_longer_apart(at_rest=at_rest)
        if side == STASH:
            self.moved[STASH] = rating
        else:
            self.of_items[side] = rating
            self.moved = {name: one for name, one in self.moved.items() if not name.startswith(("item ", RIVAL))}
            self.moved |= {"Plex": rating, **{f"{RIVAL}{one}": one for one in rivals}}
            if rating == NONE:
                # Until it was in step, a cleared item is like one that was never rated: what another one says may count.
                self.moved |= {f"item {item}": one for item, one in self.of_items.items()}
        self.replaced.pop(side, None)
        self.ever.add(rating)
        self.agreed = set(self.moved.values())

    def decided(self, stash: int, item: str, plex: int, winner: int) -> None:
        """A person has rated in Stash and this item while they were at rest, and nobody has looked in between."""
        self.apart, self.may_part = None, False
        self.moved = {STASH: stash, "Plex": plex}
        self.ever |= {stash, plex}
        self.agreed = {winner}
        for side in (STASH, item):
            self.replaced.pop(side, None)

    def unsettle(self, sides: Mapping[str, int], *more: int) -> None:
        """Something has happened to a side that is no act of a person there: any of these ratings may win."""
        self.moved = {f"perhaps {one}": one for one in more} | dict(sides)
        self._is_no_longer_apart(at_rest=False)
        self.agreed = {*sides.values(), *more}
        self.stays = dict(sides) if self.was_undone else None
        self.ever |= self.agreed
        self.is_sure = False

    def restored_in_plex(self, sides: Mapping[str, int]) -> None:
        """Plex is older now, and all was at rest with these: what it has says nothing, and what an undo has left stays."""
        self.moved, self.agreed, self.is_sure = {STASH: sides[STASH]}, {sides[STASH]}, False
        self.stays = dict(sides) if self.may_part else None

    def _is_no_longer_apart(self, *, at_rest: bool) -> None:
        if self.apart is not None and not at_rest:
            # What an undo leaves may be on any side still.
            self.moved |= {f"undone {side} {one}": one for side, some in self.apart.items() for one in some}
            self.may_part = True
        self.apart = None

    def written(self, side: str, before: int, rating: int, *, raced: bool) -> None:
        """The product has rated."""
        self.ever.add(before)
        if raced and before != rating:
            # It was planned before a person rated, and can't be called back.
            if self.apart is not None:
                self.apart = {one: {*some, rating} for one, some in self.apart.items()}
            self.agreed |= {rating}
            self.is_sure = False
        is_undo = self.apart is not None and rating in self.apart.get(side, ())
        if before != rating and not is_undo:
            self.replaced.setdefault(side, before)

    def undone(self, sides: Mapping[str, int], *, at_rest: bool) -> None:
        """A person has taken the product's ratings back."""
        if at_rest and self.is_sure:
            self.apart = {side: {self.replaced.get(side, rating)} for side, rating in sides.items()}
        else:
            self.apart = {side: {*self.ever, *sides.values()} for side in sides}
        self.moved, self.replaced, self.is_sure, self.was_undone = {}, {}, at_rest, True
        self.agreed = set().union(*self.apart.values())


@dataclass
class ResumeTruth:
    """Where a scene may be resumed, in ms. `ours`: what the product has written last; `before`: what was there then."""

    allowed: set[int] = field(default_factory=lambda: {0})
    ours: int | None = None
    before: int = 0
    is_sure: bool = True
    ever: set[int] = field(default_factory=lambda: {0})

    def note(self, *positions: int) -> None:
        """These are what it may be, and nothing else."""
        self.allowed = set(positions)
        self.ever |= self.allowed

    def also(self, *positions: int) -> None:
        """It may be these as well."""
        self.note(*self.allowed, *positions)

    def written(self, before: int, position: int, *, raced: bool) -> None:
        """The product has written a position."""
        self.ever |= {before, position}
        if raced:
            self.also(position)
            self.is_sure = False
        if self.ours is None or not is_close(before, self.ours):
            self.before = before
        self.ours = position

    def undone(self, position: int, *, at_rest: bool) -> None:
        """A person has taken it back."""
        if at_rest and self.is_sure:
            is_ours = self.ours is not None and is_close(position, self.ours)
            self.note(self.before if is_ours else position)
        else:
            self.also(position, *self.ever)
        self.ours, self.is_sure = None, at_rest


@dataclass
class BothTruth(PlayTruth):
    """The truth of lives in which ratings go both ways, resume points come back, and people import."""

    ratings: dict[SceneKey, RatingTruth] = field(default_factory=dict)
    resume: dict[SceneKey, ResumeTruth] = field(default_factory=dict)
    # What the fields of a scene may be where nothing of an import is left.
    filled: dict[SceneKey, dict[str, set[Said]]] = field(default_factory=dict)
    # What imports have written to a field, by scene and field.
    imported: dict[tuple[SceneKey, str], set[Said]] = field(default_factory=dict)
    # What they may have written for all that anybody knows: the answers were lost.
    unheard: dict[tuple[SceneKey, str], set[Said]] = field(default_factory=dict)
    # By content: what Plex's own agent says, as an import can fill it, and the fields that people have ever filled.
    agent: dict[str, dict[str, Said]] = field(default_factory=dict)
    filled_by_hand: dict[str, set[str]] = field(default_factory=dict)
    # By kind of name: those that people have used, and those that may be left of imports.
    names_of_people: dict[str, set[str]] = field(default_factory=dict)
    names_left: dict[str, set[str]] = field(default_factory=dict)

    def note_field(self, scene: SceneKey, contents: Iterable[str], name: str, value: Said) -> None:
        """A person has given a field this value."""
        self.filled.setdefault(scene, {})[name] = {value}
        for content in contents:
            self.filled_by_hand.setdefault(content, set()).add(name)
        self.note_names(name, value)

    def note_names(self, name: str, value: Said) -> None:
        """A person uses these names."""
        if name in NAMES:
            self.names_of_people.setdefault(name, set()).update(named(value))

    def may_be(self, scene: SceneKey, name: str) -> set[Said]:
        """What a field may be where nothing of an import is left."""
        return self.filled.setdefault(scene, {}).setdefault(name, {EMPTY[name]})


def named(value: Said) -> tuple[str, ...]:
    """The names of a value."""
    return value if isinstance(value, tuple) else (value,) if isinstance(value, str) and value else ()


def is_close(position: int, other: int) -> bool:
    """Whether two positions are the same."""
    return abs(position - other) < CLOSE


def in_half_stars(rating: int) -> int:
    """What a Plex makes of a rating that it keeps in halves of a star."""
    return rating if rating == NONE else ceil(rating / 5) * 5

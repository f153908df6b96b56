"""Values of fields in Plex and in Stash, and when two of them count as the same."""

from collections.abc import Sequence
from functools import lru_cache

from plexsync.rules.item import ALPHABETICAL, LIST_FIELDS, Item
from plexsync.rules.record_class import record
from plexsync.rules.words.text import compose, fold

Value = str | tuple[str, ...]

# From this length on, a shorter text counts as PlexSync's, cut by Plex. Below it, you shortened the text.
LEAST_CUT = 64
# On Plex's scale of 10.
HALF_STAR = 0.5
# The lists of one scene are compared with each other many times, one after the other.
RECENT_LISTS = 256


@record
class Held:
    """A field in Plex: its value and whether it is locked. Scalars are texts, lists tuples of names in Plex's order."""

    value: Value
    locked: bool


def held_field(item: Item, name: str) -> Held:
    """A field of an item: its value and whether it is locked."""
    value: Value = item.lists.get(name, ()) if name in LIST_FIELDS else item.value(name)
    return Held(value, item.is_locked(name))


def empty_value(name: str) -> Value:
    """The empty value of a field: () for a list, '' for a scalar."""
    return () if name in LIST_FIELDS else ""


def matches(name: str, a: Held, b: Held) -> bool:
    """Whether value and lock are the same."""
    return a.locked == b.locked and same_value(name, a.value, b.value)


def same_value(name: str, a: Value, b: Value) -> bool:
    """Whether two values are the same: texts up to their Unicode form, ratings as numbers, lists as sets of names."""
    if a == b and name != "userRating":
        return True
    if isinstance(a, tuple) or isinstance(b, tuple):
        return name_keys(a) == name_keys(b)
    if name == "userRating":
        return _rating(a) == _rating(b)
    return compose(a) == compose(b)


def alike_value(name: str, in_plex: Value, sent: Value) -> bool:
    """Whether a value in Plex can be the result of the value that was sent."""
    if isinstance(in_plex, tuple) or isinstance(sent, tuple):
        return _alike_lists(in_plex, sent)
    return same_value(name, in_plex, sent) or alike_text(in_plex, sent)


def is_spelling(name: str, in_plex: Value, sent: Value) -> bool:
    """Whether Plex writes the value that was sent in this way, whatever it had before.

    It may have other blanks (not in a summary), a rating in half stars, the names of a list in other spellings, or an order
    of other members.
    """
    if isinstance(in_plex, tuple) or isinstance(sent, tuple):
        return _alike_lists(in_plex, sent)
    if name == "userRating":
        return _is_rounded(_rating(in_plex), _rating(sent))
    if name == "order":
        return _stands_so(in_plex, sent)
    spaced = sent.strip() if name == "summary" else " ".join(sent.split())
    return same_value(name, in_plex, spaced)


def matches_sent(name: str, now: Held, sent: Held) -> bool:
    """Whether a field in Plex can be the result of what was sent: such a value, in whatever spelling, under that lock."""
    return now.locked == sent.locked and alike_value(name, now.value, sent.value)


def _alike_lists(in_plex: Value, sent: Value) -> bool:
    odd_theirs, odd_ours = without_names(in_plex, name_keys(sent)), without_names(sent, name_keys(in_plex))
    return all(any(alike_text(a, b) for b in odd_ours) for a in odd_theirs) and all(
        any(alike_text(a, b) for a in in_plex) for b in odd_ours
    )


def alike_text(in_plex: str, sent: str) -> bool:
    """Whether the texts are the same in folded form, or Plex holds a cut version of at least `LEAST_CUT` characters."""
    # A text that Plex cut inside a character ends in an undecodable one.
    a, b = fold(in_plex).rstrip("\ufffd"), fold(sent)
    return a == b or (len(a) >= LEAST_CUT and b.startswith(a))


def _is_rounded(in_plex: float | str, sent: float | str) -> bool:
    """Whether a rating that is no half star was rounded to one."""
    if isinstance(in_plex, str) or isinstance(sent, str):
        return in_plex == sent
    return in_plex == sent or (bool(sent % HALF_STAR) and abs(in_plex - sent) < HALF_STAR)


def _stands_so(in_plex: str, sent: str) -> bool:
    """Whether the members that two orders have in common stand in the same order. The sorts of Plex have no members."""
    if not {"", ALPHABETICAL}.isdisjoint((in_plex, sent)):
        return in_plex == sent
    present, order = dict.fromkeys(in_plex.split(",")), dict.fromkeys(sent.split(","))
    return [key for key in present if key in order] == [key for key in order if key in present]


def _rating(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


@lru_cache(maxsize=RECENT_LISTS)
def name_keys(names: Value) -> frozenset[str]:
    """The keys of a list's names."""
    return frozenset([fold(name) for name in names])


def without_names(names: Value, gone: Sequence[str] | frozenset[str]) -> tuple[str, ...]:
    """The names that are not in `gone`, in their order. A frozenset holds keys."""
    keys = gone if isinstance(gone, frozenset) else frozenset([fold(name) for name in gone])
    return tuple([name for name in names if fold(name) not in keys]) if keys else tuple(names)


def joined_names(names: tuple[str, ...], more: tuple[str, ...]) -> tuple[str, ...]:
    """The names, followed by those of `more` that are not among them."""
    return (*names, *without_names(more, name_keys(names)))


def names_present(names: Sequence[str], now: Value) -> tuple[str, ...]:
    """The names that are in `now`, in their own order."""
    present = name_keys(now)
    return tuple([name for name in names if fold(name) in present])

"""The order of a collection's members: the one to reach, the moves that lead there, and whose the present one is.

An order is a text, so that it is compared, remembered and taken back like any other single value: the keys of the members
with commas between, '' for Plex's order of release, or `ALPHABETICAL`.
"""

from bisect import bisect_left
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from plexsync.rules.item import ALPHABETICAL
from plexsync.rules.merge.plan_records import Memory, Pushing, Remembered, Sending
from plexsync.rules.merge.values import Held, Value
from plexsync.rules.record_class import record

ORDER = "order"
# The sorts of a collection in Plex, by the order that they mean; any other order is a custom one.
SORTS = {"": "0", ALPHABETICAL: "1"}
CUSTOM = "2"
# The most moves of one write; the next one goes on.
MOVES = 20


@record
class Move:
    """One member goes behind another one, or to the front (`after` '')."""

    item: str
    after: str


def as_text(members: Sequence[str]) -> str:
    """The order in which these members stand."""
    return ",".join(members)


def members_in(order: Value) -> tuple[str, ...]:
    """The members of an order; none if it is not a custom one."""
    return () if order in SORTS else tuple(str(order).split(","))


def sort_of(order: Value) -> str:
    """The sort in Plex of which this order is."""
    return SORTS.get(str(order), CUSTOM)


def order_in_plex(sort: str, members: Sequence[str]) -> str:
    """The order of a collection with this sort and these members."""
    return as_text(members) if sort == CUSTOM else next((order for order, name in SORTS.items() if name == sort), "")


def placed_order(members: Sequence[str], places: Mapping[str, int]) -> tuple[str, ...]:
    """The members by their places; those without one follow, as they stand now."""
    return (
        *sorted((key for key in members if key in places), key=lambda key: places[key]),
        *(key for key in members if key not in places),
    )


def moves(present: Sequence[str], wanted: Sequence[str]) -> list[Move]:
    """The fewest moves, one after the other, that bring the members in this order. Both are the same members."""
    place = {key: number for number, key in enumerate(present)}
    staying = _longest_rising([key for key in wanted if key in place], place)
    steps, after = [], ""
    for key in wanted:
        if key not in place:
            continue
        if key not in staying:
            steps.append(Move(key, after))
        after = key
    return steps


def apply_move(present: Sequence[str], step: Move) -> tuple[str, ...]:
    """The order after a move."""
    rest = [key for key in present if key != step.item]
    rest.insert(rest.index(step.after) + 1 if step.after in rest else 0, step.item)
    return tuple(rest)


def _longest_rising(keys: Sequence[str], place: Mapping[str, int]) -> set[str]:
    """The longest part of these keys whose places rise."""
    ends: list[int] = []
    tops: list[str] = []
    previous: dict[str, str] = {}
    for key in keys:
        length = bisect_left(ends, place[key])
        previous[key] = tops[length - 1] if length else ""
        ends[length : length + 1], tops[length : length + 1] = [place[key]], [key]
    staying, last = set(), tops[-1] if tops else ""
    while last:
        staying.add(last)
        last = previous[last]
    return staying


# --- whose the present order is --------------------------------------------------------------------------------------


def told_order(
    present: Value,
    wanted: Value | None,
    memory: Memory,
    pushing: Sequence[Pushing],
    own: Collection[str] | None = None,
) -> tuple[Memory, Sequence[Pushing]]:
    """The memory and the open pushes, as of the members that the collection has now.

    Members that came and went change an order, and are no edit of yours: only a move is, of one of `own` if these are
    given. A push that was cut short left an order that PlexSync made, and nobody else.
    """
    pushing = [_told_push(push, present, own) for push in pushing]
    remembered = memory.get(ORDER)
    if cut_short := _cut_short(present, remembered, pushing):
        whole = [replace(push, fields=_without_order(push)) for push in pushing]
        begun = remembered or Remembered("", cut_short.found, cut_short.found)
        wanted_then = begun.said if begun.undone else ""
        return {**memory, ORDER: replace(begun, said=wanted_then, left=Held(present, locked=True))}, whole
    if remembered is None:
        return memory, pushing
    return {**memory, ORDER: _told_memory(remembered, present, wanted, own)}, pushing


def _told_memory(
    remembered: Remembered, present: Value, wanted: Value | None, own: Collection[str] | None
) -> Remembered:
    members = members_in(present)
    is_left = _alike(present, remembered.left.value, own)
    as_left = Held(present, remembered.left.locked) if is_left else remembered.left
    if is_left and not remembered.undone:
        wanted_now = as_text([key for key in members_in(remembered.said) if key in members]) or remembered.said
        return replace(remembered, left=as_left, said=wanted_now)
    if wanted is not None and _alike(wanted, remembered.said, own):
        # You moved a member, or undid the order. That others came or went since is no reason to make it anew.
        return replace(remembered, left=as_left, said=wanted)
    return replace(remembered, left=as_left)


def _told_push(push: Pushing, present: Value, own: Collection[str] | None) -> Pushing:
    sent = push.fields.get(ORDER)
    if sent is None or not members_in(present) or not _alike(present, sent.sent.value, own):
        return push
    return replace(push, fields={**push.fields, ORDER: replace(sent, sent=Held(present, sent.sent.locked))})


def _cut_short(present: Value, remembered: Remembered | None, pushing: Sequence[Pushing]) -> Sending | None:
    """The last push whose moves have been made in part, so that they led to the present order."""
    sendings = [push.fields[ORDER] for push in pushing if ORDER in push.fields]
    members = members_in(present)
    if not sendings or not members or (remembered and present == remembered.left.value):
        return None
    last = sendings[-1]
    if present == last.sent.value:
        return None
    start = members_in(last.before.value)
    # Plex alone knows the order with which a custom one begins.
    starters = tuple(key for key in members if key in start)
    return last if not start or starters in _ways(start, members_in(last.sent.value), starters) else None


def _ways(start: Sequence[str], end: Sequence[str], members: Sequence[str]) -> set[tuple[str, ...]]:
    """Every order that one write makes on the way from one to the other, of these members."""
    order = tuple(key for key in start if key in members)
    ways = {order}
    for step in moves(order, [key for key in end if key in members])[:MOVES]:
        order = apply_move(order, step)
        ways.add(order)
    return ways


def _without_order(push: Pushing) -> dict[str, Sending]:
    return {name: sent for name, sent in push.fields.items() if name != ORDER}


def _alike(order: Value, other: Value, own: Collection[str] | None) -> bool:
    """Whether the members (of `own`, if these are given) that are in both orders stand in the same order."""
    first, second = members_in(order), members_in(other)
    both = set(first) & set(second) & set(first if own is None else own)
    return (bool(both) or own is not None) and [key for key in first if key in both] == [
        key for key in second if key in both
    ]

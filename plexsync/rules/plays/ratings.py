"""What to do about the rating of one scene, which goes both ways between Stash and the scene's items in Plex.

Ratings are whole numbers from 1 to 100, as in Stash; Plex has a tenth of it. Three values decide about each item: what
Stash and Plex have now, and the base, which is what both had when they were last in step. The side that has moved from
its base wins, and a rating that was cleared has moved too. Plex may round what it gets, so its part of the base is what
was read back, and not what was sent. If both have moved to different values, the setting `rating_wins` decides. Of several
items that have moved, the one that was rated last counts. Times are UTC milliseconds, except for `rated_at`.

After a request of unknown result the same rule decides again, once the request can't take effect any more.
"""

from collections.abc import Iterable, Mapping
from dataclasses import field, replace
from enum import StrEnum
from typing import Literal

from plexsync.rules.item import Item
from plexsync.rules.merge.plan_records import Memory, Remembered
from plexsync.rules.merge.taken_back import TakenBack
from plexsync.rules.merge.values import Held
from plexsync.rules.record_class import record
from plexsync.rules.records import SectionRow
from plexsync.rules.words.text import fold

FIELD = "userRating"

# No rating, and a value that is not known.
NO_RATING, UNKNOWN = -1, -2
HIGHEST = 100
# Half a star: how far Plex may round what it gets.
ROUNDED = 5

Wins = Literal["stash", "plex"]


@record
class RatingRules:
    """Which side wins if both have moved, and whether ratings are synced: in general, and in libraries by folded name."""

    wins: Wins = "stash"
    on: bool = True
    libraries: Mapping[str, bool] = field(default_factory=dict)

    def sections(self, rows: Iterable[SectionRow]) -> frozenset[str]:
        """The keys of the libraries in which ratings are synced."""
        return frozenset(row.key for row in rows if self.libraries.get(fold(row.title), self.on))


class Pending(StrEnum):
    """The server to which a rating was about to be sent. Whether it arrived is unknown."""

    NOTHING = ""
    TO_STASH = "stash"
    TO_PLEX = "plex"


@record
class ItemRating:
    """The rating of an item in Plex, and when it was rated (UTC seconds, 0 if unknown)."""

    value: int
    rated_at: int = 0


@record
class RememberedRating:
    """The memory of the rating of a scene and one of its items.

    `stash` and `plex` are the base; of an item that has yet to follow, only `plex` is known. `stash_before` and
    `plex_before`: what PlexSync's value has replaced there, UNKNOWN if the value there is not PlexSync's. `pending` and
    `sent`: what was about to be sent where, and `until`: until then it may take effect. `overruled`: what the item had when
    the rating of another item was about to be sent to Stash. `undone`: you asked to take it back. `changed_at`: when the
    base was last saved; of several items, later than all others. `rated_at`: when the item had been rated (0: unknown).
    """

    stash: int = UNKNOWN
    plex: int = UNKNOWN
    stash_before: int = UNKNOWN
    plex_before: int = UNKNOWN
    pending: Pending = Pending.NOTHING
    sent: int = UNKNOWN
    overruled: int = UNKNOWN
    until: int = 0
    undone: TakenBack = TakenBack.NO
    changed_at: int = 0
    rated_at: int = 0

    @property
    def has_base(self) -> bool:
        """Whether both values of the base are known."""
        return UNKNOWN not in (self.stash, self.plex)

    @property
    def is_written(self) -> bool:
        """Whether PlexSync has written on either side, or may have, and nobody else since."""
        return (self.stash_before, self.plex_before) != (UNKNOWN, UNKNOWN)


NEW = RememberedRating()
Ratings = Mapping[str, RememberedRating]


@record
class RatingPlan:
    """What to do about the rating of one scene.

    `to_stash`: the rating to send, None for nothing. `to_plex`: the ratings to send, by item; items follow once Stash has
    its rating. `resolved`: memories that changed without a request. `rows`: the memories to save before the requests, by
    item. `wait_until`: when an earlier request can no longer take effect; nothing is sent before. 0 if nothing waits.
    """

    resolved: Ratings = field(default_factory=dict)
    to_stash: int | None = None
    to_plex: Mapping[str, int] = field(default_factory=dict)
    rows: Ratings = field(default_factory=dict)
    wait_until: int = 0


def stash_rating(rating100: int | None) -> int:
    """A rating of Stash, which has none below 1."""
    return rating100 if rating100 and rating100 > 0 else NO_RATING


def plex_rating(text: str) -> int:
    """A rating of Plex, given as a decimal from 0 to 10 or '', on the scale of Stash."""
    rating = round(float(text) * 10) if text else 0
    return min(rating, HIGHEST) if rating > 0 else NO_RATING


def item_rating(item: Item) -> ItemRating:
    """The rating of an item."""
    return ItemRating(plex_rating(item.value(FIELD)), item.rated_at)


def plex_text(rating: int) -> str:
    """A rating as Plex has it: a decimal, '' for none."""
    return "" if rating < 0 else f"{rating / 10:g}"


def plan_rating(
    memory: Ratings, stash: int, plex: Mapping[str, ItemRating], wins: Wins, *, now: int, longest: int
) -> RatingPlan:
    """Decide about the rating of a scene with these items in Plex.

    `longest`: how far ahead the `until` of a request can be; one that is further ahead was saved before the clock was set
    back.
    """
    earlier = {key: memory.get(key, NEW) for key in plex}
    rows = {key: replace(row, until=min(row.until, now + longest)) for key, row in earlier.items()}
    rows = after_arrival(rows, stash, plex, now=now)
    if waits := [row.until for row in rows.values() if row.pending and now < row.until]:
        return RatingPlan(_changed_rows(rows, earlier), wait_until=max(waits))
    rows = {key: _without_request(row) for key, row in rows.items()}
    if any(row.undone for row in rows.values()):
        plan = _undo_plan(rows, stash, {key: item.value for key, item in plex.items()}, now)
    else:
        plan = _plan(rows, stash, plex, wins, now)
    return replace(plan, resolved=_changed_rows(plan.resolved, earlier))


def _changed_rows(rows: Ratings, earlier: Ratings) -> Ratings:
    return {key: row for key, row in rows.items() if row != earlier[key]}


def taken_over(memory: Ratings, keys: Iterable[str], stash: int) -> dict[str, RememberedRating]:
    """The memories of a scene that change since only these of its items are there.

    What an item that is gone has replaced in Stash is remembered with another item, so that it can be put back.
    """
    present = sorted(keys)
    gone = {key: row for key, row in memory.items() if key not in present and row.stash_before != UNKNOWN}
    if not gone or not present:
        return {}
    changed = {
        key: replace(row, stash_before=UNKNOWN, undone=row.undone if row.plex_before != UNKNOWN else TakenBack.NO)
        for key, row in gone.items()
    }
    others = [row for key, row in memory.items() if key in present and row.stash_before != UNKNOWN]
    own = [row for row in gone.values() if stash in (row.stash, row.sent)]
    if own and not others:
        last, heir = max(own, key=lambda row: row.changed_at), memory.get(present[0], NEW)
        in_stash = stash if heir.stash == UNKNOWN else heir.stash
        changed[present[0]] = replace(
            heir, stash=in_stash, stash_before=last.stash_before, undone=heir.undone or last.undone
        )
    return changed


# --- requests --------------------------------------------------------------------------------------------------------


def after_arrival(
    rows: Ratings, stash: int, plex: Mapping[str, ItemRating], *, now: int, answered: bool = False
) -> dict[str, RememberedRating]:
    """The memories after what was pending has arrived, as far as these values show.

    `answered`: Plex or Stash has answered, so a value that Plex may have rounded is PlexSync's as well. Without an answer it
    may be yours. `plex` may lack items to which nothing was sent.
    """
    after, now = dict(rows), _next(rows, now)
    for key in rows:
        row, item = after[key], plex.get(key, ItemRating(UNKNOWN))
        if row.pending is Pending.TO_PLEX and _is_in_plex(row, item.value, answered=answered):
            is_back = bool(row.undone) and row.sent == row.plex_before
            base = replace(row, stash=row.stash if is_back else row.sent, plex=item.value, rated_at=item.rated_at)
            after[key] = _settle_row(replace(base, changed_at=now), plex_back=is_back)
        elif row.pending is Pending.TO_STASH and stash == row.sent:
            if row.undone and row.sent == row.stash_before:
                after |= {other: replace(it, stash=stash) for other, it in after.items() if it.has_base}
                after[key] = _settle_row(replace(row, stash=stash, changed_at=now), stash_back=True)
            elif row.overruled != UNKNOWN:
                # It has said what it had to say, and follows now.
                after[key] = _settle_row(replace(row, stash=UNKNOWN, plex=row.overruled))
            else:
                after[key] = _settle_row(replace(row, stash=stash, plex=stash, rated_at=item.rated_at, changed_at=now))
    return after


def _next(rows: Ratings, now: int) -> int:
    """The time of a base that is saved now: later than that of any other, also after the clock was set back."""
    return max([now, *(row.changed_at + 1 for row in rows.values())])


def _is_in_plex(row: RememberedRating, value: int, *, answered: bool) -> bool:
    """Whether Plex has what was sent. Once it has answered, also what it makes of that."""
    if value == row.sent:
        return True
    return answered and min(value, row.sent) > 0 and abs(value - row.sent) <= ROUNDED


def _without_request(row: RememberedRating) -> RememberedRating:
    return replace(row, pending=Pending.NOTHING, sent=UNKNOWN, overruled=UNKNOWN, until=0)


def _settle_row(row: RememberedRating, *, plex_back: bool = False, stash_back: bool = False) -> RememberedRating:
    """The memory without its request, and without what that has put back. An undo ends with the last of both."""
    row = _without_request(row)
    row = replace(row, plex_before=UNKNOWN) if plex_back else row
    row = replace(row, stash_before=UNKNOWN) if stash_back else row
    return row if row.is_written else replace(row, undone=TakenBack.NO)


# --- the decision ----------------------------------------------------------------------------------------------------


def _plan(rows: Ratings, stash: int, plex: Mapping[str, ItemRating], wins: Wins, now: int) -> RatingPlan:
    based = [row for row in rows.values() if row.has_base]
    last = max(based, key=lambda row: row.changed_at).stash if based else NO_RATING
    stash_moved = stash != last
    movers = [key for key in plex if _has_moved(rows[key], plex[key], stash, wins)]
    if movers:
        # Plex has something to say: then a new item counts among its items, of which the last one wins.
        movers = [key for key in plex if _has_moved(rows[key], plex[key], stash, "plex")]
    newest = max((plex[key] for key in movers), key=lambda item: (item.rated_at, item.value), default=None)
    target = stash if newest is None or (stash_moved and wins == "stash") else newest.value
    rows = {
        key: replace(
            row,
            stash_before=UNKNOWN if stash_moved and based else row.stash_before,
            plex_before=UNKNOWN if key in movers else row.plex_before,
        )
        for key, row in rows.items()
    }
    if target != stash:
        before = next((row.stash_before for row in rows.values() if row.stash_before != UNKNOWN), stash)
        begun = {}
        for key, row in rows.items():
            has_said = plex[key].value == target
            begun[key] = replace(
                row,
                pending=Pending.TO_STASH,
                sent=target,
                stash_before=before if has_said else row.stash_before,
                overruled=UNKNOWN if has_said else plex[key].value,
            )
        return RatingPlan(rows, target, rows=begun)
    now = _next(rows, now)
    resolved, begun = dict(rows), {}
    for key, item in plex.items():
        row = rows[key]
        if (row.stash, row.plex) == (stash, item.value):
            continue
        if item.value != stash:
            before = item.value if row.plex_before == UNKNOWN else row.plex_before
            begun[key] = replace(row, plex_before=before, pending=Pending.TO_PLEX, sent=stash)
        elif row.plex != UNKNOWN or stash != NO_RATING:
            resolved[key] = replace(row, stash=stash, plex=item.value, changed_at=now, rated_at=item.rated_at)
    return RatingPlan(resolved, to_plex=dict.fromkeys(begun, stash), rows=begun)


def _has_moved(row: RememberedRating, item: ItemRating, stash: int, wins: Wins) -> bool:
    """Whether the item says something of its own. Without a base, that is a rating which Stash lacks, or which wins.

    A rating that is older than that of the base says nothing: Plex was restored from a backup.
    """
    if row.plex != UNKNOWN:
        return item.value != row.plex and not _is_older(item, row)
    return item.value not in (NO_RATING, stash) and (stash == NO_RATING or wins == "plex")


def _is_older(item: ItemRating, row: RememberedRating) -> bool:
    """Whether Plex shows a rating from before that of the base. An item that was never rated shows none, and no time."""
    is_unrated = item == ItemRating(NO_RATING)
    return item.rated_at < row.rated_at and (item.rated_at > 0 or is_unrated)


# --- undo ------------------------------------------------------------------------------------------------------------


def _undo_plan(rows: Ratings, stash: int, plex: Mapping[str, int], now: int) -> RatingPlan:
    """Put back what PlexSync's values have replaced, where they still are. Both sides then rest as they are."""
    resolved = dict(rows)
    for key, row in rows.items():
        if row.undone:
            base = row if row.has_base else replace(row, stash=stash, plex=plex[key], changed_at=_next(rows, now))
            stash_before = row.stash_before if row.stash == stash != row.stash_before else UNKNOWN
            plex_before = row.plex_before if row.plex == plex[key] != row.plex_before else UNKNOWN
            resolved[key] = _settle_row(replace(base, stash_before=stash_before, plex_before=plex_before))
    back = {key: row for key, row in resolved.items() if row.undone}
    stash_rows = {
        key: replace(row, pending=Pending.TO_STASH, sent=row.stash_before)
        for key, row in back.items()
        if row.stash_before != UNKNOWN
    }
    if stash_rows:
        return RatingPlan(resolved, next(iter(stash_rows.values())).sent, rows=stash_rows)
    to_plex = {key: row.plex_before for key, row in back.items()}
    plex_rows = {key: replace(back[key], pending=Pending.TO_PLEX, sent=rating) for key, rating in to_plex.items()}
    return RatingPlan(resolved, to_plex=to_plex, rows=plex_rows)


# --- the scene flow --------------------------------------------------------------------------------------------------


def left_by_scene_flow(memory: Memory) -> RememberedRating | None:
    """The base that the scene flow has left, which owns ratings while they go one way; None if it has none."""
    remembered = memory.get(FIELD)
    if remembered is None or remembered.undone or not remembered.said:
        return None
    try:
        values = (remembered.said, remembered.left.value, remembered.found.value)
        stash, plex, before = (plex_rating(str(value)) for value in values)
        return RememberedRating(stash, plex, plex_before=before if before != plex else UNKNOWN)
    except ValueError:
        # A damaged page has changed it.
        return None


def handed_over(memory: Memory, row: RememberedRating) -> Memory:
    """The memory of the scene flow with this rating; unchanged if it remembers nothing, or was undone."""
    others = {name: remembered for name, remembered in memory.items() if name != FIELD}
    if not others or any(remembered.undone for remembered in memory.values()):
        return memory
    if row.stash == NO_RATING:
        return others
    original, left = (
        Held(plex_text(rating), locked=rating != NO_RATING)
        for rating in (row.plex if row.plex_before == UNKNOWN else row.plex_before, row.plex)
    )
    remembered = memory.get(FIELD) or Remembered("", original, original)
    return {**others, FIELD: replace(remembered, said=plex_text(row.stash), left=left, found=original, drift=None)}

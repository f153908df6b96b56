"""A page of a list of scenes in any order: by number, title, status, the time of its last change, or the reason.

A list of up to `FEW` scenes is sorted as it is shown, by any column. A longer one is sorted by the database: by number and
title always, and a list of all scenes by status too. The other columns of a scene come from several tables and from rules,
and no index knows their order, so a long list can't be sorted by them in the time of a page.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from plexsync.reports.scenes import facts_of, named_like, numbered, stand_so
from plexsync.reports.shapes.scenes import SceneFacts
from plexsync.rules.sorting import BY_NUMBER, NUMBER, ScenePlace, Sort, compared, is_beyond
from plexsync.rules.status_words import SceneStatus, buckets
from plexsync.store.database import Reader

FEW = 1_000
# How many times as many names as a page needs are read at first, for a list that is a part of the library.
ALSO_OTHERS = 4
TITLE, STATUS, SINCE, WHY = "title", "status", "since", "why"
COLUMNS = (NUMBER, TITLE, STATUS, SINCE, WHY)


@dataclass(frozen=True)
class SceneChoice:
    """The scenes of a list: those with a text in title or path, or those with one of these statuses; else all known ones."""

    text: str = ""
    statuses: Sequence[SceneStatus] = ()


@dataclass(frozen=True)
class SortedScenes:
    """A page of scenes. `sort` is the order that it has, `columns` are those that the list can be sorted by.

    `after` is the place after which the next page begins, None on the last page.
    """

    ids: Sequence[int]
    after: ScenePlace | None
    sort: Sort
    columns: Collection[str]


def sorted_scenes(db: Reader, chosen: SceneChoice, sort: Sort, *, after: ScenePlace | None, limit: int) -> SortedScenes:
    """The page after this place; by number, if the list can't be sorted as asked."""
    ids = _few(db, chosen)
    columns = _columns(chosen, few=ids is not None)
    sort = sort if sort.column in columns else BY_NUMBER
    if sort == BY_NUMBER:
        number = after.id if after else 0
        page = (
            named_like(db, chosen.text, after=number, limit=limit)
            if chosen.text
            else stand_so(db, chosen.statuses, after=number, limit=limit)
        )
        return SortedScenes(page.ids, None if page.after is None else ScenePlace("", page.after), sort, columns)
    places = _places(db, chosen, sort, after, limit + 1) if ids is None else _sorted(db, ids, sort, after)
    return SortedScenes(
        [place.id for place in places[:limit]], places[limit - 1] if len(places) > limit else None, sort, columns
    )


def _columns(chosen: SceneChoice, *, few: bool) -> Collection[str]:
    """The columns that sort this list. Scenes of one status are not sorted by it."""
    status = () if chosen.statuses else (STATUS,)
    if few:
        return (NUMBER, TITLE, *status, SINCE, WHY)
    return (NUMBER, TITLE) if chosen.text else (NUMBER, TITLE, *status)


def _few(db: Reader, chosen: SceneChoice) -> list[int] | None:
    """All scenes of the list; None if they are many."""
    if chosen.text:
        ids = db.scene_names.search(chosen.text, limit=FEW + 1)
        number = numbered(db, chosen.text)
        ids = sorted({*ids, *([number] if number else [])})
    else:
        ids = list(stand_so(db, chosen.statuses, after=0, limit=FEW + 1).ids)
    return ids if len(ids) <= FEW else None


# --- short lists -----------------------------------------------------------------------------------------------------


def _sorted(db: Reader, ids: Sequence[int], sort: Sort, after: ScenePlace | None) -> list[ScenePlace]:
    """All places of a list after this one. Scenes without the value come last, either way, by number."""
    value = _VALUES[sort.column]
    places = [ScenePlace(value(facts), facts["id"]) for facts in facts_of(db, ids, ())]
    valued = sorted((place for place in places if place.value), reverse=sort.down)
    rest = sorted(place for place in places if not place.value)
    if after is not None and not after.value:
        return [place for place in rest if place > after]
    return [*(place for place in valued if is_beyond(place, after, down=sort.down)), *rest]


def _position(status: str) -> str:
    """The place of a status among the tabs, in digits of one length."""
    return next((f"{place:02}" for place, same in enumerate(buckets()) if status in same), "99")


_VALUES: Mapping[str, Callable[[SceneFacts], str]] = {
    NUMBER: lambda facts: f"{facts['id']:020}",
    TITLE: lambda facts: compared(facts["title"] or facts["path"]),
    STATUS: lambda facts: _position(facts["stands"]),
    SINCE: lambda facts: facts["since"] or "",
    WHY: lambda facts: compared(facts["why"]),
}


# --- long lists ------------------------------------------------------------------------------------------------------


def _places(db: Reader, chosen: SceneChoice, sort: Sort, after: ScenePlace | None, limit: int) -> list[ScenePlace]:
    """The places after this one, read in order."""
    if sort.column == STATUS:
        return _by_status(db, sort, after, limit)
    if chosen.text:
        return db.scene_names.search_places(chosen.text, sort, limit=limit, after=after)
    if sort.column == NUMBER:
        return _merged(db, chosen.statuses, sort, after, limit)
    named = _by_title(db, chosen.statuses, sort, after, limit) if after is None or after.value else []
    if len(named) >= limit:
        return named
    begin = after.id if after is not None and not after.value else 0
    nameless = {
        id
        for status in chosen.statuses or (None,)
        for id in db.standings.nameless(status, limit=limit - len(named), after=begin)
    }
    return [*named, *(ScenePlace("", id) for id in sorted(nameless))][:limit]


def _merged(
    db: Reader, statuses: Sequence[SceneStatus], sort: Sort, after: ScenePlace | None, limit: int
) -> list[ScenePlace]:
    places = (
        place for status in statuses or (None,) for place in db.standings.places(status, sort, limit=limit, after=after)
    )
    return sorted(places, reverse=sort.down)[:limit]


def _by_title(
    db: Reader, statuses: Sequence[SceneStatus], sort: Sort, after: ScenePlace | None, limit: int
) -> list[ScenePlace]:
    """Those that have a name.

    Most long lists are most of the library. So the next names of all scenes are read first: if enough of them are in the
    list, that is the page, at half the cost of joining the list with the names.
    """
    size = ALSO_OTHERS * limit
    names = db.scene_names.by_title(sort, limit=size, after=after)
    stands = {facts["id"]: facts["stands"] for facts in facts_of(db, [place.id for place in names], ())}
    listed = [
        place
        for place in names
        if (stands[place.id] in statuses if statuses else stands[place.id] != SceneStatus.UNKNOWN)
    ]
    if len(listed) >= limit or len(names) < size:
        return listed[:limit]
    return _merged(db, statuses, sort, after, limit)


def _by_status(db: Reader, sort: Sort, after: ScenePlace | None, limit: int) -> list[ScenePlace]:
    """All scenes, status by status in the order of the tabs; those of one status by number."""
    places: list[ScenePlace] = []
    for position, same in sorted(enumerate(buckets()), reverse=sort.down):
        here = ScenePlace(f"{position:02}", after.id if after else 0)
        if after is not None and here != after and not is_beyond(here, after, down=sort.down):
            continue
        begin = ScenePlace("", after.id) if here == after else None
        page = _merged(db, same, Sort(NUMBER, sort.down), begin, limit - len(places))
        places += [ScenePlace(here.value, place.id) for place in page]
        if len(places) >= limit:
            break
    return places

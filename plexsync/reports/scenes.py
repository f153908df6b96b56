"""Scenes as a list, a page at a time, in any order: number, title, status, the time of the last change, the reason.

A list of up to `FEW` scenes is sorted as it is shown, by any column. A longer one is sorted by the database: by number and
title always, and a list of all scenes by status too. The other columns of a scene come from several tables and from rules,
and no index knows their order, so a long list can't be sorted by them in the time of a page. Sends no request.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import chain

from plexsync.reports.format import stamp
from plexsync.reports.rows import title
from plexsync.reports.shapes.scenes import LeftOutFacts, SceneFacts, SceneRow
from plexsync.rules.merge.pictures import left_out, left_out_text
from plexsync.rules.merge.taken_back import TakenBack
from plexsync.rules.queue.job import Kind
from plexsync.rules.record_class import record
from plexsync.rules.records import LAST_ID, PictureRow
from plexsync.rules.words.scene_status import standing
from plexsync.rules.words.sorting import BY_NUMBER, NUMBER, ScenePlace, Sort, is_beyond, sort_key
from plexsync.rules.words.status_words import SceneStatus, buckets
from plexsync.store.database import Reader


@record
class Listed:
    """A page of scenes by number; `after` is where the next page begins, None on the last page."""

    ids: Sequence[int]
    after: int | None


def stand_so(db: Reader, statuses: Sequence[SceneStatus], *, after: int, limit: int) -> Listed:
    """List the scenes with one of these statuses; without statuses, all known scenes."""
    lists = [db.standings.scenes(status, limit=limit + 1, after=after) for status in statuses or (None,)]
    return _page(sorted(chain.from_iterable(lists))[: limit + 1], limit)


def named_like(db: Reader, text: str, *, after: int, limit: int) -> Listed:
    """List the scenes with this text in their title or path; the scene with this number comes first.

    A page of one scene has no room for that: there, the scene comes in its usual order.
    """
    ids = db.scene_names.search(text, limit=limit + 1, after=after)
    number = parse_number(db, text)
    if limit == 1:
        return _page(sorted({*ids, *([number] if number > after else [])}), limit)
    first = [number] if number and not after else []
    page = _page(ids, limit - len(first))
    return Listed([*first, *(id for id in page.ids if id != number)], page.after)


def parse_number(db: Reader, text: str) -> int:
    """The number of the scene if the text is the number of a known scene; else 0."""
    number = int(text) if text.isascii() and text.isdecimal() and len(text) <= len(str(LAST_ID)) else 0
    return number if 1 <= number <= LAST_ID and facts_of(db, [number], ())[0]["stands"] != SceneStatus.UNKNOWN else 0


def _page(ids: Sequence[int], limit: int) -> Listed:
    more = len(ids) > limit
    return Listed(ids[:limit], ids[limit - 1] if more else None)


def facts_of(db: Reader, ids: Sequence[int], pictures: Collection[str]) -> list[SceneFacts]:
    """The status of these scenes, in this order. `pictures` are the names of the results for pictures that are synced."""
    called, pushed, marks = db.scene_names.of(ids), db.pushes.last_at(ids), db.memories.marks(ids)
    results = db.pictures.of_all(ids) if pictures else {}
    jobs, stood = db.jobs.of(Kind.SCENE, ids), db.standings.of_all(ids)
    scenes: list[SceneFacts] = []
    for id in ids:
        stands = standing(jobs.get(id), stood.get(id), pushed=pushed.get(id), mark=marks.get(id, TakenBack.NO))
        names = called.get(id)
        scenes.append(
            {
                "id": id,
                "title": names.title if names else title(db, Kind.SCENE, id),
                "path": names.path if names else "",
                "named": names is not None,
                "stands": stands.status.value,
                "since": stamp(stands.since),
                "why": stands.why,
                "left_out": left_out_facts(stands.status, results.get(id, {}), pictures),
                "kept_fields": stands.kept_fields,
            }
        )
    return scenes


def scene_row(facts: SceneFacts) -> SceneRow:
    """The scene for the API."""
    return {
        "id": facts["id"],
        "title": facts["title"] or None,
        "stands": facts["stands"],
        "since": facts["since"],
        "why": facts["why"],
        "left_out": facts["left_out"],
        "kept_fields": facts["kept_fields"],
    }


def left_out_facts(
    status: SceneStatus, results: Mapping[str, PictureRow], pictures: Collection[str]
) -> list[LeftOutFacts]:
    """The pictures that a scene in sync lacks in Plex, by the stored results."""
    if status is not SceneStatus.IN_SYNC:
        return []
    return [{"field": name, "reason": reason} for name, reason in left_out(results, pictures).items()]


def left_out_words(facts: Sequence[LeftOutFacts]) -> str:
    """The pictures that could not be written, as the end of a sentence."""
    return "; ".join(left_out_text(fact["field"], fact["reason"]) for fact in facts)


FEW = 1_000
# How many times as many names as a page needs are read at first, for a list that is a part of the library.
ALSO_OTHERS = 4
TITLE, STATUS, SINCE, WHY = "title", "status", "since", "why"
COLUMNS = (NUMBER, TITLE, STATUS, SINCE, WHY)


@record
class SortedScenes:
    """A page of scenes. `sort` is the order that it has, `columns` are those that the list can be sorted by.

    `after` is the place after which the next page begins, None on the last page.
    """

    ids: Sequence[int]
    after: ScenePlace | None
    sort: Sort
    columns: Collection[str]


def sorted_scenes(
    db: Reader, text: str, statuses: Sequence[SceneStatus], sort: Sort, *, after: ScenePlace | None, limit: int
) -> SortedScenes:
    """The page after this place of the scenes with a text in title or path, or with one of these statuses, or else of all.

    It is sorted by number, if the list can't be sorted as asked.
    """
    if text:
        number = parse_number(db, text)
        ids = sorted({*db.scene_names.search(text, limit=FEW + 1), *([number] if number else [])})
    else:
        ids = list(stand_so(db, statuses, after=0, limit=FEW + 1).ids)
    is_short = len(ids) <= FEW
    # Scenes of one status are not sorted by it.
    has_status = not statuses and (is_short or not text)
    columns = (NUMBER, TITLE, *((STATUS,) if has_status else ()), *((SINCE, WHY) if is_short else ()))
    sort = sort if sort.column in columns else BY_NUMBER
    if sort == BY_NUMBER:
        begin = after.id if after else 0
        page = (
            named_like(db, text, after=begin, limit=limit) if text else stand_so(db, statuses, after=begin, limit=limit)
        )
        return SortedScenes(page.ids, None if page.after is None else ScenePlace("", page.after), sort, columns)
    places = _sort_places(db, ids, sort, after) if is_short else _places(db, text, statuses, sort, after, limit + 1)
    return SortedScenes(
        [place.id for place in places[:limit]], places[limit - 1] if len(places) > limit else None, sort, columns
    )


# --- short lists -----------------------------------------------------------------------------------------------------


def _sort_places(db: Reader, ids: Sequence[int], sort: Sort, after: ScenePlace | None) -> list[ScenePlace]:
    """All places of a list after this one. Scenes without the value come last, either way, by number."""
    value = _VALUES[sort.column]
    places = [ScenePlace(value(facts), facts["id"]) for facts in facts_of(db, ids, ())]
    valued = sorted((place for place in places if place.value), reverse=sort.down)
    rest = sorted(place for place in places if not place.value)
    if after is not None and not after.value:
        return [place for place in rest if place > after]
    return [*(place for place in valued if is_beyond(place, after, down=sort.down)), *rest]


_VALUES: Mapping[str, Callable[[SceneFacts], str]] = {
    NUMBER: lambda facts: f"{facts['id']:020}",
    TITLE: lambda facts: sort_key(facts["title"] or facts["path"]),
    # The place among the tabs, in digits of one length.
    STATUS: lambda facts: next((f"{at:02}" for at, same in enumerate(buckets()) if facts["stands"] in same), "99"),
    SINCE: lambda facts: facts["since"] or "",
    WHY: lambda facts: sort_key(facts["why"]),
}


# --- long lists ------------------------------------------------------------------------------------------------------


def _places(
    db: Reader, text: str, statuses: Sequence[SceneStatus], sort: Sort, after: ScenePlace | None, limit: int
) -> list[ScenePlace]:
    """The places after this one, read in order."""
    if sort.column == STATUS:
        return _by_status(db, sort, after, limit)
    if text:
        return db.scene_names.search_places(text, sort, limit=limit, after=after)
    if sort.column == NUMBER:
        return _merge_places(db, statuses, sort, after, limit)
    named = _by_title(db, statuses, sort, after, limit) if after is None or after.value else []
    if len(named) >= limit:
        return named
    begin = after.id if after is not None and not after.value else 0
    nameless = {
        id
        for status in statuses or (None,)
        for id in db.standings.nameless(status, limit=limit - len(named), after=begin)
    }
    return [*named, *(ScenePlace("", id) for id in sorted(nameless))][:limit]


def _merge_places(
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
    return _merge_places(db, statuses, sort, after, limit)


def _by_status(db: Reader, sort: Sort, after: ScenePlace | None, limit: int) -> list[ScenePlace]:
    """All scenes, status by status in the order of the tabs; those of one status by number."""
    places: list[ScenePlace] = []
    for position, same in sorted(enumerate(buckets()), reverse=sort.down):
        here = ScenePlace(f"{position:02}", after.id if after else 0)
        if after is not None and here != after and not is_beyond(here, after, down=sort.down):
            continue
        begin = ScenePlace("", after.id) if here == after else None
        page = _merge_places(db, same, Sort(NUMBER, sort.down), begin, limit - len(places))
        places += [ScenePlace(here.value, place.id) for place in page]
        if len(places) >= limit:
            break
    return places

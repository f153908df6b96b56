"""Scenes as a list, a page at a time: title, status, since when, and why. Sends no request."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from plexsync.reports.format import stamp
from plexsync.reports.rows import title
from plexsync.reports.shapes.scenes import LeftOutFacts, SceneFacts, SceneRow
from plexsync.rules.job import Kind
from plexsync.rules.pictures import left_out, left_out_text
from plexsync.rules.records import LAST_ID, PictureRow
from plexsync.rules.scene_status import standing
from plexsync.rules.status_words import SceneStatus
from plexsync.rules.taken_back import TakenBack
from plexsync.store.database import Reader


@dataclass(frozen=True)
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
    number = numbered(db, text)
    if limit == 1:
        return _page(sorted({*ids, *([number] if number > after else [])}), limit)
    first = [number] if number and not after else []
    page = _page(ids, limit - len(first))
    return Listed([*first, *(id for id in page.ids if id != number)], page.after)


def numbered(db: Reader, text: str) -> int:
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

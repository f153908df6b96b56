"""The collections that PlexSync dresses: how they stand, one with its parts on both servers, and your decisions there."""

from collections.abc import Mapping
from urllib.parse import urlencode

from starlette.responses import Response

from plexsync.app.dressing import collection_viewer
from plexsync.reports.collections import (
    OWNER_WORDS,
    PART_WORDS,
    CollectionFacts,
    CollectionList,
    collection_counts,
    collection_list,
    collection_report,
    collection_rows,
    collections_line,
    object_words,
    part_value,
    remembered_parts,
)
from plexsync.reports.rows import past_facts, past_of, row_facts
from plexsync.rules.collections.collection_status import CollectionStatus, named_status
from plexsync.rules.queue.job import COLLECTION
from plexsync.rules.record_class import record
from plexsync.store.database import Reader
from plexsync.web.pages import PageCall, PageNotFound, Tab, Wrong, page, whole_number

HERE = "/collections"
MOST_LISTED = 50
# The statuses whose tabs are shown also while no collection has them.
MAIN = (
    CollectionStatus.IN_SYNC,
    CollectionStatus.EDITED,
    CollectionStatus.NOT_OURS,
    CollectionStatus.QUEUED,
    CollectionStatus.NO_SCENES,
)


@record
class Filter:
    """What a request lists: one status (None for all) of one library, by its title and as the database has it."""

    status: CollectionStatus | None
    title: str
    library: str
    offset: int

    def address(self, **changes: object) -> str:
        """The page of the list that differs in this."""
        status = self.status.value if self.status else ""
        values = {"stands": status, "library": self.title, "offset": self.offset, **changes}
        meant = {name: value for name, value in values.items() if value}
        return f"{HERE}?{urlencode(meant)}" if meant else HERE


def collections(call: PageCall) -> Response:
    """How all collections stand, and a page of the list."""
    with call.reading() as db:
        wanted = _filter(call, db)
        counts, facts = collection_counts(db), _list(db, wanted, MOST_LISTED)
        libraries = [row.title for row in db.sections.all()]
    more = facts["offset"]
    return call.show(
        "collections.html",
        is_on=call.parts.settings.has_objects,
        line=collections_line(counts),
        known=sum(counts.values()),
        list=facts,
        wanted=wanted,
        tabs=_tabs(wanted, facts["counts"]),
        libraries=[
            Tab(title or "all libraries", None, wanted.address(library=title, offset=0), title == wanted.title)
            for title in ("", *libraries)
        ]
        if len(libraries) > 1
        else [],
        of=object_words,
        stands=stands,
        first=wanted.address(offset=0),
        next=wanted.address(offset=more) if more is not None else "",
    )


def read(call: PageCall, limit: int) -> CollectionList:
    """The list for a program, as the address asks for it."""
    with call.reading() as db:
        return _list(db, _filter(call, db), limit)


def _list(db: Reader, wanted: Filter, limit: int) -> CollectionList:
    return collection_list(db, stands=wanted.status, library=wanted.library, offset=wanted.offset, limit=limit)


def _filter(call: PageCall, db: Reader) -> Filter:
    text, title, offset = (call.query.get(name, "") for name in ("stands", "library", "offset"))
    status = named_status(text) if text else None
    if text and status is None:
        raise Wrong(f"stands must be one of {', '.join(CollectionStatus)}")
    ids = {row.title: row.uuid or row.key for row in db.sections.all()}
    if title and title not in ids:
        raise Wrong("There is no library with this name.")
    place = whole_number(offset or "0")
    if place is None:
        raise Wrong("offset must be a whole number")
    return Filter(status, title, ids.get(title, ""), place)


def _tabs(wanted: Filter, counts: Mapping[str, int]) -> list[Tab]:
    statuses = [
        status for status in CollectionStatus if counts.get(status) or status is wanted.status or status in MAIN
    ]
    return [
        Tab("all", sum(counts.values()), wanted.address(stands="", offset=0), wanted.status is None),
        *(
            Tab(
                status.word,
                counts.get(status, 0),
                wanted.address(stands=status.value, offset=0),
                status is wanted.status,
            )
            for status in statuses
        ),
    ]


def stands(name: str) -> CollectionStatus:
    """The status with this name in JSON."""
    return named_status(name) or CollectionStatus.QUEUED


def collection(call: PageCall) -> Response:
    """One collection: how it stands, each part on both servers, and its history."""
    id = call.number("id")
    facts, away = None, ""
    if not call.live:
        facts, away = call.look(lambda parts: collection_report(parts.store, collection_viewer(parts), id))
    with call.reading() as db:
        row = db.collections.of([id]).get(id)
        if row is None:
            raise PageNotFound
        (known,) = collection_rows(db, [row])
        past, job = past_of(db, COLLECTION, id), db.jobs.find(COLLECTION, id)
    fact_row = facts or known
    return call.show(
        "collection.html",
        is_on=call.parts.settings.has_objects,
        row={
            **known,
            "name": fact_row["name"],
            "key": fact_row["key"],
            "owner": fact_row["owner"],
            "scenes": fact_row["scenes"],
        },
        verdict=facts["verdict"] if facts and not facts["away"] else "",
        parts_now=facts["parts"] if facts else remembered_parts(row),
        is_read=facts is not None and not facts["away"],
        away=away or (facts["away"] if facts else ""),
        was_written=bool(row.memory or row.pushing),
        queue=row_facts(job),
        past=[past_facts(entry) for entry in past],
        of=object_words,
        owner=OWNER_WORDS,
        part=lambda name: PART_WORDS.get(name, name),
        value=part_value,
        stands=stands,
    )


def report(call: PageCall) -> CollectionFacts | tuple[CollectionFacts, int]:
    """One collection for a program. It asks both servers."""
    with call.desk.looking() as parts:
        facts = collection_report(parts.store, collection_viewer(parts), call.number("id"))
    if facts is None:
        raise PageNotFound
    return (facts, 503) if facts["away"] else facts


routes = [
    page(HERE, collections),
    page(f"{HERE}/{{id}}", collection),
]

"""How collections stand, as facts: lists, counts, and one collection with its parts.

What both servers have is read by an inspection that writes to neither. While a server can't be asked, the facts are
those that PlexSync remembers.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TypedDict

from plexsync.engine.undo import BATCH, UndoneRun
from plexsync.flows.collections.decisions import of_run
from plexsync.flows.collections.findings import CollectionFinding, CollectionSight
from plexsync.flows.collections.inspection import CollectionInspector
from plexsync.flows.scenes.drift import Decided, DriftAnswer
from plexsync.flows.scenes.inspection_records import Inspection
from plexsync.reports.drift import DONE
from plexsync.reports.format import many, stamp
from plexsync.reports.rows import SHORT, action, attempt_facts, note_facts, push_facts, reason, row_facts
from plexsync.reports.shapes.scenes import AttemptFacts, JobFacts, NoteFacts, PushFacts, SceneCollection
from plexsync.reports.shapes.values import Moment
from plexsync.rules.collections.collection_order import ORDER, members_in, sort_of
from plexsync.rules.collections.collection_status import CollectionStatus, collection_status, count_statuses
from plexsync.rules.collections.collection_values import MODES
from plexsync.rules.collections.collections import MOST_TENTHS, CollectionObject, CollectionRow, objects_of
from plexsync.rules.item import PICTURES
from plexsync.rules.merge.drift import kept_fields
from plexsync.rules.merge.memory import undo_mode
from plexsync.rules.merge.taken_back import TakenBack
from plexsync.rules.merge.values import Value, held_field
from plexsync.rules.queue.job import COLLECTION, State
from plexsync.rules.records import JobRow
from plexsync.rules.servers.errors import NeighbourError
from plexsync.store.database import Database, Reader

# --- the shapes of JSON ----------------------------------------------------------------------------------------------


class CollectionRowFacts(TypedDict):
    """A collection of a list."""

    id: int
    """The number in the database of PlexSync, which is that of its job, too."""
    name: str
    """The title in Plex when last read; until the collection was found, the name that scenes are given."""
    source: str
    """`studio`, `group`, `tag`, `performer`, `rating` or `organized`; `playlist`: it is no collection, but a playlist."""
    object: int
    """The number of the object in Stash; of a playlist its tag. That of a rating is its tenths, 1 to 10."""
    library: str
    """The title of the library in Plex; empty if it is not known."""
    section: str
    """The key of the library; empty for a playlist, which has none."""
    key: str
    """The rating key of the collection; empty while it was not found in Plex."""
    owner: str
    """`ours` (made by PlexSync's names), `foreign`, `handed` (handed over by you); empty while not known."""
    stands: str
    """The status word, such as `in_step`: see [collections](collections.md#how-a-collection-stands)."""
    since: Moment | None
    """Since when it stands so; null if it was not inspected yet."""
    why: str
    """The error of a dead letter, or of the last failed attempt of a queued one; else empty."""
    cause: str
    """The cause of that error; else empty."""
    queued: bool
    """Whether the worker is about to inspect it."""
    undone: str | None
    """`undo`, `release` or `gone` if what was written is taken back or released; else null."""
    kept: list[str]
    """The names in Plex of the parts that you keep."""
    scenes: int | None
    """The number of the object's scenes in Stash; null while not known."""


class CollectionList(TypedDict):
    """A page of collections, sorted by name: `plexsync collections list`, `/api/collections`."""

    counts: dict[str, int]
    """The number of all collections by `stands`. Words without one are left out."""
    total: int
    """The number of collections that the list has on all pages."""
    collections: list[CollectionRowFacts]
    offset: int | None
    """Pass this as `offset` to get the next page; null on the last page."""


class CollectionPartFacts(TypedDict):
    """A part of a collection: its value on both servers, what PlexSync left and found, and what a sync would do."""

    part: str
    """The name in Plex: `title`, `titleSort`, `summary`, `thumb` (the poster), `art` (the background), `collectionMode`,
    `home`, `members` (of a playlist: rating keys) or `order` (rating keys with commas between; empty: by release)."""
    stash: str | None
    """What Plex should show; null if the part is not synced, or not known now."""
    plex: str | None
    """What Plex has; null if it is not known now."""
    locked: bool
    left: str | None
    """What PlexSync left in Plex; null if it never wrote the part."""
    before: str | None
    """What Plex had before PlexSync; null if it never wrote the part."""
    action: str
    """What a sync would do, in words, such as `write` or `nothing`; empty if it is not known now."""
    reason: str
    """Why a sync would change the part; empty if it would not."""
    edited: bool
    """Whether you edited it in Plex and have not decided about it."""
    kept_since: Moment | None
    """Since when you keep what Plex has; null if you don't."""
    notes: list[NoteFacts]


class SourceFacts(TypedDict):
    """The object in Stash of a collection."""

    name: str
    """As its template names the collection."""
    updated_at: str
    """When it was last changed, as Stash says; empty for ratings and `organized`."""
    scenes: int


class CollectionFacts(CollectionRowFacts):
    """A collection with its parts: `plexsync collections explain`, `/api/collections/7`."""

    verdict: str
    """The status in one sentence."""
    in_stash: SourceFacts | None
    """The object as Stash has it now; null if it is gone, or Stash can't be asked."""
    members: list[str] | None
    """The rating keys of its items in their order; null if they were not read, which is only needed for the order."""
    parts: list[CollectionPartFacts]
    job: JobFacts | None
    attempts: list[AttemptFacts]
    """Newest first."""
    pushes: list[PushFacts]
    """What was changed, newest first."""
    away: str
    """Why a server could not be asked; else empty. Then the parts are those that PlexSync remembers."""


class CollectionChangeFacts(CollectionRowFacts):
    """What a sync would do to a collection or a playlist."""

    verdict: str
    parts: list[CollectionPartFacts]
    """The parts that it would change."""
    error: str
    """Why it can't be inspected now, or empty."""


class CollectionPreview(TypedDict):
    """What a sync of all collections would do: `plexsync collections sync --dry-run`."""

    counts: dict[str, int]
    """`inspected`, `would_change`, `parts` (that would be changed), `failed` (could not be inspected)."""
    collections: list[CollectionChangeFacts]
    """Those that would be changed or could not be inspected."""


class CollectionsLeftAlone(TypedDict, total=False):
    """The collections that a command left alone; a key that would be empty is left out."""

    untouched: list[int]
    """Collections that it does not concern."""
    busy: list[int]
    """Collections that were being worked on: try again."""
    failed: dict[str, str]
    """Why Stash could not tell of a collection, by its number."""


class CollectionsAnswer(CollectionsLeftAlone):
    """What came of a command: `plexsync collections sync`, `take`, `undo`, `redo`."""

    collections: list[int]
    """The collections that are queued, by number. With `--wait` also `outcomes` (how they stand then: counts by status word)
    and `why` (why the work ended early, or empty)."""


class CollectionDecision(CollectionsLeftAlone):
    """What came of a decision about parts: `plexsync collections keep`, `use-stash`, `unkeep`."""

    decision: str
    """`keep`, `take` (use-stash) or `unkeep`."""
    parts: dict[str, list[str]]
    """The parts decided about, by the number of the collection."""


# The parts in display order, by their names in Plex, with their display words.
PART_WORDS: Mapping[str, str] = {
    "title": "name",
    "titleSort": "sort title",
    "summary": "summary",
    "thumb": SHORT["thumb"],
    "art": SHORT["art"],
    "collectionMode": "mode",
    "home": "home",
    "order": "order",
    "members": "items",
}
OWNER_WORDS: Mapping[str, str] = {
    "": "not known yet",
    "ours": "made by PlexSync's names",
    "foreign": "not PlexSync's",
    "handed": "handed over by you",
}
VERDICTS: Mapping[CollectionStatus, str] = {
    CollectionStatus.NO_SCENES: "Plex has no such collection yet: it appears with the first item that carries the name",
    CollectionStatus.NOT_OURS: "PlexSync did not make it, so nothing is written: plexsync collections take",
    CollectionStatus.SHARED: "another object has the same name, and dresses this collection",
    CollectionStatus.NO_LIBRARY: "its library is not synced, or not known yet",
    CollectionStatus.DROPPED: "dropped: nothing is written until it changes in Stash, or plexsync collections sync",
}


NONE_KNOWN = "No collection is known yet"
# What the first line always says, and in which words.
FIRST: Mapping[CollectionStatus, str] = {
    CollectionStatus.IN_SYNC: "in sync",
    CollectionStatus.EDITED: "edited in Plex",
    CollectionStatus.NOT_OURS: "not PlexSync’s",
}
WAITING: Mapping[CollectionStatus, str] = {
    CollectionStatus.QUEUED: "queued",
    CollectionStatus.NO_SCENES: "without a scene in Plex",
}


def collections_line(counts: Mapping[CollectionStatus, int]) -> str:
    """How all collections stand: in sync, edited in Plex, not PlexSync's, waiting; and the rest, as far as there is one."""
    total = sum(counts.values())
    if not total:
        return NONE_KNOWN
    waiting = {status: counts[status] for status in WAITING if counts.get(status)}
    parts = ", ".join(f"{count:,} {WAITING[status]}" for status, count in waiting.items())
    words = [f"{counts.get(status, 0):,} {word}" for status, word in FIRST.items()]
    words.append(f"{sum(waiting.values()):,} waiting" + (f" ({parts})" if parts else ""))
    rest = [status for status in CollectionStatus if status not in FIRST and status not in WAITING]
    words += [f"{counts[status]:,} {status.word}" for status in rest if counts.get(status)]
    return f"{many(total, 'collection')}: {', '.join(words)}"


def part_name(text: str) -> str | None:
    """The name in Plex of a part, by that name or by its display word."""
    name = text.strip().casefold()
    return next((part for part, word in PART_WORDS.items() if name in (part.casefold(), word)), None)


def object_words(facts: CollectionRowFacts) -> str:
    """The object in Stash of a collection: `studio 7`, `rating 8 of 10`."""
    source, number = facts["source"], facts["object"]
    if source == "playlist":
        return f"playlist of tag {number}"
    if source == "organized":
        return "organized scenes"
    return f"{source} {number} of {MOST_TENTHS}" if source == "rating" else f"{source} {number}"


def part_value(part: str, value: Value | None, *, in_plex: bool = False) -> str:
    """The value of a part as it is shown; '' for none."""
    if value is None:
        return ""
    value = _text(value)
    if part in PICTURES:
        return ("a picture" if in_plex else "the picture from Stash") if value else ""
    if part == "collectionMode":
        return next((mode.replace("_", " ") for mode, set_to in MODES.items() if mode and set_to == value), value)
    if part == ORDER:
        sort = {"0": "by release", "1": "alphabetical"}.get(sort_of(value))
        return sort or f"a custom order of {many(len(members_in(value)), 'item')}"
    if part == "members":
        return many(len(value.split(",")) if value else 0, "item")
    if part == "home":
        return value.replace(",", ", ") or "not shown"
    return value


# --- lists -----------------------------------------------------------------------------------------------------------


def collection_counts(db: Reader, *, library: str = "") -> dict[CollectionStatus, int]:
    """The number of collections of a library ('' for all) by status; those without one are left out."""
    return count_statuses(db.collections.count_all(library=library))


def collection_list(
    db: Reader, *, stands: CollectionStatus | None = None, library: str = "", offset: int = 0, limit: int
) -> CollectionList:
    """A page of the collections of a library ('' for all) with this status (None for any), by name."""
    counts = collection_counts(db, library=library)
    known = ((standing, state) for standing, state, _ in db.collections.count_all(library=library))
    pairs = [pair for pair in known if stands in (None, collection_status(*pair))]
    rows = db.collections.in_order(pairs, library=library, offset=offset, limit=limit + 1)
    total = sum(counts.values()) if stands is None else counts.get(stands, 0)
    return {
        "counts": {status.value: count for status, count in counts.items()},
        "total": total,
        "collections": collection_rows(db, rows[:limit]),
        "offset": offset + limit if len(rows) > limit else None,
    }


def collection_rows(db: Reader, rows: Sequence[CollectionRow]) -> list[CollectionRowFacts]:
    """These collections for JSON."""
    jobs, libraries = db.jobs.of(COLLECTION, [row.id for row in rows]), _libraries(db)
    return [_row_facts(row, jobs.get(row.id), libraries) for row in rows]


def _libraries(db: Reader) -> dict[str, str]:
    """The titles of the libraries, by uuid and by key."""
    sections = db.sections.all()
    return {**{row.key: row.title for row in sections}, **{row.uuid: row.title for row in sections if row.uuid}}


def _row_facts(row: CollectionRow, job: JobRow | None, libraries: Mapping[str, str]) -> CollectionRowFacts:
    status = collection_status(row.standing, job.state if job else None)
    is_failed = job is not None and (status is CollectionStatus.FAILED or job.state is State.READY)
    return {
        "id": row.id,
        "name": row.name,
        "source": row.object.source,
        "object": row.object.id,
        "library": libraries.get(row.library or row.section, ""),
        "section": "" if row.object.source == "playlist" else row.section,
        "key": row.item,
        "owner": row.owner,
        "stands": status.value,
        "since": stamp(job.since if job and is_failed else row.standing_at or None),
        "why": job.error if job and is_failed else "",
        "cause": job.cls if job and is_failed else "",
        "queued": bool(job and job.state in (State.READY, State.RUNNING)),
        "undone": row.undone or None,
        "kept": [part for part in PART_WORDS if part in kept_fields(row.memory)],
        "scenes": row.scenes if row.scenes >= 0 else None,
    }


def collections_named(db: Reader, text: str, library: str = "") -> list[CollectionRow]:
    """The collections with this number or name, in the library with this title ('' for all), by id.

    A number that is no collection's is taken for a name.
    """
    rows = db.collections.of([int(text)]) if text.isascii() and text.isdecimal() and len(text) < 16 else {}
    if not rows:
        rows = db.collections.of(namesake.id for namesake in db.collections.by_name([text]))
    return in_library(db, [row for _, row in sorted(rows.items())], library)


def in_library(db: Reader, rows: Iterable[CollectionRow], title: str) -> list[CollectionRow]:
    """Those of these collections in the library with this title ('' for any)."""
    libraries, wanted = _libraries(db) if title else {}, title.strip().casefold()
    return [row for row in rows if not title or libraries.get(row.library or row.section, "").casefold() == wanted]


def collections_of_scene(db: Reader, inspection: Inspection) -> list[SceneCollection]:
    """The collections that PlexSync knows of the objects of an inspected scene, in the libraries of its items."""
    sections = {row.key: row.uuid for row in db.sections.all()}
    wanted: dict[tuple[CollectionObject, str], None] = {}
    if inspection.scene is None:
        return []
    for target in inspection.targets:
        library = target.item.library or sections.get(target.item.section, "")
        wanted |= {(named.object, library): None for named in objects_of(inspection.scene, target.profile)}
    by_object = db.collections.of_objects(object for object, _ in wanted)
    ids = [row.id for object, library in wanted for row in by_object.get(object, ()) if row.library == library]
    rows = db.collections.of(ids)
    return [
        {
            "id": facts["id"],
            "name": facts["name"],
            "source": facts["source"],
            "library": facts["library"],
            "stands": facts["stands"],
        }
        for facts in collection_rows(db, [rows[id] for id in ids])
    ]


# --- one collection --------------------------------------------------------------------------------------------------


def collection_report(store: Database, inspector: CollectionInspector, id: int) -> CollectionFacts | None:
    """A collection as both servers have it now, or as it is remembered while one can't be asked; None if unknown."""
    try:
        (finding,) = inspector.look([id])
    except NeighbourError as error:
        finding = CollectionFinding(id, error=error)
    with store.reading() as db:
        row = db.collections.of([id]).get(id)
        if row is None:
            return None
        job, libraries = db.jobs.find(COLLECTION, id), _libraries(db)
        attempts, pushes = db.attempts.of(COLLECTION, id), db.pushes.of(COLLECTION, id)
    inspection, source, found = finding.inspection, finding.source, row
    if finding.error is None and finding.row is not None:
        found = replace(row, name=finding.name, item=finding.item, owner=finding.owner, scenes=finding.scenes)
    facts = _row_facts(found, job, libraries)
    return {
        **facts,
        "verdict": _verdict(finding, facts),
        "in_stash": {"name": finding.template_name, "updated_at": source.updated_at, "scenes": finding.scenes}
        if source
        else None,
        "members": list(inspection.members) if inspection and inspection.members else None,
        "parts": _part_facts(inspection) if inspection else remembered_parts(row),
        "job": row_facts(job),
        "attempts": attempt_facts(attempts),
        "pushes": push_facts(pushes),
        "away": str(finding.error) if finding.error else "",
    }


def _verdict(finding: CollectionFinding, facts: CollectionRowFacts) -> str:
    if finding.error is not None:
        return f"it can't be inspected now: {finding.error}"
    if finding.leaves:
        return "no longer wanted: what PlexSync wrote to it is taken back"
    inspection, is_failed = finding.inspection, facts["stands"] == CollectionStatus.FAILED.value
    if inspection is None:
        status = collection_status(getattr(finding.outcome, "rests", ""), None)
        return VERDICTS.get(status, status.word)
    if count := len(inspection.plan.edit):
        taken = "still to be taken back" if inspection.undone else "would be changed"
        return f"{many(count, 'part')} {taken}"
    if inspection.undone:
        released = inspection.undone == TakenBack.RELEASE
        word = (CollectionStatus.RELEASED if released else CollectionStatus.UNDONE).word
        return f"{word}: it is left alone until it changes in Stash, or plexsync collections redo"
    if is_failed:
        return f"{CollectionStatus.FAILED.word}: {facts['why']}"
    edited = [PART_WORDS.get(drifted.name, drifted.name) for drifted in inspection.drift if not drifted.is_kept]
    return f"in sync but for what you edited in Plex: {', '.join(edited)}" if edited else CollectionStatus.IN_SYNC.word


def _text(value: Value) -> str:
    """A value as a text; a list with commas between its members."""
    return value if isinstance(value, str) else ",".join(value)


def _in_order(names: Iterable[str]) -> list[str]:
    """Names of parts in display order, each once; others come last."""
    return sorted(dict.fromkeys(names), key=lambda name: [*PART_WORDS].index(name) if name in PART_WORDS else 99)


def _part_facts(inspection: CollectionSight, only: Collection[str] | None = None) -> list[CollectionPartFacts]:
    plan, values = inspection.plan, inspection.wanted.values
    drift = {drifted.name: drifted for drifted in inspection.drift}
    notes = dict.fromkeys((*inspection.wanted.notes, *plan.notes))
    parts: list[CollectionPartFacts] = []
    for name in _in_order((*values, *plan.memory, *plan.edit)):
        if only is not None and name not in only:
            continue
        now, remembered, change = held_field(inspection.item, name), plan.memory.get(name), plan.edit.get(name)
        drifted, value = drift.get(name), values.get(name)
        changed = "undone" if undo_mode(plan.memory) else reason(remembered, value)
        parts.append(
            {
                "part": name,
                "stash": None if value is None else _text(value),
                "plex": _text(now.value),
                "locked": now.locked,
                "left": _text(remembered.left.value) if remembered else None,
                "before": _text(remembered.found.value) if remembered else None,
                "action": action(name, change, values),
                "reason": changed if change else "",
                "edited": drifted is not None and not drifted.is_kept,
                "kept_since": stamp(drifted.since) if drifted else None,
                "notes": note_facts(note for note in notes if note.field == name),
            }
        )
    return parts


def _changed_parts(inspection: CollectionSight) -> list[CollectionPartFacts]:
    """The parts that a plan changes, and those that an undo of a run leaves."""
    names = {*inspection.plan.edit, *(note.field for note in inspection.plan.notes if note.reason == "left")}
    parts = _part_facts(inspection, names)
    for part in parts:
        if part["reason"] == "undone":
            part["before"] = _text(inspection.plan.sending[part["part"]].sent.value)
    return parts


def remembered_parts(row: CollectionRow) -> list[CollectionPartFacts]:
    """The parts that PlexSync remembers, without what the servers have now."""
    decided = kept_fields(row.memory)
    return [
        {
            "part": name,
            "stash": None,
            "plex": None,
            "locked": row.memory[name].left.locked,
            "left": _text(row.memory[name].left.value),
            "before": _text(row.memory[name].found.value),
            "action": "",
            "reason": "",
            "edited": False,
            "kept_since": stamp(choice.at) if name in decided and (choice := row.memory[name].drift) else None,
            "notes": [],
        }
        for name in _in_order(row.memory)
    ]


# --- what a sync would do --------------------------------------------------------------------------------------------


def collection_changes(
    store: Database,
    inspector: CollectionInspector,
    ids: Sequence[int],
    *,
    undoing: TakenBack = TakenBack.NO,
    redoing: bool = False,
    run: UndoneRun | None = None,
) -> Iterator[CollectionChangeFacts]:
    """Inspect these collections, and yield what a sync would do to each. Raises NeighbourError.

    `undoing`, `redoing`: what a sync would do after all of them, or the writes of this `run`, were undone or redone.
    """
    for start in range(0, len(ids), BATCH):
        findings = inspector.look(ids[start : start + BATCH], undoing=undoing, redoing=redoing)
        with store.reading() as db:
            rows = db.collections.of(finding.id for finding in findings)
            facts = {entry["id"]: entry for entry in collection_rows(db, list(rows.values()))}
            plans = {finding.id: finding.inspection for finding in findings if finding.inspection}
            if run:
                plans = {id: of_run(db, before, rows[id], run) for id, before in plans.items() if id in rows}
        for finding in findings:
            if entry := facts.get(finding.id):
                parts = _changed_parts(plans[finding.id]) if finding.id in plans else []
                error = str(finding.error) if finding.error else ""
                yield {**entry, "verdict": _verdict(finding, entry), "parts": parts, "error": error}


def collection_decision_words(answer: DriftAnswer, decided: Decided) -> str:
    """What came of a decision about parts, in a sentence."""
    if not decided.parts and decided.busy:
        return f"{many(len(decided.busy), 'collection')} could not be decided about now, being worked on: try again"
    if not decided.parts:
        return "nothing to decide: no such part was edited in Plex"
    return f"{many(decided.fields, 'part')} of {many(len(decided.parts), 'collection')} {DONE[answer]}"


def collection_decision_facts(answer: DriftAnswer, decided: Decided) -> CollectionDecision:
    """A decision about parts, for JSON."""
    facts: CollectionDecision = {
        "decision": answer.value,
        "parts": {str(id): list(names) for id, names in decided.parts.items()},
    }
    if decided.untouched:
        facts["untouched"] = decided.untouched
    if decided.busy:
        facts["busy"] = decided.busy
    return facts

"""Undo, release and redo of what was written to collections."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

from plexsync.actions.model import (
    NO_FIELDS,
    NOT_LATER,
    Action,
    ActionRequest,
    ActionResult,
    FieldsOfRuns,
    PreviewRow,
    Selection,
    SubjectKind,
    SubjectPreview,
    Unfit,
    Verb,
    failed_facts,
    run_named,
    run_to_undo,
)
from plexsync.app.dressing import collection_viewer
from plexsync.app.parts import Parts
from plexsync.engine.undo import UndoneRun, wish_undone
from plexsync.flows.collections.decisions import CollectionUndo, handed_over, redone, run_values, want_collections
from plexsync.reports.collections import (
    PART_WORDS,
    CollectionPartFacts,
    collection_changes,
    collection_rows,
    collections_named,
    in_library,
    object_words,
    part_value,
)
from plexsync.reports.format import capitalize, many, safe
from plexsync.rules.collections.collection_status import CollectionStatus, named_status
from plexsync.rules.collections.collections import CollectionRow
from plexsync.rules.merge.taken_back import TakenBack
from plexsync.rules.queue.job import COLLECTION
from plexsync.rules.words.status_words import count_words
from plexsync.store.database import Database, Reader

LONGEST = 60
OFF = "no part of collections is dressed, and no tag makes playlists: see the settings collection_parts and playlists"
# The number of collections that are named in one line.
FEW = 10


def find_collections(store: Database, names: Sequence[str], library: str) -> list[CollectionRow]:
    """The collections with these numbers or names. Raises Unfit for one that is unknown or not the only one."""
    chosen: dict[int, CollectionRow] = {}
    with store.reading() as db:
        for name in names:
            rows = collections_named(db, name, library)
            quoted = safe(name, 80)
            if not rows:
                where = f" in a library {safe(library)}" if library else ""
                raise Unfit(
                    f"there is no collection {quoted}{where}: the list of collections has their names and numbers"
                )
            if len(rows) > 1:
                choices = ", ".join(
                    f"{facts['id']} ({object_words(facts)}, {safe(facts['library'], LONGEST) or 'library unknown'})"
                    for facts in collection_rows(db, rows)
                )
                raise Unfit(f"several collections have the name {quoted}: say the number, or --library: {choices}")
            chosen[rows[0].id] = rows[0]
    return list(chosen.values())


def every(store: Database, chosen: Callable[[CollectionRow], bool], library: str = "") -> list[CollectionRow]:
    """All of these collections, by number, in the library with this title ('' for all)."""
    with store.reading() as db:
        return in_library(db, filter(chosen, db.collections.every()), library)


def words_of(rows: Sequence[CollectionRow]) -> str:
    """The names of these collections, or their number if they are many."""
    if len(rows) > FEW:
        return many(len(rows), "collection")
    return ", ".join(safe(row.name, LONGEST) for row in rows)


class CollectionAction(Action):
    """An action on collections. `complaint` is said of the named ones that it does not concern.

    `applies`: whether it concerns one that was not named. `change` is what becomes of what is remembered, unless it is taken
    back.
    """

    subject = SubjectKind.COLLECTIONS
    noun = "collection"
    kinds = (COLLECTION,)
    heads = ("part", "what", "Plex has", "would be", "why")
    unfit: Mapping[str, str] = {"fields": NO_FIELDS, "and_later": NOT_LATER}

    def __init__(
        self,
        verb: Verb,
        question: str,
        begun: str,
        done: str,
        complaint: str,
        applies: Callable[[CollectionRow], bool],
        change: Callable[[CollectionRow], CollectionRow | None] | None = None,
    ) -> None:
        super().__init__(question, begun, done)
        self.verb = verb
        self.asks_stash = verb in (Verb.UNDO, Verb.RELEASE, Verb.SYNC)
        self._mode = TakenBack(verb) if verb in (Verb.UNDO, Verb.RELEASE) else TakenBack.NO
        if self._mode is TakenBack.UNDO:
            self.unfit = {"fields": NO_FIELDS}
        self._complaint = complaint
        self._applies = applies
        self._change = change

    def refusal(self, parts: Parts) -> str:
        """Nothing is synced while no part is dressed."""
        return OFF if self.verb is Verb.SYNC and not parts.settings.has_objects else ""

    def choose(self, parts: Parts, selection: Selection) -> list[int]:
        """The named collections, or those that are concerned."""
        if selection.ids:
            return list(dict.fromkeys(selection.ids))
        rows = every(parts.store, self._applies, selection.library)
        if selection.every:
            return [row.id for row in rows]
        with parts.store.reading() as db:
            if selection.run is not None:
                written = set(db.runs.subjects_in(run_named(db, COLLECTION, selection.run)))
            else:
                written = set(db.pushes.of_flow(COLLECTION).scenes_since(selection.since or 0))
        return [row.id for row in rows if row.id in written]

    def amount(self, asked: ActionRequest) -> str:
        """How many collections and playlists it is about."""
        with asked.parts.store.reading() as db:
            lists = len({row.id for row in db.collections.playlists().values()}.intersection(asked.ids))
        rest = len(asked.ids) - lists
        words = [many(rest, "collection")] if rest or not lists else []
        of_run = f" in run {asked.selection.run}" if self._mode is TakenBack.UNDO and asked.selection.run else ""
        return " and ".join([*words, *([many(lists, "playlist")] if lists else [])]) + of_run

    def remark(self, asked: ActionRequest) -> str:
        """What of a run is left as it is."""
        return " ".join(f"{capitalize(line)}." for line in self._fields_at_rest(asked).lines)

    def _run(self, db: Reader, selection: Selection) -> UndoneRun | None:
        """The run whose writes alone are taken back. A release is of whole collections."""
        return run_to_undo(db, COLLECTION, selection) if self._mode is TakenBack.UNDO else None

    def _fields_at_rest(self, asked: ActionRequest) -> FieldsOfRuns:
        """The parts of a run that are left as they are."""
        rest = FieldsOfRuns(self.noun)
        with asked.parts.store.reading() as db:
            if run := self._run(db, asked.selection):
                for id, row in db.collections.of(asked.ids).items():
                    rest.add(id, [run_values(db, row, run)])
        return rest

    def preview(self, asked: ActionRequest) -> Iterator[SubjectPreview]:
        """The parts that would be changed."""
        context = (asked.parts.store, collection_viewer(asked.parts), asked.ids)
        with asked.parts.store.reading() as db:
            run = self._run(db, asked.selection)
        for facts in collection_changes(*context, undoing=self._mode, redoing=self.verb is Verb.REDO, run=run):
            heading = f"{safe(facts['name'], 120)} ({object_words(facts)}, {safe(facts['library'], LONGEST)})"
            parts, error = facts["parts"], facts["error"]
            counts = {"inspected": 1, "would_change": bool(parts), "parts": len(parts), "failed": bool(error)}
            # One that stays as it is is only counted.
            listed = facts if parts or error else None
            yield SubjectPreview(heading, list(map(_change, parts)), listed, counts, error, safe(facts["library"]))

    def summary(self, counts: Counter[str]) -> str:
        """The number of parts."""
        failed = f"; {counts['failed']:,} can't be inspected now" if counts["failed"] else ""
        changed = f"{many(counts['parts'], 'part')} of {many(counts['would_change'], 'collection')} would be changed"
        return f"{many(counts['inspected'], 'collection')} inspected, {changed}{failed}; nothing was written"

    def report(self, counts: Counter[str], shown: Sequence[Mapping[str, object]]) -> Mapping[str, object]:
        """`plexsync.reports.collections.CollectionPreview`."""
        names = ("inspected", "would_change", "parts", "failed")
        return {"counts": {name: counts[name] for name in names}, "collections": list(shown)}

    def answer_for(self, jobs: Sequence[int]) -> ActionResult:
        """The collections that are queued."""
        return ActionResult(
            list(jobs),
            {"collections": list(jobs)},
            f"{many(len(jobs), 'collection')} {self._begun}",
            count=len(jobs),
        )

    def carry_out(self, asked: ActionRequest) -> ActionResult:
        """Change what is remembered of the collections, and queue them; says what was left alone."""
        parts, failed, rest = asked.parts, dict[int, str](), self._fields_at_rest(asked)
        if self._mode:
            viewer = collection_viewer(parts)
            flow = CollectionUndo(viewer, unwritten=True)
            marked = wish_undone(parts.store, flow, parts.clock, self._waiting(asked), self._mode)
            with parts.store.reading() as db:
                flow = CollectionUndo(viewer, self._run(db, asked.selection))
            marked = wish_undone(parts.store, flow, parts.clock, asked.ids, self._mode, asked.progress)
            queued, failed = marked.jobs, marked.failed
        else:
            queued = want_collections(parts.store, parts.clock, asked.ids, self._change)
        done = self.answer_for(queued)
        untouched = [id for id in asked.ids if id not in {*queued, *failed}]
        named = asked.selection.is_named
        with parts.store.reading() as db:
            rows = db.collections.of([*untouched, *failed])
        done.facts = {**done.facts, **({"untouched": untouched} if untouched else {}), **failed_facts(failed)}
        done.facts = {**done.facts, **rest.facts}
        done.complaints += rest.lines
        if untouched and named:
            done.complaints.append(f"{self._complaint}: {words_of([rows[id] for id in untouched if id in rows])}")
        for id, problem in failed.items():
            name = safe(rows[id].name, LONGEST) if id in rows else f"collection {id}"
            done.complaints.append(f"Stash can't tell of {name}: {safe(problem)}")
        done.is_failed = bool(failed or (untouched and named))
        return done

    @staticmethod
    def _waiting(asked: ActionRequest) -> list[int]:
        """With those that were selected all together, the others that may be written for the first time meanwhile."""
        selection = asked.selection
        if not selection.every:
            return []
        rows = every(asked.parts.store, lambda row: row.owner != "foreign" and not row.undone, selection.library)
        return [row.id for row in rows if row.id not in set(asked.ids)]

    def outcome(self, parts: Parts, done: ActionResult, unsettled: int) -> ActionResult:  # noqa: ARG002 - the statuses count them
        """How the collections stand now."""
        with parts.store.reading() as db:
            facts = collection_rows(db, list(db.collections.of(done.jobs).values()))
        stands = (None if entry["queued"] else named_status(entry["stands"]) for entry in facts)
        counts = Counter(status or CollectionStatus.QUEUED for status in stands)
        words = ", ".join(count_words(status.word, count) for status, count in counts.items())
        line = f"{many(len(done.jobs), 'collection')} {self._done}" + (f": {words}" if words else "")
        outcomes = {status.value: count for status, count in counts.items()}
        is_failed = bool(counts.keys() & {CollectionStatus.FAILED, CollectionStatus.QUEUED})
        return ActionResult(done.jobs, {"outcomes": outcomes}, line, is_failed=is_failed)


def _change(part: CollectionPartFacts) -> PreviewRow:
    name = part["part"]
    if texts := [note["text"] for note in part["notes"] if note["reason"] == "left"]:
        return PreviewRow(
            PART_WORDS.get(name, name), "leave", shown_value(name, part["plex"], in_plex=True), "", texts[0]
        )
    target = part["before"] if part["reason"] == "undone" else part["stash"]
    now = shown_value(name, part["plex"], in_plex=True)
    return PreviewRow(PART_WORDS.get(name, name), part["action"], now, shown_value(name, target), part["reason"])


def shown_value(part: str, value: str | None, *, in_plex: bool = False) -> str:
    """The value of a part in a table."""
    return safe(part_value(part, value, in_plex=in_plex), LONGEST) or "-"


def _is_written(row: CollectionRow) -> bool:
    """Whether something was written to it, and it is not taken back."""
    return bool(row.memory or row.pushing) and not row.undone


_NOTHING = "nothing was written to"
_UNDONE = "Take back what was written to {}?"
UNDO = CollectionAction(Verb.UNDO, _UNDONE, "to be taken back", "taken back", _NOTHING, _is_written)
_RELEASED = "Take PlexSync's locks off {}? The values stay, and can't be taken back any more."
RELEASE = CollectionAction(Verb.RELEASE, _RELEASED, "to be released", "released", _NOTHING, _is_written)
REDO = CollectionAction(
    *(Verb.REDO, "Dress {} again?", "to be dressed again", "dressed again", "not undone"),
    lambda row: bool(row.undone),
    redone,
)
SYNC = CollectionAction(Verb.SYNC, "Sync {}?", "queued", "worked", "", lambda _: True)
HAND_OVER = CollectionAction(
    *(Verb.HAND_OVER, "Hand over {}?", "handed over", "handed over", "already PlexSync's, or not in Plex yet"),
    lambda _: False,
    handed_over,
)

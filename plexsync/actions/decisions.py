"""Keep, take and unkeep: your decisions about what was edited in Plex, of scenes and of collections."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from plexsync.actions.collections import every, words_of
from plexsync.actions.model import (
    NOT_LATER,
    Action,
    ActionRequest,
    ActionResult,
    PreviewRow,
    Selection,
    SubjectKind,
    SubjectPreview,
    Unfit,
    Verb,
)
from plexsync.app.dressing import collection_viewer
from plexsync.app.parts import Parts
from plexsync.engine.tickets import READS
from plexsync.flows.collections.decisions import CollectionDecisions
from plexsync.flows.scenes.drift import DriftAnswer, DriftFilter, SceneDecisions, candidates, drift_now
from plexsync.reports.collections import (
    PART_WORDS,
    CollectionPartFacts,
    collection_decision_facts,
    collection_decision_words,
    collection_report,
    part_name,
)
from plexsync.reports.drift import decision_facts, decision_words, entry_facts, is_field, stays_words, value_words
from plexsync.reports.format import many, safe
from plexsync.reports.named_scenes import name_scenes
from plexsync.reports.rows import short
from plexsync.rules.collections.collection_status import CollectionStatus
from plexsync.rules.collections.collections import CollectionRow
from plexsync.rules.merge.drift import kept_fields
from plexsync.rules.merge.values import Value

LONGEST = 60
NO_MOMENT = "what was edited in Plex is of no run and no moment: say numbers, a library, or all"


class Decide(Action):
    """What both kinds of decisions share."""

    bar = "deciding"
    reads = READS
    heads = ("field", "what", "Plex has", "Stash says", "why")
    unfit: Mapping[str, str] = {"since": NO_MOMENT, "run": NO_MOMENT, "and_later": NOT_LATER}

    def __init__(self, verb: Verb, question: str) -> None:
        super().__init__(question)
        self.verb = verb
        self._answer = DriftAnswer(verb)


class DecideScenes(Decide):
    """A decision about fields of scenes."""

    subject = SubjectKind.SCENES
    kinds = ("scene",)

    def _filter(self, selection: Selection) -> DriftFilter:
        wanted = DriftFilter(selection.fields, selection.library, selection.item)
        return wanted.taking(self._answer, named=selection.is_named)

    def choose(self, parts: Parts, selection: Selection) -> list[int]:
        """The named scenes, or all that are listed."""
        if unknown := [name for name in selection.fields if not is_field(name)]:
            raise Unfit(f"there is no field {safe(unknown[0], LONGEST)}: plexsync drift --json has their names")
        if selection.ids:
            return list(dict.fromkeys(selection.ids))
        with parts.store.reading() as db:
            return candidates(db, self._answer)

    def question(self, asked: ActionRequest) -> str:
        """How many scenes it is about."""
        by_library = asked.selection.library and not asked.selection.is_named
        where = f"the library {asked.selection.library}" if by_library else many(len(asked.ids), "scene")
        return self._question.format(safe(where))

    def preview(self, asked: ActionRequest) -> Iterator[SubjectPreview]:
        """The fields that it is about."""
        wanted = self._filter(asked.selection)
        for entry in map(wanted.narrow, drift_now(asked.parts.inspector, asked.ids)):
            if not entry.fields:
                continue
            facts = entry_facts(entry)
            changes = [
                PreviewRow(
                    short(field["field"]),
                    self.verb.value,
                    _text(value_words(field["field"], field["plex"], in_plex=True)),
                    _text(value_words(field["field"], field["stash"])),
                    "" if field["kept_since"] else stays_words(field),
                )
                for field in facts["fields"]
            ]
            counts = {"scenes": 1, "fields": len(changes)}
            heading = f"Scene {entry.id}: {safe(entry.title, 120) or 'no title is known'} (item {entry.key})"
            yield SubjectPreview(heading, changes, facts, counts)

    def summary(self, counts: Counter[str]) -> str:
        """The number of fields."""
        return f"{many(counts['fields'], 'field')} of {many(counts['scenes'], 'item')}; nothing was changed"

    def answer_for(self, jobs: Sequence[int]) -> ActionResult:
        """Nothing is decided."""
        return ActionResult(list(jobs), {}, "")

    def carry_out(self, asked: ActionRequest) -> ActionResult:
        """Save the decision, and queue the scenes of which something is written then."""
        decisions = SceneDecisions(asked.parts.inspector)
        wanted = self._filter(asked.selection)
        decided = decisions.decide(asked.ids, self._answer, wanted, asked.progress, asked.stopping)
        queued = decided.scenes if self._answer is DriftAnswer.TAKE else []
        facts = decision_facts(self._answer, decided)
        done = ActionResult(queued, facts, decision_words(self._answer, decided), count=decided.fields)
        if asked.selection.is_named and decided.untouched:
            hint = "; a field that you keep is taken by its name alone: --field FIELD"
            is_kept = self.verb is Verb.TAKE and not asked.selection.fields
            done.complaints.append(
                f"no such field is listed of: {name_scenes(decided.untouched)}{hint if is_kept else ''}"
            )
        done.is_failed = bool(decided.busy or (asked.selection.is_named and decided.untouched))
        return done


class DecideCollections(Decide):
    """A decision about parts of collections."""

    subject = SubjectKind.COLLECTIONS
    noun = "collection"
    kinds = ("collection",)
    heads = ("part", "what", "Plex has", "Stash says", "why")

    def choose(self, parts: Parts, selection: Selection) -> list[int]:
        """The named collections, or those that may have such a part."""
        _parts(selection)
        if selection.ids:
            return list(dict.fromkeys(selection.ids))

        def has_one(row: CollectionRow) -> bool:
            if self._answer is DriftAnswer.UNKEEP:
                return bool(kept_fields(row.memory))
            return row.standing == CollectionStatus.EDITED.stored

        return [row.id for row in every(parts.store, has_one, selection.library)]

    def preview(self, asked: ActionRequest) -> Iterator[SubjectPreview]:
        """The parts that it is about."""
        viewer, names = collection_viewer(asked.parts), _parts(asked.selection)
        for id in asked.ids:
            facts = collection_report(asked.parts.store, viewer, id)
            edited = [part for part in facts["parts"] if self._concerns(part, asked.selection)] if facts else []
            changes = [
                PreviewRow(
                    PART_WORDS.get(part["part"], part["part"]),
                    self.verb.value,
                    _text(part["plex"] or ""),
                    _text(part["stash"] or ""),
                    part["reason"],
                )
                for part in edited
                if not names or part["part"] in names
            ]
            if facts and changes:
                yield SubjectPreview(safe(facts["name"], 120), changes, None, {"collections": 1, "parts": len(changes)})

    def _concerns(self, part: CollectionPartFacts, selection: Selection) -> bool:
        """Whether the decision is about a part: a kept one is taken only if it and its collection are named."""
        if self._answer is DriftAnswer.UNKEEP:
            return bool(part["kept_since"])
        is_named = self._answer is DriftAnswer.TAKE and selection.is_named and bool(selection.fields)
        return is_named if part["kept_since"] else part["edited"]

    def summary(self, counts: Counter[str]) -> str:
        """The number of parts."""
        return f"{many(counts['parts'], 'part')} of {many(counts['collections'], 'collection')}; nothing was changed"

    def answer_for(self, jobs: Sequence[int]) -> ActionResult:
        """Nothing is decided."""
        return ActionResult(list(jobs), {"decision": self._answer.value, "parts": {}}, "")

    def carry_out(self, asked: ActionRequest) -> ActionResult:
        """Save the decision, and queue the collections of which something is written then."""
        parts, wanted = asked.parts, DriftFilter(_parts(asked.selection))
        decisions = CollectionDecisions(collection_viewer(parts), parts.clock)
        wanted = wanted.taking(self._answer, named=asked.selection.is_named)
        decided = decisions.decide(asked.ids, self._answer, wanted, asked.progress, asked.stopping)
        facts, line = collection_decision_facts(self._answer, decided), collection_decision_words(self._answer, decided)
        queued = decided.scenes if self._answer is DriftAnswer.TAKE else []
        done = ActionResult(queued, facts, line, count=decided.fields)
        with asked.parts.store.reading() as db:
            rows = db.collections.of([*decided.untouched, *decided.busy])
        if asked.selection.is_named and decided.untouched:
            untouched = words_of([rows[id] for id in decided.untouched])
            done.complaints.append(f"no such part was edited in Plex: {untouched}")
        if decided.busy:
            done.complaints.append(f"being worked on, try again: {words_of([rows[id] for id in decided.busy])}")
        done.is_failed = bool(decided.busy or (asked.selection.is_named and decided.untouched))
        return done


def _parts(selection: Selection) -> tuple[str, ...]:
    """The names in Plex of the parts that are named. Raises Unfit."""
    names = {word: part_name(word) for word in selection.fields}
    if unknown := next((word for word, name in names.items() if name is None), None):
        raise Unfit(f"there is no part {safe(unknown)}: say one of {', '.join(PART_WORDS.values())}")
    return tuple(name for name in names.values() if name)


def _text(value: Value) -> str:
    return safe(value if isinstance(value, str) else ", ".join(value), LONGEST) or "-"


KEEP_SCENES = DecideScenes(Verb.KEEP, "Keep what Plex has, in {}?")
TAKE_SCENES = DecideScenes(
    Verb.TAKE,
    "Replace what was edited in Plex by what Stash says, in {}? Names that Stash does not have go.",
)
UNKEEP_SCENES = DecideScenes(Verb.UNKEEP, "No longer keep what Plex has, in {}?")
KEEP_COLLECTIONS = DecideCollections(Verb.KEEP, "Keep what Plex has, in {}?")
TAKE_COLLECTIONS = DecideCollections(Verb.TAKE, "Replace what was edited in Plex by what Stash says, in {}?")
UNKEEP_COLLECTIONS = DecideCollections(Verb.UNKEEP, "No longer keep what Plex has, in {}?")

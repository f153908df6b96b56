"""Undo, release and redo of what was pushed for scenes."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from plexsync.actions.model import (
    Action,
    ActionRequest,
    ActionResult,
    FieldsOfRuns,
    PreviewRow,
    Selection,
    SubjectKind,
    SubjectPreview,
    Verb,
    failed_facts,
    run_named,
    run_to_undo,
    unread,
)
from plexsync.app.parts import Parts
from plexsync.engine.undo import UndoneRun, wish_undone
from plexsync.flows.scenes.preview import preview_scenes
from plexsync.flows.scenes.undo import (
    Redone,
    SceneUndo,
    mark_all_undone,
    preview,
    pushed_scenes,
    redo_scenes,
    run_values,
    sorted_out,
)
from plexsync.reports.format import capitalize, many, safe
from plexsync.reports.named_scenes import name_scenes
from plexsync.reports.outcomes import outcomes
from plexsync.reports.rows import on_screen, short
from plexsync.reports.undo import DEEDS, UndoFacts, UndoField, redo_facts, undo_facts
from plexsync.rules.merge.taken_back import TakenBack
from plexsync.rules.merge.values import Value
from plexsync.rules.queue.job import Kind, State
from plexsync.rules.words.status_words import BY_MARK
from plexsync.store.database import Reader

LONGEST = 120


class SceneAction(Action):
    """What the actions on scenes share."""

    subject = SubjectKind.SCENES
    kinds = (Kind.SCENE.value,)

    def outcome_words(self) -> dict[str, str]:
        """The words of outcomes that this action has of its own."""
        return {}

    def outcome(self, parts: Parts, done: ActionResult, unsettled: int) -> ActionResult:  # noqa: ARG002 - the outcomes count them
        """How the scenes stand now."""
        ended = outcomes(parts, done.jobs)
        facts = {"outcomes": dict(ended.standing), "causes": dict(ended.causes)}
        return ActionResult(done.jobs, facts, ended.line(self.outcome_words()), is_failed=not ended.well)


class TakeBackScenes(SceneAction):
    """Undo or release."""

    working = "undoing"

    def __init__(self, mode: TakenBack, question: str, begun: str, done: str) -> None:
        super().__init__(question, begun, done)
        self.verb = Verb(mode)
        self._mode = mode
        if mode is TakenBack.UNDO:
            self.unfit = {selector: answer for selector, answer in Action.unfit.items() if selector != "and_later"}

    def _run(self, db: Reader, selection: Selection) -> UndoneRun | None:
        """The run whose writes alone are taken back. A release is of whole scenes."""
        return run_to_undo(db, Kind.SCENE, selection) if self._mode is TakenBack.UNDO else None

    def _fields_at_rest(self, asked: ActionRequest) -> FieldsOfRuns:
        """The fields of a run that are left as they are."""
        rest = FieldsOfRuns(self.noun)
        with asked.parts.store.reading() as db:
            if run := self._run(db, asked.selection):
                for id in asked.ids:
                    rest.add(id, run_values(db, id, run).values())
        return rest

    def choose(self, parts: Parts, selection: Selection) -> list[int]:
        """The named scenes, or those that anything was pushed for."""
        if selection.ids:
            return list(dict.fromkeys(selection.ids))
        if selection.every:
            return pushed_scenes(parts.store)
        with parts.store.reading() as db:
            if selection.run is not None:
                return db.runs.subjects_in(run_named(db, Kind.SCENE, selection.run))
            return db.pushes.scenes_since(selection.since or 0)

    def amount(self, asked: ActionRequest) -> str:
        """How many scenes it is about, and in which run."""
        is_of_run = self._mode is TakenBack.UNDO and asked.selection.run is not None
        return f"{super().amount(asked)}{f' in run {asked.selection.run}' if is_of_run else ''}"

    def remark(self, asked: ActionRequest) -> str:
        """What of a run is left as it is; and that all scenes drop what waits for their first push."""
        if not asked.selection.every:
            return " ".join(f"{capitalize(line)}." for line in self._fields_at_rest(asked).lines)
        with asked.parts.store.reading() as db:
            states = db.jobs.count_states()
        waits = any(states.get(state, 0) for state in (State.READY, State.RUNNING, State.ABSENT))
        return "What waits for its first push is dropped until its next edit." if waits else ""

    def preview(self, asked: ActionRequest) -> Iterator[SubjectPreview]:
        """Every field that would be changed, or left to you."""
        with asked.parts.store.reading() as db:
            titles = {section.key: section.title for section in db.sections.all()}
            run = self._run(db, asked.selection)
        for inspection in preview(asked.parts.inspector, asked.ids, self._mode, run):
            library = next((titles.get(target.item.section, "") for target in inspection.targets), "")
            yield replace(shown_scene(undo_facts(inspection)), library=safe(library))

    def summary(self, counts: Counter[str]) -> str:
        """The number of fields by what is done to them."""
        head = f"would be done for {many(counts['scenes'], 'scene')} and {many(counts['items'], 'item')}"
        failed = f"; {many(counts['failed'], 'scene')} can't be looked at now" if counts["failed"] else ""
        deeds = ", ".join(f"{counts[name]:,} {word}" for name, word in DEEDS.items() if counts[name])
        return f"{head}: {deeds or 'nothing is left to do'}{failed}"

    def report(self, counts: Counter[str], shown: Sequence[Mapping[str, object]]) -> Mapping[str, object]:
        """`plexsync.reports.undo.UndoPreview`."""
        return {"counts": {name: counts[name] for name in ("scenes", "items", *DEEDS)}, "scenes": list(shown)}

    def answer_for(self, jobs: Sequence[int]) -> ActionResult:
        """The scenes that are marked."""
        return ActionResult(
            list(jobs), {"undone": len(jobs)}, f"{many(len(jobs), 'scene')} {self._begun}", count=len(jobs)
        )

    def carry_out(self, asked: ActionRequest) -> ActionResult:
        """Mark the scenes."""
        parts, rest = asked.parts, FieldsOfRuns(self.noun)
        if asked.selection.every:
            marked = mark_all_undone(parts.inspector, self._mode, asked.progress)
        else:
            with parts.store.reading() as db:
                run = self._run(db, asked.selection)
            rest, flow = self._fields_at_rest(asked), SceneUndo(parts.inspector, run)
            marked = wish_undone(parts.store, flow, parts.clock, asked.ids, self._mode, asked.progress)
        done = self.answer_for(marked.jobs)
        done.facts = {**done.facts, **rest.facts}
        done.complaints += rest.lines
        if marked.untouched and asked.selection.run is None:
            done.facts = {**done.facts, "nothing_pushed": marked.untouched}
        if marked.untouched and asked.selection.is_named:
            done.complaints.append(f"nothing was pushed for {name_scenes(marked.untouched)}")
        if marked.dropped:
            done.facts = {**done.facts, "dropped": marked.dropped}
            rows = many(marked.dropped, "row")
            done.complaints.append(
                f"{rows} of the queue dropped: nothing was pushed for them, only an edit brings them back"
            )
        done.facts = {**done.facts, **failed_facts(marked.failed)}
        done.complaints += unread(marked.failed)
        done.is_failed = bool(marked.failed or (asked.selection.is_named and marked.untouched))
        return done

    def outcome_words(self) -> dict[str, str]:
        """Whatever it ended in, it is taken back; so are scenes that are gone or ignored."""
        words: dict[str, str] = {status.outcome: self._done for status in BY_MARK.values()}
        return {**words, "gone": f"{self._done}, gone from Stash", "ignored": f"{self._done}, still ignored"}


def shown_scene(facts: UndoFacts) -> SubjectPreview:
    """What undo would do to the items of a scene."""
    counts = Counter(field["action"] for item in facts["items"] for field in item["fields"])
    counts.update(scenes=1, items=len(facts["items"]), failed=bool(facts["error"]))
    title = f": {safe(facts['title'])}" if facts["title"] else ""
    several = len(facts["items"]) > 1
    items = ", ".join(f"item {item['key']}" for item in facts["items"])
    changes = [
        _change(field, f"{item['key']} " if several else "") for item in facts["items"] for field in item["fields"]
    ]
    heading = f"Scene {facts['id']}{title}" + (f", {items}" if items else "")
    return SubjectPreview(heading, changes, facts, counts, facts["error"])


def _change(field: UndoField, item: str) -> PreviewRow:
    stays = field["action"] == "leave"
    then = "" if stays else _text(field["field"], field["then"], locked=field["then_locked"])
    now = _text(field["field"], field["now"], locked=field["locked"])
    return PreviewRow(f"{item}{short(field['field'])}", field["action"], now, then, safe(field["why"]) if stays else "")


def _text(name: str, value: Value, *, locked: bool) -> str:
    text = " ".join(on_screen(value, name).split()) if isinstance(value, str) else ", ".join(value)
    return f"{safe(text, LONGEST) or '-'}{' (locked)' if locked else ''}"


class RedoScenes(SceneAction):
    """Ends an undo or a release."""

    verb = Verb.REDO
    asks_stash = False
    bar, working = "queueing", "syncing"

    def choose(self, parts: Parts, selection: Selection) -> list[int]:
        """The selected scenes that can be redone."""
        ids = self._select(parts, selection)
        with parts.store.reading() as db:
            return sorted_out(db, ids, Redone())

    def left_alone(self, parts: Parts, selection: Selection) -> ActionResult:
        """What it says of the selected scenes that can't be redone."""
        ids, unfit = self._select(parts, selection), Redone()
        with parts.store.reading() as db:
            sorted_out(db, ids, unfit)
        return self._answer(unfit, selection)

    @staticmethod
    def _select(parts: Parts, selection: Selection) -> list[int]:
        if selection.ids:
            return list(dict.fromkeys(selection.ids))
        with parts.store.reading() as db:
            if selection.since is not None:
                return db.memories.marked_since(selection.since)
            marked = set(db.memories.marks())
            if selection.run is not None:
                marked &= set(db.runs.subjects_in(run_named(db, Kind.SCENE, selection.run)))
        return sorted(marked)

    def preview(self, asked: ActionRequest) -> Iterator[SubjectPreview]:
        """What a sync would write then."""
        for scene in preview_scenes(asked.parts.inspector, list(asked.ids), redo=True):
            changes = [
                PreviewRow(
                    short(change.field),
                    "write",
                    _text(change.field, change.old.value, locked=change.old.locked),
                    _text(change.field, change.new.value, locked=change.new.locked),
                )
                for item in scene.items
                for change in item.fields
            ]
            title = f": {safe(scene.title)}" if scene.title else ""
            yield SubjectPreview(
                f"Scene {scene.id}{title}", changes, None, {"scenes": 1, "fields": len(changes)}, scene.reason
            )

    def summary(self, counts: Counter[str]) -> str:
        """The number of fields."""
        return f"{many(counts['fields'], 'field')} of {many(counts['scenes'], 'scene')} would be written"

    def answer_for(self, jobs: Sequence[int]) -> ActionResult:
        """The scenes that are queued."""
        return self._answer(Redone(list(jobs)), Selection())

    def carry_out(self, asked: ActionRequest) -> ActionResult:
        """End their undo, and queue them."""
        parts, selected, unfit = asked.parts, self._select(asked.parts, asked.selection), Redone()
        with parts.store.reading() as db:
            ready = sorted_out(db, selected, unfit)
        # What was chosen before you agreed; a scene that was undone since then stays so.
        ids = ready if asked.selection.is_named else [id for id in asked.ids if id in set(ready)]
        redone = redo_scenes(parts.store, parts.clock, ids, asked.progress)
        redone.not_undone += unfit.not_undone
        redone.ignored += unfit.ignored
        redone.gone += unfit.gone
        return self._answer(redone, asked.selection)

    @staticmethod
    def _answer(redone: Redone, selection: Selection) -> ActionResult:
        scenes = len(redone.scenes)
        line = f"{many(scenes, 'scene')} to be synced again"
        done = ActionResult(redone.scenes, redo_facts(redone), line, count=scenes)
        named = selection.is_named
        if named and redone.not_undone:
            done.complaints.append(f"not undone: {name_scenes(redone.not_undone)}")
        if redone.ignored:
            done.complaints.append(f"ignored, so left alone (plexsync unignore): {name_scenes(redone.ignored)}")
        if named and redone.gone:
            done.complaints.append(f"gone from Stash: {name_scenes(redone.gone)}")
        done.is_failed = bool(named and (redone.not_undone or redone.ignored or redone.gone))
        return done


UNDO = TakeBackScenes(TakenBack.UNDO, "Take back what was pushed for {}?", "to be taken back", "taken back")
RELEASE = TakeBackScenes(
    TakenBack.RELEASE,
    "Take PlexSync's locks off what was pushed for {}? The values stay, and can't be taken back any more.",
    "to be released",
    "released",
)
REDO = RedoScenes("Sync {} again?", "to be synced again")

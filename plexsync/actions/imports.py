"""Undo of imports: what one wrote to Stash is taken back at once, while the worker stands still."""

from collections import Counter
from collections.abc import Iterator, Sequence

from plexsync.actions.model import (
    Action,
    ActionRequest,
    ActionResult,
    NotPossible,
    PreviewRow,
    Selection,
    SubjectKind,
    SubjectPreview,
    Verb,
)
from plexsync.app.imports import in_turn
from plexsync.app.parts import Parts
from plexsync.app.turns import OtherImport
from plexsync.flows.imports.importer import ImportResult
from plexsync.reports.format import many, safe
from plexsync.reports.imports import outcome_facts, outcome_lines, problem_lines


class UndoImports(Action):
    """Takes imports back, the last one first. A number is that of an import."""

    verb = Verb.UNDO
    subject = SubjectKind.IMPORTS
    always_asks = True
    bar = "taking back"
    in_one_table = True
    heads = ("scene", "what", "the import wrote", "would be", "why")

    def choose(self, parts: Parts, selection: Selection) -> list[int]:
        """The named imports, or those of name something is not taken back."""
        named = [*selection.ids, *([selection.run] if selection.run is not None else [])]
        with parts.store.reading() as db:
            last, runs = db.imports.last_run(), set(db.imports.runs(since=selection.since or 0))
            for run in named:
                if not db.imports.of_run(run):
                    raise NotPossible(f"there is no import {run}" + (f": the last one is {last}" if last else ""))
        return sorted(runs.intersection(named) if named else runs, reverse=True)

    def amount(self, asked: ActionRequest) -> str:
        """How many changes it is about."""
        with asked.parts.store.reading() as db:
            changes = [change for run in asked.ids for change in db.imports.of_run(run)]
        count = sum(not change.is_taken_back for change in changes)
        name = f"import {asked.ids[0]}" if len(asked.ids) == 1 else many(len(asked.ids), "import")
        return f"{many(count, 'change')} of {name}"

    def preview(self, asked: ActionRequest) -> Iterator[SubjectPreview]:
        """The fields that would be emptied and the objects that would be deleted, unless they were changed since."""
        for run in asked.ids:
            with asked.parts.store.reading() as db:
                changes = [change for change in db.imports.of_run(run) if not change.is_taken_back]
            rows = [
                PreviewRow(
                    f"{change.scene}", change.field.word, safe(change.value_after, 60), safe(change.value_before, 60)
                )
                if change.field
                else PreviewRow("", "delete", safe(f"{change.target} {change.value_after}", 60), "-")
                for change in changes
            ]
            yield SubjectPreview(f"import {run}", rows, None, {"imports": 1, "changes": len(changes)})

    def summary(self, counts: Counter[str]) -> str:
        """The number of changes."""
        return f"{many(counts['changes'], 'change')} of {many(counts['imports'], 'import')}; nothing was changed"

    def answer_for(self, jobs: Sequence[int]) -> ActionResult:  # noqa: ARG002 - an import has no jobs
        """Nothing is done."""
        return ActionResult([], {"outcome": None}, "")

    def carry_out(self, asked: ActionRequest) -> ActionResult:
        """Take them back while no worker writes. Raises NotPossible while another import writes."""
        config, folder, result = asked.parts.config, asked.parts.folder, ImportResult()
        try:
            if asked.ids:
                result = in_turn(
                    config, folder, lambda one: one.take_back(asked.ids, progress=asked.progress), asked.stopping
                )
        except OtherImport as error:
            raise NotPossible(str(error)) from None
        lines = list(outcome_lines(result, undo=True))
        return ActionResult(
            [],
            {"outcome": outcome_facts(result)},
            "\n".join(lines),
            list(problem_lines(result)),
            is_failed=not result.is_complete,
            count=result.fields,
        )


UNDO = UndoImports("Take back {} in Stash?")

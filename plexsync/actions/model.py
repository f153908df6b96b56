"""An action: a verb (undo, release, redo, keep, take and others) for a kind of subject, and how it is asked, shown and done.

An action writes to no server, except for that on imports: it marks what it is about in the database, and the worker does
the rest. The doors (terminal, API, pages, the plugin) differ only in how they ask and tell.
"""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from plexsync.app.parts import Parts
from plexsync.engine.tickets import READ_STASH, Gate
from plexsync.engine.undo import Progress, UndoneRun, quiet
from plexsync.reports.format import many, safe
from plexsync.reports.rows import short
from plexsync.rules.merge.run_values import RunValues
from plexsync.rules.record_class import record
from plexsync.store.database import Reader
from plexsync.store.ledger.run_history import Run


class Verb(StrEnum):
    """What is done."""

    UNDO = "undo"
    RELEASE = "release"
    REDO = "redo"
    AGAIN = "again"
    KEEP = "keep"
    TAKE = "take"
    UNKEEP = "unkeep"
    SYNC = "sync"
    HAND_OVER = "hand-over"


class SubjectKind(StrEnum):
    """What it is done to."""

    EVERYTHING = "everything"
    SCENES = "scenes"
    COLLECTIONS = "collections"
    PLAYS = "plays"
    RESUME = "resume"
    RATINGS = "ratings"
    IMPORTS = "imports"

    @property
    def numbered(self) -> str:
        """What a number names: plays, resume points and ratings are named by their scenes."""
        return self.value if self in (SubjectKind.COLLECTIONS, SubjectKind.IMPORTS) else SubjectKind.SCENES.value


# Answers to selectors that have no sense.
NO_LIBRARY = "a library selects collections, and scenes of which something was edited in Plex: say numbers, or all"
NOT_LATER = "what later runs wrote on top belongs to the undo of one run of scenes or collections: say its number"
NO_FIELDS = "fields and parts are selected for keep, take and unkeep alone: anything else is about the whole"


ON_TOP = "written again by later runs (--and-later takes that back too)"
NOT_KEPT = "the value from before the run is not kept"
# The number of fields that are named in one line.
FEW_FIELDS = 5


class Unfit(Exception):
    """The action has no sense here; the message is one line that says why."""


class NotPossible(Exception):
    """It can't be done now; the message is one line that says why."""


@record
class Selection:
    """Which subjects: numbers, all of them, those since a moment (UTC ms), those of a run.

    `and_later`: with what later runs wrote on top. `library`: only those in it. `fields` and `item`: only these fields or
    parts, and of this item ('': of any).
    """

    ids: tuple[int, ...] = ()
    every: bool = False
    since: int | None = None
    run: int | None = None
    library: str = ""
    fields: tuple[str, ...] = ()
    item: str = ""
    and_later: bool = False

    @property
    def is_named(self) -> bool:
        """Whether the subjects were named one by one, so that each of them needs an answer."""
        return bool(self.ids)


@record
class PreviewRow:
    """A row of a preview: a part, what is done to it, what is there now, what would be there then, and a note."""

    part: str
    change: str
    now: str = ""
    then: str = ""
    note: str = ""


@record
class SubjectPreview:
    """What an action would do to one subject. `facts`: the same as JSON, None if it is only counted.

    `library`: that in Plex of what would be changed. `of`: the action, if it is one of several.
    """

    heading: str
    changes: Sequence[PreviewRow] = ()
    facts: Mapping[str, object] | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    error: str = ""
    library: str = ""
    of: "Action | None" = None


@dataclass
class ActionResult:
    """What came of an action: the jobs that are queued, the facts as JSON, a line, and complaints about the rest.

    `is_failed`: something that was asked for was not done. `of_each`: what came of each, if it was several actions.
    """

    jobs: list[int]
    facts: Mapping[str, object]
    line: str
    complaints: list[str] = field(default_factory=list)
    is_failed: bool = False
    count: int = 0
    of_each: Sequence[tuple["Action", "ActionResult"]] = ()


@record
class ActionRequest:
    """An action that is asked for: on these parts, about these subjects, which the selection has chosen.

    `progress` is told how many are done, and `stopping` whether the action is to end now.
    """

    parts: Parts
    ids: Sequence[int]
    selection: Selection
    progress: Progress = quiet
    stopping: Callable[[], bool] = lambda: False


class Action(ABC):
    """A verb for a kind of subject. `question`, `begun` and `done` are its words, with `noun` for one subject.

    `kinds` are those of its jobs, `asks_stash` whether a server is asked before they are marked, by the gates
    `reads`. `always_asks`: also for one subject. `heads` name the columns of its preview; with `in_one_table` the
    rows of all subjects form one table. `unfit`: the selectors that have no sense for it, each with the answer.
    """

    verb: Verb
    subject: SubjectKind
    noun = "scene"
    kinds: Sequence[str] = ()
    asks_stash = True
    reads: Sequence[Gate] = (READ_STASH,)
    always_asks = False
    bar = "marking"
    working = "working"
    heads: Sequence[str] = ("field", "what", "Plex has", "would be", "why")
    in_one_table = False
    unfit: Mapping[str, str] = {"library": NO_LIBRARY, "fields": NO_FIELDS, "and_later": NOT_LATER}

    def __init__(self, question: str, begun: str = "", done: str = "") -> None:
        self._question = question
        self._begun = begun
        self._done = done

    @property
    def leading(self) -> "Action":
        """The action whose facts stand beside those of the others, if it is several."""
        return self

    def refusal(self, parts: Parts) -> str:  # noqa: ARG002 - most are always possible
        """Why it can't be done with these settings, or ''."""
        return ""

    def select(self, parts: Parts, selection: Selection) -> list[int]:
        """The numbers of the subjects that are selected. Raises Unfit for a selection that has no sense."""
        for selector, answer in self.unfit.items():
            if getattr(selection, selector) not in (None, "", (), False):
                raise Unfit(answer)
        if selection.and_later and selection.run is None:
            raise Unfit(NOT_LATER)
        return self.choose(parts, selection)

    @abstractmethod
    def choose(self, parts: Parts, selection: Selection) -> list[int]:
        """The same of a selection whose selectors all have sense. Raises Unfit for one that names what does not exist."""

    def question(self, asked: ActionRequest) -> str:
        """What is asked before it is done."""
        return " ".join(filter(None, (self._question.format(self.amount(asked)), self.remark(asked))))

    def amount(self, asked: ActionRequest) -> str:
        """How much it is about, in words."""
        return many(len(asked.ids), self.noun)

    def remark(self, asked: ActionRequest) -> str:  # noqa: ARG002 - most have nothing to add
        """What the question says besides, or ''."""
        return ""

    @abstractmethod
    def preview(self, asked: ActionRequest) -> Iterator[SubjectPreview]:
        """What it would do to each. Raises NeighbourError."""

    @abstractmethod
    def summary(self, counts: Counter[str]) -> str:
        """The preview in one line."""

    def report(self, counts: Counter[str], shown: Sequence[Mapping[str, object]]) -> Mapping[str, object]:
        """The preview as JSON."""
        return {**counts, **({self.subject.numbered: list(shown)} if shown else {})}

    @abstractmethod
    def answer_for(self, jobs: Sequence[int]) -> ActionResult:
        """The answer for these jobs; for none, that of an action that was not done."""

    @abstractmethod
    def carry_out(self, asked: ActionRequest) -> ActionResult:
        """Do it. Raises NeighbourError; what was marked by then stays so. Repeating it is harmless."""

    def outcome(self, parts: Parts, done: ActionResult, unsettled: int) -> ActionResult:  # noqa: ARG002
        """How its jobs stand now; `unsettled` of them are still in the queue."""
        return ActionResult(done.jobs, {}, done.line, is_failed=done.is_failed)


def run_to_undo(db: Reader, flow: str, selection: Selection) -> UndoneRun | None:
    """The run whose writes alone are taken back; None if another selector was used. Raises Unfit."""
    if selection.run is None:
        return None
    return UndoneRun(run_named(db, flow, selection.run), selection.and_later)


class FieldsOfRuns:
    """The fields that a run wrote and that are left as they are: written again since, or their earlier value is not kept."""

    def __init__(self, noun: str) -> None:
        self._noun = noun
        self._later: dict[int, dict[str, int]] = {}
        self._missing: dict[int, list[str]] = {}

    def add(self, id: int, values: Iterable[RunValues]) -> None:
        """Add those of a subject."""
        for of_item in values:
            if of_item.later:
                self._later.setdefault(id, {}).update(of_item.later)
            if of_item.missing:
                self._missing.setdefault(id, []).extend(of_item.missing)

    @property
    def facts(self) -> dict[str, object]:
        """The same as JSON: the run that wrote each field since, and the fields without an earlier value; empty if none."""
        later = {str(id): dict(fields) for id, fields in self._later.items()}
        missing = {str(id): list(names) for id, names in self._missing.items()}
        return {**({"written_again": later} if later else {}), **({"not_kept": missing} if missing else {})}

    @property
    def lines(self) -> list[str]:
        """The same in sentences, with the first few."""
        later = [
            f"{short(name)} of {self._noun} {id} (run {run})"
            for id, fields in self._later.items()
            for name, run in fields.items()
        ]
        missing = [f"{short(name)} of {self._noun} {id}" for id, names in self._missing.items() for name in names]
        return [
            f"{many(len(names), 'field')} left, {reason}: {', '.join(names[:FEW_FIELDS])}"
            + (f" and {len(names) - FEW_FIELDS:,} more" if len(names) > FEW_FIELDS else "")
            for names, reason in ((later, ON_TOP), (missing, NOT_KEPT))
            if names
        ]


def run_named(db: Reader, flow: str, number: int, *, undone: bool = False) -> Run:
    """The run of a flow with this number: that of its first write, or of any other in no other run. Raises Unfit."""
    runs = [run for run in db.runs.of(flow) if run.first <= number <= run.last and bool(run.undone) == undone]
    named = [run for run in runs if run.first == number] or runs
    if len(named) != 1:
        raise Unfit(f"there is no run {number}: plexsync history lists them")
    return named[0]


def unread(failed: Mapping[int, str]) -> list[str]:
    """The complaints about scenes that Stash could not tell of."""
    return [f"Stash can't tell of scene {id}: {safe(problem)}" for id, problem in failed.items()]


def failed_facts(failed: Mapping[int, str]) -> dict[str, object]:
    """The same as JSON; empty if there are none."""
    return {"failed": {str(id): problem for id, problem in failed.items()}} if failed else {}


def rest_words(unsettled: int, hint: str = "") -> str:
    """The end of a sentence about what is not settled yet, or ''."""
    return f", {unsettled:,} not yet{hint}" if unsettled else ""

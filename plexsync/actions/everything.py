"""Undo and release of everything that PlexSync wrote, of every kind of subject, after one question."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from plexsync.actions import collections, imports, scenes, watching
from plexsync.actions.model import (
    NO_FIELDS,
    NO_LIBRARY,
    NOT_LATER,
    Action,
    ActionRequest,
    ActionResult,
    Selection,
    SubjectKind,
    SubjectPreview,
)
from plexsync.app.parts import Parts
from plexsync.flows.scenes.verbs import SETTLED

ONE_BY_ONE = "everything has no numbers, moments and runs of its own: say all, or of what"


class Everything(Action):
    """A verb for all kinds of subjects: what its `actions` do to all of theirs, in this order.

    The first one has its facts beside those of the others, each of which has its own under the name of its subject.
    """

    subject = SubjectKind.EVERYTHING
    always_asks = True
    unfit: Mapping[str, str] = {
        **dict.fromkeys(("ids", "since", "run"), ONE_BY_ONE),
        "library": NO_LIBRARY,
        "fields": NO_FIELDS,
        "and_later": NOT_LATER,
    }

    def __init__(self, question: str, first: Action, others: Sequence[Action]) -> None:
        super().__init__(question)
        self.verb = first.verb
        self.working = first.working
        self._first = first
        self._actions = (first, *others)
        self.kinds = tuple(kind for action in self._actions for kind in action.kinds)

    @property
    def leading(self) -> Action:
        """The first one."""
        return self._first

    def choose(self, parts: Parts, selection: Selection) -> list[int]:
        """The numbers of all subjects of all kinds."""
        return [id for part in self._asked(ActionRequest(parts, (), selection)).values() for id in part.ids]

    def _asked(self, asked: ActionRequest) -> dict[Action, ActionRequest]:
        """What is asked of each action that is possible."""
        selection = Selection(every=True)
        return {
            action: replace(asked, ids=action.select(asked.parts, selection), selection=selection)
            for action in self._actions
            if not action.refusal(asked.parts)
        }

    def amount(self, asked: ActionRequest) -> str:
        """How many of each kind."""
        words = [action.amount(part) for action, part in self._asked(asked).items() if part.ids]
        return "; ".join(words) or self._first.amount(asked)

    def remark(self, asked: ActionRequest) -> str:
        """What follows for the rest."""
        return " ".join(filter(None, (action.remark(part) for action, part in self._asked(asked).items())))

    def preview(self, asked: ActionRequest) -> Iterator[SubjectPreview]:
        """What it would do to each, one kind after the other."""
        for action, part in self._asked(asked).items():
            for subject in action.preview(part) if part.ids else ():
                yield replace(subject, of=action)

    def summary(self, counts: Counter[str]) -> str:
        """The summary of the first kind."""
        return self._first.summary(counts)

    def answer_for(self, jobs: Sequence[int]) -> ActionResult:
        """The answer of the first kind."""
        return self._first.answer_for(jobs)

    def carry_out(self, asked: ActionRequest) -> ActionResult:
        """Do it for one kind after the other. Raises NeighbourError; what was marked by then stays so."""
        of_each = self._asked(asked)
        # What is written to Stash at once comes before Stash's values are remembered.
        order = sorted(of_each, key=lambda action: bool(action.kinds))
        done = {action: action.carry_out(of_each[action]) for action in order}
        return self._together(
            {action: done[action] for action, part in of_each.items() if part.ids or action is self._first}
        )

    def _together(self, done: Mapping[Action, ActionResult]) -> ActionResult:
        facts = dict(done[self._first].facts)
        for action, result in done.items():
            if action is not self._first:
                facts[action.subject.value] = result.facts
        return ActionResult(
            [job for result in done.values() for job in result.jobs],
            facts,
            "; ".join(result.line.replace("\n", "; ") for result in done.values() if result.line),
            [line for result in done.values() for line in result.complaints],
            is_failed=any(result.is_failed for result in done.values()),
            count=sum(result.count for result in done.values()),
            of_each=tuple(done.items()),
        )

    def outcome(self, parts: Parts, done: ActionResult, unsettled: int) -> ActionResult:  # noqa: ARG002 - each kind has its own
        """How the jobs of each kind stand now."""
        ended: dict[Action, ActionResult] = {}
        for action, result in done.of_each:
            with parts.store.reading() as db:
                rows = [row for kind in action.kinds for row in db.jobs.of(kind, result.jobs).values()]
            count = len({row.id for row in rows if row.state not in SETTLED})
            settled = action.outcome(parts, result, count) if action.kinds else result
            ended[action] = replace(settled, facts={**result.facts, **settled.facts}, complaints=[])
        return self._together(ended)


UNDO = Everything(
    "Take back everything that PlexSync wrote: {}?",
    scenes.UNDO,
    (
        collections.UNDO,
        watching.UNDO_PLAYS,
        watching.UNDO_RATINGS,
        imports.UNDO,
    ),
)
RELEASE = Everything(
    "Take PlexSync's locks off everything: {}? The values stay, and can't be taken back any more.",
    scenes.RELEASE,
    (collections.RELEASE,),
)

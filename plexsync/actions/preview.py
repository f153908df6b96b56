"""What a preview has shown: the counts of each action, and how many subjects and changes there are of each library."""

from collections import Counter
from collections.abc import Mapping

from plexsync.actions.model import Action, SubjectPreview


class PreviewTally:
    """A preview of an action as it is shown, subject by subject."""

    def __init__(self, action: Action) -> None:
        self._action = action.leading
        self._counts: dict[Action, Counter[str]] = {self._action: Counter()}
        self._facts: dict[Action, list[Mapping[str, object]]] = {}
        self.places: dict[tuple[str, str], Counter[str]] = {}
        self.subjects = 0

    @property
    def has_failed(self) -> bool:
        """Whether a subject could not be looked at."""
        return any(counts["failed"] for counts in self._counts.values())

    def count(self, subject: SubjectPreview, *, keeps: bool = False) -> Action:
        """Count a subject, and return the action that it is of. `keeps`: with its facts."""
        action = subject.of or self._action
        self._counts.setdefault(action, Counter()).update(subject.counts)
        if keeps and subject.facts is not None:
            self._facts.setdefault(action, []).append(subject.facts)
        if subject.changes or subject.error:
            self.subjects += 1
            place = self.places.setdefault((action.subject.value, subject.library), Counter())
            place[""] += 1
            place.update(row.change for row in subject.changes)
        return action

    def places_words(self) -> list[tuple[str, str, str, str]]:
        """A row for each kind of subject and library: how many subjects, and how many changes of each kind."""
        return [
            (kind, library, f"{counts['']:,}", ", ".join(f"{count:,} {name}" for name, count in counts.items() if name))
            for (kind, library), counts in self.places.items()
        ]

    def summary(self) -> str:
        """The preview in a line for each action."""
        return "\n".join(action.summary(counts) for action, counts in self._counts.items())

    def report(self) -> Mapping[str, object]:
        """The preview as JSON: that of the first action, and of each other one under the name of its subject."""
        (first, counts), *others = self._counts.items()
        more = {action.subject.value: action.report(its, self._facts.get(action, [])) for action, its in others}
        return {**first.report(counts, self._facts.get(first, [])), **more}

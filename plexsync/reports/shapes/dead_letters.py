"""Dead letters: by cause, one by one, as a page and as a list."""

from typing import TypedDict

from plexsync.reports.shapes.scenes import AttemptFacts, JobFacts, PushFacts


class ExampleFacts(TypedDict):
    """A dead letter of a cause."""

    kind: str
    id: int
    error: str


class GroupFacts(TypedDict):
    """The dead letters of a cause."""

    cause: str
    meaning: str
    advice: str
    """What cures them."""
    count: int
    example: ExampleFacts


class LetterFacts(JobFacts):
    """A dead letter with all known facts."""

    meaning: str
    advice: str
    """What cures it."""
    failed_attempts: list[AttemptFacts]
    """Newest first."""
    pushes: list[PushFacts]
    """Newest first."""


class Banner(TypedDict, total=False):
    """The warning about too many dead letters."""

    banner: str
    """Only above `dlq_max`."""


class LetterPage(Banner):
    """A page of dead letters, by kind and number: `/api/dead`."""

    dead: int
    """The number of dead letters of the chosen cause."""
    causes: list[GroupFacts]
    """Most frequent first."""
    rows: list[LetterFacts]
    after: str | None
    """Pass this as `after` to get the next page; null on the last page."""


class LetterList(Banner):
    """All dead letters, by kind and number: `plexsync dlq list`."""

    dead: int
    causes: list[GroupFacts]
    rows: list[JobFacts]

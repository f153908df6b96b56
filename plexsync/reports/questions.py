"""What you are asked: changes of a server that only you can judge."""

from collections.abc import Iterator

from plexsync.app.choices import asked
from plexsync.app.parts import Parts
from plexsync.reports.format import stamp
from plexsync.reports.old_lists import old_lists_text
from plexsync.reports.shapes.status import QuestionFacts, StatusFacts
from plexsync.reports.status import facts
from plexsync.rules.choices import CHANGES, EFFECTS, HELD_BY, Choice
from plexsync.rules.errors import Neighbour
from plexsync.rules.records import HoldRow


def questions(parts: Parts) -> list[QuestionFacts]:
    """The facts of every open question."""
    return [*(_question(choice, row) for choice, row in asked(parts).items()), *_of_lists(facts(parts))]


def _of_lists(facts: StatusFacts) -> Iterator[QuestionFacts]:
    if lists := facts["old_lists"]:
        yield {
            "choice": Choice.OLD_LISTS.value,
            "server": Neighbour.PLEX.value,
            "change": CHANGES[Choice.OLD_LISTS],
            "message": old_lists_text(lists),
            "effect": EFFECTS[Choice.OLD_LISTS],
            "since": facts["last_reconcile"],
        }


def _question(choice: Choice, row: HoldRow) -> QuestionFacts:
    return {
        "choice": choice.value,
        "server": HELD_BY[choice].value,
        "change": CHANGES[choice],
        "message": row.message,
        "effect": EFFECTS[choice],
        "since": stamp(row.since),
    }

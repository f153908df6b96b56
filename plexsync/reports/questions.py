"""What you are asked: changes of a server that only you can judge."""

from plexsync.app.choices import asked
from plexsync.app.parts import Parts
from plexsync.reports.format import stamp
from plexsync.reports.shapes.status import QuestionFacts
from plexsync.rules.choices import CHANGES, EFFECTS, HELD_BY, Choice
from plexsync.rules.records import HoldRow


def questions(parts: Parts) -> list[QuestionFacts]:
    """The facts of every open question."""
    return [_question(choice, row) for choice, row in asked(parts).items()]


def _question(choice: Choice, row: HoldRow) -> QuestionFacts:
    return {
        "choice": choice.value,
        "server": HELD_BY[choice].value,
        "change": CHANGES[choice],
        "message": row.message,
        "effect": EFFECTS[choice],
        "since": stamp(row.since),
    }

"""What you are asked: changes of a server that only you can judge."""

from plexsync.app.choices import open_questions
from plexsync.app.parts import Parts
from plexsync.reports.format import stamp
from plexsync.reports.shapes.status import QuestionFacts
from plexsync.rules.queue.choices import CHANGES, EFFECTS, HELD_BY


def questions(parts: Parts) -> list[QuestionFacts]:
    """The facts of every open question."""
    return [
        {
            "choice": choice.value,
            "server": HELD_BY[choice].value,
            "change": CHANGES[choice],
            "message": row.message,
            "effect": EFFECTS[choice],
            "since": stamp(row.since),
        }
        for choice, row in open_questions(parts).items()
    ]

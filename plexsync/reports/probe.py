"""The answers of a Plex server to the questions of `plexsync probe`. None has a name, path or token in it."""

from typing import NamedTuple, TypedDict

from plexsync.app.stored import Stored
from plexsync.reports.format import stamp
from plexsync.reports.shapes.values import Moment
from plexsync.rules.merge.traits import QUESTIONS, UNKNOWN, LearntTraits, ServerTraits, TraitQuestion, answer_words
from plexsync.rules.servers.scratch import ProbeOutcome


class TraitFacts(TypedDict):
    """A question, and the answer of this server."""

    name: str
    answer: str | bool | int | float | None
    """Null if there is none. For `removals_at_once`, 0 means that no limit was found."""
    reason: str
    """Why there is no answer, or empty."""
    used: bool
    """Whether PlexSync uses the answer."""


class ProbeFacts(TypedDict):
    """The answers of a server: `plexsync probe`."""

    plexsync: str
    """The version of PlexSync."""
    plex: str | None
    """The version of the Plex server; null if nothing was learnt yet."""
    learnt_at: Moment | None
    complete: bool
    """Whether the probe of this call asked all questions. True if the call asked none."""
    restored: bool
    """Whether the item is as it was before."""
    traits: list[TraitFacts]


NOT_TOLD = "the answers of Plex did not tell"


def stored_traits(parts: Stored) -> LearntTraits | None:
    """The stored answers; None if there are none."""
    with parts.store.reading() as db:
        return db.probes.traits()


def probe_facts(
    learnt: LearntTraits | None, probed: ProbeOutcome | None, *, restored: bool, program: str
) -> ProbeFacts:
    """The answers of a probe, or (without one) the stored ones. `restored`: no item is left to restore."""
    traits = probed.traits if probed else learnt.traits if learnt else UNKNOWN
    return {
        "plexsync": program,
        "plex": (probed and probed.version) or (learnt.version if learnt else None),
        "learnt_at": stamp(learnt.learnt_at) if learnt else None,
        "complete": not (probed and probed.error),
        "restored": restored,
        "traits": trait_facts(traits, probed),
    }


def trait_facts(traits: ServerTraits, probed: ProbeOutcome | None) -> list[TraitFacts]:
    """Every trait with its answer; `probed` knows why there is none."""
    return [
        {
            "name": name,
            "answer": answer,
            "reason": probed.skipped.get(name, NOT_TOLD) if probed and answer is None else "",
            "used": bool(QUESTIONS[name].use),
        }
        for name, answer in traits.answers().items()
    ]


class TraitRow(NamedTuple):
    """A question with its answer, or why there is none, and its use, as text."""

    question: str
    answer: str
    use: str


def trait_rows(traits: list[TraitFacts]) -> list[TraitRow]:
    """The answers as text."""
    return [_row(QUESTIONS[trait["name"]], trait) for trait in traits]


def _row(question: TraitQuestion, trait: TraitFacts) -> TraitRow:
    words = answer_words(question, trait["answer"]) or ": ".join(filter(None, ("not answered", trait["reason"])))
    return TraitRow(question.words, words, question.use or "stored only")

"""The answers of a Plex server to the questions of `plexsync probe`."""

from collections.abc import Mapping
from dataclasses import dataclass

from plexsync.app.probe.run import ProbeOutcome
from plexsync.app.stored import Stored
from plexsync.reports.format import stamp
from plexsync.reports.shapes.probe import ProbeFacts, TraitFacts
from plexsync.rules.traits import QUESTIONS, UNKNOWN, USES, LearntTraits, ServerTraits, answer_words, unanswered


def stored_traits(parts: Stored) -> LearntTraits | None:
    """The stored answers; None if there are none."""
    with parts.store.reading() as db:
        return db.probes.traits()


def probe_facts(
    learnt: LearntTraits | None, probed: ProbeOutcome | None, *, restored: bool, program: str
) -> ProbeFacts:
    """The answers of a probe, or (without one) the stored ones. `restored`: no item is left to restore."""
    traits = probed.traits if probed else learnt.traits if learnt else UNKNOWN
    version = (probed and probed.version) or (learnt.version if learnt else None)
    return {
        "plexsync": program,
        "plex": version,
        "learnt_at": stamp(learnt.learnt_at) if learnt else None,
        "complete": not (probed and probed.error),
        "restored": restored,
        "traits": trait_facts(traits, probed.skipped if probed else {}, asked=probed is not None),
    }


def trait_facts(traits: ServerTraits, skipped: Mapping[str, str], *, asked: bool) -> list[TraitFacts]:
    """Every trait with its answer; `asked` False: the reasons for missing answers are not known any more."""
    reasons = unanswered(traits, skipped) if asked else {}
    return [
        {"name": name, "answer": answer, "reason": reasons.get(name, ""), "used": name in USES}
        for name, answer in traits.answers().items()
    ]


@dataclass(frozen=True)
class TraitRow:
    """A question with its answer ('' if there is none, with the reason if it is known), and its use, as text."""

    question: str
    answer: str
    reason: str
    use: str


def trait_rows(learnt: LearntTraits | None, probed: ProbeOutcome | None) -> list[TraitRow]:
    """The stored answers as text; `probed` is the last probe, which knows why there is no answer."""
    traits = learnt.traits if learnt else UNKNOWN
    facts = trait_facts(traits, probed.skipped if probed else {}, asked=bool(probed and probed.version))
    return [row_of(trait) for trait in facts]


def row_of(trait: TraitFacts) -> TraitRow:
    """A trait as text."""
    name = trait["name"]
    use = USES.get(name, "stored only")
    return TraitRow(QUESTIONS[name], answer_words(name, trait["answer"]), trait["reason"], use)


def is_restored(probed: ProbeOutcome) -> bool:
    """Whether the item is as it was before the probe."""
    return probed.restored is not None and not probed.restored.words()

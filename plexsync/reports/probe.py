"""The answers of a Plex server to the questions of `plexsync probe`."""

from collections.abc import Mapping

from plexsync.app.parts import Parts
from plexsync.app.probe.run import ProbeOutcome
from plexsync.reports.format import stamp
from plexsync.reports.shapes.probe import ProbeFacts, TraitFacts
from plexsync.rules.traits import UNKNOWN, USES, LearntTraits, ServerTraits, unanswered


def stored_traits(parts: Parts) -> LearntTraits | None:
    """The stored answers; None if there are none."""
    with parts.store.reading() as db:
        return db.server.traits()


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


def is_restored(probed: ProbeOutcome) -> bool:
    """Whether the item is as it was before the probe."""
    return probed.restored is not None and not probed.restored.words()

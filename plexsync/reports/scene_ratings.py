"""The rating of a scene that goes both ways: what each side has, and what would be done. The scene flow leaves it alone."""

from plexsync.flows.plays.ratings import bases_of
from plexsync.flows.scenes.inspection_records import Inspection
from plexsync.reports.shapes.scenes import FieldFacts, TargetFacts
from plexsync.rules.plays.ratings import (
    FIELD,
    RatingPlan,
    RatingRules,
    item_rating,
    plan_rating,
    plex_text,
    stash_rating,
)
from plexsync.store.database import Reader

BOTH_WAYS = "goes both ways"
# Longer than any request can take: an open one is shown as it is saved.
LONGEST = 10**15


def with_rating(
    db: Reader, targets: list[TargetFacts], inspection: Inspection, rules: RatingRules | None, now: int
) -> list[TargetFacts]:
    """The items of a scene, with the rating as the flows of ratings see it in those libraries in which it is synced."""
    if rules is None or inspection.scene is None:
        return targets
    sections = rules.sections(db.sections.all())
    items = {target.item.key: target.item for target in inspection.targets if target.item.section in sections}
    bases = bases_of(db, [inspection.scene])
    plan = plan_rating(
        {key: base for key in items if (base := bases.get((inspection.id, key)))},
        stash_rating(inspection.scene.rating100),
        {key: item_rating(item) for key, item in items.items()},
        rules.wins,
        now=now,
        longest=LONGEST,
    )
    in_stash = plex_text(stash_rating(inspection.scene.rating100))
    rated: list[TargetFacts] = []
    for target in targets:
        if (item := items.get(target["key"])) is None:
            rated.append(target)
            continue
        rating: FieldFacts = {
            "field": FIELD,
            "stash": in_stash,
            "plex": item.value(FIELD),
            "locked": item.is_locked(FIELD),
            "action": _action(item.key, plan),
            "reason": BOTH_WAYS,
            "yours": "",
            "why": [],
        }
        names = [facts["field"] for facts in target["fields"]]
        at = names.index(FIELD) if FIELD in names else len(names)
        rated.append({**target, "fields": [*target["fields"][:at], rating, *target["fields"][at + 1 :]]})
    return rated


def _action(key: str, plan: RatingPlan) -> str:
    if plan.wait_until:
        return "wait until an earlier request can no longer arrive"
    if plan.to_stash is not None:
        return f"write {plex_text(plan.to_stash)} to Stash" if plan.to_stash > 0 else "empty in Stash"
    if key in plan.to_plex:
        return "write" if plan.to_plex[key] > 0 else "empty"
    return "nothing"

"""The plans of a scene of which you approved only some changes: they are narrowed to these.

Once these are written, the scene rests as dropped if it has other changes. If one of them is no longer true, nothing of the
scene is written, and it rests too.
"""

from collections.abc import Collection
from dataclasses import replace

from plexsync.flows.scenes.inspection_records import Inspection
from plexsync.rules.approval import Approval, NoLongerTrue, approval_in, narrowed
from plexsync.rules.job import Dropped, Kind, State
from plexsync.store.database import Reader

REST_LEFT = "you approved only a part of its changes (plexsync sync SCENE writes the rest)"
NO_LONGER = "what you approved is no longer true: "
OUTDATED = f"{NO_LONGER}{{}} (nothing was written; plexsync sync SCENE writes what Stash says)"


def approvals_of(db: Reader, ids: Collection[int]) -> dict[int, Approval | None]:
    """The approvals of these scenes. None for one that is void: something else has queued the scene since."""
    approvals = {id: approval_in(text) for id, text in db.notes.approvals(sorted(ids)).items()}
    rows = db.jobs.of(Kind.SCENE, list(approvals)) if approvals else {}
    return {
        id: approval if approval and id in rows and rows[id].wanted_rev == approval.rev else None
        for id, approval in approvals.items()
    }


def not_written(db: Reader, ids: Collection[int]) -> dict[int, str]:
    """Those of these scenes that rest because their approval was no longer true when the worker came to them."""
    rows = db.jobs.of(Kind.SCENE, ids)
    return {id: row.error for id, row in rows.items() if row.state is State.DROPPED and row.error.startswith(NO_LONGER)}


def approved_only(sight: Inspection, approval: Approval | None) -> Inspection:
    """The inspection with plans of nothing but the approved changes; with all, if the approval is void (None)."""
    sight, desired = replace(sight, ends_approval=True), sight.desired
    if approval is None:
        return sight
    try:
        targets = tuple(
            replace(target, plan=narrowed(target.plan, target.item, approval.scene.items.get(target.item.key, {})))
            for target in sight.targets
        )
    except NoLongerTrue as error:
        return replace(sight, targets=(), outcome=Dropped(OUTDATED.format(error), desired))
    if all(new.plan.edit == old.plan.edit for new, old in zip(targets, sight.targets, strict=True)):
        return sight
    return replace(sight, targets=targets, ends=Dropped(REST_LEFT, desired))

"""Dead letters grouped by cause, as facts."""

from collections.abc import Mapping

from plexsync.reports.cures import cure
from plexsync.reports.shapes.dead_letters import GroupFacts
from plexsync.rules.job import State
from plexsync.store.database import Reader


def groups(db: Reader, counts: Mapping[str, int], cause: str | None) -> list[GroupFacts]:
    """Group the dead letters by cause, most frequent first: a count, an example and the advice."""
    chosen = [(name, count) for name, count in counts.items() if cause in (None, name)]
    rows: list[GroupFacts] = []
    for name, count in sorted(chosen, key=lambda pair: (-pair[1], pair[0])):
        (row,) = (
            db.jobs.in_state(State.DEAD, error_class=name, limit=1) if name else db.jobs.in_state(State.DEAD, limit=1)
        )
        rows.append(
            {
                "cause": name,
                "meaning": cure(name).meaning,
                "advice": cure(name).advice,
                "count": count,
                "example": {"kind": row.kind, "id": row.id, "error": row.error},
            }
        )
    return rows

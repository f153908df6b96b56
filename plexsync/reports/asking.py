"""The libraries that ask PlexSync first, as `status` tells of them. It is loaded only while there are some."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from plexsync.app.unanswered import why_unanswered
from plexsync.reports.format import stamp
from plexsync.reports.shapes.status import AskingFacts
from plexsync.rules.provider.standing import problem_of
from plexsync.store.connection import Row
from plexsync.store.ledger.provider_memory import provider_row

PLACE = "the address of provider_listen"


def asking_facts(
    rows: Iterable[Row], sections: Sequence[tuple[str, str]], folder: Path | str, *, is_on: bool
) -> list[AskingFacts]:
    """Each library, and why Plex does not ask for it; `is_on`: somebody answers. `sections`: those that are synced."""
    return [
        {
            "library": row.title,
            "state": row.state,
            "added_at": stamp(row.added_at or None),
            "called_at": stamp(row.called_at or None),
            "problem": problem_of(row, PLACE, is_on=is_on, unanswered=why_unanswered(Path(folder), row, sections)),
        }
        for row in map(provider_row, rows)
    ]

"""The candidates of ambiguous scenes as both servers have them now, for you to compare. Writes to neither server."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from plexsync.engine.gates import Gates
from plexsync.engine.tickets import READS
from plexsync.flows.scenes.inspection import Looker
from plexsync.flows.scenes.inspection_records import Inspection
from plexsync.rules.item import Item, Part
from plexsync.rules.match_records import Candidate
from plexsync.rules.scene import Scene
from plexsync.store.database import Reader


@dataclass(frozen=True)
class CandidateItem:
    """A candidate with the file that fits; `title` is '' if Plex could not be asked, `reason` why it was rejected."""

    key: str
    section: str
    file: Part
    title: str = ""
    reason: str = ""


@dataclass(frozen=True)
class SceneCandidates:
    """A scene and its candidates; `scene` is None if Stash does not have it, or could not be asked."""

    scene: Scene | None
    items: tuple[CandidateItem, ...]


def candidates_now(looker: Looker, gates: Gates, ids: Sequence[int]) -> dict[int, SceneCandidates]:
    """The candidates of these scenes, in one request to each server for all of them. Raises NeighbourError."""
    if not ids:
        return {}
    gates.enter(*READS)
    sights = looker.look(ids)
    items = looker.items({candidate.key for sight in sights for candidate in sight.candidates})
    return {
        sight.id: _of(sight, {key: item for key, item in items.items() if isinstance(item, Item)}) for sight in sights
    }


def _of(sight: Inspection, items: dict[str, Item]) -> SceneCandidates:
    return SceneCandidates(
        sight.scene, tuple(_item(candidate, items.get(candidate.key)) for candidate in sight.candidates)
    )


def _item(candidate: Candidate, item: Item | None) -> CandidateItem:
    parts = item.parts if item else ()
    file = next((part for part in parts if part.path == candidate.path), Part(candidate.path))
    title = item.scalars.get("title", "") if item else ""
    return CandidateItem(candidate.key, candidate.section, file, title, candidate.reason)


def candidates_known(db: Reader, desired: Mapping[int, str]) -> dict[int, SceneCandidates]:
    """The candidates of dead letters as the index has them: without titles and reasons. `desired` is that of each job."""
    keys = {id: [key for key in text.split(",") if key.isascii() and key.isdecimal()] for id, text in desired.items()}
    entries = {entry.key: entry for entry in db.index.entries(sorted({key for some in keys.values() for key in some}))}
    return {
        id: SceneCandidates(
            None,
            tuple(
                CandidateItem(entry.key, entry.section, entry.parts[0])
                for key in some
                if (entry := entries.get(key)) and entry.parts
            ),
        )
        for id, some in keys.items()
    }

"""The candidates of ambiguous scenes as both servers have them now, for you to compare. Writes to neither server."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from plexsync.engine.gates import Gates
from plexsync.engine.tickets import READS
from plexsync.flows.scenes.inspection import Looker
from plexsync.flows.scenes.inspection_records import Inspection
from plexsync.rules.item import Item, Part
from plexsync.rules.job import Dead
from plexsync.rules.match_records import Candidate
from plexsync.rules.scene import Scene
from plexsync.store.database import Reader


@dataclass(frozen=True)
class CandidateItem:
    """A candidate with the file that fits; `title` is '' if Plex could not be asked, `reason` why it was rejected.

    `rival`: the scene that it may belong to; 0: none. `is_taken`: you bound it to that scene.
    """

    key: str
    section: str
    file: Part
    title: str = ""
    reason: str = ""
    rival: int = 0
    is_taken: bool = False


@dataclass(frozen=True)
class SceneCandidates:
    """A scene and its candidates; `scene` is None if Stash does not have it, or could not be asked.

    `error`: why it is ambiguous now; '' if it is not, or if the servers could not be asked.
    """

    scene: Scene | None
    items: tuple[CandidateItem, ...]
    error: str = ""


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
    candidates = tuple(_item(candidate, items.get(candidate.key)) for candidate in sight.candidates)
    return SceneCandidates(sight.scene, candidates, sight.outcome.error if isinstance(sight.outcome, Dead) else "")


def _item(candidate: Candidate, item: Item | None) -> CandidateItem:
    parts = item.parts if item else ()
    file = next((part for part in parts if part.path == candidate.path), Part(candidate.path))
    title = item.scalars.get("title", "") if item else ""
    doubt = (candidate.reason, candidate.rival, candidate.is_taken)
    return CandidateItem(candidate.key, candidate.section, file, title, *doubt)


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

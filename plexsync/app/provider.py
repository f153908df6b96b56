"""Libraries that ask PlexSync: what the worker adds for them, and the answers that a library begins with."""

from collections.abc import Callable, Collection, Iterator
from itertools import chain
from pathlib import Path

from plexsync.app.flow_parts import FlowParts
from plexsync.app.parts import Assembled
from plexsync.engine.tickets import READ_STASH, READS
from plexsync.engine.watching import asked_pages
from plexsync.flows.provider.answers import SceneAnswers
from plexsync.flows.provider.asks import PlexAsks
from plexsync.flows.scenes.inspection import BATCH
from plexsync.plex.providers import ProviderClient
from plexsync.rules.item import Item
from plexsync.rules.provider.documents import guid_of
from plexsync.rules.queue.job import Kind, State

Progress = Callable[[int], None]


def provider_parts(parts: Assembled, folder: Path, patience: float, *, matches: bool = False) -> FlowParts:
    """What saves the answers, and what makes Plex ask. `folder` is the data folder, `patience` in seconds.

    `matches`: items that Plex has not matched are matched with their scenes.
    """
    answers, plex = SceneAnswers(parts.settings.looks, folder), ProviderClient(parts.plex.requests)

    def match(scene: int, item: Item) -> bool:
        with parts.store.reading() as db:
            library, answer = db.providers.of(item.library), db.answers.of([scene]).get((item.library, scene))
        if library is None or answer is None or not answer.matched:
            return False
        plex.match(item.key, guid_of(library.identifier, answer.key), str(answer.values.get("title", "")))
        return True

    asks = PlexAsks(plex.refresh, match if matches else None, parts.clock, patience)
    return FlowParts((), [answers.observe], asks=asks)


def fill_answers(parts: Assembled, folder: Path, library: str, progress: Progress = lambda _done: None) -> int:
    """Save the answer of every scene in a library, given by its uuid; returns the number of scenes.

    `folder` is the data folder. Raises NeighbourError and LocalFault. What the worker says meanwhile is newer, and stays.
    What other libraries are told stays too: changed settings may wait for your yes there. So does what is told of scenes
    that you dropped.
    """
    answers, done, walked = SceneAnswers(parts.settings.looks, folder, library), 0, set[int]()
    pages = asked_pages(parts.gates, READ_STASH, parts.stash.walk(), of_all=True)
    for ids in chain(([scene.id for scene in page] for page in pages), gone_scenes(parts, library, walked)):
        walked.update(ids)
        for start in range(0, len(ids), BATCH):
            parts.gates.enter(*READS)
            now = parts.clock.now()
            inspections = parts.inspector.look(ids[start : start + BATCH])
            with parts.store.writing() as tx:
                dropped = {id for id, row in tx.jobs.of(Kind.SCENE, ids).items() if row.state is State.DROPPED}
                answers.observe(tx, [each for each in inspections if each.id not in dropped], now)
            done += len(inspections)
            progress(done)
    return done


def gone_scenes(parts: Assembled, library: str, walked: Collection[int]) -> Iterator[list[int]]:
    """The scenes of which the library was told, and which a walk of Stash has not met."""
    with parts.store.reading() as db:
        answered = db.answers.scenes(library)
    yield sorted(answered.difference(walked))

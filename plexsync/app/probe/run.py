"""One probe: saves the item, asks the questions one by one, restores the item, and stores what was learnt."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

from plexsync.app.probe.questions import Examination, Halted
from plexsync.app.probe.restore import Restored, restore
from plexsync.plex.probe_client import ProbeClient
from plexsync.rules.errors import NeighbourError
from plexsync.rules.neighbours import Clock
from plexsync.rules.scratch import Original, original_of
from plexsync.rules.traits import LearntTraits, ServerTraits
from plexsync.store.database import Database

Progress = Callable[[int, int], None]


class CantProbe(Exception):
    """Nothing was changed; the message says why."""


@dataclass(frozen=True)
class Probed:
    """The result of a probe. `skipped` says for groups of questions why one has no answer.

    `error` is why the probe ended early, '' if it did not; `restored` None: the item is not restored yet.
    """

    version: str
    traits: ServerTraits
    skipped: dict[str, str] = field(default_factory=dict)
    error: str = ""
    restored: Restored | None = None


def probe(
    store: Database,
    plex: ProbeClient,
    clock: Clock,
    key: str,
    *,
    progress: Progress = lambda _done, _total: None,
    stopping: Callable[[], bool] = lambda: False,
) -> Probed:
    """Ask the questions on this item, and restore it.

    The caller holds the worker's lock and has restored the item of an earlier probe. Raises CantProbe for an item that
    can't be probed, and NeighbourError if Plex does not answer; nothing was changed then.
    """
    machine, version = plex.server()
    now = plex.probed(key)
    section = next((row for row in plex.sections() if row.key == now.item.section), None)
    if section is None:
        raise CantProbe(f"item {key} is in no movie library that PlexSync uses")
    if not section.owned:
        raise CantProbe("plex_token is not that of the server's owner, who alone can edit items")
    original = original_of(now, machine=machine, mark=secrets.token_hex(3))
    with store.writing() as tx:
        tx.server.begin_probe(original)
    examination = Examination(plex, clock, original, now, stopping=stopping)
    try:
        error = _asked(examination, progress)
    except BaseException:
        _restored(store, plex, original)
        raise
    restored, trouble = _restored(store, plex, original)
    traits = examination.traits
    if traits != ServerTraits():
        with store.writing() as tx:
            tx.server.save_traits(LearntTraits(machine, version, traits, clock.now()))
    return Probed(version, traits, examination.skipped, error or trouble, restored)


def _asked(examination: Examination, progress: Progress) -> str:
    """Ask all questions; returns why it ended early, or ''."""
    steps = list(examination.steps)
    try:
        for number, step in enumerate(steps):
            progress(number, len(steps))
            examination.ask(step)
    except Halted:
        return "stopped"
    except NeighbourError as error:
        return str(error)
    progress(len(steps), len(steps))
    return ""


def _restored(store: Database, plex: ProbeClient, original: Original) -> tuple[Restored | None, str]:
    """Restore the item; if that fails, it stays saved for the next run."""
    try:
        restored = restore(plex, original)
    except NeighbourError as error:
        return None, str(error)
    with store.writing() as tx:
        tx.server.end_probe()
    return restored, ""

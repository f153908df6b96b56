"""One probe: saves the item, asks the questions one by one, restores the item, and stores what was learnt."""

import secrets
from collections.abc import Callable

from plexsync.app.probe.questions import Examination
from plexsync.app.probe.restore import restore
from plexsync.engine.server_identity import ServerIdentity
from plexsync.plex.probe_client import ProbeClient
from plexsync.rules.errors import NeighbourError
from plexsync.rules.neighbours import Clock
from plexsync.rules.scratch import CantProbe, Original, ProbeOutcome, Restoration, original_of
from plexsync.rules.traits import UNKNOWN, LearntTraits, traits_from
from plexsync.store.database import Database


def probe(
    store: Database,
    plex: ProbeClient,
    clock: Clock,
    key: str,
    *,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
    stopping: Callable[[], bool] = lambda: False,
) -> ProbeOutcome:
    """Ask the questions on this item, and restore it.

    The caller holds the worker's lock and has restored the item of an earlier probe. Raises CantProbe for an item that
    can't be probed, and NeighbourError if Plex does not answer or is another server; nothing was changed then.
    """
    ServerIdentity(store, plex, clock).check()
    server = plex.server()
    now = plex.probed(key)
    section = next((row for row in plex.sections() if row.key == now.item.section), None)
    if section is None:
        raise CantProbe(f"item {key} is in no movie library that PlexSync uses")
    if not section.owned:
        raise CantProbe("plex_token is not that of the server's owner, who alone can edit items")
    original = original_of(now, machine=server.machine, mark=secrets.token_hex(3))
    with store.writing() as tx:
        tx.probes.begin_probe(original)
    examination = Examination(plex, clock, original, now, stopping)
    try:
        error = examination.ask(progress)
    except BaseException:  # whatever ends it, also an interrupt: the item has to be restored here
        _restored(store, plex, original, clock)
        raise
    restored, trouble = _restored(store, plex, original, clock)
    traits = traits_from(examination.answers)
    if traits != UNKNOWN:
        with store.writing() as tx:
            tx.probes.save_traits(LearntTraits(server.machine, server.version, traits, clock.now()))
    return ProbeOutcome(server.version, traits, examination.skipped, error or trouble, restored)


def _restored(store: Database, plex: ProbeClient, original: Original, clock: Clock) -> tuple[Restoration | None, str]:
    """Restore the item; if that fails, it stays saved for the next run."""
    try:
        restored = restore(plex, original, clock)
    except NeighbourError as error:
        return None, str(error)
    with store.writing() as tx:
        tx.probes.end_probe()
    return restored, ""

"""The parts of one process, assembled on one database.

`Assembled` is the only place that connects them, for the program, the tests and the simulation.
"""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from plexsync.app.clients import changes_posters, pillow, plex_client, plex_events, stash_client
from plexsync.app.database_files import lock_of
from plexsync.app.fingerprints import client_id, in_force_now, settings_to_go_by
from plexsync.app.machine import fence_of
from plexsync.app.named_scenes import NamedScenes, existing_scenes, known_in
from plexsync.app.rules import PartSettings, look_rules
from plexsync.app.stored import Stored, address_of, check_settled, clock_of
from plexsync.engine.asked_probes import ask_at_once, what_waits
from plexsync.engine.clock import SystemRandom
from plexsync.engine.expiry import Expiry, longest_request
from plexsync.engine.gates import Gates, in_turn, outage
from plexsync.engine.server_identity import ServerIdentity
from plexsync.engine.tickets import READ_STASH, READS, Closed, Gate
from plexsync.engine.watchdog import Heard, Watchdog
from plexsync.flows.scenes.artwork import Artwork
from plexsync.flows.scenes.dead_letter_cures import Curer
from plexsync.flows.scenes.inspection import Inspector
from plexsync.flows.scenes.losses import SceneLosses
from plexsync.flows.scenes.metrics_sampler import Sampler
from plexsync.flows.scenes.plex_events import Events, Listener
from plexsync.flows.scenes.plex_index import Indexer
from plexsync.flows.scenes.plex_pictures import PlexPictures
from plexsync.flows.scenes.poll import Poller
from plexsync.flows.scenes.reconcile import Reconciler
from plexsync.flows.scenes.recovery import Recovery
from plexsync.flows.scenes.scan_requests import Scans
from plexsync.flows.scenes.scene_identity import StashIdentity
from plexsync.flows.scenes.stash_pictures import AT_ONCE, Readers
from plexsync.flows.scenes.undo import resting
from plexsync.plex import artwork
from plexsync.plex.client import PlexClient
from plexsync.rules.servers.errors import Neighbour, NeighbourError
from plexsync.rules.servers.http_answers import whole_request
from plexsync.rules.servers.neighbours import Clock, Imaging, RandomSource
from plexsync.stash.client import StashClient
from plexsync.store.database import Database
from plexsync.store.files.worker_ends import HANG
from plexsync.store.files.worker_locks import locks_at
from plexsync.store.ledger.journal_file import WriteJournal
from plexsync.store.opening import check_folder, open_database
from validation.config import PlexSyncConfig

if TYPE_CHECKING:
    from plexsync.store.postgres.worker_lock import WorkerLock

# Seconds without a heartbeat after which a worker is ended. Longer than a request or a busy database can take.
LEAST_WATCHED = 180.0


class Identities(NamedTuple):
    """The checks of who answers as Plex and as Stash."""

    plex: ServerIdentity
    stash: StashIdentity


class Assembled:
    """All parts that work on one database.

    `inspector` is for read-only callers: it queues and wakes nothing that it comes across. `work_inspector` belongs to the
    engine, `watch_inspector` to comparisons.
    """

    def __init__(
        self,
        store: Database,
        stash: StashClient,
        plex: PlexClient,
        clock: Clock,
        rng: RandomSource,
        settings: PartSettings,
        *,
        events: Events,
        imaging: Imaging | None = None,
        readers: Readers | None = None,
    ) -> None:
        """Assemble the parts on a database and its two servers. Opens, requests and writes nothing."""
        self.store, self.stash, self.plex = store, stash, plex
        self.clock, self.rng, self.settings = clock, rng, settings
        self.gates = gates = Gates(store, stash, plex, settings.breaker, clock, rng, settings.fingerprints)
        by, visitors = (
            Identities(
                ServerIdentity(store, plex, clock, looks_only=looks_only),
                StashIdentity(store, stash, clock, looks_only=looks_only),
            )
            for looks_only in (False, True)
        )
        self.identity, self.visitor = by.plex, visitors.plex
        losses = SceneLosses(store, stash, gates, clock)
        self.indexer = indexer = Indexer(store, plex, gates, clock)
        of_stash = (by.stash.check, by.stash.check_held_age, losses.check)
        gates.check(plex=(by.plex.check, indexer.losses.check), stash=of_stash)
        # It tells which requests have ended, to every flow alike.
        self.expiry = expiry = Expiry(clock, longest_request(settings.work))
        recovery = Recovery(store, WriteJournal(store.folder), clock)

        def inspector(index: Indexer, by: Identities = by, *, patient: bool = True) -> Inspector:
            in_plex, key_of = PlexPictures(store, plex, gates, clock), artwork.key_of
            pictures = Artwork(store, stash, in_plex, gates, key_of, imaging, sends=not patient, readers=readers)
            of_both = (store, stash, plex, index, gates, settings.looks, *by, losses, recovery, expiry)
            return Inspector(*of_both, pictures if settings.pictures else None, patient=patient)

        self.inspector = inspector(Indexer(store, plex, gates, clock, looks_only=True), visitors)
        self.watch_inspector, self.work_inspector = inspector(indexer), inspector(indexer, patient=False)
        self.poller = Poller(store, stash, indexer, gates, clock, losses, by.stash)
        self.reconciler = Reconciler(self.watch_inspector, **settings.prints, waits=settings.waits)
        self.listener = Listener(store, stash, plex, events, indexer, gates, clock, rng)
        self.scans = Scans(store, plex, gates, clock, settings.looks.paths) if settings.scan_absent else None
        self.curer = Curer(self.watch_inspector, settings.cures)


class Parts(Assembled, Stored):
    """The parts of a running program, with the settings that they were built from and this machine's data folder."""

    watchdog: Watchdog
    sampler: Sampler
    # The settings as they are saved; `config` are those in force, which a worker goes by.
    saved: PlexSyncConfig

    def must_reload(self) -> bool:
        """Whether other settings have come into force since these parts were put together."""
        return self.settings.waits and in_force_now(self.store) != self.settings.in_force

    @property
    def picture_names(self) -> frozenset[str]:
        """The names of the results for pictures that are synced, see `LookRules.picture_names`."""
        return look_rules(self.config).picture_names

    def probe_once(self, probed: set[Gate], *gates: Gate, asks_stash: bool = True) -> None:
        """Probe those of these gates (none: of both servers) that are closed, at once and unless they are in `probed`."""
        unasked = [gate for gate in gates or READS if gate not in probed]
        probed.update(unasked)
        asked = [gate for gate in unasked if asks_stash or gate != READ_STASH]
        ask_at_once(self.store, self.gates, self.clock, *asked)

    def why_closed(self) -> str:
        """Why nothing can be read from both servers now; '' if it can."""
        return what_waits(self.store, self.gates, *READS)

    def note_away(self, error: NeighbourError) -> None:
        """Count a failed request for Stash's settings."""
        self.gates.ill(self.gates.ticket(READ_STASH), outage(error))


def named_scenes(parts: Parts, ids: Iterable[int]) -> NamedScenes:
    """Look these scenes up in Stash, with a short timeout and if its gate is open, and in the database."""
    named, existing = tuple(dict.fromkeys(ids)), None
    answer = parts.gates.admit(READ_STASH) if named else None
    if isinstance(answer, Closed):
        away = answer.reason
    else:
        existing, away = existing_scenes(parts, named, partial(parts.gates.ask, READ_STASH, of_all=True))
    with parts.store.reading() as db:
        return replace(known_in(db, named, existing, away), undone=resting(db, named))


@contextmanager
def open_parts(
    config: PlexSyncConfig,
    folder: Path,
    *,
    worker: bool = False,
    in_force: bool = False,
    fence: "WorkerLock | None" = None,
) -> Iterator[Parts]:
    """Open the store of these settings and assemble the parts on it; closes them at the end.

    `folder` is this machine's data folder. `worker`: this process holds the worker's lock, which is `fence` if it can
    be lost: then nothing is written or sent any more. `in_force`: go by the settings in force, as a worker always does.
    """
    address, rng = address_of(config, folder), SystemRandom()
    with ExitStack() as stack:
        locks = locks_at(address)
        stack.callback(locks.close)
        store = open_database(address, worker=worker, fence=fence)
        stack.callback(store.close)
        check_settled(store, address)
        if address.is_postgres:
            # What is written from here on would keep a file from being moved there.
            check_folder(address)
        clock = clock_of(locks, fence)
        watchdog = Watchdog(max(LEAST_WATCHED, 3 * whole_request(config.plex_read_timeout)), clock, folder / HANG)
        stack.callback(watchdog.close)
        heard = {server: Heard(watchdog.alive) for server in Neighbour}
        before = {server: in_turn(fence.check, heard[server]) if fence else heard[server] for server in Neighbour}
        saved = config
        config, settings = settings_to_go_by(saved, store, in_force=worker or in_force)
        client = client_id(store)
        stash = stash_client(config, clock, settings.looks, alive=before[Neighbour.STASH])
        stack.callback(stash.close)
        plex = plex_client(PlexClient, config, clock, client_id=client, alive=before[Neighbour.PLEX])
        stack.callback(plex.close)
        events = plex_events(config, client_id=client)
        imaging = pillow(needed=changes_posters(config))
        threads = ThreadPoolExecutor(max_workers=AT_ONCE, thread_name_prefix="picture")
        stack.callback(threads.shutdown)
        readers = Readers(threads, watchdog.alive)
        parts = Parts(store, stash, plex, clock, rng, settings, events=events, imaging=imaging, readers=readers)
        parts.config, parts.saved, parts.folder, parts.locks = config, saved, folder, locks
        parts.watchdog, parts.sampler = watchdog, Sampler(store, clock, heard)
        yield parts


@contextmanager
def at_work(config: PlexSyncConfig, folder: Path) -> Iterator[tuple[Parts, bool]]:
    """Like `opened`, with True if this process got the worker's lock and has to work, False if another holds it."""
    address = address_of(config, folder)
    if not address.is_postgres:
        with lock_of(address) as mine, open_parts(config, folder, worker=mine) as parts:
            yield parts, mine
        return
    with fence_of(config, address) as fence, open_parts(config, folder, worker=fence is not None, fence=fence) as parts:
        yield parts, fence is not None

"""The only place that knows all concrete parts: cuts rules from the configuration and puts the house together."""

import hashlib
import secrets
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from plex.client import PlexClient
from stash.client import StashClient
from store import intake, schema
from store.database import Database
from store.db import faults, file_system, on_network
from store.lock import Lock, is_locked, try_lock
from sync.errors import LocalFault, Neighbour, Unusable
from sync.item import FIELDS
from sync.plan import Policy
from sync.wanted import Profile
from validation.config import PlexSyncConfig
from worker.circuit_breaker import Rules
from worker.clock import SystemClock, SystemDice
from worker.engine import Engine, Idle, Probed, Worked
from worker.gates import Gates
from worker.indexing import Indexer
from worker.looking import Looker
from worker.loop import Loop, Ran, Watcher
from worker.polling import Poller
from worker.reconciling import LAST_RECONCILE, Reconciler
from worker.rules import LookRules, WorkRules

DATABASE = "plexsync.db"
HOUR = 3_600_000
# A reconcile that could not run is tried again at this pace.
RECONCILE_RETRY = 300.0
SWITCHES = {
    "title": "sync_title",
    "studio": "sync_studio",
    "summary": "sync_summary",
    "originallyAvailableAt": "sync_date",
    "userRating": "sync_rating",
    "actor": "sync_cast",
    "genre": "sync_genres",
    "collection": "sync_collection",
}

Told = Callable[[Worked | Probed | Idle], None]


@dataclass(frozen=True)
class Parts:
    """The house, put together for one process."""

    config: PlexSyncConfig
    folder: Path
    store: Database
    stash: StashClient
    plex: PlexClient
    clock: SystemClock
    breaker_rules: Rules
    gates: Gates
    indexer: Indexer
    looker: Looker
    poller: Poller
    reconciler: Reconciler

    def try_lock(self) -> Lock | None:
        """The worker's lock on this database; None while another process works it."""
        return try_lock(self.folder)

    def someone_works(self) -> bool:
        """Whether a worker is running on this database."""
        return is_locked(self.folder)

    def inspected(self) -> "Inspection":
        """What the database file looks like from outside, by a connection of its own that reads only."""
        path = self.folder / DATABASE
        with faults(path):
            db = sqlite3.connect(intake.uri(str(path), "ro"), uri=True)
            try:
                (journal,) = db.execute("pragma journal_mode").fetchone()
                damage = [str(line) for (line,) in db.execute("pragma quick_check(5)")]
                version = schema.version(db)
            finally:
                db.close()
        return Inspection(
            schema=version,
            journal=str(journal),
            sqlite=sqlite3.sqlite_version,
            damage=tuple(line for line in damage if line != "ok"),
            file_system=file_system(path),
            network=on_network(path),
        )


@dataclass(frozen=True)
class Inspection:
    """The database file for `doctor`; `damage` holds the first faults that SQLite finds in it, none if it is sound."""

    schema: int
    journal: str
    sqlite: str
    damage: tuple[str, ...]
    file_system: str
    network: bool


def breaker_rules(config: PlexSyncConfig) -> Rules:
    """The breaker as the worker uses it: waits grow and are jittered, a probe's lease outlives its request."""
    return Rules(
        failure_threshold=config.breaker_failure_threshold,
        recovery_timeout=config.breaker_recovery_timeout,
        probe_lease=max(config.breaker_recovery_timeout, 3 * config.plex_read_timeout),
        backoff_multiplier=2.0,
        max_recovery_timeout=config.breaker_max_recovery_timeout,
        jitter=0.1,
    )


def look_rules(config: PlexSyncConfig) -> LookRules:
    """What is compared, and who wins."""
    fields = frozenset(name for name in FIELDS if getattr(config, SWITCHES[name]))
    policy = Policy(conflict=config.conflict_policy, first_push=config.first_push)
    return LookRules(Profile(fields), policy, config.path_rules, config.strict_mode)


def work_rules(config: PlexSyncConfig) -> WorkRules:
    """How the queue is worked. A request takes at most twice the read timeout, a batch's reading phase a few of them."""
    deadline = round(2000 * config.plex_read_timeout)
    return WorkRules(
        max_retries=config.max_retries,
        parallel=config.plex_parallel,
        lease=max(120_000, 2 * deadline),
        deadline=deadline,
        poll_seconds=config.poll_interval,
        retention=config.dlq_retention_days * 24 * HOUR,
        enabled=config.enabled,
    )


@contextmanager
def opened(config: PlexSyncConfig, folder: Path, *, worker: bool = False) -> Iterator[Parts]:
    """Put the parts together on the database in `folder`; close them at the end.

    `worker`: this process holds the worker's lock, so it alone writes the log back into the database.
    """
    clock, dice = SystemClock(), SystemDice()
    with ExitStack() as stack:
        store = Database(folder / DATABASE, worker=worker)
        stack.callback(store.close)
        connect, read = config.plex_connect_timeout, config.plex_read_timeout
        stash = StashClient(config.stash_url, config.stash_api_key, connect_timeout=connect, read_timeout=read)
        stack.callback(stash.close)
        plex = PlexClient(
            config.plex_url,
            config.plex_token,
            libraries=config.library_names,
            connect_timeout=connect,
            read_timeout=read,
        )
        stack.callback(plex.close)
        rules, prints = breaker_rules(config), fingerprints(config, store)

        def gates() -> Gates:
            return Gates(store, rules, clock, dice, prints)

        # The index has gates of its own, since worker and poller share it under its lock.
        indexer = Indexer(store, plex, gates(), clock)
        worker_gates, watch_gates = gates(), gates()
        looker = Looker(store, stash, plex, indexer, worker_gates, clock, look_rules(config))
        watch_looker = Looker(store, stash, plex, indexer, watch_gates, clock, look_rules(config))
        yield Parts(
            config=config,
            folder=folder,
            store=store,
            stash=stash,
            plex=plex,
            clock=clock,
            breaker_rules=rules,
            gates=worker_gates,
            indexer=indexer,
            looker=looker,
            poller=Poller(store, stash, indexer, watch_gates, clock),
            reconciler=Reconciler(store, stash, watch_looker, indexer, watch_gates, clock),
        )


@contextmanager
def at_work(config: PlexSyncConfig, folder: Path) -> Iterator[tuple[Parts, bool]]:
    """As `opened`, with True when this process got the worker's lock and is the one to work, False when another has it."""
    try:
        intake.make_folder(str(folder))
    except OSError as error:
        raise Unusable(f"{folder} can't be used: {error.strerror}") from error
    with ExitStack() as stack:
        lock = try_lock(folder)
        if lock is not None:
            stack.enter_context(lock)
        yield stack.enter_context(opened(config, folder, worker=lock is not None)), lock is not None


@contextmanager
def engine(parts: Parts) -> Iterator[Engine]:
    """An engine on these parts, for the holder of the worker's lock; takes back what a dead worker held."""
    holder = secrets.token_hex(4)
    works = Engine(
        parts.store,
        parts.stash,
        parts.plex,
        parts.looker,
        parts.gates,
        parts.clock,
        SystemDice(),
        work_rules(parts.config),
        holder=holder,
    )
    try:
        works.reclaim()
        yield works
    finally:
        works.close()


def drain(parts: Parts, stop: threading.Event, told: Told, *, wait_for: Callable[[], bool] | None = None) -> Ran:
    """Work in this process until nothing is due, or until `wait_for` is true."""
    with engine(parts) as works:
        return _loop(parts, works, stop, told).drain(wait_for=wait_for)


def serve(parts: Parts, stop: threading.Event, told: Told) -> None:
    """Worker, poller and reconcile schedule until `stop`."""
    with engine(parts) as works:
        watcher = Watcher(
            poll=parts.poller.poll,
            reconcile=Schedule(parts, stop),
            poll_seconds=parts.config.stash_poll_interval,
            stop=stop,
        )
        watcher.start()
        try:
            _loop(parts, works, stop, told).serve()
        finally:
            stop.set()
            watcher.join(timeout=10)


def _loop(parts: Parts, works: Engine, stop: threading.Event, told: Told) -> Loop:
    return Loop(works, parts.store, parts.clock, poll_seconds=parts.config.poll_interval, stop=stop, told=told)


class Schedule:
    """Reconciles when the last complete comparison is old enough, or was never made."""

    def __init__(self, parts: Parts, stop: threading.Event) -> None:
        self._parts = parts
        self._stop = stop
        self._tried: float | None = None

    def __call__(self) -> bool:
        """Reconcile if it is due; True when a comparison came to its end."""
        parts, now = self._parts, self._parts.clock.now()
        hours = parts.config.reconcile_interval_hours
        with parts.store.reading() as db:
            last = int(db.note(LAST_RECONCILE) or 0)
        # A last time in the future was written by a clock that has stepped back: compare, rather than wait for it.
        if not hours or not parts.config.enabled or 0 <= now - last < hours * HOUR:
            return False
        tried, self._tried = self._tried, parts.clock.monotonic()
        if tried is not None and self._tried - tried < RECONCILE_RETRY and not self._came_back():
            self._tried = tried
            return False
        return parts.reconciler.try_reconcile(stopping=self._stop.is_set)

    def _came_back(self) -> bool:
        return all(self._parts.gates.passable(who) for who in Neighbour)


def fingerprints(config: PlexSyncConfig, store: Database) -> dict[Neighbour, str]:
    """What a hold compares to see that its settings changed: salted hashes, from which no secret can be read."""
    with store.reading() as db:
        salt = db.note("salt")
    if not salt:
        salt = secrets.token_hex(16)
        try:
            with store.writing() as tx:
                tx.save_note("salt", salt)
        except LocalFault:
            pass
    settings = {
        Neighbour.PLEX: (config.plex_url, config.plex_token, *config.library_names),
        Neighbour.STASH: (config.stash_url, config.stash_api_key),
    }
    return {
        who: hashlib.blake2b("\0".join(values).encode(), key=salt.encode(), digest_size=8).hexdigest()
        for who, values in settings.items()
    }

"""The only place that knows all concrete parts: cuts rules from the configuration and puts the house together."""

import hashlib
import json
import logging
import os
import secrets
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import cast

from plexsync.engine.clock import SystemClock, SystemDice
from plexsync.engine.dead_letter_cures import Curer
from plexsync.engine.engine import Engine, Idle, Probed, Worked
from plexsync.engine.gates import Gates
from plexsync.engine.loop import Farewell, Loop, Ran, Watcher
from plexsync.engine.metrics_sampler import SECONDS, Heard, Sampler
from plexsync.engine.notifications import Bell, Noticer, Standstill
from plexsync.engine.plex_events import Listener
from plexsync.engine.rules import LookRules, WorkRules
from plexsync.engine.watchdog import Watchdog
from plexsync.flows.scenes.artwork import Pictures
from plexsync.flows.scenes.inspection import Looker
from plexsync.flows.scenes.plex_index import Indexer
from plexsync.flows.scenes.poll import LAST_POLL, Poller
from plexsync.flows.scenes.preview import Previewer
from plexsync.flows.scenes.reconcile import CHANGED, CURSOR, LAST_RECONCILE, LAST_RUN, WISHES, Reconciler
from plexsync.flows.scenes.scan_requests import Scans
from plexsync.notify.apprise_sender import AppriseMessenger
from plexsync.notify.command import CommandMessenger
from plexsync.plex import artwork
from plexsync.plex.account import Account as Account
from plexsync.plex.account import OwnServer as OwnServer
from plexsync.plex.account import SignIn as SignIn
from plexsync.plex.client import PlexClient
from plexsync.plex.events import PlexEvents
from plexsync.plex.imaging import Pillow
from plexsync.rules import choice, template
from plexsync.rules.desired import FACE_NAMES, NAMES, ROLE_NAMES, Profile
from plexsync.rules.errors import LocalFault, Neighbour, NewerDatabase, Unusable
from plexsync.rules.http_answers import whole_request
from plexsync.rules.job import State
from plexsync.rules.neighbours import Messenger
from plexsync.rules.notices import NoticeRules
from plexsync.rules.plan import Policy
from plexsync.rules.records import JobRow
from plexsync.rules.scope import Kind as ScopeKind
from plexsync.rules.scope import Scope, Term
from plexsync.rules.text import NAME_LIMIT, SUMMARY_LIMIT, fold
from plexsync.stash.client import StashClient
from plexsync.store import backup, intake, place, schema
from plexsync.store.backup import Copied, Restored
from plexsync.store.database import Database
from plexsync.store.db import faults, file_system, on_network
from plexsync.store.lock import Lock, is_locked, try_lock
from plexsync.store.place import Place as Place
from plexsync.store.repair import MARK, REPAIRED, repair, sweep
from validation import kept
from validation.config import PlexSyncConfig
from validation.kept import Kept
from validation.sources import ConfigError, default_data_dir
from worker.circuit_breaker import Rules

log = logging.getLogger("PlexSync.wiring")

DATABASE = "plexsync.db"
# The plugin's id in Stash: the name of the manifest without its ending.
PLUGIN = "StashPlexSync"
# The note of what Stash said last of the plugin's settings.
SAID_BY_STASH = "stash:settings"
# Seconds to wait for the settings, since also those wait who only want to look.
ASK_CONNECT, ASK_READ = 2.0, 2.5
# The note that tells since when this database is there.
BEGUN = "begun"
# When a backup was put back: from then on a complete comparison is due.
RESTORED = "restored"
# When a person agreed to the first write of a whole library.
BULK = "bulk:approved"
UNAPPROVED = (
    "nothing is compared as a whole before a person has agreed to the first write of the whole library: "
    "plexsync sync --all shows it and asks (or approve_bulk = true)"
)
MINUTE, HOUR = 60_000, 3_600_000
# Seconds between two looks at whether a comparison is due; each is two small reads.
COMPARE_LOOK = 1.0
# Seconds between two looks at whether it is time to listen to Plex again.
LISTEN_LOOK = 0.5
# Seconds without a sign of life after which a worker is ended; longer than a request or a busy database may take.
LEAST_WATCHED = 180.0
HANG = "hang.txt"
# Seconds after which a comparison that could not run is tried again.
RECONCILE_RETRY = 300.0
SWITCHES = {
    "title": "sync_title",
    "studio": "sync_studio",
    "summary": "sync_summary",
    "originallyAvailableAt": "sync_date",
    "userRating": "sync_rating",
    "actor": "sync_cast",
    "director": "sync_director",
    "genre": "sync_genres",
    "collection": "sync_collection",
}

Told = Callable[[Worked | Probed | Idle], None]


@dataclass(frozen=True)
class Parts:
    """The house, put together for one process. `looker` is for doors, which only look: nobody is wanted or woken by what
    it finds on the way. `work_looker` is the engine's."""

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
    work_looker: Looker
    poller: Poller
    reconciler: Reconciler
    previewer: Previewer
    listener: Listener
    scans: Scans | None
    curer: Curer
    watchdog: Watchdog
    sampler: Sampler

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
            size=_size(path),
            log=_size(path.with_name(f"{path.name}-wal")),
        )


@dataclass(frozen=True)
class Inspection:
    """The database file for `doctor`; `damage` holds the first faults that SQLite finds in it, none if it is sound.

    `size` and `log` are the bytes of the file and of the log beside it.
    """

    schema: int
    journal: str
    sqlite: str
    damage: tuple[str, ...]
    file_system: str
    network: bool
    size: int
    log: int


def breaker_rules(config: PlexSyncConfig) -> Rules:
    """The breaker as the worker uses it: waits grow and are jittered, a probe's lease outlives its request."""
    return Rules(
        failure_threshold=config.breaker_failure_threshold,
        recovery_timeout=config.breaker_recovery_timeout,
        # A probe is up to three requests, of twice the read timeout each.
        probe_lease=max(config.breaker_recovery_timeout, 6 * config.plex_read_timeout),
        backoff_multiplier=2.0,
        max_recovery_timeout=config.breaker_max_recovery_timeout,
        jitter=0.1,
    )


def look_rules(config: PlexSyncConfig) -> LookRules:
    """What is compared, and who wins."""
    policy = Policy(conflict=config.conflict_policy, first_push=config.first_push)
    libraries = {fold(name): profile(config.of_library(name)) for name in config.libraries}
    gone = config.when_gone == "undo"
    scope = Scope(tuple(Term(cast("ScopeKind", kind), name, out) for kind, name, out in config.scope_terms))
    return LookRules(
        profile(config), policy, config.path_rules, config.strict_mode, libraries, undo_gone=gone, scope=scope
    )


def profile(config: PlexSyncConfig) -> Profile:
    """Which fields are shown, and what in them. What has no switch is on when there is something to show."""
    made = Profile(
        fields=frozenset(),
        title=template.parsed(config.title_template, NAMES),
        sort_title=template.parsed(config.sort_title_template, NAMES),
        original_title=template.parsed(config.original_title_template, NAMES),
        content_rating=config.content_rating,
        genres=choice.parsed(config.genre_tags),
        labels=choice.parsed(config.label_tags),
        tag_collections=choice.parsed(config.collection_tags),
        tag_parents=config.tag_parents,
        collections=frozenset(config.collections),
        poster=config.poster if config.poster != "none" else "",
        background=config.background if config.background != "none" else "",
        poster_padding=config.poster_padding,
        role=template.parsed(config.role_text, ROLE_NAMES),
        face=template.parsed(config.performer_picture_url, FACE_NAMES),
    )
    given = {
        "titleSort": bool(made.sort_title),
        "originalTitle": bool(made.original_title),
        "contentRating": bool(made.content_rating),
        "label": bool(made.labels),
    }
    switched = {name: getattr(config, switch) for name, switch in SWITCHES.items()}
    return replace(made, fields=frozenset(name for name, on in (given | switched).items() if on))


def work_rules(config: PlexSyncConfig) -> WorkRules:
    """How the queue is worked. A batch's reading phase takes a few requests at most."""
    deadline = round(1000 * whole_request(config.plex_read_timeout))
    return WorkRules(
        max_retries=config.max_retries,
        parallel=config.plex_parallel,
        lease=max(120_000, 2 * deadline),
        deadline=deadline,
        retention=config.dlq_retention_days * 24 * HOUR,
        dlq_max=config.dlq_max,
        enabled=config.enabled,
    )


# --- what has to be known before -------------------------------------------------------------------------------------


def known_place(config: PlexSyncConfig, environ: Mapping[str, str]) -> Place | None:
    """The folder that a setting names or that is in use; None when it is to be chosen by Stash's answer."""
    if config.data_dir:
        return Place(Path(config.data_dir), "data_dir names it")
    return place.known(_usual(environ))


def _usual(environ: Mapping[str, str]) -> Path | None:
    try:
        return default_data_dir(environ)
    except ConfigError:
        return None


@dataclass(frozen=True)
class Said:
    """What Stash says about us: the plugin's settings as they are stored there, and the folder of the database."""

    settings: Mapping[str, object] = field(repr=False)
    place: Place


def ask_stash(config: PlexSyncConfig, environ: Mapping[str, str], found: Place | None) -> Said:
    """Ask Stash for the plugin's settings, and where the folder is if that is not known; raises NeighbourError, Unusable."""
    with closing(_asking(config)) as stash:
        settings = stash.plugin_settings(PLUGIN)
        return Said(settings, found or place.chosen(_usual(environ), stash.config_path()))


def settings_in_stash(config: PlexSyncConfig, plugin: str) -> dict[str, object]:
    """What Stash holds for a plugin; raises NeighbourError, Unusable."""
    with closing(_asking(config)) as stash:
        return stash.plugin_settings(plugin)


@contextmanager
def stash_at(url: str, key: str, *, ca_file: str = "", patience: float = ASK_READ) -> Iterator[StashClient]:
    """A Stash that is only being tried, with little patience; raises Unusable."""
    clock, connect = SystemClock(), min(ASK_CONNECT, patience)
    with closing(
        StashClient(url, key, connect_timeout=connect, read_timeout=patience, clock=clock, ca_file=ca_file)
    ) as stash:
        yield stash


@contextmanager
def plex_at(url: str, token: str, *, ca_file: str = "", patience: float = ASK_READ) -> Iterator[PlexClient]:
    """A Plex that is only being tried, with little patience; raises Unusable."""
    clock, connect = SystemClock(), min(ASK_CONNECT, patience)
    with closing(
        PlexClient(url, token, connect_timeout=connect, read_timeout=patience, clock=clock, ca_file=ca_file)
    ) as plex:
        yield plex


def _asking(config: PlexSyncConfig) -> StashClient:
    return StashClient(
        config.stash_url,
        config.stash_api_key,
        connect_timeout=ASK_CONNECT,
        read_timeout=ASK_READ,
        clock=SystemClock(),
        ca_file=config.tls_ca_file,
    )


def kept_settings(folder: Path) -> Kept | None:
    """What Stash said last, by the database in `folder`; None when that is not known. No database is made for it."""
    if not os.path.lexists(folder / DATABASE):
        return None
    try:
        store = Database(folder / DATABASE)
        try:
            with store.reading() as db:
                return kept.read(db.notes.text(SAID_BY_STASH))
        finally:
            store.close()
    except (LocalFault, NewerDatabase, Unusable):
        # Whoever uses the database meets it again, and says so.
        return None


def peeked(folder: Path, state: State, *, limit: int) -> list[JobRow]:
    """The first rows of a state in the database of a folder, if there is one."""
    if not os.path.lexists(folder / DATABASE):
        return []
    with closing(Database(folder / DATABASE)) as store, store.reading() as db:
        return db.jobs.in_state(state, limit=limit)


def keep_settings(store: Database, settings: Mapping[str, object]) -> None:
    """Keep what Stash said, without its secrets, for when it is away; a database that can't be written is no hindrance."""
    text = kept.written(settings)
    try:
        with store.reading() as db:
            if db.notes.text(SAID_BY_STASH) == text:
                return
        with store.writing() as tx:
            tx.notes.save(SAID_BY_STASH, text)
    except (LocalFault, Unusable):
        return


def theirs(settings_file: str) -> Path | None:
    """The folder that the hook writes to, if Stash's settings file is on this machine; None when it certainly is not."""
    return place.theirs(settings_file)


def events_in(folder: Path) -> str:
    """What a hook has left in a folder, in words; '' for nothing. Raises OSError."""
    return place.events_in(folder)


def try_out(config: PlexSyncConfig) -> None:
    """Raises Unusable if the parts can't be put together with these settings."""
    messengers(config)
    pillow(padding=config.poster_padding or any(config.of_library(name).poster_padding for name in config.libraries))
    StashClient(config.stash_url, config.stash_api_key, ca_file=config.tls_ca_file).close()
    PlexClient(config.plex_url, config.plex_token, libraries=config.library_names, ca_file=config.tls_ca_file).close()


def pillow(*, padding: bool) -> Pillow | None:
    """What changes pictures, if its package is installed; raises Unusable when it is not and pictures are to be padded."""
    try:
        return Pillow()
    except Unusable:
        if padding:
            raise
        return None


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
        looks = look_rules(config)
        every = (looks.profile, *looks.libraries.values())
        watchdog = Watchdog(max(LEAST_WATCHED, 3 * whole_request(read)), clock, folder / HANG)
        stack.callback(watchdog.close)
        heard = {who: Heard(watchdog.alive) for who in Neighbour}
        stash = StashClient(
            config.stash_url,
            config.stash_api_key,
            connect_timeout=connect,
            read_timeout=read,
            clock=clock,
            ca_file=config.tls_ca_file,
            alive=heard[Neighbour.STASH],
            tags_above=looks.scope.asks_above or any(one.asks_above for one in every),
            people=any(one.asks_people for one in every),
        )
        stack.callback(stash.close)
        plex = PlexClient(
            config.plex_url,
            config.plex_token,
            libraries=config.library_names,
            connect_timeout=connect,
            read_timeout=read,
            client_id=client_id(store),
            clock=clock,
            ca_file=config.tls_ca_file,
            alive=heard[Neighbour.PLEX],
        )
        stack.callback(plex.close)
        rules, prints = breaker_rules(config), fingerprints(config, store)

        def gates() -> Gates:
            return Gates(store, stash, plex, rules, clock, dice, prints)

        # The index has gates of its own, since worker and poller share it under its lock.
        indexer = Indexer(store, plex, gates(), clock)
        # Those of one thread each.
        worker_gates, watch_gates, poll_gates, listen_gates = gates(), gates(), gates(), gates()
        scans = Scans(store, plex, gates(), clock, config.path_rules) if config.scan_absent else None
        events = PlexEvents(
            config.plex_url,
            config.plex_token,
            connect_timeout=connect,
            read_timeout=read,
            client_id=client_id(store),
            ca_file=config.tls_ca_file,
        )
        imaging = pillow(padding=any(one.poster_padding for one in every))

        def looking(gates: Gates, index: Indexer, *, patient: bool = True) -> Looker:
            pictures = Pictures(store, stash, plex, gates, artwork.key_of, imaging)
            return Looker(store, stash, plex, index, gates, clock, looks, pictures, patient=patient)

        work_looker, watch_looker = looking(worker_gates, indexer, patient=False), looking(watch_gates, indexer)
        glance_gates = gates()
        glances = looking(glance_gates, Indexer(store, plex, glance_gates, clock, looks_only=True))
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
            looker=glances,
            work_looker=work_looker,
            poller=Poller(store, stash, indexer, poll_gates, clock),
            reconciler=Reconciler(
                store,
                stash,
                watch_looker,
                indexer,
                watch_gates,
                clock,
                settings=print_of_all(config, store),
                wishes=wishes(config),
            ),
            previewer=Previewer(store, stash, glances, glance_gates, clock),
            listener=Listener(store, stash, plex, events, indexer, listen_gates, clock, dice),
            scans=scans,
            curer=Curer(store, watch_looker, watch_gates, clock, prints_of_cures(config, prints)),
            watchdog=watchdog,
            sampler=Sampler(store, clock, heard),
        )


@contextmanager
def at_work(config: PlexSyncConfig, folder: Path) -> Iterator[tuple[Parts, bool]]:
    """As `opened`, with True when this process got the worker's lock and is the one to work, False when another has it."""
    with lock_of(folder) as mine, opened(config, folder, worker=mine) as parts:
        yield parts, mine


@contextmanager
def lock_of(folder: Path) -> Iterator[bool]:
    """True while this process has the worker's lock, on a database that is sound; False when another has it."""
    try:
        intake.make_folder(str(folder))
    except OSError as error:
        raise Unusable(f"{folder} can't be used: {error.strerror}") from error
    with ExitStack() as stack:
        lock = try_lock(folder)
        if lock is not None:
            stack.enter_context(lock)
            _repair(folder)
            sweep(folder / DATABASE, now=SystemClock().now())
        yield lock is not None


def half_mended(folder: Path) -> bool:
    """Whether the mending of a database was broken off: it has to come to its end before anything is written there."""
    return any(folder.glob(f"{DATABASE}{MARK}*"))


def mend(folder: Path) -> None:
    """Make a damaged database anew, for a command that writes and does not work; a worker that runs did so at its start."""
    file = folder / DATABASE
    ours = os.access(file, os.R_OK | os.W_OK) if os.path.exists(file) else os.path.isdir(folder)  # noqa: PTH110, PTH112 - unreadable is no error
    if ours and (lock := try_lock(folder)) is not None:
        with lock:
            _repair(folder)


def _repair(folder: Path) -> None:
    _check_place(folder)
    repaired = repair(
        folder / DATABASE, now=SystemClock().now(), forget=(LAST_RECONCILE, LAST_RUN, CURSOR, SAID_BY_STASH)
    )
    if repaired:
        log.error("%s", repaired)


def _check_place(folder: Path) -> None:
    """Raises Unusable where others could have put a database, or a file that becomes one, in the place of ours."""
    if trouble := intake.insecure(str(folder), str(folder / DATABASE)):
        raise Unusable(trouble)


def spooled(folder: Path) -> tuple[int, int]:
    """How many events wait as files for a worker, and how many could not be read and were set aside."""
    place = folder / intake.SPOOL
    return _files(place), _files(place / intake.UNREAD)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _files(place: Path) -> int:
    try:
        return sum(one.is_file() and not one.name.startswith(".") for one in place.iterdir())
    except OSError:
        return 0


@contextmanager
def engine(parts: Parts, stop: threading.Event) -> Iterator[Engine]:
    """An engine on these parts, for the holder of the worker's lock; `take_up` comes before its first step.

    What hangs when `stop` is set is given back before anybody loses patience with this process.
    """
    holder = secrets.token_hex(4)
    works = Engine(
        parts.store,
        parts.stash,
        parts.plex,
        parts.work_looker,
        parts.gates,
        parts.clock,
        SystemDice(),
        work_rules(parts.config),
        holder=holder,
        watchdog=parts.watchdog,
        scans=parts.scans,
    )
    farewell = Farewell(works.abandon, stop=stop)
    try:
        parts.watchdog.tell_of_the_last()
        farewell.start()
        yield works
    finally:
        farewell.done()
        works.close()


def take_up(parts: Parts, works: Engine) -> None:
    """Take back what a dead worker held, and see what other settings change. What was done of it can be done again."""
    works.reclaim()
    parts.curer.apply()
    parts.reconciler.note_wishes()


def drain(
    parts: Parts,
    stop: threading.Event,
    told: Told,
    *,
    wait_for: Callable[[], bool] | None = None,
    before: Ran | None = None,
) -> Ran:
    """Work in this process until nothing is due, or until `wait_for` is true; goes on counting from the run `before`."""
    with engine(parts, stop) as works:
        take_up(parts, works)
        parts.curer.recheck(stopping=stop.is_set)
        return _loop(parts, works, stop, told).drain(wait_for=wait_for, before=before)


def comparison_owed(parts: Parts) -> bool:
    """Whether the database was made anew or put back, or other things are wanted by the settings, and no complete
    comparison has found since what that changes."""
    with parts.store.reading() as db:
        lost = max(db.notes.number(name) or 0 for name in (REPAIRED, RESTORED)) > (db.notes.number(LAST_RECONCILE) or 0)
        return lost or db.notes.text(WISHES) == CHANGED


def bulk_approved(parts: Parts) -> bool:
    """Whether a person has agreed to a write of the whole library, here or in a database that this one was made from."""
    with parts.store.reading() as db:
        return parts.config.approve_bulk or any(db.notes.text(name) for name in (BULK, REPAIRED))


def approve_bulk(parts: Parts) -> None:
    """A person agrees: from now on the whole library may be written."""
    with parts.store.writing() as tx:
        tx.notes.save(BULK, str(parts.clock.now()))


def wanted_inside(parts: Parts) -> bool:
    """Whether the worker inside Stash is still switched on."""
    with parts.store.reading() as db:
        return db.notes.text(intake.INSIDE) != intake.OFF


def off_inside(folder: Path) -> bool:
    """Whether the worker inside Stash is switched off, by the database in `folder`; False where that can't be told."""
    return intake.switched(str(folder), unknown=intake.ON) == intake.OFF


def leave_inside(parts: Parts, *, idle: bool = True) -> bool:
    """Note that the worker inside Stash ends; False, and nothing is noted, if it was switched off meanwhile.

    `idle`: because there is nothing to do; False then, too, if there is. An event that comes from now on makes the hook
    start another worker.
    """
    with parts.store.writing() as tx:
        if tx.notes.text(intake.INSIDE) == intake.OFF or (idle and tx.jobs.count_unsettled()):
            return False
        tx.notes.save(intake.INSIDE, intake.LEFT)
        return True


def wishes(config: PlexSyncConfig) -> str:
    """A print of all settings that decide what is wanted; neither names nor paths can be read from it."""

    def plain(value: object) -> object:
        return sorted(map(str, value)) if isinstance(value, frozenset | set) else repr(value)

    rules = json.dumps([asdict(look_rules(config)), config.library_names], default=plain, sort_keys=True)
    return hashlib.blake2b(rules.encode(), digest_size=8).hexdigest()


def messengers(config: PlexSyncConfig) -> list[Messenger]:
    """The ways to tell a person that are set up; raises Unusable when one of them can't be used."""
    ways: list[Messenger] = [AppriseMessenger(url, number) for number, url in enumerate(config.notify_urls, start=1)]
    if config.notify_command:
        ways.append(CommandMessenger(config.notify_command))
    return ways


def tried_ways(config: PlexSyncConfig) -> Iterator[tuple[str, str]]:
    """The setting of each way to tell a person, and what is wrong with it ('' for nothing); nothing is sent."""
    for number, url in enumerate(config.notify_urls, start=1):
        try:
            AppriseMessenger(url, number)
        except Unusable as error:
            yield "notify_urls", str(error)
        else:
            yield "notify_urls", ""
    if config.notify_command:
        yield "notify_command", CommandMessenger(config.notify_command).hindrance()


@contextmanager
def noticing(parts: Parts, stop: threading.Event) -> Iterator[Standstill]:
    """Tell a person what needs one while the block runs, if there is a way to; it hears of pauses by what is yielded."""
    standstill = Standstill(parts.clock)
    bell = None
    if ways := messengers(parts.config):
        rules = NoticeRules(after=parts.config.notify_after_minutes * MINUTE, cap=parts.config.dlq_max)
        bell = Bell(Noticer(parts.store, parts.clock, ways, rules, standstill), stop=stop)
        bell.start()
    try:
        yield standstill
    finally:
        stop.set()
        if bell is not None:
            bell.join(timeout=1)


def serve(parts: Parts, stop: threading.Event, told: Told) -> None:
    """Worker, poller, reconcile schedule and notices until `stop`. A damaged database ends it, whoever meets the damage."""
    with noticing(parts, stop) as paused, engine(parts, stop) as works:
        schedule = Schedule(parts, stop)
        watch = partial(Watcher, stop=stop, clock=parts.clock)
        # A comparison may take long, and edits are not to wait for it.
        watchers = [
            watch(parts.poller.poll, name="poll", seconds=parts.config.stash_poll_interval),
            watch(lambda: parts.listener(stop.is_set), name="listen", seconds=LISTEN_LOOK),
            watch(parts.sampler.sample, name="sample", seconds=SECONDS),
            watch(
                lambda: (parts.curer.recheck(stopping=stop.is_set), schedule()), name="compare", seconds=COMPARE_LOOK
            ),
        ]
        if parts.scans is not None:
            watchers.append(watch(parts.scans.go_on, name="scan", seconds=COMPARE_LOOK))
        for watcher in watchers:
            watcher.start()
        try:
            _loop(parts, works, stop, told, paused).serve()
        finally:
            stop.set()
            # No longer than the request that is under way may take: store and clients are closed next.
            for watcher in watchers:
                watcher.join(timeout=whole_request(parts.config.plex_read_timeout) + 5)
        for watcher in watchers:
            watcher.confess()


def _loop(parts: Parts, works: Engine, stop: threading.Event, told: Told, paused: Standstill | None = None) -> Loop:
    return Loop(
        works,
        parts.store,
        parts.clock,
        poll_seconds=parts.config.poll_interval,
        stop=stop,
        begin=lambda: take_up(parts, works),
        told=told,
        paused=paused or Standstill(parts.clock),
    )


class Schedule:
    """Reconciles when the last complete comparison is old enough, or was never made."""

    def __init__(self, parts: Parts, stop: threading.Event) -> None:
        self._parts = parts
        self._stop = stop
        self._tried: float | None = None
        self._told = False

    def __call__(self) -> bool:
        """Reconcile if it is due; True when a comparison came to its end."""
        parts, now = self._parts, self._parts.clock.now()
        hours = parts.config.reconcile_interval_hours
        with parts.store.reading() as db:
            last, polled = db.notes.number(LAST_RECONCILE) or 0, db.notes.text(LAST_POLL)
        # First the poller notes where it starts: what is edited during the comparison is a change since then.
        if not polled:
            return False
        # A last time in the future was written by a clock that has stepped back: compare, rather than wait for it.
        if not parts.config.enabled or (not comparison_owed(parts) and (not hours or 0 <= now - last < hours * HOUR)):
            return False
        if not bulk_approved(parts):
            self._tell()
            return False
        tried, passed = self._tried, parts.clock.monotonic()
        if tried is not None:
            rest = parts.config.stash_poll_interval if self._came_back() else RECONCILE_RETRY
            if passed - tried < rest:
                return False
        self._tried = passed
        return parts.reconciler.try_reconcile(stopping=self._stop.is_set)

    def _tell(self) -> None:
        if not self._told:
            log.warning("%s", UNAPPROVED)
            self._told = True

    def _came_back(self) -> bool:
        return all(self._parts.gates.passable(who) for who in Neighbour)


def prints_of_cures(config: PlexSyncConfig, prints: Mapping[Neighbour, str]) -> dict[str, str]:
    """What `plexsync.engine.dead_letter_cures` compares to see which settings changed; neither secrets nor paths can be
    read from it."""
    strict = (config.strict_mode, NAME_LIMIT, SUMMARY_LIMIT, *(getattr(config, switch) for switch in SWITCHES.values()))
    return {
        "paths": hashlib.blake2b(repr(config.path_rules).encode(errors="replace"), digest_size=8).hexdigest(),
        "plex": prints[Neighbour.PLEX],
        "stash": prints[Neighbour.STASH],
        "strict": hashlib.blake2b(repr(strict).encode(), digest_size=8).hexdigest(),
    }


# --- copies of the database ------------------------------------------------------------------------------------------


def save_backup(folder: Path, target: Path, *, replace: bool = False) -> Copied:
    """Copy the database of `folder`, also while a worker runs. Raises Unusable when it can't be done."""
    if os.path.isdir(folder):  # noqa: PTH112 - unreadable is no error
        _check_place(folder)
    return backup.save(folder / DATABASE, target, replace=replace)


def restore_backup(folder: Path, file: Path) -> Restored | None:
    """Put a copy back, after which a complete comparison is due; None, and nothing is done, while a worker runs."""
    try:
        intake.make_folder(str(folder))
    except OSError as error:
        raise Unusable(f"{folder} can't be used: {error.strerror}") from error
    _check_place(folder)
    lock = try_lock(folder)
    if lock is None:
        return None
    with lock:
        now = SystemClock().now()
        moment = datetime.fromtimestamp(now / 1000, UTC)
        aside = f"plexsync.before-{moment:%Y%m%dT%H%M%SZ}.db"
        # What Stash said at the time of the copy may not hold any more.
        notes = {LAST_RECONCILE: "", CURSOR: "", SAID_BY_STASH: "", RESTORED: str(now)}
        return backup.restore(file, folder / DATABASE, aside=aside, notes=notes)


def client_id(store: Database) -> str:
    """By what Plex tells this installation from others, the same at every start."""
    return f"plexsync-{hashlib.blake2b(b'client', key=_salt(store).encode(), digest_size=8).hexdigest()}"


def fingerprints(config: PlexSyncConfig, store: Database) -> dict[Neighbour, str]:
    """What a hold compares to see that its settings changed: salted hashes, from which no secret can be read."""
    salt = _salt(store)
    settings = {
        Neighbour.PLEX: (config.plex_url, config.plex_token, config.tls_ca_file, *config.library_names),
        Neighbour.STASH: (config.stash_url, config.stash_api_key, config.tls_ca_file),
    }
    return {
        who: hashlib.blake2b("\0".join(values).encode(), key=salt.encode(), digest_size=8).hexdigest()
        for who, values in settings.items()
    }


def print_of_all(config: PlexSyncConfig, store: Database) -> str:
    """What tells whether any setting changed since a comparison was broken off; nothing can be read from it."""
    said = f"{config.model_dump_json()}{sorted(fingerprints(config, store).items())}"
    return hashlib.blake2b(said.encode(), key=_salt(store).encode(), digest_size=8).hexdigest()


def _salt(store: Database) -> str:
    """A random text of this database, made with it."""
    with store.reading() as db:
        salt = db.notes.text("salt")
    if not salt:
        salt = secrets.token_hex(16)
        try:
            with store.writing() as tx:
                tx.notes.save("salt", salt)
                tx.notes.save(BEGUN, str(SystemClock().now()))
        except LocalFault:
            pass
    return salt

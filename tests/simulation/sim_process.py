"""One PlexSync process in the simulation: the real parts on the real database file, in one thread, and killable."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from random import Random
from typing import Any, Protocol

from plexsync.app.flow_parts import FlowParts
from plexsync.app.parts import Assembled
from plexsync.app.rating_back import rating_back
from plexsync.app.rules import PartSettings
from plexsync.app.run import engine_on
from plexsync.app.way_back import plays_to_take_back, way_back
from plexsync.engine.rules import WorkRules
from plexsync.flows.imports.importer import Importer
from plexsync.flows.imports.open_changes import OpenChanges
from plexsync.flows.imports.planner import ImportPlanner
from plexsync.flows.scenes.rules import LookRules
from plexsync.http.connections import Transport
from plexsync.plex.client import PlexClient
from plexsync.plex.events import PlexEvents
from plexsync.plex.history import PlexHistory
from plexsync.rules.item import FIELDS
from plexsync.rules.merge.desired import Profile
from plexsync.rules.merge.plan_records import Policy
from plexsync.rules.plays.plays import WatchRules
from plexsync.rules.plays.ratings import FIELD, RatingRules
from plexsync.rules.records import PlexPlay
from plexsync.rules.servers.errors import LocalFault, Neighbour
from plexsync.rules.servers.http_answers import whole_request
from plexsync.stash.client import StashClient
from plexsync.stash.creating import StashCreating
from plexsync.store.connection import Table
from plexsync.store.database import Database, Writer
from tests.engine.clocks import Clock
from tests.engine.house import BREAKER, POLLS
from tests.engine.pools import Inline
from tests.simulation.sim_wire import CONNECT, READ
from tests.store_places import StorePlace

TOKEN = "simulation/plex+token-1"
KEY = "simulation-stash-key-1"


class Killed(BaseException):
    """The process ends here: nothing of ours runs any more."""


class Disk(Protocol):
    """What a store tells the world; any of these may raise."""

    def before_begin(self) -> None: ...

    def before_statement(self, verb: str) -> None: ...

    def before_commit(self) -> None: ...

    def after_commit(self) -> None: ...


class Watched:
    """A write transaction, or a table of it, each of whose methods may find that the disk fails."""

    def __init__(self, watched: Writer | Table, disk: Disk) -> None:
        self._watched = watched
        self._disk = disk

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._watched, name)
        if isinstance(value, Table):
            return Watched(value, self._disk)
        self._disk.before_statement(name)
        return value


class SimStore(Database):
    """The database, with the world looking on at both ends of every write transaction."""

    open = 0
    _disk: Disk

    @classmethod
    def at(cls, place: StorePlace, disk: Disk) -> "SimStore":
        """Open the store of a place."""
        store = place.open(worker=True, kind=cls)
        store._disk = disk
        return store

    @contextmanager
    def writing(self) -> Iterator[Writer]:
        self._disk.before_begin()
        with super().writing() as tx:
            self.open += 1
            try:
                yield Watched(tx, self._disk)
                self._disk.before_commit()
            finally:
                self.open -= 1
        self._disk.after_commit()


class SimDice:
    """The product's own chance, drawn from a seed."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)

    def random(self) -> float:
        return self._random.random()


@dataclass(frozen=True)
class Setting:
    """What a person has configured, drawn for each seed."""

    batch: int
    parallel: int
    retention: int
    policy: Policy
    pictured: bool = False
    undo_gone: bool = False
    # Of lives with plays; not shown, so that the others tell what they always have.
    watch: WatchRules | None = field(default=None, repr=False)
    history_page: int = field(default=1000, repr=False)
    # Of lives in which ratings go both ways, and of those with imports.
    ratings: RatingRules | None = field(default=None, repr=False)
    imports: bool = field(default=False, repr=False)


class PagedHistory(PlexHistory):
    """Reads the history in pages of any size."""

    history_page = 1000

    def plays(self, account: int, *, since: int, page: int = 0, with_gone: bool = False) -> Iterator[list[PlexPlay]]:
        return super().plays(account, since=since, page=page or self.history_page, with_gone=with_gone)


class Process:
    """The parts as `assemble` puts them together; `kill` lets go of them without a word to the database."""

    def __init__(
        self,
        place: StorePlace,
        disk: Disk,
        wires: dict[Neighbour, Transport],
        clock: Clock,
        rng: SimDice,
        setting: Setting,
        holder: str,
    ) -> None:
        self.store = SimStore.at(place, disk)
        self.paused_until = 0.0
        timeouts = {"connect_timeout": CONNECT, "read_timeout": READ}
        stash = StashClient("http://stash", KEY, clock=clock, transport=wires[Neighbour.STASH], **timeouts)
        plex = PlexClient("http://plex", TOKEN, clock=clock, transport=wires[Neighbour.PLEX], **timeouts)
        plex.history = PagedHistory(plex.requests)
        plex.history.history_page = setting.history_page
        self._names = StashCreating(stash.requests)
        self._clients = (stash, plex)
        fields = frozenset(FIELDS) - ({FIELD} if setting.ratings else set())
        # A studio that is also a collection has a second way to Plex, and is not imported.
        plain = {"collections": frozenset()} if setting.imports else {}
        profile = Profile(fields, poster="cover" if setting.pictured else "none", **plain)
        settings = PartSettings(
            looks=LookRules(profile, setting.policy, undo_gone=setting.undo_gone),
            work=WorkRules(
                batch=setting.batch, parallel=setting.parallel, deadline=round(2000 * READ), retention=setting.retention
            ),
            breaker=BREAKER,
            fingerprints=dict.fromkeys(Neighbour, "as set up"),
            pictures=setting.pictured,
        )
        # Nobody listens here: what Plex announces is told by no wire.
        events = PlexEvents("http://plex", TOKEN, **timeouts)
        parts = self.parts = Assembled(self.store, stash, plex, clock, rng, settings, events=events)
        self.clock = clock
        self.indexer, self.poller, self.reconciler = parts.indexer, parts.poller, parts.reconciler
        self.gates, self.watch_inspector = parts.gates, parts.watch_inspector
        self.back = way_back(parts, setting.watch) if setting.watch else None
        self._ratings_both_ways = setting.ratings
        self.ratings = rating_back(parts, setting.ratings) if setting.ratings else None
        with suppress(LocalFault):
            parts.expiry.recall(self.store)
        further = [
            self.back.parts_to_add(POLLS) if self.back else FlowParts([plays_to_take_back(parts)]),
            *([self.ratings.parts_to_add(POLLS)] if self.ratings else []),
        ]
        self.engine = engine_on(parts, holder=holder, pool=Inline(), further=further)

    def importer(self) -> Importer:
        """The parts of an import, as `import_parts` puts them together."""
        parts, longest = self.parts, round(1000 * whole_request(READ))
        changes = OpenChanges(self.store, self._names, self.gates, self.clock, parts.expiry, longest=longest)
        looks, ratings = parts.settings.looks, self._ratings_both_ways
        return Importer(ImportPlanner(changes, parts.stash, parts.inspector, looks.policy, ratings))

    def kill(self) -> None:
        """Close the files, as the system does for a process that has ended."""
        self.store.close()
        for client in self._clients:
            client.close()


def disk_failing() -> LocalFault:
    """What an I/O error looks like to the engine."""
    return LocalFault("disk I/O error")


def disk_full() -> LocalFault:
    """What a full disk looks like to the engine."""
    return LocalFault("no space is left", full=True)

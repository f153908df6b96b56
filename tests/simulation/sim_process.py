"""One PlexSync process in the simulation: the real parts on the real database file, in one thread, and killable."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Protocol

import httpx2

from plex.artwork import key_of
from plex.client import PlexClient
from stash.client import StashClient
from store.database import Database, WritingTransaction
from sync.errors import LocalFault, Neighbour
from sync.item import FIELDS
from sync.plan import Policy
from sync.wanted import Profile
from tests.simulation.sim_wire import CONNECT, READ
from tests.worker.clocks import Clock
from tests.worker.pools import Inline
from worker.circuit_breaker import Rules
from worker.engine import Engine
from worker.gates import Gates
from worker.indexing import Indexer
from worker.looking import Looker
from worker.picturing import Pictures
from worker.polling import Poller
from worker.reconciling import Reconciler
from worker.rules import LookRules, WorkRules

TOKEN = "simulation/plex+token-1"
KEY = "simulation-stash-key-1"
BREAKER = Rules(
    failure_threshold=5,
    recovery_timeout=60.0,
    probe_lease=90.0,
    backoff_multiplier=2.0,
    max_recovery_timeout=300.0,
    jitter=0.1,
)


class Killed(BaseException):
    """The process ends here: nothing of ours runs any more."""


class Disk(Protocol):
    """What a store tells the world; any of these may raise."""

    def before_begin(self) -> None: ...

    def before_statement(self, verb: str) -> None: ...

    def before_commit(self) -> None: ...

    def after_commit(self) -> None: ...


class Watched:
    """A write transaction each of whose verbs may find that the disk fails."""

    def __init__(self, tx: WritingTransaction, disk: Disk) -> None:
        self._tx = tx
        self._disk = disk

    def __getattr__(self, name: str) -> Any:
        self._disk.before_statement(name)
        return getattr(self._tx, name)


class SimStore(Database):
    """The database, with the world looking on at both ends of every write transaction."""

    def __init__(self, path: Path, disk: Disk) -> None:
        self.open = 0
        self._disk = disk
        super().__init__(path, worker=True)

    @contextmanager
    def writing(self) -> Iterator[WritingTransaction]:
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


class Process:
    """The parts as `wiring` puts them together; `kill` lets go of them without a word to the database."""

    def __init__(
        self,
        path: Path,
        disk: Disk,
        wires: dict[Neighbour, httpx2.BaseTransport],
        clock: Clock,
        dice: SimDice,
        setting: Setting,
        holder: str,
    ) -> None:
        self.store = SimStore(path, disk)
        self.paused_until = 0.0
        timeouts = {"connect_timeout": CONNECT, "read_timeout": READ}
        stash = StashClient("http://stash", KEY, clock=clock, transport=wires[Neighbour.STASH], **timeouts)
        plex = PlexClient("http://plex", TOKEN, clock=clock, transport=wires[Neighbour.PLEX], **timeouts)
        self._clients = (stash, plex)

        def gates() -> Gates:
            return Gates(self.store, stash, plex, BREAKER, clock, dice, dict.fromkeys(Neighbour, "as set up"))

        self.clock = clock
        profile = Profile(frozenset(FIELDS), poster="cover" if setting.pictured else "none")
        looks = LookRules(profile, setting.policy)
        self.indexer = Indexer(self.store, plex, gates(), clock)
        worker_gates, self.watch_gates = gates(), gates()

        def looker_by(gates: Gates, *, patient: bool = True) -> Looker:
            pictures = Pictures(self.store, stash, plex, gates, key_of, None) if setting.pictured else None
            return Looker(self.store, stash, plex, self.indexer, gates, clock, looks, pictures, patient=patient)

        looker, self.watch_looker = looker_by(worker_gates, patient=False), looker_by(self.watch_gates)
        self.poller = Poller(self.store, stash, self.indexer, self.watch_gates, clock)
        self.reconciler = Reconciler(self.store, stash, self.watch_looker, self.indexer, self.watch_gates, clock)
        rules = WorkRules(
            batch=setting.batch, parallel=setting.parallel, deadline=round(2000 * READ), retention=setting.retention
        )
        self.engine = Engine(
            self.store, stash, plex, looker, worker_gates, clock, dice, rules, holder=holder, pool=Inline()
        )

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

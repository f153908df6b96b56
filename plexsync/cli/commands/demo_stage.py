"""The demo's servers: a simulated Stash and Plex with one library, and PlexSync's settings for them."""

import itertools
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from plexsync.app.parts import Parts, opened
from plexsync.cli.commands.demo_collections import give_pictures, make_favourites
from plexsync.cli.commands.demo_machines import DemoMachine, free_port
from plexsync.cli.daemon.child import ROOT
from plexsync.engine.clock import SystemClock
from plexsync.rules.errors import LocalFault
from plexsync.simulator.http import Fault
from plexsync.simulator.library import build, populate
from plexsync.simulator.plex_server import PlexSim
from plexsync.simulator.stash_hooks import HookRunner
from plexsync.simulator.stash_server import StashSim
from plexsync.simulator.wall import Wall
from plexsync.store.worker_locks import Locks, locks_at
from validation.config import PlexSyncConfig

TOKEN = "demo-plex-token-0123456789"  # noqa: S105 - opens a server that lives as long as the demo
KEY = "demo-stash-key-0123456789"
LATENCY = 0.008
SWITCH_LOOK = 0.1
USUAL_PORT = 9797
LONGEST_START = 60.0
WEEKS = 30 * 86_400.0
LOOKS_PER_SCENE = 20


@dataclass
class Stage:
    """Both servers, their library, and PlexSync on one machine, or on two with one PostgreSQL database."""

    stash: Any
    plex: Any
    library: Any
    handles: Any
    folder: Path
    parts: Parts
    switch: "Switch"
    machines: list[DemoMachine]
    locks: Locks
    wall: Any

    @classmethod
    @contextmanager
    def set(cls, scenes: int, database_url: str = "") -> Iterator["Stage"]:
        """Start everything; stop and remove it at the end. With the URL of a PostgreSQL database there are two machines."""
        library = build(scenes)
        with tempfile.TemporaryDirectory(prefix="plexsync-demo-") as place, StashSim(api_key=KEY) as stash:
            with PlexSim(token=TOKEN) as plex:
                stash.now = over_weeks(scenes)
                handles = populate(library, stash, plex)
                stash.now = seconds_now
                make_favourites(library, plex, handles)
                give_pictures(library, stash)
                folder = Path(place)
                away = folder / "plex-is-away"
                homes = [folder, folder / "standby"] if database_url else [folder]
                machines = [
                    DemoMachine(home, settings_of(home, USUAL_PORT + number, plex, stash, library, database_url), away)
                    for number, home in enumerate(homes)
                ]
                first = machines[0]
                with opened(first.config, first.data) as parts, Switch(plex, away) as switch, Wall(plex) as wall:
                    wall.keep()
                    with closing(locks_at(parts.address)) as locks:
                        yield cls(stash, plex, library, handles, folder, parts, switch, machines, locks, wall)

    def install_wake_up(self) -> None:
        """Install PlexSync wake-up into the simulated Stash."""
        manifest = ROOT / "plexsync" / "stash_plugin" / "wake_up" / "PlexSyncWakeUp.yml"
        self.stash.hooks = HookRunner.from_manifest(manifest, dir=self.folder)

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Run `plexsync serve` on each machine. The first one works, the second stands by."""
        with ExitStack() as running:
            first, *others = self.machines
            running.enter_context(first.serving())
            if others:
                self._wait_for(first)
            for machine in others:
                running.enter_context(machine.serving())
            yield

    def _wait_for(self, machine: DemoMachine) -> None:
        """Wait until this machine works, so that it is the worker whom another one can replace."""
        ends = time.monotonic() + LONGEST_START
        while machine.pid and self.working_pid() != machine.pid and time.monotonic() < ends:
            time.sleep(SWITCH_LOOK)

    def working_pid(self) -> int:
        """The process that holds the worker's lock in PostgreSQL, 0 if there is none."""
        try:
            row = self.locks.worker() if self.locks.is_locked() else None
        except LocalFault:
            return 0
        return row.pid if row is not None else 0

    @property
    def is_up(self) -> bool:
        """Whether any `plexsync serve` runs."""
        return any(machine.pid for machine in self.machines)

    @property
    def address(self) -> str:
        """The address of a dashboard that is up."""
        return next((machine.address for machine in self.machines if machine.pid), self.machines[0].address)


def settings_of(home: Path, port: int, plex: Any, stash: Any, library: Any, database_url: str) -> PlexSyncConfig:
    """The settings of the machine with this folder."""
    return PlexSyncConfig(
        plex_url=plex.url,
        plex_token=TOKEN,
        stash_url=stash.url,
        stash_api_key=KEY,
        path_map=library.path_map,
        stash_poll_interval=5,
        poll_interval=0.5,
        breaker_recovery_timeout=2,
        breaker_max_recovery_timeout=4,
        approve_bulk=True,
        poster="none",
        collection_parts=("name", "summary", "poster", "background", "order"),
        watch_back="plays",
        web_bind=f"127.0.0.1:{free_port(port)}",
        data_dir=str(home / "data"),
        database_url=database_url,
    )


class Switch(threading.Thread):
    """Takes the simulated Plex down while the play asks for it, or while the file of the demo's page exists."""

    def __init__(self, plex: Any, file: Path) -> None:
        super().__init__(name="switch", daemon=True)
        self.file = file
        self.away = False
        # While Plex is read back, it is up and answers fast.
        self.resting = False
        self._plex = plex
        self._over = threading.Event()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self.join()

    def run(self) -> None:
        """Check until the end."""
        reachable, away = Fault("latency", seconds=LATENCY), Fault("refuse")
        while not self._over.wait(SWITCH_LOOK):
            if self.resting:
                self._plex.faults.clear()
            else:
                self._plex.faults.set(away if self.away or self.file.exists() else reachable)

    @contextmanager
    def rest(self) -> Iterator[None]:
        """Keep Plex up, whatever the page asks for."""
        self.resting = True
        time.sleep(2 * SWITCH_LOOK)
        try:
            yield
        finally:
            self.resting = False


def seconds_now() -> float:
    """The current time for the simulated Stash, so that `sync --since 1h` finds the edits."""
    return SystemClock().now() / 1000


def over_weeks(scenes: int) -> Callable[[], float]:
    """A clock that advances with every reading: no real library is created within one second."""
    now = seconds_now()
    moments = itertools.count(now - WEEKS, WEEKS / (LOOKS_PER_SCENE * scenes))
    return lambda: min(next(moments), now - 60)

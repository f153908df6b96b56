"""The demo's stage: a simulated Stash and Plex with one library, and PlexSync's machines, each with `plexsync serve`."""

import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from plexsync.app.clients import pillow
from plexsync.app.parts import Parts, open_parts
from plexsync.app.setting_change import in_the_file
from plexsync.cli.daemon.child import ROOT, command_of, environ
from plexsync.cli.daemon.plex_children import WITH_FIRST
from plexsync.extras import is_installed
from plexsync.rules.merge.pictures import LARGEST, Treatment
from plexsync.rules.servers.errors import LocalFault
from plexsync.simulator.demo import Switch, allow_explicit, give_pictures, make_favourites, over_weeks, seconds_now
from plexsync.simulator.library import build, populate
from plexsync.simulator.plex_server import PlexSim
from plexsync.simulator.stash_hooks import HookRunner
from plexsync.simulator.stash_server import StashSim
from plexsync.simulator.wall import Wall
from plexsync.store.files.worker_locks import Locks, locks_at
from validation.config import PlexSyncConfig
from validation.writing import change_text, save

TOKEN = "demo-plex-token-0123456789"  # noqa: S105 - opens a server that lives as long as the demo
KEY = "demo-stash-key-0123456789"
USUAL_PORT, PROVIDER_PORT = 9797, 9798
# The library that comes to ask PlexSync, and the machines' step from one port to the next.
ASKING, STEP = "Mirror", 2
LONGEST_START = 60.0
LOOK = 0.1
WORDS_AT_THE_END = 10  # seconds that a process has for its orderly end


@dataclass
class DemoMachine:
    """One machine: its folder, which holds `plexsync.toml`, `serve.log` and `data`, and its process while that runs.

    `switch` is the file by which a page of the dashboard takes the simulated Plex down.
    """

    folder: Path
    config: PlexSyncConfig
    switch: Path
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        self.data.mkdir(parents=True, mode=0o700)
        given = {name: in_the_file(self.config, name) for name in self.config.model_fields_set}
        save(self.settings, change_text("", {name: value for name, value in given.items() if value}))

    @property
    def settings(self) -> Path:
        """The settings file."""
        return self.folder / "plexsync.toml"

    @property
    def data(self) -> Path:
        """The data folder."""
        return self.folder / "data"

    @property
    def log(self) -> Path:
        """What `plexsync serve` writes to standard error."""
        return self.folder / "serve.log"

    @property
    def address(self) -> str:
        """The address of the dashboard."""
        return f"http://{self.config.web_bind}"

    @property
    def pid(self) -> int:
        """The process of `plexsync serve`, 0 if none runs."""
        return self.process.pid if self.process is not None and self.process.poll() is None else 0

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Run `plexsync serve` until the block ends."""
        with (
            self.log.open("a") as log,
            subprocess.Popen(
                # It ends in good order when its input closes, on Windows too, and if the demo was killed.
                command_of(
                    "plexsync",
                    *("--config", str(self.settings)),
                    *("serve", WITH_FIRST, "--demo-switch", str(self.switch)),
                ),
                cwd=self.folder,
                env=environ(),
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
            ) as process,
        ):
            self.process = process
            try:
                yield
            finally:
                if process.stdin is not None:
                    process.stdin.close()
                try:
                    process.wait(timeout=WORDS_AT_THE_END)
                except subprocess.TimeoutExpired:
                    process.kill()
                self.process = None

    def kill(self) -> None:
        """Kill `plexsync serve` without a chance to do anything else (SIGKILL), and wait until it is gone."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()


def free_port(usual: int) -> int:
    """This port if it is free, else any free one."""
    for port in (usual, 0):
        with socket.socket() as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                tried.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(tried.getsockname()[1])
    return usual


@dataclass
class Stage:
    """Both servers, their library, and PlexSync on one machine, or on two with one PostgreSQL database."""

    stash: Any
    plex: Any
    library: Any
    handles: Any
    folder: Path
    parts: Parts
    switch: Switch
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
                give_pictures(library, stash, handles)
                allow_explicit(plex, handles.sections[ASKING])
                folder = Path(place)
                away = folder / "plex-is-away"
                homes = [folder, folder / "standby"] if database_url else [folder]
                machines = [
                    DemoMachine(home, settings_of(home, STEP * number, plex, stash, library, database_url), away)
                    for number, home in enumerate(homes)
                ]
                first = machines[0]
                with open_parts(first.config, first.data) as parts, Switch(plex, away) as switch, wall_of(plex) as wall:
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
                # It has to be the worker, whom another one can replace.
                ends = time.monotonic() + LONGEST_START
                while first.pid and self.working_pid() != first.pid and time.monotonic() < ends:
                    time.sleep(LOOK)
            for machine in others:
                running.enter_context(machine.serving())
            yield

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
        return self.working.address

    @property
    def working(self) -> DemoMachine:
        """A machine that is up, else the first one."""
        return next((machine for machine in self.machines if machine.pid), self.machines[0])


def wall_of(plex: Any) -> Wall:
    """The wall of this Plex. It shows the shapes of posters, as the worker makes them, if the package for that is there."""
    if not (imaging := pillow(needed=False)):
        return Wall(plex)

    def shape_poster(content: bytes, shape: str, anchor: str) -> bytes:
        return imaging.make(content, Treatment(shape, "", anchor), largest=LARGEST)

    return Wall(plex, shaper=shape_poster)


def settings_of(home: Path, step: int, plex: Any, stash: Any, library: Any, database_url: str) -> PlexSyncConfig:
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
        poster_shape="blur" if is_installed("art") else "as_is",
        collection_parts=("name", "summary", "poster", "background", "order"),
        watch_back="plays",
        web_bind=f"127.0.0.1:{free_port(USUAL_PORT + step)}",
        provider_listen=f"127.0.0.1:{free_port(PROVIDER_PORT + step)}",
        data_dir=str(home / "data"),
        database_url=database_url,
    )

"""The demo's servers: a simulated Stash and Plex with one library, and PlexSync's settings for them."""

import itertools
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from plexsync.app.parts import Parts, opened
from plexsync.app.wall_before import keep_wall
from plexsync.cli.commands.demo_collections import give_pictures, make_favourites
from plexsync.cli.daemon.child import ROOT, command_of, environ
from plexsync.engine.clock import SystemClock
from validation.config import PlexSyncConfig

TOKEN = "demo-plex-token-0123456789"  # noqa: S105 - opens a server that lives as long as the demo
KEY = "demo-stash-key-0123456789"
LATENCY = 0.008
SWITCH_LOOK = 0.1
USUAL_PORT = 9797
WEEKS = 30 * 86_400.0
LOOKS_PER_SCENE = 20


@dataclass
class Stage:
    """Both servers, their library, and PlexSync with its settings."""

    stash: Any
    plex: Any
    library: Any
    handles: Any
    folder: Path
    parts: Parts
    switch: "Switch"

    @classmethod
    @contextmanager
    def set(cls, scenes: int) -> Iterator["Stage"]:
        """Start everything; stop and remove it at the end."""
        # Imported on use: no other command needs the simulators or their packages.
        from plexsync.simulator.library import build, populate
        from plexsync.simulator.plex_server import PlexSim
        from plexsync.simulator.stash_server import StashSim

        library = build(scenes)
        with tempfile.TemporaryDirectory(prefix="plexsync-demo-") as place, StashSim(api_key=KEY) as stash:
            with PlexSim(token=TOKEN) as plex:
                stash.now = over_weeks(scenes)
                handles = populate(library, stash, plex)
                stash.now = seconds_now
                make_favourites(library, plex, handles)
                give_pictures(library, stash)
                folder = Path(place)
                config = PlexSyncConfig(
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
                    web_bind=f"127.0.0.1:{free_port()}",
                    data_dir=str(folder / "data"),
                )
                write_settings(folder / "plexsync.toml", config)
                (folder / "data").mkdir(mode=0o700)
                with opened(config, folder / "data") as parts, Switch(plex, folder / "plex-is-away") as switch:
                    keep_wall(parts.plex, parts.folder)
                    yield cls(stash, plex, library, handles, folder, parts, switch)

    def install_wake_up(self) -> None:
        """Install PlexSync wake-up into the simulated Stash."""
        from plexsync.simulator.stash_hooks import HookRunner

        manifest = ROOT / "plexsync" / "stash_plugin" / "wake_up" / "PlexSyncWakeUp.yml"
        self.stash.hooks = HookRunner.from_manifest(manifest, dir=self.folder)

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Run `plexsync serve` as a process of its own, with its log beside the database."""
        with (
            (self.folder / "serve.log").open("w") as log,
            subprocess.Popen(
                command_of(
                    "plexsync.cli.commands.demo_serving",
                    *("--config", str(self.folder / "plexsync.toml")),
                    *("serve", "--demo-switch", str(self.switch.file)),
                ),
                cwd=self.folder,
                env=environ(),
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
            ) as process,
        ):
            try:
                yield
            finally:
                # It ends in good order when its input closes, on Windows too.
                if process.stdin is not None:
                    process.stdin.close()
                try:
                    process.wait(timeout=10)
                except subprocess.TimeoutExpired:
                    process.kill()


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
        from plexsync.simulator.http import Fault

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


def write_settings(path: Path, config: PlexSyncConfig) -> None:
    """Write the settings file, readable by its owner only."""
    path.touch(mode=0o600)
    rules = ", ".join(f"'{rule}'" for rule in config.path_map)
    path.write_text(
        f'plex_url = "{config.plex_url}"\n'
        f'plex_token = "{config.plex_token}"\n'
        f'stash_url = "{config.stash_url}"\n'
        f'stash_api_key = "{config.stash_api_key}"\n'
        f"path_map = [{rules}]\n"
        f"stash_poll_interval = {config.stash_poll_interval}\n"
        f"poll_interval = {config.poll_interval}\n"
        f"approve_bulk = {str(config.approve_bulk).lower()}\n"
        f"breaker_recovery_timeout = {config.breaker_recovery_timeout}\n"
        f"breaker_max_recovery_timeout = {config.breaker_max_recovery_timeout}\n"
        f'poster = "{config.poster}"\n'
        f"collection_parts = {list(config.collection_parts)}\n"
        f'watch_back = "{config.watch_back}"\n'
        f'web_bind = "{config.web_bind}"\n'
        f"data_dir = '{config.data_dir}'\n",
        encoding="utf-8",
    )


def free_port() -> int:
    """The dashboard's default port, or any free one."""
    for port in (USUAL_PORT, 0):
        with socket.socket() as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                tried.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(tried.getsockname()[1])
    return USUAL_PORT

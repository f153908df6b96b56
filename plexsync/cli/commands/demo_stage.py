"""The demo's stage: a simulated Stash and Plex with one library, and PlexSync with `plexsync serve`."""

import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
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
from plexsync.simulator.demo import Switch, give_pictures, make_favourites, over_weeks, seconds_now
from plexsync.simulator.library import build, populate
from plexsync.simulator.plex_server import PlexSim
from plexsync.simulator.stash_hooks import HookRunner
from plexsync.simulator.stash_server import StashSim
from plexsync.simulator.wall import Wall
from validation.config import PlexSyncConfig
from validation.writing import change_text, save

TOKEN = "demo-plex-token-0123456789"  # noqa: S105 - opens a server that lives as long as the demo
KEY = "demo-stash-key-0123456789"
USUAL_PORT = 9797
WORDS_AT_THE_END = 10  # seconds that a process has for its orderly end


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
    """Both servers, their library, and PlexSync: its folder holds `plexsync.toml`, `serve.log` and `data`.

    `process` is that of `plexsync serve` while it runs.
    """

    stash: Any
    plex: Any
    library: Any
    handles: Any
    folder: Path
    parts: Parts
    switch: Switch
    wall: Any
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @classmethod
    @contextmanager
    def set(cls, scenes: int) -> Iterator["Stage"]:
        """Start everything; stop and remove it at the end."""
        library = build(scenes)
        with tempfile.TemporaryDirectory(prefix="plexsync-demo-") as place, StashSim(api_key=KEY) as stash:
            with PlexSim(token=TOKEN) as plex:
                stash.now = over_weeks(scenes)
                handles = populate(library, stash, plex)
                stash.now = seconds_now
                make_favourites(library, plex, handles)
                give_pictures(library, stash, handles)
                folder = Path(place)
                data = folder / "data"
                data.mkdir(mode=0o700)
                config, away = settings_of(data, plex, stash, library), folder / "plex-is-away"
                with open_parts(config, data) as parts, Switch(plex, away) as switch, wall_of(plex) as wall:
                    wall.keep()
                    stage = cls(stash, plex, library, handles, folder, parts, switch, wall)
                    given = {name: in_the_file(config, name) for name in config.model_fields_set}
                    save(stage.settings, change_text("", {name: value for name, value in given.items() if value}))
                    yield stage

    @property
    def settings(self) -> Path:
        """The settings file."""
        return self.folder / "plexsync.toml"

    @property
    def log(self) -> Path:
        """What `plexsync serve` writes to standard error."""
        return self.folder / "serve.log"

    @property
    def address(self) -> str:
        """The address of the dashboard."""
        return f"http://{self.parts.config.web_bind}"

    @property
    def is_up(self) -> bool:
        """Whether `plexsync serve` runs."""
        return self.process is not None and self.process.poll() is None

    def install_wake_up(self) -> None:
        """Install PlexSync wake-up into the simulated Stash."""
        manifest = ROOT / "plexsync" / "stash_plugin" / "wake_up" / "PlexSyncWakeUp.yml"
        self.stash.hooks = HookRunner.from_manifest(manifest, dir=self.folder)

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
                    *("serve", WITH_FIRST, "--demo-switch", str(self.switch.file)),
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


def wall_of(plex: Any) -> Wall:
    """The wall of this Plex. It shows the shapes of posters, as the worker makes them, if the package for that is there."""
    if not (imaging := pillow(needed=False)):
        return Wall(plex)

    def shape_poster(content: bytes, shape: str, anchor: str) -> bytes:
        return imaging.make(content, Treatment(shape, "", anchor), largest=LARGEST)

    return Wall(plex, shaper=shape_poster)


def settings_of(data: Path, plex: Any, stash: Any, library: Any) -> PlexSyncConfig:
    """The settings of PlexSync with this data folder."""
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
        web_bind=f"127.0.0.1:{free_port(USUAL_PORT)}",
        data_dir=str(data),
    )

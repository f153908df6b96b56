"""The demo's machines: on each, `plexsync serve` as a process of its own, with its settings file, folder and dashboard."""

import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from plexsync.cli.daemon.child import command_of, environ
from validation.config import PlexSyncConfig

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
        write_settings(self.settings, self.config)

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
                command_of(
                    "plexsync.cli.commands.demo_serving",
                    *("--config", str(self.settings)),
                    *("serve", "--demo-switch", str(self.switch)),
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
                # It ends in good order when its input closes, on Windows too.
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


def write_settings(path: Path, config: PlexSyncConfig) -> None:
    """Write the settings file, readable by its owner only."""
    path.touch(mode=0o600)
    rules = ", ".join(f"'{rule}'" for rule in config.path_map)
    database = f'database_url = "{config.database_url}"\n' if config.database_url else ""
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
        f"data_dir = '{config.data_dir}'\n"
        f"{database}",
        encoding="utf-8",
    )

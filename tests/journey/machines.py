"""Several machines on one PostgreSQL database: each a data folder, a name, a clock and a road to Plex of its own."""

import signal
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg

from plexsync.simulator.http import Request
from plexsync.simulator.plex_server import PlexSim
from plexsync.simulator.stash_server import StashSim
from tests import forked
from tests.journey.world import PATIENCE, ROOT, World
from tests.patience import HANG, until
from tests.postgres_server import shared

# The program with patience; `clock` seconds lie between this process's wall clock and the true one.
PROGRAM = f"""{PATIENCE}
import socket, time
real, real_ns = time.time, time.time_ns
time.time, time.time_ns = lambda: real() + {{clock}}, lambda: real_ns() + {{clock}} * 10**9
socket.gethostname = lambda: {{name!r}}
from plexsync.cli.main import main
from plexsync.store.postgres import worker_lock
worker_lock.PERIODS = worker_lock.Periods(0.3, {{lease}}, 0.3)
main()
"""


class Machine:
    """One machine. `lease` is in seconds: how long its silence counts as work."""

    def __init__(self, world: World, name: str, *, clock: int = 0, lease: float = HANG) -> None:
        self.world = world
        self.name = name
        self.program = PROGRAM.format(clock=clock, name=name, lease=lease)
        self.process: subprocess.Popen[str] | None = None

    def start(self, *words: str) -> None:
        """Start `plexsync serve` on this machine."""
        with (self.world.folder.parent / "log.txt").open("a") as log:
            self.process = forked.Popen(
                ["-c", self.program, "serve", *words],
                cwd=ROOT,
                env=self.world.environ,
                text=True,
                stdout=log,
                stderr=log,
            )
        self.world.started.append(self.process)

    def send(self, number: int) -> None:
        """Send it a signal."""
        assert self.process is not None
        self.process.send_signal(number)

    def stop(self) -> int:
        """Stop it in good order; returns its exit code."""
        assert self.process is not None
        self.send(signal.SIGTERM)
        return self.process.wait(timeout=HANG)

    def says(self, words: str) -> bool:
        """Whether this is in its log."""
        return words in self.world.log()

    def sent(self, request: Request) -> bool:
        """Whether this machine has sent the request, by the name under which it knows the server."""
        return request.headers.get("host", "").split(":")[0] in self.world.settings["plex_url"]


class Machines:
    """Machines that share a database and both servers."""

    def __init__(self, stash: StashSim, plex: PlexSim, folder: Path, url: str) -> None:
        self.stash = stash
        self.plex = plex
        self.url = url
        self._folder = folder
        self._worlds: list[World] = []

    def machine(
        self, name: str, *, road: str = "127.0.0.1", clock: int = 0, lease: float = HANG, **more: str
    ) -> Machine:
        """Another machine, which reaches Plex under the host name `road`."""
        folder = self._folder / name / "data"
        folder.mkdir(mode=0o700, parents=True)
        world = World(self.stash, self.plex, folder)
        world.settings = {
            "database_url": self.url,
            "plex_url": self.plex.url.replace("127.0.0.1", road),
            "plex_connect_timeout": "30",
            **more,
        }
        self._worlds.append(world)
        return Machine(world, name, clock=clock, lease=lease)

    def rows(self, sql: str) -> list[tuple]:
        """What the database says."""
        with psycopg.connect(self.url, options="-c search_path=plexsync", autocommit=True) as session:
            return session.execute(sql).fetchall()

    def worker(self) -> tuple[int, str] | None:
        """The number and the machine of the worker, or of the last one; None before the first."""
        try:
            (row,) = self.rows("select number, host from worker") or (None,)
        except psycopg.errors.UndefinedTable:
            return None
        return row

    def standbys(self) -> list[tuple]:
        """The machines that stand by, with the settings that keep them from taking over."""
        return self.rows("select host, differing from standby order by host")

    def close(self) -> None:
        for world in self._worlds:
            world.__exit__()


@contextmanager
def machines_on(stash: StashSim, plex: PlexSim, folder: Path) -> Iterator[Machines]:
    """Machines on a new database. Their processes end with the block."""
    with shared().database() as url, closing(Machines(stash, plex, folder, url)) as machines:
        yield machines


def busy(plex: PlexSim) -> bool:
    """Whether an edit is on its way to Plex that is not answered."""
    return any(request.method == "PUT" and request.status is None for request in list(plex.log))


__all__ = ["Machine", "Machines", "busy", "machines_on", "until"]

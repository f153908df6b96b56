"""The cost of open pages for the worker: its rate alone, and with a thousand open pages and 200 requests a second.

The visitors run in a process of their own, at the lowest priority: at home they have machines of their own.
"""

import asyncio
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.town import KEY, ROOT, TOKEN, path, scene
from plexsync.engine.clock import SystemClock
from plexsync.rules.queue.job import Kind, State, Why
from plexsync.simulator.plex_server import PlexSim
from plexsync.simulator.stash_server import StashSim
from plexsync.store.database import Database

OPEN, RATE = 1_000, 200
LANES = 20
SEEN = ("/", "/api/status", "/reconcile", "/metrics")
LONGEST = 300.0


@dataclass(frozen=True)
class Cost:
    """The worker's rate, the visitors' results, and the dashboard's memory at the end."""

    rate: float
    answered: int
    refused: int
    told: int
    megabytes: float


def report(scenes: int) -> Iterator[str]:
    """The report, line by line."""
    alone, visited = measure(scenes, visited=False), measure(scenes, visited=True)
    share = visited.rate / alone.rate
    yield f"worker alone: {alone.rate:.0f} scenes/s; the dashboard has {alone.megabytes:.0f} MB"
    yield f"with {OPEN:,} pages open and {RATE} requests/s: {visited.rate:.0f} scenes/s ({share:.0%})"
    counts = f"{visited.answered:,} answered, {visited.refused:,} put off, {visited.told:,} messages to open pages"
    yield f"  {counts}; the dashboard has {visited.megabytes:.0f} MB"


def measure(scenes: int, *, visited: bool) -> Cost:
    """One run: all scenes differ; it lasts from queueing them until the last one is in sync."""
    with tempfile.TemporaryDirectory(prefix="plexsync-bench-") as place, StashSim(api_key=KEY) as stash:
        with PlexSim(token=TOKEN) as plex:
            section = plex.add_section("Movies", locations=("/media",))
            for n in range(scenes):
                plex.add_movie(section, files=[(path(n), 1_000 + n, 60_000)], title=f"scene {n:06}")
                stash.add_scene(files=[(path(n), 1_000 + n, 60.0)], **scene(n))  # type: ignore[arg-type]
            folder, port = Path(place) / "data", _free_port()
            folder.mkdir(mode=0o700)
            with _serving(stash, plex, folder, port) as serve:
                _until(lambda: _listens(port))
                if not visited:
                    return Cost(_rate(folder, scenes), 0, 0, 0, _megabytes(serve.pid))
                with _visitors(port) as visitors:
                    rate = _rate(folder, scenes)
                    memory = _megabytes(serve.pid)
                    assert visitors.stdin and visitors.stdout
                    visitors.stdin.close()
                    answered, refused, told = map(int, visitors.stdout.readline().split())
                    return Cost(rate, answered, refused, told, memory)


def _rate(folder: Path, scenes: int) -> float:
    store = Database(folder / "plexsync.db")
    try:
        clock = SystemClock()
        with store.writing() as tx:
            for id in range(1, scenes + 1):
                tx.jobs.want(Kind.SCENE, id, Why.SWEEP, clock.now())
        began = time.monotonic()

        def done() -> bool:
            with store.reading() as db:
                return db.jobs.count_states()[State.IDLE] >= scenes

        _until(done)
        return scenes / (time.monotonic() - began)
    finally:
        store.close()


@contextmanager
def _serving(stash: StashSim, plex: PlexSim, folder: Path, port: int) -> Iterator[subprocess.Popen[str]]:
    settings = {
        "PLEX_URL": plex.url,
        "PLEX_TOKEN": TOKEN,
        "STASH_URL": stash.url,
        "STASH_API_KEY": KEY,
        "DATA_DIR": str(folder),
        "WEB_BIND": f"127.0.0.1:{port}",
    }
    environ = {"PATH": os.environ["PATH"], "HOME": str(folder), "PLEXSYNC_LOG": "error"}
    environ |= {f"PLEXSYNC_{name}": value for name, value in settings.items()}
    serve = subprocess.Popen([sys.executable, "-m", "plexsync", "serve"], cwd=ROOT, env=environ, text=True)
    try:
        yield serve
    finally:
        serve.terminate()
        serve.wait()


@contextmanager
def _visitors(port: int) -> Iterator[subprocess.Popen[str]]:
    """Start the visitors; all are connected when the block begins."""
    visitors = subprocess.Popen(
        [sys.executable, "-m", "bench.pages", str(port)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with visitors:
        try:
            assert visitors.stdout
            visitors.stdout.readline()
            yield visitors
        finally:
            visitors.kill()


def _megabytes(serve: int) -> float:
    """The memory of the dashboard, the child of serve, in MB."""
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            text = status.read_text()
        except OSError:
            continue
        if f"\nPPid:\t{serve}\n" in text and (found := re.search(r"VmRSS:\s+(\d+)", text)):
            return int(found[1]) / 1024
    return 0.0


def _free_port() -> int:
    with socket.socket() as tried:
        tried.bind(("127.0.0.1", 0))
        return int(tried.getsockname()[1])


def _listens(port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0


def _until(reached: object) -> None:
    assert callable(reached)
    began = time.monotonic()
    while not reached():
        if time.monotonic() - began > LONGEST:
            raise TimeoutError("this takes longer than it should")
        time.sleep(0.05)


# --- the visitors ----------------------------------------------------------------------------------------------------


class Visitors:
    """A thousand open pages, and some clients that request more all the time."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.answered = self.refused = self.told = 0

    async def come(self) -> None:
        """Run until standard input closes."""
        pages = [asyncio.create_task(self._listen()) for _ in range(OPEN)]
        await asyncio.sleep(3)
        print("here", flush=True)
        asking = [asyncio.create_task(self._ask(lane)) for lane in range(LANES)]
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        for task in (*pages, *asking):
            task.cancel()
        print(self.answered, self.refused, self.told, flush=True)

    async def _listen(self) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        writer.write(b"GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n")
        while line := await reader.readline():
            self.told += line.startswith(b"event: changed")

    async def _ask(self, lane: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        loop = asyncio.get_running_loop()
        due = loop.time()
        for number in range(lane, sys.maxsize):
            writer.write(f"GET {SEEN[number % len(SEEN)]} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"content-length: (\d+)", head)
            await reader.readexactly(int(length[1]) if length else 0)
            if head.startswith(b"HTTP/1.1 200"):
                self.answered += 1
            else:
                self.refused += 1
            due = max(due + LANES / RATE, loop.time() - 1)
            await asyncio.sleep(max(0.0, due - loop.time()))


if __name__ == "__main__":
    if hasattr(os, "nice"):
        os.nice(19)
    asyncio.run(Visitors(int(sys.argv[1])).come())

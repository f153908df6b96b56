"""The cost of what Plex asks: answers a second, their time, the processor time of each, the memory and the disk.

As many questions as Plex asks at once in a scan: a file is matched, then its values are asked for. The asking program takes
processor time too: `CPU ms` is that of the provider alone, and tells what it would reach by itself.
"""

import asyncio
import json
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.town import ROOT, path, scene
from plexsync.engine.clock import SystemClock
from plexsync.rules.provider.documents import rating_key
from plexsync.store.database import Database
from plexsync.store.files.provider_secrets import renew_path
from plexsync.store.ledger.provider_memory import ProviderRow, StoredAnswer

LIBRARY, IDENTIFIER = "bench-library", "tv.plex.agents.custom.plexsync.bench"
LANES, ROUNDS = 32, 3_000
BATCH = 1_000
TICKS = 100  # a second, by which Linux tells processor time
# The goals: answers a second, milliseconds within which 99 of 100 are answered, MB, and bytes of disk per scene.
LEAST, LONGEST, MOST_MEMORY, MOST_DISK = 500, 50, 120, 1_024


@dataclass(frozen=True)
class Cost:
    """One run on `scenes` answers: answers per second, ms, CPU ms per answer, MB, bytes per scene."""

    scenes: int
    rate: float
    p50: float
    p99: float
    cpu: float
    megabytes: float
    disk: float


def report(sizes: list[int]) -> Iterator[str]:
    """A line for each size of a library."""
    yield f"{'scenes':>9} {'answers/s':>10} {'p50 ms':>8} {'p99 ms':>8} {'CPU ms':>8} {'MB':>7} {'bytes/sc.':>10}"
    for size in sizes:
        cost = measure(size)
        yield (
            f"{cost.scenes:9,} {cost.rate:10.0f} {cost.p50:8.2f} {cost.p99:8.2f} {cost.cpu:8.3f}"
            f" {cost.megabytes:7.1f} {cost.disk:10.0f}"
        )
    yield f"goals: at least {LEAST}/s, p99 {LONGEST} ms, {MOST_MEMORY} MB, {MOST_DISK} bytes"


def measure(scenes: int) -> Cost:
    """Answers for so many scenes, asked for by `LANES` connections at once."""
    with tempfile.TemporaryDirectory(prefix="plexsync-bench-") as place:
        folder = Path(place) / "data"
        folder.mkdir(mode=0o700)
        store = Database(folder / "plexsync.db")
        before = _size(folder)
        secrets = renew_path(folder, LIBRARY)
        _fill(store, bytes.fromhex(secrets.key), scenes)
        store.close()
        disk = (_size(folder) - before) / scenes
        with _provider(folder) as (process, port):
            asker = [sys.executable, "-m", "bench.provider", str(port), secrets.path, str(scenes)]
            asyncio.run(Asking(port, secrets.path, scenes).ask_all(rounds=LANES))
            began = _processor_seconds(process.pid)
            done = subprocess.run(asker, cwd=ROOT, check=True, capture_output=True, text=True)
            spent = _processor_seconds(process.pid) - began
            count, rate, p50, p99 = json.loads(done.stdout)
            return Cost(scenes, rate, p50, p99, 1000 * spent / count, _megabytes(process.pid), disk)


def _fill(store: Database, key: bytes, scenes: int) -> None:
    now = SystemClock().now()
    with store.writing() as tx:
        tx.providers.save(ProviderRow(LIBRARY, "1", "Bench", IDENTIFIER, "on", {"folders": ["/media"]}))
    for first in range(0, scenes, BATCH):
        numbers = range(first, min(first + BATCH, scenes))
        with store.writing() as tx:
            tx.answers.say([StoredAnswer(LIBRARY, n, rating_key(key, n), True, _values(n)) for n in numbers], now=now)
            tx.answers.save_files({(LIBRARY, n): [path(n)] for n in numbers})


def _values(number: int) -> dict[str, str | list[str]]:
    of = scene(number)
    return {
        "title": str(of["title"]),
        "summary": str(of["details"]),
        "originallyAvailableAt": str(of["date"]),
        "studio": str(of["studio"]),
        "actor": [str(name) for name in of["performers"]],  # type: ignore[attr-defined]
        "genre": [str(name) for name in of["tags"]],  # type: ignore[attr-defined]
        "collection": [str(of["studio"])],
    }


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.iterdir())


@contextmanager
def _provider(folder: Path) -> Iterator[tuple["subprocess.Popen[str]", int]]:
    """The provider's process on this data folder, and its port."""
    request = {"version": "bench", "entries": [{"folder": str(folder), "url": "", "schema": "", "rules": []}]}
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as at:
        command = [sys.executable, "-m", "plexsync.provider"]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        process = subprocess.Popen(command, cwd=ROOT, pass_fds=[at.fileno()], **pipes)  # type: ignore[call-overload]
        assert process.stdin and process.stdout
        process.stdin.write(f"{at.fileno()}\n{json.dumps(request)}\n")
        process.stdin.flush()
        process.stdout.readline()
        try:
            yield process, at.getsockname()[1]
        finally:
            process.stdin.close()
            process.wait()


def _processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def _megabytes(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024


class Asking:
    """Connections that ask as a scan does, each as soon as it is answered."""

    def __init__(self, port: int, secret: str, scenes: int) -> None:
        self._port = port
        self._secret = secret
        self._scenes = scenes
        self._times: list[float] = []

    async def ask_all(self, rounds: int = ROUNDS) -> tuple[int, float, float, float]:
        """Ask in all lanes; returns the number of answers, those per second, and the times in ms."""
        began = time.monotonic()
        await asyncio.gather(*(self._ask(lane, rounds) for lane in range(LANES)))
        times = sorted(self._times)
        took = time.monotonic() - began
        return len(times), len(times) / took, 1000 * times[len(times) // 2], 1000 * times[len(times) * 99 // 100]

    async def _ask(self, lane: int, rounds: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        for number in range(lane, rounds, LANES):
            n = number * 7919 % self._scenes
            question = {"type": 1, "title": "?", "filename": path(n).removeprefix("/media/"), "includeAdult": 1}
            body = json.dumps(question)
            head = f"POST /{self._secret}/library/metadata/matches HTTP/1.1\r\nHost: x\r\n"
            found = await self._answer(reader, writer, f"{head}Content-Length: {len(body)}\r\n\r\n{body}")
            key = found["MediaContainer"]["Metadata"][0]["key"]  # type: ignore[index]
            await self._answer(reader, writer, f"GET /{self._secret}{key} HTTP/1.1\r\nHost: x\r\n\r\n")
        writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: str) -> object:
        began = time.monotonic()
        writer.write(request.encode())
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        body = await reader.readexactly(length)
        self._times.append(time.monotonic() - began)
        return json.loads(body)


if __name__ == "__main__":
    print(json.dumps(asyncio.run(Asking(int(sys.argv[1]), sys.argv[2], int(sys.argv[3])).ask_all())))

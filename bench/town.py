"""A simulated Plex or Stash in its own process, with scenes: `python -m bench.town WHO COUNT [STATE]`.

The scenes are in sync. In the state `fresh` Plex was never synced, and is 1 ms away; with `cover` they have covers in Stash.

Prints its address, then answers each line of its standard input: `clear` clears the log, `told` returns the numbers of
requests and writes and the seconds spent on them, and any other line ends it.
"""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Self, cast

from plexsync.simulator.http import Fault, HttpServer
from plexsync.simulator.plex_server import PlexSim
from plexsync.simulator.stash_images import png
from plexsync.simulator.stash_server import StashSim

ROOT = Path(__file__).resolve().parent.parent
TOKEN = "bench-token-0123456789"
KEY = "bench-key-0123456789"
PEOPLE, TAGS, STUDIOS = 200, 40, 50


def scene(n: int) -> dict[str, object]:
    """The data of scene `n` in Stash."""
    return {
        "title": f"Title {n}",
        "details": f"What happens in {n}, in a sentence that is about as long as people write them there, or longer.",
        "date": "2024-05-17",
        "rating100": 10 * (1 + n % 10),
        "studio": f"Studio {n % STUDIOS}",
        "performers": [f"Performer {n % PEOPLE}", f"Performer {(n * 7 + 1) % PEOPLE}"],
        "tags": [f"Tag {n % TAGS}", f"Tag {(n * 3 + 1) % TAGS}"],
    }


def path(n: int) -> str:
    """The path of its file on both servers."""
    return f"/media/{n // 1000:03}/scene {n:06}.mp4"


def fill_stash(sim: StashSim, count: int, *, covers: bool = False) -> None:
    """Add scenes 1 to `count`; with `covers`, each has one of its own of 100 kB."""
    for n in range(count):
        id = sim.add_scene(files=[(path(n), 1_000 + n, 60.0)], **scene(n))  # type: ignore[arg-type]
        if covers:
            sim.set_cover(id, png(n % 256, n // 256 % 256, n // 65_536) + bytes(100_000))


def fill_plex(sim: PlexSim, count: int, *, synced: bool = True) -> None:
    """Add the same scenes as movies, in the state after a full sync unless they are not `synced` at all."""
    section = sim.add_section("Movies", locations=("/media",))
    for n in range(count):
        key = sim.add_movie(section, files=[(path(n), 1_000 + n, 60_000)], title=f"scene {n:06}")
        if not synced:
            continue
        told = scene(n)
        sim.hand_edit(
            key,
            title=told["title"],
            summary=told["details"],
            originallyAvailableAt=told["date"],
            userRating=float(str(told["rating100"])) / 10,
            studio=told["studio"],
            actor=told["performers"],
            genre=told["tags"],
            collection=[told["studio"]],
        )


@dataclass(frozen=True)
class Told:
    """The load of a server: requests, writes among them, and the seconds spent answering."""

    requests: int
    writes: int
    seconds: float


class Neighbour:
    """The measuring process's end of one of the two servers: starts it and queries it."""

    def __init__(self, who: str, count: int, state: str = "") -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.town", who, str(count), state],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.url = str(self._answer())

    def clear(self) -> None:
        """Clear the log of requests."""
        self._ask("clear")

    def told(self) -> Told:
        """The load since the last clear."""
        return Told(**cast("dict[str, float]", self._ask("told")))  # type: ignore[arg-type]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._say("end")
        self._process.wait(timeout=60)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def _say(self, line: str) -> None:
        pipe = cast("IO[str]", self._process.stdin)
        pipe.write(f"{line}\n")
        pipe.flush()

    def _answer(self) -> object:
        return json.loads(cast("IO[str]", self._process.stdout).readline())

    def _ask(self, line: str) -> object:
        self._say(line)
        return self._answer()


def main(who: str, count: int, state: str) -> None:
    """Run this server."""
    sim: HttpServer
    if who == "plex":
        sim = plex = PlexSim(token=TOKEN)
        fill_plex(plex, count, synced=state != "fresh")
        if state == "fresh":
            plex.faults.set(Fault("latency", seconds=0.001))
    else:
        sim = stash = StashSim(api_key=KEY)
        fill_stash(stash, count, covers=state == "cover")
    with sim:
        print(json.dumps(sim.url), flush=True)
        for line in sys.stdin:
            if line.strip() == "clear":
                sim.clear_log()
                print(json.dumps("cleared"), flush=True)
            elif line.strip() == "told":
                log = list(sim.log)
                seconds = sum((one.ended_monotonic or one.at_monotonic) - one.at_monotonic for one in log)
                writes = sum(one.method == "PUT" for one in log)
                print(json.dumps({"requests": len(log), "writes": writes, "seconds": seconds}), flush=True)
            else:
                return


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), "".join(sys.argv[3:]))

"""Stash and Plex in a process of their own, so that whoever is killed or forked has no thread of theirs.

`python -m tests.torture.neighbours` reads one JSON object a line and answers with one; `Neighbours` is the other end.
"""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

from plexsync.simulator.http import Fault
from plexsync.simulator.plex_server import PlexSim
from plexsync.simulator.stash_images import png
from plexsync.simulator.stash_server import StashSim
from tests.patience import HANG

ROOT = Path(__file__).resolve().parents[2]
TOKEN, KEY = "torture-plex-token-0123", "torture-stash-key-0123"


class Town:
    """What stands behind the pipe."""

    def __init__(self) -> None:
        self.sims: list = []
        self.covers = False
        self.ids: list[int] = []

    def fresh(self, scenes: int, covers: bool = False) -> dict[str, Any]:
        """New neighbours with so many scenes, whose files Plex has under other titles; `covers`: each with its own."""
        self.close()
        self.covers = covers
        stash, plex = StashSim(api_key=KEY), PlexSim(token=TOKEN, scan_seconds=None)
        stash.__enter__()
        plex.__enter__()
        self.sims = [stash, plex]
        self.section = plex.add_section("Movies", locations=("/media",))
        self.ids = [self._scene(n) for n in range(scenes)]
        return {"stash": stash.url, "plex": plex.url, "ids": self.ids, "poster": "cover" if covers else "none"}

    def _scene(self, n: int) -> int:
        stash, plex = self.sims
        path = f"/media/scene {n:05}.mp4"
        plex.add_movie(self.section, files=[(path, 1000 + n, 60_000)], title=f"file {n}")
        return stash.add_scene(
            title=f"Title {n}",
            details=f"What happens in {n}.",
            date="2024-05-17",
            rating100=10 + n,
            studio=f"Studio {n % 2}",
            performers=[f"Performer {n % 3}"],
            tags=[f"Tag {n % 2}", f"Tag {n % 3 + 5}"],
            **({"cover": png(n, 100, 200)} if self.covers else {}),
            files=[(path, 1000 + n, 60.0)],
        )

    def edit(self, id: int, title: str, tags: list[str] | None = None) -> dict[str, Any]:
        self.sims[0].edit_scene(id, title=title, **({} if tags is None else {"tags": tags}))
        return {}

    def slow(self, seconds: float) -> dict[str, Any]:
        """Writes to Plex take so long from now on."""
        self.sims[1].faults.set(Fault("latency", seconds=seconds, when=lambda request: request.method == "PUT"))
        return {}

    def huge(self, who: int, megabytes: int, times: int | None = None) -> dict[str, Any]:
        """Stash (0) or Plex (1) answers whoever asks for more than a sign of life with so much that never ends well."""
        asks = (lambda request: request.method == "POST", lambda request: request.path.endswith("/all"))
        self.sims[who].faults.set(Fault("huge", megabytes=megabytes, times=times, when=asks[who]))
        return {}

    def heavy(self, megabytes: int) -> dict[str, Any]:
        """Movies that nobody asked for, whose files have such long names that Plex lists so many megabytes."""
        for n in range(megabytes * 10):
            path = f"/media/{n:05}{'x' * 100_000}.mp4"
            self.sims[1].add_movie(self.section, files=[(path, n, 60_000)], title=f"heavy {n}")
        return {}

    def wordy(self, id: int, megabytes: int) -> dict[str, Any]:
        """The scene's details are so long from now on."""
        self.sims[0].edit_scene(id, details="word " * (megabytes * 200_000))
        return {}

    def well(self) -> dict[str, Any]:
        for sim in self.sims:
            sim.faults.clear()
        return {}

    def state(self) -> dict[str, Any]:
        """What Plex shows by path, how often it was written to, and the titles it was told of by path, in their order."""
        plex = self.sims[1]
        shown = {}
        titles: dict[str, list[str]] = {}
        for request in plex.log:
            if request.method == "PUT" and request.status == 200 and "title.value" in request.params:
                for key in request.params.get("id", "").split(","):
                    path = plex.item(key).files[0][0]
                    titles.setdefault(path, []).append(request.params["title.value"])
        for key in plex.keys(self.section):
            item = plex.item(key)
            scalars = {name: value for name, value in item.scalars.items() if name != "addedAt"}
            lists = {name: sorted(values) for name, values in item.lists.items()}
            # Of what nobody has chosen it only matters that nobody has.
            poster = item.poster if item.poster and item.poster.startswith("upload://") else ""
            shown[item.files[0][0]] = [scalars, lists, sorted(item.locks), poster]
        edits = sum(request.method == "PUT" and "id" in request.params for request in plex.log)
        return {"shown": shown, "writes": edits, "uploads": plex.count("POST"), "titles": titles}

    def asked_for(self, ids: list[int]) -> dict[str, Any]:
        """Which of these objects somebody has asked Stash for; no other number is as large as theirs."""
        numbers = {int(number) for request in list(self.sims[0].log) for number in re.findall(rb"\d+", request.body)}
        return {"ids": sorted(numbers & set(ids))}

    def close(self) -> None:
        for sim in self.sims:
            sim.__exit__(None, None, None)


class Neighbours:
    """Asks the town."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.torture.neighbours"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.close()
        self._process.wait(timeout=HANG)
        self._process.stdout.close()

    def ask(self, what: str, *values: object) -> dict[str, Any]:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps([what, *values]) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())


def main() -> None:
    town = Town()
    for line in sys.stdin:
        what, *values = json.loads(line)
        sys.stdout.write(json.dumps(getattr(town, what)(*values)) + "\n")
        sys.stdout.flush()
    town.close()


if __name__ == "__main__":
    main()

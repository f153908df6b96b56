"""The cost of a large library with dressed collections: `python -m bench.dressed [--scenes 10000] [--collections 800]`.

A first sync of everything, with collections of studios, groups and performers, and the dates added of Stash. Then every
item and every collection in Plex is compared with Stash, and both comparisons run once more, which must write nothing.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random

from bench.requests import ROOT, TOKEN
from plexsync.app.dressing import collection_dressing
from plexsync.app.parts import open_parts
from plexsync.plex.artwork import key_of
from plexsync.simulator.plex_server import CollectionSnapshot, PlexSim
from plexsync.simulator.stash_images import png
from plexsync.simulator.stash_server import StashSim
from validation.config import PlexSyncConfig

KEY = "bench-key-0123456789"
BEGAN = 1_700_000_000
# So many of the scenes of a group are not in the order in which Plex has them.
SHUFFLED = 5
KINDS = ("studio", "group", "performer")
SETTINGS: Mapping[str, str] = {
    "date_added": "created",
    "collections": "studio,groups,performers",
    "collection_parts": "name,summary,poster,background,order",
    "collection_sort": "~{name}",
    "collection_mode": "items_hidden",
    "collection_home": "Studio 1*",
    "poster": "none",
    "background": "none",
    "approve_bulk": "true",
}

# Runs a command, and says its peak memory in kB.
LAUNCHER = """
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:]).returncode
print("peak", resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(code)
"""


@dataclass(frozen=True)
class Run:
    """One command: the requests and writes that it sent to Plex, its requests to Stash, its time and its peak memory."""

    what: str
    plex: int
    writes: int
    stash: int
    seconds: float
    megabytes: float

    def line(self) -> str:
        """The row of the table."""
        return f"{self.what:26} {self.plex:8} {self.writes:8} {self.stash:8} {self.seconds:8.1f} {self.megabytes:8.0f}"


HEAD = f"{'run':26} {'Plex':>8} {'writes':>8} {'Stash':>8} {'seconds':>8} {'peak MB':>8}"


class Library:
    """The two servers, and what each collection has to show."""

    def __init__(self, stash: StashSim, plex: PlexSim, scenes: int, collections: int) -> None:
        self.stash, self.plex = stash, plex
        groups, studios = collections // 8, collections * 3 // 8
        self.names = {
            "studio": [f"Studio {n}" for n in range(studios)],
            "group": [f"Group {n}" for n in range(groups)],
            "performer": [f"Performer {n}" for n in range(collections - groups - studios)],
        }
        self.section = plex.add_section("Movies", locations=("/media",), agent="tv.plex.agents.movie")
        self.members: dict[str, list[tuple[int, str]]] = {}
        self.created: list[tuple[int, str]] = []
        rng = Random("dressed")
        for n in rng.sample(range(scenes), scenes):
            self._add(n)
        for n, (kind, name) in enumerate(self.all_names()):
            word, picture = ("synopsis", "front_image") if kind == "group" else ("details", "image")
            stash.edit_object(kind, name, **{word: f"About {name}.", picture: poster(n)})

    def _add(self, n: int) -> None:
        chosen = {kind: names[n % len(names)] for kind, names in self.names.items()}
        place = n // len(self.names["group"])
        index = place ^ 1 if place % SHUFFLED == 0 else place
        file = f"/media/{n // 1000:03}/scene {n:06}.mp4"
        key = self.plex.add_movie(self.section, files=[(file, 1_000 + n, 60_000)], title=f"scene {n:06}")
        self.stash.now = lambda: float(BEGAN + 60 * n)
        id = self.stash.add_scene(
            title=f"Title {n}",
            studio=chosen["studio"],
            performers=[chosen["performer"]],
            groups=[(chosen["group"], index)],
            files=[(file, 1_000 + n, 60.0)],
        )
        self.created.append((n, key))
        for kind, name in chosen.items():
            # Scenes of one index are in the order of their ids.
            self.members.setdefault(name, []).append((index * 1_000_000 + id if kind == "group" else n, key))

    def all_names(self) -> list[tuple[str, str]]:
        """Every collection: its kind and its name."""
        return [(kind, name) for kind in KINDS for name in self.names[kind]]

    def faults(self) -> Iterator[str]:
        """Everything in Plex that is not as Stash has it."""
        added = {key: int(str(self.plex.item(key).scalars["addedAt"])) for key in self.plex.keys(self.section)}
        by_stash = [key for _, key in sorted(self.created)]
        if sorted(added, key=lambda key: added[key]) != by_stash:
            yield "the order by addedAt is not that of Stash"
        keys = self.plex.collection_keys(self.section)
        for number, (kind, name) in enumerate(self.all_names()):
            seen = self.plex.collection(keys[name]) if name in keys else None
            wanted = [key for _, key in sorted(self.members[name])]
            yield from (f"{name}: {fault}" for fault in _faults(kind, name, seen, wanted, poster(number)))
        if strange := keys.keys() - {name for _, name in self.all_names()}:
            yield f"collections that nobody wants: {sorted(strange)}"


def poster(n: int) -> bytes:
    """The picture of collection `n`, of 100 kB."""
    return png(n % 256, n // 256, 7) + bytes(100_000)


def _faults(kind: str, name: str, seen: CollectionSnapshot | None, members: list[str], picture: bytes) -> Iterator[str]:
    if seen is None:
        yield "missing"
        return
    scalars = seen.item.scalars
    have = (scalars.get("title"), scalars.get("titleSort"), scalars.get("summary"), seen.item.poster)
    if have != (wanted := (name, f"~{name}", f"About {name}.", key_of("thumb", picture))):
        yield f"{have} is not {wanted}"
    if seen.prefs.get("collectionMode") != "1":
        yield f"mode {seen.prefs}"
    at_home = bool(seen.home and seen.home.get("promotedToOwnHome"))
    if at_home != name.startswith("Studio 1"):
        yield f"at home: {seen.home}"
    if set(seen.members) != set(members):
        yield "other members"
    if kind == "group" and seen.members != members:
        yield "another order"


def report(scenes: int, collections: int) -> Iterator[str]:
    """The table, and what the servers have to say about it. Raises SystemExit if anything is not exact."""
    with StashSim(api_key=KEY) as stash, PlexSim(token=TOKEN) as plex, tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o700)
        library = Library(stash, plex, scenes, collections)
        yield HEAD
        yield _run("first sync", library, folder, "sync", "--all", "--wait", "--yes").line()
        yield _run("collections, once more", library, folder, "collections", "sync", "--wait").line()
        faults = list(library.faults())
        yield f"{scenes:,} scenes, {collections} collections: {len(faults)} faults {faults[:5]}"
        again = _run("everything again", library, folder, "sync", "--all", "--wait", "--yes")
        yield again.line()
        yield _compared(library, folder, collections)
        if faults or again.writes:
            raise SystemExit("it is not exact")


def _run(what: str, library: Library, folder: str, *words: str) -> Run:
    if sys.platform == "win32":
        raise OSError("this measurement needs POSIX")
    library.plex.clear_log()
    library.stash.clear_log()
    began = time.perf_counter()
    # A process of this size would count as memory of the one that it starts: a small one stands between them.
    done = subprocess.run(
        [sys.executable, "-c", LAUNCHER, sys.executable, "-m", "plexsync", "--json", *words],
        cwd=ROOT,
        env={**os.environ, **_environ(library, folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{what} ended with {done.returncode}: {done.stdout[-500:]}")
    plex = library.plex
    return Run(
        what,
        plex.count(),
        sum(plex.count(method) for method in ("PUT", "POST", "DELETE")),
        library.stash.count(),
        time.perf_counter() - began,
        int(done.stdout.rpartition("peak ")[2]) / 1024,
    )


def _compared(library: Library, folder: str, collections: int) -> str:
    """The requests of a comparison of collections of which none has changed."""
    config = PlexSyncConfig(
        plex_url=library.plex.url,
        plex_token=TOKEN,
        stash_url=library.stash.url,
        stash_api_key=KEY,
        **SETTINGS,  # type: ignore[arg-type]
    )
    with open_parts(config, Path(folder)) as parts:
        comparison = collection_dressing(parts).comparison
        comparison.compare()
        library.plex.clear_log()
        library.stash.clear_log()
        found = comparison.compare()
    listed = sum("/sections/" in request.path and request.path.endswith("/all") for request in library.plex.log)
    return (
        f"a comparison finds {found} of {collections} changed: {library.plex.count()} requests to Plex, {listed} of them"
        f" list collections; {library.stash.count()} to Stash"
    )


def _environ(library: Library, folder: str) -> dict[str, str]:
    settings = {
        "plex_url": library.plex.url,
        "plex_token": TOKEN,
        "stash_url": library.stash.url,
        "stash_api_key": KEY,
        "data_dir": folder,
        **SETTINGS,
    }
    return {f"PLEXSYNC_{name.upper()}": value for name, value in settings.items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scenes", type=int, default=10_000)
    parser.add_argument("--collections", type=int, default=800)
    options = parser.parse_args()
    for line in report(options.scenes, options.collections):
        print(line, flush=True)


if __name__ == "__main__":
    main()

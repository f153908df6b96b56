"""A little world for journeys: a simulated Stash and Plex, a database folder, and PlexSync as a process of its own."""

import json
import os
import signal
import sqlite3
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import IO, Self

import pytest
from plexapi.server import PlexServer

from plexsync.simulator.plex_server import PlexSim
from plexsync.simulator.stash_server import StashSim
from tests import forked
from tests.patience import HANG, until

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "journey-plex-token-0123456789"
KEY = "journey-stash-key-0123456789"
# Patience for a busy machine: nothing ends, or goes without Stash, because that took long. It looks at its settings often.
# In a fork everything is imported, so copies of a constant are changed too.
PATIENCE = f"""
from plexsync.app import asking
from plexsync.cli.daemon import plex_children, settings_watch, signals
signals.GRACE = plex_children.GRACE = {HANG}
plex_children.LAST_WORDS = {HANG + 1}
asking.ASK_CONNECT = asking.ASK_READ = settings_watch.ASK_READ = {HANG / 4}
settings_watch.LOOK_PACE = 0.1
settings_watch.LAST_LOOK = {HANG / 2 + 1}
"""
# The program with this patience.
PATIENT = f"""{PATIENCE}
from plexsync.cli.main import main
main()
"""

__all__ = ["KEY", "ROOT", "TOKEN", "World", "forget_settings", "stop", "until", "world_in"]


@dataclass
class World:
    """Both neighbours and the folder PlexSync lives in. Settings but those `unset` are in the environment.

    Its processes are forks of a warm one (`tests.forked`), unless it is `real`: then each is a new interpreter.
    Use it as a block: no process that was started in it outlives it, however a test ends.
    """

    stash: StashSim
    plex: PlexSim
    folder: Path
    settings: dict[str, str] = field(default_factory=dict)
    section: str = ""
    unset: tuple[str, ...] = ()
    real: bool = False
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.started:
            process.kill()
            process.wait()
            for stream in (process.stdout, process.stderr):
                if stream is not None:
                    stream.close()

    @property
    def texts(self) -> dict[str, str]:
        """The settings by their names."""
        settings = {
            "plex_url": self.plex.url,
            "plex_token": TOKEN,
            "stash_url": self.stash.url,
            "stash_api_key": KEY,
            "data_dir": str(self.folder),
            "plex_connect_timeout": "30",
            "plex_read_timeout": "120",
            "poll_interval": "0.1",
            "stash_poll_interval": "5",
            "breaker_recovery_timeout": "1",
            "breaker_max_recovery_timeout": "2",
            "approve_bulk": "true",
            "poster": "none",
            "web_bind": "none",
            **self.settings,
        }
        return {name: value for name, value in settings.items() if name not in self.unset}

    @property
    def given(self) -> dict[str, str]:
        """The settings as the environment gives them."""
        return {f"PLEXSYNC_{name.upper()}": value for name, value in self.texts.items()}

    @property
    def environ(self) -> dict[str, str]:
        """The environment of a process."""
        return {"PATH": os.environ["PATH"], "HOME": str(self.folder), **self.given}

    def move_in(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let this process have the settings."""
        for name, value in self.given.items():
            monkeypatch.setenv(name, value)

    def add(self, count: int, *, start: int = 0) -> list[int]:
        """Scenes with a file each, the same files in Plex; nothing in step yet."""
        ids = []
        for n in range(start, start + count):
            path = f"/media/scenes/scene {n:05}.mp4"
            self.plex.add_movie(self.section, files=[(path, 1_000_000 + n, 60_000)], title=f"scene {n:05}")
            ids.append(
                self.stash.add_scene(
                    title=f"Title {n}",
                    details=f"What happens in {n}.",
                    date="2024-05-17",
                    rating100=1 + n % 100,
                    studio=f"Studio {n % 7}",
                    performers=[f"Performer {n % 13}", f"Performer {n % 5 + 20}"],
                    tags=[f"Tag {n % 11}"],
                    files=[(path, 1_000_000 + n, 60.0)],
                )
            )
        return ids

    def run(self, *words: str, timeout: float = HANG) -> subprocess.CompletedProcess[str]:
        """One command to its end."""
        return forked.run(
            ["-m", "plexsync", *words],
            real=self.real,
            cwd=ROOT,
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def json(self, *words: str) -> dict:
        """A command's answer as JSON, whatever its exit code."""
        done = self.run("--json", *words)
        assert done.stdout, done.stderr
        return json.loads(done.stdout)

    @contextmanager
    def serving(self) -> Iterator[subprocess.Popen[str]]:
        """`plexsync serve` in the background; stopped in good order at the end."""
        process = self.start("serve")
        try:
            yield process
        finally:
            stop(process)

    def start(self, *words: str, hasty: bool = False, real: bool = False) -> subprocess.Popen[str]:
        """A command in the background, which writes to the log. `hasty`: with the patience that users have."""
        with (self.folder.parent / "log.txt").open("a") as log:
            return self._started(*words, hasty=hasty, real=real, stdout=log, stderr=log)

    def piped(self, *words: str, **more: str) -> subprocess.Popen[str]:
        """A command in the background, whose answer and errors can be read; `more` stands in its environment."""
        return self._started(*words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, more=more)

    def _started(
        self,
        *words: str,
        hasty: bool = False,
        real: bool = False,
        more: Mapping[str, str] = MappingProxyType({}),
        **streams: IO[str] | int,
    ) -> subprocess.Popen[str]:
        program = ["-m", "plexsync"] if hasty else ["-c", PATIENT]
        process = forked.Popen(
            [*program, *words], real=real or self.real, cwd=ROOT, env={**self.environ, **more}, text=True, **streams
        )
        self.started.append(process)
        return process

    def log(self) -> str:
        return (self.folder.parent / "log.txt").read_text()

    def rows(self, sql: str) -> list[tuple]:
        """What the database says, read by an independent connection."""
        db = sqlite3.connect(f"file:{self.folder / 'plexsync.db'}?mode=ro", uri=True, timeout=HANG)
        try:
            return db.execute(sql).fetchall()
        finally:
            db.close()

    def count(self, state: str) -> int:
        try:
            return self.rows(f"select count(*) from job where state = '{state}'")[0][0]
        except sqlite3.OperationalError:
            return 0

    def out_of_step(self, ids: list[int]) -> list[tuple[int, str, object, object]]:
        """(scene, field, Stash's value, Plex's value) for each difference, read by `plexapi` over HTTP."""
        session = PlexServer(self.plex.url, TOKEN)
        try:
            movies = {part: movie for movie in self.movies(session) for part in movie.locations}
            found = []
            for id in ids:
                scene = self.stash.scene(id)
                movie = movies[scene.files[0][0]]
                found += [(id, name, want, have) for name, want, have in differences(scene, movie) if want != have]
            return found
        finally:
            session._session.close()

    def movies(self, server: PlexServer) -> list:
        # Not by listing: titles change while it is paged, and with them the order.
        keys = self.plex.keys(self.section)
        return [
            movie
            for start in range(0, len(keys), 100)
            for movie in server.fetchItems(f"/library/metadata/{','.join(keys[start : start + 100])}")
        ]

    def in_step(self, ids: list[int]) -> bool:
        return not self.out_of_step(ids)


@contextmanager
def world_in(folder: Path, settings: Mapping[str, str] = MappingProxyType({})) -> Iterator[World]:
    """A new world with an empty library; its data folder is made here."""
    folder.mkdir(mode=0o700)
    with StashSim(api_key=KEY) as stash, PlexSim(token=TOKEN) as plex, World(stash, plex, folder, {**settings}) as made:
        made.section = plex.add_section("Movies", locations=("/media/scenes",))
        yield made


def forget_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the machine reaches this test."""
    for name in [name for name in os.environ if name.startswith(("PLEXSYNC_", "XDG_"))]:
        monkeypatch.delenv(name)


def differences(scene, movie) -> list[tuple[str, object, object]]:
    day = movie.originallyAvailableAt.strftime("%Y-%m-%d") if movie.originallyAvailableAt else None
    return [
        ("title", scene.title, movie.title),
        ("summary", scene.details, movie.summary),
        ("date", scene.date, day),
        ("studio", scene.studio, movie.studio),
        ("rating", None if scene.rating100 is None else scene.rating100 / 10, movie.userRating),
        ("cast", set(scene.performers), {role.tag for role in movie.roles}),
        ("genres", set(scene.tags), {genre.tag for genre in movie.genres}),
        ("collections", {scene.studio} - {None, ""}, {collection.tag for collection in movie.collections}),
    ]


def stop(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    process.wait(timeout=HANG)

"""The servers of the demo: what they hold besides their library, an outage, and the verdict on what Plex shows at the end.

The verdict reads Plex by `plexapi`, and compares it with the data in the simulated Stash. It shares no code with the rules
that did the work, so it can find errors in them.
"""

import itertools
import threading
import time
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from plexapi.server import PlexServer
from plexapi.video import Movie

from plexsync.simulator.drawings import LARGE, SQUARE, TALL, WIDE, drawn
from plexsync.simulator.http import Fault
from plexsync.simulator.plex_server import ItemSnapshot

FAVOURITES, LARGEST_FAVOURITES = "Favourites", 6
# Most covers are wide, as in a real Stash.
SHAPES = (WIDE, WIDE, SQUARE, WIDE, TALL)
LATENCY = 0.008
SWITCH_LOOK = 0.1
WEEKS = 30 * 86_400.0
LOOKS_PER_SCENE = 20
BATCH = 100


def seconds_now() -> float:
    """The current time for the simulated Stash, so that `sync --since 1h` finds the edits."""
    return time.time()


def over_weeks(scenes: int) -> Callable[[], float]:
    """A clock that advances with every reading: no real library is created within one second."""
    now = seconds_now()
    moments = itertools.count(now - WEEKS, WEEKS / (LOOKS_PER_SCENE * scenes))
    return lambda: min(next(moments), now - 60)


# --- collections and pictures ----------------------------------------------------------------------------------------


def make_favourites(library: Any, plex: Any, handles: Any) -> None:
    """Make the collection that a person made before PlexSync came, of movies that are nobody's: it stays as it is."""
    section = next(iter(library.sections))
    movies = [
        movie.handle for movie in library.movies if movie.handle in library.bystanders and movie.section == section
    ]
    for number, handle in enumerate(movies[:LARGEST_FAVOURITES]):
        plex.hand_edit(handles.movies[handle], collection=[FAVOURITES], thumb=drawn(f"favourite {number}", TALL))
    key = plex.collection_keys(handles.sections[section])[FAVOURITES]
    plex.hand_edit(key, summary="Chosen by hand.", thumb=drawn(FAVOURITES, TALL))


def give_pictures(library: Any, stash: Any, handles: Any) -> None:
    """Give scenes, studios and groups of the simulated Stash pictures of several shapes, and texts of collections."""
    with stash.data.lock:
        # The moments at which the scenes were changed last stay.
        for number, (handle, id) in enumerate(sorted(handles.scenes.items())):
            stash.data.scene(id).cover = drawn(handle, SHAPES[number % len(SHAPES)])
    for name in sorted({scene.studio for scene in library.scenes if scene.studio}):
        stash.edit_object("studio", name, details=f"What {name} has made.", image=drawn(name, SQUARE))
    for name in sorted({name for scene in library.scenes for name, _ in scene.groups}):
        stash.edit_object(
            "group",
            name,
            synopsis=f"The films of {name}, in their order.",
            front_image=drawn(name, TALL),
            back_image=drawn(f"behind {name}", LARGE),
        )


# --- the outage ------------------------------------------------------------------------------------------------------


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


# --- the verdict -----------------------------------------------------------------------------------------------------


@dataclass
class Checked:
    """The verdict on all scenes and movies.

    `in_step` scenes; `wrong` ones with a description; `reasons` of those without an item; `touched` movies without a
    scene.
    """

    in_step: int = 0
    kept: int = 0
    wrong: list[str] = field(default_factory=list)
    reasons: dict[str, int] = field(default_factory=dict)
    touched: list[str] = field(default_factory=list)


def check(stage: Any, untouched: dict[str, ItemSnapshot]) -> Checked:
    """Compare every scene with every movie that must show it, and every other movie with its original state."""
    locked = stage.library.hand_locked
    movies = _read(stage, stage.handles.movies)
    checked, reasons = Checked(), Counter[str]()
    for handle, truth in stage.library.truth.items():
        id = stage.handles.scenes[handle]
        if not truth.movies:
            reasons[truth.reason] += 1
            continue
        scene = stage.stash.scene(id)
        wrong = [
            f"scene {id}: {name} should be {want!r}, is {have!r}"
            for movie in truth.movies
            for name, want, have in _differences(scene, movies[movie], locked.get(movie))
        ]
        checked.wrong += wrong
        checked.in_step += not wrong
        checked.kept += any(movie in locked for movie in truth.movies)
    checked.reasons = dict(reasons)
    checked.touched = [
        handle for handle, before in untouched.items() if stage.plex.item(stage.handles.movies[handle]) != before
    ]
    return checked


def _read(stage: Any, keys: dict[str, str]) -> dict[str, Movie]:
    server = PlexServer(stage.plex.url, stage.plex.token)  # type: ignore[no-untyped-call]
    try:
        return _movies(server, keys)
    finally:
        server._session.close()


def _movies(server: PlexServer, keys: dict[str, str]) -> dict[str, Movie]:
    handles = {key: handle for handle, key in keys.items()}
    movies: dict[str, Movie] = {}
    ordered = sorted(handles)
    for start in range(0, len(ordered), BATCH):
        path = f"/library/metadata/{','.join(ordered[start : start + BATCH])}"
        for movie in server.fetchItems(path):  # type: ignore[no-untyped-call]
            movies[handles[str(movie.ratingKey)]] = movie
    return movies


def _differences(scene: Any, movie: Movie, locked_title: str | None) -> list[tuple[str, object, object]]:
    day = movie.originallyAvailableAt
    wants = {
        "title": _plain(locked_title or scene.title or _stem(scene.files[0][0])),
        "summary": _plain(scene.details),
        "date": _whole(scene.date),
        "studio": _plain(scene.studio or ""),
        "rating": None if scene.rating100 is None else scene.rating100 / 10,
        "cast": {_key(name if isinstance(name, str) else name[0]) for name in scene.performers},
        "genres": {_key(tag) for tag in scene.tags},
        "collections": {_key(name) for name in (scene.studio, *(group for group, _ in scene.groups)) if name},
    }
    has = {
        "title": _plain(movie.title),
        "summary": _plain(movie.summary),
        "date": day.strftime("%Y-%m-%d") if day else "",
        "studio": _plain(movie.studio or ""),
        "rating": movie.userRating,
        "cast": {_key(role.tag) for role in movie.roles},
        "genres": {_key(genre.tag) for genre in movie.genres},
        "collections": {_key(collection.tag) for collection in movie.collections},
    }
    return [(name, want, has[name]) for name, want in wants.items() if want != has[name]]


def _stem(path: str) -> str:
    name = path.replace("\\", "/").rsplit("/", 1)[-1]
    return name.rsplit(".", 1)[0]


def _whole(date: str | None) -> str:
    return f"{date}-01-01"[: len("2024-01-01")] if date else ""


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())


def _key(name: str) -> str:
    return _plain(name).casefold()

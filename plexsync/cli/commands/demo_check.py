"""The demo's verdict: what Plex shows, read by `plexapi`, against the data in the simulated Stash.

It shares no code with the rules that did the work, so it can find errors in them.
"""

import unicodedata
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from plexapi.server import PlexServer
from plexapi.video import Movie

from plexsync.simulator.plex_server import ItemSnapshot

BATCH = 100


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


def check(stage: Any, untouched: dict[str, ItemSnapshot], by_hand: dict[str, str]) -> Checked:
    """Compare every scene with every movie that must show it, and every other movie with its original state.

    `by_hand`: titles edited in Plex during the demo, by movie.
    """
    locked = {**stage.library.hand_locked, **by_hand}
    server = PlexServer(stage.plex.url, stage.plex.token)  # type: ignore[no-untyped-call]
    try:
        movies = _read(server, stage.handles.movies)
    finally:
        server._session.close()
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


def _read(server: PlexServer, keys: dict[str, str]) -> dict[str, Movie]:
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

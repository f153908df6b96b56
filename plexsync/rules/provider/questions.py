"""Which scene Plex asks for: decided by the place of the file in the library that asks, and never by a guess.

A question has the file as a path relative to a folder of the library, which may stand before it. A scene fits if the path
rules lead its file to just that place. Else one fits that PlexSync has written to the item there. A name, or the end
of a path, is no evidence, and nothing is said of a file in no folder of the library.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from itertools import takewhile

from plexsync.rules.match.paths import (
    PathRules,
    base_name,
    is_mapped,
    is_target,
    is_windows,
    join_path,
    lies_in,
    map_path,
    path_key,
    split_path,
)
from plexsync.rules.provider.documents import BEST, LEAST, MOVIE_TYPE
from plexsync.rules.record_class import record
from plexsync.rules.records import AnswerFile
from plexsync.rules.words.text import caseless, compose

Names = tuple[str, ...]
# The name of the number of matches among the figures of a library.
MATCHES = "matches"
# No system has longer paths.
LONGEST = 4_096
_IN_NO_PATH = re.compile("[\0\ud800-\udfff]")


class NoMatch(StrEnum):
    """Why a question for a match has no answer, as it is counted."""

    ADULT = "adult"
    """Plex did not ask for adult scenes: the library does not allow matching to explicit content."""
    UNKNOWN = "unknown"
    """No scene has this file, as far as PlexSync knows."""
    SEVERAL = "several"
    """More than one scene may be meant."""
    WITHHELD = "withheld"
    """The scene is out of scope, ignored, undone or gone."""
    OTHER = "other"
    """The question is not for a movie, or names no file."""

    @property
    def figure(self) -> str:
        """The name of its number among the figures of a library (`plexsync.store.ledger.provider_memory`)."""
        return f"no_match_{self}"


@record
class MatchQuestion:
    """What Plex asks. `filename` is '' if the question can have no answer; `is_manual`: a person chooses among several."""

    filename: str = ""
    is_manual: bool = False
    is_adult: bool = False


@record
class KnownLibrary:
    """What decides about places: the folders of Plex's library, and the path rules.

    `written`: the scenes that PlexSync has written to an item at one of `places_asked`.
    """

    folders: tuple[str, ...] = ()
    rules: PathRules = ()
    written: frozenset[int] = frozenset()


def question_of(document: object) -> MatchQuestion:
    """The question in a request. Raises ValueError if it has not the form of one; the message is one line."""
    if not isinstance(document, Mapping):
        raise ValueError("a question is an object")
    kind, filename = document.get("type"), document.get("filename", "")
    if isinstance(kind, bool) or not isinstance(kind, int | str):
        raise ValueError("the type has to be a number")
    if not isinstance(filename, str | None) or len(filename or "") > LONGEST:
        raise ValueError(f"the filename has to be a text of at most {LONGEST} characters")
    # No path has such characters, and no database takes them.
    is_file = str(kind) == str(MOVIE_TYPE) and filename and not _IN_NO_PATH.search(filename)
    is_manual, is_adult = _is_on(document, "manual"), _is_on(document, "includeAdult")
    return MatchQuestion((filename or "") if is_file else "", is_manual, is_adult)


def base_names(filename: str, library: KnownLibrary) -> frozenset[str]:
    """The base names that the file may have, to look up its scenes by."""
    return frozenset(names[-1] for names in _readings(filename, library).values() if names)


def places_asked(filename: str, library: KnownLibrary) -> frozenset[str]:
    """The keys of the places in the library that the path may mean."""
    readings, asked = _readings(filename, library), {filename}
    for folder in library.folders:
        windows = is_windows(folder)
        asked |= {join_path(folder, names) for names in _tails(readings.get(windows, ()), folder, windows=windows)}
    return frozenset(path_key(path) for path in asked if any(lies_in(path, folder) for folder in library.folders))


def places_in(path: str, library: KnownLibrary) -> list[str]:
    """Where a file of Stash is in the library; nowhere if a rule leads there, and not from this file."""
    return [
        target
        for target in map_path(path, library.rules)
        if any(lies_in(target, folder) for folder in library.folders)
        and (is_mapped(path, library.rules) or not is_target(target, library.rules))
    ]


def scene_of(filename: str, files: Sequence[AnswerFile], library: KnownLibrary) -> int | NoMatch:
    """The scene of a file, or why there is none. `files` are all that have one of its base names."""
    files, asked = _without_former(files), places_asked(filename, library)
    scenes = {file.scene for file in files if asked.intersection(map(path_key, places_in(file.path, library)))}
    if not scenes:
        scenes = {file.scene for file in files} & library.written
    if not scenes:
        return NoMatch.UNKNOWN
    if len(scenes) > 1:
        return NoMatch.SEVERAL
    (scene,) = scenes
    return scene if any(file.is_matched for file in files if file.scene == scene) else NoMatch.WITHHELD


def _without_former(files: Sequence[AnswerFile]) -> Sequence[AnswerFile]:
    """Without the files of withheld scenes that another scene has by now: they were merged, or made anew."""
    paths = {file.path for file in files if file.is_matched}
    return [file for file in files if file.is_matched or file.path not in paths]


def candidates_of(filename: str, files: Sequence[AnswerFile], library: KnownLibrary) -> list[tuple[int, int]]:
    """The (scene, score) among which a person may choose, the likeliest first: all in the library with the base name.

    The one that is meant is first, then those that have more of the folders in common.
    """
    meant = scene_of(filename, files, library)
    readings = _readings(filename, library).values()
    shared: dict[int, int] = {}
    for file in files:
        if file.is_matched and (file.scene in library.written or places_in(file.path, library)):
            common = max((_common(names, file.path) for names in readings), default=0)
            shared[file.scene] = max(common, shared.get(file.scene, 0))
    ranked = sorted(shared, key=lambda scene: (scene != meant, -shared[scene], scene))
    first = 0 if meant in shared else 1
    return [(scene, BEST - rank) for rank, scene in enumerate(ranked, start=first) if BEST - rank >= LEAST]


def _is_on(document: Mapping[object, object], name: str) -> bool:
    return document.get(name) in (1, "1")


def _readings(filename: str, library: KnownLibrary) -> dict[bool, Names]:
    """The names in the path by whether Plex runs on Windows, where a backslash separates them; none for one with `..`."""
    styles = {is_windows(folder) for folder in library.folders} or {False, True}
    texts = {windows: filename.replace("\\", "/") if windows else filename for windows in styles}
    readings = {windows: tuple(name for name in text.split("/") if name) for windows, text in texts.items()}
    return {windows: names for windows, names in readings.items() if ".." not in names}


def _tails(names: Names, folder: str, *, windows: bool) -> Iterator[Names]:
    """What the path is below a folder of the library: all of it, and without the name of the folder before it."""
    form = caseless if windows else compose
    yield names
    if len(names) > 1 and form(names[0]) == form(base_name(folder)):
        yield names[1:]


def _common(names: Names, path: str) -> int:
    """How many names two paths have in common at their ends."""
    pairs = zip(reversed(names), reversed(split_path(path)[1]), strict=False)
    return sum(1 for _ in takewhile(lambda pair: caseless(pair[0]) == caseless(pair[1]), pairs))

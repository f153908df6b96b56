"""A generated library, in Stash and in Plex, with the correct pairs of scenes and movies.

`build` is a pure function of its arguments. The library is realistic where possible, and difficult where real libraries
are. Of each 1,000 scenes there are, by kind:

    plain        785   the same file on both sides, at the mapped full path; names alternate with the difficult ones below
    composed      30   as plain, but one side writes accents composed and the other decomposed
    duplicate     30   the same content in two libraries, both at a mapped full path: both are targets
    versions      20   two files of one scene, two media of one movie
    split         15   two files of one scene, two movies: both are targets
    half          15   one file of a scene, the first of two media of a movie; the other is in Plex only
    moved         20   in another folder in Plex: only name and size agree, and no other file has both
    recased       10   as moved, and the case of the name differs, too
    twins         10   two scenes whose files share name and size; each has its movie at its full path (5 pairs)
    doubled       10   at its full path; a movie elsewhere, without a scene, has a file of the same name and size
    shared        10   two scenes on one merged movie: the scene of the first part owns it (5 pairs)
    rival          5   no movie of its own; the one of the same name and size is another scene's by its full path
    crowd         10   no movie at the full path, two of the same name and size elsewhere: ambiguous
    contested     10   two scenes match one movie by name and size only: both ambiguous (5 pairs)
    absent        15   not in Plex
    fileless       5   a scene without any file

So 950 scenes have movies to write to, 20 are ambiguous, 5 shared and 25 absent. Each `rival` comes with the plain scene
that owns its look-alike. In addition, for every 20 scenes there is a movie that is in Plex only. From 100 scenes on
every kind occurs at least once; below that, some kinds are missing.

The difficult names: emoji, quotes of both sorts, commas, brackets, ampersands, percent, plus and hash signs,
underscores, base names of 250 bytes, spaces around titles, several lines of details, no title, no date, no studio,
performers who differ by disambiguation only, tags that differ by case only, names with commas, and a Windows library
(`D:\\Video`) whose paths in Stash begin with `\\\\?\\`.
"""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal
from unicodedata import normalize

from plexsync.simulator.plex_server import PlexSim
from plexsync.simulator.stash_images import png
from plexsync.simulator.stash_server import StashSim

Reason = Literal["absent", "ambiguous", "shared"]
Name = str | tuple[str, str]

SECTIONS: Mapping[str, tuple[str, ...]] = {
    "Movies": ("/media/films", "/media/clips"),
    "Mirror": ("/media/mirror",),
    "Windows": ("D:\\Video",),
}
PATH_MAP = (
    "/data/films => /media/films",
    "/data/films => /media/mirror",
    "/data/clips => /media/clips",
    "E:\\Stash => D:\\Video",
)
PER_THOUSAND = {
    "composed": 30,
    "duplicate": 30,
    "versions": 20,
    "split": 15,
    "half": 15,
    "moved": 20,
    "recased": 10,
    "twins": 10,
    "doubled": 10,
    "shared": 10,
    "rival": 5,
    "crowd": 10,
    "contested": 10,
    "absent": 15,
    "fileless": 5,
}
PAIRS = frozenset({"twins", "shared", "rival", "contested"})
EVERY_KIND_FROM = 100
SCENES_PER_STRANGER = 20
LOCKED_TITLE = "As a person wants it"


def words(text: str) -> tuple[str, ...]:
    """The words of a text."""
    return tuple(text.split())


FIRST = words(
    "Ada Alma Anton Boris Clara Dario Edda Emil Fay Flora Gregor Hanna Ida Ilja Jonas Juno Kaspar Lena Mara Milo Nora "
    "Oskar Paula Quentin Romy Selma Tilda Ugo Vera Wanda Xaver Yara Zeno Noël Zoë André Søren Łucja"
)
LAST = words(
    "Abend Birke Cordes Dorn Eichel Falk Garten Hafner Iller Jansen Kiesel Lorenz Moor Nebel Ostwind Pfeil Quast "
    "Reuter Sommer Thal Ufer Vogel Winter Ypern Zander O'Hara Müller-Öhm Nuñez Đorđević"
)
ADJECTIVES = words(
    "Quiet Golden Distant Early Wooden Paper Silver Windy Hidden Broad Gentle Northern Lively Narrow Bright Patient "
    "Curious Late Blue Frozen"
)
NOUNS = words(
    "Harbour Orchard Lantern Bridge Market Meadow Workshop Library Lighthouse Kitchen Station Garden Valley Ferry "
    "Bakery Observatory Mill Island Canal Terrace"
)
PLACES = words(
    "Ålesund Bern Cork Dresden Évora Florence Gdańsk Hội-An Kraków Lübeck Malmö Nîmes Oslo Porto Riga Zürich"
)
ACCENTED = (
    "Café del Río",
    "Übersee",
    "Señor Ávila",
    "Crème brûlée",
    "Đà Nẵng",
    "ガーデン パーティー",
    "Ελλάδα ή αλλού",
    "Zażółć",
)
STUDIOS = (
    "Harbour Light",
    "Nine & Sons",
    "Studio Löwe",
    "Blue Door Pictures",
    "Rock, Paper & Film",
    "The “Quiet” Company",
    "Kleinbild",
    "100% Handmade",
    "C++ Motion",
    "Ten O'Clock",
    "Fjord [Archive]",
    "雪の映画",
)
PARENT_STUDIOS = {"Kleinbild": "Studio Löwe", "Ten O'Clock": "Harbour Light", "Fjord [Archive]": "Harbour Light"}
TAGS = (
    "Outdoor",
    "outdoor",
    "Black, White and Grey",
    "Documentary",
    "Interview",
    "Slow Motion",
    "Time-Lapse",
    "Rain",
    "Sunset",
    "Café",
    "R&B",
    "Q&A",
    "4K",
    "Behind the Scenes",
    "50% Off",
    "C++",
    "Sea 🌊",
    "Rooftop",
    "Tea/Coffee",
    "Hand-held",
    "Winter",
    "WINTER",
    "Long Take",
    "“Quoted”",
)
TAG_PARENTS = {"Rain": ("Outdoor",), "Sunset": ("Outdoor",), "Rooftop": ("Outdoor",), "Interview": ("Documentary",)}
NAMESAKES: tuple[Name, ...] = (
    ("Robin Vale", "pilot"),
    ("Robin Vale", "writer"),
    "Robin Vale",
    "Quill, Ada",
    "Moor, Jr., Emil",
)
GROUPS = ("Letters from the Coast", "Four Seasons", "Craft & Trade", "Die große Reise")
DECORATIONS = (
    "{}",
    "{} 🌊✨",
    'The "{}"',
    "It's {}",
    "{}, Part 2",
    "{} [1080p] (Director's Cut)",
    "You & {}",
    "100% {}",
    "{} 50%25",
    "{} + More",
    "#1 {}",
    "{}_under_score",
    "“{}” – ‘live’",
    "{}; or: what now!",
    "{} = a & b + c",
    "{} 日本語",
)
ROOTS = {"films": ("/data/films", "/media/films"), "clips": ("/data/clips", "/media/clips")}
WINDOWS_ROOTS = ("\\\\?\\E:\\Stash", "D:\\Video")
NOT_ON_WINDOWS = str.maketrans(dict.fromkeys('<>:"/\\|?*', "-"))
LONGEST_NAME = 250


@dataclass(frozen=True)
class SceneSpec:
    """A scene of Stash; files are (path, bytes, seconds)."""

    handle: str
    kind: str
    title: str
    details: str
    date: str | None
    rating100: int | None
    organized: bool
    studio: str | None
    performers: tuple[Name, ...]
    tags: tuple[str, ...]
    groups: tuple[tuple[str, int], ...]
    files: tuple[tuple[str, int, float], ...]


@dataclass(frozen=True)
class MovieSpec:
    """A movie of Plex; files are (path, bytes, milliseconds), the first one is the first part."""

    handle: str
    kind: str
    section: str
    title: str
    files: tuple[tuple[str, int, int], ...]


@dataclass(frozen=True)
class Truth:
    """The movies that a scene must be written to; if there are none, the reason."""

    movies: tuple[str, ...] = ()
    reason: Reason | None = None


@dataclass(frozen=True)
class Library:
    """Both sides and their pairs. `truth` is by scene handle; `path_map` holds `Stash prefix => Plex prefix`.

    `bystanders` are the movies that must never be written to. `hand_locked` are movies whose title was set and
    locked by hand: it has to survive a first push, while all their other fields are written.
    """

    scenes: tuple[SceneSpec, ...]
    movies: tuple[MovieSpec, ...]
    truth: Mapping[str, Truth]
    bystanders: frozenset[str]
    hand_locked: Mapping[str, str]
    sections: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: dict(SECTIONS))
    path_map: tuple[str, ...] = PATH_MAP

    def counts(self) -> dict[str, int]:
        """The number of scenes of each kind."""
        found: dict[str, int] = {}
        for scene in self.scenes:
            found[scene.kind] = found.get(scene.kind, 0) + 1
        return found


@dataclass(frozen=True)
class Handles:
    """The ids in the simulators: scene handle to id, movie handle to rating key, section to id."""

    scenes: Mapping[str, int]
    movies: Mapping[str, str]
    sections: Mapping[str, str]


def build(count: int = 1000, seed: int = 7) -> Library:
    """A library of exactly `count` scenes; the same arguments give the same library."""
    builder = Builder(random.Random(seed))
    for kind in kinds_of(count):
        builder.add(kind)
    for _ in range(count // SCENES_PER_STRANGER):
        builder.stranger()
    return builder.library()


def populate(library: Library, stash_sim: StashSim, plex_sim: PlexSim) -> Handles:
    """Add the library to both simulators, which should be empty; every scene gets a cover of its own."""
    sections = {title: plex_sim.add_section(title, locations=list(paths)) for title, paths in library.sections.items()}
    movies = {
        movie.handle: plex_sim.add_movie(sections[movie.section], files=movie.files, title=movie.title)
        for movie in library.movies
    }
    for handle, title in library.hand_locked.items():
        plex_sim.hand_edit(movies[handle], title=title)
    scenes = {
        scene.handle: stash_sim.add_scene(
            title=scene.title,
            details=scene.details,
            date=scene.date,
            rating100=scene.rating100,
            studio=scene.studio,
            performers=scene.performers,
            tags=scene.tags,
            organized=scene.organized,
            files=scene.files,
            groups=scene.groups,
            cover=png(place % 256, place // 256 % 256, 128),
        )
        for place, scene in enumerate(library.scenes)
    }
    for studio, parent in PARENT_STUDIOS.items():
        stash_sim.set_parent_studio(studio, parent)
    for tag, parents in TAG_PARENTS.items():
        stash_sim.set_tag_parents(tag, parents)
    return Handles(scenes, movies, sections)


def kinds_of(count: int) -> Iterator[str]:
    """Yield the kinds to add, each as often as `count` scenes need it; a pair takes two scenes at once."""
    left = count
    for kind, share in PER_THOUSAND.items():
        scenes_each = 2 if kind in PAIRS else 1
        # The owner of a rival's look-alike is one more plain scene: `share` counts the rivals.
        units = count * share // 1000 // (1 if kind == "rival" else scenes_each)
        if count >= EVERY_KIND_FROM:
            units = max(units, 1)
        left -= units * scenes_each
        yield from (kind for _ in range(units))
    yield from ("plain" for _ in range(left))


@dataclass(frozen=True)
class Spot:
    """The location of a file on both sides: a folder in Stash, the same folder in Plex, and its section."""

    stash: str
    plex: str
    section: str
    windows: bool = False

    def stash_path(self, name: str) -> str:
        """The file's path in Stash."""
        return f"{self.stash}{self.separator}{name}"

    def plex_path(self, name: str) -> str:
        """The file's path in Plex, by the rules."""
        return f"{self.plex}{self.separator}{name}"

    @property
    def separator(self) -> str:
        """The path separator."""
        return "\\" if self.windows else "/"


class Builder:
    """Adds kind after kind; every file gets a unique size, unless its kind needs an equal one."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.scenes: list[SceneSpec] = []
        self.movies: list[MovieSpec] = []
        self.truth: dict[str, Truth] = {}
        self.hand_locked: dict[str, str] = {}
        self.last_size = 40_000_000
        self.serial = 0

    def add(self, kind: str) -> None:
        """Add one scene of the kind, or one pair."""
        getattr(self, kind)()

    def library(self) -> Library:
        """The library so far, in an order that gives no hints."""
        written = {movie for truth in self.truth.values() for movie in truth.movies}
        self.rng.shuffle(self.scenes)
        self.rng.shuffle(self.movies)
        return Library(
            scenes=tuple(self.scenes),
            movies=tuple(self.movies),
            truth=self.truth,
            bystanders=frozenset(movie.handle for movie in self.movies) - written,
            hand_locked=self.hand_locked,
        )

    # kinds of scenes

    def plain(self) -> None:
        """The same file at the mapped full path; every 40th movie has a title locked by hand."""
        spot = self._spot(windows=self.rng.random() < 0.1)
        name, size, seconds = self._name(windows=spot.windows), self._size(), self._seconds()
        movie = self._movie("plain", spot.section, [(spot.plex_path(name), size, seconds)])
        self._scene("plain", [(spot.stash_path(name), size, seconds)], Truth((movie,)))
        if len(self.scenes) % 40 == 0:
            self.hand_locked[movie] = LOCKED_TITLE

    def composed(self) -> None:
        """The name has accents, composed on one side and decomposed on the other."""
        spot, size, seconds = self._spot(), self._size(), self._seconds()
        name = f"{self.rng.choice(ACCENTED)} {self._number()}.mp4"
        here, there = self.rng.sample(("NFC", "NFD"), 2)
        movie = self._movie("composed", spot.section, [(written(there, spot.plex_path(name)), size, seconds)])
        self._scene("composed", [(written(here, spot.stash_path(name)), size, seconds)], Truth((movie,)))

    def duplicate(self) -> None:
        """Two rules map the one folder to two libraries, and the file is in both."""
        spot, name, size, seconds = self._spot("films"), self._name(), self._size(), self._seconds()
        path = spot.plex_path(name)
        copy = path.replace("/media/films", "/media/mirror", 1)
        both = (
            self._movie("duplicate", "Movies", [(path, size, seconds)]),
            self._movie("duplicate", "Mirror", [(copy, size, seconds)]),
        )
        self._scene("duplicate", [(spot.stash_path(name), size, seconds)], Truth(both))

    def versions(self) -> None:
        """Two files, one movie."""
        spot, files = self._spot(), self._two_files()
        movie = self._movie("versions", spot.section, [(spot.plex_path(n), size, s) for n, size, s in files])
        self._scene("versions", [(spot.stash_path(n), size, s) for n, size, s in files], Truth((movie,)))

    def split(self) -> None:
        """Two files, two movies."""
        spot, files = self._spot(), self._two_files()
        movies = [self._movie("split", spot.section, [(spot.plex_path(n), size, s)]) for n, size, s in files]
        self._scene("split", [(spot.stash_path(n), size, s) for n, size, s in files], Truth(tuple(movies)))

    def half(self) -> None:
        """The movie has a second file that Stash does not know."""
        spot, files = self._spot(), self._two_files()
        movie = self._movie("half", spot.section, [(spot.plex_path(n), size, s) for n, size, s in files])
        name, size, seconds = files[0]
        self._scene("half", [(spot.stash_path(name), size, seconds)], Truth((movie,)))

    def moved(self) -> None:
        """In another folder in Plex; name and size are enough."""
        self._elsewhere("moved", self._name())

    def recased(self) -> None:
        """In another folder in Plex, in another case."""
        self._elsewhere("recased", self._name(), recase=True)

    def twins(self) -> None:
        """Two scenes, two movies, all of one name and size: the full path tells them apart."""
        name, size, seconds = self._name(), self._size(), self._seconds()
        for spot in self._spots(2):
            movie = self._movie("twins", spot.section, [(spot.plex_path(name), size, seconds)])
            self._scene("twins", [(spot.stash_path(name), size, seconds)], Truth((movie,)))

    def doubled(self) -> None:
        """A look-alike in Plex that is not in Stash."""
        name, size, seconds = self._name(), self._size(), self._seconds()
        here, other = self._spots(2)
        movie = self._movie("doubled", here.section, [(here.plex_path(name), size, seconds)])
        self._movie("doubled", other.section, [(other.plex_path(name), size, seconds)])
        self._scene("doubled", [(here.stash_path(name), size, seconds)], Truth((movie,)))

    def shared(self) -> None:
        """Two scenes whose files were merged into one movie."""
        spot, files = self._spot(), self._two_files()
        movie = self._movie("shared", spot.section, [(spot.plex_path(n), size, s) for n, size, s in files])
        for (name, size, seconds), truth in zip(files, (Truth((movie,)), Truth(reason="shared")), strict=True):
            self._scene("shared", [(spot.stash_path(name), size, seconds)], truth)

    def rival(self) -> None:
        """A plain scene, and another that only looks like it."""
        name, size, seconds = self._name(), self._size(), self._seconds()
        here, other = self._spots(2)
        movie = self._movie("plain", here.section, [(here.plex_path(name), size, seconds)])
        self._scene("plain", [(here.stash_path(name), size, seconds)], Truth((movie,)))
        self._scene("rival", [(other.stash_path(name), size, seconds)], Truth(reason="absent"))

    def crowd(self) -> None:
        """Two movies match."""
        name, size, seconds = self._name(), self._size(), self._seconds()
        here, *others = self._spots(3)
        for spot in others:
            self._movie("crowd", spot.section, [(spot.plex_path(name), size, seconds)])
        self._scene("crowd", [(here.stash_path(name), size, seconds)], Truth(reason="ambiguous"))

    def contested(self) -> None:
        """Two scenes match."""
        name, size, seconds = self._name(), self._size(), self._seconds()
        there, *here = self._spots(3)
        self._movie("contested", there.section, [(there.plex_path(name), size, seconds)])
        for spot in here:
            self._scene("contested", [(spot.stash_path(name), size, seconds)], Truth(reason="ambiguous"))

    def absent(self) -> None:
        """Not in Plex."""
        files = [(self._spot().stash_path(self._name()), self._size(), self._seconds())]
        self._scene("absent", files, Truth(reason="absent"))

    def fileless(self) -> None:
        """A scene made by hand, without a file."""
        self._scene("fileless", [], Truth(reason="absent"))

    def stranger(self) -> None:
        """A movie that is in Plex only."""
        spot = self._spot()
        self._movie("stranger", spot.section, [(spot.plex_path(self._name()), self._size(), self._seconds())])

    # building blocks

    def _elsewhere(self, kind: str, name: str, *, recase: bool = False) -> None:
        size, seconds = self._size(), self._seconds()
        here, there = self._spots(2)
        other_name = name.swapcase() if recase else name
        movie = self._movie(kind, there.section, [(there.plex_path(other_name), size, seconds)])
        self._scene(kind, [(here.stash_path(name), size, seconds)], Truth((movie,)))

    def _scene(self, kind: str, files: list[tuple[str, int, int]], truth: Truth) -> None:
        handle = f"scene-{len(self.scenes) + 1:05}"
        rng = self.rng
        year, month, day = rng.randint(1990, 2025), rng.randint(1, 12), rng.randint(1, 28)
        self.scenes.append(
            SceneSpec(
                handle=handle,
                kind=kind,
                title=self._title() if not files or rng.random() > 0.1 else "",
                details=self._details(),
                date=None if rng.random() < 0.1 else f"{year}-{month:02}-{day:02}",
                rating100=None if rng.random() < 0.2 else rng.randint(1, 100),
                organized=rng.random() < 0.5,
                studio=None if rng.random() < 0.1 else rng.choice(STUDIOS),
                performers=self._performers(),
                tags=tuple(rng.sample(TAGS, rng.randint(0, 6))),
                groups=((rng.choice(GROUPS), rng.randint(1, 30)),) if rng.random() < 0.1 else (),
                files=tuple((path, size, float(seconds)) for path, size, seconds in files),
            )
        )
        self.truth[handle] = truth

    def _movie(self, kind: str, section: str, files: list[tuple[str, int, int]]) -> str:
        handle = f"movie-{len(self.movies) + 1:05}"
        path = files[0][0]
        title = path.replace("\\", "/").rsplit("/", 1)[-1].rsplit(".", 1)[0]
        parts = tuple((path, size, seconds * 1000) for path, size, seconds in files)
        self.movies.append(MovieSpec(handle, kind, section, title, parts))
        return handle

    def _spot(self, root: str | None = None, *, windows: bool = False) -> Spot:
        return self._spots(1, root, windows=windows)[0]

    def _spots(self, number: int, root: str | None = None, *, windows: bool = False) -> list[Spot]:
        """As many different folders, next to each other."""
        folder, year = self.rng.choice(PLACES), self.rng.randint(1990, 1999)
        years = [year + place * 10 for place in range(number)]
        if windows:
            stash, plex = WINDOWS_ROOTS
            return [Spot(f"{stash}\\{folder}\\{one}", f"{plex}\\{folder}\\{one}", "Windows", True) for one in years]
        stash, plex = ROOTS[root or self.rng.choice(tuple(ROOTS))]
        return [Spot(f"{stash}/{folder}/{one}", f"{plex}/{folder}/{one}", "Movies") for one in years]

    def _two_files(self) -> list[tuple[str, int, int]]:
        stem, seconds = self._name().rsplit(".", 1)[0][:80], self._seconds()
        return [(f"{stem} {quality}.mkv", self._size(), seconds) for quality in ("2160p", "1080p")]

    def _name(self, *, windows: bool = False) -> str:
        """A unique base name."""
        stem = f"{self._title().strip()} {self._number()}"
        if self.rng.random() < 0.03:
            stem = f"{stem} {'very long indeed ' * 20}"[: LONGEST_NAME - 60].rstrip()
            stem += " ü" * ((LONGEST_NAME - 4 - len(stem.encode())) // 3)
        if windows:
            stem = stem.translate(NOT_ON_WINDOWS)
        return f"{stem}.{self.rng.choice(('mp4', 'mkv', 'avi', 'm4v', 'MP4'))}"

    def _number(self) -> str:
        self.serial += 1
        return f"{self.serial:05}"

    def _size(self) -> int:
        self.last_size += self.rng.randint(1_000, 90_000)
        return self.last_size

    def _seconds(self) -> int:
        return self.rng.randint(60, 7200)

    def _title(self) -> str:
        rng = self.rng
        words = f"{rng.choice(ADJECTIVES)} {rng.choice(NOUNS)}"
        if rng.random() < 0.3:
            words = f"{words} in {rng.choice(PLACES)}"
        title = rng.choice(DECORATIONS).format(words)
        return f"  {title} " if rng.random() < 0.05 else title

    def _details(self) -> str:
        lines = [self._title().strip() + "." for _ in range(self.rng.randint(0, 3))]
        return self.rng.choice(("\n", "\n\n", " ")).join(lines)

    def _performers(self) -> tuple[Name, ...]:
        rng = self.rng
        people: list[Name] = [f"{rng.choice(FIRST)} {rng.choice(LAST)}" for _ in range(rng.randint(0, 4))]
        if rng.random() < 0.05:
            people.append(rng.choice(NAMESAKES))
        return tuple(dict.fromkeys(people))


def written(form: Literal["NFC", "NFD"] | str, path: str) -> str:
    """The path in one of the two forms."""
    return normalize("NFC" if form == "NFC" else "NFD", path)

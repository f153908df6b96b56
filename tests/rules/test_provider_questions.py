"""Which scene Plex asks for: by the place of the file in the library, and never another one's."""

from collections.abc import Mapping
from random import Random

import pytest

from plexsync.rules.match.paths import name_key
from plexsync.rules.provider.questions import (
    LONGEST,
    KnownLibrary,
    MatchQuestion,
    NoMatch,
    base_names,
    candidates_of,
    question_of,
    scene_of,
)
from plexsync.rules.records import AnswerFile
from tests.tables import table

HERE = KnownLibrary(("/media/movies",))
RULED = KnownLibrary(("/media/movies",), (("/data", "/media/movies"),))
WINDOWS = KnownLibrary((r"D:\Movies",), (("/data", r"D:\Movies"),))
SHOWN = KnownLibrary(("/media/movies",), written=frozenset({1}))
NOWHERE = KnownLibrary()


def asked(filename: str, library: KnownLibrary, *paths: str, withheld: tuple[int, ...] = ()) -> int | NoMatch:
    """The answer when scene 1 has the first path, scene 2 the second and so on, as the index of names finds them."""
    known = [AnswerFile(scene, path, scene not in withheld) for scene, path in enumerate(paths, start=1)]
    wanted = {name_key(name) for name in base_names(filename, library)}
    return scene_of(filename, [file for file in known if name_key(file.path) in wanted], library)


@table(
    ("filename", "library", "paths", "scene"),
    [
        # The place in the library, with and without the folder before it.
        ("a/x.mp4", HERE, ["/media/movies/a/x.mp4", "/media/movies/b/x.mp4"], 1),
        ("movies/a/x.mp4", HERE, ["/media/movies/a/x.mp4", "/media/movies/b/x.mp4"], 1),
        ("x.mp4", HERE, ["/media/movies/a/x.mp4", "/media/movies/x.mp4"], 2),
        ("a/x.mp4", RULED, ["/data/a/x.mp4", "/data/b/a/x.mp4"], 1),
        ("/movies/a/x.mp4", RULED, ["/data/a/x.mp4", "/data/b/x.mp4"], 1),
        ("/media/movies/a/x.mp4", RULED, ["/data/a/x.mp4"], 1),
        (r"a\x.mp4", WINDOWS, ["/data/a/x.mp4"], 1),
        ("A/X.MP4", WINDOWS, ["/data/a/x.mp4"], 1),
        (r"Movies\a\x.mp4", WINDOWS, ["/data/a/x.mp4"], 1),
        ("cafe\u0301/x.mp4", HERE, ["/media/movies/caf\u00e9/x.mp4"], 1),
        (r"a\x.mp4", HERE, ["/media/movies/a/x.mp4"], NoMatch.UNKNOWN),
        (r"a\x.mp4", HERE, ["/media/movies/a\\x.mp4"], 1),
        # Elsewhere in the library: another file.
        ("x.mp4", HERE, ["/media/movies/a/x.mp4"], NoMatch.UNKNOWN),
        ("c/x.mp4", HERE, ["/media/movies/a/x.mp4"], NoMatch.UNKNOWN),
        ("A/x.mp4", HERE, ["/media/movies/a/x.mp4"], NoMatch.UNKNOWN),
        # No path rule leads into the library: neither the end of a path nor a name is evidence.
        ("a/x.mp4", HERE, ["/stash/a/x.mp4"], NoMatch.UNKNOWN),
        ("movies/a/x.mp4", HERE, ["/stash/movies/a/x.mp4"], NoMatch.UNKNOWN),
        ("x.mp4", HERE, ["/stash/x.mp4"], NoMatch.UNKNOWN),
        ("x.mp4", RULED, ["/private/x.mp4"], NoMatch.UNKNOWN),
        ("/private/x.mp4", HERE, ["/private/x.mp4"], NoMatch.UNKNOWN),
        ("a/x.mp4", HERE, ["/media/clips/a/x.mp4"], NoMatch.UNKNOWN),
        ("x.mp4", NOWHERE, ["/stash/x.mp4"], NoMatch.UNKNOWN),
        ("/stash/x.mp4", NOWHERE, ["/stash/x.mp4"], NoMatch.UNKNOWN),
        # By a rule, Plex has another folder there.
        ("a/x.mp4", RULED, ["/media/movies/a/x.mp4"], NoMatch.UNKNOWN),
        # PlexSync has written to the item that is there.
        ("a/x.mp4", SHOWN, ["/stash/a/x.mp4", "/stash/b/x.mp4"], 1),
        ("a/x.mp4", SHOWN, ["/stash/a/x.mp4", "/media/movies/a/x.mp4"], 2),
        # Two folders of a library, with the same path in both.
        ("x.mp4", KnownLibrary(("/one", "/two")), ["/one/x.mp4", "/two/x.mp4"], NoMatch.SEVERAL),
        ("one/x.mp4", KnownLibrary(("/one", "/two")), ["/one/x.mp4", "/two/x.mp4"], 1),
        # What leads out of the library.
        ("../x.mp4", HERE, ["/media/x.mp4", "/media/movies/x.mp4"], NoMatch.UNKNOWN),
        ("a/../x.mp4", HERE, ["/media/movies/x.mp4"], NoMatch.UNKNOWN),
        ("x.mp4", HERE, ["/media/movies/a/../x.mp4"], NoMatch.UNKNOWN),
        ("", HERE, ["/media/movies/x.mp4"], NoMatch.UNKNOWN),
        ("/", HERE, ["/media/movies/x.mp4"], NoMatch.UNKNOWN),
    ],
)
def test_a_file_is_one_scene_or_none(filename, library, paths, scene):
    assert asked(filename, library, *paths) == scene


def test_two_files_of_a_scene_are_one_scene():
    files = [AnswerFile(1, "/media/movies/x.mp4"), AnswerFile(1, "/media/movies/a/x.mp4")]

    assert scene_of("x.mp4", files, HERE) == scene_of("a/x.mp4", files, HERE) == 1


def test_a_scene_that_may_not_be_found_still_counts_as_one_that_may_be_meant():
    two = KnownLibrary(("/one", "/two"))

    assert asked("x.mp4", HERE, "/media/movies/x.mp4", withheld=(1,)) == NoMatch.WITHHELD
    assert asked("x.mp4", two, "/one/x.mp4", "/two/x.mp4", withheld=(1,)) == NoMatch.SEVERAL


def test_the_candidates_are_those_of_the_library_with_the_same_name_the_likeliest_first():
    places = ("b", "1/a", "2/a", "c")
    files = [AnswerFile(n, f"/media/movies/{place}/x.mp4") for n, place in enumerate(places)]
    files += [AnswerFile(8, "/private/q/a/x.mp4"), AnswerFile(9, "/media/movies/3/a/x.mp4", is_matched=False)]

    assert candidates_of("q/a/x.mp4", files, HERE) == [(1, 99), (2, 98), (0, 97), (3, 96)]
    assert candidates_of("1/a/x.mp4", files, HERE) == [(1, 100), (2, 99), (0, 98), (3, 97)]
    assert candidates_of("q/a/x.mp4", files, KnownLibrary(("/media/movies/b",), written=frozenset({8}))) == [
        (8, 100),
        (0, 99),
    ]


def test_no_candidate_scores_so_low_that_plex_drops_it():
    files = [AnswerFile(n, f"/media/movies/{n}/x.mp4") for n in range(100)]

    assert [score for _, score in candidates_of("x.mp4", files, HERE)] == list(range(99, 79, -1))


@table(
    ("document", "question"),
    [
        ({"type": 1, "filename": "a/x.mp4"}, MatchQuestion("a/x.mp4")),
        (
            {"type": "1", "filename": "x", "manual": 1, "includeAdult": 1},
            MatchQuestion("x", is_manual=True, is_adult=True),
        ),
        ({"type": 1, "filename": "x", "manual": "1", "includeAdult": True}, MatchQuestion("x", True, True)),
        ({"type": 1, "filename": "x", "manual": 0, "includeAdult": "0"}, MatchQuestion("x")),
        ({"type": 1, "filename": "x", "includeAdult": [1]}, MatchQuestion("x")),
        ({"type": 1, "title": "A title"}, MatchQuestion()),
        ({"type": 1, "filename": None}, MatchQuestion()),
        ({"type": 2, "filename": "x"}, MatchQuestion()),
        ({"type": 1, "filename": "x\0.mp4"}, MatchQuestion()),
        ({"type": 1, "filename": "x\ud800.mp4"}, MatchQuestion()),
    ],
)
def test_a_question_is_read(document, question):
    assert question_of(document) == question


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        "type",
        {},
        {"type": None},
        {"type": True},
        {"type": [1]},
        {"type": 1, "filename": 7},
        {"type": 1, "filename": ["x"]},
        {"type": 1, "filename": "x" * (LONGEST + 1)},
    ],
)
def test_what_is_no_question_is_refused_in_one_line(document):
    with pytest.raises(ValueError, match=r"^[^\n]+$"):
        question_of(document)


# --- random trees ----------------------------------------------------------------------------------------------------

TREES = 1_000
FOLDERS = ("a", "b", "A", "caf\u00e9", "movies 2")
NAMES = ("x.mp4", "y.mp4")


def random_tree(dice: Random) -> tuple[KnownLibrary, Mapping[str, str], Mapping[str, int]]:
    """A library, its files as Plex and as Stash have them, and the scene of each that Stash knows.

    Without a rule both have the same paths.
    """
    roots = ["/plex/movies", "/plex/films"][: dice.randint(1, 2)]
    is_ruled = dice.random() < 0.6
    stash_roots = (
        {"/plex/movies": "/data/one", "/plex/films": "/data/two"} if is_ruled else {root: root for root in roots}
    )
    rules = [(stash, plex) for plex, stash in stash_roots.items()] if is_ruled else []
    files: dict[str, str] = {}
    for _ in range(dice.randint(2, 12)):
        below = "/".join([*(dice.choice(FOLDERS) for _ in range(dice.randint(0, 3))), dice.choice(NAMES)])
        root = dice.choice(roots)
        files[f"{root}/{below}"] = f"{stash_roots[root]}/{below}"
    scenes = {path: number for number, path in enumerate(files, start=1) if dice.random() < 0.7}
    return KnownLibrary(tuple(roots), tuple(rules)), files, scenes


def places(filename: str, roots: tuple[str, ...]) -> set[str]:
    """Every place that a question may mean."""
    meant = {f"{root}/{filename}" for root in roots}
    for root in roots:
        if filename.startswith(root.split("/")[-1] + "/"):
            meant.add(root + filename[filename.index("/") :])
    return meant


def test_in_random_trees_with_the_same_names_no_scene_is_taken_for_another():
    dice, right = Random(20_26), 0
    for _ in range(TREES):
        library, files, scenes = random_tree(dice)
        paths = list(files)
        indexed = [AnswerFile(number, files[path]) for path, number in scenes.items()]
        for path in paths:
            root = next(root for root in library.folders if path.startswith(f"{root}/"))
            below = path.removeprefix(f"{root}/")
            filename = f"{root.split('/')[-1]}/{below}" if dice.random() < 0.5 else below
            wanted = {name_key(name) for name in base_names(filename, library)}
            answer = scene_of(filename, [file for file in indexed if name_key(file.path) in wanted], library)
            meant = {scenes[place] for place in places(filename, library.folders) if place in scenes}
            # The slow way: all places that may be meant, and the scenes that have them.
            several = NoMatch.SEVERAL if meant else NoMatch.UNKNOWN
            assert answer == (next(iter(meant)) if len(meant) == 1 else several), (filename, files)
            if not isinstance(answer, NoMatch):
                assert answer in meant, (filename, files)
                right += answer == scenes.get(path)
    assert right > TREES

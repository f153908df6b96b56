"""The made-up library: every truth follows from the paths, names and sizes alone, and nothing else does."""

from unicodedata import normalize

import pytest

from plexsync.simulator.library import PER_THOUSAND, build, populate
from plexsync.simulator.plex_server import PlexSim
from plexsync.simulator.stash_server import StashSim


@pytest.fixture(scope="module")
def library():
    return build(1000, seed=7)


def parts_of(path):
    """A path as its components, in a form that ignores slashes, Unicode form and the Windows prefix."""
    path = normalize("NFC", path).removeprefix("\\\\?\\")
    return tuple((path.replace("\\", "/") if path[1:3] == ":\\" else path).split("/"))


def mapped(path, rules):
    for ours, theirs in rules:
        prefix = parts_of(ours)
        if parts_of(path)[: len(prefix)] == prefix:
            yield parts_of(theirs) + parts_of(path)[len(prefix) :]


def looks(path, size):
    return normalize("NFC", parts_of(path)[-1]).casefold(), size


class Oracle:
    """The truth worked out again from nothing but files and rules."""

    def __init__(self, library):
        self.rules = [rule.split(" => ") for rule in library.path_map]
        self.at = {}
        self.alike = {}
        self.first_part = {}
        for movie in library.movies:
            self.first_part[movie.handle] = parts_of(movie.files[0][0])
            for path, size, _ in movie.files:
                self.at.setdefault(parts_of(path), set()).add(movie.handle)
                self.alike.setdefault(looks(path, size), set()).add(movie.handle)
        self.claims = {scene.handle: self.full_paths(scene) for scene in library.scenes}
        self.claimants = {}
        for scene in library.scenes:
            for path, size, _ in scene.files:
                self.claimants.setdefault(looks(path, size), set()).add(scene.handle)

    def full_paths(self, scene):
        targets = [target for path, _, _ in scene.files for target in mapped(path, self.rules)]
        return {movie for target in targets for movie in self.at.get(target, ())}

    def targets(self, scene):
        return [target for path, _, _ in scene.files for target in mapped(path, self.rules)]

    def truth(self, scene):
        """(movies, reason)."""
        claimed = self.claims[scene.handle]
        owned = {movie for movie in claimed if self.first_part[movie] in self.targets(scene)}
        if claimed:
            return (owned, None) if owned else (set(), "shared")
        candidates = {movie for path, size, _ in scene.files for movie in self.alike.get(looks(path, size), ())}
        candidates -= {movie for other, movies in self.claims.items() if other != scene.handle for movie in movies}
        rivals = {one for path, size, _ in scene.files for one in self.claimants[looks(path, size)]}
        rivals = {one for one in rivals if not self.claims[one]}
        if not candidates:
            return set(), "absent"
        return (candidates, None) if len(candidates) == 1 and len(rivals) == 1 else (set(), "ambiguous")


@pytest.mark.parametrize("seed", [1, 7, 42])
@pytest.mark.parametrize("count", [100, 1000])
def test_every_truth_follows_from_files_and_rules(count, seed):
    library = build(count, seed=seed)
    oracle = Oracle(library)
    truths = {scene.handle: library.truth[scene.handle] for scene in library.scenes}
    assert len(truths) == count
    assert {handle: (set(truth.movies), truth.reason) for handle, truth in truths.items()} == {
        scene.handle: oracle.truth(scene) for scene in library.scenes
    }


def test_it_has_as_many_scenes_as_asked_for_of_each_kind(library):
    counts = library.counts()
    assert sum(counts.values()) == 1000
    assert counts.pop("plain") == 785
    assert counts == PER_THOUSAND
    assert sum(len(build(count).scenes) for count in (0, 1, 99, 100, 350)) == 550


def test_the_same_seed_makes_the_same_library(library):
    assert build(1000, seed=7) == library
    assert build(1000, seed=8) != library


def test_at_least_nine_scenes_in_ten_have_their_movie(library):
    for library_ in (library, build(100), build(5000)):
        matched = [truth for truth in library_.truth.values() if truth.movies]
        assert len(matched) >= 0.9 * len(library_.scenes)


def test_a_truth_is_either_movies_or_a_reason(library):
    assert set(library.truth) == {scene.handle for scene in library.scenes}
    assert all(bool(truth.movies) != bool(truth.reason) for truth in library.truth.values())


def test_no_movie_belongs_to_two_scenes_and_bystanders_belong_to_none(library):
    written = [movie for truth in library.truth.values() for movie in truth.movies]
    assert len(written) == len(set(written))
    assert set(written) | library.bystanders == {movie.handle for movie in library.movies}
    assert not set(written) & library.bystanders


def test_duplicates_have_a_movie_in_each_of_two_libraries(library):
    section = {movie.handle: movie.section for movie in library.movies}
    duplicates = [scene for scene in library.scenes if scene.kind == "duplicate"]
    assert len(duplicates) == PER_THOUSAND["duplicate"]
    sections = [{section[movie] for movie in library.truth[scene.handle].movies} for scene in duplicates]
    assert sections == [{"Movies", "Mirror"}] * len(duplicates)


def test_movies_lie_within_their_sections(library):
    paths = [(path, tuple(library.sections[movie.section])) for movie in library.movies for path, _, _ in movie.files]
    assert len(paths) > 900
    assert [path for path, folders in paths if not path.startswith(folders)] == []


def test_locked_titles_are_on_movies_that_will_be_written_to(library):
    assert len(library.hand_locked) >= 10
    assert not set(library.hand_locked) & library.bystanders


def test_names_are_as_nasty_as_promised(library):
    paths = [path for scene in library.scenes for path, _, _ in scene.files]
    names = [parts_of(path)[-1] for path in paths]
    for sign in "🌊\"'“,[(&%+#_":
        assert any(sign in name for name in names), sign
    assert max(len(name.encode()) for name in names) == 250
    assert any(path != normalize("NFC", path) for path in paths)
    assert any(path.startswith("\\\\?\\E:\\") for path in paths)
    titles = [scene.title for scene in library.scenes]
    assert "" in titles
    assert any(title != title.strip() for title in titles)
    assert any("\n" in scene.details for scene in library.scenes)
    assert {None, 1, 100} <= {scene.rating100 for scene in build(5000).scenes}
    assert any(scene.date is None for scene in library.scenes)
    assert any(scene.studio is None for scene in library.scenes)
    people = {name for scene in library.scenes for name in scene.performers}
    assert {("Robin Vale", "pilot"), ("Robin Vale", "writer"), "Quill, Ada"} <= people
    assert {"Outdoor", "outdoor"} <= {tag for scene in library.scenes for tag in scene.tags}


def test_every_size_is_a_file_of_its_own_unless_it_is_meant_not_to_be(library):
    seen = {}
    for scene in library.scenes:
        for path, size, _ in scene.files:
            seen.setdefault(looks(path, size), set()).add(scene.kind)
    assert {frozenset(kinds) for kinds in seen.values() if len(kinds) > 1} == {frozenset({"plain", "rival"})}


def test_populating_puts_everything_where_it_was_described():
    library = build(120, seed=3)
    with StashSim() as stash, PlexSim() as plex:
        handles = populate(library, stash, plex)
        assert sorted(handles.scenes.values()) == stash.scene_ids()
        shown = [key for section in handles.sections.values() for key in plex.keys(section)]
        assert sorted(handles.movies.values()) == sorted(shown)
        for scene in library.scenes:
            there = stash.scene(handles.scenes[scene.handle])
            assert (there.title, there.files, there.date) == (scene.title, scene.files, scene.date)
            assert set(there.tags) == set(scene.tags)
            assert set(there.performers) == set(scene.performers)
        for movie in library.movies:
            if movie.handle not in library.hand_locked:
                assert plex.item(handles.movies[movie.handle]).scalars["title"] == movie.title


def test_populating_locks_the_titles_that_a_person_set():
    library = build(120, seed=3)
    with StashSim() as stash, PlexSim() as plex:
        handles = populate(library, stash, plex)
        assert library.hand_locked
        for movie, title in library.hand_locked.items():
            item = plex.item(handles.movies[movie])
            assert item.scalars["title"] == title
            assert "title" in item.locks

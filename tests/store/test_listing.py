"""Scenes listed by how they stand and found by what they are called, a page at a time, in a library of 30,000."""

import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from plexsync.rules.queue.job import Kind, State
from plexsync.rules.records import Called, Stood
from plexsync.rules.scene import Scene, SceneFile
from plexsync.rules.words.sorting import COMPARED, ScenePlace, Sort
from plexsync.rules.words.status_words import SceneStatus
from plexsync.store.database import Database
from plexsync.store.index.scene_names import ReadOnlySceneNames
from plexsync.store.queue.standings import ReadOnlyStandings
from plexsync.store.sqlite import SqliteConnection
from tests.stores import keep, look, on_postgres

T = 1_700_000_000_000
# The number is about how SQLite carries out the statements.
SCENES = 10_000 if on_postgres() else 30_000
PAGE = SCENES // 5
# Every hundredth scene has a row in one of these states, the others are idle or have no row.
STATES = [
    ("ready", ""),
    ("running", ""),
    ("absent", "absent"),
    ("dead", "ambiguous"),
    ("dead", "refused"),
    ("gone", "gone"),
    ("dropped", "refused"),
    ("ignored", ""),
    ("outside", "outside"),
]
SEEN = ["in step", "person", "differs", "absent", "ambiguous", "outside", "undone", "strict"]


def job_of(id: int) -> tuple[object, ...] | None:
    if id % 3 == 0 and id % 100:
        return None
    state, cls = STATES[id // 100 % len(STATES)] if id % 100 == 0 else ("idle", "")
    token, lease = (f"{id}", T) if state == "running" else (None, None)
    return ("scene", id, state, T + id, T, T, cls, token, lease)


def standing_of(id: int) -> str:
    if job_of(id) is None:
        return SEEN[id // 300 % len(SEEN)]
    return "absent" if id % 7 == 0 else "in step"


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("library")
    folder.chmod(0o700)
    path = folder / "plexsync.db"
    Database(path, worker=True).close()
    keep(folder)
    with look(folder) as db:
        db.execute("begin")
        db.executemany(
            "insert into job (kind, id, state, lane, wanted_rev, due, since, stirred, cls, token, lease_until, accepted)"
            " values (?, ?, ?, 0, 1, ?, ?, ?, ?, ?, ?, 1)",
            [
                *(row for id in range(1, SCENES + 1) if (row := job_of(id))),
                ("tag", 5, "ready", 1, 1, 1, "", None, None),
            ],
        )
        db.executemany(
            "insert into standing values (?, ?, ?)", [(id, standing_of(id), T) for id in range(1, SCENES + 1)]
        )
        db.executemany(
            "insert into shown (scene, things, title, path) values (?, '', ?, ?)",
            [(id, f"Scene {id}", f"/media/{id % 97}/{id}.mp4") for id in range(1, SCENES + 1)],
        )
        db.execute("commit")
    yield path


@pytest.fixture
def large(library: Path) -> Iterator[Database]:
    store = Database(library)
    yield store
    store.close()


def pages(store: Database, word: str, size: int = 500) -> list[int]:
    ids: list[int] = []
    while True:
        with store.reading() as db:
            page = db.standings.scenes(word, limit=size, after=ids[-1] if ids else 0)
        assert len(page) <= size
        if not page:
            return ids
        ids += page


def test_the_pages_of_all_words_hold_every_scene_once_as_many_as_are_counted(large):
    listed = {word: pages(large, word) for word in SceneStatus}
    with large.reading() as db:
        counts = {word: count for word, (count, _) in db.standings.counts().items()}
    assert {word: len(ids) for word, ids in listed.items() if ids} == counts
    assert all(ids == sorted(set(ids)) for ids in listed.values())
    assert Counter(id for ids in listed.values() for id in ids) == Counter(range(1, SCENES + 1))


class Plans:
    """A connection that notes how SQLite means to carry out what is executed."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path)
        self.seen: list[str] = []

    def execute(self, sql: str, values: object = ()) -> sqlite3.Cursor:
        plan = self._db.execute(f"explain query plan {sql}", values)
        self.seen += [str(row[3]) for row in plan]
        return self._db.execute(sql, values)

    def close(self) -> None:
        self._db.close()


@pytest.mark.sqlite_only
@pytest.mark.parametrize("status", SceneStatus)
def test_no_page_reads_the_whole_library_or_sorts_more_than_what_waits(library, status):
    with closing(Plans(library)) as db:
        ReadOnlyStandings(SqliteConnection(db)).scenes(status, limit=50, after=70_000)
    scans = [step for step in db.seen if step.startswith("SCAN") and not step.startswith("SCAN known")]
    waiting = {"SCAN job USING COVERING INDEX job_due", "SCAN job USING INDEX job_lease"}
    assert set(scans) == (waiting if status is SceneStatus.QUEUED else set()), "what waits is a part of the library"
    assert any("USE TEMP B-TREE" in step for step in db.seen) == (status is SceneStatus.QUEUED)


@pytest.mark.sqlite_only
def test_what_a_page_is_called_is_found_by_number(library):
    with closing(Plans(library)) as db:
        assert ReadOnlySceneNames(SqliteConnection(db)).of([5, 7])[7] == Called("Scene 7", "/media/7/7.mp4")
    assert [step for step in db.seen if step.startswith("SCAN") and "json_each" not in step] == []


def test_a_search_goes_on_where_the_page_before_it_ended(large):
    with large.reading() as db:
        first = db.scene_names.search("scene 99", limit=50)
        second = db.scene_names.search("scene 99", limit=50, after=first[-1])
    assert first[:3] == [99, 990, 991]
    assert len(first) == 50
    assert second[0] > first[-1]


@pytest.mark.sqlite_only
def test_a_search_reads_by_the_key_of_the_table(library):
    with closing(Plans(library)) as plans:
        ReadOnlySceneNames(SqliteConnection(plans)).search("99", limit=50, after=70_000)
    steps = ["SEARCH shown USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"]
    assert plans.seen == steps, "by the table's key, without a sort"


# --- in another order ------------------------------------------------------------------------------------------------

NUMBER_DOWN, TITLE_UP, TITLE_DOWN = Sort("number", down=True), Sort("title"), Sort("title", down=True)


def title_key(id: int) -> str:
    """The stored title, as it is compared."""
    return f"scene {id}"


@pytest.mark.sqlite_only
@pytest.mark.parametrize("status", SceneStatus)
def test_a_page_from_the_highest_number_downwards_reads_no_more_than_one_upwards(library, status):
    with closing(Plans(library)) as db:
        ReadOnlyStandings(SqliteConnection(db)).places(status, NUMBER_DOWN, limit=50, after=ScenePlace("", 30_000))
    scans = {step for step in db.seen if step.startswith("SCAN") and not step.startswith("SCAN known")}
    waiting = {"SCAN job USING COVERING INDEX job_due", "SCAN job USING INDEX job_lease"}
    assert scans == (waiting if status is SceneStatus.QUEUED else set())


@pytest.mark.parametrize("status", [None, SceneStatus.IN_SYNC, SceneStatus.QUEUED, SceneStatus.FAILED])
@pytest.mark.parametrize("sort", [NUMBER_DOWN, TITLE_UP, TITLE_DOWN], ids=str)
def test_pages_in_an_order_hold_every_scene_of_a_status_once(large, status, sort):
    ids: list[int] = []
    after = None
    while True:
        with large.reading() as db:
            page = db.standings.places(status, sort, limit=PAGE, after=after)
        ids += [place.id for place in page]
        if len(page) < PAGE:
            break
        after = page[-1]
    with large.reading() as db:
        all_ids = db.standings.scenes(status, limit=SCENES)
    key = title_key if sort.column == "title" else int
    assert ids == sorted(all_ids, key=key, reverse=sort.down)


@pytest.mark.parametrize("text", ["scene 99", "9"])
@pytest.mark.parametrize("sort", [NUMBER_DOWN, TITLE_UP, TITLE_DOWN], ids=str)
def test_a_search_in_an_order_holds_every_match_once(large, text, sort):
    ids: list[int] = []
    after = None
    while True:
        with large.reading() as db:
            page = db.scene_names.search_places(text, sort, limit=3_000, after=after)
        ids += [place.id for place in page]
        if len(page) < 3_000:
            break
        after = page[-1]
    with large.reading() as db:
        all_ids = db.scene_names.search(text, limit=SCENES)
    key = title_key if sort.column == "title" else int
    assert ids == sorted(all_ids, key=key, reverse=sort.down)


def test_titles_are_sorted_whatever_their_case_and_then_by_number(store):
    name(store, 1, "beta")
    name(store, 2, "Alpha")
    name(store, 3, "BETA")
    name(store, 4, "", "/media/b.mp4")
    name(store, 5, "Ünïcode " + "x" * 200)
    name(store, 6, "ünïcode " + "x" * 200)
    with store.writing() as tx:
        for id in (1, 2, 3, 4, 5, 6, 7):
            tx.jobs.ignore(Kind.SCENE, id, now=T)
    with store.reading() as db:
        up = db.standings.places(SceneStatus.IGNORED, TITLE_UP, limit=10)
        assert [place.id for place in up] == [4, 2, 1, 3, 5, 6], "a scene without a title by its path"
        down = db.standings.places(None, TITLE_DOWN, limit=10)
        assert [place.id for place in down] == [6, 5, 3, 1, 2, 4]
        beyond = db.standings.places(None, TITLE_UP, limit=2, after=up[2])
        assert [place.id for place in beyond] == [3, 5]
        assert db.standings.nameless(SceneStatus.IGNORED, limit=10) == [7]
        assert db.standings.nameless(None, limit=10) == [7]
        assert [place.id for place in db.scene_names.by_title(TITLE_UP, limit=3)] == [4, 2, 1]
        assert all(len(place.value) <= COMPARED for place in up)


# --- what a scene is called ------------------------------------------------------------------------------------------


def name(store: Database, scene: int, title: str, path: str = "/media/a.mp4") -> None:
    with store.writing() as tx:
        tx.scene_names.save([Scene(scene, title=title, files=(SceneFile(path),))])


def found(store: Database, text: str) -> list[int]:
    with store.reading() as db:
        return db.scene_names.search(text, limit=10)


def test_a_scene_is_found_by_any_part_of_its_title_or_path_in_any_case(store):
    name(store, 1, "The Quick Fox", "/media/one.mkv")
    name(store, 2, "Ünïcode Straße", "/media/Zwei.mkv")
    name(store, 3, "日本語のタイトル 🦊", "/media/drei.mkv")
    assert found(store, "quick") == [1]
    assert found(store, "ZWEI") == [2]
    assert found(store, "üNÏCODE s") == [2], "SQLite knows the case of ASCII alone"
    assert found(store, "STRASSE") == []
    assert found(store, "straße") == [2]
    assert found(store, "日本語") == [3]
    assert found(store, "🦊") == [3]
    assert found(store, "media") == [1, 2, 3]


def test_composed_and_decomposed_letters_are_the_same(store):
    name(store, 1, "Cafe\u0301")
    assert found(store, "café") == [1]


@pytest.mark.parametrize("text", ["%", "_", "!", "100%", "a_b", "!%", "'", "\\", '"', "[a-z]"])
def test_signs_of_a_pattern_mean_themselves(store, text):
    name(store, 1, f"before {text} after")
    name(store, 2, "before 100 axb after")
    assert found(store, text) == [1]


def test_what_is_called_otherwise_now_is_found_so(store):
    name(store, 1, "Old")
    name(store, 1, "New")
    assert (found(store, "old"), found(store, "new")) == ([], [1])
    with store.writing() as tx:
        tx.scene_names.save([Scene(1)])
    assert found(store, "new") == []
    with store.reading() as db:
        assert db.scene_names.of([1]) == {}


def test_a_title_that_no_database_can_hold_is_kept_as_far_as_it_can_be(store):
    name(store, 1, "bad \ud800 half", "/media/" + "x" * 10_000)
    with store.reading() as db:
        called = db.scene_names.of([1])[1]
    assert called.title == "bad ? half"
    assert len(called.path) == 4096


def test_an_unchanged_scene_costs_no_write(store):
    name(store, 1, "Same")
    with store.writing() as tx:
        before = tx._db.total_changes
        tx.scene_names.save([Scene(1, title="Same", files=(SceneFile("/media/a.mp4"),))])
        assert tx._db.total_changes == before


def test_a_row_of_another_kind_is_no_scene(store):
    with store.writing() as tx:
        tx.jobs.ignore(Kind.TAG, 7, now=T)
        tx.jobs.ignore(Kind.SCENE, 8, now=T)
    with store.reading() as db:
        assert db.standings.scenes("ignored", limit=10) == [8]
        assert db.jobs.find(Kind.TAG, 7).state is State.IGNORED


def test_since_when_plex_keeps_fields_does_not_depend_on_their_number(store):
    with store.writing() as tx:
        tx.standings.save({1: "person", 2: "in step", 3: "person 1"}, now=5)
        tx.standings.save({1: "person 2", 2: "person 1", 3: "in step"}, now=6)
        known = tx.standings.of_all([1, 2, 3])
        assert known == {1: Stood("person 2", 5), 2: Stood("person 1", 6), 3: Stood("in step", 6)}
        assert (tx.standings.list_kept(limit=9), tx.standings.count_kept(), tx.standings.kept_fields()) == (
            [1, 2],
            2,
            3,
        )

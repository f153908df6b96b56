"""The table of collections: one row per object and library."""

from dataclasses import replace

import pytest

from plexsync.rules.collections.collections import CollectionObject, CollectionRow, KnownCollection
from plexsync.rules.merge.plan_records import Pushing, Remembered, Sending
from plexsync.rules.merge.taken_back import TakenBack
from plexsync.rules.merge.values import Held
from plexsync.store.database import Database
from tests.stores import look

STUDIO, GROUP, TAG = CollectionObject("studio", 7), CollectionObject("group", 7), CollectionObject("tag", 8)
MOVIES, OTHERS = "uuid-movies", "uuid-others"
KEPT, EMPTY = Held("A summary", locked=True), Held("", locked=False)
MEMORY = {"summary": Remembered("A summary", KEPT, EMPTY)}
PUSHING = (Pushing({"title": Sending("New", Held("New", locked=True), EMPTY, EMPTY)}, until=9),)


def new(object: CollectionObject, name: str, library: str = MOVIES, section: str = "1") -> KnownCollection:
    return KnownCollection(0, object, library, section, name)


def ensured(store: Database, *collections: KnownCollection) -> list[KnownCollection]:
    with store.writing() as tx:
        known = tx.collections.ensure(collections)
    return [known[one.object][[row.library for row in known[one.object]].index(one.library)] for one in collections]


def row(store: Database, id: int) -> CollectionRow:
    with store.reading() as db:
        return db.collections.of([id])[id]


def save(store: Database, *rows: CollectionRow) -> None:
    with store.writing() as tx:
        for one in rows:
            tx.collections.save(one)


def test_an_object_has_one_row_in_each_library(store):
    movies, others = ensured(store, new(STUDIO, "Blue"), new(STUDIO, "Blue", OTHERS, "2"))
    again, group = ensured(store, new(STUDIO, "Blue"), new(GROUP, "Blue"))
    assert movies == KnownCollection(movies.id, STUDIO, MOVIES, "1", "Blue")
    assert again == movies
    assert len({movies.id, others.id, group.id}) == 3
    with store.reading() as db:
        assert db.collections.of_objects([STUDIO, TAG]) == {STUDIO: [movies, others]}
        assert db.collections.of_objects([]) == {}


def test_a_name_that_scenes_carry_stays_when_the_object_gets_another_one(store):
    (known,) = ensured(store, new(STUDIO, "Blue"))
    assert ensured(store, new(STUDIO, "Green", section="9")) == [replace(known, section="9")]


def test_what_is_saved_is_read(store):
    movies, others = ensured(store, new(STUDIO, "Blue"), new(STUDIO, "Blue", OTHERS, "2"))
    whole = CollectionRow(
        movies.id,
        STUDIO,
        MOVIES,
        "3",
        "Blau \N{CLAPPER BOARD}",
        "301",
        "ours",
        12,
        "in step",
        5,
        MEMORY,
        PUSHING,
        "d41d8cd9",
        "2026-01-02T03:04:05Z",
        99,
    )
    save(store, whole)
    assert row(store, movies.id) == whole
    assert row(store, others.id) == CollectionRow(**vars(others))
    save(store, replace(whole, memory={}, pushing=()))
    assert row(store, movies.id) == replace(whole, memory={}, pushing=())


def test_a_row_that_was_forgotten_meanwhile_is_not_saved(store):
    (known,) = ensured(store, new(STUDIO, "Blue"))
    with store.writing() as tx:
        tx.collections.forget([known.id])
    save(store, CollectionRow(**vars(known)))
    with store.reading() as db:
        assert db.collections.page(after=0, limit=9) == []


def test_collections_are_found_by_name_in_any_case_in_one_library_or_in_all(store):
    blue, there, green = ensured(store, new(STUDIO, "Blue"), new(GROUP, "BLUE", OTHERS, "2"), new(TAG, "Green"))
    with store.writing() as tx:
        tx.collections.rename(green.id, " bLUE")
    with store.reading() as db:
        assert [one.id for one in db.collections.by_name(["blue", "red"], library=MOVIES)] == [blue.id, green.id]
        assert [one.id for one in db.collections.by_name(["Blue"])] == [blue.id, there.id, green.id]
        assert db.collections.by_name(["green"]) == []


def test_collections_are_found_by_their_rating_keys(store):
    blue, green = ensured(store, new(STUDIO, "Blue"), new(TAG, "Green"))
    save(store, CollectionRow(**{**vars(blue), "item": "301"}))
    with store.reading() as db:
        assert [one.id for one in db.collections.by_item(["301", ""])] == [blue.id]
    assert green.item == ""


def test_collections_are_listed_by_id_and_by_name_and_counted_by_standing(store):
    ids = [one.id for one in ensured(store, new(STUDIO, "beta"), new(TAG, "Alpha"), new(GROUP, "gamma"))]
    save(store, replace(row(store, ids[0]), standing="in step"), replace(row(store, ids[2]), standing="in step"))
    with store.reading() as db:
        assert [one.id for one in db.collections.page(after=ids[0], limit=1)] == [ids[1]]
        both, well = [("in step", ""), ("", "")], [("in step", "")]
        assert [one.name for one in db.collections.in_order(both, limit=9)] == ["Alpha", "beta", "gamma"]
        assert [one.name for one in db.collections.in_order(both, offset=1, limit=1)] == ["beta"]
        assert [one.name for one in db.collections.in_order(well, limit=9)] == ["beta", "gamma"]
        assert [one.name for one in db.collections.in_order(well, library=OTHERS, limit=9)] == []
        assert db.collections.in_order([("in step", "dead"), ("", "dropped")], limit=9) == []
        assert db.collections.in_order([], limit=9) == []
        assert sorted(db.collections.count_all()) == [("", "", 1), ("in step", "", 2)]


def test_a_collection_that_was_taken_back_is_known_by_its_memory(store):
    blue, green = ensured(store, new(STUDIO, "Blue"), new(TAG, "Green"))
    held = Held("", locked=False)
    for id, mark in ((blue.id, TakenBack.NO), (green.id, TakenBack.RELEASE)):
        save(store, replace(row(store, id), memory={"summary": Remembered("", held, held, undone=mark)}))
    with store.reading() as db:
        assert db.collections.undone() == [green.id]
    assert (row(store, blue.id).undone, row(store, green.id).undone) == (TakenBack.NO, TakenBack.RELEASE)


def test_the_number_of_scenes_is_saved_for_each_library(store):
    movies, others = ensured(store, new(STUDIO, "Blue"), new(STUDIO, "Blue", OTHERS, "2"))
    with store.writing() as tx:
        tx.collections.count_scenes({movies.id: 4})
        tx.collections.count_scenes({})
    assert (row(store, movies.id).scenes, row(store, others.id).scenes) == (4, -1)


@pytest.mark.parametrize("column", ["memory", "pushing"])
def test_a_damaged_document_counts_as_unknown(store, folder, column):
    (known,) = ensured(store, new(STUDIO, "Blue"))
    save(store, replace(row(store, known.id), memory=MEMORY, pushing=PUSHING))
    with look(folder) as db:
        ((document,),) = db.execute(f"select {column} from collection").fetchall()
        db.execute(f"update collection set {column} = ?", [document.replace(b"value", b"valve")])
    found = row(store, known.id)
    assert (found.memory, found.pushing) == (({}, PUSHING) if column == "memory" else (MEMORY, ()))


def test_a_damaged_owner_is_someone_else_and_a_damaged_source_is_no_studio(store, folder):
    (known,) = ensured(store, new(STUDIO, "Blue"))
    with look(folder) as db:
        db.execute("update collection set owner = 'hours', source = 'studip'")
    found = row(store, known.id)
    assert (found.owner, found.object) == ("foreign", CollectionObject("tag", 7))

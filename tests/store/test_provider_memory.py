"""What is remembered of libraries that ask PlexSync, and what Plex is told."""

import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest

from plexsync.rules.records import AnswerFile
from plexsync.store.database import Database
from plexsync.store.ledger.provider_memory import (
    BY_KEY,
    DROP_FILES,
    FILES_OF,
    OF_SCENES,
    WITH_FILE,
    FoundItem,
    ProviderRow,
    StoredAnswer,
)

LIBRARY, OTHER = "uuid-1", "uuid-2"
ROW = ProviderRow(
    LIBRARY, "3", "Scenes", "tv.plex.agents.custom.plexsync.a", "adding", {"agent": "tv.plex.agents.none"}
)


def answer(scene: int, *, library: str = LIBRARY, matched: bool = True, **values: object) -> StoredAnswer:
    """An answer with these values."""
    return StoredAnswer(library, scene, f"key-{scene}", matched, values or {"title": f"Scene {scene}"})


def test_a_library_is_saved_with_its_steps_and_its_calls_stay(store: Database) -> None:
    with store.writing() as tx:
        tx.providers.save(ROW)
        tx.providers.note_calls(LIBRARY, 7, {"answered": 3})
        tx.providers.save(ProviderRow(LIBRARY, "3", "Scenes", ROW.identifier, "on", {"agent": "x"}, added_at=5))
        (row,) = tx.providers.all()
    assert (row.state, row.steps, row.added_at, row.called_at, row.calls) == (
        "on",
        {"agent": "x"},
        5,
        7,
        {"answered": 3},
    )


def test_an_item_is_kept_as_it_was_found_first(store: Database) -> None:
    with store.writing() as tx:
        tx.providers.save_items(LIBRARY, [("10", {"title": "a"}), ("2", {"title": "b"})])
        tx.providers.save_items(LIBRARY, [("10", {"title": "later"})])
        tx.providers.mark_back(LIBRARY, ["2"])
        assert tx.providers.items(LIBRARY) == [
            FoundItem("10", {"title": "a"}, False),
            FoundItem("2", {"title": "b"}, True),
        ]
        assert [found.item for found in tx.providers.items(LIBRARY, after="10", limit=1)] == ["2"]
        assert tx.providers.count_items(LIBRARY) == 2


def test_an_answer_is_found_by_its_key_and_by_its_files_while_a_match_may_find_it(store: Database) -> None:
    with store.writing() as tx:
        for library in (LIBRARY, OTHER):
            tx.providers.save(replace(ROW, library=library))
        tx.answers.say([answer(1, title="One", genre=["A", "B"]), answer(2), answer(1, library=OTHER)], now=9)
        tx.answers.save_files({(LIBRARY, 1): ["/a/One.mp4", "/b/two.mp4"], (LIBRARY, 2): ["C:\\x\\one.MP4"]})
        assert tx.answers.with_file(LIBRARY, "ONE.mp4") == [
            AnswerFile(1, "/a/One.mp4"),
            AnswerFile(2, "C:\\x\\one.MP4"),
        ]
        tx.answers.say([replace(answer(2), matched=False)], now=9)
        assert tx.answers.with_file(LIBRARY, "one.mp4")[1] == AnswerFile(2, "C:\\x\\one.MP4", is_matched=False)
        found = tx.answers.by_key(LIBRARY, "key-1")
        assert found and (found.values, found.said_at) == ({"title": "One", "genre": ["A", "B"]}, 9)
        assert tx.answers.by_key(LIBRARY, "key-3") is None
        assert tx.answers.count(LIBRARY) == (2, 1)
        assert set(tx.answers.of([1, 2])) == {(LIBRARY, 1), (LIBRARY, 2), (OTHER, 1)}


def test_files_are_those_that_were_saved_last(store: Database) -> None:
    with store.writing() as tx:
        tx.answers.say([answer(1)], now=1)
        tx.answers.save_files({(LIBRARY, 1): ["/a/one.mp4"]})
        tx.answers.save_files({(LIBRARY, 1): ["/a/new.mp4"]})
        assert tx.answers.files_of([1]) == {(LIBRARY, 1): ["/a/new.mp4"]}
        assert tx.answers.with_file(LIBRARY, "one.mp4") == []


def test_a_library_is_forgotten_whole_and_no_other_one(store: Database) -> None:
    with store.writing() as tx:
        tx.providers.save(ROW)
        tx.providers.save(replace(ROW, library=OTHER))
        tx.providers.save_items(LIBRARY, [("1", {})])
        tx.answers.say([answer(1), answer(1, library=OTHER)], now=1)
        tx.answers.save_files({(LIBRARY, 1): ["/a"], (OTHER, 1): ["/a"]})
        tx.providers.forget(LIBRARY)
        assert ([row.library for row in tx.providers.all()], tx.providers.count_items(LIBRARY)) == ([OTHER], 0)
        assert set(tx.answers.of([1])) == set(tx.answers.files_of([1])) == {(OTHER, 1)}


@pytest.mark.sqlite_only
def test_no_statement_for_some_scenes_reads_the_answers_of_all(store: Database) -> None:
    with store.writing() as tx:
        tx.providers.save(ROW)
        tx.answers.say([answer(number) for number in range(1, 1_001)], now=1)
    path = store.address.path
    for sql in (BY_KEY, OF_SCENES, WITH_FILE, FILES_OF, DROP_FILES):
        values = {"library": LIBRARY, "key": "key-1", "scenes": "[1]", "scene": 1, "name": "x"}
        with closing(sqlite3.connect(path)) as db:
            plan = [str(row[3]) for row in db.execute(f"explain query plan {sql}", values)]
        assert not [step for step in plan if step.startswith("SCAN answer")], (sql, plan)

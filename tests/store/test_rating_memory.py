"""What is remembered of the rating of each scene and item."""

import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest

from plexsync.rules.item import Entry, Part
from plexsync.rules.merge.taken_back import TakenBack
from plexsync.rules.plays.ratings import NO_RATING, Pending, RememberedRating
from plexsync.rules.records import SectionRow
from plexsync.store.database import Database
from plexsync.store.files import integrity, repair
from plexsync.store.ledger import rating_memory
from tests.stores import look

T = 1_700_000_000_000
CREATED = "2026-01-02T03:04:05Z"
RATING = RememberedRating(
    80, 85, NO_RATING, 20, Pending.TO_PLEX, 80, 30, T + 5, undone=TakenBack.UNDO, changed_at=T, rated_at=9
)


def save(store: Database, scene: int, **ratings: RememberedRating | None) -> None:
    with store.writing() as tx:
        tx.ratings.save(scene, CREATED, {key.removeprefix("item"): rating for key, rating in ratings.items()})


def remembered(store: Database, *scenes: int, created: str = CREATED) -> dict[tuple[int, str], RememberedRating]:
    with store.reading() as db:
        return db.ratings.of(dict.fromkeys(scenes, created))


def library(store: Database, uuid: str) -> None:
    with store.writing() as tx:
        tx.index.save([Entry("71", "1", (Part("/a.mp4", 10),))], walk=1)
        tx.sections.save(SectionRow("1", "Movies", uuid=uuid))


def test_ratings_are_read_as_they_were_saved(store):
    save(store, 7, item71=RATING, item72=RememberedRating(10, 10))
    save(store, 8, item81=RememberedRating())
    assert remembered(store, 7, 9) == {(7, "71"): RATING, (7, "72"): RememberedRating(10, 10)}
    save(store, 7, item71=replace(RATING, pending=Pending.NOTHING, stash=90), item72=None)
    assert remembered(store, 7) == {(7, "71"): replace(RATING, pending=Pending.NOTHING, stash=90)}
    with store.writing() as tx:
        assert tx.ratings.in_plex(["71", "81", "99"]) == {"71": 85, "81": -2}
        assert (tx.ratings.scenes(limit=5), tx.ratings.scenes(after=7, limit=1)) == ([7, 8], [8])
        tx.ratings.forget([7])
    assert remembered(store, 7, 8).keys() == {(8, "81")}
    with store.writing() as tx:
        tx.ratings.forget_all()
    assert remembered(store, 8) == {}


def test_another_scene_under_the_id_has_none_of_it(store):
    save(store, 7, item71=RATING)
    assert remembered(store, 7, created="another") == {}


def test_an_item_in_another_library_is_another_item(store):
    library(store, "one")
    save(store, 7, item71=RATING)
    assert remembered(store, 7)
    library(store, "two")
    assert remembered(store, 7) == {}
    with store.reading() as db:
        assert db.ratings.in_plex(["71"]) == {}


def test_an_item_that_comes_to_another_scene_leaves_the_first_one_without_a_base(store):
    save(store, 7, item71=RATING, item72=RATING)
    save(store, 8, item71=RememberedRating(10, 10))
    rows = remembered(store, 7, 8)
    assert not rows[7, "71"].has_base
    assert rows[7, "71"].pending is Pending.TO_PLEX
    assert rows[7, "72"].has_base
    assert rows[8, "71"].has_base


def test_only_open_requests_are_prolonged(store):
    save(store, 7, item71=RATING, item72=RememberedRating(10, 10))
    with store.writing() as tx:
        tx.ratings.prolong(7, ["71", "72"], T + 99)
    assert [row.until for row in remembered(store, 7).values()] == [T + 99, 0]


def test_a_damaged_request_is_none(store, folder):
    save(store, 7, item71=RATING)
    with look(folder) as db:
        db.execute("update rating set pending = 'nowhere'")
    assert remembered(store, 7)[7, "71"].pending is Pending.NOTHING


@pytest.mark.sqlite_only
def test_a_repair_keeps_the_ratings(folder):
    store = Database(folder / "plexsync.db", worker=True)
    save(store, 7, item71=RATING)
    store.close()
    with look(folder) as db:
        db.execute("update book set done = done + 20")
    assert repair.repair(folder / "plexsync.db", now=T)
    assert integrity.damage(folder / "plexsync.db") == ""
    store = Database(folder / "plexsync.db", worker=True)
    assert remembered(store, 7) == {(7, "71"): RATING}
    store.close()


@pytest.mark.sqlite_only
@pytest.mark.parametrize("name", ["LIST", "IN_PLEX", "SCENES", "END_OTHERS"])
def test_a_statement_costs_what_it_finds_and_not_what_the_table_holds(store, folder, name):
    with store.writing() as tx:
        for scene in range(1, 3001):
            tx.ratings.save(scene, CREATED, {str(scene): RATING})
    values = {"scenes": "[17]", "items": '["17"]', "after": 17, "limit": 2, "item": "17", "scene": 17}
    steps = 0

    def tick() -> int:
        nonlocal steps
        steps += 1
        return 0

    with closing(sqlite3.connect(folder / "plexsync.db")) as db:
        # The schema is read first, and that takes steps as well.
        db.execute("select count(*) from rating where scene = 1").fetchall()
        db.set_progress_handler(tick, 1)
        db.execute(getattr(rating_memory, name), values).fetchall()
    assert steps < 500

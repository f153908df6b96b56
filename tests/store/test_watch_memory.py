"""What is remembered of the resume points of scenes."""

import random
from dataclasses import replace

import pytest

from plexsync.rules.item import ViewState
from plexsync.rules.merge.taken_back import TakenBack
from plexsync.rules.plays.resume import RememberedResume, Watched
from plexsync.store.database import Database
from tests.stores import look

CREATED = "2026-01-02T03:04:05Z"
KEPT = RememberedResume(Watched("71", ViewState(2, 1_700_000_000, 31_500)), 31_500, 5_000)
OPEN = replace(KEPT, position=5_000, sending=31_500, until=7, undone=TakenBack.UNDO)


def save(store: Database, *rows: tuple[int, RememberedResume | None], created_at: str = CREATED) -> None:
    with store.writing() as tx:
        for scene, resume in rows:
            tx.watches.save(scene, created_at, resume)


def read(store: Database, *scenes: int, created_at: str = CREATED) -> dict[int, RememberedResume]:
    with store.reading() as db:
        return db.watches.of(dict.fromkeys(scenes, created_at))


@pytest.mark.parametrize(
    "resume", [KEPT, OPEN, replace(KEPT, sending=0, until=9), replace(KEPT, undone=TakenBack.UNDO)], ids=str
)
def test_what_is_saved_is_read(store, resume):
    save(store, (7, KEPT), (8, KEPT))
    save(store, (7, resume))
    assert read(store, 7, 8, 9) == {7: resume, 8: KEPT}


def test_nothing_saved_forgets(store):
    save(store, (7, KEPT), (8, KEPT))
    save(store, (7, None))
    assert read(store, 7, 8) == {8: KEPT}
    with store.writing() as tx:
        tx.watches.forget([8, 9])
    assert read(store, 8) == {}


def test_what_is_remembered_of_another_scene_under_the_id_is_left_out(store):
    save(store, (7, KEPT))
    assert read(store, 7, created_at="2026-03-03T03:04:05Z") == {}
    save(store, (7, OPEN), created_at="2026-03-03T03:04:05Z")
    assert read(store, 7, created_at="2026-03-03T03:04:05Z") == {7: OPEN}
    assert read(store, 7) == {}


def test_scenes_are_listed_page_by_page_whichever_scene_has_the_id_now(store):
    save(store, (9, KEPT), (7, OPEN))
    save(store, (8, KEPT), created_at="2026-03-03T03:04:05Z")
    with store.reading() as db:
        assert (db.watches.scenes(after=0, limit=2), db.watches.scenes(after=8, limit=2)) == ([7, 8], [9])
        assert db.watches.of_ids([7, 8, 10]) == {7: OPEN, 8: KEPT}
        assert db.watches.to_take_back() == [7]


def test_only_an_open_request_is_prolonged(store):
    save(store, (7, OPEN), (8, KEPT), (9, OPEN))
    with store.writing() as tx:
        tx.watches.prolong(7, 50)
        tx.watches.prolong(8, 50)
    assert read(store, 7, 8, 9) == {7: replace(OPEN, until=50), 8: KEPT, 9: OPEN}


def test_for_a_mark_that_a_damaged_page_has_changed_nothing_is_put_back(store, folder):
    save(store, (7, KEPT))
    with look(folder) as db:
        db.execute("update resume set undo = 'odd'")
    assert read(store, 7) == {7: replace(KEPT, before=KEPT.position, undone=TakenBack.UNDO)}


def test_random_memories_are_read_as_they_were_saved(store):
    rng, saved = random.Random(7), {}
    for _ in range(200):
        scene = rng.randrange(1, 20)
        watched = Watched(
            str(rng.randrange(1, 99)), ViewState(rng.randrange(3), rng.randrange(10**10), rng.randrange(10**9))
        )
        sending = rng.choice([None, 0, rng.randrange(10**12)])
        saved[scene] = RememberedResume(
            watched,
            rng.randrange(10**12),
            rng.randrange(10**12),
            sending,
            rng.randrange(10**13) if sending is not None else 0,
            rng.choice([TakenBack.NO, TakenBack.UNDO]),
        )
        save(store, (scene, saved[scene]))
    assert read(store, *range(1, 20)) == dict(sorted(saved.items()))

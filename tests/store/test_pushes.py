"""The history of pushes: what was changed, for how long it is kept, and what deleting it costs others."""

import os

from plexsync.rules.merge.values import Held
from plexsync.rules.queue.job import Kind, State, Why
from plexsync.rules.records import Moved
from plexsync.store.database import Database
from plexsync.store.ledger import pushes
from tests.stores import look

T = 1_700_000_000_000
DAY = 86_400_000
TORTURE = bool(os.environ.get("PLEXSYNC_TORTURE"))


def push(store: Database, scene: int, key: str = "10", *, at: int = T, **fields: tuple[object, object]) -> None:
    moved = {name: Moved(Held(old, False), Held(new, True)) for name, (old, new) in fields.items()}
    with store.writing() as tx:
        tx.pushes.add(scene, key, moved, at=at)


def listed(store: Database, scene: int):
    with store.reading() as db:
        return db.pushes.of(Kind.SCENE, scene)


def prune(store: Database, now: int, before: int, limit: int = 100) -> int:
    with store.writing() as tx:
        return tx.prune_history(now=now, before=before, limit=limit)


def test_a_push_is_told_field_by_field_newest_first(store):
    push(store, 7, title=("old", "new"))
    push(store, 7, "11", at=T + 5, genre=(("a",), ("a", "b")), summary=("", "text \ud800"))
    first, second = listed(store, 7)
    assert (first.at, first.key, first.moved["genre"].new.value) == (T + 5, "11", ("a", "b"))
    assert first.moved["summary"].new.value == "text ?"
    assert second.moved == {"title": Moved(Held("old", False), Held("new", True))}
    assert listed(store, 8) == []


def test_what_changed_nothing_is_not_written_down(store):
    push(store, 7)
    assert listed(store, 7) == []


def test_other_things_than_scenes_have_no_pushes(store):
    push(store, 7, title=("a", "b"))
    with store.reading() as db:
        assert db.pushes.of(Kind.TAG, 7) == []


def test_a_long_text_is_kept_in_part(store):
    push(store, 7, summary=("x" * 10_000, "short"))
    (row,) = listed(store, 7)
    assert row.moved["summary"].old.value == "x" * pushes.LONGEST_TEXT + "…"
    assert row.moved["summary"].new.value == "short"


def test_the_newest_twenty_of_each_scene_and_item_are_kept(store):
    for n in range(25):
        push(store, 7, at=T + n, title=(f"{n}", f"{n + 1}"))
    push(store, 7, "11", title=("a", "b"))
    push(store, 8, title=("a", "b"))
    found = [row for row in listed(store, 7) if row.key == "10"]
    assert [row.at - T for row in found] == list(range(24, 4, -1))
    assert len(listed(store, 7)) == 21
    assert len(listed(store, 8)) == 1


def test_a_document_that_can_not_be_read_is_left_out(store, folder):
    push(store, 7, title=("a", "b"))
    push(store, 7, title=("b", "c"))
    with look(folder) as db:
        db.execute("update push set document = '{' where number = 1")
    assert len(listed(store, 7)) == 1


def test_history_is_forgotten_after_the_retention_and_not_a_moment_before(store):
    for days in (0, 1, 2):
        push(store, days + 1, at=T + days * DAY, title=("a", "b"))
    assert prune(store, T + 40 * DAY, T) == 0, "exactly as old as the retention"
    assert prune(store, T + 40 * DAY, T + 1) == 1
    assert prune(store, T + 40 * DAY, T + 3 * DAY, limit=1) == 1
    assert [len(listed(store, id)) for id in (1, 2, 3)] == [0, 0, 1]
    with store.reading() as db:
        assert db.tallies.all()["pushes_pruned"] == 2


def test_attempts_of_rows_that_live_on_are_forgotten_at_the_same_age(store):
    with store.writing() as tx:
        tx.jobs.want(Kind.SCENE, 7, Why.EDIT, T)
    with store.writing() as tx:
        tx.attempts.add(Kind.SCENE, 7, at=T, error_class="bug", error="old", attempts=1, state=State.READY)
        tx.attempts.add(Kind.SCENE, 7, at=T + DAY, error_class="bug", error="new", attempts=2, state=State.READY)
    assert prune(store, T + 31 * DAY, T + DAY) == 1
    with store.reading() as db:
        assert [row.error for row in db.attempts.of(Kind.SCENE, 7)] == ["new"]
        assert db.jobs.find(Kind.SCENE, 7).state is State.READY
        assert db.tallies.all() == {"attempts_pruned": 1}


def test_what_is_dated_in_a_future_that_the_clock_has_left_grows_old_all_the_same(store):
    push(store, 7, at=T + 400 * DAY, title=("a", "b"))
    assert prune(store, T, T - 30 * DAY) == 0
    assert listed(store, 7)[0].at == T
    assert prune(store, T + 31 * DAY, T + DAY) == 1

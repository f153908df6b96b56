"""The history of failed attempts, as the overview tells it."""

from plexsync.rules.queue.job import Kind, State, Why
from plexsync.store.database import Database
from plexsync.store.queue.attempts import MOST_SAVED

T = 1_700_000_000_000


def fail(store: Database, scene: int, cause: str, error: str = "", *, kind: Kind = Kind.SCENE, at: int = T) -> None:
    with store.writing() as tx:
        tx.jobs.want(kind, scene, Why.EDIT, at)
        tx.attempts.add(kind, scene, at=at, error_class=cause, error=error, attempts=1, state=State.READY)


def causes(store: Database, limit: int = 10) -> list[tuple[str, int, str, str, int]]:
    with store.reading() as db:
        return [(kind, id, row.cls, row.error, jobs) for kind, id, row, jobs in db.attempts.by_cause(limit)]


def test_failures_are_grouped_by_cause_with_the_last_one_first(store):
    assert causes(store) == []
    for scene in (1, 2, 1):
        fail(store, scene, "refused", f"of {scene}")
    fail(store, 1, "unavailable", "down", kind=Kind.TAG)
    fail(store, 1, "unavailable", "down again")
    assert causes(store) == [("scene", 1, "unavailable", "down again", 2), ("scene", 1, "refused", "of 1", 2)]
    assert causes(store, 1) == causes(store)[:1]


def test_scenes_that_are_not_in_plex_yet_are_no_trouble(store):
    fail(store, 1, "refused")
    for scene in range(2, 6):
        fail(store, scene, "absent")
    assert [cause for _, _, cause, _, _ in causes(store)] == ["refused"]


def test_of_each_job_the_newest_attempts_are_kept_and_those_of_others_are_not_counted(store):
    fail(store, 2, "refused", "another scene")
    fail(store, 1, "refused", "another kind", kind=Kind.TAG)
    for number in range(MOST_SAVED + 3):
        fail(store, 1, "refused", f"attempt {number}")
    with store.reading() as db:
        kept = [row.error for row in db.attempts.of(Kind.SCENE, 1)]
        assert kept == [f"attempt {number}" for number in reversed(range(3, MOST_SAVED + 3))]
        assert [row.error for row in db.attempts.of(Kind.SCENE, 2)] == ["another scene"]
        assert [row.error for row in db.attempts.of(Kind.TAG, 1)] == ["another kind"]


def test_attempts_are_counted_if_they_counted_against_their_job(store):
    fail(store, 1, "refused")
    with store.writing() as tx:
        tx.attempts.add(Kind.SCENE, 1, at=T, error_class="throttled", error="", attempts=0, state=State.READY)
        assert tx.attempts.count_used() == 1

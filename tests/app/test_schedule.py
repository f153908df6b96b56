"""When a worker compares everything by itself: the first comparison comes after the first sync of all scenes."""

from collections.abc import Iterator

import pytest

from plexsync.app.parts import Parts, open_parts
from plexsync.app.run import Schedule
from plexsync.flows.scenes.verbs import want_scenes
from plexsync.rules.queue.job import Why
from plexsync.rules.queue.note_keys import CURSOR, LAST_POLL, LAST_RECONCILE, REPAIRED
from tests.journey.world import world_in
from tests.web.stage import config_of


@pytest.fixture
def parts(tmp_path) -> Iterator[Parts]:
    """The parts of a worker that has polled Stash, and has never compared its 130 scenes with Plex."""
    folder = tmp_path / "data"
    with world_in(folder) as world:
        world.add(130)
        with open_parts(config_of(world), folder) as parts:
            save(parts, LAST_POLL)
            yield parts


def save(parts: Parts, name: str, value: str = "") -> None:
    with parts.store.writing() as tx:
        tx.notes.save(name, value or str(parts.clock.now()))


def compares(parts: Parts) -> bool:
    return Schedule(parts, lambda: False)()


def settle(parts: Parts) -> None:
    with parts.store.writing() as tx:
        tx.jobs.discard(["scene"])


def test_the_first_comparison_waits_until_all_scenes_were_synced(parts):
    want_scenes(parts.store, range(1, 131), Why.SWEEP, parts.clock)
    assert not compares(parts)
    with parts.store.writing() as tx:
        (job, *_) = tx.jobs.claim(130, kinds=("scene",), now=parts.clock.now(), lease_ms=60_000, holder="a")
        assert job.id == 1
    assert not compares(parts), "they are in work"
    settle(parts)
    assert compares(parts)


def test_edits_hold_up_no_comparison_and_neither_do_sweeps_once_one_has_completed_or_the_database_is_new(parts):
    want_scenes(parts.store, range(1, 131), Why.EDIT, parts.clock)
    assert compares(parts)
    save(parts, LAST_RECONCILE, "0")
    want_scenes(parts.store, range(1, 131), Why.SWEEP, parts.clock)
    assert compares(parts)


def test_a_rebuilt_database_is_compared_at_once(parts):
    want_scenes(parts.store, range(1, 131), Why.SWEEP, parts.clock)
    save(parts, REPAIRED)
    assert compares(parts)


def test_what_the_first_comparison_has_queued_before_it_was_interrupted_does_not_hold_it_up(parts):
    def has_begun() -> bool:
        with parts.store.reading() as db:
            return bool(db.notes.text(CURSOR))

    assert not Schedule(parts, has_begun)()
    with parts.store.reading() as db:
        assert db.jobs.count_due(parts.clock.now())[0] == 100
    assert compares(parts)


def test_a_first_comparison_is_interrupted_when_all_scenes_are_to_be_synced(parts):
    def walked() -> bool:
        want_scenes(parts.store, range(1, 131), Why.SWEEP, parts.clock)
        return False

    with parts.store.reading() as db:
        assert not db.jobs.has_whole_sweep(parts.clock.now())
    assert not Schedule(parts, walked)()
    settle(parts)
    assert compares(parts)

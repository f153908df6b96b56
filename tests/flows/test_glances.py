"""Looking wants nothing: whatever is met on the way, the queue and its books are the same afterwards."""

import pytest

from plexsync.flows.scenes.plex_index import CHANGE_PACE
from plexsync.flows.scenes.preview import preview_scenes
from plexsync.flows.scenes.undo import preview as undo_preview
from plexsync.flows.scenes.verbs import explain
from plexsync.rules.merge.taken_back import TakenBack
from plexsync.rules.queue.job import State
from tests.engine.house import path_of


def queue(house):
    """Every row of the queue with all that a want changes, and the books."""
    return house.rows("select * from job order by kind, id"), house.rows("select * from books")


@pytest.fixture
def moved(house):
    """Scenes 1 to 3 in step; since then one was edited in Plex, one is gone from there, and what was absent has come."""
    ids = house.in_step(3)
    absent = house.add_scene(9)
    house.want(absent)
    house.clock.move(3)
    house.work()
    assert house.row(absent).state is State.ABSENT
    house.put_off()
    house.clock.move(3600)
    house.plex_sim.hand_edit(house.key_of(ids[0]), title="By hand")
    house.plex_sim.remove(house.key_of(ids[1]))
    house.plex_sim.add_movie(house.section, files=[(path_of(9), 1009, 60_000)], title="come")
    house.plex_sim.add_movie(house.section, files=[(path_of(8), 1008, 60_000)], title="another")
    return [*ids, absent]


def looks(house):
    worker = house.worker
    return {
        "explain": lambda id: explain(worker.glances, id),
        "dry run": lambda _: list(preview_scenes(worker.glances)),
        "dry run of scenes": lambda id: list(preview_scenes(worker.glances, [id])),
        "dry run of a take-over": lambda _: list(preview_scenes(worker.glances, take_over=True)),
        "dry run of an undo": lambda id: list(undo_preview(worker.glances, [id], TakenBack.UNDO)),
    }


@pytest.mark.parametrize(
    "what", ["explain", "dry run", "dry run of scenes", "dry run of a take-over", "dry run of an undo"]
)
def test_looking_wants_nothing_and_leaves_the_news_to_the_worker(house, moved, what):
    before = queue(house)
    for id in moved:
        looks(house)[what](id)
    assert queue(house) == before
    house.worker.indexer.freshen(force=True)
    news = house.rows("select id, state from job where state = 'ready' order by id")
    assert (moved[1], "ready") in news, "its item is gone, and that is still to be found out"
    assert house.row(moved[3]).due <= house.clock.now(), "its item is new, and that is still to be found out"


@pytest.mark.parametrize("force", [False, True], ids=["what has changed", "everything"])
def test_what_a_glance_has_met_is_news_to_whoever_works_and_only_once(house, force):
    (id,) = house.in_step()
    waiting = house.add_scene(9)
    house.want(waiting)
    house.work()
    house.worker.indexer.freshen(force=True)
    house.put_off()
    pass_time(house)
    house.plex_sim.add_movie(house.section, files=[(path_of(9), 1009, 60_000)], title="new")
    assert looks(house)["explain"](waiting).inspection.targets
    for due in (True, False):
        house.worker.indexer.freshen(force=force)
        assert (house.row(waiting).due <= house.clock.now()) is due
        house.put_off()
        pass_time(house)
        house.plex_sim.hand_edit(house.key_of(id), title="By hand")


def pass_time(house):
    """A library whose mark has moved since may be looked at again."""
    house.clock.move(CHANGE_PACE / 1000 + 1)
    house.plex_sim.advance(CHANGE_PACE / 1000 + 1)


def test_the_first_look_of_all_wants_nothing_either(house):
    ids = house.add(3)
    before = queue(house)
    seen = explain(house.worker.glances, ids[0])
    assert len(seen.inspection.targets) == 1
    assert queue(house) == before


def listings(house):
    return house.plex_sim.count("GET", f"/library/sections/{house.section}/all")


def test_looking_at_a_library_that_stands_still_lists_nothing(house):
    house.in_step()
    house.worker.indexer.freshen(force=True)
    house.replace_worker()
    house.forget_requests()
    assert not looks(house)["explain"](house.add_scene(9)).inspection.targets
    assert (house.plex_sim.count("GET", "/library/sections") > 0, listings(house)) == (True, 0)


def test_what_the_first_look_of_all_has_listed_nobody_lists_again(house):
    (id,) = house.add(1)
    assert looks(house)["explain"](id).inspection.targets
    assert listings(house) == 1
    house.replace_worker()
    house.worker.indexer.freshen()
    assert looks(house)["explain"](id).inspection.targets
    assert listings(house) == 1

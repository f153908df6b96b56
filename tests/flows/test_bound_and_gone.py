"""An item that is bound to a scene which is gone from Stash: it is free for the scene that has its file now."""

from plexsync.rules.queue.job import State
from tests.engine.test_engine_matching import bind, title_of


def test_a_scene_that_was_scanned_anew_gets_the_item_that_was_bound_to_it_before(house):
    one, _ = house.in_step(2)
    key = house.key_of(one)
    bind(house, one, key)
    house.work_until_settled()
    house.stash_sim.destroy_scene(one)
    again = house.add_scene(0, title="Scanned anew")
    house.want(one, again)
    house.clock.move(2)
    house.work_until_settled()
    assert house.row(one).state is State.GONE
    # Its hook may have come before it was known that the other one is gone.
    assert house.worker.reconciler.try_reconcile()
    house.work_until_settled()
    assert title_of(house, key) == "Scanned anew"
    assert house.row(again).state is State.IDLE


def test_a_bound_scene_that_comes_back_has_its_item_again(house):
    one, other = house.in_step(2)
    key = house.key_of(other)
    bind(house, one, key)
    house.work_until_settled()
    assert title_of(house, key) == "Title 0"
    backup = house.stash_sim.backup()
    house.stash_sim.destroy_scene(one)
    house.want(one)
    house.clock.move(2)
    house.work_until_settled()
    assert house.row(one).state is State.GONE
    assert house.worker.reconciler.try_reconcile()
    house.work_until_settled()
    assert title_of(house, key) == "Title 1"
    house.stash_sim.restore(backup)
    house.want(one)
    house.clock.move(2)
    house.work_until_settled()
    assert title_of(house, key) == "Title 0"

"""What was remembered of scenes goes with their rows, once they are gone from Stash for long."""

from plexsync.rules.match.match_records import Binding
from plexsync.rules.merge.plan_records import Pushing
from plexsync.rules.queue.job import State
from tests.engine.house import DAY, path_of


def prune(house):
    """Let the retention pass, a day at a time: after a leap of the clock nothing is pruned."""
    for _ in range(33):
        house.clock.move(DAY)
        house.worker.engine.prune()


def remembered(house):
    return {scene for (scene,) in house.rows("select distinct subject from memory")}


def test_the_memory_of_a_gone_scene_goes_with_its_row_and_no_other(house):
    gone, dropped, kept = house.in_step(3)
    house.stash_sim.destroy_scene(gone)
    house.want(gone)
    house.clock.move(2)
    house.work()
    with house.store.writing() as tx:
        tx.pushings.add(gone, "99", Pushing({}, 0))
        tx.jobs.set_aside("scene", dropped, now=house.clock.now())
    assert house.row(gone).state is State.GONE
    assert remembered(house) == {gone, dropped, kept}
    prune(house)
    assert house.rows(f"select count(*) from job where id = {gone}") == [(0,)]
    assert remembered(house) == {dropped, kept}
    assert house.rows("select count(*) from pushing") == [(0,)]


def test_the_memory_of_a_scene_that_was_given_up_stays_with_its_items(house):
    given_up, _ = house.in_step(2)
    house.change(f"update job set state = 'dead', cls = 'refused', since = {house.clock.now()} where id = {given_up}")
    prune(house)
    assert house.rows(f"select count(*) from job where id = {given_up}") == [(0,)]
    assert given_up in remembered(house)


def test_what_you_said_about_a_gone_scene_goes_with_its_row_and_its_neighbour_stands_as_before(house):
    before, gone, after = house.in_step(3)
    with house.store.writing() as tx:
        for id in (before, gone, after):
            tx.bindings.bind(Binding(id, house.key_of(id), (path_of(id),), house.clock.now()), "")
            tx.notes.save(f"kept:{id}", "1")
    house.stash_sim.destroy_scene(gone)
    house.want(gone)
    house.clock.move(2)
    house.work()
    assert house.rows("select scene, word from standing order by scene") == [(before, "in step"), (after, "in step")]
    prune(house)
    with house.store.reading() as db:
        assert {binding.scene for binding in db.bindings.all()} == {before, after}
    assert house.rows("select name from note where name like 'kept:%' order by name") == [
        (f"kept:{before}",),
        (f"kept:{after}",),
    ]

"""What you approved is written, and nothing else, however the scene changes on the way."""

import pytest

from plexsync.flows.scenes.preview import Approved, approve, preview_scenes
from plexsync.flows.scenes.verbs import status_in, want_all
from plexsync.rules.merge.approval import ApprovedScene
from plexsync.rules.queue.job import Kind, State, Why
from plexsync.rules.words.status_words import SceneStatus
from plexsync.simulator.http import Fault
from plexsync.store.queue.notes import APPROVED
from tests.engine.house import fails
from tests.flows.test_preview import preview
from tests.flows.test_undo import undo


def planned(house, *ids, fields=None, **how):
    """The planned changes of these scenes, of these fields only."""
    return [
        ApprovedScene(
            one.id,
            {
                item.key: {change.field: change for change in item.fields if not fields or change.field in fields}
                for item in one.items
            },
        )
        for one in preview(house, list(ids), **how).values()
    ]


def approved(house, scenes, **how):
    result = Approved()
    worker = house.worker
    approve(worker.inspector, scenes, result, **how)
    house.clock.move(3)
    return result


def edited(house, **changes):
    (id,) = house.in_step(1)
    house.stash_sim.quiet_edit(id, **(changes or {"title": "New", "tags": ["Fresh"]}))
    return id


def shown(house, id):
    item = house.plex_sim.item(house.key_of(id))
    return item.scalars["title"], list(item.lists["genre"])


def marks(house, *ids):
    with house.store.reading() as db:
        return db.notes.of_scenes(APPROVED, ids)


def test_all_of_a_scene_is_written_and_it_is_in_sync(house):
    id = edited(house)
    result = approved(house, planned(house, id))
    assert (result.queued, result.changes, result.refused) == ([id], 2, {})
    house.work()
    assert shown(house, id) == ("New", ["Fresh"])
    assert (house.row(id).state, marks(house, id)) == (State.IDLE, {})
    assert house.books_balance()


def test_of_a_part_only_that_is_written_and_the_scene_rests_until_it_is_edited(house):
    id = edited(house)
    approved(house, planned(house, id, fields=("genre",)))
    house.work()
    assert shown(house, id) == ("Title 0", ["Fresh"])
    row = house.row(id)
    assert (row.state, row.error) == (
        State.DROPPED, "you approved only a part of its changes (plexsync sync SCENE writes the rest)"
    )  # fmt: skip
    assert marks(house, id) == {}
    house.worker.reconciler.reconcile()
    house.work()
    assert (house.row(id).state, shown(house, id)[0]) == (State.DROPPED, "Title 0")
    assert house.books_balance()
    house.edit(id, details="More")
    house.clock.move(3)
    house.work()
    assert (house.row(id).state, shown(house, id)[0]) == (State.IDLE, "New")
    assert house.out_of_step([id]) == []
    assert house.books_balance()


def test_what_was_skipped_has_a_status_of_its_own_and_is_taken_up_by_a_sync_of_everything(house):
    id = edited(house)
    approved(house, planned(house, id, fields=("genre",)))
    house.work()
    with house.store.reading() as db:
        assert db.standings.counts()[SceneStatus.SKIPPED][0] == 1
        assert db.standings.scenes(SceneStatus.SKIPPED, limit=9) == [id]
        assert (db.standings.scenes(SceneStatus.DROPPED, limit=9), status_in(db, id)) == ([], SceneStatus.SKIPPED)
    (rest,) = [one for one in preview_scenes(house.worker.glances) if one.id == id]
    assert [change.field for item in rest.items for change in item.fields] == ["title"]
    want_all(house.store, house.worker.stash, house.worker.gates, house.clock)
    house.clock.move(3)
    house.work()
    assert (house.row(id).state, shown(house, id)[0]) == (State.IDLE, "New")
    assert house.books_balance()


def test_a_scene_that_you_dropped_yourself_is_not_taken_up_with_what_was_skipped(house):
    id = edited(house)
    approved(house, planned(house, id, fields=("genre",)))
    house.work()
    house.want(id)
    with house.store.writing() as tx:
        assert tx.jobs.set_aside(Kind.SCENE, id, now=house.clock.now())
    want_all(house.store, house.worker.stash, house.worker.gates, house.clock)
    assert house.row(id).state is State.DROPPED


def test_a_full_comparison_queues_the_rest_once_stash_says_something_else(house):
    id = edited(house)
    approved(house, planned(house, id, fields=("genre",)))
    house.work()
    house.stash_sim.quiet_edit(id, title="Newer")
    house.worker.reconciler.reconcile()
    house.clock.move(3)
    house.work()
    assert shown(house, id)[0] == "Newer"


@pytest.mark.parametrize("where", ["plex", "stash"])
def test_a_scene_that_changed_after_the_preview_is_refused_and_not_queued(house, where):
    id = edited(house)
    scenes = planned(house, id)
    if where == "plex":
        house.plex_sim.hand_edit(house.key_of(id), title="By an agent", locked=False)
    else:
        house.stash_sim.quiet_edit(id, title="Newer")
    words = {"plex": "its title has changed in Plex", "stash": "its title would become something else now"}[where]
    assert approved(house, scenes).refused == {id: words}
    house.work()
    assert (house.row(id).state, house.plex_sim.count("PUT"), marks(house, id)) == (State.IDLE, 0, {})


def test_nothing_is_written_if_plex_changed_between_the_approval_and_the_write(house):
    id = edited(house)
    approved(house, planned(house, id))
    house.plex_sim.hand_edit(house.key_of(id), title="By an agent", locked=False)
    house.work()
    row = house.row(id)
    assert (shown(house, id), row.state) == (("By an agent", ["Tag 0"]), State.DROPPED)
    assert "no longer true: its title has changed in Plex" in row.error
    assert (marks(house, id), house.books_balance()) == ({}, True)


def test_an_edit_after_the_approval_syncs_the_whole_scene_as_ever(house):
    id = edited(house)
    approved(house, planned(house, id, fields=("genre",)))
    house.edit(id, details="More")
    house.clock.move(3)
    house.work()
    assert (house.row(id).state, shown(house, id), marks(house, id)) == (State.IDLE, ("New", ["Fresh"]), {})
    assert house.out_of_step([id]) == []


def test_an_approval_outlives_an_outage(house):
    id = edited(house)
    approved(house, planned(house, id, fields=("genre",)))
    house.plex_sim.faults.set(fails("PUT"))
    house.work()
    assert house.row(id).state is State.READY
    house.plex_sim.faults.clear()
    house.work_until_settled()
    assert (house.row(id).state, shown(house, id)) == (State.DROPPED, ("Title 0", ["Fresh"]))


def test_a_queued_scene_is_not_approved_in_part_since_all_of_it_is_synced(house):
    id = edited(house)
    scenes = planned(house, id, fields=("genre",))
    house.want(id)
    assert approved(house, scenes).refused == {id: "it is queued already"}


def test_scenes_that_rest_or_are_gone_are_refused_each_with_its_reason(house):
    ids = house.in_step(6)
    for id in ids:
        house.stash_sim.quiet_edit(id, title="New")
    scenes = planned(house, *ids)
    house.change("update job set state = 'ignored' where id = 1")
    house.stash_sim.destroy_scene(2)
    undo(house, 3)
    house.work()
    house.change("update job set state = 'running' where id = 4")
    house.plex_sim.remove(house.key_of(5))
    house.plex_sim.faults.set(Fault("status", status=500, when=lambda request: house.key_of(6) in request.path))
    refused = approved(house, scenes).refused
    assert refused.keys() == set(ids)
    assert refused[1] == "it is ignored"
    assert "Stash has no such scene" in refused[2]
    assert refused[3] == "it is undone or released"
    assert refused[4] == "it is queued already"
    assert refused[5].startswith("no item in Plex has this file")
    assert refused[6].endswith("failed inside (500)")


def test_a_scene_that_was_never_queued_can_be_approved(house):
    (id,) = house.add(1)
    house.worker.indexer.freshen(force=True)
    scenes = planned(house, id)
    house.change("delete from job")
    assert approved(house, scenes).queued == [id]
    house.work()
    assert shown(house, id)[0] == "Title 0"


def test_what_is_there_already_is_no_work(house):
    id = edited(house)
    scenes = planned(house, id)
    approved(house, scenes)
    house.work()
    house.forget_requests()
    result = approved(house, scenes)
    assert (result.done, result.queued, result.refused) == ([id], [], {})
    house.work()
    assert house.plex_sim.count("PUT") == 0


def test_an_item_of_which_nothing_was_approved_is_left_alone(house):
    id = edited(house)
    (scene,) = planned(house, id)
    other = ApprovedScene(id, {"999": scene.items[house.key_of(id)]})
    assert approved(house, [other]).refused == {id: "it has another item in Plex now"}


def test_a_take_over_takes_over_what_was_approved_and_nothing_else(house):
    (id,) = house.add(1)
    key = house.key_of(id)
    house.plex_sim.hand_edit(key, genre=["Old one"], locked=False)
    house.plex_sim.hand_edit(key, studio="Other tool", locked=True)
    house.want(id)
    house.work()
    approved(house, planned(house, id, fields=("studio",), take_over=True), take_over=True)
    house.work()
    item = house.plex_sim.item(key)
    assert (item.scalars["studio"], list(item.lists["genre"])) == ("Studio 0", ["Old one", "Tag 0"])


def test_a_dead_letter_can_be_approved(house):
    id = edited(house)
    house.change("update job set state = 'dead', cls = 'refused', error = 'no'")
    approved(house, planned(house, id))
    house.work()
    with house.store.reading() as db:
        assert db.jobs.find(Kind.SCENE, id).state is State.IDLE
    assert shown(house, id)[0] == "New"


def test_a_sweep_meanwhile_does_not_widen_it(house):
    id = edited(house)
    approved(house, planned(house, id, fields=("genre",)))
    house.want(id, why=Why.SWEEP)
    house.work()
    assert shown(house, id) == ("Title 0", ["Fresh"])

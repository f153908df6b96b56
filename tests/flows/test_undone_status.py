"""The status of undone scenes: what it is while they rest, and what ends it, also on items that they no longer have."""

import pytest

from plexsync.app.named_scenes import ignore_scenes
from plexsync.engine.undo import wish_undone
from plexsync.flows.scenes.preview import preview_scenes
from plexsync.flows.scenes.undo import SceneUndo, redo_scenes
from plexsync.flows.scenes.verbs import explain, status_in
from plexsync.rules.merge.desired import Profile
from plexsync.rules.queue.job import State
from plexsync.rules.words.status_words import SceneStatus
from tests.engine.house import House, fails, path_of


def undo(house, *ids, how="undo", by=None):
    worker = by or house.worker
    wish_undone(house.store, SceneUndo(worker.inspector), house.clock, ids, how)
    house.clock.move(3)


def redo(house, *ids):
    redone = redo_scenes(house.store, house.clock, ids)
    house.clock.move(3)
    return redone


def status(house, id):
    with house.store.reading() as db:
        return status_in(db, id)


def marks(house):
    return house.rows("select subject, undone from memory where undone <> '' order by 1, 2")


def test_a_scene_is_queued_until_its_undo_is_done_and_then_undone(house):
    (id,) = house.in_step()
    undo(house, id)
    assert status(house, id) is SceneStatus.QUEUED
    house.work()
    assert status(house, id) is SceneStatus.UNDONE
    assert house.states() == {State.IDLE: 1}
    assert house.books_balance()


def test_the_time_since_when_it_is_undone_stays_when_it_is_looked_at_again(house):
    (id,) = house.in_step()
    undo(house, id)
    house.work()
    with house.store.reading() as db:
        stood = db.standings.find(id)
    house.clock.move(100)
    house.want(id)
    house.work()
    house.worker.reconciler.reconcile()
    with house.store.reading() as db:
        assert (stood.word, db.standings.find(id)) == ("undone", stood)


@pytest.mark.parametrize(("first", "second"), [("undo", "release"), ("release", "undo")])
def test_of_several_items_one_that_was_undone_decides(house, first, second):
    (id,) = house.in_step()
    other = house.plex_sim.add_movie(house.section, files=[(path_of(0), 1000, 60_000)], title="second copy")
    house.worker.indexer.freshen(force=True)
    house.want(id)
    house.work()
    assert house.rows("select count(*) from memory") == [(2,)]
    undo(house, id, how=first)
    house.work()
    keys = sorted([other, *(key for key in house.plex_sim.keys(house.section) if key != other)])
    house.change(f"update memory set undone = '{second}' where item = '{keys[0]}'")
    assert status(house, id) is SceneStatus.UNDONE
    with house.store.reading() as db:
        assert db.standings.scenes(SceneStatus.UNDONE, limit=9) == [id]
        assert db.standings.scenes(SceneStatus.RELEASED, limit=9) == []
        assert db.memories.count_undone() == {"undo": 1}


def test_an_edit_ends_the_undo_also_of_an_item_that_the_scene_no_longer_has(house):
    """The mark on the earlier item must not call the scene undone, nor undo it again when the edit is taken back."""
    (id,) = house.in_step()
    undo(house, id)
    house.work()
    house.stash_sim.rename_file(path_of(0), "/media/moved.mp4")
    house.plex_sim.add_movie(house.section, files=[("/media/moved.mp4", 1000, 60_000)], title="moved")
    house.worker.indexer.freshen(force=True)
    house.edit(id, title="Edited")
    house.work()
    assert house.title_in_plex(id) == "Edited"
    assert status(house, id) is SceneStatus.IN_SYNC
    assert marks(house) == []
    house.edit(id, title="Title 0")
    house.work()
    assert house.title_in_plex(id) == "Title 0"
    assert status(house, id) is SceneStatus.IN_SYNC


def test_a_comparison_that_finds_an_edited_scene_in_sync_ends_its_undo(tmp_path):
    with House(tmp_path / "titles", profile=Profile(frozenset({"title"}))) as house:
        (id,) = house.add()
        house.want(id)
        house.work()
        undo(house, id, how="release")
        house.work()
        house.plex_sim.hand_edit(house.key_of(id), title="Both say so")
        house.stash_sim.edit_scene(id, title="Both say so")
        assert house.worker.reconciler.reconcile().wanted == 0
        assert status(house, id) is SceneStatus.IN_SYNC
        assert marks(house) == []


def test_redo_does_what_an_edit_does(house):
    """Two scenes are undone; one is redone, the other edited and edited back. Plex then shows both as Stash has them."""
    redone, edited = house.in_step(2)
    house.plex_sim.hand_edit(house.key_of(redone), studio="By hand")
    house.plex_sim.hand_edit(house.key_of(edited), studio="By hand")
    undo(house, redone, edited)
    house.work()
    assert redo(house, redone).scenes == [redone]
    house.edit(edited, title="Changed")
    house.work()
    house.edit(edited, title="Title 1")
    house.work()
    shown = [house.plex_sim.item(house.key_of(id)) for id in (redone, edited)]
    assert [item.scalars["title"] for item in shown] == ["Title 0", "Title 1"]
    assert shown[0].scalars["studio"] == shown[1].scalars["studio"]
    assert shown[0].locks == shown[1].locks
    assert marks(house) == []


def test_redo_before_the_undo_was_worked_changes_nothing_in_plex(house):
    (id,) = house.in_step()
    undo(house, id)
    assert redo(house, id).scenes == [id]
    house.work()
    assert house.plex_sim.count("PUT") == 0
    assert status(house, id) is SceneStatus.IN_SYNC
    house.edit(id, title="Later")
    house.work()
    assert house.title_in_plex(id) == "Later"


def test_redo_while_plex_refuses_the_undo_ends_in_sync(house):
    id, _other = house.in_step(2)
    house.plex_sim.faults.set(fails("PUT", house.key_of(id), status=400))
    undo(house, id)
    house.work_for(600)
    assert house.row(id).state is State.DEAD
    house.plex_sim.faults.clear()
    redo(house, id)
    house.work_until_settled()
    assert house.out_of_step([id]) == []
    assert status(house, id) is SceneStatus.IN_SYNC
    assert house.books_balance()


def test_a_worker_that_holds_the_scene_loses_it_to_a_redo(house):
    (id,) = house.in_step()
    undo(house, id)
    with house.store.writing() as tx:
        (job,) = tx.jobs.claim(1, now=house.clock.now(), lease_ms=30_000, holder="slow")
    redo(house, id)
    with house.store.writing() as tx:
        assert not tx.jobs.renew([job.token], until=house.clock.now() + 30_000)
    house.work()
    assert house.out_of_step([id]) == []
    assert house.books_balance()


def test_an_ignored_scene_is_not_redone(house):
    (id,) = house.in_step()
    undo(house, id)
    house.work()
    ignore_scenes(house.store, [id], house.clock)
    assert redo(house, id).ignored == [id]
    assert status(house, id) is SceneStatus.IGNORED
    assert marks(house) == [(id, "undo")]


def test_a_preview_of_a_redo_shows_what_the_worker_then_writes(house):
    first, second = house.in_step(2)
    undo(house, first, second)
    house.work()
    house.forget_requests()
    (shown,) = preview_scenes(house.worker.glances, [first], redo=True)
    assert shown.standing == "would_change"
    titles = [field.new.value for item in shown.items for field in item.fields if field.field == "title"]
    assert titles == ["Title 0"]
    assert house.plex_sim.count("PUT") == 0
    assert status(house, first) is SceneStatus.UNDONE, "a preview changes nothing"
    (still,) = preview_scenes(house.worker.glances, [second])
    assert still.standing == "undone", "without it, a sync leaves the scene alone"


def test_where_another_scene_has_the_item_by_now_a_redo_takes_over_what_that_one_wrote(house):
    (first,) = house.in_step()
    undo(house, first)
    house.work()
    house.stash_sim.rename_file(path_of(0), "/media/elsewhere.mp4")
    second = house.add_scene(0, title="Another scene")
    house.want(second)
    house.work()
    assert house.plex_sim.item(house.key_of(second)).scalars["title"] == "Another scene"
    assert status(house, first) is SceneStatus.UNDONE
    redo(house, first)
    house.work()
    assert house.plex_sim.item(house.key_of(second)).scalars["title"] == "Another scene"
    assert status(house, first) is SceneStatus.NOT_IN_PLEX


def test_explain_has_the_status_that_the_lists_have(house):
    (id,) = house.in_step()
    undo(house, id, how="release")
    house.work()
    explained = explain(house.worker.inspector, id)
    assert (explained.status, explained.inspection.undone) == (SceneStatus.RELEASED, "release")

"""Taking over: what was in Plex before us becomes ours, once, whatever happens between the wish and the push."""

import pytest

from plexsync.flows.scenes.preview import preview_scenes
from plexsync.flows.scenes.undo import mark_all_undone
from plexsync.flows.scenes.verbs import want_all, want_scenes
from plexsync.rules.queue.job import State, Why
from plexsync.store.queue.notes import TAKE_OVER
from tests.engine.house import House
from tests.engine.test_engine_crashes import kill_at
from tests.flows.test_undo import pictures, undo


def take_over(house, *ids):
    want_scenes(house.store, ids, Why.USER, house.clock, take_over=True)
    house.clock.move(3)


def marks(house, *ids):
    with house.store.reading() as db:
        return db.notes.of_scenes(TAKE_OVER, ids)


def genres(house, id):
    return list(house.plex_sim.item(house.key_of(id)).lists["genre"])


def before_us(house, count=1):
    """Scenes whose items another tool has filled, and a person locked a studio."""
    ids = house.add(count)
    for id in ids:
        key = house.key_of(id)
        house.plex_sim.hand_edit(key, genre=["Old one", "Tag 0"], locked=False)
        house.plex_sim.hand_edit(key, studio="Other tool", locked=True)
    return ids


def test_what_was_there_before_us_stays_until_it_is_taken_over(house):
    (id,) = before_us(house)
    house.want(id)
    house.work()
    item = house.plex_sim.item(house.key_of(id))
    assert (item.scalars["studio"], genres(house, id)) == ("Other tool", ["Old one", "Tag 0"])
    take_over(house, id)
    house.work()
    item = house.plex_sim.item(house.key_of(id))
    assert (item.scalars["studio"], genres(house, id)) == ("Studio 0", ["Tag 0"])
    assert house.out_of_step([id]) == []


def test_a_second_take_over_writes_nothing_and_no_mark_is_left(house):
    ids = before_us(house, 3)
    for _ in range(2):
        take_over(house, *ids)
        assert marks(house, *ids).keys() == set(ids)
        house.work()
        assert marks(house, *ids) == {}
        puts = house.plex_sim.count("PUT")
        house.forget_requests()
    assert puts == 0
    assert house.books_balance()


def test_an_adopted_name_goes_with_its_tag_and_one_a_person_adds_later_stays(house):
    (id,) = before_us(house)
    take_over(house, id)
    house.work()
    house.plex_sim.hand_edit(house.key_of(id), genre=["Tag 0", "By hand"])
    house.stash_sim.edit_scene(id, tags=["New"])
    house.want(id)
    house.clock.move(3)
    house.work()
    assert sorted(genres(house, id)) == ["By hand", "New"]
    take_over(house, id)
    house.work()
    assert sorted(genres(house, id)) == ["By hand", "New"]


def test_what_a_take_over_removed_and_a_person_put_back_stays_through_the_next_one(house):
    (id,) = before_us(house)
    take_over(house, id)
    house.work()
    assert genres(house, id) == ["Tag 0"]
    house.plex_sim.hand_edit(house.key_of(id), genre=["Tag 0", "Old one"])
    house.want(id)
    house.clock.move(3)
    house.work()
    before = pictures(house)
    take_over(house, id)
    house.forget_requests()
    house.work()
    assert (house.plex_sim.count("PUT"), pictures(house)) == (0, before)
    undo(house, id)
    house.work()
    assert "Old one" in genres(house, id)


def test_a_name_that_a_person_took_away_and_put_back_is_not_taken_over(house):
    (id,) = before_us(house)
    take_over(house, id)
    house.work()
    for names in (["By hand"], ["By hand", "Tag 0"]):
        house.plex_sim.hand_edit(house.key_of(id), genre=names)
        house.want(id)
        house.clock.move(3)
        house.work()
    house.stash_sim.edit_scene(id, tags=["New"])
    take_over(house, id)
    house.work()
    assert sorted(genres(house, id)) == ["By hand", "New", "Tag 0"]


def test_what_a_person_edited_after_us_is_not_taken_over(house):
    (id,) = house.in_step(1)
    house.plex_sim.hand_edit(house.key_of(id), title="By hand")
    take_over(house, id)
    house.work()
    assert house.title_in_plex(id) == "By hand"


def test_a_list_that_stash_has_nothing_for_is_left_alone(house):
    house.plex_sim.add_movie(house.section, files=[("/media/0.mp4", 1000, 60_000)], title="file")
    id = house.stash_sim.add_scene(title="Bare", files=[("/media/0.mp4", 1000, 60.0)])
    house.plex_sim.hand_edit(house.key_of(id), genre=["Old one"], locked=False)
    take_over(house, id)
    house.work()
    assert genres(house, id) == ["Old one"]


def test_an_undo_after_a_take_over_brings_everything_back(house):
    ids = before_us(house, 3)
    before = pictures(house)
    take_over(house, *ids)
    house.work()
    assert pictures(house) != before
    undo(house, *ids)
    house.work()
    assert pictures(house) == before
    house.forget_requests()
    undo(house, *ids)
    house.work()
    assert house.plex_sim.count("PUT") == 0


def test_an_undo_brings_back_what_went_with_the_last_tag_as_well(house):
    (id,) = before_us(house)
    before = pictures(house)
    take_over(house, id)
    house.work()
    house.stash_sim.edit_scene(id, tags=[])
    house.want(id)
    house.clock.move(3)
    house.work()
    assert genres(house, id) == []
    undo(house, id)
    house.work()
    assert pictures(house) == before


def test_an_undo_takes_the_wish_back_too(house):
    (id,) = before_us(house)
    house.want(id)
    house.work()
    before = pictures(house)
    take_over(house, id)
    undo(house, id)
    assert marks(house, id) == {}
    house.work()
    assert genres(house, id) == ["Old one", "Tag 0"]
    assert pictures(house) != before


def test_an_undo_of_what_was_never_pushed_takes_the_wish_back(house):
    ids = before_us(house, 2)
    take_over(house, *ids)
    undo(house, ids[0])
    assert marks(house, *ids).keys() == {ids[1]}
    mark_all_undone(house.worker.inspector, "undo")
    assert marks(house, *ids) == {}


@pytest.mark.parametrize("moment", ["scenes", "items", "edit", "read back"])
def test_the_wish_outlives_a_kill_at_every_step(house, moment):
    (id,) = before_us(house)
    before = pictures(house)
    take_over(house, id)
    sent = []

    def at(method, _args):
        sent.extend([method] if method == "edit" else [])
        return bool(sent) and method == "items" if moment == "read back" else method == moment

    kill_at(house, at)
    assert marks(house, id)
    house.clock.move(700)
    house.work()
    assert (genres(house, id), marks(house, id)) == (["Tag 0"], {})
    assert house.plex_sim.item(house.key_of(id)).scalars["studio"] == "Studio 0"
    undo(house, id)
    house.work()
    assert pictures(house) == before


def test_a_wish_made_while_its_scene_is_in_work_is_done_afterwards(house):
    ids = before_us(house, 2)
    house.want(*ids)
    house.clock.move(3)
    with house.store.writing() as tx:
        (job, _) = tx.jobs.claim(2, now=house.clock.now(), lease_ms=120_000, holder="another")
    want_all(house.store, house.worker.stash, house.worker.gates, house.clock, take_over=True)
    assert house.row(job.id).state is State.RUNNING
    house.replace_worker(holder="next")
    house.worker.engine.reclaim()
    house.clock.move(700)
    house.work()
    assert [genres(house, id) for id in ids] == [["Tag 0"], ["Tag 1"]]
    assert marks(house, *ids) == {}


def test_a_wish_that_is_renewed_during_a_look_is_not_done_by_it(house):
    (id,) = before_us(house)
    take_over(house, id)
    old = marks(house, id)[id]
    house.clock.move(1)
    take_over(house, id)
    with house.store.writing() as tx:
        tx.notes.end_take_over(id, old)
    assert marks(house, id)
    house.work()
    assert marks(house, id) == {}


def test_an_undone_scene_stays_as_it_was_and_the_wish_is_over(house):
    (id,) = before_us(house)
    before = pictures(house)
    house.want(id)
    house.work()
    undo(house, id)
    house.work()
    take_over(house, id)
    house.work()
    assert (pictures(house), marks(house, id)) == (before, {})


def test_a_dry_run_shows_what_a_take_over_would_do_and_wishes_nothing(tmp_path):
    with House(tmp_path / "data") as house:
        (id,) = before_us(house)
        house.want(id)
        house.work()
        assert [one.standing for one in preview_scenes(house.worker.glances, [id])] == ["kept_for_a_person"]
        (seen,) = preview_scenes(house.worker.glances, [id], take_over=True)
        changes = {change.field: change for change in seen.items[0].fields}
        assert changes["genre"].removes == ("Old one",)
        assert changes["studio"].new.value == "Studio 0"
        assert marks(house, id) == {}
        assert genres(house, id) == ["Old one", "Tag 0"]

"""A preview tells exactly what a sync would do, and does nothing."""

import pytest

from plexsync.flows.scenes.preview import WOULD_CHANGE, preview_scenes
from plexsync.rules.match.scope import Scope, Term
from plexsync.rules.queue.job import Kind, State, Why
from plexsync.rules.servers.errors import Neighbour, Unavailable
from tests.engine.house import House, fails, path_of


def preview(house, ids=None, **more):
    return {one.id: one for one in preview_scenes(house.worker.glances, ids, **more)}


def told(one):
    """By field: value before and after, names that come and go, lock before and after."""
    return {
        change.field: (
            change.old.value,
            change.new.value,
            change.adds,
            change.removes,
            change.old.locked,
            change.new.locked,
        )
        for item in one.items
        for change in item.fields
    }


QUEUE = (
    "select * from job",
    "select * from attempt",
    "select * from memory",
    "select * from pushing",
    "select * from push",
)


def everything(house):
    return [house.rows(sql) for sql in QUEUE]


def test_every_field_that_would_change_is_told_with_both_values_and_locks(house):
    house.in_step(2)
    house.stash_sim.quiet_edit(1, title="New", tags=["Tag 0", "Fresh"], studio=None)
    found = preview(house)
    assert {id: one.standing for id, one in found.items()} == {1: WOULD_CHANGE, 2: "in_step"}
    assert told(found[1]) == {
        "title": ("Title 0", "New", (), (), True, True),
        "studio": ("Studio 0", "", (), (), True, False),
        "genre": (("Tag 0",), ("Tag 0", "Fresh"), ("Fresh",), (), True, True),
        "collection": (("Studio 0",), (), (), ("Studio 0",), True, False),
    }
    assert (found[1].title, found[1].items[0].key) == ("New", house.key_of(1))


def test_what_was_told_is_what_a_sync_does_afterwards(house):
    ids = house.in_step(6)
    house.stash_sim.quiet_edit(2, title="New", details="What happens", date="2021-03")
    house.stash_sim.quiet_edit(3, tags=[])
    house.plex_sim.hand_edit(house.key_of(4), title="By hand")
    house.plex_sim.hand_edit(house.key_of(5), locked=False, title="By the agent")
    found = preview(house)
    house.want(*ids)
    house.clock.move(2)
    house.work()
    pushed = {}
    for id in ids:
        with house.store.reading() as db:
            (newest, *_) = db.pushes.of(Kind.SCENE, id)
        fresh = {field: (moved.old.value, moved.new.value) for field, moved in newest.moved.items()}
        pushed |= {id: fresh} if newest.at >= house.clock.now() - 2000 else {}
    would = {
        id: {
            field: (old, new)
            for field, (old, new, *_, before, after) in told(one).items()
            if (old, before) != (new, after)
        }
        for id, one in found.items()
        if one.standing == WOULD_CHANGE
    }
    assert would == pushed
    assert set(would) == {2, 3, 5}
    assert preview(house) != found
    assert all(one.standing in ("in_step", "kept_for_a_person") for one in preview(house).values())


def test_what_was_cut_and_what_is_kept_is_noted(house):
    house.in_step(1)
    house.stash_sim.quiet_edit(1, title="x" * 300)
    house.plex_sim.hand_edit(house.key_of(1), studio="By hand")
    (one,) = preview(house).values()
    assert [(note.field, note.reason) for note in one.notes] == [("title", "cut"), ("studio", "person")]


def test_every_standing_has_its_word(tmp_path):
    with House(tmp_path / "data", scope=Scope((Term("tag", "Private", leaves_out=True),))) as house:
        ids = house.in_step(7)
        house.stash_sim.quiet_edit(2, title="Changed")
        house.stash_sim.quiet_edit(3, tags=["Private"])
        house.plex_sim.hand_edit(house.key_of(4), title="By hand")
        house.add_scene(77)
        for id in (5, 6, 7):
            house.stash_sim.quiet_edit(id, title="Changed")
        house.change("update job set state = 'ignored' where id = 5")
        house.change("update job set state = 'dropped' where id = 6")
        house.change("update job set state = 'dead', cls = 'refused' where id = 7")
        found = preview(house)
        words = [
            "in_step",
            WOULD_CHANGE,
            "out_of_scope",
            "kept_for_a_person",
            "ignored",
            "dropped",
            "given_up",
            "absent",
        ]
        assert [one.standing for one in found.values()] == words
        assert found[3].reason == "out of scope: it has the tag Private"
        assert found[6].reason == "you removed it from the queue"
        assert found[8].reason == "no item in Plex has this file (yet)"
        assert not any(one.items for one in found.values() if one.standing != WOULD_CHANGE)
        named = preview(house, [*ids, 99])
        assert [named[id].standing for id in (5, 6, 7, 99)] == ["ignored", WOULD_CHANGE, WOULD_CHANGE, "gone"]
        assert named[99].title == ""


def test_nothing_is_written_to_plex_to_stash_or_to_the_queue(house):
    house.in_step(3)
    house.add(3, start=10)
    house.add_scene(77)
    house.want(4, why=Why.SWEEP)
    house.want(7)
    house.work()
    house.stash_sim.quiet_edit(1, title="Changed")
    house.forget_requests()
    before = everything(house)
    preview(house)
    preview(house, [1, 4, 7, 99])
    assert everything(house) == before
    assert house.plex_sim.count("PUT") == 0
    assert not [one for one in house.stash_sim.log if b"mutation" in one.body]


def test_what_plex_has_now_is_seen_without_anybody_being_woken_or_wanted_by_that(house):
    ids = house.in_step(3)
    absent = house.add_scene(77)
    house.want(absent)
    house.work()
    house.plex_sim.advance(100)
    house.plex_sim.hand_edit(house.key_of(2), locked=False, title="By the agent")
    house.plex_sim.remove(house.key_of(3))
    house.plex_sim.add_movie(house.section, files=[(path_of(77), 1077, 60_000)], title="come")
    house.plex_sim.finish_scan(house.section)
    house.clock.move(600)
    before = everything(house)
    found = preview(house)
    assert {id: one.standing for id, one in found.items()} == {
        ids[0]: "in_step",
        ids[1]: WOULD_CHANGE,
        ids[2]: "absent",
        absent: WOULD_CHANGE,
    }
    assert everything(house) == before
    house.worker.indexer.freshen()
    # And it is news for the worker all the same.
    assert {house.row(id).state for id in ids[1:]} == {State.READY}


def test_an_item_that_was_added_anew_is_seen_and_stays_news_for_the_worker(house):
    house.in_step(2)
    house.plex_sim.advance(100)
    new = house.plex_sim.readd(house.key_of(2))
    house.clock.move(600)
    before = everything(house)
    found = preview(house)
    assert (found[2].standing, [item.key for item in found[2].items]) == (WOULD_CHANGE, [new])
    assert everything(house) == before
    house.worker.indexer.freshen()
    assert house.row(2).state is State.READY
    house.work()
    assert house.plex_sim.item(new).scalars["title"] == "Title 1"


def test_scenes_are_told_as_they_come_with_how_far_it_is(house):
    house.add(120)
    house.worker.indexer.freshen()
    house.forget_requests()
    seen = []
    scenes = preview_scenes(house.worker.glances, progress=lambda done, total: seen.append((done, total)))
    first = next(scenes)
    assert (first.id, seen) == (1, [])
    assert house.plex_sim.count() == 2, "who the server is, and the items of one batch"
    assert len(list(scenes)) == 119
    assert seen == [(50, 120), (100, 120), (120, 120)]


def test_it_can_be_stopped_between_two_batches(house):
    house.add(120)
    seen = []
    scenes = preview_scenes(
        house.worker.glances, progress=lambda done, _total: seen.append(done), stopping=lambda: bool(seen)
    )
    assert len(list(scenes)) == 50


def test_an_item_that_cannot_be_read_is_told_as_failed_with_the_reason(house):
    house.in_step(3)
    house.plex_sim.faults.set(fails("GET", house.key_of(2)))
    found = preview(house)
    assert {id: one.standing for id, one in found.items()} == {1: "in_step", 2: "failed", 3: "in_step"}
    assert "500" in found[2].reason


@pytest.mark.parametrize("who", Neighbour)
def test_a_side_that_is_away_ends_it(house, who):
    house.in_step(2)
    sim = house.plex_sim if who is Neighbour.PLEX else house.stash_sim
    sim.faults.set(fails("GET" if who is Neighbour.PLEX else "POST"))
    with pytest.raises(Unavailable):
        preview(house)


def test_an_ambiguous_scene_is_told_as_such_whatever_its_row_says(house):
    house.plex_sim.add_movie(house.section, files=[("/x/one.mp4", 5, 60_000)], title="one")
    house.plex_sim.add_movie(house.section, files=[("/y/one.mp4", 5, 60_000)], title="one")
    id = house.stash_sim.add_scene(title="One", files=[("/z/one.mp4", 5, 60.0)])
    assert preview(house)[id].standing == "ambiguous"
    house.want(id)
    house.work()
    assert house.row(id).state is State.DEAD
    assert preview(house)[id].standing == "ambiguous"

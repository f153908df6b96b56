"""Your decisions about fields that you edited in Plex: kept until taken back, or given up once; whatever happens between."""

from dataclasses import replace
from random import Random

import pytest

from plexsync.app.named_scenes import ignore_scenes
from plexsync.flows.scenes.drift import DriftAnswer, DriftFilter, SceneDecisions, drift_now, drift_page
from plexsync.flows.scenes.undo import redo_scenes
from plexsync.rules.merge.drift import kept_fields
from plexsync.rules.queue.job import State
from plexsync.rules.words.status_words import kept_word
from plexsync.simulator.http import Fault
from tests.engine.house import House
from tests.flows.test_other_server import accept
from tests.flows.test_undo import undo

KEEP, TAKE, UNKEEP = DriftAnswer.KEEP, DriftAnswer.TAKE, DriftAnswer.UNKEEP


def decisions(house):
    worker = house.worker
    return SceneDecisions(worker.glances)


def answer(house, what, *ids, **wanted):
    made = decisions(house).decide(ids, what, DriftFilter(**wanted))
    house.clock.move(3)
    return made


def page(house, **wanted):
    worker = house.worker
    return drift_page(worker.glances, DriftFilter(**wanted))


def names(house, **wanted):
    """The listed fields by scene: the open ones, and the kept ones with a star."""
    return {
        entry.id: [f"{one.name}{'*' if one.is_kept else ''}" for one in entry.fields]
        for entry in page(house, **wanted).entries
    }


def by_hand(house, id, locked=True, **values):
    house.plex_sim.hand_edit(house.key_of(id), locked=locked, **values)
    house.want(id)
    house.clock.move(3)
    house.work()


def compare(house):
    assert house.worker.reconciler.try_reconcile()
    house.clock.move(3)
    house.work()


def edited(house, count=1):
    # Another item comes first, so that no item has the number of its scene.
    house.plex_sim.add_movie(house.section, files=[("/media/other.mkv", 1, 60_000)], title="another")
    ids = house.in_step(count)
    for id in ids:
        by_hand(house, id, title=f"By hand {id}")
    return ids


def title(house, id):
    return house.title_in_plex(id)


def test_an_edit_in_plex_is_listed_as_soon_as_the_scene_was_looked_at(house):
    (id,) = edited(house)
    (entry,) = page(house).entries
    (field,) = entry.fields
    assert (entry.id, entry.library, field.name) == (id, "Movies", "title")
    assert (field.in_plex.value, field.in_stash, field.before) == (f"By hand {id}", "Title 0", False)
    assert entry.since is not None
    compare(house)
    assert names(house) == {id: ["title"]}


def test_a_kept_field_outlives_edits_in_stash_comparisons_and_a_restart(house):
    (id,) = edited(house)
    assert answer(house, KEEP, id).fields == 1
    assert names(house) == {id: ["title*"]}
    for new in ("First", "Second"):
        house.edit(id, title=new, studio=f"Studio {new}")
        house.work()
        compare(house)
        house.replace_worker()
        assert title(house, id) == f"By hand {id}"
        assert house.plex_sim.item(house.key_of(id)).scalars["studio"] == f"Studio {new}"
    by_hand(house, id, title="By hand again", locked=False)
    assert title(house, id) == "By hand again"
    assert names(house) == {id: ["title*"]}
    assert house.row(id).state is State.IDLE
    assert house.books_balance()


def test_a_keep_that_is_taken_back_writes_nothing_until_the_next_edit_in_stash(house):
    (id,) = edited(house)
    answer(house, KEEP, id)
    house.edit(id, title="While kept")
    house.work()
    assert answer(house, UNKEEP, id).fields == 1
    house.work()
    assert title(house, id) == f"By hand {id}"
    assert names(house) == {id: ["title"]}
    assert page(house).kept == 0
    house.edit(id, title="After")
    house.work()
    assert title(house, id) == "After"
    assert names(house) == {}


def test_taking_stashs_value_writes_it_once(house):
    (id,) = edited(house)
    answer(house, TAKE, id)
    house.work()
    assert title(house, id) == "Title 0"
    assert names(house) == {}
    by_hand(house, id, title="Once more")
    assert title(house, id) == "Once more"
    assert names(house) == {id: ["title"]}
    undo(house, id)
    house.work()
    assert title(house, id) == "Once more"


def test_a_value_that_was_set_between_the_decision_and_the_write_is_not_lost(house):
    (id,) = edited(house)
    answer(house, TAKE, id)
    house.plex_sim.hand_edit(house.key_of(id), title="Newer", locked=True)
    house.work()
    assert title(house, id) == "Newer"
    house.want(id)
    house.clock.move(3)
    house.work()
    assert title(house, id) == "Newer"


def test_removed_members_come_back_and_an_undo_restores_the_added_ones(house):
    (id,) = house.in_step(1)
    key = house.key_of(id)
    by_hand(house, id, genre=["Mine"])
    assert names(house) == {id: ["genre"]}
    answer(house, TAKE, id)
    house.work()
    assert list(house.plex_sim.item(key).lists["genre"]) == ["Tag 0"]
    undo(house, id)
    house.work()
    assert list(house.plex_sim.item(key).lists["genre"]) == ["Mine"]


def test_a_locked_value_from_before_can_be_kept_or_given_up(house):
    first, second = house.add(2)
    for id in (first, second):
        house.plex_sim.hand_edit(house.key_of(id), studio="Other tool", locked=True)
    house.want(first, second)
    house.work_until_settled()
    assert names(house) == {first: ["studio"], second: ["studio"]}
    house.edit(first, studio="Changed in Stash")
    house.work()
    assert [field.before for entry in page(house).entries for field in entry.fields] == [True, True]
    assert house.plex_sim.item(house.key_of(first)).scalars["studio"] == "Other tool"
    answer(house, KEEP, first)
    answer(house, TAKE, second)
    house.edit(first, studio="New")
    house.work()
    assert house.plex_sim.item(house.key_of(first)).scalars["studio"] == "Other tool"
    assert house.plex_sim.item(house.key_of(second)).scalars["studio"] == "Studio 1"
    undo(house, second)
    house.work()
    assert house.plex_sim.item(house.key_of(second)).scalars["studio"] == "Other tool"


def test_decisions_are_by_field_and_by_library(house):
    ids = edited(house, 2)
    by_hand(house, ids[0], studio="By hand")
    assert answer(house, KEEP, *ids, fields=("studio",)).scenes == [ids[0]]
    assert answer(house, KEEP, *ids, library="Elsewhere").untouched == ids
    assert answer(house, TAKE, *ids, library="movies", fields=("title",)).fields == 2
    house.work()
    assert [title(house, id) for id in ids] == ["Title 0", "Title 1"]
    assert names(house) == {ids[0]: ["studio*"]}
    assert names(house, kept_only=True) == {ids[0]: ["studio*"]}


def test_an_undo_and_a_redo_leave_a_kept_field_kept(house):
    (id,) = edited(house)
    answer(house, KEEP, id)
    undo(house, id)
    house.work()
    assert title(house, id) == f"By hand {id}"
    assert names(house) == {id: ["title*"]}
    redo_scenes(house.store, house.clock, [id])
    house.clock.move(3)
    house.work()
    house.edit(id, title="Later", studio="Later")
    house.work()
    assert title(house, id) == f"By hand {id}"
    assert house.plex_sim.item(house.key_of(id)).scalars["studio"] == "Later"
    assert answer(house, UNKEEP, id).fields == 1


@pytest.mark.parametrize("is_worked", [True, False])
def test_a_keep_of_an_undone_scene_can_be_taken_back(house, is_worked):
    (id,) = edited(house)
    answer(house, KEEP, id)
    undo(house, id)
    if is_worked:
        house.work()
    stood = house.rows("select word from standing")
    assert answer(house, UNKEEP, id).fields == 1
    assert house.rows("select word from standing") == stood
    assert names(house) == {}
    with house.store.reading() as db:
        assert db.memories.marks([id]) == {id: "undo"}


def test_stashs_value_is_not_taken_while_the_scene_is_undone_or_ignored(house):
    first, second = edited(house, 2)
    answer(house, KEEP, first, second)
    undo(house, first)
    ignore_scenes(house.store, [second], house.clock)
    house.work()
    assert answer(house, TAKE, first, second, fields=("title",)).untouched == [first, second]
    assert names(house) == {first: ["title*"], second: ["title*"]}


def test_a_keep_ends_with_the_item(house):
    (id,) = edited(house)
    answer(house, KEEP, id)
    house.plex_sim.readd(house.key_of(id))
    house.want(id)
    house.work_until_settled()
    assert title(house, id) == "Title 0"


def test_a_keep_does_not_hold_on_another_server(house):
    ids = edited(house, 3)
    answer(house, KEEP, *ids)
    house.section = house.plex_sim.reinstall(Random(7)).sections[house.section]
    house.want(*ids)
    house.work()
    accept(house)
    house.work_until_settled()
    assert house.out_of_step(ids) == []
    assert names(house) == {}


def test_a_keep_of_a_scene_that_left_plex_can_be_taken_back(house):
    (id,) = edited(house)
    answer(house, KEEP, id)
    house.plex_sim.remove(house.key_of(id))
    house.want(id)
    house.clock.move(3)
    house.work()
    assert names(house) == {id: ["title*"]}
    stood = house.rows("select word from standing")
    assert answer(house, UNKEEP, id).fields == 1
    assert (names(house), page(house).kept) == ({}, 0)
    assert house.rows("select word from standing") == stood


@pytest.mark.parametrize("stood", ["unknown", "in step"])
def test_a_scene_whose_keep_is_taken_back_stands_as_edited_in_plex(house, stood):
    (id,) = edited(house)
    answer(house, KEEP, id)
    house.change("delete from standing" if stood == "unknown" else "update standing set word = 'in step'")
    assert answer(house, UNKEEP, id).fields == 1
    assert house.rows("select id, word from standing join job on id = scene") == [(id, kept_word(1))]


def test_a_running_attempt_that_was_planned_before_the_decision_loses_the_scene(house):
    (id,) = edited(house)
    house.want(id)
    house.clock.move(3)
    with house.store.writing() as tx:
        tx.jobs.claim(1, now=house.clock.now(), lease_ms=60_000, holder="other")
    assert house.row(id).state is State.RUNNING
    assert answer(house, KEEP, id).scenes == [id]
    assert house.row(id).state is State.READY


def test_nothing_is_decided_about_a_scene_without_edits(house):
    (id,) = house.in_step(1)
    assert answer(house, KEEP, id).untouched == [id]
    assert list(drift_now(house.worker.glances, [id])) == []


@pytest.mark.parametrize("what", [KEEP, TAKE])
def test_a_decision_repeated_changes_nothing(house: House, what):
    (id,) = edited(house)
    answer(house, what, id)
    house.work()
    assert answer(house, what, id).fields == 0


def test_what_is_learnt_between_the_look_and_the_decision_is_not_overwritten(house):
    (id,) = edited(house)
    key, looks = house.key_of(id), []

    def learn(request):
        if request.path.startswith("/library/metadata/") and len(looks) < 2:
            looks.append(True)
            with house.store.writing() as tx:
                memory = tx.memories.of([id])[id, key]
                tx.memories.rewrite(id, key, {**memory, "studio": replace(memory["studio"], stamp=len(looks))})
        return False

    house.plex_sim.faults.set(Fault("status", status=500, when=learn))
    made = answer(house, KEEP, id)
    assert (len(looks), made.fields, made.busy) == (2, 1, [])
    with house.store.reading() as db:
        memory = db.memories.of([id])[id, key]
    assert memory["studio"].stamp == 2
    assert kept_fields(memory) == {"title"}


def test_a_scene_of_which_something_is_learnt_all_the_time_is_reported_as_busy(house):
    (id,) = edited(house)
    key, looks = house.key_of(id), []

    def learn(request):
        if request.path.startswith("/library/metadata/"):
            looks.append(True)
            with house.store.writing() as tx:
                memory = tx.memories.of([id])[id, key]
                tx.memories.rewrite(id, key, {**memory, "studio": replace(memory["studio"], stamp=len(looks))})
        return False

    house.plex_sim.faults.set(Fault("status", status=500, when=learn))
    assert answer(house, KEEP, id).busy == [id]
    house.plex_sim.faults.set()
    assert names(house) == {id: ["title"]}


def test_a_kept_field_stays_when_plex_is_restored_from_its_backup(house):
    (id,) = house.in_step(1)
    house.edit(id, title="Second")
    house.work()
    by_hand(house, id, title="By hand", summary="Mine")
    backup = house.plex_sim.backup()
    answer(house, KEEP, id)
    by_hand(house, id, title="By hand, later")
    house.edit(id, title="Third", studio="Third")
    house.work()
    house.clock.move(60)
    house.plex_sim.restore(backup)
    compare(house)
    item = house.plex_sim.item(house.key_of(id))
    assert (item.scalars["title"], item.scalars["studio"]) == ("By hand", "Third")
    assert names(house, kept_only=True) == {id: ["title*"]}


def test_a_keep_moves_with_the_item_to_a_scene_that_was_created_again(house):
    (id,) = edited(house)
    answer(house, KEEP, id)
    house.stash_sim.destroy_scene(id)
    other = house.add_scene(0, title="Created again")
    house.want(id, other)
    house.work_until_settled()
    assert title(house, other) == f"By hand {id}"
    assert names(house) == {other: ["title*"]}


def test_a_decision_that_is_stopped_says_how_many_scenes_are_left(house):
    ids = edited(house, 2)
    made = decisions(house).decide(ids, KEEP, DriftFilter(), stopping=lambda: True)
    assert (made.fields, made.remaining) == (0, 2)


def test_an_ignored_scene_is_not_listed_unless_you_keep_a_field_of_it(house):
    first, second = edited(house, 2)
    answer(house, KEEP, first)
    ignore_scenes(house.store, [first, second], house.clock)
    assert names(house) == {first: ["title*"]}

"""A comparison that is broken off goes on from where it was; one of a part compares that part alone."""

import json
from datetime import UTC, datetime

import pytest

from plexsync.flows.scenes.reconcile import BATCH, ComparisonScope, UnknownLibrary
from plexsync.rules.queue.choices import ACCEPTED, Choice
from plexsync.rules.queue.job import Kind, State, Why
from plexsync.rules.queue.note_keys import CURSOR, LAST_RECONCILE
from plexsync.rules.servers.errors import Unavailable
from plexsync.simulator.http import Fault
from tests.engine.house import DAY, HOUR, path_of


def compare(house, **more):
    return house.worker.reconciler.reconcile(**more)


def broken_off(house, *, batches=1):
    """A comparison that ends after so many batches, as a kill does: what was committed stays, nothing else is said."""
    seen = []
    return compare(house, progress=lambda done, _: seen.append(done), stopping=lambda: len(seen) == batches)


def cursor(house):
    with house.store.reading() as db:
        return db.notes.text(CURSOR)


def looked_at(house):
    """How many items were read in full."""
    return sum(
        len(request.path.rsplit("/", 1)[-1].split(","))
        for request in house.plex_sim.log
        if request.path.startswith("/library/metadata/")
    )


@pytest.fixture
def large(house):
    """Three batches of scenes, in step."""
    house.add(2 * BATCH + 30)
    house.want(*range(1, 2 * BATCH + 31))
    house.work_until_settled()
    house.clock.move(60)
    house.forget_requests()
    return house


def test_what_was_compared_before_a_kill_is_not_compared_again(large):
    broken_off(large)
    large.forget_requests()
    large.replace_worker()
    report = compare(large)
    assert looked_at(large) == BATCH + 30
    assert (report.after, report.scenes, report.standing["in step"]) == (BATCH, 2 * BATCH + 30, 2 * BATCH + 30)
    assert report.complete
    assert cursor(large) == ""


def test_one_whose_side_went_away_goes_on_when_it_is_back(large):
    second = {large.key_of(id) for id in range(BATCH + 1, 2 * BATCH + 1)}
    large.plex_sim.faults.set(Fault("cut", when=lambda request: second & set(request.path[18:].split(","))))
    with pytest.raises(Unavailable):
        compare(large)
    large.plex_sim.faults.clear()
    large.clock.move(HOUR)
    large.forget_requests()
    assert large.worker.reconciler.try_reconcile()
    assert looked_at(large) == BATCH + 30


def test_scenes_that_stash_lost_are_found_on_both_sides_of_the_break(large):
    for id in (5, BATCH + 5, 2 * BATCH + 30):
        large.stash_sim.clean_scene(id)
    first = broken_off(large)
    assert first.gone == 1
    assert not first.complete
    large.replace_worker()
    report = compare(large)
    assert report.gone == 3
    assert {id for (id,) in large.rows("select id from job where state = 'ready'")} == {5, BATCH + 5, 2 * BATCH + 30}
    large.clock.move(2)
    large.work()
    assert compare(large).gone == 0


def test_a_stash_without_any_scene_has_lost_them_all(large):
    for id in range(1, 2 * BATCH + 31):
        large.stash_sim.clean_scene(id)
    with large.store.writing() as tx:
        tx.notes.save(ACCEPTED + Choice.SCENES_GONE, str(large.clock.now()))
    assert compare(large).gone == 2 * BATCH + 30


@pytest.mark.parametrize("why", ["a day later", "other settings", "from the future", "unreadable", "asked to"])
def test_one_that_can_not_be_gone_on_with_begins_anew(large, why):
    broken_off(large)
    if why == "a day later":
        large.clock.move(DAY + 1)
    if why == "other settings":
        large.replace_worker(settings="other")
    if why == "from the future":
        large.clock.leap(-HOUR)
    if why == "unreadable":
        with large.store.writing() as tx:
            tx.notes.save(CURSOR, json.dumps({"after": BATCH}))
    large.forget_requests()
    report = compare(large, anew=why == "asked to")
    assert (report.after, report.scenes, looked_at(large)) == (0, 2 * BATCH + 30, 2 * BATCH + 30)


def test_the_index_is_walked_once_for_a_comparison_however_often_it_is_broken_off(large):
    large.forget_requests()
    broken_off(large)
    broken_off(large)
    compare(large)
    assert large.plex_sim.count("GET", f"/library/sections/{large.section}/all") == 1


def test_a_part_moves_neither_the_schedule_nor_what_was_broken_off(large):
    broken_off(large)
    before = cursor(large)
    large.worker.reconciler.reconcile_some(ComparisonScope(scenes=(1,)))
    with large.store.reading() as db:
        assert (db.notes.text(CURSOR), db.notes.text(LAST_RECONCILE)) == (before, "")


# --- parts -----------------------------------------------------------------------------------------------------------


def some(house, **scope):
    return house.worker.reconciler.reconcile_some(ComparisonScope(**scope))


def test_named_scenes_are_compared_and_no_others(house):
    house.in_step(6)
    for id in (2, 4):
        house.stash_sim.quiet_edit(id, title="Quiet")
    report = some(house, scenes=(1, 2))
    assert (report.scenes, report.wanted, dict(report.standing)) == (2, 1, {"in step": 1, "differs": 1})
    assert house.row(4).state is State.IDLE
    assert report.without_scene is None


def test_a_named_scene_that_stash_lost_is_gone_and_one_it_never_had_wants_nothing(house):
    house.in_step(2)
    house.stash_sim.clean_scene(2)
    report = some(house, scenes=(2, 77))
    assert (report.gone, report.wanted, report.scenes) == (2, 1, 0)
    house.clock.move(2)
    house.work()
    assert house.row(2).state is State.GONE


@pytest.mark.parametrize("minutes", [0, 330, -480])
def test_scenes_changed_since_a_moment_are_compared_whatever_the_time_zone(house, minutes):
    house.stash_sim.utc_offset_minutes = minutes
    house.in_step(4)
    since = datetime.fromtimestamp(house.clock.wall / 1000, UTC)
    house.clock.move(5)
    house.stash_sim.quiet_edit(3, title="Quiet")
    report = some(house, since=since)
    assert (report.scenes, report.wanted) == (1, 1)


def test_scenes_of_a_library_are_compared_and_no_others(house):
    other = house.plex_sim.add_section("Other", locations=("/other",))
    house.in_step(3)
    house.plex_sim.add_movie(other, files=[("/other/x.mp4", 9, 1)], title="x")
    id = house.stash_sim.add_scene(title="X", files=[("/other/x.mp4", 9, 1.0)])
    report = some(house, library="other")
    assert (report.scenes, report.wanted) == (1, 1)
    assert house.row(id).state is State.READY
    with pytest.raises(UnknownLibrary, match=r"named Films; there are: Movies, Other"):
        some(house, library="Films")


# --- who stands alone ------------------------------------------------------------------------------------------------


def alone(house):
    with house.store.reading() as db:
        run = int(db.notes.text("reconcile:run"))
        unpaired = [entry.key for entry in db.index.list_unpaired(run, limit=100)]
        return unpaired, db.standings.list_compared("absent", limit=100)


def test_items_without_a_scene_and_scenes_without_an_item_are_told(house):
    house.in_step(3)
    key = house.plex_sim.add_movie(house.section, files=[("/media/lone.mp4", 5, 1)], title="lone")
    id = house.add_scene(50)
    report = compare(house)
    assert (report.without_scene, report.standing["absent"]) == (1, 1)
    assert alone(house) == ([key], [id])


def test_an_item_that_came_since_is_not_alone_once_a_scene_was_pushed_to_it_and_is_again_when_that_is_gone(house):
    house.in_step(1)
    compare(house)
    assert alone(house) == ([], [])
    key = house.plex_sim.add_movie(house.section, files=[(path_of(1), 1001, 1)], title="later")
    house.worker.indexer.freshen(force=True)
    assert alone(house)[0] == [key]
    id = house.add_scene(1)
    house.want(id)
    house.work()
    assert alone(house)[0] == []
    house.stash_sim.clean_scene(id)
    house.clock.move(60)
    house.want(id)
    house.work()
    assert alone(house)[0] == [key]


def test_candidates_of_an_ambiguous_scene_may_be_its_own(house):
    for folder in ("a", "b"):
        house.plex_sim.add_movie(house.section, files=[(f"/media/{folder}/same.mp4", 7, 1)], title=folder)
    house.stash_sim.add_scene(title="Which", files=[("/elsewhere/same.mp4", 7, 1.0)])
    report = compare(house)
    assert (report.standing["ambiguous"], report.without_scene) == (1, 0)


def test_since_when_a_scene_stands_so_is_kept_while_it_does(house):
    house.in_step(2)
    compare(house)
    with house.store.reading() as db:
        first = db.standings.find(1)
    house.clock.move(HOUR)
    house.stash_sim.quiet_edit(2, title="Quiet")
    compare(house)
    with house.store.reading() as db:
        assert db.standings.find(1) == first
        assert (db.standings.find(2).word, db.standings.find(2).since) == ("differs", house.clock.now())
    house.stash_sim.clean_scene(1)
    compare(house)
    house.work()
    with house.store.reading() as db:
        assert db.standings.find(1) is None


def test_an_edit_wanted_meanwhile_is_not_lost_by_going_on(large):
    broken_off(large)
    large.stash_sim.quiet_edit(3, title="After it was compared")
    large.want(3, why=Why.EDIT, kind=Kind.SCENE)
    compare(large)
    large.clock.move(2)
    large.work()
    assert large.title_in_plex(3) == "After it was compared"

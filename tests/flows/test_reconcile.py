"""The complete comparison: it wants exactly what differs, writes nothing, and wants nothing the second time."""

import pytest

from plexsync.rules.queue.job import Kind, State, Why
from plexsync.rules.servers.errors import Neighbour, Unavailable
from plexsync.simulator.http import Fault
from tests.engine.house import House, fails, path_of


def compare(house, **more):
    return house.worker.reconciler.reconcile(**more)


def wanted(house):
    return {id for (id,) in house.rows("select id from job where state = 'ready'")}


@pytest.fixture
def synced(house):
    house.in_step(10)
    return house


def test_what_is_in_step_is_not_wanted(synced):
    report = compare(synced)
    assert (report.scenes, report.wanted, dict(report.standing), report.items) == (10, 0, {"in step": 10}, 10)
    assert synced.plex_sim.count("PUT") == 0


def test_a_library_that_was_never_synced_is_wanted_as_a_whole_in_the_slow_lane(house):
    ids = house.add(7)
    assert compare(house).wanted == 7
    assert house.rows("select distinct lane from job") == [(1,)]
    house.work()
    assert house.out_of_step(ids) == []
    house.clock.move(60)
    assert compare(house).wanted == 0


def test_quiet_edits_are_found_and_nothing_else(synced):
    synced.stash_sim.quiet_edit(3, title="Quiet")
    synced.stash_sim.quiet_edit(7, tags=["Quiet"])
    report = compare(synced)
    assert (report.wanted, dict(report.standing)) == (2, {"in step": 8, "differs": 2})
    assert wanted(synced) == {3, 7}
    assert compare(synced).wanted == 0, "the queue knows already"
    synced.clock.move(2)
    synced.work()
    assert synced.out_of_step(list(range(1, 11))) == []
    assert compare(synced).wanted == 0


def test_what_a_person_dropped_before_it_was_looked_at_is_not_wanted_until_it_is_edited(house):
    (id,) = house.add()
    house.want(id)
    with house.store.writing() as tx:
        tx.jobs.set_aside(Kind.SCENE, id, now=house.clock.now())
    assert compare(house).wanted == 0
    assert house.row(id).state is State.DROPPED
    house.edit(id, title="Edited")
    assert house.row(id).state is State.READY


def test_what_killed_its_worker_whenever_it_was_looked_at_is_not_wanted_again_by_a_comparison(house):
    (id,) = house.add()
    house.want(id)
    house.change("update job set state = 'dead', cls = 'poison', crashes = 3, desired = ''")
    assert compare(house).wanted == 0
    assert house.row(id).state is State.DEAD


def test_what_died_before_it_could_be_looked_at_is_wanted_once_for_the_value_that_a_comparison_finds(house):
    (id,) = house.add()
    house.want(id)
    house.change("update job set state = 'dead', cls = 'bug', desired = ''")
    assert compare(house).wanted == 1
    house.change("update job set state = 'dead', cls = 'bug'")
    assert compare(house).wanted == 0


def test_files_moved_without_any_sign_are_found_in_both_libraries(synced):
    synced.stash_sim.move_folder("/media", "/elsewhere")
    assert compare(synced).wanted == 0, "name and size still tell the items"
    synced.stash_sim.quiet_edit(4, title="Quiet")
    assert compare(synced).wanted == 1
    synced.clock.move(2)
    synced.work()
    assert synced.plex_sim.item("4").scalars["title"] == "Quiet" or any(
        synced.plex_sim.item(key).scalars["title"] == "Quiet" for key in synced.plex_sim.keys(synced.section)
    )


def test_what_a_refresh_in_plex_has_reverted_is_found(synced):
    key = synced.key_of(5)
    synced.plex_sim.hand_edit(key, locked=False, title="By the agent", studio="By the agent")
    synced.plex_sim.refresh_item(key)
    assert compare(synced).wanted == 1
    synced.clock.move(2)
    synced.work()
    assert synced.out_of_step([5]) == []
    assert compare(synced).wanted == 0


def test_what_a_person_keeps_in_plex_is_told_but_not_wanted(synced):
    synced.plex_sim.hand_edit(synced.key_of(5), title="By hand")
    assert compare(synced).wanted == 1, "its stamp has moved: it is looked at"
    synced.work()
    report = compare(synced)
    assert (report.wanted, dict(report.standing)) == (0, {"in step": 9, "person": 1})
    assert synced.title_in_plex(5) == "By hand"


def test_an_item_that_was_added_anew_is_found(synced):
    new = synced.plex_sim.readd(synced.key_of(5))
    assert compare(synced).wanted == 1
    synced.clock.move(2)
    synced.work()
    assert synced.plex_sim.item(new).scalars["title"] == "Title 4"
    assert compare(synced).wanted == 0


def test_scenes_that_stash_lost_without_a_hook_are_found(synced):
    synced.stash_sim.clean_scene(5)
    report = compare(synced)
    assert (report.gone, report.wanted, report.scenes) == (1, 1, 9)
    synced.clock.move(2)
    synced.work()
    assert synced.row(5).state is State.GONE
    assert compare(synced).wanted == 0


def test_an_absent_scene_is_wanted_once(synced):
    synced.add_scene(77)
    assert compare(synced).wanted == 1
    synced.work()
    assert synced.row(11).state is State.ABSENT
    assert compare(synced).wanted == 0


def test_a_restored_backup_is_repaired_by_one_comparison(house):
    ids = house.in_step(6)
    house.change("delete from job")
    house.change("update book set accepted = 0, coalesced = 0, done = 0")
    for id in ids[:3]:
        house.stash_sim.quiet_edit(id, title=f"Since the backup {id}")
    assert compare(house).wanted == 3
    house.work()
    assert house.out_of_step(ids) == []
    assert house.books_balance()


def test_a_value_that_died_is_not_wanted_again_and_a_new_one_is(synced):
    synced.plex_sim.faults.set(fails("PUT", status=414))
    synced.stash_sim.quiet_edit(3, title="Refused")
    compare(synced)
    synced.clock.move(2)
    synced.work()
    assert synced.row(3).state is State.DEAD
    synced.plex_sim.faults.clear()
    assert compare(synced).wanted == 0
    synced.stash_sim.quiet_edit(3, title="Accepted")
    assert compare(synced).wanted == 1
    synced.clock.move(2)
    synced.work()
    assert synced.title_in_plex(3) == "Accepted"


def test_a_dropped_row_stays_dropped_while_its_value_stays(synced):
    synced.plex_sim.faults.set(fails("PUT", status=414))
    synced.stash_sim.quiet_edit(3, title="Refused")
    compare(synced)
    synced.clock.move(2)
    synced.work()
    with synced.store.writing() as tx:
        assert tx.jobs.drop(id=3, now=synced.clock.now()) == 1
    synced.plex_sim.faults.clear()
    assert compare(synced).wanted == 0
    assert synced.row(3).state is State.DROPPED


def test_a_comparison_does_not_defeat_backoff(synced):
    synced.plex_sim.faults.set(fails("PUT", synced.key_of(3)))
    synced.edit(3, title="Later")
    synced.step()
    before = synced.row(3)
    assert compare(synced).wanted == 0
    assert synced.row(3) == before


def test_an_item_that_cannot_be_read_is_told_as_failed_and_the_others_are_compared(synced):
    synced.plex_sim.faults.set(fails("GET", synced.key_of(3)))
    synced.stash_sim.quiet_edit(4, title="Quiet")
    report = compare(synced)
    assert dict(report.standing) == {"in step": 8, "failed": 1, "differs": 1}


@pytest.mark.parametrize("who", Neighbour)
def test_a_side_that_is_away_ends_the_comparison_and_a_closed_gate_forbids_it(synced, who):
    sim = synced.plex_sim if who is Neighbour.PLEX else synced.stash_sim
    sim.faults.set(Fault("status", status=500))
    for _ in range(5):
        with pytest.raises(Unavailable):
            compare(synced)
        synced.clock.move(3)
    synced.forget_requests()
    with pytest.raises(Unavailable, match="down"):
        compare(synced)
    assert synced.plex_sim.count() == synced.stash_sim.count() == 0
    assert synced.worker.reconciler.try_reconcile() is False


def test_a_comparison_that_is_stopped_keeps_what_it_has_found_and_is_not_the_last(house):
    ids = house.add(120)
    seen = []
    compare(house, progress=lambda done, total: seen.append((done, total)), stopping=lambda: bool(seen))
    assert seen == [(100, 120)]
    assert wanted(house) == set(ids[:100])
    with house.store.reading() as db:
        assert db.notes.text("reconcile:last") == ""
    house.worker.reconciler.try_reconcile()
    with house.store.reading() as db:
        assert db.notes.text("reconcile:last") == str(house.clock.now())


def test_a_live_edit_beats_what_the_comparison_saw(synced):
    synced.stash_sim.quiet_edit(3, title="Seen by the comparison")

    def edit(request):
        synced.plex_sim.faults.clear()
        synced.stash_sim.edit_scene(3, title="Live")
        synced.want(3)
        return False

    real = synced.worker.plex.items
    synced.worker.plex.items = lambda keys: edit(None) or real(keys)
    compare(synced)
    synced.worker.plex.items = real
    assert synced.rows("select lane from job where id = 3") == [(0,)]
    synced.clock.move(2)
    synced.work()
    assert synced.title_in_plex(3) == "Live"


def test_with_two_libraries_both_items_are_compared(tmp_path):
    with House(tmp_path / "data", paths=(("/media", "/media"), ("/media", "/mirror"))) as house:
        mirror = house.plex_sim.add_section("Mirror", locations=("/mirror",))
        (id,) = house.add()
        other = house.plex_sim.add_movie(mirror, files=[("/mirror/scene 00000.mp4", 1000, 1)], title="copy")
        house.want(id, why=Why.USER)
        house.work()
        house.clock.move(60)
        assert compare(house).wanted == 0
        house.plex_sim.hand_edit(other, locked=False, title="Reverted")
        assert compare(house).wanted == 1


def test_half_an_answer_of_stash_wants_nothing(synced):
    def half(body):
        scenes = (body.get("data") or {}).get("findScenes", {}).get("scenes")
        if scenes:
            scenes[0]["title"] = None
            body["errors"] = [{"message": "half of it"}]
        return body

    synced.stash_sim.graphql_fault = half
    with pytest.raises(Unavailable):
        compare(synced)
    assert wanted(synced) == set()
    assert path_of(1) in synced.plex_sim.item(synced.key_of(2)).files[0]

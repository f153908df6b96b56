"""The path of a batch: from a wish to a row that is idle, and what a scene can turn out to be on the way."""

from contextlib import closing

import pytest

from plexsync.engine.engine import Idle, Worked
from plexsync.engine.rules import SWITCHED_OFF
from plexsync.rules.queue.job import Kind, State, Why
from plexsync.simulator.http import Fault
from plexsync.store.database import Database
from plexsync.store.ledger.pushes import Pushings
from plexsync.store.queue.jobs import Jobs
from tests.engine.house import DAY, HOUR, House, fails, path_of, put_of, wait_until_released


def test_wanted_scenes_come_in_step_and_the_same_wishes_again_send_nothing(house):
    ids = house.add(12)
    house.want(*ids)
    house.work()
    assert house.states() == {State.IDLE: 12}
    assert house.out_of_step(ids) == []
    assert house.plex_sim.count("PUT") == 12

    house.clock.move(60)
    house.forget_requests()
    house.want(*ids)
    house.work()
    assert house.plex_sim.count("PUT") == 0
    assert (house.plex_sim.count(), house.stash_sim.count()) == (1, 1)
    assert house.books_balance()


def test_a_batch_of_changed_scenes_costs_one_edit_each_and_three_reads(house):
    ids = house.in_step(20)
    for id in ids:
        house.stash_sim.edit_scene(id, title=f"Newer {id}")
    house.want(*ids)
    house.work()
    assert house.out_of_step(ids) == []
    assert (house.plex_sim.count("PUT"), house.plex_sim.count("GET"), house.stash_sim.count()) == (20, 2, 1)


def test_ten_edits_of_one_scene_are_one_job_and_its_newest_value(house):
    (id,) = house.in_step()
    for turn in range(10):
        house.stash_sim.edit_scene(id, title=f"Turn {turn}")
        house.want(id)
        house.clock.move(0.1)
    assert isinstance(house.step(), Idle), "a busy scene is left to rest"
    house.clock.move(2)
    house.work()
    assert house.plex_sim.count("PUT") == 1
    assert house.title_in_plex(id) == "Turn 9"


def test_a_scene_that_is_edited_without_end_is_served_within_a_minute_and_a_half(house):
    (id,) = house.in_step()
    for turn in range(100):
        house.stash_sim.edit_scene(id, title=f"Turn {turn}")
        house.want(id)
        house.work_for(1)
        if house.plex_sim.count("PUT"):
            break
    assert turn <= 91


def test_a_switched_off_worker_claims_nothing_and_loses_nothing(tmp_path):
    with House(tmp_path / "data", rests=SWITCHED_OFF) as house:
        ids = house.add(3)
        house.want(*ids)
        step = house.step()
        assert isinstance(step, Idle)
        assert "switched off" in step.reason
        house.work_for(HOUR)
        assert house.plex_sim.count() == house.stash_sim.count() == 0
        house.replace_worker(rests="")
        house.work()
        assert house.out_of_step(ids) == []


def test_a_scene_that_stash_does_not_have_is_gone_and_its_memory_stays(house):
    (id,) = house.in_step()
    house.stash_sim.destroy_scene(id)
    house.want(id)
    house.work()
    assert house.row(id).state is State.GONE
    with house.store.reading() as db:
        assert db.memories.of([id])
    assert house.plex_sim.count("PUT") == 0
    assert house.books_balance()


def test_a_scene_that_comes_back_after_it_was_gone_is_served(house):
    id, other = house.in_step(2)
    backup = house.stash_sim.backup()
    house.stash_sim.destroy_scene(other)
    house.want(other)
    house.clock.move(2)
    house.work()
    assert house.row(other).state is State.GONE
    house.stash_sim.restore(backup)
    house.edit(other, title="Back")
    house.clock.move(2)
    house.work()
    assert house.out_of_step([id, other]) == []


def test_both_libraries_that_have_the_file_are_written(house):
    mirror = house.plex_sim.add_section("Mirror", locations=("/mirror",))
    house.replace_worker(paths=(("/media", "/media"), ("/media", "/mirror")))
    (id,) = house.add()
    other = house.plex_sim.add_movie(mirror, files=[("/mirror/scene 00000.mp4", 1000, 60_000)], title="copy")
    house.want(id)
    house.work()
    assert house.row(id).state is State.IDLE
    assert house.title_in_plex(id) == house.plex_sim.item(other).scalars["title"] == "Title 0"


def test_when_one_of_two_libraries_fails_the_other_is_written_once_and_the_job_waits_for_the_rest(house):
    mirror = house.plex_sim.add_section("Mirror", locations=("/mirror",))
    house.replace_worker(paths=(("/media", "/media"), ("/media", "/mirror")))
    (id,) = house.add()
    other = house.plex_sim.add_movie(mirror, files=[("/mirror/scene 00000.mp4", 1000, 60_000)], title="copy")
    house.plex_sim.faults.set(fails("PUT", other, times=1))
    house.want(id)
    house.work()
    assert house.row(id).state is State.READY
    house.work_until_settled()
    assert house.plex_sim.item(other).scalars["title"] == "Title 0"
    assert sorted(put_of(request) for request in house.plex_sim.log if request.method == "PUT") == sorted(
        [house.key_of(id), other, other]
    )


def test_the_scene_of_an_items_first_part_owns_it_and_the_other_is_told_so(house):
    house.plex_sim.add_movie(house.section, files=[(path_of(0), 1000, 60_000), (path_of(1), 1001, 60_000)])
    first, second = house.add_scene(0), house.add_scene(1)
    house.want(first, second)
    house.work()
    assert house.row(first).state is State.IDLE
    row = house.row(second)
    assert (row.state, row.cls) == (State.DEAD, "ambiguous")
    assert "another scene's" in row.error
    assert house.title_in_plex(first) == "Title 0"
    assert house.plex_sim.count("PUT") == 1


def test_where_several_items_could_be_it_nothing_is_written(house):
    for folder in ("a", "b"):
        house.plex_sim.add_movie(house.section, files=[(f"/media/{folder}/clip.mp4", 5000, 60_000)])
    id = house.stash_sim.add_scene(title="One", files=[("/elsewhere/clip.mp4", 5000, 60.0)])
    house.want(id)
    house.work()
    assert (house.row(id).state, house.row(id).cls) == (State.DEAD, "ambiguous")
    assert house.plex_sim.count("PUT") == 0


def test_an_ambiguous_scene_is_looked_at_again_when_its_candidates_change(house):
    keys = [
        house.plex_sim.add_movie(house.section, files=[(f"/media/{folder}/clip.mp4", 5000, 60_000)])
        for folder in ("a", "b")
    ]
    id = house.stash_sim.add_scene(title="One", files=[("/elsewhere/clip.mp4", 5000, 60.0)])
    house.want(id)
    house.work()
    assert house.worker.reconciler.reconcile().wanted == 0, "nothing has changed"

    house.plex_sim.remove(keys[1])
    house.clock.move(60)
    assert house.worker.reconciler.reconcile().wanted == 1
    house.work()
    assert house.row(id).state is State.IDLE
    assert house.plex_sim.item(keys[0]).scalars["title"] == "One"


def test_in_strict_mode_a_value_that_would_be_cut_refuses_the_scene(tmp_path):
    with House(tmp_path / "data", strict=True) as house:
        good, long = house.add(2)
        house.stash_sim.edit_scene(long, title="x" * 300)
        house.want(good, long)
        house.work()
        assert house.row(good).state is State.IDLE
        assert (house.row(long).state, house.row(long).cls) == (State.DEAD, "strict")
        assert house.plex_sim.count("PUT") == 1
        assert house.worker.reconciler.reconcile().wanted == 0
        house.clock.move(60)
        house.stash_sim.edit_scene(long, title="short")
        assert house.worker.reconciler.reconcile().wanted == 1
        house.work()
        assert house.title_in_plex(long) == "short"


@pytest.mark.parametrize("status", [400, 409, 413, 414, 422])
def test_what_plex_refuses_is_dead_at_once_and_a_retry_brings_it_back(house, status):
    first, refused = house.add(2)
    house.plex_sim.faults.set(fails("PUT", house.key_of(refused), status=status))
    house.want(first, refused)
    house.work()
    row = house.row(refused)
    assert (row.state, row.cls, row.attempts) == (State.DEAD, "refused", 0)
    assert str(status) in row.error
    assert house.row(first).state is State.IDLE
    assert house.breaker() == "closed"

    house.plex_sim.faults.clear()
    house.work_for(DAY)
    assert house.row(refused).state is State.DEAD, "nothing leaves the queue of the dead by itself"
    with house.store.writing() as tx:
        assert tx.jobs.retry(error_class="refused", now=house.clock.now()) == 1
    house.work()
    assert house.out_of_step([first, refused]) == []
    assert house.books_balance()


@pytest.mark.parametrize("status", [400, 401, 404, 429, 503])
def test_what_the_first_part_of_a_parted_edit_wrote_is_ours_whatever_met_the_next(house, status):
    (id,) = house.add()
    key = house.key_of(id)
    performers = [f"Performer {n} {'ü' * 100}" for n in range(5)]
    house.stash_sim.edit_scene(id, performers=performers, tags=[f"Tag {n} {'ü' * 100}" for n in range(12)])
    tags = Fault(
        "status", status=status, when=lambda r: r.method == "PUT" and any("genre" in name for name in r.params)
    )
    house.plex_sim.faults.set(tags)
    house.want(id)
    house.step()
    assert len(house.plex_sim.item(key).lists["actor"]) == 5
    assert house.plex_sim.item(key).lists["genre"] == []
    house.plex_sim.faults.clear()
    house.edit(id, performers=[], tags=["Short"])
    house.work_for(HOUR)
    assert (house.plex_sim.item(key).lists["actor"], house.plex_sim.item(key).lists["genre"]) == ([], ["Short"])


def test_a_text_too_long_for_a_proxy_does_not_keep_the_rest_of_its_scene_back(house):
    house.plex_sim.max_target = 8192
    (id,) = house.add()
    house.stash_sim.edit_scene(id, details="ж" * 1400, date="2020-01-01", rating100=80, performers=["P"])
    house.want(id)
    house.work()
    item = house.plex_sim.item(house.key_of(id))
    assert house.out_of_step([id]) == []
    assert (item.scalars["originallyAvailableAt"], item.scalars["userRating"]) == ("2020-01-01", 8.0)
    assert (item.lists["actor"], "summary" in item.scalars) == (["P"], False)
    assert (house.row(id).state, house.row(id).cls) == (State.DEAD, "refused")
    house.edit(id, title="Other", details="short", performers=[])
    house.work()
    item = house.plex_sim.item(house.key_of(id))
    assert (item.scalars["title"], item.scalars["summary"], item.lists["actor"]) == ("Other", "short", [])
    assert house.row(id).state is State.IDLE


def test_a_plex_that_cuts_inside_a_character_keeps_nobody_from_being_in_step(tmp_path):
    with House(tmp_path / "data") as house:
        house.plex_sim.cut_texts(100)
        cut, before, other = house.add(3)
        house.stash_sim.edit_scene(cut, title="日" * 60)
        house.plex_sim.hand_edit(house.key_of(before), locked=False, summary="本" * 60)
        house.want(cut, before, other)
        house.work_until_settled()
        assert house.states() == {State.IDLE: 3}
        assert house.out_of_step([before, other]) == []
        house.forget_requests()
        house.edit(cut, organized=True)
        house.work_until_settled()
        assert house.plex_sim.count("PUT") == 0
        house.edit(cut, title="日" * 60, tags=["New"])
        house.work_until_settled()
        assert house.plex_sim.item(house.key_of(cut)).lists["genre"] == ["New"]
        assert house.plex_sim.count("PUT") == 1
        house.edit(cut, title="Short")
        house.work_until_settled()
        assert house.title_in_plex(cut) == "Short"


@pytest.mark.many_steps
@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_a_proxy_that_answers_404_for_a_stopped_plex_is_an_outage(house, method):
    ids = house.in_step(20)
    for id in ids:
        house.stash_sim.edit_scene(id, title=f"Edited {id}")
    house.want(*ids)
    house.clock.move(3)
    house.plex_sim.faults.set(Fault("proxy", status=404, when=lambda request: request.method == method))
    house.work_for(6 * HOUR)
    assert house.states() == {State.READY: 20}
    assert (house.attempts_used(), house.breaker()) == (0, "open")
    house.plex_sim.faults.clear()
    house.work_until_settled()
    assert house.out_of_step(ids) == []


@pytest.mark.many_steps
def test_a_plex_that_knows_no_libraries_uses_nobodys_attempts(house):
    ids = house.add(3)
    house.plex_sim.faults.set(Fault("status", status=404, when=lambda request: request.path == "/library/sections"))
    house.want(*ids)
    house.work_for(6 * HOUR)
    assert (house.states(), house.attempts_used()) == ({State.READY: 3}, 0)
    house.plex_sim.faults.clear()
    house.work_until_settled()
    assert house.out_of_step(ids) == []


def test_a_new_edit_revives_what_was_refused(house):
    (id,) = house.add()
    house.in_step(1, start=1)
    house.plex_sim.faults.set(fails("PUT", house.key_of(id), status=400))
    house.want(id)
    house.work()
    assert house.row(id).state is State.DEAD
    house.plex_sim.faults.clear()
    house.edit(id, title="Better")
    house.work()
    assert house.title_in_plex(id) == "Better"


def test_a_performer_studio_or_tag_is_spread_to_the_scenes_it_shows_on(house):
    ids = house.in_step(6)
    house.stash_sim.rename_studio("Studio 1", "Renamed")
    house.want(2, kind=Kind.STUDIO)
    house.work()
    assert house.out_of_step(ids) == []
    changed = [id for id in ids if house.plex_sim.item(house.key_of(id)).scalars["studio"] == "Renamed"]
    assert len(changed) == house.plex_sim.count("PUT") == 2
    assert house.states() == {State.IDLE: 6}, "a studio that is spread has no row any more"


def test_a_performer_who_is_on_nothing_any_more_is_done(house):
    house.want(99, kind=Kind.PERFORMER)
    house.work()
    assert house.states() == {}
    assert house.books_balance()


def test_edits_go_before_sweeps_but_a_slot_of_each_claim_is_kept_for_them(tmp_path):
    with House(tmp_path / "data", batch=4) as house:
        ids = house.add(12)
        house.want(*ids[:6], why=Why.SWEEP)
        house.want(*ids[6:])
        house.work()
        sent = [put_of(request) for request in house.plex_sim.log if request.method == "PUT"]
        edited = {house.key_of(id) for id in ids[6:]}
        assert [sum(key in edited for key in sent[at : at + 4]) for at in (0, 4, 8)] == [3, 3, 0]
        assert house.out_of_step(ids) == []


def test_an_orderly_stop_lets_go_of_what_was_not_sent_with_no_attempt_used(house):
    ids = house.add(10)
    house.want(*ids)
    answer = house.plex_sim.answer

    def after_the_stop(request):
        """The fourth is answered once what had not begun was let go of, however late the engine has its turn."""
        if request.method == "PUT" and house.plex_sim.count("PUT") > 3:
            wait_until_released(house, left=4)
        return answer(request)

    house.plex_sim.answer = after_the_stop
    step = house.worker.engine.step(stopping=lambda: house.plex_sim.count("PUT") >= 3)
    house.plex_sim.answer = answer
    assert isinstance(step, Worked)
    assert step.outcomes["done"] in (3, 4)
    assert house.states()[State.READY] == 10 - step.outcomes["done"]
    assert house.attempts_used() == 0
    assert house.rows("select count(*) from pushing") == [(0,)]
    house.work()
    assert house.out_of_step(ids) == []


# --- an edit while its scene is being served -------------------------------------------------------------------------


def on_stash(house, act):
    """Before Stash answers: after the claim."""
    house.stash_sim.faults.set(Fault("latency", when=lambda request: act() or False))


def on_details(house, act):
    """Before Plex tells of the items: Stash has been read."""
    house.plex_sim.faults.set(Fault("latency", when=lambda r: "/metadata/" in r.path and r.method == "GET" and act()))


def on_put(house, act):
    """Before the edit is applied: it was planned and saved."""
    house.plex_sim.faults.set(Fault("latency", when=lambda r: r.method == "PUT" and act()))


def on_read_back(house, act):
    """After the edit, before it is read back and settled."""

    def act_after_put(request):
        return request.method == "GET" and house.plex_sim.count("PUT") and act()

    house.plex_sim.faults.set(Fault("latency", when=act_after_put))


@pytest.mark.parametrize("moment", [on_stash, on_details, on_put, on_read_back])
def test_an_edit_at_any_moment_of_an_attempt_is_served_afterwards(house, moment):
    (id,) = house.add()
    made = []

    def edit():
        if not made:
            made.append(True)
            house.stash_sim.edit_scene(id, title="Newest")
            # In the simulator's thread, as a hook does it: with a connection that it opens and closes.
            with closing(Database(house.folder / "plexsync.db")) as store, store.writing() as tx:
                tx.jobs.want(Kind.SCENE, id, Why.EDIT, house.clock.now())

    moment(house, edit)
    house.want(id)
    house.step()
    assert made
    assert (house.row(id).state, house.row(id).attempts) == (State.READY, 0)
    house.clock.move(2)
    house.work()
    assert house.title_in_plex(id) == "Newest"
    assert house.row(id).state is State.IDLE
    assert house.books_balance()


@pytest.mark.parametrize(("table", "method"), [(Jobs, "claim"), (Pushings, "add_all"), (Jobs, "settle")])
def test_an_edit_at_any_boundary_of_our_own_transactions_is_served_afterwards(house, monkeypatch, table, method):
    (id,) = house.add()
    made = []
    real = getattr(table, method)

    def with_an_edit(self, *args, **kwargs):
        answer = real(self, *args, **kwargs)
        if not made:
            made.append(True)
            house.stash_sim.edit_scene(id, title="Newest")
            Jobs(self._db).want(Kind.SCENE, id, Why.EDIT, house.clock.now())
        return answer

    house.want(id)
    monkeypatch.setattr(table, method, with_an_edit)
    house.step()
    assert made
    house.clock.move(2)
    house.work()
    assert house.title_in_plex(id) == "Newest"
    assert house.row(id).state is State.IDLE


def test_a_wish_renewed_while_its_item_is_refused_is_not_dead(house):
    (id,) = house.add()

    def refuse(request):
        if request.method != "PUT":
            return False
        house.stash_sim.edit_scene(id, title="Newest")
        return True

    house.plex_sim.faults.set(Fault("status", status=400, times=1, when=refuse))
    house.want(id)
    engine = house.worker.engine
    real = house.worker.plex.edit

    def edit_and_want(*args, **kwargs):
        try:
            return real(*args, **kwargs)
        finally:
            with house.store.writing() as tx:
                tx.jobs.want(Kind.SCENE, id, Why.EDIT, house.clock.now())

    house.worker.plex.edit = edit_and_want
    engine.step()
    assert house.row(id).state is State.READY
    house.worker.plex.edit = real
    house.clock.move(2)
    house.work()
    assert house.title_in_plex(id) == "Newest"

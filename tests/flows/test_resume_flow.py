"""Resume points: what was left in Plex is resumed there in Stash, whatever happens in between."""

import pytest

from plexsync.engine.undo import wish_undone
from plexsync.flows.plays.recovery import PlaysRecovery
from plexsync.flows.plays.resume import OTHER_ACCOUNT, UNAPPROVED
from plexsync.flows.plays.wishes import WishForPlays, wished_plays
from plexsync.flows.plays.writes import PlaysFinding, settled as settled_finding
from plexsync.rules.item import ViewState
from plexsync.rules.plays.play_wishes import AGAIN, REDO, UNDO, PlayWish
from plexsync.rules.plays.plays import Moments, PlayPlan, WatchRules
from plexsync.rules.plays.resume import RememberedResume, Watched
from plexsync.rules.queue.job import Done, State, Waiting
from plexsync.rules.scene import Scene, WatchedScene
from plexsync.rules.servers.errors import Neighbour
from plexsync.simulator.http import Fault, Request
from plexsync.store.ledger.plays_file import PlaysFile
from tests.engine.house import DAY, House
from tests.engine.pools import Inline
from tests.flows.boundaries import Boundaries, Killed

WITH_RESUME = WatchRules(resume=True)


@pytest.fixture
def house(tmp_path):
    with House(tmp_path / "data", watch=WITH_RESUME, pool=Inline()) as house:
        yield house


def leave(house: House, id: int, milliseconds: int) -> None:
    """Watch a scene's item in Plex up to there, a minute after whatever was before."""
    house.clock.move(60)
    house.plex_sim.pause(house.key_of(id), milliseconds)


def finish(house: House, id: int) -> None:
    """Watch a scene's item in Plex to its end, a minute after whatever was before."""
    house.clock.move(60)
    house.plex_sim.play(house.key_of(id))


def change(house: House, id: int, milliseconds: int) -> None:
    """Change the resume point in Stash, as its player does."""
    house.stash_sim.plays.save_activity(id, milliseconds / 1000)


def resume_of(house: House, id: int) -> int:
    """Where Stash resumes a scene, in milliseconds."""
    return round(house.stash_sim.scene(id).resume_time * 1000)


def poll(house: House) -> None:
    """Poll Plex for viewings, and let the engine work what that has queued."""
    assert house.worker.back.resume.poll() == ""
    house.work()


def saved(house: House) -> int:
    """The number of requests that wrote a resume point."""
    return sum(saving(request) for request in house.stash_sim.log)


def saving(request: Request) -> bool:
    return b"sceneSaveActivity" in request.body


def wish(house: House, id: int, wish: PlayWish, *, since: int = 0) -> bool:
    """Wish something for a scene; whether there was anything."""
    worker = house.worker
    recovery = PlaysRecovery(house.store, PlaysFile(house.folder), house.clock, 240_000)
    chosen = wished_plays(house.store, wish, scenes=[id], since=since)
    wishes = WishForPlays(worker.stash.watching, worker.gates, recovery, wish, since=since)
    marked = wish_undone(house.store, wishes, house.clock, sorted(chosen), "undo")
    assert (wishes.plays, wishes.resume_points) == (0, len(marked.jobs))
    return id in marked.jobs


def undo(house: House, id: int) -> bool:
    """Ask to take back what was brought to a scene; whether there was anything."""
    return wish(house, id, UNDO)


def test_what_is_left_in_plex_is_resumed_there_in_stash_within_one_poll(house):
    one, two = house.in_step(2)
    leave(house, one, 31_500)
    poll(house)
    assert (resume_of(house, one), resume_of(house, two), saved(house)) == (31_500, 0, 1)
    for _ in range(3):
        house.clock.move(60)
        poll(house)
    assert saved(house) == 1
    leave(house, one, 40_000)
    poll(house)
    assert (resume_of(house, one), saved(house)) == (40_000, 2)
    scene = house.stash_sim.scene(one)
    assert (scene.play_duration, scene.plays) == (0, ())
    assert house.unsettled() == 0
    assert house.books_balance()


def test_what_is_watched_to_its_end_is_cleared_and_its_play_added(house):
    (id,) = house.in_step()
    leave(house, id, 31_000)
    poll(house)
    finish(house, id)
    assert (house.worker.back.history.poll(), house.worker.back.resume.poll()) == ("", "")
    house.work_for(10)
    assert (resume_of(house, id), len(house.stash_sim.plays.of(id))) == (0, 1)
    house.clock.move(60)
    poll(house)
    assert saved(house) == 2


def test_what_is_changed_in_stash_stays_until_it_is_watched_on_in_plex(house):
    (id,) = house.in_step()
    leave(house, id, 31_000)
    poll(house)
    change(house, id, 45_000)
    house.want(id)
    house.work()
    house.clock.move(60)
    poll(house)
    assert resume_of(house, id) == 45_000
    leave(house, id, 12_000)
    poll(house)
    assert resume_of(house, id) == 12_000


def test_what_was_played_in_stash_after_plex_stays_though_plex_is_heard_later(house):
    (id,) = house.in_step()
    leave(house, id, 31_000)
    poll(house)
    leave(house, id, 40_000)
    moment = house.plex_sim.now()
    house.stash_sim.plays.add(id, [moment + 30])
    change(house, id, 50_000)
    poll(house)
    assert resume_of(house, id) == 50_000
    house.clock.move(60)
    leave(house, id, 41_000)
    poll(house)
    assert resume_of(house, id) == 41_000


def test_a_play_in_stash_that_is_far_in_the_future_keeps_nothing_away(house):
    (id,) = house.in_step()
    house.stash_sim.plays.add(id, [house.clock.now() // 1000 + 10 * 86_400])
    leave(house, id, 31_000)
    poll(house)
    assert resume_of(house, id) == 31_000


def test_of_several_items_of_a_scene_the_one_watched_last_counts(house):
    (id,) = house.in_step()
    twin = house.plex_sim.add_section("Other", locations=("/media",), agent="tv.plex.agents.movie")
    path, size, _ = house.plex_sim.item(house.key_of(id)).files[0][:3]
    key = house.plex_sim.add_movie(twin, files=[(path, size, 60_000)], title="twin")
    house.worker.reconciler.reconcile()
    house.work()
    leave(house, id, 31_000)
    poll(house)
    house.clock.move(60)
    house.plex_sim.pause(key, 20_000)
    poll(house)
    assert resume_of(house, id) == 20_000
    finish(house, id)
    poll(house)
    assert resume_of(house, id) == 0


def test_what_was_left_behind_98_percent_of_the_file_begins_anew(house):
    (id,) = house.in_step()
    leave(house, id, 50_000)
    poll(house)
    assert resume_of(house, id) == 50_000
    leave(house, id, 58_800)
    poll(house)
    assert resume_of(house, id) == 0


def test_less_than_a_second_sends_nothing(house):
    (id,) = house.in_step()
    change(house, id, 30_400)
    leave(house, id, 31_000)
    poll(house)
    leave(house, id, 30_900)
    poll(house)
    assert (resume_of(house, id), saved(house)) == (30_400, 0)


def test_what_was_left_before_the_chosen_day_is_left_alone(tmp_path):
    with House(tmp_path / "data", pool=Inline()) as house:
        (id,) = house.in_step()
        leave(house, id, 31_000)
        house.replace_worker(watch=WatchRules(since=house.plex_sim.now() + 1, resume=True))
        poll(house)
        assert resume_of(house, id) == 0
        leave(house, id, 32_000)
        poll(house)
        assert resume_of(house, id) == 32_000


def test_a_scene_that_is_matched_later_is_resumed_where_its_item_was_left(house):
    (id,) = house.add(1, in_plex=False)
    house.want(id)
    house.work()
    key = house.plex_sim.add_movie(house.section, files=[("/media/elsewhere.mp4", 5, 60_000)], title="film")
    house.plex_sim.pause(key, 31_000)
    poll(house)
    house.stash_sim.attach_file(id, ("/media/elsewhere.mp4", 5, 60.0))
    house.clock.move(60)
    house.worker.reconciler.reconcile()
    house.work_for(120)
    assert resume_of(house, id) == 31_000


def test_a_scene_that_is_inspected_finds_what_no_poll_has_seen(house):
    (id,) = house.in_step()
    leave(house, id, 31_000)
    poll(house)
    leave(house, id, 40_000)
    house.edit(id, title="Edited")
    house.work()
    assert (resume_of(house, id), saved(house)) == (40_000, 2)
    house.edit(id, title="Edited again")
    steps = [step for step in house.work() if getattr(step, "kind", "") == "plays"]
    assert (steps, saved(house)) == ([], 2)


@pytest.mark.parametrize("account", ["guest", "2"])
def test_with_another_account_resume_points_are_off(tmp_path, account, caplog):
    with House(tmp_path / "data", watch=WatchRules(account, resume=True), pool=Inline()) as house:
        house.plex_sim.add_account("guest")
        (id,) = house.in_step()
        leave(house, id, 31_000)
        told = {house.worker.back.resume.poll() for _ in range(3)}
        house.edit(id, title="Edited")
        house.work()
        assert resume_of(house, id) == saved(house) == 0
        assert told == {OTHER_ACCOUNT}
        assert caplog.text.count(OTHER_ACCOUNT) == 1


def test_with_an_account_that_nobody_has_nothing_is_read(tmp_path):
    with House(tmp_path / "data", watch=WatchRules("nobody", resume=True), pool=Inline()) as house:
        (id,) = house.add()
        leave(house, id, 31_000)
        assert house.worker.back.resume.poll() == "no account of the Plex server with the name of watch_account"
        house.want(id)
        house.work_for(60)
        assert resume_of(house, id) == 0


@pytest.mark.parametrize("account", ["", "1", "someone"])
def test_the_owner_may_be_named(tmp_path, account):
    with House(tmp_path / "data", watch=WatchRules(account, resume=True), pool=Inline()) as house:
        house.approve_plays()
        (id,) = house.in_step()
        leave(house, id, 31_000)
        poll(house)
        assert resume_of(house, id) == 31_000


def test_nothing_is_written_before_the_first_write_is_approved_and_all_of_it_after(house):
    house.change("delete from note where name = 'plays:approved'")
    (id,) = house.in_step()
    leave(house, id, 31_000)
    assert house.worker.back.resume.poll() == UNAPPROVED
    house.edit(id, title="Edited")
    house.want(id, kind=house.worker.back.flow.kind)
    house.work_for(60)
    assert resume_of(house, id) == saved(house) == 0
    house.approve_plays()
    poll(house)
    assert resume_of(house, id) == 31_000


@pytest.mark.parametrize("watch", [None, WatchRules()], ids=["off", "plays"])
def test_nothing_is_asked_or_written_while_it_is_off(tmp_path, watch):
    with House(tmp_path / "data", watch=watch, pool=Inline()) as house:
        (id,) = house.in_step()
        leave(house, id, 31_000)
        house.worker.poller.poll()
        house.edit(id, title="Edited")
        if watch:
            assert house.worker.back.resume is None
            house.want(id, kind=house.worker.back.flow.kind)
        house.work_for(DAY)
        assert resume_of(house, id) == saved(house) == 0
        assert not [request for request in house.plex_sim.log if "lastViewedAt>>" in dict(request.query)]


def test_a_scene_that_is_ignored_or_gone_gets_none(house):
    one, two = house.in_step(2)
    house.change(f"update job set state = 'ignored' where id = {one}")
    leave(house, one, 31_000)
    leave(house, two, 31_000)
    house.stash_sim.destroy_scene(two)
    poll(house)
    assert (resume_of(house, one), saved(house), house.unsettled()) == (0, 0, 0)


# --- trouble ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arrives", [False, True])
@pytest.mark.parametrize("watched_on", [False, True])
def test_a_request_whose_end_is_unknown_comes_to_rest(house, arrives, watched_on):
    (id,) = house.in_step()
    leave(house, id, 31_000)
    house.stash_sim.faults.set(Fault("reset_after" if arrives else "reset", when=saving))
    assert house.worker.back.resume.poll() == ""
    house.work_for(30)
    house.stash_sim.faults.clear()
    if watched_on:
        leave(house, id, 40_000)
        assert house.worker.back.resume.poll() == ""
    house.work_for(DAY / 24)
    assert resume_of(house, id) == (40_000 if watched_on else 31_000)
    assert house.unsettled() == 0


@pytest.mark.parametrize("leap", [600, 400 * DAY])
def test_a_position_that_arrives_after_a_leap_of_the_clock_is_not_taken_for_yours(house, leap):
    (id,) = house.in_step()
    leave(house, id, 31_000)
    house.stash_sim.faults.set(Fault("reset", when=saving))
    assert house.worker.back.resume.poll() == ""
    house.work_for(1)
    house.stash_sim.faults.clear()
    leave(house, id, 40_000)
    house.clock.leap(leap)
    assert house.worker.back.resume.poll() == ""
    house.work_for(60)
    change(house, id, 31_000)  # what was on its way
    house.work_for(DAY / 24)
    poll(house)
    assert resume_of(house, id) == 40_000


def test_what_you_change_while_the_end_of_a_request_is_unknown_stays(house):
    (id,) = house.in_step()
    leave(house, id, 31_000)
    house.stash_sim.faults.set(Fault("reset", when=saving))
    assert house.worker.back.resume.poll() == ""
    house.work_for(1)
    change(house, id, 45_000)
    house.stash_sim.faults.clear()
    house.work_for(DAY / 24)
    poll(house)
    assert resume_of(house, id) == 45_000


def test_a_stash_that_refuses_writes_stops_nothing_else(house):
    one, two = house.in_step(2)
    leave(house, one, 31_000)
    house.stash_sim.faults.set(Fault("status", status=500, when=saving))
    assert house.worker.back.resume.poll() == ""
    house.work_for(600)
    house.edit(two, title="Edited meanwhile")
    house.work_for(30)
    assert house.title_in_plex(two) == "Edited meanwhile"
    assert house.breaker(Neighbour.STASH) == "closed"
    house.stash_sim.faults.clear()
    house.work_for(3600)
    assert resume_of(house, one) == 31_000
    assert house.states().keys() == {State.IDLE}


@pytest.mark.parametrize("first", [True, False])
def test_a_request_that_stash_has_refused_is_forgotten_and_made_again(house, first):
    (id,) = house.in_step()
    if not first:
        leave(house, id, 31_000)
        poll(house)
    leave(house, id, 40_000)
    house.stash_sim.faults.set(Fault("status", status=403, when=saving))
    assert house.worker.back.resume.poll() == ""
    house.work_for(60)
    assert house.rows("select sending, position from resume") == ([] if first else [(-1, 31_000)])
    house.stash_sim.faults.clear()
    house.replace_worker(fingerprint="another")
    house.work_for(3600)
    assert resume_of(house, id) == 40_000


def test_an_outage_of_plex_loses_nothing(house):
    (id,) = house.in_step()
    poll(house)
    leave(house, id, 31_000)
    house.plex_sim.faults.set(Fault("status", status=503))
    assert house.worker.back.resume.poll() != ""
    house.work_for(6 * 3600)
    house.plex_sim.faults.clear()
    house.work_for(600)
    poll(house)
    assert resume_of(house, id) == 31_000


# --- undo ------------------------------------------------------------------------------------------------------------


def test_an_undo_puts_back_what_was_there_and_a_later_viewing_is_written(house):
    (id,) = house.in_step()
    leave(house, id, 10_000)
    poll(house)
    change(house, id, 5_000)
    leave(house, id, 31_000)
    poll(house)
    leave(house, id, 33_000)
    poll(house)
    assert undo(house, id)
    house.work()
    assert resume_of(house, id) == 5_000
    house.want(id)
    house.clock.move(60)
    poll(house)
    assert resume_of(house, id) == 5_000
    leave(house, id, 40_000)
    poll(house)
    assert resume_of(house, id) == 40_000


def test_an_undo_leaves_what_you_changed_since(house):
    (id,) = house.in_step()
    leave(house, id, 31_000)
    poll(house)
    change(house, id, 45_000)
    assert undo(house, id)
    house.work()
    assert (resume_of(house, id), saved(house)) == (45_000, 1)


def test_there_is_nothing_to_undo_where_nothing_was_written(house):
    (id,) = house.in_step()
    assert not undo(house, id)
    change(house, id, 31_200)
    leave(house, id, 31_000)
    poll(house)
    assert not undo(house, id)


@pytest.mark.parametrize("watch", [None, WatchRules(), WatchRules("2", resume=True)], ids=["off", "plays", "other"])
def test_an_undo_is_carried_out_though_resume_points_are_off_by_now(house, watch):
    house.plex_sim.add_account("guest")
    (id,) = house.in_step()
    leave(house, id, 31_000)
    poll(house)
    house.replace_worker(watch=watch)
    assert undo(house, id)
    house.work()
    assert resume_of(house, id) == 0


def test_an_undo_that_is_asked_for_while_a_request_is_refused_is_carried_out_though_resume_points_are_off(house):
    (id,) = house.in_step()
    leave(house, id, 31_000)
    poll(house)
    stash = house.worker.stash.watching
    save = stash.save_activity

    def ask_and_save(id, **activity):
        stash.save_activity = save
        assert undo(house, id)
        save(id, **activity)

    stash.save_activity = ask_and_save
    leave(house, id, 40_000)
    house.stash_sim.faults.set(Fault("status", status=403, when=saving))
    assert house.worker.back.resume.poll() == ""
    house.work()
    assert (resume_of(house, id), house.rows("select sending, undo from resume")) == (31_000, [(-1, "asked")])
    house.stash_sim.faults.clear()
    house.replace_worker(watch=None, fingerprint="another")
    house.work_for(3600)
    assert resume_of(house, id) == 0


def test_a_redo_brings_back_what_plex_has(house):
    (id,) = house.in_step()
    leave(house, id, 31_000)
    poll(house)

    def redo() -> bool:
        return wish(house, id, REDO)

    assert not redo()
    undo(house, id)
    house.work()
    assert resume_of(house, id) == 0
    assert redo()
    house.work()
    assert resume_of(house, id) == 31_000
    undo(house, id)
    house.work()
    assert resume_of(house, id) == 0


def test_an_undo_concerns_an_ignored_scene_and_one_without_an_item(house):
    one, two = house.in_step(2)
    leave(house, one, 31_000)
    leave(house, two, 31_000)
    poll(house)
    house.change(f"update job set state = 'ignored' where kind = 'scene' and id = {one}")
    house.plex_sim.remove(house.key_of(two))
    assert undo(house, one)
    assert undo(house, two)
    house.work_for(60)
    assert (resume_of(house, one), resume_of(house, two), house.unsettled()) == (0, 0, 0)


def test_other_wishes_leave_resume_points_alone(house):
    (id,) = house.in_step()
    leave(house, id, 31_000)
    poll(house)
    assert not wish(house, id, AGAIN)
    assert not wish(house, id, REDO)
    assert not wish(house, id, UNDO, since=1)


# --- kills -----------------------------------------------------------------------------------------------------------


def test_a_kill_at_any_boundary_ends_where_plex_is_or_where_it_was_before(tmp_path):
    number, killed = 0, True
    while killed:
        number += 1
        with House(tmp_path / str(number), watch=WITH_RESUME, pool=Inline()) as house:
            one, two = house.in_step(2)
            change(house, one, 5_000)
            house.stash_sim.plays.add(one, [house.plex_sim.now()])
            leave(house, one, 31_000)
            leave(house, two, 12_000)
            stash, plex = house.worker.stash.watching, house.worker.plex
            reads = (plex.history, ("viewings",)), (plex, ("items",))
            stashs = ("watched_scenes", "save_activity")
            boundaries, killed = Boundaries(house, number, *reads, (stash, stashs)), False
            try:
                poll(house)
                undo(house, one)
                house.work()
            except Killed:
                killed = True
            boundaries.end()
            house.replace_worker(holder="next")
            house.worker.engine.reclaim()
            poll(house)
            house.work_for(DAY / 12)
            poll(house)
            # A request to take back is saved or it is not.
            assert resume_of(house, one) in (5_000, 31_000), number
            assert resume_of(house, two) == 12_000, number
            if not killed:
                assert resume_of(house, one) == 5_000
            assert house.unsettled() == 0
            assert house.books_balance()
            leave(house, one, 44_000)
            poll(house)
            assert resume_of(house, one) == 44_000
    assert number > 20


# --- how long a scene waits -------------------------------------------------------------------------------------------

ARRIVES = "an earlier request may still arrive in Stash"


def waiting(seconds: float, text: str = "something else") -> Waiting:
    return Waiting(text, "released", after=seconds, backoff=False)


@pytest.mark.parametrize(
    ("until", "ends", "waits"),
    [
        pytest.param(5_000, Done(), waiting(5, ARRIVES), id="for the resume point"),
        pytest.param(5_000, waiting(6), waiting(5, ARRIVES), id="the resume point first"),
        pytest.param(5_000, waiting(4), waiting(4), id="something else first"),
        pytest.param(5_000, waiting(5), waiting(5), id="both at once"),
    ],
)
@pytest.mark.parametrize("sends", [False, True])
def test_a_scene_is_looked_at_again_after_the_wait_that_is_over_first(house, until, ends, waits, sends):
    last = Watched("71", ViewState(0, house.plex_sim.now(), 30_000))
    open_request = RememberedResume(last, 0, 0, sending=30_000, until=house.clock.now() + until)
    watched = WatchedScene(Scene(1), (), position=0)
    plan = PlayPlan(Moments([1]) if sends else None, None, {}, {})
    finding = house.worker.back.flow.activity.plan_resume(PlaysFinding(1, watched, plan=plan), None, open_request)
    found = settled_finding(finding, plan, house.clock.now(), ends)
    assert (found.ends, found.outcome) == (waits, None if sends else waits)

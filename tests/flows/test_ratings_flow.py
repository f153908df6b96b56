"""Ratings both ways: what you rate in Stash or in Plex is on the other side too, whatever happens in between."""

from random import Random

import pytest

from plexsync.app.further_flows import forget_ratings
from plexsync.engine.undo import wish_undone
from plexsync.flows.scenes.plex_events import Gathered
from plexsync.flows.scenes.undo import SceneUndo
from plexsync.rules.plays.ratings import RatingRules
from plexsync.rules.queue.choices import Choice
from plexsync.rules.queue.job import RATING, RATING_BACK, Kind, State
from plexsync.rules.servers.errors import Neighbour
from plexsync.rules.servers.scratch import Original
from plexsync.simulator.http import Fault, Request
from plexsync.simulator.plex_traits import Traits
from tests.engine.house import DAY, House
from tests.engine.pools import Inline
from tests.flows.boundaries import Boundaries, Killed
from tests.flows.test_stash_rebuilt import rebuild


@pytest.fixture
def house(tmp_path):
    with House(tmp_path / "data", ratings=RatingRules(), pool=Inline()) as house:
        yield house


def in_step(house: House, *ratings: int | None) -> list[int]:
    """Scenes with these ratings in Stash, and all that follows from them."""
    ids = [house.add_scene(n, rating100=rating) for n, rating in enumerate(ratings)]
    for n in range(len(ratings)):
        path = house.stash_sim.scene(ids[n]).files[0][0]
        house.plex_sim.add_movie(house.section, files=[(path, 1000 + n, 60_000)], title=f"file {n}")
    house.want(*ids)
    house.work_until_settled()
    house.clock.move(60)
    house.forget_requests()
    return ids


def rate_in_plex(house: House, id: int, rating: float | None) -> None:
    """You rate in Plex, which tells of it."""
    house.clock.move(5)
    key = house.key_of(id)
    house.plex_sim.hand_edit(key, locked=False, userRating=rating)
    tell(house, id)


def tell(house: House, id: int) -> None:
    """The event of Plex about an item arrives."""
    key = house.key_of(id)
    house.worker.listener.look_into(Gathered({key: house.plex_sim.item(key).updated_at}))
    house.work()


def rate_in_stash(house: House, id: int, rating: int | None) -> None:
    house.edit(id, rating100=rating)
    house.work()


def shown(house: House, id: int) -> tuple[int | None, float | None]:
    """The rating in Stash, and in Plex."""
    return house.stash_sim.scene(id).rating100, house.plex_sim.item(house.key_of(id)).scalars.get("userRating")


def writes(house: House) -> list[str]:
    """The requests that wrote to either server."""
    stash = ["stash" for request in house.stash_sim.log if b"mutation" in request.body]
    return stash + [request.path for request in house.plex_sim.log if request.method != "GET"]


def to_stash(request: Request) -> bool:
    return b"sceneUpdate" in request.body


def to_plex(request: Request) -> bool:
    return request.path == "/:/rate"


def test_what_you_rate_on_one_side_is_on_the_other(house):
    one, two, three = in_step(house, 80, None, None)
    assert [shown(house, id) for id in (one, two, three)] == [(80, 8.0), (None, None), (None, None)]
    rate_in_plex(house, one, 6)
    rate_in_stash(house, two, 75)
    rate_in_plex(house, three, 9.5)
    assert [shown(house, id) for id in (one, two, three)] == [(60, 6.0), (75, 7.5), (95, 9.5)]
    rate_in_plex(house, one, None)
    rate_in_stash(house, two, None)
    assert [shown(house, id) for id in (one, two, three)] == [(None, None), (None, None), (95, 9.5)]
    assert len(writes(house)) == 5
    assert house.unsettled() == 0
    assert house.books_balance()


def test_our_own_writes_come_back_and_are_no_news(house):
    one, two = in_step(house, 80, 80)
    rate_in_plex(house, one, 6)
    rate_in_stash(house, two, 40)
    house.forget_requests()
    tell(house, one)
    tell(house, two)
    assert house.plex_sim.log == [], "Plex tells of what PlexSync read back after its own write"
    # The hook of Stash queues the scene, as it does for any change of it.
    house.want(one, two)
    steps = house.work()
    assert house.worker.ratings.poll.poll() == ""
    house.worker.poller.poll()
    house.worker.reconciler.reconcile()
    house.work()
    assert writes(house) == []
    assert {kind for step in steps for kind, _ in getattr(step, "ended", ())} == {Kind.SCENE.value}
    with house.store.reading() as db:
        assert not [
            db.jobs.find(kind, id) for kind in (RATING, RATING_BACK) for id in (one, two) if db.jobs.find(kind, id)
        ]


def test_a_plex_that_rounds_makes_no_ping_pong(house):
    house.plex_sim.traits.half_stars = True
    one, two = in_step(house, 83, None)
    assert shown(house, one) == (83, 8.5)
    tell(house, one)
    house.worker.reconciler.reconcile()
    house.work()
    assert house.worker.ratings.poll.poll() == ""
    house.work()
    assert writes(house) == []
    rate_in_stash(house, one, 84)
    assert (shown(house, one), len(writes(house))) == ((84, 8.5), 1), "what Plex made of it is the base"
    house.want(one)
    house.work()
    assert len(writes(house)) == 1
    rate_in_plex(house, one, 8)
    rate_in_plex(house, two, 8.5)
    assert [shown(house, id) for id in (one, two)] == [(80, 8.0), (85, 8.5)]


def test_both_sides_changed_while_nothing_worked(tmp_path):
    for wins, expected in (("stash", (40, 4.0)), ("plex", (60, 6.0))):
        with House(tmp_path / wins, ratings=RatingRules(wins), pool=Inline()) as house:
            (id,) = in_step(house, 80)
            house.plex_sim.hand_edit(house.key_of(id), locked=False, userRating=6)
            rate_in_stash(house, id, 40)
            assert shown(house, id) == expected


def test_the_same_rating_on_both_sides_is_no_conflict(house):
    (id,) = in_step(house, 80)
    house.plex_sim.hand_edit(house.key_of(id), locked=False, userRating=6)
    rate_in_stash(house, id, 60)
    assert writes(house) == []
    rate_in_plex(house, id, 9)
    assert shown(house, id) == (90, 9.0)


def test_the_poll_finds_what_no_event_told(house):
    one, two = in_step(house, 80, 80)
    poll = house.worker.ratings.poll.poll
    assert poll() == ""
    house.clock.move(60)
    house.forget_requests()
    assert poll() == ""
    assert len(house.plex_sim.log) == 1, "one request for a library"
    house.clock.move(5)
    house.plex_sim.hand_edit(house.key_of(two), locked=False, userRating=3)
    assert poll() == ""
    house.work()
    assert [shown(house, id) for id in (one, two)] == [(80, 8.0), (30, 3.0)]
    house.clock.move(60)
    house.forget_requests()
    assert poll() == ""
    house.work()
    assert len(house.plex_sim.log) == 1


def test_the_comparison_finds_what_no_poll_and_no_event_told(house):
    (id,) = in_step(house, 80)
    key = house.key_of(id)
    house.plex_sim.hand_edit(key, locked=False, userRating=5)
    # A Plex on which a rating does not change the stamp of its item.
    house.change(f"update item set stamp = {house.plex_sim.item(key).updated_at}")
    house.worker.reconciler.reconcile()
    house.work()
    assert shown(house, id) == (50, 5.0)


def test_several_items_of_a_scene_have_one_rating(house):
    (id,) = in_step(house, 80)
    other = house.plex_sim.add_section("Other", locations=("/media",), agent="tv.plex.agents.movie")
    path, size, _ = house.plex_sim.item(house.key_of(id)).files[0][:3]
    key = house.plex_sim.add_movie(other, files=[(path, size, 60_000)], title="twin")
    house.worker.reconciler.reconcile()
    house.work()
    assert house.plex_sim.item(key).scalars["userRating"] == 8.0
    house.clock.move(5)
    house.plex_sim.hand_edit(house.key_of(id), locked=False, userRating=2)
    house.clock.move(5)
    house.plex_sim.hand_edit(key, locked=False, userRating=7)
    tell(house, id)
    assert (shown(house, id), house.plex_sim.item(key).scalars["userRating"]) == ((70, 7.0), 7.0)
    house.forget_requests()
    house.worker.reconciler.reconcile()
    house.work()
    assert writes(house) == []


def test_scenes_that_are_ignored_undone_or_out_of_a_library_keep_their_ratings(tmp_path):
    rules = RatingRules(libraries={"movies": False})
    with House(tmp_path / "off", ratings=rules, pool=Inline()) as house:
        (id,) = in_step(house, 80)
        assert shown(house, id) == (80, None)
    with House(tmp_path / "on", ratings=RatingRules(), pool=Inline()) as house:
        ignored, undone = in_step(house, 80, 80)
        house.change(f"update job set state = 'ignored' where id = {ignored}")
        worker = house.worker
        assert wish_undone(house.store, SceneUndo(worker.inspector), house.clock, [undone], "undo").jobs == [undone]
        house.work()
        for id in (ignored, undone):
            rate_in_plex(house, id, 3)
            assert shown(house, id) == (80, 3.0)


# --- switching -------------------------------------------------------------------------------------------------------


def switched(house: House, *, both: bool) -> None:
    """Another worker, with the other setting, and the comparison that it makes."""
    rules = RatingRules() if both else None
    house.replace_worker(ratings=rules, wishes="both" if both else "to Plex")
    if not both:
        forget_ratings(house.worker.parts)
    house.worker.reconciler.reconcile()
    house.work_for(60)


def test_switching_on_loses_no_edit_and_writes_nothing_that_is_in_step(tmp_path):
    with House(tmp_path / "data", pool=Inline()) as house:
        same, rated, later = in_step(house, 80, 80, None)
        house.plex_sim.hand_edit(house.key_of(rated), locked=False, userRating=6)
        house.plex_sim.hand_edit(house.key_of(later), locked=False, userRating=9)
        house.work_for(60)
        assert shown(house, rated) == (80, 6.0)
        house.forget_requests()
        switched(house, both=True)
        assert [shown(house, id) for id in (same, rated, later)] == [(80, 8.0), (60, 6.0), (90, 9.0)]
        assert writes(house) == ["stash", "stash"]


def test_switching_off_shows_no_drift_and_stash_leads_again(tmp_path):
    with House(tmp_path / "data", ratings=RatingRules(), pool=Inline()) as house:
        one, two, three = in_step(house, 80, None, 83)
        rate_in_plex(house, one, 6)
        rate_in_plex(house, two, 9)
        rate_in_plex(house, three, None)
        house.forget_requests()
        switched(house, both=False)
        assert writes(house) == []
        assert house.rows("select distinct word from standing") == [("in step",)]
        rate_in_stash(house, one, 30)
        assert shown(house, one) == (30, 3.0)
        house.plex_sim.hand_edit(house.key_of(two), locked=False, userRating=1)
        house.worker.reconciler.reconcile()
        house.work()
        assert shown(house, two) == (90, 1.0), "an edit in Plex is left alone, as before"
        switched(house, both=True)
        assert shown(house, two) == (10, 1.0)


def test_the_scene_flow_leaves_ratings_and_shows_no_drift(house):
    (id,) = in_step(house, 80)
    house.stash_sim.faults.set(Fault("status", status=500, when=to_stash))
    rate_in_plex(house, id, 6)
    rate_in_stash(house, id, 80)
    (inspection,) = house.worker.glances.look([id])
    assert inspection.targets[0].plan.edit == {}
    assert inspection.targets[0].drift == ()
    assert shown(house, id) == (80, 6.0)
    house.stash_sim.faults.clear()
    house.work_for(3600)
    assert shown(house, id) == (60, 6.0)


def test_nothing_is_written_to_stash_while_ratings_go_one_way(tmp_path):
    with House(tmp_path / "data", pool=Inline()) as house:
        (id,) = in_step(house, 80)
        rate_in_plex(house, id, 6)
        house.worker.poller.poll()
        house.worker.reconciler.reconcile()
        house.work_for(DAY)
        assert not [request for request in house.stash_sim.log if b"mutation" in request.body]
        assert house.rows("select count(*) from rating") == [(0,)]
        assert shown(house, id) == (80, 6.0)


# --- faults ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arrives", [False, True])
@pytest.mark.parametrize("side", ["stash", "plex"])
def test_a_request_whose_end_is_unknown_is_not_sent_again_too_soon(house, arrives, side):
    (id,) = in_step(house, 80)
    sim, when = (house.stash_sim, to_stash) if side == "stash" else (house.plex_sim, to_plex)
    sim.faults.set(Fault("reset_after" if arrives else "reset", when=when))
    if side == "stash":
        rate_in_plex(house, id, 6)
    else:
        rate_in_stash(house, id, 60)
    house.work_for(30)
    sim.faults.clear()
    house.work_for(DAY / 24)
    assert shown(house, id) == (60, 6.0)
    assert house.unsettled() == 0
    assert house.rows("select count(*) from rating where pending <> ''") == [(0,)]


@pytest.mark.parametrize("leap", [600, 400 * DAY])
def test_a_rating_that_arrives_after_a_leap_of_the_clock_is_not_taken_for_yours(house, leap):
    (id,) = in_step(house, 80)
    house.stash_sim.faults.set(Fault("reset", when=to_stash))
    rate_in_plex(house, id, 6)
    house.work_for(10)
    house.stash_sim.faults.clear()
    rate_in_plex(house, id, 4)
    house.clock.leap(leap)
    house.work_for(60)
    rate_in_stash(house, id, 60)  # what was on its way
    house.work_for(DAY / 24)
    assert shown(house, id) == (40, 4.0)


def test_an_edit_of_the_scene_flow_that_may_still_arrive_is_waited_for(tmp_path):
    with House(tmp_path / "data", pool=Inline()) as house:
        (id,) = in_step(house, 80)
        house.plex_sim.faults.set(Fault("reset", when=lambda request: request.method == "PUT"))
        rate_in_stash(house, id, 60)
        house.plex_sim.faults.clear()
        house.forget_requests()
        house.replace_worker(ratings=RatingRules(), wishes="both", holder="next")
        rate_in_plex(house, id, 4)
        house.want(id, kind=RATING)
        house.want(id, kind=RATING_BACK)
        house.work_for(30)
        assert (writes(house), shown(house, id)) == ([], (60, 4.0))
        house.plex_sim.hand_edit(house.key_of(id), locked=False, userRating=6)  # what was on its way
        house.work_for(DAY / 24)
        assert (writes(house), shown(house, id)) == ([], (60, 6.0))
        assert house.unsettled() == 0


def test_an_item_that_a_probe_works_on_is_left_alone_until_the_probe_has_ended(house):
    probed, other = in_step(house, 80, 80)
    key = house.key_of(probed)
    with house.store.writing() as tx:
        tx.probes.begin_probe(Original("m", key, house.section, (), {}, (), 0, None, (), (), ""))
    for id in (probed, other):
        house.plex_sim.hand_edit(house.key_of(id), locked=False, userRating=3)
        house.want(id, kind=RATING_BACK)
        house.want(id, kind=RATING)
    house.work_for(60)
    assert [shown(house, id) for id in (probed, other)] == [(80, 3.0), (30, 3.0)]
    house.plex_sim.hand_edit(key, locked=False, userRating=8)  # as the probe leaves it
    with house.store.writing() as tx:
        tx.probes.end_probe()
    house.work_for(DAY / 24)
    assert shown(house, probed) == (80, 8.0)


def test_a_clock_that_is_set_back_between_the_look_and_the_request_ends_no_request_when_it_is_set_right(house):
    (id,) = in_step(house, 80)
    flow = house.worker.ratings.flows[1]
    look = flow.look

    def look_and_set_back(ids):
        flow.look = look
        findings = look(ids)
        house.clock.leap(-DAY)
        return findings

    flow.look = look_and_set_back
    house.clock.move(5)
    house.plex_sim.hand_edit(house.key_of(id), locked=False, userRating=6)
    house.stash_sim.faults.set(Fault("reset", when=to_stash))
    house.want(id, kind=RATING_BACK)
    house.step()
    house.stash_sim.faults.clear()
    assert house.rows("select pending, sent from rating") == [("stash", 60)]
    house.clock.leap(DAY)
    rate_in_plex(house, id, 4)
    house.work_for(60)
    house.stash_sim.edit_scene(id, rating100=60)  # what was on its way
    house.work_for(DAY / 24)
    assert shown(house, id) == (40, 4.0)


def test_a_rating_of_yours_right_after_ours_is_not_taken_for_ours(house):
    (id,) = in_step(house, 80)
    rate = house.worker.plex.rate

    def rate_and_be_rated(key: str, rating: float | None) -> None:
        rate(key, rating)
        house.plex_sim.hand_edit(key, locked=False, userRating=2)

    house.worker.plex.rate = rate_and_be_rated
    rate_in_stash(house, id, 60)
    house.work_for(10)
    assert shown(house, id) == (20, 2.0)
    assert house.unsettled() == 0


def test_a_plex_that_ignores_a_rating_is_no_news_and_becomes_a_dead_letter(house):
    (id,) = in_step(house, 80)
    house.worker.plex.rate = lambda _key, _rating: None
    rate_in_stash(house, id, 60)
    house.work_for(DAY)
    assert shown(house, id) == (60, 8.0)
    row = house.row(id, RATING)
    assert (row.state, row.cls, row.error) == (State.DEAD, "untaken", "the rating is not there as it was sent")


def test_an_item_that_vanishes_while_it_is_rated_counts_as_a_failure_and_is_left_alone_after_that(house):
    (id,) = in_step(house, 80)
    rate = house.worker.plex.rate

    def rate_and_remove(key: str, rating: float | None) -> None:
        rate(key, rating)
        house.plex_sim.remove(key)

    house.worker.plex.rate = rate_and_remove
    house.stash_sim.edit_scene(id, rating100=60)
    house.want(id, kind=RATING)
    house.step()
    row = house.row(id, RATING)
    assert (row.attempts, row.cls, row.error) == (1, "missing", "the item vanished while it was rated")
    house.work_for(DAY / 24)
    assert house.rows("select count(*) from job where kind = 'rating'") == [(0,)]


def test_a_stash_that_refuses_writes_stops_nothing_else(house):
    one, two = in_step(house, 80, 80)
    house.stash_sim.faults.set(Fault("status", status=500, when=to_stash))
    rate_in_plex(house, one, 6)
    house.work_for(600)
    rate_in_stash(house, two, 40)
    house.work_for(30)
    assert shown(house, two) == (40, 4.0)
    assert house.breaker(Neighbour.STASH) == "closed"
    house.stash_sim.faults.clear()
    house.work_for(3600)
    assert shown(house, one) == (60, 6.0)
    assert house.states().keys() == {State.IDLE}


@pytest.mark.parametrize("side", ["stash", "plex"])
def test_one_rating_that_is_refused_again_and_again_becomes_a_dead_letter_and_the_others_go_on(house, side):
    one, two, three = in_step(house, 80, 80, 80)
    key = house.key_of(one)

    def of_one(request: Request) -> bool:
        if side == "stash":
            return to_stash(request) and f'"id":"{one}"'.encode() in request.body.replace(b" ", b"")
        return to_plex(request) and request.params.get("key") == key

    (house.stash_sim if side == "stash" else house.plex_sim).faults.set(Fault("status", status=500, when=of_one))
    if side == "stash":
        rate_in_plex(house, one, 3)
        rate_in_plex(house, two, 4)
    else:
        rate_in_stash(house, one, 30)
        rate_in_stash(house, two, 40)
    house.work_for(2 * DAY)
    assert [shown(house, id) for id in (two, three)] == [(40, 4.0), (80, 8.0)]
    assert house.row(one, RATING_BACK if side == "stash" else RATING).state is State.DEAD
    assert shown(house, one) == ((80, 3.0) if side == "stash" else (30, 8.0))
    assert house.books_balance()


def test_ratings_that_wait_for_a_stash_that_refuses_writes_are_counted(house):
    ids = in_step(house, *[80] * 8)
    house.stash_sim.faults.set(Fault("status", status=500, when=lambda request: b"mutation" in request.body))
    for id in ids:
        rate_in_plex(house, id, 6)
    house.work_for(120)
    with house.store.reading() as db:
        assert db.breakers.find("stash:write").state != "closed"
        assert db.jobs.count_waiting("stash:write") == len(ids)
    house.stash_sim.faults.clear()
    house.work_for(7200)
    assert [shown(house, id) for id in ids] == [(60, 6.0)] * len(ids)
    with house.store.reading() as db:
        assert db.jobs.count_waiting("stash:write") == 0


def test_a_plex_on_which_edits_write_another_rating_is_rated_all_the_same(tmp_path):
    with House(tmp_path / "data", ratings=RatingRules(), pool=Inline()) as house:
        house.plex_sim.traits = Traits(rating_by_edit="item")
        (id,) = in_step(house, 80)
        key = house.key_of(id)
        assert house.worker.plex.items([key])[key].value("userRating") == "8"


def test_a_plex_that_is_restored_brings_no_old_rating_to_stash(house):
    one, two = in_step(house, 80, 80)
    rate_in_plex(house, one, 6)
    backup = house.plex_sim.backup()
    rate_in_plex(house, one, 9)
    rate_in_stash(house, two, 40)
    house.clock.move(60)
    house.plex_sim.restore(backup)
    assert [shown(house, id)[1] for id in (one, two)] == [6.0, 8.0]
    house.worker.reconciler.reconcile()
    house.work_for(60)
    assert [shown(house, id) for id in (one, two)] == [(90, 9.0), (40, 4.0)]
    rate_in_plex(house, one, 2)
    assert shown(house, one) == (20, 2.0)


def test_a_plex_restored_to_before_a_rating_was_first_given_clears_none_in_stash(tmp_path):
    with House(tmp_path / "data", pool=Inline()) as house:
        pushed, rated = in_step(house, None, None)
        backup = house.plex_sim.backup()
        rate_in_stash(house, pushed, 70)
        switched(house, both=True)
        rate_in_plex(house, rated, 8)
        house.clock.move(60)
        house.plex_sim.restore(backup)
        assert [shown(house, id)[1] for id in (pushed, rated)] == [None, None]
        house.worker.reconciler.reconcile()
        house.work_for(60)
        assert [shown(house, id) for id in (pushed, rated)] == [(70, 7.0), (80, 8.0)]
        rate_in_plex(house, rated, None)
        assert shown(house, rated) == (None, None), "you clear it"


def test_a_scene_made_anew_under_the_id_has_no_base(house):
    (id,) = in_step(house, 80)
    house.change("update rating set scene_created_at = 'another'")
    house.change("delete from memory")
    house.plex_sim.hand_edit(house.key_of(id), locked=False, userRating=6)
    rate_in_stash(house, id, 80)
    assert shown(house, id) == (80, 8.0), "without a base, Stash wins"


def test_scenes_that_are_gone_or_ignored_or_can_not_be_read_stop_no_other(house):
    gone, ignored, unread, fine = in_step(house, *[80] * 4)
    house.change(f"update job set state = 'ignored' where id = {ignored}")
    keys = {id: house.key_of(id) for id in (gone, ignored, unread, fine)}
    for key in keys.values():
        house.plex_sim.hand_edit(key, locked=False, userRating=3)
    house.stash_sim.destroy_scene(gone)
    house.plex_sim.faults.set(
        Fault("status", status=500, when=lambda request: keys[unread] in request.path.rsplit("/", 1)[-1].split(","))
    )
    for id in keys:
        house.want(id, kind=RATING_BACK)
        house.want(id, kind=RATING)
    house.work_for(30)
    assert [house.stash_sim.scene(id).rating100 for id in (ignored, unread, fine)] == [80, 80, 30]
    assert house.row(gone, RATING_BACK).state is State.GONE
    house.plex_sim.faults.clear()
    house.work_for(DAY / 24)
    assert [house.stash_sim.scene(id).rating100 for id in (ignored, unread)] == [80, 30]
    assert house.rows(f"select count(*) from job where kind like 'rating%' and id <> {gone}") == [(0,)]
    assert writes(house) == ["stash", "stash"]


def test_another_plex_behind_the_address_gets_and_brings_no_rating(house):
    (id,) = in_step(house, 80)
    house.plex_sim.reinstall(Random(1))
    house.plex_sim.hand_edit(house.key_of(id), locked=False, userRating=3)
    house.replace_worker(holder="next")
    house.forget_requests()
    house.stash_sim.edit_scene(id, rating100=50)
    house.want(id, kind=RATING)
    house.want(id, kind=RATING_BACK)
    house.work_for(60)
    assert (writes(house), shown(house, id)) == ([], (50, 3.0))
    with house.store.reading() as db:
        assert db.holds.find(Neighbour.PLEX).choice == Choice.PLEX_SERVER


def test_another_stash_behind_the_address_gets_and_brings_no_rating(house):
    ids = in_step(house, *[80] * 12)
    rebuild(house)
    house.replace_worker(holder="next")
    for id in ids:
        house.plex_sim.hand_edit(house.key_of(id), locked=False, userRating=3)
        house.want(id, kind=RATING_BACK)
        house.want(id, kind=RATING)
    house.forget_requests()
    house.work_for(60)
    assert writes(house) == []
    with house.store.reading() as db:
        assert db.holds.find(Neighbour.STASH).choice == Choice.STASH


# --- undo ------------------------------------------------------------------------------------------------------------


def undo(house: House, *ids: int) -> list[int]:
    flow = house.worker.ratings.flows[0]
    marked = wish_undone(house.store, flow, house.clock, ids, "undo")
    house.work_for(10)
    return marked.jobs


def test_an_undo_puts_back_the_ratings_that_were_there(house):
    one, two, three = in_step(house, 80, None, 80)
    rate_in_plex(house, two, 9)
    rate_in_plex(house, three, 5)
    rate_in_stash(house, three, 40)
    assert [shown(house, id) for id in (one, two, three)] == [(80, 8.0), (90, 9.0), (40, 4.0)]
    assert undo(house, one, two, three) == [one, two, three]
    assert [shown(house, id) for id in (one, two, three)] == [(80, None), (None, 9.0), (40, 5.0)]
    house.worker.reconciler.reconcile()
    house.work()
    assert [shown(house, id) for id in (one, two, three)] == [(80, None), (None, 9.0), (40, 5.0)], "they rest"
    assert undo(house, one) == []
    rate_in_plex(house, one, 3)
    assert shown(house, one) == (30, 3.0), "until you rate again"


@pytest.mark.parametrize("direction", [0, 1])
@pytest.mark.parametrize("side", ["stash", "plex"])
def test_an_undo_while_a_rating_is_on_its_way_takes_that_one_back_as_well(house, side, direction):
    (id,) = in_step(house, 80)
    is_to_stash = side == "stash"
    rate_one_side = rate_in_plex if is_to_stash else rate_in_stash
    rate_one_side(house, id, 7 if is_to_stash else 70)
    client = house.worker.stash.watching if is_to_stash else house.worker.plex
    rate = client.rate

    def ask_and_rate(*rating):
        client.rate = rate
        asked = wish_undone(house.store, house.worker.ratings.flows[direction], house.clock, [id], "undo")
        assert asked.jobs == [id]
        return rate(*rating)

    client.rate = ask_and_rate
    rate_one_side(house, id, 9 if is_to_stash else 90)
    house.work_for(DAY / 24)
    assert shown(house, id) == ((80, 9.0) if is_to_stash else (90, None))
    assert house.unsettled() == 0
    assert house.rows("select count(*) from rating where undo or pending <> ''") == [(0,)]


def test_an_undo_leaves_what_you_changed_since(house):
    (id,) = in_step(house, None)
    rate_in_plex(house, id, 9)
    house.stash_sim.edit_scene(id, rating100=50)
    undo(house, id)
    assert shown(house, id)[0] == 50


def test_an_undo_puts_back_what_an_item_has_replaced_that_is_another_one_by_now(house):
    asked_before, asked_after = in_step(house, 20, 30)
    rate_in_plex(house, asked_before, 8)
    rate_in_plex(house, asked_after, 9)
    for id in (asked_before, asked_after):
        house.plex_sim.readd(house.key_of(id))
    house.worker.indexer.freshen(force=True)
    assert undo(house, asked_before) == [asked_before]
    house.worker.reconciler.reconcile()
    house.work_for(60)
    assert shown(house, asked_after) == (90, 9.0)
    assert undo(house, asked_after) == [asked_after]
    house.worker.reconciler.reconcile()
    house.work_for(60)
    assert [shown(house, id)[0] for id in (asked_before, asked_after)] == [20, 30]
    assert shown(house, asked_after)[1] is None
    rate_in_stash(house, asked_after, 90)
    undo(house, asked_after)
    assert shown(house, asked_after)[0] == 90, "you have rated it yourself"


def test_an_undo_of_the_scene_takes_its_rating_out_of_plex_and_leaves_stash_alone(house):
    (id,) = in_step(house, 80)
    rate_in_stash(house, id, 60)
    worker = house.worker
    assert wish_undone(house.store, SceneUndo(worker.inspector), house.clock, [id], "undo").jobs == [id]
    house.work()
    house.worker.reconciler.reconcile()
    house.work_for(60)
    assert shown(house, id) == (60, None)
    house.edit(id, title="Synced again")
    house.work_for(60)
    assert (house.title_in_plex(id), shown(house, id)) == ("Synced again", (60, 6.0))


# --- random edits ----------------------------------------------------------------------------------------------------


def test_random_edits_settle_with_no_write_left_over(house):
    rng = Random(3)
    ids = in_step(house, 80, None, 50)
    for _ in range(150):
        id = rng.choice(ids)
        if rng.random() < 0.5:
            house.stash_sim.edit_scene(id, rating100=rng.choice([None, 10, 45, 83, 100]))
            house.want(id)
        else:
            house.clock.move(1)
            house.plex_sim.hand_edit(house.key_of(id), locked=False, userRating=rng.choice([None, 1, 4.5, 8.3, 10]))
        if rng.random() < 0.4:
            house.clock.move(2)
            tell(house, id)
    house.worker.reconciler.reconcile()
    house.work_for(600)
    house.forget_requests()
    house.worker.reconciler.reconcile()
    house.work_for(600)
    assert writes(house) == []
    for id in ids:
        stash, plex = shown(house, id)
        assert (stash or 0) == round((plex or 0) * 10)
    assert house.books_balance()


# --- kills -----------------------------------------------------------------------------------------------------------


def test_a_kill_at_any_boundary_loses_no_rating(tmp_path):
    number, killed = 0, True
    while killed:
        number += 1
        with House(tmp_path / str(number), ratings=RatingRules(), pool=Inline()) as house:
            one, two = in_step(house, 80, 80)
            house.clock.move(5)
            house.plex_sim.hand_edit(house.key_of(one), locked=False, userRating=6)
            house.stash_sim.edit_scene(two, rating100=40)
            house.want(one, two)
            house.clock.move(2)
            stash, plex = house.worker.stash, house.worker.plex
            requests = (stash, ("scenes",)), (stash.watching, ("rate",)), (plex, ("rate", "items"))
            boundaries, killed = Boundaries(house, number, *requests), False
            try:
                house.work()
            except Killed:
                killed = True
            boundaries.end()
            house.replace_worker(holder="next")
            house.worker.engine.reclaim()
            house.work_for(DAY / 12)
            house.worker.reconciler.reconcile()
            house.work()
            assert [shown(house, id) for id in (one, two)] == [(60, 6.0), (40, 4.0)], number
            assert house.unsettled() == 0
            assert house.books_balance()
            assert house.rows("select count(*) from rating where pending <> ''") == [(0,)]
            with house.store.reading() as db:
                assert {row.stash for row in db.ratings.of(created(house, one, two)).values()} == {60, 40}
    assert number > 15


def created(house: House, *ids: int) -> dict[int, str]:
    return {id: scene.created_at for id, scene in house.worker.stash.scenes(ids).items()}

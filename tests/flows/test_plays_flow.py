"""The way back: what an account plays in Plex is in Stash, each play once, whatever happens in between."""

from random import Random
from urllib.parse import urlencode
from urllib.request import Request as HttpRequest, urlopen

import pytest

from plexsync.flows.plays.history_poll import account_in
from plexsync.flows.plays.writes import ARRIVES, PlaysFinding, settled
from plexsync.rules.plays.plays import ActivityPlan, Moments, PlayPlan, WatchRules
from plexsync.rules.queue.choices import Choice
from plexsync.rules.queue.job import PLAYS, Done, State, Waiting, Why
from plexsync.rules.servers.errors import Neighbour
from plexsync.simulator.http import Fault, Request
from tests.engine.house import DAY, TOKEN, House
from tests.engine.pools import Inline
from tests.flows.boundaries import Killed, of_plays
from tests.flows.test_stash_rebuilt import rebuild

AT = 1_700_000_000


@pytest.fixture
def house(tmp_path):
    with House(tmp_path / "data", watch=WatchRules(minimum="plex"), pool=Inline()) as house:
        yield house


def play(house: House, id: int, *moments: int, account: int = 1) -> None:
    for moment in moments:
        house.plex_sim.play(house.key_of(id), at=moment, account=account)


def poll(house: House) -> None:
    """Poll Plex's history, and let the engine work what that has queued."""
    assert house.worker.back.history.poll() == ""
    house.work()


def plays(house: House, id: int) -> list[int]:
    return sorted(house.stash_sim.plays.of(id))


def mutations(house: House) -> list[str]:
    return [
        word
        for request in house.stash_sim.log
        for word in ("sceneAddPlay", "sceneDeletePlay")
        if word.encode() in request.body
    ]


def undo(house: House, id: int) -> None:
    """Ask to take back what was brought to a scene."""
    flow = house.worker.back.flow
    recalled = flow.recall([id])
    with house.store.writing() as tx:
        assert flow.undo(tx, id, recalled[id], "undo", now=house.clock.now())
        tx.jobs.want(flow.kind, id, Why.USER, house.clock.now())


def adding(request: Request) -> bool:
    return b"sceneAddPlay" in request.body


def test_what_is_played_in_plex_is_in_stash_once(house):
    one, two, three = house.in_step(3)
    play(house, one, AT, AT + 5)
    play(house, two, AT)
    poll(house)
    assert (plays(house, one), plays(house, two), plays(house, three)) == ([AT, AT + 5], [AT], [])
    sent = mutations(house)
    assert sent == ["sceneAddPlay"] * 2, "one request for each scene"
    for _ in range(3):
        house.clock.move(60)
        poll(house)
    assert mutations(house) == sent
    play(house, one, AT + 9)
    poll(house)
    assert plays(house, one) == [AT, AT + 5, AT + 9]
    assert house.unsettled() == 0
    assert house.books_balance()


def test_a_play_that_you_deleted_never_comes_again(house):
    (id,) = house.in_step()
    play(house, id, AT, AT + 5)
    poll(house)
    house.stash_sim.plays.delete(id, [AT])
    play(house, id, AT + 9)
    house.clock.move(60)
    poll(house)
    house.worker.back.history.freshen(soon=False)
    poll(house)
    assert plays(house, id) == [AT + 5, AT + 9]


def test_a_play_that_is_there_is_not_doubled_and_is_not_ours(house):
    (id,) = house.in_step()
    house.stash_sim.plays.add(id, [AT])
    play(house, id, AT, AT + 5)
    poll(house)
    assert plays(house, id) == [AT, AT + 5]
    house.stash_sim.plays.delete(id, [AT])
    play(house, id, AT + 9)
    house.clock.move(60)
    poll(house)
    assert plays(house, id) == [AT + 5, AT + 9]


def test_what_you_mark_as_played_is_no_play(house):
    (id,) = house.in_step()
    poll(house)
    query = urlencode({"identifier": "com.plexapp.plugins.library", "key": house.key_of(id)})
    request = HttpRequest(f"{house.plex_sim.url}/:/scrobble?{query}", method="PUT", headers={"X-Plex-Token": TOKEN})
    with urlopen(request, timeout=60):
        pass
    assert house.plex_sim.item(house.key_of(id)).view_count == 1
    house.want(id)
    house.want(id, kind=PLAYS)
    for _ in range(2):
        house.clock.move(DAY)
        poll(house)
        house.worker.reconciler.reconcile()
        house.work_until_settled()
    assert (plays(house, id), mutations(house)) == ([], [])


def test_only_the_chosen_account_counts(tmp_path):
    with House(tmp_path / "data", watch=WatchRules("Guest"), pool=Inline()) as house:
        guest = house.plex_sim.add_account("guest")
        house.approve_plays(guest)
        (id,) = house.in_step()
        play(house, id, AT)
        play(house, id, AT + 1, account=guest)
        poll(house)
        assert plays(house, id) == [AT + 1]
        with house.store.reading() as db:
            assert account_in(db, WatchRules("GUEST")) == guest, "its number is known without Plex from now on"


def test_an_account_that_nobody_has_is_told_and_nothing_is_written(tmp_path):
    with House(tmp_path / "data", watch=WatchRules("nobody"), pool=Inline()) as house:
        (id,) = house.add()
        play(house, id, AT)
        house.want(id)
        house.work_for(60)
        assert house.title_in_plex(id) == "Title 0"
        assert house.worker.back.history.poll() == "no account of the Plex server with the name of watch_account"
        house.work()
        assert plays(house, id) == []


def test_plays_before_the_chosen_day_are_left_alone(tmp_path):
    with House(tmp_path / "data", watch=WatchRules(since=AT), pool=Inline()) as house:
        (id,) = house.in_step()
        longer_ago = AT - 10 * 86_400
        play(house, id, longer_ago, AT - 1, AT, AT + 1)
        poll(house)
        assert plays(house, id) == [AT, AT + 1]
        house.replace_worker(watch=WatchRules(since=longer_ago))
        poll(house)
        assert plays(house, id) == [longer_ago, AT - 1, AT, AT + 1]


def test_the_plays_of_several_items_of_a_scene_are_united(house):
    (id,) = house.in_step()
    twin = house.plex_sim.add_section("Other", locations=("/media",), agent="tv.plex.agents.movie")
    path, size, _ = house.plex_sim.item(house.key_of(id)).files[0][:3]
    key = house.plex_sim.add_movie(twin, files=[(path, size, 60_000)], title="twin")
    house.worker.reconciler.reconcile()
    house.work()
    play(house, id, AT, AT + 5)
    house.plex_sim.play(key, at=AT + 5)
    house.plex_sim.play(key, at=AT + 7)
    poll(house)
    assert plays(house, id) == [AT, AT + 5, AT + 7]


@pytest.mark.parametrize("first_is_gone", [False, True])
def test_an_item_that_moves_to_another_scene_takes_no_play_along_while_the_first_scene_exists(house, first_is_gone):
    first, second = house.in_step(2)
    item = house.key_of(first)
    house.stash_sim.plays.add(first, [AT + 1])
    play(house, first, AT, AT + 1)
    poll(house)
    house.plex_sim.swap_files(item, house.key_of(second))
    if first_is_gone:
        house.stash_sim.destroy_scene(first)
    house.clock.move(60)
    house.worker.reconciler.reconcile()
    house.want(second, kind=PLAYS)
    house.work_for(60)
    assert house.plex_sim.item(item).scalars["title"] == "Title 1"
    assert plays(house, second) == ([AT, AT + 1] if first_is_gone else [])
    house.plex_sim.play(item, at=AT + 9)
    house.clock.move(60)
    poll(house)
    assert plays(house, second) == ([AT, AT + 1, AT + 9] if first_is_gone else [AT + 9]), "what is new is the second's"


def test_a_scene_that_is_matched_later_gets_the_plays_of_its_item(house):
    (id,) = house.add(1, in_plex=False)
    house.want(id)
    house.work()
    key = house.plex_sim.add_movie(house.section, files=[("/media/elsewhere.mp4", 5, 60_000)], title="film")
    house.plex_sim.play(key, at=AT)
    poll(house)
    assert plays(house, id) == []
    house.stash_sim.attach_file(id, ("/media/elsewhere.mp4", 5, 60.0))
    house.clock.move(60)
    house.worker.reconciler.reconcile()
    house.work_for(120)
    assert house.plex_sim.item(key).scalars["title"] == "Title 0"
    assert plays(house, id) == [AT]


def test_a_scene_that_is_ignored_or_gone_gets_none(house):
    one, two = house.in_step(2)
    house.change(f"update job set state = 'ignored' where id = {one}")
    play(house, one, AT)
    play(house, two, AT)
    house.stash_sim.destroy_scene(two)
    poll(house)
    assert plays(house, one) == []
    assert mutations(house) == []
    assert house.unsettled() == 0


@pytest.mark.parametrize("arrives", [False, True])
def test_a_request_whose_end_is_unknown_is_never_sent_twice_too_soon(house, arrives):
    (id,) = house.in_step()
    play(house, id, AT)
    house.stash_sim.faults.set(Fault("reset_after" if arrives else "reset", when=adding))
    assert house.worker.back.history.poll() == ""
    house.work_for(30)
    house.stash_sim.faults.clear()
    house.work_for(DAY / 24)
    assert plays(house, id) == [AT]
    assert house.unsettled() == 0


def with_a_play_on_its_way(house: House) -> int:
    """A scene whose play was sent by a request of which nobody knows whether it arrives."""
    (id,) = house.in_step()
    play(house, id, AT)
    house.stash_sim.faults.set(Fault("reset", when=adding))
    poll(house)
    house.stash_sim.faults.clear()
    return id


@pytest.mark.parametrize("leap", [600, 400 * DAY])
def test_a_play_that_is_undone_on_its_way_and_arrives_after_a_leap_of_the_clock_is_taken_back(house, leap):
    id = with_a_play_on_its_way(house)
    house.clock.leap(leap)
    undo(house, id)
    house.work()
    house.stash_sim.plays.add(id, [AT])  # what was on its way
    house.work_for(DAY / 24)
    assert plays(house, id) == []
    assert house.unsettled() == 0


@pytest.mark.parametrize("leap", [600, 400 * DAY])
def test_a_play_that_arrives_after_a_leap_of_the_clock_is_not_doubled(house, leap):
    id = with_a_play_on_its_way(house)
    house.clock.leap(leap)
    house.work_for(60)
    house.stash_sim.plays.add(id, [AT])
    house.work_for(DAY / 24)
    assert plays(house, id) == [AT]
    assert mutations(house) == ["sceneAddPlay"], "it was waited for"


def test_a_clock_that_is_set_back_between_the_look_and_the_request_ends_no_request_when_it_is_set_right(house):
    (id,) = house.in_step()
    play(house, id, AT)
    flow = house.worker.back.flow
    look = flow.look

    def look_and_set_back(ids):
        flow.look = look
        findings = look(ids)
        house.clock.leap(-DAY)
        return findings

    flow.look = look_and_set_back
    house.stash_sim.faults.set(Fault("reset", when=adding))
    assert house.worker.back.history.poll() == ""
    house.step()
    house.stash_sim.faults.clear()
    assert house.rows("select state from play") == [("adding",)]
    house.clock.leap(DAY)
    house.work_for(60)
    assert mutations(house) == ["sceneAddPlay"]
    house.stash_sim.plays.add(id, [AT])  # what was on its way
    house.work_for(DAY / 24)
    assert plays(house, id) == [AT]


def test_a_stash_that_refuses_writes_stops_nothing_else(house):
    one, two = house.in_step(2)
    play(house, one, AT)
    house.stash_sim.faults.set(Fault("status", status=500, when=adding))
    assert house.worker.back.history.poll() == ""
    house.work_for(600)
    house.edit(two, title="Edited meanwhile")
    house.work_for(30)
    assert house.title_in_plex(two) == "Edited meanwhile"
    assert house.breaker(Neighbour.STASH) == "closed"
    house.stash_sim.faults.clear()
    house.work_for(3600)
    assert plays(house, one) == [AT]
    assert house.states().keys() == {State.IDLE}


def test_an_outage_of_plex_loses_no_play(house):
    (id,) = house.in_step()
    play(house, id, AT)
    house.plex_sim.faults.set(Fault("status", status=503))
    assert house.worker.back.history.poll() != ""
    house.work_for(6 * 3600)
    house.plex_sim.faults.clear()
    play(house, id, AT + 3)
    house.work_for(600)
    poll(house)
    assert plays(house, id) == [AT, AT + 3]


def test_nothing_is_polled_or_written_while_the_way_back_is_off(tmp_path):
    with House(tmp_path / "data", pool=Inline()) as house:
        (id,) = house.in_step()
        play(house, id, AT)
        house.worker.poller.poll()
        house.work_for(DAY)
        assert mutations(house) == []
        assert not [request for request in house.plex_sim.log if "history" in request.path]


def test_plays_of_another_server_behind_the_address_are_not_ours(house):
    (id,) = house.in_step()
    play(house, id, AT)
    poll(house)
    house.plex_sim.reinstall(Random(1))
    for key in house.plex_sim.keys(house.section):
        house.plex_sim.play(key, at=AT + 50)
    house.clock.move(60)
    assert "another Plex server" in house.worker.back.history.poll()
    house.work()
    assert plays(house, id) == [AT]
    assert house.rows("select count(*) from played") == [(1,)]


def test_another_stash_behind_the_address_gets_no_play(house):
    ids = house.in_step(12)
    for id in ids:
        play(house, id, AT)
    rebuild(house)
    house.replace_worker(holder="next")
    for id in ids:
        house.want(id, kind=PLAYS)
    house.work_for(60)
    assert mutations(house) == []
    with house.store.reading() as db:
        assert db.holds.find(Neighbour.STASH).choice == Choice.STASH


def test_a_history_that_plex_does_not_show_is_told_once_and_holds_nothing(house, caplog):
    (id,) = house.in_step()
    play(house, id, AT)
    house.plex_sim.traits.history_status = 403
    for _ in range(3):
        assert "only the owner of a Plex server may read its history" in house.worker.back.history.poll()
    assert caplog.text.count("the history of Plex can't be read") == 1
    house.edit(id, title="Edited meanwhile")
    house.work_for(30)
    assert house.title_in_plex(id) == "Edited meanwhile"


def test_a_play_of_an_item_without_a_scene_is_read_once(house, caplog):
    caplog.set_level("INFO")
    house.in_step()
    key = house.plex_sim.add_movie(house.section, files=[("/media/nobody.mp4", 5, 60_000)], title="film")
    house.plex_sim.play(key, at=AT)
    for _ in range(3):
        poll(house)
        house.clock.move(60)
    assert caplog.text.count("new plays in Plex") == 1


def test_a_poll_costs_one_request_and_a_played_scene_one_write(house):
    ids = house.in_step(20)
    poll(house)
    house.forget_requests()
    house.clock.move(60)
    poll(house)
    assert (len(house.plex_sim.log), len(house.stash_sim.log)) == (1, 0)
    for id in ids:
        play(house, id, AT)
    poll(house)
    assert len(mutations(house)) == len(ids)
    assert len(house.plex_sim.log) <= 4
    assert len(house.stash_sim.log) <= len(ids) + 2


def test_plays_are_taken_back_and_only_ours(house):
    (id,) = house.in_step()
    house.stash_sim.plays.add(id, [AT - 100, AT + 5])
    play(house, id, AT, AT + 5)
    poll(house)
    before = [AT - 100, AT + 5]
    assert plays(house, id) == sorted([*before, AT])
    undo(house, id)
    house.work()
    assert plays(house, id) == before
    play(house, id, AT + 9)
    house.clock.move(60)
    poll(house)
    assert plays(house, id) == [*before, AT + 9]


# --- kills -----------------------------------------------------------------------------------------------------------


def test_a_kill_at_any_boundary_loses_and_doubles_no_play(tmp_path):
    number, killed = 0, True
    while killed:
        number += 1
        with House(tmp_path / str(number), watch=WatchRules(minimum="plex"), pool=Inline()) as house:
            one, two = house.in_step(2)
            house.stash_sim.plays.add(one, [AT + 5])
            play(house, one, AT, AT + 5)
            play(house, two, AT + 1)
            boundaries, killed = of_plays(house, number), False
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
            assert plays(house, one) in ([AT + 5], [AT, AT + 5]), number
            assert plays(house, two) == [AT + 1], number
            if not killed:
                assert plays(house, one) == [AT + 5]
            assert house.unsettled() == 0
            assert house.books_balance()
    assert number > 20


# --- how long a scene waits ------------------------------------------------------------------------------------------


def waiting(seconds: float, text: str = "something else") -> Waiting:
    return Waiting(text, "released", after=seconds, backoff=False)


@pytest.mark.parametrize(
    ("request_ends", "ends", "waits"),
    [
        pytest.param(None, Done(), Done(), id="nothing to wait for"),
        pytest.param(5_000, Done(), waiting(5, ARRIVES), id="for a request"),
        pytest.param(-1, Done(), waiting(0, ARRIVES), id="for a request that is over"),
        pytest.param(5_000, waiting(6), waiting(5, ARRIVES), id="the request first"),
        pytest.param(5_000, waiting(4), waiting(4), id="something else first"),
        pytest.param(5_000, waiting(5), waiting(5), id="both at once"),
    ],
)
@pytest.mark.parametrize("sends", [False, True])
def test_a_scene_is_looked_at_again_after_the_wait_that_is_over_first(house, request_ends, ends, waits, sends):
    until = house.clock.now() + request_ends if request_ends else 0
    plan = PlayPlan(Moments([1]) if sends else None, None, {}, {})
    finding = PlaysFinding(1, plan=plan, resume=ActivityPlan(wait_until=until))
    found = settled(finding, plan, house.clock.now(), ends)
    assert (found.ends, found.outcome) == (waits, None if sends else waits)

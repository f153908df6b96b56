"""What you mark as played in Plex: a play in Stash if you ask for it, and else only known."""

from urllib.parse import urlencode
from urllib.request import Request as HttpRequest, urlopen

import pytest

from plexsync.app.further_flows import drop_marks
from plexsync.engine.undo import wish_undone
from plexsync.flows.plays.recovery import PlaysRecovery
from plexsync.flows.plays.wishes import WishForPlays, wished_plays
from plexsync.flows.plays.writes import MARKED as WAITS, PlaysFinding, settled as settled_finding
from plexsync.reports.scene_plays import scene_plays
from plexsync.rules.plays.marked_plays import GRACE, CountedViews, MarkDecision
from plexsync.rules.plays.play_wishes import REDO, UNDO, PlayWish
from plexsync.rules.plays.plays import Moments, PlayPlan, WatchRules
from plexsync.rules.queue.job import PLAYS, Done, Kind, Waiting
from plexsync.rules.servers.errors import Neighbour
from plexsync.simulator.http import Fault, Request
from plexsync.store.ledger.plays_file import PlaysFile
from tests.engine.house import DAY, HOUR, TOKEN, House
from tests.engine.pools import Inline

MARKS = WatchRules(marks=True)


@pytest.fixture
def house(tmp_path):
    with House(tmp_path / "data", watch=MARKS, pool=Inline()) as house:
        yield house


def began(house: House, count: int = 1) -> list[int]:
    """Scenes in step, after the history was read and every scene was compared."""
    ids = house.in_step(count)
    compare(house)
    house.forget_requests()
    return ids


def compare(house: House) -> None:
    """Read the history, and compare everything, as the worker does once a day."""
    assert house.worker.back.history.poll() == ""
    house.worker.reconciler.reconcile()
    house.work()


def scrobble(house: House, id: int, *, verb: str = "scrobble") -> int:
    """Mark a scene's item as played an hour after whatever was before; returns the second."""
    house.clock.move(HOUR)
    query = urlencode({"identifier": "com.plexapp.plugins.library", "key": house.key_of(id)})
    request = HttpRequest(f"{house.plex_sim.url}/:/{verb}?{query}", method="PUT", headers={"X-Plex-Token": TOKEN})
    with urlopen(request, timeout=60) as answer:
        assert answer.status == 200
    return house.plex_sim.now()


def unmark(house: House, id: int) -> None:
    scrobble(house, id, verb="unscrobble")


def settle(house: House) -> None:
    """Compare, and let what waits for its row in the history come to rest."""
    compare(house)
    house.work_for(5 * GRACE / 1000)
    assert house.unsettled() == 0


def plays_of(house: House, id: int) -> list[int]:
    return sorted(house.stash_sim.plays.of(id))


def counted(house: House, id: int) -> CountedViews | None:
    key = house.key_of(id)
    with house.store.reading() as db:
        return db.view_counts.of([key]).get(key)


def text_of(house: House, id: int, rules: WatchRules | None = None) -> str:
    with house.store.reading() as db:
        facts = scene_plays(db, rules or house.rules["watch"], id)
    assert facts
    return facts["text"]


def wish(house: House, id: int, wish: PlayWish) -> bool:
    worker = house.worker
    recovery = PlaysRecovery(house.store, PlaysFile(house.folder), house.clock, 240_000)
    chosen = wished_plays(house.store, wish, scenes=[id])
    wishes = WishForPlays(worker.stash.watching, worker.gates, recovery, wish)
    return id in wish_undone(house.store, wishes, house.clock, sorted(chosen), "undo").jobs


def adding(request: Request) -> bool:
    return b"sceneAddPlay" in request.body


def test_a_mark_is_a_play_at_its_moment_once(house):
    one, two = began(house, 2)
    moment = scrobble(house, one)
    settle(house)
    assert (plays_of(house, one), plays_of(house, two)) == ([moment], [])
    for _ in range(3):
        house.clock.move(DAY)
        settle(house)
    assert plays_of(house, one) == [moment]
    assert sum(adding(request) for request in house.stash_sim.log) == 1
    assert house.books_balance()
    assert text_of(house, one).startswith("played 1 time in Plex")
    assert "marked" not in text_of(house, one)


def test_plex_tells_of_the_item_and_the_mark_follows_before_any_comparison(house):
    (id,) = began(house)
    moment = scrobble(house, id)
    # As the listener does after an event of the item.
    house.want(id)
    house.work_for(2 * GRACE / 1000)
    assert plays_of(house, id) == [moment]


def test_views_are_counted_once_the_history_was_read_to_its_end(house):
    (id,) = house.in_step()
    house.plex_sim.play(house.key_of(id))
    house.edit(id, title="Inspected before")
    house.work()
    assert counted(house, id) is None
    compare(house)
    assert counted(house, id) == CountedViews()
    moment = scrobble(house, id)
    settle(house)
    assert plays_of(house, id)[-1] == moment


def test_views_are_those_of_the_owner_and_say_nothing_of_another_account(tmp_path):
    with House(tmp_path / "data", watch=WatchRules("2", marks=True), pool=Inline()) as house:
        guest = house.plex_sim.add_account("guest")
        (id,) = began(house)
        house.plex_sim.play(house.key_of(id), account=guest)
        compare(house)
        assert len(plays_of(house, id)) == 1
        scrobble(house, id)
        settle(house)
        assert (counted(house, id), len(plays_of(house, id))) == (None, 1)


def test_each_further_mark_is_one_further_play(house):
    (id,) = began(house)
    moments = []
    for _ in range(3):
        moments.append(scrobble(house, id))
        settle(house)
    assert plays_of(house, id) == moments


def test_of_two_marks_that_are_found_together_only_the_last_has_a_moment(house):
    (id,) = began(house)
    scrobble(house, id)
    moment = scrobble(house, id)
    settle(house)
    house.clock.move(DAY)
    settle(house)
    assert plays_of(house, id) == [moment]


def test_a_play_and_a_mark_are_two(house):
    (id,) = began(house)
    house.plex_sim.play(house.key_of(id))
    played = house.plex_sim.now()
    settle(house)
    moment = scrobble(house, id)
    settle(house)
    assert plays_of(house, id) == [played, moment]


@pytest.mark.parametrize("watch", [WatchRules(), WatchRules("2", marks=True)], ids=["off", "another account"])
def test_without_the_switch_or_the_owner_nothing_is_written(tmp_path, watch):
    with House(tmp_path / "data", watch=watch, pool=Inline()) as house:
        house.plex_sim.add_account("guest")
        (id,) = began(house)
        moment = scrobble(house, id)
        settle(house)
        house.want(id, kind=PLAYS)
        settle(house)
        assert plays_of(house, id) == []
        assert not [request for request in house.stash_sim.log if adding(request)]
        if watch.account:
            assert counted(house, id) is None
            assert "marked" not in text_of(house, id)
            return
        assert counted(house, id) == CountedViews(1, moment)
        assert "; marked as played in Plex on" in text_of(house, id)
        assert "without a play in its history: not in Stash" in text_of(house, id)
        # It is dealt with, so the switch begins with the next one.
        house.replace_worker(watch=MARKS)
        settle(house)
        assert plays_of(house, id) == []
        later = scrobble(house, id)
        settle(house)
        assert plays_of(house, id) == [later]


def test_while_the_way_back_is_off_nothing_is_remembered(tmp_path):
    with House(tmp_path / "data", pool=Inline()) as house:
        (id,) = house.in_step()
        scrobble(house, id)
        house.worker.reconciler.reconcile()
        house.work()
        assert (counted(house, id), plays_of(house, id)) == (None, [])


def test_what_was_marked_before_the_first_look_is_only_told(house):
    (id,) = house.in_step()
    moment = scrobble(house, id)
    compare(house)
    settle(house)
    assert (plays_of(house, id), counted(house, id)) == ([], CountedViews(1, moment))
    assert "; marked as played in Plex on" in text_of(house, id)


def test_history_that_was_deleted_in_plex_becomes_no_mark(house):
    (id,) = began(house)
    entry = house.plex_sim.play(house.key_of(id))
    moment = house.plex_sim.now()
    settle(house)
    request = HttpRequest(f"{house.plex_sim.url}{entry}", method="DELETE", headers={"X-Plex-Token": TOKEN})
    with urlopen(request, timeout=60):
        pass
    house.clock.move(DAY)
    settle(house)
    settle(house)
    assert house.rows("select count(*) from played") == [(0,)]
    assert (plays_of(house, id), counted(house, id)) == ([moment], CountedViews(1))
    later = scrobble(house, id)
    settle(house)
    assert plays_of(house, id) == [moment, later]


def test_history_before_the_chosen_day_becomes_no_mark(tmp_path):
    with House(tmp_path / "data", pool=Inline()) as house:
        (id,) = house.in_step()
        house.plex_sim.play(house.key_of(id))
        house.clock.move(HOUR)
        since = house.plex_sim.now()
        house.replace_worker(watch=WatchRules(since=since, marks=True))
        compare(house)
        settle(house)
        house.plex_sim.pause(house.key_of(id), 0)
        settle(house)
        assert plays_of(house, id) == []
        moment = scrobble(house, id)
        settle(house)
        assert plays_of(house, id) == [moment]


def test_a_play_whose_row_comes_late_is_no_mark(house):
    (id,) = began(house)
    house.clock.move(HOUR)
    house.plex_sim.traits.history_lag = 30.0
    house.plex_sim.sessions.start(house.key_of(id))
    house.clock.move(55)
    house.plex_sim.sessions.finish(house.key_of(id))
    moment = house.plex_sim.now()
    compare(house)
    assert house.unsettled() == 1
    house.work_for(5 * GRACE / 1000)
    assert plays_of(house, id) == [moment]
    assert counted(house, id) == CountedViews()


def test_un_marking_takes_nothing_out_of_stash_and_the_next_mark_counts(house):
    (id,) = began(house)
    first = scrobble(house, id)
    settle(house)
    unmark(house, id)
    settle(house)
    assert plays_of(house, id) == [first]
    second = scrobble(house, id)
    settle(house)
    assert plays_of(house, id) == [first, second]


def test_a_mark_that_is_taken_back_while_it_waits_is_none(house):
    (id,) = began(house)
    scrobble(house, id)
    compare(house)
    unmark(house, id)
    settle(house)
    assert (plays_of(house, id), counted(house, id)) == ([], CountedViews())


def test_a_place_in_the_middle_is_no_mark(house):
    (id,) = began(house)
    house.clock.move(HOUR)
    house.plex_sim.pause(house.key_of(id), 5_000)
    settle(house)
    assert plays_of(house, id) == []


def test_nothing_is_written_before_the_approval_and_the_mark_after_it(house):
    house.change("delete from note where name = 'plays:approved'")
    (id,) = began(house)
    moment = scrobble(house, id)
    settle(house)
    assert plays_of(house, id) == []
    house.approve_plays()
    settle(house)
    assert plays_of(house, id) == [moment]


def test_a_mark_survives_the_daily_reading_of_the_history_and_is_taken_back_and_redone(house):
    (id,) = began(house)
    moment = scrobble(house, id)
    settle(house)
    house.clock.move(2 * DAY)
    settle(house)
    assert wish(house, id, UNDO)
    house.work_for(HOUR)
    assert plays_of(house, id) == []
    settle(house)
    assert plays_of(house, id) == []
    assert wish(house, id, REDO)
    house.work_for(HOUR)
    assert plays_of(house, id) == [moment]


def test_a_mark_that_you_delete_in_stash_stays_deleted(house):
    (id,) = began(house)
    moment = scrobble(house, id)
    settle(house)
    house.stash_sim.plays.delete(id, [moment])
    house.clock.move(DAY)
    settle(house)
    house.want(id, kind=PLAYS)
    house.work_for(HOUR)
    assert plays_of(house, id) == []


@pytest.mark.parametrize("arrives", [False, True])
def test_a_request_whose_end_is_unknown_adds_the_mark_once(house, arrives):
    (id,) = began(house)
    moment = scrobble(house, id)
    house.stash_sim.faults.set(Fault("reset_after" if arrives else "reset", when=adding))
    compare(house)
    house.work_for(3 * GRACE / 1000)
    house.stash_sim.faults.clear()
    house.replace_worker(holder="next")
    house.work_for(HOUR)
    assert plays_of(house, id) == [moment]
    assert house.unsettled() == 0


def test_a_mark_and_a_play_that_are_found_together_are_sent_together(house):
    (id,) = began(house)
    marked = scrobble(house, id)
    compare(house)
    house.clock.move(GRACE / 1000 + 3)
    house.plex_sim.play(house.key_of(id), at=marked - DAY)
    assert house.worker.back.history.poll() == ""
    house.work()
    assert plays_of(house, id) == [marked - DAY, marked]
    assert sum(adding(request) for request in house.stash_sim.log) == 1


def test_a_mark_does_not_wait_for_the_request_of_another_play_that_may_still_arrive(house):
    (id,) = began(house)
    marked = scrobble(house, id)
    compare(house)
    house.plex_sim.play(house.key_of(id), at=marked - DAY)
    house.stash_sim.faults.set(Fault("reset", when=adding))
    house.clock.move(3)
    assert house.worker.back.history.poll() == ""
    house.work()
    house.stash_sim.faults.clear()
    assert house.rows("select moment, state from play") == [(marked - DAY, "adding")]
    house.work_for(1.5 * GRACE / 1000)
    assert plays_of(house, id) == [marked]
    house.work_for(HOUR)
    assert plays_of(house, id) == [marked - DAY, marked]


def test_while_stash_refuses_writes_a_mark_waits(house):
    (id,) = began(house)
    moment = scrobble(house, id)
    house.stash_sim.faults.set(Fault("status", status=500, when=adding))
    compare(house)
    house.work_for(HOUR)
    assert plays_of(house, id) == []
    house.stash_sim.faults.clear()
    house.work_for(HOUR)
    assert plays_of(house, id) == [moment]
    assert house.breaker(Neighbour.PLEX) == "closed"


def test_a_mark_that_is_dropped_is_no_play_any_more_and_its_view_stays_dealt_with(house):
    (id,) = began(house)
    house.plex_sim.play(house.key_of(id))
    played = house.plex_sim.now()
    settle(house)
    marked = scrobble(house, id)
    settle(house)
    assert house.rows("select moment, history_key = 'marked' from played order by moment") == [(played, 0), (marked, 1)]
    with house.store.writing() as tx:
        drop_marks(tx)
    assert house.rows("select moment from played") == [(played,)]
    assert counted(house, id) == CountedViews(1)


@pytest.mark.parametrize("is_compared", [True, False])
def test_switched_off_again_no_mark_is_left_to_be_sent(house, is_compared):
    one, two = began(house, 2)
    first = scrobble(house, one)
    settle(house)
    scrobble(house, two)
    house.stash_sim.faults.set(Fault("status", status=500, when=adding))
    compare(house)
    house.work_for(3 * GRACE / 1000)
    house.stash_sim.faults.clear()
    house.replace_worker(watch=WatchRules())
    with house.store.writing() as tx:
        drop_marks(tx)
        drop_marks(tx)
    if is_compared:
        house.clock.move(DAY)
        settle(house)
    house.want(two, kind=PLAYS)
    house.work_for(HOUR)
    assert (plays_of(house, one), plays_of(house, two)) == ([first], [])
    # Nor does switching it on send what was marked before.
    house.replace_worker(watch=MARKS)
    settle(house)
    assert (plays_of(house, one), plays_of(house, two)) == ([first], [])


def test_another_server_begins_anew(house):
    (id,) = began(house)
    moment = scrobble(house, id)
    settle(house)
    house.change("update note set value = 'other 0' where name = 'plays:since:1'")
    assert house.worker.back.history.poll() == ""
    assert counted(house, id) is None
    settle(house)
    assert plays_of(house, id) == [moment]


def test_a_database_that_is_older_than_a_mark_sends_it_no_second_time(house):
    (id,) = began(house)
    kept = house.rows("select item, unexplained, moment, noticed_at from view_count")
    moment = scrobble(house, id)
    settle(house)
    house.change("delete from played")
    house.change("delete from play")
    house.change("delete from note where name = 'plays:journalled'")
    house.change(f"update view_count set unexplained = {kept[0][1]}, moment = 0, noticed_at = 0")
    house.replace_worker(holder="next")
    settle(house)
    assert plays_of(house, id) == [moment]
    assert house.row(id, Kind.SCENE)


# --- how long a scene waits -------------------------------------------------------------------------------------------


def waiting(seconds: float, text: str = "something else") -> Waiting:
    return Waiting(text, "released", after=seconds, backoff=False)


@pytest.mark.parametrize(
    ("mark", "ends", "waits"),
    [
        pytest.param(None, Done(), Done(), id="nothing to wait for"),
        pytest.param(5_000, Done(), waiting(5, WAITS), id="for a mark"),
        pytest.param(-1, Done(), waiting(0, WAITS), id="for a mark that is over"),
        pytest.param(5_000, waiting(6), waiting(5, WAITS), id="the mark first"),
        pytest.param(5_000, waiting(4), waiting(4), id="something else first"),
        pytest.param(5_000, waiting(5), waiting(5), id="both at once"),
    ],
)
@pytest.mark.parametrize("sends", [False, True])
def test_a_scene_is_looked_at_again_after_the_wait_that_is_over_first(house, mark, ends, waits, sends):
    until = house.clock.now() + mark if mark else 0
    marks = {"71": (CountedViews(), MarkDecision(CountedViews(), wait_until=until))}
    plan = PlayPlan(Moments([1]) if sends else None, None, {}, {})
    found = settled_finding(PlaysFinding(1, plan=plan, marks=marks), plan, house.clock.now(), ends)
    assert (found.ends, found.outcome) == (waits, None if sends else waits)

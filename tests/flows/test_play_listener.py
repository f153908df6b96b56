"""Events of what is played: they only say when to look, and nothing depends on them."""

import threading

import pytest

from plexsync.flows.plays.listener import MANY
from plexsync.flows.scenes.plex_events import Listener
from plexsync.rules.plays.plays import WatchRules
from plexsync.rules.queue.events import Event, Scanned, SessionChanged, SessionState
from plexsync.rules.queue.job import PLAYS, State
from plexsync.rules.servers.errors import Neighbour, Unavailable
from plexsync.simulator.http import Fault
from tests.engine.house import House
from tests.engine.pools import Inline

LAST = {"event": "ended", "Activity": {"type": "library.update.section", "Context": {"librarySectionID": "last"}}}


@pytest.fixture
def house(tmp_path):
    with House(tmp_path / "data", watch=WatchRules(), pool=Inline()) as house:
        house.clock.move(0.25)
        yield house


def hear(house: House, act) -> list[Event]:
    """Connect as the program does, let this happen in Plex, and hand over what is heard until the connection is left."""
    heard: list[Event] = []
    acted = threading.Event()

    def other(events) -> None:
        heard.extend(events)
        if not acted.is_set():
            acted.set()
            act()
            house.plex_sim.tell({"type": "activity", "ActivityNotification": [LAST]})

    def left() -> bool:
        return Scanned("last") in heard

    house.worker.listener(left, [other, house.worker.back.listener.take])
    assert left()
    return heard


def polled_at(house: House, *, within: int) -> list[int]:
    """Let seconds pass, and poll whenever that is asked for; returns after how many seconds it was."""
    listener, times = house.worker.back.listener, []
    for second in range(1, within + 1):
        house.clock.move(1)
        listener.take(())
        if listener.sooner.is_set():
            listener.sooner.clear()
            times.append(second)
            listener.poll()
            house.work()
    return times


def history_reads(house: House) -> int:
    return house.plex_sim.count("GET", "/status/sessions/history")


def plays(house: House, id: int) -> list[int]:
    return sorted(house.stash_sim.plays.of(id))


def mutations(house: House) -> list[bytes]:
    return [request.body for request in house.stash_sim.log if b"mutation" in request.body]


def changed(key: str, state: SessionState, offset: int = 0, session: str = "1") -> SessionChanged:
    return SessionChanged(key, state, offset, session)


def test_a_play_is_in_stash_seconds_after_its_player_stopped(house):
    (id,) = house.in_step()
    at = house.plex_sim.now()

    hear(house, lambda: house.plex_sim.sessions.finish(house.key_of(id)))

    assert plays(house, id) == []
    assert polled_at(house, within=2) == [2]
    assert plays(house, id) == [at]
    assert house.unsettled() == 0


def test_a_row_that_comes_after_the_event_is_found_by_a_later_read(house):
    (id,) = house.in_step()
    at = house.plex_sim.now()
    house.plex_sim.traits.history_lag = 4.0

    hear(house, lambda: house.plex_sim.sessions.finish(house.key_of(id)))

    assert polled_at(house, within=4) == [2]
    assert plays(house, id) == []
    assert polled_at(house, within=56) == [2, 12], "6 and 16 seconds after the event"
    assert plays(house, id) == [at]


def test_a_pause_looks_at_its_scene_once_and_writes_nothing(house):
    (id, other) = house.in_step(2)
    key = house.key_of(id)
    house.worker.back.history.poll()
    house.clock.move(60)
    house.forget_requests()

    heard = hear(house, lambda: house.plex_sim.sessions.pause(key, 31_000))

    assert changed(key, SessionState.PAUSED, 31_000) in heard
    house.clock.move(2)
    house.worker.back.listener.take(())
    assert house.worker.back.listener.sooner.is_set()
    assert house.worker.back.listener.poll() == ""
    assert house.row(id, PLAYS).due <= house.clock.now()
    with house.store.reading() as db:
        assert db.jobs.find(PLAYS, other) is None
    house.work()
    assert house.unsettled() == 0
    assert (history_reads(house), mutations(house)) == (1, [])
    assert house.stash_sim.count() <= 2


def test_what_a_player_repeats_is_heard_once(house):
    (id,) = house.in_step()
    listener, paused = house.worker.back.listener, changed(house.key_of(id), SessionState.PAUSED, 31_000)
    listener.take([paused])
    assert polled_at(house, within=5) == [2]

    listener.take([paused, paused])
    assert polled_at(house, within=60) == []
    listener.take([changed(paused.key, SessionState.PLAYING, 31_000), changed(paused.key, SessionState.PAUSED, 31_500)])
    assert polled_at(house, within=60) == [2]


def test_playing_and_buffering_ask_for_nothing(house):
    (id,) = house.in_step()
    for state in (SessionState.PLAYING, SessionState.BUFFERING):
        house.worker.back.listener.take([changed(house.key_of(id), state, 5)])
    assert polled_at(house, within=60) == []


def test_a_player_that_goes_on_with_another_item_has_ended_the_first(house):
    one, two = house.in_step(2)
    listener = house.worker.back.listener
    listener.take([changed(house.key_of(one), SessionState.PLAYING, 59_000)])
    house.plex_sim.play(house.key_of(one))

    listener.take([changed(house.key_of(two), SessionState.PLAYING)])

    assert polled_at(house, within=60) == [2, 6, 16]
    assert (len(plays(house, one)), plays(house, two)) == (1, [])


def test_sessions_without_a_name_are_told_apart_by_their_items(house):
    one, two = (house.key_of(id) for id in house.in_step(2))
    listener = house.worker.back.listener
    listener.take([changed(key, SessionState.PLAYING, 0, "") for key in (one, two, one, two)])
    assert polled_at(house, within=60) == []
    listener.take([changed(one, SessionState.PAUSED, 7, "")])
    assert polled_at(house, within=60) == [2]
    listener.take([changed(one, SessionState.PAUSED, 7, "")])
    assert polled_at(house, within=60) == []


def test_what_a_guest_plays_writes_nothing(house):
    guest = house.plex_sim.add_account("guest")
    (id,) = house.in_step()
    key = house.key_of(id)

    def plays_it() -> None:
        house.plex_sim.sessions.start(key, account=guest)
        house.plex_sim.sessions.pause(key, 31_000, account=guest)
        house.plex_sim.sessions.finish(key, account=guest)

    assert changed(key, SessionState.STOPPED, 60_000) in hear(house, plays_it)
    assert polled_at(house, within=60) == [2, 6, 16]
    assert (plays(house, id), mutations(house)) == ([], [])
    assert house.unsettled() == 0


def test_an_item_that_is_not_in_the_index_asks_stash_nothing(house, caplog):
    house.in_step()
    house.worker.back.history.poll()
    house.clock.move(60)
    house.forget_requests()
    caplog.clear()

    house.worker.back.listener.take([changed("4711", SessionState.PAUSED, 5)])

    assert polled_at(house, within=60) == [2]
    assert (history_reads(house), house.stash_sim.count()) == (1, 0)
    assert house.rows(f"select count(*) from job where kind = '{PLAYS}'") == [(0,)]
    assert caplog.records == []


def test_a_flood_of_events_costs_one_read_a_second(house, caplog):
    house.in_step()
    house.worker.back.history.poll()
    house.clock.move(60)
    house.forget_requests()
    caplog.clear()
    listener = house.worker.back.listener

    for number in range(5 * MANY):
        listener.take([changed(str(number), SessionState.PAUSED, number, f"a {number}")])
        listener.take([changed(str(number), SessionState.STOPPED, number, f"b {number}")])

    assert polled_at(house, within=60) == [2, 6, 16]
    assert history_reads(house) == 3
    assert caplog.records == []


def test_the_oldest_are_forgotten_where_there_are_too_many(house):
    first, last = house.in_step(2)
    listener = house.worker.back.listener
    keys = [house.key_of(first), *(str(9_000 + number) for number in range(MANY - 1)), house.key_of(last)]
    listener.take([changed(key, SessionState.STOPPED) for key in keys])
    house.clock.move(2)
    assert listener.poll() == ""
    assert house.rows(f"select id from job where kind = '{PLAYS}'") == [(last,)]


@pytest.mark.parametrize(("others", "asks"), [(MANY - 1, []), (MANY, [2])])
def test_the_oldest_sessions_are_forgotten_where_there_are_too_many(house, others, asks):
    (id,) = house.in_step()
    listener, paused = house.worker.back.listener, changed(house.key_of(id), SessionState.PAUSED, 31_000)
    listener.take([paused])
    assert polled_at(house, within=2) == [2]
    listener.take([changed("9000", SessionState.PLAYING, 0, f"another {number}") for number in range(others)])

    listener.take([paused])

    assert polled_at(house, within=3) == asks, "what is repeated is heard again once it was forgotten"


def test_an_item_that_was_stopped_again_lately_is_not_among_the_oldest(house):
    first, second, last = house.in_step(3)
    listener = house.worker.back.listener
    others = [str(9_000 + number) for number in range(MANY - 2)]
    keys = [house.key_of(first), house.key_of(second), *others, house.key_of(first), house.key_of(last)]
    listener.take([changed(key, SessionState.STOPPED, number) for number, key in enumerate(keys)])
    house.clock.move(2)
    assert listener.poll() == ""
    assert house.rows(f"select id from job where kind = '{PLAYS}' order by id") == [(first,), (last,)]


def test_without_a_connection_the_poll_finds_the_play(house):
    (id,) = house.in_step()
    at = house.plex_sim.now()
    listener = house.worker.back.listener
    house.plex_sim.faults.set(Fault("reset", when=lambda request: "notifications" in request.path))

    house.worker.listener(lambda: False, [listener.take])
    house.plex_sim.sessions.finish(house.key_of(id))

    assert polled_at(house, within=60) == []
    assert listener.poll() == ""
    house.work()
    assert plays(house, id) == [at]


@pytest.mark.parametrize("who", list(Neighbour))
def test_an_item_is_looked_at_once_its_servers_are_back(house, who):
    (id,) = house.add()
    house.plex_sim.hand_edit(house.key_of(id), title="known to the index alone")
    house.worker.indexer.freshen(force=True)
    assert house.worker.back.history.poll() == ""
    listener = house.worker.back.listener
    listener.take([changed(house.key_of(id), SessionState.PAUSED, 31_000)])
    sim = house.plex_sim if who is Neighbour.PLEX else house.stash_sim
    sim.faults.set(Fault("status", status=500))

    assert listener.poll() != ""
    assert house.rows(f"select count(*) from job where kind = '{PLAYS}'") == [(0,)]

    sim.faults.clear()
    house.work_for(600)
    assert listener.poll() == ""
    assert house.row(id, PLAYS).state is State.READY
    house.work()
    house.forget_requests()
    assert listener.poll() == ""
    assert house.stash_sim.count() == 0, "it was looked at"


def test_an_item_that_stops_again_while_it_is_looked_at_is_looked_at_again(house):
    (id,) = house.add()
    house.worker.indexer.freshen(force=True)
    listener, key = house.worker.back.listener, house.key_of(id)
    assert listener.poll() == ""
    house.forget_requests()

    def stops_again(_request) -> bool:
        listener.take([changed(key, SessionState.STOPPED, 32_000)])
        return False

    listener.take([changed(key, SessionState.STOPPED, 31_000)])
    house.stash_sim.faults.set(Fault("status", when=stops_again))
    assert listener.poll() == ""
    house.stash_sim.faults.clear()
    house.work()
    house.forget_requests()

    assert listener.poll() == ""
    assert house.stash_sim.count() == 1
    assert house.row(id, PLAYS).state is State.READY
    house.forget_requests()
    assert listener.poll() == ""
    assert house.stash_sim.count() == 0


def test_events_go_to_others_in_every_batch_and_are_no_news_of_the_library(house):
    house.in_step()
    house.worker.indexer.freshen(force=True)
    batches = []

    class Script:
        def listen(self, _stopping):
            yield ()
            house.clock.move(60)
            yield ()
            listener.look()
            house.forget_requests()
            yield [changed("1", SessionState.PLAYING)]
            house.clock.move(60)
            yield ()
            raise Unavailable(Neighbour.PLEX, "away")

    worker = house.worker
    listener = Listener(
        worker.store, worker.stash, worker.plex, Script(), worker.indexer, worker.gates, house.clock, house.rng
    )
    listener(others=[batches.append])
    listener.look()

    assert batches == [(), (), [changed("1", SessionState.PLAYING)], ()]
    assert house.plex_sim.log == []

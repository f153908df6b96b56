"""A gate that closed opens again once its cause is gone: switched off, at a command without a worker, by honest answers."""

import pytest

from plexsync.engine.engine import Idle, ProbeResult
from plexsync.engine.rules import SWITCHED_OFF
from plexsync.engine.tickets import READ, WRITE, Go
from plexsync.flows.scenes.bindings import bind
from plexsync.flows.scenes.preview import preview_scenes
from plexsync.flows.scenes.undo import mark_all_undone
from plexsync.flows.scenes.verbs import explain, want_all
from plexsync.rules.queue.job import State
from plexsync.rules.servers.errors import Missing, Neighbour, Refused, Unavailable
from plexsync.simulator.http import Fault
from tests.engine.house import HOUR, TOKEN, House, fails
from tests.engine.test_gates import admit, breaker, fail, trip
from tests.engine.test_notifications import Watch

PLEX, STASH = Neighbour.PLEX, Neighbour.STASH
REFUSES = Refused(PLEX, "Plex refuses the request (400)")


# --- switched off ----------------------------------------------------------------------------------------------------


@pytest.fixture
def off(tmp_path):
    """Scenes in step, and then PlexSync is switched off."""
    with House(tmp_path / "data") as made:
        made.in_step(3)
        made.worker.poller.poll()
        made.replace_worker(rests=SWITCHED_OFF)
        yield made


def test_switched_off_a_stash_that_comes_back_is_noticed_and_polled(off):
    watch = Watch(off)
    off.stash_sim.faults.set(Fault("refuse"))
    for _ in range(15):
        off.worker.poller.poll()
        watch.pass_by(60)
    assert off.breaker(STASH) == "open"
    assert watch.box.keys() == [("away:stash", False)]
    off.stash_sim.faults.clear()
    watch.pass_by(10 * 60)
    assert off.breaker(STASH) == "closed"
    assert watch.box.keys() == [("away:stash", False), ("away:stash", True)]
    off.stash_sim.edit_scene(1, title="Edited")
    assert off.worker.poller.poll().reason == ""
    assert isinstance(off.work()[-1], Idle)
    assert off.row(1).state is State.READY


def test_switched_off_a_hold_ends_when_the_server_lets_us_in(off):
    off.plex_sim.token = "another"
    off.clock.move(10)
    off.worker.poller.poll()
    assert off.rows("select who from hold") == [("plex",)]
    off.plex_sim.token = TOKEN
    off.work_for(120)
    assert off.rows("select who from hold") == []


@pytest.mark.parametrize("mended", [True, False])
def test_switched_off_nothing_is_written_to_plex_to_find_out_and_the_next_job_is_the_test(off, mended):
    trip(off, how=WRITE)
    off.plex_sim.faults.set(fails("PUT"))
    off.stash_sim.edit_scene(1, title="Edited")
    off.want(1)
    off.work_for(HOUR)
    assert off.plex_sim.count("PUT") == 0
    assert (off.breaker(), breaker(off).failures) == ("closed", 4)
    if mended:
        off.plex_sim.faults.clear()
    off.replace_worker()
    off.work()
    assert off.plex_sim.count("PUT") == 1
    assert off.breaker() == ("closed" if mended else "open")
    assert (off.title_in_plex(1) == "Edited") is mended


def test_switched_off_a_plex_that_tells_of_no_item_is_not_back_by_its_list_of_libraries(off):
    trip(off, how=WRITE)
    off.plex_sim.faults.set(Fault("status", status=500, when=lambda r: r.path.startswith("/library/metadata/")))
    off.work_for(HOUR)
    assert off.breaker() == "open"
    assert off.plex_sim.count("PUT") == 0


def test_switched_off_is_still_said_and_nothing_is_claimed(off):
    off.stash_sim.edit_scene(1, title="Edited")
    off.want(1)
    (idle,) = off.work()
    assert "enabled = false" in idle.reason
    trip(off)
    assert "enabled = false" in off.step().reason


# --- at a command, without a worker ----------------------------------------------------------------------------------


def look(house):
    return list(preview_scenes(house.worker.glances, [1]))


DOORS = {
    "want": lambda house: want_all(house.store, house.worker.stash, house.worker.gates, house.clock),
    "explain": lambda house: explain(house.worker.inspector, 1),
    "reconcile": lambda house: house.worker.reconciler.reconcile(),
    "preview": look,
    "bind": lambda house: bind(
        house.store, house.worker.stash, house.worker.plex, house.worker.gates, house.clock, 1, [house.key_of(1)]
    ),
    "undo": lambda house: mark_all_undone(house.worker.inspector, "release"),
}
BOTH = [(name, who) for name in DOORS for who in Neighbour if who is STASH or name not in ("want", "undo")]


@pytest.mark.parametrize(("name", "who"), BOTH)
def test_a_command_finds_out_itself_that_an_outage_is_over(house, name, who):
    house.in_step(2)
    trip(house, Unavailable(who, "it is away"))
    with pytest.raises(Unavailable, match=f"{who.title()} is down"):
        DOORS[name](house)
    assert house.plex_sim.count() == house.stash_sim.count() == 0, "its wait is not over"
    house.clock.move(63)
    DOORS[name](house)
    assert house.breaker(who) == "closed"
    assert house.plex_sim.count("PUT") == 0


@pytest.mark.parametrize(("name", "who"), BOTH)
def test_a_command_that_finds_a_server_still_away_says_so_and_leaves_it_alone_then(house, name, who):
    house.in_step(2)
    trip(house, Unavailable(who, "it is away"))
    house.clock.move(63)
    sim = house.plex_sim if who is PLEX else house.stash_sim
    sim.faults.set(Fault("status", status=500))
    for _ in range(3):
        with pytest.raises(Unavailable, match=f"{who.title()} is down"):
            DOORS[name](house)
    assert sim.count() == 1
    assert house.breaker(who) == "open"


def test_a_command_finds_out_itself_that_a_token_was_put_right(house):
    house.in_step(2)
    house.plex_sim.token = "another"
    with pytest.raises(Exception, match="plex_token"):
        house.worker.reconciler.reconcile()
    with pytest.raises(Unavailable, match="on hold"):
        house.worker.reconciler.reconcile()
    house.plex_sim.token = TOKEN
    house.clock.move(61)
    assert house.worker.reconciler.reconcile().complete
    assert house.rows("select who from hold") == []


def test_a_command_tests_a_changed_setting_at_once(house):
    house.in_step(2)
    house.plex_sim.token = "another"
    with pytest.raises(Exception, match="plex_token"):
        look(house)
    house.replace_worker(token="another", fingerprint="as changed")
    assert [one.id for one in look(house)] == [1]


def test_a_command_writes_nothing_to_find_out_and_the_next_job_is_the_test(house):
    house.in_step(2)
    trip(house, how=WRITE)
    house.clock.move(63)
    assert house.worker.reconciler.reconcile().complete
    assert house.plex_sim.count("PUT") == 0
    assert breaker(house).failures == 4
    house.plex_sim.faults.set(fails("PUT"))
    house.edit(1, title="Edited")
    house.work()
    assert (house.breaker(), breaker(house).trips, house.attempts_used()) == ("open", 2, 0)


def test_beside_a_worker_one_of_both_asks(house):
    house.in_step(2)
    trip(house)
    other = house.hire(holder="two")
    house.clock.move(63)
    assert not isinstance(admit(house), Go)
    with pytest.raises(Unavailable, match="Plex is down"):
        other.reconciler.reconcile()
    assert house.plex_sim.count() == 0


def test_who_asked_for_patience_is_left_alone_by_commands_too(house):
    house.in_step(2)
    trip(house)
    house.clock.move(63)
    house.plex_sim.faults.set(Fault("status", status=429, retry_after=100))
    for _ in range(2):
        with pytest.raises(Unavailable):
            house.worker.reconciler.reconcile()
    assert house.plex_sim.count() == 1


# --- refusals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", [READ, WRITE])
def test_a_refusal_says_nothing_about_the_breaker(house, how):
    fail(house, how=how, times=4)
    fail(house, REFUSES, how)
    assert breaker(house).failures == 4
    fail(house, Missing(PLEX, "404"), WRITE)
    assert breaker(house).failures == 0


def rename(house, id):
    house.stash_sim.edit_scene(id, title=f"Renamed at {house.clock.now()}")


def live(house, who, watch, *, edits):
    """Six hours, with an edit every half hour, against a server that refuses everything."""
    sim = house.plex_sim if who is PLEX else house.stash_sim
    sim.faults.set(Fault("status", status=400))
    for turn in range(12):
        if edits:
            rename(house, 1 + turn % 6)
            house.want(1 + turn % 6)
        for _ in range(30):
            house.worker.poller.poll()
            house.work_for(60)
            watch.noticer.notice()


@pytest.mark.parametrize("edits", [True, False])
@pytest.mark.parametrize("who", list(Neighbour))
def test_a_server_that_refuses_everything_is_away_and_a_person_hears_of_it(house, who, edits):
    ids = house.in_step(6)
    watch = Watch(house)
    live(house, who, watch, edits=edits)
    assert house.breaker(who) == "open"
    assert watch.box.keys() == [(f"away:{who}", False)]
    assert "refuses the request (400)" in watch.box.got[0].text
    assert set(house.states()) <= {State.IDLE, State.READY}
    assert house.attempts_used() == 0
    assert house.rows("select count(*) from transition where new = 'open' and old = 'closed'") == [(1,)]
    house.plex_sim.faults.clear()
    house.stash_sim.faults.clear()
    for _ in range(10):
        watch.pass_by(60)
        house.worker.poller.poll()
    assert watch.box.keys() == [(f"away:{who}", False), (f"away:{who}", True)]
    assert house.out_of_step(ids) == []


def test_a_probe_that_is_refused_is_no_answer(house):
    for who in Neighbour:
        trip(house, Unavailable(who, "it is away"))
    house.plex_sim.faults.set(Fault("status", status=400))
    house.stash_sim.faults.set(Fault("status", status=400))
    house.clock.move(63)
    assert [house.step(), house.step()] == [ProbeResult(PLEX, well=False), ProbeResult(STASH, well=False)]
    assert (house.breaker(PLEX), house.breaker(STASH)) == ("open", "open")


def test_a_canary_that_is_refused_is_no_answer(house):
    house.in_step(1)
    trip(house, how=WRITE)
    house.clock.move(63)
    house.plex_sim.faults.set(fails("PUT", status=400))
    assert house.step() == ProbeResult(PLEX, well=False)
    assert house.breaker() == "open"


def test_what_only_is_refused_for_one_item_is_its_own_and_no_outage(house):
    (id, *_) = house.in_step(6)
    house.plex_sim.faults.set(fails("GET", house.key_of(id), status=400))
    fail(house, times=4)
    house.clock.move(3)
    house.edit(id, title="Never")
    house.work()
    assert (house.row(id).state, house.row(id).cls) == (State.DEAD, "refused")
    assert breaker(house).failures == 0, "others were read"

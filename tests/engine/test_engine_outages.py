"""An outage of any length uses nobody's attempts, sends nothing to the dead, costs a handful of requests, and heals.

PLEXSYNC_TORTURE=1 takes the full figures.
"""

import os
from collections.abc import Callable
from functools import partial

import pytest

from plexsync.app.clients import lets_in
from plexsync.engine.engine import ProbeResult, Worked
from plexsync.engine.reconnect import ReconnectBackoff
from plexsync.engine.server_return import CALLS as PLUGIN_CALLS, STASH_GATES, ServerReturn
from plexsync.engine.tickets import READ_PLEX
from plexsync.rules.queue.job import State
from plexsync.rules.queue.note_keys import EDIT_BY_LINE
from plexsync.rules.servers.errors import Neighbour
from plexsync.simulator.http import Fault
from plexsync.store import intake
from tests.engine.house import BREAKER, DAY, HOUR, House, fails, path_of
from validation.config import PlexSyncConfig

DUE = 2_000 if os.environ.get("PLEXSYNC_TORTURE") else 300
# A probe each 60, 120, 240 and then 300 seconds, and the five failures that open the breaker.
MOST_REQUESTS = {6 * HOUR: 80, 24 * HOUR: 300}


def wait_out(house, ids, seconds):
    """The outage; returns how many probes it cost."""
    house.work_for(seconds)
    assert house.attempts_used() == 0
    assert State.DEAD not in house.states()
    assert house.states()[State.READY] == len(ids)
    return house.rows("select count(*) from transition where new = 'half_open'")[0][0]


@pytest.fixture
def crowd(tmp_path):
    """Many due jobs. Most scenes are in step when they are looked at; some have to be written."""
    with House(tmp_path / "data") as house:
        ids = [house.add_scene(n) for n in range(DUE)]
        for n in range(DUE):
            title = "other" if n % 20 == 0 else f"Title {n}"
            key = house.plex_sim.add_movie(
                house.section,
                files=[(path_of(n), 1000 + n, 60_000)],
                title=title,
                studio=f"Studio {n % 3}",
                genre=[f"Tag {n % 5}"],
                collection=[f"Studio {n % 3}"],
            )
            fields = {"title": title, "studio": f"Studio {n % 3}"}
            if n % 20:
                house.plex_sim.hand_edit(key, **fields, genre=[f"Tag {n % 5}"], collection=[f"Studio {n % 3}"])
        yield house, ids


@pytest.mark.parametrize("seconds", MOST_REQUESTS)
def test_plex_away_for_hours_with_many_due_jobs(crowd, seconds):
    house, ids = crowd
    house.plex_sim.faults.set(Fault("refuse"))
    house.want(*ids)
    probes = wait_out(house, ids, seconds)
    # Five requests opened the breaker; each probe is one.
    assert probes + 5 <= MOST_REQUESTS[seconds]
    assert house.stash_sim.count() <= 5

    house.plex_sim.faults.clear()
    house.work_until_settled(within=HOUR)
    assert house.out_of_step(ids) == []
    assert house.attempts_used() == 0
    assert house.books_balance()
    assert house.rows("select count(*) from attempt where state = 'dead'") == [(0,)]


@pytest.mark.parametrize("seconds", MOST_REQUESTS)
def test_stash_away_for_hours_with_many_due_jobs(crowd, seconds):
    house, ids = crowd
    house.stash_sim.faults.set(Fault("refuse"))
    house.want(*ids)
    probes = wait_out(house, ids, seconds)
    assert probes + 5 <= MOST_REQUESTS[seconds]
    assert house.plex_sim.count() == 0

    house.stash_sim.faults.clear()
    house.work_until_settled(within=HOUR)
    assert house.out_of_step(ids) == []
    assert house.attempts_used() == 0
    assert house.books_balance()


KINDS = {
    "500": Fault("status", status=500),
    "502": Fault("status", status=502),
    "408": Fault("status", status=408),
    "maintenance": Fault("maintenance"),
    "reset": Fault("reset"),
    "cut": Fault("cut"),
    "garbage": Fault("garbage"),
    "html": Fault("html"),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("who", Neighbour)
def test_whatever_an_outage_looks_like_it_blames_nobody(house, kind, who):
    ids = house.add(20)
    house.want(*ids)
    sim = house.plex_sim if who is Neighbour.PLEX else house.stash_sim
    sim.faults.set(KINDS[kind])
    house.work_for(2 * HOUR)
    # 26 probes, and five failures with their halves.
    assert sim.count() <= 26 + 5 * 3
    assert house.attempts_used() == 0
    assert house.states() == {State.READY: 20}
    sim.faults.clear()
    house.work_until_settled(within=301 + 60)
    assert house.out_of_step(ids) == []
    assert house.attempts_used() == 0


def test_libraries_that_are_told_while_their_items_are_not_are_an_outage_and_no_loop(house):
    ids = house.add(5)
    house.want(*ids)
    house.plex_sim.faults.set(Fault("status", status=500, when=lambda request: request.path.endswith("/all")))
    house.work_for(600)
    # After each minute of rest a probe that is answered, and five failures of two requests.
    assert house.plex_sim.count() <= 11 * (1 + 2 * 5)
    assert house.attempts_used() == 0
    house.plex_sim.faults.clear()
    house.work_until_settled(within=301 + 60)
    assert house.out_of_step(ids) == []


def test_the_first_probe_after_the_return_lets_work_go_on(house):
    ids = house.in_step(10)
    for id in ids:
        house.stash_sim.edit_scene(id, title=f"Edited {id}")
    house.want(*ids)
    house.plex_sim.faults.set(Fault("status", status=500))
    house.work_for(HOUR)
    house.plex_sim.faults.clear()
    house.forget_requests()
    house.work_for(331)
    assert house.plex_sim.log[0].path == "/library/sections"
    assert house.plex_sim.log[1].path.startswith("/library/metadata/")


def test_one_failed_request_is_one_report_however_many_jobs_it_carried(house):
    ids = house.in_step(50)
    house.plex_sim.faults.set(Fault("status", status=500, times=3))
    house.want(*ids)
    house.step()
    with house.store.reading() as db:
        assert db.breakers.find(Neighbour.PLEX).failures == 1
    assert house.plex_sim.count() == 3, "the batch and its two halves"
    assert house.rows("select max(streak) from job") == [(0,)]


def test_an_outage_that_begins_in_the_middle_of_a_batch_lets_go_of_what_was_not_sent(house):
    ids = house.add(40)
    house.plex_sim.faults.set(
        Fault("reset", when=lambda r: house.plex_sim.count("PUT") >= 10 and r.method in ("PUT", "GET"))
    )
    house.want(*ids)
    house.work()
    assert house.breaker() == "open"
    assert house.plex_sim.count("PUT") <= 10 + 5
    house.work_for(10 * 60)
    assert house.attempts_used() == 0
    house.plex_sim.faults.clear()
    house.work_until_settled()
    assert house.out_of_step(ids) == []


def test_while_only_writes_fail_nobody_dies_and_a_write_finds_out_when_they_work_again(house):
    house.in_step(5)
    ids = house.add(100, start=5)
    house.plex_sim.finish_scan(house.section)
    house.plex_sim.scan(house.section)
    house.plex_sim.finish_scan(house.section)
    house.plex_sim.faults.set(fails("PUT"))
    house.want(*ids)
    house.work_for(6 * HOUR)
    assert house.breaker() == "open"
    assert house.rows("select distinct cause from transition where new = 'open'") == [("write",)]
    assert house.attempts_used() == 0
    assert State.DEAD not in house.states()
    assert house.plex_sim.count("PUT") <= 5 + 80
    house.plex_sim.faults.clear()
    house.work_until_settled()
    assert house.out_of_step(ids) == []


def test_each_probe_of_writes_sends_one_canary(house):
    ids = house.in_step(5)
    house.plex_sim.faults.set(fails("PUT"))
    for id in ids:
        house.edit(id, title=f"Another {id}")
    house.want(*ids)
    house.work()
    assert house.breaker() == "open"
    house.forget_requests()
    probes = [step for step in house.work_for(HOUR) if isinstance(step, ProbeResult)]
    assert len(probes) > 2
    assert house.plex_sim.count("PUT") == len(probes)


@pytest.mark.parametrize("count", [1, 30])
def test_while_writes_fail_from_the_very_first_on_nobody_dies(house, count):
    ids = house.add(count)
    house.plex_sim.faults.set(fails("PUT"))
    house.want(*ids)
    house.work_for(12 * HOUR)
    assert house.attempts_used() == 0
    assert State.DEAD not in house.states()
    assert house.plex_sim.count("PUT") <= 5 + 150
    house.plex_sim.faults.clear()
    house.work_until_settled()
    assert house.out_of_step(ids) == []


def test_a_single_job_in_a_long_outage_is_not_blamed_and_comes_in_step_soon_after(house):
    (id, *_) = house.in_step(5)
    house.plex_sim.faults.set(Fault("status", status=500))
    house.edit(id, title="Edited")
    house.work_for(DAY)
    assert house.attempts_used() == 0
    assert house.plex_sim.count() <= 330
    house.plex_sim.faults.clear()
    house.work_until_settled(within=400)
    assert house.title_in_plex(id) == "Edited"


def test_a_flaky_plex_that_fails_every_fifth_request_gets_everything_in_the_end(house):
    ids = house.add(120)
    turn = iter(range(10**6))
    house.plex_sim.faults.set(Fault("status", status=500, when=lambda _: next(turn) % 5 == 0))
    house.want(*ids)
    house.work_until_settled(within=6 * HOUR)
    assert house.out_of_step(ids) == []
    assert State.DEAD not in house.states()


def test_performers_do_not_go_on_asking_a_stash_that_is_away(house):
    for id in range(1, 41):
        house.want(id, kind="performer")
    house.stash_sim.faults.set(Fault("status", status=500))
    house.work_for(60)
    assert house.stash_sim.count() <= 6
    assert house.attempts_used() == 0


# --- a Stash that returns --------------------------------------------------------------------------------------------


def stash_is_away(house: House) -> int:
    """It refuses connections, and an edit has met that; returns the id of the scene."""
    (id,) = house.in_step()
    house.stash_sim.edit_scene(id, title="Edited before it went away")
    house.stash_sim.faults.set(Fault("refuse"))
    house.want(id)
    house.work_for(40)
    assert house.breaker(Neighbour.STASH) == "open"
    return id


def returning(house: House, lets_in: Callable[[], bool]) -> ServerReturn:
    return ServerReturn(house.store, BREAKER, house.clock, lets_in, lambda: None)


def watch_for(house: House, seconds: float, look: ServerReturn) -> float:
    """What the worker does while Stash is down; returns after how many seconds nothing waits any more."""
    for second in range(round(seconds)):
        if second % 2 == 0:
            look()
        house.work_for(1, until=lambda: not house.unsettled())
        if not house.unsettled():
            return second
    return seconds


def test_an_edit_after_a_restart_of_stash_is_in_plex_within_seconds(house):
    config = PlexSyncConfig(plex_url="http://127.0.0.1:9", plex_token="x", stash_url=house.stash_sim.url)
    look = returning(house, partial(lets_in, config.stash_url))
    id = stash_is_away(house)
    house.forget_requests()
    watch_for(house, 600, look)
    probes = len(house.rows("select 1 from transition where new = 'half_open'"))
    assert probes <= 4, "while it refuses, nothing is asked more often"
    house.stash_sim.faults.clear()
    assert watch_for(house, 600, look) <= 6
    assert house.title_in_plex(id) == "Edited before it went away"


def test_after_an_outage_of_plex_of_an_hour_the_work_begins_within_seconds(house):
    look = ServerReturn(
        house.store, BREAKER, house.clock, partial(lets_in, house.plex_sim.url), lambda: None, (READ_PLEX,), ()
    )
    (id,) = house.in_step(1)
    house.edit(id, title="Edited before Plex went away")
    house.plex_sim.faults.set(Fault("refuse"))
    house.want(id)
    assert watch_for(house, 3_600, look) == 3_600
    house.plex_sim.faults.clear()
    assert watch_for(house, 600, look) <= 6
    assert house.title_in_plex(id) == "Edited before Plex went away"


def stash_is_away_briefly(house: House) -> None:
    house.stash_sim.faults.set(Fault("refuse"))
    house.worker.poller.poll()
    assert house.breaker(Neighbour.STASH) == "closed"


@pytest.mark.parametrize("failing", [stash_is_away, stash_is_away_briefly])
def test_once_stash_is_back_its_log_is_listened_to_at_once(house, failing):
    backoff, looks = ReconnectBackoff(house.clock, house.rng, 1.0), []

    def returned():
        looks.append(house.clock.now())
        backoff.end()

    config = PlexSyncConfig(plex_url="http://127.0.0.1:9", plex_token="x", stash_url=house.stash_sim.url)
    look = ServerReturn(house.store, BREAKER, house.clock, partial(lets_in, config.stash_url), returned)
    failing(house)
    for _ in range(9):
        backoff.note_end(house.clock.monotonic())
    look()
    assert (looks, backoff.is_over()) == ([], False)
    house.stash_sim.faults.clear()
    look()
    assert (len(looks), backoff.is_over()) == (1, True)


def line(house: House) -> None:
    """An edit is heard of by a line of Stash's log."""
    with house.store.writing() as tx:
        tx.notes.save(EDIT_BY_LINE, str(house.clock.now()))


def hook(house: House) -> None:
    """An edit is heard of by its hook, also if that has left it as a file."""
    intake.store(str(house.folder), "scene", 77)
    house.store.drain_spool(house.clock.now())


def page_or_task(house: House) -> None:
    intake.note_call(str(house.folder))


# With PostgreSQL Stash starts no worker, so its pages and tasks have none to tell.
CALLS = [pytest.param(page_or_task, marks=pytest.mark.sqlite_only), hook, line]


@pytest.mark.parametrize("call", CALLS)
def test_a_call_by_stash_proves_that_it_is_up_where_its_port_is_always_open(house, call):
    """As where a proxy stands before it, which lets everybody in."""
    stash_is_away(house)
    look = returning(house, lambda: True)
    assert watch_for(house, 200, look) == 200
    house.stash_sim.faults.clear()
    assert watch_for(house, 20, look) == 20, "nothing proves it yet"
    call(house)
    assert watch_for(house, 600, look) <= 6


# --- lost answers ----------------------------------------------------------------------------------------------------


def test_an_edit_whose_answer_was_lost_is_not_sent_twice(house):
    ids = house.add(4)
    house.plex_sim.faults.set(Fault("reset_after", when=lambda r: r.method == "PUT"))
    house.want(*ids)
    house.work()
    assert house.plex_sim.count("PUT") == 4
    assert house.rows("select count(*) from pushing") == [(4,)]
    house.plex_sim.faults.clear()
    house.work_until_settled()
    assert house.plex_sim.count("PUT") == 4
    assert house.out_of_step(ids) == []
    house.forget_requests()
    house.clock.move(HOUR)
    house.want(*ids)
    house.work()
    assert house.plex_sim.count("PUT") == 0
    assert house.rows("select count(*) from pushing") == [(0,)]


def test_after_a_lost_answer_what_was_there_before_us_is_still_known(house):
    (id,) = house.add()
    key = house.key_of(id)
    house.plex_sim.hand_edit(key, locked=False, summary="By the agent")
    house.stash_sim.edit_scene(id, details="Ours")
    house.plex_sim.faults.set(Fault("reset_after", times=1, when=lambda r: r.method == "PUT"))
    house.want(id)
    house.work_until_settled()
    assert house.plex_sim.item(key).scalars["summary"] == "Ours"
    house.clock.move(HOUR)
    house.edit(id, details="")
    house.work()
    assert house.plex_sim.item(key).scalars["summary"] == "By the agent"


def test_a_person_who_edits_plex_after_a_lost_answer_is_respected(house):
    (id,) = house.add()
    house.plex_sim.faults.set(Fault("reset_after", times=1, when=lambda r: r.method == "PUT"))
    house.want(id)
    house.step()
    key = house.key_of(id)
    house.plex_sim.hand_edit(key, title="By hand")
    house.work_until_settled()
    assert house.plex_sim.item(key).scalars["title"] == "By hand"
    assert house.plex_sim.item(key).scalars["studio"] == "Studio 0"
    with house.store.reading() as db:
        ((_, memory),) = db.memories.of([id]).items()
    assert memory["title"].said == "Title 0"


def test_lost_answers_with_a_newer_wish_end_with_the_newest_value(house):
    (id,) = house.add()
    house.plex_sim.faults.set(Fault("reset_after", times=2, when=lambda r: r.method == "PUT"))
    house.want(id)
    house.step()
    house.edit(id, title="Second", tags=["New"])
    house.work_for(60)
    house.edit(id, title="Third", tags=["Newest"])
    house.work_until_settled()
    item = house.plex_sim.item(house.key_of(id))
    assert (item.scalars["title"], item.lists["genre"]) == ("Third", ["Newest"])


def test_what_was_read_back_badly_is_known_after_the_next_look(house):
    ids = house.add(3)
    house.plex_sim.faults.set(
        Fault("status", status=500, times=3, when=lambda r: r.method == "GET" and house.plex_sim.count("PUT") >= 3)
    )
    house.want(*ids)
    step = house.step()
    assert isinstance(step, Worked)
    assert step.outcomes == {"waiting": 3}
    house.work_until_settled()
    assert house.plex_sim.count("PUT") == 3
    assert house.attempts_used() == 0


# --- items that are not there any more -------------------------------------------------------------------------------


def test_an_item_that_was_added_anew_gets_the_edit_under_its_new_key(house):
    (id, *_) = house.in_step(3)
    old = house.key_of(id)
    new = house.plex_sim.readd(old)
    house.edit(id, title="Edited")
    house.work()
    assert house.plex_sim.item(new).scalars["title"] == "Edited"
    assert house.row(id).state is State.IDLE
    with house.store.reading() as db:
        assert db.index.entries([old]) == []


def test_an_item_that_is_added_anew_between_look_and_edit_gets_the_edit_under_its_new_key(house):
    (id, *_) = house.in_step(3)
    old, new = house.key_of(id), []

    def readd(request):
        if request.method == "PUT" and not new:
            new.append(house.plex_sim.readd(old))
        return False

    house.plex_sim.faults.set(Fault("reset", when=readd))
    house.edit(id, title="Edited")
    house.work_until_settled()
    assert house.plex_sim.item(new[0]).scalars["title"] == "Edited"
    assert house.row(id).state is State.IDLE
    assert house.breaker() == "closed"


def test_an_item_that_is_gone_for_good_makes_its_scene_absent(house):
    (id, *_) = house.in_step(3)
    house.plex_sim.remove(house.key_of(id))
    house.edit(id, title="Edited")
    house.work()
    assert house.row(id).state is State.ABSENT
    assert house.plex_sim.count("PUT") == 0


def test_when_many_items_are_gone_the_libraries_are_walked_once_instead_of_asked_by_name(house):
    ids = house.in_step(12)
    for id in ids:
        house.plex_sim.readd(house.key_of(id))
        house.stash_sim.edit_scene(id, title=f"Edited {id}")
    house.want(*ids)
    house.work()
    assert house.out_of_step(ids) == []
    listings = [r for r in house.plex_sim.log if r.method == "GET" and r.path.endswith("/all")]
    assert len(listings) == 1


def own_404(house):
    """A proxy that replaces Plex's 404 for items by a page of its own."""

    def is_gone(request):
        keys = request.path.removeprefix("/library/metadata/").split("/")[0].split(",")
        return request.path.startswith("/library/metadata/") and not set(keys) & set(house.plex_sim.keys(house.section))

    return Fault("proxy", status=404, when=is_gone)


@pytest.mark.parametrize("count", [1, 2, 6])
@pytest.mark.parametrize("outage", [Fault("refuse"), fails("PUT")], ids=["no answer", "failed writes"])
def test_an_outage_ends_behind_a_proxy_with_its_own_404_page_though_the_item_that_is_probed_was_deleted(
    house, outage, count
):
    ids = house.in_step(count)
    with house.store.reading() as db:
        probed = db.memories.healthy_locks(1)[0][1]
    deleted = next(id for id in ids if house.key_of(id) == probed)
    house.plex_sim.faults.set(outage)
    for id in ids:
        house.edit(id, title=f"Edited {id}")
    house.work_for(600)
    assert house.breaker() == "open"
    house.plex_sim.remove(probed)
    house.plex_sim.faults.set(own_404(house))
    house.work_for(HOUR)
    assert house.breaker() == "closed"
    left = [id for id in ids if id != deleted]
    assert house.out_of_step(left) == []
    assert house.row(deleted).state is State.ABSENT
    assert (house.attempts_used(), State.DEAD in house.states()) == (0, False)


def test_an_item_deleted_behind_such_a_proxy_is_not_in_plex_yet_after_one_look(house):
    deleted, _ = house.in_step(2)
    house.plex_sim.remove(house.key_of(deleted))
    house.plex_sim.faults.set(own_404(house))
    house.edit(deleted, title="Edited")
    house.work()
    assert house.row(deleted).state is State.ABSENT
    assert house.breaker() == "closed"


def test_a_server_that_refuses_connections_is_asked_again_until_its_breaker_says_so(house):
    """An idle worker asks once a minute: five failures in a row would take minutes."""
    asked = []

    def ask_again():
        asked.append(house.clock.now())
        house.worker.poller.poll()

    refuses = partial(lets_in, house.stash_sim.url)
    look = ServerReturn(house.store, BREAKER, house.clock, refuses, lambda: None, STASH_GATES, PLUGIN_CALLS, ask_again)
    stash_is_away_briefly(house)
    for _ in range(9):
        look()
        house.clock.move(2)
    assert house.breaker(Neighbour.STASH) == "open"
    assert len(asked) <= BREAKER.failure_threshold

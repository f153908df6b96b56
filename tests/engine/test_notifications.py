"""Telling a person, with the real store, real outages of simulated servers, and a clock in our hand."""

import logging
import threading
from functools import partial

import pytest

from plexsync.app.stored import Stored
from plexsync.engine.loop import Loop, Standstill
from plexsync.engine.notifications import SEND_AGAIN, TOLD, Announcer, Noticer
from plexsync.notify.apprise_sender import AppriseMessenger
from plexsync.reports.notices import situation
from plexsync.rules.queue.notices import NoticeRules, NotSent
from plexsync.rules.servers.errors import LocalFault
from plexsync.simulator.http import Fault
from plexsync.store.files.worker_locks import FileLocks
from tests.engine.house import DAY, HOUR, TOKEN
from tests.notify.receiver import Hook
from tests.patience import until
from validation.config import PlexSyncConfig

MINUTE = 60.0
CONFIG = PlexSyncConfig(
    plex_url="http://127.0.0.1:1", plex_token=TOKEN, stash_url="http://127.0.0.1:1", approve_bulk=True
)


class Box:
    """A messenger that keeps what it is given; it fails while `broken`."""

    def __init__(self, name="box"):
        self.name, self.got, self.broken = name, [], False

    def send(self, notice):
        if self.broken:
            raise NotSent("it is broken")
        self.got.append(notice)

    def keys(self):
        return [(notice.key, notice.over) for notice in self.got]


class Watch:
    def __init__(self, house, *messengers, rules=None):
        self.house = house
        self.box = Box()
        self.messengers = messengers or (self.box,)
        self.rules = rules or NoticeRules()
        self.standstill = Standstill(house.clock)
        self.again()

    def again(self):
        """As after a restart: only the database remembers."""
        self.noticer = self.on(self.house.store)

    def on(self, store):
        """A noticer on this store."""
        house = self.house
        parts = Stored(store, house.clock, CONFIG, house.folder, FileLocks(house.folder))
        look = partial(situation, parts, self.rules)
        return Noticer(store, house.clock, self.messengers, self.rules, self.standstill, look)

    def pass_by(self, seconds, *, work=True, step=MINUTE):
        """Let time pass, a look each minute."""
        for _ in range(round(seconds / step)):
            if work:
                self.house.work_for(step)
            else:
                self.house.clock.move(step)
            self.noticer.notice()


@pytest.fixture
def watch(house):
    return Watch(house)


def test_an_outage_of_plex_is_told_after_ten_minutes_and_so_is_its_end(house, watch):
    ids = house.add(3)
    house.want(*ids)
    house.plex_sim.faults.set(Fault("refuse"))
    watch.pass_by(9 * MINUTE)
    assert watch.box.got == []
    watch.pass_by(3 * HOUR)
    (told,) = watch.box.got
    assert told.key == "away:plex"
    assert "3 scenes queued; nothing is lost." in told.text
    assert "refuses connections" in told.text
    house.plex_sim.faults.clear()
    watch.pass_by(10 * MINUTE)
    assert watch.box.keys() == [("away:plex", False), ("away:plex", True)]
    assert house.out_of_step(ids) == []


def test_an_outage_that_goes_away_by_itself_is_not_told(house, watch):
    house.want(*house.add(3))
    house.plex_sim.faults.set(Fault("status", status=500))
    watch.pass_by(5 * MINUTE)
    house.plex_sim.faults.clear()
    watch.pass_by(HOUR)
    assert watch.box.got == []


def test_writes_that_fail_for_hours_are_one_outage_although_each_test_of_them_looks_like_an_end(house, watch):
    house.want(*house.add(3))
    house.plex_sim.faults.set(Fault("status", status=500, when=lambda request: request.method == "PUT"))
    watch.pass_by(6 * HOUR)
    assert watch.box.keys() == [("away:plex", False)]


def test_a_refused_token_is_told_at_once_and_never_shown(house, watch):
    house.plex_sim.token = "renewed"
    house.want(*house.add(3))
    watch.pass_by(2 * MINUTE)
    (told,) = watch.box.got
    assert told.key == "hold:plex"
    assert "plex_token" in told.text
    assert TOKEN not in told.text
    house.plex_sim.token = TOKEN
    watch.pass_by(10 * MINUTE)
    assert watch.box.keys() == [("hold:plex", False), ("hold:plex", True)]


def test_what_lasts_is_told_once_a_day_also_across_restarts(house, watch):
    house.plex_sim.token = "renewed"
    house.want(*house.add(1))
    for _ in range(3 * 24 * 4):
        watch.again()
        watch.pass_by(DAY / 96, step=DAY / 96)
    assert len(watch.box.got) == 3


def give_up_twelve(house, watch):
    ids = house.add(12)
    watch.noticer.notice()
    house.plex_sim.faults.set(Fault("status", status=414, when=lambda request: request.method == "PUT"))
    house.want(*ids)
    watch.pass_by(2 * MINUTE)
    assert watch.box.keys() == [("dead", False)]


def test_scenes_that_are_given_up_are_told_when_there_are_many(house, watch):
    give_up_twelve(house, watch)
    house.plex_sim.faults.clear()
    with house.store.writing() as tx:
        tx.jobs.retry(now=house.clock.now())
    watch.pass_by(3 * MINUTE)
    assert watch.box.keys() == [("dead", False), ("dead", True)]


def test_scenes_that_grew_too_old_in_the_queue_and_are_found_again_are_no_news(house, watch):
    give_up_twelve(house, watch)
    for _ in range(40):
        house.clock.move(DAY)
        house.worker.engine.prune()
        watch.noticer.notice()
        house.worker.reconciler.reconcile()
        house.work_for(2 * MINUTE)
        watch.noticer.notice()
    assert house.rows("select count from tally where name = 'pruned'") == [(12,)]
    assert watch.box.keys().count(("dead", False)) == 1
    more = house.add(11, start=12)
    house.worker.indexer.freshen(force=True)
    house.want(*more)
    watch.pass_by(2 * MINUTE)
    assert "11 more dead letters, 23 in all" in watch.box.got[-1].text


def test_a_messenger_that_fails_is_logged_once_and_gets_the_notice_later(house, watch, caplog):
    house.plex_sim.token = "renewed"
    house.want(*house.add(1))
    watch.box.broken = True
    with caplog.at_level(logging.INFO, logger="PlexSync.notices"):
        watch.pass_by(HOUR)
        assert [record.message for record in caplog.records if record.name == "PlexSync.notices"] == [
            "a notice did not get through by box: it is broken; it is tried again"
        ]
        watch.box.broken = False
        watch.pass_by(SEND_AGAIN)
    assert watch.box.keys() == [("hold:plex", False)]
    assert caplog.messages[-1:] == [f"notification sent: {watch.box.got[0].text}"]


def test_one_messenger_that_fails_does_not_keep_the_others_from_telling(house):
    broken, well = Box("broken"), Box("well")
    broken.broken = True
    watch = Watch(house, broken, well)
    house.plex_sim.token = "renewed"
    house.want(*house.add(1))
    watch.pass_by(HOUR)
    assert well.keys() == [("hold:plex", False)]


def test_a_full_disk_is_told_although_nothing_can_be_written_down(house, watch):
    watch.noticer.notice()
    watch.standstill(LocalFault("no space is left for plexsync.db", full=True))
    watch.pass_by(HOUR, work=False)
    watch.standstill(LocalFault("no space is left for plexsync.db", full=True))
    watch.pass_by(HOUR, work=False)
    assert watch.box.keys() == [("storage", False)]
    watch.standstill(None)
    watch.pass_by(3 * MINUTE, work=False)
    assert watch.box.keys() == [("storage", False), ("storage", True)]
    assert "It lasted 2 h." in watch.box.got[1].text
    watch.again()
    watch.pass_by(HOUR, work=False)
    assert len(watch.box.got) == 2


class Unreadable:
    """A store whose disk is gone."""

    def reading(self):
        raise LocalFault("plexsync.db can't be used")

    writing = reading


def test_a_database_that_can_not_be_read_is_told_too(house, watch):
    watch.noticer = watch.on(Unreadable())
    (house.folder / "plexsync.db").rename(house.folder / "elsewhere.db")
    watch.standstill(LocalFault("plexsync.db can't be used"))
    watch.pass_by(9 * MINUTE, work=False)
    assert watch.box.got == []
    watch.pass_by(HOUR, work=False)
    assert watch.box.keys() == [("storage", False)]


def test_a_repaired_database_is_told(house, watch):
    with house.store.writing() as tx:
        tx.notes.save("repaired", str(house.clock.now()))
    watch.pass_by(HOUR, work=False)
    (told,) = watch.box.got
    assert told.key.startswith("repaired:")


def test_a_note_that_makes_no_sense_costs_a_second_telling_and_no_more(house, watch):
    house.plex_sim.token = "renewed"
    house.want(*house.add(1))
    watch.pass_by(2 * MINUTE)
    with house.store.writing() as tx:
        tx.notes.save(TOLD, "}{")
    watch.again()
    watch.pass_by(2 * MINUTE)
    assert len(watch.box.got) == 2


def test_the_loop_says_when_it_pauses_and_when_it_goes_on(house):
    heard, stop = [], threading.Event()

    class Disk:
        housekeeping = house.worker.engine.housekeeping

        def step(self, *, stopping):
            if not heard:
                raise LocalFault("plexsync.db is busy")
            return house.worker.engine.step()

        def prune(self):
            stop.set()

    def paused(fault, name=""):
        heard.append(fault and str(fault))

    loop = Loop(Disk(), house.store, house.clock, poll_seconds=1, stop=stop, paused=paused)
    stopped = stop.wait
    stop.wait = lambda seconds: stopped(0)
    loop.serve()
    assert heard == ["plexsync.db is busy", None]


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::PendingDeprecationWarning")
def test_the_announcer_rings_by_a_webhook_beside_the_work_and_no_log_holds_its_address(house, caplog):
    with Hook() as hook, caplog.at_level(logging.DEBUG):
        watch = Watch(house, AppriseMessenger(hook.address, 1))
        house.plex_sim.token = "renewed"
        house.want(*house.add(1))
        house.work()
        stop = threading.Event()
        announcer = Announcer(watch.noticer, stop=stop, seconds=0.01)
        announcer.start()
        until(lambda: hook.told)
        stop.set()
        announcer.join()
        (told,) = hook.told
        assert "plex_token" in told["message"]
        assert TOKEN not in str(told)
        assert "s3cretPathOfTheHook9" not in caplog.text
        assert TOKEN not in caplog.text


def test_a_fault_of_our_own_ends_neither_the_announcer_nor_the_work(caplog):
    stop = threading.Event()

    class Broken:
        times = 0

        def notice(self):
            self.times += 1
            if self.times == 3:
                stop.set()
            raise (LocalFault("no disk") if self.times == 1 else RuntimeError("a bug"))

    noticer = Broken()
    announcer = Announcer(noticer, stop=stop, seconds=0.001)
    announcer.start()
    announcer.join()
    assert noticer.times == 3
    assert "noticing paused: no disk" in caplog.text

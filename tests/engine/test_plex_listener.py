"""What Plex tells by itself: it wants exactly the scenes concerned, never because of our own edits, and is never needed."""

import threading

import pytest

from plexsync.flows.scenes.plex_events import GATHERED, ITEMS, MANY, Gathered, Listener
from plexsync.flows.scenes.plex_index import CHANGE_PACE
from plexsync.flows.scenes.verbs import explain
from plexsync.plex.events import PlexEvents
from plexsync.rules.queue.events import Left, Scanned, SessionChanged, SessionState, Touched
from plexsync.rules.queue.job import State
from plexsync.rules.servers.errors import Unavailable
from plexsync.simulator.http import Fault
from tests.engine.house import TOKEN, path_of
from tests.patience import until


class Ears:
    """What the simulated Plex tells, gathered as the listener does; `look_into` hands it all over at once."""

    def __init__(self, house):
        self._house, self._stop = house, threading.Event()
        self._told = []
        events = PlexEvents(house.plex_sim.url, TOKEN)

        def listen():
            for heard in events.listen(self._stop.is_set):
                self._told += heard

        self._thread = threading.Thread(target=listen)
        self._thread.start()
        until(house.plex_sim.listeners)

    def take(self):
        # What was said before is heard once this is.
        self._house.plex_sim.tell({"type": "activity", "ActivityNotification": [LAST]})
        until(lambda: Scanned("last") in self._told)
        told, self._told = [one for one in self._told if one != Scanned("last")], []
        return told

    def look_into(self):
        gathered = Gathered()
        gathered.take(self.take(), 0.0)
        while gathered.since is not None:
            self._house.worker.listener.look_into(gathered.next())

    def close(self):
        self._stop.set()
        self._thread.join()


LAST = {"event": "ended", "Activity": {"type": "library.update.section", "Context": {"librarySectionID": "last"}}}


def wanted(house):
    return {id for (id,) in house.rows("select id from job where state = 'ready'")}


@pytest.fixture
def synced(house):
    """Eight scenes in step, with stamps known."""
    house.in_step(8)
    house.worker.indexer.freshen(force=True)
    house.plex_sim.advance(60)
    house.forget_requests()
    return house


@pytest.fixture
def ears(synced):
    heard = Ears(synced)
    yield heard
    heard.close()


def test_an_edit_by_hand_wants_its_scene_alone_as_a_sweep(synced, ears):
    synced.plex_sim.hand_edit(synced.key_of(4), locked=False, title="By the agent")
    ears.look_into()
    assert wanted(synced) == {4}
    assert synced.rows("select lane from job where id = 4") == [(1,)]
    synced.work()
    assert synced.title_in_plex(4) == "Title 3"
    ears.look_into()
    assert wanted(synced) == set(), "what was put right is ours"


def test_edits_of_ours_want_nothing_and_cost_no_request(synced, ears):
    for id in (2, 5):
        synced.edit(id, title=f"Edited {id}")
    synced.work()
    synced.forget_requests()
    ears.look_into()
    assert wanted(synced) == set()
    assert synced.plex_sim.count("GET", "/library/metadata") == 0


def test_what_is_told_while_a_scene_is_at_work_wants_it_no_second_time(synced, ears):
    synced.edit(2, title="Edited")
    before = synced.row(2)
    synced.plex_sim.hand_edit(synced.key_of(2), locked=False, title="By the agent")
    ears.look_into()
    assert synced.row(2) == before
    synced.work()
    assert synced.title_in_plex(2) == "Edited"


def test_the_same_told_twice_is_looked_into_once(synced, ears):
    synced.plex_sim.hand_edit(synced.key_of(4), title="By hand")
    told = ears.take()
    for _ in range(3):
        gathered = Gathered()
        gathered.take(told, 0.0)
        synced.worker.listener.look_into(gathered.next())
        synced.work()
    assert synced.plex_sim.count("GET", "/library/metadata") == 2, "by the listener, and by the worker"
    assert synced.title_in_plex(4) == "By hand"


def test_the_poller_finds_nothing_more_in_what_was_heard(synced, ears):
    synced.plex_sim.hand_edit(synced.key_of(4), title="By hand")
    ears.look_into()
    synced.work()
    synced.clock.move(600)
    synced.worker.indexer.freshen()
    assert wanted(synced) == set()


def test_an_item_that_is_gone_wants_its_scene(synced, ears):
    synced.plex_sim.remove(synced.key_of(3))
    ears.look_into()
    assert wanted(synced) == {3}
    synced.work()
    assert synced.row(3).state is State.ABSENT


def test_an_item_that_came_wakes_exactly_the_scene_that_waits_for_it(synced, ears):
    ids = synced.add(3, start=8, in_plex=False)
    synced.want(*ids)
    synced.work()
    before = synced.row(ids[0])
    synced.plex_sim.add_movie(synced.section, files=[(path_of(9), 1009, 60_000)], title="new")
    ears.look_into()
    synced.work()
    assert synced.row(ids[1]).state is State.IDLE
    assert synced.title_in_plex(ids[1]) == "Title 9"
    assert synced.row(ids[0]) == before


def test_an_item_that_came_wants_a_scene_that_was_never_wanted(synced, ears):
    (id,) = synced.add(start=8, in_plex=False)
    synced.plex_sim.add_movie(synced.section, files=[(path_of(8), 1008, 60_000)], title="new")
    ears.look_into()
    assert wanted(synced) == {id}


def glanced_at(house, *ids):
    """The files of these scenes come, somebody looks at once, and only then what Plex has told is looked into."""
    house.put_off()
    house.clock.move(CHANGE_PACE / 1000 + 1)
    for id in ids:
        (path, size, _), *_ = house.stash_sim.scene(id).files
        house.plex_sim.add_movie(house.section, files=[(path, size, 60_000)], title="new")
    worker = house.worker
    for id in ids:
        assert explain(worker.glances, id).inspection.targets


def test_what_a_glance_has_met_first_is_new_all_the_same(synced, ears):
    waiting, never_wanted = synced.add(2, start=8, in_plex=False)
    synced.want(waiting)
    synced.work()
    glanced_at(synced, waiting, never_wanted)
    ears.look_into()
    assert synced.row(waiting).due <= synced.clock.now()
    assert wanted(synced) == {never_wanted}
    synced.work()
    synced.forget_requests()
    synced.plex_sim.hand_edit(synced.key_of(waiting), title="By hand")
    ears.look_into()
    assert synced.stash_sim.count() == 0, "it is known by now"


def test_what_a_glance_has_met_first_stays_new_while_stash_can_not_be_asked_who_waits(synced, ears):
    (waiting,) = synced.add(start=8, in_plex=False)
    synced.want(waiting)
    synced.work()
    glanced_at(synced, waiting)
    synced.change(f"insert into hold values ('stash', '', 'closed', 0, {synced.clock.now() + 60_000}, 'as set up', '')")
    ears.look_into()
    synced.change("delete from hold")
    assert synced.row(waiting).due > synced.clock.now()
    synced.worker.indexer.freshen()
    assert synced.row(waiting).due <= synced.clock.now()


def test_the_end_of_a_scan_wakes_who_waits(synced, ears):
    (id,) = synced.add(start=8, in_plex=False)
    synced.want(id)
    synced.work()
    synced.plex_sim.stage_movie(synced.section, files=[(path_of(8), 1008, 60_000)], title="new")
    synced.plex_sim.scan(synced.section)
    ears.look_into()
    assert synced.row(id).state is State.ABSENT
    synced.plex_sim.finish_scan(synced.section)
    ears.look_into()
    synced.work()
    assert synced.row(id).state is State.IDLE


def test_an_item_of_a_library_that_is_not_ours_is_left_alone(synced, ears):
    other = synced.plex_sim.add_section("Other", locations=("/other",))
    synced.replace_worker(libraries=("Movies",))
    key = synced.plex_sim.add_movie(other, files=[(path_of(1), 1001, 1)], title="copy")
    ears.look_into()
    with synced.store.reading() as db:
        assert db.index.entries([key]) == []
    assert wanted(synced) == set()


@pytest.mark.parametrize("who", ["plex", "stash"])
def test_what_can_not_be_looked_into_now_is_found_by_the_poller(synced, ears, who):
    (id,) = synced.add(start=8, in_plex=False)
    synced.want(id)
    synced.work()
    sim = synced.plex_sim if who == "plex" else synced.stash_sim
    synced.plex_sim.add_movie(synced.section, files=[(path_of(8), 1008, 60_000)], title="new")
    told = ears.take()
    sim.faults.set(Fault("status", status=500))
    gathered = Gathered()
    gathered.take(told, 0.0)
    synced.worker.listener.look_into(gathered.next())
    sim.faults.clear()
    synced.clock.move(600)
    synced.worker.indexer.freshen()
    synced.work()
    assert synced.row(id).state is State.IDLE


def test_scenes_that_stash_does_not_have_any_more_are_left_alone(synced, ears):
    key = synced.key_of(4)
    synced.stash_sim.clean_scene(4)
    synced.want(4)
    synced.work()
    synced.clock.move(60)
    synced.plex_sim.hand_edit(key, title="By hand")
    ears.look_into()
    assert wanted(synced) == set()


# --- gathering -------------------------------------------------------------------------------------------------------


def test_events_are_gathered_by_item_and_the_last_word_counts():
    gathered = Gathered()
    gathered.take(
        [Touched("1", "1", 5), Left("1", "1"), Left("2", "1"), Touched("2", "1", 7), Touched("2", "1", 6)], 3.0
    )
    gathered.take([Scanned("1")], 4.0)
    assert gathered == Gathered({"2": 7}, {"1"}, True, 3.0)
    assert gathered.next() == Gathered({"2": 7}, {"1"}, True)
    assert gathered == Gathered()


def test_many_items_are_looked_into_a_request_at_a_time_and_too_many_by_the_librarys_marks():
    gathered = Gathered()
    gathered.take([Touched(str(n), "1") for n in range(ITEMS + 5)], 0.0)
    assert [len(gathered.next().touched), len(gathered.next().touched)] == [ITEMS, 5]
    gathered.take([Touched(str(n), "1") for n in range(MANY + 1)], 0.0)
    assert gathered.next() == Gathered(scanned=True)


# --- staying on the line ---------------------------------------------------------------------------------------------


class Script:
    """Events that come and end as written; each entry is what one connection tells, or how it fails."""

    def __init__(self, *lines):
        self.lines, self.calls = list(lines), 0

    def listen(self, _stopping):
        self.calls += 1
        line = self.lines.pop(0) if self.lines else [Unavailable("plex", "away")]
        for one in line:
            if isinstance(one, Exception):
                raise one
            yield one


def listening(house, *lines):
    script, worker = Script(*lines), house.worker
    listener = Listener(
        worker.store, worker.stash, worker.plex, script, worker.indexer, worker.gates, house.clock, house.rng
    )
    return script, listener


def test_a_plex_that_can_not_be_listened_to_is_tried_ever_more_seldom_and_told_of_once(synced, caplog):
    caplog.set_level("INFO", "PlexSync.listen")
    script, listener = listening(synced)
    for _ in range(3600):
        listener()
        synced.clock.move(1)
    assert 12 <= script.calls <= 22
    assert len(caplog.records) == 1
    assert synced.breaker() == "closed"


def test_once_it_goes_well_again_what_was_missed_is_looked_for(synced, caplog):
    caplog.set_level("INFO", "PlexSync.listen")
    away = Unavailable("plex", "away")

    def goes_well():
        yield ()
        synced.clock.move(GATHERED)
        yield ()
        raise away

    _, listener = listening(synced, [away], goes_well())
    listener()
    synced.clock.move(10)
    synced.forget_requests()
    listener()
    listener.look()
    assert synced.plex_sim.count("GET", "/library/sections") == 1
    assert "listening to Plex again" in [record.message for record in caplog.records]


def test_what_is_looked_into_keeps_nothing_from_being_heard(synced):
    key, told = synced.key_of(4), []
    synced.plex_sim.hand_edit(key, locked=False, title="By the agent")
    synced.forget_requests()

    def goes_on():
        yield [Touched(key, synced.section)]
        for _ in range(10):
            synced.clock.move(10)
            yield [SessionChanged(key, SessionState.PLAYING)]
        raise Unavailable("plex", "away")

    _, listener = listening(synced, goes_on())
    listener(others=[lambda events: told.append((synced.clock.monotonic(), synced.plex_sim.count(), len(events)))])
    began = told[0][0]
    assert told == [(began + 10 * number, 0, 1) for number in range(11)], "nothing is asked meanwhile"
    assert listener.sooner.is_set()
    assert wanted(synced) == set()
    listener.look()
    assert wanted(synced) == {4}


def test_nothing_is_asked_of_a_plex_that_is_away(synced):
    synced.plex_sim.faults.set(Fault("refuse"))
    synced.want(1)
    synced.clock.move(60)
    synced.work_for(120)
    assert synced.breaker() == "open"
    script, listener = listening(synced)
    listener()
    assert script.calls == 0

"""The index is a map and no proof: what is written to is the item that has the scene's file at the moment of work."""

import threading
from dataclasses import replace

import pytest

from plexsync.engine.loop import Farewell
from plexsync.engine.tickets import WRITE_PLEX
from plexsync.rules.merge import choice
from plexsync.rules.merge.desired import Profile
from plexsync.rules.queue.job import Kind, Lane, State, Why
from plexsync.rules.servers.errors import LocalFault, Neighbour, Throttled, Unavailable
from plexsync.rules.words.text import fold
from plexsync.simulator.plex_server import PlexSim
from tests.engine.house import HOUR, TOKEN, path_of
from tests.engine.pools import Inline


def files_of(house, key):
    return [path for path, *_ in house.plex_sim.item(key).files]


@pytest.mark.parametrize("count", [2, 12])
def test_items_that_have_swapped_their_files_get_the_titles_of_the_files_they_have_now(house, count):
    ids = house.in_step(count)
    keys = [house.key_of(id) for id in ids]
    for one, other in zip(keys[::2], keys[1::2], strict=True):
        house.plex_sim.swap_files(one, other)
    for id in ids:
        house.stash_sim.edit_scene(id, title=f"New {id}")
        house.want(id)
    house.clock.move(2)
    house.work_until_settled()
    assert house.out_of_step(ids) == []
    for id in ids:
        assert house.title_in_plex(id) == f"New {id}"


@pytest.mark.parametrize("count", [3, 20])
def test_another_server_with_the_same_numbers_for_other_items_is_not_mistaken_for_the_old_one(house, count):
    ids = house.in_step(count)
    with PlexSim(token=TOKEN, scan_seconds=None) as fresh:
        section = fresh.add_section("Movies", locations=("/media",))
        for n in reversed(range(count)):
            fresh.add_movie(section, files=[(path_of(n), 1000 + n, 60_000)], title=f"file {n}")
        house.plex_sim, old = fresh, house.plex_sim
        house.replace_worker(fingerprint="another address")
        house.edit(ids[0], title="New")
        house.work_until_settled()
        titles = {files_of(house, key)[0]: fresh.item(key).scalars["title"] for key in fresh.keys(section)}
        assert titles[path_of(0)] == "New"
        assert all(titles[path_of(n)] == f"file {n}" for n in range(1, count))
        house.plex_sim = old


def test_an_item_whose_files_are_another_scenes_by_now_is_not_written_to(house):
    ids = house.in_step(2)
    other = house.plex_sim.add_movie(house.section, files=[("/media/something else.mp4", 77, 60_000)], title="else")
    house.plex_sim.swap_files(house.key_of(ids[0]), other)
    house.plex_sim.remove(other)
    house.forget_requests()
    house.edit(ids[0], title="New")
    house.work()
    assert house.plex_sim.count("PUT") == 0
    assert house.row(ids[0]).state is State.ABSENT


def test_a_scene_that_was_deleted_and_made_anew_takes_over_what_the_old_one_left(house):
    (old,) = house.in_step(1)
    house.stash_sim.destroy_scene(old)
    house.want(old)
    new = house.add_scene(0, title="Made anew", studio="", tags=["Tag 9"])
    house.want(new)
    house.clock.move(3)
    house.work_until_settled()
    item = house.plex_sim.item(house.key_of(new))
    assert (item.scalars["title"], item.scalars.get("studio", "")) == ("Made anew", "")
    assert item.lists["genre"] == ["Tag 9"]
    assert house.rows("select subject from memory") == [(new,)]


def test_a_value_of_a_person_is_kept_by_the_scene_that_takes_over(house):
    (old,) = house.in_step(1)
    house.plex_sim.hand_edit(house.key_of(old), title="by hand")
    house.stash_sim.destroy_scene(old)
    new = house.add_scene(0, title="Title 0", tags=["Tag 9"])
    house.want(new)
    house.clock.move(3)
    house.work_until_settled()
    assert house.title_in_plex(new) == "by hand"


# --- what was absent is found ----------------------------------------------------------------------------------------


def absent(house):
    """A scene that Plex does not have, looked for often enough to be looked for once a day."""
    house.in_step(1, start=100)
    id = house.add_scene(0)
    house.worker.poller.poll()
    house.want(id)
    house.work_for(9 * HOUR)
    assert house.row(id).state is State.ABSENT
    assert house.row(id).due - house.clock.now() > 4 * HOUR * 1000
    return id


def test_a_file_that_came_without_a_scan_wakes_who_waits_for_it(house):
    id = absent(house)
    house.plex_sim.add_movie(house.section, files=[(path_of(0), 1000, 60_000)], title="f")
    for _ in range(10):
        house.clock.move(60)
        house.worker.poller.poll()
        house.work()
    assert house.out_of_step([id]) == []


def test_a_comparison_that_sees_it_in_plex_wakes_who_waits_for_it(house):
    id = absent(house)
    house.plex_sim.add_movie(house.section, files=[(path_of(0), 1000, 60_000)], title="f")
    with house.store.writing() as tx:
        tx.index.save([house.worker.plex.find(house.section, "scene 00000.mp4")[0]], walk=1, stamped=True)
    assert house.worker.reconciler.reconcile().wanted == 1
    house.work()
    assert house.out_of_step([id]) == []


# --- a comparison keeps to the gates ---------------------------------------------------------------------------------


def test_a_comparison_ends_where_a_server_asks_for_patience(house):
    house.in_step(120)
    asked = []

    def progress(done, _total):
        if not asked:
            house.worker.gates.ill(
                house.worker.gates.ticket(WRITE_PLEX), Throttled(Neighbour.PLEX, "429", retry_after=3600.0)
            )
            house.forget_requests()
        asked.append(done)

    with pytest.raises(Unavailable, match="throttled"):
        house.worker.reconciler.reconcile(progress)
    assert asked == [100]
    assert house.plex_sim.count() == 0


# --- stopping and failing while something is in flight -----------------------------------------------------------------


class Held:
    """Plex's edit, held up until it is let go."""

    def __init__(self, house, key):
        self.started, self.gate, self.key = threading.Event(), threading.Event(), key
        self.real = house.worker.plex.edit
        house.worker.plex.edit = self

    def __call__(self, section, key, *more, **options):
        if key == self.key and not self.gate.is_set():
            self.started.set()
            self.gate.wait()
        return self.real(section, key, *more, **options)


def test_a_stop_while_a_request_hangs_is_no_crash(house):
    (id,) = house.add(1)
    house.in_step(1, start=900)
    held = Held(house, house.key_of(id))
    house.want(id)
    stop = threading.Event()
    farewell = Farewell(house.worker.engine.abandon, stop=stop)
    farewell.PATIENCE = 0.05
    farewell.start()
    worker = threading.Thread(target=house.worker.engine.step)
    worker.start()
    held.started.wait()
    stop.set()
    farewell.join()
    row = house.row(id)
    assert (row.state, row.crashes, row.attempts, row.cls) == (State.READY, 0, 0, "released")
    held.gate.set()
    worker.join()
    house.replace_worker()
    assert house.worker.engine.reclaim() == 0
    house.clock.move(3)
    house.work_until_settled()
    assert house.out_of_step([id]) == []


def test_after_a_fault_nothing_is_in_flight_any_more(house, monkeypatch):
    a, b = house.add(2)
    house.in_step(1, start=900)
    house.replace_worker(parallel=2)
    held = Held(house, house.key_of(a))
    monkeypatch.setattr("plexsync.engine.batch.SETTLE_EVERY", 0.05)
    house.clock.each_look = 0.05

    def full(_sender, _batch):
        threading.Timer(0.2, held.gate.set).start()
        raise LocalFault("disk full", full=True)

    monkeypatch.setattr("plexsync.engine.batch.Sender._close", full)
    house.want(a, b)
    with pytest.raises(LocalFault):
        house.step()
    assert house.title_in_plex(a) == "Title 0", (
        "the edit that was under way has ended before anybody hears of the fault"
    )


def test_a_saved_push_outlives_every_edit_of_a_batch_that_takes_long(house):
    house.replace_worker(pool=Inline())
    ids = house.add(6)
    house.want(*ids)
    left, real = [], house.worker.plex.edit

    def slow(section, key, *words, **options):
        ((until,),) = house.rows(f"select until from pushing where item = '{key}'")
        left.append(until - house.clock.now())
        house.clock.move(59)
        return real(section, key, *words, **options)

    house.worker.plex.edit = slow
    house.step()
    assert len(left) == 6
    assert min(left) >= 4000, "the deadline of one request"
    assert house.out_of_step(ids) == []


# --- lanes -----------------------------------------------------------------------------------------------------------


def test_a_tag_on_many_scenes_does_not_hold_up_an_edit(house):
    house.replace_worker(batch=10)
    hand, *_ = house.in_step(121)
    house.stash_sim.rename_tag("Tag 1", "Tag One")
    house.want(2, kind=Kind.TAG)
    house.step()
    assert house.row(2).lane == Lane.SWEEP
    house.edit(hand, title="by hand")
    house.step()
    assert house.title_in_plex(hand) == "by hand"


@pytest.mark.parametrize("kind", [Kind.PERFORMER, Kind.STUDIO, Kind.TAG, Kind.GROUP])
def test_what_is_destroyed_in_stash_leaves_the_items_of_the_scenes_that_showed_it(house, kind):
    one, other = house.in_step(2)
    house.edit(one, performers=["Ada"], studio="Label", tags=["Shoes"], groups=["Saga"])
    house.work_until_settled()
    lists = {Kind.PERFORMER: "actor", Kind.TAG: "genre", Kind.STUDIO: "collection", Kind.GROUP: "collection"}
    name = {Kind.PERFORMER: "Ada", Kind.STUDIO: "Label", Kind.TAG: "Shoes", Kind.GROUP: "Saga"}[kind]
    records = {
        Kind.PERFORMER: house.stash_sim.data.performers,
        Kind.STUDIO: house.stash_sim.data.studios,
        Kind.TAG: house.stash_sim.data.tags,
        Kind.GROUP: house.stash_sim.data.groups,
    }[kind]
    (id,) = (record.id for record in records.values() if record.name == name)
    house.stash_sim.destroy(kind, name)
    house.want(id, kind=kind)
    house.work_until_settled()
    item = house.plex_sim.item(house.key_of(one))
    assert name not in item.lists.get(lists[kind], [])
    assert house.out_of_step([one, other]) == []


def test_a_library_with_a_profile_of_its_own_shows_other_things(house):
    plain = Profile(frozenset({"title", "genre"}))
    house.replace_worker(
        profile=plain, profiles={fold("movies"): replace(plain, genres=choice.parse_patterns(["-Tag*"]))}
    )
    (id,) = house.add(1)
    house.edit(id, tags=["Tag 1", "Other"])
    house.want(id)
    house.work_until_settled()
    assert house.plex_sim.item(house.key_of(id)).lists["genre"] == ["Other"]
    assert house.worker.reconciler.reconcile().wanted == 0


def test_a_persons_edit_stays_one_when_its_tag_is_renamed(house):
    ids = house.add(2)
    house.want(ids[0])
    with house.store.writing() as tx:
        for id in ids:
            tx.jobs.want(Kind.SCENE, id, Why.EDIT, house.clock.now(), behind=True)
    assert [house.row(id).lane for id in ids] == [Lane.EDIT, Lane.SWEEP]


def test_a_scan_that_wakes_hundreds_does_not_hold_up_an_edit(house):
    (id,) = house.in_step(1)
    house.worker.poller.poll()
    house.want(*[house.add_scene(1000 + n) for n in range(400)])
    house.work_for(600)
    house.plex_sim.scan(house.section)
    house.plex_sim.finish_scan(house.section)
    house.worker.poller.poll()
    house.clock.move(1)
    house.edit(id, title="by hand")
    house.step()
    house.step()
    assert house.title_in_plex(id) == "by hand"

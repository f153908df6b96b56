"""What survives: a worker that dies or sleeps, a full disk, an old dead letter, and a clock that leaps."""

from contextlib import contextmanager

import pytest

from plexsync.engine import dead_letters
from plexsync.engine.engine import Idle, Worked
from plexsync.rules.queue.job import Kind, State, Why
from plexsync.rules.servers.errors import LocalFault, Neighbour, Unavailable
from plexsync.simulator.http import Fault
from plexsync.store import sqlite
from plexsync.store.database import Database
from tests.engine.house import DAY, HOUR, House, fails
from tests.engine.pools import Inline


class Killed(BaseException):
    """The process ends here: nothing of ours runs any more."""


def kill_at(house, moment):
    """The worker dies before a request that `moment` picks, and another takes the lock at once."""
    for client, method in ((house.worker.plex, "edit"), (house.worker.plex, "items"), (house.worker.stash, "scenes")):
        real = getattr(client, method)

        def killing(*args, real=real, method=method, **kwargs):
            if moment(method, args):
                raise Killed
            return real(*args, **kwargs)

        setattr(client, method, killing)
    with pytest.raises(Killed):
        house.step()
    house.replace_worker(holder="next")
    house.worker.engine.reclaim()


def test_what_a_dead_worker_held_is_taken_back_at_once_by_the_next_and_served_one_by_one(house):
    ids = house.add(6)
    house.want(*ids)
    kill_at(house, lambda method, args: method == "items")
    assert house.states() == {State.READY: 6}
    sizes = [sum(step.outcomes.values()) for step in house.work() if isinstance(step, Worked)]
    assert sizes == [1] * 6
    assert house.out_of_step(ids) == []
    assert house.rows("select max(crashes), max(attempts) from job") == [(0, 0)]


@pytest.mark.parametrize("method", ["scenes", "items", "edit"])
def test_memory_that_runs_out_is_no_fault_of_a_scene_and_the_work_is_done_later(house, method, monkeypatch):
    def short_of_memory(*_args, **_kwargs):
        raise MemoryError

    ids = house.add(3)
    house.want(*ids)
    with monkeypatch.context() as patched:
        patched.setattr(house.worker.stash if method == "scenes" else house.worker.plex, method, short_of_memory)
        with pytest.raises(LocalFault, match="memory"):
            house.step()
    house.work_until_settled()
    assert house.out_of_step(ids) == []
    assert house.rows("select max(crashes), max(attempts) from job") == [(0, 0)]
    assert house.books_balance()


def test_a_lease_that_ran_out_is_taken_back_without_anyone_reclaiming(house):
    ids = house.add(3)
    house.want(*ids)
    with house.store.writing() as tx:
        tx.jobs.claim(50, now=house.clock.now(), lease_ms=120_000, holder="dead")
    house.work_for(119)
    assert house.states() == {State.RUNNING: 3}
    house.work_for(2)
    assert house.out_of_step(ids) == []


def test_a_kill_before_between_and_after_the_edits_loses_nothing_and_doubles_nothing(house):
    ids = house.add(5)
    house.want(*ids)
    kill_at(house, lambda method, _: method == "edit")
    house.clock.move(60)
    before = house.plex_sim.count("PUT")
    kill_at(house, lambda method, _: method == "items" and house.plex_sim.count("PUT") > before)
    house.work_until_settled()
    assert house.out_of_step(ids) == []
    assert house.attempts_used() == 0
    assert house.plex_sim.count("PUT") == 5, "what was sent before a kill is recognised, not sent again"
    assert house.books_balance()


def test_a_kill_in_the_middle_of_a_batch_repeats_none_of_its_edits(house):
    ids = house.add(5)
    house.want(*ids)
    kill_at(house, lambda method, _: method == "edit" and house.plex_sim.count("PUT") == 3)
    house.work_until_settled()
    assert house.out_of_step(ids) == []
    assert house.plex_sim.count("PUT") == 5


def crash_alone(house, id):
    kill_at(house, lambda method, args: method == "scenes" and id in args[0])


def test_the_third_lone_crash_is_poison_and_the_others_get_on(house):
    poison, *others = ids = house.add(4)
    house.want(*ids)
    crash_alone(house, poison)
    assert house.row(poison).crashes == 0, "a crash in company blames nobody"
    for crashes, wait in ((1, 60), (2, 600)):
        crash_alone(house, poison)
        assert house.row(poison).crashes == crashes
        assert (house.row(poison).state, house.row(poison).due - house.clock.now()) == (State.READY, wait * 1000)
        house.work_for(wait - 1)
        assert house.out_of_step(others) == []
        house.clock.move(1)
    crash_alone(house, poison)
    row = house.row(poison)
    assert (row.state, row.cls, row.attempts) == (State.DEAD, "poison", 0)
    assert {house.row(id).state for id in others} == {State.IDLE}
    with house.store.writing() as tx:
        tx.jobs.retry(error_class="poison", now=house.clock.now())
    house.work()
    assert house.out_of_step(ids) == []
    assert house.books_balance()


# --- leases ----------------------------------------------------------------------------------------------------------


def test_a_worker_that_slept_through_its_lease_while_it_looked_sends_nothing_and_settles_nothing(house):
    ids = house.add(4)
    sleeper, other = house.worker, house.hire(holder="other")
    real = sleeper.plex.items

    def sleep_and_wake(keys):
        items = real(keys)
        house.clock.leap(600)
        for _ in range(1 + len(ids)):
            other.engine.step()
        house.forget_requests()
        return items

    sleeper.plex.items = sleep_and_wake
    house.want(*ids)
    step = sleeper.engine.step()
    assert step.outcomes == {}
    assert house.plex_sim.count() == 0
    assert house.out_of_step(ids) == []
    assert house.states() == {State.IDLE: 4}
    assert house.rows("select done from book") == [(4,)]
    assert house.rows("select count(*) from pushing") == [(0,)]


def test_a_worker_that_slept_through_its_lease_between_two_edits_sends_no_more(house):
    ids = house.add(4)
    house.replace_worker(pool=Inline())
    sleeper, other = house.worker, house.hire(holder="other")
    real, sent = sleeper.plex.edit, []

    def sleep_after_the_first(section, key, edit, **kwargs):
        sent.append(key)
        real(section, key, edit, **kwargs)
        house.clock.leap(600)
        house.change("update job set token = 'another ' || id, holder = 'other'")

    sleeper.plex.edit = sleep_after_the_first
    house.want(*ids)
    step = sleeper.engine.step()
    assert len(sent) == 1
    assert step.outcomes == {}
    assert house.states() == {State.RUNNING: 4}, "they are the other's"
    assert house.rows("select count(*) from memory") == [(0,)]
    assert house.rows("select count(*) from pushing") == [(4,)], "which tells the other what may be in Plex"
    house.clock.move(600)
    sleeper.plex.edit = real
    other.engine.reclaim()
    house.work_until_settled()
    assert house.out_of_step(ids) == []


def test_a_write_that_lands_after_its_lease_is_put_right(house):
    """Somebody else has sent a newer value meanwhile; the older one that lands over it does not stay."""
    (id,) = house.in_step(1)
    house.replace_worker(pool=Inline())
    other, real = house.hire(holder="other"), house.worker.plex.edit

    def land_late(*args, **kwargs):
        house.worker.plex.edit = real
        house.clock.move(600)
        house.edit(id, title="Newer")
        while not isinstance(step := other.engine.step(), Idle) or step.until is not None:
            house.clock.move(60)
        assert (house.title_in_plex(id), house.row(id).state) == ("Newer", State.IDLE)
        return real(*args, **kwargs)

    house.worker.plex.edit = land_late
    house.edit(id, title="Older")
    house.step()
    assert (house.title_in_plex(id), house.row(id).state) == ("Older", State.READY)
    house.work_until_settled()
    assert house.title_in_plex(id) == "Newer"


def late_edit(house, begin):
    """Plex gets an edit that `begin` asks for later than anybody waits for it; returns what lets it arrive."""
    house.replace_worker(pool=Inline())
    late, real = [], house.worker.plex.edit

    def lose(*args, **kwargs):
        late.append(lambda: real(*args, **kwargs))
        raise Unavailable(Neighbour.PLEX, "no answer")

    house.worker.plex.edit = lose
    begin()
    house.step()
    house.worker.plex.edit = real
    return late[0]


@pytest.mark.parametrize("leap", [600, 400 * DAY])
def test_a_write_that_lands_after_a_leap_of_the_clock_is_put_right(house, leap):
    """It is known as PlexSync's own, not taken for an edit by hand."""
    (id,) = house.in_step(1)
    arrive = late_edit(house, lambda: house.edit(id, title="Older"))
    house.edit(id, title="Newer")
    house.clock.leap(leap)
    house.work_until_settled(within=200)
    assert house.title_in_plex(id) == "Newer"
    house.want(id, why=Why.SWEEP)
    house.work_until_settled(within=10)
    arrive()
    assert house.title_in_plex(id) == "Older"
    house.want(id, why=Why.SWEEP)
    house.work_until_settled()
    assert house.title_in_plex(id) == "Newer"


@pytest.mark.parametrize("leap", [600, 400 * DAY])
def test_a_write_that_lands_after_a_leap_and_a_comparison_that_found_the_scene_in_sync_is_put_right(house, leap):
    (id,) = house.add(1)
    arrive = late_edit(house, lambda: house.want(id))
    house.stash_sim.edit_scene(id, title="By hand", studio=None, tags=[])
    house.plex_sim.hand_edit(house.key_of(id), title="By hand", locked=True)
    house.clock.leap(leap)
    assert house.worker.reconciler.reconcile().standing == {"in step": 1}
    arrive()
    assert house.title_in_plex(id) == "Title 0"
    house.want(id)
    house.work_until_settled()
    assert house.title_in_plex(id) == "By hand"


def test_what_another_has_taken_over_is_neither_settled_nor_remembered_by_the_first(house):
    ids = house.add(3)
    real = house.worker.plex.edit

    def taken_over(*args, **kwargs):
        house.change("update job set token = 'another ' || id, holder = 'other' where id = 2")
        return real(*args, **kwargs)

    house.worker.plex.edit = taken_over
    house.want(*ids)
    assert house.step().outcomes == {"done": 2}
    assert house.row(2).state is State.RUNNING
    assert house.rows("select subject from memory order by subject") == [(1,), (3,)]
    assert house.rows("select subject from pushing") == [(2,)]


@pytest.mark.parametrize("status", [200, 500])
def test_what_is_dropped_while_its_edit_is_under_way_stays_dropped(house, status):
    dropped, other = house.in_step(2)

    def drop(request):
        if request.method == "PUT" and request.params.get("id") == house.key_of(dropped):
            dead_letters.drop(house.store, house.clock, [(Kind.SCENE, dropped)])
            return status != 200
        return False

    house.plex_sim.faults.set(Fault("status", status=500, when=drop))
    for id in (dropped, other):
        house.stash_sim.edit_scene(id, title="Edited")
    house.want(dropped, other)
    house.clock.move(2)
    house.work()
    assert house.row(dropped).state is State.DROPPED
    with house.store.reading() as db:
        assert db.pushings.of([dropped]), "what may have come of it is known to the next look"
    assert house.row(other).state is State.IDLE
    assert house.books_balance()

    house.plex_sim.faults.clear()
    house.edit(dropped, title="Edited again")
    house.work_until_settled()
    assert house.out_of_step([dropped, other]) == []


def test_a_long_batch_prolongs_its_leases(house):
    # Twelve of these may pass before the engine has its turn (those handed over, and as many again): less than a lease.
    house.replace_worker(pool=Inline())
    ids = house.add(30)
    real, other = house.worker.plex.edit, house.hire(holder="other")
    seen = []

    def slow(*args, **kwargs):
        house.clock.move(9)
        seen.append(house.rows(f"select id from job where lease_until <= {house.clock.now()}"))
        return real(*args, **kwargs)

    house.worker.plex.edit = slow
    house.want(*ids)
    step = house.step()
    assert step.outcomes == {"done": 30}
    assert seen == [[]] * 30
    assert isinstance(other.engine.step(), Idle)


# --- our own disk ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("moment", ["look", "push", "settle"])
def test_a_fault_of_our_own_disk_pauses_without_blame_and_what_was_open_goes_on(house, monkeypatch, moment):
    ids = house.add(5)
    house.want(*ids)
    writing, broken = Database.writing, []

    def failing(self):
        on = {"look": house.plex_sim.count() > 0, "push": house.plex_sim.count("PUT") > 0, "settle": False}[moment]
        if moment == "settle":
            on = house.plex_sim.count("PUT") == 5
        if on and not (broken and broken[-1] == "mended"):
            broken.append("full")
            raise LocalFault("no space is left", full=True)
        return writing(self)

    monkeypatch.setattr(Database, "writing", failing)
    for _ in range(3):
        with pytest.raises(LocalFault):
            house.step()
        house.clock.move(60)
    broken.append("mended")
    house.work_until_settled()
    assert house.out_of_step(ids) == []
    assert house.attempts_used() == 0
    assert house.rows("select max(crashes), max(alone) from job") == [(0, 0)]
    assert house.plex_sim.count("PUT") == 5
    assert house.books_balance()


def test_a_commit_that_fails_leaves_its_jobs_ours_and_unblamed(house, monkeypatch):
    """The transaction that settles is rolled back as a whole, after everything in it went well."""
    ids = house.add(3)
    house.want(*ids)
    writing, faults = Database.writing, iter([True])

    @contextmanager
    def losing(self):
        with writing(self) as tx:
            yield tx
            if house.plex_sim.count("PUT") == 3 and next(faults, False):
                raise LocalFault("no space is left", full=True)

    monkeypatch.setattr(Database, "writing", losing)
    with pytest.raises(LocalFault):
        house.step()
    assert house.states() == {State.RUNNING: 3}
    house.work()
    assert house.states() == {State.IDLE: 3}, "no lease had to run out"
    assert house.rows("select max(crashes), max(attempts) from job") == [(0, 0)]
    assert house.plex_sim.count("PUT") == 3
    assert house.out_of_step(ids) == []


@pytest.mark.sqlite_only
def test_a_database_that_is_full_for_real_pauses_and_goes_on_when_there_is_space(tmp_path, monkeypatch):
    room, connect = [40], sqlite.connect

    def connect_to_a_small_disk(*args, **kwargs):
        db = connect(*args, **kwargs)
        for pages in room:
            db.execute(f"pragma max_page_count = {db.execute('pragma page_count').fetchone()[0] + pages}")
        return db

    monkeypatch.setattr(sqlite, "connect", connect_to_a_small_disk)
    with House(tmp_path / "data") as house:
        ids = house.add(40)
        for id in ids:
            house.stash_sim.edit_scene(id, details="long " * 800)
        house.want(*ids)
        with pytest.raises(LocalFault) as fault:
            house.step()
        assert fault.value.full
        room.clear()
        house.work_until_settled()
        assert house.out_of_step(ids) == []
        assert house.attempts_used() == 0
        assert house.rows("select max(crashes) from job") == [(0,)]
        assert house.books_balance()


# --- retention -------------------------------------------------------------------------------------------------------


def one_dead(house):
    (id,) = house.add()
    house.plex_sim.faults.set(fails("PUT", status=414))
    house.want(id)
    house.work()
    assert house.row(id).state is State.DEAD
    house.plex_sim.faults.clear()
    return id


def pass_days(house, days):
    """Day by day, as a worker lives through them."""
    for _ in range(days * 2):
        house.clock.move(DAY / 2)
        house.worker.engine.prune()


def test_a_dead_row_is_deleted_exactly_when_its_retention_is_over(tmp_path):
    with House(tmp_path / "data", retention=30 * 86_400_000) as house:
        id = one_dead(house)
        house.worker.engine.prune()
        died = house.clock.now()
        pass_days(house, 29)
        house.clock.move(DAY - 61)
        assert house.worker.engine.prune() == 0
        house.clock.move(61)
        assert house.clock.now() == died + 30 * 86_400_000
        assert house.worker.engine.prune() == 0, "thirty days are not over at their last moment"
        assert house.row(id).state is State.DEAD
        house.clock.move(60)
        assert house.worker.engine.prune() == 1
        assert house.states() == {}
        assert house.rows("select count(*) from attempt") == [(0,)]
        assert house.books_balance()
        assert house.rows("select pruned from book") == [(1,)]


def test_what_was_pushed_stays_known_after_a_dead_row_is_pruned(house):
    (id,) = house.in_step()
    house.plex_sim.faults.set(fails("PUT", status=414))
    house.edit(id, title="Another")
    house.work()
    house.worker.engine.prune()
    pass_days(house, 31)
    assert house.states() == {}
    with house.store.reading() as db:
        assert db.memories.of([id])


def test_what_was_pushed_for_a_scene_that_is_gone_is_forgotten_with_its_row(house):
    (id,) = house.in_step()
    house.stash_sim.destroy_scene(id)
    house.want(id)
    house.work()
    house.worker.engine.prune()
    pass_days(house, 29)
    with house.store.reading() as db:
        assert db.memories.of([id])
    pass_days(house, 2)
    assert house.states() == {}
    with house.store.reading() as db:
        assert not db.memories.of([id])


@pytest.mark.parametrize("leap", [3 * DAY, 400 * DAY, 10 * 365 * DAY, -2 * HOUR, -400 * DAY])
def test_a_clock_that_leapt_prunes_nothing_until_it_ran_on_for_a_day(house, leap):
    one_dead(house)
    house.worker.engine.prune()
    house.clock.leap(leap)
    for _ in range(23):
        assert house.worker.engine.prune() == 0
        house.clock.move(HOUR)
    house.clock.leap(-leap)
    for _ in range(23):
        assert house.worker.engine.prune() == 0
        house.clock.move(HOUR)
    assert house.states() == {State.DEAD: 1}


def test_a_worker_that_was_off_for_a_month_prunes_after_a_day_on(house):
    one_dead(house)
    house.worker.engine.prune()
    house.clock.leap(40 * DAY)
    house.replace_worker(holder="after the holidays")
    assert house.worker.engine.prune() == 0
    pass_days(house, 1)
    house.clock.move(61)
    house.worker.engine.prune()
    assert house.states() == {}
    assert house.books_balance()


def test_pruning_takes_a_batch_at_a_time(house):
    with house.store.writing() as tx:
        for id in range(1, 1202):
            tx.jobs.want("scene", id, "edit", house.clock.now())
        # They were worked before: of scenes that were never there no row would be left.
        tx._db.execute("update job set wanted_rev = 2, settled_rev = 1")
    house.work()
    assert house.states() == {State.GONE: 1201}
    house.worker.engine.prune()
    pass_days(house, 30)
    pruned = []
    for _ in range(4):
        house.clock.move(60)
        pruned.append(house.worker.engine.prune())
    assert pruned == [500, 500, 201, 0]
    assert house.books_balance()


def test_a_hanging_plex_is_let_go_after_its_time_and_nobody_is_blamed(house):
    ids = house.add(2)
    house.plex_sim.faults.set(Fault("hang", times=3))
    house.replace_worker(impatient=Neighbour.PLEX, read_timeout=0.2)
    house.want(*ids)
    house.work_for(HOUR, until=lambda: not house.plex_sim.faults.active)
    house.replace_worker()
    house.work_until_settled()
    assert house.attempts_used() == 0
    assert house.out_of_step(ids) == []

"""The job table: wanting, claiming, ending, giving up. Times are milliseconds from a moment called T."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from plexsync.rules.queue.job import DAY, FLOW_KINDS, HOUR, PLAYS, Crashed, Kind, Lane, Settled, State, Why
from plexsync.store import intake
from plexsync.store.database import Database
from plexsync.store.db import connect
from plexsync.store.opening import open_database
from plexsync.store.queue import counts, job_queries, jobs
from plexsync.store.queue.jobs import AttemptEnding
from tests.store.pruning import prune
from tests.stores import address_of, look, on_postgres

T = 1_700_000_000_000
SCENE = Kind.SCENE


def want(store: Database, id: int, now: int = T, why: Why = Why.EDIT, **more) -> None:
    with store.writing() as tx:
        tx.jobs.want(SCENE, id, why, now, **more)


def claim(store: Database, now: int = T, limit: int = 10):
    with store.writing() as tx:
        return tx.jobs.claim(limit, now=now, lease_ms=120_000, holder="worker")


def settle(store: Database, job, state: State, now: int = T, **more) -> bool:
    values = {"attempts": 0, "streak": 0, "crashes": 0, "due": now, **more}
    with store.writing() as tx:
        return tx.jobs.settle([AttemptEnding(job, Settled(state, **values), 5, 6)], now=now)


def row(store: Database, id: int):
    with store.reading() as db:
        return db.jobs.find(SCENE, id)


def alter(folder: Path, id: int, **columns) -> None:
    """Put a row in a state that no verb leads to here."""
    names = ", ".join(f"{name} = :{name}" for name in {"id": id, **columns})
    with look(folder) as db:
        db.execute(f"update job set {names} where id = :id", {**columns, "id": id})


def in_state(store: Database, folder: Path, state: State, **columns) -> None:
    """Scene 7 in a state, reached by the verbs where there are some."""
    want(store, 7)
    if state is State.READY:
        alter(folder, 7, attempts=3, streak=4, due=T + HOUR, lane=1, **columns)
        return
    (job,) = claim(store)
    if state is State.RUNNING:
        alter(folder, 7, attempts=3, streak=4, **columns)
        return
    settle(store, job, state, attempts=3, streak=4, due=T + HOUR, desired="old")
    alter(folder, 7, **columns)


def book(store: Database) -> dict[str, int]:
    with store.reading() as db:
        return db.books.read()


@pytest.fixture(autouse=True)
def balanced(store: Database, folder: Path) -> Iterator[None]:
    yield
    with closing(open_database(address_of(folder))) as other, other.reading() as db:
        left = db.books.balance()
    assert left == 0, "the books do not balance"


# --- want ------------------------------------------------------------------------------------------------------------

LATER = T + HOUR  # everything is quiet by then


@pytest.mark.parametrize(
    ("state", "why", "becomes", "attempts", "streak"),
    [
        (State.IDLE, Why.EDIT, State.READY, 0, 0),
        (State.IDLE, Why.SWEEP, State.READY, 0, 0),
        (State.GONE, Why.USER, State.READY, 0, 0),
        (State.GONE, Why.SWEEP, State.READY, 0, 0),
        (State.OUTSIDE, Why.EDIT, State.READY, 0, 0),
        (State.OUTSIDE, Why.SWEEP, State.READY, 0, 0),
        (State.READY, Why.EDIT, State.READY, 0, 4),
        (State.READY, Why.USER, State.READY, 0, 4),
        (State.RUNNING, Why.EDIT, State.RUNNING, 3, 4),
        (State.ABSENT, Why.EDIT, State.READY, 0, 4),
        (State.DEAD, Why.USER, State.READY, 0, 4),
        (State.DROPPED, Why.EDIT, State.READY, 0, 4),
    ],
)
def test_a_want_that_moves_a_row(store, folder, state, why, becomes, attempts, streak):
    in_state(store, folder, state)
    before = row(store, 7)

    want(store, 7, LATER, why)

    after = row(store, 7)
    assert (after.state, after.attempts, after.streak) == (becomes, attempts, streak)
    assert after.wanted_rev == before.wanted_rev + 1
    assert after.lane == (Lane.SWEEP if why is Why.SWEEP else Lane.EDIT)
    assert after.due == LATER


@pytest.mark.parametrize("state", [State.READY, State.RUNNING, State.ABSENT, State.DEAD, State.DROPPED])
def test_a_sweep_over_a_row_that_is_not_idle_is_counted_and_changes_nothing(store, folder, state):
    in_state(store, folder, state)
    before = row(store, 7)

    want(store, 7, LATER, Why.SWEEP)
    want(store, 7, LATER, Why.SWEEP, desired="old" if state in (State.DEAD, State.DROPPED) else "new")

    assert row(store, 7) == before
    assert book(store)["accepted"] == 3
    assert book(store)["coalesced"] == 2


@pytest.mark.parametrize("state", [State.DEAD, State.DROPPED])
def test_a_sweep_revives_a_row_that_died_when_it_wants_something_else(store, folder, state):
    in_state(store, folder, state)

    want(store, 7, LATER, Why.SWEEP, desired="new")

    after = row(store, 7)
    assert (after.state, after.lane, after.attempts) == (State.READY, Lane.SWEEP, 0)


def test_a_wish_that_died_without_a_name_is_revived_once_and_not_at_every_sweep(store, folder):
    in_state(store, folder, State.DEAD, desired="")
    want(store, 7, LATER, Why.SWEEP, desired="new")
    (job,) = claim(store, LATER)
    settle(store, job, State.DEAD, LATER, error="no", cls="bug")

    want(store, 7, LATER + HOUR, Why.SWEEP, desired="new")

    assert row(store, 7).state is State.DEAD


def test_a_sweep_leaves_alone_what_was_dropped_or_killed_its_worker_before_its_value_was_known(store, folder):
    in_state(store, folder, State.DEAD, desired="", cls="poison")
    want(store, 8)
    with store.writing() as tx:
        assert tx.jobs.set_aside(SCENE, 8, now=T)

    for id in (7, 8):
        want(store, id, LATER, Why.SWEEP, desired="new")
        assert row(store, id).state in (State.DEAD, State.DROPPED)
        want(store, id, LATER, Why.EDIT)
        assert row(store, id).state is State.READY


def test_a_person_who_retries_what_killed_its_worker_gets_as_many_lone_crashes_as_at_first(store, folder):
    in_state(store, folder, State.DEAD, cls="poison", crashes=3, first_crash=T, alone=1)
    with store.writing() as tx:
        assert tx.jobs.retry(kind=SCENE, id=7, now=T) == 1
    (job,) = claim(store)
    assert (job.crashes, job.alone) == (0, True)


@pytest.mark.parametrize("why", Why)
def test_an_ignored_row_stays_ignored_and_the_want_is_noted(store, folder, why):
    want(store, 7)
    alter(folder, 7, state="ignored")

    want(store, 7, LATER, why, desired="new")

    assert row(store, 7).state is State.IGNORED
    assert row(store, 7).wanted_rev == 2
    assert book(store)["coalesced"] == 1


def test_other_kinds_are_rows_of_their_own(store):
    with store.writing() as tx:
        for kind in Kind:
            tx.jobs.want(kind, 7, Why.EDIT, T)
    assert {(job.kind, job.id) for job in claim(store)} == {(kind, 7) for kind in Kind}


@pytest.mark.parametrize("id", [0, -1, 2**63, True])
def test_an_id_that_stash_can_not_have_is_refused(store, id):
    with pytest.raises(ValueError, match="no such thing"):
        want(store, id)


def test_the_largest_id_is_kept_as_it_is(store):
    want(store, 2**63 - 1)
    assert claim(store)[0].id == 2**63 - 1


# --- debounce --------------------------------------------------------------------------------------------------------


def test_a_quiet_scene_is_due_at_once_and_a_busy_one_rests_two_seconds_after_each_want(store):
    want(store, 7, T)
    assert row(store, 7).due == T
    want(store, 7, T + 1000)
    assert row(store, 7).due == T + 3000
    want(store, 7, T + 2500)
    assert row(store, 7).due == T + 4500
    want(store, 7, T + 4500)
    assert row(store, 7).due == T + 4500


def test_wants_without_end_are_served_ninety_seconds_after_the_first_at_the_latest(store):
    for second in range(100):
        want(store, 7, T + second * 1000)
        assert row(store, 7).due <= T + 90_000
    assert row(store, 7).due == T + 90_000


def test_a_claim_serves_what_was_wanted_so_the_next_rest_is_counted_from_the_next_want(store):
    for second in range(89):
        want(store, 7, T + second * 1000)
    claim(store, T + 90_000)
    want(store, 7, T + 90_500)
    want(store, 7, T + 91_500)
    assert row(store, 7).due == T + 93_500


def test_a_scene_that_was_settled_just_now_is_not_quiet(store):
    want(store, 7, T)
    (job,) = claim(store)
    settle(store, job, State.IDLE, T + 5000)
    want(store, 7, T + 6000)
    assert row(store, 7).due == T + 8000


def test_a_clock_that_steps_back_delays_a_want_by_the_rest_at_most(store):
    want(store, 7, T + DAY)
    want(store, 7, T)
    assert row(store, 7).due == T
    want(store, 7, T + 1000)
    assert row(store, 7).due == T + 3000


# --- claim -----------------------------------------------------------------------------------------------------------


def test_a_claim_leases_due_rows_in_the_order_they_are_due(store):
    for id, at in ((1, 300), (2, 100), (3, 200), (4, 400)):
        want(store, id, T + at)
    assert [job.id for job in claim(store, T + 300)] == [2, 3, 1]
    assert row(store, 2).state is State.RUNNING
    assert row(store, 2).lease_until == T + 300 + 120_000
    assert claim(store, T + 300) == []


def test_each_claimed_row_has_a_token_of_its_own_and_knows_what_it_serves(store):
    for id in range(1, 6):
        want(store, id)
        want(store, id, T + 10)
    with store.writing() as tx:
        tx.jobs.scan_finished(T)
    claimed = claim(store, T + 3000)
    assert len({job.token for job in claimed}) == 5
    assert {job.claimed_rev for job in claimed} == {2}
    assert {job.scan for job in claimed} == {1}


def test_the_marks_of_the_last_end_come_with_the_next_claim(store):
    want(store, 7)
    settle(store, claim(store)[0], State.READY, streak=2, attempts=1)
    (job,) = claim(store)
    assert (job.ok_mark, job.bad_mark, job.streak, job.attempts) == (5, 6, 2, 1)


def test_edits_go_before_sweeps_with_one_slot_kept_for_a_sweep(store):
    for id in range(1, 21):
        want(store, id, T + id, Why.SWEEP)
        want(store, 100 + id, T + id)
    lanes = [job.lane for job in claim(store, T + 100, limit=5)]
    assert lanes == [Lane.EDIT] * 4 + [Lane.SWEEP]


def test_a_lane_alone_gets_every_slot(store):
    for id in range(1, 21):
        want(store, id, T, Why.SWEEP)
    assert len(claim(store, limit=10)) == 10
    want(store, 100, T)
    assert [job.id for job in claim(store, limit=3)][:1] == [100]


def test_one_slot_is_the_sweeps_every_tenth_time(store):
    for id in range(1, 101):
        want(store, id, T, Why.SWEEP)
        want(store, 100 + id, T)
    lanes = [claim(store, limit=1)[0].lane for _ in range(20)]
    assert lanes.count(Lane.SWEEP) == 2
    assert lanes.count(Lane.EDIT) == 18


def test_a_row_that_crashed_is_claimed_alone_wherever_it_stands(store):
    for id, why in ((1, Why.EDIT), (2, Why.EDIT), (3, Why.SWEEP), (4, Why.SWEEP)):
        want(store, id, T + id, why)
    claim(store, T + 10)
    with store.writing() as tx:
        for found, alone, first in tx.jobs.list_expired(now=T + 10, dead_holders=True):
            assert not alone
            tx.jobs.crash(found, Crashed(State.READY, 0, first, T + 10 + found.id), now=T + 10)
    want(store, 5, T + 100)

    batches = [claim(store, T + 100, limit=10) for _ in range(6)]

    assert [[job.id for job in batch] for batch in batches] == [[1], [2], [5], [3], [4], []]
    assert [job.alone for batch in batches for job in batch] == [True, True, False, True, True]


def test_a_sweep_that_crashed_gets_its_turn_while_edits_keep_coming(store):
    want(store, 1, T, Why.SWEEP)
    claim(store)
    with store.writing() as tx:
        ((found, _, _),) = tx.jobs.list_expired(now=T, dead_holders=True)
        tx.jobs.crash(found, Crashed(State.READY, 0, 0, T), now=T)
    for turn in range(12):
        want(store, 100 + turn, T)
        if [job.id for job in claim(store)] == [1]:
            return
    raise AssertionError("the lone sweep starved")


def test_alone_stays_until_the_row_settles(store):
    want(store, 7)
    claim(store)
    for crashes in (0, 1):
        with store.writing() as tx:
            ((found, alone, _),) = tx.jobs.list_expired(now=T, dead_holders=True)
            assert alone == bool(crashes)
            tx.jobs.crash(found, Crashed(State.READY, crashes, T, T), now=T)
        (job,) = claim(store)
        assert (job.alone, job.crashes) == (True, crashes)
    settle(store, job, State.READY)
    assert not claim(store)[0].alone


# --- leases ----------------------------------------------------------------------------------------------------------


def test_a_lease_is_over_at_its_end_unless_it_was_renewed(store):
    want(store, 1)
    want(store, 2)
    one, two = claim(store)
    with store.writing() as tx:
        assert tx.jobs.list_expired(now=T + 119_999) == []
        assert tx.jobs.renew([one.token, "nobody's"], until=T + HOUR) == {one.token}
        assert [found.id for found, _, _ in tx.jobs.list_expired(now=T + 120_000)] == [two.id]
        assert [found.id for found, _, _ in tx.jobs.list_expired(now=T, dead_holders=True)] == [1, 2]


def test_a_lease_of_a_clock_that_has_stepped_back_is_over(store):
    want(store, 1, T + 10 * DAY)
    claim(store, T + 10 * DAY)
    with store.writing() as tx:
        assert len(tx.jobs.list_expired(now=T)) == 1


def test_what_a_holder_writes_after_its_row_was_taken_back_is_ignored(store):
    want(store, 7)
    (first,) = claim(store)
    with store.writing() as tx:
        ((found, _, _),) = tx.jobs.list_expired(now=T, dead_holders=True)
        tx.jobs.crash(found, Crashed(State.READY, 0, 0, T), now=T)
    (second,) = claim(store)
    before = row(store, 7)

    assert not settle(store, first, State.DEAD, error="too late", cls="bug")

    assert row(store, 7) == before
    with store.reading() as db:
        assert db.attempts.of(SCENE, 7) == []
    with store.writing() as tx:
        assert tx.jobs.renew([first.token], until=T + HOUR) == set()
    assert settle(store, second, State.IDLE)
    assert not settle(store, second, State.IDLE)
    assert book(store)["done"] == 1


def test_a_third_lone_crash_is_kept_as_poison_with_its_history(store):
    want(store, 7)
    claim(store)
    with store.writing() as tx:
        ((found, _, _),) = tx.jobs.list_expired(now=T, dead_holders=True)
        tx.jobs.crash(found, Crashed(State.DEAD, 3, T, T, "poison"), now=T)
    assert (row(store, 7).state, row(store, 7).cls) == (State.DEAD, "poison")
    with store.reading() as db:
        (attempt,) = db.attempts.of(SCENE, 7)
    assert (attempt.cls, attempt.state) == ("poison", State.DEAD)


def test_a_wish_renewed_while_its_row_killed_the_worker_is_not_lost(store):
    want(store, 7)
    claim(store)
    want(store, 7, T + 5000)
    with store.writing() as tx:
        ((found, _, _),) = tx.jobs.list_expired(now=T, dead_holders=True)
        tx.jobs.crash(found, Crashed(State.DEAD, 3, T, T, "poison"), now=T)
    assert row(store, 7).state is State.READY
    assert claim(store, T + 5000)[0].alone


# --- settle ----------------------------------------------------------------------------------------------------------


def test_an_edit_made_while_its_scene_is_being_synced_is_synced_afterwards(store):
    want(store, 7, T)
    (job,) = claim(store)
    want(store, 7, T + 5)
    settle(store, job, State.IDLE, T + 10)

    assert row(store, 7).due == T + 2005
    assert claim(store, T + 2004) == []
    assert claim(store, T + 2005)[0].claimed_rev == 2


def test_a_sweep_while_a_scene_is_being_synced_is_no_new_wish(store):
    want(store, 7, T)
    (job,) = claim(store)
    want(store, 7, T + 5, Why.SWEEP)
    settle(store, job, State.IDLE, T + 10)
    assert row(store, 7).state is State.IDLE


@pytest.mark.parametrize("state", [State.IDLE, State.READY, State.ABSENT, State.DEAD, State.GONE, State.OUTSIDE])
def test_whatever_came_of_an_attempt_a_wish_renewed_meanwhile_is_ready_with_no_attempts_used(store, state):
    want(store, 7, T)
    (job,) = claim(store)
    want(store, 7, T + 5)
    settle(store, job, state, T + 10, attempts=3, streak=4, due=T + HOUR, desired="old", error="no", cls="refused")
    after = row(store, 7)
    assert (after.state, after.attempts, after.due, after.desired) == (State.READY, 0, T + 2005, "")
    assert after.streak == 4, "a hold or an outage still stretches the pace"
    with store.reading() as db:
        assert db.books.done() == 0
        assert "died" not in db.tallies.all()
        assert {attempt.state for attempt in db.attempts.of(Kind.SCENE, 7)} <= {State.READY}


def test_an_ended_attempt_with_an_error_is_written_down_and_twenty_are_kept(store):
    want(store, 7)
    for number in range(25):
        (job,) = claim(store, T + number)
        settle(store, job, State.READY, T + number, attempts=number, error=f"error {number}", cls="unavailable")
    with store.reading() as db:
        found = db.attempts.of(SCENE, 7)
    assert [attempt.error for attempt in found] == [f"error {number}" for number in range(24, 4, -1)]
    assert (found[0].attempts, found[0].at, found[0].cls) == (24, T + 24, "unavailable")


@pytest.mark.parametrize("cls", ["released", "local"])
def test_a_job_that_was_given_back_untried_has_made_no_attempt(store, cls):
    want(store, 7)
    settle(store, claim(store)[0], State.READY, error="stopped in good order", cls=cls)
    settle(store, claim(store)[0], State.READY, error="no answer", cls="unavailable")
    settle(store, claim(store)[0], State.READY, error="no answer", cls="unavailable", attempts=1)
    with store.reading() as db:
        assert [attempt.cls for attempt in db.attempts.of(SCENE, 7)] == ["unavailable", "unavailable"]
        assert db.attempts.count_used() == 1


def test_an_idle_row_keeps_no_error(store):
    want(store, 7)
    settle(store, claim(store)[0], State.READY, error="no answer", cls="unavailable")
    assert (row(store, 7).error, row(store, 7).cls) == ("no answer", "unavailable")
    settle(store, claim(store)[0], State.IDLE, error="no answer", cls="unavailable", desired="x")
    assert (row(store, 7).error, row(store, 7).cls, row(store, 7).desired) == ("", "", "")
    assert row(store, 7).settled_rev == 1


def test_an_error_of_any_text_can_be_kept(store):
    want(store, 7)
    settle(store, claim(store)[0], State.DEAD, error="a lone \ud800 surrogate and a \0", cls="bug")
    # PostgreSQL can't store the character zero.
    assert row(store, 7).error == "a lone ? surrogate and a " + ("" if on_postgres() else "\0")


# --- dead letters ----------------------------------------------------------------------------------------------------


def dead(store: Database, id: int, cls: str, at: int = T) -> None:
    want(store, id, at)
    (job,) = claim(store, at)
    settle(store, job, State.DEAD, at, attempts=5, streak=5, error=f"died of {cls}", cls=cls, desired="old")


@pytest.fixture
def graves(store: Database) -> None:
    for id, cls in ((1, "refused"), (2, "refused"), (3, "ambiguous")):
        dead(store, id, cls)
    want(store, 4)


@pytest.mark.usefixtures("graves")
@pytest.mark.parametrize(
    ("chosen", "ids"),
    [({}, [1, 2, 3]), ({"error_class": "refused"}, [1, 2]), ({"kind": SCENE, "id": 3}, [3]), ({"kind": Kind.TAG}, [])],
)
@pytest.mark.parametrize("verb", ["retry", "drop"])
def test_dead_rows_are_tried_again_or_given_up_one_a_class_or_all(store, verb, chosen, ids):
    with store.writing() as tx:
        assert getattr(tx.jobs, verb)(now=T + 5, **chosen) == len(ids)
    state = State.READY if verb == "retry" else State.DROPPED
    moved = [row(store, id) for id in (1, 2, 3) if row(store, id).state is state]
    assert [found.id for found in moved] == ids
    if verb == "retry" and ids:
        assert {(found.attempts, found.due, found.lane) for found in moved} == {(0, T + 5, Lane.EDIT)}
    with store.reading() as db:
        assert len(db.attempts.of(SCENE, 1)) == 1


@pytest.mark.usefixtures("graves")
def test_dead_rows_are_listed_by_class_and_page(store):
    with store.reading() as db:
        assert [found.id for found in db.jobs.in_state(State.DEAD)] == [1, 2, 3]
        assert [found.id for found in db.jobs.in_state(State.DEAD, error_class="refused")] == [1, 2]
        assert [found.id for found in db.jobs.in_state(State.DEAD, limit=1, after=("scene", 1))] == [2]
        assert [found.id for found in db.jobs.in_state(State.READY, error_class="refused")] == []
        assert db.jobs.count_dead() == {"refused": 2, "ambiguous": 1}
        assert list(db.jobs.ids(SCENE)) == [(1, State.DEAD), (2, State.DEAD), (3, State.DEAD), (4, State.READY)]
        assert db.jobs.count_unsettled() == 1


def test_pruning_deletes_what_ended_before_in_batches_with_its_history(store):
    for id in range(1, 6):
        dead(store, id, "refused", T + id)
    want(store, 6, T)
    settle(store, claim(store, T)[0], State.IDLE)
    with store.writing() as tx:
        assert prune(tx, now=T + DAY, before=T + 4, limit=2) == 2
        assert prune(tx, now=T + DAY, before=T + 4, limit=2) == 1
        assert prune(tx, now=T + DAY, before=T + 4, limit=2) == 0
    with store.reading() as db:
        assert [id for id, _ in db.jobs.ids(SCENE)] == [4, 5, 6]
        assert db.attempts.of(SCENE, 1) == []
    assert book(store)["pruned"] == 3


def test_what_was_dropped_stays_at_any_age_and_holds_up_nothing(store):
    for id in range(1, 7):
        dead(store, id, "refused", T + id * HOUR)
    with store.writing() as tx:
        assert sum(tx.jobs.drop(kind=SCENE, id=id, now=T + id * HOUR) for id in (1, 2, 4)) == 3
    for left in (1, 1, 1, 0):
        with store.writing() as tx:
            assert prune(tx, now=T + 90 * DAY, before=T + 60 * DAY, limit=1) == left
    with store.reading() as db:
        assert list(db.jobs.ids(SCENE)) == [(id, State.DROPPED) for id in (1, 2, 4)]
    assert book(store)["pruned"] == 3


def test_what_died_by_a_clock_that_was_behind_grows_old_as_well(store):
    with store.writing() as tx:
        assert prune(tx, now=T + 90 * DAY, before=T + 60 * DAY, limit=10) == 0
    dead(store, 1, "refused", T)
    with store.writing() as tx:
        assert prune(tx, now=T + 90 * DAY, before=T + 60 * DAY, limit=10) == 1


def test_what_died_while_the_clock_was_ahead_grows_old_from_now_on(store):
    dead(store, 1, "refused", T + 3650 * DAY)
    with store.writing() as tx:
        assert prune(tx, now=T, before=T - DAY, limit=10) == 0
        assert prune(tx, now=T + 2 * DAY, before=T + DAY, limit=10) == 1


# --- absent ----------------------------------------------------------------------------------------------------------


def test_a_finished_scan_wakes_every_absent_row(store):
    for id in (1, 2, 3):
        want(store, id)
    one, two, three = claim(store)
    settle(store, one, State.ABSENT, due=T + DAY, error="not in Plex yet", cls="absent")
    settle(store, two, State.ABSENT, due=T + HOUR, error="not in Plex yet", cls="absent")
    settle(store, three, State.READY, due=T + HOUR)
    with store.writing() as tx:
        assert tx.jobs.scan_finished(T + 5) == 2
        assert tx.books.scans() == 1
    assert [job.id for job in claim(store, T + 5)] == [1, 2]


def test_absent_rows_can_be_woken_a_few_at_a_time(store):
    for id in range(1, 6):
        want(store, id, why=Why.SWEEP if id % 2 else Why.EDIT)
    for job in claim(store):
        settle(store, job, State.ABSENT, due=T + DAY, error="not in Plex yet", cls="absent")
    for left in (2, 2, 1, 0):
        with store.writing() as tx:
            assert tx.jobs.wake_absent(T + 5, limit=2) == left
    assert len(claim(store, T + 5)) == 5


# --- time ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("back", [2 * 60_000, DAY, 3650 * DAY, T - 1])
def test_after_the_clock_stepped_back_a_row_waits_no_longer_than_it_would_have(store, back):
    want(store, 1, T)
    want(store, 2, T)
    one, two = claim(store, T)
    settle(store, one, State.READY, T, due=T + HOUR, streak=3)
    settle(store, two, State.ABSENT, T, due=T + DAY)
    now = T - back
    want(store, 3, now)

    assert [job.id for job in claim(store, now)] == [3]

    with store.reading() as db:
        assert db.jobs.next_due(now) <= now + HOUR + 60_000
    assert [job.id for job in claim(store, now + HOUR)] == [1]
    assert [job.id for job in claim(store, now + DAY)] == [2]


def test_until_a_claim_has_seen_the_step_back_something_is_due_at_once(store):
    want(store, 1, T)
    (job,) = claim(store, T)
    settle(store, job, State.READY, T, due=T + HOUR)
    with store.reading() as db:
        assert db.jobs.next_due(T - DAY) == T - DAY
        assert db.jobs.next_due(T) == T + HOUR


def test_the_next_due_is_a_waiting_row_or_the_end_of_a_lease(store):
    with store.reading() as db:
        assert db.jobs.next_due(T) is None
    want(store, 1, T + 500)
    want(store, 2, T, Why.SWEEP)
    with store.reading() as db:
        assert db.jobs.next_due(T) == T
    claim(store, T)
    with store.reading() as db:
        assert db.jobs.next_due(T) == T + 500
    claim(store, T + 500)
    with store.reading() as db:
        assert db.jobs.next_due(T) == T + 120_000


def test_the_states_and_what_is_due_are_counted(store):
    for id in (1, 2, 3, 4):
        want(store, id, T + id)
    settle(store, claim(store, T + 1)[0], State.IDLE)
    with store.reading() as db:
        jobs, due, books = db.jobs.count_states(), db.jobs.count_due(T + 3), db.books.read()
    assert {state: count for state, count in jobs.items() if count} == {State.READY: 3, State.IDLE: 1}
    assert set(jobs) == set(State)
    assert due == (2, T + 2)
    assert books == {"accepted": 4, "coalesced": 0, "done": 1, "pruned": 0}


# --- a large table ---------------------------------------------------------------------------------------------------


def steps(db: sqlite3.Connection, sql: str, values: dict[str, object]) -> int:
    """How many steps SQLite's machine takes: a measure of work that no other process disturbs."""
    count = 0

    def tick() -> int:
        nonlocal count
        count += 1
        return 0

    db.set_progress_handler(tick, 1)
    db.execute(sql, values).fetchall()
    db.set_progress_handler(None, 1)
    return count


def plan(db: sqlite3.Connection, sql: str, values: dict[str, object]) -> str:
    return " / ".join(step["detail"] for step in db.execute(f"explain query plan {sql}", values))


@pytest.fixture(scope="module")
def large(tmp_path_factory) -> Iterator[sqlite3.Connection]:
    """100,000 rows: 90,000 delayed or absent, 5,000 idle, 5,000 dead, and 20 due."""
    folder = tmp_path_factory.mktemp("large")
    folder.chmod(0o700)
    db = connect(folder / "plexsync.db")
    db.execute("begin immediate")
    db.execute(
        """
        with recursive n (i) as (select 1 union all select i + 1 from n where i < 100000)
        insert into job (kind, id, state, lane, wanted_rev, due, since, stirred, cls)
        select 'scene', i,
               case when i <= 45000 then 'ready' when i <= 90000 then 'absent' when i <= 95000 then 'idle' else 'dead' end,
               i % 2, 1, :later, 0, 0, ''
          from n
        """,
        {"later": T + DAY},
    )
    db.execute("update job set due = :now where id % 4500 = 0 and id <= 90000", {"now": T})
    db.execute("commit")
    yield db
    db.close()


@pytest.mark.sqlite_only
def test_a_claim_reads_due_rows_by_an_index_without_sorting(large):
    for lane in Lane:
        found = plan(large, jobs.DUE, {"lane": lane, "now": T, "limit": 10})
        assert "job_due (lane=? AND due<?)" in found
        assert "TEMP B-TREE" not in found
        assert "SCAN" not in found


@pytest.mark.sqlite_only
def test_delayed_rows_cost_a_claim_nothing(large):
    assert steps(large, jobs.DUE, {"lane": 0, "now": T, "limit": 50}) < 60 * 20
    assert steps(large, jobs.DUE, {"lane": 0, "now": T - 1, "limit": 50}) < 30


@pytest.mark.sqlite_only
def test_waking_absent_rows_finds_them_by_when_they_are_due(large):
    found = plan(large, jobs.WAKE_ABSENT, {"now": T, "limit": 10, "lane": 0})
    assert "job_due (lane=? AND due>?)" in found


@pytest.mark.sqlite_only
@pytest.mark.parametrize(
    ("sql", "index"),
    [
        (job_queries.NEXT_DUE, "job_due (lane=?)"),
        (job_queries.NEXT_LEASE, "job_lease"),
        (counts.COUNT_READY, "COVERING INDEX job_due"),
        (counts.COUNT_RUNNING, "INDEX job_lease"),
        (counts.COUNT_RARE, "COVERING INDEX job_state"),
        (counts.COUNT_DEAD, "INDEX job_dead"),
        (job_queries.LIST, "PRIMARY KEY ((kind,id)>(?,?))"),
        (job_queries.LIST_RARE, "job_state (state=? AND (kind,id)>(?,?))"),
        (job_queries.LIST_DEAD_OF, "job_dead (cls=? AND (kind,id)>(?,?))"),
        (jobs.ENDED, "job_ended (since>? AND since<?)"),
        (jobs.UNDATE, "job_ended (since>?)"),
        (jobs.RENEW, "job_token (token=?)"),
        (jobs.SETTLE, "PRIMARY KEY (kind=? AND id=?)"),
    ],
)
def test_the_other_statements_find_their_rows_by_an_index(large, sql, index):
    names = (
        "lane now limit state cls after_kind after_id before token until kind id attempts streak crashes due ok_mark"
        " bad_mark error desired since tokens"
    )
    found = plan(large, sql, dict.fromkeys(names.split(), 1))
    assert index in found
    assert "TEMP B-TREE" not in found


@pytest.mark.sqlite_only
def test_a_want_costs_the_same_whatever_the_table_holds(large):
    values = intake.row_of("scene", 44_999, "edit", T)
    large.execute("begin immediate")
    assert steps(large, intake.LIFT_TICK, values) + steps(large, intake.WANT, values) < 1000
    large.execute("rollback")


@pytest.mark.parametrize("kind", [Kind.TAG, PLAYS])
def test_a_notice_and_a_row_of_another_flow_that_is_done_leave_no_row(store, kind):
    with store.writing() as tx:
        tx.jobs.want(kind, 3, Why.EDIT, 1_000)
        (job,) = tx.jobs.claim(5, now=1_000, lease_ms=120_000, holder="w")
        assert tx.jobs.settle([AttemptEnding(job, Settled(State.IDLE, 0, 0, 0, 1_000), 0, 0)], now=1_000)
        assert tx.jobs.find(kind, 3) is None
        books = tx.books.read()
    assert (books["accepted"], books["done"]) == (1, 1)


def test_plays_that_are_wanted_again_while_they_are_worked_keep_their_row(store):
    with store.writing() as tx:
        tx.jobs.want(PLAYS, 3, Why.EDIT, 1_000)
        (job,) = tx.jobs.claim(5, now=1_000, lease_ms=120_000, holder="w")
        tx.jobs.want(PLAYS, 3, Why.EDIT, 2_000)
        assert tx.jobs.settle([AttemptEnding(job, Settled(State.IDLE, 0, 0, 0, 2_000), 0, 0)], now=2_000)
        assert tx.jobs.find(PLAYS, 3).state is State.READY


def test_plays_that_wait_do_not_count_among_what_is_waited_for(store):
    with store.writing() as tx:
        for id in range(1, 5):
            tx.jobs.want(PLAYS, id, Why.EDIT, T)
        tx.jobs.claim(2, now=T, lease_ms=120_000, holder="w", kinds=[PLAYS])
        assert tx.jobs.count_unsettled() == 0
        tx.jobs.want(SCENE, 1, Why.EDIT, T)
        tx.jobs.want(Kind.TAG, 1, Why.EDIT, T)
        assert tx.jobs.count_unsettled() == 2


def test_a_flow_that_is_switched_off_leaves_no_work_and_balanced_books(store):
    ends = dict(zip(range(1, 6), (State.DEAD, State.ABSENT, State.GONE, State.OUTSIDE, State.READY), strict=True))
    with store.writing() as tx:
        for id in range(1, 10):
            tx.jobs.want(PLAYS, id, Why.EDIT, T)
        tx.jobs.want(SCENE, 1, Why.EDIT, T)
        jobs = {job.id: job for job in tx.jobs.claim(6, now=T, lease_ms=120_000, holder="w", kinds=[PLAYS])}
        for id, state in ends.items():
            after = Settled(state, 1, 1, 0, T + DAY, "Stash answered 500", "unavailable")
            assert tx.jobs.settle([AttemptEnding(jobs[id], after, 0, 0)], now=T)
        tx.jobs.ignore(PLAYS, 7, now=T)
        tx.jobs.set_aside(PLAYS, 8, now=T)
    with store.writing() as tx:
        assert tx.jobs.discard(FLOW_KINDS) == 7
        assert tx.jobs.discard(FLOW_KINDS) == 0
        left = tx.jobs.of(PLAYS, range(1, 10))
        assert {id: found.state for id, found in left.items()} == {7: State.IGNORED, 8: State.DROPPED}
        assert tx.jobs.find(SCENE, 1).state is State.READY
        assert tx.books.read() == {"accepted": 10, "coalesced": 0, "done": 0, "pruned": 7}
        assert tx.attempts.of(PLAYS, 1) == []
        assert tx.tallies.all()["pruned"] == 1
        assert not tx.jobs.settle([AttemptEnding(jobs[6], Settled(State.IDLE, 0, 0, 0, T), 0, 0)], now=T)


@pytest.mark.sqlite_only
def test_waiting_plays_are_counted_without_a_look_at_every_scene(large):
    assert steps(large, job_queries.COUNT_UNSETTLED_OF_FLOWS, {}) < 200

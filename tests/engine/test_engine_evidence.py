"""Whose fault it is: one poisonous item among healthy ones dies alone, and is never mistaken for an outage."""

import re
from itertools import pairwise

import pytest

from plexsync.engine.evidence import Evidence
from plexsync.engine.flow import Write
from plexsync.engine.tickets import READ_PLEX, READ_STASH, WRITE_PLEX, WRITE_STASH, Gate
from plexsync.flows.scenes import inspection
from plexsync.rules.queue.job import PLAYS, Dead, Job, Kind, Lane, State
from plexsync.rules.servers.errors import Neighbour, Refused, Unavailable
from plexsync.simulator.http import Fault, Request
from tests.engine.house import DAY, HOUR, fails, put_of


def edit_all(house, ids, turn):
    for id in ids:
        house.stash_sim.edit_scene(id, title=f"{turn} of {id}")
    house.want(*ids)


def live_until_dead(house, poisoned, others, *, within=3 * DAY):
    """Healthy traffic every ten minutes, until the poisoned job is dead."""
    turn = 0
    while house.row(poisoned).state is not State.DEAD:
        turn += 1
        edit_all(house, others, turn)
        house.work_for(600)
        assert turn < within / 600, f"still alive: {house.row(poisoned)}"
    return turn


def test_an_item_that_always_fails_to_be_written_dies_alone_after_its_counted_attempts(house):
    ids = house.in_step(11)
    poisoned, others = ids[0], ids[1:]
    house.plex_sim.faults.set(fails("PUT", house.key_of(poisoned)))
    house.edit(poisoned, title="Never")
    live_until_dead(house, poisoned, others)
    row = house.row(poisoned)
    assert (row.attempts, row.cls) == (6, "unavailable"), "max_retries is 5"
    house.work_until_settled()
    assert house.out_of_step(others) == []
    assert [house.row(id).attempts for id in others] == [0] * 10
    assert house.rows("select count(*) from transition where new = 'open'") == [(0,)]
    tried = [request for request in house.plex_sim.log if put_of(request) == house.key_of(poisoned)]
    assert len([r for r in tried if r.method == "PUT"]) <= 8, "the first never counts, nor one with no write since"
    assert house.books_balance()


def test_the_dead_item_is_served_again_by_a_retry_once_it_is_well(house):
    ids = house.in_step(6)
    house.plex_sim.faults.set(fails("PUT", house.key_of(ids[0])))
    house.edit(ids[0], title="At last")
    live_until_dead(house, ids[0], ids[1:])
    house.plex_sim.faults.clear()
    with house.store.writing() as tx:
        assert tx.jobs.retry(id=ids[0], now=house.clock.now()) == 1
    house.work()
    assert house.title_in_plex(ids[0]) == "At last"


def test_when_it_is_the_only_job_three_canary_writes_decide(house):
    ids = house.in_step(6)
    poisoned = ids[0]
    house.plex_sim.faults.set(fails("PUT", house.key_of(poisoned)))
    before = {id: house.plex_sim.item(house.key_of(id)) for id in ids[1:]}
    house.edit(poisoned, title="Never")
    house.work_for(DAY)
    assert (house.row(poisoned).state, house.row(poisoned).attempts) == (State.DEAD, 6)
    writes = [put_of(request) for request in house.plex_sim.log if request.method == "PUT"]
    own = writes.count(house.key_of(poisoned))
    assert own == 2 + 6, "the first never counts, and canaries are asked from the third on"
    assert len(writes) - own == 3 * 6
    assert house.rows("select count(*) from transition where new = 'open'") == [(0,)]
    after = {id: house.plex_sim.item(house.key_of(id)) for id in ids[1:]}
    for id, item in before.items():
        assert (item.scalars, item.lists, item.locks) == (after[id].scalars, after[id].lists, after[id].locks)


def test_the_only_job_is_not_blamed_while_the_canaries_fail_too(house):
    (id, *_) = house.in_step(6)
    house.plex_sim.faults.set(fails("PUT"))
    house.edit(id, title="In the end")
    house.work_for(3 * DAY)
    assert (house.row(id).state, house.row(id).attempts) == (State.READY, 0)
    assert house.breaker() == "open"
    house.plex_sim.faults.clear()
    house.work_until_settled()
    assert house.title_in_plex(id) == "In the end"


def test_the_only_job_is_not_blamed_while_there_is_no_healthy_item_to_try(house):
    (id,) = house.in_step(1)
    house.plex_sim.faults.set(fails("PUT"))
    house.edit(id, title="In the end")
    house.work_for(DAY)
    assert (house.row(id).state, house.row(id).attempts) == (State.READY, 0)


def test_writes_that_fail_by_chance_kill_nobody_while_one_in_ten_or_more_fails(house):
    ids = house.in_step(40)
    turn = iter(range(10**6))
    house.plex_sim.faults.set(
        Fault("status", status=500, when=lambda r: r.method == "PUT" and next(turn) % 3 == 0),
    )
    for round in range(8):
        edit_all(house, ids, round)
        house.work_for(600)
    assert State.DEAD not in house.states()
    house.plex_sim.faults.clear()
    house.work_until_settled()
    assert house.out_of_step(ids) == []


def test_a_poisonous_item_in_a_batch_that_is_read_is_found_by_halving_with_one_report(house):
    ids = house.in_step(50)
    poisoned = ids[17]
    key = house.key_of(poisoned)
    edit_all(house, ids, 1)
    house.plex_sim.faults.set(fails("GET", key))
    house.step()
    reads = [r for r in house.plex_sim.log if r.method == "GET" and key in r.path.rsplit("/", 1)[-1].split(",")]
    assert 1 < len(reads) <= 7, "the batch, then halves of halves"
    assert house.states() == {State.IDLE: 49, State.READY: 1}
    assert (house.row(poisoned).attempts, house.row(poisoned).streak) == (0, 1)
    with house.store.reading() as db:
        assert db.breakers.find(Neighbour.PLEX).failures == 0


def test_an_item_that_can_never_be_read_dies_alone_in_healthy_traffic(house):
    ids = house.in_step(11)
    poisoned, others = ids[0], ids[1:]
    key = house.key_of(poisoned)
    house.plex_sim.faults.set(fails("GET", key))
    house.edit(poisoned, title="Never")
    live_until_dead(house, poisoned, others)
    house.work_until_settled()
    assert house.row(poisoned).attempts == 6
    assert house.out_of_step(others) == []
    assert house.rows("select count(*) from transition where new = 'open'") == [(0,)]


def test_an_item_that_can_never_be_read_dies_when_it_is_the_only_job(house):
    ids = house.in_step(6)
    house.plex_sim.faults.set(fails("GET", house.key_of(ids[0])))
    house.edit(ids[0], title="Never")
    house.work_for(DAY)
    assert (house.row(ids[0]).state, house.row(ids[0]).attempts) == (State.DEAD, 6)
    assert house.rows("select count(*) from transition where new = 'open'") == [(0,)]
    assert {house.row(id).state for id in ids[1:]} == {State.IDLE}


def poison_in_stash(house, id):
    """Stash answers every question that concerns this scene with an error of its own."""

    def spoil(body):
        found = (body.get("data") or {}).get(f"s{id}")
        return {"errors": [{"message": "broken row"}], "data": None} if found else body

    house.stash_sim.graphql_fault = spoil


def test_a_scene_that_stash_cannot_tell_of_does_not_keep_the_others_of_its_batch_back(house):
    ids = house.in_step(20)
    poison_in_stash(house, ids[3])
    edit_all(house, ids, 1)
    house.step()
    assert house.states() == {State.IDLE: 19, State.READY: 1}
    assert house.out_of_step(ids) == [ids[3]]
    with house.store.reading() as db:
        assert db.breakers.find(Neighbour.STASH).failures == 0


def test_a_scene_that_stash_can_never_tell_of_dies_also_when_it_is_the_only_job(house):
    ids = house.in_step(6)
    poison_in_stash(house, ids[0])
    house.edit(ids[0], title="Never")
    house.work_for(DAY)
    assert (house.row(ids[0]).state, house.row(ids[0]).attempts) == (State.DEAD, 6)
    assert house.rows("select count(*) from transition where new = 'open'") == [(0,)]


def test_a_stash_that_fails_altogether_is_not_the_only_jobs_fault(house):
    (id, *_) = house.in_step(6)
    house.edit(id, title="In the end")
    house.stash_sim.faults.set(Fault("status", status=500))
    house.work_for(DAY)
    assert (house.row(id).state, house.row(id).attempts) == (State.READY, 0)
    house.stash_sim.faults.clear()
    house.work_until_settled(within=600)
    assert house.title_in_plex(id) == "In the end"


def test_both_halves_failing_is_an_outage_and_blames_nobody(house):
    ids = house.in_step(20)
    keys = {house.key_of(ids[0]), house.key_of(ids[-1])}
    edit_all(house, ids, 1)
    house.plex_sim.faults.set(
        Fault("status", status=500, when=lambda r: r.method == "GET" and bool(keys & set(r.path[18:].split(","))))
    )
    house.step()
    with house.store.reading() as db:
        assert db.breakers.find(Neighbour.PLEX).failures == 1
    assert house.attempts_used() == 0
    assert house.states() == {State.READY: 20}


def test_an_item_that_plex_refuses_to_tell_of_is_dead_and_the_others_are_served(house):
    ids = house.in_step(10)
    edit_all(house, ids, 1)
    house.plex_sim.faults.set(fails("GET", house.key_of(ids[4]), status=400))
    house.step()
    assert (house.row(ids[4]).state, house.row(ids[4]).cls) == (State.DEAD, "refused")
    assert house.out_of_step(ids) == [ids[4]]


# --- the rule itself ---


def judged(house, *, ok=0, bad=0, streak=5, marks=(7, 1)):
    """Whether a failure is a job's own after so many other writes went well and failed since its last one."""
    worker = house.worker
    for well in [True] * (marks[0] + ok) + [False] * (marks[1] + bad):
        if well:
            worker.gates.well(worker.gates.ticket(WRITE_PLEX))
        else:
            worker.gates.ill(worker.gates.ticket(WRITE_PLEX), Unavailable(Neighbour.PLEX, "away"), own=True)
    job = Job(Kind.SCENE, 999, Lane.EDIT, "token", claimed_rev=1, streak=streak, ok_mark=marks[0], bad_mark=marks[1])
    return Evidence(worker.store, worker.gates).is_own(worker.scenes, job, "1")


# writes since that went well and failed, failures in a row before this one: own?
EVIDENCE = [
    pytest.param({"ok": 3}, True, id="three went well"),
    pytest.param({"ok": 2}, False, id="two are too few"),
    pytest.param({"ok": 9, "bad": 1}, True, id="one in ten failed"),
    pytest.param({"ok": 8, "bad": 1}, False, id="one in nine failed"),
    pytest.param({"ok": 18, "bad": 2}, True, id="two in twenty failed"),
    pytest.param({"bad": 1}, False, id="all others failed, and no canary is asked"),
    pytest.param({"ok": 100, "marks": (0, 0)}, False, id="a first failure"),
]


@pytest.mark.parametrize(("since", "own"), EVIDENCE)
def test_writes_to_other_items_are_the_evidence(house, since, own):
    house.add(1)
    assert judged(house, **since) is own
    assert house.plex_sim.count("PUT") == 0, "no canary where others are evidence"


@pytest.mark.parametrize(("status", "marks"), [(503, (3, 1)), (429, (0, 0))])
def test_the_writes_of_others_count_from_a_failure_that_may_be_the_jobs_own(house, status, marks):
    ids = house.in_step(3)
    house.plex_sim.faults.set(fails("PUT", house.key_of(ids[0]), status=status))
    edit_all(house, ids[:1], 1)
    house.step()
    assert house.row(ids[0]).state is State.READY
    assert house.rows(f"select ok_mark, bad_mark from job where id = {ids[0]}") == [marks]


# --- rejected writes -------------------------------------------------------------------------------------------------


def starting(house):
    """A Plex that is starting: it answers reads, and rejects every edit."""
    house.plex_sim.faults.set(Fault("status", status=400, when=lambda request: request.method == "PUT"))


@pytest.mark.parametrize("known", [0, 1, 5])
def test_a_plex_that_rejects_every_edit_while_it_starts_makes_no_dead_letters(house, known):
    ids = house.add(5, start=100)
    for id in house.in_step(known) if known else ():
        house.stash_sim.edit_scene(id, title=f"Edited {id}")
        ids.append(id)
    starting(house)
    house.want(*ids)
    house.clock.move(3)
    house.work_for(600)
    assert house.states() == {State.READY: len(ids)}
    assert (house.attempts_used(), house.breaker()) == (0, "open")
    assert len([request for request in house.plex_sim.log if request.method == "PUT"]) < 30
    assert "is it still starting?" in house.rows("select error from breaker where who = 'plex'")[0][0]
    house.plex_sim.faults.clear()
    house.work_until_settled()
    assert house.out_of_step(ids) == []
    assert (house.breaker(), house.attempts_used()) == ("closed", 0)
    assert house.books_balance()


def test_an_edit_of_the_only_scene_that_a_starting_plex_rejects_is_sent_again_after_it_started(house):
    (id,) = house.in_step(1)
    starting(house)
    house.edit(id, title="In the end")
    house.work_for(HOUR)
    assert (house.row(id).state, house.row(id).attempts, house.breaker()) == (State.READY, 0, "open")
    house.plex_sim.faults.clear()
    house.work_until_settled()
    assert house.title_in_plex(id) == "In the end"


def test_a_starting_plex_uses_no_attempt_of_a_scene_that_failed_before_while_others_were_written(house):
    ids = house.in_step(6)
    house.plex_sim.faults.set(fails("PUT", house.key_of(ids[0])))
    house.edit(ids[0], title="In the end")
    house.work()
    edit_all(house, ids[1:], 1)
    house.work()
    assert house.rows(f"select bad_mark from job where id = {ids[0]}") == [(1,)]
    starting(house)
    house.work_for(HOUR)
    assert (house.row(ids[0]).state, house.attempts_used()) == (State.READY, 0)


def test_one_edit_that_plex_rejects_while_it_takes_a_lock_again_is_dead_at_once(house):
    first, second = house.in_step(2)
    key = house.key_of(first)
    house.plex_sim.faults.set(fails("PUT", key, status=400))
    before = house.plex_sim.item(house.key_of(second))
    house.edit(first, title="Never")
    house.work()
    row = house.row(first)
    assert (row.state, row.cls, row.attempts) == (State.DEAD, "refused", 0)
    assert [put_of(request) == key for request in house.plex_sim.log if request.method == "PUT"] == [True, False]
    after = house.plex_sim.item(house.key_of(second))
    assert (after.scalars, after.lists, after.locks) == (before.scalars, before.lists, before.locks)
    assert house.breaker() == "closed"


def test_with_no_other_item_a_lock_of_its_own_shows_that_only_its_values_are_rejected(house):
    (id,) = house.in_step(1)
    house.plex_sim.faults.set(fails("PUT", status=400, times=1))
    house.edit(id, title="Never")
    house.work()
    assert (house.row(id).state, house.row(id).cls) == (State.DEAD, "refused")


def test_a_canary_that_is_rejected_for_its_item_alone_does_not_hide_that_others_are_accepted(house):
    ids = house.in_step(4)
    rejected = ids[0], ids[-1]
    keys = [house.key_of(id) for id in rejected]
    house.plex_sim.faults.set(Fault("status", status=400, when=lambda r: r.method == "PUT" and put_of(r) in keys))
    house.edit(rejected[0], title="Never")
    house.work()
    assert (house.row(rejected[0]).state, house.breaker()) == (State.DEAD, "closed")


def test_an_edit_of_which_a_part_was_accepted_is_rejected_for_itself(house):
    ids = house.in_step(2)
    house.forget_requests()
    ticket = house.worker.gates.ticket(WRITE_PLEX)
    error = Refused(Neighbour.PLEX, "no")
    error.applied = True
    job = Job(Kind.SCENE, ids[0], Lane.EDIT, "token", claimed_rev=1)
    evidence = Evidence(house.store, house.worker.gates)
    write = Write(job=job, key=house.key_of(ids[0]), desired="x")
    outcome = evidence.after_write(house.worker.scenes, write, error, ticket)
    assert outcome == Dead("refused", "no", desired="x")
    assert house.plex_sim.log == []


@pytest.mark.parametrize(("streak", "own", "canaries"), [(0, False, 0), (1, False, 0), (2, True, 3)])
def test_with_no_other_write_three_failures_in_a_row_ask_three_canaries(house, streak, own, canaries):
    house.in_step(5)
    # The five writes that brought them in step were before the failure that the marks stand for.
    assert judged(house, streak=streak, marks=(5, 0), ok=-5) is own
    writes = [request for request in house.plex_sim.log if request.method == "PUT"]
    assert len(writes) == canaries
    assert house.key_of(1) not in map(put_of, writes)


# --- our own bugs ----------------------------------------------------------------------------------------------------


def test_a_bug_of_ours_in_one_plan_counts_for_that_job_alone(house, monkeypatch):
    ids = house.in_step(10)
    real = inspection.plan

    def broken(values, *args):
        if values["title"] == f"1 of {ids[2]}":
            raise ZeroDivisionError
        return real(values, *args)

    monkeypatch.setattr(inspection, "plan", broken)
    edit_all(house, ids, 1)
    house.work()
    row = house.row(ids[2])
    assert (row.state, row.attempts, row.cls) == (State.READY, 1, "bug")
    assert "ZeroDivisionError" in row.error
    assert house.out_of_step(ids) == [ids[2]]
    house.work_for(DAY)
    assert (house.row(ids[2]).state, house.row(ids[2]).attempts) == (State.DEAD, 6)
    assert house.breaker() == "closed"

    monkeypatch.setattr(inspection, "plan", real)
    with house.store.writing() as tx:
        tx.jobs.retry(error_class="bug", now=house.clock.now())
    house.work()
    assert house.out_of_step(ids) == []


def test_a_bug_of_ours_while_sending_counts_for_that_job_alone(house, monkeypatch):
    ids = house.in_step(5)
    key, real = house.key_of(ids[1]), house.worker.plex.edit

    def broken(section, item, *args, **kwargs):
        if item == key:
            raise ValueError("cannot be built")
        return real(section, item, *args, **kwargs)

    monkeypatch.setattr(house.worker.plex, "edit", broken)
    edit_all(house, ids, 1)
    house.work()
    assert (house.row(ids[1]).state, house.row(ids[1]).attempts) == (State.READY, 1)
    assert house.out_of_step(ids) == [ids[1]]


def test_a_job_that_died_by_its_attempts_is_not_revived_by_the_next_comparison(house, monkeypatch):
    ids = house.in_step(4)
    house.plex_sim.faults.set(fails("PUT", house.key_of(ids[0])))
    house.edit(ids[0], title="Never")
    live_until_dead(house, ids[0], ids[1:])
    house.work_until_settled()
    house.plex_sim.faults.clear()
    house.worker.reconciler.reconcile()
    # The canaries have moved the stamps of the others, so these are looked at; the dead one is not.
    assert house.row(ids[0]).state is State.DEAD, "the same value died already"
    house.work()
    assert house.worker.reconciler.reconcile().wanted == 0
    house.clock.move(60)
    house.stash_sim.quiet_edit(ids[0], title="Another")
    assert house.worker.reconciler.reconcile().wanted == 1
    house.clock.move(2)
    house.work()
    assert house.title_in_plex(ids[0]) == "Another"


def test_a_removal_that_plex_refuses_does_not_keep_the_scene_from_being_done(house, monkeypatch):
    (id, *_) = house.in_step(3)
    real, seen = house.worker.plex.edit, []

    def stubborn(section, key, edit, **kwargs):
        """A Plex that ignores removals beside other changes, and refuses them alone."""
        if set(edit) == {"genre"} and edit["genre"].value is None and edit["genre"].removes:
            seen.append(key)
            raise Refused(Neighbour.PLEX, "no")
        return real(section, key, edit, **kwargs)

    house.plex_sim.mixed_removals = False
    monkeypatch.setattr(house.worker.plex, "edit", stubborn)
    house.edit(id, tags=["Other"])
    house.work()
    assert seen
    assert house.row(id).state is State.IDLE


@pytest.mark.parametrize("mixed", [True, False])
def test_a_removal_that_did_not_take_is_sent_again_alone(house, mixed):
    (id, *_) = house.in_step(3)
    house.plex_sim.mixed_removals = mixed
    house.edit(id, tags=["Other"])
    house.work()
    assert house.plex_sim.item(house.key_of(id)).lists["genre"] == ["Other"]
    assert house.plex_sim.count("PUT") == (1 if mixed else 2)
    assert house.row(id).state is State.IDLE


@pytest.mark.parametrize("mixed", [True, False])
@pytest.mark.parametrize("still_ours", [True, False])
def test_a_list_that_was_not_locked_before_us_is_not_locked_after_us(house, mixed, still_ours):
    (id,) = house.add(1)
    key = house.key_of(id)
    house.plex_sim.mixed_removals = mixed
    house.plex_sim.hand_edit(key, locked=False, genre=["The agent's"])
    house.want(id)
    house.work()
    assert "genre" in house.plex_sim.item(key).locks
    if not still_ours:
        house.plex_sim.hand_edit(key, locked=False, genre=house.plex_sim.item(key).lists["genre"])
    house.edit(id, tags=[])
    house.work()
    item = house.plex_sim.item(key)
    assert (item.lists["genre"], "genre" in item.locks) == (["The agent's"], False)


def test_the_pace_of_failures_grows(house):
    ids = house.in_step(6)
    house.plex_sim.faults.set(fails("PUT", house.key_of(ids[0])))
    house.edit(ids[0], title="Never")
    house.work_for(HOUR)
    at = [row[0] for row in house.rows("select at from attempt order by number")]
    waits = [round((b - a) / 1000) for a, b in pairwise(at)]
    assert waits[:5] == [2, 5, 10, 20, 40]


# --- canaries ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("but", "key", "scenes", "items"),
    [
        (None, None, [1, 2, 3], [1, 2, 3, 4]),
        (1, None, [2, 3], [2, 3, 4]),
        (4, None, [1, 2, 3], [1, 2, 3]),
        (3, 4, [1, 2], [1, 2]),
    ],
)
def test_neither_a_scene_nor_its_item_is_its_own_evidence(house, but, key, scenes, items):
    """`scenes` are those that Stash is asked for; Plex is asked for two items of `items`; `key` has an item."""
    # Another item comes first, so that no item has the number of its scene.
    house.plex_sim.add_movie(house.section, files=[("/media/other.mkv", 1, 60_000)], title="another")
    ids = house.in_step(4)
    house.want(ids[0], kind=PLAYS)
    house.change("update job set state = 'idle'")
    keys = {house.key_of(id) for id in items}

    def asked(gate: Gate) -> list[Request]:
        known = {"but": but, "key": house.key_of(key) if key else ""}
        canaries = house.worker.scenes.canaries(gate, 2, ticket=house.worker.gates.ticket(gate), **known)
        house.forget_requests()
        assert {canary() for canary in canaries} == {True}
        return [*house.plex_sim.log, *house.stash_sim.log]

    (read,) = asked(READ_STASH)
    assert [int(id) for id in re.findall(rb"s([0-9]+): ", read.body)] == scenes
    (read,) = asked(READ_PLEX)
    read_again = read.path.rpartition("/")[2].split(",")
    sent_again = [write.params["id"] for write in asked(WRITE_PLEX)]
    for again in (read_again, sent_again):
        assert len(again) == len({*again} & keys) == 2
    assert house.worker.scenes.canaries(WRITE_STASH, 2, ticket=house.worker.gates.ticket(WRITE_STASH)) == []

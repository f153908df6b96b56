"""Scenes that are gone from Stash: few at once without a question, many only if you say so; back at any time."""

import pytest

from plexsync.app.choices import accept, open_questions
from plexsync.rules.match.losses import LEAST
from plexsync.rules.queue.choices import Choice
from plexsync.rules.queue.job import Kind, State
from plexsync.rules.records import PictureRow
from tests.engine.house import DAY, HOUR, House
from tests.flows.test_forgetting import prune, remembered

MANY = LEAST + 20


@pytest.fixture
def undoing(tmp_path):
    """A house where scenes that are gone are undone."""
    with House(tmp_path / "data", undo_gone=True) as house:
        yield house


def polled(house, count):
    """So many scenes in step, known to poll and comparison."""
    ids = house.in_step(count)
    for _ in range(2):
        house.worker.poller.poll()
        house.worker.reconciler.try_reconcile()
        house.work()
        house.clock.move(60)
    house.forget_requests()
    return ids


def held(house):
    """The choice that is asked for, '' if none is."""
    rows = house.rows("select choice from hold where who = 'stash'")
    return rows[0][0] if rows else ""


def go_on(house, hours=1.0):
    """What a running worker does for a while: it polls, compares and works."""
    for _ in range(round(hours * 6)):
        house.worker.poller.poll()
        house.worker.reconciler.try_reconcile()
        house.work_for(HOUR / 6)


def writes(house):
    return house.plex_sim.count("PUT")


def destroy(house, ids, *, hooked=True):
    for id in ids:
        house.stash_sim.destroy_scene(id)
    if hooked:
        house.want(*ids)
        house.clock.move(3)


def still_shown(house):
    return [house.plex_sim.item(key).scalars["title"] for key in house.plex_sim.keys(house.section)]


def test_of_a_scene_that_is_gone_neither_its_standing_nor_its_pictures_are_left_and_its_neighbours_keep_theirs(house):
    ids = house.in_step(3)
    with house.store.writing() as tx:
        for id in ids:
            tx.pictures.save(id, "thumb", PictureRow("v", "tag", "key", ""))
    # The others are known by a comparison alone.
    house.change(f"delete from job where id <> {ids[1]}")
    destroy(house, [ids[1]])
    house.work()
    assert house.row(ids[1]).state is State.GONE
    with house.store.reading() as db:
        known = [(db.standings.find(id), db.pictures.of(id)) for id in ids]
    assert [[bool(one) for one in each] for each in known] == [[True] * 2, [False] * 2, [True] * 2]


# --- many at once ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["hooks", "poll", "comparison"])
def test_an_empty_stash_undoes_nothing_and_is_asked_about(undoing, by):
    polled(undoing, MANY)
    shown = still_shown(undoing)
    backup = undoing.stash_sim.wipe()
    if by == "hooks":
        undoing.want(*range(1, MANY + 1))
        undoing.clock.move(3)
        undoing.work()
    elif by == "poll":
        undoing.worker.poller.poll()
    else:
        assert not undoing.worker.reconciler.try_reconcile()
    assert held(undoing) == Choice.SCENES_GONE
    go_on(undoing)
    assert held(undoing) == Choice.SCENES_GONE
    assert (writes(undoing), still_shown(undoing)) == (0, shown)
    assert State.GONE not in undoing.states()
    undoing.stash_sim.restore(backup)
    go_on(undoing)
    assert held(undoing) == ""
    assert undoing.states() == {State.IDLE: MANY}
    assert still_shown(undoing) == shown
    assert writes(undoing) == 0


def test_a_run_against_an_empty_stash_loses_nothing(house):
    ids = polled(house, MANY)
    backup = house.stash_sim.wipe()
    house.worker.reconciler.try_reconcile()
    house.work_for(HOUR)
    house.stash_sim.restore(backup)
    house.stash_sim.quiet_edit(ids[0], title="Edited since")
    go_on(house)
    assert house.title_in_plex(ids[0]) == "Edited since"
    assert house.states() == {State.IDLE: MANY}
    prune(house)
    assert remembered(house) == set(ids)


def test_a_slow_trickle_is_one_loss(undoing):
    ids = polled(undoing, MANY)
    for id in ids:
        destroy(undoing, [id])
        undoing.work_for(60)
    assert held(undoing) == Choice.SCENES_GONE
    assert undoing.states()[State.GONE] == LEAST


def test_a_hold_for_a_slow_trickle_does_not_end_by_waiting(undoing):
    ids = polled(undoing, MANY)
    for id in ids[: LEAST + 1]:
        destroy(undoing, [id])
        undoing.work_for(60)
    undoing.work_for(30 * HOUR)
    assert held(undoing) == Choice.SCENES_GONE
    assert undoing.states()[State.GONE] == LEAST


def test_new_scenes_hide_no_loss(undoing):
    ids = polled(undoing, MANY)
    for n in range(MANY, 2 * MANY):
        undoing.add_scene(n)
    for id in ids:
        destroy(undoing, [id])
        undoing.work_for(60)
    assert held(undoing) == Choice.SCENES_GONE
    assert undoing.states()[State.GONE] == LEAST
    undoing.work_for(HOUR)
    assert held(undoing) == Choice.SCENES_GONE, "the hold looks at the scenes and not at their number"


def test_losses_of_several_days_are_several(undoing):
    ids = polled(undoing, MANY)
    for start in (0, LEAST):
        destroy(undoing, ids[start : start + LEAST])
        undoing.work_for(25 * HOUR)
    assert held(undoing) == ""
    assert undoing.states()[State.GONE] == 2 * LEAST


# --- your choice -----------------------------------------------------------------------------------------------------


def test_an_accepted_loss_is_undone_and_is_the_new_base(undoing):
    ids = polled(undoing, 2 * MANY)
    lost, kept = ids[:MANY], ids[MANY:]
    destroy(undoing, lost)
    undoing.work()
    assert list(open_questions(undoing.worker)) == [Choice.SCENES_GONE]
    assert accept(undoing.worker, Choice.SCENES_GONE)
    assert held(undoing) == ""
    go_on(undoing)
    assert undoing.states() == {State.GONE: MANY, State.IDLE: MANY}
    assert still_shown(undoing)[0] == "file 0"
    assert undoing.title_in_plex(kept[0]) == f"Title {MANY}"
    destroy(undoing, kept[: LEAST + 1])
    undoing.work()
    assert held(undoing) == Choice.SCENES_GONE, "another loss is another question"
    assert undoing.states()[State.GONE] == MANY


def test_an_accepted_loss_that_is_worked_off_for_days_asks_no_second_time(undoing):
    ids = polled(undoing, 2 * MANY)
    destroy(undoing, ids[:MANY])
    undoing.work()
    assert accept(undoing.worker, Choice.SCENES_GONE)
    undoing.clock.move(3 * DAY)
    go_on(undoing)
    assert undoing.states() == {State.GONE: MANY, State.IDLE: MANY}
    undoing.clock.move(2 * DAY)
    destroy(undoing, ids[MANY : MANY + LEAST + 1])
    undoing.work()
    assert held(undoing) == Choice.SCENES_GONE


def test_an_acceptance_while_stash_is_away_is_none_of_a_later_loss(undoing):
    polled(undoing, MANY)
    backup = undoing.stash_sim.wipe()
    undoing.worker.poller.poll()
    undoing.stash_sim.restore(backup)
    assert accept(undoing.worker, Choice.SCENES_GONE)
    go_on(undoing)
    undoing.stash_sim.wipe()
    go_on(undoing)
    assert held(undoing) == Choice.SCENES_GONE
    assert writes(undoing) == 0


def accepted_and_gone(house, hours):
    """Stash is empty, its loss is accepted, and so many hours of it are worked off; returns what was in it."""
    polled(house, MANY)
    backup = house.stash_sim.wipe()
    house.worker.poller.poll()
    assert accept(house.worker, Choice.SCENES_GONE)
    if hours:
        go_on(house, hours)
        assert house.states() == {State.GONE: MANY}
    return backup


@pytest.mark.parametrize("hours", [0, 1])
def test_scenes_of_an_accepted_loss_that_came_back_are_lost_again_only_by_a_question(undoing, hours):
    undoing.stash_sim.restore(accepted_and_gone(undoing, hours))
    go_on(undoing)
    assert undoing.states() == {State.IDLE: MANY}
    shown = still_shown(undoing)
    undoing.stash_sim.wipe()
    go_on(undoing)
    assert held(undoing) == Choice.SCENES_GONE
    assert still_shown(undoing) == shown


def test_a_loss_is_asked_about_again_when_hooks_tell_of_the_return_and_of_the_next_loss(undoing):
    backup = accepted_and_gone(undoing, 1)
    for is_back in (True, False):
        if is_back:
            undoing.stash_sim.restore(backup)
        else:
            undoing.stash_sim.wipe()
        undoing.want(*range(1, MANY + 1))
        undoing.clock.move(3)
        undoing.work()
    assert held(undoing) == Choice.SCENES_GONE


def test_an_accepted_loss_goes_on_after_a_few_of_its_scenes_came_back(undoing):
    ids = polled(undoing, 2 * MANY)
    destroy(undoing, ids[:MANY])
    undoing.work()
    assert accept(undoing.worker, Choice.SCENES_GONE)
    undoing.step()
    go_on(undoing)
    assert held(undoing) == ""
    assert undoing.states() == {State.GONE: MANY, State.IDLE: MANY}


# --- few at once -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("deleted", "of"), [(3, 5), (LEAST, LEAST), (5, 40)])
def test_a_few_deletions_are_worked_without_a_question(undoing, deleted, of):
    ids = polled(undoing, of)
    destroy(undoing, ids[:deleted], hooked=False)
    go_on(undoing)
    assert held(undoing) == ""
    left = {State.IDLE: of - deleted} if of > deleted else {}
    assert undoing.states() == {State.GONE: deleted, **left}


def test_scenes_that_were_never_synced_are_no_loss(undoing):
    polled(undoing, 3)
    new = undoing.add(MANY, start=10)
    destroy(undoing, new)
    undoing.work()
    destroy(undoing, [1])
    undoing.work()
    assert held(undoing) == ""


def test_an_undo_of_scenes_that_are_gone_for_long_is_no_loss(house):
    ids = polled(house, LEAST + 5)
    for some in (ids[:LEAST], ids[LEAST:]):
        destroy(house, some)
        house.work_for(25 * HOUR)
    house.want(*ids)
    house.work()
    assert held(house) == ""


def test_scenes_that_are_there_cost_no_request_more(house):
    ids = polled(house, 20)
    house.want(*ids)
    house.clock.move(3)
    house.forget_requests()
    house.step()
    assert house.stash_sim.count() == 1


# --- back again ------------------------------------------------------------------------------------------------------


def gone_and_back(house, count=LEAST):
    """Scenes that were gone for a while, as few as ask no question; nothing about them has changed."""
    ids = polled(house, count)
    backup = house.stash_sim.wipe()
    go_on(house)
    assert house.states() == {State.GONE: count}
    house.stash_sim.restore(backup)
    return ids


def test_a_poll_notices_that_scenes_are_back(house):
    ids = gone_and_back(house)
    house.worker.poller.poll()
    house.work_for(60)
    assert house.states() == {State.IDLE: len(ids)}


def test_a_comparison_notices_that_scenes_are_back_although_they_are_in_sync(house):
    ids = gone_and_back(house)
    assert house.worker.reconciler.reconcile().wanted == len(ids)
    house.work_for(60)
    assert house.states() == {State.IDLE: len(ids)}
    assert house.worker.reconciler.reconcile().wanted == 0


def test_pruning_brings_back_what_it_was_about_to_forget(house):
    ids = gone_and_back(house)
    prune(house)
    house.work_for(60)
    assert house.states() == {State.IDLE: len(ids)}
    assert remembered(house) == set(ids)
    assert house.books_balance()


def gone_for_long(house):
    """Three scenes of which the last is gone, for longer than the retention; nothing was pruned since."""
    ids = polled(house, 3)
    destroy(house, ids[2:])
    house.work()
    house.worker.engine.prune()
    for _ in range(29):
        house.clock.move(DAY)
        house.worker.engine.prune()
    house.clock.move(1.5 * DAY)
    house.forget_requests()
    return ids


def test_pruning_asks_once_for_a_batch_and_not_at_all_for_none(house):
    gone_for_long(house)
    assert house.stash_sim.count() == 0
    assert house.worker.engine.prune() == 1
    assert house.stash_sim.count() == 1
    assert remembered(house) == {1, 2}
    house.clock.move(61)
    assert house.worker.engine.prune() == 0
    assert house.stash_sim.count() == 1


def test_nothing_is_pruned_while_stash_does_not_answer_or_has_lost_its_scenes(house):
    ids = gone_for_long(house)
    house.stash_sim.api_key = "another"
    assert house.worker.engine.prune() == 0
    house.clock.move(61)
    house.forget_requests()
    assert house.worker.engine.prune() == 0
    assert house.stash_sim.count() == 0, "a hold is no time to ask"
    assert remembered(house) == set(ids)


def test_a_stash_that_has_lost_its_scenes_has_none_pruned(house):
    polled(house, MANY)
    destroy(house, [MANY])
    house.work()
    house.worker.engine.prune()
    for _ in range(29):
        house.clock.move(DAY)
        house.worker.engine.prune()
    house.clock.move(1.5 * DAY)
    house.stash_sim.wipe()
    assert house.worker.engine.prune() == 0
    assert held(house) == Choice.SCENES_GONE
    assert len(remembered(house)) == MANY


def test_a_gone_scene_of_which_the_poller_knows_nothing_is_found_by_its_id(house):
    """The database of an earlier version, in which a whole library is gone."""
    ids = polled(house, MANY)
    house.change("update job set state = 'gone'")
    house.change("delete from standing")
    house.worker.reconciler.reconcile()
    house.work_for(60)
    assert house.states() == {State.IDLE: MANY}
    house.stash_sim.edit_scene(ids[0], title="Edited")
    with house.store.reading() as db:
        assert db.jobs.find(Kind.SCENE, ids[0]).state is State.IDLE


def test_a_scene_that_stash_never_had_leaves_no_row_and_one_that_it_lost_keeps_its_own(house):
    (kept,) = house.in_step()
    (lost,) = house.add(1, in_plex=False)
    house.want(lost)
    house.work()
    house.stash_sim.destroy_scene(lost)
    for _ in range(2):
        house.want(lost, *range(1000, 1250))
        house.clock.move(3)
        house.work()
        assert house.rows("select id, state from job order by id") == [(kept, "idle"), (lost, "gone")]
    assert house.books_balance()

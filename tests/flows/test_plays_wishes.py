"""Plays are taken back, sent again, or checked again: what you wish for, in every state of a play and through kills."""

import pytest

from plexsync.app.further_flows import forget_way_back
from plexsync.app.way_back import plays_recovery
from plexsync.engine.undo import Marked, wish_undone
from plexsync.flows.plays.wishes import WishForPlays, wished_plays
from plexsync.rules.plays.play_wishes import AGAIN, REDO, UNDO, PlayWish
from plexsync.rules.plays.plays import WatchRules
from plexsync.rules.queue.job import PLAYS, State
from plexsync.simulator.http import Fault, Request
from tests.engine.house import DAY, House
from tests.engine.pools import Inline
from tests.flows.boundaries import Killed, of_plays
from tests.flows.test_plays_flow import AT, adding, mutations, play, plays, poll


@pytest.fixture
def house(tmp_path):
    with House(tmp_path / "data", watch=WatchRules(minimum="plex"), pool=Inline()) as house:
        yield house


def wish(house: House, wish: PlayWish, *scenes: int, since: int = 0) -> tuple[Marked, int]:
    """Make a wish, as a command beside the worker does; returns the scenes, and the number of plays."""
    worker = house.worker
    wishes = WishForPlays(worker.stash.watching, worker.gates, plays_recovery(worker.parts), wish, since=since)
    chosen = list(wished_plays(house.store, wish, scenes=scenes or None, since=since))
    return wish_undone(house.store, wishes, house.clock, chosen, "undo"), wishes.plays


def removing(request: Request) -> bool:
    return b"sceneDeletePlay" in request.body


def states(house: House, id: int) -> dict[int, str]:
    return dict(house.rows(f"select moment, state from play where scene = {id} order by moment"))


def histories(house: House, ids: list[int]) -> list[tuple[int, ...]]:
    """The plays of these scenes as Stash answers them."""
    watched = house.worker.stash.watching.watched_scenes(ids)
    return [watched[id].plays for id in ids]


def switch_off(house: House) -> None:
    """The next worker runs with `watch_back = "off"`, and does what it does at its start."""
    house.replace_worker(watch=None, holder="off")
    house.worker.engine.reclaim()
    forget_way_back(house.worker)


def test_what_was_there_before_is_there_again_in_the_order_it_had(house):
    ids = house.in_step(5)
    for number, id in enumerate(ids):
        house.stash_sim.plays.add(id, [AT - 7 * number, AT + number])
        play(house, id, AT - 100, AT + number, AT + 20, AT + 21)
    before = histories(house, ids)
    poll(house)
    assert all(len(some) == 5 for some in histories(house, ids))
    marked, count = wish(house, UNDO)
    assert (marked.jobs, count) == (ids, 15)
    house.work()
    assert histories(house, ids) == before
    assert house.unsettled() == 0
    assert house.books_balance()
    marked, count = wish(house, UNDO)
    assert (marked.jobs, count) == ([], 0)
    for _ in range(3):
        house.clock.move(60)
        poll(house)
    assert histories(house, ids) == before, "what was taken back does not come by itself"


def test_plays_that_come_after_an_undo_are_sent_and_a_redo_sends_the_others(house):
    one, two = house.in_step(2)
    play(house, one, AT)
    play(house, two, AT)
    poll(house)
    wish(house, UNDO)
    house.work()
    play(house, one, AT + 9)
    house.clock.move(60)
    poll(house)
    assert (plays(house, one), plays(house, two)) == ([AT + 9], [])
    assert wish(house, REDO, one)[1] == 1
    house.work()
    assert (plays(house, one), plays(house, two)) == ([AT, AT + 9], [])
    assert wish(house, REDO)[0].jobs == [two]
    house.work()
    assert plays(house, two) == [AT]
    assert wish(house, REDO)[1] == 0
    wish(house, UNDO)
    house.work()
    assert (plays(house, one), plays(house, two)) == ([], []), "what was sent again is PlexSync's"


def test_what_an_earlier_version_has_sent_as_a_mark_stays_until_it_is_taken_back(house):
    (id,) = house.in_step()
    play(house, id, AT)
    poll(house)
    mark = AT + 3600
    house.stash_sim.plays.add(id, [mark])
    for table, columns in (
        ("played", "account, item, library, path_key, size, listed_at"),
        ("play", "scene, scene_created_at, item, state, sent_at, sent_order"),
    ):
        house.change(
            f"insert into {table} (moment, history_key, {columns}) select {mark}, 'marked', {columns} from {table}"
        )
    house.replace_worker(holder="next")
    for _ in range(2):
        house.clock.move(DAY)
        poll(house)
        house.want(id, kind=PLAYS)
        house.work_until_settled()
    assert house.rows("select moment from played") == [(AT,)], "Plex lists no such play"
    assert (plays(house, id), states(house, id)) == ([AT, mark], {AT: "sent", mark: "sent"})
    assert wish(house, UNDO, id)[1] == 2
    house.work()
    assert (plays(house, id), house.unsettled()) == ([], 0)
    assert wish(house, REDO, id)[1] == 2
    house.work()
    assert plays(house, id) == [AT], "a redo sends what Plex lists"


def test_only_what_was_sent_since_then_is_taken_back(house):
    (id,) = house.in_step()
    play(house, id, AT)
    poll(house)
    house.clock.move(3600)
    play(house, id, AT + 9)
    since = house.clock.now()
    poll(house)
    assert wish(house, UNDO, since=since)[1] == 1
    house.work()
    assert plays(house, id) == [AT]
    house.clock.move(3600)
    assert wish(house, REDO, since=house.clock.now())[1] == 0
    assert wish(house, REDO, since=since)[1] == 1
    house.work()
    assert plays(house, id) == [AT, AT + 9]


def test_what_a_person_deleted_before_an_undo_does_not_come_with_a_redo(house):
    (id,) = house.in_step()
    play(house, id, AT, AT + 5)
    poll(house)
    house.stash_sim.plays.delete(id, [AT])
    wish(house, UNDO)
    house.work()
    wish(house, REDO)
    house.work()
    assert plays(house, id) == [AT + 5]
    assert wish(house, AGAIN, id)[1] == 2
    house.work()
    assert plays(house, id) == [AT, AT + 5]


def test_after_a_restored_stash_what_is_missing_is_sent_again_and_the_rest_stays_ours(house):
    one, two = house.in_step(2)
    house.stash_sim.plays.add(one, [AT + 1])
    play(house, one, AT, AT + 1, AT + 2)
    play(house, two, AT)
    poll(house)
    # The backup has one of three; one of the others was found missing before you asked.
    house.stash_sim.plays.delete(one, [AT + 1, AT + 2])
    play(house, one, AT + 3)
    house.clock.move(60)
    poll(house)
    house.stash_sim.plays.delete(two, [AT])
    assert states(house, one) == {AT: "sent", AT + 1: "present", AT + 2: "deleted", AT + 3: "sent"}
    sent = len(mutations(house))
    assert wish(house, AGAIN)[1] == 5
    house.work()
    assert (plays(house, one), plays(house, two)) == ([AT, AT + 1, AT + 2, AT + 3], [AT])
    assert len(mutations(house)) == sent + 2, "one request for each scene"
    wish(house, UNDO)
    house.work()
    assert (plays(house, one), plays(house, two)) == ([], [])
    assert wish(house, AGAIN)[1] == 0, "what was taken back is not sent by it"


def test_an_undo_of_ignored_scenes_and_scenes_without_an_item_is_done(house):
    ignored, gone, fine = house.in_step(3)
    for id in (ignored, gone, fine):
        play(house, id, AT)
    poll(house)
    house.change(f"update job set state = 'ignored' where id = {ignored}")
    house.plex_sim.remove(house.key_of(gone))
    house.worker.indexer.freshen(force=True)
    wish(house, UNDO)
    house.work_for(60)
    assert [plays(house, id) for id in (ignored, gone, fine)] == [[], [], []]
    assert house.unsettled() == 0


def test_an_undo_is_done_while_plex_does_not_show_its_history(house):
    (id,) = house.in_step()
    play(house, id, AT)
    poll(house)
    house.plex_sim.traits.history_status = 403
    house.clock.move(60)
    wish(house, UNDO)
    house.work()
    assert plays(house, id) == []
    assert house.row(id, PLAYS).state is State.READY, "the scene is looked at when Plex shows it again"


# --- requests under way ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arrives", [False, True])
def test_an_undo_while_a_request_is_under_way_takes_back_what_arrives(house, arrives):
    (id,) = house.in_step()
    play(house, id, AT)
    house.stash_sim.faults.set(Fault("reset_after" if arrives else "reset", when=adding))
    assert house.worker.back.history.poll() == ""
    house.step()
    assert states(house, id) == {AT: "adding"}
    assert wish(house, UNDO)[1] == 1
    house.stash_sim.faults.clear()
    house.work_for(DAY / 24)
    assert plays(house, id) == []
    assert states(house, id) == {AT: "undone"}
    assert house.unsettled() == 0


@pytest.mark.parametrize("arrives", [False, True])
def test_a_redo_while_a_play_is_being_taken_back_keeps_it(house, arrives):
    (id,) = house.in_step()
    play(house, id, AT)
    poll(house)
    wish(house, UNDO)
    house.stash_sim.faults.set(Fault("reset_after" if arrives else "reset", when=removing))
    house.work()
    assert states(house, id) == {AT: "removing"}
    assert wish(house, REDO)[1] == 1
    house.stash_sim.faults.clear()
    house.work()
    assert plays(house, id) == ([] if arrives else [AT]), "the request may still arrive"
    house.work_for(DAY / 24)
    assert plays(house, id) == [AT]
    assert states(house, id) == {AT: "sent"}
    assert house.unsettled() == 0


@pytest.mark.parametrize(
    ("first", "second", "remembered", "left"),
    [
        (None, None, [], [AT]),
        (None, UNDO, [("undone", 1)], []),
        (UNDO, None, [("sent", 1)], []),
        (UNDO, REDO, [("sent", 0)], [AT]),
    ],
)
def test_a_wish_made_while_a_request_waits_for_a_closed_gate_is_kept(
    house, monkeypatch, first, second, remembered, left
):
    """The request is saved; before it is sent, you wish for something else, and it is given back."""
    (id,) = house.in_step()
    play(house, id, AT)
    if first:
        poll(house)
        wish(house, first)
    else:
        assert house.worker.back.history.poll() == ""
    flow = house.worker.back.flow

    def meanwhile(writes):
        if second:
            wish(house, second, id)
        with house.store.writing() as tx:
            flow.journal.withdraw(tx, writes)
        raise Killed

    monkeypatch.setattr(flow, "will_send", meanwhile)
    with pytest.raises(Killed):
        house.work()
    monkeypatch.undo()
    assert house.rows("select state, undo from play") == remembered, "nothing is on its way"
    house.replace_worker(holder="next")
    house.worker.engine.reclaim()
    house.work_for(DAY / 24)
    assert plays(house, id) == left
    assert house.unsettled() == 0


def test_what_a_later_attempt_has_saved_is_not_given_back_by_an_earlier_one(house, monkeypatch):
    (id,) = house.in_step()
    play(house, id, AT)
    assert house.worker.back.history.poll() == ""
    flow, kept = house.worker.back.flow, []

    def killed(writes):
        kept.extend(writes)
        raise Killed

    monkeypatch.setattr(flow, "will_send", killed)
    with pytest.raises(Killed):
        house.work()
    house.replace_worker(holder="next")
    house.worker.engine.reclaim()
    house.work_for(DAY / 24)
    assert states(house, id) == {AT: "sent"}
    with house.store.writing() as tx:
        flow.journal.withdraw(tx, kept)
    assert states(house, id) == {AT: "sent"}
    wish(house, UNDO)
    house.work()
    assert plays(house, id) == []


@pytest.mark.parametrize("verb", ["add_plays", "take_plays"])
def test_a_stash_that_answers_and_does_nothing_is_told_and_nothing_is_taken_for_done(house, verb):
    (id,) = house.in_step()
    play(house, id, AT)
    if verb == "take_plays":
        poll(house)
        wish(house, UNDO)
    setattr(house.worker.stash.watching, verb, lambda id, _moments: tuple(house.stash_sim.plays.of(id)))
    assert house.worker.back.history.poll() == ""
    house.work_for(2 * DAY)
    assert house.row(id, PLAYS).state is State.DEAD
    assert states(house, id) == {AT: "adding" if verb == "add_plays" else "removing"}


@pytest.mark.parametrize("first", ["reset", "reset_after"])
def test_what_is_answered_at_the_second_try_is_known_at_once(house, first):
    (id,) = house.in_step()
    play(house, id, AT)
    house.stash_sim.faults.set(Fault(first, when=adding))
    poll(house)
    house.stash_sim.faults.clear()
    house.work_for(DAY / 24)
    assert (states(house, id), plays(house, id)) == ({AT: "sent"}, [AT])
    assert house.rows("select until from play") == [(0,)]


# --- switched off ------------------------------------------------------------------------------------------------------


def test_an_undo_works_while_the_way_back_is_off_and_nothing_else_is_written(house):
    one, two = house.in_step(2)
    house.stash_sim.plays.add(one, [AT + 1])
    play(house, one, AT, AT + 1)
    play(house, two, AT)
    poll(house)
    switch_off(house)
    house.plex_sim.faults.set(Fault("refuse"))
    house.forget_requests()
    play(house, one, AT + 9)
    wish(house, UNDO, one)
    forget_way_back(house.worker)
    house.work_for(DAY)
    assert (plays(house, one), plays(house, two)) == ([AT + 1], [AT])
    assert mutations(house) == ["sceneDeletePlay"]
    assert not [request for request in house.plex_sim.log if "history" in request.path]
    assert house.rows("select count(*) from job where kind = 'plays'") == [(0,)]
    assert house.books_balance()
    house.plex_sim.faults.clear()
    house.replace_worker(holder="on")
    house.work_for(DAY / 24)
    poll(house)
    house.work_for(DAY / 24)
    assert (plays(house, one), plays(house, two)) == ([AT + 1, AT + 9], [AT]), "on again, it goes on"


def test_what_waits_to_be_taken_back_stays_when_the_way_back_is_switched_off(house):
    one, two = house.in_step(2)
    play(house, one, AT)
    poll(house)
    play(house, two, AT)
    house.clock.move(60)
    assert house.worker.back.history.poll() == ""
    wish(house, UNDO, one)
    switch_off(house)
    assert house.rows("select id from job where kind = 'plays'") == [(one,)]
    house.work()
    assert (plays(house, one), plays(house, two)) == ([], [])


def test_a_stash_that_refused_writes_is_not_tried_while_the_way_back_is_off(house):
    one, two = house.in_step(2)
    play(house, one, AT)
    poll(house)
    play(house, two, AT)
    house.clock.move(60)
    house.stash_sim.faults.set(Fault("status", status=500, when=lambda request: adding(request) or removing(request)))
    assert house.worker.back.history.poll() == ""
    house.work_for(600)
    assert house.rows("select state from breaker where who = 'stash:write'") != [("closed",)]
    switch_off(house)
    house.stash_sim.faults.clear()
    house.forget_requests()
    house.work_for(DAY)
    assert mutations(house) == []
    wish(house, UNDO, one)
    house.work_for(DAY)
    assert plays(house, one) == []


# --- kills -------------------------------------------------------------------------------------------------------------


def make_all(house: House, ids: list[int], redo: bool) -> None:
    wish(house, UNDO)
    house.work()
    if redo:
        wish(house, REDO)
        house.work()


@pytest.mark.parametrize(("redo", "on"), [(False, True), (True, True), (False, False)])
def test_a_kill_at_any_boundary_of_an_undo_and_a_redo_harms_no_history(tmp_path, redo, on):
    number, killed = 0, True
    while killed:
        number += 1
        with House(tmp_path / str(number), watch=WatchRules(minimum="plex"), pool=Inline()) as house:
            ids = house.in_step(2)
            house.stash_sim.plays.add(ids[0], [AT + 5, AT - 9])
            play(house, ids[0], AT, AT + 5, AT + 6)
            play(house, ids[1], AT + 1)
            before = histories(house, ids)
            poll(house)
            after = histories(house, ids)
            # The network has delivered it twice.
            house.stash_sim.plays.add(ids[0], [AT + 6])
            if not on:
                switch_off(house)
            boundaries, killed = of_plays(house, number), False
            try:
                make_all(house, ids, redo)
            except Killed:
                killed = True
            boundaries.end()
            house.replace_worker(holder="next", watch=WatchRules(minimum="plex") if on else None)
            house.worker.engine.reclaim()
            house.work_for(DAY / 12)
            # What you asked for was saved or it was not: you ask again.
            make_all(house, ids, redo)
            house.work_for(DAY / 12)
            assert histories(house, ids) == (after if redo else before), number
            assert house.unsettled() == 0
            assert house.books_balance()
    assert number > 10

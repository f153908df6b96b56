"""The way back after a backup of PlexSync's database was restored: nothing comes twice, and nothing comes again."""

import errno
import os

import pytest

from plexsync.rules.plays.plays import WatchRules
from plexsync.rules.queue.job import PLAYS, Lane, State
from plexsync.rules.servers.errors import LocalFault
from plexsync.simulator.http import Fault
from tests.engine.house import HOUR, House
from tests.engine.pools import Inline
from tests.flows.data_folder import restarted, restored, saved
from tests.flows.plays_stage import AT, look, play


@pytest.fixture
def house(tmp_path):
    with House(tmp_path / "data", watch=WatchRules(), pool=Inline()) as house:
        yield house


def poll(house):
    house.clock.move(60)
    assert house.worker.back.history.poll() == ""
    house.work()


def plays(house, id):
    return sorted(house.stash_sim.plays.of(id))


def remembered(house, id):
    return dict(house.rows(f"select moment, state from play where scene = {id}"))


def undo(house, id):
    flow = house.worker.back.flow
    recalled = flow.recall([id])
    with house.store.writing() as tx:
        flow.undo(tx, id, recalled[id], "undo", now=house.clock.now())
    look(house, id)


def test_each_play_is_in_the_journal_on_the_disk_before_it_is_sent_and_nothing_else_waits_for_the_disk(
    house, monkeypatch
):
    one, two = house.in_step(2)
    play(house, one, AT)
    poll(house)
    synced, fsync = [], os.fsync

    def noted(handle):
        synced.append((plays(house, one), plays(house, two)))
        fsync(handle)

    monkeypatch.setattr(os, "fsync", noted)
    play(house, two, AT + 5)
    poll(house)
    assert synced == [([AT], [])]
    assert plays(house, two) == [AT + 5]


def test_a_play_that_you_deleted_since_the_backup_never_comes_again(house):
    one, two = house.in_step(2)
    copy = saved(house)
    play(house, one, AT, AT + 5)
    play(house, two, AT + 9)
    poll(house)
    house.stash_sim.plays.delete(one, [AT])
    restored(house, copy)
    poll(house)
    look(house, one, two)
    assert (plays(house, one), plays(house, two)) == ([AT + 5], [AT + 9])
    assert remembered(house, one) == {AT: "deleted", AT + 5: "sent"}
    undo(house, one)
    undo(house, two)
    assert (plays(house, one), plays(house, two)) == ([], []), "they are still PlexSync's"


def test_scenes_whose_plays_are_remembered_again_go_behind_edits(house):
    one, two = house.in_step(2)
    copy = saved(house)
    play(house, one, AT)
    play(house, two, AT)
    poll(house)
    restored(house, copy)
    house.worker.back.flow.look([one])
    assert [(house.row(id, PLAYS).lane, house.row(id, PLAYS).state) for id in (one, two)] == [
        (Lane.SWEEP, State.READY)
    ] * 2


def test_a_play_that_was_there_already_and_that_you_deleted_since_never_comes_again(house):
    (id,) = house.in_step()
    copy = saved(house)
    house.stash_sim.plays.add(id, [AT])
    play(house, id, AT)
    poll(house)
    house.stash_sim.plays.delete(id, [AT])
    restored(house, copy)
    poll(house)
    look(house, id)
    assert plays(house, id) == []


def test_a_play_that_was_undone_since_the_backup_never_comes_again(house):
    (id,) = house.in_step()
    play(house, id, AT)
    poll(house)
    copy = saved(house)
    play(house, id, AT + 5)
    poll(house)
    undo(house, id)
    assert plays(house, id) == []
    restored(house, copy)
    poll(house)
    look(house, id)
    assert plays(house, id) == []
    assert remembered(house, id) == {AT: "undone", AT + 5: "undone"}


@pytest.mark.parametrize("arrives", [True, False])
def test_a_request_of_unknown_result_before_the_restore_is_waited_for(house, arrives):
    (id,) = house.in_step()
    copy = saved(house)
    play(house, id, AT)
    house.stash_sim.faults.set(
        Fault("reset_after" if arrives else "reset", when=lambda request: b"sceneAddPlay" in request.body)
    )
    poll(house)
    house.stash_sim.faults.clear()
    restored(house, copy)
    assert house.worker.back.history.poll() == ""
    house.work()
    assert plays(house, id) == ([AT] if arrives else []), "it may still arrive"
    house.work_for(HOUR)
    assert plays(house, id) == [AT]


def test_plays_since_the_backup_that_were_never_sent_come_once(house):
    (id,) = house.in_step()
    play(house, id, AT)
    poll(house)
    copy = saved(house)
    play(house, id, AT + 5)
    restored(house, copy)
    for _ in range(3):
        poll(house)
    assert plays(house, id) == [AT, AT + 5]


def test_a_lost_database_is_completed_as_well(house):
    (id,) = house.in_step()
    play(house, id, AT, AT + 5)
    poll(house)
    house.stash_sim.plays.delete(id, [AT])

    def lose():
        for file in house.folder.glob("plexsync.db*"):
            file.unlink()

    restarted(house, between=lose)
    house.worker.reconciler.reconcile()
    house.work_for(HOUR)
    poll(house)
    assert plays(house, id) == [AT + 5]
    assert remembered(house, id) == {AT: "deleted", AT + 5: "sent"}


def test_a_rebuilt_database_gets_back_only_what_it_has_lost(house):
    one, two = house.in_step(2)
    play(house, one, AT)
    play(house, two, AT + 5)
    poll(house)
    house.stash_sim.plays.delete(one, [AT])

    def rebuild():
        house.change(f"delete from play where scene = {one}")
        house.change(f"update play set state = 'undone' where scene = {two}")
        house.change("delete from note where name = 'plays:journal'")
        house.change(f"insert into note (name, value) values ('repaired', '{house.clock.now()}')")

    restarted(house, between=rebuild)
    poll(house)
    look(house, one, two)
    assert (plays(house, one), plays(house, two)) == ([], [AT + 5])
    assert (remembered(house, one), remembered(house, two)) == ({AT: "deleted"}, {AT + 5: "undone"})


def test_two_restores_in_a_row_and_a_kill_after_the_first_change_nothing(house):
    (id,) = house.in_step()
    copy = saved(house)
    play(house, id, AT, AT + 5)
    poll(house)
    house.stash_sim.plays.delete(id, [AT])
    for _ in range(2):
        restored(house, copy)
        house.worker.back.flow.look([id])
        house.replace_worker()
        for aside in house.folder.glob("plexsync.before-*"):
            aside.unlink()
    poll(house)
    look(house, id)
    assert plays(house, id) == [AT + 5]


def test_a_damaged_line_costs_only_its_own_plays(house):
    (id,) = house.in_step()
    copy = saved(house)
    play(house, id, AT)
    poll(house)
    file = house.folder / "plays"
    with file.open("ab") as journal:
        journal.write(b"00000000 torn")
    play(house, id, AT + 5)
    poll(house)
    house.stash_sim.plays.delete(id, [AT, AT + 5])
    restored(house, copy)
    poll(house)
    look(house, id)
    assert plays(house, id) == []


def test_without_space_for_the_journal_nothing_is_sent_and_one_line_says_why(house, monkeypatch):
    (id,) = house.in_step()
    play(house, id, AT)
    house.clock.move(60)
    assert house.worker.back.history.poll() == ""
    write = os.write

    def full(handle, content):
        if b'["sent"' in content:
            raise OSError(errno.ENOSPC, "no space")
        return write(handle, content)

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(LocalFault, match="plays can't be used: no space is left") as fault:
            house.work()
    assert fault.value.full
    assert plays(house, id) == []
    house.replace_worker()
    house.worker.engine.reclaim()
    house.work_for(HOUR)
    assert plays(house, id) == [AT]


def test_a_journal_that_can_not_be_read_is_told(house):
    (id,) = house.in_step()
    (house.folder / "plays").mkdir()
    with pytest.raises(LocalFault, match=r"the journal .*plays can't be used"):
        house.worker.back.flow.look([id])

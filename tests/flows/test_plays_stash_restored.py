"""The way back after a backup of Stash was restored: with evidence its plays come again, else they count as deleted."""

import pytest

from plexsync.app.database_files import summary_of
from plexsync.engine.undo import wish_undone
from plexsync.reports.status import missing_plays_facts
from plexsync.rules.plays.missing_plays import MISSING_FOR, missing_plays
from plexsync.rules.plays.plays import WatchRules
from plexsync.rules.queue.note_keys import PLAYS_MISSING, STASH_BACK
from tests.engine.house import DAY, HOUR, House
from tests.engine.pools import Inline
from tests.flows.boundaries import Killed, of_plays
from tests.flows.data_folder import restored, saved
from tests.flows.plays_stage import AT, look, play


@pytest.fixture
def house(tmp_path):
    with House(tmp_path / "data", watch=WatchRules(), pool=Inline()) as house:
        yield house


def stocked(house, count):
    """Scenes in sync, of which the poll has noted those of the newest second."""
    ids = house.in_step(count)
    house.worker.poller.poll()
    return ids


def poll(house):
    house.clock.move(60)
    assert house.worker.back.history.poll() == ""
    house.work_until_settled()


def plays(house, *ids):
    return [sorted(house.stash_sim.plays.of(id)) for id in ids]


def note(house, name):
    with house.store.reading() as db:
        return db.notes.text(name)


def edited(house, id):
    """An edit in Stash that the poll and PlexSync have seen."""
    house.clock.move(60)
    house.stash_sim.edit_scene(id, title=f"Edited {house.clock.now()}")
    house.worker.poller.poll()
    house.clock.move(5)
    house.worker.poller.poll()
    house.work_until_settled()


def added_since_a_backup(house, ids, *, edit=()):
    """A play of each scene, a backup of Stash, edits, and another play of each. Returns the backup."""
    for id in ids:
        play(house, id, AT + id)
    poll(house)
    copy = house.stash_sim.backup()
    for id in edit:
        edited(house, id)
    for id in ids:
        play(house, id, AT + 100 + id)
    poll(house)
    assert plays(house, *ids) == [[AT + id, AT + 100 + id] for id in ids]
    return copy


def test_what_a_restored_stash_has_lost_comes_again_if_a_scene_went_back(house):
    ids = stocked(house, 4)
    copy = added_since_a_backup(house, ids, edit=ids[1:2])
    house.stash_sim.restore(copy)
    look(house, ids[0])
    assert plays(house, *ids) == [[AT + id, AT + 100 + id] for id in ids], "one look decides for all of them"
    assert note(house, PLAYS_MISSING) == ""
    for id in ids:
        look(house, id)
    assert plays(house, *ids) == [[AT + id, AT + 100 + id] for id in ids]


def test_what_you_take_back_while_the_lost_plays_are_looked_for_does_not_come_again(house):
    one, two = stocked(house, 2)
    copy = added_since_a_backup(house, [one, two], edit=[one])
    house.stash_sim.restore(copy)
    stash, flow = house.worker.stash.watching, house.worker.back.flow
    read = stash.only_plays

    def ask_and_read(ids):
        stash.only_plays = read
        assert wish_undone(house.store, flow, house.clock, [two], "undo").jobs == [two]
        return read(ids)

    stash.only_plays = ask_and_read
    look(house, one)
    look(house, two)
    assert stash.only_plays == read
    assert plays(house, one, two) == [[AT + one, AT + 100 + one], []]


def test_a_new_play_after_the_restore_hides_nothing(house):
    ids = stocked(house, 4)
    copy = added_since_a_backup(house, ids[:3], edit=ids[1:2])
    house.stash_sim.restore(copy)
    play(house, ids[3], AT + 500)
    poll(house)
    assert plays(house, *ids) == [*[[AT + id, AT + 100 + id] for id in ids[:3]], [AT + 500]]


def test_an_edit_of_any_scene_that_is_gone_again_is_evidence(house):
    *ids, other = stocked(house, 4)
    copy = added_since_a_backup(house, ids, edit=[other])
    house.stash_sim.restore(copy)
    look(house, ids[0])
    assert plays(house, *ids) == [[AT + id, AT + 100 + id] for id in ids]


@pytest.mark.parametrize("edited_since", [False, True])
def test_what_the_poll_has_noted_is_evidence_as_well(house, edited_since):
    *ids, other = stocked(house, 4)
    copy = added_since_a_backup(house, ids, edit=[other])
    house.stash_sim.restore(copy)
    house.clock.move(60)
    if edited_since:
        house.stash_sim.edit_scene(ids[0], title="Edited in the old Stash")
    house.worker.poller.poll()
    house.clock.move(60)
    house.worker.poller.poll()
    assert note(house, STASH_BACK)
    look(house, ids[0])
    assert plays(house, *ids) == [[AT + id, AT + 100 + id] for id in ids]
    assert note(house, STASH_BACK) == "", "it is evidence once"
    house.stash_sim.plays.delete(ids[0], [AT + 100 + ids[0]])
    look(house, ids[0])
    assert plays(house, ids[0]) == [[AT + ids[0]]]


def test_an_id_that_was_dealt_again_is_evidence(house):
    ids = stocked(house, 3)
    play(house, ids[0], AT)
    poll(house)
    copy = house.stash_sim.backup()
    (late,) = house.add(1, start=7)
    house.worker.reconciler.reconcile()
    house.work_until_settled()
    play(house, ids[1], AT + 5)
    poll(house)
    play(house, late, AT + 9)
    poll(house)
    house.stash_sim.restore(copy)
    house.clock.move(60)
    assert house.add_scene(8) == late
    look(house, ids[1])
    assert plays(house, *ids) == [[AT], [AT + 5], []]


def test_the_number_of_a_scene_that_was_dealt_again_keeps_no_play_from_the_scene_that_is_back(house):
    (first,) = stocked(house, 1)
    copy = house.stash_sim.backup()
    house.stash_sim.destroy_scene(first)
    house.clock.move(60)
    second = house.add_scene(0)
    house.want(second)
    play(house, second, AT)
    poll(house)
    assert plays(house, second) == [[AT]]
    house.stash_sim.restore(copy)
    house.clock.move(60)
    assert house.add_scene(8) == second
    assert house.worker.back.comparison.run_if_due()
    house.work_for(60)
    assert plays(house, first, second) == [[AT], []]


def still_missing(house, after=0):
    """How many plays every screen says are missing."""
    found = missing_plays_facts(summary_of(house.folder, house.clock.now() + after))
    return found["count"] if found else 0


def test_without_evidence_they_count_as_deleted_and_one_line_asks(house, caplog):
    ids = stocked(house, 4)
    copy = added_since_a_backup(house, ids)
    house.stash_sim.restore(copy)
    look(house, ids[0])
    for id in ids:
        look(house, id)
    assert plays(house, *ids) == [[AT + id] for id in ids]
    missing = missing_plays(note(house, PLAYS_MISSING))
    assert missing.count == 4
    assert missing.since == house.rows("select min(sent_at) from play where state = 'deleted'")[0][0]
    assert caplog.text.count("4 plays that PlexSync added are missing in Stash") == 1
    assert missing.command in caplog.text
    assert still_missing(house) == 4
    assert still_missing(house, after=MISSING_FOR) == 0
    house.change("update play set state = 'sent' where state = 'deleted'")
    assert still_missing(house) == 0, "they were added again"


def test_a_play_that_you_delete_is_asked_about_by_nobody(house, caplog):
    one, two = stocked(house, 2)
    added_since_a_backup(house, [one, two])
    house.stash_sim.plays.delete(two, [AT + 100 + two])
    look(house, two)
    assert plays(house, two) == [[AT + two]]
    assert note(house, PLAYS_MISSING) == ""
    assert "missing in Stash" not in caplog.text


def test_a_scene_that_you_delete_is_no_evidence(house):
    *ids, other = stocked(house, 3)
    added_since_a_backup(house, ids, edit=[other])
    house.stash_sim.destroy_scene(other)
    house.stash_sim.plays.delete(ids[1], [AT + 100 + ids[1]])
    house.clock.move(60)
    house.worker.poller.poll()
    look(house, ids[1])
    assert plays(house, ids[1]) == [[AT + ids[1]]]
    assert note(house, STASH_BACK) == ""


def test_what_you_deleted_before_the_restore_stays_deleted(house):
    ids = stocked(house, 4)
    copy = added_since_a_backup(house, ids, edit=ids[1:2])
    house.stash_sim.plays.delete(ids[2], [AT + 100 + ids[2]])
    look(house, ids[2])
    house.stash_sim.restore(copy)
    look(house, ids[0])
    look(house, ids[2])
    assert plays(house, ids[2]) == [[AT + ids[2]]]
    assert plays(house, ids[0], ids[3]) == [[AT + id, AT + 100 + id] for id in (ids[0], ids[3])]


def test_what_was_undone_before_the_restore_does_not_come_again(house):
    ids = stocked(house, 3)
    copy = added_since_a_backup(house, ids, edit=ids[1:2])
    flow = house.worker.back.flow
    recalled = flow.recall([ids[2]])
    with house.store.writing() as tx:
        flow.undo(tx, ids[2], recalled[ids[2]], "undo", now=house.clock.now())
    look(house, ids[2])
    house.stash_sim.restore(copy)
    look(house, *ids)
    assert plays(house, ids[2]) == [[AT + ids[2]]], "the backup has it"
    assert plays(house, ids[0]) == [[AT + ids[0], AT + 100 + ids[0]]]


def test_a_kill_after_the_decision_loses_nothing(house):
    ids = stocked(house, 4)
    copy = added_since_a_backup(house, ids, edit=ids[1:2])
    house.stash_sim.restore(copy)
    house.worker.back.flow.look([ids[0]])
    house.replace_worker(holder="next")
    house.worker.engine.reclaim()
    house.work_for(HOUR)
    assert plays(house, *ids) == [[AT + id, AT + 100 + id] for id in ids]


def test_it_is_found_down_to_the_first_play_that_is_there(house, monkeypatch):
    monkeypatch.setattr("plexsync.flows.plays.recovery.PAGE", 2)
    ids = stocked(house, 5)
    copy = added_since_a_backup(house, ids, edit=ids[3:4])
    house.stash_sim.restore(copy)
    look(house, ids[0])
    assert plays(house, *ids) == [[AT + id, AT + 100 + id] for id in ids]


def test_stash_and_the_database_restored_together(house):
    ids = stocked(house, 4)
    ours = saved(house)
    copy = added_since_a_backup(house, ids, edit=ids[1:2])
    house.stash_sim.plays.delete(ids[2], [AT + 100 + ids[2]])
    look(house, ids[2])
    house.stash_sim.restore(copy)
    restored(house, ours)
    poll(house)
    house.work_for(HOUR)
    expected = [[AT + id, AT + 100 + id] for id in ids]
    expected[2] = [AT + ids[2]]
    assert plays(house, *ids) == expected


def test_stash_and_plex_restored_together(house):
    ids = stocked(house, 3)
    for id in ids:
        play(house, id, AT + id)
    poll(house)
    plex = house.plex_sim.backup()
    copy = added_since_a_backup(house, ids, edit=ids[1:2])
    house.plex_sim.restore(plex)
    house.stash_sim.restore(copy)
    poll(house)
    house.clock.move(DAY)
    poll(house)
    look(house, ids[0])
    assert plays(house, *ids) == [[AT + id, AT + 100 + id] for id in ids], "what was in Stash is there again"


def test_all_three_restored_together(house):
    ids = stocked(house, 4)
    plex, ours = house.plex_sim.backup(), saved(house)
    copy = added_since_a_backup(house, ids, edit=ids[1:2])
    house.stash_sim.plays.delete(ids[2], [AT + 100 + ids[2]])
    look(house, ids[2])
    house.plex_sim.restore(plex)
    house.stash_sim.restore(copy)
    restored(house, ours)
    play(house, ids[3], AT + 900)
    poll(house)
    house.work_for(HOUR)
    expected = [[AT + id, AT + 100 + id] for id in ids]
    expected[2], expected[3] = [AT + ids[2]], [*expected[3], AT + 900]
    assert plays(house, *ids) == expected


def test_a_kill_at_any_boundary_after_two_restores_loses_and_doubles_no_play(tmp_path):
    number, killed = 0, True
    while killed:
        number += 1
        folder = tmp_path / str(number)
        folder.mkdir()
        with House(folder / "data", watch=WatchRules(), pool=Inline()) as house:
            ids = stocked(house, 3)
            ours = saved(house)
            copy = added_since_a_backup(house, ids, edit=ids[1:2])
            house.stash_sim.plays.delete(ids[2], [AT + 100 + ids[2]])
            look(house, ids[2])
            house.stash_sim.restore(copy)
            restored(house, ours)
            play(house, ids[0], AT + 900)
            boundaries, killed = of_plays(house, number), False
            try:
                house.worker.back.comparison.run_if_due()
                house.worker.back.history.poll()
                house.work()
                house.work_for(HOUR)
            except Killed:
                killed = True
            boundaries.end()
            house.replace_worker(holder="next")
            house.worker.engine.reclaim()
            poll(house)
            house.worker.back.comparison.run_if_due()
            house.work_for(HOUR)
            expected = [[AT + id, AT + 100 + id] for id in ids]
            expected[0], expected[2] = [*expected[0], AT + 900], [AT + ids[2]]
            assert plays(house, *ids) == expected, number
            assert house.unsettled() == 0
            assert house.books_balance()
    assert number > 10

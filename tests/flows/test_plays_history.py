"""The history of Plex as it is saved: read as a whole once a day, and after Plex was restored from a backup."""

import pytest

from plexsync.flows.plays.history_poll import was_read_to_its_end
from plexsync.rules.plays.plays import WatchRules
from plexsync.rules.queue.job import PLAYS
from plexsync.simulator.http import Fault
from tests.engine.house import DAY, House, path_of
from tests.engine.pools import Inline

AT = 1_700_000_000
WEEK = 7 * 86_400


@pytest.fixture
def house(tmp_path):
    with House(tmp_path / "data", watch=WatchRules(), pool=Inline()) as house:
        yield house


def poll(house):
    house.clock.move(60)
    assert house.worker.back.history.poll() == ""
    house.work_until_settled()


def plays(house, id):
    return sorted(house.stash_sim.plays.of(id))


def listed(house):
    return [moment for (moment,) in house.rows("select moment from played order by moment")]


def history_requests(house):
    return [request for request in house.plex_sim.log if "history" in request.path]


def test_what_a_restored_plex_has_forgotten_stays_in_stash_and_later_plays_come(house):
    one, two = house.in_step(2)
    house.plex_sim.play(house.key_of(one), at=AT)
    poll(house)
    copy = house.plex_sim.backup()
    house.plex_sim.play(house.key_of(one), at=AT + WEEK)
    house.plex_sim.play(house.key_of(two), at=AT + WEEK + 5)
    poll(house)
    house.plex_sim.restore(copy)
    house.plex_sim.play(house.key_of(two), at=AT + WEEK + 9)
    poll(house)
    poll(house)
    assert listed(house) == [AT, AT + WEEK + 9]
    assert (plays(house, one), plays(house, two)) == ([AT, AT + WEEK], [AT + WEEK + 5, AT + WEEK + 9])
    house.stash_sim.plays.delete(two, [AT + WEEK + 5])
    house.clock.move(DAY)
    poll(house)
    assert plays(house, two) == [AT + WEEK + 9]


def test_the_key_that_a_restored_plex_has_given_to_another_item_brings_no_play_of_the_first(house):
    house.in_step()
    copy = house.plex_sim.backup()
    key = house.plex_sim.add_movie(house.section, files=[("/media/nobody.mp4", 5, 60_000)], title="film")
    house.plex_sim.play(key, at=AT)
    assert house.worker.back.history.poll() == ""
    assert house.rows("select item, path_key from played") == [(key, "")], "its file is not known yet"
    house.plex_sim.restore(copy)
    (other,) = house.add(1, start=7)
    assert house.key_of(other) == key
    poll(house)
    poll(house)
    house.worker.reconciler.reconcile()
    house.work_for(DAY)
    assert house.title_in_plex(other) == "Title 7"
    assert plays(house, other) == []


def test_a_play_of_a_key_that_a_restored_plex_has_dealt_anew_is_not_of_the_file_that_had_the_key(house):
    (id,) = house.in_step()
    poll(house)
    copy = house.plex_sim.backup()
    (other,) = house.add(start=7)
    house.worker.reconciler.reconcile()
    house.work_for(DAY)
    key = house.key_of(other)
    house.plex_sim.restore(copy)
    assert house.plex_sim.add_movie(house.section, files=[("/media/nobody.mp4", 5, 60_000)], title="film") == key
    house.plex_sim.play(key, at=AT)
    house.plex_sim.play(house.key_of(id), at=AT)
    house.forget_requests()
    house.clock.move(60)
    assert house.worker.back.history.poll() == ""
    house.plex_sim.remove(key)
    house.plex_sim.add_movie(house.section, files=[(path_of(7), 1007, 60_000)], title="file 7")
    house.worker.reconciler.reconcile()
    house.work_for(DAY)
    assert house.title_in_plex(other) == "Title 7"
    assert (plays(house, id), plays(house, other)) == ([AT], [])


@pytest.mark.parametrize("polls", [True, False])
def test_a_scene_with_a_key_that_was_another_items_waits_until_the_history_is_read_anew(house, polls):
    house.in_step()
    copy = house.plex_sim.backup()
    key = house.plex_sim.add_movie(house.section, files=[("/media/nobody.mp4", 5, 60_000)], title="film")
    house.plex_sim.play(key, at=AT)
    assert house.worker.back.history.poll() == ""
    house.plex_sim.restore(copy)
    (other,) = house.add(1, start=7)
    assert house.key_of(other) == key
    house.worker.reconciler.reconcile()
    house.clock.move(60)
    house.want(other, kind=PLAYS)
    house.work()
    assert plays(house, other) == []
    assert house.row(other, PLAYS).error == "the history of Plex has changed and is read anew"
    if polls:
        poll(house)
    else:
        house.clock.move(60)
        house.work()
    assert listed(house) == []
    assert plays(house, other) == []
    assert house.rows("select id from job where kind = 'plays'") == []


def test_a_play_whose_item_plex_does_not_name_any_more_is_kept_for_its_file(house):
    (id,) = house.in_step()
    house.plex_sim.play(house.key_of(id), at=AT)
    house.worker.back.history.poll()
    house.plex_sim.readd(house.key_of(id))
    for _ in range(2):
        house.clock.move(DAY)
        house.worker.back.history.poll()
    assert listed(house) == [AT]
    house.worker.reconciler.reconcile()
    house.work_until_settled()
    assert plays(house, id) == [AT]


def test_one_old_answer_of_plex_forgets_no_play(house):
    (id,) = house.in_step()
    older = house.plex_sim.backup()
    house.plex_sim.play(house.key_of(id), at=AT)
    assert house.worker.back.history.poll() == ""
    newer = house.plex_sim.backup()
    answers = [older, newer]

    def answered_by_an_old_page(request):
        if "history" in request.path and answers:
            house.plex_sim.restore(answers.pop(0))
        return False

    house.plex_sim.faults.set(Fault("hang", when=answered_by_an_old_page))
    house.clock.move(DAY)
    assert house.worker.back.history.poll() == ""
    house.plex_sim.restore(newer)
    house.plex_sim.readd(house.key_of(id))
    house.worker.reconciler.reconcile()
    house.work_until_settled()
    assert plays(house, id) == [AT]


def test_a_play_that_is_missing_further_back_is_forgotten_within_a_day(house):
    (id,) = house.in_step()
    play = house.plex_sim.play(house.key_of(id), at=AT)
    house.plex_sim.play(house.key_of(id), at=AT + WEEK)
    poll(house)
    copy = house.plex_sim.backup()
    house.plex_sim.restore(type(copy)(copy.machine, copy.rows, copy.plays[1:]))
    poll(house)
    assert listed(house) == [AT, AT + WEEK], "a poll reads the newest day"
    house.clock.move(DAY)
    poll(house)
    assert listed(house) == [AT + WEEK]
    assert plays(house, id) == [AT, AT + WEEK]
    assert play


def test_the_whole_history_is_read_once_a_day(house):
    (id,) = house.in_step()
    for moment in range(2100):
        house.plex_sim.play(house.key_of(id), at=AT + moment * 3600)
    poll(house)
    house.forget_requests()
    for _ in range(24):
        house.clock.move(3540)
        poll(house)
    assert len(history_requests(house)) == 24 + 2, "a poll is one request, the whole history one for each 1,000 plays"


def test_a_history_is_read_to_its_end_for_one_server_one_account_and_from_one_day_on(house):
    def is_read(account=1, since=0):
        with house.store.reading() as db:
            return was_read_to_its_end(db, account, since)

    house.in_step()
    assert not is_read()
    poll(house)
    assert (is_read(), is_read(since=AT), is_read(since=-1), is_read(account=2)) == (True, True, False, False)
    house.change("update server set machine = 'another'")
    assert not is_read()


def test_a_stop_ends_a_long_history_after_a_page_and_forgets_nothing(house):
    (id,) = house.in_step()
    for moment in range(2100):
        house.plex_sim.play(house.key_of(id), at=AT + moment)
    history = house.worker.back.history
    house.forget_requests()
    assert history.poll(stopping=lambda: True) == ""
    assert len(history_requests(house)) == 1
    house.replace_worker()
    poll(house)
    assert len(listed(house)) == 2100
    house.clock.move(DAY)
    assert house.worker.back.history.poll(stopping=lambda: True) == ""
    assert len(listed(house)) == 2100
    assert len(plays(house, id)) == 2100


def test_a_later_first_day_and_an_earlier_one_again_lose_no_play(house):
    (id,) = house.in_step()
    house.plex_sim.play(house.key_of(id), at=AT)
    house.replace_worker(watch=WatchRules(since=AT + 5))
    poll(house)
    house.clock.move(DAY)
    poll(house)
    assert plays(house, id) == []
    house.replace_worker(watch=WatchRules())
    poll(house)
    assert plays(house, id) == [AT]

"""What is kept of viewings, and of the play times of scenes."""

from dataclasses import replace

import pytest

from plexsync.rules.plays.play_time import RememberedTime, TimeWish
from plexsync.rules.plays.viewings import Viewing
from plexsync.rules.queue.events import SessionState
from plexsync.store.database import Database
from tests.stores import look

AT = 1_700_000_000
CREATED = "2026-01-02T03:04:05Z"
VIEWING = Viewing(
    1,
    "71",
    AT,
    "5",
    "abc",
    "living room",
    1_860_000,
    AT + 90,
    95_000,
    SessionState.PAUSED,
    ((AT, 60_000), (AT + 70, 20_000)),
)
TIME = RememberedTime(71.30000000000001, 11.1, 60.2, until=9, withdrawn=0.1 + 0.2, owed=1e-05, wish=TimeWish.UNDO)


def save(store: Database, *viewings: Viewing) -> None:
    with store.writing() as tx:
        tx.viewings.save(viewings)


def read(store: Database, *items: str, since: int = 0) -> list[Viewing]:
    with store.reading() as db:
        return db.viewings.of(1, items, since=since)


def test_a_viewing_that_is_saved_is_read_and_grows(store):
    guest, other = replace(VIEWING, account=2), replace(VIEWING, item="72")
    save(store, VIEWING, guest, other)
    assert read(store, "71", "73") == [VIEWING]
    longer = replace(
        VIEWING, pieces=(*VIEWING.pieces, (AT + 95, 30_000)), ended=AT + 130, state=SessionState.STOPPED, moment=AT + 30
    )
    save(store, longer)
    assert read(store, "71") == [longer]
    assert read(store, "71", since=AT + 131) == []


def test_what_is_queued_is_queued_again_when_more_was_played_and_anew_as_a_play(store):
    over, running = replace(VIEWING, item="1", state=SessionState.STOPPED), replace(VIEWING, item="3")
    longer, play = replace(over, pieces=((AT, 99_000),)), replace(running, moment=AT + 30)
    save(store, over, running)

    def unqueued() -> dict[str, int]:
        with store.reading() as db:
            return {viewing.item: viewing.queued for viewing in db.viewings.unqueued(1)}

    assert unqueued() == {"1": 0, "3": 0}
    with store.writing() as tx:
        tx.viewings.mark_queued([over, running])
    assert unqueued() == {}
    save(store, longer, play)
    assert unqueued() == {"1": over.played, "3": 0}
    with store.writing() as tx:
        tx.viewings.mark_queued([longer], running=[play])
    assert unqueued() == {"3": play.played - 1}, "its end comes as well"
    save(store, replace(play, state=SessionState.STOPPED))
    assert unqueued() == {"3": play.played - 1}


def test_what_is_sent_of_a_viewing_is_what_it_had_when_it_was_read(store):
    longer = replace(VIEWING, pieces=(*VIEWING.pieces, (AT + 95, 30_000)))
    save(store, VIEWING, replace(VIEWING, item="72"))
    save(store, longer)
    with store.writing() as tx:
        tx.viewings.mark_sent([VIEWING])
    assert {one.item: (one.sent, one.owed) for one in read(store, "71", "72")} == {"71": (80_000, 30), "72": (0, 80)}
    save(store, longer)
    assert read(store, "71")[0].sent == 80_000


def test_after_the_database_was_restored_all_counts_as_sent(store):
    save(store, VIEWING)
    with store.writing() as tx:
        tx.viewings.settle_all()
        tx.play_times.save(7, CREATED, TIME)
        tx.play_times.settle_all()
        assert tx.play_times.of_ids([7]) == {7: replace(TIME, owed=0.0)}
    (viewing,) = read(store, "71")
    assert (viewing.sent, viewing.queued, viewing.owed) == (80_000, 80_000, 0)


def test_a_viewing_on_a_damaged_page_is_over_and_counts_nothing(store):
    save(store, VIEWING)
    with look(store.folder) as db:
        db.execute("update viewing set state = 'x', pieces = '[[1'")
    (viewing,) = read(store, "71")
    assert viewing.is_over
    assert viewing.played == 0


@pytest.mark.parametrize("time", [TIME, replace(TIME, adding=None, wish=TimeWish.NONE), replace(TIME, restores=True)])
def test_a_play_time_is_kept_to_the_last_digit(store, time):
    with store.writing() as tx:
        tx.play_times.save(7, CREATED, TIME)
        tx.play_times.save(7, CREATED, time)
    with store.reading() as db:
        assert db.play_times.of({7: CREATED, 8: CREATED}) == {7: time}
        assert db.play_times.of({7: "another scene"}) == {}
        assert db.play_times.of_ids([7]) == {7: time}
        assert db.play_times.to_take_back() == ([7] if time.wish else [])
        assert db.play_times.scenes(after=0, limit=9) == [7]


def test_viewings_and_what_they_added_are_counted(store):
    save(store, VIEWING, replace(VIEWING, began=VIEWING.began + 9, ended=VIEWING.ended + 9, moment=VIEWING.ended))
    with store.writing() as tx:
        for scene, base in ((7, 2.5), (8, 9.25), (9, 11.0)):
            tx.play_times.save(scene, CREATED, replace(TIME, total=10.0, base=base))
    with store.reading() as db:
        assert db.viewings.count(VIEWING.account, since=0)[0] == 2
        assert db.viewings.count(VIEWING.account, since=VIEWING.ended + 1) == (1, 1)
        assert db.viewings.count(77, since=0) == (0, 0)
        assert db.play_times.added() == 8.25


def test_only_an_open_request_is_prolonged_and_a_damaged_memory_is_none(store):
    closed = replace(TIME, adding=None)
    with store.writing() as tx:
        tx.play_times.save(7, CREATED, TIME)
        tx.play_times.save(8, CREATED, closed)
        for scene in (7, 8):
            tx.play_times.prolong(scene, 99)
    with store.reading() as db:
        assert db.play_times.of_ids([7, 8]) == {7: replace(TIME, until=99), 8: closed}
    with look(store.folder) as db:
        db.execute("update play_time set base = 'x' where scene = 7")
    with store.writing() as tx:
        assert tx.play_times.of_ids([7, 8]).keys() == {8}
        tx.play_times.save(8, CREATED, None)
        assert tx.play_times.of_ids([8]) == {}

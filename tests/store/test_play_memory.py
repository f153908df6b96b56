"""The history of Plex as it is mirrored, and what is remembered of the plays of each scene."""

import random
import sqlite3
from contextlib import closing
from itertools import product

import pytest

from plexsync.rules.item import Entry, Part
from plexsync.rules.merge.taken_back import TakenBack
from plexsync.rules.plays.plays import PlaySource, PlayState, RememberedPlay, SentPlay, plan_plays
from plexsync.rules.queue.job import Why
from plexsync.rules.records import SectionRow
from plexsync.store.database import Database
from plexsync.store.files import backup, integrity, repair
from plexsync.store.ledger import play_memory
from tests.stores import look

T = 1_700_000_000_000
OWNER, GUEST = 1, 5
CREATED, UPDATED = "2026-01-02T03:04:05Z", "2026-02-02T03:04:05Z"
SENT = PlayState.SENT


def source(item: str, number: int = 1) -> PlaySource:
    return PlaySource(item, f"/status/sessions/history/{number}")


def index(store: Database, *entries: Entry) -> None:
    with store.writing() as tx:
        tx.index.save(entries, walk=1)


def listed(store: Database, *plays: tuple[PlaySource, int], account: int = OWNER, now: int = T) -> None:
    with store.writing() as tx:
        tx.plays.save_history(account, plays, now=now)


def history(store: Database, *items: str, account: int = OWNER, since: int = 0) -> dict[str, dict[int, PlaySource]]:
    with store.reading() as db:
        return db.plays.history(account, items, since=since)


def movie(key: str, *files: tuple[str, int], section: str = "1") -> Entry:
    return Entry(key, section, tuple(Part(path, size) for path, size in files))


# --- the history of Plex -----------------------------------------------------------------------------------------------


def test_history_is_read_by_item_and_moment_for_one_account_alone(store):
    index(store, movie("71", ("/a.mp4", 10)), movie("72", ("/b.mp4", 20)))
    listed(store, (source("71", 1), 100), (source("71", 2), 200), (source("72", 3), 100))
    listed(store, (source("71", 9), 300), account=GUEST)
    assert history(store, "71", "72", "73") == {
        "71": {100: source("71", 1), 200: source("71", 2)},
        "72": {100: source("72", 3)},
    }
    assert history(store, "71", since=200) == {"71": {200: source("71", 2)}}
    assert history(store, "71", since=201) == {}
    assert history(store, "71", account=GUEST) == {"71": {300: source("71", 9)}}
    with store.reading() as db:
        assert [db.plays.newest(account) for account in (OWNER, GUEST, 7)] == [200, 300, None]


def test_saved_plays_are_told_from_new_ones(store):
    index(store, movie("71", ("/a.mp4", 10)), movie("72", ("/b.mp4", 20)))
    listed(store, (source("71"), 100), (source("72"), 100), (source("72"), 50))
    listed(store)
    with store.reading() as db:
        assert db.plays.list_saved(OWNER, []) == set()
        assert db.plays.list_saved(OWNER, [("71", 100), ("72", 90)]) == {("71", 100), ("72", 100)}
        assert db.plays.list_saved(GUEST, [("71", 100)]) == set()


def test_an_entry_that_plex_has_given_another_key_is_the_same_play(store):
    index(store, movie("71", ("/a.mp4", 10)))
    listed(store, (source("71", 1), 100))
    listed(store, (source("71", 2), 100))
    assert history(store, "71") == {"71": {100: source("71", 2)}}


def test_the_plays_of_an_item_that_plex_has_under_another_key_by_now_are_those_of_its_file(store):
    index(store, movie("71", ("/a.mp4", 10)))
    listed(store, (source("71"), 100), (source("71"), 200))
    with store.writing() as tx:
        tx.index.drop(["71"])
    index(
        store, movie("90", ("/other.mp4", 10)), movie("91", ("/b.mp4", 20), ("/a.mp4", 10)), movie("92", ("/a.mp4", 11))
    )
    listed(store, (source("91", 7), 200), (source("91", 8), 300))
    # The item's own entry goes before that of the item that is gone.
    assert history(store, "90", "91", "92") == {"91": {100: source("71"), 200: source("91", 7), 300: source("91", 8)}}
    assert history(store, "91", since=101) == {"91": {200: source("91", 7), 300: source("91", 8)}}
    assert history(store, "91", account=GUEST) == {}


def test_while_both_items_are_there_each_has_its_own_plays(store):
    index(store, movie("71", ("/a.mp4", 10)), movie("72", ("/a.mp4", 10)))
    listed(store, (source("71"), 100), (source("72"), 200))
    assert history(store, "71", "72") == {"71": {100: source("71")}, "72": {200: source("72")}}


def test_a_key_that_plex_has_dealt_to_another_file_has_none_of_the_plays(store):
    index(store, movie("71", ("/a.mp4", 10)))
    listed(store, (source("71"), 100))
    index(store, movie("71", ("/other.mp4", 77)))
    assert history(store, "71") == {}
    index(store, movie("71", ("/moved.mp4", 10)))
    assert history(store, "71") == {"71": {100: source("71")}}, "its file was moved"
    index(store, movie("71", ("/first.mp4", 5), ("/a.mp4", 12)))
    assert history(store, "71") == {"71": {100: source("71")}}, "its file is another of its parts by now"
    index(store, movie("71", ("/upgraded.mkv", 99)))
    assert history(store, "71") == {}
    listed(store, (source("71"), 100))
    assert history(store, "71") == {"71": {100: source("71")}}, "Plex lists it under the key that it has now"


def test_a_key_that_plex_has_dealt_in_another_library_has_none_of_the_plays(store):
    with store.writing() as tx:
        tx.sections.save(SectionRow("1", "Movies", uuid="u-1"))
        tx.sections.save(SectionRow("2", "Others", uuid="u-2"))
    index(store, movie("71", ("/a.mp4", 10)))
    listed(store, (source("71"), 100))
    assert history(store, "71") == {"71": {100: source("71")}}
    index(store, movie("71", ("/a.mp4", 10), section="2"))
    assert history(store, "71") == {}


def test_an_item_that_was_not_in_the_index_when_it_was_listed_keeps_what_was_known_of_its_file(store):
    listed(store, (source("71"), 100))
    index(store, movie("71", ("/a.mp4", 10)))
    assert history(store, "71") == {"71": {100: source("71")}}
    listed(store, (source("71"), 100))
    with store.writing() as tx:
        tx.index.drop(["71"])
    listed(store, (source("71"), 100))
    index(store, movie("80", ("/a.mp4", 10)))
    assert history(store, "80") == {"80": {100: source("71")}}


def test_what_the_whole_history_no_longer_lists_is_dropped_for_that_account(store):
    index(store, movie("71", ("/a.mp4", 10)))
    listed(store, (source("71"), 100), (source("71"), 200), now=T)
    listed(store, (source("71"), 100), account=GUEST, now=T)
    listed(store, (source("71"), 200), now=T + 5)
    with store.writing() as tx:
        assert tx.plays.has_unlisted(OWNER, since=100, listed_at=T + 5)
        assert not tx.plays.has_unlisted(OWNER, since=101, listed_at=T + 5)
        assert tx.plays.drop_unlisted(OWNER, listed_at=T + 5) == 1
    assert history(store, "71") == {"71": {200: source("71")}}
    assert history(store, "71", account=GUEST) == {"71": {100: source("71")}}


def test_a_row_that_names_no_item_is_that_of_the_saved_play_with_its_number_and_moment(store):
    index(store, movie("71", ("/a.mp4", 10)))
    listed(store, (source("71"), 100), now=T)
    with store.writing() as tx:
        tx.plays.mark_listed(OWNER, [(source("71").history_key, 101), ("another", 100)], now=T + 5)
        assert tx.plays.has_unlisted(OWNER, since=0, listed_at=T + 5)
        tx.plays.mark_listed(OWNER, [(source("71").history_key, 100)], now=T + 5)
        assert tx.plays.drop_unlisted(OWNER, listed_at=T + 5) == 0
    assert history(store, "71") == {"71": {100: source("71")}}


# --- what is remembered --------------------------------------------------------------------------------------------------


def remembered(store: Database, scene: int = 7, created: str = CREATED) -> dict[int, RememberedPlay]:
    with store.reading() as db:
        return db.plays.of({scene: created}).get(scene, {})


def test_memories_are_read_as_they_were_saved(store):
    plays = {
        moment: RememberedPlay(source("71", moment), state, moment, moment + 1, T + moment, undone)
        for moment, (state, undone) in enumerate(product(PlayState, (TakenBack.NO, TakenBack.UNDO)), 1)
    }
    with store.writing() as tx:
        tx.plays.save(7, CREATED, plays)
        tx.plays.save(8, CREATED, {1: RememberedPlay(source("72"), SENT)})
    assert remembered(store) == plays
    assert remembered(store, 8) == {1: RememberedPlay(source("72"), SENT)}
    with store.writing() as tx:
        tx.plays.save(7, CREATED, {1: None, 2: RememberedPlay(source("71"), SENT), 99: None})
    assert remembered(store) == {**{at: plays[at] for at in plays if at > 2}, 2: RememberedPlay(source("71"), SENT)}
    with store.reading() as db:
        assert db.plays.scenes(limit=5) == [7, 8]
        assert db.plays.scenes(limit=1) == [7]
        assert db.plays.scenes(after=7, limit=5) == [8]
    with store.writing() as tx:
        tx.plays.forget([7, 9])
    assert (remembered(store), len(remembered(store, 8))) == ({}, 1)


def test_another_scene_under_the_id_has_none_of_the_memories(store):
    with store.writing() as tx:
        tx.plays.begin(7, CREATED, UPDATED, dict.fromkeys((1, 2), RememberedPlay(source("71"), SENT)), now=T)
    assert remembered(store, created="2026-05-05T00:00:00Z") == {}
    with store.writing() as tx:
        tx.plays.save(7, "2026-05-05T00:00:00Z", {1: RememberedPlay(source("71"), PlayState.PRESENT)})
        assert [play.moment for play in tx.plays.last_sent(5)] == [2], "that it was sent was about the other scene"
    assert remembered(store, created="2026-05-05T00:00:00Z") == {1: RememberedPlay(source("71"), PlayState.PRESENT)}
    assert remembered(store) == {2: RememberedPlay(source("71"), SENT)}


def test_the_order_in_which_plays_were_sent_stays_when_they_arrive_and_a_new_request_is_the_latest(store):
    adding = RememberedPlay(source("71"), PlayState.ADDING, tries=1, until=T + 60_000)
    with store.writing() as tx:
        tx.plays.begin(7, CREATED, UPDATED, {1: adding, 2: adding}, now=T)
        tx.plays.begin(8, CREATED, "", {5: adding, 6: adding, 9: adding}, now=T - 1000)
        assert tx.plays.last_sent(9) == [], "whether they have arrived is not known yet"
        sent = RememberedPlay(source("71"), SENT)
        tx.plays.save(7, CREATED, {1: sent, 2: sent})
        tx.plays.save(
            8,
            CREATED,
            {
                5: sent,
                6: RememberedPlay(source("71"), SENT, undone=TakenBack.UNDO),
                9: RememberedPlay(source("71"), PlayState.DELETED),
            },
        )
        tx.plays.save(7, CREATED, {3: RememberedPlay(source("71"), PlayState.PRESENT)})
    with store.reading() as db:
        plays = db.plays.last_sent(9)
        assert plays == [
            SentPlay(8, 5, CREATED, "", T - 1000, 2),
            SentPlay(7, 2, CREATED, UPDATED, T, 1),
            SentPlay(7, 1, CREATED, UPDATED, T, 1),
        ]
        assert [db.plays.last_sent(1, before=play) for play in plays] == [[plays[1]], [plays[2]], []]
        assert len(db.plays.last_sent(2)) == 2
    with store.writing() as tx:
        tx.plays.begin(7, CREATED, UPDATED, {2: adding}, now=T + 5)
        tx.plays.save(7, CREATED, {2: sent})
        assert [(play.scene, play.moment, play.order) for play in tx.plays.last_sent(2)] == [(7, 2, 3), (8, 5, 2)]


def test_only_open_requests_are_prolonged(store):
    plays = {at: RememberedPlay(source("71"), state, until=T) for at, state in enumerate(PlayState, 1)}
    with store.writing() as tx:
        tx.plays.save(7, CREATED, {**plays, 99: plays[1]})
        tx.plays.prolong(7, plays, T + 9)
    untils = {play.state: play.until for at, play in remembered(store).items() if at != 99}
    assert {state for state, until in untils.items() if until == T + 9} == {PlayState.ADDING, PlayState.REMOVING}
    assert remembered(store)[99].until == T


def test_the_scenes_that_hold_a_play_are_found_by_its_item(store):
    with store.writing() as tx:
        tx.plays.save(8, CREATED, {1: RememberedPlay(source("71"), SENT), 2: RememberedPlay(source("72"), SENT)})
        tx.plays.save(7, CREATED, {1: RememberedPlay(source("71"), PlayState.DELETED)})
        assert tx.plays.holders(["71", "73"]) == {("71", 1): {(7, CREATED), (8, CREATED)}}


def test_what_a_plan_says_survives_a_kill_at_each_commit(store):
    """Saved, killed, read and planned again: the play is there once, and remembered as sent."""
    plex, stash = {100: source("71")}, {}
    plan = plan_plays(plex, stash, remembered(store), now=T, longest=240_000)
    with store.writing() as tx:
        tx.plays.begin(7, CREATED, UPDATED, plan.begin(T + 120_000), now=T)
    stash = {100: 1}
    plan = plan_plays(plex, stash, remembered(store), now=T + 1, longest=240_000)
    assert (plan.add, plan.remove) == (None, None)
    with store.writing() as tx:
        tx.plays.save(7, CREATED, plan.resolved)
    assert remembered(store) == {100: RememberedPlay(source("71"), SENT)}


def test_texts_that_no_database_takes_are_cleaned(store):
    odd = "7\ud8001"
    listed(store, (PlaySource(odd, odd), 100))
    with store.writing() as tx:
        tx.plays.begin(7, odd, odd, {1: RememberedPlay(PlaySource(odd, odd), SENT)}, now=T)
    assert len(remembered(store, created=odd)) == 1


# --- damage, older schemas and copies --------------------------------------------------------------------------------------


def fill(path) -> tuple[dict, dict]:
    database = Database(path, worker=True)
    try:
        index(database, movie("71", ("/a.mp4", 10)))
        listed(database, *((source("71", at), at) for at in range(1, 200)))
        with database.writing() as tx:
            tx.jobs.want("plays", 7, Why.EDIT, T)
            for scene in range(1, 50):
                tx.plays.begin(
                    scene, CREATED, UPDATED, {at: RememberedPlay(source("71"), SENT) for at in (1, 2)}, now=T
                )
        return contents(database)
    finally:
        database.close()


def contents(database: Database) -> tuple[dict, dict]:
    with database.reading() as db:
        return db.plays.of(dict.fromkeys(range(1, 50), CREATED)), {"sent": db.plays.last_sent(500)}


@pytest.mark.sqlite_only
def test_a_repair_keeps_the_plays_the_mirror_and_the_jobs_of_plays(folder):
    path = folder / "plexsync.db"
    before = fill(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        mirrored = db.execute("select count(*) from played where path_key = '/a.mp4' and size = 10").fetchone()
        db.execute("update book set done = done + 20")
    assert repair.repair(path, now=T).rows == 1
    assert integrity.damage(path) == ""
    database = Database(path)
    assert contents(database) == before
    with database.reading() as db:
        assert db.jobs.find("plays", 7)
        assert db.books.balance() == 0
    database.close()
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("select count(*) from played where path_key = '/a.mp4' and size = 10").fetchone() == mirrored
        assert mirrored == (199,)


@pytest.mark.sqlite_only
def test_a_backup_has_the_plays(folder):
    path = folder / "plexsync.db"
    before = fill(path)
    backup.save(path, folder / "copy.db")
    database = Database(folder / "copy.db")
    assert contents(database) == before
    database.close()


def test_a_state_that_a_damaged_page_has_changed_is_none_of_ours(store, folder):
    with store.writing() as tx:
        tx.plays.begin(7, CREATED, UPDATED, {1: RememberedPlay(source("71"), SENT)}, now=T)
    with look(folder) as db:
        db.execute("update play set state = 'se#t'")
    assert remembered(store)[1].state is PlayState.PRESENT
    with store.reading() as db:
        assert db.plays.last_sent(1) == []


# --- cost ------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def large(store, folder):
    rng = random.Random(7)
    index(store, *(movie(str(key), (f"/{key}.mp4", key)) for key in range(1, 5001)))
    listed(store, *((source(str(rng.randint(1, 5000))), at) for at in range(1, 40_001)))
    with store.writing() as tx:
        for scene in range(1, 2001):
            tx.plays.begin(
                scene, CREATED, "", {at: RememberedPlay(source(str(scene)), SENT) for at in range(10)}, now=T
            )
    with closing(sqlite3.connect(folder / "plexsync.db")) as db:
        yield db


@pytest.mark.sqlite_only
@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("HISTORY", {"account": 1, "items": '["17"]', "since": 0}),
        ("LISTED", {"account": 1, "items": '["17"]', "since": 39_000}),
        ("NEWEST", {"account": 1}),
        ("LIST", {"scenes": "[17]", "since": 0, "until": 10**15}),
        ("HOLDERS", {"items": '["17"]'}),
        ("LAST_SENT", {"order": 400, "moment": 5, "limit": 5}),
        ("ITEMS_WITH_NEWS", {"account": 1, "since": 0, "after": "17", "limit": 2}),
        ("NEXT_ORDER", {}),
        ("SCENES", {"after": 17, "limit": 2}),
    ],
)
def test_a_read_costs_what_it_returns_and_not_what_the_tables_hold(large, name, values):
    count = 0

    def tick() -> int:
        nonlocal count
        count += 1
        return 0

    large.set_progress_handler(tick, 1)
    large.execute(getattr(play_memory, name), values).fetchall()
    assert count < 1500

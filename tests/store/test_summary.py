"""The database as `status` reads it, held against the tables that everyone else reads."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from plexsync.engine.tickets import READ_PLEX, READ_STASH, WRITE_STASH
from plexsync.rules.plays.plays import PlaySource, PlayState, RememberedPlay
from plexsync.rules.queue.job import Kind, Lane, State
from plexsync.rules.queue.note_keys import BULK, HEARTBEAT, LAST_RECONCILE, PLAYS_IN_PLEX, REPAIRED, RESTORED
from plexsync.rules.records import BreakerRow, HoldRow, PaceRow, SectionRow
from plexsync.rules.servers.errors import Neighbour
from plexsync.store import intake
from plexsync.store.database import Database
from plexsync.store.files import folder
from plexsync.store.queue import summary
from plexsync.store.queue.breakers import IMPOSSIBLE
from plexsync.store.queue.summary import Summary, Unreadable, first_rows, reading

pytestmark = pytest.mark.sqlite_only

T = 1_700_000_000_000
STATES = [*State]
SEEN = ["in step", "person", "person 12", "differs", "absent", "ambiguous", "outside", "undone", "strict"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database with rows in every state, some of them seen, and something in every other table."""
    tmp_path.chmod(0o700)
    path = tmp_path / "plexsync.db"
    Database(path, worker=True).close()
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        for number in range(1, 60):
            state = STATES[number % len(STATES)]
            cause = ("ambiguous", "refused")[number % 2] if state is State.DEAD else ""
            kind = Kind.TAG if number % 10 == 0 else Kind.SCENE
            db.execute(
                "insert into job (kind, id, state, lane, wanted_rev, due, since, stirred, accepted, cls)"
                " values (?, ?, ?, ?, 1, ?, ?, ?, 1, ?)",
                (kind, number, state, number % 2, T + number - 30, T - number, T, cause),
            )
        for number in range(1, 90, 2):
            db.execute("insert into standing values (?, ?, ?)", (number, SEEN[number % len(SEEN)], T - 1000 - number))
    return path


@pytest.fixture
def store(path: Path) -> Iterator[Database]:
    store = Database(path, worker=True)
    yield store
    store.close()


def seen_of(path: Path, now: int = T) -> Summary:
    with closing(reading(str(path))) as db:
        return Summary(db, now)


def test_it_counts_as_the_tables_do(path: Path, store: Database) -> None:
    seen = seen_of(path)
    with store.reading() as db:
        assert seen.jobs == {state.value: count for state, count in db.jobs.count_states().items()}
        assert (seen.due, seen.oldest_due) == db.jobs.count_due(T)
        assert seen.dead == db.jobs.count_dead()
        assert seen.standings == db.standings.counts()
        assert seen.kept_fields == db.standings.kept_fields() > 12
        assert seen.tallies == db.tallies.all()
        assert seen.undone == db.memories.count_undone()
        assert seen.books == tuple(db.books.read().values())
        for state in ("dead", "ignored"):
            rows = db.jobs.in_state(State(state), limit=3)
            assert read_first(path, state) == [(row.kind, row.id, row.cls) for row in rows]
    assert 0 < seen.due < 59
    assert len(seen.standings) > 8


def test_it_knows_the_gates_and_the_plays_as_the_tables_do(path: Path, store: Database) -> None:
    refused = BreakerRow(state="open", failures=5, opened_at=1.5, wait=60.0, trips=1, cause="write", error="no")
    source = PlaySource("1", "/status/sessions/history/1")
    states = [PlayState.SENT, PlayState.SENT, PlayState.DELETED, PlayState.ADDING]
    with store.writing() as tx:
        for name in ("stash:write", "somebody"):
            tx.breakers.save(name, refused)
            tx.transitions.log(name, at=T, old="closed", new="open", cause="write", error="no")
            tx.holds.save(name, HoldRow("stash_api_key", "barred", T, T + 1, "print", ""))
            tx.paces.save(name, PaceRow(not_before=T + 9, ramp=4))
        tx.plays.save(7, "", {moment: RememberedPlay(source, state) for moment, state in enumerate(states)})
        tx.notes.save(PLAYS_IN_PLEX, "3")
    seen = seen_of(path)
    with store.reading() as db:
        for rows, others in ((seen.breakers, db.breakers), (seen.holds, db.holds), (seen.paces, db.paces)):
            assert list(rows) == ["stash:write"]
            assert vars(rows["stash:write"]).items() <= vars(others.find("stash:write")).items()
        assert [line[0] for line in seen.transitions] == [line.server for line in db.transitions.all()]
    assert seen.listed_plays == 3
    assert sorted(seen.remembered_plays) == [("adding", 0, 1), ("deleted", 0, 1), ("sent", 0, 2)]


def read_first(path: Path, state: str) -> list[tuple[str, int, str]]:
    with closing(reading(str(path))) as db:
        return first_rows(db, state, 3)


def test_it_reads_what_is_known_of_the_servers(path: Path, store: Database) -> None:
    row = BreakerRow(state="open", failures=5, opened_at=1.5, wait=60.0, trips=1, cause="read", error="away")
    with store.writing() as tx:
        tx.breakers.save(Neighbour.PLEX, row)
        tx.holds.save(Neighbour.STASH, HoldRow("stash_api_key", "barred", T, T + 1, "print", "stash"))
        tx.paces.save(Neighbour.STASH, PaceRow(not_before=T + 9, ramp=4))
        tx.transitions.log(Neighbour.PLEX, at=T, old="closed", new="open", cause="read", error="away")
        tx.sections.save(SectionRow("1", "Movies", walked_at=T))
    seen = seen_of(path)
    assert vars(seen.breakers["plex"]) == vars(row)
    assert "stash" not in seen.breakers
    assert vars(seen.holds["stash"]) == {
        "setting": "stash_api_key",
        "message": "barred",
        "since": T,
        "retest_at": T + 1,
        "choice": "stash",
    }
    assert vars(seen.paces["stash"]) == {"not_before": T + 9, "ramp": 4}
    assert seen.sections == [("1", "Movies", T)]
    with store.reading() as db:
        assert [tuple(vars(line).values()) for line in db.transitions.all()] == seen.transitions


def test_impossible_values_of_a_breaker_are_those_of_one_that_is_tested_next(path: Path, store: Database) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("insert into breaker (who, state, failures, generation) values ('plex', 'ajar', 0, 1)")
    assert vars(seen_of(path).breakers["plex"]) == vars(IMPOSSIBLE)
    with store.reading() as db:
        assert db.breakers.find(Neighbour.PLEX) == IMPOSSIBLE


@pytest.mark.parametrize(
    ("notes", "anew", "approved"),
    [
        ({}, False, False),
        ({BULK: "1"}, False, True),
        ({REPAIRED: "5"}, True, True),
        ({RESTORED: "5"}, True, False),
        ({RESTORED: "5", LAST_RECONCILE: "5"}, False, False),
        ({RESTORED: "no number"}, False, False),
        ({RESTORED: "9" * 30}, False, False),
    ],
)
def test_notes_tell_what_is_owed_and_what_was_agreed_to(
    notes: dict[str, str], anew: bool, approved: bool, path: Path, store: Database
) -> None:
    with store.writing() as tx:
        for name, value in {**notes, HEARTBEAT: "12"}.items():
            tx.notes.save(name, value)
    seen = seen_of(path)
    assert (seen.anew, seen.approved, seen.heartbeat) == (anew, approved, "12")


def test_the_names_that_stand_in_it_are_those_of_the_rules() -> None:
    assert list(summary.STATES) == [state.value for state in State]
    assert [*summary.GATES] == [READ_PLEX.row, READ_STASH.row, WRITE_STASH.row]
    assert list(summary.LANES) == list(Lane)
    assert (folder.DATABASE, folder.SPOOL, folder.UNREAD) == (intake.DATABASE, intake.SPOOL, intake.UNREAD)


def test_a_snapshot_knows_the_present_moment(path: Path) -> None:
    with closing(reading(str(path))) as db:
        assert summary.now(db) > T


OTHER_MARKS = (f"user_version = {intake.SCHEMA - 1}", f"user_version = {intake.SCHEMA + 1}", "application_id = 1")


@pytest.mark.parametrize("mark", OTHER_MARKS)
def test_a_database_of_another_kind_is_not_read(mark: str, path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"pragma {mark}")
    with pytest.raises(Unreadable):
        reading(str(path))


def test_nothing_is_read_from_a_place_for_everyone_nor_made_where_nothing_is(path: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.db"
    link.symlink_to(path)
    other = tmp_path / "none" / "plexsync.db"
    for file in (link, other):
        with pytest.raises(Unreadable):
            reading(str(file))
    assert not other.parent.exists()
    tmp_path.chmod(0o777)
    with pytest.raises(Unreadable):
        reading(str(path))
    tmp_path.chmod(0o700)
    reading(str(path)).close()


def test_it_reads_while_a_worker_writes(path: Path, store: Database) -> None:
    with store.writing() as tx:
        tx.notes.save(HEARTBEAT, "99")
        assert seen_of(path).heartbeat == ""
    assert seen_of(path).heartbeat == "99"

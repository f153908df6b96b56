"""What was done lately: runs as the selectors know them, each once, page by page, at a cost that no library raises."""

import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import pytest

from plexsync.reports.runs import AGREED, RunHistory, run_history
from plexsync.rules.merge.import_records import ImportChange
from plexsync.rules.merge.taken_back import TakenBack
from plexsync.rules.merge.values import Held
from plexsync.rules.plays.plays import PlaySource, PlayState, RememberedPlay
from plexsync.rules.queue.job import COLLECTION, Kind
from plexsync.rules.queue.note_keys import BULK
from plexsync.rules.records import Moved
from plexsync.store.database import Database
from plexsync.store.ledger import pushes
from plexsync.store.ledger import run_history as run_history_table
from tests.stores import on_postgres

T = 1_700_000_000_000
MINUTE = 60_000
MOVED = {"title": Moved(Held("old", False), Held("new", True))}


@pytest.fixture
def store(tmp_path) -> Iterator[Database]:
    with closing(Database(tmp_path / "plexsync.db")) as made:
        yield made


def push(store: Database, scene: int, at: int, *, undone: str = "", flow: str = Kind.SCENE, fields=MOVED) -> None:
    with store.writing() as tx:
        tx.pushes.of_flow(flow).add(scene, "10", fields, at=at, undone=undone)


def told(store: Database, before: int | None = None, limit: int = 50) -> RunHistory:
    with store.reading() as db:
        return run_history(db, before, limit)


def words(store: Database) -> list[str]:
    return [run["words"] for run in told(store)["runs"]]


def test_nothing_was_done_yet(store):
    assert told(store) == {"runs": [], "older": None}


def test_a_run_says_what_was_written_and_how_it_is_taken_back(store):
    push(store, 7, T)
    push(store, 8, T + 10 * MINUTE, fields={"tagline": MOVED["title"], "summary": MOVED["title"]})
    push(store, 9, T + 21 * MINUTE)
    later, first = told(store)["runs"]
    assert (later["words"], first["words"]) == ("1 scene written to Plex: title", first["words"])
    assert first["words"].startswith("2 scenes written to Plex: title, ")
    assert (first["from"], first["until"]) == ("2023-11-14T22:13:20Z", "2023-11-14T22:23:20Z")
    assert (first["run"], first["by"], first["mode"]) == (1, "PlexSync", "")
    (step,) = first["steps"]
    assert (step["command"], step["page"]) == ("plexsync undo --run 1", "/act/scenes/undo?run=1")


def test_collections_plays_and_imports_are_listed_with_scenes_newest_first(store):
    push(store, 7, T)
    push(store, 3, T + MINUTE, flow=COLLECTION)
    source = PlaySource("71", "/h/1")
    sent, gone = RememberedPlay(source, PlayState.SENT), RememberedPlay(source, PlayState.DELETED)
    with store.writing() as tx:
        tx.plays.begin(7, "then", "then", {100: sent, 200: sent}, now=T + 2 * MINUTE)
        tx.plays.begin(8, "then", "then", {300: replace(gone, undone=TakenBack.UNDO)}, now=T + 3 * MINUTE)
        changes = [ImportChange(0, 4, 7, "title", 0, '""', '"T"', "then"), ImportChange(0, 4, 0, "tag", 0, "", "T", "")]
        made = tx.imports.begin(changes, now=T + 4 * MINUTE)
        tx.imports.save([replace(change, is_open=False) for change in made])
    assert words(store) == [
        "Import 4: 1 field of 1 scene filled in Stash",
        "1 play of 1 scene taken back from Stash",
        "2 plays of 1 scene added to Stash",
        "1 collection written to Plex: title",
        "1 scene written to Plex: title",
    ]
    commands = [step["command"] for run in told(store)["runs"] for step in run["steps"]]
    assert commands == [
        "plexsync undo --of imports 4",
        "plexsync redo --of plays --since 2023-11-14T22:16:20Z",
        "plexsync undo --of plays --since 2023-11-14T22:15:20Z",
        "plexsync undo --of collections --run 2",
        "plexsync undo --run 1",
    ]
    assert [run["by"] for run in told(store)["runs"]] == ["you", "you", "PlexSync", "PlexSync", "PlexSync"]


@pytest.mark.parametrize(
    ("mark", "said", "by"),
    [
        ("undo", "1 scene taken back in Plex", "you"),
        ("release", "1 scene released in Plex", "you"),
        ("gone", "1 scene taken back in Plex, since Stash no longer has them", "PlexSync"),
        ("damaged", "1 scene taken back in Plex", "you"),
    ],
)
def test_what_was_taken_back_is_an_entry_of_its_own(store, mark, said, by):
    push(store, 7, T)
    push(store, 7, T + MINUTE, undone=mark)
    (back, wrote) = told(store)["runs"]
    assert (back["words"], back["by"], back["run"]) == (said, by, None)
    assert (wrote["words"], wrote["run"]) == ("1 scene written to Plex: title", 1)
    assert back["steps"] == [], "it is synced again meanwhile"


def test_a_write_after_your_yes_says_what_you_agreed_to(store):
    push(store, 6, T - 30 * MINUTE)
    push(store, 7, T + MINUTE)
    push(store, 8, T + 30 * MINUTE)
    with store.writing() as tx:
        tx.notes.save(BULK, f"{T} look is rich now")
    assert [run["reason"] for run in told(store)["runs"]] == ["", "look is rich now", ""]
    with store.writing() as tx:
        tx.notes.save(BULK, str(T))
    assert [(run["reason"], run["by"]) for run in told(store)["runs"]] == [
        ("", "PlexSync"),
        (AGREED, "you"),
        ("", "PlexSync"),
    ]
    with store.writing() as tx:
        tx.notes.save(BULK, str(T - 600 * MINUTE))
    assert [run["reason"] for run in told(store)["runs"]] == ["", "", ""]


def scatter(store: Database, seed: int, count: int) -> None:
    """Pushes of both flows and undos, with pauses around the length that ends a run."""
    dice, at = random.Random(seed), T
    for _ in range(count):
        at += dice.choice([1, 1_000, pushes.PAUSE, pushes.PAUSE + 1, 20 * MINUTE])
        flow, undone = dice.choice([Kind.SCENE, COLLECTION]), dice.choice(["", "", "", "undo"])
        push(store, dice.randint(1, 9), at, flow=flow, undone=undone)


@pytest.mark.parametrize("seed", range(8))
def test_the_runs_are_those_that_run_selects(store, seed):
    scatter(store, seed, 60)
    with store.reading() as db:
        found, older = db.runs.pushes(2**62)
        assert older is None
        for flow in (Kind.SCENE, COLLECTION):
            mine = [run for run in found if run.flow == flow and not run.undone]
            assert [(run.first, run.last, run.start, run.end, run.scenes) for run in mine] == [
                (run.first, run.last, run.start, run.end, run.scenes) for run in db.pushes.of_flow(flow).runs()
            ]


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("most_read", [1, 3, 10])
def test_page_by_page_every_push_is_told_once(store, seed, most_read, monkeypatch):
    scatter(store, seed, 60)
    whole = [(run["subject"], run["mode"], run["from"], run["scenes"]) for run in told(store, limit=10_000)["runs"]]
    monkeypatch.setattr(run_history_table, "MOST_READ", most_read)
    with store.reading() as db:
        every, before = [], 2**62
        while before is not None:
            found, before = db.runs.pushes(before)
            assert found
            every += found
        numbers = [(run.first, run.last) for run in every]
        # Of a period that is counted together a run may have several pauses; none of its pushes is in another run.
        assert len(numbers) == len(set(numbers)) <= len(whole)
        assert min(first for first, _ in numbers) == 1
        assert max(last for _, last in numbers) == 60
    listed, page = [], told(store, limit=3)
    while True:
        assert page["runs"]
        listed += page["runs"]
        if page["older"] is None:
            break
        page = told(store, page["older"], limit=3)
    if most_read == 10:
        keys = [(run["subject"], run["mode"], run["from"], run["until"]) for run in listed]
        assert len(keys) == len(set(keys))
    assert [run["until"] for run in listed] == sorted((run["until"] for run in listed), reverse=True)


def many_scenes(store: Database, count: int) -> None:
    """A first sync of so many scenes, and then an edit of each, a hundred to a run."""
    first = [(id, "10", MOVED, "") for id in range(1, count + 1)]
    with store.writing() as tx:
        tx.pushes.add_all(first, at=T)
        for number, start in enumerate(range(0, count, 100), start=1):
            tx.pushes.add_all(first[start : start + 100], at=T + number * 20 * MINUTE)


@pytest.mark.skipif(on_postgres(), reason="the number is about how SQLite carries out the statements")
def test_the_page_costs_as_much_in_a_library_of_100_000_scenes(tmp_path):
    costs = []
    for count in (10_000, 100_000):
        folder = tmp_path / f"{count}"
        folder.mkdir(mode=0o700)
        with closing(Database(folder / "plexsync.db")) as store:
            many_scenes(store, count)
            with store.reading() as db:
                connection = db.pushes._db
                ticks, statements = [0], connection.statements

                def tick(ticks: list[int] = ticks) -> int:
                    ticks[0] += 1
                    return 0

                driver: sqlite3.Connection = connection.driver
                driver.set_progress_handler(tick, 100)
                history = run_history(db)
                driver.set_progress_handler(None, 0)
                costs.append((len(history["runs"]), connection.statements - statements, ticks[0] // 100))
    assert costs[0][1] == costs[1][1] <= 12
    assert costs[0] == costs[1]
    assert costs[0][0] == run_history_table.MOST_READ // 100

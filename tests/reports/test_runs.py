"""What was done lately: runs as the selectors know them, each once, page by page, at a cost that no library raises."""

import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import pytest

from plexsync.actions.model import run_named
from plexsync.reports.runs import AGREED, RunHistory, run_history
from plexsync.rules.merge.import_records import ImportChange
from plexsync.rules.merge.taken_back import TakenBack
from plexsync.rules.merge.values import Held
from plexsync.rules.plays.plays import PlaySource, PlayState, RememberedPlay
from plexsync.rules.queue.job import COLLECTION, Kind, Why
from plexsync.rules.queue.note_keys import BULK
from plexsync.rules.records import Moved
from plexsync.store.database import Database
from plexsync.store.ledger.run_history import MOST_READ, PAUSE
from tests.stores import on_postgres

T = 1_700_000_000_000
MINUTE = 60_000
NOW = T + 365 * 24 * 60 * MINUTE
MOVED = {"title": Moved(Held("old", False), Held("new", True))}


@pytest.fixture
def store(tmp_path) -> Iterator[Database]:
    with closing(Database(tmp_path / "plexsync.db")) as made:
        yield made


def push(store, scene: int, at: int, *, undone="", flow=Kind.SCENE, fields=MOVED, why="") -> None:
    with store.writing() as tx:
        tx.pushes.of_flow(flow).add(scene, "10", fields, at=at, undone=undone, reason=why)


def told(store: Database, before: int | None = None, limit: int = 50, most_read: int = MOST_READ) -> RunHistory:
    with store.reading() as db:
        return run_history(db, NOW, before, limit, most_read)


def words(store: Database) -> list[str]:
    return [run["words"] for run in told(store)["runs"]]


def test_nothing_was_done_yet(store):
    assert told(store) == {"night": "No edit went to Plex since yesterday 22:00", "runs": [], "older": None}


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
        "2 plays of 1 scene brought to Stash",
        "1 collection written to Plex: title",
        "1 scene written to Plex: title",
    ]
    commands = [step["command"] for run in told(store)["runs"] for step in run["steps"]]
    assert commands == [
        "plexsync undo --of imports 4",
        "plexsync redo --of plays --run 2",
        "plexsync undo --of plays --run 1",
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
    assert [run["reason"] for run in told(store)["runs"]] == ["", "you changed the settings: look is rich now", ""]
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


WHYS = [Why.EDIT, Why.COMPARE]


def scatter(store: Database, seed: int, count: int) -> None:
    """Pushes of both flows and undos, with pauses around the length that ends a run."""
    dice, at = random.Random(seed), T
    for _ in range(count):
        at += dice.choice([1, 1_000, PAUSE, PAUSE + 1, 20 * MINUTE])
        flow, undone, why = dice.choice([Kind.SCENE, COLLECTION]), dice.choice(["", "", "", "undo"]), dice.choice(WHYS)
        push(store, dice.randint(1, 9), at, flow=flow, undone=undone, why=why)


@pytest.mark.parametrize("seed", range(8))
def test_a_run_selects_what_it_shows_and_nothing_else(store, seed):
    """Split by brute force: writes of one cause, without a pause between them."""
    scatter(store, seed, 60)
    with store.reading() as db:
        found, older = db.runs.pushes(2**62)
        assert older is None
        every = db.runs.numbered(range(1, 61))
        whys = dict(db.runs._db.rows("select number, why from push"))
        for flow in (Kind.SCENE, COLLECTION):
            runs = db.runs.of(flow)
            assert [(run.first, run.start, run.end) for run in runs] == [
                (run.first, run.start, run.end) for run in found if run.flow == flow and not run.undone
            ]
            split: list[list[int]] = []
            for why in WHYS:
                last = -(2**62)
                for number, (own, _, made) in sorted(every.items()):
                    if (own, made.undone, whys[number]) == (flow, "", why):
                        split += [[]] if made.at - last > PAUSE else []
                        split[-1].append(number)
                        last = made.at
            assert {(numbers[0], numbers[-1], len(numbers)) for numbers in split} == {
                (run.first, run.last, run.rows) for run in runs
            }
            for numbers in split:
                (run,) = [run for run in runs if run.first == numbers[0]]
                assert db.runs.subjects_in(run) == sorted({every[number][1] for number in numbers})
                assert run_named(db, flow, numbers[0]) == run


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("most_read", [1, 3, 10])
def test_page_by_page_every_run_is_told_once_and_whole(store, seed, most_read):
    scatter(store, seed, 60)
    whole = told(store, limit=10_000)["runs"]
    for limit in (3, 10_000):
        listed, page = [], told(store, limit=limit, most_read=most_read)
        while True:
            assert page["runs"]
            listed += page["runs"]
            if page["older"] is None:
                break
            page = told(store, page["older"], limit, most_read)
        assert [run["until"] for run in listed] == sorted((run["until"] for run in listed), reverse=True)
        kept = ("subject", "mode", "reason", "from", "until", "run", "scenes", "rows")
        assert sorted(repr([run[name] for name in kept]) for run in listed) == sorted(
            repr([run[name] for name in kept]) for run in whole
        )


def many_scenes(store: Database, count: int) -> None:
    """A first sync of so many scenes, and then an edit of each, a hundred to a run."""
    first = [(id, "10", MOVED, "", "") for id in range(1, count + 1)]
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
                history = run_history(db, NOW)
                driver.set_progress_handler(None, 0)
                costs.append((len(history["runs"]), connection.statements - statements, ticks[0] // 100))
    assert costs[0][1] == costs[1][1] <= 15
    assert costs[0] == costs[1]
    assert costs[0][0] == MOST_READ // 100

"""PlexSync's own troubles: Plex is told to ask again later, and keeps what it has until then."""

import logging
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager

import pytest

from plexsync.provider import app, notes
from plexsync.provider.figures import Calls, percentile
from plexsync.rules.provider.documents import rating_key
from plexsync.store.files.provider_secrets import FILE
from tests.journey.world import until
from tests.provider.stage import LIBRARY, Asked, Shelf, answer_store, answering


@contextmanager
def database_of(shelf: Shelf) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(shelf.folder / "plexsync.db")) as db:
        yield db
        db.commit()


def statuses(asked: Asked, key: str) -> tuple[int, int, int]:
    """What is answered to each kind of question."""
    question = {"type": 1, "filename": "a/x.mp4", "includeAdult": 1}
    match = asked.client.post(f"/{asked.path}/library/metadata/matches", json=question)
    return asked.get().status_code, match.status_code, asked.get(f"/library/metadata/{key}").status_code


def test_without_the_database_plex_keeps_what_it_has(
    asked: Asked, shelf: Shelf, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "PlexSync.provider")
    monkeypatch.setattr(app, "QUIET", 0.0)
    key, path = shelf.say(7, "/data/a/x.mp4"), shelf.folder / "plexsync.db"
    assert statuses(asked, key) == (200, 200, 200)
    away = path.rename(path.with_name("away.db"))
    assert statuses(asked, key) == (500, 500, 500)
    assert not path.exists(), "none is made in its place"
    away.rename(path)
    assert statuses(asked, key) == (200, 200, 200)
    said = [record.getMessage() for record in caplog.records if record.name == "PlexSync.provider"]
    assert said == [f"Plex gets status 500 and asks again later: {path} is not there", "Plex is answered again"]


def test_a_database_of_a_later_version_is_not_read(shelf: Shelf) -> None:
    key = shelf.say(7, "/data/a/x.mp4")
    shelf.store.close()
    with database_of(shelf) as db:
        (version,) = db.execute("pragma user_version").fetchone()
        db.execute("pragma user_version = 999")
    with answering(answer_store(shelf.folder), path=shelf.secrets[LIBRARY].path) as asked:
        assert statuses(asked, key) == (500, 500, 500)
        with database_of(shelf) as db:
            assert db.execute("pragma user_version").fetchone() == (999,)
            db.execute(f"pragma user_version = {version}")
        assert statuses(asked, key) == (200, 200, 200)


def test_a_damaged_answer_is_none_and_the_others_are_answered(asked: Asked, shelf: Shelf) -> None:
    key, other = shelf.say(7, "/data/a/x.mp4"), shelf.say(8, "/data/b/x.mp4")
    with database_of(shelf) as db:
        db.execute("update answer set document = '{' where scene = 7")
    assert statuses(asked, key) == (200, 500, 500)
    assert asked.get(f"/library/metadata/{other}").status_code == 200


def test_damaged_secrets_are_our_own_trouble(asked: Asked, shelf: Shelf) -> None:
    file = shelf.folder / FILE
    content = file.read_bytes()
    file.write_bytes(b"{")
    assert asked.get().status_code == 500
    file.write_bytes(content)
    assert asked.get().status_code == 200
    file.unlink()
    assert asked.get().status_code == 404


def test_a_database_that_was_made_anew_takes_nothing_from_plex(asked: Asked, shelf: Shelf) -> None:
    key = shelf.say(7, "/data/a/x.mp4")
    with shelf.store.writing() as tx:
        tx.providers.forget(LIBRARY)
    assert statuses(asked, key) == (500, 500, 500)
    assert asked.get(f"/library/metadata/{key}/extras").status_code == 500
    # Added again, with no scene inspected yet: only keys that were never given are unknown.
    shelf.add_library(renews=False)
    assert statuses(asked, key) == (200, 200, 500)
    never = rating_key(b"another secret", 7)
    assert statuses(asked, never) == (200, 200, 404)
    assert shelf.say(7, "/data/a/x.mp4") == key
    assert statuses(asked, key) == (200, 200, 200)


def test_a_worker_that_writes_holds_no_answer_up_and_the_figures_follow(asked: Asked, shelf: Shelf) -> None:
    key = shelf.say(7, "/data/a/x.mp4")
    with shelf.store.writing() as tx:
        tx.providers.note_calls(LIBRARY, 0, {})
        for _ in range(3):
            assert statuses(asked, key) == (200, 200, 200)

    def figures() -> dict[str, object]:
        with shelf.store.reading() as db:
            row = db.providers.of(LIBRARY)
        assert row is not None
        return dict(row.calls) if row.called_at else {}

    until(figures)
    assert figures().keys() <= {"matches", "values", "other_answers", "p99_ms"}


def test_every_call_is_counted_by_what_became_of_it(
    asked: Asked, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notes, "PACE", 0.05)
    key = shelf.say(7, "/data/a/x.mp4")
    shelf.say(8, "/data/b/x.mp4")
    shelf.say(9, "/data/movies/b/x.mp4", matched=False)
    shelf.say(10, "/data/c/y.mp4", matched=False)
    statuses(asked, key)
    for filename in ("n.mp4", "movies/b/x.mp4", "c/y.mp4", ""):
        asked.match(filename)
    asked.match("a/x.mp4", includeAdult=0)
    asked.get("/library/metadata/unknown")
    asked.get("/nowhere")
    asked.client.get("/wrong")
    asked.client.put(f"/{asked.path}")
    asked.client.post(f"/{asked.path}/library/metadata/matches", content=b"{")
    asked.client.post(f"/{asked.path}/library/metadata/matches", content=b"x" * 70_000)
    expected = {
        "matches": 1,
        "values": 1,
        "no_match_unknown": 1,
        "no_match_several": 1,
        "no_match_withheld": 1,
        "no_match_other": 1,
        "no_match_adult": 1,
        "refused_key": 1,
        "refused_address": 1,
        "refused_method": 1,
        "refused_question": 1,
        "refused_size": 1,
        "refused_secret": 1,
    }

    def figures() -> dict[str, object]:
        # The last call before a save may be the one that starts the next.
        asked.get()
        with shelf.store.reading() as db:
            row = db.providers.of(LIBRARY)
        assert row is not None
        return {name: row.calls[name] for name in expected if name in row.calls}

    until(lambda: figures() == expected)


def test_thirty_two_at_once_get_each_its_own(asked: Asked, shelf: Shelf) -> None:
    keys = {n: shelf.say(n, f"/data/{n}/x.mp4") for n in range(1, 33)}

    def ask(number: int) -> bool:
        (found,) = asked.match(f"{number}/x.mp4")
        item = asked.get(str(found["key"])).json()["MediaContainer"]["Metadata"][0]
        return (item["ratingKey"], item["title"]) == (keys[number], f"Scene {number}")

    with ThreadPoolExecutor(32) as threads:
        assert all(threads.map(ask, [*keys] * 3))


def test_the_figures_are_of_the_last_hour() -> None:
    calls = Calls()
    for minute in range(100):
        calls.count("values" if minute < 50 else "matches", 0.001, 60.0 * minute)
    assert calls.figures(60.0 * 99) == {"matches": 50, "values": 10, "p99_ms": 1.0}
    assert calls.figures(60.0 * 200) == {"p99_ms": 0.0}


@pytest.mark.parametrize("slow", [0.0, 0.5, 0.9])
def test_the_time_of_most_answers_is_exact_to_a_quarter(slow: float) -> None:
    calls = Calls()
    times = [0.002] * 980 + [0.002 + slow] * 20
    for seconds in times:
        calls.count("values", seconds, 0.0)
    exact = 1000 * sorted(times)[989]
    assert exact <= calls.figures(0.0)["p99_ms"] <= 1.26 * exact
    assert percentile({}) == 0.0

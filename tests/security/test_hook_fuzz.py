"""The hook is given what nobody would write: it answers with one JSON object, and stores, keeps or refuses; nothing else.

2,000 inputs in the plain run, 50,000 under PLEXSYNC_TORTURE=1, all in this process. PLEXSYNC_SEED gives
other inputs.
"""

import gc
import json
import os
import random
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from plexsync.stash_plugin import hook
from plexsync.store import intake
from plexsync.store.database import Database
from tests.chance import SEED

TORTURE = bool(os.environ.get("PLEXSYNC_TORTURE"))
COUNT = 50_000 if TORTURE else 2_000
# What an input may cost, in seconds of the processor.
WORK = 0.5
COOKIE = "MTc2NDAzMjM0MHxEWDhFQVFMX2dBQUJFQUVRQUFCUV"


def event(**context: object) -> dict:
    connection = {
        "Scheme": "http",
        "Port": 9999,
        "SessionCookie": {"Name": "session", "Value": COOKIE},
        "Dir": "/config",
    }
    return {"server_connection": connection, "args": {"hookContext": {"id": 7, "type": "Scene.Update.Post", **context}}}


SEEDS = [
    json.dumps(one).encode()
    for one in (
        event(),
        event(id="12", input={"title": 'a \u202e \ud83d\ude00 \\ " b', "details": "x" * 300}, inputFields=["title"]),
        event(type="Performer.Update.Post", id=2**63 - 1),
        event(type="Tag.Merge.Post", input={"source": ["1", "2"], "destination": "3"}),
        event(type="Gallery.Create.Post"),
        event(id=-1),
        event(id=1.5),
        event(id=None, type=None),
        {"server_connection": {}, "args": {"mode": "task"}},
        [],
    )
]
SPLINTERS = [
    *(
        b'"',
        b"\\",
        b"{",
        b"}",
        b"[",
        b"]",
        b":",
        b",",
        b"\0",
        b"\xff",
        b"\xef\xbb\xbf",
        b"\r\n",
        b"\x1b[2J",
        b"\xed\xa0\x80",
    ),
    *(
        b"null",
        b"NaN",
        b"-Infinity",
        b"1e999",
        b"9" * 5_000,
        b"[" * 3_000,
        b'{"a":' * 3_000,
        b'"id": 8, ',
        b'"id": "x", ',
    ),
    *(b'"hookContext"', b'"type": "Scene.Destroy.Post"', b"18446744073709551616", b"\\ud800", b"\\u0000", b" " * 2_000),
]


def mutated(rng: random.Random) -> bytes:
    """One of the good events after a few accidents."""
    data = bytearray(rng.choice(SEEDS))
    for _ in range(rng.randint(1, 6)):
        at = rng.randint(0, len(data))
        match rng.randint(0, 7):
            case 0 if data:
                data[at % len(data)] ^= 1 << rng.randint(0, 7)
            case 1:
                del data[at : at + rng.randint(1, 12)]
            case 2:
                data[at:at] = rng.choice(SPLINTERS)
            case 3:
                del data[at:]
            case 4:
                end = at + rng.randint(1, 40)
                data[at:at] = data[at:end]
            case 5:
                other = rng.choice(SEEDS)
                data[at:] = other[rng.randint(0, len(other)) :]
            case 6:
                data[at:at] = rng.randbytes(rng.randint(1, 8))
            case _ if rng.random() < 0.2:
                text = data.decode("utf-8", "replace")
                data = bytearray(text.encode(rng.choice(["utf-16", "utf-16-le", "utf-32", "utf-8-sig"])))
    return bytes(data)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A database, and no other place to write to."""
    place = tmp_path / "data"
    Database(place / intake.DATABASE).close()
    monkeypatch.setenv("PLEXSYNC_DATA_DIR", str(place))
    monkeypatch.chdir(tmp_path)
    return place


@pytest.mark.timeout(3600 if TORTURE else 900)
def test_whatever_comes_is_answered_and_stored_kept_or_refused(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given, out, err = tmp_path / "in", tmp_path / "out", tmp_path / "err"
    seen = {"stored": 0, "in a file": 0, "kept": 0, "refused": 0}
    with closing(sqlite3.connect(folder / intake.DATABASE)) as db:
        for number in range(COUNT):
            data, before = mutated(random.Random(f"{SEED}-{number}")), accepted(db)
            given.write_bytes(data)
            with given.open("rb") as stdin, out.open("wb") as stdout, err.open("wb") as stderr:
                monkeypatch.setattr("sys.__stdin__", stdin)
                monkeypatch.setattr("sys.__stdout__", stdout)
                monkeypatch.setattr("sys.__stderr__", stderr)
                # What other tests left behind is not swept up on the hook's account.
                gc.disable()
                try:
                    worked = time.thread_time()
                    hook.main()
                    work = time.thread_time() - worked
                finally:
                    gc.enable()
            what = outcome(json.loads(out.read_bytes()), err.read_bytes())
            left = sorted((folder / intake.SPOOL).glob("*")) if (folder / intake.SPOOL).exists() else []
            told = f"PLEXSYNC_SEED={SEED}, input {number}: {what}, {data[:200]!r}"
            assert work < WORK, f"{told}: {work:.1f} s of work"
            assert accepted(db) - before == (what == "stored"), told
            assert [path.suffix for path in left] == {"in a file": [".json"], "kept": [".raw"]}.get(what, []), told
            for path in left:
                path.unlink()
            seen[what] += 1
    assert all(seen[what] for what in ("stored", "kept", "refused")), seen
    assert {path.name for path in tmp_path.iterdir()} == {"data", "in", "out", "err"}


def accepted(db: sqlite3.Connection) -> int:
    return db.execute("select accepted from books").fetchone()[0]


def outcome(answer: dict[str, str], err: bytes) -> str:
    """What the hook says that it did; that it says so in its one form is checked."""
    assert list(answer) in (["output"], ["error"])
    (text,) = answer.values()
    assert COOKIE not in text
    if "output" in answer:
        assert err == b""
        return "in a file" if "in a file" in text else "stored"
    if text.endswith("is no task"):
        assert err == b"", "Stash itself logs what went wrong with a task"
        return "refused"
    assert err.startswith(b"\x01e\x02PlexSync: ")
    assert err.count(b"\n") == 1
    assert err.decode().strip().splitlines() == [err.decode().strip()]
    return "kept" if "it is kept in" in text else "refused"


@pytest.mark.parametrize("cut", range(0, 240, 7))
def test_an_event_that_is_cut_is_stored_or_kept(cut: int, folder: Path) -> None:
    """Stash may be stopped while it writes: what tells its id is stored, the rest is kept for a person."""
    data = SEEDS[0][: len(SEEDS[0]) - cut]
    found = hook.parse_event(data) if data.strip() else None
    assert found is None or found[:2] == ("scene", 7)

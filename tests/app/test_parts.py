"""How the parts are made from the settings, and a worker served from them."""

import os
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, nullcontext

import pytest

from plexsync.app.clients import stash_client
from plexsync.app.database_files import DATABASE
from plexsync.app.fingerprints import client_id, wishes
from plexsync.app.further_flows import further_flows
from plexsync.app.imports import import_parts
from plexsync.app.parts import open_parts
from plexsync.app.rules import look_rules, profile, work_rules
from plexsync.app.run import engine, further_looks, serve, take_up
from plexsync.app.switches import bulk_approved
from plexsync.engine import loop
from plexsync.engine.clock import SystemClock
from plexsync.engine.gate_rows import breaker_probe_at
from plexsync.engine.tickets import READ_STASH
from plexsync.rules.queue.job import DAY, Kind, Why
from plexsync.rules.queue.note_keys import CLOCK_SEEN, REPAIRED
from plexsync.rules.records import BreakerRow
from plexsync.rules.servers.errors import Damaged
from plexsync.simulator.plex_server import PlexSim
from plexsync.simulator.stash_server import StashSim
from plexsync.store.database import Database
from plexsync.store.db import connect
from tests.journey.world import KEY, ROOT, TOKEN, until
from tests.stores import look
from tests.tables import table
from validation.config import PlexSyncConfig


def test_each_installation_has_a_client_id_of_its_own_that_stays(tmp_path):
    folders = [tmp_path / name for name in ("one", "two")]
    seen = []
    with PlexSim(token="t") as plex:
        plex.add_section("Movies")
        for folder in (*folders, *folders):
            folder.mkdir(mode=0o700, exist_ok=True)
            with open_parts(PlexSyncConfig(plex_url=plex.url, plex_token="t"), folder) as parts:
                parts.plex.sections()
            seen.append(plex.log[-1].headers["x-plex-client-identifier"])
    assert seen[:2] == seen[2:]
    assert len(set(seen)) == 2


def test_a_client_id_does_not_tell_the_salt(tmp_path):
    store = Database(tmp_path / DATABASE)
    try:
        made = client_id(store)
        with store.reading() as db:
            assert db.notes.text("salt") not in made
    finally:
        store.close()


def test_an_unknown_end_is_waited_for_as_long_as_a_request_can_take():
    config = PlexSyncConfig(plex_url="http://nas", plex_token="t", plex_read_timeout=7)
    assert work_rules(config).deadline == 14_000


@contextmanager
def worker_of(parts):
    with engine(parts, threading.Event()) as works:
        take_up(parts, works)
        yield


@pytest.mark.parametrize("process", [worker_of, lambda parts: nullcontext(import_parts(parts))])
def test_a_process_waits_for_what_an_earlier_one_has_sent_before_the_clock_leapt(tmp_path, process):
    config = PlexSyncConfig(plex_url="http://127.0.0.1:9", plex_token="t", stash_url="http://127.0.0.1:9")
    with open_parts(config, tmp_path, worker=True) as parts:
        before = parts.clock.now() - round(parts.clock.monotonic() * 1000) - DAY
        with parts.store.writing() as tx:
            tx.notes.save(CLOCK_SEEN, f"{before}")
        with process(parts):
            assert parts.expiry.certain_end() < parts.clock.now() - DAY / 2


# --- parts that are off ----------------------------------------------------------------------------------------------


def further_kinds(folder, **given):
    config = PlexSyncConfig(plex_url="http://127.0.0.1:9", plex_token="t", stash_url="http://127.0.0.1:9", **given)
    with open_parts(config, folder, worker=True) as parts:
        return [flow.kind for added in further_flows(parts) for flow in added.flows]


def test_a_flow_that_is_off_is_not_put_together(tmp_path):
    assert further_kinds(tmp_path) == []
    assert further_kinds(tmp_path, watch_back="plays") == ["plays"]
    assert further_kinds(tmp_path, rating_direction="both") == ["rating", "ratingback"]
    assert further_kinds(tmp_path, collection_parts=["poster"]) == ["collection"]


PLAY = "play (scene, moment, scene_created_at, item, history_key, state) values (1, 1, '', '', '', 'added')"
RESUME = """
resume (scene, scene_created_at, item, moment, view_count, view_offset, position, position_before)
values (1, '', '1', 1, 1, 0, 0, 0)
"""
TAG = "collection (source, object, library, section, name, name_key) values ('tag', 1, 'a', '1', 'A', 'a')"


@pytest.mark.parametrize(
    ("kind", "written"), [("plays", PLAY), ("plays", RESUME), ("collection", TAG)], ids=["play", "resume", "collection"]
)
def test_a_flow_that_is_off_stays_to_take_back_what_it_has_written(tmp_path, kind, written):
    assert further_kinds(tmp_path) == []
    with look(tmp_path) as db:
        db.execute(f"insert into {written}")
    assert further_kinds(tmp_path) == [kind]


def test_a_database_that_can_not_be_read_now_keeps_no_worker_from_its_start(tmp_path):
    config = PlexSyncConfig(plex_url="http://127.0.0.1:9", plex_token="t", stash_url="http://127.0.0.1:9")
    with open_parts(config, tmp_path, worker=True) as parts:
        with look(tmp_path) as db:
            db.execute("alter table play rename to away")
        assert [flow.kind for added in further_flows(parts) for flow in added.flows] == ["plays"]


def test_what_is_off_is_not_imported_by_a_worker():
    code = "import sys, plexsync.app.run; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    off = (
        "plexsync.flows.plays",
        "plexsync.flows.collections",
        "plexsync.flows.imports",
        "plexsync.app.probe",
        "plexsync.engine.notifications",
    )
    assert "plexsync.flows.scenes.inspection" in loaded.split()
    assert [name for name in loaded.split() if name.startswith(off)] == []


# --- what is wanted, and whether it may be written as a whole --------------------------------------------------------

OTHER = {
    **{
        f"sync_{name}": False
        for name in ("title", "studio", "summary", "date", "rating", "cast", "genres", "collection")
    },
    "path_map": ["/a => /b"],
    "match_by_duration": True,
    "title_template": "{studio}: {title}",
    "date_added": "created",
    "tagline_template": "{code}",
    "performer_name": "{name}[ ({disambiguation})]",
    "genre_tags": "A, -B",
    "tag_parents": True,
    "collections": "parents",
    "libraries": {"Clips": {"sync_title": False}},
    "scope": ["organized"],
    "scope_match": "any",
    "plex_libraries": "Clips",
    "strict_mode": True,
    "conflict_policy": "plex",
    "first_push": "stash",
}


MADE = {
    "scope": "tag: A; studio: B",
    "title_template": "{studio}: {title}",
    "genre_tags": "A, B, C*, -D",
    "label_tags": "B",
}


def config(**given):
    return PlexSyncConfig(plex_url="http://plex", plex_token="x" * 20, **given)


@table("name", OTHER)
def test_the_print_of_what_is_wanted_differs_with_each_setting_that_decides_it(name):
    assert wishes(config(**{name: OTHER[name]})) != wishes(config())


@pytest.mark.parametrize(
    ("given", "field"),
    [({"date_added": "date"}, "addedAt"), ({"tagline_template": "{code}"}, "tagline"), ({}, None)],
)
def test_a_field_without_a_switch_is_on_if_its_setting_is(given, field):
    assert profile(config(**given)).fields & {"addedAt", "tagline"} == ({field} if field else set())


def test_stash_is_asked_for_more_only_where_a_library_shows_it():
    apart = {"performer_name": "{name}[ ({disambiguation})]", "date_added": "file"}
    for given, more in (({}, False), (apart, True), ({"libraries": {"Clips": apart}}, True)):
        asked = config(**given)
        client = stash_client(asked, SystemClock(), look_rules(asked), alive=lambda: None)
        assert (client.requests.more["people"], client.requests.more["file_times"]) == (more, more)
        client.close()


def test_it_is_the_same_in_every_process_and_whatever_else_is_set():
    code = (
        "from tests.app.test_parts import MADE, config; from plexsync.app.fingerprints import wishes; "
        "print(wishes(config(**MADE)))"
    )
    prints = {
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("1", "2")
    }
    assert prints == {wishes(config(**MADE, poll_interval=5, max_retries=7, stash_url="http://x"))}
    assert prints == {wishes(config(**MADE, watch_back="plays", watch_account="2", watch_since="2026-01-31"))}
    # The scene flow leaves ratings that go both ways, so a comparison follows. Which side wins then is no matter of it.
    both = wishes(config(**MADE, rating_direction="both"))
    assert prints != {both}
    assert both == wishes(config(**MADE, rating_direction="both", rating_wins="plex"))
    assert both == wishes(config(**MADE, sync_rating=False))


def test_a_database_that_was_made_anew_after_damage_is_not_asked_again(tmp_path):
    tmp_path.chmod(0o700)
    with open_parts(config(), tmp_path) as parts:
        assert not bulk_approved(parts)
        with parts.store.writing() as tx:
            tx.notes.save(REPAIRED, "1")
        assert bulk_approved(parts)


# --- serving through faults of our own disk --------------------------------------------------------------------------


@pytest.fixture
def town(tmp_path):
    """Settings for two servers that answer, and a folder for the database."""
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    with StashSim(api_key=KEY) as stash, PlexSim(token=TOKEN) as plex:
        plex.add_section("Movies", locations=("/media",))
        stash.add_scene(title="One", files=[("/media/1.mp4", 1, 60.0)])
        urls = {"plex_url": plex.url, "plex_token": TOKEN, "stash_url": stash.url, "stash_api_key": KEY}
        yield PlexSyncConfig(**urls, stash_poll_interval=5), folder


def served(parts, stop, told=lambda _step: None):
    """`serve` in a thread of its own, and what it ended by."""
    ended = []

    def act():
        try:
            serve(parts, stop, told)
            ended.append(None)
        except BaseException as error:  # noqa: BLE001 - whatever it was
            ended.append(error)

    thread = threading.Thread(target=act)
    thread.start()
    return thread, ended


def test_a_worker_that_starts_on_a_busy_database_waits_for_it(town, monkeypatch):
    settings, folder = town
    monkeypatch.setattr(loop, "FAULT_PAUSE", 0.05)
    monkeypatch.setitem(connect.__kwdefaults__, "busy_seconds", 0.05)
    steps, stop = [], threading.Event()
    with open_parts(settings, folder, worker=True) as parts:
        with parts.store.writing() as tx:
            tx.jobs.want(Kind.SCENE, 1, Why.EDIT, 0)
            tx.jobs.claim(1, now=0, lease_ms=60_000, holder="dead")
        other = sqlite3.connect(folder / DATABASE, isolation_level=None)
        other.execute("begin immediate")
        thread, ended = served(parts, stop, steps.append)
        assert not stop.wait(1.0)
        assert (ended, steps) == ([], [])
        other.execute("rollback")
        other.close()
        until(lambda: steps)
        with parts.store.reading() as db:
            assert db.notes.text("cured:paths"), "what comes first was done then"
            assert db.notes.text("reconcile:wishes")
        stop.set()
        thread.join(20)
    assert ended == [None]


def test_a_stash_that_refuses_is_knocked_at_every_two_seconds(town):
    settings, folder = town
    at = time.time() - 10
    with open_parts(settings, folder, worker=True) as parts:
        with parts.store.writing() as tx:
            tx.breakers.save(READ_STASH.row, BreakerRow(state="open", opened_at=at, wait=86_400))
        heard = []
        found = further_looks(parts, print, lambda: heard.append(at))
        look = {look.name: look for look in found}["return"]
        assert look.least == 2

        def rest() -> float:
            with parts.store.reading() as db:
                return breaker_probe_at(db.breakers.find(READ_STASH.row), parts.settings.breaker) - parts.clock.now()

        assert rest() > 0
        look.act()
        assert look.again(), "whatever changes in the database"
        assert rest() <= 0
        assert heard == [at], "its log is listened to at once"


def test_damage_that_only_the_poller_meets_ends_the_worker_so_that_the_next_one_mends_it(town):
    settings, folder = town
    with open_parts(settings, folder, worker=True) as parts:
        parts.poller.poll()
        with parts.store.writing() as tx:
            tx.poll_marks.forget(Kind.SCENE)
    with sqlite3.connect(folder / DATABASE) as db:
        db.execute("pragma wal_checkpoint(truncate)")
        (page,) = db.execute("select rootpage from sqlite_master where name = 'seen'").fetchone()
    db.close()
    with (folder / DATABASE).open("r+b") as file:
        file.seek(4096 * (page - 1))
        file.write(b"\xff" * 4096)
    stop = threading.Event()
    with open_parts(settings, folder, worker=True) as parts:
        thread, ended = served(parts, stop)
        thread.join(30)
        stop.set()
        thread.join(30)
    assert [type(one) for one in ended] == [Damaged]

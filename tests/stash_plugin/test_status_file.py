"""The status that the worker writes for the page in Stash: whole, fresh, and without a secret or a path."""

import json
import shutil
import threading

import pytest

from plexsync.app.parts import open_parts
from plexsync.cli.daemon import status_file
from plexsync.cli.daemon.dashboard_process import DashboardEntry
from plexsync.cli.daemon.status_file import FILE, StatusFile, page_facts, without_paths
from plexsync.rules.queue.job import Kind, Why
from plexsync.rules.records import HoldRow
from plexsync.store.files.lock import try_lock
from tests.journey.world import until
from tests.patience import HANG
from validation.config import PlexSyncConfig
from validation.sources import Loaded

SECRET = "a-token-that-is-secret"


@pytest.fixture
def parts(tmp_path):
    config = PlexSyncConfig(plex_url="http://127.0.0.1:9", plex_token=SECRET, path_map=("/media/a => /media/b",))
    with open_parts(config, tmp_path / "data", worker=True) as made:
        yield made


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("no library has /media/films/a b.mp4 in it", "no library has … b.mp4 in it"),
        ("'/media/films' is away", "'…' is away"),
        (r"see C:\Users\me\x and \\nas\films", "see … and …"),
        ("Plex at http://nas:32400 did not answer", "Plex at http://nas:32400 did not answer"),
        ("3/4 done, and/or more", "3/4 done, and/or more"),
    ],
)
def test_a_path_in_a_message_is_left_out(text, shown):
    assert without_paths({"holds": [text]}) == {"holds": [shown]}


def test_what_the_page_is_given_holds_no_secret_and_no_path(parts, tmp_path):
    shown = json.dumps(page_facts(parts))
    assert SECRET not in shown
    assert "/media" not in shown
    assert str(tmp_path) not in shown
    assert "index" not in shown


def test_it_is_written_at_once_after_a_change_and_again_after_an_update_of_the_plugin(parts, tmp_path, monkeypatch):
    monkeypatch.setattr(status_file, "LOOK", 0.02)
    folder, ended = tmp_path / "plugin" / "served", threading.Event()
    folder.parent.mkdir()
    writer = StatusFile(parts, folder, ended)
    writer.start()
    until((folder / FILE).exists)
    with parts.store.writing() as tx:
        tx.jobs.want(Kind.SCENE, 1, Why.EDIT, parts.clock.now())
    until(lambda: json.loads((folder / FILE).read_text())["scenes"]["waiting"]["count"] == 1)
    # What is written just now goes with it.
    folder.rename(tmp_path / "before the update")
    until((folder / FILE).exists)
    writer.end()
    assert list(folder.iterdir()) == []


# --- several Plex servers --------------------------------------------------------------------------------------------


@pytest.fixture
def entries(tmp_path):
    """Two servers, the second one with a hold in its database."""
    made = []
    for name in ("living", "attic"):
        folder = tmp_path / ("data" if name == "living" else "data/plex-attic")
        config = PlexSyncConfig(plex_url=f"http://{name}:9", plex_token=SECRET, approve_bulk=True)
        with open_parts(config, folder) as own, own.store.writing() as tx:
            if name == "attic":
                tx.holds.save("plex", HoldRow("plex_token", f"{tmp_path}/x is wrong", 1, 2, ""))
        made.append(DashboardEntry(Loaded(config, {}, plex=name, servers=("living", "attic")), folder))
    return made


def test_of_a_single_server_it_is_as_before(parts, entries):
    assert "servers" not in page_facts(parts)
    assert page_facts(parts, entries[:1]).keys() == page_facts(parts).keys()


def test_of_several_servers_the_verdict_of_each_is_in_it(parts, entries, tmp_path):
    shown = page_facts(parts, entries)
    assert shown["plex"] == "living"
    assert shown["problem"] == ""
    living, attic = shown["servers"]
    assert living == {"plex": "living", "verdict": shown["verdict"]}
    assert attic["plex"] == "attic"
    assert attic["verdict"]["tone"] == "bad"
    bad = [part["text"] for part in attic["verdict"]["parts"] if part["tone"] == "bad"]
    assert bad == ["Plex does not let PlexSync in", "no worker runs"]
    assert SECRET not in json.dumps(shown)
    assert str(tmp_path) not in json.dumps(shown)


def test_while_they_start_no_worker_is_missed_and_no_database(parts, entries):
    started = json.dumps(page_facts(parts, entries, starting=True))
    assert "Plex does not let PlexSync in" in started
    shutil.rmtree(entries[1].folder)
    (entries[1].folder).mkdir()
    assert len(page_facts(parts, entries, starting=True)["servers"]) == 1
    missing = page_facts(parts, entries)
    assert [one["plex"] for one in missing["servers"]] == ["living"]
    assert missing["problem"].startswith("attic: plexsync.db can't be read")


def test_a_further_server_whose_worker_runs_is_not_missed(parts, entries):
    with try_lock(entries[1].folder):
        attic = page_facts(parts, entries)["servers"][1]
    assert "no worker runs" not in json.dumps(attic)


def test_a_plugin_that_is_gone_is_not_made_anew(parts, tmp_path, monkeypatch):
    monkeypatch.setattr(status_file, "LOOK", 0.02)
    ended = threading.Event()
    writer = StatusFile(parts, tmp_path / "gone" / "served", ended)
    writer.start()
    assert not ended.wait(0.2)
    ended.set()
    writer.join(HANG)
    assert not (tmp_path / "gone").exists()

"""The status that the worker writes for the page in Stash: whole, fresh, and without a secret or a path."""

import json
import threading

import pytest

from plexsync.app.parts import opened
from plexsync.cli.daemon import status_file
from plexsync.cli.daemon.status_file import FILE, StatusFile, page_facts, without_paths
from plexsync.rules.job import Kind, Why
from tests.journey.world import until
from tests.patience import HANG
from validation.config import PlexSyncConfig

SECRET = "a-token-that-is-secret"


@pytest.fixture
def parts(tmp_path):
    config = PlexSyncConfig(plex_url="http://127.0.0.1:9", plex_token=SECRET, path_map=("/media/a => /media/b",))
    with opened(config, tmp_path / "data", worker=True) as made:
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


def test_a_plugin_that_is_gone_is_not_made_anew(parts, tmp_path, monkeypatch):
    monkeypatch.setattr(status_file, "LOOK", 0.02)
    ended = threading.Event()
    writer = StatusFile(parts, tmp_path / "gone" / "served", ended)
    writer.start()
    assert not ended.wait(0.2)
    ended.set()
    writer.join(HANG)
    assert not (tmp_path / "gone").exists()

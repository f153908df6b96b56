"""Settings that stand in Stash: who asks for them, what counts while Stash is away, and what is kept of them."""

import json
import os
import signal
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from plexsync.app import asking
from plexsync.app.parts import open_parts
from plexsync.app.settings import PLUGIN, SettingsNeed
from plexsync.cli.call import Call
from plexsync.cli.daemon import settings_watch
from plexsync.cli.daemon.dashboard_process import DashboardEntry
from plexsync.cli.daemon.settings_watch import SettingsWatch
from plexsync.cli.settings import settings
from plexsync.engine.gate_rows import breaker_probe_at
from plexsync.engine.tickets import READ_STASH
from plexsync.rules.queue.job import Kind, State
from plexsync.rules.queue.note_keys import STASH_SETTINGS
from plexsync.rules.records import BreakerRow
from plexsync.simulator.http import Fault
from plexsync.store import intake
from tests.cli.conftest import Door
from tests.cli.terminal import Terminal
from tests.journey.world import TOKEN, World, until
from tests.patience import HANG

AWAY = Fault("refuse")


@pytest.fixture
def told(world: World) -> World:
    """Plex and its token are known to Stash alone."""
    world.unset = ("plex_url", "plex_token")
    world.stash.plugin_settings[PLUGIN] = {"plex_url": world.plex.url, "plex_token": TOKEN, "sync_genres": False}
    return world


def genres(world: World) -> set[str]:
    return {tag for key in world.plex.keys(world.section) for tag in world.plex.item(key).lists.get("genre", ())}


def kept(world: World) -> dict:
    return json.loads(world.rows(f"select value from note where name = '{STASH_SETTINGS}'")[0][0])


def search(folder: Path, word: str) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and word.encode() in path.read_bytes()]


def until_asked_again(world: World) -> None:
    """Wait until the settings have been asked for in Stash once more."""
    asked = asks(world)
    until(lambda: asks(world) > asked)


def asks(world: World) -> int:
    return sum(b"PluginSettings" in request.body for request in list(world.stash.log))


# --- Stash answers ---------------------------------------------------------------------------------------------------


def test_what_stands_in_stash_counts(told: World, door: Door) -> None:
    told.add(2)
    assert door("sync", "--all", "--wait").code == 0
    assert told.plex.count("PUT") == 2
    assert genres(told) == set()
    settings = {one["name"]: one for one in door("doctor", "--json").facts["settings"]}
    assert settings["plex_token"] == {"name": "plex_token", "value": "***", "origin": "Stash"}
    assert settings["sync_genres"] == {"name": "sync_genres", "value": "False", "origin": "Stash"}


def test_what_stands_here_is_stronger(told: World, door: Door) -> None:
    told.settings["sync_genres"] = "true"
    told.add(1)
    assert door("sync", "--all", "--wait").code == 0
    assert genres(told) == {"Tag 0"}


def test_a_wrong_setting_in_stash_is_told_with_its_place(told: World, door: Door) -> None:
    told.stash.plugin_settings[PLUGIN]["max_retries"] = 99
    done = door("drain")
    assert done.code == 2
    assert "max_retries in the plugin settings in Stash must be a whole number from 1 to 20, not 99" in done.err


def test_nothing_is_written_by_a_path_rule_that_is_a_regular_expression_until_it_is_mended(
    world: World, door: Door
) -> None:
    world.add(1)
    world.settings["path_map"] = r"re:^/media/(.*)$ => /media/\1"
    done = door("sync", "--all", "--wait")
    assert done.code == 2
    assert "must hold folders, and rule 1 is a regular expression: write a rule of the form" in done.err.splitlines()[0]
    assert world.plex.count("PUT") == 0
    world.settings["path_map"] = "/media => /media"
    assert door("sync", "--all", "--wait").code == 0
    assert world.plex.count("PUT") == 1


def test_what_has_to_be_known_before_stash_is_asked_has_no_effect_there(told: World, door: Door) -> None:
    told.stash.plugin_settings[PLUGIN] |= {"data_dir": "/nowhere/at/all", "stash_url": "http://127.0.0.1:1"}
    done = door("drain")
    assert done.code == 0
    assert "data_dir in the plugin settings in Stash has no effect: set it in plexsync.toml" in done.err


def test_who_works_asks_once_and_who_looks_at_the_database_asks_nobody(world: World, door: Door) -> None:
    door("status")
    assert world.stash.count() == 0
    door("drain")
    asked = [request for request in world.stash.log if b"PluginSettings" in request.body]
    assert len(asked) == 1
    before = world.stash.count()
    for words in (("status",), ("dlq", "list"), ("outages",), ("ignore", "--list")):
        assert door(*words).code == 0
    assert world.stash.count() == before


@pytest.mark.parametrize("act", [intake.note_call, lambda folder: intake.store(folder, "scene", 5)])
def test_a_worker_notices_a_setting_that_is_saved_in_stash_at_the_next_edit_or_page(
    world: World, door: Door, monkeypatch: pytest.MonkeyPatch, act: Callable[[str], object]
) -> None:
    monkeypatch.setattr(settings_watch, "LOOK_PACE", 0.01)
    monkeypatch.setattr(settings_watch, "SOON", 0)
    world.settings["stash_poll_interval"] = "3600"
    door("drain")
    call = Call()
    current = settings(call, SettingsNeed.WORK)
    with open_parts(current.loaded.config, current.place.path, worker=True) as parts:
        watch = SettingsWatch(call, current, parts, threading.Event())
        watch.start()
        world.stash.plugin_settings[PLUGIN] = {"sync_genres": False}
        asked = asks(world)
        act(str(world.folder))
        until(lambda: watch.fresh)
        watch.end()
    assert watch.fresh is not None
    assert not watch.fresh.loaded.config.sync_genres
    assert asks(world) == asked + 1, "it asks for nothing while Stash tells of nothing"


def test_a_stash_that_has_just_told_its_settings_is_asked_again_at_once(
    world: World, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings_watch, "LOOK_PACE", 0.01)
    monkeypatch.setattr(settings_watch, "SOON", 0)
    world.settings |= {"breaker_recovery_timeout": "60", "breaker_max_recovery_timeout": "300"}
    door("drain")
    call = Call()
    current = settings(call, SettingsNeed.WORK)
    with open_parts(current.loaded.config, current.place.path, worker=True) as parts:
        rules, row = (
            parts.settings.breaker,
            BreakerRow(state="open", opened_at=parts.clock.now() / 1000 - 10, wait=86_400),
        )
        with parts.store.writing() as tx:
            tx.breakers.save(READ_STASH.row, row)

        def due() -> bool:
            with parts.store.reading() as db:
                at = breaker_probe_at(db.breakers.find(READ_STASH.row), rules)
            return at is not None and at <= parts.clock.now()

        assert not due()
        watch = SettingsWatch(call, current, parts, threading.Event())
        watch.start()
        asked = asks(world)
        intake.note_call(str(world.folder))
        until(lambda: asks(world) > asked)
        watch.end()
        assert due()


def test_a_worker_goes_on_with_a_database_that_was_renamed_over_its_own(
    world: World, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a hook has stored there, and acknowledged, waits for nobody else."""
    monkeypatch.setattr(settings_watch, "LOOK_PACE", 0.01)
    world.settings["stash_poll_interval"] = "3600"
    door("drain")
    call, file = Call(), world.folder / "plexsync.db"
    current = settings(call, SettingsNeed.WORK)
    entry = DashboardEntry(current.loaded, world.folder)
    shown = entry.request
    with open_parts(current.loaded.config, current.place.path, worker=True) as parts:
        watch = SettingsWatch(call, current, parts, threading.Event())
        watch.start()
        other = world.folder / "restored.db"
        with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(other)) as copy:
            source.backup(copy)
        assert shown == entry.request
        assert watch.fresh is None
        other.replace(file)
        intake.store(str(world.folder), "scene", 5)
        until(lambda: watch.fresh)
        watch.end()
    assert watch.fresh == current
    assert watch.fresh is not current
    assert shown != entry.request, "the dashboard is started again with it"
    with open_parts(current.loaded.config, current.place.path, worker=True) as parts, parts.store.reading() as db:
        assert db.jobs.find(Kind.SCENE, 5).state is State.READY


# --- Stash is away ---------------------------------------------------------------------------------------------------


def test_no_secret_is_kept(told: World, door: Door, tmp_path: Path) -> None:
    told.stash.plugin_settings[PLUGIN] |= {
        "notify_urls": "json://x/hidden1",
        "old": "hidden2",
        "notify_command": "a hidden3",
    }
    told.settings["notify_urls"] = ""
    told.add(1)
    door("sync", "--all", "--wait")
    door("doctor")
    assert kept(told) == {
        "given": {"plex_url": told.plex.url, "sync_genres": False},
        "withheld": ["notify_urls", "plex_token"],
    }
    assert search(tmp_path, TOKEN) == search(tmp_path, "hidden") == []


LOOKS = [("status",), ("dlq", "list"), ("outages",), ("ignore", "--list")]


@pytest.mark.parametrize("fault", [AWAY, Fault("hang")], ids=["refusing", "hanging"])
def test_looking_asks_no_stash_that_is_away_and_explaining_asks_it_with_little_patience(
    fault: Fault, told: World, door: Door, hasty: None
) -> None:
    door("drain")
    told.stash.faults.set(fault)
    asked = told.stash.count()
    for words in LOOKS:
        assert door(*words).code == 0, words
    assert told.stash.count() == asked
    done = door("explain", "7", "--json")
    assert done.code == 1
    assert "Stash at" in done.facts["error"]
    assert told.stash.count() - asked <= 1
    assert told.plex.count() == 0
    assert asking.ASK_READ < 5, "whoever looks waits for this"


def test_what_is_missing_may_stand_in_stash(told: World, door: Door) -> None:
    told.stash.faults.set(AWAY)
    for words in (*LOOKS, ("explain", "7"), ("drain",), ("reconcile",), ("doctor",)):
        done = door(*words, "--json")
        assert done.code == 2, words
        said = done.out + done.err
        assert "plex_url and plex_token may be set in Stash already, but it can't be asked: Stash at" in said


def test_work_that_needs_a_secret_from_stash_fails_while_it_is_away(told: World, door: Door) -> None:
    door("drain")
    told.stash.faults.set(AWAY)
    done = door("drain")
    assert done.code == 2
    assert "plex_token may be set in Stash already, but it can't be asked" in done.err
    assert "plex_url" not in done.err


@pytest.mark.parametrize("words", [("drain",), ("sync", "1", "--wait"), ("reconcile", "--wait")], ids=" ".join)
def test_no_work_by_settings_that_nobody_has_seen(words: tuple[str, ...], world: World, door: Door) -> None:
    world.add(1)
    world.stash.plugin_settings[PLUGIN] = {"sync_genres": False}
    assert door("sync", "1").code == 0
    world.stash.faults.set(AWAY)
    done = door(*words)
    assert done.code == 1
    assert "Stash at" in done.out + done.err
    assert world.plex.count() == 0
    world.stash.faults.clear()
    # A breath after the failed request.
    until(lambda: door("sync", "1", "--wait").code == 0)
    assert world.plex.count("PUT") == 1
    assert genres(world) == set()


def test_what_stash_said_last_counts_while_it_is_away(world: World, door: Door) -> None:
    world.add(1)
    world.stash.plugin_settings[PLUGIN] = {"enabled": False}
    door("drain")
    world.stash.faults.set(AWAY)
    assert door("status", "--json").facts["worker"]["enabled"] is False
    assert "switched off" in door("sync", "1", "--wait").out


# --- serve -----------------------------------------------------------------------------------------------------------


def test_serve_waits_for_stash_says_so_and_can_be_stopped(told: World) -> None:
    told.stash.faults.set(AWAY)
    process = told.start("serve")
    until(lambda: "waiting for Stash: plex_url and plex_token may be set in Stash" in told.log())
    time.sleep(3)
    assert told.log().count("waiting for Stash") == 1
    assert "`plexsync init` sets them here." in told.log()
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=HANG) == 0
    assert "stopped in good order" in told.log()


def test_serve_does_not_wait_with_a_folder_that_cannot_be_used(told: World, door: Door) -> None:
    told.stash.faults.set(AWAY)
    told.folder.chmod(0o777)
    done = door("serve")
    assert done.code == 2
    assert "can be written by everyone" in done.err


def settings_file(world: World, text: str) -> Path:
    path = world.folder.parent / "plexsync.toml"
    path.write_text(text)
    path.chmod(0o600)
    return path


def test_serve_goes_on_with_changed_settings_and_without_wrong_ones(world: World) -> None:
    world.unset = ("plex_token", "sync_genres")
    path = settings_file(world, f'plex_token = "{TOKEN}"\nsync_genres = false\n')
    world.settings["config"] = str(path)
    (first,) = world.add(1)
    with world.serving() as process:
        until(lambda: world.count("idle") == 1)
        assert genres(world) == set()

        settings_file(world, f'plex_token = "{TOKEN}"\nsync_genres = "perhaps"\n')
        until(lambda: "changed settings can't be used" in world.log())
        # Longer than from one look at them to the next, which nobody sees: it ends before Stash is asked.
        time.sleep(6.5)
        world.stash.edit_scene(first, title="Once more")
        until(lambda: world.plex.item(world.plex.keys(world.section)[0]).scalars["title"] == "Once more")
        assert world.log().count("changed settings can't be used") == 1

        watches = 'watch_account = "Guest"\nwatch_since = "2026-01-31"\n'
        settings_file(world, f'plex_token = "{TOKEN}"\nmax_retries = 7\ndata_dir = "/somewhere/else"\n{watches}')
        world.settings["data_dir"] = str(world.folder)
        names = "max_retries, sync_genres, watch_account, watch_since"
        until(lambda: f"settings changed: {names}; going on with them" in world.log())
        world.stash.edit_scene(first, title="And again")
        until(lambda: genres(world) == {"Tag 0"})
        assert process.poll() is None
        assert world.json("status")["worker"]["running"] is True
    assert "Traceback" not in world.log()
    assert TOKEN not in world.log()
    assert "perhaps" not in world.log().replace('not "perhaps"', "")


def test_another_folder_needs_a_restart(world: World) -> None:
    path = settings_file(world, f'data_dir = "{world.folder}"\n')
    world.unset = ("data_dir",)
    world.settings["config"] = str(path)
    with world.serving():
        until(lambda: "serving" in world.log())
        settings_file(world, f'data_dir = "{world.folder}2"\n')
        until(lambda: "data_dir changed: the folder in use stays in use" in world.log())
        until_asked_again(world)
    assert world.log().count("data_dir changed") == 1
    assert not Path(f"{world.folder}2").exists()


def test_what_was_kept_does_not_outlive_a_restore(world: World, door: Door, tmp_path: Path) -> None:
    door("drain")
    copy = tmp_path / "copy.db"
    assert door("backup", str(copy)).code == 0
    world.stash.plugin_settings[PLUGIN] = {"sync_genres": False}
    assert door("restore", str(copy), "--yes").code == 0
    world.add(1)
    world.stash.faults.set(AWAY)
    assert door("sync", "1", "--wait").code == 1
    assert world.plex.count() == 0


# --- secrets in files ------------------------------------------------------------------------------------------------


def test_a_secret_in_a_file_counts_and_is_hidden(world: World, door: Door, tmp_path: Path, monkeypatch) -> None:
    world.add(1)
    (tmp_path / "token").write_text(TOKEN + "\n", encoding="utf-8")
    monkeypatch.setenv("PLEXSYNC_PLEX_TOKEN_FILE", str(tmp_path / "token"))
    world.unset = ("plex_token",)
    assert door("sync", "--all", "--wait").code == 0
    settings = {one["name"]: one for one in door("doctor", "--json").facts["settings"]}
    assert settings["plex_token"] == {"name": "plex_token", "value": "***", "origin": "file named in the environment"}
    (tmp_path / "token").unlink()
    done = door("status")
    assert done.code == 2
    assert "PLEXSYNC_PLEX_TOKEN_FILE must name a file that exists" in done.err


# --- nobody has set anything up --------------------------------------------------------------------------------------

NOT_SET_UP = "Not set up yet. Run `plexsync init`.\n"


@pytest.mark.parametrize(
    "words",
    [
        *(["status"], ["doctor"], ["sync", "--all"], ["drain"], ["dlq", "list"], ["explain", "7"]),
        *(["ignore", "7"], ["reconcile"], ["backup", "copy.db"], ["outages"], ["status", "--data-dir", "here"]),
    ],
    ids=" ".join,
)
def test_without_a_configuration_every_command_says_so_and_nothing_else(words: list[str], door: Door) -> None:
    done = door(*words)
    assert (done.code, done.out, done.err) == (2, "", NOT_SET_UP)
    assert door(*words, "--json").facts == {"error": NOT_SET_UP.strip()}


def test_serve_on_a_terminal_without_its_dashboard_ends_so_too(bare: None, tmp_path: Path) -> None:
    with Terminal(["serve", "--no-web"], {"HOME": str(tmp_path), "PATH": os.environ["PATH"]}, cwd=tmp_path) as terminal:
        assert terminal.end() == 2
        assert terminal.text.replace("\n", "") == NOT_SET_UP.strip()


def test_a_file_that_lacks_a_setting_is_told_of_and_not_called_none(door: Door, tmp_path: Path) -> None:
    file = tmp_path / "home" / ".config" / "plexsync" / "plexsync.toml"
    file.parent.mkdir(parents=True)
    file.write_text('plex_url = "http://127.0.0.1:9"\n')
    file.chmod(0o600)
    done = door("status")
    assert "plex_token" in done.err
    assert NOT_SET_UP.strip() not in done.err

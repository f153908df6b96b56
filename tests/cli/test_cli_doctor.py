"""doctor: each check as one line, how to mend it, and the exit code."""

import importlib.util
import re
import resource
import shutil
import socket
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest

from plexsync.cli.checks.check import Check
from plexsync.cli.checks.machine import folder
from plexsync.cli.checks.paths import rules_of, suggest_rules
from plexsync.cli.checks.servers import clock_check, other_database, version_check
from plexsync.extras import PARTS
from plexsync.rules.match.paths import map_path, name_key, path_key, unmap_path
from plexsync.rules.queue.worker_ends import after_end
from plexsync.simulator.http import Fault
from plexsync.simulator.plex_server import VERSION
from plexsync.simulator.stash_hooks import HookRunner
from plexsync.store import intake
from plexsync.store.files.lock import try_lock
from tests.cli.conftest import Answer, Door
from tests.inspections import out_of_inspection
from tests.journey.world import KEY, ROOT, TOKEN, World
from validation import path_rules
from validation.config import PlexSyncConfig


def check(done: Answer, name: str) -> dict[str, str]:
    """The worst check of a name."""
    found = [one for one in done.facts["checks"] if one["name"] == name]
    return max(found, key=lambda one: ("ok", "warning", "problem").index(one["state"]))


def test_all_well(world: World, door: Door) -> None:
    world.add(60)
    door("status")
    done = door("doctor", "--json")
    assert done.code == 0
    assert done.facts["well"] is True
    states = {one["name"]: one["state"] for one in done.facts["checks"]}
    assert states.pop("needs you") == "warning", "no worker runs"
    assert set(states.values()) == {"ok"}
    assert set(states) == {
        "program",
        "configuration",
        "notifications",
        "data folder",
        "free space",
        "database",
        "SQLite",
        "books",
        "log",
        "Stash",
        "clock of Stash",
        "plugin in Stash",
        "edits in Stash",
        "Plex",
        "edits in Plex",
        "evidence",
        "clock of Plex",
        "libraries",
        "worker",
        "dead letters",
        "path mapping",
    }
    assert check(done, "libraries")["told"] == "Movies (/media/scenes)"
    assert "50 found by full path" in check(done, "path mapping")["told"]
    assert world.plex.count("PUT") == 0


def test_settings_are_told_with_their_origin_and_secrets_masked(world: World, door: Door) -> None:
    settings = {one["name"]: one for one in door("doctor", "--json").facts["settings"]}
    assert settings["plex_token"] == {"name": "plex_token", "value": "***", "origin": "environment"}
    assert settings["max_retries"] == {"name": "max_retries", "value": "5", "origin": "default"}


def test_in_words(world: World, door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    told = door("doctor").out
    for words in ("plex_token", "***", "plexsync serve", "0 problems, 1 warning"):
        assert words in told
    assert max(map(len, told.splitlines())) <= 80
    assert TOKEN not in told
    assert KEY not in told


def test_every_problem_of_the_settings_is_told_at_once(world: World, door: Door) -> None:
    world.settings |= {"max_retries": "0", "plex_url": "ftp://plex"}
    done = door("doctor", "--json")
    assert done.code == 2
    told = " ".join(one["told"] for one in done.facts["checks"])
    assert "max_retries" in told
    assert "plex_url" in told


def test_a_newer_database_ends_with_3(world: World, door: Door) -> None:
    door("status")
    db = sqlite3.connect(world.folder / "plexsync.db")
    db.execute("pragma user_version = 99")
    db.close()
    done = door("doctor", "--json")
    assert done.code == 3
    assert check(done, "database")["state"] == "problem"


def test_a_corrupt_database_ends_with_2(world: World, door: Door) -> None:
    (world.folder / "plexsync.db").write_bytes(b"nonsense" * 1000)
    done = door("doctor", "--json")
    assert done.code == 2
    assert "data_dir" in check(done, "database")["mend"]


def test_a_data_folder_that_others_may_look_into_is_a_warning(world: World, door: Door) -> None:
    world.folder.chmod(0o755)
    done = door("doctor", "--json")
    assert done.code == 0
    assert "chmod 700" in check(done, "data folder")["mend"]


def test_a_database_that_others_may_read_is_a_warning(world: World, door: Door) -> None:
    door("status")
    (world.folder / "plexsync.db").chmod(0o644)
    assert "chmod 600" in check(door("doctor", "--json"), "data folder")["mend"]


def test_a_plugin_with_a_database_of_its_own_is_a_warning(world: World, door: Door, tmp_path: Path) -> None:
    door("status")
    assert list(other_database(world.folder, "")) == []
    assert list(other_database(world.folder, str(tmp_path / "stash" / "config.yaml"))) == []
    theirs = tmp_path / "stash" / "plexsync"
    assert door("status", "--data-dir", str(theirs)).code == 0
    (found,) = other_database(world.folder, str(tmp_path / "stash" / "config.yaml"))
    assert (found.state, found.mend) == ("warning", f"set data_dir to {theirs}")
    assert list(other_database(theirs, str(tmp_path / "stash" / "config.yaml"))) == []


@pytest.mark.parametrize(
    ("name", "setting", "value", "words"),
    [
        ("Plex", "plex_token", "another-token-0123456789", "change plex_token"),
        ("Stash", "stash_api_key", "another-key-0123456789", "change stash_api_key"),
        ("Plex", "plex_libraries", "Filme", "change plex_libraries"),
        ("Plex", "plex_url", "http://127.0.0.1:1", "is plex_url right?"),
        ("Stash", "stash_url", "http://127.0.0.1:1", "is stash_url right?"),
    ],
)
def test_a_server_that_does_not_let_us_in_ends_with_1(
    name: str, setting: str, value: str, words: str, world: World, door: Door
) -> None:
    world.settings[setting] = value
    done = door("doctor", "--json")
    assert done.code == 1
    assert check(done, name)["state"] == "problem"
    assert words in check(done, name)["mend"]
    assert (check(done, name)["told"] + check(done, name)["mend"]).count("is it running") <= 1
    assert not [one for one in done.facts["checks"] if one["name"] == "path mapping"]


@pytest.fixture
def named(monkeypatch: pytest.MonkeyPatch, world: World) -> None:
    """Plex has a host name, as in a network of containers."""
    resolve = socket.getaddrinfo

    def resolved(host: object, *args: Any, **more: Any) -> Any:
        return resolve("127.0.0.1" if host in ("plex-container", b"plex-container") else host, *args, **more)

    monkeypatch.setattr(socket, "getaddrinfo", resolved)
    world.settings["plex_url"] = world.plex.url.replace("127.0.0.1", "plex-container")


def test_a_plex_that_does_not_know_its_host_name_is_told_from_a_refused_token(
    named: None, world: World, door: Door
) -> None:
    world.plex.unknown_hosts = frozenset({"plex-container"})
    done = door("doctor", "--json")
    assert done.code == 1
    told, mend = (check(done, "Plex")[name] for name in ("told", "mend"))
    assert f"does not know the host name in plex_url (401), and accepts plex_token at {world.plex.url}" in told
    assert mend == f"set plex_url to {world.plex.url}, or claim the server: sign in to it in Plex"
    world.settings["plex_url"] = world.plex.url
    assert door("doctor").code == 0


def test_a_token_that_is_refused_under_the_address_too_is_a_refused_token(
    named: None, world: World, door: Door
) -> None:
    world.plex.token = "another-token-0123456789"
    done = door("doctor", "--json")
    assert check(done, "Plex")["mend"] == "change plex_token"
    assert (
        "does not accept plex_token (401), or does not know the host name plex-container" in check(done, "Plex")["told"]
    )


def test_a_foreign_server_is_a_problem(world: World, door: Door) -> None:
    world.plex.faults.set(Fault("html"))
    assert door("doctor").code == 1


def test_a_hold_is_lifted_when_the_server_lets_us_in_again(world: World, door: Door) -> None:
    world.plex.token = "another"
    world.add(1)
    door("sync", "--all", "--wait")
    assert "plex" in door("status", "--json").facts["holds"]
    world.plex.token = TOKEN
    assert door("doctor").code == 0
    assert door("status", "--json").facts["holds"] == {}


def test_switched_off_is_a_warning(world: World, door: Door) -> None:
    world.settings["enabled"] = "false"
    assert check(door("doctor", "--json"), "enabled")["mend"] == "set enabled = true"


def test_a_dashboard_that_serve_can_not_have_is_a_warning(world: World, door: Door) -> None:
    world.settings["web_bind"] = "0.0.0.0:9797"
    done = door("doctor", "--json")
    assert done.code == 0
    found = check(done, "dashboard")
    assert (found["state"], "web_password has to be set" in found["told"]) == ("warning", True)
    world.settings["web_password"] = "four or five words do"
    assert not [one for one in door("doctor", "--json").facts["checks"] if one["name"] == "dashboard"]


@pytest.mark.parametrize("package", PARTS["web"].modules)
def test_the_dashboard_counts_as_installed_with_all_its_packages(
    package: str, world: World, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == package else real(name))
    assert "not installed: web (the dashboard)" in check(door("doctor", "--json"), "program")["told"]


def test_a_table_of_a_library_that_there_is_not_is_a_warning(world: World, door: Door) -> None:
    world.settings["libraries"] = '{"movies": {"sync_title": false}}'
    assert check(door("doctor", "--json"), "libraries")["state"] == "ok"
    world.settings["libraries"] = '{"Moveis": {"sync_title": false}}'
    done = door("doctor", "--json")
    assert done.code == 0
    found = check(done, "libraries")
    assert (found["state"], '[libraries."Moveis"]' in found["told"]) == ("warning", True)


def test_a_home_that_this_user_may_not_look_into_is_no_fault_of_ours(
    world: World, door: Door, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out_of_inspection(monkeypatch, tmp_path / "home")
    done = door("doctor", "--json")
    assert done.code == 0
    assert "there is no plexsync.toml" in done.out
    assert "is left out: this user may not look into its folder" in done.out


def test_a_data_folder_that_this_user_may_not_look_into_is_a_problem(
    world: World, door: Door, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "theirs" / "data").mkdir(parents=True)
    out_of_inspection(monkeypatch, tmp_path / "theirs")
    done = door("doctor", "--json", "--data-dir", tmp_path / "theirs" / "data")
    assert done.code == 2
    assert check(done, "database")["state"] == "problem"


def test_no_movie_library_is_a_problem(world: World, door: Door) -> None:
    world.plex.faults.clear()
    world.settings["plex_libraries"] = ""
    with type(world.plex)(token=TOKEN) as empty:
        world.settings["plex_url"] = empty.url
        done = door("doctor", "--json")
    assert done.code == 1
    assert "no movie library" in check(done, "Plex")["told"]


# --- what else can be wrong ------------------------------------------------------------------------------------------


def test_a_clock_that_is_astray_is_a_warning(world: World, door: Door) -> None:
    world.plex.ahead, world.stash.ahead = 7_200, -90
    done = door("doctor", "--json")
    assert done.code == 0
    assert check(done, "clock of Plex")["told"] == "2 h ahead of the one here"
    assert "behind" in check(done, "clock of Stash")["told"]
    assert "clocks by the network" in check(done, "clock of Plex")["mend"]


@pytest.mark.parametrize("date", ["", "yesterday", "Tue, 99 Foo 2026 00:00:00 GMT"])
def test_a_server_that_tells_no_time_is_not_judged_by_it(date: str) -> None:
    assert list(clock_check("Plex", date, 0)) == []


CAST = {
    None: "whether this server takes one there is not known: plexsync probe ITEM, with an item of it, learns it",
    True: "this server takes one there",
    False: "this server takes none there, so none is sent; all other fields are synced",
}


@pytest.mark.parametrize("takes", CAST, ids=str)
def test_other_videos_are_called_that_and_what_is_known_of_a_cast_there_is_told(
    takes: bool | None, world: World, door: Door
) -> None:
    assert not [one for one in door("doctor", "--json").facts["checks"] if one["name"].startswith("cast")]
    clips = world.plex.add_section("Clips", locations=("/media/clips",), agent="com.plexapp.agents.none")
    world.plex.add_section("Own cast", locations=("/media/own",), agent="tv.plex.agents.none")
    world.settings["libraries"] = '{"own cast": {"sync_cast": false}}'
    if takes is not None:
        world.plex.traits.cast_on_other = takes
        key = world.plex.add_movie(clips, files=[("/media/clips/a.mp4", 5, 60_000)])
        assert door("probe", key, "--yes").code == 0
    done = door("doctor", "--json")
    libraries = "Movies (/media/scenes); Clips, Other Videos (/media/clips); Own cast, Other Videos (/media/own)"
    assert check(done, "libraries")["told"] == libraries
    assert check(done, "cast in Other Videos") == {
        "name": "cast in Other Videos", "state": "ok", "told": f"Clips: {CAST[takes]}", "mend": None
    }  # fmt: skip


def test_a_token_of_somebody_with_whom_libraries_are_shared_is_a_warning(world: World, door: Door) -> None:
    world.plex.owner = False
    found = check(door("doctor", "--json"), "libraries")
    assert found["state"] == "warning"
    assert "plexsync init" in found["mend"]


@pytest.mark.parametrize(
    ("enabled", "state", "words"),
    [
        (None, "ok", "not installed"),
        (True, "ok", "is installed and switched on"),
        (False, "warning", "switched off"),
    ],
    ids=["not installed", "switched on", "switched off"],
)
def test_the_plugin_in_stash_is_looked_for(
    enabled: bool | None, state: str, words: str, world: World, door: Door, tmp_path: Path
) -> None:
    if enabled is not None:
        runner = HookRunner.from_manifest(ROOT / "StashPlexSync.yml", dir=str(tmp_path / "stash"))
        runner.enabled = enabled
        world.stash.hooks = runner
    found = check(door("doctor", "--json"), "plugin in Stash")
    assert (found["state"], words in found["told"]) == (state, True)


@pytest.mark.parametrize(
    ("enabled", "state", "words"),
    [
        (None, "ok", "install PlexSync wake-up in Stash"),
        (True, "ok", "none has arrived yet"),
        (False, "warning", "wake-up is switched off"),
    ],
    ids=["not installed", "switched on", "switched off"],
)
def test_it_says_how_edits_arrive_and_looks_for_the_wake_up(
    enabled: bool | None, state: str, words: str, world: World, door: Door, tmp_path: Path
) -> None:
    if enabled is not None:
        manifest = ROOT / "plexsync" / "stash_plugin" / "wake_up" / "PlexSyncWakeUp.yml"
        runner = HookRunner.from_manifest(manifest, dir=str(tmp_path / "stash"))
        runner.enabled = enabled
        world.stash.others.append(runner)
    found = check(door("doctor", "--json"), "edits in Stash")
    assert (found["state"], words in found["told"]) == (state, True)


def test_it_says_how_long_ago_the_last_edit_arrived_and_by_what(world: World, door: Door) -> None:
    world.add(1)
    door("status")
    intake.store(str(world.folder), "scene", 1)
    told = check(door("doctor", "--json"), "edits in Stash")["told"]
    assert re.match(r"the last one arrived by the hook, \d+ s ago", told)
    facts = door("status", "--json").facts["edits"]
    assert (facts["by"], facts["line_at"], facts["poll_at"], facts["log_heard"]) == ("hook", None, None, False)
    assert facts["last_at"] == facts["hook_at"]
    assert re.search(r"edits in Stash +the last one arrived by the hook, \d+ s ago", door("status").out)


def test_a_breaker_that_is_open_is_told_with_when_it_is_tried_again(world: World, door: Door) -> None:
    world.settings |= {"breaker_recovery_timeout": "600", "breaker_max_recovery_timeout": "600"}
    world.add(8)
    door("sync", "--all")
    world.plex.faults.set(Fault("refuse"))
    for _ in range(6):
        door("drain")
    done = door("doctor", "--json")
    found = check(done, "goes on by itself")
    assert found["state"] == "warning"
    assert found["told"].startswith("Plex is down. ")
    assert "refuses connections" in found["told"]
    assert done.code == 1, "it is still away"


def test_more_dead_letters_than_there_should_be_is_a_warning(world: World, door: Door) -> None:
    world.add(1)
    door("status")
    db = sqlite3.connect(world.folder / "plexsync.db")
    db.executemany(
        "insert into job (kind, id, state, lane, wanted_rev, due, since, stirred, cls) "
        "values ('scene', ?, 'dead', 0, 1, 0, 0, 0, 'refused')",
        [(1000 + n,) for n in range(101)],
    )
    db.execute("update book set accepted = accepted + 101")
    db.commit()
    db.close()
    world.settings["dlq_max"] = "100"
    checks = door("doctor", "--json").facts["checks"]
    assert "101: refused 101" in [one["told"] for one in checks if one["name"] == "dead letters"]
    (found,) = [one for one in checks if one["told"].startswith("Too many dead letters. 101 dead letters, more than ")]
    assert found["state"] == "warning"


def test_settings_that_the_group_may_read_are_a_warning(world: World, door: Door, tmp_path: Path) -> None:
    file = tmp_path / "p.toml"
    file.write_text(f'plex_token = "{TOKEN}"\n')
    world.unset = ("plex_token",)
    file.chmod(0o640)
    found = check(door("doctor", "--json", "--config", file), "configuration")
    assert (found["state"], found["mend"]) == ("warning", f"chmod 600 {file}")
    file.chmod(0o600)
    assert check(door("doctor", "--json", "--config", file), "configuration")["state"] == "ok"
    # What holds no secret is no secret.
    file.write_text("max_retries = 7\n")
    world.unset = ()
    file.chmod(0o644)
    assert check(door("doctor", "--json", "--config", file), "configuration")["state"] == "ok"


def test_a_worker_that_runs_and_is_silent_is_a_warning(world: World, door: Door) -> None:
    door("status")
    lock = try_lock(world.folder)
    assert lock is not None
    with lock:
        db = sqlite3.connect(world.folder / "plexsync.db")
        db.execute("insert or replace into note (name, value) values ('worker:beat', '1')")
        db.commit()
        db.close()
        found = check(door("doctor", "--json"), "worker")
    assert found["state"] == "warning"
    assert "hang.txt" in found["mend"]


def test_a_thread_of_the_worker_that_was_started_again_is_a_warning_and_in_the_first_line(
    world: World, door: Door
) -> None:
    door("status")
    lock = try_lock(world.folder)
    assert lock is not None
    with lock:
        db = sqlite3.connect(world.folder / "plexsync.db")
        now = time.time_ns() // 1_000_000
        notes = {"worker:beat": str(now), "worker:thread": after_end("", now, "dashboard (ValueError)")}
        db.executemany("insert or replace into note (name, value) values (?, ?)", notes.items())
        db.commit()
        db.close()
        words = (
            r"a thread of the worker ended by a fault (now|\d+ s ago) and was started again: dashboard \(ValueError\)"
        )
        found = check(door("doctor", "--json"), "goes on by itself")
        assert found["state"] == "warning"
        assert re.search(words, found["told"], re.IGNORECASE)
        assert re.search(words, door("status").out.splitlines()[0], re.IGNORECASE)


def test_a_long_log_beside_the_database_is_a_warning(world: World, door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    door("status")
    monkeypatch.setattr("plexsync.cli.checks.database.LONG_LOG", -1)
    found = check(door("doctor", "--json"), "log of the database")
    assert "plexsync serve" in found["mend"]


# --- path mapping ----------------------------------------------------------------------------------------------------


def other_folders(world: World, count: int) -> None:
    for n in range(count):
        world.plex.add_movie(world.section, files=[(f"/media/scenes/{n}.mp4", 10 + n, 9_000)], title=f"{n}")
        world.stash.add_scene(title=f"{n}", files=[(f"/data/scenes/{n}.mp4", 10 + n, 9.0)])


def test_a_rule_is_suggested_when_all_pairs_agree(world: World, door: Door) -> None:
    other_folders(world, 5)
    done = door("doctor", "--json")
    assert done.code == 0
    found = check(done, "path mapping")
    assert "0 found by full path, 5 by name and size, 0 not at all" in found["told"]
    assert 'path_map = ["/data => /media"]' in found["mend"]

    world.settings["path_map"] = "/data => /media"
    assert "5 found by full path" in check(door("doctor", "--json"), "path mapping")["told"]


def test_rules_are_suggested_for_each_folder_when_pairs_disagree(world: World, door: Door) -> None:
    other_folders(world, 4)
    for n in range(10, 13):
        world.plex.add_movie(world.section, files=[(f"/media/scenes/{n}.mp4", 10 + n, 9_000)], title=f"{n}")
        world.stash.add_scene(title=f"{n}", files=[(f"/clips/{n}.mp4", 10 + n, 9.0)])
    mend = check(door("doctor", "--json"), "path mapping")["mend"]
    assert 'path_map = ["/data => /media", "/clips => /media/scenes"]' in mend


def test_what_is_suggested_beside_rules_is_to_be_added(world: World, door: Door) -> None:
    other_folders(world, 5)
    world.settings["path_map"] = "/nowhere => /media"
    assert check(door("doctor", "--json"), "path mapping")["mend"] == (
        'add to path_map, where it is set: "/data => /media" (5 of 5 files agree)'
    )


def test_a_few_files_that_were_moved_suggest_nothing(world: World, door: Door) -> None:
    world.add(3)
    other_folders(world, 2)
    assert check(door("doctor", "--json"), "path mapping")["state"] == "ok"


def test_without_agreement_an_example_is_shown(world: World, door: Door) -> None:
    other_folders(world, 1)
    mend = check(door("doctor", "--json"), "path mapping")["mend"]
    assert "set path_map" in mend
    assert "/data/scenes/0.mp4 in Stash is /media/scenes/0.mp4 in Plex" in mend


def test_settings_that_everyone_can_read_are_told_with_what_mends_that(
    world: World, door: Door, tmp_path: Path
) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(f'plex_token = "{TOKEN}"\n')
    file.chmod(0o644)
    found = check(door("doctor", "--json", "--config", str(file)), "configuration")
    assert (found["state"], found["mend"]) == ("warning", f"chmod 600 {file}")
    assert "every user of this machine can read plex_token" in found["told"]


def test_nothing_found_at_all_is_a_problem(world: World, door: Door) -> None:
    world.stash.add_scene(title="a", files=[("/data/a.mp4", 10, 9.0)])
    done = door("doctor", "--json")
    assert done.code == 1
    assert check(done, "path mapping")["state"] == "problem"


def test_a_few_that_are_missing_are_nothing_to_worry_about(world: World, door: Door) -> None:
    world.add(3)
    world.stash.add_scene(title="a", files=[("/data/a.mp4", 10, 9.0)])
    assert check(door("doctor", "--json"), "path mapping")["state"] == "ok"
    for n in range(5):
        world.stash.add_scene(title="a", files=[(f"/data/a{n}.mp4", 10, 9.0)])
    assert check(door("doctor", "--json"), "path mapping")["state"] == "warning"


RULES = [
    ("/data/scenes/a.mp4", "/media/scenes/a.mp4", ("/data", "/media")),
    ("/data/a.mp4", "/a.mp4", ("/data", "/")),
    ("/a.mp4", "/media/a.mp4", ("/", "/media")),
    ("/data/x/A.mp4", "/media/x/a.mp4", ("/data", "/media")),
    ("/data/X/a.mp4", "/media/x/a.mp4", ("/data/X", "/media/x")),
    ("/data/X/a.mp4", r"D:\media\x\a.mp4", ("/data", r"D:\media")),
    ("D:/Stash/x/a.mp4", "/media/x/a.mp4", (r"D:\Stash", "/media")),
    (r"D:\v\a.mp4", r"d:\V\a.mp4", None),
    (r"\\?\D:\v\a.mp4", r"E:\v\a.mp4", ("D:\\", "E:\\")),
    ("/nas/share/a.mp4", r"\\nas\share\a.mp4", ("/nas/share", r"\\nas\share\\"[:-1])),
    (r"\\nas\share\v\a.mp4", "/v/a.mp4", ("\\\\nas\\share\\", "/")),
    ("/data/a.mp4", "/media/b.mp4", None),
    ("a.mp4", "/media/a.mp4", None),
    (r"D:\Stash\x\a.mp4", "/media/x/a.mp4", (r"D:\Stash", "/media")),
    ("/data/x/a.mp4", r"D:\x\a.mp4", ("/data", "D:\\")),
    ("/data/a.mp4", r"\\nas\share\a.mp4", ("/data", "\\\\nas\\share\\")),
    ("/data/a.mp4", "/data/a.mp4", None),
]


@pytest.mark.parametrize(("ours", "theirs", "rule"), RULES)
def test_a_rule_is_what_is_left_of_two_paths(ours: str, theirs: str, rule: tuple[str, str] | None) -> None:
    assert next(iter(rules_of(ours, theirs)), None) == rule


def told(*folders: tuple[str, str, int]) -> list[tuple[str, str]]:
    """Pairs of files in folders: (in Stash, in Plex, how many)."""
    return [(f"{ours}{n}.mp4", f"{theirs}{n}.mp4") for ours, theirs, count in folders for n in range(count)]


def rules_for(pairs: list[tuple[str, str]], **more: object) -> list[tuple[str, str]]:
    return [one.rule for one in suggest_rules(pairs, **more)]


def test_no_rule_without_agreement() -> None:
    assert rules_for([]) == []
    assert rules_for([("/a/x.mp4", "/b/x.mp4"), ("/a/y.mp4", "/b/y.mp4")]) == [("/a", "/b")]
    assert rules_for([("/a/x.mp4", "/b/x.mp4"), ("/a/y.mp4", "/c/y.mp4")]) == []


def test_each_root_gets_its_rule_in_the_style_of_its_side() -> None:
    pairs = told(
        ("/data/films/", "/media/films/", 4),
        ("/mnt/b/", "D:\\Clips\\", 3),
        ("E:\\x\\", "/e/x/", 2),
        ("/nas/", "\\\\nas\\v\\", 2),
    )
    assert rules_for(pairs) == [("/data", "/media"), ("/mnt/b", "D:\\Clips"), ("E:\\", "/e"), ("/nas", "\\\\nas\\v\\")]


def test_a_folder_whose_files_are_in_several_places_gets_no_rule() -> None:
    assert rules_for(told(("/data/", "/a/", 5), ("/data/", "/b/", 4))) == []
    assert rules_for(told(("/data/", "/a/", 40), ("/data/", "/b/", 3))) == [("/data", "/a")], "a few were moved"


def test_a_folder_in_a_folder_has_a_rule_of_its_own() -> None:
    pairs = told(("/data/", "/media/", 5), ("/data/clips/", "/elsewhere/", 3))
    assert rules_for(pairs) == [("/data", "/media"), ("/data/clips", "/elsewhere")]


def test_no_rule_leads_astray_what_is_found_already() -> None:
    pairs = told(("/data/x/", "/other/x/", 3))
    assert rules_for(pairs) == [("/data", "/other")]
    assert rules_for(pairs, rules=[("/data", "/media")], mapped=told(("/data/", "/media/", 9))) == [
        ("/data/x", "/other/x")
    ]
    assert rules_for(pairs, rules=[("/data", "/media")], mapped=told(("/data/x/", "/media/x/", 9))) == []


def test_what_a_rule_says_already_is_not_suggested() -> None:
    assert rules_for(told(("/data/", "/media/", 3)), rules=[("/data", "/media")]) == []


def test_every_suggestion_is_a_rule_that_leads_there_and_back() -> None:
    for ours, theirs, _ in RULES:
        for found in suggest_rules(
            [(ours, theirs), (ours.replace("a.mp4", "b.mp4"), theirs.replace("a.mp4", "b.mp4"))]
        ):
            config = PlexSyncConfig(plex_url="http://plex", plex_token="x", path_map=[" => ".join(found.rule)])
            (there,) = map_path(ours, path_rules.pairs(config.path_map))
            assert path_key(there) == path_key(theirs) or name_key(there) == name_key(theirs)
            assert path_key(ours) in map(path_key, unmap_path(there, path_rules.pairs(config.path_map)))


def test_many_files_that_agree_are_told_also_where_most_are_found_by_path(world: World, door: Door) -> None:
    world.add(9)
    for n in range(5):
        world.plex.add_movie(world.section, files=[(f"/media/more/{n}.mp4", 10 + n, 9_000)], title=f"{n}")
        world.stash.add_scene(title=f"{n}", files=[(f"/more/{n}.mp4", 10 + n, 9.0)])
    found = check(door("doctor", "--json"), "path mapping")
    assert found["state"] == "warning"
    assert 'path_map = ["/more => /media/more"] would find them by full path (5 of 5 files agree)' in found["mend"]
    assert "plexsync.toml" in found["mend"]


def test_scenes_from_all_over_stash_are_looked_up(world: World, door: Door) -> None:
    world.add(90)
    other_folders(world, 30)
    told = check(door("doctor", "--json"), "path mapping")["told"]
    assert told.startswith("of 50 scenes, 40 found by full path, 10 by name and size")


@pytest.mark.parametrize(
    ("version", "state"),
    [("v0.28.0", "ok"), ("v0.30.1-4-gabcdef", "ok"), ("0.27.9", "problem"), ("v1.0", "ok"), ("", "warning")],
)
def test_versions_are_compared_as_numbers(version: str, state: str) -> None:
    found = version_check("Stash", version, (0, 28), "it answers")
    assert isinstance(found, Check)
    assert found.state == state


def test_answers_of_a_probe_count_for_the_version_of_plex_that_gave_them(world: World, door: Door) -> None:
    def told() -> tuple[str, str]:
        (check,) = [one for one in door("doctor", "--json").facts["checks"] if one["name"] == "edits in Plex"]
        return check["state"], check["told"]

    assert told() == ("ok", "how this Plex treats edits is not known: plexsync probe ITEM learns it")
    key = world.plex.add_movie(world.section, files=[("/media/scenes/a.mp4", 1, 1)])
    assert door("probe", key, "--yes").code == 0
    assert told()[0] == "ok"
    database = sqlite3.connect(world.folder / "plexsync.db")
    with database:
        database.execute("update server set learnt_version = '1.42.0'")
    database.close()
    assert told() == ("warning", f"learnt from version 1.42.0, and this is version {VERSION}")


# --- what would be said in spite of the truth ------------------------------------------------------------------------


def test_addresses_that_are_swapped_are_told_as_such(world: World, door: Door) -> None:
    world.settings |= {"plex_url": world.stash.url, "stash_url": world.plex.url}
    done = door("doctor", "--json")
    for server in ("Plex", "Stash"):
        found = check(done, server)
        assert "plex_url and stash_url are swapped" in found["told"]
        assert found["mend"] == "exchange the two addresses"


def test_an_address_at_which_the_other_server_answers_is_what_has_to_be_changed(world: World, door: Door) -> None:
    world.settings["plex_url"] = world.stash.url
    found = check(door("doctor", "--json"), "Plex")
    assert (found["told"], found["mend"]) == (
        "plex_url and stash_url are the same address",
        "correct plex_url, or the other",
    )


def test_a_rule_that_leads_away_is_not_explained_with_two_paths_that_are_the_same(world: World, door: Door) -> None:
    world.add(1)
    world.settings["path_map"] = "/media/scenes => /elsewhere"
    done = door("doctor", "--json")
    path = "/media/scenes/scene 00000.mp4"
    assert check(done, "path mapping")["mend"] == (
        f"correct path_map: it leads {path} to /elsewhere/scene 00000.mp4, and Plex has the file at the same path as Stash"
    )
    assert check(done, "path rules")["told"] == (
        'the rule "/media/scenes => /elsewhere" of path_map leads into no library: Plex has /media/scenes'
    )


def test_a_rule_that_fits_nothing_is_told(world: World, door: Door) -> None:
    world.add(3)
    world.settings["path_map"] = "/data => /media/scenes"
    found = check(door("doctor", "--json"), "path rules")
    assert (found["state"], found["told"]) == (
        "warning",
        'the rule "/data => /media/scenes" of path_map fits none of 3 files of Stash',
    )


def test_a_full_disk_is_a_problem(world: World, door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    door("status")
    usage = shutil.disk_usage(world.folder)._replace(free=0)
    monkeypatch.setattr("shutil.disk_usage", lambda _place: usage)
    done = door("doctor", "--json")
    assert (done.code, check(done, "free space")["state"]) == (2, "problem")
    assert "the disk is full: nothing can be stored" in check(done, "free space")["told"]


def test_a_quota_that_is_used_up_is_a_problem(world: World, door: Door) -> None:
    door("status")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**17, limits[1]))
    try:
        checks = list(folder(world.folder, "as a test"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert [(one.name, one.state) for one in checks if one.state != "ok"] == [("free space", "problem")]


def test_nothing_is_said_of_a_database_that_there_is_not_yet(world: World, door: Door) -> None:
    done = door("doctor", "--json")
    assert check(done, "database")["told"].startswith("there was none yet: an empty one was made just now")
    assert "books" not in {one["name"] for one in done.facts["checks"]}
    assert check(door("doctor", "--json"), "database")["told"].startswith("sound")

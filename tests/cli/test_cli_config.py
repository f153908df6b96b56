"""`plexsync config`: settings are looked at, checked and changed in the file, and nothing else in it."""

import os
import stat
import threading
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from plexsync.app.setting_change import change_of, write_into
from plexsync.extras import advice
from tests.cli.conftest import Door
from tests.journey.world import TOKEN, World
from validation.sources import ConfigError

SECRET = "a-secret-of-this-test"


@pytest.fixture
def file(bare: None, tmp_path: Path) -> Path:
    """The settings file of this user, in the present folder."""
    path = tmp_path / "plexsync.toml"
    path.write_text('# Mine.\nplex_url = "http://plex:32400"  # the NAS\nmax_retries = 4\n')
    return path


def test_one_setting_is_changed_and_the_rest_stays_as_it_was_written(door: Door, file: Path) -> None:
    done = door("config", "set", "max_retries", "7")
    assert (done.code, done.err) == (0, "")
    assert "max_retries is 7 now" in done.out
    assert file.read_text() == '# Mine.\nplex_url = "http://plex:32400"  # the NAS\nmax_retries = 7\n'
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert door("config", "unset", "max_retries").code == 0
    assert "max_retries" not in file.read_text()


def test_when_a_running_worker_takes_a_setting_is_told_and_what_asks_before_it_writes_much(
    door: Door, file: Path
) -> None:
    door("config", "set", "plex_token", answer=f"{SECRET}\n")
    taken = "a worker that runs takes it within seconds"
    told = [" ".join(door("config", "set", *one).out.split()) for one in (("max_retries", "7"), ("look", "rich"))]
    assert told[0].endswith(taken)
    assert told[1].endswith(f"{taken}; before it changes more than 20 items for it, it asks you")


def test_an_address_for_others_without_a_password_is_told_at_once(door: Door, file: Path) -> None:
    lacking = (
        "plexsync: warning: web_bind = 0.0.0.0:9797 can be reached by others, so web_password has to be set: "
        "until then there is no dashboard\n"
    )
    assert door("config", "set", "web_bind", "0.0.0.0:9797").err == lacking
    assert door("config", "set", "web_password", answer="correct horse battery\n").err == ""
    assert door("config", "unset", "web_password").err == lacking
    assert door("config", "set", "web_bind", "127.0.0.1:9797").err == ""


@pytest.mark.parametrize(
    ("name", "typed", "kept"),
    [
        ("genre_tags", "Solo, Two", ["Solo", "Two"]),
        ("enabled", "false", False),
        ("poll_interval", "2.5", 2.5),
        ("watch_back", "plays", "plays"),
        ("watch_account", "2", "2"),
        ("watch_since", "2026-01-31", "2026-01-31"),
        ("watch_minimum", "30s", "30s"),
        ("rating_direction", "both", "both"),
        ("path_map", "/data => /media", ["/data => /media"]),
        ("notify_command", "mail -s 'from PlexSync' me", ["mail", "-s", "from PlexSync", "me"]),
    ],
)
def test_a_value_is_kept_in_the_form_of_its_setting(
    door: Door, file: Path, name: str, typed: str, kept: object
) -> None:
    assert door("config", "set", name, typed).code == 0
    assert tomllib.loads(file.read_text())[name] == kept


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("max_retries", "x", "max_retries on the command line must be a whole number from 1 to 20"),
        ("breaker_max_recovery_timeout", "5", "must be at least breaker_recovery_timeout (60)"),
        ("watch_since", "31.01.2026", "must be empty (all plays) or a date such as 2026-01-31"),
        ("max_retrys", "3", "did you mean max_retries?"),
        ("libraries", "x", "plexsync config edit opens the file"),
        ("plex_token", SECRET, "leave its value out"),
    ],
)
def test_what_is_wrong_is_told_in_a_line_and_changes_nothing(
    door: Door, file: Path, name: str, value: str, told: str
) -> None:
    before = file.read_text()
    done = door("config", "set", name, value)
    assert done.code == 2
    assert told in done.err
    assert SECRET not in done.out + done.err
    assert file.read_text() == before


def test_a_secret_is_piped_in_and_shown_by_nothing(door: Door, file: Path) -> None:
    done = door("config", "set", "plex_token", answer=f"{SECRET}\n")
    assert "plex_token is *** now" in done.out
    assert tomllib.loads(file.read_text())["plex_token"] == SECRET
    for words in (("get", "plex_token"), ("list",), ("list", "--json"), ("list", "--changed")):
        shown = door("config", *words)
        assert SECRET not in shown.out + shown.err
    assert door("config", "set", "plex_token").code == 2, "nobody typed one"


def test_what_wins_over_the_file_is_said(door: Door, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLEXSYNC_MAX_RETRIES", "3")
    assert "the value from the environment wins over it" in door("config", "set", "max_retries", "9").out
    assert door("config", "set", "max_retries", "9", "--json").facts["overruled"] is True


def test_a_setting_can_be_mended_while_another_one_is_wrong(door: Door, file: Path) -> None:
    file.write_text("max_retries = 99\ndlq_max = -1\n")
    done = door("config", "set", "max_retries", "9")
    assert done.code == 2, "the other one is told of"
    assert "dlq_max in plexsync.toml must be" in done.err
    assert "max_retries" not in done.err
    assert tomllib.loads(file.read_text()) == {"max_retries": 9, "dlq_max": -1}


def test_a_file_that_is_no_toml_is_left_alone(door: Door, file: Path) -> None:
    file.write_text("max_retries = [\n")
    done = door("config", "set", "max_retries", "9")
    assert done.code == 2
    assert "can't be changed" in done.err
    assert file.read_text() == "max_retries = [\n"


def test_the_first_setting_makes_a_file_with_every_common_option(door: Door, tmp_path: Path) -> None:
    target = tmp_path / "new" / "plexsync.toml"
    assert door("--config", target, "config", "set", "plex_url", "http://plex:32400").code == 0
    assert tomllib.loads(target.read_text()) == {"plex_url": "http://plex:32400"}
    assert "#dlq_retention_days = " in target.read_text()
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


def test_the_list_says_where_a_value_comes_from(world: World, door: Door) -> None:
    facts = door("config", "list", "--json").facts
    by_name = {one["name"]: one for one in facts["settings"]}
    assert (by_name["plex_token"]["value"], by_name["plex_token"]["source"]) == ("***", "environment")
    assert by_name["max_retries"]["source"] == "default"
    assert {one["source"] for one in door("config", "list", "--changed", "--json").facts["settings"]} == {"environment"}
    assert TOKEN not in str(facts)
    assert door("config", "get", "max_retries").out == "5\n"


def test_while_a_required_one_is_missing_the_others_are_shown_with_a_warning(door: Door, file: Path) -> None:
    shown = door("config", "list", "--changed")
    assert shown.code == 0
    assert "http://plex:32400" in shown.out
    assert "warning: plex_token is missing" in shown.err
    assert "plex_token" not in shown.out


def test_the_editor_is_opened_and_the_file_is_checked_afterwards(
    door: Door, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\necho "dlq_max = -1" >> "$1"\n')
    editor.chmod(0o755)
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", os.fspath(editor))
    done = door("config", "edit")
    assert done.code == 2
    assert "dlq_max in plexsync.toml must be" in done.err
    monkeypatch.setenv("EDITOR", "true")
    assert door("config", "unset", "dlq_max").code == 0
    assert "plexsync.toml is valid" in door("config", "edit").out


def test_what_the_look_sets_is_shown_as_such(door: Door, file: Path) -> None:
    assert door("config", "set", "look", "rich").code == 0
    assert door("config", "set", "date_added", "file").code == 0
    told = door("config", "list", "--changed").out
    rows = {line.split()[0]: line.split()[-1] for line in told.splitlines() if line.strip()}
    assert (rows["look"], rows["date_added"], rows["background"]) == ("plexsync.toml", "plexsync.toml", "look")
    assert door("config", "unset", "date_added").code == 0
    facts = door("config", "get", "date_added", "--json").facts
    assert (facts["value"], facts["source"], facts["default"]) == ("created", "look", '"off"')
    assert door("config", "unset", "look").code == 0
    assert door("config", "get", "date_added", "--json").facts["source"] == "default"


def test_a_setting_with_an_earlier_name_is_written_under_its_present_one(door: Door, file: Path) -> None:
    file.write_text(f'plex_url = "http://plex:32400"\nplex_token = "{SECRET}"\nposter_padding = false\n')
    line = 'write poster_shape = "bars" for true, or "as_is" for false'
    done = door("config", "set", "poster_padding", "true")
    assert (done.code, line in done.err) == (0, True)
    assert file.read_text() == f'plex_url = "http://plex:32400"\nplex_token = "{SECRET}"\nposter_shape = "bars"\n'
    assert door("config", "get", "poster_padding").out == "bars\n"
    assert door("config", "unset", "poster_padding").code == 0
    assert "poster" not in file.read_text()


def test_settings_that_are_saved_at_the_same_moment_are_all_kept(tmp_path: Path) -> None:
    file, numbers = tmp_path / "plexsync.toml", ("max_retries", "dlq_retention_days", "dlq_max", "plex_parallel")
    file.write_text("# Mine.\n")
    names = [name for name in numbers for _ in range(6)]
    begin = threading.Barrier(len(names))

    def save(name: str) -> None:
        begin.wait()
        write_into(file, {name: 5})

    with ThreadPoolExecutor(len(names)) as pool:
        list(pool.map(save, names))
    assert tomllib.loads(file.read_text()) == dict.fromkeys(numbers, 5)
    change = change_of(file, {"max_retries": 6})
    write_into(file, {"dlq_max": 7})
    with pytest.raises(ConfigError, match="was changed meanwhile: nothing was written"):
        change.write()
    assert tomllib.loads(file.read_text())["max_retries"] == 5


def test_a_library_that_plex_does_not_have_is_refused_with_the_nearest_and_only_warned_of_while_plex_is_away(
    world: World, door: Door, tmp_path: Path
) -> None:
    file = tmp_path / "libraries.toml"
    words = ("--config", str(file), "config", "set", "plex_libraries")
    file.write_text("max_retries = 4\n")
    refused = door(*words, "Movie")
    assert refused.code == 2
    assert "Plex has no movie library named Movie. Did you mean Movies? It has: Movies" in refused.err
    assert file.read_text() == "max_retries = 4\n"
    done = door(*words, "movies")
    assert (done.code, done.err) == (0, "")
    world.plex.stop()
    done = door(*words, "Films")
    assert done.code == 0
    assert "warning: whether Plex has these libraries is not known: " in done.err
    assert tomllib.loads(file.read_text())["plex_libraries"] == "Films"


@pytest.mark.parametrize(("name", "value"), [("poster_shape", "blur"), ("poster_logo", "top_left")])
def test_a_value_that_needs_a_package_that_is_missing_names_the_line_that_installs_it(
    door: Door, file: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    before = file.read_text()
    with monkeypatch.context() as without:
        without.setattr("plexsync.plex.imaging.is_installed", lambda part: part != "art")
        done = door("config", "set", name, value)
    assert done.code == 2
    assert f"need the package pillow, which is not installed: {advice('art')}" in done.err
    assert file.read_text() == before
    assert door("config", "set", name, value).code == 0


def test_a_removed_setting_can_be_taken_out_of_the_file_and_not_set(door: Door, file: Path) -> None:
    file.write_text(f'plex_url = "http://plex:32400"\nplex_token = "{SECRET}"\nwatch_marked = true\n')
    done = door("config", "set", "watch_marked", "true")
    assert (done.code, done.out) == (2, "")
    assert "watch_marked was removed in 0.3.0: plays come from the history of Plex" in done.err
    assert "delete the line in plexsync.toml" in door("config", "list").err
    assert door("config", "unset", "watch_marked").code == 0
    assert file.read_text() == f'plex_url = "http://plex:32400"\nplex_token = "{SECRET}"\n'

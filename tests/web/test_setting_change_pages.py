"""The settings page: found, changed, tried before it is saved, and never a secret in it."""

import re
import stat
import tomllib
from html import unescape
from pathlib import Path

import pytest

from plexsync.reports.fixes import machine_entries
from plexsync.simulator.http import Fault
from tests.journey.world import KEY, TOKEN, World
from tests.web.conftest import Dash, dashboard
from tests.web.test_pages import plain

PAGE = "/settings/change"
NEW = "another-plex-token-0123"
FAILED = "Not saved: the connection test failed"
ELSEWHERE = "http://127.0.0.1:9"


@pytest.fixture
def file(dash: Dash) -> Path:
    path = dash.world.folder.parent / "plexsync.toml"
    path.write_text("# Mine.\nmax_retries = 5  # five\n")
    return path


def read(file: Path) -> dict[str, object]:
    return tomllib.loads(file.read_text())


def test_a_setting_is_changed_and_the_rest_of_the_file_stays(dash: Dash, file: Path) -> None:
    page = dash.get(f"{PAGE}?name=dlq_retention_days").text
    assert "It must be a whole number from" in page
    told = plain(dash.post(PAGE, name="dlq_retention_days", value="45", do="set").text)
    assert "dlq_retention_days is saved in plexsync.toml. serve takes it over by itself within seconds" in told
    assert "saved: 45, not in use yet" in told
    assert file.read_text() == "# Mine.\nmax_retries = 5  # five\ndlq_retention_days = 45\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "removed from plexsync.toml" in plain(dash.post(PAGE, name="dlq_retention_days", do="unset").text)
    assert "dlq_retention_days" not in read(file)


def test_a_page_that_was_opened_before_another_save_says_so(dash: Dash, file: Path) -> None:
    shown = dash.get(f"{PAGE}?name=max_retries").text
    seen = re.search(r'name="seen" value="([^"]*)"', shown)
    assert seen is not None
    assert "is saved" in plain(dash.post(PAGE, name="max_retries", value="7", do="set", seen=seen[1]).text)
    for step in ("set", "unset"):
        late = dash.post(PAGE, name="max_retries", value="9", do=step, seen=seen[1]).text
        assert "Max_retries was changed meanwhile, to 7: nothing was saved" in plain(late)
        assert read(file)["max_retries"] == 7
    again = re.search(r'name="seen" value="([^"]*)"', late)
    assert again is not None
    assert "is saved" in plain(dash.post(PAGE, name="max_retries", value="9", do="set", seen=again[1]).text)


def test_a_change_of_what_plex_shows_says_that_a_comparison_follows(dash: Dash, file: Path) -> None:
    told = plain(dash.post(PAGE, name="sync_studio", value="false", do="set").text)
    assert "Then a full comparison is due." in told
    assert read(file)["sync_studio"] is False
    told = plain(dash.post(PAGE, name="sync_studio", value="true", do="set").text)
    assert "It is the value in use already." in told


def test_a_change_of_the_direction_of_ratings_says_that_a_comparison_follows(dash: Dash, file: Path) -> None:
    told = plain(dash.post(PAGE, name="rating_direction", value="both", do="set").text)
    assert "Then a full comparison is due." in told
    assert read(file)["rating_direction"] == "both"
    told = plain(dash.post(PAGE, name="rating_wins", value="plex", do="set").text)
    assert "Then a full comparison is due." not in told


def test_a_change_of_the_way_back_is_taken_over_without_a_comparison(dash: Dash, file: Path) -> None:
    assert "Bring back what you watch" in plain(dash.get("/settings").text)
    for name, value in (("watch_back", "plays"), ("watch_account", "Guest"), ("watch_since", "2026-01-31")):
        told = plain(dash.post(PAGE, name=name, value=value, do="set").text)
        assert f"{name} is saved in plexsync.toml. serve takes it over by itself within seconds" in told
        assert "Then a full comparison is due." not in told
        assert read(file)[name] == value


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("max_retries", "x", "Max_retries must be a whole number from 1 to 20"),
        ("breaker_max_recovery_timeout", "5", "must be at least breaker_recovery_timeout"),
        ("scope", "nonsense", "Scope must be terms"),
        ("conflict_policy", "both", "Conflict_policy must be"),
        ("watch_back", "all", "Watch_back must be"),
        ("rating_direction", "to_stash", "Rating_direction must be"),
        ("watch_since", "2026-02-30", "Watch_since must be empty (all plays) or a date such as 2026-01-31"),
        ("plex_token", "", "Type the new value. The old one is never shown."),
        ("plex_url", ELSEWHERE, "Type plex_token as well: it is sent to the new address."),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_saved(dash: Dash, file: Path, name: str, value: str, told: str) -> None:
    before = file.read_text()
    answer = dash.post(PAGE, name=name, value=value, do="set")
    assert told.lower() in plain(answer.text).lower()
    assert file.read_text() == before


def test_a_value_is_checked_together_with_those_from_stash(world: World) -> None:
    with dashboard(
        world,
        origins={"breaker_recovery_timeout": "Stash"},
        breaker_recovery_timeout=200,
        breaker_max_recovery_timeout=300,
    ) as dash:
        told = plain(dash.post(PAGE, name="breaker_max_recovery_timeout", value="250", do="set").text)
        assert "is saved" in told
        told = plain(dash.post(PAGE, name="breaker_max_recovery_timeout", value="150", do="set").text)
        assert "at least breaker_recovery_timeout (200)" in told


def test_a_token_is_tried_before_it_is_saved_and_shown_by_no_page(dash: Dash, file: Path) -> None:
    answer = dash.post(PAGE, name="plex_token", value=NEW, do="set")
    assert "Not saved: the connection test failed" in plain(answer.text)
    assert NEW not in answer.text
    assert "plex_token" not in read(file)
    answer = dash.post(PAGE, name="plex_token", value=NEW, do="set", anyway="yes")
    assert FAILED not in answer.text
    assert read(file)["plex_token"] == NEW
    dash.post(PAGE, name="plex_token", value=TOKEN, do="set")
    assert read(file)["plex_token"] == TOKEN
    for path in ("/settings", f"{PAGE}?name=plex_token", f"{PAGE}?name=plex_url", "/settings?q=token"):
        page = dash.get(path).text
        assert not [secret for secret in (TOKEN, NEW, KEY) if secret in page]


def test_an_address_is_saved_with_the_secret_that_is_sent_there(dash: Dash, file: Path) -> None:
    url, sent = dash.world.plex.url, len(dash.world.plex.log)
    assert dash.post(PAGE, name="plex_url", value=url, secret="wrong-token", do="set").text.count(FAILED)
    assert dash.post(PAGE, name="plex_url", value=ELSEWHERE, secret=TOKEN, do="set").text.count(FAILED)
    assert read(file) == {"max_retries": 5}
    assert len(dash.world.plex.log) > sent
    assert dash.post(PAGE, name="plex_url", value=f"{url}/", secret=TOKEN, do="set").url.path == "/settings"
    assert read(file) == {"max_retries": 5, "plex_url": url}
    assert dash.post(PAGE, name="stash_url", value=dash.world.stash.url, secret=KEY, do="set").url.path == "/settings"
    assert read(file)["stash_url"] == dash.world.stash.url


def test_what_a_choice_needs_and_is_missing_is_said_beside_it(
    dash: Dash, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs = "need the package pillow, which is not installed: "
    assert needs not in plain(dash.get(f"{PAGE}?name=poster_shape").text)
    monkeypatch.setattr("plexsync.plex.imaging.is_installed", lambda part: part != "art")
    for name in ("poster_shape", "poster_logo"):
        assert needs in plain(dash.get(f"{PAGE}?name={name}").text)
    assert needs in plain(dash.post(PAGE, name="poster_shape", value="blur", do="set").text)
    assert "poster_shape" not in read(file)


def test_a_library_that_plex_does_not_have_is_said(dash: Dash, file: Path) -> None:
    told = plain(dash.post(PAGE, name="plex_libraries", value="Filme", do="set").text)
    assert "Plex has no movie library named Filme; it has: Movies" in told
    near = plain(dash.post(PAGE, name="plex_libraries", value="Movie", do="set", anyway="yes").text)
    assert "Did you mean Movies?" in near
    assert "plex_libraries" not in read(file), "Plex has answered"
    assert 'value="Filme"' in dash.post(PAGE, name="plex_libraries", value="Filme", do="set").text
    assert dash.post(PAGE, name="plex_libraries", value="movies", do="set").url.path == "/settings"
    assert read(file)["plex_libraries"] == "movies"


def test_a_server_that_is_down_can_be_saved_anyway(dash: Dash, file: Path) -> None:
    dash.world.plex.faults.set(Fault("status", status=503))
    answer = dash.post(PAGE, name="plex_url", value=dash.world.plex.url, secret=TOKEN, do="set")
    assert "Save anyway, although the connection test failed" in plain(answer.text)
    assert (
        dash.post(PAGE, name="plex_url", value=dash.world.plex.url, secret=TOKEN, anyway="yes", do="set").status_code
        == 200
    )
    assert read(file)["plex_url"] == dash.world.plex.url


def test_what_comes_from_elsewhere_is_read_only_and_says_why(world: World) -> None:
    origins = {"max_retries": "environment", "plex_token": "file named in the environment"}
    with dashboard(world, origins=origins) as dash:
        told = plain(dash.get("/settings?view=all").text)
        assert "Read-only here. PLEXSYNC_MAX_RETRIES is set in the environment and wins" in told
        assert "PLEXSYNC_PLEX_TOKEN_FILE in the environment names the file that holds it" in told
        assert "It is a program that PlexSync runs, so it is changed where PlexSync runs" in told
        file = world.folder.parent / "plexsync.toml"
        for name in ("max_retries", "plex_token", "notify_command", "web_password", "tls_ca_file", "libraries"):
            assert f"change?name={name}" not in dash.get("/settings").text
            page = dash.get(f"{PAGE}?name={name}").text
            assert "Read-only here." in page
            assert "<form method" not in page.partition("<main")[2]
            for do in ("set", "unset"):
                assert "Read-only here." in dash.post(PAGE, name=name, value="9", do=do).text
        assert not file.exists()
        # The secret of the environment is not replaced, and not sent to another server, along with an address.
        answer = dash.post(PAGE, name="plex_url", value=world.plex.url, secret=NEW, anyway="yes", do="set")
        assert "plex_token has to be the one in use" in plain(answer.text).lower()
        assert not file.exists()


def test_a_file_that_can_not_be_written_is_told_in_one_sentence(dash: Dash) -> None:
    file = dash.world.folder.parent / "plexsync.toml"
    # No file can be made there, by root either.
    file.symlink_to("/proc/plexsync.toml")
    answer = dash.post(PAGE, name="max_retries", value="7", do="set")
    told = unescape(plain(answer.text))
    assert re.search(r"Nothing was saved: \S+/plexsync\.toml can't be written: [A-Z][a-z ]+\. In use", told)
    assert 'value="7"' in answer.text


def test_a_file_that_serve_can_not_use_is_told(dash: Dash, file: Path) -> None:
    file.write_text("poll_interval = 0\n")
    told = plain(dash.post(PAGE, name="max_retries", value="7", do="set").text)
    assert "max_retries is saved in plexsync.toml. The settings before stay in use" in told
    assert "poll_interval in plexsync.toml must be" in told
    file.write_text("not toml")
    assert "Nothing was saved" in plain(dash.post(PAGE, name="max_retries", value="7", do="set").text)
    assert file.read_text() == "not toml"


def test_settings_are_found_by_name_meaning_and_whether_they_are_set(world: World) -> None:
    with dashboard(world, origins={"max_retries": "plexsync.toml"}) as dash:
        found = dash.get("/settings?q=retention+days").text
        assert 'id="dlq_retention_days"' in found
        assert 'id="plex_url"' not in found
        given = dash.get("/settings?changed=1").text
        assert re.findall(r'<tr id="(\w+)"', given) == ["max_retries"]
        assert "No setting fits the search." in dash.get("/settings?q=zzz").text
        assert "&lt;b&gt;" in dash.get("/settings?q=<b>").text


def test_the_step_that_sets_a_change_back_leads_to_the_settings_that_are_set_somewhere(world: World) -> None:
    with dashboard(world, origins={"max_retries": "plexsync.toml"}) as dash:
        change = {"text": "max_retries is 7 now", "stops": False, "scenes": 1, "collections": 0}
        entries = machine_entries({**dash.get("/api/status").json(), "setting_change": change})
        pages = [step["page"] for entry in entries for step in entry["steps"] if step["label"] == "Set it back…"]
        assert re.findall(r'<tr id="(\w+)"', dash.get(*pages).text) == ["max_retries"]


def test_no_page_is_there_for_a_setting_that_does_not_exist(dash: Dash) -> None:
    assert dash.get(f"{PAGE}?name=nothing").status_code == 404
    assert dash.post(PAGE, name="nothing", value="1").status_code == 404

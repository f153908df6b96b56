"""What the settings accept and refuse, and that the secrets among them stay secret."""

import json
import logging
import math
import re
import subprocess
import sys
import time
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from pydantic import ValidationError

from tests.docs.settings_page import told
from tests.tables import table
from validation import path_rules, values
from validation.collection_settings import by_source
from validation.config import PlexSyncConfig, describe
from validation.scope_terms import split
from validation.values import midnight

ROOT = Path(__file__).resolve().parent.parent.parent
TOKEN = "sN4xT7qLw2Vb9KcR5hJd"
KEY = "eyJhbGciOiJIUzI1NiJ9.kQz8"
REQUIRED = {"plex_url": "http://plex.local:32400", "plex_token": TOKEN}

BOUNDS = {
    "plex_connect_timeout": (1, 30),
    "plex_read_timeout": (5, 120),
    "plex_parallel": (1, 8),
    "poll_interval": (0.1, 60),
    "stash_poll_interval": (5, 3600),
    "reconcile_interval_hours": (0, 720),
    "max_retries": (1, 20),
    "dlq_retention_days": (1, 365),
    "dlq_max": (100, 1_000_000),
    "collection_minimum": (1, 1000),
    "notify_after_minutes": (1, 1440),
    "worker_idle_minutes": (1, 10_080),
    "breaker_failure_threshold": (1, 100),
    "breaker_recovery_timeout": (0.5, 3600),
    "breaker_max_recovery_timeout": (0.5, 86400),
}
DEFAULTS = {
    "plex_libraries": "",
    "plex_connect_timeout": 5.0,
    "plex_read_timeout": 30.0,
    "plex_parallel": 2,
    "stash_url": "http://localhost:9999",
    "stash_api_key": "",
    "tls_ca_file": "",
    "path_map": (),
    "match_by_duration": False,
    "scope": ("all",),
    "scope_match": "kinds",
    "approve_bulk": False,
    "enabled": True,
    "poll_interval": 1.0,
    "stash_poll_interval": 60.0,
    "reconcile_interval_hours": 24.0,
    "scan_absent": False,
    "max_retries": 5,
    "dlq_retention_days": 30,
    "dlq_max": 10_000,
    "strict_mode": False,
    "conflict_policy": "stash",
    "first_push": "keep",
    "when_gone": "keep",
    "watch_back": "off",
    "watch_account": "",
    "watch_since": "",
    "watch_minimum": "stash",
    "rating_direction": "to_plex",
    "rating_wins": "stash",
    "look": "plain",
    "title_template": "{title}",
    "sort_title_template": "",
    "original_title_template": "",
    "tagline_template": "",
    "date_added": "off",
    "content_rating": "",
    "genre_tags": ("*",),
    "label_tags": (),
    "labels": (),
    "collection_tags": (),
    "tag_parents": False,
    "collections": ("studio", "groups"),
    "collection_name": (),
    "collection_sort": (),
    "collection_minimum": 1,
    "collection_parts": (),
    "collection_mode": "leave",
    "collection_home": (),
    "collection_home_places": ("recommended", "home"),
    "playlists": "",
    "playlist_order": "date",
    "poster": "cover",
    "background": "none",
    "poster_shape": "as_is",
    "poster_anchor": "centre",
    "performer_name": "{name}",
    "poster_logo": "off",
    "role_text": "",
    "performer_picture_url": "",
    "libraries": {},
    "breaker_failure_threshold": 5,
    "breaker_recovery_timeout": 60.0,
    "breaker_max_recovery_timeout": 300.0,
    "notify_urls": (),
    "notify_command": (),
    "notify_after_minutes": 10,
    "worker_idle_minutes": 60,
    "web_bind": "127.0.0.1:9797",
    "web_password": "",
    "web_allowed_hosts": (),
    "stash_web_url": "",
    "provider_listen": "none",
    "provider_url": "",
    "provider_patience": 20,
    "provider_match": False,
    "data_dir": "",
    "database_url": "",
    "database_url_file": "",
    "database_schema": "plexsync",
}
NOT_NUMBERS = (
    *(True, False, math.nan, math.inf, -math.inf, 10**400, 10**5000, 7j, b"7", [7], (7,)),
    *("", " ", "7 ", " 7", "\t7", "7\n", "seven", "true", "nan", "inf", "1_0", "1e1", "\u0667", "\x007", "9" * 10_240),
)
SWITCHES = [
    f"sync_{name}"
    for name in ["title", "studio", "summary", "date", "cast", "director", "genres", "collection", "rating"]
]


def config(**given):
    return PlexSyncConfig(**{**REQUIRED, **given})


def refusal(**given):
    with pytest.raises(ValidationError) as caught:
        config(**given)
    return caught.value


def test_url_and_token_are_enough():
    made = PlexSyncConfig(plex_url="http://x:32400", plex_token="xxxxxxxxxxxx")

    assert made.plex_url == "http://x:32400"
    assert type(made.plex_token) is str
    assert made.plex_token == "xxxxxxxxxxxx"
    assert {name: getattr(made, name) for name in DEFAULTS} == DEFAULTS
    assert all(getattr(made, name) is True for name in SWITCHES)
    assert set(PlexSyncConfig.model_fields) == {*REQUIRED, *DEFAULTS, *SWITCHES}


@pytest.mark.parametrize(("extra", "days"), [("", "30"), (", dlq_retention_days=7", "7")])
def test_it_can_be_made_from_the_root_of_the_repository(extra, days):
    code = (
        "from validation.config import PlexSyncConfig; "
        f"c = PlexSyncConfig(plex_url='http://x:32400', plex_token='xxxxxxxxxxxx'{extra}); print(c.dlq_retention_days)"
    )

    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    assert ran.stdout.strip() == days


@table("name", REQUIRED)
def test_a_required_setting_may_not_be_missing(name):
    with pytest.raises(ValidationError, match=name):
        PlexSyncConfig(**{other: value for other, value in REQUIRED.items() if other != name})


@table("name", PlexSyncConfig.model_fields)
def test_no_setting_takes_null_or_a_table(name):
    for value in (None, {"a": 1}, object()):
        assert [error["loc"][0] for error in refusal(**{name: value}).errors()] == [name]


@table("name", BOUNDS)
def test_a_number_is_taken_from_bound_to_bound(name):
    low, high = BOUNDS[name]
    freely = {"breaker_recovery_timeout": 0.5, "breaker_max_recovery_timeout": 86400}
    for value in (low, high):
        made = config(**{**freely, name: value})
        assert getattr(made, name) == value
        assert getattr(config(**{**freely, name: str(value)}), name) == value


@pytest.mark.parametrize("name", BOUNDS)
@table("bad", NOT_NUMBERS)
def test_a_number_is_not_guessed_from_anything_else(name, bad):
    assert [error["loc"] for error in refusal(**{name: bad}).errors()] == [(name,)]


@table("name", BOUNDS)
def test_a_number_beyond_its_bounds_is_refused(name):
    low, high = BOUNDS[name]
    step = 1 if PlexSyncConfig.model_fields[name].annotation is int else 0.01
    for bad in (low - step, high + step, low - 1, high + 1):
        assert refusal(**{name: bad}).errors()[0]["loc"] == (name,)


def test_a_whole_number_has_no_fraction():
    assert config(max_retries=7.0).max_retries == 7
    assert refusal(max_retries=7.5).errors()[0]["loc"] == ("max_retries",)


@table("name", ["enabled", "strict_mode", *SWITCHES])
def test_a_switch_is_true_or_false(name):
    for value, meant in ((True, True), (False, False), ("true", True), ("false", False), ("off", False), ("1", True)):
        assert getattr(config(**{name: value}), name) is meant
    for bad in ("", " ", " true", "maybe", 2, -1, math.nan, math.inf, [], "x" * 10_240, "tr\x00ue"):
        assert refusal(**{name: bad}).errors()[0]["loc"] == (name,)


@table(
    ("name", "good"),
    [
        ("conflict_policy", ["stash", "plex"]),
        ("first_push", ["keep", "stash"]),
        ("when_gone", ["keep", "undo"]),
        ("scope_match", ["kinds", "all", "any"]),
        ("watch_back", ["off", "plays", "plays+resume"]),
        ("rating_direction", ["to_plex", "both"]),
        ("rating_wins", ["stash", "plex"]),
        ("poster_logo", ["off", "top_left", "top_right", "bottom_left", "bottom_right"]),
    ],
)
def test_a_choice_is_one_of_its_words(name, good):
    for value in good:
        assert getattr(config(**{name: value}), name) == value
    for bad in ("", " ", "Stash", "stash ", "neither", 1, True, math.nan, ["stash"], "x" * 10_240, "stash\n"):
        assert refusal(**{name: bad}).errors()[0]["loc"] == (name,)


@table("name", ["plex_url", "stash_url", "stash_web_url"])
@table(
    ("given", "kept"),
    [
        ("http://plex:32400", "http://plex:32400"),
        ("http://plex:32400/", "http://plex:32400"),
        ("https://example.org/plex/", "https://example.org/plex"),
        ("HTTPS://Example.org", "https://Example.org"),
        ("http://192.168.1.5:32400", "http://192.168.1.5:32400"),
        ("http://[::1]:32400", "http://[::1]:32400"),
        ("http://my_nas.local.", "http://my_nas.local."),
        ("http://plex:", "http://plex"),
        ("http://häuschen.example", "http://häuschen.example"),
    ],
)
def test_an_address_is_kept_without_its_last_slash(name, given, kept):
    assert getattr(config(**{name: given}), name) == kept


def test_the_address_of_stash_for_browsers_may_be_empty_and_is_an_address_otherwise():
    assert config(stash_web_url="").stash_web_url == ""
    for bad, words in (("javascript:alert(1)", "start with http://"), (" ", "blanks"), ("http://a:b@x", "password")):
        (error,) = refusal(stash_web_url=bad).errors()
        assert (error["loc"], words in error["msg"]) == (("stash_web_url",), True)


@table("name", ["plex_url", "stash_url"])
@table(
    ("bad", "words"),
    [
        ("", "start with http://"),
        ("   ", "blanks"),
        (" http://plex", "blanks"),
        ("http://plex ", "blanks"),
        ("http://pl ex", "blanks"),
        ("plex:32400", "start with http://"),
        ("ftp://plex", "start with http://"),
        ("file:///etc/passwd", "start with http://"),
        ("javascript:alert(1)", "start with http://"),
        ("http://", "name a host"),
        ("http://:32400", "name a host"),
        ("http:plex", "name a host"),
        ("http://-plex", "name a host"),
        ("http://a..b", "name a host"),
        ("http://[::1", "name a host"),
        ("http://[::zz]", "name a host"),
        ("http://[v1.x:y]", "name a host"),
        ("http://pl%65x", "name a host"),
        ("http://plex:0", "port"),
        ("http://plex:65536", "port"),
        ("http://plex:port", "port"),
        ("http://user@plex", "user name"),
        ("http://user:hunter2hunter2@plex:32400", "user name"),
        ("http://@plex", "user name"),
        ("http://plex?X-Plex-Token=hunter2hunter2", "?"),
        ("http://plex?", "?"),
        ("http://plex/web/index.html#!/", "#"),
        ("http://plex\\@evil", "backslashes"),
        ("http://plex\r\nHost: evil", "control characters"),
        ("http://plex/\x00", "control characters"),
        ("http://plex/\u202e", "control characters"),
        ("http://plex/" + "a" * 10_240, "at most"),
        (5, "string"),
        (True, "string"),
        (math.nan, "string"),
    ],
)
def test_an_address_that_is_none_is_refused_without_repeating_it(name, bad, words):
    error = refusal(**{name: bad})

    assert [one["loc"] for one in error.errors()] == [(name,)]
    assert words in str(error)
    assert "hunter2hunter2" not in str(error) + repr(error.errors()) + error.json()


BAD_SECRETS = [
    f" {TOKEN}",
    f"{TOKEN} ",
    f"{TOKEN}\n",
    f"{TOKEN[:8]} {TOKEN[8:]}",
    f"{TOKEN}\x00",
    f"{TOKEN}\x7f",
    f"{TOKEN}é",
    f"{TOKEN}\ud800",
    TOKEN * 512,
    [TOKEN],
    {"token": TOKEN},
]


@table("name", ["plex_token", "stash_api_key"])
@table("bad", BAD_SECRETS)
def test_a_bad_secret_is_refused_without_a_word_of_it(name, bad):
    error = refusal(**{name: bad})

    assert [one["loc"] for one in error.errors()] == [(name,)]
    assert TOKEN[:8] not in str(error) + repr(error) + repr(error.errors()) + error.json()


@table("name", ["plex_token", "stash_api_key"])
@table("bad", ["http://nas:32400", "nas:32400", "192.168.1.10", "[::1]", "localhost", "plex.example.org/", "nas.local"])
def test_an_address_is_no_token_and_no_key(name, bad):
    assert "looks like an address" in str(refusal(**{name: bad}))


@table("good", [TOKEN, "eyJhbGciOiJIUzI1NiIs.eyJ1c2VyIjoiYSJ9.c2lnbmVk", "a-plain-key", "0123456789"])
def test_a_token_is_no_address(good):
    assert config(plex_token=good).plex_token == good


@table("bad", ["", " ", "\t\n"])
def test_the_token_may_not_be_empty(bad):
    assert "must not be empty" in str(refusal(plex_token=bad))


def test_a_secret_may_be_as_long_as_the_limit():
    assert len(config(plex_token="!" * 4_096).plex_token) == 4_096
    assert config(stash_api_key="").stash_api_key == ""


def test_an_unknown_setting_is_refused_without_its_value():
    error = refusal(plex_tokn="hunter2hunter2")

    assert "plex_tokn" in str(error)
    assert "hunter2hunter2" not in str(error) + repr(error.errors())


def test_no_error_of_another_setting_shows_the_secrets():
    error = refusal(stash_api_key=KEY, max_retries=99, breaker_recovery_timeout=900, unknown=KEY)

    shown = str(error) + repr(error) + repr(error.errors()) + error.json()
    assert TOKEN not in shown
    assert KEY not in shown


def test_no_text_of_the_settings_shows_the_secrets():
    made = config(stash_api_key=KEY)

    for text in (
        repr(made),
        str(made),
        f"{made}",
        f"{made!r:>2}",
        made.model_dump_json(),
        str(made.model_dump(mode="json")),
    ):
        assert TOKEN not in text
        assert KEY not in text
    assert json.loads(made.model_dump_json())["plex_token"] == "***"
    assert json.loads(config().model_dump_json())["stash_api_key"] == ""
    assert made.model_dump()["plex_token"] == TOKEN
    assert made.secrets == (TOKEN, KEY)
    assert config().secrets == (TOKEN,)


def test_settings_do_not_change():
    made = config()

    with pytest.raises(ValidationError, match="frozen"):
        made.dlq_retention_days = 7


@table(
    ("given", "names"),
    [
        ("", ()),
        ("Movies", ("Movies",)),
        (" Movies , Clips,, Movies", ("Movies", "Clips")),
        ('"Movies, HD",Clips', ("Movies, HD", "Clips")),
        ([], ()),
        (["Movies", "Clips"], ("Movies", "Clips")),
        (("Movies, HD", 'The "best"', "👩\u200d👧"), ("Movies, HD", 'The "best"', "👩\u200d👧")),
    ],
)
def test_libraries_are_named_in_one_text_or_a_list(given, names):
    made = config(plex_libraries=given)

    assert type(made.plex_libraries) is str
    assert made.library_names == names
    assert config(plex_libraries=made.plex_libraries).library_names == names


@table(
    "bad",
    [
        " ",
        ",",
        " , ",
        "a\nb",
        "a\x00",
        "a\u202e",
        "x" * 10_240,
        5,
        True,
        math.nan,
        [""],
        [" "],
        ["a", 5],
        [["a"]],
        ["a\nb"],
    ],
)
def test_libraries_without_a_name_are_refused(bad):
    assert refusal(plex_libraries=bad).errors()[0]["loc"] == ("plex_libraries",)


@table(
    ("given", "rules"),
    [
        ("", ()),
        ([], ()),
        ("/data => /media", (("/data", "/media"),)),
        ("/a=>/b;/c=>/d", (("/a", "/b"), ("/c", "/d"))),
        ("/a => /b\r\n/c => /d\n", (("/a", "/b"), ("/c", "/d"))),
        (["/a => /b", "/c => /b"], (("/a", "/b"), ("/c", "/b"))),
        (["/a => /b", "/a => /c"], (("/a", "/b"), ("/a", "/c"))),
        ([["/a; b", "/b"], ("/c", "/d")], (("/a; b", "/b"), ("/c", "/d"))),
        ("/data/ => /media//", (("/data", "/media"),)),
        ("/ => /mnt", (("/", "/mnt"),)),
        (r"/data => X:\Media\ ", (("/data", r"X:\Media"),)),
        ("C:\\ => D:/", (("C:\\", "D:/"),)),
        (r"\\nas\share => /mnt/share", ((r"\\nas\share", "/mnt/share"),)),
        (r"\\nas\share\films\ => /mnt", ((r"\\nas\share\films", "/mnt"),)),
        ("/a/..b => /b/c..", (("/a/..b", "/b/c.."),)),
        ("/A => /b; /a => /b", (("/A", "/b"), ("/a", "/b"))),
        ("/Ünï 💿 => /b", (("/Ünï 💿", "/b"),)),
    ],
)
def test_path_rules_are_pairs_of_full_paths(given, rules):
    made = config(path_map=given)

    assert path_rules.pairs(made.path_map) == rules
    assert path_rules.pairs(config(path_map=made.path_map).path_map) == rules


@table(
    ("bad", "words"),
    [
        (" ", "rule 1 has not"),
        ("/data", "rule 1 has not"),
        ("/a => /b => /c", "rule 1 has not"),
        (["/a => /b", "/c"], "rule 2 has not"),
        (["/a", "/b"], "rule 1 has not"),
        ([["/a"]], "rule 1 has not"),
        ([["/a", "/b", "/c"]], "rule 1 has not"),
        ([["/a", 5]], "rule 1 has not"),
        ([None], "rule 1 has not"),
        ("data => /media", "the Stash side of rule 1"),
        ("/data => media", "the Plex side of rule 1"),
        (" => /media", "the Stash side of rule 1"),
        ("/data => ", "the Plex side of rule 1"),
        ("C:data => /media", "full paths"),
        (r"\data => /media", "full paths"),
        (r"\\nas => /media", "full paths"),
        ("~/data => /media", "full paths"),
        ("smb://nas/share => /media", "full paths"),
        ("/a/../b => /media", "without . or .."),
        (r"C:\a\..\b => /media", "without . or .."),
        ("/a => /./b", "without . or .."),
        ("/a\x00 => /b", "control characters"),
        ("/a => /b\u202e", "control characters"),
        ([["/a\n", "/b\nc"]], "control characters"),
        ([["/a => x", "/b"]], "see the Stash side of rule 1"),
        ("/" + "a" * 10_240 + " => /b", "at most"),
        ("x" * 10_240, "rule 1 has not"),
        ([f"/a{n} => /b" for n in range(201)], "at most 200 rules"),
        ("/a => /b; /a => /b", "rules 1 and 2"),
        ("/a => /b; /x => /y; /a/ => /b/", "rules 1 and 3"),
        (r"C:\Films => /b; c:/films/ => /b", "rules 1 and 2"),
        (r"/a => /b; re:^/data/(.*)$ => /m/\1", "rule 2 is a regular expression: write a rule of the form"),
        ([["re:/a", "/b"]], "for each folder, such as /data/films => /media/films"),
        ({"/a": "/b"}, "list of rules"),
        (5, "list of rules"),
        (True, "list of rules"),
        (math.nan, "list of rules"),
    ],
)
def test_a_bad_path_rule_is_named_by_its_number(bad, words):
    error = refusal(path_map=bad)

    assert [one["loc"] for one in error.errors()] == [("path_map",)]
    assert words in str(error)


def test_the_data_folder_is_empty_or_a_full_path(tmp_path):
    assert config(data_dir=str(tmp_path)).data_dir == str(tmp_path)
    for bad in (
        " ",
        "data",
        "./data",
        "~/data",
        f"{tmp_path}\x00",
        f"{tmp_path}\n",
        "/" + "a" * 10_240,
        5,
        True,
        math.nan,
    ):
        assert refusal(data_dir=bad).errors()[0]["loc"] == ("data_dir",)


def test_the_longest_wait_of_the_breaker_is_no_shorter_than_the_first():
    assert config(breaker_recovery_timeout=300).breaker_max_recovery_timeout == 300
    assert config(breaker_recovery_timeout=20, breaker_max_recovery_timeout=20).breaker_max_recovery_timeout == 20
    for given in ({"breaker_recovery_timeout": 301}, {"breaker_max_recovery_timeout": 59.9}):
        error = refusal(**given)
        assert [one["loc"] for one in error.errors()] == [("breaker_max_recovery_timeout",)]
        assert "must be at least breaker_recovery_timeout" in str(error)


def test_the_log_names_every_setting_once_and_no_secret(caplog):
    made = config(
        stash_api_key=KEY,
        dlq_retention_days=7,
        plex_libraries='"Movies, HD",Clips',
        path_map="/private => /media",
        plex_url=f"https://proxy.example/{TOKEN}/plex",
    )

    with caplog.at_level(logging.DEBUG):
        made.log_config()

    [record] = caplog.records
    message = record.getMessage()
    assert (record.name, record.levelno) == ("PlexSync.config", logging.INFO)
    assert re.findall(r"(?:^| )(\w+)=", message) == [setting.name for setting in describe()]
    assert " dlq_retention_days=7 " in message
    assert " plex_token=*** " in message
    assert " stash_api_key=*** " in message
    assert " plex_url=https://proxy.example/***/plex " in message
    assert " path_map=(1 rules) " in message
    assert "\n" not in message
    for hidden in (TOKEN, KEY, "/private"):
        assert hidden not in message


def test_the_log_does_not_show_how_long_the_token_is(caplog):
    with caplog.at_level(logging.INFO):
        config(plex_token="x").log_config()
        config(plex_token="x" * 999).log_config()

    assert caplog.messages[0] == caplog.messages[1]
    assert "stash_api_key=(not set)" in caplog.messages[0]


@table("setting", describe())
def test_every_description_states_unit_range_and_default(setting):
    field = PlexSyncConfig.model_fields[setting.name]

    if field.is_required():
        assert setting.default is None
        assert "Required." in setting.description
    elif setting.name in BOUNDS:
        low, high = BOUNDS[setting.name]
        assert setting.rule.endswith(f"number from {low} to {high}")
        assert f"{low} to {high}, default {field.default:g}" in setting.description
        assert setting.description.split()[0] in (
            "Seconds",
            "Minutes",
            "Hours",
            "Days",
            "Attempts",
            "Failures",
            "Edits",
            "Scenes",
            "Pictures",
        )
    elif field.annotation is bool:
        assert setting.rule == "true or false"
        assert f"true or false, default {setting.default}" in setting.description
    else:
        assert "efault" in setting.description
    assert setting.variable == f"PLEXSYNC_{setting.name.upper()}"
    secrets = ("plex_token", "stash_api_key", "notify_urls", "web_password", "database_url")
    assert setting.secret == (setting.name in secrets)
    assert "\n" not in setting.description


# --- the dashboard ---------------------------------------------------------------------------------------------------


@table(
    ("given", "place"),
    [
        ("127.0.0.1:9797", ("127.0.0.1", 9797)),
        ("0.0.0.0:80", ("0.0.0.0", 80)),
        ("[::1]:9797", ("::1", 9797)),
        ("[::]:0", ("::", 0)),
        ("nas.local:09797", ("nas.local", 9797)),
        (" localhost:1 ", ("localhost", 1)),
        ("none", None),
        ("None", None),
    ],
)
def test_the_place_of_the_dashboard_is_an_address_and_a_port(given, place):
    assert values.host_and_port(config(web_bind=given).web_bind) == place


@table(
    "bad",
    [
        "9797",
        ":9797",
        "localhost",
        "::1:9797",
        "[localhost]:1",
        "a:b",
        "a:70000",
        "http://a:1",
        "a:1/",
        "a b:1",
        "a:-1",
    ],
)
def test_what_is_no_place_is_refused(bad):
    assert "web_bind" in str(refusal(web_bind=bad))


def test_a_password_is_long_enough_or_none():
    assert config(web_password="").web_password == ""
    assert config(web_password="a b c d e f g h").web_password == "a b c d e f g h"
    for bad in ("short", "x" * 14, " " + "x" * 20, "x" * 5000, "ü" * 20, "x" * 20 + "\n"):
        assert bad not in str(refusal(web_password=bad))


def test_names_of_hosts_are_names_alone():
    assert config(web_allowed_hosts="NAS.local, plex").web_allowed_hosts == ("nas.local", "plex")
    for bad in ("http://nas", "nas:9797", "a b", "*", ["nas", 7]):
        refusal(web_allowed_hosts=bad)


# --- scope -----------------------------------------------------------------------------------------------------------


@table(
    ("given", "kept"),
    [
        ("", ("all",)),
        ([], ("all",)),
        ("ALL", ("all",)),
        ("organized, NOT  Tag: Private ;", ("organized", "not tag: Private")),
        ("studio: A; studio: A\nnot organized", ("studio: A", "not organized")),
        ('tag: "A, B"; studio: C: D', ("tag: A, B", "studio: C: D")),
        ('tag: 12" vinyl; organized', ('tag: 12" vinyl', "organized")),
        (["tag: A, B; C", "organized"], ("tag: A, B; C", "organized")),
        (["path: /films/", "path: D:\\Films\\", "path:/"], ("path: /films", "path: D:\\Films", "path: /")),
        (["all", "not path: //nas/x"], ("all", "not path: //nas/x")),
        ("Performer: Ann; not performer: Bo", ("performer: Ann", "not performer: Bo")),
        ("rating: 60; rating:>= 75; rating: 100 +", ("rating: 60+", "rating: 75+", "rating: 100+")),
        ("rating: 60+; rating: >=60; not Rating: None", ("rating: 60+", "not rating: none")),
        ("STASH_ID; not url", ("stash_id", "not url")),
        ("stash_id: https://stashdb.org/graphql", ("stash_id: https://stashdb.org/graphql",)),
        ('url: "example.org/a,b"; not url: x.test:8080/', ("url: example.org/a,b", "not url: x.test:8080/")),
    ],
)
def test_scope_is_one_text_or_a_list_of_terms(given, kept):
    made = config(scope=given)
    assert made.scope == kept
    assert config(scope=list(made.scope)).scope == made.scope


def test_scope_as_terms_for_the_rules():
    assert split(config().scope) == ()
    assert split(config(scope="organized; not tag: A: B; path: /x").scope) == (
        ("organized", "", False),
        ("tag", "A: B", True),
        ("path", "/x", False),
    )
    assert split(config(scope="stash_id; url: a: b").scope) == (("stash_id", "", False), ("url", "a: b", False))


@table(
    ("bad", "word"),
    [
        ("not all", "term 1"),
        ("organized; tags: A", "term 2"),
        ("tag:", "term 1"),
        ('tag: ""', "term 1"),
        ("path: films", "full path"),
        ("path: /films/../x", ". or .."),
        ("all; tag: A", "all"),
        ("tag: A; not tag: a", "leave"),
        ("rating: 60; not rating: >=60", "leave"),
        ("not url; url", "leave"),
        ("rating: 0", "60+"),
        ("rating: 101", "60+"),
        ("rating: 4.5", "60+"),
        ("rating: >=60+", "60+"),
        ("rating: <60", "60+"),
        ("organized; rating", "term 2"),
        ("performer:", "term 1"),
        ("organized; not organized", "leave"),
        (["tag: \x1b[2J"], "control characters"),
        (["tag: " + "x" * 5000], "4096"),
        ([f"tag: {n}" for n in range(201)], "200"),
        ([5], "term 1"),
    ],
)
def test_a_term_that_is_not_understood_is_one_line_that_does_not_repeat_it(bad, word):
    (error,) = refusal(scope=bad).errors()
    assert error["loc"] == ("scope",)
    assert word in error["msg"]
    assert "\n" not in error["msg"]


def test_the_log_does_not_name_what_is_in_scope(caplog):
    with caplog.at_level(logging.INFO):
        config(scope="path: /private; not tag: Secret").log_config()
    assert " scope=(2 terms) " in caplog.text
    assert "/private" not in caplog.text
    assert "Secret" not in caplog.text


# --- the way back ----------------------------------------------------------------------------------------------------


@table(
    ("given", "kept"),
    [
        ("", ""),
        ("1", "1"),
        (2, "2"),
        (" Guest room ", "Guest room"),
        ("Zoë 👩\u200d👧", "Zoë 👩\u200d👧"),
        ("x" * 100, "x" * 100),
    ],
)
def test_an_account_is_a_number_or_a_name(given, kept):
    made = config(watch_account=given)
    assert made.watch_account == kept
    assert config(watch_account=made.watch_account) == made


@table("bad", [" ", "\t", "a\nb", "a\x00", "a\u202e", "x" * 101, True, 0, -1, 1.5, 10**400, ["1"]])
def test_an_account_that_is_none_is_refused_without_repeating_it(bad):
    (error,) = refusal(watch_account=bad).errors()
    assert error["loc"] == ("watch_account",)
    assert "must be the number or the name of a Plex account: one line of at most 100 characters" in error["msg"]


@pytest.mark.parametrize(
    ("given", "kept", "seconds"),
    [
        ("", "", 0),
        ("1970-01-01", "1970-01-01", 0),
        ("2026-01-31", "2026-01-31", 1_769_817_600),
        (date(2024, 2, 29), "2024-02-29", 1_709_164_800),
    ],
)
def test_plays_count_from_midnight_of_a_day_in_utc(given, kept, seconds, monkeypatch):
    monkeypatch.setenv("TZ", "Pacific/Auckland")
    if hasattr(time, "tzset"):
        time.tzset()
    try:
        made = config(watch_since=given)
        assert (made.watch_since, midnight(made.watch_since)) == (kept, seconds)
    finally:
        monkeypatch.undo()
        if hasattr(time, "tzset"):
            time.tzset()


@table(
    "bad",
    [
        *(" ", "2026-1-31", "31.01.2026", "20260131", "2026-W05-6", "2026-02-30", "2026-13-01", "1969-12-31"),
        *("2026-01-31 ", "2026-01-31T00:00:00", "2026-01-31\n", "\u0662026-01-31", "0000-01-01", "yesterday"),
        *(5, True, math.nan, datetime(2026, 1, 31, tzinfo=UTC), date(1969, 12, 31), ["2026-01-31"]),
    ],
)
def test_what_is_no_day_is_refused_and_an_example_is_told(bad):
    (error,) = refusal(watch_since=bad).errors()
    assert error["loc"] == ("watch_since",)
    assert "must be empty (all plays) or a date such as 2026-01-31, not before 1970" in error["msg"]


@table("rule", ["stash", "plex", "1s", "30s", "86400s", "1%", "10%", "100%"])
def test_what_counts_as_a_play_is_a_word_or_a_number_with_its_sign(rule):
    assert config(watch_minimum=rule).watch_minimum == rule


@table(
    "bad",
    [
        *("", "Stash", "both", "30", "s", "%", "0s", "0%", "86401s", "101%", "030s", "1.5%", "30 s", "-5s", "10%\n"),
        *("1e3s", "\u0663s", "999999s", 30, 0.1, True, None, ["10%"]),
    ],
)
def test_what_is_no_rule_of_plays_is_refused_in_a_line(bad):
    (error,) = refusal(watch_minimum=bad).errors()
    assert error["loc"] == ("watch_minimum",)
    assert "must be stash, plex, a number of seconds from 1s to 86400s, or a percentage from 1% to 100%" in error["msg"]


@pytest.mark.parametrize(("account", "shown"), [("", '""'), ("2", "2"), ("Zoë", "(a name)"), ("2nd", "(a name)")])
def test_the_log_does_not_name_who_watches(account, shown, caplog):
    with caplog.at_level(logging.INFO):
        config(watch_account=account).log_config()
    assert f" watch_account={shown} " in caplog.text


# --- telling a person ------------------------------------------------------------------------------------------------

HOOK = "json://ann:hunter2hunter2@hooks.example/services/T01AbCdEf/sEcReTpAtH42?token=QuErYsEcReT7"


@table(
    ("given", "kept"),
    [
        ("", ()),
        ([], ()),
        ("json://host/path", ("json://host/path",)),
        (" json://a  tgram://1:b/c\n", ("json://a", "tgram://1:b/c")),
        (["json://a", "mailto://b,c"], ("json://a", "mailto://b,c")),
    ],
)
def test_addresses_to_tell_are_one_text_or_a_list(given, kept):
    assert config(notify_urls=given).notify_urls == kept


@table(
    "bad",
    [
        *(" ", "nowhere", "://host", "1json://host", "json://", 5, True, ["json://a", 5], ["json://a b"], {"a": 1}),
        *(["json://a\x00"], ["json://a\u202e"], ["json://" + "a" * 10_240], ["json://a"] * 21),
    ],
)
def test_an_address_to_tell_that_is_none_is_refused_without_repeating_it(bad):
    error = refusal(notify_urls=[HOOK, *bad] if isinstance(bad, list) else bad)
    assert [one["loc"] for one in error.errors()] == [("notify_urls",)]
    assert "hunter2" not in str(error) + repr(error.errors()) + error.json()


@table(
    ("given", "kept"),
    [
        ("", ()),
        ([], ()),
        ("notify-send 'Plex Sync' --urgent", ("notify-send", "Plex Sync", "--urgent")),
        (["/opt/tell", "a b", ""], ("/opt/tell", "a b", "")),
    ],
)
def test_a_command_is_a_list_of_words_or_one_text(given, kept):
    assert config(notify_command=given).notify_command == kept


@table("bad", [" ", "tell 'me", "tell \x00", [""], ["tell", 5], 5, True, {"a": 1}, ["x"] * 101])
def test_a_command_that_is_none_is_refused(bad):
    assert refusal(notify_command=bad).errors()[0]["loc"] == ("notify_command",)


def test_no_text_of_the_settings_shows_whom_to_tell(caplog):
    made = config(notify_urls=[HOOK], notify_command=["tell", "--key", "hunter2hunter2"])
    with caplog.at_level(logging.DEBUG):
        made.log_config()
    shown = repr(made) + str(made) + made.model_dump_json() + caplog.text
    for hidden in ("hunter2hunter2", "hooks.example", "T01AbCdEf", "sEcReTpAtH42", "QuErYsEcReT7", "json://"):
        assert hidden not in shown
    assert " notify_urls=*** " in caplog.text
    assert " notify_command=(3 words) " in caplog.text
    assert json.loads(made.model_dump_json())["notify_command"] == ["***"] * 3


def test_the_parts_of_an_address_are_secrets_too():
    found = config(notify_urls=[HOOK]).secrets
    assert {HOOK, "hunter2hunter2", "T01AbCdEf", "sEcReTpAtH42", "QuErYsEcReT7"} <= set(found)
    assert not {"services", "hooks.example", "ann"} & set(found)


def rows():
    """The tables of docs/settings.md: for each setting its default, what it may be, and what it does."""
    text = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    cells = [
        [cell.strip() for cell in line.strip("| ").split(" | ")]
        for line in text.splitlines()
        if line.startswith(("| `", "| **`"))
    ]
    return {name.strip("`*"): rest for name, *rest in cells}


def test_the_page_about_settings_has_a_row_for_each_and_no_other():
    assert set(rows()) == set(PlexSyncConfig.model_fields)


@table("setting", describe())
def test_the_page_about_settings_says_what_holds(setting):
    default, description = rows()[setting.name]

    assert default == ("required" if setting.default is None else f"`{setting.default}`")
    assert description == told(setting)
    assert description[:10] == setting.description[:10]


# --- what fields are made of -----------------------------------------------------------------------------------------


@table(
    ("given", "kept"),
    [
        ("Boots, -meta*", ("Boots", "-meta*")),
        ('"Boots, high",Blue', ("Boots, high", "Blue")),
        (["a, b", "c", "c"], ("a, b", "c")),
        ("", ()),
        ([], ()),
    ],
)
def test_tags_are_named_in_one_text_or_a_list(given, kept):
    assert config(genre_tags=given).genre_tags == kept


@table("bad", ["-", [""], ["-"], [7], 7, {"a": 1}, "a\x00b", ["x" * 301], ["x"] * 2 + ["y" * 9000]])
def test_names_of_tags_that_can_be_none_are_refused(bad):
    assert refusal(label_tags=bad).errors()[0]["loc"] == ("label_tags",)


@table("bad", ["{titel}", "{", "[a", " ", "", "a\nb", 7])
def test_a_template_that_names_no_known_value_is_refused(bad):
    assert refusal(title_template=bad).errors()[0]["loc"] == ("title_template",)


@table("good", ["https://example.org/people/{id}.jpg", "http://nas:8080/a/{name}?v=1", ""])
def test_the_address_of_performers_pictures_names_values_behind_its_host(good):
    assert config(performer_picture_url=good).performer_picture_url == good


@table(
    "bad",
    [
        "/people/{id}.jpg",
        "ftp://example.org/{id}",
        "https://{name}/x.jpg",
        "https://{name}.example.org/x.jpg",
        "https://example.org",
        "https://me:word@example.org/{id}",
        "https://example.org:0/{id}",
        "https://example.org/{title}",
        "https://example.org/{id",
        "https://example.org/a b/{id}",
        "http://stash:9999/performer/{id}/image?apikey=abc",
        "http://stash:9999/performer/{id}/image?ApiKey=abc",
        7,
    ],
)
def test_an_address_that_can_not_be_a_performers_picture_is_refused(bad):
    told = refusal(performer_picture_url=bad)
    assert told.errors()[0]["loc"] == ("performer_picture_url",)
    assert "abc" not in str(told)


@table("bad", ["{titel}", "{title}", "{", "a\nb", " ", 7])
def test_a_role_text_names_values_of_a_performer(bad):
    assert refusal(role_text=bad).errors()[0]["loc"] == ("role_text",)
    assert config(role_text="[{disambiguation}]").role_text == "[{disambiguation}]"


@table("bad", ["{title}", "{", "a\nb", " ", "", "Jane", "[Jane]", 7])
def test_the_name_of_a_performer_is_made_of_its_values(bad):
    assert refusal(performer_name=bad).errors()[0]["loc"] == ("performer_name",)
    assert config(performer_name="{name}[ ({disambiguation})]").performer_name == "{name}[ ({disambiguation})]"


def test_collections_are_some_of_the_sources():
    assert config(collections="Studio, groups").collections == ("studio", "groups")
    assert config(collections=["performers", "Rating", "organized"]).collections == (
        "performers",
        "rating",
        "organized",
    )
    assert config(collections=[]).collections == ()
    assert refusal(collections="studios").errors()[0]["loc"] == ("collections",)


@pytest.mark.parametrize("name", ["poster", "background"])
def test_the_sources_of_a_picture_are_words_in_the_order_of_preference(name):
    for value in ("none", "cover", "gallery", "studio", "group"):
        assert getattr(config(**{name: value}), name) == value
    for value in ("gallery,cover", "Gallery, cover,gallery", ["gallery", "cover"]):
        assert getattr(config(**{name: value}), name) == "gallery, cover"
    for bad in ("", " ", "front", "none, cover", "cover; gallery", [], ["none", "cover"], 1, True, "x" * 10_240):
        assert refusal(**{name: bad}).errors()[0]["loc"] == (name,)


@table(
    ("given", "read"),
    [
        ("Studio: {name}", ("Studio: {name}",)),
        ("Groups=>Series {name} ; {name}\nstudio => a => b", ("groups => Series {name}", "{name}", "studio => a => b")),
        (["performers => {name}[ ({disambiguation})]"], ("performers => {name}[ ({disambiguation})]",)),
        ([], ()),
        ("", ()),
    ],
)
def test_the_names_of_collections_are_templates_of_sources_and_one_for_all_others(given, read):
    made = config(collection_name=given, collection_sort=given)
    assert (made.collection_name, made.collection_sort) == (read, read)


@table(
    "bad",
    [
        " ",
        ["{name}", " "],
        "{title}",
        "studios => {name}",
        "=> {name}",
        "studio =>",
        "studio => {",
        ["a\nb"],
        7,
        [7],
        {},
    ],
)
def test_a_template_that_names_no_source_or_no_value_of_one_is_refused(bad):
    for name in ("collection_name", "collection_sort"):
        assert refusal(**{name: bad}).errors()[0]["loc"] == (name,)


@table("bad", ["{name}; x", "tags => {name}; Tags => x"])
def test_a_source_has_one_template(bad):
    (error,) = refusal(collection_name=bad).errors()
    assert "at most one template for each source" in str(error["ctx"]["error"])


def test_the_template_without_a_source_is_that_of_every_source_that_has_none():
    made = by_source(config(collection_name="{name}!; tags => #{name}").collection_name)
    texts = {source: entry.fill({"name": "x"}) for source, entry in made.items()}
    others = ("studio", "group", "performer", "rating", "organized")
    assert texts == {"tag": "#x", **dict.fromkeys(others, "x!")}
    assert by_source(()) == {}


def test_the_parts_and_places_of_collections_are_words():
    made = config(collection_parts="Summary, poster,summary", collection_home_places=["home"])
    assert (made.collection_parts, made.collection_home_places) == (("summary", "poster"), ("home",))
    assert config(collection_parts="").collection_parts == ()
    assert refusal(collection_parts="title").errors()[0]["loc"] == ("collection_parts",)
    for bad in ("", [], "house"):
        assert refusal(collection_home_places=bad).errors()[0]["loc"] == ("collection_home_places",)


def test_a_library_dresses_its_collections_in_its_own_way_but_for_the_minimum():
    own = config(libraries={"Clips": {"collection_parts": "poster", "collection_mode": "hidden"}}).of_library("Clips")
    assert (own.collection_parts, own.collection_mode) == (("poster",), "hidden")
    assert refusal(libraries={"Clips": {"collection_minimum": 2}}).errors()[0]["loc"] == ("libraries",)


@pytest.mark.parametrize("name", ["genre_tags", "collections", "web_allowed_hosts"])
def test_a_list_as_an_endless_text_is_refused(name):
    (error,) = refusal(**{name: "x" * 200_000}).errors()
    assert (error["loc"], "at most 65536 characters" in str(error["ctx"]["error"])) == ((name,), True)


def test_a_library_has_settings_of_its_own_and_all_others_as_everywhere():
    made = config(sync_title=False, libraries={"Clips": {"sync_title": True, "genre_tags": "-meta*", "poster": "none"}})
    own = made.of_library("Clips")
    assert (own.sync_title, own.genre_tags, own.poster) == (True, ("-meta*",), "none")
    assert (made.sync_title, made.genre_tags, made.poster) == (False, ("*",), "cover")
    assert own.plex_url == made.plex_url


@table(
    ("bad", "words"),
    [
        ({"Clips": {"plex_url": "http://x"}}, "settings that a library can have"),
        ({"Clips": {"sync_titel": True}}, "settings that a library can have"),
        ({"Clips": {"sync_title": "maybe"}}, "sync_title in table 1 must be true or false"),
        ({"A": {}, "Clips": {"title_template": "{x}"}}, "title_template in table 2 must name known values"),
        ({"Clips": {"poster": "front"}}, "poster in table 1 must be"),
        ({"Clips": {"content_rating": 18}}, "content_rating in table 1 must be a text"),
        ({"Clips": {"title_template": []}}, "title_template in table 1 must be a text with names of values in braces"),
        ({"Clips": 7}, "must be tables"),
        ({" ": {}}, "must be named after libraries"),
        ({str(n): {} for n in range(101)}, "at most 100 tables"),
        ("[1]", "must be tables"),
        ("{", "must be tables"),
    ],
)
def test_a_bad_setting_of_a_library_is_one_line_that_names_it(bad, words):
    error = refusal(libraries=bad).errors()[0]
    assert error["loc"] == ("libraries",)
    assert words in str(error["ctx"]["error"])

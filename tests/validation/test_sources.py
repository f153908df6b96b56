"""Where settings come from, which source wins, and what a person reads when one of them is wrong."""

import json
import math
import os
import subprocess
import sys
import traceback
from pathlib import Path

import pytest
import trustme

from plexsync.app.status_settings import Sources
from tests.inspections import out_of_inspection
from tests.tables import table
from validation import path_rules
from validation.config import SECRETS, PlexSyncConfig, describe
from validation.locations import settings_file
from validation.removed import REMOVED
from validation.sources import (
    FILE_VARIABLES,
    NOT_FROM_STASH,
    OTHER_VARIABLES,
    STAND_INS,
    TEST_VARIABLES,
    ConfigError,
    default_data_dir,
    load,
    load_here,
)

TOKEN = "sN4xT7qLw2Vb9KcR5hJd"
KEY = "eyJhbGciOiJIUzI1NiJ9.kQz8"
REQUIRED = {"plex_url": "http://plex.local:32400", "plex_token": TOKEN}
IN_ENVIRONMENT = {"PLEXSYNC_PLEX_URL": REQUIRED["plex_url"], "PLEXSYNC_PLEX_TOKEN": TOKEN}


def default_toml(environ, **more):
    return Path(settings_file(environ, **more))


def written(value):
    """A value as TOML spells it; JSON's texts, numbers and lists are TOML's too."""
    return str(value) if isinstance(value, float) else json.dumps(value)


@pytest.fixture
def toml(tmp_path):
    """Writes a settings file for its owner's eyes only, and gives its path."""

    def write(text="", **settings):
        path = tmp_path / "plexsync.toml"
        lines = [f"{name} = {written(value)}\n" for name, value in settings.items()]
        path.write_bytes("".join(lines).encode() + (text if isinstance(text, bytes) else text.encode()))
        path.chmod(0o600)
        return path

    return write


def problems(**sources):
    with pytest.raises(ConfigError) as caught:
        load(**{"environ": {}, "toml_path": None, **sources})
    error = caught.value
    assert str(error) == "\n".join(error.lines)
    assert all(len(line.splitlines()) == 1 and len(line) < 500 for line in error.lines)
    everything = "".join(traceback.format_exception(error))
    assert TOKEN not in everything
    assert KEY not in everything
    assert "pydantic" not in str(error)
    assert "Traceback" not in str(error)
    return error.lines


# Which source wins


def test_defaults_fill_what_nothing_sets():
    loaded = load(environ=IN_ENVIRONMENT, toml_path=None)

    assert loaded.config == PlexSyncConfig(**REQUIRED)
    assert set(loaded.origin) == set(PlexSyncConfig.model_fields)
    assert {name for name, origin in loaded.origin.items() if origin != "default"} == set(REQUIRED)
    assert loaded.warnings == ()


def test_the_stronger_source_wins(toml):
    names = ["max_retries", "plex_parallel", "dlq_retention_days", "breaker_failure_threshold"]
    loaded = load(
        environ={**IN_ENVIRONMENT, "PLEXSYNC_DLQ_RETENTION_DAYS": "3", "PLEXSYNC_BREAKER_FAILURE_THRESHOLD": "3"},
        toml_path=toml(**dict.fromkeys(names[1:], 2)),
        plugin_settings=dict.fromkeys([*names, *REQUIRED], 1),
        overrides={"breaker_failure_threshold": 4},
    )

    assert [getattr(loaded.config, name) for name in names] == [1, 2, 3, 4]
    assert [loaded.origin[name] for name in names] == ["Stash", "plexsync.toml", "environment", "command line"]
    assert loaded.origin["enabled"] == "default"


def test_every_setting_can_come_from_every_source(toml, tmp_path):
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    (tmp_path / "url").write_text("postgresql://db/plexsync\n", encoding="utf-8")
    others = {
        **REQUIRED,
        "plex_libraries": "Movies",
        "stash_url": "https://stash",
        "stash_api_key": KEY,
        "path_map": "/a => /b",
        "conflict_policy": "plex",
        "first_push": "stash",
        "when_gone": "undo",
        "watch_back": "plays",
        "watch_since": "2026-01-31",
        "watch_minimum": "10%",
        "rating_direction": "both",
        "rating_wins": "plex",
        "dlq_max": "700",
        "data_dir": str(tmp_path),
        "notify_urls": "json://localhost/told",
        "web_bind": "[::1]:9798",
        "web_password": "correct horse battery",
        "web_allowed_hosts": "nas.local",
        "stash_web_url": "https://stash.example",
        "provider_listen": "0.0.0.0:9799",
        "provider_url": "http://nas.local:9799",
        "provider_match": "true",
        "tls_ca_file": str(tmp_path / "ca.pem"),
        "enabled": "false",
        "scan_absent": "true",
        "strict_mode": "true",
        "match_by_duration": "true",
        "tag_parents": "true",
        "look": "rich",
        "poster": "group",
        "date_added": "file",
        "performer_name": "{name}[ ({disambiguation})]",
        "performer_picture_url": "https://example.org/{id}.jpg",
        "background": "studio",
        "poster_shape": "blur",
        "poster_anchor": "top",
        "poster_logo": "top_left",
        "approve_bulk": "true",
        "scope": "organized; not tag: Private",
        "scope_match": "any",
        "collections": "parents",
        "collection_parts": "summary, poster",
        "collection_mode": "items_hidden",
        "collection_home_places": "shared",
        "playlists": "children of: Playlists",
        "playlist_order": "newest",
        "libraries": '{"Clips": {"sync_title": false}}',
        "breaker_max_recovery_timeout": "301",
        "database_url": "postgresql://db/plexsync",
        "database_url_file": str(tmp_path / "url"),
        "database_schema": "second",
    }
    values = {name: "false" if name.startswith("sync_") else "7" for name in PlexSyncConfig.model_fields} | others

    origins = {setting.name: origins_of(setting, values[setting.name], toml) for setting in describe()}

    everywhere = ["environment", "plexsync.toml", "command line"]
    in_stash = {name: "default" if name in NOT_FROM_STASH else "Stash" for name in origins}
    assert origins == {name: [*everywhere, in_stash[name]] for name in PlexSyncConfig.model_fields}


def origins_of(setting, value, toml):
    """Where a setting came from, given in each source in turn, and at last in Stash alone."""
    others = {**REQUIRED, "max_retries": 2}
    others.pop(setting.name, None)
    origins = []
    for given in (
        {"environ": {setting.variable: value}, "toml_path": None},
        {"environ": {}, "toml_path": toml(**{setting.name: value})},
        {"environ": {}, "toml_path": None, "overrides": {setting.name: value}},
    ):
        loaded = load(**given, plugin_settings=others)
        origins.append(loaded.origin[setting.name])
        default = None if setting.default is None else getattr(DEFAULTS, setting.name)
        assert getattr(loaded.config, setting.name) != default, (setting.name, given)
    loaded = load(environ={}, toml_path=None, plugin_settings={**others, setting.name: value})
    if setting.name in NOT_FROM_STASH:
        no_effect = f"{setting.name} in the plugin settings in Stash has no effect: set it in plexsync.toml"
        assert loaded.warnings == (no_effect,)
    return [*origins, loaded.origin[setting.name]]


DEFAULTS = PlexSyncConfig(**REQUIRED)


def test_whoever_may_change_what_stands_in_stash_runs_no_program_here():
    loaded = load(environ=IN_ENVIRONMENT, toml_path=None, plugin_settings={"notify_command": "sh -c anything"})

    assert loaded.config.notify_command == ()


def test_toml_keeps_its_types(toml):
    path = toml(
        **REQUIRED,
        poll_interval=2,
        plex_read_timeout=12.5,
        enabled=False,
        plex_libraries=["Movies, HD", "Clips"],
        path_map=["/a => /b", ["/c", "/d"]],
    )

    config = load(environ={}, toml_path=path).config

    assert (config.poll_interval, config.plex_read_timeout, config.enabled) == (2.0, 12.5, False)
    assert config.library_names == ("Movies, HD", "Clips")
    assert path_rules.pairs(config.path_map) == (("/a", "/b"), ("/c", "/d"))


def test_an_account_and_a_day_may_stand_in_the_file_without_quotation_marks(toml):
    path = toml("watch_account = 2\nwatch_since = 2026-01-31\n", **REQUIRED)

    config = load(environ={}, toml_path=path).config

    assert (config.watch_account, config.watch_since) == ("2", "2026-01-31")


def test_an_empty_variable_is_a_value(toml):
    path = toml(plex_libraries="Movies")

    loaded = load(environ={**IN_ENVIRONMENT, "PLEXSYNC_PLEX_LIBRARIES": ""}, toml_path=path)

    assert loaded.config.library_names == ()
    assert loaded.origin["plex_libraries"] == "environment"


def test_what_stash_stores_for_a_cleared_field_is_not_set():
    cleared = {
        "max_retries": 0,
        "poll_interval": 0.0,
        "reconcile_interval_hours": 0,
        "stash_url": "",
        "path_map": "",
        "conflict_policy": "",
        "plex_libraries": None,
    }

    loaded = load(environ=IN_ENVIRONMENT, toml_path=None, plugin_settings={**cleared, "sync_title": False})

    assert {loaded.origin[name] for name in cleared} == {"default"}
    assert loaded.config.sync_title is False
    assert loaded.origin["sync_title"] == "Stash"


def test_what_stands_here_can_be_read_although_the_rest_stands_in_stash(toml):
    loaded = load_here(environ={"PLEXSYNC_STASH_API_KEY": KEY}, toml_path=toml(stash_url="http://stash"))

    assert (loaded.config.stash_url, loaded.config.stash_api_key) == ("http://stash", KEY)
    assert (loaded.config.plex_url, loaded.config.plex_token) == tuple(STAND_INS.values())
    assert load_here(environ=IN_ENVIRONMENT, toml_path=None).config == DEFAULTS


def test_a_wrong_setting_is_told_with_all_that_is_missing(toml):
    with pytest.raises(ConfigError) as wrong:
        load_here(environ={}, toml_path=toml(max_retries=99))
    assert len(wrong.value.lines) == 3
    assert wrong.value.missing == ()
    with pytest.raises(ConfigError) as missing:
        load(environ={"PLEXSYNC_PLEX_URL": "http://plex"}, toml_path=None)
    assert missing.value.missing == ("plex_token",)


def test_zero_elsewhere_is_a_value():
    loaded = load(environ={**IN_ENVIRONMENT, "PLEXSYNC_RECONCILE_INTERVAL_HOURS": "0"}, toml_path=None)

    assert loaded.config.reconcile_interval_hours == 0


def test_an_option_that_was_not_given_leaves_the_others_their_say():
    loaded = load(environ={**IN_ENVIRONMENT, "PLEXSYNC_ENABLED": "false"}, toml_path=None, overrides={"enabled": None})

    assert loaded.config.enabled is False


# What is wrong is said in one line


def test_the_line_for_a_number_says_setting_place_rule_and_value(toml):
    assert problems(environ=IN_ENVIRONMENT, toml_path=toml(dlq_retention_days=400)) == [
        "dlq_retention_days in plexsync.toml must be a whole number from 1 to 365, not 400"
    ]
    assert problems(environ={**IN_ENVIRONMENT, "PLEXSYNC_DLQ_RETENTION_DAYS": " 7"}) == [
        'dlq_retention_days in PLEXSYNC_DLQ_RETENTION_DAYS must be a whole number from 1 to 365, not " 7"'
    ]
    assert problems(environ=IN_ENVIRONMENT, plugin_settings={"max_retries": True}) == [
        "max_retries in the plugin settings in Stash must be a whole number from 1 to 20, not true"
    ]
    assert problems(environ=IN_ENVIRONMENT, overrides={"first_push": "both"}) == [
        'first_push on the command line must be "keep" or "stash", not "both"'
    ]


@table(
    ("value", "shown"),
    [
        ("", "an empty text"),
        ("\x00\n", '"\\x00\\n"'),
        ("x" * 10_240, "a text of 10240 characters"),
        (TOKEN, "a text of 20 characters"),
        (math.nan, "nan"),
        (-math.inf, "a number as large as that"),
        (10**5000, "a number as large as that"),
        (-3, "-3"),
        ([1], "a list"),
        ({}, "a table"),
        (1j, "a value of type complex"),
        (False, "false"),
    ],
)
def test_a_wrong_value_is_shown_if_it_is_short(value, shown):
    assert problems(environ=IN_ENVIRONMENT, overrides={"max_retries": value}) == [
        f"max_retries on the command line must be a whole number from 1 to 20, not {shown}"
    ]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (5, "a number"),
        (True, "true or false"),
        ([TOKEN], "a list"),
        ({TOKEN: TOKEN}, "a table"),
        (10**5000, "a number as large as that"),
    ],
    ids=["number", "bool", "list", "table", "huge"],
)
def test_of_a_text_only_the_kind_of_a_wrong_value_is_shown(value, shown):
    for name in ("plex_token", "stash_api_key", "plex_url", "stash_url", "data_dir"):
        [line] = problems(environ={} if name in REQUIRED else IN_ENVIRONMENT, overrides={**REQUIRED, name: value})
        assert line.startswith(f"{name} on the command line must be ")
        assert line.endswith(f", not {shown}")


def test_a_missing_setting_names_the_places_to_set_it():
    assert problems() == [
        f"{name} is missing: set it in plexsync.toml, as {variable} in the environment, or in the plugin settings in Stash"
        for name, variable in zip(REQUIRED, IN_ENVIRONMENT, strict=True)
    ]


def test_all_problems_are_shown_at_once(toml):
    lines = problems(
        environ={**IN_ENVIRONMENT, "PLEXSYNC_PLEX_TOKN": KEY, "PLEXSYNC_MAX_RETRIES": "many"},
        toml_path=toml(dlq_retention_day=7, poll_interval=0),
        overrides={"plex_paralel": 1},
    )

    assert lines == [
        '"PLEXSYNC_PLEX_TOKN" in the environment is no setting: did you mean PLEXSYNC_PLEX_TOKEN?',
        '"plex_paralel" on the command line is no setting: did you mean plex_parallel?',
        '"dlq_retention_day" in plexsync.toml is no setting: did you mean dlq_retention_days?',
        "poll_interval in plexsync.toml must be a number from 0.1 to 60, not 0",
        'max_retries in PLEXSYNC_MAX_RETRIES must be a whole number from 1 to 20, not "many"',
    ]


def test_the_two_waits_of_the_breaker_are_compared(toml):
    assert problems(environ=IN_ENVIRONMENT, toml_path=toml(breaker_recovery_timeout=400)) == [
        "breaker_max_recovery_timeout (default 300.0) must be at least breaker_recovery_timeout (400): "
        "raise this one or lower that one"
    ]
    assert problems(environ={**IN_ENVIRONMENT, "PLEXSYNC_BREAKER_MAX_RECOVERY_TIMEOUT": "5"}) == [
        "breaker_max_recovery_timeout in PLEXSYNC_BREAKER_MAX_RECOVERY_TIMEOUT must be at least "
        "breaker_recovery_timeout (60): raise this one or lower that one"
    ]


# Whose empty text means something, and is no mistake.
MAY_BE_EMPTY = (
    *("plex_libraries", "stash_api_key", "path_map", "data_dir", "tls_ca_file"),
    *(
        "notify_urls",
        "notify_command",
        "libraries",
        "collections",
        "web_password",
        "web_allowed_hosts",
        "stash_web_url",
        "provider_url",
    ),
    *(
        "sort_title_template",
        "original_title_template",
        "tagline_template",
        "content_rating",
        "role_text",
        "performer_picture_url",
        "genre_tags",
        "label_tags",
        "labels",
        "collection_tags",
        "collection_name",
        "collection_sort",
        "collection_parts",
        "collection_home",
        "playlists",
        "scope",
        "watch_account",
        "watch_since",
    ),
    *("database_url", "database_url_file"),
)


def bad_values(setting):
    """What no setting of this kind may take: blank, out of bounds, of the wrong type, too long, unprintable, no number."""
    bad = [" ", "\x00\x1b[31m", "x" * 10_240, math.nan, math.inf, -math.inf, [[]], {"a": 1}]
    if setting.name not in MAY_BE_EMPTY:
        bad.append("")
    if "number from" in setting.rule:
        low, high = (float(bound) for bound in setting.rule.split(" from ")[1].split(" to "))
        bad += [True, low - 1, high + 1, "seven", " 7"]
    elif setting.rule == "true or false":
        bad += [2, "maybe", " true"]
    else:
        # An account of Plex may be given by its number.
        bad += [True] if setting.name == "watch_account" else [True, 5]
    if setting.name.endswith("_url"):
        bad += ["ftp://plex", "http://user:" + KEY + "@plex", "http://", "http://plex?X-Plex-Token=" + KEY]
    if setting.secret:
        bad += [KEY + " ", " " + KEY, KEY + "\n", KEY + "é"]
    return bad


@pytest.mark.parametrize("name", PlexSyncConfig.model_fields)
def test_each_bad_value_is_one_line_that_names_the_setting_and_its_place(toml, name):
    (setting,) = (one for one in describe() if one.name == name)
    values = bad_values(setting)
    in_file = {ascii(value)[:60]: told(toml_path=file_with(toml, name, value)) for value in values}
    in_environment = {
        ascii(value)[:60]: told(environ={**IN_ENVIRONMENT, setting.variable: value})
        for value in values
        if isinstance(value, str)
    }

    assert len(in_file) == len(values)
    assert {value: lines for value, lines in in_file.items() if not is_refusal(lines, name, "plexsync.toml")} == {}
    others = {value: lines for value, lines in in_environment.items() if not is_refusal(lines, name, setting.variable)}
    assert others == {}


def told(**sources):
    """The problems with these sources; [] if there is none."""
    try:
        return problems(**sources)
    except pytest.fail.Exception:
        return []


def file_with(toml, name, value):
    if isinstance(value, dict):
        return toml(**{other: given for other, given in REQUIRED.items() if other != name}, text=f"[{name}]\na=1")
    return toml(**{**REQUIRED, name: value})


def is_refusal(lines, name, place):
    """Whether a problem is told in one line, of this setting in this place, that a terminal can show."""
    return len(lines) == 1 and lines[0].startswith(f"{name} in {place} must ") and "\x1b" not in lines[0]


@pytest.mark.parametrize("name", REQUIRED)
def test_null_is_the_same_as_missing(name):
    for source in ("plugin_settings", "overrides"):
        [line] = problems(**{source: {**REQUIRED, name: None}})
        assert line.startswith(f"{name} is missing")


# Names nobody knows


def test_variables_that_are_no_settings_are_left_alone():
    others = [*OTHER_VARIABLES, *TEST_VARIABLES]
    loaded = {name: load(environ={**IN_ENVIRONMENT, name: "anything"}, toml_path=None) for name in others}

    assert len(loaded) > 5
    assert {name: each.warnings for name, each in loaded.items() if each.warnings or each.config != DEFAULTS} == {}


@pytest.mark.parametrize("service", ["PLEXSYNC", "PLEXSYNC_WEB"])
def test_what_kubernetes_tells_of_a_service_of_our_name_is_left_alone(service):
    told = {
        "SERVICE_HOST": "10.0.0.11",
        "SERVICE_PORT": "80",
        "SERVICE_PORT_HTTP": "80",
        "PORT": "tcp://10.0.0.11:80",
        "PORT_80_TCP": "tcp://10.0.0.11:80",
        "PORT_80_TCP_PROTO": "tcp",
        "PORT_80_TCP_PORT": "80",
        "PORT_80_TCP_ADDR": "10.0.0.11",
    }
    given = {f"{service}_{name}": value for name, value in told.items()}
    assert load(environ={**IN_ENVIRONMENT, **given}, toml_path=None).warnings == ()


def test_variables_of_others_are_left_alone():
    others = {"PATH": "/bin", "PLEX_TOKEN": "x", "MY_PLEXSYNC_X": "y", "MAX_RETRIES": "7", "PLEXSYNCX": "z"}
    loaded = load(environ={**IN_ENVIRONMENT, **others}, toml_path=None)

    assert (loaded.config, loaded.warnings) == (DEFAULTS, ())
    assert {name for name, origin in loaded.origin.items() if origin == "environment"} == set(REQUIRED)


@table(
    ("variable", "guess"),
    [
        ("PLEXSYNC_DLQ_RETENTION", "did you mean PLEXSYNC_DLQ_RETENTION_DAYS?"),
        ("PLEXSYNC_plex_url", "did you mean PLEXSYNC_PLEX_URL?"),
        ("plexsync_max_retries", "did you mean PLEXSYNC_MAX_RETRIES?"),
        ("PLEXSYNC_CONFG", "did you mean PLEXSYNC_CONFIG?"),
        ("PLEXSYNC_PORT", ""),
        ("PLEXSYNC_CONFI", "did you mean PLEXSYNC_CONFIG?"),
        ("PLEXSYNC_", ""),
        ("PLEXSYNC_" + "Q" * 10_240, "docs/settings.md lists them all"),
        ("PLEXSYNC_A\nB", ""),
    ],
)
def test_an_unknown_variable_is_refused_with_the_nearest_name(variable, guess):
    [line] = problems(environ={**IN_ENVIRONMENT, variable: KEY})

    assert "in the environment is no setting: " in line
    assert line.endswith(guess)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plex_tokn = 'x'", '"plex_tokn" in plexsync.toml is no setting: did you mean plex_token?'),
        ("[plx]\nurl = 'x'", '"plx" in plexsync.toml is no setting: docs/settings.md lists them all'),
        ("Enabled = true", '"Enabled" in plexsync.toml is no setting: did you mean enabled?'),
        ('"\\u001b\\n" = 1', '"\\x1b\\n" in plexsync.toml is no setting: docs/settings.md lists them all'),
        ('"" = 1', '"" in plexsync.toml is no setting: docs/settings.md lists them all'),
    ],
)
def test_an_unknown_name_in_a_file_is_refused_with_the_nearest(toml, text, shown):
    assert problems(environ=IN_ENVIRONMENT, toml_path=toml(text)) == [shown]


def test_what_an_older_version_left_in_stash_is_a_warning():
    loaded = load(environ=IN_ENVIRONMENT, toml_path=None, plugin_settings={"old_setting": 1})

    assert loaded.warnings == ('"old_setting" in the plugin settings in Stash is no setting and has no effect',)


# Files that are none


@pytest.mark.parametrize(
    ("content", "shown"),
    [
        (b"plex_url = ", "is not valid TOML at its end: look for missing quotes there"),
        (b"a = 1\nplex_token = sN4xT7qLw2Vb9KcR5hJd\n", "is not valid TOML at line 2, column"),
        (b"plex_token = 'sN4xT7qLw2Vb9KcR5hJd", "is not valid TOML"),
        (
            b"max_retries = 1\nmax_retries = 2",
            'at its end: "max_retries" is in the file twice: keep one of them',
        ),
        (b"plex_url = 'a'\nplex_url = 'b'\nb = 1", 'at line 2, column 15: "plex_url" is in the file twice'),
        (b"scope = ['a']\nscope = [\n  'b',\n]\n", "at line 4, column 2: what stands there is in the file twice"),
        (b"[libraries.A]\n[libraries.A]\n", "at line 2, column 13: what stands there is in the file twice"),
        (b"max_retries = " + b"9" * 5_000, "is not valid TOML: a number in it is too long"),
        (b"path_map = " + b"[" * 50_000, "is not valid TOML"),
        ("plex_url = 'x'".encode("utf-16"), "is not UTF-8 text"),
        (b"plex_url = '\xff'", "is not UTF-8 text"),
        (b"#" * 1_000_001, "is larger than 1 MB"),
    ],
    ids=lambda value: ascii(value)[:20],
)
def test_a_file_that_cannot_be_understood_is_one_line(toml, content, shown):
    [line] = problems(toml_path=toml(content))

    assert "plexsync.toml " in line
    assert shown in line


def test_a_broken_file_does_not_hide_an_unknown_variable(toml):
    assert len(problems(environ={"PLEXSYNC_X": "1"}, toml_path=toml("="))) == 2


def test_a_file_of_one_megabyte_with_a_mark_at_its_start_is_read(toml):
    path = toml(b"")
    path.write_bytes(b"\xef\xbb\xbfmax_retries = 7\n".ljust(1_000_000, b"\n"))

    assert load(environ=IN_ENVIRONMENT, toml_path=path).config.max_retries == 7


def test_a_folder_is_no_file(tmp_path):
    assert problems(toml_path=tmp_path) == [f"{tmp_path} is a folder: give the path of the file in it"]


def test_a_file_that_is_not_there_is_named(tmp_path):
    path = tmp_path / "gone\n.toml"

    [line] = problems(toml_path=path, environ={"PLEXSYNC_CONFIG": str(path)})

    assert line.endswith("gone\\n.toml does not exist: create it or correct the path (--config, PLEXSYNC_CONFIG)")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has neither pipes in the file system nor these links")
def test_pipes_and_circles_are_no_files(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "circle").symlink_to("circle")
    (tmp_path / "file").touch()

    assert "is not a regular file" in problems(toml_path=tmp_path / "pipe")[0]
    assert "can't be read" in problems(toml_path=tmp_path / "circle")[0]
    assert "can't be read" in problems(toml_path=tmp_path / "file" / "plexsync.toml")[0]
    assert "can't be read" in problems(toml_path=tmp_path / "a\0b")[0]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="nothing is unreadable to the superuser")
def test_a_file_that_may_not_be_read_is_named(toml):
    path = toml()
    path.chmod(0)

    assert "may not be read" in problems(toml_path=path)[0]


@pytest.mark.skipif(sys.platform == "win32", reason="the mode bits mean nothing on Windows")
@pytest.mark.parametrize(("mode", "warned"), [(0o600, False), (0o640, False), (0o644, True), (0o604, True)])
def test_a_secret_that_everyone_can_read_is_a_warning(toml, mode, warned):
    path = toml(**REQUIRED, stash_api_key=KEY)
    path.chmod(mode)

    warnings = load(environ={}, toml_path=path).warnings

    expected = f"every user of this machine can read plex_token and stash_api_key in {path}: chmod 600 {path}"
    assert warnings == ((expected,) if warned else ())


@pytest.mark.skipif(sys.platform == "win32", reason="the mode bits mean nothing on Windows")
def test_a_file_without_a_secret_may_be_read_by_all(toml):
    path = toml(stash_api_key="")
    path.chmod(0o644)

    assert load(environ=IN_ENVIRONMENT, toml_path=path).warnings == ()


def test_nothing_loaded_shows_a_secret():
    loaded = load(environ={**IN_ENVIRONMENT, "PLEXSYNC_STASH_API_KEY": KEY}, toml_path=None)

    assert TOKEN not in repr(loaded)
    assert KEY not in repr(loaded)
    assert loaded.config.secrets == (TOKEN, KEY)
    assert set(SECRETS) <= set(loaded.origin)


# The usual places


def test_the_settings_file_is_the_named_one_else_the_one_here_else_the_users(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    home = {"HOME": "/home/ann"}
    assert default_toml(home, platform="linux") == Path("/home/ann/.config/plexsync/plexsync.toml")
    assert default_toml({**home, "XDG_CONFIG_HOME": "/cfg"}, platform="darwin") == Path("/cfg/plexsync/plexsync.toml")
    assert default_toml({**home, "XDG_CONFIG_HOME": "rel"}, platform="linux") == default_toml(home, platform="linux")
    assert default_toml({"APPDATA": "/roaming"}, platform="win32") == Path("/roaming/plexsync/plexsync.toml")
    assert default_toml({"USERPROFILE": "/u"}, platform="win32") == Path("/u/AppData/Roaming/plexsync/plexsync.toml")

    (tmp_path / "plexsync.toml").touch()
    assert default_toml(home) == Path("plexsync.toml")
    assert default_toml({**home, "PLEXSYNC_CONFIG": ""}) == Path("plexsync.toml")
    assert default_toml({**home, "PLEXSYNC_CONFIG": "/etc/x.toml"}) == Path("/etc/x.toml")


def test_no_file_at_a_usual_place_is_no_problem(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    environ = {**IN_ENVIRONMENT, "HOME": str(tmp_path), "USERPROFILE": str(tmp_path)}

    for usual in (default_toml(environ), Path("plexsync.toml")):
        assert load(environ=environ, toml_path=usual, may_be_missing=True).config == DEFAULTS


def test_a_file_that_was_named_has_to_be_there_also_at_a_usual_place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    (line,) = problems(environ=IN_ENVIRONMENT, toml_path=Path("plexsync.toml"))
    assert line == "plexsync.toml does not exist: create it or correct the path (--config, PLEXSYNC_CONFIG)"


def test_a_current_folder_that_this_user_may_not_look_into_holds_no_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    out_of_inspection(monkeypatch, tmp_path)

    assert default_toml({"HOME": "/home/ann"}, platform="linux") == Path("/home/ann/.config/plexsync/plexsync.toml")


def test_a_usual_place_that_this_user_may_not_look_into_is_left_out(tmp_path, monkeypatch):
    """As for a service whose HOME is another user's."""
    monkeypatch.chdir(tmp_path)
    environ = {**IN_ENVIRONMENT, "HOME": str(tmp_path / "root")}
    usual = default_toml(environ)
    look = Path.stat

    def stat(path, **more):
        if path == usual:
            raise PermissionError(13, "Permission denied")
        return look(path, **more)

    monkeypatch.setattr(Path, "stat", stat)
    (warning,) = load(environ=environ, toml_path=usual, may_be_missing=True).warnings
    assert warning == f"{usual} is left out: this user may not look into its folder"
    lines = problems(environ={"HOME": str(tmp_path / "root")}, toml_path=usual, may_be_missing=True)
    assert warning in lines
    (line,) = problems(environ=environ, toml_path=usual)
    assert "may not be read" in line


def test_something_else_at_a_usual_place_is_a_problem(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    environ = {"XDG_CONFIG_HOME": str(tmp_path), "APPDATA": str(tmp_path)}
    default_toml(environ).mkdir(parents=True)
    assert "is a folder" in problems(environ=environ, toml_path=default_toml(environ), may_be_missing=True)[0]

    (tmp_path / "file").touch()
    environ = {"XDG_CONFIG_HOME": str(tmp_path / "file"), "APPDATA": str(tmp_path / "file")}
    if sys.platform != "win32":
        (first, *_) = problems(environ=environ, toml_path=default_toml(environ), may_be_missing=True)
        assert "can't be read" in first


def test_the_database_lies_in_the_named_folder_else_at_the_usual_place():
    home = {"HOME": "/home/ann"}
    assert default_data_dir({**home, "PLEXSYNC_DATA_DIR": "/data"}) == Path("/data")
    assert default_data_dir(home, platform="linux") == Path("/home/ann/.local/share/plexsync")
    assert default_data_dir({**home, "XDG_DATA_HOME": "/xdg"}, platform="linux") == Path("/xdg/plexsync")
    assert default_data_dir({**home, "XDG_DATA_HOME": "xdg"}, platform="linux") == default_data_dir(
        home, platform="linux"
    )
    assert default_data_dir(home, platform="darwin") == Path("/home/ann/Library/Application Support/plexsync")
    assert default_data_dir({"LOCALAPPDATA": "/local"}, platform="win32") == Path("/local/plexsync")
    assert default_data_dir({"USERPROFILE": "/u"}, platform="win32") == Path("/u/AppData/Local/plexsync")


def test_without_a_variable_the_system_knows_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))

    assert default_data_dir({}, platform="linux") == tmp_path / ".local/share/plexsync"


def test_without_a_home_folder_the_database_must_be_placed_by_hand(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    # What Python answers for a user without a home folder.
    monkeypatch.setattr("os.path.expanduser", lambda path: path)

    with pytest.raises(ConfigError, match="PLEXSYNC_DATA_DIR"):
        default_data_dir({}, platform="linux")
    assert default_toml({}, platform="linux") == Path("plexsync.toml")
    assert load(environ=IN_ENVIRONMENT, toml_path=default_toml({}), may_be_missing=True).config == DEFAULTS


# Secrets in files, as containers and services are given theirs


@pytest.fixture
def kept(tmp_path):
    """Writes a secret to a file of its own, and gives the environment that names it."""

    def write(name, content):
        path = tmp_path / name
        path.write_bytes(content)
        return {f"PLEXSYNC_{name.upper()}_FILE": str(path)}

    return write


def test_every_secret_can_be_in_a_file(kept):
    given = {"plex_token": TOKEN, "stash_api_key": KEY}
    assert {"plex_token", "stash_api_key", "notify_urls"} <= set(FILE_VARIABLES.values()) == set(SECRETS)
    environ = {"PLEXSYNC_PLEX_URL": REQUIRED["plex_url"], **kept("notify_urls", b"json://a/b\njson://c/d\n")}
    for name, value in given.items():
        environ |= kept(name, value.encode() + b"\n")

    loaded = load(environ=environ, toml_path=None)

    assert (loaded.config.plex_token, loaded.config.stash_api_key) == (TOKEN, KEY)
    assert loaded.config.notify_urls == ("json://a/b", "json://c/d")
    assert {loaded.origin[name] for name in (*given, "notify_urls")} == {"file named in the environment"}


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_a_line_end_behind_the_secret_is_none_of_it(end, kept):
    environ = {"PLEXSYNC_PLEX_URL": REQUIRED["plex_url"], **kept("plex_token", b"\xef\xbb\xbf" + TOKEN.encode() + end)}
    assert load(environ=environ, toml_path=None).config.plex_token == TOKEN


def test_a_secret_in_a_file_is_stronger_than_plexsync_toml(kept, toml):
    environ = kept("plex_token", TOKEN.encode())
    loaded = load(environ=environ, toml_path=toml(plex_url=REQUIRED["plex_url"], plex_token="another-token"))
    assert loaded.config.plex_token == TOKEN


def test_an_empty_name_of_a_file_is_none():
    assert (
        load(environ={**IN_ENVIRONMENT, "PLEXSYNC_STASH_API_KEY_FILE": ""}, toml_path=None).config.stash_api_key == ""
    )


def test_a_secret_and_a_file_with_it_are_one_too_many(kept):
    (line,) = problems(environ={**IN_ENVIRONMENT, **kept("plex_token", KEY.encode())})
    assert line == "PLEXSYNC_PLEX_TOKEN_FILE and PLEXSYNC_PLEX_TOKEN are both set: keep one of them"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "plex_token in the file that PLEXSYNC_PLEX_TOKEN_FILE names must not be empty"),
        (b"two words", "plex_token in the file that PLEXSYNC_PLEX_TOKEN_FILE names must be plain ASCII"),
        (b"\xff\xfe", "PLEXSYNC_PLEX_TOKEN_FILE must name a file of UTF-8 text"),
        (b"x" * 70_000, "PLEXSYNC_PLEX_TOKEN_FILE must name a file with a secret in it and nothing else"),
    ],
)
def test_a_file_that_holds_no_secret_is_told_of(content, told, kept):
    lines = problems(environ={"PLEXSYNC_PLEX_URL": REQUIRED["plex_url"], **kept("plex_token", content)})
    assert lines[0].startswith(told)


@pytest.mark.parametrize(
    ("path", "told"),
    [
        (TOKEN, "must name a file that exists"),
        (os.sep, "must name a file; this is a folder or a device"),
        ("a" * 9_000, "must name a file that can be read"),
    ],
    ids=["a token", "a folder", "too long"],
)
def test_a_path_that_leads_to_no_file_is_told_of_and_not_quoted(path, told):
    lines = problems(environ={"PLEXSYNC_PLEX_URL": REQUIRED["plex_url"], "PLEXSYNC_PLEX_TOKEN_FILE": path})
    assert lines[0] == f"PLEXSYNC_PLEX_TOKEN_FILE {told}"


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="needs a user whom modes keep out")
def test_a_file_that_may_not_be_read_is_told_of(kept, tmp_path):
    environ = {"PLEXSYNC_PLEX_URL": REQUIRED["plex_url"], **kept("plex_token", TOKEN.encode())}
    (tmp_path / "plex_token").chmod(0)
    assert (
        problems(environ=environ)[0] == "PLEXSYNC_PLEX_TOKEN_FILE must name a file that the user of PlexSync may read"
    )


# --- settings with an earlier name --------------------------------------------------------------------------------------


SERVER = {"plex_url": "http://plex:32400", "plex_token": "tokentoken"}
PADDING = (
    'poster_padding has a new name and is read as such: write poster_shape = "bars" for true, or "as_is" for false'
)


def test_an_earlier_name_is_read_from_every_source_and_told_once(toml):
    path = toml("poster_padding = true\n[libraries.Clips]\nposter_padding = false\n", **SERVER)
    loaded = load(environ={"PLEXSYNC_POSTER_PADDING": "true"}, toml_path=path, plugin_settings={"poster_padding": True})
    assert (loaded.config.poster_shape, loaded.origin["poster_shape"]) == ("bars", "environment")
    assert loaded.config.of_library("Clips").poster_shape == "as_is"
    assert [line for line in loaded.warnings if "poster" in line] == [PADDING]
    for given in ({"plugin_settings": {"poster_padding": True}}, {"overrides": {"poster_padding": "yes"}}):
        assert load(environ={}, toml_path=toml(**SERVER), **given).config.poster_shape == "bars"


def test_an_earlier_name_that_was_emptied_in_stash_is_not_told(toml):
    loaded = load(environ={}, toml_path=toml(**SERVER), plugin_settings={"poster_padding": "", "poster_shape": "crop"})
    assert (loaded.config.poster_shape, loaded.warnings) == ("crop", ())
    assert (
        load(environ={}, toml_path=toml(**SERVER), plugin_settings={"poster_padding": ""}).config.poster_shape
        == "as_is"
    )


def test_the_present_name_counts_where_both_are_given(toml):
    assert (
        load(environ={}, toml_path=toml(**SERVER, poster_shape="crop", poster_padding=True)).config.poster_shape
        == "crop"
    )


def test_an_earlier_name_is_read_in_an_entry(tmp_path):
    path = tmp_path / "plexsync.toml"
    path.write_text('[[plex]]\nname = "a"\nplex_url = "http://a"\nplex_token = "tokentoken"\nposter_padding = true\n')
    loaded = load(environ={}, toml_path=path)
    assert (loaded.config.poster_shape, PADDING in loaded.warnings) == ("bars", True)


def test_a_value_that_the_earlier_name_never_had_is_refused_under_that_name(toml):
    with pytest.raises(ConfigError, match=r'^poster_padding must be true or false, not "wide"$'):
        load(environ={}, toml_path=toml(**SERVER, poster_padding="wide"))
    with pytest.raises(
        ConfigError, match=r"^poster_padding in PLEXSYNC_POSTER_PADDING must be true or false, not an empty"
    ):
        load(environ={"PLEXSYNC_POSTER_PADDING": ""}, toml_path=toml(**SERVER))


# --- settings that were removed -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", REMOVED)
def test_a_removed_setting_is_named_wherever_it_is_met_and_changes_nothing(name, toml):
    path = toml(f"{name} = true\n", **SERVER)
    loaded = load(
        environ={f"PLEXSYNC_{name.upper()}": "true"}, toml_path=path, plugin_settings={name: 3, "poster": "studio"}
    )
    assert loaded.config == load(environ={}, toml_path=toml(**SERVER, poster="studio")).config
    version, instead = REMOVED[name]
    assert sorted(loaded.warnings) == [
        f"PLEXSYNC_{name.upper()} in the environment was removed in {version}: delete the variable",
        f"{name} in the plugin settings in Stash was removed in {version} and has no effect",
        f"{name} was removed in {version}: delete the line in plexsync.toml",
    ]
    assert instead


@pytest.mark.parametrize("value", ["", 0, False])
def test_a_removed_setting_that_is_off_in_stash_is_not_told(value, toml):
    loaded = load(environ={}, toml_path=toml(**SERVER), plugin_settings=dict.fromkeys(REMOVED, value))
    assert loaded.warnings == ()


def test_a_removed_setting_in_an_entry_is_told_once(tmp_path):
    path = tmp_path / "plexsync.toml"
    entries = (f'[[plex]]\nname = "{name}"\nplex_url = "http://{name}"\ngallery_choices = 3\n' for name in "ab")
    path.write_text("plex_token = 'tokentoken'\nwatch_marked = true\n" + "".join(entries))
    loaded = load(environ={}, toml_path=path)
    assert [line for line in loaded.warnings if " was removed in " in line] == [
        "watch_marked was removed in 0.3.0: delete the line in plexsync.toml",
        "gallery_choices was removed in 0.3.0: delete the line in plexsync.toml",
    ]


# --- a file that others could change -----------------------------------------------------------------------------------


@pytest.mark.skipif(os.name != "posix", reason="owners and modes are POSIX's")
@pytest.mark.parametrize("mode", [0o602, 0o666, 0o620 if os.geteuid() == 0 else 0o622])
def test_a_file_that_others_may_write_is_refused_by_name_before_anything_in_it_is_used(mode, toml):
    path = toml(**SERVER)
    path.chmod(mode)
    line = f"{path} can be changed by other users, who could have your token and key sent anywhere: chmod 600 {path}"
    with pytest.raises(ConfigError) as refused:
        load(environ={}, toml_path=path)
    assert refused.value.lines == [line]
    assert Sources({}, str(path), None).content() is None


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root gives a file away")
def test_a_file_of_another_user_is_refused_with_the_way_out_of_a_container(toml):
    path = toml(**SERVER)
    os.chown(path, 1000, 1001)
    with pytest.raises(ConfigError, match=r"belongs to another user .*or in a container let PlexSync run as 1000:1001"):
        load(environ={}, toml_path=path)
    assert Sources({}, str(path), None).content() is None


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root takes the place of another user")
@pytest.mark.parametrize(("group", "refused"), [(54_321, False), (65_534, True)], ids=["nobody else", "a shared group"])
def test_a_group_may_write_if_nobody_else_is_in_it_as_in_a_volume(group, refused):
    asked = (
        "import os; from validation.locations import why_foreign;"
        "os.seteuid(54321); print(why_foreign('f', os.stat_result((0o100660,0,0,0,54321,int(os.environ['G']),0,0,0,0))))"
    )
    done = subprocess.run(
        [sys.executable, "-c", asked], env={**os.environ, "G": str(group)}, capture_output=True, text=True, check=True
    )
    assert bool(done.stdout.strip()) == refused

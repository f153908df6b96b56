"""`[[plex]]` entries: each becomes the settings of one Plex server, and every problem names the entry and the setting."""

from pathlib import Path

import pytest

from plexsync.rules.match.server_scopes import store_folder
from validation.plex_entries import MOST_ENTRIES, OF_AN_ENTRY
from validation.sources import DEFAULT, ENTRY, ENVIRONMENT, TOML, ConfigError, load, load_here, load_servers

TWO = """
plex_token = "token-for-both"
sync_genres = false
path_map = ["/stash => /plex"]

[[plex]]
name = "living"
plex_url = "http://living.example:32400"

[[plex]]
name = "attic"
plex_url = "http://attic.example:32400"
plex_token = "token-of-the-attic"
scope = ["tag: Attic"]
sync_genres = true

[plex.libraries."Movies"]
sync_title = false
"""


@pytest.fixture
def file(tmp_path):
    def write(text):
        path = tmp_path / "plexsync.toml"
        path.write_text(text, encoding="utf-8")
        path.chmod(0o600)
        return path

    return write


def entries(*texts):
    """A file with the entries living and attic, and these lines in the second one."""
    return (
        '[[plex]]\nname = "living"\nplex_url = "http://living.example"\nplex_token = "first-token"\n'
        '[[plex]]\nname = "attic"\nplex_url = "http://attic.example"\nplex_token = "second-token"\n' + "\n".join(texts)
    )


def lines_of(path, **more):
    with pytest.raises(ConfigError) as caught:
        load(**{"environ": {}, "toml_path": path, **more})
    return caught.value.lines


# --- what an entry becomes ---------------------------------------------------------------------------------------


def test_each_entry_becomes_the_settings_of_one_server(file):
    first, second = load_servers(environ={}, toml_path=file(TWO))
    assert (first.plex, second.plex) == ("living", "attic")
    assert first.servers == second.servers == ("living", "attic")
    assert (first.config.plex_url, second.config.plex_url) == (
        "http://living.example:32400",
        "http://attic.example:32400",
    )
    assert (first.config.plex_token, second.config.plex_token) == ("token-for-both", "token-of-the-attic")
    assert (first.config.scope, second.config.scope) == (("all",), ("tag: Attic",))
    assert (first.config.sync_genres, second.config.sync_genres) == (False, True)
    assert first.config.path_map == second.config.path_map == ("/stash => /plex",)
    assert (dict(first.config.libraries), dict(second.config.libraries)) == ({}, {"Movies": {"sync_title": False}})


def test_without_a_choice_the_first_entry_is_loaded(file):
    path = file(TWO)
    assert load(environ={}, toml_path=path).plex == "living"
    assert load(environ={}, toml_path=path, plex="attic").plex == "attic"


def test_without_entries_there_is_one_server_without_a_name(file):
    alone = load(environ={}, toml_path=file('plex_url = "http://one.example"\nplex_token = "t-o-k-e-n"'))
    assert (alone.plex, alone.servers, alone.is_first) == ("", (), True)
    assert load_servers(
        environ={}, toml_path=None, overrides={"plex_url": "http://x.example", "plex_token": "abc"}
    ) == (load(environ={}, toml_path=None, overrides={"plex_url": "http://x.example", "plex_token": "abc"}),)


def test_an_empty_list_of_entries_is_none(file):
    alone = load(environ={}, toml_path=file('plex = []\nplex_url = "http://one.example"\nplex_token = "t-o-k-e-n"'))
    assert alone.servers == ()


def test_an_entry_wins_over_every_other_source(file):
    environ = {"PLEXSYNC_SYNC_GENRES": "false", "PLEXSYNC_PLEX_TOKEN": "of-the-environment"}
    first, second = load_servers(environ=environ, toml_path=file(TWO), plugin_settings={"sync_genres": False})
    assert second.config.sync_genres is True
    assert second.config.plex_token == "token-of-the-attic"
    assert first.config.plex_token == "of-the-environment"
    assert (second.origin["sync_genres"], second.origin["plex_token"]) == (ENTRY, ENTRY)
    assert (first.origin["sync_genres"], first.origin["path_map"]) == (ENVIRONMENT, TOML)


def test_a_look_fills_what_neither_the_entry_nor_the_top_has_set(file):
    first, second = load_servers(environ={}, toml_path=file(entries('look = "rich"', 'poster = "group"')))
    assert (first.config.look, second.config.look) == ("plain", "rich")
    assert second.config.poster == "group"
    assert second.config.background != first.config.background


def test_an_entry_switches_itself_off_but_not_on(file):
    first, second = load_servers(environ={}, toml_path=file(entries("enabled = false")))
    assert (first.config.enabled, second.config.enabled) == (True, False)
    off = load_servers(environ={}, toml_path=file("enabled = false\n" + entries("enabled = true")))
    assert [loaded.config.enabled for loaded in off] == [False, False]


def test_the_settings_that_all_servers_share_are_those_of_the_machine():
    shared = {"data_dir", "tls_ca_file", "stash_url", "stash_api_key", "web_bind", "web_password", "notify_urls"}
    assert not shared & set(OF_AN_ENTRY)
    assert {"plex_url", "plex_token", "scope", "path_map", "libraries", "watch_back", "enabled"} <= set(OF_AN_ENTRY)


# --- the token of an entry ---------------------------------------------------------------------------------------


def test_a_token_is_taken_from_its_variable(file):
    text = entries().replace('plex_token = "second-token"\n', "")
    loaded = load(environ={"PLEXSYNC_PLEX_TOKEN_ATTIC": "from-a-variable"}, toml_path=file(text), plex="attic")
    assert loaded.config.plex_token == "from-a-variable"


def test_a_variable_wins_over_the_entry_and_a_hyphen_is_an_underscore(file):
    text = entries().replace('"attic"', '"the-attic"')
    environ = {"PLEXSYNC_PLEX_TOKEN_THE_ATTIC": "from-a-variable"}
    assert load(environ=environ, toml_path=file(text), plex="the-attic").config.plex_token == "from-a-variable"


@pytest.mark.parametrize("by", ["variable", "entry"])
def test_a_token_is_read_from_a_file(file, tmp_path, by):
    secret = tmp_path / "token"
    secret.write_text("from-a-file\n")
    text = entries() if by == "variable" else entries(f"plex_token_file = '{secret}'")
    if by == "entry":
        text = text.replace('plex_token = "second-token"\n', "")
    environ = {"PLEXSYNC_PLEX_TOKEN_ATTIC_FILE": str(secret)} if by == "variable" else {}
    assert load(environ=environ, toml_path=file(text), plex="attic").config.plex_token == "from-a-file"


def test_two_sources_of_one_token_are_one_too_many(file, tmp_path):
    text = entries(f"plex_token_file = '{tmp_path}/token'")
    assert lines_of(file(text)) == [
        'plex_token and plex_token_file are both in [[plex]] "attic" in plexsync.toml: keep one of them'
    ]
    environ = {"PLEXSYNC_PLEX_TOKEN_ATTIC": "one", "PLEXSYNC_PLEX_TOKEN_ATTIC_FILE": "/two"}
    assert lines_of(file(entries()), environ=environ) == [
        "PLEXSYNC_PLEX_TOKEN_ATTIC_FILE and PLEXSYNC_PLEX_TOKEN_ATTIC are both set: keep one of them"
    ]


def test_no_token_is_in_a_text_or_a_problem(file, capsys):
    text = entries("sync_title = 3", 'scope = "tag"').replace("http://living.example", "second-token")
    told = "\n".join(lines_of(file(text)))
    assert "first-token" not in told and "second-token" not in told
    loaded = load(environ={}, toml_path=file(entries()), plex="attic")
    assert "second-token" not in repr(loaded) + str(loaded)


# --- problems ----------------------------------------------------------------------------------------------------


ATTIC = 'in [[plex]] "attic" in plexsync.toml'


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("plex_ulr = 'x'", f'"plex_ulr" {ATTIC} is no setting of a Plex server: did you mean plex_url?'),
        ("nmae = 'x'", f'"nmae" {ATTIC} is no setting of a Plex server: did you mean name?'),
        ("stash_url = 'x'", f'"stash_url" {ATTIC} is a setting of all servers: set it before the first [[plex]]'),
        ("data_dir = '/x'", f'"data_dir" {ATTIC} is a setting of all servers: set it before the first [[plex]]'),
        ("max_retries = 99", f"max_retries {ATTIC} must be a whole number from 1 to 20, not 99"),
        ("sync_title = 'often'", f'sync_title {ATTIC} must be true or false, not "often"'),
        ("breaker_max_recovery_timeout = 1", None),
    ],
)
def test_a_problem_names_the_entry_and_the_setting(file, line, shown):
    (told,) = lines_of(file(entries(line)))
    if shown is None:
        assert told.startswith(f"breaker_max_recovery_timeout {ATTIC} must be at least")
    else:
        assert told == shown


def test_problems_of_all_entries_are_told_at_once_and_those_of_the_top_once(file):
    text = "max_retries = 99\n" + entries("poll_interval = 0").replace(
        'plex_url = "http://living.example"', 'plex_url = "http://living.example"\nsync_date = 5'
    )
    assert lines_of(file(text)) == [
        "max_retries in plexsync.toml must be a whole number from 1 to 20, not 99",
        'sync_date in [[plex]] "living" in plexsync.toml must be true or false, not 5',
        f"poll_interval {ATTIC} must be a number from 0.1 to 60, not 0",
    ]


@pytest.mark.parametrize(
    "name", ["", "Attic", "a b", "-attic", "attic-", "at--tic", "dachböden", "a" * 21, "../x", "at_tic", "at.tic"]
)
def test_a_name_is_short_and_plain(file, name):
    (line,) = lines_of(file(entries().replace('"attic"', f'"{name}"')))
    assert line.startswith("name in [[plex]] entry 2 in plexsync.toml must be a name of 1 to 20 characters")


@pytest.mark.parametrize("name", ["file", "my-file"])
def test_a_name_is_no_end_of_a_variable(file, name):
    (line,) = lines_of(file(entries().replace('"attic"', f'"{name}"')))
    assert line.startswith('name in [[plex]] entry 2 in plexsync.toml must not be "file"')


def test_an_entry_needs_a_name(file):
    (line,) = lines_of(file(entries().replace('name = "attic"\n', "")))
    assert line.startswith("name in [[plex]] entry 2 in plexsync.toml is missing: give a name")


def test_a_name_is_used_once(file):
    lines = lines_of(file(entries().replace('"attic"', '"living"')))
    assert 'name in [[plex]] "living" in plexsync.toml is used twice: each entry needs its own' in lines


def test_an_address_is_used_once(file):
    assert lines_of(file(entries().replace("http://attic.example", "http://living.example"))) == [
        f'plex_url {ATTIC} is also the address of [[plex]] "living": one entry for each server'
    ]


def test_a_missing_token_is_told_with_its_places(file):
    path = file(entries().replace('plex_token = "second-token"\n', ""))
    with pytest.raises(ConfigError) as caught:
        load(environ={}, toml_path=path)
    assert caught.value.lines == [
        f"plex_token is missing {ATTIC}: set it there, as PLEXSYNC_PLEX_TOKEN_ATTIC in the environment, "
        "or for all servers above the entries"
    ]
    assert caught.value.missing == ("plex_token",)
    assert load_here(environ={}, toml_path=path, plex="attic").config.plex_url == "http://attic.example"


def test_what_is_missing_may_be_in_stash(file):
    path = file('[[plex]]\nname = "living"\n[[plex]]\nname = "attic"\nplex_url = "http://attic.example"')
    here = load_here(environ={}, toml_path=path)
    assert here.servers == ("living", "attic")
    given = {"plex_url": "http://stash.example", "plex_token": "of-stash"}
    both = load_servers(environ={}, toml_path=path, plugin_settings=given)
    assert [loaded.config.plex_url for loaded in both] == ["http://stash.example", "http://attic.example"]


@pytest.mark.parametrize("text", ["plex = 1", "plex = ['x']", "[plex]\nname = 'x'", "plex = false"])
def test_entries_are_tables(file, text):
    required = {"plex_url": "http://one.example", "plex_token": "t-o-k-e-n"}
    assert lines_of(file(text), overrides=required) == [
        "plex in plexsync.toml must be [[plex]] entries, one for each of several servers"
    ]


def test_there_are_at_most_twenty(file):
    text = "\n".join(f'[[plex]]\nname = "n{n}"\nplex_url = "http://n{n}.example"' for n in range(MOST_ENTRIES + 1))
    assert lines_of(file('plex_token = "abc"\n' + text)) == ["plex in plexsync.toml must have at most 20 entries"]


@pytest.mark.parametrize(
    ("variable", "shown"),
    [
        ("PLEXSYNC_PLEX_TOKEN_ATIC", '"PLEXSYNC_PLEX_TOKEN_ATIC" in the environment is no setting: did you mean '),
        ("PLEXSYNC_PLEX_TOKEN_attic", '"PLEXSYNC_PLEX_TOKEN_attic" in the environment is no setting: did you mean '),
    ],
)
def test_a_variable_for_an_entry_that_is_not_there_is_a_problem(file, variable, shown):
    (line,) = lines_of(file(entries()), environ={variable: "x"})
    assert line == f"{shown}PLEXSYNC_PLEX_TOKEN_ATTIC?"


def test_a_choice_that_names_no_entry_is_a_problem(file):
    assert lines_of(file(entries()), plex="atic") == [
        '"atic" (--plex, PLEXSYNC_PLEX) names no [[plex]] entry: did you mean attic?'
    ]
    assert lines_of(file(entries()), plex="zzz") == [
        '"zzz" (--plex, PLEXSYNC_PLEX) names no [[plex]] entry: there are living, attic'
    ]
    required = {"plex_url": "http://one.example", "plex_token": "t-o-k-e-n"}
    assert lines_of(None, plex="attic", overrides=required) == [
        '"attic" (--plex, PLEXSYNC_PLEX) names no [[plex]] entry: the settings have none'
    ]


def test_a_file_with_a_token_in_an_entry_is_not_for_everybody(file):
    path = file(entries())
    path.chmod(0o644)
    (warning,) = load(environ={}, toml_path=path).warnings
    assert "can read plex_token" in warning


# --- the store of an entry ---------------------------------------------------------------------------------------


def test_the_first_server_has_the_store_of_a_single_one(file):
    first, second = load_servers(environ={}, toml_path=file(TWO))
    assert (first.scope, second.scope) == ("", "attic")
    data = Path("/data")
    assert store_folder(data, first.scope) == data
    assert store_folder(data, second.scope) == data / "plex-attic"


def test_the_schema_of_a_further_server_is_not_told_as_given_without_postgresql(file):
    for environ, origin in (({}, DEFAULT), ({"PLEXSYNC_DATABASE_URL": "postgresql://db/x"}, ENTRY)):
        *_, attic = load_servers(environ=environ, toml_path=file(TWO))
        assert attic.config.database_schema == "plexsync_attic"
        assert attic.origin["database_schema"] == origin


def test_each_further_server_has_a_schema_of_its_own(file):
    servers = load_servers(environ={"PLEXSYNC_DATABASE_SCHEMA": "films"}, toml_path=file(TWO))
    assert [loaded.config.database_schema for loaded in servers] == ["films", "films_attic"]


def test_a_schema_that_is_too_long_with_the_name_is_told_at_its_entry(file):
    with pytest.raises(ConfigError) as caught:
        load(environ={"PLEXSYNC_DATABASE_SCHEMA": "s" * 60}, toml_path=file(TWO))
    (line,) = caught.value.lines
    assert line.startswith('database_schema in [[plex]] "attic" in plexsync.toml must be at most 63')

"""The settings that name a PostgreSQL database: which URLs are taken, which source of the URL wins, what stays secret."""

import pytest
from pydantic import ValidationError

from tests.tables import table
from validation.config import PlexSyncConfig
from validation.database_settings import PARAMETERS
from validation.redact import Redactor
from validation.sources import ConfigError, load

REQUIRED = {"plex_url": "http://plex.local:32400", "plex_token": "sN4xT7qLw2Vb9KcR5hJd"}
HERE = {"PLEXSYNC_PLEX_URL": REQUIRED["plex_url"], "PLEXSYNC_PLEX_TOKEN": REQUIRED["plex_token"]}
PASSWORD = "h%40nter2/".replace("/", "%2F")
URL = f"postgresql://plexsync:{PASSWORD}@db.local:5432/plexsync"


def config(**given):
    return PlexSyncConfig(**{**REQUIRED, **given})


@table(
    "url",
    [
        "",
        URL,
        "postgres://db/plexsync",
        "postgresql://user@db/plexsync?sslmode=verify-full&sslrootcert=/etc/ca.pem",
        "postgresql:///plexsync",
        "postgresql:///plexsync?host=/run/postgresql",
        "postgresql://%2Frun%2Fpostgresql:5433/plexsync",
        "postgresql://user:p@[fd00::1]:5432/plexsync",
        "postgresql://user:p@one:5432,two:5433,three/plexsync?target_session_attrs=read-write",
        "postgresql://u:p%40%3A%2F@db/a%20name",
    ],
)
def test_a_url_of_a_database_is_kept_as_it_is(url):
    assert config(database_url=url).database_url == url


@table(
    ("url", "words"),
    [
        ("mysql://hunter2hunter2@db/x", "must start with postgresql://"),
        ("hunter2hunter2", "must start with postgresql://"),
        ("postgresql://u:hunter2hunter2@db", "must name a database behind the host"),
        ("postgresql://u:hunter2hunter2@db/", "must name a database behind the host"),
        ("postgresql://u:hunter2hunter2@db/a/b", "must name a database behind the host"),
        (f"postgresql://db/{'x' * 64}", "must name a database behind the host"),
        ("postgresql://db/a%00b", "must name a database behind the host"),
        ("postgresql://u:hunter2#hunter2@db/x", "must not contain #"),
        ("postgresql://u:hunter2/hunter2@db/x", "must name"),
        ("postgresql://u:hunter2 hunter2@db/x", "without blanks"),
        ("postgresql://u:hunter2é@db/x", "ASCII"),
        ("postgresql://db:0/x", "must name hosts and ports"),
        ("postgresql://db:65536/x", "must name hosts and ports"),
        ("postgresql://db:port/x", "must name hosts and ports"),
        ("postgresql://one,two:x/plexsync", "must name hosts and ports"),
        ("postgresql://[fd00::1/plexsync", "must have the form"),
        ("postgresql://db/x?password=hunter2hunter2", "must have none but these parameters"),
        ("postgresql://db/x?options=-csearch_path%3Dpublic", "must have none but these parameters"),
        ("postgresql://db/x?sslmode=require&sslmode=disable", "each once"),
        ("postgresql://db/x?sslmode", "must have parameters of the form name=value"),
        (f"postgresql://db/{'x' * 5_000}", "must be at most 4096"),
    ],
)
def test_what_is_no_url_of_a_database_is_refused_without_repeating_it(url, words):
    with pytest.raises(ValidationError) as caught:
        config(database_url=url)

    error = caught.value
    assert [line["loc"] for line in error.errors()] == [("database_url",)]
    assert words in str(error)
    assert "hunter2" not in str(error) + repr(error.errors()) + error.json()


def test_no_parameter_can_hold_a_password_or_change_what_plexsync_sets_itself():
    assert not {"password", "options", "user", "dbname", "service", "application_name", "connect_timeout"} & set(
        PARAMETERS
    )


@pytest.mark.parametrize("name", ["plexsync", "plexsync_kids", "_a1", "x" * 63])
def test_a_schema_has_a_name_that_needs_no_quotes(name):
    assert config(database_schema=name).database_schema == name


@table("name", ["", "Plex", "1a", "a-b", "a b", 'a"b', "pg_plexsync", "public", "information_schema", "x" * 64, "é"])
def test_another_name_of_a_schema_is_refused(name):
    with pytest.raises(ValidationError, match="database_schema"):
        config(database_schema=name)


def test_no_text_of_the_settings_shows_the_url():
    made = config(database_url=URL)

    for text in (repr(made), str(made), made.model_dump_json()):
        assert PASSWORD not in text
        assert "db.local" not in text
    assert made.model_dump(mode="json")["database_url"] == "***"


def test_the_log_hides_the_url_and_its_password_in_every_spelling():
    hidden = Redactor(config(database_url=URL).secrets)

    for text in (URL, "h@nter2/", PASSWORD, f"plexsync:{PASSWORD}@db.local"):
        assert "nter2" not in hidden.redact(f"connect {text} failed")


def test_a_password_that_is_a_word_is_hidden_in_the_url_alone():
    """As in examples: `plexsync` would be hidden in every name of a file, `postgres` in every line about the server."""
    hidden = Redactor(config(database_url="postgresql://plexsync:plexsync@db/plexsync").secrets)

    assert hidden.redact("plexsync.db") == "plexsync.db"
    assert "plexsync" not in hidden.redact("postgresql://plexsync:plexsync@db/plexsync")
    assert ":plexsync@" not in hidden.redact("plexsync:plexsync@db")


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "url"
    path.write_text(URL + "\n", encoding="utf-8")
    return path


@pytest.fixture
def toml(tmp_path):
    def write(**settings):
        path = tmp_path / "plexsync.toml"
        path.write_text("".join(f'{name} = "{value}"\n' for name, value in settings.items()), encoding="utf-8")
        path.chmod(0o600)
        return path

    return write


def test_the_url_can_be_in_a_file_that_the_environment_names(file):
    loaded = load(environ={**HERE, "PLEXSYNC_DATABASE_URL_FILE": str(file)}, toml_path=None)

    assert loaded.config.database_url == URL
    assert loaded.origin["database_url"] == "file named in the environment"


def test_the_url_can_be_in_a_file_that_plexsync_toml_names(file, toml):
    loaded = load(environ=HERE, toml_path=toml(database_url_file=file))

    assert loaded.config.database_url == URL
    assert loaded.origin["database_url"] == "file named in a setting"


def test_an_empty_name_of_the_file_in_the_environment_is_none(file, toml):
    loaded = load(environ={**HERE, "PLEXSYNC_DATABASE_URL_FILE": ""}, toml_path=toml(database_url_file=file))

    assert loaded.config.database_url == URL


def test_the_environment_is_stronger_than_plexsync_toml_for_the_url_and_for_its_file(file, toml):
    other = "postgresql://other/plexsync"
    by_url = load(environ={**HERE, "PLEXSYNC_DATABASE_URL": other}, toml_path=toml(database_url_file=file))
    by_file = load(environ={**HERE, "PLEXSYNC_DATABASE_URL_FILE": str(file)}, toml_path=toml(database_url=other))

    assert (by_url.config.database_url, by_file.config.database_url) == (other, URL)


def lines(**sources):
    with pytest.raises(ConfigError) as caught:
        load(**sources)
    return caught.value.lines


def test_a_url_and_a_file_with_it_are_one_too_many(file, toml):
    path = toml(database_url="postgresql://other/plexsync", database_url_file=file)

    assert lines(environ=HERE, toml_path=path) == [
        "database_url_file in plexsync.toml and database_url are both set: keep one of them"
    ]
    both = {**HERE, "PLEXSYNC_DATABASE_URL": URL, "PLEXSYNC_DATABASE_URL_FILE": str(file)}
    assert lines(environ=both, toml_path=None) == [
        "database_url_file in PLEXSYNC_DATABASE_URL_FILE and database_url are both set: keep one of them"
    ]


def test_a_file_that_can_not_be_read_is_one_line(tmp_path, toml):
    (line,) = lines(environ=HERE, toml_path=toml(database_url_file=tmp_path / "missing"))
    assert line == "database_url_file in plexsync.toml must name a file that exists"
    (line,) = lines(environ=HERE, toml_path=toml(database_url_file="url"))
    assert line.startswith("database_url_file in plexsync.toml must be empty or the full path of a file")


def test_a_url_in_a_file_is_checked_like_any_other(file, toml):
    file.write_text("hunter2hunter2", encoding="utf-8")
    (line,) = lines(environ=HERE, toml_path=toml(database_url_file=file))

    assert line == "database_url in the file that database_url_file names must start with postgresql://"


def test_stash_can_not_name_the_database():
    given = {"database_url": URL, "database_url_file": "/url", "database_schema": "other"}
    loaded = load(environ=HERE, toml_path=None, plugin_settings=given)

    assert (loaded.config.database_url, loaded.config.database_schema) == ("", "plexsync")
    assert len(loaded.warnings) == 3

"""The settings that name a PostgreSQL database, and their format.

The functions raise ValueError with a message that follows the setting's name, as in `validation.values`. No message
contains a part of the URL.
"""

import re
from pathlib import PurePath
from typing import Annotated
from urllib.parse import parse_qsl, unquote, urlsplit

from pydantic import AfterValidator, Field

from validation.checked import CheckedModel
from validation.path_rules import LONGEST_PATH
from validation.redact import is_safe

URL, URL_FILE, SCHEMA = "database_url", "database_url_file", "database_schema"
# Parameters behind the ? of a URL: how to reach the server and how to prove who it is. The others are PlexSync's affair,
# such as the time limits and the schema, or could hold a password in a place where none is looked for.
PARAMETERS = (
    *("host", "port", "sslmode", "sslrootcert", "sslcert", "sslkey", "sslcrl", "ssl_min_protocol_version"),
    *("channel_binding", "require_auth", "gssencmode", "passfile", "target_session_attrs"),
)
_LONGEST_URL = 4_096
_LONGEST_NAME = 63  # bytes; PostgreSQL cuts longer names
_SHORTEST_TELLING_PASSWORD = 8  # a shorter one can't be told from ordinary words
_SCHEMA = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_HOST = re.compile(r"(\w[\w.-]*|\[[0-9a-fA-F:.]+\])?(:(?P<port>[0-9]{1,5}))?")


def checked_url(value: str) -> str:
    """The URL of a PostgreSQL database; '' for none."""
    if not value:
        return value
    if len(value) > _LONGEST_URL or not value.isascii() or not value.isprintable() or re.search(r"[\s\\<>\"]", value):
        raise ValueError(
            f"must be at most {_LONGEST_URL} ASCII characters without blanks: write other characters as %XX"
        )
    if not value.startswith(("postgresql://", "postgres://")):
        raise ValueError("must start with postgresql://")
    try:
        parts = urlsplit(value)
    except ValueError:
        raise ValueError("must have the form postgresql://user:password@host:port/name") from None
    if parts.fragment or "#" in value:
        raise ValueError("must not contain #: write it as %23")
    name = unquote(parts.path.removeprefix("/"))
    if not name or "/" in name or len(name.encode()) > _LONGEST_NAME or not is_safe(name):
        raise ValueError(f"must name a database behind the host, at most {_LONGEST_NAME} characters: .../plexsync")
    _check_hosts(parts.netloc.rpartition("@")[2])
    try:
        names = [name for name, _ in parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))]
    except ValueError:
        raise ValueError("must have parameters of the form name=value behind the ?") from None
    if len(set(names)) < len(names) or not set(names) <= set(PARAMETERS):
        raise ValueError(f"must have none but these parameters behind the ?, each once: {', '.join(PARAMETERS)}")
    return value


def _check_hosts(hosts: str) -> None:
    """Hosts with ports, separated by commas; the folder of a socket is written with %2F; '' for the usual socket."""
    for host in hosts.split(","):
        folder = host.lower().startswith("%2f")
        match = re.fullmatch(r"[^:]*(:(?P<port>[0-9]{1,5}))?", host) if folder else _HOST.fullmatch(host)
        if match is None or not 0 < int(match["port"] or 5432) < 65_536:
            raise ValueError(
                "must name hosts and ports behind the @, with commas between them; in a password, write @ / : ? # % as %XX"
            )


def secret_parts(url: str) -> tuple[str, ...]:
    """The texts that must not be shown of a checked URL: the whole of it, and its password where it can be recognized."""
    account = urlsplit(url).netloc.rpartition("@")[0] if url else ""
    password = account.partition(":")[2]
    if not password:
        return (url,) if url else ()
    spellings = dict.fromkeys((password, unquote(password)))
    telling = (text for text in spellings if len(text) >= _SHORTEST_TELLING_PASSWORD and not text.isalpha())
    return url, f":{password}@", *telling


def file(value: str) -> str:
    """The full path of a file; '' for none."""
    if len(value) > LONGEST_PATH or not is_safe(value):
        raise ValueError(f"must have at most {LONGEST_PATH} characters, without control characters")
    if value and not PurePath(value).is_absolute():
        raise ValueError("must be empty or the full path of a file with the URL in it")
    return value


def is_file_name(value: object) -> bool:
    """Whether a value of `database_url_file` names a file; if it is wrong, the check of the settings says so."""
    try:
        return isinstance(value, str) and bool(file(value))
    except ValueError:
        return False


def schema(value: str) -> str:
    """The name of a schema in PostgreSQL that needs no quotes."""
    if not _SCHEMA.fullmatch(value) or value.startswith("pg_") or value in ("public", "information_schema"):
        raise ValueError(
            f"must be at most {_LONGEST_NAME} lower-case letters, digits and _, without a digit or pg_ at the start; "
            "not public, which other programs use"
        )
    return value


class DatabaseSettings(CheckedModel):
    """The settings that name a PostgreSQL database. `PlexSyncConfig` has them with all others."""

    database_url: Annotated[str, AfterValidator(checked_url)] = Field(default="", repr=False)
    """PostgreSQL database to use instead of the file plexsync.db: postgresql://user:password@host:port/name; never logged
    (see docs/postgresql.md). Default empty: the file."""

    database_url_file: Annotated[str, AfterValidator(file)] = Field(default="")
    """Full path of a file with database_url in it and nothing else, instead of database_url. Default empty: none."""

    database_schema: Annotated[str, AfterValidator(schema)] = Field(default="plexsync")
    """Schema of that database for PlexSync's tables: a name in lower case, and one for each PlexSync that uses the
    database. Default plexsync."""

    @property
    def database_secrets(self) -> tuple[str, ...]:
        """The secrets in `database_url`, for a `Redactor`."""
        return secret_parts(self.database_url)


NAMES = tuple(DatabaseSettings.model_fields)
SHAPES = {
    URL: "an address such as postgresql://user:password@host:port/name",
    URL_FILE: "the full path of a file",
    SCHEMA: "a name of lower-case letters, digits and _",
}

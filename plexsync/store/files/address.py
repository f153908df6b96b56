"""Where the store is: a SQLite file in the data folder, or a schema of a PostgreSQL database."""

from dataclasses import field
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from plexsync.rules.record_class import record
from plexsync.store.intake import DATABASE

DEFAULT_SCHEMA = "plexsync"
DEFAULT_PORT = 5432


def moved_name(moment: str) -> str:
    """Return the name of the copy of a file that has moved to PostgreSQL at this moment."""
    return f"plexsync.moved-{moment}.db"


@record
class StoreAddress:
    """The address of a store.

    `folder` is this machine's data folder, which exists with PostgreSQL too. `url` names a PostgreSQL database
    (`postgresql://USER:PASSWORD@HOST:PORT/NAME`), '' for the SQLite file in the folder; it holds a password, so it is
    left out of the representation. `schema` is the schema within that database.
    """

    folder: Path
    url: str = field(default="", repr=False)
    schema: str = DEFAULT_SCHEMA

    @property
    def is_postgres(self) -> bool:
        """Whether the store is in a PostgreSQL database."""
        return bool(self.url)

    @property
    def path(self) -> Path:
        """The SQLite file; with PostgreSQL, where it would be."""
        return self.folder / DATABASE

    @property
    def name(self) -> str:
        """The name for messages: `plexsync.db`, or `the database NAME on HOST:PORT`. Never with user or password."""
        if not self.url:
            return DATABASE
        parts = urlsplit(self.url)
        if "@" in f"{parts.path}{parts.query}{parts.fragment}":
            # A password with an unescaped slash or question mark: parts of it would be taken for something else.
            return "the database of database_url"
        return f"the database {self._database} on {self._host}"

    @property
    def _database(self) -> str:
        parts = urlsplit(self.url)
        named = unquote(parts.path.lstrip("/")) or _parameter(self.url, "dbname")
        # PostgreSQL takes the name of the user then, which no message tells.
        return named or "without a name"

    @property
    def _host(self) -> str:
        parts = urlsplit(self.url)
        hosts = parts.netloc.rpartition("@")[2]
        if not hosts:
            hosts, port = _parameter(self.url, "host"), _parameter(self.url, "port")
            if not hosts or hosts.startswith("/"):
                return hosts or "the local socket"
            hosts = f"{hosts}:{port}" if port else hosts
        return ",".join(_with_port(unquote(host)) for host in hosts.split(","))


def _with_port(host: str) -> str:
    """Return `HOST:PORT`; a path of sockets has no port, and an IPv6 address is in brackets."""
    if host.startswith("/") or ":" in host.rpartition("]")[2]:
        return host
    return f"{host}:{DEFAULT_PORT}"


def _parameter(url: str, name: str) -> str:
    return parse_qs(urlsplit(url).query).get(name, [""])[0]

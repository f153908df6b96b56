"""A schema of a PostgreSQL database as the store: its connections, and how they are set up."""

import logging

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from plexsync.rules.servers.errors import LocalFault, SyncError, Unusable
from plexsync.store.connection import Connection
from plexsync.store.files.address import StoreAddress
from plexsync.store.postgres import faults, schema
from plexsync.store.postgres.connection import Driver, PostgresConnection, adapt
from plexsync.store.postgres.worker_lock import WRITER_CLASS, WorkerLock

OLDEST_SERVER = 15
CONNECT_SECONDS = 10
# A dead peer is noticed within these 20 seconds, on both sides: 5 without a sign, and 3 unanswered questions.
KEEPALIVES = {"keepalives": 1, "keepalives_idle": 5, "keepalives_interval": 5, "keepalives_count": 3}
UNANSWERED_MS = 20_000
# Nothing hangs for ever. As with SQLite, a writer waits for another one for 30 seconds. A writer whose machine hangs
# keeps the others waiting for 15 seconds, a reader keeps old rows for 5 minutes.
SESSION = {
    "statement_timeout": "300s",
    "lock_timeout": "30s",
    "idle_in_transaction_session_timeout": "300s",
    "synchronous_commit": "on",
    "jit": "off",
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": str(UNANSWERED_MS),
}
WRITER_IDLE = "15s"

# What the driver logs names the user, and all that it tells is raised as a fault as well.
logging.getLogger("psycopg").setLevel(logging.CRITICAL + 1)


class PostgresSchema:
    """The store in a schema, created if missing."""

    errors = (psycopg.Error,)
    log = None

    def __init__(self, address: StoreAddress, *, fence: WorkerLock | None = None) -> None:
        self.address = address
        self.name = address.name
        self.folder = address.folder
        self._fence = fence
        # After that, what you have to fix is a fault that passes: the worker waits until it is.
        self._opened = False

    def connect(self) -> PostgresConnection:
        """Return another connection. Raises NewerDatabase, LocalFault and, for the first one, Unusable."""
        opening = not self._opened
        driver = connect(self.address, opening=opening)
        try:
            schema.migrate(driver, self.address.schema, self.name)
        except psycopg.Error as error:
            driver.close()
            raise faults.translate_error(error, self.name, opening=opening) from error
        except BaseException:
            driver.close()
            raise
        self._opened = True
        adapt(driver)
        return PostgresConnection(driver, begins(self.address.schema), self._fence)

    def translate(self, error: Exception) -> SyncError:
        """Return the PlexSync error for one of `errors`."""
        return faults.translate_error(error, self.name)

    def after_commit(self, connection: Connection) -> bool:
        """PostgreSQL keeps itself healthy. Returns False if the connection was lost since."""
        return not connection.is_lost


def begins(schema_name: str) -> str:
    """Return the statements that begin a transaction of the only writer, in one exchange."""
    return (
        f"begin; set local idle_in_transaction_session_timeout = '{WRITER_IDLE}';"
        f" select pg_advisory_xact_lock({WRITER_CLASS}, hashtext('{schema_name}'))"
    )


def connect(address: StoreAddress, *, opening: bool = True) -> Driver:
    """Return a connection of psycopg to the address, whose search path is the schema, which may not be there yet.

    Each statement commits by itself. Raises LocalFault, and Unusable for what you have to fix (`opening` False:
    LocalFault for this too).
    """
    try:
        driver = psycopg.connect(_conninfo(address), autocommit=True)
    except psycopg.Error as error:
        raise faults.connection_error(error, address.name, opening=opening) from None
    if driver.info.server_version < OLDEST_SERVER * 10_000:
        version = driver.info.server_version // 10_000
        driver.close()
        raise Unusable(f"{address.name} is PostgreSQL {version}: PlexSync needs {OLDEST_SERVER} or newer")
    if driver.info.parameter_status("default_transaction_read_only") == "on":
        driver.close()
        reason = "default_transaction_read_only is on for its user or for it"
        raise LocalFault(f"{address.name} can't be written at the moment: {reason}", away=True)
    return driver


def _conninfo(address: StoreAddress) -> str:
    """Return what libpq is told: the address, whose own parameters go before ours where these are no condition."""
    try:
        parsed = conninfo_to_dict(address.url)
    except psycopg.Error:
        raise Unusable("database_url can't be read: it is not postgresql://USER:PASSWORD@HOST:PORT/NAME") from None
    own = " ".join(f"-c {name}={value}" for name, value in {"search_path": address.schema, **SESSION}.items())
    values: dict[str, str | int | None] = {
        "connect_timeout": CONNECT_SECONDS,
        # A user whose sessions only read is told apart afterwards.
        "target_session_attrs": "primary",
        **KEEPALIVES,
        **parsed,
    }
    values["options"] = f"{parsed.get('options', '')} {own}".strip()
    values |= {"application_name": "plexsync", "client_encoding": "UTF8", "tcp_user_timeout": UNANSWERED_MS}
    return make_conninfo("", **values)

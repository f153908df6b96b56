"""PostgreSQL's errors as PlexSync's: what passes by itself, and what you have to fix. No message has user or password."""

import re

import psycopg

from plexsync.rules.servers.errors import LocalFault, SyncError, Unusable
from plexsync.store.postgres.connection import CommitInDoubt

# Of a connection that was refused, libpq gives the server's words only.
_REFUSED = (
    (r"password authentication failed|no password supplied", "refuses the user or the password of database_url"),
    (r"no pg_hba\.conf entry", "does not let this machine in: add it to the server's pg_hba.conf"),
    (r'database ".*" does not exist', "does not exist: create it (createdb)"),
    (r'role ".*" does not exist|is not permitted to log in', "does not know the user of database_url"),
    (r"permission denied for database", "refuses the user of database_url the right to connect"),
    (r"unsupported startup parameter", "is behind a pooler that takes no session settings: name the server itself"),
    (
        r"certificate verify failed|root certificate|does not support SSL",
        "can't be reached by TLS as database_url demands",
    ),
)
NO_WRITES = "can't be written at the moment: default_transaction_read_only is on, or it is a standby server"
# What others say about the connection goes into no message as it is: it may name the user.
_PASSING = (
    (r"too many clients|remaining connection slots|too many connections", "has no free connection"),
    (r"starting up|in recovery mode|shutting down|not yet accepting", "is starting or stopping"),
    (r"session is read-only", NO_WRITES),
    (r"in recovery|hot standby", "can't be written at the moment: it is a standby server"),
    (r"timeout|timed out", "does not answer"),
    (r"could not translate host name|Name or service not known", "has a host name that is not known"),
    (r"Connection refused|No such file or directory", "can't be reached: the connection is refused"),
)
_BUSY = ("55P03", "57014")
_READ_ONLY = "25006"
_FULL = "53100"
_NO_CONNECTION = "53300"
_NO_RIGHT = "42501"


def connection_error(error: psycopg.Error, name: str, *, opening: bool) -> SyncError:
    """Return the error for a connection that could not be made; `opening`: raise Unusable for what you have to fix."""
    text = str(error)
    for pattern, words in _REFUSED:
        if re.search(pattern, text):
            message = f"{name} {words}"
            return Unusable(message) if opening else LocalFault(message)
    for pattern, words in _PASSING:
        if re.search(pattern, text):
            return LocalFault(f"{name} {words}", away=True)
    return LocalFault(f"{name} can't be reached", away=True)


def translate_error(error: Exception, name: str, *, opening: bool = False) -> SyncError:
    """Return the error for one of the driver's, on a connection that was made; `opening` as for `refused`."""
    state = getattr(error, "sqlstate", None) or ""
    if isinstance(error, CommitInDoubt):
        return LocalFault(f"the connection to {name} was lost during a commit: it may or may not be stored", away=True)
    if state == _FULL:
        return LocalFault(f"no space is left for {name}", full=True)
    if state in _BUSY:
        return LocalFault(f"{name} is busy: another process is writing to it and does not end")
    if state == _READ_ONLY:
        return LocalFault(f"{name} {NO_WRITES}", away=True)
    if state == _NO_CONNECTION:
        return LocalFault(f"{name} has no free connection", away=True)
    if state == _NO_RIGHT:
        message = f"{name} refuses the user of database_url a right: it has to own the schema"
        return Unusable(message) if opening else LocalFault(message)
    if state.startswith(("08", "57P")) or (not state and isinstance(error, psycopg.OperationalError)):
        return LocalFault(f"the connection to {name} was lost", away=True)
    primary = getattr(getattr(error, "diag", None), "message_primary", None)
    return LocalFault(f"{name} can't be used: {primary or type(error).__name__}")

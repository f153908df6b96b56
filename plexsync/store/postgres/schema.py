"""The store's tables in a schema of a PostgreSQL database, made by the same statements as those of SQLite.

Everything is in that one schema, which is first in the search path of every connection. It is made, and brought up from
the layout before, in one transaction, under a lock.
"""

import re
from collections.abc import Sequence

from plexsync.rules.servers.errors import NO_STANDBY, LocalFault, Unusable
from plexsync.store import schema
from plexsync.store.intake import SCHEMA
from plexsync.store.postgres.connection import Driver
from plexsync.store.postgres.translation import by_rules

PROGRAM = "PlexSync"
# What SQLite's statements use and PostgreSQL lacks.
HELPERS = (
    "create function iif(boolean, anycompatible, anycompatible) returns anycompatible language sql immutable"
    " as 'select case when $1 then $2 else $3 end'",
    "create function min(bigint, bigint) returns bigint language sql immutable as 'select least($1, $2)'",
    "create function max(bigint, bigint) returns bigint language sql immutable as 'select greatest($1, $2)'",
    "create function instr(text, text) returns boolean language sql immutable as 'select strpos($1, $2) > 0'",
    "create function more(bigint, boolean) returns bigint language sql immutable as 'select $1 + $2::int'",
    "create operator + (leftarg = bigint, rightarg = boolean, function = more)",
    "create function julianday(text) returns double precision language sql volatile"
    " as 'select extract(epoch from clock_timestamp())::double precision / 86400 + 2440587.5'",
    "create function total_of(numeric, numeric) returns numeric language sql immutable as 'select $1 + coalesce($2, 0)'",
    "create aggregate total(numeric) (sfunc = total_of, stype = numeric, initcond = '0')",
    "create function whole(text) returns bigint language sql immutable"
    " as $$select coalesce(substring($1 from '^\\s*([+-]?[0-9]{1,18})')::bigint, 0)$$",
    "create function whole(double precision) returns bigint language sql immutable as 'select $1::bigint'",
    "create function json_array(text, bigint) returns text language sql immutable"
    " as 'select json_build_array($1, $2)::text'",
    "create function listed(text, text) returns text language sql immutable"
    " as $$select coalesce($1 || ',', '') || $2$$",
    "create function in_brackets(text) returns text language sql immutable as $$select '[' || coalesce($1, '') || ']'$$",
    "create aggregate json_group_array(text) (sfunc = listed, stype = text, finalfunc = in_brackets)",
)
# What belongs to the database and not to the store's content: its program and version, and the number of commits.
OWN_TABLES = (
    "create table schema_version (one bigint primary key check (one = 1), program text not null, version bigint not null)",
    "create table commit_count (one bigint primary key check (one = 1), commits bigint not null) with (fillfactor = 10)",
    f"insert into schema_version (one, program, version) values (1, '{PROGRAM}', 0)",
    "insert into commit_count (one, commits) values (1, 0)",
)
# Who holds the worker's lock, or held it last, and who stands by; see `plexsync.store.postgres.worker_lock`. Where the
# database is; see `plexsync.store.postgres.locks`.
WORKERS = (
    "create table worker (one bigint primary key default 1 check (one = 1), number bigint not null, host text not null,"
    " pid bigint not null, version text not null, backend bigint not null, settings jsonb not null,"
    " installation text not null, since bigint not null, beat bigint not null, ended text)",
    "create table origin (one bigint primary key check (one = 1), print text not null)",
    "create table standby (id text primary key, host text not null, pid bigint not null, version text not null,"
    " since bigint not null, beat bigint not null, differing jsonb not null)",
)
# Columns that SQLite gives no type, since a damaged one has to be readable.
UNTYPED = {
    "state, failures, successes, opened_at, wait, trips, generation, probe_started, cause, error": (
        "state text, failures bigint, successes bigint, opened_at double precision, wait double precision, trips bigint,"
        " generation bigint, probe_started double precision, cause text, error text"
    )
}
# SQLite's index of a table without rowid ends with the table's key, and rows that are due at once are claimed by that.
SORTED = {"on job (lane, due, state desc)": "on job (lane, due, state desc, kind, id)"}
# PostgreSQL's triggers are functions in a language of its own.
_COUNTS_DELETED = (
    "create function count_deleted_job() returns trigger language plpgsql as $$begin"
    " update book set accepted = accepted + old.accepted, coalesced = coalesced + old.coalesced;"
    " return null; end$$",
    "create trigger job_deleted after delete on job for each row execute function count_deleted_job()",
)
# Tables whose rows change often keep room for the new version of a row in its page.
HOT = ("job", "book", "note", "breaker", "pace", "hold")
FILL = 70

# Everyone may read which standbys are connected, but not their state. A name that is part of another one counts for it.
LACKS_STANDBY = """
select current_setting('synchronous_standby_names') <> ''
   and not exists (select 1 from pg_stat_replication
                    where strpos(lower(current_setting('synchronous_standby_names')), lower(application_name)) > 0
                       or strpos(current_setting('synchronous_standby_names'), '*') > 0)
"""


def migrate(db: Driver, schema_name: str, name: str) -> None:
    """Create the schema if it is missing, and bring it to the layout of today.

    Of two processes that do so at once, the second finds it done. `name` is the database's for messages. Raises
    NewerDatabase, Unusable, LocalFault where its commit would wait without end, and the driver's errors.
    """
    _check_session(db, schema_name, name)
    if _version(db, schema_name, name) == SCHEMA:
        return
    if lacks_standby(db):
        raise LocalFault(f"{name} can't be set up: {NO_STANDBY}", away=True)
    with db.transaction():
        db.execute("set local statement_timeout = 0")
        db.execute("select pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"{PROGRAM} schema {schema_name}",))
        # Another process may have done so meanwhile.
        version = _version(db, schema_name, name)
        if version is None:
            db.execute(f'create schema if not exists "{schema_name}"')
            run_all(db, (*HELPERS, *OWN_TABLES, *WORKERS))
        if version != SCHEMA:
            run_all(db, [shaped for sql in schema.statements_from(version or 0) for shaped in in_postgres(sql)])
            run_all(db, [f"alter table {table} set (fillfactor = {FILL})" for table in HOT])
            db.execute("update schema_version set version = %s", (SCHEMA,))


def lacks_standby(db: Driver) -> bool:
    """Whether commits wait for a synchronous standby server, and none of those that this server names is connected."""
    row = db.execute(LACKS_STANDBY).fetchone()
    return bool(row and row[0])


def _check_session(db: Driver, schema_name: str, name: str) -> None:
    """Raise Unusable if the session is not set up as asked: tables would be made in a schema of others."""
    row = db.execute("select current_setting('search_path')").fetchone()
    if row is None or row[0] != schema_name:
        raise Unusable(f"{name} is behind a pooler that takes no session settings: name the server itself")


def run_all(db: Driver, statements: Sequence[str]) -> None:
    """Run statements without parameters, in one exchange."""
    db.execute(";\n".join(statements).encode(), prepare=False)


def _version(db: Driver, schema_name: str, name: str) -> int | None:
    """Return the version of the schema; None if there is nothing yet. Raises NewerDatabase and Unusable."""
    row = db.execute(
        "select to_regclass(format('%%I.schema_version', n.nspname)) is not null,"
        " exists (select 1 from pg_class c where c.relnamespace = n.oid) from pg_namespace n where n.nspname = %s",
        (schema_name,),
    ).fetchone()
    if row is None:
        return None
    marked, used = row
    rows = db.execute(f'select program, version from "{schema_name}".schema_version').fetchall() if marked else []
    if used and (len(rows) != 1 or rows[0][0] != PROGRAM):
        raise Unusable(f"the schema {schema_name} of {name} belongs to another program")
    if not rows:
        return None
    version = int(rows[0][1])
    schema.check_number(version, name, "name another database_schema")
    return version


def in_postgres(sql: str) -> tuple[str, ...]:
    """Return a statement of the layout, or of the step to it, as PostgreSQL takes it."""
    if "create trigger job_deleted" in sql:
        return _COUNTS_DELETED
    sql = " ".join(sql.split())
    if not re.match(r"create|alter|drop", sql):
        return (by_rules(sql),)
    for sqlite, postgres in (UNTYPED | SORTED).items():
        sql = sql.replace(sqlite, postgres)
    sql = sql.replace(") without rowid", ")")
    if sql.startswith("create view"):
        return (sql,)
    sql = re.sub(
        r"\b(number|id) integer primary key( autoincrement)?",
        r"\1 bigint generated by default as identity primary key",
        sql,
    )
    sql = re.sub(r"\bblob\b", "bytea", re.sub(r"\binteger\b", "bigint", sql))
    # As in SQLite, texts compare byte by byte.
    return (re.sub(r"(?<=\w )text\b", 'text collate "C"', sql),)

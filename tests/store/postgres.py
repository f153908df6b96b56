"""PostgreSQL, as far as it is needed to see whether it understands the store's statements.

`to_postgres` translates by mechanical rules alone, as a second connection type would: what they don't cover has to be
written so that both databases take it. `prepared` lets a PostgreSQL in a folder of its own prepare statements, in
single-user mode: no server, no port, nothing is left behind.
"""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from plexsync.store import schema

# Parameters that are lists of numbers; every other list holds texts.
NUMBERS = ("scenes", "ids", "numbers")
# Functions of SQLite that PostgreSQL lacks, and operators for the truth values that SQLite takes for numbers.
HELPERS = (
    "create function iif(boolean, anycompatible, anycompatible) returns anycompatible language sql immutable"
    " as 'select case when $1 then $2 else $3 end'",
    "create function min(bigint, bigint) returns bigint language sql immutable as 'select least($1, $2)'",
    "create function max(bigint, bigint) returns bigint language sql immutable as 'select greatest($1, $2)'",
    "create function instr(text, text) returns boolean language sql immutable as 'select strpos($1, $2) > 0'",
    "create function more(bigint, boolean) returns bigint language sql immutable as 'select $1 + $2::int'",
    "create operator + (leftarg = bigint, rightarg = boolean, function = more)",
    "create function julianday(text) returns double precision language sql"
    " as 'select extract(epoch from now())::double precision / 86400 + 2440587.5'",
    "create function total_of(numeric, numeric) returns numeric language sql immutable as 'select $1 + coalesce($2, 0)'",
    "create function json_array(text, bigint) returns text language sql immutable"
    " as 'select json_build_array($1, $2)::text'",
    "create function listed(text, text) returns text language sql immutable as 'select $1 || $2'",
    "create collation nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
    "create aggregate json_group_array(text) (sfunc = listed, stype = text, initcond = '')",
    "create aggregate total(numeric) (sfunc = total_of, stype = numeric, initcond = '0')",
)
# Columns that SQLite gives no type, since a damaged one has to be readable.
UNTYPED = {
    "state, failures, successes, opened_at, wait, trips, generation, probe_started, cause, error": (
        "state text, failures bigint, successes bigint, opened_at double precision, wait double precision, trips bigint,"
        " generation bigint, probe_started double precision, cause text, error text"
    )
}


def binary(name: str) -> Path | None:
    """A program of the newest PostgreSQL that is installed, None when there is none."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    inside = [folder / name for folder in folders if (folder / name).exists()]
    elsewhere = shutil.which(name)
    return inside[-1] if inside else Path(elsewhere) if elsewhere else None


def missing() -> str:
    """Why nothing can be prepared here, '' when it can: one line."""
    if binary("postgres") is None or binary("initdb") is None:
        return "no PostgreSQL is installed here (Debian: apt-get install postgresql)"
    if os.name != "posix":
        return "PostgreSQL is started for a test on POSIX only"
    if os.geteuid() == 0 and _user() is None:
        return "PostgreSQL refuses to run as root, and there is no user postgres"
    return ""


def _user() -> str | None:
    if os.geteuid() != 0:
        return None
    import pwd

    try:
        return pwd.getpwnam("postgres").pw_name
    except KeyError:
        return None


def to_postgres(sql: str) -> str:
    """One statement of a table, with numbered parameters, on one line."""
    sql = re.sub(r"\bindexed by \w+", "", " ".join(sql.split()))
    sql = re.sub(r"\bjson_each\(:(\w+)\)", _list, sql)
    sql = re.sub(r"\blimit :(\w+)", r"limit nullif(:\1, -1)", sql)
    sql = re.sub(r"\bis (:\w+)", r"is not distinct from \1", sql)
    sql = re.sub(r"\binsert or ignore (.*)", r"insert \1 on conflict do nothing", sql)
    sql = re.sub(r"\binsert or replace into (\w+) \((.*?)\) (.*)", _replace, sql)
    names: list[str] = []

    def numbered(match: re.Match[str]) -> str:
        if match[1] is None:
            return match[0]
        if match[1] not in names:
            names.append(match[1])
        return f"${names.index(match[1]) + 1}"

    # A colon in a text is none of a parameter.
    return re.sub(r"'[^']*'|(?<!:):([a-z_]+)\b", numbered, sql)


def _list(match: re.Match[str]) -> str:
    kind = "bigint" if match[1] in NUMBERS else "text"
    return f"unnest(cast(:{match[1]} as {kind}[])) as listed (value)"


KEYS = {
    "breaker": "who",
    "hold": "who",
    "pace": "who",
    "note": "name",
    "picture": "flow, subject, library, item, name",
    "library": "section",
    "seen": "kind, id",
    "shown": "scene",
}


def _replace(match: re.Match[str]) -> str:
    table, columns, rest = match.groups()
    key = KEYS[table]
    others = [column for column in columns.split(", ") if column not in key.split(", ")]
    sets = ", ".join(f"{column} = excluded.{column}" for column in others)
    return f"insert into {table} ({columns}) {rest} on conflict ({key}) do update set {sets}"


def tables() -> list[str]:
    """The schema. The trigger, which needs a language of PostgreSQL's own, is left out."""
    statements = [sql for migration in schema.MIGRATIONS for sql in migration if "create trigger" not in sql]
    return [_shape(" ".join(sql.split())) for sql in statements]


def _shape(sql: str) -> str:
    for untyped, typed in UNTYPED.items():
        sql = sql.replace(untyped, typed)
    sql = sql.replace(") without rowid", ")")
    sql = re.sub(r"\bnumber integer primary key( autoincrement)?", "number bigserial primary key", sql)
    return re.sub(r"\bblob\b", "bytea", re.sub(r"\binteger\b", "bigint", sql))


def prepared(statements: Mapping[str, str]) -> dict[str, str]:
    """Prepare the statements, each under its name. Returns what went wrong, by name; '' stands for the schema."""
    user = _user()
    # Not below pytest's folder, which nobody else may enter.
    folder = Path(tempfile.mkdtemp(prefix="plexsync-pg-"))
    try:
        if user is not None:
            shutil.chown(folder, user)
        data = folder / "data"
        _run(
            [binary("initdb"), "-D", data, "-U", "store", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync"], user
        )
        setup = [*HELPERS, *tables()]
        prepares = [f"prepare {name} as {to_postgres(sql)}" for name, sql in statements.items()]
        asked = ["select name from pg_prepared_statements"]
        script = "".join(f"{sql}\n" for sql in [*setup, *prepares, *asked])
        single = [
            binary("postgres"),
            "--single",
            "-D",
            data,
            "-c",
            "fsync=off",
            "postgres",
        ]
        done = _run(single, user, script)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    names = set(re.findall(r'name = "(\w+)"', done.stdout))
    errors = re.findall(r"ERROR:  (.*?)\n.*?STATEMENT:  (.*?)\n", done.stderr)
    wrong = {name: "not prepared" for name in statements if name not in names}
    for error, statement in errors:
        match = re.match(r"prepare (\w+) as ", statement)
        wrong[match[1] if match else ""] = f"{error}: {statement}"
    return wrong


def _run(command: Sequence[object], user: str | None, text: str = "") -> "subprocess.CompletedProcess[str]":
    done = subprocess.run(
        [str(part) for part in command], input=text, capture_output=True, text=True, check=False, user=user, cwd="/"
    )
    assert done.returncode == 0, done.stderr
    return done

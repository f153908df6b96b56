"""The tables' statements, as PostgreSQL takes them.

A statement is translated by mechanical rules, once. What they don't cover is written so that both databases take it.
`plexsync.store.postgres.schema` adds the functions that PostgreSQL lacks. In SQLite truth values are numbers, texts
compare byte by byte, and `like` and `nocase` fold the letters of ASCII only; so it is here.
"""

import re
from functools import lru_cache

# Parameters that are lists of numbers; every other list holds texts.
NUMBERS = frozenset({"scenes", "ids", "numbers"})
# The key of each table of which a row is replaced.
KEYS = {
    "breaker": "who",
    "hold": "who",
    "pace": "who",
    "note": "name",
    "picture": "flow, subject, library, item, name",
    "library": "section",
    "rating": "scene, item",
    "play_time": "scene",
    "resume": "scene",
    "seen": "kind, id",
    "shown": "scene",
}
# More than there are statements.
REMEMBERED = 2048

_LIST = re.compile(r"\bjson_each\(:(\w+)\)")
_NOCASE = " collate nocase"
# A text as a number: PostgreSQL would refuse the whole statement for one that is none.
_WHOLE = re.compile(r"\bcast\(((?!:)(?:[^()]|\((?:[^()]|\([^()]*\))*\))+) as bigint\)")
# A text, or a parameter: a colon in a text is none of a parameter, nor is that of a cast.
_PARAMETER = re.compile(r"'[^']*'|(?<!:):([a-z_]+)\b")


@lru_cache(maxsize=REMEMBERED)
def for_driver(sql: str) -> str:
    """Return a statement as the driver takes it: its parameters are `%(name)s`."""

    def named(match: re.Match[str]) -> str:
        return match[0].replace("%", "%%") if match[1] is None else f"%({match[1]})s"

    parts, end, mechanical = [], 0, by_rules(sql)
    for match in _PARAMETER.finditer(mechanical):
        parts += [mechanical[end : match.start()].replace("%", "%%"), named(match)]
        end = match.end()
    parts.append(mechanical[end:].replace("%", "%%"))
    return "".join(parts)


def by_rules(sql: str) -> str:
    """Return a statement for PostgreSQL on one line; its parameters stay `:name`."""
    sql = re.sub(r"\bindexed by \w+", "", " ".join(sql.split()))
    sql = _LIST.sub(_unnest, sql)
    sql = re.sub(r"\blimit :(\w+)", r"limit nullif(cast(:\1 as bigint), -1)", sql)
    sql = re.sub(r"\bis (:\w+)", r"is not distinct from \1", sql)
    sql = re.sub(r"\binsert or ignore (.*)", r"insert \1 on conflict do nothing", sql)
    sql = re.sub(r"\binsert or replace into (\w+) \((.*?)\) (.*)", _replace, sql)
    sql = re.sub(r"\blike\b", "ilike", sql)
    sql = _WHOLE.sub(r"whole(\1)", sql)
    return _fold_case(sql)


def _unnest(match: re.Match[str]) -> str:
    kind = "bigint" if match[1] in NUMBERS else "text"
    return f"unnest(cast(:{match[1]} as {kind}[])) as listed (value)"


def _replace(match: re.Match[str]) -> str:
    table, columns, rest = match.groups()
    key = KEYS[table].split(", ")
    sets = ", ".join(f"{column} = excluded.{column}" for column in columns.split(", ") if column not in key)
    return f"insert into {table} ({columns}) {rest} on conflict ({', '.join(key)}) do update set {sets}"


def _fold_case(sql: str) -> str:
    """Replace `x collate nocase` by the lower-case letters of `x`."""
    sql = sql.replace(f"{_NOCASE} as ", " as ")
    while (end := sql.find(_NOCASE)) >= 0:
        start = _beginning(sql, end)
        text = sql[start:end]
        sql = f'{sql[:start]}lower(cast({text} as text) collate "C"){sql[end + len(_NOCASE) :]}'
    return sql


def _beginning(sql: str, end: int) -> int:
    """Return where the expression begins that ends at `end`: a call of a function, a name or a parameter."""
    start, depth = end, 0
    while start > 0:
        char = sql[start - 1]
        depth += (char == ")") - (char == "(")
        if depth < 0 or (depth == 0 and not (char.isalnum() or char in "_.:()")):
            break
        start -= 1
    return start

"""Every statement of a table is SQL that PostgreSQL understands too, after the rules of `plexsync.store.postgres`."""

import importlib
import pkgutil
import re
from itertools import product

import psycopg
import pytest

import plexsync.store
from plexsync.rules.queue.job import Kind
from plexsync.rules.words.sorting import Sort
from plexsync.store.files.address import StoreAddress
from plexsync.store.index import scene_names, scene_order
from plexsync.store.opening import open_database
from plexsync.store.postgres.translation import for_driver
from plexsync.store.queue import job_queries, jobs, standings
from tests.postgres_server import shared
from tests.stores import connected
from tests.tables import table

# What SQLite alone has: files, locks, the schema, copies and repairs of its own.
OF_SQLITE = {
    "backup",
    "connection",
    "database",
    "db",
    "documents",
    "folder",
    "integrity",
    "lock",
    "place",
    "repair",
    "review_file",
    "schema",
    "sqlite",
    "summary",
}
STATEMENT = re.compile(r"\s*(select|insert|update|delete|with)\b")


def statements() -> dict[str, str]:
    """Every statement by table and name, those that are put together as well."""
    found = {}
    for module in pkgutil.walk_packages(plexsync.store.__path__, "plexsync.store."):
        own = module.name.rpartition(".")[2]
        if own not in OF_SQLITE and not module.name.startswith("plexsync.store.postgres"):
            for name, text in vars(importlib.import_module(module.name)).items():
                if name.isupper() and not name.startswith("_") and isinstance(text, str) and STATEMENT.match(text):
                    found[f"{own}_{name.lower()}"] = text
    for kind, id, cls in product((None, Kind.SCENE), (None, 7), ("", "bug")):
        which = f"{kind or 'any'}_{id or 'any'}_{cls or 'any'}"
        dead = jobs.where_dead(kind, id, cls)
        found[f"jobs_retry_{which}"] = jobs.RETRY + jobs.NO_CRASHES + dead
        found[f"jobs_cure_{which}"] = jobs.RETRY + dead
        found[f"jobs_drop_{which}"] = jobs.DROP + dead
    return found | sorted_lists()


def sorted_lists() -> dict[str, str]:
    """The statements of lists that are sorted."""
    found = {}
    for column, down in product(("number", "title", "cause", "since", "error"), (False, True)):
        sort = Sort(column, down)
        for cls in ("", "bug"):
            found[f"dead_by_{sort}_{cls or 'any'}"] = job_queries.dead_in_order(sort, cls)
        if column in ("number", "title"):
            found[f"names_by_{sort}"] = scene_names.in_order(sort)
            for name, ids in vars(standings).items():
                if isinstance(ids, scene_order.Ids):
                    found[f"{name.lower()}_by_{sort}"] = ids.in_order(sort)
                    found[f"{name.lower()}_nameless"] = ids.nameless
    return {re.sub(r"\W", "_down_", name): text for name, text in found.items()}


def test_all_statements_are_met():
    met = statements()
    assert len(met) > 150
    assert {"intake_want", "jobs_settle", "jobs_claim", "samples_thin", "books_add_tally", "index_save_item"} <= set(
        met
    )


@pytest.mark.needs_postgres
def test_postgresql_prepares_every_statement(tmp_path):
    wrong = {}
    with shared().database() as url:
        address = StoreAddress(tmp_path, url)
        open_database(address).close()
        with connected(address) as db:
            for name, sql in statements().items():
                try:
                    db.execute(f"prepare {name} as {numbered(sql)}".encode(), prepare=False)
                except psycopg.Error as error:
                    wrong[name] = f"{error}: {sql}"
    assert wrong == {}


def numbered(sql: str) -> str:
    """The statement with PostgreSQL's own kind of parameters."""
    names: list[str] = []

    def number(match: re.Match[str]) -> str:
        if match[1] not in names:
            names.append(match[1])
        return f"${names.index(match[1]) + 1}"

    return re.sub(r"%\((\w+)\)s", number, for_driver(sql)).replace("%%", "%")


@table(
    ("sqlite", "translated"),
    [
        ("select a from b indexed by c\n where d = :d", "select a from b where d = %(d)s"),
        ("select 'a:b %' where c like '5%'", "select 'a:b %%' where c ilike '5%%'"),
        ("delete from a where b in (select value from json_each(:ids))",
         "delete from a where b in (select value from unnest(cast(%(ids)s as bigint[])) as listed (value))"),
        ("select value from json_each(:names)",
         "select value from unnest(cast(%(names)s as text[])) as listed (value)"),
        ("select a from b limit :limit", "select a from b limit nullif(cast(%(limit)s as bigint), -1)"),
        ("select 1 where a is :a and b is null", "select 1 where a is not distinct from %(a)s and b is null"),
        ("insert or ignore into a (b) values (:b)", "insert into a (b) values (%(b)s) on conflict do nothing"),
        ("insert or replace into note (name, value) values (:name, :value)",
         "insert into note (name, value) values (%(name)s, %(value)s)"
         " on conflict (name) do update set value = excluded.value"),
        ("select cast(a as bigint), cast(:a as bigint)", "select whole(a), cast(%(a)s as bigint)"),
        ("select cast(substr(a, 6) as bigint) from b", "select whole(substr(a, 6)) from b"),
        ("select f(a, b) collate nocase as c from d order by (a) collate nocase, :e collate nocase",
         'select f(a, b) as c from d order by lower(cast((a) as text) collate "C"), lower(cast(%(e)s as text) collate "C")'),
    ],
)  # fmt: skip
def test_a_statement_is_translated_by_rules(sqlite, translated):
    assert " ".join(for_driver(sqlite).split()) == translated

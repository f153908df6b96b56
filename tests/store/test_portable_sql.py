"""Every statement of a table is SQL that PostgreSQL understands too, after mechanical rules (`tests/store/postgres.py`)."""

import importlib
import pkgutil
import re
from itertools import product

import pytest

import plexsync.store
from plexsync.rules.job import Kind
from plexsync.rules.sorting import Sort
from plexsync.store import job_queries, jobs, scene_names, scene_order, standings
from tests.store import postgres

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
    "summary",
}
STATEMENT = re.compile(r"\s*(select|insert|update|delete|with)\b")


def statements() -> dict[str, str]:
    """Every statement by table and name, those that are put together as well."""
    found = {}
    for module in pkgutil.iter_modules(plexsync.store.__path__):
        if module.name not in OF_SQLITE:
            constants = vars(importlib.import_module(f"plexsync.store.{module.name}"))
            for name, text in constants.items():
                if name.isupper() and not name.startswith("_") and isinstance(text, str) and STATEMENT.match(text):
                    found[f"{module.name}_{name.lower()}"] = text
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
    assert {"intake_want", "jobs_settle", "jobs_claim", "samples_thin", "tallies_add", "index_save_item"} <= set(met)


@pytest.mark.skipif(bool(postgres.missing()), reason=postgres.missing())
def test_postgresql_prepares_every_statement():
    assert postgres.prepared(statements()) == {}

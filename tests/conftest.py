"""For all tests: Hypothesis judges no result by the speed of the machine, and takes the same examples each time.

`--store=postgres` runs them on PostgreSQL (`tests.stores`), but for those that are about SQLite's files (`sqlite_only`) or
live through hours step by step (`many_steps`). Those that start a PostgreSQL server (`needs_postgres`) are skipped where
none is installed.
"""

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests import postgres_server, stores
from tests.chance import GIVEN

pytest_plugins = ["tests.browser"]
NOT_ON_POSTGRES = ("sqlite_only", "many_steps")
settings.register_profile(
    "steady",
    deadline=None,
    derandomize=not (GIVEN or os.environ.get("PLEXSYNC_TORTURE")),
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("steady")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--store", choices=stores.KINDS, default=stores.KINDS[0], help="the database of all stores")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--store") == "postgres":
        if missing := postgres_server.missing():
            pytest.exit(f"nothing is tested on PostgreSQL: {missing}", returncode=0)
        stores.use_postgres()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if missing := postgres_server.missing():
        for item in filter(lambda item: item.get_closest_marker("needs_postgres"), items):
            item.add_marker(pytest.mark.skip(reason=missing))
    if stores.on_postgres():
        left_out = [item for item in items if any(map(item.get_closest_marker, NOT_ON_POSTGRES))]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol() -> Iterator[None]:
    try:
        return (yield)
    finally:
        stores.release()

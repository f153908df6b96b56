"""For all tests: Hypothesis judges no result by the speed of the machine, and takes the same examples each time.

`--store=postgres` runs them on PostgreSQL (`tests.stores`), but for those that are about SQLite's files (`sqlite_only`) or
live through hours step by step (`many_steps`). `--long` and `--fifth` choose by length (`tests.lengths`). Those that
start a PostgreSQL server (`needs_postgres`) are skipped where none is installed.

Their folders are in memory where the system has a place for that: a sync of a file to a disk takes a thousand times as
long, and no test can see whether power was lost.
"""

import gc
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from tests import lengths, postgres_server, stores, templates
from tests.chance import GIVEN
from tests.costs import Costs

if TYPE_CHECKING:
    from tests.journey.world import World

pytest_plugins = ["tests.browser"]
NOT_ON_POSTGRES = ("sqlite_only", "many_steps")
MEMORY = Path("/dev/shm")
# What a run needs there, in bytes, with room to spare.
ROOM = 2 * 2**30
PREFIX = "plexsync-tests-"
settings.register_profile(
    "steady",
    deadline=None,
    derandomize=not (GIVEN or os.environ.get("PLEXSYNC_TORTURE")),
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("steady")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--store", choices=stores.KINDS, default=stores.KINDS[0], help="the database of all stores")
    lengths.add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Costs(config))
    if not is_worker(config) and config.option.basetemp is None:
        use_memory(config)
    templates.use()
    if config.getoption("--store") == "postgres":
        if missing := postgres_server.missing():
            pytest.exit(f"nothing is tested on PostgreSQL: {missing}", returncode=0)
        stores.use_postgres()


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """What is imported and collected stays until the end: nothing of it is garbage, and looking for some takes a third."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    return True if lengths.has_none(config, collection_path) else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in filter(looks_at_pages, items):
        item.add_marker("any_python")
    if missing := postgres_server.missing():
        for item in filter(lambda item: item.get_closest_marker("needs_postgres"), items):
            item.add_marker(pytest.mark.skip(reason=missing))
    left_out = set(lengths.leave_out(config, items))
    if stores.on_postgres():
        left_out |= {item for item in items if any(map(item.get_closest_marker, NOT_ON_POSTGRES))}
    config.hook.pytest_deselected(items=[item for item in items if item in left_out])
    items[:] = [item for item in items if item not in left_out]


def looks_at_pages(item: pytest.Item) -> bool:
    """Whether it looks at pages in a browser. What the server sends it is tested without one, on every Python."""
    return "chromium" in getattr(item, "fixturenames", ())


def is_worker(config: pytest.Config) -> bool:
    """Whether this process runs tests for another one, which gives it its folder."""
    return hasattr(config, "workerinput")


def use_memory(config: pytest.Config) -> None:
    """Let the folders of tests be in memory, if there is room.

    They are removed at the end; those of a run that was killed, by the next.
    """
    with suppress(OSError):
        if shutil.disk_usage(MEMORY).free < ROOM:
            return
        for left in MEMORY.glob(f"{PREFIX}{os.getuid()}-*"):
            if not Path(f"/proc/{left.name.rpartition('-')[2]}").exists():
                shutil.rmtree(left, ignore_errors=True)
        folder = MEMORY / f"{PREFIX}{os.getuid()}-{os.getpid()}"
        # Others may pass through it: some tests let a program run as a user without rights.
        folder.mkdir(mode=0o711)
        config.option.basetemp = str(folder / "pytest")
        os.environ["TMPDIR"] = tempfile.tempdir = str(folder)
        config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))


@pytest.fixture
def world(tmp_path: Path) -> "Iterator[World]":
    """Both servers, with an empty library, and a data folder."""
    from tests.journey.world import world_in

    with world_in(tmp_path / "data") as made:
        yield made


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol() -> Iterator[None]:
    try:
        return (yield)
    finally:
        stores.release()

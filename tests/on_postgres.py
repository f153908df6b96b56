"""`python -m tests.on_postgres MODULE ...` runs a module of the tests with all its stores on a PostgreSQL server of its own.

Such as `python -m tests.on_postgres tests.simulation.sim_run 7 1 200`. `served()` is the same for a block.
"""

import os
import runpy
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tests import postgres_server, store_places


@contextmanager
def served(server: postgres_server.Reachable) -> Iterator[None]:
    """All stores that are opened in the block, here and in its children, are in a new database of this server."""
    before = os.environ.get(store_places.VARIABLE)
    database = server.new_database()
    os.environ[store_places.VARIABLE] = server.url(database, socket=True)
    try:
        yield
    finally:
        if before is None:
            del os.environ[store_places.VARIABLE]
        else:
            os.environ[store_places.VARIABLE] = before
        server.drop_database(database)


def main() -> None:
    """Run it."""
    if why := postgres_server.missing():
        sys.exit(why)
    del sys.argv[0]
    with postgres_server.Server(max_connections=200) as server, served(server):
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()

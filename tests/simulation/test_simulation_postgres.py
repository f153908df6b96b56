"""Some lives of each kind with the store in PostgreSQL, where connections end and commits are made and not heard of.

`python -m tests.on_postgres tests.simulation.sim_run 1 100 200` lives more of them.
"""

from collections.abc import Iterator

import pytest

from tests import postgres_server
from tests.on_postgres import served
from tests.simulation import sim_process
from tests.simulation.sim_both_ways import run_both_seeds
from tests.simulation.sim_collections import run_collection_seeds
from tests.simulation.sim_plays import run_play_seeds
from tests.simulation.sim_run import Report, run_seeds
from tests.simulation.sim_servers import run_server_seeds

pytestmark = pytest.mark.needs_postgres


@pytest.fixture(autouse=True)
def on_postgres() -> Iterator[None]:
    with served(postgres_server.shared()):
        yield


@pytest.mark.parametrize(
    ("live", "first"),
    [
        (run_seeds, 2),
        (run_play_seeds, 1),
        pytest.param(run_server_seeds, 1, marks=pytest.mark.long),
        pytest.param(run_collection_seeds, 1, marks=pytest.mark.long),
        pytest.param(run_both_seeds, 1, marks=pytest.mark.long),
    ],
    ids=["people", "plays", "servers", "collections", "both ways"],
)
def test_whatever_happens_nothing_is_lost_doubled_or_wrong(live, first: int) -> None:
    report: Report = live(first, 1, 80)
    assert not report.failures, "\n\n".join(map(str, report.failures[:2]))
    assert report.tally["requests"]


@pytest.mark.long
def test_lives_meet_connections_that_end_and_commits_in_doubt() -> None:
    report = run_seeds(1, 2, 60)
    assert not report.failures, "\n\n".join(map(str, report.failures[:2]))
    assert report.tally["lines that ended"] or report.tally["commits in doubt"]


def test_a_store_that_forgets_what_it_wrote_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The lives prove something on this database, too."""
    monkeypatch.setattr(sim_process.SimStore, "drain_spool", lambda _store, _now: 0)
    assert run_seeds(3, 1, 40, hooks_alone=True).lost

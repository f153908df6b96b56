"""What a first sync costs the database, in statements: with a database across a network each is a round trip."""

import pytest

from plexsync.rules.item import FIELDS
from plexsync.rules.merge.desired import Profile
from tests.engine.house import House

# As many as are inspected together.
SCENES = 100
# Those that begin and end transactions included; what is sent for many rows at once is one.
STATEMENTS = 7
TRANSACTIONS = 1


def test_a_first_sync_takes_few_statements_a_scene(tmp_path):
    with House(tmp_path / "data") as house:
        ids = house.add(SCENES)
        before = house.store.cost()
        house.worker.reconciler.reconcile()
        house.work()
        statements, transactions = (after - earlier for after, earlier in zip(house.store.cost(), before, strict=True))
        assert all(house.title_in_plex(id) for id in ids)
        assert set(house.states()) == {"idle"}
    assert statements <= STATEMENTS * SCENES
    assert transactions <= TRANSACTIONS * SCENES


@pytest.mark.parametrize("poster", ["", "cover"])
def test_a_comparison_that_finds_nothing_to_do_takes_fewer_than_two_statements_a_scene(tmp_path, poster):
    with House(tmp_path / "data", profile=Profile(frozenset(FIELDS), poster=poster)) as house:
        house.in_step(SCENES)
        house.worker.reconciler.reconcile()
        before, _ = house.store.cost()
        report = house.worker.reconciler.reconcile()
        after, _ = house.store.cost()
    assert report.standing == {"in step": SCENES}
    assert after - before < 2 * SCENES

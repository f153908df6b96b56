"""What a first sync costs the database, in statements: with a database across a network each is a round trip."""

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


def test_a_comparison_that_finds_nothing_to_do_takes_fewer_than_three_statements_a_scene(tmp_path):
    with House(tmp_path / "data") as house:
        house.in_step(SCENES)
        before, _ = house.store.cost()
        house.worker.reconciler.reconcile()
        house.work()
        after, _ = house.store.cost()
    assert after - before <= 3 * SCENES

"""Two Plex servers on one Stash and one clock: one is away for six hours, and the other is worked for as ever."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from plexsync.rules.queue.job import State
from plexsync.rules.servers.errors import Neighbour
from plexsync.simulator.http import Fault
from plexsync.simulator.plex_changes import next_machine
from tests.engine import house as houses
from tests.engine.clocks import Clock
from tests.engine.house import HOUR, House

HOURS = 6
SCENES = 12


class Pair:
    """The first server and the attic's, each with its own database and worker."""

    def __init__(self, living: House, attic: House) -> None:
        self.living = living
        self.attic = attic
        attic.plex_sim.machine = next_machine(living.plex_sim.machine)
        # One Stash for both; that of the second house stands empty.
        attic.stash_sim = living.stash_sim
        attic.replace_worker()

    def add(self, count: int) -> list[int]:
        ids = self.living.add(count)
        for n in range(count):
            files = [(houses.path_of(n), 1000 + n, 60_000)]
            self.attic.plex_sim.add_movie(self.attic.section, files=files, title=f"file {n}")
        return ids

    def edit(self, id: int, **changes: object) -> None:
        """An edit in Stash that both workers hear of, and the time that its debounce takes."""
        self.living.stash_sim.edit_scene(id, **changes)
        for house in (self.living, self.attic):
            house.want(id)
        self.living.clock.move(2)


@pytest.fixture
def pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pair]:
    clock = Clock()
    monkeypatch.setattr(houses, "Clock", lambda: clock)
    with House(tmp_path / "data") as living, House(tmp_path / "data" / "plex-attic") as attic:
        yield Pair(living, attic)


def cost_of_an_edit(pair: Pair, id: int, title: str) -> tuple[int, int, list[str]]:
    """What an edit costs the first server: statements, milliseconds on the clock, and requests by method."""
    living = pair.living
    living.plex_sim.clear_log()
    pair.edit(id, title=title)
    statements, began = living.store.cost()[0], living.clock.now()
    living.work_until_settled()
    assert living.title_in_plex(id) == title
    return (
        living.store.cost()[0] - statements,
        living.clock.now() - began,
        [request.method for request in living.plex_sim.log],
    )


@pytest.mark.many_steps
def test_one_away_for_six_hours_costs_the_other_nothing_and_catches_up_by_itself(pair):
    living, attic = pair.living, pair.attic
    ids = pair.add(SCENES)
    for house in (living, attic):
        house.want(*ids)
        house.work_until_settled()
        assert house.out_of_step(ids) == []
    # The first write of a library begins slowly, also for what follows.
    living.clock.move(HOUR)
    usual = [cost_of_an_edit(pair, id, f"Before {id}") for id in ids]
    attic.work_until_settled()

    attic.plex_sim.faults.set(Fault("refuse"))
    end = living.clock.now() + HOURS * HOUR * 1000
    during, turn = [], 0
    while living.clock.now() < end:
        turn += 1
        during.append(cost_of_an_edit(pair, ids[turn % SCENES], f"While away {turn}"))
        attic.work_for(HOUR / 4)
    assert len(during) >= 4 * HOURS - 1
    assert sorted(set(map(str, during))) == sorted(set(map(str, usual[-1:]))), (
        "statements, time and requests of an edit"
    )
    assert attic.breaker() == "open"
    assert living.breaker() == "closed"
    assert living.rows("select count(*) from transition") == [(0,)]
    edited = {id for id in ids if "While away" in living.stash_sim.scene(id).title}
    assert set(attic.out_of_step(ids)) == edited

    attic.plex_sim.clear_log()
    attic.plex_sim.faults.clear()
    attic.work_for(HOUR, until=lambda: not attic.unsettled())
    assert attic.out_of_step(ids) == []
    assert attic.plex_sim.count("PUT") == len(edited), "all edits of a scene while it was away are one write"
    assert attic.attempts_used() == 0, "an outage uses up no attempt"
    for house in (living, attic):
        assert house.books_balance()
        assert set(house.states()) == {State.IDLE}


# Of schemas of one database: tests/store/test_siblings.py.
@pytest.mark.sqlite_only
def test_a_second_database_for_the_server_of_the_first_writes_nothing(pair):
    living, attic = pair.living, pair.attic
    ids = pair.add(2)
    living.want(*ids)
    living.work_until_settled()
    attic.plex_sim.machine = living.plex_sim.machine
    attic.want(*ids)
    attic.work_for(HOUR)
    assert attic.plex_sim.count("PUT") == 0
    with attic.store.reading() as db:
        hold = db.holds.find(Neighbour.PLEX)
    assert hold is not None
    assert (hold.setting, hold.choice) == ("plex_url", "")
    assert "the first [[plex]] entry" in hold.message
    # The right address is another server: the hold ends with the next test.
    attic.plex_sim.machine = next_machine(living.plex_sim.machine)
    attic.work_for(2 * HOUR)
    assert attic.out_of_step(ids) == []


@pytest.mark.sqlite_only
def test_a_second_database_that_knew_the_server_first_writes_no_more_once_the_first_knows_it(pair):
    living, attic = pair.living, pair.attic
    ids = pair.add(2)
    attic.plex_sim.machine = living.plex_sim.machine
    attic.want(*ids)
    attic.work_until_settled()
    living.want(*ids)
    living.work_until_settled()
    attic.plex_sim.clear_log()
    attic.want(*ids)
    attic.work_for(HOUR)
    assert attic.plex_sim.count("PUT") == 0
    with attic.store.reading() as db:
        assert "the first [[plex]] entry" in db.holds.find(Neighbour.PLEX).message

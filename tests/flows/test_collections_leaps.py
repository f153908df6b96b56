"""Collections while the clock is set: what is on its way to Plex stays PlexSync's own until it can no longer arrive."""

import pytest

from plexsync.simulator.http import Fault
from tests.engine.house import DAY
from tests.flows.dressed import begin, collection, dressed_house, key_of, rows, want


@pytest.fixture
def house(tmp_path):
    with dressed_house(tmp_path) as house:
        begin(house, {"studio": "Acme"}, {"studio": "Acme"})
        yield house


def describe(house, text, *, is_lost=False):
    """You describe the studio in Stash, and its collection is dressed; `is_lost`: nobody knows whether that arrives."""
    house.stash_sim.edit_object("studio", "Acme", details=text)
    if is_lost:
        house.plex_sim.faults.set(Fault("reset", when=lambda request: request.method == "PUT"))
    want(house, "Acme")
    house.work()
    house.plex_sim.faults.clear()


@pytest.mark.parametrize("leap", [0, 600, 400 * DAY])
def test_a_text_that_arrives_after_a_leap_of_the_clock_is_not_taken_for_yours(house, leap):
    describe(house, "The first text.", is_lost=True)
    house.clock.leap(leap)
    describe(house, "The second text.")
    house.work_for(30)
    assert collection(house, "Acme").scalars["summary"] == "The second text."
    house.plex_sim.hand_edit(key_of(house, "Acme"), summary="The first text.")  # what was on its way
    want(house, "Acme")
    house.work_for(DAY / 24)
    assert collection(house, "Acme").scalars["summary"] == "The second text."
    assert rows(house)["Acme"].standing == "in step"


@pytest.mark.parametrize("leap", [0, 600])
def test_the_same_text_set_by_you_after_it_could_arrive_is_yours(house, leap):
    describe(house, "The first text.", is_lost=True)
    house.clock.leap(leap)
    describe(house, "The second text.")
    house.work_for(DAY / 24)
    want(house, "Acme")
    house.work_for(60)
    house.plex_sim.hand_edit(key_of(house, "Acme"), summary="The first text.")
    want(house, "Acme")
    house.work_for(DAY / 24)
    assert collection(house, "Acme").scalars["summary"] == "The first text."

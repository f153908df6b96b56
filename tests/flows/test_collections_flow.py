"""Collections are dressed as their objects in Stash say, and what a person sets in Plex stays."""

import pytest

from tests.flows.dressed import begin, collection, dressed_house, rows, want, writes


@pytest.fixture
def house(tmp_path):
    with dressed_house(tmp_path) as house:
        yield house


def test_a_studios_details_are_the_summary_of_its_collection(house):
    begin(house, {"studio": "Acme"}, {"studio": "Acme"})
    house.stash_sim.edit_object("studio", "Acme", details="Films of\nall kinds.")
    want(house, "Acme")
    house.work()
    shown = collection(house, "Acme")
    assert shown.scalars["summary"] == "Films of\nall kinds."
    assert {"title", "summary"} <= shown.locks
    row = rows(house)["Acme"]
    assert (row.item, row.owner, row.standing) == (shown.key, "ours", "in step")
    house.forget_requests()
    want(house)
    house.work()
    assert writes(house) == []

"""What a user does with collections in the simulated Plex, and what a client sees of it."""

import http.client
import json
from collections.abc import Iterator

import pytest

from plexsync.simulator.plex_server import EPOCH, PlexSim
from tests.engine.clocks import Clock
from tests.patience import HANG

TOKEN = "a-token"
FILE = ("/media/a.mp4", 123_456, 60_000)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sim(clock: Clock) -> Iterator[PlexSim]:
    with PlexSim(token=TOKEN, clock=clock.monotonic) as sim:
        sim.add_section("Movies")
        yield sim


def ask(sim: PlexSim, method: str, path: str) -> tuple[int, dict[str, object]]:
    connection = http.client.HTTPConnection("127.0.0.1", sim.port, timeout=HANG)
    try:
        connection.request(method, path, headers={"X-Plex-Token": TOKEN, "Accept": "application/json"})
        answer = connection.getresponse()
        body = answer.read()
        return answer.status, json.loads(body)["MediaContainer"] if body.startswith(b"{") else {}
    finally:
        connection.close()


def best_of(sim: PlexSim) -> str:
    return sim.collection_keys("1")["Best"]


def titles(sim: PlexSim, key: str) -> list[object]:
    return [item["title"] for item in ask(sim, "GET", f"/library/collections/{key}/items")[1].get("Metadata", [])]  # type: ignore[attr-defined]


def test_members_stand_by_release_or_by_title_or_where_they_were_moved(sim: PlexSim) -> None:
    days = {"c": "2001-01-01", "a": "2003-01-01", "b": "2002-01-01"}
    keys = {
        title: sim.add_movie("1", [FILE], title=title, collection=["Best"], originallyAvailableAt=day)
        for title, day in days.items()
    }
    best = best_of(sim)
    assert titles(sim, best) == ["c", "b", "a"]
    sim.set_prefs(best, collectionSort="1")
    assert titles(sim, best) == ["a", "b", "c"]
    sim.set_prefs(best, collectionSort="2")
    assert titles(sim, best) == ["c", "a", "b"]
    sim.move_member(best, keys["b"])
    sim.move_member(best, keys["c"], after=keys["a"])
    assert titles(sim, best) == ["b", "a", "c"]
    assert sim.collection(best).members == [keys["b"], keys["a"], keys["c"]]


def test_a_snapshot_has_all_that_a_collection_can_have(sim: PlexSim) -> None:
    key = sim.add_movie("1", [FILE], collection=["Best"])
    best, smart = best_of(sim), sim.add_smart_collection("1", "Recent", [key])
    sim.hand_edit(best, summary="S")
    sim.set_prefs(best, collectionMode="2")
    sim.set_home(best, "promotedToOwnHome")
    snapshot = sim.collection(best)
    assert (snapshot.smart, snapshot.members, snapshot.prefs) == (False, [key], {"collectionMode": "2"})
    assert snapshot.home == {"promotedToRecommended": False, "promotedToOwnHome": True, "promotedToSharedHome": False}
    assert snapshot.item.scalars["summary"] == "S"
    assert (sim.collection(smart).smart, sim.collection(smart).home) == (True, None)
    with pytest.raises(KeyError):
        sim.collection(key)


def test_a_title_that_is_taken_stops_the_whole_edit(sim: PlexSim) -> None:
    sim.add_movie("1", [FILE], collection=["Best", "Rest"])
    before = sim.collection(best_of(sim))
    edit = "summary.value=S&titleSort.value=A&title.value=rest&title.locked=1"
    assert ask(sim, "PUT", f"/library/metadata/{before.item.key}?{edit}")[0] == 409
    assert sim.collection(before.item.key) == before


def test_a_collection_that_gets_empty_leaves_the_home_as_well(sim: PlexSim) -> None:
    key = sim.add_movie("1", [FILE], collection=["Best"])
    sim.set_home(best_of(sim), "promotedToOwnHome")
    assert ask(sim, "GET", "/hubs/sections/1/manage")[1]["size"] == 1
    sim.hand_edit(key, collection=[])
    sim.hand_edit(key, collection=["Best"])
    assert ask(sim, "GET", "/hubs/sections/1/manage")[1]["size"] == 0
    assert sim.collection(best_of(sim)).home is None


@pytest.mark.parametrize("moves", [True, False])
def test_the_stamp_of_a_collection_moves_with_its_members_or_not(sim: PlexSim, clock: Clock, moves: bool) -> None:
    sim.traits.members_stamp = moves
    sim.add_movie("1", [FILE], collection=["Best"])
    best = best_of(sim)
    clock.move(10)
    key = sim.add_movie("1", [FILE], collection=["Best"])
    assert sim.item(best).updated_at == EPOCH + (10 if moves else 0)
    clock.move(10)
    sim.hand_edit(key, collection=[])
    assert sim.item(best).updated_at == EPOCH + (20 if moves else 0)
    sim.hand_edit(best, summary="S")
    assert sim.item(best).updated_at == EPOCH + 20

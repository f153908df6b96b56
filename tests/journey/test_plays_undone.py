"""Plays are taken back and sent again with real processes: beside a worker, through its kill, and with the way back off."""

import json
import signal
from urllib.request import Request, urlopen

import pytest

from plexsync.simulator.http import Fault
from tests.journey.world import KEY, World, until, world_in
from tests.patience import HANG

AT = 1_700_000_000


@pytest.fixture
def world(tmp_path):
    with world_in(tmp_path / "data") as made:
        made.settings["watch_back"] = "plays"
        # So each play of a second is one of its own.
        made.settings["watch_minimum"] = "plex"
        yield made


def answer(world: World, ids: list[int]) -> bytes:
    """What Stash answers for the plays of these scenes, byte for byte."""
    query = " ".join(f"s{id}: findScene(id: {id}) {{ play_count play_history last_played_at }}" for id in ids)
    body = json.dumps({"query": f"{{ {query} }}"}).encode()
    headers = {"ApiKey": KEY, "Content-Type": "application/json"}
    with urlopen(Request(f"{world.stash.url}/graphql", body, headers)) as response:
        return response.read()


def total(world: World, ids: list[int]) -> int:
    return sum(len(world.stash.plays.of(id)) for id in ids)


def removing(world: World) -> list[int]:
    """The scenes whose request to take plays back is open."""
    return [id for (id,) in world.rows("select distinct scene from play where state = 'removing'")]


def counts(world: World) -> dict[str, int]:
    return world.json("plays", "status")["plays"]


@pytest.mark.long
def test_plays_are_taken_back_beside_a_worker_that_is_killed_and_sent_again(world):
    stash, plex = world.stash, world.plex
    # Each scene's request has a thread of its own, so none is saved that is not sent.
    world.settings["plex_parallel"] = "8"
    ids = world.add(8)
    keys = plex.keys(world.section)
    for id in ids:
        stash.plays.add(id, [AT + 2, AT - id])
    for key in keys:
        for moment in range(4):
            plex.play(key, at=AT + moment)
    before = answer(world, ids)
    assert world.run("sync", "--all", "--wait").returncode == 0
    assert world.run("plays", "sync", "--yes").returncode == 0
    process = world.start("serve")
    until(lambda: total(world, ids) == 5 * len(ids) and counts(world)["sent"] == 3 * len(ids))
    after = answer(world, ids)
    # Stash takes plays away, and its answers don't end: the worker is in the middle of it.
    stash.faults.set(Fault("trickle", seconds=HANG, when=lambda request: b"sceneDeletePlay" in request.body))
    undone = world.run("plays", "undo", "--all", "--yes", "--json")
    assert json.loads(undone.stdout) == {"plays": 3 * len(ids), "scenes": len(ids)}
    until(lambda: (scenes := removing(world)) and all(len(stash.plays.of(id)) == 2 for id in scenes))
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert removing(world)
    stash.faults.clear()
    with world.serving():
        until(lambda: counts(world)["undone"] == 3 * len(ids))
        assert answer(world, ids) == before
        plex.play(keys[0], at=AT + 9)
        until(lambda: AT + 9 in stash.plays.of(ids[0]) and counts(world)["sent"] == 1)
        assert world.run("plays", "undo", str(ids[0]), "--wait").returncode == 0
        assert answer(world, ids) == before
        assert world.run("plays", "redo", "--all", "--yes", "--wait").returncode == 0
        assert counts(world)["sent"] == 3 * len(ids) + 1
        stash.plays.delete(ids[0], [AT + 9])
        assert answer(world, ids) == after


def test_plays_are_taken_back_after_the_way_back_was_switched_off(world):
    stash, plex = world.stash, world.plex
    ids = world.add(3)
    before = answer(world, ids)
    for key in plex.keys(world.section):
        plex.play(key, at=AT)
    assert world.run("sync", "--all", "--wait").returncode == 0
    assert world.run("plays", "sync", "--yes").returncode == 0
    with world.serving():
        until(lambda: total(world, ids) == len(ids))
    world.settings["watch_back"] = "off"
    with world.serving():
        assert world.run("plays", "undo", str(ids[0]), "--wait").returncode == 0
        assert total(world, ids) == len(ids) - 1
        plex.play(plex.keys(world.section)[0], at=AT + 5)
    assert world.run("plays", "undo", "--all", "--yes", "--wait").returncode == 0
    assert answer(world, ids) == before
    refused = world.run("plays", "redo", "--all", "--yes")
    assert (refused.returncode, "watch_back is off" in refused.stderr) == (1, True)
    assert [request for request in stash.log if b"sceneAddPlay" in request.body][len(ids) :] == []

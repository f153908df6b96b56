"""plexsync ping: a change that changes nothing travels the whole way, and each hop has its time."""

import re
from pathlib import Path

import pytest

from plexsync.app.parts import open_parts
from plexsync.app.ping import Ping, ping
from plexsync.reports.ping import PingFacts, duration, ping_line
from plexsync.simulator.http import Fault
from plexsync.simulator.stash_hooks import HookRunner
from tests.cli.conftest import Door
from tests.conformity import Conformity
from tests.journey.world import ROOT, World, until
from tests.web.stage import config_of

HOPS = ["saved", "told", "queued", "worked", "matched", "answered", "read_back"]
# The script of the plugin that tells PlexSync of edits.
WAKE_UP = ROOT / "plexsync" / "stash_plugin" / "wake_up" / "PlexSyncWakeUp.yml"


def send(world: World, scene: int | None, **more: float) -> Ping:
    with open_parts(config_of(world), world.folder) as parts:
        return ping(parts, scene, **more)


def test_without_a_worker_nothing_is_sent(world: World, door: Door) -> None:
    world.add(1)
    done = door("ping", 1)
    assert (done.code, "no worker runs" in done.err) == (1, True)
    assert not [scene for scene in world.stash.log if "SaveUnchanged" in str(scene.body)]


def test_each_hop_is_named_with_its_time_and_plex_is_not_written_to(world: World, door: Door, tmp_path: Path) -> None:
    world.settings |= {"stash_poll_interval": "3600"}
    ids = world.add(3)
    world.stash.others.append(HookRunner.from_manifest(WAKE_UP, dir=tmp_path))
    with world.serving():
        until(lambda: world.in_step(ids))
        until(lambda: world.count("idle") == 3)
        until(lambda: world.stash.log_lines.subscribers)
        until(lambda: world.rows("select value from note where name = 'lines:state'") == [("on",)])
        # The polls of the connection are over once a line was heard.
        world.stash.edit_scene(ids[0], title="Edited")
        until(lambda: world.in_step(ids) and world.count("idle") == 3)
        world.plex.clear_log()
        facts = door("ping", ids[1], "--json").facts

        assert (facts["scene"], facts["error"], [hop["name"] for hop in facts["hops"]]) == (ids[1], "", HOPS)
        assert Conformity().problems(facts, PingFacts, "ping") == []
        assert facts["hops"][1]["words"] == "Stash told (wake-up)"
        assert facts["hops"][4]["words"] == "matched by path"
        assert world.plex.count("PUT") == world.plex.count("POST") == 0
        assert facts["ms"] >= sum(hop["ms"] for hop in facts["hops"]) - len(HOPS)
        told = door("ping")
        assert re.match(r"Scene \d+: Stash saved the scene as it was \d", told.out)
        assert "read back equal" in " ".join(told.out.split())
        assert door("ping", 999).code == 1


def test_where_stash_tells_nothing_a_poll_finds_the_change_and_the_line_says_so(world: World) -> None:
    world.settings |= {"stash_poll_interval": "3600"}
    ids = world.add(1)
    with world.serving():
        until(lambda: world.in_step(ids) and world.count("idle") == 1)
        way = send(world, ids[0], silent=0)
        assert (way.error, way.hops[1].words) == (
            "",
            "Stash told nothing, and a poll asked it; polls come every 3600 s",
        )


def test_a_plex_that_is_down_is_named(world: World) -> None:
    ids = world.add(1)
    with world.serving():
        until(lambda: world.in_step(ids) and world.count("idle") == 1)
        world.plex.faults.set(Fault("status", status=503))
        way = send(world, ids[0], silent=0)
        assert way.error
        assert way.error in ping_line(way)


@pytest.mark.parametrize(("ms", "text"), [(0, "0 ms"), (999, "999 ms"), (1000, "1.0 s"), (12_345, "12.3 s")])
def test_a_time_is_short(ms: int, text: str) -> None:
    assert duration(ms) == text

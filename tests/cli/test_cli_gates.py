"""Commands at a closed gate, with no worker about: once the cause is gone they work again."""

import pytest

from plexsync.app.settings import PLUGIN
from plexsync.simulator.http import Fault
from tests.cli.conftest import Door
from tests.cli.test_cli_doctor import check
from tests.journey.world import TOKEN, World, until


def test_syncs_by_a_timetable_go_on_after_stash_was_away(world: World, door: Door) -> None:
    ids = world.add(3)
    world.stash.faults.set(Fault("refuse"))
    door("sync", "--all", "--wait")
    until(lambda: door("sync", "--all", "--wait").err.count("Stash is down"))
    world.stash.faults.clear()
    until(lambda: door("sync", "--all", "--wait").code == 0)
    assert world.in_step(ids)


def test_a_look_goes_on_after_a_token_was_put_right_at_the_server(world: World, door: Door) -> None:
    world.add(3)
    world.plex.token = "another"
    assert "does not accept plex_token" in door("sync", "--all", "--dry-run").err
    assert "on hold" in door("sync", "--all", "--dry-run").err
    world.plex.token = TOKEN
    until(lambda: door("sync", "--all", "--dry-run").code == 0)
    assert door("status", "--json").facts["holds"] == {}


@pytest.mark.parametrize("who", ["plex", "stash"])
def test_a_breaker_is_closed_when_doctor_finds_the_server_well(who: str, world: World, door: Door) -> None:
    world.settings |= {"breaker_recovery_timeout": "600", "breaker_max_recovery_timeout": "600"}
    world.add(8)
    door("sync", "--all")
    server = world.plex if who == "plex" else world.stash
    server.faults.set(Fault("refuse"))
    until(lambda: door("drain") and breaker(door, who) == "open")
    server.faults.clear()
    done = door("doctor", "--json")
    assert [one["told"] for one in done.facts["checks"] if "work goes on" in one["told"]] == [
        "it was down, and answers again: work goes on"
    ]
    assert check(done, f"way to {who.title()}")["state"] == "ok"
    assert breaker(door, who) == "closed"


def breaker(door: Door, who: str) -> str:
    return door("status", "--json").facts["breakers"][who]["state"]


def test_switched_on_again_in_stash_is_noticed_although_stash_was_away(world: World) -> None:
    world.settings |= {
        "stash_poll_interval": "5",
        "breaker_failure_threshold": "1",
        "breaker_recovery_timeout": "600",
        "breaker_max_recovery_timeout": "600",
    }
    world.stash.plugin_settings[PLUGIN] = {"enabled": False}
    with world.serving():
        until(lambda: "serving" in world.log())
        world.stash.faults.set(Fault("refuse"))
        until(lambda: world.rows("select state from breaker where who = 'stash'") == [("open",)])
        world.stash.plugin_settings[PLUGIN] = {"enabled": True}
        world.stash.faults.clear()
        until(lambda: "settings changed: enabled" in world.log())

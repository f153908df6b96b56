"""Commands at a closed gate, with no worker about: once the cause is gone they work again."""

import re
from collections.abc import Callable

import pytest

from plexsync.app.settings import PLUGIN
from plexsync.simulator.http import Fault
from tests.cli.conftest import Door
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
    assert "goes on by itself" not in {one["name"] for one in done.facts["checks"]}
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


# --- you ask by a command --------------------------------------------------------------------------------------------

LONG = {"breaker_recovery_timeout": "600", "breaker_max_recovery_timeout": "600", "breaker_failure_threshold": "1"}


@pytest.fixture
def down(world: World, door: Door) -> World:
    """Two scenes are queued, and the breaker of Plex is open for ten minutes. Plex is back since."""
    world.settings |= LONG
    world.add(2)
    door("sync", "--all")
    world.plex.faults.set(Fault("refuse"))
    door("drain")
    assert breaker(door, "plex") == "open"
    world.plex.faults.clear()
    world.plex.clear_log()
    return world


@pytest.mark.parametrize("words", [("drain",), ("sync", "--all", "--wait"), ("sync", "1", "2", "--wait")])
def test_a_command_that_works_asks_plex_at_once(words: tuple[str, ...], down: World, door: Door) -> None:
    done = door(*words)
    assert (done.code, done.out) == (0, "2 in sync\n")
    assert breaker(door, "plex") == "closed"


@pytest.mark.parametrize(
    "words", [("sync", "1"), ("sync", "--all"), ("sync", "--all", "--dry-run"), ("explain", "1"), ("reconcile",)]
)
def test_a_command_that_only_queues_or_looks_asks_plex_at_once_too(
    words: tuple[str, ...], down: World, door: Door
) -> None:
    assert door(*words).code == 0
    assert breaker(door, "plex") == "closed"
    assert down.plex.count("PUT") == 0


def test_a_retry_of_dead_letters_asks_plex_at_once(world: World, door: Door, refusing: Callable[..., None]) -> None:
    world.settings |= LONG
    world.add(2)
    refusing(1)
    door("sync", "--all", "--wait")
    assert world.count("dead") == 1
    world.plex.faults.set(Fault("refuse"))
    world.stash.edit_scene(2, title="Edited")
    door("sync", "2")
    door("drain")
    done = door("dlq", "retry", "--all")
    assert (done.code, "1 scene retried; Plex is down" in done.out) == (0, True)
    world.plex.faults.clear()
    assert door("dlq", "retry", "--cause", "refused").out == "0 scenes retried\n"
    assert breaker(door, "plex") == "closed"


def test_a_redo_asks_plex_at_once(world: World, door: Door) -> None:
    world.settings |= LONG
    world.add(3)
    door("sync", "--all", "--wait")
    door("undo", "1", "3", "--yes", "--wait")
    world.plex.faults.set(Fault("refuse"))
    world.stash.edit_scene(2, title="Edited")
    door("sync", "2")
    door("drain")
    assert breaker(door, "plex") == "open"
    done = door("redo", "1")
    assert (done.code, "1 scene to be synced again; Plex is down" in done.out) == (0, True)
    world.plex.faults.clear()
    assert door("redo", "3").out.startswith("1 scene to be synced again; no worker runs")
    assert breaker(door, "plex") == "closed"


def test_a_command_that_finds_plex_still_down_says_so_after_one_probe(down: World, door: Door) -> None:
    down.plex.faults.set(Fault("status", status=500))
    done = door("sync", "1")
    assert (done.code, "1 scene queued; Plex is down" in done.out) == (0, True)
    assert down.plex.count() == 1
    down.plex.clear_log()
    assert "Plex is down" in door("drain").out
    assert down.plex.count() == 1


def test_beside_a_worker_the_command_asks_and_the_worker_goes_on(world: World, door: Door) -> None:
    world.settings |= LONG
    world.add(2)
    world.plex.faults.set(Fault("refuse"))
    door("sync", "--all")
    with world.serving():
        until(lambda: "serving" in world.log() and breaker(door, "plex") == "open")
        world.plex.faults.clear()
        done = door("sync", "--all", "--wait")
    assert (done.code, done.out) == (0, "2 in sync\n")


# --- a Plex that answers, and takes no edit ----------------------------------------------------------------------------


def puts(status: int) -> Fault:
    return Fault("status", status=status, when=lambda request: request.method == "PUT")


@pytest.mark.parametrize("status", [401, 403, 498])
def test_a_hold_that_a_refused_write_made_does_not_end_by_a_read(status: int, world: World, door: Door) -> None:
    ids = world.add(3)
    world.plex.faults.set(puts(status))
    door("sync", "--all")
    door("drain")
    for words in (("status",), ("fix",), ("doctor",), ("fix",)):
        assert "Plex does not let PlexSync in" in door(*words).out, words
    facts = door("status", "--json").facts
    assert (facts["dlq"]["count"], list(facts["holds"])) == (0, ["plex"])
    world.plex.faults.clear()
    assert door("sync", "--all", "--wait").code == 0
    assert door("status", "--json").facts["holds"] == {}
    assert world.out_of_step(ids) == []


@pytest.mark.parametrize("status", [400, 405, 422, 500])
def test_a_plex_that_refuses_every_edit_is_not_called_down(status: int, world: World, door: Door) -> None:
    ids = world.add(9)
    world.plex.faults.set(puts(status))
    door("sync", "--all")
    until(lambda: door("drain") and breaker(door, "plex") == "open")
    first = door("status").out.splitlines()[0]
    assert first.startswith("Plex answers, and takes no edits"), first
    assert "Plex is down" not in door("status").out
    assert f"({status})" in door("status").out
    assert re.search(r'sent was title \\"Title \d\\" \(in Stash: the scene.s title\)', door("status", "--json").out)
    assert "Plex answers, and takes no edits" in door("doctor").out
    world.plex.faults.clear()
    assert door("sync", "--all", "--wait").code == 0
    assert "9 of 9 were in sync" in door("status").out.splitlines()[0]
    assert world.out_of_step(ids) == []


def test_a_plex_that_asks_to_wait_is_said_with_until_when(world: World, door: Door) -> None:
    world.add(3)
    world.plex.faults.set(Fault("status", status=429, retry_after=300))
    door("sync", "--all")
    door("drain")
    assert door("status").out.startswith("Plex asks PlexSync to wait, until in ")

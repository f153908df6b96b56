"""Another Plex server behind the address: every command says so, and what you may do about it."""

from random import Random

import pytest

from plexsync.app.parts import open_parts
from plexsync.rules.queue.note_keys import CURSOR
from plexsync.simulator.http import Fault
from tests.cli.conftest import Door
from tests.cli.test_cli_doctor import check
from tests.journey.world import World, until
from tests.web.stage import config_of

QUESTION = "this is another Plex server"
REMEDY = "plexsync accept plex-server"
SUMMARY = "Written by a person on the new server."


@pytest.fixture
def reinstalled(world: World, door: Door) -> World:
    """Six scenes in sync, then Plex is reinstalled, a person edits an item there, and a scene is edited in Stash."""
    world.add(6)
    assert door("sync", "--all", "--wait").code == 0
    world.plex.reinstall(Random(1))
    world.plex.hand_edit(item_of(world, 2), summary=SUMMARY)
    world.stash.edit_scene(1, title="Edited while another server answers")
    assert door("sync", "1", "--wait").code == 1
    return world


def item_of(world: World, scene: int) -> str:
    """The item that has the file of a scene now."""
    path = world.stash.scene(scene).files[0][0]
    return next(key for key in world.plex.keys(world.section) if path in str(world.plex.item(key).files))


def head(text: str, lines: int = 8) -> str:
    """The first lines, as one."""
    return " ".join(" ".join(text.splitlines()[:lines]).split())


def test_status_begins_with_the_question(reinstalled: World, door: Door) -> None:
    told = door("status").out
    assert QUESTION[1:] in head(told, 3)
    assert REMEDY in head(told, 3)
    assert "change plex_url" not in told
    assert f"another Plex server answers: {REMEDY}, or go back" in " ".join(told.split())
    assert "Plex on hold (another Plex server answers)" in told
    held = door("status", "--json").facts["holds"]["plex"]
    assert held["choice"] == "plex-server"


def test_doctor_finds_another_server_even_before_the_worker_does(world: World, door: Door) -> None:
    world.add(2)
    assert door("sync", "--all", "--wait").code == 0
    world.plex.reinstall(Random(1))
    done = door("doctor", "--json")
    assert done.code == 1
    found = check(done, "Plex")
    assert found["state"] == "problem"
    assert QUESTION in found["told"]
    assert found["mend"] == f"{REMEDY}, or go back"


def test_doctor_names_the_choice_of_a_hold(reinstalled: World, door: Door) -> None:
    done = door("doctor", "--json")
    assert check(done, "Plex")["mend"] == f"{REMEDY}, or go back"
    (held,) = [one for one in done.facts["checks"] if one["told"].startswith("Another Plex server answers")]
    assert QUESTION[1:] in held["told"]
    assert "Accept it, or go back" in held["mend"]
    assert "change plex_url" not in door("doctor").out


def test_outages_name_what_has_changed(reinstalled: World, door: Door) -> None:
    assert "on hold: another Plex server answers" in door("outages").out


def test_accept_without_an_argument_shows_what_is_asked(reinstalled: World, door: Door) -> None:
    told = door("accept").out
    assert "Another Plex server answers" in told
    assert REMEDY in told
    (question,) = door("accept", "--json").facts["asked"]
    assert question["choice"] == "plex-server"
    assert question["server"] == "plex"
    assert QUESTION in question["message"]


def test_after_accepting_scenes_are_synced_on_the_new_server_and_values_of_people_stay(
    reinstalled: World, door: Door
) -> None:
    world = reinstalled
    assert door("accept", "plex-server").code == 0
    assert door("status", "--json").facts["holds"] == {}
    assert door("status", "--json").facts["comparison_due"], "each scene may stand differently on the new server"
    assert door("accept", "--json").facts == {"asked": []}
    assert door("accept", "plex-server").code == 1, "nobody asks any more"
    assert door("reconcile").code == 0
    assert door("drain").code == 0
    assert world.in_step([1, 3, 4, 5, 6])
    assert {name for _, name, _, _ in world.out_of_step([2])} == {"summary"}
    assert world.plex.item(item_of(world, 2)).scalars["summary"] == SUMMARY
    assert not door("status", "--json").facts["comparison_due"]


def test_a_comparison_that_was_interrupted_begins_anew_after_accepting(reinstalled: World, door: Door) -> None:
    world = reinstalled
    with open_parts(config_of(world), world.folder) as parts, parts.store.writing() as tx:
        tx.notes.save(CURSOR, "where the old server was compared")
    assert door("accept", "plex-server").code == 0
    assert world.rows(f"select value from note where name = '{CURSOR}'") in ([], [("",)])


def test_a_worker_goes_on_by_itself_after_accepting(reinstalled: World, door: Door) -> None:
    world = reinstalled
    with world.serving():
        until(lambda: "on hold until you decide" in world.log() or "serving" in world.log())
        assert door("accept", "plex-server").code == 0
        until(lambda: world.in_step([1, 3, 4, 5, 6]))
    assert world.plex.item(item_of(world, 2)).scalars["summary"] == SUMMARY


def test_the_hold_ends_by_itself_when_the_old_server_is_back(world: World, door: Door) -> None:
    ids = world.add(6)
    assert door("sync", "--all", "--wait").code == 0
    backup = world.plex.backup()
    world.plex.reinstall(Random(1))
    world.stash.edit_scene(1, title="Edited while another server answers")
    assert door("sync", "1", "--wait").code == 1
    assert door("status", "--json").facts["holds"]
    world.plex.restore(backup)
    until(lambda: door("sync", "1", "--wait").code == 0)
    assert door("status", "--json").facts["holds"] == {}
    assert door("accept", "--json").facts == {"asked": []}
    assert world.in_step(ids)


def test_a_question_that_replaces_another_hold_is_named_by_outages(world: World, door: Door) -> None:
    world.add(2)
    assert door("sync", "--all", "--wait").code == 0
    token, world.plex.token = world.plex.token, "another"
    assert door("sync", "1", "--wait").code == 1
    assert "on hold: plex_token" in door("outages").out
    world.plex.token = token
    world.plex.reinstall(Random(1))
    until(lambda: door("sync", "1", "--wait") and door("status", "--json").facts["holds"]["plex"]["choice"])
    assert "on hold: another Plex server answers" in door("outages").out


def test_accepting_while_plex_is_down_says_that_work_goes_on_when_it_answers(reinstalled: World, door: Door) -> None:
    reinstalled.plex.faults.set(Fault("refuse"))
    told = door("accept", "plex-server")
    assert told.code == 0
    assert "plex-server accepted: work goes on as soon as Plex answers" in told.out
    assert door("accept", "--json").facts == {"asked": []}, "it is not asked twice"
    (hold,) = door("status", "--json").facts["holds"].values()
    assert "which you have accepted; Plex has not answered since" in hold["message"]
    reinstalled.plex.faults.clear()
    # After a failure, Plex is left alone for a moment.
    until(lambda: door("reconcile").code == 0)
    assert door("status", "--json").facts["holds"] == {}


@pytest.mark.parametrize("is_down", [False, True])
def test_another_server_than_the_one_that_was_accepted_is_asked_about_too(
    reinstalled: World, door: Door, is_down: bool
) -> None:
    if is_down:
        reinstalled.plex.faults.set(Fault("refuse"))
        assert door("accept", "plex-server").code == 0
        reinstalled.plex.faults.clear()
    reinstalled.plex.reinstall(Random(2))
    writes = reinstalled.plex.count("PUT")
    if is_down:
        until(lambda: door("sync", "1", "--wait") and door("accept", "--json").facts["asked"])
    else:
        told = door("accept", "plex-server").out
        assert "plex-server accepted: it has changed again since then, so PlexSync asks again" in told
    (asked,) = door("accept", "--json").facts["asked"]
    assert asked["choice"] == "plex-server"
    assert reinstalled.plex.count("PUT") == writes
    assert "work goes on" in door("accept", "plex-server").out


def test_accepting_what_nobody_asks_is_refused(world: World, door: Door) -> None:
    done = door("accept", "plex-server")
    assert done.code == 1
    assert "nothing waits for plex-server" in done.err
    assert "nothing is asked" in door("accept").out

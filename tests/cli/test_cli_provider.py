"""`plexsync provider`: a library asks PlexSync first, and is taken back."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from plexsync.app.provider_steps import steps
from plexsync.app.provider_steps.plan import identifier_of
from plexsync.cli.commands import provider as command
from plexsync.rules.provider.standing import NEVER, NO_SWITCH, WELL
from plexsync.rules.queue.note_keys import BULK
from plexsync.simulator.http import Answer, Request
from plexsync.store.files.provider_secrets import read_secrets
from tests.app.provider_stage import AGENT, PREFIX, asking_world, lend, parts_of, whole
from tests.cli.conftest import Door
from tests.journey.world import World
from tests.simulator.tiny_provider import BASE, TinyProvider


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with asking_world(tmp_path / "data") as world:
        world.add(2)
        yield world


def libraries(world: World) -> int:
    """The number of libraries that ask, or are about to."""
    with parts_of(world) as parts, parts.store.reading() as db:
        return len(db.providers.all())


def is_approved(world: World) -> bool:
    """Whether the first write of everything is approved."""
    with parts_of(world) as parts, parts.store.reading() as db:
        return bool(db.notes.text(BULK))


def test_a_library_asks_and_is_as_before_after_it_was_taken_back(door: Door, world: World) -> None:
    before = whole(world)

    added = door("provider", "add", "Movies", "--yes", "--json")

    assert (added.code, added.facts["added"], added.facts["items"], added.facts["differ"]) == (0, True, 2, 2), added
    assert world.plex.agent_of(world.section)[0].startswith(PREFIX)
    (own,) = read_secrets(world.folder).values()
    status = door("provider", "status", "--json")
    (facts,) = status.facts["libraries"]
    assert (status.code, facts["standing"], facts["registered"], facts["group"]) == (0, WELL, True, True)
    (asking,) = door("status", "--json").facts["asking"]
    assert (asking["library"], asking["state"], asking["called_at"]) == ("Movies", "on", facts["called_at"])
    assert asking["problem"] == "", "Plex has asked"
    assert "Movies: last asked " in door("status").out
    assert (facts["explicit"], facts["answers"], facts["agent"]) == (True, 2, facts["identifier"])
    removed = door("provider", "remove", "Movies", "--yes", "--json")
    assert (removed.code, removed.facts["removed"], removed.facts["items"]) == (0, True, 2), removed
    assert whole(world) == before
    assert door("provider", "status").out == f"{command.NONE}\n"
    for answer in (added, status, removed):
        assert own.path not in answer.out + answer.err


def test_what_an_earlier_version_left_of_a_library_is_taken_back(door: Door, world: World) -> None:
    lend(world)
    refused = door("provider", "add", "Movies", "--yes")
    assert (refused.code, "being taken back" in refused.err) == (1, True)

    removed = door("provider", "remove", "Movies", "--yes", "--json")

    assert (removed.code, removed.facts["removed"], removed.facts["items"]) == (0, True, 1), removed
    assert not (removed.facts["edited_since"] or removed.facts["not_put_back"])
    assert world.plex.agent_of(world.section)[0] == AGENT


def test_the_plan_is_shown_and_nothing_is_done_without_a_yes(door: Door, world: World) -> None:
    before = whole(world)
    world.settings["approve_bulk"] = "false"
    shown = door("provider", "add", "Movies", "--dry-run")
    assert shown.code == 0
    for words in (AGENT, PREFIX, f"http://{world.settings['provider_listen']}/***", "can't be put back"):
        assert words in shown.out
    refused = door("provider", "add", "Movies")
    assert (refused.code, command.ANSWER in refused.err) == (2, True)
    declined = door("provider", "add", "Movies", answer="n\n", terminal=True)
    assert (declined.code, "nothing was changed" in declined.err) == (1, True)
    assert (libraries(world), whole(world), is_approved(world)) == (0, before, False)


def test_the_yes_approves_the_first_write_to_this_library_alone(
    door: Door, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("plexsync.provider.notes.PACE", 0.0)
    world.settings["approve_bulk"] = "false"
    world.plex.add_section("Others", locations=("/media/others",))
    assert door("provider", "add", "Movies", answer="y\n", terminal=True).code == 0
    assert not is_approved(world)
    assert door("provider", "remove", "Movies", "--yes").code == 0
    world.settings["plex_libraries"] = "Movies"
    assert door("provider", "add", "Movies", "--yes").code == 0
    assert is_approved(world)


def test_a_removal_is_asked_and_can_be_looked_at(door: Door, world: World) -> None:
    door("provider", "add", "Movies", "--yes")
    meanwhile = whole(world)
    shown = door("provider", "remove", "movies", "--dry-run")
    assert (shown.code, f"back to the agent {AGENT}; 2 items saved" in shown.out) == (0, True)
    declined = door("provider", "remove", "Movies", answer="\n", terminal=True)
    assert (declined.code, whole(world)) == (1, meanwhile)
    unknown = door("provider", "remove", "Shows", "--yes")
    assert (unknown.code, "named Shows; they are: Movies" in unknown.err) == (1, True)


def test_an_agent_that_no_longer_exists_is_said_and_another_is_offered_and_taken(door: Door, world: World) -> None:
    for answer, agent in (("y\ny\n", "tv.plex.agents.movie"), ("y\nn\ny\n", "tv.plex.agents.none")):
        world.plex.set_agent(world.section, "com.plexapp.agents.imdb")
        assert door("provider", "add", "Movies", "--yes").code == 0
        world.plex.end_agents("com.plexapp.agents.imdb")
        alone = door("provider", "remove", "Movies", "--yes")
        assert alone.code == 1
        assert "its agent com.plexapp.agents.imdb back: it no longer exists there" in alone.err
        assert "choose another, Plex Movie or none" in alone.err
        done = door("provider", "remove", "Movies", answer=answer, terminal=True)
        assert (done.code, "Plex asks PlexSync no longer" in done.out) == (0, True)
        assert world.plex.agent_of(world.section)[0] == agent
        assert libraries(world) == 0
        world.plex.end_agents()


def test_the_agent_to_give_can_be_named_at_once(door: Door, world: World) -> None:
    door("provider", "add", "Movies", "--yes")
    done = door("provider", "remove", "Movies", "--agent", "none", "--yes")
    assert (done.code, "back to the agent tv.plex.agents.none" in done.out) == (0, True)
    assert world.plex.agent_of(world.section)[0] == "tv.plex.agents.none"


def test_a_plex_that_can_t_reach_the_address_is_told_and_the_same_call_goes_on(
    door: Door, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "UNANSWERED", 0.0)
    world.settings["provider_url"] = "http://127.0.0.1:9"
    failed = door("provider", "add", "Movies", "--yes")
    assert (failed.code, "Plex can't reach http://127.0.0.1:9/***" in failed.err) == (1, True)
    status = door("provider", "status")
    assert (status.code, "adding it is not finished (registering PlexSync in Plex)" in status.out) == (1, True)
    assert "Movies: adding (plexsync provider status)" in door("status").out
    world.settings["provider_url"] = f"http://{world.settings['provider_listen']}"
    assert door("provider", "add", "Movies", "--yes").code == 0
    assert door("provider", "status").code == 0


class Impostor(TinyProvider):
    """Answers at the address, and is not the provider of this database."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    def answer(self, request: Request) -> Answer:
        ((library, own),) = read_secrets(self._folder).items()
        self.identifier = identifier_of(library)
        request.path = request.path.replace(f"/{own.path}", BASE, 1)
        return super().answer(request)


def test_a_provider_of_this_database_that_was_never_asked_is_told(
    door: Door, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "FIRST_CALL", 0.0)
    with Impostor(world.folder) as other:
        world.settings["provider_url"] = other.url
        silent = door("provider", "add", "Movies", "--yes", "--json")
        assert (silent.code, "asks for no item yet" in silent.facts["error"]) == (1, True)
        (facts,) = door("provider", "status", "--json").facts["libraries"]
        assert facts["standing"] == NEVER.format(f"{other.url}/***")
        world.plex.wait_for_asks()


def test_the_doctor_and_the_status_name_the_switch_that_is_off(door: Door, world: World) -> None:
    door("provider", "add", "Movies", "--yes")
    checks = {check["name"]: check for check in door("doctor", "--json").facts["checks"]}
    assert (checks[WELL]["state"], WELL in checks[WELL]["told"]) == ("ok", True)
    world.plex.set_section_pref(world.section, "includeAdultContent", "0")
    status = door("provider", "status")
    assert (status.code, status.out.startswith(f"Movies: {NO_SWITCH}")) == (1, True)
    checks = {check["name"]: check for check in door("doctor", "--json").facts["checks"]}
    assert (checks[WELL]["state"], NO_SWITCH in checks[WELL]["told"]) == ("warning", True)

"""`plexsync provider`: a library asks PlexSync first, and is taken back."""

from collections.abc import Iterator

import pytest

from plexsync.app.provider_steps import steps
from plexsync.cli.commands import provider as command
from plexsync.simulator.http import Answer, Request
from plexsync.store.database import Database
from plexsync.store.files.provider_secrets import read_secrets
from tests.cli.conftest import Door
from tests.journey.world import World
from tests.simulator.tiny_provider import TinyProvider

CUSTOM = "tv.plex.agents.custom.plexsync."


class SecretProvider(TinyProvider):
    """Answers below the secret paths of a data folder, as PlexSync does, and notes in the database that it was asked."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self.stray: list[str] = []

    def answer(self, request: Request) -> Answer:
        for library, own in read_secrets(self.world.folder).items():
            if request.path.startswith(f"/{own.path}"):
                self.identifier = CUSTOM + "".join(filter(str.isalnum, library))
                self._note(library)
                request.path = request.path.replace(f"/{own.path}", "/a-secret", 1)
                return super().answer(request)
        self.stray.append(request.path)
        return Answer(404)

    def _note(self, library: str) -> None:
        store = Database(self.world.folder / "plexsync.db")
        try:
            with store.writing() as tx:
                tx.providers.note_calls(library, 10**15, {"calls": 1})
        finally:
            store.close()


@pytest.fixture
def answering(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[SecretProvider]:
    """Somebody answers at the address that Plex is given."""
    monkeypatch.setattr(steps, "UNANSWERED", 0.0)
    with SecretProvider(world) as provider:
        place = provider.url.removeprefix("http://")
        world.settings |= {"provider_listen": place}
        yield provider


def whole(world: World) -> dict[str, object]:
    """Everything that Plex has of the library."""
    agent = world.plex.agent_of(world.section)
    items = {key: vars(world.plex.item(key)) for key in world.plex.keys(world.section)}
    for item in items.values():
        # Times, not values.
        item.pop("updated_at")
    return {"agent": agent, "items": items}


def test_a_library_asks_and_is_as_before_after_it_was_taken_back(door: Door, world: World, answering: SecretProvider):
    world.add(3)
    before = whole(world)

    added = door("provider", "add", "Movies", "--yes", "--json")

    assert added.code == 0, added
    assert added.facts["added"]
    agent, group = world.plex.agent_of(world.section)
    assert agent.startswith(CUSTOM)
    assert group not in (None, before["agent"][1])
    (own,) = read_secrets(world.folder).values()
    assert own.path not in added.out + added.err
    status = door("provider", "status", "--json")
    assert status.facts["libraries"][0]["registered"], status

    removed = door("provider", "remove", "Movies", "--yes", "--json")

    assert removed.code == 0, removed
    world.plex.wait_for_asks()
    assert whole(world) == before
    assert door("provider", "status").out == f"{command.NONE}\n"

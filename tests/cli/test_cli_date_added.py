"""The date added in what the commands print: local time on screens, UTC in JSON."""

import pytest

from plexsync.reports.format import local
from plexsync.rules.item import moment_text
from plexsync.simulator.http import Fault
from tests.cli.conftest import Door
from tests.journey.world import World

CREATED, FOUND, MINE = 1_600_000_000, 1_650_000_000, 1_234_567_890


def on_screen(seconds: int) -> str:
    return local(seconds * 1000)


@pytest.fixture
def dated(world: World, door: Door) -> World:
    """A scene that was created at another time than Plex found its file, and nothing written yet."""
    world.settings |= {"date_added": "created"}
    (id,) = world.add(1)
    world.stash.data.scenes[id].created_at = moment_text(CREATED)
    (key,) = world.plex.keys(world.section)
    world.plex.hand_edit(key, addedAt=FOUND, locked=False)
    return world


def words(text: str) -> str:
    return " ".join(text.split())


def test_every_command_shows_local_time_and_json_has_utc(dated: World, door: Door) -> None:
    preview = words(door("sync", "--dry-run", "--all").out)
    assert f"date added: {on_screen(FOUND)} -> {on_screen(CREATED)}; lock" in preview
    assert door("sync", "--all", "--wait", "--yes").code == 0
    (key,) = dated.plex.keys(dated.section)
    assert dated.plex.item(key).scalars["addedAt"] == CREATED
    history = words(door("history", "1").out)
    assert f"date added: {on_screen(FOUND)} -> {on_screen(CREATED)} (locked)" in history

    explained = words(door("explain", "1").out)
    assert f"date added {on_screen(CREATED)} {on_screen(CREATED)} yes nothing" in explained
    fields = {field["field"]: field for field in door("explain", "1", "--json").facts["targets"][0]["fields"]}
    assert fields["addedAt"]["stash"] == fields["addedAt"]["plex"] == moment_text(CREATED)

    undo = words(door("undo", "1", "--dry-run").out)
    assert f"{on_screen(CREATED)} (locked) {on_screen(FOUND)}" in undo
    dated.plex.hand_edit(key, addedAt=MINE)
    assert door("reconcile", "--wait").code == 0
    assert f"date added {on_screen(MINE)} {on_screen(CREATED)}" in words(door("drift").out)
    assert f"date added {on_screen(CREATED)} {on_screen(MINE)} yes nothing" in words(door("explain", "1").out)
    dated.plex.faults.set(Fault("status", status=503))
    known = words(door("explain", "1").out)
    assert on_screen(CREATED) in known
    assert moment_text(CREATED) not in known

"""A setting is previewed before it is saved: a scene, and how many scenes it changes, and nothing is sent elsewhere."""

import socket
from pathlib import Path

import pytest

from tests.cli.conftest import Door
from tests.journey.world import World
from tests.web.stage import work


@pytest.fixture
def toml(world: World) -> Path:
    """The settings file of the world."""
    path = world.folder.parent / "plexsync.toml"
    path.write_text("# Mine.\nmax_retries = 4\n")
    world.settings["config"] = str(path)
    return path


def test_a_setting_is_previewed_before_it_is_saved(world: World, toml: Path, door: Door) -> None:
    work(world, world.add(3))
    writes, before = world.plex.count("PUT"), toml.read_text()
    draft = ("--config", str(toml), "config", "set", "--dry-run", "title_template", "{studio}: {title}")
    facts = door(*draft, "--scene", "2", "--json").facts
    assert (facts["changed"], facts["looked"], facts["total"], facts["named"]) == (3, 3, 3, [1, 2, 3])
    (item,) = facts["scene"]["items"]
    assert facts["scene"]["id"] == 2
    assert item["fields"] == [{"field": "title", "old": "Title 1", "new": "Studio 1: Title 1"}]
    assert item["pictures"] == []
    shown = door(*draft).out
    assert "title_template" in shown
    assert "title: Title 0 -> Studio 0: Title 0" in shown
    assert "changes 3 of 3 scenes looked at, of 3" in shown
    assert toml.read_text() == before
    assert world.plex.count("PUT") == writes


@pytest.mark.parametrize("name", ["plex_url", "stash_url", "max_retries"])
def test_a_setting_without_a_preview_is_asked_about_at_no_other_address(
    world: World, toml: Path, door: Door, name: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as elsewhere:
        elsewhere.setblocking(False)
        value = f"http://127.0.0.1:{elsewhere.getsockname()[1]}" if name.endswith("_url") else "3"
        told = door("--config", str(toml), "config", "set", "--dry-run", name, value)
        assert (told.code, f"{name} has no preview" in told.err) == (2, True)
        with pytest.raises(BlockingIOError):
            elsewhere.accept()


def test_an_edit_of_the_file_is_tried_on_a_copy_and_shows_what_its_tables_change(
    world: World, toml: Path, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    work(world, world.add(3))
    editor, before = toml.with_name("editor"), toml.read_text()
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", str(editor))

    def edited(*lines: str) -> Door:
        editor.write_text("#!/bin/sh\n" + "".join(f"echo '{line}' >> \"$1\"\n" for line in lines))
        editor.chmod(0o700)
        return door("--config", str(toml), "config", "edit", "--dry-run")

    writes = world.plex.count("PUT")
    done = edited("dlq_max = 700", "[libraries.Movies]", 'title_template = "{studio}: {title}"')
    assert "changes 3 of 3 scenes looked at, of 3" in done.out
    assert "no preview shows what these change: dlq_max" in done.err
    assert "no setting changes that decides what Plex shows" in edited("# nothing").out
    assert (edited("max_retries = -1").code, toml.read_text(), world.plex.count("PUT")) == (2, before, writes)

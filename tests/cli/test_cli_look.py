"""A look is saved as a file without anything private, and imported after its changes were shown."""

import socket
import tomllib
from pathlib import Path

import pytest

from plexsync.app.look_file import look_text, names_of_looks, read_look
from plexsync.app.setting_change import config_of
from tests.cli.conftest import Door
from tests.journey.world import World
from tests.web.stage import work
from validation.sources import ConfigError

PRIVATE = {
    "plex_url",
    "plex_token",
    "stash_url",
    "path_map",
    "libraries",
    "plex_libraries",
    "performer_picture_url",
    "look",
}


@pytest.fixture
def toml(world: World) -> Path:
    """The settings file of the world."""
    path = world.folder.parent / "plexsync.toml"
    path.write_text("# Mine.\nmax_retries = 4\n")
    world.settings["config"] = str(path)
    return path


@pytest.fixture
def look(tmp_path: Path) -> Path:
    path = tmp_path / "look.toml"
    path.write_text('title_template = "{studio}: {title}"\ngenre_tags = ["*", "-Tag 1"]\n')
    return path


def test_a_saved_look_has_what_decides_what_plex_shows_and_nothing_private(world: World, door: Door) -> None:
    path = world.folder.parent / "mine.toml"
    assert door("config", "save-look", str(path)).code == 0
    settings = tomllib.loads(path.read_text())
    assert {"title_template", "poster", "collections", "sync_rating"} <= settings.keys()
    assert not PRIVATE & settings.keys()
    refused = door("config", "save-look", str(path))
    assert (refused.code, "--force replaces it" in refused.err) == (2, True)
    assert door("config", "save-look", str(path), "--force").code == 0


def test_a_look_that_was_saved_is_read_as_the_same_by_everybody() -> None:
    rich = config_of({"look": "rich", "title_template": "{studio}", "label_tags": ["A, B", "C"]})
    settings = read_look(look_text(rich), config_of({}))
    taken = config_of(settings)
    assert {name: getattr(taken, name) for name in names_of_looks(rich)} == {
        name: getattr(rich, name) for name in names_of_looks(rich)
    }
    assert read_look(look_text(rich), rich) == {}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("title_template = ", "it is not valid TOML"),
        ("", "there is no setting in it"),
        ('plex_token = "x"', '"plex_token" is no setting of a look'),
        ('titel_template = "x"', '"titel_template" is no setting of a look'),
        ("title_template = 7", "title_template must be a text"),
        ('title_template = "{nonsense}"', "title_template"),
        ('poster = "nothing"', "poster must"),
        ("[libraries.Movies]\nposter = 'none'", '"libraries" is no setting of a look'),
        (f'title_template = "{"x" * 70_000}"', "it is too large"),
    ],
    ids=lambda text: text[:30],
)
def test_a_bad_file_gets_one_line(text: str, line: str) -> None:
    with pytest.raises(ConfigError) as error:
        read_look(text, config_of({}))
    assert len(error.value.lines) == 1
    assert error.value.lines[0].startswith(line)


def test_an_import_shows_the_settings_a_scene_and_a_count_and_saves_after_a_yes(
    world: World, toml: Path, look: Path, door: Door
) -> None:
    work(world, world.add(3))
    writes = world.plex.count("PUT")
    before = toml.read_text()
    shown = door("--config", str(toml), "config", "import-look", str(look), "--dry-run").out
    assert "title_template" in shown
    assert "title: Title 0 -> Studio 0: Title 0" in shown
    assert "changes 3 of 3 scenes looked at, of 3" in shown
    assert door("--config", str(toml), "config", "import-look", str(look), answer="n\n").code == 1
    assert toml.read_text() == before
    assert door("--config", str(toml), "config", "import-look", str(look), answer="y\n").code == 0
    assert tomllib.loads(toml.read_text()) == {
        "max_retries": 4,
        "title_template": "{studio}: {title}",
        "genre_tags": ["*", "-Tag 1"],
    }
    again = door("--config", str(toml), "config", "import-look", str(look))
    assert "the look in use is the same" in again.out
    assert world.plex.count("PUT") == writes


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
    shown = door("--config", str(toml), "config", "set", "--dry-run", "poster", "none")
    assert "poster" in shown.out, shown.err
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


def test_an_import_as_json(world: World, toml: Path, look: Path, door: Door) -> None:
    work(world, world.add(1))
    facts = door("--config", str(toml), "config", "import-look", str(look), "--yes", "--json").facts
    assert [one["name"] for one in facts["settings"]] == ["genre_tags", "title_template"]
    assert (facts["changed"], facts["looked"], facts["total"], facts["saved"]) == (1, 1, 1, True)
    assert facts["scene"]["id"] == 1


def test_what_the_environment_says_is_not_overruled_by_a_look(world: World, toml: Path, look: Path, door: Door) -> None:
    world.settings["title_template"] = "{date}"
    refused = door("--config", str(toml), "config", "import-look", str(look), "--yes")
    assert refused.code == 2
    assert "PLEXSYNC_TITLE_TEMPLATE is set in the environment" in refused.err

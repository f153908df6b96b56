"""What an update brings for you: noted once, shown once, and never on a new installation."""

import json
import subprocess
import sys

import pytest

from plexsync.app import version as news
from plexsync.app.parts import open_parts
from plexsync.app.settings import keep_version
from plexsync.app.version import ChangelogEntry, changes_for, read_changes
from plexsync.rules.queue.note_keys import NEWS, VERSION
from release import build
from release.changes import changes, content
from tests.cli.conftest import Door, bare, door, hasty
from tests.journey.world import World
from tests.web.conftest import dashboard
from tests.web.stage import config_of
from tests.web.test_pages import plain
from validation.config import PlexSyncConfig

__all__ = ("bare", "door", "hasty")

NEXT = "7.0.0"
POSTER: ChangelogEntry = {"version": NEXT, "settings": ["poster"], "text": "poster can be a <b>square</b>."}
PATHS: ChangelogEntry = {"version": NEXT, "settings": ["path_map"], "text": "path_map has more rules."}
OLD: ChangelogEntry = {"version": "0.2.0", "settings": ["poster"], "text": "poster came."}


def update(world: World, number: str, *entries: ChangelogEntry) -> None:
    """Another version uses the database, with these entries in its file."""
    config = config_of(world)
    with open_parts(config, world.folder) as parts:
        keep_version(parts.store, config, number, lambda: [*entries])


def noted(world: World) -> tuple[str, str]:
    with open_parts(config_of(world), world.folder) as parts, parts.store.reading() as db:
        return db.notes.text(VERSION), db.notes.text(NEWS)


def be_of(world: World, number: str) -> None:
    """The database was used last by this version."""
    with open_parts(config_of(world), world.folder) as parts, parts.store.writing() as tx:
        tx.notes.save(VERSION, number)


# --- the entries -----------------------------------------------------------------------------------------------------


def test_the_package_has_the_entries_of_the_changelog_that_name_settings() -> None:
    assert news.CHANGES.read_text(encoding="utf-8") == content(), "make changelog writes it"
    assert read_changes() == json.loads(content())


def test_the_entries_of_the_next_release_are_found_in_what_towncrier_makes_of_the_fragments() -> None:
    words = ["--draft", "--name", "PlexSync", "--version", NEXT]
    made = subprocess.run(
        [sys.executable, "-m", "towncrier", "build", *words], cwd=build.ROOT, capture_output=True, text=True, check=True
    )
    entries = list(changes(made.stdout + (build.ROOT / "CHANGELOG.md").read_text(encoding="utf-8")))
    assert {entry["version"] for entry in entries} == {NEXT}
    named = {name for entry in entries for name in entry["settings"]}
    assert {"look", "poster_logo", "rating_direction"} <= named
    fixed = {path.read_text(encoding="utf-8") for path in (build.ROOT / "changelog.d").glob("*.fixed.md")}
    assert not [entry for entry in entries if entry["text"] in {text.strip().replace("`", "") for text in fixed}]
    assert not [entry["text"] for entry in entries if "`" in entry["text"] or "](" in entry["text"]]


@pytest.mark.parametrize(
    ("after", "until", "expected"),
    [
        ("0.2.0", NEXT, [POSTER]),
        ("0.1.0", NEXT, [POSTER, OLD]),
        (NEXT, NEXT, []),
        (NEXT, "0.2.0", []),
        ("0.2.0", "6.9.9", []),
        ("0.2.0", "7.0.0.dev1", [POSTER]),
        ("0.2.0", "10.0.0", [POSTER]),
    ],
)
def test_only_versions_in_between_and_settings_in_use_count(
    after: str, until: str, expected: list[ChangelogEntry]
) -> None:
    config = PlexSyncConfig(plex_url="http://plex:32400", plex_token="t", stash_url="http://stash:9999", poster="none")
    assert changes_for(config, [POSTER, PATHS, OLD], after=after, until=until) == expected


# --- once ------------------------------------------------------------------------------------------------------------


def test_a_new_installation_shows_nothing(world: World, door: Door) -> None:
    world.settings["poster"] = "none"
    update(world, news.version(), POSTER, OLD)
    assert door("status", "--json").facts["news"] == []
    assert "New in" not in door("status").out
    assert noted(world) == (news.version(), "")


def test_status_shows_once_what_an_update_brings_for_a_setting_in_use(world: World, door: Door) -> None:
    world.settings["poster"] = "none"
    door("ignore", "7")
    update(world, NEXT, POSTER, PATHS, OLD)
    # Whichever command comes next, of a version that knows nothing new: reading it by a program shows it to nobody.
    door("ignore", "8")
    assert door("status", "--json").facts["news"] == door("status", "--json").facts["news"] == [POSTER]
    assert f"New in {NEXT}: {POSTER['text']}" in door("status").out
    assert "New in" not in door("status").out
    assert door("status", "--json").facts["news"] == []
    assert noted(world) == (NEXT, "")


def test_a_command_notes_its_version_and_that_it_has_nothing_new(world: World, door: Door) -> None:
    door("ignore", "7")
    be_of(world, "0.1.0")
    door("ignore", "8")
    assert noted(world)[0] == news.version()


def test_a_database_of_a_version_that_did_not_say_which_it_was_shows_what_came_after_it(
    world: World, door: Door
) -> None:
    world.settings["poster"] = "none"
    door("ignore", "7")
    be_of(world, "")
    update(world, NEXT, POSTER, OLD)
    assert noted(world) == (NEXT, json.dumps([POSTER]))
    assert "New in 7.0.0" in door("status").out


def test_two_versions_that_use_one_database_make_nothing_new_again(world: World, door: Door) -> None:
    world.settings["poster"] = "none"
    door("ignore", "7")
    update(world, NEXT, POSTER)
    assert "New in" in door("status").out
    for number in ("0.2.0", NEXT):
        update(world, number, POSTER)
    assert noted(world) == (NEXT, "")


def test_what_two_updates_brought_is_kept_until_somebody_has_seen_it(world: World, door: Door) -> None:
    world.settings["poster"] = "none"
    door("ignore", "7")
    be_of(world, "0.1.0")
    for number, entries in (("0.2.0", (OLD,)), (NEXT, (POSTER, OLD)), (NEXT, (POSTER, OLD))):
        update(world, number, *entries)
    assert noted(world) == (NEXT, json.dumps([POSTER, OLD]))


def test_the_overview_shows_it_until_it_was_read(world: World) -> None:
    with dashboard(world) as dash:
        with dash.parts.store.writing() as tx:
            tx.notes.save(VERSION, news.version())
            tx.notes.save(NEWS, json.dumps([POSTER]))
        for _ in range(2):
            assert "New for you since the update" in dash.get("/").text
        assert "a &lt;b&gt;square&lt;/b&gt;." in dash.get("/").text
        assert dash.get("/api/status").json()["news"] == [POSTER]
        assert "New for you" not in plain(dash.post("/news").text)
        assert dash.get("/api/status").json()["news"] == []

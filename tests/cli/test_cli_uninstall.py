"""What stays when the program is removed: each file, which of them hold secrets, and nothing is removed."""

from pathlib import Path

from plexsync.store.files.provider_secrets import FILE
from tests.cli.conftest import Door
from tests.journey.world import World


def test_what_stays_is_listed_with_what_holds_secrets(world: World, door: Door, tmp_path: Path) -> None:
    settings = tmp_path / "elsewhere" / "plexsync.toml"
    settings.parent.mkdir()
    settings.write_text("max_retries = 5\n")
    copy = settings.with_name("plexsync.toml.20240101T000000Z.bak")
    copy.write_text('plex_token = "an-older-token"\n')
    assert door("status", "--config", settings).code == 0
    (world.folder / "plex-attic").mkdir()
    for path in (world.folder / FILE, world.folder / "plex-attic" / FILE):
        path.write_text("{}")
    before = sorted(tmp_path.rglob("*"))

    stays = door("uninstall", "--dry-run", "--json", "--config", settings).facts["stays"]
    secret = {one["where"]: one["secret"] for one in stays}
    assert {where for where, holds in secret.items() if holds} == {
        *map(str, (settings, copy, world.folder / FILE, world.folder / "plex-attic"))
    }
    assert {str(path) for path in world.folder.iterdir()} <= secret.keys()
    assert sorted(tmp_path.rglob("*")) == before, "it removes nothing"
    told = door("uninstall", "--dry-run", "--config", settings).out
    assert "4 places with secrets" in told
    assert "an-older-token" not in told


def test_without_dry_run_it_says_that_it_removes_nothing(door: Door) -> None:
    done = door("uninstall")
    assert done.code == 1
    assert "it removes nothing" in done.err

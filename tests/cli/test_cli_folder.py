"""The folder of the database where no setting names one: beside Stash's settings file, found again without Stash."""

import os
import stat
import sys
from pathlib import Path

import pytest

from plexsync.simulator.http import Fault
from plexsync.simulator.stash_hooks import HookRunner
from tests.cli.conftest import Door
from tests.journey.world import ROOT, World, until


@pytest.fixture
def house(world: World, tmp_path: Path) -> World:
    """Stash is on this machine, with our plugin; no folder is named."""
    world.unset = ("data_dir",)
    (tmp_path / "stash").mkdir()
    (tmp_path / "stash" / "config.yml").write_text("")
    world.stash.hooks = HookRunner.from_manifest(
        ROOT / "plexsync" / "stash_plugin" / "python_hook" / "PlexSyncHook.yaml",
        plugin_dir=ROOT,
        dir=str(tmp_path / "stash"),
        python_path=sys.executable,
        environment=dict(os.environ),
    )
    return world


def folder_check(door: Door) -> str:
    return next(one["told"] for one in door("doctor", "--json").facts["checks"] if one["name"] == "data folder")


def plugin_check(door: Door) -> list[dict]:
    return [one for one in door("doctor", "--json").facts["checks"] if one["name"] == "plugin"]


def test_hook_and_commands_meet_beside_stash_and_still_do_without_it(house: World, door: Door, tmp_path: Path) -> None:
    house.add(2)
    beside = tmp_path / "stash" / "plexsync"
    assert len(list((beside / "spool").glob("*.json"))) == 2
    assert door("drain", "--json").facts["outcomes"] == {"done": 2}
    assert (beside / "plexsync.db").is_file()
    assert stat.S_IMODE(beside.stat().st_mode) == 0o700
    assert list((beside / "spool").glob("*.json")) == []
    assert f"{beside} is used: it lies beside Stash's settings file" in folder_check(door)
    assert plugin_check(door) == []

    house.stash.faults.set(Fault("refuse"))
    assert door("status", "--json").facts["jobs"]["idle"] == 2
    assert not list(tmp_path.glob("home/.local/share/plexsync/*.db"))


def test_a_named_folder_is_stronger(house: World, door: Door, tmp_path: Path) -> None:
    house.unset = ()
    door("drain")
    assert (house.folder / "plexsync.db").is_file()
    assert not (tmp_path / "stash" / "plexsync").exists()
    assert f"{house.folder} is used: data_dir names it" in folder_check(door)


def test_a_database_in_the_users_folder_stays_in_use_and_doctor_names_both(
    house: World, door: Door, tmp_path: Path
) -> None:
    usual = tmp_path / "home" / ".local" / "share" / "plexsync"
    assert door("status", "--data-dir", str(usual)).code == 0
    assert f"{usual} is used: it holds the database" in folder_check(door)
    assert plugin_check(door) == []
    house.add(1)  # the hook spools beside Stash
    beside = tmp_path / "stash" / "plexsync"
    (found,) = plugin_check(door)
    assert found["state"] == "warning"
    assert str(beside) in found["told"]
    assert str(usual) in found["told"]
    assert found["mend"] == f"set data_dir to {beside}"


def test_a_stash_elsewhere_leaves_the_users_folder(world: World, door: Door, tmp_path: Path) -> None:
    world.unset = ("data_dir",)
    assert "the usual one: Stash's settings file is not on this machine" in folder_check(door)
    assert (tmp_path / "home" / ".local" / "share" / "plexsync" / "plexsync.db").is_file()


def test_no_database_is_begun_in_the_wrong_place_because_stash_is_away(
    house: World, door: Door, tmp_path: Path
) -> None:
    house.stash.faults.set(Fault("refuse"))
    done = door("status")
    assert done.code == 2
    assert "Stash tells where the database belongs, but it can't be asked" in done.err
    house.stash.faults.clear()
    assert door("status").code == 0
    assert (tmp_path / "stash" / "plexsync" / "plexsync.db").is_file()


def test_serve_takes_what_the_hook_has_left(house: World, tmp_path: Path) -> None:
    ids = house.add(3)
    with house.serving():
        until(lambda: house.in_step(ids))
        house.stash.edit_scene(ids[0], title="By the hook")
        until(lambda: house.in_step(ids))
        house.stash.faults.set(Fault("refuse"))
        assert house.json("status")["worker"]["running"] is True
    assert (tmp_path / "stash" / "plexsync" / "plexsync.db").is_file()

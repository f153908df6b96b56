"""Commands with several Plex servers: --plex chooses one, status and doctor tell all, the others say whom they are about."""

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from plexsync.cli.call import Call
from plexsync.cli.terminal.completions import ignored_scenes
from plexsync.simulator.http import Fault
from plexsync.simulator.plex_changes import next_machine
from plexsync.simulator.plex_server import PlexSim
from plexsync.simulator.stash_server import StashSim
from tests.cli.conftest import Door
from tests.journey.world import KEY, TOKEN, World

ABOUT = "plexsync: this is about living; --plex NAME chooses another (attic)\n"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A world whose plexsync.toml has two entries; `world.attic` is the second Plex."""
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    file = tmp_path / "plexsync.toml"
    with (
        StashSim(api_key=KEY) as stash,
        PlexSim(token=TOKEN) as plex,
        PlexSim(token=TOKEN) as attic,
        World(stash, plex, folder, unset=("plex_url",)) as made,
    ):
        attic.machine = next_machine(plex.machine)
        made.attic = attic
        made.section = plex.add_section("Movies", locations=("/media/scenes",))
        attic.add_section("Films", locations=("/media/scenes",))
        file.write_text(
            f'[[plex]]\nname = "living"\nplex_url = "{plex.url}"\n[[plex]]\nname = "attic"\nplex_url = "{attic.url}"\n'
        )
        file.chmod(0o600)
        made.file = file
        yield made


@pytest.fixture
def both(door: Door, monkeypatch: pytest.MonkeyPatch, world: World) -> Door:
    monkeypatch.setenv("PLEXSYNC_CONFIG", str(world.file))
    return door


def test_status_tells_all_and_the_one_in_the_worst_state_first(both, world):
    world.add(2)
    assert both("sync", "--all", "--wait").code == 0
    world.attic.faults.set(Fault("status", status=401))
    assert both("--plex", "attic", "sync", "--all", "--wait").code == 1
    told = both("status")
    assert told.code == 0
    first, second = (told.out.index(name) for name in ("attic: ", "living: "))
    assert first == 0 < second
    assert told.err == "", "it is about all"
    assert " → plexsync fix --plex attic" in told.out
    facts = both("status", "--json").facts
    assert [one["plex"] for one in facts["servers"]] == ["living", "attic"]
    assert facts["plex"] == "living"
    assert facts["problem"] == ""
    assert facts["jobs"]["idle"] == 2
    living, attic = facts["servers"]
    assert (living["holds"], list(attic["holds"])) == ({}, ["plex"])


def test_status_of_one_is_as_without_the_other(both, world):
    world.add(1)
    assert both("sync", "--all", "--wait").code == 0
    chosen = both("--plex", "living", "status", "--json")
    assert "servers" not in chosen.facts
    assert chosen.facts["jobs"]["idle"] == 1
    assert both("status", "--plex", "attic", "--json").facts["jobs"]["idle"] == 0


def test_the_environment_chooses_as_the_option_does_and_the_option_wins(both, world, monkeypatch):
    world.add(1)
    assert both("sync", "--all", "--wait").code == 0
    monkeypatch.setenv("PLEXSYNC_PLEX", "attic")
    assert both("status", "--json").facts["jobs"]["idle"] == 0
    assert both("status", "--json", "--plex", "living").facts["jobs"]["idle"] == 1


def test_a_database_that_can_not_be_used_hides_no_other(both, world):
    folder = world.folder / "plex-attic"
    folder.mkdir(mode=0o700)
    (folder / "plexsync.db").mkdir()
    told = both("status", "--json")
    assert told.code == 2
    assert [one["plex"] for one in told.facts["servers"]] == ["living"]
    assert told.facts["problem"].startswith("attic: ")
    assert "plexsync: attic: " in told.err


def test_doctor_checks_all_and_tells_the_worst_first(both, world):
    fine = both("doctor", "--json")
    assert [one["plex"] for one in fine.facts["servers"]] == ["living", "attic"]
    world.attic.faults.set(Fault("status", status=401))
    bad = both("doctor", "--json")
    assert bad.code == 1
    assert bad.facts["well"] is False
    assert [one["well"] for one in bad.facts["servers"]] == [True, False]
    text = both("doctor")
    assert text.code == 1
    lines = text.out.splitlines()
    assert lines.index("attic") < lines.index("living")


def test_a_report_has_a_folder_for_each_server_and_no_secret_of_any(both, world, tmp_path):
    text = world.file.read_text().replace('name = "attic"', 'name = "attic"\nplex_token = "a-token-of-the-attic"')
    world.file.write_text(text)
    world.attic.token = "a-token-of-the-attic"
    world.add(1)
    assert both("sync", "--all", "--wait").code == 0
    assert both("--plex", "attic", "status").code == 0
    for folder, line in ((world.folder, "living"), (world.folder / "plex-attic", "attic")):
        (folder / "plexsync.log").write_text(f"2026-03-04T05:06:07Z INFO PlexSync.engine {line} a-token-of-the-attic\n")
    done = both("report", tmp_path / "bundle.zip", "--json")
    assert (done.code, done.err) == (0, "")
    with zipfile.ZipFile(tmp_path / "bundle.zip") as bundle:
        parts = {name: bundle.read(name).decode() for name in bundle.namelist()}
    own = ("doctor.json", "status.json", "outages.json", "plexsync.log")
    assert list(parts) == ["about.json", *(f"{name}/{file}" for name in ("living", "attic") for file in own)]
    assert done.facts["parts"] == list(parts)
    for name, in_sync in (("living", 1), ("attic", 0)):
        assert json.loads(parts[f"{name}/status.json"])["jobs"]["idle"] == in_sync
        assert f"INFO PlexSync.engine {name} ***\n" in parts[f"{name}/plexsync.log"]
        shown = {setting["name"]: setting["value"] for setting in json.loads(parts[f"{name}/doctor.json"])["settings"]}
        assert shown["plex_url"] == (world.plex if name == "living" else world.attic).url
    assert not [secret for secret in (TOKEN, KEY, "a-token-of-the-attic") if secret in "".join(parts.values())]


def test_a_report_of_one_server_is_as_without_the_other(both, tmp_path):
    done = both("report", tmp_path / "bundle.zip", "--json", "--plex", "attic")
    assert done.facts["parts"] == ["about.json", "doctor.json", "status.json", "outages.json", "plexsync.log"]


def test_a_report_names_the_server_whose_database_can_not_be_used(both, world, tmp_path):
    folder = world.folder / "plex-attic"
    folder.mkdir(mode=0o700)
    (folder / "plexsync.db").mkdir()
    assert both("report", tmp_path / "bundle.zip").code == 0
    with zipfile.ZipFile(tmp_path / "bundle.zip") as bundle:
        assert json.loads(bundle.read("attic/status.json"))["error"]
        assert "error" not in json.loads(bundle.read("living/status.json"))


@pytest.mark.parametrize("words", [("outages",), ("dlq", "list"), ("config", "list")])
def test_another_command_says_whom_it_is_about(both, words):
    assert both(*words).err == ABOUT
    assert ABOUT not in both(*words, "--plex", "attic").err


def test_a_single_server_is_not_named(door, world, monkeypatch):
    world.file.write_text(f'plex_url = "{world.plex.url}"\n')
    monkeypatch.setenv("PLEXSYNC_CONFIG", str(world.file))
    assert door("outages").err == ""
    assert "servers" not in door("status", "--json").facts


def test_a_choice_that_is_no_entry_is_told(both):
    told = both("--plex", "atic", "status")
    assert told.code == 2
    assert told.err == 'plexsync: "atic" (--plex, PLEXSYNC_PLEX) names no [[plex]] entry: did you mean attic?\n'


def test_a_setting_of_one_server_is_changed_in_its_entry(both, world):
    text = world.file.read_text()
    told = both("--plex", "attic", "config", "set", "sync_title", "false")
    assert told.code == 2
    assert "plexsync config edit opens the entry of attic" in told.err
    assert world.file.read_text() == text
    assert both("config", "set", "sync_title", "false").code == 0
    assert world.file.read_text() == f"sync_title = false\n{text}", "the entries stay as they are"
    assert both("config", "get", "sync_title", "--plex", "attic").out == "false\n"
    assert both("config", "set", "plex_url", world.plex.url).code == 0
    assert "the value from the [[plex]] entry wins over it" in both("config", "set", "plex_url", world.plex.url).out


def test_init_leaves_entries_alone(both, world):
    text = world.file.read_text()
    told = both("init", "--yes", "--config", world.file)
    assert told.code == 2
    assert "has [[plex]] entries, and init sets up a single Plex server" in told.err
    assert world.file.read_text() == text


def test_completion_is_for_the_chosen_server(both, world, monkeypatch):
    ids = world.add(1)
    assert both("ignore", *ids).code == 0
    assert both("--plex", "attic", "status").code == 0
    monkeypatch.setenv("PLEXSYNC_CONFIG", str(world.file))

    def offered(plex):
        context = click.Context(click.Command("x"), obj=Call(data_dir=str(world.folder), plex=plex))
        return [item.value for item in ignored_scenes(context, click.Argument(["scene"]), "")]

    assert (offered(""), offered("attic")) == ([str(ids[0])], [])

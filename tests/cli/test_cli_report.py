"""`plexsync report`: one file with everything that a bug report needs, and no secret in it."""

import json
import stat
import zipfile
from pathlib import Path

import pytest

from tests.cli.conftest import Door
from tests.journey.world import KEY, TOKEN, World

PARTS = ["about.json", "doctor.json", "status.json", "outages.json", "plexsync.log"]


def content(file: Path) -> dict[str, str]:
    with zipfile.ZipFile(file) as bundle:
        return {name: bundle.read(name).decode() for name in bundle.namelist()}


def test_it_holds_what_was_found_and_no_secret(world: World, door: Door, tmp_path: Path) -> None:
    ids = world.add(2)
    assert door("sync", *ids, "--wait").code == 0
    (world.folder / "plexsync.log").write_text(f"2026-03-04T05:06:07Z INFO PlexSync.engine {TOKEN} line\n")
    target = tmp_path / "bundle.zip"
    done = door("report", target, "--json")
    assert done.code == 0
    assert done.facts["parts"] == PARTS
    parts = content(target)
    assert list(parts) == PARTS
    assert json.loads(parts["status.json"])["scenes"]["in_step"]["count"] == 2
    assert json.loads(parts["doctor.json"])["checks"]
    assert json.loads(parts["about.json"])["python"]
    assert parts["plexsync.log"] == "2026-03-04T05:06:07Z INFO PlexSync.engine *** line\n"
    assert not [secret for secret in (TOKEN, KEY) if secret in "".join(parts.values())]
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


def test_a_file_that_is_there_is_not_replaced_unasked(world: World, door: Door, tmp_path: Path) -> None:
    target = tmp_path / "bundle.zip"
    target.write_text("mine")
    done = door("report", target)
    assert done.code == 2
    assert "--force" in done.err
    assert target.read_text() == "mine"
    assert door("report", target, "--force").code == 0


def test_with_wrong_settings_it_says_so_in_their_place(
    door: Door, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "plexsync.toml").write_text('plex_url = "nonsense"\nplex_token = "a-token-of-this-test"\n')
    done = door("report", tmp_path / "bundle.zip")
    assert done.code == 0
    parts = content(tmp_path / "bundle.zip")
    assert "plex_url in plexsync.toml must start with http" in json.loads(parts["doctor.json"])["checks"][0]["told"]
    assert "plex_url" in json.loads(parts["status.json"])["error"]
    assert "a-token-of-this-test" not in "".join(parts.values())

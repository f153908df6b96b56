"""The example for Docker Compose and the unit for systemd: their words are real settings, and their tools accept them."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from plexsync.cli.main import COMMANDS
from plexsync.simulator.stash_manifest import parse_yaml
from tests.journey.world import ROOT
from validation.config import describe
from validation.sources import FILE_VARIABLES, OTHER_VARIABLES

DEPLOY = ROOT / "deploy"
KNOWN = {setting.variable for setting in describe()} | set(FILE_VARIABLES) | set(OTHER_VARIABLES)


def variables(text: str) -> set[str]:
    return set(re.findall(r"\bPLEXSYNC_[A-Z_]+", text))


@pytest.mark.parametrize("path", sorted(DEPLOY.rglob("*")), ids=lambda path: path.name)
def test_variables_that_are_named_are_settings(path: Path) -> None:
    if path.is_file():
        assert variables(path.read_text(encoding="utf-8")) <= KNOWN


def compose() -> dict:
    return parse_yaml((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))


def test_the_example_holds_no_secret_and_asks_for_no_rights() -> None:
    ours = compose()["services"]["plexsync"]
    for name, value in ours["environment"].items():
        assert not re.search("TOKEN|KEY|PASSWORD", name) or (
            name.endswith("_FILE") and value.startswith("/run/secrets/")
        )
    assert ours["read_only"] is True
    assert ours["cap_drop"] == ["ALL"]
    assert ours["security_opt"] == ["no-new-privileges:true"]
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", ours["user"])


def test_every_secret_and_volume_of_the_example_is_declared() -> None:
    whole = compose()
    ours = whole["services"]["plexsync"]
    assert set(ours["secrets"]) == set(whole["secrets"])
    named = {value.rpartition("/")[2] for name, value in ours["environment"].items() if name.endswith("_FILE")}
    assert named == set(whole["secrets"])
    assert set(ours["depends_on"]) < set(whole["services"])


def test_hook_and_worker_meet_in_one_volume() -> None:
    services = compose()["services"]
    folder = services["stash"]["environment"]["PLEXSYNC_DATA_DIR"]
    assert f"plexsync-data:{folder}" in services["stash"]["volumes"]
    assert "plexsync-data:/data" in services["plexsync"]["volumes"]


# --- systemd ---------------------------------------------------------------------------------------------------------

UNIT = DEPLOY / "plexsync.service"


def unit() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in UNIT.read_text(encoding="utf-8").splitlines():
        if "=" in line and not line.startswith("#"):
            name, _, value = line.partition("=")
            found.setdefault(name, []).append(value)
    return found


def test_the_unit_starts_a_command_that_there_is_and_lets_it_end_in_good_order() -> None:
    (start,) = unit()["ExecStart"]
    assert start.split()[1] in COMMANDS
    assert unit()["Restart"] == ["always"], "a worker that hangs ends itself"
    assert unit()["TimeoutStopSec"] == ["15s"]


@pytest.fixture
def startable(tmp_path: Path) -> Path:
    """The unit with a program that is on this machine."""
    text = re.sub(r"ExecStart=\S+", f"ExecStart={shutil.which('true')}", UNIT.read_text(encoding="utf-8"))
    copy = tmp_path / "plexsync.service"
    copy.write_text(text, encoding="utf-8")
    return copy


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_accepts_the_unit(startable: Path) -> None:
    done = subprocess.run(
        ["systemd-analyze", "verify", str(startable)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "SYSTEMD_LOG_LEVEL": "warning"},
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_finds_little_that_the_service_could_do(startable: Path) -> None:
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=20", str(startable)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-500:]

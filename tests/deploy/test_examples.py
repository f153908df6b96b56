"""The example for Docker Compose and the unit for systemd: their words are real settings, and their tools accept them."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from plexsync.cli.program import COMMANDS
from tests.journey.world import ROOT
from validation.config import describe
from validation.sources import FILE_VARIABLES, OTHER_VARIABLES

DEPLOY = ROOT / "deploy"
KNOWN = {setting.variable for setting in describe()} | set(FILE_VARIABLES) | set(OTHER_VARIABLES)


def variables(text: str) -> set[str]:
    return set(re.findall(r"\bPLEXSYNC_[A-Z_]+", text))


def test_variables_that_are_named_are_settings() -> None:
    files = [path for path in DEPLOY.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    named = {(path.name, variable) for path in files for variable in variables(path.read_text(encoding="utf-8"))}
    assert {name for name, _ in named} >= {*EXAMPLES, "plexsync.service"}
    assert {(name, variable) for name, variable in named if variable not in KNOWN} == set()


def compose(file: str = "compose.yaml") -> dict:
    return yaml.safe_load((DEPLOY / file).read_text(encoding="utf-8"))


EXAMPLES = ("compose.yaml", "compose-postgres.yaml")
examples = pytest.mark.parametrize("file", EXAMPLES)
# Of the words that Compose knows, those that the examples need.
WHOLE = {"services", "volumes", "secrets", "x-plexsync"}
SERVICE = {
    "build",
    "image",
    "init",
    "user",
    "environment",
    "secrets",
    "ports",
    "volumes",
    "tmpfs",
    "depends_on",
    "restart",
    "profiles",
}
SERVICE |= {"healthcheck", "read_only", "cap_drop", "security_opt", "shm_size", "stop_grace_period"}
HEALTH_CHECK = {"interval", "retries", "start_period", "test", "timeout"}


def test_every_example_of_compose_is_looked_at() -> None:
    assert {path.name for path in DEPLOY.glob("compose*")} == set(EXAMPLES)


@examples
def test_the_example_has_no_word_that_compose_does_not_know(file: str) -> None:
    whole = compose(file)
    assert set(whole) <= WHOLE
    for service in whole["services"].values():
        assert set(service) <= SERVICE
        assert set(service.get("healthcheck", ())) <= HEALTH_CHECK
        assert service.get("restart") == "unless-stopped"
        for value in service["environment"].values():
            assert isinstance(value, str)
        for port in service.get("ports", ()):
            assert re.fullmatch(r"\d+:\d+", port)


@examples
def test_the_example_holds_no_secret_and_asks_for_no_rights(file: str) -> None:
    services = compose(file)["services"]
    ours = [service for service in services.values() if service["image"].startswith(("plexsync:", "postgres:"))]
    assert ours
    for service in ours:
        for name, value in service["environment"].items():
            assert not re.search("TOKEN|KEY|PASSWORD|DATABASE_URL", name) or (
                name.endswith("_FILE") and value.startswith("/run/secrets/")
            )
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", service["user"])


@examples
def test_every_secret_and_volume_of_the_example_is_declared(file: str) -> None:
    whole = compose(file)
    used: set[str] = set()
    volumes: set[str] = set()
    for service in whole["services"].values():
        given = set(service.get("secrets", ()))
        named = {value.rpartition("/")[2] for name, value in service["environment"].items() if "/run/secrets" in value}
        assert named == given
        used |= given
        volumes |= {volume.partition(":")[0] for volume in service["volumes"] if not volume.startswith("./")}
        assert set(service.get("depends_on", ())) < set(whole["services"])
    assert used == set(whole.get("secrets", ()))
    assert volumes == set(whole["volumes"])


def test_worker_and_standby_are_the_same_but_for_their_folder_and_their_port() -> None:
    services = compose("compose-postgres.yaml")["services"]
    worker, standby = (
        {name: value for name, value in services[service].items() if name not in ("ports", "volumes")}
        for service in ("plexsync", "standby")
    )
    assert worker == standby
    assert not set(services["plexsync"]["volumes"]) & set(services["standby"]["volumes"])
    assert not set(services["plexsync"]["ports"]) & set(services["standby"]["ports"])
    # Plex asks there, once it is switched on.
    assert not any(port.startswith("9798:") for name in services for port in services[name].get("ports", ()))
    assert worker["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    text = (DEPLOY / "compose-postgres.yaml").read_text(encoding="utf-8")
    host, database = re.search(r"postgresql://plexsync:%s@(\w+)/(\w+)", text).groups()
    assert services[host]["environment"]["POSTGRES_DB"] == database
    assert services[host]["environment"]["POSTGRES_USER"] == "plexsync"


def test_one_command_starts_plexsync_alone_which_asks_for_the_rest_in_the_browser() -> None:
    services = compose()["services"]
    assert [name for name, service in services.items() if "profiles" not in service] == ["plexsync"]
    assert services["plexsync"]["environment"] == {"PLEXSYNC_WEB_BIND": "0.0.0.0:9797"}
    assert not {"secrets", "depends_on"} & set(services["plexsync"])
    assert services["plexsync"]["ports"] == ["9797:9797"]


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

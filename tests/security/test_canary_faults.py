"""Secrets under every fault: real commands as processes that log everything, and a search through every byte they leave."""

import json
import re
import signal
import subprocess
from pathlib import Path

import pytest

from plexsync.simulator.http import Answer, Fault, HttpServer
from plexsync.store import intake
from tests.journey.world import until
from tests.patience import HANG
from tests.security.canaries import (
    CANARIES,
    HOOK,
    KEY,
    TOKEN,
    WORD,
    canary_world,
    check_files,
    check_requests,
    leaks,
    run,
    spellings,
    start,
    torture,
)

FAULTS = {
    "refused": Fault("refuse"),
    "reset": Fault("reset"),
    "applied, then reset": Fault("reset_after"),
    "cut": Fault("cut"),
    "garbage": Fault("garbage"),
    "a web page": Fault("html"),
    "400": Fault("status", status=400),
    "401": Fault("status", status=401),
    "404": Fault("status", status=404),
    "429": Fault("status", status=429, retry_after=7),
    "500": Fault("status", status=500),
    "maintenance": Fault("maintenance"),
    "huge": Fault("huge", megabytes=40),
}
SLOW = {"hang": Fault("hang"), "trickle": Fault("trickle", seconds=0.5)}
# The plain run takes every fault once, by turns at either side; the long one takes all at both, with every command.
WHERE = [
    (side, name)
    for number, name in enumerate(FAULTS | SLOW if torture() else FAULTS)
    for place, side in enumerate(("plex", "stash"))
    if torture() or number % 2 == place
]
LOOKS = [("status",), ("--json", "status"), ("explain", "1"), ("dlq", "list"), ("reconcile",)]


def want_all(folder: Path) -> None:
    for id in (1, 2, 3):
        intake.store(str(folder), "scene", id)


def test_the_search_finds_a_secret_in_every_spelling() -> None:
    for name, secret in CANARIES.items():
        for spelling, text in spellings(secret).items():
            assert f"{name} as {spelling}" in leaks(f"before {text} behind".encode())
        broken = "\n    ".join(re.findall("(?s).{1,7}", secret))
        assert f"{name} as raw" in leaks(broken.encode())
        assert f"{name} as raw" in leaks(secret.encode("utf-16-le"))
    assert leaks(b"tOk kEy") == []


@pytest.mark.parametrize(("side", "fault"), WHERE)
def test_no_fault_brings_a_secret_out(side: str, fault: str, tmp_path: Path) -> None:
    said = tmp_path / "said"
    with canary_world(tmp_path) as world:
        getattr(world, side).faults.set((FAULTS | SLOW)[fault])
        want_all(world.folder)
        run(world, ("drain",), ("-v", "doctor"), said=said)
        if torture():
            run(world, *LOOKS, said=said)
        check_requests(world.stash, world.plex)
    assert "PlexSync" in said.read_text() or "plex" in said.read_text()
    assert check_files(tmp_path) >= 2


def test_a_good_day_brings_no_secret_out(tmp_path: Path) -> None:
    said = tmp_path / "said"
    with canary_world(tmp_path) as world:
        assert run(world, ("sync", "--all", "--wait"), said=said) == [0]
        world.stash.edit_scene(1, title="Another")
        run(world, ("--json", "explain", "1"), ("reconcile",), said=said)
        assert check_requests(world.stash, world.plex) > 5
        headers = [request.headers for request in world.plex.log]
        assert all(one.get("x-plex-token") == TOKEN for one in headers)
    assert check_files(tmp_path) >= 2


@pytest.mark.parametrize("wrong", ["plex_token", "stash_api_key"])
def test_a_secret_that_is_not_accepted_is_not_shown(wrong: str, tmp_path: Path) -> None:
    said = tmp_path / "said"
    with canary_world(tmp_path) as world:
        # Each side gets the secret of the other one: wrong, and a canary still.
        world.settings[wrong] = KEY if wrong == "plex_token" else TOKEN
        want_all(world.folder)
        run(world, ("drain",), ("doctor",), said=said)
        run(world, ("status",), said=said)
        check_requests(world.stash, world.plex)
    assert wrong in said.read_text()
    check_files(tmp_path)


BAD_SETTINGS = {
    "a blank at the end": {"PLEXSYNC_PLEX_TOKEN": TOKEN + " "},
    "two lines": {"PLEXSYNC_PLEX_TOKEN": TOKEN + "\n" + KEY},
    "a letter too many": {"PLEXSYNC_STASH_API_KEY": KEY + "é"},
    "too long": {"PLEXSYNC_PLEX_TOKEN": TOKEN * 200},
    "in the address": {"PLEXSYNC_PLEX_URL": f"http://user:{TOKEN}@plex:32400"},
    "in the query": {"PLEXSYNC_PLEX_URL": f"http://plex:32400/?X-Plex-Token={TOKEN}"},
    "in a number": {"PLEXSYNC_MAX_RETRIES": TOKEN},
    "in a switch": {"PLEXSYNC_ENABLED": KEY},
    "in a choice": {"PLEXSYNC_CONFLICT_POLICY": KEY},
    "in a list": {"PLEXSYNC_PATH_MAP": TOKEN},
    "in a misspelt setting": {"PLEXSYNC_PLEX_TOKN": TOKEN},
    "an address with a blank": {"PLEXSYNC_NOTIFY_URLS": f"json://nas/ {HOOK}"},
    "no address": {"PLEXSYNC_NOTIFY_URLS": HOOK},
    "a hook in a misspelt setting": {"PLEXSYNC_NOTIFY_URL": f"json://nas/{HOOK}"},
    "a command with an open quotation mark": {"PLEXSYNC_NOTIFY_COMMAND": f"tell '{WORD}"},
    "a command over two lines": {"PLEXSYNC_NOTIFY_COMMAND": f"tell {WORD}\x07"},
    "in the minutes": {"PLEXSYNC_NOTIFY_AFTER_MINUTES": WORD},
    "in the level of the log": {"PLEXSYNC_LOG": TOKEN},
}


def test_bad_settings_are_told_without_a_secret(tmp_path: Path, monkeypatch, capsys) -> None:
    from plexsync.cli.main import run as call

    for name, bad in BAD_SETTINGS.items():
        with monkeypatch.context() as one:
            given = {"PLEXSYNC_PLEX_URL": "http://127.0.0.1:1", "PLEXSYNC_PLEX_TOKEN": TOKEN, **bad}
            for variable, value in {**given, "PLEXSYNC_DATA_DIR": str(tmp_path)}.items():
                one.setenv(variable, value)
            for words in (["-v", "status"], ["--json", "doctor"]):
                assert call(words) == 2, name
                assert not leaks("".join(capsys.readouterr()).encode()), name


@pytest.mark.parametrize(
    "text",
    [
        f"plex_token = '{TOKEN}",
        f"plex_token = {TOKEN}",
        f"plex_tokn = '{TOKEN}'",
        f"[plex_token]\na = '{TOKEN}'",
        f"'{KEY}' = 1",
    ],
    ids=["open", "bare", "misspelt", "table", "name"],
)
def test_a_bad_file_is_told_without_a_secret(text: str, tmp_path: Path, monkeypatch, capsys) -> None:
    from plexsync.cli.main import run as call

    file = tmp_path / "plexsync.toml"
    file.write_text(f'plex_url = "http://127.0.0.1:1"\n{text}\n')
    file.chmod(0o600)
    monkeypatch.setenv("PLEXSYNC_DATA_DIR", str(tmp_path / "data"))
    assert call(["-v", "--config", str(file), "status"]) == 2
    assert not leaks("".join(capsys.readouterr()).encode())


# --- servers that say our own secret back to us ----------------------------------------------------------------------


class Echo(HttpServer):
    """Answers everything with `status` and puts the request's headers into headers and body of its answer."""

    status = 500
    form = "page"

    def answer(self, request):
        heard = "".join(request.headers.get(name, "") for name in ("x-plex-token", "apikey"))
        back = {"Location": f"http://elsewhere/?X-Plex-Token={heard}", "Retry-After": heard, "X-Echo": heard}
        match self.form:
            case "page":
                body = f"<html><body><pre>{request.headers}</pre> bad token {heard}</body></html>"
            case "graphql":
                body = json.dumps({"data": None, "errors": [{"message": f"key {heard} is wrong", "path": [heard]}]})
            case "names":
                section = {
                    "key": "1",
                    "type": "movie",
                    "title": heard,
                    "Location": [{"path": f"/{heard}"}],
                    "scannedAt": 1,
                }
                server = {"friendlyName": heard, "version": f"1.99.9.{heard}", "machineIdentifier": heard}
                body = json.dumps({"MediaContainer": {"size": 1, **server, "Directory": [section], "Metadata": []}})
            case _:
                body = json.dumps({heard: heard, "MediaContainer": heard, "data": heard})
        return Answer(self.status, body.encode(), "application/json", back)


ECHOES = [(200, "page"), (200, "json"), (200, "graphql"), (301, "page"), (401, "page"), (429, "json"), (500, "page")]


@pytest.mark.parametrize(("status", "form"), ECHOES if torture() else ECHOES[1:5:3], ids=str)
def test_a_server_that_echoes_the_secret_does_not_bring_it_out(status: int, form: str, tmp_path: Path) -> None:
    said = tmp_path / "said"
    with canary_world(tmp_path) as world, Echo() as echo:
        echo.status, echo.form = status, form
        want_all(world.folder)
        world.settings["plex_url"] = echo.url
        run(world, ("drain",), ("--json", "doctor"), said=said)
        run(world, *(LOOKS if torture() else [("status",)]), said=said)
        world.settings |= {"plex_url": world.plex.url, "stash_url": echo.url}
        run(world, ("drain",), ("doctor",), said=said)
        assert check_requests(world.stash, world.plex, echo) > 2
        assert leaks(echo.answer(echo.log[0]).body)
    check_files(tmp_path)


def test_a_server_that_is_named_like_the_secret_does_not_bring_it_out(tmp_path: Path) -> None:
    said = tmp_path / "said"
    with canary_world(tmp_path, plex_libraries="Films") as world, Echo() as echo:
        echo.status, echo.form = 200, "names"
        want_all(world.folder)
        world.settings["plex_url"] = echo.url
        run(world, ("drain",), ("-v", "doctor"), said=said)
        run(world, ("status",), said=said)
    assert "Films" in said.read_text()
    check_files(tmp_path)


# --- faults of our own -----------------------------------------------------------------------------------------------

BROKEN = """
import os, sys
from plexsync.cli.main import main
from {module} import {owner}
def fault(*_, **__):
    names = "PLEX_TOKEN", "STASH_API_KEY", "NOTIFY_URLS"
    raise RuntimeError("with " + "\\n".join(os.environ["PLEXSYNC_" + name] for name in names))
{owner}.{name} = fault
main(sys.argv[1:])
"""


@pytest.mark.parametrize(
    ("module", "owner", "name"),
    [
        ("plexsync.plex.client", "PlexClient", "edit"),
        ("plexsync.flows.scenes.inspection", "Inspector", "look"),
        ("plexsync.store.database", "Database", "reading"),
    ],
)
def test_a_fault_of_our_own_does_not_bring_a_secret_out(module: str, owner: str, name: str, tmp_path: Path) -> None:
    said = tmp_path / "said"
    program = ("-c", BROKEN.format(module=module, owner=owner, name=name))
    with canary_world(tmp_path) as world:
        want_all(world.folder)
        run(world, ("-v", "drain"), said=said, program=program)
        check_requests(world.stash, world.plex)
    assert "RuntimeError" in said.read_text()
    check_files(tmp_path)


# --- what others see of a running process ----------------------------------------------------------------------------


def test_a_running_worker_shows_no_secret_to_who_looks_at_processes(tmp_path: Path) -> None:
    if not Path("/proc/self/environ").exists():
        pytest.skip("this system shows processes in another way")
    said = tmp_path / "said"
    with canary_world(tmp_path) as world:
        file = tmp_path / "settings.toml"
        url = world.settings.pop("notify_urls")
        given = {"plex_token": TOKEN, "stash_api_key": KEY, "notify_urls": [url]}
        file.write_text("".join(f"{name} = {json.dumps(value)}\n" for name, value in given.items()))
        file.chmod(0o600)
        del world.settings["plex_token"], world.settings["stash_api_key"], world.settings["notify_command"]
        environ = {
            name: value
            for name, value in world.environ.items()
            if not name.endswith(("_TOKEN", "_API_KEY", "_PASSWORD"))
        }
        process = start(_With(environ), "--config", str(file), "serve", said=said)
        try:
            until(lambda: world.count("idle") == 3)
            seen = [Path(f"/proc/{process.pid}")]
            for children in seen[0].glob("task/*/children"):
                seen += [Path(f"/proc/{child}") for child in children.read_text().split()]
            for one in seen:
                for name in ("cmdline", "environ", "comm", "maps"):
                    assert not leaks((one / name).read_bytes()), (one.name, name)
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=HANG) == 0
        check_requests(world.stash, world.plex)
    assert check_files(tmp_path, but=(file,)) >= 2


class _With:
    """An environment in place of a world's own."""

    def __init__(self, environ: dict[str, str]) -> None:
        self.environ = environ
        self.started: list[subprocess.Popen[str]] = []
        # The system shows the words and the environment of a fork as those of the warm process.
        self.real = True

"""The dashboard as `plexsync serve` runs it: a process of its own, looked after, and never in the way of the work."""

import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from plexsync.cli.daemon import child
from plexsync.cli.daemon.dashboard_process import Dashboard, DashboardEntry
from plexsync.extras import advice
from plexsync.simulator.http import Fault
from plexsync.store.ledger.lasting import ended_threads
from tests.journey.world import World, until
from tests.patience import HANG
from validation.config import PlexSyncConfig
from validation.sources import Loaded

PASSWORD = "correct horse battery"


def free_port() -> int:
    with socket.socket() as tried:
        tried.bind(("127.0.0.1", 0))
        return int(tried.getsockname()[1])


@contextmanager
def serving(world: World, *words: str) -> Iterator[subprocess.Popen[str]]:
    process = world.start("serve", *words)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=HANG) == 0


def get(port: int, path: str = "/health") -> httpx2.Response | None:
    try:
        return httpx2.get(f"http://127.0.0.1:{port}{path}", trust_env=False, timeout=HANG)
    except httpx2.HTTPError:
        return None


def is_up(port: int) -> bool:
    answer = get(port)
    return answer is not None and answer.status_code == 200


def is_refused(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except ConnectionRefusedError:
        return True
    return False


def children(pid: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found


def test_it_is_there_with_serve_comes_back_when_it_dies_and_ends_with_it(world: World) -> None:
    port = free_port()
    world.settings["web_bind"] = f"127.0.0.1:{port}"
    with serving(world) as process:
        until(lambda: is_up(port))
        assert f"dashboard: http://127.0.0.1:{port}" in world.log()
        (child,) = children(process.pid)
        # The worker comes first.
        assert os.getpriority(os.PRIO_PROCESS, child) > os.getpriority(os.PRIO_PROCESS, process.pid)
        # No secret is among its words or in its environment.
        told = Path(f"/proc/{child}/cmdline").read_bytes() + Path(f"/proc/{child}/environ").read_bytes()
        assert b"plex-token" not in told
        assert b"PLEXSYNC_" not in told
        os.kill(child, signal.SIGKILL)
        until(lambda: is_up(port) and children(process.pid) not in ([], [child]))
        assert "the dashboard ended (-9)" in world.log()
    assert get(port) is None


def test_it_is_there_while_serve_waits_for_a_stash_that_was_never_seen(world: World) -> None:
    ids = world.add(1)
    port = free_port()
    world.settings["web_bind"] = f"127.0.0.1:{port}"
    world.stash.faults.set(Fault("refuse"))
    with serving(world):
        until(lambda: get(port, "/") is not None)
        until(lambda: "refuses connections" in get(port, "/outages").text)
        assert "waiting for Stash" in world.log()
        assert "serving" not in world.log()
        world.stash.faults.clear()
        until(lambda: is_up(port))
        # The first poll of serve may queue the scene again while this call ends.
        until(lambda: world.run("sync", "--all", "--wait").returncode == 0)
    assert world.in_step(ids)


def test_it_imports_nothing_of_the_folder_that_serve_was_started_in(world: World, tmp_path: Path) -> None:
    port = free_port()
    world.settings["web_bind"] = f"127.0.0.1:{port}"
    folder = tmp_path / "hostile"
    folder.mkdir()
    for name in ("jinja2", "starlette", "uvicorn", "plexsync"):
        (folder / f"{name}.py").write_text("raise SystemExit('planted')\n")
    log = tmp_path / "said"
    words = ["python", "-P", "-m", "plexsync", "serve"]
    environ = {name: value for name, value in program_environ(world).items() if name != "PYTHONPATH"}
    with log.open("w") as said:
        process = subprocess.Popen(words, cwd=folder, env=environ, stdout=said, stderr=said)
    try:
        until(lambda: is_up(port))
        assert "planted" not in log.read_text()
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=HANG) == 0


def test_it_ends_with_a_serve_that_is_killed(world: World) -> None:
    port = free_port()
    world.settings["web_bind"] = f"127.0.0.1:{port}"
    with serving(world) as process:
        until(lambda: is_up(port))
        process.kill()
        process.wait()
        until(lambda: get(port) is None)


def test_status_tells_where_it_listens_while_it_does_and_no_longer(world: World) -> None:
    port = free_port()
    world.settings["web_bind"] = f"127.0.0.1:{port}"
    place = {"url": f"http://127.0.0.1:{port}", "reach": "machine", "names": ["127.0.0.1", "::1", "localhost"]}
    with serving(world) as process:
        until(lambda: is_up(port))
        until(lambda: world.json("status")["dashboard"] == place)
        # The page's facts may be a moment older than the note.
        until(lambda: get(port, "/api/status").json()["dashboard"] == place)
        assert re.search(rf"dashboard +http://127\.0\.0\.1:{port}\n", world.run("status").stdout)
        process.kill()
        process.wait()
        until(lambda: world.json("status")["dashboard"] is None)
    with sqlite3.connect(world.folder / "plexsync.db") as db:
        kept = db.execute("select value from note where name = 'dashboard'").fetchone()
    db.close()
    assert place["url"] in kept[0], "the note is there, and nobody believes it"
    assert "dashboard " not in world.run("status").stdout


def test_status_tells_the_names_of_one_that_others_can_reach_and_no_password(world: World) -> None:
    port = free_port()
    world.settings |= {"web_bind": f"0.0.0.0:{port}", "web_password": PASSWORD, "web_allowed_hosts": "nas.local"}
    with serving(world):
        until(lambda: world.json("status")["dashboard"])
        told = world.json("status")
    assert told["dashboard"]["url"] == f"http://0.0.0.0:{port}"
    assert told["dashboard"]["reach"] == "network"
    assert "nas.local" in told["dashboard"]["names"]
    assert PASSWORD not in json.dumps(told)
    until(lambda: world.json("status")["dashboard"] is None)


def test_a_place_that_is_taken_is_told_once_and_the_work_goes_on(world: World) -> None:
    world.add(2)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        world.settings["web_bind"] = f"127.0.0.1:{other.getsockname()[1]}"
        with serving(world):
            until(lambda: "can't listen at" in world.log() and world.count("idle") == 2)
            (line,) = [line for line in world.log().splitlines() if "can't listen at" in line]
    named = "(web_bind, or PLEXSYNC_WEB_BIND, names another place)"
    assert f"Address already in use {named}; tried again every 15 s" in line


def test_without_a_password_nobody_else_can_reach_it(world: World) -> None:
    port = free_port()
    world.settings["web_bind"] = f"0.0.0.0:{port}"
    with serving(world):
        until(lambda: "web_password has to be set" in world.log())
        assert get(port) is None
    world.settings["web_password"] = PASSWORD
    with serving(world):
        until(lambda: is_up(port))
        answer = get(port, "/api/status")
        assert answer is not None
        assert answer.status_code == 401
    assert PASSWORD not in world.log()


def test_it_can_be_left_out(world: World) -> None:
    port = free_port()
    world.settings["web_bind"] = f"127.0.0.1:{port}"
    world.add(1)
    with serving(world, "--no-web") as process:
        until(lambda: world.count("idle") == 1)
        assert children(process.pid) == []
        assert get(port) is None


def test_other_settings_are_taken_over_and_who_is_signed_in_stays_so(world: World, tmp_path: Path) -> None:
    first, second = free_port(), free_port()
    file = tmp_path / "plexsync.toml"
    world.unset = ("web_bind",)

    def write(port: int) -> None:
        file.write_text(f'web_bind = "127.0.0.1:{port}"\nweb_password = "{PASSWORD}"\n')
        file.chmod(0o600)

    write(first)
    process = world.start("--config", str(file), "serve")
    try:
        until(lambda: is_up(first))
        with httpx2.Client(trust_env=False, follow_redirects=True) as client:
            page = client.get(f"http://127.0.0.1:{first}/login").text
            token = re.findall(r'name="token" value="(\w+)"', page)[0]
            at = f"http://127.0.0.1:{first}/login"
            assert "Overview" in client.post(at, data={"token": token, "password": PASSWORD}).text
            write(second)
            until(lambda: is_up(second) and get(first) is None)
            assert "Overview" in client.get(f"http://127.0.0.1:{second}/").text
            # What the settings page saves is taken over in the same way.
            at = f"http://127.0.0.1:{second}/settings/change"
            token = re.findall(r'name="token" value="(\w+)"', client.get(f"{at}?name=max_retries").text)[0]
            sent = {"token": token, "name": "max_retries", "value": "7", "do": "set"}
            before, refused = children(process.pid), []
            assert "max_retries is saved in plexsync.toml" in client.post(at, data=sent).text
            until(lambda: refused.append(is_refused(second)) or children(process.pid) not in ([], before))
            assert "settings changed: max_retries" in world.log()
            until(lambda: is_up(second))
            assert set(refused) == {False}, "who comes while one follows another waits"
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=HANG) == 0


def test_without_its_packages_the_work_goes_on(world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As for somebody who has installed the core alone."""
    port = free_port()
    world.settings["web_bind"] = f"127.0.0.1:{port}"
    world.add(1)
    program = (
        "import importlib.util, sys\n"
        "from plexsync.cli.main import main\n"
        "found = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name, *more: None if name == 'starlette' else found(name, *more)\n"
        "main(['serve'])\n"
    )
    log = tmp_path / "said"
    with log.open("w") as said:
        process = subprocess.Popen(["python", "-c", program], env=program_environ(world), stdout=said, stderr=said)
    try:
        until(lambda: world.count("idle") == 1)
        assert "no dashboard: its packages are not installed" in log.read_text()
        assert advice("web") in log.read_text()
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=HANG) == 0


def program_environ(world: World) -> dict[str, str]:
    import sys

    from tests.journey.world import ROOT

    here = Path(sys.executable).parent
    return {**world.environ, "PATH": f"{here}:{world.environ['PATH']}", "PYTHONPATH": str(ROOT)}


# --- looked after, without the time that the real one takes to start ------------------------------------------------

# Says where it is, and ends when its input closes.
STAND_IN = [sys.executable, "-I", "-S", "-c", "import sys; print(1, flush=True); sys.stdin.read()"]
Process = subprocess.Popen[str]


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[Callable[[Process], object]]:
    """What happens to each process of a dashboard right after its start, in turn; a process is a stand-in."""
    acts: list[Callable[[Process], object]] = []

    def start(*_words: str, stdout: int, **_more: object) -> Process:
        pipes = {"stdin": subprocess.PIPE, "stdout": stdout, "stderr": subprocess.PIPE, "text": True}
        process = subprocess.Popen(STAND_IN, **pipes)  # type: ignore[call-overload]
        acts.pop(0)(process)
        return process  # type: ignore[no-any-return]

    monkeypatch.setattr(child, "start", start)
    monkeypatch.setattr(child, "FIRST_WAIT", 0.01)
    return acts


@pytest.fixture
def pages(tmp_path: Path) -> Iterator[Dashboard]:
    made = Dashboard(tmp_path / "plexsync.toml")
    yield made
    made.end()


def entry(port: int, **settings: object) -> DashboardEntry:
    config = PlexSyncConfig(plex_url="http://127.0.0.1:9", plex_token="x", web_bind=f"127.0.0.1:{port}", **settings)
    return DashboardEntry(Loaded(config, {}), Path("data"))


def test_settings_that_change_while_it_starts_end_neither_it_nor_the_work(
    begun: list[Callable[[Process], object]], pages: Dashboard
) -> None:
    """The end of the one with the settings before can close its input before they are written there."""
    seen: list[Process] = []
    ended_threads()
    begun += [lambda process: process.stdin and process.stdin.close(), seen.append, seen.append]
    pages.use(entry(free_port()))
    until(lambda: len(seen) == 1)
    pages.use(entry(free_port()))
    until(lambda: len(seen) == 2)
    assert seen[0].wait(HANG) == 0
    assert ended_threads() == [], "no thread ends by it, to be started again"


def test_nobody_is_refused_while_changed_settings_are_taken_over(
    begun: list[Callable[[Process], object]], pages: Dashboard
) -> None:
    port, came = free_port(), list[socket.socket]()

    def visit(_process: Process) -> None:
        came.append(socket.create_connection(("127.0.0.1", port)))

    begun += [visit, visit]
    pages.use(entry(port))
    until(lambda: len(came) == 1)
    pages.use(entry(port, max_retries=7))
    until(lambda: len(came) == 2)
    for visitor in came:
        visitor.setblocking(False)
        with pytest.raises(BlockingIOError):
            visitor.recv(1)
        visitor.close()
    pages.end()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))

"""No page, answer of the API or metric holds a secret, on good days and bad ones; nor does what the dashboard logs."""

import re
import signal
import socket
from pathlib import Path

import httpx2

from plexsync.simulator.http import Fault
from plexsync.simulator.plex_server import PlexSim
from plexsync.web.action_pages import ACT
from plexsync.web.app import MODULES
from plexsync.web.charts import RANGES, SUBJECTS
from plexsync.web.preview_pages import AT as DRAWN
from tests.journey.world import until
from tests.patience import HANG
from tests.security.canaries import KEY, PASSWORD, TOKEN, canary_world, check_files, check_requests, leaks, start


def free_port() -> int:
    with socket.socket() as tried:
        tried.bind(("127.0.0.1", 0))
        return int(tried.getsockname()[1])


def paths() -> list[str]:
    """Everything that can be seen, of a scene that there is."""
    routes = [route for module in MODULES for route in module.routes if "GET" in (route.methods or ())]
    known = {"kind": "csv", "name": "thumb", "subject": next(iter(SUBJECTS)), "span": next(iter(RANGES))}

    def path(pattern: str) -> str:
        if pattern == ACT:
            return "/act/scenes/undo?all=1"
        return re.sub(r"\{([^}]*)\}", lambda found: known.get(found[1], "1"), pattern)

    # A picture of a draft is there only once a page has drawn the draft.
    paths = [route.path for route in routes if route.path != "/live" and not route.path.startswith(DRAWN)]
    return [path(pattern) for pattern in paths]


def check(answer: httpx2.Response) -> None:
    assert not leaks(answer.content), answer.url
    assert not leaks(repr(answer.headers).encode()), answer.url


def test_no_page_holds_a_secret(tmp_path: Path) -> None:
    said, port = tmp_path / "said", free_port()
    with canary_world(tmp_path, web_bind=f"127.0.0.1:{port}", collection_parts="name, summary") as world:
        process = start(world, "serve", said=said)
        try:
            until(lambda: f"dashboard: http://127.0.0.1:{port}" in said.read_text())
            with httpx2.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=HANG) as client:
                known = {"Authorization": f"Bearer {PASSWORD}"}
                until(lambda: client.get("/api/status", headers=known).json()["jobs"]["idle"] == 3)
                until(lambda: client.get("/api/collections/1", headers=known).status_code == 200)
                seen = [client.get(path, headers=known) for path in paths()]
                assert [f"{answer.url}" for answer in seen if answer.status_code >= 400] == []
                post = {**known, "Content-Type": "application/json"}
                seen.append(client.post("/api/preview", headers=post, content="{}"))
                seen.append(client.post("/api/sync", headers=post, content='{"scenes": [1]}'))
                # A secret that is given where none belongs does not come back.
                for secret in (TOKEN, KEY, PASSWORD):
                    seen.append(client.get("/api/scenes", params={"stands": secret}, headers=known))
                    seen.append(client.get("/api/outages", params={"days": secret}, headers=known))
                    seen.append(client.post("/api/sync", headers=post, json={secret: 1, "scenes": [1]}))
                    seen.append(client.get("/api/status", headers={"Authorization": f"Basic {secret}"}))
                for answer in seen:
                    check(answer)
                world.plex.faults.set(Fault("status", status=401))
                world.stash.edit_scene(1, title="edited")
                until(lambda: client.get("/api/status", headers=known).json()["holds"])
                for path in paths():
                    check(client.get(path, headers=known))
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=HANG) == 0
        check_requests(world.stash, world.plex)
    assert "dashboard" in said.read_text()
    assert check_files(tmp_path) > 3


def test_no_page_of_a_further_plex_server_holds_a_secret(tmp_path: Path) -> None:
    said, port, file = tmp_path / "said", free_port(), tmp_path / "plexsync.toml"
    known = {"Authorization": f"Bearer {PASSWORD}"}
    with PlexSim(token=TOKEN) as kids, canary_world(tmp_path, web_bind=f"127.0.0.1:{port}") as world:
        kids.add_section("Movies", locations=("/media/scenes",))
        file.write_text(f'[[plex]]\nname = "cinema"\n[[plex]]\nname = "kids"\nplex_url = "{kids.url}"\n')
        file.chmod(0o600)
        process = start(world, "--config", str(file), "serve", said=said)
        try:
            until(lambda: f"dashboard: http://127.0.0.1:{port}" in said.read_text())
            with httpx2.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=HANG) as client:
                until(lambda: client.get("/plex/kids/api/status", headers=known).status_code == 200)
                seen = [client.get(f"/plex/kids{path}", headers=known) for path in paths()]
                assert sum(answer.status_code == 200 for answer in seen) > 20
                for secret in (TOKEN, KEY, PASSWORD):
                    seen.append(client.get("/api/status", params={"plex": secret}, headers=known))
                for answer in seen:
                    check(answer)
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=HANG) == 0
        check_requests(world.stash, world.plex, kids)
    assert check_files(tmp_path) > 3

"""The provider as `plexsync serve` runs it: a process of its own, looked after, and only where it is wanted."""

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from plexsync.cli.daemon.dashboard_process import DashboardEntry
from plexsync.cli.daemon.shift import PlexAnswers
from plexsync.store.database import Database
from plexsync.store.files.provider_secrets import renew_path
from tests.app.provider_stage import library_of
from tests.journey.world import World, until
from tests.patience import HANG
from tests.provider.stage import Shelf
from tests.web.test_serving import children, free_port, serving
from validation.config import PlexSyncConfig
from validation.sources import Loaded


@pytest.fixture
def shelf(world: World) -> Iterator[Shelf]:
    """A library that asks, in the world's database."""
    store = Database(world.folder / "plexsync.db")
    made = Shelf(world.folder, store, {})
    # What is not synced is not answered.
    library = library_of(world)
    made.add_library(library)
    made.say(7, "/media/scenes/x.mp4", library=library)
    yield made
    store.close()


def secret_of(shelf: Shelf) -> str:
    """The secret of the address of its library."""
    (own,) = shelf.secrets.values()
    return own.path


def ask(port: int, secret: str, path: str = "") -> int:
    """The status of an answer; 0 if nobody listens."""
    try:
        return httpx2.get(f"http://127.0.0.1:{port}/{secret}{path}", trust_env=False, timeout=HANG).status_code
    except httpx2.HTTPError:
        return 0


def test_it_answers_with_serve_comes_back_when_it_dies_and_ends_with_it(world: World, shelf: Shelf) -> None:
    port, secret = free_port(), secret_of(shelf)
    world.settings["provider_listen"] = f"127.0.0.1:{port}"
    with serving(world, "--no-web") as process:
        until(lambda: ask(port, secret) == 200)
        until(lambda: f"provider: http://127.0.0.1:{port}/***" in world.log())
        (child,) = children(process.pid)
        told = Path(f"/proc/{child}/cmdline").read_bytes() + Path(f"/proc/{child}/environ").read_bytes()
        assert not [word for word in (b"plex-token", b"PLEXSYNC_", secret.encode()) if word in told]
        assert ask(port, "x" * 32) == 404
        os.kill(child, signal.SIGKILL)
        # Who asks meanwhile waits.
        assert ask(port, secret) == 200
        assert children(process.pid) not in ([], [child])
        assert "the provider ended (-9)" in world.log()
        assert secret not in world.log()
    assert ask(port, secret) == 0


def test_it_ends_with_a_serve_that_is_killed(world: World, shelf: Shelf) -> None:
    port, secret = free_port(), secret_of(shelf)
    world.settings["provider_listen"] = f"127.0.0.1:{port}"
    with serving(world, "--no-web") as process:
        until(lambda: ask(port, secret) == 200)
        process.kill()
        process.wait()
        until(lambda: ask(port, secret) == 0)


def test_it_runs_only_where_it_is_wanted(world: World, shelf: Shelf) -> None:
    world.add(1)
    with serving(world, "--no-web") as process:
        until(lambda: world.count("idle") == 1)
        assert children(process.pid) == []
    port = free_port()
    world.settings["provider_listen"] = f"127.0.0.1:{port}"
    with serving(world, "--as-needed") as process:
        until(lambda: "serving" in world.log())
        assert children(process.pid) == []
        assert ask(port, secret_of(shelf)) == 0


def test_other_settings_and_another_secret_are_taken_over(world: World, shelf: Shelf, tmp_path: Path) -> None:
    first, second, secret = free_port(), free_port(), secret_of(shelf)
    file = tmp_path / "plexsync.toml"
    file.write_text(f'provider_listen = "127.0.0.1:{first}"\n')
    file.chmod(0o600)
    process = world.start("--config", str(file), "serve", "--no-web")
    try:
        until(lambda: ask(first, secret) == 200)
        file.write_text(f'provider_listen = "127.0.0.1:{second}"\n')
        until(lambda: ask(second, secret) == 200 and ask(first, secret) == 0)
        renewed = renew_path(world.folder, next(iter(shelf.secrets))).path
        assert (ask(second, renewed), ask(second, secret)) == (200, 404)
        file.write_text("")
        until(lambda: ask(second, renewed) == 0 and children(process.pid) == [])
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=HANG) == 0


def test_a_place_that_is_taken_is_told_once_and_the_work_goes_on(world: World) -> None:
    world.add(2)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        world.settings["provider_listen"] = f"127.0.0.1:{other.getsockname()[1]}"
        with serving(world, "--no-web"):
            until(lambda: "can't listen at" in world.log() and world.count("idle") == 2)
            assert len([line for line in world.log().splitlines() if "can't listen at" in line]) == 1


def test_what_was_asked_is_noted_and_the_first_question_at_once_after_the_greeting(world: World, shelf: Shelf) -> None:
    port, secret = free_port(), secret_of(shelf)
    world.settings["provider_listen"] = f"127.0.0.1:{port}"
    with serving(world, "--no-web"):
        until(lambda: ask(port, secret) == 200)
        assert ask(port, secret, "/library/metadata/nobody") == 404

        def noted() -> bool:
            with shelf.store.reading() as db:
                row = db.providers.of(next(iter(shelf.secrets)))
            return (
                row is not None
                and row.called_at > 0
                and row.calls.get("other_answers") == row.calls.get("refused_key") == 1
            )

        until(noted)


def test_it_ends_while_another_process_works_and_is_there_again_afterwards(world: World, shelf: Shelf) -> None:
    port, secret = free_port(), secret_of(shelf)
    config = PlexSyncConfig(plex_url="http://127.0.0.1:9", plex_token="x", provider_listen=f"127.0.0.1:{port}")
    servers = DashboardEntry(Loaded(config, {}), world.folder)
    with PlexAnswers() as answers:
        for _ in range(2):
            answers.use(servers)
            until(lambda: ask(port, secret) == 200)
            answers.use()
            until(lambda: ask(port, secret) == 0)
    with PlexAnswers(off=True) as answers:
        answers.use(servers)
        assert ask(port, secret) == 0

"""The page of the libraries that ask PlexSync, and the buttons by which the worker lets one ask or takes it back."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from plexsync.app.provider_steps.steps import PendingSteps
from plexsync.store.files.lock import try_lock
from plexsync.store.files.provider_secrets import read_secrets
from tests.app.provider_stage import PREFIX, asking_world, parts_of, whole
from tests.journey.world import World
from tests.web.conftest import Dash, dashboard
from tests.web.test_probe_pages import plain

PAGE = "/settings/provider"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with asking_world(tmp_path / "data") as world:
        world.add(1)
        yield world


@pytest.fixture
def dash(world: World) -> Iterator[Dash]:
    with dashboard(world) as made:
        yield made


def work(world: World) -> None:
    """The worker looks twice whether something was left to do."""
    with parts_of(world) as parts:
        pending = PendingSteps(parts)
        for _ in range(2):
            pending.look()
    world.plex.wait_for_asks()


def test_a_library_is_let_ask_and_taken_back_by_buttons(dash: Dash, world: World) -> None:
    before = whole(world)
    assert f'href="{PAGE}"' in dash.get("/settings").text
    assert "Movies Let Plex ask PlexSync" in plain(dash.get(PAGE).text)
    plan = plain(dash.get(f"{PAGE}/add?library=Movies").text)
    assert "in place of tv.plex.agents.movie" in plan
    assert f"Plex must reach http://{world.settings['provider_listen']}/***" in plan

    assert "No worker is running" in plain(dash.post(f"{PAGE}/add", library="Movies").text)
    lock = try_lock(world.folder)
    assert lock is not None
    with lock:
        assert "The worker lets Plex ask PlexSync." in plain(dash.post(f"{PAGE}/add", library="Movies").text)
        work(world)
        assert whole(world)["agent"][0].startswith(PREFIX)
        page = dash.get(PAGE).text
        assert "Plex asks PlexSync" in plain(page)
        assert "in place of" not in plain(dash.get(f"{PAGE}/add?library=Movies").text)
        assert "its agent tv.plex.agents.movie back" in plain(dash.get(f"{PAGE}/remove?library=Movies").text)
        (own,) = read_secrets(world.folder).values()
        assert own.path not in page

        assert "The worker takes the library back." in plain(dash.post(f"{PAGE}/remove", library="Movies").text)
        assert "removing it is not finished" in plain(dash.get(PAGE).text)
        work(world)
    assert whole(world) == before


def test_the_page_of_where_plex_asks_says_what_follows_from_a_change(dash: Dash, world: World) -> None:
    for name in ("provider_listen", "provider_url"):
        shown = plain(dash.get(f"/settings/change?name={name}").text)
        assert "starts what answers Plex anew" in shown
        assert "registers" not in shown, "no library asks"
    dash.post(f"{PAGE}/add", library="Movies")
    lock = try_lock(world.folder)
    assert lock is not None
    with lock:
        dash.post(f"{PAGE}/add", library="Movies")
        work(world)
    assert "registers the new address in Plex, for Movies" in plain(
        dash.get("/settings/change?name=provider_listen").text
    )
    assert "starts what answers" not in dash.get("/settings/change?name=max_retries").text


def test_what_can_t_be_done_is_told_and_changes_nothing(dash: Dash, world: World) -> None:
    assert "That can't be done: none of the movie libraries" in plain(dash.get(f"{PAGE}/add?library=Shows").text)
    assert "That can't be done: none of the libraries" in plain(dash.get(f"{PAGE}/remove?library=Shows").text)
    lock = try_lock(world.folder)
    assert lock is not None
    with lock:
        world.plex.version = "1.42.2.10156-f737b826c"
        assert "that needs 1.43.0 or newer" in plain(dash.post(f"{PAGE}/add", library="Movies").text)
        assert "That can't be done: none" in plain(dash.post(f"{PAGE}/remove", library="Movies").text)
    with dash.parts.store.reading() as db:
        assert db.providers.all() == []


def test_a_library_that_is_to_ask_and_does_not_is_on_the_overview(dash: Dash, world: World) -> None:
    lock = try_lock(world.folder)
    assert lock is not None
    with lock:
        dash.post(f"{PAGE}/add", library="Movies")
        assert "Plex does not ask PlexSync in Movies" in plain(dash.get("/").text)

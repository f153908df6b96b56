"""The browser's door: a real server on a real database, simulated neighbours behind it, and Debian's chromium before it."""

import os
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest
from playwright.sync_api import Browser, Page

from plexsync.app.parts import Parts, open_parts
from plexsync.simulator.plex_server import PlexSim
from plexsync.simulator.stash_server import StashSim
from plexsync.store.files.installation import browser_key
from plexsync.web.__main__ import doors
from plexsync.web.app import DashboardRules, build
from plexsync.web.context import Desk, Origins
from plexsync.web.entry_desks import EntryDesk, EntryDesks
from plexsync.web.sessions import COOKIE
from tests.journey.world import KEY, TOKEN, World
from tests.patience import HANG
from tests.served import Served, served
from tests.web.stage import config_of
from validation.config import PlexSyncConfig

SHOTS = os.environ.get("SHOTS", "")
TOKEN_FIELD = re.compile(r'name="token" value="([0-9a-f]{64})"')


@dataclass
class Dash(Served):
    """A running dashboard, as a browser without script sees it: it keeps cookies and follows where it is sent."""

    world: World
    entries: EntryDesks

    @property
    def parts(self) -> Parts:
        """The parts of the first Plex server."""
        return self.entries.first.desk.parts

    def pass_time(self, seconds: float) -> None:
        """Every time limit of the server comes nearer by this, and those that are over act."""
        clock, done = self.loop.time, threading.Event()

        def moved() -> None:
            self.loop.time = lambda: clock() + seconds  # type: ignore[method-assign]
            # By then all that is due has had its turn.
            self.loop.call_later(0, done.set)

        self.loop.call_soon_threadsafe(moved)
        assert done.wait(HANG)

    def get(self, path: str, **headers: str) -> httpx2.Response:
        """A page."""
        return self.client.get(path, headers=headers)

    def token(self) -> str:
        """What a form of this browser carries."""
        found = TOKEN_FIELD.search(self.get("/reconcile").text)
        assert found, "the page of reconcile has a form"
        return found[1]

    @property
    def session(self) -> str:
        """The cookie that this browser keeps."""
        return self.client.cookies[f"{COOKIE}_{urlsplit(self.url).port}"]

    def post(self, path: str, **fields: str) -> httpx2.Response:
        """Press a button: the form is ours, and what is shown then is the answer."""
        return self.client.post(path, data={"token": self.token(), **fields})


@contextmanager
def desk_of(config: PlexSyncConfig, folder: Path, origins: Origins) -> Iterator[Desk]:
    """The desk on the database in this folder."""
    with open_parts(config, folder) as parts, closing(Desk(parts, origins)) as desk:
        yield desk


@contextmanager
def dashboard(
    world: World,
    *,
    name: str = "",
    further: Mapping[str, World] | None = None,
    switch: Path | None = None,
    origins: Mapping[str, str] | None = None,
    **settings: object,
) -> Iterator[Dash]:
    """The dashboard of a world, and of `further` ones by their names, in a thread of this process; no worker runs."""
    by_name = {**dict.fromkeys(PlexSyncConfig.model_fields, "default"), **(origins or {})}
    servers = (name, *further) if further else ()
    desks = []
    for entry, of in {name: world, **(further or {})}.items():
        config = config_of(of, **{"web_bind": "127.0.0.1:9797"} | settings)
        known = Origins(by_name, world.folder.parent / "plexsync.toml", plex=entry, servers=servers)
        desks.append(EntryDesk(entry, partial(desk_of, config, of.folder, known)))
    with closing(EntryDesks(desks)) as entries:
        entries.open()
        rules = DashboardRules(doors(config), config.web_password, browser_key=browser_key(world.folder), switch=switch)
        app = build(entries, rules)
        with served(app, end=app.end) as at:
            at.client.follow_redirects = True
            yield Dash(**vars(at), world=world, entries=entries)


@pytest.fixture
def dash(world: World) -> Iterator[Dash]:
    with dashboard(world) as made:
        yield made


@pytest.fixture(scope="session")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dash]:
    """One for all tests that leave no trace in it."""
    folder = tmp_path_factory.mktemp("calm") / "data"
    folder.mkdir(mode=0o700)
    with StashSim(api_key=KEY) as stash, PlexSim(token=TOKEN) as plex, dashboard(World(stash, plex, folder)) as made:
        yield made


# --- chromium --------------------------------------------------------------------------------------------------------


@dataclass
class Seen:
    """A page in the browser, and what it complained of."""

    page: Page
    complaints: list[str] = field(default_factory=list)

    def shoot(self, name: str) -> None:
        """A picture, if somebody wants to look (SHOTS names a folder)."""
        if SHOTS:
            self.page.screenshot(path=f"{SHOTS}/{name}.png", full_page=True)


Look = Callable[..., Seen]


@pytest.fixture
def look(chromium: Browser) -> Iterator[Look]:
    """Open a browser window of this size and scheme; at the end it must not have complained of anything."""
    windows: list[Seen] = []

    def open_window(*, width: int = 1280, height: int = 900, dark: bool = False, script: bool = True) -> Seen:
        context = chromium.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
            java_script_enabled=script,
        )
        seen = Seen(context.new_page())
        seen.page.set_default_timeout(1000 * HANG)
        seen.page.on("console", lambda said: seen.complaints.append(said.text) if said.type == "error" else None)
        seen.page.on("pageerror", lambda error: seen.complaints.append(str(error)))
        windows.append(seen)
        return seen

    yield open_window
    complaints = [line for seen in windows for line in seen.complaints]
    for seen in windows:
        seen.page.context.close()
    assert complaints == []

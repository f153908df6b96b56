"""The page that sets PlexSync up, in the dashboard of a real `plexsync serve`; Stash, Plex and plex.tv are simulated."""

import html
import os
import re
import socket
import stat
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx2
import pytest
from axe_playwright_python.sync_playwright import Axe

from plexsync.simulator.drawings import WIDE, drawn
from plexsync.simulator.http import Fault
from plexsync.simulator.plex_tv import Connection, PlexTvSim, Resource
from plexsync.store.files import setup_files
from plexsync.web.sessions import TRIES
from plexsync.web.start_pages import LASTS, CodeSessions
from tests.engine.clocks import Clock
from tests.journey.world import KEY, TOKEN, World
from tests.patience import HANG, until
from tests.web.conftest import Look

ROOT = Path(__file__).resolve().parents[2]
# Where each process of PlexSync finds plex.tv. A busy machine is no server that does not answer.
ELSEWHERE = """
from plexapi.myplex import MyPlexAccount, MyPlexPinLogin, MyPlexResource
from plexsync.app import set_up
set_up.GUESSING = 30.0
for owner, name in ((MyPlexPinLogin, "PINS"), (MyPlexAccount, "key"), (MyPlexResource, "key")):
    setattr(owner, name, getattr(owner, name).replace("https://plex.tv", {url!r}))
"""
CODE = re.compile(r"the code for /start is ([A-Z0-9]{4}-[A-Z0-9]{4}), for 15 minutes")
PASSWORD = "four or five words"


@dataclass
class Browser:
    """A browser without script, at a `plexsync serve` that nobody has set up."""

    client: httpx2.Client
    process: "subprocess.Popen[bytes]"
    log: Path
    home: Path
    pages: list[str] = field(default_factory=list)

    @property
    def said(self) -> str:
        return self.log.read_text(encoding="utf-8")

    @property
    def file(self) -> Path:
        beside = self.home / "plexsync.toml"
        return beside if beside.exists() else self.home / ".config" / "plexsync" / "plexsync.toml"

    def tab(self) -> "Browser":
        """Another tab of the same browser."""
        return replace(self, pages=[])

    def get(self, path: str = "/start") -> str:
        """A page, after the browser has followed where it is sent."""
        response = self.client.get(path)
        assert response.status_code == 200, response.text
        self.pages.append(f"{response.url} {response.text}")
        return response.text

    def press(self, path: str = "/start", **fields: Any) -> str:
        """A button of the page that was shown last."""
        (token,) = set(re.findall(r'name="token" value="([0-9a-f]+)"', self.pages[-1]))
        hidden = dict(re.findall(r'name="(shown)" value="([^"]*)"', self.pages[-1]))
        response = self.client.post(path, data={"token": token, **hidden, **fields})
        self.pages.append(f"{response.url} {response.text}")
        return response.text

    def comes(self, words: str) -> str:
        """Look until the page says this, or waits for nothing any more."""
        until(lambda: words in self.get() or ("…" not in self.pages[-1] and "looks by itself" not in self.pages[-1]))
        assert words in self.pages[-1], re.sub(r"<[^>]+>|\s+", " ", self.pages[-1])
        return self.pages[-1]

    def opens(self) -> str:
        """Wait for the whole dashboard. As any browser does, try again if the process that answered ends meanwhile."""

        def is_there() -> bool:
            with suppress(httpx2.TransportError):
                return "Overview" in self.get("/")
            return False

        until(is_there)
        return self.pages[-1]

    def code(self) -> str:
        """The code that was printed last."""
        until(lambda: CODE.search(self.said) is not None)
        return CODE.findall(self.said)[-1]


@pytest.fixture
def tv(world: World) -> Iterator[PlexTvSim]:
    with PlexTvSim() as made:
        made.servers = [Resource("NAS", TOKEN, (Connection(world.plex.url, "127.0.0.1", world.plex.port),))]
        yield made


@contextmanager
def browsing(
    tmp_path: Path, tv: PlexTvSim, host: str = "127.0.0.1", *, in_data: bool = False, password: str = "", **more: str
) -> Iterator[Browser]:
    """A `plexsync serve` with nothing set but where its dashboard listens.

    `in_data`: it runs in its folder for data, and may write nowhere else, as in a container.
    """
    home, site, log = tmp_path / "home", tmp_path / "site", tmp_path / "serve.log"
    home.mkdir(exist_ok=True)
    site.mkdir(exist_ok=True)
    (site / "sitecustomize.py").write_text(ELSEWHERE.format(url=tv.url))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environ = {"PATH": os.environ["PATH"], "HOME": str(home), "PYTHONPATH": os.pathsep.join((str(site), str(ROOT)))}
    bind = {"PLEXSYNC_WEB_BIND": f"{host}:{port}", **more}
    if password:
        bind |= {"PLEXSYNC_WEB_PASSWORD": password}
    if in_data:
        bind |= {"PLEXSYNC_DATA_DIR": str(home), "HOME": "/nowhere"}
    with log.open("wb") as out:
        words = [sys.executable, "-m", "plexsync", "serve"]
        process = subprocess.Popen(words, cwd=home, env={**environ, **bind}, stdout=out, stderr=out)
    url = f"http://127.0.0.1:{port}"
    with httpx2.Client(base_url=url, follow_redirects=True, trust_env=False, timeout=HANG) as client:
        browser = Browser(client, process, log, home)
        try:
            until(lambda: f"{port}/start" in browser.said)
            yield browser
        finally:
            process.terminate()
            process.wait(HANG)


def library(world: World, count: int) -> None:
    """Scenes whose files Plex sees under another folder."""
    for n in range(count):
        world.plex.add_movie(world.section, files=[(f"/media/scenes/{n}.mp4", 10 + n, 9_000)], title=f"file {n}")
        world.stash.add_scene(title=f"Title {n}", files=[(f"/data/scenes/{n}.mp4", 10 + n, 9.0)])


def titles(world: World) -> list[str]:
    return [world.plex.item(key).scalars["title"] for key in world.plex.keys(world.section)]


def signed_in(browser: Browser, tv: PlexTvSim) -> None:
    browser.get("/")
    page = browser.press(step="sign-in")
    tv.confirm(re.search(r'class="pin"><strong>(\w+)<', page)[1])
    browser.comes("Address of Stash")


def chosen(browser: Browser, tv: PlexTvSim, world: World) -> None:
    """All is known; the preview is shown."""
    signed_in(browser, tv)
    assert "asks for its API key" in browser.press(step="stash", address=world.stash.url)
    browser.press(step="stash", address=world.stash.url, key=KEY)
    page = browser.comes("With the rules below")
    browser.press(step="paths", rules=html.unescape(re.search(r"<textarea[^>]*>(.*?)</textarea>", page, re.S)[1]))
    browser.comes("Approve, and sync")


def test_from_nothing_to_a_library_in_sync_in_a_browser_without_script(tmp_path: Path, world: World, tv) -> None:
    library(world, 3)
    with browsing(tmp_path, tv) as browser:
        chosen(browser, tv, world)
        page = browser.pages[-1]
        assert "file 0" in page
        assert "Title 0" in page
        for picture in re.findall(r'src="(/pictures/[^"]+)"', page):
            assert browser.client.get(picture).headers["content-type"].startswith("image/")
        assert world.plex.count("PUT") == 0, "a preview changes nothing"
        assert not browser.file.exists()
        assert "PlexSync is set up" in browser.press(step="finish", whole="yes")
        browser.opens()
        until(lambda: titles(world) == ["Title 0", "Title 1", "Title 2"])
        assert "Overview" in browser.get("/start"), "what is set up has the whole dashboard"
        seen = "".join(browser.pages)
        for secret in (TOKEN, KEY, tv.token):
            assert secret not in seen
            assert secret not in browser.said
    assert tomllib.loads(browser.file.read_text()) == {
        "plex_url": world.plex.url,
        "plex_token": TOKEN,
        "stash_url": world.stash.url,
        "stash_api_key": KEY,
        "path_map": ["/data => /media"],
    }
    assert stat.S_IMODE(browser.file.stat().st_mode) == 0o600


def test_where_others_reach_it_a_code_is_asked_for_and_at_the_end_a_password(tmp_path: Path, world: World, tv) -> None:
    with browsing(tmp_path, tv, "0.0.0.0") as browser:
        assert "Code" in browser.get()
        assert browser.client.get("/start").url.path == "/login"
        assert browser.client.post("/start", data={"step": "sign-in"}).url.path == "/login"
        first = browser.code()
        for _ in range(TRIES):
            assert "This is not the code" in browser.press("/login", password="AAAA-AAAA")
        assert "Too many wrong codes" in browser.press("/login", password=first)
        assert "still counts" in browser.press("/login", new="yes")
        assert len(CODE.findall(browser.said)) == 1
    assert not tv.pins


@pytest.mark.skipif(sys.platform == "darwin", reason="the system has one loopback address alone")
def test_a_stranger_who_guesses_codes_does_not_keep_the_owner_out(tmp_path: Path, world: World, tv) -> None:
    with browsing(tmp_path, tv, "0.0.0.0") as browser:
        elsewhere = httpx2.HTTPTransport(local_address="127.0.0.2")
        with httpx2.Client(base_url=browser.client.base_url, transport=elsewhere, follow_redirects=True) as client:
            stranger = replace(browser, client=client, pages=[])
            stranger.get()
            for _ in range(8 * TRIES):
                stranger.press("/login", password="AAAA-AAAA")
            assert "Too many wrong codes" in stranger.pages[-1]
        browser.get()
        assert "Sign in to Plex" in browser.press("/login", password=browser.code())


def test_an_older_tab_shows_the_present_step_and_says_so(tmp_path: Path, world: World, tv) -> None:
    library(world, 2)
    with browsing(tmp_path, tv) as browser:
        chosen(browser, tv, world)
        older = browser.tab()
        older.get()
        browser.press(step="sign-in")
        for late in ({"step": "paths", "rules": ""}, {"step": "stage", "stage": "paths"}, {"step": "finish"}):
            page = older.press(**late)
            assert "out of date" in page
            assert 'class="pin"' in page, "the present step"
            assert older.get("/start")
        assert "out of date" in older.press(step="server", server="0 NAS")
        assert not browser.file.exists()
        browser.press(step="token", address=world.plex.url, key=TOKEN)
        assert "asks for its API key" in browser.press(step="stash", address=world.stash.url)
        browser.press(step="stash", address=world.stash.url, key=KEY)
        browser.comes("Use these rules")
        browser.press(step="paths", rules="/data => /media")
        browser.comes("Approve, and sync")
        assert "out of date" in older.press(step="finish", whole="yes", shown="0"), "it has shown another preview"
        assert "PlexSync is set up" in browser.press(step="finish", whole="yes")
        assert "PlexSync is set up" in older.press(step="stage", stage="libraries") or older.opens()


def test_a_set_up_that_lacks_what_its_step_shows_begins_anew(tmp_path: Path, tv) -> None:
    folder = tmp_path / "home" / ".config" / "plexsync" / "plexsync-start"
    folder.mkdir(parents=True)
    setup_files.write(str(folder), setup_files.NOTES, {"public": {"stage": "paths", "pin": None, "plex": None}})
    with browsing(tmp_path, tv) as browser:
        assert "Sign in to Plex" in browser.get()


def test_a_fault_of_the_page_is_logged(tmp_path: Path, tv) -> None:
    folder = tmp_path / "home" / ".config" / "plexsync" / "plexsync-start"
    folder.mkdir(parents=True)
    setup_files.write(str(folder), setup_files.NOTES, {"public": {"stage": "sign-in"}})
    with browsing(tmp_path, tv) as browser:
        response = browser.client.get("/start")
        assert response.status_code == 500
        (number,) = re.findall(r"under ([0-9a-f]{8})", response.text)
        until(lambda: f"a fault of PlexSync ({number}): /start" in browser.said)


def test_the_code_opens_the_set_up_and_the_password_that_was_chosen_the_dashboard(
    tmp_path: Path, world: World, tv
) -> None:
    library(world, 2)
    with browsing(tmp_path, tv, "0.0.0.0", in_data=True) as browser:
        browser.get()
        assert "Sign in to Plex" in browser.press("/login", password=browser.code().lower())
        chosen(browser, tv, world)
        assert "Choose a password: it is missing" in browser.press(step="finish", whole="no", password="")
        assert "Choose a password: it must have at least 15" in browser.press(
            step="finish", whole="yes", password="short"
        )
        browser.press(step="finish", whole="no", password=PASSWORD)
        browser.opens()
        assert not browser.client.get("/api/status").json()["bulk_approved"]
        browser.client.cookies.clear()
        assert "web_password" in browser.get("/")
        assert PASSWORD not in browser.said
    left = {path.name for path in browser.home.iterdir()}
    assert {"plexsync.toml", "plexsync.db"} <= left
    assert not [name for name in left if name.startswith("plexsync-start")], "the draft is gone"
    assert tomllib.loads(browser.file.read_text())["web_password"] == PASSWORD


def test_a_password_that_is_set_is_asked_for_in_the_place_of_a_code(tmp_path: Path, tv) -> None:
    with browsing(tmp_path, tv, "0.0.0.0", password=PASSWORD) as browser:
        assert "web_password" in browser.get()
        for _ in range(TRIES):
            assert "This is not the password" in browser.press("/login", password="another one of them")
        assert "Too many wrong passwords" in browser.press("/login", password=PASSWORD)
        assert not CODE.search(browser.said)
        browser.client.cookies.clear()
        assert browser.client.get("/start", headers={"Authorization": f"Bearer {PASSWORD}"}).status_code == 429


def test_a_long_password_opens_the_set_up(tmp_path: Path, tv) -> None:
    password = ("a long sentence " * 10).strip()
    with browsing(tmp_path, tv, password=password) as browser:
        browser.get()
        assert "Sign in to Plex" in browser.press("/login", password=password)


def test_the_page_has_the_guard_of_all_pages(tmp_path: Path, tv) -> None:
    with browsing(tmp_path, tv) as browser:
        page = browser.client.get("/start")
        assert "default-src 'none'" in page.headers["content-security-policy"]
        assert browser.client.get("/start", headers={"Host": "evil.example"}).status_code == 421
        assert browser.client.post("/start", data={"step": "sign-in"}).status_code == 403
        assert browser.client.get("/health").status_code == 503
        assert browser.client.get("/health/live").status_code == 200
        browser.get()
        assert "looks like a token" in browser.press(step="server", address=LIKE_A_TOKEN)
        assert "out of date" in browser.press(step="libraries")
    assert LIKE_A_TOKEN not in browser.said
    assert not tv.pins


LIKE_A_TOKEN = "xBc7-9qRstUvWxYz0123"


@pytest.mark.long
def test_servers_and_libraries_are_asked_for_where_there_are_several_and_each_step_leads_back(
    tmp_path: Path, world: World, tv
) -> None:
    world.plex.add_section("Shorts", locations=("/media/shorts",))
    library(world, 2)
    tv.servers.append(Resource("Attic", "another-token-01", (Connection("http://127.0.0.1:9", "127.0.0.1", 9),)))
    with browsing(tmp_path, tv) as browser:
        browser.get()
        tv.confirm(re.search(r'class="pin"><strong>(\w+)<', browser.press(step="sign-in"))[1])
        browser.comes("Which one shows the videos")
        assert "does not answer at any address" in browser.press(step="server", server="1 Attic")
        assert "Shorts" in browser.press(step="server", server="0 NAS")
        assert "choose at least one" in browser.press(step="libraries")
        assert "Address of Stash" in browser.press(step="libraries", pick=["Shorts"])
        browser.press(step="stash", address=world.stash.url, key="a-wrong-key-0123")
        assert "does not accept" in browser.pages[-1]
        browser.press(step="stash", address=world.stash.url, key=KEY)
        browser.comes("No file is found by its full path")
        assert "Which movie libraries" in browser.press(step="stage", stage="libraries")
        browser.press(step="libraries", pick=["Movies", "Shorts"])
        browser.press(step="stash", address=world.stash.url, key=KEY)
        browser.comes("With the rules below")
        assert "must have the form" in browser.press(step="paths", rules="data, media")
        browser.press(step="paths", rules="/data => /media")
        browser.comes("Approve, and sync all 2 scenes")
    assert not browser.file.exists()
    assert world.plex.count("PUT") == 0


def test_a_set_up_goes_on_where_it_was_when_serve_is_started_again_and_shows_five_scenes_before_all_are_compared(
    tmp_path: Path, world: World, tv
) -> None:
    library(world, 60)
    with browsing(tmp_path, tv) as browser:
        browser.get()
        browser.press(step="token", address=world.plex.url, key=TOKEN)
        browser.press(step="stash", address=world.stash.url, key=KEY)
        browser.comes("With the rules below")
        secrets = [path for path in browser.home.rglob("*") if path.is_file() and TOKEN in path.read_text("latin-1")]
        assert [path.name for path in secrets] == ["plexsync.toml"]
        assert stat.S_IMODE(secrets[0].stat().st_mode) == 0o600
        assert stat.S_IMODE(secrets[0].parent.stat().st_mode) == 0o700
    assert not browser.file.exists()
    with browsing(tmp_path, tv) as browser:
        browser.get()
        assert "library <bdi>Movies</bdi>" in browser.comes("With the rules below")
        last = world.plex.keys(world.section)[-1]
        world.plex.faults.set(Fault("hang", when=lambda request: last in re.split("[/,]", request.path)))
        browser.press(step="paths", rules="/data => /media")
        page = browser.comes("Approve, and sync the whole library")
        assert "file 0" in page
        assert "Title 4" in page
        world.plex.faults.clear()
        assert "PlexSync is set up" in browser.press(step="finish", whole="yes")
        browser.opens()
        assert not secrets[0].exists(), "the draft is gone"


def test_while_stash_is_away_it_is_said_that_the_settings_may_be_there(tmp_path: Path, world: World, tv) -> None:
    with browsing(tmp_path, tv) as browser:
        page = browser.get()
        assert page.index("Sign in with the account") < page.index("Is PlexSync set up inside Stash already?")
    assert not list(browser.home.rglob("plexsync-start")), "nothing was begun"
    with browsing(tmp_path, tv, PLEXSYNC_STASH_URL="http://127.0.0.1:9", PLEXSYNC_PLEX_URL=world.plex.url) as browser:
        page = browser.get()
        assert "Waiting for Stash" in page
        assert "<form" not in page, "there is nothing to press"
    assert not tv.pins


def test_where_stash_alone_is_known_the_set_up_is_offered_and_takes_it_from_there(
    tmp_path: Path, world: World, tv
) -> None:
    library(world, 2)
    known = {"PLEXSYNC_STASH_URL": world.stash.url, "PLEXSYNC_STASH_API_KEY": KEY}
    with browsing(tmp_path, tv, **known) as browser:
        signed_in(browser, tv)
        assert f'value="{world.stash.url}"' in browser.pages[-1]
        browser.press(step="stash", address=world.stash.url, key="")
        browser.comes("With the rules below")
        browser.press(step="paths", rules="/data => /media")
        browser.comes("Approve, and sync")
        (picture, *_) = re.findall(r'src="(/pictures/items[^"]+)"', browser.pages[-1])
        assert browser.client.get(picture).status_code == 200
        browser.press(step="finish", whole="no")
        browser.opens()
    assert not {"stash_url", "stash_api_key"} & tomllib.loads(browser.file.read_text()).keys()
    assert not list(browser.home.rglob("plexsync-start")), "the draft is gone"


def test_after_a_sign_in_that_failed_address_and_token_can_be_typed_and_it_is_said_where_a_token_is(
    tmp_path: Path, tv
) -> None:
    with browsing(tmp_path, tv) as browser:
        assert "<details>" in browser.get()
        tv.servers = []
        tv.confirm(re.search(r'class="pin"><strong>(\w+)<', browser.press(step="sign-in"))[1])
        page = browser.comes("owns no Plex server")
        assert "<details open>" in page
        assert "View XML" in page
        tv.stop()
        assert "<details open>" in browser.press(step="sign-in")


def test_axe_finds_nothing_and_nothing_is_wider_than_its_screen(tmp_path: Path, world: World, tv, look: Look) -> None:
    library(world, 2)
    world.stash.set_cover(1, drawn("one", WIDE))
    with browsing(tmp_path, tv) as browser:

        def looks_well() -> None:
            seen = look()
            seen.page.goto(str(browser.client.base_url.join("/start")))
            for dark, width in ((True, 390), (False, 820), (False, 1440)):
                seen.page.emulate_media(color_scheme="dark" if dark else "light")
                seen.page.set_viewport_size({"width": width, "height": 900})
                assert seen.page.evaluate("document.documentElement.scrollWidth") <= width
                assert not Axe().run(seen.page, options={"resultTypes": ["violations"]}).response["violations"]
            seen.page.close()

        looks_well()
        signed_in(browser, tv)
        looks_well()
        browser.press(step="stash", address=world.stash.url, key=KEY)
        browser.comes("With the rules below")
        looks_well()
        browser.press(step="paths", rules="/data => /media")
        browser.comes("Approve, and sync")
        looks_well()


def test_the_preview_is_seen_at_a_glance(tmp_path: Path, world: World, tv, look: Look) -> None:
    library(world, 6)
    for n in range(6):
        world.stash.edit_scene(
            n + 1,
            details="A sentence of a long summary. " * 20,
            date="2024-05-06",
            studio="A studio",
            performers=[f"Person {n}" for n in range(4)],
            tags=[f"Tag {n}" for n in range(6)],
            rating100=80,
        )
        world.stash.set_cover(n + 1, drawn(f"{n}", WIDE))
    with browsing(tmp_path, tv) as browser:
        chosen(browser, tv, world)
        assert browser.pages[-1].count('loading="lazy"') == browser.pages[-1].count('class="picture"') == 10
        seen = look(width=1440)
        seen.page.goto(str(browser.client.base_url.join("/start")))
        assert seen.page.evaluate("document.documentElement.scrollHeight") <= 1600
        boxes = [one.bounding_box() for one in seen.page.locator(".glance").all()]
        assert len(boxes) == 5
        assert len({round(box["x"]) for box in boxes}) == 2, "two columns"
        seen.page.set_viewport_size({"width": 390, "height": 900})
        assert seen.page.evaluate("document.documentElement.scrollWidth") <= 390
        assert not Axe().run(seen.page, options={"resultTypes": ["violations"]}).response["violations"]


def test_a_token_can_be_typed_where_nobody_signs_in(tmp_path: Path, world: World, tv) -> None:
    with browsing(tmp_path, tv) as browser:
        browser.get()
        assert "does not accept" in browser.press(step="token", address=world.plex.url, key="a-wrong-token-0123")
        assert "library <bdi>Movies</bdi>" in browser.press(step="token", address=world.plex.url, key=TOKEN)
        assert TOKEN not in "".join(browser.pages)
    assert not tv.pins


def test_a_code_lasts_a_quarter_of_an_hour_and_the_next_is_not_printed_at_once(caplog) -> None:
    clock = Clock()
    sessions = CodeSessions(b"k" * 32, clock)
    assert sessions.print_code()
    assert not sessions.print_code()
    (code,) = CODE.findall(caplog.text)
    assert sessions.is_password(code)
    clock.move(LASTS)
    assert sessions.is_over
    assert not sessions.is_password(code)
    assert sessions.print_code()
    for _ in range(8 * TRIES):
        assert not sessions.is_password("WRONG-ONE")
    assert not sessions.print_code(), "wrong ones end no code"

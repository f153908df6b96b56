"""Stash with the plugin in it, beside a Plex: everything a real process, the program on the packages of this environment."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from plexsync.simulator.plex_server import PlexSim
from plexsync.simulator.plex_tv import Connection, PlexTvSim, Resource
from plexsync.simulator.stash_server import StashSim
from plexsync.stash_plugin import dependencies, launcher
from plexsync.store import intake
from plexsync.store.files.lock import is_locked
from release.check import TOKEN, Trial
from tests import forked
from tests.patience import HANG, until

ROOT = Path(__file__).resolve().parents[2]
KEY = "stash-key-of-the-plugin"


def in_a_terminal(where: Path, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run the plugin as a command, as people do for what has no button."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PLEXSYNC_")}
    return subprocess.run(
        [sys.executable, str(where / "plexsync" / "stash_plugin"), *words],
        cwd=where.parent,
        env={**kept, **environ},
        capture_output=True,
        text=True,
        timeout=HANG,
        check=False,
    )


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[Trial]:
    """As it is right after the plugin was installed: without its packages."""
    with StashSim(api_key=KEY) as stash, PlexSim(token=TOKEN) as plex:
        made = Trial(ROOT, tmp_path / "stash", stash, plex)
        # The program is that of the repository; what it writes into the folder of the plugin stays with the test.
        made.runner.command = tuple(word.replace("{pluginDir}", str(ROOT)) for word in made.runner.command)
        made.runner.plugin_dir = str(tmp_path / "plugin")
        (tmp_path / "plugin").mkdir()
        (tmp_path / "plugin" / "plexsync").symlink_to(ROOT / "plexsync")
        yield made
        intake.switch(str(made.folder), intake.OFF)
        # No worker is left behind.
        until(lambda: not is_locked(made.folder))


@pytest.fixture
def inside(bare: Trial, tmp_path_factory: pytest.TempPathFactory) -> Trial:
    """With its packages: those of this environment, so its private folder holds none. Compiled files are shared."""
    base = tmp_path_factory.getbasetemp()
    # By all processes of a run: the folder of each is in one of them all.
    compiled = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "compiled"
    compiled.mkdir(exist_ok=True)
    place = Path(dependencies.place(str(bare.folder)))
    place.mkdir(parents=True)
    (place / launcher.CACHE).symlink_to(compiled)
    return bare


def online() -> bool:
    """Whether the package index answers."""
    command = [sys.executable, "-m", "pip", "index", "versions", "mdurl"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


# Where the program finds plex.tv: the constants of its package.
TV = """
from plexapi.myplex import MyPlexAccount, MyPlexPinLogin, MyPlexResource
for owner, name in ((MyPlexPinLogin, "PINS"), (MyPlexAccount, "key"), (MyPlexResource, "key")):
    setattr(owner, name, getattr(owner, name).replace("https://plex.tv", {url!r}))
"""
# A package of that name, first on the program's path, with those constants.
ELSEWHERE = f"""
import importlib.machinery, os, sys
here = os.path.dirname(os.path.dirname(__file__))
spec = importlib.machinery.PathFinder.find_spec("plexapi", [place for place in sys.path if place != here])
__path__ = list(spec.submodule_search_locations)
exec(compile(open(spec.origin, encoding="utf-8").read(), spec.origin, "exec"))
{TV}
"""
# The program of the plugin, with patience for a busy machine: it waits for what Stash writes and answers.
WARM = f"""
import os
from plexsync.app import asking
from plexsync.stash_plugin import child_process, hook, tasks
asking.ASK_CONNECT = asking.ASK_READ = child_process.SECONDS = {HANG / 4}
hook.READ_SECONDS, tasks.PATIENCE = {HANG}, {4 * HANG}
sys.excepthook = hook.confess
hook.main()
os._exit(0)
"""


def warmed(trial: Trial, before: str = "") -> Trial:
    """The same, with each process that Stash starts a fork of a warm one (`tests.forked`), which runs `before` first."""

    def start(command: list[str], *, env: Mapping[str, str], **streams: Any) -> forked.Popen:
        kept = {name: value for name, value in env.items() if not name.startswith(forked.READ_AT_START)}
        return forked.Popen(["-c", f"import sys\n{before}\n{WARM}", *command[1:]], env=kept, **streams)

    trial.runner.start = trial.hook.start = start
    return trial


@pytest.fixture
def tv() -> Iterator[PlexTvSim]:
    with PlexTvSim() as made:
        yield made


@pytest.fixture
def fresh(inside: Trial, tv: PlexTvSim) -> Trial:
    """With its packages, and no settings yet. The account at the simulated plex.tv owns the Plex."""
    inside.stash.plugin_settings["StashPlexSync"] = {}
    package = Path(dependencies.place(str(inside.folder))) / "plexapi"
    package.mkdir()
    (package / "__init__.py").write_text(ELSEWHERE.replace("{url!r}", repr(tv.url)))
    warmed(inside, TV.replace("{url!r}", repr(tv.url)))
    tv.servers = [Resource("NAS", TOKEN, (Connection(inside.plex.url, "127.0.0.1", inside.plex.port),))]
    return inside


# --- the page in a browser ---------------------------------------------------------------------------------------

STANDIN = (Path(__file__).parent / "standin.js").read_text(encoding="utf-8")
HTML = """<!doctype html><html lang="en"><head><title>Stash</title><base href="/">
<link rel="stylesheet" href="/plugin/StashPlexSync/css"></head><body><div id="root"></div>
<script src="/standin.js"></script><script src="/plugin/StashPlexSync/javascript"></script>
<script>startStash()</script></body></html>"""


@pytest.fixture
def faults() -> list[str]:
    return []


@pytest.fixture(scope="session")
def windows(chromium: Browser) -> BrowserContext:
    """What all windows have in common: they are signed in to Stash. A context for each would cost as much as a test."""
    return chromium.new_context(extra_http_headers={"ApiKey": KEY})


def opened(windows: BrowserContext, faults: list[str]) -> Page:
    """A window that shows the page of the simulated Stash."""
    made = windows.new_page()
    made.set_default_timeout(1000 * HANG)
    made.on("pageerror", lambda error: faults.append(str(error)))
    made.route("**/standin.js", lambda route: route.fulfill(body=STANDIN, content_type="text/javascript"))
    made.route(re.compile(r"/app(\?|$)"), lambda route: route.fulfill(body=HTML, content_type="text/html"))
    made.on("dialog", lambda dialog: dialog.accept())
    return made


@pytest.fixture
def warm(request: pytest.FixtureRequest) -> None:
    """For tests of what a page shows, and not of what a process does: Stash starts forks of a warm process."""
    if "inside" in request.fixturenames:
        inside = request.getfixturevalue("inside")
        if inside.runner.start is subprocess.Popen:
            warmed(inside)


@pytest.fixture
def page(windows: BrowserContext, inside: Trial, faults: list[str]) -> Iterator[Page]:
    made = opened(windows, faults)
    yield made
    for window in windows.pages:
        window.close()
    windows.clear_cookies()


def go(page: Page, trial: Trial, where: str, lacks: str = "") -> None:
    """Open the page of the simulated Stash that has the plugin's script."""
    page.goto(f"{trial.stash.url}/app?at={where}&lacks={lacks}")

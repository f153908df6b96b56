"""The pictures of the documentation, made from the real thing: `make pictures`, or `python -m tests.docs.pictures`.

A library is made up, PlexSync works it, and what a terminal and a browser show of it is kept in docs/pictures: the terminal
as SVG, the dashboard (where there is one) as small PNG. Then docs/pictures.md shows whatever there is. With names, as in
`python -m tests.docs.pictures dashboard-charts`, only these pictures are made anew.
"""

import argparse
import io
import os
import pty
import re
import select
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Literal
from urllib.parse import urlsplit

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright
from rich.console import Console
from rich.text import Text

from plexsync.rules.queue.job import DAY as A_DAY
from plexsync.rules.queue.samples import MINUTE, Sample
from plexsync.simulator.drawings import TALL, drawn
from plexsync.simulator.http import Fault
from plexsync.simulator.plex_server import PlexSim
from plexsync.simulator.stash_server import StashSim
from tests.docs.wall_pictures import wall_pictures
from tests.journey.world import KEY, ROOT, TOKEN, World, stop, until
from tests.patience import HANG
from tests.web.conftest import dashboard as opened_dashboard

PICTURES = ROOT / "docs" / "pictures"
PAGE = ROOT / "docs" / "pictures.md"
WIDTH = 100
SCENES = 240
CHROMIUM = "/usr/bin/chromium"
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-sync"]
# The pages that the dashboard leads to are taken in its own order, up to so many.
MOST_PAGES = 16
FIRST = (
    "The Long Way",
    "Harbour",
    "Winter",
    "Night Shift",
    "Paper",
    "The Glass",
    "Low Tide",
    "Second",
    "Orange",
    "Echo",
)
SECOND = ("Home", "Lights", "Garden", "Road", "Letters", "House", "Season", "Signal", "Mile", "Room", "Tide", "Story")
STUDIOS = ("Northlight", "Blue Door", "Field & Sons", "Lantern")
PEOPLE = ("Ann Vale", "Ben Okoro", "Carla Ruiz", "Dan Weiss", "Eve Lind", "Finn Aalto", "Gia Moretti", "Hal Brandt")
TAGS = ("Drama", "Outdoors", "Documentary", "Interview", "Short", "Black and white")


@dataclass(frozen=True)
class Terminal:
    """A command, and what a picture of it says."""

    name: str
    words: tuple[str, ...]
    caption: str


@dataclass(frozen=True)
class Look:
    """How a browser shows a page."""

    name: str
    words: str
    colour: Literal["light", "dark"]
    width: int = 1280
    height: int = 800


DAY, NIGHT, PHONE = (
    Look("", "", "light"),
    Look("dark", " in dark mode", "dark"),
    Look("phone", " on a phone", "light", 390, 780),
)
TERMINALS = (
    Terminal("status", ("status",), "`plexsync status`: the status of everything, from the database alone."),
    Terminal(
        "explain",
        ("explain", "7"),
        "`plexsync explain 7`: the matching Plex item, and what would change, field by field.",
    ),
    Terminal("doctor", ("doctor",), "`plexsync doctor`: every check, with a fix for each problem."),
    Terminal("dlq", ("dlq", "list"), "`plexsync dlq list`: the dead-letter queue by cause, with the cure for each."),
    Terminal("outages", ("outages",), "`plexsync outages`: when a server was down, for how long, and why."),
    Terminal("undo", ("undo", "12", "--dry-run"), "`plexsync undo 12 --dry-run`: what an undo would change."),
)
WHILE_SERVING = ("status", "doctor")


def main() -> None:
    """Make all pictures and the page that shows them, or the named pictures alone."""
    parser = argparse.ArgumentParser(prog="pictures")
    parser.add_argument("names", nargs="*", metavar="NAME", help="such as dashboard-charts")
    names = parser.parse_args().names
    PICTURES.mkdir(exist_ok=True)
    kept = {path: path.read_bytes() for path in PICTURES.iterdir() if names and path.stem not in names}
    for old in PICTURES.iterdir():
        old.unlink()
    with library() as world:
        taken = {one.name: terminal(world, one) for one in TERMINALS if one.name not in WHILE_SERVING}
        with world.serving():
            until(lambda: world.count("ready") + world.count("running") == 0)
            taken |= {one.name: terminal(world, one) for one in TERMINALS if one.name in WHILE_SERVING}
        shown = [taken[one.name] for one in TERMINALS]
        shown += list(dashboard(world))
    shown += list(walls())
    if not names:
        PAGE.write_text(page(shown), encoding="utf-8")
    for path, content in kept.items():
        path.write_bytes(content)
    for path in sorted(PICTURES.iterdir()):
        print(f"{path.stat().st_size // 1024:5} kB  {path.relative_to(ROOT)}")


# --- what there is to see --------------------------------------------------------------------------------------------


@contextmanager
def library() -> Iterator[World]:
    """A library in step, but for a few scenes of each kind that a person meets, and with an outage behind it."""
    with tempfile.TemporaryDirectory(prefix="plexsync-pictures-") as place, StashSim(api_key=KEY) as stash:
        with PlexSim(token=TOKEN) as plex:
            folder = Path(place) / "data"
            folder.mkdir(mode=0o700)
            world = World(stash, plex, folder)
            world.settings |= {"poster": "cover", "breaker_recovery_timeout": "1", "breaker_max_recovery_timeout": "2"}
            world.section = plex.add_section("Movies", locations=("/media/scenes",))
            for number in range(SCENES):
                scene(world, number)
            for number in (1, 2):
                twins(world, number)
            world.run("sync", "--all", "--wait")
            an_outage(world)
            stash.edit_scene(7, title="The Long Way Round", tags=["Drama", "Outdoors", "Restored"])
            a_month(world)
            yield world


def a_month(world: World) -> None:
    """Samples of a month: imports that come in bursts, are worked off, and one night without a worker."""
    rng, waiting, in_step, dead = Random(4), 0, 40.0, 0
    with opened_dashboard(world) as dash:
        now = dash.parts.clock.now() // MINUTE * MINUTE
        with dash.parts.store.writing() as tx:
            for at in range(now - 30 * A_DAY, now, MINUTE):
                age = (now - at) / A_DAY
                waiting += rng.randrange(10, 90) if rng.random() < (0.03 if age % 1 < 0.4 else 0.003) else 0
                dead = rng.randrange(4) if rng.random() < 0.001 else dead
                done = min(waiting, rng.randrange(4, 9))
                waiting, in_step = waiting - done, in_step + (SCENES - 10 - in_step) / 12_000
                if not 0.42 < age < 0.5:
                    tx.samples.add(
                        Sample(
                            at,
                            in_step=round(in_step),
                            waiting=waiting,
                            absent=4 + (age > 0.3) * 3,
                            dead=dead,
                            done=done,
                            plex=2 * done + rng.randrange(2),
                            stash=done // 3 + 1,
                        )
                    )


def scene(world: World, number: int) -> None:
    title = f"{FIRST[number % len(FIRST)]} {SECOND[number // len(FIRST) % len(SECOND)]}"
    title += f" {number // (len(FIRST) * len(SECOND)) + 1}" if number >= len(FIRST) * len(SECOND) else ""
    path = f"/media/scenes/{title}.mp4"
    if number % 60 != 59:
        world.plex.add_movie(world.section, files=[(path, 10_000_000 + number, 60_000)], title=title.lower())
    id = world.stash.add_scene(
        title=title,
        details=f"{title}, as told by those who were there.",
        date=f"20{10 + number % 15}-{1 + number % 12:02}-{1 + number % 28:02}",
        rating100=40 + number % 60,
        studio=STUDIOS[number % len(STUDIOS)],
        performers=[PEOPLE[number % len(PEOPLE)], PEOPLE[(number + 3) % len(PEOPLE)]],
        tags=[TAGS[number % len(TAGS)]],
        files=[(path, 10_000_000 + number, 60.0)],
    )
    world.stash.set_cover(id, drawn(title, TALL))


def an_outage(world: World) -> None:
    with world.serving():
        until(lambda: "serving" in world.log())
        world.plex.faults.set(Fault("refuse"))
        for id in range(30, 60):
            world.stash.edit_scene(id, tags=["Drama", "Seen"])
        world.run("sync", *map(str, range(30, 60)))
        until(lambda: world.json("status")["breakers"]["plex"]["state"] == "open")
        time.sleep(4)
        world.plex.faults.set()
        until(lambda: world.count("ready") + world.count("running") == 0)


def twins(world: World, number: int) -> None:
    """A scene with two items that it may be, since its file lies where no path leads to."""
    name = f"Echo Mile {number}.mp4"
    for folder in ("old", "new"):
        path = f"/media/scenes/{folder}/{name}"
        world.plex.add_movie(world.section, files=[(path, 500 + number, 60_000)], title=f"echo mile {number}")
    world.stash.add_scene(title=f"Echo Mile {number}", files=[(f"/data/new/{name}", 500 + number, 60.0)])


# --- the terminal ----------------------------------------------------------------------------------------------------


def terminal(world: World, one: Terminal) -> tuple[str, str]:
    """Take the picture of one command; returns its file and what it shows."""
    text = seen(world, one.words)
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print(Text.from_ansi(f"\x1b[1m$ plexsync {' '.join(one.words)}\x1b[0m\n{text}"), soft_wrap=True)
    text = console.export_svg(title="plexsync", unique_id=one.name)
    # Fonts from elsewhere are nobody's business; every system has one of fixed width.
    text = re.sub(r"@font-face \{[^}]*\}\s*", "", text).replace("Fira Code", "ui-monospace, Menlo, Consolas")
    name = f"terminal-{one.name}.svg"
    (PICTURES / name).write_text(text, encoding="utf-8")
    return name, one.caption


def seen(world: World, words: tuple[str, ...]) -> str:
    """What a command writes to a terminal, with the made-up places in the place of those of this machine."""
    ours, theirs = pty.openpty()
    environ = {**essential(world), "TERM": "xterm-256color", "COLUMNS": str(WIDTH), "LINES": "60"}
    process = subprocess.Popen(
        [sys.executable, "-m", "plexsync", *words],
        cwd=ROOT,
        env=environ,
        stdin=theirs,
        stdout=theirs,
        stderr=subprocess.DEVNULL,
    )
    os.close(theirs)
    chunks = []
    with os.fdopen(ours, "rb", buffering=0) as screen:
        while select.select([screen], [], [], 60)[0]:
            try:
                chunk = screen.read(65536)
            except OSError:
                break
            if not chunk:
                break
            chunks.append(chunk)
    process.wait(timeout=HANG)
    text = b"".join(chunks).decode("utf-8", "replace").replace("\r\n", "\n").rstrip()
    for place, name in (
        (world.plex.url, "http://plex:32400"),
        (world.stash.url, "http://stash:9999"),
        (str(world.folder), "/data"),
        (str(world.folder.parent), "/etc/plexsync"),
    ):
        text = renamed(text, place, name)
        text = renamed(text, place.removeprefix("http://"), name.removeprefix("http://"))
    return text


def essential(world: World) -> dict[str, str]:
    """What a person would set, in a file; the pace of the made-up library is nobody's business."""
    file = world.folder.parent / "plexsync.toml"
    wanted = ("plex_url", "plex_token", "stash_url", "stash_api_key")
    given = {name: world.environ[f"PLEXSYNC_{name.upper()}"] for name in wanted}
    file.touch(mode=0o600)
    lines = [*(f'{name} = "{value}"\n' for name, value in given.items()), "approve_bulk = true\n"]
    file.write_text("".join(lines), encoding="utf-8")
    left = {name: value for name, value in world.environ.items() if not name.startswith("PLEXSYNC_")}
    return {**left, "PLEXSYNC_CONFIG": str(file), "PLEXSYNC_DATA_DIR": str(world.folder)}


def renamed(text: str, place: str, name: str) -> str:
    """A place of this machine by the name of another; columns stay where they are."""
    in_column = re.sub(re.escape(place) + r"(?=  )", name.ljust(len(place)), text)
    return in_column.replace(place, name)


# --- the dashboard ---------------------------------------------------------------------------------------------------


def dashboard(world: World) -> Iterator[tuple[str, str]]:
    """Take pictures of the pages that the dashboard leads to; yields each file and what it shows."""
    address = f"127.0.0.1:{free_port()}"
    world.settings["web_bind"] = address
    process = world.start("serve")
    try:
        until(lambda: answers(f"http://{address}/health"))
        with sync_playwright() as play:
            browser = play.chromium.launch(executable_path=CHROMIUM, args=QUIET)
            yield from tour(browser, f"http://{address}")
            browser.close()
    finally:
        stop(process)


def walls() -> Iterator[tuple[str, str]]:
    """Take the pictures of the looks."""
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield from wall_pictures(browser, PICTURES)
        browser.close()


def tour(browser: Browser, address: str) -> Iterator[tuple[str, str]]:
    """The pages in the dashboard's own order, then the first one as others see it."""
    paths = ["/", "/runs"]
    for path in paths:
        # The pages of the bar, and those below each of them.
        page = opened(browser, address + path, DAY)
        ways = page.eval_on_selector_all("nav a[href^='/']", "links => links.map(a => a.getAttribute('href'))")
        page.close()
        paths += [way for way in dict.fromkeys(ways) if way not in paths and "?" not in way and "#" not in way]
    for path in paths[:MOST_PAGES]:
        yield from shot(browser, address + path, DAY)
    for look in (NIGHT, PHONE):
        yield from shot(browser, address + paths[0], look)


def opened(browser: Browser, url: str, look: Look) -> Page:
    """A page as it looks, once its living parts have come in."""
    page = browser.new_page(viewport={"width": look.width, "height": look.height}, color_scheme=look.colour)
    page.goto(url)
    page.wait_for_timeout(1500)
    return page


def shot(browser: Browser, url: str, look: Look) -> Iterator[tuple[str, str]]:
    """Take the picture of a page, if there is such a page."""
    path = urlsplit(url).path
    page = opened(browser, url, look)
    title = re.split(r" [·|–-] ", page.title())[0].strip()
    taken = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    there = page.evaluate("fetch(location.href).then(answer => answer.ok)")
    page.close()
    if there:
        name = "-".join(["dashboard", *re.findall(r"[a-z0-9]+", path), look.name]).rstrip("-") + ".png"
        # The posters of the overview are shown in all their colours: with fewer, a sky has bands.
        shown = taken if path == "/" else taken.quantize(colors=128, dither=Image.Dither.NONE)
        shown.save(PICTURES / name, optimize=True)
        yield name, f"The dashboard{look.words}: {title}."


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=HANG):
            return True
    except OSError:
        return False


# --- the page --------------------------------------------------------------------------------------------------------


def page(shown: list[tuple[str, str]]) -> str:
    """The page that shows them all."""
    lines = ["# Pictures", "", "Screenshots of PlexSync with a generated library. `make pictures` makes them.", ""]
    groups = (("The terminal", "terminal-"), ("The dashboard", "dashboard"), ("The looks", "wall-"))
    for title, prefix in groups:
        of_group = [(name, caption) for name, caption in shown if name.startswith(prefix)]
        if of_group:
            lines += [f"## {title}", ""]
        for name, caption in of_group:
            words = (caption if len(caption) < 40 else caption.partition(": ")[0]).replace("`", "")
            lines += [caption, "", f"![{words}](pictures/{name})", ""]
    return "\n".join(lines)


if __name__ == "__main__":
    main()

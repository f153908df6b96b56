"""`python -m release.dashboard_pages FOLDER`: the demo's dashboard as still pages, to click through without a server.

The demo is performed, and its dashboard is read as a browser reads it. Each page is saved with its pictures. A link that
leads to no saved page, and every button, leads to a page that says so.
"""

import argparse
import html
import re
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from http.cookiejar import CookieJar
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import parse_qsl, urlsplit
from urllib.request import HTTPCookieProcessor, OpenerDirector, build_opener

from rich.console import Console

from plexsync.cli.commands.demo_play import Play
from plexsync.cli.commands.demo_stage import Stage

SCENES = 120
# Pages of one kind that are saved, such as those of scenes.
OF_A_KIND = 12
PATIENCE = 60.0
STARTED, PACE = 30.0, 0.2
ELSEWHERE = "elsewhere.html"
# What the pages need no server for.
NOT_PAGES = re.compile(r"/(?:api|live|metrics|health|logout|login|act)(?:/|$)")
ATTRIBUTE = re.compile(r'\b(href|src|action)="([^"]*)"')
TOKEN_FIELD = re.compile(r'<input type="hidden" name="token" value="[^"]*">')
LIVE_SCRIPT = re.compile(r'<script src="[^"]*/dashboard\.js"[^>]*></script>\n?')
ENDS = {
    "text/html": "html",
    "text/css": "css",
    "text/javascript": "js",
    "image/svg+xml": "svg",
    "image/png": "png",
    "image/jpeg": "jpg",
}
NOTE = (
    '<p class="notice" role="note">These are still pages of the demo: links work, buttons lead to a note. '
    '<a href="../index.html">The documentation</a> says how to try it for real.</p>'
)
NOT_HERE = """
<h1>Not in these pages</h1>
<p>These are still pages of the demo's dashboard: what you chose needs PlexSync itself, or was not saved.
<code>make demo KEEP=1</code> runs the demo, with a dashboard that does everything.</p>
<p><a href="index.html">Back to the overview</a></p>
"""


@dataclass
class Answer:
    """What the dashboard answered: its type, and the content."""

    kind: str
    content: bytes


@dataclass
class Saver:
    """Saves the pages of the dashboard at `address` to `folder`. `hide` maps texts of this machine to what is shown."""

    address: str
    folder: Path
    hide: Mapping[str, str]
    files: dict[str, str] = field(default_factory=dict)
    _filters: set[tuple[str, str, str]] = field(default_factory=set)
    _kinds: dict[str, int] = field(default_factory=dict)
    _opener: OpenerDirector = field(default_factory=lambda: build_opener(HTTPCookieProcessor(CookieJar())))

    def save(self) -> int:
        """Save every page that links lead to, beginning with the first; returns how many. Raises URLError if it is away."""
        self.folder.mkdir(parents=True, exist_ok=True)
        pages, waiting = dict[str, str](), deque(["/"])
        while waiting:
            path = waiting.popleft()
            if path in self.files or not self._is_meant(path):
                continue
            answer = self._fetch(path)
            if answer is None or answer.kind not in ENDS:
                continue
            self.files[path] = file_name(path, answer.kind)
            if answer.kind != "text/html":
                (self.folder / self.files[path]).write_bytes(answer.content)
                continue
            pages[path] = answer.content.decode()
            waiting.extend(path for path in map(local_path, links_in(pages[path])) if path)
        first = pages["/"]
        start, end = first.index(">", first.index("<main")) + 1, first.index("</main>")
        pages[f"/{ELSEWHERE}"] = first[:start] + NOT_HERE + first[end:]
        self.files[f"/{ELSEWHERE}"] = ELSEWHERE
        for path, text in pages.items():
            (self.folder / self.files[path]).write_text(self._still(text), encoding="utf-8")
        return len(pages)

    def _is_meant(self, path: str) -> bool:
        """Whether to save this page: each value of each filter once, and some of a kind."""
        parts = urlsplit(path)
        if NOT_PAGES.match(parts.path):
            return False
        filters = {(parts.path, name, value) for name, value in parse_qsl(parts.query) or [("", "")]}
        if filters <= self._filters:
            return False
        self._filters |= filters
        kind = re.sub(r"\d+", "#", parts.path)
        self._kinds[kind] = self._kinds.get(kind, 0) + ("#" in kind and not parts.path.startswith("/pictures/"))
        return self._kinds[kind] <= OF_A_KIND

    def _fetch(self, path: str) -> Answer | None:
        """What the dashboard answers; None for an error."""
        try:
            with self._opener.open(f"{self.address}{path}", timeout=PATIENCE) as answer:
                return Answer(answer.headers.get_content_type(), answer.read())
        except HTTPError:
            return None

    def _still(self, text: str) -> str:
        """A page that needs no server."""
        text = TOKEN_FIELD.sub("", LIVE_SCRIPT.sub("", text))
        text = ATTRIBUTE.sub(lambda match: f'{match[1]}="{self._target(match[1], html.unescape(match[2]))}"', text)
        text = text.replace('method="post"', 'method="get"')
        start = text.index(">", text.index("<main")) + 1
        text = text[:start] + NOTE + text[start:]
        for mine, other in self.hide.items():
            text = text.replace(mine, other)
        return text

    def _target(self, name: str, address: str) -> str:
        """Where a link, a picture or a form leads."""
        if name == "action":
            return ELSEWHERE
        if address.startswith(("#", "https://")) or address in (ELSEWHERE, "index.html"):
            return html.escape(address)
        path, _, anchor = address.partition("#")
        target = self.files.get(path, "" if name == "src" else ELSEWHERE)
        return f"{target}#{html.escape(anchor)}" if anchor and target != ELSEWHERE else target


def links_in(text: str) -> list[str]:
    """What the links and pictures of a page name."""
    return [html.unescape(address) for name, address in ATTRIBUTE.findall(text) if name != "action"]


def local_path(address: str) -> str:
    """The path and query of an address of the dashboard, '' for any other."""
    return address.partition("#")[0] if address.startswith("/") and not address.startswith("//") else ""


def file_name(path: str, kind: str) -> str:
    """The file for a path and its query: `scenes.html`, `scenes-7.html`, `scenes-1f2e3d.html` with a query."""
    parts = urlsplit(path)
    name = re.sub(r"[^\w]+", "-", parts.path.rpartition(".")[0] if "." in parts.path else parts.path)
    name = name.strip("-") or "index"
    more = f"-{sha256(parts.query.encode()).hexdigest()[:8]}" if parts.query else ""
    return f"{name}{more}.{ENDS[kind]}"


def wait_for(reached: Callable[[], bool]) -> None:
    """Wait until this holds. Raises TimeoutError if it does not within the time of a start."""
    ends = time.monotonic() + STARTED
    while not reached():
        if time.monotonic() > ends:
            raise TimeoutError("the demo's dashboard did not start")
        time.sleep(PACE)


def is_up(address: str) -> bool:
    """Whether the dashboard answers."""
    with suppress(URLError, OSError), build_opener().open(f"{address}/health", timeout=PATIENCE) as answer:
        return bool(answer.status == 200)
    return False


def main() -> None:
    """Perform the demo, and save its dashboard."""
    parser = argparse.ArgumentParser(prog="dashboard_pages", description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    with Stage.set(SCENES) as stage:
        Play(stage, Console(quiet=True)).perform()
        with stage.serving():
            wait_for(lambda: is_up(stage.address))
            hide = {str(stage.folder): "/home/you/plexsync", stage.address: "http://127.0.0.1:9797"}
            count = Saver(stage.address, folder, hide).save()
    print(f"{count} pages of the dashboard in {folder}")


if __name__ == "__main__":
    main()

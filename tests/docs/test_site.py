"""The site is built without a warning and loads nothing from elsewhere."""

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.docs.pages import DOCS

pytest.importorskip("sphinx")
pytest.importorskip("furo")
# It takes seconds to build. What breaks it most often, a link, is looked at by `test_links.py`.
pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("site")
    words = ["-m", "sphinx", "-q", "-W", "--keep-going", "-n", "-b", "html", "-d", str(out / "doctrees")]
    done = subprocess.run(
        [sys.executable, *words, str(DOCS), str(out / "html")], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return out / "html"


class Loads(HTMLParser):
    """What a browser fetches to show a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag in ("script", "img", "iframe", "source", "video", "audio", "embed"):
            self.found += [given[name] for name in ("src", "srcset") if name in given]
        if tag == "link" and given.get("rel") not in ("next", "prev", "index", "search", "canonical", "author"):
            self.found.append(given.get("href", ""))


def test_every_page_is_there(site: Path) -> None:
    made = {page: site / page.relative_to(DOCS).with_suffix(".html") for page in DOCS.rglob("*.md")}
    assert len(made) > 50
    assert [page for page, html in made.items() if not html.exists()] == []


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    seen = 0
    for page in site.rglob("*.html"):
        loads = Loads()
        loads.feed(page.read_text(encoding="utf-8"))
        seen += len(loads.found)
        assert [one for one in loads.found if re.match(r"(https?:)?//", one)] == [], page.name
    assert seen > 50
    for style in [*site.rglob("*.css"), *site.rglob("*.svg")]:
        text = style.read_text(encoding="utf-8")
        assert not re.search(r"url\([\"']?(https?:)?//|@import", text), style.name
    for script in site.rglob("*.js"):
        if "searchindex" not in script.name:
            text = script.read_text(encoding="utf-8")
            assert not re.search(r"(fetch|importScripts|src ?=|\.open)\(?[\"'](https?:)?//", text), script.name


def test_headings_are_linked_to_as_on_github(site: Path) -> None:
    assert 'id="where-things-are-kept"' in (site / "settings.html").read_text(encoding="utf-8")

"""Every link within the repository leads somewhere, and no page stands alone."""

import re

import pytest

from tests.docs.pages import DOCS, ROOT, anchors, links, pages, prose, resolved

PAGES = sorted(pages())


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    for target in links(page):
        if target.startswith(("http://", "https://")):
            continue
        path, anchor = resolved(page, target)
        assert path.exists(), f"{page}: {target}"
        assert path.is_relative_to(ROOT), f"{page}: {target} leads out of the repository"
        if anchor:
            assert anchor in anchors(path.relative_to(ROOT).as_posix()), f"{page}: {target}"


@pytest.mark.parametrize("page", [page for page in PAGES if page.startswith("docs/")])
def test_pages_of_the_site_lead_to_pages_of_the_site_or_to_files(page: str) -> None:
    """A file of the repository comes along with the site; a folder does not."""
    for target in links(page):
        if not target.startswith(("http://", "https://")):
            path, _ = resolved(page, target)
            assert path.is_file(), f"{page}: {target} is not in the site"
            assert path.is_relative_to(DOCS) or path.suffix != ".md", f"{page}: {target} is not in the site"


def test_every_page_is_reached_from_the_first() -> None:
    reached, todo = set(), ["docs/index.md"]
    while todo:
        page = todo.pop()
        if page in reached or page not in pages():
            continue
        reached.add(page)
        todo += [
            resolved(page, target)[0].relative_to(ROOT).as_posix()
            for target in links(page)
            if not target.startswith("http")
        ]
    assert {page for page in PAGES if page.startswith("docs/")} - reached == set(), "name it in docs/index.md"


def test_the_readme_leads_to_the_documentation() -> None:
    assert {"docs/index.md", "docs/install.md", "docs/troubleshooting.md"} <= set(links("README.md"))


def test_every_picture_is_shown_and_says_what_it_shows() -> None:
    shown = {}
    for page in PAGES:
        for words, target in re.findall(r"!\[([^\]]*)\]\(([^()\s]+)\)", prose(page)):
            shown[resolved(page, target)[0]] = words
    files = {path for path in (DOCS / "pictures").iterdir() if path.suffix in (".svg", ".png")}
    assert files == set(shown)
    assert all(len(words) > 10 for words in shown.values())


def test_pictures_are_small() -> None:
    sizes = {path.name: path.stat().st_size for path in (DOCS / "pictures").iterdir()}
    assert all(size < 200_000 for size in sizes.values()), sizes
    assert sum(sizes.values()) < 1_500_000

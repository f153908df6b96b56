"""Every link within the repository leads somewhere, and no page stands alone."""

import re

import pytest

from tests.docs.pages import DOCS, ROOT, anchors, links, pages, prose, resolved


def inner_links() -> list[tuple[str, str]]:
    """Each link of each page that leads to no other server: the page, and where it leads."""
    return [(page, target) for page in sorted(pages()) for target in links(page) if not is_elsewhere(target)]


def is_elsewhere(target: str) -> bool:
    return target.startswith(("http://", "https://"))


def fault_of_link(page: str, target: str) -> str:
    """What is wrong with a link, or ''. A file of the repository comes along with the site; a folder does not."""
    path, anchor = resolved(page, target)
    if not path.is_relative_to(ROOT):
        return "leads out of the repository"
    if not path.exists():
        return "leads nowhere"
    if anchor and anchor not in anchors(path.relative_to(ROOT).as_posix()):
        return "has no such heading"
    if page.startswith("docs/") and (not path.is_file() or (path.suffix == ".md" and not path.is_relative_to(DOCS))):
        return "is not in the site"
    return ""


def test_links_lead_somewhere_and_from_the_site_to_what_is_in_it() -> None:
    assert len(inner_links()) > 500
    assert len({page for page, _ in inner_links()}) > 40
    assert {link: fault_of_link(*link) for link in inner_links() if fault_of_link(*link)} == {}


@pytest.mark.parametrize(
    ("page", "target", "fault"),
    [
        ("docs/index.md", "install.md", ""),
        ("docs/index.md", "instal.md", "leads nowhere"),
        ("docs/index.md", "install.md#no-such-heading", "has no such heading"),
        ("docs/index.md", "#no-such-heading", "has no such heading"),
        ("docs/index.md", "../..", "leads out of the repository"),
        ("docs/index.md", "../README.md", "is not in the site"),
        ("docs/index.md", "../plexsync", "is not in the site"),
        ("README.md", "plexsync", ""),
        ("README.md", "docs/index.md", ""),
    ],
)
def test_a_link_that_leads_nowhere_is_found(page: str, target: str, fault: str) -> None:
    assert fault_of_link(page, target) == fault


def test_every_page_is_reached_from_the_first() -> None:
    reached, todo = set(), ["docs/index.md"]
    while todo:
        page = todo.pop()
        if page in reached or page not in pages():
            continue
        reached.add(page)
        todo += [
            resolved(page, target)[0].relative_to(ROOT).as_posix() for target in links(page) if not is_elsewhere(target)
        ]
    assert {page for page in pages() if page.startswith("docs/")} - reached == set(), "name it in docs/index.md"


def test_the_readme_leads_to_the_documentation() -> None:
    assert {"docs/index.md", "docs/install.md", "docs/troubleshooting.md"} <= set(links("README.md"))


def test_every_picture_is_shown_and_says_what_it_shows() -> None:
    shown = {}
    for page in pages():
        for words, target in re.findall(r"!\[([^\]]*)\]\(([^()\s]+)\)", prose(page)):
            shown[resolved(page, target)[0]] = words
    files = {path for path in (DOCS / "pictures").iterdir() if path.suffix in (".svg", ".png")}
    assert files and files == set(shown)
    assert {path: words for path, words in shown.items() if len(words) <= 10} == {}


def test_pictures_are_small() -> None:
    sizes = {path.name: path.stat().st_size for path in (DOCS / "pictures").iterdir()}
    assert {name: size for name, size in sizes.items() if size >= 200_000} == {}
    assert 100_000 < sum(sizes.values()) < 1_500_000

"""The pages are short enough to be read: their words are counted, and so are the lines of the first help."""

import pytest

from tests.docs.pages import DOCS, pages

# Pages in which one looks something up, or which a program makes.
REFERENCE = {"commands", "settings", "fields", "glossary", "api-shapes"}
WORDS = {page.stem: len(page.read_text(encoding="utf-8").split()) for page in sorted(DOCS.glob("*.md"))}


def test_the_first_page_is_read_in_five_minutes() -> None:
    assert len(pages()["README.md"].split()) <= 900


@pytest.mark.parametrize("page", sorted(set(WORDS) - REFERENCE))
def test_a_page_is_short(page: str) -> None:
    assert WORDS[page] <= 2_500


def test_the_documentation_is_read_in_an_evening() -> None:
    """All but the decisions, and the shapes, which are made from the types."""
    assert len(WORDS) > 30
    assert sum(count for page, count in WORDS.items() if page != "api-shapes") <= 50_000

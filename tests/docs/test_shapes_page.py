"""docs/api-shapes.md is what the shapes of the reports make of it."""

from typing import TypedDict

from plexsync.reports import comparisons
from tests.docs.shapes_page import (
    PAGE,
    SECTIONS,
    defined_in,
    field_docs,
    hints,
    is_documented,
    module_of,
    modules,
    renewed,
)

TEXT = PAGE.read_text(encoding="utf-8")


def test_the_page_is_what_make_shapes_page_writes() -> None:
    assert renewed(TEXT) == TEXT, "make shapes-page renews it"


def test_a_table_that_differs_from_its_shape_is_renewed() -> None:
    changed = TEXT.replace("| `due` | integer |", "| `due` | string |")
    assert changed != TEXT
    assert renewed(changed) == TEXT


def test_every_module_with_shapes_is_a_section() -> None:
    assert sorted(SECTIONS) == sorted(modules())


def test_each_shape_has_a_description_and_its_fields_are_on_the_page() -> None:
    shapes = [shape for name in SECTIONS for shape in defined_in(module_of(name))]
    assert len(shapes) > 150
    assert {shape.__name__: missing(shape) for shape in shapes if missing(shape)} == {}
    assert missing(NotShown) == ["description", "### NotShown", "| `no_such_field` |"]


def missing(shape: type) -> list[str]:
    """What the page does not have of a shape."""
    headings = [f"### {shape.__name__}"] if is_documented(shape) else []
    rows = [f"| `{name}` |" for name in hints(shape)]
    absent = [words for words in headings if f"\n{words}\n" not in TEXT] + [
        words for words in rows if words not in TEXT
    ]
    return absent if shape.__doc__ else ["description", *absent]


class NotShown(TypedDict):
    no_such_field: int


def test_an_inherited_field_is_on_the_page_once_with_its_description() -> None:
    section = TEXT.partition("### ComparisonFacts\n")[2].partition("\n### ")[0]
    assert "All fields of [FindingCounts](#findingcounts), and:" in section
    assert "| `in_step` |" not in section
    assert "| `strict` | integer, optional | Scenes that `strict_mode` rejects. |" in section
    assert field_docs(comparisons.ReconcileFacts)["strict"] == "Scenes that `strict_mode` rejects."

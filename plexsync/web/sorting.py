"""Sorted lists of the dashboard: the order is a part of the address, and headings are links to the list in another order."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from plexsync.rules.sorting import BY_NUMBER, COMPARED, Sort, read_sort
from plexsync.web.pages import Wrong

# Columns whose largest values come first: the newest times.
DOWN_FIRST = ("since",)


@dataclass(frozen=True)
class SortLink:
    """A heading that sorts: where it leads, and the `aria-sort` of its column now ('': the list is not sorted by it)."""

    href: str
    state: str = ""


def sort_named(text: str, columns: Collection[str], usual: Sort = BY_NUMBER) -> Sort:
    """The order that a request names, or the usual one; raises Wrong."""
    sort = read_sort(text) if text else usual
    if sort.column not in columns:
        raise Wrong(f"A list is sorted by one of these: {', '.join(columns)}; with a - before it, downwards.")
    return sort


def cursor_value(text: str) -> str:
    """The value in the sorted column at which a page begins."""
    return text[:COMPARED]


def address(path: str, values: Mapping[str, str], sort: Sort, usual: Sort = BY_NUMBER) -> str:
    """The address of a list with these filters, in this order; the usual order is not named."""
    asked = {**values, **({} if sort == usual else {"sort": str(sort)})}
    return f"{path}?{urlencode(asked)}" if asked else path


def sort_links(
    path: str, values: Mapping[str, str], sort: Sort, columns: Collection[str], *, part: str, usual: Sort = BY_NUMBER
) -> dict[str, SortLink]:
    """The headings by column. `part` is the element of the page that has the list. A second click turns the order around."""
    links = {}
    for column in columns:
        here = column == sort.column
        down = not sort.down if here else column in DOWN_FIRST
        state = ("descending" if sort.down else "ascending") if here else ""
        links[column] = SortLink(f"{address(path, values, Sort(column, down), usual)}#{part}", state)
    return links

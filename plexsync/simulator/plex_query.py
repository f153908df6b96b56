"""Media queries: the items that a query selects, and their order.

The quirks are essential. Filter names are case-sensitive and unknown ones are ignored, so a typo selects everything; so
does an empty value. `file=` is exact on the base name, takes a path for its whole folder, and is an error without
`type=1`.
"""

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from urllib.parse import unquote_plus

from plexsync.simulator.plex_model import TAG_ELEMENTS, Item, Library, Scalar, Section, Unacceptable, folder_name

FILTER = re.compile(r"(?:(?:movie|collection)\.)?([A-Za-z]+)([!<>=]*)")
RELATIVE = re.compile(r"([+-]\d+)(s|m|h|d|w|mon|y)?")
UNIT_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800, "mon": 2_592_000, "y": 31_536_000}
STRINGS = ("title", "titleSort", "originalTitle", "summary", "tagline", "studio", "contentRating", "editionTitle")
NUMBERS = ("id", "year", "rating", "audienceRating", "userRating", "viewCount", "duration")
VIEWED = "lastViewedAt"
DATES = ("addedAt", "updatedAt", "originallyAvailableAt", VIEWED, "lastRatedAt")

Test = Callable[[Item], bool]


def parse_query(raw: str) -> list[tuple[str, str]]:
    """The pairs of a raw query; as in all media queries, `a==b` is the name `a=` with the value `b`."""
    pairs: list[tuple[str, str]] = []
    for part in raw.split("&"):
        if not part:
            continue
        name, _, value = part.partition("=")
        name = unquote_plus(name)
        if value.startswith("="):
            name, value = name + "=", value[1:]
        pairs.append((name, unquote_plus(value)))
    return pairs


def select(library: Library, section: Section, pairs: list[tuple[str, str]], *, default_sort: str) -> list[Item]:
    """The items of a section that a query selects, in its order; raises `Unacceptable` (400, 500)."""
    asked = dict(pairs)
    kind = asked.get("type")
    if "file" in asked and kind != "1":
        raise Unacceptable(500)
    order = asked.get("sort") or default_sort
    if section.traits.viewings != "filtered":
        pairs = [(name, value) for name, value in pairs if VIEWED not in name]
    if section.traits.viewings == "neither" and VIEWED in order:
        order = default_sort
    tests = [test for name, value in pairs if value and (test := _test(library, name, value)) is not None]
    pool = _narrowed(section, asked)
    if pool is None:
        ordered = _ordered(section, kind, order, with_collections=asked.get("includeCollections") == "1")
    else:
        ordered = _sorted(pool, order)
    return [item for item in ordered if all(test(item) for test in tests)] if tests else ordered


def _narrowed(section: Section, asked: dict[str, str]) -> list[Item] | None:
    """The only movies that can match if the query names files or keys; None if it does not."""
    if asked.get("type") != "1":
        return None
    if file := asked.get("file"):
        return [section.items[key] for key in sorted(_with_file(section, file))]
    if keys := asked.get("id"):
        return [section.items[int(key)] for key in sorted(set(_numbers(keys))) if key in section.items]
    return None


def _with_file(section: Section, file: str) -> set[int]:
    """The keys of the movies that `file=` finds."""
    if "/" in file or "\\" in file:
        return section.by_folder.get(folder_name(file), set())
    if section.traits.file_filter == "any case":
        return {key for name, keys in section.by_name.items() if name.casefold() == file.casefold() for key in keys}
    found = section.by_name.get(file, set())
    if section.traits.file_filter == "folder":
        folders = {folder_name(one.path) for key in found for one in section.items[key].files if one.name == file}
        return {key for folder in folders for key in section.by_folder[folder]}
    return found


def _ordered(section: Section, kind: str | None, order: str, *, with_collections: bool) -> list[Item]:
    """All items of one type, sorted; cached until the section changes."""
    if kind == "18":
        return _sorted(section.collections.values(), order)
    if kind not in (None, "1"):
        return []
    if kind is None and with_collections:
        return _sorted([*section.items.values(), *section.collections.values()], order)
    if VIEWED in order:
        # A view changes no section.
        return _sorted(section.items.values(), order)
    place = ("movie", order)
    known = section.orders.get(place)
    if known is None or known[0] != section.content_changed_at:
        known = section.orders[place] = (section.content_changed_at, _sorted(section.items.values(), order))
    return known[1]


def _sorted(items: Iterable[Item], order: str) -> list[Item]:
    found = sorted(items, key=lambda item: item.key)
    for part in reversed(order.split(",")):
        name, _, feature = part.strip().rpartition(".")[2].partition(":")
        if name == "id" or name in STRINGS or name in NUMBERS or name in DATES:
            found.sort(key=_sort_key(name), reverse="desc" in feature)
    return found


def _sort_key(name: str) -> Callable[[Item], tuple[bool, str | float]]:
    def key(item: Item) -> tuple[bool, str | float]:
        if name in ("title", "titleSort"):
            return True, item.sort_title
        value = number_of(item, name) if name not in STRINGS else item.scalars.get(name)
        if value is None:
            return False, "" if name in STRINGS else 0.0
        return True, str(value).casefold() if name in STRINGS else float(value)

    return key


def number_of(item: Item, name: str) -> float | None:
    """A field as a number: dates as epoch seconds. None if the item has none."""
    value: Scalar | None
    if name == "id":
        value = item.key
    elif name == "updatedAt":
        value = item.updated_at
    elif name == "viewCount":
        value = item.view_count
    elif name == "lastViewedAt":
        value = item.last_viewed_at
    elif name == "lastRatedAt":
        value = item.last_rated_at
    elif name == "userRating":
        value = item.user_rating
    elif name == "duration":
        value = item.files[0].duration if item.files else None
    else:
        value = item.scalars.get(name)
    if name == "originallyAvailableAt" and value is not None:
        return datetime.fromisoformat(str(value)).replace(tzinfo=UTC).timestamp()
    return None if value is None else float(value)


def _test(library: Library, name: str, value: str) -> Test | None:
    """The test for one filter; None for an unknown filter."""
    found = FILTER.fullmatch(name)
    if found is None:
        return None
    field, operator = found[1], found[2] + "="
    if field in STRINGS:
        return _string_test(field, operator, value.split(","))
    if field in NUMBERS:
        return _number_test(field, operator, _numbers(value))
    if field in DATES:
        if operator in (">==", "<=="):
            return None
        # With or without the doubled sign, a date is compared strictly.
        operator = {">=": ">>=", "<=": "<<="}.get(operator, operator)
        return _number_test(field, operator, [_moment(library, one) for one in value.split(",")])
    if field in TAG_ELEMENTS:
        return _tag_test(field, operator, value.split(","))
    if field == "unwatched":
        return lambda item: (item.view_count == 0) == (value != "0")
    if field == "duplicate":
        return lambda item: (len(item.media()) > 1) == (value != "0")
    return None


def _string_test(field: str, operator: str, values: list[str]) -> Test:
    compare: dict[str, Callable[[str, str], bool]] = {
        "=": lambda have, want: want in have,
        "==": lambda have, want: have == want,
        "<=": lambda have, want: have.startswith(want),
        ">=": lambda have, want: have.endswith(want),
    }
    negated = operator.startswith("!")
    same = compare.get(operator.removeprefix("!"), compare["="])
    wanted = [value.casefold() for value in values]

    def test(item: Item) -> bool:
        have = str(item.scalars.get(field, "")).casefold()
        return any(same(have, want) for want in wanted) != negated

    return test


def _number_test(field: str, operator: str, values: list[float]) -> Test:
    compare: dict[str, Callable[[float, float], bool]] = {
        "=": lambda have, want: have == want,
        ">>=": lambda have, want: have > want,
        "<<=": lambda have, want: have < want,
        ">=": lambda have, want: have >= want,
        "<=": lambda have, want: have <= want,
    }
    negated = operator == "!="
    same = compare.get(operator, compare["="])

    def test(item: Item) -> bool:
        have = number_of(item, field)
        return (have is not None and any(same(have, want) for want in values)) != negated

    return test


def _tag_test(kind: str, operator: str, values: list[str]) -> Test:
    def test(item: Item) -> bool:
        carried = {str(one.tag.id) for one in item.lists.get(kind, ())}
        return any(value in carried for value in values) != (operator == "!=")

    return test


def _numbers(value: str) -> list[float]:
    """Parse numbers joined by commas."""
    try:
        return [float(one) for one in value.split(",")]
    except ValueError as wrong:
        raise Unacceptable(400) from wrong


def _moment(library: Library, value: str) -> float:
    """Parse epoch seconds, or a time relative to now."""
    found = RELATIVE.fullmatch(value)
    if found is not None and (found[2] or value[0] in "+-"):
        return library.now() + int(found[1]) * UNIT_SECONDS[found[2] or "s"]
    try:
        return float(value)
    except ValueError as wrong:
        raise Unacceptable(400) from wrong

"""The search of the simulated Stash: filters, search words, order and pages, with the quirks of the real one.

A filter becomes a predicate over records. Note: EQUALS on text is SQL's LIKE (`%` and `_` are wildcards, case
of ASCII letters does not count), INCLUDES on a path splits its value into words unless it is in double quotes, and
times are compared as strings, so a cutoff with another offset than the server's gives wrong results.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from plexsync.simulator.stash_graphql import StashError
from plexsync.simulator.stash_model import Scene, Studio, Tag
from plexsync.simulator.stash_plays import last_played

Predicate = Callable[[Any], bool]

DEFAULT_PAGE_SIZE = 25
SCENE_SORTS = ("id", "updated_at", "created_at", "path", "title", "date")
NAMED_SORTS = ("id", "updated_at", "created_at", "name")
WORDS = re.compile(r'"([^"]*)"|(\S+)')


def page_of(
    records: Sequence[Any], wanted: Mapping[str, Any], sort_keys: Mapping[str, Callable[[Any], Any]]
) -> list[Any]:
    """The requested page: `per_page` -1 is everything, 0 nothing (only a count), default 25.

    An unknown sort is an error.
    """
    size, page = wanted.get("per_page"), max(wanted.get("page") or 1, 1)
    size = DEFAULT_PAGE_SIZE if size is None else size
    ordered = in_order(records, wanted, sort_keys)
    return ordered if size < 0 else ordered[(page - 1) * size : page * size]


def in_order(
    records: Sequence[Any], wanted: Mapping[str, Any], sort_keys: Mapping[str, Callable[[Any], Any]]
) -> list[Any]:
    """Sort as requested, ties by id."""
    name = wanted.get("sort") or "id"
    if name not in sort_keys:
        raise StashError(f"invalid sort: {name}")
    backwards = wanted.get("direction") == "DESC"
    return sorted(sorted(records, key=lambda r: r.id), key=sort_keys[name], reverse=backwards)


SCENE_SORT_KEYS: dict[str, Callable[[Any], Any]] = {
    "id": lambda scene: scene.id,
    "updated_at": lambda scene: scene.updated_at,
    "created_at": lambda scene: scene.created_at,
    "path": lambda scene: scene.files[0].path if scene.files else "",
    "title": lambda scene: (scene.title or (scene.files[0].basename if scene.files else "")).casefold(),
    "date": lambda scene: scene.date or "",
}

NAMED_SORT_KEYS: dict[str, Callable[[Any], Any]] = {
    "id": lambda record: record.id,
    "updated_at": lambda record: record.updated_at,
    "created_at": lambda record: record.created_at,
    "name": lambda record: record.name.casefold(),
}


FILE_SORT_KEYS: dict[str, Callable[[Any], Any]] = {
    "id": lambda file: file.id,
    "updated_at": lambda file: file.updated_at,
    "created_at": lambda file: file.created_at,
    "path": lambda file: file.path,
}


def scene_words(query: str) -> Predicate:
    """Scenes with each word (or quoted phrase) in title, details, a path or a hash; `-word` excludes."""
    words = [(quoted or word).casefold() for quoted, word in WORDS.findall(query)]

    def matches(scene: Scene) -> bool:
        parts = [scene.title, scene.details, *(file.path for file in scene.files)]
        parts += [mark.value for file in scene.files for mark in file.fingerprints]
        text = "\n".join(parts).casefold()
        return all(word[1:] not in text if word.startswith("-") and len(word) > 1 else word in text for word in words)

    return matches


def name_words(query: str) -> Predicate:
    """Records with each word in the name."""
    words = [(quoted or word).casefold() for quoted, word in WORDS.findall(query)]
    return lambda record: all(word in record.name.casefold() for word in words)


def path_words(query: str) -> Predicate:
    """Files with each word in the path."""
    words = [word.casefold() for word in query.split()]
    return lambda file: all(word in file.path.casefold() for word in words)


def scene_filter(wanted: Mapping[str, Any]) -> Predicate:
    """The predicate of a SceneFilterType."""
    return combined(wanted, SCENE_CRITERIA, scene_filter)


def performer_filter(wanted: Mapping[str, Any]) -> Predicate:
    """The predicate of a PerformerFilterType."""
    return combined(wanted, NAMED_CRITERIA, performer_filter)


def studio_filter(wanted: Mapping[str, Any]) -> Predicate:
    """The predicate of a StudioFilterType."""
    return combined(wanted, NAMED_CRITERIA, studio_filter)


def tag_filter(wanted: Mapping[str, Any]) -> Predicate:
    """The predicate of a TagFilterType."""
    return combined(wanted, NAMED_CRITERIA, tag_filter)


def group_filter(wanted: Mapping[str, Any]) -> Predicate:
    """The predicate of a GroupFilterType."""
    return combined(wanted, NAMED_CRITERIA, group_filter)


def file_filter(wanted: Mapping[str, Any]) -> Predicate:
    """The predicate of a FileFilterType."""
    return combined(wanted, FILE_CRITERIA, file_filter)


def combined(
    wanted: Mapping[str, Any],
    criteria: Mapping[str, Callable[[Any], Predicate]],
    again: Callable[[Mapping[str, Any]], Predicate],
) -> Predicate:
    """All criteria combined, then at most one of AND, OR and NOT; each combines them with a filter."""
    joints = [name for name in ("AND", "OR", "NOT") if wanted.get(name) is not None]
    if len(joints) > 1:
        raise StashError(f"cannot have {' and '.join(joints)} in the same filter")
    tests = [
        criteria[name](value)
        for name, value in wanted.items()
        if value is not None and name not in ("AND", "OR", "NOT")
    ]
    if not joints:
        return tests[0] if len(tests) == 1 else lambda record: all(test(record) for test in tests)
    other = again(wanted[joints[0]])
    match joints[0]:
        case "AND":
            return lambda record: all(test(record) for test in tests) and other(record)
        case "OR":
            return lambda record: all(test(record) for test in tests) or other(record)
        case _:
            return lambda record: all(test(record) for test in tests) and not other(record)


def text(read: Callable[[Any], str | None]) -> Callable[[Mapping[str, Any]], Predicate]:
    """A StringCriterionInput over one text of a record; empty text is null."""

    def criterion(wanted: Mapping[str, Any]) -> Predicate:
        value, modifier = wanted["value"], wanted["modifier"]
        match modifier:
            case "EQUALS" | "NOT_EQUALS":
                pattern = like(value)
                return signed(modifier, lambda record: bool(pattern.fullmatch(read(record) or "")))
            case "INCLUDES" | "EXCLUDES":
                pattern = like(f"%{value}%")
                return signed(modifier, lambda record: bool(pattern.fullmatch(read(record) or "")))
            case "MATCHES_REGEX" | "NOT_MATCHES_REGEX":
                pattern = regex(value)
                return signed(modifier, lambda record: bool(pattern.search(read(record) or "")))
            case "IS_NULL" | "NOT_NULL":
                return signed(modifier, lambda record: not (read(record) or "").strip())
        raise StashError(f"unsupported string modifier {modifier}")

    return criterion


def paths(read: Callable[[Any], Iterable[str]]) -> Callable[[Mapping[str, Any]], Predicate]:
    """A StringCriterionInput over the paths of a record; one match is enough."""

    def criterion(wanted: Mapping[str, Any]) -> Predicate:
        value, modifier = wanted["value"], wanted["modifier"]
        match modifier:
            case "EQUALS" | "NOT_EQUALS":
                patterns = [like(value)]
            case "INCLUDES" | "EXCLUDES":
                patterns = [like(f"%{word}%") for word in quoted_words(value)]
            case "MATCHES_REGEX" | "NOT_MATCHES_REGEX":
                pattern = regex(value)
                return signed(modifier, lambda record: any(pattern.search(path) for path in read(record)))
            case "IS_NULL" | "NOT_NULL":
                return signed(modifier, lambda record: not any(True for _ in read(record)))
            case _:
                raise StashError(f"unsupported path modifier {modifier}")
        return signed(modifier, lambda record: any(p.fullmatch(path) for p in patterns for path in read(record)))

    return criterion


def quoted_words(value: str) -> list[str]:
    """The value without its double quotes if it is quoted, else its words."""
    if len(value) > 1 and value.startswith('"') and value.endswith('"'):
        return [value[1:-1]]
    return value.split()


def ordered(read: Callable[[Any], Any]) -> Callable[[Mapping[str, Any]], Predicate]:
    """A criterion over a number, or over a time or date in its string form. Null matches IS_NULL only."""

    def criterion(wanted: Mapping[str, Any]) -> Predicate:
        low, high, modifier = wanted["value"], wanted.get("value2"), wanted["modifier"]
        compare = COMPARISONS.get(modifier)
        if compare is None:
            raise StashError(f"unsupported modifier {modifier}")
        if modifier in ("IS_NULL", "NOT_NULL"):
            return lambda record: compare(read(record), low, high)
        return lambda record: read(record) is not None and compare(read(record), low, high)

    return criterion


COMPARISONS: dict[str, Callable[[Any, Any, Any], bool]] = {
    "EQUALS": lambda value, low, high: value == low,
    "NOT_EQUALS": lambda value, low, high: value != low,
    "GREATER_THAN": lambda value, low, high: value > low,
    "LESS_THAN": lambda value, low, high: value < low,
    "BETWEEN": lambda value, low, high: low <= value <= (low if high is None else high),
    "NOT_BETWEEN": lambda value, low, high: not low <= value <= (low if high is None else high),
    "IS_NULL": lambda value, low, high: value is None,
    "NOT_NULL": lambda value, low, high: value is not None,
}


def members(
    read: Callable[[Any], Iterable[Any]], ancestors: Callable[[Any], Iterable[Any]] | None = None
) -> Callable[[Mapping[str, Any]], Predicate]:
    """A (Hierarchical)MultiCriterionInput over related records; with `depth`, descendants of a requested one count."""

    def criterion(wanted: Mapping[str, Any]) -> Predicate:
        ids, unwanted = numbers(wanted.get("value")), numbers(wanted.get("excludes"))
        depth, modifier = wanted.get("depth") or 0, wanted["modifier"]

        def reached(scene: Scene) -> set[int]:
            return {id_ for one in read(scene) for id_ in lineage(one, depth, ancestors)}

        compare = MEMBERSHIPS.get(modifier)
        if compare is None:
            raise StashError(f"unsupported multi modifier {modifier}")
        return lambda scene: compare(reached(scene), ids) and not (reached(scene) & unwanted)

    return criterion


MEMBERSHIPS: dict[str, Callable[[set[int], set[int]], bool]] = {
    "INCLUDES": lambda has, wanted: not wanted or bool(has & wanted),
    "INCLUDES_ALL": lambda has, wanted: has >= wanted,
    "EXCLUDES": lambda has, wanted: not has & wanted,
    "EQUALS": lambda has, wanted: has == wanted,
    "NOT_EQUALS": lambda has, wanted: has != wanted,
    "IS_NULL": lambda has, wanted: not has,
    "NOT_NULL": lambda has, wanted: bool(has),
}


def lineage(record: Any, depth: int, ancestors: Callable[[Any], Iterable[Any]] | None) -> set[int]:
    """The record's id and those of its ancestors up to `depth` levels; -1 is unlimited."""
    ids, level = {record.id}, [record]
    while depth and ancestors and level:
        level = [parent for one in level for parent in ancestors(one) if parent.id not in ids]
        ids |= {parent.id for parent in level}
        depth -= 1
    return ids


def related(
    read: Callable[[Any], Iterable[Any]], make: Callable[[Mapping[str, Any]], Predicate]
) -> Callable[[Mapping[str, Any]], Predicate]:
    """Scenes with at least one related record that matches a filter of its own."""

    def criterion(wanted: Mapping[str, Any]) -> Predicate:
        fits = make(wanted)
        return lambda scene: any(fits(one) for one in read(scene))

    return criterion


def missing(what: str) -> Predicate:
    """`is_missing`: scenes without this attribute."""
    if what not in ABSENCES:
        raise StashError(f"no such column: {what}")
    return ABSENCES[what]


def signed(modifier: str, positive: Predicate) -> Predicate:
    """The predicate itself, or its negation, by the modifier."""
    if modifier.startswith("NOT_") or modifier == "EXCLUDES":
        return lambda record: not positive(record)
    return positive


@lru_cache(maxsize=1024)
def like(pattern: str) -> re.Pattern[str]:
    """SQL's LIKE as a regular expression for a full match; only ASCII letters ignore case."""
    parts = (".*" if sign == "%" else "." if sign == "_" else re.escape(sign) for sign in pattern)
    return re.compile("".join(parts), re.IGNORECASE | re.ASCII | re.DOTALL)


@lru_cache(maxsize=1024)
def regex(pattern: str) -> re.Pattern[str]:
    """The compiled pattern; an invalid one is Stash's error."""
    try:
        return re.compile(pattern)
    except re.error as wrong:
        raise StashError(f"invalid regex: {wrong}") from None


def numbers(ids: Iterable[object] | None) -> set[int]:
    """Ids as numbers; raises StashError for an invalid one."""
    try:
        return {int(str(id_)) for id_ in ids or ()}
    except ValueError as wrong:
        raise StashError(f"converting ids: {wrong}") from None


def scene_paths(scene: Scene) -> list[str]:
    """The paths of all files."""
    return [file.path for file in scene.files]


def hashes(kind: str) -> Callable[[Mapping[str, Any]], Predicate]:
    """A StringCriterionInput over the scene's hashes of one kind."""
    return paths(lambda scene: [m.value for file in scene.files for m in file.fingerprints if m.type == kind])


def scene_studios(scene: Scene) -> list[Any]:
    """The studio as a list of one or none."""
    return [scene.studio] if scene.studio else []


def scene_tags(scene: Scene) -> tuple[Tag, ...]:
    """The tags."""
    return scene.tags


def studio_parents(studio: Studio) -> list[Studio]:
    """The studio above as a list of one or none."""
    return [studio.parent_studio] if studio.parent_studio else []


def tag_parents(tag: Tag) -> tuple[Tag, ...]:
    """The direct parents."""
    return tag.parents


TIMES: dict[str, Callable[[Any], Predicate]] = {
    "created_at": ordered(lambda record: record.created_at),
    "updated_at": ordered(lambda record: record.updated_at),
}

NAMED_CRITERIA: dict[str, Callable[[Any], Predicate]] = {
    **TIMES,
    "name": text(lambda record: record.name),
    "aliases": paths(lambda record: record.aliases),
    "disambiguation": text(lambda record: record.disambiguation),
    "parents": members(studio_parents),
}

FILE_CRITERIA: dict[str, Callable[[Any], Predicate]] = {
    **TIMES,
    "path": paths(lambda file: [file.path]),
    "basename": text(lambda file: file.basename),
    "mod_time": ordered(lambda file: file.mod_time),
}

SCENE_CRITERIA: dict[str, Callable[[Any], Predicate]] = {
    **TIMES,
    "id": ordered(lambda scene: scene.id),
    "title": text(lambda scene: scene.title),
    "code": text(lambda scene: scene.code),
    "details": text(lambda scene: scene.details),
    "director": text(lambda scene: scene.director),
    "oshash": hashes("oshash"),
    "checksum": hashes("md5"),
    "path": paths(scene_paths),
    "file_count": ordered(lambda scene: len(scene.files)),
    "rating100": ordered(lambda scene: scene.rating100),
    "organized": lambda wanted: lambda scene: scene.organized == wanted,
    "is_missing": missing,
    "studios": members(scene_studios, studio_parents),
    "groups": members(lambda scene: [place.group for place in scene.groups]),
    "tags": members(scene_tags, tag_parents),
    "tag_count": ordered(lambda scene: len(scene.tags)),
    "performers": members(lambda scene: scene.performers),
    "performer_count": ordered(lambda scene: len(scene.performers)),
    "date": ordered(lambda scene: scene.date),
    "last_played_at": ordered(last_played),
    "performers_filter": related(lambda scene: scene.performers, performer_filter),
    "studios_filter": related(scene_studios, studio_filter),
    "tags_filter": related(lambda scene: scene.tags, tag_filter),
    "groups_filter": related(lambda scene: [place.group for place in scene.groups], group_filter),
    "files_filter": related(lambda scene: scene.files, file_filter),
}


def lacks(name: str) -> Predicate:
    """Scenes whose attribute of that name is empty."""
    return lambda scene: not getattr(scene, name)


ABSENCES: dict[str, Predicate] = {
    **{name: lacks(name) for name in ("title", "code", "details", "director")},
    **{name: lacks(name) for name in ("date", "studio", "performers", "tags", "cover")},
    "rating": lambda scene: scene.rating100 is None,
    "url": lacks("urls"),
    "group": lacks("groups"),
    "movie": lacks("groups"),
    "stash_id": lacks("stash_ids"),
    "phash": lambda scene: not any(m.type == "phash" for file in scene.files for m in file.fingerprints),
}

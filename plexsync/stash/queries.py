"""Every query that is sent to Stash, in full, for Stash 0.28 and newer.

Queries name only the fields that are used. Lists are walked by id ("greater than the last one") and not by page number,
so a deletion during a walk skips nothing else.
"""

import unicodedata
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import combinations
from typing import TypedDict, Unpack

from plexsync.rules.queue.job import Kind
from plexsync.rules.words.text import caseless, compose

SCENE_FIELDS = """
fragment SceneFields on Scene {
  id title code details director date rating100 organized created_at updated_at
  studio { id name updated_at parent_studio { id name parent_studio { id name parent_studio { id name } } } }
  performers { ...PerformerFields }
  tags { ...TagFields }
  groups { scene_index group { id name updated_at } }
  files { ...FileFields }
  ...GalleryFields
}
"""

# Galleries are requested only if one of their pictures may be shown.
NO_GALLERIES = "fragment GalleryFields on Scene { id }\n"
GALLERIES = """
fragment GalleryFields on Scene {
  galleries { id cover { id updated_at visual_files { ... on ImageFile { format width height } } } }
}
"""

# Stash looks up the parents of each tag one by one, so they are requested only if they matter.
TAG_FIELDS = "fragment TagFields on Tag { id name }\n"
TAG_FIELDS_ABOVE = """
fragment TagFields on Tag {
  id name
  parents { id name parents { id name parents { id name } } }
}
"""

# The details of performers beside their names are requested only if they are shown.
PERFORMER_FIELDS = "fragment PerformerFields on Performer { id name }\n"
PERFORMER_FIELDS_ALL = "fragment PerformerFields on Performer { id name disambiguation alias_list gender }\n"

# The time of a file is requested only if it is shown.
FILE_FIELDS = "fragment FileFields on VideoFile { path size duration }\n"
FILE_FIELDS_TIMED = "fragment FileFields on VideoFile { path size duration mod_time }\n"
# What only the scope of scenes is about, by the kind of its term.
ON_REQUEST = {"stash_id": "stash_ids { endpoint }", "url": "urls"}

PROBE = "query Probe { systemStatus { status } }"

VERSION = "query Version { version { version } }"

CONFIG_PATH = "query ConfigPath { systemStatus { configPath } }"

PLUGINS = "query Plugins { plugins { id enabled version } }"

CONFIGURE_PLUGIN = """
mutation ConfigurePlugin($id: ID!, $settings: Map!) { configurePlugin(plugin_id: $id, input: $settings) }
"""

RUN_OPERATION = """
mutation RunOperation($id: ID!, $args: Map!) { runPluginOperation(plugin_id: $id, args: $args) }
"""

PLUGIN_SETTINGS = "query PluginSettings($ids: [ID!]) { configuration { plugins(include: $ids) } }"

WALK = """
query Walk($scenes: SceneFilterType, $page: FindFilterType) {
  findScenes(scene_filter: $scenes, filter: $page) {
    count
    scenes { ...SceneFields }
  }
}
"""

WALK_IDS = """
query WalkIds($scenes: SceneFilterType, $page: FindFilterType) {
  findScenes(scene_filter: $scenes, filter: $page) {
    count
    scenes { id updated_at }
  }
}
"""

RIVALS = """
query Rivals($scenes: SceneFilterType, $page: FindFilterType) {
  findScenes(scene_filter: $scenes, filter: $page) {
    count
    scenes { id files { path size duration } }
  }
}
"""

NEWEST = """
query Newest($page: FindFilterType, $last: FindFilterType) {
  scenes: findScenes(filter: $page) { count things: scenes { id updated_at } }
  last: findScenes(filter: $last) { count things: scenes { id updated_at } }
  performers: findPerformers(filter: $page) { count things: performers { id updated_at } }
  studios: findStudios(filter: $page) { count things: studios { id updated_at } }
  tags: findTags(filter: $page) { count things: tags { id updated_at } }
  groups: findGroups(filter: $page) { count things: groups { id updated_at } }
}
"""

# Stash's database on a picture: the cover is missing or, for others, the address shows that it is a default.
LACKS_COVER = """
query LacksCover($id: Int!) {
  found: findScenes(
    scene_filter: { id: { value: $id, modifier: EQUALS }, is_missing: "cover" }, filter: { per_page: 0 }
  ) { count }
}
"""

# By the kind and the end of the picture's path.
PICTURE = {
    ("studio", "image"): "query StudioPicture($id: ID!) { found: findStudio(id: $id) { path: image_path } }",
    ("group", "frontimage"): "query GroupPicture($id: ID!) { found: findGroup(id: $id) { path: front_image_path } }",
    ("group", "backimage"): "query GroupBack($id: ID!) { found: findGroup(id: $id) { path: back_image_path } }",
    ("tag", "image"): "query TagPicture($id: ID!) { found: findTag(id: $id) { path: image_path } }",
    ("performer", "image"): "query PerformerPicture($id: ID!) { found: findPerformer(id: $id) { path: image_path } }",
}

# From 0.29 on Stash can list files; a query checks that first.
NEWEST_FILES = "  files: findFiles(filter: $page) { count things: files { id updated_at } }\n"
NEWEST_AND_FILES = NEWEST.rstrip().removesuffix("}") + NEWEST_FILES + "}\n"

QUESTIONS = 'query Questions { __type(name: "Query") { fields { name } } }'

RECENT_FILES = """
query RecentFiles($page: FindFilterType) {
  found: findFiles(filter: $page) { count files { __typename path updated_at } }
}
"""

# What Stash calls several of each kind.
PLURALS = {
    Kind.SCENE: "Scenes",
    Kind.PERFORMER: "Performers",
    Kind.STUDIO: "Studios",
    Kind.TAG: "Tags",
    Kind.GROUP: "Groups",
}
RECENT = {
    kind: f"query Recent{name}($page: FindFilterType) "
    f"{{ found: find{name}(filter: $page) {{ count things: {name.lower()} {{ id updated_at }} }} }}"
    for kind, name in PLURALS.items()
}


class SceneExtras(TypedDict, total=False):
    """What is requested of a scene only if it matters: the names of its tags' parents (`tags_above`), more of its
    performers than their names (`people`), when its files were changed (`file_times`), its `galleries`, and what these
    kinds of terms of a scope are about (`extra`, of `ON_REQUEST`).
    """

    tags_above: bool
    people: bool
    file_times: bool
    galleries: bool
    extra: Collection[str]


def fragments(**more: Unpack[SceneExtras]) -> str:
    """The fields of a scene, with these extras."""
    fields = SCENE_FIELDS
    if extra := more.get("extra"):
        asked = " ".join(ON_REQUEST[kind] for kind in sorted(extra))
        fields = f"{SCENE_FIELDS.rstrip().removesuffix('}')}  {asked}\n}}\n"
    tags = TAG_FIELDS_ABOVE if more.get("tags_above") else TAG_FIELDS
    people = PERFORMER_FIELDS_ALL if more.get("people") else PERFORMER_FIELDS
    files = FILE_FIELDS_TIMED if more.get("file_times") else FILE_FIELDS
    galleries = GALLERIES if more.get("galleries") else NO_GALLERIES
    return fields + tags + people + files + galleries


def walk(**more: Unpack[SceneExtras]) -> str:
    """The query for a page of full scenes."""
    return WALK + fragments(**more)


def scenes(ids: Sequence[int], **more: Unpack[SceneExtras]) -> str:
    """One query for many scenes, each under the alias `s<id>`.

    `findScenes(ids:)` fails as a whole if one of them is missing; `findScene` answers null. Raises ValueError for an id
    that is not a plain positive number: ids are the only values that are written into a query.
    """
    return each_scene("Scenes", ids, "...SceneFields") + fragments(**more)


def each_scene(name: str, ids: Sequence[int], fields: str) -> str:
    """One query for these fields of each of these scenes, under the alias `s<id>`."""
    aliases = "\n".join(f"  s{id}: findScene(id: {id}) {{ {fields} }}" for id in check_ids(ids))
    return f"query {name} {{\n{aliases}\n}}\n"


def existing(ids: Sequence[int]) -> str:
    """One query for which of these scenes exist, each under the alias `s<id>`, and for the number of all scenes."""
    aliases = "\n".join(f"  s{id}: findScene(id: {id}) {{ id }}" for id in check_ids(ids))
    return f"query Existing {{\n  all: findScenes(filter: {{ per_page: 0 }}) {{ count }}\n{aliases}\n}}\n"


def check_ids(ids: Sequence[int]) -> Sequence[int]:
    """These ids; raises ValueError for one that is not a plain positive number."""
    for id in ids:
        if type(id) is not int or id < 0:
            raise ValueError("a scene is named by a number")
    return ids


def page(size: int, *, sort: str, number: int = 1, descending: bool = False) -> dict[str, object]:
    """A FindFilterType: page number, page size and order."""
    return {"page": number, "per_page": size, "sort": sort, "direction": "DESC" if descending else "ASC"}


def above(id: int, **more: object) -> dict[str, object]:
    """A SceneFilterType: scenes with a greater id, and any further conditions."""
    return {"id": {"value": id, "modifier": "GREATER_THAN"}, **more}


def showing(kind: Kind, id: int) -> dict[str, object]:
    """The SceneFilterType condition for scenes with this performer, studio, tag or group, or a child of it."""
    below = {"depth": -1} if kind in (Kind.STUDIO, Kind.TAG) else {}
    return {f"{kind}s": {"value": [str(id)], "modifier": "INCLUDES", **below}}


def path_filter(names: Iterable[str]) -> dict[str, object]:
    """A SceneFilterType: scenes with a file of one of these base names, or of another one that the pattern matches."""
    return {"path": {"value": _pattern(names), "modifier": "MATCHES_REGEX"}}


# --- the pattern that finds files by base name, in Go's regular expression syntax (RE2) ------------------------------

_SPECIAL = frozenset("\\.+*?()|[]{}^$")
# Letters that one character can stand for, as "ß" does for "ss": case folding separates them, Go's patterns don't.
_JOINABLE = frozenset("filst")
_LIGATURES = frozenset("ßẞ\ufb00\ufb01\ufb02\ufb03\ufb04\ufb05\ufb06")
# The longest sequence that Unicode composes into one character, and the longest whose compositions are listed.
_COMPOSED, _LISTED = 4, 8


def _pattern(names: Iterable[str]) -> str:
    """A pattern for every path that ends in one of these base names, in any case and Unicode form (also a mixed one).

    The separator is that of Stash's machine; a path may also be the name alone. The pattern matches too much rather
    than too little, so the results have to be checked again.
    """
    patterns = dict.fromkeys(names)
    # Also the names as they are: a few characters have forms that can't be derived from the folded one.
    forms = {"".join(map(_any_form, _parts(caseless(name)))) for name in patterns} | {_quote(name) for name in patterns}
    return r"(?i)(?:^|[/\\])(?:" + "|".join(sorted(forms)) + ")$"


def _parts(folded: str) -> Iterator[str]:
    """Split the text into single characters with their marks, and letter groups that ligatures stand for."""
    part = ""
    for char in folded:
        joins = part[:1] in ("f", "s") and char in _JOINABLE and _JOINABLE.issuperset(part)
        if part and not joins and not unicodedata.combining(char):
            yield part
            part = ""
        part += char
    if part:
        yield part


def _any_form(part: str) -> str:
    """A pattern for a piece in all its written forms."""
    letters = unicodedata.normalize("NFD", part)
    if len(letters) == 1:
        return _quote(part)
    if len(letters) > _LISTED:
        return rf"[^/\\]{{1,{len(letters)}}}"
    together = ("".join(some) for size in range(2, _COMPOSED + 1) for some in combinations(letters, size))
    forms = {char for some in together for char in compose(some) + compose(some.upper())}
    ligatures = _LIGATURES if _JOINABLE.issuperset(part) else ()
    return f"[{''.join(sorted({*letters, *forms, *ligatures}))}]{{1,{len(letters)}}}"


def _quote(text: str) -> str:
    return "".join(f"\\{char}" if char in _SPECIAL else char for char in text)

"""The queries about the sources of collections: objects with texts and pictures, their stamps, and orders of groups."""

from collections.abc import Callable, Mapping, Sequence

from plexsync.rules.collections.collections import MOST_TENTHS
from plexsync.stash import queries

STUDIO_SOURCE = """
fragment StudioSource on Studio {
  id name summary: details parent_studio { name } picture: image_path updated_at scenes: scene_count
  scenes_below: scene_count(depth: -1)
}
"""
GROUP_SOURCE = """
fragment GroupSource on Group {
  id name summary: synopsis picture: front_image_path background: back_image_path updated_at scenes: scene_count
}
"""
TAG_SOURCE = """
fragment TagSource on Tag {
  id name summary: description picture: image_path updated_at scenes: scene_count scenes_below: scene_count(depth: -1)
}
"""
PERFORMER_SOURCE = """
fragment PerformerSource on Performer {
  id name summary: details disambiguation picture: image_path updated_at scenes: scene_count
}
"""

# For each source with a name: the field of the query, the name of its fragment, and that.
FRAGMENTS = {
    "studio": ("findStudio", "StudioSource", STUDIO_SOURCE),
    "group": ("findGroup", "GroupSource", GROUP_SOURCE),
    "tag": ("findTag", "TagSource", TAG_SOURCE),
    "performer": ("findPerformer", "PerformerSource", PERFORMER_SOURCE),
}

STAMPS = {
    source: f"query {source.title()}Stamps($page: FindFilterType) "
    f"{{ listed: find{source.title()}s(filter: $page) {{ count objects: {source}s {{ id updated_at }} }} }}"
    for source in FRAGMENTS
}

# What a studio or tag counts with those below it.
BELOW = dict.fromkeys(("studio", "tag"), " scenes_below: scene_count(depth: -1)")
# Stash counts the scenes of each object one by one, so they are requested only if they matter.
COUNTED_STAMPS = {
    source: query.replace("updated_at }", f"updated_at scenes: scene_count{BELOW.get(source, '')} }}")
    for source, query in STAMPS.items()
}

GROUP_SCENES = """
query GroupScenes($scenes: SceneFilterType, $page: FindFilterType) {
  findScenes(scene_filter: $scenes, filter: $page) {
    count
    scenes { id groups { group { id } scene_index } }
  }
}
"""

PLAYLIST_TAGS = f"""
query PlaylistTags($named: TagFilterType, $aliased: TagFilterType, $page: FindFilterType) {{
  named: findTags(tag_filter: $named, filter: $page) {{ tags {{ id name aliases children {{ ...TagSource }} }} }}
  aliased: findTags(tag_filter: $aliased, filter: $page) {{ tags {{ id name aliases children {{ ...TagSource }} }} }}
}}
{TAG_SOURCE}"""
TAG_SCENES = """
query TagScenes($scenes: SceneFilterType, $page: FindFilterType) {
  findScenes(scene_filter: $scenes, filter: $page) {
    count
    scenes { id title date created_at files { path } tags { id } }
  }
}
"""

# The largest rating in Stash.
MOST = 100


def objects(wanted: Mapping[str, Sequence[int]]) -> str:
    """One query for these objects by source, each under the alias `<source><id>`.

    Raises ValueError for an unknown source, and for an id that is not one of it.
    """
    lines: list[str] = []
    for source, ids in wanted.items():
        lines += [f"  {source}{id}: {_field(source)(id)}" for id in queries.check_ids(ids)]
    parts = [FRAGMENTS[source][2] for source, ids in wanted.items() if source in FRAGMENTS and ids]
    return "query Sources {\n" + "\n".join(lines) + "\n}\n" + "".join(parts)


def in_groups(ids: Sequence[int]) -> dict[str, object]:
    """The SceneFilterType condition for scenes that are in one of these groups."""
    return {"groups": {"value": [str(id) for id in ids], "modifier": "INCLUDES"}}


def with_tags(ids: Sequence[int]) -> dict[str, object]:
    """The SceneFilterType condition for scenes that have one of these tags itself."""
    return {"tags": {"value": [str(id) for id in ids], "modifier": "INCLUDES", "depth": 0}}


def _field(source: str) -> Callable[[int], str]:
    if source in FRAGMENTS:
        query, fragment, _ = FRAGMENTS[source]
        return lambda id: f"{query}(id: {id}) {{ ...{fragment} }}"
    if source == "rating":
        return lambda id: _count_query(_rating_condition(id))
    if source == "organized":
        return lambda _: _count_query("organized: true")
    raise ValueError("no source of collections")


def _rating_condition(tenths: int) -> str:
    """The condition for the ratings of 1 to 100 that are so many tenths, rounded half up; at least one tenth."""
    if not 1 <= tenths <= MOST_TENTHS:
        raise ValueError("a rating is one to ten tenths")
    least = 1 if tenths == 1 else 10 * tenths - 5
    return f"rating100: {{ value: {least}, value2: {min(10 * tenths + 4, MOST)}, modifier: BETWEEN }}"


def _count_query(condition: str) -> str:
    return f"findScenes(scene_filter: {{ {condition} }}, filter: {{ per_page: 0 }}) {{ scenes: count }}"

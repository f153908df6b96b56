"""The queries of an import: names in Stash, the fields that it fills, and what it creates."""

from collections.abc import Sequence

from plexsync.rules.merge.import_records import NameKind
from plexsync.stash import queries

IMPORT_FIELDS = """
fragment ImportFields on Scene {
  id created_at title details date rating100
  studio { id created_at } performers { id created_at } tags { id created_at }
}
"""

FILL = (
    """
mutation Fill($input: SceneUpdateInput!) { scene: sceneUpdate(input: $input) { ...ImportFields } }
"""
    + IMPORT_FIELDS
)

PERFORMER_NAMES = """
query PerformerNames($page: FindFilterType) {
  listed: findPerformers(filter: $page) { count objects: performers { id name disambiguation aliases: alias_list gender } }
}
"""

STUDIO_NAMES = """
query StudioNames($page: FindFilterType) {
  listed: findStudios(filter: $page) {
    count
    objects: studios {
      id name aliases
      parent_studio { id name parent_studio { id name parent_studio { id name } } }
    }
  }
}
"""

TAG_NAMES = """
query TagNames($page: FindFilterType) {
  listed: findTags(filter: $page) { count objects: tags { id name aliases } }
}
"""

# Stash looks up the parents of each tag one by one, so they are requested only if they matter.
TAG_NAMES_ABOVE = """
query TagNames($page: FindFilterType) {
  listed: findTags(filter: $page) {
    count
    objects: tags { id name aliases parents { id name parents { id name parents { id name } } } }
  }
}
"""

CREATE = {
    kind: f"mutation Create{kind.title()}($name: String!) "
    f"{{ object: {kind}Create(input: {{ name: $name }}) {{ id name updated_at }} }}"
    for kind in NameKind
}

USES = {
    NameKind.PERFORMER: """
query PerformerUses($id: ID!) {
  object: findPerformer(id: $id) { id name updated_at scene_count image_count gallery_count group_count }
}
""",
    NameKind.STUDIO: """
query StudioUses($id: ID!) {
  object: findStudio(id: $id) {
    id name updated_at scene_count image_count gallery_count group_count performer_count child_studios { id }
  }
}
""",
    NameKind.TAG: """
query TagUses($id: ID!) {
  object: findTag(id: $id) {
    id name updated_at scene_count image_count gallery_count group_count performer_count scene_marker_count studio_count
    child_count
  }
}
""",
}

DESTROY = {
    kind: f"mutation Destroy{kind.title()}($id: ID!) {{ gone: {kind}Destroy(input: {{ id: $id }}) }}"
    for kind in NameKind
}


def import_fields(ids: Sequence[int]) -> str:
    """One query for the fields of these scenes, each under the alias `s<id>`."""
    return queries.each_scene("ImportFields", ids, "...ImportFields") + IMPORT_FIELDS

"""Performers, tags and studios that a request creates in the simulated Stash.

Read in Stash's public source, not measured:

* A name must not be blank, and is unique without regard to case: a performer's among those with the same
  disambiguation, a tag's and a studio's also among the aliases of the others.
* The hook gets the input, without the list of its fields. `created_at` and `updated_at` are equal.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from plexsync.simulator.stash_graphql import Resolver, StashError
from plexsync.simulator.stash_hooks import Event, Visited
from plexsync.simulator.stash_model import Performer, StashData, Studio, Tag, decoded_image, found

Fire = Callable[[list[Event], Visited], None]
# The counts of things that the simulated Stash has none of.
NONE_OF = ("image_count", "gallery_count", "scene_marker_count", "performer_count", "studio_count")


class Creates:
    """Creates records as a request does; `fire` starts the hooks."""

    def __init__(self, data: StashData, fire: Fire) -> None:
        self._data = data
        self._fire = fire

    def mutations(self) -> dict[str, Resolver]:
        """The fields of Mutation."""
        return {
            "performerCreate": lambda _, asking, input: self.performer(input, asking.visited),
            "tagCreate": lambda _, asking, input: self.tag(input, asking.visited),
            "studioCreate": lambda _, asking, input: self.studio(input, asking.visited),
        }

    def performer(self, values: Mapping[str, Any], visited: Visited) -> Performer:
        """performerCreate; raises StashError if the name is taken, with this disambiguation."""
        with self._data.lock:
            disambiguation = values.get("disambiguation") or ""
            rivals = [one for one in self._data.performers.values() if one.disambiguation == disambiguation]
            name = _free("performer", values["name"], [(one.name, ()) for one in rivals])
            now = self._data.stamp()
            performer = Performer(
                self._data.new_id("performer"),
                name,
                now,
                now,
                disambiguation=disambiguation,
                gender=values.get("gender"),
                alias_list=tuple(values.get("alias_list") or ()),
                image=_image(values),
            )
            self._data.performers[performer.id] = performer
        self._fire([Event("Performer.Create.Post", performer.id, dict(values))], visited)
        return performer

    def tag(self, values: Mapping[str, Any], visited: Visited) -> Tag:
        """tagCreate; raises StashError if a tag has the name, or has it as an alias."""
        with self._data.lock:
            name = _free("tag", values["name"], [(one.name, one.aliases) for one in self._data.tags.values()])
            now = self._data.stamp()
            tag = Tag(
                self._data.new_id("tag"),
                name,
                now,
                now,
                sort_name=values.get("sort_name") or "",
                description=values.get("description") or "",
                aliases=tuple(values.get("aliases") or ()),
                ignore_auto_tag=bool(values.get("ignore_auto_tag")),
                parents=tuple(found(self._data.tags, id_, "tag") for id_ in values.get("parent_ids") or ()),
                image=_image(values),
            )
            self._data.tags[tag.id] = tag
        self._fire([Event("Tag.Create.Post", tag.id, dict(values))], visited)
        return tag

    def studio(self, values: Mapping[str, Any], visited: Visited) -> Studio:
        """studioCreate; raises StashError if a studio has the name, or has it as an alias."""
        with self._data.lock:
            name = _free("studio", values["name"], [(one.name, one.aliases) for one in self._data.studios.values()])
            parent, now = values.get("parent_id"), self._data.stamp()
            studio = Studio(
                self._data.new_id("studio"),
                name,
                now,
                now,
                parent_studio=None if parent is None else found(self._data.studios, parent, "studio"),
                aliases=tuple(values.get("aliases") or ()),
                image=_image(values),
            )
            self._data.studios[studio.id] = studio
        self._fire([Event("Studio.Create.Post", studio.id, dict(values))], visited)
        return studio


def used_by(data: StashData) -> dict[str, dict[str, Resolver]]:
    """The fields that count what uses a performer, a tag or a studio, besides scenes, by type."""
    none: dict[str, Resolver] = dict.fromkeys(NONE_OF, nothing)
    no_groups = {**none, "group_count": nothing}

    def groups(studio: Any, _: Any, depth: int | None = None) -> int:
        return sum(group.studio is studio for group in data.groups.values())

    def children(tag: Any, _: Any) -> int:
        return sum(tag in other.parents for other in data.tags.values())

    return {
        "Performer": no_groups,
        "Tag": {**no_groups, "child_count": children},
        "Studio": {**none, "group_count": groups},
    }


def nothing(_: Any, __: Any, depth: int | None = None) -> int:
    """The number of things of a kind that is not simulated."""
    return 0


def _free(kind: str, name: str, others: Iterable[tuple[str, Iterable[str]]]) -> str:
    """The name, if it is free; raises StashError otherwise."""
    if not name:
        raise StashError(f"{kind} name must not be blank")
    for other, aliases in others:
        if other.casefold() == name.casefold():
            raise StashError(f"{kind} with name '{name}' already exists")
        if name.casefold() in {alias.casefold() for alias in aliases}:
            raise StashError(f"name '{name}' is used as alias for '{other}'")
    return name


def _image(values: Mapping[str, Any]) -> bytes | None:
    return decoded_image(values["image"]) if values.get("image") else None

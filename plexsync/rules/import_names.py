"""The fields that an import can fill, and the names of studios, performers and tags in Stash."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from plexsync.rules.text import fold


class NameKind(StrEnum):
    """A kind of object in Stash that a scene names."""

    STUDIO = "studio"
    PERFORMER = "performer"
    TAG = "tag"


class StashField(StrEnum):
    """A field of a scene that an import can fill, by its name in Stash's update; in the order of the preview."""

    TITLE = "title"
    DATE = "date"
    DETAILS = "details"
    RATING = "rating100"
    STUDIO = "studio_id"
    PERFORMERS = "performer_ids"
    TAGS = "tag_ids"

    @property
    def word(self) -> str:
        """The field in words."""
        return {"rating100": "rating", "studio_id": "studio", "performer_ids": "performers", "tag_ids": "tags"}.get(
            self.value, self.value
        )


# The field of an item that has the value of each field in Stash.
IN_PLEX = {
    StashField.TITLE: "title",
    StashField.DATE: "originallyAvailableAt",
    StashField.DETAILS: "summary",
    StashField.RATING: "userRating",
    StashField.STUDIO: "studio",
    StashField.PERFORMERS: "actor",
    StashField.TAGS: "genre",
}


KIND_OF = {
    StashField.STUDIO: NameKind.STUDIO,
    StashField.PERFORMERS: NameKind.PERFORMER,
    StashField.TAGS: NameKind.TAG,
}


@dataclass(frozen=True)
class StashName:
    """A performer, studio or tag in Stash. `above`: the names of its parents, nearest first. id 0: it is to be created."""

    id: int
    name: str
    aliases: tuple[str, ...] = ()
    above: tuple[str, ...] = ()
    disambiguation: str = ""
    gender: str = ""


class Names:
    """The names of one kind in Stash. Spacing, case and Unicode form make no difference."""

    def __init__(self, objects: Iterable[StashName] = ()) -> None:
        self.last_id = 0
        self._by_name: dict[str, list[StashName]] = {}
        self._by_alias: dict[str, list[StashName]] = {}
        for entry in objects:
            self.last_id = max(self.last_id, entry.id)
            self._by_name.setdefault(fold(entry.name), []).append(entry)
            for alias in entry.aliases:
                self._by_alias.setdefault(fold(alias), []).append(entry)

    def named(self, name: str) -> list[StashName]:
        """Everything with this name."""
        return self._by_name.get(fold(name), [])

    def find(self, name: str) -> list[StashName]:
        """Everything with this name; if there is nothing, everything with this alias."""
        return self.named(name) or self._by_alias.get(fold(name), [])


AllNames = Mapping[NameKind, Names]


@dataclass(frozen=True)
class MissingName:
    """A name that Stash does not have."""

    kind: NameKind
    name: str


def once(names: Iterable[MissingName]) -> Iterator[MissingName]:
    """Each name once, in its first spelling."""
    listed: set[tuple[NameKind, str]] = set()
    for name in names:
        if (name.kind, fold(name.name)) not in listed:
            listed.add((name.kind, fold(name.name)))
            yield name

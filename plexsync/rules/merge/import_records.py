"""Records of an import: the fields and names of Stash, what was changed, and what a kill has left open.

Values are kept as the JSON that Stash answered, so that an undo restores exactly what was there: a missing text and an
empty one differ. Lists are the ids in ascending order.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field, replace
from enum import StrEnum

from plexsync.rules.merge.taken_back import TakenBack
from plexsync.rules.record_class import record
from plexsync.rules.words.text import fold


class NameKind(StrEnum):
    """A kind of object in Stash that a scene names."""

    STUDIO = "studio"
    PERFORMER = "performer"
    TAG = "tag"


class StashField(StrEnum):
    """A field of a scene that an import can fill, by its name in Stash's update; in the order of the preview.

    `in_plex` is the field of an item that has its value, `word` its name for people, `kind` that of the objects it names.
    """

    in_plex: str
    word: str
    kind: NameKind | None

    def __new__(cls, name: str, in_plex: str, word: str, kind: NameKind | None = None) -> "StashField":
        """The member with these names."""
        field = str.__new__(cls, name)
        field._value_, field.in_plex, field.word, field.kind = name, in_plex, word, kind
        return field

    TITLE = ("title", "title", "title")
    DATE = ("date", "originallyAvailableAt", "date")
    DETAILS = ("details", "summary", "details")
    RATING = ("rating100", "userRating", "rating")
    STUDIO = ("studio_id", "studio", "studio", NameKind.STUDIO)
    PERFORMERS = ("performer_ids", "actor", "performers", NameKind.PERFORMER)
    TAGS = ("tag_ids", "genre", "tags", NameKind.TAG)


@record
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

    def with_name(self, name: str) -> list[StashName]:
        """Everything with this name."""
        return self._by_name.get(fold(name), [])

    def find(self, name: str) -> list[StashName]:
        """Everything with this name; if there is nothing, everything with this alias."""
        return self.with_name(name) or self._by_alias.get(fold(name), [])


AllNames = Mapping[NameKind, Names]


@record
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


@record
class StashFields:
    """The fields that an import can fill, as Stash has them: JSON by field. `created_at` tells apart scenes of one id.

    `named_at` are the times of creation of the objects that a field names, in the order of their ids.
    """

    id: int
    created_at: str
    values: Mapping[StashField, str]
    named_at: Mapping[StashField, tuple[str, ...]] = field(default_factory=dict)

    def is_empty(self, name: StashField) -> bool:
        """Whether Stash has no value in this field."""
        value = json.loads(self.values[name])
        return not (value.strip() if isinstance(value, str) else value)

    def origin(self, name: StashField) -> str:
        """What tells apart this field and its objects from those that get the same ids after a restore of Stash."""
        return " ".join((self.created_at, *self.named_at.get(name, ())))


@record
class StashObject:
    """A performer, studio or tag. `uses`: by how many other things it is used. `updated_at` shows whether it was edited."""

    id: int
    name: str
    updated_at: str
    uses: int = 0


@record
class ImportChange:
    """A change that an import makes: a field of a scene, or an object that it creates (scene 0).

    `target` is a field or a kind of object, `object` the id of the object once it is known. Of a field, the values
    before and after are JSON; of an object, `value_before` is the last id of its kind before it, and `value_after` its
    name. `origin` is the time of creation of the scene, followed by those of the objects that its field was filled with if
    they are known; of an object, the time of its last change when it was created. While it `is_open`, the request that
    makes it, or that takes it back, was about to be sent: whether it arrived is unknown.
    """

    number: int
    run: int
    scene: int
    target: str
    object: int
    value_before: str
    value_after: str
    origin: str
    changed_at: int = 0
    is_open: bool = True
    taken_back: TakenBack = TakenBack.NO

    @property
    def field(self) -> StashField | None:
        """The field that was filled; None for an object."""
        return next(field for field in StashField if field == self.target) if self.scene else None

    @property
    def kind(self) -> NameKind | None:
        """The kind of the object that was created; None for a field."""
        return None if self.scene else NameKind(self.target)

    def is_of(self, scene: StashFields) -> bool:
        """Whether it was made in this scene, and not in another one that had its id."""
        return self.origin.partition(" ")[0] == scene.created_at

    @property
    def is_taken_back(self) -> bool:
        """Whether it was taken back for certain."""
        return bool(self.taken_back) and not self.is_open


def settle_field(change: ImportChange, present: StashFields | None, *, is_over: bool) -> ImportChange | None:
    """An open change of a field as Stash shows it now; None if nothing was changed.

    While the request may still arrive, a field without its effect stays open. A value of somebody else counts as
    written over what the import wrote: an undo leaves it alone.
    """
    name = change.field
    if present is None or name is None or not change.is_of(present):
        return None
    value = present.values[name]
    start, end = change.value_before, change.value_after
    if change.taken_back:
        if value == end:
            return replace(change, is_open=False, taken_back=TakenBack.NO) if is_over else change
        return replace(change, is_open=False, taken_back=TakenBack.UNDO if value == start else TakenBack.NO)
    if value != start:
        return replace(change, is_open=False, origin=present.origin(name) if value == end else change.origin)
    return None if is_over else change


def settle_object(change: ImportChange, present: StashObject | None, *, is_over: bool) -> ImportChange | None:
    """An open change of an object by whether it is there; None if nothing was created."""
    if change.taken_back:
        if present is None:
            return replace(change, is_open=False)
        return replace(change, is_open=False, taken_back=TakenBack.NO) if is_over else change
    if present is not None:
        return replace(change, is_open=False, object=present.id, origin=present.updated_at)
    return None if is_over else change

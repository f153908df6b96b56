"""Records of an import: the fields of a scene as Stash has them, what was changed, and what a kill has left open.

Values are kept as the JSON that Stash answered, so that an undo restores exactly what was there: a missing text and an
empty one differ. Lists are the ids in ascending order.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace

from plexsync.rules.import_names import NameKind, StashField
from plexsync.rules.taken_back import TakenBack


@dataclass(frozen=True)
class StashFields:
    """The fields that an import can fill, as Stash has them: JSON by field. `created_at` tells apart scenes of one id."""

    id: int
    created_at: str
    values: Mapping[StashField, str]

    def is_empty(self, name: StashField) -> bool:
        """Whether Stash has no value in this field."""
        value = json.loads(self.values[name])
        return not (value.strip() if isinstance(value, str) else value)


@dataclass(frozen=True)
class StashObject:
    """A performer, studio or tag. `uses`: by how many other things it is used. `updated_at` shows whether it was edited."""

    id: int
    name: str
    updated_at: str
    uses: int = 0


@dataclass(frozen=True)
class ImportChange:
    """A change that an import makes: a field of a scene, or an object that it creates (scene 0).

    `target` is a field or a kind of object, `object` the id of the object once it is known. Of a field, the values
    before and after are JSON; of an object, `value_before` is the last id of its kind before it, and `value_after` its
    name. `origin` is the time of creation of the scene, or of the last change of the object when it was created. While it
    `is_open`, the request that makes it, or that takes it back, was about to be sent: whether it arrived is unknown.
    """

    number: int
    run: int
    scene: int
    target: str
    object: int
    value_before: str
    value_after: str
    origin: str
    changed_at: int
    is_open: bool = True
    taken_back: TakenBack = TakenBack.NO

    @property
    def field(self) -> StashField | None:
        """The field that was filled; None for an object."""
        return StashField(self.target) if self.scene else None

    @property
    def kind(self) -> NameKind | None:
        """The kind of the object that was created; None for a field."""
        return None if self.scene else NameKind(self.target)

    @property
    def is_taken_back(self) -> bool:
        """Whether it was taken back for certain."""
        return bool(self.taken_back) and not self.is_open

    def is_over(self, ended: int, longest: int) -> bool:
        """Whether the request can have no effect any more: what takes until `ended` (UTC ms) has ended for certain.

        `longest`: how long one can take, in ms.
        """
        return self.changed_at + longest <= ended


def settle_field(change: ImportChange, present: StashFields | None, *, is_over: bool) -> ImportChange | None:
    """An open change of a field as Stash shows it now; None if nothing was changed.

    While the request may still arrive, a field without its effect stays open. A value of somebody else counts as
    written over what the import wrote: an undo leaves it alone.
    """
    name = change.field
    if present is None or name is None or present.created_at != change.origin:
        return None
    value = present.values[name]
    start, end = change.value_before, change.value_after
    if change.taken_back:
        if value == end:
            return replace(change, is_open=False, taken_back=TakenBack.NO) if is_over else change
        return replace(change, is_open=False, taken_back=TakenBack.UNDO if value == start else TakenBack.NO)
    if value != start:
        return replace(change, is_open=False)
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

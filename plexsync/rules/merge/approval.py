"""Changes that you approved one by one: how they are written down, and what a plan keeps of them.

An approval can't bring a value of its own into Plex. It names changes that a plan had, and only a change that a later plan
has too, from the same value to the same value, is kept.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

from plexsync.rules.item import FIELDS, LISTS, PICTURES, Item, beside_whom
from plexsync.rules.merge.list_members import is_outside_cast
from plexsync.rules.merge.plan_records import Change, Plan
from plexsync.rules.merge.values import Held, Value, held_field, matches, name_keys
from plexsync.rules.record_class import record
from plexsync.rules.servers.errors import Unusable

LARGEST_ID = 2**63 - 1
Document = Mapping[str, object]


@record
class FieldChange:
    """The change of one field. `adds` and `removes` are the names that a list would gain and lose."""

    field: str
    old: Held
    new: Held
    adds: tuple[str, ...] = ()
    removes: tuple[str, ...] = ()


@record
class ApprovedScene:
    """The approved changes of one scene, by the rating key of its items and by field."""

    id: int
    items: Mapping[str, Mapping[str, FieldChange]]
    title: str = ""

    @property
    def count(self) -> int:
        """The number of changes."""
        return sum(map(len, self.items.values()))


@record
class Approval:
    """An approval that the worker has not carried out yet.

    It is void once the scene was wanted for another reason: `rev` is the job's `wanted_rev` at that time. `take_over`: the
    changes were planned for taking over what was in Plex.
    """

    rev: int
    scene: ApprovedScene
    take_over: bool = False


class NoLongerTrue(Exception):
    """An approved change is no longer the one that would be made. The message is the end of a sentence about its scene."""


def field_change(name: str, now: Held, change: Change) -> FieldChange:
    """A planned change of a field that has this value now."""
    value = now.value if change.value is None else change.value
    locked = now.locked if change.lock is None else change.lock
    return FieldChange(name, now, Held(value, locked), change.adds, change.removes)


def narrow_plan(planned: Plan, item: Item, approved: Mapping[str, FieldChange]) -> Plan:
    """The plan with nothing but the approved changes. Raises NoLongerTrue if it has one of them otherwise.

    What is shown beside a cast member is left out as long as the member is.
    """
    for name, change in planned.edit.items():
        if name in approved:
            _check(approved[name], field_change(name, held_field(item, name), change))
    agreed = planned.edit.keys() & approved.keys()
    actors = planned.edit["actor"].value if "actor" in agreed else None
    cast = name_keys(item.lists.get("actor", ()) if actors is None else actors)
    agreed -= {name for name in agreed if is_outside_cast(name, cast)}
    return replace(
        planned,
        edit={name: change for name, change in planned.edit.items() if name in agreed},
        sending={name: sent for name, sent in planned.sending.items() if name in agreed},
    )


def remaining(planned: Plan, item: Item, approved: Mapping[str, FieldChange]) -> int:
    """How many of the approved changes are still to be made; the others are there already. Raises NoLongerTrue."""
    count = 0
    for name, change in approved.items():
        now = held_field(item, name)
        if name in planned.edit:
            _check(change, field_change(name, now, planned.edit[name]))
            count += 1
        elif not matches(name, now, change.new):
            raise NoLongerTrue(f"{shown_name(name)} would not be changed any more")
    return count


def shown_name(name: str) -> str:
    """The name of a field in a sentence."""
    about = beside_whom(name)
    return f"its {about[0]} of {about[1]}" if about else f"its {name}"


def _check(approved: FieldChange, planned: FieldChange) -> None:
    if not matches(approved.field, approved.old, planned.old):
        raise NoLongerTrue(f"{shown_name(approved.field)} has changed in Plex")
    same_names = name_keys(approved.removes) == name_keys(planned.removes)
    if (approved.new.value, approved.new.locked) != (planned.new.value, planned.new.locked) or not same_names:
        raise NoLongerTrue(f"{shown_name(approved.field)} would become something else now")


# --- as JSON ---------------------------------------------------------------------------------------------------------


def document_of(approval: Approval) -> str:
    """An approval as text, for the database."""
    items = [
        {"key": key, "fields": [change_document(change) for change in fields.values()]}
        for key, fields in approval.scene.items.items()
    ]
    return json.dumps({"rev": approval.rev, "take_over": approval.take_over, "id": approval.scene.id, "items": items})


def approval_in(text: str) -> Approval | None:
    """The approval in such a text; None if there is none in it."""
    try:
        document = json.loads(text)
        return Approval(int(document["rev"]), scene_in(document), bool(document["take_over"]))
    except (ValueError, TypeError, KeyError, Unusable, RecursionError):
        return None


def change_document(change: FieldChange) -> dict[str, object]:
    """A change, named as in the output of a dry run."""
    return {
        "field": change.field,
        "old": change.old.value,
        "new": change.new.value,
        "adds": list(change.adds),
        "removes": list(change.removes),
        "was_locked": change.old.locked,
        "locked": change.new.locked,
    }


def scene_in(document: object) -> ApprovedScene:
    """The scene in a document. Raises Unusable, with one line that says what is wrong."""
    if not isinstance(document, dict):
        raise Unusable("a scene must be an object")
    id = document.get("id")
    if not isinstance(id, int) or isinstance(id, bool) or not 0 < id <= LARGEST_ID:
        raise Unusable("a scene has no number (id)")
    items: dict[str, dict[str, FieldChange]] = {}
    for item in _objects(document, "items", id):
        key = item.get("key")
        if not isinstance(key, str) or not key or key in items:
            raise Unusable(f"scene {id}: an item has no rating key (key) of its own")
        changes = [_change_in(field, id) for field in _objects(item, "fields", id)]
        items[key] = {change.field: change for change in changes}
    title = document.get("title", "")
    return ApprovedScene(id, items, title if isinstance(title, str) else "")


def _objects(document: Document, name: str, id: int) -> Sequence[Document]:
    objects = document.get(name)
    if not isinstance(objects, list) or not all(isinstance(each, dict) for each in objects):
        raise Unusable(f"scene {id}: {name} must be a list of objects")
    return objects


def _change_in(document: Document, id: int) -> FieldChange:
    name = document.get("field")
    if not isinstance(name, str) or not (name in FIELDS or name in PICTURES or beside_whom(name)):
        raise Unusable(f"scene {id}: there is no field {name!r:.60}")
    locks = document.get("was_locked"), document.get("locked")
    if not all(isinstance(lock, bool) for lock in locks):
        raise Unusable(f"scene {id}: {name}: was_locked and locked must be true or false")
    old, new = (_value_in(document, key, name, id) for key in ("old", "new"))
    adds, removes = (_names_in(document.get(key, []), key, name, id) for key in ("adds", "removes"))
    return FieldChange(name, Held(old, bool(locks[0])), Held(new, bool(locks[1])), adds, removes)


def _value_in(document: Document, key: str, name: str, id: int) -> Value:
    value = document.get(key)
    if name in LISTS:
        return _names_in(value, key, name, id)
    if not isinstance(value, str):
        raise Unusable(f"scene {id}: {name}: {key} must be a text")
    return value


def _names_in(value: object, key: str, field: str, id: int) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise Unusable(f"scene {id}: {field}: {key} must be a list of texts")
    return tuple(value)

"""An item as it was found before its library asked PlexSync, and the way back to that.

Only what agents write is put back: a rating, a label or a date added since then is somebody's. So is a field that was
locked since with another value. Fields that PlexSync remembers are put back by its pushes.
"""

from collections.abc import Collection, Mapping
from dataclasses import field
from typing import cast

from plexsync.rules.item import FIELDS, LISTS, PICTURES, Cast, Item, Part, is_provided
from plexsync.rules.match.paths import base_name
from plexsync.rules.merge.plan_records import Change, Edit, Memory, Remembered
from plexsync.rules.merge.values import held_field
from plexsync.rules.record_class import record

NOT_OF_AGENTS = frozenset({"addedAt", "userRating", "label"})
# The address and the key of a picture that is not there.
NONE = ("", "")
OF_AGENTS = tuple(name for name in FIELDS if name not in NOT_OF_AGENTS)


@record
class FoundState:
    """An item as it was found, with the guid of its agent, and for each picture its address and its key."""

    item: Item
    guid: str
    pictures: Mapping[str, tuple[str, str]] = field(default_factory=dict)


@record
class ItemWayBack:
    """What puts an item back: an edit, the keys of pictures to select ('': none), and the fields that are somebody's."""

    edit: Edit
    cast: Cast
    pictures: Mapping[str, str] = field(default_factory=dict)
    kept: tuple[str, ...] = ()

    @property
    def is_there(self) -> bool:
        """Whether nothing has to be put back."""
        return not (self.edit or self.pictures)


def document_of(state: FoundState) -> dict[str, object]:
    """The state for the database."""
    item = state.item
    return {
        "guid": state.guid,
        "files": [part.path for part in item.parts],
        "fields": {name: item.value(name) for name in OF_AGENTS if name not in LISTS},
        "lists": {name: list(item.lists.get(name, ())) for name in OF_AGENTS if name in LISTS},
        "roles": dict(item.roles),
        "locks": sorted(item.locks - NOT_OF_AGENTS),
        "pictures": {name: list(places) for name, places in state.pictures.items()},
    }


def found_in(key: str, section: str, document: Mapping[str, object]) -> FoundState:
    """The state in such a document. Raises ValueError for any other."""
    try:
        # A document of another form fails somewhere in here.
        fields, lists = cast("dict[str, str]", document["fields"]), cast("dict[str, list[str]]", document["lists"])
        roles, locks = cast("dict[str, str]", document["roles"]), cast("list[str]", document["locks"])
        files = cast("list[str]", document["files"])
        pictures = cast("dict[str, list[str]]", document["pictures"])
        item = Item(
            key=key,
            section=section,
            scalars=dict(fields),
            lists={name: tuple(names) for name, names in lists.items()},
            roles=dict(roles),
            locks=frozenset(locks),
            parts=tuple(Part(path) for path in files),
        )
        shown = {name: (address, picture) for name, (address, picture) in pictures.items()}
        return FoundState(item, str(document["guid"]), shown)
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError("no state of an item") from error


def is_other(state: FoundState, now: Item) -> bool:
    """Whether the item has no file of these names any more: its key is that of another one by now."""
    names, names_now = ({base_name(part.path) for part in item.parts} for item in (state.item, now))
    return names.isdisjoint(names_now)


def moved_pictures(state: FoundState, now: Item, remembered: Collection[str]) -> list[str]:
    """The pictures whose address has changed, which does not tell whether they are others."""
    names = (name for name in PICTURES if name not in remembered)
    return [name for name in names if state.pictures.get(name, NONE)[0] != now.pictures.get(name, "")]


def way_back(state: FoundState, now: Item, remembered: Collection[str], shown: Mapping[str, str]) -> ItemWayBack:
    """What puts an item back to what was found, without the fields that PlexSync remembers.

    `shown`: the keys of the pictures that it shows now, of those that have moved.
    """
    edit: dict[str, Change] = {}
    kept, pictures = list[str](), dict[str, str]()
    for name in (name for name in (*OF_AGENTS, *PICTURES) if name not in remembered):
        was_locked, is_locked = name in state.item.locks, name in now.locks
        is_same = state.pictures.get(name, NONE)[1] == shown.get(name) if name in shown else _is_same(name, state, now)
        if not is_same and is_locked and not was_locked:
            kept.append(name)
            continue
        if not is_same and name in PICTURES:
            pictures[name] = state.pictures.get(name, NONE)[1]
        if not is_same or is_locked != was_locked:
            edit[name] = _change(name, state.item, now, is_same=is_same, lock=was_locked)
    cast_before = Cast(state.item.lists.get("actor", ()), state.item.roles, "actor" in state.item.locks)
    return ItemWayBack(edit, cast_before, pictures, tuple(kept))


def memory_of_change(state: FoundState, now: Item) -> Memory:
    """What PlexSync remembers of an item that it has not written, and that has asked it since it was found so.

    What has changed since and is not locked, Plex has asked for: it is PlexSync's, and an undo puts back what was found.
    Nothing of another item, which has the key by now.
    """
    if is_other(state, now):
        return {}
    return {
        name: _remembered(name, state.item, now)
        for name in OF_AGENTS
        if is_provided(name) and name not in now.locks and not _is_same(name, state, now)
    }


def _remembered(name: str, before: Item, now: Item) -> Remembered:
    original, present = held_field(before, name), held_field(now, name)
    if name not in LISTS:
        return Remembered(present.value, present, original)
    members = tuple(each for each in present.value if each not in original.value)
    return Remembered(members, present, original, {each: each for each in members})


def _is_same(name: str, state: FoundState, now: Item) -> bool:
    if name in PICTURES:
        return True
    if name not in LISTS:
        return state.item.value(name) == now.value(name)
    names, names_now = (item.lists.get(name, ()) for item in (state.item, now))
    if name == "actor":
        # The order of a cast says who comes first, and each has a role.
        return names == names_now and all(state.item.roles.get(each) == now.roles.get(each) for each in names)
    return sorted(names) == sorted(names_now)


def _change(name: str, before: Item, now: Item, *, is_same: bool, lock: bool) -> Change:
    if is_same or name in PICTURES:
        return Change(None, lock)
    if name not in LISTS:
        return Change(before.value(name), lock)
    names, names_now = before.lists.get(name, ()), now.lists.get(name, ())
    adds = tuple(each for each in names if each not in names_now)
    return Change(names, lock, adds=adds, removes=tuple(each for each in names_now if each not in names))

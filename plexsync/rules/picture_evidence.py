"""What tells which picture an item shows, and which it showed before PlexSync, without a list of its pictures.

Only the list of one item's pictures names the selected one, so it costs a request per item. Everything else comes in the
read of many items: the address of the picture, its lock, and the item's stamp.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from plexsync.rules.item import PICTURES, Item
from plexsync.rules.plan_records import Memory, Pushing, Remembered, Sending
from plexsync.rules.traits import ServerTraits
from plexsync.rules.values import Held, held, same_value

# In the place of a key: the picture that Plex had chosen itself before the first upload. Its key was not requested.
UNLISTED = "chosen by Plex"
# How the key of an uploaded picture begins. An item without an agent's pictures has these, files beside it, and frames.
UPLOADED = "upload://"


@dataclass(frozen=True)
class PicturePast:
    """What is remembered about an item, as far as it tells about its pictures.

    `lost` are the fields in pushes that the database does not know. `is_first`: nothing hints at an earlier push to the
    item. `strays` are the pictures, by name, that PlexSync sent for another scene that had the item before.
    """

    memory: Memory
    pushing: tuple[Pushing, ...]
    strays: tuple[tuple[str, Sending], ...] = ()
    lost: Collection[str] = ()
    is_first: bool = False


@dataclass(frozen=True)
class ShownPictures:
    """An item with the keys of the pictures that it shows, and the past in which it has them.

    `absent` are the pictures whose desired one the item does not have, neither selected nor among its other pictures.
    """

    item: Item
    past: PicturePast
    absent: frozenset[str] = frozenset()


def is_plex_choice(item: Item, name: str) -> bool:
    """Whether the picture can be taken for the one that Plex has chosen itself, so that undo finds it without its key.

    Nobody has locked it, and no agent has matched the item: there are no other pictures than its frame and files.
    """
    return bool(item.pictures.get(name)) and item.unmatched and not item.locked(name)


def is_selected_by_upload(traits: ServerTraits) -> bool:
    """Whether an upload is known to select the picture at once on this server."""
    return traits.upload_selects is True and not traits.picture_lag


def _is_unlisted(name: str, past: PicturePast) -> bool:
    """Whether the picture from before PlexSync is known as Plex's choice only."""
    originals = [past.memory[name].found] if name in past.memory else []
    originals += [sent.found for sent in _sendings(name, past)]
    return any(original.value == UNLISTED for original in originals)


def _sendings(name: str, past: PicturePast) -> list[Sending]:
    pushed = [push.fields[name] for push in past.pushing if name in push.fields]
    return [*pushed, *(sent for kind, sent in past.strays if kind == name)]


def is_replaced(name: str, wanted: Mapping[str, object], memory: Memory) -> bool:
    """Whether another picture, or none, is to take the place of PlexSync's. A list then tells what is there in truth."""
    past = memory.get(name)
    return past is not None and name in wanted and wanted[name] != past.said


def with_original(item: Item, name: str, past: PicturePast, listed: Mapping[str, bool]) -> PicturePast:
    """The past with the key of the picture from before PlexSync, found in the list of the item's pictures."""
    memory = past.memory
    if not _is_unlisted(name, past):
        return past
    key = _original(listed, _own_keys(name, past), is_locked=item.locked(name))
    if not key:
        return past
    if name in memory:
        memory = {**memory, name: _resolved_memory(memory[name], key)}
    return replace(
        past,
        memory=memory,
        pushing=tuple(_resolved_push(push, name, key) for push in past.pushing),
        strays=tuple((kind, _resolved_sending(sent, key) if kind == name else sent) for kind, sent in past.strays),
    )


def _own_keys(name: str, past: PicturePast) -> set[str]:
    remembered, sent = past.memory.get(name), _sendings(name, past)
    own = {str(remembered.said), str(remembered.left.value), str(remembered.before)} if remembered else set()
    own |= {str(sending.said) for sending in sent}
    return own | {str(sending.sent.value) for sending in sent if not sending.undone}


def _original(listed: Mapping[str, bool], own: Collection[str], *, is_locked: bool) -> str:
    """The key of the picture that was there before; '' if none of these can be.

    A picture that somebody has uploaded comes before those of Plex: Plex shows it until a person selects another one,
    which locks it. Of its own pictures, Plex prefers the first.
    """
    shown = next((key for key, is_shown in listed.items() if is_shown), "")
    if shown and shown not in own and not is_locked:
        return shown
    others = [key for key in listed if key not in own and key != shown]
    uploaded = [key for key in others if key.startswith(UPLOADED)]
    return next(iter((*uploaded, *others)), "")


def _resolved(state: Held, key: str) -> Held:
    return replace(state, value=key) if state.value == UNLISTED else state


def _resolved_memory(past: Remembered, key: str) -> Remembered:
    return replace(past, found=_resolved(past.found, key))


def _resolved_push(push: Pushing, name: str, key: str) -> Pushing:
    sent = push.fields.get(name)
    return push if sent is None else replace(push, fields={**push.fields, name: _resolved_sending(sent, key)})


def _resolved_sending(sent: Sending, key: str) -> Sending:
    was = _resolved_memory(sent.was, key) if sent.was else None
    return replace(sent, found=_resolved(sent.found, key), before=_resolved(sent.before, key), was=was)


def shown_strays(item: Item, past: PicturePast) -> tuple[Pushing, ...]:
    """Pushes of the strays that the item shows: the key is that of the bytes, so PlexSync put them there.

    They are not what was there before PlexSync.
    """
    pushed = {*past.memory, *(name for push in past.pushing for name in push.fields)}
    return tuple(
        Pushing({name: sent}, until=0)
        for name, sent in past.strays
        if name not in pushed and same_value(name, held(item, name).value, sent.sent.value)
    )


def has_moved(before: Item, item: Item, name: str) -> bool:
    """Whether the item shows a picture at another address than before."""
    place = item.pictures.get(name, "")
    return bool(place) and place != before.pictures.get(name, "")


def moved_with_stamp(before: Item, item: Item, name: str) -> bool:
    """Whether the address changed as it does with every edit: it ends in the item's stamp, and is locked, as before."""
    return has_moved(before, item, name) and all(
        side.locked(name) and _place_stamp(side.pictures.get(name, "")) == str(side.stamp) for side in (before, item)
    )


def _place_stamp(place: str) -> str:
    return place.partition("?")[0].rpartition("/")[2]


def names_kept(sending: Mapping[str, Sending], memory: Memory) -> list[str]:
    """The pictures of PlexSync that a push leaves as they are."""
    return [name for name in PICTURES if name in memory and name not in sending]

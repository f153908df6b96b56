"""Which pictures Plex can show, and what PlexSync remembers of the pictures that it shows.

Stash's stand-ins for missing pictures are drawings (SVG). Plex can't show anything but JPEG, PNG and WebP.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from plexsync.rules.item import PICTURES, Item
from plexsync.rules.merge.plan_records import Memory, Pushing, Remembered, Sending
from plexsync.rules.merge.traits import ServerTraits
from plexsync.rules.merge.values import Held, held_field, same_value
from plexsync.rules.record_class import record
from plexsync.rules.records import PictureRow
from plexsync.rules.scene import Image

# Plex answers 500 to larger pictures.
LARGEST = 10_000_000
# Stash reports changes in full seconds. For so long after a change, there may have been another one in the same second.
SAME_MOMENT = 2.0
# The display name of each picture.
WORDS = {"thumb": "poster", "art": "background"}
# Their part of the names of rows. That of the bars is from when there was no other shape.
SHAPES = {"as_is": "", "bars": " padded", "crop": " crop", "blur": " blur"}
# Suffix of the version of a row: how many reads of the picture in a row failed.
FAILED = ", failed "
UNREADABLE = "the picture can't be read from Stash"


@record
class Treatment:
    """What is done to a picture before it is sent: its shape, and the corner in which the studio's logo is drawn.

    `anchor` is the part of a picture that stays when it is cropped.
    """

    shape: str = "as_is"
    corner: str = ""
    anchor: str = "centre"

    @property
    def suffix(self) -> str:
        """Its part of the name and of the version of a row."""
        anchor = f" {self.anchor}" if self.shape == "crop" else ""
        return f"{SHAPES[self.shape]}{anchor}{f' logo {self.corner}' if self.corner else ''}"


@record
class Logo:
    """A logo to draw: its bytes and the corner, such as `top_left`."""

    content: bytes
    corner: str


def kept_as(name: str, sources: Sequence[str], source: str, treatment: Treatment) -> str:
    """The name of the row for a picture from one of the sources. Two libraries may have different rules for one scene."""
    among = f" of {', '.join(sources)}" if len(sources) > 1 else ""
    return f"{name} {source}{among}{treatment.suffix}"


def version_of(image: Image, treatment: Treatment, logo: Image | None) -> str:
    """The version of a picture: its place, what is done to it, and its stamp."""
    drawn = f" {logo.path} {logo.version}" if logo else ""
    return f"{image.path}{treatment.suffix}{drawn} at {image.version}"


def image_of(images: Sequence[Image], name: str, source: str) -> Image | None:
    """The picture of a source: among several, the first that is upright for a poster, and wide for a background."""
    of_source = [image for image in images if image.source == source]
    fitting = [
        image for image in of_source if (image.height > image.width if name == "thumb" else image.width > image.height)
    ]
    return next(iter(fitting or of_source), None)


def left_out(rows: Mapping[str, PictureRow], names: Collection[str]) -> dict[str, str]:
    """The pictures of a scene that could not be written, each with the reason. `names` are the rows in use."""
    reasons: dict[str, str] = {}
    # Earlier versions of PlexSync stored the row under the name of the picture alone.
    for stored_name in sorted(names):
        name = stored_name.partition(" ")[0]
        row = rows.get(stored_name) or rows.get(name)
        if row and (reason := row.reason or (UNREADABLE if FAILED in row.version else "")):
            reasons.setdefault(name, reason)
    return reasons


def left_out_text(name: str, reason: str) -> str:
    """The end of a sentence about a scene that is in sync but for a picture."""
    return f"its {WORDS[name]} could not be written: {reason}"


def kind_of(content: bytes) -> str:
    """The format, by the first bytes: `jpeg`, `png`, `webp`, `drawing`, or '' for anything else (a video, a page)."""
    if content.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "webp"
    start = content[:200].lstrip().lower()
    return "drawing" if start.startswith((b"<svg", b"<?xml")) else ""


def may_be_early(changed: str, date: str) -> bool:
    """Whether a read at `date` (of that answer) may be older than the last change at `changed`, because both are one moment.

    Both times are by Stash's clock. A time that can't be understood proves nothing, and causes no second request.
    """
    try:
        moment = datetime.fromisoformat(changed)
        read = parsedate_to_datetime(date)
    except ValueError:
        return False
    seconds = (read.replace(tzinfo=UTC) - (moment if moment.tzinfo else moment.replace(tzinfo=UTC))).total_seconds()
    return abs(seconds) <= SAME_MOMENT


def asked_for(
    wanted: Mapping[str, object], memory: Memory, pushing: Sequence[Pushing], lost: Collection[str] = ()
) -> list[str]:
    """The pictures of an item whose selected one has to be known. `lost`: the fields in pushes that the database lost."""
    return [
        name
        for name in PICTURES
        if wanted.get(name)
        or (name in wanted and name in memory)
        or name in lost
        or any(name in push.fields for push in pushing)
    ]


def known_by_place(item: Item, name: str, memory: Memory) -> str | None:
    """The key of the picture that an item shows, if its address is the remembered one; '' if it shows none, else None."""
    place = item.pictures.get(name, "")
    if not place:
        return ""
    past = memory.get(name)
    return next((key for key, where in past.ours.items() if where == place), None) if past else None


# --- which picture an item shows, and which it showed before PlexSync -------------------------------------------------
#
# Only the list of one item's pictures names the selected one, so it costs a request per item. Everything else comes in the
# read of many items: the address of the picture, its lock, and the item's stamp.


# In the place of a key: the picture that Plex had chosen itself before the first upload. Its key was not requested.
UNLISTED = "chosen by Plex"
# How the key of an uploaded picture begins. An item without an agent's pictures has these, files beside it, and frames.
UPLOADED = "upload://"


@record
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


@record
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
    return bool(item.pictures.get(name)) and item.unmatched and not item.is_locked(name)


def is_selected_by_upload(traits: ServerTraits) -> bool:
    """Whether an upload is known to select the picture at once on this server."""
    return traits.upload_selects is True and not traits.picture_lag


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
    originals = [memory[name].found] if name in memory else []
    originals += [sent.found for sent in _sendings(name, past)]
    if all(original.value != UNLISTED for original in originals):
        return past
    key = _original(listed, _own_keys(name, past), is_locked=item.is_locked(name))
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
    selected = next((key for key, is_shown in listed.items() if is_shown), "")
    if selected and selected not in own and not is_locked:
        return selected
    others = [key for key in listed if key not in own and key != selected]
    uploaded = [key for key in others if key.startswith(UPLOADED)]
    return next(iter((*uploaded, *others)), "")


def _resolve_picture(state: Held, key: str) -> Held:
    return replace(state, value=key) if state.value == UNLISTED else state


def _resolved_memory(past: Remembered, key: str) -> Remembered:
    return replace(past, found=_resolve_picture(past.found, key))


def _resolved_push(push: Pushing, name: str, key: str) -> Pushing:
    sent = push.fields.get(name)
    return push if sent is None else replace(push, fields={**push.fields, name: _resolved_sending(sent, key)})


def _resolved_sending(sent: Sending, key: str) -> Sending:
    was = _resolved_memory(sent.was, key) if sent.was else None
    return replace(sent, found=_resolve_picture(sent.found, key), before=_resolve_picture(sent.before, key), was=was)


def shown_strays(item: Item, past: PicturePast) -> tuple[Pushing, ...]:
    """Pushes of the strays that the item shows: the key is that of the bytes, so PlexSync put them there.

    They are not what was there before PlexSync.
    """
    pushed = {*past.memory, *(name for push in past.pushing for name in push.fields)}
    return tuple(
        Pushing({name: sent}, until=0)
        for name, sent in past.strays
        if name not in pushed and same_value(name, held_field(item, name).value, sent.sent.value)
    )


def has_moved(before: Item, item: Item, name: str) -> bool:
    """Whether the item shows a picture at another address than before."""
    place = item.pictures.get(name, "")
    return bool(place) and place != before.pictures.get(name, "")


def moved_with_stamp(before: Item, item: Item, name: str) -> bool:
    """Whether the address changed as it does with every edit: it ends in the item's stamp, and is locked, as before."""
    return has_moved(before, item, name) and all(
        side.is_locked(name) and side.pictures.get(name, "").partition("?")[0].endswith(f"/{side.stamp}")
        for side in (before, item)
    )


def names_kept(sending: Mapping[str, Sending], memory: Memory) -> list[str]:
    """The pictures of PlexSync that a push leaves as they are."""
    return [name for name in PICTURES if name in memory and name not in sending]

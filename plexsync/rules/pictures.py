"""Which pictures Plex can show, and what PlexSync remembers of the pictures that it shows.

Stash's stand-ins for missing pictures are drawings (SVG). Plex can't show anything but JPEG, PNG and WebP.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from plexsync.rules.item import PICTURES, Item
from plexsync.rules.plan_records import Memory, Pushing
from plexsync.rules.records import PictureRow
from plexsync.rules.scene import Image

# Plex answers 500 to larger pictures.
LARGEST = 10_000_000
# Stash reports changes in full seconds. For so long after a change, there may have been another one in the same second.
SAME_MOMENT = 2.0
# The display name of each picture.
WORDS = {"thumb": "poster", "art": "background"}
PADDED = " padded"
# Suffix of the version of a row: how many reads of the picture in a row failed.
FAILED = ", failed "
UNREADABLE = "the picture can't be read from Stash"


@dataclass(frozen=True)
class Treatment:
    """What is done to a picture before it is sent: bars are added, and the logo of the studio is drawn in a corner."""

    padded: bool = False
    corner: str = ""

    @property
    def suffix(self) -> str:
        """Its part of the name and of the version of a row."""
        return f"{PADDED if self.padded else ''}{f' logo {self.corner}' if self.corner else ''}"


@dataclass(frozen=True)
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
    for kept in sorted(names):
        name = kept.partition(" ")[0]
        row = rows.get(kept) or rows.get(name)
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

"""Pictures that pages show, kept in memory for a while. Each is a JPEG, PNG or WebP; anything else is none."""

import threading
from collections import OrderedDict

from plexsync.rules.merge.pictures import LARGEST, kind_of
from plexsync.rules.record_class import record

# The maximum number of bytes kept, and of seconds; that there is none is kept for as long.
MOST, FRESH = 32_000_000, 300.0
# What a picture that is not there costs in the count.
EMPTY = 1_000


@record
class ShownPicture:
    """A picture with its media type; both are empty if there is none."""

    content: bytes = b""
    media_type: str = ""


def shown_picture(content: bytes) -> ShownPicture:
    """These bytes as a picture, by their first bytes and not by what the server says. A drawing (SVG) can hold scripts."""
    kind = kind_of(content)
    if kind in ("", "drawing") or len(content) > LARGEST:
        return ShownPicture()
    return ShownPicture(content, f"image/{kind}")


class PictureCache:
    """The pictures that were fetched last, by the address in the dashboard."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, tuple[float, ShownPicture]] = OrderedDict()

    def find(self, address: str, now: float) -> ShownPicture | None:
        """The picture, if it was fetched in the last minutes."""
        with self._lock:
            at, picture = self._kept.get(address, (0.0, None))
            return picture if picture is not None and now - at < FRESH else None

    def keep(self, address: str, picture: ShownPicture, now: float) -> None:
        """Keep a picture; the oldest ones make room."""
        with self._lock:
            self._kept.pop(address, None)
            self._kept[address] = now, picture
            while sum(len(each.content) + EMPTY for _, each in self._kept.values()) > MOST:
                self._kept.popitem(last=False)

"""Converts pictures for Plex, by the package Pillow: limited in bytes, and in the shape of a poster.

One picture is converted at a time, in a memory that its header can't exceed: a JPEG of many pixels is read at a fraction of
its size, any other is refused, and what is made of it is never larger than `LARGEST_POSTER`.
"""

import importlib
import io
import struct
from contextlib import suppress
from functools import cached_property
from threading import Lock
from types import ModuleType
from typing import Any

from plexsync.extras import advice, is_installed
from plexsync.rules.merge.pictures import Logo, Treatment
from plexsync.rules.servers.errors import Unusable

MISSING = "poster_shape and poster_logo need the package pillow, which is not installed"
# A poster's width is two thirds of its height.
WIDE, HIGH = 2, 3
# No picture of a scene is larger; a small file can claim to be, and would fill the memory.
MOST_PIXELS = 100_000_000
# As many are decoded at most. A JPEG with more of them is read at half, a quarter or an eighth of its size.
MOST_DECODED = 40_000_000
LARGEST_POSTER = 4096, 6144
QUALITY = 90
SMALLEST = 200
# The ground of a blurred poster: its size before it is enlarged, its blur there, and how dark it is, in percent.
BLURRED, BLUR, BLURRED_LIGHT = (80, 120), 4, 60
# The largest size of a logo in parts of its poster, and its distance from the edges in parts of the shorter side.
LOGO_WIDTH, LOGO_HEIGHT, LOGO_MARGIN = 0.3, 0.12, 0.04


class PillowImaging:
    """Opens JPEG, PNG and WebP only. Raises Unusable if the package is not installed.

    The same picture gives the same bytes as long as the package stays the same; an unchanged picture is not converted
    again. Most pictures fit as they are, so the package is loaded for the first one that does not.
    """

    def __init__(self) -> None:
        if not is_installed("art"):
            raise Unusable(f"{MISSING}: {advice('art')}")
        self._lock = Lock()

    @cached_property
    def _image(self) -> ModuleType:
        try:
            module = importlib.import_module("PIL.Image")
        except ImportError:
            raise Unusable(f"{MISSING}: {advice('art')}") from None
        # `_open` has its own limits, and the package would warn below them.
        module.MAX_IMAGE_PIXELS = None  # type: ignore[attr-defined]
        return module

    def make(self, content: bytes, treatment: Treatment, *, largest: int, logo: Logo | None = None) -> bytes:
        """The picture as JPEG in at most `largest` bytes, in the shape of this treatment.

        A logo is drawn over it in a corner. Raises Unusable, with a message for the user, if one is not such a picture.
        """
        with self._lock:
            picture = self._shaped(self._flat(self._open(content)), treatment)
            if logo:
                picture = self._with_logo(picture, logo)
            while True:
                image = io.BytesIO()
                picture.save(image, "JPEG", quality=QUALITY)
                if image.tell() <= largest or max(picture.size) <= SMALLEST:
                    return image.getvalue()
                picture = picture.resize((max(1, picture.width * 3 // 4), max(1, picture.height * 3 // 4)))

    def pixels(self, content: bytes, largest: tuple[int, int]) -> tuple[tuple[int, int], bytes]:
        """The picture in at most this width and height: its size, and three bytes a pixel. Raises Unusable."""
        with self._lock:
            picture = self._flat(self._open(content))
            picture.thumbnail(largest)
            return picture.size, picture.tobytes()

    def reads(self, content: bytes) -> bool:
        """Whether the content is such a picture."""
        try:
            self._open(content)
        except Unusable:
            return False
        return True

    def _open(self, content: bytes) -> Any:
        """The picture, decoded. Its header tells its size before."""
        try:
            picture = self._image.open(io.BytesIO(content), formats=("JPEG", "PNG", "WEBP"))
            pixels = picture.width * picture.height
            if pixels > MOST_PIXELS:
                raise Unusable("the picture has more than 100 million pixels")
            parts = next(parts for parts in (1, 2, 4, 8) if pixels <= MOST_DECODED * parts * parts)
            if parts > 1 and picture.draft(None, (picture.width // parts, picture.height // parts)) is None:
                raise Unusable("the picture is no JPEG, and has more than 40 million pixels")
            picture.load()
            # A camera says how a picture is to be turned; what is made of it does not say so any more.
            with suppress(OSError, ValueError, SyntaxError, KeyError, TypeError, struct.error):
                importlib.import_module("PIL.ImageOps").exif_transpose(picture, in_place=True)
        except Unusable:
            raise
        except Exception:  # noqa: BLE001 - a file that is none, or broken, raises whatever its reader meets
            raise Unusable("the picture can't be read") from None
        return picture

    def _flat(self, picture: Any) -> Any:
        """The picture without transparency: such areas become black, as the bars are."""
        if picture.mode == "RGB" and "transparency" not in picture.info:
            return picture
        picture = picture.convert("RGBA")
        ground = self._image.new("RGB", picture.size)
        ground.paste(picture, mask=picture)
        return ground

    # --- shapes ------------------------------------------------------------------------------------------------------

    def _shaped(self, picture: Any, treatment: Treatment) -> Any:
        """The picture in the shape of a poster, unless it has that shape or is to stay as it is."""
        if treatment.shape == "as_is":
            return picture
        if treatment.shape == "crop":
            picture = picture.crop(poster_part(picture.size, treatment.anchor))
        picture.thumbnail(LARGEST_POSTER)
        if treatment.shape == "crop":
            return picture
        width = max(picture.width, -(-picture.height * WIDE // HIGH))
        height = max(picture.height, -(-width * HIGH // WIDE))
        if (width, height) == picture.size:
            return picture
        blurs = treatment.shape == "blur"
        ground = self._blurred(picture, (width, height)) if blurs else self._image.new("RGB", (width, height))
        ground.paste(picture, ((width - picture.width) // 2, (height - picture.height) // 2))
        return ground

    def _blurred(self, picture: Any, size: tuple[int, int]) -> Any:
        """A blurred and darkened copy of the middle of the picture that fills a poster of this size."""
        filters = importlib.import_module("PIL.ImageFilter")
        small = picture.resize(BLURRED, box=poster_part(picture.size, "centre")).filter(filters.GaussianBlur(BLUR))
        return small.point(lambda light: light * BLURRED_LIGHT // 100).resize(size)

    def _with_logo(self, picture: Any, logo: Logo) -> Any:
        """The picture with the logo in its corner, in the largest size that fits there, with its own transparency."""
        drawn = self._open(logo.content).convert("RGBA")
        room = picture.width * LOGO_WIDTH, picture.height * LOGO_HEIGHT
        scale = min(room[0] / drawn.width, room[1] / drawn.height)
        drawn = drawn.resize((max(1, round(drawn.width * scale)), max(1, round(drawn.height * scale))))
        margin = round(min(picture.size) * LOGO_MARGIN)
        x = margin if logo.corner.endswith("left") else picture.width - drawn.width - margin
        y = margin if logo.corner.startswith("top") else picture.height - drawn.height - margin
        ground = picture.convert("RGBA")
        ground.alpha_composite(drawn, (max(0, x), max(0, y)))
        return ground.convert("RGB")


def poster_part(size: tuple[int, int], anchor: str) -> tuple[int, int, int, int]:
    """The largest part of a picture that has the shape of a poster: left, top, right and bottom edge.

    `left` and `right` say where that part is in a wider picture, `top` in a higher one. Else it is in the middle.
    """
    width, height = size
    part = max(1, min(width, height * WIDE // HIGH)), max(1, min(height, width * HIGH // WIDE))
    x = {"left": 0, "right": width - part[0]}.get(anchor, (width - part[0]) // 2)
    y = 0 if anchor == "top" else (height - part[1]) // 2
    return x, y, x + part[0], y + part[1]

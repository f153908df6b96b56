"""Converts pictures for Plex, by the package Pillow: limited in bytes, and in the shape of a poster."""

import importlib
import io
from functools import cached_property
from types import ModuleType
from typing import Any

from plexsync.extras import advice, is_installed
from plexsync.rules.errors import Unusable

MISSING = "poster_padding needs the package pillow, which is not installed"
# A poster's width is two thirds of its height.
WIDE, HIGH = 2, 3
# No picture of a scene is larger; a small file can claim to be, and would fill the memory.
MOST_PIXELS = 100_000_000
QUALITY = 90
SMALLEST = 200


class Pillow:
    """Opens JPEG, PNG and WebP only. Raises Unusable if the package is not installed.

    The same picture gives the same bytes as long as the package stays the same; an unchanged picture is not converted
    again. Most pictures fit as they are, so the package is loaded for the first one that does not.
    """

    def __init__(self) -> None:
        if not is_installed("art"):
            raise Unusable(f"{MISSING}: {advice('art')}")

    @cached_property
    def _image(self) -> ModuleType:
        try:
            return importlib.import_module("PIL.Image")
        except ImportError:
            raise Unusable(f"{MISSING}: {advice('art')}") from None

    def made(self, content: bytes, *, padded: bool, largest: int) -> bytes:
        """The picture as JPEG in at most `largest` bytes; `padded`: with bars, if its ratio is not 2:3.

        Raises Unusable, with a message for the user, if the content is not such a picture.
        """
        picture = self._opened(content)
        if padded:
            picture = self._padded(picture)
        while True:
            image = io.BytesIO()
            picture.save(image, "JPEG", quality=QUALITY)
            if image.tell() <= largest or max(picture.size) <= SMALLEST:
                return image.getvalue()
            picture = picture.resize((max(1, picture.width * 3 // 4), max(1, picture.height * 3 // 4)))

    def _opened(self, content: bytes) -> Any:
        try:
            picture = self._image.open(io.BytesIO(content), formats=("JPEG", "PNG", "WEBP"))
            if picture.width * picture.height > MOST_PIXELS:
                raise Unusable("the picture has more than 100 million pixels")
            # Transparent areas become black, as the bars are.
            picture = picture.convert("RGBA")
            ground = self._image.new("RGBA", picture.size, (0, 0, 0, 255))
            return self._image.alpha_composite(ground, picture).convert("RGB")
        except Unusable:
            raise
        except Exception:  # noqa: BLE001 - a file that is none, or broken, raises whatever its reader meets
            raise Unusable("the picture can't be read") from None

    def _padded(self, picture: Any) -> Any:
        width = max(picture.width, -(-picture.height * WIDE // HIGH))
        height = max(picture.height, -(-width * HIGH // WIDE))
        if (width, height) == picture.size:
            return picture
        ground = self._image.new("RGB", (width, height))
        ground.paste(picture, ((width - picture.width) // 2, (height - picture.height) // 2))
        return ground

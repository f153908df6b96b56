"""Converts pictures for Plex, by the package Pillow: limited in bytes, and in the shape of a poster."""

import importlib
import io
from functools import cached_property
from types import ModuleType
from typing import Any

from plexsync.extras import advice, is_installed
from plexsync.rules.merge.pictures import Logo
from plexsync.rules.servers.errors import Unusable

MISSING = "poster_padding and poster_logo need the package pillow, which is not installed"
# A poster's width is two thirds of its height.
WIDE, HIGH = 2, 3
# No picture of a scene is larger; a small file can claim to be, and would fill the memory.
MOST_PIXELS = 100_000_000
QUALITY = 90
SMALLEST = 200
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

    @cached_property
    def _image(self) -> ModuleType:
        try:
            return importlib.import_module("PIL.Image")
        except ImportError:
            raise Unusable(f"{MISSING}: {advice('art')}") from None

    def make(self, content: bytes, *, padded: bool, largest: int, logo: Logo | None = None) -> bytes:
        """The picture as JPEG in at most `largest` bytes; `padded`: with bars, if its ratio is not 2:3.

        A logo is drawn over it in a corner. Raises Unusable, with a message for the user, if one is not such a picture.
        """
        picture = self._flat(self._open(content))
        if padded:
            picture = self._pad(picture)
        if logo:
            picture = self._with_logo(picture, logo)
        while True:
            image = io.BytesIO()
            picture.save(image, "JPEG", quality=QUALITY)
            if image.tell() <= largest or max(picture.size) <= SMALLEST:
                return image.getvalue()
            picture = picture.resize((max(1, picture.width * 3 // 4), max(1, picture.height * 3 // 4)))

    def reads(self, content: bytes) -> bool:
        """Whether the content is such a picture."""
        try:
            self._open(content)
        except Unusable:
            return False
        return True

    def _open(self, content: bytes) -> Any:
        try:
            picture = self._image.open(io.BytesIO(content), formats=("JPEG", "PNG", "WEBP"))
            if picture.width * picture.height > MOST_PIXELS:
                raise Unusable("the picture has more than 100 million pixels")
            return picture.convert("RGBA")
        except Unusable:
            raise
        except Exception:  # noqa: BLE001 - a file that is none, or broken, raises whatever its reader meets
            raise Unusable("the picture can't be read") from None

    def _flat(self, picture: Any) -> Any:
        """The picture without transparency: such areas become black, as the bars are."""
        ground = self._image.new("RGBA", picture.size, (0, 0, 0, 255))
        return self._image.alpha_composite(ground, picture).convert("RGB")

    def _with_logo(self, picture: Any, logo: Logo) -> Any:
        """The picture with the logo in its corner, in the largest size that fits there, with its own transparency."""
        drawn = self._open(logo.content)
        room = picture.width * LOGO_WIDTH, picture.height * LOGO_HEIGHT
        scale = min(room[0] / drawn.width, room[1] / drawn.height)
        drawn = drawn.resize((max(1, round(drawn.width * scale)), max(1, round(drawn.height * scale))))
        margin = round(min(picture.size) * LOGO_MARGIN)
        x = margin if logo.corner.endswith("left") else picture.width - drawn.width - margin
        y = margin if logo.corner.startswith("top") else picture.height - drawn.height - margin
        ground = picture.convert("RGBA")
        ground.alpha_composite(drawn, (max(0, x), max(0, y)))
        return ground.convert("RGB")

    def _pad(self, picture: Any) -> Any:
        width = max(picture.width, -(-picture.height * WIDE // HIGH))
        height = max(picture.height, -(-width * HIGH // WIDE))
        if (width, height) == picture.size:
            return picture
        ground = self._image.new("RGB", (width, height))
        ground.paste(picture, ((width - picture.width) // 2, (height - picture.height) // 2))
        return ground

"""The poster that Plex makes for a collection without one: the posters of its first members, in quarters."""

import hashlib
import io
from collections.abc import Sequence
from contextlib import suppress

from plexsync.simulator.stash_images import png

WIDTH, HEIGHT = 400, 600


def composite(posters: Sequence[bytes]) -> bytes:
    """The poster for members with these; of one colour where no package is there that draws pictures."""
    digest = hashlib.sha1(b"".join(posters), usedforsecurity=False).digest()
    try:
        from PIL import Image, ImageOps
    except ImportError:
        return png(*digest[:3], width=4, height=6)
    whole = Image.new("RGB", (WIDTH, HEIGHT), tuple(byte // 4 for byte in digest[:3]))
    for place, poster in enumerate(posters[:4]):
        # Tests upload bytes that are no picture.
        with suppress(OSError):
            quarter = ImageOps.fit(Image.open(io.BytesIO(poster)).convert("RGB"), (WIDTH // 2, HEIGHT // 2))
            whole.paste(quarter, (place % 2 * WIDTH // 2, place // 2 * HEIGHT // 2))
    made = io.BytesIO()
    whole.save(made, "PNG")
    return made.getvalue()

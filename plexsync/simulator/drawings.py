"""Drawn pictures for covers, studios and groups: landscapes, coasts and towns, as PNG files by the standard library alone.

A picture is drawn in columns of palette indexes. Its name chooses the view and the colours, so equal names give equal bytes.
A view is drawn once for each size; with another name it gets another palette.
"""

import hashlib
import math
import random
import struct
import zlib
from functools import lru_cache

from plexsync.simulator.stash_images import chunk

WIDE, TALL, SQUARE, LARGE = (480, 270), (400, 600), (400, 400), (1280, 720)
VIEWS = 12
# Indexes of the palette: the sky from above to the horizon, then the light, and what stands before it, the nearest last.
SKY, LIGHT, LAYERS = 64, 64, 4
Colour = tuple[float, float, float]


def drawn(name: str, size: tuple[int, int] = WIDE) -> bytes:
    """The picture with this name, of this width and height."""
    digest = hashlib.sha256(name.encode()).digest()
    width, height = size
    head = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    parts = (
        chunk(b"IHDR", head),
        chunk(b"PLTE", palette(digest)),
        chunk(b"IDAT", lines_of(digest[0] % VIEWS, size)),
        chunk(b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def palette(digest: bytes) -> bytes:
    """The colours of a picture: a sky of two hues, a light, and layers that grow darker towards the viewer."""
    hue, turn = digest[1] / 256, 0.04 + digest[2] / 1600
    dusk = digest[3] / 400
    above, below = tint(hue, 0.55, 0.38 + dusk / 3), tint(hue + turn, 0.5, 0.78 + dusk / 6)
    colours = [mixed(above, below, step / (SKY - 1)) for step in range(SKY)]
    colours.append(tint(hue + turn + 0.06, 0.9, 0.9))
    near = tint(hue + 0.5 - turn, 0.45, 0.12)
    colours += [mixed(below, near, (0.35, 0.6, 0.8, 1.0)[layer]) for layer in range(LAYERS)]
    return bytes(min(255, max(0, round(255 * part))) for colour in colours for part in colour)


def tint(hue: float, saturation: float, lightness: float) -> Colour:
    """A colour by its hue (1 is once around), saturation and lightness."""
    span = saturation * min(lightness, 1 - lightness)
    steps = ((turn + 12 * hue) % 12 for turn in (0, 8, 4))
    red, green, blue = (lightness - span * max(-1, min(step - 3, 9 - step, 1)) for step in steps)
    return red, green, blue


def mixed(a: Colour, b: Colour, part: float) -> Colour:
    """A colour between two others."""
    red, green, blue = (x + (y - x) * part for x, y in zip(a, b, strict=True))
    return red, green, blue


@lru_cache(maxsize=200)
def lines_of(view: int, size: tuple[int, int]) -> bytes:
    """The compressed rows of one view."""
    width, height = size
    lot = random.Random(view)
    horizon = round(height * lot.uniform(0.55, 0.7))
    sky = bytes(min(SKY - 1, y * SKY // horizon) for y in range(horizon))
    kind = (hills, town, coast)[view % 3]
    layers = [kind(lot, layer, size, horizon) for layer in range(LAYERS)]
    sun = lot.uniform(0.2, 0.8) * width, horizon * lot.uniform(0.25, 0.75), min(size) * lot.uniform(0.07, 0.14)
    columns = [column(x, height, sky, sun, [tops[x] for tops in layers]) for x in range(width)]
    return zlib.compress(b"".join(b"\0" + bytes(row) for row in zip(*columns, strict=True)), 6)


def column(x: int, height: int, sky: bytes, sun: tuple[float, float, float], tops: list[int]) -> bytes:
    """One column of a picture, from above: sky, perhaps the light, and the layers, each before the one behind it."""
    across, down, radius = sun
    pixels = bytearray(sky + bytes([SKY - 1]) * (height - len(sky)))
    if abs(x - across) < radius:
        half = math.sqrt(radius**2 - (x - across) ** 2)
        top, end = max(0, round(down - half)), min(height, round(down + half))
        pixels[top:end] = bytes([LIGHT]) * max(0, end - top)
    for layer, top in enumerate(tops):
        start = max(0, min(height, top))
        pixels[start:] = bytes([LIGHT + 1 + layer]) * (height - start)
    return bytes(pixels)


def hills(lot: random.Random, layer: int, size: tuple[int, int], horizon: int) -> list[int]:
    """The upper edge of a layer of hills, by column."""
    width, height = size
    base = horizon + (height - horizon) * layer / LAYERS
    waves = [(height * lot.uniform(0.02, 0.07), lot.uniform(1, 4), lot.uniform(0, 6.3)) for _ in range(3)]
    return [
        round(base - sum(rise * math.sin(6.3 * times * x / width + start) for rise, times, start in waves))
        for x in range(width)
    ]


def town(lot: random.Random, layer: int, size: tuple[int, int], horizon: int) -> list[int]:
    """The upper edge of a row of houses, by column."""
    width, height = size
    base = horizon + (height - horizon) * layer / LAYERS
    tops: list[int] = []
    while len(tops) < width:
        roof = round(base - height * lot.uniform(0.02, 0.3) * (1 - layer / 5))
        tops += [roof] * round(width * lot.uniform(0.03, 0.09))
    return tops[:width]


def coast(lot: random.Random, layer: int, size: tuple[int, int], horizon: int) -> list[int]:
    """The upper edge of a layer by the sea: a far island, then waves."""
    width, height = size
    if layer == 0:
        middle, wide, high = (
            lot.uniform(0.1, 0.9) * width,
            lot.uniform(0.1, 0.3) * width,
            height * lot.uniform(0.1, 0.25),
        )
        return [round(horizon - max(0.0, high * (1 - ((x - middle) / wide) ** 2))) for x in range(width)]
    base, rise = horizon + (height - horizon) * layer / (LAYERS + 1), height * 0.012
    return [round(base - rise * abs(math.sin(6.3 * 3 * layer * x / width))) for x in range(width)]

"""Pictures in the shape of a poster: what is shown of them, the same bytes each time, and in bounded memory."""

import io
import subprocess
import sys

import pytest
from PIL import Image

from plexsync.plex.imaging import LARGEST_POSTER, MOST_DECODED, PillowImaging, poster_part
from plexsync.rules.merge.pictures import LARGEST, Treatment
from plexsync.rules.servers.errors import Unusable
from tests.tables import table

RED, GREEN, BLUE = (220, 30, 30), (30, 200, 60), (30, 60, 220)


def bands(size, *, upright=False, kind="PNG"):
    """A picture of three bands of colour, side by side or one below the other."""
    picture = Image.new("RGB", size, GREEN)
    width, height = size
    third = (width, height // 3) if upright else (width // 3, height)
    picture.paste(RED, (0, 0, *third))
    picture.paste(BLUE, (0, height - third[1], width, height) if upright else (width - third[0], 0, width, height))
    content = io.BytesIO()
    picture.save(content, kind)
    return content.getvalue()


def made(content, shape, anchor="centre", largest=LARGEST):
    poster = PillowImaging().make(content, Treatment(shape, "", anchor), largest=largest)
    return Image.open(io.BytesIO(poster))


def is_like(picture, place, colour):
    shown = picture.convert("RGB").getpixel(place)
    return all(abs(a - b) < 25 for a, b in zip(shown, colour, strict=True))


WIDE, HIGH, SQUARE = (900, 500), (400, 900), (600, 600)


@table(
    ("size", "anchor", "part"),
    [
        (WIDE, "centre", (283, 0, 616, 500)),
        (WIDE, "left", (0, 0, 333, 500)),
        (WIDE, "right", (567, 0, 900, 500)),
        (WIDE, "top", (283, 0, 616, 500)),
        (HIGH, "top", (0, 0, 400, 600)),
        (HIGH, "centre", (0, 150, 400, 750)),
        (HIGH, "left", (0, 150, 400, 750)),
        (SQUARE, "right", (200, 0, 600, 600)),
        ((200, 300), "left", (0, 0, 200, 300)),
        ((1, 1), "top", (0, 0, 1, 1)),
        ((1, 5000), "top", (0, 0, 1, 1)),
        ((5000, 1), "left", (0, 0, 1, 1)),
    ],
)
def test_the_anchor_says_which_part_of_a_picture_makes_a_poster(size, anchor, part):
    assert poster_part(size, anchor) == part


@table(("anchor", "colour"), [("left", RED), ("centre", GREEN), ("right", BLUE), ("top", GREEN)])
def test_a_cropped_wide_picture_shows_the_part_at_its_anchor(anchor, colour):
    poster = made(bands(WIDE), "crop", anchor)
    assert poster.size == (333, 500)
    assert is_like(poster, (166, 250), colour)


def test_the_top_of_a_high_picture_stays():
    assert is_like(made(bands(HIGH, upright=True), "crop", "top"), (200, 20), RED)


@table(("size", "poster"), [(WIDE, (900, 1350)), (HIGH, (600, 900)), (SQUARE, (600, 900))])
def test_bars_and_blur_show_the_whole_picture_in_the_middle_of_a_poster(size, poster):
    bars, blurred = made(bands(size), "bars"), made(bands(size), "blur")
    assert bars.size == blurred.size == poster
    left, top = (poster[0] - size[0]) // 2, (poster[1] - size[1]) // 2
    for x, colour in ((10, RED), (size[0] // 2, GREEN), (size[0] - 10, BLUE)):
        assert is_like(bars, (left + x, top + size[1] // 2), colour)
        assert is_like(blurred, (left + x, top + size[1] // 2), colour)


def test_the_ground_of_a_blurred_poster_is_the_darkened_picture_and_that_of_bars_is_black():
    above = (450, 30)
    assert max(made(bands(WIDE), "bars").getpixel(above)) < 10
    red, green, blue = made(bands(WIDE), "blur").getpixel(above)
    assert green > 80 > max(red, blue)
    assert green < GREEN[1] * 0.7


@table("shape", ["bars", "crop", "blur"])
def test_the_same_picture_gives_the_same_bytes_and_each_shape_others(shape):
    cover = bands(WIDE, kind="JPEG")
    posters = [PillowImaging().make(cover, Treatment(shape), largest=LARGEST) for _ in range(2)]
    assert posters[0] == posters[1]
    others = {PillowImaging().make(cover, Treatment(other), largest=LARGEST) for other in ("bars", "crop", "blur")}
    assert len(others) == 3


def test_a_picture_that_has_the_shape_keeps_its_size():
    assert {made(bands((400, 600)), shape).size for shape in ("as_is", "bars", "crop", "blur")} == {(400, 600)}


def test_a_picture_of_a_camera_is_turned_as_it_says():
    lying, exif = Image.new("RGB", (600, 400), RED), Image.Exif()
    lying.paste(BLUE, (0, 0, 300, 400))
    exif[0x0112] = 6
    content = io.BytesIO()
    lying.save(content, "JPEG", exif=exif)
    shown = made(content.getvalue(), "bars")
    assert shown.size == (400, 600)
    assert is_like(shown, (200, 100), BLUE)
    assert is_like(shown, (200, 500), RED)


def test_a_transparent_picture_lies_on_black():
    content = io.BytesIO()
    Image.new("RGBA", (300, 200), (250, 250, 250, 0)).save(content, "PNG")
    assert max(made(content.getvalue(), "crop").getpixel((60, 100))) < 10


# --- memory --------------------------------------------------------------------------------------------------------------


def test_a_panorama_makes_no_poster_larger_than_the_largest():
    for shape in ("bars", "blur", "crop"):
        poster = made(bands((12_000, 200)), shape)
        assert (poster.width <= LARGEST_POSTER[0], poster.height <= LARGEST_POSTER[1]) == (True, True)


def huge(mode, size, kind):
    content = io.BytesIO()
    Image.new(mode, size).save(content, kind)
    return content.getvalue()


def test_a_picture_that_would_fill_the_memory_is_refused_by_its_header():
    too_many = huge("L", (10_100, 10_000), "PNG")
    at_most = MOST_DECODED // 1000
    for content, words in ((too_many, "100 million"), (huge("L", (1001, at_most), "PNG"), "40 million")):
        with pytest.raises(Unusable, match=words):
            PillowImaging().make(content, Treatment("bars"), largest=LARGEST)


# The peak of the memory of a process, in kB, before and after a poster was made.
MEASURED = """
import re, sys
from pathlib import Path
from PIL import Image, ImageFilter, JpegImagePlugin
from plexsync.plex.imaging import PillowImaging
from plexsync.rules.merge.pictures import Treatment
peak = lambda: int(re.search("VmHWM:\\s+([0-9]+) kB", Path("/proc/self/status").read_text())[1])
content = sys.stdin.buffer.read()
before = peak()
poster = PillowImaging().make(content, Treatment(sys.argv[1]), largest=10_000_000)
print(peak() - before, len(poster))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the peak of the memory of a process stands in /proc there")
def test_a_jpeg_of_ninety_million_pixels_is_read_at_a_fraction_of_its_size():
    cover = huge("RGB", (9500, 9500), "JPEG")
    command = [sys.executable, "-c", MEASURED, "bars"]
    result = subprocess.run(command, input=cover, capture_output=True, check=True, timeout=300)
    kilobytes, size = map(int, result.stdout.split())
    assert 60_000 < kilobytes < 300_000, "read whole, its pixels take 361 MB"
    assert 0 < size < LARGEST

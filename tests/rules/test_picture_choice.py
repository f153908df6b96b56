"""Which picture of a source is taken, and what the memory keeps of those that an item shows."""

from dataclasses import replace

import pytest

from plexsync.rules.item import Item
from plexsync.rules.merge.memory import with_addresses
from plexsync.rules.merge.pictures import image_of
from plexsync.rules.scene import Image
from tests.rules.test_plan import remembered


def image(path, width=0, height=0, source="gallery"):
    return Image(source, path, "1", width, height)


WIDE, HIGH, SQUARE = image("wide", 3, 2), image("high", 2, 3), image("square", 2, 2)


@pytest.mark.parametrize(
    ("name", "images", "taken"),
    [
        ("thumb", [WIDE, SQUARE, HIGH], HIGH),
        ("thumb", [WIDE, SQUARE], WIDE),
        ("art", [HIGH, SQUARE, WIDE], WIDE),
        ("art", [SQUARE, HIGH], SQUARE),
        ("thumb", [image("other", 2, 3, source="cover"), WIDE], WIDE),
        ("thumb", [image("other", 2, 3, source="cover")], None),
        ("thumb", [], None),
    ],
)
def test_of_several_pictures_the_first_that_has_the_shape_is_taken(name, images, taken):
    assert image_of(images, name, "gallery") == taken


SHOWN = Item("7", "1", {"thumb": "key", "art": "other"}, pictures={"thumb": "/thumb/2", "art": "/art/2"})
LEFT = replace(remembered("key"), ours={"key": "/thumb/1"})


def test_a_picture_that_is_as_it_was_left_is_remembered_at_its_present_address():
    memory = with_addresses({"thumb": LEFT, "title": remembered("t")}, SHOWN)
    assert memory == {"thumb": replace(LEFT, ours={"key": "/thumb/2"}), "title": remembered("t")}


@pytest.mark.parametrize(
    "item",
    [SHOWN, replace(SHOWN, scalars={}, pictures={}), replace(SHOWN, scalars={"art": "key"}, pictures={})],
    ids=["another picture", "none", "no address"],
)
def test_any_other_picture_stays_remembered_as_it_was(item):
    memory = {"art": LEFT}
    assert with_addresses(memory, item) is memory

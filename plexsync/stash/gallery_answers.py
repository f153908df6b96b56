"""The galleries of a scene in Stash's answers, and the pictures that they give."""

from collections.abc import Iterator, Sequence

import msgspec

from plexsync.rules.scene import Image
from plexsync.stash.numbers import Id, number

# Stash's words for the formats that Plex can show: a JPEG is an `mjpeg`, but a `jpeg` inside a zip file. A cover can also be
# a video or an animation.
FORMATS = ("jpeg", "mjpeg", "png", "webp")


class ImageFileAnswer(msgspec.Struct):
    """The file of an image; nothing is requested of a video."""

    format: str = ""
    width: int = 0
    height: int = 0


class GalleryImageAnswer(msgspec.Struct):
    """An image with its files, the one that Stash shows first."""

    id: Id
    updated_at: str
    visual_files: list[ImageFileAnswer]


class GalleryAnswer(msgspec.Struct):
    """A gallery with its cover: the image that a person has chosen, else the one that Stash chooses; null if it is empty."""

    id: Id
    cover: GalleryImageAnswer | None


def gallery_images(galleries: Sequence[GalleryAnswer]) -> Iterator[Image]:
    """The covers of the galleries, that of the oldest gallery first: the order in Stash's answer is not fixed."""
    for gallery in sorted(galleries, key=lambda gallery: number(gallery.id)):
        if gallery.cover and (image := image_in(gallery.cover, "gallery")):
            yield image


def image_in(answer: GalleryImageAnswer, source: str) -> Image | None:
    """The picture of an image, if Plex can show it."""
    file = answer.visual_files[0] if answer.visual_files else ImageFileAnswer()
    if file.format not in FORMATS:
        return None
    return Image(source, f"/image/{number(answer.id)}/image", answer.updated_at, file.width, file.height)

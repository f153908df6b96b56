"""Galleries of the simulated Stash: their images, each with its size in pixels, and the one that is the cover."""

import struct
from dataclasses import dataclass

from plexsync.simulator.stash_images import media_type


@dataclass(frozen=True, slots=True)
class ImageFile:
    """The file of an image: its format and its size in pixels."""

    format: str
    width: int
    height: int


@dataclass(slots=True, eq=False)
class GalleryImage:
    """An image. A video in a gallery has other files than an `ImageFile`."""

    id: int
    created_at: str
    updated_at: str
    image: bytes
    visual_files: tuple[object, ...] = ()


@dataclass(slots=True, eq=False)
class Gallery:
    """A gallery with its images. The first one is the cover, unless a person has chosen another."""

    id: int
    images: tuple[GalleryImage, ...]
    cover_image: GalleryImage | None = None

    @property
    def cover(self) -> GalleryImage | None:
        """The image that Stash shows for the gallery; None if it is empty."""
        return self.cover_image or next(iter(self.images), None)

    @property
    def image_count(self) -> int:
        """The number of images."""
        return len(self.images)


def file_of(image: bytes) -> ImageFile:
    """The file of an image, as a scan describes it: a JPEG is an `mjpeg`. Only PNGs have their real size."""
    if image.startswith(b"\x89PNG"):
        return ImageFile("png", *struct.unpack(">II", image[16:24]))
    kind = media_type(image).rpartition("/")[2]
    return ImageFile("mjpeg" if kind == "jpeg" else kind, 1, 1)

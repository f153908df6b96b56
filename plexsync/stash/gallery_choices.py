"""The first pictures of the galleries of scenes, read for many scenes in one request."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import msgspec

from plexsync.rules.scene import CHOICE, Image, Scene
from plexsync.stash.answers import GalleryImageAnswer, SceneAnswer, image_in, number


class ImagesAnswer(msgspec.Struct):
    """The first images of a gallery, in the order in which Stash shows them."""

    images: list[GalleryImageAnswer]


IMAGES = msgspec.json.Decoder(dict[str, ImagesAnswer])
AskImages = Callable[[msgspec.json.Decoder[dict[str, ImagesAnswer]], str], Mapping[str, ImagesAnswer]]


def images_query(galleries: Sequence[int], count: int) -> str:
    """One query for the first images of these galleries, each under the alias `g<id>`."""
    fields = "images { id updated_at visual_files { ... on ImageFile { format width height } } }"
    page = f'filter: {{ page: 1, per_page: {int(count)}, sort: "path", direction: ASC }}'
    aliases = "\n".join(
        f'  g{int(id)}: findImages(image_filter: {{ galleries: {{ value: ["{int(id)}"], modifier: INCLUDES }} }}, '
        f"{page}) {{ {fields} }}"
        for id in galleries
    )
    return f"query GalleryImages {{\n{aliases}\n}}\n"


def with_choices(ask: AskImages, answers: Sequence[SceneAnswer], scenes: Sequence[Scene], count: int) -> list[Scene]:
    """The scenes with the first pictures of their galleries, those of the oldest gallery first.

    Asks only if one of them has a gallery, and once for all of them.
    """
    of_scenes = [sorted({number(gallery.id) for gallery in answer.galleries}) for answer in answers]
    galleries = sorted({id for ids in of_scenes for id in ids})
    if not galleries or not count:
        return list(scenes)
    images = ask(IMAGES, images_query(galleries, count))
    return [
        replace(scene, images=(*scene.images, *_first(images, ids, count))) if ids else scene
        for scene, ids in zip(scenes, of_scenes, strict=True)
    ]


def _first(images: Mapping[str, ImagesAnswer], galleries: Sequence[int], count: int) -> list[Image]:
    """The first pictures that Plex can show; an image in two galleries counts once."""
    answers = [answer for id in galleries if f"g{id}" in images for answer in images[f"g{id}"].images]
    usable = dict.fromkeys(image for answer in answers if (image := image_in(answer, CHOICE)))
    return list(usable)[:count]

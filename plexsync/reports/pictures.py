"""The pictures of scenes, for pages and terminals."""

from plexsync.app.parts import Parts
from plexsync.engine.asked_probes import why_closed
from plexsync.engine.tickets import READ_STASH
from plexsync.rules.merge.pictures import image_of, kind_of
from plexsync.rules.servers.errors import Missing, Neighbour, Refused, Unavailable

COVER = "cover"


def scene_picture(parts: Parts, id: int, name: str) -> bytes:
    """The picture of a scene that its item shows by the settings (`thumb`, `art`), or its cover; b'' if there is none.

    One picture that can't be read is no evidence about the server, so nothing is reported to its gate. Raises
    NeighbourError.
    """
    if reason := why_closed(parts.gates, READ_STASH):
        raise Unavailable(Neighbour.STASH, reason, sent=False)
    sources = parts.settings.looks.profile.pictures.get(name, (COVER,))
    scene = parts.stash.scenes([id]).get(id)
    images = [image_of(scene.images, name, source) for source in sources] if scene else []
    for image in filter(None, images):
        try:
            picture = parts.stash.picture(image.path)
        except (Missing, Refused):
            continue
        if picture and kind_of(picture.content) not in ("", "drawing"):
            return picture.content
    return b""

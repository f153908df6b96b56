"""Pictures of scenes and items, fetched here: the browser asks neither Stash nor Plex, and no address holds a token."""

import re
from collections.abc import Callable

from starlette.responses import Response

from plexsync.app.parts import Parts
from plexsync.engine.asked_probes import why_closed
from plexsync.engine.tickets import READ_PLEX
from plexsync.reports.pictures import COVER, scene_picture
from plexsync.rules.item import PICTURES
from plexsync.rules.servers.errors import Missing, Neighbour, Refused, Unavailable
from plexsync.web.context import AWAY
from plexsync.web.pages import PageCall, PageNotFound, page, picture as picture_of
from plexsync.web.picture_cache import ShownPicture, shown_picture

HEADERS = {"Cache-Control": "private, max-age=300"}
# In the place of a picture: a browser counts an answer of 404 as an error of the page.
NO_PICTURE, NOT_NOW = "no picture", "not available now"
STAND_IN = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="150" height="60" viewBox="0 0 150 60" role="img">'
    '<text x="75" y="35" text-anchor="middle" font-family="sans-serif" font-size="14" fill="#767676">{}</text></svg>'
)


def of_scene(call: PageCall) -> Response:
    """The picture of a scene that its item shows by the settings (`thumb`, `art`), or its cover."""
    id, name = call.number("id"), str(call.path.get("name", ""))
    if name not in (*PICTURES, COVER):
        raise PageNotFound
    return passed_on(call, lambda parts: shown_picture(scene_picture(parts, id, name)))


def of_item(call: PageCall) -> Response:
    """The poster (`thumb`) or background (`art`) that an item shows in Plex."""
    key, name = call.number("key"), str(call.path.get("name", ""))
    if name not in PICTURES:
        raise PageNotFound
    return passed_on(call, lambda parts: _from_plex(parts, str(key), name))


def passed_on(call: PageCall, fetch: Callable[[Parts], ShownPicture]) -> Response:
    """The picture that is fetched, or kept from the last minutes; without one, a drawing with words in its place."""
    desk, now = call.desk, call.parts.clock.monotonic()
    picture = desk.pictures.find(call.here, now)
    if picture is None:
        try:
            with desk.looking() as parts:
                # The page that this one waited for may have asked for the same picture.
                picture = desk.pictures.find(call.here, now) or fetch(parts)
        except AWAY:
            return picture_of(STAND_IN.format(NOT_NOW))
        desk.pictures.keep(call.here, picture, now)
    if not picture.content:
        return picture_of(STAND_IN.format(NO_PICTURE))
    return Response(picture.content, media_type=picture.media_type, headers=HEADERS)


def _from_plex(parts: Parts, key: str, name: str) -> ShownPicture:
    if reason := why_closed(parts.gates, READ_PLEX):
        raise Unavailable(Neighbour.PLEX, reason, sent=False)
    item = parts.plex.items([key]).get(key)
    place = item.pictures.get(name, "") if item else ""
    if not re.fullmatch(rf"/library/metadata/{key}/{name}/[0-9]{{1,20}}", place):
        return ShownPicture()
    try:
        return shown_picture(parts.plex.picture(place))
    except (Missing, Refused):
        return ShownPicture()


routes = [page("/pictures/scenes/{id}/{name}", of_scene), page("/pictures/items/{key}/{name}", of_item)]

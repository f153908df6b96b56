"""A draft of settings beside its form: a scene before and after, with pictures, and how many scenes it changes."""

import hashlib
from collections.abc import Mapping

from starlette.responses import Response

from plexsync.app.draft import DraftCount, DraftItem, DraftScene, open_draft
from plexsync.reports.rows import in_order
from plexsync.rules.item import COLLECTION_SETTINGS, PICTURES
from plexsync.rules.merge.values import Value
from plexsync.rules.record_class import record
from plexsync.rules.servers.errors import LocalFault, Unusable
from plexsync.web.context import AWAY
from plexsync.web.pages import PageCall, PageNotFound, page, whole_number
from plexsync.web.picture_cache import shown_picture
from plexsync.web.picture_pages import HEADERS
from validation.config import PlexSyncConfig

AT = "/settings/preview/pictures"
NO_SCENE = "Stash has no scene to look at."


@record
class DraftRow:
    """A field of an item: what Plex shows, and what it would show."""

    field: str
    before: Value | None
    after: Value | None

    @property
    def changes(self) -> bool:
        """Whether it would be written."""
        return self.before != self.after


@record
class ItemView:
    """An item, or a collection, as the page shows it. `pictures` has the addresses of its pictures afterwards, by name."""

    key: str
    title: str
    rows: tuple[DraftRow, ...]
    pictures: Mapping[str, str]


@record
class DraftView:
    """What the page says of a draft. `problem`: why no scene can be shown now."""

    scene: DraftScene | None = None
    items: tuple[ItemView, ...] = ()
    collections: tuple[ItemView, ...] = ()
    problem: str = ""
    count: DraftCount | None = None


def draft_view(call: PageCall, config: PlexSyncConfig, chosen: str) -> DraftView:
    """Look at the chosen scene, or at one that the draft changes; a browser without script has its count begun at once."""
    counts, id = call.desk.counts, whole_number(chosen, least=1)
    count = counts.find(config) if call.live else counts.begin(config)
    if chosen and id is None:
        return DraftView(problem="Give the number of a scene, or leave it empty.", count=count)
    named = count.named if count else []
    try:
        with call.desk.looking() as parts, open_draft(parts, config) as draft:
            scene = draft.scene(id or named[0]) if id or named else draft.some_scene()
    except (*AWAY, LocalFault, Unusable) as error:
        return DraftView(problem=str(error), count=count)
    if scene is None:
        return DraftView(problem=NO_SCENE, count=count)
    items, collections = (tuple(_item_view(call, item) for item in some) for some in (scene.items, scene.collections))
    return DraftView(scene, items, collections, count=count)


def _item_view(call: PageCall, item: DraftItem) -> ItemView:
    values = {name: (before, after) for name, before, after in item.fields}
    names = [*in_order(values), *(name for name in COLLECTION_SETTINGS if name in values)]
    rows = tuple(DraftRow(name, *values[name]) for name in names if name not in PICTURES)
    pictures = {name: f"/pictures/items/{item.key}/{name}" for name in PICTURES}
    for name in PICTURES:
        if content := item.pictures.get(name):
            pictures[name] = _keep(call, content)
        elif name in item.changes and not values[name][1]:
            pictures[name] = ""
    return ItemView(item.key, item.title, rows, pictures)


def _keep(call: PageCall, content: bytes) -> str:
    """Keep a picture for the page that shows it; returns its address."""
    address = f"{AT}/{hashlib.sha256(content).hexdigest()[:32]}"
    call.desk.pictures.keep(address, shown_picture(content), call.parts.clock.monotonic())
    return address


def picture(call: PageCall) -> Response:
    """A picture that a preview has made a moment ago."""
    kept = call.desk.pictures.find(call.here, call.parts.clock.monotonic())
    if kept is None or not kept.content:
        raise PageNotFound
    return Response(kept.content, media_type=kept.media_type, headers=HEADERS)


routes = [page(f"{AT}/{{mark}}", picture)]

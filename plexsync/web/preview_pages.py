"""A draft of settings beside its form: a scene before and after, with pictures, and how many scenes it changes."""

import hashlib
from collections.abc import Mapping
from dataclasses import field

from starlette.responses import Response

from plexsync.app.draft import DraftScene, open_draft
from plexsync.rules.queue.setting_question import FEW
from plexsync.rules.record_class import record
from plexsync.rules.servers.errors import LocalFault, Unusable
from plexsync.web.background_tasks import CountTask
from plexsync.web.context import AWAY
from plexsync.web.pages import PageCall, PageNotFound, page, whole_number
from plexsync.web.picture_cache import shown_picture
from plexsync.web.picture_pages import HEADERS
from validation.config import PlexSyncConfig

AT = "/settings/preview/pictures"
NO_SCENE = "Stash has no scene to look at."
# The longest number of a scene.
LONGEST = 18


@record
class DraftView:
    """What the page says of a draft. `problem`: why no scene can be shown now.

    `shots` has the addresses of new pictures ('' for one of Plex's own), by the key of the item and the name.
    """

    scene: DraftScene | None = None
    problem: str = ""
    task: CountTask | None = None
    shots: Mapping[str, str] = field(default_factory=dict)
    few: int = FEW


def count_part(call: PageCall, config: PlexSyncConfig) -> Response:
    """The part of the page about the count, which is begun if it was not."""
    counts = call.desk.counts
    return call.show("draft_count.html", draft=DraftView(task=counts.find(config) or counts.begin(config)))


def chosen_scene(call: PageCall) -> str:
    """The scene that the form asks for: that of the pressed button, else the typed one."""
    return (call.form.get("do", "").partition("scene ")[2] or call.form.get("scene", "")).strip()[:LONGEST]


def draft_view(call: PageCall, config: PlexSyncConfig, chosen: str) -> DraftView:
    """Look at the chosen scene, or at one that the draft changes; a browser without script has its count begun at once."""
    counts, id = call.desk.counts, whole_number(chosen, least=1)
    task = counts.find(config) if call.live else counts.begin(config)
    if chosen and id is None:
        return DraftView(problem="Give the number of a scene, or leave it empty.", task=task)
    named = task.count.named if task else []
    try:
        with call.desk.looking() as parts, open_draft(parts, config) as draft:
            scene = draft.scene(id or named[0]) if id or named else draft.some_scene()
    except (*AWAY, LocalFault, Unusable) as error:
        return DraftView(problem=str(error), task=task)
    if scene is None:
        return DraftView(problem=NO_SCENE, task=task)
    fresh = ((item.key, name, some) for item in scene.all_items for name, some in item.pictures.items())
    return DraftView(
        scene, task=task, shots={f"{key} {name}": _keep(call, some) if some else "" for key, name, some in fresh}
    )


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

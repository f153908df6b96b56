"""Ambiguous scenes that are bound together: those that fit by duration, and those with one candidate in a folder of Plex."""

import re
from dataclasses import dataclass
from urllib.parse import urlencode

from starlette.responses import Response

from plexsync.flows.scenes.bindings import Pair, Pairing, bind_pairs, by_duration, in_folder, pairs_among, pairs_by
from plexsync.reports.format import many
from plexsync.rules.errors import NeighbourError
from plexsync.web.context import Busy
from plexsync.web.pages import Ask, Wrong, action, page
from plexsync.web.scene_pages import BUSY

DURATION, FOLDER = "/dead/by-duration", "/dead/in-folder"
BACK = "/fix?cause=ambiguous"
SHOWN = 50


@dataclass(frozen=True)
class Rule:
    """How the scenes of a page are paired with items, and the words for it."""

    pairing: Pairing
    path: str
    title: str
    lead: str
    none: str
    folder: str = ""


def by_duration_rule(_folder: str) -> Rule:
    """One item has a file of the same name and duration."""
    return Rule(
        pairing=by_duration,
        path=DURATION,
        title="Bind by duration",
        lead="For each of these scenes, one item in Plex has a file of the same name and duration, but no size confirms "
        "that it is the same file. Different files can share a name and a duration: look at the list before you bind them.",
        none="No scene has a candidate by name and duration only.",
    )


def folder_rule(folder: str) -> Rule:
    """Several items fit, of which one has its file in the folder; '' asks for a folder."""
    return Rule(
        pairing=in_folder(folder),
        path=FOLDER,
        title="Bind the items in a folder",
        lead=f"Several items in Plex fit each of these scenes, and just one of them has its file in {folder}. Each scene is "
        "bound to that one.",
        none=f"No ambiguous scene has just one candidate in {folder}.",
        folder=folder,
    )


RULES = {DURATION: by_duration_rule, FOLDER: folder_rule}


def pairs_page(ask: Ask) -> Response:
    """Show the pairs, and the button that binds them."""
    rule = RULES[ask.here](ask.query.get("folder", ""))
    pairs: list[Pair] = []
    away = ""
    asks = ask.here == FOLDER and not rule.folder
    try:
        with ask.desk.looking() as parts:
            pairs = [] if asks else pairs_by(rule.pairing, parts.looker, limit=SHOWN + 1)
    except NeighbourError as error:
        away = str(error)
    except Busy:
        away = BUSY
    few = pairs[:SHOWN]
    fields = " ".join(f"{pair.scene}:{pair.key}" for pair in few)
    more = len(pairs) > SHOWN
    return ask.show("pairs.html", rule=rule, asks=asks, pairs=few, more=more, fields=fields, away=away, back=BACK)


def bind(ask: Ask) -> Response:
    """Bind the pairs that the page has shown."""
    rule = RULES[ask.here](ask.form.get("folder", ""))
    if ask.here == FOLDER and not rule.folder:
        raise Wrong("Say which folder of Plex.")
    agreed = dict(map(_pair_of, ask.form.get("pairs", "").split()))
    here = f"{rule.path}?{urlencode({'folder': rule.folder})}" if rule.folder else rule.path
    try:
        with ask.desk.looking(at_once=True) as parts:
            now = pairs_among(rule.pairing, parts.looker, list(agreed))
            pairs = [pair for pair in now if agreed[pair.scene] == pair.key]
            bound = bind_pairs(rule.pairing, parts.looker, pairs)
    except NeighbourError as error:
        return ask.to(here, f"Not all were bound: {error}", well=False)
    changed = len(agreed) - len(bound)
    more = f" {many(changed, 'scene')} not bound, because something has changed meanwhile." if changed else ""
    # More than a page of them: the next ones are shown.
    back = here if len(agreed) == SHOWN and not changed else BACK
    return ask.to(back, f"{many(len(bound), 'scene')} bound and queued.{more}", well=bool(bound))


def _pair_of(text: str) -> tuple[int, str]:
    """A scene and an item, as `7:1234`."""
    if not re.fullmatch(r"[0-9]{1,18}:[0-9]{1,18}", text):
        raise Wrong("That is no scene with its item.")
    scene, _, key = text.partition(":")
    return int(scene), key


routes = [route for path in RULES for route in (page(path, pairs_page), action(path, bind))]

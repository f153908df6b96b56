"""What is known of the Plex server: the answers of `plexsync probe`, and a button by which the worker asks again."""

import re

from starlette.responses import Response

from plexsync.reports.probe import trait_facts, trait_rows
from plexsync.rules.errors import NeighbourError
from plexsync.rules.item import Item
from plexsync.rules.traits import UNKNOWN
from plexsync.web.context import Busy
from plexsync.web.pages import Ask, Wrong, action, page

HERE = "/settings/plex"
BUSY = "Another item is being looked at, and that takes long. Try again in a moment."
NO_WORKER = "No worker is running: start plexsync serve, or run plexsync probe in a terminal."


def plex(ask: Ask) -> Response:
    """The answers, and whether a probe is under way."""
    parts = ask.desk.parts
    with parts.store.reading() as db:
        asked, running, outcome = db.probes.probe_asked(), db.probes.probe_running(), db.probes.probe_result()
        changed, learnt = db.probes.probed() is not None, db.probes.traits()
    traits = learnt.traits if learnt else UNKNOWN
    return ask.show(
        "plex.html",
        learnt=learnt,
        rows=trait_rows(trait_facts(traits, outcome if outcome and outcome.version else None)),
        asked=asked is not None,
        running=running is not None,
        interrupted=changed and running is None,
        outcome=outcome,
        not_restored=outcome.restored.words() if outcome and outcome.restored else "",
    )


def confirm(ask: Ask) -> Response:
    """Show the item and what the probe does with it, and the button that starts it."""
    key = _key(ask.query.get("item", ""))
    if not key:
        return ask.to(HERE, "Give the rating key of an item: a number, as the page of a scene shows it.", well=False)
    item: Item | None = None
    away = ""
    try:
        with ask.desk.looking() as parts:
            item = parts.plex.items([key]).get(key)
    except NeighbourError as error:
        away = str(error)
    except Busy:
        away = BUSY
    if item is None and not away:
        return ask.to(HERE, f"Plex has no item {key} in a library.", well=False)
    title = item.scalars.get("title", "") if item else ""
    rated = bool(item and item.scalars.get("userRating"))
    return ask.show("probe.html", key=key, title=title, rated=rated, away=away, back=HERE)


def start(ask: Ask) -> Response:
    """Ask the worker for the probe."""
    key = _key(ask.form.get("item", ""))
    if not key:
        raise Wrong("That is no rating key of an item.")
    parts = ask.desk.parts
    if not parts.someone_works():
        return ask.to(HERE, NO_WORKER, well=False)
    with parts.store.writing() as tx:
        if tx.probes.probe_asked():
            return ask.to(HERE, "A probe is under way: wait for it, or stop it.", well=False)
        tx.probes.ask_probe(key, now=parts.clock.now())
    return ask.to(HERE, f"The worker probes Plex with item {key}. That takes some seconds.")


def stop(ask: Ask) -> Response:
    """Withdraw the request; the worker restores the item."""
    with ask.desk.parts.store.writing() as tx:
        tx.probes.withdraw_probe()
    return ask.to(HERE, "The probe ends, and the item is restored.")


def _key(text: str) -> str:
    text = text.strip()
    return str(int(text)) if re.fullmatch(r"[0-9]{1,18}", text) and int(text) else ""


routes = [
    page(HERE, plex),
    page(f"{HERE}/probe", confirm),
    action(f"{HERE}/probe", start),
    action(f"{HERE}/stop", stop),
]

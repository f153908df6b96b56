"""Taking back what PlexSync wrote to a collection: what that would do, and the buttons that do it."""

from starlette.responses import Response

from plexsync.app.dressing import collection_viewer
from plexsync.flows.collections.undo import mark_collections_undone, redo_collections
from plexsync.reports.collections import PART_WORDS, collection_changes, part_value
from plexsync.reports.shapes.collections import CollectionChangeFacts
from plexsync.rules.errors import NeighbourError
from plexsync.rules.plan_records import Undone
from plexsync.web.collection_pages import HERE, collection_at, collection_name, queued
from plexsync.web.context import Busy
from plexsync.web.pages import Ask, Wrong, action, page
from plexsync.web.scene_pages import BUSY, HOWS


def _mark(text: str) -> Undone:
    mark = next((mark for mark in HOWS if mark == text), None)
    if not mark:
        raise Wrong("A collection is undone or released.")
    return mark


def confirm_undo(ask: Ask) -> Response:
    """What undo would restore, or release would unlock, and the button that does it."""
    id, mark, name = ask.number("id"), _mark(ask.query.get("how", "undo")), collection_name(ask)
    change: CollectionChangeFacts | None = None
    away = ""
    try:
        with ask.desk.looking() as parts:
            change = next(collection_changes(parts.store, collection_viewer(parts), [id], undoing=mark), None)
    except NeighbourError as error:
        away = str(error)
    except Busy:
        away = BUSY
    return ask.show(
        "collection_undo.html",
        id=id,
        name=name,
        how=mark,
        parts_now=change["parts"] if change else [],
        away=away or (change["error"] if change else ""),
        part=lambda name: PART_WORDS.get(name, name),
        value=part_value,
    )


def undo(ask: Ask) -> Response:
    """Mark the collection; the worker does the rest."""
    id, mark, name = ask.number("id"), _mark(ask.form.get("how", "")), collection_name(ask)
    try:
        with ask.desk.looking(at_once=True) as parts:
            marked = mark_collections_undone(
                parts.store, collection_viewer(parts), parts.gates, parts.clock, [id], mark
            )
    except NeighbourError as error:
        return ask.to(collection_at(id), f"Nothing was changed: {error}", well=False)
    if marked.failed:
        return ask.to(collection_at(id), f"Nothing was changed: {marked.failed[id]}", well=False)
    if not marked.jobs:
        return ask.to(collection_at(id), f"Nothing was written to {name}.", well=False)
    words = (
        "What PlexSync wrote is taken back" if mark == "undo" else "The values stay, and PlexSync's locks are taken off"
    )
    return queued(ask, words, f"as soon as the worker comes to {name}")


def redo(ask: Ask) -> Response:
    """End the undo of the collection, and queue it."""
    name, id = collection_name(ask), ask.number("id")
    if redo_collections(ask.desk.parts.store, ask.desk.parts.clock, [id]):
        return queued(ask, f"{name} is dressed again", "as soon as the worker comes to it")
    return ask.to(collection_at(id), f"Nothing was changed: {name} is not undone.", well=False)


routes = [
    page(f"{HERE}/{{id}}/undo", confirm_undo),
    action(f"{HERE}/{{id}}/undo", undo),
    action(f"{HERE}/{{id}}/redo", redo),
]

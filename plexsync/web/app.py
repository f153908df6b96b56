"""The web application: its pages, its guard, and its error responses."""

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import field
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from plexsync.engine.clock import SystemClock
from plexsync.rules.record_class import record
from plexsync.rules.servers.errors import LocalFault, NeighbourError, NewerDatabase, Unusable
from plexsync.web import (
    action_pages,
    api,
    charts,
    collection_pages,
    dead_pages,
    drift_pages,
    fix_pages,
    login_pages,
    metrics,
    outage_pages,
    overview_pages,
    picture_pages,
    plays_pages,
    preview_pages,
    provider_pages,
    reconcile_pages,
    review_pages,
    scene_pages,
    settings_pages,
    state_pages,
)
from plexsync.web.addresses import named_in
from plexsync.web.context import Busy
from plexsync.web.entry_desks import DatabaseAway, EntryDesks, UnknownPlex
from plexsync.web.guard import Doors, Guard, log_fault
from plexsync.web.pages import HERE, PageNotFound, Wrong, entry_of, later, read_request
from plexsync.web.sessions import Sessions

log = logging.getLogger("PlexSync.web")

GOES_ON = "The worker waits until the database is back, and goes on by itself."
LOAD_AGAIN = "Nothing is lost: load this page again in a moment."
LOOK_AGAIN = "Look then whether what you asked for was done."

# What a handler raises if it can't do what was asked.
FAILURES = (
    PageNotFound,
    HTTPException,
    UnknownPlex,
    DatabaseAway,
    Wrong,
    Busy,
    LocalFault,
    Unusable,
    NewerDatabase,
    NeighbourError,
)
# Every module with pages: each has `routes`.
MODULES = (
    api,
    charts,
    login_pages,
    metrics,
    overview_pages,
    state_pages,
    fix_pages,
    review_pages,
    picture_pages,
    plays_pages,
    collection_pages,
    drift_pages,
    scene_pages,
    action_pages,
    dead_pages,
    outage_pages,
    reconcile_pages,
    provider_pages,
    preview_pages,
    settings_pages,
)


@record
class DashboardRules:
    """The dashboard's address, host names and password, and the keys for cookies: `browser_key` outlives a restart."""

    doors: Doors = field(default_factory=Doors)
    password: str = field(default="", repr=False)
    key: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)
    browser_key: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)
    switch: Path | None = None
    """In the demo only: the file that takes the simulated Plex down."""


def build(entries: EntryDesks, rules: DashboardRules) -> Guard:
    """Build the application on the desks of these Plex servers, behind its guard."""
    sessions = Sessions(rules.key, rules.browser_key, rules.password, SystemClock())

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        watching = [asyncio.create_task(entry.keep()) for entry in entries.every]
        for task in watching:
            task.add_done_callback(_fell)
        yield
        for task in watching:
            task.cancel()
        await asyncio.wait(watching)

    routes = [route for module in MODULES for route in module.routes]
    more_nav: tuple[tuple[str, str], ...] = ()
    if rules.switch is not None:
        routes += state_pages.demo_routes(rules.switch)
        more_nav = (("/demo", "Demo"),)
    app = Starlette(
        routes=[*routes, Mount("/static", StaticFiles(directory=HERE / "static"))],
        exception_handlers={**dict.fromkeys(FAILURES, _failed), Exception: _bug},
        lifespan=lifespan,
    )
    app.state.entries, app.state.sessions, app.state.extra_nav = entries, sessions, more_nav
    return Guard(app, doors=rules.doors, sessions=sessions, names=entries.names, end=entries.end)


def _fell(watching: asyncio.Task[None]) -> None:
    if not watching.cancelled() and (error := watching.exception()):
        log.error("open pages learn of nothing any more, by a fault of PlexSync", exc_info=error)


def _error_page(
    request: Request, status: int, text: str, *, more: str = "", hint: str = "", is_lost: bool = False
) -> Response:
    """An error page with this text and what explains it; for programs, JSON.

    `hint`: what happens next, for people. `is_lost`: the page belongs to no Plex server.
    """
    headers = later(status)
    if request.url.path.startswith("/api/") or "plexsync.session" not in request.scope:
        return JSONResponse({"error": f"{text}: {more}" if more else text}, status, headers)
    # What failed may be the status itself, so nothing is counted for this page.
    words = {"text": text, "more": more, "hint": hint, "needing": lambda: 0, "is_lost": is_lost}
    response = read_request(request, {}).show("told.html", status=status, **words)
    response.headers.update(headers)
    return response


def _failed(request: Request, error: Exception) -> Response:
    """The answer to what a handler could not do."""
    match error:
        case PageNotFound() | HTTPException(status_code=404):
            entries: EntryDesks = request.app.state.entries
            is_lost = bool(entries.are_several and named_in(request.url.path))
            return _error_page(request, 404, entries.unknown if is_lost else "There is no such page.", is_lost=is_lost)
        case HTTPException():
            response = _error_page(request, error.status_code, error.detail)
            response.headers.update(error.headers or {})
            return response
        case UnknownPlex():
            return _error_page(request, 404, str(error))
        case Wrong():
            return _error_page(request, 400, str(error))
        case Busy():
            return _error_page(request, 503, "Too much is asked at once. Try again in a moment.")
        case DatabaseAway():
            return _error_page(request, 503, f"The database of {error.name} can't be used", more=error.fault)
        case LocalFault() | Unusable() | NewerDatabase():
            entry_of(request).outage.begin(error)
            hint = ""
            if isinstance(error, LocalFault) and error.away:
                hint = f"{GOES_ON} {LOOK_AGAIN if request.method == 'POST' else LOAD_AGAIN}"
            return _error_page(request, 503, f"The database can't be used: {error}", hint=hint)
    return _error_page(request, 503, str(error))


def _bug(request: Request, error: Exception) -> Response:
    return _error_page(request, 500, log_fault(request.url.path, error))

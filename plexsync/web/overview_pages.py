"""The overview: how everything stands, and what was done last. And what else is about all Plex servers or all pages.

With several Plex servers the verdict is one line that is true for all of them; programs get their list. An open page
learns of changes over its own line.
"""

import asyncio
from dataclasses import dataclass
from functools import partial

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from plexsync.app.stored import end_news
from plexsync.reports.needs import BAD, WAIT, WELL
from plexsync.reports.overview import latest_scenes, night_words
from plexsync.reports.shapes.plex_servers import PlexFacts, PlexList
from plexsync.reports.shapes.status import VerdictFacts
from plexsync.reports.verdict import calm_sentences
from plexsync.rules.servers.errors import LocalFault, NewerDatabase, Unusable
from plexsync.web.addresses import prefix_of
from plexsync.web.entry_desks import DatabaseAway, EntryDesk, EntryDesks
from plexsync.web.pages import PageCall, action, entry_of, page, read_request

WORST_FIRST = (BAD, WAIT, WELL)


def overview(call: PageCall) -> Response:
    """How everything stands, in sentences, the last night, and the scenes that went over last."""
    call.desk.knock()
    facts = call.desk.facts()
    others = other_verdicts(call.entries, call.entry)
    with call.reading() as db:
        night, latest = night_words(db, call.now), latest_scenes(db)
    return call.show(
        "overview.html",
        tone=worst(facts["verdict"]["tone"], others),
        others=others,
        sentences=calm_sentences(facts),
        night=night,
        latest=latest,
        news=facts["news"],
    )


def know_news(call: PageCall) -> Response:
    """What is new was read: it is not shown again."""
    end_news(call.parts.store)
    return call.to("/")


async def about(request: Request) -> Response:
    """The version, the documentation, and how to report a problem. It answers also while the database does not."""
    call = read_request(request, {})
    show = partial(call.show, "about.html")
    return await asyncio.to_thread(show if call.entry.open_desk else partial(show, needing=lambda: 0))


@dataclass(frozen=True)
class OtherVerdict:
    """What another server adds to the verdict, with the page that shows more of it."""

    tone: str
    text: str
    href: str


def other_verdicts(entries: EntryDesks, entry: EntryDesk) -> list[OtherVerdict]:
    """What needs you or waits at each server but this one, the worst first. All is well where nothing is said."""
    others = []
    for other in entries.others(entry):
        (verdict, _), prefix, name = _verdict(other), prefix_of(other.name), other.name
        if verdict is None:
            others.append(OtherVerdict(BAD, f"{name}: its database can't be used", f"{prefix}/"))
        elif verdict["tone"] != WELL:
            text = ", ".join(part["text"] for part in verdict["parts"] if part["tone"] == verdict["tone"])
            page = "/fix" if any(part["yours"] for part in verdict["parts"]) else "/"
            others.append(OtherVerdict(verdict["tone"], f"{name}: {text}", f"{prefix}{page}"))
    return sorted(others, key=lambda other: WORST_FIRST.index(other.tone))


def worst(tone: str, others: list[OtherVerdict]) -> str:
    """The tone that is true for all."""
    return min((tone, *(other.tone for other in others)), key=WORST_FIRST.index)


def plex_facts(entries: EntryDesks) -> PlexList:
    """Every server with its verdict, or why its database can't be used."""
    plexes: list[PlexFacts] = []
    for entry in entries.every:
        verdict, fault = _verdict(entry)
        path = f"{prefix_of(entry.name)}/" if entries.are_several else "/"
        plexes.append({"name": entry.name, "path": path, "verdict": verdict, "error": fault})
    return {"plex": plexes}


def _verdict(entry: EntryDesk) -> tuple[VerdictFacts | None, str]:
    """The verdict of a server; without one, why its database can't be used."""
    try:
        return entry.desk.facts()["verdict"], ""
    except DatabaseAway:
        return None, entry.fault
    except (LocalFault, NewerDatabase, Unusable) as error:
        return None, str(error)


async def listed(request: Request) -> Response:
    """Every Plex server. It needs no database, so that it answers while one can't be opened."""
    entries: EntryDesks = request.app.state.entries
    return JSONResponse(await asyncio.to_thread(plex_facts, entries))


async def listen(request: Request) -> Response:
    """The event stream of an open page."""
    live = entry_of(request).live
    if live.full:
        return PlainTextResponse("too many pages are open\n", 503, {"Retry-After": "30"})
    headers = {"X-Accel-Buffering": "no"}
    if request.method == "HEAD":
        return Response(media_type="text/event-stream", headers=headers)
    return StreamingResponse(live.lines(), media_type="text/event-stream", headers=headers)


routes = [
    page("/", overview),
    action("/news", know_news),
    Route("/about", about, methods=["GET"]),
    Route("/api/plex", listed, methods=["GET"]),
    Route("/live", listen, methods=["GET"]),
]

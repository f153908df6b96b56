"""The verdicts of several Plex servers: one line that is true for all of them, and their list for programs."""

import asyncio
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from plexsync.reports.shapes.plex_servers import PlexFacts, PlexList
from plexsync.reports.shapes.status import VerdictFacts
from plexsync.reports.verdict import BAD, WAIT, WELL
from plexsync.rules.errors import LocalFault, NewerDatabase, Unusable
from plexsync.web.addresses import prefix_of
from plexsync.web.entry_desks import DatabaseAway, EntryDesk, EntryDesks

WORST_FIRST = (BAD, WAIT, WELL)


@dataclass(frozen=True)
class OtherVerdict:
    """What another server adds to the verdict, with the page that shows more of it."""

    tone: str
    text: str
    href: str


def other_verdicts(entries: EntryDesks, entry: EntryDesk) -> list[OtherVerdict]:
    """What needs you or waits at each server but this one, the worst first. All is well where nothing is said."""
    verdicts = [_short_verdict(other) for other in entries.others(entry)]
    return sorted((verdict for verdict in verdicts if verdict.tone != WELL), key=lambda it: WORST_FIRST.index(it.tone))


def worst(tone: str, others: list[OtherVerdict]) -> str:
    """The tone that is true for all."""
    return min((tone, *(other.tone for other in others)), key=WORST_FIRST.index)


def plex_facts(entries: EntryDesks) -> PlexList:
    """Every server with its verdict, or why its database can't be used."""
    return {"plex": [_facts(entries, entry) for entry in entries.every]}


def _short_verdict(entry: EntryDesk) -> OtherVerdict:
    verdict, _ = _verdict(entry)
    if verdict is None:
        return OtherVerdict(BAD, f"{entry.name}: its database can't be used", f"{prefix_of(entry.name)}/")
    text = ", ".join(part["text"] for part in verdict["parts"] if part["tone"] == verdict["tone"])
    page = "/fix" if any(part["yours"] for part in verdict["parts"]) else "/"
    return OtherVerdict(verdict["tone"], f"{entry.name}: {text}", f"{prefix_of(entry.name)}{page}")


def _facts(entries: EntryDesks, entry: EntryDesk) -> PlexFacts:
    verdict, fault = _verdict(entry)
    prefix = prefix_of(entry.name) if entries.are_several else ""
    return {"name": entry.name, "path": f"{prefix}/", "verdict": verdict, "error": fault}


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


routes = [Route("/api/plex", listed, methods=["GET"])]

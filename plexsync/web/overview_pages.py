"""The overview: the status, what needs you, and what was done last. And what else is about all Plex servers or all pages.

With several Plex servers the verdict is one line that is true for all of them; programs get their list. An open page
learns of changes over its own line. The demo has a page more, which takes the simulated Plex down and brings it back: it
signals the demo by a file, and while that exists, the simulated Plex is down.
"""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from plexsync.reports.attention import needs
from plexsync.reports.rows import short, title
from plexsync.reports.shapes.plex_servers import PlexFacts, PlexList
from plexsync.reports.shapes.status import StatusFacts, VerdictFacts
from plexsync.reports.status import WAYS, play_counts, server_words, verified_words
from plexsync.reports.verdict import BAD, LINK, WAIT, WELL, plays_wait, with_way
from plexsync.rules.queue.gate_names import CURE, GateName, caption
from plexsync.rules.queue.job import Kind
from plexsync.rules.servers.errors import LocalFault, NewerDatabase, Unusable
from plexsync.rules.words.status_words import MAIN, UP, SceneStatus, buckets, status_of
from plexsync.web.addresses import prefix_of
from plexsync.web.charts import RANGES, SUBJECTS, Drawing, record
from plexsync.web.entry_desks import DatabaseAway, EntryDesk, EntryDesks
from plexsync.web.pages import PageCall, action, entry_of, page

LATEST = 8
LIBRARIES = 4
WORST_FIRST = (BAD, WAIT, WELL)


def overview(call: PageCall) -> Response:
    """The same facts as `plexsync status`, and the latest events."""
    facts = call.desk.facts()
    pushes, troubles = latest(call)
    others = other_verdicts(call.entries, call.entry)
    return call.show(
        "overview.html",
        found=facts,
        verified=verified_words(facts["verified"]),
        tone=worst(facts["verdict"]["tone"], others),
        others=others,
        verdict=with_way(facts["verdict"]["parts"], LINK),
        needs=needs(call.parts, facts),
        servers=[server(facts, gate) for gate in map(GateName, facts["breakers"])],
        plays=plays(call, facts),
        scenes=scenes(facts),
        bar=bar(facts),
        charts=charts(call),
        pushes=pushes,
        troubles=troubles,
    )


def charts(call: PageCall) -> list[tuple[str, Drawing]]:
    """A few charts, each with its caption."""
    hour, day = record(call, RANGES["hour"]), record(call, RANGES["day"])
    queue, rates = SUBJECTS["queue"], SUBJECTS["rates"]
    return [
        (f"{queue.title}, {hour.span.words}", hour.picture(queue)),
        (f"{queue.title}, {day.span.words}", day.picture(queue)),
        (f"{rates.title} {rates.unit}, {day.span.words}", day.picture(rates)),
    ]


def server(facts: StatusFacts, gate: GateName) -> dict[str, object]:
    """The status of one server, as text. `kind` is the CSS class of its colour, `next` when it is probed or tested next."""
    breaker, held, pace = facts["breakers"][gate], facts["holds"].get(gate), facts["paces"].get(gate)
    patience = pace["not_before"] if pace else None
    words = server_words(breaker, held=held is not None, patience=patience is not None)
    ramp = pace["jobs_per_claim"] if pace else 0
    last = facts["outages"]["last"]
    is_closed = held is not None or breaker["state"] != "closed"
    stops = held is not None and gate is not GateName.STASH_WRITES
    return {
        **breaker,
        "id": gate.replace(":", "-"),
        "name": caption(gate),
        "words": words,
        "kind": "bad" if stops else "wait" if is_closed or words != UP or ramp else "well",
        "state": breaker["state"].replace("_", "-"),
        "next": held["retest_at"] if held else breaker["next_probe_at"] or patience,
        "hold": held,
        "ramp": ramp,
        "last": last if last and last["server"] == gate else None,
        "contacts": contacts(facts, gate),
        "cure": CURE if gate is GateName.STASH_WRITES and is_closed else "",
    }


def plays(call: PageCall, facts: StatusFacts) -> dict[str, object] | None:
    """The card of plays: words, figures, and the CSS class of its colour; None while the way back is off."""
    if call.parts.config.watch_back == "off":
        return None
    words = "up to date"
    if facts["plays"]["first"]:
        words = "wait for your yes"
    elif facts["plays"]["waiting"]:
        words = "wait for Stash" if plays_wait(facts) else "on their way"
    return {"words": words, "kind": "well" if words == "up to date" else "wait", "counts": play_counts(facts["plays"])}


def contacts(facts: StatusFacts, gate: GateName) -> list[tuple[str, str, str | None]]:
    """The last contacts with a server: label, subject, and time (None: never)."""
    if gate is GateName.STASH_WRITES:
        return []
    if gate is GateName.STASH:
        edits = facts["edits"]
        way = f", {WAYS[edits['by']]}" if edits["last_at"] else ""
        return [("last poll", "", facts["last_poll"]), (f"last edit{way}", "", edits["last_at"])]
    libraries = facts["index"]["libraries"]
    names = ", ".join(library["title"] for library in libraries[:LIBRARIES]) + (
        ", ..." if len(libraries) > LIBRARIES else ""
    )
    walked = [library["walked_at"] for library in libraries if library["walked_at"]]
    return [("libraries" if len(libraries) > 1 else "library", names, max(walked, default=None))] if libraries else []


def by_word(facts: StatusFacts) -> list[tuple[SceneStatus, int]]:
    """The number of scenes per status word; of the statuses that share a word, the first one stands for all."""
    return [(same[0], sum(facts["scenes"][status]["count"] for status in same)) for same in buckets()]


def scenes(facts: StatusFacts) -> list[tuple[SceneStatus, int, str]]:
    """The figures: status, count and colour."""
    return [
        (status, count, status.tone if count else "plain")
        for status, count in by_word(facts)
        if count or status in MAIN
    ]


def bar(facts: StatusFacts) -> list[tuple[str, str, float, float]]:
    """The segments of the bar: label, colour, start and width, in percent."""
    counts = [(status.value, status.tone, count) for status, count in by_word(facts) if count]
    total, at, parts = sum(count for *_, count in counts), 0.0, []
    for name, kind, count in counts:
        width = 100 * count / total
        parts.append((name, kind, at, width))
        at += width
    return parts


def latest(call: PageCall) -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    """The last pushes, and the last failures by cause (with how many objects failed so lately), with titles."""
    with call.reading() as db:
        pushes = [
            {
                "at": push.at,
                "scene": scene,
                "title": title(db, Kind.SCENE, scene),
                "item": push.key,
                "undone": push.undone,
                "fields": ", ".join(map(short, push.moved)),
            }
            for scene, push in db.pushes.latest(LATEST)
        ]
        troubles = [
            {
                "at": attempt.at,
                "kind": kind,
                "id": id,
                "title": title(db, kind, id),
                "cause": attempt.cls,
                "error": attempt.error,
                "then": status_of(attempt.state, attempt.cls, "").word,
                "count": count,
            }
            for kind, id, attempt, count in db.attempts.by_cause(LATEST)
        ]
    return pushes, troubles


# --- all Plex servers ---------------------------------------------------------------------------------------------------


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


# --- the demo ----------------------------------------------------------------------------------------------------------


def demo_routes(switch: Path) -> list[Route]:
    """The page and its two buttons, for the demo that watches this file."""

    def show(call: PageCall) -> Response:
        found = call.desk.facts()
        with call.reading() as db:
            used = db.attempts.count_used()
        return call.show(
            "demo.html",
            down=switch.exists(),
            found=found,
            plex=server(found, GateName.PLEX),
            scenes=scenes(found),
            bar=bar(found),
            used=used,
        )

    def down(call: PageCall) -> Response:
        switch.touch(mode=0o600)
        return call.to("/demo", "Plex is down now. People go on editing; watch the queue wait.")

    def up(call: PageCall) -> Response:
        switch.unlink(missing_ok=True)
        return call.to("/demo", "Plex is back. PlexSync notices by itself, and begins slowly.")

    return [page("/demo", show), action("/demo/down", down), action("/demo/up", up)]


routes = [
    page("/", overview),
    Route("/api/plex", listed, methods=["GET"]),
    Route("/live", listen, methods=["GET"]),
]

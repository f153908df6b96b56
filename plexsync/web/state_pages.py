"""Health: both servers, the worker, the queue and its charts, and what failed lately. What needs you is named first.

The demo has a page more, which takes the simulated Plex down and brings it back: it signals the demo by a file, and while
that exists, the simulated Plex is down.
"""

from pathlib import Path

from starlette.responses import Response
from starlette.routing import Route

from plexsync.reports.needs import WELL, needs
from plexsync.reports.rows import title
from plexsync.reports.shapes.status import StatusFacts
from plexsync.reports.status import WAYS, server_words, verified_words
from plexsync.reports.verdict import LINK, is_stopped, with_way
from plexsync.rules.queue.gate_names import CURE, GateName, caption
from plexsync.rules.words.status_words import MAIN, UP, SceneStatus, buckets, status_of
from plexsync.web.charts import RANGES, SUBJECTS, Drawing, record
from plexsync.web.overview_pages import other_verdicts, worst
from plexsync.web.pages import PageCall, action, page

HERE = "/state"
LATEST = 8
LIBRARIES = 4


def state(call: PageCall) -> Response:
    """The same facts as `plexsync status`, and the latest failures."""
    call.desk.knock()
    facts = call.desk.facts()
    others = other_verdicts(call.entries, call.entry)
    return call.show(
        "state.html",
        found=facts,
        tone=worst(facts["verdict"]["tone"], others),
        others=others,
        verdict=with_way(facts["verdict"]["parts"], LINK),
        verified=verified_words(facts["verified"]),
        needs=[need for need in needs(facts) if need.tone != WELL],
        servers=[server(facts, gate) for gate in map(GateName, facts["breakers"])],
        scenes=scenes(facts),
        stopped=is_stopped(facts),
        bar=bar(facts),
        charts=charts(call),
        troubles=latest_troubles(call),
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


def latest_troubles(call: PageCall) -> list[dict[str, object]]:
    """The last failures by cause, with titles, and how many objects failed so lately."""
    with call.reading() as db:
        return [
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


def demo_routes(switch: Path) -> list[Route]:
    """The page and its two buttons, for the demo that watches this file."""

    def show(call: PageCall) -> Response:
        now = call.desk.facts()
        with call.reading() as db:
            used = db.attempts.count_used()
        return call.show(
            "demo.html",
            down=switch.exists(),
            found=now,
            plex=server(now, GateName.PLEX),
            scenes=scenes(now),
            bar=bar(now),
            used=used,
        )

    def down(call: PageCall) -> Response:
        switch.touch(mode=0o600)
        return call.to("/demo", "Plex is down now. People go on editing; watch the queue wait.")

    def up(call: PageCall) -> Response:
        switch.unlink(missing_ok=True)
        return call.to("/demo", "Plex is back. PlexSync notices by itself, and begins slowly.")

    return [page("/demo", show), action("/demo/down", down), action("/demo/up", up)]


routes = [page(HERE, state)]

"""The overview: the status, what needs you, and what was done last."""

from dataclasses import dataclass

from starlette.responses import Response

from plexsync.reports.attention import needs
from plexsync.reports.edits import WAYS
from plexsync.reports.rows import short, title
from plexsync.reports.shapes.outages import OutageFacts
from plexsync.reports.shapes.status import HoldFacts, StatusFacts
from plexsync.reports.status import play_counts, server_words, verified_words
from plexsync.reports.verdict import LINK, plays_wait, pointed
from plexsync.rules.gate_names import CURE, GateName, caption
from plexsync.rules.job import Kind
from plexsync.rules.status_words import MAIN, UP, SceneStatus, buckets, status_of
from plexsync.web.charts import RANGES, SUBJECTS
from plexsync.web.entry_verdicts import other_verdicts, worst
from plexsync.web.outage_pages import ChartPicture, record
from plexsync.web.pages import Ask, page

LATEST = 8
LIBRARIES = 4


@dataclass(frozen=True)
class ServerCard:
    """The status of a server, as text."""

    id: str
    name: str
    words: str
    kind: str
    """The CSS class of its colour."""
    state: str
    error: str
    cause: str
    failures: int
    failures_allowed: int
    opened_at: str | None
    next: str | None
    """When it is probed or tested next."""
    hold: HoldFacts | None
    ramp: int
    last: OutageFacts | None
    contacts: list[tuple[str, str, str | None]]
    cure: str


@dataclass(frozen=True)
class PlaysCard:
    """The plays from Plex to Stash, in words and figures."""

    words: str
    kind: str
    """The CSS class of its colour."""
    counts: list[tuple[int, str]]


@dataclass(frozen=True)
class PushLine:
    """A push, with the title of its scene and the names of its fields."""

    at: int
    scene: int
    title: str
    item: str
    undone: str
    fields: str


@dataclass(frozen=True)
class TroubleLine:
    """The last failed attempt of a cause, with the title of its object, and how many objects failed so lately."""

    at: int
    kind: str
    id: int
    title: str
    cause: str
    error: str
    then: str
    count: int


def overview(ask: Ask) -> Response:
    """The same facts as `plexsync status`, and the latest events."""
    facts = ask.desk.facts()
    pushes, troubles = latest(ask)
    others = other_verdicts(ask.entries, ask.entry)
    return ask.show(
        "overview.html",
        found=facts,
        verified=verified_words(facts["verified"]),
        tone=worst(facts["verdict"]["tone"], others),
        others=others,
        verdict=pointed(facts["verdict"]["parts"], LINK),
        needs=needs(ask.desk.parts, facts),
        servers=[server(facts, gate) for gate in map(GateName, facts["breakers"])],
        plays=plays(ask, facts),
        scenes=scenes(facts),
        bar=bar(facts),
        charts=charts(ask),
        pushes=pushes,
        troubles=troubles,
    )


def charts(ask: Ask) -> list[tuple[str, ChartPicture]]:
    """A few charts, each with its caption."""
    hour, day = record(ask, RANGES["hour"]), record(ask, RANGES["day"])
    queue, rates = SUBJECTS["queue"], SUBJECTS["rates"]
    return [
        (f"{queue.title}, {hour.span.words}", hour.picture(queue)),
        (f"{queue.title}, {day.span.words}", day.picture(queue)),
        (f"{rates.title} {rates.unit}, {day.span.words}", day.picture(rates)),
    ]


def server(facts: StatusFacts, gate: GateName) -> ServerCard:
    """The status of one server, as text."""
    breaker, held, pace = facts["breakers"][gate], facts["holds"].get(gate), facts["paces"].get(gate)
    patience = pace["not_before"] if pace else None
    words = server_words(breaker, held=held is not None, patience=patience is not None)
    ramp = pace["jobs_per_claim"] if pace else 0
    last = facts["outages"]["last"]
    is_closed = held is not None or breaker["state"] != "closed"
    stops = held is not None and gate is not GateName.STASH_WRITES
    kind = "bad" if stops else "wait" if is_closed or words != UP or ramp else "well"
    return ServerCard(
        id=gate.replace(":", "-"),
        name=caption(gate),
        words=words,
        kind=kind,
        state=breaker["state"].replace("_", "-"),
        error=breaker["error"],
        cause=breaker["cause"],
        failures=breaker["failures"],
        failures_allowed=breaker["failures_allowed"],
        opened_at=breaker["opened_at"],
        next=held["retest_at"] if held else breaker["next_probe_at"] or patience,
        hold=held,
        ramp=ramp,
        last=last if last and last["server"] == gate else None,
        contacts=contacts(facts, gate),
        cure=CURE if gate is GateName.STASH_WRITES and is_closed else "",
    )


def plays(ask: Ask, facts: StatusFacts) -> PlaysCard | None:
    """The card of plays; None while the way back is off."""
    if ask.desk.parts.config.watch_back == "off":
        return None
    counts = play_counts(facts["plays"])
    if facts["plays"]["first"]:
        return PlaysCard("wait for your yes", "wait", counts)
    if not facts["plays"]["waiting"]:
        return PlaysCard("up to date", "well", counts)
    return PlaysCard("wait for Stash" if plays_wait(facts) else "on their way", "wait", counts)


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


def latest(ask: Ask) -> tuple[list[PushLine], list[TroubleLine]]:
    """The last pushes, and the last failures by cause, with the titles of their scenes."""
    with ask.desk.parts.store.reading() as db:
        pushes = [
            PushLine(
                at=push.at,
                scene=scene,
                title=title(db, Kind.SCENE, scene),
                item=push.key,
                undone=push.undone,
                fields=", ".join(map(short, push.moved)),
            )
            for scene, push in db.pushes.latest(LATEST)
        ]
        troubles = [
            TroubleLine(
                at=attempt.at,
                kind=kind,
                id=id,
                title=title(db, kind, id),
                cause=attempt.cls,
                error=attempt.error,
                then=status_of(attempt.state, attempt.cls, "").word,
                count=count,
            )
            for kind, id, attempt, count in db.attempts.by_cause(LATEST)
        ]
    return pushes, troubles


routes = [page("/", overview)]

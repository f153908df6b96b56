"""Monitoring endpoints: `/metrics` for Prometheus, `/health` for a monitor, `/health/live` for what restarts a process."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import suppress

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from plexsync.reports.format import parse_stamp
from plexsync.reports.needs import BAD, WELL, needs
from plexsync.reports.shapes.status import HealthFacts, StatusFacts
from plexsync.rules.servers.errors import LocalFault, NewerDatabase, Unusable
from plexsync.web.context import Busy, Desk
from plexsync.web.entry_desks import DatabaseAway, EntryDesks
from plexsync.web.pages import entry_of

STATES = ("closed", "open", "half_open")


class StatusCollector(Collector):
    """The facts of `plexsync status` as metrics, computed on each scrape. Nothing else is in the registry.

    With several Plex servers each value has the label `plex`. A server whose database can't be read has no other value
    than `plexsync_database_readable`.
    """

    def __init__(self, entries: EntryDesks) -> None:
        self._entries = entries

    def collect(self) -> Iterator[Metric]:
        """Yield every metric family."""
        if not self._entries.are_several:
            yield from _of_desk(self._entries.first.desk)
            return
        text = "1 while the dashboard can read the database of a Plex server."
        readable = GaugeMetricFamily("plexsync_database_readable", text, labels=["plex"])
        families: dict[str, Metric] = {}
        for entry in self._entries.every:
            own: list[Metric] = []
            with suppress(DatabaseAway, LocalFault, NewerDatabase, Unusable):
                own = list(_of_desk(entry.desk))
            readable.add_metric([entry.name], float(bool(own)))
            for family in own:
                merged = families.setdefault(family.name, Metric(family.name, family.documentation, family.type))
                for sample in family.samples:
                    merged.add_sample(sample.name, {"plex": entry.name, **sample.labels}, sample.value)
        yield from (*families.values(), readable)


def _of_desk(desk: Desk) -> Iterator[Metric]:
    """Every family of one Plex server, in the order of the page."""
    facts = desk.facts()
    with desk.parts.store.reading() as db:
        used = db.attempts.count_used()
    yield from _queue(facts, desk.now)
    yield from _servers(facts)
    yield from _moments(facts)
    yield _needs(facts)
    plays = facts["plays"]
    counts = {
        "in_plex": plays["in_plex"],
        "sent": plays["sent"],
        "unfinished": plays["unfinished"],
        "present": plays["present"],
        "undone": plays["undone"],
        "deleted": plays["deleted"],
    }
    yield _labelled("plexsync_plays", "Plays by what became of them.", "state", counts)
    yield _gauge("plexsync_plays_waiting", "Scenes whose plays are on their way to Stash.", plays["waiting"])
    yield _labelled("plexsync_collections", "Collections by status.", "stands", facts["collections"])
    yield _gauge("plexsync_index_items", "Items of Plex in the index.", facts["index"]["items"])
    yield _gauge("plexsync_events_waiting", "Events that hooks left as files.", facts["events"]["waiting"])
    yield _gauge("plexsync_attempts_used", "Failed attempts, of those remembered, that counted.", used)
    books, queue = facts["books"], facts["dlq"]
    entries = {
        "accepted": books["accepted"],
        "coalesced": books["coalesced"],
        "done": books["done"],
        "pruned": books["pruned"],
    }
    text = "What came into the queue and what became of it."
    yield _labelled("plexsync_books", text, "entry", entries, CounterMetricFamily)
    ways = {
        "died": queue["died"],
        "retried": queue["retried"],
        "cured": queue["cured"],
        "renewed": queue["renewed"],
        "dropped": queue["dropped"],
        "ignored": queue["ignored"],
        "pruned": queue["pruned"],
    }
    ways = {way: max(0, count) for way, count in ways.items()}
    yield _labelled("plexsync_dead_letters", "How dead letters came and went.", "way", ways, CounterMetricFamily)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=float(value))


def _labelled(
    name: str,
    text: str,
    label: str,
    counts: Mapping[str, float],
    kind: type[GaugeMetricFamily | CounterMetricFamily] = GaugeMetricFamily,
) -> Metric:
    """A family with a value for each name."""
    family = kind(name, text, labels=[label])
    for key, count in counts.items():
        family.add_metric([key], count)
    return family


def _queue(facts: StatusFacts, now: int) -> Iterator[Metric]:
    yield _labelled("plexsync_jobs", "Rows of the queue by state.", "state", facts["jobs"])
    counts = {name: entry["count"] for name, entry in facts["scenes"].items()}
    yield _labelled("plexsync_scenes", "Scenes by status.", "stands", counts)
    yield _labelled("plexsync_dead", "Dead letters by cause.", "cause", facts["dead"])
    yield _gauge("plexsync_due", "Rows of the queue that are due now.", facts["due"])
    waits = max(0.0, (now - parse_stamp(facts["oldest_due"])) / 1000) if facts["oldest_due"] else 0.0
    yield _gauge("plexsync_oldest_due_seconds", "How long the oldest row has been due.", waits)


def _servers(facts: StatusFacts) -> Iterator[Metric]:
    text = "1 for the state the breaker of a server is in."
    breakers = GaugeMetricFamily("plexsync_breaker_state", text, labels=["server", "state"])
    for server, breaker in facts["breakers"].items():
        for state in STATES:
            breakers.add_metric([server, state], float(breaker["state"] == state))
    yield breakers
    failures = {server: breaker["failures"] for server, breaker in facts["breakers"].items()}
    yield _labelled("plexsync_breaker_failures", "Failures in a row of a server.", "server", failures)
    holds = {server: float(server in facts["holds"]) for server in facts["breakers"]}
    yield _labelled("plexsync_hold", "1 while the server is on hold until you act.", "server", holds)


def _needs(facts: StatusFacts) -> Metric:
    text = "1 for each condition that is open. Nothing is written while one with the tone bad is."
    family = GaugeMetricFamily("plexsync_need", text, labels=["key", "tone"])
    for need in needs(facts):
        if need.tone != WELL:
            family.add_metric([need.key, need.tone], 1.0)
    return family


def _moments(facts: StatusFacts) -> Iterator[Metric]:
    worker = facts["worker"]
    yield _gauge("plexsync_worker_running", "1 while a worker runs.", worker["running"])
    ready = [row for row in worker["standbys"] if not row["differing"]]
    yield _gauge("plexsync_standbys", "Machines that would take over from the worker.", len(ready))
    for name, text, moment in (
        ("worker_heartbeat", "The worker's last sign of life.", worker["heartbeat"]),
        ("last_poll", "When Stash was last polled.", facts["last_poll"]),
        ("last_reconcile", "When the last full comparison ended.", facts["last_reconcile"]),
    ):
        at = parse_stamp(moment) / 1000 if moment else 0.0
        yield _gauge(f"plexsync_{name}_timestamp_seconds", text, at)


async def metrics(request: Request) -> Response:
    """The metrics in Prometheus text format."""
    entries: EntryDesks = request.app.state.entries

    def made() -> bytes:
        registry = CollectorRegistry()
        registry.register(StatusCollector(entries))
        return generate_latest(registry)

    desk = next((entry.open_desk for entry in entries.every if entry.open_desk), None)
    text = await (desk.run(made) if desk else asyncio.to_thread(made))
    return Response(text, media_type=CONTENT_TYPE_LATEST)


async def health(request: Request) -> Response:
    """200 while PlexSync can work, else 503: the worker is dead, the database away, or something stops every write.

    Needs no login, so of what is open it gives the keys alone. It is about the first Plex server, whose worker is the
    process that a supervisor would restart, or about the one in the address.
    """
    problems: HealthFacts = {"status": "failing", "worker": False, "database": False, "needs": []}
    try:
        desk = entry_of(request).desk
        facts = await desk.run(desk.facts)
        is_alive, found = facts["worker"]["alive"], [need for need in needs(facts) if need.tone != WELL]
        works = is_alive and all(need.tone != BAD for need in found)
        problems = {
            "status": "ok" if works else "failing",
            "worker": is_alive,
            "database": True,
            "needs": [need.key for need in found],
        }
    except Busy:
        problems["status"] = "busy"
    except (DatabaseAway, LocalFault, NewerDatabase, Unusable):
        pass  # what was said first holds
    return JSONResponse(problems, 200 if problems["status"] == "ok" else 503)


async def live(_: Request) -> Response:
    """200 while this process answers: on a standby too, and while the database is away, which no restart would help."""
    return PlainTextResponse("live\n")


routes = [
    Route("/metrics", metrics, methods=["GET"]),
    Route("/health", health, methods=["GET"]),
    Route("/health/live", live, methods=["GET"]),
]

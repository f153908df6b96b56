"""The overview: how everything stands, whether a person is needed, and what happens next."""

from typing import Any

from starlette.responses import Response

from plexsync.app.rules import HOUR
from plexsync.reports.attention import needs
from plexsync.reports.format import unstamped
from plexsync.reports.rows import short, title
from plexsync.reports.status import NAMED, server_words
from plexsync.rules.errors import Neighbour
from plexsync.rules.job import Kind
from plexsync.web.charts import RANGES, SUBJECTS
from plexsync.web.outage_pages import record
from plexsync.web.pages import Ask, page

LATEST = 8
LIBRARIES = 4
# What a page calls each state of the queue, and how it is coloured; the first ones are always shown.
STATES = {
    "ready": ("waiting to be worked", "wait"),
    "running": ("being worked", "wait"),
    "absent": ("not in Plex yet, looked for again", "plain"),
    "dead": ("given up", "bad"),
    "idle": ("done", "well"),
    "gone": ("gone from Stash", "plain"),
    "dropped": ("dropped by a person", "plain"),
    "ignored": ("ignored by a person", "plain"),
    "outside": ("out of scope", "plain"),
}
ALWAYS = 5
KINDS = {
    "in_step": "well",
    "waiting": "wait",
    "absent": "plain",
    "ambiguous": "bad",
    "failed": "bad",
}


def overview(ask: Ask) -> Response:
    """The same facts as `plexsync status`, and the last things that happened."""
    found = ask.desk.facts()
    return ask.show(
        "overview.html",
        found=found,
        needs=needs(ask.desk.parts, found),
        servers=[server(found, who) for who in Neighbour],
        scenes=scenes(found),
        bar=bar(found),
        states=[
            (name, found["jobs"][name], words, kind)
            for number, (name, (words, kind)) in enumerate(STATES.items())
            if found["jobs"][name] or number < ALWAYS
        ],
        coming=coming(ask, found),
        charts=charts(ask),
        **latest(ask),
    )


def charts(ask: Ask) -> list[tuple[str, dict[str, Any]]]:
    """A few charts: the caption of each, and what its template needs."""
    hour, day = record(ask, RANGES["hour"]), record(ask, RANGES["day"])
    queue, rates = SUBJECTS["queue"], SUBJECTS["rates"]
    return [
        (f"{queue.title}, {hour.span.words}", hour.picture(queue)),
        (f"{queue.title}, {day.span.words}", day.picture(queue)),
        (f"{rates.title} {rates.unit}, {day.span.words}", day.picture(rates)),
    ]


def server(found: dict[str, Any], who: Neighbour) -> dict[str, Any]:
    """How one server stands, in words."""
    seen, held, pace = found["breakers"][who], found["holds"].get(who), found["paces"].get(who)
    patience = pace["not_before"] if pace else None
    words = server_words(seen, held=held is not None, patience=patience is not None)
    ramp = pace["jobs_per_claim"] if pace else 0
    last = found["outages"]["last"]
    kind = "bad" if held or seen["state"] != "closed" else "wait" if words != NAMED["closed"] or ramp else "well"
    return {
        "name": who.title(),
        "words": words,
        "kind": kind,
        "state": seen["state"].replace("_", "-"),
        "error": seen["error"],
        "cause": seen["cause"],
        "failures": seen["failures"],
        "failures_allowed": seen["failures_allowed"],
        "opened_at": seen["opened_at"],
        "next": held["retest_at"] if held else seen["next_probe_at"] or patience,
        "hold": held,
        "ramp": ramp,
        "last": last if last and last["server"] == who else None,
        "known": known(found, who),
    }


def known(found: dict[str, Any], who: Neighbour) -> list[tuple[str, str, str | None]]:
    """What was heard of a server last: what, of what, and when (None: never)."""
    if who is Neighbour.STASH:
        return [("asked what changed", "", found["last_poll"])]
    libraries = found["index"]["libraries"]
    names = ", ".join(one["title"] for one in libraries[:LIBRARIES]) + (", ..." if len(libraries) > LIBRARIES else "")
    walked = [one["walked_at"] for one in libraries if one["walked_at"]]
    return [("libraries" if len(libraries) > 1 else "library", names, max(walked, default=None))] if libraries else []


def scenes(found: dict[str, Any]) -> list[tuple[str, int, str]]:
    """How many scenes stand how."""
    return [
        (name, one["count"], KINDS.get(name, "plain") if one["count"] else "plain")
        for name, one in found["scenes"].items()
        if one["count"] or name in KINDS
    ]


def bar(found: dict[str, Any]) -> list[tuple[str, str, float, float]]:
    """The parts of the bar: what, its colour, where it begins and how wide it is, of 100."""
    counts = [(name, KINDS.get(name, "plain"), one["count"]) for name, one in found["scenes"].items() if one["count"]]
    total, at, parts = sum(count for *_, count in counts), 0.0, []
    for name, kind, count in counts:
        width = 100 * count / total
        parts.append((name, kind, at, width))
        at += width
    return parts


def coming(ask: Ask, found: dict[str, Any]) -> list[tuple[str, int | str]]:
    """What happens next, and when."""
    parts, now = ask.desk.parts, ask.now
    told: list[tuple[str, int | str]] = []
    with parts.store.reading() as db:
        due = db.jobs.next_due(now)
    if due is not None:
        told.append(("the next scene is worked", due if due > now else "now"))
    for who, seen in found["breakers"].items():
        if seen["next_probe_at"]:
            told.append((f"{who.title()} is tried again", seen["next_probe_at"]))
    hours = parts.config.reconcile_interval_hours
    if found["comparison_due"]:
        told.append(("everything is compared", "soon: it is due"))
    elif hours and found["last_reconcile"]:
        told.append(("everything is compared", unstamped(found["last_reconcile"]) + round(hours * HOUR)))
    if found["last_poll"]:
        told.append(
            (
                "Stash is asked what has changed",
                unstamped(found["last_poll"]) + round(parts.config.stash_poll_interval * 1000),
            )
        )
    return told


def latest(ask: Ask) -> dict[str, Any]:
    """The last pushes and the last troubles, with what the scenes are called."""
    with ask.desk.parts.store.reading() as db:
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
                "at": one.at,
                "kind": kind.value,
                "id": id,
                "title": title(db, kind, id),
                "cause": one.cls,
                "error": one.error,
                "then": one.state.value,
            }
            for kind, id, one in db.attempts.latest(LATEST)
        ]
    return {"pushes": pushes, "troubles": troubles}


routes = [page("/", overview)]

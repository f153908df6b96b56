"""Server outages, on a time line and in figures."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from starlette.responses import Response

from plexsync.reports.outages import report
from plexsync.reports.shapes.outages import OutageFacts
from plexsync.rules.queue.gate_names import caption, gates_to_show
from plexsync.rules.queue.job import DAY
from plexsync.rules.queue.outages import bars, ticks
from plexsync.rules.words.sorting import Sort
from plexsync.web.pages import PageCall, Wrong, address, page, sort_links, sort_named

DAYS = (1, 7, 30, 365)
LOG_SHOWN = 50
NEWEST = Sort("since", down=True)
# The values of an outage that the list can be sorted by; those of one value stay in the order of time.
OUTAGE_VALUES: Mapping[str, Callable[[OutageFacts], tuple[str | float, str]]] = {
    "since": lambda outage: (outage["since"] or "", ""),
    "server": lambda outage: (outage["server"], outage["since"] or ""),
    "lasted": lambda outage: (outage["seconds"], outage["since"] or ""),
    "what": lambda outage: (f"{outage['kind']} {outage['cause']}", outage["since"] or ""),
    "queued": lambda outage: (outage["waiting"], outage["since"] or ""),
}


def outages(call: PageCall) -> Response:
    """The last days: a time line for each server, figures, the outages, and the transitions of the breakers."""
    days = int(text) if (text := call.query.get("days", "30")) in map(str, DAYS) else 0
    if not days:
        raise Wrong(f"Show {', '.join(map(str, DAYS[:-1]))} or {DAYS[-1]} days.")
    sort = sort_named(call.query.get("sort", ""), list(OUTAGE_VALUES), NEWEST)
    past = report(call.parts, days)
    lines = {
        caption(gate): [
            (100 * bar.offset, 100 * bar.width, bar.outage.gate.value, past.facts_of(bar.outage))
            for bar in bars(past.found, gate, start=past.start, end=past.now)
        ]
        for gate in gates_to_show({outage.server for outage in past.found})
    }
    length = max(1, past.now - past.start)
    form = "%H:%M" if length <= 2 * DAY else "%d %b" if length <= 400 * DAY else "%b %Y"
    marks = [
        (100 * (at - past.start) / length, datetime.fromtimestamp(at / 1000, UTC).strftime(form))
        for at in ticks(past.start, past.now)
    ]
    facts = past.facts()
    return call.show(
        "outages.html",
        days=days,
        choices={choice: address("/outages", {"days": str(choice)}, sort, NEWEST) for choice in DAYS},
        lines=lines,
        marks=marks,
        start=past.start,
        short=past.now - past.start if past.is_short else 0,
        found=sorted(facts["outages"], key=OUTAGE_VALUES[sort.column], reverse=sort.down),
        heads=sort_links("/outages", {"days": str(days)}, sort, list(OUTAGE_VALUES), part="found", usual=NEWEST),
        sort=sort,
        figures=facts["summary"],
        log=list(reversed(past.log))[:LOG_SHOWN],
    )


routes = [page("/outages", outages)]

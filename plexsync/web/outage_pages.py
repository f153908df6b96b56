"""When the servers were away, on a time line and in figures; and how the work went, as charts over hours and days."""

from datetime import UTC, datetime
from typing import Any

from starlette.responses import Response

from plexsync.reports.outages import report
from plexsync.reports.status import outage_facts
from plexsync.rules.errors import Neighbour
from plexsync.rules.job import DAY
from plexsync.rules.outages import bars, ticks
from plexsync.rules.samples import Bucket, buckets
from plexsync.web.charts import RANGES, SUBJECTS, Line, Range, drawn, value
from plexsync.web.pages import Absent, Ask, Wrong, page, picture

DAYS = (1, 7, 30, 365)
LOG_SHOWN = 50


def outages(ask: Ask) -> Response:
    """The last days: a time line for each server, figures, the outages, and what the breakers did."""
    days = _days(ask.query.get("days", "30"))
    seen = report(ask.desk.parts, days)
    lines = [
        {
            "who": who.value,
            "bars": [
                {
                    "left": 100 * bar.left,
                    "width": 100 * bar.width,
                    "gate": bar.outage.gate.value,
                    "told": outage_facts(bar.outage, seen.now, waiting=seen.waiting),
                }
                for bar in bars(seen.found, who, start=seen.start, end=seen.now)
            ],
        }
        for who in Neighbour
    ]
    length = max(1, seen.now - seen.start)
    form = "%H:%M" if length <= 2 * DAY else "%d %b" if length <= 400 * DAY else "%b %Y"
    marks = [
        {"left": 100 * (at - seen.start) / length, "text": datetime.fromtimestamp(at / 1000, UTC).strftime(form)}
        for at in ticks(seen.start, seen.now)
    ]
    facts = seen.facts()
    return ask.show(
        "outages.html",
        days=days,
        choices=DAYS,
        lines=lines,
        marks=marks,
        start=seen.start,
        found=sorted(facts["outages"], key=lambda one: str(one["since"]), reverse=True),
        figures=facts["summary"],
        log=[
            {"at": one.at, "who": one.who.value, "old": one.old, "new": one.new, "cause": one.cause, "error": one.error}
            for one in reversed(seen.log)
        ][:LOG_SHOWN],
    )


def _days(text: str) -> int:
    if text not in map(str, DAYS):
        raise Wrong(f"Look back {', '.join(map(str, DAYS[:-1]))} or {DAYS[-1]} days.")
    return int(text)


# --- charts ----------------------------------------------------------------------------------------------------------


def charts(ask: Ask) -> Response:
    """All charts, each with its figures as a table."""
    return ask.show("charts.html", ranges=[_told(ask, name, span) for name, span in RANGES.items()])


def _told(ask: Ask, name: str, span: Range) -> dict[str, Any]:
    rows = _buckets(ask, span, span.row)
    return {
        "name": name,
        "words": span.words,
        # Another address for every picture that may look different, so that an open page fetches it anew.
        "version": ask.now // span.width,
        "subjects": [
            {
                "name": key,
                "title": subject.title,
                "unit": subject.unit,
                "heads": [line.name for line in subject.lines],
                "alt": _alt(subject.title, span, [_last(rows, line, rate=subject.rate) for line in subject.lines]),
                "rows": [
                    (bucket.at, [value(bucket, line, rate=subject.rate) for line in subject.lines])
                    for bucket in reversed(rows)
                    if bucket.sample is not None
                ],
            }
            for key, subject in SUBJECTS.items()
        ],
    }


def _alt(title: str, span: Range, parts: list[str]) -> str:
    return f"{title}, {span.words}. {'; '.join(filter(None, parts)) or 'Nothing was recorded yet'}."


def _last(rows: list[Bucket], line: Line, *, rate: bool) -> str:
    """The newest figure of a line and its highest, in words."""
    values = [number for bucket in rows if (number := value(bucket, line, rate=rate)) is not None]
    return f"{line.name}: {values[-1]:,.0f} at last, {max(values):,.0f} at most" if values else ""


def _buckets(ask: Ask, span: Range, width: int) -> list[Bucket]:
    start = ask.now - span.length
    with ask.desk.parts.store.reading() as db:
        samples = db.samples.between(start - start % width, ask.now)
    return buckets(samples, start=start, end=ask.now, width=width)


def chart(ask: Ask) -> Response:
    """One chart as a picture."""
    subject, span = SUBJECTS.get(str(ask.path["subject"])), RANGES.get(str(ask.path["span"]))
    if subject is None or span is None:
        raise Absent
    made = drawn(subject, span, _buckets(ask, span, span.width))
    answer = picture(made.svg)
    answer.headers["Content-Security-Policy"] = made.policy
    return answer


routes = [
    page("/outages", outages),
    page("/charts", charts),
    page("/charts/{subject}-{span}.svg", chart),
]

"""Server outages, on a time line and in figures; and charts of the work over hours and days."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from starlette.responses import Response

from plexsync.reports.outages import report
from plexsync.reports.status import outage_facts
from plexsync.rules.errors import Neighbour
from plexsync.rules.job import DAY
from plexsync.rules.outages import bars, ticks
from plexsync.rules.samples import Bucket, buckets
from plexsync.web.charts import RANGES, SUBJECTS, Line, Range, Subject, draw, value
from plexsync.web.pages import TEMPLATES, Ask, PageNotFound, Wrong, page, picture

DAYS = (1, 7, 30, 365)
LOG_SHOWN = 50
# A chart on its own may load its style sheets and nothing else.
POLICY = "default-src 'none'; style-src 'self'; frame-ancestors 'none'"
SHEETS = ("/static/dashboard.css", "/static/pages.css")


def outages(ask: Ask) -> Response:
    """The last days: a time line for each server, figures, the outages, and the transitions of the breakers."""
    days = _days(ask.query.get("days", "30"))
    seen = report(ask.desk.parts, days)
    lines = [
        {
            "who": who.value,
            "bars": [
                {
                    "left": 100 * bar.offset,
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
            {
                "at": one.at,
                "who": one.server.value,
                "old": one.old,
                "new": one.new,
                "cause": one.cause,
                "error": one.error,
            }
            for one in reversed(seen.log)
        ][:LOG_SHOWN],
    )


def _days(text: str) -> int:
    if text not in map(str, DAYS):
        raise Wrong(f"Show {', '.join(map(str, DAYS[:-1]))} or {DAYS[-1]} days.")
    return int(text)


# --- charts ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Record:
    """The recorded samples of a period: in the resolution of its charts, and as the rows of its tables."""

    span: Range
    points: list[Bucket]
    rows: list[Bucket]

    def words(self, subject: Subject) -> str:
        """A chart as text, for screen readers."""
        figures = [_figures(self.rows, line, rate=subject.rate) for line in subject.lines]
        text = "; ".join(filter(None, figures)) or "Nothing was recorded yet"
        return f"{subject.title}, {self.span.words}. {text}."

    def picture(self, subject: Subject) -> dict[str, Any]:
        """The values for the chart template."""
        return {"chart": draw(subject, self.span, self.points), "words": self.words(subject)}


def record(ask: Ask, span: Range) -> Record:
    """The recorded samples of this period, up to now."""
    start = ask.now - span.length
    with ask.desk.parts.store.reading() as db:
        samples = db.samples.between(start - start % span.row, ask.now)
    return Record(
        span,
        points=buckets(samples, start=start, end=ask.now, width=span.width),
        rows=buckets(samples, start=start, end=ask.now, width=span.row),
    )


def _figures(rows: list[Bucket], line: Line, *, rate: bool) -> str:
    """The newest and the highest value of a line, as text."""
    values = [number for bucket in rows if (number := value(bucket, line, rate=rate)) is not None]
    return f"{line.name}: {values[-1]:,.0f} at last, {max(values):,.0f} at most" if values else ""


def charts(ask: Ask) -> Response:
    """All charts, each with its values as a table."""
    return ask.show("charts.html", ranges=[_range(name, record(ask, span)) for name, span in RANGES.items()])


def _range(name: str, record: Record) -> dict[str, Any]:
    return {
        "name": name,
        "words": record.span.words,
        "subjects": [
            {
                "name": key,
                "title": subject.title,
                "unit": subject.unit,
                "heads": [line.name for line in subject.lines],
                "picture": record.picture(subject),
                "rows": [
                    (bucket.at, [value(bucket, line, rate=subject.rate) for line in subject.lines])
                    for bucket in reversed(record.rows)
                    if bucket.sample is not None
                ],
            }
            for key, subject in SUBJECTS.items()
        ],
    }


def chart(ask: Ask) -> Response:
    """One chart as a standalone picture, under the style sheets of the pages."""
    subject, span = SUBJECTS.get(str(ask.path["subject"])), RANGES.get(str(ask.path["span"]))
    if subject is None or span is None:
        raise PageNotFound
    facts = record(ask, span).picture(subject)
    answer = picture(TEMPLATES.get_template("chart.svg").render(facts, sheets=SHEETS))
    answer.headers["Content-Security-Policy"] = POLICY
    return answer


routes = [
    page("/outages", outages),
    page("/charts", charts),
    page("/charts/{subject}-{span}.svg", chart),
]

"""Server outages, on a time line and in figures; and charts of the work over hours and days."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from starlette.responses import Response

from plexsync.app.rules import HOUR
from plexsync.reports.format import unstamped
from plexsync.reports.outages import report
from plexsync.reports.shapes.outages import OutageFacts
from plexsync.reports.shapes.status import StatusFacts
from plexsync.rules.gate_names import caption, shown
from plexsync.rules.job import DAY
from plexsync.rules.outages import bars, ticks
from plexsync.rules.samples import Bucket, buckets
from plexsync.rules.sorting import Sort
from plexsync.rules.status_words import SceneStatus, job_counts
from plexsync.web.charts import RANGES, SUBJECTS, Drawing, Line, Range, Subject, draw, value
from plexsync.web.pages import TEMPLATES, Ask, PageNotFound, Wrong, page, picture
from plexsync.web.sorting import address, sort_links, sort_named

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
# A chart on its own may load its style sheets and nothing else.
POLICY = "default-src 'none'; style-src 'self'; frame-ancestors 'none'"
SHEETS = ("/static/dashboard.css", "/static/pages.css")


@dataclass(frozen=True)
class LaneBar:
    """An outage on the time line: its start and width in percent, what it was, and its facts."""

    left: float
    width: float
    gate: str
    facts: OutageFacts


@dataclass(frozen=True)
class TimeLane:
    """The time line of a gate."""

    server: str
    bars: list[LaneBar]


@dataclass(frozen=True)
class AxisMark:
    """A label below the time lines, and its place in percent."""

    left: float
    text: str


def outages(ask: Ask) -> Response:
    """The last days: a time line for each server, figures, the outages, and the transitions of the breakers."""
    days = _days(ask.query.get("days", "30"))
    sort = sort_named(ask.query.get("sort", ""), list(OUTAGE_VALUES), NEWEST)
    past = report(ask.desk.parts, days)
    lines = [
        TimeLane(
            caption(gate),
            [
                LaneBar(
                    100 * bar.offset,
                    100 * bar.width,
                    bar.outage.gate.value,
                    past.facts_of(bar.outage),
                )
                for bar in bars(past.found, gate, start=past.start, end=past.now)
            ],
        )
        for gate in shown({outage.server for outage in past.found})
    ]
    length = max(1, past.now - past.start)
    form = "%H:%M" if length <= 2 * DAY else "%d %b" if length <= 400 * DAY else "%b %Y"
    marks = [
        AxisMark(100 * (at - past.start) / length, datetime.fromtimestamp(at / 1000, UTC).strftime(form))
        for at in ticks(past.start, past.now)
    ]
    facts = past.facts()
    return ask.show(
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


def _days(text: str) -> int:
    if text not in map(str, DAYS):
        raise Wrong(f"Show {', '.join(map(str, DAYS[:-1]))} or {DAYS[-1]} days.")
    return int(text)


# --- charts ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ChartPicture:
    """A chart for its template, and the chart as text."""

    chart: Drawing
    words: str


@dataclass(frozen=True)
class ChartFigure:
    """A chart with its values as a table: the rows are a time and a value for each head."""

    name: str
    title: str
    unit: str
    heads: list[str]
    picture: ChartPicture
    rows: list[tuple[int, list[float | None]]]


@dataclass(frozen=True)
class ChartSection:
    """The charts of a period."""

    name: str
    words: str
    subjects: list[ChartFigure]


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

    def picture(self, subject: Subject) -> ChartPicture:
        """The chart, drawn."""
        return ChartPicture(draw(subject, self.points), self.words(subject))


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
    """All charts, each with its values as a table; the queue with its books, the breakers, and what happens next."""
    facts = ask.desk.facts()
    undone, scenes = facts["undone"], facts["scenes"]
    resting = {
        "undone": undone["undone"],
        "released": undone["released"],
        **{status.value: scenes[status]["count"] for status in (SceneStatus.SKIPPED, SceneStatus.NOT_SHOWN)},
    }
    counts = job_counts(facts["jobs"], resting, kept_fields=facts["kept_fields"])
    return ask.show(
        "charts.html",
        found=facts,
        ranges=[_range(name, record(ask, span)) for name, span in RANGES.items()],
        states=[(row.word, row.count, row.meaning, row.tone) for row in counts],
        breakers=[
            (caption(name), breaker["state"].replace("_", "-"), breaker["opened_at"])
            for name, breaker in facts["breakers"].items()
        ],
        coming=coming(ask, facts),
    )


def coming(ask: Ask, facts: StatusFacts) -> list[tuple[str, int | str]]:
    """The next events, and their times."""
    parts, now = ask.desk.parts, ask.now
    upcoming: list[tuple[str, int | str]] = []
    with parts.store.reading() as db:
        due = db.jobs.next_due(now)
    if due is not None:
        upcoming.append(("the worker looks at the next scene", due if due > now else "now"))
    for name, breaker in facts["breakers"].items():
        if breaker["next_probe_at"]:
            upcoming.append((f"{caption(name)} is probed", breaker["next_probe_at"]))
    hours = parts.config.reconcile_interval_hours
    if facts["comparison_due"]:
        upcoming.append(("full comparison", "soon: it is due"))
    elif hours and facts["last_reconcile"]:
        upcoming.append(("full comparison", unstamped(facts["last_reconcile"]) + round(hours * HOUR)))
    if facts["last_poll"]:
        upcoming.append(
            (
                "poll of Stash",
                unstamped(facts["last_poll"]) + round(parts.config.stash_poll_interval * 1000),
            )
        )
    return upcoming


def _range(name: str, record: Record) -> ChartSection:
    return ChartSection(name, record.span.words, [_figure(key, subject, record) for key, subject in SUBJECTS.items()])


def _figure(name: str, subject: Subject, record: Record) -> ChartFigure:
    return ChartFigure(
        name,
        subject.title,
        subject.unit,
        heads=[line.name for line in subject.lines],
        picture=record.picture(subject),
        rows=[
            (bucket.at, [value(bucket, line, rate=subject.rate) for line in subject.lines])
            for bucket in reversed(record.rows)
            if bucket.sample is not None
        ],
    )


def chart(ask: Ask) -> Response:
    """One chart as a standalone picture, under the style sheets of the pages."""
    subject, span = SUBJECTS.get(str(ask.path["subject"])), RANGES.get(str(ask.path["span"]))
    if subject is None or span is None:
        raise PageNotFound
    drawn = record(ask, span).picture(subject)
    answer = picture(TEMPLATES.get_template("chart.svg").render(chart=drawn.chart, words=drawn.words, sheets=SHEETS))
    answer.headers["Content-Security-Policy"] = POLICY
    return answer


routes = [
    page("/outages", outages),
    page("/charts", charts),
    page("/charts/{subject}-{span}.svg", chart),
]

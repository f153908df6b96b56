"""Charts of the work over hours and days: the subject of each, the positions of its lines, ticks and labels, and the page.

`draw` returns plain positions; the template `chart.svg` makes SVG of them. Colours come from the style sheet of the
page, so a chart follows its light and dark mode. The picture holds no script and no style. It begins at the first sample
of its period, and a browser shows the values at a time when you point at it.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from starlette.responses import Response

from plexsync.reports.format import parse_stamp
from plexsync.reports.shapes.status import StatusFacts
from plexsync.reports.verdict import is_stopped
from plexsync.rules.queue.gate_names import caption
from plexsync.rules.queue.samples import HOUR, MINUTE, Bucket, buckets as buckets_of
from plexsync.rules.words.status_words import SceneStatus, job_counts
from plexsync.web.pages import TEMPLATES, PageCall, PageNotFound, page, picture

DAY = 24 * HOUR
WIDTH, HEIGHT = 380, 220
RIGHT, BOTTOM = WIDTH - 8, HEIGHT - 28
# The largest average width of a letter at 15 pixels, over the default fonts of browsers.
LETTER = 8.75
ROW, SWATCH, GAP = 22, 24, 14
MOST_STEPS = 4
# The fewest buckets of a chart, the most times and dates on its time axis, and the most places at which it tells values.
FEWEST, MOST_LABELS, MOST_DATES, MOST_PLACES = 6, 6, 4, 90
# A chart on its own may load its style sheets and nothing else.
POLICY = "default-src 'none'; style-src 'self'; frame-ancestors 'none'"
SHEETS = ("/static/dashboard.css", "/static/pages.css")

Point = tuple[float, float]


@dataclass(frozen=True)
class Line:
    """One line of a chart: its name, the field of a sample that it shows, its colour in the style sheet, its dashes."""

    name: str
    field: str
    tone: str
    dash: str = ""


@dataclass(frozen=True)
class Subject:
    """The topic of a chart. `rate`: its counts are shown per minute."""

    title: str
    unit: str
    lines: tuple[Line, ...]
    rate: bool = False


@dataclass(frozen=True)
class Range:
    """The period of a chart: its length, and the width of its buckets and of its table's rows."""

    words: str
    length: int
    width: int
    row: int


SUBJECTS = {
    "queue": Subject(
        "The queue",
        "scenes",
        (
            Line(SceneStatus.QUEUED.word, "waiting", "soft"),
            Line(SceneStatus.NOT_IN_PLEX.word, "absent", "link", "7 4"),
            Line(SceneStatus.FAILED.word, "dead", "wait", "2 3"),
        ),
    ),
    "rates": Subject(
        "Work",
        "a minute",
        (
            Line("scenes synced", "done", "well"),
            Line("requests to Plex", "plex", "wait", "7 4"),
            Line("requests to Stash", "stash", "link", "2 3"),
        ),
        rate=True,
    ),
    "scenes": Subject("Scenes in sync", "scenes", (Line(SceneStatus.IN_SYNC.word, "in_step", "well"),)),
}
RANGES = {
    "hour": Range("the last hour", HOUR, MINUTE, 5 * MINUTE),
    "day": Range("the last 24 hours", DAY, 5 * MINUTE, HOUR),
    "month": Range("the last 30 days", 30 * DAY, HOUR, DAY),
}
SPACINGS = (
    *(number * MINUTE for number in (1, 2, 5, 10, 15, 30)),
    *(number * HOUR for number in (1, 2, 4, 6, 12)),
    *(number * DAY for number in (1, 2, 5, 10)),
)


def value(bucket: Bucket, line: Line, *, rate: bool) -> float | None:
    """The value of a line at a point; None if no worker ran."""
    if bucket.sample is None:
        return None
    return bucket.rate(line.field) if rate else float(getattr(bucket.sample, line.field))


@dataclass(frozen=True)
class Tick:
    """A position on an axis, and its label."""

    at: float
    label: str


@dataclass(frozen=True)
class Key:
    """An entry of the legend."""

    x: float
    y: float
    line: Line


@dataclass(frozen=True)
class Trace:
    """A line as drawn: its path, the area below it, and its newest point. All are empty if nothing is recorded."""

    line: Line
    path: str
    area: str
    end: Point | None


@dataclass(frozen=True)
class Place:
    """A stretch of the time axis, and what a browser shows when you point at it."""

    x: float
    width: float
    words: str


@dataclass(frozen=True)
class Drawing:
    """A chart, ready for the template. Lengths are in units of its view box."""

    left: float
    legend: tuple[Key, ...]
    rows: tuple[Tick, ...]
    columns: tuple[Tick, ...]
    traces: tuple[Trace, ...]
    places: tuple[Place, ...]
    top: float
    words: str
    """The chart as text, for screen readers."""
    width: int = WIDTH
    height: int = HEIGHT
    right: int = RIGHT
    bottom: int = BOTTOM


def draw(subject: Subject, buckets: Sequence[Bucket], words: str = "") -> Drawing:
    """The chart of these buckets, from the first one with a sample on. `words` say what it shows."""
    buckets = trim_start(buckets)
    series = [[value(bucket, line, rate=subject.rate) for bucket in buckets] for line in subject.lines]
    highest = max((number for numbers in series for number in numbers if number is not None), default=0.0)
    scale = ticks(highest)
    left = 12 + LETTER * max(len(label) for _, label in scale)
    legend = tuple(legend_of(subject.lines)) if len(subject.lines) > 1 else ()
    top = (legend[-1].y if legend else 0) + 16
    xs = [left + (RIGHT - left) * number / max(1, len(buckets) - 1) for number in range(len(buckets))]

    def height(number: float) -> float:
        return BOTTOM - (BOTTOM - top) * number / scale[-1][0]

    return Drawing(
        left=left,
        legend=legend,
        rows=tuple(Tick(height(number), label) for number, label in scale),
        columns=tuple(labels(xs, buckets)),
        traces=tuple(
            trace(line, xs, [None if number is None else height(number) for number in numbers])
            for line, numbers in zip(subject.lines, series, strict=True)
        ),
        places=tuple(places(subject, xs, buckets)),
        top=top,
        words=words,
    )


def trim_start(buckets: Sequence[Bucket]) -> Sequence[Bucket]:
    """The buckets from the first sample on, but some in any case; all of them if there is no sample."""
    first = next((number for number, bucket in enumerate(buckets) if bucket.sample is not None), 0)
    return buckets[max(0, min(first, len(buckets) - FEWEST)) :]


def labels(xs: Sequence[float], buckets: Sequence[Bucket]) -> Iterator[Tick]:
    """The labels of the time axis, at whole multiples of the least spacing that leaves room for each."""
    length = buckets[-1].at - buckets[0].at
    fitting = (spacing for spacing in SPACINGS if length / spacing < (MOST_LABELS if spacing < DAY else MOST_DATES))
    apart = next(fitting, SPACINGS[-1])
    form = "%H:%M" if apart < DAY else "%d %b"
    for x, bucket in zip(xs, buckets, strict=True):
        if bucket.at % apart == 0 and x <= RIGHT - 2 * LETTER:
            yield Tick(x, datetime.fromtimestamp(bucket.at / 1000, UTC).strftime(form))


def places(subject: Subject, xs: Sequence[float], buckets: Sequence[Bucket]) -> Iterator[Place]:
    """The stretches at which values are shown: each bucket, or the last sample of several together."""
    together = math.ceil(len(buckets) / MOST_PLACES)
    half = (xs[1] - xs[0]) / 2 if len(xs) > 1 else 0.0
    for first in range(0, len(buckets), together):
        several = buckets[first : first + together]
        bucket = next((one for one in reversed(several) if one.sample is not None), several[-1])
        values = [(line, value(bucket, line, rate=subject.rate)) for line in subject.lines]
        words = " · ".join(f"{line.name} {format_number(number)}" for line, number in values if number is not None)
        at = datetime.fromtimestamp(bucket.at / 1000, UTC).strftime("%d %b %H:%M UTC")
        left, right = max(xs[0], xs[first] - half), min(RIGHT, xs[first + len(several) - 1] + half)
        yield Place(left, right - left, f"{at}: {words or 'no worker ran'}")


def format_number(number: float) -> str:
    """A value: a whole number, or a small rate with one decimal."""
    return f"{number:,.0f}" if number >= 10 or number == int(number) else f"{number:,.1f}"


def ticks(highest: float) -> list[tuple[float, str]]:
    """The ticks of an axis from 0 to `highest` or just above: at most five whole round numbers, evenly spaced."""
    power = 10.0 ** math.floor(math.log10(highest / MOST_STEPS)) if highest > 0 else 1.0
    step = next(size * power for size in (1, 2, 5, 10) if size * power * MOST_STEPS >= highest)
    step = max(step, 1.0)
    return [(step * number, f"{step * number:,.0f}") for number in range(max(1, math.ceil(highest / step)) + 1)]


def legend_of(lines: Sequence[Line]) -> Iterator[Key]:
    """The legend, from left to right, in as many rows as it needs."""
    x, y = 4.0, 16.0
    for line in lines:
        width = SWATCH + LETTER * len(line.name)
        if x + width > WIDTH:
            x, y = 4.0, y + ROW
        yield Key(x, y, line)
        x += width + GAP


def trace(line: Line, xs: Sequence[float], ys: Sequence[float | None]) -> Trace:
    """A line through these points, broken where a height is None."""
    pieces = list(pieces_of(xs, ys))
    texts = [corners(piece) for piece in pieces]
    return Trace(
        line,
        path="".join(f"M{text}" for text in texts),
        area="".join(
            f"M{piece[0][0]:.1f} {BOTTOM} {text} {piece[-1][0]:.1f} {BOTTOM}Z"
            for piece, text in zip(pieces, texts, strict=True)
        ),
        end=pieces[-1][-1] if pieces else None,
    )


def pieces_of(xs: Sequence[float], ys: Sequence[float | None]) -> Iterator[list[Point]]:
    """The unbroken pieces of a line. A single point becomes a short level line, to be visible."""
    half = (xs[1] - xs[0]) / 2 if len(xs) > 1 else 0.0
    piece: list[Point] = []
    for x, y in zip([*xs, 0.0], [*ys, None], strict=True):
        if y is not None:
            piece.append((x, y))
        elif piece:
            alone, height = piece[0]
            yield piece if piece[1:] else [(max(xs[0], alone - half), height), (min(xs[-1], alone + half), height)]
            piece = []


def corners(piece: Sequence[Point]) -> str:
    """The points of a piece in path syntax, without those in the middle of a level line."""
    texts = [(f"{x:.1f}", f"{y:.1f}") for x, y in piece]
    pieces = [
        f"{x} {y}"
        for number, (x, y) in enumerate(texts)
        if number in (0, len(texts) - 1) or not (texts[number - 1][1] == y == texts[number + 1][1])
    ]
    return " ".join(pieces)


@dataclass(frozen=True)
class Record:
    """The recorded samples of a period: in the resolution of its charts, and as the rows of its tables."""

    span: Range
    points: list[Bucket]
    rows: list[Bucket]

    def picture(self, subject: Subject) -> Drawing:
        """The chart, drawn. Its words tell the newest and the highest value of each line."""
        figures = []
        for line in subject.lines:
            numbers = [number for row in self.rows if (number := value(row, line, rate=subject.rate)) is not None]
            figures += [f"{line.name}: {numbers[-1]:,.0f} at last, {max(numbers):,.0f} at most"] if numbers else []
        text = "; ".join(figures) or "Nothing was recorded yet"
        return draw(subject, self.points, f"{subject.title}, {self.span.words}. {text}.")

    def table(self, subject: Subject) -> list[tuple[int, list[float | None]]]:
        """Each time with the values of the lines, the newest first."""
        return [
            (row.at, [value(row, line, rate=subject.rate) for line in subject.lines])
            for row in reversed(self.rows)
            if row.sample is not None
        ]


def record(call: PageCall, span: Range) -> Record:
    """The recorded samples of this period, up to now."""
    start = call.now - span.length
    with call.reading() as db:
        samples = db.samples.between(start - start % span.row, call.now)
    return Record(
        span,
        points=buckets_of(samples, start=start, end=call.now, width=span.width),
        rows=buckets_of(samples, start=start, end=call.now, width=span.row),
    )


def charts(call: PageCall) -> Response:
    """All charts, each with its values as a table; the queue with its books, the breakers, and what happens next."""
    facts = call.desk.facts()
    undone, scenes = facts["undone"], facts["scenes"]
    resting = {
        "undone": undone["undone"],
        "released": undone["released"],
        SceneStatus.NOT_SHOWN.value: scenes[SceneStatus.NOT_SHOWN]["count"],
    }
    counts = job_counts(facts["jobs"], resting, kept_fields=facts["kept_fields"], stopped=is_stopped(facts))
    return call.show(
        "charts.html",
        found=facts,
        subjects=SUBJECTS,
        records={name: record(call, span) for name, span in RANGES.items()},
        states=[(row.word, row.count, row.meaning, row.tone) for row in counts],
        breakers=[
            (caption(name), breaker["state"].replace("_", "-"), breaker["opened_at"])
            for name, breaker in facts["breakers"].items()
        ],
        coming=coming(call, facts),
    )


def coming(call: PageCall, facts: StatusFacts) -> list[tuple[str, int | str]]:
    """The next events, and their times."""
    parts, now = call.parts, call.now
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
        upcoming.append(("full comparison", parse_stamp(facts["last_reconcile"]) + round(hours * HOUR)))
    if facts["last_poll"]:
        at = parse_stamp(facts["last_poll"]) + round(parts.config.stash_poll_interval * 1000)
        upcoming.append(("poll of Stash", at))
    return upcoming


def chart(call: PageCall) -> Response:
    """One chart as a standalone picture, under the style sheets of the pages."""
    subject, span = SUBJECTS.get(str(call.path["subject"])), RANGES.get(str(call.path["span"]))
    if subject is None or span is None:
        raise PageNotFound
    drawn = record(call, span).picture(subject)
    answer = picture(TEMPLATES.get_template("chart.svg").render(chart=drawn, sheets=SHEETS))
    answer.headers["Content-Security-Policy"] = POLICY
    return answer


routes = [page("/charts", charts), page("/charts/{subject}-{span}.svg", chart)]

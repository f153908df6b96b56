"""Charts: the subject of each, and the positions of its lines, ticks and labels.

`draw` returns plain positions; the template `chart.svg` makes SVG of them. Colours come from the style sheet of the
page, so a chart follows its light and dark mode. The picture holds no script and no style.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from plexsync.rules.samples import HOUR, MINUTE, Bucket
from plexsync.rules.status_words import SceneStatus

DAY = 24 * HOUR
WIDTH, HEIGHT = 380, 220
RIGHT, BOTTOM = WIDTH - 8, HEIGHT - 24
# The largest average width of a letter at 12 pixels, over the default fonts of browsers.
LETTER = 7.0
ROW, SWATCH, GAP = 18, 24, 14
MOST_STEPS = 4

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
    """The period of a chart: its length, the width of its buckets and of its table's rows, its axis labels and their
    spacing.
    """

    words: str
    length: int
    width: int
    row: int
    label: str
    apart: int


SUBJECTS = {
    "queue": Subject(
        "The queue",
        "scenes",
        (
            Line(SceneStatus.QUEUED.word, "waiting", "wait"),
            Line(SceneStatus.NOT_IN_PLEX.word, "absent", "link", "7 4"),
            Line(SceneStatus.FAILED.word, "dead", "bad", "2 3"),
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
    "hour": Range("the last hour", HOUR, MINUTE, 5 * MINUTE, "%H:%M", 10 * MINUTE),
    "day": Range("the last 24 hours", DAY, 5 * MINUTE, HOUR, "%H:%M", 4 * HOUR),
    "month": Range("the last 30 days", 30 * DAY, HOUR, DAY, "%d %b", 5 * DAY),
}


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
class Drawing:
    """A chart, ready for the template. Lengths are in units of its view box."""

    left: float
    legend: tuple[Key, ...]
    rows: tuple[Tick, ...]
    columns: tuple[Tick, ...]
    traces: tuple[Trace, ...]
    width: int = WIDTH
    height: int = HEIGHT
    right: int = RIGHT
    bottom: int = BOTTOM


def draw(subject: Subject, span: Range, buckets: Sequence[Bucket]) -> Drawing:
    """The chart of these buckets."""
    series = [[value(bucket, line, rate=subject.rate) for bucket in buckets] for line in subject.lines]
    highest = max((number for numbers in series for number in numbers if number is not None), default=0.0)
    scale = ticks(highest, whole=not subject.rate)
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
        columns=tuple(
            Tick(x, datetime.fromtimestamp(bucket.at / 1000, UTC).strftime(span.label))
            for x, bucket in zip(xs, buckets, strict=True)
            if bucket.at % span.apart == 0
        ),
        traces=tuple(
            trace(line, xs, [None if number is None else height(number) for number in numbers])
            for line, numbers in zip(subject.lines, series, strict=True)
        ),
    )


def ticks(highest: float, *, whole: bool) -> list[tuple[float, str]]:
    """The ticks of an axis from 0 to `highest` or just above: at most five round numbers, evenly spaced, with labels."""
    power = 10.0 ** math.floor(math.log10(highest / MOST_STEPS)) if highest > 0 else 1.0
    step = next(size * power for size in (1, 2, 5, 10) if size * power * MOST_STEPS >= highest)
    step = max(step, 1.0) if whole else step
    decimals = max(0, -math.floor(math.log10(step)))
    return [
        (step * number, f"{step * number:,.{decimals}f}") for number in range(max(1, math.ceil(highest / step)) + 1)
    ]


def legend_of(lines: Sequence[Line]) -> Iterator[Key]:
    """The legend, from left to right, in as many rows as it needs."""
    x, y = 4.0, 14.0
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
    kept = [
        f"{x} {y}"
        for number, (x, y) in enumerate(texts)
        if number in (0, len(texts) - 1) or not (texts[number - 1][1] == y == texts[number + 1][1])
    ]
    return " ".join(kept)

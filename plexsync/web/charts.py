"""Charts as SVG, drawn by pygal: pictures without script, for an `img`, that follow light and dark by themselves.

Of what pygal draws only the lines and texts are kept, under one style sheet of ours: the policy of a picture allows that
one, by its hash, and nothing else.
"""

import base64
import hashlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from xml.etree.ElementTree import Element, SubElement, tostring

import pygal
from pygal.style import Style

from plexsync.rules.samples import HOUR, MINUTE, Bucket

# pygal looks for plug-ins of its own whenever anything is imported, in a way that Python has given up. We use none.
sys.meta_path[:] = [finder for finder in sys.meta_path if type(finder).__module__ != pygal.__name__]

DAY = 24 * HOUR
WIDTH, HEIGHT = 520, 270
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', 'DejaVu Sans', sans-serif"
# Parts of the drawing that are of use only with script, or are drawn by our own style sheet.
LEFT_OUT = {"script", "style", "defs"}
OVERLAYS = {"plot overlay", "plot text-overlay", "plot tooltip-overlay", "titles"}


@dataclass(frozen=True)
class Line:
    """One line of a chart: what it is called, the field of a sample that it shows, its colours by day and by night."""

    name: str
    field: str
    light: str
    dark: str
    dash: str = ""


@dataclass(frozen=True)
class Subject:
    """What a chart is about. `rate`: its counts are shown as so many a minute."""

    title: str
    unit: str
    lines: tuple[Line, ...]
    rate: bool = False


@dataclass(frozen=True)
class Range:
    """How far back a chart looks, in parts of which width, and in which its table is written; what stands at the axis, and
    how far apart."""

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
            Line("waiting", "waiting", "#9a5b00", "#f2bb5c"),
            Line("not in Plex", "absent", "#5a6b8c", "#a9bbdd", "7,4"),
            Line("given up", "dead", "#b3261e", "#ff9d94", "2,3"),
        ),
    ),
    "rates": Subject(
        "Work done",
        "a minute",
        (
            Line("brought in step", "done", "#157347", "#6ed49b"),
            Line("requests to Plex", "plex", "#9a5b00", "#f2bb5c", "7,4"),
            Line("requests to Stash", "stash", "#1f5fc4", "#86b4ff", "2,3"),
        ),
        rate=True,
    ),
    "scenes": Subject("Scenes in step", "scenes", (Line("in step", "in_step", "#157347", "#6ed49b"),)),
}
RANGES = {
    "hour": Range("the last hour", HOUR, MINUTE, 5 * MINUTE, "%H:%M", 10 * MINUTE),
    "day": Range("the last 24 hours", DAY, 5 * MINUTE, HOUR, "%H:%M", 4 * HOUR),
    "month": Range("the last 30 days", 30 * DAY, HOUR, DAY, "%d %b", 5 * DAY),
}


def value(bucket: Bucket, line: Line, *, rate: bool) -> float | None:
    """What a line shows at a point; None where no worker ran."""
    if bucket.sample is None:
        return None
    return bucket.rate(line.field) if rate else float(getattr(bucket.sample, line.field))


@dataclass(frozen=True)
class Drawing:
    """A chart as SVG, with the policy under which it is shown as it is meant, and nothing in it can run or load anything."""

    svg: bytes
    policy: str


def drawn(subject: Subject, span: Range, buckets: Sequence[Bucket]) -> Drawing:
    """The chart."""
    chart = pygal.Line(
        js=[],
        css=[],
        style=Style(label_font_size=14, major_label_font_size=14, legend_font_size=14, no_data_font_size=18),
        width=WIDTH,
        height=HEIGHT,
        show_dots=False,
        show_legend=len(subject.lines) > 1,
        legend_at_bottom=True,
        legend_at_bottom_columns=len(subject.lines),
        legend_box_size=12,
        include_x_axis=True,
        show_minor_x_labels=False,
        truncate_label=-1,
        truncate_legend=-1,
        max_scale=5,
        value_formatter=_number,
        margin=6,
        no_data_text="nothing yet",
        no_prefix=True,
    )
    chart.x_labels = [_label(bucket.at, span) for bucket in buckets]
    chart.x_labels_major = [_label(bucket.at, span) for bucket in buckets if bucket.at % span.apart == 0]
    for line in subject.lines:
        values = [value(bucket, line, rate=subject.rate) for bucket in buckets]
        chart.add(line.name, _wide(values), allow_interruptions=True)
    return _finished(chart.render_tree(), subject)


def _wide(values: list[float | None]) -> list[float | None]:
    """A value that stands alone is as wide as its part of the time, or it would not be seen."""
    made = list(values)
    for n, number in enumerate(values):
        before, after = values[n - 1] if n else None, values[n + 1] if n + 1 < len(values) else None
        if number is not None and before is None and after is None:
            made[n + 1 if n + 1 < len(values) else n - 1] = number
    return made


def _label(at: int, span: Range) -> str:
    """What is written at the axis; elsewhere something that is no other's."""
    form = span.label if at % span.apart == 0 else "%d %b %H:%M"
    return datetime.fromtimestamp(at / 1000, UTC).strftime(form)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:,.1f}"


def _finished(svg: Element, subject: Subject) -> Drawing:
    for parent in list(svg.iter()):
        for child in list(parent):
            if not isinstance(child.tag, str) or _name(child) in LEFT_OUT or child.get("class") in OVERLAYS:
                parent.remove(child)
        parent.attrib.pop("id", None)
        if _name(parent) == "title" and parent.text == "Pygal":
            parent.text = subject.title
    style = _style(subject)
    SubElement(svg, "style").text = style
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; frame-ancestors 'none'"
    return Drawing(bytes(tostring(svg, encoding="utf-8", xml_declaration=True)), policy)


def _name(element: Element) -> str:
    return str(element.tag).rsplit("}", 1)[-1]


def _style(subject: Subject) -> str:
    """By night other colours than by day."""

    def colours(of: str) -> str:
        return "".join(
            f".serie-{n} .line{{stroke:{getattr(line, of)}}}.legend .color-{n}{{fill:{getattr(line, of)}}}"
            for n, line in enumerate(subject.lines)
        )

    dashes = "".join(
        f".serie-{n} .line{{stroke-dasharray:{line.dash}}}" for n, line in enumerate(subject.lines) if line.dash
    )
    return (
        f"text{{font:14px {FONT};fill:#596375}}"
        ".background{fill:none}.line{fill:none;stroke:#9aa3b266}.guide.line{stroke:#8a94a644}"
        ".axis.x text,text.no_data{text-anchor:middle}.axis.y text{text-anchor:end}"
        ".series .line{stroke-width:2.25;stroke-linejoin:round}"
        f"{dashes}{colours('light')}"
        f"@media(prefers-color-scheme:dark){{text{{fill:#a3adbd}}{colours('dark')}}}"
    )

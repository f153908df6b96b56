"""When the servers were away, and the charts: figures, lines, pictures that need no script and no style of others."""

import html
import re
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import given, strategies as st

from plexsync.rules.queue.job import DAY
from plexsync.rules.queue.note_keys import BEGUN
from plexsync.rules.queue.samples import HOUR, MINUTE, Bucket, Sample, buckets
from plexsync.rules.servers.errors import Neighbour
from plexsync.web.charts import LETTER, RANGES, SUBJECTS, WIDTH, Drawing, Subject, draw, legend_of, ticks
from tests.journey.world import World, until
from tests.web.conftest import Dash
from tests.web.stage import HOSTILE, past

PLEX, STASH = Neighbour


def plain(text: str) -> str:
    return html.unescape(" ".join(re.sub(r"<[^>]+>", " ", text).split()))


def rects(page: str) -> list[tuple[str, float, float]]:
    """(gate, left, width) in percent of every outage on the time lines."""
    found = re.findall(r'<rect class="away (\w+)" x="([\d.]+)%" y="4" width="([\d.]+)%"', page)
    return [(gate, float(left), float(width)) for gate, left, width in found]


def shut(dash: Dash, who: Neighbour, *, ago: int, length: int | None, error: str = "no answer") -> None:
    at = dash.parts.clock.now() - ago
    with dash.parts.store.writing() as tx:
        tx.notes.save(BEGUN, "1")
        tx.transitions.log(who, at=at, old="closed", new="open", cause="read", error=error)
        if length is not None:
            tx.transitions.log(who, at=at + length, old="half_open", new="closed", cause="", error="")


def test_without_an_outage_all_is_well(dash: Dash) -> None:
    page = dash.get("/outages").text
    assert "No outage in this time" in plain(page)
    assert "100.00 % available" in plain(page)
    assert rects(page) == []


def test_the_figures_of_a_new_installation_name_their_time(dash: Dash) -> None:
    with dash.parts.store.writing() as tx:
        tx.notes.save(BEGUN, str(dash.parts.clock.now() - 360_000))
    assert "PlexSync was installed 6 min ago: the figures are of this time." in plain(dash.get("/outages").text)
    with dash.parts.store.writing() as tx:
        tx.notes.save(BEGUN, "1")
    assert "was installed" not in plain(dash.get("/outages").text)


def test_an_outage_is_a_bar_where_it_was_and_a_row(dash: Dash) -> None:
    shut(dash, PLEX, ago=15 * DAY, length=3 * DAY)
    page = dash.get("/outages?days=30").text
    ((gate, left, width),) = rects(page)
    assert gate == "breaker"
    assert left == pytest.approx(50, abs=0.1)
    assert width == pytest.approx(10, abs=0.1)
    told = plain(page)
    assert "90.00 % available" in told
    assert "1 interruption" in told
    assert "3 d mean time to recovery" in told
    assert "Plex 3 d down 0 no answer" in told


def test_only_an_outage_that_goes_on_is_red(dash: Dash) -> None:
    shut(dash, PLEX, ago=15 * DAY, length=3 * DAY)
    over = dash.get("/outages?days=30").text
    assert '<div class="figure wait"><span class="number">90.00' in over
    assert 'class="badge bad"' not in over
    shut(dash, STASH, ago=6 * HOUR, length=None)
    page = dash.get("/outages?days=30").text
    assert '<div class="figure bad"><span class="number">' in page
    assert page.count('class="badge bad"') == 1


def test_one_that_goes_on_reaches_the_end_of_the_line(dash: Dash) -> None:
    shut(dash, STASH, ago=6 * HOUR, length=None)
    page = dash.get("/outages?days=1").text
    ((_, left, width),) = rects(page)
    assert left + width == pytest.approx(100, abs=0.01)
    assert left == pytest.approx(75, abs=0.1)
    assert "goes on" in plain(page)


def test_what_began_before_the_line_is_cut_at_its_beginning(dash: Dash) -> None:
    shut(dash, PLEX, ago=10 * DAY, length=9 * DAY + 12 * HOUR)
    ((_, left, width),) = rects(dash.get("/outages?days=1").text)
    assert (left, round(width)) == (0.0, 50)


def test_the_log_of_the_breakers_is_there(dash: Dash) -> None:
    shut(dash, PLEX, ago=HOUR, length=MINUTE, error=HOSTILE[0])
    page = dash.get("/outages").text
    assert "Plex half open closed" in plain(page)
    assert "<img src=x" not in page


@pytest.mark.parametrize("days", ["0", "2", "x", "-1", "1e9", "30 "])
def test_how_far_to_look_back_is_one_of_a_few(dash: Dash, days: str) -> None:
    assert dash.client.get("/outages", params={"days": days}).status_code == 400


# --- charts ----------------------------------------------------------------------------------------------------------


def test_before_anything_was_recorded_there_are_empty_charts(dash: Dash) -> None:
    page = dash.get("/charts")
    assert page.status_code == 200
    assert "Nothing was recorded in this time" in plain(page.text)
    assert "<title>The queue, the last hour. Nothing was recorded yet.</title>" in page.text
    assert "Nothing was recorded yet</text>" in dash.get("/charts/queue-day.svg").text


def test_every_chart_has_its_figures_in_words_and_as_a_table(dash: Dash) -> None:
    past(dash.parts)
    page = dash.get("/charts").text
    for subject in SUBJECTS.values():
        for span in RANGES.values():
            assert f"<title>{subject.title}, {span.words}. {subject.lines[0].name}: " in page
    now = dash.parts.clock.now()
    with dash.parts.store.reading() as db:
        newest = buckets(db.samples.between(now - HOUR, now), start=now - HOUR, end=now, width=5 * MINUTE)[-1].sample
    assert newest is not None
    assert f">{newest.waiting:,}</td>" in page
    pictures = re.findall(r"<svg [^>]*>\s*<title>", page)
    assert len(pictures) == len(SUBJECTS) * len(RANGES)
    assert all('class="chart" role="img"' in tag for tag in pictures)


def test_health_shows_a_few_charts_with_their_figures_in_words(dash: Dash) -> None:
    past(dash.parts)
    page = dash.get("/state").text
    titles = re.findall(r"<svg [^>]*>\s*<title>(.*?)\.", page)
    assert titles == ["The queue, the last hour", "The queue, the last 24 hours", "Work, the last 24 hours"]


@pytest.mark.parametrize("path", ["/charts/queue-year.svg", "/charts/nothing-day.svg", "/charts/queue.svg"])
def test_there_are_no_other_charts(dash: Dash, path: str) -> None:
    assert dash.get(path).status_code == 404


@pytest.mark.parametrize("span", RANGES)
@pytest.mark.parametrize("subject", SUBJECTS)
def test_a_picture_runs_nothing_and_is_styled_by_the_sheets_of_the_pages_alone(
    dash: Dash, subject: str, span: str
) -> None:
    past(dash.parts)
    answer = dash.get(f"/charts/{subject}-{span}.svg")
    assert answer.headers["content-type"] == "image/svg+xml"
    root = ElementTree.fromstring(answer.content)
    names = [str(node.tag).rsplit("}", 1)[-1] for node in root.iter()]
    assert set(names) <= {"svg", "g", "line", "path", "circle", "rect", "text", "title"}
    assert all(
        not name.startswith("on") and name not in ("style", "href") for node in root.iter() for name in node.attrib
    )
    sheets = re.findall(r'<\?xml-stylesheet href="([^"]+)"\?>', answer.text)
    assert {dash.get(sheet).headers["content-type"].partition(";")[0] for sheet in sheets} == {"text/css"}
    policy = "default-src 'none'; style-src 'self'; frame-ancestors 'none'"
    assert answer.headers["content-security-policy"] == policy
    assert "http" not in answer.text.replace("http://www.w3.org/2000/svg", "")


def test_every_colour_of_a_line_is_one_of_the_style_sheet(dash: Dash) -> None:
    sheet = dash.get("/static/pages.css").text
    tones = {line.tone for subject in SUBJECTS.values() for line in subject.lines}
    assert len(tones) > 3
    assert {tone for tone in tones if f".chart .{tone} {{ --tone: var(--{tone}); }}" not in sheet} == set()


def pieces(drawing: Drawing) -> list[list[float]]:
    """The heights of each unbroken piece of the first line."""
    texts = drawing.traces[0].path.split("M")[1:]
    return [[float(number) for number in text.split()[1::2]] for text in texts]


def test_a_line_rises_with_what_it_shows_and_is_broken_where_no_worker_ran() -> None:
    start = 1_700_000_000_000 - 1_700_000_000_000 % HOUR
    samples = [Sample(start + n * MINUTE, waiting=n) for n in range(60) if not 20 <= n < 30]
    span = RANGES["hour"]
    drawing = draw(SUBJECTS["queue"], buckets(samples, start=start, end=start + HOUR, width=span.width))
    first, second = pieces(drawing)
    assert (len(first), len(second)) == (20, 30)
    heights = [*first, *second]
    assert heights == sorted(heights, reverse=True), "upwards, which is less in a picture"


def at_the_hour(*minutes: int, waiting: int = 5) -> list[Bucket]:
    """The last hour in minutes, with samples at these."""
    start = 1_700_000_000_000 - 1_700_000_000_000 % HOUR
    samples = [Sample(start + minute * MINUTE, waiting=waiting) for minute in minutes]
    return buckets(samples, start=start, end=start + HOUR, width=MINUTE)


def test_a_chart_begins_at_the_first_sample() -> None:
    drawing = draw(SUBJECTS["queue"], at_the_hour(*range(40, 61)))
    assert drawing.traces[0].path.startswith(f"M{drawing.left:.1f} ")
    assert [column.label for column in drawing.columns] == ["22:40", "22:45", "22:50", "22:55"]
    # A single sample at the end is no chart of its own.
    assert len(draw(SUBJECTS["queue"], at_the_hour(60)).places) == 6


def test_a_browser_shows_the_values_where_you_point() -> None:
    drawing = draw(SUBJECTS["queue"], at_the_hour(40, 41, 43))
    words = [place.words for place in drawing.places]
    assert words[0] == "14 Nov 22:40 UTC: queued 5 · not in Plex yet 0 · needs you 0"
    assert words[2] == "14 Nov 22:42 UTC: no worker ran"
    assert len(words) == 21
    edges = [(place.x, place.x + place.width) for place in drawing.places]
    assert all(end == pytest.approx(begin) for (_, end), (begin, _) in pairwise(edges))
    assert (edges[0][0], edges[-1][1]) == pytest.approx((drawing.left, drawing.right))


@pytest.mark.parametrize("length", [6, 61, 289, 721])
def test_a_time_axis_has_labels_and_none_in_the_way_of_another(length: int) -> None:
    start = 1_700_000_000_000 - 1_700_000_000_000 % DAY
    points = [Bucket(start + number * HOUR, HOUR, Sample(start)) for number in range(length)]
    drawing = draw(SUBJECTS["queue"], points)
    places = [column.at for column in drawing.columns]
    assert 1 <= len(places) <= 7
    assert all(other - one >= LETTER * 5 for one, other in pairwise(places))
    assert len(drawing.places) <= 90


@pytest.mark.parametrize("minute", [0, 30, 60])
def test_a_minute_that_stands_alone_is_seen(minute: int) -> None:
    start = 1_700_000_000_000 - 1_700_000_000_000 % HOUR
    span = RANGES["hour"]
    sample = Sample(start + minute * MINUTE, waiting=5)
    drawing = draw(SUBJECTS["queue"], buckets([sample], start=start, end=start + HOUR, width=span.width))
    ((one, other),) = pieces(drawing)
    assert one == other
    left, right = drawing.traces[0].path[1:].split()[::2]
    assert drawing.left - 0.1 <= float(left) < float(right) <= drawing.right


def test_a_level_stretch_is_two_points_and_no_corner_is_lost() -> None:
    start = 1_700_000_000_000 - 1_700_000_000_000 % HOUR
    samples = [Sample(start + n * MINUTE, waiting=0 if n in (20, 21, 22) else 9) for n in range(61)]
    span = RANGES["hour"]
    drawing = draw(SUBJECTS["queue"], buckets(samples, start=start, end=start + HOUR, width=span.width))
    ((*heights,),) = pieces(drawing)
    high, low = heights[0], float(drawing.bottom)
    assert heights == [high, high, low, low, high, high]


@pytest.mark.parametrize(
    ("highest", "labels"),
    [
        (0, ["0", "1"]),
        (0.3, ["0", "1"]),
        (1, ["0", "1"]),
        (1.5, ["0", "1", "2"]),
        (3, ["0", "1", "2", "3"]),
        (4, ["0", "1", "2", "3", "4"]),
        (5, ["0", "2", "4", "6"]),
        (7.5, ["0", "2", "4", "6", "8"]),
        (41, ["0", "20", "40", "60"]),
        (123_456, ["0", "50,000", "100,000", "150,000"]),
    ],
)
def test_an_axis_goes_from_nought_to_the_highest_value_in_whole_round_steps(highest: float, labels: list[str]) -> None:
    marks = ticks(highest)
    assert [label for _, label in marks] == labels
    assert marks[-1][0] >= highest


@given(st.floats(1e-6, 1e12))
def test_an_axis_has_few_marks_and_holds_every_value(highest: float) -> None:
    marks = ticks(highest)
    assert 2 <= len(marks) <= 6
    assert marks[-1][0] >= highest * (1 - 1e-9)


@pytest.mark.parametrize("subject", SUBJECTS.values(), ids=SUBJECTS)
def test_the_legend_stays_within_the_picture_and_above_the_lines(subject: Subject) -> None:
    keys = list(legend_of(subject.lines))
    assert all(key.x + 24 + LETTER * len(key.line.name) <= WIDTH for key in keys)
    assert len({(key.x, key.y) for key in keys}) == len(keys)


def test_a_month_of_samples_is_a_small_picture(dash: Dash) -> None:
    past(dash.parts)
    assert len(dash.get("/charts/queue-month.svg").content) < 120_000


def test_the_charts_follow_the_worker(world: World) -> None:
    world.add(2)
    with world.serving():
        until(lambda: world.count("idle") == 2)
        until(lambda: world.rows("select count(*) from sample") != [(0,)])
    (at, in_step) = world.rows("select at, in_step from sample order by at desc limit 1")[0]
    assert at % MINUTE == 0
    assert in_step >= 0


def test_the_queue_its_books_and_the_breakers_stand_on_charts_and_not_on_the_page_of_health(dash: Dash) -> None:
    charts, health = plain(dash.get("/charts").text), plain(dash.get("/state").text)
    for words in (
        "Books: of 0 accepted wants, 0 joined",
        "breaker of Plex closed",
        "What happens next".lower(),
        "the worker syncs it",
    ):
        assert words in charts
        assert words not in health
    assert "breaker" not in health

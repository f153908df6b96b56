"""What `make bench` measures with works: each part runs once, with few scenes. It says nothing of speed."""

import pytest

from bench import bulk, edit, first, pages, quick, requests, scale
from bench.requests import Cost

pytestmark = pytest.mark.long
SCENES = 20


def test_a_sync_is_measured_with_its_requests() -> None:
    first, again, edited = requests.measure(SCENES, 0.0, "cover")
    assert isinstance(first, Cost)
    assert first.writes >= SCENES
    assert again.writes == 0
    assert 0 < edited.writes < SCENES


def test_a_first_sync_by_a_worker_that_goes_on_is_measured() -> None:
    (first,) = requests.measure(SCENES, 0.0, serves=True)
    assert first.writes >= SCENES


def test_a_comparison_is_measured_at_a_size() -> None:
    head, *lines = scale.report([SCENES])
    assert head == scale.HEAD
    assert len(lines) == 3


def test_a_first_sync_is_measured_at_two_sizes() -> None:
    head, *lines = first.report(sizes=(SCENES, 2 * SCENES), rounds=1)
    assert head == first.HEAD
    assert len(lines) == len(first.GOALS)


def test_an_edit_is_measured_from_stash_to_plex() -> None:
    assert all(delay > 0 for delay in edit.measure(3))


@pytest.mark.parametrize(
    "report", [bulk.report, quick.report, lambda: pages.report(SCENES)], ids=["bulk", "quick", "pages"]
)
def test_a_report_has_its_rows(report) -> None:
    assert len(list(report())) >= 3

"""The tables of JSON keys in the pages have the keys of the reports' shapes, and the reports have those keys."""

import re
from typing import get_type_hints

import pytest

from plexsync.reports import probe
from plexsync.reports.shapes import outages, plays, status
from plexsync.rules.collections.collection_status import CollectionStatus
from plexsync.rules.queue.job import State
from plexsync.rules.words.status_words import STATUSES
from tests.docs.pages import pages
from tests.tables import table

# By the section of docs/commands.md that has a table of keys.
NESTED = {
    "dlq": status.QueueFacts,
    "breakers": status.BreakerFacts,
    "holds": status.HoldFacts,
    "paces": status.PaceFacts,
    "worker": status.WorkerFacts,
    "dashboard": status.DashboardFacts,
    "events": status.EventFacts,
    "plays": status.PlaysFacts,
    "index": status.IndexFacts,
    "books": status.BookFacts,
    "outages": outages.OutagesNow,
    "undone": status.UndoneFacts,
}
SECTIONS = {
    "outages": (outages.OutageReport, outages.OutageFacts, outages.FigureFacts),
    "probe": (probe.ProbeFacts, probe.TraitFacts),
    "plays": (plays.PlaysReport, plays.PlayCounts, plays.PlaysWished, plays.PlaysPreview, plays.PlaysToChange),
}


def rows() -> dict[str, str]:
    """The rows of the table of `status`: the keys, and what the page says of them."""
    section = pages()["docs/commands.md"].partition("\n## `status`")[2].partition("\n## ")[0]
    table = section.partition("JSON, for everything:")[2].partition("\n\nFor a scene")[0]
    return dict(re.findall(r"^\| (`.+?`(?:, `.+?`)*) \| (.+) \|$", table, re.MULTILINE))


def test_the_table_of_status_has_every_key_and_no_other() -> None:
    named = [key for keys in rows() for key in re.findall(r"`(\w+)`", keys)]
    assert sorted(named) == sorted(get_type_hints(status.StatusFacts))


@table("key", NESTED)
def test_a_row_names_every_key_of_its_value(key: str) -> None:
    assert set(get_type_hints(NESTED[key])) <= set(re.findall(r"`(\w+)`", rows()[f"`{key}`"])) | {"forgotten"}


def test_the_rows_of_counts_name_every_status_and_state() -> None:
    assert set(re.findall(r"`(\w+)`", rows()["`scenes`"])) == {*STATUSES, "count", "since"}
    assert set(re.findall(r"`(\w+)`", rows()["`jobs`"])) == set(State)
    assert set(re.findall(r"`(\w+)`", rows()["`collections`"])) == set(CollectionStatus)


@pytest.mark.parametrize("command", SECTIONS)
def test_a_command_names_every_key_of_its_shapes(command: str) -> None:
    section = pages()["docs/commands.md"].partition(f"\n## `{command}`")[2].partition("\n## ")[0]
    for shape in SECTIONS[command]:
        assert set(get_type_hints(shape)) <= set(re.findall(r"`(\w+)`", section))

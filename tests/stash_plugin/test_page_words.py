"""The page in Stash has the words of the one table."""

import json
import re
from pathlib import Path

import pytest

from plexsync.rules.words import status_words
from plexsync.rules.words.status_words import JOB_STATES, buckets, job_word

PAGE_FOLDER = Path(status_words.__file__).resolve().parents[2] / "stash_plugin" / "ui"
PAGE = PAGE_FOLDER.joinpath("plexsync.js").read_text("utf-8")
GOOD = {"well": True, "wait": False}
STATUSES = [[same[0].word, GOOD.get(same[0].tone), [status.value for status in same]] for same in buckets()]
SERVER = {
    "up": status_words.UP,
    "down": status_words.DOWN,
    "hold": status_words.ON_HOLD,
    "failing": status_words.FAILING,
    "throttled": status_words.THROTTLED,
}


@pytest.mark.parametrize("script", ["plexsync.js", "setup.js"])
def test_the_page_and_the_guide_say_as_the_table_how_many_fields_plex_keeps(script: str) -> None:
    text = PAGE_FOLDER.joinpath(script).read_text("utf-8")
    words = re.findall(r'" but for " \+ many\([a-z_.]+, "field"\) \+ " kept in Plex"', text)
    assert len(words) == 1
    assert status_words.in_sync_words(7) == "in sync but for 7 fields kept in Plex"


@pytest.mark.parametrize(
    ("name", "table"),
    [("STATUSES", STATUSES), ("JOBS", {state: job_word(state) for state in JOB_STATES}), ("SERVER", SERVER)],
)
def test_the_page_has_the_words_of_the_table(name: str, table: object) -> None:
    (literal,) = re.findall(rf"^  const {name} = (.*?);$", PAGE, re.MULTILINE | re.DOTALL)
    assert json.loads(literal) == table

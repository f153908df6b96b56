"""The page in Stash has the words of the one table."""

import json
import re
from pathlib import Path

import pytest

from plexsync.rules import status_words
from plexsync.rules.status_words import JOB_STATES, buckets, job_word

PAGE = (
    Path(status_words.__file__).resolve().parent.parent.joinpath("stash_plugin", "ui", "plexsync.js").read_text("utf-8")
)
GOOD = {"well": True, "bad": False}
STATUSES = [[same[0].word, GOOD.get(same[0].tone), [status.value for status in same]] for same in buckets()]
SERVER = {
    "up": status_words.UP,
    "down": status_words.DOWN,
    "hold": status_words.ON_HOLD,
    "failing": status_words.FAILING,
    "throttled": status_words.THROTTLED,
}


@pytest.mark.parametrize(
    ("name", "table"),
    [("STATUSES", STATUSES), ("JOBS", {state: job_word(state) for state in JOB_STATES}), ("SERVER", SERVER)],
)
def test_the_page_has_the_words_of_the_table(name: str, table: object) -> None:
    (literal,) = re.findall(rf"^  const {name} = (.*?);$", PAGE, re.MULTILINE | re.DOTALL)
    assert json.loads(literal) == table

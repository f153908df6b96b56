"""docs/settings.md is what the settings make of it."""

import pytest

from tests.docs.settings_page import PAGE, Unplaced, renewed, row, told
from validation.config import describe

TEXT = PAGE.read_text(encoding="utf-8")


def test_the_page_is_what_make_settings_page_writes() -> None:
    assert renewed(TEXT) == TEXT, "make settings-page renews it"


def test_a_row_that_says_something_else_is_renewed() -> None:
    spoilt = TEXT.replace("at the same time: 1 to 8.", "as many as you like.")
    assert spoilt != TEXT
    assert renewed(spoilt) == TEXT


def test_a_row_leaves_out_the_default_that_stands_beside_it() -> None:
    texts = {one.name: told(one) for one in describe()}
    assert texts["plex_parallel"] == "Edits sent to Plex at the same time: 1 to 8."
    assert texts["max_retries"].endswith(": 1 to 20. Outages don't count.")
    assert texts["sync_title"] == "Sync titles."
    assert "default false, which shows it as a candidate" in texts["match_by_duration"]


def test_a_new_setting_asks_for_a_place_and_gets_its_row_there() -> None:
    setting = next(one for one in describe() if one.name == "plex_parallel")
    without = TEXT.replace(row(setting) + "\n", "")
    with pytest.raises(Unplaced, match="plex_parallel"):
        renewed(without)
    placed = TEXT.replace(row(setting), "| plex_parallel |")
    assert renewed(placed) == TEXT


def test_a_setting_that_is_gone_is_told_of() -> None:
    with pytest.raises(Unplaced, match="plex_paralel"):
        renewed(TEXT + "\n| `plex_paralel` | `2` | Gone. |\n")

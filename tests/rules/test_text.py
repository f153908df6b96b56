import os
import unicodedata

import pytest
from hypothesis import example, given, settings, strategies as st

from plexsync.rules.words.text import caseless, clean_block, clean_line, cut, fold
from tests.tables import table

CASES = 20_000 if os.environ.get("PLEXSYNC_TORTURE") else 100
ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=60)
FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"


@table(
    ("text", "cleaned"),
    [
        ("  plain  ", "plain"),
        ("two\r\nlines\nand\rmore", "two lines and more"),
        ("nul\x00 bell\x07 escape\x1b", "nul bell escape"),
        ("tab\there", "tab here"),
        ("line\u2028separator\x85next", "line separator next"),
        ("lone \ud83d surrogate", "lone \ufffd surrogate"),
        ("not xml \ufffe\uffff", "not xml"),
        ("e\u0301 stays as it was written", "e\u0301 stays as it was written"),
        ("\u05e9\u05dc\u05d5\u05dd \u200f!", "\u05e9\u05dc\u05d5\u05dd \u200f!"),
        (FAMILY, FAMILY),
        ("\r\x00\n", ""),
    ],
)
def test_a_line_keeps_what_can_be_shown_and_nothing_else(text, cleaned):
    assert clean_line(text) == cleaned


def test_a_block_keeps_its_lines_and_tabs():
    assert clean_block("\r\n one\r\n\r\n\ttwo\rthree \x00\n ") == "one\n\n\ttwo\nthree"


@pytest.mark.timeout(1800)
@settings(max_examples=CASES, deadline=None)
@given(ANY_TEXT)
@example("\r\x00\n")
@example("\u2028\x1c\ud800")
def test_cleaning_twice_is_cleaning_once_and_the_result_can_be_stored_anywhere(text):
    for clean in (clean_line, clean_block):
        once = clean(text)
        assert clean(once) == once
        once.encode("utf-8")
        assert all(unicodedata.category(c) != "Cc" or c in "\n\t" for c in once)
    assert not set("\n\r\t\x00") & set(clean_line(text))


@table(
    ("text", "limit", "kept"),
    [
        ("short", 5, "short"),
        ("longer", 4, "long"),
        ("ab e\u0301x", 4, "ab"),
        ("ab" + FAMILY, 4, "ab"),
        ("ab" + FAMILY, 7, "ab" + FAMILY),
        ("a\U0001f44d\U0001f3fd", 2, "a"),
        ("\U0001f1e9\U0001f1ea\U0001f1eb\U0001f1f7", 3, "\U0001f1e9\U0001f1ea"),
        ("\U0001f1e9\U0001f1ea\U0001f1eb\U0001f1f7", 2, "\U0001f1e9\U0001f1ea"),
        ("a\u2764\ufe0f", 2, "a"),
        ("\u1100\u1161\u11a8", 2, "\u1100\u1161"),
        ("word word", 5, "word"),
        ("a" + "\u0301" * 50, 10, "a" + "\u0301" * 9),
    ],
)
def test_a_cut_ends_where_a_reader_sees_a_character_end(text, limit, kept):
    assert cut(text, limit) == kept


@pytest.mark.timeout(1800)
@settings(max_examples=CASES, deadline=None)
@given(ANY_TEXT.map(clean_line), st.integers(min_value=1, max_value=30))
def test_a_cut_text_is_a_prefix_within_the_limit_never_empty_and_not_cut_again(text, limit):
    short = cut(text, limit)
    assert text.startswith(short)
    assert len(short) <= limit
    assert bool(short) == bool(text)
    assert cut(short, limit) == short


def test_names_that_differ_in_spacing_case_or_form_share_a_key():
    assert (
        len({fold(name) for name in ("Caf\u00e9  Noir", " cafe\u0301 noir", "CAF\u00c9\tNOIR", "caf\u00e9\u00a0noir")})
        == 1
    )
    assert fold("Cafe Noir") != fold("Caf\u00e9 Noir")
    assert fold("Stra\u00dfe") == fold("STRASSE")


@pytest.mark.timeout(1800)
@settings(max_examples=CASES, deadline=None)
@given(ANY_TEXT)
def test_keys_are_keys_of_themselves_and_blind_to_the_unicode_form(text):
    assert fold(fold(text)) == fold(text)
    for form in ("NFC", "NFD"):
        assert fold(unicodedata.normalize(form, text)) == fold(text)
        assert caseless(unicodedata.normalize(form, text)) == caseless(text)

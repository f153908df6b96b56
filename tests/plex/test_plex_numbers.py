"""Numbers in Plex's answers: each in any of its forms, and none that is no number."""

import pytest

from plexsync.plex.answers import (
    LARGEST,
    check_size,
    digits,
    is_set,
    key_of,
    moment,
    rating_text,
    short_number,
    total_of,
    whole_number,
)

NUMBERS = [
    *((7, "7"), ("7", "7"), (7.9, "7"), ("7.9", "7"), (0, "0"), (LARGEST, str(LARGEST))),
    *((number, "") for number in (LARGEST + 1, None, "", -7, "7.", "7.x", "x", "\u0667", "../7")),
]


@pytest.mark.parametrize(("number", "text"), NUMBERS)
def test_the_digits_of_a_number_have_no_fraction_and_no_sign(number, text):
    assert digits(number) == text


def test_a_key_is_a_plain_number():
    assert key_of(71.0) == "71"
    with pytest.raises(ValueError, match="key"):
        key_of("../71")


@pytest.mark.parametrize(("number", "expected"), [(999, 999), ("1000", 0), (None, 0), (-1, 0), ("12.5", 12)])
def test_a_short_number_is_none_if_it_is_too_long(number, expected):
    assert short_number(number, 3) == expected


@pytest.mark.parametrize(("number", "expected"), [(99_999_999_999, 99_999_999_999), (100_000_000_000, 0), (None, 0)])
def test_a_moment_lies_in_the_next_three_thousand_years(number, expected):
    assert moment(number) == expected


@pytest.mark.parametrize(
    ("number", "expected"), [(-7, -7), (7.5, 7), (LARGEST, LARGEST), (LARGEST + 1, None), ("x", None), ("", None)]
)
def test_a_whole_number_is_one_or_the_answer_is_refused(number, expected):
    if expected is None:
        with pytest.raises(ValueError):
            whole_number(number)
    else:
        assert whole_number(number) == expected


@pytest.mark.parametrize(("size", "fits"), [(2, True), ("2", True), (2.0, True), (2.5, False), (1, False), (3, False)])
def test_a_container_holds_what_it_says(size, fits):
    if fits:
        check_size(size, ["a", "b"])
    else:
        with pytest.raises(ValueError, match="hold"):
            check_size(size, ["a", "b"])


def test_the_total_is_that_of_the_body_or_else_of_the_header():
    assert total_of(0, "5") == 0
    assert total_of(None, "5") == 5
    with pytest.raises(ValueError, match="negative"):
        total_of(-1, "5")


@pytest.mark.parametrize(
    ("flag", "expected"),
    [(True, True), (1, True), ("1", True), ("true", True), (False, False), (0, False), ("0", False)],
)
def test_a_flag_is_true_or_one(flag, expected):
    assert is_set(flag) is expected


@pytest.mark.parametrize(
    ("rating", "text"), [(8.5, "8.5"), (8.0, "8"), ("8.0", "8"), (0, "0"), (-1, ""), (None, ""), ("", "")]
)
def test_a_rating_is_the_shortest_decimal(rating, text):
    assert rating_text(rating) == text


@pytest.mark.parametrize("rating", ["nan", float("inf"), "x"])
def test_a_rating_that_is_no_number_is_refused(rating):
    with pytest.raises(ValueError):
        rating_text(rating)

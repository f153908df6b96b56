"""A fifth is the same every time, and the five of them are everything."""

from collections import Counter

from tests.lengths import FIFTHS, fifth_of, fifth_of_tree


def test_the_fifths_are_about_as_large() -> None:
    sizes = Counter(fifth_of(f"tests/folder/test_file.py::test_{number}") for number in range(1000))
    assert set(sizes) == set(FIFTHS)
    assert min(sizes.values()) > 150


def test_the_tree_of_a_change_draws_its_fifth_each_time_anew() -> None:
    assert fifth_of_tree() == fifth_of_tree()
    assert fifth_of_tree() in FIFTHS

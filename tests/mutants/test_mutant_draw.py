"""A number draws the same faults each time, from every room; the tests come in the order of what they speak about."""

from pathlib import Path

import pytest

from tests.mutants import equivalents
from tests.mutants.choice import Choice
from tests.mutants.draw import draw, possible, room_of
from tests.mutants.faults import Fault

FILES = {
    "plexsync/rules/plays/plays.py": "def late(now, due):\n    return now >= due and due > 0\n",
    "plexsync/flows/plays/flow.py": "def look(plays, scene):\n    if plays.late(scene, 3):\n        plays.drop(scene)\n",
    "plexsync/store/postgres/clock.py": "def now(db):\n    return db.ask(1, 2)\n",
    "validation/config.py": "RETRIES = 3\nLEAST = 1\nMOST = 9\n",
    "plexsync/simulator/plex.py": "PORT = 1\n",
    "tests/rules/test_plays.py": "from plexsync.rules.plays.plays import late\n\ndef test_late(): assert late(2, 1)\n",
    "tests/rules/test_match.py": "def test_match(): assert 1\n",
    "tests/simulation/test_lives.py": "from plexsync.rules.plays.plays import late\n",
    "tests/torture/test_late.py": "from plexsync.rules.plays.plays import late\n",
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def rooms(drawn: list[Fault]) -> set[str]:
    return {room_of(fault.path) for fault in drawn}


def test_a_number_draws_the_same_faults_again_and_another_number_others(tree: Path) -> None:
    candidates = possible(tree)
    assert draw(candidates, 7, 5, tree) == draw(candidates, 7, 5, tree)
    assert any(draw(candidates, 7, 5, tree) != draw(candidates, number, 5, tree) for number in range(5))


def test_every_room_is_drawn_from_and_no_line_twice(tree: Path) -> None:
    drawn = draw(possible(tree), 1, 6, tree)
    assert rooms(drawn) == {"rules", "flows/plays", "store/postgres", "validation"}
    assert len({(fault.path, fault.line) for fault in drawn}) == len(drawn) == 6


def test_a_draw_ends_where_there_are_no_more_faults(tree: Path) -> None:
    assert len(draw(possible(tree, "validation"), 1, 60, tree)) == 3


def test_the_simulator_is_no_room_of_the_product(tree: Path) -> None:
    assert "plexsync/simulator/plex.py" not in {fault.path for fault in possible(tree)}


@pytest.mark.parametrize(
    ("only", "expected"),
    [
        ("rules", {"rules"}),
        ("flows", {"flows/plays"}),
        ("plexsync/flows/plays/flow.py", {"flows/plays"}),
        ("validation,flows", {"validation", "flows/plays"}),
        ("plexsync/rules/,store/postgres", {"rules", "store/postgres"}),
        ("plex", set()),
        ("nothing", set()),
    ],
)
def test_a_draw_can_be_kept_to_a_room_or_a_file(tree: Path, only: str, expected: set[str]) -> None:
    assert rooms(possible(tree, only)) == expected


def test_tests_that_use_what_has_the_fault_come_first_and_lives_last(tree: Path) -> None:
    (fault, *_) = possible(tree, "rules")
    chosen = ["tests/rules/test_plays.py", "tests/rules/test_match.py", "tests/simulation/test_lives.py"]
    assert Choice(tree).tests(fault) == chosen


EQUIVALENT = """# What no test can find.

plexsync/rules/plays/plays.py late
- return now >= due and due > 0
+ return now > due and due > 0
  Nothing is due at the very moment.
"""


def test_an_equivalent_is_known_by_its_lines(tree: Path) -> None:
    reasons = equivalents.parsed(EQUIVALENT)
    named = [fault for fault in possible(tree, "rules") if fault.name in reasons]
    assert [fault.after for fault in named] == ["return now > due and due > 0"]
    assert reasons[named[0].name] == "Nothing is due at the very moment."
    assert equivalents.parsed(equivalents.block(named[0]) + "\n  Why.") == {named[0].name: "Why."}


def test_an_equivalent_that_the_source_no_longer_has_is_told(tree: Path) -> None:
    reasons = equivalents.parsed(EQUIVALENT)
    assert equivalents.outdated(reasons, tree) == []
    (tree / "plexsync/rules/plays/plays.py").write_text(
        "def late(now, due):\n    return now >= due > 0\n", encoding="utf-8"
    )
    assert equivalents.outdated(reasons, tree) == [" ".join(*reasons)]
    (tree / "plexsync/rules/plays/plays.py").unlink()
    assert equivalents.outdated(reasons, tree) == [" ".join(*reasons)]


def test_an_equivalent_without_a_reason_is_refused() -> None:
    with pytest.raises(ValueError, match="reason"):
        equivalents.parsed("a.py b\n- c\n+ d")


def test_every_equivalent_of_the_product_is_still_a_fault_of_its_source() -> None:
    assert equivalents.outdated(equivalents.known()) == []

"""The costs of a run are told whole, and by folder and by test, the dearest first."""

import json
from pathlib import Path

from tests import costs


def test_the_folders_and_what_no_test_has_add_up_to_the_whole(tmp_path: Path) -> None:
    kept = tmp_path / costs.KEPT
    kept.parent.mkdir(parents=True)
    tests = {
        "tests/web/test_a.py::test_one": 2.0,
        "tests/web/test_b.py::test_two": 4.0,
        "tests/cli/test_c.py::test_x": 1.0,
    }
    kept.write_text(json.dumps({"all": 10.0, "tests": tests}), encoding="utf-8")
    whole, *rest = costs.rows(tmp_path)
    assert whole == (10.0, "the last run, 3 tests")
    assert rest[:3] == [(6.0, "tests/web"), (3.0, costs.FOLDER_OF_ALL), (1.0, "tests/cli")]
    assert [name.rpartition("::")[2] for _, name in rest[3:]] == ["test_two", "test_one", "test_x"]


def test_nothing_is_told_before_a_run(tmp_path: Path) -> None:
    assert list(costs.rows(tmp_path)) == []

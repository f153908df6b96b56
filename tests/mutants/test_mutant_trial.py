"""A fault is tried in a copy: found by the test that fails, if that passes without the fault."""

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from tests.mutants.__main__ import table
from tests.mutants.faults import NEGATED, OFF_BY_ONE, Fault, faults
from tests.mutants.trial import Bench, Verdict, copied

SOURCE = "def late(now, due):\n    if now >= due:\n        return True\n    return False\n"
PATH = "plexsync/rules/late.py"
TESTS = {
    "tests/test_early.py": "from plexsync.rules.late import late\ndef test_early(): assert not late(1, 2)\n",
    "tests/test_bound.py": "from plexsync.rules.late import late\ndef test_bound(): assert late(2, 2)\n",
    "tests/test_broken.py": "def test_broken(): assert False\n",
    "tests/mutants/failures.py": Path(__file__).with_name("failures.py").read_text(encoding="utf-8"),
    "plexsync/__init__.py": "",
    "plexsync/rules/__init__.py": "",
    PATH: SOURCE,
    "pyproject.toml": '[tool.pytest.ini_options]\npythonpath = ["."]\n',
}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    bench = Bench(tmp_path, cpu=60, unsound=set())
    for name, text in TESTS.items():
        (bench.tree / name).parent.mkdir(parents=True, exist_ok=True)
        (bench.tree / name).write_text(text, encoding="utf-8")
    return bench


def fault_of(kind: str) -> Fault:
    (fault,) = {fault.start: fault for fault in faults(PATH, SOURCE.encode()) if fault.kind == kind}.values()
    return fault


def test_a_fault_is_found_by_the_test_that_fails_and_is_gone_afterwards(bench: Bench) -> None:
    verdict = bench.tried(fault_of(NEGATED), ["tests/test_early.py", "tests/test_bound.py"])
    assert (verdict.found_by, verdict.files) == ("tests/test_early.py::test_early", 2)
    assert (bench.tree / PATH).read_text(encoding="utf-8") == SOURCE


def test_a_test_that_fails_without_the_fault_finds_nothing(bench: Bench) -> None:
    tests = ["tests/test_broken.py", "tests/test_early.py"]
    doubtful = bench.tried(fault_of(OFF_BY_ONE), tests)
    assert doubtful.found_by == "tests/test_broken.py::test_broken"
    assert not bench.confirmed([doubtful])
    assert bench.tried(fault_of(OFF_BY_ONE), tests).found_by == ""

    found = bench.tried(fault_of(OFF_BY_ONE), [*tests, "tests/test_bound.py"])
    assert found.found_by == "tests/test_bound.py::test_bound"
    assert bench.confirmed([found])


def test_a_copy_has_what_git_knows_and_what_is_new_but_nothing_ignored(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    for name, text in {".gitignore": "c\n", "a": "1", "b": "2", "c": "3"}.items():
        (root / name).write_text(text, encoding="utf-8")
    for words in (["init", "-q"], ["add", "a"]):
        subprocess.run(["git", *words], cwd=root, check=True)
    copied(tmp_path / "copy", root)
    copy = tmp_path / "copy"
    assert sorted(path.name for path in copy.iterdir()) == [".git", ".gitignore", "a", "b"]
    listed = subprocess.run(["git", "ls-files"], cwd=copy, capture_output=True, text=True, check=True).stdout
    assert listed.split() == [".gitignore", "a", "b"]


def test_the_table_counts_by_room_and_names_the_survivors() -> None:
    found, survived = fault_of(NEGATED), fault_of(OFF_BY_ONE)
    equivalent = replace(found, path="validation/late.py")
    drawn, verdicts = [found, survived, equivalent], [Verdict(found, "tests/a.py::b"), Verdict(survived, files=3)]
    lines = list(table(drawn, verdicts))
    assert "- if now >= due:\n+ if now > due:" in "\n".join(lines)
    assert [line.split() for line in lines[-3:]] == [
        ["rules", "2", "1", "1", "0", "50"],
        ["validation", "1", "0", "0", "1", "-"],
        ["in", "all", "3", "1", "1", "1", "50"],
    ]

"""What `make` writes: no commands, and at the end of an installation the next step."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.patience import HANG

MAKEFILE = Path(__file__).resolve().parents[2] / "Makefile"

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="there is no make here")


def made(folder: Path, *words: str) -> str:
    """What `make` writes in a folder whose environment is there already."""
    (folder / "Makefile").write_text(MAKEFILE.read_text(encoding="utf-8"), encoding="utf-8")
    for name in (
        *(f"requirements/{pins}.txt" for pins in ("all", "base", "dev")),
        *("deploy/link.py", "pyproject.toml", ".venv/bin/python", ".venv/.all"),
    ):
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    # As a person's shell calls it, also if these tests were started by make.
    environ = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
    done = subprocess.run(
        ["make", *words], cwd=folder, env=environ, capture_output=True, text=True, timeout=HANG, check=True
    )
    return done.stdout + done.stderr


def test_an_installation_ends_with_the_next_step(tmp_path: Path) -> None:
    assert made(tmp_path, "install") == "PlexSync is installed. Next: .venv/bin/plexsync init\n"


def test_no_target_shows_its_commands_unless_asked(tmp_path: Path) -> None:
    assert made(tmp_path, "clean") == ""
    assert "rm -rf .venv" in made(tmp_path, "clean", "V=1")


def test_what_is_fetched_is_announced_first(tmp_path: Path) -> None:
    made(tmp_path, "install")
    (tmp_path / ".venv/.all").unlink()
    shown = made(tmp_path, "--dry-run", "install", "--always-make")
    assert shown.index("Fetching the packages of requirements/all.txt") < shown.index("pip")


def test_the_demo_fetches_what_a_default_installation_has_and_nothing_else(tmp_path: Path) -> None:
    made(tmp_path, "install")
    usual = made(tmp_path, "--dry-run", "demo")
    assert set(re.findall(r"requirements/\w+\.txt", usual)) == {"requirements/base.txt"}
    assert usual.splitlines()[-1].split()[-3:] == ["-m", "plexsync", "demo"]
    assert made(tmp_path, "--dry-run", "demo", "KEEP=1").splitlines()[-1].endswith(" -m plexsync demo --keep")


def runs(folder: Path, *words: str) -> list[str]:
    """The runs of pytest that a target stands for."""
    return [line for line in made(folder, "--dry-run", *words).splitlines() if "-m pytest" in line]


def test_the_tests_are_one_run_that_leaves_out_what_takes_long(tmp_path: Path) -> None:
    made(tmp_path, "install")
    (run,) = runs(tmp_path, "test")
    assert "--long" not in run
    assert "--store" not in run


def test_all_tests_are_those_and_the_long_ones_and_those_on_postgresql(tmp_path: Path) -> None:
    made(tmp_path, "install")
    quick, postgres, long = runs(tmp_path, "test-all")
    assert [quick] == runs(tmp_path, "test")
    assert "--store=postgres --long=too tests/store tests/engine" in postgres
    assert "--long=only" in long


def test_a_fifth_is_of_what_all_tests_have_more(tmp_path: Path) -> None:
    made(tmp_path, "install")
    (run,) = runs(tmp_path, "test-fifth", "FIFTH=3")
    assert "--long=only --fifth=3" in run


def test_another_python_leaves_out_what_is_the_same_on_each_and_names_it_as_it_is(tmp_path: Path) -> None:
    made(tmp_path, "install")
    (run,) = runs(tmp_path, "test-interpreter")
    assert "-m 'not any_python'" in run
    assert "--fifth" not in run
    (part,) = runs(tmp_path, "test-interpreter", "PART=2")
    assert "--fifth=2" in part.split()
    left_out = re.findall(r"--ignore=(\S+)", run)
    assert "tests/rules" in left_out
    assert [name for name in left_out if not (MAKEFILE.parent / name).exists()] == []


def test_help_lists_every_target(tmp_path: Path) -> None:
    shown = made(tmp_path, "help")
    assert "install\twhat it takes to use PlexSync" in shown

"""Which tests a run takes: those that are quick, those that take long by nature (`long`), all, or a fifth of them.

A test is in a fifth by the checksum of its name, so each file and folder keeps about as much in each of the five.
`python -m tests.lengths` prints the fifth of this change: by the checksum of the tree that git has at HEAD.
"""

import os
import subprocess
import zlib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FIFTHS = range(1, 6)


def fifth_of(name: str) -> int:
    """Which fifth a name belongs to, 1 to 5."""
    return FIFTHS[zlib.crc32(name.encode()) % len(FIFTHS)]


def add_options(parser: pytest.Parser) -> None:
    """Add the options that choose."""
    usual = "too" if os.environ.get("PLEXSYNC_TORTURE") else "no"
    parser.addoption("--long", choices=("no", "too", "only"), default=usual, help="the tests that take long by nature")
    parser.addoption("--fifth", type=int, choices=FIFTHS, help="a fifth of what is chosen otherwise")


def has_none(config: pytest.Config, path: Path) -> bool:
    """Whether a test file has nothing for this run: only what takes long is wanted, and it marks nothing as such."""
    return config.getoption("--long") == "only" and path.match("test_*.py") and not _marks_long(path)


def _marks_long(path: Path) -> bool:
    return "mark.long" in path.read_text(encoding="utf-8")


def leave_out(config: pytest.Config, items: list[pytest.Item]) -> list[pytest.Item]:
    """The tests that this run leaves out. A test that is named by its function runs, however long it takes."""
    long, fifth = config.getoption("--long"), config.getoption("--fifth")
    named = [word.partition("[")[0] for word in config.args if "::" in word]

    def is_out(item: pytest.Item) -> bool:
        is_long = item.get_closest_marker("long") is not None
        by_length = (long == "no" and is_long and not any(word in item.nodeid for word in named)) or (
            long == "only" and not is_long
        )
        return by_length or (fifth is not None and fifth_of(item.nodeid) != fifth)

    for path in {item.path for item in items if item.get_closest_marker("long")}:
        if not _marks_long(path):
            raise pytest.UsageError(
                f"{path}: a test that takes long is marked in its own file, or the long run misses it"
            )
    return [item for item in items if is_out(item)]


def fifth_of_tree() -> int:
    """The fifth of the tree at HEAD: another for most changes, the same for the same tree. 1 where git can't tell."""
    done = subprocess.run(["git", "rev-parse", "HEAD^{tree}"], cwd=ROOT, capture_output=True, text=True, check=False)
    return fifth_of(done.stdout.strip()) if done.returncode == 0 else FIFTHS[0]


if __name__ == "__main__":
    print(fifth_of_tree())

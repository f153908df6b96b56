"""Tells the release workflow the version that a tag releases, if the repository is ready for it.

    python3 -m release.version v0.3.0

It prints `number=0.3.0` and `series=0.3`, which name the tags of the image. It needs nothing but Python.
"""

import re
import sys
from collections.abc import Iterator

from release import build

MANIFESTS = (
    build.MANIFEST,
    f"{build.WAKE_UP_FOLDER}{build.WAKE_UP}.yml",
    f"{build.INSIDE}python_hook/{build.HOOK}.yaml",
)
FRAGMENT = re.compile(r".+\.(added|changed|fixed|removed)\.md")


def obstacles(tag: str) -> Iterator[str]:
    """Every reason against a release under this tag."""
    number = build.number()
    if not re.fullmatch(r"\d+\.\d+\.\d+", number):
        yield f"the version in pyproject.toml, {number}, does not have the form 1.2.3"
    if tag != f"v{number}":
        yield f"the tag is {tag}, but pyproject.toml has version {number}: the tag must be v{number}"
    for name in MANIFESTS:
        if f"version: {number}" not in (build.ROOT / name).read_text(encoding="utf-8").splitlines():
            yield f"{name} does not have version {number}"
    changelog = (build.ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    if not re.search(rf"^## {re.escape(number)} \(", changelog, re.MULTILINE):
        yield f"CHANGELOG.md has no section for {number}: run `make changelog`"
    left = sorted(path.name for path in (build.ROOT / "changelog.d").iterdir() if FRAGMENT.fullmatch(path.name))
    if left:
        yield f"changelog.d still has {', '.join(left)}: run `make changelog`"


def main() -> None:
    """Print the version; exits with 1 and the reasons if the tag can't be released."""
    (tag,) = sys.argv[1:]
    if reasons := list(obstacles(tag)):
        sys.exit("\n".join(reasons))
    number = build.number()
    print(f"number={number}", f"series={number.rpartition('.')[0]}", sep="\n")


if __name__ == "__main__":
    main()

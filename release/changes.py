"""Writes the entries of CHANGELOG.md that name settings to the package: what is new for you after an update.

    python -m release.changes

`make changelog` runs it. The first version is left out, since nobody updates to it.
"""

import json
import re
from collections.abc import Iterator

from plexsync.app.version import CHANGES, ChangelogEntry
from release import build
from validation.config import PlexSyncConfig

VERSION = re.compile(r"^## ([0-9]+\.[0-9]+\.[0-9]+) ", re.MULTILINE)
ENTRY = re.compile(r"^- (.+(?:\n  .+)*)", re.MULTILINE)
# `poster`, or with a value: `poster = none`.
NAME = re.compile(r"`([a-z][a-z_]*)(?: = [^`]*)?`")
FIXED = re.compile(r"^### Fixed$.*?(?=^### |\Z)", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")


def changes(changelog: str) -> Iterator[ChangelogEntry]:
    """The entries of all versions but the first one that name settings, newest version first."""
    _, *sections = VERSION.split(changelog)
    for number, section in list(zip(sections[::2], sections[1::2], strict=True))[:-1]:
        # What was fixed is as it was meant to be: nobody has to know.
        for entry in ENTRY.findall(FIXED.sub("", section)):
            named = {name for name in NAME.findall(entry) if name in PlexSyncConfig.model_fields}
            if named:
                text = LINK.sub(r"\1", " ".join(entry.split())).replace("`", "")
                yield {"version": number, "settings": sorted(named), "text": text}


def content() -> str:
    """The file for this repository's changelog."""
    found = list(changes((build.ROOT / "CHANGELOG.md").read_text(encoding="utf-8")))
    return json.dumps(found, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    CHANGES.write_text(content(), encoding="utf-8")

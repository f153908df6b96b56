"""The version of this program, the address of its repository, and what an update brings for you.

`changes.json` has the entries of the changelog that name settings: `make changelog` makes it from CHANGELOG.md. Standard
library only.
"""

import importlib.metadata
import json
import tomllib
from functools import cache
from pathlib import Path
from typing import TypedDict

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from validation.config import PlexSyncConfig

CHANGES = Path(__file__).with_name("changes.json")
# The last version whose databases do not say which version they are of.
BEFORE = "0.2.0"


class ChangelogEntry(TypedDict):
    """An entry of the changelog: the version that brought it, and the settings that it names."""

    version: str
    settings: list[str]
    text: str


@cache
def version() -> str:
    """The version of this program, also when it runs from its folder without an installation."""
    try:
        return importlib.metadata.version("plexsync")
    except importlib.metadata.PackageNotFoundError:
        project = Path(__file__).resolve().parents[2] / "pyproject.toml"
        return str(tomllib.loads(project.read_text(encoding="utf-8"))["project"]["version"])


@cache
def repository() -> str:
    """The address of the repository that this installation was released from; '' if its build did not know it."""
    try:
        urls = importlib.metadata.metadata("plexsync").get_all("Project-URL") or []
    except importlib.metadata.PackageNotFoundError:
        return ""
    return next((url.partition(", ")[2] for url in urls if url.startswith("Repository, ")), "")


def read_changes() -> list[ChangelogEntry]:
    """The entries of all versions, newest first."""
    entries: list[ChangelogEntry] = json.loads(CHANGES.read_text(encoding="utf-8"))
    return entries


def changes_for(
    config: "PlexSyncConfig", changes: "Sequence[ChangelogEntry]", *, after: str, until: str
) -> list[ChangelogEntry]:
    """The entries of the versions behind `after`, up to `until`, that touch a setting whose value is not the default."""
    usual = {name: field.get_default(call_default_factory=True) for name, field in type(config).model_fields.items()}
    in_use = {name for name, value in usual.items() if getattr(config, name) != value}
    return [
        entry
        for entry in changes
        if _number(after) < _number(entry["version"]) <= _number(until) and not in_use.isdisjoint(entry["settings"])
    ]


def is_newer(version: str, other: str) -> bool:
    """Whether a version comes after another one."""
    return _number(version) > _number(other)


def _number(version: str) -> list[int]:
    return [int(part) for part in version.split(".")[:3] if part.isdecimal()]

"""The version of this program, and the address of its repository."""

import importlib.metadata
import tomllib
from functools import cache
from pathlib import Path


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

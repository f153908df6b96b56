"""The version of this program."""

import importlib.metadata
import tomllib
from pathlib import Path


def version() -> str:
    """The version of this program, also when it runs from its folder without an installation."""
    try:
        return importlib.metadata.version("plexsync")
    except importlib.metadata.PackageNotFoundError:
        project = Path(__file__).resolve().parents[2] / "pyproject.toml"
        return str(tomllib.loads(project.read_text(encoding="utf-8"))["project"]["version"])

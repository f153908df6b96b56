"""The parts of PlexSync whose packages may be missing, and how to add them.

The advice depends on how PlexSync was installed. Files beside it show that: the requirement files of a clone, of the
image and of the plugin; the notes of pipx and uv about an environment; the notes of pip about a package. Standard
library only.
"""

import importlib.util
import json
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

PLAIN = re.compile(r"[\w@%+=:,./\\-]+")
BESIDE_STASH = "run the container, or install the wheel, with the same data folder (docs/install.md)"
IN_PLUGIN = f"the plugin inside Stash does not hold this part: {BESIDE_STASH}"
IN_IMAGE = "build the image with its own Dockerfile, which installs requirements/all.txt"


@dataclass(frozen=True)
class OptionalPart:
    """A part of PlexSync: the modules that show whether it is installed, their packages, and its purpose.

    `extra` is the extra that adds it, and its requirement file; '' for a part of every default installation.
    """

    modules: tuple[str, ...]
    packages: tuple[str, ...]
    use: str
    extra: str = ""


PARTS = {
    "web": OptionalPart(
        ("jinja2", "prometheus_client", "python_multipart", "starlette", "uvicorn"),
        ("jinja2>=3.1", "prometheus-client>=0.26", "python-multipart>=0.0.34", "starlette>=1.10", "uvicorn>=0.54"),
        "the dashboard",
    ),
    "setup": OptionalPart(("plexapi",), ("plexapi>=4.18",), "signing in to Plex with init"),
    "demo": OptionalPart(
        ("graphql", "plexapi", "yaml"), ("graphql-core>=3.3", "plexapi>=4.18", "pyyaml>=6.0.2"), "the demonstration"
    ),
    "art": OptionalPart(("PIL",), ("pillow>=12.0",), "changing pictures", extra="art"),
    "postgres": OptionalPart(("psycopg",), ("psycopg[binary]>=3.3",), "the database in PostgreSQL", extra="postgres"),
    "notify": OptionalPart(("apprise",), ("apprise>=2.3",), "messages to services", extra="notify"),
}


def is_installed(part: str) -> bool:
    """Whether all packages of a part are installed. Imports none of them."""
    return all(importlib.util.find_spec(module) is not None for module in PARTS[part].modules)


@dataclass(frozen=True)
class Installation:
    """Where PlexSync is installed: the folder of the package `plexsync`, its Python environment, and that Python."""

    root: Path
    prefix: Path
    python: str
    environ: Mapping[str, str]

    def advice(self, *parts: str) -> str:
        """Return how to add these parts: a command, or a sentence where no command can."""
        pins = self.root / "requirements"
        if self.environ.get("PLEXSYNC_PROGRESS") == "stash":
            return IN_PLUGIN
        if (pins / "base.txt").is_file():
            files = {PARTS[part].extra or "base" for part in parts}
            file = pins / f"{files.pop() if len(files) == 1 else 'all'}.txt"
            return _command(self.python, "-m", "pip", "install", "--require-hashes", "-r", str(file))
        if (pins / "all.txt").is_file():
            return IN_IMAGE
        if (pins / "core.txt").is_file():
            return IN_PLUGIN
        packages = tuple(dict.fromkeys(package for part in parts for package in PARTS[part].packages))
        if (self.prefix / "pipx_metadata.json").is_file():
            return _command("pipx", "inject", self.prefix.name, *packages)
        return self._of_package(parts, packages)

    def _of_package(self, parts: tuple[str, ...], packages: tuple[str, ...]) -> str:
        """Return the command for an installed package: by its source with the extras, otherwise by the packages alone."""
        source = self._source()
        extras = ",".join(extra for part in parts if (extra := PARTS[part].extra))
        whole = f"{source}[{extras}]" if extras else source
        if (self.prefix / "uv-receipt.toml").is_file():
            if not source:
                return _command("uv", "tool", "install", "--force", *_each("--with", packages), "plexsync")
            return _command("uv", "tool", "install", "--force", whole)
        if self.prefix.parent.name.startswith("archive-v"):  # uv's cache, for a single run
            return _command("uvx", *(("--from", whole) if source else _each("--with", packages)), "plexsync")
        by_uv = self._note("INSTALLER").strip() == "uv"
        pip = ["uv", "pip", "install", "--python", self.python] if by_uv else [self.python, "-m", "pip", "install"]
        return _command(*pip, *((whole,) if source else packages))

    def _source(self) -> str:
        """Return `plexsync` if it came from an index, the path of its wheel or folder if that still exists, else ''."""
        noted = self._note("direct_url.json")
        if not noted:
            return "plexsync"
        try:
            address = urlsplit(str(json.loads(noted)["url"]))
        except (ValueError, KeyError, TypeError):
            return ""
        path = unquote(address.path)
        if os.name == "nt":
            path = path.lstrip("/")
        return path if address.scheme == "file" and Path(path).exists() else ""

    def _note(self, name: str) -> str:
        """Return a file that the installer wrote about the package; '' if there is none."""
        for folder in self.root.glob("plexsync-*.dist-info"):
            try:
                return (folder / name).read_text(encoding="utf-8")
            except (OSError, ValueError):
                continue
        return ""


def advice(*parts: str) -> str:
    """Return how to add these parts to the running PlexSync: a command, or a sentence where no command can."""
    here = Installation(Path(__file__).resolve().parent.parent, Path(sys.prefix), sys.executable, os.environ)
    return here.advice(*parts)


def _each(option: str, values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(word for value in values for word in (option, value))


def _command(*words: str) -> str:
    """Return the words quoted for a shell, including that of Windows."""
    return " ".join(word if PLAIN.fullmatch(word) else f'"{word}"' for word in words)

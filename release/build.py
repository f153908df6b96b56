"""Builds the release files: the plugins as zips with their index for Stash, the sdist and the wheel.

Builds are reproducible, byte for byte, from the same commit: names are sorted, times are SOURCE_DATE_EPOCH (else the
last commit's time), and modes are fixed. The plugin contains the files that git tracks; if one differs from the last
commit, files are dated today, and the version says `dirty`.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ID = "StashPlexSync"
MANIFEST = f"{ID}.yml"
INDEX = "index.yml"
WAKE_UP = "PlexSyncWakeUp"
HOOK = "PlexSyncHook"
# The earliest time that a zip can hold.
EARLIEST = int(datetime(1980, 1, 1, tzinfo=UTC).timestamp())
# Not part of the plugin: the simulators, the pages that `serve` shows, the manifest of another plugin, and the demo.
LEFT_OUT = ("plexsync/simulator/", "plexsync/web/", "plexsync/stash_plugin/python_hook/")
LEFT_OUT_FILES = re.compile(r"plexsync/cli/commands/demo\w*\.py")
BESIDE = (MANIFEST, "LICENSE", "pyproject.toml", "requirements/core.txt")
INSIDE = "plexsync/stash_plugin/"
WAKE_UP_FOLDER = f"{INSIDE}wake_up/"
# A worker of 0.1.0 that still runs from this folder watches this file to notice that its plugin was updated, and ends.
MARKER = "wiring.py"
# A link or picture in Markdown, relative to the page.
LINK = re.compile(r"(!?\[[^\[\]]*\])\((?![a-z]+:|#)([^)\s]+)\)")
MARKER_TEXT = b'"""Tells a running worker of version 0.1.0 that the plugin was updated."""\n'


@dataclass(frozen=True)
class Package:
    """One plugin in the index: its id, and its files by their names in the zip."""

    id: str
    files: dict[str, bytes]

    @property
    def zip(self) -> str:
        """The name of its zip."""
        return f"{self.id}.zip"

    @property
    def manifest(self) -> str:
        """The text of its manifest."""
        return self.files[f"{self.id}.yml"].decode()


def packages() -> list[Package]:
    """The plugins: the program, the wake-up alone, and the hook that stores each change."""
    program = {name: content(name) for name in plugin_files()} | {MARKER: MARKER_TEXT}
    wake_up = [f"{WAKE_UP_FOLDER}{name}" for name in (f"{WAKE_UP}.yml", "wake_up.js")]
    # In this repository its name does not end in .yml, so that a Stash that has the repository as a plugin starts no hook.
    hook = {f"{HOOK}.yml": content(f"{INSIDE}python_hook/{HOOK}.yaml")}
    parts = ("plexsync/", INSIDE, "plexsync/store/")
    code = [f"{INSIDE}hook.py", "plexsync/store/intake.py", *(f"{part}__init__.py" for part in parts)]
    return [
        Package(ID, program),
        Package(WAKE_UP, {name.removeprefix(WAKE_UP_FOLDER): content(name) for name in (*wake_up, "LICENSE")}),
        Package(HOOK, hook | {name: content(name) for name in (*code, "LICENSE")}),
    ]


def content(name: str) -> bytes:
    """The content of a file of the repository."""
    return (ROOT / name).read_bytes()


def epoch() -> int:
    """The time of all files, in Unix seconds."""
    given = os.environ.get("SOURCE_DATE_EPOCH", "")
    if not given:
        given = str(round(time.time())) if is_dirty() else _git("log", "-1", "--format=%ct")
    return max(EARLIEST, int(given)) if given.isdecimal() else EARLIEST


def is_dirty() -> bool:
    """Whether the files differ from the last commit."""
    return bool(_git("status", "--porcelain"))


def _git(*words: str) -> str:
    """The output of git in this repository; '' if there is none."""
    try:
        done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def number() -> str:
    """The version of the project."""
    return str(tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"])


def version() -> str:
    """The version of the project, and its commit."""
    commit = _git("rev-parse", "--short=8", "HEAD")
    return (f"{number()}-{commit}" if commit else number()) + ("-dirty" if is_dirty() else "")


def rooms() -> list[str]:
    """The packages of the wheel; the plugin holds parts of them."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return [str(name) for name in project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]]


def plugin_files() -> list[str]:
    """The files of the plugin, relative to the repository's root, sorted: all that its rooms have, code and data."""
    own = (name for name in known_files() if name.partition("/")[0] in rooms() and not name.startswith(LEFT_OUT))
    return sorted([*BESIDE, *(name for name in own if (ROOT / name).is_file() and not LEFT_OUT_FILES.fullmatch(name))])


def known_files() -> list[str]:
    """The files that git tracks, relative to the repository's root; all files if there is no git."""
    names = [name for name in _git("ls-files", "-z").split("\0") if name]
    here = (path for room in rooms() for path in (ROOT / room).rglob("*") if "__pycache__" not in path.parts)
    return names or [path.relative_to(ROOT).as_posix() for path in here]


def build_plugins(target: Path) -> list[Path]:
    """Write the zips and their index into a folder; returns the zips."""
    target.mkdir(parents=True, exist_ok=True)
    moment, made = epoch(), packages()
    for package in made:
        with zipfile.ZipFile(target / package.zip, "w") as packed:
            for name, data in sorted(package.files.items()):
                entry = zipfile.ZipInfo(name, datetime.fromtimestamp(moment, UTC).timetuple()[:6])
                entry.create_system, entry.external_attr, entry.compress_type = 3, 0o100644 << 16, zipfile.ZIP_DEFLATED
                packed.writestr(entry, data, compresslevel=9)
    entries = [index(package, (target / package.zip).read_bytes(), moment) for package in made]
    (target / INDEX).write_text("".join(entries), encoding="utf-8")
    return [target / package.zip for package in made]


def index(package: Package, content: bytes, moment: int) -> str:
    """The entry of a plugin for a zip with this content. Texts are written as JSON, which is valid YAML."""
    told = {
        key: found[1]
        for key in ("name", "description")
        if (found := re.search(rf"^{key}: (.*)$", package.manifest, re.MULTILINE))
    }
    entry = {
        "id": package.id,
        "name": told["name"],
        "version": version(),
        "date": datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M:%S"),
        "path": package.zip,
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    lines = [f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in entry.items()]
    about = json.dumps(told["description"], ensure_ascii=False)
    return "- " + "\n  ".join([*lines, "metadata:", f"  description: {about}"]) + "\n"


def build_wheel(target: Path, source: Path | None = None) -> Path:
    """Build the wheel with hatchling in a folder; returns it. `source` is another folder than the repository."""
    if source is not None:
        return _hatch("wheel", "*.whl", target, source)
    with published() as root:
        return _hatch("wheel", "*.whl", target, root)


def build_sdist(target: Path) -> Path:
    """Build the sdist with hatchling in a folder; returns it."""
    with published() as root:
        return _hatch("sdist", "*.tar.gz", target, root)


def address() -> str:
    """The address of the repository, or '' where the build does not know it. GitHub's runners tell it."""
    server, name = os.environ.get("GITHUB_SERVER_URL", ""), os.environ.get("GITHUB_REPOSITORY", "")
    return f"{server}/{name}" if server and name else ""


@contextmanager
def published() -> Iterator[Path]:
    """The project as PyPI gets it: if the address is known, a copy that names it, with absolute links in its README."""
    if not address():
        yield ROOT
        return
    with tempfile.TemporaryDirectory(prefix="plexsync-release-") as place:
        folder = Path(place)
        for room in rooms():
            shutil.copytree(ROOT / room, folder / room, ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("LICENSE", "CHANGELOG.md", ".gitignore"):
            shutil.copy2(ROOT / name, folder / name)
        readme = (ROOT / "README.md").read_text(encoding="utf-8")
        (folder / "README.md").write_text(with_absolute_links(readme, address()), encoding="utf-8")
        project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
        urls = f"\n[project.urls]\nRepository = {json.dumps(address())}\n"
        (folder / "pyproject.toml").write_text(project + urls, encoding="utf-8")
        yield folder


def with_absolute_links(text: str, repository: str) -> str:
    """A page of the repository's root with links to its files and pictures of this version, as other sites need them."""
    at = f"{repository}/{{}}/v{number()}/"
    return LINK.sub(lambda found: f"{found[1]}({at.format('raw' if found[1][0] == '!' else 'blob')}{found[2]})", text)


def _hatch(kind: str, names: str, target: Path, source: Path) -> Path:
    for old in target.glob(names):
        old.unlink()
    environ = {**os.environ, "SOURCE_DATE_EPOCH": str(epoch())}
    command = [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(target)]
    subprocess.run(command, cwd=source, env=environ, check=True, stdout=subprocess.DEVNULL)
    (built,) = target.glob(names)
    return built

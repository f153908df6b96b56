"""PlexSync's packages in a private folder: Stash's Python has none of them and must not be changed.

The packages are those of `requirements/core.txt`, each pinned and checked against its hash. The folder's name
identifies the Python and the list that it was made for. With another Python or an updated plugin there is no such
folder, and an error says so. A folder gets its name only when it is complete and can be imported. Standard library
only.
"""

import csv
import hashlib
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator

from plexsync.stash_plugin import launcher

FOLDER = "packages"
PINS = os.path.join(launcher.ROOT, "requirements", "core.txt")
OLDEST = (3, 11)
REPAIR = "run the task Install or repair dependencies (Settings, Tasks, PlexSync)"
NEW = ".new-"
# Packages that the program can't run without. Importing them tests whether a folder is sound.
NEEDED = ("click", "httpx2", "msgspec", "pydantic", "rich", "websockets")
TRY = "import sys; sys.path.insert(0, sys.argv[1]); import " + ", ".join(NEEDED)
TRY_SECONDS = 120


class NotReady(Exception):
    """The program can't run; the message says what to do."""


def place(folder: str) -> str:
    """Return the path of the private folder for this Python and this list; it may not exist yet."""
    kind = sysconfig.get_config_var("SOABI") or f"{sys.implementation.cache_tag}-{sysconfig.get_platform()}"
    with open(PINS, "rb") as file:
        list_ = hashlib.sha256(file.read()).hexdigest()[:12]
    return os.path.join(folder, FOLDER, f"{re.sub(r'[^A-Za-z0-9.-]', '_', kind)}-{list_}")


def ready(folder: str) -> str:
    """Return the private folder; raises NotReady if it has to be installed first."""
    check_python()
    found = place(folder)
    if os.path.isdir(found):
        return found
    others = os.path.isdir(os.path.join(folder, FOLDER)) and any(
        not name.startswith(".") for name in os.listdir(os.path.join(folder, FOLDER))
    )
    why = "were installed for another version of Python or of PlexSync" if others else "are not installed yet"
    raise NotReady(f"PlexSync's dependencies {why}: {REPAIR}")


def check_python() -> None:
    """Raise NotReady if this Python is too old."""
    if sys.version_info < OLDEST:
        has, needs = (".".join(map(str, version[:2])) for version in (sys.version_info, OLDEST))
        raise NotReady(
            f"Stash runs Python {has}, and PlexSync needs {needs} or newer: install one, and name it in Stash under "
            "Settings, System, Python path"
        )


def install(folder: str, progress: Callable[[float], None], told: Callable[[str], None], *, tidy: bool) -> str:
    """Install the private folder, or install it again if it is not sound; returns a summary. Raises NotReady.

    `tidy`: remove the folders of other versions, because no worker uses them.
    """
    check_python()
    final = place(folder)
    above = os.path.dirname(final)
    os.makedirs(above, mode=0o700, exist_ok=True)
    if os.path.isdir(final) and not _trouble(final):
        _clear(above, keep=os.path.basename(final), tidy=tidy)
        return "the dependencies are installed and sound: there is nothing to do"
    _check_pip(folder)
    fresh = os.path.join(above, f"{NEW}{os.getpid()}-{os.urandom(4).hex()}")
    os.mkdir(fresh, 0o700)
    try:
        _fetch(folder, fresh, progress, told)
        if trouble := _trouble(fresh):
            raise NotReady(f"the packages were installed, but can't be used with this Python: {trouble}")
        _swap(fresh, final)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    _clear(above, keep=os.path.basename(final), tidy=tidy)
    progress(1.0)
    return f"{count()} packages were installed in {final}"


def count() -> int:
    """Count the packages of the list that apply to this Python."""
    with open(PINS, encoding="utf-8") as file:
        lines = [line.rstrip(" \\\n") for line in file if re.match(r"[A-Za-z0-9]", line)]
    return sum(_is_for_us(line.partition(";")[2]) for line in lines)


def _is_for_us(marker: str) -> bool:
    """Whether a package with this marker applies to this Python; False for a marker that can't be parsed."""
    return not marker.strip() or all(map(_holds, marker.split(" and ")))


def _holds(clause: str) -> bool:
    found = re.fullmatch(r"\s*(\w+) (==|!=|<|>=) '([^']*)'\s*", clause)
    name, compare, value = found.groups() if found else ("", "", "")
    if name == "sys_platform" and compare in ("==", "!="):
        return (sys.platform == value) is (compare == "==")
    if name == "python_full_version" and compare in ("<", ">="):
        asked = tuple(map(int, value.split(".")))
        return (sys.version_info < asked) is (compare == "<")
    return False


def _check_pip(folder: str) -> None:
    at = launcher.Runtime(folder, "", {})
    if launcher.run(at, "--version", module="pip", report=lambda _line: None) != 0:
        raise NotReady(
            f"the Python that Stash uses ({sys.executable}) has no pip: install it (Alpine: apk add py3-pip; Debian: apt "
            "install python3-pip) and try again, or run PlexSync outside of Stash"
        )


def _fetch(folder: str, fresh: str, progress: Callable[[float], None], told: Callable[[str], None]) -> None:
    """Let pip install the list into the folder. It builds nothing and rejects files with a wrong hash."""
    words = ("install", "--target", fresh, "--require-hashes", "--only-binary=:all:", "--no-deps", "--no-compile")
    quiet = ("--no-input", "--no-cache-dir", "--disable-pip-version-check", "--progress-bar=off")
    heard: list[str] = []
    total = count()

    def hear(line: str) -> None:
        heard.append(line)
        told(line)
        progress(0.9 * min(1.0, sum(one.startswith("Collecting ") for one in heard) / total))

    at = launcher.Runtime(folder, "", {})
    if launcher.run(at, *words, *quiet, "-r", PINS, module="pip", report=hear) != 0:
        wrong = [line.removeprefix("ERROR: ") for line in heard if line.startswith("ERROR: ")] or heard[-1:]
        raise NotReady(f"pip could not install the dependencies: {' / '.join(wrong)[:400]}")


def _trouble(found: str) -> str:
    """Return why the folder is not sound; '' if every file has its size and the packages can be imported."""
    if missing := next(lacking(found), ""):
        return f"{missing} is not as it was installed"
    command = [sys.executable, "-I", "-c", TRY, found]
    try:
        done = subprocess.run(command, capture_output=True, timeout=TRY_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return type(error).__name__
    lines = done.stderr.decode("utf-8", "replace").split("\n")
    return "" if done.returncode == 0 else ([line for line in lines if line.strip()] or ["its Python ended early"])[-1]


def lacking(found: str) -> Iterator[str]:
    """Yield the files that are missing or have another size than in pip's records."""
    records = [name for name in os.listdir(found) if name.endswith(".dist-info")]
    if len(records) < count():
        yield "a package"
    for name in records:
        record = os.path.join(name, "RECORD")
        try:
            with open(os.path.join(found, record), encoding="utf-8", newline="") as file:
                sizes = {path: int(size) for path, _, size in csv.reader(file) if size}
        except (OSError, ValueError, csv.Error):
            sizes = {}
        if not sizes:
            yield record
        for path, size in sizes.items():
            if not path.startswith((".", "/")) and not _has_size(os.path.join(found, path), size):
                yield path


def _has_size(path: str, size: int) -> bool:
    try:
        return os.path.getsize(path) == size
    except (OSError, ValueError):  # no file can have this name
        return False


def _swap(fresh: str, final: str) -> None:
    """Replace the old folder by the new one. At any moment the folder is complete or does not exist."""
    if os.path.lexists(final):
        os.rename(final, f"{fresh}-old")
    os.rename(fresh, final)
    shutil.rmtree(f"{fresh}-old", ignore_errors=True)


def _clear(above: str, *, keep: str, tidy: bool) -> None:
    """Remove the leftovers of killed installations and, if `tidy`, the folders of other versions.

    A folder is renamed first, so that one that is half removed can't be taken for a complete one.
    """
    for name in os.listdir(above):
        if name == keep or not (tidy or name.startswith(NEW)):
            continue
        gone = os.path.join(above, f"{NEW}{os.urandom(8).hex()}-old")
        try:
            os.rename(os.path.join(above, name), gone)
        except OSError:  # in use, on Windows
            continue
        shutil.rmtree(gone, ignore_errors=True)

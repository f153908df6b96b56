"""PlexSync's packages in a private folder: Stash's Python has none of them and must not be changed.

The packages are those of `requirements/core.txt`, each pinned and checked against its hash. The folder's name
identifies the Python and the list that it was made for. With another Python or an updated plugin there is no such
folder: then the next task, operation or start of the worker installs it (`plexsync.stash_plugin.installer`), and the
folder before stays until that is done. The first installation is left to you. A folder gets its name only when it is
complete and can be imported, and one process at a time installs. Standard library only.
"""

import csv
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

from plexsync.stash_plugin import launcher

TYPE_CHECKING = False
if TYPE_CHECKING:
    from plexsync.store.files.lock import Lock

FOLDER = "packages"
PINS = os.path.join(launcher.ROOT, "requirements", "core.txt")
OLDEST = (3, 11)
REPAIR = "run the task Install or repair dependencies (Settings, Tasks, PlexSync)"
OFFLINE = (
    "pip can't reach the package index: let the machine or container of Stash reach it while this runs (for a proxy, "
    "set HTTPS_PROXY in the environment of Stash), then try again, or run PlexSync outside of Stash"
)
NEW = ".new-"
# Packages that the program can't run without. Importing them tests whether a folder is sound.
NEEDED = ("click", "h11", "msgspec", "plexapi", "pydantic", "rich", "truststore", "websockets")
TRY = "import sys; sys.path.insert(0, sys.argv[1]); import " + ", ".join(NEEDED)
TRY_SECONDS = 120
# Beside the folders: the lock of the process that installs, and how far it is.
LOCK, PROGRESS = ".install.lock", ".install.json"
LOOK = 0.2
LOAD = "if PlexSync is not in the bar at the top of Stash yet, load the page of the browser again"
# Seconds after which an installation that failed is tried again without being asked.
AGAIN = 600.0


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
    path = place(folder)
    if os.path.isdir(path):
        return path
    others = were_installed(folder)
    reason = "were installed for another version of Python or of PlexSync" if others else "are not installed yet"
    raise NotReady(f"PlexSync's dependencies {reason}: {REPAIR}")


def were_installed(folder: str) -> bool:
    """Whether you have installed packages once, for this version or another."""
    above = os.path.join(folder, FOLDER)
    return os.path.isdir(above) and any(not name.startswith(".") for name in os.listdir(above))


def is_outdated(folder: str) -> bool:
    """Whether packages were installed, but for another version of Python or of PlexSync."""
    return not os.path.isdir(place(folder)) and were_installed(folder)


def check_python() -> None:
    """Raise NotReady if this Python is too old."""
    if sys.version_info < OLDEST:
        has, needs = (".".join(map(str, version[:2])) for version in (sys.version_info, OLDEST))
        raise NotReady(
            f"Stash runs Python {has}, and PlexSync needs {needs} or newer: install one, and name it in Stash under "
            "Settings, System, Python path"
        )


def install(folder: str, progress: Callable[[float], None], report: Callable[[str], None], *, tidy: bool) -> str:
    """Install the private folder, or install it again if it is not sound; returns a summary. Raises NotReady.

    `tidy`: remove the folders of other versions, because no worker uses them. While another process installs, wait for it.
    """
    check_python()
    above = os.path.join(folder, FOLDER)
    os.makedirs(above, mode=0o700, exist_ok=True)
    while (lock := _lock(above)) is None:
        # Show how far the other one is.
        part = _read_note(above).get("part")
        if isinstance(part, float):
            progress(part)
        time.sleep(LOOK)
    with lock:
        _note(above, 0.0)
        progress(0.0)

        def advance(part: float) -> None:
            _note(above, part)
            progress(part)

        try:
            return _install(folder, advance, report, tidy=tidy)
        except (NotReady, OSError) as error:
            _note(above, None, str(error))
            raise


def _install(folder: str, progress: Callable[[float], None], report: Callable[[str], None], *, tidy: bool) -> str:
    final = place(folder)
    above = os.path.dirname(final)
    if os.path.isdir(final) and not _trouble(final):
        _clear(above, keep=os.path.basename(final), tidy=tidy)
        return "the dependencies are installed and sound: there is nothing to do"
    if launcher.run(launcher.Runtime(folder, "", {}), "--version", module="pip", report=lambda _line: None) != 0:
        raise NotReady(
            f"the Python that Stash uses ({sys.executable}) has no pip: install it (Alpine: apk add py3-pip; Debian: apt "
            "install python3-pip) and try again, or run PlexSync outside of Stash"
        )
    fresh = os.path.join(above, f"{NEW}{os.getpid()}-{os.urandom(4).hex()}")
    os.mkdir(fresh, 0o700)
    try:
        _fetch(folder, fresh, progress, report)
        if trouble := _trouble(fresh):
            raise NotReady(f"the packages were installed, but can't be used with this Python: {trouble}")
        # At any moment the folder is complete or does not exist.
        if os.path.lexists(final):
            os.rename(final, f"{fresh}-old")
        os.rename(fresh, final)
        shutil.rmtree(f"{fresh}-old", ignore_errors=True)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    _clear(above, keep=os.path.basename(final), tidy=tidy)
    progress(1.0)
    return f"{count()} packages were installed in {final}; {LOAD}"


def _lock(above: str) -> "Lock | None":
    # Here and below: a Python that is too old can't import this, and is to be told so.
    from plexsync.rules.servers.errors import Unusable
    from plexsync.store.files.lock import try_lock

    try:
        return try_lock(above, LOCK)
    except Unusable as error:
        raise NotReady(str(error)) from error


def _note(above: str, part: "float | None", error: str = "") -> None:
    """Note how far the installation is, or why it failed. A disk that can't take this takes no packages either."""
    path = os.path.join(above, PROGRESS)
    with suppress(OSError):
        with open(f"{path}.{os.getpid()}", "w", encoding="utf-8") as file:
            json.dump({"part": part, "error": error}, file)
        os.replace(f"{path}.{os.getpid()}", path)


def _read_note(above: str) -> dict[str, object]:
    try:
        with open(os.path.join(above, PROGRESS), encoding="utf-8") as file:
            noted = json.load(file)
    except (OSError, ValueError):
        return {}
    return noted if isinstance(noted, dict) else {}


def installation(folder: str) -> dict[str, object]:
    """Whether an installation is `running`, what `part` is done (0 to 1), and the `error` that ended the last one."""
    from plexsync.rules.servers.errors import Unusable
    from plexsync.store.files.lock import is_locked

    above = os.path.join(folder, FOLDER)
    with suppress(Unusable):
        if is_locked(above, LOCK):
            return {"running": True, "part": _read_note(above).get("part") or 0.0, "error": ""}
    return {"running": False, "part": 0.0, "error": str(_read_note(above).get("error") or "")}


def count() -> int:
    """Count the packages of the list that apply to this Python."""
    with open(PINS, encoding="utf-8") as file:
        lines = [line.rstrip(" \\\n") for line in file if re.match(r"[A-Za-z0-9]", line)]
    markers = (line.partition(";")[2] for line in lines)
    return sum(not marker.strip() or all(map(_holds, marker.split(" and "))) for marker in markers)


def _holds(clause: str) -> bool:
    """Whether a part of a marker holds for this Python; False for one that can't be parsed."""
    parsed = re.fullmatch(r"\s*(\w+) (==|!=|<|>=) '([^']*)'\s*", clause)
    name, compare, value = parsed.groups() if parsed else ("", "", "")
    if name == "sys_platform" and compare in ("==", "!="):
        return (sys.platform == value) is (compare == "==")
    if name == "python_full_version" and compare in ("<", ">="):
        asked = tuple(map(int, value.split(".")))
        return (sys.version_info < asked) is (compare == "<")
    return False


def _fetch(folder: str, fresh: str, progress: Callable[[float], None], report: Callable[[str], None]) -> None:
    """Let pip install the list into the folder. It builds nothing and rejects files with a wrong hash."""
    words = ("install", "--target", fresh, "--require-hashes", "--only-binary=:all:", "--no-deps", "--no-compile")
    quiet = ("--no-input", "--no-cache-dir", "--disable-pip-version-check", "--progress-bar=off")
    heard: list[str] = []
    total = count()

    def hear(line: str) -> None:
        heard.append(line)
        report(line)
        progress(0.9 * min(1.0, sum(text.startswith("Collecting ") for text in heard) / total))

    at = launcher.Runtime(folder, "", {})
    if launcher.run(at, *words, *quiet, "-r", PINS, module="pip", report=hear) != 0:
        if any("connection broken by" in line for line in heard):
            raise NotReady(OFFLINE)
        wrong = [line.removeprefix("ERROR: ") for line in heard if line.startswith("ERROR: ")] or heard[-1:]
        raise NotReady(f"pip could not install the dependencies: {' / '.join(wrong)[:400]}")


def _trouble(folder: str) -> str:
    """Return why the folder is not sound; '' if every file has its size and the packages can be imported."""
    if missing := next(lacking(folder), ""):
        return f"{missing} is not as it was installed"
    command = [sys.executable, "-I", "-c", TRY, folder]
    try:
        done = subprocess.run(command, capture_output=True, timeout=TRY_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return type(error).__name__
    lines = done.stderr.decode("utf-8", "replace").split("\n")
    return "" if done.returncode == 0 else ([line for line in lines if line.strip()] or ["its Python ended early"])[-1]


def lacking(folder: str) -> Iterator[str]:
    """Yield the files that are missing or have another size than in pip's records."""
    records = [name for name in os.listdir(folder) if name.endswith(".dist-info")]
    if len(records) < count():
        yield "a package"
    for name in records:
        record = os.path.join(name, "RECORD")
        try:
            with open(os.path.join(folder, record), encoding="utf-8", newline="") as file:
                sizes = {path: int(size) for path, _, size in csv.reader(file) if size}
        except (OSError, ValueError, csv.Error):
            sizes = {}
        if not sizes:
            yield record
        for path, size in sizes.items():
            if path.startswith((".", "/")):
                continue
            try:
                is_whole = os.path.getsize(os.path.join(folder, path)) == size
            except (OSError, ValueError):  # no file can have this name
                is_whole = False
            if not is_whole:
                yield path


def may_try(folder: str) -> bool:
    """Whether an installation may begin without being asked: none runs, and none has failed just now."""
    state = installation(folder)
    if state["running"] or not state["error"]:
        return not state["running"]
    # Both times are those of the disk.
    failed = os.path.join(folder, FOLDER, PROGRESS)
    with suppress(OSError), tempfile.TemporaryFile(dir=os.path.dirname(failed)) as now:
        return os.fstat(now.fileno()).st_mtime - os.path.getmtime(failed) > AGAIN
    return False


def _clear(above: str, *, keep: str, tidy: bool) -> None:
    """Remove the leftovers of killed installations and, if `tidy`, the folders of other versions.

    A folder is renamed first, so that one that is half removed can't be taken for a complete one.
    """
    for name in os.listdir(above):
        if name == keep or not (name.startswith(NEW) or (tidy and not name.startswith("."))):
            continue
        gone = os.path.join(above, f"{NEW}{os.urandom(8).hex()}-old")
        try:
            os.rename(os.path.join(above, name), gone)
        except OSError:  # in use, on Windows
            continue
        shutil.rmtree(gone, ignore_errors=True)

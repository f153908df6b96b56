"""Signs of life of the worker inside Stash: directories that a script in Stash can list, since it can read no file.

They are beside Stash's settings file. The directory `plexsync-worker-wanted` is there while the worker is switched on;
it has one entry, named after the address of Stash that the last worker was started with. While the worker is switched
off, `plexsync-worker-off` is there, with the same entry. With neither, as after an update from a version without signs,
the script has PlexSync look into its database. The link `plexsync-worker` leads into the first one while a worker runs.
On Linux the link goes through the worker's open handle, so it leads nowhere from the moment when that process ends, in
any way.
Elsewhere the sign is a directory `plexsync-worker-until-TIME-ADDRESS`, which is renamed every few seconds. One without
an address means that the worker is being started, or will be at a moment that is set. One with `refused` in the place of
the address means that the start of that minute has failed. Standard library only.
"""

# ruff: noqa: PTH102, PTH103, PTH105, PTH106, PTH108, PTH112, PTH115, PTH118, PTH208, PTH211

import os
import re
import shutil
import sys
import time
from contextlib import suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# Stash lists a path that is not there as the names in its folder that begin like it: so one question tells all.
WORKER, SUPERVISOR = "plexsync-worker", "plexsync-supervisor"
WANTED, OFF = f"{WORKER}-wanted", f"{WORKER}-off"
UNTIL = re.compile(rf"{WORKER}-until-(\d{{1,15}})-(.*)")
# Milliseconds for which a sign counts where it is renamed, and between two renames.
LASTS, RENEW = 15_000, 5_000
# Milliseconds for which a start that was requested counts.
STARTING = 60_000
REFUSED = "refused"
# The exit code of a worker that Stash no longer lets in by the key that it gave (EX_TEMPFAIL of sysexits.h).
ANOTHER_KEY = 75
HANDLES = f"/proc/{os.getpid()}/fd" if os.path.isdir("/proc/self/fd") else ""


def address_name(server: "Mapping[str, object]") -> str:
    """Return a name for the address of Stash, as Stash tells it to its plugins. The script makes the same name."""
    parts = "_".join(str(server.get(key) or "") for key in ("Scheme", "Host", "Port"))
    return parts.replace(":", "_")


def show_wanted(folder: str, wanted: bool) -> None:
    """Show whether the worker is switched on. Ignores a folder that can't be written."""
    on, off = os.path.join(folder, WANTED), os.path.join(folder, OFF)
    here, gone = (on, off) if wanted else (off, on)
    try:
        for name in ("", *_names(gone)):
            os.makedirs(os.path.join(here, name), mode=0o700, exist_ok=True)
        if not wanted:
            show_nothing(folder)
        shutil.rmtree(gone, ignore_errors=True)
    except OSError:
        return


def last_server(folder: str) -> "dict[str, object]":
    """Return where Stash was when the worker was started last, as Stash tells its plugins; {} if that is not known."""
    for name in (*_names(os.path.join(folder, WANTED)), *_names(os.path.join(folder, OFF))):
        if parts := re.fullmatch(r"(https?)_(.*)_([0-9]{1,5})", name):
            # Of an IPv6 address the name has other signs.
            is_v6 = re.fullmatch(r"[0-9a-f.]*_[0-9a-f._]*_[0-9a-f._]*", parts[2])
            host = parts[2].replace("_", ":") if is_v6 else parts[2]
            return {"Scheme": parts[1], "Host": host, "Port": int(parts[3])}
    return {}


def is_wanted(folder: str) -> bool:
    """Whether the worker is shown as switched on."""
    return os.path.isdir(os.path.join(folder, WANTED))


def plan_start(folder: str) -> "tuple[str, float] | None":
    """Show that the worker is being started; returns the sign, and the seconds until then. None if one is shown already.

    It is now, or at the end of the minute of a start that has failed: so there is at most one start a minute.
    """
    now = _now()
    signs = {name: until for until, name in _times(folder) if until > now}
    if "" in signs:
        return None
    wait = min(signs.get(REFUSED, now) - now, STARTING)
    sign = os.path.join(folder, f"{WORKER}-until-{now + wait + STARTING}-")
    with suppress(OSError):
        show_nothing(folder)
        os.mkdir(sign, 0o700)
    return sign, wait / 1000


def show_refused(sign: str) -> None:
    """Show that the start with this sign has failed, also if the worker has shown itself for a while."""
    with suppress(OSError):
        os.mkdir(sign + REFUSED, 0o700)
        os.rmdir(sign)


def show_nothing(folder: str) -> None:
    """Remove the signs that count for a time."""
    for name in _names(folder):
        if UNTIL.fullmatch(name):
            shutil.rmtree(os.path.join(folder, name), ignore_errors=True)


def addresses(folder: str) -> list[str]:
    """Return the address of Stash that the running worker was started with, by its sign; nothing if it shows none."""
    now = _now()
    return _names(os.path.join(folder, WORKER)) + [
        name for until, name in _times(folder) if until > now and name not in ("", REFUSED)
    ]


def is_supervised(folder: str) -> bool:
    """Whether a supervisor runs that shows a sign."""
    return bool(_names(os.path.join(folder, SUPERVISOR)))


class LifeSign:
    """The sign of this process, until `end`. A folder that can't be written has no sign, and that does no harm."""

    def __init__(self, folder: str, role: str, address: str) -> None:
        self._folder = folder
        self._role = role
        self._address = address
        self._handle: int | None = None
        self._renewed = 0
        try:
            self._show()
        except OSError:
            return

    def renew(self) -> None:
        """Renew a sign that counts for a time, every few seconds."""
        now = _now()
        if HANDLES or self._role != WORKER or abs(now - self._renewed) < RENEW:
            return
        self._renewed = now
        show_nothing(self._folder)
        try:
            os.mkdir(os.path.join(self._folder, f"{WORKER}-until-{now + LASTS}-{self._address}"), 0o700)
        except OSError:
            return

    def end(self) -> None:
        """Remove the sign."""
        if self._handle is not None:
            link = os.path.join(self._folder, self._role)
            with suppress(OSError):
                if os.readlink(link) == f"{HANDLES}/{self._handle}":
                    os.unlink(link)
            os.close(self._handle)
            self._handle = None
        elif not HANDLES and self._role == WORKER:
            show_nothing(self._folder)

    def _show(self) -> None:
        show_wanted(self._folder, True)
        wanted = os.path.join(self._folder, WANTED)
        for name in _names(wanted):
            if name != self._address:
                os.rmdir(os.path.join(wanted, name))
        os.makedirs(os.path.join(wanted, self._address), mode=0o700, exist_ok=True)
        if sys.platform == "win32" or not HANDLES:
            self.renew()
            return
        self._handle = os.open(wanted, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        link = os.path.join(self._folder, self._role)
        os.symlink(f"{HANDLES}/{self._handle}", f"{link}.{os.getpid()}")
        os.replace(f"{link}.{os.getpid()}", link)
        if self._role == WORKER:
            show_nothing(self._folder)


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _times(folder: str) -> "Iterator[tuple[int, str]]":
    signs = (UNTIL.fullmatch(name) for name in _names(folder))
    return ((int(sign[1]), sign[2]) for sign in signs if sign)


def _now() -> int:
    return time.time_ns() // 1_000_000

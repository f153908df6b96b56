"""Checks of this machine: the program, its settings, notifications, the data folder, and events waiting in it."""

import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from plexsync.app.clients import tried_ways
from plexsync.app.database_files import DATABASE, count_spooled
from plexsync.cli.call import WRONG
from plexsync.cli.checks.check import Check, problem
from plexsync.cli.daemon.dashboard_process import hindrance_of
from plexsync.cli.logs import LOG_FILE
from plexsync.extras import PARTS, advice, is_installed
from plexsync.reports.format import many
from validation.config import SECRETS, PlexSyncConfig
from validation.sources import DEFAULT, LOOK, TOML, Loaded

TRIED_PYTHON = (3, 14)
LITTLE_SPACE = 200 * 2**20
# With less free space than this, or if a file of so many bytes can't be written, the disk is full.
FULL_BELOW, TRIED_BYTES = 2**20, 2**18
# The extras that the program's line lists; the demo reports its own missing packages.
OPTIONAL = ("web", "setup", "art", "notify", "postgres")


def program() -> Iterator[Check]:
    """The Python version, and which optional packages are installed."""
    installed = [part for part in OPTIONAL if is_installed(part)]
    lacking = [part for part in OPTIONAL if part not in installed]
    uses = ", ".join(f"{part} ({PARTS[part].use})" for part in lacking)
    summary = f"Python {platform.python_version()}; extras: {', '.join(installed) or 'none'}"
    summary += f"; not installed: {uses}: {advice(*lacking)}" if lacking else ""
    newest = ".".join(map(str, TRIED_PYTHON))
    mend = f"PlexSync is tried with Python up to {newest}: take that one if something is odd"
    yield Check("program", summary, mend if sys.version_info[:2] > TRIED_PYTHON else "")


def configuration(loaded: Loaded, file: Path) -> Iterator[Check]:
    """The settings in use, those without effect, and who may read the file."""
    name = "configuration"
    changed = sum(origin not in (DEFAULT, LOOK) for origin in loaded.origin.values())
    # Unlike the methods of Path, the functions of os.path raise nothing for unreadable folders.
    source = f"; {file} is read" if os.path.isfile(file) else "; there is no plexsync.toml"  # noqa: PTH113
    yield Check(name, f"{many(changed, 'setting')} given, the others at their defaults{source}")
    closed = True
    for line in loaded.warnings:
        message, _, path = line.rpartition(": chmod 600 ")
        closed = closed and not message
        yield Check(name, message or line, f"chmod 600 {path}" if message else "plexsync works on without that")
    held = [name for name in SECRETS if loaded.origin[name] == TOML]
    if closed and held and _open_to_others(file):
        yield Check(
            "configuration", f"others than its owner may read {' and '.join(held)} in {file}", f"chmod 600 {file}"
        )
    if not loaded.config.enabled:
        yield Check("enabled", "PlexSync is switched off: events are kept, nothing is sent", "set enabled = true")
    # If web_bind was not set, missing packages are no problem: the program's line lists them.
    if loaded.origin["web_bind"] != DEFAULT and (hindrance := hindrance_of(loaded.config)):
        yield Check("dashboard", f"serve has none: {hindrance}", "mend that, or set web_bind = none")


def notices(config: PlexSyncConfig) -> Iterator[Check]:
    """Whether notifications reach you when PlexSync needs you. Sends nothing."""
    name = "notifications"
    ways = list(tried_ways(config))
    # Without the package, all addresses have the same fault.
    faults = [way for way in dict.fromkeys(ways) if way[1]]
    for setting, fault in faults:
        if setting == "notify_urls":
            mend = f"serve does not start like that: mend it (docs/outages.md says how), or take it out of {setting}"
            yield problem(name, fault, mend, WRONG)
        else:
            yield Check(name, f"{setting} can't be started: {fault}", f"correct {setting}, or make its program run")
    if not ways:
        yield Check(name, "not set up: nobody is told when something needs a person (notify_urls, notify_command)")
    elif not faults:
        yield Check(name, f"{many(len(ways), 'way')} set up, and usable as far as that shows without sending anything")


def folder(place: Path, reason: str, content: str = "the database") -> Iterator[Check]:
    """The data folder with this content: owned by this user, closed to others, and with free space."""
    name = "data folder"
    if not os.path.exists(place):  # noqa: PTH110
        yield Check(name, f"{place} will be made and used: {reason}")
        return
    if not os.access(place, os.W_OK | os.X_OK):
        yield problem(name, f"{place} can't be written", "give it to the user that runs PlexSync", WRONG)
        return
    if _open_to_others(place):
        yield Check(name, f"others may look into {place}", f"chmod 700 {place}")
    else:
        yield Check(name, f"{place} is used: {reason}; it is writable, and for its owner only")
    file = place / DATABASE
    if _open_to_others(file):
        yield Check(name, f"others may read {file}", f"chmod 600 {file}")
    free, fault = shutil.disk_usage(place).free, ""
    try:
        # A quota shows only by writing a file.
        with tempfile.TemporaryFile(dir=place) as tried:
            tried.write(bytes(TRIED_BYTES))
            tried.flush()
            os.fsync(tried.fileno())
    except OSError as error:
        fault = error.strerror or "the disk can't be written"
    if free < FULL_BELOW or fault:
        message = f"{fault or 'the disk is full'}: nothing can be stored, so sync and the worker fail"
        yield problem("free space", message, f"make room on the disk of {place}", WRONG)
    else:
        is_little, mend = free < LITTLE_SPACE, "make room: work pauses on a full disk"
        left = f"{free // 2**20} MB" if is_little else f"{free / 2**30:,.1f} GB"
        yield Check("free space", f"{left} left for {content}", mend if is_little else "")


def events(place: Path) -> Iterator[Check]:
    """Events that hooks left as files because they could not be stored or parsed."""
    name = "events"
    waiting, unread = count_spooled(place)
    if unread:
        message = f"{many(unread, 'event')} could not be read, and were set aside in {place / 'spool' / 'unread'}"
        yield Check(name, message, "plexsync reconcile finds what they told of; look into the files, then delete them")
    if waiting:
        yield Check(name, f"{many(waiting, 'event')} left as files, which a worker takes over")


def _open_to_others(path: Path) -> bool:
    """Whether the mode gives access to others than the owner; on Windows it does not say."""
    return os.name == "posix" and os.path.exists(path) and bool(path.stat().st_mode & 0o077)  # noqa: PTH110


def log(folder: Path) -> Check:
    """The log file of the worker."""
    file = folder / LOG_FILE
    exists = os.path.exists(file)  # noqa: PTH110
    if exists and not os.access(file, os.W_OK):
        return Check("log", f"{file} can't be written", "give it to the user that runs PlexSync")
    return Check("log", f"{file} {'has' if exists else 'will have'} what serve logs; PLEXSYNC_LOG says how much")

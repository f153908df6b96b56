"""Writing plexsync.toml: settings are changed in the text of the file, and the rest stays as you wrote it.

A file is replaced completely or not at all. From its first byte on it belongs to its owner alone, even if root writes
it.
"""

import json
import os
import re
import sys
import textwrap
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

from validation.config import describe
from validation.picture_settings import earlier_names

if sys.platform != "win32":
    import fcntl

HEAD = "# PlexSync: docs/settings.md describes every setting. Keep this file to yourself, it holds secrets.\n"
# The options that a new file shows, commented, below the settings in it.
COMMON = (
    *("plex_libraries", "tls_ca_file", "path_map", "scope", "scope_match", "enabled", "stash_poll_interval"),
    *("reconcile_interval_hours", "scan_absent", "sync_title", "sync_studio", "sync_summary", "sync_date", "sync_cast"),
    *(
        "sync_director",
        "sync_genres",
        "sync_collection",
        "sync_rating",
        "look",
        "title_template",
        "genre_tags",
        "label_tags",
    ),
    *("collection_tags", "collections", "poster", "background", "conflict_policy", "first_push", "when_gone"),
    *("watch_back", "watch_account", "watch_since", "watch_minimum"),
    *("rating_direction", "rating_wins"),
    *("dlq_retention_days", "notify_urls", "notify_command", "notify_after_minutes", "web_bind", "web_password"),
    *("web_allowed_hosts", "stash_web_url", "data_dir"),
)
ABOUT = "# Common options with their defaults. To change one, take the # before its name away and edit its value.\n"


class UnclearFile(ValueError):
    """The settings in this text can't be changed without changing something else in it."""


def change_text(text: str, settings: Mapping[str, object]) -> str:
    """The text of a settings file with these settings changed to these values; None removes a setting, by each of its names.

    Comments, order and all other settings stay. Raises `UnclearFile` instead of damaging a text that it does not
    understand.
    """
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    settings = {**settings, **dict.fromkeys(earlier_names(settings))}
    try:
        expected = {**tomllib.loads(text), **settings}
        result = "".join(_rewrite_lines(text, settings))
        right = tomllib.loads(result) == {name: value for name, value in expected.items() if value is not None}
    except (tomllib.TOMLDecodeError, RecursionError):
        right = False
    if not right:
        raise UnclearFile("the settings in it can't be changed without touching what else it says")
    return result


def _rewrite_lines(text: str, settings: Mapping[str, object]) -> Iterator[str]:
    rest = {name: value for name, value in settings.items() if value is not None}
    for name, lines in list(_statements(text)):
        if name is None:
            # The first table begins here: settings after its header would belong to it.
            yield from _lines(rest)
            rest = {}
            yield lines
        elif name not in settings:
            yield lines if lines.endswith("\n") else lines + "\n"
        elif name in rest:
            yield from _lines({name: rest.pop(name)})
    yield from _lines(rest)


def _lines(settings: Mapping[str, object]) -> Iterator[str]:
    """The lines of these settings. JSON texts, numbers, lists and booleans are TOML too, except one character to escape."""
    for setting in describe():
        if setting.name in settings:
            value = json.dumps(settings[setting.name], ensure_ascii=False).replace("\x7f", "\\u007f")
            yield f"{setting.name} = {value}\n"


def _statements(text: str) -> Iterator[tuple[str | None, str]]:
    """(name, lines) of everything before the first table, '' for comments; then (None, the rest) if there is a table."""
    # TOML knows no other line ends.
    lines = re.findall(r"[^\n]*\n|[^\n]+", text)
    while lines:
        start = lines[0].lstrip()
        if start.startswith("["):
            yield None, "".join(lines)
            return
        if not start.strip() or start.startswith("#"):
            yield "", lines.pop(0)
            continue
        # A setting ends where the lines so far can be parsed.
        for count in range(1, len(lines) + 1):
            with suppress(tomllib.TOMLDecodeError):
                name = next(iter(tomllib.loads("".join(lines[:count]))))
                break
        else:
            raise UnclearFile("a setting in it does not end")
        yield name, "".join(lines[:count])
        del lines[:count]


def new_file(settings: Mapping[str, object]) -> str:
    """The text of a new file with these settings (None: not set)."""
    set_ones = {name for name, value in settings.items() if value is not None}
    about = textwrap.TextWrapper(118, initial_indent="# ", subsequent_indent="# ", break_long_words=False)
    options = (
        f"\n{about.fill(setting.description)}\n#{setting.name} = {setting.default}\n"
        for setting in describe()
        if setting.name in COMMON and setting.name not in set_ones
    )
    return f"{change_text(HEAD, settings)}\n{ABOUT}{''.join(options)}"


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keep other writers of settings from this folder until the end of the block. Raises OSError.

    What is read in the block is still there when it is written. Windows, and a share without locks, keep nobody out.
    """
    folder = Path(os.path.realpath(path)).parent
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if sys.platform == "win32":
        yield
    else:
        handle = os.open(folder, os.O_RDONLY)
        try:
            with suppress(OSError):
                fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)


def save(path: Path, text: str, *, kept: Path | None = None, new: bool = False) -> None:
    """Replace the file with this text, mode 0600, and first save the old file as `kept`. Raises OSError and changes nothing.

    A link stays a link: its target is replaced. A `new` file must not exist yet: raises FileExistsError if it does.
    """
    target = Path(os.path.realpath(path))
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    owner = _owner(target)
    if kept is not None:
        _write(kept, target.read_bytes(), owner)
    with _reserve(target) if new else nullcontext():
        _write(target, text.encode(), owner)


@contextmanager
def _reserve(target: Path) -> Iterator[None]:
    """Reserve the name until the block has put a file there. Raises FileExistsError if it is taken."""
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        yield
    except BaseException:
        target.unlink(missing_ok=True)
        raise


def _owner(target: Path) -> tuple[int, int] | None:
    """The owner for a file: its previous owner, else the folder's. None if not run as root, who alone can change owners."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return None
    try:
        owner = target.stat()
    except FileNotFoundError:
        owner = target.parent.stat()
    return owner.st_uid, owner.st_gid


def _write(target: Path, content: bytes, owner: tuple[int, int] | None) -> None:
    hidden = target.with_name(f".{target.name}.{os.getpid()}-{os.urandom(4).hex()}.tmp")
    try:
        handle = os.open(hidden, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            if owner is not None and sys.platform != "win32":
                # A file system without owners, such as a share, rejects this and does not need it.
                with suppress(OSError):
                    os.fchown(handle, *owner)
            file.write(content)
            file.flush()
            os.fsync(handle)
        hidden.replace(target)
    finally:
        hidden.unlink(missing_ok=True)
    # The name goes to the disk as well, if the folder can be synced.
    with suppress(OSError):
        handle = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

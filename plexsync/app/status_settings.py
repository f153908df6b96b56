"""The settings that `plexsync status` shows, stored in the database by every command that loads all settings.

Loading all settings takes far longer than reading the database. Stored settings are used only while none of their
sources has changed: the settings file, the environment, Stash's answer, the program itself. They then equal what
loading would give, without a warning. Otherwise all settings are loaded and stored again. No secret is stored, and a
source only as a salted hash. Imports only a small part of the standard library, because a shell waits for the process.
"""

# ruff: noqa: PTH100, PTH116, PTH117, PTH118, PTH120, PTH123

import os
import stat
import tomllib
from collections.abc import Mapping
from hashlib import blake2b
from typing import NamedTuple

from plexsync.store.files import folder
from validation import locations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from validation.config import PlexSyncConfig

LARGEST_FILE = 1_000_000
# The beginning of the variables that name a database in PostgreSQL.
POSTGRES = "PLEXSYNC_DATABASE_URL"
# How many sets are stored: a service and its user may have different settings.
MOST_KEPT = 4


class Sources:
    """Sources of a command's settings: the environment, a settings file, the folder on the command line."""

    def __init__(self, environ: Mapping[str, str], config_file: str | None, data_dir: str | None) -> None:
        self.environ = environ
        self.named = bool(config_file or environ.get("PLEXSYNC_CONFIG"))
        self.file = config_file or locations.settings_file(environ)
        self.data_dir = data_dir

    def content(self) -> bytes | None:
        """Return the settings file's content, b'' if there is none and none was named; None for anything unusual.

        A file that others could change is unusual, and so is a database in PostgreSQL: it takes a driver to read it.
        """
        if any(name.startswith(POSTGRES) for name in self.environ):
            return None
        try:
            status, content = self._read()
        except FileNotFoundError:
            return None if self.named else b""
        except (OSError, ValueError):
            return None
        # A file that others can read may cause a warning.
        usual = stat.S_ISREG(status.st_mode) and (os.name == "nt" or not status.st_mode & stat.S_IROTH)
        usual = usual or not any(name in content for name in (b"token", b"key", b"password", b"notify"))
        usual = usual and not locations.why_foreign(self.file, status) and b"database_url" not in content
        return content if len(content) <= LARGEST_FILE and usual else None

    def plex_names(self) -> list[str]:
        """Return the names of the `[[plex]]` entries; none if the settings file can't be read."""
        try:
            _, content = self._read()
            entries = tomllib.loads(content.decode("utf-8-sig")).get("plex", [])
        except (OSError, ValueError, RecursionError):
            return []
        tables = entries if isinstance(entries, list) else []
        names = [table.get("name") for table in tables if isinstance(table, dict)]
        return [name for name in names if isinstance(name, str) and name.isprintable()]

    def _read(self) -> tuple[os.stat_result, bytes]:
        """Return the status of the settings file and its content, up to what is too large. Raises OSError, ValueError."""
        with open(self.file, "rb") as file:
            return os.fstat(file.fileno()), file.read(LARGEST_FILE + 1)

    def folder_named(self, content: bytes) -> str | None:
        """Return the folder that a source names, '' if none does; None if this can't be determined here."""
        named = os.path.abspath(self.data_dir) if self.data_dir else self.environ.get("PLEXSYNC_DATA_DIR", "")
        if not named and b"data_dir" in content:
            try:
                named = tomllib.loads(content.decode("utf-8-sig")).get("data_dir", "")
            except (ValueError, RecursionError):
                return None
        return named if isinstance(named, str) and (not named or os.path.isabs(named)) else None

    def database_folder(self, content: bytes) -> str | None:
        """Return the folder of the database if a source names it or it is in use; otherwise None."""
        named = self.folder_named(content)
        in_use = None if named != "" else folder.folder_in_use(locations.data_folder(self.environ))
        return named or (in_use[0] if in_use else None)

    def chooses_plex(self, content: bytes) -> bool:
        """Whether there may be several Plex servers, or one is chosen by the environment."""
        if self.environ.get("PLEXSYNC_PLEX"):
            return True
        bare = b"\n" + content.translate(None, b" \t\"'\r")
        return b"[[plex]]" in bare or b"\nplex=" in bare

    def fingerprint(self, content: bytes, salt: str, answer: str) -> str:
        """Return a hash of all sources, which reveals none of them; '' if it can't be computed."""
        state = blake2b(key=salt.encode()[:64], digest_size=16)
        try:
            # Another version of the program may have other settings.
            program = os.stat(os.path.join(os.path.dirname(locations.__file__), "config.py"))
            ours = (name for name in self.environ if name.upper().startswith("PLEXSYNC_"))
            variables = [(name, self.environ[name]) for name in sorted(ours)]
            files = [_signs(value) for name, value in variables if name.endswith("_FILE") and value]
        except OSError:
            return ""
        inputs = (content, answer, self.data_dir or "", variables, files, program.st_mtime_ns, program.st_size)
        state.update(repr(inputs).encode("utf-8", "surrogatepass"))
        return state.hexdigest()


def _signs(path: str) -> tuple[int, int, int, bool]:
    """Return values that differ for another file or content; raises OSError if the file does not exist."""
    status = os.stat(path)
    return status.st_mtime_ns, status.st_size, status.st_mode, os.access(path, os.R_OK)


class StatusSettings(NamedTuple):
    """The settings that `status` shows, by the names that they have in PlexSyncConfig."""

    enabled: bool
    approve_bulk: bool
    dlq_max: int
    breaker_failure_threshold: int
    breaker_recovery_timeout: float
    breaker_max_recovery_timeout: float
    plex_read_timeout: float
    stash_poll_interval: float
    provider_on: bool


def parse_note(text: str, fingerprint: str) -> StatusSettings | None:
    """Return the stored settings of these sources, from the note's text; None if there are none."""
    for line in text.splitlines():
        key, _, rest = line.partition(" ")
        if fingerprint and key == fingerprint:
            try:
                values = dict(word.split("=", 1) for word in rest.split())
                kinds = StatusSettings.__annotations__.items()
                return StatusSettings(**{name: kind(float(values[name])) for name, kind in kinds})
            except (KeyError, ValueError, OverflowError):
                return None
    return None


def format_note(config: "PlexSyncConfig", fingerprint: str, before: str) -> str:
    """Return the note's text with these settings first, and then the latest ones of other sources."""
    values = " ".join(f"{name}={getattr(config, name) + 0!r}" for name in StatusSettings._fields)
    others = [line for line in before.splitlines() if line.partition(" ")[0] != fingerprint]
    return "\n".join([f"{fingerprint} {values}", *others[: MOST_KEPT - 1]])

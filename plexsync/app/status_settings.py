"""The settings that `plexsync status` tells of, kept in the database by whoever has loaded all settings.

To load all settings takes far longer than to read the database. What is kept counts only as long as nothing that settings
come from has changed since: the file, the environment, the answer of Stash, the program itself. Then it is what loading
them all would give, without a word of warning; else they are loaded anew, and kept. No secret is kept, and a source only
as a salted hash. Standard library only, and little of it, since a shell waits for the process that imports this.
"""

# ruff: noqa: PTH100, PTH116, PTH117, PTH118, PTH120, PTH123

import os
import stat
from collections.abc import Mapping
from hashlib import blake2b

from validation import locations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from validation.config import PlexSyncConfig

LARGEST_FILE = 1_000_000
# So many are kept: a service and its user may have settings of their own.
MOST_KEPT = 4
FIELDS = ("dlq_max", "breaker_failure_threshold")
SECONDS = ("breaker_recovery_timeout", "breaker_max_recovery_timeout", "plex_read_timeout")
SWITCHES = ("enabled", "approve_bulk")


class Sources:
    """Where the settings of a call come from: the environment, a settings file, the folder on the command line."""

    def __init__(self, environ: Mapping[str, str], config_file: str | None, data_dir: str | None) -> None:
        self.environ = environ
        self.named = bool(config_file or environ.get("PLEXSYNC_CONFIG"))
        self.file = config_file or locations.settings_file(environ)
        self.data_dir = data_dir

    def content(self) -> bytes | None:
        """What the settings file holds, b'' when there is none and none was named; None for anything unusual."""
        try:
            with open(self.file, "rb") as file:
                mode = os.fstat(file.fileno()).st_mode
                content = file.read(LARGEST_FILE + 1)
        except FileNotFoundError:
            return None if self.named else b""
        except (OSError, ValueError):
            return None
        # One that others can read may be worth a warning.
        usual = stat.S_ISREG(mode) and (os.name == "nt" or not mode & stat.S_IROTH)
        return content if len(content) <= LARGEST_FILE and (usual or not _may_hold_secrets(content)) else None

    def folder_named(self, content: bytes) -> str | None:
        """The folder that a source names, '' when none does; None for one that can't be told here."""
        folder = os.path.abspath(self.data_dir) if self.data_dir else self.environ.get("PLEXSYNC_DATA_DIR", "")
        if not folder and b"data_dir" in content:
            import tomllib

            try:
                folder = tomllib.loads(content.decode("utf-8-sig")).get("data_dir", "")
            except (ValueError, RecursionError):
                return None
        return folder if isinstance(folder, str) and (not folder or os.path.isabs(folder)) else None

    def fingerprint(self, content: bytes, salt: str, answer: str) -> str:
        """A hash of all that the settings come from; nothing can be read from it. '' when that can't be told."""
        state = blake2b(key=salt.encode()[:64], digest_size=16)
        try:
            # Another version of the program may know other settings.
            program = os.stat(os.path.join(os.path.dirname(locations.__file__), "config.py"))
            variables = [(name, value) for name, value in sorted(self.environ.items()) if _is_ours(name)]
            files = [_signs(value) for name, value in variables if name.endswith("_FILE") and value]
        except OSError:
            return ""
        inputs = (content, answer, self.data_dir or "", variables, files, program.st_mtime_ns, program.st_size)
        state.update(repr(inputs).encode("utf-8", "surrogatepass"))
        return state.hexdigest()


def _may_hold_secrets(content: bytes) -> bool:
    return any(name in content for name in (b"token", b"key", b"password", b"notify"))


def _is_ours(name: str) -> bool:
    return name.upper().startswith("PLEXSYNC_")


def _signs(path: str) -> tuple[int, int, int, bool]:
    """What shows that a file is another one; raises OSError when it is not there."""
    status = os.stat(path)
    return status.st_mtime_ns, status.st_size, status.st_mode, os.access(path, os.R_OK)


class StatusSettings:
    """The settings that `status` tells of, by the names that they have in all settings."""

    def __init__(self, values: Mapping[str, float]) -> None:
        self.enabled, self.approve_bulk = (bool(values[name]) for name in SWITCHES)
        self.dlq_max, self.breaker_failure_threshold = (int(values[name]) for name in FIELDS)
        self.breaker_recovery_timeout, self.breaker_max_recovery_timeout, self.plex_read_timeout = (
            float(values[name]) for name in SECONDS
        )


def kept(text: str, fingerprint: str) -> StatusSettings | None:
    """The settings of these sources by the note's text; None when they are not kept."""
    for line in text.splitlines():
        key, _, rest = line.partition(" ")
        if fingerprint and key == fingerprint:
            try:
                return StatusSettings(
                    {name: float(value) for name, _, value in (w.partition("=") for w in rest.split())}
                )
            except (KeyError, ValueError, OverflowError):
                return None
    return None


def written(config: "PlexSyncConfig", fingerprint: str, before: str) -> str:
    """The note's text with these settings first, and those of other sources that were kept last behind them."""
    values = " ".join(f"{name}={getattr(config, name) + 0!r}" for name in (*SWITCHES, *FIELDS, *SECONDS))
    others = [line for line in before.splitlines() if line.partition(" ")[0] != fingerprint]
    return "\n".join([f"{fingerprint} {values}", *others[: MOST_KEPT - 1]])

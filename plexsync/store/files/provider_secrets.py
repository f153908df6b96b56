"""The secrets of the libraries that ask PlexSync: `provider-secrets.json` in the data folder, for its owner alone.

A library's `path` is the first segment of the address at which Plex asks; its holder can read that library's texts. Its
`key` makes the rating keys of scenes, and stays as long as the file. Neither is in the database, a log or a page.
"""

import json
import re
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import field
from pathlib import Path

from plexsync.rules.record_class import record
from plexsync.rules.servers.errors import LocalFault
from plexsync.rules.servers.redaction import MASK
from plexsync.store.files.files import replace, sync_to_disk

FILE = "provider-secrets.json"
# 24 random bytes are 32 characters of base64url.
PATH_BYTES, KEY_BYTES = 24, 32
PATH, KEY = re.compile(r"[A-Za-z0-9_-]{32}"), re.compile(r"[0-9a-f]{64}")


@record
class LibrarySecrets:
    """The secrets of one library. `path` is part of an address; `key` is 32 bytes in hexadecimal digits."""

    path: str = field(repr=False)
    key: str = field(repr=False)

    def address(self, url: str) -> str:
        """The address that Plex is given, below the one at which PlexSync answers."""
        return f"{url.rstrip('/')}/{self.path}"


def masked_address(url: str) -> str:
    """The same without the secret, to be shown."""
    return f"{url.rstrip('/')}/{MASK}"


def read_secrets(folder: Path) -> dict[str, LibrarySecrets]:
    """Return the secrets by the uuid of the library; none without the file. Raises LocalFault."""
    path = folder / FILE
    try:
        return _secrets_in(path.read_bytes())
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise LocalFault(f"{path} can't be read: {error.strerror}") from error
    except ValueError:
        pass
    mend = "put it back from a copy, or run plexsync provider add again for each library, which sets it aside"
    raise LocalFault(f"{path} is damaged: {mend}")


def set_damaged_aside(folder: Path) -> None:
    """Rename a damaged file, so that secrets can be made anew."""
    path = folder / FILE
    # What can't be read or renamed is told by who needs it.
    with suppress(OSError):
        try:
            _secrets_in(path.read_bytes())
        except ValueError:
            path.replace(path.with_name(f"{FILE}.damaged"))


def renew_path(folder: Path, library: str) -> LibrarySecrets:
    """Give a library a new path, and a key if it has none. Raises LocalFault."""
    saved = read_secrets(folder)
    key = saved[library].key if library in saved else secrets.token_hex(KEY_BYTES)
    renewed = LibrarySecrets(secrets.token_urlsafe(PATH_BYTES), key)
    _save(folder / FILE, {**saved, library: renewed})
    return renewed


def _save(path: Path, saved: Mapping[str, LibrarySecrets]) -> None:
    document = {library: {"path": own.path, "key": own.key} for library, own in sorted(saved.items())}
    try:
        replace(path, json.dumps(document, indent=2).encode() + b"\n")
        sync_to_disk(path)
        sync_to_disk(path.parent)
    except OSError as error:
        raise LocalFault(f"{path} can't be written: {error.strerror}") from error


def _secrets_in(content: bytes) -> dict[str, LibrarySecrets]:
    """Raise ValueError for anything else than what `_save` writes."""
    document = json.loads(content)
    if not isinstance(document, dict):
        raise ValueError("no secrets")
    saved = {}
    for library, own in document.items():
        path, key = (own.get("path"), own.get("key")) if isinstance(own, dict) else (None, None)
        if not (isinstance(path, str) and PATH.fullmatch(path) and isinstance(key, str) and KEY.fullmatch(key)):
            raise ValueError("no secrets of a library")
        saved[library] = LibrarySecrets(path, key)
    return saved

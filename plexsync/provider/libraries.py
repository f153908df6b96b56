"""The libraries that may ask, known by the secret in the address, and the databases that have their answers."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from hmac import compare_digest

from plexsync.rules.match.paths import PathRules
from plexsync.rules.provider.documents import is_own_key
from plexsync.rules.record_class import record
from plexsync.rules.servers.errors import LocalFault
from plexsync.store.database import Database, Reader
from plexsync.store.files.address import StoreAddress
from plexsync.store.files.provider_secrets import FILE, LibrarySecrets, read_secrets
from plexsync.store.opening import open_database


@record
class AskingLibrary:
    """A library that asks, by its uuid, with the database that has its answers."""

    library: str
    answers: "AnswerStore"

    def gave_key(self, key: str) -> bool:
        """Whether Plex was given this rating key, by this database or by one before it. Raises LocalFault."""
        own = self.answers.secrets().get(self.library)
        return own is not None and is_own_key(bytes.fromhex(own.key), key)


class AnswerStore:
    """The database of a Plex server; it is opened when it is first needed, and never created. `rules`: its path rules."""

    def __init__(self, address: StoreAddress, rules: PathRules) -> None:
        self.rules = rules
        self._address = address
        self._store: Database | None = None
        self._opening = threading.Lock()
        self._secrets: dict[str, LibrarySecrets] = {}
        self._read: tuple[int, ...] = ()

    def secrets(self) -> dict[str, LibrarySecrets]:
        """The secrets of its libraries, as the file has them now. Raises LocalFault."""
        try:
            at = (self._address.folder / FILE).stat()
            state: tuple[int, ...] = (at.st_mtime_ns, at.st_ino, at.st_size)
        except OSError:
            state = ()
        if state != self._read or not state:
            self._secrets = read_secrets(self._address.folder)
            self._read = state
        return self._secrets

    def database(self) -> Database:
        """The database, opened. Raises LocalFault, NewerDatabase and Unusable."""
        with self._opening:
            if not self._address.is_postgres and not self._address.path.exists():
                raise LocalFault(f"{self._address.path} is not there")
            if self._store is None:
                self._store = open_database(self._address)
            return self._store

    @contextmanager
    def reading(self) -> Iterator[Reader]:
        """Yield one snapshot."""
        with self.database().reading() as db:
            yield db

    def close(self) -> None:
        """Close the database."""
        if self._store is not None:
            self._store.close()


class AskingLibraries:
    """All libraries that may ask. `hide` is given all secrets whenever they have changed, so that no log shows them."""

    def __init__(self, stores: Sequence[AnswerStore], hide: Callable[[set[str]], None] = lambda _secrets: None) -> None:
        self._stores = stores
        self._hide = hide
        self._hidden: list[dict[str, LibrarySecrets]] = []

    def with_secret(self, secret: str) -> AskingLibrary | None:
        """The library with this secret. Every one is compared, in the same time. Raises LocalFault."""
        secret_bytes, asking = secret.encode("utf-8", "replace"), None
        secrets = [store.secrets() for store in self._stores]
        if secrets != self._hidden:
            self._hidden = secrets
            self._hide({text for known in secrets for own in known.values() for text in (own.path, own.key)})
        for store, known in zip(self._stores, secrets, strict=True):
            for library, own in known.items():
                if compare_digest(secret_bytes, own.path.encode()):
                    asking = AskingLibrary(library, store)
        return asking

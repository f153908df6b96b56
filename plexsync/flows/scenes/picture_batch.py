"""What a worker holds of the pictures of one batch of scenes: their rows in the database, and the bytes that will be sent.

The rows are read and saved once per batch. The bytes are those that were fetched to learn a picture's key, so that Stash
is not asked for them again. Scenes are sent in the order in which they were inspected, so if the bytes of a batch are too
many, the last ones are fetched again.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Lock

from plexsync.rules.errors import NeighbourError
from plexsync.rules.job import Kind
from plexsync.rules.records import PictureRow
from plexsync.store.database import Database

# The maximum number of bytes of one batch.
KEPT = 64_000_000


class PictureBatch:
    """The pictures of one batch. One thread inspects; those that send only ask for bytes. Holds nothing unless `sends`."""

    def __init__(self, store: Database, *, sends: bool, flow: str = Kind.SCENE) -> None:
        self._store = store
        self._flow = flow
        self._sends = sends
        self._lock = Lock()
        self._rows: dict[int, dict[str, PictureRow]] | None = None
        self._unsaved: dict[tuple[int, str], PictureRow] = {}
        self._contents: dict[str, bytes] = {}
        self._size = 0

    @contextmanager
    def of(self, scenes: Sequence[int]) -> Iterator[None]:
        """Inspect these scenes inside the block. The bytes of the batch before are dropped."""
        if not self._sends:
            yield
            return
        with self._lock:
            self._contents, self._size = {}, 0
        with self._store.reading() as db:
            rows = db.pictures.of_flow(self._flow).of_all(scenes)
        self._rows = {id: rows.get(id, {}) for id in scenes}
        try:
            yield
        except NeighbourError:
            self._save_all()
            raise
        else:
            self._save_all()
        finally:
            self._rows, self._unsaved = None, {}

    def _save_all(self) -> None:
        if self._unsaved:
            with self._store.writing() as tx:
                for (scene, name), row in self._unsaved.items():
                    tx.pictures.of_flow(self._flow).save(scene, name, row)

    def rows(self, scene: int) -> dict[str, PictureRow]:
        """The rows of a scene's pictures, by name."""
        if self._rows is not None and scene in self._rows:
            return self._rows[scene]
        with self._store.reading() as db:
            return db.pictures.of_flow(self._flow).of(scene)

    def save(self, scene: int, name: str, row: PictureRow) -> None:
        """Save the row of a picture, at the end of the batch if one is inspected."""
        if self._rows is not None and scene in self._rows:
            self._rows[scene][name] = self._unsaved[scene, name] = row
            return
        with self._store.writing() as tx:
            tx.pictures.of_flow(self._flow).save(scene, name, row)

    def keep(self, key: str, content: bytes) -> None:
        """Keep the bytes of a picture, as long as the batch has room."""
        with self._lock:
            if self._sends and key not in self._contents and self._size + len(content) <= KEPT:
                self._contents[key] = content
                self._size += len(content)

    def content(self, key: str) -> bytes:
        """The bytes of a picture; none if they are not kept."""
        with self._lock:
            return self._contents.get(key, b"")

"""Pictures of Stash for artwork: reads them through the gate, and prepares the logos of studios.

A logo is read once for all scenes of its studio, as long as Stash reports no change of the studio.

The pictures of a batch are read side by side, a moment before the inspection asks for them, in an order that is known
beforehand. Their number is bound, because their bytes wait in memory, and because a failure may concern all of Stash: then
no more are read. Each picture is read once, as without this. The bytes that were fetched to learn a picture's key are held
until it is sent; if those of a batch are too many, the last ones are fetched again.
"""

import logging
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, wait
from contextlib import contextmanager
from functools import partial
from itertools import chain
from threading import Lock, local

from plexsync.engine.gates import Gates
from plexsync.engine.tickets import READ_STASH, Ticket
from plexsync.rules.merge.pictures import kind_of, may_be_early
from plexsync.rules.queue.job import Kind
from plexsync.rules.record_class import record
from plexsync.rules.records import Picture, PictureRow
from plexsync.rules.scene import Image, Scene
from plexsync.rules.servers.errors import (
    NO_MEMORY,
    LocalFault,
    Missing,
    Neighbour,
    NeighbourError,
    Refused,
    Unavailable,
)
from plexsync.rules.servers.neighbours import Imaging, Stash
from plexsync.store.database import Database

log = logging.getLogger("PlexSync.picture")

# The maximum number of pictures that are being read or wait to be asked for.
AT_ONCE = 4
# The maximum number of bytes of two batches.
BATCH_SIZE = 64_000_000
# Stash sends its stand-in for a picture that exists, too, if it is asked for like this.
STAND_IN = "?default=true"
# The number of logos kept in memory, and the largest one in bytes: a larger one is read again for each poster.
LOGOS, LARGEST_LOGO = 64, 500_000
# A picture to read: its path, and the tag of the bytes that are known.
Asked = tuple[str, str]


@record
class PictureAnswer:
    """What Stash answered to one request, by its time at `date`. `ticket` is from before the request."""

    ticket: Ticket
    picture: Picture | None
    error: NeighbourError | None
    date: str


@record
class Readers:
    """The threads that read pictures. `alive` is called on the thread that asks for one, before it waits."""

    pool: Executor
    alive: Callable[[], None]


class ReadAhead:
    """The pictures `due`, in the order in which they will be asked for. For use by one thread.

    `reading` is called on that thread, and returns what reads a picture on another one.
    """

    def __init__(
        self, readers: Readers, due: Iterable[Asked], reading: Callable[[Asked], Callable[[], PictureAnswer]]
    ) -> None:
        self._readers = readers
        self._reading = reading
        self._due = deque(due)
        self._begun: deque[tuple[Asked, Future[PictureAnswer]]] = deque()
        self._passed: list[Future[PictureAnswer]] = []
        self._begin()

    def take(self, key: Asked) -> PictureAnswer | None:
        """A picture, as soon as it is read; None if it is not among those that are due.

        Those before it are not needed any more. Raises what its read has raised.
        """
        if key not in self._due and all(key != begun for begun, _ in self._begun):
            return None
        self._pass_over(key)
        self._begin()
        _, future = self._begun.popleft()
        self._begin()
        self._readers.alive()
        return future.result()

    def close(self) -> None:
        """Begin no more, and wait for those that are being read."""
        self._due.clear()
        self._passed += [future for _, future in self._begun]
        self._begun.clear()
        wait([future for future in self._passed if not future.cancel()])

    def _pass_over(self, key: Asked) -> None:
        while self._begun and self._begun[0][0] != key:
            self._passed.append(self._begun.popleft()[1])
        # A picture that nobody asks for is not kept in memory.
        self._passed = [future for future in self._passed if not (future.cancel() or future.done())]
        while not self._begun and self._due[0] != key:
            self._due.popleft()

    def _begin(self) -> None:
        while self._due and len(self._begun) < AT_ONCE:
            key = self._due.popleft()
            try:
                self._begun.append((key, self._readers.pool.submit(self._reading(key))))
            except RuntimeError as error:
                # The system can't start another thread.
                raise LocalFault(NO_MEMORY) from error


class BatchRows(local):
    """The rows of the batch that a thread inspects, by scene (None: it inspects none), and those that are not saved yet."""

    by_scene: dict[int, dict[str, PictureRow]] | None = None

    def __init__(self) -> None:
        self.unsaved: dict[tuple[int, str], PictureRow] = {}


class PictureBatch:
    """The pictures of one batch: a thread that inspects reads their rows together. Holds no bytes unless `sends`.

    The bytes of the batch before are held as well: it may be sent while this one is inspected.
    """

    def __init__(self, store: Database, *, sends: bool, flow: str = Kind.SCENE) -> None:
        self._store = store
        self._flow = flow
        self._sends = sends
        self._lock = Lock()
        self._rows = BatchRows()
        self._contents: dict[str, bytes] = {}
        self._earlier: dict[str, bytes] = {}

    @contextmanager
    def of(self, scenes: Sequence[int]) -> Iterator[None]:
        """Inspect these scenes inside the block. The bytes of the batch before the last one are dropped."""
        with self._lock:
            self._earlier, self._contents = self._contents, {}
        with self._store.reading() as db:
            rows = db.pictures.of_flow(self._flow).of_all(scenes)
        self._rows.by_scene = {id: rows.get(id, {}) for id in scenes}
        try:
            yield
        except NeighbourError:
            self._save_all()
            raise
        else:
            self._save_all()
        finally:
            self._rows.by_scene, self._rows.unsaved = None, {}

    def _save_all(self) -> None:
        if self._rows.unsaved:
            with self._store.writing() as tx:
                for (scene, name), row in self._rows.unsaved.items():
                    tx.pictures.of_flow(self._flow).save(scene, name, row)

    def rows(self, scene: int) -> dict[str, PictureRow]:
        """The rows of a scene's pictures, by name."""
        if self._rows.by_scene is not None and scene in self._rows.by_scene:
            return self._rows.by_scene[scene]
        with self._store.reading() as db:
            return db.pictures.of_flow(self._flow).of(scene)

    def save(self, scene: int, name: str, row: PictureRow) -> None:
        """Save the row of a picture, at the end of the batch if one is inspected."""
        if self._rows.by_scene is not None and scene in self._rows.by_scene:
            self._rows.by_scene[scene][name] = self._rows.unsaved[scene, name] = row
            return
        with self._store.writing() as tx:
            tx.pictures.of_flow(self._flow).save(scene, name, row)

    def keep(self, key: str, content: bytes) -> None:
        """Keep the bytes of a picture, as long as the batch has room."""
        with self._lock:
            held = sum(map(len, chain(self._contents.values(), self._earlier.values())))
            if self._sends and key not in self._contents and held + len(content) <= BATCH_SIZE:
                self._contents[key] = content

    def content(self, key: str) -> bytes:
        """The bytes of a picture; none if they are not kept."""
        with self._lock:
            return self._contents.get(key) or self._earlier.get(key, b"")


class StashPictures:
    """The pictures of one Stash. `imaging` tells whether a logo can be drawn; without it, none can.

    `readers` read the pictures of a batch side by side; without them, each is read when it is asked for.
    """

    def __init__(self, stash: Stash, gates: Gates, imaging: Imaging | None, readers: Readers | None = None) -> None:
        self.date = ""
        """Stash's time when it answered the last `read`, as an HTTP date."""
        self._readers = readers
        self._ahead: ReadAhead | None = None
        self._stash = stash
        self._gates = gates
        self._imaging = imaging
        self._logos: OrderedDict[Image, bytes] = OrderedDict()
        self._lock = Lock()

    @contextmanager
    def ahead(self, due: Iterable[Asked]) -> Iterator[None]:
        """Inside the block, these pictures are read before `read` asks for them, in this order."""
        if self._readers is None:
            yield
            return
        ahead = self._ahead = ReadAhead(self._readers, due, self._asking)
        try:
            yield
        finally:
            self._ahead = None
            ahead.close()

    def read(self, path: str, *, etag: str = "") -> Picture | None:
        """Read a picture; None if it still has this `etag`. Raises NeighbourError; one failure is no evidence on Stash."""
        answer = (self._ahead and self._ahead.take((path, etag))) or self._asking((path, etag))()
        self.date = answer.date
        return self._judge_picture(answer)

    def _judge_picture(self, answer: PictureAnswer) -> Picture | None:
        error = answer.error
        if error is None:
            return answer.picture
        if not isinstance(error, Missing) and not (isinstance(error, Unavailable) and error.sent):
            self._gates.ill(answer.ticket, error)
        raise error

    def _read_now(self, path: str) -> Picture | None:
        """As `read`, for what only another picture has shown to be needed. Sets no `date`."""
        return self._judge_picture(self._asking((path, ""))())

    def _asking(self, asked: Asked) -> Callable[[], PictureAnswer]:
        """The request for a picture, to be made on any thread. Its result is reported when it is needed."""
        return partial(self._ask, self._gates.ticket(READ_STASH), *asked)

    def _ask(self, ticket: Ticket, path: str, etag: str) -> PictureAnswer:
        try:
            picture = self._stash.picture(path, etag=etag)
        except NeighbourError as error:
            return PictureAnswer(ticket, None, error, self._stash.date)
        return PictureAnswer(ticket, picture, None, self._stash.date)

    def drawing(self, image: Image, content: bytes) -> str:
        """Why a drawing can't be shown; '' for no drawing, and for the one that Stash shows where it has no picture.

        Raises Refused for the one that it shows in the place of a picture that it has, but can't read just now. For example,
        its folder is unavailable. Treating that as no picture would remove the one in Plex.
        """
        if kind_of(content) != "drawing" or self._gates.ask(READ_STASH, lambda: self._stash.lacks(image)):
            return ""
        stand_in = self._read_now(image.path + STAND_IN)
        if stand_in and stand_in.content == content:
            raise Refused(Neighbour.STASH, "Stash shows a stand-in for it")
        return "it is an SVG drawing, which can't be shown"

    def logo(self, image: Image) -> bytes:
        """The logo to draw, if there is one. One that can't be drawn is reported once. Raises NeighbourError."""
        with self._lock:
            if image in self._logos:
                self._logos.move_to_end(image)
                return self._logos[image]
        content, problem = self._drawable(image)
        if may_be_early(image.version, self._stash.date):
            return content
        if problem:
            log.warning("the logo at %s is left out of posters: %s", image.path, problem)
        if len(content) <= LARGEST_LOGO:
            with self._lock:
                self._logos[image] = content
                while len(self._logos) > LOGOS:
                    self._logos.popitem(last=False)
        return content

    def _drawable(self, image: Image) -> tuple[bytes, str]:
        """The logo, or nothing with the reason ('' if there is none)."""
        try:
            picture = self._read_now(image.path)
        except Missing:
            return b"", ""
        content = picture.content if picture else b""
        if kind_of(content) == "drawing":
            return b"", self.drawing(image, content)
        if not content or self._imaging is None:
            return b"", ""
        return (content, "") if self._imaging.reads(content) else (b"", "it is no JPEG, PNG or WebP that can be read")


def logo_of(scene: Scene) -> Image | None:
    """The picture that Stash may have of the scene's studio."""
    return next((image for image in scene.images if image.source == "studio"), None)

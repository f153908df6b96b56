"""Pictures of Stash for artwork: reads them through the gate, and prepares the logos of studios.

A logo is read once for all scenes of its studio, as long as Stash reports no change of the studio.
"""

import logging
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from threading import Lock

from plexsync.engine.gates import Gates
from plexsync.engine.tickets import READ_STASH, Ticket
from plexsync.flows.scenes.read_ahead import ReadAhead, Readers
from plexsync.rules.errors import Missing, Neighbour, NeighbourError, Refused, Unavailable
from plexsync.rules.neighbours import Imaging, Stash
from plexsync.rules.pictures import kind_of, may_be_early
from plexsync.rules.records import Picture
from plexsync.rules.scene import Image, Scene

log = logging.getLogger("PlexSync.picture")

# Stash sends its stand-in for a picture that exists, too, if it is asked for like this.
STAND_IN = "?default=true"
# The number of logos kept in memory, and the largest one in bytes: a larger one is read again for each poster.
KEPT, LARGEST_KEPT = 64, 500_000


# A picture to read: its path, and the tag of the bytes that are known.
Asked = tuple[str, str]


@dataclass(frozen=True)
class PictureAnswer:
    """What Stash answered to one request, by its time at `date`. `ticket` is from before the request."""

    ticket: Ticket
    picture: Picture | None
    error: NeighbourError | None
    date: str


class StashPictures:
    """The pictures of one Stash. `imaging` tells whether a logo can be drawn; without it, none can.

    `readers` read the pictures of a batch side by side; without them, each is read when it is asked for.
    """

    def __init__(self, stash: Stash, gates: Gates, imaging: Imaging | None, readers: Readers | None = None) -> None:
        self.date = ""
        """Stash's time when it answered the last `read`, as an HTTP date."""
        self._readers = readers
        self._ahead: ReadAhead[Asked, PictureAnswer] | None = None
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
        return self._judged(answer)

    def _judged(self, answer: PictureAnswer) -> Picture | None:
        error = answer.error
        if error is None:
            return answer.picture
        if not isinstance(error, Missing) and not (isinstance(error, Unavailable) and error.sent):
            self._gates.ill(answer.ticket, error)
        raise error

    def _read_now(self, path: str) -> Picture | None:
        """As `read`, for what only another picture has shown to be needed. Sets no `date`."""
        return self._judged(self._asking((path, ""))())

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
        if len(content) <= LARGEST_KEPT:
            with self._lock:
                self._logos[image] = content
                while len(self._logos) > KEPT:
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

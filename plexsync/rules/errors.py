"""Why an attempt can fail, sorted by what is done about it.

* SyncError
  * Unavailable     no answer, a 408 or 5xx, a cut or foreign body: the breaker's affair; an outage uses up nobody's attempts
  * Throttled       429 (or a 503 that names a time): everyone waits at least `retry_after`
  * Barred          401, 403, a bad certificate, a missing library: held until a person changes something
  * Missing         404 for one item: the neighbour is alive, the item is not there
  * Refused         400, 405, 406, 409, 410, 413-415, 422: asking again gets the same answer
    * TooLong       413, 414, 431: the same edit may pass in smaller pieces
  * LocalFault      our own disk or database: pause, nobody is to blame
    * SpoolFault    files that hooks left can't be taken over: a person has to see to them, all else goes on
  * NewerDatabase   the database was written by a newer PlexSync: nothing may be touched
  * Unusable        a value of a person's configuration can't be worked with; the message names it
    * Damaged       the database can't be read as one: a worker makes it anew when it starts

Every message is one line, free of secrets, and says what happened in words a user can act on.
"""

from enum import StrEnum


class Neighbour(StrEnum):
    """The two servers we live between; also the names of their breakers, holds and paces."""

    PLEX = "plex"
    STASH = "stash"


class SyncError(Exception):
    """Anything that stops an attempt for a reason we know."""


class NeighbourError(SyncError):
    """What one of the two neighbours answered, or failed to.

    `applied` is True when it met a later part of an edit: what went before is in Plex.
    """

    def __init__(self, neighbour: Neighbour, message: str) -> None:
        super().__init__(message)
        self.neighbour = neighbour
        self.applied = False


class Unavailable(NeighbourError):
    """No usable answer. `sent` is False when the request certainly never reached the other side."""

    def __init__(
        self, neighbour: Neighbour, message: str, *, sent: bool = True, retry_after: float | None = None
    ) -> None:
        super().__init__(neighbour, message)
        self.sent = sent
        self.retry_after = retry_after


class Throttled(NeighbourError):
    """The other side asks for patience: `retry_after` seconds, already clamped to 0..3600."""

    def __init__(self, neighbour: Neighbour, message: str, *, retry_after: float) -> None:
        super().__init__(neighbour, message)
        self.retry_after = retry_after


class Barred(NeighbourError):
    """We are not let in, or what we were told to use is not there. `setting` names what a person has to change."""

    def __init__(self, neighbour: Neighbour, message: str, *, setting: str) -> None:
        super().__init__(neighbour, message)
        self.setting = setting


class Missing(NeighbourError):
    """The one thing asked for is not there; the neighbour itself is well."""


class Refused(NeighbourError):
    """The same request would get the same answer."""


class TooLong(Refused):
    """The request was too large for the other side."""


NO_MEMORY = "no memory is left for this process"


class LocalFault(SyncError):
    """Our own disk or database failed; `full` when there is no space left."""

    def __init__(self, message: str, *, full: bool = False) -> None:
        super().__init__(message)
        self.full = full


class SpoolFault(LocalFault):
    """Events that hooks left as files can't be read or removed; the queue itself is well."""


class NewerDatabase(SyncError):
    """The database has a schema this version does not know."""


class Unusable(SyncError):
    """A setting or file that a person has to mend."""


class Damaged(LocalFault, Unusable):
    """The database is damaged: a fault of our own disk, and one that does not pass by itself."""

"""The reasons why an attempt can fail, sorted by how PlexSync reacts.

* SyncError
    * Unavailable     no answer, a 408 or 5xx, a cut or foreign body: left to the breaker; outages use up no attempts
        * ForeignNotFound  a 404 that is not the server's own, or nothing where there should be one
    * Throttled       429 (or a 503 that names a time): all requests wait at least `retry_after`
    * Barred          401, 403, a bad certificate, a missing library: on hold until you change something
    * Missing         404 for one item: the server is up, the item is not there
    * Refused         400, 405, 406, 409, 410, 413-415, 422: asking again gets the same answer
        * TooLong       413, 414, 431: the same edit may pass in smaller pieces
        * Conflict      409: something that is there stands in the way, as a collection of the same title
    * LocalFault      PlexSync's disk or database failed: work pauses, no server is at fault
        * SpoolFault    files that hooks left can't be taken over: needs you, all other work goes on
        * LockLost      this process no longer holds the worker's lock: it stops at once, another one works
    * NewerDatabase   a newer PlexSync wrote the database: nothing may be touched
    * Unusable        a value in your configuration can't be used; the message names it
        * Damaged       the database is unreadable: the worker rebuilds it when it starts

Every message is one line without secrets, and says what happened in words that you can act on.
"""

from enum import StrEnum


class Neighbour(StrEnum):
    """The two servers, Plex and Stash. Breakers, holds and paces have the same names."""

    PLEX = "plex"
    STASH = "stash"


class SyncError(Exception):
    """A known reason that stops an attempt."""


class NeighbourError(SyncError):
    """An error answer from Plex or Stash, or a missing answer.

    `applied` is True if it hit a later part of an edit: the parts before it are in Plex.
    """

    def __init__(self, neighbour: Neighbour, message: str) -> None:
        super().__init__(message)
        self.neighbour = neighbour
        self.applied = False


class Unavailable(NeighbourError):
    """No usable answer. `sent` is False if the request certainly never reached the server.

    `is_over`: the server itself has answered that it failed, so that nothing of the request takes effect any more.
    """

    def __init__(
        self,
        neighbour: Neighbour,
        message: str,
        *,
        sent: bool = True,
        retry_after: float | None = None,
        is_over: bool = False,
    ) -> None:
        super().__init__(neighbour, message)
        self.sent = sent
        self.retry_after = retry_after
        self.is_over = is_over


class ForeignNotFound(Unavailable):
    """A 404 without Plex's signs: Plex is stopped behind a proxy, or the proxy replaces Plex's own page.

    Also an answer without any item, where Plex would say 404.
    """


class Throttled(NeighbourError):
    """The server asks PlexSync to wait `retry_after` seconds, already clamped to 0..3600."""

    def __init__(self, neighbour: Neighbour, message: str, *, retry_after: float) -> None:
        super().__init__(neighbour, message)
        self.retry_after = retry_after


class Barred(NeighbourError):
    """The server denies access, or a configured resource does not exist. `setting` names the setting to change.

    `choice` (of `plexsync.rules.queue.choices.Choice`): something has changed that only you can judge, and you may
    accept it.
    """

    def __init__(self, neighbour: Neighbour, message: str, *, setting: str, choice: str = "") -> None:
        super().__init__(neighbour, message)
        self.setting = setting
        self.choice = choice


class Missing(NeighbourError):
    """The requested item does not exist; the server itself is up."""


class Refused(NeighbourError):
    """The server rejects the request. The same request would get the same answer."""


class TooLong(Refused):
    """The request is too large for the server."""


class Conflict(Refused):
    """Something that is there stands in the way, as a collection that has the title already."""


NO_MEMORY = "no memory is left for this process"


class LocalFault(SyncError):
    """PlexSync's own disk or database failed.

    `full` if no space is left. `away` if the server of the database can't be reached or takes no connection or no
    writes at the moment: that passes by itself.
    """

    def __init__(self, message: str, *, full: bool = False, away: bool = False) -> None:
        super().__init__(message)
        self.full = full
        self.away = away


class SpoolFault(LocalFault):
    """Event files that hooks left can't be read or removed; the queue itself is fine."""


NO_STANDBY = "each commit waits until a standby server of synchronous_standby_names is connected, and none is"
LOCK_LOST = "this process no longer holds the worker's lock: another one may work by now"


class LockLost(LocalFault):
    """This process no longer holds the worker's lock, so it may neither write nor send anything more."""

    def __init__(self, message: str = LOCK_LOST) -> None:
        super().__init__(message)


class NewerDatabase(SyncError):
    """The database has a schema that this version does not know."""


class Unusable(SyncError):
    """A setting or file that you have to fix."""


class Damaged(LocalFault, Unusable):
    """The database is damaged: a local fault that does not pass by itself."""

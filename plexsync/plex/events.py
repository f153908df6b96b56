"""Plex's events as `plexsync.rules.events`: items that were added, changed or removed, and scans that ended."""

from collections.abc import Callable, Iterator, Sequence

import msgspec

from plexsync.http.client import Timeouts
from plexsync.http.websocket import EventSocket
from plexsync.rules.errors import Neighbour
from plexsync.rules.events import Event, Left, Scanned, Touched
from plexsync.rules.http_answers import Server

# The path that clients use; the documented one lacks a letter.
TARGET = "/:/websockets/notifications"
LIBRARY = "com.plexapp.plugins.library"
SCAN = "library.update.section"
MOVIE = 1
DELETED = 9

Number = int | str


class TimelineEntry(msgspec.Struct):
    """An event of an item."""

    itemID: Number
    identifier: str = ""
    sectionID: Number = ""
    type: Number = 0
    state: Number = 0
    updatedAt: Number = 0


class Context(msgspec.Struct):
    """The subject of an activity."""

    librarySectionID: Number = ""


class Activity(msgspec.Struct):
    """A long-running activity."""

    type: str = ""
    Context: "Context | None" = None


class ActivityNotification(msgspec.Struct):
    """The progress of an activity."""

    event: str = ""
    Activity: "Activity | None" = None


class NotificationContainer(msgspec.Struct):
    """Any notification; most of them are not used."""

    type: str = ""
    TimelineEntry: "list[TimelineEntry]" = []
    ActivityNotification: "list[ActivityNotification]" = []


class Notification(msgspec.Struct):
    """A whole message."""

    NotificationContainer: "NotificationContainer"


NOTIFICATION = msgspec.json.Decoder(Notification)


class PlexEvents:
    """One Plex server's events.

    Raises Unusable for an address or token that can't be sent; after construction it raises only `NeighbourError`.
    """

    def __init__(
        self,
        url: str,
        token: str,
        *,
        connect_timeout: float = 5.0,
        read_timeout: float = 30.0,
        client_id: str = "plexsync",
        ca_file: str = "",
    ) -> None:
        self._live = EventSocket(
            Server(Neighbour.PLEX, "Plex", "plex_url", "plex_token"),
            url,
            TARGET,
            headers={"X-Plex-Token": token, "X-Plex-Client-Identifier": client_id, "X-Plex-Product": "PlexSync"},
            timeouts=Timeouts(connect_timeout, read_timeout),
            ca_file=ca_file,
        )

    def listen(self, stopping: Callable[[], bool]) -> Iterator[Sequence[Event]]:
        """Yield events as they arrive; an empty list at least twice a second. Raises NeighbourError at the end."""
        for message in self._live.messages(stopping):
            yield events_of(message)


def events_of(message: bytes) -> Sequence[Event]:
    """The events of a message; none for one that can't be parsed."""
    if not message:
        return ()
    try:
        container = NOTIFICATION.decode(message).NotificationContainer
        if container.type == "timeline":
            return [
                _entry(notification)
                for notification in container.TimelineEntry
                if notification.identifier == LIBRARY and int(notification.type) == MOVIE
            ]
        if container.type == "activity":
            return [_scan(notification) for notification in container.ActivityNotification if _is_scan(notification)]
    except (ValueError, msgspec.MsgspecError, RecursionError):
        return ()
    return ()


def _entry(notification: TimelineEntry) -> Event:
    key, section = str(int(notification.itemID)), str(notification.sectionID)
    return (
        Left(key, section) if int(notification.state) == DELETED else Touched(key, section, int(notification.updatedAt))
    )


def _is_scan(notification: ActivityNotification) -> bool:
    return notification.event == "ended" and notification.Activity is not None and notification.Activity.type == SCAN


def _scan(notification: ActivityNotification) -> Event:
    context = notification.Activity.Context if notification.Activity else None
    return Scanned(str(context.librarySectionID) if context else "")

"""Plex's events as `plexsync.rules.queue.events`: items that were added, changed or removed, scans that ended, and
what is played.

Each entry of a message is read by itself, so that an entry in an unknown form costs only itself.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import msgspec

from plexsync.http.connections import Timeouts
from plexsync.http.websocket import EventSocket
from plexsync.plex.answers import key_of, whole_number
from plexsync.plex.requests import PLEX, plex_headers
from plexsync.rules.queue.events import Event, Left, Scanned, SessionChanged, SessionState, Touched

# The path that clients use; the documented one lacks a letter.
TARGET = "/:/websockets/notifications"
LIBRARY = "com.plexapp.plugins.library"
SCAN = "library.update.section"
MOVIE = 1
# The type of some entries about a removal: Plex no longer knows it.
UNKNOWN_TYPE = -1
DELETED = 9

Number = int | float | str


class TimelineEntry(msgspec.Struct):
    """An event of an item."""

    itemID: Number
    identifier: str = ""
    sectionID: Number | None = None
    type: Number = 0
    state: Number = 0
    updatedAt: Number | None = None


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


class PlaySessionStateNotification(msgspec.Struct):
    """The report of a player."""

    ratingKey: Number
    state: SessionState
    viewOffset: Number | None = None
    sessionKey: Number | None = None


class NotificationContainer(msgspec.Struct):
    """Any notification; most of them are not used. Its entries are not decoded yet."""

    type: str = ""
    TimelineEntry: list[msgspec.Raw] = []
    ActivityNotification: list[msgspec.Raw] = []
    PlaySessionStateNotification: list[msgspec.Raw] = []


class Notification(msgspec.Struct):
    """A whole message."""

    NotificationContainer: "NotificationContainer"


NOTIFICATION = msgspec.json.Decoder(Notification)
TIMELINE_ENTRY = msgspec.json.Decoder(TimelineEntry)
ACTIVITY = msgspec.json.Decoder(ActivityNotification)
PLAYER_REPORT = msgspec.json.Decoder(PlaySessionStateNotification)
UNREADABLE = (ValueError, msgspec.MsgspecError, RecursionError)

T = TypeVar("T")


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
            PLEX,
            url,
            TARGET,
            headers=plex_headers(token, client_id),
            timeouts=Timeouts(connect_timeout, read_timeout),
            ca_file=ca_file,
        )

    def listen(self, stopping: Callable[[], bool]) -> Iterator[Sequence[Event]]:
        """Yield events as they arrive; an empty list at least once a second. Raises NeighbourError at the end."""
        for message in self._live.messages(stopping):
            yield events_of(message)


def events_of(message: bytes) -> Sequence[Event]:
    """The events of a message; none for one that can't be parsed, or for an entry that can't be."""
    if not message:
        return ()
    try:
        container = NOTIFICATION.decode(message).NotificationContainer
    except UNREADABLE:
        return ()
    if container.type == "timeline":
        return _readable(container.TimelineEntry, TIMELINE_ENTRY, _entry)
    if container.type == "activity":
        return _readable(container.ActivityNotification, ACTIVITY, _scan)
    if container.type == "playing":
        return _readable(container.PlaySessionStateNotification, PLAYER_REPORT, _session)
    return ()


def _readable(
    entries: Sequence[msgspec.Raw], decoder: "msgspec.json.Decoder[T]", event_of: Callable[[T], Event | None]
) -> Sequence[Event]:
    """The events of the entries that can be read."""
    events = []
    for entry in entries:
        try:
            event = event_of(decoder.decode(entry))
        except UNREADABLE:
            continue
        if event:
            events.append(event)
    return events


def _entry(notification: TimelineEntry) -> Event | None:
    """The event of a movie; None for anything else."""
    deleted = int(notification.state) == DELETED
    types = (MOVIE, UNKNOWN_TYPE) if deleted else (MOVIE,)
    if notification.identifier != LIBRARY or int(notification.type) not in types:
        return None
    key = key_of(notification.itemID)
    section = "" if notification.sectionID is None else str(notification.sectionID)
    return Left(key, section) if deleted else Touched(key, section, whole_number(notification.updatedAt or 0))


def _scan(notification: ActivityNotification) -> Event | None:
    """The end of a scan; None for any other activity."""
    activity = notification.Activity
    if notification.event != "ended" or activity is None or activity.type != SCAN:
        return None
    return Scanned(str(activity.Context.librarySectionID) if activity.Context else "")


def _session(report: PlaySessionStateNotification) -> Event:
    """The change of a session."""
    session = "" if report.sessionKey is None else str(report.sessionKey)
    offset = whole_number(report.viewOffset or 0)
    return SessionChanged(key_of(report.ratingKey), report.state, offset, session)

"""Hears of edits from Stash's log: the lines that the plugin PlexSync wake-up writes (`loggingSubscribe`).

Stash sends its whole log, every SQL statement in it, at most once a second, so one message of a bulk edit has several
megabytes. PlexSync searches the bytes for its own lines and decodes none of the others. It writes them nowhere.

Stash runs no hook when it merges scenes, assigns a file, moves files or tags by itself. Its statements tell of these.
"""

import re
import time
from collections.abc import Callable, Iterator

import msgspec

from plexsync.http.connections import Timeouts
from plexsync.http.websocket import EventSocket
from plexsync.rules.queue.events import Edited, LogBatch
from plexsync.rules.queue.job import Kind
from plexsync.rules.records import LAST_ID
from plexsync.rules.servers.errors import Neighbour, Unavailable
from plexsync.stash.requests import STASH, key_header

TARGET = "/graphql"
PROTOCOL = "graphql-transport-ws"
LARGEST = 64 * 2**20
# A message that is no batch of lines is short.
SHORT = 64 * 2**10
# The type of a message stands in its first or its last bytes.
EDGE = 100
NEXT = re.compile(rb'"type"\s*:\s*"next"')
# Stash puts the name of the plugin before each of its lines. Other plugins may write what they like behind theirs.
OURS = b"[Plugin / PlexSync wake-up] PlexSync edit "
# A quote inside of another line is escaped, so only a whole line of its own fits.
LINE = re.compile(
    rb'"message"\s*:\s*"'
    + re.escape(OURS)
    + rb"(?:(Scene|Performer|Studio|Tag|Group)\.(?:Create|Update|Destroy|Merge)\.Post ([1-9][0-9]{0,18})"
    # The form of older scripts, which may be installed alone.
    rb'|(scene|performer|studio|tag|group) ([1-9][0-9]{0,18}) (?:create|update|destroy|merge))"'
)
# A scene takes a file over, which changes no time of the scene (a merge, an assigned file, a scan; Stash 0.30.1).
TAKES_FILE = re.compile(rb"SQL: INSERT INTO `scenes_files` \(`scene_id`, [^)]*\) VALUES \(([1-9][0-9]{0,18}), ")
# Each change of an object or a file has this; plays and resume points do not.
DATED = b"`updated_at`=?"
OPENING = b'{"type":"connection_init","payload":{}}'
SUBSCRIBE = b'{"id":"1","type":"subscribe","payload":{"query":"subscription { loggingSubscribe { message } }"}}'
PONG = b'{"type":"pong"}'


class ControlMessage(msgspec.Struct):
    """A message that is no batch of lines."""

    type: str = ""


CONTROL = msgspec.json.Decoder(ControlMessage)


class StashLines:
    """One Stash server's log. Raises Unusable for an address or key that can't be sent; afterwards only `NeighbourError`."""

    def __init__(
        self,
        url: str,
        api_key: str = "",
        *,
        connect_timeout: float = 5.0,
        read_timeout: float = 30.0,
        ca_file: str = "",
        largest: int = LARGEST,
    ) -> None:
        self._live = EventSocket(
            STASH,
            url,
            TARGET,
            headers=key_header(api_key),
            timeouts=Timeouts(connect_timeout, read_timeout),
            ca_file=ca_file,
            longest=largest,
            protocol=PROTOCOL,
        )
        self._patience = read_timeout

    def listen(self, stopping: Callable[[], bool]) -> Iterator[LogBatch | None]:
        """Yield what each batch of lines tells of; None once it is subscribed, and then at least once a second.

        Raises NeighbourError at the end, and at once if Stash does not send its log.
        """
        subscribed, began = False, time.monotonic()
        for message in self._live.messages(stopping, opening=OPENING, reply=self._reply):
            if is_batch(message):
                yield read_batch(message)
            elif subscribed:
                yield None
            elif message and _type_of(message) == "connection_ack":
                subscribed = True
                yield None
            elif time.monotonic() - began > self._patience:
                raise self._refusal()

    def _reply(self, message: bytes) -> bytes:
        if is_batch(message):
            return b""
        match _type_of(message):
            case "connection_ack":
                return SUBSCRIBE
            case "ping":
                return PONG
            case "error" | "complete" | "connection_error":
                raise self._refusal()
        return b""

    def _refusal(self) -> Unavailable:
        return Unavailable(Neighbour.STASH, f"{self._live.server.name} does not send its log")


def is_batch(message: bytes) -> bool:
    """Whether a message is a batch of lines."""
    return bool(NEXT.search(message[:EDGE]) or NEXT.search(message[-EDGE:]))


def read_batch(message: bytes) -> LogBatch:
    """What a batch of lines tells of."""
    lines = LINE.findall(message) if OURS in message else ()
    named = [(kind or old_kind, int(id or old_id)) for kind, id, old_kind, old_id in lines]
    named += [(b"scene", int(id)) for id in TAKES_FILE.findall(message)]
    edits = dict.fromkeys((kind.lower(), id) for kind, id in named)
    return LogBatch(
        [Edited(Kind(kind.decode()), id) for kind, id in edits if id <= LAST_ID],
        writes=not edits and DATED in message,
    )


def _type_of(message: bytes) -> str:
    if len(message) > SHORT:
        return ""
    try:
        return CONTROL.decode(message).type
    except (ValueError, msgspec.MsgspecError, RecursionError):
        return ""

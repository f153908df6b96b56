"""The log of the simulated Stash, and who subscribes to it (`loggingSubscribe`, sub-protocol graphql-transport-ws).

As in Stash, lines are sent in batches, at most one a second, every SQL statement among them. A subscriber has room for
100 batches; while that is full, a batch is not sent to it, and it is not told.
"""

import json
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from plexsync.simulator.feed import Feed

PROTOCOL = "graphql-transport-ws"
LEVELS = {"trace": "Trace", "debug": "Debug", "info": "Info", "warn": "Warning", "warning": "Warning", "error": "Error"}
ROOM = 100
PACE = 1.0
# Stash writes about four statements for each scene that is edited.
STATEMENTS = 4

Line = dict[str, str]


class StashLog:
    """The lines of the log. `pace` is the number of seconds between two batches, `statement` the text of each SQL line.

    `skips` decides for each batch whether it is lost.
    """

    def __init__(self, stamp: Callable[[], str]) -> None:
        self._stamp = stamp
        self._lock = threading.Lock()
        self._buffer: list[Line] = []
        self._sent_at = float("-inf")
        self._feeds: list[LogFeed] = []
        self.pace = PACE
        self.statement = "SQL: UPDATE `scenes` SET `title`=?,`updated_at`=? WHERE (`scenes`.`id` = ?) " + "x" * 900
        self.skips: Callable[[], bool] = lambda: False

    @property
    def subscribers(self) -> int:
        """The number of subscriptions that are open."""
        with self._lock:
            return len(self._feeds)

    def write(self, level: str, message: str) -> None:
        """Add a line."""
        with self._lock:
            if self._feeds:
                self._buffer.append({"time": self._stamp(), "level": LEVELS.get(level, "Debug"), "message": message})
                self._send()

    def write_statements(self, count: int = STATEMENTS) -> None:
        """Add the lines of SQL statements."""
        for _ in range(count):
            self.write("trace", self.statement)

    def take_file(self, scene_id: int) -> None:
        """Add the line by which a scene takes over a file."""
        columns, values = "`scene_id`, `primary`, `file_id`", f"{scene_id}, 0, 20"
        self.write("trace", f"SQL: INSERT INTO `scenes_files` ({columns}) VALUES ({values}) [[]]")

    def send(self) -> None:
        """Send what was written, if the last batch was long enough ago."""
        with self._lock:
            self._send()

    def _send(self) -> None:
        now = time.monotonic()
        if self._buffer and now - self._sent_at >= self.pace:
            batch, self._buffer, self._sent_at = self._buffer, [], now
            if not self.skips():
                for feed in self._feeds:
                    feed.offer(batch)

    def add(self, feed: "LogFeed") -> None:
        """Begin to send to a subscriber."""
        with self._lock:
            self._feeds.append(feed)

    def remove(self, feed: Feed) -> None:
        """Send nothing more to a subscriber."""
        with self._lock:
            self._feeds = [one for one in self._feeds if one is not feed]

    def hang_up(self) -> None:
        """Close every connection."""
        with self._lock:
            for feed in self._feeds:
                feed.end()


class LogFeed(Feed):
    """One connection: it is acknowledged, subscribes, and then receives batches. `refuses` answers with an error."""

    protocol = PROTOCOL

    def __init__(self, log: StashLog, *, refuses: bool = False) -> None:
        super().__init__(self._pump, log.remove)
        self._log = log
        self._refuses = refuses
        self._id = ""
        self._batches: deque[list[Line]] = deque()

    def offer(self, batch: list[Line]) -> None:
        """Send a batch, unless there is no room for it."""
        if len(self._batches) < ROOM:
            self._batches.append(batch)

    def heard(self, text: bytes) -> None:
        """Take a message of the subscriber."""
        message: dict[str, Any] = json.loads(text)
        match message["type"]:
            case "connection_init":
                self.tell({"type": "connection_ack"})
            case "ping":
                self.tell({"type": "pong"})
            case "subscribe" if self._refuses or "loggingSubscribe" not in message["payload"]["query"]:
                self.tell({"type": "error", "id": message["id"], "payload": [{"message": "no such subscription"}]})
            case "subscribe":
                self._id = message["id"]
                self._log.add(self)
            case "complete":
                self._log.remove(self)

    def _pump(self) -> None:
        self._log.send()
        while self._batches:
            data = {"loggingSubscribe": self._batches.popleft()}
            self.tell({"type": "next", "id": self._id, "payload": {"data": data}})

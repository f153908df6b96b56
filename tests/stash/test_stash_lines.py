"""Hearing Stash's log: what is picked out of it, how it ends, and that nothing else of it is kept."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from plexsync.rules.queue.events import Edited, LogBatch
from plexsync.rules.queue.job import Kind
from plexsync.rules.servers.errors import Barred, NeighbourError, Unavailable
from plexsync.simulator.feed import Feed
from plexsync.simulator.http import Answer, HttpServer
from plexsync.simulator.stash_log import LogFeed, StashLog
from plexsync.simulator.stash_server import StashSim
from plexsync.stash.log_lines import StashLines, is_batch, read_batch
from tests.patience import HANG, until
from tests.tables import table

KEY = "lines-stash-key"
BEFORE = "[Plugin / PlexSync wake-up] "


@pytest.fixture
def sim() -> Iterator[StashSim]:
    with StashSim(api_key=KEY) as made:
        made.log_lines.pace = 0.0
        yield made


class Ears:
    """Listens in a thread; `heard` is what came so far, `error` how it ended."""

    def __init__(self, url: str, key: str = KEY, **more: Any) -> None:
        self.heard: list[Edited] = []
        self.batches = self.begun = 0
        self.error: NeighbourError | None = None
        self._stop = threading.Event()
        self._lines = StashLines(url, key, connect_timeout=30, **{"read_timeout": HANG, **more})
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def _listen(self) -> None:
        try:
            for batch in self._lines.listen(self._stop.is_set):
                self.begun += 1
                if batch is not None:
                    self.batches += 1
                    self.heard += batch.edits
        except NeighbourError as error:
            self.error = error

    def __enter__(self) -> "Ears":
        until(lambda: self.begun or self.error)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(HANG)
        assert not self._thread.is_alive()


def batch(*messages: str) -> bytes:
    lines = [{"time": "2026-01-01T00:00:00Z", "level": "Trace", "message": text} for text in messages]
    return json.dumps({"payload": {"data": {"loggingSubscribe": lines}}, "id": "1", "type": "next"}).encode()


def line(kind: str = "scene", id: object = 7, what: str = "update") -> str:
    return f"{BEFORE}PlexSync edit {kind.title()}.{what.title()}.Post {id}"


def old_line(kind: str = "scene", id: object = 7, what: str = "update") -> str:
    return f"{BEFORE}PlexSync edit {kind} {id} {what}"


def test_a_line_of_the_wake_up_is_heard_among_all_the_others(sim: StashSim) -> None:
    with Ears(sim.url) as ears:
        until(lambda: sim.log_lines.subscribers)
        sim.log_lines.write_statements(50)
        sim.write_log("trace", line())
        sim.write_log("info", "something else")
        until(lambda: ears.heard)
        sim.write_log("trace", line("tag", 3, "merge"))
        until(lambda: len(ears.heard) == 2)
    assert ears.heard == [Edited(Kind.SCENE, 7), Edited(Kind.TAG, 3)]
    assert ears.error is None


@table("kind", Kind)
@table("told", [line, old_line])
def test_every_kind_is_understood_and_the_same_edit_counts_once(kind: Kind, told: Callable[..., str]) -> None:
    whole = batch("SQL: select", told(kind, 5, "update"), line(kind, 5, "destroy"), told(kind, 6, "create"))
    assert read_batch(whole).edits == [Edited(kind, 5), Edited(kind, 6)]


MERGE = (
    "SQL: DELETE FROM `scenes_files` WHERE (`scenes_files`.`file_id` IN (20)) [[]]",
    "SQL: INSERT INTO `scenes_files` (`scene_id`, `primary`, `file_id`) VALUES (21, 0, 20) [[]]",
    "SQL: UPDATE `scenes` SET `title`=?,`updated_at`=? WHERE (`scenes`.`id` = ?) [[Merged 2026-12-06T18:53:05Z 21]]",
    "SQL: DELETE FROM `scenes` WHERE (`scenes`.`id` IN (20)) [[]]",
)


def test_a_scene_that_takes_over_a_file_is_edited() -> None:
    """As Stash 0.30.1 logs a merge; for an assigned file only the first two. No hook runs."""
    assert read_batch(batch(*MERGE)) == LogBatch([Edited(Kind.SCENE, 21)])
    assert read_batch(batch(*MERGE, line(id=21))) == LogBatch([Edited(Kind.SCENE, 21)])


@pytest.mark.parametrize(
    ("text", "writes"),
    [
        (MERGE[2], True),
        ("SQL: UPDATE `files` SET `basename`=?,`updated_at`=? WHERE (`files`.`id` = ?) [[a.mkv now 30]]", True),
        (
            "SQL: UPDATE `scenes` SET `play_duration`=play_duration + ?,`resume_time`=? WHERE (`id` = ?) [[1 2 3]]",
            False,
        ),
        (
            "SQL: INSERT INTO `scenes_view_dates` (`scene_id`, `view_date`) VALUES (3, '2026-12-06T18:53:05Z') [[]]",
            False,
        ),
        ("SQL [31.2µs]: SELECT scenes.id FROM scenes WHERE scenes.updated_at > ?, args: [2026]", False),
    ],
)
def test_a_write_that_no_line_names_is_noticed(text: str, writes: bool) -> None:
    assert read_batch(batch(text)) == LogBatch([], writes=writes)


@table(
    "text",
    [
        line().removeprefix(BEFORE),
        line().replace(BEFORE, "[Plugin / Another] "),
        line().replace(BEFORE, "[Plugin / Another PlexSync wake-up] "),
        f"[Plugin / Another] {line()}",
        old_line().replace(BEFORE, "[Plugin / PlexSync wake-up 2] "),
        f"SQL: UPDATE scenes SET title = '{line()}'",
        f"{line()} and more",
        f'said "message":"{line()}" in a title',
        f'"message":"{line()}"',
        line(id=0),
        line(id="07"),
        line(id=-1),
        line(id=2**63),
        line(id="9" * 40),
        line("gallery"),
        line(what="read"),
        line().replace("Post", "Pre"),
        line().lower(),
        old_line(id=0),
        old_line("gallery"),
        old_line(what="read"),
        f"{BEFORE}PlexSync edit scene 7",
        f"{BEFORE}PlexSync edit Scene.Update.Post",
        f"{BEFORE}PlexSync edit Scene.Update.Post 7 update",
    ],
)
def test_what_only_looks_like_a_line_is_none(text: str) -> None:
    assert not read_batch(batch(text)).edits


@pytest.mark.parametrize("whole", [batch(line()), batch("x" * 3_000_000, line())])
def test_a_half_message_or_junk_is_no_edit(whole: bytes) -> None:
    assert read_batch(whole).edits == [Edited(Kind.SCENE, 7)]
    assert is_batch(whole)
    for junk in (whole[: whole.index(b"Post")], b"", b"\xff\xfe", b"{}", b"[" * 100_000, whole[:20]):
        assert not read_batch(junk).edits


def test_megabytes_of_sql_hide_no_line(sim: StashSim) -> None:
    sim.log_lines.statement = "SQL: UPDATE `scenes` " + "ü\"'\\ " * 300
    sim.log_lines.pace = 3600.0
    with Ears(sim.url) as ears:
        until(lambda: sim.log_lines.subscribers)
        for id in range(1, 1001):
            sim.log_lines.write_statements()
            sim.write_log("trace", line(id=id))
        sim.log_lines.pace = 0.0
        until(lambda: len(ears.heard) >= 1000)
    assert [edit.id for edit in ears.heard] == list(range(1, 1001))


def test_more_at_once_than_is_read_ends_the_connection_and_says_nothing_of_it(sim: StashSim) -> None:
    with Ears(sim.url, largest=100_000) as ears:
        until(lambda: sim.log_lines.subscribers)
        sim.write_log("trace", "a secret in a title " * 10_000)
        until(lambda: ears.error)
    assert isinstance(ears.error, Unavailable)
    assert "more at once" in str(ears.error)
    assert "secret" not in repr(ears.error)


def test_stash_that_refuses_the_subscription_is_unavailable(sim: StashSim) -> None:
    sim.sends_log = False
    with Ears(sim.url) as ears:
        until(lambda: ears.error)
    assert "does not send its log" in str(ears.error)


def test_a_wrong_key_is_barred(sim: StashSim) -> None:
    with Ears(sim.url, "another-key") as ears:
        until(lambda: ears.error)
    assert isinstance(ears.error, Barred)


def test_the_end_of_stash_is_the_end(sim: StashSim) -> None:
    with Ears(sim.url) as ears:
        until(lambda: sim.log_lines.subscribers)
        sim.log_lines.hang_up()
        until(lambda: ears.error)
    assert isinstance(ears.error, Unavailable)


class Odd(LogFeed):
    """A server that says something else than an acknowledgement."""

    said: tuple[bytes, ...] = ()

    def heard(self, text: bytes) -> None:
        self.asked = getattr(self, "asked", [])
        self.asked.append(json.loads(text)["type"])
        for one in self.said if self.asked == ["connection_init"] else ():
            self.tell_raw(one)


class OddServer(HttpServer):
    """Accepts a subscription, and answers it in an odd way."""

    def __init__(self, *said: bytes) -> None:
        super().__init__()
        self.said = said
        self.feeds: list[Odd] = []

    def answer(self, _request: object) -> Answer:
        return Answer(404)

    def subscribe(self, _request: object) -> Feed:
        feed = Odd(StashLog(lambda: ""))
        feed.said = self.said
        self.feeds.append(feed)
        return feed


def test_it_answers_a_ping_and_subscribes_once_acknowledged() -> None:
    with OddServer(b'{"type":"ping"}', b"junk", b'{"type":"connection_ack"}', batch(line())) as server:
        with Ears(server.url) as ears:
            until(lambda: ears.heard)
        assert server.feeds[0].asked == ["connection_init", "pong", "subscribe"]


@pytest.mark.parametrize("said", [b'{"type":"connection_error"}', b'{"type":"complete","id":"1"}'])
def test_a_server_that_ends_the_subscription_is_unavailable(said: bytes) -> None:
    with OddServer(said) as server, Ears(server.url) as ears:
        until(lambda: ears.error)
    assert "does not send its log" in str(ears.error)


def test_a_server_that_never_acknowledges_is_given_up() -> None:
    with OddServer() as server, Ears(server.url, read_timeout=0.1) as ears:
        until(lambda: ears.error)
    assert "does not send its log" in str(ears.error)


def test_no_websocket_there_is_unavailable() -> None:
    class Plain(HttpServer):
        def answer(self, _request: object) -> Answer:
            return Answer(200, b"hello")

    with Plain() as server, Ears(server.url) as ears:
        until(lambda: ears.error)
    assert isinstance(ears.error, NeighbourError)


def test_a_listener_that_reads_slowly_misses_batches_and_is_told_nothing(sim: StashSim) -> None:
    feed = LogFeed(sim.log_lines)
    sim.log_lines.add(feed)
    for id in range(1, 151):
        sim.write_log("trace", line(id=id))
        time.sleep(0)
    assert len(feed._batches) == 100

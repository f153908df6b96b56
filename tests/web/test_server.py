"""What the server takes before it turns people away, and how it tells many at once."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest

from plexsync.cli.daemon import child
from plexsync.rules.queue.job import Kind, Why
from plexsync.rules.servers.errors import NewerDatabase, Unusable
from plexsync.web import context, live, server
from tests.journey.world import World, until
from tests.patience import HANG
from tests.web.conftest import Dash, dashboard


def connected(dash: Dash, address: str = "127.0.0.1", *, keeps: int = 0) -> socket.socket:
    """A connection from this address; `keeps`: its system takes in no more than about this before it is read."""
    where = urlsplit(dash.url)
    made = socket.socket()
    made.settimeout(HANG)
    if keeps:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, keeps)
    made.bind((address, 0))
    made.connect((where.hostname or "", where.port or 0))
    return made


SLOW = [
    b"",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ",
    b"POST /reconcile HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50\r\n\r\nwhat=",
]
WHOLE = b"GET /static/icon.svg HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.mark.parametrize("sent", SLOW)
def test_a_request_that_does_not_come_to_its_end_is_not_waited_for(
    dash: Dash, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    monkeypatch.setattr(server, "PATIENCE", 0.5)
    with connected(dash) as slow:
        slow.sendall(sent)
        while slow.recv(1000):
            pass


@pytest.mark.parametrize("sent", SLOW[1:])
def test_the_second_request_of_a_connection_is_waited_for_no_longer(
    dash: Dash, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    with connected(dash) as slow:
        slow.sendall(WHOLE)
        heard(slow, b"</svg>")
        monkeypatch.setattr(server, "PATIENCE", 0.7)
        slow.sendall(sent)
        ends(slow)


@pytest.mark.parametrize("sent", SLOW[1:])
def test_nor_is_one_that_came_together_with_the_first(dash: Dash, monkeypatch: pytest.MonkeyPatch, sent: bytes) -> None:
    with connected(dash) as slow:
        slow.sendall(WHOLE)
        heard(slow, b"</svg>")
        monkeypatch.setattr(server, "PATIENCE", 0.7)
        slow.sendall(WHOLE + sent)
        heard(slow, b"</svg>")
        ends(slow, more=b"" if sent.startswith(b"POST") else b"x")


def ends(slow: socket.socket, more: bytes = b"x") -> None:
    """The connection is closed, although there is more every now and then."""
    slow.settimeout(0.2)

    def is_closed() -> bool:
        try:
            return not slow.recv(1000)
        except TimeoutError:
            slow.sendall(more)
            return False

    with suppress(ConnectionError):
        until(is_closed)


def test_a_long_answer_is_not_cut_by_what_is_asked_meanwhile(dash: Dash, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "AGAIN", 0.0)
    monkeypatch.setattr(live, "LOOK", 0.1)
    with connected(dash) as open_page:
        open_page.sendall(b"GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n")
        heard(open_page, b"retry:")
        monkeypatch.setattr(server, "PATIENCE", 0.2)
        open_page.sendall(b"GET / HT")
        # One loop counts both times: far more of them than what is waited for takes.
        for _ in range(10):
            heard(open_page, b"event: changed")


def test_a_connection_may_rest_between_two_requests(dash: Dash, monkeypatch: pytest.MonkeyPatch) -> None:
    with connected(dash) as calm:
        for _ in range(2):
            calm.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert heard(calm, b'"needs":["idle"]}').startswith(b"HTTP/1.1 503")
            monkeypatch.setattr(server, "PATIENCE", 0.2)
            time.sleep(0.6)


def test_more_connections_than_there_is_room_for_are_turned_away(dash: Dash, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "MOST_CONNECTIONS", 5)
    held = [connected(dash) for _ in range(5)]
    try:
        with connected(dash) as one_more:
            answer = one_more.recv(1000)
        assert answer.startswith(b"HTTP/1.1 503")
        assert b"Retry-After" in answer
    finally:
        for one in held:
            one.close()
    until(lambda: dash.get("/").status_code == 200)


LIVE = b"GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n"


@contextmanager
def unread(dash: Dash, count: int, *addresses: str) -> Iterator[list[socket.socket]]:
    """Connections from these addresses in turn that ask for a line each, and read nothing."""
    with ExitStack() as stack:
        held = []
        for number in range(count):
            held.append(stack.enter_context(connected(dash, addresses[number % len(addresses)])))
            held[-1].sendall(LIVE)
        yield held


def test_an_address_that_opens_too_many_connections_loses_the_one_that_was_silent_longest(
    dash: Dash, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "MOST_FROM_ONE", 20)
    with connected(dash, "127.0.0.2") as other, unread(dash, 20, "127.0.0.1") as first:
        other.sendall(LIVE)
        heard(other, b"retry:")
        for one in first:
            heard(one, b"retry:")
        until(lambda: len(dash.connections) == 21)
        with unread(dash, 50, "127.0.0.1"):
            # Whoever comes next is answered, from the same address too, and no more are held than before.
            for _ in range(3):
                assert dash.get("/").status_code == 200
            until(lambda: len(dash.connections) <= 21)
            for one in first:
                with suppress(ConnectionError):
                    while one.recv(4096):
                        pass
        # The other address has lost nothing.
        heard(other, b"event: changed")


def test_the_ones_that_ask_are_kept(dash: Dash, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "MOST_FROM_ONE", 3)
    with ExitStack() as stack:
        held = [stack.enter_context(connected(dash)) for _ in range(3)]
        for one in (*held, held[0]):
            one.sendall(WHOLE)
            heard(one, b"</svg>")
        with connected(dash) as new:
            for one in (new, held[0], held[2]):
                one.sendall(WHOLE)
                heard(one, b"</svg>")
            with suppress(ConnectionError):
                assert held[1].recv(4096) == b""


def test_when_all_places_are_taken_those_who_hold_most_make_room(dash: Dash, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "MOST_CONNECTIONS", 30)
    monkeypatch.setattr(server, "MOST_FROM_ONE", 20)
    with unread(dash, 30, "127.0.0.2", "127.0.0.3") as held:
        for one in held:
            heard(one, b"retry:")
        for _ in range(5):
            assert dash.get("/").status_code == 200
        with connected(dash, "127.0.0.4") as fourth:
            fourth.sendall(WHOLE)
            heard(fourth, b"</svg>")
        assert len(dash.connections) <= 30


def test_many_that_never_read_keep_nobody_from_the_dashboard(dash: Dash, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tenth of everything: more connections than there are places, from as many addresses as it takes to fill them."""
    for module, name in ((server, "MOST_CONNECTIONS"), (server, "MOST_FROM_ONE"), (live, "MOST")):
        monkeypatch.setattr(module, name, getattr(module, name) // 10)
    with unread(dash, 305, *(f"127.0.1.{number}" for number in range(1, 21))):
        for _ in range(3):
            assert dash.get("/").status_code == 200
        until(lambda: len(dash.connections) <= 300)


@pytest.fixture
def tight(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Dash]:
    """A dashboard whose system keeps as little as it can of what is not read."""
    monkeypatch.setattr(child, "SEND_BUFFER", 1)
    with dashboard(world) as made:
        yield made


def left(dash: Dash) -> int:
    """The bytes of an answer that a client has not taken in."""
    return max((one.transport.get_write_buffer_size() for one in dash.connections), default=0)


def test_an_answer_that_nobody_reads_is_given_up(tight: Dash) -> None:
    with connected(tight, keeps=1) as slow:
        slow.sendall(b"GET /settings?view=all HTTP/1.1\r\nHost: localhost\r\n\r\n")
        until(lambda: left(tight))
        tight.pass_time(server.PROGRESS)
        until(lambda: not tight.connections)


def test_also_after_its_connection_began_to_close(tight: Dash) -> None:
    with connected(tight, keeps=1) as slow:
        slow.sendall(b"GET /settings?view=all HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        until(lambda: left(tight))
        until(lambda: tight.connections[0].transport.is_closing())
        tight.pass_time(server.PROGRESS)
        until(lambda: not tight.connections)


def test_a_slow_reader_gets_its_whole_answer(tight: Dash) -> None:
    with connected(tight, keeps=1) as slow:
        # A long page, which goes out in many pieces.
        slow.sendall(b"GET /settings HTTP/1.1\r\nHost: localhost\r\n\r\n")
        until(lambda: left(tight))
        said, steps = b"", 0
        while before := left(tight):
            while left(tight) == before:
                said += slow.recv(100)
            steps += 1
            tight.pass_time(server.PROGRESS)
        assert steps > 1
        # Perhaps the last piece was read before it counted as sent.
        head, _, body = heard(slow, b"</html>", said).partition(b"\r\n\r\n")
        assert f"content-length: {len(body)}".encode() in head.lower()


def test_a_question_for_the_head_of_the_line_ends(dash: Dash) -> None:
    with connected(dash) as one:
        one.sendall(LIVE.replace(b"GET", b"HEAD") + WHOLE)
        told = heard(one, b"</svg>")
    assert told.startswith(b"HTTP/1.1 200")
    assert b"text/event-stream" in told
    assert b"retry:" not in told


def test_more_questions_than_are_answered_are_put_off(dash: Dash, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(context, "MOST_WAITING", 0)
    for path in ("/", "/api/status"):
        answer = dash.get(path)
        assert answer.status_code == 503
        assert answer.headers["Retry-After"] == "5"


def test_who_does_something_does_not_hold_up_others_while_everything_is_counted(
    dash: Dash, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counting may wait for a database that is busy; the loop that answers all may not."""
    token, counting, may_end, count = dash.token(), threading.Event(), threading.Event(), context.facts

    def slowly(*given: Any) -> dict[str, Any]:
        counting.set()
        may_end.wait(HANG)
        return count(*given)

    dash.parts.clock.sleep(context.FRESH)
    monkeypatch.setattr(context, "facts", slowly)
    with ThreadPoolExecutor(2) as others:
        try:
            looks = others.submit(httpx2.get, f"{dash.url}/", timeout=HANG)
            assert counting.wait(HANG)
            cookies = dict(dash.client.cookies)
            does = others.submit(
                httpx2.post, f"{dash.url}/reconcile/stop", data={"token": token}, cookies=cookies, timeout=HANG
            )
            time.sleep(0.3)
            assert httpx2.get(f"{dash.url}/static/icon.svg", timeout=HANG).status_code == 200
            assert not looks.done()
        finally:
            may_end.set()
        assert (looks.result().status_code, does.result().status_code) == (200, 303)


@pytest.mark.parametrize("fault", [Unusable("a damaged page"), NewerDatabase("of a later version")])
def test_open_pages_are_told_again_once_the_database_can_be_used(
    dash: Dash, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    fallen = threading.Event()
    monkeypatch.setattr(dash.parts.store, "has_changed", falling(fallen, fault))
    with connected(dash) as page:
        page.sendall(b"GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert fallen.wait(HANG)
        monkeypatch.undo()
        heard(page, b"event: changed")
        with dash.parts.store.writing() as tx:
            tx.jobs.want(Kind.SCENE, 7, Why.USER, dash.parts.clock.now())
        heard(page, b"event: changed")


def test_a_watcher_that_fell_is_told_and_keeps_nothing_from_closing(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # The threads of dashboards that serve other tests too.
    fallen, before = threading.Event(), set(threading.enumerate())
    with dashboard(world) as dash:
        monkeypatch.setattr(dash.parts.store, "has_changed", falling(fallen, ZeroDivisionError()))
        with connected(dash) as page:
            page.sendall(b"GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert fallen.wait(HANG)
            until(lambda: "open pages learn of nothing any more" in caplog.text)
        monkeypatch.undo()
    # The thread may still be on its last lines.
    until(lambda: not [one for one in set(threading.enumerate()) - before if one.name.startswith("live")])


def falling(fallen: threading.Event, fault: Exception) -> Callable[[], bool]:
    def changed() -> bool:
        fallen.set()
        raise fault

    return changed


def test_more_open_pages_than_are_told_are_put_off(dash: Dash, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "MOST", 0)
    answer = dash.get("/live")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "30")


def test_two_hundred_open_pages_are_told_of_a_change(dash: Dash, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "AGAIN", 10 * HANG)
    listening = [connected(dash) for _ in range(200)]
    try:
        for one in listening:
            one.sendall(b"GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n")
        for one in listening:
            heard(one, b"retry:")
        told = dict.fromkeys(listening, 0)
        # The watcher's first look is told as well, so that one time shows nothing.
        for times in (1, 2):
            with dash.parts.store.writing() as tx:
                tx.jobs.want(Kind.SCENE, 7, Why.USER, dash.parts.clock.now())
            for one in listening:
                while told[one] < times:
                    told[one] += heard(one, b"event: changed").count(b"event: changed")
        # Whoever asks meanwhile is answered: no thread is held by those who listen.
        assert dash.get("/").status_code == 200
        assert threading.active_count() < 40
    finally:
        for one in listening:
            one.close()


def heard(one: socket.socket, words: bytes, said: bytes = b"") -> bytes:
    """What is said up to these words, after what was `said` before."""
    while words not in said:
        piece = one.recv(4096)
        assert piece, said
        said += piece
    return said

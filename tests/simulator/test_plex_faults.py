"""How the simulated Plex misbehaves on demand, and that it always lets go."""

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from xml.etree import ElementTree

import pytest

from plexsync.simulator.http import Fault
from plexsync.simulator.plex_server import PlexSim
from tests.patience import HANG, until

TOKEN = "a-token"
SECTIONS = "/library/sections"
RENAME = "/library/sections/1/all?type=1&id=1&title.value=new"


@pytest.fixture
def sim() -> Iterator[PlexSim]:
    with PlexSim(token=TOKEN) as sim:
        section = sim.add_section("Movies")
        sim.add_movie(section, [("/media/a.mp4", 1, 1)], title="old")
        yield sim


def ask(sim: PlexSim, method: str = "GET", path: str = SECTIONS, timeout: float = HANG) -> tuple[int, bytes, dict]:
    """One request on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", sim.port, timeout=timeout)
    try:
        connection.request(method, path, headers={"X-Plex-Token": TOKEN, "Accept": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.read(), dict(answer.getheaders())
    finally:
        connection.close()


def title(sim: PlexSim) -> object:
    return sim.item("1").scalars["title"]


def waiting(sim: PlexSim, count: int = 1) -> None:
    """Return once so many requests have arrived."""
    until(lambda: sim.count() >= count)


def test_refusing_closes_the_door_and_keeps_the_port(sim: PlexSim) -> None:
    for _ in range(3):
        sim.faults.set(Fault("refuse"))
        with pytest.raises(ConnectionRefusedError):
            ask(sim)
        sim.faults.clear()
        assert ask(sim)[0] == 200


def test_refusing_also_drops_connections_that_are_open(sim: PlexSim) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", sim.port, timeout=HANG)
    connection.request("GET", "/identity")
    connection.getresponse().read()

    sim.faults.set(Fault("refuse"))

    with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
        connection.request("GET", "/identity")
        connection.getresponse()
    connection.close()


def test_a_refused_request_cannot_be_picked_or_counted() -> None:
    with pytest.raises(ValueError, match="refused"):
        Fault("refuse", times=1)


def test_a_request_whose_client_died_in_the_middle_of_it_is_none(sim: PlexSim) -> None:
    with socket.create_connection(("127.0.0.1", sim.port), timeout=HANG) as client:
        head = (
            f"POST /library/metadata/1/posters?X-Plex-Token={TOKEN} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n"
        )
        client.sendall(head.encode() + b"half of it")
        client.shutdown(socket.SHUT_WR)
        assert client.recv(100) == b""
    assert sim.log == []


def test_hanging_ends_when_the_fault_is_cleared(sim: PlexSim) -> None:
    sim.faults.set(Fault("hang"))
    with ThreadPoolExecutor(2) as pool:
        hung = [pool.submit(ask, sim) for _ in range(2)]
        waiting(sim, 2)
        assert not any(one.done() for one in hung)

        sim.faults.clear()

        for one in hung:
            assert isinstance(one.exception(timeout=HANG), http.client.RemoteDisconnected)
    assert [request.status for request in sim.log] == [None, None]
    assert sim.most_at_once("GET") == 2
    assert ask(sim)[0] == 200


@pytest.mark.parametrize("fault", [Fault("hang"), Fault("slow", seconds=600), Fault("trickle", seconds=600)])
def test_stopping_ends_whoever_hangs_and_leaves_no_thread(fault: Fault) -> None:
    before = set(threading.enumerate())
    sim = PlexSim(token=TOKEN).start()
    sim.faults.set(fault)
    with ThreadPoolExecutor(1) as pool:
        hung = pool.submit(ask, sim)
        waiting(sim)

        sim.stop()
        sim.stop()

        hung.exception(timeout=HANG)
    assert set(threading.enumerate()) <= before


def test_stopping_frees_the_port_and_another_can_take_it() -> None:
    sim = PlexSim(token=TOKEN).start()
    sim.stop()

    with pytest.raises(ConnectionRefusedError):
        ask(sim)
    with PlexSim(token=TOKEN, port=sim.port) as again:
        assert again.url == sim.url
        assert ask(again)[0] == 200


def test_a_slow_answer_is_late_but_right(sim: PlexSim) -> None:
    sim.faults.set(Fault("slow", seconds=0.05))
    started = time.monotonic()

    assert ask(sim)[0] == 200

    assert time.monotonic() - started >= 0.05


def test_latency_changes_no_answer_and_stands_beside_another_fault(sim: PlexSim) -> None:
    right = ask(sim)[1]
    sim.faults.set(Fault("latency", seconds=0.03), Fault("status", status=500, times=1))
    started = time.monotonic()

    assert ask(sim)[0] == 500
    assert ask(sim)[:2] == (200, right)

    assert time.monotonic() - started >= 0.06


def test_a_trickle_defeats_a_timeout_between_bytes(sim: PlexSim) -> None:
    sim.faults.set(Fault("trickle", seconds=0.05))
    with socket.create_connection(("127.0.0.1", sim.port), timeout=HANG) as connection:
        connection.sendall(b"GET /identity HTTP/1.1\r\nHost: x\r\n\r\n")
        started = time.monotonic()
        assert [connection.recv(100) for _ in range(4)] == [b"H", b"T", b"T", b"P"]
        assert time.monotonic() - started >= 0.15

        sim.faults.clear()

        rest = b""
        while b"MediaContainer" not in rest:
            rest += connection.recv(10_000)


def test_a_reset_applies_nothing(sim: PlexSim) -> None:
    sim.faults.set(Fault("reset"))

    with pytest.raises(ConnectionResetError):
        ask(sim, "PUT", RENAME)

    assert title(sim) == "old"
    assert sim.log[-1].status is None


def test_a_reset_after_has_applied_the_write(sim: PlexSim) -> None:
    sim.faults.set(Fault("reset_after"))

    with pytest.raises(ConnectionResetError):
        ask(sim, "PUT", RENAME)

    assert title(sim) == "new"


def test_a_cut_answer_lacks_its_end(sim: PlexSim) -> None:
    sim.faults.set(Fault("cut"))

    with pytest.raises(http.client.IncompleteRead):
        ask(sim)


def test_a_cut_answer_to_a_write_has_no_end_of_headers_and_was_applied(sim: PlexSim) -> None:
    sim.faults.set(Fault("cut"))
    with socket.create_connection(("127.0.0.1", sim.port), timeout=HANG) as connection:
        head = f"PUT {RENAME} HTTP/1.1\r\nHost: x\r\nX-Plex-Token: {TOKEN}\r\n\r\n"
        connection.sendall(head.encode())
        received = b""
        while block := connection.recv(1_000):
            received += block

    assert received.startswith(b"HTTP/1.1 200")
    assert b"\r\n\r\n" not in received
    assert title(sim) == "new"


def test_garbage_is_neither_json_nor_xml(sim: PlexSim) -> None:
    sim.faults.set(Fault("garbage"))
    status, body, _ = ask(sim)

    assert status == 200
    with pytest.raises(ValueError):
        json.loads(body)
    with pytest.raises(ElementTree.ParseError):
        ElementTree.fromstring(body)


def test_a_foreign_page_comes_with_200(sim: PlexSim) -> None:
    sim.faults.set(Fault("html"))
    status, body, headers = ask(sim)

    assert status == 200
    assert headers["Content-Type"].startswith("text/html")
    assert b"<html>" in body


def test_an_empty_container_comes_as_from_plex(sim: PlexSim) -> None:
    sim.faults.set(Fault("empty"))
    status, body, headers = ask(sim)

    assert (status, json.loads(body)) == (200, {"MediaContainer": {"size": 0}})
    assert "X-Plex-Protocol" in headers


@pytest.mark.parametrize("status", [401, 403, 404, 408, 429, 500, 502, 503])
def test_any_status_can_be_answered(sim: PlexSim, status: int) -> None:
    sim.faults.set(Fault("status", status=status))

    assert ask(sim, "PUT", RENAME)[0] == status
    assert title(sim) == "old"
    assert sim.log[-1].status == status


@pytest.mark.parametrize("retry_after", [7, "Wed, 21 Oct 2015 07:28:00 GMT", "soon"])
def test_a_status_may_say_when_to_come_back(sim: PlexSim, retry_after: str | int) -> None:
    sim.faults.set(Fault("status", status=429, retry_after=retry_after))

    assert ask(sim)[2]["Retry-After"] == str(retry_after)


def test_maintenance_is_an_xml_element_with_503(sim: PlexSim) -> None:
    sim.faults.set(Fault("maintenance"))
    status, body, _ = ask(sim)

    response = ElementTree.fromstring(body)
    assert (status, response.tag, response.get("code"), response.get("title")) == (
        503,
        "Response",
        "503",
        "Maintenance",
    )


def test_a_huge_answer_has_as_many_megabytes_as_asked(sim: PlexSim) -> None:
    sim.faults.set(Fault("huge", megabytes=3))

    assert len(ask(sim)[1]) == 3 * 1024 * 1024


def test_a_client_that_hangs_up_on_a_huge_answer_does_no_harm(sim: PlexSim) -> None:
    sim.faults.set(Fault("huge", megabytes=200, times=1))
    with socket.create_connection(("127.0.0.1", sim.port), timeout=HANG) as connection:
        connection.sendall(b"GET /identity HTTP/1.1\r\nHost: x\r\n\r\n")
        connection.recv(1_000)

    assert ask(sim)[0] == 200


def test_a_fault_ends_after_so_many_requests(sim: PlexSim) -> None:
    sim.faults.set(Fault("status", status=500, times=2))

    assert [ask(sim)[0] for _ in range(3)] == [500, 500, 200]
    assert sim.faults.active == ()


def test_a_fault_meets_only_the_requests_it_picks(sim: PlexSim) -> None:
    sim.faults.set(Fault("status", status=502, when=lambda request: request.params.get("id") == "1", times=1))

    assert ask(sim)[0] == 200
    assert ask(sim, "PUT", RENAME)[0] == 502
    assert ask(sim, "PUT", RENAME)[0] == 200


def test_setting_a_fault_replaces_the_one_before(sim: PlexSim) -> None:
    sim.faults.set(Fault("refuse"))
    sim.faults.set(Fault("status", status=500))

    assert ask(sim)[0] == 500


def test_a_body_may_come_in_chunks(sim: PlexSim) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", sim.port, timeout=HANG)
    connection.request(
        "POST", "/library/metadata/1/posters", body=iter([b"one", b"two"]), headers={"X-Plex-Token": TOKEN}
    )
    assert connection.getresponse().read() == b""
    connection.close()

    assert sim.log[-1].body == b"onetwo"


def test_many_connections_are_served_at_once(sim: PlexSim) -> None:
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda _: ask(sim)[0], range(80))) == {200}

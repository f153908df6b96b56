"""What others may send to the provider's port: nothing is told, nothing is held, and nothing falls."""

import json
import logging
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from urllib.parse import urlsplit

import httpx2
import pytest

from plexsync.provider.app import LARGEST_BODY
from plexsync.provider.libraries import AskingLibraries
from plexsync.web import server
from tests.journey.world import until
from tests.patience import HANG
from tests.provider.stage import LIBRARY, OTHER, Asked, Shelf, answer_store, answering

MATCHES = "/library/metadata/matches"


@contextmanager
def connected(asked: Asked) -> Iterator[socket.socket]:
    """A connection, from which bytes are sent as they are."""
    where = urlsplit(asked.url)
    with socket.create_connection((where.hostname, where.port), timeout=HANG) as made:
        yield made


def sent(asked: Asked, *pieces: bytes) -> bytes:
    """What is answered until the connection is closed, or the answer is there."""
    with connected(asked) as one:
        for piece in pieces:
            one.sendall(piece)
        told = b""
        with suppress(ConnectionError):
            while b"\r\n\r\n" not in told and (piece := one.recv(4096)):
                told += piece
        return told


def post(asked: Asked, *headers: str, body: bytes = b"") -> bytes:
    """The answer to a question with these headers."""
    lines = [f"POST /{asked.path}{MATCHES} HTTP/1.1", "Host: x", *headers, "", ""]
    return sent(asked, "\r\n".join(lines).encode() + body)


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "OPTIONS", "HEAD", "PATCH", "TRACE"])
def test_without_the_secret_every_address_is_the_same_nothing(asked: Asked, shelf: Shelf, method: str) -> None:
    key = shelf.say(7, "/data/a/x.mp4")
    path = asked.path
    wrong = [
        "",
        "x" * 32,
        path[:-1],
        path + "x",
        path.swapcase(),
        f"x/{path}",
        f"{path}%00",
        "%ff",
        "é" * 16,
        "x" * 9_000,
    ]
    dashboard = [
        "api/status",
        "metrics",
        "health",
        "login",
        "static/icon.svg",
        "library/metadata",
        f"library/metadata/{key}",
    ]
    answers = [
        asked.client.request(method, f"/{address}", content=b"{}" * 50_000 if method == "POST" else None)
        for address in (*wrong, *dashboard, f"{'y' * 32}{MATCHES}", f"{'y' * 32}/library/metadata/{key}")
    ]
    assert {(answer.status_code, answer.content) for answer in answers} == {(404, b"")}
    assert {frozenset(answer.headers.keys() - {"connection"}) for answer in answers} == {
        frozenset({"date", "content-length", "x-content-type-options", "cache-control"})
    }


@pytest.mark.parametrize(
    ("path", "allowed"),
    [("", "GET"), (MATCHES, "POST"), ("/library/metadata/a", "GET"), ("/library/metadata/a/extras", "GET")],
)
def test_another_method_is_refused(asked: Asked, path: str, allowed: str) -> None:
    for method in {"GET", "POST", "PUT", "DELETE", "OPTIONS", "HEAD"} - {allowed}:
        answer = asked.client.request(method, f"/{asked.path}{path}")
        assert (answer.status_code, answer.headers["allow"], answer.content) == (405, allowed, b"")


@pytest.mark.parametrize(
    "path",
    [
        "/library",
        "/library/metadata",
        "/library/metadata/a/children",
        "/library/metadata/a/images/1",
        "/library/metadata/a%2Fb",
        "/library/metadata/..%2F..%2Fapi",
        f"/library/metadata/{'a' * 65}",
        "/library/metadata/%00",
        "/library/metadata/ä",
        "/api/status",
        "/metrics",
    ],
)
def test_nothing_else_is_below_the_secret(asked: Asked, path: str) -> None:
    answer = asked.get(path)
    assert (answer.status_code, answer.content) == (404, b"")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"nonsense",
        b"null",
        b"[]",
        b'"type"',
        b"\xff\xfe\x00",
        b"[" * LARGEST_BODY,
        b'{"type": 1e999}',
        b'{"type": ' + b"9" * 6_000 + b"}",
        b'{"type": {"a": 1}}',
        b'{"type": 1, "filename": {"a": "x.mp4"}}',
        b'{"type": 1, "filename": "' + b"x" * 60_000 + b'"}',
    ],
)
def test_what_is_no_question_is_told_in_one_line(asked: Asked, body: bytes) -> None:
    answer = asked.client.post(f"/{asked.path}{MATCHES}", content=body)
    assert answer.status_code == 400
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.text.startswith("this is no question: ")
    assert len(answer.text.splitlines()) == 1
    assert "Traceback" not in answer.text


@pytest.mark.parametrize(
    "filename", ["x\0.mp4", "\ud800.mp4", "/" * 4_000, "\\" * 4_000, "../" * 1_000, "a'; drop table answer; --", "%"]
)
def test_an_odd_name_of_a_file_is_no_scene(asked: Asked, shelf: Shelf, filename: str) -> None:
    shelf.say(7, "/data/a/x.mp4")
    body = json.dumps({"type": 1, "filename": filename, "includeAdult": 1, "manual": 1}).encode()
    answer = asked.client.post(f"/{asked.path}{MATCHES}", content=body)
    assert (answer.status_code, answer.json()["MediaContainer"]["Metadata"]) == (200, [])


def test_a_body_of_the_largest_size_is_read_and_a_byte_more_is_refused(asked: Asked, shelf: Shelf) -> None:
    shelf.say(7, "/data/a/x.mp4")
    question = json.dumps({"type": 1, "filename": "a/x.mp4", "includeAdult": 1}).encode()
    at = f"/{asked.path}{MATCHES}"
    for size, status in ((LARGEST_BODY, 200), (LARGEST_BODY + 1, 413)):
        body = question.ljust(size)
        pieces = iter([body[:1_000], body[1_000:]])
        assert asked.client.post(at, content=body).status_code == status
        # In chunks, no length is told before.
        assert asked.client.post(at, content=pieces).status_code == status


@pytest.mark.parametrize("length", ["x", "-1", "1e3", "9" * 30, "1, 2"])
def test_a_length_that_makes_no_sense_is_refused(asked: Asked, length: str) -> None:
    assert post(asked, f"Content-Length: {length}").startswith((b"HTTP/1.1 400", b"HTTP/1.1 413"))
    assert asked.get().status_code == 200


def test_lies_about_the_length_do_no_harm(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    # Less than what comes: the rest is no request.
    assert post(asked, "Content-Length: 2", body=b"{}garbage").startswith(b"HTTP/1.1 400")
    both = post(asked, "Content-Length: 2", "Transfer-Encoding: chunked", body=b"0\r\n\r\n")
    assert both.startswith(b"HTTP/1.1 400")
    assert post(asked, "Transfer-Encoding: chunked", body=b"zz\r\n").startswith(b"HTTP/1.1 400")
    # More than what comes: not waited for.
    monkeypatch.setattr(server, "PATIENCE", 0.5)
    assert post(asked, "Content-Length: 500", body=b"{") == b""
    assert asked.get().status_code == 200


def test_a_connection_that_ends_within_a_question_is_counted_and_nothing_else(asked: Asked) -> None:
    with connected(asked) as one:
        one.sendall(f"POST /{asked.path}{MATCHES} HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n{{".encode())
        until(lambda: len(asked.connections) == 1)
    until(lambda: not asked.connections)
    assert asked.get().status_code == 200


@pytest.mark.parametrize(
    "start", [b"", b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ", b"\x16\x03\x01" * 10, b"GET " + b"x" * 40_000]
)
def test_who_does_not_come_to_an_end_is_not_waited_for(
    asked: Asked, monkeypatch: pytest.MonkeyPatch, start: bytes
) -> None:
    monkeypatch.setattr(server, "PATIENCE", 0.5)
    with connected(asked) as slow, suppress(ConnectionError):
        slow.sendall(start)
        while slow.recv(1000):
            pass
    until(lambda: not asked.connections)


def test_a_flood_from_one_address_keeps_nobody_out(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "MOST_FROM_ONE", 20)
    with ExitStack() as stack:
        for _ in range(60):
            stack.enter_context(connected(asked))
        for _ in range(3):
            assert httpx2.get(f"{asked.url}/{asked.path}", timeout=HANG, trust_env=False).status_code == 200
        until(lambda: len(asked.connections) <= 20)


def test_an_address_answers_its_own_library_alone(shelf: Shelf) -> None:
    other = shelf.add_library(OTHER, title="Others", identifier="tv.plex.agents.custom.plexsync.b2")
    mine, theirs = shelf.say(7, "/data/a/x.mp4"), shelf.say(8, "/data/a/x.mp4", library=OTHER)
    rules = [("/data", "/media/movies")]
    with answering(answer_store(shelf.folder, rules), path=shelf.secrets[LIBRARY].path) as asked:
        assert asked.get(f"/library/metadata/{theirs}").status_code == 404
        assert [item["ratingKey"] for item in asked.match("a/x.mp4")] == [mine]
        asked.path = other.path
        assert asked.get(f"/library/metadata/{mine}").status_code == 404
        assert [item["ratingKey"] for item in asked.match("a/x.mp4")] == [theirs]
        assert asked.get().json()["MediaProvider"]["title"] == "PlexSync: Others"


def test_nothing_that_was_asked_is_in_the_log(asked: Asked, shelf: Shelf, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    shelf.say(7, "/data/a/secret name.mp4")
    asked.match("a/secret name.mp4")
    asked.client.post(f"/{asked.path}{MATCHES}", content=b'{"type": 1, "filename": "a/secret name.mp4"')
    asked.get("/library/metadata/secret")
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("PlexSync")]
    assert not [line for line in ours if "secret" in line or asked.path in line]


def test_what_no_log_may_show_follows_the_secrets(shelf: Shelf) -> None:
    hidden: list[set[str]] = []
    libraries = AskingLibraries([answer_store(shelf.folder)], hidden.append)
    for secret in ("x", shelf.secrets[LIBRARY].path):
        libraries.with_secret(secret)
    renewed = shelf.add_library()
    assert libraries.with_secret(renewed.path)
    assert [renewed.path in secrets and renewed.key in secrets for secrets in hidden] == [False, True]

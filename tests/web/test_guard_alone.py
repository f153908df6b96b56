"""The guard by itself, before an application that tells what it was given: its limits, and what it leaves alone."""

import asyncio
import json
import logging
from collections.abc import Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import urlencode

import pytest

from plexsync.web.addresses import LOOPBACK
from plexsync.web.guard import HEADERS, LARGEST_BODY, MOST_FIELDS, Doors, Guard, cookie_header, cookie_name
from plexsync.web.sessions import COOKIE, LASTS, TRIES, Session, Sessions
from tests.engine.clocks import Clock

PASSWORD = "correct horse battery"
HOST = ("host", "localhost:9797")
FORM = ("content-type", "application/x-www-form-urlencoded")
JSON = ("content-type", "application/json")
OURS = f"{COOKIE}_9797"
T = TypeVar("T")


def finished(work: Coroutine[Any, Any, T]) -> T:
    """What it returns. In a thread of its own: a browser that is open in this process has its event loop in this one."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


@dataclass
class Answer:
    status: int = 0
    headers: list[tuple[str, str]] = field(default_factory=list)
    content: bytes = b""

    def all(self, name: str) -> list[str]:
        return [value for given, value in self.headers if given == name]


@dataclass
class Gate:
    """A guard; `seen` are the requests that came through, with their bodies and what came after them."""

    password: str = ""
    answer: Sequence[tuple[bytes, bytes]] = ()
    fails: str = ""
    seen: list[dict[str, Any]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    later: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.clock = Clock()
        self.sessions = Sessions(b"key", b"key", self.password, self.clock)
        self.guard = Guard(self.app, doors=Doors(), sessions=self.sessions, names=["den"], end=lambda: None)

    async def app(self, scope: Any, receive: Any, send: Any) -> None:
        self.seen.append(scope)
        if scope["type"] != "http":
            return
        if self.fails == "before":
            raise ValueError(self.fails)
        first, then = await receive(), await receive()
        self.bodies.append(first["body"])
        self.later.append(then["type"])
        assert (first["type"], first["more_body"]) == ("http.request", False)
        await send({"type": "http.response.start", "status": 200, "headers": list(self.answer)})
        await send({"type": "http.response.body", "body": b"page"})
        if self.fails:
            raise ValueError(self.fails)

    def call(
        self,
        method: str = "GET",
        path: str = "/fix",
        *headers: tuple[str, str],
        pieces: Sequence[bytes] = (),
        query: str = "",
        hosts: Sequence[tuple[str, str]] = (HOST,),
        client: Any = ("10.0.0.9", 1),
    ) -> Answer:
        messages = [
            {"type": "http.request", "body": piece, "more_body": number < len(pieces)}
            for number, piece in enumerate(pieces, 1)
        ]
        answer = Answer()

        async def receive() -> Any:
            return messages.pop(0) if messages else {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                answer.status = message["status"]
                answer.headers = [(name.decode(), value.decode()) for name, value in message["headers"]]
            else:
                answer.content += message["body"]

        given = [(name.encode(), value.encode()) for name, value in (*hosts, *headers)]
        scope = {"type": "http", "method": method, "path": path, "query_string": query.encode(), "headers": given}
        finished(self.guard({**scope, "client": client}, receive, send))
        return answer

    def post(self, path: str, *headers: tuple[str, str], pieces: Sequence[bytes]) -> Answer:
        return self.call("POST", path, *headers, pieces=pieces)

    def session(self, *, signed_in: bool = False) -> tuple[Session, tuple[str, str]]:
        """A session, and its cookie."""
        session = self.sessions.fresh(signed_in=signed_in)
        return session, ("cookie", f"{OURS}={self.sessions.encode(session)}")

    def form(self, session: Session, **more: str) -> bytes:
        return urlencode({"token": session.token, **more}).encode()


# --- names -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "is_known"),
    [
        ("localhost:1", True),
        ("localhost:65535", True),
        ("localhost:0", False),
        ("localhost:65536", False),
        ("localhost:123456", False),
        ("localhost:", False),
        ("LocalHost", True),
        ("my.house", True),
        ("a" * 253, False),
        ("", False),
    ],
)
def test_a_host_is_known_by_its_name_with_any_port_that_there_is(host: str, is_known: bool) -> None:
    assert Doors(LOOPBACK | {"my.house"}).knows(host) is is_known
    assert [Doors().knows(host) for host in ("[::1]:9797", "[::1]", "[::2]", "::1", "127.0.0.2")] == [
        True, True, False, False, False
    ]  # fmt: skip
    anywhere = Doors(any_address=True)
    assert [anywhere.knows(host) for host in ("10.1.2.3:9797", "[::2]", "localhost", "evil.example", "10.1.2")] == [
        True, True, True, False, False
    ]  # fmt: skip
    assert Doors(frozenset({"a" * 253})).knows("a" * 253)
    assert not Doors(frozenset({"a" * 254})).knows("a" * 254)


def test_each_wrong_name_is_logged_once_shortened_and_so_many_at_most(caplog: pytest.LogCaptureFixture) -> None:
    gate = Gate()
    with caplog.at_level(logging.WARNING, "PlexSync.web"):
        statuses = [gate.call(hosts=[("host", f"evil {number}")]).status for number in [0, 0, *range(30)]]
        long = Gate().call(hosts=[("host", "x" * 300)]).status
    assert {*statuses, long} == {421}
    names = [str(record.args[0]) for record in caplog.records if record.args]
    assert names == [*(f"evil {number}" for number in range(20)), "x" * 100]
    assert gate.seen == []


# --- bodies ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pieces", [1, 3])
@pytest.mark.parametrize("is_told", [False, True])
def test_a_body_of_the_largest_size_comes_through_and_a_byte_more_does_not(pieces: int, is_told: bool) -> None:
    for size, status in ((LARGEST_BODY, 200), (LARGEST_BODY + 1, 413)):
        gate = Gate()
        body, at = b"x" * size, size // pieces
        parts = [body[number * at : (number + 1) * at] for number in range(pieces - 1)] + [body[(pieces - 1) * at :]]
        told = [("content-length", str(size))] if is_told else []
        answer = gate.post("/api/sync", JSON, ("x-plexsync", "1"), *told, pieces=parts)
        assert (answer.status, gate.bodies) == (status, [body] if status == 200 else [])


def test_a_request_for_a_page_has_no_body_and_the_app_hears_of_its_end() -> None:
    gate = Gate()
    assert gate.call(pieces=[b"what a browser never sends"]).status == 200
    assert (gate.bodies, gate.later) == ([b""], ["http.request"])
    assert gate.call().status == 200
    assert gate.later[1:] == ["http.disconnect"]


@pytest.mark.parametrize("length", ["x", "-1", "1e3", "9" * 30])
def test_a_length_that_makes_no_sense_is_refused(length: str) -> None:
    gate = Gate()
    assert gate.call("GET", "/fix", ("content-length", length)).status == 413
    assert gate.post("/fix", FORM, ("content-length", length), pieces=[b""]).status == 413
    assert gate.seen == []


def test_a_connection_that_ends_within_a_body_changes_nothing() -> None:
    gate = Gate()
    session, cookie = gate.session()
    assert gate.post("/fix", FORM, cookie, pieces=[gate.form(session)]).status == 200

    async def ends() -> list[int]:
        sent: list[int] = []
        messages = [
            {"type": "http.request", "body": gate.form(session), "more_body": True},
            {"type": "http.disconnect"},
        ]

        async def receive() -> Any:
            return messages.pop(0)

        async def send(message: Any) -> None:
            sent.append(message.get("status", 0))

        headers = [(name.encode(), value.encode()) for name, value in (HOST, FORM, cookie)]
        scope = {"type": "http", "method": "POST", "path": "/fix", "query_string": b"", "headers": headers}
        await gate.guard(scope, receive, send)
        return sent

    assert finished(ends()) == [400, 0]
    assert len(gate.seen) == 1


def test_a_form_has_so_many_fields_at_most() -> None:
    gate = Gate()
    session, cookie = gate.session()
    for more, status in ((MOST_FIELDS - 1, 200), (MOST_FIELDS, 400)):
        form = gate.form(session, **{f"f{number}": "1" for number in range(more)})
        assert gate.post("/fix", FORM, cookie, pieces=[form]).status == status


# --- what comes from where -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([], 200),
        ([("sec-fetch-site", "same-origin"), ("origin", "http://localhost:9797")], 200),
        ([("sec-fetch-site", "none"), ("origin", "null")], 200),
        ([("origin", "http://LOCALHOST:9797")], 200),
        ([("sec-fetch-site", "same-site")], 403),
        ([("sec-fetch-site", "cross-site")], 403),
        ([("origin", "http://localhost:9798")], 403),
        ([("origin", "http://localhost")], 403),
        ([("origin", "http://[")], 403),
    ],
)
@pytest.mark.parametrize("path", ["/fix", "/api/sync"])
def test_a_change_comes_from_a_page_of_ours(path: str, headers: list[tuple[str, str]], status: int) -> None:
    gate = Gate()
    session, cookie = gate.session()
    own = [FORM, cookie] if path == "/fix" else [JSON, ("x-plexsync", "1")]
    assert gate.post(path, *own, *headers, pieces=[gate.form(session)]).status == status
    assert len(gate.seen) == (status == 200)


def test_a_form_needs_the_token_of_its_own_session() -> None:
    gate = Gate()
    (session, cookie), (other, _) = gate.session(), gate.session()
    for form, status in ((gate.form(session), 200), (gate.form(other), 403), (b"", 403), (b"token=", 403)):
        assert gate.post("/fix", FORM, cookie, pieces=[form]).status == status
    assert gate.post("/fix", JSON, cookie, pieces=[gate.form(session)]).status == 415
    charset = ("content-type", f"{FORM[1].upper()} ; charset=utf-8")
    assert gate.post("/fix", charset, cookie, pieces=[gate.form(session)]).status == 200


@pytest.mark.parametrize("password", ["", PASSWORD])
def test_the_api_takes_a_token_of_a_page_a_password_or_if_none_is_set_a_header(password: str) -> None:
    gate = Gate(password)
    session, cookie = gate.session(signed_in=True)
    other, _ = gate.session(signed_in=True)
    bearer = ("authorization", f"Bearer {PASSWORD}")
    assert gate.post("/api/sync", JSON, cookie, ("x-plexsync-token", session.token), pieces=[b"{}"]).status == 200
    assert gate.post("/api/sync", JSON, cookie, ("x-plexsync-token", other.token), pieces=[b"{}"]).status == 403
    assert gate.post("/api/sync", JSON, cookie, pieces=[b"{}"]).status == 403
    assert gate.post("/api/sync", FORM, cookie, ("x-plexsync", "1"), pieces=[b"{}"]).status == 415
    assert gate.post("/api/sync", JSON, cookie, ("x-plexsync", "1"), pieces=[b"{}"]).status == (
        403 if password else 200
    )
    assert gate.post("/api/sync", JSON, bearer, pieces=[b"{}"]).status == (200 if password else 403)


# --- who ask ---------------------------------------------------------------------------------------------------------


def test_without_a_password_a_page_gets_a_session_and_a_machine_or_a_style_none() -> None:
    gate = Gate()
    cookies = {
        path: gate.call("GET", path).all("set-cookie") for path in ("/fix", "/static/x.css", "/api/x", "/metrics")
    }
    assert {path: len(values) for path, values in cookies.items()} == {
        "/fix": 1, "/static/x.css": 0, "/api/x": 0, "/metrics": 0
    }  # fmt: skip
    (value,) = cookies["/fix"]
    assert value == cookie_header(OURS, gate.sessions.encode(gate.seen[0]["plexsync.session"]))
    assert value.endswith("; Path=/; HttpOnly; SameSite=Strict")
    _, cookie = gate.session()
    assert gate.call("GET", "/fix", cookie).all("set-cookie") == []
    gate.clock.move(LASTS / 1000)
    assert len(gate.call("GET", "/fix", cookie).all("set-cookie")) == 1, "its session is over"


def test_without_the_password_only_the_door_is_open() -> None:
    gate = Gate(PASSWORD)
    statuses = {
        path: gate.call("GET", path).status
        for path in (
            "/login",
            "/health",
            "/health/live",
            "/static/x",
            "/fix",
            "/health/x",
            "/api/x",
            "/metrics",
            "/login/",
        )
    }
    assert [path for path, status in statuses.items() if status == 200] == list(statuses)[:4]
    assert [path for path, status in statuses.items() if status == 401] == ["/health/x", "/api/x", "/metrics"]
    away = gate.call("GET", "/plex/den/fix", query="a=1&b=2")
    assert (away.status, away.all("location")) == (303, ["/login?to=%2Fplex%2Fden%2Ffix%3Fa%3D1%26b%3D2"])
    assert gate.call("GET", "/fix").all("location") == ["/login?to=%2Ffix"]
    assert gate.call("POST", "/fix", FORM, pieces=[b""]).all("location") == ["/login"]
    assert gate.call("GET", "/api/x").all("www-authenticate") == ['Bearer realm="PlexSync"']
    assert gate.call("GET", "/api/x").all("content-type") == ["application/json"]
    assert json.loads(gate.call("GET", "/api/x").content) == {"error": "a password is needed here"}
    _, cookie = gate.session(signed_in=True)
    assert gate.call("GET", "/fix", cookie).status == 200
    assert gate.call("GET", "/fix", ("cookie", cookie[1].replace("_9797", "_1"))).status == 200, "another port before"
    assert gate.call("GET", "/fix", ("cookie", cookie[1].replace("_9797", "_x"))).status == 303
    _, unknown = gate.session(signed_in=False)
    assert gate.call("GET", "/fix", ("cookie", unknown[1].replace("_9797", "_1"))).status == 303


def test_a_wrong_password_is_counted_for_its_address_alone() -> None:
    gate = Gate(PASSWORD)
    wrong, right = ("authorization", "bearer wrong"), ("authorization", f"BEARER  {PASSWORD} ")
    assert [gate.call("GET", "/api/x", wrong).status for _ in range(TRIES)] == [401] * TRIES
    late = gate.call("GET", "/api/x", right)
    assert (late.status, late.all("retry-after")) == (429, ["60"])
    assert gate.call("GET", "/api/x", right, client=("10.0.0.8", 1)).status == 200
    assert gate.call("GET", "/api/x", wrong, client=None).status == 401
    gate.clock.move(60)
    assert gate.call("GET", "/api/x", right).status == 200
    assert {scope["plexsync.session"].signed_in for scope in gate.seen} == {True}
    assert gate.call("GET", "/api/x", ("authorization", f"Basic {PASSWORD}")).status == 401


# --- answers ---------------------------------------------------------------------------------------------------------


def test_the_headers_of_an_answer_are_added_unless_the_page_has_its_own() -> None:
    gate = Gate(answer=[(b"Server", b"uvicorn"), (b"Cache-Control", b"max-age=5"), (b"set-cookie", b"a=b")])
    answer = gate.call()
    assert (answer.all("cache-control"), answer.all("Cache-Control"), answer.all("Server")) == ([], ["max-age=5"], [])
    assert answer.all("set-cookie") == ["a=b"]
    assert {name.lower(): value for name, value in answer.headers}.keys() == {*map(str.lower, HEADERS), "set-cookie"}


def test_a_refusal_has_its_length_and_a_page_for_browsers() -> None:
    page, none = Gate().call("PUT"), Gate().call(hosts=[])
    assert page.all("content-length") == [str(len(page.content))]
    assert (page.status, page.all("allow"), page.all("content-type")) == (
        405, ["GET, HEAD, POST"], ["text/html; charset=utf-8"]
    )  # fmt: skip
    assert b"<h1>There is no such method here</h1>" in page.content
    assert none.status == 421
    assert b'write web_allowed_hosts = ["NAME"] into plexsync.toml' in none.content


def test_what_is_no_request_passes_and_a_fault_after_the_answer_is_not_raised_again() -> None:
    gate = Gate()
    finished(gate.guard({"type": "lifespan"}, None, None))  # type: ignore[arg-type]
    assert gate.seen == [{"type": "lifespan"}]
    assert Gate(fails="after").call().status == 200
    with pytest.raises(ValueError, match="before"):
        Gate(fails="before").call()


def test_the_prefix_of_a_server_is_taken_off_and_one_that_nobody_has_stays() -> None:
    gate = Gate()
    gate.call("GET", "/plex/den/fix")
    gate.call("GET", "/plex/other/fix")
    assert [(scope["path"], scope["plexsync.plex"], scope["plexsync.cookie"]) for scope in gate.seen] == [
        ("/fix", "den", OURS),
        ("/plex/other/fix", "", OURS),
    ]
    assert [cookie_name(host) for host in ("localhost:9797", "localhost", "[::1]:5", "[::1]")] == [
        OURS, COOKIE, f"{COOKIE}_5", COOKIE
    ]  # fmt: skip

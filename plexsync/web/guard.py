"""The checks that every request passes before its page, and the headers of every answer.

In this order: the Host is one of this dashboard's (else 421, which ends DNS rebinding); the method is known; the body
is small; the password is given, if one is set; a request that changes something has its form token or carries the
password.
"""

import ipaddress
import json
import logging
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from urllib.parse import parse_qs, quote, urlsplit

from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from plexsync.rules.record_class import record
from plexsync.web.addresses import LOOPBACK, place_scope, prefix_of
from plexsync.web.sessions import BROWSER, COOKIE, Session, Sessions
from validation.redact import one_line

log = logging.getLogger("PlexSync.web")

LARGEST_BODY = 64 * 1024
MOST_FIELDS = 1_000
METHODS = {"GET", "HEAD", "POST"}
# Reachable without a password: the login page, its static files, and the health checks.
OPEN = ("/login", "/health", "/health/live")
LOOKS = "/static/"
# For programs: no cookie is set, and no login page is shown.
MACHINES = ("/api/", "/metrics", "/health")
OWN_HEADER = "x-plexsync"
OUR_COOKIE = re.compile(rf"{COOKIE}(?:_[0-9]{{1,5}})?", re.ASCII)
# A client learns nothing about an internal error but a number, under which the log has the details.
FAULT = "a page failed by a fault of PlexSync (%s): %s"
FAULT_TOLD = "Something went wrong that should not have. The log says more, under {}."
NAMES_TOLD = (
    'To open the dashboard under a name, write web_allowed_hosts = ["NAME"] into plexsync.toml, with the name in the place '
    "of NAME (or PLEXSYNC_WEB_ALLOWED_HOSTS=NAME), and start serve again."
)

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


@record
class Doors:
    """The host names of the dashboard. `any_address`: also any IP address, which can't be a rebound name."""

    names: frozenset[str] = field(default_factory=lambda: LOOPBACK)
    any_address: bool = False

    def knows(self, host: str) -> bool:
        """Whether a Host header names this dashboard."""
        found = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]{2,45})\]|([A-Za-z0-9._-]{1,253}))(?::([0-9]{1,5}))?", host)
        if not found or (found[3] and not 0 < int(found[3]) < 65536):
            return False
        name = (found[1] or found[2]).lower()
        return name in self.names or (self.any_address and _is_address(name))


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


class RequestRefused(Exception):
    """The answer to a rejected request."""

    def __init__(self, status: int, text: str = "", headers: Mapping[str, str] | None = None) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.headers = headers or {}


def _place(origin: str) -> str:
    """The host and port of an origin; '' if it is not valid."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


class Guard:
    """Wraps the whole application. Call `end` in the event loop before the server stops.

    What comes behind it sees no prefix of a Plex server in a path (`plexsync.web.addresses`); `names` are theirs.
    """

    def __init__(
        self, app: ASGIApp, *, doors: Doors, sessions: Sessions, names: Sequence[str], end: Callable[[], None]
    ) -> None:
        self.end = end
        self._app = app
        self._doors = doors
        self._sessions = sessions
        self._names = names
        self._refused: set[str] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer it here."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope = place_scope(scope, self._names)
        headers = Headers(scope=scope)
        fresh: list[str] = []
        answer = self._answering(scope, send, fresh)
        as_page = not scope["path"].startswith(MACHINES)
        try:
            self._check_host(headers)
            scope["plexsync.cookie"] = name = cookie_name(headers.get("host", ""))
            scope["plexsync.browser"] = self._sessions.browser(cookies_in(headers).get(browser_name(name), ""))
            if scope["method"] not in METHODS:
                raise RequestRefused(405, "there is no such method here", {"Allow": "GET, HEAD, POST"})
            body = await self._body(scope, headers, receive)
            session = self._admit(scope, headers, fresh)
            if scope["method"] == "POST":
                self._check_origin(scope, headers, session, body)
        except RequestRefused as no:
            await _answer(no, answer, as_page=as_page)
            return
        except Exception as error:  # noqa: BLE001 - the edge of a request: it is logged
            await _answer(RequestRefused(500, log_fault(scope["path"], error)), answer, as_page=as_page)
            return
        scope["plexsync.session"] = session
        try:
            await self._app(scope, _replay(body, receive), answer)
        except Exception:
            # Already logged and answered by the application; the server need not log it again.
            if not scope.get("plexsync.answered"):
                raise

    def _check_host(self, headers: Headers) -> None:
        hosts = headers.getlist("host")
        if len(hosts) == 1 and self._doors.knows(hosts[0]):
            return
        named = one_line(" ".join(hosts)[:100])
        if named not in self._refused and len(self._refused) < 20:
            self._refused.add(named)
            log.warning("a request to the dashboard under the name %s was refused. %s", named, NAMES_TOLD)
        raise RequestRefused(421, NAMES_TOLD)

    async def _body(self, scope: Scope, headers: Headers, receive: Receive) -> bytes:
        """Read the whole body; a large one is answered with 413."""
        length = headers.get("content-length", "")
        if length and (not length.isdecimal() or int(length) > LARGEST_BODY):
            raise RequestRefused(413, "too much was sent")
        if scope["method"] != "POST":
            return b""
        pieces = bytearray()
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise RequestRefused(400, "the connection ended early")
            pieces += message.get("body", b"")
            more = message.get("more_body", False)
            if len(pieces) > LARGEST_BODY:
                raise RequestRefused(413, "too much was sent")
        return bytes(pieces)

    def _admit(self, scope: Scope, headers: Headers, fresh: list[str]) -> Session:
        """The session of a request; raises Refused if a password is set and was not given."""
        path, address = scope["path"], (scope.get("client") or ("",))[0]
        machine = path.startswith(MACHINES)
        scheme, _, password = headers.get("authorization", "").partition(" ")
        # Any other scheme is meant for a proxy in front.
        if scheme.lower() == "bearer" and self._sessions.needs_password:
            self._check_password(password.strip(), address)
            scope["plexsync.bearer"] = True
            return self._sessions.fresh(signed_in=True)
        name = scope["plexsync.cookie"]
        session = self._sessions.read(cookies_in(headers).get(name, ""))
        if session is None:
            session = self._session_elsewhere(headers) or self._sessions.fresh()
            if not machine and not path.startswith(LOOKS):
                fresh.append(cookie_header(name, self._sessions.encode(session)))
        if not self._sessions.needs_password or session.signed_in or path in OPEN or path.startswith(LOOKS):
            return session
        if machine:
            raise RequestRefused(401, "a password is needed here", {"WWW-Authenticate": 'Bearer realm="PlexSync"'})
        if scope["method"] == "POST":
            raise RequestRefused(303, "", {"Location": "/login"})
        query = scope["query_string"].decode("latin-1")
        prefix = prefix_of(scope["plexsync.plex"])
        wanted = quote(prefix + path + (f"?{query}" if query else ""), safe="")
        raise RequestRefused(303, "", {"Location": f"/login?to={wanted}"})

    def _session_elsewhere(self, headers: Headers) -> Session | None:
        """A sign-in at this dashboard under another port, before `web_bind` changed; None if there is none."""
        values = [value for name, value in cookies_in(headers).items() if OUR_COOKIE.fullmatch(name)]
        return next((session for session in map(self._sessions.read, values) if session and session.signed_in), None)

    def _check_password(self, password: str, address: str) -> None:
        if wait := self._sessions.wait(address):
            raise RequestRefused(429, "too many wrong passwords", {"Retry-After": f"{wait:.0f}"})
        if self._sessions.is_password(password):
            return
        self._sessions.count_attempt(address)
        raise RequestRefused(401, "this is not the password", {"WWW-Authenticate": 'Bearer realm="PlexSync"'})

    def _check_origin(self, scope: Scope, headers: Headers, session: Session, body: bytes) -> None:
        """Check that a change comes from a page of the dashboard, or from a program that a browser can't imitate."""
        site, origin, host = headers.get("sec-fetch-site", ""), headers.get("origin", ""), headers.get("host", "")
        if site not in ("", "same-origin", "none"):
            raise RequestRefused(403, "this came from another site")
        if origin not in ("", "null") and _place(origin) != host.lower():
            raise RequestRefused(403, "this came from another site")
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        if scope["path"].startswith("/api/"):
            if kind != "application/json":
                raise RequestRefused(415, "the API takes application/json")
            if scope.get("plexsync.bearer") or (headers.get(OWN_HEADER, "") and not self._sessions.needs_password):
                return
            token = headers.get(f"{OWN_HEADER}-token", "")
            if not self._sessions.is_token(session, token):
                raise RequestRefused(403, f"Authorization: Bearer or the header {OWN_HEADER} is needed: docs/api.md")
            return
        if kind != "application/x-www-form-urlencoded":
            raise RequestRefused(415, "a form is needed here")
        try:
            fields = parse_qs(body.decode("utf-8", "replace"), max_num_fields=MOST_FIELDS)
        except ValueError:
            raise RequestRefused(400, "the form has too many fields") from None
        if not self._sessions.is_token(session, fields.get("token", [""])[0]):
            raise RequestRefused(403, "this page was too old: go back, load it again, and try once more")

    def _answering(self, scope: Scope, send: Send, fresh: list[str]) -> Send:
        """Add the headers to every answer, and the cookie of a new session."""

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                scope["plexsync.answered"] = True
                given = [(name, value) for name, value in message["headers"] if name.lower() != b"server"]
                have = {name.lower() for name, _ in given}
                given += [
                    (name.lower().encode(), value.encode())
                    for name, value in HEADERS.items()
                    if name.lower().encode() not in have
                ]
                if fresh and b"set-cookie" not in have:
                    given.append((b"set-cookie", fresh[0].encode()))
                message = {**message, "headers": given}
            await send(message)

        return answer


def log_fault(path: str, error: Exception) -> str:
    """Log a fault of PlexSync at this path with its traceback; returns what whoever asked is told."""
    number = secrets.token_hex(4)
    log.error(FAULT, number, one_line(path[:200]), exc_info=error)
    return FAULT_TOLD.format(number)


def cookies_in(headers: Headers) -> dict[str, str]:
    """Every cookie's value by its name."""
    return cookie_parser("; ".join(headers.getlist("cookie")))


def cookie_name(host: str) -> str:
    """The name of the session's cookie under this Host: it has the port, since a host's cookies are shared by all ports."""
    port = host.rpartition(":")[2]
    return f"{COOKIE}_{port}" if port.isdecimal() else COOKIE


def browser_name(cookie: str) -> str:
    """The name of the cookie of a browser that has signed in, beside that of its session."""
    return BROWSER + cookie.removeprefix(COOKIE)


def cookie_header(name: str, value: str, *, lasts: int | None = None) -> str:
    """The Set-Cookie header of a session, or of what `lasts` so many seconds."""
    return f"{name}={value}; Path=/; HttpOnly; SameSite=Strict" + ("" if lasts is None else f"; Max-Age={lasts}")


# The error page for browsers. It holds only texts of this file.
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{0} - PlexSync</title><link rel="stylesheet" href="/static/dashboard.css"></head>
<body><main><section class="card narrow"><h1>{0}</h1><p><a href="/">To the overview</a></p></section></main></body></html>
"""


async def _answer(no: RequestRefused, send: Send, *, as_page: bool) -> None:
    kind = "text/html; charset=utf-8" if as_page else "application/json"
    text = PAGE.format(no.text[:1].upper() + no.text[1:]) if as_page else json.dumps({"error": no.text}) + "\n"
    content = text.encode() if no.text else b""
    headers = {"content-length": str(len(content)), **({"content-type": kind} if content else {})}
    sent = [(name.lower().encode(), value.encode()) for name, value in (headers | dict(no.headers)).items()]
    await send({"type": "http.response.start", "status": no.status, "headers": sent})
    await send({"type": "http.response.body", "body": content})


def _replay(body: bytes, receive: Receive) -> Receive:
    """Replay the body that was already read; then continue with the connection."""
    left = [body]

    async def again() -> Message:
        if left:
            return {"type": "http.request", "body": left.pop(), "more_body": False}
        return await receive()

    return again

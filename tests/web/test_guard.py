"""What every request passes before a page sees it, and what every answer carries."""

import http.client
import json
import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

import httpx2
import pytest
from starlette.routing import Route

from plexsync.web.addresses import LOOPBACK
from plexsync.web.app import MODULES
from plexsync.web.guard import HEADERS, Doors
from plexsync.web.sessions import BROWSER, COOKIE, TRIES
from tests.journey.world import World
from tests.patience import HANG
from tests.web.conftest import TOKEN_FIELD, Dash, dashboard

PASSWORD = "correct horse battery"


@pytest.fixture
def locked(world: World) -> Iterator[Dash]:
    with dashboard(world, web_password=PASSWORD) as made:
        yield made


@dataclass(frozen=True)
class Answer:
    """What came back, whole."""

    status: int
    headers: http.client.HTTPMessage
    content: bytes

    def read(self) -> bytes:
        return self.content


def raw(dash: Dash, method: str, path: str, *headers: tuple[str, str], body: bytes = b"") -> Answer:
    """One request with exactly these headers."""
    where = urlsplit(dash.url)
    with closing(http.client.HTTPConnection(where.hostname or "", where.port, timeout=HANG)) as connection:
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in headers:
            connection.putheader(name, value)
        if body:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body or None)
        with connection.getresponse() as answer:
            return Answer(answer.status, answer.headers, answer.read())


def sign_in(dash: Dash, password: str = PASSWORD, to: str = "/") -> object:
    token = TOKEN_FIELD.search(dash.get("/login").text)
    assert token
    return dash.client.post("/login", data={"token": token[1], "password": password, "to": to})


# --- under which name ------------------------------------------------------------------------------------------------

PORT = "{port}"
OURS = ["127.0.0.1", "127.0.0.1:9797", "localhost", "LOCALHOST:1", "[::1]", "[::1]:9797", "localhost:{port}"]
THEIRS = [
    "evil.example",
    "evil.example:9797",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "localhost.",
    "127.0.0.2",
    "0.0.0.0",
    "::1",
    "[::1",
    "[::2]",
    "[::ffff:127.0.0.1]",
    "127.1",
    "2130706433",
    "0x7f.1",
    "localhost:0",
    "localhost:70000",
    "localhost:99999999",
    "localhost:80:80",
    "localhost:",
    "user@localhost",
    "localhost/x",
    "localhost#x",
    " ",
    "",
    "loc alhost",
    "localhost,evil.example",
    "*",
    "http://localhost",
]


@pytest.mark.parametrize("host", OURS)
def test_our_own_names_are_answered(calm: Dash, host: str) -> None:
    assert raw(calm, "GET", "/health", ("Host", host.format(port=urlsplit(calm.url).port))).status in (200, 503)


@pytest.mark.parametrize("host", THEIRS)
def test_any_other_name_gets_nothing(calm: Dash, host: str) -> None:
    for method, path in (("GET", "/"), ("POST", "/api/sync"), ("GET", "/nowhere"), ("DELETE", "/")):
        answer = raw(calm, method, path, ("Host", host))
        assert answer.status in (400, 421)
        assert answer.headers.get("Set-Cookie") is None
        page = answer.read()
        assert [word for word in (b"<form", b"token", b"cene", b"Stash", b"/settings") if word in page] == []


def test_no_name_or_two_names_get_nothing(calm: Dash) -> None:
    assert raw(calm, "GET", "/").status in (400, 421)
    assert raw(calm, "GET", "/", ("Host", "localhost"), ("Host", "localhost")).status in (400, 421)


def test_names_are_allowed_by_a_setting(world: World) -> None:
    with dashboard(world, web_allowed_hosts="nas.local, plexsync.example") as dash:
        assert raw(dash, "GET", "/", ("Host", "NAS.local:9797")).status == 200
        assert raw(dash, "GET", "/", ("Host", "other.local")).status == 421


def test_an_address_that_others_reach_answers_under_any_number() -> None:
    doors = Doors(LOOPBACK | {"0.0.0.0"}, any_address=True)
    assert doors.knows("192.168.1.5:9797")
    assert doors.knows("[fd00::1]:9797")
    assert not doors.knows("nas.local")


# --- how -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "BREW"])
def test_other_methods_are_refused_everywhere(calm: Dash, method: str) -> None:
    for path in ("/", "/api/status", "/nowhere"):
        assert raw(calm, method, path, ("Host", "localhost")).status in (400, 405)


def test_looking_changes_nothing(world: World, dash: Dash) -> None:
    """Every path that can be seen is seen: what is in the queue, in Stash and in Plex stays as it is."""
    world.add(1)
    before = tables(world)
    for route in routes():
        if "GET" in (route.methods or ()) and route.path != "/live":
            path = re.sub(r"\{[^}]*\}", "1", route.path)
            assert dash.get(path).status_code < 500 or path == "/health", path
    after = tables(world)
    assert {name for name in after if before[name] != after[name]} <= INDEX
    assert world.plex.count("PUT") + world.plex.count("POST") == 0


# What is learned of Plex on the way: its libraries and where its files are.
INDEX = {"item", "part", "library"}


def tables(world: World) -> dict[str, list[tuple[object, ...]]]:
    """Everything in the database, table by table."""
    names = [name for (name,) in world.rows("select name from sqlite_master where type = 'table'")]
    return {name: world.rows(f'select * from "{name}"') for name in names}


def routes() -> list[Route]:
    return [route for module in MODULES for route in module.routes if isinstance(route, Route)]


def test_every_action_refuses_what_does_not_come_from_a_page_of_ours(dash: Dash) -> None:
    token, cookie = dash.token(), f"{COOKIE}={dash.session}"
    host, form, body = ("Host", "localhost"), ("Content-Type", "application/x-www-form-urlencoded"), b"what=compare"
    good = f"token={token}&what=nothing".encode()
    for path in [route.path for route in routes() if "POST" in (route.methods or ()) and route.path[:5] != "/api/"]:
        path = re.sub(r"\{[^}]*\}", "1", path)
        known = ("Cookie", cookie)
        # Another site's form: no token; a wrong one; ours without the cookie.
        assert raw(dash, "POST", path, host, form, known, body=body).status == 403
        assert raw(dash, "POST", path, host, form, known, body=b"token=" + b"0" * 64).status == 403
        assert raw(dash, "POST", path, host, form, body=good).status == 403
        # With all of it, but from elsewhere, as the browser says.
        for away in (
            ("Sec-Fetch-Site", "cross-site"),
            ("Sec-Fetch-Site", "same-site"),
            ("Origin", "http://evil.example"),
        ):
            assert raw(dash, "POST", path, host, form, known, away, body=good).status == 403
        # Another kind of content, which a form of another site can send.
        plain = ("Content-Type", "text/plain")
        assert raw(dash, "POST", path, host, plain, known, body=good).status == 415


def test_a_form_of_ours_is_taken_with_what_a_browser_says_of_it(dash: Dash) -> None:
    token, cookie = dash.token(), f"{COOKIE}={dash.session}"
    said = [("Host", "localhost"), ("Content-Type", "application/x-www-form-urlencoded"), ("Cookie", cookie)]
    body = f"token={token}".encode()
    for more in (("Sec-Fetch-Site", "same-origin"), ("Origin", "null"), ("Origin", "http://localhost")):
        assert raw(dash, "POST", "/reconcile/stop", *said, more, body=body).status == 303


@pytest.mark.parametrize("path", ["/reconcile", "/api/sync", "/nowhere"])
def test_what_is_too_large_is_refused_before_anything_else_sees_it(calm: Dash, path: str) -> None:
    answer = raw(calm, "POST", path, ("Host", "localhost"), body=b"x" * 70_000)
    assert answer.status == 413
    chunked = raw(calm, "POST", path, ("Host", "localhost"), ("Content-Length", "5000000000"))
    assert chunked.status == 413


def test_what_keeps_a_browser_safe_is_as_strict_as_it_was() -> None:
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    assert {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    } == HEADERS


def test_every_answer_carries_what_keeps_a_browser_safe(calm: Dash) -> None:
    asked = [("GET", "/"), ("GET", "/nowhere"), ("GET", "/static/dashboard.css"), ("GET", "/api/status"), ("PUT", "/")]
    asked += [("POST", "/reconcile"), ("GET", "/health"), ("GET", "/metrics"), ("GET", "/login")]
    answers = [raw(calm, method, path, ("Host", "localhost")) for method, path in asked]
    answers.append(raw(calm, "GET", "/", ("Host", "evil.example")))
    for answer in answers:
        for name, value in HEADERS.items():
            assert answer.headers[name] == value
        assert answer.headers["Server"] is None
        assert answer.headers["Access-Control-Allow-Origin"] is None
    policy = HEADERS["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy


@pytest.mark.parametrize(
    ("origin", "body", "status"),
    [("http://[", b"token=x", 403), ("", b"a&" * 1_001, 400)],
    ids=["an origin that is none", "a thousand fields"],
)
def test_what_makes_no_sense_is_refused_before_anybody_has_signed_in(
    locked: Dash, caplog: pytest.LogCaptureFixture, origin: str, body: bytes, status: int
) -> None:
    said = [("Host", "localhost"), ("Content-Type", "application/x-www-form-urlencoded")]
    answer = raw(locked, "POST", "/login", *said, *([("Origin", origin)] if origin else []), body=body)
    assert answer.status == status
    assert {name: answer.headers[name] for name in HEADERS} == HEADERS
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize("path", ["/login", "/api/sync"])
def test_a_fault_of_the_guard_itself_is_told_by_a_number_that_the_log_explains(
    dash: Dash, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    monkeypatch.setattr("plexsync.web.guard.urlsplit", lambda _: 1 / 0)
    answer = raw(dash, "POST", path, ("Host", "localhost"), ("Origin", "http://localhost"), body=b"x")
    assert answer.status == 500
    assert {name: answer.headers[name] for name in HEADERS} == HEADERS
    (number,) = set(re.findall(rb"under ([0-9a-f]{8})\.", answer.content))
    assert f"({number.decode()}): {path}" in caplog.text
    assert b"ZeroDivisionError" not in answer.content
    assert answer.headers["Content-Type"].startswith("text/html" if path == "/login" else "application/json")


def test_nobody_is_believed_to_be_somebody_else(world: World) -> None:
    with dashboard(world, web_password=PASSWORD) as dash:
        for name in ("X-Forwarded-For", "X-Real-IP", "Forwarded", "X-Forwarded-Host", "X-Original-URL"):
            answer = raw(dash, "GET", "/api/status", ("Host", "localhost"), (name, "127.0.0.1"))
            assert answer.status == 401


# --- who -------------------------------------------------------------------------------------------------------------


def test_a_password_is_asked_for_on_everything_but_the_door(locked: Dash) -> None:
    seen = []
    for route in routes():
        path = re.sub(r"\{[^}]*\}", "1", route.path)
        for method in {"GET", "POST"} & set(route.methods or ()):
            answer = raw(locked, method, path, ("Host", "localhost"))
            if path in ("/login", "/health", "/health/live"):
                seen.append((method, path))
                continue
            assert answer.status == (401 if path[:5] == "/api/" or path == "/metrics" else 303), path
            assert b"jobs" not in answer.read()
    assert sorted(seen) == [("GET", "/health"), ("GET", "/health/live"), ("GET", "/login"), ("POST", "/login")]


def test_signing_in_leads_to_the_page_that_was_asked_for(locked: Dash) -> None:
    page = locked.get("/settings?x=1")
    assert page.url.path == "/login"
    assert page.url.params["to"] == "/settings?x=1"
    before = locked.session
    landed = sign_in(locked, to="/settings?x=1")
    assert landed.url.path == "/settings"
    assert "plex_token" in landed.text
    # A new session, which nobody could have planted.
    assert locked.session != before
    assert PASSWORD not in landed.text


def test_the_cookie_is_for_this_site_and_no_script(locked: Dash) -> None:
    answer = raw(locked, "GET", "/login", ("Host", "localhost"))
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert "Path=/" in cookie
    assert PASSWORD not in cookie


def test_two_dashboards_on_one_host_leave_each_other_signed_in(world: World, locked: Dash) -> None:
    """A browser sends the cookies of a host to every port of it."""
    other_password = "another horse battery"
    with dashboard(world, web_password=other_password) as other:
        other.client.cookies = locked.client.cookies
        sign_in(locked)
        sign_in(other, other_password)
        for dash in (locked, other, locked):
            assert dash.get("/settings").url.path == "/settings"
        other.post("/logout")
        assert other.get("/settings").url.path == "/login"
        assert locked.get("/settings").url.path == "/settings"
        # What the other's cookie says is believed nowhere else.
        port = urlsplit(other.url).port
        theirs = ("Cookie", f"{COOKIE}_{port}={other.session}"), ("Host", f"127.0.0.1:{urlsplit(locked.url).port}")
        assert raw(locked, "GET", "/", *theirs).status == 303


@pytest.mark.parametrize("host", ["localhost", "localhost:9797", "[::1]:9797", "[::1]"])
def test_the_name_of_the_cookie_has_the_port_that_the_browser_uses(locked: Dash, host: str) -> None:
    cookie = raw(locked, "GET", "/login", ("Host", host)).headers["Set-Cookie"]
    assert cookie.partition("=")[0] == (f"{COOKIE}_9797" if host.endswith(":9797") else COOKIE)


def test_signing_out_under_another_port_ends_the_session_everywhere(locked: Dash) -> None:
    sign_in(locked)
    here = f"127.0.0.1:{urlsplit(locked.url).port}"
    moved = ("Host", "127.0.0.1:9797"), ("Cookie", f"{COOKIE}_{urlsplit(locked.url).port}={locked.session}")
    answer = raw(locked, "GET", "/reconcile", *moved)
    assert answer.status == 200
    assert f"{COOKIE}_9797={locked.session}" in answer.headers["Set-Cookie"]
    token = TOKEN_FIELD.search(answer.content.decode())
    assert token
    form = ("Content-Type", "application/x-www-form-urlencoded")
    assert raw(locked, "POST", "/logout", *moved, form, body=f"token={token[1]}".encode()).status == 303
    assert raw(locked, "GET", "/", ("Host", here), moved[1]).status == 303


@pytest.mark.parametrize(
    "theirs",
    ["x=a b", "a@b=1", "version=1", "$Version=1", "x", '"', "x=" + "y" * 9_000],
)
def test_cookies_of_other_programs_on_the_same_host_do_no_harm(locked: Dash, theirs: str) -> None:
    sign_in(locked)
    ours = f"{COOKIE}={locked.session}"
    for cookie in (f"{theirs}; {ours}", f"{ours}; {theirs}"):
        assert raw(locked, "GET", "/", ("Host", "localhost"), ("Cookie", cookie)).status == 200


def test_signing_out_ends_the_session_also_for_a_copy_of_its_cookie(locked: Dash) -> None:
    sign_in(locked)
    copy = f"{COOKIE}={locked.session}"
    assert raw(locked, "GET", "/", ("Host", "localhost"), ("Cookie", copy)).status == 200
    locked.client.post("/logout", data={"token": locked.token()})
    assert raw(locked, "GET", "/", ("Host", "localhost"), ("Cookie", copy)).status == 303
    assert locked.get("/").url.path == "/login"


@pytest.mark.parametrize(
    "to",
    [
        "//evil.example",
        "https://evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "evil",
        "/live",
        "/login",
        "/a\nb",
    ],
)
def test_signing_in_never_leads_elsewhere(locked: Dash, to: str) -> None:
    assert sign_in(locked, to=to).url.path == "/"


def test_a_cookie_that_was_changed_is_no_session(locked: Dash) -> None:
    sign_in(locked)
    good = locked.session
    id, began, signed, mark = good.split(".")
    bad = [
        f"{id}.{began}.1.{'0' * 64}",
        f"{id}.{int(began) + 1}.{signed}.{mark}",
        f"{'y' if id[0] == 'x' else 'x'}{id[1:]}.{began}.{signed}.{mark}",
        f"{id}.{began}.{signed}",
        good + "0",
        "",
        "ü" * 20,
    ]
    for cookie in bad:
        said = ("Cookie", f"{COOKIE}={cookie}".encode().decode("latin-1"))
        assert raw(locked, "GET", "/", ("Host", "localhost"), said).status == 303


def test_one_who_is_not_signed_in_can_not_make_a_session_that_is(locked: Dash) -> None:
    locked.get("/login")
    id, began, signed, mark = locked.session.split(".")
    assert signed == "0"
    forged = ("Cookie", f"{COOKIE}={id}.{began}.1.{mark}")
    assert raw(locked, "GET", "/", ("Host", "localhost"), forged).status == 303


def test_guessing_a_password_ends_after_five_tries(locked: Dash) -> None:
    for _ in range(TRIES):
        answer = sign_in(locked, "wrong password here")
        assert answer.status_code == 401
        assert "This is not the password." in answer.text
    refused = sign_in(locked)
    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) <= 60
    bearer = ("Authorization", f"Bearer {PASSWORD}")
    assert raw(locked, "GET", "/api/status", ("Host", "localhost"), bearer).status == 429


@contextmanager
def another_browser(dash: Dash) -> Iterator[Dash]:
    """One from the same address, as all behind one proxy are."""
    with httpx2.Client(base_url=dash.url, follow_redirects=True, trust_env=False, timeout=HANG) as client:
        yield replace(dash, client=client)


def test_a_browser_that_has_signed_in_before_is_not_kept_out_by_the_wrong_passwords_of_others(locked: Dash) -> None:
    sign_in(locked)
    locked.post("/logout")
    with another_browser(locked) as stranger:
        for _ in range(TRIES):
            assert sign_in(stranger, "wrong password here").status_code == 401
        # What it makes up of the cookie of an earlier sign-in helps nobody.
        name = f"{BROWSER}_{urlsplit(locked.url).port}"
        id, _, mark = locked.client.cookies[name].partition(".")
        for forged in (f"{id[1:]}x.{mark}", f"{id}.{mark[1:]}0", id, "."):
            stranger.client.cookies.set(name, forged)
            assert sign_in(stranger).status_code == 429
    assert sign_in(locked).status_code == 200
    locked.post("/logout")
    for _ in range(TRIES):
        assert sign_in(locked, "wrong password here").status_code == 401
    assert sign_in(locked).status_code == 429, "its own limit"


def test_a_browser_that_has_signed_in_is_known_after_a_restart_but_no_session_and_no_other_password(
    world: World,
) -> None:
    with dashboard(world, web_password=PASSWORD) as before:
        sign_in(before)
        cookies = dict(before.client.cookies)
        (name,) = (name for name in cookies if name.startswith(BROWSER))
        mark = cookies[name]
    for password, code in ((PASSWORD, 401), ("another password", 429)):
        with dashboard(world, web_password=password) as after, another_browser(after) as stranger:
            for _ in range(TRIES):
                assert sign_in(stranger, "wrong password here").status_code == 401
            port = urlsplit(after.url).port
            for kind, cookie in ((COOKIE, before.session), (BROWSER, mark)):
                after.client.cookies.set(f"{kind}_{port}", cookie)
            assert "Password" in after.get("/").text, "the session is over"
            assert sign_in(after, "wrong password here").status_code == code


# --- machines --------------------------------------------------------------------------------------------------------


def test_a_machine_gives_the_password_with_each_request(locked: Dash) -> None:
    host, bearer = ("Host", "localhost"), ("Authorization", f"Bearer {PASSWORD}")
    assert json.loads(raw(locked, "GET", "/api/status", host, bearer).read())["books"]["balanced"]
    assert raw(locked, "GET", "/metrics", host, bearer).status == 200
    kind = ("Content-Type", "application/json")
    locked.world.add(7)
    answer = raw(locked, "POST", "/api/sync", host, bearer, kind, body=b'{"scenes": [7]}')
    assert json.loads(answer.read()) == {"wanted": 1}
    assert answer.headers["Set-Cookie"] is None
    for wrong in ("Bearer wrong", "Basic x", PASSWORD, "Bearer"):
        assert raw(locked, "GET", "/api/status", host, ("Authorization", wrong)).status == 401


def test_the_password_of_a_proxy_before_us_is_not_taken_for_ours(locked: Dash, calm: Dash) -> None:
    host, theirs = ("Host", "localhost"), ("Authorization", "Basic dXNlcjpwYXNz")
    sign_in(locked)
    cookie = ("Cookie", f"{COOKIE}={locked.session}")
    for _ in range(TRIES + 1):
        assert raw(locked, "GET", "/", host, theirs, cookie).status == 200
    assert raw(locked, "GET", "/", host, theirs).status == 303, "a person is shown the door"
    assert raw(locked, "GET", "/api/status", host, theirs).status == 401
    assert raw(locked, "GET", "/api/status", host, ("Authorization", f"Bearer {PASSWORD}")).status == 200
    for given in (theirs, ("Authorization", "Bearer x")):
        assert raw(calm, "GET", "/api/status", host, given).status == 200, "no password is asked for here"


def test_without_a_password_a_header_tells_that_no_form_of_another_site_asks(dash: Dash) -> None:
    host, kind, own = ("Host", "localhost"), ("Content-Type", "application/json"), ("X-PlexSync", "1")
    body = b'{"scenes": [7]}'
    assert raw(dash, "POST", "/api/sync", host, kind, body=body).status == 403
    assert raw(dash, "POST", "/api/sync", host, own, body=body).status == 415
    assert raw(dash, "POST", "/api/sync", host, own, ("Content-Type", "text/plain"), body=body).status == 415
    assert raw(dash, "POST", "/api/sync", host, kind, own, ("Origin", "http://evil.example"), body=body).status == 403
    assert raw(dash, "POST", "/api/sync", host, kind, own, body=body).status == 200


def test_a_script_of_a_page_of_ours_may_use_the_api_with_its_token(locked: Dash) -> None:
    sign_in(locked)
    token, cookie = locked.token(), f"{COOKIE}={locked.session}"
    said = [("Host", "localhost"), ("Content-Type", "application/json"), ("Cookie", cookie)]
    assert raw(locked, "POST", "/api/stop", *said, body=b"{}").status == 403
    assert raw(locked, "POST", "/api/stop", *said, ("X-PlexSync", "1"), body=b"{}").status == 403
    assert raw(locked, "POST", "/api/stop", *said, ("X-PlexSync-Token", token), body=b"{}").status == 200


ALL_DOORS = """
GET /
GET /about
GET /accept
GET /act/{subject}/{verb}
GET /api/accept
GET /api/collections
GET /api/collections/{id}
GET /api/dead
GET /api/drift
GET /api/fix
GET /api/latest
GET /api/needs
GET /api/outages
GET /api/plex
GET /api/reconcile
GET /api/review
GET /api/runs
GET /api/scenes
GET /api/scenes/{id}
GET /api/scenes/{id}/explain
GET /api/scenes/{id}/history
GET /api/settings
GET /api/status
GET /charts
GET /charts/{subject}-{span}.svg
GET /collections
GET /collections/{id}
GET /dead
GET /dead/by-duration
GET /dead/drop
GET /dead/export.{kind}
GET /dead/in-folder
GET /drift
GET /fix
GET /health
GET /health/live
GET /live
GET /login
GET /metrics
GET /outages
GET /pictures/items/{key}/{name}
GET /pictures/scenes/{id}/{name}
GET /plays
GET /reconcile
GET /review
GET /runs
GET /scenes
GET /scenes/{id}
GET /settings
GET /settings/change
GET /settings/plex
GET /settings/plex/probe
GET /settings/preview/pictures/{mark}
GET /settings/provider
GET /settings/provider/add
GET /settings/provider/remove
GET /start
GET /state
GET /undo
POST /accept
POST /act/{subject}/{verb}
POST /api/accept
POST /api/collections/parts
POST /api/dead/drop
POST /api/dead/retry
POST /api/drift
POST /api/preview
POST /api/reconcile
POST /api/scenes/{id}/ignore
POST /api/scenes/{id}/ping
POST /api/scenes/{id}/redo
POST /api/scenes/{id}/unignore
POST /api/stop
POST /api/sync
POST /api/{subject}/{verb}
POST /dead/by-duration
POST /dead/drop
POST /dead/in-folder
POST /dead/picked
POST /dead/retry
POST /drift
POST /fix
POST /login
POST /logout
POST /news
POST /plays
POST /reconcile
POST /reconcile/stop
POST /review/ignore
POST /review/start
POST /scenes/picked
POST /scenes/{id}/ping
POST /scenes/{id}/sync
POST /scenes/{id}/{action}
POST /settings/change
POST /settings/plex/probe
POST /settings/plex/stop
POST /settings/provider/add
POST /settings/provider/remove
"""


def test_the_list_of_all_doors_is_what_it_is_meant_to_be() -> None:
    """A page that is added is added here too, by somebody who has thought about who may see it."""
    doors = {f"{method} {route.path}" for route in routes() for method in (route.methods or set()) - {"HEAD"}}
    assert doors == set(ALL_DOORS.strip().split("\n"))
